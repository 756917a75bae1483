"""The shapes of CVAT XML as geometry, and back.

| CVAT | here |
|---|---|
| tag | tag |
| box `xtl ytl xbr ybr`, `rotation` in degrees clockwise | box |
| polygon, polyline `x,y;x,y` | the same, with one ring |
| points | point where there is one, else keypoints, all visible |
| ellipse `cx cy rx ry`, `rotation` | ellipse |
| cuboid, eight corners | cuboid; `tl2` and `bl2` are at the *right* of the rear face, where CVAT draws them |
| mask `rle left top width height` | mask; runs go along the rows of the crop, ours down the columns of the picture |
| skeleton | keypoints; an element that is `outside` is not labelled, one that is `occluded` is hidden |

Source: `cvat/apps/dataset_manager/formats/cvat.py`, and `cuboid.ts` of CVAT's canvas for the order of corners.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tdvc.formats import _decimal
from tdvc.formats._folder import shortened
from tdvc.formats._xml import Node
from tdvc.model import masks, numbers
from tdvc.model.numbers import Number
from tdvc.model.records import Instance

TAGS = frozenset({"box", "cuboid", "ellipse", "mask", "points", "polygon", "polyline", "skeleton", "tag"})

_BOX = ("xtl", "ytl", "xbr", "ybr")
_ELLIPSE = ("cx", "cy", "rx", "ry")
_CROP = ("left", "top", "width", "height")
_CUBOID = tuple(axis + corner for corner in ("tl1", "tr1", "br1", "bl1", "tr2", "tl2", "bl2", "br2") for axis in "xy")
"""In our order. CVAT writes them in another, which XML does not care about."""

_PLACES = {
    "box": (*_BOX, "rotation"),
    "cuboid": _CUBOID,
    "ellipse": (*_ELLIPSE, "rotation"),
    "mask": ("rle", *_CROP),
    "points": ("points",),
    "polygon": ("points",),
    "polyline": ("points",),
}
_RUNS = re.compile(r"\s*\d{1,10}(\s*,\s*\d{1,10})*\s*")
_MAX_TEXT = 64 << 20


def place_attributes(tag: str) -> tuple[str, ...]:
    """The XML attributes that say where a shape is."""
    return _PLACES.get(tag, ())


def take(node: Node, size: tuple[int, int] | None, template: list[str]) -> tuple[str, Any, dict[str, Any]]:
    """The spatial type and geometry of a shape, and what else its elements say if it is a skeleton.

    Args:
        node: the shape.
        size: (width, height) of the picture, px, which a mask needs.
        template: the names of a skeleton's points, in order; empty where they are not known.

    Raises:
        ValueError: it lacks a part or breaks a rule; the end of a sentence.
    """
    tag = node.tag
    if tag == "tag":
        return "tag", None, {}
    if tag in ("box", "ellipse"):
        names = _BOX if tag == "box" else _ELLIPSE
        turn = [_number(node, "rotation")] if "rotation" in node.attributes else []
        return tag, [_number(node, name) for name in names] + turn, {}
    if tag == "cuboid":
        return "cuboid", [_number(node, name) for name in _CUBOID], {}
    if tag == "mask":
        return "mask", _mask(node, size), {}
    if tag == "skeleton":
        return _skeleton(node, template)
    points = _points(node)
    if tag == "polygon":
        return "polygon", [[points]], {}
    if tag == "polyline":
        return "polyline", points, {}
    if len(points) == 2:
        return "point", points, {}
    return "keypoints", [v for at in range(0, len(points), 2) for v in (*points[at : at + 2], Number("2"))], {}


def _text(node: Node, name: str) -> str:
    if name not in node.attributes:
        raise ValueError(f"has no {name!r}")
    return node.attributes[name]


def _number(node: Node, name: str) -> Number:
    text = _text(node, name).strip()
    number = _decimal.number(text)
    if number is None:
        raise ValueError(f"has a {name!r} that is not a number: {shortened(text)}")
    return number


def _points(node: Node) -> list[Number]:
    """Flat, in pairs."""
    text = _text(node, "points").strip().removesuffix(";")
    found: list[Number] = []
    for pair in text.split(";"):
        values = [_decimal.number(part.strip()) for part in pair.split(",")]
        if len(values) != 2:
            raise ValueError(f"has points that are not pairs: {shortened(pair)}")
        for value in values:
            if value is None:
                raise ValueError(f"has a point that is not two numbers: {shortened(pair)}")
            found.append(value)
    return found


def _mask(node: Node, size: tuple[int, int] | None) -> dict[str, Any]:
    if size is None:
        raise ValueError("is a mask, and the size of its picture is not known")
    sides = [_text(node, name).strip() for name in _CROP]
    if not all(side.isascii() and side.isdigit() and len(side) < 10 for side in sides):
        raise ValueError("is a mask whose place is not four whole numbers")
    left, top, width, height = map(int, sides)
    if left + width > size[0] or top + height > size[1]:
        raise ValueError(f"is a mask that leaves the picture of {size[0]} x {size[1]} pixels")
    text = _text(node, "rle")
    if len(text) > _MAX_TEXT or not _RUNS.fullmatch(text):
        raise ValueError("is a mask whose run lengths are not whole numbers")
    lengths = np.array([int(run) for run in text.split(",")], np.int64)
    if int(lengths.sum()) != width * height:
        raise ValueError(f"is a mask whose runs sum to {int(lengths.sum())}, not to its {width} x {height} pixels")
    if size[0] * size[1] > masks.MAX_PIXELS:
        raise ValueError(f"is a mask of a picture with more than {masks.MAX_PIXELS:,} pixels")
    inside = np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(height, width)
    return masks.encode_rle(masks.mask_from_crop(inside, left, top, size[1], size[0]))


def _skeleton(node: Node, template: list[str]) -> tuple[str, Any, dict[str, Any]]:
    """Keypoints in the template's order, or in their own where there is none or it lacks one of them."""
    elements = {}
    for child in node.children:
        if child.tag == "attribute":
            continue
        name = child.attributes.get("label", "")
        if child.tag != "points" or name in elements:
            raise ValueError(f"is a skeleton with a second {shortened(name)} or one that is not a point")
        elements[name] = child
    names = template if set(elements) <= set(template) else list(elements)
    if not names:
        raise ValueError("is a skeleton without points")
    geometry: list[Number] = []
    for name in names:
        geometry += _joint(elements.get(name))
    extras = [_extras(elements.get(name), name) for name in names]
    known = names == (template or default_names(len(names)))
    if known and not any(len(extra) > 1 for extra in extras):
        return "keypoints", geometry, {}
    return "keypoints", geometry, {"elements": extras}


