"""Group D: what is wrong with JSON itself, in every format that is JSON."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bad_input import Case
from tests.bad_input.sources import JSON, Spoil

REFUSED: dict[str, Any] = {"refused": "bad-format-file"}
PLACES = {
    "coco": "bad.png",
    "datumaro": "annotations/default.json: items[1]",
    "diffgram": "export.json: 902",
    "hf-image-folder": "metadata.jsonl:1",
    "label-studio": "tasks.json: task 1",
    "labelme": "bad.json",
    "supervisely": "set/ann/bad.png.json",
    "tdvc-jsonl": "instances.jsonl:1",
    "webdataset": "data-00000.tar: bad",
}
"""What a problem of the bad record names."""


def files(name: str, **counts: int) -> dict[str, int]:
    """Where the two pictures of a format's source arrive."""
    folder = {"datumaro": "images/default/", "supervisely": "set/img/"}.get(name, "")
    return {f"{folder}{stem}.png": count for stem, count in counts.items()}


FINE = {name: {"arrives": files(name, good=1, bad=1)} for name in JSON}
"""Nothing is wrong for us."""

INVALID = {
    name: {"listed": (("instance-invalid", place),), "arrives": files(name, good=1, bad=0)}
    for name, place in PLACES.items()
}
"""One instance breaks a rule, and is left out alone."""


def listed(name: str, code: str = "record-unreadable", place: str = "", **arrives: int) -> dict[str, Any]:
    return {"listed": ((code, place or PLACES[name]),), "arrives": files(name, **arrives)}


RECORD: dict[str, dict[str, Any]] = {
    "coco": INVALID["coco"],
    "datumaro": listed("datumaro", good=1),
    "diffgram": REFUSED,
    "hf-image-folder": listed("hf-image-folder", good=1, bad=0),
    "label-studio": listed("label-studio", good=1),
    "labelme": listed("labelme", good=1, bad=0),
    "supervisely": listed("supervisely", good=1, bad=0),
    "tdvc-jsonl": listed("tdvc-jsonl", good=1),
    "webdataset": listed("webdataset", good=1),
}
"""What becomes of a record that is JSON, and still can't be taken."""

WHOLE = RECORD | {"coco": REFUSED, "datumaro": REFUSED, "label-studio": listed("label-studio", place="tasks.json")}
"""What becomes of a text that is no JSON: where all records are in one, all go."""

GONE = WHOLE | {
    "hf-image-folder": {"arrives": files("hf-image-folder", good=1, bad=0)},
    "label-studio": REFUSED,
    "tdvc-jsonl": {"arrives": {"good.png": 1}},
}
"""What becomes of an empty text."""

OTHER = WHOLE | {"label-studio": REFUSED, "webdataset": {"arrives": files("webdataset", good=1, bad=0)}}
"""What becomes of JSON that is not a record at all; in an archive it is somebody's own."""

FOREIGN = GONE | {"hf-image-folder": RECORD["hf-image-folder"], "tdvc-jsonl": RECORD["tdvc-jsonl"]}
"""What becomes of bytes that are no text."""


def value(new: bytes) -> Spoil:
    """Another value of the field that nobody knows."""
    return lambda text: text.replace(b'"MARK"', new)


def twice(text: bytes) -> bytes:
    new = b'["a"], "note": ["b"]' if b'["MARK"]' in text else b'"a", "note": "b"'
    return text.replace(b'["MARK"]', new).replace(b'"MARK"', new)


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


