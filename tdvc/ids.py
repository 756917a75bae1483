"""Names of things by their content: SHA-256, one name space a kind.

A blob's id is the plain SHA-256 of its bytes, so `sha256sum` checks it with no tdvc at hand. Every other object's id
also binds its kind: a raw file can never pose as a commit, because what is hashed for a commit starts with words that
are not part of the commit, and because every look-up asks for an id *and* a kind.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Iterable
from typing import Any, NewType

ObjectId = NewType("ObjectId", bytes)
"""32 bytes. Text form: 64 lower-case hexadecimal digits."""

FileId = NewType("FileId", bytes)
"""16 bytes: the lasting identity of a file."""

NO_ID = ObjectId(bytes(32))
"""Stands for 'none' where a column has a fixed width."""


class Kind(enum.IntEnum):
    """What an object is. The number is part of the pack format and never changes its meaning."""

    BLOB = 1
    INSTANCES = 2
    PAGE = 3
    SCHEMA = 4
    COMMIT = 5
    SNAPSHOT = 6
    VIEW = 7
    OPERATION = 8
    MERGE = 9
    RULE = 10


_PREFIX = {kind: b"tdvc " + kind.name.lower().encode() + b"\0" for kind in Kind if kind is not Kind.BLOB}


def object_id(kind: Kind, content: bytes | memoryview) -> ObjectId:
    """SHA-256 of `content`, with the kind's name in front unless it is a blob."""
    if kind is Kind.BLOB:
        return ObjectId(hashlib.sha256(content).digest())
    digest = hashlib.sha256(_PREFIX[kind])
    digest.update(content)
    return ObjectId(digest.digest())


class DerivedIds:
    """Ids of 16 bytes that depend on a purpose, on parts they share, and on parts of their own.

    Every part counts, and so does where one ends and the next begins: each is hashed behind its length. What is shared
    is hashed once.
    """

    def __init__(self, purpose: str, *shared: bytes) -> None:
        self._start = hashlib.sha256(b"tdvc %s\0%s" % (purpose.encode(), _framed(shared)))

    def make(self, *parts: bytes) -> bytes:
        """The id for these parts behind the shared ones."""
        return self.make_framed(_framed(parts))

    def make_text(self, part: bytes) -> str:
        """The id for one part behind the shared ones, in hexadecimal."""
        digest = self._start.copy()
        digest.update(len(part).to_bytes(8, "little") + part)
        return digest.hexdigest()[:32]

    def make_framed(self, framed: bytes) -> bytes:
        """The id for parts that stand behind their lengths already."""
        digest = self._start.copy()
        digest.update(framed)
        return digest.digest()[:16]


def _framed(parts: Iterable[bytes]) -> bytes:
    return b"".join([len(part).to_bytes(8, "little") + part for part in parts])


def file_ids(directory: str, files: Iterable[tuple[str, ObjectId]], counter: int = 0) -> list[FileId]:
    """The ids that files, given as (path, blob), get where they first appear.

    `counter` sets apart a second file with the same beginnings; it is a part of its own, in eight bytes, where not 0.
    """
    ids = DerivedIds("file", directory.encode())
    end = _framed((counter.to_bytes(8, "little"),)) if counter else b""
    blob_length = (32).to_bytes(8, "little")
    names = ((path.encode(), blob) for path, blob in files)
    return [
        FileId(ids.make_framed(b"%b%b%b%b%b" % (len(name).to_bytes(8, "little"), name, blob_length, blob, end)))
        for name, blob in names
    ]


def canonical_json(value: Any) -> bytes:
    """The one way tdvc spells a value of strings, integers, booleans, lists and dictionaries.

    UTF-8, sorted keys, no spaces. Floats are refused: their spelling differs between languages.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _refuse_floats(value: Any) -> None:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float):
            raise TypeError("canonical JSON has no floats")
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, (list, tuple)):
            waiting.extend(item)
