"""Old repositories stay readable for ever, and the bytes on disk are what docs/format.md says.

`tests/golden` has one repository for each version of the format, and for what it learned to say later, made once. It is
read by tdvc and by a second reader that was written from the page alone; and what tdvc writes today has the ids that it
had then.
"""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tdvc.cli.main import main
from tdvc.errors import Corruption
from tdvc.ids import Kind
from tdvc.model.records import fields_of
from tdvc.objects.pack import PackReader
from tdvc.objects.store import LARGE_BYTES
from tdvc.ops.committing import commit
from tdvc.ops.fsck import fsck
from tdvc.ops.keepingup import rule_of
from tdvc.ops.merging import conflicts
from tdvc.ops.opening import open_repository
from tdvc.ops.snapshots import snapshot, verify
from tdvc.ops.undoing import operations, undo
from tdvc.repo.commit import ancestors, read_commit
from tdvc.repo.repository import Repository
from tests.conftest import files_below
from tests.golden.build import build, described
from tests.ops.build import fails, held, stock
from tests.second_reader import SecondReader

GOLDEN = Path(__file__).parent / "golden"
VERSIONS = sorted(place.name for place in GOLDEN.glob("v*"))


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Repository:
    """The repository of a version, in a folder where it may be written to."""
    shutil.copytree(GOLDEN / request.param, tmp_path / "golden/.tdvc", ignore=shutil.ignore_patterns("expected.json"))
    return Repository.open(tmp_path / "golden", author="Grace", durable=False)


@pytest.fixture(params=VERSIONS)
def expected(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / request.param / "expected.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_golden_repository_says_what_it_said(version: str, tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / version, tmp_path / ".tdvc", ignore=shutil.ignore_patterns("expected.json"))
    before = files_below(tmp_path)
    repository = Repository.open(tmp_path, author="Grace", durable=False)
    assert described(repository) == json.loads((GOLDEN / version / "expected.json").read_text(encoding="utf-8"))
    assert files_below(tmp_path) == before


def test_a_golden_repository_is_sound_and_has_one_of_everything(golden: Repository) -> None:
    assert fsck(golden, mode="full").findings == []
    assert verify(golden, "v1").problems == []
    later = set() if "Dogs" in golden.view.directories else {Kind.RULE}
    packs = [PackReader(golden.storage, f"packs/{name}") for name in golden.storage.names("packs")]
    assert {kind for pack in packs for kind, _, _ in pack.entries()} == set(Kind) - later
    main = golden.view.directories["Main"]
    assert any(len(found.parents) == 2 for _, found in ancestors(golden.objects, main.commit))
    assert [found.field for found in conflicts(golden, "Main").conflicts] == ["label"]
    assert golden["Main"]["rex.jpg"].file_id == golden["Mirrored"]["rex.jpg"].file_id
    assert golden["Many"].table.page(golden["Many"].root).level == 1
    assert golden["Copied"]["tom.jpg"].state.origin


def test_the_newest_golden_repository_has_every_kind_of_object(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / VERSIONS[-1], tmp_path / ".tdvc", ignore=shutil.ignore_patterns("expected.json"))
    repository = open_repository(tmp_path, author="Grace", durable=False)
    assert rule_of(repository, "Dogs").source == "Main"
    assert [file.path for file in repository["Dogs"]] == ["empty.txt", "new.jpg", "tom.jpg"]
    assert next(iter(operations(repository))).command == "directory refresh Dogs"
    undo(repository)
    assert [file.path for file in repository["Dogs"]] == ["empty.txt", "tom.jpg"]


def test_a_golden_repository_can_be_worked_with(golden: Repository) -> None:
    before = held(golden, "v1")
    stock(golden, "Main", {"later.jpg": b"later"})
    stock(golden, "Mirrored", {"large.bin": bytes(LARGE_BYTES)})
    commit(golden, "later", "Mirrored")
    assert fsck(golden, mode="full").findings == []
    for _ in range(5):
        undo(golden)
    assert fsck(golden, mode="full").findings == []
    assert held(golden, "v1") == before


def test_what_is_written_today_has_the_same_ids(tmp_path: Path) -> None:
    made = described(build(tmp_path / "repository", tmp_path / "source"))
    assert made == json.loads((GOLDEN / VERSIONS[-1] / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("content", [b"tdvc 2 sha256\n", b"tdvc 1 blake3\n", b"tdvc 1 sha256", b"", b"\xff" * 99])
def test_another_format_is_refused_without_a_write(
    golden: Repository, content: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert golden.path is not None
    (golden.path / ".tdvc/format").write_bytes(content)
    before = files_below(golden.path)
    with fails(Corruption, "repository-format"):
        Repository.open(golden.path, author="Grace")
    monkeypatch.chdir(golden.path)
    monkeypatch.setenv("TDVC_AUTHOR", "Grace")
    commands = (["status"], ["add", "."], ["commit", "-m", "x"], ["undo"], ["gc", "--now"], ["fsck", "--repair"])
    for command in commands if content.startswith(b"tdvc ") and content.endswith(b"\n") else commands[:-1]:
        assert main(command) == 1, command  # what is damaged and names no other version, fsck mends
        assert "format is" in capsys.readouterr().err
    assert files_below(golden.path) == before


def seen(repository: Repository, name: str) -> dict[str, Any]:
    """A state as the second reader tells it."""
    return {
        file.path: (
            file.file_id,
            file.read(),
            [
                {
                    key: json.loads(bytes(value)) if key in ("geometry", "attributes", "properties", "score") else value
                    for key, value in fields_of(instance).items()
                }
                for instance in file.instances
            ],
        )
        for file in repository[name]
    }


def test_a_second_reader_finds_the_same_in_a_golden_repository(golden: Repository) -> None:
    assert golden.path is not None
    found = SecondReader(golden.path / ".tdvc").snapshot("v1")
    assert found == seen(golden, "v1")
    assert sum(len(instances) for _, _, instances in found.values()) == 12


def test_a_second_reader_finds_the_same_in_a_new_repository(disk_repository: Repository) -> None:
    box = {"label": "dog", "type": "box", "geometry": [1, 2, 3, 4]}
    files: dict[str, Any] = {f"{n:05}.jpg": (b"\xff\xd8\xff%d" % n, [box] * (n % 3 == 0)) for n in range(1500)}
    stock(disk_repository, "Main", files | {"large.bin": b"\0\1" * LARGE_BYTES, "empty": b""})
    commit(disk_repository, "first")
    snapshot(disk_repository, "Main", "v1")
    assert disk_repository.path is not None
    assert SecondReader(disk_repository.path / ".tdvc").snapshot("v1") == seen(disk_repository, "v1")


def test_the_second_reader_is_one() -> None:
    text = (Path(__file__).parent / "second_reader.py").read_text()
    names = {
        name.name if isinstance(node, ast.Import) else str(node.module)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert not {name for name in names if name.startswith(("tdvc", "tests"))}
    assert len(text.splitlines()) < 100


def test_the_merge_commit_names_both(golden: Repository) -> None:
    commits = [found for _, found in ancestors(golden.objects, golden.view.directories["Main"].commit)]
    (joined,) = [found for found in commits if len(found.parents) == 2]
    assert [read_commit(golden.objects, parent).directory for parent in joined.parents] == ["Main", "Branch"]
