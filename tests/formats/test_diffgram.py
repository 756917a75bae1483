import json

import pytest

from tdvc.errors import FormatError
from tdvc.formats import Reconciliation, diffgram
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance
from tests.formats.test_pascal_voc import put

BOX = {"type": "box", "label_file_id": 12, "x_min": 1, "y_min": 2, "x_max": 10, "y_max": 20}
GROUPS = [
    {"id": 5, "kind": "select", "name": "Color"},
    {"id": 6, "kind": "multiple_select", "name": "Parts"},
    {"id": 7, "kind": "slider", "name": "Age"},
    {"id": 8, "kind": "text", "name": "", "prompt": "Say more"},
    {"id": 9, "kind": "tree", "name": "Place"},
    {"id": 10, "kind": "radio", "name": "Color"},
]


def points(*flat, **more):
    return [{"x": x, "y": y, **more} for x, y in zip(flat[0::2], flat[1::2], strict=True)]


def packet(*instances, identity=901, name="a.jpg", **file):
    file = {"id": identity, "original_filename": name, "ann_is_complete": None, "type": "image"} | file
    return {"file": file, "image": {"width": 64, "height": 48}, "instance_list": list(instances)}


def export_of(*packets, **more):
    document = {"readme": {}, "label_map": {"12": "dog", "9": "cat"}, "label_colour_map": {}, "export_info": {}}
    document |= {"attribute_groups_reference": GROUPS} | more
    return document | {str(one["file"]["id"]): one for one in packets}


def source(root, document, pictures=("a.jpg",)):
    put(root / "export.json", document if isinstance(document, (str, bytes)) else json.dumps(document))
    for name in pictures:
        put(root / name)
    return root


def read(folder, **options):
    problems = []
    found = list(diffgram.read(folder, problems.append, ReadOptions(**options)))
    files = [record for record in found if isinstance(record, FileRecord)]
    return files, [record for record in found if isinstance(record, LabelRecord)], problems


def only_instance(root, fields):
    (record,), _, problems = read(source(root, export_of(packet(fields))))
    assert problems == []
    (instance,) = record.instances
    return instance


def box(number=0, **fields):
    values = {"instance_id": f"{number:032x}", "label": "dog", "type": "box", "geometry": [1, 2, 30, 40]}
    return make_instance(values | fields)


def export(folder, *records, labels=()):
    problems = []
    for record in records:
        put(folder / diffgram.place(record))
    for written in diffgram.write(records, labels, problems.append):
        put(folder / written.path, b"".join(written.pieces))
    return problems


def written(folder):
    return json.loads((folder / "diffgram.json").read_text())


DOG = (LabelRecord("dog", "dog", 0),)


def back(folder, record, labels=DOG):
    assert export(folder, record, labels=labels) == []
    (found,), _, problems = read(folder)
    assert problems == []
    return found


def face(x, y, width, height):
    corners = {
        "top_left": (x, y),
        "top_right": (x + width, y),
        "bot_right": (x + width, y + height),
        "bot_left": (x, y + height),
    }
    return {"width": width, "height": height} | {name: {"x": a, "y": b} for name, (a, b) in corners.items()}


SHAPES = [
    (BOX, "box", [1, 2, 10, 20]),
    ({"type": "polygon", "points": points(1, 2, 5, 2, 5, 9.5)}, "polygon", [[[1, 2, 5, 2, 5, 9.5]]]),
    (
        {
            "type": "polygon",
            "points": points(0, 0, 1, 0, 1, 1, figure_id="a") + points(5, 5, 6, 5, 6, 6, figure_id="b"),
        },
        "polygon",
        [[[0, 0, 1, 0, 1, 1]], [[5, 5, 6, 5, 6, 6]]],
    ),
    ({"type": "point", "points": points(3, 4)}, "point", [3, 4]),
    ({"type": "line", "points": points(3, 4, 5, 6)}, "polyline", [3, 4, 5, 6]),
    ({"type": "ellipse", "center_x": 9, "center_y": 8, "width": 4, "height": 2, "angle": 0}, "ellipse", [9, 8, 4, 2]),
    (
        {"type": "ellipse", "center_x": 9, "center_y": 8, "width": 4, "height": 2, "angle": 0.5235987755982988},
        "ellipse",
        [9, 8, 4, 2, 30],
    ),
    (
        {"type": "cuboid", "front_face": face(1, 2, 10, 20), "rear_face": face(5, 6, 10, 20)},
        "cuboid",
        [1, 2, 11, 2, 11, 22, 1, 22, 5, 6, 15, 6, 15, 26, 5, 26],
    ),
    (
        {"type": "curve", "p1": {"x": 1, "y": 2}, "p2": {"x": 5, "y": 6}, "cp": {"x": 3, "y": 9}},
        "curve",
        [1, 2, 3, 9, 5, 6],
    ),
    (
        {
            "type": "keypoints",
            "nodes": [{"id": 7, "x": 1, "y": 2, "name": "eye"}, {"id": 9, "x": 3, "y": 4}],
            "edges": [],
        },
        "keypoints",
        [1, 2, 2, 3, 4, 2],
    ),
    ({"type": "text_token", "start_char": 3, "end_char": 9, "start_token": 1, "sentence": 2}, "text_span", [3, 9]),
    ({"type": "audio", "start_time": 1.5, "end_time": 9}, "time_span", [1.5, 9]),
    ({"type": "tag"}, "tag", None),
    ({"type": "global"}, "tag", None),
]


