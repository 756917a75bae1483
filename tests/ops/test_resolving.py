"""Resolving: which conflicts an address means, and what each side comes to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tdvc.errors import NotFound, Refused, SchemaError, Usage
from tdvc.model import numbers
from tdvc.model.schema import decode_schema
from tdvc.ops.annotate import annotate, complete
from tdvc.ops.committing import commit
from tdvc.ops.merging import conflicts, merge
from tdvc.ops.resolving import resolve, set_place
from tdvc.ops.transfer import copy, remove
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, identity, jpeg, lines, stock, unchanged

PATHS = ("day/a.jpg", "night/a#1.jpg", "night/b.jpg")


@pytest.fixture
def torn(repository: Repository) -> Repository:
    """A merge of Alice into Main: labels of 1 and 2, an attribute of 1, in each picture; 3 is edited and removed."""
    drawn = [box("dog", number=number, attributes={"age": 1}) for number in (1, 2, 3)]
    stock(repository, "Main", {path: (jpeg(path), drawn) for path in PATHS})
    commit(repository, "first", "Main")
    copy(repository, ["Main"], "Alice", with_instances=True)
    commit(repository, "copied", "Alice")
    for name, label, age in (("Alice", "wolf", 2), ("Main", "fox", 3)):
        sets = ((1, {"label": label, "attributes": {"age": age}}), (2, {"label": label}))
        edits = [
            {"op": "update", "path": path, "instance_id": identity(number), "set": fields}
            for path in PATHS
            for number, fields in sets
        ]
        annotate(repository, lines(*edits), name)
    third = [{"path": path, "instance_id": identity(3)} for path in PATHS]
    annotate(repository, lines(*({"op": "remove", **edit} for edit in third)), "Main")
    annotate(repository, lines(*({"op": "update", **edit, "set": {"label": "wolf"}} for edit in third)), "Alice")
    for name in ("Main", "Alice"):
        commit(repository, "work", name)
    assert len(merge(repository, "Alice", "Main").conflicts) == 12
    return repository


def left(repository: Repository) -> list[str]:
    return [found.address.replace("0" * 31, "") for found in conflicts(repository, "Main").conflicts]


def seen(repository: Repository, path: str = PATHS[0]) -> dict[str, tuple[str, Any]]:
    file = repository["Main"][path]
    return {i.instance_id.lstrip("0")[:4]: (i.label, i.attribute_values.get("age")) for i in file.instances}


@pytest.mark.parametrize(
    ("selectors", "resolved"),
    [
        ([], 12),
        (["*"], 12),
        (["night"], 8),
        (["night/"], 8),
        (["night/*.jpg"], 8),
        (["night/b.jpg"], 4),
        (["night/a#1.jpg"], 4),
        ([f"night/a#1.jpg#{identity(1)}"], 2),
        ([f"night/a#1.jpg#{identity(1)}.label"], 1),
        ([f"night/*#{identity(2)}"], 2),
        (["day/a.jpg", "day/a.jpg", "day"], 4),
    ],
)
def test_an_address_means_all_below_it(torn: Repository, selectors: list[str], resolved: int) -> None:
    result = resolve(torn, selectors, "Main", take="theirs")
    assert (result.resolved_conflicts, result.left_conflicts) == (resolved, 12 - resolved)
    assert len(left(torn)) == 12 - resolved


@pytest.mark.parametrize(
    "selector", ["nowhere.jpg", "day/a.jpg#ffff", "day/a.jpg#bytes", "schema:*", "#", "day/a.jpg#."]
)
def test_an_address_that_means_nothing_is_refused(torn: Repository, selector: str) -> None:
    with fails(NotFound, "conflict-not-found"), unchanged(torn):
        resolve(torn, [selector], "Main")


def test_digits_that_fit_several_instances_are_refused(torn: Repository) -> None:
    with fails(Usage, "bad-usage"), unchanged(torn):
        resolve(torn, ["day/a.jpg#0000"], "Main")


@pytest.mark.parametrize(
    ("take", "expected"),
    [
        ("ours", {"1": ("fox", 3), "2": ("fox", 1)}),
        ("theirs", {"1": ("wolf", 2), "2": ("wolf", 1), "3": ("wolf", 1)}),
        ("base", {"1": ("dog", 1), "2": ("dog", 1), "3": ("dog", 1)}),
    ],
)
def test_a_side_is_taken(torn: Repository, take: str, expected: dict[str, tuple[str, int]]) -> None:
    before = held(torn, "Main")
    resolve(torn, ["day"], "Main", take=take)
    assert seen(torn) == expected
    assert seen(torn, "night/b.jpg") == {"1": ("fox", 3), "2": ("fox", 1)}
    undo(torn)
    assert (held(torn, "Main"), len(left(torn))) == (before, 12)


def test_both_versions_of_an_instance_can_stay(torn: Repository) -> None:
    resolve(torn, ["day"], "Main", take="both")
    found = torn["Main"]["day/a.jpg"].instances
    kept = sorted((i.label, i.attribute_values["age"]) for i in found)
    assert kept == [("fox", 1), ("fox", 3), ("wolf", 1), ("wolf", 1), ("wolf", 2)]
    assert {identity(number) for number in (1, 2, 3)} < {i.instance_id for i in found}


@pytest.mark.parametrize(
    ("address", "value", "expected"),
    [
        (f"#{identity(1)}.label", '"lynx"', ("lynx", 3)),
        (f"#{identity(1)}.attributes.age", "7.50", ("fox", 7.5)),
    ],
)
def test_another_value_can_be_given(torn: Repository, address: str, value: str, expected: tuple[str, Any]) -> None:
    resolve(torn, [f"day/a.jpg{address}"], "Main", value=value)
    assert seen(torn)["1"] == expected


def test_an_instance_can_be_given_whole(torn: Repository) -> None:
    fields = {"label": "lynx", "type": "point", "geometry": [1, 2]}
    resolve(torn, [f"day/a.jpg#{identity(3)}"], "Main", value=json.dumps(fields))
    third = next(i for i in torn["Main"]["day/a.jpg"].instances if i.instance_id == identity(3))
    assert (third.label, third.coordinates) == ("lynx", [1, 2])


@pytest.mark.parametrize(
    ("address", "value", "kind", "code"),
    [
        (f"day/a.jpg#{identity(1)}.label", "lynx", Usage, "bad-usage"),
        (f"day/a.jpg#{identity(1)}.label", "7", SchemaError, "bad-instance"),
        (f"day/a.jpg#{identity(1)}.label", '"a" x', Usage, "bad-usage"),
        (f"day/a.jpg#{identity(3)}", '{"label": "x"}', SchemaError, "bad-instance"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    torn: Repository, address: str, value: str, kind: type, code: str
) -> None:
    with fails(kind, code), unchanged(torn):
        resolve(torn, [address], "Main", value=value)


def test_a_side_that_does_not_exist_is_refused(torn: Repository) -> None:
    with fails(Usage, "bad-usage"), unchanged(torn):
        resolve(torn, [], "Main", take="mine")


def test_a_dry_run_changes_nothing(torn: Repository) -> None:
    with unchanged(torn):
        result = resolve(torn, [], "Main", take="theirs", dry_run=True)
    assert (result.resolved_conflicts, result.left_conflicts) == (12, 0)


def test_what_was_edited_meanwhile_stays(torn: Repository) -> None:
    edit = {"op": "update", "path": PATHS[0], "instance_id": identity(1), "set": {"geometry": [5, 5, 6, 6]}}
    annotate(torn, lines(edit), "Main")
    resolve(torn, [f"day/a.jpg#{identity(1)}.label"], "Main", take="theirs")
    found = next(i for i in torn["Main"]["day/a.jpg"].instances if i.instance_id == identity(1))
    assert (found.label, found.coordinates, found.attribute_values) == ("wolf", [5, 5, 6, 6], {"age": 3})


def test_what_is_gone_meanwhile_can_be_left_gone(torn: Repository) -> None:
    annotate(torn, lines({"op": "remove", "path": PATHS[0], "instance_id": identity(1)}), "Main")
    with fails(NotFound, "instance-not-found"), unchanged(torn):
        resolve(torn, [f"day/a.jpg#{identity(1)}"], "Main", take="theirs")
    remove(torn, ["Main:night"])
    with fails(NotFound, "file-not-found"), unchanged(torn):
        resolve(torn, ["night"], "Main", take="theirs")
    resolve(torn, [], "Main", take="ours")
    assert left(torn) == []


def test_without_a_merge_there_is_nothing_to_resolve(torn: Repository) -> None:
    with fails(Refused, "no-merge"), unchanged(torn):
        resolve(torn, [], "Alice")


def test_a_mark_and_a_second_file_at_one_path(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box(number=1)])})
    complete(repository, ["a.jpg"])
    commit(repository, "first")
    copy(repository, ["Main"], "Alice", with_instances=True)
    commit(repository, "copied", "Alice")
    for name in ("Main", "Alice"):
        with repository.transaction("add") as edit:
            edit.add_bytes(name, "new.jpg", name.encode())
        commit(repository, "added", name)
    assert [found.address for found in merge(repository, "Alice", "Main").conflicts] == ["new.jpg#path"]
    resolve(repository, ["new.jpg"], "Main", take="both")
    assert {path: content for path, (content, _) in held(repository, "Main").items() if "new" in path} == {
        "new.jpg": b"Main",
        "new (2).jpg": b"Alice",
    }
    undo(repository)
    resolve(repository, ["new.jpg"], "Main", value='"other/new.jpg"')
    assert repository["Main"]["other/new.jpg"].read() == b"Alice"
    undo(repository)
    with fails(Refused, "file-exists"), unchanged(repository):
        resolve(repository, ["new.jpg"], "Main", value='"a.jpg"')
    with fails(Usage, "bad-path"), unchanged(repository):
        resolve(repository, ["new.jpg"], "Main", value='"../a.jpg"')
    with fails(Usage, "bad-usage"), unchanged(repository):
        resolve(repository, ["new.jpg"], "Main", value="3")


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("labels.dog.name", "Hound", {"labels": {"dog": {"index": 0, "name": "Hound"}}}),
        ("labels.dog", None, {"labels": {}}),
        ("labels.dog.colour", "#ff0000", {"labels": {"dog": {"index": 0, "name": "dog", "colour": "#ff0000"}}}),
    ],
)
def test_a_place_in_a_schema_is_put_right(place: str, value: Any, expected: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"labels": {"dog": {"index": 0, "name": "dog"}}}
    set_place(fields, place, value)
    assert fields == expected


def test_options_and_keys_with_dots_are_found() -> None:
    fields = numbers.parse(
        b'{"attributes":{"a.b":{"kind":"select","options":[{"key":"x.y","name":"X"},{"key":"z"}]}},'
        b'"labels":{"a":{"index":0,"name":"a"},"a.b":{"index":1,"name":"ab"}},"version":1}'
    )
    set_place(fields, "labels.a.b.name", "AB")
    set_place(fields, "attributes.a.b.options.x.y.name", "XY")
    set_place(fields, "attributes.a.b.options.z", None)
    set_place(fields, "attributes.a.b.options.new", {"key": "new"})
    found = decode_schema(numbers.spell(fields))
    assert (found.labels["a"].name, found.labels["a.b"].name) == ("a", "AB")
    assert [(option.key, option.name) for option in found.attributes["a.b"].options] == [("x.y", "XY"), ("new", "")]
