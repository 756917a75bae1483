import json

import pytest

from tdvc.errors import FormatError
from tdvc.formats import Reconciliation, datumaro
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.model.numbers import parse, plain
from tdvc.model.records import make_instance

LABELS = {"label": {"labels": [{"name": "cat", "parent": ""}, {"name": "dog", "parent": "animal"}]}}


def put(path, content="picture"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def item(*annotations, name="a", **more):
    return {"id": name, "annotations": list(annotations), "image": {"path": f"{name}.jpg"}} | more


def source(root, *items, subset="default", categories=LABELS, **more):
    document = {"info": {}, "categories": categories, "items": list(items)} | more
    put(root / f"annotations/{subset}.json", json.dumps(document))
    return root


def read(root):
    problems = []
    found = list(datumaro.read(root, problems.append))
    records = [record for record in found if isinstance(record, FileRecord)]
    return records, [label for label in found if isinstance(label, LabelRecord)], problems


def only_instance(root, **annotation):
    records, _, problems = read(source(root, item({"label_id": 0} | annotation)))
    assert problems == []
    (instance,) = records[0].instances
    return instance


def written(records, labels=()):
    problems = []
    files = {f.path: json.loads(b"".join(f.pieces)) for f in datumaro.write(records, labels, problems.append)}
    return files, problems


def again(root, folder):
    """What was read, and what comes back when it is written and read again."""
    records, labels, _ = read(root)
    problems = []
    for file in datumaro.write(records, labels, problems.append):
        put(folder / file.path, b"".join(file.pieces).decode())
    assert problems == []
    return records, read(folder)[0]


def own(instance):
    return plain(parse(bytes(instance.properties))).get("datumaro")


@pytest.mark.parametrize(
    ("annotation", "kind", "geometry"),
    [
        ({"type": "label"}, "tag", None),
        ({"type": "bbox", "bbox": [1, 2, 0.1, 0.2]}, "box", [1, 2, 1.1, 2.2]),
        ({"type": "bbox", "bbox": [1, 2, 3, 4], "attributes": {"rotation": 30}}, "box", [1, 2, 4, 6, 30]),
        ({"type": "rotated_bbox", "points": [10, 20, 5, 4, 30]}, "box", [7.5, 18, 12.5, 22, 30]),
        ({"type": "polygon", "points": [1, 2, 3, 4, 5, 7]}, "polygon", [[[1, 2, 3, 4, 5, 7]]]),
        ({"type": "polyline", "points": [1, 2, 3, 4]}, "polyline", [1, 2, 3, 4]),
        ({"type": "points", "points": [1, 2]}, "point", [1, 2]),
        ({"type": "points", "points": [1, 2], "visibility": [1]}, "keypoints", [1, 2, 1]),
        ({"type": "points", "points": [1, 2, 3, 4], "visibility": [2, 0]}, "keypoints", [1, 2, 2, 3, 4, 0]),
        ({"type": "skeleton", "points": [1, 2, 2, 0, 0, 0]}, "keypoints", [1, 2, 2, 0, 0, 0]),
        ({"type": "ellipse", "points": [1, 2, 4, 8]}, "ellipse", [2.5, 5, 1.5, 3]),
        ({"type": "mask", "rle": {"counts": [1, 2, 3], "size": [2, 3]}}, "mask", {"counts": "123", "size": [2, 3]}),
        ({"type": "mask", "rle": {"counts": "123", "size": [2, 3]}}, "mask", {"counts": "123", "size": [2, 3]}),
        (
            {"type": "cuboid_2d", "points": [[1, 9], [4, 7], [10, 7], [8, 9], [1, 2], [4, 1], [10, 1], [8, 2]]},
            "cuboid",
            [1, 2, 8, 2, 8, 9, 1, 9, 4, 1, 10, 1, 10, 7, 4, 7],
        ),
    ],
)
def test_every_type_has_its_geometry_and_comes_back(tmp_path, annotation, kind, geometry):
    instance = only_instance(tmp_path / "in", **annotation)
    assert (instance.type, instance.coordinates) == (kind, geometry)
    before, after = again(tmp_path / "in", tmp_path / "out")
    assert after[0].instances == before[0].instances
    (entry,) = json.loads((tmp_path / "out/annotations/default.json").read_text())["items"][0]["annotations"]
    assert entry["type"] == annotation["type"]


def test_what_is_in_space_is_kept_though_it_has_no_place(tmp_path):
    cuboid = {"type": "cuboid_3d", "position": [1, 2, 3.50], "rotation": [0, 0, 1], "scale": [1, 1, 1]}
    instance = only_instance(tmp_path / "in", **cuboid)
    assert (instance.type, own(instance)["position"]) == ("tag", [1, 2, 3.5])
    again(tmp_path / "in", tmp_path / "out")
    (entry,) = json.loads((tmp_path / "out/annotations/default.json").read_text())["items"][0]["annotations"]
    assert {name: entry[name] for name in cuboid} == cuboid


def test_a_caption_is_a_tag_with_its_words_and_a_caption_again(tmp_path):
    instance = only_instance(tmp_path / "in", type="caption", caption="a cat", label_id=None)
    assert (instance.label, instance.attribute_values) == ("caption", {"caption": "a cat"})
    again(tmp_path / "in", tmp_path / "out")
    document = json.loads((tmp_path / "out/annotations/default.json").read_text())
    (entry,) = document["items"][0]["annotations"]
    assert (entry["type"], entry["caption"], "caption" in entry["attributes"]) == ("caption", "a cat", False)
    assert [label["name"] for label in document["categories"]["label"]["labels"]] == ["cat", "dog"]


def test_customary_attributes_mean_what_they_mean(tmp_path):
    attributes = {"score": 0.50, "track_id": 7, "instance_id": "ab" * 16, "occluded": True, "odd": [1, {"a": None}]}
    instance = only_instance(tmp_path, type="bbox", bbox=[1, 2, 3, 4], attributes=attributes)
    assert (bytes(instance.score), instance.sequence, instance.instance_id) == (b"0.5", "7", "ab" * 16)
    assert instance.attribute_values == {"occluded": True, "odd": [1, {"a": None}]}


def test_our_attributes_are_not_taken_for_customary_ones(tmp_path):
    fields = {"label": "cat", "type": "box", "geometry": [1, 2, 3, 4], "sequence": "007", "source": "human", "frame": 3}
    attributes = {"score": 3, "track_id": "x", "rotation": 5, "instance_id": "cd" * 16}
    one = make_instance(fields | {"attributes": attributes, "score": 0.5, "instance_id": "ab" * 16})
    two = make_instance(fields | {"attributes": {"score": "high", "rotation": True}, "instance_id": "ef" * 16})
    problems = []
    for file in datumaro.write([FileRecord("a.jpg", None, [one, two])], [], problems.append):
        put(tmp_path / file.path, b"".join(file.pieces).decode())
    assert problems == []
    assert read(tmp_path)[0][0].instances == [one, two]


def test_unknown_fields_of_an_annotation_and_an_item_are_kept(tmp_path):
    annotation = {"type": "bbox", "bbox": [1, 2, 3, 4], "id": 9, "group": 2, "z_order": 1, "object_id": 5, "new": {}}
    items = [
        item(annotation | {"label_id": 1}, attr={"frame": 1}, extra=[1], image={"path": "x.jpg", "size": [48, 64]})
    ]
    records, _, _ = read(source(tmp_path / "in", *items))
    assert records[0].size == (64, 48)
    assert plain(records[0].properties["datumaro"]) == {"id": "a", "attr": {"frame": 1}, "extra": [1]}
    assert own(records[0].instances[0]) == {"id": 9, "group": 2, "z_order": 1, "object_id": 5, "new": {}}
    document = written([FileRecord("x.jpg", None, records[0].instances, records[0].properties, size=(64, 48))])
    (entry,) = document[0]["annotations/default.json"]["items"]
    (back,) = entry.pop("annotations")
    assert entry == {k: v for k, v in items[0].items() if k != "annotations"}
    assert {name: back[name] for name in annotation} == annotation


def test_labels_keep_their_place_and_what_is_said_of_them_elsewhere(tmp_path):
    label = {"labels": LABELS["label"]["labels"], "attributes": ["occluded"]}
    label["label_groups"] = [{"name": "pets", "group_type": "exclusive", "labels": ["cat", "dog"]}]
    categories = {
        "label": label,
        "mask": {"colormap": [{"label_id": 1, "r": 255, "g": 0, "b": 16}]},
        "points": {"items": [{"label_id": 0, "labels": ["nose", "ear"], "joints": [[1, 2]]}]},
    }
    _, labels, _ = read(source(tmp_path, item(), categories=categories))
    assert [(found.key, found.index) for found in labels] == [("cat", 0), ("dog", 1)]
    assert labels[1].fields["color"] == "#ff0010"
    assert labels[0].fields["keypoints"] == ["nose", "ear"]
    back = written([FileRecord("a.jpg", None, [])], labels)[0]["annotations/default.json"]["categories"]
    back["label"]["labels"] = [
        {k: v for k, v in entry.items() if k != "attributes"} for entry in back["label"]["labels"]
    ]
    assert back == categories


def test_labels_of_one_name_are_told_apart_by_their_parent(tmp_path):
    labels = [{"name": "none", "parent": ""}, {"name": "none", "parent": "pest"}]
    annotations = [{"type": "label", "label_id": position} for position in (0, 1)]
    records, found, _ = read(source(tmp_path, item(*annotations), categories={"label": {"labels": labels}}))
    assert [label.name for label in found] == ["none", "none"]
    assert [instance.label for instance in records[0].instances] == ["none", "pest/none"]
    assert [label.key for label in found] == ["none", "pest/none"]


def test_a_label_that_is_not_there_is_not_invented(tmp_path):
    instance = only_instance(tmp_path / "in", type="bbox", bbox=[1, 2, 3, 4], label_id=None)
    assert instance.label == "object"
    assert only_instance(tmp_path / "two", type="bbox", bbox=[1, 2, 3, 4], label_id=8).label == "label 8"
    again(tmp_path / "in", tmp_path / "out")
    document = json.loads((tmp_path / "out/annotations/default.json").read_text())
    assert document["items"][0]["annotations"][0]["label_id"] is None
    assert len(document["categories"]["label"]["labels"]) == 2


def test_subsets_are_splits_and_folders_of_media(tmp_path):
    put(tmp_path / "images/train/a.jpg")
    put(tmp_path / "images/b.jpg")
    source(tmp_path, item(), subset="train")
    source(tmp_path, item(name="b"), item(name="c"))
    records, _, _ = read(tmp_path)
    assert [(record.path, record.properties.get("splits")) for record in records] == [
        ("images/b.jpg", None),
        ("c.jpg", None),
        ("images/train/a.jpg", ["train"]),
    ]
    assert [record.source is None for record in records] == [False, True, False]


@pytest.mark.parametrize("path", ["/home/someone/x/a.jpg", "C:\\data\\a.jpg", "http://169.254.169.254/a.jpg", ""])
def test_a_path_on_another_machine_is_not_followed_and_the_id_names_the_picture(tmp_path, path):
    put(tmp_path / "images/default/sub/a.jpg")
    records, _, problems = read(source(tmp_path, item(name="sub/a", image={"path": path})))
    assert problems == []
    expected = "images/default/sub/a.jpg"
    assert (records[0].path, records[0].source) == (expected, tmp_path / expected)


@pytest.mark.parametrize("path", ["../../../evil.jpg", ".tdvc/x", "x/../../y.jpg", "a\\..\\..\\b.jpg"])
def test_names_that_lead_outside_are_refused(tmp_path, path):
    put(tmp_path / "evil.jpg")
    root = source(tmp_path / "in", item({"type": "label", "label_id": 0}, image={"path": path}))
    records, _, problems = read(root)
    assert all(record.source is None and ".." not in record.path for record in records)
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("unsafe-path", 1, 1)]


