"""Exact arithmetic on the numbers of annotation files.

Formats say one thing in different ways: corners, a corner and a size, a centre and a size, fractions of the
picture. Floats would change digits at every hop (`0.1 + 0.2`), so sums and products are exact decimals here.
Only fractions need rounding: a coordinate made from one is rounded to a millionth of a pixel, and `fraction` finds
the shortest text that leads back to the same coordinate.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow

from tdvc.formats._folder import shortened
from tdvc.model.numbers import Number, value_of

DECIMALS = 6
"""Of a coordinate that comes from a fraction of the picture, px."""

MAX_LENGTH = 400
MAX_EXPONENT = 400

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_OTHER_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_EXACT = Context(prec=4 * MAX_LENGTH, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDING = Context(prec=4 * MAX_LENGTH, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
_QUOTIENT = Context(prec=60)
_MILLIONTH = Decimal(1).scaleb(-DECIMALS)
_CLOSE = 4e-7  # px; surely rounds to the same millionth, whatever a float adds
_FLOAT_LIMIT = 1e6  # px; below it a float is good to 1e-9


def number(text: str) -> Number | None:
    """A number exactly as written where JSON can spell it so, else (`.5`, `+1`, `007`) the same value; else None."""
    if len(text) > MAX_LENGTH:
        return None
    if _JSON_NUMBER.fullmatch(text):
        return Number(text)
    return Number(format(Decimal(text), "f")) if _OTHER_NUMBER.fullmatch(text) else None


def add(a: str, b: str) -> Number:
    """`a + b`, exactly.

    Raises:
        ValueError: a number is not one, or of more than `MAX_LENGTH` digits; the end of a sentence.
    """
    return spelled(_EXACT.add(exact(a), exact(b)))


def subtract(a: str, b: str) -> Number:
    """`a - b`, exactly.

    Raises:
        ValueError: as `add`.
    """
    return spelled(_EXACT.subtract(exact(a), exact(b)))


def multiply(a: str, b: str) -> Number:
    """`a * b`, exactly.

    Raises:
        ValueError: as `add`.
    """
    return spelled(_EXACT.multiply(exact(a), exact(b)))


def exact(text: str) -> Decimal:
    """The value of a number's text, refused where computing with it could take for ever.

    Raises:
        ValueError: as `add`.
    """
    value = value_of(text[: MAX_LENGTH + 1])
    if len(text) > MAX_LENGTH or abs(value.adjusted()) > MAX_EXPONENT:
        raise ValueError(f"holds the number {shortened(text, 32)}, which has too many digits")
    return value


def spelled(value: Decimal) -> Number:
    """A decimal as plain text: no exponent, no zeros at the end, no point in an integer, no minus before 0."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return Number("0" if text == "-0" else text)


def scaled(fraction: str, size: int) -> Number:
    """A fraction of the picture as a coordinate in pixels, rounded half-even to `DECIMALS` decimals.

    Raises:
        ValueError: as `add`.
    """
    return rounded(_EXACT.multiply(exact(fraction), Decimal(size)))


def rounded(value: Decimal) -> Number:
    """A decimal rounded half-even to `DECIMALS` decimals."""
    return spelled(value.quantize(_MILLIONTH, context=_ROUNDING))


def fraction(value: str, size: int) -> Number:
    """The shortest decimal, of at least `DECIMALS` digits, that `scaled` maps back to `value`.

    A value of more than `DECIMALS` decimals is not reached exactly: then `scaled` gives it rounded.

    Args:
        value: pixels.
        size: the width or height of the picture, px, at least 1.

    Raises:
        ValueError: as `add`.
    """
    pixels = exact(value)
    exponent = pixels.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -DECIMALS and abs(pixels) < _FLOAT_LIMIT and size < _FLOAT_LIMIT:
        quick = float(pixels) + 0.0  # never -0.0
        for digits in range(DECIMALS, DECIMALS + 4):
            text = f"{quick / size:.{digits}f}"
            if abs(float(text) * size - quick) < _CLOSE:
                return Number(text)
    return _slow_fraction(pixels, size)


def _slow_fraction(pixels: Decimal, size: int) -> Number:
    wanted, quotient = rounded(pixels), _QUOTIENT.divide(pixels, Decimal(size))
    digits = DECIMALS
    while True:
        text = format(quotient.quantize(Decimal(1).scaleb(-digits), context=_ROUNDING), "f")
        if scaled(text, size) == wanted:
            return Number(text)
        digits += 1
