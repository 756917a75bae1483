"""MOT Challenge: the boxes of tracked objects in the frames of a film, `gt/gt.txt` in the folder of each sequence.

    frame,id,left,top,width,height,confidence,class,visibility

Frames count from 1. The frames are pictures in `img1/` (or what `seqinfo.ini` says), told by the number at the end of
their names, or by their order where names have none; each is a file, and the track's id is its instances' `sequence`.
Where there is a film and no pictures, the film is the file and its instances have a `frame`. Rows of 10 columns, as in
MOT15, end in world coordinates instead of class and visibility.

Left and top are kept raw: the challenge counts pixels from 1, most tools from 0, and no file says which. A confidence
of 1 is that of ground truth and says nothing; 0 means that an entry is not to be judged and -1 nothing at all, and both
are kept in the properties; any other is a score. So a visibility of 1 says nothing, nor does -1. The classes are named
by `gt/labels.txt`, as CVAT has it, and those of MOT16, MOT17 and MOT20 by the challenge.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _decimal
from tdvc.formats._folder import (
    SPLIT_NAMES,
    ignore,
    is_file,
    is_picture,
    listing,
    read_bytes,
    report_rest,
    shortened,
    walk,
)
from tdvc.formats._mot_writer import FORMAT, FRAME_RATE, frame_numbers, place, write
from tdvc.formats._videos import is_video, size_property
from tdvc.formats.base import NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import path_problem, printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

NAME = FORMAT
TITLE = "MOT Challenge"
LOSES: tuple[str, ...] = (
    "geometries other than upright boxes",
    "names of tracks that are no whole numbers",
    "attributes other than visibility, and a visibility of exactly 1",
    "scores of exactly 1, 0 or -1",
    "instance and file ids",
    "completeness marks",
    "properties other than splits and frame rates",
)
TYPES = frozenset({"box"})
KEEPS = frozenset({"empty-files", "frame", "sequence", "splits"})

MAX_BYTES = 256 << 20
UNNAMED = "object"
"""The label of a row without a class."""

_GROUND_TRUTH = "gt/gt.txt"
_FILMS = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"))
_CHALLENGE = re.compile(r"MOT(16|17|20)-")
_CHALLENGE_NAMES = (
    "pedestrian",
    "person on vehicle",
    "car",
    "bicycle",
    "motorbike",
    "non motorized vehicle",
    "static person",
    "distractor",
    "occluder",
    "occluder on the ground",
    "occluder full",
    "reflection",
    "crowd",
)
_ROW = re.compile(rb"\s*[0-9]+(\.0*)?\s*,\s*-?[0-9]+(\.0*)?(\s*,\s*[-+.eE0-9]+){4,8}\s*")
_WHOLE = re.compile(r"(-?[0-9]{1,18})(?:\.0*)?")
_SNIFFED_BYTES = 4096
_DEPTH = 3


@dataclass(slots=True)
class _Sequence:
    """One sequence, paths relative to the source, those of pictures to the folder they are looked up in.

    Attributes:
        folder: of the sequence; empty for the source itself.
        rows: the file with its boxes.
        picture_folder: where its pictures are or would be.
        suffix: of its pictures' names.
        pictures: by frame, from 1.
        by_order: the names of its pictures have no numbers.
        film: the one film beside it, where there are no pictures.
        names: class number to name.
        frame_rate: as `seqinfo.ini` says it; that which our writer puts for want of one says nothing.
        size: of the frames, by the same.
    """

    folder: str
    rows: str
    picture_folder: str = ""
    suffix: str = ".jpg"
    pictures: dict[int, str] = field(default_factory=dict)
    by_order: bool = False
    film: str = ""
    names: dict[int, str] = field(default_factory=dict)
    frame_rate: Number | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    frame: int
    columns: list[str]


def detect(source: Path) -> bool:
    """Whether a sequence with rows of this format is there, or the file holds such rows."""
    if not source.is_dir():
        return source.suffix.lower() == ".txt" and is_file(source) and _starts_with_row(source)
    return any(_starts_with_row(source / path) for path in _near_ground_truths(source))


def _near_ground_truths(source: Path) -> Iterator[str]:
    level = [""]
    for _depth in range(_DEPTH + 1):
        below: list[str] = []
        for folder in level:
            if is_file(source / posixpath.join(folder, _GROUND_TRUTH)):
                yield posixpath.join(folder, _GROUND_TRUTH)
            try:
                below += listing(source, folder, ignore)[1]
            except FormatError:
                continue
        level = below


def _starts_with_row(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            first = file.read(_SNIFFED_BYTES).lstrip().split(b"\n", 1)[0]
    except OSError:
        return False
    return _ROW.fullmatch(first) is not None


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes, then the frames of every sequence, sorted by folder and frame, then other pictures.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed.
    """
    root, given = (source, "") if source.is_dir() else _root_of(source)
    picture_root = options.images or root
    paths = [given] if given else list(walk(root, report))
    pictures = [
        path
        for path in (walk(picture_root, report if options.images else ignore) if given or options.images else paths)
        if is_picture(path)
    ]
    grounds = [given] if given else [path for path in paths if f"/{path}".endswith("/" + _GROUND_TRUTH)]
    reader = _Reader(root, picture_root, report, pictures, paths)
    sequences = [reader.sequence(path) for path in sorted(grounds)]
    yield from _labels(sequences)
    for sequence in sequences:
        yield from reader.records(sequence)
    if not given:
        yield from (reader.file(path, []) for path in pictures if path not in reader.taken)
        report_rest((path for path in paths if not is_picture(path) and path not in reader.used), report)


