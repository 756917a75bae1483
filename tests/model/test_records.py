import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.errors import SchemaError
from tdvc.model import geometry, records
from tdvc.model.numbers import Number
from tdvc.model.records import decode_set, encode_set, instance_from_json, make_instance, revise, same_instance

ID = "0123456789abcdef" * 2
OTHER = "f" * 32
BOX = {"instance_id": ID, "label": "dog", "type": "box", "geometry": [1, 2, 3, 4]}
TAG = {"instance_id": ID, "label": "dog", "type": "tag"}
FULL = {
    "attributes": {"colour": "brown", "age": 2},
    "frame": 7,
    "geometry": [1, 2.5, 3, 4],
    "instance_id": ID,
    "label": "dog",
    "properties": {"iscrowd": 0},
    "score": 0.5,
    "sequence": "rex",
    "source": "human",
    "type": "box",
}


def line_of(instance):
    return encode_set([instance])


def refused(fields):
    with pytest.raises(SchemaError) as caught:
        make_instance(fields)
    assert caught.value.code == "bad-instance"
    return caught.value.message


def test_an_instance_keeps_every_field():
    instance = make_instance(FULL)
    assert json.loads(line_of(instance)) == FULL
    assert instance.coordinates == [1, 2.5, 3, 4]
    assert instance.attribute_values == {"colour": "brown", "age": 2}
    assert instance.bounding_box == (1, 2.5, 3, 4)


def test_the_line_of_an_instance_is_canonical():
    shuffled = dict(reversed(FULL.items()))
    expected = json.dumps(FULL, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert line_of(make_instance(shuffled)) == line_of(make_instance(FULL)) == expected


def test_numbers_leave_as_they_came():
    text = b'{"geometry":[1.50,2e0,3,4.000],"instance_id":"%s","label":"a","score":0.10,"type":"box"}' % ID.encode()
    assert line_of(instance_from_json(text)) == text + b"\n"


def test_a_tag_has_no_place_in_the_picture():
    tag = make_instance(TAG)
    assert tag.coordinates is None
    assert tag.bounding_box is None


@pytest.mark.parametrize(
    "absent",
    [
        {"attributes": {}, "properties": {}, "score": None, "geometry": None},
        {"attributes": None, "frame": None, "sequence": None, "source": None},
        {"attributes": msgspec.Raw(b" { } "), "score": msgspec.Raw(b"null")},
    ],
)
def test_what_is_absent_has_one_spelling(absent):
    assert line_of(make_instance({**TAG, **absent})) == line_of(make_instance(TAG))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"instance_id": "12"}, "32 lower-case"),
        ({"instance_id": ID.upper()}, "32 lower-case"),
        ({"instance_id": 5}, "'instance_id' must be text"),
        ({"label": ""}, "label must be 1 to"),
        ({"label": "x" * 1025}, "label must be 1 to"),
        ({"label": "é" * 513}, "label must be 1 to"),
        ({"label": "a\0b"}, "NUL"),
        ({"label": "\ud800"}, "valid Unicode"),
        ({"label": Number("5")}, "'label' must be text"),
        ({"label": None}, "'label' is missing"),
        ({"type": None}, "'type' is missing"),
        ({"type": "blob"}, "blob is not a spatial type"),
        ({"type": ["box"]}, "'type' must be text"),
        ({"geometry": [1, 2, 3]}, "box needs 4 or 5 numbers, got 3"),
        ({"geometry": None}, "box needs a list of numbers"),
        ({"geometry": {}}, "box needs a list of numbers"),
        ({"geometry": [1, 2, 3, float("nan")]}, "not a JSON number"),
        ({"geometry": [1, 2, 3, {4}]}, "JSON has no set"),
        ({"frame": -1}, "'frame' must be an integer"),
        ({"frame": True}, "'frame' must be an integer"),
        ({"frame": 1.0}, "'frame' must be an integer"),
        ({"frame": 2**63}, "'frame' must be an integer"),
        ({"sequence": 5}, "'sequence' must be text"),
        ({"sequence": "\ud800"}, "'sequence' is not valid Unicode"),
        ({"source": "\udfff"}, "'source' is not valid Unicode"),
        ({"attributes": []}, "'attributes' must be an object"),
        ({"properties": "text"}, "'properties' must be an object"),
        ({"attributes": {1: "one"}}, "not text"),
        ({"attributes": {"a": "\ud800"}}, "surrogates"),
        ({"attributes": {"a": Number("nan")}}, "not a JSON number"),
        ({"score": "0.5"}, "not a number"),
        ({"score": True}, "not a number"),
        ({"score": [1]}, "not a number"),
        ({"score": {}}, "not a number"),
        ({"score": Number("1_0")}, "not a JSON number"),
        ({"score": Number("01")}, "not a JSON number"),
    ],
)
def test_a_bad_instance_is_told_what_is_wrong(change, expected):
    assert expected in refused({**BOX, **change})


@pytest.mark.parametrize("name", [name for name in geometry.SPATIAL_TYPES if name != "tag"])
def test_every_type_but_a_tag_needs_a_geometry(name):
    assert name in refused({**TAG, "type": name})


def test_a_tag_takes_no_geometry():
    assert "tag has no geometry" in refused({**TAG, "geometry": [1, 2]})
    assert "tag has no geometry" in refused({**TAG, "geometry": {}})


def test_the_sentence_names_the_instance():
    assert ID in refused({**BOX, "geometry": []})


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("levels", [47, 63, 5000])
def test_what_could_not_be_read_back_is_not_accepted(levels):
    assert "nested deeper" in refused({**TAG, "attributes": {"a": deep(levels)}})


