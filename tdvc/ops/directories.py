"""Directories: list, create, remove, rename, switch."""

from __future__ import annotations

from dataclasses import dataclass

from tdvc.ids import ObjectId
from tdvc.repo.repository import Repository
from tdvc.repo.view import View


@dataclass(frozen=True, slots=True)
class DirectoryInfo:
    """A directory at a glance.

    Attributes:
        name: its name.
        current: whether commands use it when none is named.
        files: how many it holds, staged edits included.
        size_bytes: their bytes.
        instances: their instances.
        complete: how many of the files are declared complete.
        commit: its last commit in hexadecimal, None before the first.
        staged: whether the staged state differs from the last commit.
    """

    name: str
    current: bool
    files: int
    size_bytes: int
    instances: int
    complete: int
    commit: str | None
    staged: bool


def list_directories(repository: Repository) -> list[DirectoryInfo]:
    """Every directory, ordered by name."""
    view = repository.view
    return [describe(repository, view, name) for name in sorted(view.directories)]


def describe(repository: Repository, view: View, name: str) -> DirectoryInfo:
    """One directory at a glance."""
    state = repository.directory(name)
    counts = state.counts
    commit = view.directories[name].commit
    staged = state.commit is None and (commit is not None or counts.files > 0)
    return DirectoryInfo(
        name=name,
        current=name == view.current,
        files=counts.files,
        size_bytes=counts.bytes,
        instances=counts.instances,
        complete=counts.complete,
        commit=commit.hex() if commit else None,
        staged=staged,
    )


def create_directory(repository: Repository, name: str) -> ObjectId | None:
    """Create an empty directory.

    Raises:
        Usage: bad-name.
        Refused: directory-exists, snapshot-exists.
    """
    with repository.transaction(f"directory create {name}") as edit:
        edit.create_directory(name)
    return edit.operation


def remove_directory(repository: Repository, name: str, *, dry_run: bool = False) -> DirectoryInfo:
    """Remove a directory; files that others hold stay there, snapshots stay, and `undo` brings it back.

    Raises:
        NotFound: directory-not-found.
        Refused: last-directory.
    """
    repository.directory(name)
    gone = describe(repository, repository.view, name)
    edit = repository.transaction(f"directory remove {name}")
    edit.remove_directory(name)
    if not dry_run:
        with edit:
            pass
    return gone


def rename_directory(repository: Repository, old: str, new: str) -> ObjectId | None:
    """Give a directory another name; its commits keep the name they were made under.

    Raises:
        NotFound: directory-not-found.
        Usage, Refused: as `create_directory`.
    """
    with repository.transaction(f"directory rename {old} {new}") as edit:
        edit.rename_directory(old, new)
    return edit.operation


def switch(repository: Repository, name: str) -> ObjectId | None:
    """Make a directory the one that commands use when none is named. Raises NotFound."""
    repository.directory(name)
    with repository.transaction(f"switch {name}") as edit:
        edit.switch(name)
    return edit.operation
