"""How far a long command is, on standard error.

Most commands are over before anybody wonders, so nothing is shown, nor rich imported, in the first second. Nothing
is shown either where standard error is not a terminal, or with TDVC_NO_PROGRESS.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

DELAY_SECONDS = 1.0


class Watch:
    """A context manager that is itself the callback for verbs; the display is gone when the block ends.

    Args:
        stream: where it is shown, standard error for None.
        clock: the time in seconds.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self._began = clock()
        self._bar: Bar | None = None
        self._task: tuple[str, TaskID] | None = None
        self._wanted = self._stream.isatty() and not os.environ.get("TDVC_NO_PROGRESS")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """A verb tells what it does, how many it has done, and of how many."""
        if not self._wanted or self._clock() - self._began < DELAY_SECONDS:
            return
        bar = self._bar or self._start()
        if self._task is None or self._task[0] != what:
            if self._task is not None:
                bar.remove_task(self._task[1])
            self._task = (what, bar.add_task(what, total=total))
        bar.update(self._task[1], completed=done, total=total)

    def _start(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(file=self._stream), transient=True)
        self._bar.start()
        return self._bar
