"""What commands print: text for people, JSON for programs.

Standard output carries the answer and nothing else; problems, hints and progress go to standard error. Names from
outside are escaped before they reach a terminal. JSON is ASCII with sorted keys and one newline at the end; ids are
hexadecimal, and numbers of annotations keep the spelling they came with. A list is an array with one item a line,
written while it is read.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.model.problems import Problem

T = TypeVar("T")

EXIT_PROBLEMS = 3
MAX_PROBLEMS = 10
_BEFORE_POINTER = 60
ID_DIGITS = 12
_COLOURS = {"red": 31, "green": 32, "yellow": 33, "cyan": 36, "bold": 1, "dim": 2}
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


# words


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 file`, `12,345 files`."""
    return " ".join(counted(count, noun, nouns))


def counted(count: int, noun: str, nouns: str | None = None) -> tuple[str, str]:
    """The two words of `plural`, for two columns of a table."""
    return f"{count:,}", noun if count == 1 else nouns or noun + "s"


def human_size(count: int) -> str:
    """Bytes in decimal units: `999 B`, `3.4 MB`."""
    value, unit = float(count), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    digits = 1 if unit and value < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[unit]}"


def short_id(identity: str | bytes | None) -> str:
    """The first digits of an id; a dash for none."""
    if identity is None:
        return "-"
    return (identity.hex() if isinstance(identity, bytes) else identity)[:ID_DIGITS]


def moment(time: str | None) -> str:
    """A stored time to the minute, in UTC as `Dogs@{…}` takes it."""
    return time[:16].replace("T", " ") + "Z" if time else "-"


def first_line(text: str) -> str:
    """The first line of a message, safe to print."""
    return printable(text.strip().split("\n", 1)[0])


