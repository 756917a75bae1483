"""Write a COCO file of many polygons, the same file with some pictures edited, and small pictures for both.

    polygons.py FOLDER --images 100000 [--each 9] [--seed 1]

    FOLDER/pictures/000000000001.jpg ...                     all of one colour, of the size that the file says
    FOLDER/first/annotations/instances_train.json
    FOLDER/second/annotations/instances_train.json           one picture of a hundred edited
    FOLDER/edits.json                                        [picture, what was done, COCO id] of every edited instance

The polygons have the statistics of COCO's own training file: some twenty vertices with two decimals, one object of nine
in two parts, one of ninety a crowd given as run lengths, ids in no order. In each edited picture one instance is moved,
one gets another category, one goes and one comes.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

WIDTHS, HEIGHTS = (640, 640, 640, 480, 500, 427), (480, 480, 427, 640, 375, 333)
CATEGORIES = 80
IN_TWO_PARTS, CROWDS = 9, 90  # one of so many
EDITED = 100  # one picture of so many
SHIFT = 1.25  # px, of what is moved

Annotation = dict[str, Any]


def images(count: int, dice: np.random.Generator) -> list[dict[str, Any]]:
    """The records of the pictures, which say their sizes."""
    sizes = zip(dice.choice(WIDTHS, count).tolist(), dice.choice(HEIGHTS, count).tolist(), strict=True)
    return [
        {
            "license": number % 8 + 1,
            "file_name": f"{number:012d}.jpg",
            "coco_url": f"http://images.example.org/{number:012d}.jpg",
            "height": height,
            "width": width,
            "date_captured": "2013-11-14 17:02:52",
            "id": number,
        }
        for number, (width, height) in enumerate(sizes, 1)
    ]


def annotations(pictures: list[dict[str, Any]], each: int, dice: np.random.Generator) -> Iterator[list[Annotation]]:
    """The records of every picture in turn."""
    total = len(pictures) * each
    ids = iter((dice.permutation(total) * 2 + 2).tolist())
    for first in range(0, total, each):
        picture = pictures[first // each]
        yield [annotation(first + at, next(ids), picture, dice) for at in range(each)]


def annotation(number: int, identity: int, picture: dict[str, Any], dice: np.random.Generator) -> Annotation:
    """A star-shaped outline somewhere in the picture, or a crowd."""
    width, height = picture["width"], picture["height"]
    extent = np.exp(dice.normal(4, 0.9, 2)).clip(4, (width - 2, height - 2)).round(2)
    corner = (dice.random(2) * ((width, height) - extent)).round(2)
    vertices = int(np.exp(dice.normal(2.95, 0.62)).clip(4, 150))
    angles = np.arange(vertices) / vertices * 2 * np.pi
    reach = 0.35 + 0.15 * dice.random(vertices)
    outline = np.stack((np.cos(angles), np.sin(angles)), axis=1) * reach[:, None]
    drawn = (corner + extent * (0.5 + outline)).round(2)
    points = drawn.ravel().tolist()
    crowd = number % CROWDS == CROWDS - 1
    middle = len(points) // 4 * 2
    parts = [points[:middle], points[middle:]] if number % IN_TWO_PARTS == 0 and middle >= 6 else [points]
    return {
        "segmentation": run_lengths(width, height, vertices) if crowd else parts,
        "area": round(float(extent.prod()) * 0.6, 4),
        "iscrowd": int(crowd),
        "image_id": picture["id"],
        "bbox": [*drawn.min(axis=0).tolist(), *np.ptp(drawn, axis=0).round(2).tolist()],
        "category_id": min(int(dice.zipf(1.3)), CATEGORIES),
        "id": identity,
    }


def run_lengths(width: int, height: int, runs: int) -> dict[str, Any]:
    """A mask of short vertical runs, uncompressed."""
    counts = [width * height // 3, *(8 for _ in range(2 * (runs // 2)))]
    return {"counts": [*counts, width * height - sum(counts)], "size": [height, width]}


def edited(before: list[Annotation], identity: int) -> tuple[list[Annotation], list[tuple[str, int]]]:
    """The records of an edited picture, and what was done to which id."""
    moved, relabelled, removed, *rest = sorted(before, key=lambda record: record["iscrowd"])
    x, *others = moved["bbox"]
    moved = {**moved, "bbox": [round(x + SHIFT, 2), *others], "segmentation": shifted(moved["segmentation"])}
    relabelled = {**relabelled, "category_id": relabelled["category_id"] % CATEGORIES + 1}
    added = {**removed, "id": identity, "bbox": moved["bbox"], "segmentation": shifted(moved["segmentation"])}
    edits = [("moved", moved["id"]), ("relabelled", relabelled["id"]), ("removed", removed["id"]), ("added", identity)]
    return [moved, relabelled, *rest, added], edits


def shifted(parts: list[list[float]]) -> list[list[float]]:
    """An outline moved to the right."""
    return [[round(value + SHIFT, 2) if at % 2 == 0 else value for at, value in enumerate(part)] for part in parts]


class Writer:
    """A COCO file, written as its records come."""

    def __init__(self, path: Path, pictures: list[dict[str, Any]]) -> None:
        path.parent.mkdir(parents=True)
        self._file = path.open("wb")
        categories = [
            {"supercategory": f"group {number % 12}", "id": number, "name": f"category {number:02d}"}
            for number in range(1, CATEGORIES + 1)
        ]
        head = {"info": {"description": "polygons"}, "categories": categories, "images": pictures}
        self._file.write(msgspec.json.encode(head)[:-1] + b',"annotations":[')
        self._between = b""

    def add(self, records: list[Annotation]) -> None:
        """Some more annotations."""
        for record in records:
            self._file.write(self._between + msgspec.json.encode(record))
            self._between = b","

    def close(self) -> None:
        """The end of the file."""
        self._file.write(b"]}")
        self._file.close()


def draw(folder: Path, pictures: list[dict[str, Any]]) -> None:
    """Small pictures of the right sizes; a comment with the name makes each one different."""
    folder.mkdir(parents=True)
    plain: dict[tuple[int, int], bytes] = {}
    for picture in pictures:
        size = picture["width"], picture["height"]
        if size not in plain:
            encoded = io.BytesIO()
            Image.new("L", size).save(encoded, "JPEG", optimize=True)
            plain[size] = encoded.getvalue()
        comment = picture["file_name"].encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (folder / picture["file_name"]).write_bytes(plain[size][:2] + segment + plain[size][2:])


def main() -> None:
    """Read the arguments and write everything."""
    parser = argparse.ArgumentParser(description="Write a large COCO file, an edited copy and small pictures.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, required=True, help="how many pictures")
    parser.add_argument("--each", type=int, default=9, help="annotations of a picture, at least 4")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives another file")
    options = parser.parse_args()
    dice = np.random.default_rng(options.seed)
    pictures = images(options.images, dice)
    draw(options.folder / "pictures", pictures)
    chosen = {int(at) for at in dice.choice(len(pictures), max(1, len(pictures) // EDITED), replace=False)}
    name = Path("annotations") / "instances_train.json"
    first, second = (Writer(options.folder / version / name, pictures) for version in ("first", "second"))
    for version in ("first", "second"):
        (options.folder / version / "images" / "train").mkdir(parents=True)  # some tools insist on it
    edits: list[tuple[str, str, int]] = []
    for at, records in enumerate(annotations(pictures, options.each, dice)):
        first.add(records)
        if at in chosen:
            records, done = edited(records, 2 * at + 1)
            edits += [(pictures[at]["file_name"], *edit) for edit in done]
        second.add(records)
    first.close()
    second.close()
    (options.folder / "edits.json").write_text(json.dumps(edits))


if __name__ == "__main__":
    main()
