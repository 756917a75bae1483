import json
import math

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tdvc.errors import SchemaError
from tdvc.model import geometry, numbers
from tdvc.model.geometry import area, bounding_box, iou, outside_problem, shape_problem, shift

ID = "0123456789abcdef" * 2
SQUARE = [0, 0, 10, 0, 10, 10, 0, 10]
HOLE = [2, 2, 4, 2, 4, 4, 2, 4]

GOOD = {
    "tag": [None],
    "box": [[1, 2, 3, 4], [1, 2, 1, 2], [-5, -5, 5.5, 5, -30], [0, 0, 1e9, 1e9]],
    "polygon": [[[SQUARE]], [[SQUARE, HOLE], [[20, 20, 30, 20, 25, 30]]]],
    "polyline": [[0, 0, 1, 1], [0, 0, 1, 1, 2, 0]],
    "point": [[3, 4.5]],
    "keypoints": [[1, 2, 0], [1, 2, 1, 3, 4, 2.0]],
    "ellipse": [[5, 5, 3, 2], [5, 5, 0, 0, 45]],
    "cuboid": [list(range(16))],
    "curve": [[0, 0, 5, 5, 10, 0]],
    "mask": [{"counts": "324", "size": [3, 3]}, {"counts": "09", "size": [3, 3]}, {"counts": "4", "size": [2, 2]}],
    "text_span": [[0, 0], [3, 9]],
    "time_span": [[0, 0], [0.5, 1.25]],
    "relation": [[ID, ID[::-1]]],
}

BAD = [
    ("tag", [], "no geometry"),
    ("box", None, "list of numbers"),
    ("box", [1, 2, 3], "needs 4 or 5 numbers, got 3"),
    ("box", [1, 2, 3, 4, 5, 6], "needs 4 or 5 numbers, got 6"),
    ("box", [3, 0, 1, 5], "has x1 smaller than x0"),
    ("box", [0, 5, 1, 3], "has y1 smaller than y0"),
    ("box", [0, 0, 1, "5"], "position 3"),
    ("box", [0, 0, True, 5], "position 2"),
    ("box", [0, 0, [1], 5], "position 2"),
    ("box", [0, 0, 1, 1.1e9], "beyond"),
    ("box", [-1.1e9, 0, 1, 1], "beyond"),
    ("polygon", [], "at least one part"),
    ("polygon", [[]], "at least one ring"),
    ("polygon", SQUARE, "every part"),
    ("polygon", [SQUARE], "every ring"),
    ("polygon", [[[0, 0, 1, 1]]], "at least 3 points, got 2"),
    ("polygon", [[[0, 0, 1, 1, 2, 2, 3]]], "2 numbers for every point"),
    ("polygon", [[SQUARE, [0, 0]]], "at least 3 points, got 1"),
    ("polyline", [0, 0], "at least 2 points, got 1"),
    ("polyline", [0, 0, 1], "2 numbers for every point"),
    ("point", [0], "needs 2 numbers, got 1"),
    ("keypoints", [], "at least 1 point"),
    ("keypoints", [0, 0], "3 numbers for every point"),
    ("keypoints", [0, 0, 3], "visibility"),
    ("keypoints", [0, 0, 0.5], "visibility"),
    ("ellipse", [0, 0, -1, 1], "negative radius"),
    ("ellipse", [0, 0, 1, -1], "negative radius"),
    ("ellipse", [0, 0, 1], "4 or 5"),
    ("cuboid", list(range(15)), "needs 16 numbers, got 15"),
    ("curve", [0, 0, 1, 1], "needs 6 numbers, got 4"),
    ("mask", [1, 2], "'counts' and 'size'"),
    ("mask", {"counts": "4"}, "'counts' and 'size'"),
    ("mask", {"counts": "4", "size": [2, 2], "more": 1}, "'counts' and 'size'"),
    ("mask", {"counts": [4], "size": [2, 2]}, "as text"),
    ("mask", {"counts": 4, "size": [2, 2]}, "as text"),
    ("mask", {"counts": "", "size": [2, 2]}, "ASCII"),
    ("mask", {"counts": "\u0664", "size": [2, 2]}, "ASCII"),
    ("mask", {"counts": "4", "size": [4]}, "needs 2 numbers, got 1"),
    ("mask", {"counts": "4", "size": [2.0, 2]}, "integers"),
    ("mask", {"counts": "0", "size": [0, 2]}, "height and width"),
    ("mask", {"counts": "4", "size": [-2, -2]}, "height and width"),
    ("mask", {"counts": "4", "size": [65536, 1]}, "height and width"),
    ("mask", {"counts": "3", "size": [2, 2]}, "1 pixels short"),
    ("mask", {"counts": "5", "size": [2, 2]}, "exceed"),
    ("mask", {"counts": "45", "size": [2, 2]}, "exceed"),
    ("mask", {"counts": "O5", "size": [2, 2]}, "negative run length, -1"),
    ("mask", {"counts": "121N", "size": [2, 3]}, "pixels short"),
    ("mask", {"counts": "121M", "size": [2, 3]}, "negative run length, -1"),
    ("mask", {"counts": "4P", "size": [2, 2]}, "end inside"),
    ("mask", {"counts": "4 ", "size": [2, 2]}, "' '"),
    ("mask", {"counts": "4p", "size": [2, 2]}, "'p'"),
    ("mask", {"counts": "P" * 5000 + "0", "size": [2, 2]}, "beyond any mask"),
    ("text_span", [0], "needs 2 numbers"),
    ("text_span", [0, 1.5], "integers"),
    ("text_span", [-1, 1], "starts before 0"),
    ("text_span", [2, 1], "ends before it starts"),
    ("time_span", [-0.1, 1], "starts before 0"),
    ("time_span", [2.5, 1], "ends before it starts"),
    ("relation", [ID], "two instance ids"),
    ("relation", ID, "two instance ids"),
    ("relation", [ID, int("1" * 32)], "as text"),
    ("relation", [ID, ID[:-1]], "32 lower-case"),
    ("relation", [ID, ID.upper()], "32 lower-case"),
    ("relation", [ID, None], "as text"),
    ("blob", [1, 2], "not a spatial type"),
]


