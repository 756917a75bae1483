"""`where`: what a query means in a repository, through every verb that takes one."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tdvc.columns.store import ROWS_TOGETHER
from tdvc.errors import Corruption, NotFound, TdvcError, Usage
from tdvc.ids import Kind
from tdvc.model.schema import Attribute, Label, Option
from tdvc.ops.annotate import annotate, complete
from tdvc.ops.checkout import checkout
from tdvc.ops.committing import commit
from tdvc.ops.exporting import export
from tdvc.ops.listing import ls
from tdvc.ops.querying import Matcher, matching_where
from tdvc.ops.select import select
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.validating import validate
from tdvc.query import parse
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, lines, stock, unchanged


def picture(width: int) -> bytes:
    encoded = io.BytesIO()
    Image.new("L", (width, 10)).save(encoded, "PNG")
    return encoded.getvalue()


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Four files: a dog and a cat, a large dog, nothing, a tag."""
    stock(
        repository,
        "Main",
        {
            "a.png": (picture(30), [box("dog", (0, 0, 2, 2), score=0.5, attributes={"fur": "s"}), box("cat")]),
            "b.png": (picture(40), [box("dog", (0, 0, 100, 50), sequence="s", frame=3, source="human")]),
            "night/c.txt": b"text",
            "night/d.txt": (b"other", [{"label": "night", "type": "tag"}]),
        },
    )
    with repository.transaction("schema") as edit:
        schema = repository["Main"].schema.learned(["dog", "cat", "night"])
        labels = {**schema.labels, "dog": replace(schema.labels["dog"], parent="animal")}
        labels["animal"] = Label("animal", "Animal", 9)
        fur = Attribute("fur", "select", name="Fur", options=(Option("s", "short"),))
        edit.set_schema(replace(schema, labels=labels, attributes={"fur": fur}))
    return repository


def found(repository: Repository, where: str, selector: str = "Main") -> str:
    """The first letters of the names of the files that a query means."""
    return "".join(file.path.rpartition("/")[2][0] for file in ls(repository, selector, where=where))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("label = 'dog'", "ab"),
        ("label = 'animal'", "ab"),
        ("label == 'animal'", ""),
        ("label = 'dog' and area > 400", "b"),
        ("count(area > 1) >= 2", "a"),
        ("instances = 0", "c"),
        ("type = 'tag'", "d"),
        ("x1 = 100 and y1 = 50 and width = 100 and height = 50 and x0 = 0 and y0 = 0", "b"),
        ("score = 0.5", "a"),
        ("sequence = 's' and frame = 3 and source = 'human'", "b"),
        ("attribute.fur = 's'", "a"),
        ("attribute.Fur = 'short'", "a"),
        ("exists attribute.fur", "a"),
        ("path like 'night/%'", "cd"),
        ("size <= 5", "cd"),
        ("picture_width > 30", "b"),
        ("picture_height = 10", "ab"),
        ("picture_width is null", "cd"),
        ("not complete and not stale", "abcd"),
        ("media_type = ''", "abcd"),
        ("property.camera is null and captured_at is null and split is null", "abcd"),
        ("in_directory('Main')", "abcd"),
    ],
)
def test_what_a_query_means(pets: Repository, where: str, expected: str) -> None:
    assert found(pets, where) == expected
    assert found(pets, where, "Main:*") == expected


def test_ids(pets: Repository) -> None:
    state = pets["Main"].entry("a.png").state
    instance = pets["Main"]["b.png"].instances[0].instance_id
    assert found(pets, f"file_id = '{state.file_id.hex()}' or blob = '{state.blob.hex()}'") == "a"
    assert found(pets, f"instance_id = '{instance}'") == "b"


