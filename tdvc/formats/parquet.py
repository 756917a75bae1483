"""Parquet with the pictures inside, as Hugging Face data sets are: one row a file.

    image        struct<bytes, path>
    instances    list<struct<instance_id, label, type, geometry, ...>>, see `_columns`
    path, file_id, blob, split, file_properties, width, height, complete

`blob` is the SHA-256 of the picture; where the pictures do not go along, `image.bytes` is null and this says which they
are. The features stand in the schema's metadata under `huggingface`, so that the library `datasets` shows the pictures,
and our classes under `tdvc`. Tables without our `instances` are read as `_hf` understands rows: class numbers get their
names from the features. A picture without bytes is looked for below the source under its path.

Files are cut into shards of 256 MiB, `data/train-00000.parquet`, and those into row groups of a thousand files or 32
MiB, whichever comes first: what an engine holds of a table at a time. A picture of more than 256 MiB lies outside.

Needs pyarrow (the extra `parquet`). Source: huggingface/datasets, `features/image.py`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tdvc.errors import FormatError
from tdvc.formats import _arrow, _columns, _hf, _whole
from tdvc.formats._carry import is_text, split_in
from tdvc.formats._folder import SPLIT_NAMES, ignore, is_file, listing, shortened, unreadable_source
from tdvc.formats._lookup import clean_name, find_picture, split_of, stem_of
from tdvc.formats._shards import SHARD_BYTES, groups, is_inside, picture_bytes, shards, whole_bytes
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions, WrittenFile
from tdvc.model import numbers
from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.media import HEAD_BYTES, media_type
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable

Item = TypeVar("Item")

NAME = "parquet"
TITLE = "Parquet with pictures, Hugging Face"
LOSES: tuple[str, ...] = ()
TYPES = frozenset(SPATIAL_TYPES)
KEEPS = frozenset(FIELDS)

_FOOTER_BYTES = 1 << 22
_HF_NAME = "metadata.parquet"
_DATA = "data"
_MAGIC = b"PAR1"
_GROUP_BYTES = 32 << 20
_GROUP_ROWS = 1000
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "image/gif": ".gif", "image/bmp": ".bmp"}


def detect(source: Path) -> bool:
    """Whether it is a Parquet file with pictures or instances in it, or a folder of such."""
    if not source.is_dir():
        return source.name != _HF_NAME and source.suffix.lower() == ".parquet" and _has_pictures(source)
    try:
        files = _files(source)
    except FormatError:
        return False
    return bool(files) and _has_pictures(source / files[0])


def _files(folder: Path) -> list[str]:
    files, folders = listing(folder, "", ignore)
    found = files + (listing(folder, _DATA, ignore)[0] if _DATA in folders else [])
    return [path for path in found if path.endswith(".parquet") and posixpath.basename(path) != _HF_NAME]


def _has_pictures(path: Path) -> bool:
    """Whether the footer, where the schema stands, speaks of pictures; told without a library."""
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            begins = file.read(4) == _MAGIC
            file.seek(max(0, path.stat().st_size - _FOOTER_BYTES))
            footer = file.read()
    except OSError:
        return False
    speaks = b"instances" in footer or (b"bytes" in footer and b"path" in footer)
    return begins and footer.endswith(_MAGIC) and speaks


@dataclass(slots=True)
class _Source:
    """What is read together: `root` is the folder that no name may lead out of."""

    root: Path
    report: Report
    taken: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Table:
    """One open table.

    Attributes:
        name: relative to the source.
        split: that its name begins with.
        picture: the column with the pictures; empty for none.
        ours: it has our instances.
        names: of classes that are numbers.
    """

    name: str
    split: str
    picture: str
    ours: bool
    names: dict[str, list[str]]


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes, then the files in the order of the tables' names and rows.

    Raises:
        FormatError: bad-format-file, where there is no table or one is damaged; library-missing.
    """
    folder = source if source.is_dir() else source.parent
    files = _files(source) if source.is_dir() else [source.name]
    if not files:
        raise FormatError("bad-format-file", f"{printable(str(source))} holds no Parquet file.", source=str(source))
    labels: dict[str, LabelRecord] = {}
    for name in files:
        for label in _with_table(folder, name, _labels):
            labels.setdefault(label.key, label)
    yield from labels.values()
    whole = _Source(options.images or folder, report)
    for name in files:
        yield from _with_table(folder, name, lambda opened, name: _records(whole, opened, name))


