import json
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.model import numbers
from tdvc.model.numbers import Number

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("a", "b"), [("1", "1.0"), ("1", "1e0"), ("0", "-0"), ("0.50", "5E-1"), ("100", "1e2"), ("1", "1")]
)
def test_two_spellings_of_one_value_are_equal_and_hash_alike(a, b):
    assert Number(a) == Number(b)
    assert not Number(a) != Number(b)  # noqa: SIM202 - both operators are under test
    assert hash(Number(a)) == hash(Number(b))


@pytest.mark.parametrize(
    ("a", "b"), [("1", "2"), ("0.1", "0.10000000000000000001"), ("9007199254740993", "9007199254740992")]
)
def test_values_that_differ_are_unequal_even_where_floats_would_not(a, b):
    assert Number(a) != Number(b)
    assert not Number(a) == Number(b)  # noqa: SIM201 - both operators are under test


def test_a_number_is_not_the_text_that_spells_it():
    assert Number("1") != "1"
    assert "1" != Number("1")  # noqa: SIM300 - both orders are under test
    assert not numbers.same_value(b'"1"', b"1")
    assert not numbers.same_value(b'{"a":["1"]}', b'{"a":[1]}')


def test_exponents_beyond_decimal_compare_without_an_error():
    huge = "1e99999999999999999999"
    assert not numbers.same_value(huge.encode(), b"1")
    assert Number(huge) == Number(huge)
    assert len({Number(huge), Number("1"), Number("1.0")}) == 2


@pytest.mark.parametrize("text", ["0.148063", "1", "1.0", "-0", "1E+5", "12345678901234567890.5", "0.1000"])
def test_a_number_leaves_as_it_came(text):
    assert numbers.spell(numbers.parse(text)) == text.encode()
    assert numbers.spell(numbers.parse(f'{{"a":[{text}]}}')) == f'{{"a":[{text}]}}'.encode()


@pytest.mark.parametrize("text", [b"", b"{", b"[1,]", b"NaN", b"[Infinity]", b"-Infinity", b"01", b"\xff", b"1 2"])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError):
        numbers.parse(text)


def nested(depth):
    return "[" * depth + "]" * depth


def test_nesting_is_limited_when_reading_and_when_writing():
    deepest = numbers.parse(nested(numbers.MAX_DEPTH))
    assert numbers.spell(deepest) == nested(numbers.MAX_DEPTH).encode()
    for depth in (numbers.MAX_DEPTH + 1, 100_000):
        with pytest.raises(ValueError, match="nested deeper"):
            numbers.parse(nested(depth))
    with pytest.raises(ValueError, match="nested deeper"):
        numbers.spell([deepest])


def test_a_value_that_holds_itself_is_refused():
    loop = {}
    loop["self"] = [loop]
    with pytest.raises(ValueError, match="nested deeper"):
        numbers.spell(loop)


@settings(deadline=None)
@given(json_values)
def test_spelling_says_what_json_says(value):
    assert json.loads(numbers.spell(value)) == value


@settings(deadline=None)
@given(json_values)
def test_spelling_is_a_fixed_point_of_canonical(value):
    spelled = numbers.spell(value)
    assert numbers.canonical(spelled) == spelled
    assert numbers.spell(numbers.parse(spelled)) == spelled
    assert numbers.plain(numbers.parse(spelled)) == value


@settings(deadline=None)
@given(json_values)
def test_canonical_takes_white_space_and_key_order_away(value):
    assert numbers.canonical(json.dumps(value, indent=2).encode()) == numbers.canonical(json.dumps(value).encode())


def test_canonical_sorts_keys_and_keeps_text_as_utf8():
    assert numbers.canonical(b'{ "b": 1.50, "a": "\\u00e9 x" }') == '{"a":"é x","b":1.50}'.encode()
    assert numbers.canonical(b"[ 1.50,\n [2] ]") == b"[1.50,[2]]"


def test_raw_json_inside_a_value_becomes_canonical():
    assert numbers.spell({"a": msgspec.Raw(b'{"c": 1, "b": 2}')}) == b'{"a":{"b":2,"c":1}}'


@pytest.mark.parametrize("text", ["nan", "Infinity", "01", "1_0", "+1", ".5", "5.", "0x1", "", "1 ", "\u0661"])
def test_a_number_that_json_cannot_spell_is_never_written(text):
    with pytest.raises(ValueError, match="not a JSON number"):
        numbers.spell([Number(text)])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_floats_that_json_cannot_spell_are_never_written(value):
    with pytest.raises(ValueError, match="not a JSON number"):
        numbers.spell({"a": value})


class LoudFloat(float):
    def __repr__(self):
        return f"LoudFloat({float(self)})"


def test_a_float_of_another_library_is_spelled_as_a_float():
    assert numbers.spell([LoudFloat(0.5)]) == b"[0.5]"


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", object(), {1: "one"}, {None: 0}])
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError):
        numbers.spell({"a": value})


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("-3", -3), ("3.0", 3.0), ("3e0", 3.0), ("-0", 0)])
def test_plain_keeps_integers_integers(text, value):
    plain = numbers.plain(numbers.parse(text))
    assert plain == value
    assert type(plain) is type(value)


def test_plain_goes_into_lists_and_objects():
    assert numbers.plain(numbers.parse('{"a":[1,{"b":2.5}],"c":null,"d":"1"}')) == {
        "a": [1, {"b": 2.5}],
        "c": None,
        "d": "1",
    }


def test_plain_survives_an_integer_longer_than_python_reads():
    assert numbers.plain(numbers.parse("9" * 5000)) == math.inf


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (b"[1,2]", b"[1.0,2e0]", True),
        (b'{"a":1,"b":2}', b'{"b":2,"a":1.0}', True),
        (b"[1,2]", b"[2,1]", False),
        (b"0", b"false", False),
        (b"1", b"true", False),
        (b"null", b"{}", False),
    ],
)
def test_same_value(a, b, same):
    assert numbers.same_value(a, b) is same


@pytest.mark.parametrize("text", ["x", "", "nan", "inf", "[1]"])
def test_value_of_refuses_what_is_not_a_finite_number(text):
    with pytest.raises(ValueError, match="number"):
        numbers.value_of(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("17", 17), ("007", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("9" * 5000, None)]
    + [(text, None) for text in ("", "-1", "1.0", "1e3", " 1", "²", "٣", "0x1", "1_000")],
)
def test_whole(text: str, number: int | None) -> None:
    assert numbers.whole(text) == number
