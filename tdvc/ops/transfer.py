"""`mirror`, `copy`, `move`, `remove`: which directory holds which file.

A mirror puts the same file into another directory; an edit of it shows in both. A copy makes a new file over the same
bytes, without the instances unless they are asked for; nothing crosses over later. Neither stores a byte again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tdvc.errors import Refused, Usage
from tdvc.ids import NO_ID, FileId, ObjectId
from tdvc.names import check_path, printable
from tdvc.ops.select import select
from tdvc.repo.directory import Directory
from tdvc.repo.entry import FILES, PATHS, Entry, Origin
from tdvc.repo.repository import Repository
from tdvc.repo.revision import parse_selector
from tdvc.repo.transaction import Transaction
from tdvc.tables.page import Row
from tdvc.tables.tree import Table


@dataclass(slots=True)
class TransferResult:
    """What went where.

    Attributes:
        verb: `mirror`, `copy` or `move`.
        destination: the directory.
        files: how many it gained.
        already_there: how many it held already.
        instances: instances of the gained files.
        created_directory: whether the directory is new.
        new_blob_bytes: bytes stored for it; always 0, and counted, not claimed.
        operation: None where nothing changed.
    """

    verb: str
    destination: str
    files: int = 0
    already_there: int = 0
    instances: int = 0
    created_directory: bool = False
    new_blob_bytes: int = 0
    operation: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class RemoveResult:
    """The files that left, as `Directory:path`."""

    removed: list[str]
    operation: ObjectId | None


def mirror(
    repository: Repository,
    sources: Sequence[str],
    destination: str,
    *,
    label: str | None = None,
    where: str | None = None,
) -> TransferResult:
    """Put the same files into another directory.

    A file that is named through an old revision is mirrored as it is now, if any directory still holds it.

    Args:
        repository: the repository.
        sources: selectors, `REV[:PATH-or-glob]`.
        destination: `DIRECTORY[:PATH]`; a directory that is missing is created. PATH is the new path of a single
            file, or with `/` at its end a folder.
        label: only files with at least one such instance.
        where: only files that a query means.

    Raises:
        NotFound: unknown-revision, file-not-found.
        Refused: file-exists.
        Usage: bad-query.
    """
    result = TransferResult("mirror", "")
    with repository.transaction(_title("mirror", sources, destination, label, where)) as edit:
        if label is None and where is None and _mirrors_all(edit, sources, destination):
            counts = repository.directory(sources[0]).counts
            result.destination, result.created_directory = parse_selector(destination).revision, True
            edit.clone_directory(sources[0], result.destination)
            result.files, result.instances = counts.files, counts.instances
            result.operation = edit.publish()
            return result
        target = _Target(repository, edit, destination, result)
        places = target.places(sources, label, where)
        living = edit.living(entry.state.file_id for _, entry, _ in places)
        for _, entry, path in places:
            if target.holds(path, entry.state.file_id):
                continue
            if entry.state.file_id in living:
                edit.place(target.name, path, entry.state.file_id)
            else:
                edit.put(target.name, path, entry.state)
            target.count(entry)
        result.operation = edit.publish()
    return result


def copy(
    repository: Repository,
    sources: Sequence[str],
    destination: str,
    *,
    label: str | None = None,
    where: str | None = None,
    with_instances: bool = False,
) -> TransferResult:
    """Make new files over the same bytes in a directory; see `mirror` for the arguments and errors.

    Without instances a copy is never complete, whatever its source is.
    """
    result = TransferResult("copy", "")
    with repository.transaction(_title("copy", sources, destination, label, where)) as edit:
        target = _Target(repository, edit, destination, result)
        places = target.places(sources, label, where)
        wanted = []
        for _, entry, path in places:
            row = target.row(path)
            if row is None:
                wanted.append((entry, path))
            elif row[10][:16] == entry.state.file_id and row[2] == entry.state.blob:
                result.already_there += 1
            else:
                raise _taken(target.name, path)
        identities = edit.fresh_ids(target.name, [(path, entry.state.blob) for entry, path in wanted])
        for (entry, path), identity in zip(wanted, identities, strict=True):
            state = entry.state._replace(file_id=identity)
            if not with_instances:
                state = state._replace(instances=NO_ID, instance_count=0, complete=0, completeness_schema=NO_ID)
            origin = Origin(entry.state.file_id, state.blob, state.instances)
            state = state._replace(origin=origin.encode())
            edit.put(target.name, path, state)
            target.count(Entry(path, state))
        result.operation = edit.publish()
    return result


def move(
    repository: Repository,
    sources: Sequence[str],
    destination: str,
    *,
    label: str | None = None,
    where: str | None = None,
) -> TransferResult:
    """Take files out of one living directory and put them into another, or elsewhere in the same.

    Raises:
        Usage: bad-usage, where a source is no living directory.
        NotFound, Refused: as `mirror`.
    """
    result = TransferResult("move", "")
    with repository.transaction(_title("move", sources, destination, label, where)) as edit:
        target = _Target(repository, edit, destination, result)
        for source, entry, path in target.places(sources, label, where):
            _require_living(repository, source)
            if source.name == target.name and path == entry.path:
                result.already_there += 1
                continue
            if not (source.name != target.name and target.holds(path, entry.state.file_id)):
                if target.row(path) is not None:
                    raise _taken(target.name, path)
                edit.place(target.name, path, entry.state.file_id)
                target.count(entry)
            edit.take_out(source.name, entry.path)
        result.operation = edit.publish()
    return result


def remove(
    repository: Repository,
    sources: Sequence[str],
    *,
    label: str | None = None,
    where: str | None = None,
    dry_run: bool = False,
) -> RemoveResult:
    """Take files out of living directories. History, snapshots and other directories keep them.

    Raises:
        Usage: bad-usage, where a source is no living directory.
        NotFound: unknown-revision, file-not-found.
    """
    removed = []
    named = " ".join(printable(source) for source in sources)
    edit = repository.transaction(f"remove {named}{_narrowing(label, where)}")
    for source in sources:
        directory, entries = select(repository, source, label=label, where=where)
        _require_living(repository, directory)
        for entry in entries:
            edit.take_out(directory.name, entry.path)
            removed.append(f"{directory.name}:{entry.path}")
    if not dry_run:
        with edit:
            pass
    return RemoveResult(removed, edit.operation)


def _title(verb: str, sources: Sequence[str], destination: str, label: str | None, where: str | None) -> str:
    return f"{verb} {' '.join(printable(source) for source in sources)} {destination}{_narrowing(label, where)}"


def _mirrors_all(edit: Transaction, sources: Sequence[str], destination: str) -> bool:
    """Whether a whole living directory goes into a new one, path by path."""
    return (
        len(sources) == 1
        and sources[0] in edit.view.directories
        and parse_selector(destination).pattern == ""
        and not edit.knows_directory(parse_selector(destination).revision)
    )


def _narrowing(label: str | None, where: str | None) -> str:
    labelled = f" --label {printable(label)}" if label else ""
    return f"{labelled} --where {printable(where)}" if where else labelled


def _require_living(repository: Repository, directory: Directory) -> None:
    if directory.title not in repository.view.directories:
        raise Usage(
            "bad-usage",
            f"{directory.title!r} is history, and history does not change; name a directory.",
            revision=directory.title,
        )


def _taken(name: str, path: str) -> Refused:
    return Refused(
        "file-exists",
        f"{name} has another file at {path!r} already; nothing was changed.",
        hint=f"Give another place: {name}:FOLDER/",
        path=path,
        directory=name,
    )


class _Target:
    """The directory that files go to, and where in it."""

    def __init__(self, repository: Repository, edit: Transaction, destination: str, result: TransferResult) -> None:
        self._repository = repository
        self._result = result
        self.name, self._place = parse_selector(destination)
        result.destination = self.name
        if not edit.knows_directory(self.name):
            edit.create_directory(self.name)
            result.created_directory = True
            self._files = self._paths = None
        else:
            ref = edit.view.directories[self.name]
            self._files = Table(repository.objects, FILES, ref.root)
            self._paths = Table(repository.objects, PATHS, ref.paths)
        self._rows: dict[bytes, Row] = {}
        self._held: dict[bytes, Row] = {}
        self._arriving: set[FileId] = set()

    def places(
        self, sources: Sequence[str], label: str | None, where: str | None
    ) -> list[tuple[Directory, Entry, str]]:
        """Every selected file once, with the state it was found in and its path in the destination."""
        found: dict[str, tuple[Directory, Entry, str]] = {}
        selected = (select(self._repository, source, label=label, where=where) for source in sources)
        chosen = [(directory, entry) for directory, entries in selected for entry in entries]
        for directory, entry in chosen:
            path = self._path_for(entry.path, alone=len(chosen) == 1)
            earlier = found.setdefault(path, (directory, entry, path))
            if earlier[1].state.file_id != entry.state.file_id:
                raise Refused("file-exists", f"Two of the files would be {path!r} in {self.name}.", path=path)
        if self._files is not None and self._paths is not None:
            self._rows = self._files.get_many(path.encode() for path in found)
            self._held = self._paths.get_many(entry.state.file_id for _, entry, _ in found.values())
        return list(found.values())

    def _path_for(self, path: str, *, alone: bool) -> str:
        if not self._place:
            return path
        if alone and not self._place.endswith("/"):
            return check_path(self._place)
        return check_path(f"{self._place.rstrip('/')}/{path}")

    def row(self, path: str) -> Row | None:
        """What the destination has at a path."""
        return self._rows.get(path.encode())

    def holds(self, path: str, identity: FileId) -> bool:
        """Whether the destination has or gets that file, anywhere. Raises Refused where another is at the path."""
        if identity in self._held or identity in self._arriving:
            self._result.already_there += 1
            return True
        if self.row(path) is not None:
            raise _taken(self.name, path)
        return False

    def count(self, entry: Entry) -> None:
        """A file that the destination gains."""
        self._arriving.add(entry.state.file_id)
        self._result.files += 1
        self._result.instances += entry.state.instance_count
