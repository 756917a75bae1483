import io
import json

import numpy as np
import pytest
from PIL import Image

from tdvc.formats import Reconciliation, coco_panoptic, detect_format
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance
from tests.contracts.samples.coco_panoptic import png
from tests.contracts.samples.masks_png import picture
from tests.formats.test_pascal_voc import put

PIXELS = [[300, 300, 70000, 0], [300, 70000, 70000, 0]]
SEGMENTS = [
    {"id": 300, "category_id": 1, "area": 3, "bbox": [0, 0, 2, 2], "iscrowd": 0},
    {"id": 70000, "category_id": 90, "area": 3, "bbox": [1, 0, 2, 2], "iscrowd": 1, "extra": 1.50},
]
LABELS = [
    LabelRecord("dog", "dog", 0, {"id": Number("1"), "isthing": Number("1")}),
    LabelRecord("grass", "grass", 1, {"id": Number("90"), "isthing": Number("0")}),
]


def document(segments=SEGMENTS, file_name="a.png", **image):
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 4, "height": 2} | image],
        "categories": [
            {"id": 1, "name": "dog", "supercategory": "animal", "isthing": 1},
            {"id": 90, "name": "grass", "isthing": 0, "color": [1, 2, 3]},
        ],
        "annotations": [{"image_id": 7, "file_name": file_name, "segments_info": segments}],
    }


def source(root, content=None, pixels=PIXELS, folder="annotations/panoptic_val"):
    put(root / "images/a.jpg")
    put(root / "annotations/panoptic_val.json", json.dumps(content or document()))
    put(root / folder / "a.png", pixels if isinstance(pixels, bytes) else png(pixels))
    return root


def read(place, **options):
    problems = []
    found = list(coco_panoptic.read(place, problems.append, ReadOptions(**options)))
    files = [record for record in found if isinstance(record, FileRecord)]
    return files, [record for record in found if isinstance(record, LabelRecord)], problems


def export(folder, *records, labels=LABELS):
    problems = []
    for record in records:
        put(folder / coco_panoptic.place(record))
    for written in coco_panoptic.write(records, labels, problems.append):
        put(folder / written.path, b"".join(written.pieces))
    return problems


def pixels_of(path):
    values = np.asarray(Image.open(path).convert("RGB"), np.int64)
    return (values[..., 0] + 256 * values[..., 1] + 65536 * values[..., 2]).tolist()


def mask(number, array, label="dog", **fields):
    made = {
        "instance_id": f"{number:032x}",
        "label": label,
        "type": "mask",
        "geometry": masks.encode_rle(np.array(array)),
    }
    return make_instance(made | fields)


def rows(instance):
    return masks.decode_rle(instance.coordinates).astype(int).tolist()


def test_a_segment_is_a_mask_and_classes_say_whether_they_are_things(tmp_path):
    root = source(tmp_path)
    assert detect_format(root) is coco_panoptic
    (record,), labels, problems = read(root)
    assert problems == []
    assert (record.path, record.size, record.properties["splits"]) == ("images/a.jpg", (4, 2), ["val"])
    assert {i.label: rows(i) for i in record.instances} == {
        "dog": [[1, 1, 0, 0], [1, 0, 0, 0]],
        "grass": [[0, 0, 1, 0], [0, 1, 1, 0]],
    }
    crowd = parse(bytes(record.instances[1].properties))["coco-panoptic"]
    assert crowd == {
        key: Number(str(value)) for key, value in SEGMENTS[1].items() if key in crowd and key != "bbox"
    } | {
        "bbox": [Number(n) for n in "1022"],
        "extra": Number("1.5"),
    }
    assert record.instances[1].bounding_box == (1, 0, 3, 2)
    assert {label.name: label.fields["isthing"] for label in labels} == {"dog": Number("1"), "grass": Number("0")}


