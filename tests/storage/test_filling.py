from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdvc.storage.filling import filling
from tests.ops.build import read_tree, write_tree


class Stopped(BaseException):
    """What ends a block early."""


def fill(root: Path, *, stop: bool = True) -> None:
    with filling(str(root)) as (first, second):
        first.write("a.txt", [b"a"], new=True)
        second.write("in/deep/b.txt", [b"b"])
        first.write("in/deep/b.txt", [b"B"])
        second.write("in/c.txt", [b"c"], new=True)
        if stop:
            raise Stopped


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_what_comes_to_its_end_stays(tmp_path: Path) -> None:
    fill(tmp_path / "out", stop=False)
    assert read_tree(tmp_path / "out") == {"a.txt": b"a", "in/deep/b.txt": b"B", "in/c.txt": b"c"}


@pytest.mark.parametrize("there", ["", "out", "out/in"])
def test_what_ends_early_leaves_the_folder_as_it_was(
    tmp_path: Path, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / there).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path)
    before = everything(tmp_path)
    for root in (Path("out/in/here"), tmp_path / "out/in/here"):
        with pytest.raises(Stopped):
            fill(root)
        assert everything(tmp_path) == before


def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    with pytest.raises(Stopped):
        fill(tmp_path / "out")
    assert everything(tmp_path) == ["out", "real"]


def test_a_link_or_a_clone_is_taken_back_and_its_source_is_not(tmp_path: Path) -> None:
    write_tree(tmp_path, {"photo.jpg": b"photo"})
    with pytest.raises(Stopped), filling(str(tmp_path / "out")) as (first, _):
        first.link("a.jpg", str(tmp_path / "photo.jpg"), reflink=False)
        raise Stopped
    assert read_tree(tmp_path) == {"photo.jpg": b"photo"}


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), filling(str(tmp_path / "out")) as (first, second):
        first.write("in/a.txt", [b"a"])
        write_tree(tmp_path / "out", {"in/b.txt": b"theirs", "c.txt": b"theirs"})
        second.write("in/b.txt", [b"b"], new=True)
    assert read_tree(tmp_path) == {"out/in/b.txt": b"theirs", "out/c.txt": b"theirs"}


def test_nothing_is_removed_through_a_link(tmp_path: Path) -> None:
    write_tree(tmp_path, {"theirs/a.txt": b"theirs"})
    with pytest.raises(Stopped), filling(str(tmp_path / "out")) as (first, _):
        first.write("in/a.txt", [b"a"])
        first.write("b.txt", [b"b"])
        os.rename(tmp_path / "out/in", tmp_path / "moved")
        (tmp_path / "out/in").symlink_to(tmp_path / "theirs")
        raise Stopped
    assert read_tree(tmp_path / "theirs") == {"a.txt": b"theirs"}
    assert not (tmp_path / "out/b.txt").exists()


def test_an_interrupt_just_after_a_rename_is_no_other_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.rename

    def interrupted(*arguments: str, **options: int) -> None:
        real(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), filling(str(tmp_path / "out")) as (first, _):
        first.write("a.txt", [b"a"])
    assert everything(tmp_path) == []
