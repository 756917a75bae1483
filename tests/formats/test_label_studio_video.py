import json
from dataclasses import replace

import pytest

from tdvc.formats import Reconciliation, label_studio
from tdvc.formats._videos import size_in_properties
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance
from tests.contracts.samples.label_studio import put
from tests.formats.test_label_studio import ANNOTATOR, box, of, spell_instance, without_ours, written

SIZE = {"original_width": 640, "original_height": 480}


def keyframe(frame, **more):
    place = {"x": 12.5, "y": 25, "width": 50.0, "height": 10, "rotation": 0}
    return place | {"frame": frame, "enabled": True, "time": frame / 25} | more


def track(*sequence, identity="xVyYZ", label="cat", **more):
    value = {"framesCount": 106, "duration": 4.250, "sequence": list(sequence), "labels": [label]}
    names = {"from_name": "box", "to_name": "video", "origin": "manual"}
    return names | {"id": identity, "type": "videorectangle", "value": value} | more


def timeline(*ranges, identity="r9", label="jump"):
    value = {"ranges": [{"start": start, "end": end} for start, end in ranges], "timelinelabels": [label]}
    return {"id": identity, "type": "timelinelabels", "from_name": "t", "to_name": "video", "value": value}


def task(*results, **fields):
    return {"data": {"video": "clip.mp4"}, "annotations": [{"completed_by": 1, "result": list(results)}]} | fields


def one(root, *results, **fields):
    (record,), problems = of(root, task(*results, **fields))
    return record, problems


def known(record):
    """The record as an export gives it to the writer: the size is the property that was kept."""
    return replace(record, size=size_in_properties(record.properties))


def results_again(record, **options):
    ((again,), _, lost) = written(known(record), **options)
    assert lost == []
    return [item for group in again["annotations"] for item in group["result"]]


def shown(number=0, **fields):
    values = {"instance_id": f"{number:032x}", "label": "cat", "type": "box", "geometry": [1, 2, 30, 40], "frame": 0}
    return make_instance(values | fields)


def reread(root, *instances, size=(640, 480), **fields):
    tasks, _, lost = written(FileRecord("clip.mp4", None, list(instances), size=size, **fields))
    assert lost == []
    (record,), problems = of(root, *tasks)
    assert problems == []
    return record


def by_id(instances):
    return sorted(instances, key=lambda instance: instance.instance_id)


def test_keyframes_are_boxes_on_their_frames_counted_from_0(tmp_path):
    record, problems = one(tmp_path, track(keyframe(1), keyframe(11, enabled=False, rotation=90), **SIZE))
    assert problems == []
    assert (record.path, record.size, size_in_properties(record.properties)) == ("clip.mp4", (640, 480), (640, 480))
    first, last = record.instances
    assert [(i.type, i.label, i.frame, i.sequence, i.source) for i in (first, last)] == [
        ("box", "cat", 0, "xVyYZ", ANNOTATOR),
        ("box", "cat", 10, "xVyYZ", ANNOTATOR),
    ]
    assert first.coordinates == [80, 120, 400, 168]
    assert len(last.coordinates) == 5
    assert parse(bytes(last.properties))["label-studio"]["keyframe"]["enabled"] is False


def test_what_the_results_say_comes_back(tmp_path):
    sequence = [
        keyframe(1, x=31.941923774954628, auto=True),
        keyframe(40, rotation=33.300),
        keyframe(106, enabled=False),
    ]
    items = [
        track(*sequence, **SIZE, score=0.50, meta={"text": ["hm"]}, readonly=True),
        track(keyframe(3), identity="other", label="dog", **SIZE),
        timeline((3, 5)),
        timeline((3, 3), identity="s2"),
        timeline((1, 4), (8, 9), identity="s3"),
        timeline((None, 4), identity="s4"),
    ]
    record, problems = one(tmp_path, *items)
    assert problems == []
    again = sorted((without_ours(item) for item in results_again(record)), key=lambda item: item["id"])
    assert again == sorted(items, key=lambda item: item["id"])


def test_a_video_of_unknown_size_keeps_its_percentages(tmp_path):
    items = [track(keyframe(1), keyframe(9)), track(keyframe(2), identity="other")]
    record, problems = one(tmp_path, *items)
    assert [(p.code, p.severity) for p in problems] == [("geometry-kept-aside", "warning")] * 2
    assert [(i.type, i.frame, i.sequence) for i in record.instances] == [
        ("tag", 0, "xVyYZ"),
        ("tag", 8, "xVyYZ"),
        ("tag", 1, "other"),
    ]
    assert "size" not in record.properties
    assert [without_ours(item) for item in results_again(record)] == items


def test_the_size_is_taken_from_another_result(tmp_path):
    record, problems = one(tmp_path, track(keyframe(1)), track(keyframe(1), identity="other", **SIZE))
    assert problems == []
    assert [i.coordinates for i in record.instances] == [[80, 120, 400, 168]] * 2


