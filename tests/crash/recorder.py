"""Notes everything that a program does to one folder, by standing in for the functions of `os` that change a disk.

Nothing that goes by another way is seen; so `Recorder.missed` compares what is really there with what the log says.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.crash.disk import Disk, Event, Loss, Tree

STOOD_IN_FOR = (
    *("open", "close", "write", "writev", "pwrite", "ftruncate", "fsync", "fdatasync"),
    *("rename", "replace", "link", "unlink", "remove", "mkdir", "rmdir"),
)


class Recorder:
    """The log of one folder, which must be empty at first.

    Attributes:
        log: what was done, in order.
    """

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self.log: list[Event] = []
        self._real: dict[str, Callable[..., Any]] = {}
        self._names: dict[str, int] = {}
        self._files: dict[int, int] = {}
        self._folders: dict[int, str] = {}
        self._at: dict[int, int] = {}
        self._one_at_a_time = threading.RLock()
        self._not_joined: dict[threading.Thread, list[Event]] = {}
        self._real_join = threading.Thread.join

    def __enter__(self) -> Self:
        self._real = {name: getattr(os, name) for name in STOOD_IN_FOR}
        for name in STOOD_IN_FOR:
            setattr(os, name, getattr(self, f"_{name}"))
        threading.Thread.join = lambda thread, *a, **o: self._join(thread, *a, **o)  # type: ignore[method-assign]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for name, function in self._real.items():
            setattr(os, name, function)
        threading.Thread.join = self._real_join  # type: ignore[method-assign]

    def done(self) -> None:
        """A command has returned: what it did must last."""
        self.log.append(Event("done"))

    def missed(self) -> list[str]:
        """Where the folder is not what the log says; empty where everything was seen."""
        disk = Disk(self.log)
        moment = len(self.log)
        said = disk.tree(moment, Loss(frozenset(disk.volatile(moment)), {}))
        there = tree_below(Path(self.root))
        return sorted(path for path in said.keys() | there.keys() if said.get(path, b"?") != there.get(path, b"?"))

    def _inside(self, path: Any, folder: int | None = None) -> str | None:
        """A path relative to the root, or None where it is elsewhere."""
        if isinstance(path, int):
            return None
        text = os.fspath(path)
        if folder is not None:
            if folder not in self._folders:
                return None
            text = os.path.join(self.root, self._folders[folder], text)
        whole = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(text))), os.path.basename(text))
        return os.path.relpath(whole, self.root) if whole.startswith(self.root + os.sep) else None

    # what stands in

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        with self._one_at_a_time:
            descriptor: int = self._real["open"](path, flags, mode, dir_fd=dir_fd)
            if dir_fd is None and not isinstance(path, int) and os.path.realpath(path) == self.root:
                self._folders[descriptor] = ""
            inside = self._inside(path, dir_fd)
            if inside is None:
                return descriptor
            if os.path.isdir(os.path.join(self.root, inside)):
                self._folders[descriptor] = inside
            elif flags & (os.O_WRONLY | os.O_RDWR):
                if inside not in self._names:
                    self._names[inside] = len(self.log)
                    self.log.append(Event("file", inside, node=len(self.log)))
                self._files[descriptor] = self._names[inside]
                self._at[descriptor] = 0
                if flags & os.O_TRUNC:
                    self.log.append(Event("cut", node=self._names[inside]))
            return descriptor

    def _close(self, descriptor: int) -> None:
        with self._one_at_a_time:
            self._files.pop(descriptor, None)
            self._folders.pop(descriptor, None)
            self._real["close"](descriptor)

    def _wrote(self, descriptor: int, content: bytes, offset: int | None = None) -> None:
        if descriptor in self._files:
            at = self._at[descriptor] if offset is None else offset
            self.log.append(Event("write", node=self._files[descriptor], offset=at, content=content))
            if offset is None:
                self._at[descriptor] += len(content)

    def _write(self, descriptor: int, content: Any) -> int:
        with self._one_at_a_time:
            count: int = self._real["write"](descriptor, content)
            self._wrote(descriptor, bytes(content)[:count])
            return count

    def _writev(self, descriptor: int, parts: Any) -> int:
        with self._one_at_a_time:
            count: int = self._real["writev"](descriptor, parts)
            self._wrote(descriptor, b"".join(parts)[:count])
            return count

    def _pwrite(self, descriptor: int, content: Any, offset: int) -> int:
        with self._one_at_a_time:
            count: int = self._real["pwrite"](descriptor, content, offset)
            self._wrote(descriptor, bytes(content)[:count], offset)
            return count

    def _ftruncate(self, descriptor: int, length: int) -> None:
        with self._one_at_a_time:
            self._real["ftruncate"](descriptor, length)
            if descriptor in self._files:
                self.log.append(Event("cut", node=self._files[descriptor], offset=length))

    def _fsync(self, descriptor: int) -> None:
        """The disk is not waited for: what a sync means is in the model.

        One in another thread has ended for certain only when that thread was joined.
        """
        with self._one_at_a_time:
            covers = len(self.log)
            if descriptor in self._files:
                event = Event("sync", node=self._files[descriptor], covers=covers)
            elif descriptor in self._folders:
                event = Event("sync-folder", self._folders[descriptor], covers=covers)
            else:
                return
            thread = threading.current_thread()
            log = self.log if thread is threading.main_thread() else self._not_joined.setdefault(thread, [])
            log.append(event)

    def _join(self, thread: threading.Thread, timeout: float | None = None) -> None:
        self._real_join(thread, timeout)
        with self._one_at_a_time:
            self.log += self._not_joined.pop(thread, [])

    _fdatasync = _fsync

    def _moved(self, name: str, old: Any, new: Any, **folders: Any) -> None:
        with self._one_at_a_time:
            self._real[name](old, new, **folders)
            before = self._inside(old, folders.get("src_dir_fd"))
            after = self._inside(new, folders.get("dst_dir_fd"))
            if after is None:
                return
            node = self._names[before or ""]
            self._names[after] = node
            if name != "link":
                del self._names[before or ""]
            self.log.append(Event("link" if name == "link" else "rename", before or "", after, node=node))

    def _rename(self, old: Any, new: Any, **folders: Any) -> None:
        self._moved("rename", old, new, **folders)

    def _replace(self, old: Any, new: Any, **folders: Any) -> None:
        self._moved("replace", old, new, **folders)

    def _link(self, old: Any, new: Any, **more: Any) -> None:
        self._moved("link", old, new, **more)

    def _removed(self, name: str, path: Any, dir_fd: int | None) -> None:
        with self._one_at_a_time:
            self._real[name](path, dir_fd=dir_fd)
            inside = self._inside(path, dir_fd)
            if inside is not None:
                self._names.pop(inside, None)
                self.log.append(Event("remove", inside))

    def _unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._removed("unlink", path, dir_fd)

    _remove = _unlink

    def _rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self._removed("rmdir", path, dir_fd)

    def _mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        with self._one_at_a_time:
            self._real["mkdir"](path, mode, dir_fd=dir_fd)
            inside = self._inside(path, dir_fd)
            if inside is not None:
                self.log.append(Event("folder", inside))


def tree_below(root: Path) -> Tree:
    """Everything below a folder."""
    tree: Tree = {}
    for place, folders, names in os.walk(root):
        inside = os.path.relpath(place, root)
        for name in folders:
            tree[os.path.normpath(f"{inside}/{name}")] = None
        for name in names:
            tree[os.path.normpath(f"{inside}/{name}")] = Path(place, name).read_bytes()
    return tree
