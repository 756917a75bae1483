"""The object store: round trips, kinds, packs, single files, and every kind of damage at every kind of place."""

from __future__ import annotations

import os
import random
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
from tdvc.storage.base import MemoryStorage, Storage
from tdvc.storage.local import LocalStorage

Thing = tuple[Kind, bytes]


def noise(count: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(count)


def store_all(storage: Storage, things: list[Thing]) -> list[ObjectId]:
    with ObjectStore(storage).writer() as writer:
        identities = [writer.put(*thing) for thing in things]
        writer.publish()
    return identities


CONTENTS = [b"", b"x", b"text " * 2000, noise(5000), b"\xff\xd8\xff" + b"\0" * 5000, bytes(100_000)]


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_comes_back_as_it_was(kind: Kind) -> None:
    storage = MemoryStorage()
    identities = store_all(storage, [(kind, content) for content in CONTENTS])
    store = ObjectStore(storage)
    assert [store.read(kind, identity) for identity in identities] == CONTENTS
    assert all(store.contains(kind, identity) for identity in identities)


def test_a_blob_is_named_by_its_plain_hash() -> None:
    (identity,) = store_all(MemoryStorage(), [(Kind.BLOB, b"abc")])
    assert identity.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_raw_file_never_poses_as_a_commit() -> None:
    commit = b'{"message":"real"}'
    disguised = b"tdvc commit\0" + commit
    storage = MemoryStorage()
    as_blob, as_commit = store_all(storage, [(Kind.BLOB, disguised), (Kind.COMMIT, commit)])
    assert as_blob == as_commit
    store = ObjectStore(storage)
    assert store.read(Kind.BLOB, as_blob) == disguised
    assert store.read(Kind.COMMIT, as_commit) == commit


def test_a_raw_file_alone_is_no_commit() -> None:
    storage = MemoryStorage()
    (identity,) = store_all(storage, [(Kind.BLOB, b"tdvc commit\0{}")])
    store = ObjectStore(storage)
    assert not store.contains(Kind.COMMIT, identity)
    assert store.ids_with_prefix(Kind.COMMIT, identity.hex()[:8]) == []
    with pytest.raises(Corruption) as caught:
        store.read(Kind.COMMIT, identity)
    assert caught.value.code == "object-missing"


def test_the_same_bytes_under_two_kinds_are_two_objects() -> None:
    storage = MemoryStorage()
    identities = store_all(storage, [(kind, b"{}") for kind in Kind])
    assert len(set(identities)) == len(Kind)


# how it is stored


def stored_bytes(storage: MemoryStorage) -> int:
    return sum(map(len, storage.files.values()))


def test_what_compresses_is_compressed_and_what_does_not_is_left_alone() -> None:
    overhead = 3000
    for thing, at_most in [
        ((Kind.INSTANCES, b'{"label":"dog"}\n' * 4000), 10_000),
        ((Kind.BLOB, b"plain text, a line\n" * 4000), 10_000),
        ((Kind.PAGE, noise(50_000)), 50_000),
        ((Kind.BLOB, noise(50_000)), 50_000),
    ]:
        storage = MemoryStorage()
        store_all(storage, [thing])
        assert stored_bytes(storage) < at_most + overhead


@pytest.mark.parametrize("start", [b"\xff\xd8\xff", b"\x89PNG", b"PK\x03\x04", b"OggS"])
def test_pictures_and_archives_are_not_tried(start: bytes) -> None:
    storage = MemoryStorage()
    content = start + bytes(50_000)
    store_all(storage, [(Kind.BLOB, content)])
    assert content in next(iter(storage.files.values()))


def test_one_writer_makes_one_pack() -> None:
    storage = MemoryStorage()
    store_all(storage, [(Kind.BLOB, b"%d" % number) for number in range(500)])
    assert len(storage.names("packs")) == 1


def test_a_full_pack_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MAX_PACK_BYTES", 10_000)
    storage = MemoryStorage()
    things = [(Kind.BLOB, noise(1000, number)) for number in range(100)]
    identities = store_all(storage, things)
    assert len(storage.names("packs")) >= 8
    assert max(map(len, storage.files.values())) < 14_000
    store = ObjectStore(storage)
    assert [store.read(Kind.BLOB, identity) for identity in identities] == [content for _, content in things]


def test_a_pack_with_many_entries_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "MAX_PACK_ENTRIES", 10)
    storage = MemoryStorage()
    identities = store_all(storage, [(Kind.BLOB, b"%d" % number) for number in range(35)])
    assert len(storage.names("packs")) == 4
    assert [ObjectStore(storage).read(Kind.BLOB, i) for i in identities] == [b"%d" % n for n in range(35)]


