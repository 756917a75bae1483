"""stats on the command line: its tables, its JSON, and the files that it writes."""

from __future__ import annotations

import json

import pytest

from tdvc.cli import output

HOSTILE = "<script>alert(1)</script>\x1b[31m"


@pytest.fixture
def counted(labelled, tmp_path):
    """As `labelled`, with one more dog that has attributes."""
    instance = {"label": "dog", "type": "box", "geometry": [0, 0, 4, 2], "attributes": {"fur": "long", "age": 3}}
    (tmp_path / "more.jsonl").write_text(json.dumps({"op": "add", "path": "2.txt", "instance": instance}))
    assert labelled("annotate", "more.jsonl").code == 0
    return labelled


def test_one_state(counted):
    ran = counted("stats")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "Pets: 3 files, 4 instances, 2 labels, 11 B",
        "  0 complete, 0 stale, 3 incomplete; 1 file without instances",
        "  largest label 3 times the smallest; effective number of labels 1.75",
        "  2 box, 1 point, 1 tag",
        "",
        "label  instances  share  files  median px²  of picture  aspect",
        f"dog            3  75.0%      2           8           -    0.75  {'█' * 36}",
        f"nose           1  25.0%      1           -           -       -  {'█' * 12}",
        "",
        "label  attribute  answered  answers",
        "dog    age               1  3",
        "dog    fur               1  long 100.0%",
        "",
        "together in a file  files  of either",
        f"dog + nose              1      50.0%  {'█' * 40}",
        "",
        "instances of a file  files",
        f"0                        1  {'█' * 20}",
        "1                        0",
        f"2                        2  {'█' * 40}",
    ]


def test_long_names_are_cut_to_eighty_columns(counted, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert counted("relabel", "nose", "n" * 100).code == 0
    assert counted("relabel", "dog", "犬" * 100).code == 0
    lines = counted("stats").out.splitlines()
    assert f"{'n' * 19}…" in lines[7]
    assert f"{'犬' * 9}…" in lines[6]
    assert max(map(output.width, lines)) <= 80


def test_a_narrow_terminal_and_no_colours(counted, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = counted("stats").out.splitlines()
    assert max(map(len, lines)) <= 70
    assert lines[6] == "dog            3  75.0%      2           8           -    0.75"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[36m" in counted("stats").out


def test_several_states(counted):
    assert counted("mirror", "Pets:1.txt", "Small").code == 0
    assert counted("stats", "Pets", "Small").out.splitlines()[:5] == [
        "label   Pets  Small  spread  missing in",
        "dog    75.0%  50.0%    25.0",
        "nose   25.0%  50.0%    25.0",
        "",
        "Total variation distance of Pets and Small: 0.25",
    ]
    assert [line[:6] for line in counted("stats", "Pets@", "Small", "-g").out.splitlines()].count("commit") == 1
    found = counted("stats", "Pets", "Small", "--json").json
    assert found["comparison"]["distances"] == [{"before": "Pets", "after": "Small", "total_variation": 0.25}]


def test_json(counted):
    found = counted("stats", "Pets", "--json").json
    assert (found["schema_version"], found["where"], found["comparison"]) == (1, "", None)
    (state,) = found["states"]
    assert (state["files"], state["instances"], state["revision"], state["growth"]) == (3, 4, "Pets", None)
    assert [(label["key"], label["instances"]) for label in state["labels"]] == [("dog", 3), ("nose", 1)]
    assert state["labels"][0]["area"]["most"] == 1200
    assert "written_bytes" not in found


def test_options(counted):
    counted("commit", "-m", "boxes")
    ran = counted("stats", "-g", "-w", "label = 'dog'", "-l", "nose", "-n", "1")
    lines = ran.out.splitlines()
    assert lines[0] == "Only files with: label = 'dog'"
    assert "dog            3" not in ran.out
    assert lines[-3].startswith("commit ")
    assert [line.split()[3:5] for line in lines[-2:]] == [["3", "0"], ["3", "4"]]
    assert "more labels" not in ran.out
    assert "… and 1 more label" in counted("stats", "-n", "1").out


def test_files_that_are_written(counted, tmp_path):
    (tmp_path / "hostile.jsonl").write_text(
        json.dumps({"op": "add", "path": "1.txt", "instance": {"label": HOSTILE, "type": "tag"}})
    )
    assert counted("annotate", "hostile.jsonl").code == 0
    assert "\x1b" not in counted("stats").out
    ran = counted("stats", "--html", "stats.html")
    text = (tmp_path / "stats.html").read_text()
    assert ran.out == f"Wrote stats.html ({len(text.encode()) / 1000:.1f} kB).\n"
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    again = counted("stats", "--html", "stats.html")
    assert (again.code, again.err.splitlines()) == (
        1,
        ["error: 'stats.html' is there already.", "hint: --force writes over it."],
    )
    forced = counted("stats", "--html", "stats.html", "--force", "--json")
    assert forced.json["written_bytes"] == {"stats.html": len(text.encode())}


def test_png(counted, tmp_path):
    pytest.importorskip("matplotlib")
    assert counted("stats", "--png", "stats.png").out.startswith("Wrote stats.png (")
    assert (tmp_path / "stats.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("png", ["z", "./z", "photos/../z"])
def test_a_page_and_a_picture_at_one_place_are_refused_before_either_is_written(counted, tmp_path, png):
    (tmp_path / "z").write_text("mine")
    ran = counted("stats", "--html", "z", "--png", png, "--force")
    assert (ran.code, ran.out) == (2, "")
    assert "--html and --png are both to go to 'z'." in ran.err
    assert (tmp_path / "z").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["Nowhere"], 1, "'Nowhere'"),
        (["--where", "lable = 1"], 2, "There is no property 'lable'."),
        (["--label", "horse"], 1, "The schema has no label 'horse', and no instance has it."),
        (["--html", "nowhere/stats.html"], 1, "is not a folder."),
        (["--png", "nowhere/stats.png"], 1, "is not a folder."),
        (["--html", "photos", "--force"], 1, "'photos' is there already."),
        (["--force"], 2, "--force is for --html and --png."),
        (["--top", "0"], 2, "0 is not in the range"),
    ],
)
def test_bad_input(labelled, arguments, code, error):
    ran = labelled("stats", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert error in ran.err
