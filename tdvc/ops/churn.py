"""`churn`: how often people change their minds, by label and by file.

Every commit of a span is compared with the one it followed on. What was added with a file's first commit is not churn:
only instances that were said otherwise before, or are gone again, and instances added to a file that was there.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tdvc.ids import ObjectId
from tdvc.ops.diffing import Diff, FileChange
from tdvc.ops.history import commit_of
from tdvc.ops.progress import Progress, silent
from tdvc.repo.commit import first_parents
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit


@dataclass(slots=True)
class LabelChurn:
    """How often instances of a label came, went and changed.

    Attributes:
        label: its key.
        added: in files that were there already.
        removed: while their file stayed.
        moved: other geometry.
        relabelled: this label became another one, or another this one.
        attributes: attributes that changed.
    """

    label: str
    added: int = 0
    removed: int = 0
    moved: int = 0
    relabelled: int = 0
    attributes: int = 0

    @property
    def changes(self) -> int:
        """All of it."""
        return self.added + self.removed + self.moved + self.relabelled + self.attributes


@dataclass(slots=True)
class FileChurn:
    """How often a file's instances changed: in how many commits, and how many changes in all."""

    path: str
    commits: int = 0
    changes: int = 0


@dataclass(slots=True)
class ChurnResult:
    """Who keeps changing.

    Attributes:
        directory: whose commits.
        commits: how many of them were compared with the one before.
        labels: the most changed first.
        files: the same, those with the most commits first.
        files_changed: how many files changed at all; `files` may be cut.
    """

    directory: str
    commits: int = 0
    labels: list[LabelChurn] = field(default_factory=list)
    files: list[FileChurn] = field(default_factory=list)
    files_changed: int = 0


def churn(
    repository: Repository, span: str | None = None, *, limit: int | None = None, progress: Progress = silent
) -> ChurnResult:
    """Count what changed from commit to commit.

    Args:
        repository: the repository.
        span: `REV..REV`, or one revision for all commits up to it; the current directory where None.
        limit: list only so many files.
        progress: told how far it is.

    Raises:
        NotFound: unknown-revision.
    """
    before, _, after = (span or "").rpartition("..")
    last = commit_of(repository, after or repository.view.current)
    stop = commit_of(repository, before) if before else None
    result = ChurnResult(at_commit(repository.objects, last).name)
    labels: dict[str, LabelChurn] = {}
    commits: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    for identity, earlier in _pairs(repository, last, stop):
        progress("comparing commits", result.commits, None)
        result.commits += 1
        old, new = at_commit(repository.objects, earlier), at_commit(repository.objects, identity)
        for change in Diff(old, new):
            if change.path != change.before_path and change.before_path in commits:
                commits[change.path] += commits.pop(change.before_path)
                changes[change.path] += changes.pop(change.before_path)
            if change.instances:
                commits[change.path] += 1
                changes[change.path] += _count(change, labels)
    result.labels = sorted(labels.values(), key=lambda item: (-item.changes, item.label))
    ordered = sorted(commits, key=lambda path: (-commits[path], -changes[path], path))
    result.files = [FileChurn(path, commits[path], changes[path]) for path in ordered[:limit]]
    result.files_changed = len(ordered)
    return result


def _pairs(repository: Repository, last: ObjectId, stop: ObjectId | None) -> list[tuple[ObjectId, ObjectId]]:
    """Commits and the first parent of each, oldest first."""
    chain = []
    for identity, _ in first_parents(repository.objects, last):
        chain.append(identity)
        if identity == stop:
            break
    chain.reverse()
    return list(zip(chain[1:], chain, strict=False))


def _count(change: FileChange, labels: dict[str, LabelChurn]) -> int:
    """Count a file's changes by label; returns how many they are."""

    def of(label: str) -> LabelChurn:
        return labels.setdefault(label, LabelChurn(label))

    total = 0
    for instance in change.instances:
        total += 1
        if instance.before is None and instance.after is not None:
            of(instance.after.label).added += 1
        elif instance.after is None and instance.before is not None:
            of(instance.before.label).removed += 1
        elif instance.before is not None and instance.after is not None:
            of(instance.after.label).moved += instance.moved
            of(instance.after.label).attributes += len(instance.attributes)
            for side in (instance.before, instance.after) if instance.relabelled else ():
                of(side.label).relabelled += 1
    return total
