from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tdvc.errors import Conflict, Usage
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.checkout import checkout
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.snapshots import snapshot
from tdvc.ops.status import folder_status
from tdvc.ops.transfer import mirror, remove
from tdvc.repo.repository import Repository
from tdvc.storage.folder import FolderWriter
from tests.ops.build import box, fails, file_id, held, identity, jpeg, labels, lines, stock, unchanged, write_tree


@pytest.fixture
def pets(disk_repository: Repository) -> Repository:
    stock(
        disk_repository,
        "Main",
        {
            "a.jpg": (jpeg("a"), [box("dog", (0, 0, 10, 10), 1)]),
            "b.jpg": (jpeg("b"), [box("cat", (0, 0, 10, 10), 2)]),
            "in/c.jpg": jpeg("c"),
        },
    )
    text = '{"op":"add","path":"b.jpg","instance":{"label":"x","type":"tag","score":0.10,"instance_id":"ID"}}'
    annotate(disk_repository, lines(text.replace("ID", identity(3))))
    complete(disk_repository, ["in/c.jpg"])
    commit(disk_repository, "first")
    snapshot(disk_repository, "Main", "v1")
    return disk_repository


@pytest.fixture
def out(pets: Repository, tmp_path: Path) -> Path:
    checkout(pets, "Main", tmp_path / "out")
    return tmp_path / "out"


def rewrite(folder: Path, change) -> None:
    """Change the records of `instances.jsonl`: `change` gets path to record."""
    place = folder / "instances.jsonl"
    records = {record["path"]: record for record in map(json.loads, place.read_text().splitlines())}
    change(records)
    place.write_text("".join(json.dumps(record) + "\n" for record in records.values()))


def set_label(folder: Path, path: str, label: str) -> None:
    def change(records: dict) -> None:
        records[path]["instances"][0]["label"] = label

    rewrite(folder, change)


def test_no_edit_is_an_empty_diff(pets: Repository, out: Path) -> None:
    with unchanged(pets):
        result = add(pets, [out])
    assert (result.unchanged_files, result.added_files, result.problems) == (3, 0, [])
    assert not diff(pets)


def test_touched_and_respelled_is_no_edit(pets: Repository, out: Path) -> None:
    (out / "a.jpg").write_bytes(jpeg("a"))
    rewrite(out, lambda records: None)
    with unchanged(pets):
        add(pets, [out])


def test_an_edited_picture_keeps_its_identity_and_instances(pets: Repository, out: Path) -> None:
    before = file_id(pets, "Main", "a.jpg")
    (out / "a.jpg").write_bytes(jpeg("better"))
    result = add(pets, [out])
    assert (result.replaced_files, result.unchanged_files) == (1, 2)
    assert file_id(pets, "Main", "a.jpg") == before
    (change,) = diff(pets)
    assert (change.path, change.replaced, change.instances) == ("a.jpg", True, ())
    assert pets["Main"]["a.jpg"].read() == jpeg("better")


def test_edited_annotation(pets: Repository, out: Path) -> None:
    def change(records: dict) -> None:
        records["a.jpg"]["instances"][0]["geometry"] = [5, 5, 10, 10]
        records["b.jpg"]["instances"] = [*records["b.jpg"]["instances"][1:], box("new", number=9)]
        records["in/c.jpg"]["complete"] = False

    rewrite(out, change)
    result = add(pets, [out])
    assert (result.annotated_files, result.replaced_files) == (2, 0)
    totals = diff(pets).totals()
    assert (totals.moved_instances, totals.removed_instances, totals.added_instances) == (1, 1, 1)
    assert totals.completeness_changes == 1
    assert labels(pets, "Main", "b.jpg") == ["new", "x"]


def test_picture_and_annotation_of_one_file_at_once(pets: Repository, out: Path) -> None:
    (out / "a.jpg").write_bytes(jpeg("better"))
    set_label(out, "a.jpg", "wolf")
    add(pets, [out])
    assert pets["Main"]["a.jpg"].read() == jpeg("better")
    assert labels(pets, "Main", "a.jpg") == ["wolf"]


def test_a_new_file_with_its_annotation(pets: Repository, out: Path) -> None:
    write_tree(out, {"new.jpg": jpeg("new")})
    rewrite(out, lambda records: records.update(new={"path": "new.jpg", "instances": [box("bird")], "complete": True}))
    result = add(pets, [out])
    assert (result.added_files, result.unchanged_files) == (1, 3)
    assert labels(pets, "Main", "new.jpg") == ["bird"]
    assert pets["Main"]["new.jpg"].complete