def _root_of(source: Path) -> tuple[Path, str]:
    """The sequence's folder of one file of rows, and the file's path in it."""
    folder = source.absolute().parent
    return (folder.parent, _GROUND_TRUTH) if folder.name == "gt" and source.name == "gt.txt" else (folder, source.name)


def _labels(sequences: Sequence[_Sequence]) -> Iterator[LabelRecord]:
    """Every class of every sequence once, under the number it has where it is named first."""
    seen: set[str] = set()
    for sequence in sequences:
        for number, name in sorted(sequence.names.items()):
            if name not in seen:
                yield LabelRecord(name, name, len(seen), {"id": Number(str(number))})
                seen.add(name)


class _Reader:
    """Reads one sequence after the other; `taken` are the pictures that were yielded, `used` the other files."""

    def __init__(
        self, root: Path, picture_root: Path, report: Report, pictures: Sequence[str], paths: Sequence[str]
    ) -> None:
        self._root = root
        self._picture_root = picture_root
        self._report = report
        self._paths = paths
        self._by_folder: dict[str, list[str]] = {}
        for picture in pictures:
            self._by_folder.setdefault(posixpath.dirname(picture), []).append(picture)
        self.taken: set[str] = set()
        self.used: set[str] = set()

    def sequence(self, rows: str) -> _Sequence:
        """What lies around a file of rows."""
        folder = rows.removesuffix(_GROUND_TRUTH).rstrip("/") if rows.endswith(_GROUND_TRUTH) else ""
        found = _Sequence(folder, rows)
        said = self._said(posixpath.join(folder, "seqinfo.ini"))
        inner = said.get("imdir", "img1")
        found.suffix = said.get("imext", ".jpg")
        rate = _decimal.number(said.get("framerate", ""))
        found.frame_rate, found.size = None if rate == FRAME_RATE else rate, _size(said)
        if path_problem(inner) or path_problem("0" + found.suffix) or "/" in found.suffix:
            inner, found.suffix = "img1", ".jpg"
        candidates = [posixpath.join(folder, inner), folder]
        if self._picture_root != self._root:
            candidates += [inner, ""]
        held = next((c for c in candidates if c in self._by_folder), None)
        found.picture_folder = candidates[0] if held is None else held
        pictures = self._by_folder.get(found.picture_folder, [])
        numbers_of = frame_numbers(pictures)
        found.pictures = {number: path for path, number in numbers_of.numbers.items()}
        found.by_order = numbers_of.by_order
        films = [path for path in self._paths if posixpath.dirname(path) == folder and _is_film(path)]
        if not pictures and len(films) == 1:
            found.film = films[0]
        found.names = self._names(posixpath.join(folder, "gt/labels.txt"), said.get("name", posixpath.basename(folder)))
        self.used.add(rows)
        return found

    def _said(self, path: str) -> dict[str, str]:
        """The `key=value` lines of a `seqinfo.ini`, keys in lower case."""
        values: dict[str, str] = {}
        for line in self._lines(path) if is_file(self._root / path) else []:
            key, equals, value = line.partition("=")
            if equals:
                values[key.strip().lower()] = value.strip()
        return values

    def _names(self, path: str, name: str) -> dict[int, str]:
        """The names of the classes, counted from 1."""
        if is_file(self._root / path):
            lines = enumerate(self._lines(path), 1)
            return {number: line for number, line in lines if line.strip()}
        return dict(enumerate(_CHALLENGE_NAMES, 1)) if _CHALLENGE.match(name) else {}

    def _lines(self, path: str) -> list[str]:
        self.used.add(path)
        try:
            text = read_bytes(self._root / path, MAX_BYTES).decode("utf-8-sig")
        except (OSError, ValueError) as error:
            reason = f"could not be read: {error.strerror}" if isinstance(error, OSError) else str(error)
            self._report(Problem("record-unreadable", printable(path), f"The file {reason}."))
            return []
        return [line.removesuffix("\r") for line in text.split("\n")]

    def file(
        self, path: str, instances: list[Instance], sequence: _Sequence | None = None, *, is_there: bool = True
    ) -> FileRecord:
        """The record of a picture or film."""
        top = path.split("/")[0]
        properties: dict[str, Any] = {"splits": [top]} if "/" in path and top.lower() in SPLIT_NAMES else {}
        if sequence is not None and sequence.frame_rate is not None:
            properties[NAME] = {"frameRate": sequence.frame_rate}
        size = sequence.size if sequence is not None else None
        if is_video(path):
            properties |= size_property(size)
        self.taken.add(path)
        root = self._root if _is_film(path) else self._picture_root
        return FileRecord(path, root / path if is_there else None, instances, properties, size=size)

    def records(self, sequence: _Sequence) -> Iterator[FileRecord]:
        """The frames of a sequence, or its film."""
        frames: dict[int, list[_Row]] = {}
        for row in self._rows(sequence.rows):
            frames.setdefault(row.frame, []).append(row)
        if sequence.film:
            ordered = [row for _, rows in sorted(frames.items()) for row in rows]
            self.used.add(sequence.film)
            yield self.file(sequence.film, self._instances(sequence, sequence.film, ordered), sequence)
            return
        for frame in sorted(frames.keys() | sequence.pictures.keys()):
            rows, path = frames.get(frame, []), sequence.pictures.get(frame)
            if path in self.taken:
                self._drop(sequence, frame, rows, "duplicate-path", "belongs to another sequence, too")
            elif path is not None:
                yield self.file(path, self._instances(sequence, path, rows), sequence)
            elif sequence.by_order or path_problem(absent := self._absent(sequence, frame)) or absent in self.taken:
                self._drop(sequence, frame, rows, "picture-missing", "is not there")
            else:
                yield self.file(absent, self._instances(sequence, absent, rows), sequence, is_there=False)

    def _absent(self, sequence: _Sequence, frame: int) -> str:
        return posixpath.join(sequence.picture_folder, f"{frame:06d}{sequence.suffix}")

    def _drop(self, sequence: _Sequence, frame: int, rows: Sequence[_Row], code: str, reason: str) -> None:
        message = f"The picture of frame {frame} {reason}."
        files = 0 if code == "duplicate-path" else 1
        self._report(Problem(code, printable(sequence.rows), message, dropped_files=files, dropped_instances=len(rows)))

    def _rows(self, path: str) -> Iterator[_Row]:
        """The rows that have a frame; others are reported."""
        for number, line in enumerate(self._lines(path), 1):
            if not line.strip():
                continue
            columns = [column.strip() for column in line.split(",")]
            frame = _WHOLE.fullmatch(columns[0])
            if frame is None or int(frame[1]) < 1:
                self._refuse(path, number, f"has {shortened(columns[0], 32)} where a frame from 1 is needed")
            else:
                yield _Row(number, int(frame[1]), columns)

    def _refuse(self, path: str, line: int, reason: str) -> None:
        where = f"{printable(path)}:{line}"
        self._report(Problem("instance-invalid", where, f"The row {reason}.", str(line), dropped_instances=1))

    def _instances(self, sequence: _Sequence, path: str, rows: Sequence[_Row]) -> list[Instance]:
        found: dict[str, Instance] = {}
        for row in rows:
            try:
                fields = _fields(row, sequence.names)
                if not sequence.film:
                    del fields["frame"]
                twins = 0
                while (identity := _identity(path, row, fields, twins)) in found:
                    twins += 1
                found[identity] = make_instance(fields | {"instance_id": identity})
            except (SchemaError, ValueError, ArithmeticError) as error:
                reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
                self._refuse(sequence.rows, row.line, reason)
        return list(found.values())


