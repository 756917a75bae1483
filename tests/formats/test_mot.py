import pytest

from tdvc.formats import detect_format, mot
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions, Reconciliation
from tdvc.model.numbers import Number, parse
from tdvc.model.records import make_instance


@pytest.fixture
def put(tmp_path):
    def put_files(**files):
        for name, content in files["files"].items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return tmp_path

    return put_files


def read(source, **options):
    problems = []
    found = list(mot.read(source, problems.append, ReadOptions(**options)))
    return [r for r in found if isinstance(r, FileRecord)], problems


def rows_of(put, *rows, pictures=("000001.jpg",), **more):
    files = {f"a/img1/{name}": "" for name in pictures} | more
    return read(put(files=files | {"a/gt/gt.txt": "\n".join(rows)}))


def write(records, labels=("person", "car")):
    problems = []
    classes = [LabelRecord(name, name, at) for at, name in enumerate(labels)]
    return {f.path: b"".join(f.pieces).decode() for f in mot.write(records, classes, problems.append)}, problems


def box(geometry=(10, 20, 40, 60), **fields):
    return make_instance({"label": "car", "type": "box", "geometry": list(geometry), **fields})


def test_a_row_becomes_the_box_of_a_track(put):
    (found,), problems = rows_of(put, "1,7,10,20.5,30.25,40,1,-1,0.86", "1, 8, 794.2, 47.5, 71.2, 174.8, 0.75, -1, -1")
    assert problems == []
    assert found.path == "a/img1/000001.jpg"
    first, second = found.instances
    assert (first.label, first.type, first.sequence, first.frame) == ("object", "box", "7", None)
    assert bytes(first.geometry) == b"[10,20.5,40.25,60.5]"
    assert first.attribute_values == {"visibility": 0.86}
    assert (bytes(first.score), bytes(second.score)) == (b"null", b"0.75")
    assert bytes(second.geometry) == b"[794.2,47.5,865.4,222.3]"
    assert second.attribute_values == {}


def test_entries_that_are_not_to_be_judged_and_detections(put):
    (found,), _ = rows_of(put, "1,7,1,2,3,4,0,1,1", "1,-1,1,2,3,4,58.1", "1,-1,1,2,3,4")
    assert [i.sequence for i in found.instances] == ["7", None, None]
    assert [bytes(i.score) for i in found.instances] == [b"null", b"58.1", b"null"]
    assert parse(bytes(found.instances[0].properties)) == {"mot": {"confidence": Number("0")}}


def test_ten_columns_end_in_world_coordinates(put):
    (found,), _ = rows_of(put, "1,1,1,2,3,4,1,-1,-1,-1", "1,2,1,2,3,4,1,5.5,6,-1")
    assert [i.label for i in found.instances] == ["object", "object"]
    assert bytes(found.instances[0].properties) == b"{}"
    assert parse(bytes(found.instances[1].properties))["mot"]["world"] == [Number("5.5"), Number("6"), Number("-1")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0,1,1,2,3,4,1,1,1", "a frame from 1"),
        ("x,1,1,2,3,4,1,1,1", "a frame from 1"),
        ("1.5,1,1,2,3,4,1,1,1", "a frame from 1"),
        ("1,x,1,2,3,4,1,1,1", "has the id 'x'"),
        ("1,1,1,2,3", "has 5 columns"),
        ("1,1,1,2,3,4,1,1,1,1,1", "has 11 columns"),
        ("1,1,nan,2,3,4,1,1,1", "'nan' where a number"),
        ("1,1,1,2,-3,4,1,1,1", "x1 smaller than x0"),
        ("1,1,1e300,2,3,4,1,1,1", "beyond"),
        ("1,1,1,2,3,4,1,dog,1", "'dog' where a number"),
        ("1,1,1,2,3,4,1,3,1", "class 3, which has no name"),
    ],
)
def test_bad_rows_are_listed_one_by_one(put, row, reason):
    files = {"a/gt/labels.txt": "person\ncar\n"}
    (found,), problems = rows_of(put, "1,1,1,2,3,4,1,2,1", "", row, "1.0,2,1,2,3,4,1,1,1", **files)
    assert [i.label for i in found.instances] == ["car", "person"]
    (problem,) = problems
    assert (problem.code, problem.place, problem.dropped_instances) == ("instance-invalid", "a/gt/gt.txt:3", 1)
    assert reason in problem.message


