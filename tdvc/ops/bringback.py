"""Edits of a checked-out folder on their way back into the directory.

The record in the folder names the state that was checked out: the base. Only what the folder changed since then is
brought back, pictures and `instances.jsonl` alike, so that edits made in the repository meanwhile stay. Where both
sides changed the same file, nothing is brought back and the files are named. A line that is gone from `instances.jsonl`
says nothing: the file keeps its annotation.

Afterwards the record is written anew, so that the next edits are told from those that are in the directory already.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path

from tdvc.errors import Conflict, Corruption, TdvcError, Usage
from tdvc.formats import tdvc_jsonl
from tdvc.formats.base import FileRecord
from tdvc.ids import NO_ID, ObjectId
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import Instance, same_instance
from tdvc.names import printable
from tdvc.ops.annotate import write_instances
from tdvc.ops.checkoutrecord import ANNOTATION_FILES, edited_annotation_files, read_record, write_record
from tdvc.ops.intake import Arriving, covers, take_in
from tdvc.ops.progress import Progress
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, FileState
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.repo.view import View, read_operation
from tdvc.storage.folder import Found, look

INSTANCES_FILE = ANNOTATION_FILES[0]


class BringBack:
    """What one checked-out folder changes in a directory.

    Attributes:
        added_files: paths that are new.
        replaced_files: paths whose bytes changed.
        unchanged_files: paths that the folder did not change.
        removed_files: paths that are gone from the folder, with `sync`.
        files: files whose instances are others now.
        problems: what could not be read.
    """

    def __init__(self, repository: Repository, target: Directory, folder: Path) -> None:
        record = read_record(folder)
        self._target = target
        self._folder = folder
        self._record = record
        self._base = record.base(repository)
        self._home = record.directory == target.name
        self._collisions: list[str] = []
        self._states: dict[str, FileState] = {}
        self._gone: set[str] = set()
        self._read: list[tuple[Found, ObjectId]] = []
        self.added_files = self.replaced_files = self.unchanged_files = self.removed_files = 0
        self.files = self.added_instances = self.changed_instances = self.removed_instances = 0
        self.problems: list[Problem] = []

    def note(
        self, edit: Transaction, here: list[Found], passed_over: list[Problem], *, sync: bool, progress: Progress
    ) -> None:
        """Put everything that the folder changed into a transaction.

        Args:
            edit: the transaction.
            here: the files in the folder.
            passed_over: what is in the folder and could not be looked at; it does not count as gone.
            sync: take out what is gone.
            progress: told how far it is.

        Raises:
            Usage: bad-usage, for `sync` of a checkout that was cut short: what it did not write is not gone.
            Conflict: edited-both-sides.
        """
        if sync and not self._record.finished:
            raise Usage(
                "bad-usage",
                f"The checkout of {self._record.revision} into {str(self._folder)!r} was cut short.",
                hint=f"Finish it first: tdvc checkout {self._record.revision} {self._folder} --update",
            )
        pictures = [found for found in here if found.path not in ANNOTATION_FILES]
        present = self._target.entries_at(found.path for found in pictures)
        self._note_pictures(edit, pictures, present, progress)
        if sync:
            self._note_removed(edit, {found.path for found in pictures}, passed_over + self.problems)
        if INSTANCES_FILE in edited_annotation_files(self._folder, self._record) or not self._home:
            self._note_annotation(edit, present)
        if self._collisions:
            self._collisions = list(dict.fromkeys(self._collisions))
            shown = ", ".join(printable(path) for path in self._collisions[:5])
            raise Conflict(
                "edited-both-sides",
                f"Both the folder and {self._target.name} changed {shown}; nothing was brought back.",
                hint=f"tdvc diff {self._record.revision} {self._target.name} shows what changed there.",
                paths=self._collisions,
            )

    def _note_pictures(
        self, edit: Transaction, pictures: list[Found], present: dict[str, Entry], progress: Progress
    ) -> None:
        unread = []
        for found in pictures:
            untouched = self._record.stats.blob_of(found) is not None
            if untouched and (found.path in present or self._home):
                self.unchanged_files += 1
            else:
                unread.append(Arriving(found.path, f"{self._folder}/{found.path}", found))
        new = []
        for file in take_in(edit.writer, unread, self.problems.append, progress):
            entry = present.get(file.path)
            base = self._record.stats.recorded_blob(file.path)
            self._read.append((file.found, file.blob))
            if entry is None and base == file.blob and self._home:
                self.unchanged_files += 1  # untouched here, and taken out there
            elif entry is None and base is not None and self._home:
                self._collisions.append(file.path)
            elif entry is None:
                new.append(file)
            elif file.blob in (entry.state.blob, base):
                self.unchanged_files += 1
            elif self._home and base != entry.state.blob:
                self._collisions.append(file.path)
            else:
                size = file.found.size_bytes
                state = entry.state._replace(blob=file.blob, size_bytes=size, media_type=file.media_type)
                edit.set_state(state)
                self._states[file.path] = state
                self.replaced_files += 1
        identities = edit.fresh_ids(self._target.name, [(file.path, file.blob) for file in new])
        for file, identity in zip(new, identities, strict=True):
            state = FileState(identity, file.blob, file.found.size_bytes, media_type=file.media_type)
            edit.put(self._target.name, file.path, state)
            self._states[file.path] = state
            self.added_files += 1

    def _note_removed(self, edit: Transaction, here: set[str], passed_over: list[Problem]) -> None:
        unread = [problem.place for problem in passed_over]
        known = self._record.stats.paths()
        gone = [path for path in known if path not in here and path not in ANNOTATION_FILES]
        present = self._target.entries_at(path for path in gone if not covers(unread, path))
        for path, entry in present.items():
            base = self._base_of(path)
            same_blob = entry.state.blob == self._record.stats.recorded_blob(path)
            if not same_blob or (base is not None and not base.equals(_Annotation.of_state(self._target, entry.state))):
                self._collisions.append(path)
                continue
            edit.take_out(self._target.name, path)
            self._gone.add(path)
            self.removed_files += 1

    def _note_annotation(self, edit: Transaction, present: dict[str, Entry]) -> None:
        place = self._folder / INSTANCES_FILE
        if not place.is_file():
            return
        found, blob = look(str(place)), ObjectId(hashlib.sha256(place.read_bytes()).digest())
        problems = len(self.problems)
        for record in tdvc_jsonl.read(place, self.problems.append):
            if record.path in self._gone:
                continue
            entry = present.get(record.path) or self._target.entries_at([record.path]).get(record.path)
            state = self._states.get(record.path) or (entry.state if entry else None)
            if state is not None:
                self._note_record(edit, record, state)
            else:
                self._note_homeless(record)
        if found is not None and len(self.problems) == problems:
            self._read.append((found._replace(path=INSTANCES_FILE), blob))

    def _note_homeless(self, record: FileRecord) -> None:
        """A line about a file that the directory does not have."""
        base = self._base_of(record.path)
        if base is None:
            message = "The directory has no such file."
            self.problems.append(Problem("picture-missing", printable(record.path), message))
        elif not base.equals(_Annotation.of_record(record)):
            self._collisions.append(record.path)

    def _note_record(self, edit: Transaction, record: FileRecord, state: FileState) -> None:
        base = self._base_of(record.path)
        now = _Annotation.of_state(self._target, state)
        wanted = _Annotation.of_record(record)
        if base is not None and wanted.equals(base):
            return
        if wanted.equals(now):
            return
        if base is not None and not now.equals(base):
            self._collisions.append(record.path)
            return
        schema = state.completeness_schema if state.complete else edit.schema_id()
        state = state._replace(
            properties=numbers.spell(wanted.properties) if wanted.properties else b"",
            complete=int(wanted.complete),
            completeness_schema=schema if wanted.complete else NO_ID,
        )
        edit.set_state(state)
        write_instances(edit, Entry(record.path, state), now.instances, wanted.instances, self)

    def _base_of(self, path: str) -> _Annotation | None:
        if not self._home:
            return None
        try:
            found = self._base.entries_at([path]).get(path)
            return _Annotation.of_state(self._base, found.state) if found else None
        except Corruption:
            return None

    def settle(self, repository: Repository, before: View, operation: ObjectId | None) -> None:
        """Write the record anew after `operation` was published over the view `before`.

        It takes the new state as its base where the directory was as checked out: only then does the folder show it
        whole. A record that can't be written is no reason to fail: the edits are in.
        """
        if not self._home or not (self._read or self._gone):
            return
        for found, blob in self._read:
            self._record.stats.remember(found, blob)
        for path in self._gone:
            self._record.stats.forget(path)
        record = self._record
        if operation is not None and self._follows(repository, before, operation):
            after = repository.view_of(operation)
            root = after.directories[self._target.name].root.hex()
            record = replace(record, revision=self._target.name, root=root, schema=after.schema.hex())
        with contextlib.suppress(TdvcError, OSError):
            write_record(self._folder, record)

    def _follows(self, repository: Repository, before: View, operation: ObjectId) -> bool:
        parent = read_operation(repository.objects, operation).parent
        known = parent is not None and repository.view_of(parent) == before
        return known and before.directories[self._target.name].root.hex() == self._record.root


class _Annotation:
    """What people say about one file."""

    def __init__(self, instances: list[Instance], properties: dict[str, object], complete: bool) -> None:
        self.instances = sorted(instances, key=lambda instance: instance.instance_id)
        self.properties = properties
        self.complete = complete

    @classmethod
    def of_record(cls, record: FileRecord) -> _Annotation:
        return cls(record.instances, record.properties, bool(record.complete))

    @classmethod
    def of_state(cls, directory: Directory, state: FileState) -> _Annotation:
        properties = numbers.parse(state.properties) if state.properties else {}
        return cls(directory.instances(Entry("", state)), properties, bool(state.complete))

    def equals(self, other: _Annotation) -> bool:
        return (
            self.complete == other.complete
            and self.properties == other.properties
            and len(self.instances) == len(other.instances)
            and all(map(same_instance, self.instances, other.instances))
        )
