"""The geometries of Supervisely as those of tdvc, and back.

    rectangle   box; both corners are pixels that belong to it, so the far edges are one further
    polygon     polygon of one part, with holes
    line        polyline
    point       point
    bitmap      mask: base64 of zlib of a PNG of the part around `origin`
    graph       keypoints, in the order of the node ids; a node that is not there is not labelled

Source: supervisely `geometry/rectangle.py`, `geometry/bitmap.py`, `geometry/graph.py`; JSON points are `[x, y]`.
"""

from __future__ import annotations

import base64
import binascii
import io
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tdvc.formats import _decimal
from tdvc.formats._carry import is_text
from tdvc.formats._folder import shortened
from tdvc.model import masks, numbers
from tdvc.model.numbers import Number
from tdvc.model.pictures import UnreadablePicture, open_picture

MAX_BITMAP_BYTES = 64 << 20
FIELDS = ("bitmap", "nodes", "points")
"""Where a figure has its geometry."""

_PALETTE = (0, 0, 0, 255, 255, 255)

Size = tuple[int, int]
"""Width and height, px."""


class UnknownGeometry(ValueError):
    """A geometry that tdvc has no type for."""


def geometry_of(kind: str, figure: dict[str, Any], size: Size | None, nodes: Sequence[str]) -> tuple[str, Any]:
    """The spatial type and geometry of a figure.

    Args:
        kind: its `geometryType`.
        figure: its fields, numbers as `Number`.
        size: of the picture, for bitmaps.
        nodes: the ids of the class's nodes.

    Raises:
        UnknownGeometry: tdvc has no type for it.
        ValueError: it breaks the rules of its kind; the end of a sentence.
    """
    if kind == "rectangle":
        return "box", _box(_ring(figure, 2))
    if kind == "polygon":
        points = _points(figure)
        return "polygon", [[_ring(figure, 3), *(_flat(hole, 3) for hole in _list(points.get("interior", [])))]]
    if kind == "line":
        return "polyline", _ring(figure, 2)
    if kind == "point":
        return "point", _ring(figure, 1)[:2]
    if kind == "bitmap":
        return "mask", _mask(figure.get("bitmap"), size)
    if kind == "graph":
        return "keypoints", _keypoints(figure.get("nodes"), nodes)
    raise UnknownGeometry(f"has the geometry {shortened(kind)}, which tdvc has no type for")


