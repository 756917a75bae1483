"""The size of a picture, from its header alone.

Formats with relative coordinates need it. Nothing is decoded, only formats that are harmless to open are tried,
and a header that promises more pixels than Pillow likes is refused. The size is that of the stored pixels: a turn that
the EXIF block asks for is not applied, because annotation tools write coordinates in either frame and do not say so.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

OPENED = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""What Pillow may try; its other readers start programs or have a record of bombs."""


def size_of(path: Path) -> tuple[int, int] | None:
    """Width and height in pixels; None where the file can't be read, is no picture or is beyond all bounds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=OPENED) as picture:
                width, height = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
    return (width, height) if width > 0 and height > 0 else None
