from datetime import timedelta
from pathlib import Path

import pytest

from tdvc.columns.layout import FOLDER, OLD_FOLDERS
from tdvc.columns.store import ColumnStore
from tdvc.errors import Conflict, Corruption, Refused
from tdvc.ids import Kind
from tdvc.objects import store as store_module
from tdvc.ops import collecting
from tdvc.ops.annotate import relabel
from tdvc.ops.collecting import collect, restore_trash
from tdvc.ops.committing import commit
from tdvc.ops.directories import remove_directory
from tdvc.ops.restoring import reset
from tdvc.ops.snapshots import snapshot, verify
from tdvc.ops.transfer import copy, remove
from tdvc.ops.undoing import redo, restore_operation, undo
from tdvc.repo import tidying
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, jpeg, stock, stored_blobs

NO_GRACE = timedelta(0)


def again(repository: Repository) -> Repository:
    """The same repository, opened by somebody who knows nothing yet."""
    return Repository(repository.storage, author="Grace")


def bytes_in(repository: Repository, *folders: str) -> int:
    storage = repository.storage
    return sum(storage.size(f"{folder}/{name}") for folder in folders for name in storage.names(folder))


@pytest.fixture(params=["memory", "disk"])
def pets(request: pytest.FixtureRequest, repository: Repository, disk_repository: Repository) -> Repository:
    """Three commits, a snapshot, a copy, staged edits; a directory and a large file that are gone."""
    pets = repository if request.param == "memory" else disk_repository
    stock(pets, "Main", {f"{name}.jpg": (jpeg(name), [box("dog"), box("cat")]) for name in "abcdef"})
    commit(pets, "first")
    snapshot(pets, None, "v1")
    relabel(pets, "dog", "wolf")
    commit(pets, "second")
    copy(pets, ["Main"], "Side", with_instances=True)
    relabel(pets, "cat", "lynx", "Side")
    stock(pets, "Gone", {"lost.jpg": jpeg("lost" * 100), "large.bin": b"\0\1" * (5 << 20)})
    commit(pets, "gone", "Gone")
    remove_directory(pets, "Gone")
    remove(pets, ["Main:f.jpg"])
    return pets


def everything(repository: Repository) -> dict[str, object]:
    states = ["Main", "Main@", "Main~1", "Side", "v1"]
    return {name: held(repository, name) for name in states}


def test_gc_keeps_what_is_needed_and_removes_the_rest(pets: Repository) -> None:
    before = everything(pets)
    result = collect(pets, keep_operations=NO_GRACE, now=True)
    assert everything(again(pets)) == before
    assert result.removed_bytes > 10 << 20 and result.removed_objects > 2
    assert jpeg("lost" * 100) not in {again(pets).objects.read(Kind.BLOB, blob) for blob in stored_blobs(pets)}
    assert pets.storage.names("trash") == [] and not any(pets.storage.names(f"blobs/{i:02x}") for i in range(256))
    assert verify(again(pets), "v1").problems == []


def test_gc_within_the_grace_period_lets_undo_go_all_the_way_back(pets: Repository) -> None:
    collect(pets)
    restored = again(pets)
    undo(restored, "2")
    assert sorted(held(restored, "Gone")) == ["large.bin", "lost.jpg"]


def test_what_was_removed_is_in_the_trash_and_comes_back(pets: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "YOUNG", timedelta(days=-1))
    blobs = {pets.objects.read(Kind.BLOB, blob) for blob in stored_blobs(pets)}
    result = collect(pets, keep_operations=NO_GRACE)
    assert result.trash_files and result.trash_bytes
    fresh = again(pets)
    with fails(Refused, "nothing-to-undo"):
        for _ in range(20):
            undo(fresh)
    assert restore_trash(fresh)
    assert blobs <= {fresh.objects.read(Kind.BLOB, blob) for blob in stored_blobs(fresh)}
    assert fresh.storage.names("trash") == []


def test_young_packs_are_spared(pets: Repository) -> None:
    packs = pets.storage.names("packs")
    collect(pets, keep_operations=NO_GRACE)
    assert set(packs) <= set(pets.storage.names("packs"))


def test_trash_is_emptied_after_its_time(pets: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "YOUNG", timedelta(days=-1))
    collect(pets, keep_operations=NO_GRACE)
    assert collect(pets, keep_operations=NO_GRACE).emptied_files == 0
    monkeypatch.setattr(collecting, "KEEP_TRASH", timedelta(days=-1))
    assert collect(pets, keep_operations=NO_GRACE).emptied_files > 0
    assert everything(again(pets))


