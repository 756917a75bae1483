import os

import pytest

from tdvc.errors import FormatError
from tdvc.formats import image_folder
from tdvc.formats.base import FileRecord
from tdvc.model.records import make_instance


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")
    return root


def read(source):
    problems = []
    records = list(image_folder.read(source, problems.append))
    return records, problems


def labels(records):
    return {record.path: [instance.label for instance in record.instances] for record in records}


def test_the_folder_is_the_label(tmp_path):
    records, problems = read(put(tmp_path, "cat/1.jpg", "dog/1.jpg", "dog/2.png"))
    assert labels(records) == {"cat/1.jpg": ["cat"], "dog/1.jpg": ["dog"], "dog/2.png": ["dog"]}
    assert {instance.type for record in records for instance in record.instances} == {"tag"}
    assert all(record.source == tmp_path / record.path and record.properties == {} for record in records)
    assert problems == []


@pytest.mark.parametrize("suffix", ["JPG", "Jpeg", "png", "PPM", "bmp", "pgm", "TIF", "tiff", "webp", "gif"])
def test_suffixes_count_in_any_case(tmp_path, suffix):
    source = put(tmp_path, f"0/IMG_1.{suffix}")
    assert image_folder.detect(source)
    assert labels(read(source)[0]) == {f"0/IMG_1.{suffix}": ["0"]}


def test_ids_last_and_differ(tmp_path):
    source = put(tmp_path, "cat/1.jpg", "dog/1.jpg")
    first, second = (read(source)[0] for _ in range(2))
    assert first == second
    assert len({record.instances[0].instance_id for record in first}) == 2


def test_deeper_folders_belong_to_their_class(tmp_path):
    assert labels(read(put(tmp_path, "cat/black/old/1.jpg"))[0]) == {"cat/black/old/1.jpg": ["cat"]}


def test_split_folders_are_no_classes(tmp_path):
    records, problems = read(put(tmp_path, "Train/cat/1.jpg", "val/dog/2.jpg", "test/3.jpg", "bird/4.jpg"))
    assert {r.path: ([i.label for i in r.instances], r.properties.get("splits")) for r in records} == {
        "Train/cat/1.jpg": (["cat"], ["Train"]),
        "bird/4.jpg": (["bird"], None),
        "test/3.jpg": ([], ["test"]),
        "val/dog/2.jpg": (["dog"], ["val"]),
    }
    assert [(problem.code, problem.place) for problem in problems] == [("no-class", "test/3.jpg")]


def test_classes_that_are_only_called_like_splits(tmp_path):
    records, _ = read(put(tmp_path, "test/1.jpg", "train/2.jpg"))
    assert labels(records) == {"test/1.jpg": ["test"], "train/2.jpg": ["train"]}


def test_pictures_in_the_root_have_no_label(tmp_path):
    records, problems = read(put(tmp_path, "0.jpg", "cat/1.jpg"))
    assert labels(records) == {"0.jpg": [], "cat/1.jpg": ["cat"]}
    assert [(p.code, p.place, p.severity, p.dropped_files) for p in problems] == [("no-class", "0.jpg", "warning", 0)]


def test_empty_classes_are_listed(tmp_path):
    (tmp_path / "fox").mkdir()
    (tmp_path / "train/owl").mkdir(parents=True)
    _, problems = read(put(tmp_path, "train/cat/1.jpg"))
    assert sorted((p.code, p.place, p.severity) for p in problems) == [
        ("empty-class", "fox", "warning"),
        ("empty-class", "train/owl", "warning"),
    ]


def test_what_is_passed_over_is_listed(tmp_path):
    source = put(tmp_path, "cat/1.jpg", ".git/HEAD", "cat/.DS_Store", "cat/Thumbs.db", "LICENSE", "b", "c")
    (source / "cat/link.jpg").symlink_to(source / "cat/1.jpg")
    (source / "dog").symlink_to(source / "cat")
    os.mkfifo(source / "cat/pipe.jpg")
    records, problems = read(source)
    assert labels(records) == {"cat/1.jpg": ["cat"]}
    assert sorted((p.code, p.place, p.severity, p.dropped_files) for p in problems) == [
        ("skipped-hidden", ".git", "warning", 0),
        ("skipped-hidden", "cat/.DS_Store", "warning", 0),
        ("skipped-other", ".", "warning", 0),
        ("skipped-other", "cat/Thumbs.db", "warning", 0),
        ("skipped-special", "cat/pipe.jpg", "error", 1),
        ("skipped-symlink", "cat/link.jpg", "error", 1),
        ("skipped-symlink", "dog", "warning", 0),
    ]
    assert "3 files" in next(p.message for p in problems if p.place == ".")


