"""JSON from outside, read strictly: what two readers could understand differently is refused.

Most parsers let the last of two equal keys win without a word, which loses annotations; here that is an
error. Where a file is not what its format promises, the message says at which line, so that it can be looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, TypeVar

import msgspec

from tdvc.errors import FormatError
from tdvc.formats._folder import read_bytes, shortened, unreadable_source
from tdvc.model.numbers import MAX_DEPTH, Number
from tdvc.names import printable

Document = TypeVar("Document")

BOM = b"\xef\xbb\xbf"
MAX_LINE_BYTES = 256 << 20
SNIFFED_BYTES = 1 << 16
_PIECE_BYTES = 1 << 20
_AT_BYTE = re.compile(r" ?\(byte (\d+)\)$")
_SHOWN = 12


def read_json(path: Path, limit_bytes: int, decode: Callable[[bytes], Document]) -> Document:
    """The document in a JSON file.

    Args:
        path: the file.
        limit_bytes: what it may be long.
        decode: makes the document of the bytes, or raises ValueError: a decoder of msgspec, or `parse_strictly`.

    Raises:
        FormatError: bad-format-file, with the file and, where it is not JSON, the place in it.
    """
    content = b""
    try:
        content = read_bytes(path, limit_bytes).removeprefix(BOM)
        return decode(content)
    except OSError as error:
        raise unreadable_source(path, error) from error
    except RecursionError as error:
        raise _not_readable(path, f"nests deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:
        raise _not_readable(path, _reason(error, content)) from error


def _not_readable(path: Path, reason: str) -> FormatError:
    name = printable(path.name)
    return FormatError("bad-format-file", f"{name} {reason.rstrip('.')}.", path=name)


def _reason(error: ValueError, content: bytes) -> str:
    """What is wrong, as the end of a sentence."""
    text, cause = str(error), error.__cause__
    if isinstance(cause, json.JSONDecodeError):
        return _not_json(cause.msg, cause.lineno, cause.colno, cause.doc[cause.pos : cause.pos + _SHOWN])
    if found := _AT_BYTE.search(text):  # how msgspec says where
        at = int(found[1])
        line, column = content.count(b"\n", 0, at) + 1, at - content.rfind(b"\n", 0, at)
        shown = content[at : at + _SHOWN].decode(errors="replace")
        return _not_json(text[: found.start()].removeprefix("JSON is malformed: "), line, column, shown)
    if isinstance(error, msgspec.ValidationError):
        return f"does not hold what it should: {text}"
    return f"is not JSON: {text}" if isinstance(error, msgspec.DecodeError) else text


def _not_json(what: str, line: int, column: int, shown: str) -> str:
    return f"is not JSON: {what} at line {line}, column {column}" + (f", before {shortened(shown)}" if shown else "")


def ends_of(path: Path, sniffed_bytes: int = SNIFFED_BYTES) -> bytes:
    """The beginning of a file without white space, and its end, to tell what it is; empty where it can't be read."""
    try:
        with path.open("rb") as file:
            head = file.read(sniffed_bytes)
            file.seek(max(0, path.stat().st_size - sniffed_bytes))
            return head.removeprefix(BOM).lstrip() + file.read(sniffed_bytes)
    except OSError:
        return b""


def numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """The lines that are not blank with their numbers from 1; None for one that is too long."""
    number = 0
    while beginning := file.readline(_PIECE_BYTES):
        number += 1
        line = _whole_line(file, beginning)
        if line is None or not line.removeprefix(BOM).isspace():
            yield number, line


def _whole_line(file: BinaryIO, piece: bytes) -> bytes | None:
    """The line that begins with a piece; it is read in pieces, because it may be endless."""
    pieces, held_bytes = [piece], len(piece)
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(_PIECE_BYTES)
        held_bytes += len(piece)
        if held_bytes > MAX_LINE_BYTES:
            pieces.clear()
        else:
            pieces.append(piece)
    return None if held_bytes > MAX_LINE_BYTES else b"".join(pieces)


def parse_line(line: bytes | None) -> Any:
    """What a line says, as `numbered_lines` gives it; errors as `parse_strictly`."""
    if line is None:
        raise ValueError(f"is longer than {MAX_LINE_BYTES >> 20} MiB")
    return parse_strictly(line)


def parse_strictly(text: bytes) -> Any:
    """Parse one JSON text, numbers as `Number`.

    Raises:
        ValueError: not UTF-8 (a byte order mark is passed over), not JSON, NaN or an infinity, a key given twice, a
            lone surrogate, or nested deeper than `numbers.MAX_DEPTH`; the end of a sentence.
    """
    try:
        value = _decoder.decode(text.removeprefix(BOM).decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.pos}") from error
    except RecursionError as error:
        raise ValueError(f"nests deeper than {MAX_DEPTH} levels") from error
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        _check_depth(value)
    if rb"\ud" in text.lower():
        _check_surrogates(value)
    return value


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"holds {text}, which is not a JSON number")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"gives the key {shortened(key)} twice")
        found[key] = value
    return found


_decoder = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=_refuse_constant, object_pairs_hook=_unique_keys
)


def _check_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair") from error


def _check_depth(value: Any) -> None:
    level = [value]
    for _depth in range(MAX_DEPTH + 1):
        below = [item for item in level if isinstance(item, (dict, list))]
        if not below:
            return
        level = [inner for item in below for inner in (item.values() if isinstance(item, dict) else item)]
    raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
