from __future__ import annotations

import pytest

from tdvc.errors import NotFound, Refused, Usage
from tdvc.ops.annotate import annotate, complete
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, file_id, held, jpeg, labels, lines, stock, stored_blobs, unchanged


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(
        repository,
        "Pets",
        {
            "rex.jpg": (jpeg("rex"), [box("dog", number=1)]),
            "tom.jpg": (jpeg("tom"), [box("cat", number=2)]),
            "both.jpg": (jpeg("both"), [box("dog", number=3), box("cat", number=4)]),
            "old/ada.jpg": (jpeg("ada"), [box("dog", number=5)]),
            "old/none.jpg": jpeg("none"),
        },
    )
    return repository


# mirror


def test_mirror_by_label_stores_no_new_blob(pets: Repository) -> None:
    before = stored_blobs(pets)
    result = mirror(pets, ["Pets"], "Dogs", label="dog")
    assert (result.files, result.instances, result.created_directory) == (3, 4, True)
    assert result.new_blob_bytes == 0
    assert stored_blobs(pets) == before
    assert list(held(pets, "Dogs")) == ["both.jpg", "old/ada.jpg", "rex.jpg"]
    assert held(pets, "Dogs") == {path: held(pets, "Pets")[path] for path in held(pets, "Dogs")}
    assert file_id(pets, "Dogs", "rex.jpg") == file_id(pets, "Pets", "rex.jpg")


def test_an_edit_through_the_mirror_shows_in_both_and_in_the_diffs_of_both(pets: Repository) -> None:
    mirror(pets, ["Pets"], "Dogs", label="dog")
    commit(pets, "first", "Pets")
    commit(pets, "first", "Dogs")
    annotate(pets, lines({"op": "add", "path": "rex.jpg", "instance": box("tail", number=9)}), "Dogs")
    assert labels(pets, "Pets", "rex.jpg") == labels(pets, "Dogs", "rex.jpg") == ["dog", "tail"]
    assert pets["Pets"].entry("rex.jpg") == pets["Dogs"].entry("rex.jpg")
    changes = [[(c.path, c.kind, c.instances) for c in diff(pets, name)] for name in ("Pets", "Dogs")]
    assert changes[0] == changes[1]
    assert [(path, [i.kind for i in found]) for path, _, found in changes[0]] == [("rex.jpg", ["added"])]


def test_an_edit_leaves_commits_and_snapshots_of_every_directory_as_they_were(pets: Repository) -> None:
    mirror(pets, ["Pets"], "Dogs", label="dog")
    for name in ("Pets", "Dogs"):
        commit(pets, "first", name)
        snapshot(pets, name, f"{name}-1")
    frozen = {revision: held(pets, revision) for revision in ("Pets@", "Dogs@", "Pets-1", "Dogs-1")}
    annotate(pets, lines({"op": "replace", "path": "rex.jpg", "instances": []}), "Pets")
    complete(pets, ["both.jpg"], "Dogs")
    remove(pets, ["Dogs:old"])
    assert {revision: held(pets, revision) for revision in frozen} == frozen
    assert not any(pets[revision]["both.jpg"].complete for revision in frozen)


def test_mirroring_again_changes_nothing(pets: Repository) -> None:
    mirror(pets, ["Pets"], "Dogs", label="dog")
    with unchanged(pets):
        again = mirror(pets, ["Pets"], "Dogs", label="dog")
    assert (again.files, again.already_there, again.operation) == (0, 3, None)


def test_a_file_is_in_a_directory_once_even_under_another_path(pets: Repository) -> None:
    mirror(pets, ["Pets:rex.jpg"], "Dogs:best.jpg")
    again = mirror(pets, ["Pets:rex.jpg"], "Dogs")
    assert (again.files, again.already_there) == (0, 1)
    assert list(held(pets, "Dogs")) == ["best.jpg"]


