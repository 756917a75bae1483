"""Datumaro JSON: one file a subset in `annotations/`, the media by subset in `images/`, `videos/`, `point_clouds/`.

A subset is a split; `default` means none. An item is a file, save that the frames of one video are one file. What tdvc
knows and Datumaro has no word for goes into the key `tdvc` of an annotation or item, which Datumaro passes over when it
reads and does not write: so what it says is only ever about the record as we wrote it. What has a customary attribute
goes there, because attributes survive a round trip through Datumaro: `instance_id`, `score`, `track_id`, `rotation`.

An item's id names its media where the path is absolute, as Datumaro writes it for media it did not save; such a path is
never followed. Items are parsed one by one and strictly, so that a file costs little memory beyond its own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _datumaro_annotations
from tdvc.formats._datumaro_annotations import NAME, foreign_properties
from tdvc.formats._datumaro_categories import Classes, whole_number
from tdvc.formats._datumaro_writer import FOLDERS, frame_id, place, write
from tdvc.formats._folder import (
    ignore,
    is_file,
    is_folder,
    listing,
    shortened,
)
from tdvc.formats._json import ends_of, parse_strictly, read_json
from tdvc.formats._lookup import Found, find_picture
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

TITLE = "Datumaro JSON"
LOSES: tuple[str, ...] = (
    "parts and holes of polygons, which other tools see as masks",
    "curves, spans and relations",
    "completeness marks",
    "file ids",
    "a data set's own `infos`",
)
TYPES = frozenset({"tag", "box", "polygon", "polyline", "point", "keypoints", "ellipse", "cuboid", "mask"})
KEEPS = frozenset(FIELDS) - {"complete", "file_id"}

MAX_FILE_BYTES = 4 << 30
_SNIFFED_BYTES = 1 << 18
_FOREIGN = re.compile(r"^(/|\\|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://)")


class _Document(msgspec.Struct):
    """A subset file, its parts as raw text."""

    items: list[msgspec.Raw]
    categories: msgspec.Raw = msgspec.Raw(b"{}")
    infos: msgspec.Raw = msgspec.Raw(b"{}")


_documents = msgspec.json.Decoder(_Document)


def detect(source: Path) -> bool:
    """Whether it is a Datumaro file, or a folder with some in it or in its `annotations`."""
    if source.is_dir():
        return any(_sniff(source / path) for path in _files_in(source))
    return source.suffix.lower() == ".json" and is_file(source) and _sniff(source)


def _files_in(source: Path) -> list[str]:
    folder = "annotations" if is_folder(source / "annotations") else ""
    try:
        return [path for path in listing(source, folder, ignore)[0] if path.lower().endswith(".json")]
    except FormatError:
        return []


def _sniff(path: Path) -> bool:
    """Whether both keys are in the beginning or end of an object, and no key that only COCO has."""
    ends = ends_of(path, _SNIFFED_BYTES)
    return ends.startswith(b"{") and b'"items"' in ends and b'"categories"' in ends and b'"image_id"' not in ends


@dataclass(slots=True)
class _Subset:
    """One file: its split, the labels by position, and its items as text."""

    place: str
    name: str
    labels: list[str]
    items: list[msgspec.Raw]


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the labels, then the items in the order of each file, then the videos that items are frames of.

    Raises:
        FormatError: bad-format-file, where no file can be read.
    """
    folder = source.is_dir()
    files = [path for path in _files_in(source) if _sniff(source / path)] if folder else [source.name]
    home = source if folder else source.parent
    root = options.images or (home.parent if not folder and home.name == "annotations" else home)
    classes = Classes()
    problems: list[Problem] = []
    subsets = [subset for path in files if (subset := _load(home, path, classes, problems.append)) is not None]
    if not subsets:
        name = printable(str(source))
        why = f" {problems[0].place}: {problems[0].message}" if problems else ""
        raise FormatError("bad-format-file", f"{name} has no Datumaro file that can be read.{why}", source=name)
    for problem in problems:
        report(problem)
    yield from classes.records.values()
    reader = _Reader(root, report)
    for subset in subsets:
        yield from reader.records(subset)


