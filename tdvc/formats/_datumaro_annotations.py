"""One Datumaro annotation as an instance's fields, and back.

Attributes are free in Datumaro, and some have a customary meaning: `score`, `track_id`, `rotation`. Those become what
they mean here. An attribute of ours that would be taken for one of them goes into the key `tdvc` instead, as does
everything that Datumaro has no word for.
"""

from __future__ import annotations

from typing import Any

from tdvc.formats import _datumaro_shapes
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.records import Instance

NAME = "datumaro"
NO_LABEL = "object"
"""The label of an annotation that has none."""

CAPTION = "caption"
"""The label of captions, and the attribute that holds the words."""

_KEPT_TYPES = frozenset({"caption", "cuboid_3d", "rotated_bbox", "skeleton"})
_DEFAULTS = {"id": Number("0"), "group": Number("0"), "z_order": Number("0")}
_OURS = ("frame", "source", "score", "sequence")


def read(annotation: dict[str, Any], labels: list[str], frame: int | None) -> dict[str, Any]:
    """The fields of the instance, without `instance_id` where the annotation has none.

    Args:
        annotation: as parsed; it is used up.
        labels: keys by position.
        frame: the frame of a video that it is on.

    Raises:
        ValueError: it lacks a part or breaks a rule; the end of a sentence.
    """
    kind = annotation.pop("type", None)
    if not isinstance(kind, str):
        raise ValueError("has no 'type'")
    ours = annotation.pop("tdvc", None)
    kept = {name: value for name, value in annotation.items() if value != _DEFAULTS.get(name, _NOTHING)}
    fields: dict[str, Any] = {"frame": frame}
    fields["type"], fields["geometry"] = _datumaro_shapes.take(kind, kept)
    fields |= _attributes(kind, kept)
    fields["label"] = _label(kind, kept, labels)
    if kind in _KEPT_TYPES:
        kept["type"] = kind
    if isinstance(ours, dict):
        _take_ours(kind, ours, fields)
    properties = foreign_properties(ours)
    fields["properties"] = {**properties, NAME: kept} if kept else properties
    return fields


_NOTHING = object()


def foreign_properties(ours: Any) -> dict[str, Any]:
    """The properties of other formats, as our own writer put them into the key `tdvc` of an item or annotation."""
    properties = ours.get("properties") if isinstance(ours, dict) else None
    if not isinstance(properties, dict):
        return {}
    return {name: value for name, value in properties.items() if name not in (NAME, "splits")}


def _attributes(kind: str, kept: dict[str, Any]) -> dict[str, Any]:
    """The attributes, and the fields that customary attributes stand for."""
    attributes = kept.pop("attributes", None)
    attributes = {} if attributes is None else attributes
    if not isinstance(attributes, dict):
        raise ValueError("has 'attributes' that are not an object")
    if kind == "caption":
        attributes["caption"] = kept.pop("caption", "")
    fields: dict[str, Any] = {"attributes": attributes}
    for name, value in list(attributes.items()):
        if name != "rotation" and _means_something(name, value, kind):
            fields["sequence" if name == "track_id" else name] = str(value) if name == "track_id" else value
            del attributes[name]
    return fields


def _means_something(name: str, value: Any, kind: str) -> bool:
    """Whether an attribute is read as more than an attribute."""
    is_number = isinstance(value, Number)
    if name == "instance_id":
        return isinstance(value, str) and len(value) == 32 and not value.strip("0123456789abcdef")
    if name == "track_id":
        return isinstance(value, str) and bool(value)
    return is_number and (name == "score" or (name == "rotation" and kind in _datumaro_shapes.TURNED))


def _label(kind: str, kept: dict[str, Any], labels: list[str]) -> str:
    if kind == "caption":
        return CAPTION
    position = kept.pop("label_id", None)
    if position is None:
        kept["label_id"] = None
        return NO_LABEL
    if not isinstance(position, Number):
        raise ValueError("has a 'label_id' that is not a number")
    at = int(position) if len(position) <= 9 and position.isdigit() else -1
    return labels[at] if 0 <= at < len(labels) else f"label {position[:32]}"


def _take_ours(kind: str, ours: dict[str, Any], fields: dict[str, Any]) -> None:
    """What our own writer added: what Datumaro has no word for, and what a mask stands for."""
    fields.update({name: ours[name] for name in _OURS if name in ours})
    if isinstance(ours.get("attributes"), dict):
        fields["attributes"] = fields["attributes"] | ours["attributes"]
    exactly = ours.get("exactly")
    if kind == "mask" and isinstance(exactly, dict) and exactly.get("type") == "polygon":
        fields["type"], fields["geometry"] = "polygon", exactly.get("geometry")
    if kind == "points" and fields["type"] == "point" and exactly == {"type": "keypoints"}:
        fields["type"], fields["geometry"] = "keypoints", [*fields["geometry"], Number("2")]


def write(instance: Instance, label_ids: dict[str, int], size: tuple[int, int] | None) -> dict[str, Any]:
    """The annotation of an instance; a label that is not in `label_ids` is added there.

    Raises:
        ValueError: Datumaro has no word for it; the end of a sentence.
    """
    properties = numbers.parse(bytes(instance.properties))
    kept = properties.pop(NAME, None)
    kept = dict(kept) if isinstance(kept, dict) else {}
    shape = _datumaro_shapes.give(instance, kept.pop("type", None), size)
    if shape["type"] == "label" and instance.label == CAPTION and "caption" in instance.attribute_values:
        shape["type"] = "caption"
    ours: dict[str, Any] = {"properties": properties} if properties else {}
    if "exactly" in shape:
        ours["exactly"] = shape.pop("exactly")
    attributes = _given_attributes(instance, shape, ours)
    if shape["type"] == "caption":
        shape["caption"] = attributes.pop("caption", "")
    elif kept.pop("label_id", _NOTHING) is None and instance.label == NO_LABEL:
        shape["label_id"] = None
    else:
        shape["label_id"] = label_ids.setdefault(instance.label, len(label_ids))
    common = {**_DEFAULTS, **kept, **shape, "attributes": attributes}
    return {**common, "tdvc": ours} if ours else common


def _given_attributes(instance: Instance, shape: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """All that goes into `attributes`; what can't be told from it goes into `ours`."""
    given = numbers.parse(bytes(instance.attributes))
    attributes = {name: value for name, value in given.items() if not _means_something(name, value, shape["type"])}
    if len(attributes) < len(given):
        ours["attributes"] = {name: value for name, value in given.items() if name not in attributes}
    attributes["instance_id"] = instance.instance_id
    if "rotation" in shape:
        attributes["rotation"] = shape.pop("rotation")
    for name, field in (("score", "score"), ("track_id", "sequence")):
        value = _field(instance, field)
        if value is not None:
            (ours if name in attributes else attributes)[field if name in attributes else name] = value
    for name in ("frame", "source"):
        if getattr(instance, name) is not None:
            ours[name] = getattr(instance, name)
    return attributes


def _field(instance: Instance, name: str) -> Any:
    """The score, or the sequence: a number where it reads as one, because Datumaro counts tracks."""
    if name == "score":
        return numbers.parse(bytes(instance.score))
    text = instance.sequence or ""
    counted = text.isascii() and text.isdigit() and len(text) <= 18 and str(int(text)) == text
    return Number(text) if counted else instance.sequence