def test_properties_of_files(repository: Repository) -> None:
    said = b'{"captured_at":"2026-08-01T10:00","coco":{"license":3},"splits":["train","val"]}'
    with repository.transaction("stock") as edit:
        blob = edit.writer.put(Kind.BLOB, b"a")
        identity = edit.fresh_ids("Main", [("a.jpg", blob)])[0]
        edit.put("Main", "a.jpg", FileState(identity, blob, 1, media_type=b"image/jpeg", properties=said))
    for where in (
        "property.coco.license = 3",
        "split = 'val'",
        "media_type like 'image/%'",
        "captured_at >= 2026-08-01 and captured_at < 2026-08-02",
    ):
        assert found(repository, where) == "a"
    moment = 1_785_578_400.0 + 86_400 * 40  # forty days later
    for where, fits in (("captured_at > now - 2 months", 1), ("captured_at > now - 1 month", 0)):
        matcher = Matcher(repository, repository["Main"], parse(where), now=moment)
        assert sum(len(positions) for _, positions in matcher.pages()) == fits


def test_when_a_picture_was_taken(repository: Repository) -> None:
    taken = Image.Exif()
    taken.get_ifd(0x8769).update({0x9003: "2026:08:01 10:00:00", 0x9011: "+02:00"})
    encoded = io.BytesIO()
    Image.new("L", (4, 4)).save(encoded, "JPEG", exif=taken)
    stock(repository, "Main", {"a.jpg": encoded.getvalue(), "b.jpg": picture(4), "c.jpg": b"none"})
    assert found(repository, "captured_at = 2026-08-01T08:00Z") == "a"
    assert found(repository, "captured_at is null") == "bc"


def test_completeness(pets: Repository) -> None:
    complete(pets, ["a.png", "b.png"])
    assert found(pets, "complete and not stale") == "ab"
    with pets.transaction("schema") as edit:
        schema = pets["Main"].schema
        fur = replace(schema.attributes["fur"], required=True)
        cat = replace(schema.labels["cat"], attributes=("fur",))
        edit.set_schema(replace(schema, attributes={"fur": fur}, labels={**schema.labels, "cat": cat}))
    assert found(pets, "complete") == "ab"
    assert found(pets, "stale") == "".join(file.path[0] for file in ls(pets, "Main") if file.stale) == "a"


def test_directories_snapshots_and_what_changed(pets: Repository) -> None:
    mirror(pets, ["Main:a.png"], "Test:elsewhere/")
    assert found(pets, "in_directory('Test')") == "a"
    assert found(pets, "in_directory('Main')", "Test") == "a"
    commit(pets, "first", "Main")
    snapshot(pets, "Main", "v1")
    assert found(pets, "changed_since('v1')") == ""
    assert found(pets, "in_snapshot('v1')", "Test") == "a"
    annotate(pets, lines({"op": "add", "path": "b.png", "instance": box("new")}))
    move(pets, ["Main:night/d.txt"], "Main:day/")
    stock(pets, "Main", {"e.txt": b"e"})
    assert found(pets, "changed_since('v1')") == "be"
    assert found(pets, "not in_snapshot('v1')") == "e"
    assert found(pets, "changed_since('v1')", "v1") == ""


@pytest.mark.parametrize(
    ("where", "kind", "code"),
    [
        ("in_directory('None')", NotFound, "directory-not-found"),
        ("in_snapshot('none')", NotFound, "unknown-revision"),
        ("changed_since('none')", NotFound, "unknown-revision"),
        ("label = dog", Usage, "bad-query"),
    ],
)
def test_a_query_that_makes_no_sense(pets: Repository, where: str, kind: type[TdvcError], code: str) -> None:
    with fails(kind, code):
        found(pets, where)


def test_many_pages_and_few_files_are_asked_alike(repository: Repository) -> None:
    files = {f"{number:04}.jpg": (b"%d" % number, [box("dog")] * (number % 3)) for number in range(1500)}
    stock(repository, "Main", files)
    expected = [path for number, path in enumerate(files) if number % 3 == 2]
    query = parse("count(label = 'dog') = 2")
    assert len(list(repository["Main"].table.leaf_ids())) > 2
    assert [entry.path for entry in matching_where(repository, repository["Main"], query)] == expected
    _, wide = select(repository, "Main:*.jpg", where=query.text)
    assert [entry.path for entry in wide] == expected
    _, narrow = select(repository, "Main:000*.jpg", where=query.text)
    assert [entry.path for entry in narrow] == [path for path in expected if path.startswith("000")]
    rows = [row for page in repository["Main"].table.leaves() for row in page.rows()]
    assert len(rows) > ROWS_TOGETHER
    fits = Matcher(repository, repository["Main"], query).rows(rows)
    assert [row[0].decode() for row, fit in zip(rows, fits, strict=True) if fit] == expected


