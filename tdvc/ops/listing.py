"""`ls`, `show`, `cat`: looking at one state, one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tdvc.errors import NotFound, Usage
from tdvc.model import numbers
from tdvc.model.completeness import Mark
from tdvc.model.records import Instance
from tdvc.ops.completeness import Marks
from tdvc.ops.labelcounts import label_counts
from tdvc.ops.select import matching, narrowed
from tdvc.repo.commit import read_commit, read_snapshot
from tdvc.repo.directory import Counts, Directory
from tdvc.repo.entry import PATHS, Entry, properties_of
from tdvc.repo.repository import Repository
from tdvc.repo.revision import parse_selector
from tdvc.tables.tree import Table


@dataclass(frozen=True, slots=True)
class Listed:
    """A file in a list; ids in hexadecimal. `stale` where it was complete under a schema that asked less."""

    path: str
    file_id: str
    blob: str
    size_bytes: int
    instances: int
    complete: bool
    stale: bool
    media_type: str


@dataclass(slots=True)
class Shown:
    """A state or a file, looked at closely. What does not apply is empty or None.

    Attributes:
        kind: `directory`, `commit`, `snapshot` or `file`.
        title: how it was asked for.
        directory: the directory's name.
        root: id of the state.
        counts: of the state.
        labels: key of a label to (files with it, instances of it).
        names: key to display name, of labels that are called something else than their key.
        stale: how many of the complete files were so under a schema that asked less.
        commit: id of the commit.
        author: of the commit or snapshot.
        time: of the commit or snapshot.
        message: of the commit or snapshot.
        file: of a file.
        instances: of a file.
        properties: of a file.
        directories: where a file is, as `Directory:path`.
        origin: file_id of what a file was copied from.
    """

    kind: str
    title: str
    directory: str
    root: str
    counts: Counts | None = None
    labels: dict[str, tuple[int, int]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    stale: int = 0
    commit: str | None = None
    author: str | None = None
    time: str | None = None
    message: str | None = None
    file: Listed | None = None
    instances: list[Instance] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    origin: str | None = None


def ls(
    repository: Repository, selector: str | None = None, *, label: str | None = None, where: str | None = None
) -> Iterator[Listed]:
    """The files that a selector means, ordered by path; those of the current directory for None.

    Raises:
        NotFound: unknown-revision; file-not-found, where a pattern fits nothing.
        Usage: bad-query.
    """
    revision, pattern = parse_selector(selector or repository.view.current)
    directory = repository[revision]
    if pattern and next(matching(directory, pattern), None) is None:
        raise NotFound("file-not-found", f"{directory.title} has no file {pattern!r}.", pattern=pattern)
    marks = Marks(directory)
    return (_listed(entry, marks) for entry in narrowed(repository, directory, pattern, label, where))


def _listed(entry: Entry, marks: Marks) -> Listed:
    state = entry.state
    return Listed(
        path=entry.path,
        file_id=state.file_id.hex(),
        blob=state.blob.hex(),
        size_bytes=state.size_bytes,
        instances=state.instance_count,
        complete=bool(state.complete),
        stale=marks.of(entry) is Mark.STALE,
        media_type=state.media_type.decode(errors="replace"),
    )


def show(repository: Repository, selector: str | None = None) -> Shown:
    """A directory, commit or snapshot with its counts and labels, or with `REV:PATH` one file with its instances.

    Raises:
        NotFound: unknown-revision, file-not-found.
    """
    revision, path = parse_selector(selector or repository.view.current)
    directory = repository[revision]
    if path:
        return _show_file(repository, directory, directory.entry(path))
    shown = Shown("directory", directory.title, directory.name, directory.root.hex(), counts=directory.counts)
    shown.labels, shown.names = count_labels(directory), directory.schema.names()
    shown.stale = Marks(directory).count_stale()
    view = repository.view
    if revision in view.directories:
        directory_commit = view.directories[revision].commit
    else:
        directory_commit = directory.commit
        shown.kind = "commit"
    if directory_commit is not None:
        commit = read_commit(repository.objects, directory_commit)
        shown.commit = directory_commit.hex()
        shown.author, shown.time, shown.message = commit.author, commit.time, commit.message
    if revision in view.snapshots:
        snapshot = read_snapshot(repository.objects, view.snapshots[revision])
        shown.kind = "snapshot"
        shown.author, shown.time = snapshot.author, snapshot.time
        shown.message = snapshot.message or shown.message
    return shown


def count_labels(*states: Directory) -> dict[str, tuple[int, int]]:
    """Label to (files with it, instances of it), ordered by label; a file that several states hold counts once."""
    files, instances = label_counts(*states)
    return {label: (files[label], instances[label]) for label in sorted(instances)}


def _show_file(repository: Repository, directory: Directory, entry: Entry) -> Shown:
    state = entry.state
    holders = []
    for name, ref in sorted(repository.view.directories.items()):
        row = Table(repository.objects, PATHS, ref.paths).get(state.file_id)
        if row is not None:
            holders.append(f"{name}:{row[1].decode()}")
    return Shown(
        "file",
        f"{directory.title}:{entry.path}",
        directory.name,
        directory.root.hex(),
        file=_listed(entry, Marks(directory)),
        names=directory.schema.names(),
        instances=directory.instances(entry),
        properties=numbers.plain(properties_of(state)),
        directories=holders,
        origin=state.origin[:16].hex() or None,
    )


def cat(repository: Repository, selector: str) -> Iterator[bytes]:
    """The verified bytes of one file, in pieces.

    Raises:
        Usage: bad-usage, without a path.
        NotFound: unknown-revision, file-not-found.
        Corruption: object-missing, object-damaged.
    """
    revision, path = parse_selector(selector)
    if not path:
        raise Usage("bad-usage", "Name one file, as REV:PATH.")
    blob = repository[revision].entry(path).state.blob
    for _ in repository.objects.read_blob(blob):
        pass  # a large file comes in pieces and is known to be intact after the last: not one is given out before
    return repository.objects.read_blob(blob)
