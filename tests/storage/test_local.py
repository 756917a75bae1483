"""A store in a folder: the order of writes, what happens when the disk refuses, the lock, and the sweep."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Locked, StorageFailure
from tdvc.storage.local import LocalStorage


class Journal:
    """What was asked of the operating system, as (call, path below the store), and failures to inject."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.events: list[tuple[str, str]] = []
        self.failures: dict[str, int] = {}
        self._paths: dict[int, str] = {}
        self._patch = monkeypatch
        for name in ("writev", "write", "fsync"):
            self._wrap(name, lambda arguments: self._paths.get(arguments[0], "?"))
        for name in ("mkdir", "unlink", "replace"):
            self._wrap(name, lambda arguments: self._relative(arguments[-1] if len(arguments) == 2 else arguments[0]))
        opened = os.open

        def remember(path: Any, flags: int, *more: Any, **options: Any) -> int:
            if flags & os.O_CREAT:
                self._note("create", self._relative(path))
            descriptor = opened(path, flags, *more, **options)
            self._paths[descriptor] = self._relative(path)
            return descriptor

        monkeypatch.setattr(os, "open", remember)

    def _relative(self, path: Any) -> str:
        path = str(path) if not isinstance(path, int) else "?"
        inside = path.removeprefix(str(self.root)).strip("/")
        return "tmp/*" if inside.startswith("tmp/") else inside

    def _note(self, call: str, path: str) -> None:
        self.events.append((call, path))
        if call in self.failures:
            raise OSError(self.failures[call], os.strerror(self.failures[call]))

    def _wrap(self, name: str, path_of: Callable[[tuple[Any, ...]], str]) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **options: Any) -> Any:
            path = path_of(arguments[:1] if name in ("mkdir", "unlink") else arguments)
            self._note(name, path)
            return real(*arguments, **options)

        self._patch.setattr(os, name, call)

    def at(self, call: str, path: str) -> int:
        return self.events.index((call, path))


@pytest.fixture
def store(tmp_path: Path) -> LocalStorage:
    made = LocalStorage(tmp_path)
    for folder in ("packs", "heads", "blobs"):
        made.create(f"{folder}/first", b"x")
    return made


