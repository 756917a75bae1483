from __future__ import annotations

import json
from pathlib import Path

import pytest

from tdvc.errors import FormatError, NotFound, Refused, Usage
from tdvc.model.records import make_instance
from tdvc.ops.annotate import annotate
from tdvc.ops.checkout import checkout
from tdvc.ops.diffing import diff
from tdvc.ops.exporting import export
from tdvc.ops.importing import ImportOptions, import_
from tdvc.ops.listing import show
from tdvc.repo.repository import Repository
from tests.ops.bloodcells import LABELS, cells_of, instance_count, name_of, write_picture, write_set
from tests.ops.build import box, fails, file_id, held, jpeg, labels, lines, read_tree, stock, unchanged, write_tree


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return write_set(tmp_path / "cells")


def picture(number: int) -> str:
    return f"JPEGImages/{name_of(number)}.jpg"


def test_a_whole_set_comes_in_and_the_sum_comes_out(repository: Repository, cells: Path) -> None:
    before = read_tree(cells)
    result = import_(repository, cells)
    instances = instance_count(12)
    assert (result.format, result.added_files, result.annotated_files) == ("pascal-voc", 12, 12)
    assert result.sentence == (
        f"12 of 12 files and {instances} of {instances} instances imported, 3 labels; nothing left out"
    )
    assert result.labels == sorted(LABELS)
    assert repository["Main"].counts[:3] == (12, result.new_blob_bytes, instances)
    found = {label: count for label, (_, count) in show(repository, "Main").labels.items()}
    assert found == {label: sum(c[0] == label for n in range(12) for c in cells_of(n)) for label in LABELS}
    assert {i.source for file in repository["Main"] for i in file.instances} == {"import"}
    assert read_tree(cells) == before


def test_again_changes_nothing_and_says_so(repository: Repository, cells: Path) -> None:
    first = import_(repository, cells)
    with unchanged(repository):
        again = import_(repository, cells)
    assert (again.unchanged_files, again.added_files, again.annotated_files, again.operation) == (12, 0, 0, None)
    assert again.sentence == first.sentence
    assert again.new_blob_bytes == 0


def test_the_same_root_in_two_repositories(
    repository: Repository, disk_repository: Repository, cells: Path, tmp_path: Path
) -> None:
    import_(repository, cells)
    import_(disk_repository, write_set(tmp_path / "elsewhere"))
    assert repository["Main"].root == disk_repository["Main"].root
    assert repository.view.schema == disk_repository.view.schema


def test_adding_pictures_first_gives_the_same_root_too(repository: Repository, cells: Path) -> None:
    from tdvc.ops.add import add

    import_(repository, cells)
    other = Repository(type(repository.storage)(), author="Grace")
    other.start()
    prefix = next(iter(held(repository, "Main"))).rpartition("/")[0]
    add(other, [cells / "JPEGImages"], at=prefix)
    import_(other, cells)
    assert other["Main"].root == repository["Main"].root


def test_what_people_made_survives(repository: Repository, cells: Path) -> None:
    import_(repository, cells)
    path = picture(1)
    annotate(repository, lines({"op": "add", "path": path, "instance": box("artefact", number=7, source="human")}))
    write_picture(cells, 1, cells_of(1)[:2])
    result = import_(repository, cells)
    assert (result.removed_instances, result.annotated_files) == (len(cells_of(1)) - 2, 1)
    assert labels(repository, "Main", path) == ["RBC", "WBC", "artefact"]


def move_one(repository: Repository) -> tuple[str, str]:
    path = picture(2)
    instance = repository["Main"][path].instances[0]
    change = {"op": "update", "path": path, "instance_id": instance.instance_id, "set": {"geometry": [1, 1, 2, 2]}}
    annotate(repository, lines(change))
    return path, instance.instance_id


def test_an_imported_instance_that_somebody_corrected_stays_and_is_counted(repository: Repository, cells: Path) -> None:
    import_(repository, cells)
    path, instance_id = move_one(repository)
    corrected = held(repository, "Main")
    (found,) = [i for i in repository["Main"][path].instances if i.instance_id == instance_id]
    assert found.source == "human"
    result = import_(repository, cells)
    assert (result.kept_instances, result.changed_instances, result.removed_instances) == (1, 0, 0)
    assert result.operation is None
    assert held(repository, "Main") == corrected


