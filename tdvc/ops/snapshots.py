"""`snapshot`, `snapshots`, `verify`: states that training pins."""

from __future__ import annotations

from dataclasses import dataclass, field

from tdvc.errors import Corruption, NotFound
from tdvc.ids import NO_ID, ObjectId
from tdvc.model.problems import Problem
from tdvc.names import printable
from tdvc.ops.progress import EVERY, Progress, silent
from tdvc.repo.commit import read_snapshot
from tdvc.repo.directory import Counts
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit


@dataclass(frozen=True, slots=True)
class SnapshotResult:
    """A new snapshot; ids in hexadecimal. `staged_edits_left_out` where the directory had edits after the commit."""

    name: str
    directory: str
    commit: str
    root: str
    counts: Counts
    staged_edits_left_out: bool
    operation: ObjectId | None


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


def snapshot(repository: Repository, directory: str | None, name: str, *, message: str = "") -> SnapshotResult:
    """Freeze a directory's last commit under a name that is never given again.

    Raises:
        NotFound: directory-not-found; unknown-revision, where there is no commit yet.
        Refused: snapshot-exists, directory-exists.
        Usage: bad-name.
    """
    state = repository.directory(directory)
    frozen = repository[f"{state.name}@"]
    if frozen.commit is None:
        raise NotFound("unknown-revision", f"The directory {state.name!r} has no commit yet.", revision=state.name)
    with repository.transaction(f"snapshot {state.name} {name}") as edit:
        edit.add_snapshot(name, frozen.commit, message)
    return SnapshotResult(
        name=name,
        directory=state.name,
        commit=frozen.commit.hex(),
        root=frozen.root.hex(),
        counts=frozen.counts,
        staged_edits_left_out=state.commit is None,
        operation=edit.operation,
    )


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