@pytest.mark.parametrize("verb", [mirror, move])
def test_a_file_that_two_sources_name_by_two_paths_arrives_once(pets: Repository, verb) -> None:
    mirror(pets, ["Pets:rex.jpg"], "Best:king.jpg")
    result = verb(pets, ["Pets:rex.jpg", "Best:king.jpg"], "Dogs")
    assert result.files == 1
    assert len(held(pets, "Dogs")) == len(pets["Dogs"]) == 1
    annotate(pets, lines({"op": "replace", "path": next(iter(held(pets, "Dogs"))), "instances": []}), "Dogs")
    assert [labels(pets, "Dogs", path) for path in held(pets, "Dogs")] == [[]]


def test_mirror_from_history_takes_the_file_as_it_is_now(pets: Repository) -> None:
    commit(pets, "first", "Pets")
    annotate(pets, lines({"op": "replace", "path": "rex.jpg", "instances": [box("wolf")]}), "Pets")
    mirror(pets, ["Pets@:rex.jpg"], "Dogs")
    assert labels(pets, "Dogs", "rex.jpg") == ["wolf"]
    assert pets["Dogs"].entry("rex.jpg") == pets["Pets"].entry("rex.jpg")


def test_mirror_from_a_snapshot_brings_back_a_file_that_nobody_holds(pets: Repository) -> None:
    commit(pets, "first", "Pets")
    snapshot(pets, "Pets", "v1")
    remove(pets, ["Pets:rex.jpg"])
    mirror(pets, ["v1:rex.jpg"], "Pets")
    assert held(pets, "Pets") == held(pets, "v1")
    assert pets["Pets"].root == pets["v1"].root


def test_mirror_refuses_another_file_at_the_path_and_changes_nothing(pets: Repository) -> None:
    stock(pets, "Dogs", {"rex.jpg": jpeg("another rex")})
    with unchanged(pets), fails(Refused, "file-exists") as caught:
        mirror(pets, ["Pets"], "Dogs", label="dog")
    assert caught.value.fields["path"] == "rex.jpg"


def test_two_sources_that_would_meet_at_one_path_are_refused(pets: Repository) -> None:
    stock(pets, "Others", {"rex.jpg": jpeg("another rex")})
    with unchanged(pets), fails(Refused, "file-exists"):
        mirror(pets, ["Pets:rex.jpg", "Others:rex.jpg"], "Dogs")


def test_a_file_where_the_destination_has_a_folder_is_refused(pets: Repository) -> None:
    with unchanged(pets), fails(Refused, "folder-in-the-way"):
        copy(pets, ["Pets:rex.jpg"], "Pets:old")


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("Pets:rex.jpg", ["rex.jpg"]),
        ("Pets:old", ["old/ada.jpg", "old/none.jpg"]),
        ("Pets:old/", ["old/ada.jpg", "old/none.jpg"]),
        ("Pets:*o*.jpg", ["both.jpg", "old/ada.jpg", "old/none.jpg", "tom.jpg"]),
        ("Pets:[rt]*.jpg", ["rex.jpg", "tom.jpg"]),
        ("Pets:old/?da.jpg", ["old/ada.jpg"]),
        ("Pets", ["both.jpg", "old/ada.jpg", "old/none.jpg", "rex.jpg", "tom.jpg"]),
    ],
)
def test_selectors(pets: Repository, selector: str, found: list[str]) -> None:
    mirror(pets, [selector], "Chosen")
    assert list(held(pets, "Chosen")) == found


def test_an_exact_path_goes_before_a_glob(repository: Repository) -> None:
    stock(repository, "Main", {"a[1].jpg": b"brackets", "a1.jpg": b"one"})
    mirror(repository, ["Main:a[1].jpg"], "Chosen")
    assert list(held(repository, "Chosen")) == ["a[1].jpg"]


