from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.formats import _voc_words, _xml, pascal_voc
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number, parse
from tdvc.model.records import derived_instance_id, make_instance
from tests.formats.test_pascal_voc import BOX, CELL, annotation, put, read, voc


def box(number=0, **fields):
    values = {"instance_id": f"{number:032x}", "label": "cell", "type": "box", "geometry": [1, 2, 30, 40]}
    return make_instance(values | fields)


def record(*instances, path="a.jpg", **fields):
    return FileRecord(path, None, list(instances), size=(64, 48), **fields)


def export(folder, *records, labels=(), pictures=True):
    """Write as `tdvc export` does; the problems."""
    problems = []
    for one in records if pictures else ():
        put(folder / pascal_voc.place(one))
    for written in pascal_voc.write(records, labels, problems.append):
        put(folder / written.path, b"".join(written.pieces))
    return problems


def back(folder, one):
    """The record as it comes back."""
    assert export(folder, one) == []
    records, problems = read(folder)
    assert problems == []
    return records[0]


def test_the_layout_and_order_are_those_of_voc(tmp_path):
    export(tmp_path, record(box(attributes={"truncated": 1, "pose": "Left", "age": 3})))
    root = ElementTree.parse(tmp_path / "Annotations/a.xml").getroot()
    assert [child.tag for child in root] == ["filename", "size", "object"]
    assert root.findtext("filename") == "a.jpg"
    assert [child.text for child in root.find("size")] == ["64", "48", "3"]
    assert [child.tag for child in root.find("object")] == ["name", "pose", "truncated", "bndbox", "attributes", "tdvc"]
    assert [child.text for child in root.find("object/bndbox")] == ["1", "2", "30", "40"]
    assert root.findtext("object/attributes/attribute/value") == "3"


def test_corners_are_spelled_as_they_came(tmp_path):
    corners = [Number("1.50"), Number("2e0"), Number("30.148063"), Number("40")]
    written = export(tmp_path, record(box(geometry=corners)))
    assert written == []
    text = (tmp_path / "Annotations/a.xml").read_text()
    for corner in corners:
        assert f">{corner}<" in text


def test_a_file_of_another_tool_comes_out_as_it_came_in(tmp_path):
    head = "<folder>RBC</folder><path>/home/pi/a.jpg</path><source><database>Unknown</database></source>"
    head += "<size><width>640</width><height>480</height><depth>1</depth></size><segmented>0</segmented>"
    parts = f'<part id="7"><name>head</name>{BOX}</part><part><name>hand</name>{BOX}</part>'
    objects = (
        f'<object id="7"><name lang="en">dog</name><pose>Left</pose><truncated>1</truncated><difficult>0</difficult>'
        f"{BOX.replace('</bndbox>', '<angle>0.3</angle></bndbox>')}{parts}</object>{CELL}{CELL}"
    )
    text = annotation(inside=head + objects).replace("<annotation>", '<annotation verified="yes">')
    text = text.replace(
        "<filename>a.jpg</filename><folder>RBC</folder>", "<folder>RBC</folder><filename>a.jpg</filename>"
    )
    source = voc(tmp_path / "in", {"a.xml": text})
    found = read(source)[0][0]
    stored = replace(found, instances=sorted(found.instances, key=lambda instance: instance.instance_id))
    export(tmp_path / "out", stored)
    written = (tmp_path / "out/Annotations/a.xml").read_text()
    assert "".join(line.strip() for line in written.splitlines()) == text
    assert read(tmp_path / "out")[0][0].instances == found.instances


def test_pictures_that_came_from_voc_stay_where_they_are():
    assert pascal_voc.place(record(path="JPEGImages/a.jpg")) == "JPEGImages/a.jpg"
    assert pascal_voc.place(record(path="b/c.png")) == "JPEGImages/b/c.png"


def test_ids_are_written_only_where_they_can_not_be_derived(tmp_path):
    own = [derived_instance_id("pascal-voc", "JPEGImages/a.jpg", str(n)) for n in range(3)]
    instances = [box(instance_id=identity) for identity in (own[2], own[0])]
    assert [i.instance_id for i in back(tmp_path, record(*instances)).instances] == [own[0], own[2]]
    text = (tmp_path / "Annotations/a.xml").read_text()
    assert own[0] not in text
    assert own[2] in text


HARD = [
    "5",
    " x ",
    "",
    "a\rb",
    "a\tb\n c",
    "\x01",
    "\ufffe",
    "<&>\"'",
    "true",
    True,
    False,
    None,
    [1, "x"],
    {"a": {}},
    1.50,
]


@pytest.mark.parametrize("name", ["age", "pose", " spaced ", "", "a\x02", "<b>"])
@pytest.mark.parametrize("value", HARD, ids=repr)
def test_attributes_come_back_whatever_they_hold(tmp_path, name, value):
    one = box(attributes={name: value})
    assert back(tmp_path, record(one)).instances[0].attributes == one.attributes


