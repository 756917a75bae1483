"""The one pointer that moves, and what is found when a crash caught it moving."""

from __future__ import annotations

import pytest

from tdvc.errors import Conflict, Corruption, StorageFailure, TdvcError
from tdvc.ids import ObjectId
from tdvc.repo import oplog
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage


def step(repository: Repository, number: int) -> ObjectId:
    with repository.transaction(f"step {number}") as edit:
        edit.add_bytes("Main", f"{number}.jpg", b"x")
    assert edit.operation is not None
    return edit.operation


def again(repository: Repository) -> Repository:
    return Repository(repository.storage, author="Grace")


def files_of(repository: Repository) -> dict[str, bytes]:
    assert isinstance(repository.storage, MemoryStorage)
    return repository.storage.files


def test_the_head_is_the_only_name_in_heads(repository: Repository) -> None:
    for number in range(3):
        last = step(repository, number)
        assert repository.storage.names("heads") == [last.hex()]
        assert repository.head() == last


def test_history_goes_back_to_the_creation(repository: Repository) -> None:
    made = [repository.head(), *(step(repository, number) for number in range(3))]
    told = list(oplog.history(repository.objects, repository.head()))
    assert [identity for identity, _ in told] == made[::-1]
    assert [operation.command for _, operation in told] == ["step 2", "step 1", "step 0", "init"]
    assert {operation.author for _, operation in told} == {"Ada"}


@pytest.mark.parametrize("distance", [1, 2, 5])
def test_a_crash_between_the_new_and_the_old_head_shows_the_new_one(repository: Repository, distance: int) -> None:
    old = repository.head()
    new = [step(repository, number) for number in range(distance)][-1]
    repository.storage.create(f"heads/{old.hex()}")
    assert again(repository).head() == new
    after = step(again(repository), 99)
    assert repository.storage.names("heads") == [after.hex()]
    assert len(again(repository)["Main"]) == distance + 1


def test_several_left_over_ancestors_are_all_dropped(repository: Repository) -> None:
    made = [repository.head(), *(step(repository, number) for number in range(4))]
    for identity in made[:-1]:
        repository.storage.create(f"heads/{identity.hex()}")
    assert again(repository).head() == made[-1]


def test_two_heads_that_follow_on_one_are_refused(repository: Repository) -> None:
    before = dict(files_of(repository))
    one = step(repository, 1)
    kept = dict(files_of(repository))
    files_of(repository).clear()
    files_of(repository).update(before)
    two = step(again(repository), 2)
    files_of(repository).update(kept)
    assert repository.storage.names("heads") == sorted([one.hex(), two.hex()])
    for act in (lambda: again(repository).head(), lambda: step(again(repository), 3)):
        with pytest.raises(Conflict) as caught:
            act()
        assert caught.value.code == "heads-diverged"
        assert one.hex()[:12] in caught.value.message
        assert two.hex()[:12] in caught.value.message
    repository.storage.remove(f"heads/{one.hex()}")
    assert again(repository).head() == two


def test_no_head_is_said(repository: Repository) -> None:
    repository.storage.remove(f"heads/{repository.head().hex()}")
    with pytest.raises(Corruption) as caught:
        again(repository).head()
    assert caught.value.code == "object-missing"


def test_a_head_whose_operation_is_missing_is_said(repository: Repository) -> None:
    head = repository.head()
    for name in [name for name in files_of(repository) if name.startswith("packs/")]:
        repository.storage.remove(name)
    with pytest.raises(Corruption) as caught:
        _ = again(repository).view
    assert head.hex() in caught.value.message


def test_other_files_in_heads_are_passed_over(repository: Repository) -> None:
    head = repository.head()
    for name in (".DS_Store", "notes", "ab", "0" * 63, "g" * 64):
        repository.storage.create(f"heads/{name}")
    assert again(repository).head() == head


def test_moving_the_head_creates_the_new_name_before_the_old_one_goes(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = repository.head()
    seen: list[int] = []
    for method in ("create", "remove"):
        real = getattr(repository.storage, method)

        def watched(name: str, *rest: bytes, real=real) -> None:
            real(name, *rest)
            seen.append(len(repository.storage.names("heads")))

        monkeypatch.setattr(repository.storage, method, watched)
    new = step(repository, 1)
    assert seen == [2, 1]
    assert repository.storage.names("heads") == [new.hex()] != [old.hex()]


def test_an_old_head_that_can_not_be_removed_does_not_undo_what_happened(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        raise StorageFailure("disk-failure", "The disk would not.")

    with monkeypatch.context() as patch:
        patch.setattr(repository.storage, "remove", fail)
        new = step(repository, 1)
    assert len(repository.storage.names("heads")) == 2
    assert again(repository).head() == new
    last = step(again(repository), 2)
    assert repository.storage.names("heads") == [last.hex()]


def test_a_crash_before_the_head_moves_changes_nothing(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    head = repository.head()

    class Crash(TdvcError):
        pass

    def crash(*arguments: object) -> None:
        raise Crash("disk-failure", "The power went.")

    with monkeypatch.context() as patch:
        patch.setattr(repository.storage, "create", crash)
        with pytest.raises(Crash):
            step(repository, 1)
    assert again(repository).head() == head
    assert len(again(repository)["Main"]) == 0
    step(again(repository), 1)
    assert len(again(repository)["Main"]) == 1
