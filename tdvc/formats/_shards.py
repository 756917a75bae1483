"""Files cut into shards, for formats that hold the pictures themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tdvc.formats.base import FileRecord

MAX_SHARD_BYTES = 256 << 20
MAX_SHARD_FILES = 10_000
MAX_PICTURE_BYTES = 256 << 20
"""What is larger stays outside: a picture is in memory as a whole on its way in and out."""


@dataclass(slots=True)
class Shard:
    """Files that go into one archive or table: of one split, in their order."""

    split: str
    number: int
    records: list[FileRecord] = field(default_factory=list)
    picture_bytes: int = 0

    @property
    def stem(self) -> str:
        """`train-00003`, or `data-00003` where there are no splits."""
        return f"{self.split or 'data'}-{self.number:05d}"


def shards(records: Iterable[FileRecord]) -> Iterator[Shard]:
    """Every file in a shard of its split. Pictures that lie on disk are not read here."""
    filling: dict[str, Shard] = {}
    for record in records:
        shard = filling.setdefault(record.split, Shard(record.split, 0))
        shard.records.append(record)
        shard.picture_bytes += _size(record)
        if shard.picture_bytes >= MAX_SHARD_BYTES or len(shard.records) >= MAX_SHARD_FILES:
            yield shard
            filling[record.split] = Shard(record.split, shard.number + 1)
    yield from (shard for shard in filling.values() if shard.records)


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
