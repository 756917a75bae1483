"""The only way to change anything.

A transaction notes what is to change: which files a directory gains or loses, what becomes of a file's state, which
refs are made. Publishing turns the notes into a new view and moves the repository's head to an operation that has it.
Everything the view names is durable before the head moves; the lock is held only while it moves.

Two properties rest on how notes are applied (`repo.applying`), which every change goes through:

* A mirrored file can't drift: a new state is written, from one note, into every directory that holds the file *in the
  view that is published*, and a file placed in a directory takes the state it has in that view.
* Nobody's work is overwritten: when the view moved between reading and publishing, the notes are applied again to the
  new view, unless a row, state or ref they touch is no longer what it was when they were made. Then nothing is
  published and the collisions are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from tdvc.errors import Conflict, NotFound, Refused
from tdvc.ids import NO_ID, FileId, Kind, ObjectId, file_ids
from tdvc.model.records import Instance, encode_set, revise
from tdvc.model.schema import Schema
from tdvc.names import check_name, check_path
from tdvc.objects.press import Pressed
from tdvc.repo import oplog
from tdvc.repo.applying import Applying
from tdvc.repo.collisions import refuse_collisions
from tdvc.repo.commit import Commit, Snapshot, utc_now
from tdvc.repo.directory import File, read_instances
from tdvc.repo.entry import FileState
from tdvc.repo.living import living, living_states
from tdvc.repo.notes import Notes
from tdvc.repo.rule import Rule, is_current, read_rule, readable_rule
from tdvc.repo.tidying import tidy
from tdvc.repo.view import DirectoryRef, Operation, View

if TYPE_CHECKING:
    from tdvc.repo.repository import Repository

_LOCK_TIMEOUT_SECONDS = 30.0


class EncodedSet(msgspec.Struct, frozen=True):
    """An instance set ready to be stored; `pressed` is None where it is empty."""

    pressed: Pressed | None
    count: int
    labels: frozenset[str]


class Transaction:
    """Notes of what is to change, and their publication.

    As a context manager it publishes at the end of the block, or discards everything when the block raises.

    Args:
        repository: the repository.
        command: what was asked for, in one line.
        follows: whether it only brings a dynamic directory up to date.

    Attributes:
        view: the view the notes are made against.
        operation: the operation that was published; None before, and where nothing changed.
        applied: the view that follows from these notes and `view`; what it names can be read once publishing was tried.
        writer: where blobs and instance sets of this transaction go.
    """

    def __init__(self, repository: Repository, command: str, *, follows: bool = False) -> None:
        self._repository = repository
        self._command = command
        self._follows = follows
        self._base = repository.moment()
        self.view = repository.view_of(self._base)
        self.writer = repository.objects.writer()
        self.operation: ObjectId | None = None
        self.applied: View | None = None
        self._notes = Notes()
        self._applying = Applying(self.writer, self._notes)
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
        taken = self.living(identities) | self._notes.new
        counter = 0
        while clashing := [i for i, identity in enumerate(identities) if identity in taken]:
            counter += 1
            again = file_ids(directory, [files[i] for i in clashing], counter)
            for i, identity in zip(clashing, again, strict=True):
                identities[i] = identity
            taken |= self.living(again)
        return identities

    def living(self, identities: Iterable[FileId]) -> set[FileId]:
        """Those files that some directory holds."""
        return living(self.writer, self.view, identities)

    def living_states(self, identities: Iterable[FileId]) -> dict[FileId, FileState]:
        """The states of those files that some directory holds."""
        return living_states(self.writer, self.view, identities)

    def put(self, directory: str, path: str, state: FileState) -> None:
        """A new file at a path; a file that was there goes out."""
        check_path(path)
        self._notes.new.add(state.file_id)
        self._notes.states[state.file_id] = state
        self._notes.members.setdefault(directory, {})[path.encode()] = state.file_id

    def place(self, directory: str, path: str, identity: FileId) -> None:
        """A file that exists already, also here: the mirror of it."""
        check_path(path)
        self._notes.members.setdefault(directory, {})[path.encode()] = identity

    def take_out(self, directory: str, path: str) -> None:
        """The file at a path leaves the directory; elsewhere and in history it stays."""
        self._notes.members.setdefault(directory, {})[path.encode()] = None

    def set_state(self, state: FileState) -> None:
        """A file's new state, in every directory that holds it."""
        self._notes.states[state.file_id] = state

    def restore(self, directory: str, states: Mapping[str, FileState | None]) -> None:
        """Files of a directory as they were: at each path the file with this state, or none.

        A file that some directory still holds gets the state everywhere; one that is gone comes back.
        """
        identities = [state.file_id for state in states.values() if state is not None]
        alive = self.living_states(identities)
        for path, state in states.items():
            if state is None:
                self.take_out(directory, path)
            elif state.file_id not in alive:
                self.put(directory, path, state)
            else:
                self.place(directory, path, state.file_id)
                if alive[state.file_id] != state:
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
        state = self._notes.states.get(identity) or self.living_states([identity]).get(identity)
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
        self._notes.labels.update(encoded.labels)
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
        self._notes.created[name] = None

    def clone_directory(self, source: str, name: str) -> None:
        """A new directory that mirrors every file of another at the same paths: the same tables, so nothing is read."""
        self._ref(source)
        self.create_directory(name)
        self._notes.clones[name] = source

    def knows_directory(self, name: str) -> bool:
        """Whether the directory exists once these notes are published."""
        return name in self._notes.created or (name in self.view.directories and name not in self._notes.removed)

    def remove_directory(self, name: str) -> None:
        """The directory goes; its commits stay in the operations that showed it."""
        self._notes.removed[name] = self._ref(name)
        self._refuse_followed(name, [follower for follower, _ in self._followers(name)])
        if self.view.current == name:
            others = sorted(set(self.view.directories) - set(self._notes.removed))
            if not others:
                raise Refused("last-directory", f"{name!r} is the last directory; create another one first.", name=name)
            self._notes.current = others[0]

    def rename_directory(self, old: str, new: str) -> None:
        """The directory goes by another name from now on."""
        ref = self._ref(old)
        current = self._notes.current
        self.create_directory(new)
        self._notes.removed[old] = self._notes.created[new] = ref
        self._notes.current = new if self.view.current == old else current
        followers = list(self._followers(old))
        self._refuse_followed(old, [follower for follower, rule in followers if rule.names(old)])
        for follower, rule in followers:
            self.set_rule(follower, replace(rule, source=new))

    def _followers(self, name: str) -> Iterator[tuple[str, Rule]]:
        """The other directories whose rule asks about a directory."""
        for follower, ref in self.view.directories.items():
            if ref.rule is not None and follower not in self._notes.removed:
                rule = readable_rule(self.writer, ref.rule)
                if rule is not None and (rule.source == name or rule.names(name)):
                    yield follower, rule

    def _refuse_followed(self, name: str, followers: list[str]) -> None:
        if followers:
            raise Refused(
                "directory-follows",
                f"{name!r} is followed by {', '.join(sorted(followers))}.",
                hint=f"tdvc directory rule {min(followers)} shows how; --drop makes an ordinary directory of it.",
                name=name,
                followers=sorted(followers),
            )

    def set_rule(self, name: str, rule: Rule | None) -> None:
        """What a directory follows from now on; None where people say again what it holds.

        The files that the rule means are noted as any others; only with a new rule may they change.
        """
        if name not in self._notes.created:
            self._ref(name)
        self._notes.rules[name] = None if rule is None else self.writer.put(Kind.RULE, rule.encode())

    def switch(self, name: str) -> None:
        """The directory that commands use when none is named."""
        if name not in self._notes.created:
            self._ref(name)
        self._notes.current = name

    def learn_classes(self, format_name: str, classes: Mapping[str, Mapping[str, Any]]) -> None:
        """Labels that the schema is to know, in their order, with what a format says of each."""
        self._notes.classes.append((format_name, classes))

    def schema_id(self, directory: str) -> ObjectId:
        """The schema that a directory goes by, with everything learned so far."""
        ref = self.view.directories.get(directory)
        return self._applying.learned((ref and ref.schema) or self.view.schema)

    def set_schema(self, schema: Schema, directory: str | None = None) -> ObjectId:
        """What labels mean from now on: in a directory that gets a schema of its own, or for None in all others."""
        identity = ObjectId(self.writer.put(Kind.SCHEMA, schema.encode()))
        self._notes.schemas[directory] = identity
        return identity

    def follow_schema(self, directory: str) -> None:
        """A directory with a schema of its own goes by the repository's again."""
        self._notes.schemas[directory] = None

    def follow_schema_of(self, directory: str, source: str) -> None:
        """A directory goes by the schema that another one goes by."""
        own = self._ref(source).schema
        ref = self.view.directories.get(directory)
        if own != (ref and ref.schema):
            self._notes.schemas[directory] = own

    def hold(self, names: Iterable[str]) -> None:
        """These notes follow from everything that directories hold: none of them may change before publishing."""
        self._notes.held.update(names)

    def commit(self, name: str, message: str, merged: Sequence[ObjectId] = ()) -> ObjectId:
        """A commit of the directory's staged state as it was when this transaction began.

        Args:
            name: the directory.
            message: why.
            merged: commits that were merged in; they become further parents.
        """
        ref = self._ref(name)
        self._refuse_outdated(name, ref)
        commit = self._commit_of(name, message, merged)
        commit = replace(commit, root=ref.root, schema=self.view.schema_of(name))
        self._notes.commits[name] = self.writer.put(Kind.COMMIT, commit.encode())
        return self._notes.commits[name]

    def _refuse_outdated(self, name: str, ref: DirectoryRef) -> None:
        """Raise Conflict where a dynamic directory fell behind after it was brought up to date."""
        rule = read_rule(self.writer, ref.rule) if ref.rule is not None else None
        objects = self._repository.objects
        if rule is not None and not is_current(objects, self.view, rule, timed=False):
            message = f"What {name} follows was changed meanwhile. Nothing was changed by this command."
            raise Conflict("changed-meanwhile", message, hint="Run the command again.", directory=name)

    def commit_result(self, name: str, message: str, merged: Sequence[ObjectId] = ()) -> None:
        """A commit of the state that these notes give the directory; see `commit`."""
        self._notes.closing[name] = self._commit_of(name, message, merged)

    def _commit_of(self, name: str, message: str, merged: Sequence[ObjectId]) -> Commit:
        """A commit that still lacks what it is the commit of."""
        last = self._ref(name).commit
        parents = (*((last,) if last else ()), *merged)
        return Commit(name, NO_ID, NO_ID, parents, self._repository.author, utc_now(), message)

    def move_commit(self, name: str, commit: ObjectId) -> None:
        """The directory's last commit is another one from now on; the staged state is left as it is."""
        self._ref(name)
        self._notes.commits[name] = commit

    def set_merge(self, name: str, merge: ObjectId | None) -> None:
        """A merge is under way in the directory; None where it has ended."""
        self._ref(name)
        self._notes.merges[name] = merge

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
        self._notes.snapshots[name] = self.writer.put(Kind.SNAPSHOT, snapshot.encode())
        return self._notes.snapshots[name]

    def _ref(self, name: str) -> DirectoryRef:
        ref = self.view.directories.get(name)
        if ref is None or name in self._notes.removed:
            raise NotFound("directory-not-found", f"There is no directory named {name!r}.", name=name)
        return ref

    # publishing

    def preview(self, name: str) -> DirectoryRef:
        """What a directory would become. What it names can be read from now on, whether it is published or not."""
        ref = self._applying.apply(self.view).directories[name]
        self.writer.publish()
        return ref

    def discard(self) -> None:
        """Forget every note, so that publishing does nothing."""
        self.writer.discard()
        self._discarded = True

    def publish(self, timeout_seconds: float = _LOCK_TIMEOUT_SECONDS) -> ObjectId | None:
        """Make it so; returns the operation, or None where the notes change nothing.

        Args:
            timeout_seconds: how long to wait for others who publish.

        Raises:
            Conflict: changed-meanwhile.
            Locked: another process kept publishing.
        """
        if self._discarded or self.operation is not None:
            return self.operation
        view = self.applied = self._applying.apply(self.view)
        if view == self.view:
            if self.writer.heals:
                self.writer.publish()
            return None
        operation = self._write_operation(view, self._base)
        self.writer.publish()
        storage = self._repository.storage
        with storage.lock(timeout_seconds):
            storage.sweep()
            head = self._repository.head()
            if head != self._base:
                now = self._repository.view_of(head)
                refuse_collisions(self.writer, self._notes, self.view, now)
                self._refuse_swept()
                operation = self._write_operation(self._applying.apply(now), head)
                self.writer.publish()
            oplog.move_head(storage, oplog.heads(storage), operation)
        self.operation = operation
        self._repository.move_on(operation)
        tidy(self._repository)
        return operation

    def _refuse_swept(self) -> None:
        """Raise Conflict where a sweep meanwhile took something that these notes rely on."""
        if self.writer.missing():
            raise Conflict(
                "changed-meanwhile",
                "A garbage collection took objects meanwhile that this command relied on. Nothing was changed.",
                hint="Run the command again.",
            )

    def _write_operation(self, view: View, parent: ObjectId) -> ObjectId:
        operation = Operation(
            view=ObjectId(self.writer.put(Kind.VIEW, view.encode())),
            parent=parent,
            command=self._command,
            author=self._repository.author,
            time=utc_now(),
            earlier_undo=oplog.undo_before(self._repository.objects, parent) if self._follows else None,
            follows=self._follows,
        )
        return oplog.write(self.writer, view, operation)


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
