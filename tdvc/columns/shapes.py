"""Bounding boxes and areas of many geometries at once, by the rules of `tdvc.model.geometry`.

The geometries of one type become one array of numbers and the places where each begins; what is computed is then
computed for all of them in a few calls. Nothing is taken for granted: where the numbers of a type do not add up to what
its shape needs, each of its geometries is measured alone, and those for which that fails are `malformed` and have no
box. Masks, and types that are not drawn, are always read one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tdvc.columns.crossing import crossing_rings
from tdvc.model import geometry, numbers

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]

_NONE = -1
_numbers = msgspec.json.Decoder(list[float])
_OPEN, _CLOSE, _COMMA = b"[],"[0], b"[],"[1], b"[],"[2]
_COS, _SIN = np.array([1.0, 0.0, -1.0, 0.0]), np.array([0.0, 1.0, 0.0, -1.0])


@dataclass(slots=True)
class Shapes:
    """What is known of n geometries.

    Attributes:
        boxes: (n, 4) float64, `x0 y0 x1 y1`, NaN where nothing is drawn.
        areas: (n,) float64, px^2, 0 where nothing is enclosed.
        points: (n,) the fewest different points in one of its outlines, -1 for types without outlines.
        crosses_itself: (n,) whether an outline does.
        malformed: (n,) whether it does not have the shape of its type.
    """

    boxes: Floats
    areas: Floats
    points: Ints
    crosses_itself: Truths
    malformed: Truths

    @classmethod
    def nothing(cls, count: int) -> Shapes:
        """Of `count` geometries in which nothing is drawn."""
        return cls(
            np.full((count, 4), np.nan),
            np.zeros(count),
            np.full(count, _NONE, np.int64),
            np.zeros(count, bool),
            np.zeros(count, bool),
        )

    def put(self, at: Ints, some: Shapes) -> None:
        """Take over what is known of some of them."""
        for name in ("boxes", "areas", "points", "crosses_itself", "malformed"):
            getattr(self, name)[at] = getattr(some, name)


class _Unexpected(ValueError):
    """The numbers do not add up to what the type needs."""


def measure(types: Sequence[str], geometries: Sequence[bytes | msgspec.Raw]) -> Shapes:
    """Measure geometries, given as canonical JSON."""
    shapes = Shapes.nothing(len(types))
    by_type: dict[str, list[int]] = {}
    for position, name in enumerate(types):
        by_type.setdefault(name, []).append(position)
    for name, positions in by_type.items():
        some = [bytes(geometries[position]) for position in positions]
        at = np.array(positions)
        try:
            shapes.put(at, _IN_BULK.get(name, _by_the_model)(name, some))
        except (ValueError, IndexError):  # msgspec's errors are ValueErrors
            shapes.put(at, _one_by_one(name, some))
    return shapes


def _one_by_one(name: str, geometries: Sequence[bytes]) -> Shapes:
    """Each by itself, so that one which is not as it should be costs nothing but itself."""
    shapes = Shapes.nothing(len(geometries))
    measured = _IN_BULK.get(name, _by_the_model)
    for position, text in enumerate(geometries):
        try:
            shapes.put(np.array([position]), measured(name, [text]))
        except (ValueError, IndexError):
            shapes.malformed[position] = True
    return shapes


def _by_the_model(name: str, geometries: Sequence[bytes]) -> Shapes:
    """What the model says of geometries that pass its gate. Raises ValueError where one does not."""
    shapes = Shapes.nothing(len(geometries))
    for position, text in enumerate(geometries):
        parsed = numbers.parse(text)
        if geometry.shape_problem(name, parsed) is not None:
            raise _Unexpected
        coordinates = numbers.plain(parsed)
        box = geometry.bounding_box(name, coordinates)
        if box is not None:
            shapes.boxes[position] = box
        shapes.areas[position] = geometry.area(name, coordinates)
    return shapes


@dataclass(slots=True)
class _Lists:
    """Lists of numbers behind each other: where each begins, and how many it has."""

    values: Floats
    starts: Ints
    lengths: Ints

    def column(self, position: int) -> Floats:
        """The numbers at one place of every list."""
        return self.values[self.starts + position]

    def need(self, fits: Any) -> None:
        """Raise where a list does not have as many numbers as it should."""
        if not bool(np.all(fits)):
            raise _Unexpected


def _lists(geometries: Sequence[bytes]) -> _Lists:
    """The numbers of geometries that are flat lists."""
    lengths = np.array([text.count(b",") + 1 for text in geometries], np.int64)
    values = _decoded(b",".join(geometries))
    if lengths.sum() != len(values):
        raise _Unexpected
    return _Lists(values, _starts(lengths), lengths)


def _decoded(text: bytes) -> Floats:
    return np.array(_numbers.decode(b"[%b]" % text.translate(None, b"[]")), np.float64)


def _starts(lengths: Ints) -> Ints:
    starts: Ints = np.cumsum(lengths) - lengths
    return starts


def _shapes(boxes: Sequence[Floats], areas: Floats | None = None) -> Shapes:
    shapes = Shapes.nothing(len(boxes[0]))
    shapes.boxes = np.stack(boxes, axis=1)
    if areas is not None:
        shapes.areas = areas
    return shapes


def _turns(lists: _Lists) -> tuple[Floats, Floats]:
    """Cosine and sine of the fifth numbers, degrees, exact for quarter turns; of no turn where there is none."""
    degrees = np.zeros(len(lists.starts))
    turned = lists.lengths == 5
    degrees[turned] = np.fmod(lists.values[lists.starts[turned] + 4], 360.0)
    quarters = np.mod(degrees, 90.0) == 0.0
    quarter = np.where(quarters, degrees // 90.0, 0.0).astype(np.int64) % 4
    return (
        np.where(quarters, _COS[quarter], np.cos(np.radians(degrees))),
        np.where(quarters, _SIN[quarter], np.sin(np.radians(degrees))),
    )


def _boxes(name: str, geometries: Sequence[bytes]) -> Shapes:
    del name
    lists = _lists(geometries)
    lists.need((lists.lengths == 4) | (lists.lengths == 5))
    x0, y0, x1, y1 = (lists.column(position) for position in range(4))
    areas = (x1 - x0) * (y1 - y0)
    if (lists.lengths == 4).all():
        return _shapes((x0, y0, x1, y1), areas)
    cos, sin = _turns(lists)
    half_width = (np.abs((x1 - x0) * cos) + np.abs((y1 - y0) * sin)) / 2
    half_height = (np.abs((x1 - x0) * sin) + np.abs((y1 - y0) * cos)) / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    around = (cx - half_width, cy - half_height, cx + half_width, cy + half_height)
    upright = sin == 0.0
    return _shapes([np.where(upright, a, b) for a, b in zip((x0, y0, x1, y1), around, strict=True)], areas)


def _ellipses(name: str, geometries: Sequence[bytes]) -> Shapes:
    del name
    lists = _lists(geometries)
    lists.need((lists.lengths == 4) | (lists.lengths == 5))
    cx, cy, rx, ry = (lists.column(position) for position in range(4))
    cos, sin = _turns(lists)
    half_width, half_height = np.hypot(rx * cos, ry * sin), np.hypot(rx * sin, ry * cos)
    return _shapes((cx - half_width, cy - half_height, cx + half_width, cy + half_height), np.pi * rx * ry)


def _curves(name: str, geometries: Sequence[bytes]) -> Shapes:
    del name
    lists = _lists(geometries)
    lists.need(lists.lengths == 6)
    x0, y0, cx, cy, x1, y1 = (lists.column(position) for position in range(6))
    xs, ys = np.stack((x0, x1, _farthest(x0, cx, x1))), np.stack((y0, y1, _farthest(y0, cy, y1)))
    return _shapes((xs.min(axis=0), ys.min(axis=0), xs.max(axis=0), ys.max(axis=0)))


def _farthest(start: Floats, control: Floats, end: Floats) -> Floats:
    """Where one axis of a quadratic Bezier curve turns round, or its start where it does not."""
    steady = (np.minimum(start, end) <= control) & (control <= np.maximum(start, end))
    span = np.where(steady, 1.0, (start - control) + (end - control))
    t = (start - control) / span
    return np.where(steady, start, (1 - t) * (1 - t) * start + 2 * (1 - t) * t * control + t * t * end)


def _pointed(at_least: int, exactly: int = 0) -> Callable[[str, Sequence[bytes]], Shapes]:
    """Types that are lists of points; of how many different ones is noted where it matters."""

    def measured(name: str, geometries: Sequence[bytes]) -> Shapes:
        lists = _lists(geometries)
        lists.need((lists.lengths % 2 == 0) & (lists.lengths >= 2 * at_least))
        lists.need(not exactly or lists.lengths == 2 * exactly)
        xs, ys = lists.values[0::2], lists.values[1::2]
        starts, lengths = lists.starts // 2, lists.lengths // 2
        shapes = _shapes(_around(xs, ys, starts))
        if name == "polyline":
            shapes.points = _steps(xs, ys, starts, lengths, closed=False) + 1
        return shapes

    return measured


def _around(xs: Floats, ys: Floats, starts: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    return (
        np.minimum.reduceat(xs, starts),
        np.minimum.reduceat(ys, starts),
        np.maximum.reduceat(xs, starts),
        np.maximum.reduceat(ys, starts),
    )


def _steps(xs: Floats, ys: Floats, starts: Ints, lengths: Ints, *, closed: bool) -> Ints:
    """How many edges of each outline have a length."""
    before = np.arange(-1, len(xs) - 1)
    before[starts] = starts + lengths - 1 if closed else starts
    return np.add.reduceat(((xs != xs[before]) | (ys != ys[before])).astype(np.int64), starts)


def _keypoints(name: str, geometries: Sequence[bytes]) -> Shapes:
    del name
    lists = _lists(geometries)
    lists.need(lists.lengths % 3 == 0)
    labelled = lists.values[2::3] > 0
    starts = lists.starts // 3
    low = [np.where(labelled, lists.values[axis::3], np.inf) for axis in (0, 1)]
    high = [np.where(labelled, lists.values[axis::3], -np.inf) for axis in (0, 1)]
    found = [np.minimum.reduceat(values, starts) for values in low]
    found += [np.maximum.reduceat(values, starts) for values in high]
    points = np.add.reduceat(labelled.astype(np.int64), starts)
    shapes = _shapes([np.where(points > 0, values, np.nan) for values in found])
    shapes.points = points
    return shapes


def _polygons(name: str, geometries: Sequence[bytes]) -> Shapes:
    del name
    rings = _rings(geometries)
    xs, ys = rings.lists.values[0::2], rings.lists.values[1::2]
    starts, lengths = rings.lists.starts // 2, rings.lists.lengths // 2
    firsts = np.searchsorted(rings.owners, np.arange(len(geometries)))
    x0, y0, x1, y1 = _around(xs, ys, starts)
    shapes = _shapes(
        (
            np.minimum.reduceat(np.where(rings.exterior, x0, np.inf), firsts),
            np.minimum.reduceat(np.where(rings.exterior, y0, np.inf), firsts),
            np.maximum.reduceat(np.where(rings.exterior, x1, -np.inf), firsts),
            np.maximum.reduceat(np.where(rings.exterior, y1, -np.inf), firsts),
        )
    )
    parts = np.flatnonzero(rings.exterior)
    signed = np.where(rings.exterior, 1.0, -1.0) * _ring_areas(xs, ys, starts, lengths)
    part_areas = np.maximum(np.add.reduceat(signed, parts), 0.0)
    shapes.areas = np.add.reduceat(part_areas, np.searchsorted(rings.owners[parts], np.arange(len(geometries))))
    shapes.points = np.minimum.reduceat(_steps(xs, ys, starts, lengths, closed=True), firsts)
    shapes.crosses_itself = np.logical_or.reduceat(crossing_rings(xs, ys, starts, lengths), firsts)
    return shapes


@dataclass(slots=True)
class _Rings:
    """The rings of polygons: their numbers, whose each is, and whether it is the exterior of a part."""

    lists: _Lists
    owners: Ints
    exterior: Truths


def _rings(geometries: Sequence[bytes]) -> _Rings:
    """The rings of canonical polygons, read off their brackets."""
    joined = b",".join(geometries)
    text = np.frombuffer(joined, np.uint8)
    opens, closes = text == _OPEN, text == _CLOSE
    begin = np.flatnonzero(opens[:-1] & ~opens[1:])
    end = np.flatnonzero(closes[1:] & ~closes[:-1]) + 1
    if len(begin) != len(end) or not len(begin) or (begin < 2).any():
        raise _Unexpected
    commas = np.flatnonzero(text == _COMMA)
    lengths = np.searchsorted(commas, end) - np.searchsorted(commas, begin) + 1
    sizes = np.array([len(one) + 1 for one in geometries], np.int64)
    places = _starts(sizes)
    owners = np.searchsorted(places, begin, side="right") - 1
    firsts = np.searchsorted(owners, np.arange(len(geometries)))
    if len(np.unique(owners)) != len(geometries):
        raise _Unexpected
    exterior = opens[begin - 1]
    lists = _Lists(_decoded(joined), _starts(lengths), lengths)
    lists.need(exterior[firsts] & (begin[firsts] == places + 2))
    lists.need((lengths % 2 == 0) & (lengths >= 6))
    lists.need(lengths.sum() == len(lists.values))
    return _Rings(lists, owners, exterior)


def _ring_areas(xs: Floats, ys: Floats, starts: Ints, lengths: Ints) -> Floats:
    """The shoelace formula, about the first point of each ring so that far-away rings lose no digits."""
    xs, ys = xs - np.repeat(xs[starts], lengths), ys - np.repeat(ys[starts], lengths)
    before = np.arange(-1, len(xs) - 1)
    before[starts] = starts + lengths - 1
    areas: Floats = np.abs(np.add.reduceat(xs[before] * ys - xs * ys[before], starts)) / 2
    return areas


_IN_BULK: dict[str, Callable[[str, Sequence[bytes]], Shapes]] = {
    "box": _boxes,
    "polygon": _polygons,
    "polyline": _pointed(2),
    "point": _pointed(1, exactly=1),
    "keypoints": _keypoints,
    "ellipse": _ellipses,
    "cuboid": _pointed(8, exactly=8),
    "curve": _curves,
}
