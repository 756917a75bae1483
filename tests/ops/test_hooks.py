"""Hooks: what they are told, what stops them, and that nothing they do harms the repository."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Refused
from tdvc.ops import hooks as hooks_module
from tdvc.ops.committing import commit
from tdvc.ops.configuring import set_config
from tdvc.ops.hookprocess import MAX_OUTPUT_BYTES
from tdvc.ops.hooks import HOOKS, Hooks
from tdvc.ops.importing import import_
from tdvc.ops.merging import MergeOptions, merge
from tdvc.ops.picking import PickOptions, revert
from tdvc.ops.snapshots import snapshot
from tdvc.repo.repository import FOLDER, Repository
from tests.ops.build import box, fails, stock, unchanged

SAYS_WHAT_IT_GOT = "import sys; open('got-' + __import__('os').environ['TDVC_HOOK'], 'w').write(sys.stdin.read())"


class Said(list):
    """Hooks of a repository, and what they say."""

    def of(self, repository: Repository) -> Hooks:
        return Hooks(repository, environment=dict(os.environ), say=self.append)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def staged(disk_repository: Repository) -> Repository:
    """A repository with one file staged, whose lock nobody holds for long."""
    stock(disk_repository, "Main", {"a.jpg": (b"one", [box()])})
    return disk_repository


def install(repository: Repository, name: str, script: str, mode: int = 0o755) -> Path:
    """Make a hook of a few lines of Python."""
    place = repository.path / FOLDER / "hooks" / name
    place.parent.mkdir(mode=0o755, exist_ok=True)
    place.write_text(f"#!{sys.executable}\n{script}\n")
    place.chmod(mode)
    return place


def told(repository: Repository, name: str) -> dict[str, Any]:
    return json.loads((repository.path / f"got-{name}").read_text())


def test_hooks_of_a_commit_are_told_what_changes(staged: Repository, said: Said) -> None:
    for name in HOOKS:
        install(staged, name, SAYS_WHAT_IT_GOT)
    root = staged["Main"].root.hex()
    result = commit(staged, "first", hooks=said.of(staged))
    before, after = told(staged, "pre-commit"), told(staged, "post-commit")
    assert before["version"] == 1
    assert (before["event"], before["directory"], before["message"]) == ("pre-commit", "Main", "first")
    assert before["repository"] == str(staged.path)
    assert before["counts"] == {"files": 1, "bytes": 3, "instances": 1, "complete": 0}
    assert (before["before"]["commit"], before["after"]["commit"], before["after"]["root"]) == (None, None, root)
    assert [(one["kind"], one["path"]) for one in before["files"]] == [("added", "a.jpg")]
    assert before["totals"]["added_files"] == 1
    assert after == {**before, "event": "post-commit", "after": {**before["after"], "commit": result.commit}}
    assert said == []


def test_hooks_of_a_snapshot_and_of_a_merge_are_told_of_it(staged: Repository, said: Said) -> None:
    for name in HOOKS:
        install(staged, name, SAYS_WHAT_IT_GOT)
    first = commit(staged, "first")
    snapshot(staged, "Main", "v1", message="to train on", hooks=said.of(staged))
    got = told(staged, "pre-snapshot")
    assert (got["snapshot"], got["after"]["commit"], got["message"]) == ("v1", first.commit, "to train on")
    assert (got["before"], got["files"]) == (None, [])
    stock(staged, "Other", {"b.jpg": b"two"})
    with staged.transaction("mirror") as edit:
        edit.place("Other", "a.jpg", staged["Main"]["a.jpg"].state.file_id)
    theirs = commit(staged, "other", "Other")
    result = merge(staged, "Other", "Main", MergeOptions(hooks=said.of(staged)))
    before, after = told(staged, "pre-merge"), told(staged, "post-merge")
    assert (before["revision"], before["theirs"], before["after"]["commit"]) == ("Other", theirs.commit, None)
    assert [one["path"] for one in before["files"]] == ["b.jpg"]
    assert after["after"] == {"commit": result.commit, "root": staged["Main@"].root.hex(), **_schema(after)}
    assert not (staged.path / "got-pre-commit").exists()


def test_a_revert_is_a_commit(staged: Repository, said: Said) -> None:
    commit(staged, "first")
    stock(staged, "Main", {"b.jpg": b"two"})
    commit(staged, "second")
    for name in HOOKS:
        install(staged, name, SAYS_WHAT_IT_GOT)
    result = revert(staged, "Main@", options=PickOptions(hooks=said.of(staged)))
    before, after = told(staged, "pre-commit"), told(staged, "post-commit")
    assert [(one["kind"], one["path"]) for one in before["files"]] == [("removed", "b.jpg")]
    assert (before["after"]["commit"], after["after"]["commit"]) == (None, result.commit)
    install(staged, "pre-commit", "raise SystemExit(1)")
    with unchanged(staged), fails(Refused, "hook-refused"):
        revert(staged, "Main@", options=PickOptions(hooks=said.of(staged)))


def _schema(got: dict[str, Any]) -> dict[str, str]:
    return {"schema": got["after"]["schema"]}


def test_every_field_is_documented(staged: Repository, said: Said) -> None:
    install(staged, "pre-commit", SAYS_WHAT_IT_GOT)
    commit(staged, "first", hooks=said.of(staged))
    got = told(staged, "pre-commit")
    page = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
    fields = {*got, *got["after"], *got["counts"], *got["files"][0]}
    assert [field for field in fields if f"`{field}`" not in page] == []
    assert [name for name in HOOKS if f"`.tdvc/hooks/{name}`" not in page] == []


def test_only_the_first_files_are_told(staged: Repository, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks_module, "MAX_FILES", 2)
    stock(staged, "Main", {f"{number}.jpg": f"{number}".encode() for number in range(4)})
    install(staged, "pre-commit", SAYS_WHAT_IT_GOT)
    commit(staged, "first", hooks=said.of(staged))
    got = told(staged, "pre-commit")
    assert (len(got["files"]), got["files_left_out"], got["totals"]["added_files"]) == (2, 3, 5)


def test_a_verb_runs_no_hook_unless_it_is_handed_them(staged: Repository) -> None:
    install(staged, "pre-commit", "raise SystemExit(1)")
    assert commit(staged, "first").commit


BAD_ENDINGS = {
    "an exit code": ("raise SystemExit(3)", "exit code 3"),
    "a crash": ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
    "an exception": ("raise ValueError('no')", "exit code 1"),
    "too long": ("import time; time.sleep(600)", "took longer"),
    "too long in a child": (
        "import os, time; os.fork(); os.close(1); os.close(2); time.sleep(600)",
        "took longer",
    ),
    "printing for ever": ("import os\nwhile True: os.write(1, b'x' * 65536)", "took longer"),
}


@pytest.mark.parametrize("name", BAD_ENDINGS)
@pytest.mark.parametrize("event", ["commit", "snapshot", "merge"])
def test_a_pre_hook_that_fails_stops_the_command(staged: Repository, said: Said, name: str, event: str) -> None:
    script, ending = BAD_ENDINGS[name]
    if event != "commit":
        commit(staged, "first")
    if event == "merge":
        stock(staged, "Other", {"b.jpg": b"two"})
        with staged.transaction("mirror") as edit:
            edit.place("Other", "a.jpg", staged["Main"]["a.jpg"].state.file_id)
        commit(staged, "other", "Other")
    if ending == "took longer":
        set_config(staged, "hooks.timeout", "0.1")
    install(staged, f"pre-{event}", script)
    verbs = {
        "commit": lambda hooks, verify: commit(staged, "first", verify=verify, hooks=hooks),
        "snapshot": lambda hooks, verify: snapshot(staged, "Main", "v1", verify=verify, hooks=hooks),
        "merge": lambda hooks, verify: merge(staged, "Other", "Main", MergeOptions(verify=verify, hooks=hooks)),
    }
    with unchanged(staged), fails(Refused, "hook-refused") as caught:
        verbs[event](said.of(staged), True)
    assert caught.value.exit_code == 1
    assert ending in caught.value.message
    assert verbs[event](said.of(staged), False).operation is not None


def test_what_cannot_be_started_stops_the_command(staged: Repository, said: Said) -> None:
    install(staged, "pre-commit", "").write_text("#!/nowhere/at/all\n")
    with unchanged(staged), fails(Refused, "hook-refused"):
        commit(staged, "first", hooks=said.of(staged))


@pytest.mark.parametrize("name", BAD_ENDINGS)
def test_a_post_hook_comes_too_late(staged: Repository, said: Said, name: str) -> None:
    script, ending = BAD_ENDINGS[name]
    if ending == "took longer":
        set_config(staged, "hooks.timeout", "0.1")
    install(staged, "post-commit", script)
    result = commit(staged, "first", hooks=said.of(staged))
    assert staged["Main@"].commit.hex() == result.commit
    assert "warning: the hook post-commit" in said[-1]


def test_a_bad_configuration_stops_before_and_not_after(staged: Repository, said: Said) -> None:
    staged.storage.replace("config.toml", b"[hooks]\ntimeout = 'long'\n")
    install(staged, "post-commit", SAYS_WHAT_IT_GOT)
    install(staged, "pre-commit", SAYS_WHAT_IT_GOT)
    hooks = said.of(staged)
    with pytest.raises(Refused):
        hooks.before(hooks_module.Change("commit", staged["Main"]))
    hooks.after(hooks_module.Change("commit", staged["Main"]))
    assert "config.toml" in said[-1]


def test_what_it_prints_is_escaped_and_bounded(staged: Repository, said: Said) -> None:
    script = f"""
