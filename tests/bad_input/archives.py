"""Archives, tables and pictures that are damaged, lead outside or are bombs: parts of D, E and C."""

from __future__ import annotations

import base64
import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bad_input import BAD, GOOD, Case, png, put, sources, tar
from tests.bad_input.meaning import TEXTS
from tests.bad_input.text import FINE, INVALID, REFUSED, listed
from tests.contracts.samples import arrow, parquet

SAMPLE = json.dumps(
    {"path": "good.png", "instances": [{"label": "cat", "type": "box", "geometry": [1, 2, 3, 4]}]}
).encode()
START = {"good.png": GOOD, "good.json": SAMPLE}
TWO = START | {"bad.png": BAD, "bad.cls": b"1"}
ONE = {"good.png": 1}
CUT = {"listed": (("record-unreadable", "data-00000.tar"),)}
"""A sample counts as read when the next one begins."""


def member(name: str, content: bytes = b"", **fields: Any) -> bytes:
    """A member with a header as it is asked for."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def after_sample(*members: bytes) -> Callable[[Path], object]:
    begun = tar(START)[: 2 * 512 + 2 * 512]
    assert len(GOOD) <= 512 and len(SAMPLE) <= 512
    return lambda root: put(root / "data-00000.tar", begun + b"".join(members) + bytes(1024))


def with_size(text: bytes) -> bytes:
    """A header whose size field holds this."""
    raw = bytearray(member("bad.png"))
    raw[124:136] = text.ljust(12, b"\0")
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])
    return bytes(raw)


MEMBERS: tuple[tuple[str, Callable[[Path], object], dict[str, Any]], ...] = (
    (
        "E93 a name that leads up",
        after_sample(member("../../outside/evil.png", BAD), member("../../outside/evil.cls", b"1")),
        {"listed": (("unsafe-path", "evil"),)},
    ),
    (
        "E93 an absolute name",
        after_sample(member("/etc/evil.png", BAD), member("/etc/evil.cls", b"1")),
        {"listed": (("unsafe-path", "evil"),)},
    ),
    ("E93 a link as a member", after_sample(member("bad.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")), {}),
    ("E93 a hard link as a member", after_sample(member("bad.png", type=tarfile.LNKTYPE, linkname="good.png")), {}),
    ("E93 a device as a member", after_sample(member("bad.png", type=tarfile.BLKTYPE)), {}),
    (
        "E93 a name twice",
        after_sample(member("bad.png", BAD), member("bad.png", BAD), member("bad.cls", b"1")),
        {"listed": (("record-unreadable", "bad"),)},
    ),
    ("E93 a negative size", after_sample(with_size(b"\xff" * 12)), REFUSED),
    ("E93 a size beyond all", after_sample(with_size(b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7)), REFUSED),
    ("E93 a size that is none", after_sample(with_size(b"abc")), REFUSED),
    ("E93 empty", lambda root: put(root / "data-00000.tar", b""), REFUSED),
    ("E93 cut in a member", lambda root: put(root / "data-00000.tar", tar(TWO)[: 8 * 512 - 10]), CUT),
    ("E93 cut between members", lambda root: put(root / "data-00000.tar", tar(TWO)[: 8 * 512]), CUT),
    ("E93 damaged after a sample", after_sample(b"\x01" * 512), REFUSED),
    ("E93 damaged after two", lambda root: put(root / "data-00000.tar", tar(TWO)[: 8 * 512] + b"\x01" * 512), CUT),
    (
        "E91 a pickle",
        after_sample(member("bad.png", BAD), member("bad.pkl", pickle.dumps(print)), member("bad.cls", b"7")),
        {"arrives": ONE | {"bad.png": 1}},
    ),
    (
        "E91 numpy with objects",
        after_sample(
            member("bad.png", BAD),
            member("bad.npy", b"\x93NUMPY\1\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (9999999999,)}"),
            member("bad.cls", b"7"),
        ),
        {"arrives": ONE | {"bad.png": 1}},
    ),
)


def packed(root: Path, *pieces: tuple[bytes, int]) -> None:
    """A packed archive: bytes, each followed by so many zeros."""
    with gzip.open(root / "data-00000.tar.gz", "wb", compresslevel=6) as file:
        for content, zeros in pieces:
            file.write(content)
            for _ in range(zeros >> 20):
                file.write(bytes(1 << 20))


def claims(root: Path) -> None:
    packed(root, (tar(START)[:2048], 0), (member("bad.png", size=10 << 30), 20 << 20))


def one_large_sample(root: Path) -> None:
    packed(root, (tar(START)[:2048], 0), *((member(f"bad.{n}", size=100 << 20), 100 << 20) for n in range(4)))


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


def zipped(root: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../outside/evil.txt", "evil")
        archive.writestr("bomb.json", bytes(50 << 20))
    for name in ("data-00000.tar", "coco.json", "data.parquet", "boxes.arrow", "boxes.csv"):
        put(root / name, content.getvalue())


def archives() -> Iterator[Case]:
    for what, build, outcome in MEMBERS:
        yield Case(
            f"{what}, webdataset",
            "webdataset",
            build,
            **(outcome if outcome is REFUSED else {"arrives": ONE} | outcome),
        )
    yield Case("E93 10 GiB promised, webdataset", "webdataset", claims, bomb=True, **REFUSED)
    yield Case(
        "E93 400 MiB in one sample, webdataset",
        "webdataset",
        one_large_sample,
        listed=CUT["listed"],
        arrives=ONE,
        bomb=True,
    )
    yield Case(
        "E93 packed badly, webdataset",
        "webdataset",
        lambda root: put(root / "data-00000.tar.gz", flipped(gzip.compress(tar(START), mtime=0), 60)),
        **REFUSED,
    )
    for name, path in (
        ("webdataset", "data-00000.tar"),
        ("coco", "coco.json"),
        ("parquet", "data.parquet"),
        ("arrow", "boxes.arrow"),
        ("csv", "boxes.csv"),
    ):
        yield Case(f"E93 a zip, {name}", name, zipped, source=path, **REFUSED)


def parquet_table(root: Path, change: Callable[[bytes], bytes]) -> None:
    parquet.put_table(root / "data.parquet", [parquet.row("good.png", GOOD, -1, [1, 2, 3, 4])])
    put(root / "data.parquet", change((root / "data.parquet").read_bytes()))


def arrow_table(root: Path, change: Callable[[bytes], bytes]) -> None:
    put(root / "good.png", GOOD)
    arrow.put_table(
        root / "boxes.arrow", [{"path": "good.png", "label": "cat", "type": "box", "geometry": "[1,2,3,4]"}]
    )
    put(root / "boxes.arrow", change((root / "boxes.arrow").read_bytes()))


TABLES: dict[str, Callable[[bytes], bytes]] = {
    "cut short": lambda content: content[: len(content) // 2],
    "no end": lambda content: content[:-4],
    "empty": lambda content: b"",
    "text": lambda content: b"hello",
    "the length of its end is wrong": lambda content: content[:-10] + b"\xff\xff\xff\x7f" + content[-6:],
}


def dictionary_bomb(root: Path) -> None:
    """64 rows of seven megabytes each, which the table has once."""
    import pyarrow
    from pyarrow import parquet as files_

    large = pyarrow.array([0] * 64, pyarrow.int32())
    text = pyarrow.DictionaryArray.from_arrays(large, pyarrow.array(["x" * (7 << 20)]))
    pictures = pyarrow.array([{"bytes": GOOD, "path": f"{n}.png"} for n in range(64)])
    files_.write_table(pyarrow.table({"image": pictures, "note": text}), root / "data.parquet", compression="zstd")


def tables() -> Iterator[Case]:
    for what, change in TABLES.items():
        yield Case(f"E101 {what}, parquet", "parquet", lambda root, c=change: parquet_table(root, c), **REFUSED)
        yield Case(f"E101 {what}, arrow", "arrow", lambda root, c=change: arrow_table(root, c), **REFUSED)
    yield Case(
        "E101 a column's name is no text, arrow",
        "arrow",
        lambda root: arrow_table(root, lambda content: content.replace(b"geometry", b"geom\xf4try")),
        **REFUSED,
    )
    yield Case("E101 a dictionary of 7 MB in 64 rows, parquet", "parquet", dictionary_bomb, bomb=True, **REFUSED)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def drawn(width: int, height: int, *extra: bytes, pixels: int = 1 << 10) -> bytes:
    """A grey PNG that says it is this large."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + b"".join(extra)
        + chunk(b"IDAT", zlib.compress(bytes(pixels)))
        + chunk(b"IEND", b"")
    )


