"""`diff`: what differs between two states, in the words people think in.

Tables tell which rows differ and skip what is shared. A row that left one path and came to another with the same
file_id is a move. Where a file's instance set differs, instances are paired by their id: one that is on one side only
was added or removed, one whose geometry differs moved (how far, and with what overlap), one whose label differs was
relabelled, and attributes are compared key by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tdvc.errors import NotFound
from tdvc.model import geometry, numbers
from tdvc.model.records import Instance, same_instance
from tdvc.ops.select import path_filter
from tdvc.repo.directory import Directory, nothing, read_instances
from tdvc.repo.entry import FileState, state_of
from tdvc.repo.repository import Repository
from tdvc.tables.page import Row
from tdvc.tables.rowdiff import diff_rows


@dataclass(frozen=True, slots=True)
class InstanceChange:
    """One instance, before and after.

    Attributes:
        instance_id: its identity, the same on both sides.
        before: None where it was added.
        after: None where it was removed.
        moved: whether its geometry or spatial type differs.
        relabelled: whether its label differs.
        attributes: key to (before, after) for the attributes that differ; None where there is none.
        other_fields: further fields that differ: frame, properties, score, sequence, source.
    """

    instance_id: str
    before: Instance | None
    after: Instance | None
    moved: bool = False
    relabelled: bool = False
    attributes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    other_fields: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"

    @property
    def iou(self) -> float | None:
        """Overlap of the two bounding boxes in [0, 1], of an instance that moved."""
        boxes = self._boxes()
        return geometry.iou(*boxes) if boxes else None

    @property
    def shift(self) -> tuple[float, float] | None:
        """How far the centre moved, (x, y) in pixels, of an instance that moved."""
        boxes = self._boxes()
        return geometry.shift(*boxes) if boxes else None

    def _boxes(self) -> tuple[geometry.Box, geometry.Box] | None:
        if not self.moved or self.before is None or self.after is None:
            return None
        before, after = self.before.bounding_box, self.after.bounding_box
        return (before, after) if before is not None and after is not None else None


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
        completeness: whether the completeness mark differs.
        properties: whether file properties differ.
        instances: what became of its instances; empty for added and removed files.
    """

    kind: str
    path: str
    before_path: str
    before: FileState | None
    after: FileState | None
    replaced: bool = False
    other_file: bool = False
    completeness: bool = False
    properties: bool = False
    instances: tuple[InstanceChange, ...] = ()


