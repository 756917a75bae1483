import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.model import geometry, masks


def drawn(*rows):
    """A mask as it looks: `#` inside."""
    return np.array([[character == "#" for character in row] for row in rows])


@st.composite
def arrays(draw, longest=12):
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return np.array(bits, bool).reshape(height, width)


RING = drawn("####", "#..#", "####")


def test_counts_are_as_worked_out_by_hand():
    # runs 0 4 1 2 1 4, from the fourth on less the one two before: 0 4 1 -2 0 2, each one character
    assert masks.encode_rle(RING) == {"counts": "041N02", "size": [3, 4]}
    assert masks.runs({"counts": "041N02", "size": [3, 4]}) == [0, 4, 1, 2, 1, 4]


@pytest.mark.parametrize(
    ("counts", "size", "runs"),
    [("4", [2, 2], [4]), ("04", [2, 2], [0, 4]), ("013", [2, 2], [0, 1, 3]), ("P2", [8, 8], [64])],
)
def test_text_and_runs_agree_with_examples(counts, size, runs):
    assert masks.runs({"counts": counts, "size": size}) == runs
    assert masks.from_runs(runs, *size) == {"counts": counts, "size": size}


def test_rows_come_first_in_arrays_and_columns_first_in_runs():
    array = masks.decode_rle(masks.from_runs([1, 2, 3], 2, 3))
    assert array.tolist() == [[False, True, False], [True, False, False]]
    assert array.dtype == bool


@given(arrays())
def test_arrays_come_back_from_text(array):
    mask = masks.encode_rle(array)
    assert np.array_equal(masks.decode_rle(mask), array)
    assert masks.from_runs(masks.runs(mask), *array.shape) == mask
    assert geometry.area("mask", mask) == np.count_nonzero(array)


