"""Edits of a checked-out folder on their way back into the directory.

The record in the folder names the state that was checked out: the base. Only what the folder changed since then is
brought back, pictures and `instances.jsonl` alike, so that edits made in the repository meanwhile stay. Where both
sides changed the same file, nothing is brought back and the files are named.
"""

from __future__ import annotations

from pathlib import Path

from tdvc.errors import Conflict, Corruption
from tdvc.formats import tdvc_jsonl
from tdvc.formats.base import FileRecord
from tdvc.ids import NO_ID
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import Instance, same_instance
from tdvc.names import printable
from tdvc.ops.annotate import write_instances
from tdvc.ops.checkout import ANNOTATION_FILES, edited_annotation_files, read_record
from tdvc.ops.intake import Arriving, take_in
from tdvc.ops.progress import Progress
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, FileState
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.storage.folder import Found

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
        self.added_files = self.replaced_files = self.unchanged_files = self.removed_files = 0
        self.files = self.added_instances = self.changed_instances = self.removed_instances = 0
        self.problems: list[Problem] = []

    def note(self, edit: Transaction, here: list[Found], *, sync: bool, progress: Progress) -> None:
        """Put everything that the folder changed into a transaction.

        Raises:
            Conflict: edited-both-sides.
        """
        pictures = [found for found in here if found.path not in ANNOTATION_FILES]
        present = self._target.entries_at(found.path for found in pictures)
        self._note_pictures(edit, pictures, present, progress)
        if sync:
            self._note_removed(edit, {found.path for found in pictures})
        if INSTANCES_FILE in edited_annotation_files(self._folder, self._record) or not self._home:
            self._note_annotation(edit, present)
        if self._collisions:
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
            if entry is None and base == file.blob and self._home:
                self.unchanged_files += 1  # untouched here, and taken out there
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

    def _note_removed(self, edit: Transaction, here: set[str]) -> None:
        unread = {problem.place for problem in self.problems}
        gone = [path for path in self._record.stats.paths() if path not in here and path not in ANNOTATION_FILES]
        present = self._target.entries_at(gone)
        for path, entry in present.items():
            if printable(path) in unread:
                continue
            if entry.state.blob != self._record.stats.recorded_blob(path):
                self._collisions.append(path)
                continue
            edit.take_out(self._target.name, path)
            self.removed_files += 1

    def _note_annotation(self, edit: Transaction, present: dict[str, Entry]) -> None:
        place = self._folder / INSTANCES_FILE
        if not place.is_file():
            return
        for record in tdvc_jsonl.read(place, self.problems.append):
            entry = present.get(record.path)
            state = self._states.get(record.path) or (entry.state if entry else None)
            if state is None:
                if not self._home or record.path not in self._record.stats.paths():
                    message = "The directory has no such file."
                    self.problems.append(Problem("picture-missing", printable(record.path), message))
                continue
            self._note_record(edit, record, state)

    def _note_record(self, edit: Transaction, record: FileRecord, state: FileState) -> None:
        base = self._base_of(record.path)
        now = _Annotation.of_state(self._target, state)
        wanted = _Annotation(record.instances, record.properties, bool(record.complete))
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


class _Annotation:
    """What people say about one file."""

    def __init__(self, instances: list[Instance], properties: dict[str, object], complete: bool) -> None:
        self.instances = sorted(instances, key=lambda instance: instance.instance_id)
        self.properties = properties
        self.complete = complete

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
