"""Rows as data sets on the Hugging Face hub have them: what they say of a picture, and rows that say it.

    {"file_name": "a.jpg", "width": 9, "height": 8, "label": "ward",
     "objects": {"bbox": [[x, y, w, h], ...], "categories": ["cat", ...]}}

Objects come as lists side by side or as a list of objects, their class under one of several names, as text or as a
number whose name stands in the features of the file. A picture's own label is a tag. What else a row or an object says
is kept in the properties and written back. tdvc's fields travel as JSON text in lists called `tdvc`, because the
readers of the hub want every row to have one shape.

Source: huggingface/datasets, `ImageFolder` and "Object detection" in its guides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tdvc.errors import SchemaError
from tdvc.formats import _decimal
from tdvc.formats._carry import KEY, for_file, for_instance, is_text, of_file, of_instance, parsed, split_in
from tdvc.formats._folder import shortened
from tdvc.formats._json import parse_strictly
from tdvc.formats._whole import size_in
from tdvc.formats.base import FileRecord
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import printable

_CLASS_NAMES = ("categories", "category", "labels", "label")
_LABELS = ("label", "labels")
_TAGS = "tags_tdvc"
_USED = frozenset((*_LABELS, _TAGS, "objects", "width", "height", KEY))
_DEFAULT_LABEL = "object"


@dataclass(frozen=True, slots=True)
class Row:
    """A row, and what is needed to understand it.

    Attributes:
        fields: JSON.
        own: the format's name, under which properties are kept.
        path: the picture's path in the directory.
        place: what problems say of where the row is.
        names: of classes that are numbers, by the dotted name of the column.
        without: columns that the format itself understands.
    """

    fields: Mapping[str, Any]
    own: str
    path: str
    place: str
    names: Mapping[str, list[str]] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    def label(self, value: Any, column: str) -> str:
        """A class as text; a number stands for a name where the features give one. Empty for none."""
        if isinstance(value, Number):
            names, text = self.names.get(column, []), str(value)
            if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(names):
                return names[int(text)]
            return "" if text == "-1" else text
        return value if is_text(value) else ""


def names_in(features: Any) -> dict[str, list[str]]:
    """The names of all classes in a description of features, by the dotted name of the column.

    Source: `datasets.Features.to_dict`, which puts `_type: ClassLabel` and `names` where such a column is.
    """
    found: dict[str, list[str]] = {}
    waiting = [("", features)]
    while waiting:
        column, value = waiting.pop(0)
        if isinstance(value, list) and len(value) == 1:
            waiting.append((column, value[0]))
        if not isinstance(value, dict):
            continue
        names = value.get("names")
        if value.get("_type") == "ClassLabel" and isinstance(names, list) and all(map(is_text, names)):
            found[column] = names
            continue
        for key, inner in value.items():
            transparent = key in ("feature", "_type")
            waiting.append((column if transparent else f"{column}.{key}".lstrip("."), inner))
    return found


def record_of(row: Row, report: Report, **also: Any) -> FileRecord:
    """The file of a row, with what its format says besides."""
    carried = _carried(row, report)
    about = for_file(carried)
    kept = {key: value for key, value in row.fields.items() if key not in _USED | row.without and value is not None}
    properties: dict[str, Any] = dict(about.pop("properties", {})) | ({row.own: kept} if kept else {})
    split = split_in(carried) or also.pop("split", "")
    if split:
        properties["splits"] = [split]
    also.pop("split", None)
    size = size_in(row.fields)
    return FileRecord(
        path=row.path, instances=instances_of(row, report), properties=properties, size=size, **about, **also
    )


def _carried(row: Row, report: Report) -> Any:
    text = row.fields.get(KEY)
    if text is None:
        return None
    try:
        return _json(text)
    except ValueError as error:
        report(Problem("record-unreadable", row.place, f"The column {KEY!r} {error}."))
        return None


def _json(text: Any) -> Any:
    if not is_text(text):
        raise ValueError("is not text")
    return parse_strictly(text.encode())


def instances_of(row: Row, report: Report) -> list[Instance]:
    """What a row describes; the rest reported."""
    taken: dict[str, Instance] = {}
    for position, fields in enumerate((*_objects(row, report), *_tags(row, report))):
        try:
            instance = _instance(row, position, fields)
        except (SchemaError, ValueError) as error:
            reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
            _lose(row, report, f"Object {position}: {reason}.", position)
            continue
        if instance.instance_id in taken:
            message = f"Object {position}: the id {instance.instance_id} is used twice for this picture."
            report(Problem("duplicate-instance", row.place, message, str(position), dropped_instances=1))
            continue
        taken[instance.instance_id] = instance
    return list(taken.values())


def _lose(row: Row, report: Report, message: str, position: int | None = None, count: int = 1) -> None:
    where = "" if position is None else str(position)
    report(Problem("instance-invalid", row.place, message, where, dropped_instances=count))


def _instance(row: Row, position: int, found: dict[str, Any]) -> Instance:
    carried = for_instance(_json(found[KEY])) if found.get(KEY) is not None else {}
    fields = {"instance_id": derived_instance_id(row.own, row.path, str(position))} | carried
    fields["label"] = found["label"]
    fields["type"] = "tag"
    if "bbox" in found:
        fields["type"], fields["geometry"] = "box", _corners(found["bbox"])
        if found["rest"]:
            fields["properties"] = {**fields.get("properties", {}), row.own: found["rest"]}
    return make_instance(fields)


def _corners(box: Any) -> list[Any]:
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(value, Number) for value in box):
        raise ValueError("its bbox is not four numbers")
    return [box[0], box[1], _decimal.add(box[0], box[2]), _decimal.add(box[1], box[3])]


def _objects(row: Row, report: Report) -> Iterator[dict[str, Any]]:
    """The objects of a row, each with its bbox, label, tdvc's text and the rest."""
    found = row.fields.get("objects")
    if found is None:
        return
    boxes = found.get("bbox") if isinstance(found, dict) else found
    if not isinstance(boxes, list):
        _lose(row, report, "The column 'objects' has no list of boxes.", count=0)
        return
    try:
        objects = _beside(found) if isinstance(found, dict) else found
        if not all(isinstance(item, dict) for item in objects):
            raise ValueError("is neither lists side by side nor a list of objects")
    except ValueError as error:
        _lose(row, report, f"The column 'objects' {error}.", count=len(boxes))
        return
    for item in objects:
        name = next((name for name in _CLASS_NAMES if name in item), "")
        rest = {key: value for key, value in item.items() if key not in ("bbox", KEY, name) and value is not None}
        label = row.label(item.get(name), f"objects.{name}") or _DEFAULT_LABEL
        yield {"bbox": item.get("bbox"), "label": label, "rest": rest, KEY: item.get(KEY)}


