"""What a revision means: every way to write one, and every way to get one wrong."""

from __future__ import annotations

import pytest

from tdvc.errors import NotFound, TdvcError, Usage
from tdvc.ids import Kind, ObjectId
from tdvc.repo.commit import Commit
from tdvc.repo.repository import Repository
from tdvc.repo.revision import parse_selector

TIMES = ["2026-01-10T08:00:00.000000Z", "2026-02-20T12:30:00.500000Z", "2026-03-30T23:59:59.999999Z"]


@pytest.fixture
def commits(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> list[ObjectId]:
    """Three commits of Main, of one, two and three files, then a staged fourth file; the snapshot v1 is the second."""
    made = []
    for number, time in enumerate(TIMES):
        monkeypatch.setattr("tdvc.repo.transaction.utc_now", lambda time=time: time)
        with repository.transaction("add") as edit:
            edit.add_bytes("Main", f"{number}.jpg", b"%d" % number)
        with repository.transaction("commit") as edit:
            made.append(edit.commit("Main", f"commit {number}"))
    with repository.transaction("more") as edit:
        edit.add_bytes("Main", "staged.jpg", b"staged")
        edit.add_snapshot("v1", made[1], "")
        edit.create_directory("Empty")
    return made


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Main@", 2),
        ("Main~0", 2),
        ("Main~", 1),
        ("Main~1", 1),
        ("Main~2", 0),
        ("Main@~1", 1),
        ("Main@~", 1),
        ("v1", 1),
        ("Main@{2026-01-10}", 0),
        ("Main@{2026-02-19}", 0),
        ("Main@{2026-02-20}", 1),
        ("Main@{2026-02-20T12:30:00}", 0),
        ("Main@{2026-02-20T12:30:01}", 1),
        ("Main@{2026-02-20T12:30:00.500000}", 1),
        ("Main@{2026-02-20 12:31}", 1),
        ("Main@{2026-02-20T14:31:00+02:00}", 1),
        ("Main@{2026-02-20T14:29:00+02:00}", 0),
        ("Main@{2026-02-20T12:31:00Z}", 1),
        ("Main@{2026-03-30}", 2),
        ("Main@{9999-12-31}", 2),
    ],
)
def test_a_revision_means_a_commit(repository: Repository, commits: list[ObjectId], text: str, number: int) -> None:
    state = repository[text]
    assert state.commit == commits[number]
    assert state.name == "Main"
    assert state.title == text
    assert len(state) == number + 1


@pytest.mark.parametrize("digits", [7, 8, 63, 64])
def test_a_commit_goes_by_the_beginning_of_its_id(repository: Repository, commits: list[ObjectId], digits: int) -> None:
    for number, identity in enumerate(commits):
        assert repository[identity.hex()[:digits]].commit == identity
        assert len(repository[identity.hex()[:digits]]) == number + 1


def test_a_name_alone_means_the_staged_state(repository: Repository, commits: list[ObjectId]) -> None:
    assert len(repository["Main"]) == 4
    assert repository["Main"].commit is None
    assert len(repository["Empty"]) == 0


def test_a_staged_state_that_equals_the_last_commit_is_that_commit(
    repository: Repository, commits: list[ObjectId]
) -> None:
    with repository.transaction("back") as edit:
        edit.take_out("Main", "staged.jpg")
    assert repository["Main"].commit == commits[2]


def test_a_commit_of_a_directory_that_is_gone_is_still_found(repository: Repository, commits: list[ObjectId]) -> None:
    with repository.transaction("remove") as edit:
        edit.remove_directory("Main")
    assert len(repository[commits[0].hex()[:12]]) == 1
    assert len(repository["v1"]) == 2
    with pytest.raises(NotFound):
        repository["Main@"]


