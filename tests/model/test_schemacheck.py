from __future__ import annotations

import copy
from typing import Any

import pytest

from tdvc.model.schema import Label, Schema, schema_from
from tdvc.model.schemacheck import schema_problems
from tests.model.schemas import FULL, TRAFFIC


@pytest.mark.parametrize("given", [{}, TRAFFIC, FULL])
def test_a_schema_that_makes_sense_has_no_problem(given: dict[str, Any]) -> None:
    assert list(schema_problems(schema_from(given))) == []


CHANGES: list[tuple[str, Any, str]] = [
    ("labels.car.parent", "lorry", "labels.car.parent"),
    ("labels.car.parent", "car", "labels.car.parent"),
    ("labels.car.name", "", "labels.car.name"),
    ("labels.car.name", "light", "labels.car.name"),
    ("labels.car.name", "Traffic light", "labels.car.name"),
    ("labels.car.aliases", ["Traffic light"], "labels.car.aliases"),
    ("labels.car.index", 0, "labels.car.index"),
    ("labels.car.index", -1, "labels.car.index"),
    ("labels.car.index", 2**31, "labels.car.index"),
    ("labels.car.colour", "blue", "labels.car.colour"),
    ("labels.car.colour", "#12345", "labels.car.colour"),
    ("labels.car.types", {"bax": "allowed"}, "labels.car.types"),
    ("labels.car.types", {"box": "default", "point": "default"}, "labels.car.types"),
    ("labels.car.attributes", ["wheels"], "labels.car.attributes"),
    ("labels.car.template", "wheel", "labels.car.template"),
    ("labels.", {"name": "none", "index": 9}, "labels."),
    (f"labels.{'x' * 1025}", {"name": "long", "index": 9}, f"labels.{'x' * 1025}"),
    ("labels.a\0b", {"name": "nul", "index": 9}, "labels.a\0b"),
    ("attributes.state.kind", "list", "attributes.state.kind"),
    ("attributes.state.kind", "text", "attributes.state.options"),
    ("attributes.state.options", [], "attributes.state.options"),
    ("attributes.state.options", ["red", "red"], "attributes.state.options"),
    ("attributes.state.options", [""], "attributes.state.options"),
    ("attributes.state.options", [{"key": "red", "attributes": ["x"]}], "attributes.state.options.red.attributes"),
    ("attributes.state.default", "blue", "attributes.state.default"),
    ("attributes.state.minimum", 1, "attributes.state.minimum"),
    ("attributes.state.when", ["since"], "attributes.state.when"),
    ("attributes.parked.when", ["nothing"], "attributes.parked.when"),
    ("attributes.parked.when", ["parked"], "attributes.parked.options"),
    ("attributes.parked.pattern", "a", "attributes.parked.pattern"),
    ("attributes.n", {"kind": "number", "minimum": 2, "maximum": 1}, "attributes.n.minimum"),
    ("attributes.n", {"kind": "number", "step": 0}, "attributes.n.step"),
    ("attributes.n", {"kind": "number", "maximum": 1, "default": 2}, "attributes.n.default"),
    ("attributes.n", {"kind": "text", "max_length": -1}, "attributes.n.max_length"),
    ("attributes.n", {"kind": "text", "pattern": "("}, "attributes.n.pattern"),
    ("attributes.n", {"kind": "text", "pattern": "(a+)+"}, "attributes.n.pattern"),
    ("attributes.n", {"kind": "text", "max_count": 1}, "attributes.n.max_count"),
    ("attributes.n", {"kind": "multiple_select", "options": ["a"], "min_count": 2}, "attributes.n.min_count"),
    (
        "attributes.n",
        {"kind": "multiple_select", "options": ["a", "b"], "min_count": 2, "max_count": 1},
        "attributes.n.min_count",
    ),
    ("templates", {"t": {"type": "star"}}, "templates.t.type"),
    ("templates", {"t": {"points": ["a", "a"]}}, "templates.t.points"),
    ("templates", {"t": {"points": ["a"], "edges": [[0, 1]]}}, "templates.t.edges"),
    ("templates", {"t": {"points": ["a"], "edges": [[0, -1]]}}, "templates.t.edges"),
    ("templates", {"t": {"points": ["a"], "edges": [[0, 0]]}}, "templates.t.edges"),
    ("templates", {"t": {"points": ["a", "b"], "swaps": [[0, 1], [1, 0]]}}, "templates.t.swaps"),
    ("templates", {"t": {"type": "box", "geometry": [0, 1]}}, "templates.t.geometry"),
    ("file_attributes", ["weather"], "file_attributes"),
    ("sequence_attributes", ["weather"], "sequence_attributes"),
]


@pytest.mark.parametrize(("where", "value", "path"), CHANGES, ids=lambda value: str(value)[:40])
def test_what_makes_no_sense_is_named_by_its_path(where: str, value: Any, path: str) -> None:
    given = copy.deepcopy(TRAFFIC)
    *above, last = where.split(".", 2)
    owner = given
    for name in above:
        owner = owner[name]
    owner[last] = value
    (problem,) = schema_problems(schema_from(given))
    assert problem.path == path
    assert str(problem).startswith(path)


def test_a_long_circle_of_parents_is_found_and_a_long_chain_is_fine() -> None:
    chain = {f"l{i}": Label(f"l{i}", f"l{i}", i, parent=f"l{i + 1}" if i < 4999 else "") for i in range(5000)}
    assert list(schema_problems(Schema(labels=chain))) == []
    chain["l4999"] = Label("l4999", "l4999", 4999, parent="l0")
    (problem,) = schema_problems(Schema(labels=chain))
    assert "circle" in problem.problem


def test_a_circle_through_options_and_checkboxes_is_found() -> None:
    given = copy.deepcopy(TRAFFIC)
    given["attributes"]["since"] = {"kind": "select", "options": [{"key": "x", "attributes": ["parked"]}]}
    (problem,) = schema_problems(schema_from(given))
    assert set(problem.problem.partition(": ")[2].split(" > ")) == {"parked", "since"}