def _with_table(folder: Path, name: str, use: Callable[[Any, str], Iterable[Item]]) -> Iterator[Item]:
    try:
        with (folder / name).open("rb") as file:
            yield from use(_arrow.parquet_file(file, name), name)
    except UnicodeDecodeError as error:  # in the name of a column
        raise _arrow.damaged(name, error) from error
    except OSError as error:
        raise unreadable_source(folder / name, error) from error


def _labels(opened: Any, name: str) -> list[LabelRecord]:
    """Our classes, or those that the features number."""
    del name
    found = _columns.labels_in(opened.schema_arrow)
    names = _hf.names_in(_arrow.features_of(opened.schema_arrow))
    unique = dict.fromkeys(name for listed in names.values() for name in listed if name)
    return found or [LabelRecord(name, name, index) for index, name in enumerate(unique)]


def _records(whole: _Source, opened: Any, name: str) -> Iterator[FileRecord]:
    schema = opened.schema_arrow
    features = _arrow.features_of(schema)
    split = split_of(stem_of(name), SPLIT_NAMES)
    table = _Table(name, split, _picture_column(schema, features), _is_ours(schema), _hf.names_in(features))
    columns = _arrow.readable_columns(schema, table.picture, printable(name), whole.report)
    for number, row in enumerate(_arrow.parquet_rows(opened, name, columns)):
        record = _record(whole, table, number, row)
        if record is not None:
            whole.taken.add(record.path)
            yield record


def _is_ours(schema: Any) -> bool:
    if not _has(schema, "instances") or not _has(schema, "path"):
        return False
    kind = schema.field("instances").type
    types = _arrow.library().types
    return bool(types.is_list(kind) and types.is_struct(kind.value_type) and _has(kind.value_type, "type"))


def _has(fields: Any, name: str) -> bool:
    return bool(fields.get_field_index(name) >= 0)


def _picture_column(schema: Any, features: Any) -> str:
    """The column that the features call a picture, else the first struct of bytes and a path, else none."""
    described = features if isinstance(features, dict) else {}
    types = _arrow.library().types
    for column in schema:
        said = described.get(column.name)
        is_pair = types.is_struct(column.type) and {part.name for part in column.type} >= {"bytes", "path"}
        if is_pair and (not described or (isinstance(said, dict) and said.get("_type") == "Image")):
            return str(column.name)
    return ""


def _record(whole: _Source, table: _Table, number: int, row: dict[str, Any]) -> FileRecord | None:
    """The file of a row; None, reported, where it can't be taken."""
    place_ = f"{printable(table.name)}:{number}"
    picture = row.pop(table.picture, None) or {}
    content = picture.get("bytes")
    try:
        fields = _our_fields(row) if table.ours else row
        where = _where(whole, table, number, fields, picture)
    except ValueError as error:
        _refuse(whole, table, place_, f"The row {error}.", row)
        return None
    split = split_in(fields) or table.split
    if table.ours:
        return _whole.record_from(fields, NAME, place_, whole.report, split=split, **where)
    described = _hf.Row(row, NAME, where["path"], place_, table.names)
    return _hf.record_of(described, whole.report, split=split, source=where.get("source"), content=content)


