"""COCO panoptic: a JSON file a split, and beside it a folder of the same name with a PNG a picture.

    annotations/panoptic_val2017.json      `annotations` with `segments_info`
    annotations/panoptic_val2017/a.png     the pixels: a segment's id is red + 256 green + 65536 blue, 0 is none

Every segment becomes one mask; stuff and things alike, their classes say which they are (`isthing`). What else a
segment says (`id`, `area`, `bbox`, `iscrowd`) is kept in its properties under `coco-panoptic` and written back. The
folder of PNG may also lie where the user says the pictures are, or be that folder. A PNG that is missing, of another
size than its picture or damaged leaves out its segments; colours that no segment has, and segments that no pixel has,
are listed.

A pixel belongs to one segment. Of masks that overlap the smaller one is drawn over the larger; what is covered then is
listed, and so is what no mask can say.

Source: the panoptic segmentation part of the COCO data format page, and `rgb2id` of panopticapi.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image as Pillow

from tdvc.errors import SchemaError
from tdvc.formats._coco_annotations import bad_annotation, instance_of
from tdvc.formats._coco_categories import Categories
from tdvc.formats._coco_document import PANOPTIC, Document, fields_of, has_kind, load, root_of, some_files_of, split_of
from tdvc.formats._coco_panoptic_writer import MAX_ID, NAME, default_png, place, write
from tdvc.formats._coco_pictures import Image, Picture, Pictures, images_of
from tdvc.formats._folder import picture_problem, shortened
from tdvc.formats._index_png import Values, colors_in, present_in, read_png, regions
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.ids import DerivedIds
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

TITLE = "COCO panoptic"
LOSES: tuple[str, ...] = (
    "geometries other than masks; polygons are drawn as masks",
    "what smaller masks cover of larger ones",
    "completeness marks",
    "file ids",
)
TYPES = frozenset({"mask"})
KEEPS = frozenset(FIELDS) - {"complete", "file_id"}


class _Annotation(msgspec.Struct):
    image_id: int | str
    file_name: str
    segments_info: list[msgspec.Raw]


class _Segment(msgspec.Struct):
    id: int


_annotations = msgspec.json.Decoder(_Annotation)
_segments = msgspec.json.Decoder(_Segment)


@dataclass(slots=True)
class _Part:
    """One file: its images in order, the annotation of each, and where its PNG may be."""

    place: str
    split: str
    folders: list[Path]
    labels: dict[bytes, str]
    images: list[tuple[Image, msgspec.Raw]]
    annotations: dict[int | str, tuple[_Annotation, msgspec.Raw]] = field(default_factory=dict)


def detect(source: Path) -> bool:
    """Whether it is a panoptic file, or a folder with one in it or in its `annotations`."""
    return has_kind(source, PANOPTIC)


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the categories, then the images in the order of each file.

    Raises:
        FormatError: bad-format-file, where a file can't be read.
    """
    files = some_files_of(source, PANOPTIC, report)
    categories = Categories(report)
    pictures = Pictures(root_of(source, options), report)
    parts = [_part(path, split_of(path, len(files) == 1), categories, report, options) for path in files]
    yield from categories.records.values()
    for part in parts:
        for image, raw in part.images:
            annotation = part.annotations.get(image.id)
            count = len(annotation[0].segments_info) if annotation else 0
            picture = pictures.take(image, raw, part.split, count)
            record = _record(part, image, picture, report) if picture is not None else None
            if record is not None:
                yield record


def _part(path: Path, split: str, categories: Categories, report: Report, options: ReadOptions) -> _Part:
    document, place_ = load(path), printable(path.name)
    folders = [path.parent / path.stem]
    if options.images is not None:
        folders += [options.images / path.stem, options.images]
    names = categories.take(document.categories, place_)
    part = _Part(place_, split, folders, names, images_of(document.images, place_, report))
    _take_annotations(part, document, report)
    return part


def _take_annotations(part: _Part, document: Document, report: Report) -> None:
    known = {image.id for image, _ in part.images}
    for position, raw in enumerate(document.annotations):
        code, message, count = "", "", 0
        try:
            annotation = _annotations.decode(raw)
            count = len(annotation.segments_info)
            if annotation.image_id not in known:
                owner = shortened(str(annotation.image_id))
                code, message = "record-unreadable", f"It belongs to image {owner}, which is not there."
            elif annotation.image_id in part.annotations:
                code, message = "duplicate-path", "It belongs to an image that an earlier one is about."
        except ValueError as error:
            code, message = "record-unreadable", f"The annotation {error}."
        if code:
            report(Problem(code, f"{part.place}: annotations[{position}]", message, dropped_instances=count))
        else:
            part.annotations[annotation.image_id] = annotation, raw


