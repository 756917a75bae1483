"""`diff`: what differs between two states, in the words people think in.

Tables tell which rows differ and skip what is shared. The rows that are left are paired in this order:

1. by file_id: the same file, at the same path or moved;
2. as copies: one was copied from the other, or both from a third; where nothing else differs, that is no difference;
3. by path: another file has taken the place.

What is left was added or removed. Where the instance sets of a pair differ, `instancediff` says how. A side may also be
a folder of annotations in any known format (`folderstate`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TypeVar

from tdvc.errors import NotFound, TdvcError, Usage
from tdvc.ids import FileId
from tdvc.ops.completeness import Marks
from tdvc.ops.folderstate import read_folder
from tdvc.ops.instancediff import Changes, InstanceChange, compare_instances, compare_json
from tdvc.ops.schemadiff import DefinitionChange, compare_schemas, only_learned
from tdvc.ops.select import path_filter
from tdvc.repo.directory import Directory, nothing, read_instances
from tdvc.repo.entry import PATHS, Entry, FileState, origin_of, state_of
from tdvc.repo.repository import Repository
from tdvc.tables.page import Row
from tdvc.tables.rowdiff import diff_rows
from tdvc.tables.tree import Table

__all__ = ["Diff", "DiffTotals", "FileChange", "InstanceChange", "compare_instances", "diff", "last_commit_state"]

T = TypeVar("T")

_BATCH = 512


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file, before and after.

    Attributes:
        kind: `added`, `removed`, `moved` or `changed`; a moved file may have changed as well.
        path: where it is now, or was.
        before_path: where it was, of a moved file; else the same.
        before: None where it was added.
        after: None where it was removed.
        replaced: whether its bytes differ.
        other_file: whether another file, with another identity, is at the path now.
        copy: whether the two are copies: other files that began as one.
        completeness: the mark before and after where it differs, each `complete`, `stale` or `incomplete`.
        stale: whether its mark became stale because the schema changed.
        properties: file properties that differ.
        instances: what became of its instances; empty for added and removed files.
        mirrors: where else the file is shown now, as `Directory:path`.
    """

    kind: str
    path: str
    before_path: str
    before: FileState | None
    after: FileState | None
    replaced: bool = False
    other_file: bool = False
    copy: bool = False
    completeness: tuple[str, str] | None = None
    stale: bool = False
    properties: Changes = field(default_factory=dict)
    instances: tuple[InstanceChange, ...] = ()
    mirrors: tuple[str, ...] = ()

    @property
    def differs(self) -> bool:
        """Whether it says anything; two spellings of one number in its instances are no difference."""
        facts = (self.replaced, self.other_file, self.completeness, self.properties, self.instances)
        return self.kind != "changed" or any(facts)

    @property
    def other_instances(self) -> bool:
        """Whether a file that stayed has another set of instances; what differs in them is not looked into."""
        before, after = self.before, self.after
        return before is not None and after is not None and before.instances != after.instances


@dataclass(slots=True)
class DiffTotals:
    """How much of what. Properties are those of files."""

    added_files: int = 0
    removed_files: int = 0
    moved_files: int = 0
    replaced_files: int = 0
    annotated_files: int = 0
    completeness_changes: int = 0
    added_instances: int = 0
    removed_instances: int = 0
    moved_instances: int = 0
    relabelled_instances: int = 0
    attribute_changes: int = 0
    property_changes: int = 0

    def count(self, change: FileChange) -> None:
        """Take a change into account."""
        self.added_files += change.kind == "added"
        self.removed_files += change.kind == "removed"
        self.moved_files += change.kind == "moved"
        self.replaced_files += change.replaced or change.other_file
        self.annotated_files += bool(change.instances)
        self.completeness_changes += change.completeness is not None
        self.property_changes += len(change.properties)
        if change.kind == "added" and change.after is not None:
            self.added_instances += change.after.instance_count
        if change.kind == "removed" and change.before is not None:
            self.removed_instances += change.before.instance_count
        for instance in change.instances:
            self.added_instances += instance.kind == "added"
            self.removed_instances += instance.kind == "removed"
            self.moved_instances += instance.moved
            self.relabelled_instances += instance.relabelled
            self.attribute_changes += len(instance.attributes)


