import pytest

from tdvc.errors import NotFound, Usage
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.history import LogOptions, log
from tdvc.ops.transfer import move, remove
from tdvc.repo.commit import ancestors
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, jpeg, lines, stock


def at(monkeypatch: pytest.MonkeyPatch, time: str) -> None:
    """From now on it is that time, to the second."""
    monkeypatch.setattr("tdvc.repo.transaction.utc_now", lambda: f"{time}.000000Z")


@pytest.fixture
def pets(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """Four commits on four days: two files, another label, a move, and a file that goes."""
    at(monkeypatch, "2026-11-01T09:00:00")
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog", number=1)]), "b.jpg": jpeg("b")})
    commit(repository, "first")
    at(monkeypatch, "2026-11-02T09:00:00")
    annotate(repository, lines({"op": "update", "path": "a.jpg", "instance_id": f"{1:032x}", "set": {"label": "cat"}}))
    repository.author = "Grace Hopper"
    commit(repository, "a cat")
    at(monkeypatch, "2026-11-03T09:00:00")
    move(repository, ["Main:a.jpg"], "Main:night/c.jpg")
    commit(repository, "moved")
    at(monkeypatch, "2026-11-04T09:00:00")
    remove(repository, ["Main:b.jpg"])
    commit(repository, "gone")
    return repository


def messages(repository: Repository, revision: str | None = None, **options) -> list[str]:
    return [entry.message for entry in log(repository, revision, LogOptions(**options))]


@pytest.mark.parametrize(
    ("revision", "options", "expected"),
    [
        (None, {}, ["gone", "moved", "a cat", "first"]),
        ("Main", {"limit": 2}, ["gone", "moved"]),
        ("Main:b.jpg", {}, ["gone", "first"]),
        ("Main:night/c.jpg", {}, ["moved", "a cat", "first"]),
        ("Main:night", {}, ["moved"]),
        ("Main:*.jpg", {"limit": 1}, ["gone"]),
        ("Main:nowhere.jpg", {}, []),
        (None, {"author": "hopper"}, ["gone", "moved", "a cat"]),
        (None, {"author": "ada"}, ["first"]),
        (None, {"since": "2026-11-03"}, ["gone", "moved"]),
        (None, {"since": "2026-11-03T09:00:01"}, ["gone"]),
        (None, {"until": "2026-11-02"}, ["a cat", "first"]),
        (None, {"until": "2026-11-02T08:00"}, ["first"]),
        (None, {"label": "cat"}, ["a cat"]),
        (None, {"label": "dog"}, ["a cat", "first"]),
        (None, {"label": "bird"}, []),
        ("Main~2..Main@", {}, ["gone", "moved"]),
        ("Main~2..", {}, ["gone", "moved"]),
        ("Main@..Main~2", {}, []),
    ],
)
def test_log_lists_what_was_asked_for(pets: Repository, revision, options, expected) -> None:
    assert messages(pets, revision, **options) == expected


def test_stat_counts_what_a_commit_changed(pets: Repository) -> None:
    gone, moved, cat, first = (entry.changed for entry in log(pets, None, LogOptions(stat=True)))
    assert gone is not None and moved is not None and cat is not None and first is not None
    assert (first.added_files, first.added_instances) == (2, 1)
    assert (cat.annotated_files, cat.relabelled_instances) == (1, 1)
    assert (moved.moved_files, gone.removed_files) == (1, 1)


def test_log_without_stat_says_nothing_of_changes(pets: Repository) -> None:
    assert {entry.changed for entry in log(pets)} == {None}


@pytest.mark.parametrize("date", ["yesterday", "2026-13-01"])
def test_a_date_that_is_none_is_refused(pets: Repository, date: str) -> None:
    with fails(Usage, "bad-usage"):
        list(log(pets, None, LogOptions(since=date)))


def test_an_unknown_end_of_a_span_is_named(pets: Repository) -> None:
    with fails(NotFound, "unknown-revision"):
        list(log(pets, "Nothing..Main@"))


def merged(repository: Repository) -> dict[str, bytes]:
    """A diamond: base, then ours and theirs apart, then a merge of both, then one more."""
    made: dict[str, bytes] = {}
    with repository.transaction("base") as edit:
        made["base"] = edit.commit("Main", "base")
    stock(repository, "Main", {"ours.jpg": jpeg("ours")})
    with repository.transaction("ours") as edit:
        made["ours"] = edit.commit("Main", "ours")
    stock(repository, "Side", {"theirs.jpg": jpeg("theirs")})
    with repository.transaction("theirs") as edit:
        edit.move_commit("Side", made["base"])
    with repository.transaction("theirs") as edit:
        made["theirs"] = edit.commit("Side", "theirs")
    stock(repository, "Main", {"merged.jpg": jpeg("merged")})
    with repository.transaction("merge") as edit:
        made["merge"] = edit.commit("Main", "merge", [made["theirs"]])
    stock(repository, "Main", {"last.jpg": jpeg("last")})
    commit(repository, "last")
    return made


def test_merged_commits_are_listed_once_and_after_what_follows_on_them(repository: Repository) -> None:
    merged(repository)
    assert messages(repository) == ["last", "merge", "theirs", "ours", "base"]
    assert messages(repository, first_parent=True) == ["last", "merge", "ours", "base"]


def test_a_span_leaves_out_all_that_its_begin_has(repository: Repository) -> None:
    made = merged(repository)
    assert messages(repository, f"{made['ours'].hex()}..Main@") == ["last", "merge", "theirs"]
    assert messages(repository, f"{made['theirs'].hex()}..Main@") == ["last", "merge", "ours"]


def test_a_clock_that_ran_ahead_does_not_put_a_parent_before_its_child(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in ("09", "02", "05"):
        at(monkeypatch, f"2026-11-{day}T09:00:00")
        stock(repository, "Main", {f"{day}.jpg": jpeg(day)})
        commit(repository, day)
    start = repository.view.directories["Main"].commit
    assert [found.message for _, found in ancestors(repository.objects, start)] == ["05", "02", "09"]
