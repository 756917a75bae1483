"""Annotation formats: one module each, listed here by hand.

    base          what a format is, what it yields, and the sum that must come out
    pascal_voc    one XML file a picture, with boxes
    image_folder  the folder's name is the label
    tdvc_jsonl    everything tdvc knows, a line a file

A new format is one module that fits `base.Format` and one line in `FORMATS`;
`tests/contracts/test_format_contract.py` then holds it to the same promises as the others.
"""

from __future__ import annotations

from pathlib import Path

from tdvc.errors import FormatError, NotFound
from tdvc.formats import image_folder, pascal_voc, tdvc_jsonl
from tdvc.formats.base import FileRecord, Format, Reconciliation, WritableFormat
from tdvc.names import printable

__all__ = [
    "FORMATS",
    "WRITABLE",
    "FileRecord",
    "Format",
    "Reconciliation",
    "WritableFormat",
    "detect_format",
    "format_named",
]

FORMATS: dict[str, Format] = {
    image_folder.NAME: image_folder,
    pascal_voc.NAME: pascal_voc,
    tdvc_jsonl.NAME: tdvc_jsonl,
}

WRITABLE: dict[str, WritableFormat] = {
    tdvc_jsonl.NAME: tdvc_jsonl,
}


def detect_format(source: Path) -> Format:
    """The one format that the file or folder looks like.

    Raises:
        NotFound: source-not-found.
        FormatError: format-unknown, where none fits or more than one.
    """
    name = printable(str(source))
    try:
        source.stat()
    except OSError as error:
        raise NotFound("source-not-found", f"{name}: {error.strerror}.", source=name) from error
    fitting = [format_ for format_ in FORMATS.values() if format_.detect(source)]
    if len(fitting) == 1:
        return fitting[0]
    found = " and ".join(format_.NAME for format_ in fitting) or "no known format"
    hint = "Name the one you mean." if fitting else ""
    raise FormatError("format-unknown", f"{name} looks like {found}; {_known()}.", hint=hint, source=name)


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        FormatError: format-unknown, with the known names.
    """
    try:
        return FORMATS[name]
    except KeyError:
        message = f"There is no format {printable(name)!r}; {_known()}."
        raise FormatError("format-unknown", message, name=name) from None


def _known() -> str:
    return f"the formats are {', '.join(sorted(FORMATS))}"