@pytest.mark.parametrize("label", ['a "quoted" one', "café 🐕", "line\nbreak\ttab", "back\\slash", "\x1f\x7f/", "d"])
def test_label_narrowing_takes_the_whole_label_whatever_is_in_it(repository: Repository, label: str) -> None:
    stock(repository, "Main", {"yes.jpg": (b"1", [box(label)]), "no.jpg": (b"2", [box(label + "x"), box("x" + label)])})
    assert mirror(repository, ["Main"], "Chosen", label=label).files == 1
    assert list(held(repository, "Chosen")) == ["yes.jpg"]


def test_an_attribute_that_is_called_label_is_no_label(repository: Repository) -> None:
    stock(repository, "Main", {"no.jpg": (b"1", [box("cat", attributes={"label": "dog"})]), "yes.jpg": (b"2", [box()])})
    mirror(repository, ["Main"], "Chosen", label="dog")
    assert list(held(repository, "Chosen")) == ["yes.jpg"]


@pytest.mark.parametrize("text", ["Pets:nothing.jpg", "Pets:*.png", "Pets:new/"])
def test_a_pattern_that_fits_nothing_is_an_error(pets: Repository, text: str) -> None:
    with unchanged(pets), fails(NotFound, "file-not-found"):
        mirror(pets, [text], "Dogs")


def test_a_label_that_fits_nothing_names_those_that_are_known(pets: Repository) -> None:
    with unchanged(pets), fails(NotFound, "file-not-found") as caught:
        mirror(pets, ["Pets"], "Dogs", label="horse")
    assert "cat, dog" in caught.value.hint


def test_an_unknown_revision_is_an_error(pets: Repository) -> None:
    with unchanged(pets), fails(NotFound, "unknown-revision"):
        mirror(pets, ["Pest:*"], "Dogs")


@pytest.mark.parametrize("name", ["a..b", "-x", "", "a b", "HEAD", "a@b"])
def test_a_bad_destination_name_is_refused(pets: Repository, name: str) -> None:
    with unchanged(pets), fails(Usage, "bad-name"):
        mirror(pets, ["Pets"], name)


@pytest.mark.parametrize("path", ["../out.jpg", "/abs.jpg", ".git/hooks", "a//b"])
def test_a_bad_destination_path_is_refused(pets: Repository, path: str) -> None:
    with unchanged(pets), fails(Usage, "bad-path"):
        copy(pets, ["Pets:rex.jpg"], f"Dogs:{path}")


# copy


def test_copy_leaves_instances_and_the_completeness_mark_behind(pets: Repository) -> None:
    complete(pets, ["rex.jpg"], "Pets")
    before = stored_blobs(pets)
    result = copy(pets, ["Pets"], "Blank")
    assert (result.files, result.instances, result.new_blob_bytes) == (5, 0, 0)
    assert stored_blobs(pets) == before
    counts = pets["Blank"].counts
    assert (counts.files, counts.instances, counts.complete) == (5, 0, 0)
    assert {path: blob for path, (blob, _) in held(pets, "Blank").items()} == {
        path: blob for path, (blob, _) in held(pets, "Pets").items()
    }
    assert pets["Blank"].entry("rex.jpg").state.origin[:16] == file_id(pets, "Pets", "rex.jpg")
    assert file_id(pets, "Blank", "rex.jpg") != file_id(pets, "Pets", "rex.jpg")


@pytest.mark.parametrize("with_instances", [False, True])
def test_edits_of_a_copy_and_its_source_do_not_cross(pets: Repository, with_instances: bool) -> None:
    copy(pets, ["Pets:rex.jpg"], "Copies", with_instances=with_instances)
    source, made = held(pets, "Pets"), held(pets, "Copies")
    annotate(pets, lines({"op": "add", "path": "rex.jpg", "instance": box("nose")}), "Copies")
    assert held(pets, "Pets") == source
    made = held(pets, "Copies")
    annotate(pets, lines({"op": "replace", "path": "rex.jpg", "instances": []}), "Pets")
    assert held(pets, "Copies") == made


