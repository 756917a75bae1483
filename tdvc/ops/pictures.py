"""Facts about pictures, read from their headers once and kept by blob id: size, format, EXIF's turn and time.

A blob never changes, so neither do its facts; they stay when a page changes, when a file moves and when it is mirrored.
They lie in a few sorted files under `cache/pictures-2`, each written once:

    "TDVCPICT", count u64
    blobs      count x 32 bytes, sorted
    facts      count x (width u32, height u32, format u8, orientation u8, problem u8, deep u8, captured i64)
    checksum   xxh3_64 of all before it

New facts become a new file; when there are several they are merged into one. A file that is not whole is passed over:
what it held is read again.

Nothing is decoded unless `deep` asks for it, and whatever is wrong with a picture costs that one picture
(`model.pictures`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray
from PIL import Image

from tdvc.errors import Corruption, StorageFailure
from tdvc.ids import ObjectId
from tdvc.model.media import HEAD_BYTES, OPENED, has_end, media_type
from tdvc.model.pictures import MAX_PICTURE_BYTES, UnreadablePicture, open_picture
from tdvc.objects.store import ObjectStore
from tdvc.repo.repository import Repository
from tdvc.workers import spread, worker_count

NOT_OPENED = (b"ftypavif", b"ftypavis", b"ftypheic", b"ftypheix", b"ftypmif1")
"""How pictures go on, from the fifth byte, that are fine and that nothing here reads."""

PROBLEMS = ("", "missing", "too-large", "too-many-pixels", "not-a-picture", "cut-short")
"""What can be wrong with a picture; the position is what is stored."""

_FORMATS = ("", *OPENED)
_FOLDER = "cache/pictures-2"
_MAGIC = b"TDVCPICT"
_MAX_FILES = 8
_TOGETHER = 250
_ORIENTATION, _PHOTO, _CAPTURED, _ZONE = 0x0112, 0x8769, 0x9003, 0x9011

_FACTS = np.dtype(
    [
        ("width", "<u4"),
        ("height", "<u4"),
        ("format", "u1"),
        ("orientation", "u1"),
        ("problem", "u1"),
        ("deep", "u1"),
        ("captured", "<i8"),
    ]
)
_KEYS = np.dtype(">u8")

Facts = NDArray[Any]
"""A structured array of what is known: `width`, `height` in px (0 where not known), `orientation` as EXIF has it (0
where it says nothing), positions in the lists of formats and problems, and `captured`, seconds since 1970 (0 where EXIF
says nothing; UTC where it names no zone)."""

Blobs = NDArray[np.uint8]
"""(n, 32), ids of blobs."""


class Picture(NamedTuple):
    """What is known of one picture; `problem` is one of `PROBLEMS`, `captured` seconds since 1970 or 0."""

    width: int
    height: int
    format: str
    orientation: int
    problem: str
    captured: int = 0

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in px of the stored pixels; None where they are not known."""
        return (self.width, self.height) if self.width and self.height else None


def nothing_known(count: int) -> tuple[Facts, NDArray[np.bool_]]:
    """What `Pictures.known` says of so many blobs of which it knows nothing."""
    return np.zeros(count, _FACTS), np.zeros(count, bool)


