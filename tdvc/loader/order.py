r"""Which file comes when: the same on every machine, with any version of any library.

A file's key is `mix(mix(start ^ a) ^ b)`, where `a` and `b` are the two halves of its file_id as little-endian numbers
of 64 bits, `start` the first eight bytes of `SHA-256("tdvc order\0SEED\0EPOCH")`, the numbers in decimal, and `mix`
the end of SplitMix64:

    x += 0x9E3779B97F4A7C15
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9
    x = (x ^ x >> 27) * 0x94D049BB133111EB
    x = x ^ x >> 31                         all modulo 2^64

Files are ordered by key, and by path where keys are equal. A key depends on nothing but the file, the seed and the
epoch: files that come or go do not change the order of the others, and neither do labels.

Of `w` ranks, rank `r` has the files at `r`, `r + w`, `r + 2w`, ... of what is left. So what all ranks have had after
`k` steps is always the first `k * w` files, and an epoch can be taken up again by another number of ranks.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def shuffled(file_ids: NDArray[np.uint8], seed: int, epoch: int) -> Ints:
    """The positions of files, given as ids of shape (n, 16) in path order, in the order of an epoch."""
    halves = np.ascontiguousarray(file_ids).view("<u8").astype(np.uint64)
    digest = hashlib.sha256(b"tdvc order\0%d\0%d" % (seed, epoch)).digest()
    start = np.uint64(int.from_bytes(digest[:8], "little"))
    keys = _mix(_mix(halves[:, 0] ^ start) ^ halves[:, 1])
    return np.argsort(keys, kind="stable").astype(np.int64)


def _mix(x: NDArray[Any]) -> NDArray[Any]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[Any] = x ^ (x >> np.uint64(31))
    return mixed


def share(order: Ints, rank: int, world_size: int, *, even: bool) -> Ints:
    """What one rank gets of an order; `even` leaves out the last files, so that every rank has equally many."""
    kept = order[: len(order) // world_size * world_size] if even else order
    return kept[rank::world_size]
