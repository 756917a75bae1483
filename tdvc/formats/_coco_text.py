"""COCO annotations and images as JSON, each by itself.

Nearly all instances that came from COCO are polygons that say nothing new; those take a short way, in which texts are
put together and numbers are read only to see that box and outline still belong together. Both ways lead to the same
bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

import msgspec

from tdvc.formats import _decimal
from tdvc.formats._carry import own_of
from tdvc.formats._coco_annotations import FORMAT
from tdvc.formats.base import FileRecord
from tdvc.model import geometry, numbers
from tdvc.model.records import Instance

PANOPTIC = "coco-panoptic"
"""The name of the other format of COCO, under which it keeps what it said."""

GiveId = Callable[[Any], int]
"""Gives an annotation its id, which is the one that it wants where that is one and free."""

_NEAR = 1.5  # px; a box that came is believed while each of its numbers is that near to what is drawn
_USUAL = (
    b'{"area":%b,"bbox":%b,"category_id":%d,"id":%d,"image_id":%d,"instance_id":"%b","iscrowd":%b,"segmentation":%b%b}'
)
_SOURCE = b',"source":%b'


class _Own(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What COCO says of a usual annotation."""

    area: msgspec.Raw
    bbox: msgspec.Raw
    id: int
    iscrowd: msgspec.Raw