def test_what_came_goes_out_as_it_was(tmp_path):
    content = document()
    content["annotations"][0] |= {"note": "x", "file_name": "other name.png"}
    source(tmp_path / "in", content)
    put(tmp_path / "in/annotations/panoptic_val/other name.png", png(PIXELS))
    (record,), labels, _ = read(tmp_path / "in")
    assert export(tmp_path / "out", record, labels=labels) == []
    written = parse((tmp_path / "out/annotations/panoptic_all.json").read_bytes())
    came = parse(json.dumps(content).encode())
    assert written["categories"] == came["categories"]
    (annotation,), (before,) = written["annotations"], came["annotations"]
    assert {key: annotation[key] for key in before if key != "segments_info"} == {
        key: value for key, value in before.items() if key != "segments_info"
    }
    for now, then in zip(annotation["segments_info"], before["segments_info"], strict=True):
        assert {key: now[key] for key in then} == then
    assert pixels_of(tmp_path / "out/annotations/panoptic_all/other name.png") == PIXELS


@pytest.mark.parametrize("folder", ["elsewhere/panoptic_val", "elsewhere"])
def test_the_folder_of_png_may_be_where_the_pictures_are(tmp_path, folder):
    root = source(tmp_path, folder=folder)
    put(tmp_path / "elsewhere/a.jpg")
    (record,), _, problems = read(root, images=tmp_path / "elsewhere")
    assert (record.path, len(record.instances), problems) == ("a.jpg", 2, [])


def palette_png():
    content = io.BytesIO()
    Image.fromarray(np.array(Image.open(io.BytesIO(png(PIXELS))))).quantize(4).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("content", [png(PIXELS), palette_png()], ids=["colours", "palette"])
def test_colours_count_however_they_are_stored(tmp_path, content):
    (record,), _, problems = read(source(tmp_path, pixels=content))
    assert ([i.label for i in record.instances], problems) == (["dog", "grass"], [])


BAD_PNGS = {
    "empty": b"",
    "a JPEG": b"\xff\xd8\xff",
    "cut": png(PIXELS)[:-30],
    "grey": picture("L", 1, 2, 3, 4, 5, 6, 7, 8),
    "another size": png([[300, 300], [300, 70000]]),
    "more sides than memory": png(PIXELS).replace(b"\0\0\0\x04\0\0\0\x02", b"\0\1\0\0\0\1\0\0"),
}


@pytest.mark.parametrize("content", BAD_PNGS.values(), ids=BAD_PNGS)
def test_a_png_that_can_not_be_taken_leaves_out_its_segments(tmp_path, content):
    (record,), _, problems = read(source(tmp_path, pixels=content))
    assert (record.path, record.instances) == ("images/a.jpg", [])
    assert [(p.code, p.place, p.dropped_instances) for p in problems] == [("record-unreadable", "a.png", 2)]
    assert len(problems[0].message) < 200
    assert str(tmp_path) not in problems[0].message


@pytest.mark.parametrize(
    ("name", "code"),
    [("gone.png", "picture-missing"), ("../../secret.png", "unsafe-path"), ("l.png", "skipped-symlink")],
)
def test_a_png_that_is_not_there_or_leads_outside(tmp_path, name, code):
    root = source(tmp_path, document(file_name=name))
    put(tmp_path / "secret.png", png(PIXELS))
    (root / "annotations/panoptic_val/l.png").symlink_to(tmp_path / "secret.png")
    (record,), _, problems = read(root)
    assert record.instances == []
    assert [(p.code, p.dropped_instances) for p in problems] == [(code, 2)]


def test_colours_without_a_segment_and_segments_without_a_pixel(tmp_path):
    segments = [SEGMENTS[0], {"id": 5, "category_id": 1}, {"id": 300, "category_id": 1}, {"id": 0}, {"id": 1 << 24}, 7]
    (record,), _, problems = read(source(tmp_path, document(segments)))
    assert [i.label for i in record.instances] == ["dog"]
    assert {p.code for p in problems} == {"instance-invalid"}
    messages = " ".join(p.message for p in problems)
    assert "1 ids of its pixels have no segment; the first is 70000." in messages
    assert "Segment 5 has no pixel." in messages
    assert sum(p.dropped_instances for p in problems) == 6


