import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from tdvc.errors import FormatError
from tdvc.formats import Reconciliation, _supervisely_shapes, supervisely
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance
from tests.formats.test_pascal_voc import put

# the sample of Supervisely's documentation: a ring of 3 x 3 pixels
RING = (
    "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44sKHhISMDuxpTYrr0"
    "3F6gDIOnq5/LOqeEJgDM5ht6"
)
BOX = {"classTitle": "dog", "geometryType": "rectangle", "points": {"exterior": [[1, 2], [10, 20]], "interior": []}}


def figure(kind, exterior, interior=(), **more):
    points = {"exterior": exterior, "interior": list(interior)}
    return {"classTitle": "dog", "geometryType": kind, "points": points} | more


def bitmap(data, origin=(1, 1)):
    return {"classTitle": "dog", "geometryType": "bitmap", "bitmap": {"data": data, "origin": list(origin)}}


def project(root, *objects, classes=({"title": "dog", "shape": "any"},), name="a.jpg", folder="train", **more):
    document = {"size": {"width": 64, "height": 48}, "tags": [], "objects": list(objects)} | more
    put(root / folder / "ann" / f"{name}.json", json.dumps(document))
    put(root / folder / "img" / name)
    put(root / "meta.json", json.dumps({"classes": list(classes), "tags": []}))
    return root


def read(source, **options):
    problems = []
    found = list(supervisely.read(source, problems.append, ReadOptions(**options)))
    files = [record for record in found if isinstance(record, FileRecord)]
    return files, [record for record in found if isinstance(record, LabelRecord)], problems


def only_instance(root, value, **more):
    (record,), _, problems = read(project(root, value, **more))
    assert problems == []
    (instance,) = record.instances
    return instance


def box(number=0, **fields):
    values = {"instance_id": f"{number:032x}", "label": "dog", "type": "box", "geometry": [1, 2, 30, 40]}
    return make_instance(values | fields)


def export(folder, *records, labels=()):
    problems = []
    for record in records:
        put(folder / supervisely.place(record))
    for written in supervisely.write(records, labels, problems.append):
        put(folder / written.path, b"".join(written.pieces))
    return problems


def back(folder, record, labels=()):
    assert export(folder, record, labels=labels) == []
    (found,), _, problems = read(folder)
    assert problems == []
    return found


def test_rectangles_include_their_last_pixels(tmp_path):
    assert bytes(only_instance(tmp_path, BOX).geometry) == b"[1,2,11,21]"


@pytest.mark.parametrize("corners", [[[10, 2], [1, 20]], [[10, 20], [1, 2]]])
def test_corners_come_in_any_order(tmp_path, corners):
    assert bytes(only_instance(tmp_path, figure("rectangle", corners)).geometry) == b"[1,2,11,21]"


@pytest.mark.parametrize(
    ("value", "type_", "geometry"),
    [
        (
            figure("polygon", [[0, 0], [9, 0], [9, 9.50]], [[[1, 1], [2, 1], [2, 2]]]),
            "polygon",
            "[[[0,0,9,0,9,9.5],[1,1,2,1,2,2]]]",
        ),
        (figure("line", [[0, 0], [9, 0], [9, 9]]), "polyline", "[0,0,9,0,9,9]"),
        (figure("point", [[3, 4]]), "point", "[3,4]"),
        (BOX | {"geometryType": None} | {"shape": "rectangle"}, "box", "[1,2,11,21]"),
    ],
)
def test_geometries(tmp_path, value, type_, geometry):
    value = {key: inner for key, inner in value.items() if inner is not None}
    instance = only_instance(tmp_path, value)
    assert (instance.type, bytes(instance.geometry).decode()) == (type_, geometry)


