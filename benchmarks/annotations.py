"""Time annotation in and out, beside Datumaro and pycocotools on the same COCO file.

    annotations.py --images 100000 --work DIR [--tools tdvc,datumaro,pycocotools] [--repeat 3] [--json FILE]

The file has nine polygons a picture; a second version of it has one picture of a hundred edited (`polygons.py`). tdvc
is measured as a person at a shell would: whole commands, start of Python and sync of the disk included, from a
directory that has the pictures to one whose import is committed. Of the others only the call itself is timed, inside a
process that has loaded them, and for an export not the import before it. YOLO is written as boxes, for outlines are not
written there by Datumaro. Every measurement is a process of its own, and
the tools take turns.

What tdvc says it did is compared with what was edited: the instance sets that were written, and every instance that
`tdvc diff` names. What does not fit ends the run with an error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compare import Failed, available, file_system, progress, timed
from peers import Tool, path_variable
from report import UNITS

POLYGONS = Path(__file__).with_name("polygons.py")
FILE = Path("annotations") / "instances_train.json"

STEPS = {
    "import": "import the file",
    "import-again": "import it again, nothing changed",
    "import-changed": "import the second version, 1 % of the pictures edited",
    "diff": "what changed between the two commits, every instance named",
    "export-yolo": "export to YOLO, as boxes",
    "export-coco": "export to COCO",
}

TDVC = Tool(name="tdvc", version="tdvc --version", steps={})
DATUMARO = Tool(
    name="datumaro",
    version="python -c 'import datumaro; print(datumaro.__version__)'",
    package="datumaro",
    steps={},
)
PYCOCOTOOLS = Tool(
    name="pycocotools",
    version="python -c 'import importlib.metadata as m; print(m.version(\"pycocotools\"))'",
    package="pycocotools",
    steps={},
)
TOOLS = (TDVC, DATUMARO, PYCOCOTOOLS)

IN_DATUMARO = """
import sys, time
from datumaro import Dataset
source, form, folder = sys.argv[1:]
began = time.perf_counter()
data = Dataset.import_from(source, "coco_instances")
assert sum(len(item.annotations) for item in data)
if form:
    began = time.perf_counter()
    data.export(folder, form, save_media=False)
print("seconds", time.perf_counter() - began)
"""

IN_PYCOCOTOOLS = """
import sys, time
from pycocotools.coco import COCO
began = time.perf_counter()
assert COCO(sys.argv[1]).anns
print("seconds", time.perf_counter() - began)
"""

WITH_PROBLEMS = ("sh", "-c", 'tdvc "$@" || [ $? -eq 3 ]', "tdvc")
"""tdvc, which may also say that it is done and some things were left out, as polygons of two parts are in YOLO."""

COUNT_SETS = """
import sys
from tdvc.ids import Kind
from tdvc.objects.pack import PackReader
from tdvc.storage.local import LocalStorage
storage = LocalStorage(sys.argv[1])
packs = [PackReader(storage, f"packs/{name}") for name in storage.names("packs")]
print(len({identity for pack in packs for kind, identity, _ in pack.entries() if kind is Kind.INSTANCES}))
"""


@dataclass(frozen=True)
class Budget:
    """tdvc may take so many times what another tool took at a step, or so many seconds (`s`) or 10^6 bytes (`MB`)."""

    step: str
    factor: float
    of: str

    def __str__(self) -> str:
        return f"{self.step}: at most {self.factor:g}{' ' if self.of in UNITS else ' x '}{self.of}"


BUDGETS = (
    Budget("import", 0.25, "datumaro"),
    Budget("import", 2000, "MB"),
    Budget("diff", 3, "s"),
    Budget("export-yolo", 0.5, "datumaro"),
    Budget("export-coco", 0.5, "datumaro"),
)


@dataclass(frozen=True)
class Measurement:
    """One step in one tool."""

    tool: str
    step: str
    repetition: int
    seconds: float
    cpu_seconds: float
    rss_bytes: int


class Place:
    """Where a tool works, and what it works on."""

    def __init__(self, tool: Tool, work: Path, data: Path) -> None:
        self.tool = tool
        self.data = data
        self.folder = work / "places" / tool.name
        self.log = self.folder / "output.txt"
        self.environment = {"PATH": path_variable(tool, work), "HOME": str(self.folder), "LANG": "C.UTF-8"}

    def begin(self) -> None:
        """Start with an empty folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def run(self, *command: str) -> tuple[float, float, int]:
        """Seconds on the clock, seconds of processor and the bytes of the largest process; see `timed`."""
        return timed(command, self.folder, self.environment, self.log)

    def said(self) -> str:
        """What the last command printed."""
        return self.log.read_text(errors="replace")

    def annotations(self, version: str) -> str:
        """The path of the COCO file."""
        return str(self.data / version / FILE)


