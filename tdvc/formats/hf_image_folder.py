"""Hugging Face image folder: pictures, and beside them `metadata.jsonl` (or `.csv`, `.parquet`) with a row for each.

A row names its picture in `file_name`, relative to the file it stands in; `_hf` says what else rows hold. Where there
are such files, folders do not name labels. A top folder called like a split is one. All metadata of a source is of one
kind, as the library `datasets` demands. Pictures that no row names come without annotation.
"""

from __future__ import annotations

import csv
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from tdvc.errors import FormatError
from tdvc.formats import _arrow, _hf
from tdvc.formats._carry import is_text
from tdvc.formats._folder import (
    SPLIT_NAMES,
    ignore,
    is_file,
    is_picture,
    listing,
    picture_problem,
    report_rest,
    shortened,
    unreadable_source,
    walk,
)
from tdvc.formats._json import numbered_lines, parse_line
from tdvc.formats._lookup import clean_name, find_picture
from tdvc.formats._tables import MAX_HEADER_LENGTH, open_table, rows, typed
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable

NAME = "hf-image-folder"
TITLE = "Hugging Face image folder"
LOSES: tuple[str, ...] = ("geometries other than upright boxes", "class lists")
TYPES = frozenset({"box", "tag"})
KEEPS = frozenset(FIELDS)

FILE_NAME = "metadata.jsonl"
_KINDS = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
_DETECTED_DEPTH = 2
_SNIFFED_BYTES = 1 << 16


def detect(source: Path) -> bool:
    """Whether there is a metadata file that names pictures, at most two folders down."""
    if not source.is_dir():
        return source.name in _KINDS and _names_pictures(source)
    level = [""]
    for _depth in range(_DETECTED_DEPTH + 1):
        below: list[str] = []
        for folder in level:
            try:
                files, folders = listing(source, folder, ignore)
            except FormatError:
                continue
            if any(posixpath.basename(path) in _KINDS and _names_pictures(source / path) for path in files):
                return True
            below.extend(folders)
        level = below
    return False


def _names_pictures(path: Path) -> bool:
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            if path.suffix == ".parquet":
                return file.read(4) == b"PAR1"
            head = file.read(_SNIFFED_BYTES)
    except OSError:
        return False
    return b"file_name" in (head if path.suffix == ".jsonl" else head.partition(b"\n")[0])


@dataclass(slots=True)
class _Source:
    """What is read together: paths relative to `root`, which no name may lead out of."""

    root: Path
    images: Path | None
    report: Report
    metadata: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)

    def sort_in(self, path: str) -> None:
        """Put a file that was found where it belongs."""
        named = posixpath.basename(path) in _KINDS
        (self.metadata if named else self.pictures if is_picture(path) else self.rest).append(path)

    def note(self, problem: Problem) -> None:
        """Report, and remember pictures that are counted by it."""
        if problem.dropped_files:
            self.passed_over.add(problem.place)
        self.report(problem)


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the pictures that rows name, in their order, then the others.

    Raises:
        FormatError: bad-format-file, where there is no metadata, or of more than one kind.
    """
    whole = _Source(source if source.is_dir() else source.parent, options.images, report)
    if source.is_dir():
        for path in walk(source, whole.note):
            whole.sort_in(path)
    else:
        whole.metadata.append(source.name)
    kinds = sorted({posixpath.splitext(path)[1] for path in whole.metadata})
    if len(kinds) != 1:
        what = f"has metadata of several kinds: {', '.join(kinds)}" if kinds else "has no metadata file"
        raise FormatError("bad-format-file", f"{printable(str(source))} {what}.", source=str(source))
    for path in whole.metadata:
        yield from _records(whole, path)
    for path in whole.pictures if options.images is None else ():
        if path not in whole.taken:
            yield FileRecord(path, whole.root / path, [], _splits(path))
    report_rest(whole.rest, report)


def _splits(path: str) -> dict[str, Any]:
    top = _split(path)
    return {"splits": [top]} if top else {}


def _split(path: str) -> str:
    top = path.split("/")[0]
    return top if "/" in path and top.lower() in SPLIT_NAMES else ""


def _records(whole: _Source, metadata: str) -> Iterator[FileRecord]:
    """The pictures that one metadata file names."""
    for number, fields, names in _rows(whole, metadata):
        place_ = f"{printable(metadata)}:{number}"
        column = _name_column(fields)
        name = fields.get(column)
        if not is_text(name) or not name:
            message = "The row names no picture in 'file_name'."
            whole.report(
                Problem("record-unreadable", place_, message, dropped_files=1, dropped_instances=_count(fields))
            )
            continue
        found = _picture(whole, metadata, clean_name(name), place_, fields)
        if found is None:
            continue
        path, source = found
        whole.taken.add(path)
        row = _hf.Row(fields, NAME, path, place_, names, frozenset((column,)))
        yield _hf.record_of(row, whole.report, source=source, split=_split(path))


def _name_column(fields: dict[str, Any]) -> str:
    """The column with the picture's name: `file_name`, or the only one that ends like it."""
    others = [name for name in fields if name.endswith("_file_name")]
    return others[0] if "file_name" not in fields and len(others) == 1 else "file_name"


