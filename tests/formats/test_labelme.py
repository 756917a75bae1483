import base64
import io
import json

import numpy
import pytest
from PIL import Image

from tdvc.formats import Reconciliation, labelme
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance
from tests.contracts.samples.labelme import document, put, shape

SIZE = {"imageWidth": 64, "imageHeight": 48}


def read(source, **options):
    problems = []
    found = list(labelme.read(source, problems.append, ReadOptions(**options)))
    return [record for record in found if isinstance(record, FileRecord)], problems


def one(root, *shapes, **fields):
    put(root / "a.jpg")
    put(root / "a.json", json.dumps(document("a.jpg", *shapes, **(SIZE | fields))))
    (record,), problems = read(root)
    return record, problems


def only(root, *shapes):
    record, problems = one(root, *shapes)
    assert problems == []
    (instance,) = record.instances
    return instance


def written(record, *labels):
    """The files that an export writes, as JSON where they are."""
    lost = []
    files = {file.path: b"".join(file.pieces) for file in labelme.write([record], labels, lost.append)}
    return {name: json.loads(text) if name.endswith(".json") else text for name, text in files.items()}, lost


def shapes_again(record):
    files, lost = written(record)
    assert lost == []
    return files["a.json"]["shapes"]


def png(array):
    content = io.BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def instance(type_, geometry, **fields):
    values = {"instance_id": "ab" * 16, "label": "cat", "type": type_, "geometry": geometry}
    return make_instance(values | fields)


def reread(root, *instances, size=(64, 48)):
    """What comes back of instances that are written and read again."""
    files, lost = written(FileRecord("a.jpg", None, list(instances), size=size))
    assert lost == []
    put(root / "a.jpg")
    put(root / "a.json", json.dumps(files["a.json"]))
    return read(root)[0][0].instances


@pytest.mark.parametrize(
    ("kind", "points", "type_", "geometry"),
    [
        ("rectangle", [(9.50, 8), (1, 2)], "box", [1, 2, 9.5, 8]),
        ("rectangle", [(1, 2), (9, 2), (9, 8), (1, 8)], "box", [1, 2, 9, 8]),
        ("circle", [(10, 10), (13, 14)], "ellipse", [10, 10, 5, 5]),
        ("circle", [(10, 10), (7.25, 10)], "ellipse", [10, 10, 2.75, 2.75]),
        ("line", [(1, 2), (3, 4)], "polyline", [1, 2, 3, 4]),
        ("linestrip", [(1, 2), (3, 4), (5, 0)], "polyline", [1, 2, 3, 4, 5, 0]),
        ("point", [(1, 2)], "point", [1, 2]),
        ("points", [(1, 2), (3, 4)], "keypoints", [1, 2, 2, 3, 4, 2]),
        ("polygon", [(1, 2), (3, 4), (5, 0)], "polygon", [[[1, 2, 3, 4, 5, 0]]]),
        ("oriented_rectangle", [(4, 0), (4, 6), (0, 6), (0, 0)], "box", [-1, 1, 5, 5, 90]),
        ("oriented_rectangle", [(0, 0), (0, 6), (4, 6), (4, 0)], "box", [-1, 1, 5, 5, -90]),
        ("oriented_rectangle", [(0, 0), (10, 0), (20, 6), (0, 6)], "polygon", [[[0, 0, 10, 0, 20, 6, 0, 6]]]),
    ],
)
def test_every_shape_becomes_its_type_and_comes_back_as_drawn(tmp_path, kind, points, type_, geometry):
    record, problems = one(tmp_path, shape("cat", kind, *points))
    assert problems == []
    (found,) = record.instances
    assert (found.type, found.coordinates) == (type_, geometry)
    (again,) = shapes_again(record)
    assert (again["shape_type"], again["points"]) == (kind, [list(point) for point in points])


def test_a_file_without_shape_types_has_polygons(tmp_path):
    old = {"label": "cat", "line_color": None, "fill_color": [1, 2], "points": [[1, 2], [3, 4], [5, 0]]}
    record, problems = one(tmp_path, old, lineColor=[0, 255, 0, 128])
    assert (problems, record.instances[0].type) == ([], "polygon")
    files, _ = written(record)
    assert files["a.json"]["lineColor"] == [0, 255, 0, 128]
    assert files["a.json"]["shapes"][0]["fill_color"] == [1, 2]


