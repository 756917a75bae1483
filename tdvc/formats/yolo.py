"""YOLO: a text file a picture, a row an object; detection, segmentation, pose and turned boxes.

A source is a folder with pictures and labels, described by `data.yaml`, `obj.data` or a list of names, or that
description itself. What a row means is in `_yolo_rows`, what a description says in `_yolo_description`, where things
lie in `_yolo_source`.

A picture without a label file says nothing of its objects; an empty label file says that there are none, so the file
is complete. A row with a class that has no name is left out and reported, as a trainer would leave out the whole
picture without a word.

What is written is `images/`, `labels/` and `data.yaml`: see `_yolo_writer`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tdvc.errors import FormatError, SchemaError
from tdvc.formats._folder import ignore, is_file, read_bytes, report_rest, shortened, walk
from tdvc.formats._pictures import size_of
from tdvc.formats._yolo_description import (
    NAME_LISTS,
    Description,
    describes,
    description_in,
    read_description,
)
from tdvc.formats._yolo_rows import FORMAT, Size, Task, parse
from tdvc.formats._yolo_source import Source, Splits, look_into, task_of
from tdvc.formats._yolo_writer import place, preparing, write
from tdvc.formats.base import NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "preparing", "read", "write"]

NAME = FORMAT
TITLE = "YOLO"
LOSES: tuple[str, ...] = (
    "geometries other than boxes, polygons and keypoints",
    "second parts and holes of polygons",
    "attributes",
    "scores",
    "video frames and sequences",
    "instance and file ids",
    "completeness marks of files with instances",
    "properties other than splits",
    "digits of coordinates beyond a millionth of a pixel",
)
TYPES = frozenset({"box", "keypoints", "polygon"})
KEEPS = frozenset({"empty-files", "splits"})

MAX_LABEL_BYTES = 64 << 20
_SNIFFED_FILES = 8
_UNIT: Size = (1, 1)


def detect(source: Path) -> bool:
    """Whether it is described as a data set of YOLO, or holds rows of numbers under `labels` or beside names."""
    if not source.is_dir():
        is_yaml = source.suffix.lower() in (".yaml", ".yml") and is_file(source)
        return is_yaml and describes(source.parent, source.name)
    if description_in(source):
        return True
    named = any(is_file(source / name) for name in NAME_LISTS)
    if not named and not (source / "labels").is_dir():
        return False
    try:
        return _looks_like_rows(source)
    except FormatError:
        return False


def _looks_like_rows(source: Path) -> bool:
    """Whether the first label files hold rows of this format only, and at least one."""
    seen = 0
    for path in walk(source, ignore):
        if not path.lower().endswith(".txt") or path in NAME_LISTS:
            continue
        try:
            rows = _rows(source / path)
            for _, columns in rows[:_SNIFFED_FILES]:
                parse(columns, _UNIT, Task())
        except (OSError, ValueError):
            return False
        seen += bool(rows)
        if seen == _SNIFFED_FILES:
            break
    return seen > 0


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes, then every picture sorted by folder and name.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed or its description can't be understood.
    """
    root = source if source.is_dir() else source.parent
    description = read_description(root, description_in(root) if source.is_dir() else source.name)
    found = look_into(root, options, report)
    for name in description.files:
        if name in found.texts:
            found.texts[name] = True
    splits = Splits(found, description, report)
    yield from _labels(description, report)
    labels = {picture: label for picture in found.pictures if (label := found.label_of(picture)) is not None}
    reader = _Reader(root, description, options, report, _task(root, description, labels.values()))
    for picture in found.pictures:
        label = labels.get(picture)
        if label is not None:
            found.texts[label] = True
        yield reader.record(found.picture_root, picture, label, splits.of(picture))
    reader.report_orphans(found)
    report_rest([name for name in found.rest if name not in (description.place, *description.files)], report)


def _labels(description: Description, report: Report) -> Iterator[LabelRecord]:
    """The classes by number."""
    place = printable(description.place or next(iter(description.files), "") or ".")
    if description.names is None:
        message = "Nothing names the classes, so their numbers are their labels."
        report(Problem("no-class", place, message, severity="warning"))
        return
    if description.unused:
        message = f"tdvc has no place for {', '.join(map(shortened, description.unused))}."
        report(Problem("skipped-other", place, message, severity="warning"))
    taken: set[str] = set()
    for number, name in sorted(description.names.items()):
        if name in taken:
            message = f"The class {number} has the name {shortened(name)} of another one; they become one label."
            report(Problem("duplicate-class", place, message, severity="warning"))
            continue
        taken.add(name)
        yield LabelRecord(name, name, number, {"id": Number(str(number)), **description.class_fields})