def parsed(value):
    return numbers.parse(json.dumps(value))


def test_every_type_has_a_good_example():
    assert set(GOOD) == set(geometry.SPATIAL_TYPES)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in GOOD.items() for value in values])
def test_a_well_shaped_geometry_has_no_problem(name, value):
    assert shape_problem(name, parsed(value)) is None


@pytest.mark.parametrize(("name", "value", "expected"), BAD)
def test_a_misshapen_geometry_is_told_what_is_wrong(name, value, expected):
    problem = shape_problem(name, parsed(value))
    assert problem is not None
    assert expected in problem


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1e99999999999999999999", "9" * 5000])
def test_numbers_beyond_any_picture_are_refused_with_a_short_sentence(text):
    problem = shape_problem("point", numbers.parse(f"[0,{text}]"))
    assert "beyond" in problem
    assert len(problem) < 100


@pytest.mark.parametrize("name", [name for name in geometry.SPATIAL_TYPES if name != "tag"])
@pytest.mark.parametrize("value", [None, True, "text", 5, {}, [], [[]], [None], {"counts": None, "size": None}])
def test_json_of_another_shape_is_refused_not_raised(name, value):
    assert shape_problem(name, parsed(value))


@pytest.mark.parametrize("function", [bounding_box, area])
def test_an_unknown_type_is_a_bad_instance(function):
    with pytest.raises(SchemaError) as caught:
        function("blob", [1, 2])
    assert caught.value.code == "bad-instance"


BOXES = [
    ("box", [1, 2, 3, 5], (1, 2, 3, 5)),
    ("box", [0, 0, 4, 2, 90], (1, -1, 3, 3)),
    ("box", [0, 0, 4, 2, -90], (1, -1, 3, 3)),
    ("box", [0, 0, 4, 2, 180], (0, 0, 4, 2)),
    ("box", [-1, -1, 1, 1, 45], (-math.sqrt(2), -math.sqrt(2), math.sqrt(2), math.sqrt(2))),
    ("polygon", [[SQUARE, HOLE], [[20, -3, 30, 20, 25, 30]]], (0, -3, 30, 30)),
    ("polyline", [5, 1, 2, 7, 3, 3], (2, 1, 5, 7)),
    ("point", [3, 4], (3, 4, 3, 4)),
    ("keypoints", [5, 6, 2, 1, 9, 1, 0, 0, 0], (1, 6, 5, 9)),
    ("ellipse", [10, 20, 3, 2], (7, 18, 13, 22)),
    ("ellipse", [10, 20, 3, 2, 90], (8, 17, 12, 23)),
    ("ellipse", [0, 0, 2, 0, 60], (-1, -math.sqrt(3), 1, math.sqrt(3))),
    ("cuboid", [1, 1, 5, 1, 5, 4, 1, 4, 2, 0, 6, 0, 6, 3, 2, 3], (1, 0, 6, 4)),
    ("curve", [0, 0, 5, 10, 10, 0], (0, 0, 10, 5)),
    ("curve", [0, 0, -1, 0, 0, 1], (-0.5, 0, 0, 1)),
    ("curve", [0, 0, 1, 1, 3, 3], (0, 0, 3, 3)),
    ("curve", [0, 3, 6, 3, 2, 3], (0, 3, 3.6, 3)),
]


