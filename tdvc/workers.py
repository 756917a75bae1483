"""Work spread over processes, because hashing many small files in threads is held up by the interpreter's lock.

The children are forked, so they have everything the parent has, and only results travel back, in order, through a pipe
each. A child works on at most `SLOTS` batches that the parent has not finished with; so memory shared between them can
be divided into slots, and a slot is free again when its turn comes round. Where there is no fork, or little to do, the
same work is done in place.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from tdvc.errors import StorageFailure

Batch = TypeVar("Batch")
Item = TypeVar("Item")
Result = TypeVar("Result")

_TURN = 256
_WORTH_WORKERS = 1000

SLOTS = 4
"""Batches a worker may be ahead of the parent."""


def worker_count() -> int:
    """How many processes are worth having."""
    if not hasattr(os, "fork"):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8)


def spread(work: Callable[[Batch, int], Result], batches: Sequence[Batch], *, workers: int) -> Iterator[Result]:
    """Yield `work(batch, slot)` for each batch, in order; `slot` is below `workers * SLOTS`.

    The caller is done with a result, and with its slot, when it asks for the next one. An exception in a worker is
    raised here.
    """
    if workers < 2 or len(batches) < 2:
        for batch in batches:
            yield work(batch, 0)
        return
    team: list[_Worker] = []
    try:
        for first in range(workers):
            team.append(_Worker(work, batches[first::workers], first * SLOTS))
        for position in range(len(batches)):
            worker = team[position % workers]
            yield worker.result()
            worker.release()
    finally:
        for worker in team:
            worker.end()


def work_through(
    work: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item], *, workers: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Each item, in order, with what `work` makes of it; `work` is given some neighbours at a time.

    Args:
        work: gives one result for each item.
        items: few of them are worked through in place.
        workers: how many processes at most; None for what is worth it.
    """
    turns = [items[first : first + _TURN] for first in range(0, len(items), _TURN)]
    count = worker_count() if workers is None else workers
    found = spread(lambda turn, _: work(turn), turns, workers=count if len(items) >= _WORTH_WORKERS else 1)
    for turn, results in zip(turns, found, strict=True):
        yield from zip(turn, results, strict=True)


class _Worker:
    """One forked process, its pipe of results and its pipe of released slots."""

    def __init__(self, work: Callable[[Any, int], Any], batches: Sequence[Any], first_slot: int) -> None:
        self._results, results_end = os.pipe()
        releases_end, self._releases = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._results)
            os.close(self._releases)
            _serve(work, batches, first_slot, results_end, releases_end)
        os.close(results_end)
        os.close(releases_end)

    def result(self) -> Any:
        """The next result, or the exception that came instead."""
        length = int.from_bytes(self._receive(8), "little")
        outcome, value = pickle.loads(self._receive(length))  # noqa: S301 (written by our own child)
        if outcome == "raised":
            raise value
        return value

    def _receive(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            part = os.read(self._results, length - len(content))
            if not part:
                raise StorageFailure("disk-failure", "A worker process ended before its work was done.")
            content += part
        return content

    def release(self) -> None:
        """The last result's slot may be used again."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._releases, b".")

    def end(self) -> None:
        """Stop the process, whatever it is doing."""
        os.close(self._results)
        os.close(self._releases)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _serve(
    work: Callable[[Any, int], Any], batches: Sequence[Any], first_slot: int, results: int, releases: int
) -> None:
    """The life of a child; it never returns."""
    gc.disable()  # looking for garbage among what the parent has would copy every page of it
    try:
        for turn, batch in enumerate(batches):
            if turn >= SLOTS and not os.read(releases, 1):
                break
            try:
                outcome: tuple[str, Any] = ("done", work(batch, first_slot + turn % SLOTS))
            except Exception as error:  # it is raised again in the parent
                outcome = ("raised", error)
            _send(results, pickle.dumps(outcome))
    finally:
        os._exit(0)


def _send(descriptor: int, content: bytes) -> None:
    rest = memoryview(len(content).to_bytes(8, "little") + content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
