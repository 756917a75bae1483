"""From the shapes and flags of one LabelMe file to instances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

from tdvc.errors import SchemaError
from tdvc.formats import _carry
from tdvc.formats._folder import shortened
from tdvc.formats._labelme_shapes import Geometry, Shape, Size, geometry_of, points_of, shapes_of
from tdvc.model.geometry import shape_problem
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance

NAME = "labelme"

_OF_SHAPE = ("description", "flags", "label", "mask", "points", "score", "shape_type", _carry.KEY)


@dataclass(frozen=True, slots=True)
class Context:
    """What the instances of one file have in common."""

    path: str
    place: str
    size: Size
    report: Report

    def drop(self, where: str, what: str, error: Exception) -> None:
        """Report an instance that is left out."""
        reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
        self.report(Problem("instance-invalid", self.place, f"{what} {reason}.", where, dropped_instances=1))


def set_flags(fields: dict[str, Any]) -> list[str]:
    """The flags of a file that are set."""
    flags = fields.get("flags")
    return [name for name, value in flags.items() if value is True] if isinstance(flags, dict) else []


def tags(fields: dict[str, Any], context: Context) -> list[Instance]:
    """A tag for each flag that is set, or as many as our writer made one flag of."""
    carried = fields.get(_carry.KEY)
    listed = carried.get("tags") if isinstance(carried, dict) else None
    tags = []
    for name in set_flags(fields):
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        own: list[dict[str, Any]] = [entry for entry in entries if entry.get("label") == name]
        for entry in own or [{"instance_id": derived_instance_id(NAME, context.path, "flag", name)}]:
            try:
                tags.append(make_instance({**_carry.for_instance(entry), "label": name, "type": "tag"}))
            except SchemaError as error:
                context.drop(name, f"Flag {shortened(name)}:", error)
    return tags


def instances(shapes: list[Any], context: Context) -> list[Instance]:
    """The instances of the shapes; those that our writer made of one polygon become one again."""
    found: dict[str, tuple[int, dict[str, Any], set[str]]] = {}
    for position, value in enumerate(shapes):
        try:
            fields, part = _fields(value, context)
        except ValueError as error:
            context.drop(str(position), f"Shape {position}", error)
            continue
        identity = fields.get("instance_id")
        known = found.get(identity) if isinstance(identity, str) else None
        if known and part and known[2] and part not in known[2] and fields["type"] == known[1]["type"] == "polygon":
            known[1]["geometry"] += fields["geometry"]
            known[2].add(part)
            continue
        if known or not isinstance(identity, str):  # LabelMe duplicates a shape with all its fields
            identity = fields["instance_id"] = derived_instance_id(NAME, context.path, str(position))
        found[identity] = (position, fields, {part} if part else set())
    return list(_made(found.values(), context))


def _made(found: Iterable[tuple[int, dict[str, Any], set[str]]], context: Context) -> Iterator[Instance]:
    for position, fields, _parts in found:
        try:
            yield make_instance(fields)
        except SchemaError as error:
            context.drop(str(position), f"Shape {position}:", error)


def _fields(value: Any, context: Context) -> tuple[dict[str, Any], str]:
    """The fields of an instance, and which part of a polygon the shape is, empty for none."""
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    kind, mask = value.get("shape_type") or "polygon", value.get("mask")
    if not _carry.is_text(kind) or not (mask is None or _carry.is_text(mask)):
        raise ValueError("has a shape_type or a mask that is not text")
    drawn = Shape(kind, points_of(value.get("points")), mask)
    found = geometry_of(drawn, context.size)
    carried = value.get(_carry.KEY)
    carried = carried if isinstance(carried, dict) else {}
    true = _carried_geometry(carried, found, context.size)
    kept = _kept_of_shape(value, carried) | ({} if true else _echo(drawn, found, context.size))
    fields = _carry.for_instance(carried)
    attributes = fields.get("attributes")
    fields["attributes"] = (attributes if isinstance(attributes, dict) else {}) | _attributes(value)
    if isinstance(value.get("score"), Number):
        fields["score"] = value["score"]
    fields["properties"] = fields.get("properties", {}) | ({NAME: kept} if kept else {})
    fields["type"], fields["geometry"] = true or found
    part = carried.get("part")
    return fields | {"label": value.get("label")}, str(part) if isinstance(part, Number) else ""


def _carried_geometry(carried: dict[str, Any], found: Geometry, size: Size) -> Geometry | None:
    """The geometry that our writer drew the shape for, if what is drawn is still what it leads to."""
    kind, shape = carried.get("type"), carried.get("geometry")
    if not _carry.is_text(kind) or shape is None or shape_problem(kind, shape):
        return None
    try:
        drawn = shapes_of(Geometry(kind, shape), size)
        return Geometry(kind, shape) if len(drawn) == 1 and geometry_of(drawn[0], size) == found else None
    except ValueError:
        return None


def _echo(drawn: Shape, found: Geometry, size: Size) -> dict[str, Any]:
    """What of the drawing the geometry does not lead back to: the kind of shape, the points."""
    again = shapes_of(found, size)[0]
    kept: dict[str, Any] = {}
    if again.kind != drawn.kind:
        kept["shape_type"] = drawn.kind
    if again.points != drawn.points:
        kept["points"] = drawn.points
    return kept


def _kept_of_shape(value: dict[str, Any], carried: dict[str, Any]) -> dict[str, Any]:
    kept = {key: item for key, item in value.items() if key not in _OF_SHAPE and item is not None}
    if carried.get("grouped") is True:  # the writer tied the parts of a polygon together
        kept.pop("group_id", None)
    flags, description, score = value.get("flags"), value.get("description"), value.get("score")
    if flags and not _is_flags(flags):
        kept["flags"] = flags
    if description and (not _carry.is_text(description) or (_is_flags(flags) and "description" in flags)):
        kept["description"] = description
    if score is not None and not isinstance(score, Number):
        kept["score"] = score
    if value.get("mask") is not None and value.get("shape_type") != "mask":
        kept["mask"] = value["mask"]
    return kept


def _attributes(value: dict[str, Any]) -> dict[str, Any]:
    """The flags and the description of a shape."""
    flags, description = value.get("flags"), value.get("description")
    described = {"description": description} if description and _carry.is_text(description) else {}
    return described | (flags if _is_flags(flags) else {})


def _is_flags(value: Any) -> TypeGuard[dict[str, bool]]:
    return isinstance(value, dict) and all(isinstance(item, bool) for item in value.values())