LARGE = {
    "C47 20,000 x 20,000": (20_000, 20_000),
    "C48 10,000 x 10,000": (10_000, 10_000),
    "C49 65,535 x 65,535": (65_535, 65_535),
    "C49 1 x 2^31-1": (1, 2**31 - 1),
    "C49 0 x 0": (0, 0),
}


def with_mask(content: bytes) -> Callable[[Path], object]:
    def build(root: Path) -> None:
        put(root / "labels.txt", "background\ncat\n")
        for name in ("good", "bad"):
            put(root / f"images/{name}.png", png())
            put(root / f"masks/{name}.png", png(shade=1) if name == "good" else content)

    return build


def pictures() -> Iterator[Case]:
    outcome: dict[str, Any] = {
        "listed": (("record-unreadable", "masks/bad.png"),),
        "arrives": {"images/good.png": 1, "images/bad.png": 0},
    }
    for what, (width, height) in LARGE.items():
        large = drawn(width, height)
        yield Case(f"{what}, masks-png", "masks-png", with_mask(large), bomb=True, **outcome)
        bitmap = {"data": base64.b64encode(zlib.compress(large)).decode(), "origin": [0, 0]}
        yield Case(
            f"{what}, supervisely",
            "supervisely",
            lambda root, b=bitmap: sources.supervisely(root, change={"geometryType": "bitmap", "bitmap": b}),
            bomb=True,
            **INVALID["supervisely"],
        )
        mask = {"shape_type": "mask", "points": [[0, 0], [9, 9]], "mask": base64.b64encode(large).decode()}
        yield Case(
            f"{what}, labelme",
            "labelme",
            lambda root, m=mask: sources.labelme_(root, change=m),
            bomb=True,
            **INVALID["labelme"],
        )
    for kind in (b"zTXt", b"iCCP"):
        text = drawn(64, 48, chunk(kind, b"a\0\0" + zlib.compress(bytes(300 << 20), 1)), pixels=48 * 65)
        yield Case(f"C54 {kind.decode()} of 300 MB, masks-png", "masks-png", with_mask(text), bomb=True, **outcome)
    yield Case("C45 cut short, masks-png", "masks-png", with_mask(png(shade=1)[:50]), **outcome)
    bomb = {"data": base64.b64encode(zlib.compress(bytes(600 << 20), 1)).decode(), "origin": [0, 0]}
    yield Case(
        "E83 a bitmap of 600 MB, supervisely",
        "supervisely",
        lambda root: sources.supervisely(root, change={"geometryType": "bitmap", "bitmap": bomb}),
        bomb=True,
        **INVALID["supervisely"],
    )


