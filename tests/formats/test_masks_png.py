import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tdvc.errors import FormatError
from tdvc.formats import masks_png
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions
from tdvc.model import masks
from tdvc.model.numbers import Number
from tdvc.model.records import make_instance
from tests.contracts.samples.masks_png import picture
from tests.formats.test_pascal_voc import put

LABELS = [LabelRecord("dog", "dog", 0), LabelRecord("cat", "cat", 1)]


def read(source, **options):
    problems = []
    found = list(masks_png.read(source, problems.append, ReadOptions(**options)))
    files = [record for record in found if isinstance(record, FileRecord)]
    return files, [record for record in found if isinstance(record, LabelRecord)], problems


def regions(record):
    """Label to rows of pixels."""
    return {i.label: masks.decode_rle(i.coordinates).astype(int).tolist() for i in record.instances}


def source(root, mask, labels="background\ndog\ncat\n", name="labels.txt"):
    put(root / "images/a.png", picture("RGB", *[(9, 9, 9)] * 4))
    put(root / "masks/a.png", mask)
    if labels is not None:
        put(root / name, labels)
    return root


def instance(number, label, array, kind="mask"):
    geometry = masks.encode_rle(np.array(array)) if kind == "mask" else array
    return make_instance({"instance_id": f"{number:032x}", "label": label, "type": kind, "geometry": geometry})


def export(folder, *records, labels=LABELS):
    problems = []
    for record in records:
        put(folder / masks_png.place(record), picture("RGB", *[(9, 9, 9)] * 4))
    for written in masks_png.write(records, labels, problems.append):
        put(folder / written.path, b"".join(written.pieces))
    return problems


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "I"])
def test_every_value_is_one_mask(tmp_path, mode):
    content = io.BytesIO()
    image = Image.fromarray(np.array([[0, 1, 2, 1]], np.uint16 if mode.startswith("I") else np.uint8))
    if mode == "P":
        image.putpalette([0] * 9)
    image.save(content, "PNG")
    (record,), labels, problems = read(source(tmp_path, content.getvalue()))
    assert regions(record) == {"dog": [[0, 1, 0, 1]], "cat": [[0, 0, 1, 0]]}
    assert [(label.name, label.index, label.fields) for label in labels] == [
        ("dog", 0, {"value": Number("1")}),
        ("cat", 1, {"value": Number("2")}),
    ]
    assert problems == []


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_values_of_few_bits_are_not_stretched(tmp_path, depth):
    values = "".join(f"{value:0{depth}b}" for value in (0, 1, 1, 0))
    row = b"\0" + int(values.ljust(-(-len(values) // 8) * 8, "0"), 2).to_bytes(-(-len(values) // 8), "big")
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 4, 1, depth, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(row)),
        (b"IEND", b""),
    ]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    (record,), _, _ = read(source(tmp_path, png))
    assert regions(record) == {"dog": [[0, 1, 1, 0]]}


@pytest.mark.parametrize("first", ["background", "_background_", "", "Background"])
def test_background_is_no_instance(tmp_path, first):
    (record,), _, _ = read(source(tmp_path, picture("L", 0, 0, 1, 0), f"{first}\ndog\n"))
    assert list(regions(record)) == ["dog"]


def test_a_first_line_that_names_a_class_is_a_class(tmp_path):
    (record,), labels, _ = read(source(tmp_path, picture("L", 0, 0, 1, 0), "sky\nsea\n"))
    assert regions(record) == {"sky": [[1, 1, 0, 1]], "sea": [[0, 0, 1, 0]]}
    assert [label.name for label in labels] == ["sky", "sea"]


def test_values_beyond_the_list_are_kept_and_told_of(tmp_path):
    (record,), _, problems = read(source(tmp_path, picture("L", 0, 1, 2, 9)))
    assert list(regions(record)) == ["dog", "cat", "class 9"]
    assert [(p.code, p.place, p.severity) for p in problems] == [("instance-invalid", "masks/a.png", "warning")]
    assert "class 9" in problems[0].message


def test_without_a_list_classes_go_by_value(tmp_path):
    (record,), labels, problems = read(source(tmp_path, picture("L", 0, 3, 3, 0), None))
    assert list(regions(record)) == ["class 3"]
    assert (labels, problems) == ([], [])


def test_void_is_no_instance_and_not_lost(tmp_path):
    (record,), _, _ = read(source(tmp_path / "in", picture("P", 0, 1, 255, 255)))
    assert list(regions(record)) == ["dog"]
    assert masks.decode_rle(record.properties["masks-png"]["void"]).tolist() == [[False, False, True, True]]
    export(tmp_path / "out", record)
    assert np.asarray(Image.open(tmp_path / "out/masks/a.png")).tolist() == [[0, 1, 255, 255]]


def test_void_with_a_line_is_a_class(tmp_path):
    (record,), _, _ = read(source(tmp_path, picture("L", 0, 255, 0, 0), "\n" * 255 + "edge\n"))
    assert list(regions(record)) == ["edge"]


LABELMAP = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:0,0,200::\ndog:128,0,0:head,tail:\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [("labelmap.txt", LABELMAP), ("label_colors.txt", "0 0 0\tbackground\n0 0 200\tcat\n128 0 0\tdog\n")],
)
def test_classes_by_colour(tmp_path, name, text):
    colors = [(0, 0, 0), (128, 0, 0), (0, 0, 200), (128, 0, 0)]
    (record,), labels, problems = read(source(tmp_path / "rgb", picture("RGB", *colors), text, name))
    assert regions(record) == {"dog": [[0, 1, 0, 1]], "cat": [[0, 0, 1, 0]]}
    assert labels[1].fields == {"value": Number("2"), "color": [Number("128"), Number("0"), Number("0")]}
    assert problems == []
    (record,), _, _ = read(source(tmp_path / "palette", picture("P", 0, 1, 1, 0), text, name))
    assert list(regions(record)) == ["dog"], "entry 1 of the palette has the colour of dog, line 1 is cat"


