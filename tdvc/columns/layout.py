"""The two tables of a page of files, and how they lie in one cached file.

    "TDVCCOLS"    8 bytes
    lengths       2 x u64: of the files part, of the instances part
    checksum      u64, xxh3_64 of everything behind byte 32
    page          the id of the page, 32 bytes: a file under another one's name is not believed
    files         an Arrow IPC file, uncompressed, padded to 64 bytes
    instances     the same

Arrow trusts the offsets in its buffers, so nothing is given to it before the checksum was right; and since a checksum
only guards against accidents, the offsets are checked as well. `FORMAT` is part of the folder's name: a file of another
format is never looked at. The head keeps the Arrow parts aligned to 64 bytes, so that columns are used where they lie.
"""

from __future__ import annotations

import importlib
import struct
from functools import cache
from typing import Any, NamedTuple

import xxhash

from tdvc.ids import ObjectId

FORMAT = 2
FOLDER = f"cache/columns-{FORMAT}"
OLD_FOLDERS = tuple(f"cache/columns-{older}" for older in range(1, FORMAT))

_HEAD = struct.Struct("<8sQQQ")
_MAGIC = b"TDVCCOLS"
_ALIGNED = 64


class ColumnPage(NamedTuple):
    """The tables of some files of a directory, in path order.

    Attributes:
        files: a record batch, one row a file (`file_fields`).
        instances: a record batch, one row an instance, ordered by file and instance_id (`instance_fields`); `file` is
            the position of its file in `files`.
    """

    files: Any
    instances: Any


def arrow() -> Any:
    """pyarrow, imported when somebody reads columns."""
    return importlib.import_module("pyarrow")


@cache
def file_fields() -> Any:
    """The schema of files.

    What is not in the row of the directory follows from it: `picture` (whether it should be one), `said_width` and
    `said_height` (the size that some format's description gives, null for none), `splits` (those it came with), and
    `damaged` (its instance set can't be read, so it has no instances here).
    """
    pa = arrow()
    return pa.schema(
        [
            pa.field("path", pa.string()),
            pa.field("file_id", pa.binary(16)),
            pa.field("blob", pa.binary(32)),
            pa.field("size_bytes", pa.uint64()),
            pa.field("instances", pa.binary(32)),
            pa.field("instance_count", pa.uint64()),
            pa.field("complete", pa.uint64()),
            pa.field("completeness_schema", pa.binary(32)),
            pa.field("media_type", pa.string()),
            pa.field("properties", pa.large_string()),
            pa.field("origin", pa.binary()),
            pa.field("picture", pa.bool_()),
            pa.field("said_width", pa.float64()),
            pa.field("said_height", pa.float64()),
            pa.field("splits", pa.list_(pa.string())),
            pa.field("damaged", pa.bool_()),
        ]
    )


@cache
def instance_fields() -> Any:
    """The schema of instances.

    `x0 y0 x1 y1` is the bounding box, null where nothing is drawn; `points` the fewest different points in one of its
    outlines, null where the type has none; `content` a hash of all that an instance says but for its id and properties.
    """
    pa = arrow()
    words = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            pa.field("file", pa.int32()),
            pa.field("instance_id", pa.binary(16)),
            pa.field("label", words),
            pa.field("type", words),
            *(pa.field(name, pa.float64()) for name in ("x0", "y0", "x1", "y1", "area", "score")),
            pa.field("frame", pa.int64()),
            pa.field("sequence", words),
            pa.field("source", words),
            pa.field("attributes", pa.large_string()),
            pa.field("properties", pa.large_string()),
            pa.field("geometry", pa.large_string()),
            pa.field("points", pa.int32()),
            pa.field("crosses_itself", pa.bool_()),
            pa.field("malformed", pa.bool_()),
            pa.field("content", pa.uint64()),
        ]
    )


def encode(columns: ColumnPage, page: ObjectId) -> bytes:
    """The bytes of the cached columns of a page."""
    parts = [_ipc(batch) for batch in columns]
    body = page + b"".join(part + bytes(_padded(len(part)) - len(part)) for part in parts)
    return _HEAD.pack(_MAGIC, len(parts[0]), len(parts[1]), xxhash.xxh3_64_intdigest(body)) + body


def _ipc(batch: Any) -> bytes:
    pa = arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _padded(length: int) -> int:
    return -(-length // _ALIGNED) * _ALIGNED


def decode(content: memoryview, page: ObjectId) -> ColumnPage | None:
    """The cached columns of a page, lying in `content`; None where that is not whole, or another page's."""
    if len(content) < _ALIGNED:
        return None
    magic, files_bytes, instances_bytes, checksum = _HEAD.unpack_from(content)
    body = content[_ALIGNED:]
    second = _padded(files_bytes)
    if magic != _MAGIC or second + _padded(instances_bytes) != len(body):
        return None
    if bytes(content[_HEAD.size : _ALIGNED]) != page or xxhash.xxh3_64_intdigest(content[_HEAD.size :]) != checksum:
        return None
    try:
        files, instances = _batch(body[:files_bytes]), _batch(body[second : second + instances_bytes])
    except (arrow().ArrowException, OSError, ValueError, IndexError):
        return None
    fits = files.schema == file_fields() and instances.schema == instance_fields()
    return ColumnPage(files, instances) if fits else None


def _batch(content: memoryview) -> Any:
    pa = arrow()
    with pa.ipc.open_file(pa.py_buffer(content)) as reader:
        batch = reader.get_batch(0)
    batch.validate(full=True)
    return batch
