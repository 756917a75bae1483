"""What every `Storage` must do, run over each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tdvc.errors import StorageFailure
from tdvc.storage.base import MemoryStorage, Storage
from tdvc.storage.local import LocalStorage

MEMBERS: dict[str, Callable[[Path], Storage]] = {
    "memory": lambda folder: MemoryStorage(),
    "local": lambda folder: LocalStorage(folder, durable=False),
    "local, durable": lambda folder: LocalStorage(folder, durable=True),
}


@pytest.fixture(params=MEMBERS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MEMBERS[request.param](tmp_path)


def publish(storage: Storage, name: str, *parts: bytes) -> None:
    upload = storage.upload()
    upload.write(parts)
    upload.seal()
    upload.publish(name)


def test_what_is_published_is_read_back(storage: Storage) -> None:
    publish(storage, "packs/one", b"abc", b"", memoryview(b"defgh"))
    assert storage.read("packs/one") == b"abcdefgh"
    assert storage.size("packs/one") == 8


def test_ranges_end_with_the_file(storage: Storage) -> None:
    publish(storage, "packs/one", b"abcdefgh")
    ranges = [(0, 3), (2, 4), (6, 100), (8, 1), (100, 5), (3, 0)]
    assert [storage.read_range("packs/one", *r) for r in ranges] == [b"abc", b"cdef", b"gh", b"", b"", b""]


def test_a_file_of_nothing_is_a_file(storage: Storage) -> None:
    publish(storage, "packs/empty")
    assert storage.read("packs/empty") == b""
    assert storage.size("packs/empty") == 0
    assert storage.names("packs") == ["empty"]


def test_many_parts_and_many_writes_keep_their_order(storage: Storage) -> None:
    upload = storage.upload()
    expected = bytearray()
    for number in range(3):
        parts = [bytes([i % 256, number]) for i in range(1500)]
        upload.write(parts)
        expected += b"".join(parts)
    upload.publish("packs/many")
    assert storage.read("packs/many") == bytes(expected)


def test_a_missing_file_is_not_found(storage: Storage) -> None:
    for look in (storage.read, storage.size, lambda name: storage.read_range(name, 0, 1)):
        with pytest.raises(FileNotFoundError):
            look("packs/none")


def test_an_upload_is_invisible_until_it_is_published(storage: Storage) -> None:
    upload = storage.upload()
    upload.write([b"abc"])
    upload.seal()
    assert storage.names("packs") == []
    upload.publish("packs/one")
    assert storage.names("packs") == ["one"]


def test_a_discarded_upload_leaves_nothing(storage: Storage) -> None:
    upload = storage.upload()
    upload.write([b"abc"])
    upload.discard()
    assert storage.names("packs") == []
    assert storage.names("tmp") == []


def test_a_sealed_upload_takes_no_more(storage: Storage) -> None:
    upload = storage.upload()
    upload.write([b"abc"])
    upload.seal()
    with pytest.raises(StorageFailure):
        upload.write([b"d"])
    upload.publish("packs/one")
    assert storage.read("packs/one") == b"abc"


def test_publishing_the_same_again_is_no_error(storage: Storage) -> None:
    publish(storage, "blobs/aa/one", b"abc")
    publish(storage, "blobs/aa/one", b"abc")
    assert storage.read("blobs/aa/one") == b"abc"
    assert storage.names("blobs/aa") == ["one"]


def test_publishing_over_a_damaged_file_is_seen_by_who_read_it_before(storage: Storage) -> None:
    publish(storage, "blobs/aa/one", b"damaged")
    assert storage.read_range("blobs/aa/one", 0, 100) == b"damaged"
    publish(storage, "blobs/aa/one", b"whole again")
    assert storage.read_range("blobs/aa/one", 0, 100) == b"whole again"


def test_names_are_sorted_and_of_files_in_that_folder(storage: Storage) -> None:
    for name in ("packs/b", "packs/a", "packs2/c", "blobs/aa/d"):
        publish(storage, name, b"x")
    assert storage.names("packs") == ["a", "b"]
    assert storage.names("blobs/aa") == ["d"]
    assert storage.names("nowhere") == []


def test_create_makes_a_file_once(storage: Storage) -> None:
    storage.create("heads/empty")
    storage.create("format", b"tdvc\n")
    assert storage.read("heads/empty") == b""
    assert storage.read("format") == b"tdvc\n"
    for name, content in (("heads/empty", b""), ("format", b"other"), ("format", b"")):
        with pytest.raises(FileExistsError):
            storage.create(name, content)
    assert storage.read("format") == b"tdvc\n"
    assert storage.names("tmp") == []


def test_remove_takes_a_name_away_and_is_content_where_it_is_gone(storage: Storage) -> None:
    publish(storage, "packs/one", b"abc")
    assert storage.read_range("packs/one", 0, 1) == b"a"
    storage.remove("packs/one")
    storage.remove("packs/one")
    storage.remove("nowhere/one")
    assert storage.names("packs") == []
    with pytest.raises(FileNotFoundError):
        storage.read_range("packs/one", 0, 1)


def test_replace_puts_a_file_in_place_of_another(storage: Storage) -> None:
    storage.replace("config.toml", b"a long first version")
    storage.replace("config.toml", b"second")
    assert storage.read("config.toml") == b"second"
    assert storage.names("tmp") == []


def test_what_is_mapped_stays_as_it_was(storage: Storage) -> None:
    storage.replace_cache("cache/columns/a", b"first")
    mapped = storage.mapped("cache/columns/a")
    storage.replace_cache("cache/columns/a", b"another")
    assert (bytes(mapped), bytes(storage.mapped("cache/columns/a"))) == (b"first", b"another")
    storage.replace_cache("cache/columns/empty", b"")
    assert bytes(storage.mapped("cache/columns/empty")) == b""
    with pytest.raises(FileNotFoundError):
        storage.mapped("cache/columns/none")


def test_a_cache_file_is_replaced_whole(storage: Storage) -> None:
    storage.replace_cache("cache/stat/a", b"a long first version")
    storage.replace_cache("cache/stat/a", b"second")
    assert storage.read("cache/stat/a") == b"second"
    assert storage.names("cache/stat") == ["a"]


def test_the_lock_is_free_again_after_use_and_after_an_error(storage: Storage) -> None:
    with storage.lock(0.0):
        storage.create("heads/a")
    with pytest.raises(KeyError), storage.lock(0.0):
        raise KeyError
    with storage.lock(0.0):
        storage.sweep()
    assert storage.names("heads") == ["a"]


def test_a_sweep_keeps_what_this_process_is_writing(storage: Storage) -> None:
    upload = storage.upload()
    upload.write([b"abc"])
    with storage.lock(0.0):
        storage.sweep()
    upload.publish("packs/one")
    assert storage.read("packs/one") == b"abc"


def test_uploads_from_several_threads_do_not_mix(storage: Storage) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            publish(storage, f"packs/{number}-{turn}", bytes([number]) * 1000, bytes([turn]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        for turn in range(5):
            assert storage.read(f"packs/{number}-{turn}") == bytes([number]) * 1000 + bytes([turn])
