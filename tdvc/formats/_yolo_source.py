"""The folder of a YOLO data set: which pictures it has, where their labels are, which splits they are in.

The paths of a description were written on another machine more often than not, so they are only compared with what lies
in the folder and never followed: an entry that fits nothing here is reported.

The label of a picture is where Ultralytics looks: the last folder `images` of its path becomes `labels`. Failing that
it lies beside the picture.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tdvc.formats._folder import is_picture, read_bytes, shortened, walk
from tdvc.formats._yolo_description import Description, tails
from tdvc.formats._yolo_rows import Task
from tdvc.formats.base import ReadOptions
from tdvc.model.problems import Problem, Report
from tdvc.names import printable

MAX_LIST_BYTES = 256 << 20

_VISIBILITY = re.compile(r"[012](\.0*)?")


def label_place(picture: str) -> str:
    """Where the labels of a picture belong."""
    folders, name = posixpath.split(picture)
    parts = folders.split("/")
    for at in reversed(range(len(parts))):
        if parts[at] == "images":
            parts[at] = "labels"
            break
    return posixpath.join(*parts, posixpath.splitext(name)[0] + ".txt")


@dataclass(slots=True)
class Source:
    """What lies in the folder, paths relative to `root`, those of pictures to `picture_root`.

    Attributes:
        root: the folder that no name may lead out of.
        picture_root: the same, or where the user says the pictures are.
        pictures: every picture, in the order of the walk.
        texts: every text file, the value telling whether it is a label file, a list or described otherwise by now.
        rest: other files.
        passed_over: where the labels of pictures that were reported would be.
    """

    root: Path
    picture_root: Path
    pictures: list[str] = field(default_factory=list)
    texts: dict[str, bool] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    _by_key: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_apart(self) -> bool:
        """Whether pictures are looked up in another folder."""
        return self.picture_root != self.root

    def label_of(self, picture: str) -> str | None:
        """The label file of a picture; None where it has none."""
        if not self.is_apart:
            beside = posixpath.splitext(picture)[0] + ".txt"
            return next((place for place in (label_place(picture), beside) if place in self.texts), None)
        stem = posixpath.splitext(picture)[0]
        for key in (_key(stem), posixpath.basename(stem)):
            if len(found := self._by_key.get(key, [])) == 1:
                return found[0]
        return None

    def index_labels(self) -> None:
        """Prepare for pictures in another folder: labels by their path and by their name."""
        for place in self.texts:
            stem = posixpath.splitext(place)[0]
            for key in {_key(stem), posixpath.basename(stem)}:
                self._by_key.setdefault(key, []).append(place)


def _key(stem: str) -> str:
    """A path without the folders that only tell pictures from labels."""
    return "/".join(part for part in stem.split("/") if part not in ("images", "labels"))


def look_into(root: Path, options: ReadOptions, report: Report) -> Source:
    """Walk the folders once.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed.
    """
    source = Source(root, options.images or root)

    def report_and_note(problem: Problem) -> None:
        if problem.dropped_files:
            source.passed_over.add(label_place(problem.place))
        report(problem)

    for path in walk(root, report_and_note):
        if path.lower().endswith(".txt"):
            source.texts[path] = False
        elif not is_picture(path):
            source.rest.append(path)
        elif not source.is_apart:
            source.pictures.append(path)
    if source.is_apart:
        source.pictures = [path for path in walk(source.picture_root, report) if is_picture(path)]
        source.index_labels()
    return source


class Splits:
    """Which splits a picture is in."""

    def __init__(self, source: Source, description: Description, report: Report) -> None:
        self._source = source
        self._report = report
        self._place = printable(description.place)
        self._base = description.base
        self._pictures = frozenset(source.pictures)
        self._folders = frozenset(_folders_of(source.pictures))
        self._names: dict[str, tuple[set[str], set[str]]] = {}
        for split, entries in description.splits.items():
            folders: set[str] = set()
            listed: set[str] = set()
            for entry in entries:
                self._take(split, entry, folders, listed)
            if folders or listed:
                self._names[split] = (folders, listed)
        if len(self._names) > 1 and len(description.splits) == len(self._names) and self._all_equal():
            self._names.clear()  # one set of pictures for everything is no split

    def _all_equal(self) -> bool:
        first, *others = self._names.values()
        return all(other == first for other in others)

    def of(self, picture: str) -> list[str]:
        """The names of the splits, in the description's order."""
        found = []
        for split, (folders, listed) in self._names.items():
            if picture in listed or any(folder == "" or picture.startswith(folder + "/") for folder in folders):
                found.append(split)
        return found

    def _take(self, split: str, entry: str, folders: set[str], listed: set[str]) -> None:
        """Take what an entry stands for: a list of pictures, or a folder of them."""
        if entry.lower().endswith(".txt"):
            place = next((tail for tail in tails(entry) if tail in self._source.texts), None)
            if place is not None:
                self._source.texts[place] = True
                listed |= self._listed(place)
                return
        else:
            for candidate in self._candidates(entry):
                if candidate in self._folders:
                    folders.add(candidate)
                    return
        message = f"The split {shortened(split)} is {shortened(entry)}, which is not there."
        self._report(Problem("split-unknown", self._place, message, severity="warning"))

    def _candidates(self, entry: str) -> Iterator[str]:
        """The folders that an entry may mean: below `path`, in the source, or for an absolute one its last parts."""
        plain = next(tails(entry), "")
        if self._base and not self._base.startswith("/"):
            yield posixpath.join(*_whole(self._base), plain)
        yield plain
        if entry.startswith("/"):
            yield from (tail for tail in tails(entry) if "/" in tail)
        if self._source.is_apart:
            yield _key(plain)

    def _listed(self, place: str) -> set[str]:
        """The pictures that a list names; those that are not there are reported together."""
        try:
            text = read_bytes(self._source.root / place, MAX_LIST_BYTES).decode("utf-8-sig")
        except (OSError, ValueError) as error:
            self._report(Problem("record-unreadable", printable(place), f"The split list can't be read: {error}."))
            return set()
        found: set[str] = set()
        missing: list[str] = []
        for line in filter(None, map(str.strip, text.splitlines())):
            picture = self._picture(posixpath.dirname(place), line)
            if picture is None:
                missing.append(line)
            else:
                found.add(picture)
        if missing:
            message = f"{len(missing):,} names have no picture; the first is {shortened(missing[0])}."
            self._report(Problem("split-unknown", printable(place), message, severity="warning"))
        return found

    def _picture(self, folder: str, line: str) -> str | None:
        for tail in tails(posixpath.join(folder, line) if folder and not line.startswith("/") else line):
            for candidate in (tail, _key(tail)) if self._source.is_apart else (tail,):
                if candidate in self._pictures:
                    return candidate
        return None


