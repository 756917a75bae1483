"""Examining packs, and bringing what is intact in a damaged one to safety.

A pack says everything twice: in its records, and in the index at its end. Readers believe the index. Here both are
read and compared, and where one is damaged the other one leads to the objects: what an entry points to is tried, and
what a walk along the records finds is tried too. Nothing counts as intact but bytes that hash to their id.

A walk that meets bytes which are no record goes on at the next place that an intact index names, or at the next mark
of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tdvc.errors import Corruption, StorageFailure
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.objects.idset import DTYPE, Ids
from tdvc.objects.pack import HEADER, RAW, RECORD, RECORD_MAGIC, ZSTD, Location, PackReader, PackWriter
from tdvc.objects.store import ObjectStore, new_stamp
from tdvc.objects.sweep import entries_of, pack_names
from tdvc.storage.base import Storage

_WINDOW_BYTES = 1 << 16
_KINDS = frozenset(Kind)


class Record(NamedTuple):
    """An object as a pack's record or index says it is."""

    kind: Kind
    identity: ObjectId
    location: Location


@dataclass(slots=True)
class PackReport:
    """What was found out about a pack.

    Attributes:
        name: of the pack.
        problems: what is wrong with the pack as such, each the end of a sentence.
        damaged: objects whose bytes do not match their id.
        objects: how many it holds.
    """

    name: str
    problems: list[str] = field(default_factory=list)
    damaged: list[tuple[Kind, ObjectId]] = field(default_factory=list)
    objects: int = 0

    def __bool__(self) -> bool:
        return bool(self.problems or self.damaged)


class _Window:
    """Reads a file forward, a large piece at a time."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self._name = name
        self._start = 0
        self._piece = b""

    def read(self, at: int, length: int) -> bytes:
        """Up to `length` bytes from `at`."""
        if not self._start <= at <= at + length <= self._start + len(self._piece):
            self._start = at
            self._piece = self._storage.read_range(self._name, at, max(length, _WINDOW_BYTES))
        return self._piece[at - self._start : at - self._start + length]

    def find(self, mark: bytes, start: int, end: int) -> int:
        """Where `mark` is next, from `start`; `end` where it is not before that."""
        while start < end:
            piece = self.read(start, min(_WINDOW_BYTES, end - start))
            at = piece.find(mark)
            if at >= 0:
                return start + at
            if len(piece) < len(mark):
                break
            start += len(piece) - len(mark) + 1
        return end


def index_of(storage: Storage, name: str) -> tuple[list[Record], list[str]]:
    """What the index of a pack says, ordered by place, and what is wrong with it."""
    try:
        reader = PackReader(storage, name)
        reader.entry_bytes()
        entries = [Record(*entry) for entry in reader.entries()]
    except Corruption as error:
        return [], [error.message.removeprefix(f"The store file {name} ").rstrip(".")]
    in_order = all((a.identity, a.kind) <= (b.identity, b.kind) for a, b in pairwise(entries))
    entries.sort(key=lambda entry: entry.location.offset)
    return entries, [] if in_order else ["has an index out of order"]


def records_of(storage: Storage, name: str, index: list[Record]) -> tuple[list[Record], list[str]]:
    """What the records of a pack say, and what is wrong with them.

    Args:
        storage: the place of the store.
        name: of the pack.
        index: what its index says, ordered by place; none where that is damaged.
    """
    window = _Window(storage, name)
    size = storage.size(name)
    end = max((place.offset + place.stored_bytes for _, _, place in index), default=size)
    starts = iter([place.offset - RECORD.size for _, _, place in index])
    problems = [] if window.read(0, len(HEADER)) == HEADER else ["has a damaged header"]
    found: list[Record] = []
    at = len(HEADER)
    while at < end:
        record = _record_at(window, name, at, end)
        if record is not None:
            found.append(record)
            at = record.location.offset + record.location.stored_bytes
            continue
        if index:
            problems.append(f"has no intact record at {at}")
        at = next((start for start in starts if start > at), end) if index else window.find(RECORD_MAGIC, at + 1, end)
    return found, problems


def _record_at(window: _Window, name: str, at: int, end: int) -> Record | None:
    head = window.read(at, RECORD.size)
    if len(head) < RECORD.size:
        return None
    magic, kind, codec, zero, stored_bytes, size_bytes, identity = RECORD.unpack(head)
    if magic != RECORD_MAGIC or kind not in _KINDS or codec not in (RAW, ZSTD) or zero:
        return None
    if at + RECORD.size + stored_bytes > end:
        return None
    return Record(Kind(kind), ObjectId(identity), Location(name, at + RECORD.size, stored_bytes, size_bytes, codec))


def examine(storage: Storage, store: ObjectStore, name: str, verified: Callable[[Kind], bool] | None) -> PackReport:
    """Look at a pack from end to end.

    Args:
        storage: the place of the store.
        store: for decoding.
        name: of the pack.
        verified: of which kinds the content is read and hashed; None to look at the index alone.
    """
    report = PackReport(name)
    try:
        index, report.problems = index_of(storage, name)
        if verified is None:
            report.objects = len(index)
            return report
        records, wrong = records_of(storage, name, index)
        report.problems += wrong
        if index and not wrong and sorted(index) != sorted(records):
            report.problems.append("has an index that differs from its records")
        report.objects = len(index or records)
        for record in index or records:
            if verified(record.kind) and not is_intact(store, record):
                report.damaged.append((record.kind, record.identity))
    except StorageFailure as error:
        report.problems.append(f"can't be read: {error.message.rstrip('.')}")
    return report


def ids_in(storage: Storage, name: str) -> Ids:
    """The ids of a pack's objects; none where its index is damaged."""
    try:
        ids: Ids = entries_of(PackReader(storage, name))["id"]
    except (Corruption, FileNotFoundError):
        return np.empty(0, DTYPE)
    return ids


