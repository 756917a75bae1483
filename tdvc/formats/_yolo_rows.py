"""One row of a YOLO label file, and the instance it stands for.

    class cx cy w h                       box, by centre and size
    class cx cy w h kx ky [v] ...         keypoints, with a box around the object
    class x1 y1 x2 y2 x3 y3 x4 y4         box turned by an angle, by its corners
    class x1 y1 x2 y2 x3 y3 ...           polygon of one ring

All but the class and the visibility are fractions of the picture. Nothing in a row says which of the four it is: its
length does, with what `data.yaml` says of keypoints, and nine columns are a turned box or a polygon of four points by
what the rest of the data set looks like. Predictions have their score in one column more, tracks a number after that.

Coordinates come out in pixels, to a millionth. Where the row's own numbers can't be had back from those exactly (17
digits, corners that are not quite a rectangle, the box around keypoints), they are kept in the instance's properties
and count for as long as they still lead to its geometry.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeGuard

from tdvc.formats import _decimal
from tdvc.formats._folder import shortened
from tdvc.model.geometry import bounding_box, polygon_from_box
from tdvc.model.numbers import Number, plain, value_of, whole

FORMAT = "yolo"

Size = tuple[int, int]

_CLASS = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_LIMIT = 2.0  # a coordinate beyond it is no fraction of the picture
_VISIBILITIES = (0.0, 1.0, 2.0)
_OFF_PIXELS = 1.0  # how far corners may be off a rectangle and still be a turned box
_OFF_SHARE = 0.1  # and in parts of its shorter side
_ROUND_OFF = 0.001  # px; what writing fractions with six digits does to corners, and more


@dataclass(frozen=True, slots=True)
class Task:
    """What the data set says its rows are.

    Attributes:
        turned: nine columns are a turned box, not a polygon.
        keypoints: how many keypoints an object has, and how many numbers each: 2 or 3; None for no keypoints.
    """

    turned: bool = False
    keypoints: tuple[int, int] | None = None


@dataclass(slots=True)
class Row:
    """A row that was understood.

    Attributes:
        number: of the class.
        type: a spatial type.
        geometry: of that type, in pixels.
        score: of a prediction.
        sequence: of a track.
        kept: what the geometry does not say, for the instance's properties.
    """

    number: int
    type: str
    geometry: list[Any]
    score: Number | None = None
    sequence: str | None = None
    kept: dict[str, Any] = field(default_factory=dict)


def parse(columns: Sequence[str], size: Size, task: Task, *, relative: bool = True) -> Row:
    """Read the columns of a row.

    Args:
        columns: of the row, the class first.
        size: the picture's width and height, or (1, 1) where coordinates are pixels.
        task: what kind of row to expect.
        relative: coordinates are fractions, so large ones are refused.

    Raises:
        ValueError: what is wrong, as the end of a sentence.
    """
    found = _CLASS.fullmatch(columns[0])
    if found is None:
        raise ValueError(f"has the class {shortened(columns[0], 32)}, which is not a whole number")
    row = Row(int(found[1]), "", [])
    values = _taken_off(row, [_number(text) for text in columns[1:]], task)
    if relative:
        _check_fractions(values, task)
    row.type, row.geometry = _geometry(values, size, task)
    if relative:
        row.kept = _not_said(row.type, row.geometry, values, size, task)
    return row


def _not_said(type_: str, geometry: Any, values: list[Number], size: Size, task: Task) -> dict[str, Any]:
    """What a writer would need besides the geometry to make the same numbers again."""
    if type_ != "keypoints":
        is_turned = type_ == "box" and len(values) == 8
        safe = _safe_digits(size)
        if not is_turned and all(
            len(value.rpartition(".")[2]) <= safe and "e" not in value.lower() for value in values
        ):
            return {}
        return {} if spelled(type_, geometry, size) == values else {"row": values}
    box, each = _upright(values, size), task.keypoints[1] if task.keypoints else 3
    if spelled(type_, geometry, size, box=box, each=each) != values:
        return {"row": values}
    return {} if box == _around(geometry) else {"box": box}


def _safe_digits(size: Size) -> int:
    """How many decimals a fraction can have and be the only one of that length that leads to its coordinate.

    Two such fractions are further apart than the two millionths of a pixel that rounding both edges of a box can close.
    """
    room = (min(size) - 1) // 2
    return _decimal.DECIMALS - 1 + (len(str(room)) if room else 0)


def _number(text: str) -> Number:
    number = _decimal.number(text)
    if number is None:
        raise ValueError(f"has {shortened(text, 32)} where a number is needed")
    return number


def _taken_off(row: Row, values: list[Number], task: Task) -> list[Number]:
    """The coordinates, without the score and the track's number, which go to the row."""
    count = len(values)
    if _is_pose(count - 1, task):
        row.score = values[-1]
        return values[:-1]
    if _is_pose(count, task) or count < 5:
        return values
    if count in (5, 6) and _is_track(values[-1]):
        row.sequence = values[-1]
        values = values[:-1]
    if len(values) % 2:
        row.score = values[-1]
        values = values[:-1]
    return values


