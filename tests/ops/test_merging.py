"""Merging: two annotators, files that come, go and move, histories that cross, and mirrors that stay in step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Conflict, Refused, SchemaError
from tdvc.ids import file_ids
from tdvc.model.schema import Label, Schema
from tdvc.ops.annotate import annotate, complete
from tdvc.ops.committing import commit
from tdvc.ops.configuring import set_config
from tdvc.ops.importing import import_
from tdvc.ops.merging import MergeOptions, abort_merge, conflicts, merge
from tdvc.ops.resolving import resolve
from tdvc.ops.restoring import reset
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.undoing import undo
from tdvc.repo.commit import read_commit
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.ops import bloodcells
from tests.ops.build import box, fails, held, jpeg, labels, lines, stock, unchanged
from tests.ops.merges import (
    CAT,
    DOG,
    asked,
    assert_mirrors_agree,
    both,
    committed,
    drop,
    fork,
    insert,
    replace_bytes,
    set_fields,
    set_properties,
    update,
)


@pytest.fixture
def copies(repository: Repository) -> Repository:
    """Main with three labelled pictures, and copies of it that Alice and Bob work in."""
    pictures = {f"{name}.jpg": (jpeg(name), [DOG, CAT]) for name in "abc"}
    stock(repository, "Main", pictures)
    committed(repository, "Main")
    for name in ("Alice", "Bob"):
        copy(repository, ["Main"], name, with_instances=True)
        committed(repository, name)
    return repository


@pytest.fixture
def branches(repository: Repository) -> Repository:
    """One directory, Main, with two branches of one history: `Main`, and what `fork` commits."""
    stock(repository, "Main", {f"{name}.jpg": (jpeg(name), [DOG, CAT]) for name in "abc"})
    committed(repository, "Main")
    return repository


# two annotators


@pytest.fixture
def annotators(tmp_path: Path, repository: Repository) -> Repository:
    """Blood cells that Alice and Bob each worked on in a copy, with twenty boxes that both moved."""
    import_(repository, bloodcells.write_set(tmp_path / "cells", 24))
    committed(repository, "Main")
    for name in ("Alice", "Bob"):
        copy(repository, ["Main"], name, with_instances=True)
        committed(repository, name)
    alice, bob = [], []
    for number, file in enumerate(repository["Main"]):
        red = [i for i in file.instances if i.label == "RBC"]
        white = next(i for i in file.instances if i.label == "WBC")
        alice.append(_moved(file.path, red[0].instance_id, 5))
        alice.append(set_fields(file.path, red[1].instance_id, label="Reticulocyte"))
        bob.append({"op": "add", "path": file.path, "instance": box("Platelets", (1, 1, 20, 20), number=number)})
        bob.append(set_fields(file.path, red[0].instance_id, attributes={"blurred": True}))
        if number < 20:
            alice.append(_moved(file.path, white.instance_id, 1))
            bob.append(_moved(file.path, white.instance_id, 2))
    annotate(repository, lines(*alice), "Alice")
    annotate(repository, lines(*bob), "Bob")
    committed(repository, "Alice", "Bob")
    return repository


def _moved(path: str, instance_id: str, by: int) -> dict[str, Any]:
    return set_fields(path, instance_id, geometry=[by, by, 100 + by, 100 + by])


def test_two_annotators_are_joined_but_for_what_both_touched(annotators: Repository) -> None:
    first = merge(annotators, "Alice", "Main")
    assert (first.conflicts, first.changed_files) == ([], 24)
    merged = merge(annotators, "Bob", "Main")
    assert len(merged.conflicts) == 20
    assert {found.field for found in merged.conflicts} == {"geometry"}
    for number, file in enumerate(annotators["Main"]):
        found = [instance.label for instance in file.instances]
        assert found.count("Reticulocyte") == 1
        assert found.count("Platelets") == 1 + sum(label == "Platelets" for label, _ in bloodcells.cells_of(number))
        assert sum(i.attribute_values.get("blurred", False) is True for i in file.instances) == 1
    moved_and_blurred = next(
        i for i in annotators["Main"]["JPEGImages/BloodImage_00000.jpg"].instances if i.attribute_values.get("blurred")
    )
    assert moved_and_blurred.coordinates == [5, 5, 105, 105]


def test_conflicts_are_resolved_committed_and_undone_bit_for_bit(annotators: Repository) -> None:
    before = {name: annotators[name].root for name in ("Main", "Alice", "Bob")}
    merge(annotators, "Alice", "Main")
    after_alice = annotators["Main"].root
    merge(annotators, "Bob", "Main")
    paths = [f"JPEGImages/{bloodcells.name_of(number)}.jpg" for number in range(20)]
    with fails(Conflict, "conflicts-left"), unchanged(annotators):
        commit(annotators, "too early", "Main")
    resolve(annotators, paths[:5], "Main", take="theirs")
    assert len(conflicts(annotators, "Main").conflicts) == 15
    resolve(annotators, [], "Main", take="ours")
    made = commit(annotators, "Alice and Bob", "Main")
    assert len(read_commit(annotators.objects, bytes.fromhex(made.commit)).parents) == 2
    whites = [next(i for i in annotators["Main"][path].instances if i.label == "WBC") for path in paths]
    assert [white.coordinates[0] for white in whites] == [2] * 5 + [1] * 15
    for _ in range(4):  # the commit, two resolutions, the merge
        undo(annotators)
    assert annotators["Main"].root == after_alice
    undo(annotators)
    assert {name: annotators[name].root for name in before} == before
    assert annotators.view.directories["Main"].merge is None


def test_the_next_merge_goes_on_from_the_last(annotators: Repository) -> None:
    merge(annotators, "Alice", "Main")
    assert merge(annotators, "Alice", "Main").up_to_date
    white = next(i for i in annotators["Alice"]["JPEGImages/BloodImage_00001.jpg"].instances if i.label == "WBC")
    annotate(
        annotators, lines(set_fields("JPEGImages/BloodImage_00001.jpg", white.instance_id, label="Basophil")), "Alice"
    )
    committed(annotators, "Alice")
    again = merge(annotators, "Alice", "Main")
    assert (again.changed_files, again.conflicts, len(again.bases)) == (1, [], 1)
    assert "Basophil" in labels(annotators, "Main", "JPEGImages/BloodImage_00001.jpg")


def test_what_was_merged_comes_back_to_the_copy_it_came_from(annotators: Repository) -> None:
    merge(annotators, "Alice", "Main")
    merge(annotators, "Bob", "Main")
    resolve(annotators, [], "Main", take="ours")
    committed(annotators, "Main")
    back = merge(annotators, "Main", "Alice")
    assert (back.conflicts, back.changed_files, back.added_files, back.removed_files) == ([], 24, 0, 0)
    for path in ("JPEGImages/BloodImage_00000.jpg", "JPEGImages/BloodImage_00023.jpg"):
        assert annotators["Alice"][path].instances == annotators["Main"][path].instances
    assert merge(annotators, "Main", "Alice").up_to_date
    assert merge(annotators, "Alice", "Main").conflicts == []


def test_two_copies_of_one_are_merged_with_each_other(copies: Repository) -> None:
    update(copies, "Alice", "a.jpg", 1, label="wolf")
    update(copies, "Bob", "a.jpg", 1, geometry=[1, 1, 9, 9])
    update(copies, "Bob", "a.jpg", 2, label="lynx")
    committed(copies, "Alice", "Bob")
    assert merge(copies, "Bob", "Alice").conflicts == []
    assert labels(copies, "Alice", "a.jpg") == ["lynx", "wolf"]
    assert labels(copies, "Main", "a.jpg") == ["cat", "dog"]


def test_copies_made_at_different_times_ask_rather_than_lose(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [DOG, CAT])})
    copy(repository, ["Main"], "Alice", with_instances=True)
    update(repository, "Main", "a.jpg", 1, label="wolf")
    copy(repository, ["Main"], "Bob", with_instances=True)
    committed(repository, "Alice", "Bob")
    assert asked(merge(repository, "Bob", "Alice")) == ["a.jpg#1.label"]


def test_a_copy_of_a_copy_finds_its_way_back(copies: Repository) -> None:
    copy(copies, ["Alice"], "Carol", with_instances=True)
    committed(copies, "Carol")
    update(copies, "Carol", "b.jpg", 1, label="wolf")
    committed(copies, "Carol")
    merged = merge(copies, "Carol", "Main")
    assert (merged.added_files, merged.conflicts) == (0, [])


def test_a_copy_without_instances_adds_what_was_drawn_in_it(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [DOG])})
    committed(repository, "Main")
    copy(repository, ["Main"], "Alice")
    insert(repository, "Alice", "a.jpg", CAT)
    committed(repository, "Alice")
    assert merge(repository, "Alice", "Main").conflicts == []
    assert labels(repository, "Main", "a.jpg") == ["cat", "dog"]


def test_pictures_that_two_people_imported_are_one_by_path_and_bytes(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [DOG])})
    stock(repository, "Bob", {"a.jpg": (jpeg("a"), [CAT]), "b.jpg": jpeg("b")})
    committed(repository, "Main", "Bob")
    merged = merge(repository, "Bob", "Main")
    assert (merged.added_files, merged.changed_files, merged.conflicts) == (1, 1, [])
    assert labels(repository, "Main", "a.jpg") == ["cat", "dog"]


# files


def test_files_of_theirs_come_in_as_mirrors(copies: Repository) -> None:
    with copies.transaction("add") as edit:
        edit.add_bytes("Alice", "new.jpg", jpeg("new"))
    committed(copies, "Alice")
    assert merge(copies, "Alice", "Main").added_files == 1
    assert copies["Main"].entry("new.jpg") == copies["Alice"].entry("new.jpg")
    insert(copies, "Main", "new.jpg", DOG)
    assert labels(copies, "Alice", "new.jpg") == ["dog"]


def test_what_one_side_did_to_a_file_is_taken(branches: Repository) -> None:
    def theirs() -> None:
        move(branches, ["Main:a.jpg"], "Main:night/a.jpg")
        replace_bytes(branches, "Main", "b.jpg", b"sharper")
        complete(branches, ["b.jpg"], "Main")
        set_properties(branches, "Main", "b.jpg", b'{"camera":"left"}')
        remove(branches, ["Main:c.jpg"])
        with branches.transaction("add") as edit:
            edit.add_bytes("Main", "d.jpg", jpeg("d"))

    def ours() -> None:
        update(branches, "Main", "a.jpg", 1, label="wolf")
        insert(branches, "Main", "b.jpg", box(number=3))

    merged = both(branches, ours, theirs)
    assert merged.conflicts == []
    assert (merged.added_files, merged.removed_files, merged.moved_files, merged.changed_files) == (1, 1, 1, 1)
    assert sorted(held(branches, "Main")) == ["b.jpg", "d.jpg", "night/a.jpg"]
    assert labels(branches, "Main", "night/a.jpg") == ["cat", "wolf"]
    file = branches["Main"]["b.jpg"]
    assert (file.read(), file.complete, len(file.instances)) == (b"sharper", True, 3)
    assert file.state.properties == b'{"camera":"left"}'


def test_properties_are_merged_key_by_key(branches: Repository) -> None:
    set_properties(branches, "Main", "a.jpg", b'{"a":1.50,"b":1,"c":1}')
    committed(branches, "Main")
    merged = both(
        branches,
        lambda: set_properties(branches, "Main", "a.jpg", b'{"a":1.50,"b":2,"c":2}'),
        lambda: set_properties(branches, "Main", "a.jpg", b'{"a":1.50,"b":1,"c":3,"d":4}'),
    )
    assert asked(merged) == ["a.jpg#properties.c"]
    assert branches["Main"]["a.jpg"].state.properties == b'{"a":1.50,"b":2,"c":2,"d":4}'
    resolve(branches, ["a.jpg#properties.c"], "Main", take="theirs")
    assert branches["Main"]["a.jpg"].state.properties == b'{"a":1.50,"b":2,"c":3,"d":4}'


def test_both_may_do_the_same(branches: Repository) -> None:
    def work() -> None:
        move(branches, ["Main:a.jpg"], "Main:z.jpg")
        update(branches, "Main", "b.jpg", 1, label="wolf")
        remove(branches, ["Main:c.jpg"])

    merged = both(branches, work, work)
    assert merged.conflicts == []
    assert merged.commit
    assert sorted(held(branches, "Main")) == ["b.jpg", "z.jpg"]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("bytes", "bytes", ["a.jpg#bytes"]),
        ("move", "move", ["ours.jpg#path"]),
        ("remove", "edit", ["a.jpg#presence"]),
        ("edit", "remove", ["a.jpg#presence"]),
        ("remove", "move", ["theirs.jpg#presence"]),
        ("edit", "edit", ["a.jpg#1.label"]),
        ("edit", "drop", ["a.jpg#1.presence"]),
        ("add", "add", ["new.jpg#path"]),
        ("add", "move to new", ["new.jpg#path"]),
        ("edit", "move", []),
        ("bytes", "edit", []),
        ("remove", "remove", []),
    ],
)
@pytest.mark.parametrize("take", ["ours", "theirs", "base"])
def test_what_can_not_both_stand_is_listed_and_resolved(
    branches: Repository, ours: str, theirs: str, expected: list[str], take: str
) -> None:
    before = held(branches, "Main")
    branch = fork(branches, lambda: _work(branches, theirs, "theirs"))
    _work(branches, ours, "ours")
    committed(branches, "Main")
    mine, other = held(branches, "Main"), held(branches, branch)
    merged = merge(branches, branch, "Main")
    assert asked(merged) == expected
    if not expected:
        assert merged.commit
        return
    assert held(branches, "Main") == mine
    if (take, theirs) == ("theirs", "move to new"):
        with fails(Refused, "file-exists"), unchanged(branches):
            resolve(branches, [], "Main", take=take)
        return
    resolve(branches, [], "Main", take=take)
    left = {"ours": mine, "theirs": other, "base": mine if ours == "add" else before}[take]
    assert held(branches, "Main") == left
    assert commit(branches, "merged", "Main").commit
    assert_mirrors_agree(branches)


def _work(repository: Repository, kind: str, side: str) -> None:
    if kind == "bytes":
        replace_bytes(repository, "Main", "a.jpg", side.encode())
    elif kind == "move":
        move(repository, ["Main:a.jpg"], f"Main:{side}.jpg")
    elif kind == "move to new":
        move(repository, ["Main:a.jpg"], "Main:new.jpg")
    elif kind == "remove":
        remove(repository, ["Main:a.jpg"])
    elif kind == "edit":
        update(repository, "Main", "a.jpg", 1, label=side)
    elif kind == "drop":
        drop(repository, "Main", "a.jpg", 1)
    else:
        with repository.transaction("add") as edit:
            edit.add_bytes("Main", "new.jpg", side.encode())


def test_files_that_change_places_are_followed(branches: Repository) -> None:
    def swap() -> None:
        for source, destination in (("a.jpg", "x.jpg"), ("b.jpg", "a.jpg"), ("x.jpg", "b.jpg")):
            move(branches, [f"Main:{source}"], f"Main:{destination}")

    merged = both(branches, lambda: update(branches, "Main", "a.jpg", 1, label="wolf"), swap)
    assert (merged.conflicts, merged.moved_files) == ([], 2)
    assert labels(branches, "Main", "b.jpg") == ["cat", "wolf"]
    assert branches["Main"]["a.jpg"].read() == jpeg("b")


def test_a_copy_in_another_folder_keeps_to_its_own_layout(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [DOG]), "b.jpg": (jpeg("b"), [DOG])})
    committed(repository, "Main")
    copy(repository, ["Main"], "Alice:work/", with_instances=True)
    update(repository, "Alice", "work/a.jpg", 1, label="wolf")
    committed(repository, "Alice")
    merged = merge(repository, "Alice", "Main")
    assert (merged.conflicts, sorted(held(repository, "Main"))) == ([], ["a.jpg", "b.jpg"])
    move(repository, ["Alice:work/b.jpg"], "Alice:work/c.jpg")
    committed(repository, "Alice")
    assert asked(merge(repository, "Alice", "Main")) == ["b.jpg#path"]


def test_a_file_renamed_in_a_copy_is_renamed_in_the_original(copies: Repository) -> None:
    move(copies, ["Alice:a.jpg"], "Alice:night/a.jpg")
    committed(copies, "Alice")
    assert merge(copies, "Alice", "Main").moved_files == 1
    assert sorted(held(copies, "Main")) == ["b.jpg", "c.jpg", "night/a.jpg"]


def test_a_file_removed_in_a_copy_after_a_merge_leaves_the_original(copies: Repository) -> None:
    update(copies, "Alice", "b.jpg", 1, label="wolf")
    committed(copies, "Alice")
    merge(copies, "Alice", "Main")
    remove(copies, ["Alice:b.jpg"])
    committed(copies, "Alice")
    assert merge(copies, "Alice", "Main").removed_files == 1
    assert sorted(held(copies, "Main")) == ["a.jpg", "c.jpg"]
    remove(copies, ["Main:a.jpg"])
    committed(copies, "Main")
    merge(copies, "Main", "Alice")
    assert sorted(held(copies, "Alice")) == ["c.jpg"]


# mirrors


def test_mirrored_files_stay_in_step_through_merge_abort_and_resolve(copies: Repository) -> None:
    mirror(copies, ["Main"], "Night")
    committed(copies, "Night")
    update(copies, "Alice", "a.jpg", 1, label="wolf")
    update(copies, "Alice", "b.jpg", 1, label="fox")
    update(copies, "Main", "b.jpg", 1, label="hound")
    committed(copies, "Alice", "Main")
    merged = merge(copies, "Alice", "Main")
    assert asked(merged) == ["b.jpg#1.label"]
    assert_mirrors_agree(copies)
    assert labels(copies, "Night", "a.jpg") == ["cat", "wolf"]
    resolve(copies, ["b.jpg"], "Main", take="theirs")
    assert labels(copies, "Night", "b.jpg") == ["cat", "fox"]
    before = copies["Main@"].root
    assert abort_merge(copies, "Main").restored_files == 2
    assert copies["Main"].root == before
    assert labels(copies, "Night", "b.jpg") == ["cat", "hound"]
    assert copies.view.directories["Main"].merge is None
    assert_mirrors_agree(copies)


def test_a_directory_that_mirrors_another_has_nothing_to_merge(copies: Repository) -> None:
    mirror(copies, ["Main"], "Night")
    update(copies, "Night", "a.jpg", 1, label="wolf")
    committed(copies, "Night", "Main")
    for revision in ("Night", "Night@"):
        assert merge(copies, revision, "Main").up_to_date
    update(copies, "Main", "a.jpg", 1, label="fox")
    committed(copies, "Main")
    assert merge(copies, "Night@", "Main").up_to_date
    assert labels(copies, "Night", "a.jpg") == ["cat", "fox"]


# what is refused, and what changes nothing


def test_a_merge_joins_commits(copies: Repository) -> None:
    update(copies, "Alice", "a.jpg", 1, label="wolf")
    with fails(Refused, "staged-edits"), unchanged(copies):
        merge(copies, "Alice", "Main")
    with fails(Refused, "staged-edits"), unchanged(copies):
        merge(copies, "Bob", "Alice")
    copies.transaction("x")
    with copies.transaction("create") as edit:
        edit.create_directory("Empty")
    with fails(Refused, "staged-edits"), unchanged(copies):
        merge(copies, "Empty", "Main")


def test_what_has_nothing_in_common_is_refused(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": jpeg("a")})
    stock(repository, "Other", {"b.jpg": jpeg("b")})
    committed(repository, "Main", "Other")
    with fails(Refused, "unrelated-states"), unchanged(repository):
        merge(repository, "Other", "Main")


def test_an_empty_directory_takes_everything(copies: Repository) -> None:
    with copies.transaction("create") as edit:
        edit.create_directory("Empty")
    assert merge(copies, "Alice", "Empty").added_files == 3
    assert copies["Empty"].root == copies["Alice"].root
    assert len(read_commit(copies.objects, copies["Empty"].commit).parents) == 1


def test_a_dry_run_says_the_same_and_changes_nothing(copies: Repository) -> None:
    update(copies, "Alice", "a.jpg", 1, label="wolf")
    update(copies, "Main", "a.jpg", 1, label="fox")
    committed(copies, "Alice", "Main")
    with unchanged(copies):
        tried = merge(copies, "Alice", "Main", MergeOptions(dry_run=True))
    assert asked(tried) == asked(merge(copies, "Alice", "Main")) == ["a.jpg#1.label"]


def test_a_merge_that_is_under_way_comes_first(copies: Repository) -> None:
    update(copies, "Alice", "a.jpg", 1, label="wolf")
    committed(copies, "Alice")
    merged = merge(copies, "Alice", "Main", MergeOptions(commit=False))
    assert merged.commit is None
    with fails(Refused, "merge-under-way"), unchanged(copies):
        merge(copies, "Bob", "Main")
    parents = (copies["Main@"].commit, copies["Alice@"].commit)
    made = commit(copies, "joined", "Main")
    assert read_commit(copies.objects, bytes.fromhex(made.commit)).parents == parents
    with fails(Refused, "no-merge"):
        conflicts(copies, "Main")


def test_a_clean_merge_that_changes_nothing_is_remembered(branches: Repository) -> None:
    branch = fork(branches, lambda: update(branches, "Main", "a.jpg", 1, label="wolf"))
    update(branches, "Main", "a.jpg", 1, label="wolf")
    committed(branches, "Main")
    assert merge(branches, branch, "Main").commit
    update(branches, "Main", "a.jpg", 1, label="fox")
    committed(branches, "Main")
    assert merge(branches, branch, "Main").up_to_date


# histories


def test_what_is_ahead_is_taken_as_it_is(branches: Repository) -> None:
    branch = fork(branches, lambda: _work(branches, "edit", "theirs"))
    merge(branches, branch, "Main")
    assert branches["Main"].root == branches[branch].root


def test_a_crossed_history_is_merged_without_asking_again(copies: Repository) -> None:
    """Both merge each other's first commit, then go on: two common ancestors, and neither is better."""
    update(copies, "Alice", "a.jpg", 1, label="wolf")
    update(copies, "Main", "a.jpg", 2, label="lynx")
    committed(copies, "Alice", "Main")
    alice, main = copies["Alice"].commit.hex(), copies["Main"].commit.hex()
    assert merge(copies, alice, "Main").conflicts == []
    assert merge(copies, main, "Alice").conflicts == []
    update(copies, "Alice", "a.jpg", 1, geometry=[3, 3, 9, 9])
    update(copies, "Alice", "a.jpg", 1, label="dog")  # taken back, deliberately
    update(copies, "Main", "a.jpg", 2, geometry=[4, 4, 9, 9])
    committed(copies, "Alice", "Main")
    merged = merge(copies, "Alice", "Main")
    assert (len(merged.bases), merged.conflicts) == (2, [])
    found = {i.instance_id[-1]: (i.label, i.coordinates) for i in copies["Main"]["a.jpg"].instances}
    assert found == {"1": ("dog", [3, 3, 9, 9]), "2": ("lynx", [4, 4, 9, 9])}


