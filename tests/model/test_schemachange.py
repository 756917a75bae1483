from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.model.schema import Label, Option, Schema, schema_from
from tdvc.model.schemachange import compare_schemas, merge_schemas
from tests.model.schemas import FULL, TRAFFIC, changed

BASE = schema_from(TRAFFIC)


def without(schema: Schema, section: str, key: str) -> Schema:
    return replace(schema, **{section: {k: v for k, v in getattr(schema, section).items() if k != key}})


def words(after: Schema, before: Schema = BASE) -> list[str]:
    return [change.words for change in compare_schemas(before, after)]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (BASE, []),
        (BASE.learned(["dog"]), ["label dog added"]),
        (without(BASE, "labels", "car"), ["label car removed"]),
        (changed(BASE, "labels", "car", name="Auto"), ["label car: renamed car -> Auto"]),
        (changed(BASE, "labels", "car", deprecated=True), ["label car: deprecated"]),
        (changed(BASE, "labels", "car", aliases=("auto",)), ["label car: aliases +auto"]),
        (changed(BASE, "labels", "car", guide="x"), ["label car: guide written"]),
        (changed(BASE, "labels", "car", types={"box": "denied"}), ["label car: types box - -> denied"]),
        (changed(BASE, "labels", "light", attributes=()), ["label light: attributes -state"]),
        (
            changed(BASE, "attributes", "state", options=(Option("green", "Green"), Option("off"))),
            ["attribute state: option off added", "attribute state: option red removed"],
        ),
        (
            changed(BASE, "attributes", "state", options=(Option("green", "Grün"), Option("red", "Red"))),
            ["attribute state: option green: renamed Green -> Grün", "attribute state: options in another order"],
        ),
        (changed(BASE, "attributes", "state", required=True), ["attribute state: required"]),
        (
            replace(BASE, locked=True, file_attributes=("since",)),
            ["the schema: file_attributes +since", "the schema: locked"],
        ),
    ],
)
def test_differences_in_words(after: Schema, expected: list[str]) -> None:
    assert words(after) == expected


def test_a_difference_has_path_before_and_after() -> None:
    (change,) = compare_schemas(BASE, changed(BASE, "labels", "car", name="Auto"))
    assert (change.path, change.kind, change.before, change.after) == ("labels.car.name", "changed", "car", "Auto")


def test_everything_that_a_full_schema_has_is_told() -> None:
    full = schema_from(FULL)
    assert {change.kind for change in compare_schemas(Schema(), full)} == {"added", "changed"}
    assert words(full, full) == []
    assert len(words(Schema(), full)) == len(words(full, Schema()))


# merging


def merged(ours: Schema, theirs: Schema, base: Schema = BASE) -> Schema:
    result, conflicts = merge_schemas(base, ours, theirs)
    assert conflicts == []
    return result


def test_changes_of_different_fields_come_together() -> None:
    ours = changed(BASE, "labels", "car", name="Auto", aliases=("a",), types={"box": "allowed"})
    theirs = changed(BASE, "labels", "car", colour="#ff0000", aliases=("b",), types={"mask": "allowed"})
    car = merged(ours, theirs).labels["car"]
    assert (car.name, car.colour, car.aliases) == ("Auto", "#ff0000", ("a", "b"))
    assert car.types == {"box": "allowed", "mask": "allowed"}


def test_options_come_together_by_key() -> None:
    state = BASE.attributes["state"]
    ours = changed(BASE, "attributes", "state", options=(*state.options, Option("amber")))
    theirs = changed(BASE, "attributes", "state", options=(Option("red", "Rot"), Option("off")))
    assert merged(ours, theirs).attributes["state"].options == (Option("red", "Rot"), Option("amber"), Option("off"))


def test_what_one_side_removed_is_gone_and_what_both_did_is_no_conflict() -> None:
    ours = without(BASE, "labels", "car")
    theirs = changed(BASE, "labels", "light", name="Signal")
    assert merged(ours, theirs) == changed(ours, "labels", "light", name="Signal")
    assert merged(ours, ours) == ours


def test_new_labels_with_one_index_between_them_get_another() -> None:
    ours, theirs = BASE.learned(["dog"]), BASE.learned(["cat", "cow"])
    found = {key: label.index for key, label in merged(ours, theirs).labels.items()}
    assert found == {"light": 0, "car": 1, "dog": 2, "cow": 3, "cat": 4}


