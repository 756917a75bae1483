"""Whether a dynamic directory is up to date, which is asked far more often than it is not.

This is what a repository calls before it shows one (`Repository.keep_up`); what finds the files anew is loaded when it
is needed.
"""

from __future__ import annotations

import importlib

from tdvc.errors import Corruption, NotFound, StorageFailure, TdvcError
from tdvc.repo.repository import Repository
from tdvc.repo.rule import Rule, is_current, read_rule
from tdvc.repo.view import DirectoryRef


def keep_up(repository: Repository, name: str) -> DirectoryRef | None:
    """Bring a dynamic directory up to date where it is not; nobody is waited for.

    Returns:
        What it holds; None where it was up to date.

    Raises:
        NotFound: the directory it follows, or a name in its query, is gone.
        StorageFailure: nothing can be written.
        Corruption: its rule is missing or damaged.
    """
    try:
        rule = rule_of(repository, name)
        others_of(repository, rule)
        if is_current(repository.objects, repository.view, rule):
            return None
        found: DirectoryRef = importlib.import_module("tdvc.ops.following").look(repository, name)
        return found
    except Corruption as error:
        hint = f"tdvc directory rule {name} --drop leaves it as it last was."
        raise _behind(Corruption, error, name, hint) from error
    except StorageFailure as error:
        hint = f"Its last commit can be read without: {name}@"
        raise _behind(StorageFailure, error, name, hint) from error
    except NotFound as error:
        hint = f"tdvc directory rule {name} shows and changes what it follows."
        raise _behind(NotFound, error, name, hint) from error


def _behind(kind: type[TdvcError], error: TdvcError, name: str, hint: str) -> TdvcError:
    message = f"{name} can't be brought up to date with what it follows: {error.message}"
    return kind(error.code, message, hint=hint, **{**error.fields, "directory": name})


def rule_of(repository: Repository, name: str) -> Rule:
    """What a directory follows.

    Raises:
        NotFound: directory-not-found, rule-not-found.
    """
    ref = repository.view.directories.get(name)
    if ref is None:
        raise NotFound("directory-not-found", f"There is no directory named {name!r}.", name=name)
    if ref.rule is None:
        raise NotFound("rule-not-found", f"{name} follows no rule.", hint="tdvc directory create --help", name=name)
    return read_rule(repository.objects, ref.rule)


def others_of(repository: Repository, rule: Rule) -> None:
    """Bring what a rule depends on up to date, where that is dynamic itself."""
    for name in (rule.source, *(rule.seen.others if rule.seen else ())):
        ref = repository.view.directories.get(name)
        if ref is not None and ref.rule is not None:
            repository.directory(name)
