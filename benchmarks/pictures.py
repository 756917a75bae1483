"""Write unique JPEG pictures of about 15 kB into 100 class folders, or change some of them.

    pictures.py FOLDER --files 10000 [--seed 1]
    pictures.py FOLDER --edit-percent 1 [--seed 2] [--into CHANGES]

What is measured on zeros or on copies of one picture says nothing about photographs, so every file is a random crop of
a noisy canvas, encoded by itself: files do not compress and share no blocks. A comment segment with the series and the
number makes two equal files impossible. The same arguments give the same bytes with the same Pillow, whatever the
number of workers: each picture draws its randomness from its series and its own number, never from a shared sequence.
"""

from __future__ import annotations

import argparse
import io
import random
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image

CLASSES = 100
CANVAS_PIXELS = 1024
GRAINS = ((16, 1.0), (64, 0.45), (256, 0.3), (1024, 0.10))
"""Edge of each noise layer in pixels before it is stretched over the canvas, and its weight over those before."""


@lru_cache(maxsize=1)
def canvas() -> Image.Image:
    """Coarse to fine noise, one layer blended over the other: about as hard to encode as a photograph."""
    dice = random.Random("canvas")
    edge = (CANVAS_PIXELS, CANVAS_PIXELS)
    picture = Image.new("RGB", edge)
    for grain, weight in GRAINS:
        layer = Image.frombytes("RGB", (grain, grain), dice.randbytes(3 * grain * grain))
        picture = Image.blend(picture, layer.resize(edge, Image.Resampling.BICUBIC), weight)
    return picture


def encode(series: str, number: int) -> bytes:
    """The JPEG bytes of picture `number` of a series."""
    name = f"{series}/{number}"
    dice = random.Random(name)
    width, height = dice.randrange(128, 321), dice.randrange(128, 321)
    left, top = dice.randrange(CANVAS_PIXELS - width), dice.randrange(CANVAS_PIXELS - height)
    crop = canvas().crop((left, top, left + width, top + height))
    encoded = io.BytesIO()
    crop.save(encoded, "JPEG", quality=dice.choice((75, 85, 92)), comment=name.encode())
    return encoded.getvalue()


def write(series: str, task: tuple[int, Path]) -> None:
    """Write picture `number` to `path`, the two parts of `task`."""
    number, path = task
    path.write_bytes(encode(series, number))


def new_pictures(folder: Path, files: int) -> list[tuple[int, Path]]:
    """Number and path of each of `files` pictures, dealt out to the class folders in turn."""
    return [(number, folder / f"class_{number % CLASSES:03d}" / f"{number:08d}.jpg") for number in range(files)]


def some_pictures(folder: Path, percent: float, seed: int, into: Path) -> list[tuple[int, Path]]:
    """Number and new path of `percent` of the files under `folder`, at least one, chosen by `seed`."""
    present = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    chosen = random.Random(seed).sample(range(len(present)), max(1, round(len(present) * percent / 100)))
    return [(number, into / present[number]) for number in sorted(chosen)]


def main() -> None:
    """Read the arguments and write the pictures."""
    parser = argparse.ArgumentParser(description="Write unique JPEG pictures, or change some of them.")
    parser.add_argument("folder", type=Path)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--files", type=int, help="how many pictures to write")
    what.add_argument("--edit-percent", type=float, help="the share of the files in FOLDER to write anew")
    parser.add_argument("--into", type=Path, help="put the changed pictures there and leave FOLDER as it is")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other bytes")
    parser.add_argument("--workers", type=int, help="processes; as many as cores by default")
    options = parser.parse_args()
    if options.files is not None:
        series = f"new {options.seed}"
        tasks = new_pictures(options.folder, options.files)
    else:
        series = f"edit {options.seed}"
        into = options.into or options.folder
        tasks = some_pictures(options.folder, options.edit_percent, options.seed, into)
    for parent in {path.parent for _, path in tasks}:
        parent.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.workers) as workers:
        for _ in workers.map(partial(write, series), tasks, chunksize=256):
            pass


if __name__ == "__main__":
    main()
