"""What `loader.py` measures, one reader in one process, under whatever interpreter has its library.

    readers.py make READER FOLDER --files N --bytes N --seed N
    readers.py read READER FOLDER --files N --seed N --rank N --world N
    readers.py open tdvc FOLDER

`make` writes the pictures as the reader wants them. `read` imports what it needs, says `ready`, waits for a line, reads
its share of one epoch, every picture as `bytes`, and prints what it took. The reader `nothing` is for what an
interpreter takes. `open` does with tdvc what a training script begins with, and says how long each part took.

All read in one random order but tdvc, which has an order of its own that is as random, and WebDataset, which is read in
the order of its shards, for it can't do otherwise. Lance is asked for many rows at a time, which is quicker than one.
"""

# ruff: noqa: PLC0415 - each library is imported where it is measured

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

TOGETHER = 2000
LANCE_ROWS = 64
HOW: dict[str, dict[str, Any]] = {"tdvc-unmapped": {"memory_map": False}, "tdvc-full": {"verify": "full"}}
ReadShare = Callable[[], int]


def picture(number: int, length: int, seed: int) -> bytes:
    """Bytes that begin like a JPEG and do not compress."""
    return b"\xff\xd8\xff" + random.Random(seed * 1_000_003 + number).randbytes(length - 3)


def path_of(number: int) -> str:
    return f"{number % 100:02}/{number:07}.jpg"


def some_at_a_time(options: argparse.Namespace) -> Iterator[tuple[range, list[bytes]]]:
    for first in range(0, options.files, TOGETHER):
        numbers = range(first, min(first + TOGETHER, options.files))
        yield numbers, [picture(number, options.bytes, options.seed) for number in numbers]


# making


def make_loose(folder: Path, options: argparse.Namespace) -> None:
    for numbers, contents in some_at_a_time(options):
        for number, content in zip(numbers, contents, strict=True):
            place = folder / path_of(number)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)


def make_tdvc(folder: Path, options: argparse.Namespace) -> None:
    import tdvc
    from tdvc.ids import Kind
    from tdvc.repo.entry import FileState
    from tdvc.repo.repository import Repository

    repository = Repository.init(folder, author="bench", durable=False)
    with repository.transaction("pictures") as edit:
        for numbers, contents in some_at_a_time(options):
            blobs = [(path_of(n), edit.writer.put(Kind.BLOB, c)) for n, c in zip(numbers, contents, strict=True)]
            for (path, blob), file_id in zip(blobs, edit.fresh_ids("Main", blobs), strict=True):
                edit.put("Main", path, FileState(file_id, blob, options.bytes, media_type=b"image/jpeg"))
    tdvc.commit(repository, "pictures", verify=False)
    tdvc.snapshot(repository, "Main", "v1", verify=False)


def tables(options: argparse.Namespace) -> Iterator[Any]:
    import pyarrow as pa

    for numbers, contents in some_at_a_time(options):
        yield pa.table({"path": [path_of(n) for n in numbers], "content": pa.array(contents, pa.large_binary())})


def make_parquet(folder: Path, options: argparse.Namespace) -> None:
    import datasets
    import pyarrow.parquet as pq

    datasets.disable_progress_bars()
    stored = folder / "stored"
    stored.mkdir(parents=True)
    for number, table in enumerate(tables(options)):
        pq.write_table(table, stored / f"{number:05}.parquet", compression="none", row_group_size=100)
    files = [str(place) for place in sorted(stored.glob("*.parquet"))]
    datasets.Dataset.from_parquet(files, cache_dir=str(stored)).save_to_disk(str(folder / "ready"))
    shutil.rmtree(stored)


def make_lance(folder: Path, options: argparse.Namespace) -> None:
    import lance

    for number, table in enumerate(tables(options)):
        lance.write_dataset(table, str(folder), mode="append" if number else "create")


def make_webdataset(folder: Path, options: argparse.Namespace) -> None:
    import webdataset

    folder.mkdir()
    with webdataset.ShardWriter(str(folder / "%05d.tar"), maxcount=TOGETHER, verbose=0) as shards:
        for numbers, contents in some_at_a_time(options):
            for number, content in zip(numbers, contents, strict=True):
                shards.write({"__key__": f"{number:07}", "jpg": content})


# reading: each prepares, and returns what is timed


def begin_loose(folder: Path, order: Sequence[int], options: argparse.Namespace) -> ReadShare:
    del options

    def read() -> int:
        total, top = 0, str(folder)
        for number in order:
            with open(f"{top}/{path_of(number)}", "rb") as file:
                total += len(file.read())
        return total

    return read


