"""Writing COCO panoptic: `annotations/panoptic_<split>.json`, and a PNG a picture in the folder of that name.

A segment keeps the id it had where it came from such a file; others get the next free number. Masks are drawn from the
largest to the smallest, so that what lies on a larger one is seen; areas and boxes are those of what is seen.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.formats._carry import is_text, own_of
from tdvc.formats._coco_text import PANOPTIC, crowd_in, extent, rest
from tdvc.formats._coco_writer import Ids, Images, category_ids, document, place
from tdvc.formats._index_png import write_colors
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import masks, numbers
from tdvc.model.masks import Mask
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import path_problem, printable

__all__ = ["MAX_ID", "NAME", "default_png", "place", "write"]

NAME = PANOPTIC
MAX_ID = (1 << 24) - 1


def default_png(path: str) -> str:
    """What the PNG of a picture is called."""
    return f"{posixpath.splitext(path)[0]}.png"


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """A PNG a picture, then one file a split. The segments of all splits are held in memory as text."""
    labels = [_with_kind(label) for label in labels]
    categories = category_ids(labels)
    splits: dict[str, _Split] = {}
    for record in records:
        split = splits.get(record.split)
        if split is None:
            split = splits[record.split] = _Split(f"panoptic_{record.split or 'all'}", categories, report)
        yield from split.add(record)
    for split in splits.values():
        yield WrittenFile(f"annotations/{split.name}.json", split.pieces(labels))


def _with_kind(label: LabelRecord) -> LabelRecord:
    """The class with the word for whether it is a thing, which readers ask for."""
    return LabelRecord(label.key, label.name, label.index, {"isthing": 1, **label.fields})


@dataclass(slots=True)
class _Drawn:
    """A mask on its way into a picture.

    Attributes:
        inside: its pixels; those that are seen, once all are drawn.
        area: how many they were at first.
    """

    instance: Instance
    inside: Mask
    area: int


class _Split:
    """One file and its folder in the making."""

    def __init__(self, name: str, categories: dict[str, int], report: Report) -> None:
        self.name = name
        self._categories = categories
        self._report = report
        self._images = Images(NAME)
        self._annotations: list[bytes] = []
        self._pngs: set[str] = set()

    def add(self, record: FileRecord) -> Iterator[WrittenFile]:
        """An image, its segments, and the picture of them; no annotation where nothing says that it was annotated."""
        said = own_of(record.properties, NAME)
        kept = said.pop("annotation", None)
        image_id = self._images.add(record, said)
        size = record.size or next((_size(i) for i in record.instances if i.type == "mask"), None)
        if size is None or not (record.instances or isinstance(kept, dict)):
            for instance in record.instances:
                self._lose(record, instance, "The size of its picture is not known.")
            return
        fields = dict(kept) if isinstance(kept, dict) else {}
        fields["file_name"] = self._png_name(record, fields.get("file_name"))
        canvas = np.zeros((size[1], size[0]), np.int64)
        ids = Ids(1, MAX_ID)
        segments = [self._segment(drawn, ids, canvas) for drawn in self._drawn(record, size)]
        self._annotations.append(numbers.spell({**fields, "image_id": image_id, "segments_info": segments}))
        channels = np.stack((canvas & 255, canvas >> 8 & 255, canvas >> 16), axis=2).astype(np.uint8)
        yield WrittenFile(f"annotations/{self.name}/{fields['file_name']}", [write_colors(channels)])

    def _png_name(self, record: FileRecord, wanted: Any) -> str:
        """The name it came with, else that of the picture; another one where it is taken."""
        usable = is_text(wanted) and path_problem(wanted) is None and wanted not in self._pngs
        name = str(wanted) if usable else default_png(record.path)
        while name in self._pngs:
            name = f"{record.path}.png" if name == default_png(record.path) else f"{name[:-4]}_.png"
        self._pngs.add(name)
        return name

    def _drawn(self, record: FileRecord, size: tuple[int, int]) -> list[_Drawn]:
        """The masks with the pixels that are theirs, in the order of the instances; the others are reported."""
        found = [drawn for i in record.instances if (drawn := self._mask(record, i, size)) is not None]
        owner = np.full((size[1], size[0]), -1, np.int64)
        for number in sorted(range(len(found)), key=lambda number: -found[number].area):
            owner[found[number].inside] = number
        seen = []
        for number, drawn in enumerate(found):
            drawn.inside = owner == number
            left = int(np.count_nonzero(drawn.inside))
            if not left:
                self._lose(record, drawn.instance, "Smaller masks cover it, or it covers no pixel.")
                continue
            seen.append(drawn)
            if left < drawn.area:
                message = f"Smaller masks cover {drawn.area - left:,} of its {drawn.area:,} pixels."
                where = printable(record.path)
                self._report(Problem("type-not-carried", where, message, drawn.instance.instance_id, "warning"))
        return seen

    def _mask(self, record: FileRecord, instance: Instance, size: tuple[int, int]) -> _Drawn | None:
        width, height = size
        try:
            if instance.type == "mask" and _size(instance) == size:
                inside = masks.decode_rle(instance.coordinates)
            elif instance.type == "mask":
                raise ValueError("is of another size than its picture")
            elif instance.type == "polygon":
                inside = masks.polygon_to_mask(instance.coordinates, height, width)
            else:
                raise ValueError("has no place among the segments of a picture")
        except ValueError as error:
            self._lose(record, instance, f"This {instance.type} {error}.")
            return None
        return _Drawn(instance, inside, int(np.count_nonzero(inside)))

    def _segment(self, drawn: _Drawn, ids: Ids, canvas: NDArray[np.int64]) -> dict[str, Any]:
        """What is said of a segment, whose pixels get its id."""
        instance = drawn.instance
        properties = numbers.parse(bytes(instance.properties))
        fields = own_of(properties, NAME)
        fields.setdefault("iscrowd", crowd_in(properties))
        fields["id"] = identity = ids.give(fields.get("id"))
        canvas[drawn.inside] = identity
        area = int(np.count_nonzero(drawn.inside))
        box = _box(drawn.inside)
        if area == drawn.area and instance.type == "mask":
            box = extent(instance, fields)["bbox"]
        came = fields.get("area")
        fields["area"] = came if numbers.plain(came) == area else area
        fields["bbox"] = box
        fields["category_id"] = self._categories.get(instance.label, 0)
        fields["instance_id"] = instance.instance_id
        fields.update(rest(instance))
        others = {key: value for key, value in properties.items() if key != NAME}
        return fields | ({"properties": others} if others else {})

    def _lose(self, record: FileRecord, instance: Instance, message: str) -> None:
        where = printable(record.path)
        self._report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))

    def pieces(self, labels: Sequence[LabelRecord]) -> Iterator[bytes]:
        """The file, record by record."""
        return document(self._images, self._annotations, labels, self._categories)


def _size(instance: Instance) -> tuple[int, int]:
    height, width = instance.coordinates["size"]
    return width, height


def _box(inside: Mask) -> list[int]:
    """Corner and sides, px."""
    crop, x, y = masks.crop(inside)
    return [x, y, crop.shape[1], crop.shape[0]]
