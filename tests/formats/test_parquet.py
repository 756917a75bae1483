import io
import json

import pyarrow
import pytest
from pyarrow import parquet as files

from tdvc.errors import FormatError
from tdvc.formats import _arrow, _shards, parquet
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions, Reconciliation
from tdvc.model.numbers import Number
from tdvc.model.records import make_instance
from tests.contracts.samples.parquet import FEATURES, put_table, row

FIELDS = {"attributes": {"age": Number("3.0")}, "score": Number("0.50"), "frame": 4, "sequence": "s", "source": "m"}
BOX = {"instance_id": "ab" * 16, "label": "cat", "type": "box", "geometry": [Number("1.50"), 2, 3, 4]}
MASK = {"instance_id": "cd" * 16, "label": "dog", "type": "mask", "geometry": {"counts": "52203", "size": [4, 4]}}


def read(source, **options):
    problems = []
    found = list(parquet.read(source, problems.append, ReadOptions(**options)))
    records = [item for item in found if isinstance(item, FileRecord)]
    return records, [item for item in found if isinstance(item, LabelRecord)], problems


def export(folder, *records, labels=()):
    problems = []
    for written in parquet.write(records, labels, problems.append):
        (folder / written.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / written.path).write_bytes(b"".join(written.pieces))
    assert problems == []
    return folder


def said(record):
    return [(i.label, i.type, i.coordinates) for i in record.instances]


def test_rows_of_a_hub_data_set(tmp_path):
    put_table(tmp_path / "train-0.parquet", [row("a.jpg", b"picture", 1, [0.5, 1, 0.1, 2], [3, 4, 5, 6])])
    (record,), labels, problems = read(tmp_path)
    assert (record.path, record.content, record.source) == ("a.jpg", b"picture", None)
    assert said(record) == [("dog", "box", [0.5, 1, 0.6, 3]), ("dog", "box", [3, 4, 8, 10]), ("street", "tag", None)]
    assert record.properties == {"splits": ["train"]}
    assert [label.key for label in labels] == ["ward", "street", "cat", "dog"]
    assert problems == []


def test_pictures_without_a_path_of_their_own_are_numbered(tmp_path):
    names = [None, "", "/home/me/a.png", "same.jpg", "same.jpg", "same.jpg"]
    contents = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"1", b"2", b"3"]
    rows = [row(name, content.ljust(16), 0) for name, content in zip(names, contents, strict=True)]
    put_table(tmp_path / "part.parquet", rows)
    records, _, problems = read(tmp_path / "part.parquet")
    paths = ["part/000000.jpg", "part/000001.png", "part/000002.webp", "same.jpg", "part/same.jpg"]
    assert [r.path for r in records] == paths
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in problems] == [("record-unreadable", 1, 1)]


