"""Annotation formats: one module each, listed here by hand.

`base` says what a format is, what it yields, and the sum that must come out. A new format is one module that fits
`base.Format` and one line in `FORMATS`; `tests/contracts/test_format_contract.py` then holds it to the same promises as
the others. A format's module is imported when it is asked for, because some need libraries that take their time.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from tdvc.errors import FormatError, NotFound
from tdvc.formats.base import FileRecord, Format, Reconciliation, WritableFormat
from tdvc.names import printable

__all__ = [
    "FORMATS",
    "FileRecord",
    "Format",
    "Reconciliation",
    "WritableFormat",
    "detect_format",
    "format_named",
    "writable_format",
]

FORMATS: dict[str, str] = {
    "arrow": "tdvc.formats.arrow_file",
    "coco": "tdvc.formats.coco",
    "coco-panoptic": "tdvc.formats.coco_panoptic",
    "csv": "tdvc.formats.csv_table",
    "cvat": "tdvc.formats.cvat",
    "datumaro": "tdvc.formats.datumaro",
    "diffgram": "tdvc.formats.diffgram",
    "hf-image-folder": "tdvc.formats.hf_image_folder",
    "image-folder": "tdvc.formats.image_folder",
    "label-studio": "tdvc.formats.label_studio",
    "labelme": "tdvc.formats.labelme",
    "mot": "tdvc.formats.mot",
    "masks-png": "tdvc.formats.masks_png",
    "parquet": "tdvc.formats.parquet",
    "pascal-voc": "tdvc.formats.pascal_voc",
    "supervisely": "tdvc.formats.supervisely",
    "tdvc-jsonl": "tdvc.formats.tdvc_jsonl",
    "webdataset": "tdvc.formats.webdataset",
    "yolo": "tdvc.formats.yolo",
}
"""Every format's name and module."""


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
    fitting = [found for found in map(format_named, FORMATS) if found.detect(source)]
    if len(fitting) == 1:
        return fitting[0]
    found = " and ".join(found.NAME for found in fitting) or "no known format"
    hint = "Name the one you mean: --format NAME." if fitting else ""
    raise FormatError("format-unknown", f"{name} looks like {found}; {_known()}.", hint=hint, source=name)


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        FormatError: format-unknown, with the known names.
    """
    if name not in FORMATS:
        message = f"There is no format {printable(name)!r}; {_known()}."
        raise FormatError("format-unknown", message, name=name)
    return cast(Format, importlib.import_module(FORMATS[name]))


def writable_format(name: str) -> WritableFormat:
    """The format of that name, to write it.

    Raises:
        FormatError: format-unknown, where there is none or it can only be read.
    """
    found = format_named(name)
    if not hasattr(found, "write"):
        raise FormatError("format-unknown", f"{found.TITLE} can be read but not written.", name=name)
    return cast(WritableFormat, found)


def _known() -> str:
    return f"the formats are {', '.join(sorted(FORMATS))}"
