from __future__ import annotations

import json
from pathlib import Path

import pytest

from tdvc.errors import FormatError, NotFound, Refused, Usage
from tdvc.ops.annotate import complete
from tdvc.ops.directories import create_directory
from tdvc.ops.exporting import export
from tdvc.ops.importing import ImportOptions, import_
from tdvc.ops.mapping import FieldMap, read_map
from tdvc.ops.transfer import copy
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, held, jpeg, labels, stock, unchanged


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(
        repository,
        "Main",
        {
            "a.jpg": (jpeg("a"), [box("dog", (0, 0, 10, 10), 1, score=0.9), box("cat", (1, 1, 5, 5), 2, score=0.2)]),
            "in/b.jpg": (jpeg("b"), [box("dog", (2, 2, 8, 8), 3, attributes={"age": 3})]),
        },
    )
    return repository


def annotation(folder: Path, split: str = "all") -> dict:
    return json.loads((folder / f"annotations/instances_{split}.json").read_text())


def test_only_complete_files_go_out_and_the_rest_is_counted(pets: Repository, tmp_path: Path) -> None:
    with fails(Refused, "nothing-to-export"):
        export(pets, ["Main"], tmp_path / "none", format="coco")
    complete(pets, ["a.jpg"])
    result = export(pets, ["Main"], tmp_path / "some", format="coco")
    assert (result.files, result.instances, result.skipped_files) == (1, 2, 1)
    assert [image["file_name"] for image in annotation(tmp_path / "some")["images"]] == ["a.jpg"]
    assert export(pets, ["Main"], tmp_path / "all", format="coco", everything=True).files == 2


def test_pictures_go_along_or_not(pets: Repository, tmp_path: Path) -> None:
    export(pets, ["Main"], tmp_path / "with", format="coco", everything=True)
    assert (tmp_path / "with/images/in/b.jpg").read_bytes() == jpeg("b")
    export(pets, ["Main"], tmp_path / "without", format="coco", everything=True, pictures="none")
    assert not (tmp_path / "without/images").exists()


def test_several_states_become_splits_and_class_ids_stay(pets: Repository, tmp_path: Path) -> None:
    create_directory(pets, "Val")
    copy(pets, ["Main:in"], "Val", with_instances=True)
    export(pets, ["Main", "Val"], tmp_path / "out", format="coco", everything=True)
    main, val = annotation(tmp_path / "out", "Main"), annotation(tmp_path / "out", "Val")
    assert (len(main["images"]), len(val["images"])) == (2, 1)
    assert main["categories"] == val["categories"]


def test_what_the_format_can_not_carry_is_counted_before_anything_is_written(pets: Repository, tmp_path: Path) -> None:
    result = export(pets, ["Main"], tmp_path / "out", format="yolo", everything=True, dry_run=True)
    assert result.losses == {"attributes": 1, "score": 2}
    with fails(Refused, "loss-refused"):
        export(pets, ["Main"], tmp_path / "out", format="yolo", everything=True, strict=True)
    assert not (tmp_path / "out").exists()


def test_an_export_never_mixes_with_what_is_there(pets: Repository, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with fails(Refused, "checkout-in-the-way"):
        export(pets, ["Main"], tmp_path, format="coco", everything=True)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nonsense_is_refused(pets: Repository, tmp_path: Path) -> None:
    with fails(FormatError, "format-unknown"):
        export(pets, ["Main"], tmp_path / "out", format="yolo99", everything=True)
    with fails(Usage, "bad-usage"):
        export(pets, ["Main"], tmp_path / "out", format="coco", everything=True, pictures="moved")
    with fails(NotFound, "unknown-revision"):
        export(pets, ["nowhere"], tmp_path / "out", format="coco", everything=True)


def test_importing_our_own_export_changes_no_file(pets: Repository, tmp_path: Path) -> None:
    before = held(pets, "Main")
    export(pets, ["Main"], tmp_path / "out", format="coco", everything=True)
    result = import_(pets, tmp_path / "out")
    assert (result.added_files, result.annotated_files, result.unchanged_files) == (0, 0, 2)
    assert held(pets, "Main") == before


@pytest.mark.parametrize(
    ("options", "left", "out"),
    [
        (ImportOptions(min_score=0.5), ["dog"], 1),
        (ImportOptions(top=1), ["dog"], 1),
        (ImportOptions(mapping=FieldMap(labels={"cat": ""})), ["dog"], 1),
        (ImportOptions(mapping=FieldMap(labels={"cat": "tiger"})), ["dog", "tiger"], 0),
    ],
)
def test_an_import_can_be_narrowed_and_says_what_it_left_out(
    pets: Repository, tmp_path: Path, options: ImportOptions, left: list[str], out: int
) -> None:
    export(pets, ["Main"], tmp_path / "out", format="coco", everything=True)
    create_directory(pets, "Fresh")
    result = import_(pets, tmp_path / "out", "Fresh", options=options)
    assert sorted(labels(pets, "Fresh", "images/a.jpg")) == left
    assert sum(problem.dropped_instances for problem in result.problems) == out


def test_a_dry_run_shows_the_first_records_and_imports_nothing(pets: Repository, tmp_path: Path) -> None:
    export(pets, ["Main"], tmp_path / "out", format="coco", everything=True)
    with unchanged(pets):
        result = import_(pets, tmp_path / "out", options=ImportOptions(dry_run=True))
    assert [path for path, _ in result.preview] == ["images/a.jpg", "images/in/b.jpg"]


def test_a_map_file_is_read_and_checked(tmp_path: Path) -> None:
    place = tmp_path / "map.toml"
    place.write_text('[labels]\nperson = "pedestrian"\n[columns]\npath = "filename"\n')
    assert read_map(place) == FieldMap(labels={"person": "pedestrian"}, columns={"path": "filename"})
    for text in ("[labels\n", '[label]\na = "b"\n', "[labels]\na = 1\n"):
        place.write_text(text)
        with fails(Usage, "bad-usage"):
            read_map(place)
