import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tdvc.errors import FormatError
from tdvc.formats import _yolo_rows, detect_format, yolo
from tdvc.formats._yolo_rows import Task
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions, Reconciliation
from tdvc.model.numbers import Number, parse, value_of
from tdvc.model.records import make_instance

SIZE = (640, 480)
NAMES = "names: [cat, dog, owl]\n"


@pytest.fixture(scope="module")
def picture():
    made = io.BytesIO()
    Image.new("L", SIZE).save(made, "PNG")
    return made.getvalue()


@pytest.fixture
def put(tmp_path, picture):
    def put_files(**kwargs):
        files = kwargs.pop("files", {})
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture if content is None else content.encode())
        return tmp_path

    return put_files


def read(source, **options):
    problems = []
    found = list(yolo.read(source, problems.append, ReadOptions(**options)))
    return [r for r in found if isinstance(r, FileRecord)], problems


def instances(put, rows, description=NAMES + "train: images\n", **options):
    """The instances of one picture's rows, and the problems."""
    source = put(files={"images/a.png": None, "labels/a.txt": rows, "data.yaml": description})
    (record,), problems = read(source, **options)
    return record.instances, problems


def shapes(found):
    return [(i.label, i.type, i.coordinates) for i in found]


def write(records, labels=("cat", "dog", "owl"), fields=None):
    problems = []
    classes = [LabelRecord(name, name, at, (fields or {}).get(name, {})) for at, name in enumerate(labels)]
    written = {file.path: b"".join(file.pieces).decode() for file in yolo.write(records, classes, problems.append)}
    return written, problems


def record(*made, path="a.png", size=SIZE, **fields):
    return FileRecord(path, None, [make_instance(m) for m in made], size=size, **fields)


def instance(type_, geometry, **fields):
    return {"label": "dog", "type": type_, "geometry": geometry, **fields}


def test_every_kind_of_row(put):
    rows = "0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.9 0.1 0.9 0.9\n2\t0.5 0.5 1 1 0.875\n1 0.1 0.1 0.9 0.1 0.9 0.9 0.5\n"
    found, problems = instances(put, rows)
    assert problems == []
    assert shapes(found) == [
        ("cat", "box", [240, 120, 400, 360]),
        ("dog", "polygon", [[[64, 48, 576, 48, 576, 432]]]),
        ("owl", "box", [0, 0, 640, 480]),
        ("dog", "polygon", [[[64, 48, 576, 48, 576, 432]]]),
    ]
    assert [bytes(i.score) for i in found] == [b"null", b"null", b"0.875", b"0.5"]


def test_tracks_have_their_number_after_the_score(put):
    found, _ = instances(put, "0 0.5 0.5 0.5 0.5 0.9 17\n0 0.5 0.5 0.5 0.5 12\n")
    assert [(i.sequence, bytes(i.score)) for i in found] == [("17", b"0.9"), ("12", b"null")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0 0.5 0.5 0.5", "has 4 columns"),
        ("0", "has 1 columns"),
        ("x 0.5 0.5 0.5 0.5", "which is not a whole number"),
        ("-1 0.5 0.5 0.5 0.5", "which is not a whole number"),
        ("0.5 0.5 0.5 0.5 0.5", "which is not a whole number"),
        ("0 0,5 0.5 0.5 0.5", "'0,5' where a number is needed"),
        ("0 nan 0.5 0.5 0.5", "'nan' where a number is needed"),
        ("0 inf 0.5 0.5 0.5", "'inf' where a number is needed"),
        ("0 320 0.5 0.5 0.5", "no fraction"),
        ("0 1e300 0.5 0.5 0.5", "no fraction"),
        ("0 0.5 0.5 -0.1 0.5", "x1 smaller than x0"),
        ("3 0.5 0.5 0.5 0.5", "class 3, which has no name"),
    ],
)
def test_bad_rows_are_listed_one_by_one(put, row, reason):
    found, problems = instances(put, f"0 0.5 0.5 0.5 0.5\n\n{row}\r\n1 0.5 0.5 0.5 0.5")
    assert [i.label for i in found] == ["cat", "dog"]
    (problem,) = problems
    assert (problem.code, problem.place, problem.dropped_instances) == ("instance-invalid", "labels/a.txt:3", 1)
    assert reason in problem.message


