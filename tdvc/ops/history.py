"""`log`: the commits that led to a state, newest first, and what each of them changed.

A commit is compared with its first parent, which is what it followed on. Where only some files are asked for, a commit
is listed when it differs in them from every parent: a merge that took one side as it was is not worth a line. A single
file is followed to the paths it had before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from tdvc.errors import NotFound
from tdvc.ids import ObjectId
from tdvc.ops.committing import file_totals
from tdvc.ops.diffing import Diff, DiffTotals, FileChange
from tdvc.repo.commit import Commit, ancestors, first_parents
from tdvc.repo.directory import Counts, Directory, nothing
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit, moment_of, parse_moment, parse_selector


@dataclass(frozen=True, slots=True)
class LogOptions:
    """Which commits are listed, and how much is said of them.

    Attributes:
        limit: only so many, the newest.
        label: only those that changed an instance of this label.
        author: only those whose author holds this text, in any case.
        since: only those at or after this date or time.
        until: only those at or before it; a date means its end.
        first_parent: leave out the commits that were merged in.
        stat: count what each changed, instances included.
    """

    limit: int | None = None
    label: str | None = None
    author: str | None = None
    since: str | None = None
    until: str | None = None
    first_parent: bool = False
    stat: bool = False


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A commit in a log; ids in hexadecimal.

    Attributes:
        counts: what the directory held.
        changed: what differs from the first parent, where it was asked for.
    """

    commit: str
    parents: tuple[str, ...]
    directory: str
    author: str
    time: str
    message: str
    counts: Counts
    changed: DiffTotals | None = None


def log(
    repository: Repository, revision: str | None = None, options: LogOptions | None = None, *, limit: int | None = None
) -> Iterator[LogEntry]:
    """The commits of a directory, newest first, from a revision's commit on.

    Args:
        repository: the repository.
        revision: where to begin, `REV[:PATH-or-glob]`; the current directory where None. `A..B` begins at B and leaves
            out A and all before it.
        options: which commits, and how much of them.
        limit: as in the options.

    Raises:
        NotFound: unknown-revision; a directory without a commit has an empty log.
        Usage: bad-usage, for a date that is none.
    """
    options = options or LogOptions(limit=limit)
    selector = parse_selector(revision or repository.view.current)
    excluded, _, name = selector.revision.rpartition("..")
    start = _start(repository, name or repository.view.current)
    walk = first_parents if options.first_parent else ancestors
    found = walk(repository.objects, start)
    if excluded:
        found = _without(repository, found, commit_of(repository, excluded))
    found = _fitting(found, options)
    if selector.pattern:
        found = _touching(repository, found, selector.pattern)
    if options.label:
        found = (item for item in found if _touches_label(repository, *item, options.label))
    for identity, commit in islice(found, options.limit):
        yield _entry(repository, identity, commit, options)


def _start(repository: Repository, name: str) -> ObjectId | None:
    view = repository.view
    return view.directories[name].commit if name in view.directories else repository[name].commit


def _without(
    repository: Repository, commits: Iterator[tuple[ObjectId, Commit]], end: ObjectId
) -> Iterator[tuple[ObjectId, Commit]]:
    """The commits that are neither `end` nor before it."""
    known = {identity for identity, _ in ancestors(repository.objects, end)}
    return ((identity, commit) for identity, commit in commits if identity not in known)


def _fitting(commits: Iterator[tuple[ObjectId, Commit]], options: LogOptions) -> Iterator[tuple[ObjectId, Commit]]:
    since = parse_moment(options.since, end_of_day=False) if options.since else None
    until = parse_moment(options.until) if options.until else None
    wanted = (options.author or "").casefold()
    for identity, commit in commits:
        moment: datetime = moment_of(commit)
        fits_time = (since is None or moment >= since) and (until is None or moment <= until)
        if fits_time and wanted in commit.author.casefold():
            yield identity, commit


def _touching(
    repository: Repository, commits: Iterator[tuple[ObjectId, Commit]], pattern: str
) -> Iterator[tuple[ObjectId, Commit]]:
    """The commits that changed what a pattern means."""
    patterns = {pattern}
    for identity, commit in commits:
        state = at_commit(repository.objects, identity)
        changes = [changes_in(before, state, patterns) for before in parents_of(repository, commit)]
        if all(changes):
            patterns.update(change.before_path for change in changes[0] if change.path in patterns)
            yield identity, commit


def parents_of(repository: Repository, commit: Commit) -> list[Directory]:
    """The states that a commit followed on; an empty one for the first commit."""
    if not commit.parents:
        return [nothing(commit.directory, commit.schema)]
    return [at_commit(repository.objects, parent) for parent in commit.parents]


def changes_in(before: Directory, after: Directory, patterns: set[str]) -> list[FileChange]:
    """What differs in the files that some patterns mean; a file that came from elsewhere as a move."""
    changes = list(Diff(before, after, sorted(patterns)).files())
    if any(change.kind == "added" and change.path in patterns for change in changes):
        paths = {change.path for change in changes}
        changes = [change for change in Diff(before, after).files() if change.path in paths]
    return changes


def _touches_label(repository: Repository, identity: ObjectId, commit: Commit, label: str) -> bool:
    before, after = parents_of(repository, commit)[0], at_commit(repository.objects, identity)
    return any(_has_label(change, before, after, label) for change in Diff(before, after))


def _has_label(change: FileChange, before: Directory, after: Directory, label: str) -> bool:
    if change.kind in ("added", "removed"):
        owner, path = (after, change.path) if change.kind == "added" else (before, change.before_path)
        return any(instance.label == label for instance in owner[path].instances)
    sides = (side for instance in change.instances for side in (instance.before, instance.after))
    return any(side is not None and side.label == label for side in sides)


def _entry(repository: Repository, identity: ObjectId, commit: Commit, options: LogOptions) -> LogEntry:
    state = at_commit(repository.objects, identity)
    changed = None
    if options.stat:
        difference = Diff(parents_of(repository, commit)[0], state)
        changed = difference.totals() if commit.parents else file_totals(difference)
    return LogEntry(
        commit=identity.hex(),
        parents=tuple(parent.hex() for parent in commit.parents),
        directory=commit.directory,
        author=commit.author,
        time=commit.time,
        message=commit.message,
        counts=state.counts,
        changed=changed,
    )


def commit_of(repository: Repository, revision: str) -> ObjectId:
    """The commit that a revision means; of a living directory its last one.

    Raises:
        NotFound: unknown-revision, where there is none yet.
    """
    identity = _start(repository, revision)
    if identity is None:
        raise NotFound("unknown-revision", f"{revision!r} has no commit yet.", revision=revision)
    return identity
