"""CVAT XML 1.1: pictures with shapes (`<image>`), and videos with tracks of shapes (`<track>`).

A source is one XML file or a folder with some, the pictures beside them or in `images`, by subset where there are
subsets. A subset is a split; `default` means none. A video is one file, whose name is the `<source>` of its task, and a
shape of a track is an instance with its `frame`; where CVAT put the frames beside the XML file as pictures
(`frame_000010.png`), those are the files. Frame numbers are those of the original video, as the file has them.

A shape with `outside="1"` says that the object has left; it is no instance, but is kept with the track's last shape
and written back after it. `occluded`, `z_order`, `group_id` and what else a shape says stay in its properties, where
they are not the default. Attributes get their kind from the label's definition. `instance_id` travels as an attribute,
which people can declare in CVAT to keep it there; what else CVAT has no word for is in the XML attribute `tdvc`, as
JSON, which CVAT passes over.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _cvat_labels, _xml, _xml_stream
from tdvc.formats._cvat_instances import (
    Track,
    foreign_properties,
    kept_value,
    shape_fields,
    tdvc_object,
    whole_number,
)
from tdvc.formats._cvat_writer import NAME, place, write
from tdvc.formats._folder import ignore, is_file, is_picture, listing, report_rest, shortened, walk
from tdvc.formats._lookup import Found, find_picture
from tdvc.formats._videos import size_property
from tdvc.formats._xml import Node
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import path_problem, printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

TITLE = "CVAT XML 1.1"
LOSES: tuple[str, ...] = (
    "parts and holes of polygons, which become masks",
    "curves, spans and relations",
    "tags and other instances of a video that are on no frame",
    "completeness marks",
    "file ids",
    "owners, jobs and dates of a task",
)
TYPES = frozenset({"tag", "box", "polygon", "polyline", "point", "keypoints", "ellipse", "cuboid", "mask"})
KEEPS = frozenset(FIELDS) - {"complete", "file_id"}

_ROOT = "annotations"
_SNIFFED_FILES = 8
_FRAME = re.compile(r"(?:.*/)?frame_(\d{1,12})\.[A-Za-z]+")
_OF_OUR_TASKS = frozenset({"mode", "source", "subset"})
_UNREAD = frozenset({"version", "meta", "dumped"})


def detect(source: Path) -> bool:
    """Whether it is a CVAT file, or a folder with one in it or in a folder there."""
    if not source.is_dir():
        return source.suffix.lower() == ".xml" and is_file(source) and _xml.root_tag(source) == _ROOT
    return any(_xml.root_tag(source / path) == _ROOT for path in _some_files(source))


def _some_files(source: Path) -> list[str]:
    """A few XML files of the source and the folders in it."""
    found: list[str] = []
    try:
        files, folders = listing(source, "", ignore)
    except FormatError:
        return []
    found += [path for path in files if path.lower().endswith(".xml")]
    for folder in folders:
        if len(found) < _SNIFFED_FILES and folder != "images":
            found += [path for path in listing(source, folder, ignore)[0] if path.lower().endswith(".xml")]
    return found[:_SNIFFED_FILES]


@dataclass(slots=True)
class _Document:
    """One XML file: its path below the source, and what its `<meta>` says."""

    path: str
    labels: dict[str, LabelRecord]
    tasks: dict[str, _Task]
    sequences: set[str] = field(default_factory=set)

    def sequence(self, track: Node) -> str:
        """What ties the shapes of a track together: its id, made unique where the file has it twice."""
        wanted = track.attributes.get("id", "") or str(len(self.sequences))
        found, number_ = wanted, 1
        while found in self.sequences:
            number_ += 1
            found = f"{wanted}#{number_}"
        self.sequences.add(found)
        return found


@dataclass(slots=True)
class _Task:
    """What a task says of itself in plain texts, and the size of its frames."""

    texts: dict[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the labels of all files, then the pictures and videos of each.

    Raises:
        FormatError: bad-format-file, where no file can be read.
    """
    home = source if source.is_dir() else source.absolute().parent
    paths = list(walk(home, ignore)) if source.is_dir() else [source.name]
    named = [path for path in paths if path.lower().endswith(".xml")]
    files = [path for path in named if not source.is_dir() or _xml.root_tag(home / path) == _ROOT]
    problems: list[Problem] = []
    documents = [document for path in files if (document := _document(home, path, problems.append)) is not None]
    if not documents:
        name = printable(str(source))
        why = f" {problems[0].place}: {problems[0].message}" if problems else ""
        raise FormatError("bad-format-file", f"{name} has no CVAT file that can be read.{why}", source=name)
    for problem in problems:
        report(problem)
    labels: dict[str, LabelRecord] = {}
    for document in documents:
        for label in document.labels.values():
            labels.setdefault(label.key, LabelRecord(label.key, label.name, len(labels), label.fields))
    yield from labels.values()
    reader = _Reader(home, options.images, report)
    for document in documents:
        yield from reader.records(document)
    if source.is_dir() and options.images is None:
        report_rest((path for path in paths if path not in files and path not in reader.taken), report)


