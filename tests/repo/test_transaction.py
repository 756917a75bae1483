"""Transactions: one file is the same everywhere, nobody's work is overwritten, and nonsense is refused."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from tdvc.errors import Conflict, NotFound, Refused, TdvcError, Usage
from tdvc.ids import FileId, ObjectId, file_ids
from tdvc.model.records import Instance, make_instance
from tdvc.repo import oplog
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction


def other(repository: Repository) -> Repository:
    """Another process at the same repository."""
    return Repository(repository.storage, author="Grace")


def add(repository: Repository, directory: str, *paths: str) -> None:
    with repository.transaction(f"add to {directory}") as edit:
        if not edit.knows_directory(directory):
            edit.create_directory(directory)
        for path in paths:
            edit.add_bytes(directory, path, path.encode())


def mirror(repository: Repository, source: str, path: str, *destinations: str) -> None:
    with repository.transaction("mirror") as edit:
        for destination in destinations:
            if not edit.knows_directory(destination):
                edit.create_directory(destination)
            edit.place(destination, path, repository[source][path].state.file_id)


def dog(label: str = "dog") -> Instance:
    return make_instance({"label": label, "type": "tag", "instance_id": "0" * 32})


def annotate(edit: Transaction, repository: Repository, where: str, label: str = "dog") -> None:
    directory, _, path = where.partition(":")
    edit.annotate(repository[directory][path], [dog(label)])


def labels(repository: Repository, directory: str, path: str) -> list[str]:
    return [instance.label for instance in repository[directory][path].instances]


def paths(repository: Repository, directory: str) -> list[str]:
    return [file.path for file in repository[directory]]


def operations(repository: Repository) -> list[str]:
    return [operation.command for _, operation in oplog.history(repository.objects, repository.head())]


# one file, many directories


def test_an_edit_shows_in_every_directory_that_holds_the_file(repository: Repository) -> None:
    add(repository, "Main", "a.jpg", "b.jpg")
    mirror(repository, "Main", "a.jpg", "Dogs", "Night")
    with repository.transaction("label") as edit:
        annotate(edit, repository, "Dogs:a.jpg")
    assert {labels(repository, name, "a.jpg")[0] for name in ("Main", "Dogs", "Night")} == {"dog"}
    assert len({repository[name]["a.jpg"].state for name in ("Main", "Dogs", "Night")}) == 1
    assert labels(repository, "Main", "b.jpg") == []


def test_an_edit_shows_under_whatever_path_a_directory_has_the_file(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    with repository.transaction("mirror elsewhere") as edit:
        edit.create_directory("Dogs")
        edit.place("Dogs", "deep/in/x.jpg", repository["Main"]["a.jpg"].state.file_id)
    with repository.transaction("label") as edit:
        annotate(edit, repository, "Main:a.jpg")
    assert labels(repository, "Dogs", "deep/in/x.jpg") == ["dog"]


def test_an_edit_shows_in_a_directory_that_was_created_meanwhile(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    edit = repository.transaction("label")
    annotate(edit, repository, "Main:a.jpg")
    mirror(other(repository), "Main", "a.jpg", "Dogs")
    with edit:
        pass
    assert labels(repository, "Main", "a.jpg") == labels(repository, "Dogs", "a.jpg") == ["dog"]


def test_a_file_that_is_placed_takes_the_state_it_has_by_then(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    edit = repository.transaction("mirror")
    edit.create_directory("Dogs")
    edit.place("Dogs", "a.jpg", repository["Main"]["a.jpg"].state.file_id)
    there = other(repository)
    with there.transaction("label") as meanwhile:
        annotate(meanwhile, there, "Main:a.jpg")
    with edit:
        pass
    assert labels(repository, "Dogs", "a.jpg") == ["dog"]


def test_a_file_that_moves_and_changes_in_one_transaction_does_both_everywhere(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    mirror(repository, "Main", "a.jpg", "Dogs")
    with repository.transaction("move and label") as edit:
        annotate(edit, repository, "Main:a.jpg")
        edit.take_out("Main", "a.jpg")
        edit.place("Main", "b.jpg", repository["Main"]["a.jpg"].state.file_id)
    assert paths(repository, "Main") == ["b.jpg"]
    assert labels(repository, "Main", "b.jpg") == labels(repository, "Dogs", "a.jpg") == ["dog"]


def test_two_files_can_swap_their_paths(repository: Repository) -> None:
    add(repository, "Main", "a.jpg", "b.jpg")
    a, b = (repository["Main"][path].state for path in ("a.jpg", "b.jpg"))
    with repository.transaction("swap") as edit:
        edit.place("Main", "a.jpg", b.file_id)
        edit.place("Main", "b.jpg", a.file_id)
    assert [repository["Main"][path].state for path in ("a.jpg", "b.jpg")] == [b, a]
    with repository.transaction("label") as edit:
        annotate(edit, repository, "Main:b.jpg")
    assert labels(repository, "Main", "b.jpg") == ["dog"]
    assert labels(repository, "Main", "a.jpg") == []


def test_a_file_taken_out_of_one_directory_stays_in_the_other(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    mirror(repository, "Main", "a.jpg", "Dogs")
    with repository.transaction("remove") as edit:
        edit.take_out("Main", "a.jpg")
    with repository.transaction("label") as edit:
        annotate(edit, repository, "Dogs:a.jpg")
    assert paths(repository, "Main") == []
    assert labels(repository, "Dogs", "a.jpg") == ["dog"]


def test_a_cloned_directory_holds_the_same_files(repository: Repository) -> None:
    add(repository, "Main", "a.jpg", "b.jpg")
    with repository.transaction("clone") as edit:
        edit.clone_directory("Main", "Dogs")
    assert repository["Dogs"].root == repository["Main"].root
    with repository.transaction("label") as edit:
        annotate(edit, repository, "Dogs:a.jpg")
    assert repository["Dogs"].root == repository["Main"].root
    assert labels(repository, "Main", "a.jpg") == ["dog"]


def test_a_clone_holds_what_its_source_holds_by_then(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    edit = repository.transaction("clone")
    edit.clone_directory("Main", "Dogs")
    add(other(repository), "Main", "b.jpg")
    with edit:
        pass
    assert paths(repository, "Dogs") == ["a.jpg", "b.jpg"]


# publishing


def test_nothing_changed_publishes_nothing(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    files = dict(repository.storage.files)  # type: ignore[attr-defined]
    state = repository["Main"]["a.jpg"].state
    with repository.transaction("nothing") as edit:
        pass
    with repository.transaction("the same again") as again:
        again.set_state(state)
        again.place("Main", "a.jpg", state.file_id)
        again.take_out("Main", "none.jpg")
        again.annotate(repository["Main"]["a.jpg"], [])
        again.switch("Main")
    assert edit.operation is None
    assert again.operation is None
    assert repository.storage.files == files  # type: ignore[attr-defined]


def test_an_error_in_the_block_publishes_nothing(repository: Repository) -> None:
    files = dict(repository.storage.files)  # type: ignore[attr-defined]
    with pytest.raises(KeyError), repository.transaction("half") as edit:
        edit.add_bytes("Main", "a.jpg", b"x")
        raise KeyError
    assert repository.storage.files == files  # type: ignore[attr-defined]
    assert paths(repository, "Main") == []


def test_what_is_discarded_is_not_published(repository: Repository) -> None:
    with repository.transaction("try") as edit:
        edit.add_bytes("Main", "a.jpg", b"x")
        edit.discard()
    assert edit.operation is None
    assert paths(repository, "Main") == []


def test_a_transaction_is_one_operation_and_one_pack(repository: Repository) -> None:
    before = len(repository.storage.names("packs"))
    add(repository, "Dogs", *(f"{number}.jpg" for number in range(50)))
    assert operations(repository) == ["add to Dogs", "init"]
    assert len(repository.storage.names("packs")) == before + 1
    assert len(repository.storage.names("heads")) == 1


def test_publishing_twice_is_publishing_once(repository: Repository) -> None:
    with repository.transaction("once") as edit:
        edit.add_bytes("Main", "a.jpg", b"x")
        first = edit.publish()
        assert edit.publish() == first
    assert operations(repository) == ["once", "init"]
    assert repository.head() == first == edit.operation


def test_the_same_rows_give_the_same_root_whatever_the_order(repository: Repository) -> None:
    forwards = other(repository)
    forwards.storage = repository.storage
    add(repository, "Main", "a.jpg", "b/c.jpg")
    add(repository, "Main", "d.jpg")
    with repository.transaction("detour") as edit:
        edit.add_bytes("Main", "e.jpg", b"e")
    with repository.transaction("back") as edit:
        edit.take_out("Main", "e.jpg")
    one = repository["Main"].root
    states = {file.path: file.state for file in repository["Main"]}
    with repository.transaction("anew") as edit:
        edit.create_directory("Again")
        for path in reversed(states):
            edit.place("Again", path, states[path].file_id)
    assert repository["Again"].root == one


# two writers


def test_two_writers_on_different_directories_both_succeed(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    add(repository, "Dogs", "d.jpg")
    there = other(repository)
    mine, theirs = repository.transaction("mine"), there.transaction("theirs")
    mine.add_bytes("Main", "b.jpg", b"b")
    theirs.add_bytes("Dogs", "e.jpg", b"e")
    theirs.publish()
    mine.publish()
    assert paths(repository, "Main") == ["a.jpg", "b.jpg"]
    assert paths(repository, "Dogs") == ["d.jpg", "e.jpg"]
    assert operations(repository)[:2] == ["mine", "theirs"]


def test_two_writers_on_different_files_of_one_directory_both_succeed(repository: Repository) -> None:
    add(repository, "Main", *(f"{number:04}.jpg" for number in range(1000)))
    there = other(repository)
    mine, theirs = repository.transaction("mine"), there.transaction("theirs")
    annotate(mine, repository, "Main:0001.jpg", "cat")
    annotate(theirs, there, "Main:0002.jpg", "dog")
    mine.add_bytes("Main", "new.jpg", b"n")
    theirs.take_out("Main", "0003.jpg")
    theirs.publish()
    mine.publish()
    assert labels(repository, "Main", "0001.jpg") == ["cat"]
    assert labels(repository, "Main", "0002.jpg") == ["dog"]
    assert len(repository["Main"]) == 1000
    assert set(repository["Main"].schema.labels) == {"cat", "dog"}


def collision(first: Transaction, second: Transaction) -> list[str]:
    """Publish the first, and what the second then collides with; nothing of it may have been published."""
    repository = first._repository
    first.publish()
    head = repository.head()
    with pytest.raises(Conflict) as caught:
        second.publish()
    assert caught.value.code == "changed-meanwhile"
    assert repository.head() == head
    collisions: list[str] = caught.value.fields["collisions"]
    assert all(name in caught.value.message for name in collisions[:5])
    return collisions


@pytest.fixture
def pair(repository: Repository) -> tuple[Transaction, Transaction]:
    """Two transactions that began at the same view: Main and Dogs hold a.jpg, Main holds b.jpg, Night nothing."""
    add(repository, "Main", "a.jpg", "b.jpg")
    mirror(repository, "Main", "a.jpg", "Dogs")
    with repository.transaction("more") as edit:
        edit.create_directory("Night")
    return repository.transaction("first"), other(repository).transaction("second")


def test_the_same_file_edited_twice_collides(repository: Repository, pair: tuple[Transaction, Transaction]) -> None:
    annotate(pair[0], repository, "Main:a.jpg", "dog")
    annotate(pair[1], repository, "Dogs:a.jpg", "cat")
    assert collision(*pair) == ["Dogs:a.jpg"]
    assert labels(repository, "Dogs", "a.jpg") == ["dog"]


def test_the_same_path_taken_twice_collides(pair: tuple[Transaction, Transaction]) -> None:
    pair[0].add_bytes("Main", "new.jpg", b"one")
    pair[1].add_bytes("Main", "new.jpg", b"two")
    assert collision(*pair) == ["Main:new.jpg"]


def test_a_path_taken_out_and_replaced_collides(pair: tuple[Transaction, Transaction]) -> None:
    pair[0].take_out("Main", "b.jpg")
    pair[1].add_bytes("Main", "b.jpg", b"other")
    assert collision(*pair) == ["Main:b.jpg"]


def test_an_edit_of_a_file_that_is_gone_collides(repository: Repository, pair: tuple[Transaction, Transaction]) -> None:
    annotate(pair[1], repository, "Main:b.jpg")
    pair[0].take_out("Main", "b.jpg")
    assert collision(*pair) == ["Main:b.jpg"]


def test_a_directory_created_twice_collides(pair: tuple[Transaction, Transaction]) -> None:
    for edit in pair:
        edit.create_directory("New")
    assert collision(*pair) == ["New"]


def test_a_directory_removed_while_files_are_added_collides(pair: tuple[Transaction, Transaction]) -> None:
    pair[0].remove_directory("Night")
    pair[1].add_bytes("Night", "a.jpg", b"x")
    assert collision(*pair) == ["Night"]


def test_a_directory_that_gained_files_is_not_removed(pair: tuple[Transaction, Transaction]) -> None:
    pair[0].add_bytes("Night", "a.jpg", b"x")
    pair[1].remove_directory("Night")
    assert collision(*pair) == ["Night"]


def test_two_commits_of_one_directory_collide(pair: tuple[Transaction, Transaction]) -> None:
    for edit in pair:
        edit.commit("Main", edit._command)
    assert collision(*pair) == ["Main"]


def test_a_snapshot_name_given_twice_collides(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    with repository.transaction("commit") as edit:
        commit = edit.commit("Main", "first")
    first, second = repository.transaction("first"), other(repository).transaction("second")
    first.add_snapshot("v1", commit, "")
    second.add_snapshot("v1", commit, "")
    assert collision(first, second) == ["v1"]


@pytest.mark.parametrize("directory_first", [True, False])
def test_a_name_given_to_a_directory_and_a_snapshot_collides(repository: Repository, directory_first: bool) -> None:
    add(repository, "Main", "a.jpg")
    with repository.transaction("commit") as edit:
        commit = edit.commit("Main", "first")
    directory, snapshot = repository.transaction("directory"), other(repository).transaction("snapshot")
    directory.create_directory("v1")
    snapshot.add_snapshot("v1", commit, "")
    assert collision(*((directory, snapshot) if directory_first else (snapshot, directory))) == ["v1"]


@pytest.mark.parametrize("switch_first", [True, False])
def test_the_current_directory_always_exists(pair: tuple[Transaction, Transaction], switch_first: bool) -> None:
    switching, removing = pair
    switching.switch("Night")
    removing.remove_directory("Night")
    assert collision(*(pair if switch_first else (removing, switching))) == ["Night"]


def test_removing_every_directory_in_two_steps_leaves_one(repository: Repository) -> None:
    add(repository, "Dogs", "d.jpg")
    first, second = repository.transaction("first"), other(repository).transaction("second")
    first.remove_directory("Dogs")
    second.remove_directory("Main")
    assert collision(first, second) == ["Dogs"]
    assert list(repository) == ["Main"]


def test_a_file_that_came_up_elsewhere_meanwhile_is_not_put_again(repository: Repository) -> None:
    """Both add the same new file; the first moves it on, so that no path collides, and still it is one file."""
    second = other(repository).transaction("second")
    second.add_bytes("Main", "a.jpg", b"x")
    with repository.transaction("first") as edit:
        edit.create_directory("Dogs")
        state = edit.add_bytes("Main", "a.jpg", b"x")
    with repository.transaction("move on") as edit:
        edit.take_out("Main", "a.jpg")
        edit.place("Dogs", "a.jpg", state.file_id)
        edit.set_state(state._replace(properties=b"{}"))
    with pytest.raises(Conflict) as caught:
        second.publish()
    assert caught.value.fields["collisions"] == ["Dogs:a.jpg"]
    assert paths(repository, "Main") == []


def test_many_collisions_are_counted_and_some_are_shown(pair: tuple[Transaction, Transaction]) -> None:
    for edit in pair:
        for number in range(20):
            edit.add_bytes("Main", f"{number:02}.jpg", edit._command.encode())
    collisions = collision(*pair)
    assert collisions == [f"Main:{number:02}.jpg" for number in range(20)]


def test_a_commit_holds_the_state_it_was_made_of(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    edit = repository.transaction("commit")
    edit.commit("Main", "one file")
    add(other(repository), "Main", "b.jpg")
    edit.publish()
    assert paths(repository, "Main@") == ["a.jpg"]
    assert paths(repository, "Main") == ["a.jpg", "b.jpg"]
    assert repository["Main"].commit is None


# what is refused


def refused(repository: Repository, error: type[TdvcError], code: str, act: Iterable[tuple[str, tuple]]) -> None:
    head = repository.head()
    with pytest.raises(error) as caught, repository.transaction("nonsense") as edit:
        for method, arguments in act:
            getattr(edit, method)(*arguments)
    assert caught.value.code == code
    assert repository.head() == head


def test_a_file_is_in_a_directory_once(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    add(repository, "Dogs", "d.jpg")
    identity = repository["Main"]["a.jpg"].state.file_id
    refused(repository, Refused, "file-exists", [("place", ("Main", "b.jpg", identity))])
    twice = [("place", ("Dogs", path, identity)) for path in ("a.jpg", "b.jpg")]
    refused(repository, Refused, "file-exists", twice)
    again = [("place", ("Main", path, identity)) for path in ("a.jpg", "b.jpg")]
    refused(repository, Refused, "file-exists", again)


@pytest.mark.parametrize(
    ("present", "added"),
    [
        (["a"], ["a/b"]),
        (["a"], ["a/b/c/d"]),
        (["a/b"], ["a"]),
        (["a/b/c", "a.jpg", "a-"], ["a/b"]),
        ([], ["a", "a/b"]),
        ([], ["a/b/c", "a/b"]),
        (["x"], ["y", "z", "y/z"]),
    ],
)
def test_a_path_is_a_file_or_a_folder(repository: Repository, present: list[str], added: list[str]) -> None:
    add(repository, "Main", *present)
    refused(repository, Refused, "folder-in-the-way", [("add_bytes", ("Main", path, path.encode())) for path in added])


def test_a_folder_that_keeps_some_files_is_still_a_folder(repository: Repository) -> None:
    add(repository, "Main", "a/1.jpg", "a/2.jpg", "a/3.jpg")
    acts = [("take_out", ("Main", "a/1.jpg")), ("add_bytes", ("Main", "a", b"x"))]
    refused(repository, Refused, "folder-in-the-way", acts)
    refused(repository, Refused, "folder-in-the-way", [("take_out", ("Main", "a/2.jpg")), *acts])


def test_a_folder_may_become_a_file_and_a_file_a_folder(repository: Repository) -> None:
    add(repository, "Main", "a/1.jpg", "a/2.jpg", "b")
    with repository.transaction("turn") as edit:
        for path in ("a/1.jpg", "a/2.jpg", "b"):
            edit.take_out("Main", path)
        edit.add_bytes("Main", "a", b"a")
        edit.add_bytes("Main", "b/c", b"c")
    assert paths(repository, "Main") == ["a", "b/c"]


def test_names_that_only_look_like_a_folder_are_no_clash(repository: Repository) -> None:
    add(repository, "Main", "a", "a.jpg", "a-b/c", "a0/b", "ab/c")
    assert paths(repository, "Main") == sorted(["a", "a.jpg", "a-b/c", "a0/b", "ab/c"])


def test_unknown_directories_files_and_bad_names_are_refused(repository: Repository) -> None:
    nobody = FileId(bytes(16))
    refused(repository, NotFound, "directory-not-found", [("add_bytes", ("None", "a.jpg", b"x"))])
    refused(repository, NotFound, "file-not-found", [("place", ("Main", "a.jpg", nobody))])
    refused(repository, NotFound, "directory-not-found", [("remove_directory", ("None",))])
    refused(repository, NotFound, "directory-not-found", [("clone_directory", ("None", "New"))])
    refused(repository, NotFound, "directory-not-found", [("switch", ("None",))])
    refused(repository, NotFound, "directory-not-found", [("commit", ("None", "message"))])
    refused(repository, Usage, "bad-path", [("add_bytes", ("Main", "../a.jpg", b"x"))])
    refused(repository, Usage, "bad-path", [("place", ("Main", "/a.jpg", nobody))])
    refused(repository, Usage, "bad-name", [("create_directory", ("a/b",))])
    refused(repository, Usage, "bad-name", [("add_snapshot", ("a:b", repository.head(), ""))])
    refused(repository, Refused, "directory-exists", [("create_directory", ("Main",))])
    refused(repository, Refused, "directory-exists", [("create_directory", ("New",))] * 2)
    refused(repository, Refused, "directory-exists", [("add_snapshot", ("Main", repository.head(), ""))])
    refused(repository, Refused, "last-directory", [("remove_directory", ("Main",))])


def test_a_snapshot_name_is_given_once(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    with repository.transaction("commit and snapshot") as edit:
        commit = edit.commit("Main", "first")
        edit.add_snapshot("v1", commit, "")
    refused(repository, Refused, "snapshot-exists", [("add_snapshot", ("v1", commit, "again"))])
    refused(repository, Refused, "snapshot-exists", [("create_directory", ("v1",))])


# file ids


def file_id(directory: str, path: str, blob: ObjectId, counter: int = 0) -> FileId:
    (identity,) = file_ids(directory, [(path, blob)], counter)
    return identity


def test_a_file_id_is_derived_from_where_the_file_first_appears(repository: Repository) -> None:
    with repository.transaction("add") as edit:
        state = edit.add_bytes("Main", "a.jpg", b"x")
    assert [state.file_id] == file_ids("Main", [("a.jpg", state.blob)])


def test_a_counter_sets_apart_a_file_whose_derived_id_lives(repository: Repository) -> None:
    with repository.transaction("add") as edit:
        first = edit.add_bytes("Main", "a.jpg", b"x")
    with repository.transaction("move, then add again") as edit:
        edit.take_out("Main", "a.jpg")
        edit.place("Main", "moved.jpg", first.file_id)
        second = edit.add_bytes("Main", "a.jpg", b"x")
    assert [second.file_id] == file_ids("Main", [("a.jpg", first.blob)], 1)
    with repository.transaction("label") as edit:
        annotate(edit, repository, "Main:a.jpg")
    assert labels(repository, "Main", "moved.jpg") == []


def test_a_counter_sets_apart_files_of_one_transaction(repository: Repository) -> None:
    with repository.transaction("add") as edit:
        first: FileState = edit.add_bytes("Main", "a.jpg", b"x")
        edit.create_directory("Dogs")
        edit.place("Dogs", "a.jpg", first.file_id)
        second = edit.add_bytes("Main", "a.jpg", b"x")
        third = edit.add_bytes("Main", "b.jpg", b"x")
    assert len({first.file_id, second.file_id, third.file_id}) == 3
    assert repository["Main"]["a.jpg"].state == second
    assert repository["Dogs"]["a.jpg"].state == first


def test_a_file_that_is_nowhere_any_more_gives_its_id_back(repository: Repository) -> None:
    with repository.transaction("add") as edit:
        first = edit.add_bytes("Main", "a.jpg", b"x")
    root = repository["Main"].root
    with repository.transaction("remove") as edit:
        edit.take_out("Main", "a.jpg")
    with repository.transaction("add again") as edit:
        assert edit.add_bytes("Main", "a.jpg", b"x") == first
    assert repository["Main"].root == root


# directories


def test_a_renamed_directory_keeps_its_files_and_history(repository: Repository) -> None:
    add(repository, "Main", "a.jpg")
    with repository.transaction("commit") as edit:
        commit = edit.commit("Main", "first")
    with repository.transaction("rename") as edit:
        edit.rename_directory("Main", "Pets")
    assert list(repository) == ["Pets"]
    assert repository.view.current == "Pets"
    assert repository["Pets"].commit == commit


def test_the_current_directory_moves_on_when_it_is_removed(repository: Repository) -> None:
    add(repository, "Dogs", "d.jpg")
    with repository.transaction("remove") as edit:
        edit.remove_directory("Main")
    assert repository.view.current == "Dogs"
    assert list(repository) == ["Dogs"]
