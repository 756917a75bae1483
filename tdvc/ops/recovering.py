"""Which operation to go back to where the head is lost: the newest of which all but blobs and instances is there.

Operations are found in the indexes of the packs. One that another one follows on is passed over as long as a follower
will do, so clocks that went backwards do not matter along a chain; between chains the time decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId
from tdvc.objects.packcheck import listed
from tdvc.repo.directory import read_schema
from tdvc.repo.reach import Reach
from tdvc.repo.repository import Repository
from tdvc.repo.view import Operation, read_operation, read_view


class Recovery(NamedTuple):
    """Where to go back to.

    Attributes:
        operation: its id.
        command: what it did.
        time: when.
        lost: the commands of newer operations of which something is missing.
    """

    operation: ObjectId
    command: str
    time: str
    lost: list[str]


def recovery(repository: Repository) -> Recovery | None:
    """The operation to go back to; None where no operation is whole."""
    lost: list[str] = []
    for identity, operation in _newest_first(_operations(repository)):
        if _whole(repository, operation):
            return Recovery(identity, operation.command, operation.time, lost)
        lost.append(operation.command)
    return None


def _operations(repository: Repository) -> Iterator[tuple[ObjectId, Operation]]:
    for identity in set(listed(repository.storage, Kind.OPERATION)):
        try:
            yield identity, read_operation(repository.objects, identity)
        except Corruption:
            continue


def _newest_first(found: Iterator[tuple[ObjectId, Operation]]) -> list[tuple[ObjectId, Operation]]:
    """Operations, each before the one that it follows on."""
    operations = dict(found)
    followed = {operation.parent for operation in operations.values()}
    waiting = [identity for identity in operations if identity not in followed]
    ordered: list[tuple[ObjectId, Operation]] = []
    while waiting:
        waiting.sort(key=lambda identity: (operations[identity].time, identity))
        identity = waiting.pop()
        ordered.append((identity, operations[identity]))
        parent = operations[identity].parent
        if parent is not None and parent in operations and parent in followed:
            followed.discard(parent)
            waiting.append(parent)
    return ordered


def _whole(repository: Repository, operation: Operation) -> bool:
    """Whether all that an operation shows can be read, but for blobs and instance sets."""
    try:
        view = read_view(repository.objects, operation.view)
        for kind, identities in Reach(repository.objects).of_view(view):
            for identity in identities if kind is Kind.SCHEMA else ():
                read_schema(repository.objects, identity)
    except Corruption:
        return False
    return True