def test_graphs_follow_the_nodes_of_their_class(tmp_path):
    config = {"nodes": {"n1": {}, "n2": {}, "n3": {}}, "edges": []}
    nodes = {"n3": {"loc": [5, 6], "disabled": True}, "n1": {"loc": [1.50, 2]}}
    classes = [{"title": "dog", "shape": "graph", "geometry_config": config}]
    value = {"classTitle": "dog", "geometryType": "graph", "nodes": nodes}
    instance = only_instance(tmp_path, value, classes=classes)
    assert (instance.type, instance.coordinates) == ("keypoints", [1.5, 2, 2, 0, 0, 0, 5, 6, 1])


def test_the_documented_bitmap(tmp_path):
    instance = only_instance(tmp_path, bitmap(RING))
    array = masks.decode_rle(instance.coordinates)
    assert array.shape == (48, 64)
    assert array[1:4, 1:4].astype(int).tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    assert np.count_nonzero(array) == 8


def png(mode, values, **more):
    content = io.BytesIO()
    image = Image.new(mode, (len(values), 1))
    image.putdata(values)
    if mode == "P":
        image.putpalette([0, 0, 0, 0, 9, 0])
    image.save(content, "PNG", **more)
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        png("L", [0, 7]),
        png("1", [0, 1]),
        png("P", [0, 1]),
        png("P", [0, 1], transparency=0),
        png("RGB", [(0, 0, 0), (0, 1, 0)]),
        png("RGBA", [(9, 9, 9, 0), (0, 0, 0, 9)]),
        png("LA", [(9, 0), (0, 9)]),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_bitmaps_of_other_kinds(tmp_path, content, packed):
    data = base64.b64encode(zlib.compress(content) if packed else content).decode()
    array = masks.decode_rle(only_instance(tmp_path, bitmap(data)).coordinates)
    assert np.argwhere(array).tolist() == [[1, 2]]


def bomb():
    return base64.b64encode(zlib.compress(bytes((64 << 20) + 1))).decode()


BAD_OBJECTS = {
    "no object": 5,
    "no class": BOX | {"classTitle": None},
    "no geometry": {"classTitle": "dog"},
    "no points": {"classTitle": "dog", "geometryType": "polygon"},
    "points of text": figure("polygon", [["1", "2"]] * 3),
    "three numbers": figure("polygon", [[1, 2, 3]] * 3),
    "two corners": figure("polygon", [[1, 2]] * 2),
    "short hole": figure("polygon", [[1, 2]] * 3, [[[1, 2]]]),
    "three corners": figure("rectangle", [[1, 2]] * 3),
    "beyond everything": figure("rectangle", [[1, 2], [1e308, 3]]),
    "no nodes": {"classTitle": "dog", "geometryType": "graph", "nodes": {}},
    "node without place": {"classTitle": "dog", "geometryType": "graph", "nodes": {"a": {}}},
    "no bitmap": {"classTitle": "dog", "geometryType": "bitmap"},
    "not base64": bitmap("é"),
    "not a PNG": bitmap(base64.b64encode(b"hello").decode()),
    "cut PNG": bitmap(base64.b64encode(png("L", [0, 7])[:40]).decode()),
    "bomb": bitmap(bomb()),
    "outside": bitmap(RING, (62, 1)),
    "half a pixel": bitmap(RING, (1.5, 1)),
    "no origin": bitmap(RING, ()),
    "tag without name": BOX | {"tags": [{"value": 1}]},
    "tags of another kind": BOX | {"tags": 5},
}


@pytest.mark.parametrize("bad", BAD_OBJECTS.values(), ids=BAD_OBJECTS)
def test_a_bad_object_is_dropped_alone(tmp_path, bad):
    (record,), _, problems = read(project(tmp_path, BOX, bad, BOX))
    assert [instance.label for instance in record.instances] == ["dog", "dog"]
    assert [(p.code, p.place, p.instance, p.dropped_instances) for p in problems] == [
        ("instance-invalid", "train/ann/a.jpg.json", "1", 1)
    ]
    assert len(problems[0].message) < 300


