"""The language: what is understood, as what, and where an error points."""

from __future__ import annotations

import pytest

from tdvc.errors import Usage
from tdvc.query import parse
from tdvc.query.lexer import MAX_LENGTH
from tdvc.query.moments import resolved, seconds_of
from tdvc.query.parser import MAX_DEPTH
from tdvc.query.tree import And, Comparison, Count, Member, Moment, Not, Or, Property, Some

LABEL, AREA = Property("label", "text", True), Property("area", "number", True)
PATH, SIZE = Property("path", "text", False), Property("size", "number", False)
COMPLETE, CAPTURED = Property("complete", "truth", False), Property("captured_at", "moment", False)
AGE = Property("attribute", "any", True, ("age",))
DOG, LARGE, NIGHT = (
    Comparison(LABEL, "=", ("dog",)),
    Comparison(AREA, ">", (400.0,)),
    Comparison(PATH, "glob", ("night/*",)),
)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("size = 1", Comparison(SIZE, "=", (1.0,))),
        ("size != -1.5e3", Comparison(SIZE, "=", (-1500.0,), negated=True)),
        ("size >= .5", Comparison(SIZE, ">=", (0.5,))),
        ("+5 < size", Comparison(SIZE, ">", (5.0,))),
        ("path = 'it''s'", Comparison(PATH, "=", ("it's",))),
        ("path == 'a'", Comparison(PATH, "==", ("a",))),
        ("path in ('a', 'b')", Comparison(PATH, "in", ("a", "b"))),
        ("path not in ('a')", Comparison(PATH, "in", ("a",), negated=True)),
        ("path LIKE 'a%'", Comparison(PATH, "like", ("a%",))),
        ("path not like 'a_'", Comparison(PATH, "like", ("a_",), negated=True)),
        ("path glob 'night/*'", NIGHT),
        ("complete", Comparison(COMPLETE, "=", (True,))),
        ("complete = FALSE", Comparison(COMPLETE, "=", (False,))),
        ("not complete", Not(Comparison(COMPLETE, "=", (True,)))),
        ("captured_at is null", Comparison(CAPTURED, "exists", negated=True)),
        ("captured_at is not null", Comparison(CAPTURED, "exists")),
        ("exists captured_at", Comparison(CAPTURED, "exists")),
        ("captured_at > now", Comparison(CAPTURED, ">", (Moment(None),))),
        ("captured_at > now - 6 months", Comparison(CAPTURED, ">", (Moment(None, months=-6),))),
        ("captured_at > now + 1 week", Comparison(CAPTURED, ">", (Moment(None, seconds=604800.0),))),
        ("captured_at < 1970-01-02", Comparison(CAPTURED, "<", (Moment(86400.0),))),
        ("captured_at < '1970-01-01T01:00+01:00'", Comparison(CAPTURED, "<", (Moment(0.0),))),
        ("captured_at < 1970-01-01T00:01 - 1 year", Comparison(CAPTURED, "<", (Moment(60.0, months=-12),))),
        ("label = 'dog'", Some(DOG)),
        ("attribute.age > 3", Some(Comparison(AGE, ">", (3.0,)))),
        ("attribute.'two words'", Some(Comparison(Property("attribute", "any", True, ("two words",)), "=", (True,)))),
        ("property.a.b = 'x'", Comparison(Property("property", "any", False, ("a", "b")), "=", ("x",))),
        ("property.in is null", Comparison(Property("property", "any", False, ("in",)), "exists", negated=True)),
        ("label = 'dog' and area > 400", Some(And((DOG, LARGE)))),
        ("label = 'dog' or area > 400", Some(Or((DOG, LARGE)))),
        ("not label = 'dog'", Not(Some(DOG))),
        ("label = 'dog' and not area > 400", And((Not(Some(LARGE)), Some(And((DOG,)))))),
        ("label = 'dog' and path glob 'night/*' and area > 400", And((NIGHT, Some(And((DOG, LARGE)))))),
        ("label = 'dog' or path glob 'night/*'", Or((Some(DOG), NIGHT))),
        ("any(label = 'dog') and any(area > 400)", And((Some(DOG), Some(LARGE)))),
        ("any(not label = 'dog')", Some(Not(DOG))),
        ("all(label = 'dog')", Not(Some(Not(DOG)))),
        ("count(label = 'dog' and area > 400) >= 2", Count(And((DOG, LARGE)), ">=", 2.0)),
        ("count(label = 'dog') == 0", Count(DOG, "=", 0.0)),
        ("count(complete) < 3", Count(Comparison(COMPLETE, "=", (True,)), "<", 3.0)),
        ("area > size", Some(Comparison(AREA, ">", (SIZE,)))),
        ("in_directory('Test')", Member("in_directory", "Test")),
        ("not in_snapshot('v1')", Not(Member("in_snapshot", "v1"))),
        ("changed_since('v1')", Member("changed_since", "v1")),
        ("size = 1 or size = 2 and size = 3", None),
        ("(size = 1 or size = 2) and size = 3", None),
    ],
)
def test_what_is_understood(text: str, condition: object) -> None:
    found = parse(text).condition
    if condition is not None:
        assert found == condition
    else:
        assert isinstance(found, And) == text.startswith("(")


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "A condition"),
        ("size", 4, "must be compared"),
        ("size = ", 7, "A value"),
        ("size = 'x'", 7, "compared with a number"),
        ("size = 1 size", 9, "'and', 'or' or the end"),
        ("size = 1 and", 12, "no end"),
        ("(size = 1", 9, "')' should stand here, for the '(' at character 1"),
        ("size = 1)", 8, "the end"),
        ("sise = 1", 0, "no property 'sise'"),
        ("label = dog", 8, "no property 'dog'"),
        ("label = path", 8, "Only numbers"),
        ('label = "dog"', 8, "single quotes"),
        ("label = 'dog", 8, "no end"),
        ("label # 'dog'", 6, "means nothing"),
        ("label like 3", 11, "compares texts"),
        ("size like 'a'", 5, "compares texts"),
        ("size not 3", 9, "after 'not'"),
        ("size is 3", 8, "'null'"),
        ("size in 3", 8, "'('"),
        ("size in ()", 9, "A value"),
        ("size in (1 2)", 11, "')'"),
        ("size in (1, 'a')", 12, "compared with a number"),
        ("complete > true", 9, "neither more nor less"),
        ("complete = 1", 11, "true or false"),
        ("captured_at > 'soon'", 14, "compared with a date"),
        ("captured_at > 2026-13-01", 14, "no such date"),
        ("captured_at > now - months", 20, "whole number"),
        ("captured_at > now - 6 moons", 22, "unit"),
        ("captured_at > now - 99999999 days", 20, "whole number"),
        ("attribute = 3", 0, "attribute.NAME"),
        ("attribute. = 3", 11, "A name"),
        ("size.x = 3", 4, "must be compared"),
        ("size = 1e999", 7, "too large"),
        ("size = 1x", 7, "neither a number"),
        ("size = -'a'", 8, "after '-'"),
        ("count(label = 'dog')", 20, "compared with a number"),
        ("count(label = 'dog') > 'a'", 23, "compared with a number"),
        ("count()", 6, "A condition"),
        ("sum(area) > 3", 0, "no sum()"),
        ("any(count(area > 1) > 2)", 4, "can't stand inside any()"),
        ("in_directory(Test)", 13, "single quotes"),
        ("in_directory('Test'", 19, "')'"),
        ("3", 1, "A value must be compared"),
        ("3 = 4", 4, "name of a property"),
        ("and", 0, "no property 'and'"),
        ("type = 'bbox'", 7, "no spatial type"),
        ("type in ('box', 'polygone')", 16, "no spatial type"),
        ("instance_id = '2d733f1e'", 14, "32 hexadecimal digits"),
        ("file_id != 'x'", 11, "32 hexadecimal digits"),
        ("blob = 'AB'", 7, "64 hexadecimal digits"),
    ],
)
def test_an_error_points_at_its_place(text: str, position: int, says: str) -> None:
    with pytest.raises(Usage) as caught:
        parse(text)
    assert (caught.value.code, caught.value.fields["position"]) == ("bad-query", position)
    assert caught.value.fields["query"] == text
    assert says in caught.value.message
    assert f"At character {position + 1} " in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000,
        "not " * 2000 + "complete",
        "(" * 500 + "complete" + ")" * 500,
        "any(" * 1000,
        "size = 1 and " * MAX_LENGTH + "complete",
        "\0",
        "size = " + "9" * 400,
    ],
)
def test_what_is_too_much_is_refused(text: str) -> None:
    with pytest.raises(Usage) as caught:
        parse(text)
    assert caught.value.code == "bad-query"


