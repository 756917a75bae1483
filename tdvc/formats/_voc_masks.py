"""The segmentation of Pascal VOC: two PNG a picture, one of objects and one of classes.

    SegmentationObject/a.png     the number of the object that a pixel belongs to, 255 where nobody knows
    SegmentationClass/a.png      its class, 255 where nobody knows

Each object becomes a mask with the class that most of its pixels have. Pixels of a class without an object, or of
another class than their object, become one mask a class. What nobody knows is kept with the file. The names of classes
come from `labelmap.txt`; without one they are learned from the objects that are boxes as well.

VOC numbers objects from 1. A mask and the box that stands at its number in the XML file are taken for the same object
where both have the same class and about the same place, because not every tool keeps to that; they stay two instances,
the mask naming the box.

What a PNG can't say of a mask is in the XML file (`<tdvc>`), also the shape of one that others cover; that is believed
while the pixels are those that were drawn.

Source: the development kit of VOC 2012 for values and palette; Datumaro for masks that are RGB pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tdvc.errors import SchemaError
from tdvc.formats import _carry
from tdvc.formats._folder import ignore
from tdvc.formats._index_png import VOID, Values, colors_in, read_png, values_in, voc_colors
from tdvc.formats._mask_classes import MaskClasses, by_color
from tdvc.formats._voc_regions import Regions, mark_of, regions_in, void_in
from tdvc.formats._voc_words import CLASS_VOID, DRAWN, NAME, OBJECT_VOID, mask_key
from tdvc.formats.base import LabelRecord
from tdvc.model import geometry, masks
from tdvc.model.geometry import Box
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import printable

_SAME_PLACE = 0.5  # least overlap of a box with that of its mask, over their union

Outline = tuple[str, Box]
"""The name and box of an `<object>`, as far as they can be read."""


def _color_number(color: Sequence[int]) -> int:
    return color[0] << 16 | color[1] << 8 | color[2]


_VOC_VALUES = {_color_number(color): value for value, color in enumerate(voc_colors())}


@dataclass(slots=True)
class Pngs:
    """The pictures of a source's segmentation, by the id of their picture as paths below `root`.

    Attributes:
        classes: what values mean; without names where no list says.
        report: told of pictures that can't be read.
    """

    root: Path
    report: Report
    objects: dict[str, str] = field(default_factory=dict)
    of_classes: dict[str, str] = field(default_factory=dict)
    classes: MaskClasses = field(default_factory=MaskClasses)

    def __contains__(self, identity: str) -> bool:
        """Whether a picture has some."""
        return identity in self.objects or identity in self.of_classes

    @property
    def ids(self) -> list[str]:
        """The ids of all pictures that have some, sorted."""
        return sorted(self.objects.keys() | self.of_classes.keys())

    def records(self) -> Iterator[LabelRecord]:
        """The classes that values stand for."""
        return self.classes.records("labelmap.txt", self.report)

    def learn(self, outlines: Mapping[str, list[Outline | None]]) -> None:
        """Learn what values mean, where no list says, from objects that are boxes as well.

        Args:
            outlines: of the objects of every XML file, by the id of its picture.
        """
        votes: Counter[tuple[int, str]] = Counter()
        for identity in self.objects.keys() & self.of_classes.keys() & outlines.keys():
            found = regions_in(*self.values(identity, ignore))
            for number, value in found.classes.items():
                outline = _same_object(number, found.objects[number], outlines[identity])
                if outline is not None:
                    votes[value, outline[0]] += 1
        names: dict[int, str] = {}
        for (value, name), _ in sorted(votes.items(), key=lambda vote: (-vote[1], vote[0])):
            if name not in names.values():
                names.setdefault(value, name)
        self.classes = MaskClasses(dict(sorted(names.items())) or None)

    def values(self, identity: str, report: Report) -> tuple[Values | None, Values | None]:
        """The objects and classes of a picture's pixels; None what is not there, or is reported."""
        objects = self._values(self.objects.get(identity), {}, report)
        classes = self._values(self.of_classes.get(identity), self.classes.colors, report)
        if objects is not None and classes is not None and objects.shape != classes.shape:
            message = "It is of another size than the picture of the objects, which alone counts."
            report(Problem("instance-invalid", printable(self.of_classes[identity]), message))
            return objects, None
        return objects, classes

    def _values(self, path: str | None, colors: dict[int, int], report: Report) -> Values | None:
        if path is None:
            return None
        try:
            if colors:
                return MaskClasses(None, {_color_number(voc_colors()[VOID]): VOID} | colors).values(self.root / path)
            return read_png(self.root / path, _by_number)
        except ValueError as error:
            report(Problem("record-unreadable", printable(path), f"The picture {error}."))
            return None


def _by_number(picture: Image.Image, stretch: int) -> Values:
    """The values of a palette picture, or of one in the colours of VOC."""
    if picture.mode in ("RGB", "RGBA"):
        return by_color(colors_in(picture), _VOC_VALUES)
    return values_in(picture, stretch)


