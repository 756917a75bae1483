"""A process killed, or a disk that fails, at any moment: a command happened or it did not, and can be run again.

Every command of `tests.crash.workload` starts from what the ones before it left. Between the moments that are tried
some are passed over; `make torture` tries them all.
"""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from tdvc.errors import StorageFailure, TdvcError
from tests.crash import counters
from tests.crash.explorer import fast_place
from tests.crash.faults import Faults
from tests.crash.killing import die_after, die_at, in_child
from tests.crash.workload import (
    Command,
    Shape,
    check_goes_on,
    check_whole,
    commands,
    opened,
    shape_of,
    small_bounds,
    sources,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

LONG = os.environ.get("TDVC_TORTURE") == "1"
NAMES = list(commands(Path()))
RANDOM_KILLS = 1000 if LONG else 60


class Undisturbed:
    """The workload as it goes when nothing is in its way.

    Attributes:
        before: a folder with what each command finds, by its name.
        shapes: what is shown before each command, and after the last.
        checked_out: what the checkouts leave in their folder, by the command.
    """

    def __init__(self, root: Path) -> None:
        self.todo = commands(sources(root / "sources"))
        self.before: dict[str, Path] = {}
        self.shapes: list[Shape | None] = [None]
        self.checked_out: dict[str, dict[str, bytes]] = {}
        place = root / "run"
        place.mkdir()
        for number, (name, command) in enumerate(self.todo.items()):
            self.before[name] = root / f"before-{number}"
            shutil.copytree(place, self.before[name])
            command(place)
            self.shapes.append(shape_of(place))
            self.checked_out[name] = written_in(place)

    def allowed(self, name: str) -> list[Shape | None]:
        """What may be shown once a command was begun: what was before it, or after it."""
        number = NAMES.index(name)
        return self.shapes[number : number + 2]


def written_in(place: Path) -> dict[str, bytes]:
    """What is in the folder of the checkouts, but for the record, which holds times."""
    out = place / "out"
    files = [path for path in out.rglob("*") if path.is_file() and path.name != ".tdvc-checkout"]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with small_bounds(), patch.object(os, "fsync", lambda descriptor: None):
        yield


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    with small_bounds(), patch.object(os, "fsync", lambda descriptor: None):
        return Undisturbed(tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where a trial takes place: in memory where that can be."""
    import tempfile

    with tempfile.TemporaryDirectory(dir=fast_place()) as folder:
        yield Path(folder, "trial")


def begin(undisturbed: Undisturbed, name: str, place: Path) -> Command:
    """What a command finds, put at `place`; returns the command."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(undisturbed.before[name], place)
    return undisturbed.todo[name]


def judge(undisturbed: Undisturbed, name: str, place: Path, where: str) -> None:
    """What is there is whole, is before or after, and the command leads to its end when it is run again."""
    before, after = undisturbed.allowed(name)
    found = shape_of(place)
    assert found in (before, after), where
    if found is not None:
        check_whole(opened(place))
    if found != after or before == after:
        undisturbed.todo[name](place)
    assert shape_of(place) == after, where
    assert written_in(place) == undisturbed.checked_out[name], where
    check_whole(opened(place))
    check_goes_on(place)


def strided(number: int) -> Iterator[int]:
    """The moments to try, one after the other."""
    step = 1 if LONG else 4
    moment = 1 + number % step
    while True:
        yield moment
        moment += step


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_any_moment_a_command_happened_or_it_did_not(
    undisturbed: Undisturbed, place: Path, name: str
) -> None:
    for moment in strided(NAMES.index(name)):
        command = begin(undisturbed, name, place)

        def work(command: Command = command, moment: int = moment) -> None:
            die_at(moment)
            command(place)

        killed = in_child(work)
        judge(undisturbed, name, place, f"moment {moment}")
        if not killed:
            break
        counters.count("kills survived", 1)
    assert moment > 4


def test_killed_at_random_moments(undisturbed: Undisturbed, place: Path) -> None:
    dice = random.Random(4)
    killed = 0
    for number in range(RANDOM_KILLS):
        name = dice.choice(NAMES)
        command = begin(undisturbed, name, place)

        def work(command: Command = command) -> None:
            die_after(dice.uniform(1e-5, 0.02))
            command(place)

        killed += in_child(work)
        judge(undisturbed, name, place, f"trial {number}, {name}")
    counters.count("kills survived", killed)


# faults


def meet(undisturbed: Undisturbed, name: str, place: Path, faults: Faults, where: str) -> TdvcError | None:
    """Run a command that meets faults; what it said, or None where it came through."""
    command = begin(undisturbed, name, place)
    failure = None
    with faults.injected():
        try:
            command(place)
        except StorageFailure as error:
            failure = error
    before, after = undisturbed.allowed(name)
    if failure is not None:
        assert shape_of(place) in ((before, after) if name.startswith("gc") else (before,)), where
        assert not list(place.glob("repo/.tdvc/tmp/*")), where
    else:
        assert shape_of(place) == after, where
    if faults.met:
        counters.count("faults injected", 1)
        judge(undisturbed, name, place, where)
    return failure


ROOM = ("open", "write", "writev", "replace", "rename", "mkdir")


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_is_full_at_any_moment_leaves_the_state_before(
    undisturbed: Undisturbed, place: Path, name: str
) -> None:
    for moment in strided(NAMES.index(name)):
        faults = Faults(ROOM, moment, errno.ENOSPC, lasting=True)
        failure = meet(undisturbed, name, place, faults, f"moment {moment}")
        assert failure is None or failure.code == "disk-full"
        if not faults.met:
            break
    assert moment > 3


@pytest.mark.parametrize("kind", ["open", "write", "writev", "fsync", "replace", "rename", "mkdir", "unlink", "link"])
@pytest.mark.parametrize("name", NAMES)
def test_a_call_that_fails_is_a_command_that_fails_or_does_not_need_it(
    undisturbed: Undisturbed, place: Path, name: str, kind: str
) -> None:
    for moment in strided(NAMES.index(name) + len(kind)):
        faults = Faults((kind,), moment, errno.EIO)
        failure = meet(undisturbed, name, place, faults, f"{kind} {moment}")
        assert failure is None or failure.code == "disk-failure"
        if not faults.met:
            return


@pytest.mark.parametrize("kind", ["write", "writev"])
@pytest.mark.parametrize("name", NAMES)
def test_a_write_that_writes_half_is_gone_on_with(undisturbed: Undisturbed, place: Path, name: str, kind: str) -> None:
    for moment in strided(NAMES.index(name)):
        faults = Faults((kind,), moment, 0)
        assert meet(undisturbed, name, place, faults, f"{kind} {moment}") is None
        if not faults.met:
            return