@pytest.mark.parametrize(("fields", "type_", "geometry"), SHAPES)
def test_geometries_come_in_and_go_back_as_they_came(tmp_path, fields, type_, geometry):
    fields = {"label_file_id": 12, "id": 55, "attribute_groups": {}} | fields
    (record,), labels, problems = read(source(tmp_path / "in", export_of(packet(fields))))
    assert problems == []
    (instance,) = record.instances
    assert (instance.type, instance.coordinates) == (type_, geometry)
    assert export(tmp_path / "out", record, labels=labels) == []
    (after,) = written(tmp_path / "out")["901"]["instance_list"]
    assert fields.items() <= after.items()


def test_a_box_of_zeros_has_lost_its_corners_in_the_export(tmp_path):
    assert only_instance(tmp_path, {"type": "box", "label_file_id": 12}).coordinates == [0, 0, 0, 0]
    nulls = dict.fromkeys(("x_min", "y_min", "x_max", "y_max", "lonlat", "points"))
    assert only_instance(tmp_path, {"type": "box", "label_file_id": 12} | nulls).coordinates == [0, 0, 0, 0]


def test_an_edited_geometry_beats_what_came(tmp_path):
    fields = {"type": "keypoints", "label_file_id": 12, "nodes": [{"id": 7, "x": 1, "y": 2, "name": "eye"}]}
    came = only_instance(tmp_path / "in", fields)
    moved = box(type="keypoints", geometry=[9, 9, 2], properties=parse(bytes(came.properties)))
    found = back(tmp_path / "out", FileRecord("a.jpg", None, [moved], size=(64, 48)))
    assert found.instances[0].coordinates == [9, 9, 2]


@pytest.mark.parametrize("kind", ["geo_box", "cuboid_3d", "something new"])
def test_types_that_tdvc_does_not_have_are_kept_aside(tmp_path, kind):
    fields = {"type": kind, "label_file_id": 12, "lonlat": [1.50, 2], "position_3d": {"x": 1}}
    (record,), labels, problems = read(source(tmp_path / "in", export_of(packet(fields))))
    assert [(p.code, p.severity) for p in problems] == [("geometry-kept-aside", "warning")]
    export(tmp_path / "out", record, labels=labels)
    assert fields.items() <= written(tmp_path / "out")["901"]["instance_list"][0].items()


def test_attributes_go_by_the_names_of_groups_and_options(tmp_path):
    values = {
        "5": {"id": 41, "name": "red", "display_name": "Red"},
        "6": [{"id": 1, "name": "head"}, {"id": 2, "name": "tail"}],
        "7": 3,
        "8": "furry",
        "9": {"61": {"name": "north"}},
        "10": {"id": 43, "name": "blue"},
        "99": "of no group",
        "11": None,
    }
    (record,), labels, _ = read(source(tmp_path / "in", export_of(packet(BOX | {"attribute_groups": values}))))
    assert record.instances[0].attribute_values == {
        "Color": "red",
        "Parts": ["head", "tail"],
        "Age": 3,
        "Say more": "furry",
        "Place": ["north"],
        "Color (10)": "blue",
        "99": "of no group",
    }
    export(tmp_path / "out", record, labels=labels)
    document = written(tmp_path / "out")
    del values["11"]
    assert document["901"]["instance_list"][0]["attribute_groups"] == values
    kinds = {group["id"]: group["kind"] for group in document["attribute_groups_reference"]}
    assert kinds == {5: "select", 6: "multiple_select", 7: "slider", 8: "text", 9: "tree", 10: "radio", 99: "text"}


