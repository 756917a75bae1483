from __future__ import annotations

import pytest

from tdvc.errors import NotFound, Usage
from tdvc.ops.leaks import leaks
from tdvc.ops.splitting import split
from tdvc.ops.transfer import copy, mirror
from tdvc.repo.repository import Repository
from tests.ops.build import fails, stock
from tests.ops.test_splitting import INTO, numbered, picture, with_patients


@pytest.fixture
def apart(repository: Repository) -> Repository:
    stock(repository, "Train", {"a.txt": b"a", "b.txt": b"b"})
    stock(repository, "Test", {"c.txt": b"c"})
    return repository


def found(repository: Repository, *names: str, **options: object) -> list[tuple[str, list[str]]]:
    return [(leak.kind, leak.files) for leak in leaks(repository, names, **options).leaks]


def test_none(apart: Repository) -> None:
    result = leaks(apart, ["Train", "Test"])
    assert (result.states, result.files, result.leaks) == (["Train", "Test"], 3, [])


def test_a_mirrored_file(apart: Repository) -> None:
    mirror(apart, ["Train:a.txt"], "Test:x.txt")
    assert found(apart, "Train", "Test") == [("file", ["Train:a.txt", "Test:x.txt"])]


def test_equal_bytes(apart: Repository) -> None:
    stock(apart, "Test", {"same.txt": b"a"})
    assert found(apart, "Train", "Test") == [("blob", ["Train:a.txt", "Test:same.txt"])]


def test_a_copy_is_one_even_with_other_bytes(apart: Repository) -> None:
    copy(apart, ["Train:a.txt"], "Test:copy.txt")
    with apart.transaction("other bytes") as edit:
        state = apart["Test"].entry("copy.txt").state
        edit.set_state(state._replace(blob=apart["Test"].entry("c.txt").state.blob))
    assert ("copy", ["Train:a.txt", "Test:copy.txt"]) in found(apart, "Train", "Test")


def test_copies_of_a_third_file(apart: Repository) -> None:
    stock(apart, "Main", {"m.txt": b"m"})
    copy(apart, ["Main:m.txt"], "Train")
    copy(apart, ["Main:m.txt"], "Test")
    assert found(apart, "Train", "Test") == [("copy", ["Train:m.txt", "Test:m.txt"])]


def test_within_one_state_nothing_leaks(apart: Repository) -> None:
    stock(apart, "Train", {"again.txt": b"a"})
    assert found(apart, "Train", "Test") == []


def test_a_group(repository: Repository) -> None:
    with_patients(repository, 1, 60)
    split(repository, "Pets", INTO)
    states = [f"Pets-{name}" for name in INTO]
    assert found(repository, *states) == []
    kinds = {kind for kind, _ in found(repository, *states, group_by=["property.patient"])}
    assert kinds == {"property.patient"}


def test_near_duplicates(repository: Repository) -> None:
    stock(repository, "Train", {"a.jpg": picture(1, 95), "b.jpg": picture(2)})
    stock(repository, "Test", {"a.jpg": picture(1, 70), "c.jpg": picture(3)})
    assert found(repository, "Train", "Test", group_by=["near-duplicates"]) == [
        ("near-duplicates", ["Train:a.jpg", "Test:a.jpg"])
    ]
    assert found(repository, "Train", "Test") == []


def test_a_split_has_no_leaks(repository: Repository) -> None:
    stock(repository, "Pets", {**numbered(0, 50), **{f"again/{n}.txt": b"file %d" % n for n in range(50)}})
    split(repository, "Pets", INTO)
    assert found(repository, "Pets-train", "Pets-val", "Pets-test") == []


def test_what_can_go_wrong(apart: Repository) -> None:
    with fails(Usage, "bad-usage"):
        leaks(apart, ["Train"])
    with fails(Usage, "bad-usage"):
        leaks(apart, ["Train", "Test"], group_by=["patient"])
    with fails(NotFound, "unknown-revision"):
        leaks(apart, ["Train", "Trial"])
