from __future__ import annotations

import errno
import hashlib
import io
import os
import socket
from pathlib import Path

import pytest
from PIL import Image

from tdvc.errors import NotFound, Refused, StorageFailure, Usage
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate
from tdvc.ops.transfer import mirror
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.ops.build import (
    box,
    fails,
    file_id,
    held,
    jpeg,
    labels,
    lines,
    read_tree,
    stored_blobs,
    unchanged,
    write_tree,
)

FILES = {"a.jpg": jpeg("a"), "b.jpg": jpeg("b"), "in/c.txt": b"text", "in/deep/d.bin": bytes(range(256))}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "photos", FILES)


def bytes_of(repository: Repository, revision: str = "Main") -> dict[str, bytes]:
    return {path: content for path, (content, _) in held(repository, revision).items()}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of files that are opened from now on."""
    seen: list[str] = []
    real = os.open

    def noted(path, *given, **options):
        seen.append(os.fspath(path))
        return real(path, *given, **options)

    monkeypatch.setattr(os, "open", noted)
    return seen


# what comes in


def test_a_folder(repository: Repository, photos: Path) -> None:
    result = add(repository, [photos])
    assert (result.directory, result.added_files, result.unchanged_files, result.problems) == ("Main", 4, 0, [])
    assert result.new_blob_bytes == sum(map(len, FILES.values()))
    assert bytes_of(repository) == FILES
    assert {file.path: file.blob_id for file in repository["Main"]} == {
        path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()
    }
    assert repository["Main"].entry("a.jpg").state.media_type == b"image/jpeg"
    assert repository["Main"].entry("in/c.txt").state.media_type == b"text/plain"


def test_single_files_and_several_sources(repository: Repository, photos: Path) -> None:
    result = add(repository, [photos / "in", photos / "a.jpg", photos / "in/deep/d.bin"])
    assert result.added_files == 4
    assert sorted(bytes_of(repository)) == ["a.jpg", "c.txt", "d.bin", "deep/d.bin"]


def test_a_prefix(repository: Repository, photos: Path) -> None:
    add(repository, [photos], at="summer/2026/")
    assert bytes_of(repository) == {f"summer/2026/{path}": content for path, content in FILES.items()}


def test_into_another_directory(repository: Repository, photos: Path) -> None:
    with repository.transaction("create") as edit:
        edit.create_directory("Other")
    assert add(repository, [photos], "Other").directory == "Other"
    assert len(repository["Main"]) == 0


def test_the_source_is_never_written_to(disk_repository: Repository, photos: Path) -> None:
    before = {path: os.stat(photos / path) for path in FILES}
    add(disk_repository, [photos])
    assert read_tree(photos) == FILES
    assert {path: os.stat(photos / path)[:9] for path in FILES} == {path: look[:9] for path, look in before.items()}


def test_equal_bytes_are_stored_once(repository: Repository, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", {f"{n}.jpg": jpeg("same") for n in range(5)})
    result = add(repository, [source])
    assert result.new_blob_bytes == len(jpeg("same")) == sum(stored_blobs(repository).values())
    assert len({file.file_id for file in repository["Main"]}) == 5


def test_the_same_folder_gives_the_same_root_in_another_repository(
    repository: Repository, disk_repository: Repository, photos: Path
) -> None:
    add(repository, [photos])
    add(disk_repository, [photos / "in"], at="in")
    add(disk_repository, [photos / "b.jpg"])
    add(disk_repository, [photos / "a.jpg"])
    assert repository["Main"].root == disk_repository["Main"].root


@pytest.mark.parametrize("size", [8 << 20, (8 << 20) - 1, (8 << 20) + 12345], ids=["limit", "below", "above"])
def test_large_files(disk_repository: Repository, tmp_path: Path, size: int) -> None:
    content = hashlib.sha256(b"seed").digest() * (size // 32 + 1)
    source = write_tree(tmp_path / "source", {"large.bin": content[:size], "same.bin": content[:size]})
    assert add(disk_repository, [source]).added_files == 2
    assert disk_repository["Main"]["large.bin"].read() == content[:size]
    assert disk_repository["Main"].counts.bytes == 2 * size
    singles = [place for place in (disk_repository.path / ".tdvc/blobs").rglob("*") if place.is_file()]
    assert [place.stat().st_size for place in singles] == ([size] if size >= 8 << 20 else [])


def test_the_bytes_of_large_files_are_counted(disk_repository: Repository, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", {"large.bin": bytes(9 << 20)})
    assert add(disk_repository, [source]).new_blob_bytes == 9 << 20


def test_more_files_than_one_worker_would_take(disk_repository: Repository, tmp_path: Path) -> None:
    files = {f"{n % 7}/{n:05}.jpg": jpeg(f"{n} " * (n % 50)) for n in range(1100)}
    source = write_tree(tmp_path / "source", {**files, "bad.jpg": b"no picture"})
    result = add(disk_repository, [source])
    assert result.added_files == 1101
    assert [problem.place for problem in result.problems] == ["bad.jpg"]
    assert bytes_of(disk_repository) == {**files, "bad.jpg": b"no picture"}


# what is there already


def test_replaced_bytes_keep_the_file_and_its_instances(repository: Repository, photos: Path) -> None:
    add(repository, [photos])
    annotate(repository, lines({"op": "add", "path": "a.jpg", "instance": box("dog")}))
    mirror(repository, ["Main:a.jpg"], "Dogs")
    before = file_id(repository, "Main", "a.jpg")
    (photos / "a.jpg").write_bytes(jpeg("a better one"))
    result = add(repository, [photos])
    assert (result.added_files, result.replaced_files, result.unchanged_files) == (0, 1, 3)
    assert result.new_blob_bytes == len(jpeg("a better one"))
    assert file_id(repository, "Main", "a.jpg") == before
    assert labels(repository, "Main", "a.jpg") == ["dog"]
    assert repository["Dogs"]["a.jpg"].read() == jpeg("a better one")
    assert repository["Dogs"].counts.bytes == len(jpeg("a better one"))


def test_nothing_changed_publishes_nothing(repository: Repository, photos: Path) -> None:
    add(repository, [photos])
    with unchanged(repository):
        result = add(repository, [photos])
    assert (result.unchanged_files, result.added_files, result.new_blob_bytes, result.operation) == (4, 0, 0, None)


def test_a_second_add_opens_no_file(repository: Repository, photos: Path, settled_clock, opened: list[str]) -> None:
    add(repository, [photos])
    assert len([path for path in opened if str(photos) in path]) == 4
    opened.clear()
    assert add(repository, [photos]).unchanged_files == 4
    assert opened == []


def test_a_second_add_opens_only_what_changed(
    repository: Repository, photos: Path, settled_clock, opened: list[str]
) -> None:
    add(repository, [photos])
    write_tree(photos, {"b.jpg": jpeg("b2"), "new.jpg": jpeg("new")})
    opened.clear()
    add(repository, [photos])
    assert sorted(path for path in opened if str(photos) in path and "new" not in path) == [str(photos / "b.jpg")]
    assert bytes_of(repository) == {**FILES, "b.jpg": jpeg("b2"), "new.jpg": jpeg("new")}


def test_a_change_that_keeps_size_and_modification_time_is_seen(
    repository: Repository, photos: Path, settled_clock
) -> None:
    add(repository, [photos])
    look = os.stat(photos / "a.jpg")
    (photos / "a.jpg").write_bytes(jpeg("x"))
    os.utime(photos / "a.jpg", ns=(look.st_atime_ns, look.st_mtime_ns))
    assert add(repository, [photos]).replaced_files == 1
    assert repository["Main"]["a.jpg"].read() == jpeg("x")


def test_files_that_have_just_changed_are_not_trusted_by_their_look(
    repository: Repository, photos: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    """A file could change once more within the clock's granularity and look the same."""
    from tdvc.ops import statcache

    monkeypatch.setattr(statcache, "GRANULARITY_NS", 10**18)
    add(repository, [photos])
    opened.clear()
    assert add(repository, [photos]).unchanged_files == 4
    assert len([path for path in opened if str(photos) in path]) == 4


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-1], lambda c: c[: len(c) // 2], lambda c: c + b"x"])
def test_a_damaged_stat_cache_costs_time_only(repository: Repository, photos: Path, settled_clock, damage) -> None:
    add(repository, [photos])
    storage = repository.storage
    (name,) = [f"cache/stat/{name}" for name in storage.names("cache/stat")]
    storage.files[name] = damage(storage.files[name])
    with unchanged(repository):
        assert add(repository, [photos]).unchanged_files == 4


def test_any_flipped_byte_of_the_stat_cache_is_noticed(repository: Repository, photos: Path, settled_clock) -> None:
    add(repository, [photos])
    storage = repository.storage
    (name,) = [f"cache/stat/{name}" for name in storage.names("cache/stat")]
    whole = storage.files[name]
    for at in range(0, len(whole), 7):
        storage.files[name] = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        with unchanged(repository):
            assert add(repository, [photos]).unchanged_files == 4


def test_after_undo_everything_comes_in_again(repository: Repository, photos: Path, settled_clock) -> None:
    add(repository, [photos])
    root = repository["Main"].root
    undo(repository)
    assert len(repository["Main"]) == 0
    assert add(repository, [photos]).added_files == 4
    assert repository["Main"].root == root


def test_the_cache_of_one_directory_says_nothing_of_another(
    repository: Repository, photos: Path, settled_clock
) -> None:
    with repository.transaction("create") as edit:
        edit.create_directory("Other")
    add(repository, [photos], "Main")
    assert add(repository, [photos], "Other").added_files == 4
    assert add(repository, [photos], "Main").unchanged_files == 4
    assert add(repository, [photos], "Main", at="again").added_files == 4


# --sync and dry runs


def test_sync_takes_out_what_is_gone(repository: Repository, photos: Path, settled_clock) -> None:
    add(repository, [photos])
    (photos / "a.jpg").unlink()
    (photos / "b.jpg").write_bytes(jpeg("b2"))
    assert add(repository, [photos]).removed_files == 0
    result = add(repository, [photos], sync=True)
    assert (result.removed_files, result.unchanged_files) == (1, 3)
    assert sorted(bytes_of(repository)) == ["b.jpg", "in/c.txt", "in/deep/d.bin"]


def test_sync_keeps_to_the_prefix(repository: Repository, photos: Path) -> None:
    add(repository, [photos], at="one")
    add(repository, [photos], at="two")
    (photos / "a.jpg").unlink()
    add(repository, [photos], at="one", sync=True)
    assert "one/a.jpg" not in repository["Main"]
    assert "two/a.jpg" in repository["Main"]


def test_sync_of_an_empty_folder_empties_the_directory(repository: Repository, photos: Path, tmp_path: Path) -> None:
    add(repository, [photos])
    (tmp_path / "empty").mkdir()
    assert add(repository, [tmp_path / "empty"], sync=True).removed_files == 4


@pytest.mark.parametrize("prefix", ["", "at/"])
@pytest.mark.parametrize("unreadable", ["", "/in", "/in/deep"])
def test_sync_never_takes_out_what_it_could_not_look_at(
    repository: Repository, photos: Path, monkeypatch: pytest.MonkeyPatch, prefix: str, unreadable: str
) -> None:
    add(repository, [photos], at=prefix)
    real = os.scandir

    def refuse(place):
        if os.fspath(place).rstrip("/") == f"{photos}{unreadable}":
            raise PermissionError(13, "Permission denied")
        return real(place)

    monkeypatch.setattr(os, "scandir", refuse)
    result = add(repository, [photos], at=prefix, sync=True)
    assert result.removed_files == 0
    assert [problem.code for problem in result.problems] == ["unreadable"]


@pytest.mark.parametrize("sources", [["a.jpg"], ["in", "a.jpg"], []])
def test_sync_needs_one_folder(repository: Repository, photos: Path, sources: list[str]) -> None:
    with unchanged(repository), fails(Usage, "bad-usage"):
        add(repository, [photos / name for name in sources], sync=True)


def test_a_dry_run_counts_and_stores_nothing(repository: Repository, photos: Path) -> None:
    with unchanged(repository):
        result = add(repository, [photos], dry_run=True)
    assert (result.added_files, result.operation) == (4, None)
    assert result.new_blob_bytes == sum(map(len, FILES.values()))
    assert stored_blobs(repository) == {}
    assert add(repository, [photos]).added_files == 4


# what is left out


def test_ignored_and_hidden(repository: Repository, photos: Path) -> None:
    write_tree(
        photos,
        {
            ".tdvcignore": b"*.tmp\n/in/deep/\n# a comment\n!keep.tmp\n",
            "x.tmp": b"x",
            "keep.tmp": b"k",
            "in/y.tmp": b"y",
            ".hidden": b"h",
            ".folder/x": b"x",
            "in/.DS_Store": b"x",
        },
    )
    result = add(repository, [photos])
    assert sorted(bytes_of(repository)) == ["a.jpg", "b.jpg", "in/c.txt", "keep.tmp"]
    assert (result.hidden, result.problems) == (3, [])


def test_links_pipes_and_sockets_are_listed_and_never_opened(
    repository: Repository, photos: Path, tmp_path: Path, opened: list[str], monkeypatch
) -> None:
    write_tree(tmp_path / "elsewhere", {"secret": b"secret"})
    (photos / "link.jpg").symlink_to(tmp_path / "elsewhere/secret")
    (photos / "folder").symlink_to(tmp_path / "elsewhere")
    (photos / "in/loop").symlink_to(photos)
    os.mkfifo(photos / "pipe")
    monkeypatch.chdir(photos)
    server = socket.socket(socket.AF_UNIX)
    server.bind("socket")
    try:
        result = add(repository, [photos])
    finally:
        server.close()
    assert {problem.place: problem.code for problem in result.problems} == {
        "folder": "skipped-symlink",
        "in/loop": "skipped-symlink",
        "link.jpg": "skipped-symlink",
        "pipe": "skipped-special",
        "socket": "skipped-special",
    }
    assert sum(problem.dropped_files for problem in result.problems) == 5
    assert bytes_of(repository) == FILES
    assert not [path for path in opened if path.endswith(("pipe", "socket", "link.jpg", "secret"))]


def test_a_pipe_or_a_link_named_as_the_source(repository: Repository, photos: Path) -> None:
    os.mkfifo(photos / "pipe")
    (photos / "link").symlink_to(photos / "a.jpg")
    result = add(repository, [photos / "pipe", photos / "link"])
    assert [problem.code for problem in result.problems] == ["skipped-special", "skipped-symlink"]
    assert len(repository["Main"]) == 0


def test_the_repository_itself_is_left_out(disk_repository: Repository) -> None:
    write_tree(disk_repository.path, {"a.jpg": jpeg("a")})
    add(disk_repository, [disk_repository.path])
    assert list(bytes_of(disk_repository)) == ["a.jpg"]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")])
def test_a_file_that_can_not_be_read_is_listed_and_the_rest_comes(
    repository: Repository, photos: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    add(repository, [write_tree(photos.parent / "first", {"b.jpg": b"old"})])
    real = os.open

    def refuse(path, *given, **options):
        if os.fspath(path) == str(photos / "b.jpg"):
            raise error
        return real(path, *given, **options)

    monkeypatch.setattr(os, "open", refuse)
    result = add(repository, [photos], sync=True)
    assert [(problem.code, problem.place) for problem in result.problems] == [("unreadable", "b.jpg")]
    assert error.strerror in result.problems[0].message
    assert bytes_of(repository) == {**FILES, "b.jpg": b"old"}


def test_a_file_that_never_holds_still_is_listed(
    repository: Repository, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.read

    def restless(descriptor, length):
        content = real(descriptor, length)
        if content.startswith(FILES["b.jpg"]):
            with (photos / "b.jpg").open("ab") as stream:
                stream.write(b"more")
        return content

    monkeypatch.setattr(os, "read", restless)
    result = add(repository, [photos])
    assert [(problem.code, problem.place) for problem in result.problems] == [("changed-while-reading", "b.jpg")]
    assert sorted(bytes_of(repository)) == ["a.jpg", "in/c.txt", "in/deep/d.bin"]


def test_a_file_that_changes_once_is_taken_as_it_is_then(
    repository: Repository, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.read
    left = [jpeg("a newer and longer one")]

    def changing(descriptor, length):
        content = real(descriptor, length)
        if left and content.startswith(FILES["b.jpg"]):
            (photos / "b.jpg").write_bytes(left.pop())
        return content

    monkeypatch.setattr(os, "read", changing)
    assert add(repository, [photos]).problems == []
    file = repository["Main"]["b.jpg"]
    assert file.read() == jpeg("a newer and longer one")
    assert file.state.size_bytes == len(file.read())


def test_a_large_file_that_changes_while_it_is_read_is_not_stored(
    disk_repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_tree(tmp_path / "source", {"large.bin": bytes(9 << 20), "x": b"x"}) / "large.bin"
    real = os.read

    def growing(descriptor, length):
        content = real(descriptor, length)
        if len(content) == 1 << 20:
            with place.open("ab") as stream:
                stream.write(b"more")
        return content

    monkeypatch.setattr(os, "read", growing)
    result = add(disk_repository, [place.parent])
    assert [(problem.code, problem.place) for problem in result.problems] == [("changed-while-reading", "large.bin")]
    assert list(bytes_of(disk_repository)) == ["x"]
    assert list((disk_repository.path / ".tdvc/tmp").iterdir()) == []


def test_names_that_can_not_be_stored_are_listed(repository: Repository, photos: Path) -> None:
    for name in (b"bad\xffname.jpg", b"back\\slash.jpg"):
        with open(os.fsencode(photos) + b"/" + name, "wb") as stream:
            stream.write(b"x")
    result = add(repository, [photos])
    assert [problem.code for problem in result.problems] == ["bad-name", "bad-name"]
    assert all(problem.place.isprintable() for problem in result.problems)
    assert bytes_of(repository) == FILES
    with unchanged(repository), fails(Usage, "bad-path"):
        add(repository, [photos / "back\\slash.jpg"])


@pytest.mark.parametrize("name", ["two\nlines.jpg", "tab\there", " ", "-rf", "é🐕", "a" * 255, "%s%n", "'; drop"])
def test_strange_names_are_kept(repository: Repository, tmp_path: Path, name: str) -> None:
    files = {name: jpeg("content"), f"{name[:200]} folder/{name}": jpeg("below")}
    assert add(repository, [write_tree(tmp_path / "source", files)]).problems == []
    assert bytes_of(repository) == files


# what looks odd, and what is refused


def test_a_full_disk_leaves_everything_as_it_was(
    disk_repository: Repository, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full)
        patch.setattr(os, "write", full)
        with unchanged(disk_repository), fails(StorageFailure, "disk-full"):
            add(disk_repository, [photos])
    assert list((disk_repository.path / ".tdvc/tmp").iterdir()) == []
    assert add(disk_repository, [photos]).added_files == 4
    assert bytes_of(disk_repository) == FILES


def test_a_corrupt_picture_is_stored_as_it_is_and_reported(repository: Repository, tmp_path: Path) -> None:
    files = {"cut.jpg": JPEG_CUT, "no.png": b"<html>", "none.jpg": b"", "cut.png": b"\x89PNG\r\n\x1a\nrest"}
    result = add(repository, [write_tree(tmp_path / "source", {**files, "good.jpg": jpeg("good")})])
    assert {(p.place, p.code, p.severity, p.dropped_files) for p in result.problems} == {
        (path, "picture-unreadable", "warning", 0) for path in files
    }
    assert bytes_of(repository) == {**files, "good.jpg": jpeg("good")}


JPEG_CUT = jpeg("cut")[:-2]


@pytest.mark.parametrize("behind", [5_000, 9 << 20])
def test_a_picture_with_padding_behind_its_end_is_whole(repository: Repository, tmp_path: Path, behind: int) -> None:
    stored = io.BytesIO()
    Image.effect_noise((90, 90), 40).save(stored, "JPEG")
    whole, cut = stored.getvalue(), stored.getvalue()[:-40]
    files = {"whole.jpg": whole + bytes(behind), "cut.jpg": cut + bytes(behind)}
    result = add(repository, [write_tree(tmp_path / "source", files)])
    assert [problem.place for problem in result.problems] == ["cut.jpg"]


def test_two_names_that_differ_in_case_alone_are_flagged(repository: Repository, tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", {"A.jpg": jpeg("1"), "a.jpg": jpeg("2"), "é": b"3", "e\u0301": b"4"})
    if len(read_tree(source)) < 4:
        pytest.skip("this file system takes them for one")
    result = add(repository, [source])
    assert [(p.code, p.severity) for p in result.problems] == [("case-collision", "warning")] * 2
    assert len(repository["Main"]) == 4


def test_two_sources_with_the_same_path_are_refused(repository: Repository, photos: Path, tmp_path: Path) -> None:
    other = write_tree(tmp_path / "other", {"a.jpg": jpeg("another a")})
    with unchanged(repository), fails(Refused, "file-exists") as caught:
        add(repository, [photos, other])
    assert caught.value.fields["path"] == "a.jpg"


def test_an_empty_folder_adds_nothing(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "empty/inner").mkdir(parents=True)
    with unchanged(repository):
        assert add(repository, [tmp_path / "empty"]).added_files == 0


@pytest.mark.parametrize("name", ["missing", "missing/deep", "photos/a.jpg/below"])
def test_a_missing_source_is_an_error_and_nothing_comes(
    repository: Repository, photos: Path, tmp_path: Path, name: str
) -> None:
    with unchanged(repository), fails(NotFound, "source-not-found") as caught:
        add(repository, [photos, tmp_path / name])
    assert name in caught.value.message


@pytest.mark.parametrize("at", ["..", "a/../b", "/abs", "a//b", ".git", "a\\b", "/"])
def test_a_bad_prefix_is_refused(repository: Repository, photos: Path, at: str) -> None:
    with unchanged(repository), fails(Usage, "bad-path"):
        add(repository, [photos], at=at)


def test_an_unknown_directory_is_an_error(repository: Repository, photos: Path) -> None:
    with unchanged(repository), fails(NotFound, "directory-not-found"):
        add(repository, [photos], "Nowhere")


def test_a_file_where_the_directory_has_a_folder_is_refused(repository: Repository, photos: Path, tmp_path) -> None:
    add(repository, [photos])
    for files in ({"in": b"a file now"}, {"a.jpg/below": b"x"}):
        source = write_tree(tmp_path / str(len(files)) / next(iter(files))[0], files)
        with unchanged(repository), fails(Refused, "folder-in-the-way"):
            add(repository, [source])
    source = write_tree(tmp_path / "synced", {"in": b"a file now"})
    add(repository, [source], sync=True)
    assert bytes_of(repository) == {"in": b"a file now"}
