"""Time and memory of reading pictures in random order, as a training run does.

    loader.py FOLDER [--files 100000] [--bytes 15000] [--seed 1] [--workers 0 2] [--times 3] [--peers ...]

Makes in FOLDER, where they are not there yet, the same seeded bytes as loose files, as a repository, and for the peers
whose library is installed as Parquet for Hugging Face `datasets`, as Lance and as WebDataset shards. Then an epoch is
read from each, every picture once, as bytes. All read in the same random order but WebDataset, which is read in the
order of its shards, for it can't do otherwise. Readers take turns; the median of the rates is given, and the ratio to
loose files. With workers, each forked process reads its share and nothing is sent between them.

The page cache is warm: everything is read once before. `--cold` asks the system to forget each file before each epoch
(`posix_fadvise`), which it may not do; those rates say what the disk does.

Memory is what a worker has beyond a process that read nothing: its peak (`VmHWM`), where mapped files count although
they are the system's cache and shared, and its private part (`RssAnon`), for which the limit is.
"""

# ruff: noqa: PLC0415 - each peer's library is imported where it is measured

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import json
import multiprocessing
import os
import random
import resource
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tdvc
from tdvc.ids import Kind
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository

READERS = ("loose", "tdvc", "tdvc-unmapped", "tdvc-full", "parquet", "lance", "webdataset")
LIBRARIES = {"parquet": "datasets", "lance": "lance", "webdataset": "webdataset"}
HOW: dict[str, dict[str, Any]] = {"tdvc-unmapped": {"memory_map": False}, "tdvc-full": {"verify": "full"}}
LEAST_RATIO, OPEN_SECONDS, WORKER_MB = 4.0, 0.3, 150.0
TOGETHER = 2000
Pictures = Sequence[tuple[str, bytes]]
Read = Callable[[Path, Sequence[int], int, int], int]


def picture(number: int, length: int, seed: int) -> bytes:
    """Bytes that begin like a JPEG and do not compress."""
    return b"\xff\xd8\xff" + random.Random(seed * 1_000_003 + number).randbytes(length - 3)


def path_of(number: int) -> str:
    return f"{number % 100:02}/{number:07}.jpg"


def make_loose(folder: Path, options: argparse.Namespace) -> None:
    for number in range(options.files):
        place = folder / path_of(number)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(number, options.bytes, options.seed))


def make_tdvc(folder: Path, options: argparse.Namespace) -> None:
    repository = Repository.init(folder, author="bench", durable=False)
    with repository.transaction("pictures") as edit:
        for first in range(0, options.files, TOGETHER):
            numbers = range(first, min(first + TOGETHER, options.files))
            contents = [picture(number, options.bytes, options.seed) for number in numbers]
            blobs = [(path_of(n), edit.writer.put(Kind.BLOB, c)) for n, c in zip(numbers, contents, strict=True)]
            for (path, blob), file_id in zip(blobs, edit.fresh_ids("Main", blobs), strict=True):
                edit.put("Main", path, FileState(file_id, blob, options.bytes, media_type=b"image/jpeg"))
    tdvc.commit(repository, "pictures", verify=False)
    tdvc.snapshot(repository, "Main", "v1", verify=False)


def batches(options: argparse.Namespace) -> Any:
    import pyarrow as pa

    for first in range(0, options.files, TOGETHER):
        numbers = range(first, min(first + TOGETHER, options.files))
        contents = [picture(number, options.bytes, options.seed) for number in numbers]
        yield pa.table({"path": [path_of(n) for n in numbers], "content": pa.array(contents, pa.large_binary())})


def make_parquet(folder: Path, options: argparse.Namespace) -> None:
    import datasets
    import pyarrow.parquet as pq

    folder.mkdir()
    for number, table in enumerate(batches(options)):
        pq.write_table(table, folder / f"{number:05}.parquet", compression="none", row_group_size=100)
    files = [str(place) for place in sorted(folder.glob("*.parquet"))]
    datasets.Dataset.from_parquet(files, cache_dir=str(folder / "cache")).save_to_disk(str(folder / "ready"))


