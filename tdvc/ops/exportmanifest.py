"""`tdvc-export.json`: of which state an export is, so that what changed since is not put to something else.

It stands beside exports of one whole state in a format for engines, and is written last and only if nothing was left
out: where it is, the export is whole. An export `--since` names the state it begins with as well, and what went stands
in `removed.jsonl` beside it, a line a file in path order:

    {"file_id": "…", "path": "a.jpg"}

A state is named by the root of its table and by its schema, for the names of labels are the schema's. The classes are
written out, in order: a reader of `.cls` numbers finds them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tdvc.errors import FormatError
from tdvc.formats._carry import is_hex, is_text
from tdvc.formats.base import LabelRecord
from tdvc.model import numbers
from tdvc.names import printable
from tdvc.ops.jsonlines import read_lines
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry

FILE_NAME = "tdvc-export.json"
REMOVED_NAME = "removed.jsonl"
ENGINE_FORMATS = ("arrow", "parquet", "tdvc-jsonl", "webdataset")
"""Formats that give back all that was put in, in the order it was put in."""

MAX_BYTES = 64 << 20

Count = Annotated[int, msgspec.Meta(ge=0)]
Identity = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class ExportedState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A state that is exported; `revision` is how it was asked for and names nothing."""

    root: Identity
    schema: Identity
    revision: str


class ExportedLabel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A class; see `LabelRecord`."""

    key: str
    name: str
    index: int | None = None
    fields: msgspec.Raw = msgspec.Raw(b"{}")


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an export is.

    Attributes:
        written: the format's name.
        state: what was exported.
        since: what it begins with, where only what changed was exported.
        selection: which files: `all`, or those declared `complete`.
        pictures: whether they went along.
        shard_bytes: how large shards were to be; 0 where the format says.
        files: how many are in it.
        instances: how many are in it.
        removed: how many lines `removed.jsonl` has.
        total: files of the state that belong into a full export.
        labels: every class, by its number.
    """

    format: Literal["tdvc-export"] = "tdvc-export"
    version: Literal[1] = 1
    written: str
    state: ExportedState
    since: ExportedState | None = None
    selection: Literal["all", "complete"]
    pictures: bool
    shard_bytes: Count = 0
    files: Count
    instances: Count
    removed: Count = 0
    total: Count
    labels: list[ExportedLabel] = []

    def spelled(self) -> bytes:
        """The bytes of the file."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"

    def label_records(self) -> list[LabelRecord]:
        """The classes as writers take them. Raises FormatError (bad-format-file)."""
        try:
            return [
                LabelRecord(label.key, label.name, label.index, dict(numbers.parse(bytes(label.fields))))
                for label in self.labels
            ]
        except (ValueError, TypeError) as error:
            raise _bad(FILE_NAME, f"has a class whose fields are no JSON object ({error})") from error


def exported_state(state: Directory) -> ExportedState:
    """A state, as a manifest names it."""
    return ExportedState(state.root.hex(), state.schema_id.hex(), state.title)


def exported_labels(labels: Sequence[LabelRecord]) -> list[ExportedLabel]:
    """Classes, as a manifest lists them."""
    return [
        ExportedLabel(label.key, label.name, label.index, msgspec.Raw(numbers.spell(label.fields))) for label in labels
    ]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export.

    Raises:
        FormatError: bad-format-file, where there is none or it says what it should not.
    """
    place = folder / FILE_NAME
    name = str(place)
    try:
        with place.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = f"Exports of one whole state as {', '.join(ENGINE_FORMATS)} have one, if nothing was left out of them."
        message = f"{printable(name)} can't be read: {error.strerror}."
        raise FormatError("bad-format-file", message, hint=hint, source=name) from error
    if len(content) > MAX_BYTES:
        raise _bad(name, f"is longer than {MAX_BYTES >> 20} MiB")
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise _bad(name, f"is not what this version of tdvc writes ({error})") from error
    if found.written not in ENGINE_FORMATS:
        raise _bad(name, f"names the format {found.written!r}, which is none for engines")
    return found


def removed_lines(entries: Iterable[Entry]) -> Iterable[bytes]:
    """The lines of `removed.jsonl`."""
    for entry in entries:
        yield numbers.spell({"file_id": entry.state.file_id.hex(), "path": entry.path}) + b"\n"


def read_removed(folder: Path, manifest: Manifest) -> set[str]:
    """The paths in `removed.jsonl`.

    Raises:
        FormatError: bad-format-file, where a line is none, or there are not as many as the manifest says.
        NotFound: source-not-found.
    """
    name = str(folder / REMOVED_NAME)
    paths: set[str] = set()
    for number, fields in read_lines(folder / REMOVED_NAME, "bad-format-file", name):
        path = fields.get("path")
        if not is_text(path) or not is_hex(fields.get("file_id"), 32):
            raise _bad(name, f"has a line {number} that does not name a file")
        paths.add(path)
    if len(paths) != manifest.removed:
        raise _bad(name, f"names {len(paths):,} files where {FILE_NAME} says {manifest.removed:,}")
    return paths


def _bad(name: str, problem: str) -> FormatError:
    return FormatError("bad-format-file", f"{printable(name)} {printable(problem)}.", source=name)
