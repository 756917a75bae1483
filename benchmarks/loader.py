"""Time and memory of reading pictures in random order, as a training run does.

    loader.py FOLDER [--files 100000] [--bytes 15000] [--seed 1] [--workers 0 1 2] [--times 3] [--readers ...]

Makes in FOLDER, where they are not there yet, the same seeded bytes as loose files, as a repository, and for the peers
as Parquet for Hugging Face `datasets`, as Lance and as WebDataset shards. Each peer has its own environment there. Then
an epoch is read from each, every picture once, as bytes; `readers.py` says how. Readers take turns; the median of the
times is given, and that of the ratios to loose files in the same turn. With workers, that many processes begin at one
moment, each reads its share, and the slowest counts; nothing is sent between them. `busy` is the ratio in seconds of
processor, of all workers together: it says more where others use the machine.

`tdvc` is the loader as it is, going through an epoch; `tdvc-each` takes `samples[i].bytes` one by one instead,
`tdvc-unmapped` reads by calls, `tdvc-full` hashes every byte.

The page cache is warm: the system is asked to forget each file (`posix_fadvise`), for it keeps what was written in
smaller pieces than what was read; then all is read once, file by file, and an epoch that is not counted. `--cold` asks
it to forget before each epoch, which it may not do; those rates say what the disk does.

Memory is what a worker has beyond an interpreter that read nothing: its peak (`VmHWM`), where mapped files count
although they are the system's cache and shared, and its private part (`RssAnon`), for which the limit is.
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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compare import progress
from peers import Tool, Unavailable, install, programs

PROGRAM = Path(__file__).with_name("readers.py")
LEAST_RATIO, OPEN_SECONDS, WORKER_MB = 4.0, 0.3, 150.0


def peer(name: str, package: str) -> Tool:
    shown = f"python -c 'import importlib.metadata as m; print(m.version(\"{package}\"))'"
    return Tool(name=name, version=shown, package=package, peer=True, steps={})


PEERS = {
    "parquet": peer("parquet", "datasets"),
    "lance": peer("lance", "pylance"),
    "webdataset": peer("webdataset", "webdataset"),
}
TO_BE_BEATEN = ("parquet", "lance")
"""Those that read in random order, too."""
Runs = dict[str, list[dict[str, float]]]
"""The epochs of each reader."""
READERS = ("loose", "tdvc", "tdvc-each", "tdvc-unmapped", "tdvc-full", *PEERS)


def command(what: str, reader: str, folder: Path, options: argparse.Namespace) -> list[str]:
    """How `readers.py` is called for a reader."""
    python = str(programs(PEERS[reader], options.folder) / "python") if reader in PEERS else sys.executable
    numbers = (f"--files={options.files}", f"--bytes={options.bytes}", f"--seed={options.seed}")
    return [python, str(PROGRAM), what, reader, str(folder), *numbers]


def place_of(folder: Path, reader: str) -> Path:
    return folder / reader.split("-")[0]


def side_by_side(reader: str, options: argparse.Namespace, world: int) -> list[dict[str, float]]:
    """Read one epoch in processes that begin at one moment; what each says."""
    common = command("read", reader, place_of(options.folder, reader), options)
    running = [
        subprocess.Popen(
            [*common, f"--rank={rank}", f"--world={world}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    ready = [process.stdout.readline() for process in running if process.stdout]
    if ready != ["ready\n"] * world:
        for process in running:
            process.kill()
        raise SystemExit(f"{reader} could not begin")
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0]) for process in running]


def forget(folder: Path) -> None:
    """Ask the system to drop what it keeps of the files below a folder."""
    os.sync()
    for place in folder.rglob("*"):
        if place.is_file():
            descriptor = os.open(place, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def warm(folder: Path) -> None:
    """Read everything below a folder once, as a copy would."""
    forget(folder)
    for place in sorted(folder.rglob("*")):
        if place.is_file():
            with place.open("rb") as file:
                while file.read(1 << 20):
                    pass


def epoch(reader: str, options: argparse.Namespace, workers: int) -> dict[str, float]:
    """The seconds of an epoch, those of processor, and the most memory of a worker."""
    if options.cold:
        forget(place_of(options.folder, reader))
    found = side_by_side(reader, options, max(1, workers))
    total = sum(one["bytes"] for one in found)
    if total != options.files * options.bytes:
        raise SystemExit(f"{reader} read {total} bytes of {options.files * options.bytes}")
    most = {name: max(one[name] for one in found) for name in ("seconds", "peak_mb", "private_mb")}
    return {**most, "busy_seconds": sum(one["busy_seconds"] for one in found)}


def take_turns(readers: Sequence[str], options: argparse.Namespace, workers: int) -> Runs:
    """Some epochs of each reader; who begins changes."""
    runs: Runs = {reader: [] for reader in readers}
    for number in range(options.times + (not options.cold)):
        first = number % len(readers)
        for reader in (*readers[first:], *readers[:first]):
            found = epoch(reader, options, workers)
            if number or options.cold:  # the first one warms
                runs[reader].append(found)
    return runs


def ratio(runs: Runs, reader: str, to: str, what: str = "seconds") -> float:
    """How much longer `to` takes than a reader, measured in the same turn; the median of all turns, or NaN."""
    pairs = zip(runs[reader], runs.get(to, ()), strict=False)
    return statistics.median([other[what] / one[what] for one, other in pairs] or [float("nan")])


def report(runs: Runs, options: argparse.Namespace, workers: int, idle: dict[str, float]) -> list[str]:
    """Print the epochs; the limits that were missed."""
    missed = []
    for reader, found in runs.items():
        seconds = statistics.median(run["seconds"] for run in found)
        peak, private = (max(run[name] for run in found) - idle[name] for name in ("peak_mb", "private_mb"))
        to_loose, busy = ratio(runs, reader, "loose"), ratio(runs, reader, "loose", "busy_seconds")
        said = f"{seconds:8.3f} s {seconds / options.files * 1e6:7.2f} us each {to_loose:6.2f}x loose {busy:6.2f}x busy"
        print(f"{workers} workers  {reader:<13} {said} {peak:6.0f} MB peak {private:5.0f} MB private", flush=True)
        if reader == "tdvc" and private > WORKER_MB:
            missed.append(f"{workers} workers: {private:.0f} MB private, limit {WORKER_MB:.0f}")
        if reader == "tdvc" and to_loose < LEAST_RATIO:
            missed.append(f"{workers} workers: {to_loose:.2f}x loose files, limit {LEAST_RATIO}")
        if reader in TO_BE_BEATEN and ratio(runs, reader, "tdvc") > 1:
            missed.append(f"{workers} workers: {reader} is ahead")
    return missed


def opening(options: argparse.Namespace) -> dict[str, float]:
    """Seconds of each part of opening in a new process."""
    argv = command("open", "tdvc", place_of(options.folder, "tdvc"), options)
    found = [json.loads(subprocess.run(argv, check=True, capture_output=True).stdout) for _ in range(5)]
    if any(one["files"] != options.files for one in found):
        raise SystemExit(f"opened {found[0]['files']} files of {options.files}")
    median = {name: statistics.median(one[name] for one in found) for name in ("import", "open", "first")}
    parts = f"{median['import']:.3f} s imports before, {median['first']:.3f} s the first picture after"
    print(f"{median['open']:.3f} s to open {options.files:,} files in a new process (limit {OPEN_SECONDS}); {parts}")
    return median


def make_missing(options: argparse.Namespace) -> list[str]:
    """Make what is not there; the readers that can be measured."""
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for reader in options.readers:
        try:
            if reader in PEERS:
                print(f"{reader}: {PEERS[reader].package} {install(PEERS[reader], options.folder)}")
        except Unavailable as reason:
            print(f"{reader} is left out: {reason}")
            continue
        place = place_of(options.folder, reader)
        if not place.exists():
            progress(f"making {place.name}")
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            subprocess.run(command("make", place.name, part, options), check=True, stdout=subprocess.DEVNULL)
            part.rename(place)
        kept.append(reader)
    return kept


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time and memory of reading pictures in random order.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=15_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--json", type=Path, help="where every single figure goes")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    return options


def main() -> int:
    """Read the arguments, measure, and say whether the limits were kept."""
    options = arguments()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    readers = make_missing(options)
    (idle,) = side_by_side("nothing", options, 1)
    figures: dict[str, Any] = {"cache": "cold" if options.cold else "warm", "interpreter": idle}
    missed = []
    if "tdvc" in readers:
        figures["opening"] = opening(options)
        missed += ["opening"] * (figures["opening"]["open"] > OPEN_SECONDS)
    for folder in {place_of(options.folder, reader) for reader in readers if not options.cold}:
        warm(folder)
    for workers in options.workers:
        figures[f"{workers} workers"] = runs = take_turns(readers, options, workers)
        missed += report(runs, options, workers, idle)
    if options.json:
        options.json.write_text(json.dumps(figures))
    print("\n".join(f"missed: {one}" for one in missed) or "all limits were kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
