"""Which instance of one set is which of another, where the two share no ids.

Two people who label one picture, or one set imported twice, draw the same object twice: two instances, two ids. They
are paired by how much they overlap, intersection over union of their bounding boxes, spans by their stretch of time or
text. Only what is on the same frame pairs.

1. Equal labels and equal extents pair, in order; so do equal tags and whatever else has no extent.
2. Equal labels pair where the overlap reaches the threshold.
3. What is left pairs across labels, by the same rule: the object is agreed on, its name is not.

Steps 2 and 3 choose the pairs whose overlaps sum to the most. Instances that overlap nobody else's pair on the spot;
those that do come in small groups, each solved exactly. Only a group of more than `MAX_EXACT` on both sides, which is
a heap of near copies, is paired greedily, largest overlap first. Ties go to what comes first, so the result depends on
nothing but the two lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Usage
from tdvc.model.geometry import Box
from tdvc.model.records import Instance

MAX_EXACT = 64
MAX_COMPARISONS = 1_000_000_000
"""Overlaps computed for one label on one frame; beyond it only equal extents pair."""

_BLOCK = 4_000_000  # overlaps computed at once, 32 MB
_EXTENTLESS = "none"

Match: TypeAlias = tuple[int, int, float]
"""Position in the one list, position in the other, overlap in (0, 1]."""
Overlaps: TypeAlias = dict[tuple[int, int], float]


class _Placed:
    """An instance's space (its frame, and what its extent is measured in), its label and its extent."""

    __slots__ = ("extent", "label", "space")

    def __init__(self, instance: Instance) -> None:
        kind, extent = _extent(instance)
        self.space = (instance.frame, kind)
        self.label = instance.label
        self.extent = extent


def match_instances(before: Sequence[Instance], after: Sequence[Instance], threshold: float = 0.5) -> list[Match]:
    """Pair the instances of two sets by label and overlap, whatever their ids.

    Args:
        before: one set.
        after: the other.
        threshold: smallest intersection over union of a pair, in (0, 1].

    Returns:
        (position in `before`, position in `after`, overlap), by the first; each position once at most.

    Raises:
        Usage: bad-usage, for a threshold out of range.
    """
    if not 0 < threshold <= 1:
        raise Usage("bad-usage", f"The overlap to match by must be above 0 and at most 1, not {threshold}.")
    old, new = [_Placed(instance) for instance in before], [_Placed(instance) for instance in after]
    left, right = dict(enumerate(old)), dict(enumerate(new))
    matches = list(_equal(left, right))
    _drop(matches, left, right)
    for with_label in (True, False):
        found = list(_overlapping(left, right, threshold, with_label=with_label))
        _drop(found, left, right)
        matches += found
    return sorted(matches)


def _extent(instance: Instance) -> tuple[str, Any]:
    """What an extent is measured in, and the extent as a box; the geometry itself where there is none."""
    if instance.type in ("time_span", "text_span"):
        start, end = instance.coordinates
        return instance.type, (float(start), 0.0, float(end), 1.0)
    box = instance.bounding_box
    if box is None:
        return _EXTENTLESS, (instance.type, bytes(instance.geometry))
    return "pixels", box


def _drop(matches: Iterable[Match], left: dict[int, _Placed], right: dict[int, _Placed]) -> None:
    for i, j, _ in matches:
        del left[i], right[j]


def _equal(left: Mapping[int, _Placed], right: Mapping[int, _Placed]) -> Iterator[Match]:
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for j, placed in right.items():
        waiting[placed.space, placed.label, placed.extent].append(j)
    for positions in waiting.values():
        positions.reverse()
    for i, placed in left.items():
        if equal := waiting.get((placed.space, placed.label, placed.extent)):
            yield i, equal.pop(), 1.0


def _overlapping(
    left: Mapping[int, _Placed], right: Mapping[int, _Placed], threshold: float, *, with_label: bool
) -> Iterator[Match]:
    old, new = _grouped(left, with_label=with_label), _grouped(right, with_label=with_label)
    for key in old.keys() & new.keys():
        rows, columns = old[key], new[key]
        overlaps = _overlaps([left[i].extent for i in rows], [right[j].extent for j in columns], threshold)
        for i, j, overlap in _assign(overlaps):
            yield rows[i], columns[j], overlap


def _grouped(side: Mapping[int, _Placed], *, with_label: bool) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for position, placed in side.items():
        if placed.space[1] != _EXTENTLESS:
            groups[placed.space, placed.label if with_label else None].append(position)
    return groups


