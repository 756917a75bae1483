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
from collections.abc import Iterator
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
from tdvc.ops.annotate import corrected, write_instances
from tdvc.ops.checkoutrecord import ANNOTATION_FILES, edited_annotation_files, read_record, write_record
from tdvc.ops.intake import Arriving, covers, take_in
from tdvc.ops.progress import Progress
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, FileState, properties_of
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.repo.view import View, read_operation
from tdvc.storage.folder import Found, hidden_among, look

INSTANCES_FILE = ANNOTATION_FILES[0]


class BringBack:
    """What one checked-out folder changes in a directory.

    Attributes:
        added_files: paths that are new.
        replaced_files: paths whose bytes changed.
        unchanged_files: paths that the folder did not change.
        removed_files: paths that are gone from the folder, with `sync`.
        moved_files: paths that are gone and whose bytes are at a new path, with `sync`.
        files: files whose instances are others now.
        marked_files: files whose completeness mark is another now.
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
        self.marked_files = self.moved_files = 0
        self._renamed_from: dict[bytes, str] = {}
        self.files = self.added_instances = self.changed_instances = self.removed_instances = 0
        self.problems: list[Problem] = []

    def hidden_paths(self) -> frozenset[str]:
        """The hidden files that belong to the checkout, which a walk would leave out otherwise."""
        return hidden_among(self._record.stats.paths())

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
        missing = set(self._record.stats.paths()) - {found.path for found in here}
        self._renamed_from = self._by_blob(missing) if sync and self._home else {}
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
            if untouched and (self._home or self._is_same_file(found.path, present.get(found.path))):
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
            elif entry is None and file.blob in self._renamed_from:
                self._note_rename(edit, self._renamed_from.pop(file.blob), file.path)
            elif entry is None:
                new.append(file)
            elif file.blob in (entry.state.blob, base):
                self.unchanged_files += 1
            elif base != entry.state.blob and self._is_same_file(file.path, entry):
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

    def _by_blob(self, missing: set[str]) -> dict[bytes, str]:
        """The files that are gone from the folder, by what they held; only where one file held it."""
        paths: dict[bytes, list[str]] = {}
        for path in missing:
            paths.setdefault(self._record.stats.recorded_blob(path) or b"", []).append(path)
        return {blob: found[0] for blob, found in paths.items() if len(found) == 1}

    def _note_rename(self, edit: Transaction, old: str, new: str) -> None:
        """A file that is gone here and is there now, with the same bytes, goes along with its annotation."""
        entry = self._target.entries_at([old]).get(old)
        if entry is None:
            return
        edit.take_out(self._target.name, old)
        edit.place(self._target.name, new, entry.state.file_id)
        self._gone.add(old)
        self.moved_files += 1

    def _note_removed(self, edit: Transaction, here: set[str], passed_over: list[Problem]) -> None:
        unread = [problem.place for problem in passed_over]
        known = self._record.stats.paths()
        gone = [path for path in known if path not in here | self._gone and path not in ANNOTATION_FILES]
        present = self._target.entries_at(path for path in gone if not covers(unread, path))
        for path, entry in present.items():
            base = self._base_of(path, entry)
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
        for record, whole in self._lines(place):
            if record.path in self._gone:
                continue
            if not whole:
                message = "A line that can't be read in full changes nothing; its annotation stays as it was."
                self.problems.append(Problem("record-unreadable", printable(record.path), message))
                continue
            entry = present.get(record.path) or self._target.entries_at([record.path]).get(record.path)
            state = self._states.get(record.path) or (entry.state if entry else None)
            if state is not None:
                self._note_record(edit, record, Entry(record.path, state))
            else:
                self._note_homeless(record)
        if found is not None and len(self.problems) == problems:
            self._read.append((found._replace(path=INSTANCES_FILE), blob))

    def _lines(self, place: Path) -> Iterator[tuple[FileRecord, bool]]:
        """The records of the edited file, and whether nothing of each was left out."""
        seen = len(self.problems)
        for record in tdvc_jsonl.read(place, self.problems.append):
            yield record, not any(problem.dropped_instances for problem in self.problems[seen:])
            seen = len(self.problems)

    def _note_homeless(self, record: FileRecord) -> None:
        """A line about a file that the directory does not have."""
        base = self._base_of(record.path)
        if base is None:
            message = "The directory has no such file."
            self.problems.append(Problem("picture-missing", printable(record.path), message))
        elif not base.equals(_Annotation.of_record(record)):
            self._collisions.append(record.path)

    def _note_record(self, edit: Transaction, record: FileRecord, entry: Entry) -> None:
        state = entry.state
        base = self._base_of(record.path, entry)
        now = _Annotation.of_state(self._target, state)
        wanted = _Annotation.of_record(record)
        if base is not None and wanted.equals(base):
            return
        if wanted.equals(now):
            return
        if base is not None and not now.equals(base):
            self._collisions.append(record.path)
            return
        schema = state.completeness_schema if state.complete else edit.schema_id(self._target.name)
        state = state._replace(
            properties=numbers.spell(wanted.properties) if wanted.properties else b"",
            complete=int(wanted.complete),
            completeness_schema=schema if wanted.complete else NO_ID,
        )
        edit.set_state(state)
        self.marked_files += wanted.complete != now.complete
        write_instances(
            edit, Entry(record.path, state), now.instances, corrected(now.instances, wanted.instances), self
        )

    def _is_same_file(self, path: str, entry: Entry | None) -> bool:
        """Whether what the directory has at a path is the file that was checked out there, maybe through a mirror."""
        if entry is None or self._home:
            return entry is not None
        base = self._base_entry(path)
        return base is not None and base.state.file_id == entry.state.file_id

    def _base_entry(self, path: str) -> Entry | None:
        try:
            return self._base.entries_at([path]).get(path)
        except Corruption:
            return None

    def _base_of(self, path: str, entry: Entry | None = None) -> _Annotation | None:
        """The annotation that was checked out at a path, where it is this directory's file that was."""
        if not (self._home or self._is_same_file(path, entry)):
            return None
        base = self._base_entry(path)
        try:
            return _Annotation.of_state(self._base, base.state) if base else None
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
        properties = properties_of(state)
        return cls(directory.instances(Entry("", state)), properties, bool(state.complete))

    def equals(self, other: _Annotation) -> bool:
        return (
            self.complete == other.complete
            and self.properties == other.properties
            and len(self.instances) == len(other.instances)
            and all(map(same_instance, self.instances, other.instances))
        )
