"""The users' own folders: walking and reading them, and writing into them, never through a link.

Reading. A file is opened without following a link and without waiting on a pipe, read once, and compared with what the
walk saw: if size, times or inode moved, the bytes may be a mixture, and it is read again. What is hashed is what was
read, never a second look.

Writing. Folders are opened one component at a time, each relative to the last and never through a link, so nothing
lands outside the folder that was chosen. A file is written under a temporary name beside its place and renamed. What
is to be there whole or not at all notes what it wrote, to take it back (`filling`).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Container, Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple, Protocol

from tdvc.errors import Refused, Usage
from tdvc.names import path_problem
from tdvc.storage.local import explained

_OPEN_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_FOLDER = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .-]{0,60}").fullmatch
_TEMPORARY_NAME = re.compile(r"\.tdvc-[0-9a-f]{12}")
_ATTEMPTS = 3
_CHUNK_BYTES = 1 << 20


class Found(NamedTuple):
    """A regular file that a walk met."""

    path: str
    """Relative to the walked folder, `/` between components."""
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Skipped(NamedTuple):
    """Something that a walk passed over, and why: a code of `model.problems`."""

    path: str
    code: str
    reason: str


class Ignore(Protocol):
    """Whether a path relative to the walked folder is to be left out; folders end with `/`."""

    def __call__(self, path: str) -> bool:
        """True to leave it out."""


class FileChanged(Exception):
    """A file did not hold still while it was read, or is no file any more."""


def walk(
    folder: str,
    skipped: Callable[[Skipped], None],
    ignore: Ignore | None = None,
    expected: Container[str] = (),
) -> list[Found]:
    """The regular files below `folder`, ordered by path; links are not followed.

    Hidden files and folders are left out, but for those whose path is `expected` (see `hidden_among`).
    """
    found: list[Found] = []
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(f"{folder}/{inside}" if inside else folder) as entries:
                for entry in entries:
                    name = entry.name
                    path = inside + name
                    if not _PLAIN_NAME(name) and path not in expected and _refuse_name(name, path, skipped):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if ignore is None or not ignore(path + "/"):
                            waiting.append(path + "/")
                    elif ignore is None or not ignore(path):
                        _look_at(entry, path, found, skipped)
        except OSError as error:
            skipped(Skipped(inside.rstrip("/") or ".", "unreadable", error.strerror or str(error)))
    found.sort(key=itemgetter(0))
    return found


def hidden_among(paths: Iterable[str]) -> frozenset[str]:
    """Those of `paths` that are hidden or lie in a hidden folder, and the folders above them."""
    hidden = [path for path in paths if path.startswith(".") or "/." in path]
    above = (path[:at] for path in hidden for at in range(len(path)) if path[at] == "/")
    return frozenset(hidden).union(above)


def _look_at(entry: os.DirEntry[str], path: str, found: list[Found], skipped: Callable[[Skipped], None]) -> None:
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError as error:
        skipped(Skipped(path, "unreadable", error.strerror or str(error)))
        return
    if stat.S_ISREG(status.st_mode):
        found.append(_found(path, status))
    elif stat.S_ISLNK(status.st_mode):
        skipped(Skipped(path, "skipped-symlink", "symbolic links are not followed"))
    else:
        skipped(Skipped(path, "skipped-special", "not a regular file"))


def _refuse_name(name: str, path: str, skipped: Callable[[Skipped], None]) -> bool:
    if name.startswith("."):
        if name != ".tdvc" and not name.startswith(".tdvc-") and name != ".tdvcignore":
            skipped(Skipped(path, "skipped-hidden", "hidden files and folders are left out"))
        return True
    problem = path_problem(name)
    if problem:
        skipped(Skipped(path, "bad-name", f"the name {problem}"))
    return problem is not None


def look(path: str) -> Found | None:
    """What a walk would say of one regular file, with `path` as its path; None where it is something else.

    Raises:
        OSError.
    """
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        return None
    return _found(path, status)


def read_small(path: str, expected: Found) -> bytes:
    """The bytes of a file that held still.

    Raises:
        FileChanged: it did not, three times over.
        OSError: it can't be read.
    """
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, _OPEN_FILE)
        try:
            content = os.read(descriptor, expected.size_bytes + 1)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if len(content) == expected.size_bytes == status.st_size and _unmoved(status, expected):
            return content
        if not stat.S_ISREG(status.st_mode):
            break
        expected = _found(expected.path, status)
    raise FileChanged(path)


def read_into(path: str, expected: Found, room: memoryview) -> bool:
    """Read a file into `room`, which is one byte longer than the file should be; whether all is as expected."""
    try:
        descriptor = os.open(path, _OPEN_FILE)
    except OSError:
        return False
    try:
        length = os.readv(descriptor, [room])
        return length == expected.size_bytes and _unmoved(os.fstat(descriptor), expected)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def read_pieces(path: str, expected: Found) -> Iterator[bytes]:
    """The bytes of a file in pieces of 1 MiB; the last check comes after the last piece.

    Raises:
        FileChanged, OSError.
    """
    descriptor = os.open(path, _OPEN_FILE)
    try:
        while piece := os.read(descriptor, _CHUNK_BYTES):
            yield piece
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if not (stat.S_ISREG(status.st_mode) and _unmoved(status, expected)):
        raise FileChanged(path)


def _unmoved(status: os.stat_result, expected: Found) -> bool:
    return (
        status.st_mtime_ns == expected.mtime_ns
        and status.st_size == expected.size_bytes
        and status.st_ino == expected.inode
        and stat.S_ISREG(status.st_mode)
    )


def _found(path: str, status: os.stat_result) -> Found:
    fields = (path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return tuple.__new__(Found, fields)  # half the time of Found(...), which counts for a hundred thousand files


def is_temporary(name: str) -> bool:
    """Whether a file goes by a name that `FolderWriter` gives until it is whole."""
    return _TEMPORARY_NAME.fullmatch(name) is not None


def checked(path: str) -> str:
    """`path` itself, or Usage (bad-path) where it could lead out of a folder or into what a tool takes for its own."""
    if problem := path_problem(path):
        raise Usage("bad-path", f"The path {path!r} {problem}.", path=path)
    return path


class Written:
    """What writers put below a folder: the paths of files, and of the folders that they entered to write them."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.folders: set[str] = set()


