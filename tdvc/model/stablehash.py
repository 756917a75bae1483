"""Where a hash puts something: the same on every machine, for ever, whatever else there is.

A key and a seed give a point among 2**64, and shares cut that line into stretches. A point depends on nothing else, so
what is put by its point stays where it is when other things come and go. Shares are fractions, not floats, so that
no rounding decides on which side of a cut a point is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate

from tdvc.ids import DerivedIds

POINTS = 1 << 64
"""How many points there are."""

_SHARE = re.compile(r"[0-9]{1,9}|[0-9]{0,9}\.[0-9]{1,12}|[0-9]{1,9}/[1-9][0-9]{0,8}").fullmatch


class StableHash:
    """Points for keys.

    Args:
        purpose: what they are for; points for another purpose are independent of these.
        seed: so are those of another seed.
    """

    def __init__(self, purpose: str, seed: str = "") -> None:
        self._ids = DerivedIds(purpose, seed.encode(errors="surrogateescape"))

    def point(self, key: bytes) -> int:
        """The point of a key, from 0 up to `POINTS`."""
        return int.from_bytes(self._ids.make(key)[:8], "big")


def share(text: str) -> Fraction:
    """A share as people write it: `0.1` or `1/3`. Raises ValueError for anything else, and for 0 and below."""
    if not _SHARE(text) or not (found := Fraction(text)):
        raise ValueError(f"{text[:40]!r} is not a share such as 0.1 or 1/3")
    return found


def ends(shares: Sequence[Fraction]) -> list[int]:
    """Where the stretch of each share ends; the point there is no longer in it."""
    return [int(end * POINTS) for end in accumulate(shares)]


def stretch(point: int, stretches: Sequence[int]) -> int:
    """The position of the stretch that a point is in; as many as there are for one behind the last."""
    return bisect_right(stretches, point)
