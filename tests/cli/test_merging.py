"""The wiring of merge, conflicts and resolve."""

from __future__ import annotations

import pytest

from tests.cli.conftest import BOX


@pytest.fixture
def torn(labelled, tmp_path):
    """Ann is a copy of Pets; each gave the box of 1.txt another label."""

    def relabel(directory: str, label: str) -> None:
        for arguments in (["relabel", "dog", label, "-d", directory], ["commit", "-d", directory, "-m", label]):
            ran = labelled(*arguments)
            assert ran.code == 0, ran

    labelled("commit", "-m", "Boxes")
    labelled("copy", "Pets", "Ann", "--with-instances")
    labelled("commit", "-d", "Ann", "-m", "A copy")
    relabel("Ann", "wolf")
    relabel("Pets", "fox")
    return labelled


def test_merge_lists_conflicts_and_exits_with_20(torn):
    assert torn("merge", "Ann", "--dry-run").code == 20
    ran = torn("merge", "Ann")
    assert ran.code == 20
    assert ran.out.splitlines()[0] == "Ann -> Pets"
    assert f"1.txt#{BOX[:8]}.label  base: dog  ours: fox  theirs: wolf" in ran.out
    listed = torn("conflicts", "--json")
    assert listed.code == 0
    assert listed.json["conflicts"][0] == {
        "path": "1.txt",
        "file_id": listed.json["conflicts"][0]["file_id"],
        "instance_id": BOX,
        "field": "label",
        "base": "dog",
        "ours": "fox",
        "theirs": "wolf",
    }
    assert torn("commit", "-m", "Too early").code == 20


def test_status_says_that_a_merge_is_under_way(torn):
    torn("merge", "Ann")
    assert "Ann is being merged in; 2 conflicts left.\n" in torn("status").out
    torn("resolve", "--all", "--ours")
    assert "Next: tdvc commit -m MESSAGE; or give it up: tdvc merge --abort\n" in torn("status").out
    assert (torn("status", "--json").json["merging"], torn("status", "--json").json["conflicts"]) == ("Ann", 0)


def test_two_sides_at_once_are_refused(torn):
    torn("merge", "Ann")
    assert torn("resolve", "--all", "--ours", "--theirs").code == 2
    assert torn("resolve", "--all").code == 2
    assert len(torn("conflicts", "--json").json["conflicts"]) == 2


def test_resolve_and_continue_end_a_merge(torn):
    torn("merge", "Ann")
    ran = torn("resolve", f"1.txt#{BOX[:8]}.label", "--with", '"lynx"')
    assert ran.code == 0, ran
    assert ran.out == "Pets: 1 conflict resolved, 1 left.\n"
    rest = torn("resolve", "--all", "--ours")
    assert rest.out == "Pets: 1 conflict resolved, none left; tdvc commit -d Pets ends the merge.\n"
    assert torn("merge", "--continue").out.splitlines()[0].endswith("Merge Ann into Pets")
    assert "lynx" in torn("show", "Pets:1.txt").out
    assert torn("merge", "Ann").out == "Pets has everything that Ann has: nothing to do.\n"


def test_abort_gives_a_merge_up(torn):
    torn("merge", "Ann")
    assert torn("merge", "--abort").out.startswith("The merge of Ann is given up; Pets is as it was")
    assert torn("conflicts").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["merge"],
        ["merge", "Ann", "--abort"],
        ["merge", "--abort", "--continue"],
        ["merge", "Ann", "--match", "iou:2"],
        ["merge", "Ann", "--match", "area"],
        ["resolve", "--ours"],
        ["resolve", "1.txt"],
        ["resolve", "1.txt", "--all", "--ours"],
        ["resolve", "1.txt", "--ours", "--with", "1"],
    ],
)
def test_what_does_not_go_together_is_a_usage_error(torn, arguments):
    assert torn(*arguments).code == 2
