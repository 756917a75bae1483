from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tdvc.errors import NotFound, Refused
from tdvc.ids import ObjectId
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory, list_directories, remove_directory, rename_directory, switch
from tdvc.ops.history import log
from tdvc.ops.importing import import_
from tdvc.ops.restoring import reset, restore
from tdvc.ops.snapshots import snapshot, snapshots
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.undoing import operations, redo, restore_operation, undo
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, jpeg, lines, operation_count, stock, unchanged, write_tree


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(repository, "Main", {"a.jpg": (b"a", [box("dog", number=1)]), "b.jpg": (b"b", [box("cat", number=2)])})
    commit(repository, "first", "Main")
    stock(repository, "Main", {"c.jpg": b"c"})
    stock(repository, "Other", {"x.jpg": b"x"})
    return repository


def _add(repository: Repository, folder) -> None:
    add(repository, [write_tree(folder, {"new.jpg": b"new", "a.jpg": b"a2"})])


def _sync(repository: Repository, folder) -> None:
    add(repository, [write_tree(folder, {"new.jpg": b"new"})], sync=True)


def _import(repository: Repository, folder) -> None:
    import_(repository, write_tree(folder, {"dog/1.png": b"\x89PNG\r\n\x1a\n.IEND"}), format="image-folder")


VERBS: dict[str, Callable[[Repository, object], object]] = {
    "add": _add,
    "add --sync": _sync,
    "import": _import,
    "annotate": lambda r, _: annotate(r, lines({"op": "replace", "path": "a.jpg", "instances": [box("fox")]})),
    "relabel": lambda r, _: relabel(r, "dog", "wolf"),
    "complete": lambda r, _: complete(r, ["a.jpg"]),
    "mirror": lambda r, _: mirror(r, ["Main"], "Mirror"),
    "copy": lambda r, _: copy(r, ["Main"], "Copy"),
    "move": lambda r, _: move(r, ["Main:a.jpg"], "Other"),
    "remove": lambda r, _: remove(r, ["Main:a.jpg"]),
    "commit": lambda r, _: commit(r, "second"),
    "snapshot": lambda r, _: snapshot(r, "Main", "v1"),
    "directory create": lambda r, _: create_directory(r, "Empty"),
    "directory remove": lambda r, _: remove_directory(r, "Main"),
    "directory rename": lambda r, _: rename_directory(r, "Main", "Principal"),
    "restore": lambda r, _: restore(r, "Main@"),
    "reset": lambda r, _: reset(r),
    "switch": lambda r, _: switch(r, "Other"),
}


def facts(repository: Repository):
    """The view, but for the names that stay taken."""
    return replace(repository.view, retired={})


@pytest.mark.parametrize("verb", VERBS)
def test_undo_gives_the_view_before_and_redo_the_view_after(pets: Repository, verb: str, tmp_path) -> None:
    before, contents = facts(pets), {name: held(pets, name) for name in pets}
    VERBS[verb](pets, tmp_path / "source")
    after = facts(pets)
    assert after != before
    command = next(operations(pets)).command
    assert undo(pets).command == command
    assert facts(pets) == before
    assert {name: held(pets, name) for name in pets} == contents
    assert redo(pets).command == command
    assert facts(pets) == after
    undo(pets)
    assert facts(pets) == before


def test_all_verbs_one_after_another_and_all_the_way_back_and_forth(pets: Repository, tmp_path) -> None:
    views = [facts(pets)]
    for verb in ("annotate", "relabel", "complete", "mirror", "commit", "snapshot", "remove", "directory rename"):
        if verb == "relabel":
            relabel(pets, "fox", "wolf")
        else:
            VERBS[verb](pets, tmp_path)
        views.append(facts(pets))
    for view in views[-2::-1]:
        undo(pets)
        assert facts(pets) == view
    for view in views[1:]:
        redo(pets)
        assert facts(pets) == view
    with unchanged(pets), fails(Refused, "nothing-to-redo"):
        redo(pets)


def test_undo_stops_at_the_creation_of_the_repository(repository: Repository) -> None:
    with unchanged(repository), fails(Refused, "nothing-to-undo"):
        undo(repository)
    start = facts(repository)
    stock(repository, "Main", {"a": b"a"})
    undo(repository)
    assert facts(repository) == start
    with unchanged(repository), fails(Refused, "nothing-to-undo"):
        undo(repository)


def test_undo_after_an_undo_goes_further_back(pets: Repository) -> None:
    views = [facts(pets)]
    for name in ("One", "Two", "Three"):
        create_directory(pets, name)
        views.append(facts(pets))
    undo(pets)
    undo(pets)
    assert facts(pets) == views[1]
    redo(pets)
    assert facts(pets) == views[2]
    undo(pets)
    assert facts(pets) == views[1]
    redo(pets)
    redo(pets)
    assert facts(pets) == views[3]


def test_a_new_command_after_an_undo_ends_the_chain_of_redo(pets: Repository) -> None:
    create_directory(pets, "One")
    undo(pets)
    create_directory(pets, "Two")
    with unchanged(pets), fails(Refused, "nothing-to-redo"):
        redo(pets)
    undo(pets)
    assert "Two" not in list(pets)
    assert "One" not in list(pets)
    redo(pets)
    assert "Two" in list(pets)


def test_undo_after_a_branch_follows_what_stands_not_what_was_undone(pets: Repository) -> None:
    start = facts(pets)
    create_directory(pets, "One")
    undo(pets)
    create_directory(pets, "Two")
    undo(pets)
    undo(pets)
    assert facts(pets) != start
    assert operation_count(pets) > 3
    redo(pets)
    assert facts(pets) == start