def test_pictures_that_lie_outside_are_looked_for(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.jpg").write_bytes(b"x")
    put_table(tmp_path / "in/a.parquet", [row("a.jpg", None, 0)])
    assert [(r.path, r.source, r.content) for r in read(tmp_path / "in")[0]] == [("a.jpg", None, None)]
    (record,), _, _ = read(tmp_path / "in", images=tmp_path / "elsewhere")
    assert record.source == tmp_path / "elsewhere/a.jpg"


def test_columns_of_bytes_and_dates(tmp_path):
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    schema = pyarrow.schema(
        [("image", image), ("mask", image), ("made", pyarrow.date32()), ("x", pyarrow.float64()), ("raw", "binary")]
    )
    picture = {"bytes": b"x", "path": "a.jpg"}
    rows = [{"image": picture, "mask": picture, "made": 1, "x": float("nan"), "raw": b"y"}]
    files.write_table(pyarrow.Table.from_pylist(rows, schema), tmp_path / "a.parquet")
    (record,), _, problems = read(tmp_path)
    assert record.content == b"x"
    assert record.properties == {"parquet": {"made": "1970-01-02"}}
    assert [(p.code, p.message) for p in problems] == [
        ("skipped-other", "Columns of bytes are not read: 'mask', 'raw'.")
    ]


def test_all_that_is_known_comes_back(tmp_path):
    instances = [make_instance(BOX | FIELDS | {"properties": {"coco": {"id": 1}}}), make_instance(MASK)]
    on_disk = tmp_path / "picture"
    on_disk.write_bytes(b"on disk")
    records = [
        FileRecord("a.jpg", None, instances, {"x": Number("1.0")}, False, "cd" * 16, size=(8, 9), content=b"x"),
        FileRecord("b.jpg", on_disk, []),
    ]
    labels = [LabelRecord("dog", "Dog", 0, {"id": Number("7")}), LabelRecord("cat", "Cat", 1)]
    first, second = read(export(tmp_path / "out", *records, labels=labels))[0]
    assert (first, first.content) == (records[0], b"x")
    assert (second.content, second.instances) == (b"on disk", [])
    assert read(tmp_path / "out")[1:] == (labels, [])


def test_others_can_read_what_we_write(tmp_path):
    record = FileRecord("a.jpg", None, [make_instance(BOX), make_instance(MASK)], size=(8, 9), content=b"x")
    table = files.read_table(export(tmp_path, record) / "data/data-00000.parquet")
    (found,) = table.to_pylist()
    assert found["image"] == {"bytes": b"x", "path": "a.jpg"}
    assert [(i["label"], i["type"]) for i in found["instances"]] == [("cat", "box"), ("dog", "mask")]
    assert json.loads(found["instances"][0]["geometry"]) == [1.5, 2, 3, 4]
    assert [found["instances"][0][name] for name in ("x0", "y0", "x1", "y1")] == [1.5, 2, 3, 4]
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert set(features) == set(table.schema.names)


def test_shards_are_cut_and_splits_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(_shards, "MAX_SHARD_FILES", 2)
    records = [FileRecord(f"{n}.jpg", None, [], split="fold 1", content=b"x") for n in range(3)]
    records.insert(1, FileRecord("0.jpg", None, [], split="val", content=b"y"))
    names = sorted(path.name for path in (export(tmp_path, *records) / "data").iterdir())
    assert names == ["fold 1-00000.parquet", "fold 1-00001.parquet", "val-00000.parquet"]
    assert [(r.path, r.properties["splits"], r.content) for r in read(tmp_path)[0]] == [
        ("0.jpg", ["fold 1"], b"x"),
        ("1.jpg", ["fold 1"], b"x"),
        ("2.jpg", ["fold 1"], b"x"),
        ("val/0.jpg", ["val"], b"y"),
    ]


def test_bad_instances_are_listed_and_counted(tmp_path):
    export(tmp_path, FileRecord("a.jpg", None, [make_instance(BOX), make_instance(MASK)], content=b"x"))
    path = tmp_path / "data/data-00000.parquet"
    table = files.read_table(path)
    rows = table.to_pylist()
    rows[0]["instances"] += [
        rows[0]["instances"][0],
        rows[0]["instances"][0] | {"instance_id": "ef" * 16, "geometry": "[1,2"},
        rows[0]["instances"][0] | {"instance_id": "f0" * 16, "label": None},
        None,
    ]
    rows.append(rows[0] | {"path": "../a.jpg"})
    files.write_table(pyarrow.Table.from_pylist(rows, table.schema), path)
    total = Reconciliation()
    (record,) = total.read(parquet, tmp_path)
    total.stored(record)
    assert len(record.instances) == 2
    assert [p.code for p in total.problems] == [
        "duplicate-instance",
        *["instance-invalid"] * 3,
        "record-unreadable",
    ]
    assert (total.left_out, total.unexplained) == ((1, 10), (0, 0))


def flipped(content, at):
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


def test_damage_is_refused_or_read_and_never_a_crash(tmp_path):
    """A flipped byte may change a value; what must not happen is an error that is none of ours."""
    put_table(tmp_path / "a.parquet", [row("a.jpg", b"picture", 1, [0, 1, 2, 3])] * 3)
    content = (tmp_path / "a.parquet").read_bytes()
    refused = 0
    for at in range(4, len(content), 97):
        (tmp_path / "a.parquet").write_bytes(flipped(content, at))
        try:
            read(tmp_path / "a.parquet")
        except FormatError as error:
            assert error.code == "bad-format-file"
            refused += 1
    assert refused
    (tmp_path / "a.parquet").write_bytes(content[:-9] + b"PAR1")
    with pytest.raises(FormatError):
        read(tmp_path / "a.parquet")


def test_a_row_group_beyond_all_bounds_is_refused(tmp_path, monkeypatch):
    put_table(tmp_path / "a.parquet", [row("a.jpg", b"picture", 1)])
    monkeypatch.setattr(_arrow, "MAX_ROW_GROUP_BYTES", 10)
    with pytest.raises(FormatError, match="row group of more than"):
        read(tmp_path)


def test_tables_of_numbers_are_not_pictures(tmp_path):
    content = io.BytesIO()
    files.write_table(pyarrow.table({"a": [1, 2]}), content)
    (tmp_path / "a.parquet").write_bytes(content.getvalue())
    assert not parquet.detect(tmp_path)
    put_table(tmp_path / "a.parquet", [], FEATURES)
    assert parquet.detect(tmp_path)
    (tmp_path / "a.parquet").rename(tmp_path / "metadata.parquet")
    assert not parquet.detect(tmp_path)