def test_the_annotation_files_themselves_are_not_added(pets: Repository, out: Path) -> None:
    (out / "schema.json").write_text("{}")
    write_tree(out, {"new.jpg": jpeg("new")})
    add(pets, [out])
    assert list(held(pets, "Main")) == ["a.jpg", "b.jpg", "in/c.jpg", "new.jpg"]


def test_a_removed_line_says_nothing(pets: Repository, out: Path) -> None:
    rewrite(out, lambda records: records.pop("a.jpg"))
    with unchanged(pets):
        add(pets, [out])
    assert labels(pets, "Main", "a.jpg") == ["dog"]


def test_a_line_about_a_file_that_nobody_has_is_reported(pets: Repository, out: Path) -> None:
    rewrite(out, lambda records: records.update(x={"path": "x.jpg", "instances": [box()]}))
    result = add(pets, [out])
    assert [(problem.code, problem.place) for problem in result.problems] == [("picture-missing", "x.jpg")]


def test_a_broken_line_is_reported_and_the_others_come(pets: Repository, out: Path) -> None:
    set_label(out, "a.jpg", "wolf")
    with (out / "instances.jsonl").open("a") as stream:
        stream.write("{broken\n")
    result = add(pets, [out])
    assert [(problem.code, problem.place) for problem in result.problems] == [
        ("record-unreadable", "instances.jsonl:4")
    ]
    assert labels(pets, "Main", "a.jpg") == ["wolf"]


def test_a_missing_file_is_taken_out_with_sync_only(pets: Repository, out: Path) -> None:
    (out / "a.jpg").unlink()
    with unchanged(pets):
        add(pets, [out])
    result = add(pets, [out], sync=True)
    assert result.removed_files == 1
    assert list(held(pets, "Main")) == ["b.jpg", "in/c.jpg"]
    assert folder_status(pets, out).missing == []
    stock(pets, "Main", {"a.jpg": jpeg("a")})
    with unchanged(pets):
        assert add(pets, [out], sync=True).removed_files == 0


def test_sync_of_a_checkout_that_was_cut_short_is_refused(pets: Repository, out: Path, monkeypatch) -> None:
    remove(pets, ["Main:a.jpg"])
    commit(pets, "second")
    real = FolderWriter.remove

    def cut_short(writer, path):
        real(writer, path)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FolderWriter, "remove", cut_short)
        checkout(pets, "Main", out, update=True)
    with unchanged(pets), fails(Usage, "bad-usage"):
        add(pets, [out], sync=True)
    checkout(pets, "Main", out, update=True)
    with unchanged(pets):
        add(pets, [out], sync=True)


def test_sync_leaves_what_the_directory_gained_meanwhile(pets: Repository, out: Path) -> None:
    stock(pets, "Main", {"z.jpg": b"z"})
    with unchanged(pets):
        add(pets, [out], sync=True)


def test_sync_of_a_narrow_checkout_leaves_the_rest(pets: Repository, tmp_path: Path) -> None:
    checkout(pets, "Main", tmp_path / "narrow", only="a.jpg")
    (tmp_path / "narrow/a.jpg").unlink()
    add(pets, [tmp_path / "narrow"], sync=True)
    assert list(held(pets, "Main")) == ["b.jpg", "in/c.jpg"]


def test_a_folder_that_can_not_be_read_does_not_count_as_gone(pets: Repository, out: Path, monkeypatch) -> None:
    real = os.scandir

    def refuse(place):
        if str(place).rstrip("/").endswith("/in"):
            raise PermissionError(13, "Permission denied")
        return real(place)

    monkeypatch.setattr(os, "scandir", refuse)
    with unchanged(pets):
        result = add(pets, [out], sync=True)
    assert [(problem.code, problem.place) for problem in result.problems] == [("unreadable", "in")]


def test_the_annotation_of_a_file_that_is_not_in_the_folder_is_edited_all_the_same(pets: Repository, out: Path) -> None:
    (out / "a.jpg").unlink()
    set_label(out, "a.jpg", "wolf")
    assert add(pets, [out]).annotated_files == 1
    assert labels(pets, "Main", "a.jpg") == ["wolf"]


def test_a_dry_run_counts_and_changes_nothing(pets: Repository, out: Path) -> None:
    (out / "a.jpg").write_bytes(jpeg("better"))
    set_label(out, "b.jpg", "tiger")
    with unchanged(pets):
        result = add(pets, [out], dry_run=True)
    assert (result.replaced_files, result.annotated_files, result.operation) == (1, 1, None)
    assert add(pets, [out]).replaced_files == 1


# both sides


