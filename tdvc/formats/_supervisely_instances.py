"""What an annotation file of Supervisely says of one picture, as instances.

Every object is one, unless it says that it is a further part of another, as our own writer has it; every tag of the
picture is one. An id is the one that our writer carried, or follows from the object's own id, or from its place.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import Any

from tdvc.errors import SchemaError
from tdvc.formats import _carry, _supervisely_shapes
from tdvc.formats._supervisely_meta import NAME
from tdvc.formats._supervisely_tags import parts_of_tag
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance

_OF_OBJECT = ("classTitle", "geometryType", "shape", "tags", _carry.KEY)


@dataclass(slots=True)
class Classes:
    """What a project says of its classes, by title.

    Attributes:
        nodes: the node ids of those that are graphs.
        ids: their ids, which objects repeat; None where a class has none.
    """

    nodes: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """Where an annotation is, and who hears what is wrong with it."""

    classes: Classes
    path: str
    place: str
    size: tuple[int, int] | None
    report: Report

    def drop(self, what: str, error: SchemaError | ValueError) -> None:
        """Report an instance that is left out."""
        reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
        message = f"{what}: {reason}."
        self.report(Problem("instance-invalid", self.place, message, what.split()[-1], dropped_instances=1))


def instances(context: Context, fields: dict[str, Any]) -> list[Instance]:
    """The instances of an annotation file, those that can't be taken reported.

    Args:
        context: where it is.
        fields: its JSON, with a list of `objects` and perhaps one of `tags`.
    """
    found: dict[str, Instance] = {}
    for position, value in enumerate(fields["objects"]):
        try:
            instance = _object(context, position, value, found)
        except (SchemaError, ValueError) as error:
            context.drop(f"Object {position}", error)
        else:
            found[instance.instance_id] = instance
    for position, value in enumerate(fields.get("tags", [])):
        try:
            instance = tag(context, position, value, found)
        except (SchemaError, ValueError) as error:
            context.drop(f"Tag {position}", error)
        else:
            found[instance.instance_id] = instance
    return list(found.values())


def _object(context: Context, position: int, value: Any, taken: dict[str, Instance]) -> Instance:
    """The instance of an object, or the one it is a further part of with that part."""
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    label = label_of(context.classes, value)
    kind = value.get("geometryType", value.get("shape"))
    if not _carry.is_text(kind):
        raise ValueError("it has no geometryType")
    carried = dictionary(value.get(_carry.KEY))
    kept = {key: inner for key, inner in value.items() if key not in (*_OF_OBJECT, *_supervisely_shapes.FIELDS)}
    if kept.get("classId") == context.classes.ids.get(label):
        kept.pop("classId", None)
    found = geometry_in(context, kind, label, value, carried)
    if found is None:
        kept |= {"geometryType": kind} | {name: value[name] for name in _supervisely_shapes.FIELDS if name in value}
    type_, geometry = found or ("tag", None)
    former = taken.get(str(carried.get("part_of")))
    if former is not None and former.type == type_ == "polygon" and former.label == label:
        return with_part(former, geometry)
    attributes, extras = _attributes(value.get("tags", []))
    if extras:
        kept["tags"] = extras
    if kept.get("instance") == carried.get("instance_id"):
        kept.pop("instance", None)
    derived = derived_instance_id(NAME, context.path, str(kept.get("id", position)))
    fields = _carry.for_instance(carried)
    fields |= {"label": label, "type": type_, "geometry": geometry}
    fields["attributes"] = attributes | dictionary(fields.get("attributes"))
    return made(fields, kept, (derived, derived_instance_id(NAME, context.path, "object", str(position))), taken)


def made(fields: dict[str, Any], kept: dict[str, Any], derived: Iterable[str], taken: Container[str]) -> Instance:
    """The instance, under the first of its own id and the derived ones that is free.

    Raises:
        ValueError: none is, which takes ill will; the end of a sentence.
        SchemaError: bad-instance.
    """
    own = fields.get("instance_id")
    identities = [identity for identity in (own, *derived) if _carry.is_text(identity) and identity not in taken]
    if not identities:
        raise ValueError("it has the id of another one")
    properties = dictionary(fields.get("properties")) | ({NAME: kept} if kept else {})
    return make_instance(fields | {"instance_id": identities[0], "properties": properties})


def dictionary(value: Any) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def label_of(classes: Classes, value: dict[str, Any]) -> str:
    """The class of an object, by its title or else its id. Raises ValueError where it has neither."""
    title = value.get("classTitle")
    if title is None and value.get("classId") is not None:
        title = next((title for title, identity in classes.ids.items() if identity == value["classId"]), None)
    if not _carry.is_text(title):
        raise ValueError("it has no classTitle")
    return str(title)


def geometry_in(
    context: Context, kind: str, label: str, value: dict[str, Any], carried: dict[str, Any]
) -> tuple[str, Any] | None:
    """The spatial type and geometry; None, reported, for one that tdvc has no type for.

    Raises:
        ValueError: it breaks the rules of its kind; the end of a sentence.
    """
    nodes = context.classes.nodes.get(label, [])
    try:
        type_, geometry = _supervisely_shapes.geometry_of(kind, value, context.size, nodes)
    except _supervisely_shapes.UnknownGeometry as error:
        message = f"An object {error}."
        context.report(Problem("geometry-kept-aside", context.place, message, severity="warning"))
        return None
    if "geometry" in carried and _leads_to(type_, carried["geometry"], value, context.size, nodes):
        return type_, carried["geometry"]
    return type_, geometry


def _leads_to(type_: str, geometry: Any, value: dict[str, Any], size: tuple[int, int] | None, nodes: list[str]) -> bool:
    """Whether a carried geometry is still what the drawn one was made from."""
    try:
        own = value.get("nodes")
        ids = nodes if not isinstance(own, dict) or len(nodes) >= len(own) else sorted(own)
        return _supervisely_shapes.drawn(type_, geometry, size, ids)[1].items() <= value.items()
    except (ValueError, TypeError, KeyError, AttributeError):
        return False


def with_part(former: Instance, part: Any) -> Instance:
    """A polygon with one part more."""
    fields = {name: getattr(former, name) for name in former.__struct_fields__}
    return make_instance(fields | {"geometry": [*_carry.parsed(former.geometry), *part]})


def _attributes(tags: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tags of an object as attributes, and what else was said of them, by name."""
    if not isinstance(tags, list):
        raise ValueError("it has tags that are not a list")
    values: dict[str, list[Any]] = {}
    extras: dict[str, Any] = {}
    for tag in tags:
        name, value, extra = parts_of_tag(tag)
        values.setdefault(name, []).append(True if value is None else value)
        if extra:
            extras[name] = extra
    return {name: found if len(found) > 1 else found[0] for name, found in values.items()}, extras


def tag(context: Context, position: int, value: Any, taken: Container[str]) -> Instance:
    """The instance of a tag of the whole file."""
    name, text, kept = parts_of_tag(value)
    fields = _carry.for_instance(kept.pop(_carry.KEY, None))
    if not isinstance(fields.get("attributes"), dict):
        fields["attributes"] = {} if text is None else {"value": text}
    fields |= {"label": name, "type": "tag"}
    derived = derived_instance_id(NAME, context.path, "tag", name, numbers.spell(text).decode())
    return made(fields, kept, (derived, derived_instance_id(NAME, context.path, "tag", str(position))), taken)
