"""The size of a picture, from its header alone.

Formats with relative coordinates need it. Nothing is decoded. The size is that of the stored pixels: a turn that
the EXIF block asks for is not applied, because annotation tools write coordinates in either frame and do not say so.
"""

from __future__ import annotations

from pathlib import Path

from tdvc.model.pictures import UnreadablePicture, open_picture


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels; None where the file can't be read, is no picture or is beyond all bounds."""
    try:
        with open_picture(path) as picture:
            width, height = picture.size
    except UnreadablePicture:
        return None
    return width, height
