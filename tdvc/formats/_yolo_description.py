"""What the description of a YOLO data set says: its classes, its splits, its keypoints.

It is `data.yaml` (Ultralytics), `obj.data` (Darknet, CVAT) or just a list of names (`classes.txt`). The class of a row
is a number, so the names are taken as they are numbered: by the keys of a mapping, whatever their order, or by place
in a list.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError
from tdvc.formats import _yaml
from tdvc.formats._folder import SPLIT_NAMES, ignore, is_file, listing, read_bytes, shortened
from tdvc.model.numbers import Number
from tdvc.names import printable

MAX_DESCRIPTION_BYTES = 4 << 20
YAML_NAMES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
NAME_LISTS = ("classes.txt", "obj.names", "labels/classes.txt", "_darknet.labels")
CLASS_KEYS = ("flip_idx", "kpt_names", "kpt_shape")
"""What a description says of keypoints; it travels with the classes."""

_KNOWN_KEYS = frozenset((*CLASS_KEYS, "names", "nc", "path", "task"))
_OBJECT_DATA = "obj.data"
_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(slots=True)
class Description:
    """What the description of a data set says.

    Attributes:
        place: the file it is from, relative to the source; empty where there is none.
        names: class number to name; None where no names are given.
        splits: split to the folders and lists that hold its pictures, as written.
        base: where those are relative to, as written.
        task: `obb`, `segment`… where it says so.
        class_fields: of `CLASS_KEYS`, JSON.
        unused: keys that tdvc has no place for.
        files: other files it consists of.
    """

    place: str = ""
    names: dict[int, str] | None = None
    splits: dict[str, list[str]] = field(default_factory=dict)
    base: str = ""
    task: str = ""
    class_fields: dict[str, Any] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def keypoints(self) -> tuple[int, int] | None:
        """How many keypoints an object has, and how many numbers each."""
        shape = self.class_fields.get("kpt_shape")
        if not isinstance(shape, list) or len(shape) != 2:
            return None
        count, each = (int(part) if isinstance(part, Number) and _NUMBER.fullmatch(part) else 0 for part in shape)
        return (count, each) if count > 0 and each in (2, 3) else None


def describes(root: Path, place: str) -> bool:
    """Whether a YAML file gives names of classes and says where pictures are."""
    try:
        found = _yaml.read(read_bytes(root / place, MAX_DESCRIPTION_BYTES))
    except (OSError, ValueError):
        return False
    return (
        isinstance(found, dict)
        and "names" in found
        and not _KNOWN_KEYS.union(SPLIT_NAMES).isdisjoint(found.keys() - {"names"})
    )


def description_in(root: Path) -> str:
    """The file directly in the folder that describes a data set; empty where there is none."""
    try:
        files = listing(root, "", ignore)[0]
    except FormatError:
        return ""
    for name in YAML_NAMES:
        if name in files:
            return name if describes(root, name) else ""
    others = [name for name in files if name.lower().endswith((".yaml", ".yml")) and describes(root, name)]
    if len(others) == 1:
        return others[0]
    return _OBJECT_DATA if _OBJECT_DATA in files else ""


def read_description(root: Path, place: str) -> Description:
    """Read the description, or the list of names that stands in for one.

    Args:
        root: the source.
        place: a YAML or `.data` file in it; empty to look for a list of names.

    Raises:
        FormatError: bad-format-file, where it can't be understood: labels under wrong names are worse than none.
    """
    try:
        if not place:
            _check_readable(root)
            return _names_alone(root)
        content = read_bytes(root / place, MAX_DESCRIPTION_BYTES)
        return _of_data_file(root, place, content) if place.endswith(".data") else _of_yaml(place, content)
    except OSError as error:
        raise _refused(place, f"could not be read: {error.strerror}") from error
    except ValueError as error:
        raise _refused(place or "The list of names", str(error)) from error


def _refused(place: str, reason: str) -> FormatError:
    return FormatError("bad-format-file", f"{printable(place)} {reason}.", source=place)


def _check_readable(root: Path) -> None:
    """Refuse a source with a description that can't be read: numbers would be taken for the names that it gives."""
    for name in (name for name in YAML_NAMES if is_file(root / name)):
        try:
            _yaml.read(read_bytes(root / name, MAX_DESCRIPTION_BYTES))
        except ValueError as error:
            raise _refused(name, str(error)) from error


