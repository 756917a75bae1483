"""Schemas that tests share, as JSON-like values, and one with another field somewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tdvc.model.numbers import Number
from tdvc.model.schema import Schema

TRAFFIC: dict[str, Any] = {
    "labels": {
        "light": {
            "name": "Traffic light",
            "index": 0,
            "types": {"box": "default", "polygon": "allowed"},
            "attributes": ["state"],
        },
        "car": {"name": "car", "index": 1, "attributes": ["parked"]},
    },
    "attributes": {
        "state": {"kind": "select", "options": [{"key": "red", "name": "Red"}, {"key": "green", "name": "Green"}]},
        "parked": {"kind": "checkbox", "when": ["since"]},
        "since": {"kind": "time"},
    },
}

FULL: dict[str, Any] = {
    "labels": {
        "animal": {"name": "Animal", "index": 0, "colour": "#0080ff", "description": "anything that lives"},
        "big dog": {
            "name": "Big dog",
            "index": 7,
            "aliases": ["hound", 'the "big" one', "a\\b"],
            "parent": "animal",
            "guide": '# Big dogs\n\nDraw "tight".\n\n\t* ears too\\\n"""quoted"""',
            "types": {"keypoints": "default", "box": "allowed", "mask": "denied"},
            "attributes": ["age", "mood", "seen"],
            "template": "quadruped",
            "deprecated": True,
            "formats": {"coco": {"id": Number("18"), "score": Number("1.50"), "nothing": None, "list": [True, None]}},
        },
    },
    "attributes": {
        "age": {
            "kind": "number",
            "name": "Age",
            "description": "in years",
            "required": True,
            "default": Number("1e0"),
            "minimum": Number("0.10"),
            "maximum": Number("30"),
            "step": Number("0.1"),
        },
        "mood": {
            "kind": "multiple_select",
            "options": [{"key": "calm"}, {"key": "wild", "name": "Wild!", "attributes": ["why"]}],
            "min_count": 1,
            "max_count": 2,
            "default": ["calm"],
        },
        "why": {"kind": "text", "max_length": 40, "pattern": "[a-z\\s'\"]+", "default": 'it\'s "so"'},
        "seen": {"kind": "date", "default": "2026-11-01"},
        "checked": {"kind": "checkbox", "when": ["at"], "default": False},
        "at": {"kind": "time", "default": "18:30"},
        "sun": {"kind": "slider", "maximum": Number("100")},
        "place": {"kind": "radio", "options": [{"key": "in"}, {"key": "out"}]},
        "state": {"kind": "select", "options": [{"key": "on"}]},
    },
    "templates": {
        "quadruped": {
            "type": "keypoints",
            "points": ["left ear", "right ear", "tail"],
            "edges": [[0, 1], [1, 2]],
            "swaps": [[0, 1]],
            "geometry": [Number("0.1"), Number("0.20"), 2, 1, 0, 2, 0, 1, 1],
        }
    },
    "file_attributes": ["sun"],
    "sequence_attributes": ["place"],
    "locked": True,
}


def changed(schema: Schema, section: str, key: str, **fields: Any) -> Schema:
    definitions = getattr(schema, section)
    return replace(schema, **{section: {**definitions, key: replace(definitions[key], **fields)}})
