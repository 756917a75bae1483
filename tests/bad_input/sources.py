"""A small source of every format with two records: one good, and one into which something bad is put.

Each makes `good.png` with one box of a cat, and `bad.png` with what the caller says: fields that replace the box's own
(`change`), or a rewriting of the text of the bad record (`spoil`), which for formats of one document is the whole
document. The text holds `"MARK"` once, as a value that no format understands.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bad_input import BAD, GOOD, put, tar
from tests.contracts.samples import cvat, label_studio, labelme, pascal_voc

Spoil = Callable[[bytes], bytes]


def same(text: bytes) -> bytes:
    return text


def text_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def pictures(root: Path, good: str = "good.png", bad: str = "bad.png") -> None:
    put(root / good, GOOD)
    put(root / bad, BAD)


def coco(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **image: Any) -> None:
    pictures(root)
    box = {"category_id": 1, "bbox": [1, 2, 10, 12]}
    document = {
        "images": [
            {"id": 1, "file_name": "good.png", "width": 64, "height": 48},
            {"id": 2, "file_name": "bad.png", "width": 64, "height": 48} | image,
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 1} | box,
            {"id": 2, "image_id": 2} | box | {"note": "MARK"} | (change or {}),
        ],
    }
    put(root / "coco.json", spoil(text_of(document)))


def datumaro(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **item: Any) -> None:
    pictures(root, "images/default/good.png", "images/default/bad.png")
    box = {"type": "bbox", "label_id": 0, "bbox": [1, 2, 10, 12], "attributes": {}}
    document = {
        "infos": {},
        "categories": {"label": {"labels": [{"name": "cat", "parent": "", "attributes": []}]}},
        "items": [
            {"id": "good", "annotations": [box], "image": {"path": "good.png", "size": [48, 64]}},
            {"id": "bad", "annotations": [box | {"note": "MARK"} | (change or {})], "image": {"path": "bad.png"}}
            | item,
        ],
    }
    put(root / "annotations/default.json", spoil(text_of(document)))


def diffgram(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **file: Any) -> None:
    pictures(root)
    box = {"type": "box", "label_file_id": 12, "x_min": 1, "y_min": 2, "x_max": 10, "y_max": 20}
    image = {"width": 64, "height": 48}
    document = {
        "readme": {},
        "label_map": {"12": "cat"},
        "export_info": {},
        "901": {"file": {"original_filename": "good.png"}, "image": image, "instance_list": [box]},
        "902": {
            "file": {"original_filename": "bad.png"} | file,
            "image": image,
            "instance_list": [box | {"note": "MARK"} | (change or {})],
        },
    }
    put(root / "export.json", spoil(text_of(document)))


def labelme_(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **fields: Any) -> None:
    pictures(root)
    box = labelme.shape("cat", "rectangle", (1, 2), (10, 20))
    put(root / "good.json", text_of(labelme.document("good.png", box)))
    bad = labelme.document("bad.png", box | {"note": "MARK"} | (change or {})) | fields
    put(root / "bad.json", spoil(text_of(bad)))


def label_studio_(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **value: Any) -> None:
    pictures(root)
    bad = label_studio.box(identity="r2") | {"note": "MARK"} | (change or {})
    bad["value"] = bad["value"] | value
    tasks = [label_studio.task("good.png", label_studio.box()), label_studio.task("bad.png", bad)]
    put(root / "tasks.json", spoil(text_of(tasks)))


def supervisely(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **fields: Any) -> None:
    pictures(root, "set/img/good.png", "set/img/bad.png")
    box = {"classTitle": "cat", "geometryType": "rectangle", "points": {"exterior": [[1, 2], [10, 20]], "interior": []}}
    document = {"size": {"width": 64, "height": 48}, "tags": []}
    put(root / "meta.json", text_of({"classes": [{"title": "cat", "shape": "rectangle"}], "tags": []}))
    put(root / "set/ann/good.png.json", text_of(document | {"objects": [box]}))
    bad = document | {"objects": [box | {"note": "MARK"} | (change or {})]} | fields
    put(root / "set/ann/bad.png.json", spoil(text_of(bad)))


def tdvc_jsonl(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **fields: Any) -> None:
    pictures(root)
    box = {"label": "cat", "type": "box", "geometry": [1, 2, 10, 20]}
    bad = {"path": "bad.png", "instances": [box | {"properties": {"note": "MARK"}} | (change or {})]} | fields
    lines = [spoil(text_of(bad)), text_of({"path": "good.png", "instances": [box]})]
    put(root / "instances.jsonl", b"\n".join(lines) + b"\n")


def hf_image_folder(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **fields: Any) -> None:
    pictures(root)
    box = {"bbox": [[1, 2, 10, 12]], "categories": ["cat"]}
    bad = {"file_name": "bad.png", "objects": box | {"note": ["MARK"]} | (change or {})} | fields
    lines = [spoil(text_of(bad)), text_of({"file_name": "good.png", "objects": box})]
    put(root / "metadata.jsonl", b"\n".join(lines) + b"\n")


def webdataset_(root: Path, spoil: Spoil = same, change: dict[str, Any] | None = None, **fields: Any) -> None:
    pictures(root)
    box = {"label": "cat", "type": "box", "geometry": [1, 2, 10, 20]}
    bad = {"path": "bad.png", "instances": [box | {"properties": {"note": "MARK"}} | (change or {})]} | fields
    good = {"path": "good.png", "instances": [box]}
    put(root / "data-00000.tar", tar({"good.json": text_of(good), "bad.json": spoil(text_of(bad))}))


def voc(root: Path, spoil: Spoil = same, name: str = "bad.png") -> None:
    pictures(root, "JPEGImages/good.png", "JPEGImages/bad.png")
    put(root / "Annotations/good.xml", pascal_voc.voc_text("good.png", "cat"))
    put(root / "Annotations/bad.xml", spoil(pascal_voc.voc_text(name, "cat").encode()))


def cvat_(root: Path, spoil: Spoil = same, name: str = "bad.png") -> None:
    pictures(root, "images/good.png", "images/bad.png")
    shapes = [cvat.image(file, cvat.BOX.format("cat", "")) for file in ("good.png", name)]
    put(root / "annotations.xml", spoil(cvat.cvat_text(*shapes).encode()))


def csv(root: Path, row: str | bytes, spoil: Spoil = same) -> None:
    pictures(root)
    row = row.encode() if isinstance(row, str) else row
    text = b"filename,class,xmin,ymin,xmax,ymax\ngood.png,cat,1,2,10,20\n" + row + b"\n"
    put(root / "boxes.csv", spoil(text))


def yolo(root: Path, row: str | bytes, description: str = "names: [cat, dog]\ntrain: images\nval: images\n") -> None:
    pictures(root, "images/good.png", "images/bad.png")
    put(root / "labels/good.txt", "0 0.5 0.5 0.25 0.25\n")
    put(root / "labels/bad.txt", row)
    put(root / "data.yaml", description)


def mot(root: Path, row: str) -> None:
    for frame in (1, 2):
        put(root / f"train/street/img1/{frame:06d}.jpg", GOOD)
    put(root / "train/street/gt/gt.txt", f"1,1,10,5.5,20,30.25,1,1,1\n{row}\n")


JSON: dict[str, Callable[..., None]] = {
    "coco": coco,
    "datumaro": datumaro,
    "diffgram": diffgram,
    "hf-image-folder": hf_image_folder,
    "label-studio": label_studio_,
    "labelme": labelme_,
    "supervisely": supervisely,
    "tdvc-jsonl": tdvc_jsonl,
    "webdataset": webdataset_,
}
"""The formats that are JSON."""