def _is_track(value: Number) -> bool:
    return (whole(value) or 0) > 1


def _is_pose(count: int, task: Task) -> bool:
    return task.keypoints is not None and count == 4 + task.keypoints[0] * task.keypoints[1]


def _check_fractions(values: Sequence[Number], task: Task) -> None:
    coordinates = values
    if _is_pose(len(values), task) and task.keypoints and task.keypoints[1] == 3:
        coordinates = [value for at, value in enumerate(values) if at < 4 or (at - 4) % 3 != 2]
    for value in coordinates:
        if abs(float(value)) > _LIMIT:
            raise ValueError(f"has {shortened(value, 32)}, which is no fraction of the picture's size")


def _geometry(values: Sequence[Number], size: Size, task: Task) -> tuple[str, list[Any]]:
    """The type and the geometry that the numbers of a row stand for."""
    if _is_pose(len(values), task):
        return "keypoints", _keypoints(values[4:], size, task)
    if len(values) == 4:
        return "box", _upright(values, size)
    if len(values) < 6:
        raise ValueError(f"has {len(values) + 1} columns, which fits no kind of row")
    if task.turned and len(values) == 8 and (box := _turned(values, size)) is not None:
        return "box", box
    return "polygon", [[_points(values, size)]]


def _upright(values: Sequence[Number], size: Size) -> list[Number]:
    (x0, x1), (y0, y1) = (_decimal.edges(values[i], values[i + 2], size[i]) for i in (0, 1))
    return [x0, y0, x1, y1]


def _points(values: Sequence[Number], size: Size) -> list[Number]:
    return [_decimal.scaled(value, size[at % 2]) for at, value in enumerate(values)]


def _keypoints(values: Sequence[Number], size: Size, task: Task) -> list[Number]:
    """Triples of x, y and visibility; where a row has pairs, negative ones are not labelled.

    A visibility that is none is the confidence of a prediction.
    """
    each = task.keypoints[1] if task.keypoints else 3
    found: list[Number] = []
    for at in range(0, len(values), each):
        x, y = values[at], values[at + 1]
        seen = Number("0" if float(x) < 0 or float(y) < 0 else "2")
        if each == 3 and float(values[at + 2]) in _VISIBILITIES:
            seen = _decimal.spelled(value_of(values[at + 2]))
        found += [_decimal.scaled(x, size[0]), _decimal.scaled(y, size[1]), seen]
    return found


def _turned(values: Sequence[Number], size: Size) -> list[Number] | None:
    """The turned box of four corners, with the fewest decimals that lead back to them; None if no rectangle.

    The first corner is the box's own top left; corners that go the other way round are those of the same box.
    """
    corners = [float(value) for value in _points(values, size)]
    exact = _box_of_corners(corners)
    if exact is None:
        return None
    for decimals in range(_decimal.DECIMALS + 1):
        box = [round(value, decimals) + 0.0 for value in exact]
        box[4] %= 360.0
        texts = [_decimal.spelled(Decimal(f"{value:.{decimals}f}")) for value in box]
        if _corners(texts, size) == values:
            return texts
    return texts


