"""The cache of columns: one file for every leaf page of a directory, named by the page's id.

A page never changes, so neither do its columns, and whatever shares the page shares them: commits, snapshots, clones of
directories. A file that is damaged, cut short or of another format is made again; where nothing can be
written, the columns are made in memory each time. Two processes that make the same file write the same bytes.

Columns with a damaged instance set are not kept: the set may be healed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tdvc.columns.arrays import column, numbers
from tdvc.columns.build import build
from tdvc.columns.layout import FOLDER, OLD_FOLDERS, ColumnPage, arrow, decode, encode
from tdvc.errors import StorageFailure
from tdvc.ids import ObjectId
from tdvc.repo.directory import Directory
from tdvc.tables.page import Row
from tdvc.workers import spread, worker_count

if TYPE_CHECKING:
    from tdvc.storage.base import Storage

Watcher = Callable[[str, int, int | None], None]

ROWS_TOGETHER = 256
"""Files that are turned into columns at a time where they are not a page."""

_WORTH_WORKERS = 8  # pages


class ColumnTables(NamedTuple):
    """All of a directory: `files` and `instances`, whose `file` is the row of its file in `files`."""

    files: Any
    instances: Any


class Stored(Protocol):
    """A repository, or its objects."""

    @property
    def storage(self) -> Storage:
        """Where its bytes are."""
        ...


class ColumnStore:
    """The columns of a repository.

    Args:
        stored: whose storage holds the cache.
    """

    def __init__(self, stored: Stored) -> None:
        self._storage = stored.storage

    def of(self, directory: Directory) -> Columns:
        """The columns of a directory. Nothing is read before somebody asks."""
        return Columns(self, directory)

    def read(self, page: ObjectId) -> ColumnPage | None:
        """The cached columns of a page, mapped; None where they are not there or not whole."""
        try:
            return decode(self._storage.mapped(_name(page)), page)
        except (FileNotFoundError, StorageFailure):
            return None

    def cached(self) -> set[str]:
        """The pages, in hexadecimal, of which there is a file."""
        return set(self._storage.names(FOLDER))

    def damaged(self) -> list[str]:
        """The files of the cache that are not whole, or not of the page that they are named by."""
        names = sorted(self.cached())
        whole = {name for name in names if _PAGE_ID(name) and self.read(ObjectId(bytes.fromhex(name))) is not None}
        return [f"{FOLDER}/{name}" for name in names if name not in whole]

    def unneeded(self, needed: Callable[[list[bytes]], Sequence[bool]]) -> list[str]:
        """The files of the cache whose page nothing needs, and those of older formats.

        Args:
            needed: which of some ids of pages something needs.
        """
        names = sorted(self.cached())
        pages = [name for name in names if _PAGE_ID(name)]
        wanted = dict(zip(pages, needed([bytes.fromhex(name) for name in pages]), strict=True))
        outdated = [f"{folder}/{name}" for folder in OLD_FOLDERS for name in self._storage.names(folder)]
        return outdated + [f"{FOLDER}/{name}" for name in names if not wanted.get(name, False)]

    def keep(self, page: ObjectId, columns: ColumnPage, content: bytes | None = None) -> None:
        """Cache the columns of a page, unless a damaged set is in them."""
        if not columns.files.column("damaged").true_count:
            self._storage.replace_cache(_name(page), content or encode(columns, page))


_PAGE_ID = re.compile("[0-9a-f]{64}").fullmatch


def _name(page: ObjectId) -> str:
    return f"{FOLDER}/{page.hex()}"


class Columns:
    """The columns of one state of a directory."""

    def __init__(self, store: ColumnStore, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def pages(self, watcher: Watcher | None = None, *, workers: int | None = None) -> Iterator[ColumnPage]:
        """The columns of every leaf page in path order, one page in memory at a time; missing ones are made.

        Args:
            watcher: told how many pages are done.
            workers: processes that make what is missing; as many as are worth having for None.

        Raises:
            Corruption: a page is missing or damaged.
        """
        pages = list(self._directory.table.leaf_ids())
        known = self._store.cached()
        missing = [page for page in pages if page.hex() not in known]
        made = self._made(missing, worker_count() if workers is None else workers)
        for done, page in enumerate(pages):
            if watcher is not None:
                watcher("reading columns", done, len(pages))
            if page.hex() in known:
                yield self._store.read(page) or self._made_again(page)
            else:
                yield next(made)

    def _made(self, missing: list[ObjectId], workers: int) -> Iterator[ColumnPage]:
        """Columns that are not in the cache, made in other processes and put there by this one."""
        if len(missing) < _WORTH_WORKERS:
            yield from map(self._made_again, missing)
            return
        arrow()
        for page, content in zip(missing, spread(self._encoded, missing, workers=workers), strict=True):
            columns = decode(memoryview(content), page)
            if columns is None:
                columns = build(self._directory.objects, self._directory.table.page(page).rows())
            self._store.keep(page, columns, content)
            yield columns

    def _encoded(self, page: ObjectId, slot: int) -> bytes:
        del slot
        return encode(build(self._directory.objects, self._directory.table.page(page).rows()), page)

    def _made_again(self, page: ObjectId) -> ColumnPage:
        columns = build(self._directory.objects, self._directory.table.page(page).rows())
        self._store.keep(page, columns)
        return columns

    def of_rows(self, rows: Sequence[Row]) -> Iterator[ColumnPage]:
        """The columns of some rows, some at a time. Nothing is cached: time follows the rows."""
        for first in range(0, len(rows), ROWS_TOGETHER):
            yield build(self._directory.objects, rows[first : first + ROWS_TOGETHER])

    def tables(self) -> ColumnTables:
        """Everything as two tables over the mapped files; only the column `file` of instances is made anew."""
        pa = arrow()
        files, instances, first = [], [], 0
        for page in self.pages():
            files.append(page.files)
            position = page.instances.schema.get_field_index("file")
            moved = column(numbers(page.instances.column(position)).astype("int64") + first, pa.int64())
            instances.append(page.instances.set_column(position, pa.field("file", pa.int64()), moved))
            first += page.files.num_rows
        return ColumnTables(pa.Table.from_batches(files), pa.Table.from_batches(instances))