def width(text: str) -> int:
    """Columns that a terminal needs for `text`."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def table(rows: Iterable[Sequence[str]], right: Sequence[int] = (), counts: Sequence[int] = ()) -> list[str]:
    """Lines with aligned columns, two spaces apart.

    Args:
        rows: cells, as many in each row.
        right: the columns that are aligned to the right.
        counts: columns of numbers, aligned to the right and one space from their noun in the next column.
    """
    rows = [list(row) for row in rows]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        line = ""
        for i, cell in enumerate(row):
            space = " " * (widths[i] - width(cell))
            line += space + cell if i in right or i in counts else cell + space
            line += " " if i in counts else "  "
        lines.append(line.rstrip())
    return lines


def colours_wanted(stream: TextIO) -> bool:
    """Whether a stream takes colours: a terminal does, unless NO_COLOR or TERM=dumb; FORCE_COLOR overrides."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """`text` in a colour where the stream, standard output for None, takes colours."""
    if not colours_wanted(stream or sys.stdout):
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


# JSON


def document(value: Any) -> str:
    """A value as indented JSON with a newline at the end."""
    return _spell(value, "\n") + "\n"


def _spell(value: Any, newline: str | None) -> str:
    """JSON of a value; `newline` starts a line at the current depth, None keeps all on one line."""
    value = _plain(value)
    deeper = None if newline is None else newline + "  "
    if isinstance(value, _Spelled):
        return str(value)
    if isinstance(value, Mapping):
        items = [f"{json.dumps(str(key))}: {_spell(value[key], deeper)}" for key in sorted(value, key=str)]
        return _enclosed("{", items, "}", newline)
    if isinstance(value, (list, tuple)):
        return _enclosed("[", [_spell(item, deeper) for item in value], "]", newline)
    return json.dumps(value)


def _enclosed(opening: str, items: list[str], closing: str, newline: str | None) -> str:
    if not items:
        return opening + closing
    if newline is None:
        return opening + ", ".join(items) + closing
    return f"{opening}{newline}  {f',{newline}  '.join(items)}{newline}{closing}"


class _Spelled(str):
    """Text that is JSON already."""

    __slots__ = ()


def _plain(value: Any) -> Any:
    """What a value is in JSON, at its topmost level: a record becomes a dictionary, an id its hexadecimal digits."""
    if value is None or type(value) in (str, int, bool, float, dict, list):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return value.hex()
    if isinstance(value, PurePath):
        return str(value)
    for names in ("__dataclass_fields__", "_fields", "__struct_fields__"):
        if hasattr(value, names):
            return {name: getattr(value, name) for name in getattr(value, names) if not name.startswith("_")}
    if isinstance(value, _raw_json()):
        return _Spelled(_ascii(bytes(value).decode()))
    if isinstance(value, (Iterable, Iterator)) and not isinstance(value, (str, Mapping)):
        return list(value)
    return value


def _raw_json() -> Any:
    """The type of JSON that is kept as it came; nothing, as long as no command has loaded it."""
    return getattr(sys.modules.get("msgspec"), "Raw", ())


def _ascii(text: str) -> str:
    """JSON text with everything beyond ASCII, which can be in its strings only, escaped."""
    return text if text.isascii() else "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)


# endings


def report(result: Any, lines: Iterable[str], as_json: bool, **more: Any) -> int:
    """Print a result, with `more` beside its fields, as JSON; or `lines`, then its problems. Returns the exit code."""
    problems: Sequence[Problem] = getattr(result, "problems", None) or ()
    if as_json and isinstance(result, list):
        write_array(result)
        sys.stdout.write("\n")
    elif as_json:
        sys.stdout.write(document({**_plain(result), **more} if more else result))
    else:
        write_lines(lines)
    return report_problems(problems, as_json)


def report_problems(problems: Sequence[Problem], as_json: bool) -> int:
    """Print problems on standard error, unless JSON has them; returns the exit code."""
    if not as_json:
        sys.stdout.flush()
        for line in problem_lines(problems):
            sys.stderr.write(line + "\n")
    return EXIT_PROBLEMS if any(problem.severity == "error" for problem in problems) else 0


def report_each(items: Iterable[T], line: Callable[[T], str], as_json: bool) -> int:
    """Print items one by one, as a JSON array or a line each, while they come; returns the exit code."""
    if as_json:
        write_array(items)
        sys.stdout.write("\n")
    else:
        write_lines(map(line, items))
    return 0


def write_array(items: Iterable[Any]) -> None:
    """Print a JSON array with one item a line, each when it comes."""
    separator = "[\n"
    for item in items:
        sys.stdout.write(separator + _spell(item, None))
        separator = ",\n"
    sys.stdout.write("[]" if separator == "[\n" else "\n]")


def one_line(value: Any) -> str:
    """A value as JSON on one line."""
    return _spell(value, None)


def write_lines(lines: Iterable[str]) -> None:
    """Print lines on standard output."""
    write = sys.stdout.write
    for line in lines:
        write(line + "\n")


def problem_lines(problems: Sequence[Problem]) -> list[str]:
    """The first problems, errors before warnings, and how many more there are."""
    ordered = sorted(_one_of_each_first(problems), key=lambda problem: problem.severity != "error")
    lines = []
    for problem in ordered[:MAX_PROBLEMS]:
        word = paint("problem", "red", sys.stderr) if problem.severity == "error" else "warning"
        instance = f" (instance {printable(problem.instance)})" if problem.instance else ""
        place = f"{printable(problem.place)}{instance}: " if problem.place else ""
        lines.append(f"{word}: {place}{printable(problem.message)} [{problem.code}]")
    if len(ordered) > MAX_PROBLEMS:
        lines.append(f"… and {len(ordered) - MAX_PROBLEMS:,} more (--json lists all)")
    return lines


def _one_of_each_first(problems: Sequence[Problem]) -> list[Problem]:
    """The first problem of every kind, then the others."""
    firsts = {id(problem) for problem in {problem.code: problem for problem in reversed(problems)}.values()}
    return sorted(problems, key=lambda problem: id(problem) not in firsts)


def failure_lines(message: str, hint: str, *, internal: bool = False) -> list[str]:
    """An error for standard error: one line, and one more where there is a hint."""
    word = "internal error" if internal else "error"
    lines = [f"{paint(word, 'red', sys.stderr)}: {printable(message)}"]
    if hint:
        lines.append(f"{paint('hint', 'cyan', sys.stderr)}: {printable(hint)}")
    return lines


def pointer_lines(fields: Mapping[str, Any]) -> list[str]:
    """For an error in a query: the query, and below it where the error is; a long one is cut around that place."""
    query, position = fields.get("query"), fields.get("position")
    if not isinstance(query, str) or not isinstance(position, int):
        return []
    first = max(0, position - _BEFORE_POINTER)
    before, after = printable(query[first:position]), printable(query[position : position + _BEFORE_POINTER])
    return [f"  {before}{after}", f"  {' ' * len(before)}^"]
