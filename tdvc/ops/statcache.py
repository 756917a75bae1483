"""What files looked like when their content was last known, so that an unchanged file need not be read again.

A file is unchanged when size, modification time, change time and inode are all what they were. A file that changed
within the clock's granularity of being read could change once more and look the same, so such files are not kept
(the "racy" rule that git found). Losing the cache costs time, never correctness; it is checked against a checksum,
and whatever does not fit is as good as none.

    one line of JSON      what the rest was true for (`fact`), and the number of files
    size, mtime, ctime    i64 each a file, in nanoseconds; then inodes, u64
    blob ids              32 bytes a file
    paths                 UTF-8, separated by NUL, ascending
    xxh3_64               of all before it, u64 little endian

The usual answer is "nothing changed", so that question is put to whole columns before files are looked at one by one.
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Self

import xxhash

from tdvc.ids import ObjectId
from tdvc.storage.folder import Found

GRANULARITY_NS = 20_000_000
RECORD_FILE = ".tdvc-checkout"
"""The cache of a checked-out folder, kept in that folder (see `ops.checkout`)."""
_VERSION = 1
_CODES = "qqqQ"


class StatCache:
    """The look of files by path, and their blob ids.

    Attributes:
        fact: a JSON object that says what the files belonged to.
    """

    def __init__(self, fact: Mapping[str, Any] | None = None) -> None:
        self.fact: dict[str, Any] = dict(fact or {})
        self._stored: _Columns | None = None
        self._files: dict[str, tuple[Found, ObjectId]] | None = {}

    @property
    def _known(self) -> dict[str, tuple[Found, ObjectId]]:
        if self._files is None:
            self._files = self._stored.files() if self._stored else {}
        return self._files

    def __len__(self) -> int:
        return len(self._known)

    def paths(self) -> list[str]:
        """The paths it knows."""
        return list(self._known)

    def paths_seen(self) -> Sequence[str]:
        """The paths it knows, without looking further into it."""
        return self._stored.paths if self._files is None and self._stored is not None else self.paths()

    def knows_all(self, files: Sequence[Found]) -> bool:
        """Whether these files, ordered by path, are all there is and none has changed."""
        if self._files is None and self._stored is not None:
            return self._stored.equals(files)
        return len(files) == len(self._known) and all(self.blob_of(found) is not None for found in files)

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
        kept = sorted(item for item in self._known.values() if item[0].ctime_ns < limit)
        head = json.dumps({"version": _VERSION, "count": len(kept), "fact": self.fact}, sort_keys=True).encode()
        numbers = b"".join(map(_little_endian, _numbers_of([found for found, _ in kept])))
        paths = "\0".join(found.path for found, _ in kept).encode()
        content = b"".join((head, b"\n", numbers, *(blob for _, blob in kept), paths))
        return content + xxhash.xxh3_64_intdigest(content).to_bytes(8, "little")

    @staticmethod
    def is_whole(content: bytes) -> bool:
        """Whether the bytes of a cache are as they were written."""
        return xxhash.xxh3_64_intdigest(content[:-8]) == int.from_bytes(content[-8:], "little")

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """The cache from its bytes; an empty one where they are not whole."""
        try:
            return cls._decode(content)
        except (ValueError, KeyError, TypeError, IndexError):
            return cls()

    @classmethod
    def _decode(cls, content: bytes) -> Self:
        if not cls.is_whole(content):
            return cls()
        line, _, body = content[:-8].partition(b"\n")
        head = json.loads(line)
        if head["version"] != _VERSION:
            return cls()
        cache = cls(head["fact"])
        cache._stored = _Columns(head["count"], body)
        cache._files = None
        return cache


class _Columns:
    """A cache as it is stored, column by column."""

    def __init__(self, count: int, body: bytes) -> None:
        self._numbers = [_numbers(code, body[i * 8 * count : (i + 1) * 8 * count]) for i, code in enumerate(_CODES)]
        self._blobs = body[32 * count : 64 * count]
        self.paths = body[64 * count :].decode().split("\0") if count else []
        if len(self.paths) != count or len(self._blobs) != 32 * count:
            raise ValueError("lengths that do not add up")

    def equals(self, files: Sequence[Found]) -> bool:
        return self.paths == [found.path for found in files] and self._numbers == _numbers_of(files)

    def files(self) -> dict[str, tuple[Found, ObjectId]]:
        found = map(Found._make, zip(self.paths, *self._numbers, strict=True))
        blobs = (ObjectId(self._blobs[i : i + 32]) for i in range(0, len(self._blobs), 32))
        return dict(zip(self.paths, zip(found, blobs, strict=True), strict=True))


def _numbers_of(files: Sequence[Found]) -> list[array[int]]:
    return [
        array("q", [found.size_bytes for found in files]),
        array("q", [found.mtime_ns for found in files]),
        array("q", [found.ctime_ns for found in files]),
        array("Q", [found.inode for found in files]),
    ]


def _numbers(code: str, content: bytes) -> array[int]:
    numbers = array(code, content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _little_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
