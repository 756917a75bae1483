"""What a place for bytes must offer, and the simplest such place: memory.

A dozen small methods. A name is `folder/file`; content is immutable once it is visible, except under `cache/`. A store
promises that `publish`, `create` and `remove` are durable when they return, in the order they were called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from tdvc.errors import StorageFailure


class Upload(Protocol):
    """A file being written that nobody can see yet."""

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        """Append."""

    def begin_sync(self) -> None:
        """Start making durable what was written so far."""

    def seal(self) -> None:
        """Start making it durable; nothing more can be written."""

    def publish(self, name: str) -> None:
        """Make it durable and visible under `name`, replacing nothing but an equal file."""

    def discard(self) -> None:
        """Forget it."""


class Storage(Protocol):
    """Bytes under names."""

    def read(self, name: str) -> bytes:
        """The whole content. Raises FileNotFoundError."""

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`. Raises FileNotFoundError."""

    def mapped(self, name: str) -> memoryview:
        """The whole content, mapped into memory where the place can. Raises FileNotFoundError."""

    def size(self, name: str) -> int:
        """Length in bytes. Raises FileNotFoundError."""

    def names(self, folder: str) -> list[str]:
        """The file names directly in `folder`, sorted, without the folder; empty where there is no such folder."""

    def upload(self) -> Upload:
        """Begin a file."""

    def create(self, name: str, content: bytes = b"") -> None:
        """A small file, durable and visible at once. Raises FileExistsError."""

    def replace(self, name: str, content: bytes) -> None:
        """A small file, durable and visible at once, in place of what had the name. Not for objects."""

    def settle(self, names: Iterable[str]) -> None:
        """Make names last that are visible already, whoever gave them: before something new relies on them."""

    def remove(self, name: str) -> None:
        """Take a name away; nothing happens where it is gone already."""

    def remove_all(self, names: Iterable[str]) -> None:
        """Take names away, durable when it returns but in any order."""

    def move_all(self, moves: Iterable[tuple[str, str]]) -> None:
        """Give files other names, durable when it returns but in any order; one that is gone is passed over."""

    def replace_cache(self, name: str, content: bytes) -> None:
        """Write a file under `cache/`: whole or not at all, but not durable, for it can be made again."""

    def lock(self, timeout_seconds: float) -> contextlib.AbstractContextManager[None]:
        """Hold the one lock of the store. Raises Locked."""

    def sweep(self) -> None:
        """Remove what dead processes left behind. Called with the lock held."""


class MemoryStorage:
    """A store in a dictionary, for tests and for trying things out."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, name: str) -> bytes:
        """See `Storage`."""
        try:
            return self.files[name]
        except KeyError:
            raise FileNotFoundError(name) from None

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """See `Storage`."""
        return self.read(name)[start : start + length]

    def mapped(self, name: str) -> memoryview:
        """See `Storage`."""
        return memoryview(self.read(name))

    def size(self, name: str) -> int:
        """See `Storage`."""
        return len(self.read(name))

    def names(self, folder: str) -> list[str]:
        """See `Storage`."""
        prefix = f"{folder}/"
        inside = (name.removeprefix(prefix) for name in self.files if name.startswith(prefix))
        return sorted(name for name in inside if "/" not in name)

    def upload(self) -> Upload:
        """See `Storage`."""
        return _MemoryUpload(self.files)

    def create(self, name: str, content: bytes = b"") -> None:
        """See `Storage`."""
        if name in self.files:
            raise FileExistsError(name)
        self.files[name] = content

    def replace(self, name: str, content: bytes) -> None:
        """See `Storage`."""
        self.files[name] = content

    def settle(self, names: Iterable[str]) -> None:
        """See `Storage`."""
        del names

    def remove(self, name: str) -> None:
        """See `Storage`."""
        self.files.pop(name, None)

    def remove_all(self, names: Iterable[str]) -> None:
        """See `Storage`."""
        for name in names:
            self.remove(name)

    def move_all(self, moves: Iterable[tuple[str, str]]) -> None:
        """See `Storage`."""
        for old, new in moves:
            if old in self.files:
                self.files[new] = self.files.pop(old)

    def replace_cache(self, name: str, content: bytes) -> None:
        """See `Storage`."""
        self.files[name] = content

    @contextlib.contextmanager
    def lock(self, timeout_seconds: float) -> Iterator[None]:
        """See `Storage`; one process needs no lock."""
        del timeout_seconds
        yield

    def sweep(self) -> None:
        """See `Storage`."""


class _MemoryUpload:
    def __init__(self, files: dict[str, bytes]) -> None:
        self._files = files
        self._parts: list[bytes] = []
        self._sealed = False

    def write(self, parts: Sequence[bytes | memoryview]) -> None:
        if self._sealed:
            raise StorageFailure("disk-failure", "A sealed file can't be written to.")
        self._parts.extend(bytes(part) for part in parts)

    def begin_sync(self) -> None:
        pass

    def seal(self) -> None:
        self._sealed = True

    def publish(self, name: str) -> None:
        self._files[name] = b"".join(self._parts)

    def discard(self) -> None:
        self._parts.clear()
