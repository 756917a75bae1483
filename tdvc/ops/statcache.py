"""What files looked like when their content was last known, so that an unchanged file need not be read again.

A file is unchanged when size, modification time, change time and inode are all what they were. A file that changed
within the clock's granularity of being read could change once more and look the same, so such files are not kept
(the "racy" rule that git found). Losing the cache costs time, never correctness; it is checked against a checksum,
and whatever does not fit is as good as none.

    one line of JSON      what the rest was true for (`fact`), and the number of files
    size, mtime, ctime    i64 each a file, in nanoseconds; then inodes, u64
    blob ids              32 bytes a file
    paths                 UTF-8, separated by NUL
    xxh3_64               of all before it, u64 little endian
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from collections.abc import Mapping
from typing import Any, Self

import xxhash

from tdvc.ids import ObjectId
from tdvc.storage.folder import Found

GRANULARITY_NS = 20_000_000
RECORD_FILE = ".tdvc-checkout"
"""The cache of a checked-out folder, kept in that folder (see `ops.checkout`)."""
_VERSION = 1


class StatCache:
    """The look of files by path, and their blob ids.

    Attributes:
        fact: a JSON object that says what the files belonged to.
    """

    def __init__(self, fact: Mapping[str, Any] | None = None) -> None:
        self.fact: dict[str, Any] = dict(fact or {})
        self._known: dict[str, tuple[Found, ObjectId]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def paths(self) -> list[str]:
        """The paths it knows."""
        return list(self._known)

    def blob_of(self, found: Found) -> ObjectId | None:
        """The blob that an unchanged file holds; None where it is new, changed or not known."""
        known = self._known.get(found.path)
        return known[1] if known is not None and known[0] == found else None

    def recorded_blob(self, path: str) -> ObjectId | None:
        """The blob that was recorded for a path, whatever is there now."""
        known = self._known.get(path)
        return known[1] if known is not None else None

    def remember(self, found: Found, blob: ObjectId) -> None:
        """A file's content is known."""
        self._known[found.path] = (found, blob)

    def forget(self, path: str) -> None:
        """A file is gone."""
        self._known.pop(path, None)

    def encode(self, read_since_ns: int | None = None) -> bytes:
        """The bytes of the cache; files that changed less than a moment before `read_since_ns` are left out."""
        limit = (time.time_ns() if read_since_ns is None else read_since_ns) - GRANULARITY_NS
        kept = [(found, blob) for found, blob in self._known.values() if found.ctime_ns < limit]
        head = json.dumps({"version": _VERSION, "count": len(kept), "fact": self.fact}, sort_keys=True).encode()
        numbers = [
            array("q", (found.size_bytes for found, _ in kept)),
            array("q", (found.mtime_ns for found, _ in kept)),
            array("q", (found.ctime_ns for found, _ in kept)),
            array("Q", (found.inode for found, _ in kept)),
        ]
        parts = [head, b"\n", *map(_little_endian, numbers), *(blob for _, blob in kept)]
        parts.append("\0".join(found.path for found, _ in kept).encode())
        content = b"".join(parts)
        return content + xxhash.xxh3_64_intdigest(content).to_bytes(8, "little")

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The cache from its bytes; an empty one where they are not whole."""
        try:
            return cls._decode(content)
        except (ValueError, KeyError, TypeError, IndexError):
            return cls()

    @classmethod
    def _decode(cls, content: bytes) -> Self:
        if xxhash.xxh3_64_intdigest(content[:-8]) != int.from_bytes(content[-8:], "little"):
            return cls()
        line, _, body = content[:-8].partition(b"\n")
        head = json.loads(line)
        if head["version"] != _VERSION:
            return cls()
        count = head["count"]
        cache = cls(head["fact"])
        numbers = [_numbers("qqqQ"[i], body[i * 8 * count : (i + 1) * 8 * count]) for i in range(4)]
        blobs = body[32 * count : 64 * count]
        paths = body[64 * count :].decode().split("\0") if count else []
        files = map(Found._make, zip(paths, *numbers, strict=True))
        ids = (ObjectId(blobs[i : i + 32]) for i in range(0, 32 * count, 32))
        cache._known = {found.path: (found, blob) for found, blob in zip(files, ids, strict=True)}
        return cache


def _numbers(code: str, content: bytes) -> array[int]:
    numbers = array(code, content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _little_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
