"""Progress is for people who wait: nothing early, nothing where no terminal is, nothing left behind."""

from __future__ import annotations

import io

import pytest

from tdvc.cli.progress import DELAY_SECONDS, Watch


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.delenv("TDVC_NO_PROGRESS", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return Clock()


def told(stream, clock, seconds):
    with Watch(stream, clock) as watch:
        clock.now = seconds
        watch("reading", 500, 2000)
        watch("writing", 7, None)
    return stream.getvalue()


def test_a_long_command_shows_what_it_does(clock):
    shown = told(Terminal(), clock, DELAY_SECONDS)
    assert "writing" in shown
    assert "7/?" in shown


def test_a_short_command_shows_nothing(clock):
    assert told(Terminal(), clock, DELAY_SECONDS / 2) == ""


def test_nothing_is_shown_where_no_terminal_is(clock):
    assert told(io.StringIO(), clock, 10 * DELAY_SECONDS) == ""


def test_it_can_be_switched_off(clock, monkeypatch):
    monkeypatch.setenv("TDVC_NO_PROGRESS", "1")
    assert told(Terminal(), clock, 10 * DELAY_SECONDS) == ""


def test_the_display_ends_with_an_error(clock):
    stream = Terminal()
    with pytest.raises(ValueError, match="broken"), Watch(stream, clock) as watch:
        clock.now = 2 * DELAY_SECONDS
        watch("reading", 1, 2)
        raise ValueError("broken")
    hidden, _, shown_again = stream.getvalue().rpartition("\x1b[?25h")
    assert "\x1b[?25l" in hidden
    assert "reading" not in shown_again
