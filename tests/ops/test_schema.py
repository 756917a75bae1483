"""Changing what labels mean without touching an instance: one operation, one commit in each directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import Conflict, NotFound, Refused, SchemaError, Usage
from tdvc.model.schema import Attribute, Option, Schema, plain, schema_from
from tdvc.model.schematext import schema_text
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate, relabel
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory
from tdvc.ops.evolution import Evolution
from tdvc.ops.exporting import export
from tdvc.ops.importing import import_
from tdvc.ops.listing import ls, show
from tdvc.ops.schema import (
    add_label,
    deprecate_label,
    diff_schemas,
    export_schema,
    guides,
    import_schema,
    lock_schema,
    rename_attribute,
    rename_label,
    rename_option,
    set_guide,
    show_schema,
    use_schema,
)
from tdvc.ops.schemachange import merge_labels
from tdvc.ops.schemahistory import schema_log, schema_stats
from tdvc.ops.snapshots import snapshot
from tdvc.ops.status import status
from tdvc.ops.transfer import copy, mirror
from tdvc.ops.undoing import undo
from tdvc.repo.commit import read_commit
from tdvc.repo.repository import Repository
from tests.model.schemas import TRAFFIC
from tests.ops.build import box, fails, held, jpeg, labels, lines, operation_count, stock, unchanged


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Main with a commit; Dogs mirrors one of its files and has a commit; Night has staged edits; Empty has nothing."""
    stock(
        repository,
        "Main",
        {
            "rex.jpg": (jpeg("rex"), [box("dog", number=1), box("cat", number=2)]),
            "tom.jpg": (jpeg("tom"), [box("cat", number=3)]),
        },
    )
    commit(repository, "first")
    mirror(repository, ["Main:rex.jpg"], "Dogs")
    commit(repository, "dogs", "Dogs")
    stock(repository, "Night", {"owl.jpg": (jpeg("owl"), [box("dog", number=4)])})
    create_directory(repository, "Empty")
    return repository


def last_message(repository: Repository, name: str) -> str:
    identity = repository.view.directories[name].commit
    return read_commit(repository.objects, identity).message if identity else ""


def set_ids(repository: Repository) -> dict[str, bytes]:
    return {f"{name}:{file.path}": file.state.instances for name in repository for file in repository[name]}


def with_attributes(repository: Repository, tmp_path: Path, directory: str | None = None) -> None:
    """The schema gets an attribute `state` for dogs."""
    found = show_schema(repository, directory).schema
    state = Attribute("state", "select", options=(Option("red", "Red"), Option("green")))
    edited = Schema(labels=found.labels, attributes={"state": state})
    import_schema(repository, written(tmp_path, edited), directory)


def written(folder: Path, schema: Schema, name: str = "schema.toml") -> Path:
    place = folder / name
    place.write_text(schema_text(schema, place.suffix[1:]), encoding="utf-8")
    return place


# one operation, one commit a directory


def test_a_rename_commits_where_nothing_is_staged_and_stages_elsewhere(pets: Repository) -> None:
    before, count = set_ids(pets), operation_count(pets)
    result = rename_label(pets, "dog", "Hound")
    assert operation_count(pets) == count + 1
    assert (result.message, result.files, result.instances) == ("schema: rename label dog to Hound", 0, 0)
    assert [change.words for change in result.changes] == ["label dog: renamed dog -> Hound"]
    assert sorted(result.commits) == ["Dogs", "Main"]
    assert result.staged_directories == ["Night"]
    for name in ("Dogs", "Main"):
        assert last_message(pets, name) == result.message
        assert pets[f"{name}@"].commit.hex() == result.commits[name]
        assert pets[f"{name}@"].schema.labels["dog"].name == "Hound"
        assert pets[f"{name}~1"].schema.labels["dog"].name == "dog"
    assert pets["Night"].schema.labels["dog"].name == "Hound"
    assert pets.view.directories["Empty"].commit is None
    assert set_ids(pets) == before