def frame(number, *annotations, **more):
    media = {"video_path": "clip.mp4", "frame_index": number}
    return {"id": f"f{number}", "annotations": list(annotations), "video_frame": media} | more


def test_frames_of_one_video_are_one_file(tmp_path):
    put(tmp_path / "in/videos/train/clip.mp4")
    box = {"type": "bbox", "bbox": [1, 2, 3, 4], "label_id": 0, "attributes": {"track_id": 1}}
    items = [frame(10, box, attr={"x": 1}), item(), frame(13, box, box), frame(16)]
    records, _, problems = read(source(tmp_path / "in", *items, subset="train"))
    assert problems == []
    video = records[1]
    assert (video.path, video.properties["splits"]) == ("videos/train/clip.mp4", ["train"])
    assert [(i.frame, i.sequence) for i in video.instances] == [(10, "1"), (13, "1"), (13, "1")]
    assert len({instance.instance_id for instance in video.instances}) == 3
    files, _ = written([FileRecord("clip.mp4", None, video.instances, video.properties, split="train")])
    back = files["annotations/train.json"]["items"]
    assert [(one["id"], one["video_frame"], len(one["annotations"])) for one in back] == [
        (one["id"], one["video_frame"], len(one["annotations"])) for one in items if "video_frame" in one
    ]
    assert back[0]["attr"] == {"x": 1}