def test_an_edited_attribute_beats_the_carried_one(tmp_path):
    export(tmp_path, record(box(attributes={"ill": True, "old": True, "list": [1]})))
    path = tmp_path / "Annotations/a.xml"
    text = path.read_text().replace("<value>true</value>", "<value>false</value>", 1)
    path.write_text(text)
    (instance,) = read(tmp_path)[0][0].instances
    assert instance.attribute_values == {"ill": "false", "old": True, "list": [1]}


@pytest.mark.parametrize(
    "kept", [{"pose": {"@x": "1"}}, {"attributes": {"@x": "1"}}, {"bndbox": {"xmin": "9", "z": "1"}}]
)
def test_parts_that_stand_where_ours_would_stand(tmp_path, kept):
    one = box(attributes={"pose": "Left", "age": 3}, properties={"pascal-voc": kept})
    found = back(tmp_path, record(one)).instances[0]
    assert found.attributes == one.attributes
    assert bytes(found.geometry) == bytes(one.geometry)


@pytest.mark.parametrize(
    "kept",
    [
        {"a b": "x"},
        {"n": 1},
        {"n": True},
        {"n": []},
        {"n": ["x"]},
        {"n": {}},
        {"n": " x"},
        {"n": {"#text": "x"}},
        {"@a": 1},
        {"tdvc": "x"},
        {"name": ["a", "b"]},
        {"n": {"#text": "", "@a": "b"}},
        ["x"],
    ],
    ids=repr,
)
def test_what_xml_can_not_say_is_carried(tmp_path, kept):
    one = box(properties={"pascal-voc": kept, "coco": {"id": 3}})
    assert parse(bytes(back(tmp_path, record(one)).instances[0].properties)) == parse(bytes(one.properties))


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.text('ab <&"\n\té\x01', max_size=4),
        lambda inner: st.one_of(
            st.dictionaries(st.sampled_from(["a", "b", "@c", "#text", "1"]), inner, max_size=3),
            st.lists(inner, max_size=3),
        ),
        max_leaves=6,
    )
)
def test_elements_are_the_inverse_of_what_is_kept(value):
    try:
        node = _voc_words.element("n", value)
    except ValueError:
        return
    assert _xml.to_json(_xml.parse(_voc_words.spelled(node))) == value


def test_scores_frames_and_other_fields_come_back(tmp_path):
    one = box(score=Number("0.50"), frame=3, sequence="s1", source="model-7", properties={"yolo": {"x": 1}})
    assert back(tmp_path, record(one)).instances == [one]


def test_what_is_known_of_the_file_comes_back(tmp_path):
    found = back(tmp_path, record(box(), properties={"coco": {"id": Number("7")}}, complete=True, split="train"))
    assert found.complete is True
    assert found.properties["coco"] == {"id": Number("7")}
    assert found.properties["splits"] == ["train"]


@pytest.mark.parametrize("label", [" dog", "a\x01b", "<dog>", "große Katze", "\r"])
def test_labels_come_back(tmp_path, label):
    one = box(label=label)
    assert back(tmp_path, record(one)).instances[0].label == label


def test_labels_are_written_by_name(tmp_path):
    export(tmp_path, record(box()), labels=[LabelRecord("cell", "Zelle", 0)])
    assert read(tmp_path)[0][0].instances[0].label == "Zelle"


@pytest.mark.parametrize("path", ["a\nb.jpg", " a.jpg", "b/\x1bc.jpg", "é&<.png", "no-suffix", "a.b.jpg"])
def test_paths_come_back(tmp_path, path):
    found = back(tmp_path, record(box(), path=path, split="train"))
    assert (found.path, len(found.instances)) == (f"JPEGImages/{path}", 1)
    assert found.properties["splits"] == ["train"]


def test_split_lists(tmp_path):
    export(
        tmp_path,
        record(path="a.jpg", properties={"splits": ["train", "trainval"]}),
        record(path="b/c.jpg", split="val", properties={"splits": ["train"]}),
        record(path="d 1.jpg", split="train"),
        record(path="e.jpg"),
    )
    lists = {path.name: path.read_text() for path in (tmp_path / "ImageSets/Main").iterdir()}
    assert lists == {"train.txt": "a\n", "trainval.txt": "a\n", "val.txt": "b/c\n"}
    splits = {one.path: one.properties.get("splits") for one in read(tmp_path)[0]}
    assert splits == {
        "JPEGImages/a.jpg": ["train", "trainval"],
        "JPEGImages/b/c.jpg": ["val"],
        "JPEGImages/d 1.jpg": ["train"],
        "JPEGImages/e.jpg": None,
    }


