"""One file that a verb writes where the user says: whole or not at all, and never over another one by accident."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tdvc.errors import NotFound, Refused
from tdvc.storage.folder import FolderWriter


def check_place(place: Path, *, force: bool = False) -> None:
    """See to it that a file can go there; before work is begun that would be lost.

    Raises:
        Refused: file-exists, where something is there and `force` was not given.
        NotFound: source-not-found, where the folder it goes to is not there.
    """
    if os.path.lexists(place) and (not force or place.is_dir()):
        hint = "" if place.is_dir() else "--force writes over it."
        raise Refused("file-exists", f"{str(place)!r} is there already.", hint=hint, path=str(place))
    check_folder(place.absolute().parent)


def same_place(one: Path, other: Path) -> bool:
    """Whether a file that is written to the one place would be written over by the other."""
    ends = [os.path.join(os.path.realpath(place.absolute().parent), place.name) for place in (one, other)]
    return os.path.normcase(ends[0]) == os.path.normcase(ends[1])


def check_folder(folder: Path) -> None:
    """Raises NotFound (source-not-found) where it is no folder."""
    if not folder.is_dir():
        raise NotFound("source-not-found", f"{str(folder)!r} is not a folder.", path=str(folder))


def write_whole(place: Path, pieces: Iterable[bytes]) -> int:
    """Write a file; returns its bytes. Raises StorageFailure, and leaves what was there."""
    writer = FolderWriter(str(place.absolute().parent))
    try:
        return writer.write(place.name, pieces).size_bytes
    finally:
        writer.close()