def test_annotations_of_no_image_or_a_second_time(tmp_path):
    content = document()
    content["annotations"] += [content["annotations"][0], content["annotations"][0] | {"image_id": 8}, {"image_id": 7}]
    reconciliation = Reconciliation()
    for record in reconciliation.read(coco_panoptic, source(tmp_path, content)):
        reconciliation.stored(record)
    assert [(p.code, p.place) for p in reconciliation.problems] == [
        ("duplicate-path", "panoptic_val.json: annotations[1]"),
        ("record-unreadable", "panoptic_val.json: annotations[2]"),
        ("record-unreadable", "panoptic_val.json: annotations[3]"),
    ]
    assert (reconciliation.instances_in, reconciliation.instances_out) == (6, 2)


def test_smaller_masks_lie_on_larger_ones_and_the_rest_is_listed(tmp_path):
    record = FileRecord(
        "a.jpg",
        None,
        [
            mask(1, [[1, 0, 0, 0]] * 2),
            mask(2, [[1, 1, 1, 0]] * 2, "grass"),
            mask(3, [[1, 0, 0, 0], [0, 0, 0, 0]], "grass"),
            mask(4, [[1, 0, 0, 0], [0, 0, 0, 0]]),
            mask(5, [[0, 0, 0, 0]] * 2),
            mask(6, [[1, 0]]),
            make_instance({"label": "dog", "type": "box", "geometry": [0, 0, 1, 1], "instance_id": f"{7:032x}"}),
            make_instance(
                {
                    "label": "dog",
                    "type": "polygon",
                    "geometry": [[[3, 0, 4, 0, 4, 2, 3, 2]]],
                    "instance_id": f"{8:032x}",
                }
            ),
        ],
        size=(4, 2),
    )
    problems = export(tmp_path, record)
    lost = {p.instance[-1]: p.message for p in problems if p.dropped_instances}
    assert lost.keys() == set("3567")
    assert {p.instance[-1]: p.message for p in problems if p.severity == "warning"} == {
        "1": "Smaller masks cover 1 of its 2 pixels.",
        "2": "Smaller masks cover 2 of its 6 pixels.",
    }
    (annotation,) = parse((tmp_path / "annotations/panoptic_all.json").read_bytes())["annotations"]
    said = {one["instance_id"][-1]: (one["area"], one["bbox"]) for one in annotation["segments_info"]}
    assert said == {
        "1": (Number("1"), [Number(n) for n in "0111"]),
        "2": (Number("4"), [Number(n) for n in "1022"]),
        "4": (Number("1"), [Number(n) for n in "0011"]),
        "8": (Number("2"), [Number(n) for n in "3012"]),
    }
    assert np.unique(pixels_of(tmp_path / "annotations/panoptic_all/a.png")).size == 4
    assert read(tmp_path)[2] == []


def test_a_picture_that_nobody_annotated_has_no_annotation(tmp_path):
    export(tmp_path, FileRecord("a.jpg", None, [], size=(4, 2)), FileRecord("b.jpg", None, [mask(1, [[1, 0]])]))
    written = parse((tmp_path / "annotations/panoptic_all.json").read_bytes())
    assert [len(written["images"]), len(written["annotations"])] == [2, 1]
    assert [(f.path, len(f.instances)) for f in read(tmp_path)[0]] == [("images/a.jpg", 0), ("images/b.jpg", 1)]


def test_a_crowd_of_coco_is_a_crowd_and_new_classes_are_things(tmp_path):
    crowd = mask(1, [[1, 0]], properties={"coco": {"iscrowd": 1, "id": 12}})
    export(tmp_path, FileRecord("a.jpg", None, [crowd], size=(2, 1)), labels=[LabelRecord("dog", "dog", 0)])
    written = parse((tmp_path / "annotations/panoptic_all.json").read_bytes())
    assert written["annotations"][0]["segments_info"][0]["iscrowd"] == Number("1")
    assert written["categories"][0]["isthing"] == Number("1")


def test_pngs_of_pictures_of_one_name_are_two(tmp_path):
    records = [FileRecord(path, None, [mask(1, [[1, 0]])], size=(2, 1)) for path in ("a.jpg", "a.png", "b/a.jpg")]
    export(tmp_path, *records)
    assert len(list((tmp_path / "annotations/panoptic_all").rglob("*.png"))) == 3
    assert [len(f.instances) for f in read(tmp_path)[0]] == [1, 1, 1]
