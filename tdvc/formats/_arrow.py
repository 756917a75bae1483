"""Arrow's values as JSON with its numbers as text, and pyarrow itself, which is imported when a file needs it.

What comes from a file is validated in full before it is read: Arrow trusts the offsets in its buffers, and a flipped
bit there ends the process.
"""

from __future__ import annotations

import importlib
import io
import math
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from tdvc.errors import FormatError
from tdvc.formats._folder import shortened
from tdvc.formats._json import parse_strictly
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.names import printable

MAX_ROW_GROUP_BYTES = 4 << 30
_BATCH_ROWS = 64
_BATCH_BYTES = 64 << 20
_FREE_BYTES = 256 << 20
_TIMES_PACKED = 100
_READ_BYTES = 1 << 20

Value = Callable[[Any], Any]
"""From what pyarrow gives for a value of one type to JSON."""


class Sink(io.RawIOBase):
    """Takes what pyarrow writes, to be passed on in pieces."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, content: Any) -> int:
        """Take some bytes."""
        self._pieces.append(bytes(content))
        return len(self._pieces[-1])

    def drained(self) -> list[bytes]:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return pieces


def library(name: str = "pyarrow") -> Any:
    """A module of pyarrow.

    Raises:
        FormatError: library-missing.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        message = "Parquet and Arrow files need the library pyarrow, which is not installed."
        raise FormatError("library-missing", message, hint="Install it: pip install 'tdvc[parquet]'.") from error


def parquet_file(file: BinaryIO, name: str) -> Any:
    """An open Parquet file.

    Raises:
        FormatError: bad-format-file, where it is none or promises to unpack beyond all bounds; library-missing.
    """
    arrow, parquet = library(), library("pyarrow.parquet")
    try:
        opened = parquet.ParquetFile(file, buffer_size=_READ_BYTES, pre_buffer=False)  # else it holds row groups whole
        groups = [opened.metadata.row_group(number) for number in range(opened.metadata.num_row_groups)]
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise damaged(name, error) from error
    if any(group.total_byte_size > MAX_ROW_GROUP_BYTES for group in groups):
        message = f"{printable(name)} has a row group of more than {MAX_ROW_GROUP_BYTES >> 30} GiB."
        raise FormatError("bad-format-file", message, source=name)
    return opened


def parquet_rows(opened: Any, name: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file with these columns, few at a time.

    Raises:
        FormatError: bad-format-file, where the file is damaged from here on.
    """
    groups = [opened.metadata.row_group(number) for number in range(opened.metadata.num_row_groups)]
    row_bytes = max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
    at_once = max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(1, row_bytes)))
    parts = (group.column(number) for group in groups for number in range(group.num_columns))
    packed_bytes = sum(part.total_compressed_size for part in parts)
    return rows(opened.iter_batches(batch_size=at_once, columns=columns, use_threads=False), name, packed_bytes)


def holds_bytes(kind: Any) -> bool:
    """Whether a type holds bytes somewhere, for which JSON has no word."""
    types = library().types
    if types.is_struct(kind):
        return any(holds_bytes(field.type) for field in kind)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return holds_bytes(kind.value_type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind))


def readable_columns(schema: Any, besides: str, place: str, report: Report) -> list[str]:
    """The columns that become JSON, and one besides; the others reported."""
    unread = [field.name for field in schema if holds_bytes(field.type) and field.name != besides]
    if unread:
        message = f"Columns of bytes are not read: {', '.join(map(shortened, unread))}."
        report(Problem("skipped-other", place, message, severity="warning"))
    return [name for name in schema.names if name not in unread]


def rows(batches: Iterator[Any], name: str, file_bytes: int) -> Iterator[dict[str, Any]]:
    """The rows of validated record batches of a file of that length, as JSON; bytes stay bytes.

    Raises:
        FormatError: bad-format-file.
    """
    arrow = library()
    try:
        for batch in _bounded(batches, file_bytes):
            values = {field.name: value_reader(field.type) for field in batch.schema}
            columns = [map(values[field.name], batch.column(field.name).to_pylist()) for field in batch.schema]
            for cells in zip(*columns, strict=True):
                yield dict(zip(batch.schema.names, cells, strict=True))
    except (arrow.ArrowException, OSError, ValueError, KeyError, OverflowError) as error:
        raise damaged(name, error) from error


def _bounded(batches: Iterator[Any], file_bytes: int) -> Iterator[Any]:
    """Validated batches, as long as they do not unpack to far more than the file is long."""
    left = _FREE_BYTES + _TIMES_PACKED * file_bytes
    for batch in batches:
        batch.validate(full=True)
        left -= sum(map(_unpacked_bytes, batch.columns))
        if left < 0:
            raise ValueError(f"it unpacks to more than {_TIMES_PACKED} times its size")
        yield batch


def _unpacked_bytes(column: Any) -> int:
    """What the values of a column take; those of a dictionary are in it once, and here for every row."""
    types = library().types
    kind = column.type.value_type if types.is_dictionary(column.type) else None
    if kind is None or not (types.is_string(kind) or types.is_large_string(kind)):
        return int(column.nbytes)
    compute = library("pyarrow.compute")
    lengths = compute.take(compute.binary_length(column.dictionary), column.indices)
    return int(compute.sum(lengths).as_py() or 0)


def damaged(name: str, error: Exception) -> FormatError:
    """The error of a file that pyarrow does not take."""
    reason = printable(str(error)).splitlines()[0][:200] if str(error) else type(error).__name__
    return FormatError("bad-format-file", f"{printable(name)} can't be read: {reason.rstrip('.')}.", source=name)


def value_reader(kind: Any) -> Value:
    """How a type's values become JSON. Dates become text; NaN, which JSON has no word for, becomes null."""
    types = library().types
    if types.is_struct(kind):
        return _struct_reader({field.name: value_reader(field.type) for field in kind})
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _list_reader(value_reader(kind.value_type))
    if types.is_dictionary(kind):
        return value_reader(kind.value_type)
    if types.is_floating(kind):
        return _float if types.is_float64(kind) else _short_float
    if types.is_integer(kind) or types.is_decimal(kind):
        return _number
    if types.is_string(kind) or types.is_large_string(kind) or types.is_boolean(kind):
        return _same
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return _same
    return _text


def _struct_reader(readers: dict[str, Value]) -> Value:
    def read(value: Any) -> Any:
        return None if value is None else {name: reader(value[name]) for name, reader in readers.items()}

    return read


def _list_reader(reader: Value) -> Value:
    def read(value: Any) -> Any:
        return None if value is None else [reader(item) for item in value]

    return read


def _same(value: Any) -> Any:
    return value


def _text(value: Any) -> Any:
    return None if value is None else str(value)


def _number(value: Any) -> Any:
    return None if value is None else Number(value)


def _float(value: Any) -> Any:
    return Number(repr(value)) if value is not None and math.isfinite(value) else None


def _short_float(value: Any) -> Any:
    """A float of 32 or 16 bits, with as few digits as name it: 0.1 and not 0.10000000149011612."""
    if value is None or not math.isfinite(value):
        return None
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        if abs(short) < 3e38 and struct.pack("f", short) == struct.pack("f", value):
            return Number(repr(short))
    return Number(repr(value))


def features_of(schema: Any) -> Any:
    """The features that the library `datasets` describes in a schema's metadata; None where it has none.

    Source: huggingface/datasets, key `huggingface`: `{"info": {"features": {...}}}`.
    """
    try:
        described = parse_strictly((schema.metadata or {}).get(b"huggingface", b"null"))
        return described["info"]["features"]
    except (ValueError, TypeError, KeyError):
        return None