def test_overwriting_takes_the_word_of_the_source(repository: Repository, cells: Path) -> None:
    import_(repository, cells)
    path, instance_id = move_one(repository)
    result = import_(repository, cells, options=ImportOptions(overwrite=True))
    assert (result.kept_instances, result.changed_instances) == (0, 1)
    assert (result.annotated_files, result.unchanged_files) == (1, 11)
    (found,) = [i for i in repository["Main"][path].instances if i.instance_id == instance_id]
    assert found.coordinates != [1, 1, 2, 2]


def test_a_record_that_became_unreadable_takes_nothing_away(repository: Repository, cells: Path) -> None:
    import_(repository, cells)
    before = held(repository, "Main")
    place = cells / f"Annotations/{name_of(3)}.xml"
    place.write_text(place.read_text().replace("<xmin>", "<xmin>abc"))
    result = import_(repository, cells)
    assert any(problem.dropped_instances for problem in result.problems)
    assert result.removed_instances == 0
    assert held(repository, "Main") == before


def test_strict_refuses_what_can_not_be_read(repository: Repository, cells: Path) -> None:
    (cells / f"Annotations/{name_of(3)}.xml").write_text("garbage <<<")
    with fails(Refused, "loss-refused"):
        import_(repository, cells, options=ImportOptions(strict=True))
    assert not list(repository["Main"])


def test_a_new_picture_changed_bytes_and_new_boxes(repository: Repository, cells: Path) -> None:
    import_(repository, cells)
    identity = file_id(repository, "Main", picture(0))
    write_picture(cells, 12)
    write_picture(cells, 3, [*cells_of(3), ("WBC", (1, 1, 9, 9))])
    (cells / f"JPEGImages/{name_of(0)}.jpg").write_bytes(b"\xff\xd8\xffanother\xff\xd9")
    result = import_(repository, cells)
    assert (result.added_files, result.replaced_files, result.unchanged_files) == (1, 1, 10)
    assert result.added_instances == len(cells_of(12)) + 1
    assert file_id(repository, "Main", picture(0)) == identity


def test_completeness_and_what_the_source_is_silent_about_stay(repository: Repository, cells: Path) -> None:
    from tdvc.ops.annotate import complete

    import_(repository, cells)
    complete(repository, [picture(0)])
    with unchanged(repository):
        import_(repository, cells)
    assert repository["Main"][picture(0)].complete


def test_a_missing_picture_is_listed_with_its_instances(repository: Repository, cells: Path) -> None:
    (cells / f"JPEGImages/{name_of(4)}.jpg").unlink()
    result = import_(repository, cells)
    (problem,) = [problem for problem in result.problems if problem.dropped_files]
    assert (problem.code, problem.dropped_files, problem.dropped_instances) == ("picture-missing", 1, len(cells_of(4)))
    total = instance_count(12)
    assert result.sentence == (
        f"11 of 12 files and {total - len(cells_of(4))} of {total} instances imported, 3 labels; "
        f"1 file and {len(cells_of(4))} instances left out"
    )


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("no xml at all", "record-unreadable"),
        ("<annotation><filename>../../../etc/passwd</filename></annotation>", "unsafe-path"),
        ("<annotation><filename>/etc/passwd</filename></annotation>", "unsafe-path"),
    ],
)
def test_a_bad_annotation_file_is_listed_and_the_rest_comes(
    repository: Repository, cells: Path, content: str, code: str
) -> None:
    (cells / "Annotations/zzz.xml").write_text(content)
    result = import_(repository, cells)
    assert [problem.code for problem in result.problems] == [code]
    assert result.added_files == 12
    assert "unaccounted" not in result.sentence