@pytest.mark.parametrize(("name", "coordinates", "expected"), BOXES)
def test_bounding_box(name, coordinates, expected):
    assert bounding_box(name, coordinates) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "coordinates"),
    [
        ("tag", None),
        ("text_span", [1, 2]),
        ("time_span", [1, 2]),
        ("relation", [ID, ID]),
        ("keypoints", [1, 2, 0]),
        ("mask", {"counts": "4", "size": [2, 2]}),
        ("mask", {"counts": "400", "size": [2, 2]}),
    ],
)
def test_what_draws_nothing_has_no_bounding_box_and_no_area(name, coordinates):
    assert bounding_box(name, coordinates) is None
    assert area(name, coordinates) == 0


@pytest.mark.parametrize(
    ("name", "coordinates", "expected"),
    [
        ("box", [1, 2, 4, 6], 12),
        ("box", [1, 2, 4, 6, 33], 12),
        ("box", [1, 2, 1, 6], 0),
        ("polygon", [[SQUARE]], 100),
        ("polygon", [[SQUARE, HOLE]], 96),
        ("polygon", [[SQUARE, HOLE], [[20, 20, 30, 20, 20, 30]]], 146),
        ("polygon", [[[0, 0, 0, 10, 10, 10, 10, 0]]], 100),
        ("polygon", [[[0, 0, 1, 1, 2, 2]]], 0),
        ("ellipse", [7, 7, 2, 3, 20], 6 * math.pi),
        ("polyline", [0, 0, 5, 5, 0, 5], 0),
        ("point", [1, 2], 0),
        ("keypoints", [1, 2, 2], 0),
        ("cuboid", list(range(16)), 0),
        ("curve", [0, 0, 5, 10, 10, 0], 0),
    ],
)
def test_area(name, coordinates, expected):
    assert area(name, coordinates) == pytest.approx(expected)


def test_the_area_of_a_far_away_polygon_keeps_its_digits():
    x0, y0, x1, y1 = 123456789.1, 987654321.1, 123456789.4, 987654321.7
    expected = (x1 - x0) * (y1 - y0)
    assert area("polygon", [[[x0, y0, x1, y0, x1, y1, x0, y1]]]) == pytest.approx(expected, rel=1e-12)


# Worked out by hand from the format: five bits a character from '0', lowest first, 32 for more to come, the top bit
# of the last group for the sign; from the fourth run on, the difference to the run before the last.
@pytest.mark.parametrize(
    ("counts", "size", "runs"),
    [
        ("324", (3, 3), [3, 2, 4]),
        ("09", (3, 3), [0, 9]),
        ("132N0", (3, 3), [1, 3, 2, 1, 2]),
        ("`0", (4, 4), [16]),
        ("T3", (10, 10), [100]),
        ("P10T1", (4, 17), [32, 0, 36]),
    ],
)
def test_mask_runs_of_known_counts(counts, size, runs):
    assert list(geometry.mask_runs({"counts": counts, "size": list(size)})) == runs


def encode_counts(runs):
    """What `mask_runs` has to undo, after COCO `maskApi.c:rleToString`."""
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        while True:
            group, value = value & 31, value >> 5
            done = value == (-1 if group & 16 else 0)
            text += chr(48 + (group if done else group | 32))
            if done:
                break
    return text


def mask_of(rows):
    """The mask of a picture given as rows of pixels, taken down the columns."""
    pixels = [row[x] for x in range(len(rows[0])) for row in rows]
    runs, inside = [0], False
    for pixel in pixels:
        if pixel != inside:
            runs.append(0)
            inside = pixel
        runs[-1] += 1
    return {"counts": encode_counts(runs), "size": [len(rows), len(rows[0])]}


pictures = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(
    lambda size: st.lists(
        st.lists(st.booleans(), min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0]
    )
)


