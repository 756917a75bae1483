"""How many files and instances have each label: over columns and without them it is the same."""

from __future__ import annotations

import random
from collections import Counter
from unittest.mock import patch

import pytest

from tdvc.columns.store import ColumnStore
from tdvc.errors import Corruption
from tdvc.ids import Kind
from tdvc.ops import labelcounts
from tdvc.ops.labelcounts import label_counts
from tdvc.ops.transfer import mirror
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, stock


@pytest.fixture
def many(repository: Repository) -> Repository:
    """Some pages of files, some of them without instances."""
    chance = random.Random(3)
    labels = ["dog", "cat", "größe", "a b"]
    files = {
        f"{n:04}.jpg": (b"%d" % n, [box(chance.choice(labels)) for _ in range(chance.randrange(4))]) for n in range(900)
    }
    stock(repository, "Main", files)
    return repository


def plainly(repository: Repository) -> tuple[Counter[str], Counter[str]]:
    files, instances = Counter(), Counter()
    for file in repository["Main"]:
        files.update({one.label for one in file.instances})
        instances.update(one.label for one in file.instances)
    return files, instances


@pytest.mark.parametrize("cached", [0, 1, 99])
def test_cached_or_not_it_is_the_same(many: Repository, cached: int) -> None:
    store = ColumnStore(many)
    pages = len(list(store.of(many["Main"]).pages(workers=1)))
    assert pages >= 2
    for name in sorted(store.cached())[cached:]:
        many.storage.remove(f"cache/columns-2/{name}")
    with patch.object(labelcounts, "_WORTH_COLUMNS", 0):
        assert label_counts(many["Main"]) == plainly(many)
    assert len(store.cached()) == min(cached, pages), "nothing is cached for it"
    assert label_counts(many["Main"]) == plainly(many)


def test_what_is_cached_is_not_read_again(many: Repository) -> None:
    expected = plainly(many)
    list(ColumnStore(many).of(many["Main"]).pages(workers=1))
    state = many["Main"]
    with (
        patch.object(labelcounts, "_WORTH_COLUMNS", 0),
        patch.object(labelcounts, "_labels", side_effect=AssertionError),
    ):
        assert label_counts(state) == expected


def test_a_file_that_several_states_hold_counts_once(many: Repository) -> None:
    mirror(many, ["Main:00*"], "Some")
    assert label_counts(many["Main"], many["Some"]) == plainly(many)
    assert label_counts(many["Some"], many["Some"]) == label_counts(many["Some"])


def test_it_can_be_narrowed_to_paths(many: Repository) -> None:
    first = many["Main"]["0000.jpg"].instances + many["Main"]["0001.jpg"].instances
    found = label_counts(many["Main"], paths=("0000.jpg", "0001*"))
    assert found.instances == Counter(one.label for one in first)


@pytest.mark.parametrize("worth", [0, 100_000])
def test_a_damaged_set_is_said(many: Repository, worth: int) -> None:
    state = many["Main"]
    read = type(state.objects).read

    def damaged(self, kind, identity):
        return b"{}\n" if kind is Kind.INSTANCES else read(self, kind, identity)

    with (
        patch.object(type(state.objects), "read", damaged),
        patch.object(labelcounts, "_WORTH_COLUMNS", worth),
        fails(Corruption, "object-damaged"),
    ):
        label_counts(state)
