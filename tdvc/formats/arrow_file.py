"""Arrow: one IPC file with a row for each instance, for programs that want all instances as columns.

The columns are those of a file (`path, file_id, blob, split, file_properties, width, height, complete`) and of an
instance, see `_columns`; a file without instances has one row without a `type`. `path`, `label`, `type` and, but for
tags, `geometry` are needed to read a table, columns that mean nothing to us go to the properties under `arrow`, and the
rows of one file may be scattered. Our classes stand in the schema's metadata. Pictures lie below the folder of the
file. The file is written unpacked, so that it can be mapped into memory, in batches of some thousand files.

Needs pyarrow (the extra `parquet`). Source: Apache Arrow, "IPC File Format".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from tdvc.errors import FormatError
from tdvc.formats import _arrow, _columns, _whole
from tdvc.formats._carry import is_text
from tdvc.formats._folder import ignore, is_file, listing, shortened, unreadable_source
from tdvc.formats._lookup import clean_name, find_picture, grouped, scattered
from tdvc.formats._shards import annotation_bytes, groups
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions, WrittenFile
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.problems import Problem, Report
from tdvc.names import printable

NAME = "arrow"
TITLE = "Arrow table of instances"
LOSES: tuple[str, ...] = ()
TYPES = frozenset(SPATIAL_TYPES)
KEEPS = frozenset(FIELDS)

FILE_NAME = "instances.arrow"
_MAGIC = b"ARROW1"
_SUFFIXES = (".arrow", ".feather")
_NEEDED = ("path", "label", "type")
_BATCH_FILES = 4096
_BATCH_BYTES = 64 << 20


def detect(source: Path) -> bool:
    """Whether it is an Arrow file, or a folder with one."""
    if not source.is_dir():
        return source.suffix.lower() in _SUFFIXES and _is_arrow(source)
    try:
        return any(_is_arrow(source / name) for name in _files(source))
    except FormatError:
        return False


def _files(folder: Path) -> list[str]:
    return [name for name in listing(folder, "", ignore)[0] if name.lower().endswith(_SUFFIXES)]


def _is_arrow(path: Path) -> bool:
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes, then the files in the order of their first rows; those with scattered rows at the end.

    Raises:
        FormatError: bad-format-file, where it is not one table of instances; library-missing.
    """
    path = source
    if source.is_dir():
        files = [name for name in _files(source) if _is_arrow(source / name)]
        if len(files) != 1:
            message = f"{printable(str(source))} holds {len(files)} Arrow files where one is expected."
            raise FormatError("bad-format-file", message, source=str(source))
        path = source / files[0]
    try:
        with path.open("rb") as file:
            yield from _read(file, path.name, options.images or path.parent, report)
    except UnicodeDecodeError as error:  # in the name of a column
        raise _arrow.damaged(path.name, error) from error
    except OSError as error:
        raise unreadable_source(path, error) from error


def _read(file: BinaryIO, name: str, root: Path, report: Report) -> Iterator[FileRecord | LabelRecord]:
    arrow = _arrow.library()
    file_bytes = os.fstat(file.fileno()).st_size
    try:
        table = _arrow.library("pyarrow.ipc").open_file(file)
        schema, count = table.schema, table.num_record_batches
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _arrow.damaged(name, error) from error
    if missing := [column for column in _NEEDED if schema.get_field_index(column) < 0]:
        message = f"{printable(name)} has no column {' and no '.join(map(shortened, missing))}."
        raise FormatError("bad-format-file", message, source=name)
    columns = _arrow.readable_columns(schema, "", printable(name), report)
    yield from _columns.labels_in(schema)

    def batches(of: list[str]) -> Iterator[dict[str, Any]]:
        return _arrow.rows((table.get_batch(number).select(of) for number in range(count)), name, file_bytes)

    held = scattered(_path_of(row) for row in batches(["path"]))
    numbered = ((_path_of(row), (number, row)) for number, row in enumerate(batches(columns)))
    taken: set[str] = set()
    for path, rows in grouped(numbered, held):
        record = _record(root, name, path, rows, taken, report)
        if record is not None:
            taken.add(record.path)
            yield record


def _path_of(row: dict[str, Any]) -> str:
    return row["path"] if is_text(row["path"]) else ""


def _record(
    root: Path, name: str, path: str, rows: list[tuple[int, dict[str, Any]]], taken: set[str], report: Report
) -> FileRecord | None:
    """The file of its rows; None, reported, where it can't be taken."""
    number, first = rows[0]
    place_ = f"{printable(name)}:{number}"
    described = [row for _, row in rows if row["type"] is not None or row["label"] is not None]
    found = find_picture(root, clean_name(path), ("",))
    refusal = found.refusal or (("duplicate-path", "is described by other rows") if found.path in taken else None)
    try:
        fields = _columns.file_cells(first)
    except ValueError as error:
        refusal, fields = ("record-unreadable", str(error)), {}
    if refusal:
        message = f"The file {shortened(path)} {refusal[1]}."
        report(Problem(refusal[0], place_, message, dropped_files=1, dropped_instances=len(described)))
        return None
    fields["instances"] = [_instance(row) for row in described]
    return _whole.record_from(fields, NAME, place_, report, path=found.path, source=found.source)


def _instance(row: dict[str, Any]) -> dict[str, Any] | ValueError:
    """The fields of an instance; what other columns say is put to its properties."""
    fields = _columns.instance_cells(row)
    unknown = {name: value for name, value in row.items() if name not in _columns.NAMES and value is not None}
    if not unknown or isinstance(fields, ValueError):
        return fields
    properties = fields.get("properties", {})
    return fields | {"properties": {**properties, NAME: unknown}} if isinstance(properties, dict) else fields


def place(record: FileRecord) -> str:
    """Pictures keep their path, below their split."""
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One table, some thousand files in memory at a time; nothing is lost.

    Raises:
        FormatError: library-missing.
    """
    del report
    arrow = _arrow.library()
    fields = [*_columns.file_fields(), *_columns.instance_fields()]
    schema = arrow.schema(fields, metadata=_columns.labels_metadata(labels))
    yield WrittenFile(FILE_NAME, _pieces(records, schema))


def _pieces(records: Iterable[FileRecord], schema: Any) -> Iterator[bytes]:
    sink = _arrow.Sink()
    with _arrow.library("pyarrow.ipc").new_file(sink, schema) as writer:
        for batch in groups(records, annotation_bytes, _BATCH_FILES, _BATCH_BYTES):
            rows = [row for record in batch for row in _rows(record)]
            writer.write_batch(_arrow.library().RecordBatch.from_pylist(rows, schema))
            yield from sink.drained()
    yield from sink.drained()


def _rows(record: FileRecord) -> Iterator[dict[str, Any]]:
    """A row for each instance, or one for a file without."""
    about = _columns.file_row(_whole.fields_of_file(record)) | {"path": place(record)}
    if not record.instances:
        yield about
    for instance in record.instances:
        yield about | _columns.instance_row(instance)
