import json
from dataclasses import replace

import pytest

from tdvc.formats import Reconciliation, detect_format, supervisely
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance
from tests.formats.test_pascal_voc import put
from tests.formats.test_supervisely import BOX, RING, export, project, read

CAR, DOG = "198f727d40c749eebcacc4aed299b39a", "9" * 32
SIZE = (1920, 1080)
RECTANGLE = {"points": {"exterior": [[266, 420], [847, 845]], "interior": []}}


def figure(number, key=CAR, kind="rectangle", geometry=RECTANGLE, **more):
    return {"key": f"{number:032x}", "objectKey": key, "geometryType": kind, "geometry": geometry} | more


def track(key=CAR, label="car", tags=(), **more):
    return {"key": key, "classTitle": label, "tags": list(tags)} | more


def frame(index, *figures):
    return {"index": index, "figures": list(figures)}


ONE_CAR = (track(),)


def video(root, frames, objects=ONE_CAR, tags=(), name="a.mp4", folder="ds0", **more):
    document = {"size": {"width": 1920, "height": 1080}, "description": "", "key": "c" * 32, "framesCount": 375}
    document |= {"tags": list(tags), "objects": list(objects), "frames": list(frames)} | more
    put(root / folder / "ann" / f"{name}.json", json.dumps(document))
    put(root / folder / "video" / name)
    classes = [{"title": title, "shape": "any"} for title in ("car", "dog")]
    put(root / "meta.json", json.dumps({"classes": classes, "tags": [], "projectType": "videos"}))
    return root


def only(source):
    (record,), _, problems = read(source)
    assert problems == []
    return record


def again(folder, record, labels=()):
    """The record after an export and an import, as `tdvc` does it: the size is the property that was kept."""
    assert [problem for problem in export(folder, record, labels=labels) if problem.dropped_instances] == []
    return only(folder)


def annotation(folder, path="ds0/ann/a.mp4.json"):
    return json.loads((folder / path).read_text())


def shown(number=0, **fields):
    values = {"instance_id": f"{number:032x}", "label": "car", "type": "box", "geometry": [1, 2, 30, 40], "frame": 0}
    return make_instance(values | fields)


def test_a_figure_is_an_instance_on_its_frame_in_the_sequence_of_its_object(tmp_path):
    source = video(tmp_path, [frame(0, figure(1)), frame(7, figure(2), figure(3, DOG))], [track(), track(DOG, "dog")])
    assert detect_format(source) is supervisely
    record = only(source)
    assert (record.path, record.size) == ("ds0/video/a.mp4", SIZE)
    assert record.properties == {
        "size": [Number("1920"), Number("1080")],
        "supervisely": {"key": "c" * 32, "framesCount": Number("375")},
    }
    assert [(i.instance_id, i.label, i.frame, i.sequence, i.coordinates) for i in record.instances] == [
        (f"{1:032x}", "car", 0, CAR, [266, 420, 848, 846]),
        (f"{2:032x}", "car", 7, CAR, [266, 420, 848, 846]),
        (f"{3:032x}", "dog", 7, DOG, [266, 420, 848, 846]),
    ]


def test_what_the_annotation_says_comes_back(tmp_path):
    points = [[1, 2], [3.50, 4], [5, 6]]
    geometries = {
        "polygon": {"points": {"exterior": points, "interior": [[[1, 1], [2, 1], [2, 2]]]}},
        "line": {"points": {"exterior": points, "interior": []}},
        "point": {"points": {"exterior": [[3, 4]], "interior": []}},
        "cuboid_3d": {"position": {"x": 1.50}, "dimensions": {"x": 2}},
    }
    figures = [figure(n, DOG, kind, held, labelerLogin="eve") for n, (kind, held) in enumerate(geometries.items())]
    tags = [
        {"name": "speed", "value": 3.50, "frameRange": [0, 1], "key": "1" * 32, "isFinished": True},
        {"name": "night", "key": "2" * 32, "frameRange": [2, 4]},
        {"name": "weather", "value": "sunny", "key": "3" * 32, "labelerLogin": "eve"},
    ]
    objects = [track(tags=tags, labelerLogin="eve", id=7), track(DOG, "dog", [{"name": "ill"}]), track("d" * 32, "dog")]
    frames = [frame(0, figure(20, nnCreated=True)), frame(2, *figures), frame(3, figure(21, id=9))]
    source = video(tmp_path / "in", frames, objects, tags, description="dusk", videoId=4)
    (record,), labels, problems = read(source)
    assert [p.code for p in problems] == ["geometry-kept-aside"]
    assert [i.type for i in record.instances][1:5] == ["polygon", "polyline", "point", "tag"]
    export(tmp_path / "out", record, labels=labels)
    before, after = annotation(source), annotation(tmp_path / "out")
    after["objects"][2].pop("tdvc")
    assert after == before
    assert json.loads((tmp_path / "out/meta.json").read_text())["projectType"] == "videos"


