"""Every kind of attribute and every constraint: what is right, and what is wrong under which code."""

from __future__ import annotations

from typing import Any

import pytest

from tdvc.model.attributes import ANSWER_PROBLEMS, answer_problems, attribute_tree
from tdvc.model.numbers import Number
from tdvc.model.schema import ATTRIBUTE_KINDS, Schema, schema_from

N = Number
COLOURS = {"kind": "select", "options": ["red", "green"]}
SEVERAL = {"kind": "multiple_select", "options": ["a", "b", "c"]}


def schema(**attributes: dict[str, Any]) -> Schema:
    return schema_from({"attributes": attributes})


def codes(found: Schema, keys: str, **values: Any) -> list[tuple[str, str]]:
    return [(problem.code, problem.attribute) for problem in answer_problems(found, keys.split(), values)]


RIGHT = [
    ({"kind": "checkbox"}, True),
    ({"kind": "checkbox"}, False),
    (COLOURS, "red"),
    ({**COLOURS, "kind": "radio"}, "green"),
    (SEVERAL, ["a", "c"]),
    (SEVERAL, []),
    ({**SEVERAL, "min_count": 1, "max_count": 2}, ["b"]),
    ({"kind": "text"}, ""),
    ({"kind": "text", "max_length": 3}, "äöü"),
    ({"kind": "text", "pattern": "[A-Z]{2}-\\d+"}, "AB-17"),
    ({"kind": "number"}, N("1e3")),
    ({"kind": "number"}, -0.5),
    ({"kind": "number", "minimum": N("0.1"), "maximum": N("0.3"), "step": N("0.1")}, N("0.30")),
    ({"kind": "slider", "minimum": 1, "maximum": 9, "step": 2}, 7),
    ({"kind": "slider", "step": N("0.25")}, N("-1.75")),
    ({"kind": "date"}, "2024-02-29"),
    ({"kind": "time"}, "23:59"),
    ({"kind": "time"}, "00:00:05.25"),
]

WRONG = [
    ({"kind": "checkbox"}, "true", "attribute-kind"),
    ({"kind": "checkbox"}, N("1"), "attribute-kind"),
    (COLOURS, "blue", "unknown-option"),
    (COLOURS, ["red"], "attribute-kind"),
    (COLOURS, N("1"), "attribute-kind"),
    ({**COLOURS, "kind": "radio"}, "Red", "unknown-option"),
    ({**COLOURS, "kind": "radio"}, False, "attribute-kind"),
    (SEVERAL, "a", "attribute-kind"),
    (SEVERAL, ["a", N("1")], "attribute-kind"),
    (SEVERAL, ["a", "x"], "unknown-option"),
    (SEVERAL, ["a", "a"], "attribute-count"),
    ({**SEVERAL, "min_count": 2}, ["a"], "attribute-count"),
    ({**SEVERAL, "max_count": 1}, ["a", "b"], "attribute-count"),
    ({"kind": "text"}, N("1"), "attribute-kind"),
    ({"kind": "text"}, {"a": 1}, "attribute-kind"),
    ({"kind": "text", "max_length": 3}, "four", "attribute-length"),
    ({"kind": "text", "pattern": "[A-Z]{2}-\\d+"}, "AB-", "attribute-pattern"),
    ({"kind": "text", "pattern": "a+"}, "aab", "attribute-pattern"),
    ({"kind": "text", "pattern": "a*"}, "a" * 10_001, "attribute-pattern"),
    ({"kind": "text", "pattern": "(a+)+"}, "a", "attribute-pattern"),
    ({"kind": "number"}, "1", "attribute-kind"),
    ({"kind": "number"}, True, "attribute-kind"),
    ({"kind": "number"}, float("nan"), "attribute-kind"),
    ({"kind": "number"}, float("inf"), "attribute-kind"),
    ({"kind": "number", "minimum": N("0.1")}, N("0.09999999999999999999"), "attribute-range"),
    ({"kind": "number", "maximum": 5}, 5.5, "attribute-range"),
    ({"kind": "number", "step": N("0.1")}, N("0.25"), "attribute-step"),
    ({"kind": "number", "step": 3, "minimum": 1}, 3, "attribute-step"),
    ({"kind": "number", "step": 1}, N("1e999999"), "attribute-step"),
    ({"kind": "slider", "minimum": 1, "maximum": 9}, 10, "attribute-range"),
    ({"kind": "slider"}, [1], "attribute-kind"),
    ({"kind": "date"}, "2023-02-29", "attribute-date"),
    ({"kind": "date"}, "20230228", "attribute-date"),
    ({"kind": "date"}, "2023-2-8", "attribute-date"),
    ({"kind": "date"}, N("2023"), "attribute-kind"),
    ({"kind": "time"}, "24:00", "attribute-time"),
    ({"kind": "time"}, "9:30", "attribute-time"),
    ({"kind": "time"}, "09:30Z", "attribute-time"),
    ({"kind": "time"}, N("9"), "attribute-kind"),
]


