"""Where the parts of a Pascal VOC source are: annotation files, pictures and split lists.

Three layouts are known: `Annotations/` with `JPEGImages/` (or `annotations/` with `images/`), XML files beside their
pictures in any folders, and one XML file. The first may have `SegmentationObject/` and `SegmentationClass/` as well, or
in place of annotations. The user may say that the pictures are elsewhere.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.formats._folder import (
    SPLIT_NAMES,
    ignore,
    is_folder,
    is_picture,
    listing,
    read_bytes,
    shortened,
    walk,
)
from tdvc.formats._mask_classes import LABELMAP, read_list
from tdvc.formats._voc_masks import Pngs
from tdvc.formats._voc_words import CLASSES, LISTS, OBJECTS, PICTURES, SEGMENTATION_LISTS, is_class_list
from tdvc.formats.base import ReadOptions
from tdvc.model.problems import Problem, Report
from tdvc.names import printable

_MAX_LIST_BYTES = 64 << 20


@dataclass(slots=True)
class Layout:
    """Where things are, all paths relative to `root`.

    Attributes:
        root: the folder that no name may lead out of.
        images: where the pictures are instead, if the user says so.
        annotation_folder: holds the XML files; empty where they lie beside the pictures.
        picture_folder: holds the pictures; None where they lie beside the XML files.
        annotations: the XML files.
        pictures: the pictures, described or not.
        rest: other files that were passed on the way.
        pngs: the pictures of the segmentation.
        lists: the plain split lists, name to the picture ids they hold.
        list_folder: where those are.
        by_stem: the pictures by their path without its suffix.
        passed_over: places of pictures that are reported and counted already.
    """

    root: Path
    pngs: Pngs
    images: Path | None = None
    annotation_folder: str = ""
    picture_folder: str | None = None
    annotations: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    list_folder: str = LISTS
    by_stem: dict[str, list[str]] = field(default_factory=dict)
    passed_over: set[str] = field(default_factory=set)

    @property
    def pictures_root(self) -> Path:
        """The folder that the paths of pictures are relative to."""
        return self.images or self.root

    @property
    def has_no_pictures(self) -> bool:
        """Whether the source is annotation alone: nothing of it is or could be a picture."""
        return not (self.picture_folder or self.images or self.pictures or self.passed_over)

    def folder_of(self, annotation: str) -> str:
        """The folder that a `<filename>` in this annotation file is relative to."""
        return posixpath.dirname(annotation) if self.picture_folder is None else self.picture_folder

    def own_pictures(self, annotation: str) -> list[str]:
        """The pictures that go by the annotation file's own name."""
        stem = self.annotation_id(annotation)
        return self.by_stem.get(posixpath.join(self.picture_folder or "", stem), [])

    def annotation_id(self, annotation: str) -> str:
        """What the other files about the picture of an annotation file are called."""
        inner = annotation[len(self.annotation_folder) + 1 :] if self.annotation_folder else annotation
        return posixpath.splitext(inner)[0]

    def picture_id(self, path: str) -> str:
        """What split lists call a picture."""
        inner = path[len(self.picture_folder) + 1 :] if self.picture_folder else path
        return posixpath.splitext(inner)[0]

    def sort_in(self, path: str) -> None:
        """Put a file that was found where it belongs."""
        if path.lower().endswith(".xml"):
            self.annotations.append(path)
        elif is_picture(path):
            self.pictures.append(path)
            self.by_stem.setdefault(posixpath.splitext(path)[0], []).append(path)
        else:
            self.rest.append(path)


def layout_of(source: Path, options: ReadOptions, report: Report) -> Layout:
    """Look through a folder, or around one XML file.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed.
    """
    if source.is_dir():
        return _layout_of_folder(source, options, report)
    return _layout_of_file(source, options, report)


def _layout_of_folder(root: Path, options: ReadOptions, report: Report) -> Layout:
    layout = Layout(root, Pngs(root, report), options.images)

    def report_and_note(problem: Problem) -> None:
        if problem.dropped_files:
            layout.passed_over.add(problem.place)
        report(problem)

    files, folders = listing(root, "", ignore)
    used = _folders_of(layout, folders)
    if used is None:
        for path in walk(root, report_and_note):
            layout.sort_in(path)
    else:
        listing(root, "", report_and_note)
        for folder in used:
            for path in walk(root, report_and_note, folder):
                layout.sort_in(path)
        layout.rest += _without_labelmap(layout, files, report)
        others = [folder for folder in folders if folder not in used]
        _take_lists(layout, _without_pngs(layout, others, report), report)
    if layout.images is not None:
        _look_elsewhere(layout, layout.images)
    return layout


def _folders_of(layout: Layout, folders: list[str]) -> list[str] | None:
    """The folders of the layout that the source has; None where XML and pictures lie mixed."""
    by_name = {name.lower(): name for name in folders}
    annotations = by_name.get("annotations")
    pictures = by_name.get("jpegimages") or by_name.get("images")
    if annotations is None and OBJECTS not in folders:
        return None
    if layout.images is not None or (pictures is None and not any(map(is_picture, _outside_pngs(layout)))):
        pictures = ""
    if pictures is None:
        return None
    layout.annotation_folder, layout.picture_folder = annotations or "", pictures
    return [folder for folder in (layout.annotation_folder, pictures) if folder]