@pytest.mark.parametrize(("size", "single"), [((8 << 20) - 1, False), (8 << 20, True), ((8 << 20) + 1, True)])
def test_blobs_of_8_mib_are_files_of_their_own(size: int, single: bool) -> None:
    storage = MemoryStorage()
    content = bytes(size)
    (identity,) = store_all(storage, [(Kind.BLOB, content)])
    name = single_file_name(identity)
    store = ObjectStore(storage)
    assert (name in storage.files) is single
    assert store.single_file(identity) == (name if single else None)
    assert store.contains(Kind.BLOB, identity)
    assert store.read(Kind.BLOB, identity) == content
    pieces = list(store.read_blob(identity))
    assert b"".join(pieces) == content
    assert not single or max(map(len, pieces)) <= 1 << 20


def test_large_metadata_is_packed_all_the_same() -> None:
    storage = MemoryStorage()
    content = noise(9 << 20)
    (identity,) = store_all(storage, [(Kind.INSTANCES, content)])
    assert ObjectStore(storage).read(Kind.INSTANCES, identity) == content
    assert [name.split("/")[0] for name in storage.files] == ["packs"]


# writing


def test_nothing_is_visible_before_it_is_published() -> None:
    storage = MemoryStorage()
    store = ObjectStore(storage)
    with store.writer() as writer:
        identity = writer.put(Kind.PAGE, b"page")
        blob = writer.put(Kind.BLOB, bytes(8 << 20))
        assert writer.read(Kind.PAGE, identity) == b"page"
        assert not store.contains(Kind.PAGE, identity)
        assert not store.contains(Kind.BLOB, blob)
        writer.publish()
        assert store.read(Kind.PAGE, identity) == b"page"
        assert store.contains(Kind.BLOB, blob)


def test_what_is_not_published_is_forgotten(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path, durable=False)
    with pytest.raises(KeyError), ObjectStore(storage).writer() as writer:
        writer.put(Kind.PAGE, b"page")
        writer.put(Kind.BLOB, bytes(8 << 20))
        raise KeyError
    assert storage.names("packs") == []
    assert os.listdir(tmp_path / "tmp") == []


def test_a_writer_goes_on_after_publishing() -> None:
    storage = MemoryStorage()
    with ObjectStore(storage).writer() as writer:
        first = writer.put(Kind.PAGE, b"first")
        writer.publish()
        second = writer.put(Kind.PAGE, b"second")
        assert writer.put(Kind.PAGE, b"first") == first
        writer.publish()
        writer.publish()
    assert len(storage.names("packs")) == 2
    store = ObjectStore(storage)
    assert [store.read(Kind.PAGE, identity) for identity in (first, second)] == [b"first", b"second"]


@pytest.mark.parametrize("size", [0, 10, 1000, 100_000, 8 << 20])
def test_what_is_there_is_not_stored_again(size: int) -> None:
    storage = MemoryStorage()
    content = noise(size)
    store_all(storage, [(Kind.BLOB, content)])
    before = dict(storage.files)
    with ObjectStore(storage).writer() as writer:
        writer.put(Kind.BLOB, content)
        writer.put(Kind.BLOB, content)
        writer.publish()
    assert storage.files == before


def test_one_writer_stores_equal_things_once() -> None:
    storage = MemoryStorage()
    with ObjectStore(storage).writer() as writer:
        for _ in range(3):
            writer.put(Kind.BLOB, noise(10_000))
        assert writer.new_blob_bytes == 10_000
        writer.publish()
    assert stored_bytes(storage) < 13_000


