"""The class lists of pictures whose pixels are classes: which value or colour is which class.

Plain lists (`labels.txt`, `classes.txt`) have a class a line, the first being value 0; `labelmap.txt`
(`name:r,g,b:parts:actions`) and `label_colors.txt` (`r g b name`) say colours too. Where there are colours, classes go
by them, also in masks that are RGB pictures, and by their line where a palette has none of the colours.

Source: the development kit of VOC 2012 for values and void; Datumaro and CVAT for `labelmap.txt`; CamVid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tdvc.formats._folder import read_bytes
from tdvc.formats._index_png import MAX_VALUE, VOID, Values, colors_in, read_png, values_in, voc_colors
from tdvc.formats._json import parse_strictly
from tdvc.formats.base import LabelRecord
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.names import printable

PLAIN_LISTS = ("labels.txt", "classes.txt")
LABELMAP = "labelmap.txt"
COLOR_LISTS = (LABELMAP, "label_colors.txt")

_BACKGROUND = frozenset(("", "background", "_background_", "__background__", "bg"))
_MAX_LIST_BYTES = 16 << 20
_LABELMAP_LINE = re.compile(r"(.*?):(\d{1,3}),(\d{1,3}),(\d{1,3}):[^:]*:[^:]*")
_UNCOLORED_LINE = re.compile(r"([^:]+)::[^:]*:[^:]*")
_COLORS_LINE = re.compile(r"(\d{1,3})\s+(\d{1,3})\s+(\d{1,3})\s+(.+)")


@dataclass(slots=True)
class MaskClasses:
    """What values mean.

    Attributes:
        names: classes by value; None where there is no list.
        colors: values by colour, `red << 16 | green << 8 | blue`.
    """

    names: dict[int, str] | None = None
    colors: dict[int, int] = field(default_factory=dict)

    def label(self, value: int) -> str | None:
        """The class of a value; None where it is background or void."""
        unlisted = None if value in (0, VOID) else unlisted_name(value)
        return (self.names or {}).get(value, unlisted)

    def values(self, path: Path) -> Values:
        """The value of every pixel of a mask. Raises ValueError, the end of a sentence."""
        return read_png(path, self._values)

    def _values(self, picture: Image.Image, stretch: int) -> Values:
        if picture.mode in ("RGB", "RGBA"):
            if not self.colors:
                raise ValueError("is a colour picture, and no list says which colour is which class")
            return by_color(colors_in(picture), self.colors)
        values = values_in(picture, stretch)
        palette = picture.getpalette("RGB") if picture.mode == "P" and self.colors else None
        if not palette:
            return values
        entries = np.resize(np.array(palette, np.int64), (256, 3))
        entries[len(palette) // 3 :] = -1
        meant = [self.colors.get(int(r << 16 | g << 8 | b), -1) for r, g, b in entries]
        table = np.where(np.array(meant) >= 0, meant, np.arange(256))
        found: Values = table[values]
        return found

    def records(self, place: str, report: Report) -> Iterator[LabelRecord]:
        """The classes by value, each once; a second value of one is reported, at `place`."""
        colors = {value: color for color, value in self.colors.items()}
        known: set[str] = set()
        for value, name in (self.names or {}).items():
            fields: dict[str, Any] = {"value": Number(value)}
            if value in colors:
                fields["color"] = [Number(colors[value] >> shift & 255) for shift in (16, 8, 0)]
            if name in known:
                message = f"Value {value} has the class {printable(name)!r} of an earlier value; they become one."
                report(Problem("duplicate-class", place, message, severity="warning"))
                continue
            yield LabelRecord(name, name, len(known), fields)
            known.add(name)


def unlisted_name(value: int) -> str:
    """What a class is called that no list names."""
    return f"class {value}"


def by_color(colors: Values, meant: dict[int, int]) -> Values:
    """The values of colours. Raises ValueError where a colour other than black has none."""
    present, where = np.unique(colors, return_inverse=True)
    unknown = [int(color) for color in present if int(color) not in meant and color]
    if unknown:
        raise ValueError(f"has the colour #{unknown[0]:06x}, which no class has")
    table = np.array([meant.get(int(color), 0) for color in present], np.int64)
    found: Values = table[where].reshape(colors.shape)
    return found


def read_list(root: Path, path: str, report: Report) -> MaskClasses:
    """The classes of a list; none, reported, where it can't be read."""
    lines = [line.strip() for line in lines_of(root, path, report)]
    if path.lower() in PLAIN_LISTS:
        return _classes(map(_plain, lines))
    return _classes(_with_color(line) for line in lines if not line.startswith("#"))


def lines_of(root: Path, path: str, report: Report) -> list[str]:
    """The lines of a text file; none, reported, where it can't be read."""
    try:
        text = read_bytes(root / path, _MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        report(Problem("record-unreadable", printable(path), f"The list can't be read: {error}."))
        return []
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def _classes(lines: Iterable[tuple[str, int | None]]) -> MaskClasses:
    names: dict[int, str] = {}
    colors: dict[int, int] = {}
    for value, (name, color) in enumerate(lines):
        if color is not None:
            colors.setdefault(color, value)
        if name and (value > 0 or name.lower() not in _BACKGROUND) and name != unlisted_name(value):
            names[value] = name
    return MaskClasses(names, colors)


def _with_color(line: str) -> tuple[str, int | None]:
    """The name in a line of a list with colours, and its colour."""
    if found := _LABELMAP_LINE.fullmatch(line):
        name, *color = found.groups()
    elif found := _COLORS_LINE.fullmatch(line):
        *color, name = found.groups()
    elif found := _UNCOLORED_LINE.fullmatch(line):
        return _plain(found[1].strip())
    else:
        return _plain(line)
    red, green, blue = (min(255, int(part)) for part in color)
    return _plain(name.strip())[0], red << 16 | green << 8 | blue


def _plain(line: str) -> tuple[str, None]:
    """The name in a line, which our own writers put in JSON where a line could not hold it."""
    try:
        name = parse_strictly(line.encode()) if line.startswith('"') else line
    except ValueError:
        name = line
    return (name if isinstance(name, str) else line), None


def class_values(labels: Sequence[LabelRecord]) -> dict[str, int]:
    """Every class's value: the one it came with (`value`), else its place in the list counted from 1 where free."""
    values: dict[str, int] = {}
    for label in labels:
        given = numbers.plain(label.fields.get("value"))
        if isinstance(given, int) and 0 <= given <= MAX_VALUE and given not in values.values():
            values[label.key] = given
    for label in labels:
        if label.key not in values:
            taken = {*values.values(), VOID}
            wanted = (label.index or 0) + 1
            values[label.key] = wanted if wanted not in taken else min(set(range(1, MAX_VALUE + 1)) - taken)
    return values


def class_colors(labels: Sequence[LabelRecord], values: dict[str, int]) -> list[list[int]]:
    """A colour for each of 256 values: those of VOC, those of the classes where they have some."""
    colors = voc_colors()
    for label in labels:
        given = numbers.plain(label.fields.get("color"))
        fits = isinstance(given, list) and len(given) == 3 and all(isinstance(c, int) and 0 <= c < 256 for c in given)
        if fits and values[label.key] < 256:
            colors[values[label.key]] = given
    return colors


def listed_name(name: str, forbidden: str = "") -> str:
    """A name as a line of a list holds it: in JSON where it could be misread.

    Args:
        name: the name.
        forbidden: characters that mean something in the list.
    """
    plain = name == name.strip() and len(name.splitlines()) == 1 and name[0] != '"'
    return name if plain and not set(forbidden) & set(name) else json.dumps(name)
