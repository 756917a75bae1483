"""Changes of the schema that touch instances: exactly those, in one operation, and nothing that can't be decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Conflict, NotFound, Refused, Usage
from tdvc.model.schema import schema_from
from tdvc.model.schematext import schema_text
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.evolution import Evolution, with_label_of
from tdvc.ops.schema import import_schema, lock_schema, use_schema
from tdvc.ops.schemachange import change_type, delete_label, merge_labels, move_attribute, split_label
from tdvc.ops.transfer import mirror
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.model.schemas import TRAFFIC
from tests.ops.build import box, fails, identity, jpeg, labels, lines, operation_count, stock, unchanged

RING = {"type": "polygon", "geometry": [[[1.5, 2, 30, 4, 5, 60]]]}


@pytest.fixture
def streets(repository: Repository, tmp_path: Path) -> Repository:
    """Traffic lights in three states and one that says nothing; Signals mirrors one file; both have commits."""
    stock(
        repository,
        "Main",
        {
            "a.jpg": (
                jpeg("a"),
                [
                    box("light", number=1, attributes={"state": "red"}),
                    box("light", number=2, attributes={"state": "green"}, **RING),
                    box("car", number=3, attributes={"parked": True, "since": "18:30"}),
                ],
            ),
            "b.jpg": (jpeg("b"), [box("light", number=4), box("car", number=5, **RING)]),
            "c.jpg": (jpeg("c"), [box("car", number=6)]),
        },
    )
    place = tmp_path / "traffic.toml"
    place.write_text(schema_text(schema_from(TRAFFIC)), encoding="utf-8")
    import_schema(repository, place)
    commit(repository, "first")
    mirror(repository, ["Main:a.jpg"], "Signals")
    commit(repository, "signals", "Signals")
    return repository


def by_id(repository: Repository, revision: str = "Main") -> dict[int, Any]:
    return {int(i.instance_id, 16): i for file in repository[revision] for i in file.instances}


def touched(repository: Repository, name: str) -> set[int]:
    """The instances that a directory's last commit changed."""
    return {
        int(instance.instance_id, 16)
        for change in diff(repository, f"{name}~1", f"{name}@")
        for instance in change.instances
    }


def test_merging_is_one_commit_whose_diff_is_exactly_what_was_touched(streets: Repository) -> None:
    count = operation_count(streets)
    result = merge_labels(streets, ["light"], "car")
    assert operation_count(streets) == count + 1
    assert (result.files, result.instances, result.to_do) == (2, 3, [])
    assert sorted(result.paths) == ["Main:a.jpg", "Main:b.jpg"]
    assert sorted(result.commits) == ["Main", "Signals"]
    assert touched(streets, "Main") == {1, 2, 4}
    assert touched(streets, "Signals") == {1, 2}
    car = streets["Main"].schema.labels["car"]
    assert (list(streets["Main"].schema.labels), car.aliases) == (["car"], ("light", "Traffic light"))
    assert set(streets["Main~1"].schema.labels) == {"car", "light"}
    assert labels(streets, "Main~1", "b.jpg") == ["car", "light"]


def test_several_labels_of_one_file_are_merged_together(streets: Repository) -> None:
    with Evolution(streets, "schema grow") as evolution:
        evolution.change(evolution.schema.learned(["thing"]))
    result = merge_labels(streets, ["light", "car"], "thing")
    assert (result.files, result.instances) == (3, 6)
    assert list(streets["Main"].schema.labels) == ["thing"]
    assert {instance.label for instance in by_id(streets).values()} == {"thing"}


def test_splitting_by_an_attribute_is_one_commit_whose_diff_is_exactly_what_was_touched(streets: Repository) -> None:
    result = split_label(streets, "Traffic light", "state")
    assert (result.files, result.instances) == (1, 2)
    assert [(item.place, item.instance_id) for item in result.to_do] == [("Main:b.jpg", identity(4))]
    assert touched(streets, "Main") == touched(streets, "Signals") == {1, 2}
    assert {number: instance.label for number, instance in by_id(streets).items()} == {
        1: "Red",
        2: "Green",
        3: "car",
        4: "light",
        5: "car",
        6: "car",
    }
    schema = streets["Main"].schema
    assert schema.labels["Red"].types == schema.labels["light"].types
    assert {label.index for label in schema.labels.values()} == {0, 1, 2, 3}
    assert not schema.labels["light"].deprecated