def in_tdvc(place: Place) -> Iterator[tuple[str, tuple[float, float, int]]]:
    """Every step, in the order in which one needs the other."""
    edits = json.loads((place.data / "edits.json").read_text())
    place.run("tdvc", "init")
    place.run("tdvc", "add", str(place.data / "pictures"), "-d", "Main")
    yield (
        "import",
        total(place.run("tdvc", "import", place.annotations("first")), place.run("tdvc", "commit", "-m", "first")),
    )
    sets = count_sets(place)
    costs = place.run("tdvc", "import", place.annotations("first"))
    must("Nothing changed." in place.said(), "the same file was imported again and changed something")
    yield "import-again", costs
    costs = place.run("tdvc", "import", place.annotations("second"))
    written, edited = count_sets(place) - sets, len({path for path, *_ in edits})
    must(written == edited, f"{written} instance sets were written for {edited} edited pictures")
    yield "import-changed", total(costs, place.run("tdvc", "commit", "-m", "second"))
    costs = place.run("tdvc", "diff", "Main~1", "Main@", "--json")
    must(sorted(named(json.loads(place.said()))) == sorted(map(tuple, edits)), "the diff does not name what was edited")
    yield "diff", costs
    for form in ("yolo", "coco"):
        options = ("--format", form, "--all", "--pictures", "none", *(("--boxes",) if form == "yolo" else ()))
        yield f"export-{form}", place.run(*WITH_PROBLEMS, "export", "Main@", str(place.folder / form), *options)


def count_sets(place: Place) -> int:
    """How many instance sets the store has."""
    place.run(sys.executable, "-c", COUNT_SETS, str(place.folder / ".tdvc"))
    return int(place.said())


def named(diff: dict[str, Any]) -> Iterator[tuple[str, str, int]]:
    """Every instance that a diff names: its picture, what was done, its COCO id."""
    for change in diff["files"]:
        for instance in change["instances"]:
            said = instance["after"] or instance["before"]
            kind = instance["kind"]
            if kind == "changed":
                kind = "moved" if instance["moved"] else "relabelled"
            yield change["path"], kind, said["properties"]["coco"]["id"]


def in_datumaro(place: Place) -> Iterator[tuple[str, tuple[float, float, int]]]:
    """Import, and the two exports."""
    source = str(place.data / "first")
    for step, form in (("import", ""), ("export-yolo", "yolo"), ("export-coco", "coco_instances")):
        yield step, inside(place, IN_DATUMARO, source, form, str(place.folder / step))


def in_pycocotools(place: Place) -> Iterator[tuple[str, tuple[float, float, int]]]:
    """Reading the file is all there is."""
    yield "import", inside(place, IN_PYCOCOTOOLS, place.annotations("first"))


RUNS: dict[str, Callable[[Place], Iterator[tuple[str, tuple[float, float, int]]]]] = {
    "tdvc": in_tdvc,
    "datumaro": in_datumaro,
    "pycocotools": in_pycocotools,
}


def inside(place: Place, script: str, *arguments: str) -> tuple[float, float, int]:
    """What a script says that its call took, and the memory of its process."""
    _, cpu_seconds, rss_bytes = place.run("python", "-W", "ignore", "-c", script, *arguments)
    said = [line.split() for line in place.said().splitlines() if line.startswith("seconds ")]
    must(len(said) == 1, "the script did not come to its end")
    return float(said[0][1]), cpu_seconds, rss_bytes


def total(*costs: tuple[float, float, int]) -> tuple[float, float, int]:
    """The costs of commands one after the other."""
    return sum(c[0] for c in costs), sum(c[1] for c in costs), max(c[2] for c in costs)


def must(holds: bool, otherwise: str) -> None:
    """Raise `Failed` unless something holds."""
    if not holds:
        raise Failed(otherwise)