def test_edits_of_different_files_meet(pets: Repository, out: Path) -> None:
    annotate(pets, lines({"op": "replace", "path": "b.jpg", "instances": [box("there")]}))
    set_label(out, "a.jpg", "here")
    add(pets, [out])
    assert (labels(pets, "Main", "a.jpg"), labels(pets, "Main", "b.jpg")) == (["here"], ["there"])


def _relabelled_there(repository: Repository) -> None:
    annotate(repository, lines({"op": "replace", "path": "a.jpg", "instances": [box("there")]}))


def _replaced_there(repository: Repository) -> None:
    source = write_tree(repository.path / "source", {"a.jpg": jpeg("there")})
    add(repository, [source])


def _removed_there(repository: Repository) -> None:
    remove(repository, ["Main:a.jpg"])


def _relabelled_here(folder: Path) -> None:
    set_label(folder, "a.jpg", "here")


def _replaced_here(folder: Path) -> None:
    (folder / "a.jpg").write_bytes(jpeg("here"))


def _removed_here(folder: Path) -> None:
    (folder / "a.jpg").unlink()


@pytest.mark.parametrize(
    ("there", "here"),
    [
        (_relabelled_there, _relabelled_here),
        (_relabelled_there, _removed_here),
        (_replaced_there, _replaced_here),
        (_replaced_there, _removed_here),
        (_removed_there, _replaced_here),
        (_removed_there, _relabelled_here),
    ],
)
def test_both_sides_edited_is_a_conflict_and_nothing_comes(pets: Repository, out: Path, there, here) -> None:
    there(pets)
    here(out)
    write_tree(out, {"new.jpg": jpeg("new")})
    with unchanged(pets), fails(Conflict, "edited-both-sides") as caught:
        add(pets, [out], sync=True)
    assert caught.value.fields["paths"] == ["a.jpg"]


def test_a_picture_edited_here_and_its_annotation_there_meet(pets: Repository, out: Path) -> None:
    _relabelled_there(pets)
    _replaced_here(out)
    add(pets, [out])
    assert labels(pets, "Main", "a.jpg") == ["there"]
    assert pets["Main"]["a.jpg"].read() == jpeg("here")


def test_the_same_edit_on_both_sides_is_no_conflict(pets: Repository, out: Path) -> None:
    _replaced_there(pets)
    (out / "a.jpg").write_bytes(jpeg("there"))
    with unchanged(pets):
        add(pets, [out])


def test_untouched_here_and_removed_there_stays_removed(pets: Repository, out: Path) -> None:
    _removed_there(pets)
    with unchanged(pets):
        add(pets, [out])


# again and again


def test_edit_bring_back_and_edit_again(pets: Repository, out: Path) -> None:
    for label, content in (("one", "1"), ("two", "2"), ("three", "3")):
        set_label(out, "a.jpg", label)
        (out / "a.jpg").write_bytes(jpeg(content))
        add(pets, [out])
        assert labels(pets, "Main", "a.jpg") == [label]
        assert pets["Main"]["a.jpg"].read() == jpeg(content)
        assert folder_status(pets, out).clean
        with unchanged(pets):
            add(pets, [out])


def test_edit_again_after_the_directory_moved_on_in_another_file(pets: Repository, out: Path) -> None:
    set_label(out, "a.jpg", "one")
    add(pets, [out])
    annotate(pets, lines({"op": "replace", "path": "b.jpg", "instances": [box("there")]}))
    (out / "in/c.jpg").write_bytes(jpeg("c2"))
    add(pets, [out])
    set_label(out, "a.jpg", "two")
    (out / "in/c.jpg").write_bytes(jpeg("c3"))
    add(pets, [out])
    assert (labels(pets, "Main", "a.jpg"), labels(pets, "Main", "b.jpg")) == (["two"], ["there"])
    assert pets["Main"]["in/c.jpg"].read() == jpeg("c3")


def test_after_bringing_back_the_folder_can_be_updated(pets: Repository, out: Path) -> None:
    set_label(out, "a.jpg", "wolf")
    (out / "b.jpg").write_bytes(jpeg("b2"))
    write_tree(out, {"new.jpg": jpeg("new")})
    add(pets, [out])
    checkout(pets, "v1", out, update=True)
    assert (out / "b.jpg").read_bytes() == jpeg("b")
    assert not (out / "new.jpg").exists()
    checkout(pets, "Main", out, update=True)
    assert folder_status(pets, out).clean
    assert '"wolf"' in (out / "instances.jsonl").read_text()


def test_a_broken_line_keeps_update_from_writing_over_it(pets: Repository, out: Path) -> None:
    from tdvc.errors import Refused

    with (out / "instances.jsonl").open("a") as stream:
        stream.write('{"path": "a.jpg", "instances": [{"label": "precious"}]\n')
    add(pets, [out])
    with fails(Refused, "checkout-in-the-way"):
        checkout(pets, "Main", out, update=True)