def test_runs_of_every_length_come_back():
    lengths = [2**power for power in range(26)] + [3, 2**25, 1, 5]
    pad = -sum(lengths) % 4096
    mask = masks.from_runs([*lengths, pad], 4096, (sum(lengths) + pad) // 4096)
    assert masks.runs(mask) == [*lengths, pad]


def test_any_number_but_zero_is_inside():
    assert masks.runs(masks.encode_rle(np.array([[0, 2], [255, 0]], np.uint8))) == [1, 2, 1]


@pytest.mark.parametrize(
    ("counts", "size", "problem"),
    [
        ("5", [2, 2], "exceed"),
        ("3", [2, 2], "end 1 pixels short"),
        ("P", [2, 2], "end inside a run length"),
        ("é", [2, 2], "ascii"),
        ("4", [0, 4], "height and width"),
        ("4", [2**31, 2**31], "height and width"),
        ("4", [65_535, 65_535], "more than"),
        ("O5", [2, 2], "negative"),
    ],
)
def test_damaged_masks_are_refused_before_any_pixel(counts, size, problem):
    with pytest.raises(ValueError, match=problem):
        masks.decode_rle({"counts": counts, "size": size})


@pytest.mark.parametrize("runs", [[3], [5], [-1, 5], []])
def test_runs_must_sum_to_the_pixels(runs):
    with pytest.raises(ValueError, match="has "):
        masks.from_runs(runs, 2, 2)


def test_arrays_must_be_flat():
    with pytest.raises(ValueError, match="3 dimensions"):
        masks.encode_rle(np.zeros((2, 2, 3)))


def test_a_polygon_on_pixel_edges_covers_those_pixels():
    array = masks.polygon_to_mask([[[1, 1, 4, 1, 4, 3, 1, 3]]], 4, 5)
    assert np.array_equal(array, drawn(".....", ".###.", ".###.", "....."))


def test_holes_are_cut_out_of_their_own_part_only():
    part = [[0, 0, 5, 0, 5, 5, 0, 5], [1, 1, 4, 1, 4, 4, 1, 4]]
    island = [[2, 2, 3, 2, 3, 3, 2, 3]]
    array = masks.polygon_to_mask([part, island], 5, 5)
    assert np.array_equal(array, drawn("#####", "#...#", "#.#.#", "#...#", "#####"))


@pytest.mark.parametrize("hole", [[-9, 1, 2, 1, 2, 2, -9, 2], [1, 1, 900, 1, 900, 2, 1, 2]])
def test_holes_may_stick_out_of_their_part(hole):
    array = masks.polygon_to_mask([[[1, 0, 3, 0, 3, 3, 1, 3], hole]], 3, 4)
    assert array[1].tolist() in ([False, False, True, False], [False, False, False, False])
    assert array[0].tolist() == array[2].tolist() == [False, True, True, False]


@pytest.mark.parametrize("far", [9, 1e3, 1e6, 1e9])
def test_what_leaves_the_picture_is_cut_off(far):
    array = masks.polygon_to_mask([[[-far, -far, far, -far, far, 2, -far, 2]]], 3, 4)
    assert np.array_equal(array, drawn("####", "####", "...."))


def test_a_polygon_outside_the_picture_covers_nothing():
    assert not masks.polygon_to_mask([[[-9, 1, -5, 1, -5, 2]]], 3, 4).any()
    assert not masks.polygon_to_mask([[[9, 1, 12, 1, 12, 2]]], 3, 4).any()
    assert not masks.polygon_to_mask([[[1, -9, 2, -9, 2, -5]]], 3, 4).any()


def test_a_zigzag_without_end_is_refused():
    ring = [value for turn in range(2000) for value in (0, turn % 7, 60_000, turn % 5)]
    with pytest.raises(ValueError, match="cross the columns"):
        masks.polygon_to_mask([[ring]], 10, 60_000)


@settings(max_examples=200)
@given(arrays())
def test_masks_come_back_from_their_outline(array):
    polygon = masks.mask_to_polygon(array)
    assert np.array_equal(masks.polygon_to_mask(polygon, *array.shape), array)


@given(arrays())
def test_the_outline_encloses_as_much_as_the_mask(array):
    polygon = masks.mask_to_polygon(array)
    assert geometry.area("polygon", polygon) == np.count_nonzero(array)
    if polygon:
        assert geometry.bounding_box("polygon", polygon) == geometry.bounding_box("mask", masks.encode_rle(array))


def test_outlines_are_clockwise_and_name_corners_once():
    assert masks.mask_to_polygon(drawn("##.", "##.", "#..")) == [[[0, 0, 2, 0, 2, 2, 1, 2, 1, 3, 0, 3]]]


def test_holes_belong_to_the_part_around_them():
    array = drawn("#######", "#.....#", "#.###.#", "#.#.#.#", "#.###.#", "#.....#", "#######", "###.###")
    outer, inner = masks.mask_to_polygon(array)
    assert outer[1] == [1, 1, 6, 1, 6, 6, 1, 6]
    assert inner == [[2, 2, 5, 2, 5, 5, 2, 5], [3, 3, 4, 3, 4, 4, 3, 4]]


def test_two_holes_in_one_row_belong_to_one_part():
    (part,) = masks.mask_to_polygon(drawn("#####", "#.#.#", "#####"))
    assert part[1:] == [[1, 1, 2, 1, 2, 2, 1, 2], [3, 1, 4, 1, 4, 2, 3, 2]]


def test_pixels_that_touch_at_a_corner_are_two_parts():
    assert len(masks.mask_to_polygon(drawn("#.", ".#"))) == 2
    assert len(masks.mask_to_polygon(drawn(".#", "#."))) == 2


def test_an_empty_mask_has_no_outline():
    assert masks.mask_to_polygon(np.zeros((3, 3), bool)) == []


@given(arrays())
def test_crops_come_back(array):
    if not array.any():
        with pytest.raises(ValueError, match="empty"):
            masks.crop(array)
        return
    part, x, y = masks.crop(array)
    assert part.any(axis=0)[[0, -1]].all()
    assert part.any(axis=1)[[0, -1]].all()
    assert np.array_equal(masks.mask_from_crop(part, x, y, *array.shape), array)


def test_a_crop_may_leave_the_picture_only_where_it_is_empty():
    part = drawn("..", ".#")
    assert np.array_equal(masks.mask_from_crop(part, -1, -1, 2, 2), drawn("#.", ".."))
    assert np.array_equal(masks.mask_from_crop(part, 0, 0, 2, 2), part)
    for x, y in ((-2, 0), (0, -2), (1, 0), (0, 1), (90, 0), (-90, -90)):
        with pytest.raises(ValueError, match="leaves"):
            masks.mask_from_crop(part, x, y, 2, 2)


def _random_ring(chance, corners, low, high):
    grain = chance.choice([1, 2, 10, 1000])
    return [chance.randint(low * grain, high * grain) / grain for _ in range(2 * corners)]


def test_polygons_and_text_are_those_of_pycocotools():
    coco = pytest.importorskip("pycocotools.mask")
    chance = random.Random(7)
    for _ in range(400):
        height, width = chance.randint(1, 60), chance.randint(1, 60)
        rings = [_random_ring(chance, chance.randint(3, 9), -20, 80) for _ in range(chance.randint(1, 3))]
        theirs = coco.merge(coco.frPyObjects(rings, height, width))
        ours = masks.polygon_to_mask([[ring] for ring in rings], height, width)
        assert np.array_equal(coco.decode(theirs).astype(bool), ours)
        assert masks.encode_rle(ours) == {"counts": theirs["counts"].decode(), "size": [height, width]}
        assert np.array_equal(masks.decode_rle(masks.encode_rle(ours)), ours)
