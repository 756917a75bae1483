"""What a merge does to a directory: files that change, move, arrive and leave, and what is to be decided.

Everything is worked out against one view and noted in one transaction. Of two files that want to be at one path, the
one that is there stays, and the other is a conflict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tdvc.errors import SchemaError
from tdvc.ids import ObjectId
from tdvc.model.consensus import Disagreement
from tdvc.model.merge import raw
from tdvc.model.records import Instance, fields_of
from tdvc.model.schema import Schema
from tdvc.model.schemachange import merge_schemas
from tdvc.ops.filemerge import FileMerger, file_cells
from tdvc.ops.pairing import Pair, Pairing
from tdvc.repo.directory import Directory, read_schema
from tdvc.repo.entry import PATHS, Entry, FileState
from tdvc.repo.merge import SCHEMA_FIELD, MergeConflict, file_value
from tdvc.repo.transaction import Transaction
from tdvc.tables.tree import Table


@dataclass(frozen=True, slots=True)
class FileDisagreement:
    """One object of a file that two people do not see in the same way.

    Attributes:
        path: of the file.
        kind: `label`, `ours-alone` or `theirs-alone`.
        ours: our instance as JSON, None where we have none.
        theirs: theirs.
        overlap: intersection over union of a pair.
    """

    path: str
    kind: str
    ours: dict[str, Any] | None
    theirs: dict[str, Any] | None
    overlap: float | None


class MergePlan:
    """One merge, worked out.

    Args:
        edit: the transaction that it goes into.
        ours: the directory, as the transaction sees it.
        theirs: the commit that is merged in.
        levels: the best common ancestors, see `History.base_levels`; or what else is to count as the beginning.
        threshold: pair instances that share no ids by this overlap; None not to.

    Attributes:
        states: new states of our files, by where they are.
        moves: our files that go elsewhere: path to path.
        arriving: files that come in, by path.
        leaving: paths of our files that are taken out.
        conflicts: what is to be decided.
        disagreements: what two people see differently, where overlap was asked for.
        matched_instances: pairs that were found by overlap.
        schemas: the schema before and after, where the merge changes it.
        common: whether the two states have anything in common.
        joins: whether the two are not simply mirrors: there is a common ancestor, or a file of ours is another than
            theirs.
    """

    def __init__(
        self,
        edit: Transaction,
        ours: Directory,
        theirs: Directory,
        levels: Sequence[Sequence[Directory]],
        threshold: float | None = None,
    ) -> None:
        self._edit = edit
        self._ours = ours
        self._theirs = theirs
        self._levels = levels
        self._files = FileMerger(edit, ours, theirs, threshold)
        self.states: dict[str, FileState] = {}
        self.moves: dict[str, str] = {}
        self.arriving: dict[str, Entry] = {}
        self.leaving: set[str] = set()
        self.conflicts: list[MergeConflict] = []
        self.disagreements: list[FileDisagreement] = []
        self.matched_instances = 0
        self.schemas: tuple[ObjectId, ObjectId] | None = None
        self.joins = bool(levels)
        pairing = Pairing(edit, ours, theirs, levels)
        for pair in pairing:
            self._decide(pair)
        self._make_room()
        self.common = pairing.common

    @property
    def changes(self) -> bool:
        """Whether anything in the directory becomes something else, or is to be decided."""
        noted = (self.states, self.moves, self.arriving, self.leaving, self.conflicts, self.schemas)
        return any(noted)

    # files

    def _decide(self, pair: Pair) -> None:
        if pair.ours is not None and pair.theirs is not None:
            self.joins = self.joins or pair.ours.state.file_id != pair.theirs.state.file_id
            self._on_both_sides(pair, pair.ours, pair.theirs)
        elif pair.theirs is not None:
            self._on_their_side(pair, pair.theirs)
        elif pair.ours is not None:
            self._on_our_side(pair, pair.ours)

    def _on_both_sides(self, pair: Pair, ours: Entry, theirs: Entry) -> None:
        if _equal(ours, theirs) or (not pair.levels and self._is_older(ours, theirs)):
            return
        merged = self._files.merge(pair, ours, theirs)
        if merged.entry.state != ours.state:
            self.states[ours.path] = merged.entry.state
        if merged.entry.path != ours.path:
            self.moves[ours.path] = merged.entry.path
        self.conflicts += merged.conflicts
        self.matched_instances += merged.matched
        self.disagreements += [_in_file(ours.path, found) for found in merged.disagreements]

    def _is_older(self, ours: Entry, theirs: Entry) -> bool:
        """Whether their directory mirrors our file today, so that theirs can only be an earlier state of it."""
        identity = theirs.state.file_id
        ref = self._edit.view.directories.get(self._theirs.name)
        if ref is None or self._theirs.name == self._ours.name or identity != ours.state.file_id:
            return False
        return Table(self._ours.objects, PATHS, ref.paths).get(identity) is not None

    def _on_their_side(self, pair: Pair, theirs: Entry) -> None:
        versions = _versions(pair)
        if not versions:
            self.arriving[theirs.path] = theirs
        elif not all(_same(entry, theirs) for entry in versions):
            self.conflicts.append(_presence(versions[0], None, theirs))

    def _on_our_side(self, pair: Pair, ours: Entry) -> None:
        versions = _versions(pair)
        if all(_same(entry, ours) for entry in versions):
            self.leaving.add(ours.path)
        else:
            self.conflicts.append(_presence(versions[0], ours, None))

    # places

    def _make_room(self) -> None:
        """Strike what would take the place of another file. A file that stays may be in the way of a further one."""
        held = self._ours.entries_at({*self.moves.values(), *self.arriving})
        settled = False
        while not settled:
            settled = True
            freed = self.leaving | self.moves.keys()
            taken = held.keys() - freed
            for before, after in sorted(self.moves.items()):
                if after in taken:
                    del self.moves[before]
                    self._strike(self._ours.entry(before), before, after)
                    settled = False
                taken.add(after)
        for path in sorted(self.arriving.keys() & taken):
            self._strike(self.arriving.pop(path), None, path)

    def _strike(self, entry: Entry, ours: str | None, theirs: str) -> None:
        sides = [raw(path) if path is not None else None for path in (ours, ours, theirs)]
        if ours is None:
            sides[2] = file_value(entry)
        self.conflicts.append(MergeConflict(theirs, entry.state.file_id.hex(), "", "path", *sides))

    # the schema

    def merge_schema(self) -> None:
        """Merge the schemas, where the two sides do not go by the same one."""
        name, view = self._ours.name, self._edit.view
        mine, other = self._ours.schema_id, self._theirs.schema_id
        if mine == other or self._share_a_schema():
            return
        objects = self._ours.objects
        bases = [state for level in self._levels[-1:] for state in level[:1]]
        base = bases[0].schema if bases else Schema()
        before = read_schema(objects, mine)
        merged, conflicts = merge_schemas(base, before, read_schema(objects, other))
        for path, *sides, _ in conflicts:
            shown = [raw(side) if side is not None else None for side in sides]
            self.conflicts.append(MergeConflict("", "", "", f"{SCHEMA_FIELD}{path}", *shown))
        if merged != before and before.locked:
            raise SchemaError(
                "schema-locked",
                f"The schema that {name} goes by is locked, and {self._theirs.title} brings another one.",
                hint="tdvc schema unlock",
                directory=name,
            )
        if merged != before:
            own = view.directories[name].schema is not None
            self.schemas = mine, self._edit.set_schema(merged, name if own else None)

    def _share_a_schema(self) -> bool:
        """Whether both directories follow the repository's schema: then the commit has an older version of it."""
        directories = self._edit.view.directories
        names = {self._ours.name, self._theirs.name}
        return len(names) == 2 and all(name in directories and directories[name].schema is None for name in names)

    # the transaction

    def note(self) -> None:
        """Put the changes into the transaction."""
        edit, name = self._edit, self._ours.name
        places = self._ours.entries_at(self.moves)
        for path in sorted(self.leaving | self.moves.keys()):
            edit.take_out(name, path)
        for before, after in sorted(self.moves.items()):
            edit.place(name, after, places[before].state.file_id)
        living = edit.living(entry.state.file_id for entry in self.arriving.values())
        for path, entry in sorted(self.arriving.items()):
            if entry.state.file_id in living:
                edit.place(name, path, entry.state.file_id)
            else:
                edit.put(name, path, entry.state)
        for state in self.states.values():
            edit.set_state(state)

    @property
    def changed_files(self) -> int:
        """How many of our files become something else, wherever they are."""
        return len(self.states)


