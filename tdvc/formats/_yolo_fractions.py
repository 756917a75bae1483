"""Outlines as the fractions that YOLO writes, thousands at once.

It does with arrays what `_decimal.fraction` does with one number, by the same steps in the same order, so the texts are
the same to the last digit. What is not certain here is left to that function.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from tdvc.formats._decimal import QUICK, SURELY_FAR, SURELY_NEAR, fraction

_DECIMALS = 12  # places for decimals, three groups of four; never fewer than the steps of `QUICK` need
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 7  # so many digits, before or behind the point, are more than a float is surely good to
_SPELLING = b"0123456789.,-"
_OUTLINE = b"[[[]]]"
_BRACKETS = len(b"[[[")
_HEADS = np.frombuffer(b"".join([b"\0 %d." % digit for digit in range(10)]), np.uint32)
_FOUR_DIGITS = np.frombuffer(b"".join([b"%04d" % number for number in range(10_000)]), np.uint32)

_numbers = msgspec.json.Decoder(list[float])

Size = tuple[int, int]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def outline_columns(outlines: Sequence[tuple[bytes, Size]]) -> list[str | None]:
    """The columns of each outline, with a blank before each; None where they must be made one by one.

    Args:
        outlines: geometries of polygons as JSON, each with the width and height of its picture, px.
    """
    plain = [_is_plain(text) for text, _ in outlines]
    good = [outline for outline, is_plain in zip(outlines, plain, strict=True) if is_plain]
    rings = [text[_BRACKETS:-_BRACKETS] for text, _ in good]
    extents = np.array([size for _, size in good], np.float64).reshape(-1, 2)
    found = iter(_columns(rings, extents))
    return [next(found) if is_plain else None for is_plain in plain]


def _is_plain(outline: bytes) -> bool:
    """Whether it is one ring of short numbers."""
    return outline.translate(None, _SPELLING) == _OUTLINE and outline.translate(_ZEROS).find(_LONG_NUMBER) < 0


def _columns(rings: Sequence[bytes], extents: Floats) -> list[str]:
    """The columns of rings, each numbers with commas between them, in pictures of these extents, (n, 2)."""
    lengths = np.array([ring.count(b",") + 1 for ring in rings], np.int64)
    values = np.array(_numbers.decode(b"[%b]" % b",".join(rings)), np.float64)
    numbers, decimals = _shortest(values, np.repeat(extents, lengths // 2, axis=0).ravel())
    text, places = _spelled(numbers, decimals)
    last = np.cumsum(lengths)
    first = last - lengths
    columns = [text[start:end] for start, end in zip(places[first].tolist(), places[last].tolist(), strict=True)]
    doubtful = np.flatnonzero(decimals == 0)
    whose = np.searchsorted(last, doubtful, "right")
    doubts = zip(whose.tolist(), (doubtful - first[whose]).tolist(), strict=True)
    for at, those in groupby(doubts, itemgetter(0)):
        width, height = extents[at].tolist()
        columns[at] = _certain(columns[at], [position for _, position in those], rings[at], (int(width), int(height)))
    return columns


def _certain(text: str, doubtful: list[int], ring: bytes, size: Size) -> str:
    """The columns of a ring, those that are doubtful made one by one."""
    columns, values = text.split(" "), ring.split(b",")
    for at in doubtful:
        columns[at + 1] = fraction(values[at].decode(), size[at % 2])
    return " ".join(columns)


def _shortest(values: Floats, sizes: Floats) -> tuple[Integers, Integers]:
    """For each value the fraction of its size as a whole number, and how many of its digits are decimals.

    No decimals, 0, where it is not certain or not from 0 to below 10.
    """
    shares = values / sizes
    numbers, decimals = np.zeros(len(values)), np.zeros(len(values), np.int64)
    open_ = (shares >= 0.0) & (shares < 9.0)
    for digits, scale in QUICK:
        rounded = np.rint(shares * scale)
        error = np.abs(rounded / scale * sizes - values)
        near = open_ & (error < SURELY_NEAR)
        np.copyto(numbers, rounded, where=near)
        np.copyto(decimals, digits, where=near)
        open_ &= error >= SURELY_FAR
        if not open_.any():
            break
    return numbers.astype(np.int64), decimals


def _spelled(numbers: Integers, decimals: Integers) -> tuple[str, Integers]:
    """The fractions as text, with a blank before each, and where each begins and the last one ends."""
    rest = numbers * _POWERS[_DECIMALS - decimals]
    letters = np.empty((len(numbers), 4), np.uint32)
    for column, (table, unit) in enumerate(_GROUPS):
        group = rest // unit
        rest -= group * unit
        letters[:, column] = table[group]
    lengths = 3 + decimals
    written = (np.arange(16) > 0) & (np.arange(16) <= lengths[:, None])
    text = letters.view(np.uint8)[written].tobytes().decode("ascii")
    return text, np.concatenate(([0], np.cumsum(lengths)))


_POWERS = 10 ** np.arange(_DECIMALS + 1, dtype=np.int64)
_GROUPS = ((_HEADS, 10**12), (_FOUR_DIGITS, 10**8), (_FOUR_DIGITS, 10**4), (_FOUR_DIGITS, 1))
