"""What differs between two schemas: definitions by key, each that came, went or means something else now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from tdvc.model.schema import Schema

_KINDS = {"labels": "label", "attributes": "attribute", "templates": "template"}
_WHOLE = ("file_attributes", "sequence_attributes", "locked")


@dataclass(frozen=True, slots=True)
class DefinitionChange:
    """One definition of a schema.

    Attributes:
        kind: `added`, `removed` or `changed`.
        what: `label`, `attribute`, `template` or `schema`, for what it says of files, sequences and locking.
        key: the definition's key; of a schema, the field's name.
        fields: the fields that differ, of a changed one.
    """

    kind: str
    what: str
    key: str
    fields: tuple[str, ...] = ()


def compare_schemas(before: Schema, after: Schema) -> list[DefinitionChange]:
    """Every definition that differs: labels, attributes, templates, each by key, then what holds for the whole."""
    found = []
    for name, what in _KINDS.items():
        found += _compare(what, getattr(before, name), getattr(after, name))
    whole = [name for name in _WHOLE if getattr(before, name) != getattr(after, name)]
    return found + [DefinitionChange("changed", "schema", name) for name in whole]


def only_learned(changes: Sequence[DefinitionChange]) -> bool:
    """Whether nothing but new labels came in, which is what happens by itself when files are imported."""
    return all(change.kind == "added" and change.what == "label" for change in changes)


def _compare(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[DefinitionChange]:
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old is None or new is None:
            found.append(DefinitionChange("added" if old is None else "removed", what, key))
        elif old != new:
            differing = tuple(f.name for f in fields(new) if getattr(old, f.name) != getattr(new, f.name))
            found.append(DefinitionChange("changed", what, key, differing))
    return found
