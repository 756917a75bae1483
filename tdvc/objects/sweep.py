"""Sweeping: what is needed is packed together, the rest goes to the trash.

The store knows nothing of commits: what is needed is passed in. The order of steps is the argument for safety: needed
objects are written into new packs and made durable first, then the old packs are moved to `trash/`, where readers
still find them, and only a later sweep removes them from there. A pack in which an object does not match its id is
left alone; so is one that came after the sweep began, for whoever wrote it may not have named it yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.objects.idset import IdSet
from tdvc.objects.pack import ENTRY_FIELDS, Location, PackReader, PackWriter
from tdvc.objects.store import TRASH, ObjectStore, new_stamp
from tdvc.storage.base import Storage

SMALL_PACK_BYTES = 32 << 20
"""Packs below this are worth joining."""

WORTH_REWRITING = 0.2
"""The share of a pack that must be unneeded for it to be written anew."""

ENTRY = np.dtype(ENTRY_FIELDS)

Wanted = Iterable[Sequence[bytes]]
"""Ids in the order in which they are read together, in batches."""


@dataclass(slots=True)
class SweepPlan:
    """What a sweep would do.

    Attributes:
        rewritten: packs whose needed objects are written anew, and which then go to the trash.
        kept: packs that stay.
        singles: files of their own, under `blobs/`, that nobody needs.
        unreadable: packs that stay because they are damaged.
        emptied: files that leave the trash for good.
        live_objects: how many objects are needed, of the rewritten packs.
        dead_objects: how many are not needed any more, single files included.
        dead_bytes: how much room those take.
        trash_bytes: how much leaves the trash.
    """

    rewritten: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    singles: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)
    live_objects: int = 0
    dead_objects: int = 0
    dead_bytes: int = 0
    trash_bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.rewritten or self.singles or self.emptied)


def entries_of(pack: PackReader) -> NDArray[Any]:
    """Every entry of a pack, ordered by id."""
    return np.frombuffer(pack.entry_bytes(), ENTRY)


def plan_sweep(storage: Storage, live: IdSet, *, written_before: str, trashed_before: str) -> SweepPlan:
    """Look at every pack and single file.

    Args:
        storage: the place of the store.
        live: the ids that are needed.
        written_before: packs whose stamp is not below this stay as they are.
        trashed_before: what went to the trash before this stamp leaves it, as far as nobody needs it.
    """
    plan = SweepPlan()
    small: list[tuple[str, int]] = []
    for name in pack_names(storage):
        if stamp_of(name) >= written_before:
            plan.kept.append(name)
            continue
        try:
            entries = entries_of(PackReader(storage, name))
        except FileNotFoundError:  # joined with others meanwhile
            continue
        except Corruption:
            plan.unreadable.append(name)
            continue
        size_bytes = size_of(storage, name)
        needed = live.contains(entries["id"])
        dead_bytes = int(entries["stored"][~needed].sum())
        total_bytes = max(int(entries["stored"].sum()), 1)
        if needed.all() and size_bytes < SMALL_PACK_BYTES:
            small.append((name, len(entries)))
        elif dead_bytes >= total_bytes * WORTH_REWRITING or size_bytes < SMALL_PACK_BYTES:
            plan.rewritten.append(name)
            plan.live_objects += int(needed.sum())
            plan.dead_objects += int((~needed).sum())
            plan.dead_bytes += dead_bytes
        else:
            plan.kept.append(name)
    if len(small) + len(plan.rewritten) > 1:
        plan.rewritten += [name for name, _ in small]
        plan.live_objects += sum(count for _, count in small)
    else:
        plan.kept += [name for name, _ in small]
    _plan_singles(storage, live, plan)
    _plan_trash(storage, plan, trashed_before)
    return plan


def _plan_singles(storage: Storage, live: IdSet, plan: SweepPlan) -> None:
    whole = single_names(storage)
    identities = np.array([bytes.fromhex(name.rpartition("/")[2]) for name in whole], "S32")
    for name, needed in zip(whole, live.contains(identities), strict=True):
        if not needed:
            plan.singles.append(name)
            plan.dead_objects += 1
            plan.dead_bytes += size_of(storage, name)


def single_names(storage: Storage) -> list[str]:
    """Every blob that is a file of its own."""
    names = [f"blobs/{first:02x}/{name}" for first in range(256) for name in storage.names(f"blobs/{first:02x}")]
    return [name for name in names if _SINGLE(name)]


_SINGLE = re.compile("blobs/([0-9a-f]{2})/\\1[0-9a-f]{62}").fullmatch


def _plan_trash(storage: Storage, plan: SweepPlan, trashed_before: str) -> None:
    for name in storage.names(TRASH):
        if name[:16] < trashed_before:
            plan.emptied.append(f"{TRASH}/{name}")
            plan.trash_bytes += size_of(storage, f"{TRASH}/{name}")


def size_of(storage: Storage, name: str) -> int:
    """The length of a file; 0 where another process has just taken it away."""
    try:
        return storage.size(name)
    except FileNotFoundError:
        return 0


def pack_names(storage: Storage) -> list[str]:
    """All packs, oldest first."""
    return [f"packs/{name}" for name in storage.names("packs") if name.endswith(".pack")]


def stamp_of(pack: str) -> str:
    """When a pack was written: 16 hexadecimal digits that sort by time."""
    return pack.rpartition("/")[2][:16]


def repack(
    store: ObjectStore,
    storage: Storage,
    packs: Sequence[str],
    live: Callable[[NDArray[Any]], NDArray[np.bool_]],
    order: Wanted = (),
) -> tuple[list[str], list[str]]:
    """Write what is needed of some packs into new ones.

    Args:
        store: for checking what is copied.
        storage: the place of the store.
        packs: the packs to read from.
        live: which of the given ids are needed.
        order: ids that are to lie next to each other; what it does not name follows as it lay.

    Returns:
        The new packs, durable and visible, and those of `packs` that can go now: all but the damaged ones.
    """
    tables = []
    readable = []
    for number, name in enumerate(packs):
        try:
            entries = entries_of(PackReader(storage, name))
        except (Corruption, FileNotFoundError):
            continue
        readable.append(name)
        tables.append((np.full(len(entries), number, np.int64), entries))
    if not tables:
        return [], []
    numbers = np.concatenate([number for number, _ in tables])
    entries = np.concatenate([table for _, table in tables])
    wanted = live(entries["id"])
    numbers, entries = numbers[wanted], entries[wanted]
    by_id = np.argsort(entries["id"], kind="stable")
    numbers, entries = numbers[by_id], entries[by_id]
    copier = _Copier(store, storage, packs, numbers, entries)
    try:
        for batch in order:
            copier.copy(_places(entries["id"], batch))
        copier.copy(np.lexsort((entries["offset"], numbers)))
        written = copier.publish()
    except BaseException:
        copier.discard()
        raise
    return written, [name for name in readable if name not in copier.damaged]


def everything(identities: NDArray[Any]) -> NDArray[np.bool_]:
    """For `repack`: all objects are needed."""
    return np.ones(len(identities), bool)


def _places(ordered: NDArray[Any], batch: Sequence[bytes]) -> NDArray[np.int64]:
    """Where ids stand among ordered ones; those that are not there are left out."""
    wanted = np.frombuffer(b"".join(batch), "S32")
    places = np.searchsorted(ordered, wanted)
    inside = places < len(ordered)
    places, wanted = places[inside], wanted[inside]
    found: NDArray[np.int64] = places[ordered[places] == wanted]
    return found


class _Copier:
    """Copies objects, each once and only as it should be, into new packs."""

    def __init__(
        self, store: ObjectStore, storage: Storage, packs: Sequence[str], numbers: NDArray[Any], entries: NDArray[Any]
    ) -> None:
        self.damaged: set[str] = set()
        self._store = store
        self._storage = storage
        self._packs = packs
        self._numbers = numbers
        self._entries = entries
        self._done = np.zeros(len(entries), bool)
        self._writer: PackWriter | None = None
        self._sealed: list[PackWriter] = []

    def copy(self, places: Iterable[Any]) -> None:
        """Copy the entries at some places, in this order."""
        for place in places:
            if not self._done[place]:
                self._copy(int(place))

    def _copy(self, place: int) -> None:
        row = self._entries[place]
        kind, identity = Kind(int(row["kind"])), ObjectId(bytes(row["id"]).ljust(32, b"\0"))
        name = self._packs[self._numbers[place]]
        location = Location(name, int(row["offset"]), int(row["stored"]), int(row["size"]), int(row["codec"]))
        stored = self._store.stored_bytes(location)
        content = self._store.decoded(location, stored)
        if content is None or object_id(kind, content) != identity:
            self.damaged.add(name)
            return
        self._mark(place, kind)
        if self._writer is None:
            self._writer = PackWriter(self._storage)
        self._writer.add(kind, identity, stored, location.codec, location.size_bytes)
        if self._writer.full:
            self._seal()

    def _mark(self, place: int, kind: Kind) -> None:
        """An object was copied: its other copies, which stand next to it, are not needed."""
        identity = self._entries["id"][place]
        for step in (-1, 1):
            at = place
            while 0 <= at < len(self._entries) and self._entries["id"][at] == identity:
                if self._entries["kind"][at] == kind:
                    self._done[at] = True
                at += step

    def _seal(self) -> None:
        if self._writer is not None:
            self._writer.seal()
            self._sealed.append(self._writer)
            self._writer = None

    def publish(self) -> list[str]:
        self._seal()
        return [writer.publish(new_stamp()) for writer in self._sealed]

    def discard(self) -> None:
        """Leave nothing behind of what is not published."""
        for writer in [*self._sealed, *([self._writer] if self._writer else [])]:
            writer.discard()


def holds_any(storage: Storage, name: str, wanted: IdSet, but: IdSet) -> bool:
    """Whether a pack or single file, maybe in the trash, holds something that is wanted and not among `but`."""
    if name.endswith(".pack"):
        try:
            identities = entries_of(PackReader(storage, name))["id"]
        except (Corruption, FileNotFoundError):
            return False
    else:
        identities = np.array([bytes.fromhex(name.replace("-", "/").rpartition("/")[2])], "S32")
    return bool((wanted.contains(identities) & ~but.contains(identities)).any())


def to_trash(storage: Storage, names: Iterable[str], stamp: str) -> None:
    """Take files out of the store; readers still find them in the trash."""
    storage.move_all((name, f"{TRASH}/{stamp}-{name.replace('/', '-')}") for name in names)


def out_of_trash(storage: Storage) -> list[str]:
    """Put everything in the trash back where it was; returns the names."""
    moves = [(f"{TRASH}/{name}", _former_name(name)) for name in storage.names(TRASH)]
    storage.move_all(moves)
    return [name for _, name in moves]


def _former_name(trashed: str) -> str:
    folder, _, name = trashed[17:].partition("-")
    return f"packs/{name}" if folder == "packs" else "blobs/" + name.replace("-", "/", 1)


def rescue(store: ObjectStore, storage: Storage, live: IdSet) -> list[str]:
    """Bring back what is needed and is in the trash only; returns the names of the files that have it now."""
    trashed = [f"{TRASH}/{name}" for name in storage.names(TRASH)]
    packs = [name for name in trashed if name.endswith(".pack")]
    if not trashed:
        return []
    present = IdSet()
    for name in pack_names(storage):
        try:
            present.add_all(entries_of(PackReader(storage, name))["id"])
        except (Corruption, FileNotFoundError):
            continue
    written, _ = repack(store, storage, packs, lambda ids: live.contains(ids) & ~present.contains(ids))
    singles = [name for name in trashed if not name.endswith(".pack")]
    identities = np.array([bytes.fromhex(name.rpartition("-")[2]) for name in singles], "S32")
    moves = [
        (name, _former_name(name.removeprefix(f"{TRASH}/")))
        for name, needed in zip(singles, live.contains(identities), strict=True)
        if needed and store.single_file(ObjectId(bytes.fromhex(name.rpartition("-")[2]))) is None
    ]
    storage.move_all(moves)
    return written + [name for _, name in moves]
