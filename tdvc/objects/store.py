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
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

import zstandard

from tdvc.errors import Corruption, TdvcError
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.objects.pack import RAW, IndexCache, Location, PackReader, PackWriter
from tdvc.objects.press import Press, Pressed
from tdvc.storage.base import Storage, Upload

TRASH = "trash"
"""Where a sweep puts what nobody needs, for a while (`objects.sweep`)."""

LARGE_BYTES = 8 << 20
_CHUNK_BYTES = 1 << 20
_LOOKS = 10  # packs may be joined again and again while one looks


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

    @property
    def storage(self) -> Storage:
        """Where its bytes are."""
        return self._storage

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

    def pack_names(self) -> set[str]:
        """The packs as they were listed last."""
        if not self._listed:
            self.refresh()
        return set(self._newest_first)

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

    def size_bytes(self, kind: Kind, identity: ObjectId) -> int | None:
        """How long some copy of the object is said to be; None where none is listed. It is not read."""
        for location in self._locations(kind, identity):
            return location.size_bytes
        try:
            return self._storage.size(single_file_name(identity)) if kind is Kind.BLOB else None
        except FileNotFoundError:
            return None

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
        for _ in range(_LOOKS):
            content, bad_copy = self._read_packed(kind, identity)
            if content is not None:
                return content
            damaged = damaged or bad_copy
            if kind is Kind.BLOB and self.single_file(identity) is not None:
                return b"".join(self.read_single(identity))
            if not self.refresh():
                break
        content = self._read_trashed(kind, identity)
        if content is not None:
            return content
        raise self._not_found(kind, identity, damaged)

    def _read_trashed(self, kind: Kind, identity: ObjectId) -> bytes | None:
        """An intact copy in the trash: what a sweep took away while somebody came to need it again."""
        for name in reversed(self._storage.names(TRASH)):
            place = f"{TRASH}/{name}"
            if kind is Kind.BLOB and name.endswith(f"-{identity.hex()}"):
                content: bytes | None = self._storage.read(place)
            else:
                location = self._find_in(place, kind, identity) if name.endswith(".pack") else None
                content = self._decode(location) if location else None
            if content is not None and object_id(kind, content) == identity:
                return content
        return None

    def _find_in(self, pack: str, kind: Kind, identity: ObjectId) -> Location | None:
        try:
            return PackReader(self._storage, pack).find(kind, identity)
        except (Corruption, FileNotFoundError):
            return None

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
        return self.decoded(location, self.stored_bytes(location))

    def stored_bytes(self, location: Location) -> bytes:
        """An object's bytes as they are stored; less, or none, where they are not all there."""
        try:
            return self._storage.read_range(location.pack, location.offset, location.stored_bytes)
        except FileNotFoundError:
            return b""

    def decoded(self, location: Location, stored: bytes) -> bytes | None:
        """What stored bytes hold, not yet verified; None where they can't be right."""
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
        self._found_singles: set[ObjectId] = set()
        self._large: set[ObjectId] = set()
        self._known: set[tuple[Kind, ObjectId]] = set()
        self._unpublished: dict[tuple[Kind, ObjectId], Pressed] = {}
        self._press = Press()
        self._relied_on = store.pack_names()
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
        if not self._has_equal(kind, identity, lambda: content):
            self._append(kind, identity, content)

    def press(self, kind: Kind, content: bytes) -> Pressed:
        """An object ready for `put_pressed`. Nothing is stored, so a worker process can do it."""
        return self._press.press(kind, object_id(kind, content), content)

    def put_pressed(self, kind: Kind, pressed: Pressed) -> ObjectId:
        """Store a small object that was pressed before (again) and return its id."""
        key = (kind, pressed.identity)
        if key not in self._known:
            self._known.add(key)
            if not self._has_equal(kind, pressed.identity, pressed.content):
                self._add(kind, pressed)
        return pressed.identity

    def _has_equal(self, kind: Kind, identity: ObjectId, content: Callable[[], bytes | memoryview]) -> bool:
        if self._store.is_empty:
            return False
        damaged = False
        for location in self._store._locations(kind, identity):
            if self._store._decode(location) == content():
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
        self._add(kind, self._press.press(kind, identity, content))

    def _add(self, kind: Kind, pressed: Pressed) -> None:
        if kind is not Kind.BLOB:
            self._unpublished[kind, pressed.identity] = pressed
        if self._pack is None:
            self._pack = PackWriter(self._storage)
        self._pack.add(kind, pressed.identity, pressed.stored, pressed.codec, pressed.size_bytes)
        if self._pack.full:
            self._seal_pack()

    def missing(self) -> list[tuple[Kind, ObjectId]]:
        """What was put, or found there already, and is in the store no longer: a sweep took it meanwhile."""
        self._store.refresh()
        wanted = {(Kind.BLOB, identity) for identity in self._large}
        if not self._relied_on <= self._store.pack_names():
            wanted |= self._known
        return sorted(key for key in wanted if not self._store.contains(*key))

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
        pressed = self._unpublished.get((kind, identity))
        return pressed.content() if pressed is not None else self._store.read(kind, identity)

    # large blobs, never in memory as a whole

    def begin_single(self) -> Upload:
        """A file to write a large blob to, piece by piece; end it with `finish_single` or `Upload.discard`."""
        return self._storage.upload()

    def finish_single(self, upload: Upload, identity: ObjectId, size_bytes: int) -> None:
        """The blob is whole and hashes to `identity`: keep it, unless an intact copy is there."""
        self._large.add(identity)
        if identity in self._singles:
            upload.discard()
            return
        if self._single_is_intact(identity):
            self._found_singles.add(identity)
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
        """Make everything durable and visible. A second call goes on with an empty writer.

        A large blob that was there already may be of a process that died before its name was synced, so that is done
        again; for packs it is done with the first new one.
        """
        self._seal_pack()
        if self._found_singles:
            self._storage.settle(single_file_name(identity) for identity in self._found_singles)
        for identity, upload in self._singles.items():
            upload.publish(single_file_name(identity))
        self._singles.clear()
        for pack in self._sealed:
            self._relied_on.add(pack.publish(new_stamp()))
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


def new_stamp() -> str:
    """Sorts by time, so that packs can be searched from the newest without asking the file system."""
    return f"{time.time_ns():016x}"