def test_copy_with_instances_takes_them_and_the_mark(pets: Repository) -> None:
    complete(pets, ["both.jpg"], "Pets")
    result = copy(pets, ["Pets"], "Twins", with_instances=True)
    assert (result.files, result.instances) == (5, 5)
    assert held(pets, "Twins") == held(pets, "Pets")
    assert [file.path for file in pets["Twins"] if file.complete] == ["both.jpg"]


def test_copying_again_changes_nothing_and_another_file_there_is_refused(pets: Repository) -> None:
    copy(pets, ["Pets"], "Blank")
    with unchanged(pets):
        assert copy(pets, ["Pets"], "Blank").already_there == 5
    stock(pets, "Others", {"rex.jpg": jpeg("other")})
    with unchanged(pets), fails(Refused, "file-exists"):
        copy(pets, ["Others"], "Blank")


def test_a_file_can_be_copied_within_its_directory(pets: Repository) -> None:
    copy(pets, ["Pets:rex.jpg"], "Pets:rex again.jpg", with_instances=True)
    assert held(pets, "Pets")["rex again.jpg"] == held(pets, "Pets")["rex.jpg"]
    assert file_id(pets, "Pets", "rex again.jpg") != file_id(pets, "Pets", "rex.jpg")


def test_copy_from_a_snapshot_takes_the_old_state(pets: Repository) -> None:
    commit(pets, "first", "Pets")
    snapshot(pets, "Pets", "v1")
    annotate(pets, lines({"op": "replace", "path": "rex.jpg", "instances": []}), "Pets")
    copy(pets, ["v1:rex.jpg"], "Old", with_instances=True)
    assert labels(pets, "Old", "rex.jpg") == ["dog"]


# destinations


@pytest.mark.parametrize(
    ("sources", "destination", "found"),
    [
        (["Pets:rex.jpg"], "Dogs", ["rex.jpg"]),
        (["Pets:rex.jpg"], "Dogs:king.jpg", ["king.jpg"]),
        (["Pets:rex.jpg"], "Dogs:in/", ["in/rex.jpg"]),
        (["Pets:old"], "Dogs:in", ["in/old/ada.jpg", "in/old/none.jpg"]),
        (["Pets:rex.jpg", "Pets:tom.jpg"], "Dogs:in", ["in/rex.jpg", "in/tom.jpg"]),
    ],
)
@pytest.mark.parametrize("verb", [mirror, copy, move])
def test_where_files_arrive(pets: Repository, verb, sources: list[str], destination: str, found: list[str]) -> None:
    verb(pets, sources, destination)
    assert list(held(pets, "Dogs")) == found


# move and remove


def test_move_across_directories_keeps_the_file(pets: Repository) -> None:
    before, moved = held(pets, "Pets"), file_id(pets, "Pets", "old/ada.jpg")
    result = move(pets, ["Pets:old"], "Archive")
    assert (result.files, result.instances, result.created_directory) == (2, 1, True)
    assert held(pets, "Archive") == {path: before.pop(path) for path in ("old/ada.jpg", "old/none.jpg")}
    assert held(pets, "Pets") == before
    assert file_id(pets, "Archive", "old/ada.jpg") == moved


def test_move_within_a_directory_is_a_rename_there_only(pets: Repository) -> None:
    mirror(pets, ["Pets"], "Same")
    commit(pets, "first", "Pets")
    move(pets, ["Pets:rex.jpg"], "Pets:dogs/king.jpg")
    assert [(c.kind, c.before_path, c.path) for c in diff(pets, "Pets")] == [("moved", "rex.jpg", "dogs/king.jpg")]
    assert "rex.jpg" in pets["Same"]
    annotate(pets, lines({"op": "replace", "path": "dogs/king.jpg", "instances": []}), "Pets")
    assert labels(pets, "Same", "rex.jpg") == []


def test_move_onto_itself_changes_nothing(pets: Repository) -> None:
    with unchanged(pets):
        assert move(pets, ["Pets"], "Pets").already_there == 5


