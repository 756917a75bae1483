"""A diff as a file that can be applied: JSON Lines, a header and then one line a file.

    {"after": {"root": "…", "title": "Pets"}, "before": {…}, "format": "tdvc-patch", "version": 1}
    {"after": STATE, "before": STATE, "instances": [{"after": INSTANCE, "before": INSTANCE}, …]}

A state names a file by path and file_id, and says what it is to be: bytes by their id, completeness, properties,
origin. Of a file that is on both sides only what differs is said. Null stands for "not there", of files as of
instances. Everything is said twice, so a patch can be turned round, and applying can check that it fits.

The bytes of files are not in it: applying needs the blobs in the store. Unlike what people are shown, a patch holds
every difference to the last digit, for the state it leads to must be the same state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from tdvc.errors import FormatError, TdvcError
from tdvc.ids import NO_ID, FileId, ObjectId
from tdvc.model import numbers
from tdvc.model.records import Instance, fields_of, make_instance
from tdvc.names import stored_path_problem
from tdvc.ops.diffing import Diff
from tdvc.ops.jsonlines import read_lines
from tdvc.repo.directory import Directory, read_instances
from tdvc.repo.entry import FileState, Origin, origin_of, properties_of, state_of
from tdvc.tables.page import Row

VERSION = 1
FORMAT = "tdvc-patch"
MAX_SIZE_BYTES = 2**63 - 1
MAX_MEDIA_TYPE = 255

_FIELDS = (
    "blob",
    "complete",
    "completeness_schema",
    "media_type",
    "origin",
    "properties",
    "size_bytes",
)
"""What a patch says of a state beside path and file_id; the instance set is said by its instances."""


@dataclass(frozen=True, slots=True)
class PatchedState:
    """One side of a file in a patch.

    Attributes:
        path: where it is.
        file_id: which file.
        fields: the columns that the patch speaks of, as `FileState` holds them.
    """

    path: str
    file_id: FileId
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PatchedFile:
    """One line of a patch.

    Attributes:
        line: its number in the file.
        before: None where the file comes in.
        after: None where it goes.
        instances: (before, after) of every instance that differs; None for "not there".
    """

    line: int
    before: PatchedState | None
    after: PatchedState | None
    instances: list[tuple[Instance | None, Instance | None]] = field(default_factory=list)


# writing


def patch_lines(difference: Diff) -> Iterator[bytes]:
    """The lines of a patch that leads from the one state to the other."""
    sides = {"after": difference.after, "before": difference.before}
    header: dict[str, Any] = {
        side: {"root": state.root.hex(), "title": state.title.encode(errors="replace").decode()}
        for side, state in sides.items()
    }
    yield numbers.spell({**header, "format": FORMAT, "version": VERSION}) + b"\n"
    rows = list(difference.rows())
    old = {before[1]: before for _, before, _ in rows if before is not None}
    new = {after[1]: after for _, _, after in rows if after is not None}
    for _, before, after in rows:
        if before is not None and before[1] not in new:
            yield _line(difference, before, None)
        if after is not None:
            yield _line(difference, old.get(after[1]), after)


def _line(difference: Diff, before: Row | None, after: Row | None) -> bytes:
    old, new = state_of(before) if before else None, state_of(after) if after else None
    differing = [name for name in _FIELDS if old is None or new is None or getattr(old, name) != getattr(new, name)]
    line = {
        "after": _side_fields(after, new, differing),
        "before": _side_fields(before, old, differing),
        "instances": list(_instance_edits(difference, old, new)),
    }
    return numbers.spell(line) + b"\n"


def _side_fields(row: Row | None, state: FileState | None, names: list[str]) -> dict[str, Any] | None:
    if row is None or state is None:
        return None
    said = {name: _spelled(name, state) for name in names}
    return {"file_id": state.file_id.hex(), "path": row[0].decode(), **said}


def _spelled(name: str, state: FileState) -> Any:
    if name == "origin":
        origin = origin_of(state)
        return None if origin is None else {key: value.hex() for key, value in origin._asdict().items()}
    value = getattr(state, name)
    if name == "properties":
        return properties_of(state) or None
    if name == "completeness_schema":
        return None if value == NO_ID else value.hex()
    if name == "complete":
        return bool(value)
    if name == "media_type":
        return value.decode("ascii", "replace")
    return value.hex() if name == "blob" else value


def _instance_edits(difference: Diff, old: FileState | None, new: FileState | None) -> Iterator[dict[str, Any]]:
    if old is not None and new is not None and old.instances == new.instances:
        return
    before, after = _by_id(difference.before, old), _by_id(difference.after, new)
    for identity in sorted(before.keys() | after.keys()):
        a, b = before.get(identity), after.get(identity)
        if a != b:
            yield {"after": fields_of(b) if b else None, "before": fields_of(a) if a else None}


def _by_id(side: Directory, state: FileState | None) -> dict[str, Instance]:
    if state is None:
        return {}
    return {instance.instance_id: instance for instance in read_instances(side.objects, state)}


# reading


def read_patch(source: Path | BinaryIO, *, reverse: bool = False) -> list[PatchedFile]:
    """The files of a patch, checked in themselves; with `reverse` from after to before.

    Raises:
        FormatError: bad-patch, with the line.
        NotFound: source-not-found.
    """
    lines = read_lines(source, "bad-patch", "the patch")
    number, header = next(lines, (1, {}))
    _check_header(number, header)
    files = [_file(number, fields, reverse) for number, fields in lines]
    for side in ("before", "after"):
        _refuse_twice([(file.line, getattr(file, side)) for file in files])
    return files


def _check_header(line: int, header: Mapping[str, Any]) -> None:
    if header.get("format") != FORMAT:
        raise _bad(line, "it is not the header of a patch; tdvc diff --format patch writes one")
    if header.get("version") != numbers.Number(str(VERSION)):
        raise _bad(line, "its version is not known to this version of tdvc")
    _refuse_unknown(line, header, ("after", "before", "format", "version"))


def _refuse_twice(sides: list[tuple[int, PatchedState | None]]) -> None:
    seen: set[Any] = set()
    for line, state in sides:
        for name in (state.path, state.file_id) if state else ():
            if name in seen:
                raise _bad(line, "the file was spoken of before")
            seen.add(name)


def _file(line: int, fields: dict[str, Any], reverse: bool) -> PatchedFile:
    _refuse_unknown(line, fields, ("after", "before", "instances"))
    given = fields.get("instances", [])
    if not isinstance(given, list):
        raise _bad(line, "'instances' must be a list")
    before, after = (_state(line, fields.get(side)) for side in ("before", "after"))
    instances = [_instance_pair(line, item) for item in given]
    _check_sides(line, before, after)
    names = [next(side.instance_id for side in pair if side) for pair in instances]
    if len(set(names)) != len(names):
        raise _bad(line, "an instance is spoken of twice")
    if any((a and before is None) or (b and after is None) for a, b in instances):
        raise _bad(line, "an instance is on a side where the file is not")
    if reverse:
        return PatchedFile(line, after, before, [(b, a) for a, b in instances])
    return PatchedFile(line, before, after, instances)


def _check_sides(line: int, before: PatchedState | None, after: PatchedState | None) -> None:
    if before is None and after is None:
        raise _bad(line, "one of 'before' and 'after' must be a state")
    if before is None or after is None:
        whole = after or before
        if whole is not None and (missing := sorted(set(_FIELDS) - whole.fields.keys())):
            raise _bad(line, f"the field {missing[0]!r} is missing")
    elif before.file_id != after.file_id or before.fields.keys() != after.fields.keys():
        raise _bad(line, "'before' and 'after' must be of the same file and speak of the same fields")


def _state(line: int, fields: Any) -> PatchedState | None:
    if fields is None:
        return None
    if not isinstance(fields, dict):
        raise _bad(line, "a state must be an object or null")
    _refuse_unknown(line, fields, ("file_id", "path", *_FIELDS))
    path = _text(line, "path", fields.get("path"))
    if problem := stored_path_problem(path):
        raise _bad(line, f"the path {path[:200]!r} {problem}")
    identity = FileId(_id(line, "file_id", fields.get("file_id"), 16))
    known = {name: _column(line, name, fields[name]) for name in _FIELDS if name in fields}
    return PatchedState(path, identity, known)


def _column(line: int, name: str, value: Any) -> Any:
    """A field as the column of `FileState` holds it."""
    if name == "blob":
        return ObjectId(_id(line, name, value, 32))
    if name == "completeness_schema":
        return NO_ID if value is None else ObjectId(_id(line, name, value, 32))
    if name == "complete":
        if not isinstance(value, bool):
            raise _bad(line, "'complete' must be true or false")
        return int(value)
    if name == "size_bytes":
        size = int(value) if isinstance(value, numbers.Number) and value.isdigit() and len(value) < 20 else -1
        if not 0 <= size <= MAX_SIZE_BYTES:
            raise _bad(line, "'size_bytes' must be a whole number from 0")
        return size
    if name == "media_type":
        text = _text(line, name, value)
        if not (text.isascii() and text.isprintable() and len(text) <= MAX_MEDIA_TYPE):
            raise _bad(line, f"'media_type' must be at most {MAX_MEDIA_TYPE} printable ASCII characters")
        return text.encode()
    if name == "properties":
        if value is not None and not isinstance(value, dict):
            raise _bad(line, "'properties' must be an object or null")
        return b"" if value is None else numbers.spell(value)
    return _origin(line, value)


def _origin(line: int, value: Any) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, dict) or value.keys() != {"file_id", "blob", "instances"}:
        raise _bad(line, "'origin' must be an object of 'file_id', 'blob' and 'instances', or null")
    return Origin(
        FileId(_id(line, "file_id", value["file_id"], 16)),
        ObjectId(_id(line, "blob", value["blob"], 32)),
        ObjectId(_id(line, "instances", value["instances"], 32)),
    ).encode()


def _instance_pair(line: int, item: Any) -> tuple[Instance | None, Instance | None]:
    if not isinstance(item, dict):
        raise _bad(line, "an edit of an instance must be an object")
    _refuse_unknown(line, item, ("after", "before"))
    before, after = (_instance(line, item.get(side)) for side in ("before", "after"))
    if before is None and after is None:
        raise _bad(line, "an edit of an instance has neither 'before' nor 'after'")
    if before is not None and after is not None and before.instance_id != after.instance_id:
        raise _bad(line, "'before' and 'after' must be of the same instance")
    return before, after


def _instance(line: int, fields: Any) -> Instance | None:
    if fields is None:
        return None
    if not isinstance(fields, dict) or "instance_id" not in fields:
        raise _bad(line, "an instance must be an object with an 'instance_id', or null")
    try:
        return make_instance(fields)
    except TdvcError as error:
        raise _bad(line, error.message.rstrip(".")) from error


def _text(line: int, name: str, value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, numbers.Number):
        raise _bad(line, f"{name!r} must be text")
    return value


def _id(line: int, name: str, value: Any, length: int) -> bytes:
    text = _text(line, name, value)
    if len(text) != 2 * length or text.strip("0123456789abcdef"):
        raise _bad(line, f"{name!r} must be {2 * length} lower-case hexadecimal digits")
    return bytes.fromhex(text)


def _refuse_unknown(line: int, fields: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(fields) - set(known)):
        raise _bad(line, f"unknown field {unknown[0][:80]!r}")


def _bad(line: int, problem: str) -> FormatError:
    return FormatError("bad-patch", f"Line {line} of the patch: {problem}.", line=line)
