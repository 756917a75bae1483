"""`apply`: do to a directory what a patch says.

First everything is checked: each file and each instance that the patch touches must be what it says it was, the places
it needs must be free, and the bytes it names must be in the store. Then all of it becomes one operation, or, where
anything does not fit, nothing does. What the patch does not speak of may differ as it likes. A mirrored file changes in
every directory that shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tdvc.errors import Conflict, Corruption
from tdvc.ids import NO_ID, FileId, Kind, ObjectId
from tdvc.model.records import Instance, same_instance
from tdvc.names import printable
from tdvc.ops.patching import PatchedFile, PatchedState, read_patch
from tdvc.repo.directory import Directory
from tdvc.repo.entry import PATHS, Entry, FileState
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.tables.tree import Table

_SHOWN = 3


@dataclass(slots=True)
class ApplyResult:
    """What a patch did.

    Attributes:
        directory: to which directory.
        added_files: files that came in.
        removed_files: files that went.
        moved_files: files that are at another path.
        changed_files: files that stayed in place and say something else.
        added_instances: in files that stayed.
        changed_instances: in files that stayed.
        removed_instances: in files that stayed.
        operation: None where nothing changed, and with a dry run.
    """

    directory: str
    added_files: int = 0
    removed_files: int = 0
    moved_files: int = 0
    changed_files: int = 0
    added_instances: int = 0
    changed_instances: int = 0
    removed_instances: int = 0
    operation: ObjectId | None = None


def apply(
    repository: Repository,
    patch: Path | BinaryIO,
    directory: str | None = None,
    *,
    reverse: bool = False,
    dry_run: bool = False,
) -> ApplyResult:
    """Apply a patch to a directory.

    Args:
        repository: the repository.
        patch: a file as `tdvc diff --format patch` writes it.
        directory: the current one where None.
        reverse: go from its end to its beginning.
        dry_run: check and count, change nothing.

    Raises:
        FormatError: bad-patch, with the line.
        Conflict: patch-does-not-fit, with every place where it does not.
        NotFound: source-not-found, directory-not-found.
    """
    target = repository.directory(directory)
    name = printable(patch.name) if isinstance(patch, Path) else "standard input"
    turned = " --reverse" if reverse else ""
    with repository.transaction(f"apply {name}{turned} -d {target.name}") as edit:
        files = read_patch(patch, reverse=reverse)
        applying = _Applying(repository, edit, target, files)
        applying.plan()
        if applying.misfits:
            raise _does_not_fit(target, applying.misfits)
        edit.restore(target.name, applying.states)
        if dry_run:
            edit.discard()
        applying.result.operation = edit.publish()
    return applying.result


def _does_not_fit(target: Directory, misfits: list[str]) -> Conflict:
    more = f", and {len(misfits) - _SHOWN:,} more" if len(misfits) > _SHOWN else ""
    return Conflict(
        "patch-does-not-fit",
        f"The patch does not fit {target.title}: {'; '.join(misfits[:_SHOWN])}{more}. Nothing was changed.",
        hint="It applies where what it touches is as it was when it was made.",
        directory=target.name,
        misfits=misfits,
    )


class _Applying:
    """A patch on its way into a directory.

    Attributes:
        states: what becomes of each path; None where it is free then.
        misfits: where the patch does not fit, each the end of a sentence.
    """

    def __init__(self, repository: Repository, edit: Transaction, target: Directory, files: list[PatchedFile]) -> None:
        self._repository = repository
        self._edit = edit
        self._target = target
        self._files = files
        sides = [side for file in files for side in (file.before, file.after) if side is not None]
        self._entries = target.entries_at(side.path for side in sides)
        self._vacated = {file.before.path for file in files if file.before is not None}
        self._living = self._find_living(file.after.file_id for file in files if file.after and not file.before)
        self.states: dict[str, FileState | None] = {}
        self.misfits: list[str] = []
        self.result = ApplyResult(target.name)

    def _find_living(self, identities: Iterable[FileId]) -> dict[FileId, tuple[str, Entry]]:
        """Where files are shown that the patch brings in: directory and entry."""
        wanted = list(identities)
        found: dict[FileId, tuple[str, Entry]] = {}
        for name, ref in self._edit.view.directories.items() if wanted else ():
            paths = Table(self._repository.objects, PATHS, ref.paths).get_many(wanted)
            entries = self._repository.directory(name).entries_at(row[1].decode() for row in paths.values())
            found.update({entry.state.file_id: (name, entry) for entry in entries.values()})
        return found

    def plan(self) -> None:
        """Check every file, and note what becomes of it."""
        moves = [file for file in self._files if file.before is not None]
        self.states.update({file.before.path: None for file in moves if file.before is not None})
        for file in self._files:
            misfits = list(self._misfits(file))
            self.misfits += misfits
            if not misfits and file.after is not None:
                self.states[file.after.path] = self._state(file, file.after)
            if not misfits:
                self._count(file)

    def _misfits(self, file: PatchedFile) -> Iterator[str]:
        if file.before is not None:
            yield from self._misfits_before(file, file.before)
        elif file.after is not None and file.after.file_id in self._living:
            yield from self._misfits_living(file, file.after)
        if file.after is not None:
            yield from self._misfits_after(file, file.after)

    def _misfits_before(self, file: PatchedFile, before: PatchedState) -> Iterator[str]:
        entry = self._entries.get(before.path)
        shown = printable(before.path)
        if entry is None:
            yield f"{shown} is not there"
            return
        if entry.state.file_id != before.file_id:
            yield f"{shown} is another file"
            return
        other = [name for name, value in before.fields.items() if getattr(entry.state, name) != value]
        if other:
            yield f"{shown} has other {', '.join(name.replace('_', ' ') for name in other)}"
        now = {instance.instance_id: instance for instance in self._target.instances(entry)}
        yield from _instance_misfits(file, now, shown)
        if file.after is None and len(now) > len(file.instances):
            yield f"{shown} has instances that the patch does not know"

    def _misfits_living(self, file: PatchedFile, after: PatchedState) -> Iterator[str]:
        """A file that comes in and is shown somewhere must be what the patch says: it would change there too."""
        name, entry = self._living[after.file_id]
        shown = printable(f"{name}:{entry.path}")
        if name == self._target.name:
            yield f"{printable(after.path)} is in the directory already, as {printable(entry.path)}"
            return
        there = self._repository.directory(name).instances(entry)
        wanted = sorted((new for _, new in file.instances if new), key=lambda instance: instance.instance_id)
        if any(getattr(entry.state, key) != value for key, value in after.fields.items()) or there != wanted:
            yield f"{shown} is that file and says something else by now"

    def _misfits_after(self, file: PatchedFile, after: PatchedState) -> Iterator[str]:
        shown = printable(after.path)
        if after.path in self._entries and after.path not in self._vacated:
            yield f"{shown} is taken by another file"
        blob = after.fields.get("blob")
        if blob is not None and (file.before is not None or after.file_id not in self._living):
            size = after.fields.get("size_bytes")
            yield from self._blob_misfits(shown, blob, size)
        schema = after.fields.get("completeness_schema", NO_ID)
        if schema != NO_ID and not self._repository.objects.contains(Kind.SCHEMA, schema):
            yield f"the schema that {shown} was judged against is not in the store"

    def _blob_misfits(self, shown: str, blob: ObjectId, size: int | None) -> Iterator[str]:
        objects = self._repository.objects
        if not objects.contains(Kind.BLOB, blob):
            yield f"the bytes of {shown} are not in the store"
            return
        try:
            found = sum(len(piece) for piece in objects.read_blob(blob))
        except Corruption:
            yield f"the bytes of {shown} are damaged in the store"
            return
        if size is not None and found != size:
            yield f"the bytes of {shown} are {found:,}, not {size:,}"

    def _state(self, file: PatchedFile, after: PatchedState) -> FileState:
        """What a file is to be."""
        if file.before is None:
            if after.file_id in self._living:
                return self._living[after.file_id][1].state
            instances, count = self._edit.write_instances(new for _, new in file.instances if new)
            return FileState(after.file_id, instances=instances, instance_count=count, **after.fields)
        entry = self._entries[file.before.path]
        state = entry.state._replace(**after.fields)
        if not file.instances:
            return state
        held = {instance.instance_id: instance for instance in self._target.instances(entry)}
        for old, new in file.instances:
            if old is not None:
                del held[old.instance_id]
            if new is not None:
                held[new.instance_id] = new
        instances, count = self._edit.write_instances(held.values())
        return state._replace(instances=instances, instance_count=count)

    def _count(self, file: PatchedFile) -> None:
        result = self.result
        result.added_files += file.before is None
        result.removed_files += file.after is None
        if file.before is not None and file.after is not None:
            moved = file.before.path != file.after.path
            result.moved_files += moved
            result.changed_files += not moved
            result.added_instances += sum(old is None for old, _ in file.instances)
            result.removed_instances += sum(new is None for _, new in file.instances)
            result.changed_instances += sum(old is not None and new is not None for old, new in file.instances)


def _instance_misfits(file: PatchedFile, now: Mapping[str, Instance], shown: str) -> Iterator[str]:
    for old, new in file.instances:
        identity = next(side.instance_id for side in (old, new) if side)
        present = now.get(identity)
        if old is None and present is not None:
            yield f"{shown} has the instance {identity} already"
        elif old is not None and present is None:
            yield f"{shown} has no instance {identity}"
        elif old is not None and present is not None and not same_instance(old, present):
            yield f"the instance {identity} of {shown} says something else"
