"""Samples as a `datasets.Dataset` of Hugging Face.

    path     text
    image    the picture, decoded when somebody looks at it; other files are `content`, their bytes
    objects  {"bbox": [[x0, y0, width, height], ...], "category": [class, ...], "area": [...]}
    tags     [class, ...]

The library keeps what was generated under a fingerprint; it is given that of the samples, so equal samples are
generated once, and corrected labels are never taken for the old ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tdvc.loader.library import library
from tdvc.loader.samples import Sample, Samples
from tdvc.model.media import promises_picture


def to_datasets(samples: Samples, *, cache_dir: str | None = None) -> Any:
    """A `datasets.Dataset` of the samples, in path order. `transform` is not asked.

    Args:
        samples: what is in it.
        cache_dir: where the library keeps it; its own place for None.

    Raises:
        Corruption: a blob can't be read.
        FormatError: library-missing.
    """
    datasets = library("datasets", "datasets")
    pictures = all(promises_picture(path, "") for path in samples.paths)
    said = "\0".join(("1", *samples.fingerprint, *samples.paths))
    return datasets.Dataset.from_generator(
        _rows,
        features=_features(datasets, samples, pictures=pictures),
        gen_kwargs={"samples": samples, "pictures": pictures},
        fingerprint=hashlib.sha256(said.encode()).hexdigest()[:16],
        **({} if cache_dir is None else {"cache_dir": cache_dir}),
    )


def _features(datasets: Any, samples: Samples, *, pictures: bool) -> Any:
    names = [name or f"(gone {number})" for number, name in enumerate(samples.classes.names)]
    label = datasets.ClassLabel(names=names)
    objects = {
        "bbox": datasets.List(datasets.List(datasets.Value("float64"), length=4)),
        "category": datasets.List(label),
        "area": datasets.List(datasets.Value("float64")),
    }
    content = {"image": datasets.Image()} if pictures else {"content": datasets.Value("large_binary")}
    return datasets.Features(
        {"path": datasets.Value("string"), **content, "objects": objects, "tags": datasets.List(label)}
    )


def _rows(samples: Samples, pictures: bool) -> Iterator[dict[str, Any]]:
    for position in range(len(samples)):
        yield _row(samples.sample(position), pictures=pictures)


def _row(sample: Sample, *, pictures: bool) -> dict[str, Any]:
    found = sample.targets
    boxes = np.concatenate((found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]), axis=1)
    content: Any = {"bytes": sample.bytes, "path": sample.path} if pictures else sample.bytes
    return {
        "path": sample.path,
        "image" if pictures else "content": content,
        "objects": {"bbox": boxes.tolist(), "category": found.classes.tolist(), "area": found.areas.tolist()},
        "tags": found.tags.tolist(),
    }
