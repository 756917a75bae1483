import json

import pytest

from tdvc.errors import FormatError
from tdvc.formats import coco, detect_format
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tests.formats.test_pascal_voc import put


def truth(*images, **categories):
    return json.dumps(
        {
            "images": [{"id": n, "file_name": name, "width": 64, "height": 48} for n, name in images],
            "categories": [{"id": n, "name": name} for name, n in (categories or {"dog": 18}).items()],
            "annotations": [],
        }
    )


def result(image_id=1, **fields):
    return {"image_id": image_id, "category_id": 18, "bbox": [1, 2, 3.5, 4], "score": 0.75} | fields


def results(path, *found):
    return put(path, json.dumps(found))


def read(source, **options):
    problems = []
    found = list(coco.read(source, problems.append, ReadOptions(**options)))
    files = [record for record in found if isinstance(record, FileRecord)]
    return files, [record for record in found if isinstance(record, LabelRecord)], problems


def test_results_are_predictions_of_the_run_they_are_called_after(tmp_path):
    put(tmp_path / "instances_val.json", truth((1, "a.jpg"), (2, "b.jpg")))
    place = results(tmp_path / "run 7.json", result(1), result(1, bbox=[5, 5, 1, 1], score=1))
    assert detect_format(place) is coco
    files, labels, problems = read(place)
    assert problems == []
    assert [(f.path, f.run, len(f.instances), f.properties) for f in files] == [
        ("a.jpg", "run 7", 2, {}),
        ("b.jpg", "run 7", 0, {}),
    ]
    first, second = files[0].instances
    assert (first.label, first.type, first.source, bytes(first.geometry)) == ("dog", "box", "run 7", b"[1,2,4.5,6]")
    assert (bytes(first.score), bytes(second.score)) == (b"0.75", b"1")
    assert [label.name for label in labels] == ["dog"]


def test_every_kind_of_result(tmp_path):
    put(tmp_path / "instances_val.json", truth((1, "a.jpg")))
    place = results(
        tmp_path / "run.json",
        result(segmentation={"counts": "22", "size": [2, 2]}),
        result(keypoints=[1, 2, 0.93, 0, 0, 0.0]),
        result(keypoints=[1, 2, 1]),
        {"image_id": 1, "caption": "a dog"},
    )
    (record,), _, problems = read(place)
    assert problems == []
    assert [(i.type, bytes(i.geometry)) for i in record.instances] == [
        ("mask", b'{"counts":"22","size":[2,2]}'),
        ("keypoints", b"[1,2,2,0,0,0]"),
        ("keypoints", b"[1,2,1]"),
        ("tag", b"null"),
    ]
    assert b'"keypoint_scores":[0.93,0.0]' in bytes(record.instances[1].properties)


def test_twins_stay_two_and_ids_do_not_depend_on_what_else_is_there(tmp_path):
    put(tmp_path / "instances_val.json", truth((1, "a.jpg")))
    (record,), _, problems = read(results(tmp_path / "run.json", result(), result(), result(score=0.1)))
    (fewer,), _, _ = read(results(tmp_path / "run.json", result(score=0.1), result()))
    assert problems == []
    assert len({i.instance_id for i in record.instances}) == 3
    assert {i.instance_id for i in fewer.instances} < {i.instance_id for i in record.instances}


def test_a_result_can_not_take_the_place_of_an_annotation(tmp_path):
    """Results made by filling scores into annotations come with the ids of those."""
    identity = "ab" * 16
    put(tmp_path / "instances_val.json", truth((1, "a.jpg")))
    (record,), _, _ = read(results(tmp_path / "run.json", result(id=5, instance_id=identity)))
    assert record.instances[0].instance_id != identity


@pytest.mark.parametrize(
    "where", ["instances_val.json", "annotations/instances_val.json", "../instances_val.json", "../annotations/x.json"]
)
def test_the_file_with_names_is_found_nearby(tmp_path, where):
    place = results(tmp_path / "runs/run.json", result())
    put((tmp_path / "runs" / where).resolve(), truth((1, "a.jpg")))
    assert [f.path for f in read(place)[0]] == ["a.jpg"]


def test_the_file_with_names_is_found_beside_the_pictures(tmp_path):
    put(tmp_path / "coco/images/a.jpg")
    put(tmp_path / "coco/annotations/instances_val.json", truth((1, "a.jpg")))
    place = results(tmp_path / "far/away/run.json", result())
    (record,), _, _ = read(place, images=tmp_path / "coco/images")
    assert (record.path, record.source) == ("a.jpg", tmp_path / "coco/images/a.jpg")


def test_pictures_have_the_paths_that_the_annotations_have(tmp_path):
    put(tmp_path / "images/a.jpg")
    put(tmp_path / "annotations/instances_val.json", truth((1, "a.jpg")))
    place = results(tmp_path / "annotations/run.json", result())
    assert [f.path for f in read(place)[0]] == [f.path for f in read(tmp_path)[0]] == ["images/a.jpg"]


def test_without_names_nothing_is_guessed(tmp_path):
    put(tmp_path / "instances_val.json", truth((99, "other.jpg")))
    with pytest.raises(FormatError) as caught:
        read(results(tmp_path / "run.json", result()))
    assert caught.value.code == "bad-format-file"
    assert "run.json says its pictures by number" in caught.value.message
    assert "instances_*.json" in caught.value.hint


def test_numbers_that_mean_two_things_go_by_the_split_or_are_refused(tmp_path):
    put(tmp_path / "instances_train.json", truth((1, "t.jpg"), cat=18))
    put(tmp_path / "instances_val.json", truth((1, "v.jpg")))
    (record,), labels, _ = read(results(tmp_path / "detections_val_resnet_results.json", result()))
    assert (record.path, [label.name for label in labels]) == ("v.jpg", ["dog"])
    with pytest.raises(FormatError) as caught:
        read(results(tmp_path / "run.json", result()))
    assert "instances_train.json and instances_val.json" in caught.value.message


def test_files_that_say_the_same_are_no_contradiction(tmp_path):
    put(tmp_path / "instances_val.json", truth((1, "a.jpg")))
    put(tmp_path / "captions_val.json", truth((1, "a.jpg")))
    files, _, problems = read(results(tmp_path / "run.json", result()))
    assert ([f.path for f in files], problems) == (["a.jpg"], [])


def test_bad_results_are_listed(tmp_path):
    put(tmp_path / "instances_val.json", truth((1, "a.jpg"), (2, "../secret.jpg")))
    found = (result(), result(77), result(2), result(bbox=[1, 2]), result(score="high"), {"score": 1}, 5)
    (record,), _, problems = read(results(tmp_path / "run.json", *found))
    assert len(record.instances) == 1
    assert sorted((p.code, p.place, p.dropped_files, p.dropped_instances) for p in problems) == [
        ("instance-invalid", "a.jpg", 0, 1),
        ("instance-invalid", "a.jpg", 0, 1),
        ("record-unreadable", "run.json", 0, 1),
        ("record-unreadable", "run.json[5]", 0, 1),
        ("record-unreadable", "run.json[6]", 0, 1),
        ("unsafe-path", "../secret.jpg", 1, 1),
    ]
