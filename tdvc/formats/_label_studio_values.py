"""Values of Label Studio results and tdvc geometry, in both directions.

    rectanglelabels   x, y, width, height, rotation     box; turned about the top left corner there, the centre here
    polygonlabels     points, closed                    polygon; polyline where it is not closed
    keypointlabels    x, y, width                       point; the width is that of the dot
    ellipselabels     x, y, radiusX, radiusY, rotation  ellipse; x and y are the centre, whatever the manual says
    brushlabels       rle                               mask
    labels            start, end                        text_span where there is a text, else time_span

Positions are percent of the picture's width and height. A coordinate is rounded to a millionth of a pixel on its way
in, and leaves as the shortest percentage that leads back to it.

Source: Label Studio's `web/libs/editor/src/regions`, and its converter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from tdvc.formats import _carry, _decimal, _rle_pack
from tdvc.formats._folder import shortened
from tdvc.formats._label_studio_groups import ANNOTATIONS, PREDICTIONS, Groups
from tdvc.model import masks, numbers
from tdvc.model.geometry import shape_problem
from tdvc.model.numbers import Number

Size: TypeAlias = tuple[int, int] | None
"""Width and height of the picture, px."""

MAX_RLE = 64 << 20
DOT_WIDTH = Number("0.5")


class Geometry(NamedTuple):
    """A spatial type and the geometry of it, numbers as `Number`."""

    type: str
    shape: Any


class Drawn(NamedTuple):
    """The kind of a result, without `labels`, and its value without the labels."""

    kind: str
    value: dict[str, Any]


KINDS = frozenset(("rectangle", "polygon", "keypoint", "ellipse", "brush", ""))


def kind_of(result_type: Any) -> str | None:
    """The kind of a result's type, empty for a span; None where it says nothing of a place we know."""
    kind = result_type.removesuffix("labels") if _carry.is_text(result_type) else None
    return kind if kind in KINDS and result_type else None


def geometry_of(drawn: Drawn, size: Size) -> Geometry:
    """What a value says. Raises ValueError, the end of a sentence, where it breaks the rules of its kind."""
    value = drawn.value
    if drawn.kind == "":
        found = "text_span" if "text" in value else "time_span"
        return Geometry(found, [_number(value, "start"), _number(value, "end")])
    if size is None:
        raise ValueError("has no original_width and original_height, and the picture is not there to measure")
    if drawn.kind == "rectangle":
        return _box(value, size)
    if drawn.kind == "polygon":
        flat = _flat(value.get("points"), size)
        return Geometry("polyline", flat) if value.get("closed") is False else Geometry("polygon", [[flat]])
    if drawn.kind == "keypoint":
        return Geometry("point", [_pixels(_number(value, "x"), size[0]), _pixels(_number(value, "y"), size[1])])
    if drawn.kind == "ellipse":
        return _ellipse(value, size)
    return _mask(value, size)


def values_of(found: Geometry, size: Size) -> list[Drawn]:
    """How Label Studio draws a geometry: one value, or one for every part of a polygon or every keypoint.

    Raises:
        ValueError: it can't, the end of a sentence.
    """
    flat = found.shape
    if found.type in ("text_span", "time_span"):
        text = {"text": ""} if found.type == "text_span" else {}
        return [Drawn("", {"start": flat[0], "end": flat[1], **text})]
    if found.type == "mask":
        bitmap = masks.decode_rle({"counts": flat["counts"], "size": [int(side) for side in flat["size"]]})
        return [Drawn("brush", {"format": "rle", "rle": _rle_pack.pack(bitmap)})]
    if size is None:
        raise ValueError("can't be written where the size of its picture is not known")
    if found.type == "polygon":
        if any(len(part) > 1 for part in flat):
            bitmap = masks.polygon_to_mask(numbers.plain(flat), size[1], size[0])
            return [Drawn("brush", {"format": "rle", "rle": _rle_pack.pack(bitmap)})]
        return [Drawn("polygon", {"points": _points(part[0], size), "closed": True}) for part in flat]
    if found.type == "polyline":
        return [Drawn("polygon", {"points": _points(flat, size), "closed": False})]
    if found.type in ("point", "keypoints"):
        step = 2 if found.type == "point" else 3
        return [_dot(flat[i], flat[i + 1], size) for i in range(0, len(flat), step)]
    if found.type in ("box", "ellipse"):
        return [_drawn_box(flat, size) if found.type == "box" else _drawn_ellipse(flat, size)]
    raise ValueError("has no place in Label Studio")


