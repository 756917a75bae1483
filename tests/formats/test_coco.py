import json
from pathlib import Path

import numpy as np
import pytest

from tdvc.errors import FormatError
from tdvc.formats import coco
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance
from tests.formats.test_pascal_voc import put

LABELS = [LabelRecord("dog", "dog", 0, {"id": Number("18")}), LabelRecord("cat", "cat", 1)]
RING = [1, 2, 9, 2, 9, 8]


def document(*annotations, images=((7, "a.jpg"),), **more):
    return {
        "images": [{"id": number, "file_name": name, "width": 64, "height": 48} for number, name in images],
        "categories": [{"id": 18, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [{"id": n, "image_id": 7, "category_id": 18, **a} for n, a in enumerate(annotations, start=1)],
        **more,
    }


def coco_folder(root, *annotations, name="instances_train.json", **more):
    put(root / "images/a.jpg")
    put(root / "annotations" / name, json.dumps(document(*annotations, **more)))
    return root


def read(source, **options):
    problems = []
    found = list(coco.read(source, problems.append, ReadOptions(**options)))
    files = [record for record in found if isinstance(record, FileRecord)]
    return files, [record for record in found if isinstance(record, LabelRecord)], problems


def export(folder, *records, labels=LABELS):
    problems = []
    for record in records:
        put(folder / coco.place(record))
    for written in coco.write(records, labels, problems.append):
        put(folder / written.path, b"".join(written.pieces))
    return problems


def instance(number, kind, geometry, label="dog", **fields):
    made = {"instance_id": f"{number:032x}", "label": label, "type": kind, "geometry": geometry}
    return make_instance(made | fields)


@pytest.mark.parametrize(
    ("annotation", "kind", "geometry"),
    [
        ({"bbox": [1, 2, 2.50, 4]}, "box", "[1,2,3.5,6]"),
        ({"bbox": [0.1, 0, 0.2, 1]}, "box", "[0.1,0,0.3,1]"),
        ({"segmentation": [RING], "bbox": [1, 2, 8, 6], "area": 24, "iscrowd": 0}, "polygon", "[[[1,2,9,2,9,8]]]"),
        ({"segmentation": [RING, RING]}, "polygon", "[[[1,2,9,2,9,8]],[[1,2,9,2,9,8]]]"),
        ({"segmentation": {"counts": [2, 2], "size": [2, 2]}}, "mask", '{"counts":"22","size":[2,2]}'),
        ({"segmentation": {"counts": "22", "size": [2, 2]}, "iscrowd": 1}, "mask", '{"counts":"22","size":[2,2]}'),
        ({"keypoints": [1, 2, 2, 0, 0, 0], "bbox": [1, 2, 3, 4]}, "keypoints", "[1,2,2,0,0,0]"),
        ({"caption": "a dog"}, "tag", "null"),
        ({}, "tag", "null"),
    ],
)
def test_what_annotations_become(tmp_path, annotation, kind, geometry):
    (record,), _, problems = read(coco_folder(tmp_path, annotation))
    (found,) = record.instances
    assert (found.type, bytes(found.geometry).decode()) == (kind, geometry)
    assert problems == []


def test_the_usual_way_and_the_long_way_agree(tmp_path):
    usual = {"segmentation": [RING], "area": 24.0, "bbox": [1, 2, 8, 6], "iscrowd": 0}
    (short,), _, _ = read(coco_folder(tmp_path / "short", usual))
    (long,), _, _ = read(coco_folder(tmp_path / "long", usual | {"note": None}))
    assert short.instances == long.instances


def test_a_segmentation_that_breaks_its_rules_is_kept_aside(tmp_path):
    (record,), _, problems = read(coco_folder(tmp_path, {"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3]]}))
    assert record.instances[0].type == "box"
    assert parse(bytes(record.instances[0].properties))["coco"]["segmentation"] == [[Number(n) for n in "123"]]
    assert [(p.code, p.severity) for p in problems] == [("geometry-kept-aside", "warning")]


def test_files_of_a_split_are_read_together(tmp_path):
    coco_folder(tmp_path, {"bbox": [1, 2, 3, 4]}, name="instances_val.json")
    coco_folder(tmp_path, {"caption": "a dog"}, name="captions_val.json")
    (record,), labels, _ = read(tmp_path)
    assert sorted(found.type for found in record.instances) == ["box", "tag"]
    assert record.properties["splits"] == ["val"]
    assert [label.name for label in labels] == ["dog", "cat"]


def test_the_rest_of_a_record_can_be_read_later(tmp_path):
    coco_folder(tmp_path, {"bbox": [1, 2, 3, 4]}, {"bbox": [1, 2, "x", 4]})
    met, late = [], []
    (record,) = [r for r in coco.scan(tmp_path, met.append) if isinstance(r, FileRecord)]
    assert (record.path, record.instances, met) == ("images/a.jpg", [], [])
    assert len(record.whole(late.append).instances) == 1
    assert [problem.code for problem in late] == ["instance-invalid"]


def test_a_file_in_annotations_finds_the_pictures_beside_that(tmp_path):
    coco_folder(tmp_path, {"bbox": [1, 2, 3, 4]})
    (record,), _, _ = read(tmp_path / "annotations/instances_train.json")
    assert (record.path, record.source) == ("images/a.jpg", tmp_path / "images/a.jpg")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"images": [],\n "annotations": [NaN]}', "line 2, column 18, before 'NaN]}'"),
        ('{"images": {}, "annotations": [], "categories": []}', "Expected `array`"),
        ('{"images": [], "annotations": [', "truncated"),
    ],
)
def test_a_file_that_is_not_coco_is_refused_with_the_place(tmp_path, content, said):
    with pytest.raises(FormatError) as caught:
        read(put(tmp_path / "instances_val.json", content))
    assert caught.value.code == "bad-format-file"
    assert caught.value.message.startswith("instances_val.json ")
    assert said in caught.value.message