def test_an_accepted_attribute_reads_back():
    text = b'{"label":"a","type":"tag","attributes":{"n":1%s}}' % (b"0" * 5000)
    assert instance_from_json(text).attribute_values == {"n": float("inf")}
    assert make_instance({**TAG, "attributes": {"a": deep(46)}}).attribute_values == {"a": deep(46)}


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"5", b"null", b"{", b"\xff", b'{"label":"a"}', b'{"label":7,"type":"tag"}', b'{"label":"a","type":5}']
    + [b'{"label":"a","type":"tag","frame":%s}' % frame for frame in (b"1.0", b"-1", b"true", b"1e3", b'"1"')]
    + [b'{"label":"a","type":"tag","attributes":' + b"[" * 100_000],
)
def test_text_from_outside_is_an_instance_or_a_schema_error(text):
    with pytest.raises(SchemaError) as caught:
        instance_from_json(text)
    assert caught.value.code == "bad-instance"


def test_a_frame_from_outside_is_an_integer():
    assert instance_from_json(b'{"label":"a","type":"tag","frame":12}').frame == 12


def test_ids_made_at_random_differ_and_pass_the_check():
    first, second = (make_instance({"label": "a", "type": "tag"}) for _ in range(2))
    assert first.instance_id != second.instance_id
    assert records.check_instance(first) is first


def test_derived_ids_depend_on_every_part_and_where_it_ends():
    derived = records.derived_instance_id("ab", "c")
    assert derived == records.derived_instance_id("ab", "c")
    assert len({derived, records.derived_instance_id("a", "bc"), records.derived_instance_id("abc")}) == 3
    assert make_instance({**TAG, "instance_id": derived}).instance_id == derived


ids = st.text("0123456789abcdef", min_size=32, max_size=32)
numbers_text = st.integers(-999, 999).flatmap(lambda n: st.sampled_from([f"{n}", f"{n}.0", f"{n}.50", f"{n}e0"]))


@st.composite
def instances(draw):
    fields = {
        "instance_id": draw(ids),
        "label": draw(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5)),
    }
    if draw(st.booleans()):
        fields |= {"type": "point", "geometry": [Number(draw(numbers_text)), Number(draw(numbers_text))]}
    else:
        fields |= {"type": "tag", "sequence": draw(st.none() | st.text(st.characters(codec="utf-8"), max_size=5))}
    fields["score"] = draw(st.none() | numbers_text.map(Number))
    fields["attributes"] = draw(
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), numbers_text.map(Number), max_size=3)
    )
    return make_instance(fields)


sets = st.lists(instances(), max_size=6, unique_by=lambda instance: instance.instance_id)


@settings(deadline=None)
@given(sets, st.randoms())
def test_a_set_has_the_same_bytes_in_any_order(members, random):
    content = encode_set(members)
    random.shuffle(members)
    assert encode_set(members) == content


@settings(deadline=None)
@given(sets)
def test_a_set_reads_back_ordered_by_id(members):
    content = encode_set(members)
    again = decode_set(content)
    assert again == sorted(members, key=lambda instance: instance.instance_id)
    assert encode_set(again) == content
    assert content.count(b"\n") == len(members)


@settings(deadline=None)
@given(instances())
def test_the_fields_of_an_instance_make_it_again(instance):
    assert make_instance(records.fields_of(instance)) == instance
    assert instance_from_json(msgspec.json.encode(records.fields_of(instance))) == instance


def test_absent_fields_are_left_out_of_the_fields():
    assert records.fields_of(make_instance(TAG)) == TAG
    assert set(records.fields_of(make_instance(FULL))) == set(records.FIELDS)


def test_an_empty_set_is_empty():
    assert encode_set([]) == b""
    assert decode_set(b"") == []


def test_an_id_may_occur_once_in_a_set():
    with pytest.raises(SchemaError, match="used twice") as caught:
        encode_set([make_instance(BOX), make_instance(TAG)])
    assert caught.value.fields["instance_id"] == ID


def test_a_set_is_limited(monkeypatch):
    monkeypatch.setattr(records, "MAX_INSTANCES", 1)
    encode_set([make_instance(BOX)])
    with pytest.raises(SchemaError, match="at most 1"):
        encode_set([make_instance(BOX), make_instance({**BOX, "instance_id": OTHER})])


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"geometry": [1.0, 2.0, 3.0, 4.0]}, True),
        ({"geometry": [1, 2, 3, 4.5]}, False),
        ({"geometry": [1, 2, 3, 4, 0]}, False),
        ({"label": "cat"}, False),
        ({"score": 0.5}, False),
        ({"frame": 0}, False),
        ({"attributes": {"a": 1}}, False),
        ({"source": "human"}, False),
    ],
)
def test_same_instance_looks_through_spelling_alone(change, same):
    assert same_instance(make_instance(BOX), make_instance({**BOX, **change})) is same


def test_a_number_that_became_text_is_a_change():
    before = make_instance({**TAG, "attributes": {"age": 1}})
    after = make_instance({**TAG, "attributes": {"age": "1"}})
    assert not same_instance(before, after)
    assert revise([before], [after]).instances == [after]


def test_revising_puts_back_what_says_the_same():
    before = [make_instance(BOX), make_instance({**BOX, "instance_id": OTHER})]
    respelled = make_instance({**BOX, "geometry": [1.0, 2.0, 3.0, 4.0]})
    moved = make_instance({**BOX, "instance_id": OTHER, "geometry": [1.0, 2.0, 3.0, 9.0]})
    new = make_instance({**BOX, "instance_id": "a" * 32, "geometry": [1.0, 2.0, 3.0, 4.0]})
    assert encode_set(revise(before, [respelled, moved, new]).instances) == encode_set([before[0], moved, new])
