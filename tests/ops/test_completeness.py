"""Stale marks: seen where people look, warned of where it matters, refused where they say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tdvc.errors import Refused
from tdvc.model.schema import Attribute
from tdvc.ops.annotate import complete
from tdvc.ops.committing import commit
from tdvc.ops.completeness import Marks, unfinished
from tdvc.ops.evolution import Evolution
from tdvc.ops.exporting import export
from tdvc.ops.listing import ls, show
from tdvc.ops.schema import rename_label, use_schema
from tdvc.ops.snapshots import snapshot
from tdvc.ops.status import status
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, jpeg, stock


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Two dogs and a cat that are complete, a picture that is not, and one of nothing that is."""
    files = {f"{name}.jpg": (jpeg(name), [box(name.rstrip("12"))]) for name in ("dog1", "dog2", "cat")}
    stock(repository, "Main", {**files, "new.jpg": jpeg("new"), "none.jpg": jpeg("none")})
    complete(repository, ["dog*", "cat.jpg", "none.jpg"])
    commit(repository, "first")
    return repository


def require(repository: Repository, label: str) -> None:
    """A question that every instance of a label must answer from now on."""
    with Evolution(repository, f"schema ask {label}") as evolution:
        schema = evolution.schema
        asked = replace(schema.labels[label], attributes=("age",))
        attributes = {"age": Attribute("age", "number", required=True)}
        evolution.change(replace(schema, labels={**schema.labels, label: asked}, attributes=attributes))


def test_marks_of_files_that_are_asked_more_go_stale(pets: Repository) -> None:
    rename_label(pets, "dog", "Hound")
    assert status(pets).stale == show(pets).stale == 0
    require(pets, "dog")
    assert {listed.path for listed in ls(pets) if listed.stale} == {"dog1.jpg", "dog2.jpg"}
    assert status(pets).stale == show(pets, "Main").stale == 2
    assert show(pets, "Main:dog1.jpg").file.stale and not show(pets, "Main:cat.jpg").file.stale
    assert show(pets, "Main~1").stale == 0


def test_declaring_again_makes_it_complete(pets: Repository) -> None:
    require(pets, "dog")
    complete(pets, ["dog1.jpg"])
    assert [entry.path for entry in Marks(pets["Main"]).stale()] == ["dog2.jpg"]


def test_a_mark_is_made_under_the_schema_that_the_directory_goes_by(pets: Repository) -> None:
    use_schema(pets, "Main", "Main")
    require(pets, "dog")
    assert status(pets).stale == 0
    complete(pets, ["new.jpg"])
    assert pets["Main"]["new.jpg"].state.completeness_schema == pets["Main"].schema_id


def test_what_is_not_complete_is_counted_with_its_first_paths(pets: Repository) -> None:
    require(pets, "dog")
    left = unfinished(pets["Main"])
    assert (left.incomplete, left.stale, left.first) == (1, 2, ("dog1.jpg", "dog2.jpg", "new.jpg"))
    complete(pets, ["*.jpg"])
    assert not unfinished(pets["Main"])


def test_a_snapshot_warns_or_refuses(pets: Repository) -> None:
    require(pets, "dog")
    with fails(Refused, "incomplete") as caught:
        snapshot(pets, "Main", "v1", complete_only=True)
    assert (caught.value.fields["incomplete"], caught.value.fields["stale"]) == (1, 2)
    assert "dog1.jpg" in caught.value.message
    (warning,) = snapshot(pets, "Main", "v1").problems
    assert (warning.code, warning.severity) == ("incomplete", "warning")
    complete(pets, ["*.jpg"])
    commit(pets, "all of it")
    assert snapshot(pets, "Main", "v2", complete_only=True).problems == []


def test_an_export_warns_or_refuses(pets: Repository, tmp_path: Path) -> None:
    require(pets, "dog")
    with fails(Refused, "incomplete"):
        export(pets, ["Main"], tmp_path / "out", format="csv", complete_only=True)
    assert not (tmp_path / "out").exists()
    with fails(Refused, "incomplete"):
        export(pets, ["Main:new.jpg"], tmp_path / "out", format="csv", everything=True, complete_only=True)
    result = export(pets, ["Main"], tmp_path / "out", format="csv")
    assert (result.files, result.skipped_files, result.stale_files) == (4, 1, 2)
    assert [problem.code for problem in result.problems] == ["incomplete"]
    clean = export(pets, ["Main:cat.jpg"], tmp_path / "cat", format="csv", complete_only=True)
    assert (clean.files, clean.problems) == (1, [])
