"""What the formats need to know of a video, which they can't look into.

A video is told by its name, and where a name says nothing by instances that are on frames. No format decodes one, so
the size of its frames is known only where some annotation says it: readers keep it as the property `size` of the file,
`[width, height]` in pixels, for every other format that needs it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from tdvc.formats._folder import is_picture
from tdvc.formats.base import FileRecord
from tdvc.model import numbers
from tdvc.model.numbers import Number

VIDEO_SUFFIXES = frozenset(
    (".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv")
)
"""Lower case; compared without regard to case."""

SIZE = "size"
"""The property of a file that holds the size of a video's frames."""


def is_video(path: str) -> bool:
    """Whether the name ends like a video's."""
    return posixpath.splitext(path)[1].lower() in VIDEO_SUFFIXES


def is_video_record(record: FileRecord) -> bool:
    """Whether a file is a video, by its name or by what is on it."""
    if is_video(record.path):
        return True
    return not is_picture(record.path) and any(instance.frame is not None for instance in record.instances)


def size_property(size: tuple[int, int] | None) -> dict[str, Any]:
    """The size of the frames as properties; none where it is not known."""
    return {SIZE: [Number(side) for side in size]} if size else {}


def size_in_properties(properties: Mapping[str, Any]) -> tuple[int, int] | None:
    """(width, height) of a video's frames in pixels, where some format said it."""
    sides = numbers.plain(properties.get(SIZE))
    if not isinstance(sides, list) or len(sides) != 2 or not all(type(side) is int and side > 0 for side in sides):
        return None
    return sides[0], sides[1]
