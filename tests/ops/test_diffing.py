from __future__ import annotations

import pytest

from tdvc.errors import NotFound
from tdvc.ids import Kind
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.committing import commit
from tdvc.ops.diffing import Diff, diff
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
    assert (change.replaced, change.completeness, [i.kind for i in change.instances]) == (True, True, ["removed"])
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


def test_a_copy_is_another_file(pets: Repository) -> None:
    copy(pets, ["Main:a.jpg"], "Copies", with_instances=True)
    (change,) = diff(pets, "Main", "Copies", paths=["a.jpg"])
    assert (change.kind, change.other_file, change.replaced, change.instances) == ("changed", True, False, ())


def test_a_snapshot_alone_is_compared_with_its_directory_as_it_is_now(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    annotate(pets, lines({"op": "remove", "path": "a.jpg", "instance_id": identity(1)}))
    commit(pets, "second", "Main")
    complete(pets, ["c.jpg"])
    assert [(c.path, len(c.instances), c.completeness) for c in diff(pets, "v1")] == [
        ("a.jpg", 1, False),
        ("c.jpg", 0, True),
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
