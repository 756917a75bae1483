"""The hooks that this project offers to the pre-commit framework, run by it before real commits of git."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tdvc.ops.committing import commit
from tdvc.ops.pins import pin, write_pin
from tdvc.repo.repository import Repository
from tests.ops.build import box, stock
from tests.ops.test_checking import SCHEMA, voc

pytestmark = pytest.mark.skipif(
    shutil.which("git") is None or importlib.util.find_spec("pre_commit") is None, reason="needs git and pre-commit"
)

MANIFEST = Path(__file__).parent.parent / ".pre-commit-hooks.yaml"
RUN = f"{sys.executable} -m tdvc"

Git = Callable[..., subprocess.CompletedProcess[str]]


def offered() -> dict[str, dict[str, Any]]:
    """The hooks of the manifest, by their id."""
    yaml = pytest.importorskip("yaml")  # comes with pre-commit
    return {hook["id"]: hook for hook in yaml.safe_load(MANIFEST.read_text())}


def locally(identity: str, args: list[str] | None = None) -> dict[str, Any]:
    """A hook of the manifest as one that needs no installation; `tdvc` is this interpreter's."""
    hook = dict(offered()[identity])
    hook |= {"language": "system", "entry": hook["entry"].replace("tdvc", RUN, 1)}
    return hook | ({"args": args} if args is not None else {})


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Runs git in a new repository in `code`, with nothing of the user's settings."""
    code = tmp_path / "code"
    code.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "TDVC_", "PRE_"))}
    environment |= {"HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    environment |= {"PRE_COMMIT_HOME": str(tmp_path / "cache"), "PRE_COMMIT_COLOR": "never"}
    for who in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{who}_NAME": "Ada", f"GIT_{who}_EMAIL": "ada@example.org"}

    def run(*words: str, program: tuple[str, ...] = ("git",)) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, *words], cwd=code, env=environment, capture_output=True, text=True)

    assert run("init", "-q").returncode == 0
    return run


def install(git: Git, code: Path, hooks: list[dict[str, Any]]) -> None:
    """Have the framework run hooks before each commit, which is read as JSON for being YAML."""
    (code / ".pre-commit-config.yaml").write_text(json.dumps({"repos": [{"repo": "local", "hooks": hooks}]}))
    ran = git("install", program=(sys.executable, "-m", "pre_commit"))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_manifest_is_valid(git: Git) -> None:
    ran = git("validate-manifest", str(MANIFEST), program=(sys.executable, "-m", "pre_commit"))
    assert ran.returncode == 0, ran.stdout
    assert set(offered()) == {"tdvc-validate", "tdvc-check-schema", "tdvc-check-annotations", "tdvc-check-pins"}


def test_a_bad_annotation_file_stops_a_commit_of_git_and_a_good_one_does_not(git: Git, tmp_path: Path) -> None:
    code = tmp_path / "code"
    install(git, code, [locally("tdvc-check-annotations"), locally("tdvc-check-schema")])
    (code / "schema.toml").write_text(SCHEMA)
    boxes = code / "annotations"
    boxes.mkdir()
    (boxes / "a.xml").write_text(voc(("dog", (1, 1, 9, 9), "")))
    (boxes / "b.xml").write_text(voc(("dog", (1, 1, 9, 9), ""), ("dgo", (1, 1, 9, 9), "")))
    git("add", "-A")
    ran = git("commit", "-m", "boxes")
    assert ran.returncode == 1
    assert "annotations/b.xml:#1: dgo; expected a label of the schema [unknown-label]" in ran.stderr
    assert "annotations/a.xml" not in ran.stderr
    assert git("log").returncode != 0
    (boxes / "b.xml").write_text(voc(("dog", (1, 1, 9, 9), ""), ("kitty", (1, 1, 9, 9), "")))
    git("add", "-A")
    ran = git("commit", "-m", "boxes")
    assert ran.returncode == 0, ran.stderr
    (code / "schema.toml").write_text(SCHEMA + 'wrong = "field"\n')
    git("add", "-A")
    ran = git("commit", "-m", "schema")
    assert ran.returncode == 1
    assert "[bad-schema]" in ran.stderr
    assert git("log", "--format=%s").stdout == "boxes\n"


def test_a_repository_and_a_pin_are_checked(git: Git, tmp_path: Path) -> None:
    code = tmp_path / "code"
    data = Repository.init(tmp_path / "data", author="Ada", directory="Pets", durable=False)
    stock(data, "Pets", {"a.jpg": (b"one", [box(at=(1, 1, 9, 9))])})
    commit(data, "first", "Pets")
    rules = ["--rule", "zero-size"]
    hooks = [locally("tdvc-validate", ["-C", "../data", "validate", *rules]), locally("tdvc-check-pins")]
    install(git, code, hooks)
    write_pin(pin(data, "Pets", start=code), code / "data.tdvc.toml")
    git("add", "-A")
    ran = git("commit", "-m", "pin")
    assert ran.returncode == 0, ran.stderr
    (code / "data.tdvc.toml").write_text((code / "data.tdvc.toml").read_text().replace("files = 1", "files = 2"))
    git("add", "-A")
    ran = git("commit", "-m", "a pin of something else")
    assert (ran.returncode, "[pin-mismatch]" in ran.stderr) == (1, True)
    write_pin(pin(data, "Pets", start=code), code / "data.tdvc.toml")
    (code / "train.py").write_text("")
    stock(data, "Pets", {"b.jpg": (b"two", [box(at=(1, 1, 1, 9))])})
    git("add", "-A")
    ran = git("commit", "-m", "code beside bad data")
    assert (ran.returncode, "[zero-size]" in ran.stderr) == (1, True)