class Diff:
    """What differs between two states. Nothing is read before somebody iterates.

    Attributes:
        before: the one state.
        after: the other.
        paths: paths, folders or globs the diff is narrowed to; empty for all.
        match: pair instances that share no id from this overlap on; None for ids alone.
    """

    def __init__(
        self,
        before: Directory,
        after: Directory,
        paths: Sequence[str] = (),
        *,
        match: float | None = None,
        repository: Repository | None = None,
    ) -> None:
        self.before = before
        self.after = after
        self.paths = tuple(paths)
        self.match = match
        self._repository = repository
        self._marks = {side: Marks(side) for side in (before, after)}

    def __bool__(self) -> bool:
        """Whether anything differs: a file, or the schema by more than labels it learned."""
        return next(iter(self), None) is not None or self.schema_differs

    def __iter__(self) -> Iterator[FileChange]:
        """Every file that differs, with its instances, ordered by path."""
        for batch in _batches(self.files(), _BATCH):
            mirrors = self._mirrors(batch)
            for change in batch:
                state = change.after or change.before
                seen = mirrors.get(state.file_id, ()) if state else ()
                whole = replace(change, instances=self._instances(change), mirrors=seen)
                if whole.differs:
                    yield whole

    def files(self) -> Iterator[FileChange]:
        """Every file that differs, ordered by path, without looking into instance sets."""
        rows = list(self.rows())
        pairs = _Pairs(rows)
        for path, before, after in rows:
            if before is not None and before[1] in pairs.removed:
                yield self._change("removed", path.decode(), before, None)
            if after is None:
                continue
            former = pairs.former.get(after[1])
            kind = "added" if former is None else "changed" if former[0] == path else "moved"
            change = self._change(kind, path.decode(), former, after)
            if not change.copy or change.differs or _sets_differ(change):
                yield change

    def totals(self) -> DiffTotals:
        """How much of what, instances included."""
        totals = DiffTotals()
        for change in self:
            totals.count(change)
        return totals

    @cached_property
    def schema(self) -> list[DefinitionChange]:
        """What differs between the schemas that belong to the two states."""
        if self.before.schema_id == self.after.schema_id:
            return []
        return compare_schemas(self.before.schema, self.after.schema)

    @property
    def schema_differs(self) -> bool:
        """Whether the schemas differ by more than labels that were learned on the way."""
        return not only_learned(self.schema)

    def rows(self) -> Iterator[tuple[bytes, Row | None, Row | None]]:
        """Path, row before and row after, where they differ and the diff is not narrowed to others."""
        fits = path_filter(self.paths)
        return (change for change in diff_rows(self.before.table, self.after.table) if fits(change[0].decode()))

    def _instances(self, change: FileChange) -> tuple[InstanceChange, ...]:
        before, after = change.before, change.after
        if before is None or after is None or before.instances == after.instances:
            return ()
        old = read_instances(self.before.objects, before)
        new = read_instances(self.after.objects, after)
        return tuple(compare_instances(old, new, match=self.match))

    def _change(self, kind: str, path: str, before: Row | None, after: Row | None) -> FileChange:
        old, new = state_of(before) if before else None, state_of(after) if after else None
        before_path = before[0].decode() if before else path
        if old is None or new is None:
            return FileChange(kind, path, before_path, old, new)
        copied = old.file_id != new.file_id and bool(_beginnings(old) & _beginnings(new))
        marks = self._mark(old, self.before), self._mark(new, self.after)
        # a copy was marked on its own: only what the mark says counts
        marked = old.complete != new.complete or (old.completeness_schema != new.completeness_schema and not copied)
        return FileChange(
            kind,
            path,
            before_path,
            old,
            new,
            replaced=old.blob != new.blob,
            other_file=old.file_id != new.file_id and not copied,
            copy=copied,
            completeness=marks if marked and marks[0] != marks[1] else None,
            stale=marks[1] == "stale" and not marked and marks[0] != "stale",
            properties=compare_json(old.properties, new.properties),
        )

    def _mark(self, state: FileState, side: Directory) -> str:
        return self._marks[side].of(Entry("", state)).value

    def _mirrors(self, changes: Sequence[FileChange]) -> Mapping[FileId, tuple[str, ...]]:
        """Where else the files of some changes are shown now, beside the two directories that are compared."""
        found: dict[FileId, tuple[str, ...]] = {}
        if self._repository is None:
            return found
        states = [change.after or change.before for change in changes]
        identities = [state.file_id for state in states if state is not None]
        for name, ref in sorted(self._repository.view.directories.items()):
            if name in (self.before.name, self.after.name):
                continue
            for key, path in Table(self._repository.objects, PATHS, ref.paths).get_many(identities).values():
                found[FileId(key)] = (*found.get(FileId(key), ()), f"{name}:{path.decode()}")
        return found


