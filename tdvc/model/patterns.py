"""Regular expressions from a schema, which anybody may have written: how long matching one can take.

Python's `re` tries one way after the other, and a few characters of pattern can make more ways than there is time. So
the ways are counted beforehand: a repeat without an end has as many as the text has characters, one with an end as many
as the counts it allows, an alternation as many as its branches, and ways multiply. What repeats a thing that can be
matched in several ways itself is refused, since there the number grows with a power. A pattern that passes bounds the
text it is tried on, so that no more than `MAX_WAYS` are ever tried.
"""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

MAX_PATTERN = 500
MAX_TEXT = 10_000
MAX_WAYS = 200_000_000
_MAX_BOUNDED_WAYS = 10_000
_MIN_TEXT = 50

_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d*)(,?)(\d*)\})[?+]?")
_SET = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_GROUP = re.compile(r"\((?:\?(?:P<\w+>|<?[=!]|:|[aimsu-]+:))?")


@dataclass(slots=True)
class _Ways:
    """How many ways a part can be matched: endless repeats, and the product of all others."""

    endless: int = 0
    bounded: int = 1
    branches: int = 1

    @property
    def several(self) -> bool:
        return bool(self.endless) or self.bounded * self.branches > 1

    def add(self, other: _Ways) -> None:
        self.endless += other.endless
        self.bounded *= other.bounded * other.branches


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern can't be used, as the end of a sentence; None where it can."""
    try:
        _ways_of(pattern)
    except ValueError as error:
        return str(error)
    return None


def longest_text(pattern: str) -> int:
    """The most characters that a text may have to be tried. Raises ValueError for a pattern with a problem."""
    ways = _ways_of(pattern)
    if not ways.endless:
        return MAX_TEXT
    room = MAX_WAYS / (ways.bounded * ways.branches) * math.factorial(ways.endless)
    return min(MAX_TEXT, int(room ** (1 / ways.endless)))


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern, ready to match a whole text. Raises ValueError for a pattern with a problem."""
    _ways_of(pattern)
    return re.compile(pattern)


@lru_cache(maxsize=256)
def _ways_of(pattern: str) -> _Ways:
    """The ways of a pattern. Raises ValueError, which says why it is refused."""
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"is longer than {MAX_PATTERN} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what will mean something else one day is refused today
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise ValueError(f"is no regular expression: {error}") from error
    ways = _counted(pattern)
    total = ways.bounded * ways.branches
    if total > _MAX_BOUNDED_WAYS or _MIN_TEXT**ways.endless / math.factorial(ways.endless) * total > MAX_WAYS:
        raise ValueError("can be matched in too many ways; use fewer repeats and alternatives")
    return ways


def _counted(pattern: str) -> _Ways:
    open_groups = [_Ways()]
    at = 0
    while at < len(pattern):
        item = _Ways()
        at = _after_item(pattern, at, open_groups, item)
        found = _QUANTIFIER.match(pattern, at)
        if found and found[0].startswith("{}"):
            found = None  # empty braces stand for themselves
        if found:
            at = found.end()
            item = _repeated(item, found)
        open_groups[-1].add(item)
    return open_groups[0]


def _after_item(pattern: str, at: int, open_groups: list[_Ways], item: _Ways) -> int:
    """Where the item at `at` ends; a group that ends there leaves its ways in `item`."""
    character = pattern[at]
    if character == "(":
        found = _GROUP.match(pattern, at)
        if found is None or (pattern.startswith("(?", at) and found.end() == at + 1):
            raise ValueError("has a kind of group that is not allowed; (…), (?:…), (?P<name>…) and look-arounds are")
        open_groups.append(_Ways())
        return found.end()
    if character == ")":
        item.add(open_groups.pop())
        return at + 1
    if character == "|":
        open_groups[-1].branches += 1
        return at + 1
    if character == "\\":
        if pattern[at + 1 : at + 2].isdigit() and pattern[at + 1] != "0":
            raise ValueError("refers back to a group, which is not allowed")
        found = _ESCAPE.match(pattern, at)
    else:
        found = _SET.match(pattern, at) if character == "[" else None
    return found.end() if found else at + 1


def _repeated(item: _Ways, found: re.Match[str]) -> _Ways:
    sign = found[0][0]
    if sign == "{":
        low = int(found[1] or 0)
        high = int(found[3]) if found[3] else (None if found[2] else low)
    else:
        low, high = (1 if sign == "+" else 0), (1 if sign == "?" else None)
    if item.several and high != 1:
        raise ValueError("repeats a group that can be matched in several ways, which can take for ever")
    if high is None:
        item.endless += 1
    else:
        item.bounded *= max(1, high - low + 1)
    return item