def test_a_picture_that_can_not_be_read_is_listed_with_its_instances(
    repository: Repository, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    real = os.open

    def refuse(path, *given, **options):
        if os.fspath(path).endswith(f"{name_of(5)}.jpg"):
            raise PermissionError(13, "Permission denied")
        return real(path, *given, **options)

    monkeypatch.setattr(os, "open", refuse)
    result = import_(repository, cells)
    assert [(p.code, p.dropped_files, p.dropped_instances) for p in result.problems] == [
        ("unreadable", 1, len(cells_of(5)))
    ]
    assert result.added_files == 11
    assert "unaccounted" not in result.sentence


def test_under_a_prefix(repository: Repository, cells: Path) -> None:
    import_(repository, cells, at="blood/2026")
    assert all(path.startswith("blood/2026/") for path in held(repository, "Main"))
    with unchanged(repository):
        import_(repository, cells, at="blood/2026/")
    with unchanged(repository), fails(Usage, "bad-path"):
        import_(repository, cells, at="../up")


def test_more_than_one_batch(repository: Repository, tmp_path: Path) -> None:
    source = write_set(tmp_path / "many", 530)
    result = import_(repository, source)
    assert (result.added_files, repository["Main"].counts.instances) == (530, instance_count(530))
    with unchanged(repository):
        assert import_(repository, source).unchanged_files == 530


def test_an_image_folder(repository: Repository, tmp_path: Path) -> None:
    source = write_tree(
        tmp_path / "source", {"cat/1.jpg": b"\xff\xd8\xffc\xff\xd9", "dog/1.jpg": b"\xff\xd8\xffd\xff\xd9"}
    )
    assert import_(repository, source, format="image-folder").labels == ["cat", "dog"]
    assert [labels(repository, "Main", path) for path in held(repository, "Main")] == [["cat"], ["dog"]]
    with unchanged(repository):
        import_(repository, source, format="image-folder")


def test_our_own_format_comes_back_as_an_empty_diff(
    repository: Repository, disk_repository: Repository, cells, tmp_path
):
    import_(disk_repository, cells)
    annotate(disk_repository, lines({"op": "add", "path": picture(0), "instance": box("x", number=5, source="human")}))
    checkout(disk_repository, "Main", tmp_path / "out")
    with unchanged(disk_repository):
        import_(disk_repository, tmp_path / "out", format="tdvc-jsonl")
    import_(repository, tmp_path / "out", format="tdvc-jsonl")
    assert held(repository, "Main") == held(disk_repository, "Main")
    assert not diff(disk_repository, "Main", "Main")


def test_what_can_not_be_imported(repository: Repository, tmp_path: Path) -> None:
    stock(repository, "Main", {"a": b"a"})
    (tmp_path / "plain").mkdir()
    with unchanged(repository), fails(NotFound, "source-not-found"):
        import_(repository, tmp_path / "missing")
    with unchanged(repository), fails(FormatError, "format-unknown"):
        import_(repository, tmp_path / "plain")
    with unchanged(repository), fails(FormatError, "format-unknown"):
        import_(repository, tmp_path / "plain", format="yolo-9000")
    with unchanged(repository), fails(NotFound, "directory-not-found"):
        import_(repository, tmp_path / "plain", "Nowhere")


def truth_and_runs(folder: Path, **runs: list[dict]) -> Path:
    """A COCO set of two pictures with two boxes on the first, and result files of model runs."""
    truth = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": [n, 0, 9, 9], "area": 81, "iscrowd": 0} for n in (1, 2)
        ],
    }
    files = {f"images/{name}.jpg": jpeg(name) for name in "ab"}
    files["annotations/instances_val.json"] = json.dumps(truth).encode()
    files |= {f"runs/{name}.json": json.dumps(found).encode() for name, found in runs.items()}
    return write_tree(folder, files)


def predicted(image: int = 1, x: int = 1, score: float = 0.5) -> dict:
    return {"image_id": image, "category_id": 1, "bbox": [x, 0, 9, 9], "score": score}


def by_source(repository: Repository, path: str) -> dict[str, list[tuple[float, str]]]:
    found: dict[str, list[tuple[float, str]]] = {}
    for instance in repository["Main"][path].instances:
        found.setdefault(instance.source, []).append((instance.coordinates[0], bytes(instance.score).decode()))
    return {source: sorted(held) for source, held in found.items()}


GROUND_TRUTH = {"import": [(1, "null"), (2, "null")]}


