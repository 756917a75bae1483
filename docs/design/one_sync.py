"""What a second small file costs where both must be durable: run it on the disk in question."""

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 100


def write(file: Path, size_bytes: int) -> None:
    """A durable file in a folder that is synced."""
    with file.open("wb") as stream:
        stream.write(os.urandom(size_bytes))
        stream.flush()
        os.fsync(stream.fileno())
    folder = os.open(file.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def main() -> str:
    """Write one file and two files in turn."""
    one, two = [], []
    with tempfile.TemporaryDirectory(dir=".") as name:
        for number in range(ROUNDS):
            started = time.perf_counter()
            write(Path(name, f"a{number}"), 64_000)
            between = time.perf_counter()
            write(Path(name, f"b{number}"), 60_000)
            write(Path(name, f"c{number}"), 4_000)
            two.append(time.perf_counter() - between)
            one.append(between - started)
    return f"one file {1e3 * statistics.median(one):.2f} ms, two files {1e3 * statistics.median(two):.2f} ms"


if __name__ == "__main__":
    sys.stdout.write(main() + "\n")
