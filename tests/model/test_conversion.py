from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.model import geometry, numbers
from tdvc.model.conversion import CONVERSIONS, boxed, converted
from tdvc.model.masks import encode_rle
from tdvc.model.records import make_instance


@pytest.mark.parametrize(
    ("source", "target", "shape", "expected"),
    [
        ("polygon", "box", "[[[1.50,2,30,4e1,5,6]]]", "[1.50,2,30,4e1]"),
        ("polygon", "box", "[[[0,0,9,0,9,9],[1,1,2,1,2,2]],[[20,-1.0,21,3,22,4]]]", "[0,-1.0,22,9]"),
        ("box", "polygon", "[1.0,2,3.50,4]", "[[[1.0,2,3.50,2,3.50,4,1.0,4]]]"),
    ],
)
def test_conversions_keep_the_numbers(source: str, target: str, shape: str, expected: str) -> None:
    assert numbers.spell(converted(source, target, numbers.parse(shape))).decode() == expected


def test_the_box_of_a_mask_is_around_its_pixels() -> None:
    pixels = np.zeros((4, 5), bool)
    pixels[1:3, 2:4] = True
    assert converted("mask", "box", encode_rle(pixels)) == [2, 1, 4, 3]


@pytest.mark.parametrize(
    ("source", "target", "shape"),
    [("box", "mask", "[0,0,1,1]"), ("ellipse", "box", "[1,1,2,2]"), ("mask", "box", '{"counts":"<","size":[4,3]}')],
)
def test_what_has_no_exact_counterpart_is_not_converted(source: str, target: str, shape: str) -> None:
    assert converted(source, target, numbers.parse(shape)) is None


coordinate = st.integers(-1000, 1000).map(lambda value: value / 8)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=8))
def test_the_box_of_a_polygon_is_its_bounding_box(points: list[tuple[float, float]]) -> None:
    polygon: Any = [[[value for point in points for value in point]]]
    box = converted("polygon", "box", numbers.parse(numbers.spell(polygon)))
    assert tuple(numbers.plain(box)) == geometry.bounding_box("polygon", polygon)


@given(st.lists(coordinate, min_size=2, max_size=2), st.floats(0, 359).filter(lambda angle: angle % 90))
def test_a_turned_box_becomes_the_polygon_of_its_corners(at: list[float], angle: float) -> None:
    box = [*at, at[0] + 4, at[1] + 2, angle]
    polygon = converted("box", "polygon", numbers.parse(numbers.spell(box)))
    assert geometry.area("polygon", polygon) == pytest.approx(8)


def test_every_conversion_is_between_spatial_types() -> None:
    assert {name for pair in CONVERSIONS for name in pair} <= set(geometry.SPATIAL_TYPES)


@pytest.mark.parametrize(
    ("type_", "shape", "expected"),
    [
        ("polygon", [[[1.5, 2, 30, 40, 5, 6], [2, 3, 4, 3, 4, 5]]], "[1.5,2,30,40]"),
        ("polygon", [[[0, 0, 9, 0, 9, 9]], [[20, -1.25, 21, 3, 22, 4]]], "[0,-1.25,22,9]"),
        ("ellipse", [10, 10, 4, 2], "[6,8,14,12]"),
        ("box", [0, 0, 10, 4, 90], "[3,-3,7,7]"),
        ("mask", encode_rle(np.pad(np.ones((2, 3), bool), 1)), "[1,1,4,3]"),
        ("keypoints", [1, 2, 2, 5, 9, 1, 0, 0, 0], "[1,2,5,9]"),
    ],
)
def test_boxed(type_: str, shape: Any, expected: str) -> None:
    instance = make_instance({"label": "dog", "type": type_, "geometry": shape, "score": 0.5})
    found = boxed(instance)
    assert (found.type, bytes(found.geometry).decode()) == ("box", expected)
    assert (found.instance_id, found.label, found.score) == (instance.instance_id, "dog", instance.score)


@pytest.mark.parametrize(
    ("type_", "shape"),
    [
        ("box", [1, 2, 3, 4]),
        ("point", [1, 2]),
        ("tag", None),
        ("polyline", [0, 0, 9, 0]),
        ("keypoints", [3, 3, 2, 0, 0, 0]),
        ("text_span", [0, 3]),
    ],
)
def test_what_has_no_box_around_it_or_is_one_stays(type_: str, shape: Any) -> None:
    instance = make_instance({"label": "dog", "type": type_, **({"geometry": shape} if shape else {})})
    assert boxed(instance) is instance
