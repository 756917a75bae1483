from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.formats import _decimal
from tdvc.model.numbers import Number, value_of

millionths = st.integers(-(10**10), 10**10).map(lambda n: str(Decimal(n).scaleb(-6)))
plain = st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False).map(lambda d: format(d, "f"))
sizes = st.integers(1, 70_000)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (_decimal.add("0.1", "0.2"), "0.3"),
        (_decimal.add("100", "200"), "300"),
        (_decimal.add("1e3", "1"), "1001"),
        (_decimal.subtract("1.50", "0.5"), "1"),
        (_decimal.subtract("0.3", "0.3"), "0"),
        (_decimal.add("-0", "-0.0"), "0"),
        (_decimal.multiply("-0.5", "3"), "-1.5"),
        (_decimal.multiply("1E-7", "1"), "0.0000001"),
        (_decimal.add("1e300", "1e-300"), "1" + "0" * 300 + "." + "0" * 299 + "1"),
    ],
)
def test_results_are_exact_and_plainly_spelled(found, expected):
    assert str(found) == expected
    assert isinstance(found, Number)


@given(plain, plain)
def test_subtracting_undoes_adding(a, b):
    assert value_of(_decimal.subtract(_decimal.add(a, b), b)) == Decimal(a)


@pytest.mark.parametrize("text", ["1e401", "1e-99999", "1" * 500, "x", "1e9999999999", "nan", "Infinity", ""])
def test_numbers_that_are_none_or_too_long_are_refused(text):
    for compute in (_decimal.add, _decimal.subtract, _decimal.multiply):
        with pytest.raises(ValueError):
            compute(text, "1")
        with pytest.raises(ValueError):
            compute("1", text)


@pytest.mark.parametrize(
    ("fraction", "size", "expected"),
    [
        ("0.5", 64, "32"),
        ("0.333333", 3, "0.999999"),
        ("0.0000005", 1, "0"),
        ("0.0000015", 1, "0.000002"),
        ("0.0000025", 1, "0.000002"),
        ("-0.0000001", 1, "0"),
        ("1.04199", 1024, "1066.99776"),
        ("1e-2", 500, "5"),
    ],
)
def test_fractions_become_coordinates(fraction, size, expected):
    assert str(_decimal.scaled(fraction, size)) == expected


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [("32", 64, "0.500000"), ("0", 640, "0.000000"), ("-0.0", 640, "0.000000"), ("100.5", 640, "0.15703125")],
)
def test_coordinates_become_the_shortest_fraction(value, size, expected):
    assert str(_decimal.fraction(value, size)) == expected


@given(millionths, sizes)
def test_a_fraction_leads_back_to_its_coordinate(value, size):
    found = _decimal.fraction(value, size)
    assert value_of(_decimal.scaled(found, size)) == Decimal(value)
    shorter = found[:-1]
    if len(shorter.partition(".")[2]) >= 6:
        assert value_of(_decimal.scaled(shorter, size)) != Decimal(value)


@given(st.integers(-2 * 10**6, 2 * 10**6), st.integers(2, 70_000))
def test_a_fraction_of_six_digits_comes_back_as_it_was(numerator, size):
    text = format(Decimal(numerator).scaleb(-6), "f")
    assert value_of(_decimal.fraction(_decimal.scaled(text, size), size)) == Decimal(text)


@given(plain, sizes)
def test_a_coordinate_with_more_decimals_comes_back_rounded(value, size):
    assert _decimal.scaled(_decimal.fraction(value, size), size) == _decimal.rounded(Decimal(value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0.148063", "0.148063"), ("1", "1"), ("1e-05", "1e-05"), (".5", "0.5"), ("+1", "1"), ("007", "7"), ("3.", "3")],
)
def test_numbers_in_text_keep_their_spelling_where_json_has_it(text, expected):
    assert str(_decimal.number(text)) == expected


@pytest.mark.parametrize("text", ["", "0,5", "nan", "inf", "1e9999", "0x1", "1" * 401, "1 2", "\u0661", "1_0"])
def test_other_text_is_no_number(text):
    assert _decimal.number(text) is None


@given(millionths, st.integers(0, 10**10).map(lambda n: Decimal(n).scaleb(-6)), sizes)
def test_centre_and_extent_lead_back_to_both_edges(low, extent, size):
    high = str(Decimal(low) + extent)
    found = _decimal.edges(*_decimal.centre_and_extent(low, high, size), size)
    assert (value_of(found[0]), value_of(found[1])) == (Decimal(low), Decimal(high))


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(2, 70_000))
def test_a_centre_and_extent_of_six_digits_come_back_as_they_were(centre, extent, size):
    texts = [format(Decimal(value).scaleb(-6), "f") for value in (centre, extent)]
    assert list(_decimal.centre_and_extent(*_decimal.edges(*texts, size), size)) == [Number(text) for text in texts]
