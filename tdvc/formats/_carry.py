"""What another format has no word for, carried along in a field of its own.

Many formats keep fields they do not know. Into one of them, called `tdvc`, a writer puts what the format can't say of
an instance or a file; its reader takes it from there. Nothing is said twice, so there is nothing to disagree about.
Where a geometry has to be drawn in a simpler way, the reader believes the carried one only as long as the drawn one is
still what it leads to (see the formats that use it).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeGuard

from tdvc.formats._folder import shortened
from tdvc.formats.base import FileRecord
from tdvc.model import numbers
from tdvc.model.geometry import MAX_COORDINATE
from tdvc.model.records import Instance

KEY = "tdvc"

_OF_INSTANCE = ("attributes", "frame", "instance_id", "score", "sequence", "source")
_ABSENT = (None, b"{}", b"null")


def parsed(raw: Any) -> Any:
    """The JSON of a raw field of an instance, numbers as `numbers.Number`."""
    return numbers.parse(bytes(raw))


def own_of(properties: Any, own: str) -> dict[str, Any]:
    """A copy of what the format `own` once said, by its name in the properties of an instance or file."""
    said = properties.get(own) if isinstance(properties, dict) else None
    return dict(said) if isinstance(said, dict) else {}


def of_instance(instance: Instance, own: str, without: Collection[str] = ()) -> dict[str, Any]:
    """The fields of an instance that are there, apart from label and geometry.

    Args:
        instance: the instance.
        own: the format whose properties are written in its own words.
        without: fields that the format can say.
    """
    fields: dict[str, Any] = {}
    for name in _OF_INSTANCE:
        value = getattr(instance, name)
        if (
            name not in without
            and (value if isinstance(value, (str, int, type(None))) else bytes(value)) not in _ABSENT
        ):
            fields[name] = value
    properties = {key: value for key, value in parsed(instance.properties).items() if key != own}
    return fields | ({"properties": properties} if properties else {})


def for_instance(carried: Any) -> dict[str, Any]:
    """The fields of an instance in what was carried, for `make_instance`; nothing else passes."""
    if not isinstance(carried, dict):
        return {}
    fields = {name: carried[name] for name in _OF_INSTANCE if name in carried}
    if isinstance(carried.get("properties"), dict):
        fields["properties"] = carried["properties"]
    return fields


def of_file(record: FileRecord, own: str) -> dict[str, Any]:
    """What the format can't say of a file: completeness, identity, split and the properties of other formats."""
    fields: dict[str, Any] = {}
    if record.complete is not None:
        fields["complete"] = record.complete
    if record.file_id is not None:
        fields["file_id"] = record.file_id
    if record.split:
        fields["split"] = record.split
    dropped = (own, "splits") if record.split else (own,)
    properties = {key: value for key, value in record.properties.items() if key not in dropped}
    return fields | ({"properties": properties} if properties else {})


def for_file(carried: Any) -> dict[str, Any]:
    """The fields of a file in what was carried, each of the right kind; `split` is left to the reader."""
    if not isinstance(carried, dict):
        return {}
    fields: dict[str, Any] = {}
    if isinstance(carried.get("complete"), bool):
        fields["complete"] = carried["complete"]
    if is_hex(carried.get("file_id"), 32):
        fields["file_id"] = carried["file_id"]
    if isinstance(carried.get("properties"), dict):
        fields["properties"] = carried["properties"]
    return fields


def split_in(carried: Any) -> str:
    """The split that the writer put the file into; empty for none."""
    split = carried.get("split") if isinstance(carried, dict) else None
    return split if is_text(split) else ""


def checked(value: Any) -> numbers.Number:
    """A coordinate as it came. Raises ValueError, the end of a sentence, where it is no number or beyond all bounds."""
    if not isinstance(value, numbers.Number):
        raise ValueError("has something other than a number for a coordinate")
    if not -MAX_COORDINATE <= numbers.value_of(value) <= MAX_COORDINATE:
        raise ValueError(f"holds the number {shortened(value, 32)}, beyond {MAX_COORDINATE}")
    return value


def is_text(value: Any) -> TypeGuard[str]:
    """Whether parsed JSON is text, and not a number that travels as text."""
    return isinstance(value, str) and not isinstance(value, numbers.Number)


def is_hex(value: Any, digits: int) -> TypeGuard[str]:
    """Whether parsed JSON is so many lower-case hexadecimal digits."""
    return is_text(value) and len(value) == digits and not value.strip("0123456789abcdef")
