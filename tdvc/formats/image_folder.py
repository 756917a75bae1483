"""Image folder: `[split/]class/picture`, the label being the name of the folder.

Every picture becomes a file with one `tag`. The suffix of a picture counts in any case, since `.JPG` is what
cameras write. Top folders called like a split (`train`, `val`, `valid`, `validation`, `test`) are splits
where one of them has folders with pictures in it; otherwise they are classes like any other.

What is written has no file but the pictures, each in the folder of its tag. A picture without a tag goes to the top
folder, where it has no label, under a name made of its whole path.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tdvc.errors import FormatError
from tdvc.formats._folder import SPLIT_NAMES, ignore, is_picture, listing, report_rest, shortened, walk
from tdvc.formats._splits import split_of, without_leading
from tdvc.formats._tables import is_annotation_table
from tdvc.formats.base import NO_OPTIONS, FileRecord, LabelRecord, ReadOptions, WrittenFile
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import path_problem, printable

NAME = "image-folder"
TITLE = "Image folder"
LOSES: tuple[str, ...] = (
    "every geometry",
    "second labels of a picture",
    "attributes",
    "scores",
    "instance and file ids",
    "completeness marks",
    "properties other than splits",
    "splits not called train, val or test",
)
TYPES = frozenset({"tag"})
KEEPS = frozenset({"splits"})

_DETECTED_DEPTH = 3
_ANNOTATION_SUFFIXES = frozenset((".arrow", ".json", ".jsonl", ".ndjson", ".parquet", ".xml", ".yaml", ".yml"))
_ANNOTATION_NAMES = frozenset(("gt.txt", "metadata.csv", "metadata.parquet"))
_ANNOTATION_FOLDERS = frozenset(("annotations", "imagesets", "jpegimages", "labels"))
_MASK_FOLDERS = frozenset(("mask", "masks", "segmentationclass"))
_PICTURE_FOLDERS = frozenset(("images", "imgs"))


def detect(source: Path) -> bool:
    """Whether folders hold pictures, and nothing near them looks like annotation files."""
    pictures: set[str] = set()
    texts: set[str] = set()
    tops: set[str] = set()
    in_folder = False
    for path in _near_files(source):
        folders, name = posixpath.split(path)
        stem, suffix = posixpath.splitext(name.lower())
        if suffix in _ANNOTATION_SUFFIXES or name.lower() in _ANNOTATION_NAMES:
            return False
        if is_annotation_table(source / path) or not _ANNOTATION_FOLDERS.isdisjoint(folders.lower().split("/")):
            return False
        if suffix == ".txt":
            texts.add(stem)
        elif is_picture(name):
            pictures.add(stem)
            in_folder = in_folder or bool(folders)
            tops.add(folders.lower().split("/")[0])
    if tops & _MASK_FOLDERS and tops & _PICTURE_FOLDERS:
        return False
    return in_folder and texts.isdisjoint(pictures)


def _near_files(source: Path) -> Iterator[str]:
    """The files of the source, none deeper than three folders."""
    level = [""] if source.is_dir() else []
    for _depth in range(_DETECTED_DEPTH + 1):
        below: list[str] = []
        for folder in level:
            try:
                files, folders = listing(source, folder, ignore)
            except FormatError:
                continue
            yield from files
            below.extend(folders)
        level = below


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord]:
    """Yield the pictures sorted by folder and name.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed.
    """
    del options
    splits, classes = _folders(source)
    rest: list[str] = []
    for path in walk(source, report):
        if is_picture(path):
            record = _record(source, path, splits, report)
            classes.discard(_class_folder(path, splits))
            yield record
        else:
            rest.append(path)
    for folder in sorted(classes):
        message = "The class folder holds no picture, so its label is not known to the import."
        report(Problem("empty-class", printable(folder), message, severity="warning"))
    report_rest(rest, report)


def _folders(source: Path) -> tuple[frozenset[str], set[str]]:
    """The top folders that are splits, and the folders whose names are labels."""
    top = listing(source, "", ignore)[1]
    below = {name: listing(source, name, ignore)[1] for name in top if name.lower() in SPLIT_NAMES}
    if not any(_holds_picture(source, folder) for folders in below.values() for folder in folders):
        return frozenset(), set(top)
    classes = {name for name in top if name not in below}
    return frozenset(below), classes.union(*below.values())


def _holds_picture(source: Path, folder: str) -> bool:
    return any(is_picture(path) for path in walk(source, ignore, folder))


def _class_folder(path: str, splits: frozenset[str]) -> str:
    """The folder that names the picture's label, with its split; empty where there is none."""
    parts = path.split("/")
    depth = 2 if parts[0] in splits else 1
    return "/".join(parts[:depth]) if len(parts) > depth else ""


def _record(source: Path, path: str, splits: frozenset[str], report: Report) -> FileRecord:
    top = path.split("/")[0]
    properties = {"splits": [top]} if top in splits else {}
    label = posixpath.basename(_class_folder(path, splits))
    if not label:
        message = "The picture lies outside every class folder and gets no label."
        report(Problem("no-class", printable(path), message, severity="warning"))
        return FileRecord(path, source / path, [], properties)
    fields = {"instance_id": derived_instance_id(NAME, path), "label": label, "type": "tag"}
    return FileRecord(path, source / path, [make_instance(fields)], properties)


def place(record: FileRecord) -> str:
    """In the folder of its tag, below its split."""
    tag = next((instance for instance in record.instances if _refusal(instance, record) is None), None)
    split = split_of(record)
    if tag is None:
        return posixpath.join(split, record.path).replace("/", "__")
    return posixpath.join(split, tag.label, without_leading(record.path, split, tag.label))


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """Nothing but the pictures; told is what the folders can't say."""
    del labels
    for record in records:
        has_tag = False
        for instance in record.instances:
            reason = _refusal(instance, record) or ("is the second label of its picture" if has_tag else None)
            if reason is None:
                has_tag = True
                continue
            message = f"The {instance.type} annotation {reason}."
            where = printable(record.path)
            report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))
        if not has_tag:
            message = "The picture has no tag, so it lies outside every class folder."
            report(Problem("no-class", printable(record.path), message, severity="warning"))
    yield from ()


def _refusal(instance: Instance, record: FileRecord) -> str | None:
    """Why an instance can't be a class folder, as the end of a sentence; None where it can."""
    label = instance.label
    if instance.type != "tag":
        return "is no tag"
    if "/" in label or label.startswith(".") or path_problem(label):
        return f"has the label {shortened(label)}, which is no name for a folder"
    if not split_of(record) and label.lower() in SPLIT_NAMES:
        return f"has the label {shortened(label)}, which reads as a split"
    return None