NOT_ANNOTATIONS = {
    "empty": "",
    "cut": '{"objects": [',
    "list": "[]",
    "no objects": "{}",
    "tags": '{"objects": [], "tags": 5}',
    "NaN": '{"objects": [NaN]}',
    "key twice": '{"objects": [], "objects": []}',
    "deep": '{"objects": ' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.parametrize("content", NOT_ANNOTATIONS.values(), ids=NOT_ANNOTATIONS)
def test_a_bad_annotation_file_is_listed_and_its_picture_kept(tmp_path, content):
    put(project(tmp_path) / "train/ann/a.jpg.json", content)
    (record,), _, problems = read(tmp_path)
    assert (record.path, record.instances) == ("train/img/a.jpg", [])
    assert [(p.code, p.dropped_files) for p in problems] == [("record-unreadable", 0)]
    (tmp_path / "train/img/a.jpg").unlink()
    files, _, problems = read(tmp_path)
    assert (files, [p.dropped_files for p in problems]) == ([], [1])


@pytest.mark.parametrize(
    "meta", ["", "[]", "{}", '{"classes": 5}', '{"classes": [], "projectType": "volumes"}', '{"classes": [NaN]}']
)
def test_a_project_of_another_kind_is_refused(tmp_path, meta):
    put(project(tmp_path) / "meta.json", meta)
    with pytest.raises(FormatError) as caught:
        read(tmp_path)
    assert caught.value.code == "bad-format-file"


def test_classes_keep_order_and_fields(tmp_path):
    classes = [
        {"title": "cat", "id": 90, "color": "#FF0000", "shape": "polygon", "hotkey": "c"},
        {"id": 4},
        {"title": "dog", "id": 7},
        {"title": "cat", "id": 91},
    ]
    _, labels, problems = read(project(tmp_path, BOX, classes=classes))
    assert [(label.name, label.index, label.fields["id"]) for label in labels] == [
        ("cat", 0, Number("90")),
        ("dog", 1, Number("7")),
    ]
    assert sorted(p.code for p in problems) == ["duplicate-class", "record-unreadable"]
    export(tmp_path / "out", labels=labels)
    written = json.loads((tmp_path / "out/meta.json").read_text())["classes"]
    assert written[0] == classes[0] | {"geometry_config": {}}


def test_a_class_may_be_named_by_id(tmp_path):
    value = {key: inner for key, inner in BOX.items() if key != "classTitle"} | {"classId": 7}
    assert only_instance(tmp_path, value, classes=[{"title": "dog", "id": 7}]).label == "dog"


def test_tags_of_an_object_are_attributes(tmp_path):
    tags = [
        {"name": "ill"},
        {"name": "age", "value": 3.50},
        {"name": "coat", "value": "red"},
        {"name": "seen", "value": 1},
    ]
    tags += [{"name": "seen", "value": 2, "labelerLogin": "x"}, {"name": "by", "value": "a", "labelerLogin": "eve"}]
    instance = only_instance(tmp_path / "in", BOX | {"tags": tags})
    assert instance.attribute_values == {"ill": True, "age": 3.5, "coat": "red", "seen": [1, 2], "by": "a"}
    export(tmp_path / "out", FileRecord("train/img/a.jpg", None, [instance], size=(64, 48)))
    written = json.loads((tmp_path / "out/train/ann/a.jpg.json").read_text())["objects"][0]["tags"]
    assert [tag for tag in tags if tag not in written and tag["name"] != "seen"] == []
    assert [tag["value"] for tag in written if tag["name"] == "seen"] == [1, 2]


def test_tags_of_the_picture_are_tags(tmp_path):
    tags = [{"name": "night"}, {"name": "weather", "value": "sunny", "labelerLogin": "eve"}]
    (record,), _, _ = read(project(tmp_path / "in", tags=tags))
    assert [(i.label, i.type, i.attribute_values) for i in record.instances] == [
        ("night", "tag", {}),
        ("weather", "tag", {"value": "sunny"}),
    ]
    export(tmp_path / "out", record)
    written = json.loads((tmp_path / "out/train/ann/a.jpg.json").read_text())["tags"]
    assert [{key: value for key, value in tag.items() if key != "tdvc"} for tag in written] == tags
    meta = json.loads((tmp_path / "out/meta.json").read_text())
    assert {tag["name"]: tag["value_type"] for tag in meta["tags"]} == {"night": "none", "weather": "any_string"}


def test_what_the_file_says_beside_comes_back(tmp_path):
    value = BOX | {"id": 9, "labelerLogin": "eve", "nnCreated": True, "instance": "k", "description": "", "tags": []}
    source = project(tmp_path / "in", value, description="dusk", customBigData={"x": [1.50]}, more={"y": 1})
    (record,), labels, _ = read(source)
    assert parse(bytes(record.instances[0].properties))["supervisely"]["labelerLogin"] == "eve"
    export(tmp_path / "out", record, labels=labels)
    before, after = (json.loads((root / "train/ann/a.jpg.json").read_text()) for root in (source, tmp_path / "out"))
    del after["customBigData"]["tdvc"]
    assert after == before


@pytest.mark.parametrize("kind", ["cuboid", "alpha_mask", "oriented_bbox", "any", "multipolygon"])
def test_geometries_without_a_type_are_kept_aside(tmp_path, kind):
    value = {"classTitle": "dog", "geometryType": kind, "points": [[1, 2], [3, 4.5]], "angle": 0.5, "faces": [[0, 1]]}
    (record,), labels, problems = read(project(tmp_path / "in", value))
    assert [(p.code, p.severity) for p in problems] == [("geometry-kept-aside", "warning")]
    assert record.instances[0].type == "tag"
    export(tmp_path / "out", record, labels=labels)
    (written,) = json.loads((tmp_path / "out/train/ann/a.jpg.json").read_text())["objects"]
    assert value.items() <= written.items()


@pytest.mark.parametrize(
    "geometry", [[5, 5, 5, 5], [1, 2, 1.5, 3], [Number("0.10"), 0, Number("30.148063"), 4], [1, 2, 30, 40]], ids=repr
)
def test_boxes_come_back_also_those_without_a_pixel(tmp_path, geometry):
    one = box(geometry=geometry)
    (found,) = back(tmp_path, FileRecord("a.png", None, [one], size=(64, 48))).instances
    assert found.coordinates == one.coordinates


def test_a_moved_box_beats_the_carried_geometry(tmp_path):
    export(tmp_path, FileRecord("a.png", None, [box(geometry=[5, 5, 5, 5])], size=(64, 48)))
    path = tmp_path / "dataset/ann/a.png.json"
    path.write_text(path.read_text().replace("[[5,5],[5,5]]", "[[5,5],[8,8]]"))
    assert read(tmp_path)[0][0].instances[0].coordinates == [5, 5, 9, 9]


@pytest.mark.parametrize("points", [[[1, 2, 2]], [[1, 2, 2], [3, 4, 0], [5, 6, 1]], [[0, 0, 0], [5, 6, 1], [0, 0, 0]]])
def test_keypoints_come_back(tmp_path, points):
    many = box(1, type="keypoints", geometry=[1, 1, 2] * 5)
    one = box(2, type="keypoints", geometry=[value for point in points for value in point])
    found = back(tmp_path, FileRecord("a.png", None, [many, one], size=(64, 48)), [LabelRecord("dog", "dog", 0)])
    assert [i.coordinates for i in found.instances] == [many.coordinates, one.coordinates]
    (written,) = json.loads((tmp_path / "meta.json").read_text())["classes"]
    assert len(written["geometry_config"]["nodes"]) == 5


def test_polygons_of_several_parts_are_one_instance(tmp_path):
    parts = [[[0, 0, 9, 0, 9, 9], [1, 0, 2, 0, 2, 1]], [[20, 0, 29, 0, 29, 9]], [[40, 0, 49, 0, 49, 9]]]
    one = box(type="polygon", geometry=parts, attributes={"age": 3}, properties={"supervisely": {"id": 9}})
    found = back(tmp_path, FileRecord("a.png", None, [one, box(2)], size=(64, 48)))
    assert found.instances == [one, box(2)]
    objects = json.loads((tmp_path / "dataset/ann/a.png.json").read_text())["objects"]
    assert len({value.get("instance") for value in objects[:3]}) == 1
    assert [value.get("id") for value in objects] == [9, None, None, None]


@pytest.mark.parametrize(
    "value", [False, None, [], ["x"], {"a": 1}, [1, [2]], [True, 3, "x"], "", "5", 5, True], ids=repr
)
def test_attributes_come_back_whatever_they_hold(tmp_path, value):
    one = box(attributes={"age": value})
    assert back(tmp_path, FileRecord("a.png", None, [one], size=(64, 48))).instances == [one]


def test_everything_else_comes_back(tmp_path):
    one = box(1, score=Number("0.50"), frame=3, sequence="s", source="model-7", properties={"coco": {"id": 3}})
    tag = box(2, type="tag", geometry=None, attributes={"value": 3, "more": [1]}, score=1)
    record = FileRecord("b/c.png", None, [one, tag], {"coco": {"id": Number("1")}}, True, size=(64, 48), split="Dogs")
    found = back(tmp_path, record)
    assert found.instances == [one, tag]
    assert (found.path, found.complete, found.properties["splits"]) == ("Dogs/datasets/b/img/c.png", True, ["Dogs"])
    assert found.properties["coco"] == {"id": Number("1")}


@pytest.mark.parametrize(
    ("path", "split", "placed"),
    [
        ("a.png", "", "dataset/img/a.png"),
        ("a.png", "train", "train/img/a.png"),
        ("b/c/a.png", "", "b/datasets/c/img/a.png"),
        ("b/img/a.png", "", "b/img/a.png"),
        ("train/img/a.png", "train", "train/img/a.png"),
        ("b/datasets/c/img/a.png", "val", "val/datasets/b/datasets/c/img/a.png"),
    ],
)
def test_places(tmp_path, path, split, placed):
    record = FileRecord(path, None, [box()], size=(64, 48), split=split)
    assert supervisely.place(record) == placed
    assert back(tmp_path, record).path == placed


def test_what_supervisely_can_not_say_is_listed(tmp_path):
    big = masks.encode_rle(np.ones((3, 3), bool))
    others = [
        box(1, type="ellipse", geometry=[9, 9, 2, 3]),
        box(2, geometry=[1, 2, 3, 4, 30]),
        box(3, type="mask", geometry=big),
        box(4, type="mask", geometry=masks.encode_rle(np.zeros((48, 64), bool))),
        box(5, type="keypoints", geometry=[1, 2, 0]),
    ]
    problems = export(tmp_path, FileRecord("a.png", None, [box(), *others], size=(64, 48)))
    assert [(p.code, p.instance[-1], p.dropped_instances) for p in problems] == [
        ("type-not-carried", str(number), 1) for number in range(1, 6)
    ]
    assert len(read(tmp_path)[0][0].instances) == 1


def test_written_bitmaps_are_palette_pictures_with_a_clear_colour():
    data = _supervisely_shapes.drawn("mask", masks.encode_rle(np.array([[0, 1]])), (2, 1), [])[1]["bitmap"]
    picture = Image.open(io.BytesIO(zlib.decompress(base64.b64decode(data["data"]))))
    assert (picture.mode, picture.getpalette()[:6], picture.info["transparency"]) == ("P", [0, 0, 0, 255, 255, 255], 0)
    assert (data["origin"], picture.size) == ([Number("1"), Number("0")], (1, 1))


def test_a_tag_has_values_of_one_kind_and_the_others_come_back(tmp_path):
    many = [box(n, attributes={"age": value}) for n, value in enumerate([3, "old", True, [1, "x"]])]
    tags = [
        box(10 + n, type="tag", geometry=None, label="sky", attributes=said)
        for n, said in enumerate([{"value": "clear"}, {"value": 3}, {}, {"value": "dim", "more": [1]}])
    ]
    record = FileRecord("a.png", None, [*many, *tags], size=(64, 48))
    assert back(tmp_path, record).instances == [*many, *tags]
    kinds = {tag["name"]: tag["value_type"] for tag in json.loads((tmp_path / "meta.json").read_text())["tags"]}
    written = json.loads((tmp_path / "dataset/ann/a.png.json").read_text())
    assert kinds == {"age": "any_number", "sky": "any_string"}
    assert [tag["value"] for value in written["objects"] for tag in value["tags"]] == [3]
    assert [tag["value"] for tag in written["tags"]] == ["clear", "3", "", ""]


def test_a_tag_without_the_number_that_others_have_is_listed(tmp_path):
    tags = [
        box(n, type="tag", geometry=None, label="sky", attributes=said) for n, said in enumerate([{"value": 3}, {}])
    ]
    problems = export(tmp_path, FileRecord("a.png", None, tags, size=(64, 48)))
    assert [(p.code, p.dropped_instances) for p in problems] == [("type-not-carried", 1)]


def test_nested_datasets_and_what_is_passed_over(tmp_path):
    project(tmp_path, BOX)
    project(tmp_path, BOX, BOX, folder="train/datasets/inner", name="b.jpg")
    for name in (
        "train/meta/a.json",
        "train/img/notes.txt",
        "train/img/undescribed.png",
        "train/ann/x.txt",
        "README.md",
        "x/y",
    ):
        put(tmp_path / name)
    files, _, problems = read(tmp_path)
    assert [(f.path, len(f.instances), f.properties["splits"]) for f in files] == [
        ("train/img/a.jpg", 1, ["train"]),
        ("train/img/undescribed.png", 0, ["train"]),
        ("train/datasets/inner/img/b.jpg", 2, ["train"]),
    ]
    assert {(p.code, p.severity) for p in problems} == {("skipped-other", "warning")}
    assert {p.place for p in problems} == {"train/meta", "x", "README.md", "train/img/notes.txt", "train/ann/x.txt"}


def test_annotation_without_pictures_goes_by_the_path_it_had(tmp_path):
    record = FileRecord("b/c.png", None, [box()], size=(64, 48))
    export(tmp_path, record)
    (tmp_path / "b/img/c.png").unlink()
    (found,), _, problems = read(tmp_path)
    assert (found.path, found.source, found.instances, problems) == ("b/c.png", None, [box()], [])


@pytest.mark.parametrize("name", ["a.jpg", "train/a.jpg", "train/img/a.jpg"])
def test_pictures_may_lie_elsewhere(tmp_path, name):
    put(tmp_path / "elsewhere" / name)
    put(tmp_path / "elsewhere/other.jpg")
    (found,), _, problems = read(project(tmp_path / "in", BOX), images=tmp_path / "elsewhere")
    assert (found.path, found.source, problems) == (name, tmp_path / "elsewhere" / name, [])


def test_links_are_not_followed_and_counted_once(tmp_path):
    outside = put(tmp_path / "outside.jpg")
    source = project(tmp_path / "in", BOX, BOX)
    (source / "train/img/a.jpg").unlink()
    (source / "train/img/a.jpg").symlink_to(outside)
    reconciliation = Reconciliation()
    assert list(reconciliation.read(supervisely, source)) == []
    assert (reconciliation.files_in, reconciliation.instances_in) == (1, 2)


def test_objects_with_one_id_stay_two(tmp_path):
    (record,), _, problems = read(project(tmp_path, BOX | {"id": 3}, BOX | {"id": 3}))
    assert len({instance.instance_id for instance in record.instances}) == 2
    assert problems == []


@pytest.mark.parametrize("carried", [5, [], {"instance_id": 5}, {"part_of": "x"}, {"geometry": "x"}, {"attributes": 5}])
def test_a_field_of_the_same_name_does_no_harm(tmp_path, carried):
    assert only_instance(tmp_path, BOX | {"tdvc": carried}).coordinates == [1, 2, 11, 21]
