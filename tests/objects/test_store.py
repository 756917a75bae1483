"""The object store: round trips, kinds, packs and single files, writing and finding."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tdvc.errors import Corruption
from tdvc.ids import Kind, ObjectId, object_id
from tdvc.objects import pack as packs
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
        assert writer.new_blob_bytes == 0
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
    new_bytes = []
    for _ in range(2):
        with ObjectStore(storage).writer() as writer:
            for _ in range(2):
                upload = writer.begin_single()
                for start in range(0, len(content), 1 << 20):
                    upload.write([content[start : start + (1 << 20)]])
                writer.finish_single(upload, identity, len(content))
            writer.publish()
            new_bytes.append(writer.new_blob_bytes)
    assert new_bytes == [len(content), 0]
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
