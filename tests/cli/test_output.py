"""Text for people and JSON for programs, value by value."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from tdvc.cli import output
from tdvc.model.problems import Problem


class Pair(NamedTuple):
    first: int
    second: bytes


@dataclass
class Record:
    path: Path
    pair: Pair
    raw: msgspec.Raw
    names: tuple[str, ...] = ()
    nothing: None = None
    problems: list[Problem] = field(default_factory=list)


def problem(number, severity="error"):
    return Problem("unreadable", f"{number}.jpg", "It can't be read.", severity=severity)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_940, "99.9 kB"),
        (99_950, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (3_400_000_000, "3.4 GB"),
        (10**30, "1000000000000 EB"),
    ],
)
def test_sizes(count, text):
    assert output.human_size(count) == text


def test_plurals():
    assert output.plural(1, "file") == "1 file"
    assert output.plural(0, "file") == "0 files"
    assert output.plural(12345, "directory", "directories") == "12,345 directories"


def test_tables_align_what_a_terminal_shows():
    rows = [("犬", "1", "file", "x"), ("ab\u0301c", "12", "files", "")]
    assert output.table(rows, counts=(1,)) == ["犬    1 file   x", "ab\u0301c  12 files"]
    assert output.table([("a", "5"), ("b", "15")], right=(1,)) == ["a   5", "b  15"]
    assert output.table([]) == []


def test_documents_are_sorted_ascii_with_one_newline():
    record = Record(Path("a/b"), Pair(1, b"\xff\x00"), msgspec.Raw('{"é": 1.50}'.encode()), ("ü\x1b",))
    text = output.document(record)
    assert text.isascii()
    assert text.endswith("}\n")
    assert '"raw": {"\\u00e9": 1.50}' in text
    assert json.loads(text) == {
        "names": ["ü\x1b"],
        "nothing": None,
        "pair": {"first": 1, "second": "ff00"},
        "path": "a/b",
        "problems": [],
        "raw": {"é": 1.5},
    }
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_a_name_that_is_no_unicode_is_still_json():
    assert json.loads(output.document({"path": "\udcff"})) == {"path": "\udcff"}


@pytest.mark.parametrize("items", [[], [{"b": 1, "a": 2}], [{"a": 1}, {"a": 2}]])
def test_lists_are_arrays_with_an_item_a_line(capsys, items):
    assert output.report_each(iter(items), str, as_json=True) == 0
    text = capsys.readouterr().out
    assert json.loads(text) == items
    assert len(text.splitlines()) == (len(items) + 2 if items else 1)


def test_the_first_problems_are_shown_errors_first(capsys):
    problems = [problem(0, "warning"), *(problem(number) for number in range(1, 13))]
    result = Record(Path("a"), Pair(1, b""), msgspec.Raw(b"1"), problems=problems)
    assert output.report(result, ["Done."], as_json=False) == 3
    captured = capsys.readouterr()
    assert captured.out == "Done.\n"
    lines = captured.err.splitlines()
    assert lines[0] == "problem: 1.jpg: It can't be read. [unreadable]"
    assert len(lines) == 11
    assert lines[10] == "… and 3 more (--json lists all)"


def test_all_problems_are_in_the_json(capsys):
    result = Record(Path("a"), Pair(1, b""), msgspec.Raw(b"1"), problems=[problem(number) for number in range(20)])
    assert output.report(result, [], as_json=True) == 3
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)["problems"]) == 20
    assert captured.err == ""


def test_warnings_are_no_failure(capsys):
    result = Record(Path("a"), Pair(1, b""), msgspec.Raw(b"1"), problems=[problem(1, "warning")])
    assert output.report(result, [], as_json=False) == 0
    assert capsys.readouterr().err == "warning: 1.jpg: It can't be read. [unreadable]\n"


def test_colours_are_for_terminals_that_want_them(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.paint("x", "red", Terminal()) == "\x1b[31mx\x1b[0m"
    assert output.paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert output.paint("x", "red", Terminal()) == "x"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert output.paint("x", "red", io.StringIO()) == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.paint("x", "red", Terminal()) == "x"


def test_a_moment_is_what_a_revision_takes():
    assert output.moment("2026-11-21T08:15:02.123456Z") == "2026-11-21 08:15Z"