def test_an_old_snapshot_exports_the_old_name(pets: Repository, tmp_path: Path) -> None:
    snapshot(pets, "Main", "v1")
    rename_label(pets, "dog", "Hound")
    snapshot(pets, "Main", "v2")
    for revision, name in (("v1", "dog"), ("v2", "Hound")):
        folder = tmp_path / revision
        export(pets, [revision], folder, format="csv", everything=True)
        text = "".join(file.read_text() for file in folder.rglob("*.csv"))
        assert name in text
        assert ("Hound" in text) == (name == "Hound")


@pytest.mark.parametrize("format_name", ["coco", "csv", "tdvc-jsonl", "label-studio", "yolo"])
def test_what_was_exported_under_a_name_comes_back_as_it_is(
    disk_repository: Repository, tmp_path: Path, picture_folder: Callable[..., Path], format_name: str
) -> None:
    add(disk_repository, [picture_folder("photos", ["a.jpg", "b.jpg"])])
    edits = [{"op": "add", "path": f"{name}.jpg", "instance": box("dog", (1, 2, 9, 11))} for name in "ab"]
    annotate(disk_repository, lines(*edits))
    rename_label(disk_repository, "dog", "Hound")
    export(disk_repository, ["Main"], tmp_path / "out", format=format_name, everything=True)
    import_(disk_repository, tmp_path / "out", format=format_name)
    assert list(disk_repository["Main"].schema.labels) == ["dog"]
    assert [labels(disk_repository, "Main", f"{name}.jpg") for name in "ab"] == [["dog"], ["dog"]]


def test_names_and_aliases_are_taken_where_labels_are_named(pets: Repository) -> None:
    rename_label(pets, "dog", "Hound")
    merge_labels(pets, ["cat"], "dog")
    for text in ("dog", "Hound", "cat"):
        assert [listed.path for listed in ls(pets, "Main", label=text)] == ["rex.jpg", "tom.jpg"]
    annotate(pets, lines({"op": "add", "path": "tom.jpg", "instance": box("Hound", number=8)}))
    assert labels(pets, "Main", "tom.jpg") == ["dog", "dog"]
    relabel(pets, "Hound", "wolf", "Night")
    assert labels(pets, "Night", "owl.jpg") == ["wolf"]


def test_people_see_names(pets: Repository) -> None:
    rename_label(pets, "dog", "Hound")
    shown = show(pets, "Main")
    assert shown.labels["dog"] == (1, 1)
    assert shown.names == show(pets, "Main:rex.jpg").names == {"dog": "Hound"}
    assert show(pets, "Main~1").names == {}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda r: add_label(r, "bird"), lambda s: s.labels["bird"].index == 2),
        (lambda r: rename_label(r, "cat", "Cat"), lambda s: s.labels["cat"].name == "Cat"),
        (lambda r: deprecate_label(r, "cat"), lambda s: s.labels["cat"].deprecated),
        (lambda r: set_guide(r, "cat", "# Cats"), lambda s: s.labels["cat"].guide == "# Cats"),
        (lambda r: lock_schema(r), lambda s: s.locked),
        (lambda r: rename_attribute(r, "state", "State"), lambda s: s.attributes["state"].name == "State"),
        (
            lambda r: rename_option(r, "state", "green", "Go"),
            lambda s: s.attributes["state"].options == (Option("red", "Red"), Option("green", "Go")),
        ),
    ],
    ids=["add", "rename", "deprecate", "guide", "lock", "rename-attribute", "rename-option"],
)
def test_each_is_one_operation_that_undo_takes_back(pets: Repository, tmp_path: Path, change: Any, check: Any) -> None:
    with_attributes(pets, tmp_path)
    before, count = pets.view, operation_count(pets)
    result = change(pets)
    assert check(pets["Main"].schema) and check(pets["Main@"].schema)
    assert operation_count(pets) == count + 1
    assert result.commits and result.changes and not result.files
    undo(pets)
    assert pets.view == before