def listed(storage: Storage, kind: Kind) -> Iterator[ObjectId]:
    """Every packed object of a kind, as far as indexes can be read; some may come again."""
    for name in pack_names(storage):
        yield from (record.identity for record in index_of(storage, name)[0] if record.kind is kind)


def is_intact(store: ObjectStore, record: Record) -> bool:
    """Whether the stored bytes are those of the object."""
    return _intact_bytes(store, record) is not None


def _intact_bytes(store: ObjectStore, record: Record) -> bytes | None:
    """An object as it is stored, where that is what it should be."""
    stored = store.stored_bytes(record.location)
    content = store.decoded(record.location, stored)
    if content is None or len(content) != record.location.size_bytes:
        return None
    return stored if object_id(record.kind, content) == record.identity else None


def intact_records(storage: Storage, store: ObjectStore, name: str) -> Iterator[tuple[Record, bytes]]:
    """Every object of a pack that is as it should be, each once, with its stored bytes."""
    index, _ = index_of(storage, name)
    seen: set[tuple[Kind, ObjectId]] = set()
    walks = [index, records_of(storage, name, index)[0]]
    if index:
        walks.append(records_of(storage, name, [])[0])
    for record in (record for walk in walks for record in walk):
        key = (record.kind, record.identity)
        if key not in seen and (stored := _intact_bytes(store, record)) is not None:
            seen.add(key)
            yield record, stored


def copy_intact(storage: Storage, store: ObjectStore, name: str) -> tuple[int, list[str]]:
    """Write every intact object of a pack into new ones, durable and visible; how many, and the new packs."""
    writer: PackWriter | None = None
    sealed: list[PackWriter] = []
    copied = 0
    for record, stored in intact_records(storage, store, name):
        if writer is None or writer.full:
            writer = PackWriter(storage)
            sealed.append(writer)
        writer.add(record.kind, record.identity, stored, record.location.codec, record.location.size_bytes)
        copied += 1
    for filled in sealed:
        filled.seal()
    return copied, [filled.publish(new_stamp()) for filled in sealed]
