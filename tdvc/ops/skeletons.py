"""The names and the bones of a label's keypoints: from its template, else from what a format said of the class."""

from __future__ import annotations

from typing import Any, NamedTuple

from tdvc.model.schema import Label, Schema


class Skeleton(NamedTuple):
    """Names of keypoints in the order of the geometry, and pairs of positions that are joined."""

    points: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()

    def name(self, position: int) -> str:
        """The name of a keypoint, or its position where it has none."""
        return self.points[position] if position < len(self.points) else f"point {position}"


def skeleton_of(schema: Schema, label: str) -> Skeleton:
    """The skeleton of a label; an empty one where nobody described it."""
    found = schema.labels.get(label)
    if found is None:
        return Skeleton()
    template = schema.templates.get(found.template)
    if template is not None:
        return Skeleton(template.points, template.edges)
    return _of_format(found)


def _of_format(label: Label) -> Skeleton:
    """As COCO says it: `keypoints` are names, `skeleton` pairs of positions counted from 1."""
    for said in label.formats.values():
        names = said.get("keypoints")
        if isinstance(names, list) and all(isinstance(name, str) for name in names):
            pairs = said.get("skeleton")
            return Skeleton(tuple(map(str, names)), tuple(_edges(pairs)) if isinstance(pairs, list) else ())
    return Skeleton()


def _edges(pairs: list[Any]) -> list[tuple[int, int]]:
    try:
        found = [(int(first) - 1, int(second) - 1) for first, second in pairs]
    except (TypeError, ValueError):
        return []
    return [pair for pair in found if min(pair) >= 0]