def _overlaps(old: Sequence[Box], new: Sequence[Box], threshold: float) -> Overlaps:
    """The pairs that reach the threshold, row by row."""
    if len(old) * len(new) > MAX_COMPARISONS:
        return {}
    rows, columns = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    height = max(1, _BLOCK // len(new))
    found: Overlaps = {}
    for start in range(0, len(old), height):
        matrix = iou_matrix(rows[start : start + height], columns)
        for i, j in np.argwhere(matrix >= threshold).tolist():
            found[start + i, j] = float(matrix[i, j])
    return found


def iou_matrix(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of every box in `a` with every box in `b`.

    Args:
        a: (n, 4), `x0 y0 x1 y1`.
        b: (m, 4), same units.

    Returns:
        (n, m) in [0, 1]; 0 where both are empty.
    """
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    union = _areas(a)[:, None] + _areas(b)[None, :] - shared
    overlaps: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _assign(overlaps: Overlaps) -> Iterator[Match]:
    """Of all pairs, those whose overlaps sum to the most, no position in two of them."""
    for rows, columns in _components(overlaps):
        if len(rows) == 1 == len(columns):
            yield rows[0], columns[0], overlaps[rows[0], columns[0]]
        elif min(len(rows), len(columns)) > MAX_EXACT:
            yield from _greedy(overlaps, rows)
        else:
            yield from _exact(overlaps, rows, columns)


def _components(overlaps: Overlaps) -> Iterator[tuple[list[int], list[int]]]:
    """Rows and columns that hang together, however far apart; each list ascending."""
    by_row: dict[int, list[int]] = defaultdict(list)
    by_column: dict[int, list[int]] = defaultdict(list)
    for i, j in overlaps:
        by_row[i].append(j)
        by_column[j].append(i)
    while by_row:
        waiting = [next(iter(by_row))]
        rows, columns = set(waiting), set[int]()
        while waiting:
            for j in by_row.pop(waiting.pop()):
                new = [i for i in by_column.pop(j, ()) if i not in rows]
                columns.add(j)
                rows.update(new)
                waiting += new
        yield sorted(rows), sorted(columns)


def _greedy(overlaps: Overlaps, rows: Iterable[int]) -> Iterator[Match]:
    wanted = set(rows)
    used: set[int] = set()
    ordered = sorted(((-overlap, i, j) for (i, j), overlap in overlaps.items() if i in wanted))
    for overlap, i, j in ordered:
        if i in wanted and j not in used:
            wanted.discard(i)
            used.add(j)
            yield i, j, -overlap


def _exact(overlaps: Overlaps, rows: Sequence[int], columns: Sequence[int]) -> Iterator[Match]:
    flipped = len(rows) > len(columns)
    if flipped:
        rows, columns = columns, rows
    cost = np.zeros((len(rows), len(columns)))
    for a, row in enumerate(rows):
        for b, column in enumerate(columns):
            cost[a, b] = -overlaps.get((column, row) if flipped else (row, column), 0.0)
    for a, b in enumerate(_cheapest(cost)):
        pair = (columns[b], rows[a]) if flipped else (rows[a], columns[b])
        if pair in overlaps:
            yield *pair, overlaps[pair]


def _cheapest(cost: NDArray[np.float64]) -> list[int]:
    """The column of each row in the assignment of least cost; at least as many columns as rows.

    Source: the Hungarian method in its form of shortest augmenting paths: rows come in one by one, each along the path
    that costs least, measured against potentials that keep all reduced costs at or above 0.
    """
    height, width = cost.shape
    row_potential, column_potential = np.zeros(height), np.zeros(width)
    owner = np.full(width, -1)
    for entering in range(height):
        reach, came_from = np.full(width, np.inf), np.full(width, -1)
        done = np.zeros(width, dtype=bool)
        row, column = entering, -1
        passed: list[tuple[int, int]] = [(entering, -1)]
        while row >= 0:
            length = cost[row] - row_potential[row] - column_potential
            nearer = ~done & (length < reach)
            reach[nearer], came_from[nearer] = length[nearer], column
            column = int(np.argmin(np.where(done, np.inf, reach)))
            step = reach[column]
            for owned_row, owned_column in passed:
                row_potential[owned_row] += step
                if owned_column >= 0:
                    column_potential[owned_column] -= step
            reach[~done] -= step
            done[column] = True
            row = int(owner[column])
            passed.append((row, column))
        while column >= 0:
            before = int(came_from[column])
            owner[column] = owner[before] if before >= 0 else entering
            column = before
    columns = [0] * height
    for column, row in enumerate(owner.tolist()):
        if row >= 0:
            columns[row] = column
    return columns