def test_a_moved_keyframe_is_written_where_it_is(tmp_path):
    record, _ = one(tmp_path, track(keyframe(1), keyframe(5, x=31.941923774954628), **SIZE))
    first, second = record.instances
    fields = {**parse(spell_instance(second)), "geometry": [64, 48, 128, 96], "frame": 6, "sequence": second.sequence}
    (item,) = results_again(replace(record, instances=[first, make_instance(fields)]))
    assert [entry["frame"] for entry in item["value"]["sequence"]] == [1, 7]
    assert [item["value"]["sequence"][1][key] for key in ("x", "y", "width", "height")] == [10, 10, 10, 10]
    assert (item["id"], item["value"]["framesCount"], item["value"]["duration"]) == ("xVyYZ", 106, 4.25)


def test_tracks_of_other_tools_come_back(tmp_path):
    many = [
        shown(1, sequence="3", attributes={"age": 3}, properties={"cvat": {"occluded": 1}}),
        shown(2, sequence="3", frame=1, geometry=[1, 2, 3, Number("4.123456789")]),
        shown(3, sequence="3", frame=2, label="dog"),
        shown(4, frame=2, source="model-7"),
        shown(5, sequence="s", frame=3, geometry=[1, 2, 3, 4, 30]),
        shown(6, type="tag", geometry=None, frame=5, attributes={"value": 3}, sequence="t"),
        shown(7, type="polygon", geometry=[[[0, 0, 9, 0, 9, 9]]], frame=4),
        shown(8, type="tag", geometry=None, frame=None, label="night"),
        shown(9, type="relation", geometry=[f"{2:032x}", f"{6:032x}"], frame=None, label="before"),
    ]
    record = reread(tmp_path, *many, properties={"coco": {"id": 1}}, complete=True)
    assert by_id(record.instances) == many
    assert (record.properties["coco"], record.complete) == ({"id": Number("1")}, True)
    ((again,), _, _) = written(known(record))
    assert again == json.loads((tmp_path / "tasks.json").read_text())[0]


@pytest.mark.parametrize(
    ("scores", "of_result", "of_keyframes"),
    [((0.5, 0.5), 0.5, [None, None]), ((0.5, 0.25), None, [0.5, 0.25]), ((0.5, None), None, [0.5, None])],
)
def test_scores_are_of_the_result_where_they_agree(tmp_path, scores, of_result, of_keyframes):
    many = [shown(n, sequence="s", frame=n, score=score, source="m") for n, score in enumerate(scores)]
    ((again,), _, _) = written(FileRecord("clip.mp4", None, many, size=(640, 480)))
    items = [item for kind in ("annotations", "predictions") for group in again[kind] for item in group["result"]]
    if None not in scores:
        (item,) = items
        assert item.get("score") == of_result
        assert [entry.get("score") for entry in item["value"]["sequence"]] == of_keyframes
    assert by_id(reread(tmp_path, *many).instances) == many


def test_two_annotators_may_have_one_region(tmp_path):
    annotations = [{"completed_by": n, "result": [track(keyframe(1), **SIZE)]} for n in (1, 2)]
    (record,), _ = of(tmp_path, {"data": {"video": "clip.mp4"}, "annotations": annotations})
    assert [(i.sequence, i.source) for i in record.instances] == [
        ("xVyYZ", ANNOTATOR),
        ("xVyYZ#2", "annotator:2"),
    ]
    assert [item["id"] for item in results_again(record)] == ["xVyYZ", "xVyYZ"]
    ((again,), _, _) = written(known(record))
    assert by_id(of(tmp_path / "again", again)[0][0].instances) == by_id(record.instances)


def test_what_is_said_of_a_track_is_an_attribute_of_its_first_keyframe(tmp_path):
    item = track(keyframe(1), keyframe(4), **SIZE)
    said = {"id": "xVyYZ", "type": "choices", "from_name": "colour", "to_name": "video"}
    said |= {"value": {key: item["value"][key] for key in ("sequence", "framesCount", "duration")}}
    said["value"]["choices"] = ["red"]
    record, problems = one(tmp_path, item, said)
    assert problems == []
    assert [i.attribute_values for i in record.instances] == [{"colour": "red"}, {}]
    again = results_again(record)
    assert again[0] == item
    assert (again[1]["type"], again[1]["value"]) == ("choices", said["value"])


def test_ranges_are_tags_on_their_first_frame(tmp_path):
    record, problems = one(tmp_path, timeline((3, 5)))
    assert problems == []
    (instance,) = record.instances
    assert (instance.type, instance.label, instance.frame) == ("tag", "jump", 2)
    later = make_instance({**parse(spell_instance(instance)), "frame": 6})
    (item,) = results_again(replace(record, instances=[later]))
    assert item["value"]["ranges"] == [{"start": 7, "end": 7}]


