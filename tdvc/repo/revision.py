"""Which state of which directory a text means.

    Dogs                  the staged state of the directory Dogs
    Dogs@                 its last commit
    Dogs~2                two commits before its last
    Dogs@{2026-11-01}     its last commit at or before that moment (a date means its end, UTC)
    v1                    a snapshot
    3f2a9c1               a commit, by at least 7 digits of its id

`REV:PATH` and `REV:GLOB` name files in it: names never hold a colon, so the first one outside of `@{}` separates.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from tdvc.errors import NotFound, Usage
from tdvc.ids import Kind, ObjectId
from tdvc.objects.store import ObjectStore
from tdvc.repo.commit import Commit, first_parents, read_commit, read_snapshot
from tdvc.repo.directory import Directory
from tdvc.repo.view import View

_ANCESTOR = re.compile(r"^(?P<name>[^~@{}]+)@?~(?P<steps>\d{0,9})$")
_AT_TIME = re.compile(r"^(?P<name>[^~@{}]+)@\{(?P<time>[^{}]+)\}$")
_PREFIX = re.compile(r"^[0-9a-f]{7,64}$")


class Selector(NamedTuple):
    """A revision and what is wanted of it; an empty pattern means all."""

    revision: str
    pattern: str


def parse_selector(text: str) -> Selector:
    """Split `REV[:PATH-or-glob]`."""
    time_ends = text.find("}") if "@{" in text.partition(":")[0] else -1
    before, _, pattern = text[time_ends + 1 :].partition(":")
    return Selector(text[: time_ends + 1] + before, pattern)


def resolve(objects: ObjectStore, view: View, text: str) -> Directory:
    """The state that `text` means.

    Raises:
        NotFound: unknown-revision.
        Usage: ambiguous-revision.
    """
    if text in view.directories:
        ref = view.directories[text]
        commit = read_commit(objects, ref.commit) if ref.commit else None
        clean = commit is not None and commit.root == ref.root
        schema_id = view.schema_of(text)
        return Directory(
            objects, name=text, root=ref.root, schema_id=schema_id, title=text, commit=ref.commit if clean else None
        )
    if text in view.snapshots:
        identity = read_snapshot(objects, view.snapshots[text]).commit
    else:
        identity = _commit_id(objects, view, text)
    return at_commit(objects, identity, text)


def at_commit(objects: ObjectStore, identity: ObjectId, title: str = "") -> Directory:
    """The state that a commit holds."""
    commit = read_commit(objects, identity)
    return Directory(
        objects,
        name=commit.directory,
        root=commit.root,
        schema_id=commit.schema,
        title=title or identity.hex()[:12],
        commit=identity,
    )


def _commit_id(objects: ObjectStore, view: View, text: str) -> ObjectId:
    if text.endswith("@") and text[:-1] in view.directories:
        return _last_commit(view, text[:-1])
    if found := _ANCESTOR.match(text):
        return _ancestor(objects, view, found["name"], int(found["steps"] or 1))
    if found := _AT_TIME.match(text):
        return _at_time(objects, view, found["name"], found["time"])
    if _PREFIX.match(text):
        return _by_prefix(objects, text)
    raise _unknown(view, text)


def _last_commit(view: View, name: str) -> ObjectId:
    if name not in view.directories:
        raise _unknown(view, name)
    commit = view.directories[name].commit
    if commit is None:
        raise NotFound(
            "unknown-revision",
            f"The directory {name!r} has no commit yet.",
            hint=f"tdvc commit -d {name} -m MESSAGE",
            revision=name,
        )
    return commit


def _ancestor(objects: ObjectStore, view: View, name: str, steps: int) -> ObjectId:
    chain = first_parents(objects, _last_commit(view, name))
    for step, (identity, _) in enumerate(chain):
        if step == steps:
            return identity
    raise NotFound("unknown-revision", f"{name} has no {steps} commits before its last.", revision=f"{name}~{steps}")


def _at_time(objects: ObjectStore, view: View, name: str, text: str) -> ObjectId:
    moment = parse_moment(text)
    for identity, commit in first_parents(objects, _last_commit(view, name)):
        if moment_of(commit) <= moment:
            return identity
    raise NotFound("unknown-revision", f"{name} has no commit as old as {text}.", revision=f"{name}@{{{text}}}")


def parse_moment(text: str, *, end_of_day: bool = True) -> datetime:
    """A date or time in UTC; a date alone means its end, or its beginning. Raises Usage (bad-usage)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Usage("bad-usage", f"{text!r} is not a date such as 2026-11-01 or 2026-11-01T12:30.") from error
    if end_of_day and len(text) <= len("2026-11-01"):
        moment += timedelta(days=1, microseconds=-1)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def moment_of(commit: Commit) -> datetime:
    """When a commit was made."""
    moment = datetime.fromisoformat(commit.time)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _by_prefix(objects: ObjectStore, prefix: str) -> ObjectId:
    found = objects.ids_with_prefix(Kind.COMMIT, prefix)
    if not found:
        raise NotFound("unknown-revision", f"No commit's id starts with {prefix}.", revision=prefix)
    if len(found) > 1:
        raise Usage(
            "ambiguous-revision",
            f"{len(found)} commits' ids start with {prefix}.",
            hint="Give more digits.",
            revision=prefix,
        )
    return found[0]


def _unknown(view: View, text: str) -> NotFound:
    known = [*view.directories, *view.snapshots]
    near = [name for name in known if name.casefold() == text.rstrip("@").casefold() or name.startswith(text)]
    hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known)[:10])}."
    if ":" in text:
        hint = f"A state is meant here, not files of it: {text.partition(':')[0]}"
    elif text.startswith("HEAD") or "^" in text:
        hint = f"The last commit of a directory is {view.current}@, the one before it {view.current}~1."
    return NotFound(
        "unknown-revision", f"No directory, snapshot or commit is called {text!r}.", hint=hint, revision=text
    )
