"""Spatial types: the shape of each one's geometry, its bounding box and its area.

Coordinates are pixels as floats, x to the right and y down, from the top-left corner of the top-left pixel,
so a picture covers `0 <= x <= width` and its far edges belong to it.

| type | geometry |
|---|---|
| tag | none: it is about the whole file |
| box | `[x0, y0, x1, y1]`, or with a fifth number: degrees it is turned clockwise about its centre |
| polygon | parts, each a list of rings `[x, y, ...]`: first the exterior, then its holes |
| polyline | `[x, y, ...]` |
| point | `[x, y]` |
| keypoints | `[x, y, v, ...]`, v being 0 not labelled, 1 hidden, 2 visible |
| ellipse | `[cx, cy, rx, ry]`, or with a fifth number as for a box |
| cuboid | eight corners `[x, y, ...]`: the front face clockwise from its top left, then the rear face |
| curve | `[x0, y0, cx, cy, x1, y1]`, a quadratic Bezier curve |
| mask | `{"counts": text, "size": [height, width]}`, compressed run lengths down the columns |
| text_span | `[start, end]`, integers |
| time_span | `[start, end]`, seconds |
| relation | two instance ids |

`shape_problem` reads geometry as it is parsed, with numbers as text; it is the gate. Everything else takes
plain numbers that went through the gate, and does not check them again. Whether a well-shaped geometry makes
sense in its picture is a matter for validation, because real data that does not must still be kept.
"""

# ruff: noqa: A002 - `type` is what the field of an instance is called

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from tdvc.errors import SchemaError
from tdvc.model.numbers import Number

Box: TypeAlias = tuple[float, float, float, float]
"""`x0 y0 x1 y1`, pixels, upright, `x0 <= x1` and `y0 <= y1`."""

MAX_COORDINATE = 1_000_000_000
MAX_MASK_SIDE = 65_535
MAX_COUNTS_BYTES = 64 * 1024 * 1024

_MAX_RUN_CHARACTERS = 7  # 35 bits: room for any difference between two runs of the largest mask
_ROUNDING = 1e-6  # px; what converting from fractions of the picture may add at an edge
_QUARTER_TURNS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))


class _ShapeError(ValueError):
    """What is wrong, as the end of a sentence."""


@dataclass(frozen=True)
class _Rules:
    """What one spatial type knows: `check` raises `_ShapeError`, `box` and `area` take plain numbers."""

    check: Callable[[Any], object]
    box: Callable[[Any], Box | None]
    area: Callable[[Any], float]


def shape_problem(type: str, parsed_geometry: Any) -> str | None:
    """Why a geometry does not have the shape of its type, as the end of a sentence; None where it has.

    Args:
        type: a spatial type.
        parsed_geometry: JSON as `numbers.parse` reads it, every number a `Number`.
    """
    rules = _RULES.get(type)
    if rules is None:
        return "is not a spatial type"
    try:
        rules.check(parsed_geometry)
    except _ShapeError as problem:
        return str(problem)
    return None


def bounding_box(type: str, coordinates: Any) -> Box | None:
    """The smallest upright box around what is drawn, exact also for turned boxes, ellipses and curves.

    None where nothing is drawn: types with no place in the picture, empty masks, unlabelled keypoints.
    """
    return _rules_of(type).box(coordinates)


