"""`split`: parts of a directory, as directories of mirrored files.

What a part is decided by: files that belong together (`grouping`; the same bytes always do) go to one part. A group
that is new goes by the hash of what stands for it, so it does not matter which others there are, in which order they
came, or on which machine this runs. With `by_label` it goes where its label is scarcest (`model.apportioning`); its
stratum is the rarest label that it has.

What is in a part stays there: the parts themselves are what remembers. So files that are added never move old ones, and
what people moved by hand stays where they put it. `rebalance` alone lets files move, as few as will do.

A group can come to have members in several parts: a new picture may resemble two old ones. Such *torn* groups are
counted and named, and stay until somebody rebalances.

A split that is asked for with other names has other parts, and what was a part before is none of its business any more:
its files go to the parts, and stay where they were as well. Nothing tells such a directory from any other, except that
it was kept apart from the parts until then. So that is looked for, and said in the run that ends it; the folds of the
same source, which overlap with its parts from the beginning, are not spoken of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from tdvc.errors import Usage
from tdvc.ids import FileId, ObjectId
from tdvc.model.apportioning import Unit, assign, off_shares
from tdvc.model.nearduplicates import DEFAULT_DISTANCE
from tdvc.model.problems import Problem
from tdvc.model.stablehash import StableHash, share
from tdvc.names import printable
from tdvc.ops.grouping import Group, groups_of, labels_of
from tdvc.ops.membership import held_files, hold_just, keep_from_changing
from tdvc.ops.progress import Progress, silent
from tdvc.ops.select import select
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository

MAX_PARTS = 100
_SHOWN_TORN = 100


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How to split.

    Attributes:
        seed: another seed gives another split.
        by_label: keep the share of every label.
        group_by: what must not be parted; see `grouping`.
        distance: bits in which near-duplicates may differ.
        prefix: stands before the names of the parts; the source's name and a dash for None.
        where: only files that a query means.
        rebalance: move files, as few as will do, so that the parts have their shares.
        dry_run: change nothing.
    """

    seed: str = ""
    by_label: bool = False
    group_by: Sequence[str] = ()
    distance: int = DEFAULT_DISTANCE
    prefix: str | None = None
    where: str | None = None
    rebalance: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class SplitPart:
    """One part.

    Attributes:
        directory: its directory.
        share: as it was asked for.
        files: how many it holds now.
        added: how many of them are new in it.
        removed: how many left it.
        labels: for `by_label`, how many of its files have each label.
    """

    directory: str
    share: str
    files: int = 0
    added: int = 0
    removed: int = 0
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overlap:
    """A directory that was apart from the parts until now.

    Attributes:
        directory: its name.
        files: how many of its files each part has now.
    """

    directory: str
    files: dict[str, int]


@dataclass(slots=True)
class SplitResult:
    """What went where.

    Attributes:
        source: what was split.
        files: how many it has.
        groups: how many groups they are.
        moved: how many went from one part to another.
        parts: the parts, as they were asked for.
        torn_groups: how many groups have files in several parts.
        torn: the first of them, each with its paths.
        off_shares: whether parts are further from their shares than chance and whole files explain; `rebalance` helps.
        overlaps: directories whose names begin like the parts', and that were apart from them until now.
        problems: a warning for each of these.
        operation: None where nothing changed.
    """

    source: str
    files: int
    groups: int
    moved: int = 0
    parts: list[SplitPart] = field(default_factory=list)
    torn_groups: int = 0
    torn: list[list[str]] = field(default_factory=list)
    off_shares: bool = False
    overlaps: list[Overlap] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    operation: ObjectId | None = None


def split(
    repository: Repository,
    source: str | None,
    into: Mapping[str, str],
    options: SplitOptions | None = None,
    *,
    progress: Progress = silent,
) -> SplitResult:
    """Make or update the parts of a directory.

    Args:
        repository: the repository.
        source: what to split, `REV[:PATH-or-glob]`; the current directory for None.
        into: the share of each part, such as `0.8` or `1/3`, by its name.
        options: how.
        progress: told how far it is.

    Raises:
        Usage: bad-usage, where the shares are none or do not sum to 1; bad-name, bad-query.
        NotFound: unknown-revision, file-not-found.
        Refused: directory-exists, where a part's directory is something else; snapshot-exists.
    """
    options = options or SplitOptions()
    source = repository.view.current if source is None else source
    shares = _shares(into)
    directory, entries = select(repository, source, where=options.where)
    prefix = f"{directory.name}-" if options.prefix is None else options.prefix
    names = [prefix + name for name in into]
    splitting = _Splitting(repository, directory, entries, names, options)
    groups = groups_of(repository, directory, entries, options.group_by, distance=options.distance, progress=progress)
    result = SplitResult(directory.title, len(entries), len(groups))
    units = splitting.units(groups)
    places = splitting.places(groups, units, shares)
    result.moved = splitting.moved(places)
    result.torn = splitting.torn(groups, places)
    result.torn_groups, result.torn = len(result.torn), result.torn[:_SHOWN_TORN]
    shown = ",".join(f"{name}={text}" for name, text in into.items())
    edit = repository.transaction(f"split {printable(source)} --into {printable(shown)}")
    for part, (name, text) in enumerate(zip(names, into.values(), strict=True)):
        positions = [position for position, found in enumerate(places) if part in found]
        wanted = {entries[position].path: entries[position] for position in positions}
        change = hold_just(edit, name, splitting.held[part], wanted)
        labels = splitting.label_counts(positions)
        result.parts.append(SplitPart(name, text, len(wanted), change.added, change.removed, labels))
    files = [part.files for part in result.parts]
    result.off_shares = not options.rebalance and off_shares(units, shares, files, exact=options.by_label)
    result.overlaps = splitting.overlaps(repository, prefix, directory.name, places)
    result.problems = list(map(_overlap_problem, result.overlaps))
    if not options.dry_run:
        keep_from_changing(edit, [directory.title, *names])
        with edit:
            pass
    result.operation = edit.operation
    return result


