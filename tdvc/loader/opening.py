"""`tdvc.load`: from what a training script names to samples."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Usage
from tdvc.loader.rows import Rows
from tdvc.loader.samples import Samples, Transform
from tdvc.loader.state import State
from tdvc.ops.opening import open_repository
from tdvc.ops.pins import open_pin, read_pin
from tdvc.ops.querying import Matcher
from tdvc.query import Query, parse
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository

VERIFY = ("metadata", "full")


def load(
    source: Repository | Path | str,
    revision: str | None = None,
    *,
    where: str | Query | None = None,
    transform: Transform | None = None,
    verify: str = "metadata",
    memory_map: bool = True,
) -> Samples:
    """The files of a state, ready to train on.

    Args:
        source: a repository, its folder, or the file of a pin.
        revision: a snapshot, commit or directory; the current directory for None. With a pin, None.
        where: a query that says which files; see `docs/query.md`.
        transform: what is done with each sample that is given out.
        verify: `full` hashes every blob that is read. `metadata` hashes pages and instances, and of blobs compares the
            id and length that their record says.
        memory_map: map the packs into memory. False reads by calls instead, slower, for those who must keep what tools
            call resident small.

    Raises:
        NoRepository: no-repository.
        NotFound: unknown-revision; source-not-found.
        FormatError: bad-pin.
        Refused: pin-mismatch.
        Usage: bad-query; bad-usage.
        Corruption: pages are missing or damaged.
    """
    if verify not in VERIFY:
        raise Usage("bad-usage", f"verify is {verify!r}, not one of {', '.join(VERIFY)}.")
    query = parse(where) if isinstance(where, str) else where
    repository, directory = _opened(source, revision)
    state = State(repository, directory, full=verify == "full", memory_map=memory_map)
    rows = np.arange(len(state.rows)) if query is None else _matching(repository, directory, state.rows, query)
    return Samples(state, rows, transform)


def _opened(source: Repository | Path | str, revision: str | None) -> tuple[Repository, Directory]:
    if isinstance(source, Repository):
        return source, _state(source, revision)
    place = Path(source)
    if _is_file(place):
        if revision is not None:
            raise Usage("bad-usage", "A pin says which revision it is; give none.")
        return open_pin(read_pin(place), place.absolute().parent)
    repository = open_repository(place, author="loader")
    return repository, _state(repository, revision)


def _state(repository: Repository, revision: str | None) -> Directory:
    return repository.directory(None) if revision is None else repository[revision]


def _is_file(place: Path) -> bool:
    try:
        return not stat.S_ISDIR(place.stat().st_mode)
    except OSError:
        return place.suffix == ".toml"  # read_pin says what is wrong


def _matching(repository: Repository, directory: Directory, rows: Rows, query: Query) -> NDArray[np.int64]:
    """The rows that a query means."""
    found = [np.zeros(0, np.int64)]
    starts = [0, *rows.page_ends.tolist()]
    matched = Matcher(repository, directory, query).pages()
    found += [positions + start for (_, positions), start in zip(matched, starts, strict=False)]
    return np.concatenate(found)
