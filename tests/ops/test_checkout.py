from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tdvc.errors import NotFound, Refused, StorageFailure, Usage
from tdvc.ids import Kind
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate
from tdvc.ops.checkout import checkout
from tdvc.ops.committing import commit
from tdvc.ops.snapshots import snapshot
from tdvc.ops.status import folder_status
from tdvc.ops.transfer import move, remove
from tdvc.repo.repository import Repository
from tdvc.storage.folder import FolderWriter
from tests.ops.build import box, fails, held, identity, jpeg, lines, read_tree, stock, write_tree

BESIDE = {".tdvc-checkout", "instances.jsonl", "schema.json", "SHA256SUMS"}
FILES = {
    "a.jpg": jpeg("a"),
    "b.jpg": jpeg("b"),
    "empty.txt": b"",
    "in/c.jpg": jpeg("c"),
    "in/deep/d.bin": bytes(range(256)),
}


@pytest.fixture
def pets(disk_repository: Repository) -> Repository:
    stock(disk_repository, "Main", {**FILES, "b.jpg": (FILES["b.jpg"], [box("dog", (0.50, 1, 2, 3e2), 1)])})
    commit(disk_repository, "first", "Main")
    snapshot(disk_repository, "Main", "v1")
    return disk_repository


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def pictures(folder: Path) -> dict[str, bytes]:
    return {path: content for path, content in read_tree(folder).items() if path not in BESIDE}


def wanted(repository: Repository, revision: str) -> dict[str, bytes]:
    return {path: content for path, (content, _) in held(repository, revision).items()}


def check_sums(folder: Path) -> None:
    """With the program people use where it is there, else by the same rule."""
    if shutil.which("sha256sum"):
        done = subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True)
        assert done.returncode == 0, done.stderr + done.stdout
        return
    for line in (folder / "SHA256SUMS").read_bytes().splitlines():
        digest, _, name = line.removeprefix(b"\\").partition(b"  ")
        if line.startswith(b"\\"):
            name = name.replace(b"\\n", b"\n").replace(b"\\r", b"\r").replace(b"\\\\", b"\\")
        assert hashlib.sha256((folder / os.fsdecode(name)).read_bytes()).hexdigest().encode() == digest


# what is written


def test_every_byte_comes_back(pets: Repository, out: Path) -> None:
    result = checkout(pets, "v1", out)
    assert pictures(out) == FILES
    assert set(read_tree(out)) == {*FILES, *BESIDE}
    assert (result.revision, result.written_files) == ("v1", 5)
    assert result.written_bytes == sum(map(len, FILES.values()))
    assert result.problems == []
    check_sums(out)


def test_a_snapshot_comes_back_after_more_edits(pets: Repository, out: Path) -> None:
    annotate(pets, lines({"op": "replace", "path": "b.jpg", "instances": []}))
    remove(pets, ["Main:in"])
    stock(pets, "Main", {"z.jpg": b"z"})
    checkout(pets, "v1", out)
    assert pictures(out) == FILES
    (record,) = [r for r in _records(out) if r["instances"]]
    assert (record["path"], record["instances"][0]["label"]) == ("b.jpg", "dog")
    check_sums(out)


def _records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "instances.jsonl").read_text().splitlines()]


def test_the_annotation_is_written_beside_with_numbers_as_they_came(pets: Repository, out: Path) -> None:
    text = '{"op":"update","path":"b.jpg","instance_id":"ID","set":{"geometry":[0.50,1,2,3e3]}}'
    annotate(pets, lines(text.replace("ID", identity(1))))
    annotate(pets, lines('{"op":"replace","path":"a.jpg","instances":[{"label":"x","type":"tag","score":0.10}]}'))
    checkout(pets, "Main", out)
    assert [record["path"] for record in _records(out)] == sorted(FILES)
    text = (out / "instances.jsonl").read_text()
    assert '"score":0.10' in text
    assert '"geometry":[0.50,1,2,3e3]' in text
    assert set(json.loads((out / "schema.json").read_text())["labels"]) == {"dog", "x"}


