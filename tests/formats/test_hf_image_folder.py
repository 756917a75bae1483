import json

import pyarrow
import pytest
from pyarrow import parquet

from tdvc.errors import FormatError
from tdvc.formats import _arrow, hf_image_folder
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions, Reconciliation
from tdvc.model.numbers import Number
from tdvc.model.records import make_instance

OBJECTS = {"bbox": [[1, 2.5, 0.1, 3], [5, 6, 7, 8]], "categories": ["cat", "dog"]}


def put(folder, content, name="metadata.jsonl"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list):
        content = "\n".join(json.dumps(row) for row in content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def put_table(folder, rows, features=None, schema=None):
    table = pyarrow.Table.from_pylist(rows, schema)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, folder / "metadata.parquet")
    return folder


def read(source, **options):
    problems = []
    return list(hf_image_folder.read(source, problems.append, ReadOptions(**options))), problems


def said(record):
    return [(i.label, i.type, bytes(i.geometry).decode()) for i in record.instances]


CAT_AND_DOG = [("cat", "box", "[1,2.5,1.1,5.5]"), ("dog", "box", "[5,6,12,14]")]


@pytest.mark.parametrize(
    "objects",
    [
        OBJECTS,
        {"bbox": OBJECTS["bbox"], "category": ["cat", "dog"]},
        [{"bbox": b, "label": c} for b, c in zip(*OBJECTS.values(), strict=True)],
    ],
)
def test_objects_have_several_shapes(tmp_path, objects):
    put(tmp_path, [{"file_name": "a.jpg", "objects": objects}])
    ((record,), problems) = read(tmp_path)
    assert said(record) == CAT_AND_DOG
    assert problems == []


def test_the_label_of_a_picture_is_a_tag_and_none_where_it_is_not_known(tmp_path):
    put(tmp_path, [{"file_name": f"{label}.jpg", "label": label} for label in ("ward", 3, -1, None)])
    records, problems = read(tmp_path)
    assert [said(record) for record in records] == [[("ward", "tag", "null")], [("3", "tag", "null")], [], []]
    assert problems == []


def test_folders_name_splits_and_never_labels(tmp_path):
    for name in ("train/cat/a.jpg", "train/cat/unnamed.jpg"):
        put(tmp_path, "x", name)
    put(tmp_path, [{"file_name": "cat/a.jpg", "text": "a cat"}], "train/metadata.jsonl")
    records, problems = read(tmp_path)
    assert [(r.path, r.instances, r.properties) for r in records] == [
        ("train/cat/a.jpg", [], {"hf-image-folder": {"text": "a cat"}, "splits": ["train"]}),
        ("train/cat/unnamed.jpg", [], {"splits": ["train"]}),
    ]
    assert problems == []


def test_what_rows_and_objects_say_besides_is_written_back(tmp_path):
    objects = OBJECTS | {"area": [0.30, None], "id": [7, 8]}
    put(tmp_path / "in", [{"file_name": "a.jpg", "width": 9, "height": 8, "objects": objects, "text": "x"}])
    ((record,), _) = read(tmp_path / "in")
    assert record.size == (9, 8)
    problems = []
    (written,) = hf_image_folder.write([record], [], problems.append)
    put(tmp_path / "out", b"".join(written.pieces))
    row = json.loads((tmp_path / "out/metadata.jsonl").read_text())
    assert {key: row[key] for key in ("width", "height", "text")} == {"width": 9, "height": 8, "text": "x"}
    assert {key: row["objects"][key] for key in objects} == objects
    ((again,), _) = read(tmp_path / "out")
    assert (again.instances, again.properties, again.size) == (record.instances, record.properties, record.size)
    assert problems == []


def test_rows_have_one_shape_whatever_tdvc_knows(tmp_path):
    """Lists side by side are equally long, and what is free in form is text."""
    plain = make_instance({"instance_id": "ab" * 16, "label": "cat", "type": "box", "geometry": [0, 0, 1, 1]})
    fields = {"attributes": {"age": 3}, "score": Number("0.50"), "frame": 4, "sequence": "s", "source": "m"}
    rich = make_instance({"instance_id": "cd" * 16, "label": "cat", "type": "box", "geometry": [0, 0, 1, 1]} | fields)
    tag = make_instance({"instance_id": "ef" * 16, "label": "ward", "type": "tag", "attributes": {"a": "b"}})
    full = FileRecord("a.jpg", None, [plain, rich, tag], {"x": {"y": Number("1.0")}}, True, "ab" * 16, split="fold 1")
    (written,) = hf_image_folder.write([full], [], lambda problem: None)
    assert written.path == "fold 1/metadata.jsonl"
    content = b"".join(written.pieces)
    row = json.loads(content)
    assert {len(values) for values in row["objects"].values()} == {2}
    assert {type(value) for value in (*row["objects"]["tdvc"], *row["tags_tdvc"], row["tdvc"])} == {str}
    assert row["label"] == "ward"
    put(tmp_path, content, written.path)
    ((back,), problems) = read(tmp_path)
    assert (back.instances, back.complete, back.file_id) == ([plain, rich, tag], True, "ab" * 16)
    assert back.properties == {"x": {"y": Number("1.0")}, "splits": ["fold 1"]}
    assert problems == []


def test_geometry_that_has_no_place_is_said():
    fields = {"instance_id": "ab" * 16, "label": "cat"}
    turned = make_instance(fields | {"type": "box", "geometry": [0, 0, 1, 1, 45]})
    point = make_instance(fields | {"type": "point", "geometry": [0, 0]})
    problems = []
    list(hf_image_folder.write([FileRecord("a.jpg", None, [turned, point])], [], problems.append))
    assert [(p.code, p.dropped_instances) for p in problems] == [("type-not-carried", 1)] * 2