class FolderWriter:
    """Writes files below one folder. Paths are checked once more here, wherever they come from.

    Args:
        root: the folder, made where it is missing. It may be a link itself: it is what the user named.
        written: where to note what is written, for `take_back`.
    """

    def __init__(self, root: str, written: Written | None = None) -> None:
        self.root = root
        self._written = written
        with explained(root, partly=True):
            os.makedirs(root, exist_ok=True)
            self._root = os.open(root, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
        self._folder_path = ""
        self._folder = self._root

    def close(self) -> None:
        """Let go of the folders."""
        self._leave()
        os.close(self._root)

    def _leave(self) -> None:
        if self._folder != self._root:
            os.close(self._folder)
        self._folder, self._folder_path = self._root, ""

    def _enter(self, folder: str, *, make: bool = True) -> int:
        """A descriptor of a folder below the root; the last one stays open, because files come in path order."""
        if folder == self._folder_path:
            return self._folder
        self._leave()
        if not folder:
            return self._root
        if make and self._written is not None:
            self._written.folders.add(folder)
        descriptor = self._root
        for component in folder.split("/"):
            try:
                inner = self._step(descriptor, component, folder, make)
            finally:
                if descriptor != self._root:
                    os.close(descriptor)
            descriptor = inner
        self._folder, self._folder_path = descriptor, folder
        return descriptor

    def _place(self, path: str, *, make: bool = True) -> tuple[int, str]:
        """The folder that a path is in, and its name there. Raises Usage (bad-path), whoever asks."""
        folder, _, name = checked(path).rpartition("/")
        return self._enter(folder, make=make), name

    def _step(self, descriptor: int, component: str, folder: str, make: bool) -> int:
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(component, dir_fd=descriptor)
        try:
            return os.open(component, _OPEN_FOLDER, dir_fd=descriptor)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Refused(
                "checkout-in-the-way",
                f"{folder!r} in {self.root} is a link or not a folder; tdvc does not write through it.",
                path=folder,
            ) from error

    def look(self, path: str) -> Found | None:
        """What is at a path: None where nothing is. Raises Refused where it is not a regular file."""
        try:
            at, name = self._place(path, make=False)
            status = os.stat(name, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            self._leave()
            return None
        if not stat.S_ISREG(status.st_mode):
            raise Refused("checkout-in-the-way", f"{path!r} in {self.root} is not a regular file.", path=path)
        return _found(path, status)

    def write(self, path: str, pieces: Iterable[bytes], *, new: bool = False) -> Found:
        """Write a file whole or not at all, replacing what is there; with `new`, straight to its name.

        Raises:
            FileExistsError: with `new`, where something is there.
            StorageFailure.
        """
        with explained(f"{self.root}/{path}", partly=True):
            at, name = self._place(path)
            temporary = name if new else f".tdvc-{secrets.token_hex(6)}"
            descriptor = _create(temporary, at)
            try:
                try:
                    for piece in pieces:
                        rest = memoryview(piece)
                        while rest:
                            rest = rest[os.write(descriptor, rest) :]
                    status = os.fstat(descriptor)
                finally:
                    os.close(descriptor)
                self._note(path)
                if not new:
                    os.rename(temporary, name, src_dir_fd=at, dst_dir_fd=at)
                    status = os.stat(name, dir_fd=at, follow_symlinks=False)
            except BaseException:
                _discard(temporary, at)
                raise
        return _found(path, status)

    def _note(self, path: str) -> None:
        if self._written is not None:
            self._written.files.append(path)

    def sweep(self, folder: str) -> None:
        """Remove from one folder what a writer left behind that was killed before it renamed a file."""
        with explained(f"{self.root}/{folder}", partly=True), contextlib.suppress(FileNotFoundError):
            at = self._enter(checked(folder) if folder else "", make=False)
            for name in os.listdir(at):
                if is_temporary(name):
                    os.unlink(name, dir_fd=at)

    def link(self, path: str, source: str, *, reflink: bool) -> Found:
        """Put a hard link or a copy-on-write clone of the file `source` at a path where nothing is.

        Raises:
            OSError: the file system can't, or something is there.
        """
        at, name = self._place(path)
        try:
            if reflink:
                _clone(source, name, at)
            else:
                os.link(source, name, dst_dir_fd=at, follow_symlinks=False)
            self._note(path)
        except OSError:
            raise
        except BaseException:
            _discard(name, at)
            raise
        return _found(path, os.stat(name, dir_fd=at, follow_symlinks=False))

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that are empty then."""
        folder = path.rpartition("/")[0]
        with explained(f"{self.root}/{path}", partly=True):
            try:
                at, name = self._place(path, make=False)
                os.unlink(name, dir_fd=at)
            except FileNotFoundError:
                return
            self._leave()
            while folder:
                parent, _, last = folder.rpartition("/")
                try:
                    os.rmdir(last, dir_fd=self._enter(parent, make=False))
                except OSError:
                    return
                self._leave()
                folder = parent

    def take_back(self) -> None:
        """Remove what was noted as written, and the folders that are empty then. What can't be removed stays."""
        written = self._written or Written()
        for path in written.files:
            with contextlib.suppress(OSError, Refused):
                at, name = self._place(path, make=False)
                os.unlink(name, dir_fd=at)
        entered = (folder.split("/") for folder in written.folders)
        folders = {"/".join(parts[:depth]) for parts in entered for depth in range(1, len(parts) + 1)}
        for folder in sorted(folders, reverse=True):
            parent, _, last = folder.rpartition("/")
            with contextlib.suppress(OSError, Refused):
                os.rmdir(last, dir_fd=self._enter(parent, make=False))


def _create(name: str, at: int) -> int:
    """Make a file and open it. It is not left behind where an interrupt comes before its descriptor."""
    try:
        return os.open(name, _NEW_FILE, 0o666, dir_fd=at)
    except OSError:
        raise
    except BaseException:
        _discard(name, at)
        raise


def _discard(name: str, at: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=at)


_FICLONE = 0x40049409  # linux/fs.h


def _clone(source: str, name: str, at: int) -> None:
    import fcntl  # noqa: PLC0415 (not on Windows)

    origin = os.open(source, _OPEN_FILE)
    try:
        target = os.open(name, _NEW_FILE, 0o666, dir_fd=at)
        try:
            fcntl.ioctl(target, _FICLONE, origin)
        except OSError:
            os.unlink(name, dir_fd=at)
            raise
        finally:
            os.close(target)
    finally:
        os.close(origin)
