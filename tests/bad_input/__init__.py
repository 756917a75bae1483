"""Sources that are wrong on purpose: what each looks like and what must become of it.

The ids are those of a list of bad inputs by group: B is the file system, D is JSON, E is what annotation means. A case
writes its source below a folder; nothing is copied from anywhere. `tests/test_bad_input.py` runs them all.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

Build = Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """One bad source.

    Attributes:
        name: its id in the list, the format, and what is wrong.
        format: which reader must cope.
        build: writes the source below a folder.
        refused: the error code of a clean refusal; empty where the good records must arrive.
        names: a part of the refusal's message, such as the file that it is about.
        listed: problems that must be listed, each a code and a part of the place.
        arrives: every file that arrives, and how many instances it has then.
        source: what is imported, below the folder.
        labels: what the instances are called that arrive, where that matters.
        bomb: run with little memory.
        options: for the import.
    """

    name: str
    format: str
    build: Build
    refused: str = ""
    names: str = ""
    listed: tuple[tuple[str, str], ...] = ()
    arrives: Mapping[str, int] = field(default_factory=dict)
    source: str = ""
    labels: tuple[str, ...] = ()
    bomb: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def put(place: Path, content: str | bytes) -> Path:
    """Write a file and the folders above it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)
    return place


def png(width: int = 64, height: int = 48, shade: int = 90) -> bytes:
    """A real picture."""
    content = io.BytesIO()
    Image.new("L", (width, height), shade).save(content, "PNG")
    return content.getvalue()


def tar(members: Mapping[str, bytes]) -> bytes:
    """An archive of regular members."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, held in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(held)
            archive.addfile(info, io.BytesIO(held))
    return content.getvalue()


GOOD = png(shade=1)
BAD = png(shade=2)
