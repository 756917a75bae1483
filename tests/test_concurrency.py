"""Many at work on one repository, some of them killed: nothing that succeeded is lost, and nobody sees half of it."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from tdvc.errors import Conflict, StorageFailure, TdvcError
from tdvc.ids import Kind
from tdvc.model.records import make_instance
from tdvc.ops.add import add
from tdvc.ops.collecting import collect
from tdvc.ops.directories import create_directory
from tdvc.ops.keepingup import keep_up
from tdvc.repo import oplog
from tdvc.repo.repository import Repository
from tests.crash import counters
from tests.crash.killing import die_after, in_child
from tests.crash.workload import check_goes_on, check_whole, opened, small_bounds
from tests.ops.build import box, fails, stock, write_tree

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

LONG = os.environ.get("TDVC_TORTURE") == "1"
PROCESSES = 8
EDITS = 200 if LONG else 12
LARGE = b"L" * 5000


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with small_bounds(), patch.object(os, "fsync", lambda descriptor: None):
        yield


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a repository in which `Main` and `Side` share a file, and `Large` follows `Main`."""
    repository = Repository.init(tmp_path / "repo", author="Ada")
    stock(repository, "Main", {"shared.jpg": (b"shared", [box("dog", number=1)])})
    with repository.transaction("mirror") as edit:
        edit.create_directory("Side")
        edit.place("Side", "shared.jpg", repository["Main"]["shared.jpg"].state.file_id)
    create_directory(repository, "Large", where=f"size > {len(LARGE)}", source="Main")
    return tmp_path


def change_something(repository: Repository, dice: random.Random, tag: str) -> bytes | None:
    """One random command; returns the operation it published, if it did."""
    what = dice.choice(["file", "file", "large", "label", "label", "commit", "snapshot", "remove", "gc"])
    name = dice.choice(["Main", "Side"])
    if what == "gc":
        keep = timedelta(days=dice.choice([-1, 30]))
        return collect(repository, keep_operations=keep).operation
    with repository.transaction(tag) as edit:
        paths = [file.path for file in repository[name] if file.path != "shared.jpg"]
        if what in ("file", "large") or (what == "remove" and not paths):
            content = LARGE + dice.randbytes(1) if what == "large" else tag.encode()
            edit.add_bytes(name, f"{tag}.jpg", content)
        elif what == "label":
            edit.annotate(repository[name]["shared.jpg"], [make_instance(box("cat", (0, 0, dice.randrange(1, 99), 9)))])
        elif what == "commit":
            edit.commit(name, tag)
        elif what == "snapshot":
            edit.add_snapshot(f"v-{tag}", edit.commit(name, tag), "")
        else:
            edit.take_out(name, dice.choice(paths))
    return edit.operation


def say(pipe: int, line: str) -> None:
    """A line to the process that watches; whole, for it is short."""
    os.write(pipe, line[:400].replace("\n", " ").encode() + b"\n")


def work(place: Path, pipe: int, number: int, edits: int) -> None:
    """Change things again and again, each time as a command of its own would."""
    dice = random.Random(number)
    for turn in range(edits):
        try:
            operation = change_something(opened(place).at_one_moment(), dice, f"{number}-{turn}")
            if operation is not None:
                say(pipe, f"done {operation.hex()}")
        except TdvcError as error:
            say(pipe, f"refused {error.code} {error.message}")
        except Exception as error:
            say(pipe, f"broken {type(error).__name__} {error}")


