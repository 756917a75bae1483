"""Hooks: programs of the repository's owner that run before and after something is recorded.

    .tdvc/hooks/pre-commit     post-commit
    .tdvc/hooks/pre-snapshot   post-snapshot
    .tdvc/hooks/pre-merge      post-merge

Each may be any executable file. It gets the change as JSON on standard input (`docs/hooks.md` has every field), runs in
the repository's folder, and what it prints goes to standard error. A `pre-` hook that does not end with 0 stops the
command, and everything is as it was, staged edits included; a `post-` hook comes too late to stop anything.

A hook runs before anything is published and without the lock, so however it ends, the repository is whole: it may
hang, crash, or run tdvc itself. Nothing in tdvc ever writes a hook, so none comes out of an import, a checkout or a
remote. A file that somebody else could have written is not run. A verb runs hooks only when it is handed `Hooks`: a
library that starts programs unasked would be a trap.
"""

from __future__ import annotations

import importlib
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tdvc.errors import Refused, TdvcError
from tdvc.names import printable
from tdvc.ops.diffing import Diff, DiffTotals, FileChange
from tdvc.repo.config import read_config
from tdvc.repo.directory import Directory
from tdvc.repo.repository import FOLDER, Repository

if TYPE_CHECKING:
    from tdvc.ops.hookprocess import Ended

Event = Literal["commit", "snapshot", "merge"]

HOOKS = tuple(f"{when}-{event}" for event in ("commit", "snapshot", "merge") for when in ("pre", "post"))
HOOK_VARIABLE = "TDVC_HOOK"
"""Names the hook to whatever it runs; where it is set, the command line runs no hooks: none runs within another."""

MAX_FILES = 1000
"""How many changed files a hook is told; it is told how many more there are, and the two states to compare."""

_VERSION = 1
_MAX_LINES = 200
_MAX_LINE = 500


@dataclass(frozen=True, slots=True)
class Change:
    """What is about to be recorded, or has been.

    Attributes:
        event: what it is.
        after: the state that is recorded.
        before: the state of the last commit; None for a snapshot, which changes nothing.
        message: what it is for.
        commit: the commit, once it is made; of a snapshot the one it holds.
        snapshot: the name of the snapshot.
        revision: what is merged, as it was named.
        theirs: the commit that is merged, in hexadecimal.
    """

    event: Event
    after: Directory
    before: Directory | None = None
    message: str = ""
    commit: str | None = None
    snapshot: str | None = None
    revision: str | None = None
    theirs: str | None = None


