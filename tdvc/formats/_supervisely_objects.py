"""Figures and tags of a Supervisely annotation file, as pictures and videos have them alike."""

from __future__ import annotations

from typing import Any

from tdvc.formats import _carry, _supervisely_shapes
from tdvc.formats._supervisely_meta import Meta, node_ids
from tdvc.formats._supervisely_tags import is_value
from tdvc.model.records import Instance


def tag_of_file(instance: Instance, kept: dict[str, Any], carried: dict[str, Any], meta: Meta) -> dict[str, Any]:
    """A tag of a whole file. Raises ValueError, the end of a sentence, where it can't be said."""
    name = meta.name_of(instance.label)
    meta.tag_labels.add(instance.label)
    attributes = _carry.parsed(instance.attributes)
    said = attributes["value"] if attributes.keys() == {"value"} and is_value(attributes["value"]) else True
    value = meta.value_for(name, said)
    if attributes != ({} if value is True else {"value": value}):
        carried["attributes"] = attributes
    fields = kept | {"name": name} | ({} if value is True else {"value": value})
    return fields | ({_carry.KEY: carried} if carried else {})


def figure(
    instance: Instance, shape: Any, carried: dict[str, Any], size: tuple[int, int] | None, meta: Meta
) -> dict[str, Any]:
    """The kind and fields of a geometry; it is carried as well where they do not lead back to it.

    Raises:
        ValueError: Supervisely has no figure for it; the end of a sentence.
    """
    nodes: list[str] = []
    template: list[str] = []
    if instance.type == "keypoints":
        nodes = meta.node_ids(instance.label, len(shape) // 3)
        label = meta.labels.get(instance.label)
        template = node_ids(label.fields if label else {})
    kind, fields = _supervisely_shapes.drawn(instance.type, shape, size, nodes)
    if instance.type == "keypoints":
        meta.nodes[instance.label] = max(meta.nodes.get(instance.label, 0), len(shape) // 3)
    meta.shapes.setdefault(instance.label, set()).add(kind)
    if instance.type == "box" or template:
        exact = _supervisely_shapes.geometry_of(kind, fields, size, template) == (instance.type, shape)
    else:
        exact = instance.type != "keypoints"  # how many points the class's graphs will have is not known yet
    if not exact:
        carried["geometry"] = shape
    return {"geometryType": kind} | fields