def test_predictions_come_beside_the_ground_truth_run_by_run(repository: Repository, tmp_path: Path) -> None:
    """Also where a prediction says exactly what somebody drew."""
    runs = {"first": [predicted(x=1), predicted(x=5)], "second": [predicted(x=1, score=0.9), predicted(2, x=7)]}
    source = truth_and_runs(tmp_path, **runs)
    import_(repository, source, format="coco")
    truth = held(repository, "Main")
    for name in runs:
        result = import_(repository, source / f"runs/{name}.json")
        assert (result.problems, result.removed_instances, result.changed_instances) == ([], 0, 0)
    assert by_source(repository, "images/a.jpg") == GROUND_TRUTH | {
        "first": [(1, "0.5"), (5, "0.5")],
        "second": [(1, "0.9")],
    }
    assert by_source(repository, "images/b.jpg") == {"second": [(7, "0.5")]}
    assert all(set(truth[path][1]) <= set(after) for path, (_, after) in held(repository, "Main").items())
    with unchanged(repository):
        import_(repository, source / "runs/first.json")


def test_predictions_of_the_same_run_are_replaced(repository: Repository, tmp_path: Path) -> None:
    source = truth_and_runs(tmp_path, first=[predicted(x=1), predicted(2)], second=[predicted(x=3)])
    import_(repository, source, format="coco")
    for name in ("first", "second"):
        import_(repository, source / f"runs/{name}.json")
    truth_and_runs(tmp_path, first=[predicted(x=1, score=0.25), predicted(x=4)])
    result = import_(repository, source / "runs/first.json")
    assert (result.added_instances, result.changed_instances, result.removed_instances) == (1, 1, 1)
    assert by_source(repository, "images/a.jpg") == GROUND_TRUTH | {
        "first": [(1, "0.25"), (4, "0.5")],
        "second": [(3, "0.5")],
    }
    assert by_source(repository, "images/b.jpg") == {}


def test_a_twin_does_not_take_the_id_of_one_that_comes_in_itself(repository: Repository, tmp_path: Path) -> None:
    source = truth_and_runs(tmp_path, first=[predicted(x=1)])
    import_(repository, source / "runs/first.json")
    truth_and_runs(tmp_path, first=[predicted(x=1, score=0.25), predicted(x=1)])
    result = import_(repository, source / "runs/first.json")
    assert (result.added_instances, result.changed_instances, result.removed_instances) == (1, 0, 0)
    assert by_source(repository, "images/a.jpg") == {"first": [(1, "0.25"), (1, "0.5")]}


def test_importing_the_ground_truth_again_leaves_predictions(repository: Repository, tmp_path: Path) -> None:
    source = truth_and_runs(tmp_path, first=[predicted(x=1)])
    import_(repository, source, format="coco")
    import_(repository, source / "runs/first.json")
    before = held(repository, "Main")
    with unchanged(repository):
        import_(repository, source, format="coco")
    place = source / "annotations/instances_val.json"
    place.write_text(place.read_text().replace('"id": 2, "image_id": 1', '"id": 2, "image_id": 2'))
    import_(repository, source, format="coco")
    assert by_source(repository, "images/a.jpg") == {"import": [(1, "null")], "first": [(1, "0.5")]}
    assert held(repository, "Main") != before


def test_a_prediction_that_somebody_corrected_stays_corrected(repository: Repository, tmp_path: Path) -> None:
    source = truth_and_runs(tmp_path, first=[predicted(x=5)])
    import_(repository, source / "runs/first.json")
    (instance,) = repository["Main"]["images/a.jpg"].instances
    change = {"instance_id": instance.instance_id, "set": {"label": "cat", "source": "human"}}
    annotate(repository, lines({"op": "update", "path": "images/a.jpg", **change}))
    result = import_(repository, source / "runs/first.json")
    assert (result.kept_instances, result.removed_instances) == (1, 0)
    assert labels(repository, "Main", "images/a.jpg") == ["cat"]


