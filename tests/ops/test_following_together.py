"""Dynamic directories beside others who read and write at the same time, and what went wrong once."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from tdvc.errors import Conflict, Corruption, Locked, Refused, Usage
from tdvc.ids import Kind
from tdvc.ops.annotate import annotate
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
from tdvc.ops.merging import MergeOptions, abort_merge, merge
from tdvc.ops.querying import Matcher
from tdvc.ops.schema import add_label, use_schema
from tdvc.ops.schemachange import merge_labels
from tdvc.ops.transfer import copy, remove
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.ops.build import box, fails, identity, lines, stock, unchanged
from tests.ops.followed import DOGS, dogs, paths, to_cat, to_dog


@pytest.fixture
def repository(repository: Repository) -> Repository:
    """The one of `dogs`."""
    return dogs(repository)


# several at once


def held_back(repository: Repository) -> Repository:
    """The repository for somebody who stays at the moment of the first look."""
    other = Repository(repository.storage, author="Other")
    other.keep_up = keep_up
    return other.at_one_moment()


def test_who_reads_waits_for_nobody(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    waited = []

    def held(_: MemoryStorage, timeout_seconds: float) -> None:
        waited.append(timeout_seconds)
        raise Locked("locked", "Somebody publishes.")

    with patch.object(MemoryStorage, "lock", held), unchanged(repository):
        assert paths(repository) == "b"
        assert [one.problem for one in list_directories(repository)] == ["", ""]
    assert set(waited) == {0.0}
    assert paths(repository) == "b"


def test_an_edit_is_not_called_off_because_nobody_could_follow_it(repository: Repository) -> None:
    with patch("tdvc.ops.following.look", side_effect=Conflict("changed-meanwhile", "Others did something.")):
        assert annotate(repository, to_cat("a", 1), "Dogs").left_files == 0
    assert (repository["Main"]["a"].instances[0].label, paths(repository)) == ("cat", "b")


def test_a_reader_stays_at_its_moment_also_where_it_publishes(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    reader = held_back(repository)
    assert paths(reader, "Main") == "abcd"
    stock(repository, "Main", {"e": (b"e", [box("dog")])})
    assert (paths(reader), paths(reader, "Main")) == ("b", "abcd")
    assert paths(repository) == "be"


def test_edits_of_its_files_do_not_stand_in_the_way_of_following(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    rows, asked = Matcher.rows, []

    def meanwhile(matcher: Matcher, given: list):
        asked.append(given)
        cat = lines({"op": "add", "path": "a", "instance": box("cat")})
        annotate(Repository(repository.storage, author="Other"), cat, "Main")
        return rows(matcher, given)

    with patch.object(Matcher, "rows", meanwhile):
        assert refresh(repository, "Dogs").lost == 1
    assert len(asked) == 1, "it is found once, although the file that leaves was edited meanwhile"
    assert paths(repository) == "b"
    assert len(repository["Main"]["a"].instances) == 2


def test_two_changes_of_a_rule_both_count(repository: Repository) -> None:
    late = held_back(repository)
    assert paths(late) == "ab"
    change_rule(repository, "Dogs", limit=1)
    change_rule(late, "Dogs", where="label = 'cat'")
    assert rule_of(repository, "Dogs").text == "--from Main --where \"label = 'cat'\" --limit 1"


@pytest.mark.parametrize("verb", [remove_directory, lambda r, name: rename_directory(r, name, "New")])
def test_what_came_to_be_followed_meanwhile_stays(repository: Repository, verb) -> None:
    create_directory(repository, "Base")
    late = held_back(repository)
    assert paths(late, "Base") == ""
    create_directory(repository, "Follower", where="size > 0", source="Base")
    with unchanged(repository), fails(Conflict, "changed-meanwhile"):
        verb(late, "Base")


def test_what_is_gone_meanwhile_is_not_followed(repository: Repository) -> None:
    create_directory(repository, "Base")
    late = held_back(repository)
    assert paths(late, "Base") == ""
    rename_directory(repository, "Base", "Other")
    with unchanged(repository), fails(Conflict, "changed-meanwhile"):
        create_directory(late, "Follower", where="size > 0", source="Base")


def test_it_can_be_removed_and_schemas_evolve_while_it_is_behind(repository: Repository) -> None:
    annotate(repository, to_cat("a", 1), "Main")
    merge_labels(repository, ["cat"], "dog")
    assert paths(repository) == "abc"
    remove(repository, ["Main:a"])
    assert remove_directory(repository, "Dogs").files == 2


def test_a_merge_sees_it_up_to_date(repository: Repository) -> None:
    commit(repository, "dogs", "Dogs")
    create_directory(repository, "Other")
    annotate(repository, to_dog("d", 9), "Main")
    with fails(Refused, "staged-edits"):
        merge(repository, "Dogs", "Other")


# what else went wrong once


def test_a_rule_that_is_gone_can_be_dropped_and_blocks_nothing(repository: Repository) -> None:
    with repository.transaction("a rule that is not stored") as edit:
        edit._notes.rules["Dogs"] = b"\x07" * 32
        edit.writer.put(Kind.BLOB, b"something")
    with fails(Corruption, "object-missing") as caught:
        repository["Dogs"]
    assert "--drop" in caught.value.hint
    assert {one.name: bool(one.problem) for one in list_directories(repository)} == {"Main": False, "Dogs": True}
    assert [finding.code for finding in fsck(repository).findings] == ["object-missing"]
    create_directory(repository, "Other")
    rename_directory(repository, "Main", "Base")
    remove_directory(repository, "Other")
    drop_rule(repository, "Dogs")
    assert paths(repository) == "ab"
    assert not fsck(repository, mode="quick").findings


def test_it_has_no_schema_of_its_own(repository: Repository) -> None:
    for change in (lambda: use_schema(repository, "Main", "Dogs"), lambda: add_label(repository, "wolf", "Dogs")):
        with unchanged(repository), fails(Refused, "directory-follows"):
            change()


def test_a_slow_hook_does_not_make_it_old(repository: Repository) -> None:
    create_directory(repository, "Now", where="not property.taken > now - 1 day", source="Main")

    class Slow:
        def before(self, change: object) -> None:
            stopped.append(patch("tdvc.repo.rule._is_fresh", lambda _: False))
            stopped[0].start()

        def after(self, change: object) -> None:
            pass

    stopped: list = []
    try:
        assert commit(repository, "first", "Now", hooks=Slow()).counts.files == 4
    finally:
        stopped[0].stop()


def test_a_merge_of_it_can_be_given_up_after_it_lost_a_file(repository: Repository) -> None:
    commit(repository, "dogs", "Dogs")
    copy(repository, ["Dogs"], "Bea", with_instances=True)
    commit(repository, "hers", "Bea")
    theirs = repository["Bea"]["a"].instances[0].instance_id
    annotate(repository, lines({"op": "update", "path": "a", "instance_id": theirs, "set": {"label": "cow"}}), "Bea")
    commit(repository, "a cow", "Bea")
    annotate(repository, lines({"op": "update", "path": "a", "instance_id": theirs, "set": {"score": 0.5}}), "Main")
    annotate(
        repository, lines({"op": "update", "path": "b", "instance_id": identity(2), "set": {"score": 0.5}}), "Main"
    )
    commit(repository, "scores", "Dogs")
    merge(repository, "Bea", "Dogs", MergeOptions(commit=False))
    assert repository["Main"]["a"].instances[0].label == "cow"
    assert paths(repository) == "b"
    abort_merge(repository, "Dogs")
    commit(repository, "one less", "Dogs")
    assert paths(repository, "Dogs@") == "b"


def test_its_rule_does_not_ask_about_its_own_commits(repository: Repository) -> None:
    commit(repository, "dogs", "Dogs")
    for where in ("changed_since('Dogs@')", "changed_since('Dogs~1') or size > 1"):
        with unchanged(repository), fails(Refused, "rule-circular"):
            change_rule(repository, "Dogs", where=where)


def test_a_query_that_is_no_text(repository: Repository) -> None:
    for options in ({"where": "label = '\udcff'"}, {"where": DOGS, "order": "property.'\udcff'", "limit": 1}):
        with unchanged(repository), fails(Usage, "bad-query"):
            create_directory(repository, "New", **options)


def test_a_damaged_page_that_was_seen_is_not_needed(repository: Repository) -> None:
    seen = rule_of(repository, "Dogs").seen.root
    annotate(repository, to_cat("a", 1), "Main")
    read = type(repository.objects).read

    def damaged(self, kind, wanted):
        if wanted == seen:
            raise Corruption("object-damaged", "It is damaged.")
        return read(self, kind, wanted)

    with patch.object(type(repository.objects), "read", damaged):
        assert paths(repository) == "b"
