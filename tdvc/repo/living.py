"""Files by their identity: which of them some directory of a view holds, and what they are."""

from __future__ import annotations

from collections.abc import Iterable

from tdvc.ids import FileId
from tdvc.objects.store import ReadableObjects
from tdvc.repo.entry import FILES, PATHS, FileState, state_of
from tdvc.repo.view import DirectoryRef, View
from tdvc.tables.tree import Table


def files_of(objects: ReadableObjects, ref: DirectoryRef) -> Table:
    """The table of a directory, keyed by path."""
    return Table(objects, FILES, ref.root)


def paths_of(objects: ReadableObjects, ref: DirectoryRef) -> Table:
    """Its table from file_id to path."""
    return Table(objects, PATHS, ref.paths)


def living(objects: ReadableObjects, view: View, identities: Iterable[FileId]) -> set[FileId]:
    """Those files that some directory of a view holds."""
    wanted = list(identities)
    found: set[FileId] = set()
    for ref in view.directories.values():
        found.update(FileId(key) for key in paths_of(objects, ref).get_many(wanted))
    return found


def living_states(objects: ReadableObjects, view: View, identities: Iterable[FileId]) -> dict[FileId, FileState]:
    """The states of those files that some directory of a view holds."""
    missing = set(identities)
    states: dict[FileId, FileState] = {}
    for ref in view.directories.values():
        if not missing:
            break
        paths = [path for _, path in paths_of(objects, ref).get_many(missing).values()]
        for row in files_of(objects, ref).get_many(paths).values():
            states[row[1]] = state_of(row)
        missing -= states.keys()
    return states
