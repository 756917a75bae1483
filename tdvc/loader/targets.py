"""The instances of a file as plain arrays, and what label is which class.

A class is the index of a label in the snapshot's schema: given once, never moved, so the snapshots of a repository
agree. Instances that are drawn make rows of the arrays, in the order of their ids; tags, which are about a whole file,
are classes of their own. Boxes are those around what is drawn, whatever the type.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tdvc.columns.shapes import measure
from tdvc.errors import SchemaError
from tdvc.ids import canonical_json
from tdvc.model import masks
from tdvc.model.geometry import polygon_from_box
from tdvc.model.records import Instance
from tdvc.model.schema import Schema

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNKNOWN = -1
"""The class of a label that the schema does not know."""


@dataclass(frozen=True, slots=True, repr=False)
class Classes:
    """Labels as numbers.

    Attributes:
        by_label: class by the label's key, in the order of the classes.
        points: how many points the skeletons of the schema have at most.
    """

    by_label: Mapping[str, int]
    points: int

    def __repr__(self) -> str:
        return f"<Classes of {len(self.by_label)} labels>"

    @property
    def id(self) -> str:
        """SHA-256 of what decides the numbers, in hexadecimal; guides, colours and names do not."""
        return hashlib.sha256(canonical_json([dict(self.by_label), self.points])).hexdigest()

    @property
    def names(self) -> list[str]:
        """The keys of the labels by class; empty where a label is gone."""
        found = [""] * (max(self.by_label.values(), default=-1) + 1)
        for key, number in self.by_label.items():
            found[number] = key
        return found


def classes_of(schema: Schema) -> Classes:
    """The classes of a schema."""
    ordered = sorted(schema.labels.values(), key=lambda label: label.index)
    points = [len(template.points) for template in schema.templates.values() if template.type == "keypoints"]
    return Classes({label.key: label.index for label in ordered}, max(points, default=0))


@dataclass(frozen=True, slots=True, repr=False)
class Targets:
    """What a model is to learn of a file; n instances are drawn in it.

    Attributes:
        boxes: (n, 4) float64, `x0 y0 x1 y1`, px.
        classes: (n,) int64.
        areas: (n,) float64, px^2.
        scores: (n,) float64, NaN where an instance is no prediction.
        keypoints: (n, k, 3) float64, `x y v`; zeros where there are none. k is that of the schema's largest skeleton,
            or more where the file has more.
        instances: the n instances.
        tags: (m,) int64, the classes of the tags.
    """

    boxes: Floats
    classes: Ints
    areas: Floats
    scores: Floats
    keypoints: Floats
    instances: tuple[Instance, ...]
    tags: Ints

    def __repr__(self) -> str:
        return f"<Targets: drawn {len(self.classes)}, tags {len(self.tags)}>"

    def masks(self, height: int, width: int) -> NDArray[np.bool_]:
        """(n, height, width) bool: the pixels of each; of a box those inside it, none for points and lines.

        Raises:
            SchemaError: bad-instance, where a mask has another size or can't be drawn.
        """
        found = np.zeros((len(self.instances), height, width), bool)
        for position, instance in enumerate(self.instances):
            found[position] = _mask(instance, height, width)
        return found


def make_targets(instances: Sequence[Instance], classes: Classes) -> Targets:
    """The arrays of a file's instances."""
    shapes = measure([one.type for one in instances], [one.geometry for one in instances])
    numbers = np.array([classes.by_label.get(one.label, UNKNOWN) for one in instances], np.int64)
    drawn = ~np.isnan(shapes.boxes[:, 0])
    kept = tuple(one for one, is_drawn in zip(instances, drawn.tolist(), strict=True) if is_drawn)
    return Targets(
        boxes=shapes.boxes[drawn],
        classes=numbers[drawn],
        areas=shapes.areas[drawn],
        scores=np.array([_score(one) for one in kept], np.float64),
        keypoints=_keypoints(kept, classes.points),
        instances=kept,
        tags=numbers[[one.type == "tag" for one in instances]] if instances else numbers,
    )


def _score(instance: Instance) -> float:
    text = bytes(instance.score)
    return float("nan") if text == b"null" else float(text)


def _keypoints(instances: Sequence[Instance], points: int) -> Floats:
    lists: dict[int, Any] = {
        position: msgspec.json.decode(instance.geometry, type=list[float])
        for position, instance in enumerate(instances)
        if instance.type == "keypoints"
    }
    points = max([points, *(len(values) // 3 for values in lists.values())])
    found = np.zeros((len(instances), points, 3))
    for position, values in lists.items():
        found[position, : len(values) // 3] = np.array(values).reshape(-1, 3)
    return found


def _mask(instance: Instance, height: int, width: int) -> NDArray[np.bool_]:
    coordinates = instance.coordinates
    try:
        if instance.type == "polygon":
            return masks.polygon_to_mask(coordinates, height, width)
        if instance.type == "box":
            return masks.polygon_to_mask(polygon_from_box(coordinates), height, width)
        if instance.type == "mask":
            if list(coordinates["size"]) != [height, width]:
                raise ValueError(f"has the size {coordinates['size']}, not [{height}, {width}]")
            return masks.decode_rle(coordinates)
    except ValueError as error:
        message = f"Instance {instance.instance_id}: {instance.type} {error}."
        raise SchemaError("bad-instance", message, instance_id=instance.instance_id) from error
    return np.zeros((height, width), bool)
