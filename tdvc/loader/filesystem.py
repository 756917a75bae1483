"""`tdvc://REPOSITORY@REVISION/PATH`: the files of a state for whatever reads through fsspec. Read-only.

    fsspec.open("tdvc://pets@v1/night/0001.jpg")
    fsspec.filesystem("tdvc", repository="pets", revision="v1").ls("night")

REPOSITORY is a folder, relative or absolute, without `@`; REVISION is all up to the next `/`. The state is fixed when
the file system is made. fsspec keeps a file system that was made before: for a living directory that has changed since,
give `skip_instance_cache=True`. Importing this module imports fsspec.
"""

from __future__ import annotations

import errno
import io
import os
from typing import Any

from tdvc.errors import Usage
from tdvc.loader.library import library
from tdvc.loader.opening import load
from tdvc.loader.samples import Samples

_fsspec: Any = library("fsspec", "fsspec")

_SCHEME = "tdvc://"


class TdvcFileSystem(_fsspec.AbstractFileSystem):
    """The files of one state.

    Args:
        repository: its folder.
        revision: a snapshot, commit or directory; the current directory where it is empty.
        verify: as for `tdvc.load`.
    """

    protocol = "tdvc"
    root_marker = ""

    def __init__(self, repository: str, revision: str = "", verify: str = "full", **options: Any) -> None:
        super().__init__(**options)
        self._top = f"{_SCHEME}{repository}@{revision}/"
        self._samples: Samples = load(repository, revision or None, verify=verify)

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = str(path)
        return (_parts(text)[2] if text.startswith(_SCHEME) else text).strip("/")

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        if not path.startswith(_SCHEME):
            return {}
        repository, revision, _ = _parts(path)
        return {"repository": repository, "revision": revision}

    def unstrip_protocol(self, name: str) -> str:
        """The URL of a path."""
        return f"{self._top}{self._strip_protocol(name)}"

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """What is directly in a folder, or the file itself. Raises FileNotFoundError."""
        del options
        place = self._strip_protocol(path)
        rows = self._samples.state.rows
        found = [self._described(name, row) for name, row in rows.iter_children(place)]
        if not found and place:
            found = [self.info(place)]
        return found if detail else [one["name"] for one in found]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Size, type and, of a file, its blob id. Raises FileNotFoundError."""
        del options
        place = self._strip_protocol(path)
        rows = self._samples.state.rows
        row = rows.row_of(place)
        if row is None and place and next(rows.iter_children(place), None) is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self._described(place, row)

    def _described(self, name: str, row: int | None) -> dict[str, Any]:
        if row is None:
            return {"name": name, "size": 0, "type": "directory"}
        rows = self._samples.state.rows
        return {"name": name, "size": int(rows.sizes[row]), "type": "file", "blob_id": rows.blob(row).hex()}

    def ukey(self, path: str) -> str:
        """The blob id: what changes when the content does. Raises FileNotFoundError."""
        return str(self._content_info(path)["blob_id"])

    def checksum(self, path: str) -> int:
        """A number that changes when the content does. Raises FileNotFoundError."""
        return int(self.ukey(path), 16)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """The bytes of a file, or some of them. Raises FileNotFoundError, Corruption."""
        del options
        self._content_info(path)
        content = self._samples.read(self._samples.position(self._strip_protocol(path)))
        return content[start:end]

    def _content_info(self, path: str) -> dict[str, Any]:
        found = self.info(path)
        if found["type"] != "file":
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        return found

    def _open(self, path: str, mode: str = "rb", **options: Any) -> _File:
        del options
        if mode != "rb":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return _File(self.cat_file(path))


class _File(io.BytesIO):
    """A file that is open; some readers ask it for its size."""

    @property
    def size(self) -> int:
        return self.getbuffer().nbytes


def _parts(url: str) -> tuple[str, str, str]:
    """Repository, revision and path of a URL. Raises Usage (bad-usage)."""
    repository, at, rest = url.removeprefix(_SCHEME).partition("@")
    revision, _, path = rest.partition("/")
    if not repository or not at:
        raise Usage("bad-usage", f"{url[:200]!r} is not tdvc://REPOSITORY@REVISION/PATH.")
    return repository, revision, path
