"""Objects made ready for a pack: named, and compressed where that is worth it.

This is most of the work of storing a small object and needs nothing but its bytes, so it can be done wherever a
processor is free, and the result handed to the writer.
"""

from __future__ import annotations

import msgspec
import zstandard

from tdvc.ids import Kind, ObjectId
from tdvc.objects.pack import RAW, ZSTD

_FROM_BYTES = 128
_LEVEL = 3
_LEVELS = {Kind.INSTANCES: 1}  # text full of numbers gets no smaller by trying harder
_PRESSED = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"\xfd7zXZ",
    b"\x1aE\xdf\xa3",
    b"OggS",
    b"fLaC",
    b"ID3",
)


class Pressed(msgspec.Struct, frozen=True):
    """An object as a pack holds it."""

    identity: ObjectId
    stored: bytes | memoryview
    codec: int
    size_bytes: int

    def content(self) -> bytes:
        """The object itself."""
        return bytes(self.stored) if self.codec == RAW else zstandard.ZstdDecompressor().decompress(self.stored)


class Press:
    """Compresses objects; one at a time, so every thread needs its own."""

    def __init__(self) -> None:
        self._compressors: dict[int, zstandard.ZstdCompressor] = {}

    def press(self, kind: Kind, identity: ObjectId, content: bytes | memoryview) -> Pressed:
        """An object ready for a pack, as it is where compressing gains little or it is compressed already."""
        size = len(content)
        if size < _FROM_BYTES or (kind is Kind.BLOB and bytes(content[:8]).startswith(_PRESSED)):
            return Pressed(identity, content, RAW, size)
        smaller = self._compressor(_LEVELS.get(kind, _LEVEL)).compress(content)
        if len(smaller) < size * 0.9:
            return Pressed(identity, smaller, ZSTD, size)
        return Pressed(identity, content, RAW, size)

    def _compressor(self, level: int) -> zstandard.ZstdCompressor:
        found = self._compressors.get(level)
        if found is None:
            found = self._compressors[level] = zstandard.ZstdCompressor(level=level)
        return found
