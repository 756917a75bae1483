"""Masks as arrays: run lengths in and out, polygons to masks and back.

A mask in a record is text (`{"counts": text, "size": [height, width]}`, see `tdvc.model.geometry`); as an array it is
boolean of shape (height, width), row 0 at the top. Nothing is allocated for pixels before the sides are within bounds
and the runs have been summed, because the text comes from strangers and the size is only a claim in it.

Polygons are filled by the rule of COCO, so that areas and overlaps agree with those that COCO's own tools compute.
That rule leaves a polygon along pixel edges exactly as it is, which is what `mask_to_polygon` gives: a mask
turned into a polygon and back is the same mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tdvc.model.geometry import MAX_MASK_SIDE, mask_runs

Mask: TypeAlias = NDArray[np.bool_]
"""(height, width), True inside."""

Ints: TypeAlias = NDArray[np.int64]
Polygon: TypeAlias = list[list[list[int]]]

MAX_PIXELS = 1 << 28
"""Of a mask that is to become an array; as text it may be larger."""

MAX_CROSSINGS = 1 << 25
"""How often the rings of a polygon may cross the columns of its picture."""

_FINE = 5  # steps a pixel on the grid that COCO draws polygons on
_GROUPS = 7  # of five bits, enough for any difference between two runs


def decode_rle(mask: Mapping[str, Any]) -> Mask:
    """The array of a mask.

    Raises:
        ValueError: the sides are out of bounds, the text is damaged, or the runs do not sum to height x width.
    """
    height, width = check_size(*mask["size"])
    return _filled(np.array(runs(mask), np.int64), height, width)


def encode_rle(array: NDArray[Any]) -> dict[str, Any]:
    """The mask of an array of shape (height, width); what is not zero is inside.

    Raises:
        ValueError: not two dimensions, or the sides are out of bounds.
    """
    if array.ndim != 2:
        raise ValueError(f"has {array.ndim} dimensions where a mask has 2")
    height, width = check_size(*array.shape)
    flat = np.ascontiguousarray(array.T, bool).reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = np.concatenate(([0], [0] if flat[0] else [], changes, [flat.size])).astype(np.int64)
    return {"counts": _counts(np.diff(bounds)), "size": [height, width]}


def runs(mask: Mapping[str, Any]) -> list[int]:
    """The run lengths, px, down the columns: alternately outside and inside, outside first.

    Raises:
        ValueError: as `decode_rle`, but any number of pixels will do.
    """
    _checked_sides(*mask["size"])
    return list(mask_runs(mask))


def from_runs(run_lengths: Sequence[int], height: int, width: int) -> dict[str, Any]:
    """The mask of run lengths as `runs` gives them.

    Raises:
        ValueError: the sides are out of bounds, a run is negative, or they do not sum to height x width.
    """
    _checked_sides(height, width)
    if any(run < 0 for run in run_lengths):
        raise ValueError(f"has a negative run length, {min(run_lengths)}")
    if sum(run_lengths) != height * width:
        raise ValueError(f"has runs that sum to {sum(run_lengths)}, not to its {height} x {width} pixels")
    return {"counts": _counts(np.array(run_lengths, np.int64)), "size": [height, width]}


def polygon_to_mask(polygon: Sequence[Sequence[Sequence[float]]], height: int, width: int) -> Mask:
    """The pixels of a polygon: those of any part, less the part's own holes; what leaves the picture is cut off.

    Every ring is filled by the even-odd rule, so one that crosses itself has gaps.

    Raises:
        ValueError: the sides are out of bounds, or the rings cross the columns more than `MAX_CROSSINGS` times.

    Source: COCO `maskApi.c:rleFrPoly`, computed at column centres alone. Accuracy: equal bit for bit to pycocotools
    for parts without holes; a boundary is off by at most 0.2 px, because that rule rounds to fifths of a pixel.
    """
    height, width = check_size(height, width)
    whole = np.zeros((height, width), bool)
    for part in polygon:
        exterior, *holes = (_ring(np.array(ring, np.float64), height, width) for ring in part)
        (top, left), inside = exterior
        for (y, x), hole in holes:
            _take_out(inside, y - top, x - left, hole)
        rows, columns = inside.shape
        whole[top : top + rows, left : left + columns] |= inside
    return whole


def mask_to_polygon(array: NDArray[Any]) -> Polygon:
    """The outline of an array along its pixel edges, exact: `polygon_to_mask` gives the same array back.

    Pixels that touch at a corner alone are parts of their own. Rings start at their top left and go clockwise as
    seen, holes too; parts are ordered by where they start. An empty mask gives no part.
    """
    corners = _Corners(np.asarray(array, bool))
    parts: dict[int, list[list[int]]] = {}
    part_of: list[int] = []
    for number, start in enumerate(corners.starts):
        x, y = int(corners.xs[start]), int(corners.ys[start])
        if corners.array[y, x]:
            part_of.append(number)
            parts[number] = [corners.ring(start)]
        else:
            part = part_of[corners.ring_left_of(x, y)]
            part_of.append(part)
            parts[part].append(corners.ring(start))
    return list(parts.values())


def crop(array: NDArray[Any]) -> tuple[Mask, int, int]:
    """The smallest part of a mask that holds all of it, and the x and y of its top-left pixel.

    Raises:
        ValueError: it is empty.
    """
    inside = np.asarray(array, bool)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not rows.size:
        raise ValueError("is empty")
    x, y = int(columns[0]), int(rows[0])
    return inside[y : int(rows[-1]) + 1, x : int(columns[-1]) + 1], x, y


def mask_from_crop(crop: NDArray[Any], x: int, y: int, height: int, width: int) -> Mask:
    """The array of a mask whose part with its top-left pixel at (x, y) is `crop`, and the rest outside.

    Raises:
        ValueError: the sides are out of bounds, or pixels of the mask lie outside them.
    """
    height, width = check_size(height, width)
    inside = np.asarray(crop, bool)
    whole = np.zeros((height, width), bool)
    rows, columns = inside.shape
    top, left = max(0, -y), max(0, -x)
    kept = inside[top : max(top, height - y), left : max(left, width - x)]
    if int(np.count_nonzero(kept)) != int(np.count_nonzero(inside)):
        raise ValueError(f"leaves its {height} x {width} pixels: {rows} x {columns} from x {x}, y {y}")
    if kept.size:
        whole[y + top : y + top + kept.shape[0], x + left : x + left + kept.shape[1]] = kept
    return whole


def _checked_sides(height: int, width: int) -> tuple[int, int]:
    if not (1 <= height <= MAX_MASK_SIDE and 1 <= width <= MAX_MASK_SIDE):
        raise ValueError(f"needs a height and width of 1 to {MAX_MASK_SIDE}, got {height} and {width}")
    return int(height), int(width)


def check_size(height: int, width: int) -> tuple[int, int]:
    """The sides of an array that may be made.

    Raises:
        ValueError: a side or their product is out of bounds; the end of a sentence.
    """
    height, width = _checked_sides(height, width)
    if height * width > MAX_PIXELS:
        raise ValueError(f"has {height} x {width} pixels, more than {MAX_PIXELS:,}")
    return height, width


def _filled(run_lengths: Ints, height: int, width: int) -> Mask:
    """The array of runs that are known to sum to height x width."""
    values = np.arange(run_lengths.size) % 2 == 1
    filled: Mask = np.repeat(values, run_lengths).reshape(width, height).T
    return filled


def _counts(run_lengths: Ints) -> str:
    """Run lengths as text. Source: COCO `maskApi.c:rleToString`."""
    left = run_lengths.copy()
    left[3:] -= run_lengths[1:-2]
    characters = np.zeros((left.size, _GROUPS), np.uint8)
    written = np.zeros((left.size, _GROUPS), bool)
    more = np.ones(left.size, bool)
    for position in range(_GROUPS):
        if not more.any():
            break
        group = left & 31
        left >>= 5
        written[:, position] = more
        more = more & (left != np.where(group & 16, -1, 0))
        characters[:, position] = group + 48 + np.where(more, 32, 0)
    return characters[written].tobytes().decode("ascii")


_Placed: TypeAlias = tuple[tuple[int, int], Mask]  # row and column of the first pixel, and the pixels


def _ring(points: NDArray[np.float64], height: int, width: int) -> _Placed:
    """The pixels inside one ring, in the smallest box that holds them."""
    fine = np.trunc(points.reshape(-1, 2) * _FINE + 0.5)
    xs, ys = _crossings(fine, np.roll(fine, -1, axis=0), width)
    ys = np.ceil(np.clip((ys + 0.5) / _FINE - 0.5, 0, height))
    if not xs.size:
        return (0, 0), np.zeros((0, 0), bool)
    left, top = int(xs.min()), int(ys.min())
    rows, columns = int(ys.max()) - top, int(xs.max()) - left + 1
    if not rows:
        return (0, 0), np.zeros((0, 0), bool)
    toggles, times = np.unique(((xs - left) * rows + ys - top).astype(np.int64), return_counts=True)
    bounds = np.concatenate(([0], toggles[times % 2 == 1], [rows * columns]))
    return (top, left), _filled(np.diff(bounds), rows, columns)


def _crossings(starts: NDArray[np.float64], ends: NDArray[np.float64], width: int) -> tuple[Any, Any]:
    """Where edges cross the centres of columns: the column, and the row on the fine grid.

    COCO walks along every edge in steps of one on the fine grid and looks for the step from `5 k + 2` to `5 k + 3`.
    Here that step is found from the column instead, so far-away corners cost nothing.
    """
    span = np.abs(ends - starts)
    flat = span[:, 0] >= span[:, 1]
    axis = np.where(flat, 0, 1)
    row = np.arange(len(starts))
    backwards = starts[row, axis] > ends[row, axis]
    first = np.where(backwards[:, None], ends, starts)
    last = np.where(backwards[:, None], starts, ends)
    low, high = np.minimum(first[:, 0], last[:, 0]), np.maximum(first[:, 0], last[:, 0])
    from_column = np.clip(np.ceil((low - 2) / _FINE), 0, width).astype(np.int64)
    to_column = np.clip(np.floor((high - 3) / _FINE) + 1, 0, width).astype(np.int64)
    number = np.maximum(0, to_column - from_column)
    if int(number.sum()) > MAX_CROSSINGS:
        raise ValueError(f"has rings that cross the columns of the picture more than {MAX_CROSSINGS:,} times")
    edge = np.repeat(row, number)
    column = np.arange(edge.size) - np.repeat(np.cumsum(number) - number, number) + from_column[edge]
    lies, stands = flat[edge], ~flat[edge]
    ys = np.empty(edge.size)
    ys[lies] = _rows_of_flat(first[edge[lies]], last[edge[lies]], column[lies])
    ys[stands] = _rows_of_steep(first[edge[stands]], last[edge[stands]], column[stands])
    return column, ys


def _rows_of_flat(first: NDArray[np.float64], last: NDArray[np.float64], column: Ints) -> NDArray[np.float64]:
    """The upper of the rows before and after the step, for edges that move along x by one a step."""
    slope = (last[:, 1] - first[:, 1]) / (last[:, 0] - first[:, 0])
    step = column * _FINE + 2 - first[:, 0]
    rows = (np.trunc(first[:, 1] + slope * at + 0.5) for at in (step, step + 1))
    upper: NDArray[np.float64] = np.minimum(*rows)
    return upper


def _rows_of_steep(first: NDArray[np.float64], last: NDArray[np.float64], column: Ints) -> NDArray[np.float64]:
    """The row before the step, for edges that move along y by one a step.

    The last step at which x is still on the first point's side, guessed and then tried around the guess, because
    COCO's rounding decides.
    """
    slope = (last[:, 0] - first[:, 0]) / (last[:, 1] - first[:, 1])
    centre = column * _FINE + 2.5
    guess = np.floor((centre - first[:, 0]) / slope)
    found = np.zeros_like(guess)
    length = last[:, 1] - first[:, 1]
    for at in (guess - 2, guess - 1, guess, guess + 1, guess + 2):
        x = np.trunc(first[:, 0] + slope * at + 0.5)
        before = np.where(slope > 0, x < centre, x > centre) & (at < length)
        found = np.where(before, np.maximum(found, at), found)
    rows: NDArray[np.float64] = first[:, 1] + found
    return rows


def _take_out(inside: Mask, top: int, left: int, hole: Mask) -> None:
    """Take a hole that lies at (`top`, `left`) out of `inside`, as far as they overlap."""
    rows, columns = hole.shape
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(inside.shape[0], top + rows), min(inside.shape[1], left + columns)
    if y0 < y1 and x0 < x1:
        inside[y0:y1, x0:x1] &= ~hole[y0 - top : y1 - top, x0 - left : x1 - left]


class _Corners:
    """The corners of a mask's outline, each joined to one across its row and one along its column.

    Along every grid line corners come in pairs, the two ends of an edge. Where two pixels touch at a corner alone, two
    corners share a place; which is first decides that each stays with its own pixel.
    """

    def __init__(self, array: Mask) -> None:
        self.array = array
        around = np.pad(array, 1)
        a, b, c, d = around[:-1, :-1], around[:-1, 1:], around[1:, :-1], around[1:, 1:]
        falling, rising = a & d & ~b & ~c, b & c & ~a & ~d
        single = a ^ b ^ c ^ d
        ys, xs = np.nonzero(single | falling | rising)
        twice = 1 + (~single[ys, xs]).astype(np.int64)
        self.ys, self.xs = np.repeat(ys, twice), np.repeat(xs, twice)
        turned = np.repeat(rising[ys, xs], twice)
        self._across = self._pairs(np.arange(self.ys.size))
        second = np.concatenate(([False], (self.ys[1:] == self.ys[:-1]) & (self.xs[1:] == self.xs[:-1])))
        order = np.lexsort((second ^ turned, self.ys, self.xs))
        self._along = self._pairs(order)
        self._edges = order[0::2]  # the upper corner of every upright edge
        self._edge_keys = self.xs[self._edges] * (array.shape[0] + 1) + self.ys[self._edges]
        self._ring_of = np.full(self.ys.size, -1, np.int64)
        self.starts = self._trace()

    @staticmethod
    def _pairs(order: Ints) -> Ints:
        partner = np.empty_like(order)
        partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
        return partner

    def _trace(self) -> list[int]:
        """Number the rings by their first corner, which is the top left one."""
        across, along = self._across.tolist(), self._along.tolist()
        ring_of = [-1] * len(across)
        starts: list[int] = []
        for start in range(len(across)):
            if ring_of[start] >= 0:
                continue
            corner = start
            while ring_of[corner] < 0:
                ring_of[corner] = ring_of[across[corner]] = len(starts)
                corner = along[across[corner]]
            starts.append(start)
        self._ring_of[:] = ring_of
        return starts

    def ring(self, start: int) -> list[int]:
        """The corners of a ring, `[x, y, ...]`."""
        corners, corner = [], start
        while True:
            corners += [corner, int(self._across[corner])]
            corner = int(self._along[corners[-1]])
            if corner == start:
                return np.stack((self.xs[corners], self.ys[corners]), axis=1).reshape(-1).tolist()

    def ring_left_of(self, x: int, y: int) -> int:
        """The ring on the left of the run of pixels that ends left of pixel (x, y)."""
        outside = np.flatnonzero(~self.array[y, :x])
        left = int(outside[-1]) + 1 if outside.size else 0
        edge = int(np.searchsorted(self._edge_keys, left * (self.array.shape[0] + 1) + y, side="right")) - 1
        return int(self._ring_of[self._edges[edge]])
