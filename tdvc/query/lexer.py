"""The words of a query, each with its place, so that an error can point at it."""

from __future__ import annotations

import re
from typing import NamedTuple

from tdvc.errors import Usage

MAX_LENGTH = 10_000

_TOKENS = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<date>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?)?(?!\w))"
    r"|(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<symbol>==|!=|<=|>=|[=<>(),.+-])"
)


class Token(NamedTuple):
    """A word of a query.

    Attributes:
        kind: `date`, `number`, `text`, `word`, `symbol` or `end`.
        text: as it is written; of a text, what it means.
        at: where it begins, in characters from 0.
    """

    kind: str
    text: str
    at: int

    @property
    def keyword(self) -> str:
        """What it is as a word of the language, for which capitals do not matter."""
        return self.text.lower() if self.kind == "word" else self.text if self.kind == "symbol" else ""


def tokens(query: str) -> list[Token]:
    """The words of a query, then one of kind `end`. Raises Usage (bad-query)."""
    if len(query) > MAX_LENGTH:
        raise bad_query(query[:100], 0, f"A query has {MAX_LENGTH:,} characters at most, this one {len(query):,}.")
    found = []
    at = 0
    while at < len(query):
        match = _TOKENS.match(query, at)
        if match is None:
            raise bad_query(query, at, _unreadable(query, at))
        kind, text = str(match.lastgroup), match.group()
        if kind != "space":
            found.append(Token(kind, text[1:-1].replace("''", "'") if kind == "text" else text, at))
        at = match.end()
    return [*found, Token("end", "", len(query))]


def _unreadable(query: str, at: int) -> str:
    if query[at] == "'":
        return "This text has no end; a text stands between single quotes."
    if query[at] == '"':
        return "A text stands between single quotes."
    if query[at].isdigit():
        return "That is neither a number nor a date such as 2026-11-01."
    return f"{query[at]!r} means nothing here."


def bad_query(query: str, at: int, problem: str, hint: str = "") -> Usage:
    """What is wrong with a query; the fields `query` and `position` say where."""
    return Usage("bad-query", f"At character {at + 1} of the query: {problem}", hint=hint, query=query, position=at)
