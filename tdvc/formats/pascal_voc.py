"""Pascal VOC: one XML file a picture, with boxes.

A source is a folder with `Annotations/` and `JPEGImages/` (or `annotations/` and `images/`), a folder tree
with the XML files beside their pictures, or one XML file. Coordinates are kept raw: `xmin ymin xmax ymax`
become `x0 y0 x1 y1` with every digit as written. The original data is 1-based and inclusive, most tools write
0-based edges, and no file says which it is; so nothing is shifted, here or when writing back.

`truncated`, `difficult`, `occluded`, `pose` and named attributes become attributes; whatever else a file says
is kept in the properties under `pascal-voc`. `<path>` is kept as well but never followed: it names a folder
on somebody else's machine. A picture without a usable annotation file is still a file, without instances.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _xml
from tdvc.formats._folder import (
    SPLIT_NAMES,
    ignore,
    is_file,
    is_folder,
    is_picture,
    listing,
    picture_problem,
    read_bytes,
    report_rest,
    shortened,
    walk,
)
from tdvc.formats.base import NO_OPTIONS, FileRecord, ReadOptions
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import path_problem, printable

NAME = "pascal-voc"
TITLE = "Pascal VOC XML"
LOSES: tuple[str, ...] = (
    "geometries other than upright boxes",
    "scores",
    "video frames and sequences",
    "instance and file ids",
    "completeness marks",
)
TYPES = frozenset({"box"})
KEEPS = frozenset({"attributes", "empty-files", "file-properties", "numbers", "properties", "splits"})

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ATTRIBUTES = ("difficult", "occluded", "pose", "truncated")
_LISTS = "ImageSets/Main"
_MAX_LIST_BYTES = 64 << 20
_SNIFFED_FILES = 8
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_OTHER_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_MAX_NUMBER_LENGTH = 400
_CLASS_LIST_LINE = re.compile(r"\S+\s+(-1|0|1)")


@dataclass(slots=True)
class _Layout:
    """Where things are, all paths relative to `root`.

    Attributes:
        root: the folder that no name may lead out of.
        annotation_folder: holds the XML files; empty where they lie beside the pictures.
        picture_folder: holds the pictures; None where they lie beside the XML files.
        annotations: the XML files.
        pictures: the pictures, described or not.
        rest: other files that were passed on the way.
        lists: the plain split lists, name to the picture ids they hold.
        by_stem: the pictures by their path without its suffix.
        passed_over: places of pictures that are reported and counted already.
    """

    root: Path
    annotation_folder: str = ""
    picture_folder: str | None = None
    annotations: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    by_stem: dict[str, list[str]] = field(default_factory=dict)
    passed_over: set[str] = field(default_factory=set)

    def folder_of(self, annotation: str) -> str:
        """The folder that a `<filename>` in this annotation file is relative to."""
        return posixpath.dirname(annotation) if self.picture_folder is None else self.picture_folder

    def own_pictures(self, annotation: str) -> list[str]:
        """The pictures that go by the annotation file's own name."""
        inner = annotation[len(self.annotation_folder) + 1 :] if self.annotation_folder else annotation
        stem = posixpath.splitext(inner)[0]
        return self.by_stem.get(posixpath.join(self.picture_folder or "", stem), [])

    def picture_id(self, path: str) -> str:
        """What split lists call a picture."""
        inner = path[len(self.picture_folder) + 1 :] if self.picture_folder else path
        return posixpath.splitext(inner)[0]

    def sort_in(self, path: str) -> None:
        """Put a file that was found where it belongs."""
        if path.lower().endswith(".xml"):
            self.annotations.append(path)
        elif is_picture(path):
            self.pictures.append(path)
            self.by_stem.setdefault(posixpath.splitext(path)[0], []).append(path)
        else:
            self.rest.append(path)


def detect(source: Path) -> bool:
    """Whether it is a VOC folder, or XML files there have the root element `annotation`."""
    if not source.is_dir():
        return source.suffix.lower() == ".xml" and source.is_file() and _xml.root_tag(source) == "annotation"
    if is_folder(source / "Annotations") and is_folder(source / "JPEGImages"):
        return True
    return any(_xml.root_tag(source / path) == "annotation" for path in _some_annotations(source))


def _some_annotations(source: Path) -> list[str]:
    """A few XML files of the source, none deeper than three folders."""
    found: list[str] = []
    level = [""]
    for _depth in range(4):
        below: list[str] = []
        for folder in level:
            try:
                files, folders = listing(source, folder, ignore)
            except FormatError:
                continue
            found.extend(path for path in files if path.lower().endswith(".xml"))
            below.extend(folders)
            if len(found) >= _SNIFFED_FILES:
                return found[:_SNIFFED_FILES]
        level = below
    return found


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord]:
    """Yield the described pictures in the order of their XML files, then the others.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed.
    """
    del options
    layout = _layout_of_folder(source, report) if source.is_dir() else _layout_of_file(source)
    taken: set[str] = set()
    for annotation in layout.annotations:
        record = _read_annotation(layout, annotation, taken, report)
        if record is not None:
            taken.add(record.path)
            yield record
    if source.is_dir() or not taken:
        for picture in layout.pictures:
            if picture not in taken:
                yield FileRecord(picture, layout.root / picture, [], _splits_of(layout, picture))
    report_rest((path for path in layout.rest if path not in taken), report)
    _report_unknown_ids(layout, report)


