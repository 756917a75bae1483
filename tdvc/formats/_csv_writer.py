"""Writing CSV tables: the columns of TensorFlow's tables first, then tdvc's own, then those a CSV source had beyond."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from tdvc.formats._tables import OWN_HEADER, guarded, plain_name, typed
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

FILE_NAME = "annotations.csv"
_FORMAT = "csv"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_HEADER = tuple(OWN_HEADER)
_ROWS_A_PIECE = 1000

_encoder = msgspec.json.Encoder()
_rows = msgspec.json.Decoder(dict[str, str])


def place(record: FileRecord) -> str:
    """Pictures keep their path, below their split."""
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One table. Its rows are held in memory as text, because the header names what the last of them needs."""
    del labels
    extra: dict[str, str] = {}
    held: list[bytes] = []
    for record in records:
        held += [_encoder.encode(row) for row in _described(record, extra, report)]
    yield WrittenFile(FILE_NAME, _pieces([*_HEADER, *extra.values()], held))


def _pieces(header: list[str], held: list[bytes]) -> Iterator[bytes]:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow([guarded(name) for name in header])
    for start in range(0, len(held), _ROWS_A_PIECE):
        for row in map(_rows.decode, held[start : start + _ROWS_A_PIECE]):
            table.writerow([row.get(name, "") for name in header])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _described(record: FileRecord, extra: dict[str, str], report: Report) -> Iterator[dict[str, str]]:
    """The rows of a file, by column; one that only names it, where it has no instance."""
    width, height = record.size or ("", "")
    about = {"filename": guarded(place(record)), "width": str(width), "height": str(height)}
    about["split"] = guarded(record.split)
    written = False
    for instance in record.instances:
        corners = numbers.parse(bytes(instance.geometry)) or []
        if instance.type not in ("box", "tag") or len(corners) > 4:
            kind = "turned box" if instance.type == "box" else instance.type
            message = f"A {kind} has no place in a table of boxes."
            where = printable(record.path)
            report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))
            continue
        written = True
        row = about | dict(zip(_CORNERS, map(str, corners), strict=False)) | _fields(instance)
        yield row | _columns(instance, extra)
    if not written:
        yield about


def _fields(instance: Instance) -> dict[str, str]:
    row = {"class": guarded(instance.label), "instance_id": instance.instance_id}
    if instance.frame is not None:
        row["frame"] = str(instance.frame)
    if bytes(instance.score) != b"null":
        row["score"] = bytes(instance.score).decode()
    if bytes(instance.attributes) != b"{}":
        row["attributes"] = bytes(instance.attributes).decode()
    for name in ("sequence", "source"):
        row[name] = guarded(getattr(instance, name) or "")
    return row


def _columns(instance: Instance, extra: dict[str, str]) -> dict[str, str]:
    """The properties: those that were columns of a table are columns again, the others one JSON object."""
    properties = numbers.parse(bytes(instance.properties))
    former = properties.get(_FORMAT)
    columns: dict[str, str] = {}
    if isinstance(former, dict):
        columns = {name: _cell(value) for name, value in former.items() if _is_column(name, value, extra)}
        rest = {name: value for name, value in former.items() if name not in columns}
        properties = {key: value for key, value in properties.items() if key != _FORMAT}
        properties |= {_FORMAT: rest} if rest else {}
    return columns | ({"properties": numbers.spell(properties).decode()} if properties else {})


def _is_column(name: str, value: Any, extra: dict[str, str]) -> bool:
    """Whether a value comes back the same from a column of that name, which is noted then."""
    plain = plain_name(name)
    if not plain or plain in _HEADER or not name.isprintable() or extra.get(plain, name) != name:
        return False
    if not isinstance(value, str) or not value:
        return False
    if isinstance(typed(str(value)), numbers.Number) != isinstance(value, numbers.Number):
        return False
    extra[plain] = name
    return True


def _cell(value: str) -> str:
    return str(value) if isinstance(value, numbers.Number) else guarded(value)
