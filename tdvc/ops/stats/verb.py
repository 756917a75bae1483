"""`stats`: what states hold, in figures: labels, sizes, attributes, pictures, and how they grew.

A state is gone through once over its columns; what is cached is not decoded again. Sizes of pictures are read from
their headers the first time somebody asks for them, and then the state is gone through again. Growth is read from the
roots of commits, so it costs what the commits are, not what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tdvc.columns.arrays import column, fixed, numbers
from tdvc.columns.layout import ColumnPage, arrow
from tdvc.columns.store import ColumnStore
from tdvc.errors import NotFound
from tdvc.names import printable
from tdvc.ops.completeness import Marks
from tdvc.ops.evolution import nearest
from tdvc.ops.pictures import Pictures
from tdvc.ops.progress import Progress, silent
from tdvc.ops.querying import Matcher
from tdvc.ops.stats.comparing import compare
from tdvc.ops.stats.counting import Ints
from tdvc.ops.stats.gathering import Notes
from tdvc.ops.stats.records import Growth, GrowthPoint, StateStats, Stats
from tdvc.ops.validating_page import Page
from tdvc.query.parser import Query, parse
from tdvc.repo.commit import first_parents
from tdvc.repo.config import Validation
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository
from tdvc.repo.revision import at_commit

TOP = 10
MAX_POINTS = 100
"""So many commits of a history are looked at for its growth."""


def stats(
    repository: Repository,
    revisions: str | Sequence[str] = (),
    *,
    where: str | None = None,
    labels: Sequence[str] = (),
    growth: bool = False,
    top: int = TOP,
    progress: Progress = silent,
) -> Stats:
    """What states hold, in figures; with several, also what tells them apart.

    Args:
        repository: the repository.
        revisions: one state or several; the current directory where none is named.
        where: count only files that a query means.
        labels: list only these, given by key, name or alias. Everything is counted all the same.
        growth: look back at the commits as well.
        top: how many answers, pairs of labels, media types and sizes of pictures are listed.
        progress: told how far it is.

    Raises:
        NotFound: unknown-revision; label-not-found.
        Usage: bad-query.
        Corruption: a page is missing or damaged, or instances that a query asks about.
    """
    given = [revisions] if isinstance(revisions, str) else list(revisions)
    names = given or [repository.view.current]
    states = [repository[name] for name in names]
    query = parse(where) if where is not None else None
    wanted = _wanted(states, labels)
    listed = frozenset().union(*wanted.values()) if labels else None
    pictures = Pictures(repository)
    found, shares = [], []
    for name, state in zip(names, states, strict=True):
        notes = _noted(repository, state, query, pictures, progress)
        record = StateStats(name, state.name, state.root.hex(), state.commit.hex() if state.commit else None)
        found.append(notes.state(record, state.schema, listed, top))
        shares.append(notes.shares())
        record.growth = _growth(repository, name, state) if growth else None
    _check_found(wanted, found, states)
    return Stats(found, compare(found, shares) if len(found) > 1 else None, where or "")


def _wanted(states: Sequence[Directory], labels: Sequence[str]) -> dict[str, frozenset[str]]:
    """The keys that each name of a label means under the schemas of states; itself where they do not know it."""
    schemas = [state.schema for state in states]
    return {text: frozenset(schema.key_of(text) or text for schema in schemas) for text in labels}


def _check_found(
    wanted: Mapping[str, frozenset[str]], found: Sequence[StateStats], states: Sequence[Directory]
) -> None:
    """Raises NotFound where a label that was named is in no schema and no instance has it."""
    listed = {label.key for state in found for label in state.labels}
    schemas = [state.schema for state in states]
    for text, keys in wanted.items():
        if not keys & listed:
            near = nearest(text, {name for schema in schemas for name in (*schema.labels, *schema.names().values())})
            raise NotFound(
                "label-not-found",
                f"The schema has no label {printable(text)!r}, and no instance has it.",
                hint=f"Did you mean {near!r}?" if near else "tdvc stats lists the labels.",
                label=text,
            )


def _noted(
    repository: Repository, state: Directory, query: Query | None, pictures: Pictures, progress: Progress
) -> Notes:
    """Notes on all pages of a state; a second time where pictures had to be looked at first."""
    stale = frozenset(entry.state.file_id for entry in Marks(state).stale())

    def take() -> Notes:
        notes = Notes(stale)
        for page in _pages(repository, state, query, pictures, progress):
            notes.note(page)
        return notes

    notes = take()
    unknown = notes.unknown_pictures()
    if len(unknown):
        pictures.learn(unknown, watcher=progress)
        notes = take()
    return notes


def _pages(
    repository: Repository, state: Directory, query: Query | None, pictures: Pictures, progress: Progress
) -> Iterator[Page]:
    schema, settings = state.schema, Validation()
    for columns in _columns(repository, state, query, progress):
        facts, known = pictures.known(fixed(columns.files.column("blob")))
        known &= numbers(columns.files.column("picture"))  # other files may have the same bytes
        yield Page(columns, schema, settings, facts, known)


def _columns(repository: Repository, state: Directory, query: Query | None, progress: Progress) -> Iterator[ColumnPage]:
    """The columns of a state, of the files that a query means."""
    pages = ColumnStore(repository).of(state).pages(progress)
    if query is None:
        yield from pages
        return
    fitting = Matcher(repository, state, query, progress=progress).pages()
    for columns, (_, files) in zip(pages, fitting, strict=True):
        if len(files):
            yield _narrowed(columns, files)


def _narrowed(columns: ColumnPage, files: Ints) -> ColumnPage:
    """The columns of some files of a page, given by ascending positions."""
    if len(files) == columns.files.num_rows:
        return columns
    pa = arrow()
    places = np.full(columns.files.num_rows, -1)
    places[files] = np.arange(len(files))
    owners = places[numbers(columns.instances.column("file"))]
    instances = columns.instances.filter(column(owners >= 0, pa.bool_()))
    position = instances.schema.get_field_index("file")
    owner = column(owners[owners >= 0], pa.int32())
    instances = instances.set_column(position, instances.schema.field(position), owner)
    return ColumnPage(columns.files.take(column(files, pa.int64())), instances)


def _growth(repository: Repository, name: str, state: Directory) -> Growth | None:
    """The history that led to a state; of a living directory, to its last commit."""
    ref = repository.view.directories.get(name)
    found = list(first_parents(repository.objects, ref.commit if ref else state.commit))
    if not found:
        return None
    found.reverse()
    last = len(found) - 1
    kept: Sequence[int] = range(len(found))
    if len(found) > MAX_POINTS:
        kept = sorted({step * last // (MAX_POINTS - 1) for step in range(MAX_POINTS)})
    points = []
    for identity, commit in (found[at] for at in kept):
        counts = at_commit(repository.objects, identity).counts
        points.append(GrowthPoint(identity.hex(), commit.time, counts.files, counts.instances, counts.complete))
    return Growth(len(found), points)
