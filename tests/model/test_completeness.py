"""What makes a mark of completeness stale, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tdvc.model.completeness import asks_more
from tdvc.model.schema import Attribute, Label, Option, Schema, Template, schema_from
from tests.model.schemas import TRAFFIC, changed

OLD = schema_from(TRAFFIC)
MUST = Attribute("must", "text", required=True)
WITH_MUST = replace(OLD, attributes={**OLD.attributes, "must": MUST})


def asked_of(key: str, *attributes: str, schema: Schema = WITH_MUST) -> Schema:
    return changed(schema, "labels", key, attributes=attributes)


MORE: list[tuple[str, Schema]] = [
    ("a required attribute of the label", asked_of("car", "parked", "must")),
    ("an attribute that became required", changed(OLD, "attributes", "parked", required=True)),
    ("one below an answer that became required", changed(OLD, "attributes", "since", required=True)),
    (
        "a required one below an option",
        asked_of(
            "car",
            "pick",
            schema=replace(
                WITH_MUST,
                attributes={
                    **WITH_MUST.attributes,
                    "pick": Attribute("pick", "select", options=(Option("x", "", ("must",)),)),
                },
            ),
        ),
    ),
    ("a required attribute of files", replace(WITH_MUST, file_attributes=("must",))),
    ("a label below this one", changed(OLD.learned(["van"]), "labels", "van", parent="car")),
    (
        "a template",
        changed(replace(OLD, templates={"t": Template("t", points=("a",))}), "labels", "car", template="t"),
    ),
]

NOT_MORE: list[tuple[str, Schema]] = [
    ("nothing", OLD),
    ("a new label", OLD.learned(["van"])),
    ("a name", changed(OLD, "labels", "car", name="Auto")),
    ("a guide", changed(OLD, "labels", "car", guide="look twice")),
    ("an attribute that may stay open", changed(OLD, "labels", "car", attributes=("parked", "state"))),
    (
        "one with a default",
        asked_of(
            "car",
            "parked",
            "d",
            schema=replace(OLD, attributes={**OLD.attributes, "d": replace(MUST, key="d", default="-")}),
        ),
    ),
    ("an option", changed(OLD, "attributes", "state", options=(Option("red"), Option("amber")))),
    ("a required one of another label", asked_of("light", "state", "must")),
    ("a label below another one", changed(OLD.learned(["van"]), "labels", "van", parent="light")),
    ("less", changed(OLD, "labels", "car", attributes=())),
    ("the lock", replace(OLD, locked=True)),
]


@pytest.mark.parametrize(("what", "new"), MORE, ids=lambda value: value if isinstance(value, str) else "")
def test_asks_more_of_a_file_with_a_car(what: str, new: Schema) -> None:
    assert asks_more(OLD, new, {"car"})
    assert asks_more(OLD, new)
    assert not asks_more(new, OLD, {"car"})


@pytest.mark.parametrize(("what", "new"), NOT_MORE, ids=lambda value: value if isinstance(value, str) else "")
def test_asks_no_more_of_a_file_with_a_car(what: str, new: Schema) -> None:
    assert not asks_more(OLD, new, {"car"})


def test_more_answers_of_a_multiple_select_and_more_points_are_more() -> None:
    several = Attribute("m", "multiple_select", options=(Option("a"), Option("b")), required=True, min_count=1)
    one = asked_of("car", "m", schema=replace(OLD, attributes={**OLD.attributes, "m": several}))
    two = changed(one, "attributes", "m", min_count=2)
    assert asks_more(one, two, {"car"}) and not asks_more(two, one, {"car"})
    short = changed(replace(OLD, templates={"t": Template("t", points=("a",))}), "labels", "car", template="t")
    long = replace(short, templates={"t": Template("t", points=("a", "b"))})
    assert asks_more(short, long, {"car"}) and not asks_more(long, short, {"car"})


def test_sequences_are_asked_only_where_there_are_some() -> None:
    new = replace(WITH_MUST, sequence_attributes=("must",))
    assert asks_more(OLD, new, {"car"}, sequences=True)
    assert not asks_more(OLD, new, {"car"}, sequences=False)


def test_an_empty_file_is_asked_for_its_own_attributes_only() -> None:
    assert not asks_more(OLD, asked_of("car", "must"), set())
    assert asks_more(OLD, replace(WITH_MUST, file_attributes=("must",)), set())


def test_a_label_that_was_not_known_then_was_asked_nothing() -> None:
    new: Any = replace(WITH_MUST, labels={**OLD.labels, "van": Label("van", "van", 9, attributes=("must",))})
    assert asks_more(OLD, new, {"van"})
