"""Which file of their state is which of ours, and what the two began with.

Only what they changed is looked at: rows in which their commit differs from a common ancestor, and everything where
there is none. A file of theirs is one of ours where

1. both are the same file, by file_id: mirrored, or two versions of one history;
2. theirs is a copy of ours, also a copy of a copy;
3. ours is a copy of theirs, or both are copies of one;
4. both are at the same path with the same bytes, as when two people import the same pictures.

What a pair began with is the file in the common ancestor; where it is not there, what the copy was copied from. The
latter says nothing of where the file was. But a file_id follows from where a file first appeared, so it can be asked
whether a file is still at its birthplace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from tdvc.ids import FileId, file_ids
from tdvc.repo.directory import Directory
from tdvc.repo.entry import PATHS, Entry, FileState, Origin, entry_of, origin_of
from tdvc.repo.transaction import Transaction
from tdvc.tables.rowdiff import diff_rows
from tdvc.tables.tree import Table

MAX_COPIES = 16
"""How long a chain of copies is followed."""

_COUNTERS = 3  # a birthplace that several files share

NOWHERE = ""
"""The path of a version whose place is not known."""

Levels = list[list[Entry | None]]
"""A file in the common ancestors, as `tdvc.model.merge.settle` takes them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One file in two states, as far as it is there, and in what they began with.

    Attributes:
        ours: None where we do not have it.
        theirs: None where they took it out.
        levels: the file in the common ancestors; empty where none of them has it.
        origins: what ours and theirs were copied from, where `levels` is empty and one is a copy.
    """

    ours: Entry | None
    theirs: Entry | None
    levels: Levels
    origins: tuple[Origin, Origin] | None = None


class _Past:
    """A common ancestor, as far as their state differs from it."""

    def __init__(self, before: Directory, theirs: Directory) -> None:
        self._theirs = theirs
        self.before: dict[FileId, Entry] = {}
        self.after: dict[str, Entry | None] = {}
        self._copies: dict[FileId, Entry] = {}
        for key, old, new in diff_rows(before.table, theirs.table):
            self.after[key.decode()] = entry_of(new) if new else None
            if old is not None:
                entry = entry_of(old)
                self.before[entry.state.file_id] = entry
                if origin := origin_of(entry.state):
                    self._copies.setdefault(origin.file_id, entry)

    def version(self, theirs: Entry, ours: Entry | None) -> Entry | None:
        """The file that this became, in the ancestor."""
        if theirs.state.file_id not in self.before and theirs.path not in self.after:
            return theirs
        identities = list(_known_names([theirs, *([ours] if ours else [])]))
        found = (places.get(identity) for places in (self.before, self._copies) for identity in identities)
        return next((entry for entry in found if entry is not None), None)


def _known_names(entries: Sequence[Entry]) -> Iterator[FileId]:
    yield from (entry.state.file_id for entry in entries)
    yield from (origin.file_id for entry in entries if (origin := origin_of(entry.state)))


class Pairing:
    """The files of theirs that differ from what both sides began with, each with ours.

    Attributes:
        common: whether the two states have anything in common.
    """

    def __init__(
        self, edit: Transaction, ours: Directory, theirs: Directory, levels: Sequence[Sequence[Directory]]
    ) -> None:
        self._edit = edit
        self._ours = ours
        self._theirs = theirs
        self._paths = Table(ours.objects, PATHS, edit.view.directories[ours.name].paths)
        self._bases = levels
        self._pasts = [[_Past(base, theirs) for base in level] for level in levels]
        self._taken: set[FileId] = set()
        self._copies: dict[FileId, list[Entry]] | None = None
        self.common = bool(levels)

    def __iter__(self) -> Iterator[Pair]:
        """Every pair, theirs in path order, then what they took out."""
        changed = self._changed()
        found = self._counterparts(changed)
        self.common = self.common or bool(found)
        seen: set[FileId] = set()
        for theirs in changed:
            ours = found.get(theirs.state.file_id)
            levels: Levels = [[past.version(theirs, ours) for past in level] for level in self._pasts]
            levels += _before(levels)
            known = [entry for entry in chain(*levels) if entry is not None]
            seen.update(entry.state.file_id for entry in known)
            yield Pair(ours, theirs, levels if known else [], None if known else _origins(ours, theirs))
        yield from self._gone(seen)

    def _changed(self) -> list[Entry]:
        if not self._pasts:
            return list(self._theirs.entries())
        rows: dict[str, Entry | None] = {}
        for past in self._pasts[0]:
            rows.update(past.after)
        return [entry for _, entry in sorted(rows.items()) if entry is not None]

    def _gone(self, seen: set[FileId]) -> Iterator[Pair]:
        """What was in an ancestor and has nothing that it became."""
        before = {i: entry for past in (self._pasts or [[]])[0] for i, entry in past.before.items() if i not in seen}
        found = self._counterparts(list(before.values()))
        for identity, entry in sorted(before.items(), key=lambda item: item[1].path):
            ours = found.get(identity)
            if ours is not None:
                levels: Levels = [[past.before.get(identity) for past in level] for level in self._pasts]
                yield Pair(ours, None, levels if any(chain(*levels)) else [[entry]])

    # which of ours

    def _counterparts(self, entries: Sequence[Entry]) -> dict[FileId, Entry]:
        """Our file for each of these, by their file_id; each of ours once."""
        found: dict[FileId, Entry] = {}
        self._look_up(entries, {e.state.file_id: [e.state.file_id] for e in entries}, found)
        rest = [entry for entry in entries if entry.state.file_id not in found]
        origins = {e.state.file_id: origin_of(e.state) for e in rest}
        self._look_up(rest, {i: [origin.file_id] for i, origin in origins.items() if origin}, found)
        rest = [entry for entry in rest if entry.state.file_id not in found]
        if rest:
            lineages = self._lineages(rest)
            self._look_up(rest, lineages, found)
            self._at_same_path(rest, lineages, found)
            self._look_up_copies([e for e in rest if e.state.file_id not in found], lineages, found)
        return found

    def _look_up(self, entries: Sequence[Entry], names: dict[FileId, list[FileId]], found: dict[FileId, Entry]) -> None:
        """Where ours has one of the names of a file."""
        wanted = {name for known in names.values() for name in known}
        places = {key: row[1].decode() for key, row in self._paths.get_many(wanted).items()}
        held = self._ours.entries_at(places.values())
        self._claim(
            (
                (entry, held[places[name]])
                for entry in entries
                for name in names.get(entry.state.file_id, ())
                if name in places
            ),
            found,
        )

    def _claim(self, candidates: Iterable[tuple[Entry, Entry]], found: dict[FileId, Entry]) -> None:
        """Give each of ours to one of theirs, the one at the same path first."""
        ordered = sorted(candidates, key=lambda pair: (pair[0].path != pair[1].path, pair[0].path))
        for theirs, ours in ordered:
            if theirs.state.file_id not in found and ours.state.file_id not in self._taken:
                found[theirs.state.file_id] = ours
                self._taken.add(ours.state.file_id)

    def _at_same_path(
        self, entries: Sequence[Entry], lineages: dict[FileId, list[FileId]], found: dict[FileId, Entry]
    ) -> None:
        """Where ours is at the same path, and has the same bytes or was copied from a name of theirs."""
        rest = [entry for entry in entries if entry.state.file_id not in found]
        held = self._ours.entries_at(entry.path for entry in rest)
        pairs = [(entry, held[entry.path]) for entry in rest if entry.path in held]
        self._claim(
            (
                (theirs, ours)
                for theirs, ours in pairs
                if theirs.state.blob == ours.state.blob
                or ((origin := origin_of(ours.state)) and origin.file_id in _names(theirs, lineages))
            ),
            found,
        )

    def _look_up_copies(
        self, entries: Sequence[Entry], lineages: dict[FileId, list[FileId]], found: dict[FileId, Entry]
    ) -> None:
        """Where ours is a copy of theirs, or both are copies of one."""
        if not entries:
            return
        copies = self._our_copies()
        self._claim(
            (
                (theirs, ours)
                for theirs in entries
                for name in _names(theirs, lineages)
                for ours in copies.get(name, ())
            ),
            found,
        )

    def _our_copies(self) -> dict[FileId, list[Entry]]:
        """Those of our files that are copies, by what they are copies of. Reads what differs from an ancestor."""
        if self._copies is None:
            if self._bases:
                base = self._bases[0][0].table
                rows: Iterable[Entry] = (entry_of(new) for _, _, new in diff_rows(base, self._ours.table) if new)
            else:
                rows = self._ours.entries()
            copies = [entry for entry in rows if entry.state.origin]
            lineages = self._lineages(copies)
            self._copies = {}
            for entry in copies:
                for name in lineages.get(entry.state.file_id, ()):
                    self._copies.setdefault(name, []).append(entry)
        return self._copies

    def _lineages(self, entries: Sequence[Entry]) -> dict[FileId, list[FileId]]:
        """What each copy was copied from, and that in turn, as far as it is known."""
        states = {entry.state.file_id: entry.state for entry in entries}
        newest = states
        for _ in range(MAX_COPIES):
            wanted = {origin.file_id for state in newest.values() if (origin := origin_of(state))} - states.keys()
            if not wanted:
                break
            newest = self._edit.living_states(wanted)
            states = {**states, **newest}
        return {entry.state.file_id: _lineage(entry.state, states) for entry in entries if entry.state.origin}


def _names(entry: Entry, lineages: dict[FileId, list[FileId]]) -> list[FileId]:
    return [entry.state.file_id, *lineages.get(entry.state.file_id, ())]


def _lineage(state: FileState, states: dict[FileId, FileState]) -> list[FileId]:
    found: list[FileId] = []
    while (origin := origin_of(state)) and origin.file_id not in found and len(found) < MAX_COPIES:
        found.append(origin.file_id)
        if origin.file_id not in states:
            break
        state = states[origin.file_id]
    return found


def _before(levels: Levels) -> Levels:
    """One level more, where the last has several versions of a file that were copied from one: what they began with."""
    last = [entry for entry in (levels[-1] if levels else []) if entry is not None]
    origins = _origins(last[0], last[1]) if len(last) == 2 else None
    if origins is None or origins[0] != origins[1]:
        return []
    state = FileState(origins[0].file_id, origins[0].blob, 0, instances=origins[0].instances)
    return [[Entry(NOWHERE, state)]]


def _origins(ours: Entry | None, theirs: Entry) -> tuple[Origin, Origin] | None:
    """What the two began with, where one was copied from the other or both from one file."""
    if ours is None or ours.state.file_id == theirs.state.file_id:
        return None
    mine, other = origin_of(ours.state), origin_of(theirs.state)
    if other is not None and other.file_id == ours.state.file_id:
        return other, other
    if mine is not None and mine.file_id == theirs.state.file_id:
        return mine, mine
    if mine is not None and other is not None:
        return mine, other
    found = mine or other
    return (found, found) if found else None


def born_at(path: str, entry: Entry, directory: str, also: Iterable[Entry] = ()) -> bool:
    """Whether a file first appeared at a path of a directory, judged by its file_id and the bytes it may have had."""
    known = [entry.state, *(other.state for other in also)]
    blobs = {state.blob for state in known} | {origin.blob for state in known if (origin := origin_of(state))}
    places = [(path, blob) for blob in sorted(blobs)]
    return any(entry.state.file_id in file_ids(directory, places, counter) for counter in range(_COUNTERS))
