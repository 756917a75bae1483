"""`status`: what is staged, and how a checked-out folder differs from what was checked out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from tdvc.model.problems import Problem
from tdvc.names import printable
from tdvc.ops.checkoutrecord import ANNOTATION_FILES, read_record
from tdvc.ops.committing import schema_differs, staged_totals
from tdvc.ops.completeness import Marks
from tdvc.ops.diffing import DiffTotals
from tdvc.ops.directories import DirectoryInfo, describe
from tdvc.ops.progress import Progress, silent
from tdvc.ops.statcache import StatCache
from tdvc.repo.commit import read_commit
from tdvc.repo.merge import read_merge
from tdvc.repo.repository import Repository
from tdvc.storage.folder import FileChanged, Found, Skipped, hidden_among, read_pieces, walk


@dataclass(frozen=True, slots=True)
class StatusResult:
    """Where a directory stands.

    Attributes:
        directory: the directory at a glance.
        commit_message: of its last commit, None before the first.
        commit_time: of its last commit.
        staged: what differs from the last commit, counted by files.
        schema_differs: whether the schema is another than the one of the last commit.
        stale: how many of the complete files were so under a schema that asked less.
        others: the other directories at a glance.
        merging: what is being merged in, where a merge is under way.
        conflicts: how many of its conflicts are left.
    """

    directory: DirectoryInfo
    commit_message: str | None
    commit_time: str | None
    staged: DiffTotals
    schema_differs: bool
    stale: int
    others: list[DirectoryInfo]
    merging: str | None = None
    conflicts: int = 0


@dataclass(slots=True)
class FolderStatus:
    """How a checked-out folder differs from the state that was checked out into it.

    Attributes:
        folder: the folder.
        revision: what was checked out.
        added: files that are new in the folder.
        changed: files whose bytes differ.
        missing: files that are gone from the folder.
        annotations_changed: whether its instances.jsonl was edited.
        behind: whether the revision means another state by now.
        problems: what could not be looked at.
    """

    folder: str
    revision: str
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    annotations_changed: bool = False
    behind: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether the folder holds what was checked out and nothing else."""
        return not (self.added or self.changed or self.missing or self.annotations_changed or self.problems)


def status(repository: Repository, directory: str | None = None) -> StatusResult:
    """Where a directory stands, the current one for None. Raises NotFound (directory-not-found)."""
    state = repository.directory(directory)
    view = repository.view
    ref = view.directories[state.name]
    commit = read_commit(repository.objects, ref.commit) if ref.commit else None
    merge = read_merge(repository.objects, ref.merge) if ref.merge else None
    return StatusResult(
        directory=describe(repository, view, state.name),
        commit_message=commit.message if commit else None,
        commit_time=commit.time if commit else None,
        staged=staged_totals(repository, state),
        schema_differs=schema_differs(repository, state),
        stale=Marks(state).count_stale(),
        others=[describe(repository, view, name) for name in sorted(view.directories) if name != state.name],
        merging=merge.revision if merge else None,
        conflicts=len(merge.conflicts) if merge else 0,
    )


def folder_status(repository: Repository, folder: Path, *, progress: Progress = silent) -> FolderStatus:
    """Compare a checked-out folder with what was checked out; unchanged files are not read.

    Raises:
        NotFound: source-not-found, where the folder is no checkout.
    """
    record = read_record(folder)
    result = FolderStatus(str(folder), record.revision)
    now = record.state_now(repository)
    result.behind = now is not None and now.root.hex() != record.root
    skipped: list[Skipped] = []
    here = walk(str(folder), skipped.append, expected=hidden_among(record.stats.paths_seen()))
    if not record.stats.knows_all(here):
        _compare(folder, here, record.stats, result, progress)
    for item in skipped:
        if item.code != "skipped-hidden":
            result.problems.append(Problem(item.code, printable(item.path), f"Not looked at: {item.reason}."))
    return result


def _compare(folder: Path, here: list[Found], stats: StatCache, result: FolderStatus, progress: Progress) -> None:
    for done, found in enumerate(here):
        if done % 5000 == 0:
            progress("comparing", done, len(here))
        if stats.blob_of(found) is None:
            _classify(folder, found, stats.recorded_blob(found.path), result)
    result.missing = sorted(set(stats.paths()).difference(found.path for found in here))


def _classify(folder: Path, found: Found, recorded: bytes | None, result: FolderStatus) -> None:
    if recorded is None:
        result.added.append(found.path)
        return
    digest = hashlib.sha256()
    try:
        for piece in read_pieces(f"{folder}/{found.path}", found):
            digest.update(piece)
    except (OSError, FileChanged):
        result.problems.append(Problem("unreadable", printable(found.path), "It could not be read."))
        return
    if digest.digest() == recorded:
        return
    if found.path in ANNOTATION_FILES:
        result.annotations_changed = result.annotations_changed or found.path == ANNOTATION_FILES[0]
    else:
        result.changed.append(found.path)
