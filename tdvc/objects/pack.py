"""Packs: many objects in one immutable file, with the index at its end.

    header    "TDVCPACK", version u32, 0 u32
    records   "TOBJ", kind u8, codec u8, 0 u16, stored u64, size u64, id 32 bytes; then `stored` bytes
    fan-out   256 x u32: how many entries have an id whose first byte is at most i
    entries   sorted by id, then kind: id 32, kind u8, codec u8, 0 u16, stored u32, size u32, offset u64
    footer    offset of the fan-out u64, entries u32, 0 u32, xxh3_64 of fan-out and entries u64, "TDVCPEND"

All numbers are little endian. The index is what readers use; should it be damaged, the records say the same again and
it can be rebuilt by walking them. One file for both means one sync for both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import xxhash

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId
from tdvc.storage.base import Storage, Upload

MAX_PACK_BYTES = 256 << 20
MAX_PACK_ENTRIES = 1 << 18
RAW, ZSTD = 0, 1

HEADER = struct.pack("<8sII", b"TDVCPACK", 1, 0)
RECORD_MAGIC = b"TOBJ"
RECORD = struct.Struct("<4sBBHQQ32s")
_ENTRY = struct.Struct("<32sBBHIIQ")
ENTRY_FIELDS = [
    ("id", "S32"),
    ("kind", "u1"),
    ("codec", "u1"),
    ("zero", "<u2"),
    ("stored", "<u4"),
    ("size", "<u4"),
    ("offset", "<u8"),
]
"""An entry of the index, field by field, for those who read very many at once."""
_FOOTER = struct.Struct("<QIIQ8s")
_FAN_OUT = struct.Struct("<256I")
_KIND_BYTES = {kind: bytes((kind,)) for kind in Kind}
_CACHED_INDEX_BYTES = 64 << 20
_FLUSH_BYTES = 4 << 20
_FLUSH_PARTS = 1000
_KINDS = frozenset(Kind)


class Location(NamedTuple):
    """Where an object's stored bytes are."""

    pack: str
    offset: int
    stored_bytes: int
    size_bytes: int
    codec: int


class PackWriter:
    """Fills one pack. Nothing of it is visible before `publish`."""

    def __init__(self, storage: Storage) -> None:
        self._upload: Upload = storage.upload()
        self._entries: list[bytes] = []
        self._parts: list[bytes | memoryview] = [HEADER]
        self._waiting_bytes = len(HEADER)
        self.written_bytes = len(HEADER)
        self._name = ""

    @property
    def full(self) -> bool:
        """Whether the next object belongs into another pack."""
        return self.written_bytes >= MAX_PACK_BYTES or len(self._entries) >= MAX_PACK_ENTRIES

    def add(self, kind: Kind, identity: ObjectId, content: bytes | memoryview, codec: int, size_bytes: int) -> None:
        """Append one object, already encoded with `codec`."""
        stored_bytes = len(content)
        self._parts.append(RECORD.pack(RECORD_MAGIC, kind, codec, 0, stored_bytes, size_bytes, identity))
        self._parts.append(content)
        offset = self.written_bytes + RECORD.size
        self._entries.append(_ENTRY.pack(identity, kind, codec, 0, stored_bytes, size_bytes, offset))
        self.written_bytes = offset + stored_bytes
        self._waiting_bytes += RECORD.size + stored_bytes
        if self._waiting_bytes >= _FLUSH_BYTES or len(self._parts) >= _FLUSH_PARTS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        self._upload.write(self._parts)
        self._parts = []
        self._waiting_bytes = 0

    def begin_sync(self) -> None:
        """Start making durable what is there so far."""
        self.flush()
        self._upload.begin_sync()

    def seal(self) -> None:
        """Write the index and start making the pack durable."""
        self._entries.sort()
        index = _FAN_OUT.pack(*_fan_out(self._entries)) + b"".join(self._entries)
        checksum = xxhash.xxh3_64_intdigest(index)
        self._parts.append(index)
        self._parts.append(_FOOTER.pack(self.written_bytes, len(self._entries), 0, checksum, b"TDVCPEND"))
        self.flush()
        self._upload.seal()
        self._name = xxhash.xxh3_128_hexdigest(index)
        self._entries = []

    def publish(self, stamp: str) -> str:
        """Make the sealed pack durable and visible; returns its name. `stamp` sorts names by age."""
        name = f"packs/{stamp}-{self._name}.pack"
        self._upload.publish(name)
        return name

    def discard(self) -> None:
        """Forget it."""
        self._upload.discard()


def _fan_out(entries: list[bytes]) -> list[int]:
    counts = [0] * 256
    for entry in entries:
        counts[entry[0]] += 1
    total = 0
    for first, count in enumerate(counts):
        total += count
        counts[first] = total
    return counts


