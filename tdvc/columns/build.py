"""The tables of some rows of a directory, made of its objects.

The instance sets of all rows are decoded in one go and turned round into columns. A set that is missing or damaged
costs its own file's instances and nothing else: the file is marked `damaged`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import numpy as np
import xxhash

from tdvc.columns.arrays import column
from tdvc.columns.layout import ColumnPage, arrow, file_fields, instance_fields
from tdvc.columns.shapes import measure
from tdvc.errors import Corruption
from tdvc.ids import NO_ID, Kind
from tdvc.model.media import promises_picture
from tdvc.model.records import Instance, decode_set
from tdvc.objects.store import ReadableObjects
from tdvc.tables.page import Row

_PROPERTIES = 9  # where in a row
_INSTANCES = 4


def build(objects: ReadableObjects, rows: Sequence[Row]) -> ColumnPage:
    """The tables of rows of a `FILES` table. A damaged set is left out and its file marked."""
    sets, counts, damaged = _read_sets(objects, rows)
    instances = _batch(instance_fields(), _instance_columns(sets, counts))
    return ColumnPage(_batch(file_fields(), _file_columns(rows, damaged)), instances)


def _batch(schema: Any, columns: Mapping[str, Any]) -> Any:
    pa = arrow()
    arrays = [column(columns[field.name], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _read_sets(objects: ReadableObjects, rows: Sequence[Row]) -> tuple[list[Instance], list[int], list[bool]]:
    """The instances of all rows, how many are each row's, and whether its set is damaged."""
    contents, damaged = [], []
    for row in rows:
        try:
            contents.append(b"" if row[_INSTANCES] == NO_ID else objects.read(Kind.INSTANCES, row[_INSTANCES]))
            damaged.append(False)
        except Corruption:
            contents.append(b"")
            damaged.append(True)
    try:
        found = decode_set(b"".join(contents))
        counts = [content.count(b"\n") for content in contents]
        if sum(counts) == len(found):
            return found, counts, damaged
    except ValueError:  # msgspec's errors are ValueErrors
        pass
    return _decode_each(contents, damaged)


def _decode_each(contents: list[bytes], damaged: list[bool]) -> tuple[list[Instance], list[int], list[bool]]:
    """The same, where some set is not what it should be."""
    sets: list[list[Instance]] = []
    for position, content in enumerate(contents):
        try:
            sets.append(decode_set(content))
        except ValueError:
            sets.append([])
            damaged[position] = True
    return list(chain.from_iterable(sets)), [len(one) for one in sets], damaged


def _instance_columns(instances: list[Instance], counts: list[int]) -> dict[str, Any]:
    shapes = measure([one.type for one in instances], [one.geometry for one in instances])
    drawn = ~np.isnan(shapes.boxes[:, 0])
    boxes = {
        name: np.ma.masked_array(shapes.boxes[:, position], ~drawn)
        for position, name in enumerate(("x0", "y0", "x1", "y1"))
    }
    return {
        **boxes,
        "file": np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        "instance_id": [_identity(one.instance_id) for one in instances],
        **{name: [getattr(one, name) for one in instances] for name in ("label", "type", "sequence", "source")},
        "area": shapes.areas,
        "score": [_score(one.score) for one in instances],
        "frame": [one.frame for one in instances],
        **{name: [bytes(getattr(one, name)) for one in instances] for name in ("attributes", "properties", "geometry")},
        "points": np.ma.masked_array(shapes.points, shapes.points < 0),
        "crosses_itself": shapes.crosses_itself,
        "malformed": shapes.malformed,
        "content": np.array([_content(one) for one in instances], np.uint64),
    }


def _identity(text: str) -> bytes:
    """The 16 bytes of an instance_id; zeros for one that is none."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return bytes(16)
    return found if len(found) == 16 else bytes(16)


def _score(raw: msgspec.Raw) -> float | None:
    text = bytes(raw)
    if text == b"null":
        return None
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _content(one: Instance) -> int:
    """A hash of what an instance says, without its id and properties."""
    parts = (one.label, one.type, one.sequence, one.frame, one.source)
    said = (repr(parts).encode(errors="replace"), bytes(one.attributes), bytes(one.geometry), bytes(one.score))
    return xxhash.xxh3_64_intdigest(b"\0".join(said))


def _file_columns(rows: Sequence[Row], damaged: Sequence[bool]) -> dict[str, Any]:
    names = file_fields().names[:11]
    columns: dict[str, Any] = {name: [row[position] for row in rows] for position, name in enumerate(names)}
    for name in ("path", "media_type", "properties"):
        columns[name] = [value.decode(errors="replace") for value in columns[name]]
    said = [_said(row[_PROPERTIES]) for row in rows]
    pictures = zip(columns["path"], columns["media_type"], strict=True)
    return {
        **columns,
        "picture": [promises_picture(path, media_type) for path, media_type in pictures],
        "said_width": [size[0] for size, _ in said],
        "said_height": [size[1] for size, _ in said],
        "splits": [splits for _, splits in said],
        "damaged": list(damaged),
    }


Size = tuple[float | None, float | None]

_NOT_SAID: Size = (None, None)


def _said(properties: bytes) -> tuple[Size, list[str]]:
    """The size of the picture that a source gave, and the splits that the file came with."""
    try:
        found = msgspec.json.decode(properties) if properties else {}
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        return _NOT_SAID, []
    splits = found.pop("splits", None)
    names = [name for name in splits if isinstance(name, str)] if isinstance(splits, list) else []
    sizes = map(_size_in, (found, *(said for said in found.values() if isinstance(said, dict))))
    return next((size for size in sizes if size != _NOT_SAID), _NOT_SAID), names


def _size_in(described: Mapping[str, Any]) -> Size:
    """The size in what one format says of a picture: beside its other words, or below `size` or `image`."""
    pairs = [(described.get("imageWidth"), described.get("imageHeight"))]
    for place in (described, described.get("size"), described.get("image")):
        if isinstance(place, dict):
            pairs.append((place.get("width"), place.get("height")))
        elif isinstance(place, list) and len(place) == 2:
            pairs.append((place[0], place[1]))
    sizes = ((_side(width), _side(height)) for width, height in pairs)
    return next((size for size in sizes if None not in size), _NOT_SAID)


def _side(value: Any) -> float | None:
    """A side in px; None for what can't be one."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        side = float(value)
    except (ValueError, OverflowError):
        return None
    return side if 0 < side < 1e9 else None
