"""The rules about files and their pictures, about sequences, and about what only shows over many files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash

from tdvc.columns.arrays import fixed
from tdvc.ids import Kind, ObjectId
from tdvc.objects.store import ObjectStore
from tdvc.ops.pictures import Blobs, picture_of
from tdvc.ops.validating_instances import repeated
from tdvc.ops.validating_page import Hits, Ints, Page, where

ROLES = {
    "train": 1, "training": 1,
    "val": 2, "valid": 2, "validation": 2, "dev": 2,
    "test": 4, "testing": 4,
}  # fmt: skip
"""Splits that must not share a file, by what they are for. Others, such as `trainval` or folds, may."""

_ENOUGH_BOXES = 10


def pictures(page: Page) -> Iterator[Hits]:
    """Pictures that can't be read, or are not what their annotation takes them for."""
    facts, problem = page.facts, page.facts["problem"]
    width, height = page.said
    sized = page.has_size & ~np.isnan(width) & ~np.isnan(height)
    differs = sized & ((facts["width"] != width) | (facts["height"] != height)) & ~page.said_turned

    def real(file: int) -> str:
        found = picture_of(facts[file])
        return f"{found.width} x {found.height} px"

    yield Hits(
        "picture-unreadable",
        where(page.known & (problem > 1)),
        lambda file: picture_of(facts[file]).problem,
        lambda _: "a picture that can be read",
        of_files=True,
    )
    yield Hits(
        "size-differs",
        where(differs),
        real,
        lambda file: f"{width[file]:g} x {height[file]:g} px, as its annotation says",
        of_files=True,
    )
    yield Hits(
        "exif-rotated",
        where(page.known & (facts["orientation"] >= 2)),
        lambda file: f"orientation {facts['orientation'][file]}, {real(file)}",
        lambda _: "pixels that are stored as they are shown",
        of_files=True,
    )


def marks(page: Page) -> Iterator[Hits]:
    """Files whose instances can't be read, and files without any."""
    damaged, empty = page.of_files("damaged"), page.of_files("instance_count") == 0
    complete = page.of_files("complete") > 0
    yield Hits("annotation-damaged", where(damaged), lambda _: "can't be read", lambda _: "instances", of_files=True)
    yield Hits("complete-but-empty", where(empty & complete), lambda _: "no instance", of_files=True)
    yield Hits("unlabelled", where(empty & ~complete), lambda _: "no instance", of_files=True)


def missing(objects: ObjectStore) -> Callable[[Page], Iterator[Hits]]:
    """The rule about bytes that are not in the store."""

    def check(page: Page) -> Iterator[Hits]:
        blobs = page.columns.files.column("blob").to_pylist()
        gone = [at for at, blob in enumerate(blobs) if not objects.contains(Kind.BLOB, ObjectId(blob))]
        value = lambda file: blobs[file].hex()  # noqa: E731
        yield Hits("picture-missing", np.array(gone, np.int64), value, lambda _: "bytes in the store", of_files=True)

    return check


