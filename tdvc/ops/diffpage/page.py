"""Writing the page: its frame, its pictures, what changed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.model.problems import Problem
from tdvc.ops.diffing import Diff
from tdvc.ops.diffpage.pictures import Linked, Pictures, Thumbnails
from tdvc.ops.diffpage.rows import Rows
from tdvc.ops.placing import check_folder, check_place, write_whole
from tdvc.ops.progress import Progress, silent
from tdvc.ops.webpage import colours, escaped, part, policy

_HERE = "tdvc.ops.diffpage"
_BATCH = 64


@dataclass(frozen=True, slots=True)
class PageOptions:
    """How the page is made.

    Attributes:
        pictures: `embed` thumbnails, `link` to files, or `none`.
        thumbnail_pixels: the longer side of embedded pictures.
        images: the folder that linked pictures are in, at the paths they have in the directory.
        force: write over a file that is there.
    """

    pictures: str = "embed"
    thumbnail_pixels: int = 360
    images: Path | None = None
    force: bool = False


@dataclass(slots=True)
class PageResult:
    """What was written.

    Attributes:
        place: where.
        files: files that differ.
        without_picture: files that are shown without a picture, because there is none or it could not be read.
        written_bytes: the size of the page.
        problems: what could not be read of sides that are folders.
    """

    place: Path
    files: int = 0
    without_picture: int = 0
    written_bytes: int = 0
    problems: list[Problem] = field(default_factory=list)


def write_page(
    difference: Diff, place: Path, options: PageOptions | None = None, *, progress: Progress = silent
) -> PageResult:
    """Write the page of a diff, whole or not at all.

    Raises:
        Refused: file-exists, where something is there and `force` was not given.
        NotFound: source-not-found, where the folder it goes to or the one with the pictures is not there.
    """
    options = options or PageOptions()
    check_place(place, force=options.force)
    if options.images is not None:
        check_folder(options.images)
    result = PageResult(place)
    result.written_bytes = write_whole(place, _pieces(difference, options, result, progress))
    for side in (difference.before, difference.after):
        result.problems += getattr(side, "problems", [])
    return result


def _pieces(difference: Diff, options: PageOptions, result: PageResult, progress: Progress) -> Iterator[bytes]:
    script, style = part(_HERE, "page.js"), colours() + part(_HERE, "page.css")
    head, _, rest = part(_HERE, "page.html").partition("{{pictures}}")
    images = "'self' file: data:" if options.pictures == "link" else "data:"
    allowed = policy(style=style, script=script, images=images)
    yield head.replace("{{policy}}", allowed).replace("{{style}}", style).encode()
    rows = Rows(difference)
    pictures = _pictures(difference, options, result.place)
    waiting = []
    for change in difference:
        waiting.append(change)
        if len(waiting) == _BATCH:
            yield from _batch(waiting, rows, pictures)
            progress("drawing", len(rows.files), None)
            waiting = []
    yield from _batch(waiting, rows, pictures)
    result.files = len(rows.files)
    result.without_picture = sum("picture" not in row for row in rows.files) if options.pictures != "none" else 0
    begin, _, end = rest.partition("{{data}}")  # not replaced: the data may hold such words itself
    yield begin.encode() + escaped(rows.page_data()).encode() + end.replace("{{script}}", script).encode()


def _batch(changes: list[Any], rows: Rows, pictures: Pictures | None) -> Iterator[bytes]:
    found = pictures.of(changes) if pictures else [None] * len(changes)
    for change, picture in zip(changes, found, strict=True):
        number = len(rows.files)
        rows.add(change, picture)
        if picture is not None and picture.content:
            text = base64.b64encode(picture.content).decode()
            yield f'<script type="text/plain" id="picture-{number}">{text}</script>\n'.encode()


def _pictures(difference: Diff, options: PageOptions, place: Path) -> Pictures | None:
    if options.pictures == "none":
        return None
    if options.images is not None:
        return Linked(options.images.absolute(), place.absolute().parent)
    return Thumbnails(difference, options.thumbnail_pixels)
