"""`commit`."""

from __future__ import annotations

from dataclasses import dataclass

from tdvc.errors import Refused, Usage
from tdvc.ids import ObjectId
from tdvc.ops.diffing import Diff, DiffTotals, last_commit_state
from tdvc.repo.directory import Counts, Directory
from tdvc.repo.repository import Repository

MAX_MESSAGE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What was committed: the directory, the commit's id in hexadecimal, what it holds and what is new in it."""

    directory: str
    commit: str
    counts: Counts
    changed: DiffTotals
    operation: ObjectId | None


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
