from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.model.stablehash import POINTS, StableHash, ends, share, stretch


@pytest.mark.parametrize(
    ("purpose", "seed", "key", "point"),
    [
        ("split", "", b"", 13385550978331715713),
        ("split", "", b"rex", 2866321058868521114),
        ("split", "7", b"rex", 7388399188209288536),
        ("sample", "", b"rex", 10131992507109964201),
    ],
)
def test_points_are_the_same_on_every_machine(purpose: str, seed: str, key: bytes, point: int) -> None:
    assert StableHash(purpose, seed).point(key) == point


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(0, POINTS - 1))
def test_every_point_is_in_the_stretch_of_one_share(weights: list[int], point: int) -> None:
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    part = stretch(point, ends(shares))
    assert sum(shares[:part]) <= Fraction(point + 1, POINTS)
    assert Fraction(point, POINTS) < sum(shares[: part + 1])


def test_stretches_hold_their_share_of_many_keys() -> None:
    hashed = StableHash("split")
    stretches = ends([share("0.8"), share("0.1"), share("0.1")])
    found = [stretch(hashed.point(b"%d" % number), stretches) for number in range(20_000)]
    assert [round(found.count(part) / 20_000, 2) for part in range(3)] == [0.8, 0.1, 0.1]


@pytest.mark.parametrize(("text", "value"), [("0.1", Fraction(1, 10)), ("1/3", Fraction(1, 3)), (".5", Fraction(1, 2))])
def test_share(text: str, value: Fraction) -> None:
    assert share(text) == value


@pytest.mark.parametrize("text", ["", "0", "0.0", "-1", "1e9", "1/0", "nan", "½", "٣", "0.1 ", "9" * 99, "0,1"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        share(text)
