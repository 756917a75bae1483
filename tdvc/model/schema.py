"""The schema: what labels mean. A versioned object that every commit pins.

An instance refers to a label by its stable key. A label that comes in for the first time is learned: its key is the
name it came with, its index the next free place. What a format says of its classes (ids, colours, skeletons) is kept
under the format's name, so that it leaves as it came. Canonical JSON on disk:

    {"labels": {"dog": {"formats": {"coco": {"id": 18}}, "index": 0, "name": "dog"}}, "version": 1}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tdvc.model import numbers


@dataclass(frozen=True, slots=True)
class Label:
    """A label.

    Attributes:
        key: what instances refer to; never changes.
        name: what people see.
        index: its place in class lists; given once, in the order of learning.
        formats: what formats say of it, by the format's name; JSON with numbers as `numbers.Number`.
    """

    key: str
    name: str
    index: int
    formats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schema:
    """All labels by key."""

    labels: Mapping[str, Label] = field(default_factory=dict)

    def learned(self, keys: Iterable[str]) -> Schema:
        """This schema with labels for the keys it does not know, in their order; itself where it knows them all."""
        new = [key for key in dict.fromkeys(keys) if key not in self.labels]
        if not new:
            return self
        first = 1 + max((label.index for label in self.labels.values()), default=-1)
        added = {key: Label(key, key, first + position) for position, key in enumerate(new)}
        return Schema({**self.labels, **added})

    def described(self, format_name: str, fields: Mapping[str, Mapping[str, Any]]) -> Schema:
        """This schema with what a format says of known labels, for those of which it has said nothing yet."""
        labels = dict(self.labels)
        for key, said in fields.items():
            label = labels.get(key)
            if label is not None and said and format_name not in label.formats:
                labels[key] = replace(label, formats={**label.formats, format_name: said})
        return self if labels == self.labels else Schema(labels)

    def in_order(self) -> list[Label]:
        """The labels by index."""
        return sorted(self.labels.values(), key=lambda label: label.index)

    def encode(self) -> bytes:
        """The canonical bytes."""
        return numbers.spell({"labels": {key: _fields(label) for key, label in self.labels.items()}, "version": 1})


def _fields(label: Label) -> dict[str, Any]:
    fields: dict[str, Any] = {"index": label.index, "name": label.name}
    if label.formats:
        fields["formats"] = label.formats
    return fields


def decode_schema(content: bytes) -> Schema:
    """A schema from its bytes. Raises ValueError."""
    try:
        fields = numbers.parse(content)
        labels = {
            key: Label(key, str(item["name"]), int(item["index"]), item.get("formats", {}))
            for key, item in fields["labels"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a schema") from error
    return Schema(labels)
