"""Time of splits, samples and the search for near-duplicates.

    splits.py [--files 100000] [--seed 1]

Works in memory. The hashes that are searched are random, but for a tenth that are near another one; decoding pictures
is not in it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tdvc.ids import Kind
from tdvc.model.nearduplicates import close_pairs
from tdvc.model.records import make_instance
from tdvc.ops.leaks import leaks
from tdvc.ops.sampling import SampleOptions, sample
from tdvc.ops.splitting import SplitOptions, split
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage

INTO = {"train": "0.8", "val": "0.1", "test": "0.1"}


def timed(title: str, work: Callable[[], Any]) -> None:
    """Run some work and say how long it took."""
    began = time.monotonic()
    work()
    print(f"{time.monotonic() - began:7.2f} s  {title}")


def make(files: int, generator: random.Random) -> Repository:
    """A repository whose files have one of twenty labels, and a property."""
    repository = Repository(MemoryStorage(), author="benchmark")
    repository.start("Pets")
    with repository.transaction("files") as edit:
        sets = [
            edit.write_instances([make_instance({"label": f"label-{number:02}", "type": "tag"})])
            for number in range(20)
        ]
        places = [(f"{at:07}.txt", edit.writer.put(Kind.BLOB, b"%d" % at)) for at in range(files)]
        for (path, blob), identity in zip(places, edit.fresh_ids("Pets", places), strict=True):
            instances, count = generator.choice(sets)
            said = b'{"patient":%d}' % generator.randrange(files // 10 + 1)
            edit.put("Pets", path, FileState(identity, blob, 1, instances, count, properties=said))
    return repository


def hashes(count: int, seed: int) -> Any:
    """Random hashes, the last tenth of them two bits away from others."""
    values = np.random.default_rng(seed).integers(0, 2**63, count).astype(np.uint64)
    some = count // 10
    values[count - some :] = values[:some] ^ np.uint64(0x8001)
    return values


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description="Time of splits and samples.")
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    repository = make(given.files, random.Random(given.seed))
    by_label = SplitOptions(by_label=True, prefix="L-")
    timed("split into three", lambda: split(repository, "Pets", INTO))
    timed("the same again", lambda: split(repository, "Pets", INTO))
    timed("split by label, columns made", lambda: split(repository, "Pets", INTO, by_label))
    timed("the same again", lambda: split(repository, "Pets", INTO, by_label))
    grouped = SplitOptions(group_by=["patient"], prefix="P-")
    timed("split by a property", lambda: split(repository, "Pets", INTO, grouped))
    timed("leaks of three parts", lambda: leaks(repository, [f"Pets-{name}" for name in INTO]))
    timed("nested samples", lambda: sample(repository, "Pets", SampleOptions(shares=["0.1", "0.3", "0.8"])))
    timed("near-duplicates among hashes", lambda: list(close_pairs(hashes(given.files, given.seed))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
