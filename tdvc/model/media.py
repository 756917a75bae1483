"""What kind of file some bytes are, told by how they begin, and whether a picture is plainly cut short.

This is a look at a few bytes, done to every file that comes in; decoding pictures belongs to validation. Cameras and
phones write more behind the end of a picture: padding, a second picture, a film. So where the last bytes leave doubt,
the parts of the file are gone through from its beginning, to the mark of its end or to nothing. Decoders are no judges
of that: one takes the zeros that stand in for a lost half for pixels.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable

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

_ENDS = {"image/jpeg": b"\xff\xd9", "image/png": b"IEND\xaeB`\x82"}
_MARKER = re.compile(rb"\xff(?:\xd9|[^\x00\x01\xd0-\xd9\xff](..))", re.DOTALL)
"""The end of a JPEG, or the beginning of a segment and its length."""

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


def picture_problem(
    path: str, found: str, size_bytes: int, tail: bytes | memoryview, content: Callable[[], Iterable[bytes]]
) -> str | None:
    """What is plainly wrong with a file that calls itself a picture, as the end of a sentence; else None.

    Args:
        path: its path, for the extension.
        found: its media type by content.
        size_bytes: its length.
        tail: its last bytes, up to `TAIL_BYTES`.
        content: gives all its bytes, in pieces; asked only where the tail leaves doubt.
    """
    if found in _ENDS:
        ended = bytes(tail).rstrip(b"\0").endswith(_ENDS[found]) or has_end(found, content())
        return None if ended else "has no end: it was cut short"
    expected = _expected(path)
    if expected is None or not expected.startswith("image/"):
        return None
    if size_bytes == 0:
        return "is empty"
    if found == "application/octet-stream" and not expected.startswith("image/x-"):
        return f"is called {os.path.splitext(path)[1]} and is no picture that tdvc knows"
    return None


def has_end(found: str, content: Iterable[bytes]) -> bool:
    """Whether a picture comes to its end, whatever follows; True for what is neither JPEG nor PNG.

    Args:
        found: its media type by content.
        content: its bytes, in pieces of any length.

    Source: ITU-T T.81, B.1 (markers and their segments); PNG specification, 5.3 (chunks).
    """
    if found not in _ENDS:
        return True
    step, at = (_after_segment, 2) if found == "image/jpeg" else (_after_chunk, 8)
    rest = b""
    for piece in content:
        known = rest + piece
        at, kept, ended = step(known, at)
        if ended:
            return True
        rest, at = known[kept:], max(0, at - kept)
    return False


def _after_segment(known: bytes, at: int) -> tuple[int, int, bool]:
    """Go on in a JPEG, from `at` which is in no segment: to where, from where bytes are needed again, if it ended."""
    while found := _MARKER.search(known, at):
        if found[1] is None:
            return at, at, True
        at = found.end() - 2 + int.from_bytes(found[1])
    return at, min(len(known), max(at, len(known) - 3)), False


def _after_chunk(known: bytes, at: int) -> tuple[int, int, bool]:
    """The same in a PNG, from the beginning of a chunk."""
    while at + 8 <= len(known):
        if known[at + 4 : at + 8] == b"IEND":
            return at, at, True
        at += 12 + int.from_bytes(known[at : at + 4])
    return at, min(len(known), at), False
