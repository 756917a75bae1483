"""Fuzz one target for as long as one likes: `python -m tests.fuzz pack [seconds]`; without a target, name them.

With `pip install atheris` coverage leads the way, and further arguments are those of libFuzzer; without it, changes are
made at random. What is found goes into `found.py`.
"""

from __future__ import annotations

import importlib
import importlib.util
import random
import sys
import time

from tdvc.formats import FORMATS
from tests.fuzz.mutation import KINDS, Change, mutated
from tests.fuzz.targets import TARGETS, annotation_files, run


def at_random(target: str, seconds: float) -> int:
    """Try changes at random; returns how many were tried."""
    chance = random.Random()
    seeds = [b""] if target in FORMATS else list(TARGETS[target].seeds())
    until, tried = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        if target in FORMATS:
            content = chance.randbytes(1 + 9 * chance.randrange(1, 4))
        else:
            picked = [Change(chance.choice(list(KINDS)), chance.getrandbits(32), chance.getrandbits(32)) for _ in "123"]
            content = mutated(chance.choice(seeds), picked[: chance.randrange(1, 4)])
        tried += 1
        try:
            run(target, content)
        except BaseException:
            sys.stdout.write(f"found: ({target!r}, {content!r}),\n")
            raise
    return tried


def main() -> None:
    """Run."""
    if len(sys.argv) < 2:
        sys.stdout.write("\n".join([*TARGETS, *FORMATS, ""]))
    elif importlib.util.find_spec("atheris"):
        atheris = importlib.import_module("atheris")
        target = sys.argv.pop(1)
        annotation_files(target) if target in FORMATS else TARGETS[target].seeds()
        atheris.instrument_all()
        atheris.Setup(sys.argv, lambda content: run(target, content))
        atheris.Fuzz()
    else:
        tried = at_random(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)
        sys.stdout.write(f"{tried} inputs tried\n")


if __name__ == "__main__":
    main()
