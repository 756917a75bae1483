"""LabelMe shapes and tdvc geometry, in both directions.

    rectangle            two opposite corners, in any order          box
    oriented_rectangle   four corners                                box, turned
    polygon              one ring                                    polygon
    circle               centre and a point of its edge              ellipse
    line, linestrip      two points; two or more                     polyline
    point                one point                                   point
    points               any number of points                        keypoints, all visible
    mask                 corners of a crop, and the crop as a PNG    mask

What LabelMe can't draw is drawn as the next best thing: an ellipse as a polygon, a polygon with holes as a mask, parts
of a polygon as shapes of one group. The writer carries the true geometry beside it.

Source: `labelme/_label_file.py` and `labelme/utils/shape.py`. The second corner of a crop is its last pixel.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from decimal import Context, Decimal
from typing import Any, NamedTuple, TypeAlias

import numpy
from PIL import Image

from tdvc.formats import _carry, _decimal
from tdvc.formats._folder import shortened
from tdvc.model import geometry as shapes
from tdvc.model import masks, numbers
from tdvc.model.numbers import Number
from tdvc.model.pictures import UnreadablePicture, open_picture

Size: TypeAlias = tuple[int, int] | None
"""Width and height of the picture, px."""
Points: TypeAlias = list[list[Number]]

MAX_PNG_BYTES = 64 << 20
_KINDS_OF_OTHERS = {"rotation": "oriented_rectangle"}
_ELLIPSE_POINTS = 48
_SQUARE_ENOUGH = 0.5  # px; what rounding and dragging may do to a rectangle
_ROOT = Context(prec=60)


class Shape(NamedTuple):
    """A shape as LabelMe draws it; `mask` is the PNG of a crop, in base64."""

    kind: str
    points: Points
    mask: str | None = None


class Geometry(NamedTuple):
    """A spatial type and the geometry of it, numbers as `Number`."""

    type: str
    shape: Any


def points_of(value: Any) -> Points:
    """Points as they come. Raises ValueError, the end of a sentence, where they are not pairs of numbers."""
    if not isinstance(value, list) or not value:
        raise ValueError("has no points")
    for point in value:
        if not isinstance(point, list) or len(point) != 2:
            raise ValueError("has a point that is not two numbers")
        for number in point:
            _carry.checked(number)
    return value


def geometry_of(drawn: Shape, size: Size) -> Geometry:
    """What a shape says. Raises ValueError, the end of a sentence, where it breaks the rules of its kind."""
    kind = _KINDS_OF_OTHERS.get(drawn.kind, drawn.kind)
    if kind == "mask":
        return Geometry("mask", _mask_of(drawn, size))
    if kind not in _READERS:
        raise ValueError(f"is of the kind {shortened(kind)}, which LabelMe does not have")
    counts, reader = _READERS[kind]
    if counts and len(drawn.points) not in counts:
        raise ValueError(f"is a {kind} of {len(drawn.points)} points, not {' or '.join(map(str, counts))}")
    return reader(drawn.points)


def shapes_of(found: Geometry, size: Size) -> list[Shape]:
    """How LabelMe draws a geometry: one shape, or one for every part of a polygon.

    Raises:
        ValueError: it can't, the end of a sentence.
    """
    flat = found.shape
    if found.type == "box":
        if len(flat) == 4:
            return [Shape("rectangle", [[flat[0], flat[1]], [flat[2], flat[3]]])]
        ring = shapes.polygon_from_box(numbers.plain(flat))[0][0]
        return [Shape("oriented_rectangle", _pairs([_rounded(value) for value in ring]))]
    if found.type == "polygon":
        if any(len(part) > 1 for part in flat):
            return [_holed(flat, size)]
        return [Shape("polygon", _pairs(part[0])) for part in flat]
    if found.type == "ellipse":
        return [_ellipse(flat)]
    if found.type == "mask":
        return [_cropped(_bitmap(flat))]
    if found.type == "keypoints":
        return [Shape("points", [[flat[i], flat[i + 1]] for i in range(0, len(flat), 3)])]
    if found.type in ("polyline", "point"):
        kind = {1: "point", 2: "line"}.get(len(flat) // 2, "linestrip")
        return [Shape(kind, _pairs(flat))]
    raise ValueError("has no place in LabelMe")


def cut(found: Geometry, points: Points) -> Shape:
    """A mask shape with the corners it once had. Raises ValueError where they do not fit the mask any more."""
    x0, y0, x1, y1 = _crop_corners(points)
    bitmap = _bitmap(found.shape)
    if not (0 <= x0 <= x1 < bitmap.shape[1] and 0 <= y0 <= y1 < bitmap.shape[0]):
        raise ValueError("lies outside")
    return Shape("mask", points, _png(bitmap[y0 : y1 + 1, x0 : x1 + 1]))


def _pairs(flat: list[Number]) -> Points:
    return [flat[i : i + 2] for i in range(0, len(flat), 2)]


def _flat(points: Points) -> list[Number]:
    return [number for point in points for number in point]


def _rounded(value: float) -> Number:
    return _decimal.rounded(Decimal(value))


def _rectangle(points: Points) -> Geometry:
    xs, ys = (sorted((point[axis] for point in points), key=_decimal.exact) for axis in (0, 1))
    if len(points) == 4:
        corners = {(_decimal.exact(x), _decimal.exact(y)) for x, y in points}
        wanted = {(_decimal.exact(x), _decimal.exact(y)) for x in (xs[0], xs[-1]) for y in (ys[0], ys[-1])}
        if corners != wanted:
            raise ValueError("is a rectangle of four corners that is not upright")
    return Geometry("box", [xs[0], ys[0], xs[-1], ys[-1]])


def _polygon(points: Points) -> Geometry:
    return Geometry("polygon", [[_flat(points)]])


def _polyline(points: Points) -> Geometry:
    return Geometry("polyline", _flat(points))


def _point(points: Points) -> Geometry:
    return Geometry("point", list(points[0]))


def _keypoints(points: Points) -> Geometry:
    return Geometry("keypoints", [number for point in points for number in (*point, Number("2"))])


def _circle(points: Points) -> Geometry:
    """The radius is exact where the edge point lies straight beside or above the centre, else rounded."""
    (cx, cy), (ex, ey) = points
    dx, dy = (abs(_decimal.exact(_decimal.subtract(edge, centre))) for edge, centre in ((ex, cx), (ey, cy)))
    if dx == 0 or dy == 0:
        radius = _decimal.spelled(dx + dy)
    else:
        radius = _decimal.rounded(_ROOT.sqrt(_ROOT.add(_ROOT.multiply(dx, dx), _ROOT.multiply(dy, dy))))
    return Geometry("ellipse", [cx, cy, radius, radius])


def _turned(points: Points) -> Geometry:
    """A turned box from its corners in order; four points that are no rectangle any more stay a polygon."""
    corners = [(float(x), float(y)) for x, y in points]
    if _turns_left(corners):
        corners = [corners[1], corners[0], corners[3], corners[2]]
    (ax, ay), (bx, by), (_, _), (dx, dy) = corners
    width, height = math.hypot(bx - ax, by - ay), math.hypot(dx - ax, dy - ay)
    radians = math.atan2(by - ay, bx - ax) if width else math.atan2(dy - ay, dx - ax) - math.pi / 2
    cx, cy = (math.fsum(corner[axis] for corner in corners) / 4 for axis in (0, 1))
    box = [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2, math.degrees(radians)]
    ring = shapes.polygon_from_box(box)[0][0]
    wanted = [value for corner in corners for value in corner]
    if max(abs(a - b) for a, b in zip(ring, wanted, strict=True)) > _SQUARE_ENOUGH:
        return _polygon(points)
    return Geometry("box", [_rounded(value) for value in box])


def _turns_left(corners: list[tuple[float, float]]) -> bool:
    (ax, ay), (bx, by), (cx, cy) = corners[:3]
    return (bx - ax) * (cy - by) - (by - ay) * (cx - bx) < 0


_READERS = {
    "rectangle": ((2, 4), _rectangle),
    "oriented_rectangle": ((4,), _turned),
    "polygon": ((), _polygon),
    "circle": ((2,), _circle),
    "line": ((2,), _polyline),
    "linestrip": ((), _polyline),
    "point": ((1,), _point),
    "points": ((), _keypoints),
}


def _ellipse(flat: list[Number]) -> Shape:
    cx, cy, rx, ry = flat[:4]
    if rx == ry:
        return Shape("circle", [[cx, cy], [_decimal.add(cx, rx), cy]])
    x, y, across, down, *turn = numbers.plain(flat)
    cos, sin = math.cos(math.radians(turn[0] if turn else 0)), math.sin(math.radians(turn[0] if turn else 0))
    points = []
    for step in range(_ELLIPSE_POINTS):
        radians = 2 * math.pi * step / _ELLIPSE_POINTS
        u, v = across * math.cos(radians), down * math.sin(radians)
        points.append([_rounded(x + u * cos - v * sin), _rounded(y + u * sin + v * cos)])
    return Shape("polygon", points)


def _holed(polygon: Any, size: Size) -> Shape:
    if size is None:
        raise ValueError("has holes, and the size of its picture is not known")
    return _cropped(masks.polygon_to_mask(numbers.plain(polygon), size[1], size[0]))


def _bitmap(mask: Any) -> masks.Mask:
    return masks.decode_rle({"counts": mask["counts"], "size": [int(side) for side in mask["size"]]})


def _cropped(bitmap: masks.Mask) -> Shape:
    """The smallest crop with every pixel of the mask; one pixel where there is none."""
    inside, left, top = masks.crop(bitmap) if bitmap.any() else (bitmap[:1, :1], 0, 0)
    right, bottom = left + inside.shape[1] - 1, top + inside.shape[0] - 1
    corners = [[Number(left), Number(top)], [Number(right), Number(bottom)]]
    return Shape("mask", corners, _png(inside))


def _png(bitmap: masks.Mask) -> str:
    content = io.BytesIO()
    Image.fromarray(bitmap.astype(numpy.uint8) * 255).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def _crop_corners(points: Points) -> tuple[int, int, int, int]:
    if len(points) != 2:
        raise ValueError(f"is a mask of {len(points)} points, not 2")
    x0, y0, x1, y1 = (int(_decimal.exact(number)) for number in _flat(points))
    return x0, y0, x1, y1


def _mask_of(drawn: Shape, size: Size) -> dict[str, Any]:
    """The mask of a crop, as large as the picture."""
    x0, y0, _, _ = _crop_corners(drawn.points)
    if size is None:
        raise ValueError("is a mask, and the size of its picture is not known")
    mask = masks.encode_rle(masks.mask_from_crop(_unpacked(drawn.mask, size), x0, y0, size[1], size[0]))
    return {"counts": mask["counts"], "size": [Number(size[1]), Number(size[0])]}


def _unpacked(text: str | None, size: tuple[int, int]) -> masks.Mask:
    """The pixels of a PNG in base64, not unpacked where it is larger than the picture."""
    if text is None:
        raise ValueError("is a mask without its pixels")
    if not text.isascii():
        raise ValueError("has a mask that is not a PNG in base64")
    if len(text) > MAX_PNG_BYTES * 4 // 3:
        raise ValueError(f"has a mask of more than {MAX_PNG_BYTES >> 20} MiB")
    try:
        content = base64.b64decode(text, validate=True)
        with open_picture(content, ("PNG",)) as picture:
            if picture.width > size[0] or picture.height > size[1]:
                raise ValueError("is a mask larger than the picture")
            pixels = numpy.asarray(picture)
            channels = len(picture.getbands()) - picture.mode.endswith("A")
    except (binascii.Error, UnreadablePicture) as error:
        raise ValueError("has a mask that is not a PNG in base64") from error
    inside = pixels if pixels.ndim == 2 else pixels[..., :channels].any(-1)
    return numpy.asarray(inside, numpy.bool_)