def watch(place: Path, pipe: int) -> None:
    """Read everything again and again, until `stop` is there or nobody waits any more."""
    rounds, parent = 0, os.getppid()
    while os.getppid() == parent and not (place / "stop").exists():
        try:
            repository = opened(place).at_one_moment()
            repository.keep_up = keep_up
            one, other = (repository[name]["shared.jpg"] for name in ("Main", "Side"))
            assert one.state == other.state, "two moments"
            large = {file.path: file.state for file in repository["Main"] if file.state.size_bytes > len(LARGE)}
            assert {file.path: file.state for file in repository["Large"]} == large, "it does not follow"
            for name in ("Main", "Side"):
                for file in repository[name]:
                    assert file.read()
                    assert len(file.instances) == file.state.instance_count
            rounds += 1
        except Exception as error:
            say(pipe, f"broken reader {type(error).__name__} {error}")
    say(pipe, f"read {rounds}")


def started(job, *arguments: object) -> int:
    """A child process that does a job; its number."""
    child = os.fork()
    if child == 0:
        try:
            job(*arguments)
        finally:
            os._exit(0)
    return child


def doomed(place: Path, pipe: int, number: int, edits: int) -> None:
    die_after(random.Random(-number).uniform(0.001, 0.15))
    work(place, pipe, number, edits)


def test_many_at_once_with_kills_lose_nothing_and_readers_see_one_moment(place: Path) -> None:
    source, sink = os.pipe()
    readers = [started(watch, place, sink) for _ in range(2)]
    workers = [started(work, place, sink, number, EDITS) for number in range(PROCESSES)]
    victims = [started(doomed, place, sink, 100 + number, EDITS) for number in range(PROCESSES)]
    said = b""
    os.set_blocking(source, False)
    waiting = [*workers, *victims]
    while waiting:
        waiting = [child for child in waiting if os.waitpid(child, os.WNOHANG)[0] == 0]
        said += drained(source)
    (place / "stop").touch()
    for child in readers:
        os.waitpid(child, 0)
    said += drained(source)
    lines = said.decode().splitlines()
    assert [line for line in lines if line.startswith("broken")] == []
    refused = {line.split()[1] for line in lines if line.startswith("refused")}
    assert refused <= {"changed-meanwhile", "snapshot-exists", "locked"}
    done = [line.split()[1] for line in lines if line.startswith("done")]
    repository = opened(place)
    history = {identity.hex() for identity, _ in oplog.history(repository.objects, repository.head())}
    assert set(done) <= history
    assert len(done) > EDITS
    assert sum(int(line.split()[1]) for line in lines if line.startswith("read")) > 0
    check_whole(repository)
    check_goes_on(place)
    counters.count("commands of concurrent writers", len(done))
    counters.count("kills survived", PROCESSES)


def drained(source: int) -> bytes:
    """What is in a pipe by now."""
    said = b""
    try:
        while piece := os.read(source, 1 << 16):
            said += piece
    except BlockingIOError:
        pass
    return said


def test_two_who_change_different_directories_both_succeed(place: Path) -> None:
    def change(name: str) -> None:
        for turn in range(10):
            with opened(place).transaction(name) as edit:
                edit.add_bytes(name, f"{turn}.jpg", name.encode())

    children = [started(change, name) for name in ("Main", "Side")]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    repository = opened(place)
    assert {len(repository[name]) for name in ("Main", "Side")} == {11}


def test_who_dies_with_the_lock_blocks_nobody(place: Path) -> None:
    def die() -> None:
        with opened(place).storage.lock(0.0):
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die)
    with opened(place).storage.lock(0.0):
        pass


# one moment


def test_a_command_answers_from_one_moment(place: Path) -> None:
    command, other = opened(place).at_one_moment(), opened(place)
    assert len(command["Main"]) == 1
    stock(other, "Main", {"late.jpg": b"late"})
    assert len(command["Main"]) == 1
    assert command.view == command.view_of(command.moment())
    assert len(opened(place)["Main"]) == len(other["Main"]) == 2


def test_a_command_sees_what_it_has_published_itself(place: Path) -> None:
    command = opened(place).at_one_moment()
    assert len(command["Main"]) == 1
    stock(command, "Main", {"mine.jpg": b"mine"})
    assert len(command["Main"]) == 2


