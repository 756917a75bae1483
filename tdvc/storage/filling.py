"""A folder that is filled whole or not at all: an export.

The argument. Whoever runs a command again that failed, on a full disk for one, must find the place as they left it: an
export does not mix with what is there, so what a failed one leaves behind would stand in the way of the next. Writing
elsewhere and renaming at the end would do, but not where the folder is there already, is a link, or is the root of a
file system. So it is written in place, and what was written is noted and taken back. What others put there meanwhile
is not noted, and stays.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from tdvc.storage.folder import FolderWriter, Written


@contextlib.contextmanager
def filling(root: str) -> Iterator[tuple[FolderWriter, FolderWriter]]:
    """Two writers into a folder that is empty or missing; one can write while the other does.

    If the block does not come to its end, for whatever reason, the folder is as it was: what they wrote is removed, and
    so are the folders that had to be made.
    """
    missing, written = _missing_folders(root), Written()
    try:
        with (
            contextlib.closing(FolderWriter(root, written)) as first,
            contextlib.closing(FolderWriter(root, written)) as second,
        ):
            try:
                yield first, second
            except BaseException:
                first.take_back()
                raise
    except BaseException:
        for folder in missing:
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise


def _missing_folders(root: str) -> list[str]:
    """Those that must be made so that `root` is there, the innermost first."""
    missing, place = [], os.path.join(os.getcwd(), root)
    while not os.path.lexists(place):
        missing.append(place)
        place = os.path.dirname(place)
    return missing
