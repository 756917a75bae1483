"""A store in a folder, written so that a power cut leaves the old state or the new one.

The argument. A new file is filled under `tmp/`, where nobody looks. `publish` syncs its bytes, renames it to its name,
then syncs the folder that holds the name: so a visible file is whole and durable, and whoever goes on to name it
elsewhere names something that lasts. A sync that failed is never tried again, because the kernel marks the pages clean
either way: the file is given up and the command fails. What is visible is never written to again.

    tmp/          files being filled, `<host>.<pid>.<random>`
    lock          held with flock while publishing; never removed
    everything else belongs to the callers
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from tdvc.errors import Locked, StorageFailure

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import filelock

_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PARTS_A_CALL = 512
_SYNC_EVERY_BYTES = 64 << 20


class explained:  # noqa: N801 (reads as a phrase: `with explained(name):`)
    """Turns an OSError into one sentence, except for those that the protocol of `Storage` names.

    Args:
        what: what is read or written.
        partly: other files of the same command may be written already, so it does not say that nothing was changed.
    """

    __slots__ = ("_partly", "_what")

    def __init__(self, what: str, *, partly: bool = False) -> None:
        self._what = what
        self._partly = partly

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError | FileExistsError):
            raise _failure(error, self._what, self._partly) from error


def _failure(error: OSError, what: str, partly: bool) -> StorageFailure:
    if error.errno in _FULL:
        return StorageFailure(
            "disk-full",
            f"No space left to write {what}{'' if partly else '; nothing was changed'}.",
            hint="Free some space and run the command again.",
            name=what,
        )
    reason = error.strerror or str(error)
    return StorageFailure("disk-failure", f"Can't access {what}: {reason}.", name=what)


class LocalStorage:
    """A store in the folder `root`.

    Args:
        root: the folder, which must exist.
        durable: sync to disk. False gives the same order of writes without waiting for the disk, for tests.
    """

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        self.root = str(root)
        self.durable = durable
        self._folders: set[str] = set()
        self._open: dict[str, int] = {}

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    # reading

    def read(self, name: str) -> bytes:
        """See `Storage`."""
        with explained(name):
            descriptor = os.open(self._path(name), _READ | _NO_LINK)
            try:
                return _read_fully(descriptor, os.fstat(descriptor).st_size)
            finally:
                os.close(descriptor)

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """See `Storage`. The last files read stay open, so that reads from one pack cost one call each."""
        with explained(name):
            descriptor = self._open.get(name)
            if descriptor is None:
                descriptor = self._keep_open(name)
            content = os.pread(descriptor, length, start)
            while len(content) < length:
                more = os.pread(descriptor, length - len(content), start + len(content))
                if not more:
                    break
                content += more
            return content

    def _keep_open(self, name: str) -> int:
        if len(self._open) >= 64:
            self.close()
        descriptor = os.open(self._path(name), _READ | _NO_LINK)
        self._open[name] = descriptor
        return descriptor

    def _forget(self, name: str) -> None:
        """Another file goes by that name from now on, or none."""
        descriptor = self._open.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Close the files kept open for reading; they are opened again when needed."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError, TypeError):
            self.close()

    def mapped(self, name: str) -> memoryview:
        """See `Storage`. Nobody writes to a visible file, so what is mapped stays as it is."""
        with explained(name):
            descriptor = os.open(self._path(name), _READ | _NO_LINK)
            try:
                size = os.fstat(descriptor).st_size
                return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b"")
            finally:
                os.close(descriptor)

    def size(self, name: str) -> int:
        """See `Storage`."""
        with explained(name):
            return os.stat(self._path(name)).st_size

    def names(self, folder: str) -> list[str]:
        """See `Storage`."""
        with explained(folder):
            try:
                return sorted(os.listdir(self._path(folder)))
            except FileNotFoundError:
                return []

    # writing

    def upload(self) -> _LocalUpload:
        """See `Storage`."""
        self._ensure_folder("tmp")
        return _LocalUpload(self)

    def create(self, name: str, content: bytes = b"") -> None:
        """See `Storage`. An empty file needs no sync of its own: its name is all there is."""
        self._ensure_folder(os.path.dirname(name))
        if not content:
            with explained(name):
                os.close(os.open(self._path(name), _NEW, 0o444))
            with self._taken_back(name):
                self._sync_folder(os.path.dirname(name))
            return
        if os.path.lexists(self._path(name)):
            raise FileExistsError(name)
        upload = self.upload()
        try:
            with self._taken_back(name):
                upload.write([content])
                upload.publish(name)
        except BaseException:
            upload.discard()
            raise

    def replace(self, name: str, content: bytes) -> None:
        """See `Storage`."""
        upload = self.upload()
        try:
            upload.write([content])
            upload.publish(name)
        except BaseException:
            upload.discard()
            raise

    @contextlib.contextmanager
    def _taken_back(self, name: str) -> Iterator[None]:
        """A name that could not be made durable goes again, so that what is said to have failed is not visible."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(self._path(name))
            raise

    def remove(self, name: str) -> None:
        """See `Storage`."""
        self.remove_all([name])

    def remove_all(self, names: Iterable[str]) -> None:
        """See `Storage`."""
        folders = set()
        for name in names:
            self._forget(name)
            with explained(name), contextlib.suppress(FileNotFoundError):
                os.unlink(self._path(name))
                folders.add(os.path.dirname(name))
        for folder in sorted(folders):
            self._sync_folder(folder)

    def move_all(self, moves: Iterable[tuple[str, str]]) -> None:
        """See `Storage`. The new names are synced first: a file that has both for a moment is never lost."""
        old_folders, new_folders = set(), set()
        for old, new in moves:
            self._forget(old)
            self._forget(new)
            self._ensure_folder(os.path.dirname(new))
            with explained(old), contextlib.suppress(FileNotFoundError):
                os.replace(self._path(old), self._path(new))
                old_folders.add(os.path.dirname(old))
                new_folders.add(os.path.dirname(new))
        for folder in [*sorted(new_folders), *sorted(old_folders - new_folders)]:
            self._sync_folder(folder)

    def replace_cache(self, name: str, content: bytes) -> None:
        """See `Storage`. A cache that can't be written is no reason to fail."""
        with contextlib.suppress(OSError, StorageFailure):
            self._ensure_folder(os.path.dirname(name))
            upload = self.upload()
            try:
                upload.write([content])
                upload.rename(name)
            except BaseException:
                upload.discard()
                raise

    def settle(self, names: Iterable[str]) -> None:
        """See `Storage`. The bytes last already, for they were synced before the name was given."""
        folders = {os.path.dirname(name) for name in names}
        for folder in sorted(folders | {os.path.dirname(folder) for folder in folders}):
            self._sync_folder(folder)

    def _ensure_folder(self, folder: str) -> None:
        """Make a folder where it is missing.

        One that is found may be of a process that died before it synced the name. That of a folder right below the root
        lasts at the latest when the next name there does; a deeper one is synced again.
        """
        if folder in self._folders or not folder:
            return
        above = os.path.dirname(folder)
        with explained(folder):
            found = os.path.isdir(self._path(folder))
            if not found:
                self._ensure_folder(above)
                with contextlib.suppress(FileExistsError):
                    os.mkdir(self._path(folder), 0o777)
        if above or not found:
            self._sync_folder(above)
        self._folders.add(folder)

    def _sync_folder(self, folder: str) -> None:
        if self.durable:
            sync_folder(self._path(folder) if folder else self.root)

    # the lock

    @contextlib.contextmanager
    def lock(self, timeout_seconds: float) -> Iterator[None]:
        """See `Storage`. The system frees the lock of a process that died, so nothing is ever stale."""
        if fcntl is None:
            with filelock.FileLock(self._path("lock"), timeout=timeout_seconds):
                yield
            return
        with explained("lock"):
            descriptor = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | _NO_LINK, 0o666)
        try:
            with explained("lock"):
                self._wait_for_lock(descriptor, timeout_seconds)
            with contextlib.suppress(OSError):  # whose it is is for people to know; a full disk must not end here
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _wait_for_lock(self, descriptor: int, timeout_seconds: float) -> None:
        give_up_at = time.monotonic() + timeout_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > give_up_at:
                    holder = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
                    raise Locked(
                        "locked",
                        f"Process {holder} has been publishing for more than {timeout_seconds:g} s.",
                        hint="Wait for it to finish, or end it; the lock goes with it.",
                        holder=holder,
                    ) from None
                time.sleep(0.005)

    def sweep(self) -> None:
        """See `Storage`. Only files of this host's dead processes go."""
        with contextlib.suppress(OSError):
            for name in os.listdir(self._path("tmp")):
                host, _, rest = name.partition(".")
                pid = rest.partition(".")[0]
                if host == _HOST and len(pid) < 10 and pid.isascii() and pid.isdigit() and not _alive(int(pid)):
                    os.unlink(self._path(f"tmp/{name}"))


