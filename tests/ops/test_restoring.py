import pytest

from tdvc.errors import NotFound
from tdvc.ops.annotate import annotate, relabel
from tdvc.ops.committing import commit
from tdvc.ops.directories import remove_directory
from tdvc.ops.restoring import reset, restore
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import mirror, move, remove
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, file_id, held, jpeg, labels, lines, stock, unchanged


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Three files, committed; mirrored into Dogs; then everything is relabelled, one file moved and one removed."""
    stock(repository, "Main", {f"{name}.jpg": (jpeg(name), [box("dog")]) for name in "abc"})
    commit(repository, "first")
    snapshot(repository, None, "v1")
    mirror(repository, ["Main"], "Dogs")
    commit(repository, "mirrored", "Dogs")
    relabel(repository, "dog", "cat")
    move(repository, ["Main:b.jpg"], "Main:night/b.jpg")
    remove(repository, ["Main:c.jpg"])
    commit(repository, "second")
    return repository


def test_restore_brings_everything_back_as_staged_edits(pets: Repository) -> None:
    result = restore(pets, "v1")
    assert held(pets, "Main") == held(pets, "v1")
    assert pets["Main"].root == pets["v1"].root
    assert (result.restored, result.removed) == (["a.jpg", "b.jpg", "c.jpg"], ["night/b.jpg"])
    assert held(pets, "Main@") != held(pets, "v1")


def test_restore_of_paths_leaves_the_rest(pets: Repository) -> None:
    restore(pets, "Main~1", ["a.jpg"])
    assert labels(pets, "Main", "a.jpg") == ["dog"]
    assert sorted(held(pets, "Main")) == ["a.jpg", "night/b.jpg"]


def test_a_mirrored_file_is_restored_everywhere(pets: Repository) -> None:
    assert labels(pets, "Dogs", "a.jpg") == ["cat"]
    restore(pets, "v1", ["a.jpg"])
    assert labels(pets, "Dogs", "a.jpg") == labels(pets, "Main", "a.jpg") == ["dog"]
    assert labels(pets, "Dogs", "b.jpg") == ["cat"]


def test_a_file_that_no_directory_holds_any_more_comes_back_as_itself(pets: Repository) -> None:
    identity = file_id(pets, "v1", "c.jpg")
    remove(pets, ["Dogs:c.jpg"])
    restore(pets, "v1", ["c.jpg"])
    assert file_id(pets, "Main", "c.jpg") == identity and labels(pets, "Main", "c.jpg") == ["dog"]


def test_restore_into_another_directory(pets: Repository) -> None:
    restore(pets, "v1", ["c.jpg"], "Dogs")
    assert labels(pets, "Dogs", "c.jpg") == ["dog"]


def test_restore_can_be_undone(pets: Repository) -> None:
    before = held(pets, "Main")
    restore(pets, "v1")
    undo(pets)
    assert held(pets, "Main") == before


def test_restore_dry_changes_nothing_and_names_everything(pets: Repository) -> None:
    with unchanged(pets):
        result = restore(pets, "v1", dry_run=True)
    assert result.operation is None and result.restored == ["a.jpg", "b.jpg", "c.jpg"]


def test_restore_of_what_is_there_changes_nothing(pets: Repository) -> None:
    with unchanged(pets):
        assert restore(pets, "Main@").operation is None
        assert restore(pets, "Main@", ["a.jpg"]).restored == []


def test_restore_refuses_a_path_that_neither_state_has(pets: Repository) -> None:
    with unchanged(pets), fails(NotFound, "file-not-found"):
        restore(pets, "v1", ["nowhere.jpg"])


def test_restore_refuses_a_directory_that_is_gone(pets: Repository) -> None:
    remove_directory(pets, "Dogs")
    with fails(NotFound, "unknown-revision"):
        restore(pets, "Dogs@")


def test_reset_drops_staged_edits(pets: Repository) -> None:
    annotate(pets, lines({"op": "add", "path": "a.jpg", "instance": box("fox")}))
    result = reset(pets)
    assert pets["Main"].root == pets["Main@"].root and result.restored == ["a.jpg"]
    assert labels(pets, "Dogs", "a.jpg") == ["cat"]


def test_reset_goes_back_to_a_commit(pets: Repository) -> None:
    abandoned = pets["Main@"].commit
    reset(pets, "Main~1")
    assert pets["Main"].root == pets["Main@"].root == pets["v1"].root
    assert pets["Main"].commit == pets["v1"].commit
    assert abandoned is not None
    reset(pets, abandoned.hex())
    assert pets["Main"].commit == abandoned and sorted(held(pets, "Main")) == ["a.jpg", "night/b.jpg"]


def test_reset_keep_leaves_the_staged_state(pets: Repository) -> None:
    before = held(pets, "Main")
    reset(pets, "Main~1", keep=True)
    assert held(pets, "Main") == before
    assert held(pets, "Main@") == held(pets, "v1")
    commit(pets, "again")
    assert held(pets, "Main~1") == held(pets, "v1")


def test_reset_to_a_directory_name_means_its_last_commit(pets: Repository) -> None:
    relabel(pets, "cat", "lynx", "Main")
    reset(pets, "Main")
    assert labels(pets, "Main", "a.jpg") == ["cat"]


def test_reset_before_the_first_commit_is_refused(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": jpeg("a")})
    with unchanged(repository), fails(NotFound, "unknown-revision"):
        reset(repository)


def test_reset_can_be_undone(pets: Repository) -> None:
    last = pets["Main@"].commit
    reset(pets, "Main~1")
    undo(pets)
    assert pets["Main"].commit == last