def test_one_label_learned_on_both_sides_is_one_label() -> None:
    ours, theirs = BASE.learned(["dog", "cat"]), BASE.learned(["cat"])
    assert merged(ours, theirs) == ours
    named = changed(theirs, "labels", "cat", name="Cat")
    assert merged(ours, named).labels["cat"] == Label("cat", "Cat", 3)


@pytest.mark.parametrize(
    ("ours", "theirs", "path", "values", "kept"),
    [
        (
            changed(BASE, "labels", "car", name="Auto"),
            changed(BASE, "labels", "car", name="Wagen"),
            "labels.car.name",
            ("car", "Auto", "Wagen"),
            lambda schema: schema.labels["car"].name == "Auto",
        ),
        (
            changed(BASE, "labels", "light", types={"box": "denied", "polygon": "allowed"}),
            changed(BASE, "labels", "light", types={"polygon": "allowed"}),
            "labels.light.types.box",
            ("default", "denied", None),
            lambda schema: schema.labels["light"].types["box"] == "denied",
        ),
        (
            changed(BASE, "attributes", "state", options=(Option("red", "A"), Option("green", "Green"))),
            changed(BASE, "attributes", "state", options=(Option("red", "B"), Option("green", "Green"))),
            "attributes.state.options.red.name",
            ("Red", "A", "B"),
            lambda schema: schema.attributes["state"].options[0].name == "A",
        ),
        (
            replace(BASE, labels={"light": BASE.labels["light"]}),
            changed(BASE, "labels", "car", name="Auto"),
            "labels.car",
            None,
            lambda schema: schema.labels["car"].name == "Auto",
        ),
    ],
)
def test_what_both_can_not_have_is_a_conflict(ours: Schema, theirs: Schema, path: str, values: Any, kept: Any) -> None:
    result, (conflict,) = merge_schemas(BASE, ours, theirs)
    assert conflict.path == path
    assert kept(result)
    if values is not None:
        assert (conflict.base, conflict.ours, conflict.theirs) == values


def test_what_makes_no_sense_together_is_a_conflict() -> None:
    ours = without(changed(BASE, "attributes", "parked", when=()), "attributes", "since")
    theirs = changed(BASE, "labels", "light", attributes=("state", "since"))
    _, (conflict,) = merge_schemas(BASE, ours, theirs)
    assert conflict.path == "labels.light.attributes"
    assert "since" in conflict.reason


def test_two_names_that_clash_only_together_are_a_conflict() -> None:
    ours, theirs = changed(BASE, "labels", "car", name="It"), changed(BASE, "labels", "light", name="It")
    _, (conflict,) = merge_schemas(BASE, ours, theirs)
    assert "It" in conflict.reason


names = st.sampled_from(["a", "b", "c", "d"])
labels = st.dictionaries(names, st.tuples(names, st.booleans(), st.lists(names, unique=True, max_size=2)), max_size=3)


def built(given: dict[str, tuple[str, bool, list[str]]]) -> Schema:
    return Schema(
        labels={
            key: Label(key, key + name, index, aliases=tuple(f"{key}:{alias}" for alias in aliases), deprecated=old)
            for index, (key, (name, old, aliases)) in enumerate(given.items())
        }
    )


@given(labels, labels, labels)
def test_merging_follows_its_laws(base: Any, ours: Any, theirs: Any) -> None:
    was, our, their = built(base), built(ours), built(theirs)
    assert merge_schemas(was, our, was) == (our, [])
    assert merge_schemas(was, was, their) == (their, [])
    assert merge_schemas(was, our, our) == (our, [])
    result, conflicts = merge_schemas(was, our, their)
    _, mirrored = merge_schemas(was, their, our)
    assert {conflict.path for conflict in conflicts} == {conflict.path for conflict in mirrored}
    assert len({label.index for label in result.labels.values()}) == len(result.labels)


@given(labels, labels)
def test_schemas_differ_where_comparing_says_so(a: Any, b: Any) -> None:
    before, after = built(a), built(b)
    assert bool(compare_schemas(before, after)) == (before.encode() != after.encode())
