"""One spatial type as another, where nothing is made up: geometries as parsed JSON, numbers as they are spelled.

`boxed` is for who wants boxes and nothing else: it takes any shape that encloses something.

The box of a polygon has four of the polygon's own numbers and so their spelling; the polygon of an upright box too.
What has no exact counterpart, such as the mask of a box, is not converted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tdvc.model import geometry, numbers
from tdvc.model.numbers import value_of
from tdvc.model.records import Instance


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


_rings = msgspec.json.Decoder(list[list[list[float]]])


def boxed(instance: Instance) -> Instance:
    """The same instance as the upright box around its shape; itself where it is one, or where no area is around it."""
    box = _around_parts(bytes(instance.geometry)) if instance.type == "polygon" else instance.bounding_box
    if box is None or (instance.type == "box" and len(instance.coordinates) == 4):
        return instance
    if not (box[0] < box[2] and box[1] < box[3]):
        return instance
    sides = ",".join([repr(int(side) if side.is_integer() else side) for side in map(float, box)])
    return msgspec.structs.replace(instance, type="box", geometry=msgspec.Raw(f"[{sides}]".encode()))


def _around_parts(polygon: bytes) -> geometry.Box:
    """The box around the exteriors of a polygon's parts."""
    exteriors = [part[0] for part in _rings.decode(polygon)]
    xs = exteriors[0][0::2] if len(exteriors) == 1 else [x for ring in exteriors for x in ring[0::2]]
    ys = exteriors[0][1::2] if len(exteriors) == 1 else [y for ring in exteriors for y in ring[1::2]]
    return min(xs), min(ys), max(xs), max(ys)


CONVERSIONS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("box", "polygon"): _polygon_of_box,
    ("mask", "box"): _box_of_mask,
    ("polygon", "box"): _box_of_polygon,
}
"""Which type can be turned into which, and how."""
