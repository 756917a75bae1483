"""Looking into other people's folders without being led out of them.

Nothing here follows a symbolic link, opens a pipe or trusts a name: a folder is listed by what each entry
itself is, and a path from an annotation file is checked component by component. What is passed over is
reported, never dropped in silence. The order of a walk depends on the names alone.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from tdvc.errors import FormatError
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable

PICTURE_SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))
"""Lower case; compared without regard to case, because cameras write `.JPG`."""

_SHOWN_NAMES = 3

SPLIT_NAMES = frozenset(("test", "train", "val", "valid", "validation"))


def is_picture(path: str) -> bool:
    """Whether the name ends like a picture's."""
    return posixpath.splitext(path)[1].lower() in PICTURE_SUFFIXES


def is_folder(path: Path) -> bool:
    """Whether there is a folder, itself and not through a link."""
    return stat.S_ISDIR(_mode(path))


def is_file(path: Path) -> bool:
    """Whether there is a regular file, itself and not through a link."""
    return stat.S_ISREG(_mode(path))


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except (OSError, ValueError):
        return 0


def shortened(text: str, length: int = 60) -> str:
    """`text` quoted for a message: escaped, and cut where it is long."""
    return repr(text if len(text) <= length else text[: length - 1] + "…")


def picture_problem(root: Path, relative: str) -> tuple[str, str] | None:
    """Why the picture an annotation file names can't be taken: a problem code and the end of a sentence.

    Args:
        root: the folder that nothing may lead out of.
        relative: the picture's path below it, as yet untrusted.
    """
    if problem := path_problem(relative):
        return "unsafe-path", problem
    path, mode = root, stat.S_IFDIR
    for component in relative.split("/"):
        path /= component
        mode = _mode(path)
        if stat.S_ISLNK(mode):
            return "skipped-symlink", "is or lies behind a symbolic link, which is never followed"
    if mode == 0 or stat.S_ISDIR(mode):
        return "picture-missing", "is not there"
    return None if stat.S_ISREG(mode) else ("skipped-special", "is a pipe, socket or device")


def read_bytes(path: Path, limit_bytes: int) -> bytes:
    """The content of a file that must not be longer than `limit_bytes`.

    Raises:
        OSError: it can't be read.
        ValueError: it is longer, or grew while it was read.
    """
    with path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > limit_bytes:
            raise ValueError(f"is larger than {limit_bytes >> 20} MiB")
        content = file.read(size_bytes + 1)  # `read` makes room for all it is asked for before it reads
    if len(content) > size_bytes:
        raise ValueError("grew while it was read")
    return content


def ignore(problem: Problem) -> None:
    """The report of who only looks."""


def walk(root: Path, report: Report, under: str = "") -> Iterator[str]:
    """The regular, visible files below `root/under`, relative to `root`, sorted within their folder.

    Raises:
        FormatError: bad-format-file, where `root` itself can't be listed.
    """
    waiting = [under]
    while waiting:
        files, folders = listing(root, waiting.pop(), report)
        yield from files
        waiting.extend(reversed(folders))


def listing(root: Path, folder: str, report: Report) -> tuple[list[str], list[str]]:
    """The files and the folders directly in `root/folder`, relative to `root`, sorted; the rest reported."""
    try:
        with os.scandir(root / folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if not folder:
            raise unreadable_source(root, error) from error
        message = f"The folder could not be read: {error.strerror}; what it holds is not counted."
        report(Problem("unreadable", printable(folder), message))
        return [], []
    files: list[str] = []
    folders: list[str] = []
    for entry in ordered:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if problem := _entry_problem(entry, path):
            report(problem)
        else:
            (folders if entry.is_dir(follow_symlinks=False) else files).append(path)
    return files, folders


def unreadable_source(source: Path, error: OSError) -> FormatError:
    """The error of a source of which nothing can be read."""
    name = printable(str(source))
    return FormatError("bad-format-file", f"{name} could not be read: {error.strerror}.", source=name)


def _entry_problem(entry: os.DirEntry[str], path: str) -> Problem | None:
    if entry.name.startswith("."):
        return Problem("skipped-hidden", printable(path), "Hidden names are not imported.", severity="warning")
    if entry.is_symlink():
        return _passed_over("skipped-symlink", path, "Symbolic links are never followed.")
    if entry.is_dir(follow_symlinks=False):
        return None
    if not entry.is_file(follow_symlinks=False):
        return _passed_over("skipped-special", path, "Pipes, sockets and devices are never opened.")
    if problem := path_problem(path):
        return _passed_over("bad-name", path, f"The path {problem}.")
    return None


def _passed_over(code: str, path: str, message: str) -> Problem:
    if is_picture(path):
        return Problem(code, printable(path), message, dropped_files=1)
    return Problem(code, printable(path), message, severity="warning")


def report_rest(paths: Iterable[str], report: Report) -> None:
    """Report the files a format has no use for, once for each folder that holds some."""
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        by_folder.setdefault(posixpath.dirname(path), []).append(path)
    for folder, held in by_folder.items():
        place, message = held[0], "The format has no use for this file."
        if len(held) > 1:
            place = folder or "."
            message = f"The format has no use for {len(held):,} files here: {_first_names(held)}."
        report(Problem("skipped-other", printable(place), message, severity="warning"))


def _first_names(paths: list[str]) -> str:
    """The names of the first few of some files."""
    names = ", ".join(shortened(posixpath.basename(path)) for path in paths[:_SHOWN_NAMES])
    more = len(paths) - _SHOWN_NAMES
    return f"{names} and {more:,} more" if more > 0 else names
