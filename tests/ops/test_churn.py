import pytest

from tdvc.errors import Usage
from tdvc.ops.annotate import annotate, relabel
from tdvc.ops.bisect import BAD, GOOD, SKIP, bisect
from tdvc.ops.churn import churn
from tdvc.ops.committing import commit
from tdvc.ops.transfer import move
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, identity, jpeg, lines, stock


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """A dog that becomes a cat and a dog again; a second picture that moves and changes once; a quiet third."""
    files = {f"{name}.jpg": (jpeg(name), [box("dog", number=number)]) for number, name in enumerate("abc", 1)}
    stock(repository, "Main", files)
    commit(repository, "first")
    for label in ("cat", "dog"):
        annotate(
            repository, lines({"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": {"label": label}})
        )
        commit(repository, label)
    annotate(repository, lines({"op": "add", "path": "b.jpg", "instance": box("cat", number=9)}))
    commit(repository, "one more")
    move(repository, ["Main:b.jpg"], "Main:d.jpg")
    annotate(repository, lines({"op": "remove", "path": "d.jpg", "instance_id": identity(9)}))
    commit(repository, "moved")
    return repository


def test_churn_counts_changes_of_mind_and_not_the_first_word(pets: Repository) -> None:
    result = churn(pets)
    assert result.commits == 4
    assert [(item.label, item.relabelled, item.added, item.removed) for item in result.labels] == [
        ("cat", 2, 1, 1),
        ("dog", 2, 0, 0),
    ]
    assert [(item.path, item.commits, item.changes) for item in result.files] == [("a.jpg", 2, 2), ("d.jpg", 2, 2)]


def test_churn_of_a_span_and_a_limit(pets: Repository) -> None:
    result = churn(pets, "Main~2..Main@", limit=1)
    assert (result.commits, result.files_changed) == (2, 1)
    assert churn(pets, "Main~3..Main~2").commits == 1
    assert len(churn(pets, limit=1).files) == 1 and churn(pets, limit=1).files_changed == 2


def test_churn_of_one_commit_is_none(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog")])})
    commit(repository, "first")
    result = churn(repository)
    assert (result.commits, result.labels, result.files) == (0, [], [])


@pytest.fixture
def line(repository: Repository) -> Repository:
    """Ten commits, 0 to 9, each with one more file; from 6 on there is a cat."""
    for number in range(10):
        stock(repository, "Main", {f"{number}.jpg": (jpeg(str(number)), [box("cat" if number == 6 else "dog")])})
        commit(repository, str(number))
    return repository


def has_cat(state, left) -> str:
    return BAD if any(instance.label == "cat" for file in state for instance in file.instances) else GOOD


@pytest.mark.parametrize("span", [None, "..", "Main~9..Main@", "Main~4..Main~2"])
def test_bisect_finds_the_first_bad_commit(line: Repository, span: str | None) -> None:
    result = bisect(line, span, has_cat)
    assert result.message == "6" and result.suspects == [result.first_bad]
    assert len(result.verdicts) <= 4


def test_bisect_passes_over_what_can_not_be_judged(line: Repository) -> None:
    def judge(state, left):
        return SKIP if len(state) == 5 else has_cat(state, left)

    assert bisect(line, None, judge).message == "6"


def test_bisect_names_all_that_it_may_be(line: Repository) -> None:
    def judge(state, left):
        return SKIP if len(state) in (6, 7) else has_cat(state, left)

    result = bisect(line, None, judge)
    assert result.first_bad is None and len(result.suspects) == 3


@pytest.mark.parametrize("span", ["Main@..Main~3", "Main@..Main@"])
def test_bisect_refuses_a_span_without_a_middle(line: Repository, span: str) -> None:
    with fails(Usage, "bad-usage"):
        bisect(line, span, has_cat)


def test_relabel_there_and_back_is_churn(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [box("dog")])})
    commit(repository, "0")
    for old, new in (("dog", "cat"), ("cat", "dog")):
        relabel(repository, old, new)
        commit(repository, new)
    assert {item.label: item.changes for item in churn(repository).labels} == {"dog": 2, "cat": 2}
