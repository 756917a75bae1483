"""`commit` and `log`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tdvc.errors import Refused, Usage
from tdvc.ids import ObjectId
from tdvc.ops.diffing import Diff, DiffTotals, last_commit_state
from tdvc.repo.commit import Commit, first_parents
from tdvc.repo.directory import Counts, Directory
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit

MAX_MESSAGE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What was committed: the directory, the commit's id in hexadecimal, what it holds and what is new in it."""

    directory: str
    commit: str
    counts: Counts
    changed: DiffTotals
    operation: ObjectId | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A commit in a log; ids in hexadecimal."""

    commit: str
    parents: tuple[str, ...]
    directory: str
    author: str
    time: str
    message: str
    counts: Counts


def commit(repository: Repository, message: str, directory: str | None = None) -> CommitResult:
    """Make the staged state of a directory its next commit.

    Raises:
        Refused: nothing-to-commit.
        Usage: bad-usage, for an empty or endless message.
    """
    if not message.strip() or len(message.encode(errors="replace")) > MAX_MESSAGE_BYTES:
        raise Usage("bad-usage", f"A commit message must be 1 to {MAX_MESSAGE_BYTES:,} bytes of text.")
    state = repository.directory(directory)
    if state.commit is not None:
        raise Refused("nothing-to-commit", f"Nothing is staged in {state.name}.", directory=state.name)
    changed = staged_totals(repository, state)
    with repository.transaction(f"commit -d {state.name}") as edit:
        identity = edit.commit(state.name, message)
    return CommitResult(state.name, identity.hex(), state.counts, changed, edit.operation)


def staged_totals(repository: Repository, state: Directory) -> DiffTotals:
    """What differs between a directory's staged state and its last commit, counted by files."""
    if state.commit is not None:
        return DiffTotals()
    if repository.view.directories[state.name].commit is None:
        counts = state.counts
        return DiffTotals(added_files=counts.files, added_instances=counts.instances)
    return file_totals(Diff(last_commit_state(repository, state.name), state))


def file_totals(difference: Diff) -> DiffTotals:
    """What differs, by counting files; how instances differ is not looked into."""
    totals = DiffTotals()
    for change in difference.files():
        totals.count(change)
        before, after = change.before, change.after
        if before is not None and after is not None and before.instances != after.instances:
            totals.annotated_files += 1
    return totals


def log(repository: Repository, revision: str | None = None, *, limit: int | None = None) -> Iterator[LogEntry]:
    """The commits of a directory, newest first, from a revision's commit on.

    Raises:
        NotFound: unknown-revision; a directory without a commit has an empty log.
    """
    view = repository.view
    name = revision or view.current
    start = view.directories[name].commit if name in view.directories else repository[name].commit
    for identity, found in islice(first_parents(repository.objects, start), limit):
        yield _log_entry(repository, identity, found)


def _log_entry(repository: Repository, identity: ObjectId, found: Commit) -> LogEntry:
    return LogEntry(
        commit=identity.hex(),
        parents=tuple(parent.hex() for parent in found.parents),
        directory=found.directory,
        author=found.author,
        time=found.time,
        message=found.message,
        counts=at_commit(repository.objects, identity).counts,
    )
