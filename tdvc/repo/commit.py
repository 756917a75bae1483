"""Commits and snapshots: immutable states of one directory, with who, when and why."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId, canonical_json
from tdvc.objects.store import ReadableObjects


@dataclass(frozen=True, slots=True)
class Commit:
    """A state of a directory. The first parent is what it followed on; others were merged in."""

    directory: str
    root: ObjectId
    schema: ObjectId
    parents: tuple[ObjectId, ...]
    author: str
    time: str
    message: str

    def encode(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(
            {
                "author": self.author,
                "directory": self.directory,
                "message": self.message,
                "parents": [parent.hex() for parent in self.parents],
                "root": self.root.hex(),
                "schema": self.schema.hex(),
                "time": self.time,
            }
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A commit under a name that is never given to anything else."""

    name: str
    commit: ObjectId
    author: str
    time: str
    message: str

    def encode(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(
            {
                "author": self.author,
                "commit": self.commit.hex(),
                "message": self.message,
                "name": self.name,
                "time": self.time,
            }
        )


def read_commit(objects: ReadableObjects, identity: ObjectId) -> Commit:
    """A commit by its id. Raises Corruption."""
    fields = read_fields(objects, Kind.COMMIT, identity)
    try:
        return Commit(
            directory=str(fields["directory"]),
            root=id_from(fields["root"]),
            schema=id_from(fields["schema"]),
            parents=tuple(id_from(parent) for parent in fields["parents"]),
            author=str(fields["author"]),
            time=str(fields["time"]),
            message=str(fields["message"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(Kind.COMMIT, identity) from error


def read_snapshot(objects: ReadableObjects, identity: ObjectId) -> Snapshot:
    """A snapshot by its id. Raises Corruption."""
    fields = read_fields(objects, Kind.SNAPSHOT, identity)
    try:
        return Snapshot(
            name=str(fields["name"]),
            commit=id_from(fields["commit"]),
            author=str(fields["author"]),
            time=str(fields["time"]),
            message=str(fields["message"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(Kind.SNAPSHOT, identity) from error


def first_parents(objects: ReadableObjects, start: ObjectId | None) -> Iterator[tuple[ObjectId, Commit]]:
    """The commit `start` and those before it, along first parents, newest first."""
    identity = start
    while identity is not None:
        commit = read_commit(objects, identity)
        yield identity, commit
        identity = commit.parents[0] if commit.parents else None


def ancestors(objects: ReadableObjects, start: ObjectId | None) -> Iterator[tuple[ObjectId, Commit]]:
    """The commit `start` and all before it, merged ones too; newest first, none before a commit that follows on it.

    Where clocks disagreed, a commit counts as no newer than the one by which it was reached.
    """
    if start is None:
        return
    waiting = [_Waiting(read_commit(objects, start), start, "")]
    seen = {start}
    while waiting:
        item = heapq.heappop(waiting)
        yield item.identity, item.commit
        for parent in item.commit.parents:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(waiting, _Waiting(read_commit(objects, parent), parent, item.counted_time))


class _Waiting:
    """A commit that was reached and not yielded; the newest is the smallest."""

    def __init__(self, commit: Commit, identity: ObjectId, child_time: str) -> None:
        self.commit = commit
        self.identity = identity
        self.counted_time = min(commit.time, child_time) if child_time else commit.time

    def __lt__(self, other: _Waiting) -> bool:
        return (self.counted_time, self.identity) > (other.counted_time, other.identity)


def read_fields(objects: ReadableObjects, kind: Kind, identity: ObjectId) -> dict[str, Any]:
    """A canonical JSON object by kind and id. Raises Corruption."""
    try:
        content = objects.read(kind, identity)
        fields = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise malformed(kind, identity) from error
    if not isinstance(fields, dict) or (b"\\ud" in content.lower() and not _is_unicode(fields)):
        raise malformed(kind, identity)
    return fields


def _is_unicode(fields: dict[str, Any]) -> bool:
    """Whether all text can be printed: JSON can spell half a surrogate pair, which is no character."""
    try:
        json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def malformed(kind: Kind, identity: ObjectId) -> Corruption:
    """The error for an object that hashes right and says nothing we understand."""
    name = f"{kind.name.lower()} {identity.hex()}"
    return Corruption("object-damaged", f"The {name} does not hold what it should.", id=identity.hex())


def id_from(text: Any) -> ObjectId:
    """An object id from its 64 hexadecimal digits. Raises ValueError."""
    identity = bytes.fromhex(text)
    if identity.hex() != text or len(identity) != 32:
        raise ValueError(f"{text!r} is not an object id")
    return ObjectId(identity)


def utc_now() -> str:
    """Now, in ISO 8601 with microseconds, UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
