from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from tdvc.model.grouping import Ties
from tdvc.model.nearduplicates import close_pairs, difference_hash


def scene(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture of some rectangles."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", size, tuple(random.integers(0, 255, 3).tolist()))
    draw = ImageDraw.Draw(picture)
    for _ in range(25):
        x, y, w, h = (random.random(4) * (*size, *(side // 2 for side in size))).astype(int).tolist()
        draw.rectangle((x, y, x + w, y + h), fill=tuple(random.integers(0, 255, 3).tolist()))
    return picture


def saved(picture: Image.Image, kind: str, **options: object) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return Image.open(io.BytesIO(stream.getvalue()))


def bits(one: int | None, other: int | None) -> int:
    assert one is not None
    assert other is not None
    return (one ^ other).bit_count()


def rotated(picture: Image.Image) -> Image.Image:
    """The same to look at, by a mark in EXIF that says how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=exif)


@pytest.mark.parametrize("seed", range(5))
def test_copies_are_close_and_others_far(seed: int) -> None:
    picture = scene(seed)
    found = difference_hash(picture)
    for copied in (
        saved(picture, "PNG"),
        saved(picture, "JPEG", quality=60),
        saved(picture.resize((320, 240)), "JPEG", quality=80),
        picture.convert("RGBA"),
        rotated(picture),
    ):
        assert bits(found, difference_hash(copied)) <= 4
    assert bits(found, difference_hash(scene(seed + 100))) > 10
    assert bits(found, difference_hash(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))) > 10


def test_a_hash_is_the_same_on_every_machine() -> None:
    ramp = Image.frombytes("L", (9, 8), bytes(range(0, 216, 3)))
    assert difference_hash(ramp) == 0
    assert difference_hash(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == 2**64 - 1
    steps = Image.frombytes("L", (9, 8), bytes((9, 0, 90, 0, 90, 90, 0, 9, 0)) + bytes(range(63)))
    assert difference_hash(steps) == 0b10100101 << 56


def test_a_picture_without_contrast_has_no_hash() -> None:
    assert difference_hash(Image.new("RGB", (50, 50), "red")) is None
    assert difference_hash(Image.new("RGBA", (50, 50), (0, 0, 0, 0))) is None


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 63), max_size=9)), max_size=30),
    st.integers(0, 10),
)
def test_exactly_what_is_close_is_found(centres: list[int], near: list[tuple[int, set[int]]], distance: int) -> None:
    values = [*centres]
    for at, flipped in near:
        values.append(centres[at % len(centres)] ^ sum(1 << bit for bit in flipped))
    expected, found = Ties(len(values)), Ties(len(values))
    for left in range(len(values)):
        for right in range(left):
            if (values[left] ^ values[right]).bit_count() <= distance:
                expected.tie(left, right)
    for lefts, rights in close_pairs(np.array(values, np.uint64), distance):
        for one, other in zip(lefts.tolist(), rights.tolist(), strict=True):
            assert (values[one] ^ values[other]).bit_count() <= distance
            found.tie(one, other)
    assert found.groups() == expected.groups()


def test_no_hashes_have_no_pairs() -> None:
    assert [len(left) for left, _ in close_pairs(np.zeros(0, np.uint64))] == [0]
