"""The categories of COCO files: names by id, and every name once as a class of the source."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tdvc.formats._folder import shortened
from tdvc.formats._json import parse_strictly
from tdvc.formats.base import LabelRecord
from tdvc.model.problems import Problem, Report


class _Category(msgspec.Struct):
    id: int | str
    name: str


_categories = msgspec.json.Decoder(_Category)


class Categories:
    """The classes of all files of a source.

    Attributes:
        records: by name, in the order of the files; what the first file says of one counts.
    """

    def __init__(self, report: Report) -> None:
        self.records: dict[str, LabelRecord] = {}
        self._report = report

    def take(self, raws: Iterable[msgspec.Raw], place: str) -> dict[bytes, str]:
        """The names of one file's categories by id, as JSON spells it.

        Args:
            raws: the records.
            place: the name of the file, printable.
        """
        names: dict[bytes, str] = {}
        for position, raw in enumerate(raws):
            try:
                category = _categories.decode(raw)
                fields = parse_strictly(bytes(raw))
            except ValueError as error:
                where = f"{place}: categories[{position}]"
                self._report(Problem("record-unreadable", where, f"The category {error}."))
                continue
            identity = msgspec.json.encode(category.id)
            if identity in names or category.name in names.values():
                message = f"Category {shortened(category.name)} is there more than once; one label stands for all."
                self._report(Problem("duplicate-class", place, message, severity="warning"))
            names[identity] = category.name
            kept = {key: value for key, value in fields.items() if key != "name"}
            record = LabelRecord(category.name, category.name, len(self.records), kept)
            self.records.setdefault(category.name, record)
        return names
