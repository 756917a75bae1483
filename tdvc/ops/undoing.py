"""`operations`, `undo`, `redo`: the repository as a whole, one operation at a time.

Undo publishes an older view as a new operation, so it can be undone itself, by `redo`. Where the repository "stands" is
the operation whose view it shows; undo goes to the one before that. A snapshot whose creation is undone is not listed
any more, but its name stays taken: whoever pinned it must never find something else under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from tdvc.errors import Refused
from tdvc.ids import Kind, ObjectId
from tdvc.repo import oplog
from tdvc.repo.commit import utc_now
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import restore_view
from tdvc.repo.view import Operation, View, read_operation, read_view


@dataclass(frozen=True, slots=True)
class OperationInfo:
    """One operation in the list; ids in hexadecimal.

    Attributes:
        operation: its id.
        command: what was asked for.
        author: by whom.
        time: when.
        undoes: for an undo, what it undid.
        shown: whether the repository stands here.
    """

    operation: str
    command: str
    author: str
    time: str
    undoes: str | None
    shown: bool


@dataclass(frozen=True, slots=True)
class UndoResult:
    """The command that was undone or done again, and the operation that did it."""

    command: str
    operation: ObjectId


def operations(repository: Repository, *, limit: int | None = None) -> Iterator[OperationInfo]:
    """Every operation, newest first."""
    head = repository.head()
    standing = read_operation(repository.objects, head).shows or head
    for identity, operation in islice(oplog.history(repository.objects, head), limit):
        yield OperationInfo(
            operation=identity.hex(),
            command=operation.command,
            author=operation.author,
            time=operation.time,
            undoes=operation.undoes.hex() if operation.undoes else None,
            shown=identity == standing,
        )


def undo(repository: Repository) -> UndoResult:
    """Take the last operation back.

    Raises:
        Refused: nothing-to-undo.
        Conflict: changed-meanwhile.
    """
    head = repository.head()
    last = read_operation(repository.objects, head)
    undone = last.shows or head
    parent = read_operation(repository.objects, undone).parent
    if parent is None:
        raise Refused("nothing-to-undo", "There is nothing to undo: this is the repository as it was created.")
    before = read_operation(repository.objects, parent)
    command = read_operation(repository.objects, undone).command
    operation = Operation(
        view=before.view,
        parent=head,
        command=f"undo {command}",
        author=repository.author,
        time=utc_now(),
        shows=before.shows or parent,
        undoes=undone,
        earlier_undo=head if last.undoes is not None else last.earlier_undo,
    )
    return UndoResult(command, _publish(repository, operation, head))


def redo(repository: Repository) -> UndoResult:
    """Do again what the last undo took back.

    Raises:
        Refused: nothing-to-redo.
        Conflict: changed-meanwhile.
    """
    head = repository.head()
    last = read_operation(repository.objects, head)
    if last.undoes is None and last.earlier_undo is not None:
        last = read_operation(repository.objects, last.earlier_undo)
    if last.undoes is None:
        raise Refused("nothing-to-redo", "There is nothing to redo: the last operation was not an undo.")
    undone = read_operation(repository.objects, last.undoes)
    operation = Operation(
        view=undone.view,
        parent=head,
        command=f"redo {undone.command}",
        author=repository.author,
        time=utc_now(),
        shows=last.undoes,
        earlier_undo=last.earlier_undo,
    )
    return UndoResult(undone.command, _publish(repository, operation, head))


def _publish(repository: Repository, operation: Operation, head: ObjectId) -> ObjectId:
    view = _with_retired(read_view(repository.objects, operation.view), repository.view_of(head))
    with repository.objects.writer() as writer:
        view_id = writer.put(Kind.VIEW, view.encode())
    return restore_view(repository, replace(operation, view=view_id), view, head)


def _with_retired(view: View, now: View) -> View:
    """An older view, in which every snapshot name that was ever given stays taken."""
    given = {**now.retired, **now.snapshots, **view.retired}
    retired = {name: identity for name, identity in given.items() if name not in view.snapshots}
    return replace(view, retired=retired)
