"""The split that a file is written to, for formats that keep splits in folders."""

from __future__ import annotations

from tdvc.formats.base import FileRecord
from tdvc.model.numbers import Number
from tdvc.names import path_problem


def split_of(record: FileRecord) -> str:
    """The split that the export asks for, else the only one the file came with; empty for none.

    A name that came with a file is only taken where it can be a folder.
    """
    if record.split:
        return record.split
    came = record.properties.get("splits")
    if not isinstance(came, list) or len(came) != 1 or not isinstance(came[0], str) or isinstance(came[0], Number):
        return ""
    split = came[0]
    return "" if "/" in split or split.startswith(".") or path_problem(split) else str(split)


def without_leading(path: str, *folders: str) -> str:
    """The path without those folders at its beginning, each once and in this order, where it has them.

    A writer that puts these folders in front would otherwise make a path longer with every export and import.
    """
    parts = path.split("/")
    for folder in folders:
        if len(parts) > 1 and parts[0] == folder:
            del parts[0]
    return "/".join(parts)