@pytest.mark.parametrize(("attribute", "value"), RIGHT)
def test_a_right_answer(attribute: dict[str, Any], value: Any) -> None:
    assert codes(schema(q=attribute), "q", q=value) == []


@pytest.mark.parametrize(("attribute", "value", "code"), WRONG)
def test_a_wrong_answer(attribute: dict[str, Any], value: Any, code: str) -> None:
    (problem,) = answer_problems(schema(q=attribute), ["q"], {"q": value})
    assert (problem.code, problem.attribute) == (code, "q")
    assert problem.value == value or value != value
    assert problem.expected


def test_the_tables_have_every_kind_and_every_code() -> None:
    assert {attribute["kind"] for attribute, _ in RIGHT} == set(ATTRIBUTE_KINDS)
    assert {attribute["kind"] for attribute, *_ in WRONG} == set(ATTRIBUTE_KINDS)
    of_trees = {"attribute-missing", "attribute-orphan", "unknown-attribute"}
    assert {code for *_, code in WRONG} | of_trees == ANSWER_PROBLEMS.keys()


def test_several_things_can_be_wrong_with_one_answer() -> None:
    found = schema(q={"kind": "text", "max_length": 2, "pattern": "b*"})
    assert codes(found, "q", q="aaa") == [("attribute-length", "q"), ("attribute-pattern", "q")]


@pytest.mark.parametrize("kind", [COLOURS, SEVERAL, {"kind": "text"}, {"kind": "number"}, {"kind": "checkbox"}])
def test_a_required_answer_that_is_missing(kind: dict[str, Any]) -> None:
    found = schema(q={**kind, "required": True})
    assert codes(found, "q") == codes(found, "q", q=None) == [("attribute-missing", "q")]


def test_a_default_answers_for_everybody() -> None:
    found = schema(q={**COLOURS, "required": True, "default": "red"})
    assert codes(found, "q") == []


def test_what_is_not_asked_is_unknown_and_null_is_no_answer() -> None:
    found = schema(q=COLOURS, other=COLOURS)
    assert codes(found, "q", other="red", more=None, x=1) == [
        ("unknown-attribute", "other"),
        ("unknown-attribute", "x"),
    ]


DEEP = schema(
    vehicle={"kind": "select", "options": ["bike", {"key": "car", "attributes": ["lights"]}], "required": True},
    lights={
        "kind": "multiple_select",
        "options": ["front", {"key": "rear", "attributes": ["brake"]}],
        "required": True,
    },
    brake={"kind": "checkbox", "when": ["brightness"], "required": True},
    brightness={"kind": "number", "minimum": 1, "required": True},
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"vehicle": "bike"}, []),
        ({"vehicle": "car", "lights": ["front"]}, []),
        ({"vehicle": "car", "lights": ["front", "rear"], "brake": False}, []),
        ({"vehicle": "car", "lights": ["rear"], "brake": True, "brightness": 3}, []),
        ({}, [("attribute-missing", "vehicle")]),
        ({"vehicle": "car"}, [("attribute-missing", "lights")]),
        ({"vehicle": "car", "lights": ["rear"]}, [("attribute-missing", "brake")]),
        ({"vehicle": "car", "lights": ["rear"], "brake": True}, [("attribute-missing", "brightness")]),
        (
            {"vehicle": "car", "lights": ["rear"], "brake": True, "brightness": 0},
            [("attribute-range", "brightness")],
        ),
        (
            {"vehicle": "car", "lights": ["rear"], "brake": False, "brightness": 3},
            [("attribute-orphan", "brightness")],
        ),
        (
            {"vehicle": "bike", "lights": ["rear"], "brake": True},
            [("attribute-orphan", "lights"), ("attribute-orphan", "brake")],
        ),
        ({"vehicle": "car", "lights": ["front"], "brake": True}, [("attribute-orphan", "brake")]),
    ],
)
def test_a_tree_four_deep(values: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert codes(DEEP, "vehicle", **values) == expected


def test_an_orphan_says_under_which_answer_it_would_be_asked() -> None:
    (problem,) = answer_problems(DEEP, ["vehicle"], {"vehicle": "bike", "lights": ["front"]})
    assert problem.expected == "no answer unless vehicle = car"


def test_a_default_asks_what_is_below_it() -> None:
    found = schema(
        top={"kind": "radio", "options": [{"key": "yes", "attributes": ["why"]}, "no"], "default": "yes"},
        why={"kind": "text", "required": True},
    )
    assert codes(found, "top") == [("attribute-missing", "why")]
    assert codes(found, "top", top="no") == []


def test_a_circle_of_attributes_ends() -> None:
    found = schema(a={"kind": "checkbox", "when": ["b"]}, b={"kind": "checkbox", "when": ["a"]})
    assert codes(found, "a", a=True, b=True) == []
    assert [attribute.key for attribute in attribute_tree(found, ["a"])] == ["a", "b"]