def test_a_crossed_history_whose_bases_can_not_be_settled_asks(branches: Repository) -> None:
    left = fork(branches, lambda: update(branches, "Main", "a.jpg", 1, label="wolf"))
    update(branches, "Main", "a.jpg", 1, label="fox")
    right = commit(branches, "right", "Main").commit
    merge(branches, left, "Main")
    resolve(branches, [], "Main", take="ours")
    ours = commit(branches, "fox it is", "Main").commit
    reset(branches, left, "Main")
    merge(branches, right, "Main")
    resolve(branches, [], "Main", take="ours")
    commit(branches, "wolf it is", "Main")
    merged = merge(branches, ours, "Main")
    assert (len(merged.bases), asked(merged)) == (2, ["a.jpg#1.label"])


# schemas


def test_schemas_of_their_own_are_merged(copies: Repository) -> None:
    base = copies["Main"].schema
    with copies.transaction("schemas") as edit:
        edit.set_schema(_named(base, dog="Hound", cat="Cat"), "Main")
        edit.set_schema(_named(base, dog="Dog", wolf="Wolf"), "Alice")
    committed(copies, "Main", "Alice")
    before = copies["Main"].schema_id
    merged = merge(copies, "Alice", "Main")
    assert asked(merged) == ["schema:labels.dog.name"]
    names = {label.key: label.name for label in copies["Main"].schema.labels.values()}
    assert names == {"dog": "Hound", "cat": "Cat", "wolf": "Wolf"}
    resolve(copies, ["schema:*"], "Main", take="theirs")
    assert copies["Main"].schema.labels["dog"].name == "Dog"
    undo(copies)
    abort_merge(copies, "Main")
    assert copies["Main"].schema_id == before
    assert copies["Alice"].schema.labels["dog"].name == "Dog"


