"""A small sample set, drawn from a seed: pictures of dogs, cats and trees, with boxes, outlines and corrections.

    photos/JPEGImages/0000.jpg      pictures, drawn from simple shapes over a noisy background
    photos/Annotations/0000.xml     Pascal VOC: a box for every animal and tree
    outlines.jsonl                  edits for `annotate`: the polygon of every dog
    corrections.jsonl               edits for `annotate`, after the outlines: one box moved, one dog that is a cat

The same seed gives the same annotations and, with the same version of Pillow, the same bytes of every picture.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from PIL import Image, ImageDraw

from tdvc.errors import Refused, Usage
from tdvc.formats import pascal_voc
from tdvc.formats.base import FileRecord
from tdvc.model.problems import Problem
from tdvc.model.records import derived_instance_id

WIDTH, HEIGHT = 320, 240
"""Of every picture, px."""

MIN_PICTURES = 3
_HORIZON = 130
_JPEG_QUALITY = 88

Point = tuple[float, float]


@dataclass(slots=True)
class Sample:
    """What was drawn.

    Attributes:
        source: the Pascal VOC folder.
        outlines: edits that add polygons.
        corrections: edits that change boxes and labels.
        pictures: how many.
        boxes: how many, by label.
        polygons: how many.
    """

    source: Path
    outlines: Path
    corrections: Path
    pictures: int
    boxes: dict[str, int]
    polygons: int


@dataclass(frozen=True, slots=True)
class _Thing:
    """One animal or tree: its label and its outline, px."""

    label: str
    outline: list[Point]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """`xmin ymin xmax ymax` of what is in the picture, whole pixels."""
        xs, ys = zip(*self.outline, strict=True)
        x0, x1 = max(0, math.floor(min(xs))), min(WIDTH, math.ceil(max(xs)))
        y0, y1 = max(0, math.floor(min(ys))), min(HEIGHT, math.ceil(max(ys)))
        return x0, y0, x1, y1


def make_sample(folder: Path, *, pictures: int = 24, seed: int = 1) -> Sample:
    """Draw a sample set into a folder, which is made where it is missing.

    Raises:
        Refused: file-exists, where the folder holds something already.
        Usage: bad-usage, for fewer than `MIN_PICTURES` pictures.
    """
    if pictures < MIN_PICTURES:
        raise Usage("bad-usage", f"A sample needs at least {MIN_PICTURES} pictures, got {pictures}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(
            "file-exists",
            f"{str(folder)!r} is there already and not empty.",
            hint="Name a new folder.",
            path=str(folder),
        )
    source = folder / "photos"
    for name in ("JPEGImages", "Annotations"):
        (source / name).mkdir(parents=True)
    drawn = [_draw_picture(source, number, seed) for number in range(pictures)]
    return _finish(folder, source, drawn)


def _finish(folder: Path, source: Path, drawn: list[list[_Thing]]) -> Sample:
    boxes: dict[str, int] = {}
    for things in drawn:
        for thing in things:
            boxes[thing.label] = boxes.get(thing.label, 0) + 1
    outlines = [edit for number, things in enumerate(drawn) for edit in _outline_edits(number, things)]
    return Sample(
        source=source,
        outlines=_write_edits(folder / "outlines.jsonl", outlines),
        corrections=_write_edits(folder / "corrections.jsonl", _corrections(source, outlines)),
        pictures=len(drawn),
        boxes=dict(sorted(boxes.items())),
        polygons=len(outlines),
    )


def _draw_picture(source: Path, number: int, seed: int) -> list[_Thing]:
    chance = random.Random(f"{seed} {number}")  # noqa: S311 (pictures, not secrets)
    picture = _background(chance)
    draw = ImageDraw.Draw(picture)
    things = [_DRAWN_BY[label](draw, chance, place) for label, place in _plan(chance, number)]
    name = f"{number:04}"
    _with_grain(picture, chance).save(source / "JPEGImages" / f"{name}.jpg", quality=_JPEG_QUALITY)
    (source / "Annotations" / f"{name}.xml").write_text(_voc_xml(name, things), encoding="utf-8")
    return things


def _plan(chance: random.Random, number: int) -> list[tuple[str, int]]:
    """Labels and their places from left to right; trees are common, and the first pictures have every label."""
    animal = ("dog", "cat", "dog")[number % 3] if number < 3 else chance.choice(("", "dog", "cat"))
    labels = ["tree", chance.choice(("", "tree")), animal]
    chance.shuffle(labels)
    return [(label, place) for place, label in enumerate(labels) if label]


def _background(chance: random.Random) -> Image.Image:
    """Sky over grass, each a gradient."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(picture)
    sky = [chance.randint(120, 170), chance.randint(170, 200), chance.randint(210, 245)]
    grass = [chance.randint(60, 110), chance.randint(120, 160), chance.randint(50, 80)]
    for y in range(HEIGHT):
        base = sky if y < _HORIZON else grass
        draw.line([(0, y), (WIDTH, y)], fill=_shade(base, (y - _HORIZON) // 5))
    return picture


def _with_grain(picture: Image.Image, chance: random.Random) -> Image.Image:
    """Coarse and fine noise, as a camera in poor light would add."""
    for divisor, share in ((16, 0.14), (2, 0.10)):
        size = (WIDTH // divisor, HEIGHT // divisor)
        noise = Image.frombytes("RGB", size, chance.randbytes(3 * size[0] * size[1]))
        picture = Image.blend(picture, noise.resize(picture.size, Image.Resampling.BICUBIC), share)
    return picture


def _shade(colour: Iterable[int], by: int) -> tuple[int, ...]:
    return tuple(max(0, min(255, part + by)) for part in colour)


def _middle(chance: random.Random, place: int) -> int:
    return WIDTH * (2 * place + 1) // 6 + chance.randint(-12, 12)


def _ring(x: float, y: float, rx: float, ry: float, corners: int = 14) -> list[Point]:
    turns = [2 * math.pi * corner / corners for corner in range(corners)]
    return [(round(x + rx * math.cos(turn), 1), round(y + ry * math.sin(turn), 1)) for turn in turns]


def _tree(draw: ImageDraw.ImageDraw, chance: random.Random, place: int) -> _Thing:
    x, foot = _middle(chance, place), _HORIZON + chance.randint(10, 40)
    half, height = chance.randint(26, 40), chance.randint(60, 90)
    crown_y = foot - height
    draw.rectangle([x - 6, crown_y, x + 6, foot], fill=_shade((96, 66, 40), chance.randint(-15, 15)))
    crown = [
        (round(x + (px - x) * grow, 1), round(crown_y + (py - crown_y) * grow, 1))
        for (px, py), grow in ((point, chance.uniform(0.85, 1.1)) for point in _ring(x, crown_y, half, half))
    ]
    draw.polygon(crown, fill=_shade((40, 105, 50), chance.randint(-20, 20)))
    return _Thing("tree", [*crown, (x - 6.0, float(foot)), (x + 6.0, float(foot))])


def _dog(draw: ImageDraw.ImageDraw, chance: random.Random, place: int) -> _Thing:
    """From the side, looking right: a long body on four legs, a hanging ear, a tail."""
    x, foot, s = _middle(chance, place), chance.randint(195, 228), chance.uniform(0.85, 1.15)
    outline = [
        (-46, -52), (-32, -42), (20, -42), (26, -62), (42, -62), (56, -48), (42, -42), (34, -34), (30, 0), (20, 0),
        (18, -20), (-20, -20), (-22, 0), (-32, 0), (-34, -34),
    ]  # fmt: skip
    colour = chance.choice(((150, 100, 55), (70, 60, 55), (205, 180, 140)))
    points = _placed(outline, x, foot, s)
    draw.polygon(points, fill=colour)
    draw.polygon(_placed([(24, -62), (32, -60), (28, -44)], x, foot, s), fill=_shade(colour, -35))
    draw.ellipse([x + 40 * s, foot - 58 * s, x + 43 * s, foot - 55 * s], fill=(15, 15, 15))
    return _Thing("dog", points)


def _cat(draw: ImageDraw.ImageDraw, chance: random.Random, place: int) -> _Thing:
    """Sitting, seen from the front: a round body, two pointed ears, a tail at its side."""
    x, foot, s = _middle(chance, place), chance.randint(195, 228), chance.uniform(0.85, 1.15)
    outline = [
        (-20, 0), (-22, -22), (-14, -36), (-18, -50), (-16, -66), (-7, -58), (7, -58), (16, -66), (18, -50), (14, -36),
        (21, -24), (34, -30), (38, -26), (24, -8), (20, 0),
    ]  # fmt: skip
    colour = chance.choice(((190, 130, 70), (60, 60, 66), (215, 210, 200)))
    points = _placed(outline, x, foot, s)
    draw.polygon(points, fill=colour)
    for eye in (-7, 7):
        draw.ellipse([x + (eye - 2) * s, foot - 50 * s, x + (eye + 2) * s, foot - 46 * s], fill=(60, 120, 50))
    return _Thing("cat", points)


_DRAWN_BY: dict[str, Callable[[ImageDraw.ImageDraw, random.Random, int], _Thing]] = {
    "cat": _cat,
    "dog": _dog,
    "tree": _tree,
}


def _placed(outline: Iterable[tuple[int, int]], x: int, foot: int, scale: float) -> list[Point]:
    return [(round(x + dx * scale, 1), round(foot + dy * scale, 1)) for dx, dy in outline]


def _voc_xml(name: str, things: list[_Thing]) -> str:
    lines = [
        "<annotation>",
        f"  <filename>{name}.jpg</filename>",
        f"  <size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>",
    ]
    for thing in things:
        corners = zip(("xmin", "ymin", "xmax", "ymax"), thing.box, strict=True)
        box = "".join(f"<{corner}>{value}</{corner}>" for corner, value in corners)
        lines.append(f"  <object><name>{thing.label}</name><bndbox>{box}</bndbox></object>")
    return "\n".join([*lines, "</annotation>", ""])


def _within(value: float, limit: int) -> float:
    return min(max(value, 0.0), float(limit))


def _outline_edits(number: int, things: list[_Thing]) -> list[dict[str, Any]]:
    """Edits that add the outline of every dog of one picture, as a polygon with one part and one ring."""
    path = f"JPEGImages/{number:04}.jpg"
    edits = []
    for position, thing in enumerate(things):
        if thing.label == "dog":
            instance = {
                "geometry": [[[value for x, y in thing.outline for value in (_within(x, WIDTH), _within(y, HEIGHT))]]],
                "instance_id": derived_instance_id("sample", path, str(position)),
                "label": thing.label,
                "source": "human",
                "type": "polygon",
            }
            edits.append({"op": "add", "path": path, "instance": instance})
    return edits


def _corrections(source: Path, outlines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first dog's box moved a little, and the second dog called a cat; ids as the import derives them."""
    problems: list[Problem] = []
    records = (record for record in pascal_voc.read(source, problems.append) if isinstance(record, FileRecord))
    dogs = [(record.path, found) for record in records for found in record.instances if found.label == "dog"]
    (path, moved), (other_path, cat) = dogs[:2]
    x0, y0, x1, y1 = moved.coordinates
    dx = 6 if x1 + 6 <= WIDTH else -6
    outline = next(edit["instance"]["instance_id"] for edit in outlines if edit["path"] == other_path)
    return [
        _update(path, moved.instance_id, {"geometry": [x0 + dx, y0 + 4, x1 + dx, y1 + 4]}),
        _update(other_path, cat.instance_id, {"label": "cat", "attributes": {"reviewed": True}}),
        _update(other_path, outline, {"label": "cat"}),
    ]


def _update(path: str, instance_id: str, changes: dict[str, Any]) -> dict[str, Any]:
    return {"op": "update", "path": path, "instance_id": instance_id, "set": changes}


def _write_edits(file: Path, edits: Iterable[dict[str, Any]]) -> Path:
    file.write_bytes(msgspec.json.Encoder().encode_lines(edits))
    return file