@dataclass(slots=True)
class DiffTotals:
    """How much of what."""

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

    def count(self, change: FileChange) -> None:
        """Take a change into account."""
        self.added_files += change.kind == "added"
        self.removed_files += change.kind == "removed"
        self.moved_files += change.kind == "moved"
        self.replaced_files += change.replaced
        self.annotated_files += bool(change.instances)
        self.completeness_changes += change.completeness
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
    """

    def __init__(self, before: Directory, after: Directory, paths: Sequence[str] = ()) -> None:
        self.before = before
        self.after = after
        self.paths = tuple(paths)

    def __bool__(self) -> bool:
        return next(iter(self._rows()), None) is not None

    def __iter__(self) -> Iterator[FileChange]:
        """Every file that differs, with its instances, ordered by path."""
        return (self._with_instances(change) for change in self.files())

    def files(self) -> Iterator[FileChange]:
        """Every file that differs, ordered by path, without looking into instance sets."""
        rows = list(self._rows())
        arrived = {after[1]: path for path, before, after in rows if after and not _same_file(before, after)}
        moved_from = {
            before[1]: before
            for _, before, after in rows
            if before and not _same_file(before, after) and before[1] in arrived
        }
        for path, before, after in rows:
            yield from _file_changes(path.decode(), before, after, moved_from, arrived)

    def totals(self) -> DiffTotals:
        """How much of what, instances included."""
        totals = DiffTotals()
        for change in self:
            totals.count(change)
        return totals

    def _rows(self) -> Iterator[tuple[bytes, Row | None, Row | None]]:
        fits = path_filter(self.paths)
        return (change for change in diff_rows(self.before.table, self.after.table) if fits(change[0].decode()))

    def _with_instances(self, change: FileChange) -> FileChange:
        before, after = change.before, change.after
        if before is None or after is None or before.instances == after.instances:
            return change
        old = read_instances(self.before.objects, before)
        new = read_instances(self.after.objects, after)
        return FileChange(
            change.kind,
            change.path,
            change.before_path,
            before,
            after,
            change.replaced,
            change.other_file,
            change.completeness,
            change.properties,
            tuple(compare_instances(old, new)),
        )


def _same_file(before: Row | None, after: Row | None) -> bool:
    return before is not None and after is not None and before[1] == after[1]


def _file_changes(
    path: str, before: Row | None, after: Row | None, moved_from: dict[bytes, Row], arrived: dict[bytes, bytes]
) -> Iterator[FileChange]:
    old = state_of(before) if before else None
    new = state_of(after) if after else None
    if old and new and old.file_id != new.file_id:
        old_moved, new_moved = old.file_id in arrived, new.file_id in moved_from
        if not old_moved and not new_moved:
            yield _change("changed", path, path, old, new)
            return
        if not old_moved:
            yield _change("removed", path, path, old, None)
        old = None if not new_moved else old
    if new is None and old is not None:
        if old.file_id not in arrived:
            yield _change("removed", path, path, old, None)
    elif new is not None and new.file_id in moved_from:
        origin = moved_from[new.file_id]
        yield _change("moved", path, origin[0].decode(), state_of(origin), new)
    elif new is not None:
        yield _change("changed" if old else "added", path, path, old, new)


def _change(kind: str, path: str, before_path: str, old: FileState | None, new: FileState | None) -> FileChange:
    if old is None or new is None:
        return FileChange(kind, path, before_path, old, new)
    return FileChange(
        kind,
        path,
        before_path,
        old,
        new,
        replaced=old.blob != new.blob,
        other_file=old.file_id != new.file_id,
        completeness=old.complete != new.complete,
        properties=old.properties != new.properties,
    )


def compare_instances(before: Iterable[Instance], after: Iterable[Instance]) -> Iterator[InstanceChange]:
    """Every instance that differs, ordered by id; spelling of numbers is no difference."""
    old = {instance.instance_id: instance for instance in before}
    new = {instance.instance_id: instance for instance in after}
    for identity in sorted(old.keys() | new.keys()):
        a, b = old.get(identity), new.get(identity)
        if a is None or b is None:
            yield InstanceChange(identity, a, b)
        elif not same_instance(a, b):
            yield _compare(a, b)


def _compare(a: Instance, b: Instance) -> InstanceChange:
    same_geometry = a.type == b.type and numbers.same_value(bytes(a.geometry), bytes(b.geometry))
    old, new = numbers.parse(bytes(a.attributes)), numbers.parse(bytes(b.attributes))
    attributes = {
        key: (numbers.plain(old.get(key)), numbers.plain(new.get(key)))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) or (key in old) != (key in new)
    }
    others = [name for name in ("frame", "sequence", "source") if getattr(a, name) != getattr(b, name)]
    others += [
        name
        for name in ("properties", "score")
        if not numbers.same_value(bytes(getattr(a, name)), bytes(getattr(b, name)))
    ]
    return InstanceChange(
        a.instance_id,
        a,
        b,
        moved=not same_geometry,
        relabelled=a.label != b.label,
        attributes=attributes,
        other_fields=tuple(sorted(others)),
    )


def diff(
    repository: Repository, before: str | None = None, after: str | None = None, *, paths: Sequence[str] = ()
) -> Diff:
    """Compare two states.

    With no revision: the current directory's last commit and its staged state. With one that is a directory's name:
    that directory's last commit and its staged state. With one other revision: that one and the staged state of its
    directory. With two: the first and the second.

    Raises:
        NotFound: unknown-revision.
    """
    view = repository.view
    if after is not None:
        return Diff(repository[before or view.current], repository[after], paths)
    if before is None or before in view.directories:
        name = before or view.current
        staged = repository.directory(name)
        return Diff(last_commit_state(repository, name), staged, paths)
    old = repository[before]
    if old.name not in view.directories:
        raise NotFound(
            "unknown-revision",
            f"{before!r} is of the directory {old.name!r}, which is not there any more.",
            hint=f"Name what to compare it with: tdvc diff {before} REV",
            revision=before,
        )
    return Diff(old, repository.directory(old.name), paths)


def last_commit_state(repository: Repository, name: str) -> Directory:
    """The state of a directory's last commit; an empty one before the first."""
    view = repository.view
    if view.directories[name].commit is not None:
        return repository[f"{name}@"]
    return nothing(name, view.schema_of(name))
