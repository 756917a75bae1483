"""Which part each of many units goes to, given the share of each part.

A unit is what must not be torn: a file, or files that belong together. One that has a home stays there. Others go
either by their point, which depends on nothing else; or *exactly*: each, the largest first, to a part that is below its
share of the unit's stratum, and among these to the one that is furthest below its share of everything.

What exactness guarantees, for one stratum, `k` parts and units of up to `s` files: somebody is below as long as a unit
waits, so no new unit lifts a part above its share by `s` files or more; and where no part was that far above before,
none is below by `(k - 1) * s` or more. Those with a home can't be held to it, because they stay.

`rebalance` lets homes go: a part with more than its share gives up units, those with the highest points, as long as
each is no larger than what there is too much. So with units of one file, no fewer moves could bring every part to
less than one file above its share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import NamedTuple

from tdvc.model.stablehash import ends, stretch


class Unit(NamedTuple):
    """What goes to one part as a whole.

    Attributes:
        point: see `stablehash`.
        size: how many files it is.
        stratum: of what it is to be a share.
        home: the part it is in; None for a new one.
    """

    point: int
    size: int = 1
    stratum: str = ""
    home: int | None = None


def assign(
    units: Sequence[Unit], shares: Sequence[Fraction], *, exact: bool = False, rebalance: bool = False
) -> list[int]:
    """The part that each unit goes to; the shares sum to 1."""
    if not (exact or rebalance):
        stretches = ends(shares)
        return [stretch(unit.point, stretches) if unit.home is None else unit.home for unit in units]
    strata: dict[str, list[int]] = {}
    for position, unit in enumerate(units):
        strata.setdefault(unit.stratum if exact else "", []).append(position)
    places = [0] * len(units)
    overall = _Parts(shares, units)
    for _, positions in sorted(strata.items()):
        some = [units[position] for position in positions]
        found = _fill(some, _Parts(shares, some), overall, rebalance)
        for position, place in zip(positions, found, strict=True):
            places[position] = place
    return places


def off_shares(units: Sequence[Unit], shares: Sequence[Fraction], held: Sequence[int], *, exact: bool = False) -> bool:
    """Whether a part is further from its share than a new split would leave it: files stay where others had put them.

    Args:
        units: all of them.
        shares: of the parts.
        held: how many files each part has.
        exact: whether units went exactly; else the limit is four standard deviations, and a unit.
    """
    sizes = [unit.size for unit in units]
    largest, total = max(sizes, default=0), sum(sizes)
    strata, squares = len({unit.stratum for unit in units}), sum(size * size for size in sizes)
    for count, share in zip(held, shares, strict=True):
        chance = 4 * math.sqrt(squares * share * (1 - share)) + largest
        limit = strata * max(len(shares) - 1, 1) * largest if exact else chance
        if abs(count - share * total) > limit:
            return True
    return False


def _fill(units: Sequence[Unit], parts: _Parts, overall: _Parts, rebalance: bool) -> list[int]:
    """The part of each unit of one stratum."""
    places = [-1 if unit.home is None else unit.home for unit in units]
    for position in _in_order(units, reverse=True) if rebalance else ():
        place, size = places[position], units[position].size
        if place >= 0 and parts.surplus(place) >= size * parts.scale:
            parts.held[place] -= size
            overall.held[place] -= size
            places[position] = -1
    waiting = [position for position in _in_order(units) if places[position] < 0]
    for position in sorted(waiting, key=lambda position: -units[position].size):
        place = min(parts.below(), key=overall.surplus)
        parts.held[place] += units[position].size
        overall.held[place] += units[position].size
        places[position] = place
    return places


def _in_order(units: Sequence[Unit], *, reverse: bool = False) -> Iterable[int]:
    return sorted(range(len(units)), key=lambda position: units[position].point, reverse=reverse)


class _Parts:
    """How many of some files each part holds, against its share of them, in whole numbers: all is times `scale`."""

    def __init__(self, shares: Sequence[Fraction], units: Sequence[Unit]) -> None:
        self.scale = math.lcm(*(share.denominator for share in shares))
        self.held = [0] * len(shares)
        for unit in units:
            if unit.home is not None:
                self.held[unit.home] += unit.size
        total = sum(unit.size for unit in units)
        self._due = [int(share * self.scale) * total for share in shares]

    def surplus(self, part: int) -> int:
        """How far a part is above its share."""
        return self.held[part] * self.scale - self._due[part]

    def below(self) -> list[int]:
        """The parts that are below their share."""
        return [part for part in range(len(self.held)) if self.surplus(part) < 0]
