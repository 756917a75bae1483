"""Fixtures that every part of the tests shares: repositories in memory and on disk, and folders of small pictures."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.crash import counters

PictureFolder = Callable[..., Path]


def pytest_configure() -> None:
    """Crashes, kills and faults are counted, in whatever process they are met."""
    counters.begin()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many there were."""
    for what, number in counters.totals().items():
        terminalreporter.write_line(f"{what}: {number:,}")
    counters.end()


@pytest.fixture
def repository() -> Repository:
    """A new repository in memory, by Ada, with the empty directory Main."""
    made = Repository(MemoryStorage(), author="Ada")
    made.start()
    return made


@pytest.fixture
def disk_repository(tmp_path: Path) -> Repository:
    """A new repository in a folder, which does not wait for the disk."""
    return Repository.init(tmp_path / "repository", author="Ada", durable=False)


@pytest.fixture
def picture_folder(tmp_path: Path) -> PictureFolder:
    """Makes folders of small, real, different JPEGs: `picture_folder("photos", 3)` or with a list of names."""

    def make(name: str = "photos", names: int | list[str] = 3) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        listed = [f"{number:03}.jpg" for number in range(names)] if isinstance(names, int) else names
        for path in listed:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            draw_picture(place, seed=path)
        return folder

    return make


def draw_picture(place: Path, *, seed: str, size: tuple[int, int] = (32, 24)) -> None:
    """Write a JPEG whose pixels depend on `seed` alone."""
    row = seed.encode()
    pixels = bytes((row[i % len(row)] * (i % 7 + 1) + i) % 256 for i in range(size[0] * size[1] * 3))
    Image.frombytes("RGB", size, pixels).save(place, "JPEG", quality=90)


def files_below(folder: Path) -> dict[str, bytes]:
    """Every regular file below a folder and its bytes, by relative path."""
    return {
        os.path.relpath(os.path.join(place, name), folder): Path(place, name).read_bytes()
        for place, _, names in os.walk(folder)
        for name in names
    }
