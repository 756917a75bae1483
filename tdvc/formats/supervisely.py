"""Supervisely: a project of pictures or videos, its classes and tags in `meta.json`, one JSON file for each of them.

    meta.json
    key_id_map.json               of videos: which id Supervisely has given to which key
    <dataset>/img/a.jpg
    <dataset>/video/b.mp4
    <dataset>/ann/a.jpg.json
    <dataset>/datasets/<inner dataset>/…

Objects of a picture become instances (`_supervisely_shapes` says which geometry becomes what), tags of an object its
attributes, tags of the picture `tag` instances; `_supervisely_video` says what becomes of a video. A geometry that tdvc
has no type for is kept in the properties of a `tag`, and goes back as it came; so does whatever else a file says. A
dataset called like a split is one. Projects of volumes and point clouds are refused.

Source: supervisely `project/project.py`, `annotation/`, `video_annotation/`, and its documentation of the format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError
from tdvc.formats import _carry, _supervisely_instances, _supervisely_video
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
    unreadable_source,
)
from tdvc.formats._json import parse_strictly
from tdvc.formats._pictures import size_of
from tdvc.formats._supervisely_instances import Classes, Context
from tdvc.formats._supervisely_meta import NAME, node_ids
from tdvc.formats._supervisely_writer import IMAGES, VIDEOS, place, write
from tdvc.formats._videos import is_video, size_property
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import derived_instance_id
from tdvc.names import path_problem, printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

TITLE = "Supervisely project"
LOSES: tuple[str, ...] = (
    "turned boxes, ellipses, cuboids and curves",
    "instances of a video that are on no frame, apart from tags",
    "spans of text and time",
    "relations",
    "settings of tags, such as colours and lists of values",
)
TYPES = frozenset({"tag", "box", "polygon", "polyline", "point", "keypoints", "mask"})
KEEPS = frozenset(FIELDS) - {"file_id"}

MAX_FILE_BYTES = 256 << 20
_META, _IDS = "meta.json", "key_id_map.json"
_MAX_META_BYTES = 64 << 20
_OF_FILE = ("customBigData", "objects", "size", "tags")
_OF_VIDEO = ("frames", "objects", "size", "tags", _carry.KEY)
_PARTS = {IMAGES, VIDEOS, "ann", "datasets"}


@dataclass(slots=True)
class _Project:
    """What holds for all files of a project.

    Attributes:
        root: the source.
        images: where the pictures are instead, if the user says so.
        classes: what `meta.json` says.
        ids: what `key_id_map.json` says, by what has an id and its key.
        rest: files that the format has no use for.
    """

    root: Path
    images: Path | None
    classes: Classes = field(default_factory=Classes)
    ids: dict[str, dict[str, Any]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)


def detect(source: Path) -> bool:
    """Whether there is a `meta.json` with classes, and a folder with annotation files."""
    if not source.is_dir() or not is_file(source / _META):
        return False
    try:
        meta = parse_strictly(read_bytes(source / _META, _MAX_META_BYTES))
        folders = listing(source, "", ignore)[1]
    except (OSError, ValueError, FormatError):
        return False
    known = isinstance(meta, dict) and isinstance(meta.get("classes"), list)
    return known and any(is_folder(source / folder / "ann") for folder in folders)


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes, then the files of one dataset after another.

    Raises:
        FormatError: bad-format-file, where `meta.json` can't be read or is not one of pictures or videos.
    """
    project = _Project(source, options.images)
    yield from _labels(project, report)
    files, folders = listing(source, "", report)
    project.rest += [path for path in files if path not in (_META, _IDS)]
    if _IDS in files:
        project.ids = _ids(project, report)
    waiting = list(reversed(folders))
    while waiting:
        folder = waiting.pop()
        files, folders = listing(source, folder, report)
        parts = {path.rpartition("/")[2]: path for path in folders}
        if not _PARTS & parts.keys():
            _pass_over(folder, report)
            continue
        project.rest += files
        for name in sorted(parts.keys() - _PARTS):
            _pass_over(parts[name], report)
        if "datasets" in parts:
            files, inner = listing(source, parts["datasets"], report)
            project.rest += files
            waiting.extend(reversed(inner))
        yield from _dataset(project, folder, parts, report)
    report_rest(project.rest, report)