def sparse(root: Path, path: str, size: int, head: bytes = b"") -> None:
    """A file that claims to be large and is a hole."""
    with put(root / path, head).open("r+b") as file:
        file.truncate(size)


def holes() -> Iterator[Case]:
    """D70: files of 10 GiB, or lines of 2."""
    heads = {
        "coco": ("coco.json", b'{"images":[],"annotations":[],"categories":[],"file_name":"'),
        "datumaro": ("annotations/default.json", b'{"items":[],"categories":{}'),
        "diffgram": ("export.json", b'{"label_map":{},"export_info":{}'),
        "label-studio": ("tasks.json", b'[{"data":{"image":"a"},"annotations":['),
    }
    for name, (path, head) in heads.items():
        outcome = listed("label-studio", place="tasks.json") if name == "label-studio" else REFUSED
        yield Case(
            f"D70 10 GiB, {name}", name, lambda root, p=path, h=head: sparse(root, p, 10 << 30, h), bomb=True, **outcome
        )
    beside: dict[str, tuple[Callable[[Path], None], str, dict[str, Any]]] = {
        "labelme": (sources.labelme_, "bad.json", listed("labelme", good=1, bad=0)),
        "supervisely": (sources.supervisely, "set/ann/bad.png.json", listed("supervisely", good=1, bad=0)),
        "pascal-voc": (
            sources.voc,
            "Annotations/bad.xml",
            TEXTS["pascal-voc"] | {"listed": (("record-unreadable", "bad.xml"),)},
        ),
        "yolo": (
            lambda root: sources.yolo(root, ""),
            "labels/bad.txt",
            TEXTS["yolo"] | {"listed": (("record-unreadable", "bad.txt"),)},
        ),
    }
    for name, (write, path, outcome) in beside.items():

        def build(root: Path, w: Any = write, p: str = path) -> None:
            w(root)
            sparse(root, p, 10 << 30)

        yield Case(f"D70 10 GiB, {name}", name, build, bomb=True, **outcome)
    yield Case(
        "D70 a line of 600 MiB, tdvc-jsonl",
        "tdvc-jsonl",
        lambda root: sparse(root, "instances.jsonl", 600 << 20),
        listed=(("record-unreadable", "instances.jsonl:1"),),
        bomb=True,
    )
    yield Case(
        "D70 a line of 600 MiB, hf-image-folder",
        "hf-image-folder",
        lambda root: sparse(root, "metadata.jsonl", 600 << 20),
        listed=(("record-unreadable", "metadata.jsonl:1"),),
        bomb=True,
    )
    yield Case(
        "E92 a line of 600 MiB, csv",
        "csv",
        lambda root: sparse(
            root, "boxes.csv", 600 << 20, b"filename,class,xmin,ymin,xmax,ymax\ngood.png,cat,1,2,3,4\n"
        ),
        bomb=True,
        **REFUSED,
    )
    yield Case(
        "E92 a cell of 20 MB, csv",
        "csv",
        lambda root: sources.csv(root, f'bad.png,"{"x" * (20 << 20)}",1,2,3,4'),
        listed=(("record-unreadable", "boxes.csv:3"),),
        arrives={"good.png": 1, "bad.png": 0},
        bomb=True,
    )
    yield Case(
        "D71 a list of 1,000,000, labelme",
        "labelme",
        lambda root: sources.labelme_(root, change={"note": [1] * 1_000_000}),
        bomb=True,
        **FINE["labelme"],
    )
    yield Case(
        "D71 text of 50 MB, labelme",
        "labelme",
        lambda root: sources.labelme_(root, change={"note": "x" * (50 << 20)}),
        bomb=True,
        **FINE["labelme"],
    )
    yield Case(
        "D71 100,000 keys, labelme",
        "labelme",
        lambda root: sources.labelme_(root, change={f"key {n}": n for n in range(100_000)}),
        bomb=True,
        **FINE["labelme"],
    )


def cases() -> Iterator[Case]:
    yield from archives()
    yield from tables()
    yield from pictures()
    yield from holes()
