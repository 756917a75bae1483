"""`commit`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tdvc.errors import Conflict, Refused, Usage
from tdvc.ids import ObjectId
from tdvc.ops.diffing import Diff, DiffTotals, last_commit_state
from tdvc.ops.gate import gate
from tdvc.ops.hooks import Change
from tdvc.repo.commit import read_commit
from tdvc.repo.directory import Counts, Directory
from tdvc.repo.merge import read_merge
from tdvc.repo.repository import Repository
from tdvc.repo.view import View

if TYPE_CHECKING:
    from tdvc.ops.hooks import Hooks
    from tdvc.ops.validating import ValidateResult

MAX_MESSAGE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What was committed: the directory, the commit's id in hexadecimal, what it holds and what is new in it.

    `checked` is what validation found, where the repository is configured to validate.
    """

    directory: str
    commit: str
    counts: Counts
    changed: DiffTotals
    operation: ObjectId | None
    checked: ValidateResult | None = None


def commit(
    repository: Repository,
    message: str,
    directory: str | None = None,
    *,
    verify: bool = True,
    hooks: Hooks | None = None,
) -> CommitResult:
    """Make the staged state of a directory its next commit.

    What was merged in meanwhile becomes a further parent. With `verify`, what changed is validated before, as the
    repository is configured, and of `hooks` the one before runs too.

    Raises:
        Refused: nothing-to-commit, hook-refused.
        Conflict: conflicts-left, where a merge is not decided.
        Usage: bad-usage, for an empty or endless message.
        SchemaError: validation-failed.
    """
    check_message(message)
    state = repository.directory(directory)
    with repository.transaction(f"commit -d {state.name}") as edit:
        merged = decided_merge(repository, edit.view, state.name)
        if state.commit is not None and not merged and not schema_differs(repository, state):
            raise Refused("nothing-to-commit", f"Nothing is staged in {state.name}.", directory=state.name)
        changed = staged_totals(repository, state)
        has_commit = edit.view.directories[state.name].commit is not None
        before = last_commit_state(repository, state.name)
        change = Change("commit", state, before, message)
        checked = gate(repository, "commit", state, since=before if has_commit else None) if verify else None
        if hooks is not None and verify:
            hooks.before(change)
        identity = edit.commit(state.name, message, merged)
    if hooks is not None:
        hooks.after(replace(change, commit=identity.hex()))
    return CommitResult(state.name, identity.hex(), state.counts, changed, edit.operation, checked)


def check_message(message: str) -> str:
    """`message` itself, or `Usage` (bad-usage) where a commit can't have it."""
    if not message.strip() or len(message.encode(errors="replace")) > MAX_MESSAGE_BYTES:
        raise Usage("bad-usage", f"A commit message must be 1 to {MAX_MESSAGE_BYTES:,} bytes of text.")
    return message


def decided_merge(repository: Repository, view: View, name: str) -> list[ObjectId]:
    """What a merge that is under way brings into the next commit of a directory. Raises Conflict (conflicts-left)."""
    found = view.directories[name].merge
    if found is None:
        return []
    merge = read_merge(repository.objects, found)
    if merge.conflicts:
        raise Conflict(
            "conflicts-left",
            f"The merge of {merge.revision} into {name} has conflicts that are not resolved: {len(merge.conflicts):,}.",
            hint=f"tdvc conflicts -d {name}",
            directory=name,
            conflicts=len(merge.conflicts),
        )
    return [merge.theirs] if merge.joins else []


def schema_differs(repository: Repository, state: Directory) -> bool:
    """Whether the schema is another than the one that a directory's last commit has."""
    last = repository.view.directories[state.name].commit
    return last is not None and read_commit(repository.objects, last).schema != state.schema_id


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
        totals.annotated_files += change.other_instances
    return totals
