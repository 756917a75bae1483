"""Datumaro's annotation types and ours, in both directions.

| Datumaro | here |
|---|---|
| label, caption | tag; the words of a caption are its attribute `caption` |
| bbox `[x, y, w, h]` | box; the attribute `rotation`, degrees, is the turn |
| rotated_bbox `[cx, cy, w, h, degrees]` | box |
| polygon, polyline | the same, with one ring |
| points | point where it is one visible point, else keypoints; visibility 0 absent, 1 hidden, 2 visible |
| skeleton | keypoints |
| mask | mask; compressed COCO run lengths, or a list of them |
| ellipse `[x0, y0, x1, y1]`, the box around it | ellipse |
| cuboid_2d | cuboid, the corners in our order |
| cuboid_3d | tag: what is in space has no place in the picture; the numbers stay as properties |

Source: `exporter.py`, `base.py` of Datumaro's own data format and the drawings in its `annotation.py`.
"""

from __future__ import annotations

from typing import Any

from tdvc.formats import _decimal
from tdvc.model import masks, numbers
from tdvc.model.numbers import Number
from tdvc.model.records import Instance

TURNED = frozenset({"bbox", "ellipse"})
"""Types whose attribute `rotation` is a part of the geometry."""

_CORNERS = (4, 7, 3, 0, 5, 6, 2, 1)
"""Where our eight corners of a cuboid are among Datumaro's: bottom face first, from the front left."""

_HALF = "0.5"
_POINTED = {
    "polygon": "polygon",
    "polyline": "polyline",
    "points": "keypoints",
    "skeleton": "keypoints",
    "ellipse": "ellipse",
    "rotated_bbox": "box",
    "cuboid_2d": "cuboid",
}


def take(kind: str, fields: dict[str, Any]) -> tuple[str, Any]:
    """The spatial type and geometry of an annotation; what became them is taken out of `fields`.

    Raises:
        ValueError: it lacks a part or is of a type that is not known; the end of a sentence.
    """
    if kind in ("label", "caption", "cuboid_3d"):
        return "tag", None
    if kind == "bbox":
        return "box", _turned(_corners(_numbers(fields, "bbox", 4)), fields)
    if kind == "mask":
        return "mask", _mask(fields.pop("rle", None))
    if kind not in _POINTED:
        raise ValueError(f"is of the type {kind[:40]!r}, which is not known")
    return _from_points(kind, fields)


def _from_points(kind: str, fields: dict[str, Any]) -> tuple[str, Any]:
    if kind == "cuboid_2d":
        fields["points"] = _flat(fields.get("points"))
    points = _numbers(fields, "points")
    if kind == "points":
        return _marked(points, fields.pop("visibility", None))
    if kind == "ellipse":
        return "ellipse", _turned(_centre(_exactly(points, 4)), fields)
    if kind == "rotated_bbox":
        return "box", [*_around(_exactly(points, 5)), points[4]]
    if kind == "cuboid_2d":
        return "cuboid", [points[2 * corner + axis] for corner in _CORNERS for axis in (0, 1)]
    return _POINTED[kind], [[points]] if kind == "polygon" else points


def _numbers(fields: dict[str, Any], name: str, count: int | None = None) -> list[Number]:
    values = fields.pop(name, None)
    if not isinstance(values, list) or not all(isinstance(value, Number) for value in values):
        raise ValueError(f"needs {name!r}, a list of numbers")
    return values if count is None else _exactly(values, count)


def _exactly(values: list[Number], count: int) -> list[Number]:
    if len(values) != count:
        raise ValueError(f"needs {count} numbers, got {len(values)}")
    return values


def _flat(points: Any) -> Any:
    """Eight pairs as sixteen numbers; both are written."""
    if isinstance(points, list) and len(points) == 8 and all(isinstance(p, list) and len(p) == 2 for p in points):
        points = [value for pair in points for value in pair]
    if not isinstance(points, list) or len(points) != 16:
        raise ValueError("needs 'points', eight pairs of numbers")
    return points


def _corners(box: list[Number]) -> list[Number]:
    x, y, width, height = box
    return [x, y, _decimal.add(x, width), _decimal.add(y, height)]


def _around(turned: list[Number]) -> list[Number]:
    x, y, *sides = turned[:4]
    across, down = (_decimal.multiply(side, _HALF) for side in sides)
    return [
        _decimal.subtract(x, across),
        _decimal.subtract(y, down),
        _decimal.add(x, across),
        _decimal.add(y, down),
    ]


def _centre(box: list[Number]) -> list[Number]:
    """The centre and radii of the ellipse in a box."""
    x0, y0, x1, y1 = box
    ends = [_decimal.add(x0, x1), _decimal.add(y0, y1), _decimal.subtract(x1, x0), _decimal.subtract(y1, y0)]
    return [_decimal.multiply(end, _HALF) for end in ends]