def test_classes_have_names_of_their_own_or_those_of_the_challenge(put):
    row = "1,1,1,2,3,4,1,3,1"
    files = {
        "MOT17-02/gt/gt.txt": row,
        "other/gt/gt.txt": row,
        "cvat/gt/gt.txt": row,
        "cvat/gt/labels.txt": "x\ny\nz\n",
    }
    found = list(mot.read(put(files=files), [].append))
    labels = [r for r in found if isinstance(r, LabelRecord)]
    assert [i.label for r in found if isinstance(r, FileRecord) for i in r.instances] == ["car", "z", "3"]
    assert ("car", {"id": Number("3")}) in [(r.key, r.fields) for r in labels]
    assert [r.index for r in labels] == list(range(16))


def test_frames_without_rows_and_rows_without_pictures(put):
    found, problems = rows_of(put, "2,1,1,2,3,4,1,1,1", "9,1,1,2,3,4,1,1,1", pictures=("000001.jpg", "000002.jpg"))
    assert problems == []
    assert [(r.path, len(r.instances), r.source is None) for r in found] == [
        ("a/img1/000001.jpg", 0, False),
        ("a/img1/000002.jpg", 1, False),
        ("a/img1/000009.jpg", 1, True),
    ]


def test_pictures_without_numbers_go_by_their_order(put):
    row = "{},1,1,2,3,4,1,1,1"
    found, problems = rows_of(put, row.format(2), row.format(3), pictures=("y.jpg", "x.jpg"))
    assert [(r.path, len(r.instances)) for r in found] == [("a/img1/x.jpg", 0), ("a/img1/y.jpg", 1)]
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("picture-missing", 1, 1)]


def test_frames_that_count_from_zero_in_their_names_go_by_their_order(put):
    found, _ = rows_of(put, "1,1,1,2,3,4,1,1,1", pictures=("frame_000000.jpg", "frame_000001.jpg"))
    assert [len(r.instances) for r in found] == [1, 0]


def test_what_the_sequence_says_of_itself_is_followed_inside_only(put):
    files = {
        "a/seqinfo.ini": "[Sequence]\r\nimDir=frames\r\nimExt=.png\r\n",
        "a/frames/000001.png": "",
        "b/seqinfo.ini": "imDir=../../outside\nimExt=/../x\n",
        "b/gt/gt.txt": "1,1,1,2,3,4,1,1,1",
    }
    found, _ = rows_of(put, "1,1,1,2,3,4,1,1,1", "2,1,1,2,3,4,1,1,1", pictures=(), **files)
    assert [r.path for r in found] == ["a/frames/000001.png", "a/frames/000002.png", "b/img1/000001.jpg"]


def test_a_film_without_pictures_is_one_file_with_frames(put):
    source = put(files={"a/a.mp4": "", "a/gt/gt.txt": "2,1,1,2,3,4,1,1,1\n1,1,1,2,3,4,1,1,1\n"})
    (found,), problems = read(source)
    assert problems == []
    assert (found.path, found.source) == ("a/a.mp4", source / "a/a.mp4")
    assert [i.frame for i in found.instances] == [0, 1]
    written, _ = write([FileRecord("a.mp4", None, found.instances)])
    assert written["a/gt/gt.txt"] == "1,1,1,2,3,4,1,3,-1\n2,1,1,2,3,4,1,3,-1\n".replace(",-1\n", ",1\n")
    assert mot.place(FileRecord("a.mp4", None, [])) == "a/a.mp4"


def test_pictures_that_lie_elsewhere(put, tmp_path):
    put(files={"set/gt/gt.txt": "1,1,1,2,3,4,1,1,1", "apart/1.png": ""})
    for source in (tmp_path / "set", tmp_path / "set/gt/gt.txt"):
        (found,), problems = read(source, images=tmp_path / "apart")
        assert (found.path, found.source, len(found.instances)) == ("1.png", tmp_path / "apart/1.png", 1)
        assert problems == []


def test_everything_is_counted(put):
    files = {"test/b/img1/000001.jpg": "", "a/det/det.txt": "1,-1,1,2,3,4,0.5", "a/seqinfo.ini": ""}
    source = put(files=files | {"a/img1/000001.jpg": "", "a/gt/gt.txt": "1,1,1,2,3,4,1,1,1\nx,1\n"})
    reconciliation = Reconciliation()
    for record in reconciliation.read(mot, source):
        reconciliation.stored(record)
    assert reconciliation.unexplained == (0, 0)
    assert (reconciliation.files_in, reconciliation.instances_in) == (2, 2)
    assert [p.place for p in reconciliation.problems if p.code == "skipped-other"] == ["a/det/det.txt"]


def test_splits_are_top_folders(put):
    (found,), _ = read(put(files={"train/a/img1/1.jpg": "", "train/a/gt/gt.txt": "1,1,1,2,3,4,1,1,1"}))
    assert found.properties == {"splits": ["train"]}


