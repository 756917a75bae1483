"""CVAT's label definitions as label records, and back; and what they say of the values of attributes.

A label keeps its `color`, `type`, `svg` and what else there is as fields. Its attributes are a list of
`{"name", "input_type", "mutable", "default_value", "values"}`, the values as a list. The points of a skeleton are
labels of their own in CVAT, with a `parent`; here they are the parent's `keypoints`, with their definitions in
`sublabels`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tdvc.formats import _decimal, _xml
from tdvc.formats._xml import Node
from tdvc.formats.base import LabelRecord
from tdvc.model import numbers
from tdvc.model.numbers import Number

IDENTITY = "instance_id"
"""The attribute that takes an instance's id along; mutable, because every shape of a track has its own."""

NO_LABEL = "object"
"""The label of a shape whose label is the empty text."""

_OWN = frozenset({"attributes", "keypoints", "sublabels"})


def read_labels(meta: Node) -> dict[str, LabelRecord]:
    """The labels of a file's `<meta>`, by name, in order.

    Raises:
        ValueError: a definition nests too deeply; the end of a sentence.
    """
    found: dict[str, LabelRecord] = {}
    points: list[tuple[str, dict[str, Any]]] = []
    for node in _label_nodes(meta):
        name, fields = _first_text(node, "name"), _fields(node)
        parent = fields.pop("parent", None)
        if isinstance(parent, str) and parent:
            points.append((parent, {"name": name, **fields}))
        elif name and name not in found:
            found[name] = LabelRecord(name, name, len(found), fields)
    for parent, point in points:
        if parent in found:
            fields = found[parent].fields
            fields.setdefault("keypoints", []).append(point["name"])
            fields.setdefault("sublabels", []).append(point)
    return found


def _label_nodes(meta: Node) -> list[Node]:
    """The labels of the task, project or job, wherever its list is."""
    waiting = [meta]
    while waiting:
        node = waiting.pop(0)
        if node.tag == "labels":
            return node.named("label")
        waiting.extend(child for child in node.children if child.tag != "attributes")
    return []


def _first_text(node: Node, tag: str) -> str:
    return next((child.text.strip() for child in node.named(tag)), "")


def _fields(node: Node) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for child in node.children:
        if child.tag not in ("name", "attributes") and (kept := _xml.to_json(child)):
            fields[child.tag] = kept.strip() if isinstance(kept, str) else kept
    attributes = [_attribute(inner) for group in node.named("attributes") for inner in group.named("attribute")]
    attributes = [attribute for attribute in attributes if attribute.get("name") != IDENTITY]
    return fields | ({"attributes": attributes} if attributes else {})


def _attribute(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = {child.tag: child.text.strip() for child in node.children if not child.children}
    if "values" in found:
        found["values"] = _values(found)
    return found


def _values(attribute: Mapping[str, str]) -> list[str]:
    """One a line; some tools put spaces between them, which shows where the default is among the parts."""
    text = attribute["values"]
    parts = text.split()
    choice = attribute.get("input_type") in ("select", "radio") and attribute.get("default_value") in parts
    if "\n" not in text and choice:
        return parts
    return [line.strip() for line in text.splitlines()]


def input_types(label: LabelRecord | None) -> dict[str, str]:
    """The declared kind of each attribute of a label."""
    declared = label.fields.get("attributes") if label else None
    entries = [entry for entry in declared if isinstance(entry, dict)] if isinstance(declared, list) else []
    return {str(entry.get("name")): str(entry.get("input_type")) for entry in entries}


def template(label: LabelRecord | None) -> list[str]:
    """The names of the points of a label's skeleton."""
    names = label.fields.get("keypoints") if label else None
    return [str(name) for name in names] if isinstance(names, list) else []


def value_of(text: str, input_type: str | None) -> Any:
    """An attribute's value: by its declared kind, else a boolean or number where it is spelled like one."""
    bare = text.strip()
    if input_type == "checkbox" and bare.lower() in ("true", "false"):
        return bare.lower() == "true"
    if input_type == "number":
        found = _decimal.number(bare)
        return text if found is None else found
    if input_type is None and text in ("true", "false"):
        return text == "true"
    return Number(text) if input_type is None and _decimal.number(text) == Number(text or "x") else text


def text_of(value: Any) -> str:
    """How an attribute's value is written: lists and objects as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else numbers.spell(value).decode()


def definitions(labels: Iterable[LabelRecord]) -> list[Any]:
    """`<label>` elements as nested (tag, content) pairs, content being text or more pairs."""
    found: list[Any] = []
    for label in labels:
        found.append(("label", _definition(label.name, label.fields)))
        points = label.fields.get("sublabels")
        known = (
            {point.get("name"): point for point in points if isinstance(point, dict)}
            if isinstance(points, list)
            else {}
        )
        for name in template(label):
            fields = {"type": "points", **known.get(name, {}), "parent": label.name}
            found.append(("label", _definition(name, fields)))
    return found


def _definition(name: str, fields: Mapping[str, Any]) -> list[Any]:
    own = {**({"type": "skeleton"} if fields.get("keypoints") else {}), **fields}
    content: list[Any] = [("name", name)]
    content += [(tag, text) for tag, text in own.items() if tag not in _OWN and tag != "name" and isinstance(text, str)]
    declared = fields.get("attributes")
    entries = [entry for entry in declared if isinstance(entry, dict)] if isinstance(declared, list) else []
    if "parent" not in fields:
        entries = [
            *entries,
            {"name": IDENTITY, "mutable": "True", "input_type": "text", "default_value": "", "values": ""},
        ]
    return [*content, ("attributes", [("attribute", _entry(entry)) for entry in entries])]


def _entry(entry: Mapping[str, Any]) -> list[Any]:
    values = entry.get("values")
    joined = "\n".join(map(str, values)) if isinstance(values, list) else values
    return [(tag, joined if tag == "values" else text) for tag, text in entry.items() if isinstance(text, (str, list))]
