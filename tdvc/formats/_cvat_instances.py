"""One CVAT shape as an instance's fields, and one track as those of all its visible shapes."""

from __future__ import annotations

from typing import Any

from tdvc.formats import _cvat_labels, _cvat_shapes
from tdvc.formats._cvat_labels import IDENTITY, NO_LABEL
from tdvc.formats._cvat_writer import GONE, NAME, xml_text
from tdvc.formats._decimal import number
from tdvc.formats._folder import shortened
from tdvc.formats._json import parse_strictly
from tdvc.formats._xml import Node
from tdvc.formats.base import LabelRecord
from tdvc.model.numbers import Number

_DEFAULTS = {("occluded", "0"), ("z_order", "0"), ("source", "manual"), ("keyframe", "1"), ("outside", "0")}
_OURS = ("frame", "sequence", "score", "source")


def whole_number(text: str) -> int | None:
    """A whole number in text; None where it is not one, or absurdly long."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def kept_value(text: str) -> Any:
    """A number where the text is one as JSON spells it, else the text."""
    found = number(text)
    return Number(text) if found is not None and str(found) == text else text


def tdvc_object(text: str) -> dict[str, Any]:
    """What our own writer put into the XML attribute `tdvc`; nothing where somebody else did."""
    try:
        found = parse_strictly(text.encode())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def foreign_properties(ours: dict[str, Any]) -> dict[str, Any]:
    """The properties in the attribute `tdvc`; of our own format, those that XML attributes could not spell."""
    properties = ours.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {name: value for name, value in properties.items() if name != "splits"}


def shape_fields(node: Node, label: LabelRecord | None, size: tuple[int, int] | None) -> dict[str, Any]:
    """The fields of a shape's instance, without `instance_id` where it has none."""
    if node.tag not in _cvat_shapes.TAGS:
        raise ValueError(f"is a {shortened(node.tag)}, which is not known")
    if "label" not in node.attributes:
        raise ValueError("has no 'label'")
    kind, geometry, kept = _cvat_shapes.take(node, size, _cvat_labels.template(label))
    fields: dict[str, Any] = {"type": kind, "geometry": geometry, "label": node.attributes["label"]}
    used = {"label", "tdvc", *_cvat_shapes.place_attributes(node.tag)}
    for name, value in node.attributes.items():
        if name not in used and (name, value) not in _DEFAULTS:
            kept[name] = kept_value(value)
    if not fields["label"]:
        fields["label"], kept["label"] = NO_LABEL, ""
    ours = tdvc_object(node.attributes.get("tdvc", ""))
    fields |= {name: ours[name] for name in _OURS if name in ours}
    fields |= _attributes(node, _cvat_labels.input_types(label), ours.get("attributes"))
    foreign = foreign_properties(ours)
    own = foreign.pop(NAME, None)
    kept = {**own, **kept} if isinstance(own, dict) else kept
    fields["properties"] = {**foreign, NAME: kept} if kept else foreign
    return fields


def _attributes(node: Node, kinds: dict[str, str], exactly: Any) -> dict[str, Any]:
    """The attributes; a value of ours stands where the text is still the one we wrote for it."""
    texts = {child.attributes.get("name", ""): child.text for child in node.children if child.tag == "attribute"}
    attributes = {name: _cvat_labels.value_of(text, kinds.get(name)) for name, text in texts.items()}
    if isinstance(exactly, dict):
        for name, value in exactly.items():
            if texts.get(name) == xml_text(_cvat_labels.text_of(value)):
                attributes[name] = value
    identity = texts.get(IDENTITY, "")
    if len(identity) == 32 and not identity.strip("0123456789abcdef"):
        del attributes[IDENTITY]
        return {"attributes": attributes, "instance_id": identity}
    return {"attributes": attributes}


class Track:
    """One `<track>`: the fields of its visible shapes, each with the `outside` shapes that follow it."""

    def __init__(self, node: Node, label: LabelRecord | None, sequence: str) -> None:
        own = ("id", "label", "tdvc")
        self._shared = {name: value for name, value in node.attributes.items() if name not in own}
        self._shared["label"] = node.attributes.get("label", "")
        self._label = label
        self.sequence = sequence
        self.visible = sum(not _is_outside(shape) for shape in node.children)
        self.fields: list[dict[str, Any]] = []
        self.waiting: list[dict[str, Any]] = []

    def take(self, shape: Node, size: tuple[int, int] | None) -> None:
        """Add a shape. Raises ValueError where it lacks a part."""
        if _is_outside(shape):
            if tdvc_object(shape.attributes.get("tdvc", "")) == _MADE:
                return
            after = self.fields[-1]["properties"].setdefault(NAME, {}).setdefault("then", []) if self.fields else None
            (self.waiting if after is None else after).append(_as_kept(shape))
            return
        frame = whole_number(shape.attributes.get("frame", ""))
        if frame is None:
            raise ValueError("has no 'frame' that is a whole number")
        whole = Node(shape.tag, {**self._shared, **shape.attributes}, shape.children)
        del whole.attributes["frame"]
        fields = {"sequence": self.sequence} | shape_fields(whole, self._label, size) | {"frame": frame}
        if self.waiting:
            fields["properties"].setdefault(NAME, {})["before"] = self.waiting
            self.waiting = []
        self.fields.append(fields)


_MADE = parse_strictly(GONE.encode())


def _is_outside(shape: Node) -> bool:
    return shape.attributes.get("outside") == "1"


def _as_kept(shape: Node) -> dict[str, Any]:
    """A shape that is no instance, so that it can be written back."""
    attributes = {child.attributes.get("name", ""): child.text for child in shape.named("attribute")}
    kept = {"shape": shape.tag} | {name: kept_value(value) for name, value in shape.attributes.items()}
    return kept | ({"attributes": attributes} if attributes else {})
