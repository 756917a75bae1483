"""Geometries measured many at a time agree with the model, which measures one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.columns.crossing import MAX_CORNERS, crossing_rings
from tdvc.columns.shapes import measure
from tdvc.model import geometry, numbers

COORDINATE = st.integers(-5000, 70000).map(lambda value: value / 100)
TURN = st.sampled_from([0, 90, -90, 180, 45.5, 720, 33])


def flat(points: int) -> st.SearchStrategy:
    return st.lists(COORDINATE, min_size=2 * points, max_size=2 * points)


def rings() -> st.SearchStrategy:
    return st.lists(st.integers(3, 7).flatmap(flat), min_size=1, max_size=3)


def with_turn(shape: st.SearchStrategy) -> st.SearchStrategy:
    return st.tuples(shape, st.one_of(st.none(), TURN)).map(
        lambda pair: pair[0] + ([] if pair[1] is None else [pair[1]])
    )


def box(values: list) -> list:
    a, b, c, d = values
    return [min(a, c), min(b, d), max(a, c), max(b, d)]


GEOMETRIES = {
    "tag": st.none(),
    "box": with_turn(flat(2).map(box)),
    "polygon": st.lists(rings(), min_size=1, max_size=3),
    "polyline": st.integers(2, 5).flatmap(flat),
    "point": flat(1),
    "keypoints": st.lists(st.tuples(COORDINATE, COORDINATE, st.sampled_from([0, 1, 2])), min_size=1, max_size=5).map(
        lambda points: [value for point in points for value in point]
    ),
    "ellipse": with_turn(flat(2).map(lambda v: [v[0], v[1], abs(v[2]), abs(v[3])])),
    "cuboid": flat(8),
    "curve": flat(3),
    "mask": st.sampled_from([{"counts": "011", "size": [2, 1]}, {"counts": "2", "size": [2, 1]}]),
    "text_span": st.just([1, 5]),
    "time_span": st.just([0.5, 2]),
    "relation": st.just(["a" * 32, "b" * 32]),
}


def test_every_spatial_type_is_measured_here() -> None:
    assert set(GEOMETRIES) == set(geometry.SPATIAL_TYPES)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(sorted(GEOMETRIES)).flatmap(lambda name: st.tuples(st.just(name), GEOMETRIES[name])),
        max_size=30,
    )
)
def test_boxes_and_areas_are_those_of_the_model(shapes: list) -> None:
    found = measure([name for name, _ in shapes], [numbers.spell(value) for _, value in shapes])
    for position, (name, value) in enumerate(shapes):
        expected = geometry.bounding_box(name, value)
        if expected is None:
            assert np.isnan(found.boxes[position]).all()
        else:
            assert found.boxes[position] == pytest.approx(expected, abs=1e-9)
        assert math.isclose(found.areas[position], geometry.area(name, value), rel_tol=1e-9, abs_tol=1e-6)
        assert not found.malformed[position]


MALFORMED = [
    ("box", b"[1,2,3]"),
    ("box", b"[1,2,3,4,5,6]"),
    ("box", b"[1e999,2,3,4]"),
    ("box", b'"text"'),
    ("box", b"null"),
    ("polygon", b"[]"),
    ("polygon", b"[[]]"),
    ("polygon", b"[[1,2,3,4,5,6]]"),
    ("polygon", b"[[[1,2,3,4]]]"),
    ("polygon", b"[[[1,2,3,4,5]]]"),
    ("polygon", b"[[[1,2,3,4,5,6]],[]]"),
    ("polygon", b"[[[[1,2,3,4,5,6]]]]"),
    ("polygon", b'{"a":1}'),
    ("polyline", b"[1,2"),
    ("point", b"[1,2,3]"),
    ("keypoints", b"[]"),
    ("cuboid", b"[1,2]"),
    ("curve", b"[1,2,3,4]"),
    ("mask", b"[1]"),
    ("mask", b'{"counts":"~","size":[2,2]}'),
    ("nonsense", b"null"),
]


@pytest.mark.parametrize(("name", "text"), MALFORMED)
def test_a_malformed_geometry_costs_itself_alone(name: str, text: bytes) -> None:
    good = b"[[[0,0,4,0,4,2]]]" if name == "polygon" else b"[0,0,4,2]"
    of_good = "polygon" if name == "polygon" else "box"
    found = measure([of_good, name, of_good], [good, text, good])
    assert found.malformed.tolist() == [False, True, False]
    assert found.boxes[[0, 2]].tolist() == [[0, 0, 4, 2]] * 2
    assert np.isnan(found.boxes[1]).all()


def test_nothing_is_measured_as_nothing() -> None:
    assert len(measure([], []).areas) == 0


@pytest.mark.parametrize(
    ("name", "text", "points"),
    [
        ("polygon", b"[[[0,0,4,0,4,2]]]", 3),
        ("polygon", b"[[[0,0,4,0,4,2,0,0]]]", 3),
        ("polygon", b"[[[0,0,0,0,0,0]]]", 0),
        ("polygon", b"[[[0,0,4,0,0,0]]]", 2),
        ("polygon", b"[[[0,0,4,0,4,2]],[[1,1,1,1,2,2]]]", 2),
        ("polyline", b"[1,1,1,1]", 1),
        ("polyline", b"[1,1,2,2,1,1]", 3),
        ("keypoints", b"[1,1,0,2,2,1]", 1),
        ("box", b"[0,0,1,1]", -1),
    ],
)
def test_different_points_are_counted(name: str, text: bytes, points: int) -> None:
    assert measure([name], [text]).points.tolist() == [points]


@pytest.mark.parametrize(
    ("text", "crosses"),
    [
        (b"[[[0,0,4,0,4,4,0,4]]]", False),
        (b"[[[0,0,4,4,4,0,0,4]]]", True),  # a bow tie
        (b"[[[0,0,4,0,4,4,2,0,0,4]]]", False),  # touches itself
        (b"[[[0,0,4,0,4,4]],[[0,0,4,4,4,0,0,4]]]", True),
        (b"[[[0,0,9,0,9,9,0,9],[1,1,4,4,4,1,1,4]]]", True),  # its hole does
    ],
)
def test_outlines_that_cross_themselves(text: bytes, crosses: bool) -> None:
    assert measure(["polygon"], [text]).crosses_itself.tolist() == [crosses]


def crosses_slowly(points: list[tuple[float, float]]) -> bool:
    def side(a: int, b: int, c: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = points[a], points[b], points[c]
        return (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

    count = len(points)
    edges = [(at, (at + 1) % count) for at in range(count)]
    return any(
        side(*one, other[0]) * side(*one, other[1]) < 0 and side(*other, one[0]) * side(*other, one[1]) < 0
        for one in edges
        for other in edges
        if not set(one) & set(other)
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=9), min_size=1, max_size=5)
)
def test_crossings_are_found_as_by_looking_at_every_pair_of_edges(outlines: list) -> None:
    lengths = np.array([len(points) for points in outlines])
    xs, ys = (np.array([point[axis] for points in outlines for point in points], float) for axis in (0, 1))
    found = crossing_rings(xs, ys, np.cumsum(lengths) - lengths, lengths)
    assert found.tolist() == [crosses_slowly(points) for points in outlines]


def test_a_long_outline_is_looked_at_in_parts() -> None:
    count = 600
    turn = np.arange(count) / count * 4 * np.pi  # twice round, the second time further out
    reach = 1 + turn / 10
    xs, ys = reach * np.cos(turn), reach * np.sin(turn)
    assert crossing_rings(xs, ys, np.array([0]), np.array([count])).tolist() == [True]
    assert crossing_rings(xs[: count // 2], ys[: count // 2], np.array([0]), np.array([count // 2])).tolist() == [False]


def test_an_endless_outline_is_let_be() -> None:
    count = MAX_CORNERS + 1
    dice = np.random.default_rng(1)
    xs, ys = dice.random(count), dice.random(count)
    assert not crossing_rings(xs, ys, np.array([0]), np.array([count])).any()
