"""`split --leaks`: what states share that are to be apart, such as a set to train on and one to test on.

In this order, and what one kind names is not named again by a later one:

    file               one file that is in several of them, mirrored
    copy               files one of which was copied from the other, or both from a third
    blob               files with the same bytes
    (a rule)           files that belong together, as `grouping` has it; near-duplicates among them
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tdvc.errors import Usage
from tdvc.model.grouping import Ties
from tdvc.model.nearduplicates import DEFAULT_DISTANCE
from tdvc.ops.grouping import NEAR_DUPLICATES, keys_of, tie_pictures
from tdvc.ops.progress import Progress, silent
from tdvc.ops.select import select
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, origin_of
from tdvc.repo.repository import Repository


@dataclass(frozen=True, slots=True)
class Leak:
    """Files that belong together and are in several states.

    Attributes:
        kind: `file`, `copy`, `blob`, or the rule that ties them.
        files: all of them, as `State:path`.
    """

    kind: str
    files: list[str]


@dataclass(slots=True)
class LeaksResult:
    """What was found.

    Attributes:
        states: the states that were compared.
        files: how many they hold, each of them counted.
        leaks: what they share.
    """

    states: list[str]
    files: int
    leaks: list[Leak] = field(default_factory=list)


def leaks(
    repository: Repository,
    selectors: Sequence[str],
    *,
    group_by: Sequence[str] = (),
    distance: int = DEFAULT_DISTANCE,
    progress: Progress = silent,
) -> LeaksResult:
    """Find what states share.

    Args:
        repository: the repository.
        selectors: at least two, `REV[:PATH-or-glob]`.
        group_by: what else ties files together; see `grouping`.
        distance: bits in which near-duplicates may differ.
        progress: told how far it is.

    Raises:
        Usage: bad-usage, for one state alone, or a rule for which no file of a state has a value.
        NotFound: unknown-revision, file-not-found.
    """
    if len(selectors) < 2:
        raise Usage("bad-usage", "Leaks are between two states or more; name them.")
    states = _States([select(repository, selector) for selector in selectors], selectors)
    result = LeaksResult(list(selectors), len(states.entries))
    seen: set[tuple[int, ...]] = set()
    for kind in ("file", "copy", "blob", *group_by):
        ties = Ties(len(states.entries))
        if kind == NEAR_DUPLICATES:
            tie_pictures(repository, states.entries, ties, distance=distance, progress=progress)
        elif kind in ("file", "copy", "blob"):
            ties.tie_equal(_identities(states.entries, kind))
        else:
            ties.tie_equal(states.keys(repository, kind))
        for files in states.shared(ties):
            if tuple(files) not in seen:
                seen.add(tuple(files))
                result.leaks.append(Leak(kind, [states.title(position) for position in files]))
    return result


def _identities(entries: Sequence[Entry], kind: str) -> Iterable[tuple[int, bytes]]:
    """What a file is, is over, or is and was copied from."""
    for position, (_, state) in enumerate(entries):
        yield position, state.blob if kind == "blob" else state.file_id
        origin = origin_of(state) if kind == "copy" else None
        if origin is not None:
            yield position, origin.file_id


class _States:
    """The files of several states, one after another."""

    def __init__(self, found: Sequence[tuple[Directory, list[Entry]]], titles: Sequence[str]) -> None:
        self._found = found
        self._titles = [title.partition(":")[0] for title in titles]
        self.entries = [entry for _, entries in found for entry in entries]
        self._states = [state for state, (_, entries) in enumerate(found) for _ in entries]

    def title(self, position: int) -> str:
        """A file with its state."""
        return f"{self._titles[self._states[position]]}:{self.entries[position].path}"

    def keys(self, repository: Repository, rule: str) -> Iterator[tuple[int, bytes]]:
        """What ties each file to others by a rule that goes by equal values."""
        first = 0
        for directory, entries in self._found:
            for position, key in keys_of(repository, directory, entries, rule):
                yield first + position, key
            first += len(entries)

    def shared(self, ties: Ties) -> Iterator[list[int]]:
        """The groups that are in more than one state."""
        for files in ties.groups():
            if len({self._states[position] for position in files}) > 1:
                yield files