def test_numbers_keep_their_spelling(tmp_path):
    text = json.dumps(document("a.jpg", shape("cat", "point", ("X", "Y"))))
    put(tmp_path / "a.json", text.replace('"X"', "1.50").replace('"Y"', "2e0"))
    records, _ = read(tmp_path)
    assert bytes(records[0].instances[0].geometry) == b"[1.50,2e0]"


def test_a_mask_lands_where_its_crop_lies(tmp_path):
    crop = numpy.array([[0, 255, 255], [255, 0, 0]], numpy.uint8)
    record, problems = one(tmp_path, shape("cat", "mask", (5.75, 7), (7.75, 8), mask=png(crop)))
    assert problems == []
    mask = masks.decode_rle(parse(bytes(record.instances[0].geometry)) | {"size": [48, 64]})
    assert mask.shape == (48, 64)
    assert sorted(zip(*(axis.tolist() for axis in mask.nonzero()), strict=True)) == [(7, 6), (7, 7), (8, 5)]
    (again,) = shapes_again(record)
    assert again["points"] == [[5.75, 7], [7.75, 8]]
    pixels = numpy.asarray(Image.open(io.BytesIO(base64.b64decode(again["mask"]))))
    assert pixels.tolist() == crop.tolist()


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (None, "without its pixels"),
        ("äöü", "not a PNG"),
        ("aGVsbG8=", "not a PNG"),
        ("?", "not a PNG"),
        (png(numpy.full((60, 10), 255, numpy.uint8)), "larger than the picture"),
        (png(numpy.full((40, 10), 255, numpy.uint8)), "leaves"),
    ],
)
def test_a_mask_that_is_none_is_left_out_alone(tmp_path, mask, reason):
    good = shape("dog", "point", (1, 2))
    record, (problem,) = one(tmp_path, shape("cat", "mask", (9, 9), (10, 10), mask=mask), good)
    assert [found.label for found in record.instances] == ["dog"]
    assert (problem.code, problem.instance, problem.dropped_instances) == ("instance-invalid", "0", 1)
    assert reason in problem.message


def test_a_png_of_many_pixels_is_not_unpacked(tmp_path):
    """A few bytes that promise a picture of 30,000 x 30,000 pixels."""
    header = base64.b64decode(png(numpy.zeros((1, 1), numpy.uint8)))
    bomb = header[:16] + (30_000).to_bytes(4) * 2 + header[24:]
    _, (problem,) = one(tmp_path, shape("cat", "mask", (1, 1), (2, 2), mask=base64.b64encode(bomb).decode()))
    assert problem.code == "instance-invalid"


@pytest.mark.parametrize(
    "bad",
    [
        shape("cat", "polygon", (1, 1), (2, 2)),
        shape("cat", "rectangle", (1, 1)),
        shape("cat", "rectangle", (0, 0), (4, 1), (5, 5), (0, 4)),
        shape("cat", "hexagon", (1, 1), (2, 2)),
        shape("", "point", (1, 1)),
        shape(None, "point", (1, 1)),
        shape("cat", "point", ("1", "2")),
        shape("cat", "point", (True, 2)),
        shape("cat", "point", (1, 2, 3)),
        shape("cat", "point", (1e308, 2)),
        shape("cat", "oriented_rectangle", *[(1e308, 1e308)] * 4),
        shape("cat", "circle", (1, 2), (1e200, 1e200)),
        shape("cat", 7, (1, 2)),
        {"label": "cat", "shape_type": "point", "points": {}},
        {"label": "cat", "shape_type": "point"},
        "cat",
    ],
)
def test_a_bad_shape_is_left_out_alone(tmp_path, bad):
    record, (problem,) = one(tmp_path, shape("dog", "point", (1, 2)), bad)
    assert [found.label for found in record.instances] == ["dog"]
    assert (problem.code, problem.place, problem.instance) == ("instance-invalid", "a.json", "1")
    assert (problem.dropped_files, problem.dropped_instances) == (0, 1)


def test_flags_that_are_set_are_tags_and_the_others_are_kept(tmp_path):
    flags = {"__ignore__": False, "cat": True, "rate": 3}
    record, problems = one(tmp_path, flags=flags)
    assert (problems, [(found.label, found.type) for found in record.instances]) == ([], [("cat", "tag")])
    files, _ = written(record)
    assert files["a.json"]["flags"] == flags
    assert files["a.json"]["shapes"] == []