def _same_object(number: int, mask: dict[str, Any], outlines: Sequence[Outline | None]) -> Outline | None:
    """The object at a mask's number, where it is in about the same place."""
    outline = outlines[number - 1] if 0 < number <= len(outlines) else None
    box = geometry.bounding_box("mask", mask)
    return outline if outline and box and geometry.iou(box, outline[1]) >= _SAME_PLACE else None


@dataclass(slots=True)
class Described:
    """What the XML file of a picture says, as far as masks are concerned.

    Attributes:
        outlines: of its objects, in their order.
        boxes: the instances made of them, by position.
        carried: what our writer put there for the masks.
    """

    outlines: list[Outline | None] = field(default_factory=list)
    boxes: Mapping[int, Instance] = field(default_factory=dict)
    carried: dict[str, Any] = field(default_factory=dict)


def read_masks(
    pngs: Pngs, identity: str, path: str, described: Described
) -> tuple[list[Instance], dict[str, Any], tuple[int, int] | None]:
    """The masks of a picture, what is kept of it under the format's name, and its size where it has any.

    Args:
        pngs: the pictures of the segmentation.
        identity: which of them.
        path: of the picture.
        described: what its XML file says.
    """
    objects, classes = pngs.values(identity, pngs.report)
    shown = objects if objects is not None else classes
    if shown is None:
        return [], {}, None
    found = regions_in(objects, classes)
    place = printable(pngs.objects.get(identity) or pngs.of_classes[identity])
    if found.mixed:
        numbers = ", ".join(map(str, found.mixed[:5]))
        message = f"Not all pixels of objects have their class, which the most of them say: object {numbers}."
        pngs.report(Problem("instance-invalid", place, message, severity="warning"))
    reading = _Reading(pngs, path, place, described, found, described.carried.get(DRAWN) == mark_of(objects, classes))
    voids = list(zip((OBJECT_VOID, CLASS_VOID), void_in(objects, classes), strict=True))
    instances = list(reading.instances())
    kept = {key: masks.encode_rle(void) for key, void in voids if void is not None and void.any()}
    if objects is not None and not instances:  # an empty one says that there are pictures
        kept.setdefault(OBJECT_VOID, masks.encode_rle(objects == VOID))
    if objects is not None and voids[1][1] is not None:  # and that classes have none where objects have
        kept.setdefault(CLASS_VOID, masks.encode_rle(voids[1][1]))
    return instances, kept, (shown.shape[1], shown.shape[0])


@dataclass(slots=True)
class _Reading:
    """The masks of one picture on their way to instances."""

    pngs: Pngs
    path: str
    place: str
    described: Described
    found: Regions
    as_drawn: bool
    taken: set[str] = field(init=False)

    def instances(self) -> Iterator[Instance]:
        """The objects, then the classes beyond them, then what others cover."""
        self.taken = {instance.instance_id for instance in self.described.boxes.values()}
        for number, mask in self.found.objects.items():
            yield from self._made(mask_key(number), mask, *self._object(number, mask))
        for value, mask in self.found.beyond.items():
            kept = {"object": Number(0)}
            yield from self._made(mask_key(0, value), mask, self.pngs.classes.label(value) or "", kept)
        for key, carried in self.described.carried.items() if self.as_drawn else ():
            hidden = isinstance(carried, dict) and key not in self._keys() and "geometry" in carried
            if hidden:
                yield from self._made(key, {}, "", {})

    def _keys(self) -> set[str]:
        return {mask_key(number) for number in self.found.objects} | {mask_key(0, v) for v in self.found.beyond}

    def _object(self, number: int, mask: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The label of an object and what is kept of it: its number, and the id of its box."""
        value = self.found.classes.get(number)
        label = self.pngs.classes.label(value) if value is not None else None
        outline = _same_object(number, mask, self.described.outlines)
        kept: dict[str, Any] = {"object": Number(number)}
        box = self.described.boxes.get(number - 1)
        if outline is not None and label in (None, outline[0]):
            label = outline[0]
            if box is not None:
                kept["box"] = box.instance_id
        return label or "", kept

    def _made(self, key: str, mask: dict[str, Any], label: str, kept: dict[str, Any]) -> Iterator[Instance]:
        """The instance of a mask, with what was carried of it; none, reported, where it can't be made."""
        carried = self.described.carried.get(key)
        fields = _carry.for_instance(carried)
        if self.as_drawn and isinstance(carried, dict):
            mask, label = carried.get("geometry", mask), carried.get("label", label)
        identity = fields.get("instance_id")
        if not _carry.is_text(identity) or identity in self.taken:
            identity = derived_instance_id(NAME, self.path, key)
        own = {NAME: kept} if kept else {}
        made = {"instance_id": identity, "label": label, "type": "mask", "geometry": mask}
        try:
            if not label:
                raise ValueError("has no class")
            instance = make_instance(fields | made | {"properties": fields.get("properties", {}) | own})
        except (SchemaError, ValueError) as error:
            reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
            message = f"The mask of {key} {reason}."
            self.pngs.report(Problem("instance-invalid", self.place, message, key, dropped_instances=1))
            return
        self.taken.add(instance.instance_id)
        yield instance
