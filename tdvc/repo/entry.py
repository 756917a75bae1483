"""One row of a directory: a path, and the state of the file that is there.

Everything but the path belongs to the file, so a mirrored file has rows that are equal but for their paths. Beside the
table of entries each directory keeps a table from `file_id` to path, a pure function of the first: it finds a file in
all directories that hold it without reading any of them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tdvc.errors import Corruption
from tdvc.ids import NO_ID, FileId, ObjectId
from tdvc.model import numbers
from tdvc.tables.page import Column, Layout, Row

FILES = Layout(
    b"file",
    (
        Column("file_id", 16),
        Column("blob", 32),
        Column("size_bytes", 8, number=True, summed=True),
        Column("instances", 32),
        Column("instance_count", 8, number=True, summed=True),
        Column("complete", 8, number=True, summed=True),
        Column("completeness_schema", 32),
        Column("media_type", text=True),
        Column("properties", text=True),
        Column("origin"),
    ),
    text_keys=True,
)
"""The table of a directory, keyed by path in UTF-8."""

PATHS = Layout(b"path", (Column("path", text=True),))
"""The table from file_id to path."""


class FileState(NamedTuple):
    """What a file is at one moment, the same in every directory that holds it.

    Attributes:
        file_id: its lasting identity.
        blob: id of its bytes.
        size_bytes: how many they are.
        instances: id of its instance set, `NO_ID` for none.
        instance_count: how many are in it.
        complete: 1 where somebody declared the annotation complete, else 0.
        completeness_schema: the schema that was judged against, `NO_ID` where not complete.
        media_type: such as `image/jpeg`, in ASCII.
        properties: JSON object in canonical spelling, empty for none.
        origin: what it was copied from, an encoded `Origin`; empty for none.
    """

    file_id: FileId
    blob: ObjectId
    size_bytes: int
    instances: ObjectId = NO_ID
    instance_count: int = 0
    complete: int = 0
    completeness_schema: ObjectId = NO_ID
    media_type: bytes = b""
    properties: bytes = b""
    origin: bytes = b""


class Origin(NamedTuple):
    """What a file was when it was copied: where its own history begins, and so the base of a merge.

    Attributes:
        file_id: the file it was copied from.
        blob: the bytes that both had.
        instances: the instance set that the copy began with, `NO_ID` for none.
    """

    file_id: FileId
    blob: ObjectId
    instances: ObjectId = NO_ID

    def encode(self) -> bytes:
        """The column's bytes."""
        return b"".join(self)


def origin_of(state: FileState) -> Origin | None:
    """What a file was copied from; None for one that is no copy."""
    if len(state.origin) != 80:
        return None
    return Origin(FileId(state.origin[:16]), ObjectId(state.origin[16:48]), ObjectId(state.origin[48:]))


class Entry(NamedTuple):
    """A path of a directory and the file there."""

    path: str
    state: FileState


def properties_of(state: FileState) -> dict[str, Any]:
    """The properties of a file, numbers as they came. Raises Corruption (object-damaged)."""
    if not state.properties:
        return {}
    try:
        found = numbers.parse(state.properties)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        file = f"file {state.file_id.hex()}"
        raise Corruption("object-damaged", f"The properties of {file} are not a JSON object.", id=state.file_id.hex())
    return found


def entry_of(row: Row) -> Entry:
    """A row of a `FILES` table as an entry."""
    return Entry(row[0].decode(), FileState._make(row[1:]))


def state_of(row: Row) -> FileState:
    """The file's part of a row."""
    return FileState._make(row[1:])
