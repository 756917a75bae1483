"""Pins: the same text for the same state, nothing taken on trust, and no repository that says something else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.errors import FormatError, NoRepository, NotFound, Refused, TdvcError, Usage
from tdvc.names import check_name
from tdvc.ops.committing import commit
from tdvc.ops.pins import MAX_BYTES, Pin, check_pin, open_pin, pin, pin_text, pinned_state, read_pin, write_pin
from tdvc.ops.snapshots import snapshot
from tdvc.ops.undoing import undo
from tdvc.repo.directory import Counts
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, stock


@pytest.fixture
def pinned(disk_repository: Repository) -> Repository:
    """A repository with the snapshot v1 of Main."""
    stock(disk_repository, "Main", {"a.jpg": (b"one", [box()]), "b.jpg": b"two"})
    commit(disk_repository, "first")
    snapshot(disk_repository, "Main", "v1")
    return disk_repository


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """The folder of some code, beside the repository."""
    (tmp_path / "code").mkdir()
    return tmp_path / "code"


def test_a_pin_says_what_the_state_is(pinned: Repository, code: Path) -> None:
    found = pin(pinned, "v1", start=code)
    state = pinned["v1"]
    assert found == Pin(
        "../repository", "Main", "v1", state.commit.hex(), state.root.hex(), state.schema_id.hex(), Counts(2, 6, 1, 0)
    )
    assert pin(pinned, "Main", start=code) == replace(found, snapshot=None)
    assert pin(pinned, found.commit[:9], start=code) == replace(found, snapshot=None)
    assert pin(pinned, start=pinned.path) == replace(found, snapshot=None, repository=".")
    assert pin(pinned, start=pinned.path.parent).repository == "./repository"


def test_no_absolute_path_unless_it_was_asked_for(pinned: Repository, code: Path) -> None:
    assert str(pinned.path.parent) not in pin_text(pin(pinned, "v1", start=code))
    assert pin(pinned, "v1", start=code, where="absolute").repository == str(pinned.path.resolve())
    assert pin(pinned, "v1", start=code, where="pets").repository == "pets"
    with fails(Usage, "bad-name"):
        pin(pinned, "v1", where="../pets")


def test_what_is_staged_can_not_be_pinned(pinned: Repository, code: Path) -> None:
    stock(pinned, "Main", {"c.jpg": b"three"})
    with fails(Refused, "staged-edits"):
        pin(pinned, "Main")
    with fails(NotFound, "unknown-revision"):
        pin(pinned, "v2")
    assert pin(pinned, "Main@", start=code).counts.files == 2


def test_what_is_written_is_read_and_opened(pinned: Repository, code: Path) -> None:
    found = pin(pinned, "v1", start=code)
    write_pin(found, code / "data.tdvc.toml")
    assert (code / "data.tdvc.toml").read_text() == pin_text(found)
    assert read_pin(code / "data.tdvc.toml") == found
    stock(pinned, "Main", {"c.jpg": b"three"})
    commit(pinned, "second")
    repository, state = open_pin(read_pin(code / "data.tdvc.toml"), code)
    assert repository.path.samefile(pinned.path)
    assert (state.title, sorted(file.path for file in state)) == ("v1", ["a.jpg", "b.jpg"])


def test_a_pin_goes_with_its_repository(pinned: Repository, code: Path, tmp_path: Path) -> None:
    write_pin(pin(pinned, "v1", start=code), code / "data.tdvc.toml")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    code.rename(moved / "code")
    assert check_pin(moved / "code" / "data.tdvc.toml").code == "no-repository"
    pinned.path.rename(moved / "repository")
    assert check_pin(moved / "code" / "data.tdvc.toml").code == ""


def test_a_name_leaves_the_place_to_who_uses_it(pinned: Repository, code: Path) -> None:
    found = pin(pinned, "v1", where="pets")
    assert open_pin(found, pinned.path)[1].root.hex() == found.root
    with fails(NoRepository, "no-repository"):
        open_pin(found, code)


def test_writing_takes_the_place_of_a_pin_alone(pinned: Repository, code: Path) -> None:
    first, second = pin(pinned, "v1", start=code), pin(pinned, "Main", start=code)
    write_pin(first, code / "a.toml")
    write_pin(second, code / "a.toml")
    assert read_pin(code / "a.toml") == second
    (code / "b.toml").write_text("[project]\n")
    with fails(Refused, "file-exists"):
        write_pin(first, code / "b.toml")
    assert (code / "b.toml").read_text() == "[project]\n"
    with fails(NotFound, "source-not-found"):
        write_pin(first, code / "gone" / "a.toml")


CHANGES = {
    "another root": ({"root": "0" * 64}, "pin-mismatch"),
    "another schema": ({"schema": "0" * 64}, "pin-mismatch"),
    "other counts": ({"counts": Counts(3, 6, 1, 0)}, "pin-mismatch"),
    "a commit that is not there": ({"commit": "0" * 64, "snapshot": None}, "unknown-revision"),
    "a snapshot of another commit": ({"commit": "0" * 64}, "pin-mismatch"),
    "a snapshot that is not there": ({"snapshot": "v2"}, "unknown-revision"),
    "a directory for a snapshot": ({"snapshot": "Main"}, "unknown-revision"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_repository_that_does_not_match(pinned: Repository, code: Path, name: str) -> None:
    changes, expected = CHANGES[name]
    found = replace(pin(pinned, "v1", start=code), **changes)
    write_pin(found, code / "data.tdvc.toml")
    checked = check_pin(code / "data.tdvc.toml")
    assert (checked.code, checked.pin) == (expected, found)
    assert check_pin(code / "data.tdvc.toml", pinned).code == expected
    with pytest.raises(TdvcError) as caught:
        pinned_state(pinned, found)
    assert caught.value.message == checked.message


def test_an_undone_snapshot_is_gone(pinned: Repository, code: Path) -> None:
    found = pin(pinned, "v1", start=code)
    undo(pinned)
    with fails(NotFound, "unknown-revision"):
        pinned_state(pinned, found)


IDS = "".join(f'{name} = "{"ab" * 32}"\n' for name in ("commit", "root", "schema"))
COUNTS = "[counts]\nfiles = 1\nbytes = 2\ninstances = 3\ncomplete = 0\n"
GOOD = f'version = 1\nrepository = "../data"\ndirectory = "Pets"\n{IDS}{COUNTS}'

BAD = {
    "empty": "",
    "not TOML": "version = ",
    "too large": "#" * (MAX_BYTES + 1),
    "nested deeply": "a = " + "[" * 9000,
    "another version": GOOD.replace("version = 1", "version = 2"),
    "a truth for a version": GOOD.replace("version = 1", "version = true"),
    "an unknown key": 'command = "rm"\n' + GOOD,
    "an unknown count": GOOD + "frames = 1\n",
    "no repository": GOOD.replace('repository = "../data"\n', ""),
    "no counts": GOOD.partition("[counts]")[0],
    "a number for a text": GOOD.replace('"Pets"', "1"),
    "a short id": GOOD.replace("ab" * 32, "ab"),
    "an id in capitals": GOOD.replace("ab" * 32, "AB" * 32),
    "a name that is none": GOOD.replace("Pets", "../Pets"),
    "a bad snapshot": 'snapshot = "-x"\n' + GOOD,
    "a path that does not print": GOOD.replace("../data", "../\\u001b[31m"),
    "a path of another system": GOOD.replace('"../data"', "'..\\data'"),
    "a host": GOOD.replace("../data", "//host/share"),
    "neither path nor name": GOOD.replace("../data", "data/pets"),
    "an endless path": GOOD.replace("../data", "../" * 2000),
    "a negative count": GOOD.replace("files = 1", "files = -1"),
    "a fraction": GOOD.replace("files = 1", "files = 1.0"),
    "a truth for a count": GOOD.replace("files = 1", "files = true"),
    "a huge count": GOOD.replace("files = 1", f"files = {2**64}"),
}


def test_the_good_one_is_good(code: Path) -> None:
    (code / "a.toml").write_text(GOOD)
    assert read_pin(code / "a.toml").counts == Counts(1, 2, 3, 0)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused(code: Path, name: str) -> None:
    (code / "a.toml").write_text(BAD[name])
    with fails(FormatError, "bad-pin") as caught:
        read_pin(code / "a.toml")
    assert caught.value.message.isprintable()
    assert check_pin(code / "a.toml").code == "bad-pin"


def test_what_is_no_file_is_refused(code: Path) -> None:
    os.mkfifo(code / "pipe")
    (code / "bytes").write_bytes(b"\xff\xfe")
    for name, expected in (("pipe", "bad-pin"), (".", "bad-pin"), ("bytes", "bad-pin"), ("gone", "source-not-found")):
        assert check_pin(code / name).code == expected


def may_be_a_name(text: str) -> bool:
    try:
        return bool(check_name(text, "directory"))
    except Usage:
        return False


NAMES = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=6).filter(may_be_a_name)


@given(
    repository=st.one_of(st.just("."), NAMES.map(lambda name: f"../{name}")),
    directory=NAMES,
    snapshot=st.none() | NAMES,
    commit=st.binary(min_size=32, max_size=32).map(bytes.hex),
    counts=st.tuples(*[st.integers(0, 2**63 - 1)] * 4),
)
def test_every_pin_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    repository: str,
    directory: str,
    snapshot: str | None,
    commit: str,
    counts: tuple[int, ...],
) -> None:
    made = Pin(repository, directory, snapshot, commit, commit[::-1], commit, Counts(*counts))
    place = tmp_path_factory.getbasetemp() / "made.tdvc.toml"
    place.write_text(pin_text(made), encoding="utf-8")
    assert read_pin(place) == made