def _identity(path: str, row: _Row, fields: dict[str, Any], twins: int) -> str:
    """Depends on the track, so that a row more or less in the frame leaves the others who they are."""
    return derived_instance_id(NAME, path, str(row.frame), fields["sequence"] or "", str(twins))


def _size(said: dict[str, str]) -> tuple[int, int] | None:
    """The size of the frames in pixels."""
    sides = [_WHOLE.fullmatch(said.get(key, "")) for key in ("imwidth", "imheight")]
    width, height = (int(side[1]) if side and len(side[1]) < 10 else 0 for side in sides)
    return (width, height) if width > 0 and height > 0 else None


def _is_film(path: str) -> bool:
    return posixpath.splitext(path)[1].lower() in _FILMS


def _fields(row: _Row, names: dict[int, str]) -> dict[str, Any]:
    """The fields of an instance, all but its id.

    Raises:
        ValueError: what is wrong with the row, as the end of a sentence.
    """
    columns = row.columns
    if not 6 <= len(columns) <= 10:
        raise ValueError(f"has {len(columns)} columns, not 6 to 10")
    track = _WHOLE.fullmatch(columns[1])
    if track is None:
        raise ValueError(f"has the id {shortened(columns[1], 32)}, which is not a whole number")
    left, top, width, height, *more = [_number(text) for text in columns[2:]]
    kept: dict[str, Any] = {}
    score = _score(more[0], kept) if more else None
    attributes = {}
    label = UNNAMED
    if len(more) == 4:
        if any(float(value) != -1 for value in more[1:]):
            kept["world"] = more[1:]
    elif len(more) > 1:
        label = _label(columns[7], names)
        if len(more) > 2 and float(more[2]) not in (1.0, -1.0):
            attributes["visibility"] = more[2]
    return {
        "label": label,
        "type": "box",
        "geometry": [left, top, _decimal.add(left, width), _decimal.add(top, height)],
        "frame": row.frame - 1,
        "sequence": None if int(track[1]) < 0 else str(int(track[1])),
        "score": score,
        "attributes": attributes,
        "properties": {NAME: kept} if kept else {},
    }


def _number(text: str) -> Number:
    number = _decimal.number(text)
    if number is None:
        raise ValueError(f"has {shortened(text, 32)} where a number is needed")
    return number


def _score(confidence: Number, kept: dict[str, Any]) -> Number | None:
    value = float(confidence)
    if value in (0.0, -1.0):
        kept["confidence"] = confidence
    return None if value in (1.0, 0.0, -1.0) else confidence


def _label(text: str, names: dict[int, str]) -> str:
    """The name of a class; its number where nothing names it at all."""
    number = _WHOLE.fullmatch(text)
    if number is None:
        raise ValueError(f"has the class {shortened(text, 32)}, which is not a whole number")
    if int(number[1]) == -1:
        return UNNAMED
    if not names:
        return str(int(number[1]))
    if int(number[1]) not in names:
        raise ValueError(f"has the class {int(number[1])}, which has no name")
    return names[int(number[1])]