def _count(fields: dict[str, Any]) -> int:
    """How many instances a row that is left out has."""
    lost: list[Problem] = []
    return len(_hf.instances_of(_hf.Row(fields, NAME, "", ""), lost.append)) + sum(p.dropped_instances for p in lost)


def _picture(
    whole: _Source, metadata: str, name: str, place_: str, fields: dict[str, Any]
) -> tuple[str, Path | None] | None:
    """The path and the file of the picture that a row names; None, reported, where it can't be taken."""
    folder = posixpath.dirname(metadata)
    path, source = posixpath.join(folder, name), None
    problem = path_problem(name)
    refusal = ("unsafe-path", problem) if problem else None
    if refusal is None and whole.images is not None:
        found = find_picture(whole.images, name, ("", f"{folder}/") if folder else ("",))
        source, refusal = found.source, found.refusal
        path = found.path if source is not None else path
    elif refusal is None:
        refusal = picture_problem(whole.root, path)
        source = whole.root / path if refusal is None else None
        refusal = None if refusal and refusal[0] == "picture-missing" else refusal
    files = 0 if printable(path) in whole.passed_over else 1
    if refusal is None and path in whole.taken:
        refusal, files = ("duplicate-path", "is named by an earlier row"), 0
    if refusal is None:
        return path, source
    message = f"The picture {shortened(name)} {refusal[1]}."
    count = _count(fields)
    whole.report(Problem(refusal[0], place_, message, dropped_files=files, dropped_instances=count))
    return None


def _rows(whole: _Source, metadata: str) -> Iterator[tuple[int, dict[str, Any], dict[str, list[str]]]]:
    """The rows of a metadata file with their numbers from 1, and the names of its classes."""
    path = whole.root / metadata
    try:
        if metadata.endswith(".csv"):
            for number, fields in _csv_rows(whole, metadata, path):
                yield number, fields, {}
            return
        with path.open("rb") as file:
            if metadata.endswith(".jsonl"):
                for number, fields in _json_rows(whole, metadata, file):
                    yield number, fields, {}
                return
            opened = _arrow.parquet_file(file, metadata)
            names = _hf.names_in(_arrow.features_of(opened.schema_arrow))
            columns = _arrow.readable_columns(opened.schema_arrow, "", printable(metadata), whole.report)
            for number, fields in enumerate(_arrow.parquet_rows(opened, metadata, columns), 1):
                yield number, fields, names
    except UnicodeDecodeError as error:  # in the name of a column
        raise _arrow.damaged(metadata, error) from error
    except OSError as error:
        raise unreadable_source(path, error) from error


def _json_rows(whole: _Source, metadata: str, file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in numbered_lines(file):
        try:
            fields = parse_line(line)
            if not isinstance(fields, dict):
                raise ValueError("is not a JSON object")
        except ValueError as error:
            place_ = f"{printable(metadata)}:{number}"
            whole.report(Problem("record-unreadable", place_, f"The line {error}.", dropped_files=1))
            continue
        yield number, fields


def _csv_rows(whole: _Source, metadata: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with open_table(path) as file:
            header = next(csv.reader([file.readline(MAX_HEADER_LENGTH)], strict=True), [])
            for line, cells, _ in rows(file, ","):
                if isinstance(cells, str) or len(cells) != len(header):
                    what = cells if isinstance(cells, str) else f"it has {len(cells)} cells, the header {len(header)}"
                    place_ = f"{printable(metadata)}:{line}"
                    whole.report(
                        Problem("record-unreadable", place_, f"The row can't be read: {what}.", dropped_files=1)
                    )
                    continue
                yield line, {name: _cell(name, cell) for name, cell in zip(header, cells, strict=True) if cell}
    except (ValueError, csv.Error) as error:
        raise FormatError(
            "bad-format-file", f"{printable(metadata)} can't be read: {error}.", source=metadata
        ) from error


def _cell(name: str, text: str) -> Any:
    return text if name.endswith("file_name") else typed(text)


def place(record: FileRecord) -> str:
    """Pictures keep their path, below their split."""
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One `metadata.jsonl` in the folder of each split. The rows of all splits are held in memory as text."""
    del labels
    splits: dict[str, list[bytes]] = {}
    for record in records:
        fields = _hf.row_of(record, NAME, report) | {"file_name": record.path}
        splits.setdefault(record.split, []).append(numbers.spell(fields) + b"\n")
    for split, lines in splits.items():
        yield WrittenFile(f"{split}/{FILE_NAME}" if split else FILE_NAME, lines)
