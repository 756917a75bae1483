"""Outlines written by the thousand are those written one number at a time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.formats import _decimal
from tdvc.formats._yolo_fractions import outline_columns
from tdvc.formats._yolo_writer import preparing, write
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.model.records import make_instance

LABELS = [LabelRecord("dog", "dog", 0)]

sides = st.integers(1, 5000)
shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5, -0.001, 2.5, 10.0]))


@st.composite
def outlines(draw):
    """A polygon of one ring as text, and the size of its picture."""
    size = draw(sides), draw(sides)
    places = draw(st.integers(0, 6))
    values = [f"{draw(shares) * size[at % 2]:.{places}f}" for at in range(2 * draw(st.integers(3, 6)))]
    return f"[[[{','.join(values)}]]]".encode(), size


def one_by_one(outline, size):
    values = outline.strip(b"[]").decode().split(",")
    return "".join(" " + _decimal.fraction(value, size[at % 2]) for at, value in enumerate(values))


@given(st.lists(outlines(), max_size=4))
@settings(max_examples=200, deadline=None)
def test_the_same_to_the_last_digit(found):
    assert outline_columns(found) == [one_by_one(*outline) for outline in found]


@pytest.mark.parametrize(
    "outline",
    [
        b"[[[0,0,1,1,2,2]],[[0,0,1,1,2,2]]]",
        b"[[[0,0,9,0,9,9],[1,1,2,1,2,2]]]",
        b"[[[0,0,1,1,2,2e1]]]",
        b"[[[0,0,1,1,2,2.1234567]]]",
        b"[[[0,0,1,1,2,1234567]]]",
    ],
)
def test_what_is_unusual_is_left(outline):
    good = b"[[[0,0,1,1,2,2]]]"
    found = outline_columns([(good, (4, 4)), (outline, (4, 4)), (good, (8, 8))])
    assert found == [one_by_one(good, (4, 4)), None, one_by_one(good, (8, 8))]


def instance(number, kind, geometry, label="dog", **fields):
    return make_instance({"instance_id": f"{number:032x}", "label": label, "type": kind, "geometry": geometry} | fields)


def written(records):
    problems = []
    return {file.path: b"".join(file.pieces) for file in write(records, LABELS, problems.append)}, problems


def test_what_is_prepared_is_what_would_be_written():
    polygon = instance(1, "polygon", [[[1, 2, 30, 2, 30, 40.25]]])
    echo = instance(2, "polygon", [[[1, 2, 30, 2, 30, 40]]], properties={"yolo": {"row": [0.1, 0.2]}})
    parts = instance(3, "polygon", [[[1, 2, 3, 4, 5, 6]], [[1, 2, 3, 4, 5, 6]]])
    box, points = instance(4, "box", [1, 2, 3, 4]), instance(5, "keypoints", [1, 2, 2, 3, 4, 1])
    sets = [[polygon, echo, parts], [box, polygon], [points], [instance(6, "box", [1, 2, 3, 4], "cat")], [], [parts]]
    whole = [
        FileRecord(f"{at}.jpg", None, instances, complete=at % 2 == 0, size=(64, 48))
        for at, instances in enumerate(sets)
    ]
    whole += [FileRecord("0.png", None, [box], size=(64, 48)), FileRecord("sizeless.jpg", None, [polygon])]
    prepared = preparing(LABELS)(whole)
    assert [ready is not None for ready in prepared] == [True, True, False, False, False, True, True, False]
    light = [
        FileRecord(r.path, None, [], r.properties, r.complete, size=r.size, prepared=ready, later=lambda *_, r=r: r)
        for r, ready in zip(whole, prepared, strict=True)
    ]
    assert written(light) == written(whole)