def _layout_of_folder(root: Path, report: Report) -> _Layout:
    layout = _Layout(root)

    def report_and_note(problem: Problem) -> None:
        if problem.dropped_files:
            layout.passed_over.add(problem.place)
        report(problem)

    files, folders = listing(root, "", ignore)
    by_name = {name.lower(): name for name in folders}
    pictures = by_name.get("jpegimages") or by_name.get("images")
    if "annotations" not in by_name or pictures is None:
        for path in walk(root, report_and_note):
            layout.sort_in(path)
        return layout
    layout.annotation_folder, layout.picture_folder = by_name["annotations"], pictures
    listing(root, "", report_and_note)
    used = (layout.annotation_folder, pictures)
    for folder in used:
        for path in walk(root, report_and_note, folder):
            layout.sort_in(path)
    layout.rest += files
    _take_lists(layout, [folder for folder in folders if folder not in used], report)
    return layout


def _layout_of_file(source: Path) -> _Layout:
    folder = source.absolute().parent
    layout = _Layout(folder)
    if folder.name == "Annotations" and is_folder(folder.parent / "JPEGImages"):
        layout = _Layout(folder.parent, "Annotations", "JPEGImages")
    for path in listing(layout.root, layout.picture_folder or "", ignore)[0]:
        layout.sort_in(path)
    annotation = posixpath.join(layout.annotation_folder, source.name)
    layout.annotations, layout.rest, layout.pictures = [annotation], [], layout.own_pictures(annotation)
    return layout


def _take_lists(layout: _Layout, folders: list[str], report: Report) -> None:
    """Read the plain lists of `ImageSets/Main`; folders that hold anything else are reported unread."""
    for folder in folders:
        if folder != "ImageSets":
            message = "The format has no use for this folder."
            report(Problem("skipped-other", printable(folder), message, severity="warning"))
            continue
        for path in walk(layout.root, report, folder):
            names = _list_names(layout.root, path, report) if posixpath.dirname(path) == _LISTS else None
            if names is None:
                layout.rest.append(path)
            else:
                layout.lists[posixpath.splitext(posixpath.basename(path))[0]] = names