def test_flags_and_description_of_a_shape_are_attributes(tmp_path):
    fields = {"flags": {"difficult": True, "cut": False}, "description": "left ear", "group_id": 4}
    record, _ = one(tmp_path, shape("cat", "point", (1, 2), **fields))
    (found,) = record.instances
    assert found.attribute_values == {"difficult": True, "cut": False, "description": "left ear"}
    assert parse(bytes(found.properties)) == {"labelme": {"group_id": Number("4")}}
    (again,) = shapes_again(record)
    assert {key: again[key] for key in fields} == fields


def test_unknown_keys_of_shape_and_file_survive(tmp_path):
    record, _ = one(tmp_path, shape("cat", "point", (1, 2), kie_linking=[[1, 2]]), chars={"a": [1]})
    files, _ = written(record)
    assert files["a.json"]["chars"] == {"a": [1]}
    assert files["a.json"]["shapes"][0]["kie_linking"] == [[1, 2]]
    assert files["a.json"]["version"] == "5.7.0"


@pytest.mark.parametrize("name", ["..\\pictures\\a.jpg", "../pictures/a.jpg", ".//../pictures/./a.jpg"])
def test_a_picture_may_lie_in_another_folder_of_the_source(tmp_path, name):
    put(tmp_path / "pictures/a.jpg")
    put(tmp_path / "labels/a.json", json.dumps(document(name, shape("cat", "point", (1, 2)))))
    (record,), problems = read(tmp_path)
    assert (record.path, record.source, problems) == ("pictures/a.jpg", tmp_path / "pictures/a.jpg", [])


@pytest.mark.parametrize(
    "name", ["../../a.jpg", "/etc/passwd", "C:\\x\\a.jpg", "\\\\srv\\a.jpg", "a/../../../b", "x\0y"]
)
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    put(tmp_path / "a.jpg", "secret")
    put(tmp_path / "source/labels/a.json", json.dumps(document(name, shape("cat", "point", (1, 2)))))
    records, (problem,) = read(tmp_path / "source")
    assert records == []
    assert (problem.code, problem.dropped_files, problem.dropped_instances) == ("unsafe-path", 1, 1)


@pytest.mark.parametrize("name", [None, ""])
def test_without_a_name_the_picture_is_the_files_own(tmp_path, name):
    put(tmp_path / "a.jpg")
    put(tmp_path / "a.json", json.dumps(document(name, shape("cat", "point", (1, 2)))))
    (record,), problems = read(tmp_path)
    assert (record.path, problems) == ("a.jpg", [])
    (alone,), _ = read(tmp_path / "a.json")
    assert alone.source == tmp_path / "a.jpg"


def test_an_embedded_picture_is_reported_where_it_is_the_only_one(tmp_path):
    for name in ("there.jpg", "gone.jpg"):
        content = document(name, shape("cat", "point", (1, 2)), imageData="aGVsbG8=")
        put(tmp_path / f"{name}.json", json.dumps(content))
    put(tmp_path / "there.jpg")
    records, (problem,) = read(tmp_path)
    assert {record.path: record.source for record in records} == {"gone.jpg": None, "there.jpg": tmp_path / "there.jpg"}
    assert (problem.code, problem.place, problem.severity) == ("picture-missing", "gone.jpg.json", "warning")
    assert "imageData" not in records[0].properties["labelme"]


def test_pictures_can_be_looked_up_elsewhere(tmp_path):
    put(tmp_path / "images/a.jpg")
    put(tmp_path / "images/unlabelled.jpg")
    for name in ("../a.jpg", "../../a.jpg"):
        put(tmp_path / "labels/in/x.json", json.dumps(document(name, shape("cat", "point", (1, 2)))))
        records, problems = read(tmp_path / "labels", images=tmp_path / "images")
        refused = name.count("..") == 2
        assert [record.path for record in records] == ([] if refused else ["a.jpg"])
        assert [problem.code for problem in problems] == (["unsafe-path"] if refused else [])