def make_lance(folder: Path, options: argparse.Namespace) -> None:
    import lance

    for number, table in enumerate(batches(options)):
        lance.write_dataset(table, str(folder), mode="append" if number else "create")


def make_webdataset(folder: Path, options: argparse.Namespace) -> None:
    import webdataset

    folder.mkdir()
    with webdataset.ShardWriter(str(folder / "%05d.tar"), maxcount=TOGETHER, verbose=0) as shards:
        for number in range(options.files):
            shards.write({"__key__": f"{number:07}", "jpg": picture(number, options.bytes, options.seed)})


def read_loose(folder: Path, order: Sequence[int], rank: int, world: int) -> int:
    total = 0
    top = str(folder)
    for number in order[rank::world]:
        with open(f"{top}/{path_of(number)}", "rb") as file:
            total += len(file.read())
    return total


@functools.cache
def open_tdvc(folder: Path, **how: Any) -> Any:
    samples = tdvc.load(folder, "v1", **how)
    samples.read(0)
    return samples


def read_tdvc(folder: Path, order: Sequence[int], rank: int, world: int, **how: Any) -> int:
    del order  # an epoch has its own, as random
    return sum(map(len, open_tdvc(folder, **how).epoch(rank=rank, world_size=world).iter_bytes()))


def read_tdvc_unmapped(folder: Path, order: Sequence[int], rank: int, world: int) -> int:
    return read_tdvc(folder, order, rank, world, **HOW["tdvc-unmapped"])


def read_tdvc_full(folder: Path, order: Sequence[int], rank: int, world: int) -> int:
    return read_tdvc(folder, order, rank, world, **HOW["tdvc-full"])


def read_parquet(folder: Path, order: Sequence[int], rank: int, world: int) -> int:
    import datasets

    rows = datasets.load_from_disk(str(folder / "ready"))
    return sum(len(rows[number]["content"]) for number in order[rank::world])


def read_lance(folder: Path, order: Sequence[int], rank: int, world: int) -> int:
    import lance

    rows, mine, total = lance.dataset(str(folder)), order[rank::world], 0
    for first in range(0, len(mine), 64):
        found = rows.take(list(mine[first : first + 64]), columns=["content"])
        total += sum(len(content.as_buffer()) for content in found["content"])
    return total


def read_webdataset(folder: Path, order: Sequence[int], rank: int, world: int) -> int:
    import webdataset

    del order
    shards = [str(place) for place in sorted(folder.glob("*.tar"))][rank::world]
    rows = webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)
    return sum(len(row["jpg"]) for row in rows)


MAKERS = {
    "loose": make_loose,
    "tdvc": make_tdvc,
    "parquet": make_parquet,
    "lance": make_lance,
    "webdataset": make_webdataset,
}
READS: dict[str, Read] = {
    "loose": read_loose,
    "tdvc": read_tdvc,
    "tdvc-unmapped": read_tdvc_unmapped,
    "tdvc-full": read_tdvc_full,
    "parquet": read_parquet,
    "lance": read_lance,
    "webdataset": read_webdataset,
}


def place_of(folder: Path, reader: str) -> Path:
    return folder / reader.split("-")[0]


def private_mb() -> tuple[float, float]:
    """The peak and the private part of this process, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith("kB")}
    return fields["VmHWM"], fields["RssAnon"]


def prepare(reader: str, folder: Path) -> None:
    """Import what the reader needs and open tdvc's; opening is measured by itself, and done once for many epochs."""
    if reader.startswith("tdvc"):
        open_tdvc(folder, **HOW.get(reader, {}))
    elif reader in LIBRARIES:
        importlib.import_module(LIBRARIES[reader])


def work(reader: str, folder: Path, order: Sequence[int], rank: int, world: int, pipe: Any) -> None:
    prepare(reader, folder)
    began = time.monotonic()
    total = READS[reader](folder, order, rank, world)
    pipe.send((total, time.monotonic() - began, *private_mb()))
    pipe.close()


def nothing(pipe: Any) -> None:
    pipe.send(private_mb())
    pipe.close()


