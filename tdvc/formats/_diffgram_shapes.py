"""The geometries of Diffgram as those of tdvc, and back.

    box         x_min, y_min, x_max, y_max; an export leaves a box of zeros without them
    polygon     points; those of one `figure_id` are a part
    point       one of points
    line        two of points: polyline
    ellipse     center_x, center_y, the radii width and height, angle in radians, clockwise
    cuboid      front_face and rear_face, four corners each
    curve       p1, cp, p2
    keypoints   nodes
    text_token  start_char, end_char: text_span
    audio       start_time, end_time: time_span
    tag         nothing, and so `global`, which is about the file as a whole

Source: diffgram `shared/export/export_generation.py`, `frontend/src/components/vue_canvas/ellipse.js`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tdvc.formats import _decimal
from tdvc.formats._carry import is_text
from tdvc.formats._folder import shortened
from tdvc.model.numbers import Number

KINDS = {
    "box": "box",
    "polygon": "polygon",
    "point": "point",
    "line": "polyline",
    "ellipse": "ellipse",
    "cuboid": "cuboid",
    "curve": "curve",
    "keypoints": "keypoints",
    "text_token": "text_span",
    "audio": "time_span",
    "tag": "tag",
    "global": "tag",
}
"""Diffgram's types that are tdvc's; `relation` is one too, but needs to know the other instances."""

FIELDS = {
    "box": ("x_min", "y_min", "x_max", "y_max"),
    "polygon": ("points",),
    "point": ("points",),
    "line": ("points",),
    "ellipse": ("center_x", "center_y", "width", "height", "angle"),
    "cuboid": ("front_face", "rear_face"),
    "curve": ("p1", "p2", "cp"),
    "keypoints": ("nodes",),
    "text_token": ("start_char", "end_char"),
    "audio": ("start_time", "end_time"),
    "tag": (),
    "global": (),
}
"""Where each has its geometry."""

BOUNDS = FIELDS["box"]
_KIND_OF = {type_: kind for kind, type_ in reversed(KINDS.items())}
_FACES = ("front_face", "rear_face")
_CORNERS = ("top_left", "top_right", "bot_right", "bot_left")


class UnknownGeometry(ValueError):
    """A geometry that tdvc has no type for."""


def geometry_of(kind: str, fields: dict[str, Any]) -> tuple[str, Any]:
    """The spatial type and geometry of an instance.

    Args:
        kind: its `type`.
        fields: all its fields, numbers as `Number`.

    Raises:
        UnknownGeometry: tdvc has no type for it.
        ValueError: it breaks the rules of its kind; the end of a sentence.
    """
    type_ = KINDS.get(kind)
    if type_ is None:
        raise UnknownGeometry(f"has the type {shortened(kind)}, which tdvc has no type for")
    if kind in ("polygon", "point", "line"):
        return type_, _of_points(kind, fields.get("points"))
    if kind == "ellipse":
        return type_, _ellipse(fields)
    if kind == "cuboid":
        corners = [_object(fields.get(face)).get(corner) for face in _FACES for corner in _CORNERS]
        return type_, _flat(corners)
    if kind == "curve":
        return type_, _flat([fields.get(name) for name in ("p1", "cp", "p2")])
    if kind == "keypoints":
        points = _flat(fields.get("nodes"))
        return type_, [value for x, y in _pairs(points) for value in (x, y, Number("2"))]
    if type_ == "tag":
        return type_, None
    names = FIELDS[kind]
    if kind == "box" and all(fields.get(name) is None for name in names):
        return type_, [Number("0")] * 4
    return type_, _numbers(fields, names)


def drawn(type_: str, geometry: Any) -> tuple[str, dict[str, Any]]:
    """The kind and fields of an instance that says a geometry as far as Diffgram can.

    Raises:
        ValueError: Diffgram has no word for it; the end of a sentence.
    """
    kind = _KIND_OF.get(type_)
    if kind is None:
        raise ValueError("has no place in Diffgram")
    if kind == "ellipse":
        angle = [_radians(geometry[4])] if len(geometry) > 4 else [Number("0")]
        return kind, dict(zip(FIELDS[kind], [*geometry[:4], *angle], strict=True))
    if kind == "cuboid":
        return kind, {face: _face(geometry[8 * n : 8 * n + 8]) for n, face in enumerate(_FACES)}
    if kind == "curve":
        return kind, dict(zip(("p1", "cp", "p2"), _points(geometry), strict=True))
    if kind == "keypoints":
        points = _points([value for place in range(0, len(geometry), 3) for value in geometry[place : place + 2]])
        return kind, {"nodes": [{"id": Number(number + 1), **point} for number, point in enumerate(points)]}
    if kind in ("polygon", "point", "line"):
        return kind, _with_points(kind, geometry)
    if geometry is not None and len(geometry) != len(FIELDS[kind]):
        raise ValueError("that is turned has no place in Diffgram")
    return kind, dict(zip(FIELDS[kind], geometry or (), strict=True))


def _with_points(kind: str, geometry: Any) -> dict[str, Any]:
    if kind != "polygon":
        if kind == "line" and len(geometry) != 4:
            raise ValueError("has more points than the two of a line in Diffgram")
        return {"points": _points(geometry)}
    if any(len(part) > 1 for part in geometry):
        raise ValueError("has holes, which Diffgram has no word for")
    if len(geometry) == 1:
        return {"points": _points(geometry[0][0])}
    return {
        "points": [
            point | {"figure_id": str(number)} for number, part in enumerate(geometry) for point in _points(part[0])
        ]
    }


def bounds(box: Sequence[float]) -> dict[str, Any]:
    """The fields in which Diffgram repeats the box around a polygon, in whole pixels."""
    return {name: Number(round(value)) for name, value in zip(BOUNDS, box, strict=True)}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _numbers(fields: dict[str, Any], names: Sequence[str]) -> list[Number]:
    found = [fields.get(name) for name in names]
    for name, value in zip(names, found, strict=True):
        if not isinstance(value, Number):
            raise ValueError(f"has no number as its {name}")
    return found  # type: ignore[return-value]


def _flat(points: Any) -> list[Number]:
    if not isinstance(points, list):
        raise ValueError("has no points")
    flat = []
    for point in points:
        if not isinstance(point, dict):
            raise ValueError("has a point that is not an object")
        flat += _numbers(point, ("x", "y"))
    return flat


def _pairs(flat: Sequence[Number]) -> list[tuple[Number, Number]]:
    return list(zip(flat[0::2], flat[1::2], strict=True))


def _points(flat: Sequence[Number]) -> list[dict[str, Any]]:
    return [{"x": x, "y": y} for x, y in _pairs(flat)]


def _of_points(kind: str, points: Any) -> Any:
    flat = _flat(points)
    if kind == "polygon":
        parts = [_flat(list(part)) for _, part in groupby(points, key=_figure)]
        return [[part] for part in parts]
    wanted = 1 if kind == "point" else 2
    if len(flat) != 2 * wanted:
        raise ValueError(f"needs {wanted} points, got {len(flat) // 2}")
    return flat


def _figure(point: dict[str, Any]) -> str:
    identity = point.get("figure_id")
    return identity if is_text(identity) else repr(identity)


def _ellipse(fields: dict[str, Any]) -> list[Number]:
    *axes, angle = FIELDS["ellipse"]
    values = _numbers(fields, axes)
    turned = fields.get(angle)
    if turned is None or (isinstance(turned, Number) and _decimal.exact(turned) == 0):
        return values
    if not isinstance(turned, Number):
        raise ValueError("has an angle that is not a number")
    return [*values, _decimal.rounded(_decimal.exact(repr(math.degrees(float(turned)))))]


def _radians(degrees: Number) -> Number:
    return Number(repr(math.radians(float(degrees))))


def _face(flat: Sequence[Number]) -> dict[str, Any]:
    corners = dict(zip(_CORNERS, _points(flat), strict=True))
    left, right, bottom = (corners[name] for name in ("top_left", "top_right", "bot_left"))
    sides = {"width": _decimal.subtract(right["x"], left["x"]), "height": _decimal.subtract(bottom["y"], left["y"])}
    return {**corners, **sides}
