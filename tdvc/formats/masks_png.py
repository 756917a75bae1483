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
import re
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tdvc.errors import FormatError
from tdvc.formats import _pictures
from tdvc.formats._folder import (
    SPLIT_NAMES,
    ignore,
    is_file,
    is_folder,
    is_picture,
    listing,
    read_bytes,
    report_rest,
    walk,
)
from tdvc.formats._json import parse_strictly
from tdvc.formats._masks_png_writer import place, write
from tdvc.formats.base import NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.numbers import Number
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

VOID = 255
MAX_VALUES = 256
"""Of one mask. More are numbers of objects, not of classes."""

_PICTURE_FOLDERS = ("images", "jpegimages", "imgs")
_MASK_FOLDERS = ("masks", "mask", "segmentationclass", "annotations", "labels")
_PLAIN_LISTS = ("labels.txt", "classes.txt")
_COLOR_LISTS = ("labelmap.txt", "label_colors.txt")
_SPLITS = "splits.txt"
_SPLIT_NAMES = SPLIT_NAMES | {"training"}
_BACKGROUND = frozenset(("", "background", "_background_", "__background__", "bg"))
_MAX_LIST_BYTES = 16 << 20
_SNIFFED_FILES = 50
_LABELMAP_LINE = re.compile(r"(.*?):(\d{1,3}),(\d{1,3}),(\d{1,3}):[^:]*:[^:]*")
_COLORS_LINE = re.compile(r"(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+(.+)")
_READABLE = (OSError, ValueError, SyntaxError, EOFError, zlib.error, Image.DecompressionBombError)


@dataclass(slots=True)
class _Source:
    """Where things are, and what values mean.

    Attributes:
        root: the source.
        pictures_root: the folder that paths of pictures are relative to.
        picture_folder: holds the pictures, below it; empty where it is the folder itself.
        mask_folder: holds the masks, below `root`.
        names: classes by value; None where there is no list.
        colors: values by colour, `r << 16 | g << 8 | b`.
        splits: what a folder of a split may be called, lower case.
    """

    root: Path
    pictures_root: Path
    picture_folder: str
    mask_folder: str
    names: dict[int, str] | None = None
    colors: dict[int, int] = field(default_factory=dict)
    splits: frozenset[str] = _SPLIT_NAMES

    def label(self, value: int) -> str | None:
        """The class of a value; None where it is background or void."""
        unlisted = None if value in (0, VOID) else f"class {value}"
        return (self.names or {}).get(value, unlisted)


def detect(source: Path) -> bool:
    """Whether a folder of pictures lies beside a folder of nothing but PNG."""
    found = _folders(source) if source.is_dir() else None
    if found is None or not found[0]:
        return False
    picture_folder, mask_folder = found
    if picture_folder.lower() == "jpegimages" and is_folder(source / "Annotations"):
        return False  # boxes are there as well, which the reader of VOC takes
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
    yield from _labels(layout, report)
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
    name = next((lists[name] for name in _PLAIN_LISTS + _COLOR_LISTS if name in lists), None)
    if name is not None:
        lines = [line.strip() for line in _lines(layout, name, report)]
        if name.lower() in _COLOR_LISTS:
            _take_labels(layout, (_with_color(line) for line in lines if not line.startswith("#")))
        else:
            _take_labels(layout, map(_plain, lines))
    if _SPLITS in lists:
        layout.splits |= {line.lower() for line in _lines(layout, lists[_SPLITS], report)}
    for folder in folders:
        if folder not in used:
            message = "The format has no use for this folder."
            report(Problem("skipped-other", printable(folder), message, severity="warning"))
    return [path for path in files if path not in (name, lists.get(_SPLITS))]


