"""The files of a state as a sequence, and one of them.

Samples are in path order. A sample reads nothing before somebody asks, so going through labels alone touches no
picture. Both have a fingerprint in two parts: of pixels, which changes when bytes do, and of labels, which changes when
instances do or the numbers that labels stand for. What is computed from pixels alone stays good while the first is
equal.

A sample that goes to another process takes its bytes and its instances along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from tdvc.errors import FormatError, NotFound
from tdvc.ids import Kind
from tdvc.loader.epoch import Epoch
from tdvc.loader.rows import Rows
from tdvc.loader.state import Source, State
from tdvc.loader.targets import Classes, Targets, make_targets
from tdvc.model.pictures import UnreadablePicture, open_picture
from tdvc.model.records import Instance, decode_set
from tdvc.names import printable
from tdvc.repo.commit import malformed
from tdvc.repo.directory import Directory

Transform = Callable[["Sample"], Any]


class Fingerprint(NamedTuple):
    """SHA-256 of what a model sees, in two parts, in hexadecimal."""

    pixels: str
    labels: str


class Sample:
    """One file: its bytes, and its instances as records or arrays."""

    def __init__(self, source: Source, row: int) -> None:
        self._source = source
        self._row = row

    def __repr__(self) -> str:
        return f"<Sample {self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        source, row = self._source, self._row
        held = _Held(_one_row(source.rows, row), source.classes, source.blob(row), source.instance_set(row))
        return Sample, (held, 0)

    @property
    def path(self) -> str:
        """Its path in the directory."""
        return self._source.rows.path(self._row)

    @property
    def file_id(self) -> str:
        """Its lasting identity, 32 hexadecimal digits."""
        return self._source.rows.file_id(self._row).hex()

    @property
    def pixels_id(self) -> str:
        """SHA-256 of its bytes, 64 hexadecimal digits: the key for what is computed from them alone."""
        return self._source.rows.blob(self._row).hex()

    @property
    def labels_id(self) -> str:
        """The same for its instances, and for the classes that the schema gives their labels."""
        said = self._source.rows.instance_set(self._row) + bytes.fromhex(self._source.classes.id)
        return hashlib.sha256(said).hexdigest()

    @property
    def size_bytes(self) -> int:
        """How many bytes it has; nothing is read."""
        return int(self._source.rows.sizes[self._row])

    @property
    def bytes(self) -> bytes:
        """Its bytes, read each time. Raises Corruption."""
        return self._source.blob(self._row)

    @cached_property
    def instances(self) -> list[Instance]:
        """Its instances, ordered by id. Raises Corruption."""
        try:
            return decode_set(self._source.instance_set(self._row))
        except ValueError as error:  # msgspec's errors are ValueErrors
            raise malformed(Kind.INSTANCES, self._source.rows.instance_set(self._row)) from error

    @cached_property
    def targets(self) -> Targets:
        """Its instances as arrays. Raises Corruption."""
        return make_targets(self.instances, self._source.classes)

    @property
    def masks(self) -> NDArray[np.bool_]:
        """(n, height, width) bool: the pixels of each instance that is drawn; the picture's header is read.

        Raises:
            Corruption: the file can't be read.
            FormatError: bad-format-file, where it is no picture.
            SchemaError: bad-instance.
        """
        width, height = self.picture_size
        return self.targets.masks(height, width)

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height, px, as the header says. Raises as `pixels`."""
        try:
            with open_picture(self.bytes) as picture:
                return picture.size
        except UnreadablePicture as error:
            raise self._no_picture(error) from error

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8, decoded each time, not turned as EXIF may ask.

        Raises:
            Corruption: the file can't be read.
            FormatError: bad-format-file, where it is no picture.
        """
        try:
            with open_picture(self.bytes) as picture:
                return np.asarray(picture.convert("RGB"))
        except UnreadablePicture as error:
            raise self._no_picture(error) from error

    def _no_picture(self, error: UnreadablePicture) -> FormatError:
        return FormatError("bad-format-file", f"{printable(self.path)!r} {error}.", path=self.path)


@dataclass(frozen=True, slots=True)
class _Held:
    """A `Source` of one file that was read already."""

    rows: Rows
    classes: Classes
    content: bytes
    content_of_set: bytes

    def blob(self, row: int) -> bytes:
        """See `Source`."""
        del row
        return self.content

    def instance_set(self, row: int) -> bytes:
        """See `Source`."""
        del row
        return self.content_of_set


def _one_row(rows: Rows, row: int) -> Rows:
    path, one = rows.path_bytes(row), slice(row, row + 1)
    return Rows(
        paths=path,
        path_ends=np.array([len(path)], np.int64),
        file_ids=rows.file_ids[one].copy(),
        blobs=rows.blobs[one].copy(),
        sizes=rows.sizes[one].copy(),
        sets=rows.sets[one].copy(),
        instance_counts=rows.instance_counts[one].copy(),
        page_ends=np.array([1], np.int64),
    )


class Samples:
    """Files of a state, in path order. `tdvc.load` makes them.

    `samples[3]` and `samples["a/b.jpg"]` are samples, or what `transform` makes of them; `samples[10:20]` are samples
    again. Iterating goes through all of them in path order; `epoch` gives other orders.

    Attributes:
        state: what they are of.
        positions: (n,) their rows in the state, ascending.
        transform: what is done with each sample that is given out.
    """

    def __init__(self, state: State, positions: NDArray[np.int64], transform: Transform | None = None) -> None:
        self.state = state
        self.positions = positions
        self.transform = transform

    def __repr__(self) -> str:
        return f"<Samples {len(self)} of {self.directory.title}>"

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, key: int | str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> Samples: ...
    def __getitem__(self, key: int | str | slice) -> Any:
        """A sample by position or path. Raises IndexError, NotFound (file-not-found), Corruption."""
        if isinstance(key, slice):
            return Samples(self.state, np.sort(self.positions[key]), self.transform)
        found = self.sample(self.position(key) if isinstance(key, str) else key)
        return found if self.transform is None else self.transform(found)

    def __iter__(self) -> Iterator[Any]:
        return (self[position] for position in range(len(self)))

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self._find(path) is not None

    def sample(self, position: int) -> Sample:
        """The sample at a position, whatever `transform` says. Raises IndexError."""
        return Sample(self.state, int(self.positions[position]))

    def read(self, position: int) -> bytes:
        """The bytes of the file at a position: the quickest way to them. Raises IndexError, Corruption."""
        return self.state.blob(int(self.positions[position]))

    def position(self, path: str) -> int:
        """Where the file at a path is. Raises NotFound (file-not-found)."""
        found = self._find(path)
        if found is None:
            message = f"The samples of {self.directory.title} have no file {printable(path)!r}."
            raise NotFound("file-not-found", message, path=path)
        return found

    def _find(self, path: str) -> int | None:
        row = self.state.rows.row_of(path)
        at = int(np.searchsorted(self.positions, len(self.state.rows) if row is None else row))
        return at if at < len(self) and self.positions[at] == row else None

    @property
    def directory(self) -> Directory:
        """The state, with everything else that is known of it."""
        return self.state.directory

    @property
    def classes(self) -> Classes:
        """What label is which class."""
        return self.state.classes

    @property
    def paths(self) -> list[str]:
        """All paths, in order."""
        return [self.state.rows.path(row) for row in self.positions.tolist()]

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Of all samples in their order; see the module."""
        rows, kept = self.state.rows, self.positions
        pixels = hashlib.sha256(b"tdvc pixels\0" + rows.blobs[kept].tobytes())
        labels = hashlib.sha256(b"tdvc labels\0" + bytes.fromhex(self.classes.id) + rows.sets[kept].tobytes())
        return Fingerprint(pixels.hexdigest(), labels.hexdigest())

    def epoch(
        self,
        number: int = 0,
        *,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world_size: int = 1,
        even: bool = False,
    ) -> Epoch:
        """Once through all samples, or through one rank's share of them.

        Args:
            number: of the epoch; each has another order.
            seed: for the order.
            shuffle: False for path order.
            rank: which share, from 0.
            world_size: how many shares.
            even: leave out the last few, so that every rank has equally many.

        Raises:
            Usage: bad-usage, where there is no such epoch or rank, or a number is none.
        """
        return Epoch(self, number, seed=seed, shuffle=shuffle, rank=rank, world_size=world_size, even=even)
