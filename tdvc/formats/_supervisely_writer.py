"""Writing a Supervisely project: pictures under `<dataset>/img`, annotation under `<dataset>/ann`, and `meta.json`.

The dataset of a picture is its split and the folders it lies in, the inner ones nested under `datasets`. Attributes
become tags of an object, `tag` instances tags of the picture. What Supervisely has no word for is carried in a field
`tdvc` of an object, and of a picture's `customBigData`. A polygon of several parts becomes several objects with one
`instance` key, as Supervisely does it.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tdvc.formats import _carry, _supervisely_shapes
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id
from tdvc.names import printable

NAME = "supervisely"
DATASET = "dataset"
"""Of pictures that lie in no folder."""


def place(record: FileRecord) -> str:
    """Below the `img` of its dataset; a picture that came from such a folder goes there again."""
    *folders, name = record.path.split("/")
    if is_img_folder(folders):
        folders = folders[:-1:2]
        if record.split in ("", folders[0]):
            return record.path
    if record.split:
        folders = [*record.split.split("/"), *folders]
    return f"{'/datasets/'.join(folders or [DATASET])}/img/{name}"


def is_img_folder(folders: Sequence[str]) -> bool:
    """Whether folders are those of Supervisely, such as `a/img` or `a/datasets/b/img`."""
    even = len(folders) % 2 == 0
    return bool(folders) and even and folders[-1] == "img" and all(name == "datasets" for name in folders[1:-1:2])


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """A file a picture, then `meta.json`. What classes and tags are used for alone is held in memory."""
    meta = _Meta({label.key: label for label in labels})
    for record in records:
        folder, _, name = place(record).rpartition("/img/")
        content = numbers.spell(_annotation(record, meta, report))
        yield WrittenFile(f"{folder}/ann/{name}.json", [content])
    yield WrittenFile("meta.json", [numbers.spell(meta.document())])


@dataclass(slots=True)
class _Meta:
    """What `meta.json` is to say: the classes, the shapes they are used for, and the values of tags."""

    labels: Mapping[str, LabelRecord]
    shapes: dict[str, set[str]] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)
    tag_labels: set[str] = field(default_factory=set)

    def name_of(self, key: str) -> str:
        label = self.labels.get(key)
        return label.name if label else key

    def node_ids(self, label: str, count: int) -> list[str]:
        """Ids for the points of a graph: those of the class, then numbers."""
        record = self.labels.get(label)
        known = node_ids(record.fields if record else {})
        return known + [f"{number:03d}" for number in range(len(known), count)]

    def document(self) -> dict[str, Any]:
        classes = [
            self._class(label, position)
            for position, label in enumerate(self.labels.values())
            if label.key in self.shapes or label.key not in self.tag_labels or "shape" in label.fields
        ]
        tags = [_tag_meta(name, kinds, position) for position, (name, kinds) in enumerate(sorted(self.tags.items()))]
        return {"classes": classes, "tags": tags, "projectType": "images"}

    def _class(self, label: LabelRecord, position: int) -> dict[str, Any]:
        used = self.shapes.get(label.key, set()) | ({label.fields["shape"]} if "shape" in label.fields else set())
        fields = {"color": _color(position), "geometry_config": {}, "hotkey": ""} | label.fields
        fields |= {"title": label.name, "shape": used.pop() if len(used) == 1 else "any"}
        if self.nodes.get(label.key) and not node_ids(label.fields):
            fields["geometry_config"] = _template(self.node_ids(label.key, self.nodes[label.key]))
        return fields


def node_ids(class_fields: Mapping[str, Any]) -> list[str]:
    """The ids of the nodes that a class says its graphs have, in order."""
    config = class_fields.get("geometry_config")
    nodes = config.get("nodes") if isinstance(config, dict) else None
    return sorted(nodes) if isinstance(nodes, dict) else []


def _template(ids: Sequence[str]) -> dict[str, Any]:
    nodes = {
        identity: {"label": identity, "loc": [10 * number, 10 * number], "color": _color(number)}
        for number, identity in enumerate(ids)
    }
    return {"nodes": nodes, "edges": []}


def _tag_meta(name: str, kinds: set[str], position: int) -> dict[str, Any]:
    kind = next(iter(kinds)) if len(kinds) == 1 else "any_string"
    return {"name": name, "value_type": kind, "color": _color(position), "hotkey": "", "applicable_type": "all"}


def _color(position: int) -> str:
    """Colours that are apart from one another: steps of the golden angle around the circle of hues."""
    red, green, blue = colorsys.hsv_to_rgb(position * 0.618034 % 1, 0.8, 0.9)
    return f"#{round(red * 255):02X}{round(green * 255):02X}{round(blue * 255):02X}"


def _annotation(record: FileRecord, meta: _Meta, report: Report) -> dict[str, Any]:
    kept = record.properties.get(NAME)
    fields: dict[str, Any] = dict(kept) if isinstance(kept, dict) else {}
    size = record.size or next((_size(i) for i in record.instances if i.type == "mask"), None)
    if size is not None:
        fields["size"] = {"height": size[1], "width": size[0]}
    carried = _carry.of_file(record, NAME) | ({"path": record.path} if place(record) != record.path else {})
    custom = fields.get("customBigData")
    fields["customBigData"] = (dict(custom) if isinstance(custom, dict) else {}) | {_carry.KEY: carried}
    fields.setdefault("description", "")
    fields["tags"], fields["objects"] = [], []
    for instance in record.instances:
        try:
            where, written = _written(instance, record, size, meta)
        except ValueError as error:
            message = f"The {instance.type} {error}."
            where_ = printable(record.path)
            report(Problem("type-not-carried", where_, message, instance.instance_id, dropped_instances=1))
        else:
            fields[where] += written
    return fields


def _size(instance: Instance) -> tuple[int, int]:
    height, width = instance.coordinates["size"]
    return width, height


def _written(
    instance: Instance, record: FileRecord, size: tuple[int, int] | None, meta: _Meta
) -> tuple[str, list[dict[str, Any]]]:
    """The list that an instance goes into, and what. Raises ValueError where Supervisely has no word for it."""
    kept = _carry.parsed(instance.properties).get(NAME, {})
    kept = dict(kept) if isinstance(kept, dict) else {}
    carried = _carry.of_instance(instance, NAME, without=("attributes",))
    if instance.instance_id == derived_instance_id(NAME, place(record), str(kept.get("id"))) and "id" in kept:
        del carried["instance_id"]
    if carried.get("source") == "import":
        del carried["source"]
    attributes = _carry.parsed(instance.attributes)
    if instance.type == "tag" and "geometryType" not in kept:
        return "tags", [_tag(instance, attributes, kept, carried, meta)]
    tags, unsaid = _tags(attributes, kept.pop("tags", {}), meta)
    if unsaid:
        carried["attributes"] = unsaid
    return "objects", _objects(instance, kept | {"tags": tags}, carried, size, meta)


def _tag(
    instance: Instance, attributes: dict[str, Any], kept: dict[str, Any], carried: dict[str, Any], meta: _Meta
) -> dict[str, Any]:
    name = meta.name_of(instance.label)
    meta.tag_labels.add(instance.label)
    value = attributes.get("value")
    if attributes.keys() == {"value"} and (isinstance(value, (str, Number))):
        kept |= {"value": value}
    elif attributes:
        carried["attributes"] = attributes
    meta.tags.setdefault(name, set()).add(_value_type(kept.get("value", True)))
    return kept | {"name": name} | ({_carry.KEY: carried} if carried else {})


def _tags(attributes: dict[str, Any], extras: Any, meta: _Meta) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Attributes as tags, and those that tags can't say."""
    tags: list[dict[str, Any]] = []
    unsaid: dict[str, Any] = {}
    extras = extras if isinstance(extras, dict) else {}
    for name, value in attributes.items():
        values = value if isinstance(value, list) and len(value) > 1 else [value]
        if not all(item is True or isinstance(item, (str, Number)) for item in values):
            unsaid[name] = value
            continue
        for item in values:
            meta.tags.setdefault(name, set()).add(_value_type(item))
            extra = extras.get(name)
            tag = dict(extra) if isinstance(extra, dict) and len(values) == 1 else {}
            tags.append(tag | {"name": name} | ({} if item is True else {"value": item}))
    return tags, unsaid


