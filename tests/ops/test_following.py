"""Dynamic directories: they hold what their rule means, at any time, whoever changed whatever."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.errors import Conflict, Corruption, NotFound, Refused, StorageFailure, Usage
from tdvc.ids import Kind
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.collecting import collect
from tdvc.ops.committing import commit
from tdvc.ops.directories import (
    change_rule,
    create_directory,
    drop_rule,
    list_directories,
    remove_directory,
    rename_directory,
)
from tdvc.ops.following import refresh
from tdvc.ops.fsck import fsck
from tdvc.ops.keepingup import keep_up, rule_of
from tdvc.ops.merging import merge
from tdvc.ops.opening import init, open_repository
from tdvc.ops.querying import Matcher, matching_where
from tdvc.ops.snapshots import snapshot
from tdvc.ops.splitting import split
from tdvc.ops.status import status
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.undoing import find_operation, operations, redo, undo
from tdvc.query import parse
from tdvc.repo.repository import Repository
from tdvc.repo.rule import Rule
from tdvc.storage.base import MemoryStorage
from tests.ops.build import box, fails, held, lines, stock, unchanged
from tests.ops.followed import DOGS, dogs, paths, to_cat, to_dog


@pytest.fixture
def repository(repository: Repository) -> Repository:
    """The one of `dogs`."""
    return dogs(repository)


# what it holds


def test_it_holds_mirrors_of_what_fits(repository: Repository) -> None:
    main, dogs = held(repository, "Main"), held(repository, "Dogs")
    assert dogs == {path: main[path] for path in "ab"}
    assert {f.file_id for f in repository["Dogs"]} <= {f.file_id for f in repository["Main"]}
    assert repository["Dogs"].counts.files == 2


def test_it_follows_edits_of_the_source(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    assert paths(repository) == "b"
    annotate(repository, to_dog("d", 9), "Main")
    assert paths(repository) == "bd"


def test_it_follows_files_that_come_move_and_go(repository: Repository) -> None:
    stock(repository, "Main", {"e": (b"e", [box("dog")])})
    remove(repository, ["Main:b"])
    move(repository, ["Main:a"], "Main:z")
    assert paths(repository) == "ez"
    assert repository["Dogs"]["z"].file_id == repository["Main"]["z"].file_id


def test_files_that_change_places_keep_their_identity(repository: Repository) -> None:
    before = {file.path: file.file_id for file in repository["Dogs"]}
    with repository.transaction("swap") as edit:
        a, b = (repository["Main"][path].state.file_id for path in "ab")
        edit.place("Main", "a", b)
        edit.place("Main", "b", a)
    assert {file.path: file.file_id for file in repository["Dogs"]} == {"a": before["b"], "b": before["a"]}


def test_an_edit_through_it_shows_in_the_source_and_may_take_the_file_out(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Dogs")
    assert repository["Main"]["a"].instances[0].label == "cat"
    assert paths(repository) == "b"


def test_an_edit_through_it_says_how_many_files_left(repository: Repository) -> None:
    assert annotate(repository, to_cat("a", 1), "Dogs").left_files == 1
    assert relabel(repository, "dog", "wolf", "Dogs").left_files == 1
    assert relabel(repository, "wolf", "dog", "Main").left_files == 0
    assert paths(repository) == "b"


def test_commits_and_snapshots_of_it_stay(repository: Repository) -> None:
    commit(repository, "dogs", "Dogs")
    snapshot(repository, "Dogs", "v1")
    before = held(repository, "v1")
    relabel(repository, "dog", "cat", "Main")
    assert paths(repository) == ""
    assert held(repository, "v1") == held(repository, "Dogs@") == before
    commit(repository, "no dogs", "Dogs")
    assert (paths(repository, "Dogs@"), paths(repository, "Dogs~1")) == ("", "ab")


def test_a_commit_records_what_it_holds_at_that_moment(repository: Repository) -> None:
    commit(repository, "dogs", "Dogs")
    annotate(repository, to_cat("a", 1), "Main")
    commit(repository, "one less", "Dogs")
    assert paths(repository, "Dogs@") == "b"


@pytest.mark.parametrize(
    "use",
    [
        lambda r: mirror(r, ["Dogs"], "New"),
        lambda r: copy(r, ["Dogs"], "New"),
        lambda r: split(r, "Dogs", {"new": "1"}),
    ],
    ids=["mirror", "copy", "split"],
)
def test_commands_that_read_it_see_it_up_to_date(repository: Repository, use) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    use(repository)
    assert [file.path for name in repository if name in ("New", "Dogs-new") for file in repository[name]] == ["b"]


def test_a_mirror_of_it_is_an_ordinary_directory(repository: Repository) -> None:
    mirror(repository, ["Dogs"], "Kept")
    annotate(repository, to_cat("a", 1), "Main")
    assert (paths(repository, "Kept"), paths(repository)) == ("ab", "b")
    remove(repository, ["Kept:a"])


def test_it_is_merged_from_like_any_other(repository: Repository) -> None:
    commit(repository, "first", "Main")
    commit(repository, "dogs", "Dogs")
    create_directory(repository, "Other")
    merge(repository, "Dogs", "Other")
    assert paths(repository, "Other") == "ab"


# what else a rule can depend on


def test_a_rule_about_other_directories(repository: Repository) -> None:
    create_directory(repository, "Test")
    create_directory(repository, "Rest", where="not in_directory('Test')", source="Main")
    assert paths(repository, "Rest") == "abcd"
    mirror(repository, ["Main:b"], "Test")
    assert paths(repository, "Rest") == "acd"
    remove(repository, ["Test:b"])
    assert paths(repository, "Rest") == "abcd"


def test_a_rule_about_another_dynamic_directory(repository: Repository) -> None:
    create_directory(repository, "NoDogs", where="not in_directory('Dogs')", source="Main")
    create_directory(repository, "Cats", where="label = 'cat'", source="NoDogs")
    assert (paths(repository, "NoDogs"), paths(repository, "Cats")) == ("cd", "c")
    annotate(repository, to_cat("a", 1), "Main")
    assert paths(repository, "Cats") == "ac"


def test_a_rule_about_changes(repository: Repository) -> None:
    commit(repository, "first", "Main")
    snapshot(repository, "Main", "v1")
    create_directory(repository, "Changed", where="changed_since('v1')", source="Main")
    assert paths(repository, "Changed") == ""
    annotate(repository, to_dog("d", 9), "Main")
    assert paths(repository, "Changed") == "d"


def test_a_rule_asks_under_the_schema_of_the_source(repository: Repository) -> None:
    create_directory(repository, "Animals", where="label = 'animal'", source="Main")
    assert paths(repository, "Animals") == ""
    with repository.transaction("schema") as edit:
        schema = repository["Main"].schema
        labels = {**schema.labels, "cat": replace(schema.labels["cat"], parent="animal")}
        labels["animal"] = replace(schema.labels["cat"], key="animal", name="animal", index=9)
        edit.set_schema(replace(schema, labels=labels), "Main")
    assert paths(repository, "Animals") == "bc"
    assert repository["Animals"].schema_id == repository["Main"].schema_id


def test_a_rule_that_says_now_is_asked_again_in_time(repository: Repository) -> None:
    moment = [1_800_000_000.0]
    with (
        patch("tdvc.ops.following.time.time", lambda: moment[0]),
        patch("tdvc.repo.rule.utc_now", lambda: _iso(moment)),
        patch("tdvc.ops.following.utc_now", lambda: _iso(moment)),
    ):
        _with_property(repository, "a", "2027-01-15T07:00:00Z")  # an hour before
        create_directory(repository, "Recent", where="property.taken > now - 2 hours", source="Main")
        assert paths(repository, "Recent") == "a"
        moment[0] += 59
        with unchanged(repository):
            assert paths(repository, "Recent") == "a"
        moment[0] += 3600
        assert paths(repository, "Recent") == ""


def _iso(moment: list[float]) -> str:
    return datetime.fromtimestamp(moment[0], UTC).isoformat()


def _with_property(repository: Repository, path: str, taken: str) -> None:
    with repository.transaction("property") as edit:
        state = repository["Main"][path].state
        edit.set_state(state._replace(properties=b'{"taken":"%s"}' % taken.encode()))


@pytest.mark.parametrize(
    ("order", "limit", "expected"),
    [
        ("", 2, "ab"),
        ("path desc", 2, "cd"),
        ("instances desc", 1, "b"),
        ("instances desc", 2, "ab"),
        ("instances, size desc", 2, "cd"),
        ("property.rank", 3, "abd"),
        ("property.rank desc", 2, "bd"),
        ("size", 99, "abcd"),
    ],
)
def test_order_and_limit(repository: Repository, order: str, limit: int, expected: str) -> None:
    with repository.transaction("rank") as edit:
        for path, rank in (("b", 2), ("d", 1)):
            edit.set_state(repository["Main"][path].state._replace(properties=b'{"rank":%d}' % rank))
    create_directory(repository, "Top", where="size > 0", source="Main", order=order, limit=limit)
    assert paths(repository, "Top") == expected


def test_a_limit_lets_the_next_one_in(repository: Repository) -> None:
    create_directory(repository, "Top", where=DOGS, source="Main", order="size desc", limit=1)
    assert paths(repository, "Top") == "b"
    annotate(repository, to_cat("b", 2), "Main")
    assert paths(repository, "Top") == "a"


# what is refused


@pytest.mark.parametrize(
    "change",
    [
        lambda r: stock(r, "Dogs", {"new": b"new"}),
        lambda r: stock(r, "Dogs", {"a": b"other bytes"}),
        lambda r: mirror(r, ["Main:c"], "Dogs"),
        lambda r: copy(r, ["Main:c"], "Dogs"),
        lambda r: move(r, ["Main:c"], "Dogs"),
        lambda r: move(r, ["Dogs:a"], "Main:z"),
        lambda r: move(r, ["Dogs:a"], "Dogs:z"),
        lambda r: remove(r, ["Dogs:a"]),
    ],
)
def test_a_rule_alone_says_what_it_holds(repository: Repository, change) -> None:
    with unchanged(repository), fails(Refused, "directory-follows"):
        change(repository)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"where": "label ="}, "bad-query"),
        ({"where": DOGS, "order": "label", "limit": 1}, "bad-query"),
        ({"where": DOGS, "order": "size down", "limit": 1}, "bad-query"),
        ({"where": DOGS, "order": "size"}, "bad-usage"),
        ({"where": DOGS, "limit": 0}, "bad-usage"),
        ({"source": "Main"}, "bad-usage"),
        ({"limit": 3}, "bad-usage"),
        ({"order": "size"}, "bad-usage"),
        ({"where": DOGS, "source": "Nowhere"}, "directory-not-found"),
        ({"where": "in_directory('New')"}, "directory-not-found"),
        ({"where": "changed_since('v9')"}, "unknown-revision"),
    ],
)
def test_rules_that_make_no_sense(repository: Repository, options: dict, code: str) -> None:
    with unchanged(repository), fails((Usage, NotFound), code):
        create_directory(repository, "New", **options)


def test_what_is_followed_stays(repository: Repository) -> None:
    with unchanged(repository), fails(Refused, "directory-follows"):
        remove_directory(repository, "Main")
    remove_directory(repository, "Dogs")
    create_directory(repository, "Other")
    remove_directory(repository, "Main")


def test_what_a_query_speaks_of_stays_and_keeps_its_name(repository: Repository) -> None:
    create_directory(repository, "Test")
    create_directory(repository, "Rest", where="not in_directory('Test')", source="Main")
    for verb in (remove_directory, lambda r, name: rename_directory(r, name, "New")):
        with unchanged(repository), fails(Refused, "directory-follows"):
            verb(repository, "Test")
    drop_rule(repository, "Rest")
    rename_directory(repository, "Test", "New")
    mirror(repository, ["Main:a"], "New")
    commit(repository, "first", "New")
    create_directory(repository, "Later", where="changed_since('New@')", source="Main")
    for verb in (remove_directory, lambda r, name: rename_directory(r, name, "Newer")):
        with unchanged(repository), fails(Refused, "directory-follows"):
            verb(repository, "New")
    with fails(NotFound, "directory-not-found"):
        remove_directory(repository, "Test")


def test_a_rename_takes_its_followers_along(repository: Repository) -> None:
    create_directory(repository, "Big", where="size > 1", source="Dogs")
    rename_directory(repository, "Main", "Base")
    rename_directory(repository, "Dogs", "Hounds")
    annotate(repository, to_dog("d", 9), "Base")
    assert (paths(repository, "Hounds"), paths(repository, "Big")) == ("abd", "bd")


def test_rules_in_a_circle(repository: Repository) -> None:
    create_directory(repository, "Big", where="size > 1", source="Dogs")
    with unchanged(repository), fails(Refused, "rule-circular"):
        change_rule(repository, "Dogs", source="Big")
    with unchanged(repository), fails(Refused, "rule-circular"):
        change_rule(repository, "Dogs", where="in_directory('Big')")
    with unchanged(repository), fails(Refused, "rule-circular"):
        change_rule(repository, "Dogs", source="Dogs")


def test_a_circle_that_came_about_all_the_same(repository: Repository) -> None:
    create_directory(repository, "Test")
    create_directory(repository, "Rest", where="not in_directory('Test')", source="Main")
    with repository.transaction("a circle") as edit:
        edit.set_rule("Test", Rule("Rest", "size > 0"))
    with fails(Refused, "rule-circular"):
        repository["Rest"]
    listed = {one.name: one for one in list_directories(repository)}
    assert "asks for Rest itself" in listed["Rest"].problem and listed["Rest"].files == 4
    assert listed["Main"].problem == ""
    drop_rule(repository, "Test")
    assert paths(repository, "Rest") == "abcd"


def test_a_rule_whose_snapshot_was_undone_stands_in_nobodys_way(repository: Repository) -> None:
    commit(repository, "first", "Main")
    snapshot(repository, "Main", "v1")
    create_directory(repository, "Old", where="in_snapshot('v1')", source="Main")
    with repository.transaction("as an undo of the snapshot would") as edit:
        edit.set_rule("Old", Rule("Main", "in_snapshot('v2')"))
    with fails(NotFound, "unknown-revision") as caught:
        repository["Old"]
    assert caught.value.message.startswith("Old can't be brought up to date")
    assert "tdvc directory rule Old" in caught.value.hint
    listed = {one.name: one for one in list_directories(repository)}
    assert "'v2'" in listed["Old"].problem and listed["Old"].files == 4
    assert status(repository, "Main").others[1].problem == listed["Old"].problem
    change_rule(repository, "Old", where="in_snapshot('v1') and size > 1")
    assert paths(repository, "Old") == "bcd"


# changing and ending a rule


def test_change_and_drop(repository: Repository) -> None:
    result = change_rule(repository, "Dogs", where="label = 'cat'")
    assert (result.files, result.gained, result.lost) == (2, 1, 1)
    assert paths(repository) == "bc"
    change_rule(repository, "Dogs", order="size desc", limit=1)
    assert paths(repository) == "c"
    change_rule(repository, "Dogs", order="", limit=0)
    assert rule_of(repository, "Dogs").text == "--from Main --where \"label = 'cat'\""
    drop_rule(repository, "Dogs")
    relabel(repository, "cat", "dog", "Main")
    assert paths(repository) == "bc"
    remove(repository, ["Dogs:b"])
    for verb in (drop_rule, refresh, rule_of):
        with fails(NotFound, "rule-not-found"):
            verb(repository, "Dogs")
        with fails(NotFound, "directory-not-found"):
            verb(repository, "Nowhere")


def test_the_list_says_what_is_followed(repository: Repository) -> None:
    listed = {one.name: one.rule for one in list_directories(repository)}
    assert listed == {"Main": "", "Dogs": f'--from Main --where "{DOGS}"'}


# operations


def test_a_refresh_is_published_once_and_only_where_something_changed(repository: Repository) -> None:
    with unchanged(repository):
        paths(repository)
        assert refresh(repository, "Dogs").operation is None
    annotate(repository, to_cat("a", 1), "Main")
    result = refresh(repository, "Dogs")
    assert (result.files, result.gained, result.lost) == (1, 0, 1)
    with unchanged(repository):
        assert (paths(repository), refresh(repository, "Dogs").operation) == ("b", None)


def test_undo_and_redo_pass_over_refreshes(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    assert paths(repository) == "b"
    annotate(repository, to_cat("b", 2), "Main")
    assert paths(repository) == ""
    assert undo(repository).command.startswith("annotate")
    assert (paths(repository), repository["Main"]["b"].instances[0].label) == ("b", "dog")
    assert undo(repository).command.startswith("annotate")
    assert paths(repository) == "ab"
    redo(repository)
    assert paths(repository) == "b"
    redo(repository)
    assert paths(repository) == ""
    with fails(Refused, "nothing-to-redo"):
        redo(repository)
    undo(repository, "2")
    assert paths(repository) == "ab"
    assert undo(repository).command.startswith("directory create Dogs")


def test_redo_after_a_refresh_that_followed_an_undo(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    annotate(repository, to_cat("b", 2), "Main")
    undo(repository)
    assert paths(repository) == "b"
    refreshed = next(one for one in operations(repository) if one.command == "directory refresh Dogs")
    with fails(Refused, "nothing-to-undo"):
        undo(repository, refreshed.operation[:12])
    assert redo(repository).command.startswith("annotate")
    assert paths(repository) == ""
    assert find_operation(repository, refreshed.operation)


def test_one_moment_is_kept(repository: Repository) -> None:
    storage = repository.storage
    reader = Repository(storage, author="Reader").at_one_moment()
    reader.keep_up = keep_up
    assert paths(reader) == "ab"
    annotate(repository, to_cat("a", 1), "Main")
    assert (paths(reader), paths(reader, "Main")) == ("ab", "abcd")
    assert paths(repository) == "b"


def test_what_others_publish_meanwhile_is_seen_the_next_time(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    rows = Matcher.rows

    def meanwhile(matcher: Matcher, given: list):
        stock(Repository(repository.storage, author="Other"), "Main", {"e": (b"e", [box("dog")])})
        return rows(matcher, given)

    with patch.object(Matcher, "rows", meanwhile):
        assert paths(repository) == "b"
    assert paths(repository) == "be"


def test_a_commit_of_what_fell_behind_is_refused(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    with unchanged(repository), fails(Conflict, "changed-meanwhile"):
        repository.transaction("commit").commit("Dogs", "behind")


def test_where_nothing_can_be_written_it_says_so(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    refused = StorageFailure("disk-failure", "The disk can only be read.")
    with patch.object(type(repository.storage), "create", side_effect=refused):
        with fails(StorageFailure, "disk-failure") as caught:
            repository["Dogs"]
        assert "Dogs can't be brought up to date" in caught.value.message
        assert "Dogs@" in caught.value.hint
        assert [bool(one.problem) for one in status(repository, "Main").others] == [True]
    assert paths(repository) == "b"


def test_the_state_that_was_seen_may_be_collected(tmp_path) -> None:
    repository = init(tmp_path, author="Ada")
    stock(repository, "Main", {f"{n:03}": (b"%d" % n, [box("dog" if n % 2 else "cat")]) for n in range(600)})
    create_directory(repository, "Dogs", where=DOGS, source="Main")
    seen = rule_of(repository, "Dogs").seen.root
    annotate(repository, to_dog("002", 9), "Main")
    collect(repository, keep_operations=timedelta(), now=True)
    again = open_repository(tmp_path, author="Ada")
    with fails(Corruption, "object-missing"):
        again.objects.read(Kind.PAGE, seen)
    assert again["Dogs"].counts.files == 301
    assert not fsck(again).findings


# against the plain way


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(
        [
            (DOGS, "", None),
            ("count(label = 'cat') >= 2", "", None),
            ("complete or path like '%1%'", "", None),
            ("instances < 3", "instances desc, size", 5),
        ]
    ),
)
def test_it_holds_what_the_query_means_after_any_edits(seed: int, rule) -> None:
    where, order, limit = rule
    chance = random.Random(seed)
    repository = _in_memory()
    stock(repository, "Main", {f"{n:02}": (b"%d" % n, _some(chance)) for n in range(40)})
    create_directory(repository, "Live", where=where, source="Main", order=order, limit=limit)
    for step in range(6):
        for _ in range(chance.randrange(1, 4)):
            _edit(repository, chance, step)
        fresh = f"Fresh{step}"
        create_directory(repository, fresh, where=where, source="Main", order=order, limit=limit)
        assert repository["Live"].root == repository[fresh].root
        assert repository.view.directories["Live"].paths == repository.view.directories[fresh].paths
        expected = {entry.path for entry in _matching(repository, where)}
        found = {file.path for file in repository["Live"]}
        assert found <= expected
        assert len(found) == min(len(expected), limit or 99)


def _in_memory() -> Repository:
    repository = Repository(MemoryStorage(), author="Ada")
    repository.start("Main")
    repository.keep_up = keep_up
    return repository


def _some(chance: random.Random) -> list[dict]:
    return [box(chance.choice(["dog", "cat", "cow"])) for _ in range(chance.randrange(5))]


def _matching(repository: Repository, where: str):
    return matching_where(repository, repository["Main"], parse(where))


def _edit(repository: Repository, chance: random.Random, step: int) -> None:
    some = chance.choice([file.path for file in repository["Main"]])
    kind = chance.randrange(5)
    if kind == 0:
        stock(repository, "Main", {f"new{step}-{chance.random()}": (b"new", _some(chance))})
    elif kind == 1:
        remove(repository, [f"Main:{some}"])
    elif kind == 2:
        move(repository, [f"Main:{some}"], f"Main:moved{step}-{chance.random()}")
    elif kind == 3:
        complete(repository, [some], "Main")
    else:
        annotate(repository, lines({"op": "add", "path": some, "instance": box(chance.choice(["dog", "cat"]))}), "Main")