def test_scores_too_low_take_no_ground_truth_away(repository: Repository, tmp_path: Path) -> None:
    source = truth_and_runs(tmp_path, first=[predicted(x=5, score=0.1)])
    import_(repository, source, format="coco")
    import_(repository, source / "runs/first.json", options=ImportOptions(min_score=0.5))
    assert by_source(repository, "images/a.jpg") == GROUND_TRUTH


def test_predictions_of_pictures_that_are_elsewhere(repository: Repository, tmp_path: Path) -> None:
    """Pictures are known by name; those without a prediction that nobody has are no problem."""
    source = truth_and_runs(tmp_path / "coco", first=[predicted(x=5)])
    stock(repository, "Main", {"photos/a.jpg": jpeg("a")})
    for name in "ab":
        (source / f"images/{name}.jpg").unlink()
    result = import_(repository, source / "runs/first.json")
    assert (result.problems, result.added_files, result.added_instances) == ([], 0, 1)
    assert result.sentence == "2 of 2 files and 1 of 1 instance imported, 1 label; nothing left out"
    assert by_source(repository, "photos/a.jpg") == {"first": [(5, "0.5")]}


def test_tasks_of_predictions_alone_leave_the_ground_truth(repository: Repository, cells: Path, tmp_path: Path) -> None:
    import_(repository, cells)
    path = picture(0)
    before = held(repository, "Main")[path][1]
    value = {"x": 10, "y": 10, "width": 5, "height": 5, "rotation": 0, "rectanglelabels": ["WBC"]}
    item = {"type": "rectanglelabels", "from_name": "l", "to_name": "i", "value": value, "id": "r1"}
    item |= {"original_width": 640, "original_height": 480}
    task = {"data": {"image": path}, "predictions": [{"model_version": "m1", "result": [item]}], "annotations": []}
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/tasks.json").write_text(json.dumps([task]))
    result = import_(repository, tmp_path / "tasks/tasks.json", format="label-studio")
    assert (result.added_instances, result.removed_instances) == (1, 0)
    assert set(before) < set(held(repository, "Main")[path][1])


def test_a_source_without_attributes_takes_none_away(repository: Repository, cells: Path, tmp_path: Path) -> None:
    import_(repository, cells)
    described = {i.instance_id: bytes(i.attributes) for file in repository["Main"] for i in file.instances}
    assert any(attributes != b"{}" for attributes in described.values())
    rows = ["path,label,x0,y0,x1,y1"]
    for file in repository["Main"]:
        rows += [
            f"{file.path},{i.label},{','.join(map(str, i.coordinates))}" for i in file.instances if i.type == "box"
        ]
    table = tmp_path / "boxes.csv"
    table.write_text("\n".join(rows) + "\n")
    result = import_(repository, table, format="csv")
    assert (result.added_instances, result.removed_instances) == (0, 0)
    now = {i.instance_id: bytes(i.attributes) for file in repository["Main"] for i in file.instances}
    assert now == described


def test_what_the_format_has_no_place_for_stays(repository: Repository, cells: Path, tmp_path: Path) -> None:
    import_(repository, cells)
    path = next(iter(repository["Main"])).path
    polygon = make_instance(
        {"label": "outline", "type": "polygon", "geometry": [[[1, 1, 9, 1, 9, 9]]], "source": "import"}
    )
    with repository.transaction("a polygon") as edit:
        file = repository["Main"][path]
        edit.annotate(file, [*file.instances, polygon])
    result = export(repository, ["Main"], tmp_path / "out", format="csv", everything=True)
    assert result.losses
    again = import_(repository, tmp_path / "out", format="csv")
    assert again.removed_instances == 0
    assert "outline" in {instance.label for instance in repository["Main"][path].instances}


def test_a_source_of_which_nothing_landed_teaches_no_label(repository: Repository, tmp_path: Path) -> None:
    folder = tmp_path / "coco"
    folder.mkdir()
    document = {
        "images": [{"id": 1, "file_name": "nowhere.jpg", "width": 9, "height": 9}],
        "categories": [{"id": 1, "name": "ghost"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "area": 4, "iscrowd": 0}],
    }
    (folder / "instances.json").write_text(json.dumps(document))
    result = import_(repository, folder)
    assert result.problems and result.operation is None
    assert "ghost" not in repository["Main"].schema.labels
