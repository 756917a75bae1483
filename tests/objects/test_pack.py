"""Packs: what is written is found again, and an index that lies is refused."""

from __future__ import annotations

import struct

import pytest
import xxhash

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.objects.pack import RAW, PackReader, PackWriter
from tdvc.storage.base import MemoryStorage

ENTRY = struct.Struct("<32sBBHIIQ")


def pack_of(storage: MemoryStorage, contents: list[tuple[Kind, bytes]], stamp: str = "1") -> PackReader:
    writer = PackWriter(storage)
    for kind, content in contents:
        writer.add(kind, object_id(kind, content), content, RAW, len(content))
    writer.seal()
    return PackReader(storage, writer.publish(stamp))


def numbered(count: int) -> list[tuple[Kind, bytes]]:
    return [(Kind.BLOB, b"%d" % number) for number in range(count)]


def stored(storage: MemoryStorage, reader: PackReader, kind: Kind, identity: ObjectId) -> bytes | None:
    location = reader.find(kind, identity)
    if location is None:
        return None
    return storage.read_range(location.pack, location.offset, location.stored_bytes)


@pytest.mark.parametrize("count", [0, 1, 2, 300, 4096, 4097, 6000])
def test_every_object_is_found_and_no_other(count: int) -> None:
    storage = MemoryStorage()
    reader = pack_of(storage, numbered(count))
    assert reader.count == count
    for kind, content in numbered(count):
        assert stored(storage, reader, kind, object_id(kind, content)) == content
    for absent in (b"absent", b"-1", b""):
        assert reader.find(Kind.BLOB, object_id(Kind.BLOB, absent)) is None
    assert reader.find(Kind.BLOB, ObjectId(bytes(32))) is None
    assert reader.find(Kind.BLOB, ObjectId(b"\xff" * 32)) is None


def test_an_object_is_found_under_its_kind_only() -> None:
    storage = MemoryStorage()
    reader = pack_of(storage, [(Kind.COMMIT, b"{}")])
    identity = object_id(Kind.COMMIT, b"{}")
    assert stored(storage, reader, Kind.COMMIT, identity) == b"{}"
    assert [reader.find(kind, identity) for kind in Kind if kind is not Kind.COMMIT] == [None] * (len(Kind) - 1)


def test_two_kinds_may_share_an_id() -> None:
    storage = MemoryStorage()
    writer = PackWriter(storage)
    identity = ObjectId(b"\x07" * 32)
    writer.add(Kind.COMMIT, identity, b"commit", RAW, 6)
    writer.add(Kind.BLOB, identity, b"blob", RAW, 4)
    writer.seal()
    reader = PackReader(storage, writer.publish("1"))
    assert stored(storage, reader, Kind.BLOB, identity) == b"blob"
    assert stored(storage, reader, Kind.COMMIT, identity) == b"commit"
    assert reader.find(Kind.PAGE, identity) is None


@pytest.mark.parametrize("count", [50, 5000])
def test_entries_lists_all_in_order_of_their_ids(count: int) -> None:
    reader = pack_of(MemoryStorage(), numbered(count))
    listed = [(kind, identity) for kind, identity, _ in reader.entries()]
    assert listed == sorted((Kind.BLOB, object_id(*item)) for item in numbered(count))


@pytest.mark.parametrize("count", [50, 5000])
def test_ids_are_found_by_their_first_digits(count: int) -> None:
    contents = numbered(count)
    reader = pack_of(MemoryStorage(), [*contents, (Kind.COMMIT, b"{}")])
    identity = object_id(*contents[7])
    for digits in (2, 3, 7, 64):
        prefix = identity.hex()[:digits]
        expected = sorted(i for i in (object_id(*item) for item in contents) if i.hex().startswith(prefix))
        assert reader.ids_with_prefix(Kind.BLOB, prefix) == expected
    assert reader.ids_with_prefix(Kind.COMMIT, object_id(Kind.COMMIT, b"{}").hex()[:9]) == [
        object_id(Kind.COMMIT, b"{}")
    ]
    assert reader.ids_with_prefix(Kind.VIEW, identity.hex()) == []


