"""What kind of file some bytes are, told by how they begin, and whether a picture is plainly cut short.

This is a look at a few bytes, done to every file that comes in; decoding pictures belongs to validation.
"""

from __future__ import annotations

import os

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (8, b"AVI ", "video/x-msvideo"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"%PDF-", "application/pdf"),
)

_BY_EXTENSION = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".pgm": "image/x-portable-graymap",
    ".png": "image/png",
    ".ppm": "image/x-portable-pixmap",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain",
    ".wav": "audio/wav",
    ".webp": "image/webp",
    ".xml": "application/xml",
}

OPENED = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
"""What Pillow may try; its other readers start programs or have a record of bombs."""

HEAD_BYTES = 16
TAIL_BYTES = 4096


def media_type(head: bytes, path: str) -> str:
    """The media type of a file that begins with `head` (at least `HEAD_BYTES`, if it is that long)."""
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return name
    expected = _expected(path)
    return expected if expected and not expected.startswith("image/") else "application/octet-stream"


def _expected(path: str) -> str | None:
    return _BY_EXTENSION.get(os.path.splitext(path)[1].lower())


def promises_picture(path: str, found: str) -> bool:
    """Whether a file should be a picture: by its media type by content, or by its name."""
    return found.startswith("image/") or (_expected(path) or "").startswith("image/")


def picture_problem(path: str, found: str, size_bytes: int, tail: bytes | memoryview) -> str | None:
    """What is plainly wrong with a file that calls itself a picture, as the end of a sentence; else None.

    Args:
        path: its path, for the extension.
        found: its media type by content.
        size_bytes: its length.
        tail: its last bytes, up to `TAIL_BYTES`.
    """
    if found == "image/jpeg":
        return None if tail[-2:] == b"\xff\xd9" or b"\xff\xd9" in bytes(tail) else "has no end: it was cut short"
    if found == "image/png":
        return None if b"IEND" in bytes(tail) else "has no end: it was cut short"
    expected = _expected(path)
    if expected is None or not expected.startswith("image/"):
        return None
    if size_bytes == 0:
        return "is empty"
    if found == "application/octet-stream" and not expected.startswith("image/x-"):
        return f"is called {os.path.splitext(path)[1]} and is no picture that tdvc knows"
    return None