def drawn(kind: str, geometry: Any, size: Size | None, nodes: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The kind and fields of a figure that says a geometry as far as Supervisely can.

    Args:
        kind: a spatial type.
        geometry: numbers as `Number`.
        size: of the picture, which a mask must have too; None where it is not known.
        nodes: the ids of the class's nodes, at least as many as the geometry has.

    Raises:
        ValueError: Supervisely has no figure for it; the end of a sentence.
    """
    if kind == "box" and len(geometry) == 4:
        x0, y0, x1, y1 = geometry
        return "rectangle", _exterior([x0, y0, _last_pixel(x0, x1), _last_pixel(y0, y1)])
    if kind == "polygon" and len(geometry) == 1:
        exterior, *holes = geometry[0]
        return "polygon", _exterior(exterior, holes)
    if kind in ("polyline", "point"):
        return "line" if kind == "polyline" else "point", _exterior(geometry)
    if kind == "mask":
        return "bitmap", {"bitmap": _bitmap(geometry, size)}
    if kind == "keypoints":
        return "graph", {"nodes": _nodes(geometry, nodes)}
    raise ValueError("has no place in Supervisely")


def _points(figure: dict[str, Any]) -> dict[str, Any]:
    points = figure.get("points")
    if not isinstance(points, dict):
        raise ValueError("has no points")
    return points


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("has something other than a list of points")
    return value


def _ring(figure: dict[str, Any], at_least: int) -> list[Number]:
    return _flat(_points(figure).get("exterior"), at_least)


def _flat(points: Any, at_least: int) -> list[Number]:
    flat = []
    for point in _list(points):
        if not isinstance(point, list) or len(point) != 2 or not all(isinstance(value, Number) for value in point):
            raise ValueError("has a point that is not two numbers")
        flat += point
    if len(flat) < 2 * at_least:
        raise ValueError(f"needs {at_least} points, got {len(flat) // 2}")
    return flat


def _box(corners: list[Number]) -> list[Number]:
    if len(corners) != 4:
        raise ValueError(f"needs 2 points, got {len(corners) // 2}")
    (x0, x1), (y0, y1) = (sorted(corners[axis::2], key=_decimal.exact) for axis in (0, 1))
    return [x0, y0, _decimal.add(x1, "1"), _decimal.add(y1, "1")]


def _last_pixel(start: Number, end: Number) -> Number:
    last = _decimal.subtract(end, "1")
    return last if _decimal.exact(last) >= _decimal.exact(start) else start


def _exterior(flat: Sequence[Number], holes: Sequence[Sequence[Number]] = ()) -> dict[str, Any]:
    return {"points": {"exterior": _pairs(flat), "interior": [_pairs(hole) for hole in holes]}}


def _pairs(flat: Sequence[Number]) -> list[list[Number]]:
    return [[x, y] for x, y in zip(flat[0::2], flat[1::2], strict=True)]


def _keypoints(nodes: Any, template: Sequence[str]) -> list[Number]:
    if not isinstance(nodes, dict) or not nodes:
        raise ValueError("has no nodes")
    flat = []
    for identity in sorted({*template, *nodes}):
        node = nodes.get(identity)
        if node is None:
            flat += [Number("0")] * 3
        elif isinstance(node, dict):
            flat += [*_flat([node.get("loc")], 1), Number("1" if node.get("disabled") is True else "2")]
        else:
            raise ValueError(f"has a node {shortened(identity)} without a place")
    return flat


def _nodes(flat: Sequence[Number], ids: Sequence[str]) -> dict[str, Any]:
    nodes: dict[str, Any] = {}
    for identity, x, y, visible in zip(ids, flat[0::3], flat[1::3], flat[2::3], strict=False):
        if visible != Number("0"):
            nodes[identity] = {"loc": [x, y]} | ({"disabled": True} if visible == Number("1") else {})
    if not nodes:
        raise ValueError("has no labelled point, and Supervisely has no empty graphs")
    return nodes


def _mask(bitmap: Any, size: Size | None) -> dict[str, Any]:
    if not isinstance(bitmap, dict) or not is_text(bitmap.get("data")):
        raise ValueError("has no bitmap")
    if size is None:
        raise ValueError("has a bitmap, but the size of its picture is not known")
    x, y = (numbers.plain(value) for value in _flat([bitmap.get("origin")], 1))
    if not isinstance(x, int) or not isinstance(y, int):
        raise ValueError("has a bitmap that does not begin at a pixel")
    masks.check_size(size[1], size[0])
    return masks.encode_rle(masks.mask_from_crop(_pixels(bitmap["data"]), x, y, size[1], size[0]))


def _pixels(data: str) -> NDArray[np.bool_]:
    """The pixels of a bitmap's data, by the rules of Supervisely: alpha if there is one, else what is not black."""
    if len(data) > MAX_BITMAP_BYTES:
        raise ValueError(f"has a bitmap of more than {MAX_BITMAP_BYTES >> 20} MiB")
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise ValueError("has a bitmap that is not base64") from error
    try:
        with open_picture(_inflated(content), ("PNG",)) as picture:
            masks.check_size(picture.height, picture.width)
            return _inside(picture)
    except UnreadablePicture as error:
        raise ValueError("has a bitmap that is not a PNG") from error


def _inflated(content: bytes) -> bytes:
    """What is compressed, or the content itself where it is not."""
    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(content, MAX_BITMAP_BYTES)
    except zlib.error:
        return content
    if inflater.unconsumed_tail:
        raise ValueError(f"has a bitmap of more than {MAX_BITMAP_BYTES >> 20} MiB")
    return inflated


def _inside(picture: Image.Image) -> NDArray[np.bool_]:
    if "A" in picture.mode or "transparency" in picture.info:
        return np.asarray(np.asarray(picture.convert("RGBA"))[..., 3] > 0)
    if picture.mode in ("1", "L", "I", "I;16"):
        return np.asarray(np.asarray(picture) > 0)
    return np.asarray(np.asarray(picture.convert("RGB")).any(axis=2))


def _bitmap(mask: dict[str, Any], size: Size | None) -> dict[str, Any]:
    array = masks.decode_rle(numbers.plain(mask) | {"counts": mask["counts"]})
    if size is not None and array.shape != (size[1], size[0]):
        raise ValueError(f"is {array.shape[1]} x {array.shape[0]} pixels, but its picture is {size[0]} x {size[1]}")
    part, x, y = masks.crop(array)
    picture = Image.fromarray(part.astype(np.uint8))
    picture.putpalette(_PALETTE)
    content = io.BytesIO()
    picture.save(content, "PNG", transparency=0)
    data = base64.b64encode(zlib.compress(content.getvalue())).decode("ascii")
    return {"origin": [Number(x), Number(y)], "data": data}