def sync_folder(path: str) -> None:
    """Make the names in a folder last."""
    if os.name == "nt":
        return
    with explained(path):
        descriptor = os.open(path, _READ)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(path: str, *, durable: bool = True) -> None:
    """Make a folder, and those above it that are missing; their names last when it returns.

    The name of the folder itself is synced where it was there before too: who made it may have died before doing so.
    """
    above = os.path.dirname(path)
    with explained(path):
        if not os.path.isdir(above):
            make_folder(above, durable=durable)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
    if durable:
        sync_folder(above)


_HOST = f"{zlib.crc32((os.uname().nodename if hasattr(os, 'uname') else '').encode()):08x}"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read_fully(descriptor: int, size: int) -> bytes:
    parts = []
    while part := os.read(descriptor, max(size, 1) + 1):
        parts.append(part)
    return b"".join(parts)


class _LocalUpload:
    """A file under `tmp/`. While it grows a thread syncs it, so that the end has little to wait for."""

    def __init__(self, storage: LocalStorage) -> None:
        self._storage = storage
        self._name = f"tmp/{_HOST}.{os.getpid()}.{secrets.token_hex(6)}"
        self._path = storage._path(self._name)
        with explained(self._name):
            self._descriptor = os.open(self._path, _NEW | _NO_LINK, 0o444)
        self._unsynced_bytes = 0
        self._syncing: threading.Thread | None = None
        self._failure: OSError | None = None
        self._sealed = False

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        if self._sealed:
            raise StorageFailure("disk-failure", "A sealed file can't be written to.")
        with explained(self._name):
            for start in range(0, len(parts), _PARTS_A_CALL):
                self._write_some(parts[start : start + _PARTS_A_CALL])
        if self._unsynced_bytes >= _SYNC_EVERY_BYTES:
            self.begin_sync()

    def _write_some(self, parts: Sequence[bytes | memoryview]) -> None:
        total = sum(map(len, parts))
        written = os.writev(self._descriptor, parts)
        self._unsynced_bytes += total
        if written < total:
            rest = memoryview(b"".join(parts))[written:]
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def begin_sync(self) -> None:
        if not self._storage.durable or (self._syncing is not None and self._syncing.is_alive()):
            return
        self._unsynced_bytes = 0
        self._syncing = threading.Thread(target=self._sync, daemon=True)
        self._syncing.start()

    def _sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            self._failure = error

    def seal(self) -> None:
        self._sealed = True
        if self._syncing is not None:
            self._syncing.join()
        self.begin_sync()

    def publish(self, name: str) -> None:
        if self._syncing is not None:
            self._syncing.join()
        if self._storage.durable and self._unsynced_bytes and self._failure is None:
            self._sync()
        if self._failure is not None:
            with explained(name):
                raise self._failure
        self._storage._ensure_folder(os.path.dirname(name))
        self.rename(name)
        self._storage._sync_folder(os.path.dirname(name))

    def rename(self, name: str) -> None:
        with explained(name):
            os.close(self._descriptor)
            self._descriptor = -1
            os.replace(self._path, self._storage._path(name))
        self._storage._forget(name)

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            if self._syncing is not None:
                self._syncing.join()
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1
            os.unlink(self._path)
