"""Pictures that look alike: a hash that resizing and recompression hardly change, and a search for close hashes.

The difference hash of a picture says of 64 places whether it gets darker to the right. Copies of a picture in
another size, quality or format differ in a few bits of it; different pictures in some 32. A picture that has no
contrast has no hash: every bit of it would be noise.

Close hashes are found without comparing all with all. With 64 bits in `distance` + 1 bands, two hashes that differ in
at most `distance` bits are equal in at least one band; so only those that share a band are compared.

Source: N. Krawetz, "Kind of Like That", for the hash; S. Manku et al., "Detecting near-duplicates for web crawling",
for the bands.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

DEFAULT_DISTANCE = 4
MAX_DISTANCE = 10
"""Beyond it, pictures that have little to do with each other are close."""

_BITS = 64
_CONTRAST = 8  # of 255: less is the noise of a JPEG

Hashes = NDArray[np.uint64]


def difference_hash(picture: Image.Image) -> int | None:
    """The hash of a picture as it is meant to be seen; None for one without contrast. Decodes it."""
    if picture.format == "JPEG":
        picture.draft("L", (72, 72))  # decodes a small version, which is enough
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("P", "PA", "LA", "RGBA"):
        upright = _on_white(upright)
    grey = upright.convert("L").resize((9, 8), Image.Resampling.BOX)
    pixels = np.asarray(grey, np.int16)
    if int(pixels.max()) - int(pixels.min()) < _CONTRAST:
        return None
    return int.from_bytes(np.packbits(pixels[:, :-1] > pixels[:, 1:]).tobytes(), "big")


def _on_white(picture: Image.Image) -> Image.Image:
    """What a picture with transparent parts looks like on a page."""
    opaque = picture.convert("RGBA")
    page = Image.new("RGBA", opaque.size, "white")
    return Image.alpha_composite(page, opaque)


def close_pairs(
    hashes: Hashes, distance: int = DEFAULT_DISTANCE
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Positions of hashes that differ in at most `distance` bits, in pieces; a pair may come more than once.

    Of equal hashes, each is paired with the first of them alone, and that one stands for all.
    """
    distinct, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    repeated = np.flatnonzero(first[inverse] != np.arange(len(hashes)))
    yield first[inverse[repeated]], repeated
    for low, high in pairwise(np.linspace(0, _BITS, distance + 2).astype(int).tolist()):
        band = (distinct >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        for left, right in _sharing(band):
            near = _bit_count(distinct[left] ^ distinct[right]) <= distance
            yield first[left[near]], first[right[near]]


def _sharing(band: Hashes) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of positions with an equal band: sorted, those that are 1 apart, then 2, for as long as there are any."""
    order = np.argsort(band, kind="stable")
    band = band[order]
    left = np.arange(len(band))
    apart = 1
    while True:
        left = left[left + apart < len(band)]
        left = left[band[left] == band[left + apart]]
        if not len(left):
            return
        yield order[left], order[left + apart]
        apart += 1


def _bit_count(values: Hashes) -> NDArray[np.int64]:
    """How many bits of each are set; numpy has it from version 2 on."""
    count = np.unpackbits(np.ascontiguousarray(values).view(np.uint8).reshape(-1, 8), axis=1)
    total: NDArray[np.int64] = count.sum(axis=1, dtype=np.int64)
    return total