def _pass_over(folder: str, report: Report) -> None:
    message = "The format has no use for this folder."
    report(Problem("skipped-other", printable(folder), message, severity="warning"))


def _labels(project: _Project, report: Report) -> Iterator[LabelRecord]:
    path = project.root / _META
    try:
        meta = parse_strictly(read_bytes(path, _MAX_META_BYTES))
    except OSError as error:
        raise unreadable_source(path, error) from error
    except ValueError as error:
        raise _refused(f"meta.json {error}.") from error
    if not isinstance(meta, dict) or not isinstance(meta.get("classes"), list):
        raise _refused("meta.json has no list of classes.")
    if meta.get("projectType", "images") not in ("images", "videos"):
        type_ = shortened(str(meta["projectType"]))
        raise _refused(f"The project has the type {type_}; only images and videos can be read.")
    for position, fields in enumerate(meta["classes"]):
        place_ = f"{_META}: classes[{position}]"
        if not isinstance(fields, dict) or not _carry.is_text(fields.get("title")) or not fields["title"]:
            report(Problem("record-unreadable", place_, "The class has no title."))
            continue
        title = fields.pop("title")
        if title in project.classes.ids:
            message = f"The class {shortened(title)} is there more than once; one label stands for all."
            report(Problem("duplicate-class", place_, message, severity="warning"))
            continue
        project.classes.nodes[title], project.classes.ids[title] = node_ids(fields), fields.get("id")
        yield LabelRecord(title, title, len(project.classes.ids) - 1, fields)


def _refused(message: str) -> FormatError:
    return FormatError("bad-format-file", message, path=_META)


def _ids(project: _Project, report: Report) -> dict[str, dict[str, Any]]:
    """What the map of ids says; nothing, reported, where it can't be read."""
    try:
        found = parse_strictly(read_bytes(project.root / _IDS, _MAX_META_BYTES))
        if not isinstance(found, dict):
            raise ValueError("is not a JSON object")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        report(Problem("record-unreadable", _IDS, f"The ids can't be kept: {reason}.", severity="warning"))
        return {}
    return {kind: ids for kind, ids in found.items() if isinstance(ids, dict)}


def _dataset(project: _Project, folder: str, parts: dict[str, str], report: Report) -> Iterator[FileRecord]:
    annotations = []
    if "ann" in parts:
        files = _files_in(project, parts["ann"], report)
        annotations = [path for path in files if path.endswith(".json")]
        project.rest += [path for path in files if not path.endswith(".json")]
    items = [path for name in (IMAGES, VIDEOS) if name in parts for path in _files_in(project, parts[name], report)]
    if project.images is not None:
        items = []
    videos = {path.rpartition("/")[2] for path in items if path.startswith(f"{folder}/{VIDEOS}/")}
    pictures = {path.rpartition("/")[2] for path in items} - videos
    described = set()
    for annotation in annotations:
        name = annotation.rpartition("/")[2].removesuffix(".json")
        kind = VIDEOS if name in videos or (is_video(name) and name not in pictures) else IMAGES
        described.add(f"{folder}/{kind}/{name}")
        record = _read_annotation(project, folder, f"{kind}/{name}", annotation, report)
        if record is not None:
            yield record
    for path in items:
        if path in described:
            continue
        if is_picture(path) or is_video(path):
            yield FileRecord(path, project.root / path, [], _splits({}, folder))
        else:
            project.rest.append(path)


def _files_in(project: _Project, folder: str, report: Report) -> list[str]:
    """The files directly in a folder that should have none inside."""
    files, folders = listing(project.root, folder, report)
    for inner in folders:
        _pass_over(inner, report)
    return files


def _splits(carried: Any, folder: str) -> dict[str, Any]:
    split = _carry.split_in(carried)
    top = folder.split("/")[0]
    if not split and top.lower() in SPLIT_NAMES:
        split = top
    return {"splits": [split]} if split else {}


