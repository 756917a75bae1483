import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.formats._rle_pack import pack, unpack


def bits(text):
    text = text.replace(" ", "")
    return int(text + "0" * (-len(text) % 8), 2).to_bytes((len(text) + 7) // 8)


def header(values, word=8, lengths=(3, 4, 8, 16)):
    return f"{values:032b} {word - 1:05b} " + " ".join(f"{length - 1:04b}" for length in lengths)


def byte(*values):
    return " ".join(f"{value:08b}" for value in values)


def masks():
    sides = st.tuples(st.integers(1, 9), st.integers(1, 9))
    return sides.flatmap(
        lambda s: st.lists(st.booleans(), min_size=s[0] * s[1], max_size=s[0] * s[1]).map(
            lambda values: numpy.array(values).reshape(s)
        )
    )


@given(masks())
def test_a_packed_mask_unpacks_to_itself(mask):
    assert (unpack(bytes(pack(mask)), mask.shape[1], mask.shape[0]) == mask).all()


def test_long_runs_are_cut_where_lengths_end():
    mask = numpy.zeros((300, 300), bool)
    mask[10:290, :] = True
    assert (unpack(bytes(pack(mask)), 300, 300) == mask).all()


def test_one_repeated_value():
    assert unpack(bits(header(8) + " 1 00 111 " + byte(7)), 2, 1).tolist() == [[True, True]]


def test_values_one_by_one_count_by_their_alpha_alone():
    """Two pixels: one opaque and black, one red but transparent; the records part within a pixel."""
    content = header(8) + " 0 00 010 " + byte(0, 0, 0) + " 0 01 0011 " + byte(1, 255, 0, 0) + " 1 00 000 " + byte(0)
    assert unpack(bits(content), 2, 1).tolist() == [[True, False]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "end too early"),
        (bits(header(8) + " 1 00 111 "), "end too early"),
        (bits(header(8) + " 0 00 111 " + byte(1, 2)), "end too early"),
        (bits(header(8) + " 1 10 00000000 " + byte(1)), "end too early"),
        (bits(header(8) + " 1 11 " + "1" * 16 + byte(1)), "exceed"),
        (bits(header(12) + " 1 00 111 " + byte(1)), "12 values"),
        (bits(header(2**32 - 1)), "values"),
        (bits(header(8, word=16) + " 1 00 111 " + byte(1)), "not bytes"),
    ],
)
def test_damage_is_refused_before_anything_is_made(content, reason):
    with pytest.raises(ValueError, match=reason):
        unpack(content, 2, 1)


def test_a_picture_beyond_all_bounds_is_refused():
    with pytest.raises(ValueError, match="more than"):
        unpack(bits(header(8)), 60_000, 60_000)
