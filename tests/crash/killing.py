"""Processes that die in the middle of a command."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

MUTATING = ("write", "writev", "pwrite", "ftruncate", "fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "link")


def die_at(moment: int) -> None:
    """Kill this process before its `moment`-th call that changes the disk, or half way through it where it writes.

    Syncs are counted and left out: nothing but a power cut can tell.
    """
    calls = 0
    really: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in (*MUTATING, "open")}

    def counted(name: str, *arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == moment:
            if name == "write":
                really["write"](arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            if name == "writev":
                content = b"".join(arguments[1])
                really["write"](arguments[0], content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return None if name == "fsync" else really[name](*arguments, **options)

    def open_counted(path: Any, flags: int, *more: Any, **options: Any) -> int:
        call = counted if flags & os.O_CREAT else lambda name, *a, **o: really[name](*a, **o)
        descriptor: int = call("open", path, flags, *more, **options)
        return descriptor

    for name in MUTATING:
        setattr(os, name, lambda *a, _name=name, **o: counted(_name, *a, **o))
    os.open = open_counted  # type: ignore[assignment]


def die_after(seconds: float) -> None:
    """Let the system end this process at any moment from now on."""
    os.fsync = lambda descriptor: None
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def in_child(work: Callable[[], object]) -> bool:
    """Do something in a child process; whether it was killed. Raises AssertionError where it failed instead."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0, "the child failed"
    return killed
