from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdvc.errors import NotFound
from tdvc.ops.annotate import annotate, complete
from tdvc.ops.checkout import checkout
from tdvc.ops.committing import commit
from tdvc.ops.status import folder_status, status
from tdvc.ops.transfer import mirror, remove
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, jpeg, lines, stock, write_tree


@pytest.fixture
def pets(disk_repository: Repository) -> Repository:
    stock(disk_repository, "Main", {"a.jpg": (jpeg("a"), [box("dog", number=1)]), "b.jpg": jpeg("b")})
    return disk_repository


@pytest.fixture
def out(pets: Repository, tmp_path: Path) -> Path:
    checkout(pets, "Main", tmp_path / "out")
    return tmp_path / "out"


def test_before_the_first_commit(pets: Repository) -> None:
    found = status(pets)
    assert (found.directory.name, found.directory.files, found.directory.instances) == ("Main", 2, 1)
    assert (found.directory.staged, found.directory.commit, found.commit_message) == (True, None, None)
    assert (found.staged.added_files, found.staged.added_instances) == (2, 1)


def test_an_empty_directory_has_nothing_staged(repository: Repository) -> None:
    assert not status(repository).directory.staged


def test_after_a_commit_and_after_edits(pets: Repository) -> None:
    commit(pets, "first")
    found = status(pets)
    assert (found.directory.staged, found.commit_message) == (False, "first")
    assert found.staged.added_files == found.staged.annotated_files == 0
    annotate(pets, lines({"op": "replace", "path": "a.jpg", "instances": []}))
    complete(pets, ["b.jpg"])
    found = status(pets)
    assert found.directory.staged
    assert (found.staged.annotated_files, found.staged.completeness_changes) == (1, 1)
    assert found.directory.complete == 1


def test_the_other_directories_at_a_glance(pets: Repository) -> None:
    mirror(pets, ["Main"], "Dogs", label="dog")
    commit(pets, "first", "Dogs")
    found = status(pets, "Dogs")
    assert (found.directory.name, found.directory.files, found.directory.staged) == ("Dogs", 1, False)
    assert [(item.name, item.files, item.staged, item.current) for item in found.others] == [("Main", 2, True, True)]
    annotate(pets, lines({"op": "replace", "path": "a.jpg", "instances": []}), "Main")
    assert status(pets, "Dogs").staged.annotated_files == 1
    with fails(NotFound, "directory-not-found"):
        status(pets, "Nowhere")


def test_a_fresh_checkout_is_clean(pets: Repository, out: Path) -> None:
    found = folder_status(pets, out)
    assert found.clean
    assert not found.behind
    assert found.revision == "Main"


def test_an_unchanged_folder_is_not_read(pets: Repository, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *a, **k: (opened.append(os.fspath(path)), real(path, *a, **k))[1])
    assert folder_status(pets, out).clean
    assert [path for path in opened if path.endswith(".jpg")] == []


def test_what_was_edited_in_the_folder(pets: Repository, out: Path) -> None:
    stock(pets, "Main", {"c.jpg": jpeg("c")})
    checkout(pets, "Main", out, update=True)
    (out / "a.jpg").write_bytes(jpeg("edited"))
    (out / "b.jpg").unlink()
    write_tree(out, {"new/d.jpg": b"d", ".hidden": b"h"})
    (out / "c.jpg").write_bytes(jpeg("c"))
    found = folder_status(pets, out)
    assert (found.added, found.changed, found.missing) == (["new/d.jpg"], ["a.jpg"], ["b.jpg"])
    assert not found.annotations_changed
    assert not found.clean


def test_edited_annotation(pets: Repository, out: Path) -> None:
    with (out / "instances.jsonl").open("a") as stream:
        stream.write("\n")
    found = folder_status(pets, out)
    assert (found.annotations_changed, found.changed, found.clean) == (True, [], False)


def test_links_and_pipes_are_listed(pets: Repository, out: Path) -> None:
    (out / "link").symlink_to(out / "a.jpg")
    os.mkfifo(out / "pipe")
    assert sorted(problem.code for problem in folder_status(pets, out).problems) == [
        "skipped-special",
        "skipped-symlink",
    ]


def test_behind_when_the_revision_moved_on(pets: Repository, out: Path) -> None:
    remove(pets, ["Main:b.jpg"])
    found = folder_status(pets, out)
    assert found.behind
    assert found.clean


def test_a_folder_that_was_not_checked_out(pets: Repository, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "missing"):
        with fails(NotFound, "source-not-found"):
            folder_status(pets, place)