import sys
sys.stdout.buffer.write(b"\\x1b[31mred\\xff\\n" + b"y" * 10_000 + b"\\n")
sys.stdout.flush()
print("on the other stream", file=sys.stderr)
sys.stderr.flush()
for _ in range({MAX_OUTPUT_BYTES}): print("line")
"""
    install(staged, "pre-commit", script)
    commit(staged, "first", hooks=said.of(staged))
    assert said[0] == "pre-commit: \\x1b[31mred\\xff"
    assert said[2] == "pre-commit: on the other stream"
    assert said[-1] == "pre-commit: … and more, which is left out"
    assert (len(said) < 300, max(map(len, said)) < 600) == (True, True)
    assert all(line.isprintable() for line in said)


@pytest.mark.parametrize("script", ["import os; os.close(0)", "pass", "import sys; sys.stdin.read(1)"])
def test_a_hook_need_not_read_what_it_gets(staged: Repository, said: Said, script: str) -> None:
    stock(staged, "Main", {f"{'long' * 40}{number}.jpg": b"x" + bytes([number]) for number in range(250)})
    install(staged, "pre-commit", script)
    assert commit(staged, "first", hooks=said.of(staged)).counts.files == 251


def test_what_a_hook_starts_ends_with_it(staged: Repository, said: Said) -> None:
    script = """
