"""Time and memory of `tdvc stats` over many files.

    stats.py FOLDER [--files 100000] [--each 9] [--polygons 3] [--seed 1]

Makes the repository of `validate.py` in FOLDER where there is none. The columns are made and the pictures looked at
once; then all figures are computed five times in this process, and the median is given beside two others: one SQL
group-by that gives a few of these figures, and reading every instance set to count its labels and areas one by one. The
limit is 2 s for 900,000 instances.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter

from query import median
from validate import arguments, prepared

from tdvc.model.geometry import area
from tdvc.ops.sql import sql
from tdvc.ops.stats import stats
from tdvc.repo.repository import Repository

SECONDS = 2.0
GROUP_BY = (
    "select label, count(*), count(distinct file), quantile_disc(area, [0.05, 0.5, 0.95]) from instances group by 1"
)


def one_by_one(repository: Repository) -> int:
    """Labels, files and areas, instance by instance."""
    instances: Counter[str] = Counter()
    files: Counter[str] = Counter()
    areas: dict[str, list[float]] = {}
    for file in repository["Main"]:
        found = file.instances
        files.update({one.label for one in found})
        for one in found:
            instances[one.label] += 1
            areas.setdefault(one.label, []).append(area(one.type, one.coordinates))
    return len(areas)


def main() -> int:
    """Read the arguments, measure, and say whether the limit was kept."""
    options = prepared(arguments("Time and memory of tdvc stats."))
    repository = Repository.open(options.folder, author="benchmark")
    began = time.monotonic()
    found = stats(repository, "Main")
    print(f"{time.monotonic() - began:7.3f} s  {found.states[0].instances:>9,}  the first time")
    taken = median("stats", lambda: stats(repository, "Main").states[0].instances)
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:7.0f} MB at most")
    grouped = median(f"sql: {GROUP_BY}", lambda: sql(repository, GROUP_BY, "Main").table.num_rows)
    began = time.monotonic()
    one_by_one(repository)
    slow = time.monotonic() - began
    print(f"{slow:7.3f} s             one by one")
    print(f"{taken / grouped:7.1f} times the SQL, {slow / taken:.1f} times as fast as one by one")
    print(f"{'within' if taken < SECONDS else 'beyond'} {SECONDS:g} s")
    return 0 if taken < SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