class Pictures:
    """The facts of a repository's pictures.

    Args:
        repository: holds the pictures, and the cache.
    """

    def __init__(self, repository: Repository) -> None:
        self._storage = repository.storage
        self._objects = repository.objects
        parts = [found for name in self._storage.names(_FOLDER) if (found := self._read(f"{_FOLDER}/{name}"))]
        self._count = len(parts)
        self._take(parts)

    def _take(self, parts: Sequence[tuple[Blobs, Facts]]) -> None:
        blobs = np.concatenate([blobs for blobs, _ in parts]) if parts else np.zeros((0, 32), np.uint8)
        facts = np.concatenate([facts for _, facts in parts]) if parts else np.zeros(0, _FACTS)
        keys = _keys(blobs)
        order = np.lexsort((facts["deep"], keys))
        self._blobs, self._facts, self._sorted = blobs[order], facts[order], keys[order]

    def _read(self, name: str) -> tuple[Blobs, Facts] | None:
        try:
            content = self._storage.read(name)
        except (FileNotFoundError, StorageFailure):
            return None
        if content[:8] != _MAGIC or xxhash.xxh3_64_intdigest(content[:-8]) != int.from_bytes(content[-8:], "little"):
            return None
        count = int.from_bytes(content[8:16], "little")
        if len(content) != 24 + count * (32 + _FACTS.itemsize):
            return None
        blobs = np.frombuffer(content, np.uint8, count * 32, 16).reshape(count, 32)
        return blobs, np.frombuffer(content, _FACTS, count, 16 + count * 32)

    def damaged(self) -> list[str]:
        """The files of the cache that are not whole."""
        names = [f"{_FOLDER}/{name}" for name in self._storage.names(_FOLDER)]
        return [name for name in names if self._read(name) is None]

    def known(self, blobs: Blobs, *, deep: bool = False) -> tuple[Facts, NDArray[np.bool_]]:
        """What is known of blobs, and of which something is; with `deep` only what was decoded counts."""
        at = np.searchsorted(self._sorted, _keys(blobs), side="right") - 1
        if not len(self._sorted):
            return nothing_known(len(blobs))
        facts = self._facts[at]
        found = (at >= 0) & (self._blobs[at] == blobs).all(axis=1)
        return facts, found & ((facts["deep"] == 1) | (not deep))

    def learn(
        self, blobs: Blobs, *, deep: bool = False, watcher: Callable[[str, int, int | None], None] | None = None
    ) -> None:
        """Read what is not known yet of blobs, and keep it. What is missing from the store is not kept."""
        _, found = self.known(blobs, deep=deep)
        unknown = np.unique(blobs[~found], axis=0)
        if not len(unknown):
            return
        batches = [unknown[first : first + _TOGETHER] for first in range(0, len(unknown), _TOGETHER)]
        done: list[tuple[Blobs, Facts]] = []
        workers = worker_count() if len(batches) > 1 else 1
        for some, facts in zip(batches, spread(_Reader(self._objects, deep), batches, workers=workers), strict=True):
            if watcher is not None:
                watcher("reading pictures", len(done) * _TOGETHER, len(unknown))
            done.append((some, np.frombuffer(facts, _FACTS)))
        self._keep(np.concatenate([some for some, _ in done]), np.concatenate([facts for _, facts in done]))

    def _keep(self, blobs: Blobs, facts: Facts) -> None:
        lasting = facts["problem"] != PROBLEMS.index("missing")
        old = (self._blobs, self._facts)
        self._take([old, (blobs, facts)])
        if self._count < _MAX_FILES:
            self._write(blobs[lasting], facts[lasting])
            return
        names = self._storage.names(_FOLDER)
        lasting = self._facts["problem"] != PROBLEMS.index("missing")
        self._count = 0
        kept = self._write(self._blobs[lasting], self._facts[lasting])
        for name in names:
            if name != kept:
                self._storage.remove(f"{_FOLDER}/{name}")

    def _write(self, blobs: Blobs, facts: Facts) -> str:
        content = b"".join((_MAGIC, len(blobs).to_bytes(8, "little"), blobs.tobytes(), facts.tobytes()))
        digest = xxhash.xxh3_64_intdigest(content)
        name = f"{digest:016x}"
        if len(blobs):
            self._storage.replace_cache(f"{_FOLDER}/{name}", content + digest.to_bytes(8, "little"))
            self._count += 1
        return name

    def of(self, blob: ObjectId) -> Picture:
        """What is known of one blob, which is read where nothing is."""
        blobs = blob_array([blob])
        self.learn(blobs)
        return picture_of(self.known(blobs)[0][0])