def test_holes_are_a_mask_for_others_and_a_polygon_for_us(tmp_path):
    rings = [[1, 1, 11, 1, 11, 11, 1, 11], [3, 3, 6, 3, 6, 6, 3, 6]]
    polygon = make_instance({"label": "cat", "type": "polygon", "geometry": [rings]})
    files, problems = written([FileRecord("a.jpg", None, [polygon], size=(64, 48))])
    assert problems == []
    document = files["annotations/default.json"]
    assert document["items"][0]["annotations"][0]["type"] == "mask"
    put(tmp_path / "annotations/default.json", json.dumps(document))
    assert read(tmp_path)[0][0].instances == [polygon]
    del document["items"][0]["annotations"][0]["tdvc"]
    put(tmp_path / "annotations/default.json", json.dumps(document))
    assert read(tmp_path)[0][0].instances[0].type == "mask"


def test_what_has_no_place_is_reported():
    curve = make_instance({"label": "a", "type": "curve", "geometry": [1, 2, 3, 4, 5, 6]})
    holes = make_instance({"label": "a", "type": "polygon", "geometry": [[[1, 1, 9, 1, 9, 9]], [[1, 1, 9, 1, 9, 9]]]})
    _, problems = written([FileRecord("a.jpg", None, [curve, holes])])
    assert [(problem.code, problem.dropped_instances) for problem in problems] == [("type-not-carried", 1)] * 2


