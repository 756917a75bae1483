"""CSV: a table of boxes, one a row, with a header.

The header says what the columns are, never their order; the columns of TensorFlow tables (`filename, width, height,
class, xmin, ymin, xmax, ymax`), of Open Images and of their many relatives are known, others are named by the user.
A source is one table, or a folder with tables and pictures. A row without a box is a tag, one without a label says that
the picture is there. Rows of one picture need not stand together: a first pass finds those that do not, and only they
are held in memory.

Coordinates stay as spelled; `x + width` is exact. Fractions of the picture (Open Images, or where the user says so)
become pixels, rounded to a millionth, from which they can be computed again. Columns that mean nothing to us go to the
properties under `csv` and become columns again.

What we write opens in a spreadsheet without running anything: text that could pass for a formula gets a `'` in
front, which we take away again from tables of our own. Files without an instance get a row of their own.

Source: the formats of Open Images V7 (https://storage.googleapis.com/openimages/web/download_v7.html).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _decimal
from tdvc.formats._csv_writer import place, write
from tdvc.formats._folder import (
    SPLIT_NAMES,
    ignore,
    is_picture,
    listing,
    read_bytes,
    report_rest,
    shortened,
    unreadable_source,
    walk,
)
from tdvc.formats._json import parse_strictly
from tdvc.formats._lookup import Found, clean_name, find_picture, grouped, scattered, split_of, stem_of
from tdvc.formats._pictures import size_of
from tdvc.formats._tables import (
    CORNERS,
    MAX_HEADER_LENGTH,
    SUFFIXES,
    Columns,
    is_annotation_table,
    open_table,
    rows,
    sniffed,
    typed,
    unguarded,
)
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

NAME = "csv"
TITLE = "CSV table of boxes, Open Images"
LOSES: tuple[str, ...] = (
    "geometries other than upright boxes",
    "properties of files other than splits",
    "completeness marks",
    "file ids",
    "class lists",
)
TYPES = frozenset({"box", "tag"})
KEEPS = frozenset(FIELDS) - {"complete", "file-properties", "file_id"}

_CLASS_NAMES = re.compile(r"(.*[-_])?class-descriptions.*\.csv", re.IGNORECASE)
_MAX_CLASS_NAMES_BYTES = 64 << 20
_OTHERS_FOLDERS = frozenset(("annotations", "labels"))
_OTHERS_SUFFIXES = frozenset((".json", ".jsonl", ".xml", ".yaml", ".yml"))
_HF_NAME = "metadata.csv"
_FLAGS = frozenset(("isoccluded", "istruncated", "isgroupof", "isdepiction", "isinside"))
_DEFAULT_LABEL = "object"


def detect(source: Path) -> bool:
    """Whether it is a table of labelled pictures, or a folder of such with no other tool's annotation files."""
    if not source.is_dir():
        return source.name.lower() != _HF_NAME and is_annotation_table(source)
    try:
        files, folders = listing(source, "", ignore)
    except FormatError:
        return False
    if any(name.lower() in _OTHERS_FOLDERS for name in folders):
        return False
    if any(Path(name).suffix.lower() in _OTHERS_SUFFIXES or name.lower() == _HF_NAME for name in files):
        return False
    return any(is_annotation_table(source / name) for name in files)


