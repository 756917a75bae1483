"""The view that follows from a view and notes. Every change to a repository goes through here.

A new state of a file is written, from one note, into every directory that holds the file in the view it is applied to;
so a mirrored file can't drift, however often the notes are applied again to a newer view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tdvc.errors import NotFound, Refused, SchemaError
from tdvc.ids import FileId, Kind, ObjectId
from tdvc.objects.store import ObjectWriter
from tdvc.repo.directory import read_schema
from tdvc.repo.entry import FILES, PATHS, FileState
from tdvc.repo.living import files_of, living_states, paths_of
from tdvc.repo.notes import Notes
from tdvc.repo.view import DirectoryRef, View
from tdvc.tables.edit import edit, empty
from tdvc.tables.page import Row
from tdvc.tables.tree import Table

_SHOWN_LABELS = 5

Rows = dict[bytes, Row | None]
"""Rows that change in a table, by key; None for those that go."""


class Applying:
    """Applies notes to a view.

    Args:
        writer: where the new tables, schemas and commits go.
        notes: what is to change.
    """

    def __init__(self, writer: ObjectWriter, notes: Notes) -> None:
        self._writer = writer
        self._notes = notes

    def apply(self, view: View) -> View:
        """The view that follows from `view` and the notes."""
        directories = {name: ref for name, ref in view.directories.items() if name not in self._notes.removed}
        for name, ref in self._notes.created.items():
            directories[name] = ref or DirectoryRef(empty(self._writer, FILES), empty(self._writer, PATHS))
        for name, source in self._notes.clones.items():
            if source not in view.directories:
                raise NotFound("directory-not-found", f"There is no directory named {source!r}.", name=source)
            directories[name] = replace(view.directories[source], commit=None, merge=None, rule=None)
        changes = self._row_changes(view, directories)
        for name, (rows, paths) in changes.items():
            ref = directories[name]
            if ref.rule is not None and name not in self._notes.rules:
                _refuse_other_members(name, files_of(self._writer, ref), rows)
            _refuse_folder_clashes(name, files_of(self._writer, ref), rows)
            directories[name] = replace(
                ref,
                root=edit(self._writer, FILES, ref.root, rows),
                paths=edit(self._writer, PATHS, ref.paths, paths),
            )
        schema = self._schemas_learn(view, directories, changes)
        self._settle(directories, schema)
        return replace(
            view,
            current=self._notes.current or view.current,
            schema=schema,
            directories=directories,
            snapshots={**view.snapshots, **self._notes.snapshots},
        )

    def _schemas_learn(self, view: View, directories: dict[str, DirectoryRef], changed: Iterable[str]) -> ObjectId:
        """Note in the refs the schemas of their own, with what they learn; returns the repository's.

        A schema learns where a directory that goes by it changes.
        """
        changed = set(changed)
        own = {name: self._notes.schemas.get(name, ref.schema) for name, ref in directories.items()}
        for name, identity in own.items():
            learned = self.learned(identity) if identity and name in changed else identity
            directories[name] = replace(directories[name], schema=learned)
        schema = self._notes.schemas.get(None) or view.schema
        return self.learned(schema) if not changed or None in map(own.get, changed) else schema

    def _settle(self, directories: dict[str, DirectoryRef], schema: ObjectId) -> None:
        """Note in the refs what they follow, which merges are under way, and the commits."""
        for name, rule in self._notes.rules.items():
            directories[name] = replace(directories[name], rule=rule)
        for name, merge in self._notes.merges.items():
            directories[name] = replace(directories[name], merge=merge)
        for name, commit in self._notes.commits.items():
            directories[name] = replace(directories[name], commit=commit, merge=None)
        for name, closing in self._notes.closing.items():
            ref = directories[name]
            closed = replace(closing, root=ref.root, schema=ref.schema or schema)
            identity = self._writer.put(Kind.COMMIT, closed.encode())
            directories[name] = replace(ref, commit=identity, merge=None)

    def _row_changes(self, view: View, directories: Mapping[str, DirectoryRef]) -> dict[str, tuple[Rows, Rows]]:
        """For each directory, the rows that change in its two tables."""
        changes: dict[str, tuple[Rows, Rows]] = {}
        placed = {i for members in self._notes.members.values() for i in members.values() if i is not None}
        states = living_states(self._writer, view, placed - self._notes.states.keys())
        states.update(self._notes.states)
        for name, members in self._notes.members.items():
            if name not in directories:
                raise NotFound("directory-not-found", f"There is no directory named {name!r}.", name=name)
            changes[name] = self._member_changes(name, directories[name], members, states)
        changed = sorted(self._notes.changed)
        for name, ref in directories.items() if changed else ():
            rows, paths = changes.setdefault(name, ({}, {}))
            for known, (_, path) in paths_of(self._writer, ref).get_many(changed).items():
                if path not in rows and paths.get(known, True) is not None:
                    rows[path] = (path, *self._notes.states[FileId(known)])
        return {name: change for name, change in changes.items() if change[0]}

    def _member_changes(
        self,
        name: str,
        ref: DirectoryRef,
        members: Mapping[bytes, FileId | None],
        states: Mapping[FileId, FileState],
    ) -> tuple[Rows, Rows]:
        rows: Rows = {}
        paths: Rows = {}
        for row in files_of(self._writer, ref).get_many(members).values():
            paths[row[1]] = None
        for path, identity in members.items():
            if identity is None:
                rows[path] = None
                continue
            if identity not in states:
                raise NotFound("file-not-found", f"The file for {path.decode()!r} is gone.", path=path.decode())
            if twice := paths.get(identity):
                raise _held_already(name, twice[1])
            rows[path] = (path, *states[identity])
            paths[identity] = (identity, path)
        present = paths_of(self._writer, ref).get_many(i for i, row in paths.items() if row is not None)
        for _, path in present.values():
            if path not in members:
                raise _held_already(name, path)
        return rows, paths

    def learned(self, identity: ObjectId) -> ObjectId:
        """The schema with the labels that these notes bring in."""
        if not (self._notes.labels or self._notes.classes):
            return identity
        schema = learned = read_schema(self._writer, identity)
        for format_name, classes in self._notes.classes:
            learned = learned.learned(classes).described(format_name, classes)
        learned = learned.learned(sorted(self._notes.labels))
        if learned is schema:
            return identity
        if schema.locked and (unknown := [key for key in learned.labels if key not in schema.labels]):
            raise _locked_out(unknown)
        return self._writer.put(Kind.SCHEMA, learned.encode())


def _refuse_other_members(name: str, table: Table, rows: Mapping[bytes, Row | None]) -> None:
    """A rule says which files a dynamic directory holds; only what they are may change."""
    held = table.get_many(rows)
    for path, row in rows.items():
        before = held.get(path)
        if (row and row[1]) != (before and before[1]):
            raise Refused(
                "directory-follows",
                f"{name} follows a rule, which says what files it holds; {path.decode()!r} can't be changed there.",
                hint=f"Change the directory it follows, or make it an ordinary one: tdvc directory rule {name} --drop",
                path=path.decode(),
                directory=name,
            )


def _refuse_folder_clashes(name: str, table: Table, rows: Mapping[bytes, Row | None]) -> None:
    """A path can't be a file and a folder at once."""
    added = [path for path, row in rows.items() if row is not None]
    folders: set[bytes] = set()
    for path in added:
        while (end := path.rfind(b"/")) > 0 and path[:end] not in folders:
            path = path[:end]
            folders.add(path)
    files = folders & rows.keys()
    clashing = [path for path in files if rows[path] is not None]
    if table.root:
        clashing += list(table.get_many(folders - files))
        for prefix in table.with_prefix(path + b"/" for path in added):
            if any(rows.get(row[0], row) is not None for row in table.scan(prefix=prefix)):
                clashing.append(prefix[:-1])
    if clashing:
        first = min(clashing).decode()
        raise Refused(
            "folder-in-the-way",
            f"In {name}, {first!r} would be both a file and a folder.",
            path=first,
            directory=name,
        )


def _locked_out(unknown: Sequence[str]) -> SchemaError:
    shown = ", ".join(repr(key) for key in unknown[:_SHOWN_LABELS])
    return SchemaError(
        "schema-locked",
        f"The schema is locked and has no label {shown}.",
        hint="tdvc schema add LABEL, or tdvc schema unlock",
        labels=list(unknown),
    )


def _held_already(directory: str, path: bytes) -> Refused:
    return Refused(
        "file-exists",
        f"{directory} has that file already, as {path.decode()!r}; a file is in a directory once.",
        path=path.decode(),
        directory=directory,
    )