def _document(home: Path, path: str, report: Report) -> _Document | None:
    """The head of a file; None, and a problem, where it can't be read."""
    try:
        meta = Node("meta", {})
        for child in _xml_stream.children(home / path, _ROOT):
            if child.tag not in ("version", "meta"):
                break
            if child.tag == "meta":
                meta = child
                break
        return _Document(path, _cvat_labels.read_labels(meta), _tasks(meta))
    except (OSError, ValueError) as error:
        report(_unreadable(path, error))
        return None


def _unreadable(path: str, error: OSError | ValueError) -> Problem:
    if isinstance(error, OSError):
        return Problem("unreadable", printable(path), f"The file could not be read: {error.strerror}.")
    return Problem("record-unreadable", printable(path), f"The file {error}; what follows in it is not counted.")


def _tasks(meta: Node) -> dict[str, _Task]:
    """The tasks of the file by their id."""
    nodes = [node for node in meta.children if node.tag in ("task", "job")]
    for project in meta.named("project"):
        nodes += [task for group in project.named("tasks") for task in group.named("task")]
    found: dict[str, _Task] = {}
    for node in nodes:
        texts = {child.tag: child.text.strip() for child in node.children if not child.children and child.text.strip()}
        sizes = node.named("original_size")
        sides = [whole_number(part.text) for size in sizes for tag in ("width", "height") for part in size.named(tag)]
        size = (sides[0], sides[1]) if len(sides) == 2 and sides[0] and sides[1] else None
        found[texts.get("id", "")] = _Task(texts, size)
    return found


@dataclass(slots=True)
class _Video:
    """A video in the making; where its frames are pictures, they are the files instead.

    Attributes:
        found: where the video is.
        task: what its task says.
        splits: the property of that name.
        frames: the pictures by frame; empty where the video is the file.
        instances: by path.
    """

    found: Found
    task: _Task
    splits: dict[str, Any]
    frames: dict[int, Found]
    instances: dict[str, list[Instance]] = field(default_factory=dict)

    def file_of(self, frame: int) -> Found:
        """The file that a frame's instances belong to."""
        return self.frames.setdefault(frame, Found(f"frame_{frame:06d}")) if self.frames else self.found

    def records(self) -> Iterator[FileRecord]:
        """The video, or every frame in order."""
        if self.frames:
            for frame in sorted(self.frames):
                found = self.frames[frame]
                kept = {NAME: {"frame": Number(frame)}, **self.splits}
                yield FileRecord(
                    found.path, found.source, self.instances.get(found.path, []), kept, size=self.task.size
                )
            return
        texts = {name: text for name, text in self.task.texts.items() if name != "tdvc"}
        if not texts.keys() - _OF_OUR_TASKS:
            texts = {}
        kept = foreign_properties(tdvc_object(self.task.texts.get("tdvc", "")))
        kept |= {NAME: {"task": texts}} if texts else {}
        found = self.found
        instances = self.instances.get(found.path, [])
        properties = kept | size_property(self.task.size) | self.splits
        yield FileRecord(found.path, found.source, instances, properties, size=self.task.size)