class Tracks:
    """The rules about sequences. In a film a sequence belongs to the file; pictures share those of their folder."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], str] = {}

    def __call__(self, page: Page) -> Iterator[Hits]:
        """Find sequences that are twice in a frame, or change their label."""
        sequences, names = page.words("sequence")
        rows = where(sequences >= 0)
        if not len(rows):
            return
        file, frames = page.file[rows], np.nan_to_num(page.of_instances("frame")[rows].astype(np.float64), nan=-1)
        again, _ = repeated(file, sequences[rows], frames)
        sequence: Callable[[int], str] = lambda row: f"sequence {page.text('sequence', row)}"  # noqa: E731
        yield Hits("twice-in-frame", rows[again], sequence, lambda _: "one instance of it in a frame")
        in_time = rows[np.lexsort((frames, file))]
        changed = self._changed(page, in_time, sequences, names)
        positions = np.array(sorted(changed), np.int64)
        yield Hits("label-changes", positions, sequence, lambda row: f"the label {changed[row]!r}, as earlier")

    def _changed(self, page: Page, rows: Ints, sequences: Ints, names: Sequence[str]) -> dict[int, str]:
        """The rows whose label is not the first one of their sequence, and that one; `rows` are in time order."""
        labels, label_names = page.labels
        scopes: dict[int, str] = {}
        changed = {}
        for row in rows.tolist():
            file = int(page.file[row])
            if file not in scopes:
                path, media = page.path(file), page.columns.files.column("media_type")[file].as_py()
                scopes[file] = path if media.startswith("video/") else path.rpartition("/")[0] + "/"
            label = label_names[labels[row]]
            first = self._labels.setdefault((scopes[file], names[sequences[row]]), label)
            if first != label:
                changed[row] = first
        return changed


class Place(NamedTuple):
    """A file of a set: which page, and where in it."""

    page: int
    file: int


class Sets:
    """What only shows over all files of a state: notes taken page by page, judged at the end.

    Attributes:
        blobs: of each page, (n, 32).
        file_ids: of each page, (n, 16).
        paths: of each page, a column of text that stays mapped.
    """

    def __init__(self) -> None:
        self.blobs: list[Blobs] = []
        self.file_ids: list[Any] = []
        self.paths: list[Any] = []
        self._words: list[Any] = []
        self._roles: list[Any] = []
        self.label_counts: dict[str, int] = {}
        self._boxes = self._at_one = self._at_edge = self._before_one = 0

    def note(self, page: Page) -> None:
        """Take notes of a page."""
        self.blobs.append(page.blobs)
        self.file_ids.append(fixed(page.columns.files.column("file_id")))
        self.paths.append(page.columns.files.column("path"))
        positions, names = page.labels
        self._words.append(_label_sums(page, positions, names))
        self._roles.append(np.array([_roles(splits) for splits in page.columns.files.column("splits").to_pylist()]))
        for name, count in zip(names, np.bincount(positions, minlength=len(names)).tolist(), strict=True):
            self.label_counts[name] = self.label_counts.get(name, 0) + count
        self._note_boxes(page)

    def _note_boxes(self, page: Page) -> None:
        boxes = page.is_a("box")
        x0, y0, x1, y1 = (side[boxes] for side in page.box)
        width, height = (side[boxes] for side in page.frame_of_instance)
        self._boxes += len(x0)
        self._at_one += int(((x0 == 1) | (y0 == 1)).sum())
        self._before_one += int(((x0 < 1) | (y0 < 1)).sum())
        self._at_edge += int(((x1 == width) | (y1 == height)).sum())

    @property
    def counted_from_one(self) -> bool:
        """Whether boxes begin at 1, never before, and end at far edges."""
        enough = self._boxes >= _ENOUGH_BOXES and self._at_one > 0 and self._at_edge > 0
        return enough and self._before_one == 0

    @property
    def edges(self) -> tuple[int, int]:
        """How many boxes begin at 1, and how many end at a far edge."""
        return self._at_one, self._at_edge

    def ids(self, kind: str) -> Any:
        """All blobs or file_ids as values that compare."""
        parts = self.blobs if kind == "blob" else self.file_ids
        width = 32 if kind == "blob" else 16
        joined = np.concatenate(parts) if parts else np.zeros((0, width), np.uint8)
        return np.ascontiguousarray(joined).view(f"S{width}").reshape(-1)

    def place(self, position: int) -> Place:
        """Where a file of `ids` is."""
        page = 0
        while position >= len(self.paths[page]):
            position -= len(self.paths[page])
            page += 1
        return Place(page, position)

    def path(self, position: int) -> str:
        """The path of a file of `ids`."""
        page, file = self.place(position)
        return str(self.paths[page][file].as_py())

    def groups(self) -> tuple[Any, Ints]:
        """The files ordered by blob, and where among them each blob begins."""
        ids = self.ids("blob")
        order = np.argsort(ids, kind="stable")
        starts = where(np.append(True, ids[order][1:] != ids[order][:-1])) if len(ids) else np.zeros(0, np.int64)
        return order, starts

    def disagreeing(self) -> Iterator[tuple[int, int]]:
        """Files with the bytes of an earlier one that has other labels: it, and that one."""
        order, starts = self.groups()
        words = np.concatenate(self._words) if self._words else np.zeros(0, np.uint64)
        for at, end in _several(starts, len(order)):
            labelled = [int(file) for file in order[at:end] if words[file]]
            yield from ((file, labelled[0]) for file in labelled[1:] if words[file] != words[labelled[0]])

    def leaking(self) -> Iterator[tuple[int, int]]:
        """Files whose bytes are in two splits that must not share any: a file, and the other one or itself."""
        roles = np.concatenate(self._roles) if self._roles else np.zeros(0, np.int64)
        if not roles.any():
            return
        order, starts = self.groups()
        alone = (roles & (roles - 1)) != 0
        yield from ((int(file), int(file)) for file in where(alone))
        for at, end in _several(starts, len(order)):
            split = [int(file) for file in order[at:end] if roles[file]]
            yield from ((file, split[0]) for file in split[1:] if roles[file] != roles[split[0]])


def _several(starts: Ints, count: int) -> Iterator[tuple[int, int]]:
    """Begin and end of the groups that have more than one member."""
    ends = np.append(starts[1:], count)
    for at in where(ends - starts > 1):
        yield int(starts[at]), int(ends[at])


def _roles(splits: Sequence[str]) -> int:
    found = 0
    for name in splits:
        found |= ROLES.get(name.casefold(), 0)
    return found


def _label_sums(page: Page, positions: Ints, names: Sequence[str]) -> Any:
    """A number for the labels of each file, whatever their order; 0 for files without instances."""
    hashes = np.array([xxhash.xxh3_64_intdigest(name.encode()) for name in names], np.uint64)
    sums = np.zeros(page.columns.files.num_rows, np.uint64)
    if len(positions):
        np.add.at(sums, page.file, hashes[positions])
    return sums


def shared(one: Sets, other: Sets, kind: str) -> Ints:
    """The files of `other` whose blob or file_id is in `one` too."""
    return where(np.isin(other.ids(kind), one.ids(kind)))