def test_what_changes_nothing_publishes_nothing(pets: Repository) -> None:
    with unchanged(pets):
        assert rename_label(pets, "dog", "dog").operation is None
        assert lock_schema(pets, unlock=True).commits == {}


def test_a_label_is_added_with_what_is_said_of_it(pets: Repository) -> None:
    add_label(pets, "puppy", fields={"name": "Puppy", "parent": "dog", "types": {"box": "default"}})
    label = pets["Main"].schema.labels["puppy"]
    assert (label.name, label.parent, label.allows("box"), label.allows("mask")) == ("Puppy", "dog", True, False)


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        (lambda r: rename_label(r, "horse", "x"), NotFound, "label-not-found"),
        (lambda r: rename_attribute(r, "size", "x"), NotFound, "attribute-not-found"),
        (lambda r: rename_option(r, "size", "x", "y"), NotFound, "attribute-not-found"),
        (lambda r: rename_label(r, "dog", "cat"), SchemaError, "bad-schema"),
        (lambda r: rename_label(r, "dog", ""), SchemaError, "bad-schema"),
        (lambda r: add_label(r, "dog"), Refused, "label-exists"),
        (lambda r: add_label(r, "a\0b"), SchemaError, "bad-schema"),
        (lambda r: add_label(r, "bird", fields={"parent": "animal"}), SchemaError, "bad-schema"),
        (lambda r: add_label(r, "bird", fields={"size": 1}), SchemaError, "bad-schema"),
        (lambda r: rename_label(r, "dog", "x", "Main"), Refused, "schema-followed"),
        (lambda r: rename_label(r, "dog", "x", "Nowhere"), NotFound, "directory-not-found"),
        (lambda r: use_schema(r, "Nowhere", "Main"), NotFound, "unknown-revision"),
        (lambda r: use_schema(r, "Main", "Nowhere"), NotFound, "directory-not-found"),
        (lambda r: export_schema(r, file_type="yaml"), Usage, "bad-usage"),
        (lambda r: import_schema(r, Path("missing.toml")), NotFound, "source-not-found"),
    ],
)
def test_what_makes_no_sense_is_refused(pets: Repository, change: Any, kind: Any, code: str) -> None:
    with unchanged(pets), fails(kind, code):
        change(pets)


def test_a_near_miss_is_suggested(pets: Repository) -> None:
    with fails(NotFound, "label-not-found") as caught:
        rename_label(pets, "dgo", "x")
    assert "'dog'" in caught.value.hint


# schemas of a directory's own


def test_a_copied_directory_can_go_by_an_older_schema(pets: Repository) -> None:
    snapshot(pets, "Main", "v1")
    rename_label(pets, "dog", "Hound")
    copy(pets, ["Main"], "Trial", with_instances=True)
    commit(pets, "a copy", "Trial")
    result = use_schema(pets, "v1", "Trial")
    assert (list(result.commits), result.staged_directories) == (["Trial"], [])
    assert pets["Trial"].schema.labels["dog"].name == "dog"
    assert pets["Main"].schema.labels["dog"].name == "Hound"
    rename_label(pets, "dog", "Wolf")
    assert pets["Trial"].schema.labels["dog"].name == "dog"
    rename_label(pets, "dog", "Testdog", "Trial")
    assert [pets[name].schema.labels["dog"].name for name in ("Trial", "Main", "Dogs")] == ["Testdog", "Wolf", "Wolf"]
    use_schema(pets, None, "Trial")
    assert pets["Trial"].schema.labels["dog"].name == "Wolf"
    assert pets["Trial@"].schema.labels["dog"].name == "Wolf"
    undo(pets)
    assert pets["Trial"].schema.labels["dog"].name == "Testdog"


