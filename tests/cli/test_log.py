"""Looking back and going back, on the command line: the wiring and the lines."""

from __future__ import annotations

import json
import sys

import pytest

from tdvc.cli.graph import graph


def show(*commits: tuple[str, str]) -> list[str]:
    """The graph of commits given as (name, its parents), newest first."""
    lines = []
    for (name, _), (before, below) in zip(commits, graph([(n, p.split()) for n, p in commits]), strict=True):
        lines += [f"{before} {name}", *below]
    return lines


@pytest.mark.parametrize(
    ("commits", "expected"),
    [
        ([("c", "b"), ("b", "a"), ("a", "")], ["* c", "* b", "* a"]),
        (
            [("m", "b t"), ("t", "a"), ("b", "a"), ("a", "")],
            ["* m", "|\\", "| * t", "* | b", "|/", "* a"],
        ),
        (
            [("n", "m x"), ("x", "a"), ("m", "a"), ("a", "")],
            ["* n", "|\\", "| * x", "* | m", "|/", "* a"],
        ),
        (
            [("m", "b t"), ("b", "a"), ("t", "a"), ("a", "")],
            ["* m", "|\\", "* | b", "| * t", "|/", "* a"],
        ),
        ([("b", ""), ("a", "")], ["* b", "* a"]),
    ],
)
def test_lines_of_descent(commits, expected) -> None:
    assert [line.replace(" ", "") for line in show(*commits)] == [line.replace(" ", "") for line in expected]


def test_log_blame_history_and_churn(labelled) -> None:
    labelled("commit", "-m", "labels")
    labelled("relabel", "dog", "wolf")
    log = labelled("log", "--stat", "--graph").out.splitlines()
    assert log[0].startswith("* ") and log[0].endswith("labels  (3 files, 3 instances)")
    assert any("annotated" in line for line in log)
    blamed = labelled("blame", "Pets:1.txt")
    assert blamed.code == 0 and "added" in blamed.out and "labels" in blamed.out
    found = labelled("blame", "Pets:1.txt", "--json").json
    assert {"instance", "added", "changed", "parts"} == set(found[0])
    identity = found[0]["instance"]["instance_id"]
    versions = labelled("history", f"1.txt#{identity[:8]}", "--json").json
    assert versions[-1]["change"]["kind"] == "added" and versions[-1]["where"]["message"] == "labels"
    assert labelled("history", f"1.txt#{identity}").out.count("1.txt") == len(versions)
    churned = labelled("churn", "--json").json
    assert churned["commits"] == 1 and churned["files"][0]["commits"] == 1


def test_log_takes_its_filters(labelled) -> None:
    labelled("commit", "-m", "labels")
    assert len(labelled("log", "--author", "ann", "--json").json) == 2
    assert labelled("log", "--until", "2001-01-01").out == ""
    assert labelled("log", "Pets:3.txt").out == ""
    assert labelled("log", "--since", "soon").code == 2


def test_bisect_runs_a_command_for_each_commit(labelled) -> None:
    labelled("commit", "-m", "labels")
    labelled("relabel", "dog", "wolf")
    labelled("commit", "-m", "wolves")
    judge = "import os, sys; sys.exit(os.environ['TDVC_REVISION'] != sys.argv[1])"
    first = labelled("log", "--json").json[-1]["commit"]
    found = labelled("bisect", "run", "..", "--json", "--", sys.executable, "-c", judge, first)
    assert found.json["message"] == "labels" and list(found.json["verdicts"].values()) == ["bad"]
    assert "The first bad commit is" in labelled("bisect", "run", "..", "--", sys.executable, "-c", judge, first).out
    assert labelled("bisect", "run", "..", "--", "no-such-command-anywhere").code == 2


def test_restore_reset_revert_and_cherry_pick(labelled) -> None:
    labelled("commit", "-m", "labels")
    assert labelled("restore", "Pets~1", "1.txt", "--dry-run").out.splitlines()[0] == "restored  1.txt"
    assert labelled("restore", "Pets~1", "1.txt").code == 0
    assert "1 file" in labelled("status").out or "annotated" in labelled("status").out
    assert labelled("reset", "--json").json["restored"] == ["1.txt"]
    reverted = labelled("revert", "Pets@")
    assert reverted.code == 0 and "Committed as" in reverted.out
    assert labelled("ls", "Pets", "--json").json[0]["instances"] == 0
    again = labelled("cherry-pick", "Pets~1", "--json")
    assert again.code == 0 and again.json["changed_files"] == 2
    assert labelled("restore").code == 2
    assert labelled("restore", "--operation", "0000000").code == 1


def test_undo_of_several_and_restore_of_an_operation(labelled) -> None:
    operations = labelled("operations", "--json").json
    assert labelled("undo", "2").out.count("Undid:") == 2
    assert labelled("restore", "--operation", operations[0]["operation"]).code == 0
    assert len(labelled("ls", "Pets", "--json").json) == 3


def test_gc_plans_collects_and_brings_back(labelled) -> None:
    labelled("relabel", "dog", "wolf")
    planned = labelled("gc", "--keep-operations", "0d", "--now", "--dry-run")
    assert planned.code == 0 and "Nothing was changed" in planned.out
    done = labelled("gc", "--keep-operations", "0d", "--now", "--json").json
    assert done["operation"] and done["packs_after"] <= 2
    assert labelled("gc", "--restore").out == "Put 0 files back.\n"
    assert labelled("gc", "--keep-operations", "soon").code == 2
    assert labelled("gc", "--restore", "--now").code == 2
    assert json.loads(labelled("ls", "Pets", "--json").out)
