"""What `meta.json` of a Supervisely project says, gathered while its files are written."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tdvc.formats import _carry
from tdvc.formats.base import LabelRecord
from tdvc.model.numbers import Number

NAME = "supervisely"


@dataclass(slots=True)
class Meta:
    """What `meta.json` is to say: the classes, the shapes they are used for, and the values of tags.

    Attributes:
        kinds: the kind of value of every tag, which its first use decides: Supervisely refuses a project in which a tag
            has values of two kinds.
        media: the kinds of files there are, `images` and `videos`.
    """

    labels: Mapping[str, LabelRecord]
    shapes: dict[str, set[str]] = field(default_factory=dict)
    nodes: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    tag_labels: set[str] = field(default_factory=set)
    media: set[str] = field(default_factory=set)

    def name_of(self, key: str) -> str:
        """The title of a class."""
        label = self.labels.get(key)
        return label.name if label else key

    def node_ids(self, label: str, count: int) -> list[str]:
        """Ids for the points of a graph: those of the class, then numbers."""
        record = self.labels.get(label)
        known = node_ids(record.fields if record else {})
        return known + [f"{number:03d}" for number in range(len(known), count)]

    def can_say(self, name: str, values: Sequence[Any]) -> bool:
        """Whether tags of a name can have the values beside those they had; from now on they have."""
        kinds = {_value_type(value) for value in values}
        return len(kinds) == 1 and self.kinds.setdefault(name, min(kinds)) in kinds

    def value_for(self, name: str, value: Any) -> Any:
        """The value of a tag, or the nearest that it can have beside those it had; True for none.

        Raises:
            ValueError: there is none, the end of a sentence.
        """
        if self.can_say(name, [value]) or self.kinds[name] == "none":
            return value if self.kinds[name] != "none" else True
        if self.kinds[name] == "any_string":
            return "" if value is True else str(value)
        raise ValueError("has no number, which other tags of its name have: Supervisely wants values of one kind")

    def document(self) -> dict[str, Any]:
        """The content of `meta.json`."""
        classes = [
            self._class(label, position)
            for position, label in enumerate(self.labels.values())
            if label.key in self.shapes or label.key not in self.tag_labels or "shape" in label.fields
        ]
        tags = [_tag_meta(name, kind, position) for position, (name, kind) in enumerate(sorted(self.kinds.items()))]
        return {"classes": classes, "tags": tags, "projectType": "videos" if self.media == {"videos"} else "images"}

    def _class(self, label: LabelRecord, position: int) -> dict[str, Any]:
        said = label.fields.get("shape")
        used = self.shapes.get(label.key, set()) | ({said} if _carry.is_text(said) else set())
        fields = {"color": _color(position), "geometry_config": {}, "hotkey": ""} | label.fields
        fields |= {"title": label.name, "shape": used.pop() if len(used) == 1 else "any"}
        if self.nodes.get(label.key) and not node_ids(label.fields):
            fields["geometry_config"] = _template(self.node_ids(label.key, self.nodes[label.key]))
        return fields


def node_ids(class_fields: Mapping[str, Any]) -> list[str]:
    """The ids of the nodes that a class says its graphs have, in order."""
    config = class_fields.get("geometry_config")
    nodes = config.get("nodes") if isinstance(config, dict) else None
    return sorted(nodes) if isinstance(nodes, dict) else []


def _template(ids: Sequence[str]) -> dict[str, Any]:
    nodes = {
        identity: {"label": identity, "loc": [10 * number, 10 * number], "color": _color(number)}
        for number, identity in enumerate(ids)
    }
    return {"nodes": nodes, "edges": []}


def _tag_meta(name: str, kind: str, position: int) -> dict[str, Any]:
    return {"name": name, "value_type": kind, "color": _color(position), "hotkey": "", "applicable_type": "all"}


def _value_type(value: Any) -> str:
    """Which of Supervisely's kinds of tags has the value, which is True for a tag that has none."""
    if value is True:
        return "none"
    return "any_number" if isinstance(value, Number) else "any_string"


def _color(position: int) -> str:
    """Colours that are apart from one another: steps of the golden angle around the circle of hues."""
    red, green, blue = colorsys.hsv_to_rgb(position * 0.618034 % 1, 0.8, 0.9)
    return f"#{round(red * 255):02X}{round(green * 255):02X}{round(blue * 255):02X}"