def test_other_files_of_coco_in_the_folder_are_named(tmp_path):
    coco_folder(tmp_path, {"bbox": [1, 2, 3, 4]})
    put(tmp_path / "run1.json", json.dumps([{"image_id": 7, "category_id": 18, "bbox": [1, 2, 3, 4], "score": 0.5}]))
    panoptic = document() | {"annotations": [{"image_id": 7, "file_name": "a.png", "segments_info": []}]}
    put(tmp_path / "annotations/panoptic_train.json", json.dumps(panoptic))
    _, _, problems = read(tmp_path)
    assert [(p.code, p.place, p.severity) for p in problems] == [
        ("skipped-other", "annotations/panoptic_train.json", "warning"),
        ("skipped-other", "run1.json", "warning"),
    ]


def test_ids_and_numbers_are_written_as_they_came(tmp_path):
    annotation = {"segmentation": [RING], "bbox": [1, 2, 8, 6], "area": 24.50, "iscrowd": 0, "extra": {"b": [1.0]}}
    coco_folder(tmp_path / "in", annotation)
    (record,), labels, _ = read(tmp_path / "in")
    export(tmp_path / "out", record, labels=labels)
    written = parse((tmp_path / "out/annotations/instances_all.json").read_bytes())
    came = parse((tmp_path / "in/annotations/instances_train.json").read_bytes())
    assert {key: written["annotations"][0][key] for key in came["annotations"][0]} == came["annotations"][0]
    assert [(c["id"], c["name"]) for c in written["categories"]] == [(Number("18"), "dog"), (Number("3"), "cat")]


def test_a_crowd_of_a_panoptic_file_is_a_crowd(tmp_path):
    mask = instance(1, "mask", {"counts": "22", "size": [2, 2]}, properties={"coco-panoptic": {"iscrowd": 1}})
    export(tmp_path, FileRecord("a.jpg", None, [mask], size=(2, 2)))
    assert parse((tmp_path / "annotations/instances_all.json").read_bytes())["annotations"][0]["iscrowd"] == Number("1")


def some_masks():
    dice = np.random.default_rng(7)
    shapes = [dice.random((48, 64)) < share for share in (0.02, 0.5, 0.98)]
    block = np.zeros((48, 64), bool)
    block[5:20, 3:30] = True
    return [*shapes, block]


def test_pycocotools_reads_what_we_write(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO

    arrays = some_masks()
    polygons = [
        [[[1.5, 2, 30.25, 2, 30.25, 40, 1.5, 40]]],
        [[[1, 2, 20, 2, 20, 20]], [[30, 30, 60, 30, 60, 47]]],
        [[[1, 1, 60, 1, 60, 40, 1, 40], [10, 10, 30, 10, 30, 30, 10, 30]]],
    ]
    instances = [instance(n, "mask", masks.encode_rle(array)) for n, array in enumerate(arrays)]
    instances += [instance(10 + n, "polygon", polygon, "cat") for n, polygon in enumerate(polygons)]
    instances += [instance(20, "box", [Number("0.148063"), 1, 9.5, 7]), instance(21, "keypoints", [1, 2, 2, 5, 6, 1])]
    record = FileRecord("a.jpg", None, instances, size=(64, 48))
    assert export(tmp_path, record) == []

    theirs = COCO(str(tmp_path / "annotations/instances_all.json"))
    found = {a["instance_id"]: a for a in theirs.loadAnns(theirs.getAnnIds())}
    assert found.keys() == {i.instance_id for i in instances}
    assert sorted(theirs.getCatIds()) == [2, 18]
    assert theirs.loadImgs(1)[0] == {"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}
    expected = {f"{n:032x}": array for n, array in enumerate(arrays)}
    expected |= {f"{10 + n:032x}": masks.polygon_to_mask(polygon, 48, 64) for n, polygon in enumerate(polygons)}
    for identity, array in expected.items():
        assert np.array_equal(theirs.annToMask(found[identity]).astype(bool), array)
    for n, array in enumerate(arrays):
        assert found[f"{n:032x}"]["area"] == pytest.approx(array.sum(), abs=1e-3)
    assert found[f"{20:032x}"]["bbox"] == [0.148063, 1, 9.351937, 6]
    assert found[f"{20:032x}"]["area"] == pytest.approx(9.351937 * 6, abs=1e-3)
    assert found[f"{21:032x}"]["num_keypoints"] == 2


def test_pycocotools_takes_our_predictions_for_results(tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO

    truth = put(tmp_path / "instances_val.json", json.dumps(document({"bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0})))
    results = [{"image_id": 7, "category_id": 18, "bbox": [1, 2, 3.5, 4], "score": 0.75}]
    place = put(tmp_path / "run1.json", json.dumps(results))
    theirs = COCO(str(truth)).loadRes(str(place))
    (record,), _, _ = read(place)
    (ours,) = record.instances
    (predicted,) = theirs.loadAnns(theirs.getAnnIds())
    x, y, width, height = predicted["bbox"]
    assert ours.coordinates == [x, y, x + width, y + height]
    assert float(bytes(ours.score)) == predicted["score"]
