"""Which outlines cross themselves: two edges of a ring that pass through each other.

Edge i passes through the line of edge j when the ends of i lie on different sides of it. With the side of every corner
seen from every edge in one matrix, crossing edges are the pairs for which this holds both ways. Neighbours share a
corner, whose side is exactly 0, so they never count; neither does an outline that only touches itself. Rings of one
length are looked at together, as many as keep the matrices in the processor's cache.

Most outlines go round their middle once and never back. Those can't cross themselves, and are found without a matrix.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]

MAX_CORNERS = 4096
"""Rings with more corners are taken for sound: the time grows with the square."""

_CELLS = 1 << 16  # of a matrix of sides
_SURE = 1e-6  # radians; a smaller turn may be rounding


def crossing_rings(xs: Floats, ys: Floats, starts: Ints, lengths: Ints) -> Truths:
    """Whether each ring crosses itself.

    Args:
        xs: (n,) float64, the corners of all rings, one ring behind the other.
        ys: (n,) float64.
        starts: (r,) where each ring begins.
        lengths: (r,) how many corners it has, at least 1.
    """
    found = np.zeros(len(starts), bool)
    if not len(starts):
        return found
    doubtful = (lengths >= 4) & (lengths <= MAX_CORNERS) & ~_go_round_once(xs, ys, starts, lengths)
    for length in np.unique(lengths[doubtful]).tolist():
        rings = np.flatnonzero(doubtful & (lengths == length))
        step = max(1, _CELLS // (length * length))
        for first in range(0, len(rings), step):
            some = rings[first : first + step]
            corners = starts[some][:, None] + np.arange(length + 1) % length
            found[some] = _cross(xs[corners], ys[corners])
    return found


def _go_round_once(xs: Floats, ys: Floats, starts: Ints, lengths: Ints) -> Truths:
    """Whether every edge of a ring turns the same way about the mean of its corners, once round in all."""
    ring = np.repeat(np.arange(len(starts)), lengths)
    from_middle_x = xs - (np.add.reduceat(xs, starts) / lengths)[ring]
    from_middle_y = ys - (np.add.reduceat(ys, starts) / lengths)[ring]
    after = np.arange(1, len(xs) + 1)
    after[starts + lengths - 1] = starts
    next_x, next_y = from_middle_x[after], from_middle_y[after]
    turns = np.arctan2(from_middle_x * next_y - from_middle_y * next_x, from_middle_x * next_x + from_middle_y * next_y)
    least, most = np.minimum.reduceat(turns, starts), np.maximum.reduceat(turns, starts)
    once = np.abs(np.abs(np.add.reduceat(turns, starts)) - 2 * np.pi) < 0.1
    steady: Truths = once & ((least > _SURE) | (most < -_SURE)) & (most < np.pi - _SURE) & (least > _SURE - np.pi)
    return steady


def _cross(xs: Floats, ys: Floats) -> Truths:
    """For k rings of n corners, given as (k, n + 1) with the first corner again at the end: which cross themselves."""
    found = np.zeros(len(xs), bool)
    count = xs.shape[1] - 1
    step = max(1, _CELLS // count)
    for first in range(0, count, step):
        edges = slice(first, min(first + step, count))
        ends = slice(first, edges.stop + 1)
        parted = _changes(_sides(xs, ys, xs[:, edges], ys[:, edges], xs[:, ends], ys[:, ends]))
        back = _changes(_sides(xs[:, ends], ys[:, ends], xs[:, :-1], ys[:, :-1], xs, ys)) if step < count else parted
        found |= (parted & back.transpose(0, 2, 1)).any(axis=(1, 2))
    return found


def _sides(xs: Floats, ys: Floats, edge_xs: Floats, edge_ys: Floats, end_xs: Floats, end_ys: Floats) -> Floats:
    """On which side of each edge each corner lies: (k, edges, corners), positive, negative or 0."""
    dx, dy = np.diff(end_xs, axis=1)[..., None], np.diff(end_ys, axis=1)[..., None]
    sides: Floats = dx * (ys[:, None, :] - edge_ys[..., None]) - dy * (xs[:, None, :] - edge_xs[..., None])
    return sides


def _changes(sides: Floats) -> Truths:
    """Between which neighbouring corners the side changes."""
    changes: Truths = sides[:, :, :-1] * sides[:, :, 1:] < 0
    return changes