def test_pictures_without_a_file_and_other_files(tmp_path):
    for name in ("a.jpg", "b.png", "notes.txt"):
        put(tmp_path / name)
    put(tmp_path / "coco.json", '{"images": []}')
    put(tmp_path / "a.json", json.dumps(document("a.jpg", shape("cat", "point", (1, 2)))))
    records, (problem,) = read(tmp_path)
    assert [(found.path, len(found.instances)) for found in records] == [("a.jpg", 1), ("b.png", 0)]
    message = "The format has no use for 2 files here: 'coco.json', 'notes.txt'."
    assert (problem.code, problem.place, problem.message) == ("skipped-other", ".", message)
    for name in ("b.txt", "z.txt"):
        put(tmp_path / name)
    message = "The format has no use for 4 files here: 'b.txt', 'coco.json', 'notes.txt' and 1 more."
    assert [problem.message for problem in read(tmp_path)[1]] == [message]


def test_a_picture_described_twice_is_taken_once(tmp_path):
    put(tmp_path / "a.jpg")
    for name in ("1.json", "2.json"):
        put(tmp_path / name, json.dumps(document("a.jpg", shape("cat", "point", (1, 2)))))
    records, (problem,) = read(tmp_path)
    assert len(records) == 1
    assert (problem.code, problem.place) == ("duplicate-path", "2.json")
    assert (problem.dropped_files, problem.dropped_instances) == (0, 1)


@pytest.mark.parametrize(
    "content",
    [
        '{"shapes": [',
        '{"shapes": {}, "imagePath": "a.jpg"}',
        '{"shapes": [], "shapes": [], "imagePath": "a.jpg"}',
        '{"shapes": [], "imagePath": 7}',
        '{"shapes": [{"points": [[NaN, 1]]}], "imagePath": "a.jpg"}',
        '{"imagePath": "a.jpg", "shapes": ' + "[" * 100 + "]" * 100 + "}",
        '{"imagePath": "\\ud800.jpg", "shapes": []}',
        b'{"imagePath": "\xff.jpg", "shapes": []}',
    ],
)
def test_a_bad_file_leaves_its_picture_without_instances(tmp_path, content):
    put(tmp_path / "a.jpg")
    put(tmp_path / "a.json", content)
    (record,), (problem,) = read(tmp_path)
    assert (record.path, record.instances) == ("a.jpg", [])
    assert (problem.code, problem.place, problem.dropped_files) == ("record-unreadable", "a.json", 0)


def test_the_sum_comes_out_whatever_is_wrong(tmp_path):
    shapes = [shape("cat", "point", (1, 2)), shape("cat", "polygon", (1, 2)), shape("", "point", (1, 2))]
    put(tmp_path / "a.jpg")
    put(tmp_path / "a.json", json.dumps(document("a.jpg", *shapes, flags={"night": True, "x\0": True})))
    put(tmp_path / "b.json", json.dumps(document("../b.jpg", *shapes)))
    reconciliation = Reconciliation()
    for record in reconciliation.read(labelme, tmp_path):
        reconciliation.stored(record)
    assert (reconciliation.files_in, reconciliation.instances_in) == (2, 8)
    assert (reconciliation.files_out, reconciliation.instances_out) == (1, 2)
    assert reconciliation.unexplained == (0, 0)


def test_the_list_of_classes_gives_their_order(tmp_path):
    put(tmp_path / "labels.txt", "\ufeff__ignore__\n_background_\n\ndog\r\ncat\ndog\n")
    problems = []
    put(tmp_path / "a.json", json.dumps(document("a.jpg")))
    found = [item for item in labelme.read(tmp_path, problems.append) if isinstance(item, LabelRecord)]
    assert [(label.name, label.index) for label in found] == [
        ("__ignore__", 0),
        ("_background_", 1),
        ("dog", 2),
        ("cat", 3),
    ]
    assert [problem.code for problem in problems] == ["duplicate-class"]
    files, _ = written(FileRecord("a.jpg", None, []), *found)
    assert files["labels.txt"].decode().split() == ["__ignore__", "_background_", "dog", "cat"]


def test_pictures_that_differ_in_their_suffix_get_a_file_each(tmp_path):
    records = [FileRecord(name, None, [instance("point", [1, 2])], size=(9, 9)) for name in ("a.jpg", "a.png")]
    for file in labelme.write(records, [], pytest.fail):
        put(tmp_path / file.path, b"".join(file.pieces))
    found, problems = read(tmp_path)
    assert ([record.path for record in found], problems) == (["a.jpg", "a.png"], [])


