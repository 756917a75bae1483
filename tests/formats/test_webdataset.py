import gzip
import io
import json
import tarfile

import pytest

from tdvc.errors import FormatError
from tdvc.formats import _shards, webdataset
from tdvc.formats.base import FileRecord, LabelRecord, Reconciliation
from tdvc.model.numbers import Number
from tdvc.model.records import make_instance
from tests.contracts.samples.webdataset import BOX, archive

CAT = {"instance_id": "ab" * 16, "label": "cat", "type": "tag"}


def put(folder, members, name="a.tar"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(members if isinstance(members, bytes) else archive(members))
    return path


def read(source):
    problems = []
    return list(webdataset.read(source, problems.append)), problems


def pairs(*members):
    """An archive with names that may come twice, or with whole headers."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, value in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if not isinstance(name, tarfile.TarInfo):
                info.size = len(value)
            tar.addfile(info, io.BytesIO(value))
    return content.getvalue()


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def export(folder, *records, labels=()):
    problems = []
    for written in webdataset.write(records, labels, problems.append):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / written.path).write_bytes(b"".join(written.pieces))
    assert problems == []
    return folder


def test_samples_of_other_people(tmp_path):
    objects = {"bbox": [[1, 2, 3, 4]], "categories": ["cat"]}
    members = {
        "n01/7.jpg": "picture",
        "n01/7.cls": "3\n",
        "n01/7.txt": "a cat",
        "n02/7.JPG": "other",
        "n02/7.json": {"objects": objects, "url": "x", "p": 0.5},
    }
    (first, second), problems = read(put(tmp_path, members, "train-000.tar"))
    assert (first.path, first.content, first.source) == ("n01/7.jpg", b"picture", None)
    assert [(i.label, i.type) for i in first.instances] == [("3", "tag")]
    assert first.properties == {"webdataset": {"txt": "a cat"}, "splits": ["train"]}
    assert (second.path, second.content) == ("n02/7.jpg", b"other")
    assert [(i.label, i.coordinates) for i in second.instances] == [("cat", [1, 2, 4, 6])]
    assert second.properties == {"webdataset": {"url": "x", "p": Number("0.5")}, "splits": ["train"]}
    assert problems == []


def test_the_key_ends_at_the_first_dot_of_the_name(tmp_path):
    members = {"a.b/img.v2.jpg": "picture", "a.b/img.cls": "1", "img.jpg": "x", "img.seg.txt": "y"}
    records, problems = read(put(tmp_path, members))
    assert [(r.path, len(r.instances)) for r in records] == [("a.b/img.v2.jpg", 1), ("img.jpg", 0)]
    assert [(p.code, p.severity) for p in problems] == [("skipped-other", "warning")]


def test_members_of_a_sample_stand_together(tmp_path):
    """A key that comes again is another sample, and its path is taken."""
    members = {"a.jpg": "first", "b.jpg": "x", "a.json": {"path": "a.jpg", "instances": [BOX]}, "c.jpg": "x"}
    records, problems = read(put(tmp_path, members))
    assert [(r.path, len(r.instances)) for r in records] == [("a.jpg", 0), ("b.jpg", 0), ("c.jpg", 0)]
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("duplicate-path", 1, 1)]


def test_a_suffix_twice_is_refused_whatever_its_case(tmp_path):
    content = pairs(("a.jpg", b"1"), ("a.JPG", b"2"), ("b.jpg", b"3"))
    records, problems = read(put(tmp_path, content))
    assert [r.path for r in records] == ["b.jpg"]
    assert [(p.code, p.place, p.dropped_files) for p in problems] == [("record-unreadable", "a.tar: a", 1)]


def test_one_picture_a_sample_and_the_others_are_counted(tmp_path):
    (record,), problems = read(put(tmp_path, {"a.seg.png": "mask", "a.jpg": "picture"}))
    assert (record.path, record.content) == ("a.jpg", b"picture")
    assert [(p.code, p.dropped_files) for p in problems] == [("skipped-other", 1)]


def test_what_is_no_regular_file_leads_nowhere(tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    content = pairs(
        (special("a.jpg", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (special("b.jpg", tarfile.LNKTYPE, "../secret.jpg"), b""),
        (special("c.jpg", tarfile.CHRTYPE), b""),
        (special("d", tarfile.DIRTYPE), b""),
        ("../e.jpg", b"x"),
        ("/f.jpg", b"x"),
        ("g.pkl", b"cos\nsystem\n"),
        (".hidden.jpg", b"x"),
        ("good.jpg", b"x"),
    )
    records, problems = read(put(tmp_path / "in", content))
    assert [(r.path, r.source) for r in records] == [("g", None), ("good.jpg", None)]
    assert sorted((p.code, p.severity) for p in problems) == [
        ("skipped-other", "warning"),
        ("skipped-other", "warning"),
        ("unsafe-path", "error"),
        ("unsafe-path", "error"),
    ]


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names(tmp_path, format_):
    content = io.BytesIO()
    name = "ordner/" * 30 + "größe.jpg"
    with tarfile.open(fileobj=content, mode="w", format=format_) as tar:
        for path in (name, "b.jpg"):
            info = tarfile.TarInfo(path)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
    records, problems = read(put(tmp_path, content.getvalue()))
    assert [r.path for r in records] == [name, "b.jpg"]
    assert problems == []


def test_packed_archives(tmp_path):
    (record,), _ = read(put(tmp_path, gzip.compress(archive({"a.jpg": "x"})), "a.tgz"))
    assert (record.path, record.content) == ("a.jpg", b"x")


def test_a_member_that_unpacks_beyond_all_bounds_is_refused_unread(tmp_path):
    info = tarfile.TarInfo("bomb.jpg")
    info.size = 1 << 40
    content = gzip.compress(info.tobuf() + bytes(1 << 20))
    with pytest.raises(FormatError, match="beyond 256 MiB"):
        read(put(tmp_path, content, "a.tar.gz"))


def damaged(content, how):
    if how == "cut":
        return content[:2600]
    if how == "header":
        return content[:2048] + b"?" * 300 + content[2348:]
    return gzip.compress(content)[:-60]


@pytest.mark.parametrize("how", ["cut", "header", "packed"])
def test_what_can_be_read_of_a_damaged_archive_is_and_the_rest_is_said(tmp_path, how):
    long = [(f"{number}.jpg", bytes(range(256)) * 40) for number in range(9)]
    content = pairs(("a.jpg", b"x"), ("b.jpg", b"x"), *long)
    (first, *_), problems = read(put(tmp_path, damaged(content, how)))
    assert first.path == "a.jpg"
    assert [(p.code, p.severity, p.dropped_files) for p in problems] == [("record-unreadable", "error", 1)]


@pytest.mark.parametrize("content", [b"", b"hello", b"x" * 2000, b"\x1f\x8bhello"])
def test_what_is_no_archive(tmp_path, content):
    path = put(tmp_path, content)
    assert not webdataset.detect(path)
    if content:
        with pytest.raises(FormatError):
            read(path)


def test_an_archive_of_pictures_alone_is_not_taken_for_one(tmp_path):
    assert not webdataset.detect(put(tmp_path, {"cat/1.jpg": "x", "cat/2.jpg": "x", "notes.json": {}}))
    assert webdataset.detect(put(tmp_path, {"1.jpg": "x", "1.cls": "0"}))


@pytest.mark.parametrize(
    "said",
    [b"{", b'{"a":1,"a":2}', b"\xff", b'{"path":"../x","instances":[{},{}]}', b'{"path":"x.jpg","instances":[1]}'],
)
def test_bad_samples_are_listed_and_counted(tmp_path, said):
    put(tmp_path, pairs(("a.jpg", b"x"), ("a.json", said), ("b.jpg", b"x")))
    total = Reconciliation()
    records = list(total.read(webdataset, tmp_path))
    for record in records:
        total.stored(record)
    assert records[-1].path == "b.jpg"
    assert len(total.problems) == 1
    assert total.files_in == 2
    assert total.unexplained == (0, 0)


def test_what_we_write_is_known_to_the_tools(tmp_path):
    tag, box = make_instance(CAT), make_instance(BOX | {"instance_id": "cd" * 16})
    on_disk = tmp_path / "picture.PNG"
    on_disk.write_bytes(b"on disk")
    records = [
        FileRecord("a/img.v2.JPG", None, [tag], content=b"in memory"),
        FileRecord("a/img_v2.png", on_disk, [box]),
        FileRecord("a/img_v2.json", None, [], content=b"{}"),
        FileRecord("a/nosuffix", None, [], content=b"?"),
    ]
    export(tmp_path / "out", *records, labels=[LabelRecord("dog", "dog", 0), LabelRecord("cat", "cat", 1)])
    with tarfile.open(tmp_path / "out/data-00000.tar") as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar}
    assert list(found) == [
        *("a/img_v2.json", "a/img_v2.cls", "a/img_v2.jpg", "a/img_v2-2.json", "a/img_v2-2.png"),
        *("a/img_v2-3.json", "a/img_v2-3.bin", "a/nosuffix.json", "a/nosuffix.bin"),
    ]
    assert found["a/img_v2.cls"] == b"1"
    assert json.loads(found["a/img_v2.json"])["path"] == "a/img.v2.JPG"
    back, problems = read(tmp_path / "out")
    assert [(r.path, r.content, r.instances) for r in back] == [
        ("a/img.v2.JPG", b"in memory", [tag]),
        ("a/img_v2.png", b"on disk", [box]),
        ("a/img_v2.json", b"{}", []),
        ("a/nosuffix", b"?", []),
    ]
    assert problems == []
    assert {webdataset.place(record) for record in records} == {""}


def test_shards_are_cut_and_splits_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(_shards, "MAX_SHARD_FILES", 2)
    records = [FileRecord(f"{n}.jpg", None, [], split="train", content=b"x") for n in range(3)]
    records.insert(1, FileRecord("0.jpg", None, [], split="val", content=b"y"))
    folder = export(tmp_path, *records)
    assert sorted(path.name for path in folder.iterdir()) == ["train-00000.tar", "train-00001.tar", "val-00000.tar"]
    back, _ = read(folder)
    assert [(r.path, r.properties["splits"], r.content) for r in back] == [
        ("0.jpg", ["train"], b"x"),
        ("1.jpg", ["train"], b"x"),
        ("2.jpg", ["train"], b"x"),
        ("val/0.jpg", ["val"], b"y"),
    ]


def test_what_is_too_large_for_a_shard_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(_shards, "MAX_PICTURE_BYTES", 3)
    record = FileRecord("a.mp4", None, [make_instance(CAT)], content=b"long")
    assert webdataset.place(record) == "a.mp4"
    export(tmp_path, record)
    (tmp_path / "a.mp4").write_bytes(b"long")
    (back,), _ = read(tmp_path)
    assert (back.path, back.source, back.content) == ("a.mp4", tmp_path / "a.mp4", None)
    assert back.instances == record.instances


def test_all_that_is_known_of_a_file_comes_back(tmp_path):
    fields = {"attributes": {"age": Number("3.0")}, "score": Number("0.50"), "frame": 4, "sequence": "s", "source": "m"}
    instance = make_instance(BOX | fields | {"instance_id": "ab" * 16, "properties": {"coco": {"id": 1}}})
    record = FileRecord("a.jpg", None, [instance], {"x": Number("1.0")}, False, "cd" * 16, size=(4, 5), content=b"x")
    ((back,), problems) = read(export(tmp_path, record))
    assert (back, back.content) == (record, b"x")
    assert problems == []