def test_colours_that_no_class_has_are_refused(tmp_path):
    (record,), _, problems = read(source(tmp_path, picture("RGB", *[(1, 2, 3)] * 4), LABELMAP, "labelmap.txt"))
    assert record.instances == []
    assert [(p.code, "#010203" in p.message) for p in problems] == [("record-unreadable", True)]


NOT_MASKS = {
    "empty": b"",
    "text": b"hello",
    "a JPEG": b"\xff\xd8\xff",
    "cut": picture("L", 1, 2, 3, 4)[:-30],
    "colours without a list": picture("RGB", *[(1, 2, 3)] * 4),
    "grey with alpha": picture("LA", *[(1, 2)] * 4),
    "more sides than memory": picture("L", 1, 2, 3, 4).replace(b"\0\0\0\x04\0\0\0\x01", b"\0\1\0\0\0\1\0\0"),
}


@pytest.mark.parametrize("content", NOT_MASKS.values(), ids=NOT_MASKS)
def test_a_mask_that_can_not_be_read_is_listed_and_its_picture_kept(tmp_path, content):
    (record,), _, problems = read(source(tmp_path, content))
    assert (record.path, record.instances) == ("images/a.png", [])
    assert [(p.code, p.place) for p in problems] == [("record-unreadable", "masks/a.png")]
    assert len(problems[0].message) < 300


def test_numbers_of_objects_are_not_taken_for_classes(tmp_path):
    content = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint16).reshape(10, 30)).save(content, "PNG")
    (record,), _, problems = read(source(tmp_path, content.getvalue()))
    assert record.instances == []
    assert [p.code for p in problems] == ["record-unreadable"]


def test_a_mask_of_another_size_is_told_of(tmp_path):
    (record,), _, problems = read(source(tmp_path, picture("L", 1, 1, 0, 0, width=2)))
    assert len(record.instances) == 1
    assert [(p.code, p.severity) for p in problems] == [("instance-invalid", "warning")]


def test_masks_are_found_by_name(tmp_path):
    for name in ("a.jpg", "a.png", "b.jpg", "train/c.v1.JPG", "d.jpg"):
        put(tmp_path / "images" / name)
    for name, value in (("a", 1), ("a.png", 2), ("b_mask", 3), ("train/c.v1", 4), ("e/lonely", 5)):
        put(tmp_path / f"masks/{name}.png", picture("L", value, 0, 0, 0))
    files, _, _ = read(tmp_path)
    assert [(f.path, f.source is not None, [i.label for i in f.instances]) for f in files] == [
        ("images/a.jpg", True, ["class 1"]),
        ("images/a.png", True, ["class 2"]),
        ("images/b.jpg", True, ["class 3"]),
        ("images/d.jpg", True, []),
        ("images/train/c.v1.JPG", True, ["class 4"]),
        ("e/lonely", False, ["class 5"]),
    ]
    assert files[4].properties == {"splits": ["train"]}


def test_pictures_may_lie_elsewhere(tmp_path):
    root = source(tmp_path / "masks only", picture("L", 0, 1, 0, 0))
    put(tmp_path / "elsewhere/a.jpg")
    put(tmp_path / "elsewhere/other.jpg")
    (record,), _, _ = read(root, images=tmp_path / "elsewhere")
    assert (record.path, record.source) == ("a.jpg", tmp_path / "elsewhere/a.jpg")
    assert list(regions(record)) == ["dog"]


def test_a_folder_without_masks_is_refused(tmp_path):
    put(tmp_path / "images/a.jpg")
    with pytest.raises(FormatError):
        read(tmp_path)