def _outside_pngs(layout: Layout) -> Iterator[str]:
    """The files that do not belong to the segmentation."""
    return (path for path in walk(layout.root, ignore) if path.split("/")[0] not in (OBJECTS, CLASSES))


def _without_labelmap(layout: Layout, files: list[str], report: Report) -> list[str]:
    """The files but for the list of the classes, which is read."""
    found = next((path for path in files if path.lower() == LABELMAP), None)
    if found is not None:
        layout.pngs.classes = read_list(layout.root, found, report)
    return [path for path in files if path != found]


def _without_pngs(layout: Layout, folders: list[str], report: Report) -> list[str]:
    """The folders but for those of the segmentation, whose pictures are noted."""
    for folder, held in ((OBJECTS, layout.pngs.objects), (CLASSES, layout.pngs.of_classes)):
        for path in walk(layout.root, report, folder) if folder in folders else ():
            if path.lower().endswith(".png"):
                held[posixpath.splitext(path[len(folder) + 1 :])[0]] = path
            else:
                layout.rest.append(path)
    return [folder for folder in folders if folder not in (OBJECTS, CLASSES)]


def _look_elsewhere(layout: Layout, images: Path) -> None:
    """Take the pictures from the folder the user names; those of the source itself are of no use then."""
    inside = images.resolve()
    layout.rest += [path for path in layout.pictures if not (layout.root / path).resolve().is_relative_to(inside)]
    layout.pictures, layout.by_stem, layout.picture_folder = [], {}, ""
    for path in walk(images, ignore):
        if is_picture(path):
            layout.sort_in(path)


def _layout_of_file(source: Path, options: ReadOptions, report: Report) -> Layout:
    folder = source.absolute().parent
    layout = Layout(folder, Pngs(folder, report), options.images)
    if folder.name == "Annotations" and is_folder(folder.parent / PICTURES):
        layout = Layout(folder.parent, Pngs(folder.parent, report), options.images, folder.name, PICTURES)
        files, folders = listing(layout.root, "", ignore)
        _without_labelmap(layout, files, report)
        _without_pngs(layout, folders, ignore)
    for path in listing(layout.root, layout.picture_folder or "", ignore)[0]:
        layout.sort_in(path)
    if layout.images is not None:
        _look_elsewhere(layout, layout.images)
    annotation = posixpath.join(layout.annotation_folder, source.name)
    layout.annotations, layout.rest, layout.pictures = [annotation], [], layout.own_pictures(annotation)
    for held in (layout.pngs.objects, layout.pngs.of_classes):
        for identity in held.keys() - {layout.annotation_id(annotation)}:
            del held[identity]
    return layout


def _take_lists(layout: Layout, folders: list[str], report: Report) -> None:
    """Read the plain lists of pictures; folders that hold anything else are reported unread.

    The lists of the segmentation count where there are no others, because they may mean other pictures by one name.
    """
    for folder in folders:
        if folder != "ImageSets":
            message = "The format has no use for this folder."
            report(Problem("skipped-other", printable(folder), message, severity="warning"))
            continue
        paths = list(walk(layout.root, report, folder))
        if not any(posixpath.dirname(path) == LISTS for path in paths):
            layout.list_folder = SEGMENTATION_LISTS
        for path in paths:
            is_list = posixpath.dirname(path) == layout.list_folder
            names = _list_names(layout.root, path, report) if is_list else None
            if names is None:
                layout.rest.append(path)
            else:
                layout.lists[posixpath.splitext(posixpath.basename(path))[0]] = names


def _list_names(root: Path, path: str, report: Report) -> frozenset[str] | None:
    """The picture ids in a plain list; None for the list of one class, which the boxes say better."""
    try:
        text = read_bytes(root / path, _MAX_LIST_BYTES).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        report(Problem("record-unreadable", printable(path), f"The split list can't be read: {error}."))
        return frozenset()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return None if is_class_list(lines) else frozenset(lines)


def splits_of(layout: Layout, path: str) -> dict[str, Any]:
    """The `splits` property of a picture: from the lists, or from a top folder called like a split."""
    if layout.picture_folder is None:
        top = path.split("/")[0]
        return {"splits": [top]} if "/" in path and top.lower() in SPLIT_NAMES else {}
    name = layout.picture_id(path)
    splits = sorted(split for split, names in layout.lists.items() if name in names)
    return {"splits": splits} if splits else {}


def report_unknown_ids(layout: Layout, described: set[str], report: Report) -> None:
    """Report the names in split lists that are neither a picture nor described."""
    known = {layout.picture_id(path) for path in described.union(layout.pictures)}
    for split, names in sorted(layout.lists.items()):
        if unknown := sorted(names - known):
            message = f"{len(unknown):,} names have no picture; the first is {shortened(unknown[0])}."
            report(
                Problem("split-unknown", printable(f"{layout.list_folder}/{split}.txt"), message, severity="warning")
            )
