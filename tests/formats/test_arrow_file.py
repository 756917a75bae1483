import pyarrow
import pytest

from tdvc.errors import FormatError
from tdvc.formats import _arrow, arrow_file
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions, Reconciliation
from tdvc.model.numbers import Number
from tdvc.model.records import make_instance
from tests.contracts.samples.arrow import put_table

FIELDS = {"attributes": {"age": Number("3.0")}, "score": Number("0.50"), "frame": 4, "sequence": "s", "source": "m"}
BOX = {"instance_id": "ab" * 16, "label": "cat", "type": "box", "geometry": [Number("1.50"), 2, 3, 4]}
ROW = {"path": "a.jpg", "label": "cat", "type": "box", "geometry": "[1.50,2,3,4]"}


def read(source, **options):
    problems = []
    found = list(arrow_file.read(source, problems.append, ReadOptions(**options)))
    return [item for item in found if isinstance(item, FileRecord)], problems


def export(folder, *records, labels=()):
    (written,) = arrow_file.write(records, labels, [].append)
    (folder / written.path).write_bytes(b"".join(written.pieces))
    return folder / written.path


def test_all_that_is_known_comes_back(tmp_path):
    rich = make_instance(BOX | FIELDS | {"properties": {"coco": {"id": 1}}})
    about = {"properties": {"x": Number("1.0"), "splits": ["fold 1"]}, "complete": False, "file_id": "cd" * 16}
    records = [
        FileRecord("a.jpg", None, [rich], size=(4, 5), split="fold 1", **about),
        FileRecord("b.jpg", None, [], complete=True),
    ]
    labels = [LabelRecord("dog", "Dog", 0, {"id": Number("7")}), LabelRecord("cat", "Cat", 1)]
    path = export(tmp_path, *records, labels=labels)
    first, second = read(tmp_path)[0]
    assert (first.path, first.instances, first.size) == ("fold 1/a.jpg", [rich], (4, 5))
    assert {name: getattr(first, name) for name in about} == about
    assert (second.path, second.instances, second.complete) == ("b.jpg", [], True)
    assert list(arrow_file.read(path, [].append))[:2] == labels


def test_others_can_map_what_we_write(tmp_path):
    path = export(tmp_path, FileRecord("a.jpg", None, [make_instance(BOX)]), FileRecord("b.jpg", None, []))
    with pyarrow.memory_map(str(path)) as file:
        rows = pyarrow.ipc.open_file(file).read_all().to_pylist()
    found = [(row["path"], row["label"], row["geometry"], row["x0"], row["y1"]) for row in rows]
    assert found == [("a.jpg", "cat", "[1.50,2,3,4]", 1.5, 4), ("b.jpg", None, None, None, None)]


def test_a_table_needs_four_columns_and_keeps_the_others(tmp_path):
    rows = [ROW | {"note": "x", "weight": 0.5}, {"path": "b.jpg", "label": "dog", "type": "tag"}]
    records, problems = read(put_table(tmp_path / "t.feather", rows))
    assert [(r.path, [(i.label, bytes(i.geometry)) for i in r.instances]) for r in records] == [
        ("a.jpg", [("cat", b"[1.50,2,3,4]")]),
        ("b.jpg", [("dog", b"null")]),
    ]
    assert bytes(records[0].instances[0].properties) == b'{"arrow":{"note":"x","weight":0.5}}'
    assert problems == []


def test_scattered_rows_come_together(tmp_path):
    rows = [ROW, ROW | {"path": "b.jpg"}, ROW, ROW | {"path": "c.jpg"}]
    records, _ = read(put_table(tmp_path / "t.arrow", rows))
    assert [(r.path, len(r.instances)) for r in records] == [("b.jpg", 1), ("c.jpg", 1), ("a.jpg", 2)]


def test_bad_rows_are_listed_and_counted(tmp_path):
    bad = [
        {"geometry": "[1,2"},
        {"geometry": "[1,2,3]"},
        {"label": None},
        {"type": "nose"},
        {"attributes": "[]"},
    ]
    outside = [{"path": "../a.jpg"}, {"path": None}, {"path": "b.jpg", "file_properties": "{"}]
    rows = [ROW, *(ROW | fields for fields in (*bad, *outside))]
    total = Reconciliation()
    (record,) = total.read(
        arrow_file,
        put_table(tmp_path / "t.arrow", [{"attributes": None, "file_properties": None} | row for row in rows]),
    )
    total.stored(record)
    assert len(record.instances) == 1
    assert [p.code for p in total.problems] == [
        *["instance-invalid"] * 5,
        *["unsafe-path"] * 2,
        "record-unreadable",
    ]
    assert (total.left_out, total.unexplained) == ((3, 8), (0, 0))


@pytest.mark.parametrize(
    ("content", "message"), [(b"ARROW1\0\0 torn", "can't be read"), (b"", "can't be read"), (None, "no column 'type'")]
)
def test_what_is_no_table_of_instances(tmp_path, content, message):
    path = put_table(tmp_path / "t.arrow", [{"path": "a.jpg", "label": "cat"}])
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        read(path)
    assert caught.value.code == "bad-format-file"


def test_offsets_that_lead_out_of_the_buffer_are_refused(tmp_path):
    """Arrow itself would follow them: the table is validated before anything of it is read."""
    path = put_table(tmp_path / "t.arrow", [ROW] * 5)
    content = path.read_bytes()
    offsets = b"".join((5 * number).to_bytes(4, "little") for number in range(6))
    at = content.index(offsets)
    path.write_bytes(content[: at + 8] + (1 << 30).to_bytes(4, "little") + content[at + 12 :])
    with pytest.raises(FormatError):
        read(path)


def test_a_folder_holds_one_table(tmp_path):
    put_table(tmp_path / "a.arrow", [ROW])
    assert arrow_file.detect(tmp_path)
    put_table(tmp_path / "b.arrow", [ROW])
    with pytest.raises(FormatError, match="2 Arrow files"):
        read(tmp_path)


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    path = put_table(tmp_path / "t.arrow", [ROW])

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(_arrow.importlib, "import_module", missing)
    assert arrow_file.detect(path)
    for use in (lambda: read(path), lambda: list(arrow_file.write([], [], [].append))):
        with pytest.raises(FormatError) as caught:
            use()
        assert caught.value.code == "library-missing"
        assert "pip install 'tdvc[parquet]'" in caught.value.hint