def _names_alone(root: Path) -> Description:
    found = next((name for name in NAME_LISTS if is_file(root / name)), "")
    if not found:
        return Description()
    return Description(names=_name_list(root / found), files=[found])


def _name_list(path: Path) -> dict[int, str]:
    """A name a line; the number of a class is that of its line, from 0."""
    lines = read_bytes(path, MAX_DESCRIPTION_BYTES).decode("utf-8-sig").splitlines()
    return {number: line.strip() for number, line in enumerate(lines) if line.strip()}


def _of_yaml(place: str, content: bytes) -> Description:
    values = _yaml.read(content)
    if not isinstance(values, dict) or "names" not in values:
        raise ValueError("gives no 'names' of classes")
    found = Description(place, names=_names(values["names"]))
    found.base = values["path"] if isinstance(values.get("path"), str) else ""
    found.task = values["task"] if isinstance(values.get("task"), str) else ""
    found.class_fields = {key: _json(values[key]) for key in CLASS_KEYS if values.get(key) is not None}
    for key, value in values.items():
        entries = [value] if isinstance(value, str) else value
        if key in SPLIT_NAMES and isinstance(entries, list) and all(isinstance(entry, str) for entry in entries):
            found.splits[key] = entries
        elif isinstance(value, str) and _is_place(value) and key not in _KNOWN_KEYS:
            found.splits[key] = [value]
        elif key not in _KNOWN_KEYS and value is not None:
            found.unused.append(key)
    return found


def _is_place(text: str) -> bool:
    """Whether the value of an unknown key looks like the pictures of a split."""
    parts = text.split("/")
    return len(text.splitlines()) == 1 and "://" not in text and ("images" in parts or text.endswith(".txt"))


def _names(value: Any) -> dict[int, str]:
    """Class number to name, by the keys of a mapping (which need not be in order) or by place in a list."""
    pairs = list(enumerate(value)) if isinstance(value, list) else []
    if isinstance(value, dict):
        for key in value:
            if not _NUMBER.fullmatch(key):
                raise ValueError(f"has the class number {shortened(key)}")
        pairs = [(int(key), name) for key, name in value.items()]
        if len({number for number, _ in pairs}) < len(pairs):
            raise ValueError("gives a class number twice")
    elif not isinstance(value, list):
        raise ValueError("has 'names' that are neither a list nor numbered")
    for number, name in pairs:
        if name is not None and not isinstance(name, str):
            raise ValueError(f"has a name of class {number} that is no text")
    return {number: str(number) if name is None else name for number, name in pairs}


def _json(value: Any) -> Any:
    """A YAML value as JSON, numbers as numbers."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return Number(value) if isinstance(value, str) and re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", value) else value


def _of_data_file(root: Path, place: str, content: bytes) -> Description:
    """Darknet's `key = value` lines; its lists are named by paths from where the trainer was started."""
    values: dict[str, str] = {}
    for line in content.decode("utf-8-sig").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            values[key.strip()] = value.strip()
    found = Description(place)
    for tail in tails(posixpath.join(posixpath.dirname(place), values.get("names", ""))):
        if is_file(root / tail):
            found.names, found.files = _name_list(root / tail), [tail]
            break
    if found.names is None:
        raise ValueError(f"names the list of classes {shortened(values.get('names', ''))}, which is not there")
    found.splits = {key: [value] for key, value in values.items() if key in SPLIT_NAMES and value}
    return found


def tails(path: str) -> Iterator[str]:
    """A path without what leads out of the folder, then without its first component, and so on."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for start in range(len(parts)):
        yield "/".join(parts[start:])
