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
    "Hooks": "tdvc.ops.hooks",
    "Instance": "tdvc.model.records",
    "MergeOptions": "tdvc.ops.merging",
    "NotFound": "tdvc.errors",
    "Pin": "tdvc.ops.pins",
    "Problem": "tdvc.model.problems",
    "Refused": "tdvc.errors",
    "Repository": "tdvc.repo.repository",
    "Schema": "tdvc.model.schema",
    "TdvcError": "tdvc.errors",
    "Transaction": "tdvc.repo.transaction",
    "Usage": "tdvc.errors",
    "add": "tdvc.ops.add",
    "add_label": "tdvc.ops.schema",
    "annotate": "tdvc.ops.annotate",
    "apply": "tdvc.ops.applying",
    "apply_export": "tdvc.ops.exportapply",
    "bisect": "tdvc.ops.bisect",
    "blame": "tdvc.ops.blame",
    "cat": "tdvc.ops.listing",
    "change_type": "tdvc.ops.schemachange",
    "check_annotations": "tdvc.ops.checking",
    "check_pin": "tdvc.ops.pins",
    "check_schema": "tdvc.ops.checking",
    "checkout": "tdvc.ops.checkout",
    "cherry_pick": "tdvc.ops.picking",
    "churn": "tdvc.ops.churn",
    "collect": "tdvc.ops.collecting",
    "commit": "tdvc.ops.committing",
    "complete": "tdvc.ops.annotate",
    "config_values": "tdvc.ops.configuring",
    "conflicts": "tdvc.ops.merging",
    "copy": "tdvc.ops.transfer",
    "change_rule": "tdvc.ops.directories",
    "create_directory": "tdvc.ops.directories",
    "delete_label": "tdvc.ops.schemachange",
    "deprecate_label": "tdvc.ops.schema",
    "diff": "tdvc.ops.diffing",
    "diff_schemas": "tdvc.ops.schema",
    "drop_rule": "tdvc.ops.directories",
    "export": "tdvc.ops.exporting",
    "export_schema": "tdvc.ops.schema",
    "fix": "tdvc.ops.validating_fix",
    "folder_status": "tdvc.ops.status",
    "fsck": "tdvc.ops.fsck",
    "guides": "tdvc.ops.schema",
    "history": "tdvc.ops.blame",
    "import_": "tdvc.ops.importing",
    "import_schema": "tdvc.ops.schema",
    "leaks": "tdvc.ops.leaks",
    "list_directories": "tdvc.ops.directories",
    "list_formats": "tdvc.ops.formats",
    "load": "tdvc.loader.opening",
    "lock_schema": "tdvc.ops.schema",
    "log": "tdvc.ops.history",
    "ls": "tdvc.ops.listing",
    "make_instance": "tdvc.model.records",
    "merge": "tdvc.ops.merging",
    "merge_labels": "tdvc.ops.schemachange",
    "mirror": "tdvc.ops.transfer",
    "move": "tdvc.ops.transfer",
    "move_attribute": "tdvc.ops.schemachange",
    "open_pin": "tdvc.ops.pins",
    "operations": "tdvc.ops.undoing",
    "pin": "tdvc.ops.pins",
    "read_pin": "tdvc.ops.pins",
    "redo": "tdvc.ops.undoing",
    "relabel": "tdvc.ops.annotate",
    "remove": "tdvc.ops.transfer",
    "refresh": "tdvc.ops.following",
    "remove_directory": "tdvc.ops.directories",
    "rename_attribute": "tdvc.ops.schema",
    "rename_directory": "tdvc.ops.directories",
    "rename_label": "tdvc.ops.schema",
    "rename_option": "tdvc.ops.schema",
    "reset": "tdvc.ops.restoring",
    "resolve": "tdvc.ops.resolving",
    "restore": "tdvc.ops.restoring",
    "restore_operation": "tdvc.ops.undoing",
    "revert": "tdvc.ops.picking",
    "sample": "tdvc.ops.sampling",
    "SampleOptions": "tdvc.ops.sampling",
    "schema_log": "tdvc.ops.schemahistory",
    "schema_stats": "tdvc.ops.schemahistory",
    "set_config": "tdvc.ops.configuring",
    "set_guide": "tdvc.ops.schema",
    "show": "tdvc.ops.listing",
    "show_schema": "tdvc.ops.schema",
    "snapshot": "tdvc.ops.snapshots",
    "snapshots": "tdvc.ops.snapshots",
    "split": "tdvc.ops.splitting",
    "SplitOptions": "tdvc.ops.splitting",
    "split_label": "tdvc.ops.schemachange",
    "sql": "tdvc.ops.sql",
    "select": "tdvc.ops.select",
    "stats": "tdvc.ops.stats",
    "status": "tdvc.ops.status",
    "switch": "tdvc.ops.directories",
    "to_arrow": "tdvc.ops.sql",
    "to_duckdb": "tdvc.ops.sql",
    "to_pandas": "tdvc.ops.sql",
    "to_polars": "tdvc.ops.sql",
    "undo": "tdvc.ops.undoing",
    "use_schema": "tdvc.ops.schema",
    "validate": "tdvc.ops.validating",
    "verify": "tdvc.ops.snapshots",
}

__all__ = ["__version__", "init", "open", *sorted(_HOMES)]


def init(path: str | Path = ".", *, author: str | None = None, directory: str = "Main") -> Repository:
    """Create a repository in a folder. Raises Refused (repository-exists)."""
    place, opening = importlib.import_module("pathlib").Path(path), importlib.import_module("tdvc.ops.opening")
    repository: Repository = opening.init(place, author=author or _user(), directory=directory)
    return repository


def open(path: str | Path = ".", *, author: str | None = None) -> Repository:  # noqa: A001 (as in many libraries)
    """Open the repository in a folder or the nearest one above. Raises NoRepository."""
    place, opening = importlib.import_module("pathlib").Path(path), importlib.import_module("tdvc.ops.opening")
    repository: Repository = opening.open_repository(place, author=author or _user())
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