def test_a_label_of_which_nothing_is_left_is_deprecated(streets: Repository) -> None:
    annotate(streets, lines({"op": "remove", "path": "b.jpg", "instance_id": identity(4)}))
    commit(streets, "no unknown light")
    split_label(streets, "light", "state", {"red": "stop", "green": "go"})
    assert streets["Main"].schema.labels["light"].deprecated
    assert labels(streets, "Main", "a.jpg") == ["car", "go", "stop"]


@pytest.mark.parametrize(
    ("into", "expected"),
    [
        ({"state=red": "Red"}, {1: "Red", 2: "light"}),
        ({"state=red": "car"}, {1: "car", 2: "light"}),
        ({"state=red": "Red", "state=green": "Red"}, {1: "Red", 2: "Red"}),
        ({"state=blue": "Blue"}, {1: "light", 2: "light"}),
    ],
)
def test_conditions_of_a_split(streets: Repository, into: dict[str, str], expected: dict[int, str]) -> None:
    split_label(streets, "light", into=into)
    found = by_id(streets)
    assert {number: found[number].label for number in expected} == expected


@pytest.mark.parametrize(
    ("value", "answer"),
    [(True, "true"), (1.0, "1"), (["x", "y"], "y"), ("so", "so")],
    ids=["truth", "number", "list", "text"],
)
def test_answers_of_every_kind_can_be_a_condition(streets: Repository, value: Any, answer: str) -> None:
    edit = {"op": "update", "path": "c.jpg", "instance_id": identity(6), "set": {"attributes": {"q": value}}}
    annotate(streets, lines(edit))
    split_label(streets, "car", into={f"q={answer}": "van"})
    assert labels(streets, "Main", "c.jpg") == ["van"]
    assert labels(streets, "Main", "b.jpg") == ["car", "light"]


def test_deleting_a_label_in_use_needs_a_place_for_its_instances(streets: Repository) -> None:
    with unchanged(streets), fails(Refused, "label-in-use"):
        delete_label(streets, "light")
    delete_label(streets, "light", "car")
    assert touched(streets, "Main") == {1, 2, 4}


def test_deleting_an_unused_label_leaves_what_was_below_it_below_its_parent(streets: Repository) -> None:
    base = streets["Main"].schema.learned(["top", "middle", "low"])
    found = {
        **base.labels,
        "middle": replace(base.labels["middle"], parent="top"),
        "low": replace(base.labels["low"], parent="middle"),
    }
    with Evolution(streets, "schema grow") as evolution:
        evolution.change(replace(base, labels=found))
    delete_label(streets, "middle")
    assert streets["Main"].schema.labels["low"].parent == "top"


def test_moving_an_attribute_changes_no_instance_and_lists_those_that_answer_it(streets: Repository) -> None:
    result = move_attribute(streets, "parked", "car", "light")
    schema = streets["Main"].schema
    assert (schema.labels["car"].attributes, schema.labels["light"].attributes) == ((), ("state", "parked"))
    assert (result.files, result.instances) == (0, 0)
    assert [(item.instance_id, item.reason) for item in result.to_do] == [
        (identity(3), "answers parked, since, which is not asked of car any more")
    ]
    assert by_id(streets)[3].attribute_values == {"parked": True, "since": "18:30"}


@pytest.mark.parametrize(
    ("source", "target", "numbers", "geometry"),
    [
        ("polygon", "box", {2, 5}, b"[1.5,2,30,60]"),
        ("box", "polygon", {1, 3, 4, 6}, b"[[[0,0,10,0,10,10,0,10]]]"),
    ],
)
def test_changing_a_type_is_exact(
    streets: Repository, source: str, target: str, numbers: set[int], geometry: bytes
) -> None:
    for label in ("light", "car"):
        assert change_type(streets, label, source, target).to_do == []
    found = by_id(streets)
    assert {number for number in found if bytes(found[number].geometry) == geometry} == numbers
    assert {found[number].type for number in numbers} == {target}
    assert found[2].attribute_values == {"state": "green"}


def test_a_type_that_can_not_be_changed_exactly_is_left_to_do(streets: Repository) -> None:
    result = change_type(streets, "light", "box", "mask")
    assert sorted(item.instance_id for item in result.to_do) == [identity(1), identity(4)]
    assert (result.files, by_id(streets)[1].type) == (0, "box")
    types = streets["Main"].schema.labels["light"].types
    assert types == {"polygon": "allowed", "box": "allowed", "mask": "default"}


def test_the_types_of_the_label_follow(streets: Repository) -> None:
    change_type(streets, "light", "polygon", "box")
    assert streets["Main"].schema.labels["light"].types == {"box": "default"}
    change_type(streets, "car", "polygon", "box")
    assert streets["Main"].schema.labels["car"].types == {}


