"""`ls`, `show`, `cat`: looking at one state, one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tdvc.errors import NotFound, Usage
from tdvc.model import numbers
from tdvc.model.records import Instance
from tdvc.ops.select import matching, with_label
from tdvc.repo.commit import read_commit, read_snapshot
from tdvc.repo.directory import Counts, Directory
from tdvc.repo.entry import PATHS, Entry
from tdvc.repo.repository import Repository
from tdvc.repo.revision import parse_selector
from tdvc.tables.tree import Table


@dataclass(frozen=True, slots=True)
class Listed:
    """A file in a list; ids in hexadecimal."""

    path: str
    file_id: str
    blob: str
    size_bytes: int
    instances: int
    complete: bool
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
        labels: label to (files with it, instances of it).
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
    commit: str | None = None
    author: str | None = None
    time: str | None = None
    message: str | None = None
    file: Listed | None = None
    instances: list[Instance] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)
    origin: str | None = None


def ls(repository: Repository, selector: str | None = None, *, label: str | None = None) -> Iterator[Listed]:
    """The files that a selector means, ordered by path; those of the current directory for None.

    Raises:
        NotFound: unknown-revision; file-not-found, where a pattern fits nothing.
    """
    revision, pattern = parse_selector(selector or repository.view.current)
    directory = repository[revision]
    entries = matching(directory, pattern)
    first = next(entries, None)
    if first is None and pattern:
        raise NotFound("file-not-found", f"{directory.title} has no file {pattern!r}.", pattern=pattern)
    found = chain([first] if first else [], entries)
    return (_listed(entry) for entry in with_label(directory, found, label))


def _listed(entry: Entry) -> Listed:
    state = entry.state
    return Listed(
        path=entry.path,
        file_id=state.file_id.hex(),
        blob=state.blob.hex(),
        size_bytes=state.size_bytes,
        instances=state.instance_count,
        complete=bool(state.complete),
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
    shown.labels = count_labels(directory)
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


def count_labels(directory: Directory) -> dict[str, tuple[int, int]]:
    """Label to (files with it, instances of it), ordered by label. Reads every instance set."""
    files: Counter[str] = Counter()
    instances: Counter[str] = Counter()
    for entry in directory.entries():
        labels = Counter(instance.label for instance in directory.instances(entry))
        files.update(labels.keys())
        instances.update(labels)
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
        file=_listed(entry),
        instances=directory.instances(entry),
        properties=numbers.plain(numbers.parse(state.properties)) if state.properties else {},
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
