"""What the two pictures of a VOC segmentation say together: objects with their classes, and classes without an object.

Reader and writer meet here: the writer looks at what it drew with the reader's eyes, and carries along what would not
come back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tdvc.formats._index_png import VOID, Values, regions, runs_of
from tdvc.ids import DerivedIds
from tdvc.model.masks import Mask

_NO_OBJECT = (0, VOID)


@dataclass(slots=True)
class Regions:
    """Masks, by what they are called.

    Attributes:
        objects: by number.
        classes: of the objects, by number: the value that most of its pixels have.
        beyond: by the value of the class: what has that class and no object, or an object of another class.
        mixed: numbers of objects whose pixels do not all have its class.
    """

    objects: dict[int, dict[str, Any]] = field(default_factory=dict)
    classes: dict[int, int] = field(default_factory=dict)
    beyond: dict[int, dict[str, Any]] = field(default_factory=dict)
    mixed: list[int] = field(default_factory=list)


def regions_in(objects: Values | None, classes: Values | None) -> Regions:
    """The masks of a picture.

    Args:
        objects: the number of the object of every pixel; None where there is no such picture.
        classes: its class, of the same shape; None likewise.
    """
    found = Regions()
    if objects is not None:
        found.objects = regions(objects, without=_NO_OBJECT)
    if classes is None:
        return found
    expected: Values = np.zeros_like(classes)
    if objects is not None:
        _take_classes(found, objects, classes)
        table = np.zeros(int(objects.max()) + 1, np.int64)
        table[list(found.classes)] = list(found.classes.values())
        expected = table[objects]
    beyond = np.where((classes == expected) | (classes == VOID), 0, classes)
    found.beyond = regions(beyond, without=(0,))
    return found


def _take_classes(found: Regions, objects: Values, classes: Values) -> None:
    """The class of every object: of those that most of its pixels have, the lowest."""
    held, starts, ends = runs_of(objects << 16 | classes)
    pairs, where = np.unique(held, return_inverse=True)
    counts = np.bincount(where, ends - starts)
    most: dict[int, float] = {}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        number, value = pair >> 16, pair & 0xFFFF
        if number not in _NO_OBJECT and value not in _NO_OBJECT and count > most.get(number, 0):
            most[number], found.classes[number] = count, value
    said = {(pair >> 16, pair & 0xFFFF) for pair in pairs.tolist()}
    found.mixed = sorted(
        {number for number, value in said if number in found.objects and value not in (found.classes.get(number), VOID)}
    )


def mark_of(objects: Values | None, classes: Values | None) -> str:
    """A text that is another one for other pixels, to tell whether pictures are still those that were drawn."""
    parts = [b"" if values is None else values.astype("<u2").tobytes() for values in (objects, classes)]
    return DerivedIds("voc segmentation").make(*parts).hex()


def void_in(objects: Values | None, classes: Values | None) -> tuple[Mask | None, Mask | None]:
    """Where nobody knows the object, and where nobody knows the class if that is not the same place.

    Each None where there is nothing to be said; of the first, an empty one says that its picture has no object either.
    """
    unknown = None if objects is None else objects == VOID
    if classes is None or (unknown is not None and np.array_equal(unknown, classes == VOID)):
        return unknown, None
    return unknown, classes == VOID
