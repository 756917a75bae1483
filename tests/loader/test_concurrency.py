"""Loaders that stay open while others commit, join packs and collect garbage."""

from __future__ import annotations

import hashlib
import multiprocessing
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import tdvc
from tdvc.errors import Corruption
from tdvc.loader.samples import Sample, Samples
from tdvc.model.records import make_instance
from tdvc.ops.collecting import collect
from tdvc.repo import tidying
from tdvc.repo.repository import Repository
from tests.loader.conftest import folder, freeze, picture
from tests.ops.build import box, stock


def said(sample: Sample) -> tuple[str, bytes, list[float]]:
    return sample.path, sample.bytes, sample.targets.boxes.ravel().tolist()


def sweep(repository: Repository) -> None:
    """Collect with no grace at all: what is not needed now is gone."""
    collect(repository, keep_operations=timedelta(0), now=True)


def commit_often(repository: Repository) -> None:
    """Commit until the packs were joined once."""
    before = set(repository.storage.names("packs"))
    for number in range(tidying.MANY_PACKS + 1):
        stock(repository, "Main", {f"new/{number}.png": picture(500 + number)})
    assert not before & set(repository.storage.names("packs"))


def do_nothing(samples: Samples) -> None:
    del samples


def read_all(samples: Samples) -> None:
    assert all(sample.bytes for sample in samples)


WHAT_OTHERS_DO = pytest.mark.parametrize("change", [sweep, commit_often])
BEFORE = pytest.mark.parametrize("before", [do_nothing, read_all])


@WHAT_OTHERS_DO
@BEFORE
@pytest.mark.parametrize("options", [{}, {"memory_map": False}, {"verify": "full"}])
def test_a_snapshot_is_read_on_while_packs_come_and_go(
    pets: Repository, options: Any, before: Callable[[Samples], None], change: Callable[[Repository], None]
) -> None:
    expected = [said(sample) for sample in tdvc.load(pets, "v1")]
    samples = tdvc.load(folder(pets), "v1", **options)
    before(samples)
    packs = set(pets.storage.names("packs"))
    change(Repository(pets.storage, author="Grace"))
    assert set(pets.storage.names("packs")) != packs
    assert [said(sample) for sample in samples] == expected
    assert list(samples.epoch(shuffle=False).iter_bytes()) == [content for _, content, _ in expected]
    assert [said(sample) for sample in pickle.loads(pickle.dumps(samples))] == expected


@pytest.mark.parametrize("memory_map", [True, False])
def test_what_was_swept_says_so_and_the_state_of_today_opens(pets: Repository, memory_map: bool) -> None:
    stock(pets, "Main", {"lost.png": picture(900)})
    before, untouched = (tdvc.load(folder(pets), "Main", memory_map=memory_map) for _ in range(2))
    read_all(before)
    with pets.transaction("remove") as edit:
        edit.take_out("Main", "lost.png")
    sweep(pets)
    for act in (lambda: untouched["lost.png"].bytes, lambda: pickle.loads(pickle.dumps(before))):
        with pytest.raises(Corruption) as caught:
            act()
        assert caught.value.code == "object-missing" and "open it again" in caught.value.hint
    if memory_map:
        assert before["lost.png"].bytes == picture(900)
    assert before["all.png"].bytes == untouched["all.png"].bytes == picture(0)
    assert "lost.png" not in tdvc.load(folder(pets), "Main")


def read_repeatedly(place: Path, revision: str, times: int, pipe: Any) -> None:
    """Send what each of many epochs gave: half of them of samples that stay open, half of new ones."""
    held, found = tdvc.load(place, revision), []
    for number in range(times):
        samples = held if number % 2 else tdvc.load(place, revision)
        contents = [said(sample) for sample in samples.epoch(number, shuffle=bool(number % 3))]
        found.append(hashlib.sha256(repr(sorted(contents)).encode()).hexdigest())
    pipe.send(found)
    pipe.close()


def test_processes_that_read_two_snapshots_see_their_own_while_a_writer_commits_and_sweeps(pets: Repository) -> None:
    with pets.transaction("second") as edit:
        edit.annotate(pets["Main"]["all.png"], [make_instance(box("cat", (0, 0, 9, 9), 9))])
        edit.take_out("Main", "part1/004.png")
    freeze(pets, "v2")
    expected = [
        hashlib.sha256(repr(sorted(said(sample) for sample in tdvc.load(pets, name))).encode()).hexdigest()
        for name in ("v1", "v2")
    ]
    context = multiprocessing.get_context("spawn")
    readers = []
    for name in ("v1", "v2"):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=read_repeatedly, args=(folder(pets), name, 30, theirs))
        process.start()
        theirs.close()
        readers.append((process, ours))
    number = 0
    while any(not ours.poll() for _, ours in readers):
        stock(pets, "Main", {f"more/{number % 7}.png": picture(1000 + number)})
        if number % 5 == 0:
            sweep(pets)
        number += 1
    found = [ours.recv() for _, ours in readers]
    for process, _ in readers:
        process.join()
    assert found == [[digest] * 30 for digest in expected]
