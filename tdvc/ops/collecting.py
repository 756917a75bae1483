"""`gc`: what no ref, no snapshot and no recent operation needs goes to the trash; the rest is packed together.

Needed is what the head's view leads to with its whole history, and what the views of the operations within the grace
period lead to, so that undo can go back that far. The operations themselves are kept for ever: they are small, and say
who did what. Nothing is removed where anything needed can't be read.

Writers are not kept waiting. Marking and packing happen beside them; then, with the lock held, what was published
meanwhile is marked too, a pack that turns out to be needed stays, and an operation is published, by which a writer that
relied on something older finds out that it has to look again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from tdvc.columns.store import ColumnStore
from tdvc.ids import Kind, ObjectId
from tdvc.objects.idset import DTYPE, IdSet
from tdvc.objects.store import new_stamp
from tdvc.objects.sweep import (
    SweepPlan,
    holds_any,
    out_of_trash,
    pack_names,
    plan_sweep,
    repack,
    rescue,
    size_of,
    to_trash,
)
from tdvc.ops.progress import Progress, silent
from tdvc.repo import oplog
from tdvc.repo.commit import utc_now
from tdvc.repo.reach import Found, Reach
from tdvc.repo.repository import Repository
from tdvc.repo.view import Operation, View, read_operation, read_view

KEEP_OPERATIONS = timedelta(days=30)
KEEP_TRASH = timedelta(days=7)
YOUNG = timedelta(hours=1)
"""Packs that may belong to a command which has not published yet."""

_LOCK_TIMEOUT_SECONDS = 30.0


@dataclass(slots=True)
class CollectResult:
    """What a garbage collection did, or would do.

    Attributes:
        packs_before: how many packs there were.
        packs_after: how many there are.
        rewritten_packs: packs that were replaced, for they held what nobody needs or were small.
        needed_objects: objects that something leads to.
        removed_objects: objects that went to the trash.
        removed_bytes: their room.
        emptied_files: files that left the trash for good.
        emptied_bytes: their room.
        trash_files: files that are in the trash now.
        trash_bytes: their room.
        cache_files: columns of pages that nothing needs any more, which left the cache.
        cache_bytes: their room.
        kept_operations: operations to which undo can go back.
        unreadable_packs: damaged packs, which were left alone: tdvc fsck.
        operation: None where there was nothing to do.
    """

    packs_before: int = 0
    packs_after: int = 0
    rewritten_packs: int = 0
    needed_objects: int = 0
    removed_objects: int = 0
    removed_bytes: int = 0
    emptied_files: int = 0
    emptied_bytes: int = 0
    trash_files: int = 0
    trash_bytes: int = 0
    cache_files: int = 0
    cache_bytes: int = 0
    kept_operations: int = 0
    unreadable_packs: list[str] = field(default_factory=list)
    operation: ObjectId | None = None


def collect(
    repository: Repository,
    *,
    keep_operations: timedelta = KEEP_OPERATIONS,
    now: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> CollectResult:
    """Collect garbage.

    Args:
        repository: the repository.
        keep_operations: how far back undo must be able to go.
        now: empty the trash at once, and spare no young packs; what other commands are just writing may have to be
            written again.
        dry_run: change nothing; say what would be done.
        progress: told how far it is.

    Raises:
        Corruption: where anything needed is missing or damaged; nothing is removed then.
        Locked: another process kept publishing.
    """
    return _Collection(repository, keep_operations, now, progress).run(dry_run)


def restore_trash(repository: Repository) -> list[str]:
    """Put everything in the trash back where it was; returns the names of the files."""
    with repository.storage.lock(_LOCK_TIMEOUT_SECONDS):
        names = out_of_trash(repository.storage)
    repository.objects.refresh()
    return names


class _Collection:
    """One garbage collection on its way."""

    def __init__(self, repository: Repository, keep_operations: timedelta, now: bool, progress: Progress) -> None:
        self._repository = repository
        self._progress = progress
        self._now = now
        self._reach = Reach(repository.objects)
        self._live = IdSet()
        self._moment = datetime.now(UTC)
        self._keep_since = (self._moment - keep_operations).isoformat()
        self._pruned = False
        self._result = CollectResult()

    def run(self, dry_run: bool) -> CollectResult:
        repository, result = self._repository, self._result
        head = repository.head()
        self._mark(self._all(head))
        plan = self._plan()
        self._describe(plan)
        self._sweep_columns(dry_run)
        if dry_run or not (plan or self._pruned):
            result.packs_after = result.packs_before
            return result
        storage = repository.storage
        rescue(repository.objects, storage, self._live)
        order = self._in_order(repository.view_of(head))
        _, replaceable = repack(repository.objects, storage, plan.rewritten, self._live.contains, order)
        with storage.lock(_LOCK_TIMEOUT_SECONDS):
            storage.sweep()
            later = self._published_since(head)
            unneeded = self._still_unneeded(later, [*replaceable, *plan.singles])
            result.operation = self._publish(repository.head())
            to_trash(storage, unneeded, new_stamp())
            self._empty_trash(plan, later)
        repository.objects.refresh()
        result.packs_after = len(pack_names(storage))
        return result

    # marking

    def _mark(self, found: Iterator[Found]) -> None:
        for count, (_, identities) in enumerate(found):
            if count % 1000 == 0:
                self._progress("marking", len(self._live), None)
            self._live.add(identities)

    def _all(self, head: ObjectId) -> Iterator[Found]:
        """Everything that is needed, the newest first."""
        yield from self._reach.of_view(self._repository.view_of(head))
        within, needed = True, True
        for identity, operation in oplog.history(self._repository.objects, head):
            yield Kind.OPERATION, [identity]
            if needed:
                yield from self._of_operation(operation)
            else:
                self._pruned = True
            within = within and operation.time >= self._keep_since
            needed = within  # what is undone leads to the view before it
            self._result.kept_operations += within and operation.parent is not None and operation.command != "gc"

    def _of_operation(self, operation: Operation) -> Iterator[Found]:
        yield Kind.VIEW, [operation.view]
        yield from self._reach.of_view(read_view(self._repository.objects, operation.view))

    def _in_order(self, view: View) -> Iterator[Sequence[ObjectId]]:
        """What the living directories hold, in the order in which it is read: metadata first, then blobs."""
        for wanted in (False, True):
            found = Reach(self._repository.objects).of_view(view)
            yield from (identities for kind, identities in found if (kind is Kind.BLOB) is wanted)

    # sweeping

    def _plan(self) -> SweepPlan:
        future = self._moment + timedelta(days=1)
        written_before = future if self._now else self._moment - YOUNG
        trashed_before = future if self._now else self._moment - KEEP_TRASH
        return plan_sweep(
            self._repository.storage,
            self._live,
            written_before=_stamp(written_before),
            trashed_before=_stamp(trashed_before),
        )

    def _describe(self, plan: SweepPlan) -> None:
        result = self._result
        result.packs_before = len(pack_names(self._repository.storage))
        result.rewritten_packs = len(plan.rewritten)
        result.needed_objects = len(self._live)
        result.removed_objects = plan.dead_objects
        result.removed_bytes = plan.dead_bytes
        result.emptied_files = len(plan.emptied)
        result.emptied_bytes = plan.trash_bytes
        result.unreadable_packs = plan.unreadable

    def _sweep_columns(self, dry_run: bool) -> None:
        """Take columns out of the cache that no page is there for; what turns out to be wanted is made again."""
        storage, result = self._repository.storage, self._result
        names = ColumnStore(self._repository).unneeded(
            lambda pages: self._live.contains(np.array(pages, DTYPE)).tolist()
        )
        result.cache_files = len(names)
        result.cache_bytes = sum(size_of(storage, name) for name in names)
        if not dry_run:
            storage.remove_all(names)

    def _published_since(self, head: ObjectId) -> IdSet:
        """What the operations after `head` need. Called with the lock held."""
        later = IdSet()
        for identity, operation in oplog.history(self._repository.objects, self._repository.head()):
            if identity == head:
                break
            later.add([identity])
            for _, identities in self._of_operation(operation):
                later.add(identities)
        return later

    def _still_unneeded(self, later: IdSet, names: Sequence[str]) -> list[str]:
        """Those files in which nothing is needed by what was published since this collection began."""
        if not len(later):
            return list(names)
        return [name for name in names if not holds_any(self._repository.storage, name, later, self._live)]

    def _publish(self, head: ObjectId) -> ObjectId:
        """An operation that changes nothing to see, so that writers look again. Called with the lock held."""
        repository = self._repository
        last = read_operation(repository.objects, head)
        operation = Operation(
            view=last.view,
            parent=head,
            command="gc",
            author=repository.author,
            time=utc_now(),
            earlier_undo=oplog.undo_before(repository.objects, head),
        )
        with repository.objects.writer() as writer:
            identity = ObjectId(writer.put(Kind.OPERATION, operation.encode()))
            writer.publish()
        oplog.move_head(repository.storage, oplog.heads(repository.storage), identity)
        if self._pruned:
            repository.storage.replace(oplog.PRUNED, utc_now().encode())
        return identity

    def _empty_trash(self, plan: SweepPlan, later: IdSet) -> None:
        storage, result = self._repository.storage, self._result
        old = [f"trash/{name}" for name in storage.names("trash")] if self._now else plan.emptied
        emptied = self._still_unneeded(later, old)
        result.emptied_files = len(emptied)
        result.emptied_bytes = sum(size_of(storage, name) for name in emptied)
        storage.remove_all(emptied)
        left = storage.names("trash")
        result.trash_files = len(left)
        result.trash_bytes = sum(size_of(storage, f"trash/{name}") for name in left)


def _stamp(moment: datetime) -> str:
    return f"{int(moment.timestamp() * 1e9):016x}"