def test_a_schema_of_its_own_learns_alone(pets: Repository) -> None:
    use_schema(pets, "Main", "Night")
    annotate(pets, lines({"op": "add", "path": "owl.jpg", "instance": box("owl")}), "Night")
    assert "owl" in pets["Night"].schema.labels
    assert "owl" not in pets["Main"].schema.labels


def test_using_the_schema_there_is_gives_a_directory_its_own(pets: Repository) -> None:
    use_schema(pets, "Dogs", "Dogs")
    rename_label(pets, "dog", "Hound")
    assert pets["Dogs"].schema.labels["dog"].name == "dog"
    assert show_schema(pets, "Dogs").directories == ["Dogs"]
    assert show_schema(pets).directories == ["Empty", "Main", "Night"]


def test_a_merge_reaches_a_mirrored_file_of_a_directory_with_its_own_schema(pets: Repository) -> None:
    use_schema(pets, "Dogs", "Dogs")
    result = merge_labels(pets, ["dog"], "cat")
    assert result.staged_directories == ["Night", "Dogs"]
    assert labels(pets, "Dogs", "rex.jpg") == labels(pets, "Main", "rex.jpg") == ["cat", "cat"]
    assert set(pets["Dogs"].schema.labels) == {"cat", "dog"}
    assert labels(pets, "Dogs@", "rex.jpg") == ["cat", "dog"]


# files


@pytest.mark.parametrize("name", ["schema.toml", "schema.json"])
def test_a_schema_goes_out_and_comes_in(pets: Repository, tmp_path: Path, name: str) -> None:
    place = tmp_path / name
    place.write_text(export_schema(pets, file_type=place.suffix[1:]), encoding="utf-8")
    with unchanged(pets):
        assert import_schema(pets, place).operation is None
    text = export_schema(pets)
    import_schema(pets, written(tmp_path, schema_from({**TRAFFIC, "labels": {**_labels(pets), **_more()}})))
    assert export_schema(pets) != text
    assert pets["Main@"].schema.attributes["state"].kind == "select"


def _labels(repository: Repository) -> dict[str, Any]:
    found: dict[str, Any] = plain(repository["Main"].schema)["labels"]
    return found


def _more() -> dict[str, Any]:
    return {"light": {"name": "Light", "index": 8, "attributes": ["state"]}}


def test_a_dry_run_says_what_would_change(pets: Repository, tmp_path: Path) -> None:
    place = written(tmp_path, pets["Main"].schema.learned(["bird"]))
    with unchanged(pets):
        result = import_schema(pets, place, dry_run=True)
    assert [change.words for change in result.changes] == ["label bird added"]
    assert (sorted(result.commits), result.staged_directories) == (["Dogs", "Main"], ["Night"])


def test_a_file_that_lacks_a_label_in_use_is_refused(pets: Repository, tmp_path: Path) -> None:
    with unchanged(pets), fails(Refused, "label-in-use") as caught:
        import_schema(pets, written(tmp_path, Schema().learned(["cat"])))
    assert "'dog'" in caught.value.message
    assert import_schema(pets, written(tmp_path, pets["Main"].schema.learned(["bird"]))).operation
    assert import_schema(pets, written(tmp_path, Schema().learned(["cat", "dog"]))).operation


def test_a_bad_file_changes_nothing_and_is_named_with_its_line(pets: Repository, tmp_path: Path) -> None:
    place = tmp_path / "bad.toml"
    place.write_text("[labels.dog]\n[labels.cat]\nparent = 'horse'\n")
    with unchanged(pets), fails(SchemaError, "bad-schema") as caught:
        import_schema(pets, place)
    assert caught.value.message.startswith("bad.toml, line 3: labels.cat.parent ")


# looking


def test_what_differs_between_the_schemas_of_two_states(pets: Repository) -> None:
    rename_label(pets, "dog", "Hound")
    found = diff_schemas(pets, "Main~1", "Main@")
    assert [change.words for change in found.changes] == ["label dog: renamed dog -> Hound"]
    assert diff_schemas(pets).changes == []
    annotate(pets, lines({"op": "add", "path": "tom.jpg", "instance": box("bird")}))
    assert [change.words for change in diff_schemas(pets).changes] == ["label bird added"]
    assert [change.path for change in diff_schemas(pets, "Main~1").changes] == ["labels.bird", "labels.dog.name"]


