"""Reads blobs and instance sets in one process: straight from the mapped packs, and through the store otherwise.

What lies in a pack uncompressed, as pictures do, is one slice of the map. In front of it the record says whose bytes
these are; that is always compared, so no wrong place is ever read. `full` hashes the bytes as well. Whatever does not
fit is read again by the store, which verifies everything, tries other copies and says what is wrong.

Pages of a mapped file that were looked at are the system's cache, shared by all processes, though tools count them as
resident; the system takes them back when it needs them. Without maps the same bytes are read by one call each: slower,
and nothing is resident.

A pack that gc moves or joins with others stays readable where it is mapped; else the store finds its objects where they
are now, in the trash too. What no snapshot or commit holds may be gone for good after that, and the error says so.
"""

from __future__ import annotations

import hashlib
import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Corruption, StorageFailure
from tdvc.ids import NO_ID, Kind, ObjectId, object_id
from tdvc.loader.places import NOWHERE, PLACE, PLACES, Places, locate
from tdvc.loader.rows import Rows
from tdvc.objects.pack import RAW, Location
from tdvc.objects.store import ObjectStore
from tdvc.storage.base import Storage

_TOGETHER = 1024


@contextmanager
def swept_explained() -> Iterator[None]:
    """Give what is missing of a state that was open already a hint. Raises Corruption."""
    try:
        yield
    except Corruption as error:
        if error.code != "object-missing":
            raise
        hint = "If gc ran since this state was opened, open it again. What a snapshot holds is never swept."
        raise Corruption(error.code, error.message, hint=hint, **error.fields) from error


class Reader:
    """Reads the objects of some rows.

    Args:
        storage: the place of the store.
        objects: the store.
        rows: what is read.
        full: hash every blob that is read.
        memory_map: map the packs.
    """

    def __init__(
        self, storage: Storage, objects: ObjectStore, rows: Rows, *, full: bool, memory_map: bool = True
    ) -> None:
        self._blobs = _Packed(storage, objects, Kind.BLOB, rows.blobs, full=full, memory_map=memory_map)
        self._sets = _Packed(storage, objects, Kind.INSTANCES, rows.sets, full=True, memory_map=memory_map)

    def blob(self, row: int) -> bytes:
        """The bytes of a file. Raises Corruption."""
        return self._blobs.read(row)

    def iter_blobs(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
        """The bytes of many files. Raises Corruption."""
        return self._blobs.iter_many(rows)

    def instance_set(self, row: int) -> bytes:
        """The instances of a file as they are stored, verified. Raises Corruption."""
        return self._sets.read(row)


class _Packed:
    """Objects of one kind, by row."""

    def __init__(
        self,
        storage: Storage,
        objects: ObjectStore,
        kind: Kind,
        ids: NDArray[np.uint8],
        *,
        full: bool,
        memory_map: bool,
    ) -> None:
        self._storage = storage
        self._objects = objects
        self._kind = kind
        self._rows = ids
        self._ids = ids.tobytes()
        self._full = full
        self._lock = threading.Lock()
        self._places: Places | None = None
        self._maps: dict[int, mmap.mmap | bytes] = {}
        self._memory_map = memory_map

    def read(self, row: int) -> bytes:
        """The content of one object. Raises Corruption."""
        identity = self._ids[32 * row : 32 * row + 32]
        if identity == NO_ID:
            return b""
        places = self._places or self._located()
        offset, stored_bytes, size_bytes, pack, codec = PLACE.unpack_from(places.places, PLACE.size * row)
        if codec == RAW and pack in self._maps and stored_bytes == size_bytes:
            content = self._sliced(pack, offset, stored_bytes, identity)
            if content is not None:
                return content
        if pack != NOWHERE:
            location = Location(places.packs[pack], offset, stored_bytes, size_bytes, codec)
            stored = self._stored(location, pack, identity)
            decoded = None if stored is None else self._decoded(location, stored)
            if decoded is not None and self._fits(decoded, identity):
                return decoded
        with self._lock, swept_explained():
            return b"".join(self._from_store(ObjectId(identity)))

    def iter_many(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
        """The contents of many objects; their places are looked up some at a time. Raises Corruption."""
        places, ids, maps, full = self._places or self._located(), self._ids, self._maps, self._full
        table = np.frombuffer(places.places, PLACES)
        for first in range(0, len(rows), _TOGETHER):
            some = rows[first : first + _TOGETHER]
            found = table[some]
            is_plain = (found["codec"] == RAW) & (found["stored"] == found["size"])
            packs = np.where(is_plain, found["pack"], NOWHERE).tolist()
            offsets, ends = found["offset"].tolist(), (found["offset"] + found["stored"]).tolist()
            for row, pack, start, end in zip(some.tolist(), packs, offsets, ends, strict=True):
                if pack in maps:  # as `_sliced`, without a call for each
                    mapped, identity = maps[pack], ids[32 * row : 32 * row + 32]
                    if mapped[start - 32 : start] == identity:
                        content = mapped[start:end]
                        if len(content) == end - start and (not full or self._fits(content, identity)):
                            yield content
                            continue
                yield self.read(row)

    def _sliced(self, pack: int, offset: int, stored_bytes: int, identity: bytes) -> bytes | None:
        """What lies uncompressed in a pack that is mapped; None where it isn't what it should be."""
        mapped = self._maps[pack]
        if mapped[offset - 32 : offset] != identity:  # the record's head ends with the id
            return None
        content = mapped[offset : offset + stored_bytes]
        return content if len(content) == stored_bytes and self._fits(content, identity) else None

    def _stored(self, location: Location, pack: int, identity: bytes) -> bytes | None:
        """An object's bytes as a pack has them; None where the record there is of another object."""
        start, end = location.offset - 32, location.offset + location.stored_bytes  # the record's head ends with the id
        if self._memory_map:
            mapped = self._maps.get(pack) or self._mapped(location.pack, pack)
            return mapped[location.offset : end] if mapped[start : location.offset] == identity else None
        try:
            with self._lock:
                found = self._storage.read_range(location.pack, start, end - start)
        except (FileNotFoundError, StorageFailure):
            return None
        return found[32:] if found.startswith(identity) else None

    def _fits(self, content: bytes, identity: bytes) -> bool:
        if not self._full:
            return True
        if self._kind is Kind.BLOB:
            return hashlib.sha256(content).digest() == identity
        return object_id(self._kind, content) == identity

    def _decoded(self, location: Location, stored: bytes) -> bytes | None:
        if location.codec == RAW:
            return stored if len(stored) == location.size_bytes else None
        with self._lock:  # a decompressor works for one thread at a time
            return self._objects.decoded(location, stored)

    def _from_store(self, identity: ObjectId) -> list[bytes]:
        if self._kind is Kind.BLOB:
            return list(self._objects.read_blob(identity))
        return [self._objects.read(self._kind, identity)]

    def _located(self) -> Places:
        with self._lock:
            if self._places is None:
                self._places = locate(self._storage, self._kind, self._rows)
        return self._places

    def _mapped(self, name: str, pack: int) -> mmap.mmap | bytes:
        """The bytes of a pack; none where it is gone, so that the store is asked."""
        try:
            whole = self._storage.mapped(name).obj
        except (FileNotFoundError, StorageFailure):
            whole = b""
        self._maps[pack] = whole if isinstance(whole, mmap.mmap | bytes) else bytes(whole)
        return self._maps[pack]