def test_the_order_of_figures_on_a_frame_means_nothing(tmp_path):
    objects = [track(tags=[{"name": "ill", "key": "1" * 32}], labelerLogin="eve")]
    for name, figures in (("one", [figure(7), figure(3)]), ("two", [figure(3), figure(7)])):
        video(tmp_path / name, [frame(4, *figures)], objects)
    one, two = (only(tmp_path / name).instances for name in ("one", "two"))
    assert one == two[::-1]


def test_bitmaps_of_a_frame_have_the_size_of_the_video(tmp_path):
    geometry = {"bitmap": {"origin": [1, 1], "data": RING}}
    instance = only(video(tmp_path, [frame(0, figure(1, kind="bitmap", geometry=geometry))])).instances[0]
    assert (instance.type, instance.bounding_box, instance.coordinates["size"]) == ("mask", (1, 1, 4, 4), [1080, 1920])


def test_tags_of_an_object_are_attributes_of_the_figures_in_their_range(tmp_path):
    tags = [
        {"name": "speed", "value": 3, "frameRange": [0, 1]},
        {"name": "speed", "value": 7, "frameRange": [1, 9]},
        {"name": "ill"},
    ]
    record = only(video(tmp_path, [frame(n, figure(n)) for n in (0, 1, 2, 12)], [track(tags=tags)]))
    assert [i.attribute_values for i in record.instances] == [
        {"speed": 3, "ill": True},
        {"speed": [3, 7], "ill": True},
        {"speed": 7, "ill": True},
        {"ill": True},
    ]


def test_attributes_that_change_become_tags_of_ranges(tmp_path):
    values = [{"ill": True, "speed": 3}, {"ill": True, "speed": 3}, {"ill": True, "speed": 5}, {"ill": True}]
    many = [shown(n, frame=3 * n, sequence=CAR, attributes=held) for n, held in enumerate(values)]
    record = FileRecord("ds0/video/a.mp4", None, many, size=SIZE)
    assert again(tmp_path, record).instances == many
    (written,) = annotation(tmp_path)["objects"]
    assert written["tags"] == [
        {"name": "ill"},
        {"name": "speed", "value": 3, "frameRange": [0, 3]},
        {"name": "speed", "value": 5, "frameRange": [6, 6]},
    ]


def test_an_edit_of_attributes_beats_the_tags_that_came(tmp_path):
    tags = [{"name": "speed", "value": 3, "key": "1" * 32}]
    record = only(video(tmp_path / "in", [frame(0, figure(0)), frame(1, figure(1))], [track(tags=tags)]))
    first, second = record.instances
    faster = make_instance(
        {name: getattr(second, name) for name in second.__struct_fields__} | {"attributes": {"speed": 9}}
    )
    found = again(tmp_path / "out", replace(record, instances=[first, faster]))
    assert [i.attribute_values for i in found.instances] == [{"speed": 3}, {"speed": 9}]


@pytest.mark.parametrize("value", [None, False, [], ["x"], {"a": 1}, [1, [2]], [True, 3], "", "5", 5, True], ids=repr)
def test_attributes_come_back_whatever_they_hold(tmp_path, value):
    many = [
        shown(1, sequence=CAR, attributes={"age": value}),
        shown(2, sequence=CAR, frame=1),
        shown(3, sequence=CAR, frame=2, attributes={"age": "old"}),
        shown(4, sequence=CAR, frame=2, attributes={"age": "older", "coat": value}),
    ]
    assert again(tmp_path, FileRecord("ds0/video/a.mp4", None, many, size=SIZE)).instances == many


