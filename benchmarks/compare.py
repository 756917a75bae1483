"""Time the same steps in tdvc, in its peers and in the plainest commands that move the same bytes.

    compare.py --files 10000 --repeat 3 --work DIR [--tools tdvc,git,dvc] [--json FILE]

Every figure is a whole command, start of the process included, as for a person at a shell. The machine is never quiet,
so figures taken at different moments cannot be compared: at each step all tools take turns, in another order each time,
and what counts is the median and the ratio to what ran beside it. Dirty pages of one tool are flushed before the next
one starts, and what a step reads is read once beforehand, so that nobody pays for another's leftovers. A repetition
begins with fresh repositories; a rehearsal on few pictures comes first, which shows early what does not work and loads
the programs into memory. A checkout counts only if every byte is right.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from peers import TOOLS, Tool, Unavailable, install, path_variable, words
from report import STEPS, Figures, Measurement, Step, report

PICTURES = Path(__file__).with_name("pictures.py")
REHEARSAL_FILES = 200
SETTLE_SECONDS = 2.1


class Failed(Exception):
    """A command of a tool did not do its work; the message says which and what it printed."""


def timed(argv: Sequence[str], tree: Path, environment: dict[str, str], log: Path) -> tuple[float, float, int]:
    """Run one command: seconds on the clock, seconds of processor, bytes of its largest process.

    Linux counts the memory of the process that starts another one as the other's first size, so no command seems
    smaller than this program: it must stay small, and reads nothing big itself.

    Raises:
        Failed: the command ended with anything but 0.
    """
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            argv, cwd=tree, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = log.read_text(errors="replace").strip()[-500:]
        raise Failed(f"`{' '.join(argv)}` ended with {process.returncode}: {said}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


class Place:
    """The folder of one tool, in which its repository lives for one repetition."""

    def __init__(self, tool: Tool, work: Path, thousand: str) -> None:
        self.tool = tool
        self.folder = work / "places" / tool.name
        self.tree = self.folder / "tree"
        self.values = {
            "work": str(work),
            "place": str(self.folder),
            "python": sys.executable,
            "thousand": thousand,
        }
        self.environment = {
            "PATH": path_variable(tool, work),
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "bench" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "bench@example.org" for who in ("AUTHOR", "COMMITTER")},
            **{name: value.format_map(self.values) for name, value in tool.environment.items()},
        }

    def begin(self, data: Path) -> None:
        """Start anew: an empty repository next to a copy of `data`."""
        self.remove()
        (self.folder / "home").mkdir(parents=True)
        shutil.copytree(data, self.tree / "data")
        self.run(self.tool.setup, 0)

    def remove(self) -> None:
        """Delete everything of this tool."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def perform(self, step: Step, repetition: int, run: int, data: Path) -> Measurement:
        """Prepare, time and check one run of a step the tool has."""
        self.run(self.tool.before.get(step.name, ()), run)
        if step.reads:
            reader = ["find", str(self.tree), "-type", "f", "-exec", "cat", "{}", "+"]
            subprocess.run(reader, stdout=subprocess.DEVNULL, check=True)
        os.sync()
        costs = self.run(self.tool.steps[step.name], run)
        if step.name == "checkout":
            self.check(data)
        return Measurement(self.tool.name, step.name, repetition, run, *costs)

    def run(self, commands: Iterable[str], run: int) -> tuple[float, float, int]:
        """Run commands one after the other: their seconds, processor seconds and the bytes of the largest process."""
        values = {**self.values, "run": str(run)}
        log = self.folder / "output.txt"
        costs = [timed(words(command, values), self.tree, self.environment, log) for command in commands]
        return sum(c[0] for c in costs), sum(c[1] for c in costs), max((c[2] for c in costs), default=0)

    def check(self, data: Path) -> None:
        """Raise `Failed` unless what was checked out equals `data`, but for what the tool adds by design."""
        excluded = [f"--exclude={name}" for name in self.tool.extras]
        compare = ["diff", "-rq", *excluded, str(data), str(self.tree / self.tool.out)]
        found = subprocess.run(compare, capture_output=True, text=True)
        if found.returncode:
            raise Failed(f"the checkout is not what was added: {(found.stdout + found.stderr)[:500]}")


class Race:
    """The tools that run; one whose command fails leaves, and `dropped` says why."""

    def __init__(self, tools: Sequence[Tool], work: Path) -> None:
        self.tools = tools
        self.work = work
        self.dropped: dict[str, str] = {}

    def repeat(self, data: Path, repetition: int) -> Iterator[Measurement]:
        """Fresh repositories, then every step in every tool."""
        files = write_changes(data, self.work)
        racing = [tool for tool in self.tools if tool.name not in self.dropped]
        places = [Place(tool, self.work, about_a_thousand(files)) for tool in racing]
        for place in places:
            try:
                place.begin(data)
            except Failed as failure:
                self.drop(place, failure)
        for step in STEPS:
            progress(f"repetition {repetition}, {files:,} files: {step.title}")
            if step.settles:
                time.sleep(SETTLE_SECONDS)
            for run in range(step.runs):
                yield from self.turns(places, step, repetition, run, data)
        for place in places:
            place.remove()

    def turns(
        self, places: Sequence[Place], step: Step, repetition: int, run: int, data: Path
    ) -> Iterator[Measurement]:
        """One run of a step in every tool that has it; who begins changes from run to run."""
        first = (repetition + run) % max(1, len(places))
        for place in (*places[first:], *places[:first]):
            if step.name in place.tool.steps and place.tool.name not in self.dropped:
                try:
                    yield place.perform(step, repetition, run, data)
                except Failed as failure:
                    self.drop(place, failure)

    def drop(self, place: Place, failure: Failed) -> None:
        """Take a tool out of the race."""
        self.dropped[place.tool.name] = str(failure)
        progress(f"{place.tool.name} is out: {failure}")


