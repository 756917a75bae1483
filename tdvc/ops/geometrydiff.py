"""How one geometry became another: how far, how much larger, turned by how much, which vertices and which keypoints.

Vertices are aligned in the order in which they are drawn: a stretch of them that differs holds as many moved ones as
both sides have there, and the rest was added or removed. So dragging one corner is one moved vertex, and inserting one
is one added, whatever comes after it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from tdvc.model import geometry
from tdvc.model.records import Instance

MAX_ALIGNED = 4_000_000
"""Pairs of vertices that are compared to align two outlines; beyond it only their ends are aligned."""

_TURNED = {"box": 4, "ellipse": 4}

Vertex = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Vertices:
    """What became of the vertices of a polygon or polyline."""

    added: int
    removed: int
    moved: int


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A keypoint that differs.

    Attributes:
        position: in the skeleton, from 0.
        shift: how far it moved, (x, y) in pixels; None where a side does not say where it is.
        visibility: before and after: 0 not labelled, 1 hidden, 2 visible.
    """

    position: int
    shift: tuple[float, float] | None
    visibility: tuple[int, int]


@dataclass(frozen=True, slots=True)
class GeometryChange:
    """How one geometry became another; what does not apply is None or empty.

    Attributes:
        shift: how far the centre of the bounding box moved, (x, y) in pixels.
        iou: overlap of the two bounding boxes, in [0, 1].
        resize: how much wider and higher the bounding box is, pixels.
        rotation: degrees clockwise from -180 to 180, of boxes and ellipses.
        vertices: of polygons and polylines.
        keypoints: those that differ.
        spans: how far start and end moved, of spans of text or time.
    """

    shift: tuple[float, float] | None = None
    iou: float | None = None
    resize: tuple[float, float] | None = None
    rotation: float | None = None
    vertices: Vertices | None = None
    keypoints: tuple[Keypoint, ...] = ()
    spans: tuple[float, float] | None = None


def compare_geometry(before: Instance, after: Instance) -> GeometryChange:
    """How the geometry of one instance became that of the other; between spatial types only the extent compares."""
    old, new = before.coordinates, after.coordinates
    extent = _extent(geometry.bounding_box(before.type, old), geometry.bounding_box(after.type, new))
    if before.type != after.type:
        return GeometryChange(*extent)
    kind = after.type
    return GeometryChange(
        *extent,
        rotation=_rotation(old, new) if kind in _TURNED else None,
        vertices=compare_vertices(_vertices(kind, old), _vertices(kind, new)) if kind in _OUTLINES else None,
        keypoints=_keypoints(old, new) if kind == "keypoints" else (),
        spans=(new[0] - old[0], new[1] - old[1]) if kind in ("text_span", "time_span") else None,
    )


def _extent(
    old: geometry.Box | None, new: geometry.Box | None
) -> tuple[tuple[float, float] | None, float | None, tuple[float, float] | None]:
    if old is None or new is None:
        return None, None, None
    resize = (new[2] - new[0]) - (old[2] - old[0]), (new[3] - new[1]) - (old[3] - old[1])
    return geometry.shift(old, new), geometry.iou(old, new), resize


def _rotation(old: Sequence[float], new: Sequence[float]) -> float | None:
    turn = (new[4] if len(new) > 4 else 0.0) - (old[4] if len(old) > 4 else 0.0)
    return math.remainder(turn, 360.0) or None


_OUTLINES = ("polygon", "polyline")


def _vertices(kind: str, coordinates: Any) -> list[Vertex]:
    rings = [coordinates] if kind == "polyline" else [ring for part in coordinates for ring in part]
    return [(ring[i], ring[i + 1]) for ring in rings for i in range(0, len(ring), 2)]


def compare_vertices(old: Sequence[Vertex], new: Sequence[Vertex]) -> Vertices:
    """What became of vertices, in the order in which they are drawn."""
    start = _shared(old, new)
    old, new = old[start:], new[start:]
    end = _shared(old[::-1], new[::-1])
    old, new = old[: len(old) - end], new[: len(new) - end]
    added = removed = moved = 0
    for tag, i, j, k, m in _stretches(old, new):
        both = min(j - i, m - k) if tag == "replace" else 0
        moved += both
        removed += j - i - both if tag != "equal" else 0
        added += m - k - both if tag != "equal" else 0
    return Vertices(added, removed, moved)


def _shared(old: Sequence[Vertex], new: Sequence[Vertex]) -> int:
    """How many vertices the two begin with in common."""
    return next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))


def _stretches(old: Sequence[Vertex], new: Sequence[Vertex]) -> list[tuple[str, int, int, int, int]]:
    if len(old) * len(new) > MAX_ALIGNED:
        return [("replace", 0, len(old), 0, len(new))]
    return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())


def _keypoints(old: Sequence[float], new: Sequence[float]) -> tuple[Keypoint, ...]:
    """The keypoints that differ; one that only one side has counts as not labelled on the other."""
    count = max(len(old), len(new)) // 3
    changes = []
    for position in range(count):
        a, b = (tuple(side[3 * position : 3 * position + 3]) or (0.0, 0.0, 0) for side in (old, new))
        if a != b:
            placed = a[2] > 0 and b[2] > 0
            shift = (b[0] - a[0], b[1] - a[1]) if placed else None
            changes.append(Keypoint(position, shift, (int(a[2]), int(b[2]))))
    return tuple(changes)
