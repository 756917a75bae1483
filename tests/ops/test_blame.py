import pytest

from tdvc.errors import NotFound, Usage
from tdvc.ops.annotate import annotate, relabel
from tdvc.ops.blame import STAGED, blame, history
from tdvc.ops.committing import commit
from tdvc.ops.transfer import copy, move
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, identity, jpeg, lines, stock

DOG, CAT = identity(1), identity(2)


def change(repository: Repository, instance: str, directory: str = "Main", **fields) -> None:
    edit = {"op": "update", "path": "a.jpg", "instance_id": instance, "set": fields}
    annotate(repository, lines(edit), directory)


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """A dog that is moved, then gets an age; a cat that nobody touches."""
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog", number=1), box("cat", number=2)])})
    commit(repository, "first")
    change(repository, DOG, geometry=[1, 1, 11, 11])
    commit(repository, "moved")
    change(repository, DOG, attributes={"age": 3})
    commit(repository, "aged")
    return repository


def said(repository: Repository, file: str) -> dict[str, dict[str, str | None]]:
    """Instance id to part to message."""
    return {
        found.instance.instance_id: {
            "added": found.added.message,
            "changed": found.changed.message,
            **{part: where.message for part, where in found.parts.items()},
        }
        for found in blame(repository, file)
    }


def test_each_part_is_blamed_on_the_commit_that_said_it(pets: Repository) -> None:
    assert said(pets, "Main:a.jpg") == {
        DOG: {"added": "first", "changed": "aged", "label": "first", "geometry": "moved", "attributes.age": "aged"},
        CAT: {"added": "first", "changed": "first", "label": "first", "geometry": "first"},
    }


def test_a_value_that_comes_back_is_blamed_on_who_brought_it_back(pets: Repository) -> None:
    change(pets, DOG, geometry=[0, 0, 10, 10])
    commit(pets, "back")
    assert said(pets, "Main:a.jpg")[DOG]["geometry"] == "back"


def test_another_spelling_is_nobodys_doing(pets: Repository) -> None:
    change(pets, DOG, geometry=[1.0, 1.0, 11.0, 11.0], label="wolf")
    commit(pets, "wolf")
    assert said(pets, "Main:a.jpg")[DOG]["geometry"] == "moved"


def test_what_is_staged_has_no_commit_yet(pets: Repository) -> None:
    change(pets, CAT, label="lynx")
    found = {item.instance.instance_id: item for item in blame(pets, "Main:a.jpg")}
    assert found[CAT].parts["label"] is STAGED and found[CAT].changed is STAGED
    assert found[CAT].added.message == "first" and found[DOG].changed.message == "aged"


def test_a_file_without_any_commit_is_all_staged(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog", number=1)])})
    (found,) = blame(repository, "Main:a.jpg")
    assert {found.added, found.changed, *found.parts.values()} == {STAGED}


def test_a_move_does_not_hide_who_it_was(pets: Repository) -> None:
    move(pets, ["Main:a.jpg"], "Main:night/b.jpg")
    commit(pets, "night")
    assert said(pets, "Main:night/b.jpg")[DOG]["geometry"] == "moved"


def test_an_old_revision_knows_nothing_of_what_came_later(pets: Repository) -> None:
    assert said(pets, "Main~2:a.jpg")[DOG] == {
        "added": "first",
        "changed": "first",
        "label": "first",
        "geometry": "first",
    }


def test_a_merge_is_blamed_for_nothing_that_a_side_brought(pets: Repository) -> None:
    copy(pets, ["Main"], "Side", with_instances=True)
    pets.author = "Grace"
    change(pets, CAT, "Side", label="lynx")
    commit(pets, "lynx", "Side")
    theirs = pets.view.directories["Side"].commit
    change(pets, CAT, label="lynx")
    pets.author = "Ada"
    with pets.transaction("merge") as edit:
        edit.commit("Main", "merged", [theirs])
    found = {item.instance.instance_id: item for item in blame(pets, "Main:a.jpg")}
    assert (found[CAT].parts["label"].message, found[CAT].parts["label"].author) == ("lynx", "Grace")
    assert found[CAT].parts["geometry"].message == "first"
    assert found[DOG].parts["geometry"].message == "moved"


def test_history_lists_every_version_newest_first(pets: Repository) -> None:
    move(pets, ["Main:a.jpg"], "Main:b.jpg")
    commit(pets, "b")
    relabel(pets, "dog", "wolf")
    versions = list(history(pets, f"Main:b.jpg#{DOG[:31]}"))
    versions = [version for version in versions if version.change.instance_id == DOG]
    assert [version.where.message for version in versions] == [None, "aged", "moved", "first"]
    assert [version.path for version in versions] == ["b.jpg", "a.jpg", "a.jpg", "a.jpg"]
    assert [version.change.kind for version in versions] == ["changed", "changed", "changed", "added"]
    assert versions[0].change.relabelled and versions[2].change.moved


def test_history_takes_the_current_directory_and_the_first_digits(pets: Repository) -> None:
    stock(pets, "Main", {"c.jpg": (jpeg("c"), [box("fox", instance_id="ab" * 16)])})
    commit(pets, "fox")
    assert [version.where.message for version in history(pets, "c.jpg#abab")] == ["fox"]


def test_history_of_a_removed_instance_still_tells_when_it_went(pets: Repository) -> None:
    annotate(pets, lines({"op": "remove", "path": "a.jpg", "instance_id": CAT}))
    commit(pets, "no cat")
    assert [version.change.kind for version in history(pets, f"Main:a.jpg#{CAT}")] == ["removed", "added"]


@pytest.mark.parametrize(
    ("selector", "kind", "code"),
    [
        ("Main:a.jpg", Usage, "bad-usage"),
        ("Main:a.jpg#xyz", Usage, "bad-usage"),
        ("#abcd", Usage, "bad-usage"),
        ("Main:b.jpg#abcd", NotFound, "file-not-found"),
        ("Main:a.jpg#abcd", NotFound, "instance-not-found"),
        ("Nowhere:a.jpg#abcd", NotFound, "unknown-revision"),
    ],
)
def test_history_refuses_what_is_no_instance(pets: Repository, selector: str, kind, code: str) -> None:
    with fails(kind, code):
        list(history(pets, selector))


@pytest.mark.parametrize(
    ("selector", "kind", "code"), [("Main", Usage, "bad-usage"), ("Main:b.jpg", NotFound, "file-not-found")]
)
def test_blame_refuses_what_is_no_file(pets: Repository, selector: str, kind, code: str) -> None:
    with fails(kind, code):
        blame(pets, selector)
