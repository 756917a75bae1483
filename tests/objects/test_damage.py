"""Every kind of damage at every kind of place: right bytes or Corruption that names the object, and nothing else."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.objects import pack as packs
from tdvc.objects import store as stores
from tdvc.objects.store import ObjectStore, single_file_name
from tdvc.storage.base import MemoryStorage
from tdvc.storage.local import LocalStorage
from tests.objects.test_store import Thing, noise, store_all

THINGS: list[Thing] = [
    (Kind.COMMIT, b'{"message":"first"}'),
    (Kind.VIEW, b'{"current":"Main"}'),
    (Kind.INSTANCES, b'{"label":"dog","type":"tag"}\n' * 60),
    (Kind.PAGE, b"page" * 300),
    (Kind.BLOB, b""),
    (Kind.BLOB, noise(900, 1)),
    (Kind.BLOB, b"\xff\xd8\xff" + noise(700, 2)),
    (Kind.BLOB, noise(40_000, 3)),  # a file of its own, once LARGE_BYTES is lowered
    (Kind.BLOB, noise(50_000, 4)),
]
IDS = [object_id(*thing) for thing in THINGS]
IN_PACK = range(7)
ENTRIES_OF_A_PACK_READ_IN_BUCKETS = 4500


@pytest.fixture(autouse=True)
def _small_singles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "LARGE_BYTES", 30_000)


def pack_and_singles(*, filler: int = 0) -> MemoryStorage:
    """All things, in one pack and two single files; `filler` more small ones make its index a large one."""
    storage = MemoryStorage()
    with ObjectStore(storage).writer() as writer:
        for thing in THINGS:
            writer.put(*thing)
        for number in range(filler):
            writer.put(Kind.BLOB, b"filler %d" % number)
        writer.publish()
    return storage


def pack_name(storage: MemoryStorage) -> str:
    (name,) = storage.names("packs")
    return f"packs/{name}"


def fields(content: bytes) -> Iterator[tuple[str, int, int]]:
    """The name, start and length of each field of a pack: header, some records, fan-out, some entries, footer."""
    yield from (("header magic", 0, 8), ("header version", 8, 4), ("header zero", 12, 4))
    index, count = struct.unpack_from("<QI", content, len(content) - 32)
    entries = index + 1024
    for at in sorted({0, 1, count // 3, count // 2, count - 2, count - 1}):
        start = entries + at * 52
        names = ("identity", "kind", "codec", "zero", "stored", "size", "offset")
        lengths = (32, 1, 1, 2, 4, 4, 8)
        stored, _, offset = struct.unpack_from("<IIQ", content, start + 36)
        yield (f"record head {at}", offset - 56, 56)
        if stored:
            yield (f"record content {at}", offset, stored)
        for name, length in zip(names, lengths, strict=True):
            yield (f"entry {at} {name}", start, length)
            start += length
    yield from ((f"fan-out {first}", index + 4 * first, 4) for first in (0, 1, 100, 254, 255))
    names, lengths = ("index offset", "count", "zero", "checksum", "magic"), (8, 4, 4, 8, 8)
    start = len(content) - 32
    for name, length in zip(names, lengths, strict=True):
        yield (f"footer {name}", start, length)
        start += length


def flipped(content: bytes, at: int, mask: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= mask
    return bytes(changed)


def damages(content: bytes, places: list[tuple[str, int, int]]) -> Iterator[tuple[str, bytes]]:
    """Everything that may happen to a file but losing it, as (what, content)."""
    size = len(content)
    for length in sorted({0, 1, 15, 16, 40, size // 3, size // 2, size - 33, size - 32, size - 31, size - 1}):
        if 0 <= length < size:
            yield f"cut to {length}", content[:length]
    yield "extended by zeros", content + bytes(100)
    yield "extended by a byte", content + b"x"
    yield "extended by itself", content + content
    for name, start, length in places:
        for at in sorted({start, start + length // 2, start + length - 1}):
            for mask in (0x01, 0x80, 0xFF):
                yield f"{name}: byte {at} ^ {mask:02x}", flipped(content, at, mask)
    for start in sorted({0, size // 2 // 512 * 512, (size - 1) // 512 * 512}):
        end = min(start + 512, size)
        yield f"zeros from {start}", content[:start] + bytes(end - start) + content[end:]
    yield "all zeros", bytes(size)
    yield "noise", noise(size, 99)


def check(files: dict[str, bytes], what: str) -> set[int]:
    """Read everything: right bytes or Corruption that names the object. Returns which things were readable."""
    store = ObjectStore(storage_of(files))
    readable = set()
    for at, ((kind, content), identity) in enumerate(zip(THINGS, IDS, strict=True)):
        try:
            assert store.read(kind, identity) == content, what
            if kind is Kind.BLOB:
                assert b"".join(store.read_blob(identity)) == content, what
            readable.add(at)
        except Corruption as error:
            assert identity.hex() in error.message, what
    return readable


def storage_of(files: dict[str, bytes]) -> MemoryStorage:
    storage = MemoryStorage()
    storage.files = dict(files)
    return storage


def heal(files: dict[str, bytes], what: str) -> None:
    """Adding the same things again makes all of them readable."""
    storage = storage_of(files)
    store_all(storage, THINGS)
    assert check(storage.files, what) == set(range(len(THINGS))), what


def everything_is_readable_after(files: dict[str, bytes]) -> bool:
    return check(files, "") == set(range(len(THINGS)))


def test_damaged_nothing_all_is_readable() -> None:
    storage = pack_and_singles()
    assert everything_is_readable_after(storage.files)
    assert len(storage.names("packs")) == 1
    assert sum(name.startswith("blobs/") for name in storage.files) == 2


@pytest.mark.parametrize("filler", [0, ENTRIES_OF_A_PACK_READ_IN_BUCKETS])
def test_a_damaged_pack_gives_right_bytes_or_corruption_and_heals(filler: int) -> None:
    storage = pack_and_singles(filler=filler)
    name = pack_name(storage)
    content = storage.files[name]
    outside = set(range(len(THINGS))) - set(IN_PACK)
    found_damage = 0
    for number, (what, changed) in enumerate(damages(content, list(fields(content)))):
        files = storage.files | {name: changed}
        readable = check(files, what)
        assert outside <= readable, what
        found_damage += readable != set(range(len(THINGS)))
        if not filler or number % 16 == 0:
            heal(files, what)
    assert found_damage > 20


def test_a_damaged_record_leaves_the_others_readable() -> None:
    storage = pack_and_singles()
    name = pack_name(storage)
    content = storage.files[name]
    for thing in IN_PACK:
        location = packs.PackReader(storage, name).find(THINGS[thing][0], IDS[thing])
        assert location is not None
        for at in {0, location.stored_bytes // 2, location.stored_bytes - 1} if location.stored_bytes else ():
            for mask in (1, 0x80, 0xFF):
                files = storage.files | {name: flipped(content, location.offset + at, mask)}
                lost = set(range(len(THINGS))) - check(files, f"thing {thing}")
                assert lost <= {thing}  # in a compressed one there may be bits that do not matter
        head = storage.files | {name: flipped(content, location.offset - 30, 0xFF)}
        assert everything_is_readable_after(head)


def test_a_damaged_single_file_gives_corruption_and_heals() -> None:
    storage = pack_and_singles()
    name = single_file_name(IDS[7])
    content = storage.files[name]
    places = [("content", 0, len(content)), ("content", 4096, 512)]
    for what, changed in damages(content, places):
        files = storage.files | {name: changed}
        assert check(files, what) == set(range(len(THINGS))) - {7}, what
        heal(files, what)


def test_damaged_by_deletion() -> None:
    storage = pack_and_singles()
    everything = set(range(len(THINGS)))
    for name in list(storage.files):
        files = {other: content for other, content in storage.files.items() if other != name}
        lost = everything - check(files, name)
        assert lost == (set(IN_PACK) if name.startswith("packs/") else {7 if name == single_file_name(IDS[7]) else 8})
        heal(files, name)


def test_damaged_by_swapping_files() -> None:
    storage = pack_and_singles()
    with ObjectStore(storage).writer() as writer:
        writer.put(Kind.BLOB, b"in a pack of its own")
        writer.publish()
    names = sorted(storage.files)
    assert len(names) == 4
    for first in names:
        for second in names:
            files = storage.files | {first: storage.files[second], second: storage.files[first]}
            what = f"{first} and {second}"
            touched = {7 if single_file_name(IDS[7]) == name else 8 for name in (first, second) if "blobs/" in name}
            mixed = first.split("/")[0] != second.split("/")[0]
            readable = check(files, what)
            if first != second and not mixed:
                assert readable == set(range(len(THINGS))) - touched, what
            heal(files, what)


def test_a_damaged_newer_copy_does_not_hide_an_older_one() -> None:
    storage = MemoryStorage()
    store_all(storage, THINGS[:7])
    old = pack_name(storage)
    newer = old.replace("packs/", "packs/f")
    content = storage.files[old]
    for what, changed in damages(content, list(fields(content))):
        store = ObjectStore(storage_of({old: content, newer: changed}))
        for (kind, expected), identity in zip(THINGS[:7], IDS[:7], strict=True):
            assert store.read(kind, identity) == expected, what


@pytest.mark.parametrize("size", [500, 40_000])
def test_damaged_on_disk_it_heals_within_one_process(tmp_path: Path, size: int) -> None:
    storage = LocalStorage(tmp_path, durable=False)
    store = ObjectStore(storage)
    content = noise(size)

    def add() -> ObjectId:
        with store.writer() as writer:
            identity = writer.put(Kind.BLOB, content)
            writer.publish()
        return identity

    identity = add()
    assert store.read(Kind.BLOB, identity) == content
    for place in [*tmp_path.rglob("*.pack"), *(path for path in tmp_path.glob("blobs/*/*") if path.is_file())]:
        place.chmod(0o644)
        whole = place.read_bytes()
        at = whole.index(content[:50]) + 20
        place.write_bytes(whole[:at] + b"\0\0\0\0" + whole[at + 4 :])
    with pytest.raises(Corruption):
        store.read(Kind.BLOB, identity)
    add()
    assert store.read(Kind.BLOB, identity) == content
    assert b"".join(store.read_blob(identity)) == content


@pytest.mark.parametrize("claimed", [0, 10, 2**32 - 1])
def test_a_record_that_unpacks_to_more_than_the_index_says_is_not_unpacked(claimed: int) -> None:
    storage = MemoryStorage()
    writer = packs.PackWriter(storage)
    identity = object_id(Kind.PAGE, b"ten bytes!")
    writer.add(Kind.PAGE, identity, zstandard.ZstdCompressor().compress(bytes(32 << 20)), packs.ZSTD, claimed)
    writer.seal()
    writer.publish("1")
    store = ObjectStore(storage)
    tracemalloc.start()
    with pytest.raises(Corruption):
        store.read(Kind.PAGE, identity)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


def test_hostile_index_entries_do_not_stop_other_packs() -> None:
    storage = MemoryStorage()
    (identity,) = store_all(storage, [(Kind.PAGE, b"page")])
    good = pack_name(storage)
    content = bytearray(storage.files[good])
    index = struct.unpack_from("<Q", content, len(content) - 32)[0]
    struct.pack_into("<Q", content, index + 1024 + 44, 2**64 - 1)
    struct.pack_into("<Q", content, len(content) - 16, packs.xxhash.xxh3_64_intdigest(bytes(content[index:-32])))
    hostile = storage_of({"packs/f.pack": bytes(content)})
    with pytest.raises(Corruption) as caught:
        ObjectStore(hostile).read(Kind.PAGE, identity)
    assert identity.hex() in caught.value.message
    assert ObjectStore(storage_of({**storage.files, **hostile.files})).read(Kind.PAGE, identity) == b"page"
