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


def test_records_begin_anew_each_time(pets: Repository) -> None:
    epoch = tdvc.load(pets, "v1").epoch(1)
    generate = records(epoch)
    first = [record["path"] for record in generate()]
    assert first == [record["path"] for record in generate()] == [sample.path for sample in epoch]
    record = next(iter(generate()))
    assert record["boxes"].dtype == np.float32 and record["boxes"].shape[1] == 4
    assert record["classes"].dtype == record["tags"].dtype == np.int64


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


# torch


def test_torch_gets_detection_targets(pets: Repository) -> None:
    torch = pytest.importorskip("torch")
    from tdvc.loader.pytorch import TorchSamples, detection_target

    samples = tdvc.load(pets, "v1")
    image, target = TorchSamples(samples)[0]
    assert image.shape == (3, HEIGHT, WIDTH) and image.dtype == torch.float32 and float(image.max()) <= 1
    assert target["boxes"].dtype == torch.float32 and target["boxes"].tolist()[0] == [1, 2, 4, 6]
    names = samples.classes.names
    assert [names[number - 1] for number in target["labels"].tolist()] == ["cat", "dog", "dog", "cat", "cat"]
    assert target["area"].tolist() == [12, 24, 48, 0, 4] and target["iscrowd"].tolist() == [0] * 5
    drawn = detection_target(samples[0], 0, masks=True, keypoints=True)
    assert drawn["masks"].shape == (5, HEIGHT, WIDTH) and drawn["masks"].dtype == torch.uint8
    assert drawn["keypoints"][3].tolist() == [[1, 2, 2], [3, 4, 1]]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_torch_gives_an_epoch_in_its_order_with_any_number_of_workers(pets: Repository, workers: int) -> None:
    torch_data = pytest.importorskip("torch.utils.data")
    from tdvc.loader.pytorch import TorchEpoch, TorchSamples

    samples = tdvc.load(pets, "v1", transform=path_of)
    expected = list(samples.epoch(6))
    mapped = torch_data.DataLoader(
        TorchSamples(samples), sampler=samples.epoch(6).positions.tolist(), batch_size=4, num_workers=workers
    )
    streamed = torch_data.DataLoader(TorchEpoch(samples.epoch(6), batch_size=4), batch_size=4, num_workers=workers)
    assert [path for batch in mapped for path in batch] == expected
    assert [path for batch in streamed for path in batch] == expected


def path_of(sample: tdvc.loader.samples.Sample) -> str:
    return sample.path
