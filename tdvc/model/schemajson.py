"""The JSON Schema of schema files (draft 2020-12), by which editors complete and check them while people type.

It is computed from the dataclasses and their documentation, so it can't fall behind. It says what fields there are and
of what type; what they must say together is checked by `tdvc.model.schemacheck`.
"""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import MISSING, fields
from typing import Any

from tdvc.model.geometry import SPATIAL_TYPES
from tdvc.model.schema import ATTRIBUTE_KINDS, POLICIES, Attribute, Label, Option, Schema, Template

_TEXT = {"type": "string"}
_KEYS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer", "minimum": 0}
_PAIRS = {"type": "array", "items": {"type": "array", "items": _COUNT, "minItems": 2, "maxItems": 2}}
_FIELDS: dict[str, Any] = {
    "aliases": _KEYS,
    "attributes": _KEYS,
    "colour": {"type": "string", "pattern": "^(#[0-9a-fA-F]{6})?$"},
    "default": {},
    "deprecated": {"type": "boolean"},
    "edges": _PAIRS,
    "file_attributes": _KEYS,
    "formats": {"type": "object", "additionalProperties": {"type": ["object", "string"]}},
    "geometry": {},
    "index": _COUNT,
    "kind": {"enum": list(ATTRIBUTE_KINDS)},
    "locked": {"type": "boolean"},
    "max_count": _COUNT,
    "max_length": _COUNT,
    "maximum": {"type": "number"},
    "min_count": _COUNT,
    "minimum": {"type": "number"},
    "options": {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/option"}]}},
    "points": _KEYS,
    "required": {"type": "boolean"},
    "sequence_attributes": _KEYS,
    "step": {"type": "number", "exclusiveMinimum": 0},
    "swaps": _PAIRS,
    "type": {"enum": list(SPATIAL_TYPES)},
    "types": {
        "type": "object",
        "propertyNames": {"enum": list(SPATIAL_TYPES)},
        "additionalProperties": {"enum": list(POLICIES)},
    },
    "when": _KEYS,
}
_SECTIONS = {"attributes": Attribute, "labels": Label, "templates": Template}
_FILLED_IN = ("index", "key", "name")
"""Fields that a file may leave out although a definition has them."""


def json_schema_text() -> str:
    """The same as the text of a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema of schema files."""
    document = _object(Schema, {name: _section(name) for name in _SECTIONS})
    document["properties"] = {
        "$schema": {"type": "string"},
        "version": {"const": 1, "description": "the version of the file's layout"},
        **document["properties"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Schema of a tdvc repository",
        **document,
        "$defs": {kind.__name__.lower(): _definition(kind) for kind in (Attribute, Label, Option, Template)},
    }


def _section(name: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": {"$ref": f"#/$defs/{_SECTIONS[name].__name__.lower()}"}}


def _definition(kind: type[Any]) -> dict[str, Any]:
    found = _object(kind, {"key": _TEXT} if kind is Option else {})
    required = [
        f.name
        for f in fields(kind)
        if f.default is MISSING and f.default_factory is MISSING and (f.name not in _FILLED_IN or kind is Option)
    ]
    return {**found, "required": required} if required else found


def _object(kind: type[Any], special: dict[str, Any]) -> dict[str, Any]:
    """An object with the fields of a dataclass, described as its docstring does."""
    described = _descriptions(kind)
    properties = {
        f.name: {**special.get(f.name, _FIELDS.get(f.name, _TEXT)), "description": described[f.name]}
        for f in fields(kind)
        if f.name != "key" or "key" in special
    }
    summary = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0].rstrip(".")
    return {"description": summary, "type": "object", "properties": properties, "additionalProperties": False}


def _descriptions(kind: type[Any]) -> dict[str, str]:
    """What a docstring says of each attribute, without the marks of code."""
    lines = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", lines, re.MULTILINE)
    return {f.name: "" for f in fields(kind)} | {
        name: re.sub(r"\s+", " ", text).replace("`", "").rstrip(".") for name, text in found
    }