def _turned(shape: list[Number], fields: dict[str, Any]) -> list[Number]:
    attributes = fields.get("attributes")
    if isinstance(attributes, dict) and isinstance(attributes.get("rotation"), Number):
        return [*shape, attributes.pop("rotation")]
    return shape


def _marked(points: list[Number], visibility: Any) -> tuple[str, Any]:
    """Points with their visibility, which is visible where none is given."""
    count = len(points) // 2
    if len(points) % 2 or not count:
        raise ValueError("needs 'points', pairs of numbers")
    marks = [Number("2")] * count if visibility is None else visibility
    if not isinstance(marks, list) or len(marks) != count:
        raise ValueError("needs as many entries in 'visibility' as it has points")
    if count == 1 and marks[0] == Number("2"):
        return "point", points
    return "keypoints", [value for at in range(count) for value in (points[2 * at], points[2 * at + 1], marks[at])]


def _mask(rle: Any) -> Any:
    if not isinstance(rle, dict) or not isinstance(rle.get("size"), list) or len(rle["size"]) != 2:
        raise ValueError("needs 'rle', an object of 'counts' and 'size'")
    counts = rle.get("counts")
    if not isinstance(counts, list):
        return {"counts": counts, "size": rle["size"]}
    sides = [_integer(side) for side in rle["size"]]
    return masks.from_runs([_integer(run) for run in counts], sides[0], sides[1])


def _integer(value: Any) -> int:
    if not isinstance(value, Number) or len(value) > 18 or not value.isdigit():
        raise ValueError("needs whole numbers in 'rle'")
    return int(value)


def give(instance: Instance, wanted: Any, size: tuple[int, int] | None) -> dict[str, Any]:
    """The fields that say what and where an instance is, `type` among them.

    Args:
        instance: what to write.
        wanted: the type it had in Datumaro, honoured where it still fits.
        size: (width, height) of the picture, px.

    Raises:
        ValueError: Datumaro has no word for it; the end of a sentence.
    """
    shape = numbers.parse(bytes(instance.geometry))
    if instance.type == "tag":
        return {"type": wanted if wanted in ("caption", "cuboid_3d") else "label"}
    if instance.type == "box":
        return _box(shape, wanted)
    if instance.type == "point":
        return {"type": "points", "points": shape, "visibility": [Number("2")]}
    if instance.type == "keypoints":
        return _keypoints(shape, wanted)
    if instance.type == "polygon":
        return _polygon(instance, shape, size)
    if instance.type == "polyline":
        return {"type": "polyline", "points": shape}
    if instance.type == "mask":
        return {"type": "mask", "rle": shape}
    if instance.type == "ellipse":
        x, y, across, down = shape[:4]
        ends = [
            _decimal.subtract(x, across),
            _decimal.subtract(y, down),
            _decimal.add(x, across),
            _decimal.add(y, down),
        ]
        return {"type": "ellipse", "points": ends, **_rotation(shape)}
    if instance.type == "cuboid":
        corners = {theirs: shape[2 * ours : 2 * ours + 2] for ours, theirs in enumerate(_CORNERS)}
        return {"type": "cuboid_2d", "points": [corners[at] for at in range(8)]}
    raise ValueError("has no place in Datumaro")


def _rotation(shape: list[Number]) -> dict[str, Any]:
    return {"rotation": shape[4]} if len(shape) > 4 else {}


def _box(shape: list[Number], wanted: Any) -> dict[str, Any]:
    x0, y0, x1, y1 = shape[:4]
    sides = [_decimal.subtract(x1, x0), _decimal.subtract(y1, y0)]
    if wanted == "rotated_bbox" and len(shape) > 4:
        centre = [_decimal.multiply(_decimal.add(a, b), _HALF) for a, b in ((x0, x1), (y0, y1))]
        return {"type": "rotated_bbox", "points": [*centre, *sides, shape[4]]}
    return {"type": "bbox", "bbox": [x0, y0, *sides], **_rotation(shape)}


def _keypoints(shape: list[Number], wanted: Any) -> dict[str, Any]:
    if wanted == "skeleton":
        return {"type": "skeleton", "points": shape}
    points = [value for at in range(0, len(shape), 3) for value in shape[at : at + 2]]
    found = {"type": "points", "points": points, "visibility": shape[2::3]}
    alone = len(shape) == 3 and shape[2] == Number("2")  # would be taken for a point
    return {**found, "exactly": {"type": "keypoints"}} if alone else found


def _polygon(instance: Instance, shape: Any, size: tuple[int, int] | None) -> dict[str, Any]:
    """One ring as it is; parts and holes as a mask, which is what they cover."""
    if len(shape) == 1 and len(shape[0]) == 1:
        return {"type": "polygon", "points": shape[0][0]}
    if size is None:
        raise ValueError("has parts or holes, and the size of its picture is not known")
    mask = masks.encode_rle(masks.polygon_to_mask(instance.coordinates, size[1], size[0]))
    return {"type": "mask", "rle": mask, "exactly": {"type": "polygon", "geometry": shape}}