class _Properties(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The properties of an instance of which only COCO said something."""

    coco: _Own


_usual = msgspec.json.Decoder(_Properties)
_boxes = msgspec.json.Decoder(tuple[float, float, float, float])
_parts = msgspec.json.Decoder(list[tuple[list[float]]])
_encode = msgspec.json.Encoder().encode


def annotation(record: FileRecord, instance: Instance, image_id: int, category: int, give_id: GiveId) -> bytes:
    """An annotation as JSON. Raises ValueError, the end of a sentence, where COCO has no word for it."""
    usual = _usual_text(instance, image_id, category, give_id) if instance.type == "polygon" else None
    return usual or _any_text(record, instance, image_id, category, give_id)


def _usual_text(instance: Instance, image_id: int, category: int, give_id: GiveId) -> bytes | None:
    """What `_any_text` makes of a polygon that says no more than COCO does; None for every other one."""
    if len(instance.attributes) > 2 or instance.frame is not None or instance.sequence is not None:
        return None
    try:
        own, parts = _usual.decode(instance.properties).coco, _parts.decode(instance.geometry)
        came = _boxes.decode(own.bbox)
    except msgspec.ValidationError:  # also where a part has a hole
        return None
    if len(instance.score) != len(b"null") or own.id < 0:
        return None
    drawn = _around(parts)
    bbox, area = bytes(own.bbox), bytes(own.area)
    if not _is_near(came, drawn):
        bbox = b"[%b]" % b",".join([_spelled(value) for value in drawn])
        area = _spelled(geometry.area("polygon", parts))
    shape = bytes(instance.geometry)
    segmentation = shape[1:-1] if len(parts) == 1 else b"[%b]" % shape[2:-2].replace(b"]],[[", b"],[")
    source = _SOURCE % _encode(instance.source) if instance.source is not None else b""
    ids = category, give_id(own.id), image_id, instance.instance_id.encode()
    return _USUAL % (area, bbox, *ids, own.iscrowd, segmentation, source)


def _around(parts: Sequence[tuple[list[float]]]) -> tuple[float, float, float, float]:
    """The box around a polygon: x, y, width and height."""
    x0, y0, x1, y1 = geometry.bounding_box("polygon", parts) or (0.0, 0.0, 0.0, 0.0)
    return x0, y0, x1 - x0, y1 - y0


def _is_near(came: Sequence[float], drawn: Sequence[float]) -> bool:
    """Whether a box that came still belongs to what is drawn."""
    return all(abs(a - b) < _NEAR for a, b in zip(came, drawn, strict=True))


def _spelled(value: float) -> bytes:
    return repr(shortest(value)).encode()


def _any_text(record: FileRecord, instance: Instance, image_id: int, category: int, give_id: GiveId) -> bytes:
    properties = numbers.parse(bytes(instance.properties))
    fields = own_of(properties, FORMAT)
    fields.setdefault("iscrowd", crowd_in(properties))
    properties.pop(FORMAT, None)
    fields.update(_shape(instance, fields, record.size))
    fields["id"] = give_id(fields.get("id"))
    fields["image_id"] = image_id
    fields["category_id"] = category
    fields["instance_id"] = instance.instance_id
    fields.update(rest(instance))
    if properties:
        fields["properties"] = properties
    return numbers.spell(fields)


def crowd_in(properties: Mapping[str, Any]) -> Any:
    """Whether an instance is a crowd, as COCO said in instances or in panoptic segments."""
    said = (own_of(properties, name).get("iscrowd") for name in (FORMAT, PANOPTIC))
    return next((crowd for crowd in said if crowd is not None), 0)


def rest(instance: Instance) -> dict[str, Any]:
    """What COCO has no word for, under our own words."""
    fields: dict[str, Any] = {}
    for name in ("attributes", "score"):
        raw = getattr(instance, name)
        if bytes(raw) not in (b"{}", b"null"):
            fields[name] = raw
    for name in ("frame", "sequence", "source"):
        if getattr(instance, name) is not None:
            fields[name] = getattr(instance, name)
    return fields


def _shape(instance: Instance, former: dict[str, Any], size: tuple[int, int] | None) -> dict[str, Any]:
    """The fields that say where an instance is. Raises ValueError where COCO has no word for it."""
    shape = numbers.parse(bytes(instance.geometry))
    if instance.type == "box":
        if len(shape) > 4:
            raise ValueError("that is turned can't be written as an upright one")
        width, height = _decimal.subtract(shape[2], shape[0]), _decimal.subtract(shape[3], shape[1])
        segmentation = former.get("segmentation", [])
        area = former.get("area") or _decimal.multiply(width, height)
        return {"bbox": [shape[0], shape[1], width, height], "area": area, "segmentation": segmentation}
    if instance.type == "keypoints":
        labelled = sum(numbers.plain(visible) > 0 for visible in shape[2::3])
        return {"keypoints": shape, "num_keypoints": labelled, **extent(instance, former)}
    if instance.type == "mask":
        return {"segmentation": shape, **extent(instance, former)}
    if instance.type == "polygon":
        if all(len(part) == 1 for part in shape):
            return {"segmentation": [part[0] for part in shape], **extent(instance, former)}
        return {"segmentation": _as_mask(instance, size), **extent(instance, former)}
    if instance.type == "tag" and "caption" in instance.attribute_values:
        return {"caption": instance.attribute_values["caption"]}
    raise ValueError("has no place in COCO")


def _as_mask(instance: Instance, size: tuple[int, int] | None) -> dict[str, Any]:
    from tdvc.model import masks  # noqa: PLC0415 (numpy, for the few polygons that have holes)

    if size is None:
        raise ValueError("has holes, and the size of its picture is not known")
    return masks.encode_rle(masks.polygon_to_mask(instance.coordinates, size[1], size[0]))


def extent(instance: Instance, former: dict[str, Any]) -> dict[str, Any]:
    """Box and area: as they came, while the geometry still has that box; else computed."""
    box = instance.bounding_box
    if box is None:
        return {}
    computed = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
    came = numbers.plain(former.get("bbox"))
    if _is_box(came) and _is_near(came, computed):
        return {"bbox": former["bbox"], "area": former.get("area", _area(instance))}
    return {"bbox": [shortest(value) for value in computed], "area": _area(instance)}


def _is_box(value: Any) -> TypeGuard[list[float]]:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(item, int | float) for item in value)


def _area(instance: Instance) -> float | int:
    if instance.type == "keypoints":
        box = instance.bounding_box
        return shortest((box[2] - box[0]) * (box[3] - box[1])) if box else 0
    return shortest(geometry.area(instance.type, instance.coordinates))


def shortest(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 6)
