"""A source of every format for the contract suite: one module each, named like the format, with `make(root)`.

`make` writes a source with good and bad records below `root` and returns the folder in which its pictures lie (the
suite puts links out of the source there). Every sample has at least one instance and names one picture outside, if its
format names pictures.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from tdvc.formats import FORMATS


def put(path: Path, content: str | bytes = "picture") -> None:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def make(name: str, root: Path) -> Path:
    """Write the sample of a format; a format without one fails."""
    assert name in FORMATS
    module = importlib.import_module(f"tests.contracts.samples.{name.replace('-', '_')}")
    pictures: Path = module.make(root)
    return pictures
