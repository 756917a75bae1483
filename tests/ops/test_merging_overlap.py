"""Merging two people's independent labels of the same pictures, by how far they overlap."""

from __future__ import annotations

import pytest

from tdvc.ops.annotate import annotate
from tdvc.ops.merging import MergeOptions, merge
from tdvc.ops.resolving import resolve
from tdvc.ops.transfer import copy
from tdvc.repo.repository import Repository
from tests.ops.build import box, jpeg, labels, lines, stock
from tests.ops.merges import (
    committed,
    insert,
    set_fields,
)


@pytest.fixture
def independent(repository: Repository) -> Repository:
    """A picture that Alice and Bob labelled without seeing each other's work."""
    stock(repository, "Main", {"a.jpg": jpeg("a"), "b.jpg": jpeg("b")})
    committed(repository, "Main")
    for name, drawn in {
        "Alice": [box("dog", (0, 0, 100, 100)), box("cat", (200, 0, 300, 100)), box("cow", (0, 300, 50, 350))],
        "Bob": [box("dog", (5, 0, 105, 100)), box("fox", (200, 5, 300, 105)), box("hen", (300, 300, 350, 350))],
    }.items():
        copy(repository, ["Main"], name)
        for number, instance in enumerate(drawn):
            made = {**instance, "instance_id": f"{ord(name[0]):x}{number:030x}"}
            insert(repository, name, "a.jpg", {**made, "attributes": {name: number}})
        committed(repository, name)
    return repository


def test_independent_labels_are_joined_by_overlap(independent: Repository) -> None:
    merge(independent, "Alice", "Main")
    merged = merge(independent, "Bob", "Main", MergeOptions(match=0.5))
    assert merged.matched_instances == 2
    assert [found.field for found in merged.conflicts] == ["label"]
    seen = [
        (found.kind, *(side["label"] if side else None for side in (found.ours, found.theirs)))
        for found in merged.disagreements
    ]
    assert seen == [("label", "cat", "fox"), ("ours-alone", "cow", None), ("theirs-alone", None, "hen")]
    assert labels(independent, "Main", "a.jpg") == ["cat", "cow", "dog", "hen"]
    dog = next(i for i in independent["Main"]["a.jpg"].instances if i.label == "dog")
    assert (dog.coordinates, dog.attribute_values) == ([0, 0, 100, 100], {"Alice": 0, "Bob": 0})


def test_without_overlap_independent_labels_are_all_kept(independent: Repository) -> None:
    merge(independent, "Alice", "Main")
    merged = merge(independent, "Bob", "Main")
    assert (merged.conflicts, merged.disagreements, len(independent["Main"]["a.jpg"].instances)) == ([], [], 6)


def test_a_matched_object_is_the_same_one_in_the_next_merge(independent: Repository) -> None:
    merge(independent, "Alice", "Main")
    merge(independent, "Bob", "Main", MergeOptions(match=0.5))
    resolve(independent, [], "Main", take="ours")
    committed(independent, "Main")
    bobs = next(i for i in independent["Bob"]["a.jpg"].instances if i.label == "dog")
    annotate(independent, lines(set_fields("a.jpg", bobs.instance_id, label="puppy")), "Bob")
    committed(independent, "Bob")
    assert merge(independent, "Bob", "Main", MergeOptions(match=0.5)).conflicts == []
    assert labels(independent, "Main", "a.jpg") == ["cat", "cow", "hen", "puppy"]