def size_of_geometry(found: Geometry, size: Size) -> Size:
    """The size that the value of a geometry is relative to: a mask has its own."""
    if found.type != "mask":
        return size
    return int(found.shape["size"][1]), int(found.shape["size"][0])


def echo(drawn: Drawn, found: Geometry, size: Size) -> dict[str, Any]:
    """The value, where the geometry does not lead back to it; the pixels of a brush are never kept twice."""
    again = values_of(found, size)[0].value if drawn.kind != "brush" else {}
    came = {key: value for key, value in drawn.value.items() if drawn.kind != "brush" or key not in ("format", "rle")}
    usual = {"rotation": Number("0"), "closed": True}
    return {} if usual | came == usual | again else {"value": came}


def carried_geometry(carried: dict[str, Any], found: Geometry, size: Size) -> Geometry | None:
    """The geometry that our writer drew the value for, if what is drawn is still what it leads to."""
    kind, shape = carried.get("type"), carried.get("geometry")
    if not _carry.is_text(kind) or shape is None or shape_problem(kind, shape):
        return None
    try:
        drawn = values_of(Geometry(kind, shape), size)
        return Geometry(kind, shape) if len(drawn) == 1 and geometry_of(drawn[0], size) == found else None
    except ValueError:
        return None


def carried_with(found: Geometry, drawn: Drawn, size: Size) -> dict[str, Any]:
    """The geometry, to be carried, where the value does not lead back to it."""
    return {} if geometry_of(drawn, size) == found else {"type": found.type, "geometry": found.shape}


def as_before(former: Any, drawn: Drawn, found: Geometry, size: Size) -> Drawn:
    """The value as it came, where it still says the same."""
    if not isinstance(former, dict):
        return drawn
    again = Drawn(drawn.kind, former | ({"rle": drawn.value["rle"]} if drawn.kind == "brush" else {}))
    try:
        if geometry_of(again, size) == found:
            return again
    except ValueError:
        pass
    return Drawn(drawn.kind, former | drawn.value)


def _number(value: dict[str, Any], key: str) -> Number:
    if not isinstance(value.get(key), Number):
        raise ValueError(f"has a value without a number {key!r}")
    return _carry.checked(value[key])


def _pixels(percent: str, size: int) -> Number:
    return _decimal.scaled(_shifted(percent, -2), size)


def _percent(pixels: str, size: int) -> Number:
    return _decimal.spelled(_decimal.exact(_shifted(_decimal.fraction(pixels, size), 2)))


def _shifted(number: str, digits: int) -> str:
    """The number times a power of ten, as text: an exponent is the quickest way to say so."""
    text = number.lower()
    return f"{text}e{digits}" if "e" not in text else _decimal.multiply(text, f"1e{digits}")


def _rounded(value: float) -> Number:
    return _decimal.rounded(Decimal(value))


def _rotation(value: dict[str, Any]) -> Number | None:
    """The turn in degrees; None for none."""
    rotation = value.get("rotation")
    return _carry.checked(rotation) if rotation is not None and rotation != Number("0") else None


def _turn(rotation: str) -> tuple[float, float]:
    """Cosine and sine of degrees, exact for quarter turns."""
    degrees = math.fmod(float(rotation), 360)
    if degrees % 90 == 0:
        return ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(degrees // 90) % 4]
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))


def _box(value: dict[str, Any], size: tuple[int, int]) -> Geometry:
    corners: list[Number] = []
    for at, extent, side in (("x", "width", size[0]), ("y", "height", size[1])):
        start = _number(value, at)
        corners += [_pixels(start, side), _pixels(_decimal.add(start, _number(value, extent)), side)]
    x0, x1, y0, y1 = corners
    rotation = _rotation(value)
    if rotation is None:
        return Geometry("box", [x0, y0, x1, y1])
    cos, sin = _turn(rotation)
    left, top = float(x0), float(y0)
    across, down = (float(x1) - left) / 2, (float(y1) - top) / 2
    cx, cy = left + across * cos - down * sin, top + across * sin + down * cos
    box = [cx - across, cy - down, cx + across, cy + down]
    return Geometry("box", [*(_rounded(corner) for corner in box), rotation])


