"""Whatever the bytes: an answer, `TdvcError` or a listed problem, soon and in little memory.

The bytes are valid ones with a few changes: bits flipped, pieces moved, cut off or repeated, lengths of 0, -1, 2^31 and
2^63, numbers and strings that JSON has no business with. `TDVC_FUZZ_EXAMPLES` sets how many are tried of each.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdvc.errors import TdvcError
from tdvc.formats import FORMATS
from tests.fuzz.found import CONTENTS, SOURCES
from tests.fuzz.mutation import KINDS, Change, mutated
from tests.fuzz.targets import TARGETS, annotation_files, run, take_format

EXAMPLES = int(os.environ.get("TDVC_FUZZ_EXAMPLES", "40"))
SECONDS = 20
MEMORY_KIB = 800 << 10

CHANGES = st.lists(
    st.builds(Change, st.sampled_from(sorted(KINDS)), st.integers(0, 1 << 20), st.integers(0, 1 << 20)),
    min_size=1,
    max_size=4,
)
bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)


class TooLong(BaseException):
    """It does not end; nothing that is tried may take this for an error of its own."""


@pytest.fixture(autouse=True)
def bounds() -> Iterator[None]:
    """All examples of a test together stay below a time, and none makes the process grow by much."""

    def too_long(*_given: Any) -> None:
        raise TooLong

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    handler = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS * max(1, EXAMPLES // 40))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, handler)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_KIB


@pytest.mark.parametrize("name", TARGETS)
def test_valid_bytes_are_taken(name: str) -> None:
    for seed in TARGETS[name].seeds():
        run(name, seed)


@pytest.mark.parametrize("name", TARGETS)
@bounded
@given(changes=CHANGES, which=st.integers(0, 20))
def test_changed_bytes_are_an_answer_or_an_error(name: str, changes: list[Change], which: int) -> None:
    seeds = TARGETS[name].seeds()
    run(name, mutated(seeds[which % len(seeds)], changes))


@pytest.mark.parametrize("name", sorted(FORMATS))
@bounded
@given(changes=CHANGES, which=st.integers(0, 20))
def test_a_changed_source_is_an_answer_or_an_error(name: str, changes: list[Change], which: int) -> None:
    files = annotation_files(name)
    try:
        take_format(name, files[which % len(files)], changes)
    except TdvcError as error:
        assert error.message.isprintable(), error.message


@pytest.mark.parametrize(("name", "content"), CONTENTS)
def test_what_was_found_once_is_not_found_again(name: str, content: bytes) -> None:
    run(name, content)


@pytest.mark.parametrize(("name", "path", "changes"), SOURCES)
def test_what_was_found_in_a_source_is_not_found_again(name: str, path: str, changes: list[Change]) -> None:
    try:
        take_format(name, path, changes)
    except TdvcError as error:
        assert error.message.isprintable(), error.message
