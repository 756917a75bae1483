from __future__ import annotations

import pytest

from tdvc.errors import Corruption, NotFound, Usage
from tdvc.ops.annotate import complete
from tdvc.ops.committing import commit
from tdvc.ops.listing import cat, ls, show
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import copy, mirror, remove
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, jpeg, stock


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(
        repository,
        "Main",
        {
            "a.jpg": (jpeg("a"), [box("dog", number=1), box("dog", number=2), box("cat", number=3)]),
            "b.jpg": (jpeg("b"), [box("cat", number=4)]),
            "in/c.txt": b"c",
        },
    )
    complete(repository, ["b.jpg"])
    commit(repository, "first")
    snapshot(repository, "Main", "v1", message="frozen")
    return repository


def test_ls(pets: Repository) -> None:
    listed = list(ls(pets))
    assert [(f.path, f.size_bytes, f.instances, f.complete) for f in listed] == [
        ("a.jpg", len(jpeg("a")), 3, False),
        ("b.jpg", len(jpeg("b")), 1, True),
        ("in/c.txt", 1, 0, False),
    ]
    assert listed[0].media_type == "image/jpeg"
    assert listed[0].blob == pets["Main"]["a.jpg"].blob_id


@pytest.mark.parametrize(
    ("selector", "label", "found"),
    [
        ("Main:in", None, ["in/c.txt"]),
        ("Main:*.jpg", None, ["a.jpg", "b.jpg"]),
        ("Main", "dog", ["a.jpg"]),
        ("Main:b*", "cat", ["b.jpg"]),
        ("v1:a.jpg", None, ["a.jpg"]),
        ("Main:b*", "nothing", []),
    ],
)
def test_ls_narrowed(pets: Repository, selector: str, label: str | None, found: list[str]) -> None:
    assert [file.path for file in ls(pets, selector, label=label)] == found


def test_ls_of_history_is_as_it_was(pets: Repository) -> None:
    remove(pets, ["Main:a.jpg"])
    assert [file.path for file in ls(pets, "Main")] == ["b.jpg", "in/c.txt"]
    assert (
        [file.path for file in ls(pets, "v1")]
        == [file.path for file in ls(pets, "Main@")]
        == ["a.jpg", "b.jpg", "in/c.txt"]
    )


def test_ls_of_what_is_no_revision(pets: Repository) -> None:
    with fails(NotFound, "unknown-revision"):
        ls(pets, "Nowhere")


def test_show_a_directory_a_commit_and_a_snapshot(pets: Repository) -> None:
    directory, snap = show(pets, "Main"), show(pets, "v1")
    old = show(pets, directory.commit[:8])
    assert [shown.kind for shown in (directory, old, snap)] == ["directory", "commit", "snapshot"]
    assert {shown.commit for shown in (directory, old, snap)} == {directory.commit}
    assert {tuple(shown.counts) for shown in (directory, old, snap)} == {(3, len(jpeg("a")) + len(jpeg("b")) + 1, 4, 1)}
    assert directory.labels == snap.labels == {"cat": (2, 2), "dog": (1, 2)}
    assert (directory.message, snap.message) == ("first", "frozen")


def test_show_without_a_selector_is_the_current_directory(pets: Repository) -> None:
    assert show(pets).directory == "Main"


def test_show_a_file_and_where_else_it_is(pets: Repository) -> None:
    mirror(pets, ["Main:a.jpg"], "Dogs:king.jpg")
    shown = show(pets, "Main:a.jpg")
    assert shown.kind == "file"
    assert [instance.label for instance in shown.instances] == ["dog", "dog", "cat"]
    assert shown.directories == ["Dogs:king.jpg", "Main:a.jpg"]
    assert shown.origin is None
    assert show(pets, "v1:a.jpg").directories == ["Dogs:king.jpg", "Main:a.jpg"]


def test_show_a_copy_names_its_origin(pets: Repository) -> None:
    copy(pets, ["Main:a.jpg"], "Copies")
    assert show(pets, "Copies:a.jpg").origin == show(pets, "Main:a.jpg").file.file_id


def test_show_what_is_not_there(pets: Repository) -> None:
    with fails(NotFound, "file-not-found"):
        show(pets, "Main:missing.jpg")
    with fails(NotFound, "unknown-revision"):
        show(pets, "v2")


def test_cat(pets: Repository) -> None:
    remove(pets, ["Main:a.jpg"])
    assert b"".join(cat(pets, "v1:a.jpg")) == jpeg("a")
    for selector, kind, code in [
        ("Main", Usage, "bad-usage"),
        ("Main:a.jpg", NotFound, "file-not-found"),
        ("Main:*.jpg", NotFound, "file-not-found"),
        ("Nowhere:a.jpg", NotFound, "unknown-revision"),
    ]:
        with fails(kind, code):
            cat(pets, selector)


def test_cat_never_gives_damaged_bytes(repository: Repository) -> None:
    stock(repository, "Main", {"a.txt": b"precious"})
    storage = repository.storage
    for name, content in storage.files.items():
        storage.files[name] = content.replace(b"precious", b"PRECIOUS")
    with fails(Corruption, "object-damaged"):
        b"".join(cat(repository, "Main:a.txt"))