def default_names(count: int) -> list[str]:
    """What the points of a skeleton are called where nothing says it."""
    return [str(number) for number in range(1, count + 1)]


def _joint(node: Node | None) -> list[Number]:
    if node is None:
        return [Number("0")] * 3
    points = _points(node)
    if len(points) != 2:
        raise ValueError("is a skeleton with an element of more than one point")
    if node.attributes.get("outside", "0") == "1":
        return [*points, Number("0")]
    return [*points, Number("1" if node.attributes.get("occluded", "0") == "1" else "2")]


_IMPLIED = {("source", "manual"), ("keyframe", "1"), ("outside", "0"), ("outside", "1"), ("occluded", "0")}


def _extras(node: Node | None, name: str) -> dict[str, Any]:
    """What an element says beyond its place, with its name."""
    if node is None:
        return {"label": name, "absent": True}
    hidden = node.attributes.get("outside") != "1"
    kept: dict[str, Any] = {"label": name}
    for key, value in node.attributes.items():
        if key not in ("label", "points") and (key, value) not in _IMPLIED and not (key == "occluded" and hidden):
            kept[key] = value
    attributes = {child.attributes.get("name", ""): child.text for child in node.children if child.tag == "attribute"}
    return kept | ({"attributes": attributes} if attributes else {})


