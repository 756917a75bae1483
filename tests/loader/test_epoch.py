from __future__ import annotations

import hashlib
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tdvc
from tdvc.errors import Usage
from tdvc.loader.epoch import Epoch
from tdvc.loader.order import share, shuffled
from tdvc.loader.samples import Sample, Samples
from tdvc.repo.repository import Repository
from tests.loader.conftest import freeze, picture
from tests.ops.build import stock


def ids_of(numbers: list[int]) -> np.ndarray:
    return np.array([list(hashlib.sha256(b"%d" % n).digest()[:16]) for n in numbers], np.uint8).reshape(-1, 16)


def slowly(file_ids: np.ndarray, seed: int, epoch: int) -> list[int]:
    """The order by the text of `loader.order`, a number at a time."""
    everything = 2**64 - 1

    def mix(x: int) -> int:
        x = (x + 0x9E3779B97F4A7C15) & everything
        x = ((x ^ x >> 30) * 0xBF58476D1CE4E5B9) & everything
        x = ((x ^ x >> 27) * 0x94D049BB133111EB) & everything
        return x ^ x >> 31

    start = int.from_bytes(hashlib.sha256(f"tdvc order\0{seed}\0{epoch}".encode()).digest()[:8], "little")
    halves = [(int.from_bytes(bytes(i[:8]), "little"), int.from_bytes(bytes(i[8:]), "little")) for i in file_ids]
    keys = [mix(mix(start ^ a) ^ b) for a, b in halves]
    return sorted(range(len(keys)), key=lambda at: (keys[at], at))


@given(st.lists(st.integers(0, 999), unique=True, max_size=60), st.integers(-(2**70), 2**70), st.integers(0, 10**6))
def test_order_is_the_documented_one(numbers: list[int], seed: int, epoch: int) -> None:
    file_ids = ids_of(numbers)
    assert shuffled(file_ids, seed, epoch).tolist() == slowly(file_ids, seed, epoch)


def test_order_never_changes() -> None:
    assert shuffled(ids_of(list(range(8))), 7, 3).tolist() == ORDER
    assert shuffled(ids_of(list(range(8))), 7, 4).tolist() != ORDER


ORDER = [3, 4, 2, 0, 5, 6, 1, 7]


@given(st.sets(st.integers(0, 999), min_size=2, max_size=60), st.data())
def test_files_that_come_or_go_leave_the_order_of_the_others(numbers: set[int], data: st.DataObject) -> None:
    every = sorted(numbers)
    kept = data.draw(st.lists(st.sampled_from(every), unique=True).map(sorted))
    in_all = [every[at] for at in shuffled(ids_of(every), 1, 2)]
    assert [kept[at] for at in shuffled(ids_of(kept), 1, 2)] == [n for n in in_all if n in kept]


