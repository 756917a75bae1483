"""Files cut into shards and groups, for formats that hold the pictures themselves.

A shard is written while it fills, so that what is in memory is one group of rows and never a shard. Where it is cut
depends on nothing but the files in it: on their pictures' bytes and on the text of their instances. So the same files
give the same shards, and they are about as large whether a file has many instances or one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tdvc.formats.base import FileRecord

SHARD_BYTES = 256 << 20
MAX_SHARD_FILES = 100_000
MAX_PICTURE_BYTES = 256 << 20
"""What is larger stays outside: a picture is in memory as a whole on its way in and out."""

_INSTANCE_BYTES = 256
"""What an instance counts beside its geometry, attributes and properties."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Files that go into one archive or table: of one split, in their order.

    Attributes:
        split: of all of them.
        number: from 0, within the split.
        records: read as they are asked for, and all of them before the next shard.
    """

    split: str
    number: int
    records: Iterator[FileRecord]

    @property
    def stem(self) -> str:
        """`train-00003`, or `data-00003` where there are no splits."""
        return f"{self.split or 'data'}-{self.number:05d}"


def shards(records: Iterable[FileRecord], shard_bytes: int = SHARD_BYTES) -> Iterator[Shard]:
    """Every file in a shard of its split; a new one begins where the split changes or `shard_bytes` are reached."""
    cut = _Cut(records, shard_bytes)
    counts: Counter[str] = Counter()
    while cut.next is not None:
        split = cut.next.split
        shard = Shard(split, counts[split], cut.filling(split))
        counts[split] += 1
        yield shard
        if next(shard.records, None) is not None:
            raise AssertionError("a shard is read whole before the next one is asked for")


class _Cut:
    """Records on their way into shards.

    Attributes:
        next: the one that comes next; None at the end.
    """

    def __init__(self, records: Iterable[FileRecord], shard_bytes: int) -> None:
        self._records = iter(records)
        self._shard_bytes = shard_bytes
        self.next = next(self._records, None)

    def filling(self, split: str) -> Iterator[FileRecord]:
        """The records of one shard."""
        held_bytes = files = 0
        while self.next is not None and self.next.split == split:
            if files and (held_bytes >= self._shard_bytes or files >= MAX_SHARD_FILES):
                return
            record = self.next
            held_bytes += whole_bytes(record)
            files += 1
            yield record
            self.next = next(self._records, None)


def groups(
    records: Iterable[FileRecord], weigh: Callable[[FileRecord], int], max_files: int, max_bytes: int
) -> Iterator[list[FileRecord]]:
    """Neighbours that are written together: so many files at most, or what reaches so many bytes."""
    group: list[FileRecord] = []
    held_bytes = 0
    for record in records:
        group.append(record)
        held_bytes += weigh(record)
        if held_bytes >= max_bytes or len(group) >= max_files:
            yield group
            group, held_bytes = [], 0
    if group:
        yield group


def whole_bytes(record: FileRecord) -> int:
    """About what a file takes in a shard."""
    return annotation_bytes(record) + (_size(record) if is_inside(record) else 0)


def annotation_bytes(record: FileRecord) -> int:
    """About what a file's instances take as text."""
    return sum(
        _INSTANCE_BYTES + len(bytes(one.geometry)) + len(bytes(one.attributes)) + len(bytes(one.properties))
        for one in record.instances
    )


def _size(record: FileRecord) -> int:
    if record.source is not None:
        return record.source.stat().st_size
    return len(record.content or b"")


def is_inside(record: FileRecord) -> bool:
    """Whether the picture's bytes are at hand and few enough to be put into the shard."""
    return (record.content is not None or record.source is not None) and _size(record) <= MAX_PICTURE_BYTES


def picture_bytes(record: FileRecord) -> bytes | None:
    """The picture's bytes; None where it is not to be inside."""
    if not is_inside(record):
        return None
    return record.source.read_bytes() if record.source is not None else record.content