def test_classes_spelled_as_fractions_and_values_beyond_the_edge_are_kept(put):
    found, problems = instances(put, "2.0 1.0 0.5 0.25 0.5")
    assert problems == []
    assert shapes(found) == [("owl", "box", [560, 120, 720, 360])]


def test_names_go_by_their_keys_and_not_by_their_order(put):
    names = 'train: images\nnames:\n  10: no\n  2: "null"\n  0: 007\n'
    found, _ = instances(put, "0 0.5 0.5 1 1\n2 0.5 0.5 1 1\n10 0.5 0.5 1 1\n", names)
    assert [i.label for i in found] == ["007", "null", "no"]


def test_classes_come_in_the_order_of_their_numbers(put):
    source = put(files={"data.yaml": "names: {3: a, 1: b, 2: b}\ntrain: images\n"})
    problems = []
    found = [r for r in yolo.read(source, problems.append) if isinstance(r, LabelRecord)]
    assert [(r.key, r.fields) for r in found] == [("b", {"id": Number("1")}), ("a", {"id": Number("3")})]
    assert [p.code for p in problems if p.code == "duplicate-class"] == ["duplicate-class"]


@pytest.mark.parametrize(
    "text",
    [
        "names: !!python/object:os.system {}",
        "names: &a [*a]",
        "names: cat",
        "names: {x: cat}",
        "nc: 1",
        "names: {1: a, 01: b}",
        "[",
    ],
)
def test_descriptions_that_are_not_understood_are_refused(put, text):
    source = put(files={"images/a.png": None, "data.yaml": text})
    with pytest.raises(FormatError) as caught:
        list(yolo.read(source / "data.yaml", [].append))
    assert caught.value.code == "bad-format-file"
    assert "data.yaml" in caught.value.message


def test_a_missing_label_file_is_told_from_an_empty_one(put):
    files = {"images/a.png": None, "images/b.png": None, "images/c.png": None, "data.yaml": NAMES + "train: images"}
    source = put(files=files | {"labels/b.txt": " \n", "labels/c.txt": "0 0.5 0.5 1 1"})
    records, problems = read(source)
    assert [(r.path, len(r.instances), r.complete) for r in records] == [
        ("images/a.png", 0, None),
        ("images/b.png", 0, True),
        ("images/c.png", 1, None),
    ]
    assert problems == []
    written, _ = write(
        [record(path="a.png"), record(path="b.png", complete=True), record(path="c.png", complete=False)]
    )
    assert {path: text for path, text in written.items() if path != "data.yaml"} == {"labels/b.txt": ""}


DOTA = "0 0.1 0.2 0.4 0.2 0.4 0.6 0.1 0.6\n1 0.5 0.1 0.7 0.366667 0.3 0.9 0.1 0.633333\n"


def test_nine_columns_throughout_are_turned_boxes_and_other_quadrilaterals_stay_polygons(put):
    found, problems = instances(put, DOTA + "2 0.1 0.1 1.04199 0.1 0.9 0.9 0.1 0.8\n")
    assert problems == []
    assert [i.type for i in found] == ["box", "box", "polygon"]
    assert found[0].coordinates == [64, 96, 256, 288, 0]
    assert found[1].coordinates[4] == pytest.approx(45, abs=0.01)
    assert found[2].coordinates[0][0][2] == 666.8736


def test_nine_columns_among_others_are_polygons(put):
    found, _ = instances(put, DOTA + "0 0.1 0.1 0.9 0.1 0.9 0.9\n")
    assert {i.type for i in found} == {"polygon"}


@pytest.mark.parametrize(("task", "expected"), [("obb", "box"), ("segment", "polygon")])
def test_the_description_decides_what_nine_columns_are(put, task, expected):
    found, _ = instances(put, DOTA, NAMES + f"train: images\ntask: {task}\n")
    assert {i.type for i in found} == {expected}


def test_corners_that_go_the_other_way_round_or_miss_by_a_little_come_back_as_they_were(put):
    rows = ["0 0.1 0.2 0.1 0.6 0.4 0.6 0.4 0.2", "1 0.1 0.2 0.4 0.2 0.4 0.6 0.101 0.6"]
    found, _ = instances(put, "\n".join(rows))
    assert [i.type for i in found] == ["box", "box"]
    written, _ = write([FileRecord("a.png", None, found, size=SIZE)])
    assert written["labels/a.txt"].splitlines() == rows