class Hooks:
    """The hooks of a repository, for the verbs that take them.

    Args:
        repository: whose they are; one that is in no folder has none.
        environment: what the programs find in theirs, beside `TDVC_HOOK` and `TDVC_DIR`.
        say: gets what they print and what is wrong with them, line by line, safe to print.
    """

    def __init__(self, repository: Repository, *, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
        self._repository = repository
        self._environment = environment
        self._say = say

    def before(self, change: Change) -> None:
        """Run the `pre-` hook of an event. Raises Refused (hook-refused)."""
        name = f"pre-{change.event}"
        problem = self._run(name, change)
        if problem:
            raise Refused(
                "hook-refused",
                f"The hook {name} {problem}; there was no {change.event}, and what is staged is as it was.",
                hint="--no-verify goes ahead without validation and pre- hooks.",
                hook=name,
            )

    def after(self, change: Change) -> None:
        """Run the `post-` hook of an event; where it fails that is said and nothing else."""
        name = f"post-{change.event}"
        problem = self._run(name, change)
        if problem:
            self._say(f"warning: the hook {name} {problem}; the {change.event} stands.")

    def _run(self, name: str, change: Change) -> str | None:
        """Run a hook; returns what went wrong, as the end of a sentence, None where there is nothing of the kind."""
        root = self._repository.path
        program = self._program(name)
        if root is None or program is None:
            return None
        folder = root.absolute()
        environment = {**self._environment, HOOK_VARIABLE: name, "TDVC_DIR": str(folder)}
        try:
            timeout = read_config(self._repository.storage).hooks.timeout
            content = json.dumps(self._told(name, change), sort_keys=True).encode()
            process = importlib.import_module("tdvc.ops.hookprocess")  # only where there is a hook
            ended: Ended = process.run(program, content, folder=folder, environment=environment, timeout=timeout)
        except OSError as error:
            return f"can't be started ({error.strerror})"
        except TdvcError as error:
            return f"can't be run ({error.message.rstrip('.')})"
        self._pass_on(name, ended)
        if ended.code is None:
            return f"took longer than {timeout:g} s and was stopped (hooks.timeout)"
        if ended.code < 0:
            return f"was ended by signal {-ended.code}"
        return f"ended with exit code {ended.code}" if ended.code else None

    def _program(self, name: str) -> Path | None:
        """The file to run; None where there is none, or one that is not run, which is said."""
        if self._repository.path is None:
            return None
        folder = self._repository.path / FOLDER / "hooks"
        if not os.path.lexists(folder / name):
            return None
        problem = _folder_problem(folder) or _hook_problem(folder, name)
        if problem:
            self._say(f"warning: the hook {name} is not run: {problem}.")
            return None
        return folder.absolute() / name

    def _pass_on(self, name: str, ended: Ended) -> None:
        lines = ended.output.decode(errors="backslashreplace").splitlines()
        for line in lines[:_MAX_LINES]:
            self._say(f"{name}: {printable(line[:_MAX_LINE])}{'…' if len(line) > _MAX_LINE else ''}")
        if ended.cut or len(lines) > _MAX_LINES:
            self._say(f"{name}: … and more, which is left out")

    def _told(self, name: str, change: Change) -> dict[str, Any]:
        """What a hook gets on standard input."""
        totals, files = _files(change)
        return {
            "author": self._repository.author,
            "after": {"commit": change.commit, **_state(change.after)},
            "before": None if change.before is None else {"commit": _commit(change.before), **_state(change.before)},
            "counts": change.after.counts._asdict(),
            "directory": change.after.name,
            "event": name,
            "files": files,
            "files_left_out": totals.pop("files") - len(files),
            "message": change.message,
            "repository": str(self._repository.path and self._repository.path.absolute()),
            "revision": change.revision,
            "snapshot": change.snapshot,
            "theirs": change.theirs,
            "totals": totals,
            "version": _VERSION,
        }


def _folder_problem(folder: Path) -> str | None:
    """Why nothing in the folder of hooks is run."""
    if os.name != "posix":
        return "hooks run on POSIX systems alone"
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        return f"{FOLDER}/hooks is not a folder of its own"
    return _ownership_problem(status, f"{FOLDER}/hooks")


def _hook_problem(folder: Path, name: str) -> str | None:
    """Why a file is not run as a hook."""
    try:
        place = (folder / name).resolve(strict=True)
        status = place.lstat()
    except (OSError, RuntimeError):  # a loop of links is either, by the version of Python
        return "it is a symbolic link that leads nowhere"
    if place.parent != folder.resolve():
        return f"it is a symbolic link out of {FOLDER}/hooks"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if not os.access(place, os.X_OK):
        return f"it is not executable (chmod +x {FOLDER}/hooks/{name})"
    return _ownership_problem(status, "it")


def _ownership_problem(status: os.stat_result, what: str) -> str | None:
    """Why a file or folder may be somebody else's work; root may write everything anyway."""
    if status.st_uid not in (0, os.geteuid()):
        return f"{what} belongs to somebody else"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{what} is writable by others (chmod go-w)"
    return None


def _state(state: Directory) -> dict[str, str]:
    return {"root": state.root.hex(), "schema": state.schema_id.hex()}


def _commit(state: Directory) -> str | None:
    return None if state.commit is None else state.commit.hex()


def _files(change: Change) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """How much differs by files, `files` among it, and the first files that do."""
    totals, count, listed = DiffTotals(), 0, []
    for one in () if change.before is None else Diff(change.before, change.after).files():
        totals.count(one)
        totals.annotated_files += one.other_instances
        count += 1
        if count <= MAX_FILES:
            listed.append(_file(one))
    return {**asdict(totals), "files": count}, listed


def _file(change: FileChange) -> dict[str, Any]:
    return {
        "annotated": change.other_instances,
        "before_path": change.before_path,
        "kind": change.kind,
        "path": change.path,
        "replaced": change.replaced,
    }
