from __future__ import annotations

from collections import Counter
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.model.apportioning import Unit, assign, off_shares
from tdvc.model.stablehash import POINTS, StableHash

SHARES = st.lists(st.integers(1, 20), min_size=1, max_size=6).map(
    lambda weights: [Fraction(weight, sum(weights)) for weight in weights]
)
POINT = st.integers(0, POINTS - 1)
FILES = st.lists(st.builds(Unit, POINT, st.just(1), st.sampled_from(["", "cat", "dog"]), st.none()), max_size=60)
UNITS = st.lists(st.builds(Unit, POINT, st.integers(1, 5), st.sampled_from(["", "cat"]), st.none()), max_size=40)


def held(units: list[Unit], places: list[int], parts: int, stratum: str) -> list[int]:
    counts: Counter[int] = Counter()
    for unit, place in zip(units, places, strict=True):
        counts[place] += unit.size if unit.stratum == stratum else 0
    return [counts[part] for part in range(parts)]


@given(FILES, SHARES, st.data())
def test_by_its_point_a_unit_goes_where_it_would_go_alone(units: list[Unit], shares: list[Fraction], data) -> None:
    places = assign(units, shares)
    order = data.draw(st.permutations(range(len(units))))
    assert assign([units[at] for at in order], shares) == [places[at] for at in order]
    assert places == [assign([unit], shares)[0] for unit in units]


@given(UNITS, SHARES)
def test_exactly_each_part_is_as_near_to_its_share_of_each_stratum_as_is_promised(
    units: list[Unit], shares: list[Fraction]
) -> None:
    places = assign(units, shares, exact=True)
    parts = len(shares)
    for stratum in {unit.stratum for unit in units}:
        sizes = [unit.size for unit in units if unit.stratum == stratum]
        for count, share in zip(held(units, places, parts, stratum), shares, strict=True):
            assert -max(parts - 1, 1) * max(sizes) < count - share * sum(sizes) < max(sizes)


@given(UNITS, UNITS, SHARES, st.booleans())
def test_what_has_a_home_stays(old: list[Unit], new: list[Unit], shares: list[Fraction], exact: bool) -> None:
    before = assign(old, shares, exact=exact)
    homed = [unit._replace(home=place) for unit, place in zip(old, before, strict=True)]
    assert assign([*homed, *new], shares, exact=exact)[: len(old)] == before


@settings(max_examples=60)
@given(FILES, SHARES, SHARES)
def test_rebalancing_moves_no_more_than_it_must(
    units: list[Unit], shares: list[Fraction], others: list[Fraction]
) -> None:
    before = [place % len(others) for place in assign(units, shares)]
    homed = [unit._replace(home=place) for unit, place in zip(units, before, strict=True)]
    after = assign(homed, others, rebalance=True)
    total = len(units)
    surplus = [Counter(before)[part] - share * total for part, share in enumerate(others)]
    assert sum(a != b for a, b in zip(before, after, strict=True)) == sum(int(over) for over in surplus if over > 0)
    assert all(Counter(after)[part] - share * total < 1 for part, share in enumerate(others))
    again = [unit._replace(home=place) for unit, place in zip(units, after, strict=True)]
    assert assign(again, others, rebalance=True) == after


@given(UNITS, SHARES)
def test_rebalancing_what_is_exact_moves_nothing_smaller_than_the_surplus(
    units: list[Unit], shares: list[Fraction]
) -> None:
    units = [unit._replace(size=1) for unit in units]
    places = assign(units, shares, exact=True)
    homed = [unit._replace(home=place) for unit, place in zip(units, places, strict=True)]
    assert assign(homed, shares, exact=True, rebalance=True) == places


@given(UNITS, SHARES)
def test_a_new_exact_split_is_never_off_its_shares(units: list[Unit], shares: list[Fraction]) -> None:
    places = assign(units, shares, exact=True)
    counts = [
        sum(unit.size for unit, at in zip(units, places, strict=True) if at == part) for part in range(len(shares))
    ]
    assert not off_shares(units, shares, counts, exact=True)


def test_a_new_split_by_points_is_not_off_its_shares_and_a_skewed_one_is() -> None:
    shares = [Fraction(7, 10), Fraction(3, 20), Fraction(3, 20)]
    for seed in range(200):
        hashed = StableHash("split", str(seed))
        units = [Unit(hashed.point(b"%d" % number)) for number in range(seed)]
        counts = Counter(assign(units, shares))
        assert not off_shares(units, shares, [counts[part] for part in range(3)])
    units = [Unit(0)] * 364
    assert off_shares(units, [Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)], [255, 54, 55])
    assert not off_shares([Unit(0, size=60)] * 6, shares, [300, 0, 60])
