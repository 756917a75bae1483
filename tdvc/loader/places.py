"""Where many objects are in the packs, found by merging sorted indexes instead of looking up one by one.

The index of a pack is sorted by id. The first eight bytes of the ids, taken as numbers, are searched for in one call a
pack; what is found counts only where the whole id is the same. What is not found so (single files, packs that are
damaged or new) is left to the store, which looks everywhere.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Corruption
from tdvc.ids import Kind
from tdvc.objects.pack import PackReader
from tdvc.objects.sweep import entries_of, pack_names
from tdvc.storage.base import Storage

NOWHERE = -1

PLACES = np.dtype([("offset", "<u8"), ("stored", "<u4"), ("size", "<u4"), ("pack", "<i4"), ("codec", "<u4")])
PLACE = struct.Struct("<QIIiI")
"""One place: offset, stored bytes, size in bytes, pack or `NOWHERE`, codec; `PLACES` for many."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where objects are.

    Attributes:
        packs: the names of packs.
        places: one `PLACE` an object, in the order asked for; `pack` is a position in `packs`.
    """

    packs: tuple[str, ...]
    places: memoryview


def locate(storage: Storage, kind: Kind, wanted: NDArray[np.uint8]) -> Places:
    """Where the objects of a kind with these ids, (n, 32), are; the newest copy of each."""
    places = np.zeros(len(wanted), PLACES)
    places["pack"] = NOWHERE
    keys = _keys(wanted)
    left = np.argsort(keys, kind="stable")
    left = left[wanted[left].any(axis=1)]  # NO_ID is nowhere
    packs: list[str] = []
    for name in reversed(pack_names(storage)):
        if not len(left):
            break
        entries = _entries(storage, name, kind)
        rows, found = _matches(keys, wanted, left, entries)
        if len(rows):
            for field in ("offset", "stored", "size", "codec"):
                places[field][rows] = entries[field][found]
            places["pack"][rows] = len(packs)
            packs.append(name)
            left = left[places["pack"][left] == NOWHERE]
    return Places(tuple(packs), memoryview(places.tobytes()))


def _entries(storage: Storage, name: str, kind: Kind) -> NDArray[Any]:
    """The entries of a kind in a pack's index; none where it can't be read."""
    try:
        entries = entries_of(PackReader(storage, name))
    except (Corruption, FileNotFoundError):
        return np.zeros(0, [("id", "S32"), ("kind", "u1")])
    chosen: NDArray[Any] = entries[entries["kind"] == kind]
    return chosen


def _matches(
    keys: NDArray[Any], wanted: NDArray[np.uint8], left: NDArray[np.int64], entries: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the rows that are left are among the entries of a pack, and where."""
    nothing = np.zeros(0, np.int64)
    if not len(entries):
        return nothing, nothing
    ids = np.ascontiguousarray(entries["id"]).view(np.uint8).reshape(-1, 32)
    there = _keys(ids)
    at = np.minimum(np.searchsorted(there, keys[left]), len(there) - 1)
    likely = there[at] == keys[left]
    rows, at = left[likely], at[likely]
    same = (ids[at] == wanted[rows]).all(axis=1)
    return rows[same], at[same]


def _keys(ids: NDArray[np.uint8]) -> NDArray[Any]:
    return np.ascontiguousarray(ids[:, :8]).view(">u8").reshape(-1).astype(np.uint64)
