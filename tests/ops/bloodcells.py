"""A Pascal VOC set in the shape of BCCD: blood cells, three classes, some pictures without platelets."""

from __future__ import annotations

from pathlib import Path

from tests.ops.build import jpeg

LABELS = ("RBC", "WBC", "Platelets")


def cells_of(number: int) -> list[tuple[str, tuple[int, int, int, int]]]:
    """The objects of one picture."""
    cells = [("WBC", (260, 177 + number, 491, 376 + number))]
    cells += [("RBC", (10 * i, 20 + number, 10 * i + 90, 110 + number)) for i in range(number % 5 + 8)]
    if number % 3 == 0:
        cells += [("Platelets", (300 + i, 15, 340 + i, 50)) for i in range(number % 2 + 1)]
    return cells


def write_set(folder: Path, count: int = 12) -> Path:
    """Write `count` pictures and their annotation; always the same."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_picture(folder, number)
    names = "".join(f"{name_of(number)}\n" for number in range(0, count, 4))
    (folder / "ImageSets/Main/val.txt").write_text(names)
    return folder


def name_of(number: int) -> str:
    return f"BloodImage_{number:05}"


def write_picture(folder: Path, number: int, cells: list | None = None) -> None:
    name = name_of(number)
    (folder / f"JPEGImages/{name}.jpg").write_bytes(jpeg(f"blood {number}"))
    objects = "".join(
        f"<object><name>{label}</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
        f"<bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for label, (a, b, c, d) in (cells_of(number) if cells is None else cells)
    )
    (folder / f"Annotations/{name}.xml").write_text(
        f"<annotation verified='yes'><folder>JPEGImages</folder><filename>{name}.jpg</filename>"
        f"<path>/home/pi/detection/{name}.jpg</path><source><database>Unknown</database></source>"
        f"<size><width>640</width><height>480</height><depth>3</depth></size><segmented>0</segmented>"
        f"{objects}</annotation>"
    )


def instance_count(count: int) -> int:
    return sum(len(cells_of(number)) for number in range(count))
