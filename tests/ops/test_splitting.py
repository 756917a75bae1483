from __future__ import annotations

import io
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.errors import NotFound, Refused, Usage
from tdvc.ids import ObjectId
from tdvc.ops import picturehashes
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory
from tdvc.ops.following import refresh
from tdvc.ops.snapshots import snapshot
from tdvc.ops.splitting import Overlap, SplitOptions, split
from tdvc.ops.transfer import mirror, move, remove
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.model.test_nearduplicates import scene
from tests.ops.build import box, fails, file_id, held, labels, lines, stock, unchanged

INTO = {"train": "0.8", "val": "0.1", "test": "0.1"}


def fresh() -> Repository:
    made = Repository(MemoryStorage(), author="Ada")
    made.start()
    return made


def numbered(first: int, last: int, **labelled: int) -> dict[str, Any]:
    """Files with different bytes, and with a label where their number is a multiple of what is given for it."""
    return {
        f"{number:04}.txt": (
            b"file %d" % number,
            [box(label) for label, every in labelled.items() if number % every == 0],
        )
        for number in range(first, last)
    }


def parts(repository: Repository, prefix: str = "Pets-", into: dict[str, str] = INTO) -> dict[str, str]:
    """The part that each path is in, which is one."""
    found: dict[str, str] = {}
    for name in into:
        for entry in repository[prefix + name].entries():
            assert entry.path not in found
            found[entry.path] = name
    return found


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(repository, "Pets", numbered(0, 400))
    return repository


def test_parts_are_mirrored_files_and_all_of_them(pets: Repository) -> None:
    result = split(pets, "Pets", INTO)
    assert [(part.directory, part.files) for part in result.parts] == [
        ("Pets-train", len(pets["Pets-train"])),
        ("Pets-val", len(pets["Pets-val"])),
        ("Pets-test", len(pets["Pets-test"])),
    ]
    assert sorted(parts(pets)) == sorted(held(pets, "Pets"))
    path = next(path for path, part in parts(pets).items() if part == "val")
    assert file_id(pets, "Pets", path) == file_id(pets, "Pets-val", path)
    annotate(pets, lines({"op": "add", "path": path, "instance": box("cat")}), "Pets")
    assert labels(pets, "Pets-val", path) == ["cat"]


def test_which_part_is_the_same_on_every_machine(repository: Repository) -> None:
    stock(repository, "Pets", numbered(0, 24))
    split(repository, "Pets", {"a": "1/3", "b": "1/3", "c": "1/3"})
    found = parts(repository, into={"a": "", "b": "", "c": ""})
    assert "".join(found[path] for path in sorted(found)) == "ccababbabbcbcccacbabbabc"


def test_shares_are_about_what_was_asked_for(pets: Repository) -> None:
    counts = Counter(parts(pets).values()) if split(pets, "Pets", INTO) else Counter()
    assert 290 <= counts["train"] <= 350
    assert 20 <= counts["val"] <= 60
    assert 20 <= counts["test"] <= 60


def test_again_changes_nothing(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    with unchanged(pets):
        again = split(pets, "Pets", INTO)
    assert (again.operation, [(part.added, part.removed) for part in again.parts]) == (None, [(0, 0)] * 3)


def test_a_dry_run_says_the_same_and_changes_nothing(pets: Repository) -> None:
    with unchanged(pets):
        planned = split(pets, "Pets", INTO, SplitOptions(dry_run=True))
    assert planned.parts == split(pets, "Pets", INTO).parts


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(0, 60),
    st.sets(st.integers(1, 59), max_size=10),
    st.booleans(),
    st.text(max_size=3),
)
def test_adding_and_removing_files_moves_none(old: int, new: int, gone: set[int], by_label: bool, seed: str) -> None:
    repository = fresh()
    options = SplitOptions(by_label=by_label, seed=seed)
    stock(repository, "Pets", numbered(0, old, dog=2, cat=3))
    split(repository, "Pets", INTO, options)
    before = parts(repository)
    if new:
        stock(repository, "Pets", numbered(old, old + new, dog=2, cat=3))
    leaving = [f"Pets:{number:04}.txt" for number in sorted(gone) if number < old]
    if leaving:
        remove(repository, leaving)
    split(repository, "Pets", INTO, options)
    after = parts(repository)
    assert after.keys() == held(repository, "Pets").keys()
    assert {path: part for path, part in before.items() if path in after} == {
        path: part for path, part in after.items() if path in before
    }


