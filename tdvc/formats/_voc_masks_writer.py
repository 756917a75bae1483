"""Drawing masks as VOC has them: `SegmentationObject`, `SegmentationClass`, and the classes in `labelmap.txt`.

The mask of a box has the number of the box. Others keep the number they came with where it is free, or follow behind
all boxes. Where two cover one pixel the smaller has it. What was drawn is then read as a reader would: the shape of a
mask that does not come back whole goes along in the XML file, so for us nothing is lost, while other tools see what is
drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tdvc.formats import _carry
from tdvc.formats._index_png import MAX_VALUE, VOID, Values, palette_of, voc_colors, write_values
from tdvc.formats._mask_classes import LABELMAP, class_colors, class_values, listed_name, unlisted_name
from tdvc.formats._voc_regions import mark_of, regions_in
from tdvc.formats._voc_words import CLASS_VOID, CLASSES, DRAWN, IMPORTED, NAME, OBJECT_VOID, OBJECTS, mask_key
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import masks, numbers
from tdvc.model.masks import Mask
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id
from tdvc.names import printable

_RESERVED = (0, VOID)


@dataclass(slots=True)
class _Drawn:
    """A mask on its way into the pictures: its pixels, the number of its object (0 for none) and its class."""

    instance: Instance
    inside: Mask
    number: int
    value: int

    @property
    def key(self) -> str:
        return mask_key(self.number, self.value)


@dataclass(slots=True)
class Drawing:
    """What became of the masks of a picture: the files, and what to carry in its XML file."""

    files: list[WrittenFile] = field(default_factory=list)
    carried: dict[str, Any] = field(default_factory=dict)


class MaskWriter:
    """Draws the masks of the files of an export.

    Args:
        labels: every class.
        report: told of masks that can't be drawn.
    """

    def __init__(self, labels: Sequence[LabelRecord], report: Report) -> None:
        usable = [_without_reserved(label) for label in labels]
        self._names = {label.key: label.name for label in labels}
        self._values = class_values(usable)
        self._colors = _told_apart(class_colors(usable, self._values), set(self._values.values()))
        self._palette = palette_of(self._colors)
        self._report = report
        self._used = False

    def draw(self, record: FileRecord, stem: str, place: str, boxes: Mapping[str, int]) -> Drawing:
        """Draw the masks of a file.

        Args:
            record: the file.
            stem: what its pictures are called.
            place: of the picture itself, from which ids are derived.
            boxes: the numbers of the objects in its XML file, by instance_id.
        """
        said = _carry.own_of(record.properties, NAME)
        found = [instance for instance in record.instances if instance.type == "mask"]
        size = record.size or next(map(_size, found), None) or _size_of_void(said)
        if size is None:
            return Drawing()
        drawn = self._numbered(record, found, size, boxes)
        objects, classes = _canvases(drawn, size)
        unknown, unknown_class = _void(said, OBJECT_VOID, size), _void(said, CLASS_VOID, size)
        if not (drawn or unknown is not None or unknown_class is not None):
            return Drawing()
        if unknown is not None:
            objects[unknown & (objects == 0)] = VOID
            if unknown_class is None:
                classes[unknown & (classes == 0)] = VOID
        if unknown_class is not None:
            classes[unknown_class] = VOID
        has_objects = unknown is not None or any(one.number for one in drawn)
        self._used = True
        return self._finished(drawn, objects if has_objects else None, classes, stem, place)

    def _numbered(
        self, record: FileRecord, found: Sequence[Instance], size: tuple[int, int], boxes: Mapping[str, int]
    ) -> list[_Drawn]:
        """The masks that can be drawn, with their numbers; the others are reported."""
        drawn = []
        for instance in found:
            if _size(instance) != size:
                sides = f"{_size(instance)[0]} x {_size(instance)[1]} pixels, but its picture {size[0]} x {size[1]}"
                self._lose(record, instance, f"The mask is {sides}.")
                continue
            try:
                inside = masks.decode_rle(instance.coordinates)
            except ValueError as error:
                self._lose(record, instance, f"The mask {error}.")
                continue
            drawn.append(_Drawn(instance, inside, -1, self._value(instance.label)))
        _give_numbers(drawn, boxes)
        return drawn

    def _lose(self, record: FileRecord, instance: Instance, message: str) -> None:
        where = printable(record.path)
        self._report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))

    def _value(self, label: str) -> int:
        if label not in self._values:
            taken = {*self._values.values(), *_RESERVED}
            self._values[label] = next(value for value in range(1, MAX_VALUE) if value not in taken)
            self._names.setdefault(label, label)
        return self._values[label]

    def _finished(
        self, drawn: Sequence[_Drawn], objects: Values | None, classes: Values, stem: str, place: str
    ) -> Drawing:
        """The files, and what to carry of each mask after a look at what comes back."""
        drawing = Drawing([self._png(f"{CLASSES}/{stem}.png", classes)])
        if objects is not None:
            drawing.files.append(self._png(f"{OBJECTS}/{stem}.png", objects))
        back = regions_in(objects, classes)
        covered = False
        for one in drawn:
            carried = _carry.of_instance(one.instance, NAME)
            if carried["instance_id"] == derived_instance_id(NAME, place, one.key):
                del carried["instance_id"]
            if carried.get("source") == IMPORTED:
                del carried["source"]
            shape = back.objects.get(one.number) if one.number else back.beyond.get(one.value)
            is_whole = shape is not None and shape == masks.encode_rle(one.inside)
            if not is_whole or (one.number and back.classes.get(one.number) != one.value):
                carried["geometry"] = one.instance.geometry
                carried["label"] = self._names.get(one.instance.label, one.instance.label)
                covered = True
            if carried:
                drawing.carried[one.key] = carried
        if covered:
            drawing.carried[DRAWN] = mark_of(objects, classes)
        return drawing

    def _png(self, path: str, canvas: Values) -> WrittenFile:
        return WrittenFile(path, [write_values(canvas, self._palette, int(canvas.max()))])

    def labelmap(self) -> Iterator[WrittenFile]:
        """The list of the classes, if anything was drawn: a line a value, those of nothing called after themselves."""
        if not self._used:
            return
        lines = [unlisted_name(value) for value in range(max(self._values.values(), default=0) + 1)]
        lines[0] = "background"
        for label, value in self._values.items():
            lines[value] = listed_name(self._names[label], ":#")
        written = ["# label:color_rgb:parts:actions\n"]
        for value, name in enumerate(lines):
            color = ",".join(map(str, self._colors[value])) if value <= VOID else ""
            written.append(f"{name}:{color}::\n")
        yield WrittenFile(LABELMAP, [line.encode() for line in written])


def _without_reserved(label: LabelRecord) -> LabelRecord:
    """The class without a value that VOC has another meaning for."""
    if numbers.plain(label.fields.get("value")) not in _RESERVED:
        return label
    return replace(label, fields={key: value for key, value in label.fields.items() if key != "value"})


def _told_apart(colors: list[list[int]], used: set[int]) -> list[list[int]]:
    """Colours of which no two are equal, because readers go by them; those of used values stay where they can."""
    usual = voc_colors()
    colors[0], colors[VOID] = usual[0], usual[VOID]
    taken = {tuple(colors[0]), tuple(colors[VOID])}
    free = (color for color in usual if tuple(color) not in taken)
    for value in sorted(range(1, VOID), key=lambda value: (value not in used, value)):
        wanted = next((color for color in (colors[value], usual[value]) if tuple(color) not in taken), None)
        colors[value] = wanted or next(free)
        taken.add(tuple(colors[value]))
    return colors


def _give_numbers(drawn: Sequence[_Drawn], boxes: Mapping[str, int]) -> None:
    """Number the objects; 0 for what had no object, where that can be said."""
    taken: set[int] = set(_RESERVED)
    classes: set[int] = set()
    waiting = []
    for one in drawn:
        number = boxes.get(str(_said(one).get("box")), 0)
        if number and number not in taken:
            one.number = number
            taken.add(number)
        else:
            waiting.append(one)
    late = []
    for one in waiting:
        came = numbers.plain(_said(one).get("object"))
        if came == 0 and one.value not in classes:
            one.number = 0
            classes.add(one.value)
        elif isinstance(came, int) and 0 < came < MAX_VALUE and came not in taken:
            one.number = came
            taken.add(came)
        else:
            late.append(one)
    following = (number for number in range(max(boxes.values(), default=0) + 1, MAX_VALUE) if number not in taken)
    for one in late:
        one.number = next(following)
        taken.add(one.number)


def _said(one: _Drawn) -> dict[str, Any]:
    return _carry.own_of(_carry.parsed(one.instance.properties), NAME)


def _canvases(drawn: Sequence[_Drawn], size: tuple[int, int]) -> tuple[Values, Values]:
    """The objects and the classes, the smaller over the larger, classes without an object over all."""
    objects: Values = np.zeros((size[1], size[0]), np.int64)
    classes: Values = np.zeros_like(objects)
    for one in sorted(drawn, key=lambda one: (one.number == 0, -int(np.count_nonzero(one.inside)), one.key)):
        classes[one.inside] = one.value
        if one.number:
            objects[one.inside] = one.number
    return objects, classes


def _void(said: Mapping[str, Any], key: str, size: tuple[int, int]) -> Mask | None:
    """Where nobody knows, as it came; None where it is not said of a picture of this size."""
    kept = numbers.plain(said.get(key))
    try:
        return masks.decode_rle(kept) if kept["size"] == [size[1], size[0]] else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _size_of_void(said: Mapping[str, Any]) -> tuple[int, int] | None:
    for key in (OBJECT_VOID, CLASS_VOID):
        kept = numbers.plain(said.get(key))
        sides = kept.get("size") if isinstance(kept, dict) else None
        if isinstance(sides, list) and len(sides) == 2 and all(isinstance(side, int) for side in sides):
            return sides[1], sides[0]
    return None


def _size(instance: Instance) -> tuple[int, int]:
    height, width = instance.coordinates["size"]
    return width, height
