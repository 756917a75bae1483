"""Time what history costs: diff, apply and merge where each side changed one file of a hundred.

    history.py [--files 100000] [--each 9] [--runs 3] [--work FOLDER]

The files are a few bytes each, for nothing here reads them; their annotation is boxes. Every scenario gets a repository
of its own state: what it does is undone before the next run. Prints the least and the median seconds of each, and
ends with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tdvc.ids import Kind
from tdvc.model.records import Instance, decode_set, encode_set, make_instance
from tdvc.ops.applying import ApplyResult, apply
from tdvc.ops.committing import commit
from tdvc.ops.diffing import Diff
from tdvc.ops.merging import merge
from tdvc.ops.patching import patch_lines
from tdvc.ops.restoring import reset
from tdvc.ops.transfer import copy
from tdvc.ops.undoing import undo
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository

EDITED = 100
"""One file of so many is edited on each side."""


@dataclass(frozen=True)
class Branches:
    """Two histories of one directory in one repository: `Main` is ours, `theirs` a commit."""

    repository: Repository
    theirs: str


@dataclass(frozen=True)
class Scenario:
    """One thing that is timed. `act` gets the branches; `after` takes back what it did."""

    name: str
    limit_seconds: float
    act: Callable[[Branches], object]
    after: Callable[[Branches], object]


def boxes(path: str, each: int) -> list[Instance]:
    """The instances of one file; ids follow from the path and the position."""
    number = int(path.rpartition("/")[2].partition(".")[0])
    return [
        make_instance(
            {
                "instance_id": f"{number:024x}{at:08x}",
                "label": f"label-{(number + at) % 80}",
                "type": "box",
                "geometry": [at * 10 + 0.25, number % 100, at * 10 + 9.5, number % 100 + 20],
                "source": "import",
            }
        )
        for at in range(each)
    ]


def fill(repository: Repository, files: int, each: int) -> None:
    """Put the files into Main."""
    with repository.transaction("fill") as edit:
        paths = [f"{number % 100:02}/{number:06}.jpg" for number in range(files)]
        blobs = [(path, edit.writer.put(Kind.BLOB, path.encode())) for path in paths]
        for (path, blob), identity in zip(blobs, edit.fresh_ids("Main", blobs), strict=True):
            instances, count = edit.write_instances(boxes(path, each))
            edit.put("Main", path, FileState(identity, blob, len(path), instances, count, media_type=b"image/jpeg"))
    commit(repository, "first")


def edit_some(repository: Repository, directory: str, first: int, label: str) -> None:
    """Relabel one instance and move another in every hundredth file, from the file `first` on."""
    with repository.transaction("edit") as edit:
        for position, entry in enumerate(repository[directory].entries()):
            if position % EDITED != first:
                continue
            instances = decode_set(repository.objects.read(Kind.INSTANCES, entry.state.instances))
            changed = [
                make_instance({**_fields(instances[0]), "label": label}),
                make_instance({**_fields(instances[1]), "geometry": [1.5, 2, 30, 40 + first]}),
                *instances[2:],
            ]
            identity = edit.writer.put(Kind.INSTANCES, encode_set(changed))
            edit.set_state(entry.state._replace(instances=identity))
    commit(repository, label, directory)


def _fields(instance: Instance) -> dict[str, object]:
    return {name: getattr(instance, name) for name in Instance.__struct_fields__}


def branches(place: Path, files: int, each: int) -> Branches:
    """A repository with two branches of Main, and Copy, a copy of it in which a hundredth was edited too."""
    repository = Repository.init(place, author="Ada", durable=False)
    fill(repository, files, each)
    copy(repository, ["Main"], "Copy", with_instances=True)
    commit(repository, "copied", "Copy")
    edit_some(repository, "Copy", 7, "copied")
    edit_some(repository, "Main", 1, "theirs")
    theirs = repository["Main@"].commit
    reset(repository, "Main~1", "Main")
    edit_some(repository, "Main", 2, "ours")
    return Branches(Repository.open(place, author="Ada", durable=False), theirs.hex() if theirs else "")


def differing_instances(repository: Repository) -> int:
    """A diff of ours against what it follows on, to the last instance."""
    return sum(len(change.instances) for change in Diff(repository["Main~1"], repository["Main"]))


def take_back(repository: Repository) -> ApplyResult:
    """Our commit as a patch, applied in reverse."""
    patch = io.BytesIO(b"".join(patch_lines(Diff(repository["Main~1"], repository["Main"]))))
    return apply(repository, patch, "Main", reverse=True)


SCENARIOS = (
    Scenario("diff", 1.5, lambda b: differing_instances(b.repository), lambda _: None),
    Scenario("apply", 6.0, lambda b: take_back(b.repository), lambda b: undo(b.repository)),
    Scenario("merge", 4.0, lambda b: merge(b.repository, b.theirs, "Main"), lambda b: undo(b.repository)),
    Scenario("merge-copy", 8.0, lambda b: merge(b.repository, "Copy", "Main"), lambda b: undo(b.repository)),
)


def timed(scenario: Scenario, made: Branches, runs: int) -> list[float]:
    """Seconds of each run."""
    found = []
    for _ in range(runs):
        fresh = Branches(Repository.open(made.repository.path or Path(), author="Ada", durable=False), made.theirs)
        start = time.perf_counter()
        scenario.act(fresh)
        found.append(time.perf_counter() - start)
        scenario.after(fresh)
    return found


def main() -> int:
    """Make the branches, time every scenario, print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--each", type=int, default=9, help="instances of each file")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where to make the repository; a temporary folder if left out")
    options = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory(dir=options.work) as place:
        made = branches(Path(place), options.files, options.each)
        counts = made.repository["Main"].counts
        print(f"{counts.files:,} files, {counts.instances:,} instances, 1 % of the files edited on each side")
        for scenario in SCENARIOS:
            seconds = timed(scenario, made, options.runs)
            met = statistics.median(seconds) <= scenario.limit_seconds
            missed += not met
            word = "met" if met else "MISSED"
            figures = f"least {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s"
            print(f"  {scenario.name:12} {figures}, at most {scenario.limit_seconds:.1f} s: {word}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
