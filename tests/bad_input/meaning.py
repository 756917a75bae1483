"""Group E: annotation that says nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bad_input import BAD, Case, put, sources
from tests.bad_input.sources import JSON, text_of
from tests.bad_input.text import FINE, INVALID, files

NUMBERS = {
    "1e308": "1e308",
    "-1e308": "-1e308",
    "1e999": "1e999",
    "an endless exponent": "1e999999999999",
    "5,000 digits": "1" * 5000,
    "true": "true",
    "text": '"12"',
    "null": "null",
    "NaN as text": '"NaN"',
    "a list": "[[1]]",
}
"""E76 and D72: what stands where a coordinate should."""

BOXES: dict[str, dict[str, Any]] = {
    "coco": {"bbox": ["NUM", 2, 10, 12]},
    "datumaro": {"bbox": ["NUM", 2, 10, 12]},
    "diffgram": {"x_min": "NUM"},
    "hf-image-folder": {"bbox": [["NUM", 2, 10, 12]]},
    "label-studio": {"value": {"x": "NUM", "y": 25, "width": 50, "height": 33, "rectanglelabels": ["cat"]}},
    "labelme": {"points": [["NUM", 2], [10, 20]]},
    "supervisely": {"points": {"exterior": [["NUM", 2], [10, 20]], "interior": []}},
    "tdvc-jsonl": {"geometry": ["NUM", 2, 10, 20]},
    "webdataset": {"geometry": ["NUM", 2, 10, 20]},
}
"""A box of each format with a coordinate to put something into."""

WORDS = ("nan", "inf", "-1e308", "1e999999999", "1" * 5000, "0x10", "١٢", "1_000", "true", "1e5")
"""E76: the same in formats that are not JSON."""

TEXTS: dict[str, dict[str, Any]] = {
    "csv": {"listed": (("instance-invalid", "boxes.csv:3"),), "arrives": {"good.png": 1, "bad.png": 0}},
    "cvat": {
        "listed": (("instance-invalid", "annotations.xml: images/bad.png"),),
        "arrives": {"images/good.png": 1, "images/bad.png": 0},
    },
    "mot": {
        "listed": (("instance-invalid", "train/street/gt/gt.txt:2"),),
        "arrives": {"train/street/img1/000001.jpg": 1, "train/street/img1/000002.jpg": 0},
    },
    "pascal-voc": {
        "listed": (("instance-invalid", "Annotations/bad.xml"),),
        "arrives": {"JPEGImages/good.png": 1, "JPEGImages/bad.png": 0},
    },
    "yolo": {
        "listed": (("instance-invalid", "labels/bad.txt:1"),),
        "arrives": {"images/good.png": 1, "images/bad.png": 0},
    },
}


def fine(name: str) -> dict[str, Any]:
    """Both instances arrive."""
    return {"arrives": dict.fromkeys(TEXTS[name]["arrives"], 1)}


def with_word(name: str, root: Path, word: str) -> None:
    """A box with the word for a coordinate."""
    if name == "csv":
        sources.csv(root, f'bad.png,cat,"{word}",2,10,20')
    elif name == "mot":
        sources.mot(root, f"2,1,{word},5,20,30,1,1,1")
    elif name == "yolo":
        sources.yolo(root, f"0 {word} 0.5 0.25 0.25\n")
    elif name == "pascal-voc":
        sources.voc(root, lambda text: text.replace(b"<xmin>1<", f"<xmin>{word}<".encode()))
    else:
        sources.cvat_(
            root,
            lambda text: (
                word.encode().join(text.rsplit(b'xtl="1"', 1)).replace(word.encode(), b'xtl="%b"' % word.encode(), 1)
            ),
        )


def numbers() -> Iterator[Case]:
    for what, number in NUMBERS.items():
        for name, change in BOXES.items():

            def build(root: Path, w: Any = JSON[name], c: Any = change, n: str = number) -> None:
                w(root, lambda text: text.replace(b'"NUM"', n.encode()), c)

            yield Case(f"E76 {what}, {name}", name, build, **INVALID[name])
    for word in WORDS:
        for name, outcome in TEXTS.items():
            if word == "1e5" and name == "mot":
                outcome = fine(name)
            yield Case(f"E76 {word[:12]}, {name}", name, lambda root, n=name, w=word: with_word(n, root, w), **outcome)


SHAPES: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("E77 x1 before x0", "tdvc-jsonl", {"geometry": [10, 2, 1, 20]}, INVALID["tdvc-jsonl"]),
    ("E77 negative width", "coco", {"bbox": [1, 2, -10, 12]}, INVALID["coco"]),
    ("E77 negative height", "datumaro", {"bbox": [1, 2, 10, -12]}, INVALID["datumaro"]),
    ("E77 no area", "coco", {"bbox": [1, 2, 0, 0]}, FINE["coco"]),
    ("E77 corners the other way", "labelme", {"points": [[10, 20], [1, 2]]}, FINE["labelme"]),
    (
        "E77 a box of lists beside an outline",
        "coco",
        {"segmentation": [[1, 1, 9, 1, 9, 9]], "bbox": [[1], 2, 3, 4]},
        FINE["coco"],
    ),
    ("E78 outside by 0.4 px", "coco", {"bbox": [60, 2, 4.4, 12]}, FINE["coco"]),
    ("E78 outside by a lot", "coco", {"bbox": [9e8, 2, 10, 12]}, FINE["coco"]),
    ("E78 beyond all bounds", "coco", {"bbox": [1e9, 2, 10, 12]}, INVALID["coco"]),
    ("E79 no points", "tdvc-jsonl", {"type": "polygon", "geometry": [[[]]]}, INVALID["tdvc-jsonl"]),
    ("E79 one point", "labelme", {"shape_type": "polygon", "points": [[1, 1]]}, INVALID["labelme"]),
    ("E79 two points", "tdvc-jsonl", {"type": "polygon", "geometry": [[[1, 1, 2, 2]]]}, INVALID["tdvc-jsonl"]),
    ("E79 odd count", "tdvc-jsonl", {"type": "polygon", "geometry": [[[1, 1, 2, 2, 3]]]}, INVALID["tdvc-jsonl"]),
    ("E79 odd count", "datumaro", {"type": "polygon", "points": [1, 1, 2, 2, 3, 3, 4]}, INVALID["datumaro"]),
    ("E79 two points, a box beside", "coco", {"segmentation": [[1, 1, 2, 2]]}, FINE["coco"]),
    ("E79 crosses itself", "coco", {"segmentation": [[1, 1, 9, 9, 9, 1, 1, 9]]}, FINE["coco"]),
    ("E79 100,000 points", "coco", {"segmentation": [[n % 64 for n in range(200_000)]]}, FINE["coco"]),
    ("E80 not in threes", "coco", {"keypoints": [1, 2]}, INVALID["coco"]),
    ("E80 visibility 3", "coco", {"keypoints": [1, 2, 3]}, INVALID["coco"]),
    ("E80 visibility 3", "datumaro", {"type": "points", "points": [1, 2], "visibility": [3]}, INVALID["datumaro"]),
    (
        "E82 unknown image",
        "coco",
        {"image_id": 99},
        {"listed": (("record-unreadable", "annotations[1]"),), "arrives": files("", good=1, bad=0)},
    ),
    ("E82 unknown category", "coco", {"category_id": 99}, FINE["coco"] | {"labels": ("cat", "category 99")}),
    ("E82 unknown label", "datumaro", {"label_id": 7}, FINE["datumaro"] | {"labels": ("cat", "label 7")}),
    ("E82 unknown label", "diffgram", {"label_file_id": 7}, FINE["diffgram"] | {"labels": ("cat", "label 7")}),
    ("E82 label of 10 kB", "labelme", {"label": "x" * 10_000}, INVALID["labelme"]),
    ("E82 label with NUL", "labelme", {"label": "a\0b"}, INVALID["labelme"]),
    ("E82 label is empty", "tdvc-jsonl", {"label": ""}, INVALID["tdvc-jsonl"]),
    ("E82 label is a number", "supervisely", {"classTitle": 7}, INVALID["supervisely"]),
    ("E82 label is a script", "labelme", {"label": "<script>alert(1)</script>\x1b[2J"}, FINE["labelme"]),
    ("E82 label is a formula", "labelme", {"label": "=cmd()"}, FINE["labelme"] | {"labels": ("=cmd()", "cat")}),
    ("E82 label turns around", "labelme", {"label": "a\u202eb 🦊"}, FINE["labelme"]),
    ("E86 category 0", "coco", {"category_id": 0}, FINE["coco"]),
    ("E86 category -1", "coco", {"category_id": -1}, FINE["coco"]),
    ("E86 category 2^40", "coco", {"category_id": 2**40}, FINE["coco"]),
    ("E86 category 2^80", "coco", {"category_id": 2**80}, FINE["coco"]),
    ("E89 points as text", "labelme", {"points": "1,2,3"}, INVALID["labelme"]),
    (
        "E83 bitmap is no base64",
        "supervisely",
        {"geometryType": "bitmap", "bitmap": {"data": "!", "origin": [0, 0]}},
        INVALID["supervisely"],
    ),
    (
        "E83 bitmap is no picture",
        "supervisely",
        {"geometryType": "bitmap", "bitmap": {"data": "eJxLAAAAQgBC", "origin": [0, 0]}},
        INVALID["supervisely"],
    ),
    (
        "E89 mask is no picture",
        "labelme",
        {"shape_type": "mask", "points": [[0, 0], [9, 9]], "mask": "AAAA"},
        INVALID["labelme"],
    ),
)
"""E77 to E89: instances, by what replaces the fields of a box."""

RLE: dict[str, dict[str, Any]] = {
    "2^31 x 2^31": {"counts": "0O", "size": [2**31, 2**31]},
    "0 x 0": {"counts": "0", "size": [0, 0]},
    "negative size": {"counts": "0O", "size": [-1, -5]},
    "65,535 x 65,535 short": {"counts": "0O", "size": [65535, 65535]},
    "three sides": {"counts": "a", "size": [1, 2, 3]},
    "sides are text": {"counts": "a", "size": "ab"},
    "sides beyond all": {"counts": "a", "size": [1e300, 1e300]},
    "no end": {"counts": "oooooooooooo", "size": [48, 64]},
    "not ASCII": {"counts": "é0", "size": [48, 64]},
    "not encoded": {"counts": "\x7f", "size": [48, 64]},
    "no counts": {"counts": None, "size": [48, 64]},
    "empty": {"counts": "", "size": [48, 64]},
}
"""E83: run lengths that do not fit; of all formats that know them."""

LISTED_RLE: dict[str, dict[str, Any]] = {
    "runs exceed": {"counts": [10, 10**9], "size": [48, 64]},
    "runs short": {"counts": [10, 10], "size": [48, 64]},
    "runs negative": {"counts": [-5, 3077], "size": [48, 64]},
    "runs of halves": {"counts": [1.5, 3070.5], "size": [48, 64]},
    "runs of text": {"counts": ["a"], "size": [48, 64]},
}
"""The same, as COCO writes them for crowds."""

BRUSHES = {
    "short": [0, 0, 48, 0],
    "of another picture": [255] * 8,
    "no runs": [0, 0, 48, 0, 59, 0, 1],
    "negative": [-1],
    "beyond a byte": [300],
    "halves": [0.5],
    "text": ["a"],
}

CVAT_MASKS = {
    "runs exceed": 'rle="1, 99999999" left="0" top="0" width="10" height="10"',
    "runs negative": 'rle="-5, 105" left="0" top="0" width="10" height="10"',
    "runs are text": 'rle="a" left="0" top="0" width="10" height="10"',
    "a run of 5,000 digits": f'rle="{"1" * 5000}" left="0" top="0" width="10" height="10"',
    "box of 99,999,999": 'rle="5" left="0" top="0" width="99999999" height="99999999"',
    "box of 65,535": 'rle="4294836225" left="0" top="0" width="65535" height="65535"',
    "box is negative": 'rle="5" left="0" top="0" width="-1" height="-5"',
    "outside the picture": 'rle="0, 100" left="60" top="40" width="10" height="10"',
}


def shapes() -> Iterator[Case]:
    for what, name, change, outcome in SHAPES:
        yield Case(f"{what}, {name}", name, lambda root, w=JSON[name], c=change: w(root, change=c), **outcome)
    for what, rle in RLE.items():
        changes = {
            "coco": ({"segmentation": rle, "iscrowd": 1}, FINE["coco"]),  # its box is beside it, and arrives instead
            "datumaro": ({"type": "mask", "rle": rle}, INVALID["datumaro"]),
            "tdvc-jsonl": ({"type": "mask", "geometry": rle}, INVALID["tdvc-jsonl"]),
        }
        for name, (change, outcome) in changes.items():
            yield Case(f"E83 {what}, {name}", name, lambda root, w=JSON[name], c=change: w(root, change=c), **outcome)
    for what, rle in LISTED_RLE.items():
        crowd = {"segmentation": rle, "iscrowd": 1}
        yield Case(f"E83 {what}, coco", "coco", lambda root, c=crowd: sources.coco(root, change=c), **FINE["coco"])
    for what, rle in BRUSHES.items():
        brush = {"type": "brushlabels", "value": {"format": "rle", "rle": rle, "brushlabels": ["cat"]}}
        yield Case(
            f"E83 {what}, label-studio",
            "label-studio",
            lambda root, c=brush: sources.label_studio_(root, change=c),
            **INVALID["label-studio"],
        )
    for what, attributes in CVAT_MASKS.items():
        mask = f'<mask label="cat" source="manual" occluded="0" {attributes}/>'
        outcome = TEXTS["cvat"] | {"arrives": {"images/good.png": 1, "images/bad.png": 1}}
        yield Case(f"E83 {what}, cvat", "cvat", lambda root, m=mask: in_last_image(root, m), **outcome)


def in_last_image(root: Path, shape: str) -> None:
    sources.cvat_(
        root,
        lambda text: f"{shape}</image></annotations>".join(text.decode().rsplit("</image></annotations>", 1)).encode(),
    )


def pairs(root: Path, *same: dict[str, Any], **parts: Any) -> None:
    """A COCO file with parts replaced."""

    def spoil(text: bytes) -> bytes:
        document = json.loads(text)
        for part, change in parts.items():
            document[part] = change(document[part])
        return text_of(document)

    sources.coco(root, spoil)


DOUBLES: tuple[tuple[str, Any, dict[str, Any]], ...] = (
    (
        "image id",
        {"images": lambda held: [held[0], held[1] | {"id": 1}]},
        {
            "listed": (("duplicate-path", "coco.json: images[1]"), ("record-unreadable", "annotations[1]")),
            "arrives": {"good.png": 1},
        },
    ),
    (
        "file name",
        {"images": lambda held: [held[0], held[1] | {"file_name": "good.png"}]},
        {"listed": (("duplicate-path", "good.png"),), "arrives": {"good.png": 1}},
    ),
    (
        "annotation id",
        {"annotations": lambda held: [held[0], held[1] | {"id": 1, "image_id": 1}]},
        {"listed": (("duplicate-instance", "good.png"),), "arrives": {"good.png": 1, "bad.png": 0}},
    ),
    ("category", {"categories": lambda held: held * 2}, FINE["coco"]),
    ("category of another name", {"categories": lambda held: [*held, {"id": 1, "name": "dog"}]}, FINE["coco"]),
)
"""E81: what must be there once is there twice."""


def doubles() -> Iterator[Case]:
    for what, parts, outcome in DOUBLES:
        yield Case(f"E81 {what} twice, coco", "coco", lambda root, p=parts: pairs(root, **p), **outcome)


def size_differs(root: Path) -> None:
    sources.coco(root, width=1, height=1)


def picture_gone(root: Path) -> None:
    sources.coco(root)
    (root / "bad.png").unlink()


def embedded(data: str) -> Any:
    def build(root: Path) -> None:
        sources.labelme_(root, imageData=data)
        (root / "bad.png").unlink()

    return build


def unnamed(root: Path) -> None:
    sources.coco(root)
    put(root / "third.png", BAD)


def odd_class(root: Path) -> None:
    sources.supervisely(root)
    put(root / "meta.json", text_of({"classes": [{"title": "cat", "shape": [1]}], "tags": []}))


OTHERS = (
    Case("E86 the shape of a class is a list, supervisely", "supervisely", odd_class, **FINE["supervisely"]),
    Case("E84 another size than the picture, coco", "coco", size_differs, **FINE["coco"]),
    Case(
        "E84 a size beyond all, coco",
        "coco",
        lambda root: sources.coco(root, width=2**80, height=1e308),
        **FINE["coco"],
    ),
    Case(
        "E85 the picture is gone, coco",
        "coco",
        picture_gone,
        listed=(("picture-missing", "bad.png"),),
        arrives={"good.png": 1},
    ),
    Case("E85 a picture that nobody names, coco", "coco", unnamed, **FINE["coco"]),
    Case(
        "E89 imageData of 100 MB, labelme",
        "labelme",
        embedded("A" * (100 << 20)),
        listed=(("picture-missing", "bad"),),
        arrives={"good.png": 1},
        bomb=True,
    ),
    Case(
        "E89 imageData is no base64, labelme",
        "labelme",
        embedded("!!!"),
        listed=(("picture-missing", "bad"),),
        arrives={"good.png": 1},
    ),
)


def cases() -> Iterator[Case]:
    yield from numbers()
    yield from shapes()
    yield from doubles()
    yield from OTHERS