def test_the_same_track_twice_in_a_frame_is_two_instances(put):
    (found,), problems = rows_of(put, "1,1,1,2,3,4,1,1,1", "1,1,1,2,3,4,1,1,1")
    assert len({i.instance_id for i in found.instances}) == 2
    assert problems == []


@pytest.mark.parametrize("text", ["0 0.5 0.5 0.5 0.5", "1,2,3", "hello", "", "a,b,c,d,e,f,g"])
def test_other_text_is_something_else(put, text):
    source = put(files={"gt/gt.txt": text, "a.txt": text})
    assert not mot.detect(source)
    assert not mot.detect(source / "a.txt")


def test_a_file_of_rows_alone_is_known(put):
    assert detect_format(put(files={"results.txt": "1,1,10,20,30,40,0.9,-1,-1,-1\n"}) / "results.txt") is mot


def test_every_folder_is_a_sequence_with_its_own_numbers():
    records = [
        FileRecord("a/x.jpg", None, [box(sequence="7"), box(sequence="left"), box()], size=(64, 48), split="train"),
        FileRecord("a/y.jpg", None, [box(sequence="left", score=0.5, attributes={"visibility": 0.25})], split="train"),
        FileRecord("b/img1/000012.jpg", None, [box((1.5, 2, 3, 4.25), sequence="left")], split="train"),
    ]
    written, problems = write(records)
    assert problems == []
    assert [mot.place(record) for record in records][1:] == ["train/a/img1/y.jpg", "train/b/img1/000012.jpg"]
    assert written["train/a/gt/gt.txt"].splitlines() == [
        "1,7,10,20,30,40,1,2,1",
        "1,8,10,20,30,40,1,2,1",
        "1,-1,10,20,30,40,1,2,1",
        "2,8,10,20,30,40,0.5,2,0.25",
    ]
    assert written["train/b/gt/gt.txt"] == "12,1,1.5,2,1.5,2.25,1,2,1\n"
    assert written["train/a/gt/labels.txt"] == "person\ncar\n"
    expected = "[Sequence]\nname=a\nimDir=img1\nframeRate=30\nseqLength=2\nimWidth=64\nimHeight=48\nimExt=.jpg\n"
    assert written["train/a/seqinfo.ini"] == expected


def test_what_a_sequence_says_of_itself_comes_back(put, tmp_path):
    said = "[Sequence]\nname=a\nimDir=img1\nframeRate=29.97\nseqLength=1\nimWidth=640\nimHeight=480\nimExt=.jpg\n"
    files = {"a/seqinfo.ini": said, "a/img1/000001.jpg": "", "a/gt/gt.txt": "1,7,10,20,30,40,1,1,1\n"}
    (found,), problems = read(put(files=files | {"a/gt/labels.txt": "car\n"}))
    assert problems == []
    assert (found.size, found.instances[0].attribute_values) == ((640, 480), {})
    written, _ = write([found], ["car"])
    assert {name: text for name, text in files.items() if name in written} == {
        name: text for name, text in written.items() if name in files
    }


def test_the_size_of_a_film_is_kept(put):
    files = {"a/seqinfo.ini": "imWidth=640\nimHeight=480\n", "a/a.mp4": "", "a/gt/gt.txt": "1,7,10,20,30,40,1,1,1\n"}
    (found,), _ = read(put(files=files))
    assert found.properties == {"size": [Number("640"), Number("480")]}


def test_what_a_row_can_not_hold_is_listed():
    made = [
        box((1, 2, 3, 4, 30)),
        make_instance({"label": "car", "type": "point", "geometry": [1, 2]}),
        make_instance({"label": "car", "type": "tag"}),
    ]
    written, problems = write([FileRecord("x.jpg", None, made), FileRecord("film.mp4", None, [box()])])
    assert written["gt/gt.txt"] == ""
    assert [(p.code, p.place, p.dropped_instances) for p in problems] == [
        *[("type-not-carried", "x.jpg", 1)] * 3,
        ("type-not-carried", "film.mp4", 1),
    ]


def test_paths_do_not_grow_from_export_to_import():
    once = mot.place(FileRecord("a/x.jpg", None, [], split="train"))
    assert once == "train/a/img1/x.jpg"
    assert mot.place(FileRecord(once, None, [], split="train")) == once
    assert mot.place(FileRecord("x.jpg", None, [])) == "img1/x.jpg"
    assert mot.place(FileRecord("b/a.mp4", None, [])) == mot.place(FileRecord("b/a/a.mp4", None, [])) == "b/a/a.mp4"
