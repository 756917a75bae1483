"""Arrow columns from Python values and as numpy arrays, by way of their buffers.

Arrow can do this itself, but imports pandas for it where that is installed, which takes longer than most validations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.columns.layout import arrow

_TYPES = {"int32": np.int32, "int64": np.int64, "uint64": np.uint64, "double": np.float64}


def column(values: Any, kind: Any) -> Any:
    """An Arrow array of a type.

    Args:
        values: a list, in which None is null, or for numbers a numpy array or a masked one.
        kind: the type.
    """
    pa = arrow()
    if pa.types.is_dictionary(kind):
        return _words_of(values, kind)
    if pa.types.is_list(kind):
        ends = _ends([len(value) for value in values])
        inner = column([item for value in values for item in value], kind.value_type)
        return pa.Array.from_buffers(kind, len(values), [None, ends], children=[inner])
    if pa.types.is_fixed_size_binary(kind):
        return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(b"".join(values))])
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        return _texts_of(values, kind)
    return _numbers_of(values, kind)


def _words_of(values: Sequence[str | None], kind: Any) -> Any:
    positions = {word: at for at, word in enumerate(dict.fromkeys(word for word in values if word is not None))}
    indices = [None if word is None else positions[word] for word in values]
    dictionary = column(list(positions), kind.value_type)
    return arrow().DictionaryArray.from_arrays(column(indices, kind.index_type), dictionary)


def _texts_of(values: Sequence[str | bytes | None], kind: Any) -> Any:
    pa = arrow()
    parts = [b"" if value is None else value.encode() if isinstance(value, str) else value for value in values]
    ends = _ends([len(part) for part in parts], np.int64 if pa.types.is_large_string(kind) else np.int32)
    return pa.Array.from_buffers(kind, len(parts), [None, ends, pa.py_buffer(b"".join(parts))])


def _ends(lengths: Sequence[int], kind: Any = np.int32) -> Any:
    """Where each value ends, behind a 0: the offsets of Arrow."""
    return arrow().py_buffer(np.concatenate(([0], np.cumsum(np.array(lengths, np.int64)))).astype(kind))


def _numbers_of(values: Any, kind: Any) -> Any:
    pa = arrow()
    missing = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    if isinstance(values, list):
        missing = np.array([value is None for value in values], bool)
        values = [0 if value is None else value for value in values]
    data = np.ascontiguousarray(np.ma.getdata(values))
    packed = _packed(data.astype(bool)) if pa.types.is_boolean(kind) else pa.py_buffer(data.astype(_TYPES[str(kind)]))
    validity = _packed(~missing) if missing is not None and missing.any() else None
    return pa.Array.from_buffers(kind, len(data), [validity, packed])


def _packed(truths: NDArray[np.bool_]) -> Any:
    return arrow().py_buffer(np.packbits(truths, bitorder="little"))


def numbers(column: Any) -> NDArray[Any]:
    """A column of numbers or truths. Where it has nulls, they are NaN and the others floats."""
    kind = str(column.type)
    validity, data = column.buffers()[:2]
    if kind == "bool":
        values: NDArray[Any] = _bits(data, column)
    elif data is None:
        values = np.zeros(len(column), _TYPES[kind])
    else:
        values = np.frombuffer(data, _TYPES[kind], len(column) + column.offset)[column.offset :]
    if validity is None or not column.null_count:
        return values
    return np.where(_bits(validity, column), values, np.nan)


def _bits(data: Any, column: Any) -> NDArray[np.bool_]:
    """One bit a value, lowest first."""
    if data is None:
        return np.zeros(len(column), bool)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    found: NDArray[np.bool_] = bits[column.offset : column.offset + len(column)].astype(bool)
    return found


def words(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    """A column of words that occur again and again: their positions in a list, -1 for null, and the list."""
    positions = numbers(column.indices)
    if positions.dtype == np.float64:
        positions = np.nan_to_num(positions, nan=-1)
    return positions.astype(np.int64), column.dictionary.to_pylist()


def fixed(column: Any) -> NDArray[np.uint8]:
    """A column of values of one width as (n, width) bytes."""
    width = column.type.byte_width
    data = column.buffers()[1]
    if data is None or not len(column):
        return np.zeros((0, width), np.uint8)
    return np.frombuffer(data, np.uint8, len(column) * width, column.offset * width).reshape(-1, width)
