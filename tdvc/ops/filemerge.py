"""One file that both sides have, merged: what it is, where it is, what is said of it.

A file has cells like an instance has: `bytes`, `path`, `complete` and `properties.KEY`; its instances are merged by
themselves. Where theirs is as it was, ours stays without a set being read, and where ours is as it was, their set is
taken whole by its id.

Two rules stand beside those of `tdvc.model.merge`. A file that both declared complete is complete, whatever schemas
they looked at. And a copy says what bytes and instances it began with, but not where its source was or whether it was
complete: it counts as not complete then, and as in its place where its file_id says that it was born there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from tdvc.ids import NO_ID, ObjectId
from tdvc.model import numbers
from tdvc.model.consensus import Disagreement, align
from tdvc.model.merge import (
    ABSENT,
    UNSETTLED,
    choose,
    merge_sets,
    raw,
    settle,
    settled_cells,
    settled_instances,
)
from tdvc.model.records import Instance
from tdvc.objects.store import ReadableObjects
from tdvc.ops.pairing import NOWHERE, Pair, born_at
from tdvc.repo.directory import Directory, read_instances, read_set
from tdvc.repo.entry import Entry, FileState, properties_of
from tdvc.repo.merge import MergeConflict
from tdvc.repo.transaction import Transaction

_NOT_COMPLETE = (0, NO_ID)


class FileMerge(NamedTuple):
    """What becomes of our file.

    Attributes:
        entry: its state and where it is.
        conflicts: what is to be decided.
        matched: how many instances were paired by overlap.
        disagreements: what two people see differently, where that was asked for.
    """

    entry: Entry
    conflicts: list[MergeConflict]
    matched: int
    disagreements: list[Disagreement]


class _InstanceMerge(NamedTuple):
    instances: ObjectId
    instance_count: int
    conflicts: list[MergeConflict]
    matched: int
    disagreements: list[Disagreement]


class FileMerger:
    """Merges the files of one merge.

    Args:
        edit: where new instance sets go.
        ours: our directory.
        theirs: the commit that is merged in.
        threshold: pair instances that share no ids by this overlap; None to leave them apart.
    """

    def __init__(self, edit: Transaction, ours: Directory, theirs: Directory, threshold: float | None) -> None:
        self._edit = edit
        self._ours = ours
        self._theirs = theirs
        self._threshold = threshold

    def merge(self, pair: Pair, ours: Entry, theirs: Entry) -> FileMerge:
        """Merge a file that both sides have."""
        cells, conflicts = self._merged_cells(pair, ours, theirs)
        found = self._merged_instances(pair, ours, theirs)
        state = _with_cells(ours.state, theirs.state, cells)
        state = state._replace(instances=found.instances, instance_count=found.instance_count)
        entry = Entry(cells["path"], state)
        return FileMerge(entry, conflicts + found.conflicts, found.matched, found.disagreements)

    # cells

    def _merged_cells(self, pair: Pair, ours: Entry, theirs: Entry) -> tuple[dict[str, Any], list[MergeConflict]]:
        left, right = file_cells(ours), file_cells(theirs)
        if ours.state.complete and theirs.state.complete:
            right["complete"] = left["complete"]
        ours_base, theirs_base = self._base_cells(pair, ours, theirs)
        merged: dict[str, Any] = {}
        conflicts = []
        for name in sorted(left.keys() | right.keys()):
            a, b = left.get(name, ABSENT), right.get(name, ABSENT)
            before = ours_base.get(name, ABSENT)
            value, conflict = choose(before, theirs_base.get(name, ABSENT), a, b)
            if conflict:
                known = [ours, theirs, *(entry for entry in chain(*pair.levels) if entry is not None)]
                sides = [shown_cell(name, side, known) for side in (before, a, b)]
                conflicts.append(MergeConflict(ours.path, ours.state.file_id.hex(), "", name, *sides))
            if value is not ABSENT:
                merged[name] = value
        return merged, conflicts

    def _base_cells(self, pair: Pair, ours: Entry, theirs: Entry) -> tuple[dict[str, Any], dict[str, Any]]:
        """What each side began with; the place only where it is known."""
        if pair.levels:
            same = theirs.state.file_id
            levels = [[_past_cells(entry, with_path=_is(entry, same)) for entry in level] for level in pair.levels]
            found = settled_cells(levels)
            bases = found, found
        else:
            origins = pair.origins or (None, None)
            mine, other = ({"bytes": origin.blob} if origin else {} for origin in origins)
            bases = {**mine, "complete": _NOT_COMPLETE}, {**other, "complete": _NOT_COMPLETE}
        if ours.path != theirs.path and "path" not in bases[1]:
            bases[0]["path"] = bases[1]["path"] = self._birthplace(ours, theirs)
        return bases

    def _birthplace(self, ours: Entry, theirs: Entry) -> Any:
        """Where a file of another history was before it was moved, if it was."""
        for path in (theirs.path, ours.path):
            if born_at(path, theirs, self._theirs.name, also=[ours]):
                return path
        return ABSENT

    # instances

    def _merged_instances(self, pair: Pair, ours: Entry, theirs: Entry) -> _InstanceMerge:
        base, theirs_base = _base_sets(pair)
        mine, other = ours.state, theirs.state
        unchanged = _InstanceMerge(mine.instances, mine.instance_count, [], 0, [])
        if other.instances == mine.instances:
            return unchanged
        if base == theirs_base and other.instances == base:
            return unchanged
        if base == theirs_base and mine.instances == base:
            return _InstanceMerge(other.instances, other.instance_count, [], 0, [])
        return self._merged_sets(pair, ours, theirs)

    def _merged_sets(self, pair: Pair, ours: Entry, theirs: Entry) -> _InstanceMerge:
        objects = self._edit.writer
        left, right = read_instances(objects, ours.state), read_instances(objects, theirs.state)
        base, theirs_base = _read_bases(objects, pair)
        matched, disagreements = 0, list[Disagreement]()
        if self._threshold is not None:
            aligned = align(theirs_base, left, right, self._threshold)
            base = aligned.base if base is theirs_base else base
            right, theirs_base = aligned.theirs, aligned.base
            matched, disagreements = aligned.matched, aligned.disagreements
        merged = merge_sets(base, left, right, theirs_base=theirs_base)
        conflicts = [MergeConflict.of_field(ours.path, ours.state.file_id, found) for found in merged.conflicts]
        instances, count = ours.state.instances, ours.state.instance_count
        if merged.instances != left:
            instances, count = self._edit.write_instances(merged.instances)
        return _InstanceMerge(instances, count, conflicts, matched, disagreements)


def file_cells(entry: Entry) -> dict[str, Any]:
    """A file taken apart, its instances left out."""
    state = entry.state
    cells: dict[str, Any] = {
        "bytes": state.blob,
        "complete": (state.complete, state.completeness_schema),
        "path": entry.path,
    }
    properties = properties_of(state)
    return cells | {f"properties.{key}": value for key, value in properties.items()}


def shown_cell(name: str, value: Any, known: Iterable[Entry] = ()) -> msgspec.Raw | None:
    """A cell of a file as JSON; `known` says more of the bytes than their id."""
    if value is ABSENT or value is UNSETTLED:
        return None
    if name == "bytes":
        state = next((entry.state for entry in known if entry.state.blob == value), None)
        more = {"media_type": state.media_type.decode(), "size_bytes": state.size_bytes} if state else {}
        return raw({"blob": value.hex(), **more})
    if name == "complete":
        complete, schema = value
        return raw({"complete": bool(complete), **({"schema": schema.hex()} if complete else {})})
    return raw(value)


def _is(entry: Entry | None, identity: bytes) -> bool:
    return entry is not None and entry.state.file_id == identity and entry.path != NOWHERE


def _past_cells(entry: Entry | None, *, with_path: bool) -> dict[str, Any]:
    cells = file_cells(entry) if entry is not None else {}
    if not with_path:
        cells.pop("path", None)
    return cells


def _with_cells(ours: FileState, theirs: FileState, cells: dict[str, Any]) -> FileState:
    """Our file with merged cells; what is ours keeps its spelling."""
    state = ours
    if cells["bytes"] != ours.blob:
        state = state._replace(blob=theirs.blob, size_bytes=theirs.size_bytes, media_type=theirs.media_type)
    complete, schema = cells["complete"]
    state = state._replace(complete=complete, completeness_schema=schema)
    properties = {name.partition(".")[2]: value for name, value in cells.items() if name.startswith("properties.")}
    if properties != properties_of(ours):
        state = state._replace(properties=numbers.spell(properties) if properties else b"")
    return state


def _base_sets(pair: Pair) -> tuple[Any, Any]:
    """The ids of the instance sets that each side began with; `UNSETTLED` where several have to be settled."""
    if pair.levels:
        found = settle([[entry.state.instances if entry else NO_ID for entry in level] for level in pair.levels])
        return found, found
    if pair.origins:
        return pair.origins[0].instances, pair.origins[1].instances
    return NO_ID, NO_ID


def _read_bases(objects: ReadableObjects, pair: Pair) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What each side began with, by id; one object where it is one."""
    mine, other = _base_sets(pair)
    if mine is UNSETTLED:
        levels = [[read_instances(objects, entry.state) if entry else [] for entry in level] for level in pair.levels]
        found = settled_instances(levels)
        return found, found
    base = _by_id(read_set(objects, mine))
    return base, base if other == mine else _by_id(read_set(objects, other))


def _by_id(instances: Sequence[Instance]) -> dict[str, Instance]:
    return {instance.instance_id: instance for instance in instances}
