"""`revert` and `cherry-pick`: the difference that one commit made, taken out again or brought in elsewhere.

Both are merges whose base is chosen and not looked for. To take a commit back, it is the base and its first parent is
what is merged in; to bring it in, the other way round. So what was done since stays, files are found in copies too, and
where something else was made of the same thing, the conflict is kept until it is resolved. History gains a commit and
no parent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tdvc.errors import NotFound
from tdvc.ids import ObjectId
from tdvc.names import printable
from tdvc.ops.committing import check_message
from tdvc.ops.gate import gate_preview, previewed
from tdvc.ops.hooks import Change, Hooks
from tdvc.ops.mergeplan import MergePlan
from tdvc.ops.merging import our_state, write_merge
from tdvc.repo.commit import read_commit
from tdvc.repo.directory import Directory, nothing
from tdvc.repo.merge import Merge, MergeConflict
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit

if TYPE_CHECKING:
    from tdvc.ops.validating import ValidateResult


@dataclass(frozen=True, slots=True)
class PickOptions:
    """How to take back or bring in.

    Attributes:
        message: of the commit; one that names the commit's own where None.
        commit: make the commit where there is no conflict; else leave the result staged.
        verify: validate what comes of it, as the repository is configured for commits, before it is committed.
        dry_run: change nothing.
        hooks: the hooks of a commit to run, the one before with `verify` alone; none for None.
    """

    message: str | None = None
    commit: bool = True
    verify: bool = True
    dry_run: bool = False
    hooks: Hooks | None = None


@dataclass(slots=True)
class PickResult:
    """What was taken back or brought in; ids in hexadecimal.

    Attributes:
        verb: `revert` or `cherry-pick`.
        directory: where.
        picked: the commit whose difference it was.
        message: what that commit says.
        added_files: files that came in.
        removed_files: files that were taken out.
        moved_files: files that are at another path now.
        changed_files: files that are something else now.
        conflicts: what is to be decided.
        commit: the commit that was made; None where there are conflicts, or none was wanted.
        checked: what validation found, where the repository is configured to validate.
        operation: None where nothing changed.
    """

    verb: str
    directory: str
    picked: str
    message: str
    added_files: int = 0
    removed_files: int = 0
    moved_files: int = 0
    changed_files: int = 0
    conflicts: list[MergeConflict] = field(default_factory=list)
    commit: str | None = None
    checked: ValidateResult | None = None
    operation: ObjectId | None = None


def revert(
    repository: Repository, revision: str, directory: str | None = None, options: PickOptions | None = None
) -> PickResult:
    """Take back what one commit did to a directory, the one that it is a commit of for None.

    Raises:
        NotFound: unknown-revision, directory-not-found.
        Refused: staged-edits, merge-under-way, folder-in-the-way, hook-refused.
        SchemaError: validation-failed.
    """
    return _pick(repository, "revert", revision, directory, options or PickOptions())


def cherry_pick(
    repository: Repository, revision: str, directory: str | None = None, options: PickOptions | None = None
) -> PickResult:
    """Do to a directory, the current one for None, what one commit did to its own; errors as for `revert`."""
    return _pick(repository, "cherry-pick", revision, directory, options or PickOptions())


def _pick(repository: Repository, verb: str, revision: str, directory: str | None, options: PickOptions) -> PickResult:
    commit_id, picked, before = _difference(repository, revision)
    name = repository.directory(picked.name if directory is None and verb == "revert" else directory).name
    said = read_commit(repository.objects, commit_id).message
    first_line = said.strip().splitlines()[0]
    default = f"Revert {first_line!r}" if verb == "revert" else said
    message = check_message(default if options.message is None else options.message)
    result = PickResult(verb, name, commit_id.hex(), said)
    base, theirs = (picked, before) if verb == "revert" else (before, picked)
    with repository.transaction(f"{verb} {printable(revision)} -d {name}") as edit:
        ours = our_state(repository, edit.view, name)
        plan = MergePlan(edit, ours, theirs, [[base]])
        _count(plan, result)
        if options.dry_run or not plan.changes:
            edit.discard()
            return result
        plan.note()
        edit.hold([name])
        if plan.conflicts or not options.commit:
            begun = Merge(revision, ours.commit, commit_id, (), tuple(plan.conflicts), joins=False)
            edit.set_merge(name, write_merge(edit, begun))
        else:
            if options.verify:
                result.checked = gate_preview(repository, "commit", edit, ours)
            if options.verify and options.hooks is not None:
                options.hooks.before(Change("commit", previewed(repository, edit, ours), ours, message))
            edit.commit_result(name, message)
        result.operation = edit.publish()
    last = repository.view.directories[name].commit
    result.commit = last.hex() if last is not None and last != ours.commit else None
    if options.hooks is not None and result.commit:
        options.hooks.after(Change("commit", repository[result.commit], ours, message, commit=result.commit))
    return result


def _difference(repository: Repository, revision: str) -> tuple[ObjectId, Directory, Directory]:
    """A commit, its state, and the state that it followed on."""
    state = repository[revision]
    if state.commit is None and revision in repository.view.directories:
        state = repository[f"{revision}@"]
    if state.commit is None:
        raise NotFound("unknown-revision", f"{revision!r} has no commit yet.", revision=revision)
    parents = read_commit(repository.objects, state.commit).parents
    before = at_commit(repository.objects, parents[0]) if parents else nothing(state.name, state.schema_id)
    return state.commit, state, before


def _count(plan: MergePlan, result: PickResult) -> None:
    result.added_files = len(plan.arriving)
    result.removed_files = len(plan.leaving)
    result.moved_files = len(plan.moves)
    result.changed_files = len(plan.states)
    result.conflicts = plan.conflicts
