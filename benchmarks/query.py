"""Time and memory of queries over many files: `--where`, and SQL.

    query.py FOLDER [--files 100000] [--each 9] [--polygons 3] [--seed 1]

Makes the repository of `validate.py` in FOLDER where there is none. The columns are made once; then each question is
asked five times in this process, and the median is given beside what the naive way takes: reading every instance set
and looking at its instances one by one. The limits are 0.5 s for a count of instances and 0.3 s for a group by, of
900,000 instances.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable

from validate import LABELS, arguments, prepared

from tdvc.model.geometry import area
from tdvc.ops.querying import matching_where
from tdvc.ops.sql import to_duckdb
from tdvc.query import parse
from tdvc.repo.repository import Repository

TIMES = 5
WHERE_SECONDS, SQL_SECONDS = 0.5, 0.3
LABEL, LEAST_AREA = LABELS[7], 400
WHERE = f"count(label = '{LABEL}' and area > {LEAST_AREA}) >= 2"
QUERIES = (
    WHERE,
    f"label = '{LABEL}' and area > 400",
    "path like '0999%'",
    "attribute.colour = 'red'",
    "any(x0 < 10 and not type = 'box')",
)
GROUP_BY = "select label, count(*), avg(area) from instances group by 1"


def median(title: str, work: Callable[[], int]) -> float:
    """The median seconds of some work."""
    seconds = []
    for _ in range(TIMES):
        began = time.monotonic()
        found = work()
        seconds.append(time.monotonic() - began)
    print(f"{statistics.median(seconds):7.3f} s  {found:>9,}  {title}")
    return statistics.median(seconds)


def naive(repository: Repository) -> int:
    """The first query, instance by instance."""
    found = 0
    for file in repository["Main"]:
        labelled = [one for one in file.instances if one.label == LABEL]
        found += sum(area(one.type, one.coordinates) > LEAST_AREA for one in labelled) >= 2
    return found


def main() -> int:
    """Read the arguments, measure, and say whether the limits were kept."""
    options = prepared(arguments("Time and memory of queries."))
    repository = Repository.open(options.folder, author="benchmark")

    def ask(text: str) -> Callable[[], int]:
        return lambda: sum(1 for _ in matching_where(repository, repository["Main"], parse(text)))

    began = time.monotonic()
    ask(QUERIES[0])()
    print(f"{time.monotonic() - began:7.3f} s             the first time")
    where, *_ = [median(query, ask(query)) for query in QUERIES]
    began = time.monotonic()
    naive(repository)
    print(f"{(time.monotonic() - began) / where:7.1f} times as long, one by one")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:7.0f} MB at most")
    began = time.monotonic()
    connection = to_duckdb(repository)
    print(f"{time.monotonic() - began:7.3f} s             opening DuckDB")
    group_by = median(GROUP_BY, lambda: len(connection.execute(GROUP_BY).fetchall()))
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:7.0f} MB at most")
    kept = where < WHERE_SECONDS and group_by < SQL_SECONDS
    print(f"{'within' if kept else 'beyond'} {WHERE_SECONDS:g} s and {SQL_SECONDS:g} s")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