def _versions(pair: Pair) -> list[Entry]:
    return [entry for level in pair.levels[:1] for entry in level if entry is not None]


def _equal(a: Entry, b: Entry) -> bool:
    """Whether two files are at one place and say the same; which file each is, and what it was copied from, aside."""
    return a.path == b.path and a.state[1:-1] == b.state[1:-1]


def _same(a: Entry, b: Entry) -> bool:
    """Whether two versions of a file say the same; of the place only where it is one file."""
    same_place = a.path == b.path or a.state.file_id != b.state.file_id
    left, right = file_cells(a), file_cells(b)
    del left["path"], right["path"]
    return same_place and left == right and a.state.instances == b.state.instances


def _presence(base: Entry, ours: Entry | None, theirs: Entry | None) -> MergeConflict:
    shown = ours or theirs or base
    values = [file_value(entry) if entry is not None else None for entry in (base, ours, theirs)]
    return MergeConflict(shown.path, shown.state.file_id.hex(), "", "presence", *values)


def _in_file(path: str, found: Disagreement) -> FileDisagreement:
    return FileDisagreement(path, found.kind, _shown(found.ours), _shown(found.theirs), found.overlap)


def _shown(instance: Instance | None) -> dict[str, Any] | None:
    return fields_of(instance) if instance is not None else None
