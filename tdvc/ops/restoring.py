"""`restore`, `reset`, `revert`, `cherry-pick`: earlier states of a directory, brought back or taken out again.

History is never rewritten. Restore makes files what they were, as staged edits. Reset also moves the directory's last
commit. Revert and cherry-pick merge the difference that one commit made, backwards or forwards, into what is there
now, and commit it. A mirrored file changes in every directory that holds it, as with any edit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tdvc.errors import NotFound
from tdvc.ids import ObjectId
from tdvc.names import printable
from tdvc.ops.select import path_filter
from tdvc.repo.directory import Directory
from tdvc.repo.entry import FileState, state_of
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.repo.view import View
from tdvc.tables.rowdiff import RowChange, diff_rows


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """What was brought back.

    Attributes:
        directory: where.
        revision: what it was brought to.
        restored: paths whose file is there again, or is what it was.
        removed: paths at which there was no file then.
        commit: the directory's last commit now, in hexadecimal, where it was moved.
        operation: None where nothing changed.
    """

    directory: str
    revision: str
    restored: list[str]
    removed: list[str]
    commit: str | None = None
    operation: ObjectId | None = None


def restore(
    repository: Repository,
    revision: str,
    paths: Sequence[str] = (),
    directory: str | None = None,
    *,
    dry_run: bool = False,
) -> RestoreResult:
    """Make files of a directory what they were in a revision, as staged edits.

    Args:
        repository: the repository.
        revision: the state to take them from.
        paths: paths, folders or globs; all files where empty.
        directory: the directory to change; the one that the revision is of where None.
        dry_run: change nothing.

    Raises:
        NotFound: unknown-revision, directory-not-found; file-not-found where a path is in neither state.
    """
    then = repository[revision]
    now = repository.directory(directory or then.name)
    changes = _changes(now, then, paths)
    if paths and not changes:
        _refuse_unknown(now, then, paths)
    with repository.transaction(f"restore {printable(revision)} -d {now.name}") as edit:
        edit.restore(now.name, changes)
        if dry_run:
            edit.discard()
        else:
            edit.publish()
    return _result(now, revision, changes, edit)


def reset(
    repository: Repository,
    revision: str | None = None,
    directory: str | None = None,
    *,
    keep: bool = False,
    dry_run: bool = False,
) -> RestoreResult:
    """Make a commit the directory's last one, and its state what is staged.

    Commits after it stay in the operations that showed them, and can be named by their ids.

    Args:
        repository: the repository.
        revision: the commit; the last one where None, which drops staged edits.
        directory: the current one where None.
        keep: leave the staged state as it is.
        dry_run: change nothing.

    Raises:
        NotFound: unknown-revision.
    """
    now = repository.directory(directory)
    named = revision or f"{now.name}@"
    then = repository[named]
    commit = then.commit or repository[f"{then.name}@"].commit
    if then.commit is None and commit is not None:
        then = repository[commit.hex()]
    if commit is None:
        raise NotFound("unknown-revision", f"{named!r} has no commit yet.", revision=named)
    with repository.transaction(f"reset {printable(named)} -d {now.name}") as edit:
        changes = {} if keep else restorable(edit.view, now.name, diff_rows(now.table, then.table))
        edit.restore(now.name, changes)
        edit.move_commit(now.name, commit)
        if dry_run:
            edit.discard()
        else:
            edit.publish()
    return _result(now, named, changes, edit, commit)


def restorable(view: View, name: str, rows: Iterable[RowChange]) -> dict[str, FileState | None]:
    """What has to become of which path of a directory, given the rows now and then.

    Of a dynamic directory only what its files are: which it holds is for its rule to say.
    """
    follows = view.directories[name].rule is not None
    return {
        key.decode(): state_of(then) if then else None
        for key, now, then in rows
        if not follows or (now is not None and then is not None and now[1] == then[1])
    }


def _changes(now: Directory, then: Directory, paths: Sequence[str]) -> dict[str, FileState | None]:
    """What has to become of which path."""
    fits = path_filter(paths)
    differing = ((key.decode(), after) for key, _, after in diff_rows(now.table, then.table))
    return {path: state_of(after) if after else None for path, after in differing if fits(path)}


def _refuse_unknown(now: Directory, then: Directory, paths: Sequence[str]) -> None:
    for path in paths:
        fits = path_filter([path])
        if not any(fits(entry.path) for state in (now, then) for entry in state.entries()):
            raise NotFound("file-not-found", f"Neither {now.title} nor {then.title} has a file {path!r}.", path=path)


def _result(
    now: Directory,
    revision: str,
    changes: dict[str, FileState | None],
    edit: Transaction,
    commit: ObjectId | None = None,
) -> RestoreResult:
    return RestoreResult(
        directory=now.name,
        revision=revision,
        restored=sorted(path for path, state in changes.items() if state is not None),
        removed=sorted(path for path, state in changes.items() if state is None),
        commit=commit.hex() if commit else None,
        operation=edit.operation,
    )
