from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tdvc.model.grouping import Ties


def test_ties_reach_through_others() -> None:
    ties = Ties(6)
    ties.tie(4, 2)
    ties.tie_equal([(0, "a"), (2, "b"), (5, "b"), (3, "a")])
    assert ties.groups() == [[0, 3], [1], [2, 4, 5]]


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=40), st.randoms())
def test_groups_are_the_same_in_any_order_of_ties(pairs: list[tuple[int, int]], random) -> None:
    one, other = Ties(20), Ties(20)
    for pair in pairs:
        one.tie(*pair)
    random.shuffle(pairs)
    for left, right in pairs:
        other.tie(right, left)
    assert one.groups() == other.groups()
    assert sorted(thing for group in one.groups() for thing in group) == list(range(20))
    assert all(one.group(left) == one.group(right) for left, right in pairs)