@dataclass(frozen=True, slots=True)
class _Table:
    """One table, its name relative to the source."""

    path: Path
    name: str
    columns: Columns
    delimiter: str
    split: str


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a table, as text."""

    table: _Table
    line: int
    cells: list[str]

    def cell(self, word: str) -> str:
        """The cell of one of our words; empty where the table has no such column."""
        position = self.table.columns.places.get(word)
        if position is None:
            return ""
        text = self.cells[position]
        return unguarded(text) if self.table.columns.own else text

    @property
    def place(self) -> str:
        """The table and the line."""
        return printable(f"{self.table.name}:{self.line}")


@dataclass(slots=True)
class _Source:
    """What is read together.

    Attributes:
        root: the folder that no name may lead out of.
        tables: in the order of their names.
        classes: Open Images' ids to labels.
        passed_over: places of pictures that are reported and counted already.
        taken: paths that are yielded.
    """

    root: Path
    tables: list[_Table]
    report: Report
    relative: bool | None
    classes: Mapping[str, str] = field(default_factory=dict)
    passed_over: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    def refuse(self, code: str, row: _Row, message: str, files: int, instances: int) -> None:
        """Report something that is left out."""
        self.report(Problem(code, row.place, message, dropped_files=files, dropped_instances=instances))


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes, the pictures of the tables, and for a folder the pictures that no row names.

    Raises:
        FormatError: bad-format-file, where a table can't be understood.
    """
    is_folder = source.is_dir()
    folder = source if is_folder else source.parent
    names = listing(folder, "", ignore)[0]
    own = [name for name in names if _is_table(folder / name, options.columns)] if is_folder else [source.name]
    own = own or [name for name in names if Path(name).suffix.lower() in SUFFIXES]  # to say what is wrong with them
    tables = [_table(folder, name, options, len(own) > 1, report) for name in own]
    if not tables:
        raise FormatError("bad-format-file", f"{printable(str(source))} has no table in it.", source=str(source))
    labels = list(_class_names(folder, names, tables, report))
    yield from labels
    classes = {str(label.fields["LabelName"]): label.key for label in labels}
    whole = _Source(options.images or folder, tables, report, options.relative, classes)
    pictures, rest = _beside(whole) if is_folder and options.images is None else ([], [])
    yield from _records(whole)
    for path in pictures:
        if path not in whole.taken:
            yield FileRecord(path, whole.root / path, [])
    report_rest((path for path in rest if path not in own and not _CLASS_NAMES.fullmatch(path)), report)


def _is_table(path: Path, chosen: Mapping[str, str]) -> bool:
    return not _CLASS_NAMES.fullmatch(path.name) and is_annotation_table(path, chosen)


def _table(folder: Path, name: str, options: ReadOptions, is_one_of_many: bool, report: Report) -> _Table:
    path = folder / name
    split = split_of(stem_of(name), SPLIT_NAMES) if is_one_of_many else ""
    try:
        with open_table(path) as file:
            table = _Table(path, name, *sniffed(file, options.columns), split)
            could_be_fractions = _check_rows(table, file)
    except OSError as error:
        raise unreadable_source(path, error) from error
    except UnicodeDecodeError as error:
        raise _refused(name, f"is not UTF-8: {error.reason} at byte {error.start}") from error
    except ValueError as error:
        raise _refused(name, str(error)) from error
    if could_be_fractions and options.relative is None and not table.columns.open_images:
        message = "Every coordinate lies between 0 and 1 and is taken for pixels; fractions need --relative."
        report(Problem("coordinates-doubtful", printable(name), message, severity="warning"))
    return table


def _check_rows(table: _Table, file: TextIO) -> bool:
    """Read the whole table once, so that what can't be decoded is known; whether all boxes lie within 0 and 1."""
    places = [table.columns.places[word] for word in table.columns.box]
    small, any_box = bool(places), False
    for _, cells, _ in rows(file, table.delimiter):
        if small and not isinstance(cells, str) and len(cells) > max(places):
            found = [_decimal.number(cells[place_].strip()) for place_ in places if cells[place_]]
            small = all(value is None or 0 <= float(value) <= 1 for value in found)
            any_box = any_box or any(value is not None and "." in value for value in found)
    return small and any_box


def _refused(name: str, reason: str) -> FormatError:
    hint = "Say which columns they are: a table [columns] in a file for --map."
    return FormatError("bad-format-file", f"The table {printable(name)} {reason}.", hint=hint, source=name)