def _whole(path: str) -> tuple[str, ...]:
    """The whole path without what leads out of the folder, if anything is left of it."""
    return tuple(tail for tail in [next(tails(path), "")] if tail)


def _folders_of(pictures: Iterable[str]) -> Iterator[str]:
    """Every folder that holds pictures at any depth, and the source itself."""
    seen = {""}
    yield ""
    for picture in pictures:
        folder = posixpath.dirname(picture)
        while folder not in seen:
            seen.add(folder)
            yield folder
            folder = posixpath.dirname(folder)


def task_of(description: Description, rows: Iterable[list[str]]) -> Task:
    """What kind of rows the data set has, from its description or else from the rows themselves.

    Nine columns mean turned boxes where all rows have nine (or ten, with a score). Keypoints that nobody described
    show by the visibility 2, which no coordinate is.

    Args:
        description: of the data set.
        rows: the columns of its rows, read only as far as needed.
    """
    keypoints = description.keypoints
    if keypoints is not None or description.task in ("detect", "obb", "segment"):
        return Task(description.task == "obb", keypoints)
    lengths: set[int] = set()
    for columns in rows:
        lengths.add(len(columns))
        seen = _visibilities(columns) if len(lengths) == 1 else []
        if 2.0 in seen:
            return Task(keypoints=(len(seen), 3))
        if not seen and not lengths <= {9, 10}:
            return Task()
    return Task(turned=bool(lengths) and lengths <= {9, 10})


def _visibilities(columns: list[str]) -> list[float]:
    """The visibilities of the two keypoints or more that a row has; empty where it can't have any."""
    if len(columns) < 11 or (len(columns) - 5) % 3:
        return []
    texts = columns[7::3]
    return [float(text) for text in texts] if all(map(_VISIBILITY.fullmatch, texts)) else []
