"""The first of many files, ranked by some of their properties.

What is not there comes last, whichever end is asked for. Numbers come before texts, and texts go by code point; of
several values the first counts. Files that are alike in everything that is asked go by path.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from tdvc.query.evaluate import Column, Ints, Values
from tdvc.query.tree import Order

Item = TypeVar("Item")

_ROOM = 4096

Key = tuple[int, Any]
"""The rank of a kind of value, and the value; `_NOTHING` for nothing."""

_NOTHING: Key = (-1, None)


class First(Generic[Item]):
    """Keeps the first `limit` of what is put in, in room for a little more than those.

    Args:
        orders: by what; one that comes earlier counts more.
        limit: how many are wanted.
    """

    def __init__(self, orders: Sequence[Order], limit: int) -> None:
        self._orders = orders
        self._limit = limit
        self._kept: list[tuple[list[Key], Item]] = []

    def put(self, item: Item, values: Sequence[Any]) -> None:
        """One more, after all that come before it by path, with what it is ranked by."""
        self._kept.append(([_key(value) for value in values], item))
        if len(self._kept) > 2 * self._limit + _ROOM:
            self._cut()

    def items(self) -> list[Item]:
        """The first ones, the first first."""
        self._cut()
        return [item for _, item in self._kept]

    def _cut(self) -> None:
        for position in reversed(range(len(self._orders))):
            self._sort(position, descending=self._orders[position].descending)
        del self._kept[self._limit :]

    def _sort(self, position: int, *, descending: bool) -> None:
        """Sort by one property, and leave what is alike in its order."""
        there = [kept for kept in self._kept if kept[0][position] != _NOTHING]
        missing = [kept for kept in self._kept if kept[0][position] == _NOTHING]
        there.sort(key=lambda kept: kept[0][position], reverse=descending)
        self._kept = there + missing


def values_at(column: Column, positions: Ints) -> list[Any]:
    """What a column has in some rows, None for nothing."""
    if isinstance(column, Values):
        places = column.positions[positions].tolist()
        return [column.values[place] if place >= 0 else None for place in places]
    return [None if math.isnan(number) else number for number in column[positions].tolist()]


def _key(value: Any) -> Key:
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return _NOTHING
    if isinstance(value, bool):
        return 0, value
    if isinstance(value, int | float):
        return 1, value
    return (2, value) if isinstance(value, str) else (3, repr(value))