BAD = {
    "lists of different length": {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "categories": []}},
    "three numbers": {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3]], "categories": ["cat"]}},
    "text for numbers": {"file_name": "a.jpg", "objects": {"bbox": [["1", 2, 3, 4]], "categories": ["cat"]}},
    "a negative width": {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, -3, 4]], "categories": ["cat"]}},
    "not a list of objects": {"file_name": "a.jpg", "objects": [[1, 2, 3, 4]]},
    "tdvc's text torn": {"file_name": "a.jpg", "objects": {"bbox": [[1, 2, 3, 4]], "tdvc": ["{"]}},
    "a label that is an object": {"file_name": "a.jpg", "label": {"a": 1}},
    "no name": {"objects": OBJECTS},
    "a name that is a number": {"file_name": 7, "label": "cat"},
    "a name that leads out": {"file_name": "../a.jpg", "label": "cat"},
    "a web address": {"file_name": "http://169.254.169.254/a.jpg", "label": "cat"},
}


@pytest.mark.parametrize("row", BAD.values(), ids=BAD.keys())
def test_bad_rows_are_listed_and_counted(tmp_path, row):
    put(tmp_path, [row, {"file_name": "good.jpg", "label": "cat"}])
    total = Reconciliation()
    records = list(total.read(hf_image_folder, tmp_path))
    for record in records:
        total.stored(record)
    assert said(records[-1]) == [("cat", "tag", "null")]
    assert [problem.place for problem in total.problems] == ["metadata.jsonl:1"]
    expected = 2 if row.get("objects") == OBJECTS else 1
    assert total.left_out[1] == expected
    assert total.unexplained == (0, 0)


@pytest.mark.parametrize("line", ["{", "[]", '{"file_name":"a.jpg","file_name":"b.jpg"}', '{"file_name":NaN}', "\xff"])
def test_torn_lines_are_listed_and_the_rest_goes_on(tmp_path, line):
    put(tmp_path, (line + '\n\n{"file_name":"good.jpg"}').encode("latin-1"))
    ((record,), problems) = read(tmp_path)
    assert record.path == "good.jpg"
    assert [(p.code, p.place, p.dropped_files) for p in problems] == [("record-unreadable", "metadata.jsonl:1", 1)]


def test_one_kind_of_metadata_only(tmp_path):
    put(tmp_path, [{"file_name": "a.jpg"}])
    put(tmp_path, "file_name\na.jpg\n", "train/metadata.csv")
    with pytest.raises(FormatError, match="several kinds"):
        read(tmp_path)


def test_metadata_as_csv(tmp_path):
    put(tmp_path, "file_name,label,note,empty\n1,cat,1.50,\n2.jpg\n3.jpg,dog,x,\n", "metadata.csv")
    assert hf_image_folder.detect(tmp_path)
    records, problems = read(tmp_path)
    assert [(r.path, said(r), r.properties) for r in records] == [
        ("1", [("cat", "tag", "null")], {"hf-image-folder": {"note": Number("1.50")}}),
        ("3.jpg", [("dog", "tag", "null")], {"hf-image-folder": {"note": "x"}}),
    ]
    assert [(p.code, p.place, p.dropped_files) for p in problems] == [("record-unreadable", "metadata.csv:3", 1)]


def test_metadata_as_parquet_with_named_classes(tmp_path):
    features = {
        "file_name": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["ward", "street"], "_type": "ClassLabel"},
        "objects": {
            "feature": {"bbox": {"_type": "Value"}, "categories": {"names": ["cat", "dog"], "_type": "ClassLabel"}},
            "_type": "Sequence",
        },
    }
    rows = [{"file_name": "a.jpg", "label": 1, "objects": {"bbox": OBJECTS["bbox"], "categories": [0, 1]}}]
    objects = pyarrow.struct(
        [("bbox", pyarrow.list_(pyarrow.list_(pyarrow.float32()))), ("categories", pyarrow.list_(pyarrow.int64()))]
    )
    schema = pyarrow.schema([("file_name", "string"), ("label", "int64"), ("objects", objects)])
    put_table(tmp_path, rows, features, schema)
    assert hf_image_folder.detect(tmp_path)
    ((record,), problems) = read(tmp_path)
    assert said(record) == [
        ("cat", "box", "[1.0,2.5,1.1,5.5]"),
        ("dog", "box", "[5.0,6.0,12,14]"),
        ("street", "tag", "null"),
    ]
    assert problems == []


def test_damaged_parquet_is_refused(tmp_path):
    put_table(tmp_path, [{"file_name": "a.jpg"}])
    path = tmp_path / "metadata.parquet"
    path.write_bytes(path.read_bytes()[:-20] + bytes(12) + b"PAR1")
    with pytest.raises(FormatError) as caught:
        read(tmp_path)
    assert caught.value.code == "bad-format-file"


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    put_table(tmp_path, [{"file_name": "a.jpg"}])

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(_arrow.importlib, "import_module", missing)
    with pytest.raises(FormatError) as caught:
        read(tmp_path)
    assert caught.value.code == "library-missing"
    assert "pip install 'tdvc[parquet]'" in caught.value.hint


def test_the_user_says_where_pictures_are(tmp_path):
    put(tmp_path, "x", "elsewhere/train/a.jpg")
    put(tmp_path, [{"file_name": "a.jpg"}, {"file_name": "b.jpg"}], "source/train/metadata.jsonl")
    records, _ = read(tmp_path / "source", images=tmp_path / "elsewhere")
    assert [(r.path, r.source) for r in records] == [
        ("train/a.jpg", tmp_path / "elsewhere/train/a.jpg"),
        ("train/b.jpg", None),
    ]
    assert not any(isinstance(record, LabelRecord) for record in records)
