"""The run lengths of Label Studio's brush: masks as RGBA bytes in the rle-pack of thi.ng.

A stream of bits, highest first: 32 of the number of values, 5 of the bits of a value less one, four times 4 of the bits
of a run length less one; then records until all values are there: 1 bit that says whether one value is repeated, 2 that
choose the bits of the length, the length less one, and the value or values. Values are the bytes of the pixels, row by
row, red, green, blue, alpha; a pixel is inside where its alpha is not 0.

The number of values is compared with the picture before anything is made, and only alpha is ever unpacked.

Source: `thi.ng/rle-pack`, and `label_studio_sdk/converter/brush.py`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.model.masks import MAX_PIXELS, Mask

_CHANNELS = 4
_ALPHA = 3
_WORD_BITS = 8
_LENGTH_BITS = (3, 4, 8, 16)


class _Bits:
    """Reads a stream of bits from the start."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, count: int) -> int:
        """The next `count` bits as a number. Raises ValueError where they are not there."""
        end = self._at + count
        if end > 8 * len(self._content):
            raise ValueError("has run lengths that end too early")
        part = int.from_bytes(self._content[self._at // 8 : (end + 7) // 8])
        self._at = end
        return part >> (-end % 8) & ((1 << count) - 1)

    def take_bytes(self, count: int) -> NDArray[np.uint8]:
        """The next `count` values of eight bits."""
        return np.frombuffer(self.take(8 * count).to_bytes(count), np.uint8)


def unpack(content: bytes, width: int, height: int) -> Mask:
    """The mask of a brush as an array of shape (height, width).

    Raises:
        ValueError: the stream is damaged, or is not of a picture of that size; the end of a sentence.
    """
    if width * height > MAX_PIXELS:
        raise ValueError(f"has {height} x {width} pixels, more than {MAX_PIXELS:,}")
    bits = _Bits(content)
    total = bits.take(32)
    if total != width * height * _CHANNELS:
        raise ValueError(f"has run lengths of {total} values, not of the picture's {height} x {width} x {_CHANNELS}")
    if bits.take(5) + 1 != _WORD_BITS:
        raise ValueError("has run lengths of values that are not bytes")
    lengths = [bits.take(4) + 1 for _ in range(4)]
    inside = np.zeros(width * height, np.bool_)
    at = 0
    while at < total:
        at += _record(bits, lengths, at, total, inside)
    return inside.reshape(height, width)


def _record(bits: _Bits, lengths: list[int], at: int, total: int, inside: Mask) -> int:
    """Unpack the record that starts at value `at`; how many values it has."""
    repeated = bits.take(1)
    count = bits.take(lengths[bits.take(2)]) + 1
    if at + count > total:
        raise ValueError("has run lengths that exceed the picture")
    first = (at - _ALPHA + _CHANNELS - 1) // _CHANNELS  # the first pixel whose alpha is in the record
    if repeated:
        if bits.take(_WORD_BITS):
            inside[first : (at + count - 1 - _ALPHA) // _CHANNELS + 1] = True
    else:
        alpha = bits.take_bytes(count)[first * _CHANNELS + _ALPHA - at :: _CHANNELS]
        inside[first : first + alpha.size] = alpha != 0
    return count


def pack(mask: NDArray[Any]) -> list[int]:
    """The bytes of a mask as a brush, as whole numbers; all four channels are 255 inside and 0 outside."""
    flat = np.ascontiguousarray(mask, np.bool_).reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    bounds = [0, *changes.tolist(), flat.size]
    written = [f"{flat.size * _CHANNELS:032b}{_WORD_BITS - 1:05b}", *(f"{bits - 1:04b}" for bits in _LENGTH_BITS)]
    for start, end in pairwise(bounds):
        written.append(_run((end - start) * _CHANNELS, 255 if flat[start] else 0))
    text = "".join(written)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8))


def _run(count: int, value: int) -> str:
    """The records of one repeated value."""
    written = []
    while count:
        taken = min(count, 1 << _LENGTH_BITS[-1])
        choice = next(number for number, bits in enumerate(_LENGTH_BITS) if taken <= 1 << bits)
        written.append(f"1{choice:02b}{taken - 1:0{_LENGTH_BITS[choice]}b}{value:08b}")
        count -= taken
    return "".join(written)