@settings(deadline=None)
@given(pictures)
@example([[False, True], [True, False]])
def test_a_mask_measures_what_its_pixels_measure(rows):
    mask = mask_of(rows)
    inside = [(x, y) for y, row in enumerate(rows) for x, pixel in enumerate(row) if pixel]
    assert shape_problem("mask", parsed(mask)) is None
    assert area("mask", mask) == len(inside)
    if not inside:
        assert bounding_box("mask", mask) is None
        return
    xs, ys = zip(*inside, strict=True)
    assert bounding_box("mask", mask) == (min(xs), min(ys), max(xs) + 1, max(ys) + 1)


@settings(deadline=None)
@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=12))
def test_counts_decode_to_the_runs_they_were_made_of(runs):
    total = sum(runs)
    height = next((side for side in range(1, 65) if total and total % side == 0 and total // side <= 65_535), None)
    assume(height is not None)
    mask = {"counts": encode_counts(runs), "size": [height, total // height]}
    assert list(geometry.mask_runs(mask)) == runs


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=1, max_codepoint=127), max_size=12), st.integers(1, 9), st.integers(1, 9))
def test_any_counts_either_pass_the_gate_and_fill_the_mask_or_are_refused(counts, height, width):
    mask = {"counts": counts, "size": [height, width]}
    if shape_problem("mask", parsed(mask)) is None:
        assert sum(geometry.mask_runs(mask)) == height * width
    else:
        with pytest.raises(ValueError):
            list(geometry.mask_runs(mask))


def test_the_largest_mask_costs_nothing_to_check():
    side = geometry.MAX_MASK_SIDE
    mask = {"counts": encode_counts([0, side * side]), "size": [side, side]}
    assert shape_problem("mask", parsed(mask)) is None
    assert bounding_box("mask", mask) == (0, 0, side, side)


def test_counts_beyond_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(geometry, "MAX_COUNTS_BYTES", 4)
    assert shape_problem("mask", parsed({"counts": "00004", "size": [2, 2]}))
    assert shape_problem("mask", parsed({"counts": "0004", "size": [2, 2]})) is None


coordinate = st.floats(-1e4, 1e4, allow_nan=False).map(lambda value: round(value, 3))
degrees = st.floats(-720, 720, allow_nan=False)
pairs = st.tuples(coordinate, coordinate)


@st.composite
def boxes(draw):
    x0, x1 = sorted(draw(pairs))
    y0, y1 = sorted(draw(pairs))
    return (x0, y0, x1, y1)


def flat(at_least):
    return st.lists(pairs, min_size=at_least, max_size=8).map(lambda points: [v for point in points for v in point])


turned_boxes = st.tuples(boxes(), degrees).map(lambda drawn: [*drawn[0], drawn[1]])
polygons = st.lists(st.lists(flat(3), min_size=1, max_size=2), min_size=1, max_size=3)
drawn_shapes = st.one_of(
    st.tuples(st.just("box"), turned_boxes),
    st.tuples(st.just("polygon"), polygons),
    st.tuples(st.just("polyline"), flat(2)),
    st.tuples(st.just("curve"), st.lists(coordinate, min_size=6, max_size=6)),
)


def translated(value, dx, dy):
    if value and isinstance(value[0], list):
        return [translated(item, dx, dy) for item in value]
    even = value[: len(value) // 2 * 2]
    return [item + (dy if i % 2 else dx) for i, item in enumerate(even)] + value[len(even) :]


@settings(deadline=None)
@given(drawn_shapes, coordinate, coordinate)
def test_moving_a_shape_moves_its_bounding_box_and_keeps_its_area(shape, dx, dy):
    name, coordinates = shape
    before, after = bounding_box(name, coordinates), bounding_box(name, translated(coordinates, dx, dy))
    assert after == pytest.approx((before[0] + dx, before[1] + dy, before[2] + dx, before[3] + dy), abs=1e-6)
    assert shift(before, after) == pytest.approx((dx, dy), abs=1e-6)
    assert area(name, translated(coordinates, dx, dy)) == pytest.approx(area(name, coordinates), rel=1e-6, abs=1e-2)


@settings(deadline=None)
@given(st.lists(coordinate, min_size=6, max_size=6), st.floats(0, 1))
def test_a_curve_stays_inside_its_bounding_box(coordinates, t):
    x0, y0, cx, cy, x1, y1 = coordinates
    left, top, right, bottom = bounding_box("curve", coordinates)
    x = (1 - t) ** 2 * x0 + 2 * t * (1 - t) * cx + t * t * x1
    y = (1 - t) ** 2 * y0 + 2 * t * (1 - t) * cy + t * t * y1
    assert left - 1e-6 <= x <= right + 1e-6
    assert top - 1e-6 <= y <= bottom + 1e-6


@settings(deadline=None)
@given(boxes(), boxes())
def test_iou_is_symmetric_and_a_share(a, b):
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1


@settings(deadline=None)
@given(boxes())
def test_iou_of_a_box_with_itself_is_one_unless_empty(box):
    assert iou(box, box) == (1 if area("box", box) > 0 else 0)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 4, 4), (1, 1, 3, 3), 1 / 4),
        ((0, 0, 0.5, 0.5), (0, 0, 0.5, 0.25), 0.5),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0),
        ((0, 0, 2, 2), (5, 5, 6, 6), 0),
        ((0, 0, 0, 0), (0, 0, 2, 2), 0),
    ],
)
def test_iou_of_known_boxes(a, b, expected):
    assert iou(a, b) == pytest.approx(expected)


