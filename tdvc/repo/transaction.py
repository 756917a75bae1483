"""The only way to change anything.

A transaction notes what is to change: which files a directory gains or loses, what becomes of a file's state, which
refs are made. Publishing turns the notes into a new view and moves the repository's head to an operation that has it.
Everything the view names is durable before the head moves; the lock is held only while it moves.

Two properties rest on `_apply`, which every change goes through:

* A mirrored file can't drift: a new state is written, from one note, into every directory that holds the file *in the
  view that is published*, and a file placed in a directory takes the state it has in that view.
* Nobody's work is overwritten: when the view moved between reading and publishing, the notes are applied again to the
  new view, unless a row, state or ref they touch is no longer what it was when they were made. Then nothing is
  published and the collisions are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tdvc.errors import Conflict, NotFound, Refused, SchemaError
from tdvc.ids import NO_ID, FileId, Kind, ObjectId, file_ids
from tdvc.model.records import Instance, encode_set, revise
from tdvc.model.schema import Schema
from tdvc.names import check_name, check_path
from tdvc.objects.store import Pressed
from tdvc.repo import oplog
from tdvc.repo.commit import Commit, Snapshot, utc_now
from tdvc.repo.directory import File, read_instances, read_schema
from tdvc.repo.entry import FILES, PATHS, FileState, state_of
from tdvc.repo.tidying import tidy
from tdvc.repo.view import DirectoryRef, Operation, View
from tdvc.tables.edit import edit, empty
from tdvc.tables.page import Row
from tdvc.tables.tree import Table

if TYPE_CHECKING:
    from tdvc.repo.repository import Repository

_LOCK_TIMEOUT_SECONDS = 30.0
_SHOWN_COLLISIONS = 5


class EncodedSet(msgspec.Struct, frozen=True):
    """An instance set ready to be stored; `pressed` is None where it is empty."""

    pressed: Pressed | None
    count: int
    labels: frozenset[str]


class Transaction:
    """Notes of what is to change, and their publication.

    As a context manager it publishes at the end of the block, or discards everything when the block raises.

    Attributes:
        view: the view the notes are made against.
        operation: the operation that was published; None before, and where nothing changed.
        writer: where blobs and instance sets of this transaction go.
    """

    def __init__(self, repository: Repository, command: str) -> None:
        self._repository = repository
        self._command = command
        self._base = repository.moment()
        self.view = repository.view_of(self._base)
        self.writer = repository.objects.writer()
        self.operation: ObjectId | None = None
        self._members: dict[str, dict[bytes, FileId | None]] = {}
        self._states: dict[FileId, FileState] = {}
        self._new: set[FileId] = set()
        self._labels: set[str] = set()
        self._classes: list[tuple[str, Mapping[str, Mapping[str, Any]]]] = []
        self._created: dict[str, DirectoryRef | None] = {}
        self._clones: dict[str, str] = {}
        self._removed: dict[str, DirectoryRef] = {}
        self._commits: dict[str, ObjectId] = {}
        self._closing: dict[str, Commit] = {}
        self._merges: dict[str, ObjectId | None] = {}
        self._schemas: dict[str | None, ObjectId | None] = {}
        self._held: set[str] = set()
        self._snapshots: dict[str, ObjectId] = {}
        self._current: str | None = None
        self._discarded = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if error is None:
                self.publish()
        finally:
            self.writer.discard()

    # notes about files

    def fresh_ids(self, directory: str, files: Iterable[tuple[str, ObjectId]]) -> list[FileId]:
        """Ids for new files given as (path, blob): derived from where they first appear, and not in use."""
        files = list(files)
        identities = file_ids(directory, files)
        taken = self._in_use(identities) | self._new
        counter = 0
        while clashing := [i for i, identity in enumerate(identities) if identity in taken]:
            counter += 1
            again = file_ids(directory, [files[i] for i in clashing], counter)
            for i, identity in zip(clashing, again, strict=True):
                identities[i] = identity
            taken |= self._in_use(again)
        return identities

    def _in_use(self, identities: list[FileId]) -> set[FileId]:
        found: set[FileId] = set()
        for ref in self.view.directories.values():
            found.update(FileId(key) for key in self._paths(ref).get_many(identities))
        return found

    def living(self, identities: Iterable[FileId]) -> set[FileId]:
        """Those files that some directory holds."""
        return self._in_use(list(identities))

    def living_states(self, identities: Iterable[FileId]) -> dict[FileId, FileState]:
        """The states of those files that some directory holds."""
        return self._living_states(self.view, identities)

    def put(self, directory: str, path: str, state: FileState) -> None:
        """A new file at a path; a file that was there goes out."""
        check_path(path)
        self._new.add(state.file_id)
        self._states[state.file_id] = state
        self._members.setdefault(directory, {})[path.encode()] = state.file_id

    def place(self, directory: str, path: str, identity: FileId) -> None:
        """A file that exists already, also here: the mirror of it."""
        check_path(path)
        self._members.setdefault(directory, {})[path.encode()] = identity

    def take_out(self, directory: str, path: str) -> None:
        """The file at a path leaves the directory; elsewhere and in history it stays."""
        self._members.setdefault(directory, {})[path.encode()] = None

    def set_state(self, state: FileState) -> None:
        """A file's new state, in every directory that holds it."""
        self._states[state.file_id] = state

    def restore(self, directory: str, states: Mapping[str, FileState | None]) -> None:
        """Files of a directory as they were: at each path the file with this state, or none.

        A file that some directory still holds gets the state everywhere; one that is gone comes back.
        """
        identities = [state.file_id for state in states.values() if state is not None]
        living = self._living_states(self.view, identities)
        for path, state in states.items():
            if state is None:
                self.take_out(directory, path)
            elif state.file_id not in living:
                self.put(directory, path, state)
            else:
                self.place(directory, path, state.file_id)
                if living[state.file_id] != state:
                    self.set_state(state)

    def add_bytes(self, directory: str, path: str, content: bytes, media_type: str = "") -> FileState:
        """A new file at a path, with these bytes; returns its state."""
        blob = self.writer.put(Kind.BLOB, content)
        (identity,) = self.fresh_ids(directory, [(path, blob)])
        state = FileState(identity, blob, len(content), media_type=media_type.encode())
        self.put(directory, path, state)
        return state

    def annotate(self, file: File, instances: Iterable[Instance]) -> None:
        """A file gets other instances, in every directory that holds it; spelling of numbers alone is no change.

        The file is taken as it is now, whatever revision it was looked up in.

        Raises:
            NotFound: file-not-found, where no directory holds it any more.
        """
        identity = file.state.file_id
        state = self._states.get(identity) or self._living_states(self.view, [identity]).get(identity)
        if state is None:
            raise NotFound("file-not-found", f"No directory holds {file.path!r} any more.", path=file.path)
        revision = revise(read_instances(self.writer, state), instances)
        if revision:
            found, count = self.write_instances(revision.instances)
            self.set_state(state._replace(instances=found, instance_count=count))

    def write_instances(self, instances: Iterable[Instance]) -> tuple[ObjectId, int]:
        """Store an instance set; returns its id and how many are in it. Their labels are learned."""
        return self.write_encoded(self.encode_instances(instances))

    def encode_instances(self, instances: Iterable[Instance]) -> EncodedSet:
        """An instance set for `write_encoded`. Nothing is noted yet, so a worker process can do it."""
        instances = list(instances)
        labels = frozenset([instance.label for instance in instances])
        pressed = self.writer.press(Kind.INSTANCES, encode_set(instances)) if instances else None
        return EncodedSet(pressed, len(instances), labels)

    def write_encoded(self, encoded: EncodedSet) -> tuple[ObjectId, int]:
        """Store an instance set; returns its id and how many are in it. Their labels are learned."""
        self._labels.update(encoded.labels)
        if encoded.pressed is None:
            return NO_ID, 0
        return self.writer.put_pressed(Kind.INSTANCES, encoded.pressed), encoded.count

    # notes about refs

    def create_directory(self, name: str) -> None:
        """A new, empty directory."""
        check_name(name, "directory")
        if self.knows_directory(name):
            raise Refused("directory-exists", f"There is a directory {name!r} already.", name=name)
        if name in self.view.snapshots or name in self.view.retired:
            raise Refused("snapshot-exists", f"{name!r} is the name of a snapshot.", name=name)
        self._created[name] = None

    def clone_directory(self, source: str, name: str) -> None:
        """A new directory that mirrors every file of another at the same paths: the same tables, so nothing is read."""
        self._ref(source)
        self.create_directory(name)
        self._clones[name] = source

    def knows_directory(self, name: str) -> bool:
        """Whether the directory exists once these notes are published."""
        return name in self._created or (name in self.view.directories and name not in self._removed)

    def remove_directory(self, name: str) -> None:
        """The directory goes; its commits stay in the operations that showed it."""
        self._removed[name] = self._ref(name)
        if self.view.current == name:
            others = sorted(set(self.view.directories) - set(self._removed))
            if not others:
                raise Refused("last-directory", f"{name!r} is the last directory; create another one first.", name=name)
            self._current = others[0]

    def rename_directory(self, old: str, new: str) -> None:
        """The directory goes by another name from now on."""
        ref = self._ref(old)
        current = self._current
        self.create_directory(new)
        self._removed[old] = self._created[new] = ref
        self._current = new if self.view.current == old else current

    def switch(self, name: str) -> None:
        """The directory that commands use when none is named."""
        if name not in self._created:
            self._ref(name)
        self._current = name

    def learn_classes(self, format_name: str, classes: Mapping[str, Mapping[str, Any]]) -> None:
        """Labels that the schema is to know, in their order, with what a format says of each."""
        self._classes.append((format_name, classes))

    def schema_id(self, directory: str) -> ObjectId:
        """The schema that a directory goes by, with everything learned so far."""
        ref = self.view.directories.get(directory)
        return self._learned((ref and ref.schema) or self.view.schema)

    def set_schema(self, schema: Schema, directory: str | None = None) -> ObjectId:
        """What labels mean from now on: in a directory that gets a schema of its own, or for None in all others."""
        identity = ObjectId(self.writer.put(Kind.SCHEMA, schema.encode()))
        self._schemas[directory] = identity
        return identity

    def follow_schema(self, directory: str) -> None:
        """A directory with a schema of its own goes by the repository's again."""
        self._schemas[directory] = None

    def hold(self, names: Iterable[str]) -> None:
        """These notes follow from everything that directories hold: none of them may change before publishing."""
        self._held.update(names)

    def commit(self, name: str, message: str, merged: Sequence[ObjectId] = ()) -> ObjectId:
        """A commit of the directory's staged state as it was when this transaction began.

        Args:
            name: the directory.
            message: why.
            merged: commits that were merged in; they become further parents.
        """
        ref = self._ref(name)
        commit = self._commit_of(name, message, merged)
        commit = replace(commit, root=ref.root, schema=self.view.schema_of(name))
        self._commits[name] = self.writer.put(Kind.COMMIT, commit.encode())
        return self._commits[name]

    def commit_result(self, name: str, message: str, merged: Sequence[ObjectId] = ()) -> None:
        """A commit of the state that these notes give the directory; see `commit`."""
        self._closing[name] = self._commit_of(name, message, merged)

    def _commit_of(self, name: str, message: str, merged: Sequence[ObjectId]) -> Commit:
        """A commit that still lacks what it is the commit of."""
        last = self._ref(name).commit
        parents = (*((last,) if last else ()), *merged)
        return Commit(name, NO_ID, NO_ID, parents, self._repository.author, utc_now(), message)

    def move_commit(self, name: str, commit: ObjectId) -> None:
        """The directory's last commit is another one from now on; the staged state is left as it is."""
        self._ref(name)
        self._commits[name] = commit

    def set_merge(self, name: str, merge: ObjectId | None) -> None:
        """A merge is under way in the directory; None where it has ended."""
        self._ref(name)
        self._merges[name] = merge

    def add_snapshot(self, name: str, commit: ObjectId, message: str) -> ObjectId:
        """A name for a commit, for ever."""
        check_name(name, "snapshot")
        if name in self.view.snapshots or name in self.view.retired:
            raise Refused(
                "snapshot-exists",
                f"The snapshot name {name!r} was given before, and a snapshot never changes its meaning.",
                hint="Choose another name.",
                name=name,
            )
        if self.knows_directory(name):
            raise Refused("directory-exists", f"{name!r} is the name of a directory.", name=name)
        snapshot = Snapshot(name, commit, self._repository.author, utc_now(), message)
        self._snapshots[name] = self.writer.put(Kind.SNAPSHOT, snapshot.encode())
        return self._snapshots[name]

    def _ref(self, name: str) -> DirectoryRef:
        ref = self.view.directories.get(name)
        if ref is None or name in self._removed:
            raise NotFound("directory-not-found", f"There is no directory named {name!r}.", name=name)
        return ref

    # publishing

    def preview(self, name: str) -> DirectoryRef:
        """What a directory would become. What it names can be read from now on, whether it is published or not."""
        ref = self._apply(self.view).directories[name]
        self.writer.publish()
        return ref

    def discard(self) -> None:
        """Forget every note, so that publishing does nothing."""
        self.writer.discard()
        self._discarded = True

    def publish(self) -> ObjectId | None:
        """Make it so; returns the operation, or None where the notes change nothing.

        Raises:
            Conflict: changed-meanwhile.
            Locked: another process kept publishing.
        """
        if self._discarded or self.operation is not None:
            return self.operation
        view = self._apply(self.view)
        if view == self.view:
            if self.writer.heals:
                self.writer.publish()
            return None
        operation = self._write_operation(view, self._base)
        self.writer.publish()
        storage = self._repository.storage
        with storage.lock(_LOCK_TIMEOUT_SECONDS):
            storage.sweep()
            head = self._repository.head()
            if head != self._base:
                now = self._repository.view_of(head)
                self._refuse_collisions(now)
                self._refuse_swept()
                operation = self._write_operation(self._apply(now), head)
                self.writer.publish()
            oplog.move_head(storage, oplog.heads(storage), operation)
        self.operation = operation
        self._repository.move_on(operation)
        tidy(self._repository)
        return operation

    def _write_operation(self, view: View, parent: ObjectId) -> ObjectId:
        operation = Operation(
            view=ObjectId(self.writer.put(Kind.VIEW, view.encode())),
            parent=parent,
            command=self._command,
            author=self._repository.author,
            time=utc_now(),
        )
        return oplog.write(self.writer, view, operation)

    def _files(self, ref: DirectoryRef) -> Table:
        return Table(self.writer, FILES, ref.root)

    def _paths(self, ref: DirectoryRef) -> Table:
        return Table(self.writer, PATHS, ref.paths)

    def _learned(self, identity: ObjectId) -> ObjectId:
        """The schema with the labels that these notes bring in."""
        if not (self._labels or self._classes):
            return identity
        schema = learned = read_schema(self.writer, identity)
        for format_name, classes in self._classes:
            learned = learned.learned(classes).described(format_name, classes)
        learned = learned.learned(sorted(self._labels))
        if learned is schema:
            return identity
        if schema.locked and (unknown := [key for key in learned.labels if key not in schema.labels]):
            raise _locked_out(unknown)
        return self.writer.put(Kind.SCHEMA, learned.encode())

    def _apply(self, view: View) -> View:
        """The view that follows from `view` and the notes."""
        directories = {name: ref for name, ref in view.directories.items() if name not in self._removed}
        for name, ref in self._created.items():
            directories[name] = ref or DirectoryRef(empty(self.writer, FILES), empty(self.writer, PATHS))
        for name, source in self._clones.items():
            if source not in view.directories:
                raise NotFound("directory-not-found", f"There is no directory named {source!r}.", name=source)
            directories[name] = replace(view.directories[source], commit=None, merge=None)
        changes = self._row_changes(view, directories)
        for name, (rows, paths) in changes.items():
            ref = directories[name]
            self._refuse_folder_clashes(name, self._files(ref), rows)
            directories[name] = replace(
                ref,
                root=edit(self.writer, FILES, ref.root, rows),
                paths=edit(self.writer, PATHS, ref.paths, paths),
            )
        schema = self._schemas_learn(view, directories, changes)
        self._settle(directories, schema)
        return replace(
            view,
            current=self._current or view.current,
            schema=schema,
            directories=directories,
            snapshots={**view.snapshots, **self._snapshots},
        )

    def _schemas_learn(self, view: View, directories: dict[str, DirectoryRef], changed: Iterable[str]) -> ObjectId:
        """Note in the refs the schemas of their own, with what they learn; returns the repository's.

        A schema learns where a directory that goes by it changes.
        """
        changed = set(changed)
        own = {name: self._schemas.get(name, ref.schema) for name, ref in directories.items()}
        for name, identity in own.items():
            learned = self._learned(identity) if identity and name in changed else identity
            directories[name] = replace(directories[name], schema=learned)
        schema = self._schemas.get(None) or view.schema
        return self._learned(schema) if not changed or None in map(own.get, changed) else schema

    def _settle(self, directories: dict[str, DirectoryRef], schema: ObjectId) -> None:
        """Note in the refs which merges are under way, and the commits."""
        for name, merge in self._merges.items():
            directories[name] = replace(directories[name], merge=merge)
        for name, commit in self._commits.items():
            directories[name] = replace(directories[name], commit=commit, merge=None)
        for name, closing in self._closing.items():
            ref = directories[name]
            closed = replace(closing, root=ref.root, schema=ref.schema or schema)
            identity = self.writer.put(Kind.COMMIT, closed.encode())
            directories[name] = replace(ref, commit=identity, merge=None)

    def _row_changes(
        self, view: View, directories: Mapping[str, DirectoryRef]
    ) -> dict[str, tuple[dict[bytes, Row | None], dict[bytes, Row | None]]]:
        """For each directory, the rows that change in its two tables."""
        changes: dict[str, tuple[dict[bytes, Row | None], dict[bytes, Row | None]]] = {}
        placed = {i for members in self._members.values() for i in members.values() if i is not None}
        states = self._living_states(view, placed - self._states.keys())
        states.update(self._states)
        for name, members in self._members.items():
            if name not in directories:
                raise NotFound("directory-not-found", f"There is no directory named {name!r}.", name=name)
            changes[name] = self._member_changes(name, directories[name], members, states)
        changed = sorted(self._states.keys() - self._new)
        for name, ref in directories.items() if changed else ():
            rows, paths = changes.setdefault(name, ({}, {}))
            for known, (_, path) in self._paths(ref).get_many(changed).items():
                if path not in rows and paths.get(known, True) is not None:
                    rows[path] = (path, *self._states[FileId(known)])
        return {name: change for name, change in changes.items() if change[0]}

    def _member_changes(
        self,
        name: str,
        ref: DirectoryRef,
        members: Mapping[bytes, FileId | None],
        states: Mapping[FileId, FileState],
    ) -> tuple[dict[bytes, Row | None], dict[bytes, Row | None]]:
        rows: dict[bytes, Row | None] = {}
        paths: dict[bytes, Row | None] = {}
        for row in self._files(ref).get_many(members).values():
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
        present = self._paths(ref).get_many(i for i, row in paths.items() if row is not None)
        for _, path in present.values():
            if path not in members:
                raise _held_already(name, path)
        return rows, paths

    def _living_states(self, view: View, identities: Iterable[FileId]) -> dict[FileId, FileState]:
        """The states of files that some directory of `view` holds."""
        missing = set(identities)
        states: dict[FileId, FileState] = {}
        for ref in view.directories.values():
            if not missing:
                break
            paths = [path for _, path in self._paths(ref).get_many(missing).values()]
            for row in self._files(ref).get_many(paths).values():
                states[row[1]] = state_of(row)
            missing -= states.keys()
        return states

    def _refuse_folder_clashes(self, name: str, table: Table, rows: Mapping[bytes, Row | None]) -> None:
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

    def _refuse_swept(self) -> None:
        """Raise Conflict where a sweep meanwhile took something that these notes rely on."""
        if self.writer.missing():
            raise Conflict(
                "changed-meanwhile",
                "A garbage collection took objects meanwhile that this command relied on. Nothing was changed.",
                hint="Run the command again.",
            )

    def _refuse_collisions(self, now: View) -> None:
        """Raise Conflict where `now` differs from the view of these notes in anything they touch."""
        collisions = self._ref_collisions(now)
        for name, members in self._members.items():
            before, after = self.view.directories.get(name), now.directories.get(name)
            if before is None or after is None or before.root == after.root:
                continue
            old, new = self._files(before).get_many(members), self._files(after).get_many(members)
            collisions += [f"{name}:{path.decode()}" for path in members if old.get(path) != new.get(path)]
        changed = self._states.keys() - self._new
        old_states, new_states = self._living_states(self.view, changed), self._living_states(now, changed)
        collisions += [i.hex() for i in sorted(changed) if old_states.get(i) != new_states.get(i)]
        brought_in = self._living_states(now, self._new)
        collisions += [i.hex() for i, state in brought_in.items() if state != self._states[i]]
        if collisions:
            shown = ", ".join(collisions[:_SHOWN_COLLISIONS]) + (", …" if len(collisions) > _SHOWN_COLLISIONS else "")
            raise Conflict(
                "changed-meanwhile",
                f"Another command changed the same things meanwhile: {shown}. Nothing was changed by this one.",
                hint="Run the command again.",
                collisions=collisions,
            )

    def _ref_collisions(self, now: View) -> list[str]:
        touched = set(self._created) | set(self._removed)
        collisions = [
            name
            for name in touched
            if (name in self._removed and self.view.directories.get(name) != now.directories.get(name))
            or (name in self._created and name in now.directories)
        ]
        for name in self._commits.keys() | self._closing.keys() | self._merges.keys():
            before, after = self.view.directories[name], now.directories.get(name)
            same = after is not None and (before.commit, before.merge) == (after.commit, after.merge)
            if not same or (name in self._closing and (after is None or before.root != after.root)):
                collisions.append(name)
        collisions += [name for name in self._held if self.view.directories[name] != now.directories.get(name)]
        if None in self._schemas and self.view.schema != now.schema:
            collisions.append("the schema")
        for name in self.view.directories:
            changed = name not in now.directories or self.view.schema_of(name) != now.schema_of(name)
            if name in self._schemas and changed:
                collisions.append(f"the schema of {name}")
        collisions += [name for name in self._members if name not in self._created and name not in now.directories]
        given = now.snapshots.keys() | now.retired.keys()
        collisions += self._created.keys() & given
        collisions += self._snapshots.keys() & (given | now.directories.keys())
        current = self._current or now.current
        if current not in self._created and (current in self._removed or current not in now.directories):
            collisions.append(current)
        return sorted(set(collisions))


def _locked_out(unknown: Sequence[str]) -> SchemaError:
    shown = ", ".join(repr(key) for key in unknown[:_SHOWN_COLLISIONS])
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


def restore_views(repository: Repository, operations: Sequence[tuple[Operation, View]], base: ObjectId) -> ObjectId:
    """Publish operations whose views are older ones, the last as the head; refuses where the head moved meanwhile."""
    with repository.objects.writer() as writer:
        identities = [oplog.write(writer, view, operation) for operation, view in operations]
        writer.publish()
        with repository.storage.lock(_LOCK_TIMEOUT_SECONDS):
            if repository.head() != base:
                raise Conflict(
                    "changed-meanwhile", "Another command was published meanwhile.", hint="Run the command again."
                )
            oplog.move_head(repository.storage, oplog.heads(repository.storage), identities[-1])
    repository.move_on(identities[-1])
    return identities[-1]
