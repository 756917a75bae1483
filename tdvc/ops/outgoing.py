"""What leaves a repository in an export, file by file.

Reading an instance set, seeing what of it a format can't carry and putting it into the format's words is nearly all the
work of an export, and none of it changes anything: so worker processes do it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import msgspec

from tdvc.errors import Corruption
from tdvc.formats._videos import SIZE, size_in_properties
from tdvc.formats.base import FileRecord, LabelRecord, ShardedFormat, WritableFormat, WrittenFile
from tdvc.model.conversion import boxed
from tdvc.model.problems import Report
from tdvc.model.records import Instance
from tdvc.ops.locked import with_keys
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, properties_of


class Leaving(NamedTuple):
    """A file that goes out: the state it is of, its split there, and its size in px as its header says, if it does."""

    state: Directory
    entry: Entry
    split: str
    size: tuple[int, int] | None


class Ready(msgspec.Struct):
    """What a worker made of a file.

    Attributes:
        damage: why it can't be read; empty where it can.
        labels: of its instances.
        losses: what the format can't carry of it, and of how many instances.
        prepared: see `FileRecord`.
    """

    damage: str = ""
    labels: frozenset[str] = frozenset()
    losses: dict[str, int] = {}
    prepared: Any = None


class Outgoing:
    """Puts files into the words of a format.

    Args:
        chosen: the format.
        labels: every class, as it goes out.
        names: what labels are called there, where that differs from their keys.
        boxes: shapes go out as the boxes around them.
    """

    def __init__(
        self,
        chosen: WritableFormat,
        labels: Sequence[LabelRecord],
        names: Mapping[str, str],
        *,
        boxes: bool = False,
    ) -> None:
        self._format = chosen
        self._names = dict(names)
        self._boxes = boxes
        self._lost_raw = sorted(_RAW - chosen.KEEPS)
        self._lost_plain = sorted(_PLAIN - chosen.KEEPS)
        preparing = getattr(chosen, "preparing", None)
        self.prepares = preparing is not None
        self._prepare = preparing(labels) if preparing is not None else None

    def losses(self, files: Sequence[Leaving]) -> list[Ready]:
        """What the format can't carry of each file."""
        return [self._read(file) for file in files]

    def _read(self, file: Leaving) -> Ready:
        try:
            return Ready(losses=self._losses_of(file, self._instances(file)))
        except Corruption as error:
            return Ready(damage=error.message)

    def ready(self, files: Sequence[Leaving]) -> list[Ready]:
        """What can be done with each file without knowing the others."""
        found = [self._found(file) for file in files]
        whole = [record for record in found if not isinstance(record, str)]
        prepared = iter(self._prepare(whole) if self._prepare else [None] * len(whole))
        return [
            Ready(damage=record) if isinstance(record, str) else self._ready(file, record, next(prepared))
            for file, record in zip(files, found, strict=True)
        ]

    def _found(self, file: Leaving) -> FileRecord | str:
        """The record of a file, or why it can't be read."""
        try:
            return self.record(file)
        except Corruption as error:
            return error.message

    def _ready(self, file: Leaving, record: FileRecord, prepared: Any) -> Ready:
        labels = frozenset([instance.label for instance in record.instances])
        return Ready("", labels, self._losses_of(file, record.instances), prepared)

    def record(self, file: Leaving, content: bytes | None = None) -> FileRecord:
        """The whole record of a file. Raises Corruption."""
        return self.bare(file, content, instances=list(with_keys(self._instances(file), self._names)))

    def _instances(self, file: Leaving) -> list[Instance]:
        instances = file.state.instances(file.entry)
        return list(map(boxed, instances)) if self._boxes else instances

    def bare(self, file: Leaving, content: bytes | None = None, **more: Any) -> FileRecord:
        """The record of a file without its instances. Raises Corruption."""
        state = file.entry.state
        properties = properties_of(state)
        return FileRecord(
            path=file.entry.path,
            source=None,
            properties=properties,
            complete=bool(state.complete),
            file_id=state.file_id.hex(),
            blob=state.blob.hex(),
            size=file.size or size_in_properties(properties),
            split=file.split,
            content=content,
            **more,
        )

    def waiting(self, file: Leaving, ready: Ready) -> FileRecord:
        """The record of a file of which everything is prepared; it can still be made whole. Raises Corruption."""
        return self.bare(file, instances=[], prepared=ready.prepared, later=partial(self._whole, file))

    def _whole(self, file: Leaving, record: FileRecord, report: Report) -> FileRecord:
        del record, report
        return self.record(file)

    def _losses_of(self, file: Leaving, instances: Sequence[Instance]) -> dict[str, int]:
        losses = dict.fromkeys(self._losses_of_file(file.entry), 1)
        for instance in instances:
            for name in self._losses_of_instance(instance):
                losses[name] = losses.get(name, 0) + 1
        return losses

    def _losses_of_file(self, entry: Entry) -> Iterator[str]:
        keeps = self._format.KEEPS
        if "file-properties" not in keeps:
            said = set(properties_of(entry.state))
            if said - {self._format.NAME, SIZE, *({"splits"} & keeps)}:
                yield "file properties"
        if not entry.state.instance_count and "empty-files" not in keeps:
            yield "files without instances"

    def _losses_of_instance(self, instance: Instance) -> Iterator[str]:
        if instance.type not in self._format.TYPES:
            yield f"{instance.type} instances"
            return
        for name in self._lost_raw:
            raw = bytes(getattr(instance, name))
            if raw not in (b"{}", b"null") and not self._is_own(name, raw):
                yield name
        for name in self._lost_plain:
            if getattr(instance, name) is not None:
                yield name

    def _is_own(self, name: str, raw: bytes) -> bool:
        """Whether properties are nothing but what this format said itself, which it writes back."""
        return name == "properties" and set(_keys.decode(raw)) == {self._format.NAME}


def classes_of(states: Iterable[Directory], format_name: str) -> dict[str, LabelRecord]:
    """Key to class, for every label of the schemas: a subset of the files does not renumber them.

    Tools know names only, so a class goes out under the name that the first state's schema has for it.
    """
    found: dict[str, LabelRecord] = {}
    for state in states:
        for label in state.schema.in_order():
            fields, name = dict(label.formats.get(format_name, {})), label.name or label.key
            found.setdefault(label.key, LabelRecord(name, name, label.index, fields))
    return found


def class_list(classes: Mapping[str, LabelRecord]) -> list[LabelRecord]:
    """The classes in order, by their numbers; labels of one name are one class."""
    return list({label.key: label for label in classes.values()}.values())


def written_files(
    chosen: WritableFormat,
    records: Iterable[FileRecord],
    labels: Sequence[LabelRecord],
    report: Report,
    shard_bytes: int,
) -> Iterator[WrittenFile]:
    """What a format writes, in shards of about that size; 0 for what the format says."""
    if not shard_bytes:
        return chosen.write(records, labels, report)
    return cast(ShardedFormat, chosen).write_shards(records, labels, report, shard_bytes)


_RAW = frozenset(("attributes", "properties", "score"))
_PLAIN = frozenset(("frame", "sequence"))
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])
