"""JSON Lines from outside: one object a line, numbers as they came, every line bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tdvc.errors import FormatError, NotFound, TdvcError
from tdvc.model import numbers

MAX_LINE_BYTES = 64 << 20


def read_lines(source: Path | BinaryIO, code: str, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with their line numbers, from 1; empty lines are passed over.

    Args:
        source: a path, or a stream.
        code: the code of the error for a line that is none.
        what: what the lines are of, such as `the edits`.

    Raises:
        FormatError: `code`, with the line.
        NotFound: source-not-found.
    """
    if not isinstance(source, Path):
        yield from _parse(source, code, what)
        return
    try:
        with source.open("rb") as stream:
            yield from _parse(stream, code, what)
    except OSError as error:
        reason = error.strerror or str(error)
        raise NotFound("source-not-found", f"{str(source)!r} can't be read: {reason}.", path=str(source)) from error


def _parse(stream: BinaryIO, code: str, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise FormatError(code, f"Line {number} of {what} is longer than 64 MiB.", line=number)
        if not line.strip():
            continue
        try:
            fields = numbers.parse(line.removeprefix(b"\xef\xbb\xbf"))
        except (ValueError, TdvcError) as error:
            raise FormatError(code, f"Line {number} of {what} is not JSON: {error}.", line=number) from error
        if not isinstance(fields, dict):
            raise FormatError(code, f"Line {number} of {what} is not a JSON object.", line=number)
        yield number, fields