def _box_of_corners(corners: Sequence[float]) -> list[float] | None:
    """`x0 y0 x1 y1 degrees` of four corners, unless they are further off a rectangle than rounding explains."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = zip(corners[0::2], corners[1::2], strict=True)
    if (cx - ax) * (dy - by) - (cy - ay) * (dx - bx) < 0:
        (bx, by), (dx, dy) = (dx, dy), (bx, by)
    along, down = (bx - ax + cx - dx, by - ay + cy - dy), (dx - ax + cx - bx, dy - ay + cy - by)
    width, height = math.hypot(*along) / 2, math.hypot(*down) / 2
    angle = math.degrees(math.atan2(along[1], along[0]) if width else math.atan2(-down[0], down[1]))
    x, y = (ax + bx + cx + dx) / 4, (ay + by + cy + dy) / 4
    box = [x - width / 2, y - height / 2, x + width / 2, y + height / 2, angle % 360.0]
    ring = polygon_from_box(box)[0][0]
    off = max(abs(a - b) for a, b in zip(ring, (ax, ay, bx, by, cx, cy, dx, dy), strict=True))
    allowed = max(_ROUND_OFF, min(_OFF_PIXELS, _OFF_SHARE * min(width, height)))
    return box if off <= allowed else None


def _corners(box: Sequence[Number], size: Size) -> list[Number]:
    ring = polygon_from_box([float(value) for value in box])[0][0]
    return [_decimal.fraction(f"{value:.{_decimal.DECIMALS}f}", size[at % 2]) for at, value in enumerate(ring)]


def spelled(
    type_: str, geometry: Any, size: Size, *, box: Sequence[Number] | None = None, each: int = 3
) -> list[Number]:
    """The numbers of a row, without the class.

    Args:
        type_: box, polygon or keypoints.
        geometry: in pixels; a polygon has one part and one ring.
        size: the picture's width and height.
        box: around the object, for keypoints.
        each: how many numbers a keypoint has in this data set.
    """
    if type_ == "box":
        return _centred(geometry, size) if len(geometry) == 4 else _corners(geometry, size)
    if type_ == "polygon":
        return _fractions(geometry[0][0], size)
    found = _centred(box or geometry[:4], size)
    for at in range(0, len(geometry), 3):
        found += [*_fractions(geometry[at : at + 2], size), geometry[at + 2]][:each]
    return found


def _centred(box: Sequence[Number], size: Size) -> list[Number]:
    (cx, width), (cy, height) = (_decimal.centre_and_extent(box[i], box[i + 2], size[i]) for i in (0, 1))
    return [cx, cy, width, height]


def _fractions(values: Sequence[Number], size: Size) -> list[Number]:
    return [_decimal.fraction(value, size[at % 2]) for at, value in enumerate(values)]


def _around(keypoints: Sequence[Number]) -> list[Number] | None:
    """The upright box around the labelled keypoints; None where none is labelled."""
    found = bounding_box("keypoints", plain(list(keypoints)))
    return [_decimal.rounded(Decimal(repr(value))) for value in found] if found else None


def columns_of(type_: str, geometry: Any, kept: dict[str, Any], size: Size, shape: tuple[int, int]) -> list[Number]:
    """The numbers of an instance's row, without the class: those it came with if they still say the same.

    Args:
        type_: box, polygon or keypoints.
        geometry: of the instance, parsed.
        kept: what a `Row` of it kept.
        size: the picture's width and height.
        shape: the keypoints of the data set.

    Raises:
        ValueError: a row can't say this, as the end of a sentence.
    """
    echo = kept.get("row")
    if _is_numbers(echo):
        task = Task(turned=type_ == "box", keypoints=shape if type_ == "keypoints" else None)
        if _still_says(echo, type_, geometry, size, task):
            return echo
    if type_ == "polygon" and (len(geometry) != 1 or len(geometry[0]) != 1):
        what = "several parts" if len(geometry) != 1 else "a hole"
        raise ValueError(f"has {what}, and a row holds one ring")
    if type_ != "keypoints":
        return spelled(type_, geometry, size)
    if len(geometry) != 3 * shape[0]:
        raise ValueError(f"has {len(geometry) // 3} keypoints where the data set has {shape[0]}")
    box = _box_in(kept) or _around(geometry)
    if box is None:
        raise ValueError("has no labelled keypoint and so no box around it")
    return spelled(type_, geometry, size, box=box, each=shape[1])


def _is_numbers(value: Any) -> TypeGuard[list[Number]]:
    return isinstance(value, list) and all(isinstance(item, Number) for item in value)


def _box_in(kept: dict[str, Any]) -> list[Number] | None:
    box = kept.get("box")
    return box if _is_numbers(box) and len(box) == 4 else None


def _still_says(echo: list[Number], type_: str, geometry: Any, size: Size, task: Task) -> bool:
    try:
        return _geometry(echo, size, task) == (type_, geometry)
    except (ValueError, ArithmeticError):
        return False
