"""What fuzzing found once, by target: tried again in every run."""

from __future__ import annotations

from tests.fuzz.mutation import Change

CONTENTS: list[tuple[str, bytes]] = [
    ("map", b"labels = " + b"[" * 3000),
    ("revision", b"\xff"),
    ("edits", b'{"op":"add","path":"a.jpg","instance":{"label":"x","type":"\\u0001","geometry":[1]}}\n'),
    ("schema file", b'{"labels":{"\\u0001":{"name":3}}}'),
    ("schema", b'{"labels":{"x":{"index":0,"name":"\\ud800"}},"version":1}'),
    ("merge", b'{"bases":[],"conflicts":[],"revision":"\\ud800","theirs":"%s"}' % (b"0" * 64)),
    ("instances", b'{"instance_id":"%s","label":"x","type":"box","geometry":' % (b"0" * 32) + b"[" * 5000),
    ("commit", b'{"author":"\\ud800","directory":"x","message":"","parents":[],"root":"","schema":"","time":""}'),
]

SOURCES: list[tuple[str, str, list[Change]]] = [
    ("coco", "annotations/instances_train.json", [Change("length", 8904, 27364)]),
    ("diffgram", "export.json", [Change("number", 0, 218)]),
]
"""The name of a format, a file of its sample, and what was done to it."""
