"""COCO: one JSON file a split, with images, categories and annotations.

Instances (boxes, polygons, both kinds of run-length encoding, crowds), keypoints and captions. Every annotation is kept
as text until it is known what it is, so numbers leave as they came and a large file costs little memory beyond its own.

    bbox [x, y, w, h]         box, where there is no better geometry; corners by exact decimal arithmetic
    segmentation, a list      polygon: each ring a part of one object; COCO has no holes
    segmentation, an object   mask, compressed or not
    keypoints                 keypoints
    caption                   tag labelled `caption`, the text as an attribute

What else an annotation says is kept in its properties under `coco` and written back. A segmentation that breaks its
rules is kept there too, with a warning, and the instance becomes its box.

A result file, the bare list that COCO's evaluation takes, is read where it is named itself. Its records are
predictions of the model run that the file is called after, and say neither pictures nor classes: those come from the
COCO file that the model was run on (`instances_*.json`, `image_info_*.json`), in the same folder, in the one above,
beside the pictures (`--images`) or in `annotations` there.

Source: the COCO data and results format pages, and `maskApi.c` of cocoapi for run lengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tdvc.formats._coco_annotations import FORMAT
from tdvc.formats._coco_document import ANNOTATIONS, RESULTS, has_kind, kind_of, root_of, some_files_of, split_of
from tdvc.formats._coco_reader import Reader
from tdvc.formats._coco_results import read_results
from tdvc.formats._coco_writer import place, preparing, write
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.problems import Report

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "preparing", "read", "scan", "write"]

NAME = FORMAT
TITLE = "COCO"
LOSES: tuple[str, ...] = (
    "geometries other than upright boxes, polygons, masks and keypoints",
    "holes of polygons, which become masks",
    "completeness marks",
    "file ids",
)
TYPES = frozenset({"box", "polygon", "mask", "keypoints"})
KEEPS = frozenset(FIELDS) - {"complete", "file_id"}


def detect(source: Path) -> bool:
    """Whether it is a file of annotations or results, or a folder with annotations in it or in its `annotations`."""
    return has_kind(source, ANNOTATIONS, RESULTS)


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the categories, then the images in the order of each file.

    Raises:
        FormatError: bad-format-file, where a file can't be read, or nothing says what results are about.
    """
    for record in scan(source, report, options):
        found = record.whole(report) if isinstance(record, FileRecord) else record
        if found is not None:
            yield found


def scan(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """As `read`, but the pictures have yet to be made whole (see `ScannableFormat`)."""
    if not source.is_dir() and kind_of(source) == RESULTS:
        yield from read_results(source, report, options)
        return
    files = some_files_of(source, ANNOTATIONS, report)
    reader = Reader(root_of(source, options), report)
    for path in files:
        reader.load(path, split_of(path, len(files) == 1))
    yield from reader.scan()
