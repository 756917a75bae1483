"""Tables of boxes: which column of a CSV file means what, by the header alone.

The same columns come in any order (`xmin, ymin, xmax, ymax` here, `xmin, xmax, ymin, ymax` there), so a position says
nothing and a table without a header is refused. A column is known by its name, or because the user says which it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from tdvc.formats import _decimal
from tdvc.formats._folder import is_file, is_picture, shortened

CORNERS = ("x0", "y0", "x1", "y1")
SIZES = ("x", "y", "width", "height")
OWN_HEADER = {
    "filename": "path",
    "width": "image_width",
    "height": "image_height",
    "class": "label",
    "xmin": "x0",
    "ymin": "y0",
    "xmax": "x1",
    "ymax": "y1",
    "score": "score",
    "split": "split",
    "frame": "frame",
    "sequence": "sequence",
    "source": "source",
    "instance_id": "instance_id",
    "attributes": "attributes",
    "properties": "properties",
}
"""The columns of the tables that we write, in their order, and our word for each."""

SUFFIXES = (".csv", ".tsv")
MAX_CELL_BYTES = 8 << 20
MAX_LINE_LENGTH = 32 << 20
MAX_HEADER_LENGTH = 1 << 20

_DELIMITERS = ",;\t|"
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_NAMES: dict[str, tuple[str, ...]] = {
    "path": ("filename", "file_name", "path", "image_path", "image", "image_name", "imageid", "image_id", "img"),
    "label": ("class", "label", "cell_type", "labelname", "label_name", "class_name", "category", "category_name"),
    "score": ("score", "confidence"),
    "split": ("split", "subset", "set"),
    "image_width": ("image_width", "img_width", "width"),
    "image_height": ("image_height", "img_height", "height"),
}
_BOXES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (CORNERS, ("xmin", "ymin", "xmax", "ymax")),
    (CORNERS, ("x_min", "y_min", "x_max", "y_max")),
    (CORNERS, ("x0", "y0", "x1", "y1")),
    (CORNERS, ("x1", "y1", "x2", "y2")),
    (CORNERS, ("left", "top", "right", "bottom")),
    (SIZES, ("bbox_x", "bbox_y", "bbox_width", "bbox_height")),
    (SIZES, ("xmin", "ymin", "width", "height")),
    (SIZES, ("x", "y", "width", "height")),
    (SIZES, ("x", "y", "w", "h")),
)
_OPEN_IMAGES = frozenset(("imageid", "labelname"))


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of one table mean.

    Attributes:
        header: every name as it stands.
        places: our word to the column's position; `image_width` and `image_height` are the picture's.
        open_images: it is a table of Open Images: ids for names, coordinates as fractions of the picture.
        own: it is a table as we write it.
    """

    header: tuple[str, ...]
    places: Mapping[str, int]
    open_images: bool
    own: bool

    @property
    def box(self) -> tuple[str, ...]:
        """The four words for a box that the table has; none where it has no boxes."""
        return next((words for words in (CORNERS, SIZES) if all(word in self.places for word in words)), ())

    @property
    def rest(self) -> list[tuple[int, str]]:
        """The columns that mean nothing to us."""
        used = set(self.places.values())
        return [(position, name) for position, name in enumerate(self.header) if name and position not in used]


def guarded(text: str) -> str:
    """Text that no spreadsheet takes for a formula: with a `'` in front where one might.

    Source: OWASP, CSV injection.
    """
    return "'" + text if text.lstrip("'").startswith(_FORMULA) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(_FORMULA) else text


def typed(text: str) -> str:
    """A cell of a column that we know nothing of: a `Number` where JSON would spell it so, else the text."""
    number = _decimal.number(text)
    return number if number is not None and str(number) == text else text


def plain_name(column: str) -> str:
    """A column's name as it is compared: lower case, with `_` between words."""
    return column.strip().lower().replace(" ", "_").replace("-", "_")


