"""Power cuts: at every moment of the commands, whatever of the unsynced the disk kept or lost.

The explorer shows first that it finds what is wrong with protocols that are wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from tdvc.objects.store import ObjectWriter
from tdvc.repo import oplog
from tdvc.repo.view import View
from tdvc.storage.local import LocalStorage, _LocalUpload
from tests.crash import counters
from tests.crash.disk import Disk, Event, Loss
from tests.crash.explorer import Report, explore
from tests.crash.recorder import Recorder
from tests.crash.workload import (
    Command,
    check_goes_on,
    check_whole,
    commands,
    opened,
    small_bounds,
    sources,
    view_of,
)

LONG = os.environ.get("TDVC_TORTURE") == "1"


@pytest.fixture(autouse=True)
def _small_bounds() -> Iterator[None]:
    with small_bounds():
        yield


def dead_process() -> int:
    """The number of a process that is no more, for what is recorded is to look like its work."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def recorded(root: Path, todo: list[Command]) -> tuple[list[Event], list[View | None]]:
    """What some commands did below `root`, and what the repository showed before and after each."""
    shown: list[View | None] = [None]
    root.mkdir()
    with patch("os.getpid", return_value=dead_process()), Recorder(root) as recorder:
        for command in todo:
            command(root)
            recorder.done()
            shown.append(view_of(root))
    assert recorder.missed() == []
    return recorder.log, shown


def judge(shown: list[View | None]) -> Callable[[Path, int], None]:
    """Before or after the command that was running, everything whole, and the next command works."""

    def check(place: Path, done: int) -> None:
        found = view_of(place)
        assert found in shown[done : done + 2], "neither the state before nor the state after"
        if found is not None:
            check_whole(opened(place))
        with patch.object(os, "fsync", lambda descriptor: None):
            check_goes_on(place)

    return check


# the explorer itself


def lost(disk: Disk, moment: int) -> list[dict[str, bytes | None]]:
    import random

    return [disk.tree(moment, loss) for loss in disk.losses(moment, 0, random.Random(0))]


