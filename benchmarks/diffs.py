"""Time a diff of two versions of a COCO file against parsing both files and comparing them.

    diffs.py [--images 100000] [--each 9] [--runs 3] [--work FOLDER] [--datum PROGRAM]

`polygons.py` draws the two files: in one picture of a hundred, one instance was moved, one relabelled, one removed and
one added. tdvc imports both, which is not timed, for it is done once; then `tdvc diff` is timed as a command. What it
is measured against does the comparing alone: `orjson` into dictionaries, `msgspec` into typed records with their
geometry as text. With `--datum` also `datum compare`, which matches by distance and takes many minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
LIMIT_SECONDS = 1.5
FILE = "annotations/instances_train.json"

ORJSON = """
import sys, orjson
old, new = ({r["id"]: r for r in orjson.loads(open(p, "rb").read())["annotations"]} for p in sys.argv[1:])
print(sum(old.get(key) != new.get(key) for key in old.keys() | new.keys()))
"""
MSGSPEC = """
import sys, msgspec
class Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: msgspec.Raw
    segmentation: msgspec.Raw
class File(msgspec.Struct, gc=False):
    annotations: list[Annotation]
decoder = msgspec.json.Decoder(File)
old, new = ({r.id: r for r in decoder.decode(open(p, "rb").read()).annotations} for p in sys.argv[1:])
print(sum(old.get(key) != new.get(key) for key in old.keys() | new.keys()))
"""


def run(*command: object, folder: Path) -> float:
    """Seconds that a command took. Raises where it failed."""
    start = time.perf_counter()
    environment = {**os.environ, "TDVC_NO_PROGRESS": "1"}
    words = [str(word) for word in command]
    subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def prepare(work: Path, images: int, each: int) -> None:
    """Two COCO files, and a repository whose last commit is the first and whose staged state is the second."""
    run(sys.executable, HERE / "polygons.py", "data", "--images", images, "--each", each, folder=work)
    place = work / "repository"
    place.mkdir()
    tdvc = (sys.executable, "-m", "tdvc")
    run(*tdvc, "init", folder=place)
    for version, message in (("first", "first"), ("second", "")):
        options = ("--format", "coco", "--images", work / "data" / "pictures")
        run(*tdvc, "import", work / "data" / version, *options, folder=place)
        if message:
            run(*tdvc, "commit", "-m", message, folder=place)


def figures(name: str, seconds: Iterable[float]) -> float:
    """Print the least and the median; returns the median."""
    taken = list(seconds)
    median = statistics.median(taken)
    print(f"  {name:24} least {min(taken):7.2f} s, median {median:7.2f} s", flush=True)
    return median


def main() -> int:
    """Draw the files, import them, time everything; 1 where the limit is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--each", type=int, default=9, help="instances of each picture")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where to write; a temporary folder if left out")
    parser.add_argument("--datum", help="the program datum, to be timed too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        work = Path(name)
        prepare(work, options.images, options.each)
        files = [work / "data" / version / FILE for version in ("first", "second")]
        tdvc = (sys.executable, "-m", "tdvc", "diff")
        runs = range(options.runs)
        print(f"{options.images:,} files, {options.images * options.each:,} instances, 1 % of the files edited")
        median = figures("tdvc diff", (run(*tdvc, folder=work / "repository") for _ in runs))
        figures("tdvc diff --stat", (run(*tdvc, "--stat", folder=work / "repository") for _ in runs))
        figures("msgspec and compare", (run(sys.executable, "-c", MSGSPEC, *files, folder=work) for _ in runs))
        figures("orjson and compare", (run(sys.executable, "-c", ORJSON, *files, folder=work) for _ in runs))
        if options.datum:
            sides = [work / "data" / version for version in ("first", "second")]
            compare = (options.datum, "compare", *sides, "-f", "coco", "-o", work / "compared")
            figures("datum compare", [run(*compare, folder=work)])
    print(f"tdvc diff: at most {LIMIT_SECONDS} s: {'met' if median <= LIMIT_SECONDS else 'MISSED'}")
    return int(median > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
