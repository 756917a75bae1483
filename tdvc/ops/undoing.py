"""`operations`, `undo`, `redo`, `restore --operation`: the repository as a whole, one operation at a time.

Undo publishes an older view as a new operation, so it can be undone itself, by `redo`. Where the repository "stands" is
the operation whose view it shows; undo goes to the one before that. A snapshot whose creation is undone is not listed
any more, but its name stays taken: whoever pinned it must never find something else under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from tdvc.errors import NotFound, Refused
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.repo import oplog
from tdvc.repo.commit import utc_now
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import restore_views
from tdvc.repo.view import Operation, View, read_operation

MIN_DIGITS = 7
"""Digits of an operation's id that are taken for one; fewer are a number of operations."""


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
    """What was undone or done again, and the operation that did it.

    Attributes:
        command: the last one, of several.
        operation: the new operation.
        commands: all of them, newest first; empty where it was one.
    """

    command: str
    operation: ObjectId
    commands: tuple[str, ...] = ()


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


def undo(repository: Repository, what: str | None = None) -> UndoResult:
    """Take the last operation back, or several at once.

    Each step back is an operation of its own, so that redo can go forward one by one; they are published together.

    Args:
        repository: the repository.
        what: how many operations, or the id (or its first digits) of one that is taken back with all that followed.

    Raises:
        Refused: nothing-to-undo.
        NotFound: unknown-operation.
        Conflict: changed-meanwhile.
    """
    head = repository.head()
    steps = _Steps(repository, head)
    if what is None or (what.isdigit() and len(what) < MIN_DIGITS):
        for _ in range(int(what or 1)):
            steps.undo()
    else:
        target = find_operation(repository, what)
        if read_operation(repository.objects, target).follows:
            message = f"Operation {what} only brought a directory up to date with what it follows."
            raise Refused("nothing-to-undo", message, hint="Name the operation before it.", operation=what)
        while steps.undo() != target:
            pass
    return steps.publish()


class _Steps:
    """Steps back that are prepared one on the other and published together."""

    def __init__(self, repository: Repository, head: ObjectId) -> None:
        self._repository = repository
        self._head = self._last_id = head
        self._last = read_operation(repository.objects, head)
        self._operations: list[tuple[Operation, View]] = []
        self._commands: list[str] = []

    def undo(self) -> ObjectId:
        """Prepare one more; returns the operation that it takes back."""
        objects = self._repository.objects
        undone = self._last.shows or self._last_id
        operation = read_operation(objects, undone)
        while operation.parent is not None:
            before = read_operation(objects, operation.parent)
            if before.view != operation.view and not operation.follows:
                break
            undone = before.shows or operation.parent  # such as a garbage collection: there is nothing to take back
            operation = read_operation(objects, undone)
        if operation.parent is None:
            raise Refused("nothing-to-undo", "There is nothing to undo: this is the repository as it was created.")
        before = read_operation(objects, operation.parent)
        self._commands.append(operation.command)
        view = _with_retired(
            oplog.view_before(self._repository.storage, objects, before), self._repository.view_of(self._head)
        )
        self._last = Operation(
            view=object_id(Kind.VIEW, view.encode()),
            parent=self._last_id,
            command=f"undo {operation.command}",
            author=self._repository.author,
            time=utc_now(),
            shows=before.shows or operation.parent,
            undoes=undone,
            earlier_undo=self._last_id if self._last.undoes is not None else self._last.earlier_undo,
        )
        self._last_id = object_id(Kind.OPERATION, self._last.encode())
        self._operations.append((self._last, view))
        return undone

    def publish(self) -> UndoResult:
        """Make the last one the head."""
        if not self._operations:
            raise Refused("nothing-to-undo", "No operation was to be taken back.")
        identity = restore_views(self._repository, self._operations, self._head)
        return UndoResult(self._commands[0], identity, tuple(self._commands))


def restore_operation(repository: Repository, what: str) -> UndoResult:
    """Bring the whole repository to how it was after an operation, as a new operation that undo takes back.

    Raises:
        NotFound: unknown-operation.
        Conflict: changed-meanwhile.
    """
    head = repository.head()
    target = read_operation(repository.objects, find_operation(repository, what))
    view = _with_retired(oplog.view_before(repository.storage, repository.objects, target), repository.view_of(head))
    operation = Operation(
        view=object_id(Kind.VIEW, view.encode()),
        parent=head,
        command=f"restore --operation {what}",
        author=repository.author,
        time=utc_now(),
    )
    return UndoResult(target.command, restore_views(repository, [(operation, view)], head))


def find_operation(repository: Repository, digits: str) -> ObjectId:
    """The operation whose id begins with some digits.

    Raises:
        NotFound: unknown-operation, where none does or several do.
    """
    if len(digits) >= MIN_DIGITS and not digits.strip("0123456789abcdef"):
        objects = repository.objects
        found = [i for i, _ in oplog.history(objects, repository.head()) if i.hex().startswith(digits)]
        if len(found) == 1:
            return found[0]
        if found:
            raise NotFound("unknown-operation", f"{len(found)} operations' ids start with {digits}.", operation=digits)
    raise NotFound(
        "unknown-operation",
        f"There is no operation {digits!r}.",
        hint=f"tdvc operations lists them; at least {MIN_DIGITS} digits of an id.",
        operation=digits,
    )


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
    view = _with_retired(oplog.view_before(repository.storage, repository.objects, undone), repository.view_of(head))
    operation = Operation(
        view=object_id(Kind.VIEW, view.encode()),
        parent=head,
        command=f"redo {undone.command}",
        author=repository.author,
        time=utc_now(),
        shows=last.undoes,
        earlier_undo=last.earlier_undo,
    )
    return UndoResult(undone.command, restore_views(repository, [(operation, view)], head))


def _with_retired(view: View, now: View) -> View:
    """An older view, in which every snapshot name that was ever given stays taken."""
    given = {**now.retired, **now.snapshots, **view.retired}
    retired = {name: identity for name, identity in given.items() if name not in view.snapshots}
    return replace(view, retired=retired)
