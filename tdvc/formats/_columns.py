"""Instances as columns: the Arrow types of tdvc's own tables, and one instance as a row of them and back.

What is free in form (geometry, attributes, properties) and what must keep its digits (the score) is JSON text. So
numbers leave as they came, and every spatial type has a place. `x0 y0 x1 y1`, the bounding box, is written for queries
and not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tdvc.formats._arrow import library
from tdvc.formats._carry import is_text
from tdvc.formats._json import parse_strictly
from tdvc.formats.base import LabelRecord
from tdvc.model import numbers
from tdvc.model.records import RAW_FIELDS, Instance, fields_of

CORNERS = ("x0", "y0", "x1", "y1")
_LABELS_KEY = b"tdvc"
_TEXT = ("instance_id", "label", "type", "geometry", "attributes", "score", "sequence", "source", "properties")


_FILE = ("path", "file_id", "blob", "split", "width", "height", "complete")
NAMES = frozenset((*_TEXT, "frame", *CORNERS, *_FILE, "file_properties"))
"""All columns of ours."""


def instance_fields() -> list[Any]:
    """The columns of an instance, as Arrow's fields."""
    arrow = library()
    text = [arrow.field(name, arrow.string()) for name in _TEXT]
    return [*text, arrow.field("frame", arrow.int64()), *(arrow.field(name, arrow.float64()) for name in CORNERS)]


def file_fields() -> list[Any]:
    """The columns of a file, as Arrow's fields."""
    arrow = library()
    text = [arrow.field(name, arrow.string()) for name in ("path", "file_id", "blob", "split", "file_properties")]
    return [
        *text,
        *(arrow.field(name, arrow.int32()) for name in ("width", "height")),
        arrow.field("complete", arrow.bool_()),
    ]


def instance_row(instance: Instance) -> dict[str, Any]:
    """The cells of an instance."""
    fields = fields_of(instance)
    row = {name: bytes(value).decode() if name in RAW_FIELDS else value for name, value in fields.items()}
    box = instance.bounding_box
    return row | dict(zip(CORNERS, box or (), strict=False))


def instance_cells(row: Mapping[str, Any]) -> dict[str, Any] | ValueError:
    """The fields of an instance in cells; the error where a text is not JSON."""
    fields = {name: row[name] for name in (*_TEXT, "frame") if row.get(name) is not None}
    try:
        for name in RAW_FIELDS:
            if name in fields:
                fields[name] = _json(fields[name], name)
    except ValueError as error:
        return error
    return fields


def file_row(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The cells of a file, from `_whole.fields_of_file`."""
    row = {name: fields[name] for name in _FILE if name in fields}
    if "properties" in fields:
        row["file_properties"] = numbers.spell(fields["properties"]).decode()
    return row


def file_cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a file in cells.

    Raises:
        ValueError: its properties are not JSON; the end of a sentence.
    """
    fields = {name: row[name] for name in _FILE if row.get(name) is not None}
    if row.get("file_properties") is not None:
        fields["properties"] = _json(row["file_properties"], "file_properties")
    return fields


def labels_metadata(labels: Sequence[LabelRecord]) -> dict[bytes, bytes]:
    """The classes, for the metadata of a schema."""
    listed = [{"key": label.key, "name": label.name, "index": label.index, "fields": label.fields} for label in labels]
    return {_LABELS_KEY: numbers.spell({"labels": listed, "version": 1})}


def labels_in(schema: Any) -> list[LabelRecord]:
    """The classes in the metadata of a schema; none where it has none, or in a form that is not ours."""
    try:
        listed = parse_strictly((schema.metadata or {}).get(_LABELS_KEY, b"{}"))["labels"]
        return [LabelRecord(item["key"], item["name"], _index(item["index"]), dict(item["fields"])) for item in listed]
    except (ValueError, TypeError, KeyError):
        return []


def _index(value: Any) -> int | None:
    return None if value is None else int(value)


def _json(text: Any, name: str) -> Any:
    if not is_text(text):
        raise ValueError(f"has {name} that is not text")
    try:
        return parse_strictly(text.encode())
    except ValueError as error:
        raise ValueError(f"has {name} that {error}") from error
