"""What the table of a state says of its files, as columns of bytes: no object for a row, so that opening is quick.

Pages are verified when they are read. Rows keep the order of the table, which is that of paths as bytes; so a path is
found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import Corruption
from tdvc.ids import FileId, ObjectId
from tdvc.repo.entry import FILES
from tdvc.tables.page import Page
from tdvc.tables.tree import Table

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

_NAMES = ("path", *(column.name for column in FILES.columns))
_FIXED = {"file_id": 16, "blob": 32, "instances": 32}


@dataclass(frozen=True, slots=True, repr=False)
class Rows:
    """The files of a state, in path order.

    Attributes:
        paths: all paths, one behind the other, in UTF-8.
        path_ends: (n,) where each ends.
        file_ids: (n, 16).
        blobs: (n, 32).
        sizes: (n,) of the blobs, bytes.
        sets: (n, 32), ids of instance sets.
        instance_counts: (n,).
        page_ends: (pages,) the row behind the last one of each page.
    """

    paths: bytes
    path_ends: Ints
    file_ids: Bytes
    blobs: Bytes
    sizes: Ints
    sets: Bytes
    instance_counts: Ints
    page_ends: Ints

    def __repr__(self) -> str:
        return f"<Rows of {len(self)} files>"

    def __len__(self) -> int:
        return len(self.path_ends)

    def path_bytes(self, row: int) -> bytes:
        """The path of a row, in UTF-8."""
        return self.paths[self.path_ends[row - 1] if row else 0 : self.path_ends[row]]

    def path(self, row: int) -> str:
        """The path of a row."""
        return self.path_bytes(row).decode()

    def file_id(self, row: int) -> FileId:
        """The file of a row."""
        return FileId(self.file_ids[row].tobytes())

    def blob(self, row: int) -> ObjectId:
        """The blob of a row."""
        return ObjectId(self.blobs[row].tobytes())

    def instance_set(self, row: int) -> ObjectId:
        """The instance set of a row."""
        return ObjectId(self.sets[row].tobytes())

    def first_at(self, path: bytes) -> int:
        """The first row whose path is not before `path`."""
        return bisect_left(range(len(self)), path, key=self.path_bytes)

    def row_of(self, path: str) -> int | None:
        """The row of a path; None where there is none."""
        wanted = path.encode(errors="replace")
        row = self.first_at(wanted)
        return row if row < len(self) and self.path_bytes(row) == wanted else None

    def iter_children(self, folder: str) -> Iterator[tuple[str, int | None]]:
        """What is directly below a folder, empty for the top: its path, and its row; None for a folder."""
        prefix = f"{folder}/".encode() if folder else b""
        row = self.first_at(prefix)
        while row < len(self) and (path := self.path_bytes(row)).startswith(prefix):
            slash = path.find(b"/", len(prefix))
            if slash < 0:
                yield path.decode(), row
                row += 1
            else:
                yield path[:slash].decode(), None
                row = self.first_at(path[:slash] + b"0")  # what comes behind a slash


def read_rows(table: Table) -> Rows:
    """All rows of a table of files. Raises Corruption."""
    pages = [page for page in table.leaves() if page.row_count]
    counts = np.array([page.row_count for page in pages], np.int64)
    paths, ends = _joined(pages, counts)
    fixed = {name: _matrix(pages, name, width) for name, width in _FIXED.items()}
    return Rows(
        paths=paths,
        path_ends=ends,
        file_ids=fixed["file_id"],
        blobs=fixed["blob"],
        sizes=_numbers(pages, "size_bytes"),
        sets=fixed["instances"],
        instance_counts=_numbers(pages, "instance_count"),
        page_ends=np.cumsum(counts),
    )


def _column(pages: list[Page], name: str) -> Iterator[bytes]:
    position = _NAMES.index(name)
    return (page.column_bytes(position) for page in pages)


def _matrix(pages: list[Page], name: str, width: int) -> Bytes:
    return np.frombuffer(b"".join(_column(pages, name)), np.uint8).reshape(-1, width)


def _numbers(pages: list[Page], name: str) -> Ints:
    return np.frombuffer(b"".join(_column(pages, name)), "<u8").astype(np.int64)


def _joined(pages: list[Page], counts: Ints) -> tuple[bytes, Ints]:
    """The paths of all pages, and where each ends."""
    parts: list[bytes] = []
    ends: list[NDArray[Any]] = [np.zeros(0, np.int64)]
    before = 0
    for content, count in zip(_column(pages, "path"), counts.tolist(), strict=True):
        own = np.frombuffer(content, "<u4", count).astype(np.int64)
        if (np.diff(own) < 0).any():
            raise Corruption("object-damaged", "A table page has offsets out of order.")
        parts.append(content[4 * count :])
        ends.append(own + before)
        before += len(parts[-1])
    return b"".join(parts), np.concatenate(ends)
