"""What several processes work out is what one would, and an import says the same of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tdvc import workers
from tdvc.errors import Corruption, SchemaError
from tdvc.ids import Kind
from tdvc.ops.exporting import export
from tdvc.ops.importing import ImportOptions, import_
from tdvc.ops.schema import lock_schema
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository
from tests.formats.test_pascal_voc import put
from tests.ops.build import file_id, held, read_tree

PICTURES = 12
RING = [1, 2, 9, 2, 9, 8]


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(workers, "_WORTH_WORKERS", 4)
    monkeypatch.setattr(workers, "_TURN", 3)
    monkeypatch.setattr(workers, "worker_count", lambda: request.param)
    count: int = request.param
    return count


def annotation(identity: int, picture: int, **fields: Any) -> dict[str, Any]:
    usual = {"segmentation": [RING], "area": 24.0, "bbox": [1, 2, 8, 6], "iscrowd": 0, "category_id": 1}
    return {"id": identity, "image_id": picture, **usual, **fields}


def write_set(root: Path, *, change: dict[int, Any] | None = None) -> Path:
    """A COCO set of pictures with two annotations each, some of the second ones replaced."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    for number in range(PICTURES):
        Image.new("L", (64, 48), number).save(root / f"images/{number:02}.jpg")
    annotations = [annotation(10 * n + i, n) for n in range(PICTURES) for i in (1, 2)]
    for number, fields in (change or {}).items():
        annotations[2 * number + 1] = annotation(10 * number + 2, number, **fields)
    document = {
        "images": [{"id": n, "file_name": f"{n:02}.jpg", "width": 64, "height": 48} for n in range(PICTURES)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}],
    }
    put(root / "annotations/instances_all.json", json.dumps(document))
    return root


def test_an_import_and_what_it_says(processes: int, disk_repository: Repository, tmp_path: Path) -> None:
    source = write_set(tmp_path / "set", change={3: {"bbox": [1], "segmentation": []}, 5: {"category_id": 9}})
    result = import_(disk_repository, source)
    assert (result.added_files, result.annotated_files, result.added_instances) == (12, 12, 23)
    assert result.sentence == "12 of 12 files and 23 of 24 instances imported, 2 labels; 1 instance left out"
    assert [(problem.code, problem.place) for problem in result.problems] == [("instance-invalid", "images/03.jpg")]
    assert {len(file.instances) for file in disk_repository["Main"]} == {1, 2}
    assert len(disk_repository["Main"].schema.labels) == 3


def test_only_what_changed_is_written(processes: int, disk_repository: Repository, tmp_path: Path) -> None:
    import_(disk_repository, write_set(tmp_path / "one"))
    before = held(disk_repository, "Main")
    again = import_(disk_repository, write_set(tmp_path / "one"))
    assert (again.operation, again.unchanged_files) == (None, 12)
    written: list[Kind] = []
    real = disk_repository.objects.writer

    def watched() -> Any:
        writer = real()
        put_pressed = writer.put_pressed
        writer.put_pressed = lambda kind, pressed: (written.append(kind), put_pressed(kind, pressed))[1]
        return writer

    disk_repository.objects.writer = watched  # type: ignore[method-assign]
    moved = [value + 1 for value in RING]
    changed = import_(disk_repository, write_set(tmp_path / "two", change={4: {"segmentation": [moved]}}))
    assert (changed.annotated_files, changed.changed_instances, changed.unchanged_files) == (1, 1, 11)
    assert written.count(Kind.INSTANCES) == 1
    after = held(disk_repository, "Main")
    assert [path for path in before if before[path] != after[path]] == ["images/04.jpg"]


def test_a_locked_schema_refuses_and_nothing_is_imported(
    processes: int, disk_repository: Repository, tmp_path: Path
) -> None:
    import_(disk_repository, write_set(tmp_path / "one"))
    lock_schema(disk_repository)
    root = disk_repository["Main"].root
    with pytest.raises(SchemaError, match="locked"):
        import_(disk_repository, write_set(tmp_path / "two", change={11: {"category_id": 7}}))
    assert disk_repository["Main"].root == root


def test_a_preview_is_of_the_first(processes: int, disk_repository: Repository, tmp_path: Path) -> None:
    result = import_(disk_repository, write_set(tmp_path / "set"), options=ImportOptions(dry_run=True))
    assert [path for path, _ in result.preview] == [f"images/{number:02}.jpg" for number in range(5)]


@pytest.mark.parametrize("form", ["coco", "yolo"])
def test_an_export(processes: int, disk_repository: Repository, tmp_path: Path, form: str) -> None:
    source = write_set(tmp_path / "set", change={2: {"segmentation": [RING, RING]}, 6: {"id": 1}})
    import_(disk_repository, source)
    prepared = export(disk_repository, ["Main"], tmp_path / "out", format=form, everything=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(f"tdvc.formats.{form}.preparing")
        plain = export(disk_repository, ["Main"], tmp_path / "plain", format=form, everything=True)
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "plain")
    assert (prepared.sentence, prepared.problems, prepared.losses) == (plain.sentence, plain.problems, plain.losses)
    assert prepared.written_bytes == plain.written_bytes


def test_a_damaged_set_costs_its_file_and_is_listed(
    processes: int, disk_repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_(disk_repository, write_set(tmp_path / "set"))
    real, damaged = Directory.instances, file_id(disk_repository, "Main", "images/07.jpg")

    def instances(self: Directory, entry: Any) -> Any:
        if entry.state.file_id == damaged:
            raise Corruption("object-damaged", "The stored bytes are damaged.")
        return real(self, entry)

    monkeypatch.setattr(Directory, "instances", instances)
    result = export(disk_repository, ["Main"], tmp_path / "out", format="coco", everything=True)
    assert (result.files, result.instances) == (11, 22)
    assert [(problem.code, problem.place) for problem in result.problems if problem.dropped_files] == [
        ("stored-damaged", "images/07.jpg")
    ]