def columns_of(header: list[str], chosen: Mapping[str, str]) -> Columns:
    """What a header says.

    Args:
        header: the cells of the first row.
        chosen: what the user says, our word to the column's name.

    Raises:
        ValueError: a needed column is missing or a name stands there twice; the end of a sentence.
    """
    plain = [plain_name(name) for name in header]
    if not any(plain):
        raise ValueError("has no header")
    if twice := next((name for name in plain if name and plain.count(name) > 1), None):
        raise ValueError(f"has two columns {shortened(twice)}")
    own = set(plain) >= set(OWN_HEADER)
    places = _guessed(plain, chosen)
    if own:
        places = {word: plain.index(name) for name, word in OWN_HEADER.items()}
    for word, name in chosen.items():
        if name not in header:
            raise ValueError(f"has no column {shortened(name)}, which is to be the {word}")
        places[word] = header.index(name)
    names = tuple(map(unguarded, header) if own else header)
    columns = Columns(names, places, set(plain) >= _OPEN_IMAGES, own)
    if "path" not in places:
        raise ValueError("has no column for the picture's name, such as 'filename'")
    if "label" not in places and not columns.box:
        raise ValueError("has neither a column for the label, such as 'class', nor four for a box")
    return columns


def _guessed(plain: list[str], chosen: Mapping[str, str]) -> dict[str, int]:
    places: dict[str, int] = {}
    if not any(word in chosen for word in CORNERS + SIZES):
        for words, names in _BOXES:
            if all(name in plain for name in names):
                places |= {word: plain.index(name) for word, name in zip(words, names, strict=True)}
                break
    for word, names in _NAMES.items():
        found = next((name for name in names if name in plain and plain.index(name) not in places.values()), None)
        if found is not None and word not in chosen:
            places[word] = plain.index(found)
    return places


def open_table(path: Path) -> TextIO:
    """The table's text; what it does not hold as UTF-8 raises UnicodeDecodeError when it is read."""
    return path.open("r", encoding="utf-8-sig", newline="")


def sniffed(file: TextIO, chosen: Mapping[str, str]) -> tuple[Columns, str]:
    """The columns and the delimiter that a table's first line, which is read, makes most sense with.

    Raises:
        ValueError: as `columns_of`.
    """
    line = file.readline(MAX_HEADER_LENGTH)
    best: tuple[Columns, str] | None = None
    problem = ValueError("is empty")
    for delimiter in _DELIMITERS:
        try:
            header = next(csv.reader([line], delimiter=delimiter, strict=True), [])
            columns = columns_of(header, chosen)
        except csv.Error as error:
            problem = ValueError(f"has a first row that {error}")
        except ValueError as error:
            problem = error if delimiter == "," else problem
        else:
            if best is None or len(columns.places) > len(best[0].places):
                best = columns, delimiter
    if best is None:
        raise problem
    return best


def is_annotation_table(path: Path, chosen: Mapping[str, str] = MappingProxyType({})) -> bool:
    """Whether a CSV file is about labelled pictures: it has boxes, or its first row names a picture."""
    if path.suffix.lower() not in SUFFIXES or not is_file(path):
        return False
    try:
        with open_table(path) as file:
            columns, delimiter = sniffed(file, chosen)
            first = next(csv.reader(_lines(file), delimiter=delimiter), [])
    except (OSError, ValueError, csv.Error):
        return False
    if "label" not in columns.places:
        return False
    place = columns.places["path"]
    return bool(columns.box or chosen) or columns.open_images or (place < len(first) and is_picture(first[place]))


def _lines(file: TextIO) -> Iterator[str]:
    """The lines of a table; one that is beyond all bounds ends it, because nobody knows where the next row begins."""
    while line := file.readline(MAX_LINE_LENGTH + 1):
        if len(line) > MAX_LINE_LENGTH:
            raise ValueError(f"has a line of more than {MAX_LINE_LENGTH >> 20} MiB")
        yield line


def rows(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | str, int]]:
    """The rows after the header: the line they begin at, the cells (or what is wrong), and how many lines they take."""
    csv.field_size_limit(MAX_CELL_BYTES)  # of the whole process; its default is too small for our properties
    reader = csv.reader(_lines(file), delimiter=delimiter, strict=True)
    while True:
        before = reader.line_num
        try:
            cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = str(error)
        if cells:
            yield before + 2, cells, reader.line_num - before
