"""The store of objects: find, read and verify; write, then publish whole.

Reading. An object is looked for in the packs from the newest to the oldest, then among the single files. Its bytes are
verified against its id before anybody sees them; where one copy is damaged, the next copy is tried. A pack that another
process wrote after we listed them is found by listing again before anything is called missing.

Writing. A writer fills packs nobody can see, and skips what the store has already *with the same bytes*: comparing is
cheaper than hashing again and means that new data never hides behind a damaged old copy. `publish` makes the packs
visible; only then may anything name what is in them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

import zstandard

from tdvc.errors import Corruption, TdvcError
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.objects.pack import RAW, ZSTD, IndexCache, Location, PackReader, PackWriter
from tdvc.storage.base import Storage, Upload

LARGE_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 20
_COMPRESS_FROM_BYTES = 128
_PRESSED = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"\xfd7zXZ",
    b"\x1aE\xdf\xa3",
    b"OggS",
    b"fLaC",
    b"ID3",
)


class ReadableObjects(Protocol):
    """What those need who only read objects."""

    def read(self, kind: Kind, identity: ObjectId) -> bytes:
        """The verified content. Raises Corruption (object-missing, object-damaged)."""


class ObjectStore:
    """All objects of a repository."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._packs: dict[str, PackReader] = {}
        self._unreadable: dict[str, Corruption] = {}
        self._newest_first: list[str] = []
        self._decompressor = zstandard.ZstdDecompressor()
        self._index_cache = IndexCache()
        self._last_hit: PackReader | None = None
        self._listed = False

    # finding

    def refresh(self) -> bool:
        """List the packs anew; True where there are other ones than before."""
        found = [f"packs/{name}" for name in self._storage.names("packs") if name.endswith(".pack")]
        found.reverse()
        changed = found != self._newest_first
        self._newest_first = found
        self._packs = {name: pack for name, pack in self._packs.items() if name in set(found)}
        self._last_hit = None
        self._listed = True
        return changed

    @property
    def is_empty(self) -> bool:
        """Whether there is no pack to look into."""
        return self._listed and not self._newest_first

    def _pack(self, name: str) -> PackReader | None:
        pack = self._packs.get(name)
        if pack is None and name not in self._unreadable:
            try:
                pack = self._packs[name] = PackReader(self._storage, name, self._index_cache)
            except Corruption as error:
                self._unreadable[name] = error
            except FileNotFoundError:
                return None
        return pack

    def _locations(self, kind: Kind, identity: ObjectId) -> Iterator[Location]:
        """Where copies are: first in the pack that had the last object, for neighbours are read together."""
        if not self._listed:
            self.refresh()
        last = self._last_hit
        if last is not None and (location := self._find(last, kind, identity)):
            yield location
        for name in self._newest_first:
            pack = self._packs.get(name) or self._pack(name)
            if pack is None or pack is last:
                continue
            location = self._find(pack, kind, identity)
            if location:
                self._last_hit = pack
                yield location

    def _find(self, pack: PackReader, kind: Kind, identity: ObjectId) -> Location | None:
        """Where a pack has the object. What is wrong with one pack never hides the copy in another."""
        try:
            return pack.find(kind, identity)
        except Corruption as error:
            self._unreadable[pack.name] = error
        except FileNotFoundError:
            self._packs.pop(pack.name, None)
        return None

    def contains(self, kind: Kind, identity: ObjectId) -> bool:
        """Whether some copy of the object is listed; it is not read."""
        for _ in self._locations(kind, identity):
            return True
        return kind is Kind.BLOB and self.single_file(identity) is not None

    def ids_with_prefix(self, kind: Kind, prefix: str) -> list[ObjectId]:
        """The packed objects of a kind whose id in hexadecimal starts with `prefix`, at least two digits."""
        self.refresh()
        packs = [pack for name in self._newest_first if (pack := self._pack(name))]
        found = {identity for pack in packs for identity in pack.ids_with_prefix(kind, prefix)}
        return sorted(found)

    # reading

    def read(self, kind: Kind, identity: ObjectId) -> bytes:
        """The verified content of an object.

        Raises:
            Corruption: object-missing or object-damaged.
        """
        damaged = False
        for attempt in (1, 2):
            content, bad_copy = self._read_packed(kind, identity)
            if content is not None:
                return content
            damaged = damaged or bad_copy
            if kind is Kind.BLOB and self.single_file(identity) is not None:
                return b"".join(self.read_single(identity))
            if attempt == 1 and not self.refresh():
                break
        raise self._not_found(kind, identity, damaged)

    def _read_packed(self, kind: Kind, identity: ObjectId) -> tuple[bytes | None, bool]:
        """The first intact copy in a pack, and whether a damaged one was met."""
        damaged = False
        for location in self._locations(kind, identity):
            content = self._decode(location)
            if content is not None and object_id(kind, content) == identity:
                return content, damaged
            damaged = True
        return None, damaged

    def _decode(self, location: Location) -> bytes | None:
        try:
            stored = self._storage.read_range(location.pack, location.offset, location.stored_bytes)
        except FileNotFoundError:
            return None
        if len(stored) != location.stored_bytes:
            return None
        if location.codec == RAW:
            return stored
        try:
            if zstandard.frame_content_size(stored) != location.size_bytes:  # what it claims is what it allocates
                return None
            return self._decompressor.decompress(stored)
        except zstandard.ZstdError:
            return None

    def read_single(self, identity: ObjectId) -> Iterator[bytes]:
        """The content of a blob that is a file of its own, in pieces, verified when the last one has been read.

        Raises:
            Corruption: object-damaged, after the last piece.
        """
        name = single_file_name(identity)
        digest = hashlib.sha256()
        start = 0
        while piece := self._storage.read_range(name, start, _CHUNK_BYTES):
            digest.update(piece)
            yield piece
            start += len(piece)
        if digest.digest() != identity:
            raise self._not_found(Kind.BLOB, identity, True)

    def read_blob(self, identity: ObjectId) -> Iterator[bytes]:
        """The content of any blob in pieces; memory stays bounded. Raises as `read` and `read_single` do."""
        content, _ = self._read_packed(Kind.BLOB, identity)
        if content is not None:
            yield content
        elif self.single_file(identity) is not None:
            yield from self.read_single(identity)
        else:
            yield self.read(Kind.BLOB, identity)  # lists the packs anew, or says what is missing

    def single_file(self, identity: ObjectId) -> str | None:
        """The store's name for a blob that is a file of its own, so that it can be linked; None for packed ones."""
        name = single_file_name(identity)
        try:
            self._storage.size(name)
        except FileNotFoundError:
            return None
        return name

    def _not_found(self, kind: Kind, identity: ObjectId, damaged: bool) -> Corruption:
        what = f"{kind.name.lower()} {identity.hex()}"
        if damaged:
            return Corruption("object-damaged", f"The stored bytes of {what} are damaged.", id=identity.hex())
        because = "".join(f" {error.message}" for error in self._unreadable.values())
        return Corruption("object-missing", f"The store has no {what}.{because}", id=identity.hex())

    def writer(self) -> ObjectWriter:
        """Begin writing."""
        return ObjectWriter(self, self._storage)


