from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tdvc.cli.diffjson import write_json
from tdvc.errors import NotFound, Usage
from tdvc.ids import Kind
from tdvc.model.records import Instance, make_instance
from tdvc.model.schema import Label, Schema, Template
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.committing import commit
from tdvc.ops.diffing import Diff, DiffTotals, InstanceChange, diff
from tdvc.ops.exporting import export
from tdvc.ops.folderstate import FolderState
from tdvc.ops.geometrydiff import GeometryChange, Vertices, compare_geometry, compare_vertices
from tdvc.ops.labelstats import LabelStat, LabelStats
from tdvc.ops.skeletons import skeleton_of
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, file_id, identity, jpeg, lines, stock


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Main, committed."""
    stock(
        repository,
        "Main",
        {
            "a.jpg": (jpeg("a"), [box("dog", (0, 0, 10, 10), 1, attributes={"age": 3, "sex": "f"})]),
            "b.jpg": (jpeg("b"), [box("cat", (0, 0, 10, 10), 2), box("cat", (50, 50, 60, 60), 3)]),
            "c.jpg": jpeg("c"),
            "in/d.jpg": jpeg("d"),
        },
    )
    commit(repository, "first", "Main")
    return repository


def replace_bytes(repository: Repository, directory: str, path: str, content: bytes) -> None:
    with repository.transaction("replace") as edit:
        state = repository[directory].entry(path).state
        edit.set_state(state._replace(blob=edit.writer.put(Kind.BLOB, content), size_bytes=len(content)))


def kinds(difference: Diff) -> list[tuple[str, str, str]]:
    return [(change.kind, change.before_path, change.path) for change in difference]


def test_a_state_does_not_differ_from_itself(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    for before, after in [("Main", "Main"), ("Main@", "Main"), ("v1", "Main@"), (None, None)]:
        difference = diff(pets, before, after)
        assert not difference
        assert list(difference) == []


def test_files_added_and_removed(pets: Repository) -> None:
    stock(pets, "Main", {"e.jpg": (b"e", [box(), box()])})
    remove(pets, ["Main:b.jpg"])
    difference = diff(pets)
    assert difference
    assert kinds(difference) == [("removed", "b.jpg", "b.jpg"), ("added", "e.jpg", "e.jpg")]
    totals = difference.totals()
    assert (totals.added_files, totals.removed_files) == (1, 1)
    assert (totals.added_instances, totals.removed_instances) == (2, 2)


def test_replaced_bytes(pets: Repository) -> None:
    replace_bytes(pets, "Main", "a.jpg", jpeg("a2"))
    (change,) = diff(pets)
    assert (change.kind, change.replaced, change.other_file, change.instances) == ("changed", True, False, ())


def test_moved_replaced_and_annotated_at_once(pets: Repository) -> None:
    move(pets, ["Main:a.jpg"], "Main:z/a.jpg")
    replace_bytes(pets, "Main", "z/a.jpg", jpeg("a2"))
    annotate(pets, lines({"op": "remove", "path": "z/a.jpg", "instance_id": identity(1)}))
    complete(pets, ["z/a.jpg"])
    (change,) = diff(pets)
    assert (change.kind, change.before_path, change.path) == ("moved", "a.jpg", "z/a.jpg")
    assert (change.replaced, [i.kind for i in change.instances]) == (True, ["removed"])
    assert change.completeness == ("incomplete", "complete")
    totals = diff(pets).totals()
    assert (totals.moved_files, totals.replaced_files, totals.annotated_files, totals.added_files) == (1, 1, 1, 0)
    assert (totals.removed_instances, totals.completeness_changes) == (1, 1)


def place_all(repository: Repository, places: dict[str, str | None]) -> None:
    """Put what is at some paths of Main elsewhere, all at once; None takes a file out."""
    names = {path: file_id(repository, "Main", path) for path in places}
    with repository.transaction("shuffle") as edit:
        for path in places:
            edit.take_out("Main", path)
        for path, new in places.items():
            if new is not None:
                edit.place("Main", new, names[path])


def test_two_files_that_swap_their_paths_are_two_moves(pets: Repository) -> None:
    place_all(pets, {"a.jpg": "b.jpg", "b.jpg": "a.jpg"})
    assert kinds(diff(pets)) == [("moved", "b.jpg", "a.jpg"), ("moved", "a.jpg", "b.jpg")]
    assert diff(pets).totals().annotated_files == 0


def test_a_ring_of_three_is_three_moves(pets: Repository) -> None:
    place_all(pets, {"a.jpg": "b.jpg", "b.jpg": "c.jpg", "c.jpg": "a.jpg"})
    assert [kind for kind, _, _ in kinds(diff(pets))] == ["moved"] * 3


def test_a_file_that_moves_to_where_another_was_removed(pets: Repository) -> None:
    place_all(pets, {"a.jpg": "b.jpg", "b.jpg": None})
    assert kinds(diff(pets)) == [("removed", "b.jpg", "b.jpg"), ("moved", "a.jpg", "b.jpg")]


def test_a_new_file_where_another_moved_away(pets: Repository) -> None:
    place_all(pets, {"a.jpg": "z.jpg"})
    stock(pets, "Main", {"a.jpg": b"new"})
    assert kinds(diff(pets)) == [("added", "a.jpg", "a.jpg"), ("moved", "a.jpg", "z.jpg")]


def test_another_file_at_the_same_path(pets: Repository) -> None:
    remove(pets, ["Main:c.jpg"])
    stock(pets, "Main", {"c.jpg": b"another"})
    (change,) = diff(pets)
    assert (change.kind, change.other_file, change.replaced) == ("changed", True, True)


def test_an_instance_that_moved_has_overlap_and_shift(pets: Repository) -> None:
    change = {"geometry": [5, 0, 15, 10]}
    annotate(pets, lines({"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": change}))
    (file,) = diff(pets)
    (instance,) = file.instances
    assert (instance.kind, instance.moved, instance.relabelled, instance.attributes) == ("changed", True, False, {})
    assert instance.iou == pytest.approx(50 / 150)
    assert instance.shift == pytest.approx((5, 0))


def test_relabelled(pets: Repository) -> None:
    relabel(pets, "cat", "lynx")
    (file,) = diff(pets)
    assert [(i.relabelled, i.moved, i.before.label, i.after.label) for i in file.instances] == [
        (True, False, "cat", "lynx"),
        (True, False, "cat", "lynx"),
    ]
    assert [i.iou for i in file.instances] == [None, None]
    assert diff(pets).totals().relabelled_instances == 2


def test_attributes_key_by_key(pets: Repository) -> None:
    change = {"attributes": {"age": 4, "sex": None, "name": "Rex"}}
    annotate(pets, lines({"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": change}))
    (file,) = diff(pets)
    (instance,) = file.instances
    assert instance.attributes == {"age": (3, 4), "name": (None, "Rex"), "sex": ("f", None)}
    assert not instance.moved
    assert diff(pets).totals().attribute_changes == 3


def test_an_attribute_with_another_spelling_of_its_number_does_not_differ(pets: Repository) -> None:
    change = '{"op":"update","path":"a.jpg","instance_id":"ID","set":{"attributes":{"age":3.0,"name":"x"}}}'
    annotate(pets, lines(change.replace("ID", identity(1))))
    (file,) = diff(pets)
    assert list(file.instances[0].attributes) == ["name"]


def test_further_fields(pets: Repository) -> None:
    change = {"score": 0.5, "frame": 3, "source": "human", "properties": {"x": 1}}
    annotate(pets, lines({"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": change}))
    (file,) = diff(pets)
    assert file.instances[0].other_fields == ("frame", "properties", "score", "source")


def test_instances_added_and_removed(pets: Repository) -> None:
    annotate(
        pets,
        lines(
            {"op": "remove", "path": "b.jpg", "instance_id": identity(2)},
            {"op": "add", "path": "b.jpg", "instance": box("dog", number=9)},
        ),
    )
    (file,) = diff(pets)
    assert [(i.instance_id, i.kind) for i in file.instances] == [(identity(2), "removed"), (identity(9), "added")]


def test_narrowed_to_paths(pets: Repository) -> None:
    stock(pets, "Main", {"in/e.jpg": b"e", "inner.jpg": b"i", "x[1].png": b"x"})
    remove(pets, ["Main:in/d.jpg", "Main:a.jpg"])
    assert [c.path for c in diff(pets, paths=["in"])] == ["in/d.jpg", "in/e.jpg"]
    assert [c.path for c in diff(pets, paths=["in/"])] == ["in/d.jpg", "in/e.jpg"]
    assert [c.path for c in diff(pets, paths=["a.jpg", "*.png"])] == ["a.jpg", "x[1].png"]
    assert [c.path for c in diff(pets, paths=["x[1].png"])] == ["x[1].png"]
    assert not diff(pets, paths=["b.jpg"])


def test_directory_against_directory(pets: Repository) -> None:
    mirror(pets, ["Main"], "Same")
    assert not diff(pets, "Main", "Same")
    remove(pets, ["Same:c.jpg"])
    move(pets, ["Same:a.jpg"], "Same:z.jpg")
    assert kinds(diff(pets, "Main", "Same")) == [("removed", "c.jpg", "c.jpg"), ("moved", "a.jpg", "z.jpg")]
    assert kinds(diff(pets, "Same", "Main")) == [("moved", "z.jpg", "a.jpg"), ("added", "c.jpg", "c.jpg")]


def test_copies_pair_by_path_and_by_what_they_were_copied_from(pets: Repository) -> None:
    copy(pets, ["Main"], "Copies", with_instances=True)
    assert not diff(pets, "Main", "Copies")
    annotate(pets, lines({"op": "remove", "path": "a.jpg", "instance_id": identity(1)}), "Copies")
    move(pets, ["Copies:b.jpg"], "Copies:z/b.jpg")
    found = list(diff(pets, "Main", "Copies"))
    assert [(c.kind, c.before_path, c.path, c.copy, c.other_file, len(c.instances)) for c in found] == [
        ("changed", "a.jpg", "a.jpg", True, False, 1),
        ("moved", "b.jpg", "z/b.jpg", True, False, 0),
    ]
    copy(pets, ["Main"], "Second", with_instances=True)
    assert kinds(diff(pets, "Second", "Copies")) == [("changed", "a.jpg", "a.jpg"), ("moved", "b.jpg", "z/b.jpg")]


def test_a_snapshot_alone_is_compared_with_its_directory_as_it_is_now(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    annotate(pets, lines({"op": "remove", "path": "a.jpg", "instance_id": identity(1)}))
    commit(pets, "second", "Main")
    complete(pets, ["c.jpg"])
    assert [(c.path, len(c.instances), c.completeness) for c in diff(pets, "v1")] == [
        ("a.jpg", 1, None),
        ("c.jpg", 0, ("incomplete", "complete")),
    ]
    assert [c.path for c in diff(pets)] == ["c.jpg"]
    assert [c.path for c in diff(pets, "v1", "Main@")] == ["a.jpg"]


def test_before_the_first_commit_everything_is_added(repository: Repository) -> None:
    assert not diff(repository)
    stock(repository, "Main", {"a.jpg": b"a"})
    assert kinds(diff(repository)) == [("added", "a.jpg", "a.jpg")]


def test_what_is_no_revision(pets: Repository) -> None:
    with fails(NotFound, "unknown-revision"):
        diff(pets, "v9")
    with fails(NotFound, "unknown-revision"):
        diff(pets, "Main", "Main~7")


def test_a_diff_of_many_files_equals_what_was_done(repository: Repository) -> None:
    """Over several pages, compared with the same thing computed from dictionaries."""
    stock(repository, "Main", {f"{n:04}.jpg": str(n).encode() for n in range(1500)})
    commit(repository, "first", "Main")
    remove(repository, [f"Main:{n:04}.jpg" for n in range(0, 1500, 7)])
    stock(repository, "Main", {f"new/{n:04}.jpg": b"new %d" % n for n in range(300)})
    complete(repository, [f"{n:04}.jpg" for n in range(1, 1500, 7)])
    before = {entry.path: entry.state for entry in repository["Main@"].entries()}
    after = {entry.path: entry.state for entry in repository["Main"].entries()}
    expected = [path for path in sorted(before | after) if before.get(path) != after.get(path)]
    assert [change.path for change in diff(repository)] == expected
    totals = diff(repository).totals()
    assert (totals.removed_files, totals.added_files, totals.completeness_changes) == (215, 300, 215)


# in the words people think in


def one(repository: Repository, **change: Any) -> InstanceChange:
    """What the diff says after an edit of the one box of a.jpg."""
    annotate(repository, lines({"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": change}))
    (file,) = diff(repository)
    (instance,) = file.instances
    return instance


def test_resized_and_turned(pets: Repository) -> None:
    found = one(pets, geometry=[0, 0, 14, 10, 90]).geometry
    assert (found.shift, found.resize, found.rotation) == ((2, 0), (0, 4), 90)
    assert compare_geometry(shape("box", [0, 0, 1, 1, 350]), shape("box", [0, 0, 1, 1, 10])).rotation == 20


def shape(kind: str, coordinates: Any, **fields: Any) -> Instance:
    return make_instance({"label": "dog", "type": kind, "geometry": coordinates, **fields})


SQUARE = [0, 0, 4, 0, 4, 4, 0, 4]
VERTICES = [
    ("one corner dragged", SQUARE, [0, 0, 5, 0, 4, 4, 0, 4], (0, 0, 1)),
    ("one put in", SQUARE, [0, 0, 2, 0, 4, 0, 4, 4, 0, 4], (1, 0, 0)),
    ("one taken out", SQUARE, [0, 0, 4, 0, 0, 4], (0, 1, 0)),
    ("all moved", SQUARE, [1, 0, 5, 0, 5, 4, 1, 4], (0, 0, 4)),
    ("one dragged, one put in before", SQUARE, [0, 0, 1, 0, 4, 0, 9, 9, 0, 4], (1, 0, 1)),
]


@pytest.mark.parametrize(("old", "new", "counts"), [case[1:] for case in VERTICES], ids=[case[0] for case in VERTICES])
def test_vertices_are_aligned_in_the_order_they_are_drawn(
    old: list[int], new: list[int], counts: tuple[int, ...]
) -> None:
    for kind, before, after in (("polygon", [[old]], [[new]]), ("polyline", old, new)):
        found = compare_geometry(shape(kind, before), shape(kind, after)).vertices
        assert (found.added, found.removed, found.moved) == counts


def test_endless_outlines_are_aligned_at_their_ends_alone() -> None:
    old = [(float(x), 0.0) for x in range(5000)]
    new = [*old[:10], *[(x, 1.0) for x, _ in old[10:4990]], *old[4990:]]
    assert compare_vertices(old, new) == Vertices(0, 0, 4980)


def test_keypoints_by_position_and_name() -> None:
    found = compare_geometry(
        shape("keypoints", [1, 1, 2, 5, 5, 2, 7, 7, 2]), shape("keypoints", [1, 3, 2, 5, 5, 1, 0, 0, 0])
    ).keypoints
    assert [(k.position, k.shift, k.visibility) for k in found] == [
        (0, (0, 2), (2, 2)),
        (1, (0, 0), (2, 1)),
        (2, None, (2, 0)),
    ]
    label = Label("dog", "dog", 0, formats={"coco": {"keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}})
    assert skeleton_of(Schema({"dog": label}), "dog") == (("nose", "tail"), ((0, 1),))
    template = Template("pose", points=("a", "b"), edges=((0, 1),))
    named = Schema({"dog": Label("dog", "dog", 0, template="pose")}, templates={"pose": template})
    assert skeleton_of(named, "dog") == (("a", "b"), ((0, 1),))
    assert skeleton_of(named, "cat").name(3) == "point 3"


def test_spans_and_other_types() -> None:
    assert compare_geometry(shape("time_span", [1, 2]), shape("time_span", [1.5, 2])).spans == (0.5, 0)
    other = compare_geometry(shape("box", [0, 0, 2, 2]), shape("polygon", [[[0, 0, 2, 0, 2, 2]]]))
    assert (other.iou, other.vertices) == (1, None)
    assert compare_geometry(shape("tag", None), shape("box", [0, 0, 1, 1])) == GeometryChange()


def test_fields_and_properties_key_by_key(pets: Repository) -> None:
    found = one(pets, frame=3, score=0.5, properties={"coco": {"area": 3}})
    assert found.fields == {"frame": (None, 3), "score": (None, 0.5)}
    assert found.properties == {"coco": (None, {"area": 3})}
    assert not found.moved


def test_that_a_correction_makes_an_instance_somebodys_is_not_told_twice(pets: Repository) -> None:
    stock(pets, "Main", {"e.jpg": (b"e", [box("dog", number=7, source="import")])})
    commit(pets, "import", "Main")
    annotate(pets, lines({"op": "update", "path": "e.jpg", "instance_id": identity(7), "set": {"label": "cat"}}))
    (file,) = diff(pets)
    assert file.instances[0].fields == {"source": ("import", "human")}
    assert file.instances[0].told_fields == {}


def test_file_properties_key_by_key(pets: Repository) -> None:
    with pets.transaction("properties") as edit:
        state = pets["Main"].entry("a.jpg").state
        edit.set_state(state._replace(properties=b'{"weather":"rain"}'))
    (file,) = diff(pets)
    assert file.properties == {"weather": (None, "rain")}
    assert diff(pets).totals().property_changes == 1


def test_where_else_a_file_is_shown(pets: Repository) -> None:
    mirror(pets, ["Main:a.jpg"], "Dogs")
    mirror(pets, ["Main:a.jpg"], "Best")
    relabel(pets, "dog", "wolf")
    (file,) = diff(pets)
    assert file.mirrors == ("Best:a.jpg", "Dogs:a.jpg")
    (file,) = diff(pets, "Dogs")
    assert (file.kind, file.mirrors) == ("added", ("Best:a.jpg", "Main:a.jpg"))


def test_a_schema_that_learned_is_told_and_is_no_difference(pets: Repository) -> None:
    before = pets["Main"]
    stock(pets, "Other", {"x.jpg": (b"x", [box("owl")])})
    difference = Diff(before, pets["Main"])
    assert [(c.kind, c.what, c.key) for c in difference.schema] == [("added", "label", "owl")]
    assert not difference


def test_a_schema_that_means_something_else_is_a_difference(pets: Repository) -> None:
    before = pets["Main"]
    old = before.schema
    labels = {key: label for key, label in old.labels.items() if key != "cat"}
    labels["dog"] = replace(labels["dog"], name="Hund", colour="#112233")
    with pets.transaction("schema") as edit:
        edit.set_schema(replace(old, labels=labels, locked=True))
    difference = Diff(before, pets["Main"])
    assert difference
    assert [(c.kind, c.what, c.key, c.fields) for c in difference.schema] == [
        ("removed", "label", "cat", ()),
        ("changed", "label", "dog", ("name", "colour")),
        ("changed", "schema", "locked", ()),
    ]


# by overlap


def two_annotators(repository: Repository) -> None:
    """Ada and Bob label one picture each for themselves."""
    stock(repository, "Ada", {"a.jpg": (b"a", [box("dog", (0, 0, 10, 10), 1), box("cat", (50, 50, 60, 60), 2)])})
    again = [box("dog", (1, 0, 11, 10), 11), box("lynx", (50, 50, 60, 60), 12), box("owl", (80, 80, 90, 90), 13)]
    stock(repository, "Bob", {"a.jpg": (b"a", again)})


def test_what_shares_no_id_is_matched_by_overlap_where_it_is_asked_for(repository: Repository) -> None:
    two_annotators(repository)
    (file,) = diff(repository, "Ada", "Bob")
    assert [i.kind for i in file.instances] == ["removed", "removed", "added", "added", "added"]
    (file,) = diff(repository, "Ada", "Bob", match=0.5)
    assert [(i.kind, i.relabelled, i.moved, i.matched) for i in file.instances] == [
        ("changed", False, True, pytest.approx(9 / 11)),
        ("changed", True, False, 1),
        ("added", False, False, None),
    ]
    (file,) = diff(repository, "Ada", "Bob", match=0.9)
    assert [i.kind for i in file.instances] == ["removed", "added", "changed", "added"]


def test_what_shares_its_id_is_never_matched_otherwise(pets: Repository) -> None:
    annotate(
        pets,
        lines(
            {"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": {"geometry": [90, 90, 99, 99]}},
            {"op": "add", "path": "a.jpg", "instance": box("dog", (0, 0, 10, 10), 9)},
        ),
    )
    (file,) = diff(pets, match=0.5)
    assert [(i.instance_id, i.kind, i.matched) for i in file.instances] == [
        (identity(1), "changed", None),
        (identity(9), "added", None),
    ]


@pytest.mark.parametrize("threshold", [0, -1, 1.5, float("nan")])
def test_an_overlap_out_of_range(pets: Repository, threshold: float) -> None:
    with fails(Usage, "bad-usage"):
        diff(pets, match=threshold)


# folders


@pytest.fixture
def pictures(disk_repository: Repository, picture_folder: Any) -> Repository:
    """A directory of three pictures, imported from a COCO-like line file, committed and complete."""
    folder = picture_folder("photos", ["a.jpg", "in/b.jpg", "c.jpg"])
    add(disk_repository, [folder / "a.jpg", folder / "in", folder / "c.jpg"])
    paths = [entry.path for entry in disk_repository["Main"].entries()]
    for number, path in enumerate(paths):
        instance = box(("dog", "cat", "owl")[number], (1, 2, 11 + number, 12), number + 1)
        annotate(disk_repository, lines({"op": "add", "path": path, "instance": instance}))
    complete(disk_repository, paths)
    commit(disk_repository, "first")
    return disk_repository


@pytest.mark.parametrize("name", ["tdvc-jsonl", "coco", "pascal-voc", "yolo", "cvat", "datumaro", "labelme", "csv"])
def test_what_was_exported_does_not_differ(pictures: Repository, tmp_path: Path, name: str) -> None:
    place = tmp_path / "out"
    export(pictures, ["Main"], place, format=name)
    difference = diff(pictures, "Main@", str(place), read_as=name)
    assert list(difference) == []
    assert not difference
    assert not diff(pictures, str(place), "Main", read_as=name)
    assert not diff(pictures, str(place), f"{place}/", read_as=name)


def test_a_folder_that_differs(pictures: Repository, tmp_path: Path) -> None:
    place = tmp_path / "out"
    export(pictures, ["Main"], place, format="coco")
    relabel(pictures, "dog", "wolf")
    remove(pictures, ["Main:c.jpg"])
    difference = diff(pictures, "Main", str(place), read_as="coco")
    assert [(c.kind, c.path, [i.relabelled for i in c.instances]) for c in difference] == [
        ("changed", "a.jpg", [True]),
        ("added", "images/c.jpg", []),
    ]
    assert difference.totals().added_instances == 1
    assert difference.after.title == f"{place} (coco)"
    assert [(c.kind, c.path) for c in diff(pictures, str(place), read_as="coco")] == [
        ("changed", "a.jpg"),
        ("removed", "images/c.jpg"),
    ]


def test_a_folder_with_other_pictures(pictures: Repository, tmp_path: Path) -> None:
    place = tmp_path / "out"
    export(pictures, ["Main"], place, format="tdvc-jsonl")
    (place / "a.jpg").write_bytes(jpeg("other"))
    (place / "c.jpg").unlink()
    (change,) = diff(pictures, "Main", str(place))
    assert (change.path, change.replaced) == ("a.jpg", True)


def test_two_folders(pictures: Repository, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    export(pictures, ["Main"], one, format="coco")
    annotate(pictures, lines({"op": "add", "path": "a.jpg", "instance": box("dog", (5, 5, 9, 9), 9)}))
    export(pictures, ["Main"], two, format="cvat")
    difference = diff(pictures, str(one), str(two))
    assert [(c.path, [i.kind for i in c.instances]) for c in difference] == [("images/a.jpg", ["added"])]
    assert [c.kind for c in diff(pictures, str(two), str(one))] == ["changed"]


def test_a_name_is_a_revision_first_and_a_path_with_a_slash(
    pictures: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export(pictures, ["Main"], tmp_path / "Main", format="coco")
    assert isinstance(diff(pictures, "Main@", "Main").after, FolderState) is False
    assert isinstance(diff(pictures, "Main@", "./Main").after, FolderState)
    with fails(NotFound, "source-not-found"):
        diff(pictures, "Main", "./none")
    with fails(NotFound, "unknown-revision"):
        diff(pictures, "Main", "none")


def test_a_path_in_a_folder_that_leads_out_is_a_problem(pictures: Repository, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "instances.jsonl").write_text('{"path":"../../etc/passwd","instances":[]}\n')
    difference = diff(pictures, "Main", str(tmp_path / "x"))
    assert [problem.code for problem in difference.after.problems] == ["unsafe-path"]
    assert difference.totals().removed_files == 3


# by label


def test_labels_are_counted_and_their_churn_is_of_what_there_was(pets: Repository) -> None:
    relabel(pets, "dog", "cat")
    remove(pets, ["Main:b.jpg"])
    stock(pets, "Main", {"n.jpg": (b"n", [box("owl"), box("dog")])})
    difference = diff(pets)
    stats = LabelStats(difference)
    for change in difference:
        stats.count(change)
    found = {stat.label: stat for stat in stats.finish()}
    assert found == {
        "cat": LabelStat("cat", before=2, removed=2, relabelled_from=1),
        "dog": LabelStat("dog", before=1, added=1, changed=1, relabelled_to=1),
        "owl": LabelStat("owl", added=1),
    }
    assert (found["cat"].churn, found["dog"].churn, found["owl"].churn) == (1, 2, None)


# what docs/diff.md says of the JSON


def documented() -> dict[str, set[str]]:
    """Heading of a table in docs/diff.md to the fields it lists."""
    page = (Path(__file__).parent.parent.parent / "docs" / "diff.md").read_text(encoding="utf-8")
    tables = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    return {part.partition("\n")[0]: set(re.findall(r"^\| `([a-z_]+)`", part, re.MULTILINE)) for part in tables}


def test_every_field_of_the_json_is_documented(pets: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    annotate(
        pets,
        lines(
            {
                "op": "update",
                "path": "a.jpg",
                "instance_id": identity(1),
                "set": {"type": "keypoints", "geometry": [1, 1, 2]},
            }
        ),
    )
    commit(pets, "keypoints", "Main")
    before = pets["Main"]
    change = {"geometry": [2, 2, 1], "attributes": {"age": 9}}
    annotate(pets, lines({"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": change}))
    complete(pets, ["a.jpg"])
    stock(pets, "Main", {"e.jpg": (b"e", [box("owl")])})
    difference = Diff(before, pets["Main"], match=0.5)
    write_json(difference, DiffTotals(), LabelStats(difference))
    found = json.loads(capsys.readouterr().out)
    pages = documented()
    file = found["files"][0]
    instance = file["instances"][0]
    for heading, fields in {
        "Diff": found,
        "File": file,
        "State": file["after"],
        "Instance change": instance,
        "Geometry": instance["geometry"],
        "Keypoint": instance["geometry"]["keypoints"][0],
        "Label": found["labels"][0],
        "Definition": found["schema"][0],
        "Totals": found["totals"],
    }.items():
        assert set(fields) == pages[heading], heading