def test_tags_of_the_video_are_tags_and_a_range_begins_at_their_frame(tmp_path):
    tags = [{"name": "night"}, {"name": "speed", "value": 5, "frameRange": [2, 4], "key": "5" * 32}]
    record = only(video(tmp_path / "in", [], [], tags))
    assert [(i.type, i.label, i.frame, i.attribute_values) for i in record.instances] == [
        ("tag", "night", None, {}),
        ("tag", "speed", 2, {"value": 5}),
    ]
    later = make_instance({"instance_id": "5" * 32, "label": "speed", "type": "tag", "frame": 3})
    export(tmp_path / "out", replace(record, instances=[later]))
    assert [tag["frameRange"] for tag in annotation(tmp_path / "out")["tags"]] == [[3, 3]]


def test_an_object_on_no_frame_is_a_tag_of_its_sequence(tmp_path):
    record = only(video(tmp_path / "in", [], [track(tags=[{"name": "ill", "key": "1" * 32}])]))
    (instance,) = record.instances
    assert (instance.type, instance.label, instance.sequence, instance.frame) == ("tag", "car", CAR, None)
    assert instance.attribute_values == {"ill": True}
    assert again(tmp_path / "out", record).instances == [instance]
    assert annotation(tmp_path / "out")["frames"] == []


def test_any_sequence_and_everything_else_comes_back(tmp_path):
    many = [
        shown(1, sequence="3", score=Number("0.50"), source="model-7", properties={"cvat": {"occluded": 1}}),
        shown(2, sequence="3", frame=1, label="dog"),
        shown(3, frame=1),
        shown(4, sequence=CAR, frame=1),
        shown(5, sequence=CAR, frame=2, label="dog", geometry=[5, 5, 5, 5]),
        shown(6, type="polygon", frame=2, geometry=[[[0, 0, 9, 0, 9, 9]], [[20, 0, 29, 0, 29, 9]]]),
        shown(7, type="tag", frame=2, geometry=None, sequence="s", attributes={"value": 3, "more": [1]}),
        shown(8, type="keypoints", frame=2, geometry=[1, 1, 2, 3, 4, 0, 5, 6, 1]),
    ]
    record = FileRecord("b/c.mp4", None, many, {"coco": {"id": Number("1")}}, True, size=SIZE, split="Dogs")
    labels = [LabelRecord("car", "car", 0), LabelRecord("dog", "dog", 1)]
    found = again(tmp_path, record, labels)
    assert sorted(found.instances, key=lambda i: i.instance_id) == many
    assert (found.path, found.complete) == ("Dogs/datasets/b/video/c.mp4", True)
    assert (found.properties["splits"], found.properties["coco"]) == (["Dogs"], {"id": Number("1")})
    written = annotation(tmp_path, "Dogs/datasets/b/ann/c.mp4.json")
    keys = [held["key"] for held in written["objects"]]
    assert len({*keys}) == len(keys)
    assert all(len(key) == 32 for key in keys)
    assert written["framesCount"] == 3
    once_more = again(tmp_path / "twice", found, labels)
    assert once_more == replace(found, source=tmp_path / "twice" / found.path)


def test_what_is_on_no_frame_is_listed(tmp_path):
    problems = export(tmp_path, FileRecord("a.mp4", None, [shown(1, frame=None), shown(2)], size=SIZE))
    assert [(p.code, p.instance[-1], p.dropped_instances) for p in problems] == [("type-not-carried", "1", 1)]


def test_ids_are_kept_and_written_as_a_map_each_once(tmp_path):
    source = video(tmp_path / "in", [frame(0, figure(1), figure(2))], [track()], [{"name": "night", "key": "5" * 32}])
    ids = {"figures": {f"{1:032x}": 8, f"{2:032x}": 8}, "objects": {CAR: 9}, "tags": {"5" * 32: 3}}
    put(source / "key_id_map.json", json.dumps(ids | {"videos": {"c" * 32: 11}}))
    record = only(source)
    assert parse(bytes(record.instances[0].properties))["supervisely"]["id"] == Number("8")
    export(tmp_path / "out", record)
    written = json.loads((tmp_path / "out/key_id_map.json").read_text())
    assert written == ids | {"figures": {f"{1:032x}": 8}, "videos": {"c" * 32: 11}}