def _list_names(root: Path, path: str, report: Report) -> frozenset[str] | None:
    """The picture ids in a plain list; None for the list of one class, which the boxes say better."""
    try:
        text = read_bytes(root / path, _MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        report(Problem("record-unreadable", printable(path), f"The split list can't be read: {error}."))
        return frozenset()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(_CLASS_LIST_LINE.fullmatch(line) for line in lines):
        return None
    return frozenset(lines)


def _splits_of(layout: _Layout, path: str) -> dict[str, Any]:
    """The `splits` property of a picture: from the lists, or from a top folder called like a split."""
    if layout.picture_folder is None:
        top = path.split("/")[0]
        return {"splits": [top]} if "/" in path and top.lower() in SPLIT_NAMES else {}
    name = layout.picture_id(path)
    splits = sorted(split for split, names in layout.lists.items() if name in names)
    return {"splits": splits} if splits else {}


def _report_unknown_ids(layout: _Layout, report: Report) -> None:
    known = {layout.picture_id(path) for path in layout.pictures}
    for split, names in sorted(layout.lists.items()):
        if unknown := sorted(names - known):
            message = f"{len(unknown):,} names have no picture; the first is {shortened(unknown[0])}."
            report(Problem("split-unknown", printable(f"{_LISTS}/{split}.txt"), message, severity="warning"))


def _read_annotation(layout: _Layout, annotation: str, taken: set[str], report: Report) -> FileRecord | None:
    """The record of one XML file; None, reported, where the file or its picture can't be taken."""
    objects: list[_xml.Node] = []
    try:
        root = _xml.read(layout.root / annotation)
        if root.tag != "annotation":
            raise ValueError(f"has the root element <{root.tag[:40]}>, not <annotation>")
        objects = root.named("object")
        kept = _xml.to_json(root, without=("object",))
        path = _picture_path(layout, annotation, root)
    except (OSError, ValueError) as error:
        report(_unreadable(layout, annotation, error, len(objects)))
        return None
    if problem := _refused_picture(layout, annotation, path, taken, len(objects)):
        report(problem)
        return None
    properties = {NAME: kept} if kept else {}
    instances = _instances(path, objects, annotation, report)
    return FileRecord(path, layout.root / path, instances, properties | _splits_of(layout, path))


def _unreadable(layout: _Layout, annotation: str, error: OSError | ValueError, instances: int) -> Problem:
    code, reason = "record-unreadable", str(error)
    if isinstance(error, OSError):
        code, reason = "unreadable", f"could not be read: {error.strerror}"
    files = 0 if layout.own_pictures(annotation) else 1  # its own picture is still yielded, without instances
    return Problem(
        code,
        printable(annotation),
        f"The annotation file {reason}.",
        dropped_files=files,
        dropped_instances=instances,
    )


def _refused_picture(layout: _Layout, annotation: str, path: str, taken: set[str], instances: int) -> Problem | None:
    code, message, files = "duplicate-path", f"Another annotation file has described {shortened(path)}.", 0
    if problem := picture_problem(layout.root, path):
        code, message = problem[0], f"The picture {shortened(path)} {problem[1]}."
        files = 0 if printable(path) in layout.passed_over else 1
    elif path not in taken:
        return None
    return Problem(code, printable(annotation), message, dropped_files=files, dropped_instances=instances)


def _picture_path(layout: _Layout, annotation: str, root: _xml.Node) -> str:
    """Where `<filename>` says the picture is, not yet checked where that leads.

    An absent name means the annotation file's own; a name without suffix means the one picture that has it.
    """
    name = root.only_text("filename") if root.named("filename") else ""
    if not name:
        own = layout.own_pictures(annotation)
        if len(own) == 1:
            return own[0]
        raise ValueError(f"has no <filename>, and {len(own) or 'no'} pictures go by its own name")
    if not name.startswith("/"):
        name = "/".join(part for part in name.split("/") if part not in ("", "."))
    if path_problem(name):
        return name
    path = posixpath.join(layout.folder_of(annotation), name)
    if not is_picture(path) and not is_file(layout.root / path) and len(layout.by_stem.get(path, [])) == 1:
        return layout.by_stem[path][0]
    return path


def _instances(path: str, objects: list[_xml.Node], annotation: str, report: Report) -> list[Instance]:
    instances = []
    for position, node in enumerate(objects):
        try:
            instances.append(_instance(path, position, node))
        except (SchemaError, ValueError) as error:
            reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
            message = f"Object {position}: {reason}."
            where = str(position)
            report(Problem("instance-invalid", printable(annotation), message, where, dropped_instances=1))
    return instances


def _instance(path: str, position: int, node: _xml.Node) -> Instance:
    """The instance of one `<object>`; its id depends on the picture and the position, so that twins stay two."""
    boxes = node.named("bndbox")
    if len(boxes) != 1:
        raise ValueError(f"has {len(boxes) or 'no'} <bndbox> where one is needed")
    attributes = _attributes(node)
    used = {"bndbox", *(tag for tag in _ATTRIBUTES if tag in attributes)}
    if node.named("name") and node.named("name")[0].is_plain:
        used.add("name")
    if _named_values(node) is not None:
        used.add("attributes")
    properties = _xml.to_json(node, without=used)
    kept = properties if isinstance(properties, dict) else {}
    if beyond := _beyond(boxes[0]):
        kept["bndbox"] = beyond
    return make_instance(
        {
            "instance_id": derived_instance_id(NAME, path, str(position)),
            "label": node.only_text("name"),
            "type": "box",
            "geometry": [_coordinate(boxes[0], corner) for corner in _CORNERS],
            "attributes": attributes,
            "properties": {NAME: kept} if kept else {},
        }
    )


def _beyond(box: _xml.Node) -> dict[str, Any]:
    """What a `<bndbox>` holds besides its corners."""
    rest = _xml.to_json(box, without=_CORNERS)
    return rest if isinstance(rest, dict) else {}


def _coordinate(box: _xml.Node, corner: str) -> Number:
    text = box.only_text(corner)
    number = _number(text)
    if number is None:
        raise ValueError(f"has a <{corner}> that is not a number: {shortened(text)}")
    return number


def _number(text: str) -> Number | None:
    """A number exactly as written where JSON can spell it so, else (`.5`, `+1`, `007`) the same decimal value."""
    if _is_json_number(text):
        return Number(text)
    if len(text) <= _MAX_NUMBER_LENGTH and _OTHER_NUMBER.fullmatch(text):
        return Number(Decimal(text))
    return None


def _is_json_number(text: str) -> bool:
    return len(text) <= _MAX_NUMBER_LENGTH and _JSON_NUMBER.fullmatch(text) is not None


def _attributes(node: _xml.Node) -> dict[str, Any]:
    """The four flags of VOC, then the named attributes that CVAT and Datumaro add; numbers as numbers."""
    values = _named_values(node) or {}
    for tag in _ATTRIBUTES:
        found = node.named(tag)
        if len(found) == 1 and found[0].is_plain:
            values[tag] = found[0].text
    return {name: Number(text) if _is_json_number(text) else text for name, text in values.items()}


def _named_values(node: _xml.Node) -> dict[str, str] | None:
    """`<attributes><attribute><name>..<value>..` as a dictionary; None where it is not just that."""
    groups = node.named("attributes")
    if len(groups) != 1 or groups[0].attributes or groups[0].text:
        return None
    values: dict[str, str] = {}
    for child in groups[0].children:
        parts = {part.tag: part.text for part in child.children if part.is_plain}
        clean = child.tag == "attribute" and len(child.children) == 2 and set(parts) == {"name", "value"}
        if not clean or child.attributes or child.text or parts["name"] in values or parts["name"] in _ATTRIBUTES:
            return None
        values[parts["name"]] = parts["value"]
    return values
