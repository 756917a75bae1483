import os

import pytest

from tdvc import workers
from tdvc.errors import Corruption, StorageFailure
from tdvc.workers import spread, work_through


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(workers, "_WORTH_WORKERS", 4)
    monkeypatch.setattr(workers, "_TURN", 3)
    monkeypatch.setattr(workers, "worker_count", lambda: 2)


def with_process(items):
    return [(item * item, os.getpid()) for item in items]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 25])
def test_every_item_comes_back_in_order_with_what_was_made_of_it(count):
    found = list(work_through(with_process, range(count)))
    assert [(item, square) for item, (square, _) in found] == [(item, item * item) for item in range(count)]
    processes = {process for _, (_, process) in found}
    assert len(processes) == (2 if count > 3 else min(count, 1))
    assert (os.getpid() in processes) == (0 < count < 4)


def test_one_process_where_that_is_asked_for():
    assert {process for _, (_, process) in work_through(with_process, range(25), workers=1)} == {os.getpid()}


def test_an_error_of_a_worker_is_raised_here_with_its_code():
    def fail(items):
        raise Corruption("object-damaged", f"Damaged at {items[0]}.", id="0")

    with pytest.raises(Corruption, match="Damaged at 0") as raised:
        list(work_through(fail, range(25)))
    assert raised.value.code == "object-damaged"


def test_a_worker_that_dies_is_noticed():
    with pytest.raises(StorageFailure):
        list(spread(lambda *_: os._exit(1), [1, 2, 3], workers=2))