def _load(home: Path, path: str, classes: Classes, report: Report) -> _Subset | None:
    """One file; None, and a problem, where it can't be read."""

    def decode(content: bytes) -> tuple[_Document, list[str]]:
        document = _documents.decode(content)
        categories = parse_strictly(bytes(document.categories))
        return document, classes.take(categories if isinstance(categories, dict) else {})

    try:
        document, labels = read_json(home / path, MAX_FILE_BYTES, decode)
    except FormatError as error:
        report(Problem("record-unreadable", printable(path), error.message))
        return None
    if bytes(document.infos).translate(None, b" \t\r\n") not in (b"{}", b"null"):
        message = "The 'infos' of the data set are not kept."
        report(Problem("skipped-other", printable(path), message, severity="warning"))
    return _Subset(path, posixpath.splitext(posixpath.basename(path))[0], labels, document.items)


@dataclass(slots=True)
class _Video:
    """A video in the making: the instances of the frames met so far."""

    path: str
    source: Path | None
    instances: list[Instance] = field(default_factory=list)
    kept: dict[str, Any] = field(default_factory=dict)
    foreign: dict[str, Any] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)

    def take(self, item: dict[str, Any], media: _Media, has_annotations: bool) -> int | None:
        """Keep what an item says besides its annotations; the frame it is about, None for the whole video."""
        frame = whole_number(media.fields.pop("frame_index", None)) if media.kind == "video_frame" else None
        if media.fields:
            item[media.kind] = media.fields
        if frame is None:
            self.kept |= item
        elif item != {"id": frame_id(self.path, frame)} or not has_annotations:
            self.kept.setdefault("frames", {})[str(frame)] = item
        return frame


@dataclass(frozen=True, slots=True)
class _Media:
    """What an item is about: the kind, the path below that kind's folder as yet unchecked, and what else it says."""

    kind: str
    name: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an item's media is and where the item itself, for messages; and the videos of its subset."""

    media: _Media
    found: Found
    place: str
    videos: dict[str, _Video]