turned = st.tuples(
    st.integers(50, 250), st.integers(50, 200), st.integers(5, 300), st.integers(5, 200), st.integers(0, 359_999)
)


@given(turned)
def test_turned_boxes_come_back_exactly(made):
    x, y, width, height, angle = made
    box = [Number(str(v)) for v in (x, y, x + width, y + height, angle / 1000)]
    columns = _yolo_rows.spelled("box", box, SIZE)
    row = _yolo_rows.parse(["0", *columns], SIZE, Task(turned=True))
    assert row.geometry == box
    assert row.kept == {}


POSE = NAMES + "train: images\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n"


def test_keypoints_have_a_box_of_their_own(put):
    row = "1 0.500000 0.500000 0.500000 0.500000 0.400000 0.500000 2 0.000000 0.000000 0"
    found, problems = instances(put, row, POSE)
    assert problems == []
    assert shapes(found) == [("dog", "keypoints", [256, 240, 2, 0, 0, 0])]
    assert parse(bytes(found[0].properties)) == {"yolo": {"box": [Number(t) for t in ("160", "120", "480", "360")]}}
    fields = {"cat": {"kpt_shape": [Number("2"), Number("3")], "flip_idx": [Number("1"), Number("0")]}}
    written, _ = write([FileRecord("a.png", None, found, size=SIZE)], fields=fields)
    assert written["labels/a.txt"] == row + "\n"
    assert "kpt_shape: [2, 3]\nflip_idx: [1, 0]\n" in written["data.yaml"]


def test_keypoints_of_two_numbers_and_of_predictions(put):
    found, _ = instances(put, "0 0.5 0.5 1 1 0.1 0.1 -0.1 0.5 0.75", POSE.replace("3]", "2]"))
    assert shapes(found) == [("cat", "keypoints", [64, 48, 2, -64, 240, 0])]
    assert bytes(found[0].score) == b"0.75"
    found, _ = instances(put, "0 0.5 0.5 1 1 0.1 0.1 0.98 0.2 0.5 1 0.75", POSE)
    assert shapes(found) == [("cat", "keypoints", [64, 48, 2, 128, 240, 1])]


def test_keypoints_that_nobody_described_show_by_their_visibility(put):
    found, _ = instances(put, "0 0.5 0.5 1 1 0.1 0.1 2.000 0.2 0.5 1.000\n", NAMES + "train: images\n")
    assert shapes(found) == [("cat", "keypoints", [64, 48, 2, 128, 240, 1])]
    found, _ = instances(put, "0 0.5 0.5 1 1 0.1 0.1 0.2 0.2 0.5 1\n", NAMES + "train: images\n")
    assert [i.type for i in found] == ["polygon"]


SPLITS = {
    "folders": ("train: images/train\nval: images/val\n", {}),
    "roboflow": ("train: ../images/train\nval: ../images/val\n", {}),
    "path": ("path: ../datasets/x\ntrain: images/train\nval: [images/val]\n", {}),
    "absolute": ("train: /content/x/images/train\nval: /content/x/images/val\n", {}),
    "lists": ("train: train.txt\nval: ./lists/val.txt\n", {"train.txt": "./images/train/a.png\n"}),
    "others' lists": ("train: train.txt\nval: lists/val.txt\n", {"train.txt": "\ufeffC:\\x\\images\\train\\a.png\r\n"}),
}


@pytest.mark.parametrize("kind", SPLITS)
def test_splits(put, kind):
    text, lists = SPLITS[kind]
    files = {"images/train/a.png": None, "images/val/b.png": None, "images/c.png": None, "data.yaml": NAMES + text}
    if lists:
        files |= lists | {"lists/val.txt": "../images/val/b.png\nimages/val/gone.png\n"}
    records, problems = read(put(files=files))
    assert {r.path: r.properties.get("splits") for r in records} == {
        "images/train/a.png": ["train"],
        "images/val/b.png": ["val"],
        "images/c.png": None,
    }
    assert [p.code for p in problems] == (["split-unknown"] if lists else [])


def test_one_set_of_pictures_for_everything_is_no_split(put):
    records, problems = read(put(files={"images/a.png": None, "data.yaml": NAMES + "train: images\nval: images\n"}))
    assert [r.properties for r in records] == [{}]
    assert problems == []