def test_what_is_needed_again_is_rescued_from_the_trash(pets: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "YOUNG", timedelta(days=-1))
    monkeypatch.setattr(collecting, "KEEP_TRASH", timedelta(days=-1))
    before = everything(pets)
    collect(pets, keep_operations=NO_GRACE)
    stamp = f"{0:016x}"
    names = pets.storage.names("packs")
    pets.storage.move_all((f"packs/{name}", f"trash/{stamp}-packs-{name}") for name in names)
    assert everything(again(pets)) == before
    collect(again(pets), keep_operations=NO_GRACE)
    assert pets.storage.names("trash") == [] or stamp not in {n[:16] for n in pets.storage.names("trash")}
    assert everything(again(pets)) == before


def test_a_dry_run_changes_nothing_and_says_the_same(pets: Repository) -> None:
    head, packs = pets.head(), pets.storage.names("packs")
    planned = collect(pets, keep_operations=NO_GRACE, now=True, dry_run=True)
    assert (pets.head(), pets.storage.names("packs"), planned.operation) == (head, packs, None)
    done = collect(pets, keep_operations=NO_GRACE, now=True)
    assert (planned.removed_objects, planned.removed_bytes) == (done.removed_objects, done.removed_bytes)


def test_a_second_gc_finds_nothing(pets: Repository) -> None:
    collect(pets, keep_operations=NO_GRACE, now=True)
    result = collect(pets, keep_operations=NO_GRACE, now=True)
    assert result.removed_objects <= 2  # the views before the last operation


def test_gc_is_no_step_for_undo(pets: Repository) -> None:
    collect(pets)
    undo(pets)
    assert "f.jpg" in held(pets, "Main")
    collect(pets)
    redo(pets)
    assert "f.jpg" not in held(pets, "Main")


def test_operations_that_were_given_up_are_refused_by_name(pets: Repository) -> None:
    old = pets.head()
    relabel(pets, "wolf", "dog")
    relabel(pets, "dog", "fox")
    collect(pets, keep_operations=NO_GRACE, now=True)
    with fails(Refused, "nothing-to-undo"):
        restore_operation(again(pets), old.hex())


def test_an_abandoned_commit_goes_when_no_operation_shows_it_any_more(pets: Repository) -> None:
    abandoned = pets["Main@"].commit
    assert abandoned is not None
    reset(pets, "Main~1")
    remove(pets, ["Main:a.jpg"])
    collect(pets)
    assert again(pets)[abandoned.hex()].commit == abandoned
    collect(pets, keep_operations=NO_GRACE, now=True)
    assert not again(pets).objects.contains(Kind.COMMIT, abandoned)