def test_one_class_with_two_values_is_one_label(tmp_path):
    (record,), labels, problems = read(source(tmp_path, picture("L", 0, 1, 2, 0), "\ndog\ndog\n"))
    assert regions(record) == {"dog": [[0, 1, 1, 0]]}
    assert len(labels) == 1
    assert [p.code for p in problems] == ["duplicate-class"]


def test_values_stay_what_they_were(tmp_path):
    labels = [LabelRecord("dog", "dog", 0, {"value": 3}), LABELS[1], LabelRecord("new", "new", 2)]
    export(tmp_path, labels=labels)
    assert (tmp_path / "labels.txt").read_text() == "background\nnew\ncat\ndog\n"


@pytest.mark.parametrize("name", ["a\nb", " dog", '"dog"', "a:1,2,3::", "1 2 3 dog", "# label: x", "große Katze"])
def test_hard_names_come_back(tmp_path, name):
    export(tmp_path, FileRecord("a.png", None, [], size=(4, 1)), labels=[LabelRecord(name, name, 0)])
    assert [label.name for label in read(tmp_path)[1]] == [name]


def test_a_class_with_the_value_0_leaves_the_rest_void(tmp_path):
    labels = [LabelRecord("sky", "sky", 0, {"value": 0})]
    export(tmp_path, FileRecord("a.png", None, [instance(1, "sky", [[1, 0, 0, 1]])], size=(4, 1)), labels=labels)
    assert np.asarray(Image.open(tmp_path / "masks/a.png")).tolist() == [[0, 255, 255, 0]]
    assert regions(read(tmp_path)[0][0]) == {"sky": [[1, 0, 0, 1]]}


def test_many_classes_take_sixteen_bits(tmp_path):
    labels = [LabelRecord(str(n), f"class no {n}", n) for n in range(400)]
    record = FileRecord("a.png", None, [instance(1, "399", [[1, 0, 0, 1]])], size=(4, 1))
    assert export(tmp_path, record, labels=labels) == []
    assert regions(read(tmp_path)[0][0]) == {"class no 399": [[1, 0, 0, 1]]}
    assert "class no 254" in [label.name for label in read(tmp_path)[1]]


def test_the_palette_is_that_of_voc(tmp_path):
    labels = [*LABELS, LabelRecord("bird", "bird", 20, {"color": [1, 2, 3]})]
    export(tmp_path, FileRecord("a.png", None, [], size=(4, 1)), labels=labels)
    palette = Image.open(tmp_path / "masks/a.png").getpalette()
    assert [palette[3 * n : 3 * n + 3] for n in (0, 1, 2, 15, 20, 21)] == [
        [0, 0, 0],
        [128, 0, 0],
        [0, 128, 0],
        [192, 128, 128],
        [0, 64, 128],
        [1, 2, 3],
    ]


def test_what_can_not_come_back_is_counted(tmp_path):
    record = FileRecord(
        "a.png",
        None,
        [
            instance(1, "dog", [[1, 1, 0, 0]]),
            instance(2, "cat", [[1, 1, 1, 0]]),
            instance(3, "cat", [[0, 0, 0, 1]]),
            instance(4, "dog", [1, 0, 2, 1], "box"),
            instance(5, "dog", [[1], [0]]),
            instance(6, "fox", [[1, 0, 0, 0]]),
        ],
        size=(4, 1),
    )
    problems = export(tmp_path, record)
    assert {p.instance[-1]: p.dropped_instances for p in problems if p.severity == "error"} == dict.fromkeys("13456", 1)
    assert [p.severity for p in problems].count("warning") == 1
    assert regions(read(tmp_path)[0][0]) == {"cat": [[1, 1, 1, 1]]}


def test_polygons_are_drawn(tmp_path):
    record = FileRecord("a.png", None, [instance(1, "dog", [[[1, 0, 3, 0, 3, 1, 1, 1]]], "polygon")], size=(4, 1))
    assert export(tmp_path, record) == []
    assert regions(read(tmp_path)[0][0]) == {"dog": [[0, 1, 1, 0]]}


def test_a_picture_of_unknown_size_has_the_size_of_its_masks(tmp_path):
    assert export(tmp_path, FileRecord("a.png", None, [instance(1, "dog", [[1, 0, 0, 0]])])) == []
    assert len(export(tmp_path, FileRecord("b.txt", None, [instance(1, "dog", [1, 0, 2, 1], "box")]))) == 1
    assert not (tmp_path / "masks/b.png").exists()


def test_splits_are_folders(tmp_path):
    records = [FileRecord("a.png", None, [], size=(4, 1), split=split) for split in ("Dogs", "val")]
    export(tmp_path, *records)
    assert [(r.path, r.properties) for r in read(tmp_path)[0]] == [
        ("images/Dogs/a.png", {"splits": ["Dogs"]}),
        ("images/val/a.png", {"splits": ["val"]}),
    ]
