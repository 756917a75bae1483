"""What we write is read by the libraries that people train with, and says the same there.

Those libraries are in the extra `readers`; where one is not installed its test is skipped and says so. Everything goes
out of a repository, as `tdvc export` does it.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tdvc.formats import _yaml, writable_format
from tdvc.model import geometry, masks
from tdvc.model.records import Instance
from tdvc.ops.exporting import export
from tdvc.repo.repository import Repository
from tests.ops.build import identity, stock

SIZE = (64, 48)
SHAPES: dict[str, list[Any]] = {
    "tag": [None],
    "box": [[1, 2, 10.5, 20.25], [0, 0, 64, 48]],
    "polygon": [
        [[[1, 1, 30, 1, 30, 20, 1, 20]]],
        [[[1, 1, 20.5, 3, 9, 30]], [[40, 30, 60, 30, 60, 45]]],
        [[[2, 2, 40, 2, 40, 40, 2, 40], [10, 10, 20, 10, 20, 20, 10, 20]]],
    ],
    "mask": [masks.encode_rle(np.indices((48, 64)).sum(axis=0) % 7 < 3), masks.encode_rle(np.ones((48, 64)))],
    "keypoints": [[5, 6, 2, 20, 30, 1, 0, 0, 0]],
    "polyline": [[1, 2, 30, 40]],
    "point": [[3.5, 4]],
    "ellipse": [[30, 20, 10, 5]],
}
"""Geometry of every type that has a place in a picture, in plain and in awkward shapes."""


def needs(name: str) -> Any:
    return pytest.importorskip(name, reason=f"{name} is not installed; it is in the extra 'readers'")


def picture(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", SIZE, (shade, 120, 60)).save(content, "PNG")
    return content.getvalue()


def instances(types: frozenset[str], start: int) -> list[dict[str, Any]]:
    """One instance of every shape of the types, labelled by turns."""
    found = []
    for kind in sorted(types & SHAPES.keys()):
        for shape in SHAPES[kind]:
            label = ("cat", "große Katze")[len(found) % 2]
            fields = {"instance_id": identity(start + len(found)), "label": label, "type": kind, "geometry": shape}
            found.append(fields | {"attributes": {"age": 3}})
    return found


Exported = Callable[..., tuple[Path, dict[str, list[Instance]]]]


@pytest.fixture
def exported(repository: Repository, tmp_path: Path) -> Exported:
    """Exports two annotated pictures and one without annotation; gives the folder, and what was put in by path."""

    def make(name: str, *, types: frozenset[str] | None = None, shapes: list[Any] | None = None):
        chosen = types or writable_format(name).TYPES
        files = {
            "a.png": (picture(1), instances(chosen, 100)),
            "in/b.png": (picture(2), instances(chosen, 200)),
            "empty.png": (picture(3), []),
        }
        stock(repository, "Main", files)
        result = export(repository, ["Main"], tmp_path / "out", format=name, everything=True)
        assert [problem for problem in result.problems if problem.dropped_instances] == []
        return tmp_path / "out", {file.path: file.instances for file in repository["Main"]}

    return make


def test_pycocotools_has_the_same_areas_and_masks(exported: Exported, capsys: pytest.CaptureFixture[str]) -> None:
    coco = needs("pycocotools.coco")
    folder, files = exported("coco")
    read = coco.COCO(str(folder / "annotations/instances_all.json"))
    known = {instance.instance_id: instance for found in files.values() for instance in found}
    assert len(read.anns) == len(known)
    assert {image["file_name"] for image in read.imgs.values()} == set(files)
    assert {category["name"] for category in read.cats.values()} == {"cat", "große Katze"}
    for annotation in read.anns.values():
        instance = known[annotation["instance_id"]]
        shape = instance.coordinates
        x, y, width, height = annotation["bbox"]
        assert np.allclose((x, y, x + width, y + height), instance.bounding_box)
        if instance.type in ("polygon", "mask"):
            ours = masks.decode_rle(shape) if instance.type == "mask" else masks.polygon_to_mask(shape, 48, 64)
            assert np.array_equal(read.annToMask(annotation).astype(bool), ours)
        if instance.type in ("polygon", "mask", "box"):
            assert annotation["area"] == pytest.approx(geometry.area(instance.type, shape), abs=1e-3)
        if instance.type == "keypoints":
            assert (annotation["keypoints"], annotation["num_keypoints"]) == (shape, 2)
    capsys.readouterr()


def test_etree_reads_voc(exported: Exported) -> None:
    folder, files = exported("pascal-voc", types=frozenset({"box"}))
    for path, found in files.items():
        root = ElementTree.parse(folder / "Annotations" / Path(path).with_suffix(".xml")).getroot()
        assert (folder / "JPEGImages" / path).is_file()
        assert Path(root.findtext("filename", "")).name == Path(path).name
        assert [root.findtext(f"size/{side}") for side in ("width", "height")] == ["64", "48"]
        corners = ("xmin", "ymin", "xmax", "ymax")
        said = [
            (node.findtext("name"), [float(node.findtext(f"bndbox/{name}", "")) for name in corners])
            for node in root.iter("object")
        ]
        assert said == [(instance.label, instance.coordinates) for instance in found]


def test_the_csv_module_reads_tables(exported: Exported) -> None:
    folder, files = exported("csv", types=frozenset({"box", "tag"}))
    (table,) = folder.glob("*.csv")
    with table.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    for path, found in files.items():
        said = [row for row in rows if row["filename"] == path]
        assert (folder / path).is_file()
        if not found:
            continue
        assert [row["instance_id"] for row in said] == [instance.instance_id for instance in found]
        assert [row["class"] for row in said] == [instance.label for instance in found]
        for row, instance in zip(said, found, strict=True):
            if instance.type == "box":
                assert [float(row[name]) for name in ("xmin", "ymin", "xmax", "ymax")] == instance.coordinates


def test_duckdb_reads_parquet(exported: Exported) -> None:
    duckdb = needs("duckdb")
    folder, files = exported("parquet")
    connection = duckdb.connect()
    source = f"read_parquet('{folder}/data/*.parquet')"
    rows = connection.execute(f"select path, width, height, image.bytes, len(instances) from {source}").fetchall()
    assert {path: count for path, *_, count in rows} == {path: len(found) for path, found in files.items()}
    assert {(width, height) for _, width, height, _, _ in rows} == {SIZE}
    assert {path: content for path, _, _, content, _ in rows} == {
        "a.png": picture(1),
        "in/b.png": picture(2),
        "empty.png": picture(3),
    }
    query = f"select i.instance_id, i.type, i.geometry, i.x0 from (select unnest(instances) as i from {source})"
    known = {instance.instance_id: instance for found in files.values() for instance in found}
    said = connection.execute(query).fetchall()
    assert len(said) == len(known)
    for instance_id, kind, shape, x0 in said:
        instance = known[instance_id]
        assert (kind, json.loads(shape or "null")) == (instance.type, instance.coordinates)
        assert x0 == (instance.bounding_box[0] if instance.bounding_box else None)


@pytest.fixture
def datasets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The library `datasets`, with its caches in a folder of the test and no way to the network."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    for name in ("HF_HOME", "HF_DATASETS_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    library = needs("datasets")
    library.disable_progress_bars()
    return library


def test_datasets_reads_parquet_and_shows_the_pictures(datasets: Any, exported: Exported, tmp_path: Path) -> None:
    folder, files = exported("parquet")
    tables = sorted(map(str, folder.glob("data/*.parquet")))
    read = datasets.load_dataset("parquet", data_files=tables, split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["path"] for row in read] == sorted(files)
    for row in read:
        assert row["image"].size == SIZE
        assert len(row["instances"]) == len(files[row["path"]])


def test_datasets_reads_an_image_folder(datasets: Any, exported: Exported, tmp_path: Path) -> None:
    folder, files = exported("hf-image-folder", types=frozenset({"box"}))
    read = datasets.load_dataset("imagefolder", data_dir=str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(read) == len(files)
    boxes = sorted((box for row in read for box in (row["objects"] or {}).get("bbox") or []), key=str)
    ours = [i.coordinates for found in files.values() for i in found]
    assert boxes == sorted(([x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in ours), key=str)


def test_webdataset_reads_archives(exported: Exported) -> None:
    webdataset = needs("webdataset")
    folder, files = exported("webdataset")
    (archive,) = folder.glob("*.tar")
    samples = list(webdataset.WebDataset(str(archive), shardshuffle=False))
    assert len(samples) == len(files)
    for sample in samples:
        said = json.loads(sample["json"])
        assert Image.open(io.BytesIO(sample["png"])).size == SIZE
        found = files[said["path"]]
        assert [fields["instance_id"] for fields in said["instances"]] == [i.instance_id for i in found]
        assert [fields.get("geometry") for fields in said["instances"]] == [i.coordinates for i in found]


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_arrow_tables_are_read(exported: Exported, library: str) -> None:
    needs(library)
    folder, files = exported("arrow")
    path = folder / "instances.arrow"
    if library == "polars":
        rows = needs("polars").read_ipc(path).to_dicts()
    else:
        rows = needs("pyarrow.ipc").open_file(path.read_bytes()).read_all().to_pylist()
    for name, found in files.items():
        said = [row for row in rows if row["path"] == name and row["type"] is not None]
        assert [row["instance_id"] for row in said] == [instance.instance_id for instance in found]
        assert [json.loads(row["geometry"] or "null") for row in said] == [i.coordinates for i in found]


YOLO = {
    "detect": ("box", [[1, 2, 10.5, 20.25], [0, 0, 64, 48]]),
    "obb": ("box", [[10, 10, 30, 20, 30]]),
    "segment": ("polygon", [[[[1, 1, 30, 1, 30, 20]]], [[[0, 0, 64, 0, 64, 48, 0, 48, 5, 5]]]]),
    "pose": ("keypoints", [[5, 6, 2, 20, 30, 1], [1, 2, 2, 0, 0, 0]]),
}


@pytest.mark.parametrize("task", YOLO)
def test_yolo_by_the_rules_of_ultralytics(repository: Repository, tmp_path: Path, task: str) -> None:
    kind, shapes = YOLO[task]
    found = [
        {"instance_id": identity(n), "label": ("cat", "dog")[n % 2], "type": kind, "geometry": shape}
        for n, shape in enumerate(shapes)
    ]
    stock(repository, "Main", {"a.png": (picture(1), found), "in/b.png": (picture(2), [])})
    export(repository, ["Main"], tmp_path / "out", format="yolo", everything=True)
    described = _yaml.read((tmp_path / "out/data.yaml").read_bytes())
    assert list(described["names"]) == [str(number) for number in range(len(described["names"]))]
    for split in ("train", "val"):
        assert (tmp_path / "out" / described[split]).is_dir()
    read = {path.name: as_ultralytics(path, described) for path in sorted((tmp_path / "out/images").rglob("*.png"))}
    assert set(read) == {"a.png", "b.png"}
    assert read["b.png"] is None
    rows, segments = read["a.png"]
    assert len(rows) == len(found)
    assert [described["names"][str(int(row[0]))] for row in rows] == [fields["label"] for fields in found]
    drawn = [instance.coordinates for instance in repository["Main"]["a.png"].instances]
    if task == "detect":
        assert np.allclose([corners(row[1:5]) for row in rows], drawn, atol=1e-3)
    if task == "segment":
        assert all(
            np.allclose(points * SIZE, np.reshape(p[0][0], (-1, 2)), atol=1e-3)
            for points, p in zip(segments, drawn, strict=True)
        )
    if task == "obb":
        ring = geometry.polygon_from_box(drawn[0])[0][0]
        assert np.allclose(segments[0] * SIZE, np.reshape(ring, (-1, 2)), atol=1e-3)
    if task == "pose":
        points = np.array([row[5:] for row in rows]).reshape(len(rows), 2, 3)
        assert np.allclose(points * (*SIZE, 1), np.reshape(drawn, (len(rows), 2, 3)), atol=1e-3)


def corners(centred: Any) -> list[float]:
    x, y, width, height = np.array(centred) * (*SIZE, *SIZE)
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def as_ultralytics(image: Path, described: dict[str, Any]) -> tuple[Any, list[Any]] | None:
    """The rows of a picture's labels as its trainer takes them; None where it has no label file.

    The label file is where the last `/images/` of the path is `/labels/`. Rows are split at white space. With keypoints
    every row has five columns and those of `kpt_shape`. Else, if any row has more than six columns, all are outlines: a
    class and pairs of coordinates, of which boxes are made; and if none has, every row has five. Coordinates lie in
    0..1, and classes below the number of names. Repeated rows are thrown away.

    Source: `verify_image_label` in `ultralytics/data/utils.py`, and its pages on data set formats.
    """
    before, _, behind = str(image).rpartition(f"{os.sep}images{os.sep}")
    place = Path(before, "labels", behind).with_suffix(".txt")
    if not place.exists():
        return None
    rows = [line.split() for line in place.read_text().strip().splitlines() if line]
    shape = [int(number) for number in described.get("kpt_shape", ())]
    segments: list[Any] = []
    if not shape and any(len(row) > 6 for row in rows):
        segments = [np.array(row[1:], float).reshape(-1, 2) for row in rows]
        boxes = [(*(p.min(axis=0) + p.max(axis=0)) / 2, *np.ptp(p, axis=0)) for p in segments]
        rows = [[row[0], *box] for row, box in zip(rows, boxes, strict=True)]
    labels = np.array(rows, float)
    assert labels.shape[1] == (5 + shape[0] * shape[1] if shape else 5)
    points = labels[:, 5:].reshape(-1, shape[1])[:, :2] if shape else labels[:, 1:]
    assert 0 <= points.min() <= points.max() <= 1
    assert 0 <= labels[:, 0].min() <= labels[:, 0].max() < len(described["names"])
    assert len(np.unique(labels, axis=0)) == len(labels)
    return labels, segments