TRAPS: tuple[tuple[str, Spoil, dict[str, dict[str, Any]]], ...] = (
    ("D60 1,025 levels", value(nested(1025)), WHOLE),
    ("D60 1,000,000 levels", value(nested(1_000_000)), WHOLE),
    ("D60 100,000 objects", value(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), WHOLE),
    ("D60 deeper than is kept", value(nested(50)), INVALID),
    ("D61 NaN", value(b"NaN"), WHOLE),
    ("D61 infinity", value(b"-Infinity"), WHOLE),
    ("D61 1e999", value(b"1e999"), FINE),
    ("D62 a key twice", twice, RECORD),
    ("D63 2^64", value(b"18446744073709551616"), FINE),
    ("D63 5,000 digits", value(b"1" * 5000), FINE),
    ("D65 byte order mark", lambda text: b"\xef\xbb\xbf" + text, FINE),
    ("D66 UTF-16", lambda text: text.decode().encode("utf-16"), FOREIGN),
    ("D66 Latin-1", value(b'"caf\xe9"'), RECORD),
    ("D67 lone surrogate", value(b'"\\ud800"'), WHOLE),
    ("D68 NUL", value(b'"a\\u0000b"'), FINE),
    ("D68 raw NUL", value(b'"a\0b"'), WHOLE),
    ("D69 comma at the end", value(b'"x",'), WHOLE),
    ("D69 comment", value(b'/* no */ "x"'), WHOLE),
    ("D69 two documents", lambda text: text + text, WHOLE),
    ("D69 more behind it", lambda text: text + b"]]", WHOLE),
    ("D69 cut short", lambda text: text[: len(text) * 2 // 3], WHOLE),
    ("D69 empty", lambda text: b"", GONE),
    ("D69 null", lambda text: b"null", OTHER),
    ("D69 a list", lambda text: b"[]", OTHER),
    ("D69 a number", lambda text: b"7", OTHER),
    ("D73 -0.0", value(b"-0.0"), FINE),
    ("D73 1e-400", value(b"1e-400"), FINE),
    ("D75 packed", lambda text: gzip.compress(text, mtime=0), FOREIGN),
)

FILE_FIELDS = {
    "coco": "note",
    "datumaro": "note",
    "hf-image-folder": "note",
    "labelme": "note",
    "supervisely": "note",
    "tdvc-jsonl": "properties",
    "webdataset": "properties",
}
"""A field of the file, not of an instance, in which anything is kept."""


def deep_file(name: str, root: Path) -> None:
    value: Any = {}
    for _ in range(50):
        value = {"a": value}
    JSON[name](root, **{FILE_FIELDS[name]: value})


OTHER_TYPES: tuple[tuple[str, str, bytes, bytes, dict[str, Any]], ...] = (
    ("images", "coco", b'"images": [', b'"images": {}, "x": [', REFUSED),
    ("annotations", "coco", b'"annotations": [', b'"annotations": "no", "x": [', REFUSED),
    ("items", "datumaro", b'"items": [', b'"items": {}, "x": [', REFUSED),
    ("categories", "datumaro", b'"categories": {"label"', b'"categories": [], "x": {"label"', FINE["datumaro"]),
    ("label map", "diffgram", b'"label_map": {"12": "cat"}', b'"label_map": []', REFUSED),
    (
        "instances",
        "diffgram",
        b'"instance_list": [',
        b'"instance_list": 3, "x": [',
        {"arrives": files("", good=0, bad=0)},
    ),
    ("objects", "hf-image-folder", b'"objects": {', b'"objects": 5, "x": {', INVALID["hf-image-folder"]),
    ("annotations", "label-studio", b'"annotations": [', b'"annotations": {}, "x": [', REFUSED),
    ("shapes", "labelme", b'"shapes": [', b'"shapes": {}, "x": [', RECORD["labelme"]),
    ("objects", "supervisely", b'"objects": [', b'"objects": {}, "x": [', RECORD["supervisely"]),
    ("instances", "tdvc-jsonl", b'"instances": [', b'"instances": {}, "x": [', RECORD["tdvc-jsonl"]),
)
"""D74: the parts of a document are not what they should be."""

TWICE_AT_THE_TOP = (
    ("annotations", lambda text: text[:-1] + b', "annotations": []}'),
    ("images", lambda text: text[:-1] + b', "images": []}'),
)
"""D62: the second list would win over the first, and all of that would be gone."""


def cases() -> Iterator[Case]:
    for trap, spoil, outcomes in TRAPS:
        for name, write in JSON.items():
            yield Case(f"{trap}, {name}", name, lambda root, w=write, s=spoil: w(root, s), **outcomes[name])
    for name in FILE_FIELDS:
        gone = {"listed": (("record-unreadable", "bad"),), "arrives": files(name, good=1)}
        yield Case(f"D60 a file deeper than is kept, {name}", name, lambda root, n=name: deep_file(n, root), **gone)
    for part, name, old, new, outcome in OTHER_TYPES:
        spoiled = lambda root, w=JSON[name], o=old, n=new: w(root, lambda text: text.replace(o, n))  # noqa: E731
        yield Case(f"D74 {part}, {name}", name, spoiled, **outcome)
    for part, spoil in TWICE_AT_THE_TOP:
        yield Case(f"D62 {part} twice, coco", "coco", lambda root, s=spoil: JSON["coco"](root, s), **REFUSED)