def _class_names(folder: Path, names: list[str], tables: list[_Table], report: Report) -> Iterator[LabelRecord]:
    """The classes of Open Images, if a list of their names lies there: id and name on every line."""
    if not any(table.columns.open_images for table in tables):
        return
    taken: set[str] = set()
    for name in (name for name in names if _CLASS_NAMES.fullmatch(name)):
        try:
            lines = read_bytes(folder / name, _MAX_CLASS_NAMES_BYTES).decode("utf-8-sig").splitlines()
            pairs = [cells for cells in csv.reader(lines, strict=True) if len(cells) == 2]
        except (OSError, ValueError, csv.Error) as error:
            report(Problem("record-unreadable", printable(name), f"The list of classes can't be read: {error}."))
            continue
        for identity, title in pairs:
            key = identity if title in taken else title
            if identity.startswith("/") and key and key not in taken:
                yield LabelRecord(key, title, len(taken), {"LabelName": identity})
                taken.add(key)


def _beside(whole: _Source) -> tuple[list[str], list[str]]:
    """The pictures below the root, and the other files there."""

    def report_and_note(problem: Problem) -> None:
        if problem.dropped_files:
            whole.passed_over.add(problem.place)
        whole.report(problem)

    pictures: list[str] = []
    rest: list[str] = []
    for path in walk(whole.root, report_and_note):
        (pictures if is_picture(path) else rest).append(path)
    return pictures, rest


def _records(whole: _Source) -> Iterator[FileRecord]:
    held = scattered(name for name, _ in _rows(whole, ignore))
    for name, found in grouped(_rows(whole, whole.report), held):
        record = _record(whole, name, found)
        if record is not None:
            whole.taken.add(record.path)
            yield record


def _rows(whole: _Source, report: Report) -> Iterator[tuple[str, _Row]]:
    """Every good row of every table, by the name of its picture; the others reported."""
    for table in whole.tables:
        width = len(table.columns.header)
        with open_table(table.path) as file:
            file.readline(MAX_HEADER_LENGTH)
            for line, cells, taken_lines in rows(file, table.delimiter):
                if isinstance(cells, str) or len(cells) < width or any(cells[width:]):
                    what = cells if isinstance(cells, str) else f"it has {len(cells)} cells, the header {width}"
                    place_ = printable(f"{table.name}:{line}")
                    message = f"The row can't be read: {what}."
                    report(Problem("record-unreadable", place_, message, dropped_instances=taken_lines))
                    continue
                row = _Row(table, line, cells)
                yield row.cell("path") if table.columns.own else clean_name(row.cell("path")), row


def _record(whole: _Source, name: str, found: list[_Row]) -> FileRecord | None:
    row = found[0]
    picture = find_picture(whole.root, name, _folders(found))
    if picture.source is None and not picture.refusal and row.table.columns.open_images and not is_picture(name):
        picture = picture._replace(path=f"{name}.jpg")
    described = sum(1 for row in found if _describes(row))
    if picture.refusal:
        files = 0 if printable(picture.path) in whole.passed_over else 1
        whole.refuse(picture.refusal[0], row, f"The picture {shortened(name)} {picture.refusal[1]}.", files, described)
        return None
    if picture.path in whole.taken:
        message = f"Rows under another name have described {shortened(picture.path)}."
        whole.refuse("duplicate-path", row, message, 0, described)
        return None
    reader = _Reader(whole, picture, _size_said(found))
    splits = sorted({split for row in found if (split := row.cell("split") or row.table.split)})
    properties = {"splits": splits} if splits else {}
    return FileRecord(picture.path, picture.source, reader.instances(found), properties, size=reader.size)


def _folders(found: list[_Row]) -> list[str]:
    split = found[0].table.split
    inner = [f"{split}/", f"images/{split}/"] if split else []
    return [*inner, "", "images/", "JPEGImages/"]


def _describes(row: _Row) -> bool:
    """Whether a row says more than that the picture is there."""
    return bool(row.cell("label")) or any(row.cell(word) for word in row.table.columns.box)