def test_an_edited_option_is_the_option_of_that_name(tmp_path):
    red, blue = ({"id": number, "name": name} for number, name in ((41, "red"), (42, "blue")))
    values = [BOX | {"attribute_groups": {"5": option}} for option in (blue, red)]
    (record,), labels, _ = read(source(tmp_path / "in", export_of(packet(*values))))
    blue_one, red_one = record.instances
    edited = box(1, attributes={"Color": "blue"}, properties=parse(bytes(red_one.properties)))
    new = box(2, attributes={"Color": "green"}, properties=parse(bytes(red_one.properties)))
    export(tmp_path / "out", FileRecord("a.jpg", None, [blue_one, edited, new]), labels=labels)
    options = [i["attribute_groups"]["5"] for i in written(tmp_path / "out")["1"]["instance_list"]]
    assert options[:2] == [blue, blue]
    assert options[2]["name"] == "green"
    assert options[2]["id"] not in (41, 42)


@pytest.mark.parametrize(
    "value", ["red", "5", "", 5, Number("1.50"), True, None, [], ["a"], {"name": "x"}, {"a": {}}], ids=repr
)
def test_attributes_come_back_whatever_they_hold(tmp_path, value):
    one = box(attributes={"age": value, "other": "x"})
    (found,) = back(tmp_path, FileRecord("a.jpg", None, [one], size=(64, 48))).instances
    assert found.attributes == one.attributes


def test_labels_are_ordered_by_id_and_keep_it(tmp_path):
    document = export_of(packet(BOX), label_colour_map={"9": {"hex": "#194d33"}})
    _, labels, _ = read(source(tmp_path / "in", document))
    assert [(label.name, label.index, label.fields) for label in labels] == [
        ("cat", 0, {"id": Number("9"), "colour": {"hex": "#194d33"}}),
        ("dog", 1, {"id": Number("12")}),
    ]
    export(tmp_path / "out", labels=[LabelRecord("new", "new", 2), *labels])
    assert written(tmp_path / "out")["label_map"] == {"1": "new", "9": "cat", "12": "dog"}
    assert written(tmp_path / "out")["label_colour_map"] == {"9": {"hex": "#194d33"}}


def test_labels_that_the_map_does_not_know(tmp_path):
    document = export_of(
        packet(BOX | {"label_file_id": 77}, BOX | {"label_file_id": None}, BOX | {"label_file_id": 13})
    )
    document["label_map"] |= {"13": "dog", "14": 5}
    (record,), _, problems = read(source(tmp_path, document))
    assert [instance.label for instance in record.instances] == ["label 77", "box", "dog"]
    assert sorted(p.code for p in problems) == ["duplicate-class", "record-unreadable"]


def test_completeness_has_three_states(tmp_path):
    packets = [
        packet(identity=n, name=f"{n}.jpg", ann_is_complete=state) for n, state in ((1, True), (2, False), (3, None))
    ]
    files, _, _ = read(source(tmp_path, export_of(*packets)))
    assert [record.complete for record in files] == [True, False, None]


def test_files_keep_their_id_and_what_is_said_of_them(tmp_path):
    came = packet(BOX | {"id": 55, "number": 3, "rating": 5}, blob_url="https://example.org/a", created_time="2026")
    came["image"] |= {"rotation_degrees": 90}
    (record,), labels, _ = read(source(tmp_path / "in", export_of(came)))
    assert (record.path, record.size) == ("a.jpg", (64, 48))
    export(tmp_path / "out", record, labels=labels)
    after = written(tmp_path / "out")["901"]
    assert (after["file"], after["image"]) == (came["file"], came["image"])
    assert came["instance_list"][0].items() <= after["instance_list"][0].items()


def test_what_was_deleted_is_left_out_and_counted(tmp_path):
    values = [BOX | {"change_type": "deleted"}, BOX | {"soft_delete": True}, BOX | {"change_type": "added"}]
    (record,), _, problems = read(source(tmp_path, export_of(packet(*values))))
    assert len(record.instances) == 1
    assert [(p.code, p.instance, p.dropped_instances) for p in problems] == [
        ("instance-invalid", "0", 1),
        ("instance-invalid", "1", 1),
    ]