@given(st.integers(0, 50), st.integers(1, 7), st.booleans())
def test_ranks_share_an_order(count: int, world_size: int, even: bool) -> None:
    order = np.arange(count)
    shares = [share(order, rank, world_size, even=even).tolist() for rank in range(world_size)]
    sizes = {len(one) for one in shares}
    assert max(sizes) - min(sizes) <= (0 if even else 1)
    dealt = sorted(position for one in shares for position in one)
    assert dealt == list(range(count // world_size * world_size if even else count))


def paths(samples: Samples, **options: object) -> list[str]:
    return [sample.path for sample in samples.epoch(**options)]  # type: ignore[arg-type]


def test_epochs_and_seeds_give_other_orders_of_the_same_files(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    orders = [paths(samples), paths(samples, number=1), paths(samples, seed=1), paths(samples, shuffle=False)]
    assert len({tuple(order) for order in orders}) == 4
    assert all(sorted(order) == samples.paths for order in orders) and orders[3] == samples.paths
    assert paths(samples) == orders[0]


def test_bytes_come_in_the_same_order(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    assert list(samples.epoch(3).iter_bytes()) == [sample.bytes for sample in samples.epoch(3)]


def test_content_hash_is_that_of_what_is_given_out(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    epoch = samples.epoch(2, seed=9)
    said = hashlib.sha256(b"tdvc epoch\0" + bytes.fromhex(samples.classes.id))
    for sample in epoch:
        said.update(hashlib.sha256(sample.bytes).digest())
        said.update(samples.directory[sample.path].state.instances)
    assert epoch.content_hash == said.hexdigest()
    assert epoch.content_hash == samples.epoch(2, seed=9, rank=1, world_size=4).content_hash
    assert epoch.content_hash != samples.epoch(2, seed=8).content_hash


def share_of_epoch(epoch: Epoch, worker: int, workers: int) -> list[tuple[str, bytes]]:
    """What a worker gives of an epoch that several share."""
    return list(epoch)[worker::workers]


def path_and_bytes(sample: Sample) -> tuple[str, bytes]:
    return sample.path, sample.bytes


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_order_and_content_are_equal_for_any_number_of_processes_and_ranks(pets: Repository, workers: int) -> None:
    samples = tdvc.load(pets, "v1", transform=path_and_bytes)
    whole = list(samples.epoch(7, seed=4))
    said = hashlib.sha256(b"tdvc epoch\0" + bytes.fromhex(samples.classes.id))
    for path, content in whole:
        said.update(hashlib.sha256(content).digest() + samples.directory[path].state.instances)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as processes:
        for world_size in (1, 2, 3):
            seen: list[Any] = [None] * len(whole)
            for rank in range(world_size):
                epoch = samples.epoch(7, seed=4, rank=rank, world_size=world_size)
                assert epoch.content_hash == said.hexdigest()
                for worker in range(workers):
                    places = slice(rank + world_size * worker, None, world_size * workers)
                    seen[places] = processes.submit(share_of_epoch, epoch, worker, workers).result()
            assert seen == whole


def test_setting_an_epoch_begins_it(pets: Repository) -> None:
    epoch = tdvc.load(pets, "v1").epoch(3, seed=2)
    next(iter(epoch))
    epoch.set_epoch(4)
    assert [sample.path for sample in epoch] == paths(tdvc.load(pets, "v1"), number=4, seed=2)
    assert epoch.state_dict()["epoch"] == 4


def test_what_is_left_is_what_iterating_gives(pets: Repository) -> None:
    epoch = tdvc.load(pets, "v1").epoch()
    going = epoch.iter_bytes()
    for had in (0, 1, 2):
        assert epoch.left.tolist() == epoch.positions[had:].tolist()
        next(going)
    list(going)
    assert epoch.left.tolist() == epoch.positions.tolist()


def test_an_epoch_ends_and_begins_anew(pets: Repository) -> None:
    epoch = tdvc.load(pets, "v1").epoch()
    first = [sample.path for sample in epoch]
    assert [sample.path for sample in epoch] == first and epoch.done == len(epoch) == 30


@pytest.mark.parametrize("stopped_after", [0, 1, 13, 30])
def test_an_epoch_goes_on_where_it_stopped(pets: Repository, stopped_after: int) -> None:
    whole = paths(tdvc.load(pets, "v1"), number=5, seed=2)
    epoch = tdvc.load(pets, "v1").epoch(5, seed=2)
    going = iter(epoch)
    for _ in range(stopped_after):
        next(going)
    saved = json.loads(json.dumps(epoch.state_dict()))
    other = tdvc.load(pets, "v1").epoch()
    other.load_state_dict(saved)
    assert [sample.path for sample in other] == whole[stopped_after:]


@given(before=st.integers(1, 5), after=st.integers(1, 5), steps=st.integers(0, 6), more=st.integers(0, 3))
def test_an_epoch_is_taken_up_by_another_number_of_ranks(before: int, after: int, steps: int, more: int) -> None:
    samples = SMALL()
    saved = samples.epoch(rank=before - 1, world_size=before).state_dict(done=steps)
    seen = list(samples.epoch().order[: steps * before])
    for _ in range(2):
        epochs = [samples.epoch(rank=rank, world_size=after) for rank in range(after)]
        for epoch in epochs:
            epoch.load_state_dict(saved)
            seen += epoch.positions[:more].tolist()
        saved = epochs[0].state_dict(done=more)
    epoch = samples.epoch()
    epoch.load_state_dict(saved)
    seen += epoch.positions.tolist()
    assert sorted(seen) == list(range(len(samples))) and len(set(seen)) == len(samples)


def SMALL() -> Samples:
    from tdvc.storage.base import MemoryStorage

    repository = Repository(MemoryStorage(), author="Ada")
    repository.start()
    stock(repository, "Main", {f"{n}": b"%d" % n for n in range(23)})
    return tdvc.load(repository)


def test_an_epoch_is_never_continued_over_other_data(pets: Repository) -> None:
    saved = tdvc.load(pets, "v1").epoch().state_dict()
    stock(pets, "Main", {"new.png": picture(99)})
    freeze(pets, "v2")
    with pytest.raises(Usage, match="other pixels"):
        tdvc.load(pets, "v2").epoch().load_state_dict(saved)
    with pytest.raises(Usage, match="other pixels"):
        tdvc.load(pets, "v1", where="label = 'dog'").epoch().load_state_dict(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"had": -1},
        {"had": True},
        {"had": 31},
        {"epoch": None},
        {"seed": "a"},
        {"seed": True},
        {"shuffle": 1},
    ],
)
def test_a_state_that_makes_no_sense_is_refused(pets: Repository, change: dict[str, object]) -> None:
    epoch = tdvc.load(pets, "v1").epoch()
    with pytest.raises(Usage, match="not the state of an epoch"):
        epoch.load_state_dict({**epoch.state_dict(), **change})


@pytest.mark.parametrize("state", ["x", None, [], {}, 7])
def test_what_is_no_state_at_all_is_refused(pets: Repository, state: Any) -> None:
    epoch = tdvc.load(pets, "v1").epoch(3)
    with pytest.raises(Usage, match="not the state of an epoch"):
        epoch.load_state_dict(state)
    assert epoch.number == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": "a"}, "The seed is a whole number, not 'a'"),
        ({"seed": 1.5}, "not 1.5"),
        ({"number": -1}, "The number of the epoch is at least 0, not -1"),
        ({"number": None}, "not None"),
        ({"rank": "a"}, "The rank is a whole number"),
        ({"world_size": 0}, "no rank 0 among 0"),
        ({"world_size": "2"}, "The number of ranks is a whole number"),
    ],
)
def test_an_epoch_of_no_numbers_is_refused(pets: Repository, options: Any, said: str) -> None:
    samples = tdvc.load(pets, "v1")
    with pytest.raises(Usage, match=said):
        samples.epoch(**options)
    if "number" in options:
        with pytest.raises(Usage, match=said):
            samples.epoch().set_epoch(options["number"])


@pytest.mark.parametrize("done", [-1, "a"])
def test_a_state_of_no_number_of_samples_is_refused(pets: Repository, done: Any) -> None:
    with pytest.raises(Usage, match="number of samples"):
        tdvc.load(pets, "v1").epoch().state_dict(done=done)


def test_whole_numbers_of_numpy_will_do(pets: Repository) -> None:
    samples = tdvc.load(pets, "v1")
    epoch = samples.epoch(np.int64(2), seed=np.int32(3), shuffle=np.bool_(True))  # type: ignore[arg-type]
    assert paths(samples, number=2, seed=3) == [sample.path for sample in epoch]
    samples.epoch().load_state_dict(json.loads(json.dumps(epoch.state_dict())))


def test_an_epoch_says_what_it_is_in_a_line(pets: Repository) -> None:
    epoch = tdvc.load(pets, "v1").epoch(2, seed=7)
    next(iter(epoch))
    assert repr(epoch) == f"<Epoch 2 of {tdvc.load(pets, 'v1')!r}, seed 7: 1 of 30 done>"
    assert ", rank 1 of 2: 0 of 15 done" in repr(tdvc.load(pets, "v1").epoch(rank=1, world_size=2))


def test_a_rank_that_is_not_there_is_refused(pets: Repository) -> None:
    with pytest.raises(Usage, match="no rank 2 among 2"):
        tdvc.load(pets, "v1").epoch(rank=2, world_size=2)
