from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tdvc.errors import FormatError, NotFound, Refused, Usage
from tdvc.objects.store import LARGE_BYTES
from tdvc.ops.add import add
from tdvc.ops.annotate import complete
from tdvc.ops.checkout import checkout
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory
from tdvc.ops.exporting import ExportResult, export
from tdvc.ops.importing import ImportOptions, import_
from tdvc.ops.mapping import FieldMap, read_map
from tdvc.ops.transfer import copy
from tdvc.repo.repository import Repository
from tdvc.storage import folder as storage_folder
from tests.ops.build import box, fails, held, jpeg, labels, stock, unchanged, write_tree


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


def test_changes_go_out_with_all_their_shapes(pets: Repository, tmp_path: Path) -> None:
    commit(pets, "first")
    with fails(Usage, "bad-usage"):
        export(pets, ["Main"], tmp_path / "out", format="parquet", everything=True, since="Main@", boxes=True)


def test_nonsense_is_refused(pets: Repository, tmp_path: Path) -> None:
    with fails(FormatError, "format-unknown"):
        export(pets, ["Main"], tmp_path / "out", format="yolo99", everything=True)
    with fails(Usage, "bad-usage"):
        export(pets, ["Main"], tmp_path / "out", format="coco", everything=True, pictures="moved")
    with fails(NotFound, "unknown-revision"):
        export(pets, ["nowhere"], tmp_path / "out", format="coco", everything=True)


def test_shapes_can_go_out_as_the_boxes_around_them(repository: Repository, tmp_path: Path) -> None:
    ring = {"label": "dog", "type": "polygon", "geometry": [[[1, 2, 9, 2, 9, 12.5]], [[0, 3, 1, 3, 1, 4]]]}
    point = {"label": "nose", "type": "point", "geometry": [3, 3]}
    stock(repository, "Main", {"a.jpg": (jpeg("a"), [ring, point, box("cat", (1, 1, 5, 5))])})
    plain = export(repository, ["Main"], tmp_path / "plain", format="pascal-voc", everything=True, pictures="none")
    boxed = export(
        repository, ["Main"], tmp_path / "boxes", format="pascal-voc", everything=True, pictures="none", boxes=True
    )
    assert plain.losses == {"point instances": 1, "polygon instances": 1}
    assert boxed.losses == {"point instances": 1}
    export(repository, ["Main"], tmp_path / "coco", format="coco", everything=True, pictures="none", boxes=True)
    found = [one for one in annotation(tmp_path / "coco")["annotations"] if one["bbox"] == [0, 2, 9, 10.5]]
    assert len(found) == 1 and not found[0].get("segmentation")
    export(repository, ["Main"], tmp_path / "lines", format="tdvc-jsonl", everything=True, pictures="none", boxes=True)
    assert not (tmp_path / "lines/tdvc-export.json").exists(), "it is no export of that state"


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


def names_of(place: Path) -> int:
    """Under how many names a file is there."""
    return place.stat().st_nlink


def link_out(repository: Repository, folder: Path, originals: Path | None, **options: Any) -> ExportResult:
    return export(
        repository, ["Main"], folder, format="coco", everything=True, pictures="link", originals=originals, **options
    )


