"""`init`: a new repository."""

from __future__ import annotations

from pathlib import Path

from tdvc.repo.repository import Repository


def init(path: Path, *, author: str, directory: str = "Main") -> Repository:
    """Create a repository in a folder, with one empty directory.

    Raises:
        Refused: repository-exists.
        Usage: bad-name.
    """
    return Repository.init(path, author=author, directory=directory)
