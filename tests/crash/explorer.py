"""Goes through the states that a power cut could leave, puts each on a disk, and has it checked."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tdvc.errors import TdvcError
from tests.crash.disk import Disk, Event, Tree

Check = Callable[[Path, int], None]
"""Looks at a folder after a power cut, given how many commands had returned; raises where it is not as it must be."""


@dataclass(slots=True)
class Report:
    """What an exploration met.

    Attributes:
        states: different states that were checked.
        findings: what was wrong with the bad ones.
    """

    states: int = 0
    findings: list[str] = field(default_factory=list)


def explore(
    log: Sequence[Event], check: Check, *, most: int = 4, every: int = 1, seed: int = 0, stop_at: int = 10
) -> Report:
    """Check the states that a power cut could leave.

    Args:
        log: what a program did, with a `done` after each command.
        check: looks at one state.
        most: how many random losses to try at each moment, beside the systematic ones.
        every: only one moment in so many, beside those right after a command.
        seed: of what is random.
        stop_at: so many findings are enough.
    """
    disk, dice, report = Disk(log), random.Random(seed), Report()
    seen: set[int] = set()
    done = 0
    with tempfile.TemporaryDirectory(dir=fast_place()) as place:
        for moment in range(len(log) + 1):
            ended = moment > 0 and log[moment - 1].kind == "done"
            done += ended
            if not ended and (moment + seed) % every:
                continue
            for loss in disk.losses(moment, most, dice):
                tree = disk.tree(moment, loss)
                key = hash((done, frozenset(tree.items())))
                if key in seen:
                    continue
                seen.add(key)
                report.states += 1
                problem = _problem_with(tree, Path(place, "state"), check, done)
                if problem:
                    before = log[moment - 1] if moment else None
                    report.findings.append(f"after event {moment} ({before}), {done} done, {loss}: {problem}")
                    if len(report.findings) >= stop_at:
                        return report
    return report


def _problem_with(tree: Tree, place: Path, check: Check, done: int) -> str:
    put_on_disk(tree, place)
    try:
        check(place, done)
    except (AssertionError, TdvcError, OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    finally:
        shutil.rmtree(place)
    return ""


def put_on_disk(tree: Tree, place: Path) -> None:
    """Make a tree real."""
    place.mkdir()
    for path in sorted(tree):
        content = tree[path]
        if content is None:
            (place / path).mkdir()
        else:
            (place / path).write_bytes(content)


def fast_place() -> str | None:
    """A folder in memory for what is thrown away, where the system has one."""
    return "/dev/shm" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else None
