"""`docs/query.md` says what the language knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tdvc.query import parse
from tdvc.query.lexer import MAX_LENGTH
from tdvc.query.moments import UNITS
from tdvc.query.parser import MAX_DEPTH
from tdvc.query.properties import MEMBERS, PROPERTIES

PAGE = (Path(__file__).parents[2] / "docs" / "query.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"--where \"([^\"]+)\"", PAGE) + re.findall(
    r"^\| `([^`]+)` \| (?:a|an|no|some|nothing|at) ", PAGE, re.M
)


def test_every_property_and_word_is_there() -> None:
    for name, meaning in PROPERTIES.items():
        assert f"| `{name}` | {meaning.kind} | {meaning.says} |" in PAGE
    for name, says in MEMBERS.items():
        assert f"| `{name}('NAME')` | {says} |" in PAGE
    assert [unit for unit in UNITS if f"{unit}s" not in PAGE] == []
    assert f"{MAX_LENGTH:,} characters" in PAGE
    assert f"nests {MAX_DEPTH} deep" in PAGE


@pytest.mark.parametrize("query", [*EXAMPLES, *re.findall(r"`([a-z_.]+ (?:>=|=|!=|<) '?[0-9][^`]*)`", PAGE)])
def test_every_example_is_understood(query: str) -> None:
    assert parse(query).condition


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 10
