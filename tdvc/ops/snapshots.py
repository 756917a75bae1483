"""`snapshot`, `snapshots`, `verify`: states that training pins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tdvc.errors import Corruption, NotFound
from tdvc.ids import NO_ID, ObjectId
from tdvc.model.problems import Problem
from tdvc.names import printable
from tdvc.ops.completeness import require_complete, unfinished
from tdvc.ops.gate import gate
from tdvc.ops.hooks import Change
from tdvc.ops.progress import EVERY, Progress, silent
from tdvc.repo.commit import read_snapshot
from tdvc.repo.directory import Counts, Directory
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit

if TYPE_CHECKING:
    from tdvc.ops.hooks import Hooks
    from tdvc.ops.validating import ValidateResult


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """A new snapshot; ids in hexadecimal.

    Attributes:
        name: what it is called.
        directory: what it is of.
        commit: the commit it holds.
        root: id of the state.
        counts: what it holds.
        staged_edits_left_out: whether the directory had edits after the commit.
        problems: a warning, where files are not complete.
        operation: what made it.
        checked: what validation found, where the repository is configured to validate.
    """

    name: str
    directory: str
    commit: str
    root: str
    counts: Counts
    staged_edits_left_out: bool
    problems: list[Problem]
    operation: ObjectId | None
    checked: ValidateResult | None = None


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A snapshot in the list; ids in hexadecimal."""

    name: str
    directory: str
    commit: str
    root: str
    author: str
    time: str
    message: str
    counts: Counts


@dataclass(slots=True)
class VerifyResult:
    """What was read and hashed again, and what did not match."""

    revision: str
    files: int = 0
    size_bytes: int = 0
    instances: int = 0
    problems: list[Problem] = field(default_factory=list)


def snapshot(
    repository: Repository,
    directory: str | None,
    name: str,
    *,
    message: str = "",
    complete_only: bool = False,
    verify: bool = True,
    hooks: Hooks | None = None,
) -> SnapshotResult:
    """Freeze a directory's last commit under a name that is never given again.

    Args:
        repository: the repository.
        directory: the current one where None.
        name: what it is to be called.
        message: what it is for.
        complete_only: refuse where a file is not complete today.
        verify: validate it before, as the repository is configured, and run the hook before.
        hooks: the hooks to run; none for None.

    Raises:
        NotFound: directory-not-found; unknown-revision, where there is no commit yet.
        Refused: snapshot-exists, directory-exists, hook-refused; incomplete, with `complete_only`.
        Usage: bad-name.
        SchemaError: validation-failed.
    """
    state = repository.directory(directory)
    frozen, commit = _last_commit(repository, state.name)
    left = unfinished(frozen)
    if complete_only:
        require_complete(left)
    checked = gate(repository, "snapshot", frozen) if verify else None
    change = Change("snapshot", frozen, message=message, commit=commit.hex(), snapshot=name)
    if hooks is not None and verify:
        hooks.before(change)
    with repository.transaction(f"snapshot {state.name} {name}") as edit:
        edit.add_snapshot(name, commit, message)
    if hooks is not None:
        hooks.after(change)
    return SnapshotResult(
        name=name,
        directory=state.name,
        commit=commit.hex(),
        root=frozen.root.hex(),
        counts=frozen.counts,
        staged_edits_left_out=state.commit is None,
        problems=left.problems(),
        operation=edit.operation,
        checked=checked,
    )


def _last_commit(repository: Repository, name: str) -> tuple[Directory, ObjectId]:
    """The state of a directory's last commit, and that commit. Raises NotFound (unknown-revision)."""
    state = repository[f"{name}@"]
    if state.commit is None:
        raise NotFound("unknown-revision", f"The directory {name!r} has no commit yet.", revision=name)
    return state, state.commit


def snapshots(repository: Repository) -> list[SnapshotInfo]:
    """Every snapshot, ordered by name."""
    return [_describe(repository, identity) for _, identity in sorted(repository.view.snapshots.items())]


def _describe(repository: Repository, identity: ObjectId) -> SnapshotInfo:
    found = read_snapshot(repository.objects, identity)
    state = at_commit(repository.objects, found.commit)
    return SnapshotInfo(
        name=found.name,
        directory=state.name,
        commit=found.commit.hex(),
        root=state.root.hex(),
        author=found.author,
        time=found.time,
        message=found.message,
        counts=state.counts,
    )


def verify(repository: Repository, revision: str, *, progress: Progress = silent) -> VerifyResult:
    """Read everything a state names and hash it again. What does not match is listed; reading goes on.

    Raises:
        NotFound: unknown-revision.
    """
    state = repository[revision]
    result = VerifyResult(state.title)
    total = state.counts.files
    for done, entry in enumerate(state.entries()):
        if done % EVERY == 0:
            progress("verifying", done, total)
        try:
            for piece in repository.objects.read_blob(entry.state.blob):
                result.size_bytes += len(piece)
            if entry.state.instances != NO_ID:
                result.instances += len(state.instances(entry))
        except Corruption as error:
            hint = "tdvc add --reread with the original at hand heals it."
            result.problems.append(Problem("stored-damaged", printable(entry.path), f"{error.message} {hint}"))
        result.files += 1
    return result
