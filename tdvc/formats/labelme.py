"""LabelMe: one JSON file a picture, beside it.

A source is a folder tree with the JSON files and their pictures, or one JSON file. Every shape becomes an instance
(`_labelme_shapes` says which kind becomes what), every flag of the file that is set a `tag`; flags of a shape and its
description become attributes. `group_id`, flags that are not set, old fields such as `line_color` and whatever else a
file says are kept in the properties under `labelme` and written back. Where the geometry does not lead back to the
points that were drawn (a circle's edge point, the order of corners), the points are kept there too.

A picture embedded in `imageData` is never unpacked: the picture beside it is the picture. `imagePath` may use
backslashes and climb with `..`, as LabelMe itself writes it, but not out of the source.

What LabelMe has no word for travels in a field `tdvc` of a shape or a file, which LabelMe keeps when it saves.
`labels.txt` is the list that LabelMe takes with `--labels`, and fixes the order of the classes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from tdvc.errors import FormatError
from tdvc.formats import _carry
from tdvc.formats._folder import (
    ignore,
    is_file,
    is_picture,
    listing,
    picture_problem,
    read_bytes,
    report_rest,
    shortened,
    walk,
)
from tdvc.formats._json import parse_strictly
from tdvc.formats._labelme_instances import NAME, Context, instances, set_flags, tags
from tdvc.formats._labelme_shapes import Size
from tdvc.formats._labelme_writer import LABEL_LIST, place, write
from tdvc.formats._pictures import size_of
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import plain
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

TITLE = "LabelMe JSON"
LOSES: tuple[str, ...] = (
    "cuboids and curves",
    "spans of text and time",
    "relations",
    "pictures embedded in the annotation files",
)
TYPES = frozenset({"tag", "box", "polygon", "polyline", "point", "keypoints", "ellipse", "mask"})
KEEPS = frozenset(FIELDS)

MAX_FILE_BYTES = 256 << 20
MAX_LIST_BYTES = 16 << 20
_SNIFFED_BYTES = 1 << 16
_SNIFFED_FILES = 8
_SNIFFED_DEPTH = 3
_BOM = b"\xef\xbb\xbf"
_DRIVE = re.compile("[A-Za-z]:")
_OF_FILE = ("flags", "imageData", "imageHeight", "imagePath", "imageWidth", "shapes", _carry.KEY)


@dataclass(slots=True)
class _Layout:
    """Where things are, all paths relative to `root`.

    Attributes:
        root: the folder that no name may lead out of.
        pictures_root: the folder that pictures are looked up in.
        annotations: the JSON files.
        pictures: the pictures, described or not.
        rest: other files that were passed on the way.
        by_path: the same.
        by_stem: the pictures by their path without its suffix.
        passed_over: places of pictures that are reported and counted already.
    """

    root: Path
    pictures_root: Path
    annotations: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    by_path: set[str] = field(default_factory=set)
    by_stem: dict[str, list[str]] = field(default_factory=dict)
    passed_over: set[str] = field(default_factory=set)

    def sort_in(self, path: str) -> None:
        """Put a file that was found where it belongs."""
        if path.lower().endswith(".json") and any(_signs(self.root / path)):
            self.annotations.append(path)
        elif is_picture(path):
            self.pictures.append(path)
            self.by_path.add(path)
            self.by_stem.setdefault(posixpath.splitext(path)[0], []).append(path)
        elif path != LABEL_LIST:
            self.rest.append(path)

    def take_spoiled(self) -> None:
        """A JSON file that goes by a picture's name is annotation, even one in which nothing can be made out."""
        found = {p for p in self.rest if p.lower().endswith(".json") and posixpath.splitext(p)[0] in self.by_stem}
        self.rest = [path for path in self.rest if path not in found]
        self.annotations += sorted(found)


def detect(source: Path) -> bool:
    """Whether JSON files there have shapes and speak of a picture."""
    if not source.is_dir():
        return source.suffix.lower() == ".json" and is_file(source) and all(_signs(source))
    return any(all(_signs(source / path)) for path in _some_files(source))