def about_a_thousand(files: int) -> str:
    """A pattern that fits about 1,000 of `files` pictures in 100 class folders; fewer where there are fewer."""
    if files >= 100_000:
        return "class_000/*"
    return "class_00?/*" if files >= 10_000 else "class_0??/*"


def write_changes(data: Path, work: Path) -> int:
    """Write what the steps change, anew pictures and edits of annotations, and count the pictures of `data`."""
    shutil.rmtree(work / "changes", ignore_errors=True)
    draw(data, "--edit-percent", "1", "--into", str(work / "changes"))
    for run, folder in enumerate(sorted(os.listdir(data))[:3]):
        box = {"label": "dog", "type": "box", "geometry": [1, 2, 30, 40]}
        edit = {"op": "add", "path": f"{folder}/{min(os.listdir(data / folder))}", "instance": box}
        (work / f"edits{run}.jsonl").write_text(json.dumps(edit) + "\n")
    return sum(len(names) for _, _, names in os.walk(data))


def draw(folder: Path, *arguments: str) -> None:
    """Run the generator of pictures, as a process of its own."""
    subprocess.run([sys.executable, str(PICTURES), str(folder), *arguments], check=True)


def drawn(work: Path, files: int) -> Path:
    """The folder of `files` new pictures, made if it is not there yet."""
    folder = work / f"pictures-{files}"
    if not folder.exists():
        progress(f"drawing {files:,} pictures")
        unfinished = work / f"pictures-{files}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        draw(unfinished, "--files", str(files))
        unfinished.rename(folder)
    return folder


def file_system(folder: Path) -> tuple[str, bool]:
    """The type of the file system that holds a folder, and whether it is an ext4 known to have no journal."""
    try:
        mounts = [line.split()[:3] for line in Path("/proc/mounts").read_text().splitlines()]
        journals = os.listdir("/proc/fs/jbd2")
    except OSError:
        return "unknown", False
    holding = [mount for mount in mounts if folder.is_relative_to(mount[1])]
    device, _, kind = max(holding, key=lambda mount: len(mount[1]), default=("", "", "unknown"))
    name = Path(device).resolve().name
    return kind, kind == "ext4" and not any(entry.startswith(f"{name}-") for entry in journals)


def progress(words: str) -> None:
    """Say on stderr what is going on."""
    print(words, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Time the same steps in tdvc, its peers and cp.")
    parser.add_argument("--files", type=int, default=10_000, help="how many pictures to draw")
    parser.add_argument("--data", type=Path, help="a folder of class folders to use instead of drawing pictures")
    parser.add_argument("--repeat", type=int, default=3, help="how often to begin with fresh repositories")
    parser.add_argument("--tools", default="", help=f"some of {','.join(tool.name for tool in TOOLS)}")
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="the folder to work in")
    parser.add_argument("--json", type=Path, help="write every single run there")
    options = parser.parse_args()
    options.wanted = [tool for tool in TOOLS if not options.tools or tool.name in options.tools.split(",")]
    unknown = set(filter(None, options.tools.split(","))) - {tool.name for tool in TOOLS}
    if unknown:
        parser.error(f"no such tool: {', '.join(sorted(unknown))}")
    return options


def available(wanted: Sequence[Tool], work: Path) -> dict[str, str]:
    """Name and version of every tool that runs here, installed where need be."""
    versions = {}
    for tool in wanted:
        try:
            versions[tool.name] = install(tool, work)
        except Unavailable as reason:
            print(f"  {tool.name:12}skipped: {reason}")
        else:
            print(f"  {tool.name:12}{versions[tool.name]}", flush=True)
    return versions


def main() -> int:
    """Measure and print; 1 if a tool failed on the way."""
    options = arguments()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    kind, unjournalled = file_system(work)
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {kind}")
    if unjournalled:
        print("WARNING: this ext4 has no journal; times of writing on it mean little, see README.md")
    versions = available(options.wanted, work)
    tools = [tool for tool in options.wanted if tool.name in versions]
    if not tools:
        return 1
    data = (options.data or drawn(work, options.files)).resolve()
    race = Race(tools, work)
    for _ in race.repeat(drawn(work, REHEARSAL_FILES), 0):
        pass
    measurements: list[Measurement] = []
    about: dict[str, Any] = {"platform": platform.platform(), "file_system": kind, "data": str(data)}
    about |= {"versions": versions, "dropped": race.dropped}
    for repetition in range(1, options.repeat + 1):
        measurements += race.repeat(data, repetition)
        if options.json:
            record = {**about, "measurements": [asdict(measurement) for measurement in measurements]}
            options.json.write_text(json.dumps(record, indent=1) + "\n")
    report(Figures(measurements, tools), sum(len(names) for _, _, names in os.walk(data)), race.dropped)
    return 1 if race.dropped else 0


if __name__ == "__main__":
    sys.exit(main())