def test_the_base_of_a_copy_is_kept_after_its_source_is_gone(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog")])})
    copy(repository, ["Main"], "Side", with_instances=True)
    base = repository["Side"].entry("a.jpg").state.instances
    relabel(repository, "dog", "cat", "Side")
    remove(repository, ["Main:a.jpg"])
    collect(repository, keep_operations=NO_GRACE, now=True)
    assert again(repository).objects.read(Kind.INSTANCES, base)


def test_nothing_is_removed_where_something_needed_is_missing(pets: Repository) -> None:
    name = pets.storage.names("packs")[2]
    content = pets.storage.read(f"packs/{name}")
    pets.storage.remove(f"packs/{name}")
    packs = pets.storage.names("packs")
    with pytest.raises(Corruption):
        collect(again(pets), keep_operations=NO_GRACE, now=True)
    assert pets.storage.names("packs") == packs
    pets.storage.create(f"packs/{name}", content)
    assert everything(again(pets))


def test_a_pack_with_a_damaged_object_is_left_alone(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": jpeg("a" * 50), "b.jpg": jpeg("b" * 50)})
    stock(repository, "Main", {"c.jpg": jpeg("c" * 50)})
    files = repository.storage.files
    (name,) = [name for name, content in files.items() if jpeg("b" * 50) in content]
    files[name] = files[name].replace(b"b" * 50, b"x" * 50)
    collect(again(repository), keep_operations=NO_GRACE, now=True)
    assert name in files
    fresh = again(repository)
    assert fresh["Main"]["a.jpg"].read() == jpeg("a" * 50)
    with fails(Corruption, "object-damaged"):
        fresh["Main"]["b.jpg"].read()


def test_a_writer_that_relied_on_what_went_is_told_to_look_again(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": jpeg("a")})
    remove(repository, ["Main:a.jpg"])
    late = again(repository)
    edit = late.transaction("late")
    edit.add_bytes("Main", "b.jpg", jpeg("a"))  # the store has these bytes, so they are not written again
    collect(repository, keep_operations=NO_GRACE, now=True)
    with fails(Conflict, "changed-meanwhile"):
        edit.publish()
    stock(late, "Main", {"b.jpg": jpeg("a")})
    assert again(repository)["Main"]["b.jpg"].read() == jpeg("a")


def test_what_is_published_during_a_collection_stays(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog")])})
    remove(repository, ["Main:a.jpg"])
    blob = jpeg("a")
    real = collecting.repack

    def meanwhile(*arguments):
        done = real(*arguments)
        stock(again(repository), "Main", {"b.jpg": blob})  # found in a pack that is about to go
        return done

    monkeypatch.setattr(collecting, "repack", meanwhile)
    collect(repository, keep_operations=NO_GRACE, now=True)
    assert again(repository)["Main"]["b.jpg"].read() == blob


def test_a_reader_that_listed_the_packs_before_still_finds_everything(pets: Repository) -> None:
    early = again(pets)
    before = early["v1"]
    assert len(before) == 6
    collect(pets, keep_operations=NO_GRACE, now=True)
    assert {file.path: file.read() for file in before} == {f"{n}.jpg": jpeg(n) for n in "abcdef"}


def test_a_thousand_small_commits_stay_small_and_few(repository: Repository) -> None:
    names = [f"{number:03}.jpg" for number in range(40)]
    stock(repository, "Main", {name: (jpeg(name * 20), [box("dog", number=1)]) for name in names})
    for number in range(300):
        relabel(repository, "dog" if number % 2 == 0 else "cat", "cat" if number % 2 == 0 else "dog")
        commit(repository, str(number))
    assert len(repository.storage.names("packs")) < 2 * tidying.MANY_PACKS
    collect(repository, keep_operations=NO_GRACE, now=True)
    assert len(repository.storage.names("packs")) <= 2
    assert held(again(repository), "Main") and len(list(again(repository)["Main~299"])) == 40


def test_joining_packs_loses_nothing_and_hides_no_damage(repository: Repository) -> None:
    for number in range(tidying.MANY_PACKS - 2):
        stock(repository, "Main", {f"{number}.jpg": jpeg(str(number) * 30)})
    files = repository.storage.files
    (name,) = [name for name, content in files.items() if jpeg("7" * 30) in content]
    files[name] = files[name].replace(b"7" * 30, b"x" * 30)
    fresh = again(repository)
    for number in range(100, 104):
        stock(fresh, "Main", {f"{number}.jpg": jpeg(str(number) * 30)})
    assert len(fresh.storage.names("packs")) < tidying.MANY_PACKS
    assert name in files
    damaged = [file.path for file in again(repository)["Main"] if not _reads(file)]
    assert damaged == ["7.jpg"]


def _reads(file) -> bool:
    try:
        return bool(file.read())
    except Corruption:
        return False


def test_packs_are_rolled_when_they_are_full(pets: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tdvc.objects.pack.MAX_PACK_ENTRIES", 5)
    before = everything(pets)
    collect(pets, now=True)
    assert len(pets.storage.names("packs")) > 4
    assert everything(again(pets)) == before


def test_stamps_sort_by_time() -> None:
    assert store_module.new_stamp() <= store_module.new_stamp()
    assert len(store_module.new_stamp()) == 16


def test_a_folder_of_a_repository_has_nothing_left_over(disk_repository: Repository, tmp_path: Path) -> None:
    stock(disk_repository, "Main", {"a.jpg": jpeg("a")})
    collect(disk_repository, keep_operations=NO_GRACE, now=True)
    folder = Path(disk_repository.storage.root)
    assert list((folder / "tmp").iterdir()) == []
    assert len(list((folder / "heads").iterdir())) == 1


def test_columns_that_nothing_needs_leave_the_cache(pets: Repository) -> None:
    def cached() -> int:
        return len(pets.storage.names(FOLDER))

    def columns(revision: str) -> int:
        return len(list(ColumnStore(pets).of(pets[revision]).pages()))

    needed = columns("Main")
    relabel(pets, "wolf", "dog")
    needed += columns("Main")
    undo(pets)
    pets.storage.replace_cache(f"{OLD_FOLDERS[0]}/{'0' * 64}", b"of an older format")
    pets.storage.replace_cache(f"{FOLDER}/stray", b"of nobody")
    assert collect(pets, dry_run=True).cache_files == 2 and cached() == needed + 1
    assert collect(pets).cache_files == 2, "undo can still come back to all else"
    assert cached() == needed
    result = collect(pets, keep_operations=NO_GRACE, now=True)
    assert (result.cache_files, cached()) == (1, needed - 1) and result.cache_bytes > 100
    assert collect(pets, keep_operations=NO_GRACE, now=True).cache_files == 0
    assert columns("Main") == 1