def _lines(layout: _Source, path: str, report: Report) -> list[str]:
    try:
        text = read_bytes(layout.root / path, _MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        report(Problem("record-unreadable", printable(path), f"The list can't be read: {error}."))
        return []
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def _take_labels(layout: _Source, lines: Iterable[tuple[str, int | None]]) -> None:
    layout.names = {}
    for value, (name, color) in enumerate(lines):
        if color is not None:
            layout.colors.setdefault(color, value)
        if name and (value > 0 or name.lower() not in _BACKGROUND):
            layout.names[value] = name


def _with_color(line: str) -> tuple[str, int | None]:
    """The name in a line of a list with colours, and its colour."""
    if found := _LABELMAP_LINE.fullmatch(line):
        name, *color = found.groups()
    elif found := _COLORS_LINE.fullmatch(line):
        *color, name = found.groups()
    else:
        return line, None
    red, green, blue = (min(255, int(part)) for part in color)
    return name.strip(), red << 16 | green << 8 | blue


def _plain(line: str) -> tuple[str, None]:
    """The name in a line, which our own writer puts in JSON where a line could not hold it."""
    try:
        name = parse_strictly(line.encode()) if line.startswith('"') else line
    except ValueError:
        name = line
    return (name if isinstance(name, str) else line), None


def _labels(layout: _Source, report: Report) -> Iterator[LabelRecord]:
    colors = {value: color for color, value in layout.colors.items()}
    known: set[str] = set()
    for value, name in (layout.names or {}).items():
        fields: dict[str, Any] = {"value": Number(value)}
        if value in colors:
            fields["color"] = [Number(colors[value] >> shift & 255) for shift in (16, 8, 0)]
        if name in known:
            message = f"Value {value} has the class {printable(name)!r}, which an earlier value has; they become one."
            report(Problem("duplicate-class", printable(layout.mask_folder), message, severity="warning"))
            continue
        yield LabelRecord(name, name, len(known), fields)
        known.add(name)


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
            values = _values(layout, layout.root / mask)
            instances = _instances(layout, path, values)
        except _READABLE as error:
            message = f"The mask can't be read: {str(error) or type(error).__name__}."
            report(Problem("record-unreadable", printable(mask), message))
        else:
            _warn(layout, mask, values, size, instances, report)
            if layout.label(VOID) is None and (values == VOID).any():
                properties[NAME] = {"void": masks.encode_rle(values == VOID)}
    return FileRecord(path, source, instances, properties, size=size)


def _values(layout: _Source, path: Path) -> NDArray[np.int64]:
    """The class of every pixel, (height, width). Raises one of `_READABLE`."""
    if not is_file(path):
        raise ValueError("not a regular file")
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=("PNG",)) as picture:
                masks.check_size(picture.height, picture.width)
                return _classes(layout, picture, _spread(path))
        except Image.DecompressionBombWarning as error:
            raise ValueError(str(error)) from error


def _spread(path: Path) -> int:
    """What Pillow multiplies grey values of 2 or 4 bits with, to make them fill 8."""
    with path.open("rb") as file:
        depth, kind = file.read(26)[24:]
    return 255 // (2**depth - 1) if kind == 0 and depth in (2, 4) else 1


def _classes(layout: _Source, picture: Image.Image, spread: int) -> NDArray[np.int64]:
    if picture.mode in ("RGB", "RGBA"):
        if not layout.colors:
            raise ValueError("it is a colour picture, and no list says which colour is which class")
        pixels = np.asarray(picture.convert("RGB"), np.int64)
        return _by_color(layout, pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2])
    if picture.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
        raise ValueError(f"it has the mode {picture.mode}, which is neither palette nor grey")
    values = np.asarray(picture).astype(np.int64) // spread
    palette = picture.getpalette("RGB") if picture.mode == "P" and layout.colors else None
    if not palette:
        return values
    entries = np.resize(np.array(palette, np.int64), (256, 3))
    entries[len(palette) // 3 :] = -1
    meant = [layout.colors.get(int(r << 16 | g << 8 | b), -1) for r, g, b in entries]
    table = np.where(np.array(meant) >= 0, meant, np.arange(256))
    found: NDArray[np.int64] = table[values]
    return found


def _by_color(layout: _Source, colors: NDArray[np.int64]) -> NDArray[np.int64]:
    present, where = np.unique(colors, return_inverse=True)
    unknown = [int(color) for color in present if int(color) not in layout.colors and color]
    if unknown:
        raise ValueError(f"it has the colour #{unknown[0]:06x}, which no class has")
    meant = np.array([layout.colors.get(int(color), 0) for color in present], np.int64)
    found: NDArray[np.int64] = meant[where].reshape(colors.shape)
    return found


def _instances(layout: _Source, path: str, values: NDArray[np.int64]) -> list[Instance]:
    present = [int(value) for value in np.unique(values)]
    if len(present) > MAX_VALUES:
        raise ValueError(f"it has {len(present):,} values; those are numbers of objects, not of classes")
    by_label: dict[str, list[int]] = {}
    for value in present:
        label = layout.label(value)
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
    values: NDArray[np.int64],
    size: tuple[int, int] | None,
    instances: list[Instance],
    report: Report,
) -> None:
    """Say what looks odd: a mask of another size than its picture, and values that the list does not have."""
    height, width = values.shape
    if size is not None and size != (width, height):
        message = f"The mask is {width} x {height} pixels, but its picture is {size[0]} x {size[1]}."
        report(Problem("instance-invalid", printable(mask), message, severity="warning"))
    listed = set((layout.names or {}).values())
    unlisted = [instance.label for instance in instances if instance.label not in listed]
    if layout.names is not None and unlisted:
        message = f"The label list, which counts lines from 0, has no line for {', '.join(unlisted)}."
        report(Problem("instance-invalid", printable(mask), message, severity="warning"))