def test_edits_on_a_snapshot_come_to_its_directory_as_it_is_now(pets: Repository, tmp_path: Path) -> None:
    checkout(pets, "v1", tmp_path / "old")
    annotate(pets, lines({"op": "replace", "path": "b.jpg", "instances": [box("there")]}))
    commit(pets, "second")
    set_label(tmp_path / "old", "a.jpg", "wolf")
    add(pets, [tmp_path / "old"])
    assert (labels(pets, "Main", "a.jpg"), labels(pets, "Main", "b.jpg")) == (["wolf"], ["there"])
    assert labels(pets, "v1", "a.jpg") == ["dog"]


# to another directory


def test_to_an_empty_directory(pets: Repository, out: Path) -> None:
    with pets.transaction("create") as edit:
        edit.create_directory("Other")
    result = add(pets, [out], "Other")
    assert result.added_files == 3
    assert held(pets, "Other") == held(pets, "Main")
    assert [file.path for file in pets["Other"] if file.complete] == ["in/c.jpg"]
    assert not diff(pets)
    with unchanged(pets):
        add(pets, [out], "Other")


def test_to_a_directory_that_mirrors_the_file(pets: Repository, out: Path) -> None:
    mirror(pets, ["Main:a.jpg"], "Other")
    set_label(out, "a.jpg", "wolf")
    add(pets, [out], "Other")
    assert labels(pets, "Main", "a.jpg") == labels(pets, "Other", "a.jpg") == ["wolf"]
    assert len(pets["Other"]) == 3


def test_a_folder_goes_back_to_the_directory_it_came_from(pets: Repository, tmp_path: Path) -> None:
    mirror(pets, ["Main"], "Dogs")
    checkout(pets, "Dogs", tmp_path / "dogs")
    (tmp_path / "dogs/new.jpg").write_bytes(jpeg("new"))
    assert add(pets, [tmp_path / "dogs"]).directory == "Dogs"
    assert "new.jpg" in pets["Dogs"]
    assert "new.jpg" not in pets["Main"]


def test_what_the_folder_did_not_change_is_not_turned_back_through_a_mirror(pets: Repository, tmp_path: Path) -> None:
    mirror(pets, ["Main"], "Dogs")
    checkout(pets, "Dogs", tmp_path / "dogs")
    relabel(pets, "dog", "hound", "Main")
    with unchanged(pets):
        assert add(pets, [tmp_path / "dogs"], "Main").annotated_files == 0
    assert labels(pets, "Dogs", "a.jpg") == ["hound"]


def test_a_line_that_can_not_be_read_in_full_takes_nothing_away(pets: Repository, out: Path) -> None:
    place = out / "instances.jsonl"
    place.write_text(place.read_text().replace('"label":"dog"', '"lable":"dog"'))
    with unchanged(pets):
        result = add(pets, [out])
    assert labels(pets, "Main", "a.jpg") == ["dog"]
    assert {problem.severity for problem in result.problems} == {"error"}


def test_a_hidden_file_of_the_checkout_is_part_of_it(pets: Repository, tmp_path: Path) -> None:
    stock(pets, "Main", {"in/.hidden": b"hidden"})
    checkout(pets, "Main", tmp_path / "all")
    assert folder_status(pets, tmp_path / "all").clean
    with unchanged(pets):
        assert add(pets, [tmp_path / "all"], sync=True).removed_files == 0


def test_a_renamed_file_takes_its_annotation_along(pets: Repository, out: Path) -> None:
    before = file_id(pets, "Main", "a.jpg")
    (out / "a.jpg").rename(out / "z.jpg")
    result = add(pets, [out], sync=True)
    assert (result.moved_files, result.added_files, result.removed_files) == (1, 0, 0)
    assert file_id(pets, "Main", "z.jpg") == before
    assert labels(pets, "Main", "z.jpg") == ["dog"]
    assert "a.jpg" not in pets["Main"]


def test_a_correction_of_an_imported_instance_becomes_ours(pets: Repository, tmp_path: Path) -> None:
    stock(pets, "Main", {"i.jpg": (jpeg("i"), [box("dog", (0, 0, 5, 5), 9, source="import")])})
    checkout(pets, "Main", tmp_path / "all")
    set_label(tmp_path / "all", "i.jpg", "wolf")
    add(pets, [tmp_path / "all"])
    (found,) = pets["Main"]["i.jpg"].instances
    assert (found.label, found.source) == ("wolf", "human")