class _Reader:
    """Reads the items of the subsets; problems name the file and the item's place in it."""

    def __init__(self, root: Path, report: Report) -> None:
        self._root = root
        self._report = report
        self._taken: set[str] = set()

    def records(self, subset: _Subset) -> Iterator[FileRecord]:
        """The files of one subset."""
        videos: dict[str, _Video] = {}
        splits = {} if subset.name == "default" else {"splits": [subset.name]}
        for position, raw in enumerate(subset.items):
            place_ = f"{printable(subset.place)}: items[{position}]"
            record = self._item(subset, raw, place_, videos)
            if record is not None:
                yield FileRecord(
                    record.path, record.source, record.instances, record.properties | splits, size=record.size
                )
        for video in videos.values():
            properties = {**video.foreign, NAME: video.kept} if video.kept else video.foreign
            yield FileRecord(video.path, video.source, video.instances, properties | splits)

    def _item(self, subset: _Subset, raw: msgspec.Raw, place_: str, videos: dict[str, _Video]) -> FileRecord | None:
        """The file of an item; None where it goes to a video, or is reported."""
        annotations: list[Any] = []
        try:
            item = parse_strictly(bytes(raw))
            if not isinstance(item, dict):
                raise ValueError("is not an object")
            annotations = _annotations_of(item)
            media = _media_of(item)
        except ValueError as error:
            self._refuse("record-unreadable", place_, f"The item {error}.", len(annotations))
            return None
        folders = [f"{FOLDERS[media.kind]}/{subset.name}/", f"{FOLDERS[media.kind]}/", f"{subset.name}/", ""]
        found = find_picture(self._root, media.name, folders)
        refusal = found.refusal
        if refusal is None and found.path in self._taken and found.path not in videos:
            refusal = ("duplicate-path", "is described by an earlier item")
        if refusal is not None:
            message = f"The file {shortened(found.path)} {refusal[1]}."
            self._refuse(refusal[0], place_, message, len(annotations))
            return None
        self._taken.add(found.path)
        return self._record(subset, item, annotations, _Place(media, found, place_, videos))

    def _refuse(self, code: str, place_: str, message: str, count: int) -> None:
        self._report(Problem(code, place_, message, dropped_files=1, dropped_instances=count))

    def _record(
        self, subset: _Subset, item: dict[str, Any], annotations: list[Any], where: _Place
    ) -> FileRecord | None:
        media, path = where.media, where.found.path
        foreign = foreign_properties(item.pop("tdvc", None))
        if media.kind in ("video", "video_frame"):
            video = where.videos.setdefault(path, _Video(path, where.found.source))
            frame = video.take(item, media, bool(annotations))
            video.foreign |= foreign
            video.instances += self._instances(annotations, subset.labels, where, video.ids, frame)
            return None
        size = _size_of(media.fields) if media.kind == "image" else None
        if media.fields:
            item[media.kind] = media.fields
        instances = self._instances(annotations, subset.labels, where, set())
        return FileRecord(path, where.found.source, instances, {**foreign, NAME: item}, size=size)

    def _instances(
        self,
        annotations: list[Any],
        labels: list[str],
        where: _Place,
        ids: set[str],
        frame: int | None = None,
    ) -> list[Instance]:
        instances = []
        for position, value in enumerate(annotations):
            identity = str(position) if frame is None else f"{frame}/{position}"
            try:
                if not isinstance(value, dict):
                    raise ValueError("is not an object")
                fields = _datumaro_annotations.read(value, labels, frame)
                if fields.get("instance_id") in ids or "instance_id" not in fields:
                    fields["instance_id"] = derived_instance_id(NAME, where.found.path, identity)
                instance = make_instance(fields)
            except (SchemaError, ValueError) as error:
                reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
                message = f"Annotation {position}: {reason}."
                self._report(Problem("instance-invalid", where.place, message, str(position), dropped_instances=1))
                continue
            ids.add(instance.instance_id)
            instances.append(instance)
        return instances


def _annotations_of(item: dict[str, Any]) -> list[Any]:
    found = item.pop("annotations", None)
    if found is None:
        return []
    if not isinstance(found, list):
        raise ValueError("has 'annotations' that are not a list")
    return found


def _media_of(item: dict[str, Any]) -> _Media:
    """What an item is about; its key for that is taken out of the item.

    Raises:
        ValueError: the item has no id; the end of a sentence.
    """
    identity = item.get("id")
    if not isinstance(identity, str) or isinstance(identity, Number) or not identity:
        raise ValueError("has no 'id' that is text")
    kind = next((kind for kind in FOLDERS if isinstance(item.get(kind), dict)), None)
    if kind is None:
        return _Media("image", identity, {})
    fields = item.pop(kind)
    path = fields.pop("video_path" if kind == "video_frame" else "path", None)
    if not isinstance(path, str) or not path or _FOREIGN.match(path):
        suffix = posixpath.splitext(path.replace("\\", "/"))[1] if isinstance(path, str) else ""
        path = identity if identity.endswith(suffix) else identity + suffix
    return _Media(kind, "/".join(part for part in path.split("/") if part not in ("", ".")), fields)


def _size_of(fields: dict[str, Any]) -> tuple[int, int] | None:
    """Width and height, taken out of what an item says of its picture."""
    size = fields.get("size")
    sides = [whole_number(side) for side in size] if isinstance(size, list) else []
    if len(sides) != 2 or not sides[0] or not sides[1]:
        return None
    del fields["size"]
    return sides[1], sides[0]
