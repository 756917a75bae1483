"""`blame` and `history`: who said what about a file, and every version of one instance.

Both walk from a state back through its commits, newest first. What a commit shares with one of its parents is that
parent's affair; what it shares with none was said in it. So a merge is blamed for nothing that one of its sides
brought, and what came from a copy is found with whoever worked there. A file is known in a parent by its file_id,
else by what it was copied from, whatever its path was.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tdvc.errors import NotFound, Usage
from tdvc.ids import FileId, ObjectId
from tdvc.model import numbers
from tdvc.model.records import Instance
from tdvc.ops.diffing import InstanceChange, compare_instances
from tdvc.repo.commit import Commit, read_commit
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, FileState, entry_of, origin_of
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit, parse_selector
from tdvc.tables.rowdiff import diff_rows

PRESENCE = "presence"
"""The part of an instance that says that it is there at all."""


@dataclass(frozen=True, slots=True)
class Authorship:
    """In which commit something was said; `commit` and the rest are None for what is staged only."""

    commit: str | None = None
    author: str | None = None
    time: str | None = None
    message: str | None = None


STAGED = Authorship()


@dataclass(slots=True)
class BlamedInstance:
    """An instance, and who said each part of it.

    Attributes:
        instance: as it is now.
        added: since when it is there.
        changed: the last time anything was said about it.
        parts: `label`, `geometry`, `attributes.KEY` and so on.
    """

    instance: Instance
    added: Authorship = STAGED
    changed: Authorship = STAGED
    parts: dict[str, Authorship] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstanceVersion:
    """What became of an instance in one commit.

    Attributes:
        where: the commit.
        path: the file's path there.
        change: before and after.
    """

    where: Authorship
    path: str
    change: InstanceChange


def blame(repository: Repository, selector: str) -> list[BlamedInstance]:
    """Who said what about each instance of a file.

    Args:
        repository: the repository.
        selector: `REV:PATH`.

    Raises:
        NotFound: unknown-revision, file-not-found.
        Usage: bad-usage, where no path is named.
    """
    state, entry = _file(repository, selector)
    blamed = {i.instance_id: BlamedInstance(i) for i in state.instances(entry)}
    wanted = {(i, part): value for i, found in blamed.items() for part, value in parts_of(found.instance).items()}
    times: dict[str, str] = {}
    for where, said in _said(repository, state, entry, wanted):
        for identity, part in said:
            found = blamed[identity]
            if part == PRESENCE:
                found.added = where
            else:
                found.parts[part] = where
            if (where.time or "~") >= times.get(identity, ""):  # what is staged is newer than any time
                found.changed, times[identity] = where, where.time or "~"
    return list(blamed.values())


def history(repository: Repository, selector: str) -> Iterator[InstanceVersion]:
    """Every version of an instance, newest first.

    Args:
        repository: the repository.
        selector: `REV:PATH#INSTANCE`, or `PATH#INSTANCE` in the current directory; the first digits of the id do.

    Raises:
        NotFound: unknown-revision, file-not-found, instance-not-found.
        Usage: bad-usage, where no instance is named.
    """
    place, _, digits = selector.rpartition("#")
    if not place or not digits or digits.strip("0123456789abcdef"):
        raise Usage("bad-usage", f"{selector!r} names no instance.", hint="tdvc history Pets:a.jpg#3f2a9c1d")
    state, entry = _file(repository, place)
    return _versions(repository, state, entry, digits)


def _versions(repository: Repository, state: Directory, entry: Entry, digits: str) -> Iterator[InstanceVersion]:
    found = False
    for step in _steps(repository, state, entry):
        versions = list(step.versions(digits))
        found = found or bool(versions)
        yield from versions
    if not found:
        raise NotFound(
            "instance-not-found",
            f"{entry.path!r} never had an instance {digits}.",
            hint=f"tdvc show {state.title}:{entry.path}",
            instance_id=digits,
        )


def parts_of(instance: Instance) -> dict[str, Any]:
    """What an instance says, part by part, so that each can be compared and blamed."""
    parts: dict[str, Any] = {
        PRESENCE: True,
        "label": instance.label,
        "geometry": (instance.type, numbers.parse(bytes(instance.geometry))),
    }
    parts.update((name, getattr(instance, name)) for name in ("frame", "sequence") if getattr(instance, name))
    if bytes(instance.score) != b"null":
        parts["score"] = numbers.parse(bytes(instance.score))
    for name in ("attributes", "properties"):
        held = numbers.parse(bytes(getattr(instance, name)))
        parts.update((f"{name}.{key}", value) for key, value in held.items())
    return parts


def _file(repository: Repository, selector: str) -> tuple[Directory, Entry]:
    revision, path = parse_selector(selector)
    if not path and revision not in repository.view.directories:
        revision, path = repository.view.current, revision
    if not path:
        raise Usage("bad-usage", f"{selector!r} names no file.", hint=f"tdvc blame {selector}:PATH")
    state = repository[revision]
    return state, state.entry(path)


# one commit after the other


class _Step(NamedTuple):
    """A file in one commit, and in the parents of that commit which hold it."""

    where: Authorship
    state: Directory
    entry: Entry
    parents: list[tuple[Directory, Entry]]

    def instances(self) -> dict[str, Instance]:
        """What the commit says of the file."""
        return {instance.instance_id: instance for instance in self.state.instances(self.entry)}

    def versions(self, digits: str) -> Iterator[InstanceVersion]:
        """What became of an instance here, if it differs from every parent."""
        if any(entry.state.instances == self.entry.state.instances for _, entry in self.parents):
            return
        now = [i for i in self.instances().values() if i.instance_id.startswith(digits)]
        changes = []
        for directory, entry in self.parents:
            before = [i for i in directory.instances(entry) if i.instance_id.startswith(digits)]
            changes.append(list(compare_instances(before, now)))
        if not self.parents:
            changes.append(list(compare_instances([], now)))
        if all(changes):
            for change in changes[0]:
                yield InstanceVersion(self.where, self.entry.path, change)


def _steps(repository: Repository, state: Directory, entry: Entry) -> Iterator[_Step]:
    """The commits that hold a file, newest first, each once for each path and file it has there."""
    objects = repository.objects
    waiting: list[tuple[_Newest, ObjectId, Entry]] = []
    seen: set[tuple[ObjectId, FileId]] = set()

    def wait(identity: ObjectId, found: Entry) -> None:
        if (identity, found.state.file_id) not in seen:
            seen.add((identity, found.state.file_id))
            heapq.heappush(waiting, (_Newest(read_commit(objects, identity).time, len(seen)), identity, found))

    if state.commit is not None:
        wait(state.commit, entry)
    else:
        last = repository.view.directories[state.name].commit
        before = [(last, at_commit(objects, last))] if last is not None else []
        parents = [(i, d, e) for i, d in before if (e := same_file(d, state, entry)) is not None]
        yield _Step(STAGED, state, entry, [(directory, found) for _, directory, found in parents])
        for identity, _, found in parents:
            wait(identity, found)
    while waiting:
        _, identity, here = heapq.heappop(waiting)
        commit = read_commit(objects, identity)
        directory = at_commit(objects, identity)
        before = [(parent, at_commit(objects, parent)) for parent in commit.parents]
        parents = [(i, d, e) for i, d in before if (e := same_file(d, directory, here)) is not None]
        yield _Step(_authorship(identity, commit), directory, here, [(d, e) for _, d, e in parents])
        for parent, _, found in parents:
            wait(parent, found)


class _Newest(NamedTuple):
    """Orders what waits: the newest first, then whatever was reached first."""

    time: str
    turn: int

    def __lt__(self, other: tuple[Any, ...]) -> bool:
        return (self.time, -self.turn) > (other[0], -other[1])


def _authorship(identity: ObjectId, commit: Commit) -> Authorship:
    return Authorship(identity.hex(), commit.author, commit.time, commit.message)


def same_file(before: Directory, after: Directory, entry: Entry) -> Entry | None:
    """The file of `after` as an earlier state or another side has it; None where it is not there.

    The usual case, the same path, costs one look-up; else what differs between the two tables is read.
    """
    row = before.table.get(entry.path.encode())
    if row is not None and related(entry_of(row).state, entry.state):
        return entry_of(row)
    for _, old, _ in diff_rows(before.table, after.table):
        if old is not None and related(entry_of(old).state, entry.state):
            return entry_of(old)
    return None


def related(a: FileState, b: FileState) -> bool:
    """Whether two states are of one file, or of a file and its copy, or of two copies of one file."""
    if a.file_id == b.file_id:
        return True
    a_origin, b_origin = origin_of(a), origin_of(b)
    sources = {a.file_id, a_origin.file_id if a_origin else None} & {b.file_id, b_origin.file_id if b_origin else None}
    return bool(sources - {None})


def _said(
    repository: Repository, state: Directory, entry: Entry, wanted: dict[tuple[str, str], Any]
) -> Iterator[tuple[Authorship, list[tuple[str, str]]]]:
    """Where each of the wanted parts was said: a commit, and the parts that none of its parents has."""
    asked: dict[tuple[Any, FileId], set[tuple[str, str]]] = {}
    first = True
    for step in _steps(repository, state, entry):
        key = (step.where.commit, step.entry.state.file_id)
        here = set(wanted) if first else asked.pop(key, set())
        first = False
        for directory, found in step.parents:
            shared = (
                here if found.state.instances == step.entry.state.instances else _shared(directory, found, here, wanted)
            )
            if shared:
                parent = (directory.commit.hex() if directory.commit else None, found.state.file_id)
                asked.setdefault(parent, set()).update(shared)
                here = here - shared
        if here:
            yield step.where, sorted(here)
        if not asked:
            return


def _shared(
    directory: Directory, entry: Entry, here: set[tuple[str, str]], wanted: dict[tuple[str, str], Any]
) -> set[tuple[str, str]]:
    """Those parts that a parent says just so."""
    before = {i.instance_id: parts_of(i) for i in directory.instances(entry)}
    return {key for key in here if key[1] in (held := before.get(key[0], {})) and held[key[1]] == wanted[key]}
