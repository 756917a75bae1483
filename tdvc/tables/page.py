"""One page of a table: rows sorted by key, stored column by column.

    header     "TDVCPAGE", layout tag 4 bytes, level u8, 3 zero bytes, rows u32
    columns    the key first, then as the layout says:
                 bytes    rows x u32 end offsets, then the bytes
                 fixed n  rows x n bytes
                 u64      rows x u64

All numbers are little endian and nothing is padded, so equal rows have equal bytes. A leaf has level 0. Each row of an
inner page stands for a page one level below: its key is the last key down there, its columns the page's id, its rows,
and the sums of the summed columns, so that counts and totals of any table are read from its root.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tdvc.errors import Corruption

_HEADER = struct.Struct("<8s4sB3xI")
_MAGIC = b"TDVCPAGE"
MAX_LEVEL = 16


@dataclass(frozen=True)
class Column:
    """A column: `width` bytes each, or variable bytes where it is 0.

    `number` marks a u64 (8 bytes wide), `text` variable bytes that are UTF-8.
    """

    name: str
    width: int = 0
    number: bool = False
    summed: bool = False
    text: bool = False


@dataclass(frozen=True)
class Layout:
    """The columns of a table beside its key, the tag that says which table it is, and whether its keys are UTF-8."""

    tag: bytes
    columns: tuple[Column, ...]
    text_keys: bool = False

    @property
    def inner(self) -> tuple[Column, ...]:
        """The columns of inner pages: child id, rows, and the sums."""
        sums = tuple(Column(c.name, 8, number=True) for c in self.columns if c.summed)
        return (Column("page", 32), Column("rows", 8, number=True), *sums)

    def columns_at(self, level: int) -> tuple[Column, ...]:
        """The columns of a page at `level`."""
        return self.inner if level else self.columns

    def summed_positions(self) -> tuple[int, ...]:
        """Where in a leaf row the summed columns are, the key being at 0."""
        return tuple(i for i, c in enumerate(self.columns, 1) if c.summed)


Row = tuple[Any, ...]
"""A key (bytes) and the values of the columns: bytes or int."""


def encode_page(layout: Layout, level: int, rows: Sequence[Row]) -> bytes:
    """The canonical bytes of a page."""
    parts = [_HEADER.pack(_MAGIC, layout.tag, level, len(rows))]
    columns = list(zip(*rows, strict=True)) if rows else [()] * (1 + len(layout.columns_at(level)))
    _encode_variable(columns[0], parts)
    for column, values in zip(layout.columns_at(level), columns[1:], strict=True):
        if column.number:
            parts.append(_little_endian(array("Q", values)))
        elif column.width:
            content = b"".join(values)
            if len(content) != column.width * len(rows):
                raise ValueError(f"a value of column {column.name!r} is not {column.width} bytes wide")
            parts.append(content)
        else:
            _encode_variable(values, parts)
    return b"".join(parts)


def _encode_variable(values: Iterable[bytes], parts: list[bytes]) -> None:
    ends = array("I")
    end = 0
    for value in values:
        end += len(value)
        ends.append(end)
    parts.append(_little_endian(ends))
    parts.append(b"".join(values))


def _little_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


class Page:
    """A decoded page. Columns are cut out of its bytes when somebody asks for them.

    Raises:
        Corruption: object-damaged, where the lengths do not add up.
    """

    __slots__ = ("_buffers", "_columns", "_content", "_values", "level", "row_count")

    def __init__(self, layout: Layout, content: bytes) -> None:
        if len(content) < _HEADER.size:
            raise _damaged("is too short")
        magic, tag, self.level, self.row_count = _HEADER.unpack_from(content)
        if magic != _MAGIC or tag != layout.tag or self.level > MAX_LEVEL:
            raise _damaged(f"is not a page of table {layout.tag.decode(errors='replace')!r}")
        self._content = content
        self._columns = (Column("key", text=layout.text_keys), *layout.columns_at(self.level))
        self._values: list[list[Any] | None] = [None] * len(self._columns)
        self._buffers: list[tuple[int, int]] = []
        at = _HEADER.size
        for column in self._columns:
            start = at
            at += self.row_count * (column.width or 4)
            if not column.width and self.row_count:
                at += int.from_bytes(content[at - 4 : at], "little")
            self._buffers.append((start, at))
        if at != len(content):
            raise _damaged("has lengths that do not add up")

    def check_text(self) -> None:
        """Raise Corruption where a column of text is not UTF-8, so that whoever reads a row can rely on it."""
        for position, column in enumerate(self._columns):
            start, end = self._buffers[position]
            if column.text and not self._content[start + 4 * self.row_count : end].isascii():
                try:
                    for value in self.column(position):
                        value.decode()
                except UnicodeDecodeError as error:
                    raise _damaged(f"has a {column.name} that is not UTF-8") from error

    def column(self, position: int) -> list[Any]:
        """The values of a column; 0 is the key."""
        values = self._values[position]
        if values is None:
            values = self._values[position] = self._decode(position)
        return values

    @property
    def keys(self) -> list[bytes]:
        """The keys, ascending."""
        return self.column(0)

    def _decode(self, position: int) -> list[Any]:
        column = self._columns[position]
        start, end = self._buffers[position]
        if column.number:
            numbers = array("Q", self._content[start:end])
            if sys.byteorder == "big":
                numbers.byteswap()
            return numbers.tolist()
        if column.width:
            content, width = self._content, column.width
            return [content[i : i + width] for i in range(start, end, width)]
        return self._decode_variable(start, end)

    def _decode_variable(self, start: int, end: int) -> list[bytes]:
        base = start + 4 * self.row_count
        ends = array("I", self._content[start:base])
        if sys.byteorder == "big":
            ends.byteswap()
        if base == end:
            return [b""] * self.row_count
        content = self._content[base:end]
        values = []
        previous = 0
        for position in ends:
            if position < previous or position > len(content):
                raise _damaged("has offsets out of order")
            values.append(content[previous:position])
            previous = position
        return values

    def rows(self) -> list[Row]:
        """All rows."""
        return list(zip(*(self.column(i) for i in range(len(self._columns))), strict=True))

    def row(self, at: int) -> Row:
        """One row; of a column that nobody asked for, nothing but its cell is decoded."""
        return tuple([self._cell(i, at) for i in range(len(self._columns))])

    def _cell(self, position: int, at: int) -> Any:
        values = self._values[position]
        if values is not None:
            return values[at]
        column = self._columns[position]
        start, _ = self._buffers[position]
        if column.width:
            content = self._content[start + at * column.width : start + (at + 1) * column.width]
            return int.from_bytes(content, "little") if column.number else content
        base = start + 4 * self.row_count
        first, last = (self._end(start, i) if i >= 0 else 0 for i in (at - 1, at))
        if not first <= last <= self._buffers[position][1] - base:
            raise _damaged("has offsets out of order")
        return self._content[base + first : base + last]

    def _end(self, start: int, at: int) -> int:
        """Where a value of variable width ends, counted from the first."""
        return int.from_bytes(self._content[start + 4 * at : start + 4 * at + 4], "little")

    def differing_rows(self, other: Page) -> list[int] | None:
        """Which rows differ from those of a page with the same keys; None where the keys differ."""
        if self._buffer(0) != other._buffer(0):
            return None
        differing: set[int] = set()
        for position in range(1, len(self._columns)):
            if self._buffer(position) != other._buffer(position):
                pairs = zip(self.column(position), other.column(position), strict=True)
                differing.update(i for i, (a, b) in enumerate(pairs) if a != b)
        return sorted(differing)

    def column_bytes(self, position: int) -> bytes:
        """A column as it is stored, for those who read very many rows at once."""
        return self._buffer(position)

    def _buffer(self, position: int) -> bytes:
        start, end = self._buffers[position]
        return self._content[start:end]


def _damaged(problem: str) -> Corruption:
    return Corruption("object-damaged", f"A table page {problem}.")
