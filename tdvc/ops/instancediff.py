"""Instances of one file, before and after.

Two instances are the same one when they have the same id. Where two sides share no ids, because another annotator or a
fresh import made them, what is left on both sides can be paired by overlap; such a change says so, for a guess is no
identity. Another spelling of a number is no difference.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tdvc.model import numbers
from tdvc.model.records import HUMAN, IMPORTED, Instance, same_instance
from tdvc.ops.geometrydiff import GeometryChange, compare_geometry

FIELDS = ("frame", "score", "sequence", "source")
"""What is compared beside label, geometry, attributes and properties."""

Changes = dict[str, tuple[Any, Any]]
"""Key to (before, after), plain values; None where there is none."""


@dataclass(frozen=True, slots=True)
class InstanceChange:
    """One instance, before and after.

    Attributes:
        instance_id: its identity, the same on both sides; that of `after` where it was paired by overlap.
        before: None where it was added.
        after: None where it was removed.
        moved: whether its geometry or spatial type differs.
        relabelled: whether its label differs.
        attributes: the attributes that differ.
        properties: what a source said that tdvc has no place for, by key, where it differs.
        fields: those of `FIELDS` that differ.
        matched: the overlap by which the two were paired, in (0, 1]; None where they share their id.
    """

    instance_id: str
    before: Instance | None
    after: Instance | None
    moved: bool = False
    relabelled: bool = False
    attributes: Changes = field(default_factory=dict)
    properties: Changes = field(default_factory=dict)
    fields: Changes = field(default_factory=dict)
    matched: float | None = None

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def geometry(self) -> GeometryChange | None:
        """How the geometry changed, of an instance that moved."""
        if not self.moved or self.before is None or self.after is None:
            return None
        return compare_geometry(self.before, self.after)

    @property
    def iou(self) -> float | None:
        """Overlap of the two bounding boxes in [0, 1], of an instance that moved."""
        found = self.geometry
        return found.iou if found else None

    @property
    def shift(self) -> tuple[float, float] | None:
        """How far the centre moved, (x, y) in pixels, of an instance that moved."""
        found = self.geometry
        return found.shift if found else None

    @property
    def told_fields(self) -> Changes:
        """The fields that people need to hear of: not that correcting an imported instance made it theirs."""
        only_source = self.fields.keys() == {"source"} and not (self.moved or self.relabelled or self.attributes)
        corrected = self.fields.get("source") == (IMPORTED, HUMAN)
        return {key: value for key, value in self.fields.items() if key != "source" or only_source or not corrected}

    @property
    def other_fields(self) -> tuple[str, ...]:
        """The names of further fields that differ: frame, properties, score, sequence, source."""
        return tuple(sorted([*self.fields, *(["properties"] if self.properties else [])]))


def compare_instances(
    before: Iterable[Instance], after: Iterable[Instance], *, match: float | None = None
) -> Iterator[InstanceChange]:
    """Every instance that differs, ordered by id.

    Args:
        before: the instances of the one side.
        after: those of the other.
        match: pair what shares no id from this overlap of bounding boxes on, in (0, 1]; None for ids alone.
    """
    old = {instance.instance_id: instance for instance in before}
    new = {instance.instance_id: instance for instance in after}
    matched = _matched(old, new, match) if match is not None else {}
    for identity in sorted(old.keys() | new.keys()):
        a, b = old.get(identity), new.get(identity)
        overlap = None
        if identity in matched:
            a, overlap = matched[identity]
        if a is None or b is None:
            yield InstanceChange(identity, a, b)
        elif change := _compare(a, b, overlap):
            yield change


def _matched(old: dict[str, Instance], new: dict[str, Instance], threshold: float) -> dict[str, tuple[Instance, float]]:
    """For ids of `new` that `old` lacks, the instance it was paired with, which leaves `old`, and their overlap."""
    left = [instance for identity, instance in old.items() if identity not in new]
    right = [instance for identity, instance in new.items() if identity not in old]
    if not left or not right:
        return {}
    matching = importlib.import_module("tdvc.model.matching")  # numpy, which most diffs do without
    found = {}
    for i, j, overlap in matching.match_instances(left, right, threshold):
        found[right[j].instance_id] = (old.pop(left[i].instance_id), overlap)
    return found


def _compare(a: Instance, b: Instance, overlap: float | None) -> InstanceChange | None:
    if same_instance(a, b):
        return None
    change = InstanceChange(
        b.instance_id,
        a,
        b,
        moved=a.type != b.type or not numbers.same_value(bytes(a.geometry), bytes(b.geometry)),
        relabelled=a.label != b.label,
        attributes=compare_json(bytes(a.attributes), bytes(b.attributes)),
        properties=compare_json(bytes(a.properties), bytes(b.properties)),
        fields={name: _values(a, b, name) for name in FIELDS if _differs(a, b, name)},
        matched=overlap,
    )
    differs = change.moved or change.relabelled or change.attributes or change.properties or change.fields
    return change if differs else None


def _differs(a: Instance, b: Instance, name: str) -> bool:
    if name == "score":
        return not numbers.same_value(bytes(a.score), bytes(b.score))
    return bool(getattr(a, name) != getattr(b, name))


def _values(a: Instance, b: Instance, name: str) -> tuple[Any, Any]:
    if name == "score":
        return numbers.plain(numbers.parse(bytes(a.score))), numbers.plain(numbers.parse(bytes(b.score)))
    return getattr(a, name), getattr(b, name)


def compare_json(before: bytes, after: bytes) -> Changes:
    """The keys of two JSON objects whose values differ; empty text is an empty object."""
    if before == after:
        return {}
    old, new = numbers.parse(before or b"{}"), numbers.parse(after or b"{}")
    return {
        key: (numbers.plain(old.get(key)), numbers.plain(new.get(key)))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) or (key in old) != (key in new)
    }