def test_the_log_has_who_changed_the_schema_and_how(pets: Repository) -> None:
    rename_label(pets, "dog", "Hound")
    annotate(pets, lines({"op": "remove", "path": "tom.jpg", "instance_id": box(number=3)["instance_id"]}))
    commit(pets, "no change of the schema")
    deprecate_label(pets, "cat")
    found = list(schema_log(pets, "Main"))
    assert [(entry.message, [change.words for change in entry.changes]) for entry in found] == [
        ("schema: deprecate cat", ["label cat: deprecated"]),
        ("schema: rename label dog to Hound", ["label dog: renamed dog -> Hound"]),
        ("first", ["label cat added", "label dog added"]),
    ]
    assert {entry.author for entry in found} == {"Ada"}
    assert [entry.message for entry in schema_log(pets, "Main", limit=1)] == ["schema: deprecate cat"]
    assert [entry.message for entry in schema_log(pets, "Main~1")] == [entry.message for entry in found[1:]]


def test_the_log_of_operations_has_what_is_not_committed(pets: Repository) -> None:
    assert [entry.message for entry in schema_log(pets, "Night")] == []
    rename_label(pets, "dog", "Hound")
    undo(pets)
    found = [entry.message for entry in schema_log(pets, "Night", operations=True)]
    assert found[:2] == ["undo schema rename label dog to Hound", "schema rename label dog to Hound"]
    assert found[-1] == "stock"


def test_stats_count_what_a_planner_needs(pets: Repository, tmp_path: Path) -> None:
    options = [f"o{number}" for number in range(10)]
    given = {
        "labels": {
            f"l{number:02}": {"name": f"l{number:02}", "index": number, "attributes": [f"a{i}" for i in range(5)]}
            for number in range(20)
        },
        "attributes": {f"a{i}": {"kind": "select", "options": options} for i in range(5)},
    }
    use_schema(pets, "Empty", "Empty")
    import_schema(pets, written(tmp_path, schema_from(given)), "Empty")
    stats = schema_stats(pets, "Empty")
    assert (stats.labels, stats.attributes, stats.options, stats.complexity) == (20, 5, 50, 1000)
    assert len(stats.unused) == 20


def test_stats_count_a_mirrored_file_once(pets: Repository) -> None:
    add_label(pets, "bird")
    stats = schema_stats(pets)
    assert {load.key: (load.files, load.instances) for load in stats.by_label} == {
        "cat": (2, 2),
        "dog": (2, 2),
        "bird": (0, 0),
    }
    assert stats.unused == ["bird"]


def test_guides_of_labels(pets: Repository) -> None:
    set_guide(pets, "cat", "# Cats\n")
    assert guides(pets) == {"cat": "# Cats\n"}
    assert guides(pets, "dog") == {"dog": ""}


# committing the schema alone


def test_a_schema_that_was_learned_on_the_way_can_be_committed(pets: Repository) -> None:
    relabel(pets, "cat", "lion")
    relabel(pets, "lion", "cat")
    assert status(pets).schema_differs and not status(pets).directory.staged
    commit(pets, "it knows lions now")
    assert "lion" in pets["Main@"].schema.labels
    with unchanged(pets), fails(Refused, "nothing-to-commit"):
        commit(pets, "again")


def test_a_change_that_races_with_another_is_refused(pets: Repository) -> None:
    with Evolution(pets, "schema slow") as slow:
        changed = slow.schema.learned(["slow"])
        rename_label(pets, "dog", "Hound")
        with fails(Conflict, "changed-meanwhile"):
            slow.change(changed)
    assert held(pets, "Main") == held(pets, "Main~1")
