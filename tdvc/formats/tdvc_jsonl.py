"""tdvc's own JSON Lines: everything tdvc knows of a file on one line, `instances.jsonl`.

    {"blob":hex,"complete":bool,"file_id":hex,"instances":[...],"path":"...","properties":{...}}

Only `path` is needed. We write keys sorted, without spaces and numbers as they came, and leave out what is
absent; we read any spelling. What was written reads back equal, so exporting and importing again changes
nothing. A line that can't be understood in full is left out whole and listed: a misspelt key would otherwise
take the annotations away in silence. Pictures lie at `path` below the folder of the file; where they do not,
only annotations came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tdvc.errors import FormatError, SchemaError
from tdvc.formats._carry import is_hex, is_text
from tdvc.formats._folder import is_file, picture_problem, shortened, unreadable_source
from tdvc.formats._json import BOM, numbered_lines, parse_line
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions, WrittenFile
from tdvc.model import numbers
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import path_problem, printable

NAME = "tdvc-jsonl"
TITLE = "tdvc JSON Lines"
LOSES: tuple[str, ...] = ()
TYPES = frozenset(SPATIAL_TYPES)
KEEPS = frozenset(FIELDS) - {"splits"}

FILE_NAME = "instances.jsonl"
_SNIFFED_BYTES = 4096
_KEYS = frozenset(("blob", "complete", "file_id", "instances", "path", "properties"))


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Field order is alphabetical because it is the order of the keys."""

    blob: str | msgspec.UnsetType = msgspec.UNSET
    complete: bool | msgspec.UnsetType = msgspec.UNSET
    file_id: str | msgspec.UnsetType = msgspec.UNSET
    instances: list[Instance]
    path: str
    properties: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def detect(source: Path) -> bool:
    """Whether there is an `instances.jsonl`, or the file is JSON Lines that speak of instances."""
    if source.is_dir():
        return is_file(source / FILE_NAME)
    if source.suffix.lower() != ".jsonl" or not source.is_file():
        return False
    if source.name == FILE_NAME:
        return True
    try:
        with source.open("rb") as file:
            beginning = file.read(_SNIFFED_BYTES)
    except OSError:
        return False
    return beginning.removeprefix(BOM).lstrip().startswith(b"{") and b'"instances"' in beginning


def place(record: FileRecord) -> str:
    """Pictures keep their path."""
    return record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One file; nothing is lost."""
    del labels, report
    yield WrittenFile(FILE_NAME, lines(records))


def lines(records: Iterable[FileRecord]) -> Iterator[bytes]:
    """One line for each record, in the order given. Instances are canonical by construction and are not checked."""
    encoder = msgspec.json.Encoder()
    for record in records:
        line = _Line(instances=record.instances, path=record.path)
        if record.blob is not None:
            line.blob = record.blob
        if record.complete is not None:
            line.complete = record.complete
        if record.file_id is not None:
            line.file_id = record.file_id
        if record.properties:
            line.properties = msgspec.Raw(numbers.spell(record.properties))
        yield encoder.encode(line) + b"\n"


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord]:
    """Yield the files in the order of their lines.

    Raises:
        FormatError: bad-format-file, where the file is not there or can't be opened.
    """
    del options
    path = source / FILE_NAME if source.is_dir() else source
    if source.is_dir() and not is_file(path):
        name = printable(str(source))
        raise FormatError("bad-format-file", f"{name} has no file {FILE_NAME} directly in it.", source=name)
    taken: set[str] = set()
    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable_source(path, error) from error
    with file:
        for number, line in numbered_lines(file):
            context = _Context(path.parent, f"{printable(path.name)}:{number}", report)
            record = _record(line, context, taken)
            if record is not None:
                taken.add(record.path)
                yield record


@dataclass(frozen=True, slots=True)
class _Context:
    """Where a line is, and who hears what is wrong with it."""

    folder: Path
    place: str
    report: Report

    def refuse(self, code: str, message: str, instances: int) -> None:
        """Report a line that is left out whole."""
        self.report(Problem(code, self.place, message, dropped_files=1, dropped_instances=instances))


def _record(line: bytes | None, context: _Context, taken: set[str]) -> FileRecord | None:
    count = 0
    try:
        fields = parse_line(line)
        found = fields.get("instances") if isinstance(fields, dict) else None
        count = len(found) if isinstance(found, list) else 0
        _check_fields(fields)
    except ValueError as error:
        context.refuse("record-unreadable", f"The line {error}.", count)
        return None
    path: str = fields["path"]
    if problem := path_problem(path):
        context.refuse("unsafe-path", f"The path {shortened(path)} {problem}.", count)
        return None
    if path in taken:
        context.refuse("duplicate-path", f"An earlier line describes {shortened(path)}.", count)
        return None
    return FileRecord(
        path=path,
        source=_picture(path, context),
        instances=_instances(path, fields.get("instances", []), context),
        properties=fields.get("properties", {}),
        complete=fields.get("complete"),
        file_id=fields.get("file_id"),
        blob=fields.get("blob"),
    )


def _check_fields(fields: Any) -> None:
    """Refuse a line whose fields are not those of a file, with the end of a sentence as `ValueError`."""
    if not isinstance(fields, dict):
        raise ValueError("is not a JSON object")
    if unknown := sorted(set(fields) - _KEYS):
        raise ValueError(f"has an unknown key {shortened(unknown[0])}; 'properties' is the place for it")
    if not is_text(fields.get("path")):
        raise ValueError("has no 'path' that is text")
    for key, kind, meaning in (("instances", list, "a list"), ("properties", dict, "an object")):
        if not isinstance(fields.get(key, kind()), kind):
            raise ValueError(f"has a {key!r} that is not {meaning}")
    if not isinstance(fields.get("complete"), (bool, type(None))):
        raise ValueError("has a 'complete' that is neither true nor false")
    for key, length in (("blob", 64), ("file_id", 32)):
        if fields.get(key) is not None and not is_hex(fields[key], length):
            raise ValueError(f"has a {key!r} that is not {length} lower-case hexadecimal digits")


def _picture(path: str, context: _Context) -> Path | None:
    """The picture's bytes; a missing one is no problem, one that must not be followed is worth a warning."""
    problem = picture_problem(context.folder, path)
    if problem is None:
        return context.folder / path
    if problem[0] != "picture-missing":
        message = f"The picture {shortened(path)} {problem[1]}; only its annotations are read."
        context.report(Problem(problem[0], context.place, message, severity="warning"))
    return None


def _instances(path: str, values: list[Any], context: _Context) -> list[Instance]:
    instances: dict[str, Instance] = {}
    for position, value in enumerate(values):
        try:
            instance = _instance(path, position, value)
        except (SchemaError, ValueError) as error:
            reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
            _drop(context, "instance-invalid", position, f"Instance {position}: {reason}.")
            continue
        if instance.instance_id in instances:
            message = f"Instance {position}: the id {instance.instance_id} is used twice in this file."
            _drop(context, "duplicate-instance", position, message)
            continue
        instances[instance.instance_id] = instance
    return list(instances.values())


def _drop(context: _Context, code: str, position: int, message: str) -> None:
    context.report(Problem(code, context.place, message, instance=str(position), dropped_instances=1))


def _instance(path: str, position: int, value: Any) -> Instance:
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    if "instance_id" not in value:
        value["instance_id"] = derived_instance_id(NAME, path, str(position))
    return make_instance(value)
