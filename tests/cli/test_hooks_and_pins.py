"""The wiring of hooks, pins and checks without a repository."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def hooked(pets, tmp_path):
    """The repository with a file staged, and a pre-commit hook that says where it is and refuses."""
    hooks = tmp_path / ".tdvc" / "hooks"
    hooks.mkdir(mode=0o755)
    (hooks / "pre-commit").write_text("#!/bin/sh\necho at $TDVC_HOOK\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (tmp_path / "photos" / "4.txt").write_text("four")
    assert pets("add", "photos").code == 0
    return pets


def test_a_hook_stops_a_commit(hooked):
    ran = hooked("commit", "-m", "second")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines() == [
        "pre-commit: at pre-commit",
        "error: The hook pre-commit ended with exit code 1; there was no commit, and what is staged is as it was.",
        "hint: --no-verify goes ahead without validation and pre- hooks.",
    ]
    assert hooked("commit", "-m", "second", "--no-verify").code == 0


def test_no_hook_runs_within_a_hook(hooked, monkeypatch):
    monkeypatch.setenv("TDVC_HOOK", "pre-commit")
    assert hooked("commit", "-m", "second").code == 0


def test_a_pin_is_printed_checked_checked_out_and_compared(pets, tmp_path):
    assert pets("snapshot", "Pets", "v1").code == 0
    text = pets("pin", "v1").out
    assert 'repository = "."' in text
    assert pets("pin", "v1", "-o", "data.tdvc.toml").out.startswith("data.tdvc.toml: v1: Pets ")
    assert (tmp_path / "data.tdvc.toml").read_text() == text
    assert pets("pin", "v1", "--json").json["counts"]["files"] == 3
    assert pets("pin", "--check").code == 0
    (tmp_path / "photos" / "4.txt").write_text("four")
    pets("add", "photos")
    assert pets("diff", "--pin", "data.tdvc.toml", "--name-only").out == "4.txt\n"
    assert pets("diff", "--pin", "data.tdvc.toml", "Pets@", "--exit-code").code == 0
    assert pets("checkout", "--pin", "data.tdvc.toml", "out").out.startswith("v1 -> out\n")
    assert (tmp_path / "out" / "1.txt").read_text() == "one"
    (tmp_path / "data.tdvc.toml").write_text(text.replace("files = 3", "files = 4"))
    ran = pets("pin", "--check", "--json", "data.tdvc.toml", "gone.toml")
    assert (ran.code, [one["code"] for one in ran.json]) == (1, ["pin-mismatch", "source-not-found"])
    assert pets("checkout", "--pin", "data.tdvc.toml", "other").code == 1
    assert not (tmp_path / "other").exists()


def test_c_says_where_the_repository_of_a_pin_is(pets, tmp_path, monkeypatch):
    (tmp_path / "code").mkdir()
    pets("pin", "Pets", "--name", "pets", "-o", "code/data.tdvc.toml")
    (tmp_path / ".tdvc").rename(tmp_path / "photos" / ".tdvc")
    monkeypatch.chdir(tmp_path / "code")
    assert pets("pin", "--check").code == 1
    assert pets("-C", "../photos", "pin", "--check").code == 0
    assert pets("-C", "../photos", "checkout", "--pin", "data.tdvc.toml", "out").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("checkout", "v1"),
        ("checkout", "--pin", "a.toml"),
        ("checkout", "v1", "out", "--pin", "a.toml"),
        ("diff", "a", "b", "--pin", "a.toml"),
        ("pin", "a", "b"),
        ("pin", "--absolute", "--name", "x"),
        ("pin", "--check", "-o", "a.toml"),
        ("check", "annotations", "a.xml"),
        ("check", "schema"),
    ],
)
def test_what_makes_no_sense(pets, arguments):
    assert pets(*arguments).code == 2


def test_files_are_checked_without_a_repository(tdvc, tmp_path):
    (tmp_path / "schema.toml").write_text("version = 1\n[labels.dog]\n")
    (tmp_path / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n4 0.5 0.5 0.2 0.2\n")
    assert tdvc("check", "schema", "schema.toml").code == 0
    ran = tdvc("check", "annotations", "--schema", "schema.toml", "a.txt")
    assert (ran.code, ran.out) == (1, "a.txt:2: The row has the class 4, which has no name. [instance-invalid]\n")
    ran = tdvc("check", "annotations", "--schema", "schema.toml", "--json", "a.txt")
    assert (ran.code, ran.json["errors"], ran.json["findings"][0]["record"]) == (1, 1, "2")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_hook_that_does_not_run_is_said(hooked, tmp_path):
    (tmp_path / ".tdvc" / "hooks" / "pre-commit").chmod(0o644)
    ran = hooked("commit", "-m", "second")
    assert ran.code == 0
    assert "warning: the hook pre-commit is not run: it is not executable" in ran.err
