"""PyTorch data sets. Importing this module imports torch.

A target is a dictionary as the reference detection models of torchvision take it: `boxes` FloatTensor (n, 4) `x0 y0 x1
y1`, `labels` Int64Tensor (n,), `image_id`, `area`, `iscrowd`, and where they are asked for `masks` UInt8Tensor
(n, h, w) and `keypoints` FloatTensor (n, k, 3). Those models keep class 0 for the background, so a label is its class
plus one. Boxes without a width or a height are left out, because the models refuse them.

Beside these there is always `tags` Int64Tensor (t,), which the detection models pass over: what is said of the whole
file, for classification. It has the classes as they are, for there is no background. Where every file has one tag and
nothing drawn, PyTorch's own collation makes it (batch, 1).

Source: the documentation of torchvision, "TorchVision Object Detection Finetuning Tutorial".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import numpy as np

from tdvc.loader.epoch import Epoch, whole
from tdvc.loader.library import library
from tdvc.loader.samples import Sample, Samples
from tdvc.model.records import Instance

torch: Any = library("torch", "torch")
_torch_data: Any = library("torch.utils.data", "torch")


class TorchSamples(_torch_data.Dataset):
    """Samples as a map-style `Dataset`, for any number of workers.

    `DataLoader(TorchSamples(samples), sampler=TorchOrder(epoch))` gives them in the order of an epoch. What is given
    out is what `transform` of the samples makes; `(picture, target)` for detection where there is none.

    Args:
        samples: what is in it.
        masks: whether targets have the pixels of each instance.
        keypoints: whether targets have the points of skeletons.
    """

    def __init__(self, samples: Samples, *, masks: bool = False, keypoints: bool = False) -> None:
        self.samples = samples
        self._shapes = {"masks": masks, "keypoints": keypoints}

    def __repr__(self) -> str:
        return f"<TorchSamples of {self.samples!r}>"

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, position: int) -> Any:
        return _given(self.samples, position, self._shapes)


class TorchOrder(_torch_data.Sampler):
    """The order of an epoch, or of one rank's share of it, as a `Sampler` over the `TorchSamples` of its samples.

    It begins where the epoch stands.
    """

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch

    def __repr__(self) -> str:
        return f"<TorchOrder of {self.epoch!r}>"

    def __len__(self) -> int:
        return len(self.epoch.left)

    def __iter__(self) -> Iterator[int]:
        return iter(self.epoch.left.tolist())

    def set_epoch(self, number: int) -> None:
        """Begin another epoch; before the loader is iterated again."""
        self.epoch.set_epoch(number)


class TorchEpoch(_torch_data.IterableDataset):
    """An epoch as an `IterableDataset`, in the same order with any number of workers.

    Workers have copies of the epoch. Those that live on (`persistent_workers`) learn of `set_epoch` through memory that
    all share; a state is given to the epoch before the loader starts them.

    Args:
        epoch: what to go through.
        batch_size: that of the loader. PyTorch takes batches from its workers in turn, so each worker makes every
            n-th batch.
        masks: as for `TorchSamples`.
        keypoints: likewise.
    """

    def __init__(self, epoch: Epoch, batch_size: int = 1, *, masks: bool = False, keypoints: bool = False) -> None:
        self.epoch = epoch
        self.batch_size = whole("size of a batch", batch_size, least=1)
        self._shapes = {"masks": masks, "keypoints": keypoints}
        self._changes = 0
        self._shared = torch.zeros(2, dtype=torch.int64).share_memory_()  # how many changes, and the epoch since then

    def __repr__(self) -> str:
        return f"<TorchEpoch of {self.epoch!r}, batches of {self.batch_size}>"

    def __len__(self) -> int:
        return len(self.epoch.left)

    def set_epoch(self, number: int) -> None:
        """Begin another epoch; before the loader is iterated again."""
        self.epoch.set_epoch(number)
        self._changes += 1
        self._shared.copy_(torch.tensor([self._changes, number]))

    def __iter__(self) -> Iterator[Any]:
        changes, epoch_number = self._shared.tolist()
        if changes != self._changes:  # this is a worker's copy, made before
            self.epoch.set_epoch(epoch_number)
            self._changes = changes
        worker = _torch_data.get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        left = self.epoch.left.tolist()
        for first in range(number * self.batch_size, len(left), count * self.batch_size):
            for position in left[first : first + self.batch_size]:
                yield _given(self.epoch.samples, position, self._shapes)


def _given(samples: Samples, position: int, shapes: Mapping[str, bool]) -> Any:
    if samples.transform is not None:
        return samples[position]
    sample = samples.sample(position)
    return picture_tensor(sample), detection_target(sample, position, **shapes)


def picture_tensor(sample: Sample) -> Any:
    """The picture: FloatTensor (3, height, width) in [0, 1]. Raises Corruption, FormatError."""
    pixels = np.ascontiguousarray(sample.pixels.transpose(2, 0, 1))
    return torch.from_numpy(pixels).to(torch.float32) / 255


def detection_target(sample: Sample, image_id: int, *, masks: bool = False, keypoints: bool = False) -> dict[str, Any]:
    """What is to be found in a picture; see the module.

    Args:
        sample: the file.
        image_id: its number; the position of the sample will do.
        masks: whether to draw the pixels of each instance.
        keypoints: whether to give the points of skeletons.
    """
    found = sample.targets
    kept = (found.boxes[:, 2] > found.boxes[:, 0]) & (found.boxes[:, 3] > found.boxes[:, 1])
    crowds = np.array([is_crowd(one) for one in found.instances], bool)[kept]
    target = {
        "boxes": torch.from_numpy(found.boxes[kept].astype(np.float32)),
        "labels": torch.from_numpy(found.classes[kept] + 1),
        "image_id": int(image_id),
        "area": torch.from_numpy(found.areas[kept].astype(np.float32)),
        "iscrowd": torch.from_numpy(crowds.astype(np.int64)),
        "tags": torch.from_numpy(found.tags),
    }
    if masks:
        target["masks"] = torch.from_numpy(sample.masks[kept].astype(np.uint8))
    if keypoints:
        target["keypoints"] = torch.from_numpy(found.keypoints[kept].astype(np.float32))
    return target


def is_crowd(instance: Instance) -> bool:
    """Whether COCO called it a crowd: a region of many, not one."""
    said = msgspec.json.decode(instance.properties)
    own = said.get("coco") if isinstance(said, dict) else None
    return isinstance(own, dict) and bool(own.get("iscrowd"))


def collate(batch: list[tuple[Any, dict[str, Any]]]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A batch as detection models take it: pictures and targets side by side, for pictures differ in size."""
    pictures, targets = zip(*batch, strict=True)
    return tuple(pictures), tuple(targets)
