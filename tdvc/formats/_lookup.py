"""From the names in a table or archive to pictures on disk, and from scattered rows to one group a picture."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

from tdvc.formats._folder import is_picture, picture_problem
from tdvc.names import path_problem

Item = TypeVar("Item")

PICTURE_FOLDERS = ("", "images/", "JPEGImages/")
"""Where the pictures of a table are looked for, in this order."""

_TRIED_SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".webp", ".bmp", ".tif")


class Found(NamedTuple):
    """Where a named picture is, or why it can't be taken."""

    path: str
    source: Path | None = None
    refusal: tuple[str, str] | None = None
    """A problem code and the end of a sentence; a picture that is not there is not refused."""


def clean_name(name: str) -> str:
    """A name as annotation files spell it, with `/` between components and no `./` in front."""
    name = name.strip().replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    return name


def find_picture(root: Path, name: str, folders: Iterable[str] = PICTURE_FOLDERS) -> Found:
    """Look for the picture in the folders below `root`; a name without a picture's suffix is tried with some.

    Args:
        root: the folder that nothing may lead out of.
        name: as `clean_name` gives it, as yet untrusted.
        folders: empty or ending in `/`, safe.
    """
    if problem := path_problem(name):
        return Found(name, refusal=("unsafe-path", problem))
    suffixes = ("",) if is_picture(name) else ("", *_TRIED_SUFFIXES)
    for folder in folders:
        for suffix in suffixes:
            path = folder + name + suffix
            problem_here = picture_problem(root, path)
            if problem_here is None:
                return Found(path, root / path)
            if problem_here[0] != "picture-missing":
                return Found(path, refusal=problem_here)
    return Found(name)


def split_of(stem: str, names: Iterable[str]) -> str:
    """The split that a file's stem begins with (`train-00000-of-00002`, `test`); empty where it is none of `names`."""
    for name in sorted(names, key=len, reverse=True):
        rest = stem[len(name) :]
        if stem.lower().startswith(name) and not rest[:1].isalnum():
            return stem[: len(name)]
    return ""


def scattered(keys: Iterable[str]) -> frozenset[str]:
    """The keys that come up again after another key came between."""
    seen: set[str] = set()
    again: set[str] = set()
    for key, _ in groupby(keys):
        (again if key in seen else seen).add(key)
    return frozenset(again)


def grouped(items: Iterable[tuple[str, Item]], held: frozenset[str]) -> Iterator[tuple[str, list[Item]]]:
    """Each key with all its items: as they pass, except for those in `held`, which follow at the end."""
    late: dict[str, list[Item]] = {}
    for key, group in groupby(items, key=itemgetter(0)):
        values = [value for _, value in group]
        if key in held:
            late.setdefault(key, []).extend(values)
        else:
            yield key, values
    yield from late.items()


def stem_of(path: str) -> str:
    """The file's name without folders and suffix."""
    return posixpath.splitext(posixpath.basename(path))[0]
