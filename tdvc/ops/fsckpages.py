"""Pages of tables: are they in order, cut where they should be, and as the page above them says?

A page is looked at once, however many tables share it; what its parents say of it is compared each time. Nothing
recurses: pages wait in a list, the first one last, so they are met in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId
from tdvc.ops.inspection import Inspection
from tdvc.tables.page import Layout, Page, Row
from tdvc.tables.tree import Totals, ends_page, page_totals


class _Summary(NamedTuple):
    """What a page must be called by the page above it."""

    level: int
    first_key: bytes
    last_key: bytes
    totals: Totals


class _Waiting(NamedTuple):
    """A page to look at.

    Attributes:
        identity: of the page.
        ends_level: whether it is the last page of its level.
        row: what the page above says of it; None for a root.
        after: the key before its first one, None where there is none.
        level: of the page, None where it is not known.
    """

    identity: ObjectId
    ends_level: bool
    row: Row | None = None
    after: bytes | None = None
    level: int | None = None


OnLeaf = Callable[[Page, str], None]


class PageWalk:
    """Examines tables of one layout.

    Args:
        inspection: where findings go.
        layout: of the tables.
        on_leaf: given every sound leaf page, once, with the place it was met at.
    """

    def __init__(self, inspection: Inspection, layout: Layout, on_leaf: OnLeaf | None = None) -> None:
        self._inspection = inspection
        self._layout = layout
        self._on_leaf = on_leaf
        self._known: dict[ObjectId, _Summary | None] = {}
        self._walked: set[tuple[ObjectId, bool]] = set()

    def table(self, root: ObjectId, place: str) -> None:
        """Look at the table of a root."""
        waiting = [_Waiting(root, ends_level=True)]
        while waiting:
            item = waiting.pop()
            walked = (item.identity, item.ends_level) in self._walked
            self._walked.add((item.identity, item.ends_level))
            page = None if walked else self._page(item.identity, place)
            summary = self._known.get(item.identity)
            if summary is None:
                continue
            self._compare(item, summary, place)
            if page is not None and page.level:
                waiting += reversed(list(self._children(page, item, place)))

    def _page(self, identity: ObjectId, place: str) -> Page | None:
        """A page, looked at by itself where that was not done before."""
        content = self._inspection.read(Kind.PAGE, identity, place)
        if content is None:
            return None
        try:
            page = Page(self._layout, content)
            if identity not in self._known:
                self._known[identity] = None
                self._known[identity] = self._look(page, identity, place)
        except Corruption as error:
            self._inspection.lose(Kind.PAGE, identity, place, error)
            return None
        return page if self._known[identity] is not None else None

    def _look(self, page: Page, identity: ObjectId, place: str) -> _Summary:
        page.rows()
        keys = page.keys
        if any(a >= b for a, b in pairwise(keys)):
            self._wrong("page-out-of-order", "has keys that do not ascend", identity, place)
        if any(ends_page(key, page.level) for key in keys[:-1]):
            self._wrong("page-cut-wrong", "goes on after a row that ends a page", identity, place)
        summary = _Summary(
            page.level, keys[0] if keys else b"", keys[-1] if keys else b"", page_totals(self._layout, page)
        )
        if page.level == 0 and self._on_leaf is not None:
            self._on_leaf(page, place)
        return summary

    def _children(self, page: Page, item: _Waiting, place: str) -> Iterator[_Waiting]:
        """The pages below one, and whether that ends where a page below should end."""
        after, last = item.after, page.row_count - 1
        for at, row in enumerate(page.rows()):
            ends_level = item.ends_level and at == last
            if not ends_level and not ends_page(row[0], page.level - 1):
                self._wrong("page-cut-wrong", "ends after a row that ends no page", row[1], place)
            yield _Waiting(row[1], ends_level, row, after, page.level - 1)
            after = row[0]

    def _compare(self, item: _Waiting, summary: _Summary, place: str) -> None:
        if item.row is None:
            if summary.level and summary.totals.rows and summary.first_key == summary.last_key:
                self._wrong("page-cut-wrong", "is a root above one page", item.identity, place)
            return
        said = (item.row[0], item.row[2], tuple(item.row[3:]))
        if item.level != summary.level or said != (summary.last_key, *summary.totals):
            self._wrong("page-misdescribed", "is not what the page above it says", item.identity, place)
        elif item.after is not None and summary.first_key <= item.after:
            self._wrong("page-out-of-order", "begins before the page before it ends", item.identity, place)

    def _wrong(self, code: str, problem: str, identity: ObjectId, place: str) -> None:
        message = f"The page {identity.hex()} of the table {self._layout.tag.decode()!r} {problem}."
        if self._inspection.first_time(message.encode()):
            self._inspection.add(code, message, place, Kind.PAGE, identity)