def drawn(work: Path, images: int) -> Path:
    """The folder with the files, made if it is not there yet."""
    folder = work / f"polygons-{images}"
    if not folder.exists():
        progress(f"drawing polygons on {images:,} pictures")
        unfinished = work / f"polygons-{images}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        subprocess.run([sys.executable, str(POLYGONS), str(unfinished), "--images", str(images)], check=True)
        unfinished.rename(folder)
    return folder


def measured(tools: Sequence[Tool], work: Path, data: Path, repetition: int) -> Iterator[Measurement]:
    """One repetition: at every step the tools take turns."""
    places = [Place(tool, work, data) for tool in tools]
    for place in places:
        place.begin()
    running = {place.tool.name: RUNS[place.tool.name](place) for place in places}
    while running:
        for name, run in list(running.items()):
            os.sync()
            found = next(run, None)
            if found is None:
                del running[name]
                continue
            progress(f"repetition {repetition}, {name}, {found[0]}: {found[1][0]:.2f} s")
            yield Measurement(name, found[0], repetition, *found[1])
    for place in places:
        shutil.rmtree(place.folder)


class Figures:
    """Medians of the seconds, and the most memory."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._measurements = measurements

    def of(self, tool: str, step: str) -> tuple[float, float] | None:
        """Seconds and 10^6 bytes, None where it was not measured."""
        runs = [m for m in self._measurements if (m.tool, m.step) == (tool, step)]
        if not runs:
            return None
        return statistics.median(run.seconds for run in runs), max(run.rss_bytes for run in runs) / 1e6

    def row(self, step: str) -> str:
        """A step in every tool, and the ratios of tdvc to the others."""
        cells, own = [], self.of(TDVC.name, step)
        for tool in TOOLS:
            found = self.of(tool.name, step)
            cells.append(f"{f'{found[0]:.2f} s {found[1]:>6.0f} MB' if found else '':>20}")
        ratios = [
            f"{own[0] / other[0]:.2f} x {tool.name}"
            for tool in TOOLS[1:]
            if own and (other := self.of(tool.name, step)) is not None
        ]
        return f"  {step:16}{''.join(cells)}   {', '.join(ratios)}".rstrip()

    def verdict(self, budget: Budget) -> str:
        """One budget as a line: met, missed or not measured."""
        own = self.of(TDVC.name, budget.step)
        beside = (1.0, 1.0) if budget.of in UNITS else self.of(budget.of, budget.step)
        if own is None or beside is None:
            return f"  -       {budget}, not measured"
        value, limit = own[budget.of == "MB"], budget.factor * beside[0]
        return f"  {'met   ' if value <= limit else 'MISSED'}  {budget}: {value:.3g}, limit {limit:.3g}"


def report(measurements: Sequence[Measurement], images: int) -> None:
    """Print every step and every budget."""
    figures = Figures(measurements)
    print(f"\n{images:,} pictures")
    print(f"  {'':16}{''.join(f'{tool.name:>20}' for tool in TOOLS)}")
    for step in STEPS:
        print(figures.row(step))
    print("\nbudgets")
    print(*map(figures.verdict, BUDGETS), sep="\n")


def main() -> int:
    """Measure and print; 1 where a tool failed."""
    parser = argparse.ArgumentParser(description="Time annotation in and out beside Datumaro and pycocotools.")
    parser.add_argument("--images", type=int, default=100_000, help="how many pictures, of nine polygons each")
    parser.add_argument("--repeat", type=int, default=1, help="how often to begin anew")
    parser.add_argument("--tools", default="", help=f"some of {','.join(tool.name for tool in TOOLS)}")
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="the folder to work in")
    parser.add_argument("--json", type=Path, help="write every single measurement there")
    options = parser.parse_args()
    wanted = [tool for tool in TOOLS if not options.tools or tool.name in options.tools.split(",")]
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    kind, _ = file_system(work)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {kind}")
    versions = available(wanted, work)
    tools = [tool for tool in wanted if tool.name in versions]
    data = drawn(work, options.images)
    measurements: list[Measurement] = []
    try:
        for repetition in range(1, options.repeat + 1):
            for measurement in measured(tools, work, data, repetition):
                measurements.append(measurement)
                if options.json:
                    record = {"versions": versions, "images": options.images}
                    options.json.write_text(json.dumps(record | {"runs": [asdict(m) for m in measurements]}, indent=1))
    except Failed as failure:
        print(f"\nfailed: {failure}")
        return 1
    finally:
        report(measurements, options.images)
    return 0


if __name__ == "__main__":
    sys.exit(main())
