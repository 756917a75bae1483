"""Where a COCO annotation says its instance is, as geometry."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from tdvc.errors import SchemaError
from tdvc.formats import _decimal
from tdvc.model import numbers
from tdvc.model.geometry import MAX_COORDINATE

Warn = Callable[[str], None]

plain_numbers = re.compile(rb"[-+0-9.eE,\[\]]+").fullmatch


class _Mask(msgspec.Struct):
    counts: list[int] | str
    size: tuple[int, int]


_masks = msgspec.json.Decoder(_Mask)
_rings = msgspec.json.Decoder(list[list[float]])
COORDINATES = b"0123456789.-"
"""What coordinates are spelled with; taken away, it leaves the outline of a list of them."""

_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * len(str(MAX_COORDINATE))

ONE_RING = frozenset(b"[[%b]]" % (b"," * (2 * points - 1)) for points in range(3, 200))
"""The outlines of a list of one ring, of up to 200 points."""


def canonical(text: bytes) -> bytes:
    """As `numbers.canonical`, quicker for what is canonical already."""
    return text if plain_numbers(text) and text.count(b"[") <= numbers.MAX_DEPTH else numbers.canonical(text)


def geometry_of(kept: dict[str, bytes], warn: Warn) -> tuple[str, bytes | None]:
    """The spatial type and geometry; what became the geometry is taken out of `kept`. Raises ValueError."""
    points = kept.get("keypoints", b"[]")
    if points != b"[]":
        del kept["keypoints"]
        return "keypoints", numbers.canonical(points)
    segmentation = kept.get("segmentation", b"[]")
    if segmentation in (b"[]", b"[[]]"):
        kept.pop("segmentation", None)
    else:
        found = polygon(segmentation) if segmentation.startswith(b"[") else mask(segmentation)
        if found is not None:
            del kept["segmentation"]
            return found
        warn("A segmentation that breaks its rules is kept as a property; the instance becomes its box.")
    if "bbox" not in kept:
        return "tag", None
    return "box", _corners(kept.pop("bbox"))


def polygon(text: bytes) -> tuple[str, bytes] | None:
    """The polygon of rings, each a part of one object; None where one is no ring.

    Args:
        text: JSON for sure.
    """
    compact = text.translate(None, b" \t\r\n")
    plain = _is_outline_of_rings(compact.translate(None, COORDINATES)) and not has_long_number(compact)
    if not plain and not _are_rings(compact):
        return None
    return "polygon", b"[[" + compact[1:-1].replace(b"],[", b"]],[[") + b"]]"


def _is_outline_of_rings(outline: bytes) -> bool:
    if outline in ONE_RING:
        return True
    if not (outline.startswith(b"[[") and outline.endswith(b"]]")):
        return False
    return all(len(ring) >= 5 and len(ring) % 2 and not ring.strip(b",") for ring in outline[2:-2].split(b"],["))


def has_long_number(text: bytes) -> bool:
    """Whether so many digits stand together that a coordinate could be out of bounds."""
    return text.translate(_ZEROS).find(_LONG_NUMBER) >= 0


def _are_rings(text: bytes) -> bool:
    try:
        rings = _rings.decode(text)
    except ValueError:
        return False
    return bool(rings) and all(
        len(ring) >= 6 and len(ring) % 2 == 0 and -MAX_COORDINATE < min(ring) <= max(ring) < MAX_COORDINATE
        for ring in rings
    )


def mask(text: bytes) -> tuple[str, bytes] | None:
    """The mask of run lengths, which may be compressed; None where they are none or do not fill their picture."""
    from tdvc.model import masks  # noqa: PLC0415 (numpy, for the few annotations that are masks)

    try:
        counts, (height, width) = _run_lengths(text)
        if isinstance(counts, str):
            masks.runs({"counts": counts, "size": [height, width]})
        else:
            counts = masks.from_runs(counts, height, width)["counts"]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, SchemaError):
        return None
    return "mask", numbers.spell({"counts": counts, "size": [height, width]})


def _run_lengths(text: bytes) -> tuple[list[int] | str, tuple[int, int]]:
    """Compressed counts or run lengths, and height and width. Raises ValueError and others where there are none."""
    try:
        found = _masks.decode(text)
    except msgspec.ValidationError:  # it has a whole number spelled like 1.0
        fields = numbers.parse(text)
        height, width = (int(numbers.plain(side)) for side in fields["size"])
        counts = fields["counts"]
        return [int(numbers.plain(run)) for run in counts] if isinstance(counts, list) else str(counts), (height, width)
    return found.counts, found.size


def _corners(text: bytes) -> bytes:
    try:
        x, y, width, height = numbers.parse(text)
        far_x, far_y = _decimal.add(x, width), _decimal.add(y, height)
    except (ValueError, TypeError) as error:
        raise ValueError(f"bbox {text[:60].decode(errors='replace')} is not four numbers") from error
    return numbers.spell([x, y, far_x, far_y])
