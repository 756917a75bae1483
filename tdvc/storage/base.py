"""What a place for bytes must offer, and the simplest such place: memory.

Ten small methods. A name is `folder/file`; content is immutable once it is visible, except under `cache/`. A store
promises that `publish`, `create` and `remove` are durable when they return, in the order they were called.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
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

    def size(self, name: str) -> int:
        """Length in bytes. Raises FileNotFoundError."""

    def names(self, folder: str) -> list[str]:
        """The file names directly in `folder`, sorted, without the folder; empty where there is no such folder."""

    def upload(self) -> Upload:
        """Begin a file."""

    def create(self, name: str, content: bytes = b"") -> None:
        """A small file, durable and visible at once. Raises FileExistsError."""

    def remove(self, name: str) -> None:
        """Take a name away; nothing happens where it is gone already."""

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

    def remove(self, name: str) -> None:
        """See `Storage`."""
        self.files.pop(name, None)

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
