"""Geometry as SVG: outlines as path data, and points to be marked. Made of numbers alone, so nothing can hide in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tdvc.model import geometry, masks
from tdvc.ops.skeletons import Skeleton

MAX_MASK_PIXELS = 1 << 26
"""A larger mask is drawn as its bounding box: decoding it would take a byte a pixel."""

_CUBOID_EDGES = ((0, 4), (1, 5), (2, 6), (3, 7))


class Drawing(NamedTuple):
    """What is drawn for an instance, in pixels of the picture.

    Attributes:
        path: SVG path data, filled by the even-odd rule where it is closed; empty for none.
        points: (x, y, whether it is visible).
        open: whether the path encloses nothing, so that it is not filled.
    """

    path: str = ""
    points: tuple[tuple[float, float, bool], ...] = ()
    open: bool = False


def draw(kind: str, coordinates: Any, skeleton: Skeleton | None = None) -> Drawing:
    """The drawing of a geometry; an empty one for types with no place in the picture."""
    if kind == "box":
        return Drawing(_polygon(geometry.polygon_from_box(coordinates)))
    if kind == "polygon":
        return Drawing(_polygon(coordinates))
    if kind == "mask":
        return _mask(coordinates)
    if kind == "polyline":
        return Drawing(_line(_pairs(coordinates)), open=True)
    if kind == "point":
        return Drawing(points=((_short(coordinates[0]), _short(coordinates[1]), True),))
    if kind == "keypoints":
        return _keypoints(coordinates, skeleton or Skeleton())
    if kind == "ellipse":
        return Drawing(_ellipse(*coordinates))
    if kind == "cuboid":
        return _cuboid(_pairs(coordinates))
    if kind == "curve":
        x0, y0, cx, cy, x1, y1 = map(_number, coordinates)
        return Drawing(f"M{x0} {y0}Q{cx} {cy} {x1} {y1}", open=True)
    return Drawing()


def _short(value: float) -> float:
    return round(float(value), 2)


def _number(value: float) -> str:
    return f"{_short(value):g}" if abs(value) < 1e5 else f"{float(value):.0f}"


def _pairs(flat: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(flat[0::2], flat[1::2], strict=True))


def _line(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)


def _polygon(polygon: Sequence[Sequence[Sequence[float]]]) -> str:
    return "".join(_line(_pairs(ring)) + "Z" for part in polygon for ring in part)


def _mask(mask: Any) -> Drawing:
    height, width = mask["size"]
    if height * width <= MAX_MASK_PIXELS:
        return Drawing(_polygon(masks.mask_to_polygon(masks.decode_rle(mask))))
    box = geometry.bounding_box("mask", mask)
    return Drawing(_polygon(geometry.polygon_from_box(box))) if box else Drawing()


def _keypoints(flat: Sequence[float], skeleton: Skeleton) -> Drawing:
    points = list(zip(flat[0::3], flat[1::3], flat[2::3], strict=True))
    bones = [
        _line([points[a][:2], points[b][:2]])
        for a, b in skeleton.edges
        if max(a, b) < len(points) and points[a][2] and points[b][2]
    ]
    marks = tuple((_short(x), _short(y), seen == 2) for x, y, seen in points if seen)
    return Drawing("".join(bones), marks, open=True)


def _ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> str:
    """Two halves, because one arc can't come back to where it began."""
    dx, dy = rx * math.cos(math.radians(turn)), rx * math.sin(math.radians(turn))
    radii = f"A{_number(rx)} {_number(ry)} {_number(math.fmod(turn, 360))} 1 1"
    start, end = (f"{_number(cx + sign * dx)} {_number(cy + sign * dy)}" for sign in (-1, 1))
    return f"M{start}{radii} {end}{radii} {start}Z"


def _cuboid(corners: list[tuple[float, float]]) -> Drawing:
    faces = _line(corners[:4]) + "Z" + _line(corners[4:]) + "Z"
    edges = "".join(_line([corners[a], corners[b]]) for a, b in _CUBOID_EDGES)
    return Drawing(faces + edges, open=True)
