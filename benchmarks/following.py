"""How long a dynamic directory takes to follow: a commit of some edits, and the directory brought up to date.

    following.py FOLDER [--files 100000] [--each 9] [--polygons 3] [--edits 100] [--seed 1]

Makes the repository of `validate.py` in FOLDER where there is none, and gives it a directory that follows a count of
instances. Then five times: the label of one instance in each of `--edits` files is changed and committed, and the
directory is brought up to date. The median is given beside the whole command in a process of its own, and beside asking
all files again, warm. The limit is 0.3 s, for 100 edits in 100,000 files.
"""

from __future__ import annotations

import io
import json
import random
import resource
import statistics
import subprocess
import sys
import time

from validate import LABELS, arguments, prepared

from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.directories import change_rule, create_directory
from tdvc.ops.following import refresh
from tdvc.ops.opening import open_repository
from tdvc.repo.repository import Repository

TIMES = 5
SECONDS = 0.3
NAME = "Crowded"
WHERE = f"count(label = '{LABELS[7]}') >= 2"


def edit(repository: Repository, paths: list[str]) -> None:
    """Give the first instance of some files another label, and commit that."""
    edits = []
    for path in paths:
        first = repository["Main"][path].instances[0]
        label = LABELS[8] if first.label == LABELS[7] else LABELS[7]
        edits.append({"op": "update", "path": path, "instance_id": first.instance_id, "set": {"label": label}})
    annotate(repository, io.BytesIO("".join(json.dumps(one) + "\n" for one in edits).encode()), "Main")
    commit(repository, "edits", "Main")


def main() -> int:
    """Read the arguments, measure, and say whether the limit was kept."""
    parser = arguments("Time of following by a dynamic directory.")
    parser.add_argument("--edits", type=int, default=100, help="files that change each time")
    options = prepared(parser)
    repository = open_repository(options.folder, author="benchmark")
    if NAME not in repository.view.directories:
        began = time.monotonic()
        create_directory(repository, NAME, where=WHERE, source="Main")
        print(f"{time.monotonic() - began:7.3f} s  created, with {repository[NAME].counts.files:,} files")
    chance = random.Random(options.seed)
    paths = [file.path for file in repository["Main"]]
    inside, command, moved = [], [], 0
    for turn in range(2 * TIMES):
        edit(repository, chance.sample(paths, options.edits))
        began = time.monotonic()
        if turn % 2:
            subprocess.run(
                [sys.executable, "-m", "tdvc", "-C", str(options.folder), "ls", f"{NAME}:nothing/*"],
                check=False,
                capture_output=True,
            )
            command.append(time.monotonic() - began)
        else:
            result = refresh(repository, NAME)
            inside.append(time.monotonic() - began)
            moved += result.gained + result.lost
    seconds = statistics.median(inside)
    print(f"{seconds:7.3f} s  brought up to date after {options.edits} edits; {moved:,} files came or left")
    print(f"{statistics.median(command):7.3f} s  the same as a command of its own")
    change_rule(repository, NAME, order="path", limit=10**9)
    began = time.monotonic()
    change_rule(repository, NAME, order="", limit=0)
    print(f"{(time.monotonic() - began) / seconds:7.1f} times as long, asking all files again")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:7.0f} MB at most")
    print(f"{'within' if seconds < SECONDS else 'beyond'} {SECONDS:g} s")
    return 0 if seconds < SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
