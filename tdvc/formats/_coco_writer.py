"""Writing COCO: `annotations/instances_<split>.json` and the pictures under `images/`.

Ids stay what they were where they came from COCO and are still unique; others follow on. A category's id is the one it
had, or its place in the class list counted from 1. The annotation's `instance_id` goes along, so that what comes
back is known again. What the panoptic writer does in the same way is public here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from tdvc.formats import _decimal
from tdvc.formats._carry import own_of
from tdvc.formats._coco_annotations import FORMAT
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import geometry, numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

PANOPTIC = "coco-panoptic"
"""The name of the other format of COCO, under which it keeps what it said."""


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

    def _fits(self, identity: int) -> bool:
        return identity >= self._lowest and (self._highest is None or identity <= self._highest)


class Images:
    """The `images` of a file in the making.

    Attributes:
        records: as JSON.
    """

    def __init__(self, name: str) -> None:
        self.records: list[bytes] = []
        self._ids = Ids()
        self._name = name

    def add(self, record: FileRecord, said: Mapping[str, Any]) -> int:
        """Add a file, with what it said in the format's words when it came; its id."""
        properties = {key: value for key, value in record.properties.items() if key not in (self._name, "splits")}
        fields = dict(said)
        fields["id"] = identity = self._ids.give(fields.get("id"))
        fields["file_name"] = record.path
        if record.size:
            fields["width"], fields["height"] = record.size
        if properties:
            fields["properties"] = properties
        self.records.append(numbers.spell(fields))
        return identity


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
        image_id = self._images.add(record, own_of(record.properties, FORMAT))
        for instance in record.instances:
            self._annotations.extend(self._annotation(record, instance, image_id))

    def _annotation(self, record: FileRecord, instance: Instance, image_id: int) -> Iterator[bytes]:
        properties = numbers.parse(bytes(instance.properties))
        fields = own_of(properties, FORMAT)
        fields.setdefault("iscrowd", crowd_in(properties))
        properties.pop(FORMAT, None)
        try:
            shape = _shape(instance, fields, record.size)
        except ValueError as error:
            message = f"{instance.type} {error}."
            self._report(
                Problem("type-not-carried", printable(record.path), message, instance.instance_id, dropped_instances=1)
            )
            return
        fields.update(shape)
        fields["id"] = self._ids.give(fields.get("id"))
        fields["image_id"] = image_id
        fields["category_id"] = self._categories.get(instance.label, 0)
        fields["instance_id"] = instance.instance_id
        fields.update(rest(instance))
        if properties:
            fields["properties"] = properties
        yield numbers.spell(fields)

    def pieces(self, labels: Sequence[LabelRecord]) -> Iterator[bytes]:
        """The file, record by record."""
        return document(self._images, self._annotations, labels, self._categories)


def _separated(records: Sequence[bytes]) -> Iterator[bytes]:
    for position, record in enumerate(records):
        yield b",\n" + record if position else record


def crowd_in(properties: Mapping[str, Any]) -> Any:
    """Whether an instance is a crowd, as COCO said in instances or in panoptic segments."""
    said = (own_of(properties, name).get("iscrowd") for name in (FORMAT, PANOPTIC))
    return next((crowd for crowd in said if crowd is not None), 0)


def rest(instance: Instance) -> dict[str, Any]:
    """What COCO has no word for, under our own words."""
    fields: dict[str, Any] = {}
    for name in ("attributes", "score"):
        raw = getattr(instance, name)
        if bytes(raw) not in (b"{}", b"null"):
            fields[name] = raw
    for name in ("frame", "sequence", "source"):
        if getattr(instance, name) is not None:
            fields[name] = getattr(instance, name)
    return fields


def _shape(instance: Instance, former: dict[str, Any], size: tuple[int, int] | None) -> dict[str, Any]:
    """The fields that say where an instance is. Raises ValueError where COCO has no word for it."""
    shape = numbers.parse(bytes(instance.geometry))
    if instance.type == "box":
        if len(shape) > 4:
            raise ValueError("that is turned can't be written as an upright one")
        width, height = _decimal.subtract(shape[2], shape[0]), _decimal.subtract(shape[3], shape[1])
        segmentation = former.get("segmentation", [])
        area = former.get("area") or _decimal.multiply(width, height)
        return {"bbox": [shape[0], shape[1], width, height], "area": area, "segmentation": segmentation}
    if instance.type == "keypoints":
        labelled = sum(numbers.plain(visible) > 0 for visible in shape[2::3])
        return {"keypoints": shape, "num_keypoints": labelled, **extent(instance, former)}
    if instance.type == "mask":
        return {"segmentation": shape, **extent(instance, former)}
    if instance.type == "polygon":
        if all(len(part) == 1 for part in shape):
            return {"segmentation": [part[0] for part in shape], **extent(instance, former)}
        return {"segmentation": _as_mask(instance, size), **extent(instance, former)}
    if instance.type == "tag" and "caption" in instance.attribute_values:
        return {"caption": instance.attribute_values["caption"]}
    raise ValueError("has no place in COCO")


def _as_mask(instance: Instance, size: tuple[int, int] | None) -> dict[str, Any]:
    from tdvc.model import masks  # noqa: PLC0415 (numpy, for the few polygons that have holes)

    if size is None:
        raise ValueError("has holes, and the size of its picture is not known")
    return masks.encode_rle(masks.polygon_to_mask(instance.coordinates, size[1], size[0]))


def extent(instance: Instance, former: dict[str, Any]) -> dict[str, Any]:
    """Box and area: as they came, while the geometry still has that box; else computed."""
    box = instance.bounding_box
    if box is None:
        return {}
    computed = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
    came = numbers.plain(former.get("bbox"))
    if _is_box(came) and all(abs(a - b) < 1.5 for a, b in zip(came, computed, strict=True)):
        return {"bbox": former["bbox"], "area": former.get("area", _area(instance))}
    return {"bbox": [shortest(value) for value in computed], "area": _area(instance)}


def _is_box(value: Any) -> TypeGuard[list[float]]:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(item, int | float) for item in value)


def _area(instance: Instance) -> float | int:
    if instance.type == "keypoints":
        box = instance.bounding_box
        return shortest((box[2] - box[0]) * (box[3] - box[1])) if box else 0
    return shortest(geometry.area(instance.type, instance.coordinates))


def shortest(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 6)
