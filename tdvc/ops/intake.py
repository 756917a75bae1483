"""Bytes of the users' files on their way into the store.

Each file is read once, hashed from what was read, and handed to the writer, which packs it. A file of 8 MiB or more
passes through in pieces. What can't be read becomes a problem and the rest goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from tdvc.ids import Kind, ObjectId
from tdvc.model.media import HEAD_BYTES, TAIL_BYTES, media_type, picture_problem
from tdvc.model.problems import Problem
from tdvc.names import printable
from tdvc.objects.store import LARGE_BYTES, ObjectWriter
from tdvc.ops.progress import EVERY, Progress
from tdvc.storage.folder import FileChanged, Found, read_pieces, read_small


class Arrived(NamedTuple):
    """A file whose bytes are in the writer."""

    path: str
    found: Found
    blob: ObjectId
    media_type: bytes


def take_in(
    writer: ObjectWriter,
    files: Iterable[tuple[str, str, Found]],
    report: Callable[[Problem], None],
    progress: Progress,
    total: int,
) -> Iterator[Arrived]:
    """Store the bytes of files given as (path in the directory, path on disk, what the walk saw)."""
    types: dict[tuple[bytes, str], bytes] = {}
    for done, (path, place, found) in enumerate(files):
        if done % EVERY == 0:
            progress("reading", done, total)
        try:
            if found.size_bytes >= LARGE_BYTES:
                blob, head, tail = _take_large(writer, place, found)
            else:
                content = read_small(place, found)
                blob = ObjectId(hashlib.sha256(content).digest())
                writer.put_known(Kind.BLOB, blob, content)
                head, tail = content[:HEAD_BYTES], content[-TAIL_BYTES:]
        except FileChanged:
            report(Problem("changed-while-reading", printable(path), "It changed while it was read.", dropped_files=1))
            continue
        except OSError as error:
            reason = error.strerror or str(error)
            report(Problem("unreadable", printable(path), f"It can't be read: {reason}.", dropped_files=1))
            continue
        extension = path[path.rfind(".") :] if "." in path[-8:] else ""
        key = (head[:12], extension)
        kind = types.get(key)
        if kind is None:
            kind = types[key] = media_type(head, path).encode()
        problem = picture_problem(path, kind.decode(), found.size_bytes, tail)
        if problem:
            report(
                Problem("picture-unreadable", printable(path), f"It {problem}; stored as it is.", severity="warning")
            )
        yield Arrived(path, found, blob, kind)


def _take_large(writer: ObjectWriter, place: str, found: Found) -> tuple[ObjectId, bytes, bytes]:
    upload = writer.begin_single()
    digest = hashlib.sha256()
    head = tail = b""
    try:
        for piece in read_pieces(place, found):
            head = head or piece[:HEAD_BYTES]
            tail = (tail + piece)[-TAIL_BYTES:]
            digest.update(piece)
            upload.write([piece])
    except BaseException:
        upload.discard()
        raise
    blob = ObjectId(digest.digest())
    writer.finish_single(upload, blob)
    return blob, head, tail