def in_processes(targets: Sequence[Callable[..., None]], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Run functions in fresh interpreters side by side; what each sends."""
    context = multiprocessing.get_context("spawn")
    running = []
    for target, given in zip(targets, arguments, strict=True):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=target, args=(*given, theirs))
        process.start()
        theirs.close()
        running.append((process, ours))
    found = [ours.recv() for _, ours in running]
    for process, _ in running:
        process.join()
    return found


def forget(folder: Path) -> None:
    """Ask the system to drop what it keeps of the files below a folder."""
    os.sync()
    for place in folder.rglob("*"):
        if place.is_file():
            descriptor = os.open(place, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def epoch_seconds(reader: str, options: argparse.Namespace, workers: int, order: Sequence[int]) -> list[float]:
    """How long an epoch takes, the start of processes left out; the peak of a worker, and its private part, MB."""
    folder, world = place_of(options.folder, reader), max(1, workers)
    if options.cold:
        forget(folder)
    found = in_processes([work] * world, [(reader, folder, order, rank, world) for rank in range(world)])
    total = sum(one[0] for one in found)
    if total != options.files * options.bytes:
        raise SystemExit(f"{reader} read {total} bytes of {options.files * options.bytes}")
    return [max(one[part] for one in found) for part in (1, 2, 3)]


def opening_seconds(options: argparse.Namespace) -> float:
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        samples = tdvc.load(options.folder / "tdvc", "v1")
        seconds.append(time.monotonic() - began)
        if len(samples) != options.files:
            raise SystemExit(f"opened {len(samples)} files of {options.files}")
    return statistics.median(seconds)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time and memory of reading pictures in random order.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=15_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS))
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--json", type=Path, help="where every single figure goes")
    return parser.parse_args()


def make_missing(options: argparse.Namespace) -> list[str]:
    """Make what is not there; the readers that can be measured."""
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for reader in options.readers:
        name, place = reader.split("-")[0], place_of(options.folder, reader)
        if name in LIBRARIES and importlib.util.find_spec(LIBRARIES[name]) is None:
            print(f"{name} is left out: {LIBRARIES[name]} is not installed")
            continue
        if not place.exists():
            part = place.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            MAKERS[name](part, options)
            part.rename(place)
        kept.append(reader)
    return kept


def main() -> int:
    """Read the arguments, measure, and say whether the limits were kept."""
    options = arguments()
    readers = make_missing(options)
    order = list(range(options.files))
    random.Random(options.seed).shuffle(order)
    (idle,) = in_processes([nothing], [()])
    figures: dict[str, Any] = {"cache": "cold" if options.cold else "warm", "opening": opening_seconds(options)}
    print(f"{figures['opening']:.3f} s to open {options.files:,} files (limit {OPEN_SECONDS})")
    missed = figures["opening"] > OPEN_SECONDS
    for workers in options.workers:
        runs: dict[str, list[list[float]]] = {reader: [] for reader in readers}
        for number in range(options.times + (not options.cold)):
            for reader in readers[number % len(readers) :] + readers[: number % len(readers)]:
                found = epoch_seconds(reader, options, workers, order)
                if number or options.cold:  # the first one warms
                    runs[reader].append(found)
        median = {reader: statistics.median(run[0] for run in found) for reader, found in runs.items()}
        figures[f"{workers} workers"] = runs
        for reader, seconds in median.items():
            peak, private = (max(run[part] for run in runs[reader]) - idle[part - 1] for part in (1, 2))
            ratio = median.get("loose", seconds) / seconds
            each = seconds / options.files * 1e6
            said = f"{seconds:8.3f} s {each:7.2f} us each {ratio:6.2f}x loose"
            print(f"{workers} workers  {reader:<13} {said} {peak:6.0f} MB peak {private:5.0f} MB private")
            missed |= reader == "tdvc" and (private > WORKER_MB or ("loose" in median and ratio < LEAST_RATIO))
    if options.json:
        options.json.write_text(json.dumps(figures))
    print(f"the runner itself: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")
    print("a limit was missed" if missed else "all limits were kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
