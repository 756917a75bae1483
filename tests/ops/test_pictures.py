"""What pictures say of themselves, and that it is read once."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tdvc.ids import Kind, ObjectId
from tdvc.objects.store import ObjectStore
from tdvc.ops import pictures
from tdvc.ops.pictures import PROBLEMS, Pictures, blob_array, look_at, picture_of
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage

FOLDER = "cache/pictures-2"


def encoded(kind: str = "JPEG", size: tuple[int, int] = (32, 24), orientation: int = 0, **options: object) -> bytes:
    stream = io.BytesIO()
    if orientation:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif.tobytes()
    Image.new("RGB", size, (9, 8, 7)).save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"])
def test_size_and_format_are_in_the_header(kind: str) -> None:
    found = look_at(encoded(kind))
    assert (found.size, found.format, found.orientation, found.problem) == ((32, 24), kind, 0, "")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_turn_that_exif_asks_for(kind: str) -> None:
    assert look_at(encoded(kind, orientation=6)).orientation == 6


def test_a_header_is_read_and_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object) -> None:
        raise AssertionError("decoded")

    contents = [encoded(kind, orientation=3) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    assert [look_at(content).orientation for content in contents] == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not-a-picture"),
        (b"text", "not-a-picture"),
        (b"\xff\xd8\xff\xe0 a picture of sorts\xff\xd9", "not-a-picture"),
        (encoded("PNG")[:20], "not-a-picture"),
        (b"P6 100000 100000 255\n", "too-many-pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "not-a-picture"),
    ],
)
def test_what_is_no_picture(content: bytes, problem: str) -> None:
    found = look_at(content)
    assert (found.problem, found.size) == (problem, None)


def test_formats_that_nothing_here_reads_are_let_be() -> None:
    assert look_at(b"\0\0\0\x20ftypheic" + bytes(99)) == (0, 0, "", 0, "", 0)


def test_only_decoding_finds_a_picture_cut_short() -> None:
    content = encoded("PNG", (200, 200))
    short = content[: len(content) - 30]
    assert [look_at(short).problem, look_at(short, deep=True).problem] == ["", "cut-short"]
    assert look_at(content, deep=True).problem == ""


def test_a_decoder_that_takes_padding_for_pixels_is_not_believed() -> None:
    content = encoded("JPEG", (200, 200))
    half = content[: len(content) * 2 // 3] + bytes(220_000)
    assert [look_at(half, deep=True).problem, look_at(content + bytes(220_000), deep=True).problem] == ["cut-short", ""]


def put(repository: Repository, *contents: bytes) -> list[ObjectId]:
    with repository.objects.writer() as writer:
        blobs = [writer.put(Kind.BLOB, content) for content in contents]
        writer.publish()
    return blobs


def facts(repository: Repository, blobs: list[ObjectId], *, deep: bool = False) -> list[tuple]:
    found = Pictures(repository)
    array = blob_array(blobs)
    found.learn(array, deep=deep)
    rows, known = found.known(array, deep=deep)
    assert known.all()
    return [picture_of(row) for row in rows]


def test_facts_are_read_once_and_kept_by_blob(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = put(repository, *(encoded(size=(number + 1, 5)) for number in range(40)), b"text")
    before = facts(repository, blobs)
    assert [fact.size for fact in before[:40]] == [(number + 1, 5) for number in range(40)]
    assert before[40].problem == "not-a-picture"
    monkeypatch.setattr(ObjectStore, "read_blob", lambda *_: pytest.fail("read again"))
    assert facts(repository, [*reversed(blobs)]) == before[::-1]
    assert Pictures(repository).of(blobs[3]).size == (4, 5)


def test_a_missing_picture_is_looked_for_again(repository: Repository) -> None:
    gone = ObjectId(bytes(31) + b"\1")
    assert facts(repository, [gone])[0].problem == "missing"
    _, known = Pictures(repository).known(blob_array([gone]))
    assert not known.any()


def test_decoding_is_remembered_apart(repository: Repository) -> None:
    short = encoded("PNG", (200, 200))[:-30]
    blobs = put(repository, short)
    assert facts(repository, blobs)[0].problem == ""
    assert facts(repository, blobs, deep=True)[0].problem == "cut-short"
    assert facts(repository, blobs)[0].problem == "cut-short"


def test_many_small_files_become_one(repository: Repository) -> None:
    blobs = put(repository, *(encoded(size=(number + 1, 5)) for number in range(30)))
    for blob in blobs:
        facts(repository, [blob])
    assert len(repository.storage.names(FOLDER)) < 10
    _, known = Pictures(repository).known(blob_array(blobs))
    assert known.all()


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-1], lambda c: c[:50] + b"?" + c[51:], lambda c: c[:8]])
def test_a_damaged_file_is_read_again(repository: Repository, damage) -> None:
    blobs = put(repository, *(encoded(size=(number + 1, 5)) for number in range(3)))
    before = facts(repository, blobs)
    assert isinstance(repository.storage, MemoryStorage)
    (name,) = repository.storage.names(FOLDER)
    repository.storage.files[f"{FOLDER}/{name}"] = damage(repository.storage.files[f"{FOLDER}/{name}"])
    assert facts(repository, blobs) == before


def test_too_many_bytes_are_not_read(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", 100)
    assert facts(repository, put(repository, encoded()))[0].problem == "too-large"


def test_processes_find_the_same(disk_repository: Repository) -> None:
    blobs = put(disk_repository, *(encoded(size=(number % 50 + 1, number // 50 + 1)) for number in range(600)))
    sizes = [fact.size for fact in facts(disk_repository, blobs)]
    assert sizes == [(number % 50 + 1, number // 50 + 1) for number in range(600)]


def test_every_problem_has_its_place() -> None:
    assert PROBLEMS[:3] == ("", "missing", "too-large")  # stored as positions: append only
