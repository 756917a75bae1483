"""Groups E and A in formats of text: rows, tables, YAML and XML that are not what they should be, and names that lead
astray.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bad_input import GOOD, Case, put, sources
from tests.bad_input.meaning import TEXTS, fine
from tests.bad_input.sources import JSON, text_of
from tests.bad_input.text import PLACES, REFUSED
from tests.contracts.samples import arrow, label_studio, parquet

UNREADABLE = {"listed": (("record-unreadable", "boxes.csv:3"),), "arrives": TEXTS["csv"]["arrives"]}

ADDRESS, LOCAL = "http://169.254.169.254/latest/a.png", "file:///etc/passwd"
NAMES = {
    "A01 up": "../../outside/secret.png",
    "A02 absolute": "/etc/passwd",
    "A03 drive": "C:/x.png",
    "A05 backslashes": "a\\..\\..\\..\\outside\\secret.png",
    "A09 NUL": "a\0b.png",
    "A11 reserved": ".tdvc/x.png",
    "A22 too long": "x" * 300 + ".png",
    "E95 an address": ADDRESS,
    "E95 an address on this machine": LOCAL,
}
"""Names that annotation gives to pictures."""


def named(format_: str, root: Path, name: str) -> None:
    """A source in which the bad record names this picture."""
    if format_ == "coco":
        sources.coco(root, file_name=name)
    elif format_ == "datumaro":
        sources.datumaro(root, id="x", image={"path": name})
    elif format_ == "diffgram":
        sources.diffgram(root, original_filename=name)
    elif format_ == "hf-image-folder":
        sources.hf_image_folder(root, file_name=name)
    elif format_ == "label-studio":
        put(root / "good.png", GOOD)
        tasks = [label_studio.task("good.png", label_studio.box()), label_studio.task(name, label_studio.box())]
        put(root / "tasks.json", text_of(tasks))
    elif format_ == "labelme":
        sources.labelme_(root, imagePath=name)
    elif format_ in ("tdvc-jsonl", "webdataset"):
        JSON[format_](root, path=name)
    elif format_ == "csv":
        sources.csv(root, f'"{name}",cat,1,2,10,20')
    elif format_ == "pascal-voc":
        sources.voc(root, name=name)
    elif format_ == "cvat":
        sources.cvat_(root, name=name)
    elif format_ == "arrow":
        box = {"label": "cat", "type": "box", "geometry": "[1,2,3,4]"}
        put(root / "good.png", GOOD)
        arrow.put_table(root / "boxes.arrow", [{"path": "good.png"} | box, {"path": name} | box])
    else:
        rows = [parquet.row("good.png", GOOD, -1, [1, 2, 3, 4]), parquet.row(name, None, -1, [1, 2, 3, 4])]
        parquet.put_table(root / "data.parquet", rows)


UNSAFE = {
    "arrow": "boxes.arrow:1",
    "coco": "",
    "csv": "boxes.csv:3",
    "cvat": "annotations.xml",
    "datumaro": PLACES["datumaro"],
    "diffgram": PLACES["diffgram"],
    "hf-image-folder": PLACES["hf-image-folder"],
    "label-studio": PLACES["label-studio"],
    "labelme": PLACES["labelme"],
    "parquet": "data.parquet:1",
    "pascal-voc": "Annotations/bad.xml",
    "tdvc-jsonl": PLACES["tdvc-jsonl"],
    "webdataset": PLACES["webdataset"],
}
"""What a problem of a picture's name names; COCO the picture itself."""

AS_PATHS = ("cvat", "datumaro", "labelme", "pascal-voc")
ELSEWHERE = {
    ("datumaro", "/etc/passwd"): ("picture-missing", "x"),
    ("datumaro", "C:/x.png"): ("picture-missing", "x.png"),
    ("label-studio", "/etc/passwd"): ("picture-missing", "etc/passwd"),
    ("label-studio", ADDRESS): ("picture-missing", "latest/a.png"),
    ("label-studio", LOCAL): ("picture-missing", "etc/passwd"),
    **{(name, where): ("picture-missing", "") for name in AS_PATHS for where in (ADDRESS, LOCAL)},
}
"""Where such a name is that of another machine, and the picture is looked for in the source."""

