"""The short ways of COCO's reader and writer lead to what the long ways lead to."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.formats import _coco_text as texts
from tdvc.formats._coco_annotations import instances_of
from tdvc.formats._coco_segmentation import geometry_of
from tdvc.formats._coco_usual import usual_instances
from tdvc.formats._coco_writer import Ids, preparing, write
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.ids import DerivedIds
from tdvc.model.numbers import Number
from tdvc.model.records import make_instance

NAMES = {b"1": "dog", b'"a"': "cat"}
USUAL = {
    "segmentation": [[1, 2, 9.5, 2, 9, 8]],
    "area": 24.0,
    "iscrowd": 0,
    "image_id": 7,
    "bbox": [1, 2, 8, 6],
    "category_id": 1,
    "id": 3,
}


def as_text(annotation, separators=(",", ":")):
    return msgspec.Raw(json.dumps(annotation, separators=separators).encode())


def read(*texts_):
    """What a picture's annotations become, and the problems; then the same by the long way."""
    both = []
    for shorten in (usual_instances, lambda annotations, *_: [None] * len(annotations)):
        problems = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tdvc.formats._coco_annotations.usual_instances", shorten)
            found = instances_of("a.jpg", [(list(texts_), NAMES)], problems.append)
        both.append((found, problems))
    return both


numbers = st.one_of(
    st.integers(-5, 700).map(str),
    st.decimals(-5, 700, places=2).map(str),
    st.sampled_from(["-0", "1e2", "1E-3", "999999999", "1000000000", "12345678901", "0.1234567890123"]),
)
lists = st.lists(numbers, max_size=9).map(lambda values: f"[{','.join(values)}]")
rings = st.lists(numbers, min_size=6, max_size=8).map(lambda values: f"[{','.join(values)}]")
odd_values = st.one_of(numbers, lists, st.sampled_from(["null", "true", '"1"', "[]", "[[]]", "{}", "[null]"]))
segmentations = st.one_of(
    st.lists(rings, min_size=1, max_size=3).map(lambda found: f"[{','.join(found)}]"),
    st.lists(lists, max_size=2).map(lambda found: f"[{','.join(found)}]"),
    st.sampled_from([f'{{"counts":{counts},"size":[3,4]}}' for counts in ("[3,4,5]", '"0<"', "[1.0,11]", "[1]")]),
    st.sampled_from(["[[1,2,3,4,5,6],7]", "[[1,2,3,4,5,[6]]]"]),
    odd_values,
)


@st.composite
def annotations(draw):
    """Annotations near the usual ones, some of them valid."""
    fields = {name: json.dumps(value, separators=(",", ":")) for name, value in USUAL.items()}
    fields["id"] = str(draw(st.integers(0, 5)))
    fields["segmentation"] = draw(segmentations)
    for name in draw(st.lists(st.sampled_from([*fields, "attributes", "score", "ignore"]), max_size=2)):
        fields[name] = draw(segmentations if name == "segmentation" else odd_values)
    for name in draw(st.lists(st.sampled_from([*fields]), max_size=1)):
        del fields[name]
    pairs = draw(st.permutations([*fields.items()]))
    if draw(st.booleans()) and pairs and draw(st.integers(0, 4)) == 0:
        pairs = [*pairs, pairs[0]]
    comma, colon = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")]))
    return "{" + comma.join(f'"{name}"{colon}{value}' for name, value in pairs) + "}"