def test_what_nests_as_deep_as_is_allowed() -> None:
    depth = MAX_DEPTH - 1
    assert parse("(" * depth + "complete" + ")" * depth).condition == parse("complete").condition
    assert len(parse(" or ".join(["size = 1"] * 800)).condition.items) == 800  # type: ignore[union-attr]


def test_what_an_answer_depends_on() -> None:
    query = parse("in_directory('Test') and not changed_since('v1') and captured_at > now - 1 day")
    assert query.members == {Member("in_directory", "Test"), Member("changed_since", "v1")}
    assert query.moves
    assert not parse("captured_at > 2026-01-01").moves
    assert query.asks_for("captured_at")
    assert not query.asks_for("path", "label")


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        (Moment(None), "2026-08-31"),
        (Moment(None, months=-6), "2026-02-28"),
        (Moment(None, months=1), "2026-09-30"),
        (Moment(None, months=6), "2027-02-28"),
        (Moment(None, months=-8), "2025-12-31"),
        (Moment(None, seconds=-86400.0), "2026-08-30"),
    ],
)
def test_calendar_months(moment: Moment, date: str) -> None:
    now = seconds_of("2026-08-31")
    assert now is not None
    assert resolved(moment, now) == seconds_of(date)


def test_moments_beyond_the_calendar() -> None:
    assert resolved(Moment(0.0, months=-(10**6)), 0.0) == float("-inf")
    assert resolved(Moment(0.0, months=10**6), 0.0) == float("inf")


def test_labels_that_are_asked_for() -> None:
    query = parse("label = 'dog' and not any(label in ('cat', 'cow')) or label like 'h%' or type = 'box'")
    assert query.labels == {"dog", "cat", "cow"}


def test_ids_can_be_compared_by_their_beginnings() -> None:
    for text in ("file_id < '8'", "blob >= 'a0' and blob < 'b0'", "instance_id like '2d733f1e%'"):
        assert parse(text).text == text
