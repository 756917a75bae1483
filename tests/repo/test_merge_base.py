"""Best common ancestors, held to a reference that looks at every pair of commits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.ids import NO_ID, Kind, ObjectId
from tdvc.repo.ancestry import MAX_LEVELS, History
from tdvc.repo.commit import Commit
from tdvc.repo.repository import Repository

Graph = list[tuple[int, ...]]
"""For each commit its parents, by number; all of them smaller."""


class Commits:
    """A store that holds commits alone, and counts how often each is read."""

    def __init__(self, graph: Graph, times: list[int] | None = None) -> None:
        self.ids: list[ObjectId] = []
        self.reads: dict[bytes, int] = {}
        self._content: dict[bytes, bytes] = {}
        for number, parents in enumerate(graph):
            identity = ObjectId(number.to_bytes(32, "big"))
            moment = times[number] if times else number
            time = f"2026-01-01T00:00:00.{moment:06}Z"
            commit = Commit("Main", NO_ID, NO_ID, tuple(self.ids[p] for p in parents), "Ada", time, str(number))
            self.ids.append(identity)
            self._content[identity] = commit.encode()

    def read(self, kind: Kind, identity: ObjectId) -> bytes:
        assert kind is Kind.COMMIT
        self.reads[identity] = self.reads.get(identity, 0) + 1
        return self._content[identity]


def bases(graph: Graph, ours: int, *theirs: int, times: list[int] | None = None) -> list[int]:
    commits = Commits(graph, times)
    found = History(commits).merge_bases(commits.ids[ours], *(commits.ids[number] for number in theirs))
    assert all(count == 1 for count in commits.reads.values())
    return [commits.ids.index(identity) for identity in found]


def reachable(graph: Graph, start: int) -> set[int]:
    found = {start}
    for number in range(start, -1, -1):
        if number in found:
            found.update(graph[number])
    return found


def naive(graph: Graph, ours: int, *theirs: int) -> list[int]:
    common = reachable(graph, ours) & set().union(*(reachable(graph, number) for number in theirs))
    return sorted(c for c in common if not any(c != other and c in reachable(graph, other) for other in common))


LINE: Graph = [(), (0,), (1,), (2,)]
FORK: Graph = [(), (0,), (0,), (1,), (2,)]
CROSSED: Graph = [(), (0,), (0,), (1, 2), (2, 1), (3,), (4,)]
CROSSED_TWICE: Graph = [(), (0,), (0,), (1, 2), (2, 1), (3, 4), (4, 3)]
UNRELATED: Graph = [(), (), (0,), (1,)]


@pytest.mark.parametrize(
    ("graph", "ours", "theirs", "expected"),
    [
        (LINE, 3, 3, [3]),
        (LINE, 3, 1, [1]),
        (LINE, 1, 3, [1]),
        (FORK, 3, 4, [0]),
        (FORK, 3, 1, [1]),
        (CROSSED, 5, 6, [1, 2]),
        (CROSSED, 3, 4, [1, 2]),
        (CROSSED, 5, 2, [2]),
        (CROSSED_TWICE, 5, 6, [3, 4]),
        (UNRELATED, 2, 3, []),
    ],
)
def test_bases_of_known_histories(graph: Graph, ours: int, theirs: int, expected: list[int]) -> None:
    assert bases(graph, ours, theirs) == expected == naive(graph, ours, theirs)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    graph: Graph = [()]
    for number in range(1, draw(st.integers(2, 14))):
        graph.append(tuple(draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True))))
    return graph


@settings(max_examples=300, deadline=None)
@given(st.data(), graphs())
def test_bases_are_those_of_the_reference(data: st.DataObject, graph: Graph) -> None:
    numbers = st.integers(0, len(graph) - 1)
    ours, theirs = data.draw(numbers), data.draw(st.lists(numbers, min_size=1, max_size=3))
    times = data.draw(st.none() | st.lists(st.integers(0, 20), min_size=len(graph), max_size=len(graph)))
    assert bases(graph, ours, *theirs, times=times) == naive(graph, ours, *theirs)


def levels(graph: Graph, ours: int, theirs: int) -> list[list[int]]:
    commits = Commits(graph)
    found = History(commits).base_levels(commits.ids[ours], commits.ids[theirs])
    return [[commits.ids.index(identity) for identity in level] for level in found]


def test_several_bases_have_bases_of_their_own() -> None:
    assert levels(FORK, 3, 4) == [[0]]
    assert levels(CROSSED, 5, 6) == [[1, 2], [0]]
    assert levels(CROSSED_TWICE, 5, 6) == [[3, 4], [1, 2], [0]]
    assert levels(UNRELATED, 2, 3) == []


def test_histories_that_always_cross_end_at_a_limit() -> None:
    graph: Graph = [(), ()]
    for left in range(0, 200, 2):
        graph += [(left, left + 1), (left + 1, left)]
    assert len(levels(graph, 200, 201)) == MAX_LEVELS


def chain(length: int) -> Graph:
    return [(), *((number,) for number in range(length - 1))]


def test_a_long_history_is_read_as_far_as_the_branches_go() -> None:
    graph = [*chain(10_000), (9_990,), (10_000,)]
    commits = Commits(graph)
    history = History(commits)
    assert history.merge_bases(commits.ids[9_999], commits.ids[10_001]) == [commits.ids[9_990]]
    assert history.commits_read <= 15


def test_an_ancestor_is_found_without_looking_further_back() -> None:
    commits = Commits(chain(10_000))
    history = History(commits)
    assert history.merge_bases(commits.ids[9_999], commits.ids[9_900]) == [commits.ids[9_900]]
    assert history.commits_read <= 102


def test_the_whole_of_a_long_history_can_be_walked() -> None:
    graph = [*chain(10_000), (0,)]
    commits = Commits(graph)
    assert History(commits).merge_bases(commits.ids[10_000], commits.ids[9_999]) == [commits.ids[0]]


def test_commits_of_a_repository_are_understood(repository: Repository) -> None:
    identities = []
    for number in range(3):
        with repository.transaction("commit") as edit:
            edit.add_bytes("Main", f"{number}.jpg", b"x")
        with repository.transaction("commit") as edit:
            identities.append(edit.commit("Main", str(number)))
    assert History(repository.objects).merge_bases(identities[0], identities[2]) == [identities[0]]