@pytest.mark.parametrize("entry", ["../../outside", "/etc", "gone", "~/x", "a\\..\\b", "http://x/y", ""])
def test_splits_that_lead_elsewhere_are_reported_and_not_followed(put, tmp_path, entry):
    source = put(files={"images/a.png": None, "data.yaml": NAMES + f'train: "{entry.replace(chr(92), chr(92) * 2)}"\n'})
    records, problems = read(source)
    assert [r.path for r in records] == ["images/a.png"]
    if entry:
        assert [(p.code, p.severity) for p in problems] == [("split-unknown", "warning")]


def test_darknet_as_cvat_writes_it(put):
    source = put(
        files={
            "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
            "obj.names": "cat\ndog\n",
            "train.txt": "data/obj_train_data/a.png\n",
            "obj_train_data/a.png": None,
            "obj_train_data/a.txt": "1 0.5 0.5 0.5 0.5\n",
        }
    )
    assert detect_format(source) is yolo
    (found,), problems = read(source)
    assert problems == []
    assert (found.path, found.properties) == ("obj_train_data/a.png", {"splits": ["train"]})
    assert shapes(found.instances) == [("dog", "box", [160, 120, 480, 360])]


def test_a_list_of_names_is_enough(put):
    files = {"classes.txt": "cat\n\ndog\n", "images/a.png": None, "labels/a.txt": "2 0.5 0.5 0.5 0.5\n"}
    source = put(files=files)
    assert detect_format(source) is yolo
    (found,), problems = read(source)
    assert [i.label for i in found.instances] == ["dog"]
    assert problems == []


def test_without_names_the_numbers_are_the_labels(put):
    source = put(files={"images/a.png": None, "labels/a.txt": "7 0.5 0.5 0.5 0.5\n"})
    assert yolo.detect(source)
    (found,), problems = read(source)
    assert [i.label for i in found.instances] == ["7"]
    assert [(p.code, p.severity) for p in problems] == [("no-class", "warning")]


@pytest.mark.parametrize("rows", ["Car 0.00 0 -1.57 599 156 629 189", "1,1,10,20,30,40,1", "hello", ""])
def test_other_text_under_labels_is_something_else(put, rows):
    assert not yolo.detect(put(files={"images/a.png": None, "labels/a.txt": rows}))


def test_pictures_that_lie_elsewhere(put, tmp_path):
    put(files={"set/data.yaml": NAMES + "train: images/train\nval: images/val\n", "apart/train/a.png": None})
    put(
        files={
            "apart/other/b.png": None,
            "set/labels/train/a.txt": "0 0.5 0.5 1 1",
            "set/labels/val/b.txt": "1 0.5 0.5 1 1",
        }
    )
    records, problems = read(tmp_path / "set", images=tmp_path / "apart")
    assert [(r.path, [i.label for i in r.instances]) for r in records] == [
        ("other/b.png", ["dog"]),
        ("train/a.png", ["cat"]),
    ]
    assert records[1].source == tmp_path / "apart/train/a.png"
    assert records[1].properties == {"splits": ["train"]}
    assert [p.code for p in problems] == ["split-unknown"]


def test_labels_without_a_picture_or_of_one_without_a_size_are_counted(put):
    source = put(
        files={
            "images/a.png": "no picture",
            "labels/a.txt": "0 0.5 0.5 1 1\n1 0.5 0.5 1 1\n",
            "labels/gone.txt": "0 0.5 0.5 1 1\n",
            "data.yaml": NAMES + "train: images\n",
            "README.txt": "hello",
        }
    )
    reconciliation = Reconciliation()
    (found,) = reconciliation.read(yolo, source)
    reconciliation.stored(found)
    assert (found.instances, found.complete) == ([], None)
    assert [(p.code, p.place, p.dropped_files, p.dropped_instances) for p in reconciliation.problems] == [
        ("picture-unreadable", "images/a.png", 0, 2),
        ("picture-missing", "labels/gone.txt", 1, 1),
        ("skipped-other", "README.txt", 0, 0),
    ]
    assert reconciliation.unexplained == (0, 0)


