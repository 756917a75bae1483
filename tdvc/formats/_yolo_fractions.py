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

_DECIMALS = 12  # places for decimals, four groups of three; never fewer than the steps of `QUICK` need
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 7  # so many digits, before or behind the point, are more than a float is surely good to
_SPELLING = b"0123456789.,-"
_OUTLINE = b"[[[]]]"
_THREE_DIGITS = np.array([list(b"%03d" % number) for number in range(1000)], np.uint8)

_polygons = msgspec.json.Decoder(tuple[tuple[list[float]]])

Size = tuple[int, int]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def outline_columns(outlines: Sequence[tuple[bytes, Size]]) -> list[str | None]:
    """The columns of each outline, with a blank before each; None where they must be made one by one.

    Args:
        outlines: geometries of polygons as JSON, each with the width and height of its picture, px.
    """
    rings = [_ring(text) for text, _ in outlines]
    lengths = np.array([len(ring) for ring in rings], np.int64)
    values = np.array([value for ring in rings for value in ring], np.float64)
    sizes = np.repeat(np.array([size for _, size in outlines], np.float64).reshape(-1, 2), lengths // 2, axis=0).ravel()
    numbers, decimals = _shortest(values, sizes)
    text, places = _spelled(numbers, decimals)
    last = np.cumsum(lengths)
    first = last - lengths
    spans = zip(rings, places[first].tolist(), places[last].tolist(), strict=True)
    columns = [text[start:end] if ring else None for ring, start, end in spans]
    doubtful = np.flatnonzero(decimals == 0)
    whose = np.searchsorted(last, doubtful, "right")
    doubts = zip(whose.tolist(), (doubtful - first[whose]).tolist(), strict=True)
    for at, those in groupby(doubts, itemgetter(0)):
        columns[at] = _certain(columns[at] or "", [position for _, position in those], *outlines[at])
    return columns


def _certain(text: str, doubtful: list[int], outline: bytes, size: Size) -> str:
    """The columns of an outline, those that are doubtful made one by one."""
    columns, values = text.split(" "), outline.strip(b"[]").split(b",")
    for at in doubtful:
        columns[at + 1] = fraction(values[at].decode(), size[at % 2])
    return " ".join(columns)


def _ring(text: bytes) -> list[float]:
    """The numbers of a polygon of one ring, all short; empty for any other."""
    if text.translate(None, _SPELLING) != _OUTLINE or text.translate(_ZEROS).find(_LONG_NUMBER) >= 0:
        return []
    ring: list[float] = _polygons.decode(text)[0][0]
    return ring


def _shortest(values: Floats, sizes: Floats) -> tuple[Integers, Integers]:
    """For each value the fraction of its size as a whole number, and how many of its digits are decimals.

    No decimals, 0, where it is not certain or not from 0 to below 10.
    """
    shares = values / sizes
    numbers, decimals = np.zeros(len(values), np.int64), np.zeros(len(values), np.int64)
    open_ = np.flatnonzero((shares > -1.0) & (shares < 9.0))
    for digits, scale in QUICK:
        rounded = np.rint(shares[open_] * scale)
        error = np.abs(rounded / scale * sizes[open_] - values[open_])
        near = open_[error < SURELY_NEAR]
        numbers[near] = rounded[error < SURELY_NEAR]
        decimals[near] = digits
        open_ = open_[error >= SURELY_FAR]
        if not open_.size:
            break
    decimals[numbers < 0] = 0
    return np.maximum(numbers, 0), decimals


def _spelled(numbers: Integers, decimals: Integers) -> tuple[str, Integers]:
    """The fractions as text, with a blank before each, and where each begins and the last one ends."""
    whole, rest = np.divmod(numbers * 10 ** (_DECIMALS - decimals), 10**_DECIMALS)
    letters = np.empty((len(numbers), 3 + _DECIMALS), np.uint8)
    letters[:, 0], letters[:, 1], letters[:, 2] = ord(" "), whole + ord("0"), ord(".")
    for place in range(_DECIMALS - 3, -3, -3):
        rest, group = np.divmod(rest, 1000)
        letters[:, 3 + place : 6 + place] = _THREE_DIGITS[group]
    lengths = 3 + decimals
    written = np.arange(letters.shape[1]) < lengths[:, None]
    return letters[written].tobytes().decode("ascii"), np.concatenate(([0], np.cumsum(lengths)))
