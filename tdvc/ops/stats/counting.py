"""Counting and quantiles over values that come page by page, in memory that has a bound.

Up to some millions of values nothing is lost. Beyond that, quantiles are of an even sample of each group, and of things
counted the most frequent ones are kept. Which values are in a sample follows from their order alone, so the same state
gives the same figures every time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tdvc.ops.stats.records import Quantiles

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

MAX_VALUES = 2_000_000
"""So many values are held in full before groups are thinned out."""

VALUES_OF_GROUP = 50_000
"""So many are kept of a group then, at most."""

MAX_COUNTED = 1_000_000
"""So many different things are counted before the rarest are dropped."""

_SIDE = 1024
_PERCENT = (5, 25, 50, 75, 95)
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class Places:
    """Words in the order in which they were met, each with its place."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def of(self, positions: Ints, words: Sequence[str]) -> Ints:
        """The places of a column of words, given as positions in a list and that list."""
        places = np.zeros(len(words), np.int64)
        for position in np.unique(positions).tolist():
            places[position] = self._places.setdefault(words[position], len(self._places))
        return places[positions]


def added(totals: Ints, more: NDArray[Any]) -> Ints:
    """Sum of two arrays, of which the shorter one ends in zeros."""
    if len(more) > len(totals):
        totals, more = more.astype(np.int64), totals
    totals = totals.copy()
    totals[: len(more)] += more
    return totals


class Samples:
    """Values in groups, for their quantiles."""

    def __init__(self, max_values: int = MAX_VALUES, of_group: int = VALUES_OF_GROUP) -> None:
        self._max_values = self._bound = max_values
        self._of_group = of_group
        self._parts: list[tuple[Ints, Floats, NDArray[np.uint64]]] = []
        self._held = self._met = 0
        self._counts: Ints = np.zeros(0, np.int64)

    def add(self, groups: Ints, values: Floats) -> None:
        """Take some values, each with the number of its group."""
        if not len(groups):
            return
        self._counts = added(self._counts, np.bincount(groups))
        self._parts.append((groups, values, _scattered(self._met, len(groups))))
        self._met += len(groups)
        self._held += len(groups)
        while self._held > self._bound:
            self._thin()

    def _thin(self) -> None:
        """Keep of each group the values with the lowest keys, and next time half as many where that is no help.

        One value is kept of every group, however many groups there are.
        """
        groups, values, keys = self._joined()
        order = np.lexsort((keys, groups))
        sorted_groups = groups[order]
        rank = np.arange(len(order)) - np.searchsorted(sorted_groups, sorted_groups)
        kept = np.sort(order[rank < self._of_group])
        self._parts = [(groups[kept], values[kept], keys[kept])]
        self._held = len(kept)
        if self._held > self._max_values // 2 and self._of_group > 1:
            self._of_group //= 2
        else:
            self._bound = max(self._max_values, 2 * self._held)

    def _joined(self) -> tuple[Ints, Floats, NDArray[np.uint64]]:
        groups, values, keys = zip(*self._parts, strict=True)
        return np.concatenate(groups), np.concatenate(values), np.concatenate(keys)

    def quantiles(self) -> dict[int, Quantiles]:
        """The quantiles of each group that has values."""
        if not self._parts:
            return {}
        groups, values, _ = self._joined()
        order = np.argsort(groups.astype(np.uint16 if len(self._counts) < 1 << 16 else np.int64), kind="stable")
        ends = np.cumsum(np.bincount(groups))
        parts = np.split(values[order], ends[:-1])
        return {group: quantiles_of(some, int(self._counts[group])) for group, some in enumerate(parts) if len(some)}


def quantiles_of(values: Floats, count: int) -> Quantiles:
    """The quantiles of `count` values, of which these are all or an even sample: at least one."""
    ordered = np.sort(values)
    ranks = [-(-percent * len(ordered) // 100) - 1 for percent in _PERCENT]
    p5, p25, median, p75, p95 = ordered[ranks].tolist()
    least, most = float(ordered[0]), float(ordered[-1])
    return Quantiles(count, least, p5, p25, median, p75, p95, most, sampled=len(ordered) < count)


def _scattered(first: int, count: int) -> NDArray[np.uint64]:
    """For each of the numbers from `first` on a key that looks random. Source: SplitMix64."""
    with np.errstate(over="ignore"):
        keys = (np.arange(first, first + count, dtype=np.uint64) + np.uint64(1)) * _MIX[0]
        for shift, factor in ((30, _MIX[1]), (27, _MIX[2])):
            keys = (keys ^ (keys >> np.uint64(shift))) * factor
    return keys ^ (keys >> np.uint64(31))


class Tally:
    """How often each of many things occurs, where a thing is two numbers below 2**31.

    Small numbers, and labels are mostly that, are counted in a square; others as codes that are sorted now and then.

    Attributes:
        dropped: there were so many that rare ones were dropped.
    """

    def __init__(self, max_counted: int = MAX_COUNTED) -> None:
        self._max_counted = max_counted
        self._square: Ints = np.zeros(_SIDE * _SIDE, np.int64)
        self._parts: list[tuple[Ints, Ints]] = []
        self._held = 0
        self.dropped = False

    def add(self, first: Ints, second: Ints) -> None:
        """Count pairs of numbers, given as two arrays."""
        small = (first < _SIDE) & (second < _SIDE)
        if not small.all():
            self._add_large(first[~small] << 32 | second[~small])
            first, second = first[small], second[small]
        np.add.at(self._square, first * _SIDE + second, 1)

    def _add_large(self, codes: Ints) -> None:
        different, counts = np.unique(codes, return_counts=True)
        self._parts.append((different, counts.astype(np.int64)))
        self._held += len(different)
        if self._held > 2 * self._max_counted:
            codes, counts = self._joined()
            if len(codes) > self._max_counted:
                kept = np.sort(np.lexsort((codes, -counts))[: self._max_counted])
                codes, counts = codes[kept], counts[kept]
                self.dropped = True
            self._parts, self._held = [(codes, counts)], len(codes)

    def _joined(self) -> tuple[Ints, Ints]:
        if not self._parts:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        codes, counts = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        different, place = np.unique(codes, return_inverse=True)
        return different, np.bincount(place, counts, len(different)).astype(np.int64)

    def counted(self) -> tuple[Ints, Ints, Ints]:
        """The two numbers of everything that was met, and how often it was."""
        codes, counts = self._joined()
        small = np.flatnonzero(self._square)
        return (
            np.concatenate((small // _SIDE, codes >> 32)),
            np.concatenate((small % _SIDE, codes & 0xFFFFFFFF)),
            np.concatenate((self._square[small], counts)),
        )


def different(codes: Ints) -> Ints:
    """The different ones of some numbers, ascending."""
    ordered = np.sort(codes)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def pairs(files: Ints, things: Ints) -> tuple[Ints, Ints]:
    """Every two different things of one file.

    Args:
        files: (n,) ascending.
        things: (n,) ascending within a file.

    Returns:
        The lower and the higher thing of each pair.
    """
    ends = np.searchsorted(files, files, side="right")
    after = ends - np.arange(len(files)) - 1
    first = np.repeat(np.arange(len(files)), after)
    within = np.arange(len(first)) - np.repeat(np.cumsum(after) - after, after)
    return things[first], things[first + 1 + within]