def test_without_labels_it_does_not_matter_in_how_many_steps(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    other = fresh()
    for first in range(0, 400, 100):
        stock(other, "Pets", numbered(first, first + 100))
        split(other, "Pets", INTO)
    assert parts(other) == parts(pets)


def test_a_renamed_file_stays_in_its_part_and_is_renamed_there(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    part = parts(pets)["0007.txt"]
    move(pets, ["Pets:0007.txt"], "Pets:old/7.txt")
    result = split(pets, "Pets", INTO)
    assert parts(pets)["old/7.txt"] == part
    assert [(found.added, found.removed) for found in result.parts] == [(0, 0)] * 3


def test_a_file_moved_by_hand_stays_where_it_was_put(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    path = next(path for path, part in parts(pets).items() if part == "train")
    move(pets, [f"Pets-train:{path}"], "Pets-test")
    split(pets, "Pets", INTO)
    assert parts(pets)[path] == "test"


def test_other_seeds_give_other_parts(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    split(pets, "Pets", INTO, SplitOptions(seed="7", prefix="Other-"))
    assert parts(pets) != parts(pets, "Other-")


def test_other_shares_move_files_only_when_asked(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    before = parts(pets)
    other = {"train": "0.5", "val": "0.1", "test": "0.4"}
    assert split(pets, "Pets", other).moved == 0
    assert parts(pets) == before
    result = split(pets, "Pets", other, SplitOptions(rebalance=True))
    assert [part.files for part in result.parts] == [200, 40, 160]
    changed = {path for path, part in parts(pets).items() if part != before[path]}
    assert result.moved == len(changed)
    assert len(changed) <= 200


def test_a_part_that_is_left_over_is_named(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    left = set(held(pets, "Pets-val"))
    into = {"train": "0.85", "test": "0.15"}
    planned = split(pets, "Pets", into, SplitOptions(dry_run=True))
    result = split(pets, "Pets", into)
    shared = {name: len(left & set(held(pets, name))) for name in ("Pets-train", "Pets-test")}
    assert sum(shared.values()) == len(left)
    assert min(shared.values()) > 0
    assert result.overlaps == planned.overlaps == [Overlap("Pets-val", shared)]
    (problem,) = result.problems
    assert (problem.code, problem.place, problem.severity) == ("split-overlap", "Pets-val", "warning")
    assert f"{shared['Pets-train']} of Pets-train, {shared['Pets-test']} of Pets-test" in problem.message


def test_what_was_never_apart_from_the_parts_is_not_named(pets: Repository) -> None:
    create_directory(pets, "Pets-fresh", source="Pets", where="path > '04'")
    split(pets, "Pets", INTO)
    folds = {"fold-1": "0.5", "fold-2": "0.5"}
    assert split(pets, "Pets", folds).overlaps == [], "folds are another split of the same"
    mirror(pets, ["Pets:000*"], "Pets-few")
    stock(pets, "Pets-other", {"other.txt": b"other"})
    stock(pets, "Pets", numbered(400, 450))
    refresh(pets, "Pets-fresh")
    assert len(pets["Pets-fresh"]) == 50
    for into in (INTO, folds):
        result = split(pets, "Pets", into)
        assert (result.overlaps, result.problems) == ([], [])
    assert split(pets, "Pets", {"train": "0.5", "test": "0.5"}, SplitOptions(prefix="Cats-")).overlaps == []


def test_without_a_source_the_current_directory_is_split(repository: Repository) -> None:
    stock(repository, repository.view.current, numbered(0, 20))
    result = split(repository, None, INTO)
    assert (result.source, result.parts[0].directory) == ("Main", "Main-train")


@pytest.mark.parametrize("by_label", [False, True])
def test_shares_that_files_can_not_explain_are_said(pets: Repository, by_label: bool) -> None:
    options = SplitOptions(by_label=by_label)
    first, other = {"a": "0.7", "b": "0.15", "c": "0.15"}, {"a": "0.5", "b": "0.25", "c": "0.25"}
    assert [split(pets, "Pets", first, options).off_shares for _ in range(2)] == [False, False]
    assert split(pets, "Pets", other, options).off_shares
    assert not split(pets, "Pets", other, SplitOptions(by_label=by_label, rebalance=True)).off_shares
    assert not split(pets, "Pets", other, options).off_shares


# labels


def test_by_label_every_label_has_its_share(repository: Repository) -> None:
    stock(repository, "Pets", {f"{n:03}.txt": (b"%d" % n, [box("cat" if n < 30 else "dog")]) for n in range(300)})
    result = split(repository, "Pets", INTO, SplitOptions(by_label=True))
    assert [part.labels for part in result.parts] == [
        {"cat": 24, "dog": 216},
        {"cat": 3, "dog": 27},
        {"cat": 3, "dog": 27},
    ]


def test_by_label_files_that_come_go_where_their_label_is_scarce(repository: Repository) -> None:
    stock(repository, "Pets", numbered(0, 10, dog=1))
    into = {"a": "0.5", "b": "0.5"}
    split(repository, "Pets", into, SplitOptions(by_label=True))
    before = parts(repository, into=into)
    remove(repository, [f"Pets:{path}" for path, part in before.items() if part == "a"])  # and so part a is empty
    stock(repository, "Pets", numbered(10, 15, dog=1))
    result = split(repository, "Pets", into, SplitOptions(by_label=True))
    assert [part.labels for part in result.parts] == [{"dog": 5}, {"dog": 5}]
    after = parts(repository, into=into)
    assert all(after[path] == "b" for path, part in before.items() if part == "b")


# groups


def test_equal_bytes_are_never_parted(repository: Repository) -> None:
    stock(repository, "Pets", {f"{n:03}.txt": b"%d" % (n % 40) for n in range(120)})
    split(repository, "Pets", {"a": "0.5", "b": "0.5"})
    found = parts(repository, into={"a": "", "b": ""})
    assert len({(path, part) for path, part in found.items()}) == 120
    assert all(found[f"{n:03}.txt"] == found[f"{n % 40:03}.txt"] for n in range(120))


def with_patients(repository: Repository, first: int, last: int) -> None:
    stock(repository, "Pets", numbered(first, last))
    with repository.transaction("patients") as edit:
        for entry in repository["Pets"].entries():
            number = int(entry.path[:4])
            if first <= number < last and number % 10:
                edit.set_state(entry.state._replace(properties=b'{"patient":%d}' % (number % 17)))


def test_a_group_stays_together_and_goes_where_its_value_says(repository: Repository) -> None:
    with_patients(repository, 0, 100)
    options = SplitOptions(group_by=["patient"])
    result = split(repository, "Pets", INTO, options)
    before = parts(repository)
    assert result.groups == 17 + 10
    with_patients(repository, 100, 200)
    assert split(repository, "Pets", INTO, options).torn_groups == 0
    found = parts(repository)
    assert {path: found[path] for path in before} == before
    sides: dict[int, set[str]] = {}
    for path, part in found.items():
        if int(path[:4]) % 10:
            sides.setdefault(int(path[:4]) % 17, set()).add(part)
    assert all(len(side) == 1 for side in sides.values())
    other = fresh()
    with_patients(other, 100, 200)
    split(other, "Pets", INTO, options)
    assert all(found[path] == part for path, part in parts(other).items())


def test_groups_by_attribute_and_folder(repository: Repository) -> None:
    tracked = {f"{n % 5}/{n}.txt": (b"%d" % n, [box("dog", attributes={"animal": f"rex{n % 4}"})]) for n in range(60)}
    stock(repository, "Pets", tracked)
    into = {"a": "0.5", "b": "0.5"}
    assert split(repository, "Pets", into, SplitOptions(group_by=["attribute.animal"])).groups == 4
    assert split(repository, "Pets", into, SplitOptions(group_by=["folder"], prefix="F-")).groups == 5
    both = SplitOptions(group_by=["folder", "attribute.animal"], prefix="X-", dry_run=True)
    assert split(repository, "Pets", into, both).groups == 1
    with fails(Usage, "bad-usage"):
        split(repository, "Pets", into, SplitOptions(group_by=["patient"]))
    with fails(Usage, "bad-usage"):
        split(repository, "Pets", into, SplitOptions(group_by=["attribute.colour"]))


def picture(seed: int, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    scene(seed).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def test_near_duplicates_stay_together(repository: Repository) -> None:
    files = {f"{seed}-{quality}.jpg": picture(seed, quality) for seed in range(12) for quality in (95, 70)}
    stock(repository, "Pets", {**files, "broken.jpg": b"\xff\xd8\xff\xe0 no picture", "note.txt": b"a note"})
    result = split(repository, "Pets", INTO, SplitOptions(group_by=["near-duplicates"]))
    found = parts(repository)
    assert result.groups == 14
    assert all(found[f"{seed}-95.jpg"] == found[f"{seed}-70.jpg"] for seed in range(12))
    with fails(Usage, "bad-usage"):
        split(repository, "Pets", INTO, SplitOptions(group_by=["near-duplicates"], distance=40))


def test_a_torn_group_is_named_and_rebalancing_mends_it(repository: Repository) -> None:
    stock(repository, "Pets", {f"{n}.txt": b"%d" % n for n in range(40)})
    split(repository, "Pets", INTO)
    before = parts(repository)
    one = next(path for path, part in before.items() if part == "train")
    other = next(path for path, part in before.items() if part == "test")
    with repository.transaction("one patient") as edit:
        for path in (one, other):
            edit.set_state(repository["Pets"].entry(path).state._replace(properties=b'{"patient":1}'))
    options = SplitOptions(group_by=["patient"])
    result = split(repository, "Pets", INTO, options)
    assert (result.torn_groups, result.torn, parts(repository)) == (1, [sorted([one, other])], before)
    healed = split(repository, "Pets", INTO, SplitOptions(group_by=["patient"], rebalance=True))
    assert healed.torn_groups == 0
    assert parts(repository)[one] == parts(repository)[other]


def test_hashes_are_kept_and_computed_again_where_they_are_damaged(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(repository, "Pets", {f"{seed}.jpg": picture(seed) for seed in range(3)})
    blobs = [entry.state.blob for entry in repository["Pets"].entries()]
    found = picturehashes.picture_hashes(repository, blobs[:2])
    assert picturehashes.picture_hashes(repository, blobs).items() >= found.items()
    (name, _) = repository.storage.names("cache/dhash-1")
    content = repository.storage.read(f"cache/dhash-1/{name}")
    repository.storage.replace_cache(f"cache/dhash-1/{name}", content[:20] + b"?" + content[21:])
    assert picturehashes.damaged_hashes(repository) == [f"cache/dhash-1/{name}"]
    assert picturehashes.picture_hashes(repository, blobs[:2]) == found
    missing = ObjectId(bytes(31) + b"\1")
    assert picturehashes.picture_hashes(repository, [missing]) == {missing: None}
    monkeypatch.setattr(picturehashes, "difference_hash", lambda _: pytest.fail("computed again"))
    assert picturehashes.picture_hashes(repository, blobs[:2]) == found


def test_files_of_hashes_are_joined(repository: Repository) -> None:
    stock(repository, "Pets", {f"{seed:02}.jpg": picture(seed) for seed in range(20)})
    blobs = [entry.state.blob for entry in repository["Pets"].entries()]
    alone = [picturehashes.picture_hashes(repository, [blob])[blob] for blob in blobs]
    assert len(repository.storage.names("cache/dhash-1")) <= 9
    assert picturehashes.picture_hashes(repository, blobs) == dict(zip(blobs, alone, strict=True))


# what can go wrong


@pytest.mark.parametrize(
    "into",
    [{}, {"a": "0.5"}, {"a": "0.8", "b": "0.8"}, {"a": "x", "b": "0.5"}, {"a": "1", "b": "0"}, {"a": "-1", "b": "2"}],
)
def test_shares_that_make_no_sense(pets: Repository, into: dict[str, str]) -> None:
    with unchanged(pets), fails(Usage, "bad-usage"):
        split(pets, "Pets", into)


def test_directories_that_are_something_else_are_left_alone(pets: Repository) -> None:
    stock(pets, "Pets-val", {"other.txt": b"other"})
    with unchanged(pets), fails(Refused, "directory-exists"):
        split(pets, "Pets", INTO)
    with unchanged(pets), fails(Usage, "bad-usage"):
        split(pets, "Pets", {"Pets": "1"}, SplitOptions(prefix=""))
    with unchanged(pets), fails(Usage, "bad-name"):
        split(pets, "Pets", {"a b": "1"})
    with unchanged(pets), fails(NotFound, "unknown-revision"):
        split(pets, "Cats", INTO)


def test_a_query_narrows_and_history_can_be_split(pets: Repository) -> None:
    commit(pets, "all", "Pets")
    snapshot(pets, "Pets", "v1")
    remove(pets, ["Pets:00*"])
    result = split(pets, "v1", INTO, SplitOptions(prefix="v1-", where="path < '0050.txt'"))
    assert (result.files, sum(part.files for part in result.parts)) == (50, 50)
    assert len(pets["v1-train"]) > 25


def test_a_part_that_was_mirrored_elsewhere_changes_nothing(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    mirror(pets, ["Pets-val"], "Mine")
    with unchanged(pets):
        split(pets, "Pets", INTO)