def test_what_was_synced_is_always_there_and_what_was_not_may_be_lost_in_any_way(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with Recorder(tmp_path / "root") as recorder:
        descriptor = os.open(tmp_path / "root/a", os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, b"x" * 1024)
        os.fsync(descriptor)
        os.close(descriptor)
        folder = os.open(tmp_path / "root", os.O_RDONLY)
        os.fsync(folder)
        synced = len(recorder.log)
        os.rename(tmp_path / "root/a", tmp_path / "root/b")
        descriptor = os.open(tmp_path / "root/c", os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, b"y" * 1024)
        os.close(descriptor)
    assert recorder.missed() == []
    disk = Disk(recorder.log)
    whole = b"x" * 1024
    assert lost(disk, synced) == [{"a": whole}]
    found = lost(disk, len(recorder.log))
    assert {tuple(sorted(tree)) for tree in found} == {
        ("a",), ("b",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c"),
    }  # fmt: skip
    assert all(tree.get("a", whole) == tree.get("b", whole) == whole for tree in found)
    contents = {tree["c"] for tree in found if "c" in tree}
    assert {b"", bytes(1024), b"y" * 512 + bytes(512), b"y" * 1024} <= contents


def test_a_write_that_goes_by_another_way_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with Recorder(tmp_path / "root") as recorder:
        (tmp_path / "root/a").write_bytes(b"unseen")
    assert recorder.missed() == ["a"]


@contextmanager
def no_sync_at_all() -> Iterator[None]:
    with no_folder_sync(), no_file_sync():
        yield


@contextmanager
def no_folder_sync() -> Iterator[None]:
    with patch.object(LocalStorage, "_sync_folder", lambda self, folder: None):
        yield


@contextmanager
def no_file_sync() -> Iterator[None]:
    with patch.object(_LocalUpload, "_sync", lambda self: None):
        yield


@contextmanager
def rename_then_sync() -> Iterator[None]:
    def publish(self: Any, name: str) -> None:
        if self._syncing is not None:
            self._syncing.join()
        self._storage._ensure_folder(os.path.dirname(name))
        os.replace(self._path, self._storage._path(name))
        self._storage._sync_folder(os.path.dirname(name))
        os.fsync(self._descriptor)
        os.close(self._descriptor)

    with patch.object(_LocalUpload, "begin_sync", lambda self: None), patch.object(_LocalUpload, "publish", publish):
        yield


@contextmanager
def head_before_objects() -> Iterator[None]:
    """The head moves first; what it names is published after it."""
    real_move, real_publish, late = oplog.move_head, ObjectWriter.publish, list[ObjectWriter]()

    def move(*arguments: Any) -> None:
        real_move(*arguments)
        while late:
            real_publish(late.pop(0))

    with ExitStack() as stack:
        stack.enter_context(patch.object(LocalStorage, "sweep", lambda self: None))
        stack.enter_context(patch.object(ObjectWriter, "publish", lambda self: late.append(self)))
        stack.enter_context(patch.object(oplog, "move_head", move))
        yield


@contextmanager
def old_head_goes_first() -> Iterator[None]:
    def move(storage: Any, before: list[Any], after: Any) -> None:
        for identity in before:
            storage.remove(f"heads/{identity.hex()}")
        storage.create(f"heads/{after.hex()}")

    with patch.object(oplog, "move_head", move):
        yield


@contextmanager
def join_not_awaited() -> Iterator[None]:
    """The thread that syncs is started and never joined."""

    class Unawaited:
        def __init__(self, thread: Any) -> None:
            self.is_alive = thread.is_alive

        def join(self) -> None:
            pass

    real = _LocalUpload.begin_sync

    def begin(self: Any) -> None:
        real(self)
        if self._syncing is not None and not isinstance(self._syncing, Unawaited):
            self._syncing = Unawaited(self._syncing)

    with patch.object(_LocalUpload, "begin_sync", begin):
        yield


WRONG = [
    no_sync_at_all,
    no_folder_sync,
    no_file_sync,
    rename_then_sync,
    head_before_objects,
    old_head_goes_first,
    join_not_awaited,
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_protocol_is_found_out(tmp_path: Path, wrong: Callable[[], Any]) -> None:
    todo = list(commands(sources(tmp_path / "sources")).values())[:4]
    with wrong():
        log, shown = recorded(tmp_path / "root", todo)
    report = explore(log, judge(shown), stop_at=1)
    counters.count("bad protocols found", 1)
    assert report.findings


# the commands


def test_what_a_killed_process_had_not_made_last_is_settled_before_anything_relies_on_it(tmp_path: Path) -> None:
    """One dies between the rename of a large blob and the sync of its folder, a second adds the same file."""
    steps = commands(sources(tmp_path / "sources"))

    def cut_short(place: Path) -> None:
        real = LocalStorage._sync_folder

        def sync(self: LocalStorage, folder: str) -> None:
            if folder.startswith("blobs/"):
                raise KeyboardInterrupt
            real(self, folder)

        with patch.object(LocalStorage, "_sync_folder", sync), pytest.raises(KeyboardInterrupt):
            steps["add"](place)

    log, shown = recorded(tmp_path / "root", [steps["init"], cut_short, steps["add"]])
    assert shown[1] == shown[2] != shown[3]
    assert explore(log, judge(shown)).findings == []


def explored(tmp_path: Path, every: int, most: int, seed: int) -> Report:
    log, shown = recorded(tmp_path / "root", list(commands(sources(tmp_path / "sources")).values()))
    report = explore(log, judge(shown), every=every, most=most, seed=seed)
    counters.count("crash states explored", report.states)
    return report


def test_a_power_cut_at_any_moment_leaves_the_state_before_or_after(tmp_path: Path) -> None:
    report = explored(tmp_path, every=1 if LONG else 5, most=2 if LONG else 1, seed=0)
    assert report.findings == []
    assert report.states > 100


@pytest.mark.skipif(not LONG, reason="make torture")
@pytest.mark.parametrize("seed", [1, 2])
def test_power_cuts_with_other_dice(tmp_path: Path, seed: int) -> None:
    assert explored(tmp_path, every=3, most=8, seed=seed).findings == []


def test_the_disk_after_everything_is_the_one_that_is_there(tmp_path: Path) -> None:
    log, shown = recorded(tmp_path / "root", list(commands(sources(tmp_path / "sources")).values())[:3])
    disk = Disk(log)
    tree = disk.tree(len(log), Loss(frozenset(), {}))
    assert {name for name in tree if "/packs/" in name}
    assert shown[0] is None
    assert len({id(view) for view in shown}) == len(shown)