def _some_files(source: Path) -> list[str]:
    """A few JSON files of the source, not deep in it."""
    found: list[str] = []
    level = [""]
    for _depth in range(_SNIFFED_DEPTH + 1):
        below: list[str] = []
        for folder in level:
            try:
                files, folders = listing(source, folder, ignore)
            except FormatError:
                continue
            found.extend(path for path in files if path.lower().endswith(".json"))
            below.extend(folders)
            if len(found) >= _SNIFFED_FILES:
                return found[:_SNIFFED_FILES]
        level = below
    return found


def _signs(path: Path) -> tuple[bool, bool]:
    """Whether the beginning or end of a file has the key of shapes, and one of a picture."""
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFFED_BYTES)
            file.seek(max(0, path.stat().st_size - _SNIFFED_BYTES))
            ends = head + file.read(_SNIFFED_BYTES)
    except OSError:
        return False, False
    if not head.removeprefix(_BOM).lstrip().startswith(b"{"):
        return False, False
    return b'"shapes"' in ends, any(key in ends for key in (b'"imagePath"', b'"imageData"', b'"imageHeight"'))


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes of `labels.txt`, the described pictures in the order of their JSON files, then the others.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed.
    """
    layout = _layout(source, report, options.images)
    if source.is_dir():
        yield from _labels(source / LABEL_LIST, report)
    reader = _Reader(layout, report)
    for annotation in layout.annotations:
        record = reader.record(annotation)
        if record is not None:
            yield record
    for picture in layout.pictures:
        if picture not in reader.located:
            yield FileRecord(picture, layout.pictures_root / picture, [])
    report_rest((path for path in layout.rest if path not in reader.located), report)


def _layout(source: Path, report: Report, images: Path | None) -> _Layout:
    if not source.is_dir():
        folder = source.absolute().parent
        own = [path for path in listing(folder, "", ignore)[0] if is_picture(path) and Path(path).stem == source.stem]
        return _Layout(folder, images or folder, [source.name], by_stem={source.stem: own})
    layout = _Layout(source, images or source)

    def report_and_note(problem: Problem) -> None:
        if problem.dropped_files:
            layout.passed_over.add(problem.place)
        report(problem)

    for path in walk(source, report_and_note):
        layout.sort_in(path)
    layout.take_spoiled()
    if images is not None:
        layout.rest += layout.pictures
        layout.pictures, layout.by_path, layout.by_stem, layout.passed_over = [], set(), {}, set()
    return layout


def _labels(path: Path, report: Report) -> Iterator[LabelRecord]:
    if not is_file(path):
        return
    try:
        lines = read_bytes(path, MAX_LIST_BYTES).decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        report(Problem("record-unreadable", LABEL_LIST, f"The list of classes can't be read: {error}."))
        return
    names = [line.strip() for line in lines if line.strip()]
    for index, name in enumerate(dict.fromkeys(names)):
        yield LabelRecord(name, name, index)
    if len(set(names)) < len(names):
        message = f"{len(names) - len(set(names)):,} classes are listed more than once."
        report(Problem("duplicate-class", LABEL_LIST, message, severity="warning"))


class _Reader:
    """Reads the JSON files of a source one by one.

    Attributes:
        located: the pictures that have been described, by where they lie.
    """

    def __init__(self, layout: _Layout, report: Report) -> None:
        self.located: set[str] = set()
        self._layout = layout
        self._report = report
        self._given: set[str] = set()

    def record(self, annotation: str) -> FileRecord | None:
        """The record of one JSON file; None, reported, where the file or its picture can't be taken."""
        count = 0
        try:
            fields = parse_strictly(read_bytes(self._layout.root / annotation, MAX_FILE_BYTES).removeprefix(_BOM))
            shapes = _shapes(fields)
            count = len(shapes) + len(set_flags(fields))
            located = self._locate(annotation, fields)
        except (OSError, ValueError) as error:
            self._unreadable(annotation, error, count)
            return None
        if problem := self._refusal(annotation, located, count):
            self._report(problem)
            return None
        self.located.add(located)
        return self._assembled(annotation, located, fields, shapes)

    def _unreadable(self, annotation: str, error: OSError | ValueError, count: int) -> None:
        reason = f"could not be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        code = "unreadable" if isinstance(error, OSError) else "record-unreadable"
        own = self._layout.by_stem.get(posixpath.splitext(annotation)[0], [])
        files = 0 if self._layout.by_path.issuperset(own) and own else 1  # still yielded, without instances
        message = f"The annotation file {reason}."
        self._report(Problem(code, printable(annotation), message, dropped_files=files, dropped_instances=count))

    def _locate(self, annotation: str, fields: dict[str, Any]) -> str:
        """Where `imagePath` says the picture is, not yet checked where that leads; an absent one is the file's own."""
        name = fields.get("imagePath")
        if name is None or name == "":
            own = self._layout.by_stem.get(posixpath.splitext(annotation)[0], [])
            if len(own) != 1:
                raise ValueError(f"has no imagePath, and {len(own) or 'no'} pictures go by its own name")
            return own[0]
        if not _carry.is_text(name):
            raise ValueError("has an imagePath that is not text")
        name = name.replace("\\", "/")
        if name.startswith("/") or _DRIVE.match(name):
            return str(name)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(annotation), name))
        if self._layout.pictures_root == self._layout.root or path_problem(path):
            return path
        candidates = (path, posixpath.normpath(name).removeprefix("../"), posixpath.basename(path))
        there = [path for path in candidates if picture_problem(self._layout.pictures_root, path) is None]
        return there[0] if there else path

    def _refusal(self, annotation: str, path: str, count: int) -> Problem | None:
        code, message, files = "duplicate-path", f"Another annotation file has described {shortened(path)}.", 0
        problem = picture_problem(self._layout.pictures_root, path)
        if problem and problem[0] != "picture-missing":
            code, message = problem[0], f"The picture {shortened(path)} {problem[1]}."
            files = 0 if printable(path) in self._layout.passed_over else 1
        elif path not in self.located and path not in self._given:
            return None
        return Problem(code, printable(annotation), message, dropped_files=files, dropped_instances=count)

    def _assembled(self, annotation: str, located: str, fields: dict[str, Any], shapes: list[Any]) -> FileRecord:
        source = self._layout.pictures_root / located
        present = is_file(source)
        if not present and fields.get("imageData"):
            message = (
                f"The picture {shortened(located)} is not there, and the one embedded in the file is not unpacked."
            )
            self._report(Problem("picture-missing", printable(annotation), message, severity="warning"))
        size = _size(fields) or (size_of(source) if present else None)
        carried = fields.get(_carry.KEY)
        path, splits = self._split_off(located, _carry.split_in(carried))
        self._given.add(path)
        context = Context(path, printable(annotation), size, self._report)
        known = _carry.for_file(carried)
        return FileRecord(
            path=path,
            source=source if present else None,
            instances=tags(fields, context) + instances(shapes, context),
            properties=known.pop("properties", {}) | _kept_of_file(fields) | ({"splits": splits} if splits else {}),
            size=size,
            **known,
        )

    def _split_off(self, located: str, split: str) -> tuple[str, list[str]]:
        """The path without the folder of its split, where our writer put it into one; and the splits."""
        path = located.removeprefix(f"{split}/")
        if not split or path == located or not path:
            return located, []
        return (located if path in self._given or path in self._layout.by_path else path), [split]


def _shapes(fields: Any) -> list[Any]:
    if not isinstance(fields, dict) or not isinstance(fields.get("shapes"), list):
        raise ValueError("has no list of shapes")
    shapes: list[Any] = fields["shapes"]
    return shapes


def _size(fields: dict[str, Any]) -> Size:
    sides = [plain(fields.get(key)) for key in ("imageWidth", "imageHeight")]
    width, height = (int(side) if _is_side(side) else 0 for side in sides)
    return (width, height) if width and height else None


def _is_side(value: Any) -> TypeGuard[float]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 1 <= value < 1 << 31 and value == value // 1


def _kept_of_file(fields: dict[str, Any]) -> dict[str, Any]:
    """What else the file says: flags that are not set among it."""
    kept = {key: value for key, value in fields.items() if key not in _OF_FILE}
    flags = fields.get("flags")
    if isinstance(flags, dict):
        flags = {name: value for name, value in flags.items() if value is not True}
    if flags:
        kept["flags"] = flags
    return {NAME: kept} if kept else {}
