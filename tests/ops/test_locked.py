"""A locked schema refuses what it does not know, wherever it comes from, and names where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import SchemaError
from tdvc.model.schema import Attribute, Option
from tdvc.ops.annotate import annotate, relabel
from tdvc.ops.evolution import Evolution
from tdvc.ops.exporting import export
from tdvc.ops.importing import import_
from tdvc.ops.schema import lock_schema
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, identity, jpeg, labels, lines, stock, unchanged


@pytest.fixture
def pets(repository: Repository) -> Repository:
    old = box("dog", number=1, attributes={"coat": "striped", "odd": 1})
    stock(repository, "Main", {"rex.jpg": (jpeg("rex"), [old]), "tom.jpg": jpeg("tom")})
    with Evolution(repository, "schema define") as evolution:
        coat = Attribute("coat", "select", options=(Option("plain"), Option("spotted")))
        label = replace(evolution.schema.labels["dog"], attributes=("coat",), aliases=("hound",))
        evolution.change(replace(evolution.schema, labels={"dog": label}, attributes={"coat": coat}, locked=True))
    return repository


def add(instance: dict[str, Any]) -> Any:
    return lines({"op": "add", "path": "tom.jpg", "instance": instance})


@pytest.mark.parametrize(
    "instance",
    [box("dog"), box("hound"), box("dog", attributes={"coat": "plain"}), box("dog", attributes={"coat": 3})],
    ids=str,
)
def test_what_is_known_comes_in(pets: Repository, instance: dict[str, Any]) -> None:
    annotate(pets, add(instance))
    assert labels(pets, "Main", "tom.jpg") == ["dog"]


@pytest.mark.parametrize(
    ("instance", "named"),
    [
        (box("cat"), "label 'cat'"),
        (box("dog", attributes={"coat": "striped"}), "option \"striped\" for the attribute 'coat'"),
        (box("dog", attributes={"odd": 1}), "attribute 'odd' for the label 'dog'"),
    ],
    ids=["label", "option", "attribute"],
)
def test_what_is_unknown_is_refused_with_its_place(pets: Repository, instance: dict[str, Any], named: str) -> None:
    with unchanged(pets), fails(SchemaError, "schema-locked") as caught:
        annotate(pets, add(instance))
    assert caught.value.message.startswith("tom.jpg: ")
    assert named in caught.value.message
    lock_schema(pets, unlock=True)
    annotate(pets, add(instance))


def test_what_was_there_before_may_stay_but_not_change_into_more_of_it(pets: Repository) -> None:
    annotate(pets, lines({"op": "add", "path": "rex.jpg", "instance": box("dog", number=2)}))
    edit = {"op": "update", "path": "rex.jpg", "instance_id": identity(1)}
    with fails(SchemaError, "schema-locked"):
        annotate(pets, lines({**edit, "set": {"score": 0.5}}))
    annotate(pets, lines({**edit, "set": {"attributes": {"coat": "plain", "odd": None}}}))


def test_relabelling_into_the_unknown_is_refused(pets: Repository) -> None:
    with unchanged(pets), fails(SchemaError, "schema-locked"):
        relabel(pets, "dog", "wolf")


def test_an_import_is_refused_whole_and_names_file_and_label(pets: Repository, tmp_path: Path) -> None:
    stock(pets, "Main", {"sam.jpg": (jpeg("sam"), [box("dog", number=5)])})
    lock_schema(pets, unlock=True)
    annotate(pets, add(box("cat", number=6)))
    export(pets, ["Main"], tmp_path / "out", format="tdvc-jsonl", everything=True)
    annotate(pets, lines({"op": "remove", "path": "tom.jpg", "instance_id": identity(6)}))
    with Evolution(pets, "schema narrow") as evolution:
        evolution.change(replace(evolution.schema, labels={"dog": evolution.schema.labels["dog"]}, locked=True))
    with unchanged(pets), fails(SchemaError, "schema-locked") as caught:
        import_(pets, tmp_path / "out")
    assert "tom.jpg" in caught.value.message or "rex.jpg" in caught.value.message


def test_a_schema_that_defines_no_attribute_takes_any(repository: Repository) -> None:
    stock(repository, "Main", {"tom.jpg": (jpeg("tom"), [box("dog")])})
    lock_schema(repository)
    annotate(repository, add(box("dog", attributes={"pose": "left"})))
    assert labels(repository, "Main", "tom.jpg") == ["dog", "dog"]
