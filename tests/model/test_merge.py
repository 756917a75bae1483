"""Three-way merges of instance sets: what must hold for any three sets, and what each kind of change comes to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.model import numbers
from tdvc.model.merge import (
    ABSENT,
    UNSETTLED,
    SetMerge,
    cells_of,
    instance_from,
    merge_sets,
    settle,
    settled_instances,
)
from tdvc.model.records import Instance, make_instance, same_instance


def one(number: int = 1, label: str = "dog", at: Iterable[Any] = (0, 0, 9, 9), **fields: Any) -> Instance:
    made = {"instance_id": f"{number:032x}", "label": label, "type": "box", "geometry": list(at), **fields}
    return make_instance(made)


def shown(instances: Iterable[Instance]) -> dict[str, dict[str, Any]]:
    return {i.instance_id[-1]: cells_of(i) for i in instances}


def same(a: Iterable[Instance], b: Iterable[Instance]) -> bool:
    a, b = list(a), list(b)
    return len(a) == len(b) and all(same_instance(x, y) for x, y in zip(a, b, strict=True))


def asked(merged: SetMerge) -> list[str]:
    return [f"{conflict.instance_id[-1]}.{conflict.field}" for conflict in merged.conflicts]


DOG = one()
MOVED = one(at=(1, 1, 9, 9))
CAT = one(label="cat")
OLD = one(attributes={"age": 9})
YOUNG = one(attributes={"age": 1})
BOTH = one(attributes={"age": 1, "sex": "f"})


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected", "conflicts"),
    [
        ([], [], [], [], []),
        ([DOG], [MOVED], [CAT], [one(label="cat", at=(1, 1, 9, 9))], []),
        ([DOG], [MOVED], [DOG], [MOVED], []),
        ([DOG], [DOG], [], [], []),
        ([DOG], [], [DOG], [], []),
        ([], [DOG], [one(2)], [DOG, one(2)], []),
        ([DOG], [], [CAT], [], ["1.presence"]),
        ([DOG], [CAT], [], [CAT], ["1.presence"]),
        ([DOG], [CAT], [one(label="cow")], [CAT], ["1.label"]),
        ([DOG], [CAT], [CAT], [CAT], []),
        ([DOG], [MOVED], [one(at=(2, 2, 9, 9))], [MOVED], ["1.geometry"]),
        # attributes key by key
        ([DOG], [YOUNG], [one(attributes={"sex": "f"})], [BOTH], []),
        ([DOG], [YOUNG], [OLD], [YOUNG], ["1.attributes.age"]),
        ([BOTH], [YOUNG], [one(attributes={"age": 2, "sex": "f"})], [one(attributes={"age": 2})], []),
        ([YOUNG], [DOG], [OLD], [DOG], ["1.attributes.age"]),
        ([DOG], [one(properties={"a": {"b": 1}})], [one(properties={"c": None})],
         [one(properties={"a": {"b": 1}, "c": None})], []),
        ([DOG], [one(frame=1)], [one(score=0.5)], [one(frame=1, score=0.5)], []),
        ([DOG], [one(sequence="a")], [one(sequence="b")], [one(sequence="a")], ["1.sequence"]),
        # the same id made on both sides
        ([], [DOG], [MOVED], [DOG], ["1.geometry"]),
        # what a person touched is a person's
        ([one(source="import")], [one(source="human")], [one(source="model-1")], [one(source="human")], []),
        ([one(source="import")], [one(source="model-1")], [one(source="model-2")], [one(source="model-2")], []),
    ],
)  # fmt: skip
def test_what_changes_come_to(
    base: list[Instance],
    ours: list[Instance],
    theirs: list[Instance],
    expected: list[Instance],
    conflicts: list[str],
) -> None:
    merged = merge_sets(base, ours, theirs)
    assert shown(merged.instances) == shown(expected)
    assert asked(merged) == conflicts


def test_a_conflict_says_what_each_side_has() -> None:
    at = [numbers.Number("0"), numbers.Number("0"), numbers.Number("9"), numbers.Number("9.50")]
    merged = merge_sets([DOG], [one(at=at)], [MOVED])
    (found,) = merged.conflicts
    assert bytes(found.ours) == b'{"geometry":[0,0,9,9.50],"type":"box"}'
    assert bytes(found.theirs) == b'{"geometry":[1,1,9,9],"type":"box"}'
    assert bytes(found.base) == b'{"geometry":[0,0,9,9],"type":"box"}'


def test_another_spelling_of_a_number_is_no_change() -> None:
    spelled = one(at=[numbers.Number(text) for text in ("0.0", "0", "9e0", "9")])
    assert asked(merge_sets([DOG], [spelled], [MOVED])) == []
    assert same(merge_sets([DOG], [spelled], [MOVED]).instances, [MOVED])
    assert merge_sets([DOG], [spelled], [DOG]).instances == [spelled]


def test_sides_may_have_begun_with_different_sets() -> None:
    """As when two people copied one file at different times."""
    later = [CAT, one(2)]
    assert asked(merge_sets([DOG], [DOG], [CAT], theirs_base=[CAT])) == ["1.label"]
    assert same(merge_sets([DOG], [MOVED], [CAT], theirs_base=[DOG]).instances, [one(label="cat", at=(1, 1, 9, 9))])
    begun_empty = merge_sets([], [one(3)], later, theirs_base=later)
    assert (asked(begun_empty), len(begun_empty.instances)) == ([], 3)


# any three sets

labels = st.sampled_from(["dog", "cat"])
places = st.tuples(st.integers(0, 2), st.integers(0, 1), st.integers(3, 4), st.integers(3, 4))
attributes = st.dictionaries(st.sampled_from("ab"), st.sampled_from([1, "x", None, True]), max_size=2)
instances = st.builds(
    lambda number, label, at, values, source: one(number, label, at, attributes=values, source=source),
    st.integers(1, 3),
    labels,
    places,
    attributes,
    st.sampled_from([None, "human", "import", "model"]),
)
sets = st.lists(instances, max_size=3, unique_by=lambda instance: instance.instance_id).map(
    lambda found: sorted(found, key=lambda instance: instance.instance_id)
)


@settings(max_examples=150, deadline=None)
@given(sets, sets)
def test_a_side_that_did_nothing_takes_the_other(base: list[Instance], changed: list[Instance]) -> None:
    for ours, theirs in ((base, changed), (changed, base), (changed, changed)):
        merged = merge_sets(base, ours, theirs)
        assert same(merged.instances, changed)
        assert merged.conflicts == []


@settings(max_examples=150, deadline=None)
@given(sets, sets, sets)
def test_the_order_of_the_sides_matters_to_conflicts_alone(
    base: list[Instance], ours: list[Instance], theirs: list[Instance]
) -> None:
    one_way, other_way = merge_sets(base, ours, theirs), merge_sets(base, theirs, ours)
    assert asked(one_way) == asked(other_way)
    if not one_way.conflicts:
        assert same(one_way.instances, other_way.instances)


@settings(max_examples=300, deadline=None)
@given(sets, sets, sets)
def test_no_edit_of_either_side_is_lost_that_is_not_listed(
    base: list[Instance], ours: list[Instance], theirs: list[Instance]
) -> None:
    merged = merge_sets(base, ours, theirs)
    before, result, open_questions = flat(base), flat(merged.instances), set(asked(merged))
    for side in (flat(ours), flat(theirs)):
        for cell in before.keys() | side.keys():
            edited = before.get(cell, ABSENT) != side.get(cell, ABSENT)
            if edited and result.get(cell, ABSENT) != side.get(cell, ABSENT):
                identity, _, name = cell.partition(".")
                gone = f"{identity}.presence" in open_questions
                assert gone or cell in open_questions or name == "source"


def flat(found: Iterable[Instance]) -> dict[str, Any]:
    cells = {f"{i.instance_id[-1]}.{name}": value for i in found for name, value in cells_of(i).items()}
    return cells | {f"{i.instance_id[-1]}.presence": True for i in found}


@given(instances)
def test_an_instance_is_the_sum_of_its_cells(instance: Instance) -> None:
    assert instance_from(instance.instance_id, cells_of(instance)) == instance


# bases of crossed histories


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([["a"]], "a"),
        ([["a", "a"]], "a"),
        ([["a", "b"]], UNSETTLED),
        ([["a", "b"], ["a"]], "b"),
        ([["a", "b"], ["c"]], UNSETTLED),
        ([["a", "b", "a"], ["a"]], "b"),
        ([["a", "b"], ["a", "c"], ["c"]], "b"),
        ([["a", ABSENT], ["a"]], ABSENT),
    ],
)
def test_several_bases_make_one(levels: list[list[Any]], expected: Any) -> None:
    assert settle(levels) is expected or settle(levels) == expected


def test_a_base_that_can_not_be_told_is_a_question() -> None:
    base = settled_instances([[[CAT], [one(label="cow")]], [[DOG]]])
    assert asked(merge_sets(base, [CAT], [one(label="cow")])) == ["1.label"]
    assert asked(merge_sets(base, [CAT], [CAT])) == []
    settled = settled_instances([[[CAT], [MOVED]], [[DOG]]])
    both = one(label="cat", at=(1, 1, 9, 9))
    assert asked(merge_sets(settled, [both], [one(label="cow", at=(1, 1, 9, 9))])) == []
    edited_and_removed = settled_instances([[[CAT], []], [[DOG]]])
    assert asked(merge_sets(edited_and_removed, [CAT], [])) == ["1.presence"]


@settings(max_examples=100, deadline=None)
@given(sets, sets)
def test_a_single_base_is_settled_as_it_is(base: list[Instance], changed: list[Instance]) -> None:
    settled = settled_instances([[base]])
    plain = merge_sets(base, changed, base)
    found = merge_sets(settled, changed, base)
    assert same(found.instances, plain.instances)
    assert found.conflicts == []