def _drawn_box(flat: list[Number], size: tuple[int, int]) -> Drawn:
    x0, y0, x1, y1, *rotation = flat
    if rotation:
        cos, sin = _turn(rotation[0])
        left, top, right, bottom = (float(corner) for corner in flat[:4])
        across, down = (right - left) / 2, (bottom - top) / 2
        left, top = left + across - across * cos + down * sin, top + down - across * sin - down * cos
        x0, y0, x1, y1 = (_rounded(corner) for corner in (left, top, left + 2 * across, top + 2 * down))
    x, y = _percent(x0, size[0]), _percent(y0, size[1])
    width = _decimal.subtract(_percent(x1, size[0]), x)
    height = _decimal.subtract(_percent(y1, size[1]), y)
    return Drawn(
        "rectangle", {"x": x, "y": y, "width": width, "height": height, "rotation": (*rotation, Number("0"))[0]}
    )


def _ellipse(value: dict[str, Any], size: tuple[int, int]) -> Geometry:
    keys = (("x", 0), ("y", 1), ("radiusX", 0), ("radiusY", 1))
    shape = [_pixels(_number(value, key), size[axis]) for key, axis in keys]
    rotation = _rotation(value)
    return Geometry("ellipse", shape if rotation is None else [*shape, rotation])


def _drawn_ellipse(flat: list[Number], size: tuple[int, int]) -> Drawn:
    value = {
        "x": _percent(flat[0], size[0]),
        "y": _percent(flat[1], size[1]),
        "radiusX": _percent(flat[2], size[0]),
        "radiusY": _percent(flat[3], size[1]),
        "rotation": (*flat[4:], Number("0"))[0],
    }
    return Drawn("ellipse", value)


def _dot(x: Number, y: Number, size: tuple[int, int]) -> Drawn:
    return Drawn("keypoint", {"x": _percent(x, size[0]), "y": _percent(y, size[1]), "width": DOT_WIDTH})


def _flat(points: Any, size: tuple[int, int]) -> list[Number]:
    if not isinstance(points, list):
        raise ValueError("has a value without points")
    flat = []
    for point in points:
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError("has a point that is not two numbers")
        x, y = map(_carry.checked, point)
        flat += [_pixels(x, size[0]), _pixels(y, size[1])]
    return flat


def _points(flat: list[Number], size: tuple[int, int]) -> list[list[Number]]:
    return [[_percent(flat[i], size[0]), _percent(flat[i + 1], size[1])] for i in range(0, len(flat), 2)]


def _mask(value: dict[str, Any], size: tuple[int, int]) -> Geometry:
    """The mask of a brush; numbers of the list are parsed, or ints that our writer made."""
    packed = value.get("rle")
    if value.get("format", "rle") != "rle" or not isinstance(packed, list):
        raise ValueError(
            f"has a brush in the format {shortened(str(value.get('format')))}, of which only 'rle' is read"
        )
    if len(packed) > MAX_RLE:
        raise ValueError(f"has a brush of more than {MAX_RLE >> 20} MiB")
    try:
        content = bytes(map(int, packed))
    except (TypeError, ValueError) as error:
        raise ValueError("has a brush with something other than bytes in it") from error
    mask = masks.encode_rle(_rle_pack.unpack(content, *size))
    return Geometry("mask", {"counts": mask["counts"], "size": [Number(side) for side in mask["size"]]})


def size_in(item: dict[str, Any]) -> Size:
    """The size that a result says its picture has."""
    sides = [numbers.plain(item.get(key)) for key in ("original_width", "original_height")]
    whole = [int(side) for side in sides if _is_side(side)]
    return (whole[0], whole[1]) if len(whole) == 2 else None


def _is_side(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 1 <= value < 1 << 31 and value == value // 1


def first_size(groups: Groups) -> Size:
    """The size of the picture by the first result that tells it."""
    return next(_sizes(groups), None)


def _sizes(groups: Groups) -> Iterator[tuple[int, int]]:
    for kind in (ANNOTATIONS, PREDICTIONS):
        for group in groups[kind]:
            results = group.get("result")
            for item in results if isinstance(results, list) else []:
                size = size_in(item) if isinstance(item, dict) else None
                if size:
                    yield size