@pytest.mark.parametrize(
    "name", ["two\nlines.jpg", "carriage\rreturn.jpg", " lead and trail ", "*star", "-dash", "é🐕.jpg"]
)
def test_strange_names_come_back_and_sha256sum_understands_them(disk_repository: Repository, out: Path, name) -> None:
    stock(disk_repository, "Main", {name: b"content", f"folder {name}/x": b"below"})
    checkout(disk_repository, "Main", out)
    assert pictures(out) == {name: b"content", f"folder {name}/x": b"below"}
    check_sums(out)


def test_an_empty_state_makes_an_empty_checkout(disk_repository: Repository, out: Path) -> None:
    checkout(disk_repository, "Main", out)
    assert set(read_tree(out)) == BESIDE


def test_folders_above_are_made(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out / "one" / "two")
    assert pictures(out / "one" / "two") == FILES


def test_the_checkout_of_a_revision_that_is_not_there(pets: Repository, out: Path) -> None:
    with fails(NotFound, "unknown-revision"):
        checkout(pets, "v9", out)
    assert not out.exists()


def test_only_and_label(pets: Repository, tmp_path: Path) -> None:
    checkout(pets, "v1", tmp_path / "only", only="in")
    assert set(pictures(tmp_path / "only")) == {"in/c.jpg", "in/deep/d.bin"}
    checkout(pets, "v1", tmp_path / "glob", only="*.jpg")
    assert set(pictures(tmp_path / "glob")) == {"a.jpg", "b.jpg", "in/c.jpg"}
    checkout(pets, "v1", tmp_path / "label", label="dog")
    assert set(pictures(tmp_path / "label")) == {"b.jpg"}
    assert [record["path"] for record in _records(tmp_path / "label")] == ["b.jpg"]
    check_sums(tmp_path / "glob")


