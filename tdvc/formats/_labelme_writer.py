"""Writing LabelMe: a JSON file beside every picture, and the list of classes.

Pictures of a split lie in a folder of its name. Two pictures that differ in their suffix alone get two JSON files, the
second with the suffix in its name.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tdvc.formats import _carry
from tdvc.formats._labelme_shapes import Geometry, Shape, Size, cut, geometry_of, points_of, shapes_of
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

LABEL_LIST = "labels.txt"

_FORMAT = "labelme"
_VERSION = "5.8.0"


def place(record: FileRecord) -> str:
    """Pictures keep their path, below the folder of their split."""
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One file a picture, and the list of classes."""
    names = {label.key: label.name for label in labels}
    taken: set[str] = set()
    for record in records:
        path = posixpath.splitext(place(record))[0] + ".json"
        if path in taken:
            path = place(record) + ".json"
        taken.add(path)
        yield WrittenFile(path, [numbers.spell(_document(record, names, report)) + b"\n"])
    if labels:
        yield WrittenFile(LABEL_LIST, (f"{printable(label.name)}\n".encode() for label in labels))


def _document(record: FileRecord, names: dict[str, str], report: Report) -> dict[str, Any]:
    fields = {"version": _VERSION} | _carry.own_of(record.properties, _FORMAT)
    carried = _carry.of_file(record, _FORMAT)
    tags = [instance for instance in record.instances if instance.type == "tag"]
    flags = fields.get("flags")
    fields["flags"] = (flags if isinstance(flags, dict) else {}) | {_name(tag, names): True for tag in tags}
    if tags:
        carried["tags"] = [{"label": _name(tag, names)} | _carry.of_instance(tag, "") for tag in tags]
    if carried:
        fields[_carry.KEY] = carried
    fields["imagePath"], fields["imageData"] = posixpath.basename(record.path), None
    fields["imageWidth"], fields["imageHeight"] = record.size or (None, None)
    fields["shapes"] = [shape for made in _shapes(record, names, report) for shape in made]
    return fields


def _name(instance: Instance, names: dict[str, str]) -> str:
    return names.get(instance.label, instance.label)


def _shapes(record: FileRecord, names: dict[str, str], report: Report) -> Iterator[list[dict[str, Any]]]:
    groups = _free_groups(record)
    for instance in record.instances:
        if instance.type == "tag":
            continue
        try:
            yield _shapes_of(instance, names, record.size, groups)
        except ValueError as error:
            place_, message = printable(record.path), f"{instance.type} {error}."
            report(Problem("type-not-carried", place_, message, instance.instance_id, dropped_instances=1))


def _free_groups(record: FileRecord) -> Iterator[int]:
    """Group numbers that no instance of the file has."""
    used = [numbers.plain(_own(instance).get("group_id")) for instance in record.instances]
    number = max((group for group in used if isinstance(group, int)), default=0)
    while True:
        number += 1
        yield number


def _own(instance: Instance) -> dict[str, Any]:
    return _carry.own_of(_carry.parsed(instance.properties), _FORMAT)


def _shapes_of(instance: Instance, names: dict[str, str], size: Size, groups: Iterator[int]) -> list[dict[str, Any]]:
    """The shapes of an instance: one, or one for each part of a polygon."""
    found = Geometry(instance.type, _carry.parsed(instance.geometry))
    own = _own(instance)
    former = {key: own.pop(key, None) for key in ("shape_type", "points")}
    common, carried = _said(instance, own, names)
    drawn = shapes_of(found, size)
    if len(drawn) == 1:
        again = _as_before(former, found, drawn[0], size)
        if geometry_of(again, size) != found:
            carried = carried | {"type": found.type, "geometry": found.shape}
        return [_shape(common, carried, again)]
    if common.get("group_id") is None:
        common, carried = common | {"group_id": next(groups)}, carried | {"grouped": True}
    return [_shape(common, carried | {"part": number}, shape) for number, shape in enumerate(drawn)]


def _said(instance: Instance, own: dict[str, Any], names: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What LabelMe says of an instance apart from where it is, and what has to be carried."""
    attributes = _carry.parsed(instance.attributes)
    flags = {name: value for name, value in attributes.items() if isinstance(value, bool) and "flags" not in own}
    description = attributes.get("description")
    said = set(flags)
    fields = {"group_id": None, "flags": flags, "description": "", "mask": None} | own
    if description and _carry.is_text(description) and "description" not in own:
        fields["description"] = description
        said.add("description")
    fields["label"] = _name(instance, names)
    if bytes(instance.score) != b"null":
        fields["score"] = instance.score
    carried = _carry.of_instance(instance, _FORMAT, without=("attributes", "score"))
    if rest := {name: value for name, value in attributes.items() if name not in said}:
        carried["attributes"] = rest
    return fields, carried


def _as_before(former: dict[str, Any], found: Geometry, drawn: Shape, size: Size) -> Shape:
    """The drawing as it came from LabelMe, where it still says the same."""
    kind = former["shape_type"] or drawn.kind
    if (former["shape_type"] is None and former["points"] is None) or not _carry.is_text(kind):
        return drawn
    try:
        points = points_of(former["points"] or drawn.points)
        again = cut(found, points) if kind == "mask" else Shape(kind, points)
        return again if geometry_of(again, size) == found else drawn
    except ValueError:
        return drawn


def _shape(common: dict[str, Any], carried: dict[str, Any], drawn: Shape) -> dict[str, Any]:
    fields = common | {"shape_type": drawn.kind, "points": drawn.points, _carry.KEY: carried}
    return fields | ({"mask": drawn.mask} if drawn.mask is not None else {})