def _size_said(found: list[_Row]) -> tuple[int, int] | None:
    sides = [found[0].cell("image_width"), found[0].cell("image_height")]
    if not all(side.isascii() and side.isdigit() and 0 < len(side) < 10 and int(side) for side in sides):
        return None
    return int(sides[0]), int(sides[1])


class _Reader:
    """Reads the rows of one picture."""

    def __init__(self, whole: _Source, picture: Found, size: tuple[int, int] | None) -> None:
        self._whole = whole
        self._picture = picture
        self.size = size
        self._true_size: tuple[int, int] | None = None

    def instances(self, found: list[_Row]) -> list[Instance]:
        """What the rows describe; the rest reported."""
        taken: dict[str, Instance] = {}
        for position, row in enumerate(row for row in found if _describes(row)):
            try:
                instance = self._instance(row, position)
            except (SchemaError, ValueError) as error:
                reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
                self._whole.refuse("instance-invalid", row, f"The row {reason}.", 0, 1)
                continue
            if instance.instance_id in taken:
                message = f"The id {instance.instance_id} is used twice for this picture."
                self._whole.refuse("duplicate-instance", row, message, 0, 1)
                continue
            taken[instance.instance_id] = instance
        return list(taken.values())

    def _instance(self, row: _Row, position: int) -> Instance:
        label = row.cell("label") or _DEFAULT_LABEL
        corners = self._corners(row)
        fields: dict[str, Any] = {
            "instance_id": row.cell("instance_id") or derived_instance_id(NAME, self._picture.path, str(position)),
            "label": self._whole.classes.get(label, label),
            "type": "box" if corners else "tag",
            "geometry": corners,
            "score": _number(row, "score") if row.cell("score") else None,
            "frame": _number(row, "frame") if row.cell("frame") else None,
            "sequence": row.cell("sequence") or None,
            "source": row.cell("source") or None,
        }
        fields["properties"], fields["attributes"] = _object(row, "properties"), _object(row, "attributes")
        unknown = {column: typed(text) for column, text in _unknown(row)}
        fields["attributes"] |= {column: unknown.pop(column) for column in list(unknown) if column.lower() in _FLAGS}
        if unknown:
            former = fields["properties"].get(NAME)
            fields["properties"][NAME] = former | unknown if isinstance(former, dict) else unknown
        return make_instance(fields)

    def _corners(self, row: _Row) -> list[Number] | None:
        words = row.table.columns.box
        if not any(row.cell(word) for word in words):
            return None
        found = [_number(row, word) for word in words]
        if words != CORNERS:
            found[2:] = [_decimal.add(found[0], found[2]), _decimal.add(found[1], found[3])]
        relative = self._whole.relative
        if row.table.columns.open_images if relative is None else relative:
            sides = self._sides()
            return [_decimal.scaled(value, sides[position % 2]) for position, value in enumerate(found)]
        return found

    def _sides(self) -> tuple[int, int]:
        """The picture's true size, or the one the table says."""
        if self._true_size is None and self._picture.source is not None:
            self._true_size = size_of(self._picture.source)
        self.size = self._true_size or self.size
        if self.size is None:
            raise ValueError("has fractions of a picture whose size is not known")
        return self.size


def _number(row: _Row, word: str) -> Number:
    text = row.cell(word).strip()
    number = _decimal.number(text)
    if number is None:
        column = row.table.columns.header[row.table.columns.places[word]]
        raise ValueError(f"has a {shortened(column)} that is not a number: {shortened(text)}")
    return number


def _object(row: _Row, word: str) -> dict[str, Any]:
    """The JSON object in a cell of a table of our own."""
    text = row.cell(word)
    value = parse_strictly(text.encode()) if text else {}
    if not isinstance(value, dict):
        raise ValueError(f"has {word} that are not a JSON object")
    return value


def _unknown(row: _Row) -> Iterator[tuple[str, str]]:
    own = row.table.columns.own
    for position, column in row.table.columns.rest:
        text = row.cells[position]
        if text:
            yield column, unguarded(text) if own else text
