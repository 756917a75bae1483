"""Three-way merge of values, fields and instance sets.

Two sides began with the same base and went their ways. What one side left as it was takes the other side's value; what
both changed to one value has it; the rest is a conflict, and the result keeps ours. Instances are paired by id and
taken apart into *cells*, the smallest things that can be changed on their own:

    label, geometry (with the spatial type), frame, sequence, score, source, attributes.KEY, properties.KEY

So one person can move a box while another relabels it. `presence` stands for the instance as a whole: removed on one
side and changed on the other is a conflict, for neither wish contains the other. Numbers are compared by value; what a
merge takes over keeps its spelling. The one cell that never conflicts is `source`: what a person touched is a person's.

Where history crossed, two states have several best common ancestors. Their values are settled into one, by the same
rule from the oldest level up; a cell that can't be settled equals nothing, so whatever the sides differ in there is a
conflict. That can ask one question too many. It never loses an edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec

from tdvc.model import numbers
from tdvc.model.records import HUMAN, IMPORTED, Instance, fields_of, make_instance, same_instance

PRESENCE = "presence"

Cells: TypeAlias = Mapping[str, Any]
"""Field to value, JSON as `numbers.parse` gives it; a field that is absent is left out."""


class _Mark:
    """A value that equals itself alone."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


ABSENT = _Mark("ABSENT")
UNSETTLED = _Mark("UNSETTLED")
"""Stands for a base that can't be told; no side ever has this value."""


class FieldConflict(NamedTuple):
    """Two changes of one cell that can't both stand.

    Attributes:
        instance_id: of which instance.
        field: which cell of it.
        base: JSON before both, None where it was not there or can't be told.
        ours: JSON on our side, None where it is not there.
        theirs: JSON on their side, None where it is not there.
    """

    instance_id: str
    field: str
    base: msgspec.Raw | None
    ours: msgspec.Raw | None
    theirs: msgspec.Raw | None


class Choice(NamedTuple):
    """What becomes of one value, and whether both sides wanted something else."""

    value: Any
    conflict: bool


class SetMerge(NamedTuple):
    """The instances of both sides, ordered by id, and what is to be decided."""

    instances: list[Instance]
    conflicts: list[FieldConflict]


Base: TypeAlias = "Iterable[Instance] | Mapping[str, Cells]"
"""Instances, or cells by id, as `settled_instances` makes them."""


# values


def choose(ours_base: Any, theirs_base: Any, ours: Any, theirs: Any) -> Choice:
    """Merge one value, given what each side began with."""
    if ours == theirs:
        return Choice(ours, False)
    ours_changed, theirs_changed = ours != ours_base, theirs != theirs_base
    if ours_changed == theirs_changed:  # both did; or neither, from bases that differ
        return Choice(ours, True)
    return Choice(ours if ours_changed else theirs, False)


def settle(levels: Sequence[Sequence[Any]]) -> Any:
    """One base out of several: the first level holds the best common ancestors' values, the next those of theirs."""
    base: Any = UNSETTLED
    for values in reversed(levels):
        settled = values[0]
        for value in values[1:]:
            chosen = choose(base, base, settled, value)
            settled = UNSETTLED if chosen.conflict else chosen.value
        base = settled
    return base


def settled_cells(levels: Sequence[Sequence[Cells]]) -> dict[str, Any]:
    """As `settle`, for every field."""
    if len(levels) == 1 == len(levels[0]):
        return dict(levels[0][0])
    names = {name for level in levels for cells in level for name in cells}
    settled = {name: settle([[cells.get(name, ABSENT) for cells in level] for level in levels]) for name in names}
    return {name: value for name, value in settled.items() if value is not ABSENT}


def settled_instances(levels: Sequence[Sequence[Sequence[Instance]]]) -> Mapping[str, Cells]:
    """As `settle`, for every cell of every instance. One that may or may not be there has no settled presence."""
    versions = [[{i.instance_id: cells_of(i) for i in instances} for instances in level] for level in levels]
    identities = {identity for level in versions for cells in level for identity in cells}
    found: dict[str, Cells] = {}
    for identity in identities:
        there = [[cells.get(identity) for cells in level] for level in versions]
        cells = settled_cells([[{**c, PRESENCE: True} if c is not None else {} for c in level] for level in there])
        if PRESENCE in cells:
            found[identity] = cells
        elif UNSETTLED in cells.values():
            found[identity] = {**cells, PRESENCE: UNSETTLED}
    return found


# cells


def cells_of(instance: Instance) -> dict[str, Any]:
    """An instance taken apart."""
    cells: dict[str, Any] = {
        "label": instance.label,
        "geometry": {"geometry": numbers.parse(bytes(instance.geometry)), "type": instance.type},
    }
    for name in ("frame", "sequence", "source"):
        if (value := getattr(instance, name)) is not None:
            cells[name] = value
    if (score := numbers.parse(bytes(instance.score))) is not None:
        cells["score"] = score
    for group in ("attributes", "properties"):
        for key, value in numbers.parse(bytes(getattr(instance, group))).items():
            cells[f"{group}.{key}"] = value
    return cells