@pytest.mark.parametrize("name", [b"\xff.jpg", b"a\\b.jpg", b"GIT~1/x.jpg"])
def test_names_that_can_not_be_stored_are_listed(tmp_path, name):
    folder = os.fsencode(tmp_path / "cat")
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path))
    try:
        with open(path, "wb"):
            pass
    except OSError:
        pytest.skip("this file system refuses the name itself")
    records, problems = read(tmp_path)
    assert records == []
    assert [(p.code, p.dropped_files) for p in problems if p.code != "empty-class"] == [("bad-name", 1)]
    assert all(p.place.isprintable() and p.place.encode() for p in problems)


def test_control_characters_never_reach_a_place(tmp_path):
    records, problems = read(put(tmp_path, "c\x1b[31mat/x\u202e.txt", "d\n/1.jpg"))
    assert labels(records) == {"d\n/1.jpg": ["d\n"]}
    assert [problem.code for problem in problems] == ["empty-class", "skipped-other"]
    assert all(problem.place.isprintable() for problem in problems)


@pytest.mark.parametrize(
    "names",
    [
        ["1.jpg", "2.jpg"],
        ["cat/readme.txt"],
        ["cat/1.jpg", "cat/1.json"],
        ["cat/1.jpg", "annotations.xml"],
        ["images/1.jpg", "labels/1.txt"],
        ["train/1.jpg", "train/1.txt"],
        ["images/1.jpg", "data.yaml"],
        ["train/1.jpg", "train/metadata.csv"],
        ["cat/1.jpg", "Annotations/readme"],
        [".hidden/1.jpg"],
        [],
    ],
)
def test_folders_that_are_something_else(tmp_path, names):
    assert not image_folder.detect(put(tmp_path, *names))


@pytest.mark.parametrize("names", [["cat/1.jpg"], ["train/cat/1.JPG", "README.txt", "LICENSE", "index.csv"]])
def test_folders_of_classes_are_detected(tmp_path, names):
    assert image_folder.detect(put(tmp_path, *names))


def test_a_folder_that_is_not_there(tmp_path):
    assert not image_folder.detect(tmp_path / "gone")
    with pytest.raises(FormatError) as caught:
        read(tmp_path / "gone")
    assert caught.value.code == "bad-format-file"


def tagged(path, *labels, split=""):
    made = [make_instance({"label": label, "type": "tag"}) for label in labels]
    return FileRecord(path, None, made, split=split)


def written(*records):
    problems = []
    assert list(image_folder.write(records, [], problems.append)) == []
    return [image_folder.place(record) for record in records], problems


def test_pictures_are_written_to_the_folder_of_their_tag():
    places, problems = written(
        tagged("1.jpg", "cat"),
        tagged("a/2.jpg", "cat"),
        tagged("cat/3.jpg", "cat"),
        tagged("cat/4.jpg", "dog", split="train"),
        tagged("train/cat/5.jpg", "cat", split="train"),
    )
    came = FileRecord("val/cat/6.jpg", None, tagged("6.jpg", "cat").instances, {"splits": ["val"]})
    assert image_folder.place(came) == "val/cat/6.jpg"
    assert places == ["cat/1.jpg", "cat/a/2.jpg", "cat/3.jpg", "train/dog/cat/4.jpg", "train/cat/5.jpg"]
    assert problems == []


def test_what_folders_can_not_say_is_listed():
    box = make_instance({"label": "cat", "type": "box", "geometry": [1, 2, 3, 4]})
    places, problems = written(tagged("a/1.jpg", "cat", "dog"), FileRecord("a/2.jpg", None, [box], split="train"))
    assert places == ["cat/a/1.jpg", "train__a__2.jpg"]
    assert [(p.code, p.place, p.dropped_instances) for p in problems] == [
        ("type-not-carried", "a/1.jpg", 1),
        ("type-not-carried", "a/2.jpg", 1),
        ("no-class", "a/2.jpg", 0),
    ]


@pytest.mark.parametrize("label", ["a/b", "..", ".hidden", "a\\b", "train", "Val", "x" * 256, ".git"])
def test_labels_that_are_no_folder_lead_nowhere(label):
    places, problems = written(tagged("a/1.jpg", label))
    assert places == ["a__1.jpg"]
    assert [(p.code, p.dropped_instances) for p in problems] == [("type-not-carried", 1), ("no-class", 0)]