def test_only_and_label_that_fit_nothing_change_nothing(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    for narrowed in ({"only": "*.pgn"}, {"label": "horse"}, {"only": "a.jpg", "label": "dog"}):
        with fails(NotFound, "file-not-found"):
            checkout(pets, "v1", out, update=True, **narrowed)
    assert pictures(out) == FILES


def test_a_dry_run_counts_and_writes_nothing(pets: Repository, out: Path) -> None:
    result = checkout(pets, "v1", out, dry_run=True)
    assert (result.written_files, result.written_bytes) == (5, sum(map(len, FILES.values())))
    assert not out.exists()


# what is refused


def test_a_folder_with_anything_in_it_is_refused(pets: Repository, out: Path) -> None:
    before = read_tree(write_tree(out, {"mine.txt": b"mine"}))
    with fails(Refused, "checkout-in-the-way"):
        checkout(pets, "v1", out)
    assert read_tree(out) == before


def test_a_file_a_repository_and_a_dangling_link_are_refused(pets: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for place in (tmp_path / "file", pets.path, tmp_path / "dangling"):
        with fails(Refused, "checkout-in-the-way"):
            checkout(pets, "v1", place)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("path", ["instances.jsonl", "SHA256SUMS", "schema.json"])
def test_a_file_can_not_be_called_like_one_of_ours(disk_repository: Repository, path: str) -> None:
    with fails(Usage, "bad-path"):
        stock(disk_repository, "Main", {path: b"the user's own"})
    stock(disk_repository, "Main", {f"deep/{path}": b"the user's own"})


@pytest.mark.parametrize("path", [".tdvc-checkout", "schema.json/x"])
def test_a_file_that_is_called_like_one_of_ours_is_refused(disk_repository: Repository, out: Path, path: str) -> None:
    stock(disk_repository, "Main", {path: b"the user's own"})
    with fails(Refused, "checkout-in-the-way"):
        checkout(disk_repository, "Main", out)
    assert not out.exists()


def test_an_unknown_link_mode_is_refused(pets: Repository, out: Path) -> None:
    with fails(Usage, "bad-usage"):
        checkout(pets, "v1", out, link="symlink")


def test_nothing_is_written_through_a_link(pets: Repository, out: Path, tmp_path: Path) -> None:
    elsewhere = write_tree(tmp_path / "elsewhere", {"keep": b"keep"})
    checkout(pets, "v1", out)
    shutil.rmtree(out / "in")
    (out / "in").symlink_to(elsewhere)
    for update in (False, True):
        with fails(Refused, "checkout-in-the-way"):
            checkout(pets, "v1", out, update=update)
    (out / "in").unlink()
    (out / "a.jpg").unlink()
    (out / "a.jpg").symlink_to(elsewhere / "keep")
    with fails(Refused, "checkout-in-the-way"):
        checkout(pets, "v1", out)
    assert read_tree(elsewhere) == {"keep": b"keep"}


def test_the_folder_itself_may_be_a_link(pets: Repository, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    checkout(pets, "v1", tmp_path / "link")
    assert pictures(tmp_path / "real") == FILES


def test_an_edited_file_is_never_written_over(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    (out / "a.jpg").write_bytes(jpeg("edited"))
    move(pets, ["Main:b.jpg"], "Main:bb.jpg")
    before = read_tree(out)
    for revision, update in (("v1", False), ("v1", True), ("Main", True)):
        with fails(Refused, "checkout-in-the-way") as caught:
            checkout(pets, revision, out, update=update)
        assert caught.value.fields["paths"] == ["a.jpg"]
        assert read_tree(out) == before


def test_an_edited_file_that_the_new_state_lacks_is_not_removed(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    (out / "a.jpg").write_bytes(jpeg("edited"))
    remove(pets, ["Main:a.jpg"])
    with fails(Refused, "checkout-in-the-way"):
        checkout(pets, "Main", out, update=True)
    assert (out / "a.jpg").read_bytes() == jpeg("edited")


def test_edited_annotation_is_never_written_over(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    (out / "instances.jsonl").write_bytes(b"")
    with fails(Refused, "checkout-in-the-way") as caught:
        checkout(pets, "v1", out, update=True)
    assert caught.value.fields["paths"] == ["instances.jsonl"]


def test_a_new_file_of_the_users_at_a_path_that_is_wanted_now(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    write_tree(out, {"new.jpg": b"the user's"})
    stock(pets, "Main", {"new.jpg": b"the directory's"})
    with fails(Refused, "checkout-in-the-way"):
        checkout(pets, "Main", out, update=True)
    assert (out / "new.jpg").read_bytes() == b"the user's"


def test_another_state_needs_update(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    remove(pets, ["Main:a.jpg"])
    with fails(Refused, "checkout-in-the-way") as caught:
        checkout(pets, "Main", out)
    assert "--update" in caught.value.hint


def test_a_damaged_record_is_as_good_as_none(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    record = out / ".tdvc-checkout"
    record.write_bytes(record.read_bytes()[:-1])
    with fails(Refused, "checkout-in-the-way"):
        checkout(pets, "v1", out, update=True)


# again, and with --update


class Written:
    """Which paths a checkout writes and removes; raises in the middle of a chosen write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stop_at: int | None = None, after: bool = False) -> None:
        self.paths: list[str] = []
        self._write, self._remove = FolderWriter.write, FolderWriter.remove
        self._stop_at, self._after = stop_at, after
        monkeypatch.setattr(FolderWriter, "write", lambda *a, **k: self._noted(self._write, *a, **k))
        monkeypatch.setattr(FolderWriter, "remove", lambda *a, **k: self._noted(self._remove, *a, **k))

    def _noted(self, real, writer, path, *given, **options):
        self.paths.append(path)
        stop = self._stop_at is not None and len(self.paths) > self._stop_at
        if stop and not self._after:
            raise KeyboardInterrupt
        done = real(writer, path, *given, **options)
        if stop:
            raise KeyboardInterrupt
        return done

    @property
    def pictures(self) -> list[str]:
        return sorted({path for path in self.paths if path not in BESIDE})


def test_the_same_checkout_again_writes_no_file(pets: Repository, out: Path, monkeypatch) -> None:
    checkout(pets, "v1", out)
    seen = Written(monkeypatch)
    result = checkout(pets, "v1", out)
    assert (result.written_files, result.unchanged_files, seen.pictures) == (0, 5, [])


def test_a_missing_file_is_written_again(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    (out / "a.jpg").unlink()
    shutil.rmtree(out / "in")
    assert checkout(pets, "v1", out).written_files == 3
    assert pictures(out) == FILES


def replace_bytes(repository: Repository, path: str, content: bytes) -> None:
    with repository.transaction("replace") as edit:
        state = repository["Main"].entry(path).state
        edit.set_state(state._replace(blob=edit.writer.put(Kind.BLOB, content), size_bytes=len(content)))


def _second_state(repository: Repository) -> None:
    replace_bytes(repository, "a.jpg", jpeg("another a, which is longer"))
    remove(repository, ["Main:in/deep/d.bin"])
    move(repository, ["Main:in/c.jpg"], "Main:z/c.jpg")
    stock(repository, "Main", {"new.jpg": jpeg("new")})


def test_update_writes_only_what_differs_and_removes_what_is_gone(pets: Repository, out: Path, monkeypatch) -> None:
    checkout(pets, "v1", out)
    write_tree(out, {"mine.txt": b"mine", "in/mine.txt": b"mine too"})
    _second_state(pets)
    seen = Written(monkeypatch)
    result = checkout(pets, "Main", out, update=True)
    assert seen.pictures == ["a.jpg", "in/c.jpg", "in/deep/d.bin", "new.jpg", "z/c.jpg"]
    assert (result.written_files, result.unchanged_files, result.removed_files) == (3, 2, 2)
    mine = {"mine.txt": b"mine", "in/mine.txt": b"mine too"}
    assert pictures(out) == {**wanted(pets, "Main"), **mine}
    assert not (out / "in/deep").exists()
    check_sums(out)
    assert folder_status(pets, out).changed == []


def test_update_there_and_back(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    _second_state(pets)
    checkout(pets, "Main", out, update=True)
    checkout(pets, "v1", out, update=True)
    assert pictures(out) == FILES
    assert folder_status(pets, out).clean


def test_update_to_a_narrower_checkout_removes_the_rest(pets: Repository, out: Path) -> None:
    checkout(pets, "v1", out)
    checkout(pets, "v1", out, only="in", update=True)
    assert set(pictures(out)) == {"in/c.jpg", "in/deep/d.bin"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("stop_at", range(10))
def test_an_interrupted_checkout_is_taken_up(pets: Repository, out: Path, monkeypatch, stop_at: int, after) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Written(patch, stop_at, after)
        checkout(pets, "v1", out)
    checkout(pets, "v1", out)
    assert pictures(out) == FILES
    check_sums(out)
    assert folder_status(pets, out).clean


@pytest.mark.parametrize(("after", "again"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("stop_at", range(10))
def test_an_interrupted_update_is_taken_up(
    pets: Repository, out: Path, monkeypatch, stop_at: int, after: bool, again: bool
) -> None:
    checkout(pets, "v1", out)
    _second_state(pets)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Written(patch, stop_at, after)
        checkout(pets, "Main", out, update=True)
    checkout(pets, "Main", out, update=again or (stop_at == 0 and not after))
    assert pictures(out) == wanted(pets, "Main")
    check_sums(out)
    assert folder_status(pets, out).clean


def test_a_file_that_was_cut_short_by_the_interruption_is_written_anew(
    pets: Repository, out: Path, monkeypatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Written(patch, 3)
        checkout(pets, "v1", out)
    (out / "b.jpg").write_bytes(FILES["b.jpg"][:9])
    checkout(pets, "v1", out)
    assert pictures(out) == FILES


def test_a_file_of_the_users_in_an_interrupted_checkout_is_kept(pets: Repository, out: Path, monkeypatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Written(patch, 3)
        checkout(pets, "v1", out)
    (out / "b.jpg").write_bytes(b"something else")
    with fails(Refused, "checkout-in-the-way"):
        checkout(pets, "v1", out)
    assert (out / "b.jpg").read_bytes() == b"something else"


def test_a_full_disk_is_said_and_the_checkout_taken_up(pets: Repository, out: Path, monkeypatch) -> None:
    real, left = os.write, [3]

    def filling_up(descriptor, content):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, content)

    with monkeypatch.context() as patch, fails(StorageFailure, "disk-full") as caught:
        patch.setattr(os, "write", filling_up)
        checkout(pets, "v1", out)
    assert any(out.iterdir())
    assert "nothing was changed" not in caught.value.message
    checkout(pets, "v1", out)
    assert pictures(out) == FILES


# large files, damage


LARGE = bytes(range(256)) * (9 << 12)


@pytest.fixture
def large(disk_repository: Repository, tmp_path: Path) -> Repository:
    add(disk_repository, [write_tree(tmp_path / "source", {"large.bin": LARGE, "small.bin": b"small"})])
    return disk_repository


@pytest.mark.parametrize("link", ["auto", "reflink", "hardlink", "copy"])
def test_link_modes(large: Repository, out: Path, link: str) -> None:
    assert checkout(large, "Main", out, link=link).written_files == 2
    assert pictures(out) == {"large.bin": LARGE, "small.bin": b"small"}
    assert ((out / "large.bin").stat().st_nlink > 1) == (link == "hardlink")
    assert (out / "small.bin").stat().st_nlink == 1
    check_sums(out)
    assert folder_status(large, out).clean
    assert checkout(large, "Main", out, link=link).unchanged_files == 2


def test_a_checkout_that_shares_no_bytes_can_be_edited_without_harm(large: Repository, out: Path) -> None:
    checkout(large, "Main", out)
    with (out / "large.bin").open("r+b") as stream:
        stream.write(b"edited")
    assert large["Main"]["large.bin"].read() == LARGE


def _damage(repository: Repository, content: bytes) -> None:
    for place in [*(repository.path / ".tdvc/packs").iterdir(), *(repository.path / ".tdvc/blobs").rglob("*")]:
        if place.is_file() and (at := place.read_bytes().find(content[:64])) >= 0:
            place.chmod(0o644)
            with place.open("r+b") as stream:
                stream.seek(at)
                stream.write(bytes([content[0] ^ 1]))


@pytest.mark.parametrize("link", ["auto", "hardlink"])
def test_damaged_bytes_are_named_and_never_written(large: Repository, out: Path, link: str) -> None:
    _damage(large, LARGE)
    result = checkout(large, "Main", out, link=link)
    assert [(problem.code, problem.place) for problem in result.problems] == [("stored-damaged", "large.bin")]
    assert pictures(out) == {"small.bin": b"small"}
    check_sums(out)


def test_more_files_than_one_worker_would_take(disk_repository: Repository, out: Path) -> None:
    files = {f"{n % 7}/{n:05}.jpg": jpeg(f"{n} " * (n % 50)) for n in range(1300)}
    stock(disk_repository, "Main", files)
    _damage(disk_repository, files["3/00507.jpg"])
    result = checkout(disk_repository, "Main", out)
    assert [problem.place for problem in result.problems] == ["3/00507.jpg"]
    assert (result.written_files, pictures(out)) == (1299, {p: c for p, c in files.items() if p != "3/00507.jpg"})
    check_sums(out)
    assert folder_status(disk_repository, out).clean


def test_a_damaged_packed_file_does_not_stop_the_others(pets: Repository, out: Path) -> None:
    _damage(pets, FILES["in/deep/d.bin"])
    result = checkout(pets, "v1", out)
    assert [problem.place for problem in result.problems] == ["in/deep/d.bin"]
    assert pictures(out) == {path: content for path, content in FILES.items() if path != "in/deep/d.bin"}


def test_what_a_killed_checkout_had_not_renamed_yet_is_swept_up(pets: Repository, out: Path) -> None:
    left_over = ".tdvc-0123456789ab"
    write_tree(out, {left_over: b"half of a rec"})
    checkout(pets, "Main", out)
    assert left_over not in read_tree(out)
    write_tree(out, {left_over: b"half", ".tdvc-mine": b"of the user"})
    checkout(pets, "Main", out, update=True)
    assert left_over not in read_tree(out)
    assert ".tdvc-mine" in read_tree(out)
