"""Joining small packs, so that a thousand commits do not leave a thousand places to look for an object.

Every publication leaves one pack. Packs of about one size are joined when there are many of them, the way a counter
carries: so each object is copied a few times in its life, however long that is. Nothing is taken for garbage here; what
the old packs held is in the new one before they go, and a reader that misses a pack looks again.
"""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING

from tdvc.errors import TdvcError

if TYPE_CHECKING:
    from tdvc.repo.repository import Repository

MANY_PACKS = 24
"""Of one size, these are joined."""

TIERS_BYTES = (64 << 10, 512 << 10, 4 << 20, 32 << 20)
"""Packs below the same bound and not below the one before are of one size; larger ones are left as they are."""


def tidy(repository: Repository) -> int:
    """Join small packs where there are many; returns how many were. What goes wrong here is nobody's concern."""
    with contextlib.suppress(TdvcError, OSError):
        names = _too_many(repository)
        if names:
            return _join(repository, names)
    return 0


def _too_many(repository: Repository) -> list[str]:
    """The packs of the largest size of which there are many, and all smaller ones."""
    storage = repository.storage
    packs = [f"packs/{name}" for name in storage.names("packs") if name.endswith(".pack")]
    if len(packs) < MANY_PACKS:
        return []
    sizes = {name: storage.size(name) for name in packs}
    chosen: list[str] = []
    lowest = 0
    for bound in TIERS_BYTES:
        if sum(lowest <= size < bound for size in sizes.values()) >= MANY_PACKS:
            chosen = [name for name, size in sizes.items() if size < bound]
        lowest = bound
    return chosen


def _join(repository: Repository, names: list[str]) -> int:
    sweep = import_module("tdvc.objects.sweep")  # numpy costs more than most commands take
    storage = repository.storage
    with storage.lock(0.0):
        _, joined = sweep.repack(repository.objects, storage, names, sweep.everything)
        storage.remove_all(joined)
    repository.objects.refresh()
    return len(joined)