def test_what_a_command_read_before_it_wrote_is_what_it_is_checked_against(place: Path) -> None:
    command = opened(place).at_one_moment()
    file = command["Main"]["shared.jpg"]
    with opened(place).transaction("meanwhile") as edit:
        edit.annotate(file, [make_instance(box("cow", number=2))])
    with fails(Conflict, "changed-meanwhile"), command.transaction("late") as edit:
        edit.annotate(file, [*file.instances, make_instance(box("cat", number=3))])


# gc beside others


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["packed", "large"])
@pytest.mark.parametrize("now", [False, True])
def test_a_collection_that_takes_what_another_has_just_written_is_noticed(
    place: Path, content: bytes, now: bool
) -> None:
    """The collector comes between the objects and the head that names them, and leaves all older packs alone."""
    collect(opened(place), keep_operations=timedelta(days=-1), now=True)
    late = opened(place).transaction("late")
    late.add_bytes("Main", "new.jpg", content)
    real = late.writer.publish

    def published() -> None:
        real()
        late.writer.publish = real  # type: ignore[method-assign]
        with patch("tdvc.objects.sweep.SMALL_PACK_BYTES", 0):
            collect(opened(place), keep_operations=timedelta(days=-1), now=now)

    late.writer.publish = published  # type: ignore[method-assign]
    with fails(Conflict, "changed-meanwhile"):
        late.publish()
    check_whole(opened(place))


def test_packs_that_are_joined_while_a_collection_is_on_its_way_do_not_stop_it(place: Path) -> None:
    from tdvc.ops import collecting

    real = collecting.repack

    def joined_meanwhile(*arguments, **options):
        done = real(*arguments, **options)
        for number in range(8):
            stock(opened(place), "Main", {f"{number}.jpg": b"%d" % number})
        return done

    with patch.object(collecting, "repack", joined_meanwhile):
        collect(opened(place), keep_operations=timedelta(days=-1))
    check_whole(opened(place))
    assert len(opened(place)["Main"]) == 9


# where the system does not do what it should


def test_where_locks_do_not_lock_it_is_said_and_nothing_is_lost(place: Path) -> None:
    one, other = opened(place).transaction("one"), opened(place).transaction("other")
    one.add_bytes("Main", "one.jpg", b"one")
    other.add_bytes("Main", "other.jpg", b"other")
    real, first = oplog.move_head, [True]

    def at_the_same_time(storage, before, after) -> None:
        if first.pop() if first else False:
            other.publish()
        real(storage, before, after)

    with patch("fcntl.flock", lambda descriptor, what: None), patch.object(oplog, "move_head", at_the_same_time):
        one.publish()
    with fails(Conflict, "heads-diverged"):
        opened(place).head()
    assert one.operation is not None
    assert other.operation is not None
    kept = opened(place)
    assert kept.objects.read(Kind.OPERATION, one.operation)
    kept.storage.remove(f"heads/{other.operation.hex()}")
    assert "one.jpg" in opened(place)["Main"]
    check_goes_on(place)


def test_on_a_medium_that_can_only_be_read_reading_works_and_writing_is_refused(place: Path) -> None:
    real = os.open

    def read_only(path: object, flags: int, *more: object, **options: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *more, **options)  # type: ignore[arg-type]

    with patch.object(os, "open", read_only):
        check_whole(opened(place))
        with fails(StorageFailure, "disk-failure") as caught, opened(place).transaction("write") as edit:
            edit.add_bytes("Main", "new.jpg", b"new")
        assert "Read-only" in caught.value.message
    check_whole(opened(place))


def test_a_file_that_may_not_grow_is_a_full_disk(place: Path) -> None:
    source = write_tree(place / "source", {"big.jpg": b"\xff\xd8\xff" + bytes(range(256)) * 400})

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        with fails(StorageFailure, "disk-full"):
            add(opened(place), [source])

    before = opened(place).view
    assert not in_child(limited)
    assert opened(place).view == before
    check_goes_on(place)
