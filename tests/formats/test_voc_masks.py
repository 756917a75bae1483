import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tdvc.formats import detect_format, masks_png, pascal_voc
from tdvc.formats._index_png import regions, voc_colors
from tdvc.formats.base import FileRecord, LabelRecord
from tdvc.model import masks
from tdvc.model.numbers import parse
from tdvc.model.records import derived_instance_id, make_instance
from tests.contracts.samples.masks_png import picture
from tests.formats.test_pascal_voc import put

LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ndog:128,0,0:head:\ncat:0,128,0::\n"
ROWS = [[1, 1, 1, 255, 2, 2], [1, 1, 1, 255, 2, 2], [0, 0, 0, 255, 2, 2]]
CLASS_ROWS = [[9, 9, 9, 255, 5, 5], [9, 9, 9, 255, 5, 5], [0, 0, 0, 255, 5, 5]]
FIRST, SECOND = (0, 0, 3, 2), (4, 0, 6, 3)


def object_(name, box):
    corners = "".join(f"<{tag}>{n}</{tag}>" for tag, n in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object><name>{name}</name><bndbox>{corners}</bndbox></object>"


def xml(*objects):
    inside = "".join(object_(name, box) for name, box in objects)
    return f"<annotation><filename>a.jpg</filename><segmented>1</segmented>{inside}</annotation>"


def palette(rows):
    image = Image.fromarray(np.array(rows, np.uint8))
    image.putpalette([channel for color in voc_colors() for channel in color])
    return encoded(image)


def rgb(rows, colors=None):
    return encoded(Image.fromarray(np.array(colors or voc_colors(), np.uint8)[np.array(rows)]))


def encoded(image):
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def voc(root, objects=ROWS, classes=CLASS_ROWS, text=None, encode=palette):
    put(root / "JPEGImages/a.jpg")
    if text is not False:
        put(root / "Annotations/a.xml", text or xml(("dog", FIRST), ("cat", SECOND)))
    for folder, rows in (("SegmentationObject", objects), ("SegmentationClass", classes)):
        if rows is not None:
            put(root / folder / "a.png", rows if isinstance(rows, bytes) else encode(rows))
    return root


def read(source):
    problems = []
    found = list(pascal_voc.read(source, problems.append))
    files = [record for record in found if isinstance(record, FileRecord)]
    return files, [record for record in found if isinstance(record, LabelRecord)], problems


def export(folder, *records, labels=()):
    problems = []
    for record in records:
        put(folder / pascal_voc.place(record))
    for written in pascal_voc.write(records, labels, problems.append):
        put(folder / written.path, b"".join(written.pieces))
    return problems


def pixels(path):
    return np.asarray(Image.open(path)).tolist()


def of_type(record, kind):
    return [instance for instance in record.instances if instance.type == kind]


def rows(instance):
    return masks.decode_rle(instance.coordinates).astype(int).tolist()


def said(instance):
    return parse(bytes(instance.properties)).get("pascal-voc", {})


def mask(number, array, label="dog", **fields):
    geometry = masks.encode_rle(np.array(array))
    made = {"instance_id": f"{number:032x}", "label": label, "type": "mask", "geometry": geometry}
    return make_instance(made | fields)


def test_objects_become_masks_beside_the_boxes_and_name_theirs(tmp_path):
    source = voc(tmp_path)
    assert detect_format(source) is pascal_voc
    (record,), labels, problems = read(source)
    assert problems == []
    boxes, found = of_type(record, "box"), of_type(record, "mask")
    assert [(i.label, rows(i)) for i in found] == [
        ("dog", [[1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0], [0] * 6]),
        ("cat", [[0, 0, 0, 0, 1, 1]] * 3),
    ]
    assert [said(i)["box"] for i in found] == [box.instance_id for box in boxes]
    assert record.size == (6, 3)
    assert {label.name: label.fields["value"] for label in labels} == {"cat": parse("5"), "dog": parse("9")}


@pytest.mark.parametrize(
    "objects",
    [
        [("cat", FIRST), ("dog", SECOND)],  # numbered otherwise
        [("dog", SECOND), ("cat", FIRST)],
        [("dog", (0, 0, 1, 1))],
        [],
    ],
)
def test_a_mask_is_not_tied_to_a_box_of_another_object(tmp_path, objects):
    source = voc(tmp_path, text=xml(*objects))
    put(
        source / "labelmap.txt",
        "\n".join(["background:::", *(f"n{n}:::" for n in range(4)), "cat:::", *"abc", "dog:::"]),
    )
    (record,), _, problems = read(source)
    assert problems == []
    assert [(i.label, "box" in said(i)) for i in of_type(record, "mask")] == [("dog", False), ("cat", False)]


@pytest.mark.parametrize("encode", [palette, rgb])
@pytest.mark.parametrize("text", [None, False])
def test_what_came_goes_out_pixel_by_pixel(tmp_path, encode, text):
    (record,), labels, _ = read(voc(tmp_path / "in", text=text, encode=encode))
    stored = replace(record, instances=sorted(record.instances, key=lambda instance: instance.instance_id))
    assert export(tmp_path / "out", stored, labels=labels) == []
    if text is None:
        assert pixels(tmp_path / "out/SegmentationClass/a.png") == CLASS_ROWS
    assert pixels(tmp_path / "out/SegmentationObject/a.png") == ROWS
    (again,), _, problems = read(tmp_path / "out")
    assert problems == []
    assert sorted(map(repr, again.instances)) == sorted(map(repr, record.instances))
    voids = [{k: v for k, v in one.properties["pascal-voc"].items() if k[0] == "#"} for one in (record, again)]
    assert voids[0] == voids[1] != {}


@pytest.mark.parametrize(
    ("objects", "classes"),
    [
        ([[255, 255, 0]], [[255, 255, 0]]),
        ([[1, 255, 0]], [[9, 0, 255]]),
        ([[1, 255, 0]], [[9, 0, 0]]),
        ([[1, 1, 0]], [[9, 5, 5]]),
        ([[0, 0, 0]], [[0, 0, 0]]),
        ([[7, 3, 254]], [[9, 9, 5]]),
        (None, [[9, 5, 255]]),
    ],
)
def test_odd_pictures_come_back_too(tmp_path, objects, classes):
    (record,), _, _ = read(voc(tmp_path / "in", objects, classes, text=xml()))
    labels = [LabelRecord(f"class {n}", f"class {n}", n, {"value": n}) for n in (5, 9)]
    assert export(tmp_path / "out", record, labels=labels) == []
    assert pixels(tmp_path / "out/SegmentationClass/a.png") == classes
    place = tmp_path / "out/SegmentationObject/a.png"
    assert (pixels(place) if place.exists() else None) == objects


def test_without_a_list_or_boxes_classes_go_by_value(tmp_path):
    (record,), labels, problems = read(voc(tmp_path, text=False))
    assert ([i.label for i in record.instances], labels, problems) == (["class 9", "class 5"], [], [])


def test_without_classes_the_boxes_say_them(tmp_path):
    (record,), _, problems = read(voc(tmp_path, classes=None, text=xml(("dog", FIRST))))
    assert [i.label for i in of_type(record, "mask")] == ["dog"]
    assert [(p.code, p.place, p.instance, p.dropped_instances) for p in problems] == [
        ("instance-invalid", "SegmentationObject/a.png", "object 2", 1)
    ]


def test_a_list_of_colours_names_the_classes(tmp_path):
    colors = [[0, 0, 0], [128, 0, 0], [0, 128, 0], *voc_colors()[3:]]
    classes = rgb([[1, 1, 1, 255, 2, 2]] * 3, colors)
    source = voc(tmp_path, encode=rgb, classes=classes, text=False)
    put(source / "labelmap.txt", LABELMAP)
    (record,), labels, problems = read(source)
    assert [label.name for label in labels] == ["dog", "cat"]
    assert {i.label for i in record.instances} == {"dog", "cat"}
    assert problems == []


def test_an_object_of_two_classes_has_the_one_of_most_pixels(tmp_path):
    (record,), _, problems = read(voc(tmp_path, [[1, 1, 1]], [[9, 9, 5]], text=False))
    assert [(i.label, rows(i)) for i in record.instances] == [("class 9", [[1, 1, 1]]), ("class 5", [[0, 0, 1]])]
    assert [(p.code, p.severity) for p in problems] == [("instance-invalid", "warning")]


BAD = {
    "torn": palette(ROWS)[:-30],
    "empty": b"",
    "grey with alpha": picture("LA", *[(1, 2)] * 4),
    "unknown colours": picture("RGB", *[(1, 2, 3)] * 4),
    "more sides than memory": palette(ROWS).replace(b"\0\0\0\x06\0\0\0\x03", b"\0\1\0\0\0\1\0\0"),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_picture_that_can_not_be_read_is_listed_and_the_boxes_stay(tmp_path, content):
    (record,), _, problems = read(voc(tmp_path, content, None))
    assert [i.type for i in record.instances] == ["box", "box"]
    assert [(p.code, p.place) for p in problems] == [("record-unreadable", "SegmentationObject/a.png")]
    assert len(problems[0].message) < 200


def test_pictures_of_two_sizes_are_listed(tmp_path):
    (record,), _, problems = read(voc(tmp_path, classes=[[9, 5]]))
    assert [(p.code, p.place, p.severity) for p in problems] == [
        ("instance-invalid", "SegmentationClass/a.png", "error")
    ]
    assert len(of_type(record, "mask")) == 2


def test_masks_of_no_picture_are_records_of_their_own(tmp_path):
    source = voc(tmp_path)
    put(source / "SegmentationObject/sub/b.png", palette([[1]]))
    put(source / "SegmentationClass/sub/b.png", palette([[9]]))
    files, _, _ = read(source)
    assert [(f.path, f.source is not None, len(f.instances)) for f in files] == [
        ("JPEGImages/a.jpg", True, 4),
        ("JPEGImages/sub/b", False, 1),
    ]


def test_a_single_file_brings_its_masks_alone(tmp_path):
    source = voc(tmp_path)
    put(source / "SegmentationObject/b.png", palette([[1]]))
    (record,), _, problems = read(source / "Annotations/a.xml")
    assert (len(record.instances), problems) == (4, [])


def test_classes_alone_beside_pictures_stay_with_the_other_format(tmp_path):
    assert detect_format(voc(tmp_path, objects=None, text=False)) is masks_png


def test_lists_of_the_segmentation_are_splits_where_there_are_no_others(tmp_path):
    source = voc(tmp_path)
    put(source / "ImageSets/Segmentation/val.txt", "a\n")
    assert read(source)[0][0].properties["splits"] == ["val"]
    put(source / "ImageSets/Main/train.txt", "a\n")
    assert read(source)[0][0].properties["splits"] == ["train"]


def test_masks_that_others_cover_come_back_whole_while_nobody_draws(tmp_path):
    record = FileRecord(
        "a.jpg",
        None,
        [mask(1, [[1, 1, 1, 1]], attributes={"age": 3}), mask(2, [[0, 1, 0, 0]], "cat"), mask(3, [[0, 1, 0, 0]])],
        size=(4, 1),
    )
    assert export(tmp_path, record) == []
    (found,), _, problems = read(tmp_path)
    assert problems == []
    assert {i.instance_id: (i.label, rows(i), i.attribute_values) for i in found.instances} == {
        i.instance_id: (i.label, rows(i), i.attribute_values) for i in record.instances
    }
    place = tmp_path / "SegmentationObject/a.png"
    drawn = np.array(pixels(place))
    drawn[0, 0] = 0
    place.write_bytes(palette(drawn))
    (edited,), _, _ = read(tmp_path)
    assert sorted(rows(i) for i in edited.instances) == [[[0, 0, 1, 1]], [[0, 1, 0, 0]], [[1, 0, 0, 0]]]


def test_masks_without_a_box_are_numbered_behind_the_boxes(tmp_path):
    boxes = [
        make_instance({"instance_id": f"{n:032x}", "label": "dog", "type": "box", "geometry": [0, 0, 1, 1]})
        for n in (8, 9)
    ]
    export(tmp_path, FileRecord("a.jpg", None, [mask(1, [[1, 0]]), *boxes], size=(2, 1)))
    assert pixels(tmp_path / "SegmentationObject/a.png") == [[3, 0]]


def test_a_mask_goes_with_its_box_when_others_leave(tmp_path):
    (record,), labels, _ = read(voc(tmp_path / "in"))
    left = [i for i in record.instances if i.label == "cat"]
    export(tmp_path / "out", replace(record, instances=left), labels=labels)
    assert np.unique(pixels(tmp_path / "out/SegmentationObject/a.png")).tolist() == [0, 1, 255]
    (again,), _, _ = read(tmp_path / "out")
    assert said(of_type(again, "mask")[0])["box"] == of_type(again, "box")[0].instance_id


def test_ids_that_can_be_derived_are_not_written(tmp_path):
    own = derived_instance_id("pascal-voc", "JPEGImages/a.jpg", "object 1")
    export(tmp_path, FileRecord("a.jpg", None, [replace_id(mask(1, [[1, 0]]), own)], size=(2, 1)))
    assert "tdvc" not in (tmp_path / "Annotations/a.xml").read_text()
    assert read(tmp_path)[0][0].instances[0].instance_id == own


def replace_id(instance, identity):
    return make_instance(
        {"instance_id": identity, "label": instance.label, "type": "mask", "geometry": instance.geometry}
    )


def test_void_yields_to_masks_that_were_drawn_since(tmp_path):
    void = masks.encode_rle(np.array([[1, 1, 0]]))
    record = FileRecord("a.jpg", None, [mask(1, [[0, 1, 1]])], {"pascal-voc": {"#void": void}}, size=(3, 1))
    export(tmp_path, record)
    assert pixels(tmp_path / "SegmentationObject/a.png") == [[255, 1, 1]]
    assert "void" not in (tmp_path / "Annotations/a.xml").read_text()


def test_a_mask_of_another_size_is_listed(tmp_path):
    problems = export(tmp_path, FileRecord("a.jpg", None, [mask(1, [[1, 0]])], size=(3, 1)))
    assert [(p.code, p.dropped_instances) for p in problems] == [("type-not-carried", 1)]
    assert not (tmp_path / "SegmentationObject").exists()


@pytest.mark.parametrize("name", ["a:1,2,3::", "# x", " dog", "große Katze", '"q"', "class 9", "a\nb"])
def test_hard_names_come_back(tmp_path, name):
    labels = [LabelRecord(name, name, 0, {"color": [0, 128, 0]}), LabelRecord("cat", "cat", 1)]
    record = FileRecord("a.jpg", None, [mask(1, [[1, 0, 0]], name), mask(2, [[0, 1, 0]], "cat")], size=(3, 1))
    export(tmp_path, record, labels=labels)
    assert {i.label for i in read(tmp_path)[0][0].instances} == {name, "cat"}


def test_more_objects_and_classes_than_a_palette_has(tmp_path):
    array = np.arange(300).reshape(1, 300)
    labels = [LabelRecord(str(n), f"no {n}", n) for n in range(300)]
    record = FileRecord("a.jpg", None, [mask(n + 1, array == n, str(n)) for n in range(300)], size=(300, 1))
    assert export(tmp_path, record, labels=labels) == []
    (found,), _, problems = read(tmp_path)
    assert problems == []
    assert {i.instance_id: i.label for i in found.instances} == {
        i.instance_id: f"no {i.label}" for i in record.instances
    }


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0, 1, 2, 7, 300]), min_size=3, max_size=3), min_size=1, max_size=4))
def test_regions_are_the_masks_of_the_values(values):
    array = np.array(values)
    found = regions(array, {0, 1, 7, 300})
    assert found == {n: masks.encode_rle(array == n) for n in (0, 1, 7, 300) if (array == n).any()}
