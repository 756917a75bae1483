"""Directories: list, create, remove, rename, switch; and what dynamic ones follow."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tdvc.errors import Corruption, NotFound, Refused, StorageFailure, Usage
from tdvc.ids import ObjectId
from tdvc.ops.keepingup import rule_of
from tdvc.repo.repository import Repository
from tdvc.repo.rule import Rule, readable_rule
from tdvc.repo.view import View

if TYPE_CHECKING:
    from tdvc.ops.following import RefreshResult


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
        rule: what a dynamic directory follows, as options of `directory create`; empty for an ordinary one.
        problem: why it could not be brought up to date; empty where it is.
    """

    name: str
    current: bool
    files: int
    size_bytes: int
    instances: int
    complete: int
    commit: str | None
    staged: bool
    rule: str = ""
    problem: str = ""


def list_directories(repository: Repository) -> list[DirectoryInfo]:
    """Every directory, ordered by name."""
    view = repository.view
    return [describe(repository, view, name) for name in sorted(view.directories)]


def describe(repository: Repository, view: View, name: str) -> DirectoryInfo:
    """One directory at a glance."""
    problem = ""
    try:
        state = repository.directory(name)
    except (NotFound, Refused, Usage, StorageFailure, Corruption) as error:  # one bad rule blocks nothing else
        state, problem = repository.as_it_was(name), error.message
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
        rule=_rule_text(repository, view.directories[name].rule),
        problem=problem,
    )


def _rule_text(repository: Repository, identity: ObjectId | None) -> str:
    if identity is None:
        return ""
    rule = readable_rule(repository.objects, identity)
    return "a rule that can't be read" if rule is None else rule.text


def create_directory(
    repository: Repository,
    name: str,
    *,
    where: str | None = None,
    source: str | None = None,
    order: str = "",
    limit: int | None = None,
) -> ObjectId | None:
    """Create an empty directory, or with `where` one that holds what a query means, now and later.

    Args:
        repository: the repository.
        name: of the directory.
        where: the query (`docs/query.md`); files that come to fit it come in, others leave.
        source: the directory whose files are asked; the current one for None.
        order: by what files are ranked for `limit`, such as `captured_at desc`; by path where it is empty.
        limit: how many of the first ones are taken; all for None.

    Raises:
        Usage: bad-name, bad-query, bad-usage.
        NotFound: directory-not-found.
        Refused: directory-exists, snapshot-exists.
    """
    if where is None:
        if source is not None or order or limit is not None:
            raise Usage("bad-usage", "Where files come from, their order and a limit make sense with a query only.")
        with repository.transaction(f"directory create {name}") as edit:
            edit.create_directory(name)
        return edit.operation
    following = importlib.import_module("tdvc.ops.following")  # numpy, which other directories do without
    rule = following.checked_rule(repository.directory(source).name, where, order, limit)
    with repository.transaction(f"directory create {name} {rule.text}") as edit:
        edit.create_directory(name)
        following.follow(repository, edit, name, rule)
    return edit.operation


def drop_rule(repository: Repository, name: str) -> ObjectId | None:
    """Make an ordinary directory of a dynamic one; it keeps what it holds.

    Raises:
        NotFound: directory-not-found, rule-not-found.
    """
    with repository.transaction(f"directory rule {name} --drop") as edit:
        ref = edit.view.directories.get(name)
        if ref is None or ref.rule is None:
            rule_of(repository, name)  # raises what is wrong with it
        edit.set_rule(name, None)
    return edit.operation


def change_rule(
    repository: Repository,
    name: str,
    *,
    where: str | None = None,
    source: str | None = None,
    order: str | None = None,
    limit: int | None = None,
) -> RefreshResult:
    """Give a dynamic directory another rule; what is None stays as it was. An empty order and a limit of 0 end one.

    Raises:
        Usage: bad-query, bad-usage.
        NotFound: directory-not-found, rule-not-found.
        Refused: rule-circular.
    """
    following = importlib.import_module("tdvc.ops.following")

    def changed(rule: Rule) -> Rule:
        other: Rule = following.checked_rule(
            repository.directory(source).name if source is not None else rule.source,
            rule.where if where is None else where,
            rule.order if order is None else order,
            rule.limit if limit is None else limit or None,
        )
        return other

    result: RefreshResult = following.follow_other(repository, name, changed)
    return result


def remove_directory(repository: Repository, name: str, *, dry_run: bool = False) -> DirectoryInfo:
    """Remove a directory; files that others hold stay there, snapshots stay, and `undo` brings it back.

    Raises:
        NotFound: directory-not-found.
        Refused: last-directory; directory-follows, where the rule of another one asks about it.
    """
    if name not in repository:
        repository.directory(name)  # raises that there is none
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
        Usage, Refused: as `create_directory`; directory-follows, where the query of another one speaks of it.
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
