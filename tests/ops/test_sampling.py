from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.errors import Refused, Usage
from tdvc.ops.sampling import SampleOptions, sample
from tdvc.ops.splitting import split
from tdvc.repo.repository import Repository
from tests.ops.build import fails, held, stock, unchanged
from tests.ops.test_splitting import INTO, fresh, numbered, with_patients


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(repository, "Pets", numbered(0, 300, dog=1, cat=5, owl=50))
    return repository


def paths(repository: Repository, name: str) -> set[str]:
    return {entry.path for entry in repository[name].entries()}


def test_shares_are_nested(pets: Repository) -> None:
    result = sample(pets, "Pets", SampleOptions(shares=["0.8", "0.1", "0.3"]))
    assert [found.directory for found in result.samples] == ["Pets-0.1", "Pets-0.3", "Pets-0.8"]
    assert paths(pets, "Pets-0.1") < paths(pets, "Pets-0.3") < paths(pets, "Pets-0.8") < paths(pets, "Pets")
    assert [found.files for found in result.samples] == [len(pets[found.directory]) for found in result.samples]
    assert 15 <= result.samples[0].files <= 50
    with unchanged(pets):
        sample(pets, "Pets", SampleOptions(shares=["0.8", "0.1", "0.3"]))


def test_all_is_a_share(pets: Repository) -> None:
    sample(pets, "Pets", SampleOptions(shares=["1"]))
    assert held(pets, "Pets-1") == held(pets, "Pets")


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["0.2", "1/2", "0.75"]))
def test_files_that_come_move_none(old: int, new: int, share: str) -> None:
    repository = fresh()
    options = SampleOptions(shares=[share.replace("1/2", "0.5")])
    name = f"Pets-{options.shares[0]}"
    stock(repository, "Pets", numbered(0, old))
    sample(repository, "Pets", options)
    before = paths(repository, name)
    stock(repository, "Pets", numbered(old, old + new))
    sample(repository, "Pets", options)
    assert {path for path in paths(repository, name) if int(path[:4]) < old} == before


def test_a_sample_is_independent_of_a_split(pets: Repository) -> None:
    split(pets, "Pets", INTO)
    sample(pets, "Pets", SampleOptions(shares=["0.3"]))
    chosen = paths(pets, "Pets-0.3")
    assert chosen & paths(pets, "Pets-train")
    assert chosen & paths(pets, "Pets-test")


def test_groups_are_not_parted(repository: Repository) -> None:
    with_patients(repository, 0, 150)
    sample(repository, "Pets", SampleOptions(shares=["0.5"], group_by=["patient"]))
    chosen = {int(path[:4]) for path in paths(repository, "Pets-0.5")}
    for patient in range(17):
        files = {number for number in range(150) if number % 10 and number % 17 == patient}
        assert files <= chosen or not files & chosen


def test_balanced(pets: Repository) -> None:
    (found,) = (result := sample(pets, "Pets", SampleOptions(per_label=20, into="Balanced"))).samples
    assert result.short == {"owl": 6}
    assert found.labels["cat"] >= 20
    assert found.labels["dog"] >= 20
    assert found.labels["owl"] == 6
    assert found.files <= 46
    assert len(pets["Balanced"]) == found.files


def test_capped(pets: Repository) -> None:
    stock(pets, "Pets", {f"plain/{n}.txt": b"plain %d" % n for n in range(30)})
    result = sample(pets, "Pets", SampleOptions(cap=10, into="Capped"))
    (found,) = result.samples
    assert max(found.labels.values()) == found.labels["dog"] == 10
    assert len([path for path in paths(pets, "Capped") if path.startswith("plain/")]) == 10
    assert (found.files, result.short) == (20, {})


def test_which_files_is_the_same_on_every_machine(pets: Repository) -> None:
    sample(pets, "Pets", SampleOptions(per_label=2, into="Few"))
    assert sorted(paths(pets, "Few")) == ["0035.txt", "0150.txt", "0250.txt", "0286.txt"]


def test_a_dry_run_says_the_same_and_changes_nothing(pets: Repository) -> None:
    with unchanged(pets):
        planned = sample(pets, "Pets", SampleOptions(shares=["0.1"], dry_run=True))
    assert planned.samples == sample(pets, "Pets", SampleOptions(shares=["0.1"])).samples


@pytest.mark.parametrize(
    "options",
    [
        SampleOptions(),
        SampleOptions(shares=["0.1"], cap=3),
        SampleOptions(cap=3),
        SampleOptions(cap=0, into="X"),
        SampleOptions(per_label=-1, into="X"),
        SampleOptions(shares=["2"]),
        SampleOptions(shares=["0.1", "0.10"]),
        SampleOptions(shares=["much"]),
        SampleOptions(cap=3, into="Pets"),
        SampleOptions(cap=3, into="X", group_by=["folder"]),
    ],
)
def test_options_that_make_no_sense(pets: Repository, options: SampleOptions) -> None:
    with unchanged(pets), fails(Usage, "bad-usage"):
        sample(pets, "Pets", options)


def test_a_directory_that_is_something_else_is_left_alone(pets: Repository) -> None:
    stock(pets, "Mine", {"mine.txt": b"mine"})
    with unchanged(pets), fails(Refused, "directory-exists"):
        sample(pets, "Pets", SampleOptions(cap=3, into="Mine"))
