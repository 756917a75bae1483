"""The adapter for PyTorch with the real library: loaders with and without workers, forked and spawned."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import tdvc
from tdvc.errors import Usage
from tdvc.loader.epoch import Epoch
from tdvc.loader.samples import Sample, Samples
from tdvc.repo.repository import Repository
from tests.loader.conftest import HEIGHT, WIDTH, damage_blob, folder, picture
from tests.ops.build import box, stock

torch = pytest.importorskip("torch")
adapter: Any = importlib.import_module("tdvc.loader.pytorch")
DataLoader: Any = torch.utils.data.DataLoader

pytestmark = [
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


def path_and_digest(sample: Sample) -> tuple[str, str]:
    return sample.path, hashlib.sha256(sample.bytes).hexdigest()


def mapped(epoch: Epoch, **options: Any) -> Any:
    return DataLoader(adapter.TorchSamples(epoch.samples), sampler=adapter.TorchOrder(epoch), batch_size=4, **options)


def streamed(epoch: Epoch, **options: Any) -> Any:
    return DataLoader(adapter.TorchEpoch(epoch, batch_size=4), batch_size=4, **options)


def given(loader: Iterable[Any]) -> list[tuple[str, str]]:
    """What a loader of `path_and_digest` gives out, its batches taken apart."""
    return [one for paths, digests in loader for one in zip(paths, digests, strict=True)]


STYLES = pytest.mark.parametrize("loader", [mapped, streamed])
Style = Callable[..., Any]


@pytest.fixture
def samples(pets: Repository) -> Samples:
    return tdvc.load(pets, "v1", transform=path_and_digest)


# order


def content_hash(samples: Samples, seen: list[tuple[str, str]]) -> str:
    """What `Epoch.content_hash` promises, of what was given out."""
    blobs = b"".join(bytes.fromhex(digest) + samples.directory[path].state.instances for path, digest in seen)
    return hashlib.sha256(b"tdvc epoch\0" + bytes.fromhex(samples.classes.id) + blobs).hexdigest()


@STYLES
@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_order_and_content_are_equal_for_any_number_of_workers_and_ranks(
    samples: Samples, loader: Style, workers: int
) -> None:
    whole = list(samples.epoch(6, seed=3))
    assert content_hash(samples, whole) == samples.epoch(6, seed=3).content_hash
    for world_size in (1, 2, 3):
        epochs = [samples.epoch(6, seed=3, rank=rank, world_size=world_size) for rank in range(world_size)]
        shares = [given(loader(epoch, num_workers=workers)) for epoch in epochs]
        assert [one for step in zip(*shares, strict=True) for one in step] == whole
        assert {epoch.content_hash for epoch in epochs} == {content_hash(samples, whole)}


@STYLES
def test_ranks_of_unequal_shares_give_each_sample_once(samples: Samples, loader: Style) -> None:
    shares = [given(loader(samples.epoch(rank=rank, world_size=4), num_workers=2)) for rank in range(4)]
    assert sorted(one for share in shares for one in share) == list(samples)
    assert [len(share) for share in shares] == [8, 8, 7, 7]
    even = [samples.epoch(rank=rank, world_size=4, even=True) for rank in range(4)]
    assert [len(given(loader(epoch, num_workers=2))) for epoch in even] == [7] * 4


@STYLES
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_live_on_go_through_each_epoch(samples: Samples, loader: Style, method: str) -> None:
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    made = loader(samples.epoch(0, seed=1), num_workers=2, persistent_workers=True, multiprocessing_context=method)
    follower = made.dataset if loader is streamed else made.sampler
    for number in (0, 4, 4, 5):
        follower.set_epoch(number)
        assert given(made) == list(samples.epoch(number, seed=1))


def test_each_epoch_begins_anew_without_being_told(samples: Samples) -> None:
    made = streamed(samples.epoch(2), num_workers=2, persistent_workers=True)
    assert given(made) == given(made) == list(samples.epoch(2))


def test_the_last_batch_may_be_left_out_and_samples_may_come_alone(samples: Samples) -> None:
    whole = list(samples.epoch())
    assert given(streamed(samples.epoch(), num_workers=3, drop_last=True)) == whole[:28]
    assert len(streamed(samples.epoch())) == len(mapped(samples.epoch())) == 8
    alone = DataLoader(adapter.TorchEpoch(samples.epoch()), batch_size=None, num_workers=2)
    assert [tuple(one) for one in alone] == whole


def test_a_batch_of_nothing_is_refused(samples: Samples) -> None:
    with pytest.raises(Usage, match="at least 1"):
        adapter.TorchEpoch(samples.epoch(), batch_size=0)


# going on


@STYLES
@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_goes_on_in_the_middle(pets: Repository, samples: Samples, loader: Style, workers: int) -> None:
    whole = list(samples.epoch(5, seed=2))
    epoch = samples.epoch(5, seed=2)
    going = iter(loader(epoch, num_workers=workers))
    seen = given([next(going) for _ in range(3)])
    saved = json.loads(json.dumps(epoch.state_dict(done=len(seen))))
    del going  # with batches that were read ahead
    other = tdvc.load(folder(pets), "v1", transform=path_and_digest).epoch()
    other.load_state_dict(saved)
    made = loader(other, num_workers=2 - workers, persistent_workers=not workers)
    assert seen + given(made) == whole
    (made.dataset if loader is streamed else made.sampler).set_epoch(6)
    assert given(made) == list(samples.epoch(6, seed=2))


def test_an_epoch_of_two_ranks_is_finished_by_three(samples: Samples) -> None:
    epochs = [samples.epoch(1, rank=rank, world_size=2) for rank in range(2)]
    seen = []
    for epoch in epochs:
        going = iter(streamed(epoch, num_workers=2))
        seen += given([next(going), next(going)])
    saved = epochs[0].state_dict(done=8)
    for rank in range(3):
        epoch = samples.epoch(rank=rank, world_size=3)
        epoch.load_state_dict(saved)
        seen += given(streamed(epoch, num_workers=2))
    assert sorted(seen) == list(samples)


# where the samples are from


def test_a_pin_is_loaded_by_spawned_workers(pets: Repository, samples: Samples, tmp_path: Path) -> None:
    from tdvc.ops.pins import write_pin

    place = tmp_path / "data.tdvc.toml"
    write_pin(tdvc.pin(pets, "v1", start=tmp_path), place)
    pinned = tdvc.load(place, where="path like 'part%'", transform=path_and_digest)
    loader = streamed(pinned.epoch(3), num_workers=2, multiprocessing_context="spawn")
    assert given(loader) == [one for one in samples.epoch(3) if one[0].startswith("part")]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_picture_is_named_by_whatever_worker_met_it(pets: Repository, workers: int) -> None:
    damage_blob(pets, picture(5), at=20)
    epoch = tdvc.load(pets, "v1", verify="full", transform=path_and_digest).epoch()
    with pytest.raises((tdvc.TdvcError, RuntimeError), match=hashlib.sha256(picture(5)).hexdigest()):
        given(streamed(epoch, num_workers=workers))


# targets


def test_targets_are_those_of_the_reference_detection_models(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    image, target = adapter.TorchSamples(samples)[0]
    assert image.shape == (3, HEIGHT, WIDTH) and image.dtype == torch.float32 and float(image.max()) <= 1
    assert {name: (value.dtype, tuple(value.shape)) for name, value in target.items() if name != "image_id"} == {
        "boxes": (torch.float32, (5, 4)),
        "labels": (torch.int64, (5,)),
        "area": (torch.float32, (5,)),
        "iscrowd": (torch.int64, (5,)),
        "tags": (torch.int64, (1,)),
    }
    names = samples.classes.names
    assert [names[number - 1] for number in target["labels"].tolist()] == ["cat", "dog", "dog", "cat", "cat"]
    assert target["boxes"].tolist()[0] == [1, 2, 4, 6] and target["area"].tolist() == [12, 24, 48, 0, 4]
    assert target["image_id"] == 0 and target["iscrowd"].tolist() == [0] * 5


def test_tags_are_for_classification_without_a_collation_of_ones_own(disk_repository: Repository) -> None:
    files = {f"{n}.png": (picture(n), [{"label": f"digit {n % 2}", "type": "tag"}]) for n in range(4)}
    stock(disk_repository, "Main", {**files})
    samples = tdvc.load(disk_repository)
    ((pictures, targets),) = DataLoader(adapter.TorchSamples(samples), batch_size=4)
    assert pictures.shape == (4, 3, HEIGHT, WIDTH)
    assert [samples.classes.names[number] for number in targets["tags"][:, 0].tolist()] == [
        "digit 0",
        "digit 1",
        "digit 0",
        "digit 1",
    ]


def test_adapters_say_what_they_are_in_a_line(samples: Samples) -> None:
    epoch = samples.epoch(1)
    for made in (adapter.TorchSamples(samples), adapter.TorchOrder(epoch), adapter.TorchEpoch(epoch, 8)):
        assert repr(made).startswith(f"<{type(made).__name__} of <") and len(repr(made)) < 100


def test_targets_have_masks_and_keypoints_where_they_are_asked_for(pets: Repository) -> None:
    _, target = adapter.TorchSamples(tdvc.load(pets, "v1"), masks=True, keypoints=True)[0]
    assert target["masks"].shape == (5, HEIGHT, WIDTH) and target["masks"].dtype == torch.uint8
    assert target["masks"].sum(dim=(1, 2)).tolist() == [12, 24, 48, 0, 4]
    assert target["keypoints"].dtype == torch.float32
    assert target["keypoints"][3].tolist() == [[1, 2, 2], [3, 4, 1]]


def test_crowds_are_marked_and_flat_boxes_left_out(disk_repository: Repository) -> None:
    boxes = [
        box("cat", (0, 0, 4, 4), 1, properties={"coco": {"iscrowd": 1}}),
        box("cat", (2, 2, 2, 6), 2),
        box("dog", (1, 1, 5, 5), 3),
    ]
    stock(disk_repository, "Main", {"a.png": (picture(1), boxes), "b.png": picture(2)})
    crowd, empty = (adapter.TorchSamples(tdvc.load(disk_repository), masks=True)[at][1] for at in range(2))
    assert crowd["iscrowd"].tolist() == [1, 0] and len(crowd["masks"]) == 2
    assert empty["boxes"].shape == (0, 4) and empty["labels"].dtype == torch.int64
    assert empty["masks"].shape == (0, HEIGHT, WIDTH)


def test_a_detection_model_of_torchvision_learns_from_them(pets: Repository) -> None:
    detection = pytest.importorskip("torchvision.models.detection")
    samples = tdvc.load(pets, "v1", where="path < 'part0/010.png'")
    assert any(not len(sample.targets.boxes) for sample in samples)
    made = DataLoader(
        adapter.TorchSamples(samples, masks=True), batch_size=4, num_workers=2, collate_fn=adapter.collate
    )
    torch.manual_seed(0)
    model = detection.maskrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=len(samples.classes.names) + 1, min_size=32, max_size=48
    )
    for pictures, targets in made:
        losses = model(list(pictures), list(targets))
        total = sum(losses.values())
        assert set(losses) >= {"loss_classifier", "loss_box_reg", "loss_mask"} and torch.isfinite(total)
        total.backward()
    assert any(float(weights.grad.abs().sum()) > 0 for weights in model.parameters() if weights.grad is not None)