def is_json(text):
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@given(st.lists(annotations().filter(is_json), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_the_short_way_in_gives_what_the_long_way_gives(found):
    short, long = read(*(msgspec.Raw(text.encode()) for text in found))
    assert short == long


def test_usual_annotations_take_the_short_way():
    ids = DerivedIds("instance", b"coco", b"a.jpg")
    mask = {**USUAL, "id": 4, "iscrowd": 1, "segmentation": {"counts": [3, 4, 5], "size": [3, 4]}}
    parts = {**USUAL, "id": 5, "segmentation": [USUAL["segmentation"][0], [0, 0, 4, 0, 4, 4, 0, 4]]}
    for separators in ((",", ":"), (", ", ": ")):
        found = usual_instances([as_text(a, separators) for a in (USUAL, mask, parts)], ids, NAMES)
        assert [instance and instance.type for instance in found] == ["polygon", "mask", "polygon"]
        assert bytes(found[0].properties) == b'{"coco":{"area":24.0,"bbox":[1,2,8,6],"id":3,"iscrowd":0}}'
        assert bytes(found[2].geometry) == b"[[[1,2,9.5,2,9,8]],[[0,0,4,0,4,4,0,4]]]"


@pytest.mark.parametrize(
    "annotation",
    [
        {**USUAL, "attributes": {}},
        {**USUAL, "category_id": 2},
        {**USUAL, "segmentation": []},
        {**USUAL, "segmentation": [[1, 2, 3, 4]]},
        {**USUAL, "segmentation": [[1, 2, 3, 4, 5]]},
        {**USUAL, "segmentation": [[1, 2, 3, 4, 5, 1e300]]},
        {**USUAL, "area": None},
        {**USUAL, "id": "x"},
        {**USUAL, "bbox": [[[[[[1]]]]]]},
    ],
)
def test_others_do_not(annotation):
    assert usual_instances([as_text(annotation)], DerivedIds("instance"), NAMES) == [None]


def kept(shape):
    problems = []
    return geometry_of({"segmentation": shape, "bbox": b"[0,0,1,1]"}, problems.append), problems


@pytest.mark.parametrize(
    ("shape", "good"),
    [
        (b"[[0,0,999999999,0,1,1]]", True),
        (b"[[0,0,1000000000,0,1,1]]", False),
        (b"[[0,0,0.12345678901234,0,1,1]]", True),
        (b"[[0,0,1e8,0,1,1]]", True),
        (b"[[0,0,1e9,0,1,1]]", False),
        (b"[[0,0,-1.5,0,1,1],[0,0,1,1,2,2,3,3]]", True),
        (b"[[0,0,1,0,1,1],[0,0,1,1,2]]", False),
        (b"[[0,0,1,0,1,1],3]", False),
        (b"[[0,0,1,0,1,[1]]]", False),
        (b"[[0,0,1,0,1,null]]", False),
        (b"[ [0, 0, 1, 0, 1, 1] ]", True),
    ],
)
def test_rings_are_told_from_what_is_none(shape, good):
    (kind, _), warnings = kept(shape)
    assert (kind == "polygon", not warnings) == (good, good)


LABELS = [LabelRecord("dog", "dog", 0, {"id": Number("18")})]


def polygon(number, properties, *rings_, **more):
    fields = {
        "instance_id": f"{number:032x}",
        "label": "dog",
        "type": "polygon",
        "geometry": [[ring] for ring in rings_],
    }
    return make_instance({**fields, "source": "import", "properties": properties, **more})


def coco(identity, bbox, **more):
    return {"coco": {"area": 7.50, "bbox": bbox, "id": identity, "iscrowd": 0, **more}}


def samples():
    ring, far = [1, 2, 9.25, 2, 9, 8], [20, 20, 30, 20, 30, 31.5]
    return [
        polygon(1, coco(4, [1, 2, 8.25, 6]), ring),
        polygon(2, coco(5, [1, 2, 29, 29.5]), ring, far),
        polygon(3, coco(6, [50, 50, 1, 1]), ring),
        polygon(4, coco(7, [1, 2, 8, 6], ignore=1), ring),
        polygon(5, {**coco(8, [1, 2, 8, 6]), "other": 1}, ring),
        polygon(6, coco(9, [1, 2, 8, 6]), ring, attributes={"a": 1}),
        polygon(7, coco(10, [1, 2, 8, 6]), ring, score=0.5),
        polygon(8, coco(11, [1, 2, 8, 6]), ring, frame=3),
        polygon(9, {}, ring),
        polygon(10, coco(-3, [1, 2, 8, 6]), ring),
    ]


def written(records):
    problems = []
    return {file.path: b"".join(file.pieces) for file in write(records, LABELS, problems.append)}, problems


def record(number, instances, **more):
    return FileRecord(f"{number}.jpg", None, instances, {"coco": {"id": Number(str(number))}}, size=(64, 48), **more)


def test_the_short_way_out_gives_the_same_bytes(monkeypatch):
    records = [record(1, samples())]
    short = written(records)
    monkeypatch.setattr(texts, "_usual_text", lambda *_: None)
    assert written(records) == short
    assert len(json.loads(short[0]["annotations/instances_all.json"])["annotations"]) == len(samples())


def test_what_is_prepared_is_what_would_be_written():
    whole = [record(1, samples()[:3]), record(2, samples()[:2]), record(3, samples()[6:8]), record(3, samples()[3:5])]
    whole += [record(5, []), FileRecord("none.jpg", None, samples()[8:9], {}, size=(64, 48))]
    prepared = preparing(LABELS)(whole)
    assert [ready is not None for ready in prepared] == [True, True, True, True, True, False]
    light = [
        FileRecord(r.path, None, [], r.properties, size=r.size, prepared=ready, later=lambda *_, r=r: r)
        for r, ready in zip(whole, prepared, strict=True)
    ]
    assert written(light) == written(whole)


def test_ids_are_given_as_wanted_once():
    ids = Ids()
    assert [ids.give(Number("4")), ids.give(Number("4")), ids.give(None)] == [4, 1, 2]
    assert ids.are_free([3, 5])
    ids.take([3, 5])
    assert not ids.are_free([5])
    assert ids.give(Number("5")) == 6


def test_a_box_that_came_is_kept_while_it_is_near():
    found = json.loads(written([record(1, samples()[:3])])[0]["annotations/instances_all.json"])["annotations"]
    assert [annotation["bbox"] for annotation in found] == [[1, 2, 8.25, 6], [1, 2, 29, 29.5], [1, 2, 8.25, 6]]
    assert [annotation["area"] for annotation in found[:2]] == [7.5, 7.5]


def test_a_field_whose_name_is_no_utf8_is_a_problem_of_its_annotation():
    whole = as_text({"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]], "iscrowd": 0})
    (found, problems), longer = read(msgspec.Raw(bytes(whole)[:-1] + b',"\xff":1}'), whole)
    assert (found, problems) == longer
    assert [one.code for one in problems] == ["instance-invalid"] and len(found) == 1