def test_the_configuration_shows_a_video(tmp_path):
    record, _ = one(tmp_path, track(keyframe(1), **SIZE), timeline((3, 5)))
    _, config, _ = written(known(record), labels=[LabelRecord("cat", "cat", 0)])
    assert '<Video name="video" value="$video"/>' in config
    assert '<VideoRectangle name="box" toName="video"/>' in config
    assert '<Labels name="box_label" toName="video">' in config
    assert '<TimelineLabels name="t" toName="video">' in config
    assert "<Image" not in config
    put(tmp_path / "label_config.xml", config)
    labels = [found for found in label_studio.read(tmp_path, print) if isinstance(found, LabelRecord)]
    assert [label.key for label in labels] == ["cat"]


def test_where_frames_stand_for_themselves_nothing_is_made_up_between_them(tmp_path):
    many = [shown(n, sequence="s", frame=frame) for n, frame in enumerate([0, 1, 5, 6, 9])]
    ((again,), _, _) = written(FileRecord("clip.mp4", None, many, size=(640, 480)))
    (item,) = again["annotations"][0]["result"]
    assert [entry["enabled"] for entry in item["value"]["sequence"]] == [True, False, True, False, False]
    assert [entry["time"] for entry in item["value"]["sequence"]] == [0.041667, 0.083333, 0.25, 0.291667, 0.416667]
    assert by_id(reread(tmp_path, *many).instances) == many


def test_keyframes_that_say_nothing_else_stay_keyframes(tmp_path):
    entries = [{"x": 10, "y": 10, "width": 10, "height": 10, "frame": frame} for frame in (1, 9)]
    item = track(*entries, **SIZE)
    item["value"] = {"sequence": entries, "labels": ["cat"]}
    record, _ = one(tmp_path, item)
    assert [entry["enabled"] for entry in results_again(record)[0]["value"]["sequence"]] == [True, True]


def test_a_video_in_a_new_project_is_a_video(tmp_path):
    ((again,), _, _) = written(FileRecord("clip.mp4", None, [shown()], size=(640, 480)))
    assert again["data"] == {"video": "clip.mp4"}
    record = reread(tmp_path, shown())
    assert "label-studio" not in record.properties


def test_a_video_without_a_size_can_not_be_written_in_percent(tmp_path):
    _, _, lost = written(FileRecord("clip.mp4", None, [shown(1), shown(2, sequence="s")]))
    assert [(p.code, p.dropped_instances) for p in lost] == [("type-not-carried", 1)] * 2


BAD = {
    "no value": (track(**SIZE) | {"value": None}, 1),
    "no sequence": (track(**SIZE), 1),
    "frame 0": (track(keyframe(0), **SIZE), 1),
    "half a frame": (track(keyframe(1.5), keyframe(2.5), **SIZE), 2),
    "no keyframe": (track(5, **SIZE), 1),
    "no width": (track(keyframe(1, width=None), **SIZE), 1),
    "negative": (track(keyframe(1, width=-5), **SIZE), 1),
    "text": (track(keyframe(1, x="1"), **SIZE), 1),
    "far away": (track(keyframe(1, x=1e300), **SIZE), 1),
    "beyond all frames": (track(keyframe(1 << 70), **SIZE), 1),
    "no ranges": (timeline(), 1),
    "ranges of another kind": (timeline() | {"value": {"ranges": [5]}}, 1),
}


@pytest.mark.parametrize(("bad", "count"), BAD.values(), ids=BAD)
def test_a_bad_result_is_left_out_alone(tmp_path, bad, count):
    put(tmp_path / "tasks.json", json.dumps([task(bad, track(keyframe(2), identity="good", **SIZE))]))
    reconciliation = Reconciliation()
    (record,) = reconciliation.read(label_studio, tmp_path)
    reconciliation.stored(record)
    assert [i.sequence for i in record.instances] == ["good"]
    assert {p.code for p in reconciliation.problems} == {"instance-invalid"}
    assert (reconciliation.left_out, reconciliation.unexplained) == ((0, count), (0, 0))


def test_keyframes_of_a_task_that_is_refused_are_counted(tmp_path):
    twice = task(track(keyframe(1), keyframe(5), **SIZE), box())
    _, problems = of(tmp_path, task(), twice)
    assert [(p.dropped_files, p.dropped_instances) for p in problems] == [(1, 3)]


@pytest.mark.parametrize(
    "carried", [5, {"keyframes": 5}, {"keyframes": {"1": 5}}, {"sequence": 5}, {"keyframes": {"1": {"type": "mask"}}}]
)
def test_hostile_carried_fields_do_no_harm(tmp_path, carried):
    record, problems = one(tmp_path, track(keyframe(1), **SIZE) | {"meta": {"tdvc": carried}})
    assert len(record.instances) + sum(p.dropped_instances for p in problems) == 1
