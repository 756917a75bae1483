from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.model.patterns import MAX_PATTERN, MAX_TEXT, compiled, longest_text, pattern_problem


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[A-Z]{2}-\\d+",
        "(\\d{3}-){2}\\d{4}",
        "(?:red|green)",
        "[^@]+@[^@]+\\.[a-z]+",
        "(?P<year>\\d{4})(-\\d\\d)?",
        "[]a*+]+",
        "\\(a\\)*",
        "(?=a)a",
        "{}",
    ],
)
def test_a_pattern_that_is_taken(pattern: str) -> None:
    assert pattern_problem(pattern) is None
    assert compiled(pattern).pattern == pattern
    assert longest_text(pattern) > 100


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*b",
        "(a|aa)*",
        "((a?)b?)*",
        "(a{1,9}){2,9}",
        "(?:(?:a+)b)+",
        "a{,}(b{,})*",
        "a?" * 30,
        "(a)\\1",
        "(?P<x>a)(?P=x)",
        "(?(1)a|b)",
        "(?x: a #)b)",
        "[",
        "(",
        "a**",
        "a" * (MAX_PATTERN + 1),
        "a*" * 12,
    ],
)
def test_a_pattern_that_is_refused(pattern: str) -> None:
    assert pattern_problem(pattern)
    with pytest.raises(ValueError, match=r"\w"):
        compiled(pattern)


def test_the_more_repeats_the_shorter_the_text() -> None:
    lengths = [longest_text("a*" * count + "b") for count in range(5)]
    assert lengths[0] == MAX_TEXT
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[4] < 1000


@given(st.text("ab(|)*+?{}1,[]\\^.-", max_size=12))
def test_any_pattern_is_answered_and_what_is_taken_compiles(pattern: str) -> None:
    if pattern_problem(pattern) is None:
        re.compile(pattern)
        assert 0 < longest_text(pattern) <= MAX_TEXT