def test_equal_contents_give_equal_packs_whatever_their_stamp() -> None:
    first, second = MemoryStorage(), MemoryStorage()
    pack_of(first, numbered(20), "1")
    pack_of(second, numbered(20), "2")
    assert list(first.files.values()) == list(second.files.values())
    assert [name.partition("-")[2] for name in first.files] == [name.partition("-")[2] for name in second.files]


def test_a_pack_is_invisible_until_published_and_gone_when_discarded() -> None:
    storage = MemoryStorage()
    writer = PackWriter(storage)
    writer.add(Kind.BLOB, object_id(Kind.BLOB, b"x"), b"x", RAW, 1)
    writer.seal()
    writer.discard()
    assert storage.files == {}


def with_entry(content: bytes, count: int, at: int, **changes: int) -> bytes:
    """A pack whose `at`-th index entry says something else, checksum and all."""
    names = ("identity", "kind", "codec", "zero", "stored_bytes", "size_bytes", "offset")
    index_offset = struct.unpack_from("<Q", content, len(content) - 32)[0]
    entries = index_offset + 1024
    fields = dict(zip(names, ENTRY.unpack_from(content, entries + at * ENTRY.size), strict=True)) | changes
    changed = bytearray(content)
    ENTRY.pack_into(changed, entries + at * ENTRY.size, *fields.values())
    index = bytes(changed[index_offset : entries + count * ENTRY.size])
    struct.pack_into("<Q", changed, len(changed) - 16, xxhash.xxh3_64_intdigest(index))
    return bytes(changed)


@pytest.mark.parametrize("count", [3, 5000])
@pytest.mark.parametrize(
    "changes",
    [{"offset": 2**64 - 1}, {"offset": 1 << 40}, {"stored_bytes": 2**32 - 1}, {"offset": 2**64 - 1, "stored_bytes": 1}],
)
def test_an_entry_that_points_outside_is_refused(count: int, changes: dict[str, int]) -> None:
    storage = MemoryStorage()
    name = pack_of(storage, numbered(count)).name
    first = sorted(object_id(*item) for item in numbered(count))[0]
    storage.files[name] = with_entry(storage.files[name], count, 0, **changes)
    reader = PackReader(storage, name)
    with pytest.raises(Corruption):
        reader.find(Kind.BLOB, first)
    with pytest.raises(Corruption):
        list(reader.entries())


def test_an_entry_of_no_known_kind_is_refused() -> None:
    storage = MemoryStorage()
    name = pack_of(storage, numbered(3)).name
    storage.files[name] = with_entry(storage.files[name], 3, 1, kind=99)
    with pytest.raises(Corruption):
        list(PackReader(storage, name).entries())


@pytest.mark.parametrize("place", [0, 4 * 100, 4 * 255])
def test_a_fan_out_that_does_not_ascend_to_the_count_is_refused(place: int) -> None:
    storage = MemoryStorage()
    name = pack_of(storage, numbered(5000)).name
    content = bytearray(storage.files[name])
    index_offset = struct.unpack_from("<Q", content, len(content) - 32)[0]
    struct.pack_into("<I", content, index_offset + place, 2**31)
    storage.files[name] = bytes(content)
    with pytest.raises(Corruption):
        PackReader(storage, name)


def test_a_pack_cut_short_after_it_was_opened_is_refused() -> None:
    storage = MemoryStorage()
    contents = numbered(5000)
    reader = pack_of(storage, contents)
    last = sorted(object_id(*item) for item in contents)[-1]
    storage.files[reader.name] = storage.files[reader.name][:-70]
    with pytest.raises(Corruption):
        reader.find(Kind.BLOB, last)