def begin_tdvc(folder: Path, order: Sequence[int], options: argparse.Namespace) -> ReadShare:
    import tdvc

    del order
    samples = tdvc.load(folder, "v1", **HOW.get(options.reader, {}))
    samples.read(0)
    epoch = samples.epoch(rank=options.rank, world_size=options.world)
    if options.reader == "tdvc-each":
        return lambda: sum(len(samples[position].bytes) for position in epoch.positions.tolist())
    return lambda: sum(map(len, epoch.iter_bytes()))


def begin_parquet(folder: Path, order: Sequence[int], options: argparse.Namespace) -> ReadShare:
    import datasets

    del options
    rows = datasets.load_from_disk(str(folder / "ready"))
    return lambda: sum(len(rows[number]["content"]) for number in order)


def begin_lance(folder: Path, order: Sequence[int], options: argparse.Namespace) -> ReadShare:
    import lance

    del options
    rows = lance.dataset(str(folder))

    def read() -> int:
        total = 0
        for first in range(0, len(order), LANCE_ROWS):
            found = rows.take(list(order[first : first + LANCE_ROWS]), columns=["content"])
            total += sum(map(len, found["content"].to_pylist()))
        return total

    return read


def begin_webdataset(folder: Path, order: Sequence[int], options: argparse.Namespace) -> ReadShare:
    import webdataset

    del order
    shards = [str(place) for place in sorted(folder.glob("*.tar"))][options.rank :: options.world]
    if not shards:
        return lambda: 0
    rows = webdataset.WebDataset(shards, shardshuffle=False, empty_check=False)
    return lambda: sum(len(row["jpg"]) for row in rows)


def begin_nothing(folder: Path, order: Sequence[int], options: argparse.Namespace) -> ReadShare:
    del folder, order, options
    return lambda: 0


MAKERS = {
    "loose": make_loose,
    "tdvc": make_tdvc,
    "parquet": make_parquet,
    "lance": make_lance,
    "webdataset": make_webdataset,
}
BEGINNERS = {
    "loose": begin_loose,
    "tdvc": begin_tdvc,
    "tdvc-each": begin_tdvc,
    "tdvc-unmapped": begin_tdvc,
    "tdvc-full": begin_tdvc,
    "parquet": begin_parquet,
    "lance": begin_lance,
    "webdataset": begin_webdataset,
    "nothing": begin_nothing,
}


def memory_mb() -> tuple[float, float]:
    """The peak and the private part of this process, MB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, float("nan")
    fields = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.endswith("kB")}
    return fields["VmHWM"], fields["RssAnon"]


def read(options: argparse.Namespace) -> dict[str, float]:
    order: list[int] = []
    if options.reader not in ("nothing", "webdataset") and not options.reader.startswith("tdvc"):
        order = list(range(options.files))
        random.Random(options.seed).shuffle(order)
        order = order[options.rank :: options.world]
    share = BEGINNERS[options.reader](options.folder, order, options)
    print("ready", flush=True)
    sys.stdin.readline()
    began, began_busy = time.perf_counter(), time.process_time()
    total = share()
    seconds, busy_seconds = time.perf_counter() - began, time.process_time() - began_busy
    peak, private = memory_mb()
    return {
        "bytes": total,
        "seconds": seconds,
        "busy_seconds": busy_seconds,
        "peak_mb": peak,
        "private_mb": private,
    }


def opening(folder: Path) -> dict[str, float]:
    times = [time.perf_counter()]
    import tdvc

    load = tdvc.load
    times.append(time.perf_counter())
    samples = load(folder, "v1")
    times.append(time.perf_counter())
    samples.read(0)
    times.append(time.perf_counter())
    named = zip(("import", "open", "first"), itertools.pairwise(times), strict=True)
    return {"files": len(samples), **{name: end - begin for name, (begin, end) in named}}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="One reader in one process.")
    parser.add_argument("what", choices=("make", "read", "open"))
    parser.add_argument("reader", choices=sorted(BEGINNERS))
    parser.add_argument("folder", type=Path)
    for name in ("files", "bytes", "seed", "rank", "world"):
        parser.add_argument(f"--{name}", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Do one thing; what it found is one line of JSON."""
    options = arguments()
    if options.what == "make":
        MAKERS[options.reader](options.folder, options)
    else:
        print(json.dumps(read(options) if options.what == "read" else opening(options.folder)))


if __name__ == "__main__":
    main()