def _our_fields(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row of ours. Raises ValueError, with the end of a sentence."""
    cells = _columns.file_cells(row)
    if not is_text(cells.get("path")):
        raise ValueError("has no path")
    return cells | {"instances": [_columns.instance_cells(item or {}) for item in row["instances"] or ()]}


def _where(
    whole: _Source, table: _Table, number: int, fields: dict[str, Any], picture: dict[str, Any]
) -> dict[str, Any]:
    """Path, and source or content. Raises ValueError, with the end of a sentence."""
    content = picture.get("bytes")
    split = split_in(fields)
    inner = clean_name(picture["path"]) if is_text(picture.get("path")) else ""
    if content is not None and path_problem(inner):
        inner = ""  # somebody's own folder; the bytes are here
    path = fields["path"] if table.ours else inner or _made_up(table, number, content)
    if problem := path_problem(path):
        raise ValueError(f"names the picture {shortened(path)}, which {problem}")
    where: dict[str, Any] = {"path": path, "content": content}
    if content is None:
        found = find_picture(whole.root, inner or path)
        if found.refusal:
            raise ValueError(f"names the picture {shortened(inner or path)}, which {found.refusal[1]}")
        where = {"path": found.path if found.source else path, "source": found.source}
    elif path in whole.taken:
        where["path"] = f"{split or stem_of(table.name)}/{path}"  # two splits may have a picture of one name
    if where["path"] in whole.taken or path_problem(where["path"]):
        raise ValueError(f"names the picture {shortened(path)}, which an earlier row describes")
    return where


def _made_up(table: _Table, number: int, content: bytes | None) -> str:
    """A path for a picture that has none: the table, the row, and the suffix that its bytes call for."""
    kind = media_type((content or b"")[:HEAD_BYTES], "")
    return f"{stem_of(table.name)}/{number:06d}{_SUFFIXES.get(kind, '')}"


def _refuse(whole: _Source, table: _Table, place_: str, message: str, row: dict[str, Any]) -> None:
    lost: list[Problem] = []
    if table.ours:
        count = len(row["instances"] or ())
    else:
        found = _hf.instances_of(_hf.Row(row, NAME, "", ""), lost.append)
        count = len(found) + sum(problem.dropped_instances for problem in lost)
    whole.report(Problem("record-unreadable", place_, message, dropped_files=1, dropped_instances=count))


def place(record: FileRecord) -> str:
    """In the table where its bytes are at hand, else below its split."""
    return "" if is_inside(record) else _outside(record)


def _outside(record: FileRecord) -> str:
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """Shards, one after the other; nothing is lost. Pictures on disk are read when their shard is.

    Raises:
        FormatError: library-missing.
    """
    return write_shards(records, labels, report, SHARD_BYTES)


def write_shards(
    records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report, shard_bytes: int
) -> Iterator[WrittenFile]:
    """As `write`. Without a file there is one table without a row, so that a reader finds the columns."""
    del report
    schema = _schema(labels)
    empty = True
    for shard in shards(records, shard_bytes):
        empty = False
        yield WrittenFile(f"{_DATA}/{shard.stem}.parquet", _pieces(shard.records, schema))
    if empty:
        yield WrittenFile(f"{_DATA}/data-00000.parquet", _pieces((), schema))


def _schema(labels: Sequence[LabelRecord]) -> Any:
    arrow = _arrow.library()
    picture = arrow.field("image", arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())]))
    instances = arrow.field("instances", arrow.list_(arrow.struct(_columns.instance_fields())))
    fields = [picture, instances, *_columns.file_fields()]
    features = {column.name: _feature(column.type) for column in fields[1:]} | {"image": {"_type": "Image"}}
    described = numbers.spell({"info": {"features": features}})
    return arrow.schema(fields, metadata={b"huggingface": described} | _columns.labels_metadata(labels))


def _feature(kind: Any) -> Any:
    """A type in the words of the library `datasets`."""
    types = _arrow.library().types
    if types.is_list(kind):
        return [_feature(kind.value_type)]
    if types.is_struct(kind):
        return {part.name: _feature(part.type) for part in kind}
    return {"dtype": "float64" if types.is_float64(kind) else str(kind), "_type": "Value"}


def _pieces(records: Iterable[FileRecord], schema: Any) -> Iterator[bytes]:
    """The bytes of one table, a group of rows in memory at a time."""
    sink = _arrow.Sink()
    text = [name for name in schema.names if name != "image"]
    writer = _arrow.library("pyarrow.parquet").ParquetWriter(sink, schema, compression="zstd", use_dictionary=text)
    for group in groups(records, whole_bytes, _GROUP_ROWS, _GROUP_BYTES):
        writer.write_table(_arrow.library().Table.from_pylist([_row(record) for record in group], schema))
        yield from sink.drained()
    writer.close()
    yield from sink.drained()


def _row(record: FileRecord) -> dict[str, Any]:
    fields = _whole.fields_of_file(record)
    picture = {"bytes": picture_bytes(record), "path": _outside(record)}
    instances = [_columns.instance_row(instance) for instance in record.instances]
    return _columns.file_row(fields) | {"image": picture, "instances": instances}
