"""Building a table and changing some of its rows, so that both ways lead to the same pages.

An edit works upwards, level by level. At each level the pages that hold changed keys are read, their rows replaced and
cut again; a page that lost its last key runs on into the next one until a cut fits again. What became of the pages is
itself a set of changed rows for the level above, keyed by last key. So one function serves every level, and a change to
one row touches one page a level.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId
from tdvc.objects.store import ReadableObjects
from tdvc.tables.page import Layout, Page, Row, encode_page
from tdvc.tables.tree import Table, ends_page


class WritableObjects(ReadableObjects, Protocol):
    """Where pages are read from and written to."""

    def put(self, kind: Kind, content: bytes) -> ObjectId:
        """Store an object and return its id."""


Changes = Mapping[bytes, Row | None]
"""Key to new row, or to None where the row goes."""


def build(objects: WritableObjects, layout: Layout, rows: Iterable[Row]) -> ObjectId:
    """Write the table of `rows`, which must be sorted by key and have no key twice; returns its root id."""
    return _build_up(objects, layout, 0, rows)


def empty(objects: WritableObjects, layout: Layout) -> ObjectId:
    """Write the table with no rows."""
    return build(objects, layout, ())


def _build_up(objects: WritableObjects, layout: Layout, level: int, rows: Iterable[Row]) -> ObjectId:
    above = [_write(objects, layout, level, page) for page in _cut(rows, level)]
    while len(above) > 1:
        level += 1
        above = [_write(objects, layout, level, page) for page in _cut(above, level)]
    if not above:
        return objects.put(Kind.PAGE, encode_page(layout, 0, ()))
    root: ObjectId = above[0][1]
    return root


def _cut(rows: Iterable[Row], level: int) -> Iterator[list[Row]]:
    page: list[Row] = []
    for row in rows:
        page.append(row)
        if ends_page(row[0], level):
            yield page
            page = []
    if page:
        yield page


def _write(objects: WritableObjects, layout: Layout, level: int, rows: list[Row]) -> Row:
    """Store a page; returns the row that stands for it one level up."""
    identity = objects.put(Kind.PAGE, encode_page(layout, level, rows))
    if level == 0:
        sums = tuple(sum(row[i] for row in rows) for i in layout.summed_positions())
        return (rows[-1][0], identity, len(rows), *sums)
    columns = list(zip(*rows, strict=True))
    return (rows[-1][0], identity, sum(columns[2]), *(sum(column) for column in columns[3:]))


def edit(objects: WritableObjects, layout: Layout, root: ObjectId, changes: Changes) -> ObjectId:
    """The table at `root` with `changes`; returns the new root id, the same where nothing changes."""
    if not changes:
        return root
    table = Table(objects, layout, root)
    top = table.page(root).level
    for level in range(top):
        changes = _edit_level(objects, table, level, changes)
        if not changes:
            return root
    rows = _merged(table.page(root).rows(), sorted(changes.items()))
    return _shrunk(objects, layout, _build_up(objects, layout, top, rows))


def _shrunk(objects: WritableObjects, layout: Layout, root: ObjectId) -> ObjectId:
    """Drop levels that hold one page only."""
    while True:
        page = Page(layout, objects.read(Kind.PAGE, root))
        if page.level == 0 or page.row_count != 1:
            return root
        root = page.column(1)[0]


def _edit_level(objects: WritableObjects, table: Table, level: int, changes: Changes) -> dict[bytes, Row | None]:
    """Apply `changes` to the pages at `level`; returns the changes this makes one level up."""
    above: dict[bytes, Row | None] = {}
    ordered = sorted(changes.items())
    keys = [key for key, _ in ordered]
    cursor = _Cursor(table, level)
    done = 0
    while done < len(ordered):
        cursor.seek(keys[done])
        rows: list[Row] = []
        before: dict[bytes, Row] = {}
        while True:
            last = len(ordered) if cursor.at_end else bisect_left(keys, cursor.last_key + b"\0", done)
            before[cursor.last_key] = cursor.standing_row
            rows += _merged(cursor.page.rows(), ordered[done:last])
            done = last
            if cursor.at_end or not rows or ends_page(rows[-1][0], level):
                break
            cursor.advance()
        after = {row[0]: row for row in (_write(objects, table.layout, level, page) for page in _cut(rows, level))}
        for key in before.keys() | after.keys():
            if before.get(key) != after.get(key):
                above[key] = after.get(key)
    return above


def _merged(rows: list[Row], changes: list[tuple[bytes, Row | None]]) -> list[Row]:
    if not changes:
        return rows
    by_key: dict[bytes, Row | None] = {row[0]: row for row in rows}
    by_key.update(changes)
    return [row for _, row in sorted(by_key.items()) if row is not None]


class _Cursor:
    """A place among the pages of one level, found from the root downwards."""

    def __init__(self, table: Table, level: int) -> None:
        self._table = table
        self._level = level
        self._path: list[tuple[Page, int]] = []

    def seek(self, key: bytes) -> None:
        """Go to the page that holds `key` or would hold it: the first whose last key is not smaller, or the last."""
        self._path = []
        self._descend(self._table.page(self._table.root), key)

    def _descend(self, page: Page, key: bytes) -> None:
        while page.level > self._level:
            at = min(bisect_left(page.keys, key), page.row_count - 1)
            self._path.append((page, at))
            below = self._table.page(page.column(1)[at])
            if below.level != page.level - 1:
                raise Corruption("object-damaged", "A table page is at the wrong level.")
            page = below
        self.page = page

    def advance(self) -> None:
        """Go to the next page of the level."""
        while True:
            page, at = self._path.pop()
            if at + 1 < page.row_count:
                break
        self._path.append((page, at + 1))
        self._descend(self._table.page(page.column(1)[at + 1]), b"")

    @property
    def at_end(self) -> bool:
        """Whether this is the last page of the level."""
        return all(at + 1 == page.row_count for page, at in self._path)

    @property
    def standing_row(self) -> Row:
        """The row one level up that stands for this page."""
        page, at = self._path[-1]
        return page.row(at)

    @property
    def last_key(self) -> bytes:
        """The last key of this page, as the level above has it."""
        key: bytes = self.standing_row[0]
        return key
