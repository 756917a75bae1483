"""What two commits have in common: their best common ancestors, over all parents.

The walk goes from both commits at once, newest first, and marks what each side reaches. A commit that both reach is
common, and everything before it is *stale*: no better answer can be there. As soon as only stale commits are left to
look at, the walk ends, so what it costs is the length of the two branches and not of the history. Every commit is read
once; nothing recurses.

Times only decide in which order commits are looked at. Where clocks disagreed, a mark may come late; the commit is
looked at again then, and answers that turn out to be ancestors of others are struck at the end.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from tdvc.ids import ObjectId
from tdvc.objects.store import ReadableObjects
from tdvc.repo.commit import Commit, read_commit

MAX_LEVELS = 8
"""How often histories may have crossed before a base counts as one that can't be told."""

_OURS, _THEIRS, _STALE = 1, 2, 4
_COMMON = _OURS | _THEIRS


class History:
    """Commits, each read once."""

    def __init__(self, objects: ReadableObjects) -> None:
        self._objects = objects
        self._commits: dict[ObjectId, Commit] = {}

    @property
    def commits_read(self) -> int:
        """How many commits were read so far."""
        return len(self._commits)

    def commit(self, identity: ObjectId) -> Commit:
        """A commit by its id. Raises Corruption."""
        found = self._commits.get(identity)
        if found is None:
            found = self._commits[identity] = read_commit(self._objects, identity)
        return found

    def merge_bases(self, ours: ObjectId, *theirs: ObjectId) -> list[ObjectId]:
        """The best common ancestors of one commit and of others taken together, ordered by id.

        Best are those that are no ancestor of another common one. More than one where history crossed; none where the
        two have nothing in common. The answer is `ours` alone where some of the others have it in their history.
        """
        common = self._common(ours, theirs)
        return sorted(self._independent(common) if len(common) > 1 else common)

    def base_levels(self, ours: ObjectId, theirs: ObjectId) -> list[list[ObjectId]]:
        """The best common ancestors; where they are several, theirs on the next level, and so on.

        Returns:
            Levels for `tdvc.model.merge.settle`; empty where there is no common ancestor. The last level has more than
            one commit where these have nothing in common, or after `MAX_LEVELS`.
        """
        levels = []
        found = self.merge_bases(ours, theirs)
        while found:
            levels.append(found)
            if len(found) == 1 or len(levels) == MAX_LEVELS:
                break
            found = self.merge_bases(found[0], *found[1:])
        return levels

    def _common(self, ours: ObjectId, theirs: Sequence[ObjectId]) -> list[ObjectId]:
        marks: dict[ObjectId, int] = {}
        queue = _Queue(self)
        for identity, mark in ((ours, _OURS), *((identity, _THEIRS) for identity in theirs)):
            marks[identity] = marks.get(identity, 0) | mark
            queue.add(identity, stale=False)
        common: dict[ObjectId, None] = {}
        while queue.fresh:
            identity = queue.pop()
            mark = marks[identity]
            if mark & _COMMON == _COMMON:
                if not mark & _STALE:
                    common[identity] = None
                mark |= _STALE
            for parent in self.commit(identity).parents:
                before = marks.get(parent, 0)
                if before | mark != before:
                    marks[parent] = before | mark
                    queue.add(parent, stale=bool(marks[parent] & _STALE))
        return [identity for identity in common if not marks[identity] & _STALE]

    def _independent(self, commits: Iterable[ObjectId]) -> list[ObjectId]:
        """Those that are no ancestor of another."""
        left = dict.fromkeys(commits)
        for start in list(left):
            waiting = list(self.commit(start).parents) if start in left else []
            seen = set(waiting)
            while waiting and len(left) > 1:
                identity = waiting.pop()
                left.pop(identity, None)
                new = [parent for parent in self.commit(identity).parents if parent not in seen]
                seen.update(new)
                waiting += new
        return list(left)


class _Queue:
    """Commits to look at, newest first; knows how many of them may still lead to an answer."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._heap: list[tuple[_Newest, ObjectId]] = []
        self._stale: dict[ObjectId, bool] = {}
        self.fresh = 0

    def add(self, identity: ObjectId, *, stale: bool) -> None:
        """A commit is to be looked at, again where it was before."""
        waiting = self._stale.get(identity)
        if waiting is None:
            heapq.heappush(self._heap, (_Newest(self._history.commit(identity).time), identity))
            self.fresh += not stale
        elif stale and not waiting:
            self.fresh -= 1
        self._stale[identity] = stale or bool(waiting)

    def pop(self) -> ObjectId:
        """The newest."""
        _, identity = heapq.heappop(self._heap)
        self.fresh -= not self._stale.pop(identity)
        return identity


class _Newest(str):
    """A time that sorts before earlier ones."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)
