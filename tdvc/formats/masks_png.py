"""Masks as PNG: pictures under `images/`, and for each a PNG under `masks/` whose pixel values are classes.

    labels.txt                the class of value 0, of value 1… a line each
    images/[split/]a.jpg
    masks/[split/]a.png       palette or grey, 8 or 16 bits; one value a class

Value 0 is background where its line is empty or says so, or where there is no list; 255 without a line means that
nobody knows, and is kept in the properties. Every other value of a picture becomes one mask: what belongs to two
objects of a class can't be told apart. `labelmap.txt` (`name:r,g,b:parts:actions`) and `label_colors.txt`
(`r g b name`) are understood too; classes then go by colour, also in masks that are RGB pictures, and by their line
where a palette has none of the colours.

Source: the development kit of VOC 2012 for values, void and palette; Datumaro for `labelmap.txt`; CamVid.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _pictures
from tdvc.formats._folder import (
    SPLIT_NAMES,
    ignore,
    is_folder,
    is_picture,
    listing,
    report_rest,
    walk,
)
from tdvc.formats._index_png import VOID, Values
from tdvc.formats._mask_classes import COLOR_LISTS, PLAIN_LISTS, MaskClasses, lines_of, read_list
from tdvc.formats._masks_png_writer import place, write
from tdvc.formats.base import NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

NAME = "masks-png"
TITLE = "Masks as PNG"
LOSES: tuple[str, ...] = (
    "geometries other than masks; polygons are drawn as masks",
    "which of two objects of one class a pixel belongs to",
    "all but the upper of masks that overlap",
    "attributes",
    "scores",
    "instance and file ids",
    "video frames and sequences",
    "completeness marks",
    "properties",
)
TYPES = frozenset({"mask"})
KEEPS = frozenset({"empty-files", "numbers", "splits"})

MAX_VALUES = 256
"""Of one mask. More are numbers of objects, not of classes."""

_PICTURE_FOLDERS = ("images", "jpegimages", "imgs")
_MASK_FOLDERS = ("masks", "mask", "segmentationclass", "annotations", "labels")
_SPLITS = "splits.txt"
_SPLIT_NAMES = SPLIT_NAMES | {"training"}
_SNIFFED_FILES = 50


@dataclass(slots=True)
class _Source:
    """Where things are.

    Attributes:
        root: the source.
        pictures_root: the folder that paths of pictures are relative to.
        picture_folder: holds the pictures, below it; empty where it is the folder itself.
        mask_folder: holds the masks, below `root`.
        classes: what values mean.
        splits: what a folder of a split may be called, lower case.
    """

    root: Path
    pictures_root: Path
    picture_folder: str
    mask_folder: str
    classes: MaskClasses = field(default_factory=MaskClasses)
    splits: frozenset[str] = _SPLIT_NAMES


def detect(source: Path) -> bool:
    """Whether a folder of pictures lies beside a folder of nothing but PNG."""
    found = _folders(source) if source.is_dir() else None
    if found is None or not found[0]:
        return False
    picture_folder, mask_folder = found
    boxed = picture_folder.lower() == "jpegimages" and is_folder(source / "Annotations")
    if boxed or is_folder(source / "SegmentationObject"):
        return False  # boxes or objects are there as well, which the reader of VOC takes
    suffixes = {posixpath.splitext(path)[1].lower() for path in _some_files(source, mask_folder)}
    return suffixes == {".png"}


def _folders(source: Path) -> tuple[str, str] | None:
    """The folders of pictures and of masks; the former empty where only masks came."""
    try:
        by_name = {name.lower(): name for name in listing(source, "", ignore)[1]}
    except FormatError:
        return None
    pictures = next((by_name[name] for name in _PICTURE_FOLDERS if name in by_name), None)
    allowed = _MASK_FOLDERS if pictures else _MASK_FOLDERS[:3]
    found = next((by_name[name] for name in allowed if name in by_name), None)
    return None if found is None else (pictures or "", found)


def _some_files(source: Path, folder: str) -> list[str]:
    files: list[str] = []
    waiting = [folder]
    for _ in range(_SNIFFED_FILES):
        if not waiting or len(files) >= _SNIFFED_FILES:
            break
        here, folders = listing(source, waiting.pop(), ignore)
        files += here[:_SNIFFED_FILES]
        waiting += folders
    return files


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes, the pictures by path, then the masks without a picture.

    Raises:
        FormatError: bad-format-file, where there is no folder of masks.
    """
    found = _folders(source) if source.is_dir() else None
    if found is None:
        name = printable(str(source))
        raise FormatError("bad-format-file", f"{name} has no folder of masks.", source=name)
    elsewhere = options.images
    layout = _Source(source, elsewhere or source, "" if elsewhere else found[0], found[1])
    rest = _look_around(layout, found, report)
    yield from layout.classes.records(printable(layout.mask_folder), report)
    by_name = {}
    for path in walk(source, report, layout.mask_folder):
        if path.lower().endswith(".png"):
            by_name[path[len(layout.mask_folder) + 1 : -4]] = path
        else:
            rest.append(path)
    for picture in _pictures_of(layout, options, report, rest):
        mask = _mask_of(_inner(layout, picture), by_name)
        if mask is not None or elsewhere is None:
            yield _record(layout, picture, mask, report)
    for name, mask in by_name.items():
        yield _record(layout, name, mask, report, missing=True)
    report_rest(rest, report)


