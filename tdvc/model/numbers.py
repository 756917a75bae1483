"""JSON whose numbers keep the spelling they came with.

`0.148063` must leave as `0.148063`, and `1` as `1`: a float would do for computing, not for keeping. So
numbers travel as text, and two spellings of one value are equal when their decimal values are.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

MAX_DEPTH = 64

MAX_KEPT_DEPTH = 48
"""Of attributes and properties: written into somebody's format, they nest some levels deeper."""

MAX_INTEGER_DIGITS = 4300  # beyond it Python refuses to read an integer
_MAX_WHOLE_DIGITS = 18  # of what counts or names something

_encode = msgspec.json.Encoder().encode
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


class Number(str):
    """The text of a JSON number. Equal and hashed by decimal value, so `Number("1.0") == Number("1")`.

    Never equal to plain text: the number 1 and the text "1" say different things.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Number):
            return str.__eq__(self, other) or _comparable(self) == _comparable(other)
        return False

    def __ne__(self, other: object) -> bool:
        return not self.__eq__(other)

    def __hash__(self) -> int:
        return hash(_comparable(self))


def value_of(number: str) -> Decimal:
    """The exact decimal value of a number's text."""
    try:
        value = Decimal(number)
    except InvalidOperation as error:
        raise ValueError(f"{number[:32]!r} is not a number") from error
    if not value.is_finite():
        raise ValueError(f"{number[:32]!r} is not a finite number")
    return value


def _comparable(number: Number) -> Decimal | str:
    """The value, or the text where the exponent has more digits than `Decimal` takes."""
    try:
        return value_of(number)
    except ValueError:
        return str(number)


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


_decode = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_refuse_constant).decode


def parse(text: bytes | str) -> Any:
    """Parse JSON, numbers as `Number`.

    Raises:
        ValueError: not JSON, a NaN or infinity, or nested deeper than `MAX_DEPTH`.
    """
    if isinstance(text, bytes):
        text = text.decode()
    try:
        value = _decode(text)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    if text.count("{") + text.count("[") > MAX_DEPTH:
        check_depth(value)
    return value


def check_depth(value: Any, levels: int = MAX_DEPTH) -> None:
    """Raise ValueError where parsed JSON nests deeper than so many levels."""
    level = [value]
    depth = 0
    while level:
        depth += 1
        if depth > levels:
            raise ValueError(f"nested deeper than {levels} levels")
        nested: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                nested.extend(v for v in item.values() if isinstance(v, (dict, list)))
            elif isinstance(item, list):
                nested.extend(v for v in item if isinstance(v, (dict, list)))
        level = nested


def spell(value: Any) -> bytes:
    """Canonical JSON of a parsed value: UTF-8, sorted keys, no spaces, every number as it came.

    Python ints and floats are spelled as Python spells them (`1`, `0.5`), so values made in code may be
    mixed in.

    Raises:
        TypeError: something that JSON has no word for, or a key that is not text.
        ValueError: a number that JSON can't spell, or nested deeper than `MAX_DEPTH`.
    """
    parts: list[bytes] = []
    _spell(value, parts, MAX_DEPTH)
    return b"".join(parts)


def spell_parsed(value: Any) -> bytes:
    """As `spell`, in a fifth of the time, for what `parse` gave: its depth is bounded, and there is no float in it."""
    return _encode_parsed(value)


def _as_it_came(number: Any) -> msgspec.Raw:
    if not isinstance(number, Number):
        raise TypeError(f"JSON has no {type(number).__name__}")
    return msgspec.Raw(_spell_number(number))


_encode_parsed = msgspec.json.Encoder(enc_hook=_as_it_came, order="sorted").encode


def _spell(value: Any, parts: list[bytes], depth: int) -> None:
    kind = type(value)
    if kind is str or value is None or isinstance(value, int):
        parts.append(_encode(value))
    elif isinstance(value, (Number, float)):
        parts.append(_spell_number(value))
    elif isinstance(value, (dict, list, tuple)):
        if depth == 0:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        spell_nested = _spell_object if isinstance(value, dict) else _spell_list
        spell_nested(value, parts, depth - 1)
    elif isinstance(value, msgspec.Raw):
        parts.append(canonical(bytes(value)))
    elif isinstance(value, str):
        parts.append(_encode(str(value)))
    else:
        raise TypeError(f"JSON has no {kind.__name__}")


def _spell_number(value: Number | float) -> bytes:
    text = value if isinstance(value, Number) else float.__repr__(value)
    if not _JSON_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is not a JSON number")
    return text.encode()


def _spell_object(value: Any, parts: list[bytes], depth: int) -> None:
    parts.append(b"{")
    for position, key in enumerate(sorted(value)):
        if not isinstance(key, str):
            raise TypeError(f"the key {key!r} is not text")
        parts.append(b",%b:" % _encode(key) if position else _encode(key) + b":")
        _spell(value[key], parts, depth)
    parts.append(b"}")


def _spell_list(value: Any, parts: list[bytes], depth: int) -> None:
    parts.append(b"[")
    for position, item in enumerate(value):
        parts.append(b"," if position else b"")
        _spell(item, parts, depth)
    parts.append(b"]")


def check_kept_depth(text: bytes) -> None:
    """Raise ValueError where JSON nests deeper than `MAX_KEPT_DEPTH`; one with few brackets is not even parsed."""
    if text.count(b"{") + text.count(b"[") > MAX_KEPT_DEPTH:
        check_depth(parse(text), MAX_KEPT_DEPTH)


def canonical(text: bytes) -> bytes:
    """Canonical JSON of a JSON text. Nested lists of numbers, the common case, just lose their white space."""
    if not text.translate(None, b"[]0123456789+-.eE, \t\r\n") and text.count(b"[") <= MAX_DEPTH:
        return text.translate(None, b" \t\r\n")
    return spell(parse(text))


def same_value(a: bytes, b: bytes) -> bool:
    """Whether two JSON texts say the same, however their numbers are spelled."""
    return a == b or bool(parse(a) == parse(b))


def whole(text: str) -> int | None:
    """The number that a text of at most 18 digits is; None for any other text."""
    return int(text) if len(text) <= _MAX_WHOLE_DIGITS and text.isascii() and text.isdigit() else None


def plain(value: Any) -> Any:
    """A parsed value with every `Number` turned into an int where it is spelled as one, else a float."""
    if isinstance(value, Number):
        short = len(value) <= MAX_INTEGER_DIGITS
        return int(value) if short and value.lstrip("-").isdigit() else float(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
