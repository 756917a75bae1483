"""Very many ids, held as sorted arrays of 32 bytes each: half a gigabyte for sixteen million."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.bytes_]
"""(n,) `S32`. numpy cuts zero bytes off the end of an item it hands out, and compares as if they were there."""

_WAITING_BYTES = 32 << 20
DTYPE = np.dtype("S32")


class IdSet:
    """A set of ids that only grows."""

    def __init__(self) -> None:
        self._sorted: Ids = np.empty(0, DTYPE)
        self._waiting = bytearray()

    def add(self, identities: Iterable[bytes]) -> None:
        """Put ids of 32 bytes in."""
        self._waiting += b"".join(identities)
        if len(self._waiting) >= _WAITING_BYTES:
            self._settle()

    def add_all(self, identities: Ids) -> None:
        """Put an array of ids in."""
        self._waiting += identities.tobytes()
        self._settle()

    def _settle(self) -> None:
        if self._waiting:
            added = np.frombuffer(bytes(self._waiting), DTYPE)
            self._sorted = np.unique(np.concatenate([self._sorted, added]))
            self._waiting = bytearray()

    def __len__(self) -> int:
        self._settle()
        return len(self._sorted)

    def contains(self, identities: Ids) -> NDArray[np.bool_]:
        """Which of these ids are in the set."""
        self._settle()
        if not len(self._sorted):
            return np.zeros(len(identities), bool)
        places = np.searchsorted(self._sorted, identities)
        places[places == len(self._sorted)] = 0
        found: NDArray[np.bool_] = self._sorted[places] == identities
        return found