def _task(root: Path, description: Description, label_files: Iterable[str]) -> Task:
    def rows() -> Iterator[list[str]]:
        for label_file in label_files:
            try:
                yield from (columns for _, columns in _rows(root / label_file))
            except (OSError, ValueError):
                continue  # reported when it is read for its own sake

    return task_of(description, rows())


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines of a label file that are not blank, with their numbers from 1, cut into columns."""
    text = read_bytes(path, MAX_LABEL_BYTES).decode("utf-8-sig")
    lines = enumerate(text.splitlines(), 1)
    return [(number, columns) for number, line in lines if (columns := line.split())]


@dataclass(frozen=True, slots=True)
class _Reader:
    """What is needed to read one label file after the other."""

    root: Path
    description: Description
    options: ReadOptions
    report: Report
    task: Task

    def record(self, picture_root: Path, picture: str, label_file: str | None, splits: list[str]) -> FileRecord:
        """The record of a picture and its label file, if it has one."""
        record = FileRecord(picture, picture_root / picture, [], {"splits": splits} if splits else {})
        if label_file is None:
            return record
        rows = self._lines(label_file)
        if rows is None:
            return record
        relative = self.options.relative is not False
        size = size_of(picture_root / picture) if rows and relative else _UNIT
        if size is None:
            message = "The size of the picture can't be read, so the fractions in its labels mean nothing."
            self.report(Problem("picture-unreadable", printable(picture), message, dropped_instances=len(rows)))
            return record
        instances = list(self._instances(picture, label_file, rows, size))
        complete = None if rows else True
        known = size if rows and relative else None
        return FileRecord(picture, record.source, instances, record.properties, complete, size=known)

    def _lines(self, label_file: str) -> list[tuple[int, list[str]]] | None:
        """The rows of a label file; None, reported, where it can't be read."""
        try:
            return _rows(self.root / label_file)
        except OSError as error:
            self.report(
                Problem("unreadable", printable(label_file), f"The label file could not be read: {error.strerror}.")
            )
        except UnicodeDecodeError as error:
            message = f"The label file is not text at byte {error.start}."
            self.report(Problem("record-unreadable", printable(label_file), message))
        except ValueError as error:
            self.report(Problem("record-unreadable", printable(label_file), f"The label file {error}."))
        return None

    def _instances(
        self, picture: str, label_file: str, rows: Sequence[tuple[int, list[str]]], size: Size
    ) -> Iterator[Instance]:
        for position, (line, columns) in enumerate(rows):
            try:
                yield self._instance(picture, position, columns, size)
            except (SchemaError, ValueError, ArithmeticError) as error:
                reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
                where = f"{printable(label_file)}:{line}"
                problem = Problem("instance-invalid", where, f"The row {reason}.", str(position), dropped_instances=1)
                self.report(problem)

    def _instance(self, picture: str, position: int, columns: Sequence[str], size: Size) -> Instance:
        row = parse(columns, size, self.task, relative=self.options.relative is not False)
        names = self.description.names
        label = str(row.number) if names is None else names.get(row.number)
        if label is None:
            raise ValueError(f"has the class {row.number}, which has no name")
        return make_instance(
            {
                "instance_id": derived_instance_id(NAME, picture, str(position)),
                "label": label,
                "type": row.type,
                "geometry": row.geometry,
                "score": row.score,
                "sequence": None if row.sequence is None else str(row.sequence),
                "properties": {NAME: row.kept} if row.kept else {},
            }
        )

    def report_orphans(self, source: Source) -> None:
        """Label files without a picture, and text files that are none."""
        rest = []
        for label_file, is_used in source.texts.items():
            if is_used or label_file in NAME_LISTS:
                continue
            rows = self._orphan_rows(label_file)
            if rows is None:
                rest.append(label_file)
                continue
            known = label_file in source.passed_over
            message = "The label file has no picture, without which its fractions mean nothing."
            files, count = 0 if known else 1, len(rows)
            problem = Problem(
                "picture-missing", printable(label_file), message, dropped_files=files, dropped_instances=count
            )
            self.report(problem)
        report_rest(rest, self.report)

    def _orphan_rows(self, label_file: str) -> list[tuple[int, list[str]]] | None:
        """The rows of a file that looks like a label file."""
        try:
            rows = _rows(self.root / label_file)
            for _, columns in rows:
                parse(columns, _UNIT, self.task, relative=False)
        except (OSError, ValueError, ArithmeticError):
            return None
        return rows if rows or "labels" in label_file.split("/") else None
