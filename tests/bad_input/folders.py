"""Group B: what stands in a folder in the place of a picture or an annotation file, and names that are odd."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bad_input import BAD, GOOD, Case, put, sources
from tests.bad_input.meaning import fine
from tests.bad_input.text import FINE, REFUSED


def masks(root: Path) -> None:
    for name in ("good.png", "bad.png"):
        put(root / "images" / name, GOOD if name == "good.png" else BAD)
        put(root / "masks" / name, GOOD)


def image_folder(root: Path) -> None:
    put(root / "cat/good.png", GOOD)
    put(root / "cat/bad.png", BAD)


WRITE: dict[str, tuple[Callable[[Path], None], str]] = {
    "coco": (sources.coco, "bad.png"),
    "csv": (lambda root: sources.csv(root, "bad.png,cat,1,2,10,20"), "bad.png"),
    "cvat": (sources.cvat_, "images/bad.png"),
    "datumaro": (sources.datumaro, "images/default/bad.png"),
    "diffgram": (sources.diffgram, "bad.png"),
    "hf-image-folder": (sources.hf_image_folder, "bad.png"),
    "image-folder": (image_folder, "cat/bad.png"),
    "label-studio": (sources.label_studio_, "bad.png"),
    "labelme": (sources.labelme_, "bad.png"),
    "masks-png": (masks, "images/bad.png"),
    "pascal-voc": (sources.voc, "JPEGImages/bad.png"),
    "supervisely": (sources.supervisely, "set/img/bad.png"),
    "tdvc-jsonl": (sources.tdvc_jsonl, "bad.png"),
    "webdataset": (sources.webdataset_, "bad.png"),
    "yolo": (lambda root: sources.yolo(root, "0 0.5 0.5 0.25 0.25\n"), "images/bad.png"),
}
"""A source of each format whose pictures are files, and where its second picture is."""


def pipe(place: Path) -> None:
    os.mkfifo(place)


def link_out(place: Path) -> None:
    place.symlink_to(place.parents[len(place.relative_to(root_of(place)).parts)] / "outside/secret.png")


def root_of(place: Path) -> Path:
    return next(folder for folder in place.parents if folder.name == "source")


def dangling_link(place: Path) -> None:
    place.symlink_to("nowhere.png")


def loop(place: Path) -> None:
    place.symlink_to(place.name)


INSTEAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "B26 a pipe": (pipe, "skipped-special"),
    "B27 a link out": (link_out, "skipped-symlink"),
    "B27 a link to nothing": (dangling_link, "skipped-symlink"),
    "B27 a link to itself": (loop, "skipped-symlink"),
}
"""What a picture can be instead, and the problem of it."""

GOOD_ARRIVES: dict[str, dict[str, int]] = {
    "cvat": {"images/good.png": 1},
    "datumaro": {"images/default/good.png": 1},
    "image-folder": {"cat/good.png": 1},
    "masks-png": {"images/good.png": 1},
    "pascal-voc": {"JPEGImages/good.png": 1},
    "supervisely": {"set/img/good.png": 1},
    "yolo": {"images/good.png": 1},
}
"""The record beside it; `good.png` where nothing else is said."""


def instead(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    write, bad = WRITE[name]

    def build(root: Path) -> None:
        write(root)
        (root / bad).unlink()
        make(root / bad)

    return build


def pictures() -> Iterator[Case]:
    for what, (make, code) in INSTEAD.items():
        for name in WRITE:
            arrives = GOOD_ARRIVES.get(name, {"good.png": 1})
            codes = {"tdvc-jsonl": ("picture-missing",)}.get(name, (code,))
            codes += ("picture-missing",) * (name in ("masks-png", "yolo"))  # and what was annotated has no picture
            yield Case(
                f"{what}, {name}", name, instead(name, make), listed=tuple((c, "") for c in codes), arrives=arrives
            )


ANNOTATION = {
    "coco": "coco.json",
    "csv": "boxes.csv",
    "cvat": "annotations.xml",
    "datumaro": "annotations/default.json",
    "diffgram": "export.json",
    "hf-image-folder": "metadata.jsonl",
    "label-studio": "tasks.json",
    "tdvc-jsonl": "instances.jsonl",
    "webdataset": "data-00000.tar",
}
"""Formats of one file: without it there is nothing to import."""

OF_ONE_PICTURE = {
    "labelme": ("bad.json", FINE["labelme"]["arrives"] | {"bad.png": 0}),
    "pascal-voc": ("Annotations/bad.xml", fine("pascal-voc")["arrives"] | {"JPEGImages/bad.png": 0}),
    "supervisely": ("set/ann/bad.png.json", FINE["supervisely"]["arrives"] | {"set/img/bad.png": 0}),
    "yolo": ("labels/bad.txt", fine("yolo")["arrives"] | {"images/bad.png": 0}),
}
"""Formats of a file a picture: the picture stays without annotation, and the file is a warning."""


def annotations() -> Iterator[Case]:
    for what, (make, _) in INSTEAD.items():
        for name, path in ANNOTATION.items():
            yield Case(f"{what} is the annotation, {name}", name, replaced(name, path, make), **REFUSED)
        for name, (path, arrives) in OF_ONE_PICTURE.items():
            yield Case(f"{what} is the annotation, {name}", name, replaced(name, path, make), arrives=arrives)
    for name, path in ANNOTATION.items():
        yield Case(f"B26 the source is a pipe, {name}", name, only_pipe(path), source=path, **REFUSED)


def replaced(name: str, path: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        WRITE[name][0](root)
        (root / path).unlink()
        make(root / path)

    return build


def only_pipe(path: str) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(root / path)

    return build


ODD_NAMES = {
    "A10 control characters": "a\x1b[2J\nb.png",
    "A10 turned around": "a\u202egnp.png",
    "A14 a device of Windows": "COM1.png",
    "A15 a blank at the end": "a.png ",
    "A16 capitals": "GOOD.PNG",
    "A17 composed": "caf\u00e9.png",
    "A17 decomposed": "cafe\u0301.png",
    "A24 an option": "--force.png",
}
"""Names that can be stored, and must not do anything to a terminal."""

NO_NAMES = {"A23 not UTF-8": b"\xff.png", "A05 a backslash": b"a\\b.png", "A12 reserved": b"tdvc~1"}
"""Names that can't."""


