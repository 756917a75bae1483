from __future__ import annotations

import pytest

from tdvc.errors import NotFound, Refused, Usage
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.directories import rename_directory
from tdvc.ops.history import log
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import mirror, remove
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, lines, stock, unchanged


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(repository, "Main", {"a.jpg": (b"a", [box("dog")]), "b.jpg": b"b"})
    return repository


def test_a_commit_makes_the_staged_state_the_last_one(pets: Repository) -> None:
    result = commit(pets, "first")
    assert (result.directory, result.counts.files, result.changed.added_files) == ("Main", 2, 2)
    assert pets["Main"].commit.hex() == pets["Main@"].commit.hex() == result.commit
    assert pets[result.commit[:7]].root == pets["Main"].root
    assert not diff(pets)


def test_what_a_commit_changed_is_counted(pets: Repository) -> None:
    commit(pets, "first")
    relabel(pets, "dog", "cat")
    complete(pets, ["b.jpg"])
    stock(pets, "Main", {"c.jpg": b"c"})
    remove(pets, ["Main:b.jpg"])
    changed = commit(pets, "second").changed
    assert (changed.added_files, changed.removed_files, changed.annotated_files) == (1, 1, 1)


def test_commits_follow_on_each_other(pets: Repository) -> None:
    states = {}
    for number in range(3):
        annotate(pets, lines({"op": "add", "path": "b.jpg", "instance": box(f"label {number}")}))
        states[commit(pets, f"message {number}").commit] = held(pets, "Main")
    entries = list(log(pets))
    assert [entry.message for entry in entries] == ["message 2", "message 1", "message 0"]
    assert [entry.parents for entry in entries] == [(entries[1].commit,), (entries[2].commit,), ()]
    assert [entry.counts.instances for entry in entries] == [4, 3, 2]
    assert {entry.author for entry in entries} == {"Ada"}
    assert {identity: held(pets, identity) for identity in states} == states
    assert [entry.message for entry in log(pets, limit=2)] == ["message 2", "message 1"]
    for revision in ("Main~1", "Main@~1", entries[1].commit, entries[1].commit[:9]):
        assert [entry.message for entry in log(pets, revision)] == ["message 1", "message 0"]


def test_every_directory_has_commits_of_its_own(pets: Repository) -> None:
    commit(pets, "of Main")
    mirror(pets, ["Main:a.jpg"], "Dogs")
    assert list(log(pets, "Dogs")) == []
    commit(pets, "of Dogs", "Dogs")
    assert [entry.message for entry in log(pets, "Dogs")] == ["of Dogs"]
    assert [entry.message for entry in log(pets, "Main")] == ["of Main"]


def test_the_log_of_a_snapshot_and_of_a_renamed_directory(pets: Repository) -> None:
    commit(pets, "first")
    snapshot(pets, "Main", "v1")
    rename_directory(pets, "Main", "Pets")
    complete(pets, ["a.jpg"], "Pets")
    commit(pets, "second", "Pets")
    assert [(entry.message, entry.directory) for entry in log(pets, "Pets")] == [("second", "Pets"), ("first", "Main")]
    assert [entry.message for entry in log(pets, "v1")] == ["first"]


def test_a_commit_pins_the_schema(pets: Repository) -> None:
    commit(pets, "first")
    relabel(pets, "dog", "wolf")
    assert set(pets["Main@"].schema.labels) == {"dog"}
    assert set(pets["Main"].schema.labels) == {"dog", "wolf"}


def test_nothing_staged(pets: Repository) -> None:
    commit(pets, "first")
    with unchanged(pets), fails(Refused, "nothing-to-commit"):
        commit(pets, "again")
    complete(pets, ["b.jpg"])
    complete(pets, ["b.jpg"], undo=True)
    with unchanged(pets), fails(Refused, "nothing-to-commit"):
        commit(pets, "there and back")


@pytest.mark.parametrize("message", ["", "   ", "\n\t", "x" * (64 << 10) + "x"])
def test_messages_that_say_nothing_or_too_much(pets: Repository, message: str) -> None:
    with unchanged(pets), fails(Usage, "bad-usage"):
        commit(pets, message)


def test_any_text_is_a_message(pets: Repository) -> None:
    message = 'a title\n\nand more: é 🐕 "quoted" \\ \x1b[31m'
    commit(pets, message)
    assert next(log(pets)).message == message


def test_what_is_not_there(pets: Repository) -> None:
    with unchanged(pets), fails(NotFound, "directory-not-found"):
        commit(pets, "why", "Nowhere")
    with fails(NotFound, "unknown-revision"):
        list(log(pets, "Nowhere"))
