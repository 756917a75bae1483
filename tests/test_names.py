"""One list of bad names, tried at every way in and at every way out.

The list is that of git's and jj's advisories. What comes in is refused or left out with a problem that names it. What a
repository holds that somebody wrote by other means is checked again when it leaves: nothing lands outside of a folder.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tdvc.cli.main import main
from tdvc.errors import FormatError, TdvcError, Usage
from tdvc.formats import FORMATS, format_named
from tdvc.ids import ObjectId
from tdvc.names import check_name, folding_key, path_problem, printable
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate
from tdvc.ops.applying import apply
from tdvc.ops.checkout import checkout
from tdvc.ops.checkoutrecord import checkout_record
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.exporting import export
from tdvc.ops.fsck import fsck
from tdvc.ops.importing import import_
from tdvc.ops.listing import cat, ls, show
from tdvc.ops.patching import patch_lines
from tdvc.ops.restoring import restore
from tdvc.ops.snapshots import snapshot, verify
from tdvc.ops.transfer import copy, mirror, move
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tdvc.storage.folder import FolderWriter, look
from tests.bad_input import GOOD
from tests.conftest import files_below
from tests.hostile import hand_over
from tests.ops.build import jpeg, stock, write_tree

BAD_PATHS = {
    "leads up": "../../evil",
    "leads up inside": "a/../../evil",
    "absolute": "/etc/passwd",
    "drive": "C:\\x",
    "drive with a slash": "d:/x",
    "share": "\\\\srv\\share",
    "backslashes": "a\\..\\..\\b",
    "empty component": "a//b",
    "ends in a slash": "a/",
    "this folder": "./a",
    "this folder inside": "a/./b",
    "empty": "",
    "dot": ".",
    "dots": "..",
    "three dots": "a/...",
    "dots and spaces": "a/.. .",
    "NUL": "a\0b",
    "our folder": ".tdvc/x",
    "our folder in capitals": "sub/.TDVC/x",
    "git's folder": ".git/config",
    "git's folder in capitals": "sub/.GiT",
    "ignored by HFS": ".t\u200cdvc/x",
    "git's, ignored by HFS": ".g\u202eit/x",
    "byte order mark": ".tdvc\ufeff/x",
    "short name of ours": "TDVC~1/x",
    "short name of git's": "git~2",
    "trailing dot": ".tdvc./x",
    "trailing space": ".tdvc /x",
    "alternate stream": ".tdvc::$INDEX_ALLOCATION/x",
    "stream of git's": ".git:x",
    "component of 256 bytes": "x" * 256,
    "component of 256 bytes in few letters": "é" * 128,
    "path of 4097 bytes": "/".join(["x" * 240] * 17) + "x",
    "half a surrogate": "a\udcff",
}

GOOD_PATHS = {
    "plain": "a/b.jpg",
    "leading dash": "-rf",
    "looks like an option": "--force",
    "called HEAD": "HEAD",
    "escape": "a\x1b[31m.jpg",
    "newline": "a\nb.jpg",
    "right to left": "a\u202egpj.jpg",
    "device of Windows": "nul.jpg",
    "percent": "..%2f..%2fevil",
    "accents": "café.jpg",
    "component of 255 bytes": "x" * 255,
    "path of 4096 bytes": "/".join(["x" * 240] * 16 + ["x" * 240]),
    "dots inside": "a..b/c...d",
    "tilde": "tdvc~x",
    "ends in our name": "a.tdvc",
}

BAD_NAMES = [
    *("", "/x", "x/", "a//b", ".x", "x.", "a..b", "..", "x.lock", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b"),
    *("@", "@{", "{a}", "a#b", "a\0b", "a\nb", "a\x7fb", "a\x1b[31m", "a\u202eb", "a\u00a0b", "HEAD", "nul", "COM1.x"),
    *("-x", "a/b", "abcdef0", "0" * 64, "x" * 201, "é" * 101),
]


def bad(*without: str) -> Any:
    """The bad paths as parameters of a test."""
    return pytest.mark.parametrize("path", [pytest.param(p, id=k) for k, p in BAD_PATHS.items() if k not in without])


@bad()
def test_a_bad_path_has_a_problem(path: str) -> None:
    assert path_problem(path)


@pytest.mark.parametrize("path", [pytest.param(path, id=what) for what, path in GOOD_PATHS.items()])
def test_a_strange_path_has_none(path: str) -> None:
    assert path_problem(path) is None
    assert printable(path).isprintable()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(Usage) as caught:
        check_name(name, "snapshot")
    assert caught.value.code == "bad-name"


@pytest.mark.parametrize("name", ["Main", "v1", "a-b_c", "été", "A", "a", "x" * 200, "abcdefg", "abcdef"])
def test_a_good_name_is_not(name: str) -> None:
    assert check_name(name, "directory") == name


@pytest.mark.parametrize(
    ("one", "other"),
    [("A.jpg", "a.jpg"), ("caf\u00e9", "cafe\u0301"), ("stra\u00dfe", "strasse"), ("\ufb01", "fi"), ("\u212a", "k")],
)
def test_names_that_a_file_system_takes_for_one_have_one_key(one: str, other: str) -> None:
    assert folding_key(one) == folding_key(other)


# ways in


@pytest.fixture
def filled(repository: Repository) -> Repository:
    stock(repository, "Main", {"a.jpg": jpeg("a"), "b.jpg": jpeg("b")})
    commit(repository, "first")
    return repository


WAYS_IN: dict[str, Callable[[Repository, str, Path], object]] = {
    "add --at": lambda r, path, place: add(r, [write_tree(place, {"a.jpg": jpeg("new")})], at=path),
    "import --at": lambda r, path, place: import_(r, _jsonl(place, "new.jpg"), at=path),
    "annotate": lambda r, path, place: annotate(r, io.BytesIO(_edit(path))),
    "apply": lambda r, path, place: apply(r, io.BytesIO(_patch(r, path))),
    "move": lambda r, path, place: move(r, ["Main:a.jpg"], f"Main:{path}"),
    "a transaction": lambda r, path, place: _put(r, path),
}


def _edit(path: str) -> bytes:
    edit = {"op": "add", "path": path, "instance": {"label": "dog", "type": "tag"}}
    return json.dumps(edit).encode() + b"\n"


def _patch(repository: Repository, path: str) -> bytes:
    """A patch that moves a file to `path`."""
    move(repository, ["Main:a.jpg"], "Main:moved.jpg")
    lines = b"".join(patch_lines(diff(repository, "Main@", "Main")))
    undo(repository)
    return lines.replace(b'"moved.jpg"', json.dumps(path).encode())


def _put(repository: Repository, path: str) -> None:
    with repository.transaction("put") as edit:
        edit.put("Main", path, repository["Main"].entry("a.jpg").state)


def _jsonl(place: Path, path: str) -> Path:
    record = {"path": path, "instances": []}
    return write_tree(place, {"instances.jsonl": json.dumps(record).encode() + b"\n", "new.jpg": GOOD})


@bad("empty", "ends in a slash")
@pytest.mark.parametrize("way", WAYS_IN)
def test_nothing_bad_comes_in(filled: Repository, tmp_path: Path, way: str, path: str) -> None:
    before = sorted(file.path for file in filled["Main"])
    with pytest.raises(TdvcError) as caught:
        WAYS_IN[way](filled, path, tmp_path / "in")
    assert caught.value.message.isprintable()
    assert sorted(file.path for file in filled["Main"]) == before


@pytest.mark.parametrize("what", ["leads up", "absolute", "our folder in capitals", "NUL", "ignored by HFS"])
@pytest.mark.parametrize("make", ["coco", "tdvc-jsonl", "csv", "labelme", "cvat"])
def test_an_annotation_file_that_names_a_bad_path(tmp_path: Path, repository: Repository, make: str, what: str) -> None:
    (tmp_path / "evil").write_bytes(GOOD)
    try:
        result = import_(repository, _source(make, tmp_path / "in/source", BAD_PATHS[what]), format=make)
    except FormatError:  # of a format that can't hold a NUL at all
        return
    assert not list(repository["Main"])
    assert [problem.code for problem in result.problems if problem.severity == "error"]


def _source(make: str, root: Path, path: str) -> Path:
    box = {"bbox": [1, 2, 3, 4], "id": 1, "image_id": 1, "category_id": 1}
    image = {"id": 1, "file_name": path, "width": 64, "height": 48}
    coco = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "dog"}]}
    shape = {"label": "dog", "points": [[1, 2], [3, 4]], "shape_type": "rectangle"}
    labelme = {"version": "5", "flags": {}, "shapes": [shape], "imagePath": path, "imageHeight": 48, "imageWidth": 64}
    named = path.replace("\0", "&#0;")
    drawn = '<box label="dog" xtl="1" ytl="2" xbr="3" ybr="4" occluded="0"></box>'
    cvat = f'<annotations><version>1.1</version><image id="0" name="{named}" width="64" height="48">{drawn}</image>'
    contents = {
        "coco": ("instances.json", json.dumps(coco)),
        "tdvc-jsonl": ("instances.jsonl", json.dumps({"path": path, "instances": []}) + "\n"),
        "csv": ("boxes.csv", f'path,label,x0,y0,x1,y1\n"{path}",dog,1,2,3,4\n'),
        "labelme": ("a.json", json.dumps(labelme)),
        "cvat": ("annotations.xml", f'<?xml version="1.0" encoding="utf-8"?>\n{cvat}</annotations>'),
    }
    name, text = contents[make]
    return write_tree(root, {name: text.encode()})


# ways out


LEADS_OUT = [
    *(path.encode(errors="surrogateescape") for path in BAD_PATHS.values()),
    *(b"\xff.jpg", b"a/\xc3", b"instances.jsonl", b"SHA256SUMS", b"schema.json/x", b".tdvc-checkout"),
]


WAYS_OUT: dict[str, Callable[[Repository, Path], object]] = {
    "checkout": lambda r, out: checkout(r, "Main", out / "there"),
    **{
        f"export {name}": lambda r, out, name=name: export(r, ["Main"], out / "there", format=name, everything=True)
        for name in FORMATS
        if hasattr(format_named(name), "write")
    },
}

WAYS_TO_LOOK: dict[str, Callable[[Repository], object]] = {
    "ls": lambda r: list(ls(r, "Main")),
    "show": lambda r: show(r, "Main"),
    "files": lambda r: [(file.path, file.read(), file.instances) for file in r["Main"]],
    "diff": lambda r: list(diff(r, "Empty", "Main")),
    "patch": lambda r: list(patch_lines(diff(r, "Empty", "Main"))),
    "verify": lambda r: verify(r, "Main"),
    "fsck": lambda r: fsck(r),
    "snapshot": lambda r: snapshot(r, "Main", "v1"),
    "copy": lambda r: copy(r, ["Main"], "Copied"),
    "mirror": lambda r: mirror(r, ["Main"], "Mirrored"),
    "restore": lambda r: restore(r, "Main@", []),
    "cat": lambda r: [list(cat(r, f"Main:{file.path}")) for file in r["Main"]],
}


@pytest.fixture
def handed_over(disk_repository: Repository) -> Iterator[Callable[[bytes], Repository]]:
    """Makes a repository with a bad path among good ones."""
    stock(disk_repository, "Empty", {})

    def make(path: bytes) -> Repository:
        hand_over(disk_repository, {path, b"good.png"})
        return disk_repository

    yield make


@pytest.mark.parametrize("path", LEADS_OUT)
def test_nothing_is_written_outside_of_a_folder(
    handed_over: Callable[[bytes], Repository], tmp_path: Path, path: bytes
) -> None:
    repository = handed_over(path)
    before = files_below(tmp_path)
    for way, leave in WAYS_OUT.items():
        try:
            leave(repository, tmp_path / "out" / way / "deep")
        except TdvcError as error:
            assert error.message.isprintable(), way
    assert {name for name in files_below(tmp_path) if not name.startswith(_inside())} <= before.keys()
    assert {name: files_below(tmp_path)[name] for name in before} == before


def _inside() -> tuple[str, ...]:
    return "repository/.tdvc/cache/", *(f"out/{way}/deep/there/" for way in WAYS_OUT)


@pytest.mark.parametrize("path", LEADS_OUT)
def test_looking_at_a_bad_path_is_an_answer_or_an_error(
    handed_over: Callable[[bytes], Repository], path: bytes
) -> None:
    repository = handed_over(path)
    for looking in WAYS_TO_LOOK.values():
        try:
            looking(repository)
        except TdvcError as error:
            assert error.message.isprintable()


@pytest.mark.parametrize("path", [b"a/\x1b[2J", b"../../e\x1b]0;x\x07", b"\xe2\x80\xaegpj.png", b"<script>.png"])
def test_what_is_printed_moves_no_cursor(
    handed_over: Callable[[bytes], Repository],
    path: bytes,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    repository = handed_over(path)
    assert repository.path is not None
    hand_over(repository, {path}, title="\x1b[31mred\x07")
    monkeypatch.chdir(repository.path)
    monkeypatch.setenv("TDVC_AUTHOR", "ann")
    page = tmp_path / "page.html"
    for command in (
        *(["ls"], ["log"], ["status"], ["show", "Main"], ["show"], ["operations"], ["diff", "Empty", "Main"], ["fsck"]),
        *(["verify", "Main"], ["checkout", "Main", str(tmp_path / "out")], ["ls", "--json"], ["log", "--json"]),
        *(["diff", "Empty", "Main", "--html", str(page)], ["blame", "Main"], ["validate"], ["directory", "list"]),
    ):
        main(command)
        printed = capsys.readouterr()
        for text in (printed.out, printed.err):
            assert not set("\x1b\x07\u202e") & set(text), command
            assert "Traceback" not in text
            assert "internal" not in text, command
    assert "<script>.png" not in page.read_text()


@bad("empty")
def test_the_writer_of_folders_does_not_trust_its_callers(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    writer = FolderWriter(str(tmp_path / "folder"))
    with pytest.raises((TdvcError, OSError)):
        writer.write(path, [b"evil"])
    writer.close()
    assert files_below(tmp_path) == {}


def test_a_record_of_a_checkout_that_names_files_outside(disk_repository: Repository, tmp_path: Path) -> None:
    stock(disk_repository, "Main", {"a.jpg": jpeg("a")})
    checkout(disk_repository, "Main", tmp_path / "out")
    (tmp_path / "victim.jpg").write_bytes(jpeg("v"))
    record, found = checkout_record(tmp_path / "out"), look(str(tmp_path / "victim.jpg"))
    assert record is not None
    assert found is not None
    named = found._replace(path="../victim.jpg", ctime_ns=0)
    record.stats.remember(named, ObjectId(hashlib.sha256(jpeg("v")).digest()))
    (tmp_path / "out/.tdvc-checkout").write_bytes(record.encode())
    with pytest.raises(Usage):
        checkout(disk_repository, "Main", tmp_path / "out", update=True)
    assert (tmp_path / "victim.jpg").read_bytes() == jpeg("v")


@pytest.mark.parametrize(
    ("column", "content"),
    [("properties", b"{"), ("properties", b"[]"), ("properties", b"\xff"), ("media_type", b"\xff"), ("origin", b"x")],
)
def test_other_columns_that_make_no_sense(
    disk_repository: Repository, tmp_path: Path, column: str, content: bytes
) -> None:
    stock(disk_repository, "Empty", {})
    hand_over(disk_repository, {b"good.png"}, **{column: content})
    for looking in WAYS_TO_LOOK.values():
        try:
            looking(disk_repository)
        except TdvcError as error:
            assert error.message.isprintable()
    for way, leave in WAYS_OUT.items():
        try:
            leave(disk_repository, tmp_path / way)
        except TdvcError as error:
            assert error.message.isprintable()
