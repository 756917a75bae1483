"""Git for training data: versions files and the labels people attach to them, apart.

    import tdvc

    repository = tdvc.init("pets")
    tdvc.add(repository, ["photos"])
    with repository.transaction("first labels") as edit:
        ...
    for file in repository["Main"]:
        print(file.path, file.instances)

Every verb of the command line is a function here, under the same name (`import_` for `import`). Names are looked up
when they are first used, so that `import tdvc` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tdvc.repo.repository import Repository

__version__ = "0.1.0"

_HOMES = {
    "Conflict": "tdvc.errors",
    "Corruption": "tdvc.errors",
    "Directory": "tdvc.repo.directory",
    "File": "tdvc.repo.directory",
    "FileState": "tdvc.repo.entry",
    "ImportOptions": "tdvc.ops.importing",
    "Instance": "tdvc.model.records",
    "NotFound": "tdvc.errors",
    "Problem": "tdvc.model.problems",
    "Refused": "tdvc.errors",
    "Repository": "tdvc.repo.repository",
    "TdvcError": "tdvc.errors",
    "Transaction": "tdvc.repo.transaction",
    "Usage": "tdvc.errors",
    "add": "tdvc.ops.add",
    "annotate": "tdvc.ops.annotate",
    "bisect": "tdvc.ops.bisect",
    "blame": "tdvc.ops.blame",
    "cat": "tdvc.ops.listing",
    "checkout": "tdvc.ops.checkout",
    "churn": "tdvc.ops.churn",
    "commit": "tdvc.ops.committing",
    "complete": "tdvc.ops.annotate",
    "copy": "tdvc.ops.transfer",
    "create_directory": "tdvc.ops.directories",
    "diff": "tdvc.ops.diffing",
    "export": "tdvc.ops.exporting",
    "folder_status": "tdvc.ops.status",
    "history": "tdvc.ops.blame",
    "import_": "tdvc.ops.importing",
    "list_directories": "tdvc.ops.directories",
    "list_formats": "tdvc.ops.formats",
    "log": "tdvc.ops.history",
    "ls": "tdvc.ops.listing",
    "make_instance": "tdvc.model.records",
    "mirror": "tdvc.ops.transfer",
    "move": "tdvc.ops.transfer",
    "operations": "tdvc.ops.undoing",
    "redo": "tdvc.ops.undoing",
    "relabel": "tdvc.ops.annotate",
    "remove": "tdvc.ops.transfer",
    "remove_directory": "tdvc.ops.directories",
    "rename_directory": "tdvc.ops.directories",
    "reset": "tdvc.ops.restoring",
    "restore": "tdvc.ops.restoring",
    "restore_operation": "tdvc.ops.undoing",
    "show": "tdvc.ops.listing",
    "snapshot": "tdvc.ops.snapshots",
    "snapshots": "tdvc.ops.snapshots",
    "status": "tdvc.ops.status",
    "switch": "tdvc.ops.directories",
    "undo": "tdvc.ops.undoing",
    "verify": "tdvc.ops.snapshots",
}

__all__ = ["__version__", "init", "open", *sorted(_HOMES)]


def init(path: str | Path = ".", *, author: str | None = None, directory: str = "Main") -> Repository:
    """Create a repository in a folder. Raises Refused (repository-exists)."""
    place, create = importlib.import_module("pathlib").Path(path), importlib.import_module("tdvc.ops.create")
    repository: Repository = create.init(place, author=author or _user(), directory=directory)
    return repository


def open(path: str | Path = ".", *, author: str | None = None) -> Repository:  # noqa: A001 (as in many libraries)
    """Open the repository in a folder or the nearest one above. Raises NoRepository."""
    place, home = importlib.import_module("pathlib").Path(path), importlib.import_module("tdvc.repo.repository")
    repository: Repository = home.Repository.open(place, author=author or _user())
    return repository


def _user() -> str:
    try:
        return str(importlib.import_module("getpass").getuser())
    except (KeyError, OSError, ImportError):
        return "unknown"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tdvc' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
