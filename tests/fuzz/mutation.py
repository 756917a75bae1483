"""Changes of valid bytes, each a few numbers, so that a change is kept, shrunk and repeated easily."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

LENGTHS = (0, 1, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1)
WORDS = (
    *(b"0", b"-1", b"2147483648", b"9223372036854775808", b"1e999", b"-0.0", b"1e-400", b"0.5", b"9" * 5000),
    *(b"NaN", b"Infinity", b"null", b"true", b'""', b"[]", b"{}", b'"x"', b"[" * 3000, b'{"a":' * 3000),
    *(b'"\\ud800"', b'"\\u0000"', b"\xff", b"\0", b"../../x", b"\xef\xbb\xbf", b"\n", b",", b"<", b"&a;", b"=1+1"),
)
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_STRING = re.compile(rb'"[^"\\]{0,60}"')


class Change(NamedTuple):
    """One change: which kind, where, and with what. Numbers of any size will do."""

    kind: str
    at: int
    value: int


def mutated(content: bytes, changes: Sequence[Change]) -> bytes:
    """The bytes after all changes."""
    for change in changes:
        content = KINDS[change.kind](content, change.at % (len(content) + 1), change.value)
    return content


def _flip(content: bytes, at: int, value: int) -> bytes:
    if at >= len(content):
        return content
    return content[:at] + bytes((content[at] ^ (1 << value % 8),)) + content[at + 1 :]


def _truncate(content: bytes, at: int, value: int) -> bytes:
    return content[:at] if value % 2 else content[at:]


def _splice(content: bytes, at: int, value: int) -> bytes:
    """Something from elsewhere, moved in or copied over."""
    start = value % (len(content) + 1)
    piece = content[start : start + 1 + value % 97]
    return content[:at] + piece + content[at + (len(piece) if value % 3 else 0) :]


def _repeat(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + content[at : at + 40] * (value % 200) + content[at + 40 :]


def _length(content: bytes, at: int, value: int) -> bytes:
    """A number where there may be a length: u16, u32 or u64, at a multiple of four as often as not."""
    at = at & ~3 if value % 2 else at
    number, form = LENGTHS[value // 2 % len(LENGTHS)], "HIQ"[value // 16 % 3]
    order = "<" if value // 48 % 4 else ">"
    packed = struct.pack(order + form, number & ((1 << 8 * struct.calcsize(form)) - 1))
    return content[:at] + packed + content[at + len(packed) :]


def _word(content: bytes, at: int, value: int) -> bytes:
    return content[:at] + WORDS[value % len(WORDS)] + content[at:]


def _number(content: bytes, at: int, value: int) -> bytes:
    return _replaced(_NUMBER, content, at, WORDS[value % len(WORDS)])


def _string(content: bytes, at: int, value: int) -> bytes:
    return _replaced(_STRING, content, at, WORDS[value % len(WORDS)])


def _replaced(pattern: re.Pattern[bytes], content: bytes, at: int, word: bytes) -> bytes:
    found = pattern.search(content, at) or pattern.search(content)
    return content if found is None else content[: found.start()] + word + content[found.end() :]


KINDS = {
    "flip": _flip,
    "truncate": _truncate,
    "splice": _splice,
    "repeat": _repeat,
    "length": _length,
    "word": _word,
    "number": _number,
    "string": _string,
}
