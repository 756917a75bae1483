from __future__ import annotations

from pathlib import Path

import pytest

from tdvc.ops import statcache
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage


@pytest.fixture
def repository() -> Repository:
    """In memory, with one empty directory Main."""
    made = Repository(MemoryStorage(), author="Ada")
    made.start()
    return made


@pytest.fixture
def disk_repository(tmp_path: Path) -> Repository:
    """On disk, not waiting for it."""
    return Repository.init(tmp_path / "repository", author="Ada", durable=False)


@pytest.fixture
def settled_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file counts as old enough for its look to be relied on, so that no test has to wait for the clock."""
    monkeypatch.setattr(statcache, "GRANULARITY_NS", -(10**12))