class ObjectWriter:
    """Objects on their way into the store, readable by this writer at once and by nobody else before `publish`.

    As a context manager it discards what was not published.

    Attributes:
        new_blob_bytes: bytes of blobs that the store did not have intact.
        heals: whether something was put of which the store has damaged copies only.
    """

    def __init__(self, store: ObjectStore, storage: Storage) -> None:
        self._store = store
        self._storage = storage
        self._pack: PackWriter | None = None
        self._sealed: list[PackWriter] = []
        self._singles: dict[ObjectId, Upload] = {}
        self._known: set[tuple[Kind, ObjectId]] = set()
        self._unpublished: dict[tuple[Kind, ObjectId], bytes] = {}
        self._compressor = zstandard.ZstdCompressor(level=3)
        self.new_blob_bytes = 0
        self.heals = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.discard()

    def put(self, kind: Kind, content: bytes) -> ObjectId:
        """Store an object (again) and return its id."""
        identity = object_id(kind, content)
        self.put_known(kind, identity, content)
        return identity

    def put_known(self, kind: Kind, identity: ObjectId, content: bytes | memoryview) -> None:
        """Store an object whose id the caller has just computed. A view must stay as it is until `flush`."""
        key = (kind, identity)
        if key in self._known:
            return
        self._known.add(key)
        if not self._has_equal(kind, identity, content):
            self._append(kind, identity, content)

    def _has_equal(self, kind: Kind, identity: ObjectId, content: bytes | memoryview) -> bool:
        if self._store.is_empty:
            return False
        damaged = False
        for location in self._store._locations(kind, identity):
            if self._store._decode(location) == content:
                return True
            damaged = True
        self.heals = self.heals or damaged
        return False

    def _append(self, kind: Kind, identity: ObjectId, content: bytes | memoryview) -> None:
        if kind is Kind.BLOB:
            if len(content) >= LARGE_BYTES:
                single = self.begin_single()
                single.write([content])
                self.finish_single(single, identity, len(content))
                return
            self.new_blob_bytes += len(content)
        else:
            self._unpublished[kind, identity] = bytes(content)
        if self._pack is None:
            self._pack = PackWriter(self._storage)
        stored, codec = self._encode(content, kind)
        self._pack.add(kind, identity, stored, codec, len(content))
        if self._pack.full:
            self._seal_pack()

    def _encode(self, content: bytes | memoryview, kind: Kind) -> tuple[bytes | memoryview, int]:
        if len(content) < _COMPRESS_FROM_BYTES or (kind is Kind.BLOB and bytes(content[:8]).startswith(_PRESSED)):
            return content, RAW
        pressed = self._compressor.compress(content)
        return (pressed, ZSTD) if len(pressed) < len(content) * 0.9 else (content, RAW)

    def flush(self) -> None:
        """Hand on to the operating system what was put; views that were given may change after this."""
        if self._pack is not None:
            self._pack.flush()

    def begin_sync(self) -> None:
        """Let the disk work on what was put while the caller computes on."""
        if self._pack is not None:
            self._pack.begin_sync()

    def _seal_pack(self) -> None:
        if self._pack is not None:
            self._pack.seal()
            self._sealed.append(self._pack)
            self._pack = None

    def read(self, kind: Kind, identity: ObjectId) -> bytes:
        """An object of the store or of this writer (metadata only)."""
        content = self._unpublished.get((kind, identity))
        return content if content is not None else self._store.read(kind, identity)

    # large blobs, never in memory as a whole

    def begin_single(self) -> Upload:
        """A file to write a large blob to, piece by piece; end it with `finish_single` or `Upload.discard`."""
        return self._storage.upload()

    def finish_single(self, upload: Upload, identity: ObjectId, size_bytes: int) -> None:
        """The blob is whole and hashes to `identity`: keep it, unless an intact copy is there."""
        if identity in self._singles or self._single_is_intact(identity):
            upload.discard()
            return
        upload.seal()
        self.heals = self.heals or self._store.single_file(identity) is not None
        self.new_blob_bytes += size_bytes
        self._singles[identity] = upload

    def _single_is_intact(self, identity: ObjectId) -> bool:
        try:
            for _ in self._store.read_single(identity):
                pass
        except (Corruption, FileNotFoundError):
            return False
        return True

    # the end

    def publish(self) -> None:
        """Make everything durable and visible. A second call goes on with an empty writer."""
        self._seal_pack()
        for identity, upload in self._singles.items():
            upload.publish(single_file_name(identity))
        self._singles.clear()
        for pack in self._sealed:
            pack.publish(_stamp())
        if self._sealed:
            self._store._listed = False
        self._sealed.clear()
        self._unpublished.clear()

    def discard(self) -> None:
        """Forget everything that is not published."""
        waiting: list[PackWriter | Upload] = [*self._sealed, *self._singles.values()]
        if self._pack is not None:
            waiting.append(self._pack)
        self._pack = None
        self._sealed = []
        self._singles = {}
        self._unpublished.clear()
        for item in waiting:
            try:
                item.discard()
            except (OSError, TdvcError):
                continue


def single_file_name(identity: ObjectId) -> str:
    """Where a blob of its own lives in the store."""
    text = identity.hex()
    return f"blobs/{text[:2]}/{text}"


def _stamp() -> str:
    """Sorts by time, so that packs can be searched from the newest without asking the file system."""
    return f"{time.time_ns():016x}"
