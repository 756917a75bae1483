"""`export --since` and `--apply` on the command line: the wiring."""

from __future__ import annotations

import pytest


@pytest.fixture
def changed(labelled):
    """The snapshot v1, an export of it, and a file less since."""
    for arguments in (
        ["commit", "-m", "labels"],
        ["snapshot", "Pets", "v1"],
        ["export", "v1", "old", "-f", "parquet", "--all"],
        ["remove", "Pets:night"],
    ):
        assert labelled(*arguments).code in (0, 3)
    return labelled


def test_changes_are_exported_and_applied(changed, tmp_path):
    ran = changed("export", "Pets", "changes", "-f", "parquet", "--all", "--since", "v1")
    assert ran.out.splitlines()[:2] == [
        "Since v1: 0 files new or changed, 1 removed",
        "0 of 0 files and 0 of 0 instances exported, 0 labels; nothing left out",
    ]
    assert changed("export", "--apply", "changes", "old", "new", "--dry-run").out == (
        "Pets: 0 files new or changed, 1 removed (dry run)\n"
    )
    assert not (tmp_path / "new").exists()
    ran = changed("export", "--apply", "changes", "old", "new", "--json")
    assert (ran.json["files"], ran.json["instances"], ran.json["removed_files"]) == (2, 3, 1)
    assert changed("export", "--apply", "changes", "new", "newer").code == 1
    ran = changed("export", "--apply", "changes", "old", "other")
    assert ran.out.splitlines()[1].startswith("other  2 files, 3 instances, ")


def test_a_dry_run_says_how_much_it_would_be(changed):
    ran = changed("export", "Pets", "changes", "-f", "arrow", "--all", "--since", "v1", "--dry-run", "--json")
    assert (ran.json["since"], ran.json["changed_files"], ran.json["removed_files"]) == ("v1", 0, 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["Pets", "out"],
        ["Pets", "-f", "parquet"],
        ["--apply", "changes", "old"],
        ["--apply", "changes", "old", "new", "--all"],
        ["--apply", "changes", "old", "new", "-f", "parquet"],
        ["Pets", "out", "-f", "parquet", "--shard-size", "4 parsecs"],
        ["Pets", "out", "-f", "parquet", "--shard-size", "0"],
        ["Pets", "out", "-f", "coco", "--shard-size", "4MB"],
        ["Pets", "out", "-f", "coco", "--since", "v1"],
    ],
)
def test_what_makes_no_sense_is_refused(changed, arguments):
    ran = changed("export", *arguments)
    assert (ran.code, ran.out) == (2, "")


@pytest.mark.parametrize(
    ("size", "shards"), [("10", 3), ("0.01k", 3), ("1MiB", 1), ("1 GB", 1), ("2TiB", 1), ("256000000B", 1)]
)
def test_sizes_have_units(changed, tmp_path, size, shards):
    assert changed("export", "v1", "out", "-f", "webdataset", "--all", "--shard-size", size).code in (0, 3)
    assert len(list((tmp_path / "out").glob("*.tar"))) == shards
