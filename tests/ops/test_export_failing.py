"""Exports that fail on their way, wherever that is: the folder is as it was, and the next try goes well."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Corruption, FormatError, Refused, StorageFailure
from tdvc.ops.exportapply import apply_export
from tdvc.ops.exporting import export
from tdvc.repo.repository import Repository
from tdvc.storage import folder as storage_folder
from tests.ops.build import box, fails, jpeg, read_tree, stock, write_tree
from tests.ops.changing import changed

FILES = {"a.jpg": jpeg("a"), "in/b.jpg": jpeg("b"), "in/deep/c.jpg": jpeg("c")}
FORMATS = ["coco", "yolo", "pascal-voc", "parquet", "webdataset", "tdvc-jsonl"]
MAX_MOMENTS = 200
Failure = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(repository, "Main", {path: (content, [box("dog")]) for path, content in FILES.items()})
    return repository


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def full_disk(moment: int) -> Iterator[None]:
    """From this call on that takes space, each fails."""

    def act(real: Callable[[], Any], count: int) -> Any:
        if count >= moment:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real()

    with counted(act):
        yield


@contextmanager
def interrupted(moment: int) -> Iterator[None]:
    """Ctrl-C comes while a call that takes space is at work: it is done, and nobody learns of it."""

    def act(real: Callable[[], Any], count: int) -> Any:
        try:
            return real()
        finally:
            if count == moment:
                raise KeyboardInterrupt

    with counted(act):
        yield


@contextmanager
def counted(act: Callable[[Callable[[], Any], int], Any]) -> Iterator[None]:
    """Call something with every call that takes space, and how many came before it."""
    numbers = itertools.count()

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return real(*arguments, **options)
            return act(partial(real, *arguments, **options), next(numbers))

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("open", "write", "mkdir", "link", "rename"):
            patch.setattr(os, name, wrapped(name, getattr(os, name)))
        yield


def fails_everywhere(place: Path, act: Callable[[], object], failure: Failure) -> int:
    """Let an act fail at its first call, at its second and so on until it goes well; at how many it failed."""
    before = everything(place)
    for moment in range(MAX_MOMENTS):
        try:
            with failure(moment):
                act()
        except StorageFailure as error:
            assert error.code == "disk-full"
            assert "nothing was changed" not in error.message
        except KeyboardInterrupt:
            pass
        else:
            return moment
        assert everything(place) == before, moment
    raise AssertionError("it never goes well")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("failure", [full_disk, interrupted])
@pytest.mark.parametrize("name", FORMATS)
def test_an_export_leaves_nothing_behind(
    pets: Repository, tmp_path: Path, name: str, failure: Failure, there: bool
) -> None:
    out = tmp_path / "sm/out"
    if there:
        out.mkdir(parents=True)
    moments = fails_everywhere(tmp_path, lambda: export(pets, ["Main"], out, format=name, everything=True), failure)
    assert moments >= 2
    export(pets, ["Main"], tmp_path / "undisturbed", format=name, everything=True)
    assert read_tree(out) == read_tree(tmp_path / "undisturbed")


@pytest.mark.parametrize("failure", [full_disk, interrupted])
def test_links_are_taken_back_and_what_they_lead_to_is_not(
    pets: Repository, tmp_path: Path, failure: Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(source: str, name: str, at: int) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(storage_folder, "_clone", refusing)
    photos, out = write_tree(tmp_path / "photos", FILES), tmp_path / "place/out"

    def act() -> None:
        export(pets, ["Main"], out, format="coco", everything=True, pictures="link", originals=photos)

    (tmp_path / "place").mkdir()
    assert fails_everywhere(tmp_path / "place", act, failure) > len(FILES)
    assert read_tree(photos) == FILES
    assert all((out / "images" / path).samefile(photos / path) for path in FILES)


def test_two_files_that_want_one_place_leave_nothing_behind(pets: Repository, tmp_path: Path) -> None:
    stock(pets, "Main", {"tdvc-export.json": b"{}"})
    with fails(Refused, "file-exists"):
        export(pets, ["Main"], tmp_path / "out", format="tdvc-jsonl", everything=True)
    assert everything(tmp_path) == []


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Exports of v1 and of what changed since, in a folder for each."""
    made = changed(("remove", "a.jpg", 0), ("add", "z", 3))
    export(made, ["v1"], tmp_path / "v1", format="tdvc-jsonl", everything=True)
    export(made, ["Main"], tmp_path / "d", format="tdvc-jsonl", everything=True, since="v1")
    (tmp_path / "place").mkdir()
    return tmp_path


@pytest.mark.parametrize("failure", [full_disk, interrupted])
def test_an_application_leaves_nothing_behind(pair: Path, failure: Failure) -> None:
    out = pair / "place/out"
    assert fails_everywhere(pair / "place", lambda: apply_export(pair / "v1", pair / "d", out), failure) > 4
    apply_export(pair / "v1", pair / "d", pair / "undisturbed")
    assert read_tree(out) == read_tree(pair / "undisturbed")


def test_an_application_to_what_is_damaged_leaves_nothing_behind(pair: Path) -> None:
    *_, last = sorted((pair / "v1").rglob("*.jpg"))
    content = last.read_bytes()
    for spoilt in (content[:-1], None):
        last.unlink()
        if spoilt is not None:
            last.write_bytes(spoilt)
        with pytest.raises((Corruption, FormatError)):
            apply_export(pair / "v1", pair / "d", pair / "place/out")
        assert everything(pair / "place") == []
    last.write_bytes(content)
    assert apply_export(pair / "v1", pair / "d", pair / "place/out").files > 0