@pytest.mark.parametrize("content", ["", "[]", '{"figures": 5}'])
def test_a_map_that_can_not_be_read_costs_only_the_ids(tmp_path, content):
    source = video(tmp_path, [frame(0, figure(1))])
    put(source / "key_id_map.json", content)
    (record,), _, problems = read(source)
    assert len(record.instances) == 1
    assert {(p.code, p.severity) for p in problems} <= {("record-unreadable", "warning")}


BAD_FIGURES = {
    "no object": figure(5, "e" * 32),
    "no figure": 5,
    "no geometry": figure(5, geometry=None),
    "no kind": figure(5, kind=None),
    "bad geometry": figure(5, geometry={"points": {"exterior": [[1, 2]]}}),
    "bad key twice": figure(5) | {"objectKey": None, "objectId": 77},
}


@pytest.mark.parametrize("bad", BAD_FIGURES.values(), ids=BAD_FIGURES)
def test_a_bad_figure_is_dropped_alone(tmp_path, bad):
    (record,), _, problems = read(video(tmp_path, [frame(3, figure(1), bad, figure(2))]))
    assert len(record.instances) == 2
    assert [(p.code, p.place, p.dropped_instances) for p in problems] == [("instance-invalid", "ds0/ann/a.mp4.json", 1)]


@pytest.mark.parametrize("bad", [{"index": -1}, {"index": "x"}, {"index": 1.5}, {}])
def test_figures_of_a_bad_frame_are_counted(tmp_path, bad):
    reconciliation = Reconciliation()
    source = video(tmp_path, [bad | {"figures": [figure(1), figure(2)]}, frame(1, figure(3))])
    (record,) = reconciliation.read(supervisely, source)
    reconciliation.stored(record)
    assert (reconciliation.instances_in, reconciliation.left_out, reconciliation.unexplained) == (3, (0, 2), (0, 0))


@pytest.mark.parametrize(
    "bad",
    [5, {}, track() | {"tags": 5}, track(tags=[{}]), track(tags=[{"name": "a", "frameRange": [1]}]), track()],
    ids=["no object", "no class", "no list", "no name", "bad range", "key twice"],
)
def test_a_bad_object_is_listed_and_only_its_figures_dropped(tmp_path, bad):
    source = video(tmp_path, [frame(0, figure(1, DOG))], [track(DOG), track(), bad])
    (record,), _, problems = read(source)
    assert [(i.type, i.sequence) for i in record.instances] == [("box", DOG), ("tag", CAR)]
    assert [(p.code, p.instance) for p in problems] == [("instance-invalid", "2")]


@pytest.mark.parametrize("content", ['{"objects": [], "frames": 5}', '{"objects": [], "frames": [], "tags": 5}', "{"])
def test_a_bad_annotation_file_is_listed_and_its_video_kept(tmp_path, content):
    put(video(tmp_path, []) / "ds0/ann/a.mp4.json", content)
    (record,), _, problems = read(tmp_path)
    assert (record.path, record.instances) == ("ds0/video/a.mp4", [])
    assert [p.code for p in problems] == ["record-unreadable"]


def test_pictures_and_videos_in_one_project(tmp_path):
    project(tmp_path / "in", BOX, folder="ds0", name="a.jpg")
    source = video(tmp_path / "in", [frame(0, figure(1))])
    put(source / "ds0/video/undescribed.mkv")
    files, _, problems = read(source)
    assert [(f.path, len(f.instances)) for f in files] == [
        ("ds0/img/a.jpg", 1),
        ("ds0/video/a.mp4", 1),
        ("ds0/video/undescribed.mkv", 0),
    ]
    assert problems == []
    problems = export(tmp_path / "out", *files)
    assert [(p.code, p.severity) for p in problems] == [("mixed-media", "warning")]
    assert [f.path for f in read(tmp_path / "out")[0]] == [f.path for f in files]
    assert json.loads((tmp_path / "out/meta.json").read_text())["projectType"] == "images"


@pytest.mark.parametrize(
    ("path", "split", "placed"),
    [
        ("a.MP4", "", "dataset/video/a.MP4"),
        ("b/c/a.webm", "val", "val/datasets/b/datasets/c/video/a.webm"),
        ("b/video/a.mp4", "", "b/video/a.mp4"),
        ("b/img/a.mp4", "", "b/video/a.mp4"),
        ("clip", "", "dataset/video/clip"),
    ],
)
def test_places_of_videos(path, split, placed):
    assert supervisely.place(FileRecord(path, None, [shown()], split=split)) == placed