def _beside(lists: dict[str, Any]) -> list[dict[str, Any]]:
    """Lists side by side as a list of objects. Raises ValueError where they are not of one length."""
    filled = {name: values for name, values in lists.items() if values is not None}
    count = len(filled["bbox"])
    for name, values in filled.items():
        if not isinstance(values, list) or len(values) != count:
            raise ValueError(f"has {count} boxes, but not as many {shortened(name)}")
    return [{name: values[position] for name, values in filled.items()} for position in range(count)]


def _tags(row: Row, report: Report) -> Iterator[dict[str, Any]]:
    """The labels of the picture itself."""
    column = next((name for name in _LABELS if row.fields.get(name) is not None), None)
    if column is None:
        return
    value = row.fields[column]
    values = value if isinstance(value, list) else [value]
    carried = row.fields.get(_TAGS)
    beside = carried if isinstance(carried, list) and len(carried) == len(values) else [None] * len(values)
    for item, text in zip(values, beside, strict=True):
        label = row.label(item, column)
        if label:
            yield {"label": label, KEY: text}
        elif item is not None and item != Number("-1"):
            _lose(row, report, f"The label {shortened(str(item))} is not text.")


def row_of(record: FileRecord, own: str, report: Report) -> dict[str, Any]:
    """What a row says of a file, apart from the name of its picture."""
    kept = record.properties.get(own)
    fields: dict[str, Any] = {
        key: value for key, value in (kept.items() if isinstance(kept, dict) else ()) if key not in _USED
    }
    if record.size:
        fields["width"], fields["height"] = record.size
    boxes: list[dict[str, Any]] = []
    tags: list[tuple[str, dict[str, Any]]] = []
    for instance in record.instances:
        shape = parsed(instance.geometry)
        if instance.type == "tag":
            tags.append((instance.label, of_instance(instance, "")))
        elif instance.type == "box" and len(shape) == 4:
            boxes.append(_object(instance, shape, own))
        else:
            kind = "turned box" if instance.type == "box" else instance.type
            message = f"A {kind} has no place in a row of boxes."
            where = printable(record.path)
            report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))
    fields["objects"] = _side_by_side(boxes)
    if tags:
        fields |= {"label": tags[0][0]} if len(tags) == 1 else {"labels": [label for label, _ in tags]}
        fields[_TAGS] = [numbers.spell(carried).decode() for _, carried in tags]
    about = of_file(record, own)
    return fields | ({KEY: numbers.spell(about).decode()} if about else {})


def _object(instance: Instance, shape: list[Number], own: str) -> dict[str, Any]:
    kept = parsed(instance.properties).get(own)
    rest = kept if isinstance(kept, dict) else {}
    clean = {key: value for key, value in rest.items() if key not in ("bbox", KEY, *_CLASS_NAMES)}
    size = [_decimal.subtract(shape[2], shape[0]), _decimal.subtract(shape[3], shape[1])]
    carried = numbers.spell(of_instance(instance, own)).decode()
    return clean | {"bbox": [*shape[:2], *size], "categories": instance.label, KEY: carried}


def _side_by_side(objects: list[dict[str, Any]]) -> dict[str, list[Any]]:
    names = dict.fromkeys(("bbox", "categories", *(name for item in objects for name in item)))
    return {name: [item.get(name) for item in objects] for name in names}