@pytest.mark.parametrize(
    ("text", "error", "code"),
    [
        ("Nothing", NotFound, "unknown-revision"),
        ("", NotFound, "unknown-revision"),
        ("main", NotFound, "unknown-revision"),
        ("Nothing@", NotFound, "unknown-revision"),
        ("Nothing~1", NotFound, "unknown-revision"),
        ("Nothing@{2026-01-01}", NotFound, "unknown-revision"),
        ("Main~3", NotFound, "unknown-revision"),
        ("Main~999999999", NotFound, "unknown-revision"),
        ("Main~9999999999", NotFound, "unknown-revision"),
        ("Main~-1", NotFound, "unknown-revision"),
        ("Main~1~1", NotFound, "unknown-revision"),
        ("Main@@", NotFound, "unknown-revision"),
        ("Main@{}", NotFound, "unknown-revision"),
        ("Main@{2026-01-09}", NotFound, "unknown-revision"),
        ("Main@{0001-01-01}", NotFound, "unknown-revision"),
        ("Main@{yesterday}", Usage, "bad-usage"),
        ("Main@{2026-13-01}", Usage, "bad-usage"),
        ("v1@", NotFound, "unknown-revision"),
        ("v1~1", NotFound, "unknown-revision"),
        ("Empty@", NotFound, "unknown-revision"),
        ("Empty~1", NotFound, "unknown-revision"),
        ("0000000", NotFound, "unknown-revision"),
        ("f" * 64, NotFound, "unknown-revision"),
        ("f" * 65, NotFound, "unknown-revision"),
        ("\udcff", NotFound, "unknown-revision"),
    ],
)
def test_what_a_revision_can_not_mean_is_said(
    repository: Repository, commits: list[ObjectId], text: str, error: type[TdvcError], code: str
) -> None:
    with pytest.raises(error) as caught:
        repository[text]
    assert caught.value.code == code


@pytest.mark.parametrize("text", ["HEAD", "HEAD~1", "Main^", "Main^2", "v1^"])
def test_who_writes_as_in_git_is_told_how_it_is_here(repository: Repository, commits: object, text: str) -> None:
    with pytest.raises(NotFound) as caught:
        repository[text]
    assert "Main@" in caught.value.hint and "Main~1" in caught.value.hint


def test_fewer_than_seven_digits_are_no_commit(repository: Repository, commits: list[ObjectId]) -> None:
    with pytest.raises(NotFound):
        repository[commits[0].hex()[:6]]


def test_a_near_miss_gets_a_hint(repository: Repository, commits: list[ObjectId]) -> None:
    for text in ("main", "Mai", "MAIN@"):
        with pytest.raises(NotFound) as caught:
            repository[text]
        assert "'Main'" in caught.value.hint


def test_a_prefix_that_fits_two_commits_is_ambiguous(
    repository: Repository, commits: list[ObjectId], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [ObjectId(b"\x12\x34\x56\x78" + bytes(27) + bytes([last])) for last in (1, 2)]
    asked: list[tuple[Kind, str]] = []

    def found(kind: Kind, prefix: str) -> list[ObjectId]:
        asked.append((kind, prefix))
        return both

    monkeypatch.setattr(repository.objects, "ids_with_prefix", found)
    with pytest.raises(Usage) as caught:
        repository["1234567"]
    assert caught.value.code == "ambiguous-revision"
    assert asked == [(Kind.COMMIT, "1234567")]


def test_a_commit_that_another_process_just_made_is_found(repository: Repository, commits: list[ObjectId]) -> None:
    assert repository[commits[0].hex()[:7]].commit == commits[0]
    with Repository(repository.storage, author="Grace").objects.writer() as writer:
        fields = Commit("Main", repository["Main"].root, repository.view.schema, (), "Grace", TIMES[0], "late")
        late = writer.put(Kind.COMMIT, fields.encode())
        writer.publish()
    assert len(repository[late.hex()[:10]]) == 4


@pytest.mark.parametrize(
    ("text", "revision", "pattern"),
    [
        ("Main", "Main", ""),
        ("Main:", "Main", ""),
        ("Main~2:a/*.jpg", "Main~2", "a/*.jpg"),
        ("Main:a:b.jpg", "Main", "a:b.jpg"),
        (":a.jpg", "", "a.jpg"),
        ("Main@{2026-02-20T12:31:00}", "Main@{2026-02-20T12:31:00}", ""),
        ("Main@{2026-02-20T12:31:00}:a:b{1}.jpg", "Main@{2026-02-20T12:31:00}", "a:b{1}.jpg"),
        ("Main:a@{1:2}.jpg", "Main", "a@{1:2}.jpg"),
        ("Main@{2026-02-20:a.jpg", "Main@{2026-02-20", "a.jpg"),
    ],
)
def test_a_selector_is_a_revision_and_a_pattern(text: str, revision: str, pattern: str) -> None:
    assert parse_selector(text) == (revision, pattern)
