"""A process killed at any moment: every command happened or it did not, and running it again leads to the same end.

A child process goes through `steps` and kills itself before its n-th call that changes anything on disk, or half way
through it where it is a write; for every n, until a child gets to the end. It says after each step that the step is
done. Syncs are counted and left out: nothing but a power cut can tell.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Corruption, NoRepository, StorageFailure
from tdvc.model.records import make_instance
from tdvc.ops.add import add
from tdvc.ops.committing import commit
from tdvc.ops.transfer import mirror
from tdvc.repo.commit import read_commit
from tdvc.repo.repository import Repository

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

MUTATING = ("write", "writev", "pwrite", "ftruncate", "fsync", "replace", "rename", "unlink", "mkdir", "rmdir", "link")
INSTANCE = {"label": "dog", "type": "box", "geometry": [1, 2, 3, 4], "instance_id": "0" * 32}


def opened(place: Path) -> Repository:
    return Repository.open(place, author="Ada")


def label(place: Path) -> None:
    repository = opened(place)
    with repository.transaction("label") as edit:
        edit.annotate(repository["Dogs"]["000.jpg"], [make_instance(INSTANCE)])


def steps(photos: Path) -> list[Callable[[Path], object]]:
    return [
        lambda place: Repository.init(place, author="Ada"),
        lambda place: add(opened(place), [photos]),
        lambda place: commit(opened(place), "first"),
        lambda place: mirror(opened(place), ["Main"], "Dogs"),
        label,
        lambda place: commit(opened(place), "labelled", "Dogs"),
    ]


def state_of(place: Path) -> object:
    """All that a repository shows but for ids that hold the time of day; None where there is none yet."""
    try:
        repository = opened(place)
    except NoRepository:
        return None
    except Corruption as error:
        assert error.code == "repository-format"
        assert "tdvc init" in error.hint
        return None
    view = repository.view
    commits = {
        name: read_commit(repository.objects, ref.commit).root if ref.commit else None
        for name, ref in view.directories.items()
    }
    roots = {name: (ref.root, ref.paths) for name, ref in view.directories.items()}
    return (view.current, view.schema, roots, commits)


def die_at(moment: int) -> None:
    """Kill this process at its `moment`-th call that changes the disk."""
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


def run_and_die(place: Path, todo: list[Callable[[Path], object]], moment: int) -> tuple[int, bool]:
    """How many steps a child process said it had done, and whether it came to the end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            say = os.write
            die_at(moment)
            for step in todo:
                step(place)
                say(writer, b".")
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        done = len(stream.read())
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status)
    assert killed or os.WEXITSTATUS(status) == 0
    return done, not killed


def test_killed_at_any_moment_a_command_happened_or_it_did_not(
    tmp_path: Path, picture_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    todo = steps(picture_folder("photos", 3))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    expected = [state_of(tmp_path / "undisturbed")]
    for step in todo:
        step(tmp_path / "undisturbed")
        expected.append(state_of(tmp_path / "undisturbed"))
    assert len({repr(state) for state in expected}) == len(todo) + 1

    finished, moment, met = False, 0, set()
    while not finished:
        moment += 1
        place = tmp_path / str(moment)
        done, finished = run_and_die(place, todo, moment)
        found = state_of(place)
        assert found in expected[done : done + 2], f"moment {moment}: after {done} steps"
        at = expected.index(found)
        met.add((done, at))
        for step in todo[at:]:
            step(place)
        assert state_of(place) == expected[-1], f"moment {moment}"
        repository = opened(place)
        assert {file.path: file.read() for file in repository["Dogs"]} == {
            file.path: file.read() for file in opened(tmp_path / "undisturbed")["Main"]
        }
        if at < len(todo):  # the commands that came after have tidied up
            assert len(os.listdir(place / ".tdvc/heads")) == 1, f"moment {moment}"
            assert os.listdir(place / ".tdvc/tmp") == [], f"moment {moment}"
    assert {done for done, _ in met} == set(range(len(todo) + 1))
    assert {at - done for done, at in met} == {0, 1}
    assert moment > 50


class FullDisk:
    """From the `moment`-th call on that needs room, the disk has none."""

    def __init__(self, moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = moment
        for name in ("write", "writev", "replace", "mkdir"):
            monkeypatch.setattr(os, name, partial(self._checked, getattr(os, name)))
        opened_before = os.open

        def open_checked(path: Any, flags: int, *more: Any, **options: Any) -> int:
            needs_room = flags & os.O_CREAT and not str(path).endswith("/lock")
            if not needs_room:
                return opened_before(path, flags, *more, **options)
            descriptor: int = self._checked(opened_before, path, flags, *more, **options)
            return descriptor

        monkeypatch.setattr(os, "open", open_checked)

    def _checked(self, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self.left -= 1
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **options)


@pytest.mark.parametrize("number", range(6))
def test_a_disk_that_is_full_at_any_moment_leaves_the_state_before(
    tmp_path: Path, picture_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    todo = steps(picture_folder("photos", 3))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    (tmp_path / "before").mkdir()
    for step in todo[:number]:
        step(tmp_path / "before")
    before = state_of(tmp_path / "before")
    failures = moment = 0
    full = True
    while full:
        moment += 1
        place = tmp_path / str(moment)
        shutil.copytree(tmp_path / "before", place)
        with monkeypatch.context() as patch:
            disk = FullDisk(moment, patch)
            try:
                todo[number](place)
            except StorageFailure as error:
                assert error.code == "disk-full", f"moment {moment}"
                failures += 1
                failed = True
            else:
                failed = False
        full = disk.left <= 0
        if failed:
            assert state_of(place) == before, f"moment {moment}"
            assert not list(place.glob(".tdvc/tmp/*")), f"moment {moment}"
            todo[number](place)
        assert state_of(place) not in (before, None), f"moment {moment}"
    assert failures > 3


@pytest.mark.parametrize("number", range(6))
def test_a_sync_that_fails_at_any_moment_is_a_command_that_did_not_happen(
    tmp_path: Path, picture_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    todo = steps(picture_folder("photos", 3))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    (tmp_path / "before").mkdir()
    for step in todo[:number]:
        step(tmp_path / "before")
    before = state_of(tmp_path / "before")
    calls, failures, moment = [0], 0, 0

    def sync(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] == moment:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", sync)
    while calls[0] >= moment:
        moment += 1
        calls[0] = 0
        place = tmp_path / str(moment)
        shutil.copytree(tmp_path / "before", place)
        try:
            todo[number](place)
        except StorageFailure as error:
            assert error.code == "disk-failure", f"moment {moment}"
            assert state_of(place) == before, f"moment {moment}"
            failures += 1
        else:
            assert state_of(place) not in (before, None), f"moment {moment}"
    assert failures >= 3