LEFT_OVER = {
    "coco": {"good.png": 1},
    "csv": {"good.png": 1, "bad.png": 0},
    "cvat": {"images/good.png": 1},
    "datumaro": {"images/default/good.png": 1},
    "hf-image-folder": {"good.png": 1, "bad.png": 0},
    "labelme": {"good.png": 1, "bad.png": 0},
    "parquet": {"good.png": 1},
    "pascal-voc": {"JPEGImages/good.png": 1, "JPEGImages/bad.png": 0},
}
"""What arrives then; the picture that nobody names is a file without annotation where formats look for pictures."""


def names() -> Iterator[Case]:
    for what, name in NAMES.items():
        for format_, place in UNSAFE.items():
            if what == "A09 NUL" and format_ in ("cvat", "pascal-voc"):
                continue  # no character of XML
            problem = ELSEWHERE.get((format_, name), ("unsafe-path", place))
            yield Case(
                f"{what}, {format_}",
                format_,
                lambda root, f=format_, n=name: named(f, root, n),
                listed=(("record-unreadable", place) if format_ == "parquet" else problem,),
                arrives=LEFT_OVER.get(format_, {"good.png": 1}),
            )


ROWS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("E87 four columns", "yolo", "0 0.5 0.5 0.25\n", TEXTS["yolo"]),
    ("E87 six columns", "yolo", "0 0.5 0.5 0.25 0.25 0.9\n", fine("yolo")),
    ("E87 comma decimals", "yolo", "0 0,5 0,5 0,25 0,25\n", TEXTS["yolo"]),
    ("E87 class 0.0", "yolo", "0.0 0.5 0.5 0.25 0.25\n", fine("yolo")),
    ("E87 class 0.5", "yolo", "0.5 0.5 0.5 0.25 0.25\n", TEXTS["yolo"]),
    ("E87 class -1", "yolo", "-1 0.5 0.5 0.25 0.25\n", TEXTS["yolo"]),
    ("E87 class without a name", "yolo", "7 0.5 0.5 0.25 0.25\n", TEXTS["yolo"]),
    ("E87 pixels", "yolo", "0 320 240 100 50\n", TEXTS["yolo"]),
    ("E87 CRLF and tabs", "yolo", "0\t0.5\t0.5 0.25  0.25\r\n", fine("yolo")),
    ("E87 no line end", "yolo", "0 0.5 0.5 0.25 0.25", fine("yolo")),
    ("E87 byte order mark", "yolo", "\ufeff0 0.5 0.5 0.25 0.25", fine("yolo")),
    ("E87 empty means none", "yolo", "", {"arrives": TEXTS["yolo"]["arrives"]}),
    ("E92 a cell too few", "csv", "bad.png,cat,1,2,10", UNREADABLE),
    ("E92 a cell too many", "csv", "bad.png,cat,1,2,10,20,x", UNREADABLE),
    ("E92 NUL", "csv", "bad.png,c\0at,1,2,10,20", TEXTS["csv"]),
    ("E92 quote without an end", "csv", 'bad.png,"cat,1,2,10,20', UNREADABLE),
    ("E92 quote within", "csv", 'bad.png,"ca"t,1,2,10,20', UNREADABLE),
    ("E82 formula", "csv", "bad.png,=cmd(),1,2,10,20", fine("csv") | {"labels": ("=cmd()", "cat")}),
    ("E77 x1 before x0", "csv", "bad.png,cat,10,2,1,20", TEXTS["csv"]),
    ("E77 negative width", "mot", "2,1,1,5,-20,30,1,1,1", TEXTS["mot"]),
    ("E82 a class of text", "mot", "2,1,1,5,20,30,1,cat,1", TEXTS["mot"]),
    ("E76 frame 0", "mot", "0,1,1,5,20,30,1,1,1", TEXTS["mot"]),
    (
        "E85 no such frame",
        "mot",
        "9,1,1,5,20,30,1,1,1",
        {"listed": (("picture-missing", "000009.jpg"),), "arrives": TEXTS["mot"]["arrives"]},
    ),
)

SPOILED: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
    ("E92 UTF-16", "csv", lambda text: text.decode().encode("utf-16"), REFUSED | {"names": "boxes.csv"}),
    ("E92 Latin-1", "csv", lambda text: text + b"bad.png,caf\xe9,1,2,10,20\n", REFUSED | {"names": "boxes.csv"}),
    ("E92 semicolons", "csv", lambda text: text.replace(b",", b";"), fine("csv")),
    ("E92 byte order mark", "csv", lambda text: b"\xef\xbb\xbf" + text, fine("csv")),
    ("E92 empty", "csv", lambda text: b"", REFUSED),
    ("E92 no header", "csv", lambda text: text.partition(b"\n")[2], REFUSED),
    ("E92 a column twice", "csv", lambda text: text.replace(b"class", b"xmin"), REFUSED),
)

DESCRIPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("a tag", "names: !!python/object/apply:os.system ['true']\ntrain: images\n", REFUSED),
    ("an alias", "a: &a [x, y]\nnames: [*a]\ntrain: images\n", REFUSED),
    ("a merge key", "base: {a: b}\nnames: {<<: base}\ntrain: images\n", REFUSED),
    ("5,000 levels", "names: " + "[" * 5000 + "]" * 5000 + "\ntrain: images\n", REFUSED),
    ("a key twice", "names: [cat, dog]\nnames: [dog]\ntrain: images\n", REFUSED),
    ("a class number beyond all", "names: {99999999999: cat}\ntrain: images\n", REFUSED),
    ("two documents", "names: [cat, dog]\ntrain: images\n---\nnames: [dog]\n", REFUSED),
    ("not text", "names: [c\udce4t]\ntrain: images\n", REFUSED),
    ("a list of names that is none", "names: 7\ntrain: images\n", REFUSED),
    (
        "splits elsewhere",
        "path: ../../../etc\nnames: [cat, dog]\ntrain: ../../outside\nval: /etc/passwd\n",
        fine("yolo"),
    ),
)


def texts() -> Iterator[Case]:
    for what, name, row, outcome in ROWS:
        write = {"csv": sources.csv, "mot": sources.mot, "yolo": sources.yolo}[name]
        yield Case(f"{what}, {name}", name, lambda root, w=write, r=row: w(root, r), **outcome)
    for what, name, spoil, outcome in SPOILED:
        yield Case(
            f"{what}, {name}", name, lambda root, s=spoil: sources.csv(root, "bad.png,cat,1,2,10,20", s), **outcome
        )
    for what, description, outcome in DESCRIPTIONS:
        described = description.encode(errors="surrogateescape")
        yield Case(
            f"E90 {what}",
            "yolo",
            lambda root, d=described: sources.yolo(root, "0 0.5 0.5 0.25 0.25\n", d),
            **outcome,
        )


LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY a%d "%b">' % (n, (b"&a%d;" % (n - 1) if n else b"&a;") * 10) for n in range(10))
    + b"]>"
)
STRANGER = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
XML: tuple[tuple[str, Any], ...] = (
    ("a billion laughs", lambda text: LAUGHS + text.replace(b"cat", b"&a9;")),
    ("a file as an entity", lambda text: STRANGER + text.replace(b"cat", b"&x;")),
    ("a document type elsewhere", lambda text: b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd">' + text),
    ("an unknown entity", lambda text: text.replace(b"cat", b"&x;")),
    ("1,000,000 levels", lambda text: text[:12] + b"<a>" * 1_000_000 + b"</a>" * 1_000_000),
    ("not its encoding", lambda text: b'<?xml version="1.0" encoding="utf-8"?>' + text.replace(b"cat", b"c\xe4t")),
    ("an unknown encoding", lambda text: b'<?xml version="1.0" encoding="cp-nonsense"?>' + text),
    ("cut short", lambda text: text[: len(text) // 2]),
    ("NUL", lambda text: text.replace(b"cat", b"c\0t")),
    ("another root", lambda text: b"<other/>"),
    ("two roots", lambda text: text + text),
    ("empty", lambda text: b""),
)
"""E88: annotation in XML, and what must not be made of it."""


def xml() -> Iterator[Case]:
    for what, spoil in XML:
        outcome = {"listed": (("record-unreadable", "Annotations/bad.xml"),), "arrives": TEXTS["pascal-voc"]["arrives"]}
        yield Case(f"E88 {what}, pascal-voc", "pascal-voc", lambda root, s=spoil: sources.voc(root, s), **outcome)
        yield Case(f"E88 {what}, cvat", "cvat", lambda root, s=spoil: sources.cvat_(root, s), **cvat_outcome(what))


def cvat_outcome(what: str) -> dict[str, Any]:
    """What is wrong before the first image refuses the whole; what comes after the last is listed."""
    return {"listed": (("record-unreadable", "annotations.xml"),), **fine("cvat")} if what == "two roots" else REFUSED


def cases() -> Iterator[Case]:
    yield from names()
    yield from texts()
    yield from xml()