def area(type: str, coordinates: Any) -> float:
    """The area in px^2; 0 for types that enclose none. Parts of a polygon that overlap count twice."""
    return _rules_of(type).area(coordinates)


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in [0, 1]; 0 where both are empty."""
    shared = _overlap(a[0], a[2], b[0], b[2]) * _overlap(a[1], a[3], b[1], b[3])
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def _overlap(a0: float, a1: float, b0: float, b1: float) -> float:
    return max(0.0, min(a1, b1) - max(a0, b0))


def shift(a: Box, b: Box) -> tuple[float, float]:
    """How far the centre moved from `a` to `b`: `(dx, dy)`, px."""
    return (b[0] + b[2] - a[0] - a[2]) / 2, (b[1] + b[3] - a[1] - a[3]) / 2


def polygon_from_box(box_coordinates: Sequence[float]) -> list[list[list[float]]]:
    """The polygon of a box, turned as it is: one ring of its corners, clockwise from its own top left."""
    x0, y0, x1, y1 = box_coordinates[:4]
    corners = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    cos, sin = _turn(box_coordinates)
    if (cos, sin) == _QUARTER_TURNS[0]:
        return [[[value for corner in corners for value in corner]]]
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    ring = []
    for x, y in corners:
        ring += [cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos]
    return [[ring]]


def box_from_polygon(polygon: Sequence[Sequence[Sequence[float]]]) -> list[float]:
    """The coordinates of the upright box around a polygon."""
    return list(_polygon_box(polygon))


def outside_problem(type: str, coordinates: Any, width: float, height: float) -> str | None:
    """Where a geometry leaves a picture of `width` x `height` px, as the end of a sentence; else None.

    The far edges are inside. A mask must have the picture's size. What rounding adds at an edge is let pass.
    """
    if type == "mask" and list(coordinates["size"]) != [height, width]:
        rows, columns = coordinates["size"]
        return f"is {columns} x {rows} pixels, but the picture is {width:g} x {height:g}"
    box = bounding_box(type, coordinates)
    if box is None:
        return None
    excess = {"left": -box[0], "top": -box[1], "right": box[2] - width, "bottom": box[3] - height}
    sides = [f"{by:g} px at the {side}" for side, by in excess.items() if by > _ROUNDING]
    return f"leaves the picture by {' and '.join(sides)}" if sides else None


def mask_runs(mask: Mapping[str, Any]) -> Iterator[int]:
    """The run lengths of a mask, px, down the columns: alternately outside and inside, outside first.

    Runs are decoded one at a time, so a hostile mask costs time in proportion to its text and no memory.

    Raises:
        ValueError: the text is damaged, or the runs do not sum to height x width.

    Source: COCO `maskApi.c:rleFrString`.
    """
    height, width = mask["size"]
    left = height * width
    previous, before_previous = 0, 0
    for position, value in enumerate(_run_values(mask["counts"].encode("ascii"))):
        run = value + before_previous if position > 2 else value  # from the fourth on, the change to two runs ago
        if run < 0:
            raise _ShapeError(f"has a negative run length, {run}")
        left -= run
        if left < 0:
            raise _ShapeError(f"has runs that exceed its {height} x {width} pixels")
        previous, before_previous = run, previous
        yield run
    if left:
        raise _ShapeError(f"has runs that end {left} pixels short of its {height} x {width}")


def _run_values(counts: bytes) -> Iterator[int]:
    """Signed integers of five-bit groups, one a character, lowest first; bit 5 says that more follow."""
    value, bits = 0, 0
    for character in counts:
        group = character - 48
        if not 0 <= group < 64:
            raise _ShapeError(f"has counts with the character {chr(character)!r}, which encodes nothing")
        value |= (group & 31) << bits
        bits += 5
        if group & 32:
            if bits >= 5 * _MAX_RUN_CHARACTERS:
                raise _ShapeError("has counts with a run length beyond any mask")
            continue
        yield value - (1 << bits) if group & 16 else value
        value, bits = 0, 0
    if bits:
        raise _ShapeError("has counts that end inside a run length")


def _rules_of(name: str) -> _Rules:
    rules = _RULES.get(name)
    if rules is None:
        raise SchemaError("bad-instance", f"{name!r} is not a spatial type.", type=name)
    return rules


def _floats(value: Any, counts: tuple[int, ...] = ()) -> list[float]:
    """A list of numbers as floats; of any length where no `counts` are named."""
    if not isinstance(value, list):
        raise _ShapeError("needs a list of numbers")
    if counts and len(value) not in counts:
        raise _ShapeError(f"needs {' or '.join(map(str, counts))} numbers, got {len(value)}")
    for position, item in enumerate(value):
        if not isinstance(item, Number):
            raise _ShapeError(f"has something other than a number at position {position}")
    found = [float(item) for item in value]
    for item, number in zip(value, found, strict=True):
        if not -MAX_COORDINATE <= number <= MAX_COORDINATE:
            raise _ShapeError(f"holds the number {item[:32]}, beyond {MAX_COORDINATE}")
    return found


def _two_integers(value: Any) -> list[int]:
    _floats(value, (2,))
    for item in value:
        if not item.lstrip("-").isdigit():
            raise _ShapeError(f"needs integers, got {item[:32]}")
    return [int(item) for item in value]


def _check_points(value: Any, at_least: int, each: int = 2) -> list[float]:
    found = _floats(value)
    if len(found) % each:
        raise _ShapeError(f"needs {each} numbers for every point, got {len(found)} in all")
    if len(found) < at_least * each:
        noun = "point" if at_least == 1 else "points"
        raise _ShapeError(f"needs at least {at_least} {noun}, got {len(found) // each}")
    return found


def _check_tag(value: Any) -> None:
    if value is not None:
        raise _ShapeError("has no geometry, but some was given")


def _check_box(value: Any) -> None:
    x0, y0, x1, y1, *_ = _floats(value, (4, 5))
    if x1 < x0:
        raise _ShapeError("has x1 smaller than x0")
    if y1 < y0:
        raise _ShapeError("has y1 smaller than y0")


def _check_polygon(value: Any) -> None:
    if not isinstance(value, list) or not value:
        raise _ShapeError("needs a list of at least one part")
    for part in value:
        if not isinstance(part, list) or not part:
            raise _ShapeError("needs every part to be a list of at least one ring")
        for ring in part:
            if not isinstance(ring, list):
                raise _ShapeError("needs every ring to be a list of numbers")
            _check_points(ring, at_least=3)


def _check_keypoints(value: Any) -> None:
    for visibility in _check_points(value, at_least=1, each=3)[2::3]:
        if visibility not in (0, 1, 2):
            raise _ShapeError(f"has the visibility {visibility:g}, which is not 0, 1 or 2")


def _check_ellipse(value: Any) -> None:
    _, _, rx, ry, *_ = _floats(value, (4, 5))
    if rx < 0 or ry < 0:
        raise _ShapeError("has a negative radius")


def _check_mask(value: Any) -> None:
    if not isinstance(value, dict) or value.keys() != {"counts", "size"}:
        raise _ShapeError("needs an object of 'counts' and 'size'")
    counts = value["counts"]
    if not isinstance(counts, str) or isinstance(counts, Number):
        raise _ShapeError("needs compressed counts, as text")
    if not counts or not counts.isascii() or len(counts) > MAX_COUNTS_BYTES:
        raise _ShapeError(f"needs counts of 1 to {MAX_COUNTS_BYTES} ASCII characters")
    size = _two_integers(value["size"])
    if not all(1 <= side <= MAX_MASK_SIDE for side in size):
        raise _ShapeError(f"needs a height and width of 1 to {MAX_MASK_SIDE}, got {size[0]} and {size[1]}")
    for _ in mask_runs({"counts": counts, "size": size}):
        pass


def _check_span(start: float, end: float) -> None:
    if start < 0:
        raise _ShapeError("starts before 0")
    if end < start:
        raise _ShapeError("ends before it starts")


def _check_text_span(value: Any) -> None:
    _check_span(*_two_integers(value))


def _check_time_span(value: Any) -> None:
    _check_span(*_floats(value, (2,)))


def _check_relation(value: Any) -> None:
    if not isinstance(value, list) or len(value) != 2:
        raise _ShapeError("needs two instance ids")
    for identity in value:
        if not isinstance(identity, str) or isinstance(identity, Number):
            raise _ShapeError("needs instance ids as text")
        if len(identity) != 32 or identity.strip("0123456789abcdef"):
            raise _ShapeError("needs instance ids of 32 lower-case hexadecimal digits")


def _nothing(_: Any) -> None:
    return None


def _no_area(_: Any) -> float:
    return 0.0


def _around(xs: Sequence[float], ys: Sequence[float]) -> Box:
    return float(min(xs)), float(min(ys)), float(max(xs)), float(max(ys))


def _points_box(flat: Sequence[float]) -> Box:
    return _around(flat[0::2], flat[1::2])


def _turn(coordinates: Sequence[float]) -> tuple[float, float]:
    """Cosine and sine of the fifth number, degrees, exact for quarter turns; without one, of no turn."""
    if len(coordinates) < 5:
        return _QUARTER_TURNS[0]
    degrees = math.fmod(coordinates[4], 360.0)
    if degrees % 90.0 == 0.0:
        return _QUARTER_TURNS[int(degrees // 90.0) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _box_box(coordinates: Sequence[float]) -> Box:
    x0, y0, x1, y1 = coordinates[:4]
    cos, sin = _turn(coordinates)
    if sin == 0.0:
        return float(x0), float(y0), float(x1), float(y1)
    half_width = (abs((x1 - x0) * cos) + abs((y1 - y0) * sin)) / 2
    half_height = (abs((x1 - x0) * sin) + abs((y1 - y0) * cos)) / 2
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    return cx - half_width, cy - half_height, cx + half_width, cy + half_height


def _box_area(coordinates: Sequence[float]) -> float:
    return float((coordinates[2] - coordinates[0]) * (coordinates[3] - coordinates[1]))


def _polygon_box(polygon: Sequence[Sequence[Sequence[float]]]) -> Box:
    boxes = [_points_box(part[0]) for part in polygon]
    x0s, y0s, x1s, y1s = zip(*boxes, strict=True)
    return min(x0s), min(y0s), max(x1s), max(y1s)


def _polygon_area(polygon: Sequence[Sequence[Sequence[float]]]) -> float:
    return math.fsum(
        max(0.0, _ring_area(part[0]) - math.fsum(_ring_area(hole) for hole in part[1:])) for part in polygon
    )


def _ring_area(ring: Sequence[float]) -> float:
    """The shoelace formula, about the first point so that far-away rings lose no digits."""
    xs = [x - ring[0] for x in ring[0::2]]
    ys = [y - ring[1] for y in ring[1::2]]
    return abs(math.fsum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(len(xs)))) / 2


def _keypoints_box(flat: Sequence[float]) -> Box | None:
    labelled = [i for i in range(0, len(flat), 3) if flat[i + 2] > 0]
    return _around([flat[i] for i in labelled], [flat[i + 1] for i in labelled]) if labelled else None


def _ellipse_box(coordinates: Sequence[float]) -> Box:
    cx, cy, rx, ry = coordinates[:4]
    cos, sin = _turn(coordinates)
    half_width, half_height = math.hypot(rx * cos, ry * sin), math.hypot(rx * sin, ry * cos)
    return cx - half_width, cy - half_height, cx + half_width, cy + half_height


def _ellipse_area(coordinates: Sequence[float]) -> float:
    return math.pi * coordinates[2] * coordinates[3]


def _curve_box(coordinates: Sequence[float]) -> Box:
    x0, y0, cx, cy, x1, y1 = coordinates
    return _around([x0, x1, _farthest(x0, cx, x1)], [y0, y1, _farthest(y0, cy, y1)])


def _farthest(start: float, control: float, end: float) -> float:
    """Where one axis of a quadratic Bezier curve turns round, or its start where it does not."""
    if min(start, end) <= control <= max(start, end):
        return start
    t = (start - control) / ((start - control) + (end - control))  # the root of the derivative
    return (1 - t) * (1 - t) * start + 2 * (1 - t) * t * control + t * t * end


def _inside_runs(mask: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """`(start, end)` of every run of pixels inside the mask, counted down the columns, end excluded."""
    end = 0
    for position, run in enumerate(mask_runs(mask)):
        start, end = end, end + run
        if position % 2 and run:
            yield start, end


def _mask_box(mask: Mapping[str, Any]) -> Box | None:
    height = mask["size"][0]
    left = right = None
    top, bottom = height, 0
    for start, end in _inside_runs(mask):
        left = start // height if left is None else left
        right = (end - 1) // height
        if start // height < right:  # goes on in the next column, so it holds a last row and a first one
            top, bottom = 0, height
        else:
            top, bottom = min(top, start % height), max(bottom, (end - 1) % height + 1)
    if left is None or right is None:
        return None
    return float(left), float(top), float(right + 1), float(bottom)


def _mask_area(mask: Mapping[str, Any]) -> float:
    return float(sum(end - start for start, end in _inside_runs(mask)))


_RULES: dict[str, _Rules] = {
    "tag": _Rules(_check_tag, _nothing, _no_area),
    "box": _Rules(_check_box, _box_box, _box_area),
    "polygon": _Rules(_check_polygon, _polygon_box, _polygon_area),
    "polyline": _Rules(partial(_check_points, at_least=2), _points_box, _no_area),
    "point": _Rules(partial(_floats, counts=(2,)), _points_box, _no_area),
    "keypoints": _Rules(_check_keypoints, _keypoints_box, _no_area),
    "ellipse": _Rules(_check_ellipse, _ellipse_box, _ellipse_area),
    "cuboid": _Rules(partial(_floats, counts=(16,)), _points_box, _no_area),
    "curve": _Rules(partial(_floats, counts=(6,)), _curve_box, _no_area),
    "mask": _Rules(_check_mask, _mask_box, _mask_area),
    "text_span": _Rules(_check_text_span, _nothing, _no_area),
    "time_span": _Rules(_check_time_span, _nothing, _no_area),
    "relation": _Rules(_check_relation, _nothing, _no_area),
}

SPATIAL_TYPES = tuple(_RULES)
