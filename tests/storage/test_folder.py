"""The users' folders: what a walk sees, reading files that do not hold still, and never writing through a link."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Refused, StorageFailure
from tdvc.storage.folder import (
    FileChanged,
    FolderWriter,
    Found,
    Skipped,
    look,
    read_into,
    read_pieces,
    read_small,
    walk,
)


def walked(folder: Path | str, ignore: Any = None) -> tuple[list[str], dict[str, str]]:
    """The paths found, and the codes of what was skipped by path."""
    skipped: list[Skipped] = []
    found = walk(str(folder), skipped.append, ignore)
    assert len({item.path for item in skipped}) == len(skipped)
    return [item.path for item in found], {item.path: item.code for item in skipped}


def plant(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(path.encode())


def seen(path: Path) -> Found:
    found = look(str(path))
    assert found is not None
    return found


# walking


def test_a_walk_finds_files_at_any_depth_in_order_of_path(tmp_path: Path) -> None:
    plant(tmp_path, "b.jpg", "a/z.jpg", "a/b/c/d.jpg", "a.jpg", "ä.jpg", "Z.jpg", "a b/ü.jpg")
    found, skipped = walked(tmp_path)
    assert found == sorted(["b.jpg", "a/z.jpg", "a/b/c/d.jpg", "a.jpg", "ä.jpg", "Z.jpg", "a b/ü.jpg"])
    assert skipped == {}


def test_a_walk_says_size_and_times(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    status = (tmp_path / "a.jpg").stat()
    (found,) = walk(str(tmp_path), pytest.fail)
    assert found == ("a.jpg", 5, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty/deeper").mkdir(parents=True)
    assert walked(tmp_path) == ([], {})


def test_hidden_things_are_left_out_and_our_own_without_a_word(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", ".DS_Store", ".git/config", ".tdvc/format", ".tdvcignore", ".tdvc-0a1b", "b/.hidden")
    found, skipped = walked(tmp_path)
    assert found == ["a.jpg"]
    assert skipped == dict.fromkeys([".DS_Store", ".git", "b/.hidden"], "skipped-hidden")


def test_links_are_not_followed_so_loops_end(tmp_path: Path) -> None:
    plant(tmp_path, "in/a.jpg", "out/b.jpg")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/self").symlink_to("self")
    (tmp_path / "in/file").symlink_to("a.jpg")
    (tmp_path / "in/outside").symlink_to(tmp_path / "out")
    (tmp_path / "in/broken").symlink_to("nowhere")
    found, skipped = walked(tmp_path / "in")
    assert found == ["a.jpg"]
    assert skipped == dict.fromkeys(["loop", "self", "file", "outside", "broken"], "skipped-symlink")


def test_the_walked_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    plant(tmp_path, "in/a.jpg")
    (tmp_path / "link").symlink_to("in")
    assert walked(tmp_path / "link")[0] == ["a.jpg"]


def test_pipes_and_sockets_are_skipped_without_waiting_for_them(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
        found, skipped = walked(tmp_path)
    assert found == ["a.jpg"]
    assert skipped == {"pipe.jpg": "skipped-special", "socket.jpg": "skipped-special"}


def test_odd_names_are_kept_and_impossible_ones_named(tmp_path: Path) -> None:
    good = ["new\nline.jpg", "tab\t.jpg", " space.jpg", "quote'\".jpg", "-dash.jpg", "ab:c.jpg", "🐕.jpg"]
    plant(tmp_path, *good)
    for bad in (b"back\\slash.jpg", b"invalid\xff.jpg", b"GIT~1"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + bad)).write_bytes(b"x")
    found, skipped = walked(tmp_path)
    assert found == sorted(good)
    assert skipped == dict.fromkeys(["back\\slash.jpg", "invalid\udcff.jpg", "GIT~1"], "bad-name")


def test_nothing_below_an_impossible_folder_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "back\\slash/a.jpg", "b.jpg")
    assert walked(tmp_path) == (["b.jpg"], {"back\\slash": "bad-name"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    plant(tmp_path, "a/x.jpg", "b.jpg")
    (tmp_path / "a").chmod(0)
    try:
        assert walked(tmp_path) == (["b.jpg"], {"a": "unreadable"})
    finally:
        (tmp_path / "a").chmod(0o700)


def test_a_folder_that_fails_is_said_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a/x.jpg", "b.jpg")
    scandir = os.scandir

    def fail(path: str) -> Any:
        if path.endswith("/a/"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fail)
    assert walked(tmp_path) == (["b.jpg"], {"a": "unreadable"})


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    assert walked(tmp_path / "none") == ([], {".": "unreadable"})


def test_what_is_to_be_ignored_is_left_out_and_not_entered(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "a.txt", "cache/x.jpg", "cache/deep/y.jpg", "b/cache.jpg")
    asked: list[str] = []

    def ignore(path: str) -> bool:
        asked.append(path)
        return path.endswith(".txt") or path == "cache/"

    assert walked(tmp_path, ignore) == (["a.jpg", "b/cache.jpg"], {})
    assert not [path for path in asked if path.startswith("cache/") and path != "cache/"]


# reading


def test_look_sees_regular_files_only(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    (tmp_path / "link").symlink_to("a.jpg")
    assert seen(tmp_path / "a.jpg").size_bytes == 5
    assert look(str(tmp_path / "link")) is None
    assert look(str(tmp_path)) is None
    with pytest.raises(FileNotFoundError):
        look(str(tmp_path / "none"))


@pytest.mark.parametrize("content", [b"", b"x", b"ab" * 1_000_000])
def test_a_file_that_holds_still_is_read(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "a.jpg"
    place.write_bytes(content)
    room = memoryview(bytearray(len(content) + 1))
    assert read_small(str(place), seen(place)) == content
    assert b"".join(read_pieces(str(place), seen(place))) == content
    assert read_into(str(place), seen(place), room)
    assert room[:-1] == content


def grow(place: Path) -> None:
    with place.open("ab") as stream:
        stream.write(b" and more")


def shrink(place: Path) -> None:
    os.truncate(place, 3)


def rewrite(place: Path) -> None:
    status = place.stat()
    place.write_bytes(b"X" * status.st_size)
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def swap(place: Path) -> None:
    status = place.stat()
    other = place.with_name("other")
    other.write_bytes(b"Y" * status.st_size)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(place)


CHANGES = [grow, shrink, rewrite, swap]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_since_the_walk_is_noticed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    plant(tmp_path, "picture.jpg")
    place = tmp_path / "picture.jpg"
    walked_as = seen(place)
    change(place)
    assert read_small(str(place), walked_as) == place.read_bytes()
    with pytest.raises(FileChanged):
        list(read_pieces(str(place), walked_as))
    assert not read_into(str(place), walked_as, memoryview(bytearray(walked_as.size_bytes + 1)))


@pytest.mark.parametrize("change", [grow, swap])
def test_a_file_that_never_holds_still_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    plant(tmp_path, "picture.jpg")
    place = tmp_path / "picture.jpg"
    walked_as = seen(place)
    opened = os.open

    def change_and_open(*arguments: Any) -> int:
        with monkeypatch.context() as inner:
            inner.setattr(os, "open", opened)
            change(place)
        return opened(*arguments)

    monkeypatch.setattr(os, "open", change_and_open)
    with pytest.raises(FileChanged):
        read_small(str(place), walked_as)


def test_a_file_that_grows_while_it_is_read_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "picture.jpg")
    place = tmp_path / "picture.jpg"
    read = os.read

    def read_and_grow(descriptor: int, size: int) -> bytes:
        content = read(descriptor, size)
        grow(place)
        return content

    walked_as = seen(place)
    monkeypatch.setattr(os, "read", read_and_grow)
    with pytest.raises(FileChanged):
        read_small(str(place), walked_as)
    assert place.stat().st_size > walked_as.size_bytes


def test_what_vanished_or_became_something_else_is_an_error(tmp_path: Path) -> None:
    plant(tmp_path, "gone.jpg", "link.jpg", "folder.jpg", "pipe.jpg")
    before = {name: seen(tmp_path / name) for name in ("gone.jpg", "link.jpg", "folder.jpg", "pipe.jpg")}
    for name in before:
        (tmp_path / name).rename(tmp_path / f"was-{name}")
    (tmp_path / "link.jpg").symlink_to("was-link.jpg")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, found in before.items():
        with pytest.raises((OSError, FileChanged)):
            read_small(str(tmp_path / name), found)
        with pytest.raises((OSError, FileChanged)):
            list(read_pieces(str(tmp_path / name), found))
        assert not read_into(str(tmp_path / name), found, memoryview(bytearray(found.size_bytes + 1)))


# writing


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def writer(target: Path) -> Iterator[FolderWriter]:
    made = FolderWriter(str(target))
    yield made
    made.close()


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_files_are_written_into_folders_that_are_made(writer: FolderWriter, target: Path) -> None:
    for path in ("a/b/1.jpg", "a/b/2.jpg", "a/3.jpg", "4.jpg", "new\nline/5.jpg"):
        found = writer.write(path, [path.encode(), b"!"])
        assert found == seen(target / path)._replace(path=path)
    assert content_of(target) == {
        path: path.encode() + b"!" for path in ("a/b/1.jpg", "a/b/2.jpg", "a/3.jpg", "4.jpg", "new\nline/5.jpg")
    }


def test_a_file_is_replaced_whole(writer: FolderWriter, target: Path) -> None:
    writer.write("a.jpg", [b"before"])
    kept = (target / "a.jpg").open("rb")
    writer.write("a.jpg", [b"after, ", b"longer"])
    with kept:
        assert kept.read() == b"before"
    assert content_of(target) == {"a.jpg": b"after, longer"}


def failing() -> Iterator[bytes]:
    yield b"half"
    raise StorageFailure("disk-failure", "The source broke.")


@pytest.mark.parametrize("new", [False, True])
def test_a_write_that_breaks_off_leaves_what_was_there(writer: FolderWriter, target: Path, new: bool) -> None:
    writer.write("b.jpg", [b"before"])
    with pytest.raises(StorageFailure):
        writer.write("a.jpg" if new else "b.jpg", failing(), new=new)
    assert content_of(target) == {"b.jpg": b"before"}


def test_a_full_disk_is_said_and_leaves_what_was_there(
    writer: FolderWriter, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.write("a.jpg", [b"before"])
    write, room = os.write, [2, 0]

    def full(descriptor: int, piece: bytes) -> int:
        left = room.pop(0)
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, piece[:left])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageFailure) as caught:
        writer.write("a.jpg", [b"after"])
    assert caught.value.code == "disk-full"
    assert content_of(target) == {"a.jpg": b"before"}


def test_a_new_file_never_replaces(writer: FolderWriter, target: Path, tmp_path: Path) -> None:
    plant(tmp_path, "victim")
    writer.write("a.jpg", [b"before"], new=True)
    (target / "link.jpg").symlink_to(tmp_path / "victim")
    (target / "broken.jpg").symlink_to(tmp_path / "born")
    for path in ("a.jpg", "link.jpg", "broken.jpg"):
        with pytest.raises(FileExistsError):
            writer.write(path, [b"after"], new=True)
    assert (target / "a.jpg").read_bytes() == b"before"
    assert (tmp_path / "victim").read_bytes() == b"victim"
    assert not (tmp_path / "born").exists()


def test_a_linked_file_is_replaced_not_written_through(writer: FolderWriter, target: Path, tmp_path: Path) -> None:
    plant(tmp_path, "victim")
    (target / "soft.jpg").symlink_to(tmp_path / "victim")
    os.link(tmp_path / "victim", target / "hard.jpg")
    for name in ("soft.jpg", "hard.jpg"):
        writer.write(name, [b"new"])
        assert (target / name).read_bytes() == b"new"
        assert not (target / name).is_symlink()
    assert (tmp_path / "victim").read_bytes() == b"victim"


@pytest.mark.parametrize("path", ["link/a.jpg", "link/deeper/a.jpg", "real/link/a.jpg"])
def test_a_linked_folder_is_never_entered(writer: FolderWriter, target: Path, tmp_path: Path, path: str) -> None:
    plant(tmp_path, "outside/a.jpg", "outside/deeper/a.jpg")
    (target / "real").mkdir()
    (target / "link").symlink_to(tmp_path / "outside")
    (target / "real/link").symlink_to(tmp_path / "outside")
    before = content_of(tmp_path / "outside")
    acts: list[Callable[[], Any]] = [
        lambda: writer.write(path, [b"evil"]),
        lambda: writer.write(path, [b"evil"], new=True),
        lambda: writer.link(path, str(tmp_path / "outside/a.jpg"), reflink=False),
        lambda: writer.remove(path),
        lambda: writer.look(path),
    ]
    for act in acts:
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.code == "checkout-in-the-way"
    assert content_of(tmp_path / "outside") == before


def test_a_parent_swapped_for_a_link_meanwhile_leads_nowhere(
    writer: FolderWriter, target: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    writer.write("a/1.jpg", [b"1"])
    (target / "a").rename(target / "was-a")
    (target / "a").symlink_to(tmp_path / "outside")
    writer.write("a/2.jpg", [b"2"])  # the folder that was entered before is still the same folder
    writer.write("b/3.jpg", [b"3"])
    with pytest.raises(Refused):
        writer.write("a/4.jpg", [b"4"])
    assert content_of(tmp_path / "outside") == {}
    assert content_of(target) == {"was-a/1.jpg": b"1", "was-a/2.jpg": b"2", "b/3.jpg": b"3"}


def test_a_file_in_place_of_a_folder_is_refused(writer: FolderWriter, target: Path) -> None:
    writer.write("a", [b"file"])
    with pytest.raises(Refused):
        writer.write("a/b.jpg", [b"x"])
    assert content_of(target) == {"a": b"file"}


def test_the_chosen_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    writer = FolderWriter(str(tmp_path / "link"))
    writer.write("a.jpg", [b"x"])
    writer.close()
    assert content_of(tmp_path / "real") == {"a.jpg": b"x"}


def test_look_says_what_is_there(writer: FolderWriter, target: Path) -> None:
    writer.write("a/1.jpg", [b"1"])
    (target / "a/link").symlink_to("1.jpg")
    assert writer.look("a/1.jpg") == seen(target / "a/1.jpg")._replace(path="a/1.jpg")
    assert [writer.look(path) for path in ("a/2.jpg", "none/3.jpg", "a/none/4.jpg")] == [None] * 3
    assert not (target / "none").exists()
    for path in ("a", "a/link"):
        with pytest.raises(Refused):
            writer.look(path)


def test_looking_where_nothing_is_keeps_no_folder_open(writer: FolderWriter) -> None:
    writer.write("a/b/1.jpg", [b"1"])
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for number in range(20):
        writer.look(f"a/b/none-{number}/c/2.jpg")
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before


def test_a_hard_link_is_the_same_file(writer: FolderWriter, target: Path, tmp_path: Path) -> None:
    plant(tmp_path, "source")
    found = writer.link("a/1.jpg", str(tmp_path / "source"), reflink=False)
    assert found.inode == (tmp_path / "source").stat().st_ino
    assert (target / "a/1.jpg").read_bytes() == b"source"
    with pytest.raises(FileExistsError):
        writer.link("a/1.jpg", str(tmp_path / "source"), reflink=False)


def test_removing_a_file_removes_the_folders_that_are_empty_then(writer: FolderWriter, target: Path) -> None:
    for path in ("a/b/c/1.jpg", "a/2.jpg", "d/e/3.jpg"):
        writer.write(path, [b"x"])
    writer.remove("a/b/c/1.jpg")
    writer.remove("d/e/3.jpg")
    writer.remove("a/none.jpg")
    writer.remove("none/none.jpg")
    assert sorted(str(p.relative_to(target)) for p in target.rglob("*")) == ["a", "a/2.jpg"]
    writer.write("a/b/c/4.jpg", [b"again"])
    assert content_of(target) == {"a/2.jpg": b"x", "a/b/c/4.jpg": b"again"}


def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    plant(tmp_path, "file")
    with pytest.raises((StorageFailure, FileExistsError)):
        FolderWriter(str(tmp_path / "file"))
    with pytest.raises(StorageFailure):
        FolderWriter(str(tmp_path / "file/below"))