@pytest.fixture
def no_clones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file system can't clone, whatever the one below the tests can do."""

    def refusing(source: str, name: str, at: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(storage_folder, "_clone", refusing)


@pytest.mark.usefixtures("no_clones")
def test_pictures_are_linked_to_a_folder_that_has_them_and_the_others_copied(pets: Repository, tmp_path: Path) -> None:
    photos = write_tree(tmp_path / "photos", {"a.jpg": jpeg("a"), "in/b.jpg": jpeg("B"), "c.jpg": b"other"})
    result = link_out(pets, tmp_path / "out", photos)
    assert (result.linked_files, result.copied_files, result.files) == (1, 1, 2)
    assert (tmp_path / "out/images/a.jpg").samefile(photos / "a.jpg")
    assert (tmp_path / "out/images/in/b.jpg").read_bytes() == jpeg("b")
    assert names_of(photos / "in/b.jpg") == 1
    assert import_(pets, tmp_path / "out", options=ImportOptions(dry_run=True)).unchanged_files == 2


@pytest.mark.usefixtures("no_clones")
@pytest.mark.parametrize("kind", ["shorter", "other", "link", "folder", "gone"])
def test_only_a_file_with_the_very_bytes_is_linked(pets: Repository, tmp_path: Path, kind: str) -> None:
    photos = write_tree(tmp_path / "photos", {"z.jpg": jpeg("a")})
    if kind in ("shorter", "other"):
        write_tree(photos, {"a.jpg": jpeg("a")[:-1] if kind == "shorter" else jpeg("b")})
    elif kind == "link":
        (photos / "a.jpg").symlink_to(photos / "z.jpg")
    elif kind == "folder":
        (photos / "a.jpg").mkdir()
    result = link_out(pets, tmp_path / "out", photos)
    assert (result.linked_files, result.copied_files) == (0, 2)
    assert (tmp_path / "out/images/a.jpg").read_bytes() == jpeg("a")


@pytest.mark.usefixtures("no_clones")
def test_a_file_that_changes_while_it_is_linked_is_copied(
    pets: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write_tree(tmp_path / "photos", {"a.jpg": jpeg("a")})
    real = os.link

    def changing(source: str, *args: Any, **options: Any) -> None:
        real(source, *args, **options)
        Path(source).write_bytes(jpeg("changed"))

    monkeypatch.setattr(os, "link", changing)
    result = link_out(pets, tmp_path / "out", photos)
    assert (result.linked_files, result.copied_files) == (0, 2)
    assert (tmp_path / "out/images/a.jpg").read_bytes() == jpeg("a")
    assert (photos / "a.jpg").read_bytes() == jpeg("changed")


@pytest.mark.usefixtures("no_clones")
def test_the_store_is_never_given_away_by_a_hard_link(disk_repository: Repository, tmp_path: Path) -> None:
    add(disk_repository, [write_tree(tmp_path / "source", {"a.jpg": jpeg("x" * LARGE_BYTES)})])
    checkout(disk_repository, "Main", tmp_path / "held", link="hardlink")
    assert names_of(tmp_path / "held/a.jpg") == 2
    for number, originals in enumerate((tmp_path / "held", None)):
        result = link_out(disk_repository, tmp_path / f"out{number}", originals)
        assert (result.linked_files, result.copied_files) == (0, 1)
        assert names_of(tmp_path / f"out{number}/images/a.jpg") == 1
    assert names_of(tmp_path / "held/a.jpg") == 2


@pytest.mark.parametrize("with_folder", [True, False])
def test_clones_come_first_also_of_the_store(
    disk_repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_folder: bool
) -> None:
    cloned = []

    def cloning(source: str, name: str, at: int) -> None:
        cloned.append(source)
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=at)
        os.write(descriptor, Path(source).read_bytes())
        os.close(descriptor)

    film = jpeg("x" * LARGE_BYTES)
    photos = write_tree(tmp_path / "photos", {"a.jpg": film, "b.jpg": jpeg("b")})
    add(disk_repository, [photos])
    monkeypatch.setattr(storage_folder, "_clone", cloning)
    result = link_out(disk_repository, tmp_path / "out", photos if with_folder else None)
    assert (result.linked_files, result.copied_files) == ((2, 0) if with_folder else (1, 1))
    assert [Path(source).is_relative_to(photos) for source in cloned] == [with_folder] * result.linked_files
    assert (tmp_path / "out/images/a.jpg").read_bytes() == film
    assert names_of(photos / "a.jpg") == 1


def test_a_folder_to_link_to_must_be_one_and_be_meant(pets: Repository, tmp_path: Path) -> None:
    with fails(NotFound, "source-not-found"):
        link_out(pets, tmp_path / "out", tmp_path / "nowhere")
    with fails(Usage, "bad-usage"):
        export(pets, ["Main"], tmp_path / "out", format="coco", everything=True, originals=tmp_path)
    assert not (tmp_path / "out").exists()


def test_formats_that_hold_the_bytes_themselves_have_nothing_to_link(pets: Repository, tmp_path: Path) -> None:
    photos = write_tree(tmp_path / "photos", {"a.jpg": jpeg("a"), "in/b.jpg": jpeg("b")})
    options: dict[str, Any] = {"format": "webdataset", "everything": True}
    linked = export(pets, ["Main"], tmp_path / "one", pictures="link", originals=photos, **options)
    export(pets, ["Main"], tmp_path / "two", **options)
    assert (linked.linked_files, linked.copied_files) == (0, 0)
    before, after = ({p.name: p.read_bytes() for p in (tmp_path / name).rglob("*.tar")} for name in ("one", "two"))
    assert before == after


def test_the_size_of_a_video_is_what_a_reader_kept(repository: Repository, tmp_path: Path) -> None:
    figure: dict[str, Any] = {"key": "a" * 32, "objectKey": "b" * 32, "geometryType": "rectangle"}
    figure["geometry"] = {"points": {"exterior": [[1, 2], [30, 40]], "interior": []}}
    video = {
        "size": {"width": 640, "height": 480},
        "framesCount": 9,
        "objects": [{"key": "b" * 32, "classTitle": "dog"}],
    }
    video["frames"] = [{"index": 3, "figures": [figure]}]
    meta = {"classes": [{"title": "dog", "shape": "rectangle"}], "tags": [], "projectType": "videos"}
    write_tree(
        tmp_path / "in",
        {
            "meta.json": json.dumps(meta).encode(),
            "ds0/ann/v.mp4.json": json.dumps(video).encode(),
            "ds0/video/v.mp4": b"film",
        },
    )
    create_directory(repository, "Films")
    import_(repository, tmp_path / "in", "Films")
    export(repository, ["Films"], tmp_path / "out", format="label-studio", everything=True)
    (task,) = json.loads((tmp_path / "out/tasks.json").read_text())
    (item,) = task["annotations"][0]["result"]
    assert (item["type"], item["original_width"], item["original_height"]) == ("videorectangle", 640, 480)
    assert item["value"]["sequence"][0]["x"] == pytest.approx(100 / 640)
