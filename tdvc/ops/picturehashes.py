"""Difference hashes of pictures, computed once and kept by blob id.

A few sorted files under `cache/dhash-1`, each written once:

    "TDVCDHSH"
    (blob 32 bytes, hash u64, known u8) for each picture, `known` 0 for one that has no hash
    checksum   xxh3_64 of all before it

New hashes become a new file; when there are several they are joined. A file that is not whole is passed over: what it
held is computed again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import xxhash

from tdvc.errors import Corruption, StorageFailure
from tdvc.ids import ObjectId
from tdvc.model.nearduplicates import difference_hash
from tdvc.model.pictures import MAX_PICTURE_BYTES, UnreadablePicture, open_picture
from tdvc.objects.store import ObjectStore
from tdvc.ops.progress import Progress, silent
from tdvc.repo.repository import Repository
from tdvc.workers import spread, worker_count

_FOLDER = "cache/dhash-1"
_MAGIC = b"TDVCDHSH"
_ROW_BYTES = 41
_MAX_FILES = 8
_TOGETHER = 100

Known = dict[ObjectId, int | None]


def picture_hashes(repository: Repository, blobs: Iterable[ObjectId], *, progress: Progress = silent) -> Known:
    """The difference hash of each picture; None for one that can't be read or has no contrast.

    What is missing from the store has none either, and is looked for again the next time.
    """
    wanted = set(blobs)
    names = repository.storage.names(_FOLDER)
    known: Known = {}
    for name in names:
        known.update(_read(repository, f"{_FOLDER}/{name}") or {})
    unknown = sorted(wanted - known.keys())
    if unknown:
        found = _computed(repository.objects, unknown, progress)
        known.update(found)
        joined = len(names) >= _MAX_FILES
        kept = _write(repository, known if joined else found)
        for name in names if joined else ():
            if name != kept:
                repository.storage.remove(f"{_FOLDER}/{name}")
    return {blob: known.get(blob) for blob in wanted}


def damaged_hashes(repository: Repository) -> list[str]:
    """The files of the cache that are not whole."""
    names = [f"{_FOLDER}/{name}" for name in repository.storage.names(_FOLDER)]
    return [name for name in names if _read(repository, name) is None]


def _read(repository: Repository, name: str) -> Known | None:
    try:
        content = repository.storage.read(name)
    except (FileNotFoundError, StorageFailure):
        return None
    rows = content[8:-8]
    whole = xxhash.xxh3_64_intdigest(content[:-8]) == int.from_bytes(content[-8:], "little")
    if content[:8] != _MAGIC or not whole or len(rows) % _ROW_BYTES:
        return None
    return {
        ObjectId(rows[at : at + 32]): int.from_bytes(rows[at + 32 : at + 40], "little") if rows[at + 40] else None
        for at in range(0, len(rows), _ROW_BYTES)
    }


def _write(repository: Repository, hashes: Known) -> str:
    content = _MAGIC + b"".join(
        blob + (found or 0).to_bytes(8, "little") + bytes((found is not None,))
        for blob, found in sorted(hashes.items())
    )
    digest = xxhash.xxh3_64_intdigest(content)
    name = f"{digest:016x}"
    repository.storage.replace_cache(f"{_FOLDER}/{name}", content + digest.to_bytes(8, "little"))
    return name


def _computed(objects: ObjectStore, blobs: Sequence[ObjectId], progress: Progress) -> Known:
    batches = [blobs[first : first + _TOGETHER] for first in range(0, len(blobs), _TOGETHER)]
    workers = worker_count() if len(batches) > 1 else 1
    found: Known = {}
    for number, hashes in enumerate(spread(_Hasher(objects), batches, workers=workers)):
        progress("looking at pictures", number * _TOGETHER, len(blobs))
        found.update(hashes)
    return found


class _Hasher:
    """Hashes batches of pictures, in whatever process it finds itself."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def __call__(self, blobs: Sequence[ObjectId], slot: int) -> Known:
        del slot
        found: Known = {}
        for blob in blobs:
            try:
                found[blob] = _hash_of(self._content(blob))
            except Corruption:
                continue
        return found

    def _content(self, blob: ObjectId) -> bytearray:
        content = bytearray()
        for piece in self._objects.read_blob(blob):
            content += piece
            if len(content) > MAX_PICTURE_BYTES:
                break
        return content


def _hash_of(content: bytearray) -> int | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(content) as picture:
                return difference_hash(picture)
    except (UnreadablePicture, ValueError):  # the second of a decoder
        return None