class IndexCache(dict[tuple[str, int], bytes]):
    """Pieces of pack indexes that were read, by pack and first byte of the ids; emptied when it gets large."""

    def __init__(self) -> None:
        super().__init__()
        self._held_bytes = 0

    def keep(self, key: tuple[str, int], entries: bytes) -> None:
        """Hold on to a piece."""
        self._held_bytes += len(entries)
        if self._held_bytes > _CACHED_INDEX_BYTES:
            self.clear()
            self._held_bytes = len(entries)
        self[key] = entries


class PackReader:
    """Finds objects in one visible pack; reads its index on first use, a bucket at a time where it is large."""

    def __init__(self, storage: Storage, name: str, cache: IndexCache | None = None) -> None:
        self._storage = storage
        self.name = name
        size = storage.size(name)
        if size < len(HEADER) + _FAN_OUT.size + _FOOTER.size:
            raise damaged(name, "is too short")
        footer = storage.read_range(name, size - _FOOTER.size, _FOOTER.size)
        index_offset, count, _, self._checksum, magic = _FOOTER.unpack(footer)
        if magic != b"TDVCPEND" or index_offset + _FAN_OUT.size + count * _ENTRY.size + _FOOTER.size != size:
            raise damaged(name, "has no intact footer")
        self.count = count
        self._entries_offset = index_offset + _FAN_OUT.size
        self._end_of_records = index_offset
        fan_out = storage.read_range(name, index_offset, _FAN_OUT.size)
        self._fan_out = (0, *_FAN_OUT.unpack(fan_out))
        self._cache = IndexCache() if cache is None else cache
        self._whole: bytes | None = None
        if any(a > b for a, b in zip(self._fan_out, self._fan_out[1:], strict=False)) or self._fan_out[256] != count:
            raise damaged(name, "has a damaged index")
        if count <= 4096:
            self._whole = self._read_entries(0, count)
            if xxhash.xxh3_64_intdigest(fan_out + self._whole) != self._checksum:
                raise damaged(name, "has a damaged index")

    def _read_entries(self, first: int, last: int) -> bytes:
        if self._whole is not None:
            return self._whole[first * _ENTRY.size : last * _ENTRY.size]
        length = (last - first) * _ENTRY.size
        entries = self._storage.read_range(self.name, self._entries_offset + first * _ENTRY.size, length)
        if len(entries) != length:
            raise damaged(self.name, "was cut short")
        return entries

    def _bucket(self, first_byte: int) -> bytes:
        """The entries of ids that begin with a byte."""
        bucket = self._cache.get((self.name, first_byte))
        if bucket is None:
            first, last = self._fan_out[first_byte], self._fan_out[first_byte + 1]
            bucket = self._read_entries(first, last)
            self._cache.keep((self.name, first_byte), bucket)
        return bucket

    def find(self, kind: Kind, identity: ObjectId) -> Location | None:
        """Where the object is in this pack, or None."""
        if self._fan_out[identity[0]] == self._fan_out[identity[0] + 1]:
            return None
        bucket = self._bucket(identity[0])
        key = identity + _KIND_BYTES[kind]
        at = bucket.find(key)
        while at > 0 and at % _ENTRY.size:  # the key's bytes by chance, not at an entry's beginning
            at = bucket.find(key, at + 1)
        if at < 0:
            return None
        return self._location(bucket[at : at + _ENTRY.size])[2]

    def _location(self, entry: bytes) -> tuple[Kind, ObjectId, Location]:
        identity, kind, codec, _, stored_bytes, size_bytes, offset = _ENTRY.unpack(entry)
        if offset + stored_bytes > self._end_of_records or kind not in _KINDS:
            raise damaged(self.name, "has an index entry that can't be right")
        location = Location(self.name, offset, stored_bytes, size_bytes, codec)
        return Kind(kind), ObjectId(identity), location

    def ids_with_prefix(self, kind: Kind, prefix: str) -> list[ObjectId]:
        """The ids of a kind that start with `prefix`, at least two hexadecimal digits."""
        first = int(prefix[:2], 16)
        bucket = self._bucket(first)
        keys = [bucket[start : start + 33] for start in range(0, len(bucket), _ENTRY.size)]
        return [ObjectId(key[:32]) for key in keys if key[32] == kind and key.hex().startswith(prefix)]

    def entry_bytes(self) -> bytes:
        """The whole index as it is stored, checked against its checksum."""
        if self._whole is not None:
            return self._whole
        entries = self._read_entries(0, self.count)
        if xxhash.xxh3_64_intdigest(_FAN_OUT.pack(*self._fan_out[1:]) + entries) != self._checksum:
            raise damaged(self.name, "has a damaged index")
        return entries

    def entries(self) -> Iterator[tuple[Kind, ObjectId, Location]]:
        """Every object of the pack, ordered by id."""
        for first, last in zip(self._fan_out, self._fan_out[1:], strict=False):
            bucket = self._read_entries(first, last)
            for start in range(0, len(bucket), _ENTRY.size):
                yield self._location(bucket[start : start + _ENTRY.size])


def damaged(name: str, problem: str) -> Corruption:
    """The error for a store file that does not hold what it should."""
    return Corruption("object-damaged", f"The store file {name} {problem}.", name=name)
