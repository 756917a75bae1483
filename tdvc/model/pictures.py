"""The one way in which the bytes of a picture are opened.

Pictures come from strangers and Pillow is large: some of its readers start programs, others have a record of bombs. So
only formats that are named are tried, a header that promises more pixels than Pillow likes is an error and not a
warning, and whatever a decoder raises becomes one error, which costs that one picture.
"""

from __future__ import annotations

import contextlib
import io
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from tdvc.model.media import OPENED

MAX_PICTURE_BYTES = 256 << 20
"""Longer content is not looked at. Of a file nothing but what is asked for is read, so its length has no bound."""

_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_opening = threading.Lock()  # what is done with warnings belongs to the whole process, for as long as it takes


class UnreadablePicture(ValueError):
    """A picture that can't be opened or decoded; the end of a sentence.

    Attributes:
        too_many_pixels: whether it is because of its size in pixels.
    """

    def __init__(self, problem: str, *, too_many_pixels: bool = False) -> None:
        super().__init__(problem)
        self.too_many_pixels = too_many_pixels


@contextlib.contextmanager
def open_picture(source: Path | bytes | bytearray, formats: Sequence[str] = OPENED) -> Iterator[Image.Image]:
    """A picture whose header was read, while the block runs. Pixels are decoded when the block asks for them.

    Args:
        source: a regular file, or the content of one.
        formats: names of Pillow's formats that may be tried.

    Raises:
        UnreadablePicture: also for what a decoder raises inside the block; ValueErrors of the block pass as they are.
    """
    with _opened(source, formats) as picture:
        try:
            yield picture
        except ValueError:
            raise
        except Exception as error:
            raise UnreadablePicture(
                f"can't be read: {str(error) or type(error).__name__}", too_many_pixels=isinstance(error, _BOMBS)
            ) from error


def _opened(source: Path | bytes | bytearray, formats: Sequence[str]) -> Image.Image:
    given = source if isinstance(source, Path) else io.BytesIO(source)
    try:
        if isinstance(source, Path) and not stat.S_ISREG(source.stat().st_mode):
            raise UnreadablePicture("is not a regular file")
        if not isinstance(source, Path) and len(source) > MAX_PICTURE_BYTES:
            raise UnreadablePicture(f"is longer than {MAX_PICTURE_BYTES >> 20} MiB")
        with _opening, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(given, formats=tuple(formats))
    except UnreadablePicture:
        raise
    except _BOMBS as error:
        raise UnreadablePicture("has too many pixels", too_many_pixels=True) from error
    except UnidentifiedImageError as error:  # whose message names the folder
        raise UnreadablePicture(f"is no {formats[0] if len(formats) == 1 else 'picture'}") from error
    except Exception as error:  # a decoder may raise anything
        raise UnreadablePicture(f"can't be read: {str(error) or type(error).__name__}") from error
    if 0 in picture.size:
        raise UnreadablePicture("has no pixels")
    return picture