def test_move_to_where_the_file_is_already_just_takes_it_out(pets: Repository) -> None:
    mirror(pets, ["Pets:rex.jpg"], "Dogs")
    result = move(pets, ["Pets:rex.jpg"], "Dogs")
    assert (result.files, result.already_there) == (0, 1)
    assert "rex.jpg" not in pets["Pets"]
    assert "rex.jpg" in pets["Dogs"]


def test_move_refuses_another_file_at_the_path(pets: Repository) -> None:
    with unchanged(pets), fails(Refused, "file-exists"):
        move(pets, ["Pets:rex.jpg"], "Pets:tom.jpg")


@pytest.mark.parametrize("revision", ["Pets@", "v1"])
def test_history_can_be_neither_moved_nor_removed(pets: Repository, revision: str) -> None:
    commit(pets, "first", "Pets")
    snapshot(pets, "Pets", "v1")
    with unchanged(pets), fails(Usage, "bad-usage"):
        move(pets, [f"{revision}:rex.jpg"], "Dogs")
    with unchanged(pets), fails(Usage, "bad-usage"):
        remove(pets, [f"{revision}:rex.jpg"])


def test_remove_takes_files_out_of_the_named_directory_only(pets: Repository) -> None:
    mirror(pets, ["Pets"], "Same")
    result = remove(pets, ["Pets:old", "Pets:rex.jpg"])
    assert result.removed == ["Pets:old/ada.jpg", "Pets:old/none.jpg", "Pets:rex.jpg"]
    assert list(held(pets, "Pets")) == ["both.jpg", "tom.jpg"]
    assert len(held(pets, "Same")) == 5


def test_remove_by_label_and_as_a_dry_run(pets: Repository) -> None:
    with unchanged(pets):
        planned = remove(pets, ["Pets"], label="cat", dry_run=True)
    assert remove(pets, ["Pets"], label="cat").removed == planned.removed == ["Pets:both.jpg", "Pets:tom.jpg"]


def test_remove_is_all_or_nothing(pets: Repository) -> None:
    with unchanged(pets), fails(NotFound, "file-not-found"):
        remove(pets, ["Pets:rex.jpg", "Pets:missing.jpg"])


# unbalanced classes


def test_unbalanced_classes(repository: Repository) -> None:
    """1,000 pictures with 50 trees and 2 dogs each; 100 of them are enough for trees, all of them serve for dogs."""
    from tdvc.ops.listing import show
    from tdvc.ops.status import status

    marks = [box("tree", (i, 0, i + 1, 9), number=i + 1) for i in range(50)]
    marks += [box("dog", (i, 20, i + 5, 25), number=100 + i) for i in range(2)]
    pictures = {f"{n // 100}/{n:04}.jpg": (jpeg(f"picture {n}"), marks) for n in range(1000)}
    stock(repository, "Main", pictures)
    blobs = stored_blobs(repository)
    copy(repository, ["Main:0"], "Trees", with_instances=True)
    dogs = [
        {"op": "remove", "path": path, "instance_id": mark["instance_id"]}
        for path in list(pictures)[:100]
        for mark in marks[50:]
    ]
    annotate(repository, lines(*dogs), "Trees")
    copy(repository, ["Main"], "Dogs")
    annotate(repository, lines(*({"op": "replace", "path": p, "instances": marks[50:]} for p in pictures)), "Dogs")
    assert stored_blobs(repository) == blobs
    assert show(repository, "Main").labels == {"dog": (1000, 2000), "tree": (1000, 50000)}
    assert show(repository, "Trees").labels == {"tree": (100, 5000)}
    assert show(repository, "Dogs").labels == {"dog": (1000, 2000)}
    found = status(repository, "Dogs")
    glance = {item.name: (item.files, item.instances) for item in [found.directory, *found.others]}
    assert glance == {"Main": (1000, 52000), "Trees": (100, 5000), "Dogs": (1000, 2000)}
