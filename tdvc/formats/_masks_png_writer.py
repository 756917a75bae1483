"""Writing masks as PNG: `labels.txt`, and for every picture a palette PNG with a value a class.

A class has the value it had where it came from such a list, else its place in the class list, counted from 1. Where two
instances cover one pixel the later one has it; where they are of one class they become one. Both are counted.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.formats._index_png import VOID, palette_of, write_values
from tdvc.formats._mask_classes import class_colors, class_values, listed_name
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import masks, numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

_FORMAT = "masks-png"


def place(record: FileRecord) -> str:
    """Below `images`, by split."""
    return f"images/{_inner(record)}"


def _inner(record: FileRecord) -> str:
    path = record.path.removeprefix("images/")
    return f"{record.split}/{path.removeprefix(f'{record.split}/')}" if record.split else path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """The lists, then a mask a picture. Names alone are held in memory."""
    values = class_values(labels)
    palette = palette_of(class_colors(labels, values))
    yield WrittenFile("labels.txt", [_list(labels, values)])
    taken: set[str] = set()
    splits: set[str] = set()
    for record in records:
        splits |= {record.split} - {""}
        content = _mask(record, values, palette, report)
        if content is not None:
            yield WrittenFile(f"masks/{_free_name(_inner(record), taken)}.png", [content])
    if splits:
        yield WrittenFile("splits.txt", [f"{split}\n".encode() for split in sorted(splits)])


def _free_name(inner: str, taken: set[str]) -> str:
    stem = posixpath.splitext(inner)[0]
    name = stem if stem not in taken else inner
    taken.add(name)
    return name


def _list(labels: Sequence[LabelRecord], values: dict[str, int]) -> bytes:
    """A line a value: empty where no class has it."""
    lines = [""] * (max(values.values(), default=0) + 1)
    lines[0] = "background"
    for label in labels:
        lines[values[label.key]] = listed_name(label.name)
    return "".join(f"{line}\n" for line in lines).encode()


def _mask(record: FileRecord, values: dict[str, int], palette: list[int], report: Report) -> bytes | None:
    size = record.size or next((_size(i) for i in record.instances if i.type == "mask"), None)
    if size is None:
        for instance in record.instances:
            _lose(record, instance, "The size of the picture is not known.", report)
        return None
    background = VOID if 0 in values.values() else 0
    canvas = np.full((size[1], size[0]), background, np.uint16)
    owner = np.full(canvas.shape, -1, np.int32)
    drawn: list[Instance] = []
    hidden = 0
    for instance in record.instances:
        inside = _inside(record, instance, size, values, report)
        if inside is not None:
            hidden += bool((owner[inside] >= 0).any())
            canvas[inside], owner[inside] = values[instance.label], len(drawn)
            drawn.append(instance)
    if hidden:
        message = f"{hidden:,} instances cover pixels of others, which keep the rest of theirs."
        report(Problem("type-not-carried", printable(record.path), message, severity="warning"))
    _report_merged(record, drawn, owner, report)
    void = _void(record, size)
    if void is not None:
        canvas[void & (owner < 0)] = VOID
    return write_values(canvas, palette, max(values.values(), default=0))


def _size(instance: Instance) -> tuple[int, int]:
    height, width = instance.coordinates["size"]
    return width, height


def _inside(
    record: FileRecord, instance: Instance, size: tuple[int, int], values: dict[str, int], report: Report
) -> NDArray[np.bool_] | None:
    width, height = size
    problem = None
    if instance.label not in values:
        problem = "Its label is not among the classes."
    elif instance.type not in ("mask", "polygon"):
        problem = f"A mask can't say what this {instance.type} says."
    elif instance.type == "mask" and _size(instance) != size:
        problem = f"The mask is {_size(instance)[0]} x {_size(instance)[1]} pixels, but the picture {width} x {height}."
    if problem is not None:
        _lose(record, instance, problem, report)
        return None
    try:
        if instance.type == "mask":
            return masks.decode_rle(instance.coordinates)
        return masks.polygon_to_mask(instance.coordinates, height, width)
    except ValueError as error:
        _lose(record, instance, f"The {instance.type} {error}.", report)
        return None


def _report_merged(record: FileRecord, drawn: list[Instance], owner: NDArray[np.int32], report: Report) -> None:
    """Count the instances that can't come back: hidden by others, or joined to one of their class."""
    visible = set(np.unique(owner).tolist())
    first: set[str] = set()
    for number, instance in enumerate(drawn):
        if number not in visible:
            _lose(record, instance, "Other instances cover it, or it covers no pixel.", report)
        elif instance.label in first:
            _lose(record, instance, "It is joined to another instance of its class.", report)
        first.add(instance.label)


def _lose(record: FileRecord, instance: Instance, message: str, report: Report) -> None:
    report(Problem("type-not-carried", printable(record.path), message, instance.instance_id, dropped_instances=1))


def _void(record: FileRecord, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Where nobody knows, as it came."""
    kept: Any = numbers.plain(record.properties.get(_FORMAT))
    try:
        return masks.decode_rle(kept["void"]) if kept["void"]["size"] == [size[1], size[0]] else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