def test_a_label_file_that_is_no_text(put, tmp_path):
    put(files={"images/a.png": None, "labels/a.txt": "", "data.yaml": NAMES + "train: images\n"})
    (tmp_path / "labels/a.txt").write_bytes(b"0 0.5 \xff")
    (found,), problems = read(tmp_path)
    assert (found.instances, found.complete) == ([], None)
    assert [(p.code, p.place) for p in problems] == [("record-unreadable", "labels/a.txt")]


def test_keys_that_tdvc_has_no_place_for_are_named(put):
    _, problems = instances(put, "", NAMES + "train: images\ndownload: |\n  import os\nroboflow: {license: x}\n")
    assert [(p.code, p.severity) for p in problems] == [("skipped-other", "warning")]
    assert "download" in problems[0].message
    assert "roboflow" in problems[0].message


def test_pixels_where_the_user_says_so(put):
    found, problems = instances(put, "0 320 240 100 50.5\n", relative=False)
    assert problems == []
    assert shapes(found) == [("cat", "box", [270, 214.75, 370, 265.25])]


sizes = st.one_of(st.integers(1, 12), st.integers(1, 20_000))
fractions = st.integers(5, 17).flatmap(
    lambda digits: st.integers(0, 10**digits - 1).map(lambda n: Number(f"0.{n:0{digits}d}"))
)


@given(st.one_of(st.lists(fractions, min_size=n, max_size=n) for n in (4, 6, 8, 10)), st.tuples(sizes, sizes))
def test_rows_of_any_digits_come_back_in_value(values, size):
    row = _yolo_rows.parse(["0", *values], size, Task())
    found = _yolo_rows.columns_of(row.type, row.geometry, row.kept, size, (1, 3))
    assert [value_of(text) for text in found] == [value_of(text) for text in values]


def test_fractions_with_an_exponent_come_back_in_value():
    row = _yolo_rows.parse(["0", "1e-9", "0.5", "1e-9", "0.5"], SIZE, Task())
    assert _yolo_rows.columns_of("box", row.geometry, row.kept, SIZE, (1, 3))[0] == Number("0.000000001")


def test_rows_of_six_digits_need_nothing_kept(put):
    found, _ = instances(put, "0 0.148063 0.5 0.123457 0.25\n1 0.1 0.123456 0.9 0.1 0.9 0.9\n")
    assert [bytes(i.properties) for i in found] == [b"{}", b"{}"]


def test_the_numbers_of_a_row_count_only_while_they_say_the_same(put):
    (found,), _ = instances(put, "0 0.2828125123456 0.23055555555555557 0.0390625 0.06388888888888888\n")
    moved = make_instance(
        {
            "instance_id": found.instance_id,
            "label": "cat",
            "type": "box",
            "geometry": [1, 2, 3, 4],
            "properties": found.properties,
        }
    )
    written, _ = write([FileRecord("a.png", None, [moved], size=SIZE)])
    assert written["labels/a.txt"].startswith("0 0.003125 0.006250000 ")
    other, _ = write([FileRecord("a.png", None, [found], size=(1280, 480))])
    same, _ = write([FileRecord("a.png", None, [found], size=SIZE)])
    assert "0.2828125123456" in same["labels/a.txt"]
    assert "0.2828125123456" not in other["labels/a.txt"]


def test_a_subset_never_renumbers(put):
    fields = {"owl": {"id": Number("5")}, "cat": {"id": Number("2")}}
    written, _ = write([record(instance("box", [64, 48, 128, 96]))], fields=fields)
    assert written["labels/a.txt"] == "6 0.150000 0.150000 0.100000 0.100000\n"
    assert "names:\n  2: cat\n  5: owl\n  6: dog\n" in written["data.yaml"]


def test_what_a_row_can_not_hold_is_listed():
    ring = [1, 1, 9, 1, 9, 9]
    made = [
        instance("polygon", [[ring], [ring]]),
        instance("polygon", [[ring, ring]]),
        instance("point", [1, 2]),
        instance("tag", None),
        instance("keypoints", [1, 2, 0]),
        instance("box", [64, 48, 128, 96]),
    ]
    written, problems = write([record(*made)])
    assert written["labels/a.txt"].count("\n") == 1
    assert [(p.code, p.dropped_instances) for p in problems] == [("type-not-carried", 1)] * 5
    assert all(p.place == "a.png" and p.instance for p in problems)


