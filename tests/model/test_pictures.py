from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

import tdvc
from tdvc.model.media import OPENED
from tdvc.model.pictures import MAX_PICTURE_BYTES, UnreadablePicture, open_picture
from tests.bad_input import png


def header(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that promises so many pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    parts = [struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) for body in (chunk, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + b"\0\0\0\0IEND\xaeB`\x82"


@pytest.mark.parametrize("kind", OPENED)
def test_what_is_opened(kind: str, tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("RGB", (5, 4), "red").save(content, kind)
    (tmp_path / "picture").write_bytes(content.getvalue())
    for source in (content.getvalue(), tmp_path / "picture"):
        with open_picture(source) as picture:
            size, (red, green, blue) = picture.size, picture.convert("RGB").getpixel((2, 2))
        assert size == (5, 4)
        assert red > 250 > 5 > max(green, blue)


@pytest.mark.parametrize("kind", ["EPS", "ICO", "PDF", "TGA", "PCX", "SGI"])
def test_what_is_not_opened(kind: str) -> None:
    content = io.BytesIO()
    Image.new("RGB", (16, 16)).save(content, kind)
    with pytest.raises(UnreadablePicture, match="is no picture"), open_picture(content.getvalue()):
        pass


def test_formats_can_be_fewer() -> None:
    content = io.BytesIO()
    Image.new("RGB", (5, 4)).save(content, "JPEG")
    with pytest.raises(UnreadablePicture, match="is no PNG"), open_picture(content.getvalue(), ("PNG",)):
        pass


@pytest.mark.parametrize("size", [(10_000, 10_000), (20_000, 20_000), (65_535, 65_535), (1, 2**31 - 1)])
def test_a_promise_of_too_many_pixels_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(UnreadablePicture, match="too many pixels") as caught, open_picture(header(*size)):
        pass
    assert caught.value.too_many_pixels


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"<svg onload=x>",
        header(0, 0),
        header(5, 0),
        png()[:20],
        b"GIF89a",
        b"II*\0\x08\0\0\0" + b"\xff" * 40,
    ],
    ids=range(8),
)
def test_what_is_no_picture_is_an_error(content: bytes) -> None:
    with pytest.raises(UnreadablePicture), open_picture(content) as picture:
        picture.load()


def test_a_file_that_would_wait_or_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, tmp_path / "gone", Path("a\0b")):
        with pytest.raises(UnreadablePicture), open_picture(place):
            pass


def test_content_that_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(UnreadablePicture, match="longer than"), open_picture(bytearray(MAX_PICTURE_BYTES + 1)):
        pass


@pytest.mark.parametrize("raised", [OSError("x"), SyntaxError("x"), RuntimeError(), struct.error("x"), MemoryError()])
def test_whatever_a_decoder_raises_is_one_error(raised: Exception) -> None:
    with pytest.raises(UnreadablePicture, match="can't be read: "), open_picture(png()):
        raise raised


def test_what_a_caller_finds_wrong_passes_as_it_is() -> None:
    with pytest.raises(ValueError, match="too wide") as caught, open_picture(png()):
        raise ValueError("is too wide")
    assert not isinstance(caught.value, UnreadablePicture)


def test_pictures_are_opened_in_one_place() -> None:
    root = Path(tdvc.__file__).parent
    found = [str(file.relative_to(root)) for file in root.rglob("*.py") if "Image.open(" in file.read_text()]
    assert found == ["model/pictures.py"]
