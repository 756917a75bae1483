"""What the tests of merging do to the two sides."""

from __future__ import annotations

from typing import Any

from tdvc.ids import Kind
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.merging import MergeResult, merge
from tdvc.ops.restoring import reset
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tests.ops.build import box, identity, lines

DOG, CAT = box("dog", number=1), box("cat", (20, 20, 30, 30), number=2)


def update(repository: Repository, directory: str, path: str, number: int, **fields: Any) -> None:
    edit = {"op": "update", "path": path, "instance_id": identity(number), "set": fields}
    annotate(repository, lines(edit), directory)


def drop(repository: Repository, directory: str, path: str, number: int) -> None:
    annotate(repository, lines({"op": "remove", "path": path, "instance_id": identity(number)}), directory)


def insert(repository: Repository, directory: str, path: str, instance: dict[str, Any]) -> None:
    annotate(repository, lines({"op": "add", "path": path, "instance": instance}), directory)


def replace_bytes(repository: Repository, directory: str, path: str, content: bytes) -> None:
    with repository.transaction("replace") as edit:
        state = repository.directory(directory).entry(path).state
        edit.set_state(state._replace(blob=edit.writer.put(Kind.BLOB, content), size_bytes=len(content)))


def set_properties(repository: Repository, directory: str, path: str, properties: bytes) -> None:
    with repository.transaction("properties") as edit:
        edit.set_state(repository.directory(directory).entry(path).state._replace(properties=properties))


def committed(repository: Repository, *directories: str) -> None:
    for name in directories:
        commit(repository, "work", name)


def asked(result: Any) -> list[str]:
    return [found.address.replace("0" * 31, "") for found in result.conflicts]


def assert_mirrors_agree(repository: Repository) -> None:
    """In all directories, rows of one file are equal but for the path."""
    states: dict[bytes, FileState] = {}
    for name in repository:
        for entry in repository[name].entries():
            assert states.setdefault(entry.state.file_id, entry.state) == entry.state


def fork(repository: Repository, work: Any) -> str:
    """Do something in Main, commit it, and go back: the commit's id is a branch."""
    work()
    made = commit(repository, "on the branch", "Main").commit
    reset(repository, "Main~1", "Main")
    return made


def both(repository: Repository, ours: Any, theirs: Any) -> MergeResult:
    branch = fork(repository, theirs)
    ours()
    committed(repository, "Main")
    return merge(repository, branch, "Main")


def set_fields(path: str, instance_id: str, **fields: Any) -> dict[str, Any]:
    return {"op": "update", "path": path, "instance_id": instance_id, "set": fields}
