from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tdvc
from tdvc.errors import FormatError, Usage
from tdvc.loader.batches import iter_batches, records, to_tensorflow
from tdvc.loader.library import library
from tdvc.repo.repository import Repository
from tests.loader.conftest import HEIGHT, WIDTH, folder, freeze, picture
from tests.ops.build import box, stock

# numpy


def test_batches_lie_behind_each_other(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    batches = list(iter_batches(samples.epoch(shuffle=False), 7))
    assert [len(batch.paths) for batch in batches] == [7, 7, 7, 7, 2]
    assert [path for batch in batches for path in batch.paths] == samples.paths
    assert [content for batch in batches for content in batch.contents] == [sample.bytes for sample in samples]
    first = batches[0]
    for number, path in enumerate(first.paths):
        targets = samples[path].targets
        assert first.boxes[first.owners == number].tolist() == targets.boxes.tolist()
        assert first.classes[first.owners == number].tolist() == targets.classes.tolist()
        assert first.tags[first.tag_owners == number].tolist() == targets.tags.tolist()


def test_batches_go_on_in_the_middle_of_an_epoch(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    epoch = samples.epoch(4)
    next(iter_batches(epoch, 12))
    rest = [path for batch in iter_batches(epoch, 12) for path in batch.paths]
    assert rest == [sample.path for sample in samples.epoch(4)][12:]


def test_a_batch_of_nothing_is_refused(pets: Repository) -> None:
    with pytest.raises(Usage, match="at least 1"):
        next(iter_batches(tdvc.load(pets, "v1").epoch(), 0))


def test_nothing_prints_the_pictures_it_holds(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    (batch, *_) = iter_batches(samples.epoch(shuffle=False), 30)
    assert repr(batch) == "<Batch of 30: drawn 35, tags 30>"
    assert repr(samples[0].targets) == "<Targets: drawn 5, tags 1>"
    for holder in (samples, samples[0], samples.state, samples.state.rows, samples.classes, samples.epoch()):
        assert len(repr(holder)) < 80 and " at 0x" not in repr(holder)


def test_records_begin_anew_each_time(pets: Repository) -> None:
    epoch = tdvc.load(pets, "v1").epoch(1)
    generate = records(epoch)
    first = [record["path"] for record in generate()]
    assert first == [record["path"] for record in generate()] == [sample.path for sample in epoch]
    record = next(iter(generate()))
    assert record["boxes"].dtype == np.float32 and record["boxes"].shape[1] == 4
    assert record["classes"].dtype == record["tags"].dtype == np.int64


# tensorflow


def test_tensorflow_goes_through_an_epoch_in_its_order(pets: Repository) -> None:
    tensorflow = pytest.importorskip("tensorflow")
    samples = tdvc.load(pets, "v1")
    made = to_tensorflow(samples.epoch(2, seed=5))
    for _ in range(2):
        found = list(made.as_numpy_iterator())
        expected = list(samples.epoch(2, seed=5))
        assert [row["path"].decode() for row in found] == [sample.path for sample in expected]
        assert [row["content"] for row in found] == [sample.bytes for sample in expected]
        assert [row["boxes"].tolist() for row in found] == [sample.targets.boxes.tolist() for sample in expected]
        assert [row["classes"].tolist() for row in found] == [sample.targets.classes.tolist() for sample in expected]
    decoded = made.map(lambda row: tensorflow.io.decode_png(row["content"])).batch(30)
    assert next(iter(decoded)).shape == (30, HEIGHT, WIDTH, 3)
    assert [row["path"].decode() for row in to_tensorflow(samples).as_numpy_iterator()] == samples.paths


# what is not installed


def test_a_missing_library_is_named(pets: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(FormatError) as caught:
        to_tensorflow(tdvc.load(pets, "v1"))
    assert caught.value.code == "library-missing" and "tensorflow" in caught.value.hint
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(FormatError) as caught:
        library("torch", "torch")
    assert "tdvc[torch]" in caught.value.hint


# datasets


def test_hugging_face_gets_pictures_boxes_and_classes(pets: Repository, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    from tdvc.loader.huggingface import to_datasets

    samples = tdvc.load(pets, "v1")
    made = to_datasets(samples, cache_dir=str(tmp_path / "cache"))
    assert made["path"][:] == samples.paths
    row = made[0]
    assert row["image"].size == (WIDTH, HEIGHT)
    assert row["objects"]["bbox"][0] == [1, 2, 3, 4] and row["objects"]["area"][0] == 12
    names = made.features["tags"].feature.names
    assert names == samples.classes.names and [names[number] for number in row["tags"]] == ["night"]


def test_hugging_face_generates_anew_when_labels_change(pets: Repository, tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    from tdvc.loader.huggingface import to_datasets
    from tdvc.model.records import make_instance

    before = to_datasets(tdvc.load(pets, "v1"), cache_dir=str(tmp_path / "cache"))
    with pets.transaction("correct") as edit:
        edit.annotate(pets["Main"]["all.png"], [make_instance(box("dog", (0, 0, 5, 5), 77))])
    freeze(pets, "v2")
    after = to_datasets(tdvc.load(pets, "v2"), cache_dir=str(tmp_path / "cache"))
    assert after[0]["objects"]["bbox"] == [[0, 0, 5, 5]] != before[0]["objects"]["bbox"]


# fsspec


def test_fsspec_opens_what_a_url_names(pets: Repository) -> None:
    fsspec = pytest.importorskip("fsspec")
    url = f"tdvc://{folder(pets)}@v1/part1/004.png"
    with fsspec.open(url) as file:
        assert file.read() == picture(4)
    assert Image.open(io.BytesIO(fsspec.open(url).open().read())).size == (WIDTH, HEIGHT)


def test_fsspec_lists_and_finds(pets: Repository) -> None:
    fsspec = pytest.importorskip("fsspec")
    stock(pets, "Deep", {"a/b/c.txt": b"c", "a/b-d": b"bd", "a/e": b"e", "a.txt": b"a"})
    files = fsspec.filesystem("tdvc", repository=str(folder(pets)), revision="Deep", skip_instance_cache=True)
    assert files.ls("", detail=False) == ["a.txt", "a"]
    assert files.ls("a", detail=False) == ["a/b-d", "a/b", "a/e"]
    assert files.ls("a/e", detail=False) == ["a/e"]
    assert files.find("") == ["a.txt", "a/b-d", "a/b/c.txt", "a/e"]
    assert files.glob("a/**/*.txt") == ["a/b/c.txt"]
    assert files.cat("a/b/c.txt") == b"c" and files.cat_file("a/b-d", 1, 2) == b"d"
    assert files.isdir("a/b") and files.isfile("a/e") and not files.exists("a/b/x")
    assert files.du("") == 5 and files.size("a/b-d") == 2
    assert files.ukey("a/e") == pets["Deep"]["a/e"].blob_id
    assert pickle.loads(pickle.dumps(files)).cat("a/e") == b"e"


def test_fsspec_reads_parts_of_files(pets: Repository) -> None:
    fsspec = pytest.importorskip("fsspec")
    stock(pets, "Parts", {"a/ten": b"0123456789", "b": b"line 1\nline 2\n"})
    files = fsspec.filesystem("tdvc", repository=str(folder(pets)), revision="Parts", skip_instance_cache=True)
    assert files.cat_ranges(["a/ten", "a/ten", "b"], [0, -3, 4], [3, None, 6]) == [b"012", b"789", b" 1"]
    assert files.cat(["a/ten", "b"]) == {"a/ten": b"0123456789", "b": b"line 1\nline 2\n"}
    assert isinstance(files.cat_ranges(["nowhere"], [0], [1])[0], FileNotFoundError)
    assert files.head("a/ten", 2) + files.tail("a/ten", 2) + files.read_block("a/ten", 4, 2) == b"018945"
    with files.open("a/ten") as file:
        assert (file.seek(-4, 2), file.read(2), file.tell(), file.size) == (6, b"67", 8, 10)
        assert (file.seek(1), file.readinto(pair := bytearray(2)), bytes(pair)) == (1, 2, b"12")
    with files.open("b", "r") as text:
        assert [line.strip() for line in text] == ["line 1", "line 2"]
    assert files.glob("*") == ["a", "b"] and files.glob("**/t?n") == ["a/ten"]
    assert list(files.walk("")) == [("", ["a"], ["b"]), ("a", [], ["ten"])]


def test_libraries_read_tables_through_fsspec(pets: Repository) -> None:
    fsspec, pandas = pytest.importorskip("fsspec"), pytest.importorskip("pandas")
    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq

    stored = io.BytesIO()
    pq.write_table(pa.table({"a": range(1000), "b": ["text"] * 1000}), stored, row_group_size=100)
    files = {"t/a.csv": b"x,y\n1,2\n3,4\n", "t/b.csv": b"x,y\n5,6\n", "p/one.parquet": stored.getvalue()}
    stock(pets, "Tables", files)
    top = f"tdvc://{folder(pets)}@Tables"
    assert pandas.read_csv(f"{top}/t/a.csv").to_numpy().tolist() == [[1, 2], [3, 4]]
    assert pandas.read_parquet(f"{top}/p/one.parquet", columns=["a"])["a"].sum() == 499_500
    here, _ = fsspec.url_to_fs(top + "/")
    assert pq.read_table("p/one.parquet", filesystem=here).num_rows == 1000
    rows = pyarrow.dataset.dataset("t", filesystem=here, format="csv").to_table()
    assert rows.to_pydict() == {"x": [1, 3, 5], "y": [2, 4, 6]}
    few = pyarrow.dataset.dataset("p", filesystem=here).to_table(filter=pyarrow.dataset.field("a") > 990)
    assert few["a"].to_pylist() == list(range(991, 1000))
    assert [fsspec.open(here.unstrip_protocol(path)).open().read() for path in here.find("")] == [
        files[path] for path in sorted(files)
    ]


def test_duckdb_reads_through_fsspec(pets: Repository) -> None:
    fsspec, duckdb = pytest.importorskip("fsspec"), pytest.importorskip("duckdb")
    stock(pets, "Tables", {"t/a.csv": b"x,y\n1,2\n3,4\n"})
    top = f"tdvc://{folder(pets)}@Tables/"
    with duckdb.connect() as connection:
        connection.register_filesystem(fsspec.url_to_fs(top)[0])
        assert connection.sql(f"select sum(x), sum(y) from '{top}t/a.csv'").fetchall() == [(4, 6)]


def test_fsspec_is_read_only_and_knows_what_is_missing(pets: Repository) -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("tdvc", repository=str(folder(pets)), revision="v1")
    for wrong in ("nowhere", "part1/nowhere.png", "part"):
        with pytest.raises(FileNotFoundError):
            files.ls(wrong)
        with pytest.raises(FileNotFoundError):
            files.open(wrong)
    with pytest.raises(IsADirectoryError):
        files.open("part1")
    with pytest.raises(OSError, match=r"[Rr]ead-only"):
        files.open("all.png", "wb")
    with pytest.raises(Usage, match="REPOSITORY"):
        fsspec.open("tdvc://no-revision/all.png").open()
