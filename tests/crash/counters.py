"""How much of each was tried: said at the end of a run, summed over its processes.

Every process appends lines to one file: the one that `TDVC_TORTURE_REPORT` names, or a temporary one.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from pathlib import Path

_VARIABLE = "TDVC_TORTURE_REPORT"


_temporary: list[Path] = []


def begin() -> None:
    """Choose the file, for this process and those it starts."""
    if _VARIABLE not in os.environ:
        handle, os.environ[_VARIABLE] = tempfile.mkstemp(prefix="tdvc-counters-")
        os.close(handle)
        _temporary.append(Path(os.environ[_VARIABLE]))


def end() -> None:
    """Remove the file, where nobody named it."""
    for place in _temporary:
        place.unlink(missing_ok=True)


def count(what: str, number: int) -> None:
    """So many more were tried."""
    with Path(os.environ[_VARIABLE]).open("a") as file:
        file.write(json.dumps([what, number]) + "\n")


def totals() -> dict[str, int]:
    """What was counted so far, by everybody."""
    counted: Counter[str] = Counter()
    place = Path(os.environ.get(_VARIABLE, ""))
    for line in place.read_text().splitlines() if place.is_file() else ():
        what, number = json.loads(line)
        counted[what] += number
    return dict(sorted(counted.items()))