def _look_around(layout: _Source, used: tuple[str, str], report: Report) -> list[str]:
    """Read the lists at the top; what else is there is passed over."""
    files, folders = listing(layout.root, "", report)
    lists = {path.lower(): path for path in files}
    name = next((lists[name] for name in PLAIN_LISTS + COLOR_LISTS if name in lists), None)
    if name is not None:
        layout.classes = read_list(layout.root, name, report)
    if _SPLITS in lists:
        layout.splits |= {line.lower() for line in lines_of(layout.root, lists[_SPLITS], report)}
    for folder in folders:
        if folder not in used:
            message = "The format has no use for this folder."
            report(Problem("skipped-other", printable(folder), message, severity="warning"))
    return [path for path in files if path not in (name, lists.get(_SPLITS))]


def _pictures_of(layout: _Source, options: ReadOptions, report: Report, rest: list[str]) -> Iterator[str]:
    """The pictures, relative to their root."""
    if options.images is None and not layout.picture_folder:
        return
    for path in walk(layout.pictures_root, report if options.images is None else ignore, layout.picture_folder):
        if is_picture(path):
            yield path
        elif options.images is None:
            rest.append(path)


def _inner(layout: _Source, picture: str) -> str:
    return picture[len(layout.picture_folder) + 1 :] if layout.picture_folder else picture


def _mask_of(name: str, by_name: dict[str, str]) -> str | None:
    """The mask of a picture, which no other picture gets then."""
    stem = posixpath.splitext(name)[0]
    return next((by_name.pop(key) for key in (name, stem, f"{stem}_mask") if key in by_name), None)


def _record(layout: _Source, path: str, mask: str | None, report: Report, *, missing: bool = False) -> FileRecord:
    source = None if missing else layout.pictures_root / path
    size = _pictures.size_of(source) if source is not None else None
    top, slash, _ = _inner(layout, path).partition("/")
    properties: dict[str, Any] = {"splits": [top]} if slash and top.lower() in layout.splits else {}
    instances: list[Instance] = []
    if mask is not None:
        try:
            values = layout.classes.values(layout.root / mask)
            instances = _instances(layout, path, values)
        except (SchemaError, ValueError) as error:
            reason = f"can't be read: {error.fields['problem']}" if isinstance(error, SchemaError) else str(error)
            report(Problem("record-unreadable", printable(mask), f"The mask {reason}."))
        else:
            _warn(layout, mask, values, size, instances, report)
            if layout.classes.label(VOID) is None and (values == VOID).any():
                properties[NAME] = {"void": masks.encode_rle(values == VOID)}
    return FileRecord(path, source, instances, properties, size=size)


def _instances(layout: _Source, path: str, values: Values) -> list[Instance]:
    present = [int(value) for value in np.unique(values)]
    if len(present) > MAX_VALUES:
        raise ValueError(f"has {len(present):,} values; those are numbers of objects, not of classes")
    by_label: dict[str, list[int]] = {}
    for value in present:
        label = layout.classes.label(value)
        if label is not None:
            by_label.setdefault(label, []).append(value)
    return [
        make_instance(
            {
                "instance_id": derived_instance_id(NAME, path, label),
                "label": label,
                "type": "mask",
                "geometry": masks.encode_rle(np.isin(values, meant)),
            }
        )
        for label, meant in by_label.items()
    ]


def _warn(
    layout: _Source,
    mask: str,
    values: Values,
    size: tuple[int, int] | None,
    instances: list[Instance],
    report: Report,
) -> None:
    """Say what looks odd: a mask of another size than its picture, and values that the list does not have."""
    height, width = values.shape
    if size is not None and size != (width, height):
        message = f"The mask is {width} x {height} pixels, but its picture is {size[0]} x {size[1]}."
        report(Problem("instance-invalid", printable(mask), message, severity="warning"))
    listed = set((layout.classes.names or {}).values())
    unlisted = [instance.label for instance in instances if instance.label not in listed]
    if layout.classes.names is not None and unlisted:
        message = f"The label list, which counts lines from 0, has no line for {', '.join(unlisted)}."
        report(Problem("instance-invalid", printable(mask), message, severity="warning"))
