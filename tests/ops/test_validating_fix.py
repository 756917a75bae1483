"""Repairs: what has one right answer, in one operation, and nothing else."""

from __future__ import annotations

import pytest

from tdvc.errors import Usage
from tdvc.ops.diffing import diff
from tdvc.ops.snapshots import snapshot
from tdvc.ops.undoing import undo
from tdvc.ops.validating import validate
from tdvc.ops.validating_fix import fix
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, identity, operation_count, unchanged
from tests.ops.test_validating import put

BOXES = {
    1: ("[-3.5,2.50,70,40]", "[0,2.50,70,40]"),
    2: ("[1,2,100.25,90]", "[1,2,100,80]"),
    3: ("[-1,-1,200,200,0]", "[0,0,100,80,0]"),
    4: ("[10,10,101,20,30]", None),  # turned
    5: ("[150,10,170,20]", None),  # nothing of it is inside
    6: ("[5,5,5,5]", None),  # no size
    7: ("[0,0,100,80]", None),  # fine
}


def line(number: int, geometry: str, more: str = "") -> str:
    return f'{{"geometry":{geometry},"instance_id":"{identity(number)}","label":"dog",{more}"type":"box"}}\n'


@pytest.fixture
def wrong(repository: Repository) -> Repository:
    put(repository, "a.png", raw="".join(line(number, text) for number, (text, _) in BOXES.items()).encode())
    twin = box(at=(1, 1, 9, 9), attributes={"a": 1}, source="import")
    put(repository, "b.png", [{**twin, "instance_id": identity(number)} for number in (1, 2, 3)])
    put(repository, "c.png", [{**box(number=at), "properties": {"id": at}} for at in (1, 2)])
    with repository.transaction("commit") as edit:
        edit.commit("Main", "all wrong")
    return repository


def test_boxes_are_clamped_and_copies_removed_and_the_diff_shows_only_that(wrong: Repository) -> None:
    before = operation_count(wrong)
    result = fix(wrong)
    assert operation_count(wrong) == before + 1
    clamped = {identity(number): after for number, (_, after) in BOXES.items() if after}
    assert {repair.instance_id: repair.after for repair in result.repairs if repair.after} == clamped
    removed = [(repair.path, repair.instance_id) for repair in result.repairs if not repair.after]
    assert removed == [("b.png", identity(2)), ("b.png", identity(3))]
    changes = {change.path: change.instances for change in diff(wrong)}
    assert {one.instance_id: bytes(one.after.geometry).decode() for one in changes["a.png"] if one.after} == clamped
    assert [(one.instance_id, one.kind) for one in changes["b.png"]] == [
        (identity(2), "removed"),
        (identity(3), "removed"),
    ]
    assert changes.keys() == {"a.png", "b.png"}
    assert result.counts == validate(wrong).counts
    assert result.counts["outside-picture"] == 2
    assert result.counts["identical-instances"] == 1
    assert result.counts["zero-size"] == 1


def test_what_was_repaired_stays_so(wrong: Repository) -> None:
    fix(wrong)
    with unchanged(wrong):
        again = fix(wrong)
    assert (again.repairs, again.operation) == ([], None)


def test_a_repair_can_be_undone(wrong: Repository) -> None:
    before = held(wrong, "Main")
    fix(wrong)
    undo(wrong)
    assert held(wrong, "Main") == before


def test_a_dry_run_changes_nothing_and_says_the_same(wrong: Repository) -> None:
    with unchanged(wrong):
        planned = fix(wrong, dry_run=True)
    assert planned.operation is None
    assert planned.counts["outside-picture"] == 5
    assert planned.repairs == fix(wrong).repairs


def test_only_what_was_asked_for_is_repaired(wrong: Repository) -> None:
    result = fix(wrong, rules=["outside-picture"])
    assert {repair.rule for repair in result.repairs} == {"outside-picture"}
    assert result.counts.keys() == {"outside-picture"}


def test_an_imported_box_that_was_clamped_is_somebodys_correction(repository: Repository) -> None:
    put(repository, instances=[box(at=(-1, 0, 9, 9), source="import")])
    fix(repository)
    assert [one.source for one in repository["Main"]["a.png"].instances] == ["human"]


def test_a_mirrored_file_is_repaired_everywhere(wrong: Repository) -> None:
    with wrong.transaction("mirror") as edit:
        edit.create_directory("Other")
        edit.place("Other", "x.png", wrong["Main"]["a.png"].state.file_id)
    fix(wrong, "Other")
    assert wrong["Main"]["a.png"].state == wrong["Other"]["x.png"].state
    assert validate(wrong, ["Main"], rules=["outside-picture"]).counts["outside-picture"] == 2


@pytest.mark.parametrize("revision", ["Main@", "v1", "Nowhere"])
def test_what_is_frozen_is_not_repaired(wrong: Repository, revision: str) -> None:
    snapshot(wrong, "Main", "v1")
    with unchanged(wrong), fails(Usage, "bad-usage"):
        fix(wrong, revision)
