"""Taking back what one commit did, and doing it again elsewhere."""

from __future__ import annotations

import pytest

from tdvc.errors import Conflict, NotFound, Refused
from tdvc.ops.annotate import annotate, relabel
from tdvc.ops.committing import commit
from tdvc.ops.merging import abort_merge, merge
from tdvc.ops.picking import PickOptions, cherry_pick, revert
from tdvc.ops.resolving import resolve
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.undoing import undo
from tdvc.repo.commit import read_commit
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, identity, jpeg, labels, lines, stock, unchanged


def update(repository: Repository, number: int, directory: str = "Main", path: str = "a.jpg", **fields) -> None:
    edit = {"op": "update", "path": path, "instance_id": identity(number), "set": fields}
    annotate(repository, lines(edit), directory)


def parents(repository: Repository, directory: str = "Main") -> list[str]:
    last = repository.view.directories[directory].commit
    assert last is not None
    return [parent.hex() for parent in read_commit(repository.objects, last).parents]


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """A dog and a cat; the dog becomes a wolf, then the cat moves; b.jpg comes, and c.jpg goes."""
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog", number=1), box("cat", number=2)]), "c.jpg": jpeg("c")})
    commit(repository, "first")
    update(repository, 1, label="wolf")
    stock(repository, "Main", {"b.jpg": jpeg("b")})
    remove(repository, ["Main:c.jpg"])
    commit(repository, "a wolf\n\nand more")
    update(repository, 2, geometry=[5, 5, 15, 15])
    commit(repository, "moved")
    return repository


def test_revert_takes_one_commit_back_and_keeps_what_came_after(pets: Repository) -> None:
    last = pets["Main@"].commit
    result = revert(pets, "Main~1")
    assert labels(pets, "Main", "a.jpg") == ["cat", "dog"]
    assert [i.coordinates for i in pets["Main"]["a.jpg"].instances] == [[0, 0, 10, 10], [5, 5, 15, 15]]
    assert sorted(held(pets, "Main")) == ["a.jpg", "c.jpg"]
    assert (result.added_files, result.removed_files, result.changed_files) == (1, 1, 1)
    assert parents(pets) == [last.hex()]
    found = read_commit(pets.objects, pets.view.directories["Main"].commit)
    assert found.message == "Revert 'a wolf'" and result.message == "a wolf\n\nand more"


def test_revert_of_a_revert_is_the_state_before(pets: Repository) -> None:
    root = pets["Main"].root
    revert(pets, "Main~1")
    revert(pets, "Main@")
    assert pets["Main"].root == root


def test_revert_of_the_first_commit_takes_its_files_out(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": jpeg("a")})
    commit(repository, "first")
    stock(repository, "Main", {"b.jpg": jpeg("b")})
    commit(repository, "second")
    revert(repository, "Main~1")
    assert sorted(held(repository, "Main")) == ["b.jpg"]


def test_revert_without_a_commit_is_staged_and_keeps_one_parent(pets: Repository) -> None:
    last = pets["Main@"].commit
    result = revert(pets, "Main@", options=PickOptions(commit=False))
    assert result.commit is None and pets["Main@"].commit == last
    commit(pets, "by hand")
    assert parents(pets) == [last.hex()]


def test_a_conflict_is_kept_and_resolved_as_with_a_merge(pets: Repository) -> None:
    update(pets, 1, label="fox")
    commit(pets, "a fox")
    last = pets["Main@"].commit
    result = revert(pets, "Main~2")
    (conflict,) = result.conflicts
    assert (conflict.path, conflict.field, result.commit) == ("a.jpg", "label", None)
    assert labels(pets, "Main", "a.jpg") == ["cat", "fox"] and "c.jpg" in held(pets, "Main")
    with fails(Conflict, "conflicts-left"):
        commit(pets, "too early")
    resolve(pets, ["a.jpg"], take="theirs")
    commit(pets, "resolved")
    assert labels(pets, "Main", "a.jpg") == ["cat", "dog"]
    assert parents(pets) == [last.hex()]


def test_a_pick_can_be_given_up_and_undone(pets: Repository) -> None:
    update(pets, 1, label="fox")
    commit(pets, "a fox")
    before = held(pets, "Main")
    revert(pets, "Main~2")
    abort_merge(pets)
    assert held(pets, "Main") == before
    revert(pets, "Main~1")
    undo(pets)
    assert held(pets, "Main") == before


def test_what_is_taken_back_shows_in_every_directory_that_mirrors_it(pets: Repository) -> None:
    mirror(pets, ["Main"], "Mirror")
    revert(pets, "Main~1")
    assert labels(pets, "Mirror", "a.jpg") == ["cat", "dog"]


def test_cherry_pick_brings_in_what_was_done_in_a_copy(pets: Repository) -> None:
    copy(pets, ["Main"], "Side", with_instances=True)
    commit(pets, "copied", "Side")
    update(pets, 1, "Side", label="fox")
    commit(pets, "fox", "Side")
    update(pets, 2, "Side", label="lynx")
    commit(pets, "lynx", "Side")
    result = cherry_pick(pets, "Side~1")
    assert labels(pets, "Main", "a.jpg") == ["cat", "fox"]
    assert read_commit(pets.objects, pets.view.directories["Main"].commit).message == "fox"
    assert (result.verb, result.directory, result.changed_files) == ("cherry-pick", "Main", 1)
    merge(pets, "Side")
    assert labels(pets, "Main", "a.jpg") == ["fox", "lynx"]


def test_cherry_pick_of_a_move(pets: Repository) -> None:
    copy(pets, ["Main"], "Side", with_instances=True)
    commit(pets, "copied", "Side")
    move(pets, ["Side:a.jpg"], "Side:night/a.jpg")
    commit(pets, "night", "Side")
    cherry_pick(pets, "Side@")
    assert sorted(held(pets, "Main")) == ["b.jpg", "night/a.jpg"]


def test_cherry_pick_of_what_is_there_already_changes_nothing(pets: Repository) -> None:
    with unchanged(pets):
        result = cherry_pick(pets, "Main@")
    assert result.operation is None and result.commit is None


def test_a_dry_run_says_it_all_and_changes_nothing(pets: Repository) -> None:
    with unchanged(pets):
        result = revert(pets, "Main~1", options=PickOptions(dry_run=True))
    assert (result.added_files, result.removed_files, result.changed_files) == (1, 1, 1)


def test_a_message_of_ones_own(pets: Repository) -> None:
    revert(pets, "Main~1", options=PickOptions(message="No wolves"))
    assert read_commit(pets.objects, pets.view.directories["Main"].commit).message == "No wolves"


def test_what_is_not_committed_is_refused(pets: Repository) -> None:
    relabel(pets, "cat", "lynx")
    with unchanged(pets), fails(Refused, "staged-edits"):
        revert(pets, "Main~1")


def test_a_directory_without_commits_has_nothing_to_pick(repository: Repository) -> None:
    with unchanged(repository), fails(NotFound, "unknown-revision"):
        cherry_pick(repository, "Main")