def instance_from(identity: str, cells: Cells) -> Instance:
    """An instance put together, canonical and checked. Raises SchemaError (bad-instance)."""
    fields: dict[str, Any] = {"instance_id": identity, "attributes": {}, "properties": {}}
    for name, value in cells.items():
        group, dot, key = name.partition(".")
        if dot:
            fields[group][key] = value
        elif name == "geometry":
            fields |= value
        elif name != PRESENCE:
            fields[name] = value
    return make_instance(fields)


def raw(value: Any) -> msgspec.Raw | None:
    """A value as JSON that keeps its spelling; None where there is none."""
    return None if value is ABSENT or value is UNSETTLED else msgspec.Raw(numbers.spell(value))


def _whole(instance: Instance | Cells | None) -> msgspec.Raw | None:
    if not isinstance(instance, Instance):
        return None
    return raw(fields_of(instance))


# instance sets


def merge_sets(
    base: Base, ours: Iterable[Instance], theirs: Iterable[Instance], *, theirs_base: Base | None = None
) -> SetMerge:
    """Merge two versions of an instance set.

    Args:
        base: what both sides began with.
        ours: one side; its values stay where there is a conflict.
        theirs: the other.
        theirs_base: what their side began with, where that is not what ours began with.
    """
    ours_before = _by_id(base)
    sides = _Sides(ours_before, ours_before if theirs_base is None else _by_id(theirs_base))
    left, right = _by_id(ours), _by_id(theirs)
    instances: list[Instance] = []
    conflicts: list[FieldConflict] = []
    for identity in sorted(left.keys() | right.keys()):
        merged, found = sides.merge(identity, left.get(identity), right.get(identity))
        conflicts += found
        if merged is not None:
            instances.append(merged)
    return SetMerge(instances, conflicts)


def _by_id(instances: Iterable[Instance] | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(instances, Mapping):
        return instances
    return {instance.instance_id: instance for instance in instances}


class _Sides:
    """What each side began with."""

    def __init__(self, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
        self._ours = ours
        self._theirs = theirs

    def merge(
        self, identity: str, ours: Instance | None, theirs: Instance | None
    ) -> tuple[Instance | None, list[FieldConflict]]:
        before_ours, before_theirs = self._ours.get(identity), self._theirs.get(identity)
        if ours is not None and theirs is not None:
            if same_instance(ours, theirs):
                return ours, []
            if before_ours is before_theirs and before_ours is not None:
                if not _changed(before_ours, theirs):
                    return ours, []
                if not _changed(before_ours, ours):
                    return theirs, []
            return _merge_cells(identity, before_ours, before_theirs, ours, theirs)
        if ours is not None:
            stays = self._stays(ours, before_ours, before_theirs, lacking=self._theirs)
        elif theirs is not None:
            stays = self._stays(theirs, before_theirs, before_ours, lacking=self._ours)
        else:
            return None, []
        if stays is None:
            conflict = FieldConflict(identity, PRESENCE, _whole(before_ours), _whole(ours), _whole(theirs))
            return ours, [conflict]
        return (ours or theirs) if stays else None, []

    def _stays(self, there: Instance, before: Any, before_other: Any, lacking: Mapping[str, Any]) -> bool | None:
        """Whether an instance stays that the other side does not have; None where that is to be decided."""
        changed = before is None or _changed(before, there)
        if before_other is None:  # the other side never had it, so it did not take it out
            return True if changed or not lacking else None
        return None if changed else False


def _changed(before: Any, after: Instance) -> bool:
    if isinstance(before, Instance):
        return not same_instance(before, after)
    return bool(before != {**cells_of(after), PRESENCE: True})


def _cells(instance: Any) -> Cells:
    if instance is None:
        return {}
    return cells_of(instance) if isinstance(instance, Instance) else instance


def _merge_cells(
    identity: str, before_ours: Any, before_theirs: Any, ours: Instance, theirs: Instance
) -> tuple[Instance, list[FieldConflict]]:
    ours_base = _cells(before_ours)
    theirs_base = ours_base if before_theirs is before_ours else _cells(before_theirs)
    left, right = cells_of(ours), cells_of(theirs)
    merged: dict[str, Any] = {}
    conflicts = []
    for name in sorted(left.keys() | right.keys()):
        a, b = left.get(name, ABSENT), right.get(name, ABSENT)
        before = ours_base.get(name, ABSENT)
        value, conflict = choose(before, theirs_base.get(name, ABSENT), a, b)
        if conflict and name == "source":
            value = max(a, b, key=_weight)
        elif conflict:
            conflicts.append(FieldConflict(identity, name, raw(before), raw(a), raw(b)))
        if value is not ABSENT:
            merged[name] = value
    return instance_from(identity, merged), conflicts


def _weight(source: Any) -> tuple[int, str]:
    """People over models over imports over nothing; of two models the later name."""
    if not isinstance(source, str):
        return 0, ""
    return {IMPORTED: 1, HUMAN: 3}.get(source, 2), source
