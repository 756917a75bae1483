"""Whether a picture comes to its end: cut anywhere, with more behind it, and read in pieces of any length."""

from __future__ import annotations

import io
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tdvc.model.media import HEAD_BYTES, TAIL_BYTES, has_end, media_type, picture_problem


def encoded(form: str, **options: Any) -> bytes:
    """A noisy picture, so that its file is longer than what the end of one is looked for in."""
    stored = io.BytesIO()
    Image.frombytes("RGB", (80, 60), random.Random(1).randbytes(80 * 60 * 3)).save(stored, form, **options)
    return stored.getvalue()


def with_thumbnail() -> bytes:
    """A JPEG that holds another one, with an end of its own, in front."""
    thumbnail = b"Exif\0\0" + encoded("JPEG", quality=30)
    return encoded("JPEG", exif=thumbnail)


PICTURES = {
    "jpeg": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True),
    "thumbnail": with_thumbnail(),
    "png": encoded("PNG"),
}
BEHIND = {
    "nothing": b"",
    "zeros": bytes(220_000),
    "a film": random.Random(2).randbytes(50_000),
    "itself": encoded("PNG"),
}
NAMES = pytest.mark.parametrize("name", PICTURES)


def problem(content: bytes) -> str | None:
    found = media_type(content[:HEAD_BYTES], "a")
    return picture_problem("a", found, len(content), content[-TAIL_BYTES:], lambda: [content])


@NAMES
@pytest.mark.parametrize("behind", BEHIND)
def test_what_follows_the_end_is_no_cut(name: str, behind: str) -> None:
    assert problem(PICTURES[name] + BEHIND[behind]) is None


@NAMES
@pytest.mark.parametrize("behind", ["nothing", "zeros"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.97])
def test_a_cut_is_found_and_zeros_do_not_hide_it(name: str, behind: str, kept: float) -> None:
    content = PICTURES[name]
    assert problem(content[: int(len(content) * kept)] + BEHIND[behind]) == "has no end: it was cut short"


@given(st.data())
def test_the_pieces_in_which_it_is_read_do_not_matter(data: st.DataObject) -> None:
    content = PICTURES[data.draw(st.sampled_from(list(PICTURES)))] + bytes(data.draw(st.integers(0, 9)))
    kept = content[: data.draw(st.integers(16, len(content)))]
    places = sorted(data.draw(st.lists(st.integers(0, len(kept)), max_size=9)))
    pieces = [kept[begin:end] for begin, end in zip([0, *places], [*places, len(kept)], strict=True)]
    found = media_type(kept[:HEAD_BYTES], "")
    assert has_end(found, pieces) == has_end(found, [kept])


@given(st.binary(max_size=60), st.lists(st.integers(1, 7), max_size=30))
def test_nonsense_ends_the_search(rest: bytes, lengths: list[int]) -> None:
    for begin in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        content = begin + rest
        pieces, at = [], 0
        for length in lengths:
            pieces.append(content[at : at + length])
            at += length
        found = media_type(begin, "")
        assert has_end(found, [*pieces, content[at:]]) == has_end(found, [content])


def test_other_kinds_are_not_asked_for_their_end() -> None:
    assert has_end("image/gif", [b"GIF89a"])
