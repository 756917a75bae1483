"""Batches of numpy arrays, and what TensorFlow makes a data set of.

Boxes of a batch lie behind each other with the sample that each belongs to, because files have different numbers of
them and padding would invent some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.loader.epoch import Epoch, whole
from tdvc.loader.library import library
from tdvc.loader.samples import Sample, Samples


@dataclass(frozen=True, slots=True, repr=False)
class Batch:
    """Some samples; m instances are drawn in them.

    Attributes:
        paths: of the samples.
        contents: the bytes of each.
        owners: (m,) int64, which sample an instance is of.
        boxes: (m, 4) float64, `x0 y0 x1 y1`, px.
        classes: (m,) int64.
        tag_owners: (t,) int64, which sample a tag is of.
        tags: (t,) int64, classes.
    """

    paths: tuple[str, ...]
    contents: tuple[bytes, ...]
    owners: NDArray[np.int64]
    boxes: NDArray[np.float64]
    classes: NDArray[np.int64]
    tag_owners: NDArray[np.int64]
    tags: NDArray[np.int64]

    def __repr__(self) -> str:
        return f"<Batch of {len(self.paths)}: drawn {len(self.classes)}, tags {len(self.tags)}>"


def iter_batches(epoch: Epoch, batch_size: int) -> Iterator[Batch]:
    """The rest of an epoch in batches; the last one may be smaller. `transform` is not asked.

    Raises:
        Usage: bad-usage, for a size below 1.
    """
    batch_size = whole("size of a batch", batch_size, least=1)
    samples = epoch.iter_samples()
    while some := list(islice(samples, batch_size)):
        yield make_batch(some)


def make_batch(samples: Sequence[Sample]) -> Batch:
    """One batch of at least one sample. Raises Corruption."""
    targets = [sample.targets for sample in samples]
    numbers = np.arange(len(samples))
    return Batch(
        paths=tuple(sample.path for sample in samples),
        contents=tuple(sample.bytes for sample in samples),
        owners=np.repeat(numbers, [len(one.classes) for one in targets]),
        boxes=np.concatenate([one.boxes for one in targets]),
        classes=np.concatenate([one.classes for one in targets]),
        tag_owners=np.repeat(numbers, [len(one.tags) for one in targets]),
        tags=np.concatenate([one.tags for one in targets]),
    )


def records(epoch: Epoch) -> Callable[[], Iterator[dict[str, Any]]]:
    """A function that goes through an epoch from its beginning each time it is called, as `from_generator` wants it.

    Each record has `path` (text), `content` (bytes), `boxes` (n, 4) float32, `classes` (n,) int64, `tags` (m,) int64.
    """

    def generate() -> Iterator[dict[str, Any]]:
        for position in epoch.positions.tolist():
            sample = epoch.samples.sample(position)
            targets = sample.targets
            yield {
                "path": sample.path,
                "content": sample.bytes,
                "boxes": targets.boxes.astype(np.float32),
                "classes": targets.classes,
                "tags": targets.tags,
            }

    return generate


def to_tensorflow(samples: Samples | Epoch) -> Any:
    """A `tf.data.Dataset` of an epoch, or of samples in path order; its elements are those of `records`.

    Raises:
        FormatError: library-missing.
    """
    tf = library("tensorflow")
    epoch = samples if isinstance(samples, Epoch) else samples.epoch(shuffle=False)
    signature = {
        "path": tf.TensorSpec((), tf.string),
        "content": tf.TensorSpec((), tf.string),
        "boxes": tf.TensorSpec((None, 4), tf.float32),
        "classes": tf.TensorSpec((None,), tf.int64),
        "tags": tf.TensorSpec((None,), tf.int64),
    }
    return tf.data.Dataset.from_generator(records(epoch), output_signature=signature)
