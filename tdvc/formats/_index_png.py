"""PNG whose pixels are numbers: of classes, of objects, of segments.

Only PNG is tried, and sides are checked before anything is decoded. Values are those of the file: a palette is not
looked up, and grey of few bits is not stretched.

Source: the development kit of VOC 2012 for the palette.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tdvc.formats._folder import is_file
from tdvc.model import masks
from tdvc.model.pictures import open_picture

Values = NDArray[np.int64]
"""(height, width), row 0 at the top."""

Ints = NDArray[np.int64]
Regions = dict[int, dict[str, Any]]
Read = TypeVar("Read")

VOID = 255
"""The value of pixels of which nobody knows what they are, where 8 bits are enough."""

MAX_VALUE = 65_535


def read_png(path: Path, of: Callable[[Image.Image, int], Read]) -> Read:
    """What `of` makes of a picture and of the factor that Pillow stretched its values by.

    Raises:
        ValueError: the file can't be read, is no PNG or is beyond all bounds; the end of a sentence.
    """
    if not is_file(path):
        raise ValueError("is not a regular file")
    with open_picture(path, ("PNG",)) as picture:
        masks.check_size(picture.height, picture.width)
        return of(picture, _stretch(path))


def _stretch(path: Path) -> int:
    """What Pillow multiplies grey values of 2 or 4 bits with, to make them fill 8."""
    with path.open("rb") as file:
        depth, kind = file.read(26)[24:]
    return 255 // (2**depth - 1) if kind == 0 and depth in (2, 4) else 1


def values_in(picture: Image.Image, stretch: int) -> Values:
    """The values of a palette or grey picture. Raises ValueError where it is neither."""
    if picture.mode not in ("1", "L", "P", "I", "I;16", "I;16B"):
        raise ValueError(f"has the mode {picture.mode}, which is neither palette nor grey")
    return np.asarray(picture).astype(np.int64) // stretch


def colors_in(picture: Image.Image) -> Values:
    """The colour of every pixel as one number, `red << 16 | green << 8 | blue`."""
    pixels = np.asarray(picture.convert("RGB"), np.int64)
    return pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]


class Runs(NamedTuple):
    """Pixels down the columns in runs of one value: the values, and where each run starts and ends."""

    held: Ints
    starts: Ints
    ends: Ints


def runs_of(values: Values) -> Runs:
    """The runs of a picture. There are few, so what is asked of them costs less than what is asked of pixels."""
    flat = np.ascontiguousarray(values.T).reshape(-1)
    starts = np.concatenate(([0], np.flatnonzero(flat[1:] != flat[:-1]) + 1))
    return Runs(flat[starts], starts, np.append(starts[1:], flat.size))


def present_in(values: Values) -> set[int]:
    """The values that occur."""
    return set(np.unique(runs_of(values).held).tolist())


def regions(values: Values, wanted: Collection[int] | None = None, without: Collection[int] = ()) -> Regions:
    """The masks of the values that occur, by value. Costs one pass, however many they are.

    Args:
        values: of the pixels.
        wanted: the values that are asked for; None for all.
        without: values that are not.
    """
    held, starts, ends = runs_of(values)
    order = np.argsort(held, kind="stable")
    present, first = np.unique(held[order], return_index=True)
    found: Regions = {}
    for value, runs in zip(present.tolist(), np.split(order, first[1:]), strict=True):
        if value not in without and (wanted is None or value in wanted):
            bounds = np.stack((starts[runs], ends[runs]), axis=1).reshape(-1)
            lengths = np.diff(np.concatenate(([0], bounds, [values.size]))).tolist()
            found[value] = masks.from_runs(lengths if lengths[-1] else lengths[:-1], *values.shape)
    return found


def write_values(canvas: NDArray[Any], palette: list[int], highest: int) -> bytes:
    """A palette PNG of values, or a grey one of 16 bits where the highest value that may occur needs them."""
    if highest > VOID:
        return _encoded(Image.fromarray(canvas.astype(np.uint16)))
    picture = Image.fromarray(canvas.astype(np.uint8))
    picture.putpalette(palette)
    return _encoded(picture)


def write_colors(pixels: NDArray[np.uint8]) -> bytes:
    """A colour PNG of an array of shape (height, width, 3)."""
    return _encoded(Image.fromarray(pixels))


def _encoded(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def voc_colors() -> list[list[int]]:
    """256 colours that are far apart, by value. Source: VOC 2012, `VOClabelcolormap`."""
    return [
        [sum((value >> (3 * step + channel) & 1) << (7 - step) for step in range(3)) for channel in range(3)]
        for value in range(256)
    ]


def palette_of(colors: list[list[int]]) -> list[int]:
    """Colours as Pillow takes a palette."""
    return list(chain.from_iterable(colors))