def test_an_empty_directory(repository: Repository) -> None:
    assert found(repository, "label = 'dog' or complete or picture_width > 1") == ""


def test_instances_that_can_not_be_read_are_not_passed_over(repository: Repository) -> None:
    with repository.transaction("stock") as edit:
        blob = edit.writer.put(Kind.BLOB, b"a")
        damaged = edit.writer.put(Kind.INSTANCES, b"no JSON\n")
        edit.put("Main", "a.jpg", FileState(edit.fresh_ids("Main", [("a.jpg", blob)])[0], blob, 1, damaged, 1))
    with fails(Corruption, "object-damaged"):
        found(repository, "label = 'dog'")
    assert found(repository, "size = 1") == "a"


@pytest.mark.parametrize(
    "verb",
    [
        lambda r, where: mirror(r, ["Main"], "New", where=where).files,
        lambda r, where: copy(r, ["Main"], "New", where=where).files,
        lambda r, where: move(r, ["Main"], "New", where=where).files,
        lambda r, where: len(remove(r, ["Main"], where=where).removed),
        lambda r, where: checkout(r, "Main", r.path / "out", where=where).written_files,
        lambda r, where: export(r, ["Main"], r.path / "o", format="coco", everything=True, where=where).files,
        lambda r, where: len(select(r, "Main", where=where)[1]),
    ],
)
def test_verbs(verb: Callable[[Repository, str], Any], disk_repository: Repository) -> None:
    files = {"a.jpg": (b"a", [box("dog")]), "b.jpg": (b"b", [box("cat")]), "c.jpg": (b"c", [box("dog")])}
    stock(disk_repository, "Main", files)
    with fails(NotFound, "file-not-found"):
        verb(disk_repository, "label = 'horse'")
    with fails(Usage, "bad-query"):
        verb(disk_repository, "label =")
    assert verb(disk_repository, "label = 'dog'") == 2


def test_validate_checks_what_a_query_means(repository: Repository) -> None:
    flat = box("dog", (5, 5, 5, 9))
    stock(repository, "Main", {"a.txt": (b"a", [flat]), "b.txt": (b"b", [flat])})
    result = validate(repository, where="path = 'b.txt'", rules=["zero-size", "imbalance"])
    assert (result.files, [finding.path for finding in result.findings]) == (1, ["b.txt"])
    commit(repository, "first")
    snapshot(repository, "Main", "v1")
    annotate(repository, lines({"op": "add", "path": "a.txt", "instance": flat}))
    assert validate(repository, since="v1", where="path = 'b.txt'").files == 0
    assert validate(repository, since="v1", where="instances = 2").files == 1


def test_a_checkout_of_a_part_knows_that_it_is_one(disk_repository: Repository, tmp_path: Path) -> None:
    stock(disk_repository, "Main", {"a.jpg": (b"a", [box("dog")]), "b.jpg": b"b"})
    checkout(disk_repository, "Main", tmp_path / "out", where="label = 'dog'")
    assert (tmp_path / "out" / "a.jpg").exists()
    assert not (tmp_path / "out" / "b.jpg").exists()


def test_complete(pets: Repository) -> None:
    result = complete(pets, [], where="label = 'dog'")
    assert (result.files, result.already) == (2, 0)
    assert found(pets, "complete") == "ab"
    assert complete(pets, ["b.png"], where="label = 'dog'", undo=True).files == 1
    assert found(pets, "complete") == "a"
    for patterns, where, error in ((["a.png"], "label = 'night'", NotFound), ([], "label = 'cow'", NotFound)):
        with unchanged(pets), fails(error, "file-not-found"):
            complete(pets, patterns, where=where)
    with unchanged(pets), fails(Usage, "bad-usage"):
        complete(pets, [])
