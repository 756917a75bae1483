"""Time and memory of `tdvc validate` over many files, and of a commit that it guards.

    validate.py FOLDER [--files 100000] [--each 9] [--polygons 3] [--seed 1]

Makes the repository in FOLDER where there is none: small pictures, each with boxes and some polygons. Then, each in a
process of its own, with the highest memory it took:

    cold      no column and no picture is known yet
    warm      everything is cached
    gate      a commit that changes one file of a hundred, with validation on commit

The limits that warm must keep are 6 s and 1.5 GB for 100,000 files with 900,000 instances.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tdvc.ids import Kind
from tdvc.model.numbers import Number
from tdvc.model.records import derived_instance_id, make_instance
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository

SIZE = (640, 480)
LABELS = [f"class {number:02}" for number in range(80)]
CHANGED = 100  # one file of so many
WARM_SECONDS, WARM_BYTES = 6.0, 1_500_000_000


def plain_picture() -> bytes:
    encoded = io.BytesIO()
    Image.new("L", SIZE).save(encoded, "JPEG", optimize=True)
    return encoded.getvalue()


def commented(picture: bytes, text: str) -> bytes:
    """The same picture as other bytes."""
    comment = text.encode()
    return picture[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + picture[2:]


def number(value: float) -> Number:
    return Number(f"{value:.2f}")


def instances(path: str, each: int, polygons: int, dice: np.random.Generator) -> Iterator[Any]:
    """Boxes and star-shaped outlines inside the picture."""
    for position in range(each):
        extent = np.exp(dice.normal(4, 0.9, 2)).clip(4, (SIZE[0] - 2, SIZE[1] - 2))
        corner = dice.random(2) * (SIZE - extent)
        kind, geometry = "box", [number(value) for value in (*corner, *(corner + extent))]
        if position < polygons:
            angles = np.arange(20) / 20 * 2 * np.pi
            reach = 0.35 + 0.15 * dice.random(20)
            outline = corner + extent * (0.5 + np.stack((np.cos(angles), np.sin(angles)), axis=1) * reach[:, None])
            kind, geometry = "polygon", [[[number(value) for value in outline.ravel()]]]
        yield make_instance(
            {
                "instance_id": derived_instance_id("benchmark", path, str(position)),
                "label": LABELS[int(dice.integers(len(LABELS)))],
                "type": kind,
                "geometry": geometry,
                "source": "import",
            }
        )


def make(folder: Path, files: int, each: int, polygons: int, seed: int) -> None:
    """The repository, committed."""
    dice = np.random.default_rng(seed)
    repository = Repository.init(folder, author="benchmark", durable=False)
    picture = plain_picture()
    with repository.transaction("make") as edit:
        names = [f"{number:06}.jpg" for number in range(files)]
        blobs = [(name, edit.writer.put(Kind.BLOB, commented(picture, name))) for name in names]
        for (name, blob), file_id in zip(blobs, edit.fresh_ids("Main", blobs), strict=True):
            found, count = edit.write_instances(instances(name, each, polygons, dice))
            edit.put("Main", name, FileState(file_id, blob, len(picture), found, count, media_type=b"image/jpeg"))
    with repository.transaction("commit") as edit:
        edit.commit("Main", "made")


def edit_some(folder: Path, turn: int) -> None:
    """One instance less in one file of a hundred."""
    repository = Repository.open(folder, author="benchmark", durable=False)
    with repository.transaction("edit") as edit:
        for position, file in enumerate(repository["Main"]):
            if position % CHANGED == turn:
                edit.annotate(file, file.instances[1:])


def measured(title: str, folder: Path, arguments: Sequence[str]) -> tuple[float, int]:
    """Run a command; its seconds and the most memory that it or a worker of it had."""
    environment = {**os.environ, "TDVC_DURABILITY": "none", "TDVC_AUTHOR": "benchmark"}
    command = [sys.executable, "-m", "tdvc", "-C", str(folder), *arguments]
    began = time.monotonic()
    pid = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL).pid
    _, status, usage = os.wait4(pid, 0)
    seconds = time.monotonic() - began
    peak = usage.ru_maxrss * 1024
    print(f"{title:8} {seconds:6.2f} s  {peak / 1e6:7.0f} MB  exit {os.waitstatus_to_exitcode(status)}")
    return seconds, peak


def arguments(description: str) -> argparse.ArgumentParser:
    """The arguments of a benchmark that works on this repository."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--each", type=int, default=9, help="instances of a file")
    parser.add_argument("--polygons", type=int, default=3, help="how many of them are polygons")
    parser.add_argument("--seed", type=int, default=1)
    return parser


def prepared(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments as they were given; the repository is there."""
    options = parser.parse_args()
    if not (options.folder / ".tdvc").exists():
        make(options.folder, options.files, options.each, options.polygons, options.seed)
    return options


def main() -> int:
    """Read the arguments, measure, and say whether the limits were kept."""
    options = prepared(arguments("Time and memory of tdvc validate."))
    shutil.rmtree(options.folder / ".tdvc" / "cache", ignore_errors=True)
    measured("cold", options.folder, ["validate", "Main"])
    seconds, peak = min(measured("warm", options.folder, ["validate", "Main"]) for _ in range(3))
    edit_some(options.folder, int(time.time()) % CHANGED)
    measured("set", options.folder, ["config", "set", "validate.on_commit", "error"])
    measured("gate", options.folder, ["commit", "-m", "one of a hundred"])
    measured("after", options.folder, ["validate", "Main"])
    kept = seconds < WARM_SECONDS and peak < WARM_BYTES
    print(f"warm: {'within' if kept else 'beyond'} {WARM_SECONDS:g} s and {WARM_BYTES / 1e9:g} GB")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