class _Pairs:
    """Which row before belongs to which row after.

    Attributes:
        former: for the file_id of a row after, the row before; files that were added are not in it.
        removed: file_ids of the rows before that belong to none.
    """

    def __init__(self, rows: Sequence[tuple[bytes, Row | None, Row | None]]) -> None:
        left = {before[1]: before for _, before, _ in rows if before is not None}
        new = {after[1]: after for _, _, after in rows if after is not None}
        self.former = {identity: left.pop(identity) for identity in new if identity in left}
        waiting = [after for identity, after in new.items() if identity not in self.former]
        by_path = {row[0]: row for row in left.values()}
        waiting = self._take(waiting, left, lambda row: _kin(by_path.get(row[0]), row))
        by_beginning = {beginning: row for row in left.values() for beginning in _beginnings(state_of(row))}
        if by_beginning and waiting:
            waiting = self._take(waiting, left, lambda row: _copied(by_beginning, row))
        self._take(waiting, left, lambda row: by_path.get(row[0]))
        self.removed = left.keys()

    def _take(
        self, waiting: Sequence[Row], left: dict[FileId, Row], former_of: Callable[[Row], Row | None]
    ) -> list[Row]:
        """Pair rows with the former ones that are left; returns those without one."""
        rest = []
        for row in waiting:
            former = former_of(row)
            if former is not None and former[1] in left:
                self.former[row[1]] = left.pop(former[1])
            else:
                rest.append(row)
        return rest


def _kin(former: Row | None, row: Row) -> Row | None:
    """`former` where it and `row` began as one file."""
    if former is None or not _beginnings(state_of(former)) & _beginnings(state_of(row)):
        return None
    return former


def _copied(by_beginning: Mapping[FileId, Row], row: Row) -> Row | None:
    return next((by_beginning[i] for i in _beginnings(state_of(row)) if i in by_beginning), None)


def _beginnings(state: FileState) -> set[FileId]:
    """The identities that a file and its copies share: its own, and that of what it was copied from."""
    origin = origin_of(state)
    return {state.file_id} if origin is None else {state.file_id, origin.file_id}


def _sets_differ(change: FileChange) -> bool:
    return change.before is None or change.after is None or change.before.instances != change.after.instances


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """The first alone, so that a look at whether there is one costs little; then as many at a time as asked for."""
    batch = list(islice(items, 1))
    while batch:
        yield batch
        batch = list(islice(items, size))


def diff(
    repository: Repository,
    before: str | None = None,
    after: str | None = None,
    *,
    paths: Sequence[str] = (),
    match: float | None = None,
    read_as: str | None = None,
) -> Diff:
    """Compare two states.

    With no revision: the current directory's last commit and its staged state. With one that is a directory's name:
    that directory's last commit and its staged state. With one other revision: that one and the staged state of its
    directory. With two: the first and the second. In place of a revision, a path to a folder or file of annotations.

    Args:
        repository: the repository.
        before: a revision or a path.
        after: a revision or a path.
        paths: paths, folders or globs to narrow it to.
        match: pair instances that share no id from this overlap on, in (0, 1].
        read_as: the format of folders; found out where None.

    Raises:
        NotFound: unknown-revision.
        FormatError: format-unknown, bad-format-file.
        Usage: bad-usage, for an overlap out of range.
    """
    if match is not None and not 0 < match <= 1:
        raise Usage("bad-usage", f"The overlap to match by must be above 0 and at most 1, not {match}.")
    old, new = _sides(repository, before, after)
    if isinstance(old, Path):
        old = read_folder(old, None if isinstance(new, Path) else new, read_as)
    if isinstance(new, Path):
        new = read_folder(new, old, read_as)
    return Diff(old, new, paths, match=match, repository=repository)


def _sides(repository: Repository, before: str | None, after: str | None) -> tuple[Directory | Path, Directory | Path]:
    view = repository.view
    if after is not None:
        return _side(repository, before or view.current), _side(repository, after)
    if before is None or before in view.directories:
        name = before or view.current
        return last_commit_state(repository, name), repository.directory(name)
    old = _side(repository, before)
    if isinstance(old, Path):
        return old, repository.directory(None)
    if old.name not in view.directories:
        raise NotFound(
            "unknown-revision",
            f"{before!r} is of the directory {old.name!r}, which is not there any more.",
            hint=f"Name what to compare it with: tdvc diff {before} REV",
            revision=before,
        )
    return old, repository.directory(old.name)


def _side(repository: Repository, text: str) -> Directory | Path:
    """A revision, or a path to what is no revision; `./name` is always a path."""
    place = Path(text)
    if "/" in text and "@{" not in text:
        return place
    try:
        return repository[text]
    except TdvcError:
        if place.exists():
            return place
        raise


def last_commit_state(repository: Repository, name: str) -> Directory:
    """The state of a directory's last commit; an empty one before the first."""
    view = repository.view
    if view.directories[name].commit is not None:
        return repository[f"{name}@"]
    return nothing(name, view.schema_of(name))
