"""Writing YOLO: `images/`, `labels/` and `data.yaml`.

A class keeps the number it came with, others get the next free ones, so exporting a subset never renumbers. A picture
that nobody declared complete and that has no instance gets no label file; one that is complete gets an empty one.

Without splits, `train` and `val` are all pictures, because Ultralytics wants both; a reader sees that this is no split.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from tdvc.formats import _yaml
from tdvc.formats._classes import class_numbers
from tdvc.formats._folder import shortened
from tdvc.formats._splits import split_of, without_leading
from tdvc.formats._yolo_description import CLASS_KEYS, Description
from tdvc.formats._yolo_rows import FORMAT, Size, columns_of
from tdvc.formats._yolo_source import label_place
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

_TYPES = ("box", "keypoints", "polygon")
_UNIT: Size = (1, 1)
_OWN = b'"yolo":'
_NOTHING: Mapping[str, str] = MappingProxyType({})
_SPLITS_FIRST = ("train", "val", "test")
_NO_SPLITS = frozenset((*CLASS_KEYS, "names", "nc", "path", "task", "download", "channels"))


def place(record: FileRecord) -> str:
    """Below `images`, by split."""
    split = _split_of(record)
    return posixpath.join("images", split, without_leading(record.path, "images", split))


def _split_of(record: FileRecord) -> str:
    split = split_of(record)
    return "" if split in _NO_SPLITS else split


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """A label file for every picture that has instances or is declared complete without, and `data.yaml`."""
    writer = _Writer(labels, report)
    for record in records:
        text = writer.text(record)
        if text is not None:
            yield WrittenFile(label_place(place(record)), [text.encode()])
    writer.report_mixture()
    yield WrittenFile("data.yaml", [writer.description().encode()])


class Rows(msgspec.Struct):
    """The rows of one picture: None for no label file, their kinds, and what could not be written."""

    text: str | None
    kinds: frozenset[str]
    problems: list[Problem]


def preparing(labels: Sequence[LabelRecord]) -> Callable[[Sequence[FileRecord]], list[Rows | None]]:
    """See `PreparingFormat`."""
    from tdvc.formats._yolo_fractions import outline_columns  # noqa: PLC0415 (numpy, which only many pictures need)

    writer = _Writer(labels, lambda _: None)

    def prepare(records: Sequence[FileRecord]) -> list[Rows | None]:
        free = [record.size is not None and writer.is_free(record.instances) for record in records]
        outlines = [
            (at, instance.instance_id, (bytes(instance.geometry), record.size or _UNIT))
            for at, record in enumerate(records)
            for instance in record.instances
            if free[at] and instance.type == "polygon" and bytes(instance.properties).find(_OWN) < 0
        ]
        ready: list[dict[str, str]] = [{} for _ in records]
        for (at, identity, _), text in zip(outlines, outline_columns([last for *_, last in outlines]), strict=True):
            if text is not None:
                ready[at][identity] = text
        return [writer.rows(record, ready[at]) if free[at] else None for at, record in enumerate(records)]

    return prepare


class _Writer:
    """What has to be remembered from the first picture to `data.yaml`."""

    def __init__(self, labels: Sequence[LabelRecord], report: Report) -> None:
        self._labels = {label.key: label for label in labels}
        self._numbers = class_numbers(labels)
        self._report = report
        self._fields = next((label.fields for label in labels if "kpt_shape" in label.fields), {})
        self._shape = Description(class_fields=dict(self._fields)).keypoints
        self._splits: set[str] = set()
        self._kinds: set[str] = set()
        self._mixed: list[str] = []
        self._places: dict[str, str] = {}

    def text(self, record: FileRecord) -> str | None:
        """The label file of a picture; None where it is to have none."""
        self._splits.add(_split_of(record))
        rows = record.prepared
        if rows is None:
            whole = record.whole(self._report)
            if whole is None or not (whole.instances or whole.complete) or not self._has_size(whole):
                return None
            record = whole
        if not self._has_place(record):
            return None
        rows = rows or self.rows(record)
        for problem in rows.problems:
            self._report(problem)
        self._kinds.update(rows.kinds)
        if len(rows.kinds) > 1:
            self._mixed.append(record.path)
        return rows.text

    def rows(self, record: FileRecord, ready: Mapping[str, str] = _NOTHING) -> Rows:
        """The rows of a picture.

        Args:
            record: the picture.
            ready: by instance id, the columns of those whose columns are known.
        """
        rows, kinds, problems = [], set(), []
        for instance in record.instances:
            try:
                kind, row = self._row(instance, record.size or _UNIT, ready.get(instance.instance_id))
            except (ValueError, ArithmeticError) as error:
                place, message = printable(record.path), f"The {instance.type} annotation {error}."
                problem = Problem("type-not-carried", place, message, instance.instance_id, dropped_instances=1)
                problems.append(problem)
                continue
            kinds.add(kind)
            rows.append(row)
        return Rows("".join(rows) if rows or not record.instances else None, frozenset(kinds), problems)

    def is_free(self, instances: Sequence[Instance]) -> bool:
        """Whether there are instances, and none whose row depends on pictures before."""
        return bool(instances) and not any(
            (instance.type == "keypoints" and self._shape is None) or instance.label not in self._numbers
            for instance in instances
        )

    def _has_place(self, record: FileRecord) -> bool:
        """Whether no other picture has the same label file, as `a.jpg` and `a.png` would."""
        other = self._places.setdefault(label_place(place(record)), record.path)
        if other == record.path:
            return True
        message = f"Its label file would be that of {shortened(other)}, so its own labels are not written."
        whole = record.whole(self._report) or record
        count = len(whole.instances)
        self._report(Problem("duplicate-path", printable(record.path), message, dropped_instances=count))
        return False

    def _has_size(self, record: FileRecord) -> bool:
        if record.size is not None or not record.instances:
            return True
        message = "The size of the picture is not known, so its coordinates can't be made fractions."
        count = len(record.instances)
        self._report(Problem("picture-unreadable", printable(record.path), message, dropped_instances=count))
        return False

    def _row(self, instance: Instance, size: Size, ready: str | None) -> tuple[str, str]:
        """The kind of row an instance becomes, and the row; `ready` are its columns where they are known."""
        if ready is not None:
            return "segment", f"{self._number(instance.label)}{ready}\n"
        if instance.type not in _TYPES:
            raise ValueError("is of a type that no row can hold")
        geometry = numbers.parse(bytes(instance.geometry))
        shape = self._shape or (len(geometry) // 3, 3)
        kept = numbers.parse(bytes(instance.properties)).get(FORMAT)
        number = self._number(instance.label)
        columns = columns_of(instance.type, geometry, kept if isinstance(kept, dict) else {}, size, shape)
        if instance.type == "keypoints":
            self._shape = shape
        kind = {"keypoints": "pose", "polygon": "segment"}.get(instance.type, "detect")
        kind = "obb" if instance.type == "box" and len(columns) == 8 else kind
        return kind, " ".join((str(number), *columns)) + "\n"

    def _number(self, label: str) -> int:
        if label not in self._numbers:
            self._numbers[label] = max(self._numbers.values(), default=-1) + 1
        return self._numbers[label]

    def report_mixture(self) -> None:
        """Trainers take a label file with an outline in it for outlines alone, and its boxes for two points."""
        if self._mixed:
            first = printable(self._mixed[0])
            message = f"Rows of several kinds in {len(self._mixed):,} label files, which trainers take for one kind."
            self._report(Problem("mixed-rows", first, message, severity="warning"))

    def description(self) -> str:
        """The text of `data.yaml`."""
        lines = []
        splits = sorted(self._splits - {""}, key=lambda name: ((*_SPLITS_FIRST, name).index(name), name))
        if not splits:
            lines += ["train: images", "val: images"]
        lines += [f"{_yaml.quoted(split)}: {_yaml.quoted(f'images/{split}')}" for split in splits]
        if task := next((kind for kind in ("obb", "pose", "segment", "detect") if kind in self._kinds), ""):
            lines.append(f"task: {task}")
        if self._shape is not None:
            lines.append(f"kpt_shape: [{self._shape[0]}, {self._shape[1]}]")
            kept = ((key, self._fields[key]) for key in CLASS_KEYS if key != "kpt_shape" and key in self._fields)
            lines += [f"{key}: {_flow(value)}" for key, value in kept]
        lines.append("names:" if self._numbers else "names: []")
        for key, number in sorted(self._numbers.items(), key=lambda pair: pair[1]):
            name = self._labels[key].name if key in self._labels else key
            lines.append(f"  {number}: {_yaml.quoted(name)}")
        return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """JSON as YAML between brackets."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    return value if isinstance(value, Number) else _yaml.quoted(str(value))
