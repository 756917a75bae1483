"""COCO's JSON files: telling which kind one is, and its records as text.

Three kinds look alike: files of annotations (instances, keypoints, captions), panoptic files, whose segments are pixels
of pictures, and result files, which are a bare list. Records stay text until it is known what they are, so that
numbers leave as they came and a large file costs little memory beyond its own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec

from tdvc.errors import FormatError
from tdvc.formats._folder import is_file
from tdvc.formats._json import ends_of, parse_strictly, read_json
from tdvc.formats.base import ReadOptions
from tdvc.model.problems import Problem, Report
from tdvc.names import printable

ANNOTATIONS, PANOPTIC, RESULTS = "annotations", "panoptic", "results"
MAX_FILE_BYTES = 4 << 30

_FOLDER = "annotations"
_KEY_BYTES = 4  # quotes, a colon and a comma
_SNIFFED_BYTES = 1 << 16
_BLANK_BYTES = 16  # of line ends and indentation beside a key
_KINDS = re.compile(r"^(instances|person_keypoints|keypoints|captions|stuff|panoptic|image_info)_(?P<split>.+)$")
_PASSED_OVER = {
    ANNOTATIONS: "Its annotations are no panoptic segments; import it as coco.",
    PANOPTIC: "Its segments are pixels of pictures; import it as coco-panoptic.",
    RESULTS: "It holds a model's predictions; import this file itself to have them beside the ground truth.",
}


class Document(msgspec.Struct):
    """A COCO file, its records as raw text."""

    images: list[msgspec.Raw] = []
    annotations: list[msgspec.Raw] = []
    categories: list[msgspec.Raw] = []


class Owner(msgspec.Struct):
    """Whose record it is."""

    image_id: int | str


_tops = msgspec.json.Decoder(dict[str, list[msgspec.Raw] | dict[str, msgspec.Raw] | str | float | bool | None])
_raws = msgspec.json.Decoder(dict[str, msgspec.Raw])
_lists = msgspec.json.Decoder(list[msgspec.Raw])
_owners = msgspec.json.Decoder(Owner)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def kind_of(path: Path) -> str:
    """Which of the three kinds a file looks like by its beginning and end; empty for none."""
    ends = ends_of(path)
    if ends.startswith(b"["):
        says_more = b'"score"' in ends or b'"caption"' in ends
        return RESULTS if b'"image_id"' in ends and says_more else ""
    keys = [key in ends for key in (b'"images"', b'"annotations"', b'"categories"')]
    if not ends.startswith(b"{") or sum(keys) < 2 or b'"file_name"' not in ends:
        return ""
    return PANOPTIC if b'"segments_info"' in ends or path.name.startswith("panoptic_") else ANNOTATIONS


def has_kind(source: Path, *kinds: str) -> bool:
    """Whether it is a file of one of the kinds, or a folder with one of the first in it or in its `annotations`."""
    if source.is_dir():
        return any(kind_of(path) == kinds[0] for path in _json_in(source))
    return source.suffix.lower() == ".json" and is_file(source) and kind_of(source) in kinds


def _json_in(folder: Path) -> list[Path]:
    inner = folder / _FOLDER
    places = [inner, folder] if inner.is_dir() and not inner.is_symlink() else [folder]
    return [path for place in places for path in sorted(place.glob("*.json")) if is_file(path)]


def files_of(source: Path, kind: str, report: Report | None = None) -> list[Path]:
    """The files of a kind in a source, which may be one itself; COCO files of the other kinds are reported."""
    if not source.is_dir():
        return [source]
    found = []
    for path in _json_in(source):
        other = kind_of(path)
        if other == kind:
            found.append(path)
        elif other and report is not None:
            place = printable(path.relative_to(source).as_posix())
            report(Problem("skipped-other", place, _PASSED_OVER[other], severity="warning"))
    return found


def some_files_of(source: Path, kind: str, report: Report) -> list[Path]:
    """As `files_of`. Raises FormatError (bad-format-file) where there is none."""
    found = files_of(source, kind, report)
    if not found:
        name = printable(str(source))
        raise FormatError("bad-format-file", f"{name} has no COCO file of {kind}.", source=name)
    return found


def root_of(source: Path, options: ReadOptions) -> Path:
    """The folder that names of pictures are relative to; of a file in `annotations` it is the one above."""
    if options.images is not None:
        return options.images
    if source.is_dir():
        return source
    folder = source.absolute().parent
    return folder.parent if folder.name == _FOLDER else source.parent


def split_of(path: Path, alone: bool) -> str:
    """The split that a file is about, by its name; empty for none."""
    found = _KINDS.match(path.stem)
    if found:  # what the writer calls a file of pictures that are in no split
        return "" if found["split"] == "all" else found["split"]
    return "" if alone else path.stem


def load(path: Path) -> Document:
    """Read a file of annotations, or a panoptic one.

    Raises:
        FormatError: bad-format-file.
    """
    return read_json(path, MAX_FILE_BYTES, _document)


def _document(content: bytes) -> Document:
    """The lists of a file. Raises ValueError, the end of a sentence, where it is none or one of them may be lost."""
    tops = _tops.decode(content)
    apart = 2 if content.find(b"}, {", 0, _SNIFFED_BYTES) >= 0 else 1
    said_bytes = sum(len(key.encode()) + _KEY_BYTES + _said_bytes(value, apart) for key, value in tops.items())
    if len(content) - said_bytes > _BLANK_BYTES * (len(tops) + 1):
        _refuse_twice(content)
    lists: dict[str, Any] = {name: tops[name] for name in Document.__struct_fields__ if name in tops}
    for name, records in lists.items():
        if not isinstance(records, list):
            raise ValueError(f"Expected `array` - at `$.{name}`")
    return Document(**lists)


def _said_bytes(value: Any, apart: int) -> int:
    """How long JSON must at least be that says this, with so many bytes between records."""
    if isinstance(value, list):
        return sum(map(len, value)) + apart * len(value) + 1
    if isinstance(value, dict):
        return sum(len(key.encode()) + len(text) + _KEY_BYTES for key, text in value.items()) + 1
    return len(value.encode()) if isinstance(value, str) else 1


def _refuse_twice(content: bytes) -> None:
    """Raise ValueError, the end of a sentence, where a file has a key twice."""
    raws = _raws.decode(content)
    said_bytes = sum(len(key.encode()) + len(value) + _KEY_BYTES for key, value in raws.items())
    if len(content) - said_bytes > _BLANK_BYTES * (len(raws) + 1):
        raise ValueError("has a key twice, of which readers take either, or a lot of white space between its keys")


def load_results(path: Path) -> list[msgspec.Raw]:
    """Read a result file.

    Raises:
        FormatError: bad-format-file.
    """
    return read_json(path, MAX_FILE_BYTES, _lists.decode)


def owner_of(raw: msgspec.Raw) -> int | str:
    """The image that a record belongs to. Raises ValueError where it says none."""
    return _owners.decode(raw).image_id


def fields_of(raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The fields of a record. A key that is there twice, which the lengths tell, is refused with ValueError."""
    fields = _fields.decode(raw)
    compact = bytes(raw).translate(None, b" \t\r\n")
    said = sum(len(key.encode()) + len(bytes(value).translate(None, b" \t\r\n")) for key, value in fields.items())
    if len(compact) != said + _KEY_BYTES * len(fields) + 1:
        parse_strictly(bytes(raw))
    return fields
