"""A small repository with a dynamic directory, and edits that bring files in and take them out."""

from __future__ import annotations

from collections.abc import Iterator

from tdvc.ops.directories import (
    create_directory,
)
from tdvc.ops.keepingup import keep_up
from tdvc.repo.repository import Repository
from tests.ops.build import box, identity, lines, stock

DOGS = "label = 'dog'"


def dogs(repository: Repository) -> Repository:
    """Main holds a (dog), b (dog and cat), c (cat), d (nothing), and Dogs follows it."""
    repository.keep_up = keep_up
    files = {
        "a": (b"a", [box("dog", number=1)]),
        "b": (b"bb", [box("dog", number=2), box("cat", number=3)]),
        "c": (b"ccc", [box("cat", number=4)]),
        "d": b"dddd",
    }
    stock(repository, "Main", files)
    create_directory(repository, "Dogs", where=DOGS, source="Main")
    return repository


def paths(repository: Repository, revision: str = "Dogs") -> str:
    return "".join(file.path for file in repository[revision])


def to_cat(path: str, number: int) -> Iterator[str]:
    return lines({"op": "update", "path": path, "instance_id": identity(number), "set": {"label": "cat"}})


def to_dog(path: str, number: int) -> Iterator[str]:
    return lines({"op": "add", "path": path, "instance": box("dog", number=number)})
