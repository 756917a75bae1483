"""A few runs of every command: what it prints, what it exits with, which keys its JSON has. The wiring only."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest

from tests.cli.answers import keys, steady

BOX = "b0" * 16  # as in conftest.py


# repository


def test_init(tdvc, tmp_path):
    ran = tdvc("init", "data", "-d", "Pets")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"Created a repository with the directory Pets in {tmp_path / 'data'}."
    again = tdvc("init", "data")
    assert (again.code, again.out) == (1, "")
    assert tdvc("init", "--json").json == {"directory": "Main", "path": str(tmp_path)}


def test_status_of_a_new_repository(tdvc):
    tdvc("init")
    assert tdvc("status").out == (
        "Directory  Main (current)\n"
        "Commit     none yet\n"
        "Files      0 (0 B)\n"
        "Instances  0\n"
        "Complete   0 of 0\n"
        "\n"
        "Nothing is staged.\n"
    )


def test_status(labelled):
    labelled("mirror", "Pets:1.txt", "Night")
    labelled("complete", "2.txt")
    assert steady(labelled("status").out) == (
        "Directory  Pets (current)\n"
        "Commit     ID  MOMENT  First photos\n"
        "Files      3 (11 B)\n"
        "Instances  3\n"
        "Complete   1 of 3\n"
        "\n"
        "Staged:\n"
        "  annotated  2 files\n"
        "  marked     1 file\n"
        "Next: tdvc commit -m MESSAGE\n"
        "\n"
        "Other directories:\n"
        "  Night  1 file  staged edits\n"
    )
    assert "Next: tdvc commit -d Night -m MESSAGE\n" in labelled("status", "-d", "Night").out
    ran = labelled("status", "--json")
    assert keys(ran) == {
        "directory",
        "commit_message",
        "commit_time",
        "staged",
        "conflicts",
        "merging",
        "schema_differs",
        "stale",
        "others",
    }
    assert ran.json["staged"]["annotated_files"] == 2


def test_status_of_a_folder(pets, tmp_path):
    pets("checkout", "Pets@", "out")
    assert pets("status", "out").out == "Checked out: Pets@\nClean: the folder holds what was checked out.\n"
    (tmp_path / "out" / "new.txt").write_text("new")
    (tmp_path / "out" / "2.txt").write_text("other")
    (tmp_path / "out" / "1.txt").unlink()
    (tmp_path / "out" / "instances.jsonl").write_text("")
    ran = pets("status", "out")
    assert ran.out == (
        "Checked out: Pets@\n"
        "added    new.txt\n"
        "changed  2.txt\n"
        "missing  1.txt\n"
        "changed  instances.jsonl (the annotation)\n"
    )
    seen = pets("status", "out", "--json").json
    assert (seen["added"], seen["missing"], seen["clean"], seen["behind"]) == (["new.txt"], ["1.txt"], False, False)


def test_status_of_a_folder_that_is_behind(labelled):
    labelled("checkout", "Pets@", "out")
    labelled("commit", "-m", "Boxes")
    assert labelled("status", "out").out.startswith("Checked out: Pets@, which means another state by now\n")


def test_undo_redo_and_operations(labelled):
    assert labelled("undo").out == "Undid: annotate edits.jsonl -d Pets\n"
    assert labelled("show").out.count("dog") == 0
    assert labelled("redo").out == "Did again: annotate edits.jsonl -d Pets\n"
    lines = steady(labelled("operations", "-n", "3").out).splitlines()
    assert lines == [
        "  ID  MOMENT  ann  redo annotate edits.jsonl -d Pets",
        "  ID  MOMENT  ann  undo annotate edits.jsonl -d Pets",
        "* ID  MOMENT  ann  annotate edits.jsonl -d Pets",
    ]
    assert labelled("redo").code == 1
    assert keys(labelled("operations", "--json")) == {"operation", "command", "author", "time", "undoes", "shown"}
    assert keys(labelled("undo", "--json")) == {"command", "commands", "operation"}


# files


def test_add(pets, tmp_path):
    (tmp_path / "photos" / "1.txt").write_text("other")
    (tmp_path / "photos" / "4.txt").write_text("four")
    (tmp_path / "photos" / ".hidden").write_text("")
    expected = "Pets\n  added      1 file   (9 B new)\n  replaced   1 file\n  unchanged  2 files\n"
    expected += "  hidden     1 file   (left out)\n"
    assert pets("add", "photos", "--dry-run").out == expected.replace("Pets\n", "Pets (dry run)\n")
    assert pets("add", "photos").out == expected
    assert pets("ls").out == "1.txt\n2.txt\n4.txt\nnight/3.txt\n"


def test_add_of_nothing_new(pets):
    assert pets("add", "photos") == (0, "Pets\n  unchanged  3 files\n", "")


def test_add_with_a_prefix_and_sync(pets, tmp_path):
    pets("add", "photos/night", "--at", "more")
    assert pets("ls", "Pets:more").out == "more/3.txt\n"
    (tmp_path / "photos" / "2.txt").unlink()
    ran = pets("add", "photos", "--sync", "--json")
    assert ran.json["removed_files"] == 2
    assert ran.json["operation"]


def test_add_with_a_problem_exits_with_3(pets, tmp_path):
    os.symlink("1.txt", tmp_path / "photos" / "link")
    ran = pets("add", "photos")
    assert (ran.code, ran.out) == (3, "Pets\n  unchanged  3 files\n")
    assert ran.err == "problem: link: Left out: symbolic links are not followed. [skipped-symlink]\n"
    ran = pets("add", "photos", "--json")
    assert ran.code == 3
    assert ran.json["problems"][0]["code"] == "skipped-symlink"


def test_add_of_what_is_not_there(pets):
    assert pets("add", "nothing") == (1, "", "error: 'nothing' does not exist.\n")


def test_import(tdvc, tmp_path):
    for name in ("cat/1.png", "dog/2.png"):
        place = tmp_path / "source" / name
        place.parent.mkdir(parents=True)
        place.write_bytes(b"\x89PNG\r\n\x1a\n")
    tdvc("init")
    ran = tdvc("import", "source", "--format", "image-folder")
    assert ran.code == 0
    assert ran.out.endswith("\nLabels: cat, dog\nInstances: 2 added in 2 files\n")
    assert tdvc("import", "source").out.endswith("\nNothing changed.\n")
    found = tdvc("import", "source", "--json").json
    assert (found["labels"], found["operation"], found["unchanged_files"]) == (["cat", "dog"], None, 2)


def test_ls(labelled):
    labelled("complete", "2.txt")
    assert labelled("ls", "Pets@:night").out == "night/3.txt\n"
    assert labelled("ls", "--label", "nose").out == "1.txt\n"
    assert labelled("ls", "-L").out == (
        "     3 B       2  -         1.txt\n"
        "     3 B       1  complete  2.txt\n"
        "     5 B       0  -         night/3.txt\n"
    )
    found = labelled("ls", "--json")
    expected = {"path", "file_id", "blob", "size_bytes", "instances", "complete", "stale", "media_type"}
    assert keys(found) == expected
    assert labelled("ls", "Pets", "--label", "none", "--json").out == "[]\n"
    assert labelled("ls", "Pets:none").code == 1
    assert labelled("ls", "none").code == 1


def test_names_that_would_write_to_the_terminal_are_escaped(pets, tmp_path):
    name = "\x1b[31mred.txt"
    (tmp_path / "photos" / name).write_text("x")
    pets("add", "photos")
    assert "\\x1b[31mred.txt\n" in pets("ls").out
    assert name in [file["path"] for file in pets("ls", "--json").json]


def test_show_a_directory_and_a_commit(labelled):
    shown = labelled("show").out.splitlines()
    assert shown[0] == "Directory  Pets"
    assert shown[2].startswith("By         ann, ")
    assert shown[-3:] == ["Label  Files  Instances", "dog        2          2", "nose       1          1"]
    commit = labelled("show", "Pets@").out.splitlines()
    assert commit[0] == shown[1]
    assert commit[-1] == "    First photos"
    labelled("snapshot", "Pets", "v1")
    assert labelled("show", "v1").out.startswith("Snapshot   v1\n")


def test_show_a_file(labelled):
    labelled("mirror", "Pets:1.txt", "Night:one.txt")
    lines = labelled("show", "Pets:1.txt").out.splitlines()
    assert lines[0] == "File      Pets:1.txt"
    assert lines[-5:] == [
        "In        Night:one.txt",
        "          Pets:1.txt",
        "",
        "b0b0b0b0  dog   box    [1,2,31,42]",
        "c0c0c0c0  nose  point  [5,6]",
    ]


def test_instances_that_are_shown_can_be_put_back(labelled, tmp_path):
    shown = labelled("show", "Pets:1.txt", "--json").json
    edit = {"op": "replace", "path": shown["file"]["path"], "instances": shown["instances"]}
    (tmp_path / "again.jsonl").write_text(json.dumps(edit))
    assert labelled("annotate", "again.jsonl").out == "Pets: nothing changed.\n"


def test_cat(pets):
    assert pets("cat", "Pets@:night/3.txt") == (0, "three", "")
    assert pets("cat", "Pets").code == 2
    assert pets("cat", "Pets:none").code == 1


def test_cat_spares_the_terminal(pets, tmp_path, monkeypatch):
    (tmp_path / "photos" / "bytes").write_bytes(b"\0\1")
    pets("add", "photos")
    assert pets("cat", "Pets:bytes").out == "\0\1"
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda stream: True)
    ran = pets("cat", "Pets:bytes")
    assert (ran.code, ran.out) == (2, "")


def test_mirror_copy_move(labelled):
    ran = labelled("mirror", "Pets", "Dogs", "--label", "dog")
    assert ran.out == "Mirrored 2 files (3 instances) into the new directory Dogs.\n"
    assert labelled("mirror", "Pets", "Dogs").out == "Mirrored 1 file (0 instances) into Dogs; 2 already there.\n"
    assert labelled("copy", "Pets:1.txt", "Trial").out == (
        "Copied 1 file (0 instances) into the new directory Trial.\n"
    )
    assert labelled("copy", "Pets:1.txt", "Trial:x/", "--with-instances").out == (
        "Copied 1 file (2 instances) into Trial.\n"
    )
    assert labelled("move", "Pets:1.txt", "Pets:dogs/1.txt").out == "Moved 1 file (2 instances) into Pets.\n"
    assert labelled("ls").out == "2.txt\ndogs/1.txt\nnight/3.txt\n"
    assert labelled("move", "Pets@:2.txt", "Dogs").code == 2
    expected = {"verb", "destination", "files", "already_there", "instances", "created_directory", "new_blob_bytes"}
    for verb in ("mirror", "copy", "move"):
        assert keys(labelled(verb, "Pets:2.txt", f"New{verb}", "--json")) == expected | {"operation"}


def test_remove(pets):
    expected = "Pets:1.txt\nPets:night/3.txt\nWould remove 2 files.\n"
    assert pets("remove", "-n", "Pets:1.txt", "Pets:night").out == expected
    assert pets("remove", "Pets:1.txt", "Pets:night").out == "Removed 2 files.\n"
    assert pets("ls").out == "2.txt\n"
    ran = pets("remove", "--dry-run", "--json", "Pets:2.txt")
    assert ran.json == {"operation": None, "removed": ["Pets:2.txt"]}


# annotations


def test_annotate_from_standard_input(labelled, monkeypatch):
    edits = [
        {"op": "update", "path": "1.txt", "instance_id": BOX, "set": {"label": "puppy"}},
        {"op": "add", "path": "night/3.txt", "instance": {"label": "moon", "type": "tag"}},
        {"op": "replace", "path": "2.txt", "instances": []},
    ]
    stream = io.TextIOWrapper(io.BytesIO("\n".join(map(json.dumps, edits)).encode()))
    monkeypatch.setattr(sys, "stdin", stream)
    ran = labelled("annotate", "-")
    assert ran.out == "Pets: 1 instance added, 1 instance changed, 1 instance removed in 3 files.\n" + (
        "New labels in the schema: moon, puppy\n"
    )


def test_annotate_errors(labelled, tmp_path):
    bad = {"op": "add", "path": "1.txt", "instance": {"label": "dog", "type": "box", "geometry": [1, 2]}}
    (tmp_path / "bad.jsonl").write_text(json.dumps(bad))
    ran = labelled("annotate", "bad.jsonl")
    assert (ran.code, ran.out) == (21, "")
    assert ran.err.startswith("error: Line 1 of the edits: ")
    assert labelled("annotate", "missing.jsonl").code == 1


def test_relabel(labelled):
    assert (
        labelled("relabel", "dog", "cat").out == "Pets: 2 instances changed in 2 files.\nNew label in the schema: cat\n"
    )
    ran = labelled("relabel", "dog", "cat")
    assert (ran.code, ran.err) == (
        1,
        "error: Pets has no instance labelled 'dog'.\nhint: Known labels: cat, dog, nose.\n",
    )
    expected = {"directory", "edits", "files", "added_instances", "changed_instances", "removed_instances"}
    assert keys(labelled("relabel", "cat", "dog", "--json")) == expected | {"learned_labels", "left_files", "operation"}


def test_complete(pets):
    assert pets("complete", "1.txt").out == "Pets: 1 file marked complete.\n"
    assert pets("complete", "*.txt").out == "Pets: 2 files marked complete (1 already).\n"
    assert pets("complete", "-u", "night").out == "Pets: 1 file marked not complete.\n"
    assert keys(pets("complete", "1.txt", "--json")) == {"directory", "files", "already", "operation"}


# history


def test_commit_and_log(labelled):
    ran = labelled("commit", "-m", "Boxes\n\nof dogs")
    assert steady(ran.out) == "Pets ID  Boxes\n  annotated  2 files\n"
    again = labelled("commit", "-m", "Again")
    assert (again.code, again.err) == (1, "error: Nothing is staged in Pets.\n")
    assert steady(labelled("log").out) == (
        "ID  MOMENT  ann  Boxes  (3 files, 3 instances)\nID  MOMENT  ann  First photos  (3 files, 0 instances)\n"
    )
    assert labelled("log", "Pets~1", "-n", "1").out == labelled("log").out.splitlines(keepends=True)[1]
    expected = {"changed", "commit", "parents", "directory", "author", "time", "message", "counts"}
    assert keys(labelled("log", "--json")) == expected
    labelled("complete", "1.txt")
    expected = {"checked", "directory", "commit", "counts", "changed", "operation"}
    assert keys(labelled("commit", "-m", "x", "--json")) == expected


@pytest.fixture
def edited(labelled, tmp_path):
    """Boxes committed; then one box moved, relabelled and described, files moved, removed, added, marked, replaced."""
    labelled("commit", "-m", "Boxes")
    change = {"label": "cat", "geometry": [4, 2, 34, 42], "attributes": {"age": 3}}
    edits = [
        {"op": "update", "path": "1.txt", "instance_id": BOX, "set": change},
        {"op": "remove", "path": "1.txt", "instance_id": "c0" * 16},
        {"op": "add", "path": "1.txt", "instance": {"instance_id": "e0" * 16, "label": "tail", "type": "tag"}},
    ]
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, edits)))
    labelled("annotate", "edits.jsonl")
    labelled("move", "Pets:night/3.txt", "Pets:3.txt")
    (tmp_path / "2.txt").write_text("other")
    labelled("add", "2.txt")
    labelled("complete", "2.txt")
    labelled("copy", "Pets:1.txt", "Pets:new/", "--with-instances")
    return labelled


TOTALS = """\

