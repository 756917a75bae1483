from __future__ import annotations

from pathlib import Path

import pytest

from tdvc.errors import NotFound, Refused, Usage
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate, relabel
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory, remove_directory, rename_directory
from tdvc.ops.snapshots import snapshot, snapshots, verify
from tdvc.ops.transfer import remove
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, jpeg, lines, stock, unchanged, write_tree


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog")]), "b.jpg": (jpeg("b"), [box("cat"), box("cat")])})
    commit(repository, "first")
    return repository


def test_a_snapshot_freezes_the_last_commit(pets: Repository) -> None:
    result = snapshot(pets, None, "v1", message="for the paper")
    assert (result.directory, result.counts.files, result.counts.instances) == ("Main", 2, 3)
    assert not result.staged_edits_left_out
    (listed,) = snapshots(pets)
    assert (listed.name, listed.message, listed.author, listed.commit) == ("v1", "for the paper", "Ada", result.commit)
    assert pets["v1"].root.hex() == result.root == pets["Main@"].root.hex()


def test_staged_edits_are_left_out_and_it_is_said(pets: Repository) -> None:
    annotate(pets, lines({"op": "replace", "path": "a.jpg", "instances": []}))
    result = snapshot(pets, "Main", "v1")
    assert result.staged_edits_left_out
    assert held(pets, "v1") == held(pets, "Main@") != held(pets, "Main")


def test_nothing_that_happens_later_changes_it(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    before, schema = held(pets, "v1"), pets["v1"].schema
    relabel(pets, "dog", "wolf")
    commit(pets, "second")
    remove(pets, ["Main:b.jpg"])
    rename_directory(pets, "Main", "Renamed")
    create_directory(pets, "Main")
    remove_directory(pets, "Renamed")
    assert held(pets, "v1") == before
    assert pets["v1"].schema == schema
    assert [item.name for item in snapshots(pets)] == ["v1"]


def test_a_name_is_given_once(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    for _ in range(2):
        with unchanged(pets), fails(Refused, "snapshot-exists"):
            snapshot(pets, "Main", "v1")
    undo(pets)
    with unchanged(pets), fails(Refused, "snapshot-exists"):
        snapshot(pets, "Main", "v1")


def test_directories_and_snapshots_share_their_names(pets: Repository) -> None:
    with unchanged(pets), fails(Refused, "directory-exists"):
        snapshot(pets, "Main", "Main")
    snapshot(pets, "Main", "v1")
    for refused in (lambda: create_directory(pets, "v1"), lambda: rename_directory(pets, "Main", "v1")):
        with unchanged(pets), fails(Refused, "snapshot-exists"):
            refused()


@pytest.mark.parametrize(
    "name", ["", "-v", "a..b", "v 1", "v:1", "v~1", "deadbeef", "x/y", ".v", "v\n", "nul", "v.lock"]
)
def test_bad_names(pets: Repository, name: str) -> None:
    with unchanged(pets), fails(Usage, "bad-name"):
        snapshot(pets, "Main", name)


def test_without_a_commit_there_is_nothing_to_freeze(repository: Repository) -> None:
    stock(repository, "Main", {"a": b"a"})
    with unchanged(repository), fails(NotFound, "unknown-revision"):
        snapshot(repository, "Main", "v1")
    with unchanged(repository), fails(NotFound, "directory-not-found"):
        snapshot(repository, "Nowhere", "v1")


def test_they_are_listed_by_name(pets: Repository) -> None:
    for name in ("v2", "v10", "a"):
        snapshot(pets, "Main", name)
    assert [item.name for item in snapshots(pets)] == ["a", "v10", "v2"]


def test_verify_reads_everything(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    result = verify(pets, "v1")
    assert (result.revision, result.files, result.instances, result.problems) == ("v1", 2, 3, [])
    assert result.size_bytes == len(jpeg("a")) + len(jpeg("b"))
    with fails(NotFound, "unknown-revision"):
        verify(pets, "v2")


def test_verify_names_the_file_whose_bytes_are_damaged(disk_repository: Repository, tmp_path: Path) -> None:
    files = {f"{n}.jpg": jpeg(f"picture {n}") for n in range(5)} | {"large.bin": b"large" * (2 << 20)}
    add(disk_repository, [write_tree(tmp_path / "source", files)])
    commit(disk_repository, "first")
    snapshot(disk_repository, "Main", "v1")
    for path in ("3.jpg", "large.bin"):
        flip_a_byte(disk_repository, files[path])
    again = Repository.open(disk_repository.path, author="Ada", durable=False)
    result = verify(again, "v1")
    assert [(problem.code, problem.place) for problem in result.problems] == [
        ("stored-damaged", "3.jpg"),
        ("stored-damaged", "large.bin"),
    ]
    assert result.files == 6


def test_verify_names_the_file_whose_instances_are_damaged(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog", number=1)]), "b.jpg": jpeg("b")})
    storage = repository.storage
    for name, content in storage.files.items():
        storage.files[name] = content.replace(b'"label":"dog"', b'"label":"cat"')
    assert [problem.place for problem in verify(repository, "Main").problems] == ["a.jpg"]


def flip_a_byte(repository: Repository, content: bytes) -> None:
    """Damage the stored copy of `content`."""
    places = [*(repository.path / ".tdvc/packs").iterdir(), *(repository.path / ".tdvc/blobs").rglob("*")]
    hits = [(place, at) for place in places if place.is_file() and (at := place.read_bytes().find(content)) >= 0]
    assert hits
    for place, at in hits:
        place.chmod(0o644)
        with place.open("r+b") as stream:
            stream.seek(at + len(content) // 2)
            byte = stream.read(1)
            stream.seek(at + len(content) // 2)
            stream.write(bytes([byte[0] ^ 1]))


def test_reading_the_original_again_heals_what_is_damaged(disk_repository: Repository, tmp_path: Path) -> None:
    content = jpeg("a picture that lies in a pack as it is")
    write_tree(tmp_path / "photos", {"a.jpg": content})
    add(disk_repository, [tmp_path / "photos"])
    assert disk_repository.path is not None
    for pack in (disk_repository.path / ".tdvc/packs").iterdir():
        damaged = pack.read_bytes().replace(content, bytes(len(content)))
        pack.chmod(0o644)
        pack.write_bytes(damaged)
    repository = Repository.open(disk_repository.path, author="Ada", durable=False)
    assert len(verify(repository, "Main").problems) == 1
    assert add(repository, [tmp_path / "photos"], reread=True).problems == []
    assert verify(Repository.open(disk_repository.path, author="Ada"), "Main").problems == []
