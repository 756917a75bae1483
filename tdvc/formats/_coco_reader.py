"""Reading COCO files of annotations: the files of a split are read together, picture by picture.

A picture is found at once; what is said of it, which costs the time, can be read later and elsewhere
(`FileRecord.later`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from tdvc.formats._coco_annotations import FORMAT, Annotations, instances_of
from tdvc.formats._coco_categories import Categories
from tdvc.formats._coco_document import Document, load, owner_of
from tdvc.formats._coco_pictures import Image, Picture, Pictures, images_of
from tdvc.formats._folder import shortened
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.model.problems import Problem, Report
from tdvc.names import printable


@dataclass(slots=True)
class _Part:
    """One file of a split: its images in order, and its annotations by image."""

    images: list[tuple[Image, msgspec.Raw]]
    labels: dict[bytes, str]
    annotations: dict[int | str, list[msgspec.Raw]] = field(default_factory=dict)

    def of(self, identity: int | str) -> list[msgspec.Raw]:
        """The annotations of an image."""
        return self.annotations.get(identity, [])


class Reader:
    """Reads the files of a source; problems name the file and the record's place in it."""

    def __init__(self, root: Path, report: Report) -> None:
        self._report = report
        self._pictures = Pictures(root, report)
        self._categories = Categories(report)
        self._splits: dict[str, list[_Part]] = {}

    def load(self, path: Path, split: str) -> None:
        """Read one file of a split.

        Raises:
            FormatError: bad-format-file.
        """
        document, place = load(path), printable(path.name)
        names = self._categories.take(document.categories, place)
        part = _Part(images_of(document.images, place, self._report), names)
        self._take_annotations(part, document, place)
        self._splits.setdefault(split, []).append(part)

    def _take_annotations(self, part: _Part, document: Document, place: str) -> None:
        known = {image.id for image, _ in part.images}
        for position, raw in enumerate(document.annotations):
            try:
                owner = owner_of(raw)
            except ValueError as error:
                self._lose(place, position, f"{error}.")
                continue
            if owner in known:
                part.annotations.setdefault(owner, []).append(raw)
            else:
                self._lose(place, position, f"It belongs to image {shortened(str(owner))}, which is not there.")

    def _lose(self, place: str, position: int, message: str) -> None:
        self._report(Problem("record-unreadable", f"{place}: annotations[{position}]", message, dropped_instances=1))

    def scan(self) -> Iterator[FileRecord | LabelRecord]:
        """Every category once, then the pictures split by split, which have yet to be made whole."""
        yield from self._categories.records.values()
        for split, parts in self._splits.items():
            yield from self._records(split, parts)

    def _records(self, split: str, parts: list[_Part]) -> Iterator[FileRecord]:
        """The pictures of a split, the annotations of all its files together."""
        others: dict[str, list[tuple[_Part, int | str]]] = {}
        for part in parts[1:]:
            for image, _ in part.images:
                others.setdefault(image.file_name, []).append((part, image.id))
        met: set[str] = {image.file_name for image, _ in parts[0].images}
        for number, part in enumerate(parts):
            for image, raw in part.images:
                if number and image.file_name in met:
                    continue
                met.add(image.file_name)
                more = [(other, at) for other, at in others.get(image.file_name, ()) if other is not part]
                record = self._record(split, image, raw, [(part, image.id), *more])
                if record is not None:
                    yield record

    def _record(
        self, split: str, image: Image, raw: msgspec.Raw, owners: list[tuple[_Part, int | str]]
    ) -> FileRecord | None:
        annotations = [(part.of(at), part.labels) for part, at in owners]
        picture = self._pictures.take(image, raw, split, _count(annotations))
        if picture is None:
            return None
        later = partial(_made_whole, picture, annotations)
        return FileRecord(picture.path, picture.source, [], size=image.size, later=later)


def _count(annotations: list[Annotations]) -> int:
    return sum([len(raws) for raws, _ in annotations])


def _made_whole(
    picture: Picture, annotations: list[Annotations], record: FileRecord, report: Report
) -> FileRecord | None:
    try:
        properties = picture.properties(FORMAT)
    except ValueError as error:
        place, message, lost = printable(picture.path), f"The image {error}.", _count(annotations)
        report(Problem("record-unreadable", place, message, dropped_files=1, dropped_instances=lost))
        return None
    instances = instances_of(picture.path, annotations, report)
    return FileRecord(record.path, record.source, instances, properties, size=record.size)