def test_twins_stay_two(tmp_path):
    (record,), _, problems = read(source(tmp_path, export_of(packet(BOX, BOX, BOX | {"id": 3}, BOX | {"id": 3}))))
    assert (len({instance.instance_id for instance in record.instances}), problems) == (4, [])


def test_a_file_name_that_occurs_twice_is_told_once(tmp_path):
    document = export_of(packet(BOX), packet(BOX, BOX, identity=902))
    files, _, problems = read(source(tmp_path, document))
    assert [len(record.instances) for record in files] == [1]
    assert [(p.code, p.place, p.dropped_files, p.dropped_instances) for p in problems] == [
        ("duplicate-path", "export.json: 902", 1, 2)
    ]


def test_relations_know_their_ends(tmp_path):
    values = [
        {"type": "relation", "label_file_id": 12, "from_instance_id": 1, "to_instance_id": 2},
        BOX | {"id": 1},
        BOX | {"id": 2},
    ]
    (record,), labels, problems = read(source(tmp_path / "in", export_of(packet(*values))))
    assert problems == []
    first, second, relation = record.instances
    assert relation.coordinates == [first.instance_id, second.instance_id]
    found = back(tmp_path / "out", record, labels)
    assert found.instances[2].coordinates == [first.instance_id, second.instance_id]


def test_relations_to_nothing_are_kept_aside(tmp_path):
    value = {"type": "relation", "label_file_id": 12, "from_instance_id": 1, "to_instance_id": 2}
    (record,), _, problems = read(source(tmp_path, export_of(packet(value))))
    assert [instance.type for instance in record.instances] == ["tag"]
    assert [p.code for p in problems] == ["geometry-kept-aside"]


def video():
    instances = [BOX | {"frame_number": n, "label_file_id": 12, "interpolated": n == 1} for n in (0, 1)]
    sequence = {"id": 1, "label_file_id": 12, "number": 1, "keyframe_list": [0, 6], "instance_list": instances}
    return {
        "file": {"id": 902, "original_filename": "v.mp4", "ann_is_complete": None, "type": "video"},
        "video": {"width": 64, "height": 48, "frame_rate": 5, "frame_count": 69},
        "parent_instance_list": [{"type": "global", "label_file_id": None}],
        "sequence_list": [sequence],
    }


def test_videos_have_frames_and_sequences(tmp_path):
    (record,), labels, problems = read(source(tmp_path / "in", export_of(video()), pictures=("v.mp4",)))
    assert problems == []
    assert [(i.type, i.frame, i.sequence) for i in record.instances] == [
        ("tag", None, None),
        ("box", 0, "1"),
        ("box", 1, "1"),
    ]
    found = back(tmp_path / "out", record, labels)
    assert found.instances == record.instances
    after = written(tmp_path / "out")["902"]["sequence_list"]
    assert [(s["id"], s["number"], s["keyframe_list"], len(s["instance_list"])) for s in after] == [(1, 1, [0, 6], 2)]


def test_compound_files_are_read_one_by_one(tmp_path):
    compound = {
        "file": {"id": 900, "type": "compound"},
        "901": packet(BOX),
        "902": packet(BOX, identity=902, name="b.jpg"),
    }
    files, _, problems = read(source(tmp_path, export_of(compound)))
    assert ([record.path for record in files], problems) == (["a.jpg", "b.jpg"], [])


BAD_INSTANCES = {
    "no object": 5,
    "no type": {"label_file_id": 12},
    "type of another kind": {"type": 5},
    "corner missing": {key: value for key, value in BOX.items() if key != "x_max"},
    "corner of text": BOX | {"x_min": "1"},
    "corners swapped": BOX | {"x_min": 99},
    "two points": {"type": "polygon", "points": points(1, 2, 3, 4)},
    "no points": {"type": "polygon"},
    "points of another kind": {"type": "polygon", "points": [5]},
    "three points of a line": {"type": "line", "points": points(1, 2, 3, 4, 5, 6)},
    "half a cuboid": {"type": "cuboid", "front_face": face(1, 2, 3, 4)},
    "curve without end": {"type": "curve", "p1": {"x": 1, "y": 2}},
    "no nodes": {"type": "keypoints", "nodes": []},
    "tokens alone": {"type": "text_token", "start_token": 1, "end_token": 2},
    "angle of text": {"type": "ellipse", "center_x": 9, "center_y": 8, "width": 4, "height": 2, "angle": "x"},
    "angle beyond": {"type": "ellipse", "center_x": 9, "center_y": 8, "width": 4, "height": 2, "angle": 1e300},
    "beyond everything": BOX | {"x_max": 1e300},
    "frame below 0": BOX | {"tdvc": {"frame": -1}},
}


