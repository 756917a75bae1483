"""The pictures of a page: small copies that are embedded, or links to where they are.

A picture is decoded in memory with bounds, because its bytes come from outside; what can't be decoded is left out. It
is kept as its pixels lie, whatever its orientation mark says, for that is what geometry is measured in.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote

from PIL import Image

from tdvc.errors import Corruption
from tdvc.ids import ObjectId
from tdvc.model.pictures import MAX_PICTURE_BYTES, UnreadablePicture, open_picture
from tdvc.names import path_problem
from tdvc.ops.diffing import Diff, FileChange
from tdvc.repo.directory import Directory

MAX_EMBEDDED_BYTES = 512 << 20
"""Of all thumbnails together; the files after that are shown without a picture."""

_QUALITY = 62


class Picture(NamedTuple):
    """A picture of a page.

    Attributes:
        width: of the original, pixels; 0 where it is not known.
        height: of the original.
        content: JPEG bytes to embed; empty for a link.
        link: a relative URL; empty for an embedded picture.
    """

    width: int
    height: int
    content: bytes = b""
    link: str = ""


class Pictures(Protocol):
    """Where pictures come from."""

    def of(self, changes: Sequence[FileChange]) -> list[Picture | None]:
        """The picture of each file; None where there is none."""


class Linked:
    """Pictures in a folder, at the paths they have in the directory."""

    def __init__(self, images: Path, page_folder: Path) -> None:
        self._images = images
        self._relative = Path(os.path.relpath(images, page_folder)).as_posix()

    def of(self, changes: Sequence[FileChange]) -> list[Picture | None]:
        """See `Pictures`."""
        return [self._link(change) for change in changes]

    def _link(self, change: FileChange) -> Picture | None:
        for path in dict.fromkeys((change.path, change.before_path)):
            if path_problem(path):
                continue
            try:
                with open_picture(self._images / path) as picture:
                    width, height = picture.size
            except UnreadablePicture:
                continue
            return Picture(width, height, link=quote(f"{self._relative}/{path}"))
        return None


class Thumbnails:
    """Small copies of pictures out of the store, or of a folder that is compared."""

    def __init__(self, difference: Diff, pixels: int) -> None:
        self._sides = (difference.after, difference.before)
        self._pixels = pixels
        self._embedded_bytes = 0

    def of(self, changes: Sequence[FileChange]) -> list[Picture | None]:
        """See `Pictures`."""
        with ThreadPoolExecutor() as pool:  # decoding lets go of the interpreter
            found = list(pool.map(self._make, [self._content(change) for change in changes]))
        for position, picture in enumerate(found):
            self._embedded_bytes += len(picture.content) if picture else 0
            if self._embedded_bytes > MAX_EMBEDDED_BYTES:
                found[position] = None
        return found

    def _content(self, change: FileChange) -> bytes:
        """The bytes of the file as it is now, or as it was."""
        if self._embedded_bytes > MAX_EMBEDDED_BYTES:
            return b""
        states = (change.after, change.before)
        paths = (change.path, change.before_path)
        for side, state, path in zip(self._sides, states, paths, strict=True):
            if state is not None and state.size_bytes <= MAX_PICTURE_BYTES:
                content = _read(side, state.blob, path) or _read(self._sides[1], state.blob, path)
                if content:
                    return content
        return b""

    def _make(self, content: bytes) -> Picture | None:
        if not content:
            return None
        try:
            with open_picture(content) as picture:
                width, height = picture.size
                picture.draft("RGB", (self._pixels, self._pixels))
                picture.thumbnail((self._pixels, self._pixels))
                small = io.BytesIO()
                _flat(picture).save(small, "JPEG", quality=_QUALITY, optimize=True)
        except ValueError:  # of a decoder too
            return None
        return Picture(width, height, small.getvalue())


def _flat(picture: Image.Image) -> Image.Image:
    """The picture as JPEG can hold it; 16-bit greys are brought down to 8, and what is transparent lies on white."""
    if picture.mode.startswith("I"):
        return picture.point(lambda value: value / 256).convert("L")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        whole = picture.convert("RGBA")
        white = Image.new("RGBA", whole.size, "white")
        return Image.alpha_composite(white, whole).convert("RGB")
    return picture.convert("RGB")


def _read(side: Directory, blob: ObjectId, path: str) -> bytes:
    """The bytes of a blob: from a folder that is compared, else from the store; empty where they are in neither."""
    place = getattr(side, "places", {}).get(path)
    if place is not None:
        try:
            return bytes(place.read_bytes())
        except OSError:
            return b""
    try:
        return b"".join(side.objects.read_blob(blob))
    except Corruption:
        return b""