def _value_type(value: Any) -> str:
    if value is True:
        return "none"
    return "any_number" if isinstance(value, Number) else "any_string"


def _objects(
    instance: Instance, kept: dict[str, Any], carried: dict[str, Any], size: tuple[int, int] | None, meta: _Meta
) -> list[dict[str, Any]]:
    label = meta.labels.get(instance.label)
    common = kept | {"classTitle": meta.name_of(instance.label)}
    if label and "id" in label.fields:
        common["classId"] = label.fields["id"]
    if instance.type == "tag":  # a geometry that tdvc has no type for, as it came
        meta.shapes.setdefault(instance.label, set()).add(str(kept["geometryType"]))
        return [common | ({_carry.KEY: carried} if carried else {})]
    shape = _carry.parsed(instance.geometry)
    parts = [[part] for part in shape] if instance.type == "polygon" else [shape]
    if len(parts) > 1:
        common.setdefault("instance", instance.instance_id)
        carried.setdefault("instance_id", instance.instance_id)
    objects = []
    for number, part in enumerate(parts):
        own = carried if number == 0 else {"part_of": instance.instance_id}
        fields = _figure(instance, part, own, size, meta)
        objects.append(common | fields | ({_carry.KEY: own} if own else {}))
        if number:
            objects[-1].pop("id", None)
    return objects


def _figure(
    instance: Instance, shape: Any, carried: dict[str, Any], size: tuple[int, int] | None, meta: _Meta
) -> dict[str, Any]:
    """The fields of a geometry; it is carried as well where they do not lead back to it."""
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
