"""`merge` and `conflicts`: join what two people did.

Their commit is compared with the best common ancestor, and what changed there is brought into ours: file by file,
instance by instance, field by field (`pairing`, `filemerge`, `tdvc.model.merge`). The result goes to our files, under
their file_id, so every directory that mirrors one shows it. A file that only they have is mirrored into ours.

Where both sides changed one thing to something else, our directory keeps ours, and the conflict is kept as data beside
it (`tdvc.repo.merge`) until it is resolved. Without conflicts the merge is committed in the same operation, with their
commit as a further parent: the next merge goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tdvc.errors import Refused
from tdvc.ids import Kind, ObjectId
from tdvc.names import printable
from tdvc.ops.committing import check_message
from tdvc.ops.diffing import last_commit_state
from tdvc.ops.gate import gate_preview, previewed
from tdvc.ops.hooks import Change
from tdvc.ops.mergeplan import FileDisagreement, MergePlan
from tdvc.ops.restoring import restorable
from tdvc.repo.ancestry import History
from tdvc.repo.directory import Directory, read_schema
from tdvc.repo.merge import Merge, MergeConflict, read_merge
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit, resolve
from tdvc.repo.transaction import Transaction
from tdvc.repo.view import View
from tdvc.tables.rowdiff import diff_rows

if TYPE_CHECKING:
    from tdvc.ops.hooks import Hooks
    from tdvc.ops.validating import ValidateResult


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """How to merge.

    Attributes:
        message: of the commit; one that names the revision where None.
        commit: make the commit where there is no conflict; else leave the result staged.
        match: pair instances that share no ids where they overlap by at least so much, in (0, 1]; None not to.
        verify: validate what comes of it, as the repository is configured, before it is committed.
        hooks: the hooks to run around the commit, the one before with `verify` alone; none for None.
        dry_run: change nothing.
    """

    message: str | None = None
    commit: bool = True
    match: float | None = None
    verify: bool = True
    dry_run: bool = False
    hooks: Hooks | None = None


@dataclass(slots=True)
class MergeResult:
    """What a merge did; ids in hexadecimal.

    Attributes:
        directory: into which one.
        revision: what was merged, as it was named.
        theirs: the commit that is.
        bases: the best common ancestors; none where files were paired by their origin.
        up_to_date: there was nothing that the directory does not have already.
        added_files: files that came in.
        removed_files: files that were taken out.
        moved_files: files of ours that are at another path now.
        changed_files: files of ours that are something else now.
        matched_instances: pairs that were found by overlap.
        conflicts: what is to be decided.
        disagreements: what the two see differently, where overlap was asked for.
        commit: the commit that was made; None where there are conflicts, or none was wanted.
        checked: what validation found, where the repository is configured to validate.
        operation: None where nothing changed.
    """

    directory: str
    revision: str
    theirs: str
    bases: list[str] = field(default_factory=list)
    up_to_date: bool = False
    added_files: int = 0
    removed_files: int = 0
    moved_files: int = 0
    changed_files: int = 0
    matched_instances: int = 0
    conflicts: list[MergeConflict] = field(default_factory=list)
    disagreements: list[FileDisagreement] = field(default_factory=list)
    commit: str | None = None
    checked: ValidateResult | None = None
    operation: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class ConflictsResult:
    """The merge that is under way in a directory, and what is left of it to be decided."""

    directory: str
    revision: str
    theirs: str
    conflicts: tuple[MergeConflict, ...]


@dataclass(frozen=True, slots=True)
class AbortResult:
    """The merge that was given up, and how many paths are again what they were."""

    directory: str
    revision: str
    restored_files: int
    operation: ObjectId | None


def merge(
    repository: Repository, revision: str, directory: str | None = None, options: MergeOptions | None = None
) -> MergeResult:
    """Merge a commit, a snapshot, or the last commit of a directory into a directory, the current one for None.

    Raises:
        NotFound: unknown-revision, directory-not-found.
        Refused: staged-edits, merge-under-way, unrelated-states, too-many-conflicts, folder-in-the-way, hook-refused.
        SchemaError: schema-locked, validation-failed.
    """
    options = options or MergeOptions()
    name = repository.directory(directory).name
    message = check_message(_default_message(revision, name) if options.message is None else options.message)
    repository[revision]  # so that a dynamic directory is up to date before anything is noted
    with repository.transaction(f"merge {printable(revision)} -d {name}") as edit:
        ours = our_state(repository, edit.view, name)
        theirs, identity = _their_commit(repository, edit.view, revision)
        levels = History(repository.objects).base_levels(ours.commit, identity) if ours.commit else []
        bases = tuple(levels[0]) if levels else ()
        result = MergeResult(name, revision, identity.hex(), [base.hex() for base in bases])
        if bases == (identity,):
            result.up_to_date = True
            return result
        states = [[at_commit(repository.objects, base) for base in level] for level in levels]
        plan = MergePlan(edit, ours, theirs, states, options.match)
        plan.merge_schema()
        _require_common(plan, ours, theirs)
        _count(plan, result)
        result.up_to_date = not (plan.joins or plan.changes)
        if result.up_to_date or options.dry_run:
            edit.discard()
            return result
        plan.note()
        edit.hold([name])
        begun = Merge(revision, ours.commit, identity, bases, tuple(plan.conflicts), *(plan.schemas or (None, None)))
        if plan.conflicts or not options.commit:
            edit.set_merge(name, write_merge(edit, begun))
        else:
            _verify(repository, edit, ours, result, message, options)
            edit.commit_result(name, message, [identity])
        result.operation = edit.publish()
    last = repository.view.directories[name].commit
    result.commit = last.hex() if last is not None and last != ours.commit else None
    if options.hooks is not None and result.commit:
        options.hooks.after(_change(repository[result.commit], ours, result, message))
    return result


def _default_message(revision: str, name: str) -> str:
    return f"Merge {revision} into {name}"


def merge_message(repository: Repository, directory: str | None = None) -> str:
    """What the commit that ends a merge says, where nobody says otherwise. Raises Refused (no-merge)."""
    name = repository.directory(directory).name
    return _default_message(merge_in(repository, repository.view, name).revision, name)


def our_state(repository: Repository, view: View, name: str) -> Directory:
    """The directory to merge into: nothing staged, no merge under way."""
    ours, ref = resolve(repository.objects, view, name), view.directories[name]
    if ref.merge is not None:
        raise Refused(
            "merge-under-way",
            f"A merge was begun in {name} and not ended.",
            hint=f"tdvc conflicts -d {name}, then tdvc commit -d {name}; or tdvc merge --abort -d {name}",
            directory=name,
        )
    if ours.commit is None and (ref.commit is not None or len(ours)):
        raise _staged(name, f"tdvc commit -d {name} -m MESSAGE, or take the edits back: tdvc undo")
    return ours


def _their_commit(repository: Repository, view: View, revision: str) -> tuple[Directory, ObjectId]:
    theirs = resolve(repository.objects, view, revision)
    if theirs.commit is None:
        last = f", or merge its last commit: {revision}@" if view.directories[revision].commit else ""
        raise _staged(revision, f"tdvc commit -d {revision} -m MESSAGE{last}")
    return theirs, theirs.commit


def _staged(name: str, hint: str) -> Refused:
    return Refused(
        "staged-edits", f"{name} has edits that are not committed; a merge joins commits.", hint=hint, directory=name
    )


def _require_common(plan: MergePlan, ours: Directory, theirs: Directory) -> None:
    if not plan.common and len(ours) and len(theirs):
        raise Refused(
            "unrelated-states",
            f"{theirs.title} and {ours.name} have no commit and no file in common, so there is nothing to join.",
            hint=f"To have its files in {ours.name} too: tdvc mirror {theirs.title} {ours.name}",
            directory=ours.name,
        )


def _verify(
    repository: Repository, edit: Transaction, ours: Directory, result: MergeResult, message: str, options: MergeOptions
) -> None:
    """Validate what the merge makes, and run the hook before it, where that is wanted."""
    if options.verify:
        result.checked = gate_preview(repository, "merge", edit, ours)
    if options.verify and options.hooks is not None:
        options.hooks.before(_change(previewed(repository, edit, ours), ours, result, message))


def _change(after: Directory, ours: Directory, result: MergeResult, message: str) -> Change:
    """What hooks are told of a merge."""
    return Change("merge", after, ours, message, commit=result.commit, revision=result.revision, theirs=result.theirs)


def _count(plan: MergePlan, result: MergeResult) -> None:
    result.added_files = len(plan.arriving)
    result.removed_files = len(plan.leaving)
    result.moved_files = len(plan.moves)
    result.changed_files = len(plan.states)
    result.matched_instances = plan.matched_instances
    result.conflicts = plan.conflicts
    result.disagreements = plan.disagreements


def conflicts(repository: Repository, directory: str | None = None) -> ConflictsResult:
    """What is left to be decided in a directory, the current one for None. Raises Refused (no-merge)."""
    name = repository.directory(directory).name
    found = merge_in(repository, repository.view, name)
    return ConflictsResult(name, found.revision, found.theirs.hex(), found.conflicts)


def abort_merge(repository: Repository, directory: str | None = None) -> AbortResult:
    """Give a merge up: the directory is again what its last commit holds, in other directories that mirror it too.

    Raises:
        Refused: no-merge.
    """
    name = repository.directory(directory).name
    with repository.transaction(f"merge --abort -d {name}") as edit:
        begun = merge_in(repository, edit.view, name)
        before = last_commit_state(repository, name)
        now = resolve(repository.objects, edit.view, name)
        rows = restorable(edit.view, name, diff_rows(now.table, before.table))
        edit.restore(name, rows)
        if begun.schema_before is not None and edit.view.schema_of(name) == begun.schema_after:
            own = edit.view.directories[name].schema is not None
            edit.set_schema(read_schema(repository.objects, begun.schema_before), name if own else None)
        edit.set_merge(name, None)
        edit.hold([name])
    return AbortResult(name, begun.revision, len(rows), edit.operation)


def merge_in(repository: Repository, view: View, name: str) -> Merge:
    """The merge that is under way in a directory. Raises Refused (no-merge)."""
    found = view.directories[name].merge
    if found is None:
        raise Refused("no-merge", f"No merge is under way in {name}.", hint="tdvc merge REV", directory=name)
    return read_merge(repository.objects, found)


def write_merge(edit: Transaction, merge: Merge) -> ObjectId:
    """Store a merge. Raises Refused (too-many-conflicts)."""
    return edit.writer.put(Kind.MERGE, merge.encode())
