"""Datumaro's categories as labels, and back.

Datumaro says some things of labels in lists of their own. Here they are fields of the label: `color` (`#rrggbb`, of the
mask categories), `keypoints`, `skeleton` and `positions` (of the points categories), `groups`, and `common_attributes`,
which any label may have. Two labels of one name are told apart by their parent.
"""

from __future__ import annotations

from typing import Any

from tdvc.formats.base import LabelRecord
from tdvc.model import numbers
from tdvc.model.numbers import Number

_LABEL_FIELDS = ("parent", "attributes")


class Classes:
    """The labels of all files, each key once."""

    def __init__(self) -> None:
        self.records: dict[str, LabelRecord] = {}

    def take(self, categories: dict[str, Any]) -> list[str]:
        """Note the labels of a file; their keys by position.

        Raises:
            ValueError: they are not of the format's shape; the end of a sentence.
        """
        found = _objects(_part(categories, "label"), "labels")
        keys: list[str] = []
        for label in found:
            name, parent = label.get("name"), label.get("parent")
            if not isinstance(name, str) or isinstance(name, Number) or not name:
                raise ValueError(f"the label {len(keys)} has no name")
            keys.append(f"{parent}/{name}" if name in keys and isinstance(parent, str) else name)
        details = [{k: v for k, v in label.items() if k != "name" and v not in ("", [], None)} for label in found]
        _join_details(categories, keys, details)
        for label, key, fields in zip(found, keys, details, strict=True):
            self.records.setdefault(key, LabelRecord(key, label["name"], len(self.records), fields))
        return keys


def _join_details(categories: dict[str, Any], keys: list[str], details: list[dict[str, Any]]) -> None:
    """Put what is said of labels elsewhere to the label: colours, keypoints, groups, common attributes."""
    for entry in _objects(_part(categories, "mask"), "colormap"):
        channels = [entry.get(channel) for channel in "rgb"]
        if (at := _position(entry, keys)) is not None and all(_is_byte(channel) for channel in channels):
            details[at]["color"] = "#" + "".join(f"{int(channel):02x}" for channel in channels if channel)
    for entry in _objects(_part(categories, "points"), "items"):
        if (at := _position(entry, keys)) is not None:
            details[at]["keypoints"] = entry.get("labels", [])
            details[at]["skeleton"] = entry.get("joints", [])
            details[at].update({"positions": entry["positions"]} if entry.get("positions") else {})
    common = _part(categories, "label").get("attributes")
    groups = _objects(_part(categories, "label"), "label_groups")
    for key, fields in zip(keys, details, strict=True):
        if common:
            fields["common_attributes"] = common
        held = [group for group in groups if isinstance(group.get("labels"), list) and key in group["labels"]]
        if held:
            fields["groups"] = [{k: v for k, v in group.items() if k != "labels"} for group in held]


def _part(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _objects(value: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = value.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ValueError(f"the categories have {name!r} that are not a list of objects")
    return found


def _position(entry: dict[str, Any], keys: list[str]) -> int | None:
    at = whole_number(entry.get("label_id"))
    return at if at is not None and at < len(keys) else None


def whole_number(value: Any) -> int | None:
    plain = isinstance(value, Number) and len(value) <= 18 and value.isdigit()
    return int(value) if plain else None


def _is_byte(value: Any) -> bool:
    number = whole_number(value)
    return number is not None and number < 256


def categories_of(labels: list[LabelRecord]) -> dict[str, Any]:
    """The categories of a file, from the labels by position."""
    entries = [
        {"name": label.name, "parent": "", "attributes": []}
        | {k: label.fields[k] for k in _LABEL_FIELDS if k in label.fields}
        for label in labels
    ]
    common = {str(name) for label in labels for name in _list(label.fields.get("common_attributes"))}
    found: dict[str, Any] = {
        "label": {"labels": entries, "label_groups": _groups(labels), "attributes": sorted(common)}
    }
    colours = [(at, _colour(label.fields.get("color"))) for at, label in enumerate(labels)]
    if any(colour for _, colour in colours):
        found["mask"] = {"colormap": [{"label_id": at, **colour} for at, colour in colours if colour]}
    pointed = [(at, label.fields) for at, label in enumerate(labels) if label.fields.get("keypoints")]
    if pointed:
        found["points"] = {"items": [_points(at, fields) for at, fields in pointed]}
    return found


def _points(at: int, fields: dict[str, Any]) -> dict[str, Any]:
    entry = {"label_id": at, "labels": fields["keypoints"], "joints": _list(fields.get("skeleton"))}
    return entry | ({"positions": fields["positions"]} if fields.get("positions") else {})


def _groups(labels: list[LabelRecord]) -> list[dict[str, Any]]:
    """Label groups, gathered from the labels that are in them."""
    found: dict[bytes, dict[str, Any]] = {}
    for label in labels:
        for group in _list(label.fields.get("groups")):
            if isinstance(group, dict):
                found.setdefault(numbers.spell(group), {**group, "labels": []})["labels"].append(label.name)
    return list(found.values())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _colour(text: Any) -> dict[str, int]:
    """The channels of `#rrggbb`; nothing for any other text."""
    if not isinstance(text, str) or len(text) != 7 or text[0] != "#" or text[1:].strip("0123456789abcdefABCDEF"):
        return {}
    return {channel: int(text[at : at + 2], 16) for channel, at in zip("rgb", (1, 3, 5), strict=True)}