class _Reader:
    """Reads documents; problems name the file and the image or track."""

    def __init__(self, home: Path, images: Path | None, report: Report) -> None:
        self._home = home
        self._root = images or home
        self._beside = images is None
        self._report = report
        self.taken: set[str] = set()
        self._ids: dict[str, set[str]] = {}

    def records(self, document: _Document) -> Iterator[FileRecord]:
        """The pictures in the order of the file, then the videos."""
        videos = {
            key: self._video(document, key, "") for key, task in document.tasks.items() if task.texts.get("source")
        }
        try:
            for node in _xml_stream.children(self._home / document.path, _ROOT):
                if node.tag == "image":
                    record = self._image(document, node)
                    if record is not None:
                        yield record
                elif node.tag == "track":
                    self._track(document, node, videos)
                elif node.tag not in _UNREAD:
                    message = f"The element {shortened(node.tag)} is not known."
                    self._report(Problem("skipped-other", printable(document.path), message, severity="warning"))
        except (OSError, ValueError) as error:
            self._report(_unreadable(document.path, error))
        for video in videos.values():
            if video is not None:
                yield from video.records()

    def _folders(self, document: _Document, kind: str, subset: str) -> list[str]:
        """Where files of a kind (`images`, `videos`) may lie, best first; each empty or ending in `/`."""
        inner = [f"{kind}/{subset}/", f"{kind}/", f"{subset}/", ""] if _is_plain(subset) else [f"{kind}/", ""]
        folder = posixpath.dirname(document.path) if self._beside else ""
        return [f"{folder}/{name}" for name in inner] + inner if folder else inner

    def _find(self, document: _Document, kind: str, subset: str, name: str, count: int) -> Found | None:
        """Where a named file is; None, reported, where it can't be taken."""
        cleaned = name if name.startswith("/") else "/".join(part for part in name.split("/") if part not in ("", "."))
        found = find_picture(self._root, cleaned, self._folders(document, kind, subset))
        refusal = found.refusal
        if refusal is None and found.path in self.taken:
            refusal = ("duplicate-path", "is described more than once")
        if refusal is None:
            self.taken.add(found.path)
            return found
        message = f"The file {shortened(name)} {refusal[1]}."
        place_ = printable(document.path)
        self._report(Problem(refusal[0], place_, message, dropped_files=1, dropped_instances=count))
        return None

    def _image(self, document: _Document, node: Node) -> FileRecord | None:
        attributes = dict(node.attributes)
        subset = attributes.get("subset", "")
        attributes.pop("subset", None)
        splits = {"splits": [subset]} if subset and subset != "default" else {}
        found = self._find(document, "images", subset, attributes.pop("name", ""), len(node.children))
        if found is None:
            return None
        width, height = whole_number(attributes.get("width", "")), whole_number(attributes.get("height", ""))
        size = (width, height) if width and height else None
        if size:
            del attributes["width"], attributes["height"]
        foreign = foreign_properties(tdvc_object(attributes.pop("tdvc", "")))
        place_ = f"{printable(document.path)}: {printable(found.path)}"
        instances: list[Instance] = []
        for position, shape in enumerate(node.children):
            label = document.labels.get(shape.attributes.get("label", ""))
            with _Reporting(self._report, place_, position):
                fields = shape_fields(shape, label, size)
                instances.append(self._instance(fields, found.path, str(position)))
        kept = {name: kept_value(value) for name, value in attributes.items()}
        return FileRecord(found.path, found.source, instances, {**foreign, NAME: kept} | splits, size=size)

    def _instance(self, fields: dict[str, Any], path: str, position: str) -> Instance:
        """The instance, under its own id where nobody in the file has that: people copy shapes."""
        ids = self._ids.setdefault(path, set())
        if fields.get("instance_id", "") in ids or "instance_id" not in fields:
            fields["instance_id"] = derived_instance_id(NAME, path, position)
        instance = make_instance(fields)
        ids.add(instance.instance_id)
        return instance

    def _video(self, document: _Document, key: str, subset: str) -> _Video | None:
        task = document.tasks.get(key, _Task())
        subset = subset or task.texts.get("subset", "")
        splits = {"splits": [subset]} if subset and subset != "default" else {}
        frames = self._frames(document, subset)
        name = task.texts.get("source") or task.texts.get("name") or posixpath.splitext(document.path)[0]
        found = Found("") if frames else self._find(document, "videos", subset, name, 0)
        return None if found is None else _Video(found, task, splits, frames)

    def _frames(self, document: _Document, subset: str) -> dict[int, Found]:
        """The pictures that are called like CVAT's frames, from the first folder that has some."""
        for folder in self._folders(document, "images", subset):
            try:
                files = listing(self._root, folder.rstrip("/"), ignore)[0]
            except FormatError:
                continue
            named = {path: match for path in files if is_picture(path) and (match := _FRAME.fullmatch(path))}
            if named:
                self.taken.update(named)
                return {int(match[1]): Found(path, self._root / path) for path, match in named.items()}
        return {}

    def _track(self, document: _Document, node: Node, videos: dict[str, _Video | None]) -> None:
        key = node.attributes.get("task_id", "")
        if key not in document.tasks and len(document.tasks) == 1:
            key = next(iter(document.tasks))
        if key not in videos:
            videos[key] = self._video(document, key, node.attributes.get("subset", ""))
        video = videos[key]
        track = Track(node, document.labels.get(node.attributes.get("label", "")), document.sequence(node))
        place_ = f"{printable(document.path)}: track {printable(track.sequence)}"
        if video is None:
            message = "The video of the track can't be taken."
            self._report(Problem("record-unreadable", place_, message, dropped_instances=track.visible))
            return
        for position, shape in enumerate(node.children):
            with _Reporting(self._report, place_, position):
                track.take(shape, video.task.size)
        for fields in track.fields:
            path = video.file_of(fields["frame"]).path
            with _Reporting(self._report, place_, fields["frame"]):
                instance = self._instance(fields, path, f"{track.sequence}/{fields['frame']}")
                video.instances.setdefault(path, []).append(instance)
        if track.waiting:
            message = "The track is nowhere visible, so it has no instances."
            self._report(Problem("skipped-other", place_, message, severity="warning"))


class _Reporting:
    """Turns what is wrong with one shape into a problem and goes on."""

    def __init__(self, report: Report, place_: str, position: int) -> None:
        self._report, self._place, self._position = report, place_, position

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, (SchemaError, ValueError)):
            return False
        reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
        message = f"Shape {self._position}: {reason}."
        where = str(self._position)
        self._report(Problem("instance-invalid", self._place, message, where, dropped_instances=1))
        return True


def _is_plain(subset: str) -> bool:
    return bool(subset) and path_problem(subset) is None
