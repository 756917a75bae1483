"""The chain of operations, and the one pointer that moves.

The end of the chain is an empty file in `heads/` named by the operation's id. Publishing creates the new name, then
removes the old one. A crash between the two leaves both, one being the ancestor of the other, and readers drop the
ancestor: so there is no instant at which the repository has no head or a half-written one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tdvc.errors import Conflict, Corruption, Refused, StorageFailure
from tdvc.ids import Kind, ObjectId
from tdvc.objects.store import ObjectStore, ObjectWriter
from tdvc.repo.commit import id_from
from tdvc.repo.view import Operation, View, read_operation, read_view
from tdvc.storage.base import Storage

PRUNED = "pruned"
"""A file that says since when the views of old operations may be gone (`ops.collecting`)."""

_NEAR = 1000


def heads(storage: Storage) -> list[ObjectId]:
    """What `heads/` names."""
    found = []
    for name in storage.names("heads"):
        try:
            found.append(id_from(name))
        except ValueError:
            continue
    return found


def head(storage: Storage, objects: ObjectStore) -> ObjectId:
    """The last operation.

    Raises:
        Corruption: object-missing, where nothing is named.
        Conflict: heads-diverged, where two operations follow on one that both name.
    """
    found = heads(storage)
    if len(found) > 1:
        found = _without_ancestors(objects, found)
    if not found:
        raise Corruption("object-missing", "The repository names no last operation: the folder heads is empty.")
    if len(found) > 1:
        names = " and ".join(sorted(identity.hex()[:12] for identity in found))
        raise Conflict(
            "heads-diverged",
            f"Operations {names} were published without seeing each other.",
            hint="The repository's file system does not lock; keep one of the files in heads/.",
        )
    return found[0]


def _without_ancestors(objects: ObjectStore, found: list[ObjectId]) -> list[ObjectId]:
    """Drop the heads that another head follows on, looking back at most `_NEAR` operations."""
    objects.refresh()
    left = set(found)
    for identity in found:
        for distance, (ancestor, _) in enumerate(history(objects, identity)):
            if distance:
                left.discard(ancestor)
            if distance >= _NEAR or len(left) == 1:
                break
    return sorted(left)


def history(objects: ObjectStore, start: ObjectId) -> Iterator[tuple[ObjectId, Operation]]:
    """The operation `start` and those before it, newest first."""
    identity: ObjectId | None = start
    while identity is not None:
        operation = read_operation(objects, identity)
        yield identity, operation
        identity = operation.parent


def undo_before(objects: ObjectStore, identity: ObjectId) -> ObjectId | None:
    """The undo that redo comes to from an operation: itself, or the one it remembers."""
    operation = read_operation(objects, identity)
    return identity if operation.undoes is not None else operation.earlier_undo


def view_before(storage: Storage, objects: ObjectStore, operation: Operation) -> View:
    """The view of an older operation, which a garbage collection may have taken.

    Raises:
        Refused: nothing-to-undo, where it has.
    """
    try:
        return read_view(objects, operation.view)
    except Corruption as error:
        if error.code == "object-missing" and is_pruned(storage):
            raise Refused(
                "nothing-to-undo",
                f"The repository as it was after {operation.command!r} was given up by tdvc gc.",
                hint="tdvc gc --keep-operations says how far back undo can go.",
            ) from error
        raise


def is_pruned(storage: Storage) -> bool:
    """Whether the views of old operations may be gone."""
    try:
        storage.size(PRUNED)
    except FileNotFoundError:
        return False
    return True


def write(writer: ObjectWriter, view: View, operation: Operation) -> ObjectId:
    """Put a view and the operation that made it into the writer; returns the operation's id."""
    writer.put(Kind.VIEW, view.encode())
    return writer.put(Kind.OPERATION, operation.encode())


def move_head(storage: Storage, before: list[ObjectId], after: ObjectId) -> None:
    """The commit point: what `after` names must be durable by now. Called with the lock held."""
    if after not in before:
        storage.create(f"heads/{after.hex()}")
    for identity in before:
        if identity != after:
            with contextlib.suppress(StorageFailure):  # it has happened: a name left over is that of an ancestor
                storage.remove(f"heads/{identity.hex()}")
