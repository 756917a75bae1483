"""split and sample on the command line: the wiring."""

from __future__ import annotations


def test_split(labelled):
    ran = labelled("split", "Pets", "--into", "train=0.5,test=0.5", "--by-label", "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "Pets: 3 files (dry run)"
    ran = labelled("split", "Pets", "--into", "train=0.5,test=0.5", "--json")
    assert [part["directory"] for part in ran.json["parts"]] == ["Pets-train", "Pets-test"]
    assert sum(part["files"] for part in ran.json["parts"]) == 3
    assert labelled("split", "Pets", "--into", "train=0.5,test=0.5").out.count("unchanged") == 2
    folds = labelled("split", "Pets", "--folds", "3", "--prefix", "", "--json").json["parts"]
    assert [part["directory"] for part in folds] == ["fold-1", "fold-2", "fold-3"]
    halves = labelled("split", "Pets", "--halves", "--json").json["parts"]
    assert [(part["directory"], part["share"]) for part in halves] == [("Pets-A", "1/2"), ("Pets-B", "1/2")]
    assert sorted(part["labels"].get("dog", 0) for part in halves) == [1, 1]


def test_without_a_name_it_is_the_current_directory(pets):
    ran = pets("split", "--into", "train=0.5,test=0.5")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "Pets: 3 files")
    ran = pets("sample", "--shares", "1")
    assert (ran.code, ran.out.splitlines()) == (0, ["Pets: 3 files", "  Pets-1  3 files  +3"])


def test_a_part_that_is_left_over_is_a_warning(pets):
    pets("mirror", "Pets:1.txt", "Pets-val")
    pets("mirror", "Pets:2.txt", "Pets-train")
    arguments = ("split", "--into", "train=1", "--dry-run")
    ran = pets(*arguments)
    assert (ran.code, ran.err) == (
        0,
        "warning: Pets-val: It held no file of the parts, and now holds 1 of Pets-train. If it was a part: "
        "tdvc directory remove Pets-val; or tdvc undo, and another --prefix. [split-overlap]\n",
    )
    ran = pets(*arguments, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["overlaps"] == [{"directory": "Pets-val", "files": {"Pets-train": 1}}]
    assert [problem["code"] for problem in ran.json["problems"]] == ["split-overlap"]


def test_shares_that_are_off_say_how_they_are_mended(pets, tmp_path):
    for number in range(60):
        (tmp_path / "photos" / f"more{number}.txt").write_text(str(number))
    assert pets("add", "photos").code == 0
    assert "--rebalance" not in pets("split", "--into", "a=0.8,b=0.2", "--by-label").out
    assert "--rebalance" in pets("split", "--into", "a=0.5,b=0.5", "--by-label").out
    assert "--rebalance" not in pets("split", "--into", "a=0.5,b=0.5", "--by-label", "--rebalance").out


def test_leaks(labelled):
    assert labelled("mirror", "Pets:1.txt", "Other").code == 0
    ran = labelled("split", "--leaks", "Pets", "Other")
    assert (ran.code, ran.out) == (1, "file: Pets:1.txt, Other:1.txt\n1 leak in 4 files.\n")
    assert labelled("split", "--leaks", "Pets", "Other", "--json").json["leaks"][0]["kind"] == "file"
    ran = labelled("split", "--leaks", "Pets:2.txt", "Other")
    assert (ran.code, ran.out) == (0, "No leak in 2 files.\n")


def test_what_makes_no_sense(pets):
    for arguments in (
        ["split"],
        ["split", "Pets"],
        ["split", "--leaks"],
        ["split", "Pets", "--into", "train"],
        ["split", "Pets", "--into", "a=0.5,a=0.5"],
        ["split", "Pets", "--into", "a=0.5,b=0.4"],
        ["split", "Pets", "--folds", "1"],
        ["split", "Pets", "--folds", "2", "--halves"],
        ["split", "Pets", "Pets", "--folds", "2"],
        ["split", "--leaks", "Pets"],
        ["split", "--leaks", "Pets", "Pets", "--folds", "2"],
        ["sample"],
        ["sample", "Pets"],
        ["sample", "Pets", "--cap", "3"],
    ):
        ran = pets(*arguments)
        assert (ran.code, ran.out) == (2, ""), arguments


def test_sample(labelled):
    ran = labelled("sample", "Pets", "--shares", "0.5, 1", "--json")
    assert [found["directory"] for found in ran.json["samples"]] == ["Pets-0.5", "Pets-1"]
    ran = labelled("sample", "Pets", "--per-label", "2", "--into", "Balanced")
    assert ran.out.splitlines() == [
        "Pets: 3 files",
        "  Balanced  2 files  +2",
        "  dog   2 files",
        "  nose  1 file",
        "nose has 1 file only.",
    ]
    assert labelled("sample", "Pets", "--cap", "1", "--into", "Capped", "--dry-run", "--json").json["operation"] is None