@pytest.fixture
def journal(store: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    return Journal(tmp_path, monkeypatch)


def left_in_tmp(folder: Path) -> list[str]:
    return os.listdir(folder / "tmp") if (folder / "tmp").is_dir() else []


# the order of writes


def test_bytes_are_synced_before_the_name_and_the_name_before_we_return(store: LocalStorage, journal: Journal) -> None:
    upload = store.upload()
    upload.write([b"abc", b"def"])
    upload.publish("packs/one")
    written, synced = journal.at("writev", "tmp/*"), journal.at("fsync", "tmp/*")
    renamed, lasting = journal.at("replace", "packs/one"), journal.at("fsync", "packs")
    assert written < synced < renamed < lasting


def test_sealing_early_keeps_the_order(store: LocalStorage, journal: Journal) -> None:
    upload = store.upload()
    upload.write([b"abc"])
    upload.begin_sync()
    upload.write([b"def"])
    upload.seal()
    upload.publish("packs/one")
    writes = [i for i, event in enumerate(journal.events) if event == ("writev", "tmp/*")]
    syncs = [i for i, event in enumerate(journal.events) if event == ("fsync", "tmp/*")]
    assert writes[-1] < syncs[-1] < journal.at("replace", "packs/one") < journal.at("fsync", "packs")


def test_what_was_written_after_a_sync_is_synced_again(store: LocalStorage, journal: Journal) -> None:
    upload = store.upload()
    upload.write([b"abc"])
    upload.begin_sync()
    upload.write([b"def"])
    upload.publish("packs/one")
    assert journal.events.count(("fsync", "tmp/*")) == 2


def test_an_empty_file_is_made_durable_by_its_folder(store: LocalStorage, journal: Journal) -> None:
    store.create("heads/one")
    assert journal.events == [("create", "heads/one"), ("fsync", "heads")]


def test_a_removal_is_durable(store: LocalStorage, journal: Journal) -> None:
    store.remove("heads/first")
    assert journal.events == [("unlink", "heads/first"), ("fsync", "heads")]


def test_a_new_folder_is_durable_before_anything_in_it(store: LocalStorage, journal: Journal) -> None:
    upload = store.upload()
    upload.write([b"abc"])
    upload.publish("blobs/aa/one")
    assert journal.at("mkdir", "blobs/aa") < journal.at("fsync", "blobs") < journal.at("replace", "blobs/aa/one")
    assert journal.events[-1] == ("fsync", "blobs/aa")


def test_a_store_that_need_not_last_never_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStorage(tmp_path, durable=False)
    journal = Journal(tmp_path, monkeypatch)
    upload = store.upload()
    upload.write([b"abc"])
    upload.seal()
    upload.publish("packs/one")
    store.create("heads/one")
    store.remove("heads/one")
    assert "fsync" not in {call for call, _ in journal.events}
    assert ("replace", "packs/one") in journal.events


def test_the_cache_is_written_without_waiting_for_the_disk(store: LocalStorage, journal: Journal) -> None:
    store.replace_cache("cache/one", b"abc")
    renamed = journal.events[journal.at("create", "tmp/*") :]
    assert "fsync" not in {call for call, _ in renamed}
    assert store.read("cache/one") == b"abc"


def test_a_visible_file_is_read_only(store: LocalStorage, tmp_path: Path) -> None:
    upload = store.upload()
    upload.write([b"abc"])
    upload.publish("packs/one")
    assert (tmp_path / "packs/one").stat().st_mode & 0o222 == 0


def test_a_short_write_is_gone_on_with(store: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "writev", lambda descriptor, parts: real_write(descriptor, b"".join(parts)[:5]))
    monkeypatch.setattr(os, "write", lambda descriptor, content: real_write(descriptor, bytes(content)[:3]))
    upload = store.upload()
    upload.write([b"0123", b"4567", b"89abcdef"])
    upload.publish("packs/one")
    assert store.read("packs/one") == b"0123456789abcdef"


# a disk that refuses


def test_a_failed_sync_is_final(store: LocalStorage, journal: Journal, tmp_path: Path) -> None:
    upload = store.upload()
    upload.write([b"abc"])
    journal.failures["fsync"] = errno.EIO
    with pytest.raises(StorageFailure) as first:
        upload.publish("packs/one")
    journal.failures.clear()
    with pytest.raises(StorageFailure):
        upload.publish("packs/one")
    upload.discard()
    assert first.value.code == "disk-failure"
    assert ("replace", "packs/one") not in journal.events
    assert journal.events.count(("fsync", "tmp/*")) == 1
    assert left_in_tmp(tmp_path) == []


def test_a_sync_that_failed_in_the_background_is_final(store: LocalStorage, journal: Journal) -> None:
    upload = store.upload()
    upload.write([b"abc"])
    journal.failures["fsync"] = errno.EIO
    upload.seal()
    upload._syncing.join()  # type: ignore[attr-defined]
    journal.failures.clear()
    with pytest.raises(StorageFailure):
        upload.publish("packs/one")
    upload.discard()
    assert store.names("packs") == ["first"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("call", ["create", "writev", "fsync", "replace"])
def test_a_full_disk_is_said_and_leaves_nothing(
    store: LocalStorage, journal: Journal, tmp_path: Path, call: str, code: int
) -> None:
    journal.failures[call] = code
    with pytest.raises(StorageFailure) as caught:
        store.create("packs/one", b"abc")
    journal.failures.clear()
    assert caught.value.code == "disk-full"
    assert store.names("packs") == ["first"]
    assert left_in_tmp(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"abc"])
def test_a_name_that_can_not_be_made_durable_is_taken_back(
    store: LocalStorage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes
) -> None:
    def fail_for_folders(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail_for_folders)
    with pytest.raises(StorageFailure):
        store.create("heads/one", content)
    assert store.names("heads") == ["first"]
    assert left_in_tmp(tmp_path) == []


def test_a_full_disk_does_not_stop_the_lock(store: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    held = False
    with store.lock(0.0):
        held = True
    assert held


def test_a_cache_that_can_not_be_written_is_no_failure(store: LocalStorage, journal: Journal, tmp_path: Path) -> None:
    store.replace_cache("cache/one", b"before")
    journal.failures["writev"] = errno.ENOSPC
    store.replace_cache("cache/one", b"after")
    assert store.read("cache/one") == b"before"
    assert left_in_tmp(tmp_path) == []


def test_a_disk_that_fails_to_read_is_said(store: LocalStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(StorageFailure) as caught:
        store.read_range("packs/first", 0, 1)
    assert caught.value.code == "disk-failure"
    assert "packs/first" in caught.value.message


def test_a_link_in_place_of_a_store_file_is_refused(store: LocalStorage, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"secret")
    (tmp_path / "packs/link").symlink_to(tmp_path / "elsewhere")
    for read in (store.read, lambda name: store.read_range(name, 0, 6)):
        with pytest.raises(StorageFailure):
            read("packs/link")


# the lock

HOLD = """
import sys
from pathlib import Path
from tdvc.storage.local import LocalStorage
with LocalStorage(Path(sys.argv[1])).lock(10.0):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def holder(store: LocalStorage, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock until a line is sent to it."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    yield child
    child.kill()
    child.communicate()


def test_a_held_lock_names_its_holder(store: LocalStorage, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(Locked) as caught, store.lock(0.02):
        pass
    assert caught.value.code == "locked"
    assert caught.value.fields["holder"] == str(holder.pid)


def test_a_process_that_waits_gets_the_lock_when_it_is_let_go(
    store: LocalStorage, holder: subprocess.Popen[bytes]
) -> None:
    assert holder.stdin is not None
    with pytest.raises(Locked), store.lock(0.0):
        pass
    holder.stdin.write(b"\n")
    holder.stdin.flush()
    with store.lock(30.0):
        held_by = Path(store.root, "lock").read_text()
    assert held_by == str(os.getpid())


def test_a_killed_holder_frees_the_lock(store: LocalStorage, holder: subprocess.Popen[bytes]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with store.lock(0.0):
        held_by = Path(store.root, "lock").read_text()
    assert held_by == str(os.getpid())


def test_two_stores_of_one_process_exclude_each_other(store: LocalStorage, tmp_path: Path) -> None:
    with store.lock(0.0), pytest.raises(Locked), LocalStorage(tmp_path).lock(0.0):
        pass
    with LocalStorage(tmp_path).lock(0.0):
        pass


def test_a_lock_that_is_a_link_is_refused(store: LocalStorage, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "lock").symlink_to(victim)
    with pytest.raises(StorageFailure), store.lock(0.0):
        pass
    assert victim.read_bytes() == b"precious"


# the sweep


def test_a_sweep_removes_what_dead_processes_of_this_host_left(store: LocalStorage, tmp_path: Path) -> None:
    dead = os.fork()
    if dead == 0:
        try:
            LocalStorage(tmp_path, durable=False).upload().write([b"half"])
        finally:
            os._exit(0)
    os.waitpid(dead, 0)
    (left,) = left_in_tmp(tmp_path)
    host = left.split(".")[0]
    other_host = f"{int(host, 16) ^ 1:08x}"
    kept = {f"{host}.{os.getpid()}.aa", f"{host}.1.aa", f"{other_host}.{dead}.aa", "notes.txt", f"{host}.x.aa"}
    for name in kept:
        (tmp_path / "tmp" / name).write_bytes(b"")
    store.sweep()
    assert f".{dead}." in left
    assert set(left_in_tmp(tmp_path)) == kept


def test_a_sweep_of_a_store_without_tmp_is_content(tmp_path: Path) -> None:
    store = LocalStorage(tmp_path)
    store.sweep()
    assert store.names("tmp") == []
