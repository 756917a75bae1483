"""A state of a directory, opened so that any process can read it.

It travels to another process as the path of the repository and the id of the root, never as the name of a revision:
names can come to mean something else. Each process, forked or spawned, has a reader of its own: its own maps, open
files and locks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Usage
from tdvc.ids import ObjectId
from tdvc.loader.reading import Reader, swept_explained
from tdvc.loader.rows import Rows, read_rows
from tdvc.loader.targets import Classes, classes_of
from tdvc.names import printable
from tdvc.objects.store import ObjectStore
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository


class Source(Protocol):
    """Where a sample has its content from."""

    @property
    def rows(self) -> Rows:
        """What is known of each file."""

    @property
    def classes(self) -> Classes:
        """What label is which class."""

    def blob(self, row: int) -> bytes:
        """The bytes of a file. Raises Corruption."""

    def instance_set(self, row: int) -> bytes:
        """The instances of a file as they are stored. Raises Corruption."""


class State:
    """A `Source` of all files of a directory.

    Args:
        repository: the repository.
        directory: the state.
        full: hash every blob that is read.
        memory_map: map the packs.
    """

    def __init__(self, repository: Repository, directory: Directory, *, full: bool, memory_map: bool = True) -> None:
        self._repository = repository
        self._full = full
        self._memory_map = memory_map
        self._reader: Reader | None = None
        self._reader_of = 0
        self.directory = directory
        self.rows = read_rows(directory.table)
        self.classes = classes_of(directory.schema)

    def __repr__(self) -> str:
        return f"<State {printable(self.directory.title)}, {len(self.rows)} files>"

    def blob(self, row: int) -> bytes:
        """See `Source`."""
        return self.reader.blob(row)

    def iter_blobs(self, rows: NDArray[np.int64]) -> Iterator[bytes]:
        """The bytes of many files. Raises Corruption."""
        return self.reader.iter_blobs(rows)

    def instance_set(self, row: int) -> bytes:
        """See `Source`."""
        return self.reader.instance_set(row)

    @property
    def reader(self) -> Reader:
        """The reader of this process."""
        reader = self._reader
        return reader if reader is not None and self._reader_of == os.getpid() else self._opened()

    def _opened(self) -> Reader:
        """A reader of this process. What a fork took over may be locked by a thread that is not here."""
        storage = self._repository.storage
        self._reader = Reader(storage, ObjectStore(storage), self.rows, full=self._full, memory_map=self._memory_map)
        self._reader_of = os.getpid()
        return self._reader

    def __reduce__(self) -> tuple[Any, ...]:
        path, state = self._repository.path, self.directory
        if path is None:
            raise Usage("bad-usage", "A repository in memory can't be read by another process.")
        place = str(path.absolute())
        how = (self._full, self._memory_map)
        return _reopened, (place, state.name, state.root, state.schema_id, state.title, *how)


def _reopened(
    path: str, name: str, root: ObjectId, schema_id: ObjectId, title: str, full: bool, memory_map: bool
) -> State:
    repository = Repository.open(Path(path), author="")
    state = Directory(repository.objects, name=name, root=root, schema_id=schema_id, title=title)
    with swept_explained():
        return State(repository, state, full=full, memory_map=memory_map)
