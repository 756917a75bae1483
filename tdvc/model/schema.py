"""The schema: what labels mean. A versioned object that every commit pins.

An instance refers to a label by its stable key. A label that comes in for the first time is learned: its key is the
name it came with. Canonical JSON on disk:

    {"labels": {"dog": {"index": 0, "name": "dog"}}, "version": 1}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tdvc.ids import canonical_json


@dataclass(frozen=True, slots=True)
class Label:
    """A label.

    Attributes:
        key: what instances refer to; never changes.
        name: what people see.
        index: its place in class lists; given once, in the order of learning.
    """

    key: str
    name: str
    index: int


@dataclass(frozen=True, slots=True)
class Schema:
    """All labels by key."""

    labels: Mapping[str, Label] = field(default_factory=dict)

    def learned(self, keys: Iterable[str]) -> Schema:
        """This schema with labels for the keys it does not know; itself where it knows them all."""
        new = sorted(set(keys) - set(self.labels))
        if not new:
            return self
        first = 1 + max((label.index for label in self.labels.values()), default=-1)
        added = {key: Label(key, key, first + position) for position, key in enumerate(new)}
        return Schema({**self.labels, **added})

    def encode(self) -> bytes:
        """The canonical bytes."""
        labels = {key: {"index": label.index, "name": label.name} for key, label in self.labels.items()}
        return canonical_json({"labels": labels, "version": 1})


def decode_schema(content: bytes) -> Schema:
    """A schema from its bytes. Raises ValueError."""
    try:
        fields = json.loads(content)
        labels = {key: Label(key, str(item["name"]), int(item["index"])) for key, item in fields["labels"].items()}
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a schema") from error
    return Schema(labels)