import fcntl, os, time
held = open("held", "w")
fcntl.flock(held, fcntl.LOCK_EX)
if os.fork() == 0:
    time.sleep(5)
    open("survived", "w")
"""
    install(staged, "pre-commit", script)
    commit(staged, "first", hooks=said.of(staged))
    with (staged.path / "held").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # let go of when the last process that has it is gone
    assert not (staged.path / "survived").exists()


def test_a_hook_finds_where_it_is_and_no_lock_is_held(staged: Repository, said: Said) -> None:
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(hooks_module.__file__).parents[2])!r})
from pathlib import Path
import tdvc
assert os.getcwd() == os.environ["TDVC_DIR"]
tdvc.snapshots(tdvc.open(Path(os.environ["TDVC_DIR"])))
tdvc.create_directory(tdvc.open("."), os.environ["TDVC_HOOK"])
"""
    install(staged, "pre-commit", script)
    result = commit(staged, "first", hooks=said.of(staged))
    assert said == []
    assert list(staged) == ["Main", "pre-commit"]
    assert staged["Main@"].commit.hex() == result.commit


def _linked(repository: Repository, target: Path) -> None:
    place = install(repository, "pre-commit", "raise SystemExit(9)")
    target.parent.mkdir(exist_ok=True)
    place.rename(target)
    place.symlink_to(target)


def _fifo(repository: Repository) -> None:
    install(repository, "pre-commit", "").unlink()
    os.mkfifo(repository.path / FOLDER / "hooks" / "pre-commit", 0o755)


def _linked_folder(repository: Repository) -> None:
    place = install(repository, "pre-commit", "raise SystemExit(9)").parent
    place.rename(repository.path / "elsewhere")
    place.symlink_to(repository.path / "elsewhere")


NOT_RUN = {
    "not executable": lambda repository: install(repository, "pre-commit", "raise SystemExit(9)", 0o644),
    "writable by the group": lambda repository: install(repository, "pre-commit", "raise SystemExit(9)", 0o775),
    "writable by all": lambda repository: install(repository, "pre-commit", "raise SystemExit(9)", 0o757),
    "in a folder that others write": lambda r: install(r, "pre-commit", "raise SystemExit(9)").parent.chmod(0o777),
    "a folder": lambda r: install(r, "other", "").with_name("pre-commit").mkdir(),
    "a pipe": _fifo,
    "a link out": lambda repository: _linked(repository, repository.path / "tools" / "hook"),
    "a link to nowhere": lambda r: install(r, "other", "").with_name("pre-commit").symlink_to("gone"),
    "a link to itself": lambda r: install(r, "other", "").with_name("pre-commit").symlink_to("pre-commit"),
    "in a folder elsewhere": _linked_folder,
}


@pytest.mark.parametrize("name", NOT_RUN)
def test_a_file_that_is_not_safe_to_run_is_not_run(staged: Repository, said: Said, name: str) -> None:
    NOT_RUN[name](staged)
    commit(staged, "first", hooks=said.of(staged))
    assert len(said) == 1
    assert said[0].startswith("warning: the hook pre-commit is not run: ")


def test_the_hook_of_somebody_else_is_not_run(staged: Repository, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    place = install(staged, "pre-commit", "raise SystemExit(9)")
    if os.geteuid() == 0:
        os.chown(place, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    commit(staged, "first", hooks=said.of(staged))
    assert "belongs to somebody else" in said[0]


def test_a_link_within_the_folder_is_followed(staged: Repository, said: Said) -> None:
    _linked(staged, staged.path / FOLDER / "hooks" / "check")
    with fails(Refused, "hook-refused"):
        commit(staged, "first", hooks=said.of(staged))


def test_a_repository_in_memory_has_none(repository: Repository, said: Said) -> None:
    stock(repository, "Main", {"a.jpg": b"one"})
    assert commit(repository, "first", hooks=said.of(repository)).commit


def test_no_hook_comes_in_with_data(staged: Repository, tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in ("hooks/pre-commit", ".tdvc/hooks/pre-commit"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("#!/bin/sh\n")
        (source / name).chmod(0o755)
    (source / "dog").mkdir()
    (source / "dog" / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0one\xff\xd9")
    import_(staged, source, format="image-folder")
    assert not (staged.path / FOLDER / "hooks").exists()
    assert [file.path for file in staged["Main"] if "hooks" in file.path] == []
