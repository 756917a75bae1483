"""One spatial type as another, where nothing is made up: geometries as parsed JSON, numbers as they are spelled.

The box of a polygon has four of the polygon's own numbers and so their spelling; the polygon of an upright box too.
What has no exact counterpart, such as the mask of a box, is not converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tdvc.model import geometry, numbers
from tdvc.model.numbers import value_of


def converted(source: str, target: str, parsed: Any) -> Any:
    """A geometry of one type as one of another; None where that can't be said exactly."""
    convert = CONVERSIONS.get((source, target))
    return convert(parsed) if convert else None


def _box_of_polygon(parts: Any) -> Any:
    xs = [x for part in parts for x in part[0][0::2]]
    ys = [y for part in parts for y in part[0][1::2]]
    return [min(xs, key=value_of), min(ys, key=value_of), max(xs, key=value_of), max(ys, key=value_of)]


def _polygon_of_box(box: Any) -> Any:
    if len(box) == 4:
        x0, y0, x1, y1 = box
        return [[[x0, y0, x1, y0, x1, y1, x0, y1]]]
    return geometry.polygon_from_box(numbers.plain(box))


def _box_of_mask(mask: Any) -> Any:
    box = geometry.bounding_box("mask", numbers.plain(mask))
    return None if box is None else [int(side) for side in box]


CONVERSIONS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("box", "polygon"): _polygon_of_box,
    ("mask", "box"): _box_of_mask,
    ("polygon", "box"): _box_of_polygon,
}
"""Which type can be turned into which, and how."""
