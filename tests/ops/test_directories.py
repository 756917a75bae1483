from __future__ import annotations

import pytest

from tdvc.errors import NotFound, Refused, Usage
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory, list_directories, remove_directory, rename_directory, switch
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import mirror
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, labels, lines, stock, unchanged


def test_create_and_list(repository: Repository) -> None:
    stock(repository, "Main", {"a": (b"abc", [box()])})
    commit(repository, "first")
    create_directory(repository, "Dogs")
    listed = {item.name: item for item in list_directories(repository)}
    assert list(listed) == ["Dogs", "Main"]
    main, dogs = listed["Main"], listed["Dogs"]
    assert (main.files, main.size_bytes, main.instances, main.current, main.staged) == (1, 3, 1, True, False)
    assert (dogs.files, dogs.current, dogs.commit, dogs.staged) == (0, False, None, False)


@pytest.mark.parametrize(
    "name", ["", "-x", "a..b", "a b", ".a", "a/b", "abcdef0", "HEAD", "con", "a\0", "x" * 201, "a:b"]
)
def test_bad_names(repository: Repository, name: str) -> None:
    with unchanged(repository), fails(Usage, "bad-name"):
        create_directory(repository, name)
    with unchanged(repository), fails(Usage, "bad-name"):
        rename_directory(repository, "Main", name)


def test_names_are_given_once(repository: Repository) -> None:
    with unchanged(repository), fails(Refused, "directory-exists"):
        create_directory(repository, "Main")
    create_directory(repository, "Dogs")
    with unchanged(repository), fails(Refused, "directory-exists"):
        rename_directory(repository, "Main", "Dogs")


def test_remove_leaves_mirrors_and_snapshots(repository: Repository) -> None:
    stock(repository, "Main", {"a": (b"a", [box("dog")])})
    commit(repository, "first")
    snapshot(repository, "Main", "v1")
    mirror(repository, ["Main"], "Dogs")
    before = held(repository, "Main")
    with unchanged(repository):
        assert remove_directory(repository, "Main", dry_run=True).files == 1
    assert remove_directory(repository, "Main").files == 1
    assert held(repository, "Dogs") == held(repository, "v1") == before
    assert repository.view.current == "Dogs"
    with fails(NotFound, "directory-not-found"):
        repository.directory("Main")
    undo(repository)
    assert held(repository, "Main") == before
    assert repository.view.current == "Main"


def test_the_last_one_stays(repository: Repository) -> None:
    with unchanged(repository), fails(Refused, "last-directory"):
        remove_directory(repository, "Main")


def test_rename_keeps_content_history_and_mirrors(repository: Repository) -> None:
    stock(repository, "Main", {"a": b"a"})
    commit(repository, "first")
    mirror(repository, ["Main"], "Dogs")
    before, root = held(repository, "Main"), repository["Main@"].root
    rename_directory(repository, "Main", "Pets")
    assert held(repository, "Pets") == before
    assert repository["Pets@"].root == root
    assert repository.view.current == "Pets"
    annotate(repository, lines({"op": "add", "path": "a", "instance": box("dog")}), "Pets")
    assert labels(repository, "Dogs", "a") == ["dog"]
    with fails(NotFound, "unknown-revision"):
        repository["Main"]


def test_switch(repository: Repository) -> None:
    create_directory(repository, "Dogs")
    switch(repository, "Dogs")
    assert repository.directory(None).name == "Dogs"
    with unchanged(repository):
        switch(repository, "Dogs")
    with unchanged(repository), fails(NotFound, "directory-not-found"):
        switch(repository, "Cats")


def test_what_is_not_there(repository: Repository) -> None:
    for refused in (remove_directory, lambda r, name: rename_directory(r, name, "New")):
        with unchanged(repository), fails(NotFound, "directory-not-found"):
            refused(repository, "Nowhere")