def test_a_picture_that_lost_every_instance_is_not_called_empty():
    written, _ = write([record(instance("tag", None), complete=True)])
    assert list(written) == ["data.yaml"]


def test_keypoints_of_another_number_are_listed():
    made = [instance("keypoints", [1, 2, 2, 3, 4, 1]), instance("keypoints", [1, 2, 2])]
    written, problems = write([record(*made)])
    assert "kpt_shape: [2, 3]" in written["data.yaml"]
    assert [p.message for p in problems] == ["The keypoints annotation has 1 keypoints where the data set has 2."]


def test_two_pictures_with_one_label_file_and_pictures_without_a_size_are_listed():
    box = instance("box", [64, 48, 128, 96])
    written, problems = write(
        [record(box, path="a.jpg"), record(box, path="a.png"), record(box, path="b.png", size=None)]
    )
    assert list(written) == ["labels/a.txt", "data.yaml"]
    assert [(p.code, p.place, p.dropped_instances) for p in problems] == [
        ("duplicate-path", "a.png", 1),
        ("picture-unreadable", "b.png", 1),
    ]


def test_rows_of_several_kinds_in_one_file_are_worth_a_word():
    box, ring = instance("box", [64, 48, 128, 96]), instance("polygon", [[[1, 1, 9, 1, 9, 9]]])
    _, problems = write([record(box, ring, path="a.png"), record(box, path="b.png")])
    assert [(p.code, p.place, p.severity) for p in problems] == [("mixed-rows", "a.png", "warning")]
    assert " 1 label files" in problems[0].message


def test_pictures_and_labels_lie_where_ultralytics_looks():
    box = instance("box", [64, 48, 128, 96])
    records = [
        record(box, path="a/b.png", split="train"),
        record(box, path="images/c.png", split="val"),
        record(box, path="names.png", split="names"),
    ]
    written, _ = write(records)
    assert [yolo.place(r) for r in records] == ["images/train/a/b.png", "images/val/c.png", "images/names.png"]
    assert list(written)[:3] == ["labels/train/a/b.txt", "labels/val/c.txt", "labels/names.txt"]
    assert written["data.yaml"].startswith("train: images/train\nval: images/val\n")


def test_labels_of_any_name_come_back(tmp_path, picture):
    labels = ["no", "a: b", "# c", 'q"\\', "große Katze", "\u2028", "0"]
    made = [
        record({"label": name, "type": "box", "geometry": [1, 2, 3, 4]}, path=f"{at}.png")
        for at, name in enumerate(labels)
    ]
    written, _ = write(made, labels)
    for path, text in written.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(text.encode())
    for one in made:
        (tmp_path / yolo.place(one)).parent.mkdir(exist_ok=True)
        (tmp_path / yolo.place(one)).write_bytes(picture)
    records, problems = read(tmp_path)
    assert [i.label for r in records for i in r.instances] == labels
    assert problems == []


@pytest.mark.parametrize("path", ["images/train/a.png", "train/images/b/c.png", "d.png"])
def test_paths_do_not_grow_from_export_to_import(path):
    once = yolo.place(record(path=path, split="train"))
    assert yolo.place(record(path=once, split="train")) == once
    assert yolo.place(record(path=once, properties={"splits": ["train"]})) == once


@pytest.mark.parametrize("split", ["../x", "a/b", ".git", "", Number("1"), None])
def test_splits_from_elsewhere_that_are_no_folders_are_not_written(split):
    assert yolo.place(record(path="a.png", properties={"splits": [split]})) == "images/a.png"


def test_what_is_written_is_what_a_trainer_accepts():
    """The checks of Ultralytics' loader: five columns or outlines, fractions from 0 to 1, classes that have a name."""
    made = [instance("box", [0, 0, 640, 480]), instance("box", [Number("0.1"), Number("479.9"), 640, 480])]
    outline = instance("polygon", [[[0, 0, 640, 0, 640, 480, Number("0.000001"), 480]]])
    written, _ = write([record(*made, path="a.png"), record(outline, path="b.png")])
    rows = [line.split(" ") for path, text in written.items() if path.endswith(".txt") for line in text.splitlines()]
    assert [len(row) for row in rows] == [5, 5, 9]
    assert all(0 <= float(text) <= 1 for row in rows for text in row[1:])
    assert {int(row[0]) for row in rows} <= {0, 1, 2}