CHANGES = {
    "merge": lambda r, **o: merge_labels(r, ["light"], "car", **o),
    "split": lambda r, **o: split_label(r, "light", "state", **o),
    "delete": lambda r, **o: delete_label(r, "light", "car", **o),
    "move": lambda r, **o: move_attribute(r, "parked", "car", "light", **o),
    "type": lambda r, **o: change_type(r, "light", "polygon", "box", **o),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_is_one_operation_that_undo_takes_back(streets: Repository, name: str) -> None:
    before, count = streets.view, operation_count(streets)
    CHANGES[name](streets)
    assert operation_count(streets) == count + 1
    assert streets.view != before
    undo(streets)
    assert streets.view == before


@pytest.mark.parametrize("name", CHANGES)
def test_a_dry_run_counts_the_same_and_changes_nothing(streets: Repository, name: str) -> None:
    with unchanged(streets):
        planned = CHANGES[name](streets, dry_run=True)
    done = CHANGES[name](streets)
    for field in ("files", "instances", "paths", "to_do", "changes", "staged_directories"):
        assert getattr(planned, field) == getattr(done, field)
    assert planned.commits.keys() == done.commits.keys()


@pytest.mark.parametrize("name", CHANGES)
def test_each_can_be_kept_to_a_directory_with_its_own_schema(streets: Repository, name: str) -> None:
    with unchanged(streets), fails(Refused, "schema-followed"):
        CHANGES[name](streets, directory="Signals")
    stock(streets, "Own", {"x.jpg": (jpeg("x"), [box("light", number=9, attributes={"state": "red"}, **RING)])})
    commit(streets, "own", "Own")
    use_schema(streets, "Own", "Own")
    main = streets["Main"].root, streets["Main"].schema
    result = CHANGES[name](streets, directory="Own")
    assert list(result.commits) == ["Own"]
    assert (streets["Main"].root, streets["Main"].schema) == main


def test_a_directory_with_staged_edits_keeps_them_staged(streets: Repository) -> None:
    annotate(streets, lines({"op": "add", "path": "c.jpg", "instance": box("car", number=7)}))
    last = streets.view.directories["Main"].commit
    result = merge_labels(streets, ["light"], "car")
    assert (list(result.commits), result.staged_directories) == (["Signals"], ["Main"])
    assert streets.view.directories["Main"].commit == last
    assert labels(streets, "Main", "b.jpg") == ["car", "car"]
    assert labels(streets, "Main", "c.jpg") == ["car", "car"]


def test_a_locked_schema_can_be_changed_on_purpose(streets: Repository) -> None:
    lock_schema(streets)
    split_label(streets, "light", "state")
    assert "Red" in streets["Main"].schema.labels


def test_what_comes_in_meanwhile_is_not_left_behind(streets: Repository) -> None:
    with Evolution(streets, "schema slow") as slow:
        slow.rewrite(["light"], lambda instance: with_label_of(instance, "car"))
        stock(streets, "Night", {"n.jpg": (jpeg("n"), [])})
        annotate(streets, lines({"op": "add", "path": "c.jpg", "instance": box("light", number=8)}))
        with fails(Conflict, "changed-meanwhile"):
            slow.change(slow.schema)


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        (lambda r: merge_labels(r, ["horse"], "car"), NotFound, "label-not-found"),
        (lambda r: merge_labels(r, ["car"], "car"), Usage, "bad-usage"),
        (lambda r: merge_labels(r, [], "car"), Usage, "bad-usage"),
        (lambda r: split_label(r, "light"), Usage, "bad-usage"),
        (lambda r: split_label(r, "light", into={"red": "Red"}), Usage, "bad-usage"),
        (lambda r: split_label(r, "light", "size"), NotFound, "attribute-not-found"),
        (lambda r: split_label(r, "car", "parked"), Usage, "bad-usage"),
        (lambda r: delete_label(r, "horse"), NotFound, "label-not-found"),
        (lambda r: move_attribute(r, "state", "car", "light"), NotFound, "attribute-not-found"),
        (lambda r: move_attribute(r, "size", "car", "light"), NotFound, "attribute-not-found"),
        (lambda r: move_attribute(r, "parked", "car", "car"), Usage, "bad-usage"),
        (lambda r: change_type(r, "car", "box", "bax"), Usage, "bad-usage"),
        (lambda r: change_type(r, "car", "box", "box"), Usage, "bad-usage"),
    ],
)
def test_what_makes_no_sense_is_refused(streets: Repository, change: Any, kind: Any, code: str) -> None:
    with unchanged(streets), fails(kind, code):
        change(streets)
