"""Writing COCO: `annotations/instances_<split>.json` and the pictures under `images/`.

Ids stay what they were where they came from COCO and are still unique; others follow on. A category's id is the one it
had, or its place in the class list counted from 1. The annotation's `instance_id` goes along, so that what comes
back is known again. What the panoptic writer does in the same way is public here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from tdvc.formats._carry import own_of
from tdvc.formats._coco_annotations import FORMAT
from tdvc.formats._coco_text import GiveId, annotation
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.names import printable


def place(record: FileRecord) -> str:
    """Below `images`, by split."""
    return f"images/{record.split}/{record.path}" if record.split else f"images/{record.path}"


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One file a split. The annotations of all splits are held in memory as text."""
    categories = category_ids(labels)
    splits: dict[str, _Split] = {}
    for record in records:
        split = splits.get(record.split)
        if split is None:
            split = splits[record.split] = _Split(categories, report)
        split.add(record)
    for name, split in splits.items():
        yield WrittenFile(f"annotations/instances_{name or 'all'}.json", split.pieces(labels))


def category_ids(labels: Sequence[LabelRecord]) -> dict[str, int]:
    """Category ids by label: those that came from COCO, else the place in the list from 1."""
    ids: dict[str, int] = {}
    for label in labels:
        given = numbers.plain(label.fields.get("id"))
        if isinstance(given, int) and given not in ids.values():
            ids[label.key] = given
    free = (number for number in range(1, 2 * len(labels) + 2) if number not in set(ids.values()))
    for label in labels:
        if label.key not in ids:
            wanted = (label.index or 0) + 1
            ids[label.key] = wanted if wanted not in ids.values() else next(free)
    return ids


class Ids:
    """Ids that are wanted where they are free, and numbers that follow on.

    Args:
        lowest: the lowest id there is.
        highest: the highest that may be given where it is wanted; None for no bound.
    """

    def __init__(self, lowest: int = 0, highest: int | None = None) -> None:
        self._taken: set[int] = set()
        self._next = 1
        self._lowest = lowest
        self._highest = highest

    def give(self, wanted: Any) -> int:
        """An id: the wanted one where it is one and free."""
        given = numbers.plain(wanted)
        identity = given if isinstance(given, int) and not isinstance(given, bool) and self._fits(given) else None
        if identity is None or identity in self._taken:
            while self._next in self._taken:
                self._next += 1
            identity = self._next
        self._taken.add(identity)
        return identity

    def take(self, wanted: Collection[int]) -> None:
        """Give ids that are all free, each once."""
        self._taken.update(wanted)

    def are_free(self, wanted: Collection[int]) -> bool:
        """Whether `give` would give just these."""
        return self._taken.isdisjoint(wanted)

    def _fits(self, identity: int) -> bool:
        return identity >= self._lowest and (self._highest is None or identity <= self._highest)


class Images:
    """The `images` of a file in the making.

    Attributes:
        records: as JSON.
        ids: of the images.
    """

    def __init__(self, name: str) -> None:
        self.records: list[bytes] = []
        self.ids = Ids()
        self._name = name

    def add(self, record: FileRecord, said: Mapping[str, Any]) -> int:
        """Add a file, with what it said in the format's words when it came; its id."""
        identity = self.ids.give(said.get("id"))
        self.records.append(image(record, said, identity, self._name))
        return identity


def image(record: FileRecord, said: Mapping[str, Any], identity: int, name: str) -> bytes:
    """A record of `images` as JSON; arguments as of `Images.add`, and the name of the format."""
    properties = {key: value for key, value in record.properties.items() if key not in (name, "splits")}
    fields = {**said, "id": identity, "file_name": record.path}
    if record.size:
        fields["width"], fields["height"] = record.size
    if properties:
        fields["properties"] = properties
    return numbers.spell(fields)


def document(
    images: Images, annotations: Sequence[bytes], labels: Sequence[LabelRecord], categories: Mapping[str, int]
) -> Iterator[bytes]:
    """A COCO file, record by record."""
    yield b'{"images":['
    yield from _separated(images.records)
    yield b'],"annotations":['
    yield from _separated(annotations)
    yield b'],"categories":'
    yield numbers.spell([{**label.fields, "id": categories[label.key], "name": label.name} for label in labels])
    yield b"}\n"


class _Split:
    """One COCO file in the making."""

    def __init__(self, categories: dict[str, int], report: Report) -> None:
        self._categories = categories
        self._report = report
        self._images = Images(FORMAT)
        self._ids = Ids()
        self._annotations: list[bytes] = []

    def add(self, record: FileRecord) -> None:
        """An image and its annotations."""
        ready = record.prepared
        if ready and self._images.ids.are_free((ready.image_id,)) and self._ids.are_free(ready.ids):
            self._images.ids.take((ready.image_id,))
            self._ids.take(ready.ids)
            self._images.records.append(ready.image)
            self._annotations += [ready.annotations] if ready.annotations else []
            for problem in ready.problems:
                self._report(problem)
        elif whole := record.whole(self._report):
            image_id = self._images.add(whole, own_of(whole.properties, FORMAT))
            self._annotations += _annotations(whole, image_id, self._categories, self._ids.give, self._report)

    def pieces(self, labels: Sequence[LabelRecord]) -> Iterator[bytes]:
        """The file, record by record."""
        return document(self._images, self._annotations, labels, self._categories)


def _annotations(
    record: FileRecord, image_id: int, categories: Mapping[str, int], give_id: GiveId, report: Report
) -> Iterator[bytes]:
    for instance in record.instances:
        try:
            yield annotation(record, instance, image_id, categories.get(instance.label, 0), give_id)
        except ValueError as error:
            place, message = printable(record.path), f"{instance.type} {error}."
            report(Problem("type-not-carried", place, message, instance.instance_id, dropped_instances=1))


class Prepared(msgspec.Struct):
    """An image and its annotations as JSON, with the ids that they want."""

    image_id: int
    ids: list[int]
    image: bytes
    annotations: bytes
    problems: list[Problem]


class _NoId(Exception):
    """Something has no id of its own that it could keep, so it gets one when its turn comes."""


def preparing(labels: Sequence[LabelRecord]) -> Callable[[Sequence[FileRecord]], list[Prepared | None]]:
    """See `PreparingFormat`."""
    categories = category_ids(labels)

    def prepare(record: FileRecord) -> Prepared | None:
        ids: list[int] = []
        problems: list[Problem] = []
        said = own_of(record.properties, FORMAT)
        try:
            image_id = _wanted([], said.get("id"))
            texts = list(_annotations(record, image_id, categories, partial(_wanted, ids), problems.append))
        except _NoId:
            return None
        return Prepared(image_id, ids, image(record, said, image_id, FORMAT), b",\n".join(texts), problems)

    return lambda records: [prepare(record) for record in records]


def _wanted(given: list[int], wanted: Any) -> int:
    """The wanted id, which joins those given."""
    identity = numbers.plain(wanted)
    if not isinstance(identity, int) or isinstance(identity, bool) or identity < 0 or identity in given:
        raise _NoId
    given.append(identity)
    return identity


def _separated(records: Sequence[bytes]) -> Iterator[bytes]:
    for position, record in enumerate(records):
        yield b",\n" + record if position else record
