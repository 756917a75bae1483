"""`diff --stat`: what became of the instances of each label.

Counting what changed follows the change. How many there were to begin with, which churn is measured against, does not:
all of the first state is counted (`labelcounts`), so it is counted only for this.
"""

from __future__ import annotations

from dataclasses import dataclass

from tdvc.ops.diffing import Diff, FileChange
from tdvc.ops.labelcounts import label_counts
from tdvc.repo.directory import read_instances


@dataclass(slots=True)
class LabelStat:
    """What became of the instances of a label.

    Attributes:
        label: its key.
        before: how many there were.
        added: how many are new.
        removed: how many are gone.
        changed: how many of those that were there say something else, relabelled ones among them.
        relabelled_to: how many of those that were there have another label now.
        relabelled_from: how many had another label.
    """

    label: str
    before: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    relabelled_to: int = 0
    relabelled_from: int = 0

    @property
    def churn(self) -> float | None:
        """What was added, removed or changed, as a share of what there was; None where there was nothing."""
        return (self.added + self.removed + self.changed) / self.before if self.before else None


class LabelStats:
    """Counts changes by label while a diff is read."""

    def __init__(self, difference: Diff) -> None:
        self._difference = difference
        self._stats: dict[str, LabelStat] = {}

    def _of(self, label: str) -> LabelStat:
        return self._stats.setdefault(label, LabelStat(label))

    def count(self, change: FileChange) -> None:
        """Take a change into account."""
        if change.before is None or change.after is None:
            self._count_whole(change)
        for instance in change.instances:
            before, after = instance.before, instance.after
            if before is None and after is not None:
                self._of(after.label).added += 1
            elif after is None and before is not None:
                self._of(before.label).removed += 1
            elif before is not None and after is not None:
                self._of(before.label).changed += 1
                if instance.relabelled:
                    self._of(before.label).relabelled_to += 1
                    self._of(after.label).relabelled_from += 1

    def _count_whole(self, change: FileChange) -> None:
        """All instances of a file that came or went."""
        for state, side in ((change.before, self._difference.before), (change.after, self._difference.after)):
            for instance in read_instances(side.objects, state) if state is not None else ():
                stat = self._of(instance.label)
                stat.added += state is change.after
                stat.removed += state is change.before

    def finish(self) -> list[LabelStat]:
        """The labels with a change, ordered by name, each with how many instances of it there were."""
        if self._stats:
            counts = label_counts(self._difference.before, paths=self._difference.paths)
            for label, stat in self._stats.items():
                stat.before = counts.instances[label]
        return [self._stats[label] for label in sorted(self._stats)]
