"""Time what a long history costs: `log -n 20`, a merge base, `undo`, `blame` and `gc` after very many commits.

    commits.py [--commits 10000] [--files 200] [--runs 3] [--work FOLDER]

Each commit relabels the one instance of one file. Every command is timed as a whole process; the merge base of the
last commit and the first is worked out in this one. Prints the least and the median seconds, the number of packs, and
the size of the repository before and after gc.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tdvc.ids import Kind
from tdvc.model.records import make_instance
from tdvc.ops.collecting import collect
from tdvc.repo.ancestry import History
from tdvc.repo.commit import first_parents
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository


def build(place: Path, commits: int, files: int) -> Repository:
    """A repository with that many commits of one directory."""
    repository = Repository.init(place, author="Ada", durable=False)
    paths = [f"{number:06}.bin" for number in range(files)]
    with repository.transaction("files") as edit:
        blobs = [(path, edit.writer.put(Kind.BLOB, path.encode())) for path in paths]
        for (path, blob), identity in zip(blobs, edit.fresh_ids("Main", blobs), strict=True):
            edit.put("Main", path, FileState(identity, blob, len(path)))
    for number in range(commits):
        instance = make_instance({"label": f"label {number % 50}", "type": "tag", "instance_id": "0" * 32})
        with repository.transaction("edit") as edit:
            edit.annotate(repository["Main"][paths[number % files]], [instance])
            edit.commit_result("Main", f"commit {number}")
    return repository


def seconds_of(act: Callable[[], object], runs: int) -> tuple[float, float]:
    """The least and the median of some runs."""
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        act()
        taken.append(time.perf_counter() - begun)
    return min(taken), statistics.median(taken)


def size_of(place: Path) -> int:
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work) as folder:
        place = Path(folder)
        begun = time.perf_counter()
        repository = build(place, options.commits, options.files)
        print(f"{options.commits:,} commits made in {time.perf_counter() - begun:.0f} s")
        print(f"{len(repository.storage.names('packs'))} packs, {size_of(place / '.tdvc') / 1e6:.1f} MB")

        def command(*words: str) -> Callable[[], object]:
            return lambda: subprocess.run(
                [sys.executable, "-m", "tdvc", *words], cwd=place, check=True, stdout=subprocess.DEVNULL
            )

        chain = [identity for identity, _ in first_parents(repository.objects, repository["Main@"].commit)]
        timed = {
            "log -n 20": command("log", "-n", "20"),
            "merge base": lambda: History(repository.objects).base_levels(chain[0], chain[-1]),
            "undo": command("undo"),
            "blame": command("blame", "Main:000000.bin"),
            "fsck --quick": command("fsck", "--quick"),
        }
        for name, act in timed.items():
            least, median = seconds_of(act, options.runs)
            print(f"{name:12}  {least:6.2f} s  {median:6.2f} s")
        begun = time.perf_counter()
        collect(Repository.open(place, author="Ada"), keep_operations=timedelta(0), now=True)
        print(f"gc            {time.perf_counter() - begun:6.2f} s")
        print(f"{len(repository.storage.names('packs'))} packs, {size_of(place / '.tdvc') / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