@pytest.mark.parametrize("bad", BAD_INSTANCES.values(), ids=BAD_INSTANCES)
def test_a_bad_instance_is_dropped_alone(tmp_path, bad):
    (record,), _, problems = read(source(tmp_path, export_of(packet(BOX, bad, BOX))))
    assert [instance.label for instance in record.instances] == ["dog", "dog"]
    assert [(p.code, p.place, p.instance, p.dropped_instances) for p in problems] == [
        ("instance-invalid", "export.json: 901", "1", 1)
    ]
    assert len(problems[0].message) < 300


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"label_map": 5}',
        '{"label_map": {}, "label_map": {}}',
        '{"label_map": {"1": NaN}}',
        '{"label_map": {',
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, text):
    with pytest.raises(FormatError) as caught:
        read(put(tmp_path / "export.json", text))
    assert caught.value.code == "bad-format-file"


def test_a_file_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tdvc.formats.diffgram.MAX_FILE_BYTES", 64 << 10)
    path = put(tmp_path / "export.json", json.dumps(export_of(packet(*[BOX] * 1000))))
    with pytest.raises(FormatError, match="larger than"):
        read(path)


@pytest.mark.parametrize("bad", [5, [], {}, {"file": 5}, {"file": {"type": "image"}}])
def test_a_bad_packet_counts_as_a_file(tmp_path, bad):
    files, _, problems = read(source(tmp_path, export_of(packet(BOX)) | {"7": bad}))
    assert len(files) == 1
    assert [(p.code, p.place, p.dropped_files) for p in problems] == [("record-unreadable", "export.json: 7", 1)]


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "https://example.org/a.jpg", "link.jpg"])
def test_names_do_not_lead_outside(tmp_path, name):
    put(tmp_path / "a.jpg")
    folder = source(tmp_path / "in", export_of(packet(BOX, name=name)), pictures=())
    (folder / "link.jpg").symlink_to(tmp_path / "a.jpg")
    reconciliation = Reconciliation()
    assert list(reconciliation.read(diffgram, folder)) == [] or name.startswith("https")
    assert reconciliation.files_in == 1


def test_pictures_may_lie_elsewhere_or_nowhere(tmp_path):
    folder = source(tmp_path / "in", export_of(packet(BOX)), pictures=())
    put(tmp_path / "elsewhere/images/a.jpg")
    (found,), _, _ = read(folder, images=tmp_path / "elsewhere")
    assert (found.path, found.source) == ("images/a.jpg", tmp_path / "elsewhere/images/a.jpg")
    (found,), _, problems = read(folder)
    assert (found.path, found.source, problems) == ("a.jpg", None, [])


def test_everything_else_comes_back(tmp_path):
    one = box(1, score=Number("0.50"), frame=3, sequence="s", source="model-7", properties={"coco": {"id": 3}})
    two = box(2, label="not in the list", type="keypoints", geometry=[1, 2, 0, 3, 4, 1])
    record = FileRecord("b/c.jpg", None, [one, two], {"coco": {"id": Number("1")}}, True, size=(64, 48), split="Dogs")
    found = back(tmp_path, record)
    assert found.instances == [one, two]
    assert (found.path, found.complete, found.properties["splits"]) == ("images/Dogs/b/c.jpg", True, ["Dogs"])
    assert found.properties["coco"] == {"id": Number("1")}


def test_what_diffgram_can_not_say_is_listed(tmp_path):
    others = [
        box(1, geometry=[1, 2, 3, 4, 30]),
        box(2, type="polyline", geometry=[1, 2, 3, 4, 5, 6]),
        box(3, type="polygon", geometry=[[[0, 0, 9, 0, 9, 9], [1, 0, 2, 0, 2, 1]]]),
        box(4, type="mask", geometry={"counts": "4", "size": [2, 2]}),
    ]
    problems = export(tmp_path, FileRecord("a.jpg", None, [box(), *others]), labels=[LabelRecord("dog", "dog", 0)])
    assert [(p.code, p.instance[-1], p.dropped_instances) for p in problems] == [
        ("type-not-carried", str(number), 1) for number in range(1, 5)
    ]
    assert len(read(tmp_path)[0][0].instances) == 1