def _record(part: _Part, image: Image, picture: Picture, report: Report) -> FileRecord | None:
    """The file of an image with its segments; None, reported, where what is said of it can't be kept."""
    annotation, raw = part.annotations.get(image.id, (None, None))
    try:
        properties = picture.properties(NAME)
        if annotation is not None and raw is not None:
            properties[NAME]["annotation"] = _kept(annotation, raw, picture.path)
    except ValueError as error:
        count = len(annotation.segments_info) if annotation else 0
        message = f"What is said of the image {error}."
        place_ = printable(picture.path)
        report(Problem("record-unreadable", place_, message, dropped_files=1, dropped_instances=count))
        return None
    instances = _instances(part, image, picture.path, annotation, report) if annotation is not None else []
    return FileRecord(picture.path, picture.source, instances, properties, size=image.size)


def _kept(annotation: _Annotation, raw: msgspec.Raw, path: str) -> dict[str, Any]:
    """What an annotation says beside its segments; its PNG where that is not called like the picture."""
    fields = {key: numbers.parse(bytes(value)) for key, value in fields_of(raw).items()}
    usual = annotation.file_name == default_png(path)
    return {
        key: value
        for key, value in fields.items()
        if key not in ("image_id", "segments_info") and not (key == "file_name" and usual)
    }


def _instances(part: _Part, image: Image, path: str, annotation: _Annotation, report: Report) -> list[Instance]:
    """The segments of a picture that have pixels."""
    png = printable(annotation.file_name)
    segments = _listed(annotation, png, report)
    values, refusal = _pixels(part, annotation.file_name, image.size)
    if values is None:
        report(Problem(refusal[0], png, f"The PNG {refusal[1]}.", dropped_instances=len(segments)))
        return []
    _report_unlisted(values, segments, png, report)
    masks = regions(values, segments.keys())
    ids = DerivedIds("instance", NAME.encode(), path.encode())
    found = []
    for identity, raw in segments.items():
        if identity not in masks:
            message = f"Segment {identity} has no pixel."
            report(Problem("instance-invalid", png, message, str(identity), dropped_instances=1))
            continue
        geometry = numbers.spell(masks[identity])
        try:
            found.append(instance_of(raw, ids, part.labels, partial(_mask, geometry), NAME))
        except (SchemaError, ValueError) as error:
            report(bad_annotation(png, raw, error))
    return _once(found, png, report)


def _mask(geometry: bytes, _fields: dict[str, bytes]) -> tuple[str, bytes]:
    return "mask", geometry


def _once(found: list[Instance], png: str, report: Report) -> list[Instance]:
    instances: dict[str, Instance] = {}
    for instance in found:
        if instances.setdefault(instance.instance_id, instance) is not instance:
            message = "Two segments of the picture have one instance_id."
            report(Problem("duplicate-instance", png, message, instance.instance_id, dropped_instances=1))
    return list(instances.values())


def _listed(annotation: _Annotation, png: str, report: Report) -> dict[int, msgspec.Raw]:
    """The segments by id, each once."""
    segments: dict[int, msgspec.Raw] = {}
    for position, raw in enumerate(annotation.segments_info):
        try:
            identity = _segments.decode(raw).id
            if not 1 <= identity <= MAX_ID:
                raise ValueError(f"has the id {identity}, which no colour says")
            if identity in segments:
                raise ValueError(f"has the id {identity}, which an earlier one has")
        except ValueError as error:
            message = f"Segment {position} {error}."
            report(Problem("instance-invalid", png, message, str(position), dropped_instances=1))
            continue
        segments[identity] = raw
    return segments


def _pixels(part: _Part, name: str, size: tuple[int, int] | None) -> tuple[Values | None, tuple[str, str]]:
    """The id of every pixel; None, and a problem code with the end of a sentence, where they can't be had."""
    refusal = ("picture-missing", f"is not there, neither in {shortened(part.folders[0].name)} nor with the pictures")
    for folder in part.folders:
        problem = picture_problem(folder, name)
        if problem is None:
            try:
                return read_png(folder / name, partial(_ids_in, size)), refusal
            except ValueError as error:
                return None, ("record-unreadable", str(error))
        if problem[0] != "picture-missing":
            refusal = problem
    return None, refusal


def _ids_in(size: tuple[int, int] | None, picture: Pillow.Image, _stretch: int) -> Values:
    if picture.mode not in ("RGB", "RGBA", "P"):
        raise ValueError(f"has the mode {picture.mode}, and ids are colours")
    if size is not None and picture.size != size:
        sides = f"{picture.width} x {picture.height} pixels, but its picture {size[0]} x {size[1]}"
        raise ValueError(f"is {sides}")
    colors = colors_in(picture)
    ids: Values = (colors >> 16) + (colors & 0xFF00) + ((colors & 0xFF) << 16)
    return ids


def _report_unlisted(values: Values, segments: Collection[int], png: str, report: Report) -> None:
    unlisted = sorted(present_in(values) - set(segments) - {0})
    if unlisted:
        message = f"{len(unlisted):,} ids of its pixels have no segment; the first is {unlisted[0]}."
        report(Problem("instance-invalid", png, message, dropped_instances=len(unlisted)))