def test_one_visible_keypoint_is_no_point(tmp_path):
    found = make_instance({"label": "a", "type": "keypoints", "geometry": [1, 2, 2]})
    files, _ = written([FileRecord("a.jpg", None, [found])])
    put(tmp_path / "annotations/default.json", json.dumps(files["annotations/default.json"]))
    assert read(tmp_path)[0][0].instances == [found]


def test_two_pictures_of_one_stem_are_two_items():
    files, _ = written([FileRecord("a.jpg", None, []), FileRecord("a.png", None, [])])
    assert [one["id"] for one in files["annotations/default.json"]["items"]] == ["a", "a.png"]


@pytest.mark.parametrize(
    "annotation",
    [
        {"type": "bbox", "bbox": [1, 2, -3, 4]},
        {"type": "bbox", "bbox": [1, 2, 3]},
        {"type": "bbox", "bbox": ["1", 2, 3, 4]},
        {"type": "bbox", "bbox": [1, 2, 3, True]},
        {"type": "polygon", "points": [1, 2, 3, 4, 5]},
        {"type": "points", "points": [1, 2], "visibility": [3]},
        {"type": "points", "points": [1, 2], "visibility": [2, 2]},
        {"type": "mask", "rle": {"counts": "1", "size": [2, 3]}},
        {"type": "mask", "rle": {"counts": [6], "size": [2147483648, 2147483648]}},
        {"type": "mask", "rle": None},
        {"type": "cuboid_2d", "points": [[1, 2]] * 7},
        {"type": "hash_key"},
        {"type": None},
        {"type": "label", "label_id": "0"},
        {"type": "label", "attributes": []},
        "text",
    ],
)
def test_bad_annotations_are_counted_and_the_rest_is_read(tmp_path, annotation):
    bad = {"label_id": 0} | annotation if isinstance(annotation, dict) else annotation
    source(tmp_path, item(bad, {"type": "label", "label_id": 1}))
    sums = Reconciliation()
    for record in sums.read(datumaro, tmp_path):
        sums.stored(record)
    assert (sums.instances_out, sums.left_out, sums.unexplained) == (1, (0, 1), (0, 0))
    assert [problem.code for problem in sums.problems] == ["instance-invalid"]


@pytest.mark.parametrize("bad", ['{"id":1}', '{"id":"x","annotations":{}}', "[]", '{"id":"x","id":"y"}'])
def test_bad_items_are_counted_and_the_rest_is_read(tmp_path, bad):
    good = json.dumps(item())
    put(tmp_path / "annotations/default.json", f'{{"categories":{{}},"items":[{bad},{good}]}}')
    records, _, problems = read(tmp_path)
    assert [record.path for record in records] == ["a.jpg"]
    assert [(problem.code, problem.dropped_files) for problem in problems] == [("record-unreadable", 1)]
    assert problems[0].place == "annotations/default.json: items[0]"


@pytest.mark.parametrize(
    "text",
    [
        '{"categories":{},"items":{}}',
        '{"categories":{},"items":[NaN]}',
        '{"categories":{},"items":[',
        '{"categories":{"label":{"labels":[{"name":1}]}},"items":[]}',
        '{"categories":{},"items":[{"id":"\\ud800"}]' + "[" * 2000,
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused(tmp_path, text):
    with pytest.raises(FormatError) as caught:
        read(put(tmp_path / "a.json", text))
    assert caught.value.code == "bad-format-file"


def test_a_torn_subset_does_not_take_the_others_along(tmp_path):
    source(tmp_path, item())
    put(tmp_path / "annotations/train.json", '{"categories":{},"items":[')
    records, _, problems = read(tmp_path)
    assert len(records) == 1
    assert [(problem.code, problem.place) for problem in problems] == [("record-unreadable", "annotations/train.json")]
