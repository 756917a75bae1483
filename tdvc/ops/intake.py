"""Bytes of the users' files on their way into the store.

Each file is read once, hashed from what was read, and handed to the writer, which packs it. Many small files are read
and hashed by worker processes into shared memory, from where they go to the pack without being copied; a file that does
anything unusual there is read again here, in peace. A file of 8 MiB or more passes through in pieces. What can't be
read becomes a problem and the rest goes on.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from tdvc.ids import Kind, ObjectId
from tdvc.model.media import HEAD_BYTES, TAIL_BYTES, media_type, picture_problem
from tdvc.model.problems import Problem
from tdvc.names import printable
from tdvc.objects.store import LARGE_BYTES, ObjectWriter
from tdvc.ops.progress import Progress
from tdvc.storage.folder import FileChanged, Found, read_into, read_pieces, read_small
from tdvc.workers import SLOTS, spread, worker_count

_SLOT_BYTES = 4 << 20
_BATCH_FILES = 256
_ALONE_BYTES = 1 << 20
_FILES_WORTH_WORKERS = 1000


class Arriving(NamedTuple):
    """A file that is to come in."""

    path: str
    """In the directory."""
    place: str
    """On disk."""
    found: Found


class Arrived(NamedTuple):
    """A file whose bytes are in the writer."""

    path: str
    found: Found
    blob: ObjectId
    media_type: bytes


def covers(places: Iterable[str], path: str) -> bool:
    """Whether one of `places`, as problems spell them, is a path or a folder above it."""
    shown = printable(path)
    return any(place in (shown, ".") or shown.startswith(f"{place}/") for place in places)


def take_in(
    writer: ObjectWriter, files: Iterable[Arriving], report: Callable[[Problem], None], progress: Progress
) -> Iterator[Arrived]:
    """Store the bytes of files."""
    files = list(files)
    intake = _Intake(writer, report)
    workers = worker_count() if len(files) >= _FILES_WORTH_WORKERS else 1
    done = 0
    for batch, ids, view in _read_ahead(files, workers):
        progress("reading", done, len(files))
        yield from intake.take_batch(batch, ids, view)
        done += len(batch)
    writer.begin_sync()


def _read_ahead(
    files: Sequence[Arriving], workers: int
) -> Iterator[tuple[list[Arriving], Sequence[bytes | None], memoryview]]:
    """Batches of files with the hash and bytes of each, where a worker could read it."""
    batches = list(_batches(files))
    if workers < 2:
        for batch in batches:
            yield batch, [None] * len(batch), memoryview(b"")
        return
    shared = mmap.mmap(-1, workers * SLOTS * _SLOT_BYTES)
    memory = memoryview(shared)

    def read(batch: list[Arriving], slot: int) -> list[bytes | None]:
        return _read_batch(batch, memory[slot * _SLOT_BYTES : (slot + 1) * _SLOT_BYTES])

    for position, ids in enumerate(spread(read, batches, workers=workers)):
        slot = position % workers * SLOTS + position // workers % SLOTS
        yield batches[position], ids, memory[slot * _SLOT_BYTES : (slot + 1) * _SLOT_BYTES]


def _batches(files: Sequence[Arriving]) -> Iterator[list[Arriving]]:
    """Neighbours that fit into one slot together."""
    batch: list[Arriving] = []
    room = _SLOT_BYTES
    for file in files:
        needed = file.found.size_bytes + 1 if file.found.size_bytes < _ALONE_BYTES else 0
        if batch and (needed > room or len(batch) >= _BATCH_FILES):
            yield batch
            batch, room = [], _SLOT_BYTES
        batch.append(file)
        room -= needed
    if batch:
        yield batch


def _read_batch(batch: list[Arriving], view: memoryview) -> list[bytes | None]:
    """Read files one after the other into `view`; the hash of each, None for those that need a closer look."""
    ids: list[bytes | None] = []
    at = 0
    for _, place, found in batch:
        size = found.size_bytes
        if size >= _ALONE_BYTES:
            ids.append(None)
            continue
        room = view[at : at + size + 1]
        ids.append(hashlib.sha256(room[:size]).digest() if read_into(place, found, room) else None)
        at += size + 1
    return ids


def take_bytes(writer: ObjectWriter, path: str, content: bytes, report: Callable[[Problem], None]) -> Arrived:
    """Store bytes that came in something else than a file of their own."""
    blob = ObjectId(hashlib.sha256(content).digest())
    writer.put_known(Kind.BLOB, blob, content)
    file = Arriving(path, "", Found(path, len(content), 0, 0, 0))
    return _Intake(writer, report).look_at(file, blob, content)


class _Intake:
    """Puts files into a writer and looks at what they are."""

    def __init__(self, writer: ObjectWriter, report: Callable[[Problem], None]) -> None:
        self._writer = writer
        self._report = report
        self._types: dict[tuple[bytes, str], str] = {}

    def take_batch(self, batch: list[Arriving], ids: Sequence[bytes | None], view: memoryview) -> Iterator[Arrived]:
        at = 0
        for file, blob in zip(batch, ids, strict=True):
            size = file.found.size_bytes
            if blob is None:
                arrived = self._take_alone(file)
                if arrived is not None:
                    yield arrived
            else:
                content = view[at : at + size]
                self._writer.put_known(Kind.BLOB, ObjectId(blob), content)
                yield self.look_at(file, ObjectId(blob), content)
            if size < _ALONE_BYTES:
                at += size + 1
        self._writer.flush()

    def _take_alone(self, file: Arriving) -> Arrived | None:
        path = printable(file.path)
        try:
            if file.found.size_bytes >= LARGE_BYTES:
                return self._take_large(file)
            content = read_small(file.place, file.found)
        except FileChanged:
            self._report(Problem("changed-while-reading", path, "It changed while it was read.", dropped_files=1))
            return None
        except OSError as error:
            reason = error.strerror or str(error)
            self._report(Problem("unreadable", path, f"It can't be read: {reason}.", dropped_files=1))
            return None
        file = file._replace(found=file.found._replace(size_bytes=len(content)))
        blob = ObjectId(hashlib.sha256(content).digest())
        self._writer.put_known(Kind.BLOB, blob, content)
        return self.look_at(file, blob, content)

    def _take_large(self, file: Arriving) -> Arrived:
        upload = self._writer.begin_single()
        digest = hashlib.sha256()
        head = tail = b""
        try:
            for piece in read_pieces(file.place, file.found):
                head = head or piece[:HEAD_BYTES]
                tail = (tail + piece)[-TAIL_BYTES:]
                digest.update(piece)
                upload.write([piece])
        except BaseException:
            upload.discard()
            raise
        blob = ObjectId(digest.digest())
        self._writer.finish_single(upload, blob, file.found.size_bytes)
        return self._look_at(file, blob, head, tail, lambda: read_pieces(file.place, file.found))

    def look_at(self, file: Arriving, blob: ObjectId, content: bytes | memoryview) -> Arrived:
        """What kind of file it is, and what is plainly wrong with it."""
        return self._look_at(file, blob, bytes(content[:HEAD_BYTES]), content[-TAIL_BYTES:], lambda: [bytes(content)])

    def _look_at(
        self,
        file: Arriving,
        blob: ObjectId,
        head: bytes,
        tail: bytes | memoryview,
        content: Callable[[], Iterable[bytes]],
    ) -> Arrived:
        path = file.path
        key = (head[:12], path[-5:])
        kind = self._types.get(key)
        if kind is None:
            kind = self._types[key] = media_type(head, path)
        problem = picture_problem(path, kind, file.found.size_bytes, tail, content)
        if problem:
            message = f"It {problem}; stored as it is."
            self._report(Problem("picture-unreadable", printable(path), message, severity="warning"))
        return Arrived(path, file.found, blob, kind.encode())