def test_redo_without_an_undo(pets: Repository) -> None:
    with unchanged(pets), fails(Refused, "nothing-to-redo"):
        redo(pets)


def test_nothing_is_lost_by_undoing_every_operation_is_listed(pets: Repository) -> None:
    count = operation_count(pets)
    create_directory(pets, "One")
    undo(pets)
    redo(pets)
    listed = list(operations(pets))
    assert [item.command for item in listed[:3]] == [
        "redo directory create One",
        "undo directory create One",
        "directory create One",
    ]
    assert listed[1].undoes == listed[2].operation
    assert [item.operation for item in listed if item.shown] == [listed[2].operation]
    assert len(listed) == count + 3
    assert len(list(operations(pets, limit=2))) == 2
    assert {item.author for item in listed} == {"Ada"}


def test_an_undone_snapshot_is_gone_but_its_name_stays_taken(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    undo(pets)
    assert snapshots(pets) == []
    with unchanged(pets), fails(Refused, "snapshot-exists"):
        snapshot(pets, "Main", "v1")
    with unchanged(pets), fails(Refused, "snapshot-exists"):
        create_directory(pets, "v1")
    with unchanged(pets), fails(Refused, "snapshot-exists"):
        mirror(pets, ["Main"], "v1")


def test_redo_brings_the_same_snapshot_back(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    given = snapshots(pets)
    undo(pets)
    undo(pets)
    redo(pets)
    redo(pets)
    assert snapshots(pets) == given
    with unchanged(pets), fails(Refused, "snapshot-exists"):
        snapshot(pets, "Main", "v1")


def test_names_stay_taken_through_many_undos_and_new_commands(pets: Repository) -> None:
    for name in ("v1", "v2"):
        snapshot(pets, "Main", name)
    undo(pets)
    undo(pets)
    snapshot(pets, "Main", "v3")
    undo(pets)
    create_directory(pets, "One")
    for name in ("v1", "v2", "v3"):
        with unchanged(pets), fails(Refused, "snapshot-exists"):
            snapshot(pets, "Main", name)


def test_an_undone_commit_leaves_the_edits_staged(pets: Repository) -> None:
    before = held(pets, "Main")
    commit(pets, "second")
    undo(pets)
    assert [entry.message for entry in log(pets)] == ["first"]
    assert held(pets, "Main") == before
    assert list_directories(pets)[0].staged
    commit(pets, "second again")
    assert [entry.message for entry in log(pets)] == ["second again", "first"]


def test_the_titles_of_operations_fit_on_one_line(pets: Repository) -> None:
    stock(pets, "Main", {"two\nlines.jpg": b"n"})
    mirror(pets, ["Main:two\nlines.jpg"], "Other")
    remove(pets, ["Main:two\nlines.jpg"])
    complete(pets, ["two\nlines.jpg"], "Other")
    annotate(pets, lines({"op": "add", "path": "two\nlines.jpg", "instance": box("two\nlines")}), "Other")
    relabel(pets, "two\nlines", "a\nb", "Other")
    assert [item.command for item in operations(pets) if not item.command.isprintable()] == []


def stocked(repository: Repository, *names: str) -> list[ObjectId]:
    """One file and one operation each; returns the operations."""
    made = []
    for name in names:
        stock(repository, "Main", {f"{name}.jpg": jpeg(name)})
        made.append(repository.head())
    return made


def test_several_operations_are_undone_at_once_and_done_again_one_by_one(repository: Repository) -> None:
    stocked(repository, "a", "b", "c")
    result = undo(repository, "2")
    assert sorted(held(repository, "Main")) == ["a.jpg"] and len(result.commands) == 2
    redo(repository)
    assert sorted(held(repository, "Main")) == ["a.jpg", "b.jpg"]
    redo(repository)
    assert sorted(held(repository, "Main")) == ["a.jpg", "b.jpg", "c.jpg"]
    with fails(Refused, "nothing-to-redo"):
        redo(repository)


def test_several_steps_are_the_same_as_one_after_the_other(repository: Repository) -> None:
    stocked(repository, "a", "b", "c", "d")
    undo(repository, "2")
    undo(repository)
    assert sorted(held(repository, "Main")) == ["a.jpg"]
    redo(repository)
    undo(repository, "2")
    assert sorted(held(repository, "Main")) == []


def test_an_operation_is_undone_with_all_that_followed(repository: Repository) -> None:
    _, second, _ = stocked(repository, "a", "b", "c")
    undo(repository, second.hex()[:10])
    assert sorted(held(repository, "Main")) == ["a.jpg"]


@pytest.mark.parametrize("what", ["0000000", "zzzzzzzz", "abc"])
def test_an_operation_that_is_not_there_is_named(repository: Repository, what: str) -> None:
    stocked(repository, "a")
    with unchanged(repository), fails(NotFound, "unknown-operation"):
        undo(repository, what)


def test_undoing_more_than_there_is_changes_nothing(repository: Repository) -> None:
    stocked(repository, "a")
    for count, code in (("9", "nothing-to-undo"), ("0", "nothing-to-undo")):
        with unchanged(repository), fails(Refused, code):
            undo(repository, count)


def test_the_repository_as_after_an_operation(repository: Repository) -> None:
    first, _, _ = stocked(repository, "a", "b", "c")
    restore_operation(repository, first.hex())
    assert sorted(held(repository, "Main")) == ["a.jpg"]
    undo(repository)
    assert sorted(held(repository, "Main")) == ["a.jpg", "b.jpg", "c.jpg"]
