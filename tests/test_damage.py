"""Every kind of damage at every kind of file of a repository, seen from the command line.

After each: every command that reads ends with the right output, or with an error that has a code and names what is
damaged; what was whole stays readable; new work can be committed where the head can be read; the original heals a
blob; `fsck` finds what does harm, and its repair leaves nothing but what is lost. What damage does to single objects
is in `tests/objects/test_damage.py`.

    TDVC_TORTURE=1    all places in every file, instead of some
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from tdvc.cli.main import main
from tdvc.ids import Kind
from tdvc.objects.packcheck import index_of
from tdvc.storage.local import LocalStorage
from tests.conftest import draw_picture
from tests.objects.test_store import noise

TORTURE = bool(os.environ.get("TDVC_TORTURE"))
SINGLE_FROM_BYTES = 30_000
LISTS = ("SHA256SUMS", "instances.jsonl")
"""What a checkout or an export writes with a line for each file."""
LOST = {"object-missing", "object-damaged"}

READING = {
    "status": ["status"],
    "ls": ["ls"],
    "log": ["log"],
    "show": ["show", "Main"],
    "diff": ["diff", "v1", "Main"],
    "cat": ["cat", "Main:1.jpg"],
    "cat of a large file": ["cat", "v1:large.bin"],
    "checkout": ["checkout", "v1", "OUT"],
    "export": ["export", "Main", "OUT", "--all", "-f", "tdvc-jsonl"],
    "verify": ["verify", "Main"],
    "validate": ["validate"],
    "operations": ["operations"],
}


class Ran(NamedTuple):
    """How a command ended, what it printed, and what it wrote into the folder it was given."""

    code: int
    out: bytes
    err: str
    files: dict[str, bytes]


def run(place: Path, *arguments: str) -> Ran:
    """Run a command in this process on the repository in `place`."""
    target = place / "out"
    shutil.rmtree(target, ignore_errors=True)
    spelled = [str(target) if argument == "OUT" else argument for argument in arguments]
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["-C", str(place), *spelled])
        out.flush()
    names = sorted(path for path in target.rglob("*") if path.is_file() and path.name != ".tdvc-checkout")
    files = {str(path.relative_to(target)): path.read_bytes() for path in names}
    return Ran(code, out.buffer.getvalue(), err.getvalue(), files)


def findings(place: Path, *options: str) -> list[dict]:
    """What fsck finds; where it ends with an error, that."""
    ran = run(place, "fsck", "--json", *options)
    if ran.code not in (0, 3):
        return [json.loads(ran.err)["error"]]
    found = json.loads(ran.out)["findings"]
    assert (ran.code == 3) == any(finding["severity"] == "error" for finding in found)
    return found


@pytest.fixture(autouse=True, scope="module")
def _settings() -> Iterator[None]:
    """Small files of their own, packs that gc takes at once, and an environment that changes no output."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("tdvc.objects.store", "tdvc.ops.intake", "tdvc.ops.checkout"):
            patch.setattr(f"{module}.LARGE_BYTES", SINGLE_FROM_BYTES)
        patch.setattr("tdvc.ops.collecting.YOUNG", timedelta(days=-1))
        patch.setenv("TDVC_DURABILITY", "none")
        patch.setenv("TDVC_AUTHOR", "ann")
        patch.setenv("TDVC_NO_PROGRESS", "1")
        for name in ("TDVC_DIR", "TDVC_DEBUG", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `photos`, `edits`, and a repository that has files of every kind."""
    place = tmp_path_factory.mktemp("sound")
    for number in range(1, 7):
        (place / "photos").mkdir(exist_ok=True)
        draw_picture(place / "photos" / f"{number}.jpg", seed=str(number))
    (place / "photos" / "large.bin").write_bytes(noise(40_000, 1))
    (place / "photos" / "larger.bin").write_bytes(noise(50_000, 2))
    edits = [
        {
            "op": "add",
            "path": f"{number}.jpg",
            "instance": {"instance_id": f"{number:032x}", "label": "dog", "type": "box", "geometry": [1, 2, 3, 4]},
        }
        for number in range(1, 7)
    ]
    (place / "edits.jsonl").write_text("".join(json.dumps(edit) + "\n" for edit in edits))
    for arguments in (
        ["init"],
        ["add", str(place / "photos")],
        ["annotate", str(place / "edits.jsonl")],
        ["relabel", "dog", "puppy"],
        ["commit", "-m", "first"],
        ["snapshot", "Main", "v1"],
        ["validate"],
        ["config", "set", "validate.on_commit", "warn"],
        ["gc", "--keep-operations", "0d"],
        ["relabel", "puppy", "wolf"],
        ["commit", "-m", "second"],
        ["remove", "Main:6.jpg"],
        ["validate"],
    ):
        ran = run(place, *arguments)
        assert ran.code in (0, 21), ran
    shutil.rmtree(place / "out", ignore_errors=True)
    return place


@pytest.fixture(scope="module")
def right(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """What every command says where nothing is damaged."""
    place = tmp_path_factory.mktemp("place") / "here"
    answers = {}
    for name, arguments in READING.items():
        fresh(sound, place)
        answers[name] = run(place, *arguments)
        assert answers[name].code in (0, 21), answers[name]
    answers["here"] = Ran(0, str(place).encode(), "", {})
    return answers


def fresh(sound: Path, place: Path) -> Path:
    """The sound repository anew, always at the same place, so that output can be compared."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(sound / ".tdvc", place / ".tdvc")
    return place


def kinds_of_files(folder: Path) -> dict[str, list[str]]:
    """The files of a repository, by kind."""
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    kinds = {
        "format": ["format"],
        "head": [name for name in names if name.startswith("heads/")],
        "single blob": [name for name in names if name.startswith("blobs/")],
        "lock": ["lock"],
        "stat cache": [name for name in names if name.startswith("cache/stat/")],
        "columns": [name for name in names if name.startswith("cache/columns")],
        "pictures": [name for name in names if name.startswith("cache/pictures")],
        "pruned": ["pruned"],
        "trash": [name for name in names if name.startswith("trash/")],
        "settings": ["config.toml"],
        "pack of blobs": [],
        "pack of metadata": [],
    }
    storage = LocalStorage(folder)
    for name in names:
        if name.startswith("packs/"):
            blobs = any(record.kind is Kind.BLOB for record in index_of(storage, name)[0])
            kinds["pack of blobs" if blobs else "pack of metadata"].append(name)
    return kinds


KINDS = (
    "format", "head", "single blob", "lock", "stat cache", "columns", "pictures", "pruned", "trash", "settings",
    "pack of blobs", "pack of metadata",
)  # fmt: skip


def flip(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :]


def damages(content: bytes, other: bytes) -> Iterator[tuple[str, bytes | None]]:
    """What can happen to a file, as (what, content); None for losing it."""
    size = len(content)
    yield "deleted", None
    yield "extended", content + b"x" * 100
    if not size:
        return
    for length in sorted({0, size // 2, size - 1}):
        yield f"cut to {length}", content[:length]
    steps = 40 if TORTURE else 3
    for at in sorted({0, size - 1, *(size * step // steps for step in range(steps))}):
        yield f"a bit at {at}", flip(content, at)
    for start in range(0, size, 512) if TORTURE else sorted({0, size // 2 // 512 * 512}):
        end = min(start + 512, size)
        yield f"zeros from {start}", content[:start] + bytes(end - start) + content[end:]
    if other != content:
        yield "another one of its kind", other


def overwrite(path: Path, content: bytes | None) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)


def cases(sound: Path, kind: str) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """All damage to files of a kind, as (what, something that does it to the repository in a folder)."""
    names = kinds_of_files(sound / ".tdvc")[kind]
    assert names, kind
    chosen = names if TORTURE or len(names) < 3 else [names[0], names[-1]]
    for name in chosen:
        content = (sound / ".tdvc" / name).read_bytes()
        partner = names[(names.index(name) + 1) % len(names)]
        other = (sound / ".tdvc" / partner).read_bytes()
        for what, changed in damages(content, other):
            if changed == other != content:
                yield f"{name}: swapped", lambda folder, a=name, b=partner: swap(folder / a, folder / b)
            else:
                yield f"{name}: {what}", lambda folder, name=name, new=changed: overwrite(folder / name, new)


def swap(one: Path, two: Path) -> None:
    first, second = one.read_bytes(), two.read_bytes()
    overwrite(one, second)
    overwrite(two, first)


def check(what: str, name: str, ran: Ran, expected: Ran) -> bool:
    """Whether a command gave the right output; it must else have ended with an error that is expected of it."""
    assert "internal" not in ran.err and "Traceback" not in ran.err, (what, name, ran)
    if ran.code == expected.code and ran.out == expected.out and ran.files == expected.files:
        return True
    assert ran.code != 0, (what, name, ran, expected)
    assert ran.err.startswith(("error: ", "problem: ")) or b"error: " in ran.out, (what, name, ran)
    for path, content in ran.files.items():
        if path in LISTS:
            assert set(content.splitlines()) <= set(expected.files[path].splitlines()), (what, name)
        else:
            assert content == expected.files[path], (what, name)
    return False


def answers(place: Path, right: dict[str, Ran], what: str) -> set[str]:
    """The commands that give the right output."""
    return {name for name, arguments in READING.items() if check(what, name, run(place, *arguments), right[name])}


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_named_found_and_mended(kind: str, sound: Path, right: dict[str, Ran]) -> None:
    place = Path(right["here"].out.decode())
    everything = set(READING)
    harmful = 0
    for what, damage in cases(sound, kind):
        fresh(sound, place)
        damage(place / ".tdvc")
        before = answers(place, right, what)
        harmful += before != everything
        found = findings(place, "--full")
        assert found or before == everything, what
        assert not (found and kind == "lock"), found
        needed = ("page", "schema")  # the directory's tables, and the schema where commits are validated
        state_lost = any(finding.get("kind") in needed and finding["code"] in LOST for finding in found)
        new_work(place, what, expected="status" in before and kind != "settings" and not state_lost)
        fresh(sound, place)
        damage(place / ".tdvc")
        repaired = run(place, "fsck", "--full", "--repair")
        left = findings(place, "--full")
        if kind == "format" and repaired.code == 1:
            assert {finding["code"] for finding in left} == {"repository-format"}, what
            continue
        assert {finding["code"] for finding in left if finding["severity"] == "error"} <= LOST, (what, left)
        if b"Lost: " in repaired.out:
            assert before <= {"operations"}, what
            continue
        after = answers(place, right, f"{what}, repaired")
        assert before - {"validate"} <= after, what  # which takes a blob's length for its content
        if kind not in ("pack of blobs", "pack of metadata", "single blob"):
            assert after == everything, (what, left)
    assert (harmful > 0) is (kind not in ("lock", "stat cache", "columns", "pictures", "pruned", "trash")), harmful


def new_work(place: Path, what: str, *, expected: bool) -> None:
    """Something new can be added and committed, where the head can be read."""
    (place / "new").mkdir()
    (place / "new" / "new.txt").write_text("new")
    added = run(place, "add", str(place / "new"))
    done = run(place, "commit", "-m", "new") if added.code == 0 else added
    assert "internal" not in added.err + done.err, (what, added, done)
    if expected:
        assert done.code == 0, (what, added, done)
        assert run(place, "cat", "Main:new.txt").out == b"new", what


@pytest.mark.parametrize("kind", ["single blob", "pack of blobs"])
def test_adding_the_original_heals_a_blob(kind: str, sound: Path, right: dict[str, Ran]) -> None:
    place = Path(right["here"].out.decode())
    for what, damage in cases(sound, kind):
        fresh(sound, place)
        damage(place / ".tdvc")
        if run(place, "status").code != 0:
            continue
        ran = run(place, "add", "--reread", str(sound / "photos"))
        if ran.code != 0:
            assert ran.err.startswith("error: "), (what, ran)
            continue
        for name in ("cat", "cat of a large file", "checkout"):
            assert check(what, name, run(place, *READING[name]), right[name]), (what, name)


HEADS: dict[str, Callable[[Path], None]] = {
    "garbage beside it": lambda heads: (heads / "garbage").write_bytes(b""),
    "an unknown operation beside it": lambda heads: (heads / ("ab" * 32)).write_bytes(b""),
    "an unknown operation instead": lambda heads: next(heads.iterdir()).rename(heads / ("ab" * 32)),
    "garbage instead": lambda heads: next(heads.iterdir()).rename(heads / "garbage"),
    "a folder instead": lambda heads: (next(heads.iterdir()).unlink(), (heads / "folder").mkdir()),
    "no folder": shutil.rmtree,
}


@pytest.mark.parametrize("what", HEADS)
def test_a_head_that_names_nothing_is_recovered(what: str, sound: Path, right: dict[str, Ran]) -> None:
    place = fresh(sound, Path(right["here"].out.decode()))
    HEADS[what](place / ".tdvc" / "heads")
    before = answers(place, right, what)
    assert findings(place, "--quick")
    assert run(place, "fsck", "--repair", "--dry-run").code in (0, 3)
    assert answers(place, right, what) == before
    assert run(place, "fsck", "--repair").code == 0
    assert answers(place, right, what) == set(READING)
    assert findings(place) == []


def test_a_lost_pack_index_is_made_again(sound: Path, right: dict[str, Ran]) -> None:
    place = fresh(sound, Path(right["here"].out.decode()))
    packs = sorted((place / ".tdvc" / "packs").iterdir())
    for pack in packs:
        overwrite(pack, pack.read_bytes()[:-40])
    assert len(findings(place)) >= len(packs)
    assert run(place, "fsck", "--repair").code == 0
    assert answers(place, right, "every pack without its end") == set(READING)
    assert len(list((place / ".tdvc" / "quarantine").iterdir())) == len(packs)