@pytest.mark.parametrize(
    ("type_", "geometry", "kinds"),
    [
        ("ellipse", [30, 20, 12, 7, 30], {"polygon"}),
        ("polygon", [[[5, 5, 40, 5, 40, 40, 5, 40], [10, 10, 20, 10, 20, 20]]], {"mask"}),
        ("polygon", [[[5, 5, 9, 5, 9, 9]], [[15, 15, 19, 15, 19, 19]]], {"polygon"}),
        ("keypoints", [1, 2, 2, 0, 0, 0, 3, 4, 1], {"points"}),
        ("box", [1, 2, 30, 20, 33.3], {"oriented_rectangle"}),
        ("polyline", [1, 2, 3, 4], {"line"}),
    ],
)
def test_what_labelme_can_not_draw_is_drawn_otherwise_and_comes_back(tmp_path, type_, geometry, kinds):
    before = instance(type_, geometry, score=0.5, frame=3, sequence="s", source="model", properties={"coco": {"id": 1}})
    drawn = shapes_again(FileRecord("a.jpg", None, [before], size=(64, 48)))
    assert {made["shape_type"] for made in drawn} == kinds
    assert reread(tmp_path, before) == [before]


def test_a_shape_that_was_moved_in_labelme_stays_moved(tmp_path):
    files, _ = written(FileRecord("a.jpg", None, [instance("ellipse", [30, 20, 12, 7])], size=(64, 48)))
    (drawn,) = files["a.json"]["shapes"]
    drawn["points"] = [[x + 1, y] for x, y in drawn["points"]]
    put(tmp_path / "a.json", json.dumps(files["a.json"]))
    (found,) = read(tmp_path)[0][0].instances
    assert (found.type, found.instance_id) == ("polygon", "ab" * 16)
    assert found.bounding_box == (19, 13, 43, 27)


def test_a_shape_that_was_duplicated_in_labelme_is_two(tmp_path):
    files, _ = written(FileRecord("a.jpg", None, [instance("box", [1, 2, 3, 4])], size=(64, 48)))
    files["a.json"]["shapes"] *= 2
    put(tmp_path / "a.json", json.dumps(files["a.json"]))
    first, second = read(tmp_path)[0][0].instances
    assert first.instance_id == "ab" * 16 != second.instance_id
    assert first.coordinates == second.coordinates


def test_parts_of_a_polygon_are_tied_by_a_group_of_their_own(tmp_path):
    parts = [[[5, 5, 9, 5, 9, 9]], [[15, 15, 19, 15, 19, 19]]]
    grouped = instance("box", [1, 2, 3, 4], instance_id="cd" * 16, properties={"labelme": {"group_id": 7}})
    record = FileRecord("a.jpg", None, [grouped, instance("polygon", parts)], size=(64, 48))
    assert [made["group_id"] for made in shapes_again(record)] == [7, 8, 8]
    assert bytes(reread(tmp_path, *record.instances)[1].properties) == b"{}"


def test_what_has_no_place_is_counted(tmp_path):
    curve = instance("curve", [1, 2, 3, 4, 5, 6])
    files, (problem,) = written(FileRecord("a.jpg", None, [curve], size=(64, 48)))
    assert files["a.json"]["shapes"] == []
    assert (problem.code, problem.instance, problem.dropped_instances) == ("type-not-carried", "ab" * 16, 1)


def test_properties_of_others_making_do_not_break_an_export(tmp_path):
    said = {"labelme": {"points": "x", "shape_type": [], "flags": 3, "description": 4, "tdvc": {"part": 9}}}
    before = instance("box", [1, 2, 3, 4], attributes={"ill": True, "description": "d"}, properties=said)
    record = FileRecord("a.jpg", None, [before], properties={"labelme": [1]}, size=(64, 48))
    files, lost = written(record)
    assert (lost, files["a.json"]["shapes"][0]["points"]) == ([], [[1, 2], [3, 4]])
    (after,) = reread(tmp_path, before)
    assert after.attribute_values == before.attribute_values
    assert after.coordinates == before.coordinates


def test_hostile_carried_fields_are_not_believed(tmp_path):
    carried = {"instance_id": "x", "type": "mask", "geometry": {"counts": "0", "size": [9, 9]}, "part": {}, "frame": -1}
    record, (problem,) = one(tmp_path, shape("cat", "point", (1, 2), tdvc=carried), tdvc={"file_id": 7, "tags": 3})
    assert (record.instances, record.file_id) == ([], None)
    assert problem.code == "instance-invalid"