def test_shift_is_the_movement_of_the_centre():
    assert shift((0, 0, 2, 2), (3, -1, 7, 1)) == (4, -1)


@settings(deadline=None)
@given(turned_boxes)
def test_the_polygon_of_a_box_has_its_area_and_bounding_box(box):
    polygon = geometry.polygon_from_box(box)
    assert area("polygon", polygon) == pytest.approx(area("box", box), rel=1e-9, abs=1e-6)
    assert geometry.box_from_polygon(polygon) == pytest.approx(list(bounding_box("box", box)), abs=1e-6)


@settings(deadline=None)
@given(boxes())
def test_an_upright_box_survives_being_a_polygon(box):
    assert geometry.box_from_polygon(geometry.polygon_from_box(box)) == list(box)


@settings(deadline=None)
@given(boxes(), st.integers(-3, 3))
def test_whole_turns_keep_a_box_exactly(box, turns):
    turned = [*box, 360 * turns]
    assert bounding_box("box", turned) == box
    assert geometry.polygon_from_box(turned) == geometry.polygon_from_box(box)


def test_a_box_turns_clockwise_on_the_screen():
    [[ring]] = geometry.polygon_from_box([0, 0, 4, 2, 90])
    assert ring[:2] == pytest.approx([3, -1])  # what was the top left is now the top right
    [[ring]] = geometry.polygon_from_box([0, 0, 4, 2, 30])
    assert ring[3] > ring[1]  # the upper edge falls to the right


@settings(deadline=None)
@given(turned_boxes)
def test_an_ellipse_lies_inside_the_box_it_fills(box):
    x0, y0, x1, y1, turn = box
    ellipse = [(x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2, turn]
    inner, outer = bounding_box("ellipse", ellipse), bounding_box("box", box)
    assert all(a >= b - 1e-6 for a, b in zip(inner[:2], outer[:2], strict=True))
    assert all(a <= b + 1e-6 for a, b in zip(inner[2:], outer[2:], strict=True))


@pytest.mark.parametrize(
    ("name", "coordinates"),
    [
        ("box", [0, 0, 640, 480]),
        ("box", [0, 0, 640.0000001, 480]),
        ("point", [640, 480]),
        ("keypoints", [5, 5, 2, -1, -1, 0]),
        ("tag", None),
        ("text_span", [0, 9999]),
        ("relation", [ID, ID]),
        ("mask", {"counts": encode_counts([480 * 640]), "size": [480, 640]}),
    ],
)
def test_what_lies_in_the_picture_has_no_outside_problem(name, coordinates):
    assert outside_problem(name, coordinates, 640, 480) is None


@pytest.mark.parametrize(
    ("name", "coordinates", "expected"),
    [
        ("box", [-3, 0, 5, 5], "3 px at the left"),
        ("box", [0, -2.5, 5, 5], "2.5 px at the top"),
        ("box", [0, 0, 641, 482], "1 px at the right and 2 px at the bottom"),
        ("box", [0, 100, 10, 140, 45], "at the left"),
        ("keypoints", [5, 5, 2, 700, 5, 1], "60 px at the right"),
        ("ellipse", [5, 50, 6, 1], "1 px at the left"),
        ("mask", {"counts": encode_counts([640 * 480]), "size": [640, 480]}, "480 x 640"),
    ],
)
def test_what_leaves_the_picture_is_told_where(name, coordinates, expected):
    assert expected in outside_problem(name, coordinates, 640, 480)
