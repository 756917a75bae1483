"""`init` and `open`: a repository whose dynamic directories are always up to date."""

from __future__ import annotations

from pathlib import Path

from tdvc.ops.keepingup import keep_up
from tdvc.repo.repository import Repository


def init(path: Path, *, author: str, directory: str = "Main") -> Repository:
    """Create a repository in a folder, with one empty directory.

    Raises:
        Refused: repository-exists.
        Usage: bad-name.
    """
    return _kept_up(Repository.init(path, author=author, directory=directory))


def open_repository(path: Path, *, author: str, durable: bool = True, any_format: bool = False) -> Repository:
    """Open the repository in a folder or the nearest one above; see `Repository.open`."""
    return _kept_up(Repository.open(path, author=author, durable=durable, any_format=any_format))


def _kept_up(repository: Repository) -> Repository:
    repository.keep_up = keep_up
    return repository