def _read_annotation(project: _Project, folder: str, item: str, annotation: str, report: Report) -> FileRecord | None:
    """The record of one file; where that can't be read, of its picture; None, reported, where there is neither."""
    root, path, problem = _find(project, folder, item)
    if problem is not None and problem[0] != "picture-missing":
        dropped = 0 if problem[0] == "skipped-symlink" and project.images is None else 1  # counted by the listing
        count = _count(project, annotation)
        message = f"The picture {problem[1]}."
        report(Problem(problem[0], printable(annotation), message, dropped_files=dropped, dropped_instances=count))
        return None
    try:
        fields = parse_strictly(read_bytes(project.root / annotation, MAX_FILE_BYTES))
        _check(fields)
    except (OSError, ValueError) as error:
        reason = f"could not be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        dropped = 1 if problem else 0
        message = f"The annotation file {reason}."
        report(Problem("record-unreadable", printable(annotation), message, dropped_files=dropped))
        return None if problem else FileRecord(path, root / path, [], _splits({}, folder))
    source = root / path if problem is None else None
    size = _size(fields.get("size")) or (size_of(source) if source and "frames" not in fields else None)
    context = Context(project.classes, f"{folder}/{item}", printable(annotation), size, report)
    carried, properties = _of_file(project, fields, folder, item)
    if "frames" in fields:
        found = _supervisely_video.instances(context, fields, project.ids)
        properties |= size_property(size)
    else:
        found = _supervisely_instances.instances(context, fields)
    known = _carry.for_file(carried)
    properties = known.pop("properties", {}) | properties
    known.pop("file_id", None)
    if source is None:
        path = _carried_path(carried) or path
    return FileRecord(path, source, found, properties, size=size, **known)


def _of_file(project: _Project, fields: dict[str, Any], folder: str, item: str) -> tuple[Any, dict[str, Any]]:
    """What our writer carried with a file, and the properties that the annotation gives it."""
    if "frames" in fields:
        carried = fields.get(_carry.KEY)
        kept = {key: value for key, value in fields.items() if key not in _OF_VIDEO and value != ""}
        identity = project.ids.get("videos", {}).get(str(fields.get("key")))
        if identity is not None:
            kept.setdefault("videoId", identity)
        if fields.get("key") == derived_instance_id(NAME, f"{folder}/{item}"):  # made up by our writer, like the count
            del kept["key"]
            kept.pop("framesCount", None)
    else:
        custom = dict(fields["customBigData"]) if isinstance(fields.get("customBigData"), dict) else {}
        carried = custom.pop(_carry.KEY, None)
        kept = {key: value for key, value in fields.items() if key not in _OF_FILE and value != ""}
        if custom:
            kept["customBigData"] = custom
    return carried, ({NAME: kept} if kept else {}) | _splits(carried, folder)


def _count(project: _Project, annotation: str) -> int:
    """How many instances an annotation file has, as far as it can be read."""
    try:
        fields = parse_strictly(read_bytes(project.root / annotation, MAX_FILE_BYTES))
        _check(fields)
    except (OSError, ValueError):
        return 0
    if "frames" in fields:
        return _supervisely_video.count(fields)
    return len(fields["objects"]) + len(fields.get("tags", []))


def _carried_path(carried: Any) -> str | None:
    path = carried.get("path") if isinstance(carried, dict) else None
    return path if _carry.is_text(path) and path_problem(path) is None else None


def _find(project: _Project, folder: str, item: str) -> tuple[Path, str, tuple[str, str] | None]:
    """The root and path of a picture or video, and why it can't be taken."""
    path, name = f"{folder}/{item}", item.partition("/")[2]
    if project.images is None:
        return project.root, path, picture_problem(project.root, path)
    for there in (path, f"{folder}/{name}", name):
        problem = picture_problem(project.images, there)
        if problem is None or problem[0] != "picture-missing":
            return project.images, there, problem
    return project.images, name, ("picture-missing", "is not there")


def _check(fields: Any) -> None:
    if not isinstance(fields, dict) or not isinstance(fields.get("objects"), list):
        raise ValueError("has no list of objects")
    for key in ("tags", "frames"):
        if not isinstance(fields.get(key, []), list):
            raise ValueError(f"has {key} that are not a list")


def _size(size: Any) -> tuple[int, int] | None:
    sides = [numbers.plain(size.get(side)) for side in ("width", "height")] if isinstance(size, dict) else []
    if len(sides) == 2 and all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        return sides[0], sides[1]
    return None
