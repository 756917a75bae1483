"""What differs between two tables, reading only what they do not share.

Equal page ids mean equal rows, so a subtree that stands in both is skipped whole. What is left on each side is a list
of leaf pages in key order; where both sides have a page with the same keys, as after any edit of values, whole columns
are compared as bytes before any row is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tdvc.ids import ObjectId
from tdvc.tables.page import Page, Row
from tdvc.tables.tree import Table

RowChange = tuple[bytes, Row | None, Row | None]
"""Key, row before, row after; None where it is not there."""


def diff_rows(before: Table, after: Table) -> Iterator[RowChange]:
    """Every key whose row differs, in key order."""
    if before.root == after.root:
        return
    old, new = _unshared_leaves(before, after)
    yield from _compare(_pages(before, old), _pages(after, new))


def _pages(table: Table, leaf_ids: list[ObjectId]) -> Iterator[Page]:
    return (table.page(identity) for identity in leaf_ids)


def _unshared_leaves(before: Table, after: Table) -> tuple[list[ObjectId], list[ObjectId]]:
    old, new = [before.root], [after.root]
    old_level, new_level = before.page(before.root).level, after.page(after.root).level
    while True:
        if old_level == new_level:
            shared = set(old) & set(new)
            old = [identity for identity in old if identity not in shared]
            new = [identity for identity in new if identity not in shared]
        if max(old_level, new_level) == 0:
            return old, new
        deepest = max(old_level, new_level)
        if old_level == deepest:
            old, old_level = _children(before, old), old_level - 1
        if new_level == deepest:
            new, new_level = _children(after, new), new_level - 1


def _children(table: Table, identities: list[ObjectId]) -> list[ObjectId]:
    return [child for identity in identities for child in table.page(identity).column(1)]


def _compare(old: Iterator[Page], new: Iterator[Page]) -> Iterator[RowChange]:
    """Walk both lists of pages from one common last key to the next."""
    a, b = next(old, None), next(new, None)
    while a is not None and b is not None:
        differing = a.differing_rows(b)
        if differing is not None:
            keys = a.keys
            yield from ((keys[i], a.row(i), b.row(i)) for i in differing)
            a, b = next(old, None), next(new, None)
            continue
        a_rows, b_rows = a.rows(), b.rows()
        a_end, b_end = _last_key(a), _last_key(b)
        while a_end != b_end:
            if a_end is not None and (b_end is None or a_end < b_end):
                a = next(old, None)
                a_end = _last_key(a) if a else None
                a_rows += a.rows() if a else []
            else:
                b = next(new, None)
                b_end = _last_key(b) if b else None
                b_rows += b.rows() if b else []
            if a_end is None and b_end is None:
                break
        yield from _compare_rows(a_rows, b_rows)
        a, b = next(old, None), next(new, None)
    for page in _rest(a, old):
        yield from ((row[0], row, None) for row in page.rows())
    for page in _rest(b, new):
        yield from ((row[0], None, row) for row in page.rows())


def _last_key(page: Page) -> bytes | None:
    return page.keys[-1] if page.row_count else None


def _rest(page: Page | None, pages: Iterator[Page]) -> Iterator[Page]:
    if page is not None:
        yield page
        yield from pages


def _compare_rows(old: list[Row], new: list[Row]) -> Iterator[RowChange]:
    before = {row[0]: row for row in old}
    after = {row[0]: row for row in new}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield key, before.get(key), after.get(key)