def odd(name: str | bytes) -> Callable[[Path], None]:
    def build(root: Path) -> None:
        put(root / "cat/good.png", GOOD)
        folder = os.fsencode(root / "cat")
        place = os.path.join(folder, os.fsencode(name))
        if place.endswith(b"~1"):
            os.mkdir(place)
            place += b"/x.png"
        with open(place, "wb") as file:
            file.write(BAD)

    return build


def names() -> Iterator[Case]:
    for what, name in ODD_NAMES.items():
        arrives = {"cat/good.png": 1} | ({f"cat/{name}": 1} if name.lower().endswith(".png") else {})
        yield Case(f"{what}, image-folder", "image-folder", odd(name), arrives=arrives)
    for what, raw in NO_NAMES.items():
        yield Case(
            f"{what}, image-folder",
            "image-folder",
            odd(raw),
            listed=(("bad-name", "cat"),),
            arrives={"cat/good.png": 1},
        )


def old(root: Path) -> None:
    image_folder(root)
    os.utime(root / "cat/good.png", ns=(0, 0))
    os.utime(root / "cat/bad.png", (253402300799, 253402300799))


def deep(root: Path) -> None:
    put(root / "cat/good.png", GOOD)
    put(Path(root, "cat", *["d"] * 500, "bad.png"), BAD)


def linked(root: Path) -> None:
    put(root / "cat/good.png", GOOD)
    os.link(root / "cat/good.png", root / "cat/bad.png")


def repository_inside(root: Path) -> None:
    image_folder(root)
    put(root / ".tdvc/packs/x.png", BAD)
    put(root / "cat/.tdvc/x.png", BAD)


def folder_instead(root: Path) -> None:
    image_folder(root)
    (root / "cat/third.png").mkdir()


BOTH = {"cat/good.png": 1, "cat/bad.png": 1}
OTHERS = (
    Case("B33 times of 1970 and 9999, image-folder", "image-folder", old, arrives=BOTH),
    Case(
        "B35 500 folders deep, image-folder",
        "image-folder",
        deep,
        arrives={"cat/good.png": 1, f"cat/{'d/' * 500}bad.png": 1},
    ),
    Case("B36 two names of one file, image-folder", "image-folder", linked, arrives=BOTH),
    Case("B37 a repository inside, image-folder", "image-folder", repository_inside, arrives=BOTH),
    Case("B35 a folder called like a picture, image-folder", "image-folder", folder_instead, arrives=BOTH),
)


def cases() -> Iterator[Case]:
    yield from pictures()
    yield from annotations()
    yield from names()
    yield from OTHERS