class Shape:
    """A shape to write: its tag, the XML attributes that say where it is, and the elements of a skeleton."""

    def __init__(self, tag: str, attributes: dict[str, str], elements: list[dict[str, Any]] | None = None) -> None:
        self.tag = tag
        self.attributes = attributes
        self.elements = elements or []


def give(instance: Instance, size: tuple[int, int] | None, template: list[str], extras: Any) -> Shape:
    """The shape of an instance.

    Args:
        instance: what to write.
        size: (width, height) of the picture, px.
        template: the names of the label's keypoints; empty where it has none.
        extras: what `take` kept of a skeleton's elements, or anything.

    Raises:
        ValueError: CVAT has no word for it; the end of a sentence.
    """
    geometry = numbers.parse(bytes(instance.geometry))
    if instance.type == "tag":
        return Shape("tag", {})
    if instance.type in ("box", "ellipse"):
        names = _BOX if instance.type == "box" else _ELLIPSE
        return Shape(instance.type, dict(zip((*names, "rotation"), geometry, strict=False)))
    if instance.type == "cuboid":
        return Shape("cuboid", dict(zip(_CUBOID, geometry, strict=True)))
    if instance.type == "keypoints":
        return _give_keypoints(geometry, template, extras)
    if instance.type in ("point", "polyline"):
        return Shape("points" if instance.type == "point" else "polyline", {"points": _joined(geometry)})
    if instance.type == "polygon" and len(geometry) == 1 and len(geometry[0]) == 1:
        return Shape("polygon", {"points": _joined(geometry[0][0])})
    if instance.type in ("polygon", "mask"):
        return _give_mask(instance, size)
    raise ValueError("has no place in CVAT")


def _joined(flat: list[Number]) -> str:
    return ";".join(f"{x},{y}" for x, y in zip(flat[0::2], flat[1::2], strict=True))


def _give_mask(instance: Instance, size: tuple[int, int] | None) -> Shape:
    """A mask, or a polygon with parts or holes as one."""
    if instance.type == "mask":
        array = masks.decode_rle(instance.coordinates)
    elif size is None:
        raise ValueError("has parts or holes, and the size of its picture is not known")
    else:
        array = masks.polygon_to_mask(instance.coordinates, size[1], size[0])
    inside, left, top = masks.crop(array) if array.any() else (array[:1, :1], 0, 0)
    height, width = inside.shape
    flat = inside.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], [0] if flat[0] else [], changes, [flat.size])).astype(np.int64)
    runs = ", ".join(map(str, np.diff(bounds).tolist()))
    return Shape("mask", {"rle": runs, **dict(zip(_CROP, map(str, (left, top, width, height)), strict=True))})


def _give_keypoints(flat: list[Number], template: list[str], extras: Any) -> Shape:
    """A skeleton; plain `points` where they are several, all visible and without names."""
    count = len(flat) // 3
    kept = extras if isinstance(extras, list) and len(extras) == count else []
    if count > 1 and not template and not kept and all(mark == Number("2") for mark in flat[2::3]):
        return Shape(
            "points", {"points": _joined([value for at in range(0, len(flat), 3) for value in flat[at : at + 2]])}
        )
    names = template if len(template) == count else default_names(count)
    elements = []
    for at, name in enumerate(names):
        x, y, mark = flat[3 * at : 3 * at + 3]
        extra = kept[at] if kept and isinstance(kept[at], dict) else {}
        if extra.get("absent") is True and mark == Number("0"):
            continue
        marks = {"outside": str(int(mark == Number("0"))), "occluded": str(int(mark == Number("1")))}
        own = {key: value for key, value in extra.items() if key not in ("absent", "outside")}
        if mark != Number("0"):
            own.pop("occluded", None)
        elements.append({"label": name, "source": "manual", **marks, "points": f"{x},{y}", **own})
    return Shape("skeleton", {}, elements)