added       1 file
moved       1 file
replaced    1 file
annotated   1 file
marked      1 file
added       3 instances
removed     1 instance
moved       1 instance
relabelled  1 instance
changed     1 attribute
"""


def test_diff(edited):
    assert edited("diff").out == (
        "Pets@ -> Pets\n"
        "changed  1.txt\n"
        "           ~ dog -> cat  box  moved (+3, +0), overlap 0.82; age: - -> 3  [b0b0b0b0]\n"
        "           - nose  point  [c0c0c0c0]\n"
        "           + tail  tag  [e0e0e0e0]\n"
        "changed  2.txt  (other bytes, complete)\n"
        "moved    night/3.txt -> 3.txt\n"
        "added    new/1.txt  (2 instances)\n\nschema   learned cat, tail\n" + TOTALS
    )


def test_diff_stat(edited):
    assert edited("diff", "--stat").out == (
        "Pets@ -> Pets\n"
        "changed  1.txt\n"
        "           instances +1 -1 ~1\n"
        "changed  2.txt  (other bytes, complete)\n"
        "moved    night/3.txt -> 3.txt\n"
        "added    new/1.txt  (2 instances)\n"
        "\n"
        "schema   learned cat, tail\n"
        "\n"
        "label  before  added  removed  changed  to others  from others   churn\n"
        "cat         0     +1        -        -          -            1     new\n"
        "dog         2      -        -       ~1          1            -   50.0%\n"
        "nose        1      -       -1        -          -            -  100.0%\n"
        "tail        0     +2        -        -          -            -     new\n" + TOTALS
    )


def test_diff_summary(edited):
    assert edited("diff", "-S").out == (
        "Pets@ -> Pets\n1 file added, 1 file moved, 1 file replaced, 1 file annotated, 1 file marked, "
        "3 instances added, 1 instance removed, 1 instance moved, 1 instance relabelled, 1 attribute changed.\n"
    )
    assert "files" not in edited("diff", "-S", "--json").json


@pytest.mark.parametrize(
    "arguments",
    [
        ["--summary", "--name-only"],
        ["--format", "patch", "--json"],
        ["--force"],
        ["--match", "iou:2"],
        ["--match", "label"],
        ["--html", "x.html", "--pictures", "link"],
    ],
)
def test_diff_options_that_make_no_sense(edited, arguments):
    assert edited("diff", *arguments).code == 2


def test_diff_as_a_patch_and_apply(edited, tmp_path):
    patch = tmp_path / "pets.jsonl"
    patch.write_text(edited("diff", "--format", "patch").out)
    assert edited("apply", str(patch)).code == 20
    ran = edited("apply", str(patch), "--reverse", "--dry-run", "--json")
    assert (ran.json["removed_files"], ran.json["moved_files"], ran.json["operation"]) == (1, 1, None)
    ran = edited("apply", str(patch), "-R")
    assert ran.out == (
        "Pets: 1 file removed, 1 file moved, 2 files changed, "
        "1 instance added, 1 instance changed, 1 instance removed.\n"
    )
    assert edited("diff", "-N").out == ""


def test_diff_as_a_page(edited, tmp_path):
    page = tmp_path / "page.html"
    assert edited("diff", "--html", str(page)).out.startswith(f"{page}: 4 files, ")
    assert edited("diff", "--html", str(page)).code == 1
    assert edited("diff", "--html", str(page), "--force", "--json").json["files"] == 4


def test_diff_as_json(edited):
    ran = edited("diff", "--json")
    assert ran.code == 0
    found = ran.json
    assert (found["before"], found["after"], found["totals"]["moved_instances"]) == ("Pets@", "Pets", 1)
    by_path = {file["path"]: file for file in found["files"]}
    assert by_path["3.txt"]["before_path"] == "night/3.txt"
    assert by_path["new/1.txt"]["before"] is None
    change = by_path["1.txt"]["instances"][0]
    assert change["before"]["geometry"] == [1, 2, 31, 42]
    assert change["after"]["label"] == "cat"
    assert change["attributes"] == {"age": {"before": None, "after": 3}}
    assert change["geometry"]["shift"] == [3, 0]
    assert 0.81 < change["geometry"]["iou"] < 0.83
    assert found["version"] == 1


def test_diff_of_nothing(pets):
    assert pets("diff").out == "Pets@ -> Pets\n\nNo differences.\n"
    assert pets("diff", "--json").json["files"] == []
    assert pets("diff", "--exit-code").code == 0
    assert pets("diff", "--quiet") == (0, "", "")


def test_diff_tells_scripts(edited):
    assert edited("diff").code == 0
    assert edited("diff", "--exit-code").code == 1
    assert edited("diff", "-q") == (1, "", "")
    assert edited("diff", "-e", "--json").code == 1
    assert edited("diff", "--name-only").out == "1.txt\n2.txt\n3.txt\nnew/1.txt\n"


def test_diff_of_revisions_and_paths(edited):
    two = edited("diff", "Pets~1", "Pets@", "-N")
    assert two.out == "1.txt\n2.txt\n"
    assert edited("diff", "Pets~1..Pets@", "-N").out == two.out
    assert edited("diff", "Pets~1", "-N", "--", "new", "2.*").out == "2.txt\nnew/1.txt\n"
    assert edited("diff", "-N", "--", "1.txt").out == "1.txt\n"
    assert edited("diff", "None").code == 1


# snapshots


def test_snapshots(labelled):
    ran = labelled("snapshot", "Pets", "v1", "-m", "For training")
    assert steady(ran.out) == (
        "Snapshot v1: Pets ID (3 files, 0 instances)\nWhat is staged is not in it: a snapshot holds the last commit.\n"
    )
    assert labelled("snapshot", "Pets", "v1").code == 1
    assert steady(labelled("snapshots").out) == "v1  Pets  ID  MOMENT  3 files  0 instances  For training\n"
    expected = {"name", "directory", "commit", "root", "author", "time", "message", "counts"}
    assert keys(labelled("snapshots", "--json")) == expected
    expected = {"checked", "name", "directory", "commit", "root", "counts", "staged_edits_left_out", "problems"}
    expected |= {"operation"}
    labelled("complete", "*")
    labelled("commit", "-m", "Complete")
    assert keys(labelled("snapshot", "Pets", "v2", "--json")) == expected


def test_no_snapshots(pets):
    assert pets("snapshots") == (0, "", "")
    assert pets("snapshots", "--json").out == "[]\n"


def test_verify(labelled, tmp_path):
    assert labelled("verify", "Pets").out == "Pets: 3 files (11 B), 3 instances read, all as they should be.\n"
    for pack in (tmp_path / ".tdvc" / "packs").rglob("*"):
        content = pack.read_bytes() if pack.is_file() else b""
        if b"three" in content:
            pack.chmod(0o644)
            pack.write_bytes(content.replace(b"three", b"eerht"))
    ran = labelled("verify", "Pets@")
    assert ran.code == 3
    assert ran.out.endswith(", 1 damaged.\n")
    assert "[stored-damaged]" in ran.err


def test_checkout(pets, tmp_path):
    expected = "Pets -> out (dry run)\n  written  3 files  (11 B)\n"
    assert pets("checkout", "Pets", "out", "--dry-run").out == expected
    assert not (tmp_path / "out").exists()
    assert pets("checkout", "Pets", "out").out == expected.replace(" (dry run)", "")
    assert (tmp_path / "out" / "night" / "3.txt").read_text() == "three"
    assert pets("checkout", "Pets", "out").out == "Pets -> out\n  unchanged  3 files\n"
    pets("remove", "Pets:1.txt")
    assert pets("checkout", "Pets", "out").code == 1
    expected = "Pets -> out\n  unchanged  2 files\n  removed    1 file\n"
    assert pets("checkout", "Pets", "out", "--update").out == expected
    ran = pets("checkout", "Pets", "some", "--only", "night", "--link", "copy", "--json")
    assert ran.json["written_files"] == 1
    assert pets("checkout", "Pets", "photos").code == 1