def test_a_locked_schema_takes_nothing_in_by_a_merge(copies: Repository) -> None:
    base = copies["Main"].schema
    with copies.transaction("schemas") as edit:
        edit.set_schema(replace(base, locked=True), "Main")
        edit.set_schema(_named(base, wolf="Wolf"), "Alice")
    committed(copies, "Main", "Alice")
    with fails(SchemaError, "schema-locked"), unchanged(copies):
        merge(copies, "Alice", "Main")


@pytest.mark.parametrize("level", ["warn", "error"])
def test_a_merge_is_validated_where_that_is_wanted(copies: Repository, level: str) -> None:
    insert(copies, "Alice", "a.jpg", box("dog", (5, 5, 5, 5), number=3))
    committed(copies, "Alice")
    set_config(copies, "validate.on_merge", level)
    if level == "error":
        with fails(SchemaError, "validation-failed"), unchanged(copies):
            merge(copies, "Alice", "Main")
        assert merge(copies, "Alice", "Main", MergeOptions(verify=False)).commit
    else:
        merged = merge(copies, "Alice", "Main")
        assert merged.commit
        assert merged.checked
        assert merged.checked.errors


def _named(schema: Schema, **names: str) -> Schema:
    found = dict(schema.labels)
    for key, name in names.items():
        index = found[key].index if key in found else 7
        found[key] = Label(key, name, index)
    return Schema(labels=found)


# birthplaces


def test_a_file_id_tells_where_a_file_first_appeared(copies: Repository) -> None:
    entry = copies["Alice"].entry("a.jpg")
    assert entry.state.file_id in file_ids("Alice", [("a.jpg", entry.state.blob)])


def test_merges_survive_in_any_repository_of_the_same_history() -> None:
    """The same work gives the same merged table, whoever does it."""
    roots = []
    for _ in range(2):
        repository = Repository(MemoryStorage(), author="Ada")
        repository.start()
        stock(repository, "Main", {"a.jpg": (jpeg("a"), [DOG, CAT])})
        committed(repository, "Main")
        copy(repository, ["Main"], "Alice", with_instances=True)
        update(repository, "Alice", "a.jpg", 1, label="wolf")
        update(repository, "Main", "a.jpg", 2, label="lynx")
        committed(repository, "Main", "Alice")
        merge(repository, "Alice", "Main")
        roots.append(repository["Main"].root)
    assert roots[0] == roots[1]
