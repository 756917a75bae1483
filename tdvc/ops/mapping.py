"""A map file: what labels, attributes and columns of a source are called in tdvc. TOML, kept and used again.

[labels]
person = "pedestrian"      # the source's word = ours
background = ""            # nothing: instances with it are left out, and counted

[attributes]
is_crowd = "crowd"

[columns]                  # of tables: our word = the source's
path = "filename"
label = "cell_type"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tdvc.errors import NotFound, Usage
from tdvc.model import numbers
from tdvc.model.records import Instance

_TABLES = ("labels", "attributes", "columns")
MAX_MAP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FieldMap:
    """What becomes of names on their way in; names that are not in it stay as they are."""

    labels: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)

    def label(self, name: str) -> str:
        """Our label for the source's; empty where its instances are left out."""
        return self.labels.get(name, name)

    def apply(self, instance: Instance) -> Instance | None:
        """An instance under our names; None where its label is mapped to nothing."""
        label = self.label(instance.label)
        if not label:
            return None
        changes: dict[str, Any] = {}
        if label != instance.label:
            changes["label"] = label
        if self.attributes and bytes(instance.attributes) != b"{}":
            values = numbers.parse(bytes(instance.attributes))
            renamed = {self.attributes.get(key, key): value for key, value in values.items()}
            renamed.pop("", None)
            changes["attributes"] = msgspec.Raw(numbers.spell(renamed))
        return msgspec.structs.replace(instance, **changes) if changes else instance


def read_map(path: Path) -> FieldMap:
    """Read a map file.

    Raises:
        NotFound: source-not-found.
        Usage: bad-usage, where it is not such a file.
    """
    try:
        with path.open("rb") as file:
            tables = tomllib.loads(file.read(MAX_MAP_BYTES).decode())
    except OSError as error:
        raise NotFound("source-not-found", f"{str(path)!r} can't be read: {error.strerror}.", path=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise Usage("bad-usage", f"The map {str(path)!r} is not TOML: {error}.", path=str(path)) from error
    unknown = sorted(set(tables) - set(_TABLES))
    if unknown:
        raise Usage("bad-usage", f"The map {str(path)!r} has a table {unknown[0]!r}; known: {', '.join(_TABLES)}.")
    for name, table in tables.items():
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise Usage("bad-usage", f"In the map {str(path)!r}, {name!r} must give text for text.")
    return FieldMap(**tables)
