"""What some refs lead to: every object that a repository needs, in the order in which it is read.

Nothing here recurses: commits, pages and operations wait in a list and are visited once. Metadata is verified as it is
read, so a walk that ends has seen a whole and sound skeleton, and one that meets a missing or damaged object raises:
who wants to remove things must not go on then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tdvc.ids import NO_ID, Kind, ObjectId
from tdvc.objects.store import ReadableObjects
from tdvc.repo.commit import read_commit, read_snapshot
from tdvc.repo.entry import FILES, PATHS
from tdvc.repo.merge import read_merge
from tdvc.repo.view import View
from tdvc.tables.page import Layout, Page

Found = tuple[Kind, Sequence[ObjectId]]
"""Objects of a kind that are needed; some may come again."""


class Reach:
    """A walk from refs to everything they lead to. One `Reach` visits nothing twice, however often it is asked.

    Args:
        objects: where metadata is read from.
    """

    def __init__(self, objects: ReadableObjects) -> None:
        self._objects = objects
        self._seen: set[ObjectId] = set()

    def _first_time(self, identity: ObjectId) -> bool:
        if identity in self._seen or identity == NO_ID:
            return False
        self._seen.add(identity)
        return True

    def of_view(self, view: View) -> Iterator[Found]:
        """What a view leads to: its staged tables first, then history."""
        yield Kind.SCHEMA, [view.schema]
        for ref in view.directories.values():
            yield from self.of_table(FILES, ref.root)
            yield from self.of_table(PATHS, ref.paths)
            if ref.schema is not None:
                yield Kind.SCHEMA, [ref.schema]
            if ref.rule is not None:
                yield Kind.RULE, [ref.rule]
        for ref in view.directories.values():
            if ref.merge is not None:
                yield Kind.MERGE, [ref.merge]
                merge = read_merge(self._objects, ref.merge)
                yield Kind.SCHEMA, [i for i in (merge.schema_before, merge.schema_after) if i is not None]
                yield from self.of_commits([merge.theirs, *merge.bases])
        yield from self.of_commits(ref.commit for ref in view.directories.values() if ref.commit is not None)
        snapshots = {**view.retired, **view.snapshots}.values()
        yield Kind.SNAPSHOT, list(snapshots)
        yield from self.of_commits(read_snapshot(self._objects, identity).commit for identity in snapshots)

    def of_commits(self, starts: Iterable[ObjectId]) -> Iterator[Found]:
        """Commits, all before them, and what they hold."""
        waiting = list(starts)
        while waiting:
            identity = waiting.pop()
            if not self._first_time(identity):
                continue
            commit = read_commit(self._objects, identity)
            yield Kind.COMMIT, [identity]
            yield Kind.SCHEMA, [commit.schema]
            yield from self.of_table(FILES, commit.root)
            waiting.extend(commit.parents)

    def of_table(self, layout: Layout, root: ObjectId) -> Iterator[Found]:
        """The pages of a table, and for one of files what its rows name, in the order of the rows."""
        waiting = [root]
        while waiting:
            identity = waiting.pop()
            if not self._first_time(identity):
                continue
            page = Page(layout, self._objects.read(Kind.PAGE, identity))
            yield Kind.PAGE, [identity]
            if page.level:
                waiting.extend(reversed(page.column(1)))
            elif layout is FILES:
                yield from _named_by_files(page)


def _named_by_files(page: Page) -> Iterator[Found]:
    yield Kind.INSTANCES, [identity for identity in page.column(4) if identity != NO_ID]
    yield Kind.BLOB, page.column(2)
    yield Kind.SCHEMA, [identity for identity in set(page.column(7)) if identity != NO_ID]
    origins = [origin for origin in page.column(10) if len(origin) == 80]
    yield Kind.BLOB, [ObjectId(origin[16:48]) for origin in origins]
    yield Kind.INSTANCES, [ObjectId(origin[48:]) for origin in origins if origin[48:] != NO_ID]
