"""Reading a table: pages of rows, pages of page ids above them, up to one root.

A leaf ends after a row whose key hashes to a multiple of `MEAN_ROWS`, and so does an inner page one level up, with
another seed. The cut depends on keys alone: values never move it, and the same rows give the same pages whatever was
done to arrive at them. The price is that somebody who chooses names with care can make one page very long.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import xxhash

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId
from tdvc.objects.store import ReadableObjects
from tdvc.tables.page import Layout, Page, Row

MEAN_ROWS = 256


def ends_page(key: bytes, level: int) -> bool:
    """Whether a page at `level` ends after `key`. Part of the format."""
    return xxhash.xxh3_64_intdigest(key, seed=level) % MEAN_ROWS == 0


class Totals(NamedTuple):
    """What a root says of its table without anything else being read."""

    rows: int
    sums: tuple[int, ...]


class Table:
    """A table at one moment.

    Args:
        objects: where pages are read from.
        layout: what the columns are.
        root: the id of its root page.
    """

    def __init__(self, objects: ReadableObjects, layout: Layout, root: ObjectId) -> None:
        self.objects = objects
        self.layout = layout
        self.root = root
        self._cached: dict[ObjectId, Page] = {}

    def page(self, identity: ObjectId) -> Page:
        """A page, verified and decoded. Inner pages are kept."""
        page = self._cached.get(identity)
        if page is None:
            page = Page(self.layout, self.objects.read(Kind.PAGE, identity))
            page.check_text()
            if page.level or identity == self.root:
                self._cached[identity] = page
        return page

    def totals(self) -> Totals:
        """Number of rows, and the sum of each summed column."""
        return page_totals(self.layout, self.page(self.root))

    def leaves(self, start: bytes = b"") -> Iterator[Page]:
        """The leaf pages in order, from the one that could hold `start`."""
        for identity in self.leaf_ids(start):
            yield self.page(identity)

    def leaf_ids(self, start: bytes = b"") -> Iterator[ObjectId]:
        """The ids of the leaf pages in order; leaves themselves are not read."""
        root = self.page(self.root)
        if root.level == 0:
            yield self.root
            return
        waiting = [(root, bisect_left(root.keys, start))]
        while waiting:
            page, at = waiting.pop()
            children = page.column(1)
            if page.level == 1:
                yield from children[at:]
            elif at < page.row_count:
                waiting.append((page, at + 1))
                child = self._child(page, children[at])
                waiting.append((child, bisect_left(child.keys, start)))

    def _child(self, parent: Page, identity: ObjectId) -> Page:
        child = self.page(identity)
        if child.level != parent.level - 1:
            raise Corruption("object-damaged", f"Table page {identity.hex()} is at the wrong level.")
        return child

    def scan(self, start: bytes = b"", prefix: bytes = b"") -> Iterator[Row]:
        """The rows from `start` on in key order; with `prefix`, only those whose key starts with it."""
        start = max(start, prefix)
        for page in self.leaves(start):
            keys = page.keys
            if keys and keys[0] >= start and (not prefix or keys[-1].startswith(prefix)):
                yield from page.rows()
                continue
            for at in range(bisect_left(keys, start), len(keys)):
                if prefix and not keys[at].startswith(prefix):
                    return
                yield page.row(at)

    def get(self, key: bytes) -> Row | None:
        """The row of `key`, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, Row]:
        """The rows of those keys that are there; every page that is needed is read once."""
        return {key: row for key, row in self.seek_many(keys).items() if row[0] == key}

    def with_prefix(self, prefixes: Iterable[bytes]) -> dict[bytes, Row]:
        """For each prefix that some key starts with, the first such row."""
        return {prefix: row for prefix, row in self.seek_many(prefixes).items() if row[0].startswith(prefix)}

    def seek_many(self, keys: Iterable[bytes]) -> dict[bytes, Row]:
        """For each key the first row at or after it; keys after the last row are left out."""
        found: dict[bytes, Row] = {}
        if self.page(self.root).row_count == 0:
            return found
        waiting = [(self.root, sorted(set(keys)))]
        while waiting:
            identity, wanted = waiting.pop()
            page = self.page(identity)
            present = page.keys
            many = page.level == 0 and 4 * len(wanted) > page.row_count
            rows = page.rows() if many else []
            at = first = 0
            while first < len(wanted):
                at = bisect_left(present, wanted[first], at)
                if at == len(present):
                    break
                last = bisect_left(wanted, present[at] + b"\0", first)
                if page.level:
                    waiting.append((page.column(1)[at], wanted[first:last]))
                else:
                    row = rows[at] if many else page.row(at)
                    for key in wanted[first:last]:
                        found[key] = row
                first = last
        return found


def page_totals(layout: Layout, page: Page) -> Totals:
    """The totals of the part of a table that `page` is the root of."""
    if page.level == 0:
        return Totals(page.row_count, tuple(sum(page.column(i)) for i in layout.summed_positions()))
    sums = tuple(sum(page.column(3 + i)) for i in range(len(layout.summed_positions())))
    return Totals(sum(page.column(2)), sums)