def test_new_bytes_never_hide_behind_other_bytes_of_the_same_name() -> None:
    """As if somebody had found two contents with one id: the new one is stored, and verified when it is read."""
    storage = MemoryStorage()
    right, wrong = b"right" * 100, b"wrong" * 100
    identity = object_id(Kind.BLOB, right)
    with ObjectStore(storage).writer() as writer:
        writer.put_known(Kind.BLOB, identity, wrong)
        writer.publish()
    with pytest.raises(Corruption):
        ObjectStore(storage).read(Kind.BLOB, identity)
    store_all(storage, [(Kind.BLOB, right)])
    assert ObjectStore(storage).read(Kind.BLOB, identity) == right


def test_a_large_blob_passes_through_in_pieces() -> None:
    storage = MemoryStorage()
    content = noise(3 << 20)
    identity = object_id(Kind.BLOB, content)
    with ObjectStore(storage).writer() as writer:
        for _ in range(2):
            upload = writer.begin_single()
            for start in range(0, len(content), 1 << 20):
                upload.write([content[start : start + (1 << 20)]])
            writer.finish_single(upload, identity)
        writer.publish()
    assert list(storage.files) == [single_file_name(identity)]
    assert ObjectStore(storage).read(Kind.BLOB, identity) == content


# finding


def test_a_pack_that_appears_after_listing_is_found() -> None:
    storage = MemoryStorage()
    store = ObjectStore(storage)
    store_all(storage, [(Kind.PAGE, b"early")])
    assert store.read(Kind.PAGE, object_id(Kind.PAGE, b"early")) == b"early"
    late, blob = store_all(storage, [(Kind.PAGE, b"late"), (Kind.BLOB, b"late")])
    assert store.read(Kind.PAGE, late) == b"late"
    assert list(store.read_blob(blob)) == [b"late"]


def test_a_pack_that_went_away_is_done_without() -> None:
    storage = MemoryStorage()
    store_all(storage, [(Kind.PAGE, b"page")])
    (old,) = storage.files
    store = ObjectStore(storage)
    identity = object_id(Kind.PAGE, b"page")
    store.read(Kind.PAGE, identity)
    storage.files[old.replace("packs/", "packs/f")] = storage.files.pop(old)
    assert store.read(Kind.PAGE, identity) == b"page"


def test_what_is_missing_is_named() -> None:
    identity = object_id(Kind.VIEW, b"{}")
    with pytest.raises(Corruption) as caught:
        ObjectStore(MemoryStorage()).read(Kind.VIEW, identity)
    assert caught.value.code == "object-missing"
    assert f"view {identity.hex()}" in caught.value.message


def test_ids_with_a_prefix_come_from_all_packs_once() -> None:
    storage = MemoryStorage()
    commits = [b'{"n":%d}' % number for number in range(600)]
    store_all(storage, [(Kind.COMMIT, content) for content in commits[:400]])
    store_all(storage, [(Kind.COMMIT, content) for content in commits[300:]])
    identities = [object_id(Kind.COMMIT, content) for content in commits]
    prefix = identities[350].hex()[:2]
    expected = sorted(identity for identity in identities if identity.hex().startswith(prefix))
    assert ObjectStore(storage).ids_with_prefix(Kind.COMMIT, prefix) == expected


def test_other_files_among_the_packs_are_passed_over() -> None:
    storage = MemoryStorage()
    (identity,) = store_all(storage, [(Kind.PAGE, b"page")])
    storage.files |= {"packs/notes.txt": b"hello", "packs/zz.pack": b"", "packs/yy.pack": noise(5000)}
    assert ObjectStore(storage).read(Kind.PAGE, identity) == b"page"


# damage

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
def _small_singles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "damaged" in request.node.name:
        monkeypatch.setattr(stores, "LARGE_BYTES", 30_000)


def pack_and_singles(*, filler: int = 0) -> MemoryStorage:
    """All things in one pack and two single files, and one thing in an older pack as well."""
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
