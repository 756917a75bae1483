"""The numbers of classes in formats that write numbers for names."""

from __future__ import annotations

from collections.abc import Sequence

from tdvc.formats.base import LabelRecord
from tdvc.model.numbers import Number, whole


def class_numbers(labels: Sequence[LabelRecord], first: int = 0) -> dict[str, int]:
    """Every class's number by its key: the one it came with (`id`), or the next free one in the classes' order.

    Every class gets one, whether it is used or not, so that a subset of the files does not renumber anything.

    Args:
        labels: every class.
        first: the format's lowest number.
    """
    found: dict[str, int] = {}
    taken: set[int] = set()
    for label in labels:
        given = label.fields.get("id")
        number = whole(given) if isinstance(given, Number) else None
        if number is not None and number >= first and number not in taken:
            found[label.key] = number
            taken.add(number)
    free = max(taken, default=first - 1) + 1
    for label in sorted(labels, key=lambda label: (label.index is None, label.index or 0)):
        if label.key not in found:
            found[label.key], free = free, free + 1
    return found