def _overlap_problem(overlap: Overlap) -> Problem:
    counts = ", ".join(f"{count:,} of {name}" for name, count in overlap.files.items())
    message = (
        f"It held no file of the parts, and now holds {counts}. "
        f"If it was a part: tdvc directory remove {overlap.directory}; or tdvc undo, and another --prefix."
    )
    return Problem("split-overlap", printable(overlap.directory), message, severity="warning")


def _shares(into: Mapping[str, str]) -> list[Fraction]:
    if not 1 <= len(into) <= MAX_PARTS:
        raise Usage("bad-usage", f"A split has 1 to {MAX_PARTS} parts, not {len(into)}.")
    try:
        shares = [share(text) for text in into.values()]
    except ValueError as error:
        raise Usage("bad-usage", f"{error}.", hint="train=0.8,val=0.1,test=0.1") from error
    if sum(shares) != 1:
        raise Usage(
            "bad-usage",
            f"The shares sum to {float(sum(shares)):.6g}, not to 1.",
            hint="For less than everything: tdvc sample",
        )
    return shares


class _Splitting:
    """The files of a source, and which of them are in which parts already."""

    def __init__(
        self,
        repository: Repository,
        directory: Directory,
        entries: Sequence[Entry],
        names: Sequence[str],
        options: SplitOptions,
    ) -> None:
        self._entries = entries
        self._names = names
        self._options = options
        among = {entry.state.file_id for entry in entries}
        self.held = held_files(repository, names, directory, among)
        self._labels = labels_of(repository, directory, entries) if options.by_label else []
        where: dict[FileId, list[int]] = {}
        for part, held in enumerate(self.held):
            for identity in held.values():
                where.setdefault(identity, []).append(part)
        self._before = [where.get(entry.state.file_id, []) for entry in entries]

    def units(self, groups: Sequence[Group]) -> list[Unit]:
        """The groups as what goes to one part."""
        rarity = Counter(label for labels in self._labels for label in labels)
        hashed = StableHash("split", self._options.seed)
        return [
            Unit(hashed.point(group.key), len(group.files), self._stratum(group, rarity), self._home(group))
            for group in groups
        ]

    def places(self, groups: Sequence[Group], units: Sequence[Unit], shares: Sequence[Fraction]) -> list[list[int]]:
        """The parts of each file: one, or more where it is in more and stays."""
        found = assign(units, shares, exact=self._options.by_label, rebalance=self._options.rebalance)
        places: list[list[int]] = [[]] * len(self._entries)
        for group, place in zip(groups, found, strict=True):
            for position in group.files:
                stays = self._before[position] and not self._options.rebalance
                places[position] = self._before[position] if stays else [place]
        return places

    def _home(self, group: Group) -> int | None:
        """The part that most of a group is in."""
        counts = Counter(part for position in group.files for part in self._before[position])
        return min(counts, key=lambda part: (-counts[part], part)) if counts else None

    def _stratum(self, group: Group, rarity: Mapping[str, int]) -> str:
        """The rarest label of a group."""
        labels = {label for position in group.files for label in self._labels[position]} if self._labels else ()
        return min(labels, key=lambda label: (rarity[label], label), default="")

    def moved(self, places: Sequence[list[int]]) -> int:
        """How many files were in a part and are now in another."""
        pairs = zip(self._before, places, strict=True)
        return sum(1 for before, after in pairs if before and not set(after) <= set(before))

    def torn(self, groups: Sequence[Group], places: Sequence[list[int]]) -> list[list[str]]:
        """The groups with files in several parts, as paths."""
        return [
            [self._entries[position].path for position in group.files]
            for group in groups
            if len({part for position in group.files for part in places[position]}) > 1
        ]

    def overlaps(self, repository: Repository, prefix: str, source: str, places: Sequence[list[int]]) -> list[Overlap]:
        """Directories beside the parts that had no file of any of them and, as the parts are to be, will have some."""
        before = {identity for held in self.held for identity in held.values()}
        if not before:
            return []
        parts = {entry.state.file_id: found for entry, found in zip(self._entries, places, strict=True)}
        overlaps = []
        for name, ref in sorted(repository.view.directories.items()):
            if not name.startswith(prefix) or name in self._names or name == source or ref.rule is not None:
                continue
            held = {entry.state.file_id for entry in repository.directory(name).entries()}
            if before.isdisjoint(held):
                shared = Counter(part for identity in held for part in parts.get(identity, ()))
                files = {self._names[part]: shared[part] for part in sorted(shared)}
                overlaps += [Overlap(name, files)] if files else []
        return overlaps

    def label_counts(self, positions: Sequence[int]) -> dict[str, int]:
        """How many of some files have each label, where that is known."""
        if not self._labels:
            return {}
        counts = Counter(label for position in positions for label in self._labels[position])
        return {label: counts[label] for label in sorted(counts)}
