"""A repository with pictures to load: boxes, a polygon, a mask, keypoints and tags."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tdvc.model import masks
from tdvc.repo.repository import Repository
from tests.ops.build import box, stock

WIDTH, HEIGHT = 12, 8


def picture(number: int) -> bytes:
    """A PNG of one colour, different for each number below 65,536."""
    content = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (number % 256, number // 256, 7)).save(content, "PNG")
    return content.getvalue()


def drawn(number: int) -> list[dict[str, Any]]:
    """Instances of a file: as many boxes as its number modulo 3, and a tag."""
    boxes = [box("dog" if at else "cat", (at, 1, at + 4, 5.5), number=10 * number + at) for at in range(number % 3)]
    return [*boxes, {"label": f"kind {number % 2}", "type": "tag", "instance_id": f"{number:031x}f"}]


def shapes() -> list[dict[str, Any]]:
    """One instance of each of some types."""
    half = masks.from_runs([0, HEIGHT * WIDTH // 2, HEIGHT * WIDTH // 2], HEIGHT, WIDTH)
    return [
        box("cat", (1, 2, 4, 6), 1),
        {"label": "dog", "type": "polygon", "geometry": [[[0, 0, 6, 0, 6, 4, 0, 4]]], "instance_id": f"{2:032x}"},
        {"label": "dog", "type": "mask", "geometry": half, "instance_id": f"{3:032x}"},
        {"label": "cat", "type": "keypoints", "geometry": [1, 2, 2, 3, 4, 1], "instance_id": f"{4:032x}"},
        box("cat", (0, 0, 2, 2), 5, score=0.5, source="model"),
        {"label": "night", "type": "tag", "instance_id": f"{6:032x}"},
    ]


@pytest.fixture
def pets(disk_repository: Repository) -> Repository:
    """`disk_repository` with 30 pictures in Main, the first with every type, snapshot v1."""
    files: dict[str, Any] = {f"part{n % 3}/{n:03}.png": (picture(n), drawn(n)) for n in range(1, 30)}
    stock(disk_repository, "Main", {"all.png": (picture(0), shapes()), **files})
    freeze(disk_repository, "v1")
    return disk_repository


def freeze(repository: Repository, name: str, directory: str = "Main") -> None:
    """Commit and take a snapshot."""
    import tdvc

    tdvc.commit(repository, name, directory=directory)
    tdvc.snapshot(repository, directory, name)


def folder(repository: Repository) -> Path:
    """Where a repository is."""
    assert repository.path is not None
    return repository.path


def damage_blob(repository: Repository, content: bytes, *, at: int = 0) -> None:
    """Flip a byte of a blob in every pack that has it; a negative place is in the head of its record."""
    for pack in (folder(repository) / ".tdvc" / "packs").iterdir():
        whole = bytearray(pack.read_bytes())
        place = whole.find(content)
        if place >= 0:
            whole[place + at] ^= 1
            pack.chmod(0o644)
            pack.write_bytes(bytes(whole))