@pytest.mark.parametrize("splits", [["a/b"], ["../x"], ["b", "a"], ["a", "a"], [""], [" a"]])
def test_splits_that_no_list_can_say_are_carried(tmp_path, splits):
    found = back(tmp_path, record(properties={"splits": splits}))
    assert found.properties["splits"] == splits
    assert not (tmp_path / "ImageSets").exists()


def test_pictures_of_one_name_get_an_annotation_file_each(tmp_path):
    export(tmp_path, record(box(1), path="a.jpg"), record(box(2), path="A.png"), record(box(3), path="a.jpg.xml"))
    assert {one.path: one.instances[0].instance_id[-1] for one in read(tmp_path)[0]} == {
        "JPEGImages/a.jpg": "1",
        "JPEGImages/A.png": "2",
        "JPEGImages/a.jpg.xml": "3",
    }


def test_what_voc_can_not_say_is_listed(tmp_path):
    others = [
        box(1, type="point", geometry=[1, 2]),
        box(2, geometry=[1, 2, 3, 4, 30]),
        box(3, type="tag", geometry=None),
    ]
    problems = export(tmp_path, record(box(), *others))
    assert [(p.code, p.place, p.instance[-1], p.dropped_instances) for p in problems] == [
        ("type-not-carried", "a.jpg", "1", 1),
        ("type-not-carried", "a.jpg", "2", 1),
        ("type-not-carried", "a.jpg", "3", 1),
    ]
    assert len(read(tmp_path)[0][0].instances) == 1


def test_one_path_in_two_splits_is_listed(tmp_path):
    problems = export(tmp_path, record(box(1), split="train"), record(box(2), split="val"))
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("duplicate-path", 1, 1)]
    assert [one.properties["splits"] for one in read(tmp_path)[0]] == [["train"]]


def test_annotation_without_any_picture_is_read_alone(tmp_path):
    export(tmp_path, record(box(), path="x/a.jpg", split="train"), pictures=False)
    assert pascal_voc.detect(tmp_path)
    (found,), problems = read(tmp_path)
    assert problems == []
    assert (found.path, found.source, len(found.instances)) == ("x/a.jpg", None, 1)
    assert found.properties["splits"] == ["train"]


def test_an_object_that_was_copied_gets_an_id_of_its_own(tmp_path):
    export(tmp_path, record(box(7)))
    path = tmp_path / "Annotations/a.xml"
    text = path.read_text()
    start, end = text.index("\t<object>"), text.index("</annotation>")
    path.write_text(text[:end] + text[start:end] + text[end:])
    (found,), problems = read(tmp_path)
    assert problems == []
    assert [i.instance_id for i in found.instances] == [
        f"{7:032x}",
        derived_instance_id("pascal-voc", "JPEGImages/a.jpg", "1"),
    ]


@pytest.mark.parametrize("text", ["", "{", "[1]", "not ours", '{"instance_id":5}', '{"instance_id":null,"label":7}'])
def test_an_element_of_the_same_name_does_no_harm(tmp_path, text):
    source = voc(tmp_path, {"a.xml": annotation(inside=CELL.replace("</object>", f"<tdvc>{text}</tdvc></object>"))})
    (found,), problems = read(source)
    assert problems == []
    assert found.instances[0].label == "cell"


def test_pictures_may_lie_elsewhere(tmp_path):
    source = voc(
        tmp_path / "voc", {"a.xml": annotation(), "b.xml": annotation("sub/b.jpg")}, pictures=("a.jpg", "z.jpg")
    )
    put(source / "ImageSets/Main/train.txt", "a\nz\n")
    images = tmp_path / "elsewhere"
    put(images / "a.jpg")
    put(images / "sub/b.jpg")
    put(images / "more.jpg")
    problems = []
    records = list(pascal_voc.read(source, problems.append, ReadOptions(images=images)))
    assert [(r.path, r.source, r.properties.get("splits")) for r in records] == [
        ("a.jpg", images / "a.jpg", ["train"]),
        ("sub/b.jpg", images / "sub/b.jpg", None),
    ]
    assert [(p.code, p.place) for p in problems] == [
        ("skipped-other", "JPEGImages"),
        ("split-unknown", "ImageSets/Main/train.txt"),
    ]


@pytest.mark.parametrize("name", ["../x.jpg", "link.jpg", "gone.jpg"])
def test_names_do_not_lead_out_of_the_folder_of_pictures(tmp_path, name):
    put(tmp_path / "x.jpg")
    source = put(tmp_path / "a.xml", annotation(name))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/link.jpg").symlink_to(tmp_path / "x.jpg")
    problems = []
    records = list(pascal_voc.read(source, problems.append, ReadOptions(images=tmp_path / "pictures")))
    assert records == []
    assert [(p.dropped_files, p.dropped_instances) for p in problems] == [(1, 1)]
