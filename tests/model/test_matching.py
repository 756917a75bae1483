"""Pairing instances that share no ids, held to every possible pairing where there are few."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.errors import Usage
from tdvc.model import matching
from tdvc.model.geometry import iou
from tdvc.model.matching import iou_matrix, match_instances
from tdvc.model.records import Instance, make_instance


def box(label: str, *corners: float, **fields: object) -> Instance:
    return make_instance({"label": label, "type": "box", "geometry": list(corners), **fields})


def other(label: str, kind: str, geometry: object = None, **fields: object) -> Instance:
    return make_instance({"label": label, "type": kind, "geometry": geometry, **fields})


def pairs(before: list[Instance], after: list[Instance], threshold: float = 0.5) -> list[tuple[int, int]]:
    return [(i, j) for i, j, _ in match_instances(before, after, threshold)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], []),
        ([box("dog", 0, 0, 10, 10)], [], []),
        ([box("dog", 0, 0, 10, 10)], [box("dog", 1, 0, 11, 10)], [(0, 0)]),
        ([box("dog", 0, 0, 10, 10)], [box("dog", 9, 0, 19, 10)], []),
        ([box("dog", 0, 0, 10, 10)], [box("cat", 1, 0, 11, 10)], [(0, 0)]),
        # an equal label comes before a larger overlap
        ([box("dog", 0, 0, 10, 10)], [box("cat", 0, 0, 10, 10), box("dog", 2, 0, 12, 10)], [(0, 1)]),
        # the best sum, not the best single pair: greedily the second of each would stay alone
        (
            [box("dog", 0, 0, 10, 10), box("dog", 3, 0, 13, 10)],
            [box("dog", 0.5, 0, 10.5, 10), box("dog", -3, 0, 7, 10)],
            [(0, 1), (1, 0)],
        ),
        # equal boxes pair in order, also many of them
        ([box("dog", 0, 0, 1, 1)] * 3, [box("dog", 0, 0, 1, 1)] * 2, [(0, 0), (1, 1)]),
        # of another frame, nothing pairs
        ([box("dog", 0, 0, 10, 10, frame=1)], [box("dog", 0, 0, 10, 10, frame=2)], []),
        ([box("dog", 0, 0, 10, 10, frame=1)], [box("dog", 0, 1, 10, 10, frame=1)], [(0, 0)]),
        # a polygon counts as its box
        ([other("dog", "polygon", [[[0, 0, 10, 0, 10, 10]]])], [box("dog", 0, 0, 10, 9)], [(0, 0)]),
        # no extent: equal or not
        ([other("night", "tag")], [other("day", "tag"), other("night", "tag")], [(0, 1)]),
        ([other("a", "point", [3, 4])], [other("a", "point", [3.0, 4]), other("a", "point", [3, 5])], [(0, 0)]),
        # spans overlap in time, and never with a box
        ([other("bark", "time_span", [0, 4])], [other("bark", "time_span", [1, 4])], [(0, 0)]),
        ([other("bark", "time_span", [0, 4])], [box("bark", 0, 0, 4, 1)], []),
    ],
)
def test_which_instances_pair(before: list[Instance], after: list[Instance], expected: list[tuple[int, int]]) -> None:
    assert pairs(before, after) == expected


def test_a_pair_says_how_much_it_overlaps() -> None:
    ((_, _, overlap),) = match_instances([box("dog", 0, 0, 10, 10)], [box("dog", 0, 0, 10, 8)])
    assert overlap == pytest.approx(0.8)


@pytest.mark.parametrize("threshold", [0, -0.5, 1.01, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(Usage):
        match_instances([], [], threshold)


def test_the_threshold_itself_is_enough() -> None:
    before, after = [box("dog", 0, 0, 10, 10)], [box("dog", 0, 0, 10, 5)]
    assert pairs(before, after, 0.5) == [(0, 0)]
    assert pairs(before, after, 0.51) == []


corner = st.integers(0, 8)
boxes = st.lists(
    st.builds(
        lambda label, x, y, w, h: box(label, x, y, x + w, y + h),
        st.sampled_from(["dog", "dog", "cat"]),
        corner,
        corner,
        st.integers(1, 9),
        st.integers(1, 9),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(boxes, boxes, st.sampled_from([0.1, 0.3, 0.5]))
def test_every_label_gets_the_largest_sum_of_overlaps(
    before: list[Instance], after: list[Instance], threshold: float
) -> None:
    before = [*{(i.label, bytes(i.geometry)): i for i in before}.values()]
    after = [i for i in after if bytes(i.geometry) not in {bytes(other.geometry) for other in before}]
    found = match_instances(before, after, threshold)
    assert len({i for i, _, _ in found}) == len({j for _, j, _ in found}) == len(found)
    assert all(overlap >= threshold for _, _, overlap in found)
    for label in ("dog", "cat"):
        rows = [i for i in before if i.label == label]
        columns = [i for i in after if i.label == label]
        agreed = sum(overlap for i, j, overlap in found if before[i].label == after[j].label == label)
        assert agreed == pytest.approx(_best_sum(rows, columns, threshold))


def _best_sum(rows: list[Instance], columns: list[Instance], threshold: float) -> float:
    if len(rows) > len(columns):
        rows, columns = columns, rows

    def worth(a: Instance, b: Instance) -> float:
        overlap = iou(a.bounding_box or (0, 0, 0, 0), b.bounding_box or (0, 0, 0, 0))
        return overlap if overlap >= threshold else 0.0

    return max(
        sum(worth(a, b) for a, b in zip(rows, chosen, strict=True)) for chosen in permutations(columns, len(rows))
    )


@settings(max_examples=50, deadline=None)
@given(boxes)
def test_a_set_pairs_with_itself(instances: list[Instance]) -> None:
    copies = [make_instance({"label": i.label, "type": "box", "geometry": i.geometry}) for i in instances]
    assert match_instances(instances, copies) == [(i, i, 1.0) for i in range(len(instances))]


def test_a_heap_of_near_copies_is_paired_too() -> None:
    count = matching.MAX_EXACT * 2
    before = [box("dog", i / 100, 0, 100 + i / 100, 100) for i in range(count)]
    after = [box("dog", i / 100, 0.5, 100 + i / 100, 100) for i in range(count)]
    assert len(match_instances(before, after)) == count


def test_overlaps_do_not_depend_on_the_block_they_are_computed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [box("dog", 20 * i, 0, 20 * i + 10, 10) for i in range(30)]
    after = [box("dog", 20 * i + 1, 0, 20 * i + 11, 10) for i in range(30)]
    whole = match_instances(before, after)
    monkeypatch.setattr(matching, "_BLOCK", 64)
    assert match_instances(before, after) == whole
    monkeypatch.setattr(matching, "MAX_COMPARISONS", 100)
    assert match_instances(before, after) == []


def test_the_matrix_is_that_of_single_boxes() -> None:
    some = [(0.0, 0.0, 4.0, 4.0), (2.0, 2.0, 6.0, 6.0), (1.0, 1.0, 1.0, 1.0), (9.0, 9.0, 10.0, 12.0)]
    assert np.allclose(iou_matrix(np.array(some), np.array(some)), [[iou(a, b) for b in some] for a in some])
