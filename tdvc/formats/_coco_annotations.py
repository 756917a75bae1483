"""COCO annotations as instances.

What else an annotation says is kept in its properties under the format's name and written back. Those that say the
usual take a short way (`_coco_usual`).
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

import msgspec

from tdvc.errors import SchemaError
from tdvc.formats._coco_document import fields_of
from tdvc.formats._coco_segmentation import canonical, geometry_of
from tdvc.formats._coco_usual import usual_instances
from tdvc.formats._folder import shortened
from tdvc.ids import DerivedIds
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, check_instance
from tdvc.names import printable

FORMAT = "coco"

Annotations = tuple[list[msgspec.Raw], dict[bytes, str]]
"""What one file has of a picture, and the names of its categories by id."""

Shape = Callable[[dict[str, bytes]], tuple[str, bytes | None]]
"""Takes what says where an instance is out of its fields, and gives its spatial type and geometry."""

_OWN = ("id", "image_id", "category_id", "instance_id", "attributes", "score", "frame", "sequence", "source", "caption")


def instances_of(path: str, annotations: Sequence[Annotations], report: Report) -> list[Instance]:
    """The instances of a picture, each id once.

    Args:
        path: of the picture.
        annotations: what each file has of it.
        report: told of those that are left out, and of geometry that is kept aside.
    """
    place = printable(path)
    ids = DerivedIds("instance", FORMAT.encode(), path.encode())

    def warn(message: str) -> None:
        report(Problem("geometry-kept-aside", place, message, severity="warning"))

    def shape(kept: dict[str, bytes]) -> tuple[str, bytes | None]:
        return geometry_of(kept, warn)

    instances: dict[str, Instance] = {}
    for raws, names in annotations:
        met: set[str] = set()
        for raw, usual in zip(raws, usual_instances(raws, ids, names), strict=True):
            try:
                instance = usual or instance_of(raw, ids, names, shape)
            except (SchemaError, ValueError) as error:
                report(bad_annotation(place, raw, error))
                continue
            identity = instance.instance_id
            if identity in met:
                message = "Two annotations of the picture have one id."
                report(Problem("duplicate-instance", place, message, identity, dropped_instances=1))
                continue
            met.add(identity)
            if identity in instances:
                instance = _told_apart(instance, ids, instances)
            instances[instance.instance_id] = instance
    return list(instances.values())


def _told_apart(instance: Instance, ids: DerivedIds, taken: Container[str]) -> Instance:
    """An instance under a free id: COCO's ids are unique in a file, and another one has its id."""
    identity, number = instance.instance_id, 1
    while identity in taken:
        identity, number = ids.make(instance.instance_id.encode(), str(number).encode()).hex(), number + 1
    return msgspec.structs.replace(instance, instance_id=identity)


def bad_annotation(place: str, raw: msgspec.Raw, error: SchemaError | ValueError) -> Problem:
    """What is reported of an annotation that no instance can be made of."""
    text = error.message if isinstance(error, SchemaError) else f"{error}."
    message = f"Annotation {shortened(_id_text(raw))}: {text}"
    return Problem("instance-invalid", place, message, dropped_instances=1)


def _id_text(raw: msgspec.Raw) -> str:
    try:
        return bytes(fields_of(raw).get("id", b"?")).decode()
    except ValueError:
        return "?"


def instance_of(
    raw: msgspec.Raw, ids: DerivedIds, names: dict[bytes, str], shape: Shape, name: str = FORMAT
) -> Instance:
    """An annotation as an instance.

    Args:
        raw: the annotation.
        ids: makes ids of what is its own.
        names: of the categories by id.
        shape: finds its geometry.
        name: of the format, under which the rest is kept.

    Raises:
        SchemaError: bad-instance.
        ValueError: the end of a sentence.
    """
    kept: dict[str, bytes] = {}
    own: dict[str, bytes] = {}
    for key, value in fields_of(raw).items():
        text = bytes(value)
        if text != b"null":
            (own if key in _OWN else kept)[key] = text
    identity = _identity(own, kept, ids)
    kind, geometry = shape(kept)
    values: dict[str, Any] = {}
    if "caption" in own:
        kind, geometry = "tag", None
        values["attributes"] = msgspec.Raw(b'{"caption":' + canonical(own["caption"]) + b"}")
    if geometry is not None:
        values["geometry"] = msgspec.Raw(geometry)
    for key in ("attributes", "score"):
        if own.get(key, b"{}") != b"{}":
            values[key] = msgspec.Raw(canonical(own[key]))
    for key, type_ in (("sequence", str), ("source", str), ("frame", int)):
        if key in own:
            values[key] = msgspec.json.decode(own[key], type=type_)
    if "id" in own:
        kept["id"] = own["id"]
    if kept:
        values["properties"] = msgspec.Raw(_spelled(kept, name))
    instance = Instance(instance_id=identity, label=_label(own, names), type=kind, **values)
    if kind != "polygon":
        return check_instance(instance)
    for kept_text in (instance.attributes, instance.properties):
        numbers.check_kept_depth(bytes(kept_text))
    return instance


def _identity(own: dict[str, bytes], kept: dict[str, bytes], ids: DerivedIds) -> str:
    """The id that an annotation brings, or one made of its COCO id; of all it says, where it has none."""
    if "instance_id" in own:
        text = own["instance_id"].strip(b'"').decode(errors="replace")
        if len(text) == 32 and not text.strip("0123456789abcdef"):
            return text
    said = own.get("id") or b",".join([b"%b:%b" % (k.encode(), canonical(v)) for k, v in sorted((own | kept).items())])
    return ids.make(said).hex()


def _label(own: dict[str, bytes], names: dict[bytes, str]) -> str:
    if "caption" in own:
        return "caption"
    identity = own.get("category_id", b"none")
    return names.get(identity) or f"category {identity.decode(errors='replace')}"


def _spelled(kept: dict[str, bytes], name: str) -> bytes:
    inner = b",".join([msgspec.json.encode(key) + b":" + canonical(kept[key]) for key in sorted(kept)])
    return b'{"%b":{%b}}' % (name.encode(), inner)
