"""A file of somebody else's, imported and exported again in its own format, says the same as before.

Each original is generated with the traps that real ones have. What is compared is what the format's own people would
compare: numbers by value, records without regard to their order where the format gives none, and nothing of what tdvc
adds. `said_by` is that comparison; it reads the original and the export with nothing of tdvc's readers.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tdvc.formats import _rle_pack
from tdvc.model import masks
from tdvc.ops.directories import create_directory
from tdvc.ops.exporting import export
from tdvc.ops.importing import import_
from tdvc.repo.repository import Repository
from tests.contracts.samples import label_studio, put
from tests.contracts.samples.labelme import document, shape

SIZE = (64, 48)


def picture(shade: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", SIZE, shade).save(content, "PNG")
    return content.getvalue()


def pictures(root: Path, *names: str) -> None:
    for number, name in enumerate(names):
        put(root / name, picture(number))


def there_and_back(repository: Repository, source: Path, folder: Path, format_: str) -> Path:
    """Import, and export what arrived; nothing may be left out on either way."""
    came = import_(repository, source, format=format_)
    assert [problem for problem in came.problems if problem.severity == "error"] == []
    assert "nothing left out" in came.sentence
    went = export(repository, ["Main"], folder, format=format_, everything=True)
    assert [problem for problem in went.problems if problem.severity == "error"] == []
    return folder


def said_by(format_: str, folder: Path) -> Any:
    """What a folder says, in the words of its format."""
    return SAID[format_](folder)


def voc(folder: Path) -> Any:
    said = {}
    for place in folder.rglob("*.xml"):
        root = ElementTree.parse(place).getroot()
        said[root.findtext("filename")] = [
            {
                "label": node.findtext("name"),
                "box": [float(node.findtext(f"bndbox/{corner}", "")) for corner in ("xmin", "ymin", "xmax", "ymax")],
                **{tag: node.findtext(tag) for tag in ("pose", "truncated", "difficult")},
            }
            for node in root.iter("object")
        ]
    return said


def yolo(folder: Path) -> Any:
    """Rows by picture: None where there is no label file. Ids of classes are compared as they are."""
    said: dict[str, Any] = {}
    for image in (folder / "images").rglob("*.png"):
        place = folder / "labels" / image.relative_to(folder / "images").with_suffix(".txt")
        rows = place.read_text().splitlines() if place.exists() else None
        said[image.name] = None if rows is None else [[float(word) for word in row.split()] for row in rows if row]
    return said


def labelme(folder: Path) -> Any:
    return {
        Path(said["imagePath"]).name: {
            "flags": said["flags"],
            "shapes": [{key: value for key, value in item.items() if key != "tdvc"} for item in said["shapes"]],
            "size": [said["imageWidth"], said["imageHeight"]],
        }
        for said in (json.loads(place.read_text()) for place in folder.rglob("*.json"))
    }


def label_studio_(folder: Path) -> Any:
    said = {}
    for place in folder.glob("*.json"):
        for task in json.loads(place.read_text()):
            groups = [(group, "annotation") for group in task["annotations"]]
            groups += [(group, "prediction") for group in task.get("predictions", [])]
            said[Path(task["data"]["image"]).name] = [
                (kind, group.get("completed_by"), group.get("model_version"), list(map(result_of, group["result"])))
                for group, kind in groups
            ]
    return said


def result_of(result: dict[str, Any]) -> Any:
    """What a result draws, its run lengths as the mask that they stand for."""
    value = dict(result["value"])
    if "rle" in value:
        size = result["original_width"], result["original_height"]
        value["rle"] = _rle_pack.unpack(bytes(value["rle"]), *size).tolist()
    return {key: result[key] for key in ("id", "type", "original_width", "original_height")} | {"value": value}


def coco(folder: Path) -> Any:
    (place,) = folder.rglob("*.json")
    said = json.loads(place.read_text())
    names = {image["id"]: Path(image["file_name"]).name for image in said["images"]}
    classes = {category["id"]: category for category in said["categories"]}
    annotations = {}
    for found in said["annotations"]:
        kept = {key: value for key, value in found.items() if key not in ("image_id", "category_id", "instance_id")}
        kept.pop("source", None)
        kept["segmentation"] = mask_of(kept.get("segmentation"))
        annotations[found["id"]] = (names[found["image_id"]], classes[found["category_id"]]["name"], kept)
    images = {name: next(i for i in said["images"] if i["id"] == identity) for identity, name in names.items()}
    kept_images = {name: {k: v for k, v in image.items() if k != "file_name"} for name, image in images.items()}
    return annotations, kept_images, classes


def mask_of(segmentation: Any) -> Any:
    """Run lengths of both kinds as the pixels that they stand for; outlines as they are."""
    if not isinstance(segmentation, dict):
        return segmentation or []
    height, width = segmentation["size"]
    counts = segmentation["counts"]
    mask = masks.from_runs(counts, height, width) if isinstance(counts, list) else segmentation
    return masks.decode_rle(mask).tolist()


SAID: dict[str, Callable[[Path], Any]] = {
    "coco": coco,
    "label-studio": label_studio_,
    "labelme": labelme,
    "pascal-voc": voc,
    "yolo": yolo,
}

BOXES = {
    "cells/a.png": [("WBC", 1, 2, 30, 40), ("RBC", 0, 0, 64, 48), ("RBC", 5, 6, 5, 9)],
    "cells/b.png": [("Platelets", 10, 11, 12, 13), ("RBC", 10, 11, 12, 13), ("RBC", 10, 11, 12, 13)],
    "cells/c.png": [],
}
"""With a box of no area, two that are the same, and a picture without any."""


def write_voc(root: Path) -> None:
    pictures(root / "JPEGImages", *(Path(path).name for path in BOXES))
    for path, boxes in BOXES.items():
        objects = "".join(
            f"<object><name>{label}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>1</difficult>"
            f"<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
            for label, x0, y0, x1, y1 in boxes
        )
        size = "<size><width>64</width><height>48</height><depth>3</depth></size>"
        text = f"<annotation><filename>{Path(path).name}</filename>{size}<segmented>0</segmented>{objects}</annotation>"
        put(root / "Annotations" / Path(path).with_suffix(".xml").name, text)


def write_csv(root: Path) -> None:
    """The same boxes, the columns in another order and the rows in one of their own."""
    pictures(root, *(Path(path).name for path in BOXES))
    rows = [
        (Path(path).name, label, x0, x1, y0, y1) for path, found in BOXES.items() for label, x0, y0, x1, y1 in found
    ]
    with (root / "cells.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("filename", "cell_type", "xmin", "xmax", "ymin", "ymax"), *reversed(rows)])


def test_voc_and_a_table_of_the_same_boxes_are_the_same(repository: Repository, tmp_path: Path) -> None:
    write_voc(tmp_path / "voc")
    write_csv(tmp_path / "csv")
    create_directory(repository, "Table")
    import_(repository, tmp_path / "voc", format="pascal-voc")
    import_(repository, tmp_path / "csv", "Table", format="csv")
    said = [
        {
            Path(file.path).name: sorted((i.label, i.type, tuple(i.coordinates)) for i in file.instances)
            for file in repository[directory]
        }
        for directory in ("Main", "Table")
    ]
    assert said[0] == said[1]
    assert sum(map(len, said[0].values())) == sum(map(len, BOXES.values()))


def test_voc(repository: Repository, tmp_path: Path) -> None:
    write_voc(tmp_path / "voc")
    back = there_and_back(repository, tmp_path / "voc", tmp_path / "back", "pascal-voc")
    assert said_by("pascal-voc", back) == said_by("pascal-voc", tmp_path / "voc")


PRIMITIVES = [
    shape("a", "rectangle", (30.5, 40.25), (1, 2), group_id=3, flags={"hidden": True}),
    shape("a", "polygon", (1, 1), (20, 1.125), (9, 30), description="odd"),
    shape("b", "circle", (30, 20), (35, 24)),
    shape("b", "line", (1, 2), (3, 4)),
    shape("a", "linestrip", (1, 2), (3, 4), (5, 4.5)),
    shape("c", "point", (7.75, 8)),
    shape("c", "points", (7.75, 8), (9, 10)),
    shape("c", "oriented_rectangle", (10, 10), (30, 10), (30, 20), (10, 20)),
]


def test_labelme_with_every_primitive(repository: Repository, tmp_path: Path) -> None:
    root = tmp_path / "labelme"
    pictures(root, "a.png", "in/b.png", "bare.png")
    sides = {"imageWidth": 64, "imageHeight": 48}
    known = [item for item in PRIMITIVES if item["shape_type"] != "oriented_rectangle"]
    put(root / "a.json", json.dumps(document("a.png", *known, flags={"night": True, "day": False}, **sides)))
    put(root / "in/b.json", json.dumps(document("b.png", *reversed(known), **sides)))
    back = there_and_back(repository, root, tmp_path / "back", "labelme")
    before, after = said_by("labelme", root), said_by("labelme", back)
    assert after.keys() - before.keys() <= {"bare.png"}
    for name, said in before.items():
        assert after[name]["flags"] == said["flags"]
        assert after[name]["size"] == said["size"]
        assert by_content(after[name]["shapes"]) == by_content(said["shapes"])


def by_content(shapes: list[dict[str, Any]]) -> list[Any]:
    """Shapes in no order, without what is nothing."""
    empty = (None, "", {}, [])
    return sorted(json.dumps({k: v for k, v in item.items() if v not in empty}, sort_keys=True) for item in shapes)


def test_label_studio_with_two_annotators(repository: Repository, tmp_path: Path) -> None:
    root = tmp_path / "tasks"
    pictures(root, "a.png", "b.png")
    brush = np.zeros((SIZE[1], SIZE[0]), bool)
    brush[5:20, 10:30] = True
    results = [
        label_studio.result("rectangle", "cat", "r1", x=12.500000001, y=1 / 3, width=100 / 7, height=0.1, rotation=0),
        label_studio.box("cat", "r2", rotation=341.7),
        label_studio.result("polygon", "dog", "r3", points=[[1.5, 2], [50, 2.25], [1 / 3, 90]], closed=True),
        label_studio.result("ellipse", "dog", "r4", x=50, y=50, radiusX=10.1, radiusY=5.5, rotation=12),
        label_studio.result("brush", "dog", "r5", format="rle", rle=_rle_pack.pack(brush)),
        label_studio.result("keypoint", "cat", "r6", x=1.1, y=2.2, width=0.35),
    ]
    two = [{"id": 7, "completed_by": who, "result": list(some)} for who, some in ((1, results), (2, results[1:4]))]
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": two}
    task["predictions"] = [{"model_version": "v2", "score": 0.75, "result": results[:1]}]
    tasks = [task, {"id": 2, "data": {"image": "b.png"}, "annotations": [{"completed_by": 2, "result": []}]}]
    put(root / "tasks.json", json.dumps(tasks))
    back = there_and_back(repository, root, tmp_path / "back", "label-studio")
    before, after = said_by("label-studio", root), said_by("label-studio", back)
    assert after.keys() == before.keys()
    for name, groups in before.items():
        assert [(kind, who, model) for kind, who, model, _ in after[name]] == [(k, w, m) for k, w, m, _ in groups]
        for (*_, ours), (*_, theirs) in zip(after[name], groups, strict=True):
            assert {item["id"]: drawn(item) for item in ours} == {item["id"]: drawn(item) for item in theirs}


def drawn(result: dict[str, Any]) -> Any:
    """A result without a turn of nothing, which is no turn."""
    value = {key: item for key, item in result["value"].items() if (key, item) != ("rotation", 0)}
    return result | {"value": value}


def test_yolo_with_a_missing_and_an_empty_label_file(repository: Repository, tmp_path: Path) -> None:
    root = tmp_path / "yolo"
    pictures(root / "images", "a.png", "in/b.png", "missing.png", "empty.png")
    put(root / "labels/a.txt", "1 0.5 0.5 0.25 0.3333333333\r\n0 0.148063 0.9 0.1 0.123456789012345678\n")
    put(root / "labels/in/b.txt", "2 0.1 0.2 0.1 0.1")
    put(root / "labels/empty.txt", "")
    put(root / "data.yaml", "names: {0: cat, 1: dog, 2: bird, 3: never}\ntrain: images\nval: images\n")
    back = there_and_back(repository, root, tmp_path / "back", "yolo")
    before, after = said_by("yolo", root), said_by("yolo", back)
    assert before["missing.png"] is None
    assert before["empty.png"] == []
    assert after == before


CROWD = [100, 30, 18, 30, 64 * 48 - 178]


def test_coco_with_parts_crowds_and_gaps(repository: Repository, tmp_path: Path) -> None:
    root = tmp_path / "coco"
    pictures(root, "a.png", "b.png", "none.png")
    compressed = masks.from_runs([200, 40, 64 * 48 - 240], SIZE[1], SIZE[0])
    parts = [[1, 1, 20.50, 1, 20.5, 9], [30, 30.125, 40, 30, 35, 44]]
    common = {"image_id": 7, "iscrowd": 0}
    document_ = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 64, "height": 48, "license": 2, "date_captured": "2026-11-20"},
            {"id": 3, "file_name": "b.png", "width": 64, "height": 48},
            {"id": 900, "file_name": "none.png", "width": 64, "height": 48},
        ],
        "categories": [
            {"id": 18, "name": "dog", "supercategory": "animal"},
            {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
            {"id": 3, "name": "car"},
        ],
        "annotations": [
            {"id": 11, "category_id": 18, "segmentation": parts, "bbox": [1, 1, 39, 43], "area": 148.125} | common,
            {"id": 5, "category_id": 3, "bbox": [1.5, 2, 3.25, 4], "area": 13, "segmentation": [], "mine": {"a": [1]}}
            | common,
            {
                "id": 901000, "image_id": 3, "category_id": 18, "iscrowd": 1, "area": 60, "bbox": [2, 4, 2, 30],
                "segmentation": {"counts": CROWD, "size": [48, 64]},
            },
            {
                "id": 6, "image_id": 3, "category_id": 90, "iscrowd": 0, "area": 40, "bbox": [4, 8, 1, 40],
                "segmentation": compressed,
            },
        ],
    }  # fmt: skip
    put(root / "instances_train.json", json.dumps(document_))
    back = there_and_back(repository, root, tmp_path / "back", "coco")
    assert said_by("coco", back) == said_by("coco", root)


@pytest.mark.parametrize("text", ["0.148063", "1", "1.0", "1.50", "100000000.125", "0.1000000000000000055"])
def test_a_number_leaves_as_it_came(repository: Repository, tmp_path: Path, text: str) -> None:
    root = tmp_path / "coco"
    pictures(root, "a.png")
    put(
        root / "instances_train.json",
        '{"images":[{"id":1,"file_name":"a.png","width":64,"height":48}],"categories":[{"id":1,"name":"a"}],'
        f'"annotations":[{{"id":1,"image_id":1,"category_id":1,"bbox":[{text},2,{text},4],"area":{text}}}]}}',
    )
    back = there_and_back(repository, root, tmp_path / "back", "coco")
    (place,) = back.rglob("*.json")
    (annotation,) = json.loads(place.read_text(), parse_float=str, parse_int=str)["annotations"]
    assert annotation["area"] == text
    assert annotation["bbox"][0] == text
    assert Decimal(annotation["bbox"][2]) == Decimal(text)