def blob_array(blobs: Iterable[bytes]) -> Blobs:
    """Ids of blobs as an array."""
    return np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, 32)


def picture_of(fact: Any) -> Picture:
    """One row of facts in words."""
    return Picture(
        int(fact["width"]),
        int(fact["height"]),
        _FORMATS[int(fact["format"])],
        int(fact["orientation"]),
        PROBLEMS[int(fact["problem"])],
        int(fact["captured"]),
    )


def _keys(blobs: Blobs) -> NDArray[np.uint64]:
    """The first eight bytes as a number that sorts as they do."""
    keys: NDArray[np.uint64] = np.ascontiguousarray(blobs[:, :8]).view(_KEYS).reshape(-1).astype(np.uint64)
    return keys


class _Reader:
    """Reads batches of pictures, in whatever process it finds itself."""

    def __init__(self, objects: ObjectStore, deep: bool) -> None:
        self._objects = objects
        self._deep = deep

    def __call__(self, blobs: Blobs, slot: int) -> bytes:
        del slot
        facts = np.zeros(len(blobs), _FACTS)
        for position, row in enumerate(blobs):
            found = self._read(ObjectId(row.tobytes()))
            orders = _FORMATS.index(found.format), found.orientation, PROBLEMS.index(found.problem), int(self._deep)
            facts[position] = (found.width, found.height, *orders, found.captured)
        return facts.tobytes()

    def _read(self, blob: ObjectId) -> Picture:
        content = bytearray()
        try:
            for piece in self._objects.read_blob(blob):
                if len(content) + len(piece) > MAX_PICTURE_BYTES:
                    return Picture(0, 0, "", 0, "too-large")
                content += piece
        except Corruption:
            return Picture(0, 0, "", 0, "missing")
        return look_at(content, deep=self._deep)


def look_at(content: bytes | bytearray, *, deep: bool = False) -> Picture:
    """What a picture's bytes say of it.

    Args:
        content: all of its bytes.
        deep: decode it all, to see whether that works.
    """
    if bytes(content[4:12]) in NOT_OPENED:
        return Picture(0, 0, "", 0, "")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with open_picture(content) as picture:
                width, height = picture.size
                kind = _FORMATS.index(picture.format) if picture.format in _FORMATS else 0
                said = (_orientation(picture), _decoding(picture, content) if deep else "", _captured(picture))
                return Picture(width, height, _FORMATS[kind], *said)
    except UnreadablePicture as error:
        return Picture(0, 0, "", 0, "too-many-pixels" if error.too_many_pixels else "not-a-picture")
    except ValueError:  # of a decoder
        return Picture(0, 0, "", 0, "not-a-picture")


def _decoding(picture: Image.Image, content: bytes | bytearray) -> str:
    try:
        picture.load()
    except Exception:
        return "cut-short"
    return "" if has_end(media_type(bytes(content[:HEAD_BYTES]), ""), [bytes(content)]) else "cut-short"


def _orientation(picture: Image.Image) -> int:
    """The turn that EXIF asks for, 1 to 8; 0 where it asks for none or can't be read."""
    try:
        value = Image.Image.getexif(picture).get(_ORIENTATION, 0)  # that of PNG would decode the picture
    except Exception:
        return 0
    return value if isinstance(value, int) and 1 <= value <= 8 else 0


def _captured(picture: Image.Image) -> int:
    """When EXIF says it was taken, seconds since 1970; 0 where it says nothing that can be read."""
    try:
        said = Image.Image.getexif(picture).get_ifd(_PHOTO)
        moment = datetime.strptime(
            str(said.get(_CAPTURED, ""))[:19] + str(said.get(_ZONE, "+00:00")), "%Y:%m:%d %H:%M:%S%z"
        )
        return int(moment.astimezone(UTC).timestamp())
    except Exception:
        return 0
