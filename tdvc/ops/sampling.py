"""`sample`: less than all of a directory, as directories of mirrored files.

Which files is decided by the hash of their bytes and a seed, independently of how the same directory is split.

* By *shares*, samples are nested: the smaller one is in the larger one, because a file is in a sample where its point
  is below the share. Files that are added never move old ones, in or out.
* *Balanced*: at least so many files of every label, where there are as many; those with the lowest points.
* *Capped*: at most so many files of every label, and no other file could be taken too. Files without a label count as
  a label of their own.

For the last two a new file with a low point can take the place of another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tdvc.errors import Usage
from tdvc.ids import ObjectId
from tdvc.model.nearduplicates import DEFAULT_DISTANCE
from tdvc.model.stablehash import StableHash, ends, share
from tdvc.names import printable
from tdvc.ops.grouping import groups_of, labels_of
from tdvc.ops.membership import held_files, hold_just, keep_from_changing
from tdvc.ops.progress import Progress, silent
from tdvc.ops.select import select
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository

_MAX_SHARES = 100


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """How to sample: one of `shares`, `per_label` and `cap`.

    Attributes:
        shares: of the files, such as `0.1`; one sample for each.
        per_label: at least so many files of every label.
        cap: at most so many.
        into: the directory for `per_label` and `cap`.
        prefix: for `shares`, stands before them in the directories' names; the source's name and a dash for None.
        seed: another seed gives another sample.
        group_by: for `shares`, what must not be parted; see `grouping`.
        distance: bits in which near-duplicates may differ.
        where: only files that a query means.
        dry_run: change nothing.
    """

    shares: Sequence[str] = ()
    per_label: int | None = None
    cap: int | None = None
    into: str | None = None
    prefix: str | None = None
    seed: str = ""
    group_by: Sequence[str] = ()
    distance: int = DEFAULT_DISTANCE
    where: str | None = None
    dry_run: bool = False


@dataclass(slots=True)
class Sample:
    """One sample.

    Attributes:
        directory: its directory.
        files: how many it holds now.
        added: how many of them are new in it.
        removed: how many left it.
        labels: for a balanced or capped one, how many of its files have each label.
    """

    directory: str
    files: int
    added: int
    removed: int
    labels: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class SampleResult:
    """What was taken.

    Attributes:
        source: from what.
        files: how many it has.
        samples: the samples, the smallest first.
        short: for `per_label`, the labels with fewer files, and how many they have.
        operation: None where nothing changed.
    """

    source: str
    files: int
    samples: list[Sample] = field(default_factory=list)
    short: dict[str, int] = field(default_factory=dict)
    operation: ObjectId | None = None


def sample(
    repository: Repository, source: str | None, options: SampleOptions, *, progress: Progress = silent
) -> SampleResult:
    """Make or update samples of a directory.

    Args:
        repository: the repository.
        source: what to take them from, `REV[:PATH-or-glob]`; the current directory for None.
        options: how.
        progress: told how far it is.

    Raises:
        Usage: bad-usage, where the options do not go together or a share is none; bad-name, bad-query.
        NotFound: unknown-revision, file-not-found.
        Refused: directory-exists, where a sample's directory is something else; snapshot-exists.
    """
    _check(options)
    source = repository.view.current if source is None else source
    directory, entries = select(repository, source, where=options.where)
    result = SampleResult(directory.title, len(entries))
    labels = [] if options.shares else labels_of(repository, directory, entries)
    if options.shares:
        chosen = _nested(repository, directory, entries, options, progress)
    else:
        chosen = {options.into or "": _by_label(entries, labels, options)}
        counts = Counter(label for said in labels for label in said)
        result.short = {label: count for label, count in sorted(counts.items()) if count < (options.per_label or 0)}
    among = {entry.state.file_id for entry in entries}
    edit = repository.transaction(f"sample {printable(source)} into {printable(' '.join(chosen))}")
    before = held_files(repository, chosen, directory, among)
    for held, (name, positions) in zip(before, chosen.items(), strict=True):
        change = hold_just(edit, name, held, {entries[at].path: entries[at] for at in positions})
        counts = Counter(label for at in positions if labels for label in labels[at])
        result.samples.append(Sample(name, len(positions), change.added, change.removed, dict(sorted(counts.items()))))
    if not options.dry_run:
        keep_from_changing(edit, [directory.title, *chosen])
        with edit:
            pass
    result.operation = edit.operation
    return result


def _check(options: SampleOptions) -> None:
    if sum((bool(options.shares), options.per_label is not None, options.cap is not None)) != 1:
        raise Usage("bad-usage", "Say one of --shares, --per-label and --cap.")
    if any(number is not None and number < 1 for number in (options.per_label, options.cap)):
        raise Usage("bad-usage", "A number of files for each label is at least 1.")
    if not options.shares:
        if not options.into:
            raise Usage("bad-usage", "Name the directory for the sample.", hint="--into NAME")
        if options.group_by:
            raise Usage("bad-usage", "Groups go with --shares only.")
        return
    try:
        found = [share(text) for text in options.shares]
    except ValueError as error:
        raise Usage("bad-usage", f"{error}.", hint="--shares 0.1,0.3,0.8") from error
    if max(found) > 1 or len(set(found)) < len(found) or len(found) > _MAX_SHARES:
        raise Usage("bad-usage", f"Shares are different ones up to 1, and at most {_MAX_SHARES}.")


def _nested(
    repository: Repository, directory: Directory, entries: Sequence[Entry], options: SampleOptions, progress: Progress
) -> dict[str, list[int]]:
    """The files whose groups have a point below each share, the smallest share first."""
    groups = groups_of(repository, directory, entries, options.group_by, distance=options.distance, progress=progress)
    hashed = StableHash("sample", options.seed)
    points = [hashed.point(group.key) for group in groups]
    prefix = f"{directory.name}-" if options.prefix is None else options.prefix
    chosen: dict[str, list[int]] = {}
    for text in sorted(options.shares, key=share):
        (end,) = ends([share(text)])
        inside = (group.files for group, point in zip(groups, points, strict=True) if point < end)
        chosen[prefix + text] = sorted(position for files in inside for position in files)
    return chosen


def _by_label(entries: Sequence[Entry], labels: Sequence[frozenset[str]], options: SampleOptions) -> list[int]:
    """The files of a balanced or capped sample."""
    hashed = StableHash("sample", options.seed)
    order = sorted(range(len(entries)), key=lambda at: (hashed.point(entries[at].state.blob), entries[at].path))
    take = _balanced if options.per_label else _capped
    return take(order, labels, options.per_label or options.cap or 0)


def _balanced(order: Sequence[int], labels: Sequence[frozenset[str]], wanted: int) -> list[int]:
    """For each label the first files that have it."""
    counts: Counter[str] = Counter()
    chosen = []
    for position in order:
        if any(counts[label] < wanted for label in labels[position]):
            chosen.append(position)
        counts.update(labels[position])
    return chosen


def _capped(order: Sequence[int], labels: Sequence[frozenset[str]], most: int) -> list[int]:
    """Every file that brings no label above the most there may be."""
    counts: Counter[str] = Counter()
    chosen = []
    for position in order:
        said = labels[position] or {""}
        if all(counts[label] < most for label in said):
            counts.update(said)
            chosen.append(position)
    return chosen
