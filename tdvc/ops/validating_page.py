"""A page of files and instances as the rules of validation see it: numpy columns, with what is known of the pictures.

A rule is a function from a page to `Hits`: which rows it is about, and how to tell one of them. Rows are found for the
whole page at once; only those that are listed are ever put into words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tdvc.columns import arrays
from tdvc.columns.layout import ColumnPage
from tdvc.model.schema import Schema
from tdvc.ops.pictures import Blobs, Facts
from tdvc.repo.config import Validation

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]
Tell = Callable[[int], str]


def _silent(row: int) -> str:
    del row
    return ""


class Hits(NamedTuple):
    """What a rule found in a page.

    Attributes:
        rule: its code.
        rows: positions of instances, or of files.
        value: tells what is there.
        expected: tells what should be there.
        fix: tells what `--fix` would do; nothing where it would leave it.
        of_files: whether the rows are files.
    """

    rule: str
    rows: Ints
    value: Tell = _silent
    expected: Tell = _silent
    fix: Tell = _silent
    of_files: bool = False


Check = Callable[["Page"], Iterable[Hits]]


class Page:
    """Columns of some files and their instances, and all that rules ask about them.

    Attributes:
        columns: the tables.
        schema: what the labels mean.
        settings: thresholds.
        facts: of the files' pictures; zeros where nothing is known.
        known: which files are pictures of which something is known.
    """

    def __init__(self, columns: ColumnPage, schema: Schema, settings: Validation, facts: Facts, known: Truths) -> None:
        self.columns = columns
        self.schema = schema
        self.settings = settings
        self.facts = facts
        self.known = known

    # files

    def of_files(self, name: str) -> Any:
        """A column of the files as an array; null is NaN in a column of numbers."""
        return arrays.numbers(self.columns.files.column(name))

    def path(self, file: int) -> str:
        """The path of a file."""
        return str(self.columns.files.column("path")[file].as_py())

    @cached_property
    def has_size(self) -> Truths:
        """Which files are pictures whose real size is known."""
        return self.known & (self.facts["width"] > 0)

    @cached_property
    def said(self) -> tuple[Floats, Floats]:
        """Width and height that the files' sources gave, NaN where they gave none."""
        return self.of_files("said_width"), self.of_files("said_height")

    @cached_property
    def said_turned(self) -> Truths:
        """Which pictures ask to be shown on their side, and have the size that was given for them when they are."""
        facts, (width, height) = self.facts, self.said
        fits = (facts["width"] == height) & (facts["height"] == width)
        turned: Truths = self.has_size & (facts["orientation"] >= 5) & fits
        return turned

    @cached_property
    def frames(self) -> tuple[Floats, Floats]:
        """Width and height of what was drawn on: the picture's, else what was said of it, else NaN."""
        turned, known = self.said_turned, self.has_size & ~self.said_turned
        width = np.where(known, self.facts["width"], np.where(turned | ~self.known, self.said[0], np.nan))
        height = np.where(known, self.facts["height"], np.where(turned | ~self.known, self.said[1], np.nan))
        return width, height

    def frame(self, file: int) -> tuple[float, float] | None:
        """Width and height of what was drawn on; None where they are not known."""
        width, height = self.frames
        return None if np.isnan(width[file]) else (float(width[file]), float(height[file]))

    @cached_property
    def blobs(self) -> Blobs:
        """(n, 32) the blobs of the files."""
        return arrays.fixed(self.columns.files.column("blob"))

    # instances

    def of_instances(self, name: str) -> Any:
        """A column of the instances as an array; null is NaN in a column of numbers."""
        return arrays.numbers(self.columns.instances.column(name))

    def words(self, name: str) -> tuple[Ints, list[str]]:
        """A column of words: their positions in a list, -1 for null, and the list."""
        return arrays.words(self.columns.instances.column(name))

    @cached_property
    def labels(self) -> tuple[Ints, list[str]]:
        """The instances' labels, as `words`."""
        return self.words("label")

    @cached_property
    def types(self) -> tuple[Ints, list[str]]:
        """The instances' spatial types, as `words`."""
        return self.words("type")

    def is_a(self, *names: str) -> Truths:
        """Which instances are of one of these types."""
        positions, known = self.types
        return np.isin(positions, [at for at, name in enumerate(known) if name in names])

    @cached_property
    def file(self) -> Ints:
        """The position of each instance's file."""
        found: Ints = self.of_instances("file")
        return found

    @cached_property
    def box(self) -> tuple[Floats, Floats, Floats, Floats]:
        """`x0 y0 x1 y1` of the bounding boxes, NaN where nothing is drawn."""
        x0, y0, x1, y1 = (self.of_instances(name) for name in ("x0", "y0", "x1", "y1"))
        return x0, y0, x1, y1

    @cached_property
    def frame_of_instance(self) -> tuple[Floats, Floats]:
        """Width and height of what each instance was drawn on."""
        width, height = self.frames
        return width[self.file], height[self.file]

    def instance_id(self, row: int) -> str:
        """The id of an instance, 32 hexadecimal digits."""
        return str(self.columns.instances.column("instance_id")[row].as_py().hex())

    def text(self, name: str, row: int) -> str:
        """One value of an instance as text."""
        return str(self.columns.instances.column(name)[row].as_py())

    def geometry(self, row: int) -> str:
        """The geometry of an instance, shortened."""
        text = self.text("geometry", row)
        return text if len(text) <= 80 else f"{text[:79]}…"


def where(truths: Any) -> Ints:
    """The positions at which something holds."""
    return np.flatnonzero(truths)
