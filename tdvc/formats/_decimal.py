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

SURELY_NEAR = 4.9e-7
"""An error in px with which a float rounds to the same millionth, whatever computing adds."""

SURELY_FAR = 5.1e-7
"""One with which it does not."""

QUICK = tuple((digits, 10.0**digits) for digits in range(DECIMALS, DECIMALS + 6))
"""Numbers of decimals that are tried with floats, each with its power of ten."""

MAX_LENGTH = 400
MAX_EXPONENT = 400

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_OTHER_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_EXACT = Context(prec=4 * MAX_LENGTH, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDING = Context(prec=4 * MAX_LENGTH, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])
_QUOTIENT = Context(prec=60)
_MILLIONTH = Decimal(1).scaleb(-DECIMALS)
_FLOAT_LIMIT = 1e6  # px; below it a float is good to 1e-9
_FLOAT_LENGTH = 32  # of a fraction's text; longer ones are looked at exactly
_SHORT = re.compile(r"-?[0-9]{1,6}(?:\.[0-9]{1,6})?")


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
    if len(fraction) < _FLOAT_LENGTH and (found := _in_millionths(float(fraction) * size)) is not None:
        return found
    return rounded(_EXACT.multiply(exact(fraction), Decimal(size)))


def _in_millionths(pixels: float) -> Number | None:
    """The coordinate that a float is next to; None where the float is too far from it to be sure."""
    millionths = pixels * 1e6
    if not -_FLOAT_LIMIT < pixels < _FLOAT_LIMIT:
        return None
    nearest = round(millionths)
    if abs(millionths - nearest) > SURELY_NEAR * 1e6:
        return None
    if abs(nearest) > 1000:
        return Number(repr(nearest / 1e6).removesuffix(".0"))  # the shortest text of the float is that of the decimal
    return spelled(Decimal(nearest).scaleb(-DECIMALS))


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
    quick = _short(value)
    if quick is not None and size < _FLOAT_LIMIT:
        share = quick / size
        for digits, scale in QUICK:
            found = round(share * scale) / scale
            error = abs(found * size - quick)
            if error < SURELY_NEAR:
                return Number(f"{found:.{digits}f}")
            if error < SURELY_FAR:
                break
    return _exact_fraction(exact(rounded(exact(value))), size)


def _short(value: str) -> float | None:
    """A coordinate as a float that is good to a billionth of a pixel; None where it has more than six decimals."""
    return float(value) + 0.0 if _SHORT.fullmatch(value) else None  # never -0.0


def _exact_fraction(wanted: Decimal, size: int) -> Number:
    quotient, digits = _QUOTIENT.divide(wanted, Decimal(size)), DECIMALS
    while True:
        text = _to_digits(quotient, digits)
        if value_of(scaled(text, size)) == wanted:
            return text
        digits += 1


def _to_digits(value: Decimal, digits: int) -> Number:
    text = format(value.quantize(Decimal(1).scaleb(-digits), context=_ROUNDING), "f")
    return Number(text if text.strip("-0.") else text.lstrip("-"))


def edges(centre: str, extent: str, size: int) -> tuple[Number, Number]:
    """Both edges in pixels of what lies about `centre` and is `extent` long, fractions of the picture's `size`.

    Raises:
        ValueError: as `add`.
    """
    if len(centre) < _FLOAT_LENGTH and len(extent) < _FLOAT_LENGTH:
        around, reach = float(centre) * size, float(extent) * size / 2
        first, last = _in_millionths(around - reach), _in_millionths(around + reach)
        if first is not None and last is not None:
            return first, last
    middle, half = exact(centre), _EXACT.divide(exact(extent), Decimal(2))
    low, high = _EXACT.subtract(middle, half), _EXACT.add(middle, half)
    return rounded(_EXACT.multiply(low, Decimal(size))), rounded(_EXACT.multiply(high, Decimal(size)))


def centre_and_extent(low: str, high: str, size: int) -> tuple[Number, Number]:
    """The shortest two fractions, of at least `DECIMALS` digits, that `edges` maps back to `low` and `high`.

    Edges of more than `DECIMALS` decimals are reached rounded.

    Raises:
        ValueError: as `add`.
    """
    x0, x1 = _short(low), _short(high)
    if x0 is not None and x1 is not None and size < _FLOAT_LIMIT:
        for digits, scale in QUICK:
            centre, extent = round((x0 + x1) / 2 / size * scale) / scale, round((x1 - x0) / size * scale) / scale
            middle, half = centre * size, extent * size / 2
            error = max(abs(middle - half - x0), abs(middle + half - x1))
            if error < SURELY_NEAR:
                return Number(f"{centre:.{digits}f}"), Number(f"{extent:.{digits}f}")
            if error < SURELY_FAR:
                break
    return _exact_centre_and_extent(exact(rounded(exact(low))), exact(rounded(exact(high))), size)


def _exact_centre_and_extent(first: Decimal, last: Decimal, size: int) -> tuple[Number, Number]:
    centre = _QUOTIENT.divide(_QUOTIENT.add(first, last), Decimal(2 * size))
    extent, digits = _QUOTIENT.divide(_QUOTIENT.subtract(last, first), Decimal(size)), DECIMALS
    while True:
        texts = _to_digits(centre, digits), _to_digits(extent, digits)
        found = edges(*texts, size)
        if (value_of(found[0]), value_of(found[1])) == (first, last):
            return texts
        digits += 1
