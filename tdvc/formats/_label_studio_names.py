"""How Label Studio names things: pictures by address, controls by name.

A task names its picture by an address: of the web, of a bucket, of Label Studio's own server, or just a path. Nothing
is ever fetched. What counts is the path in the address, because that is what the file is called where people have it:
whole, or its last component, and for uploads without the eight digits that Label Studio puts in front.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tdvc.formats import _carry
from tdvc.formats._folder import is_picture

PICTURE = "image"
"""The key of the picture in a task that we write, and the name of the object in the configuration."""

VIDEO = "video"
"""The same of a video."""

TRACK, TIMELINE = "videorectangle", "timelinelabels"
"""The types of results that only videos have: an object on some frames, and a label of a range of them."""

NUMBERED = "numbered"
"""Says of a task, among what we carry, that its id is one that we made up."""

UNNAMED_RELATION = "relation"
"""The label of a relation that has none."""

DEFAULT_NAMES = {
    "brushlabels": "brush",
    "choices": "choice",
    "ellipselabels": "ellipse",
    "keypointlabels": "point",
    "labels": "span",
    "polygonlabels": "polygon",
    "rectanglelabels": "box",
    "textarea": "text",
    TIMELINE: "timeline",
    TRACK: "track",
}
"""What we call the control of a type of result."""

CONTENT_KEYS = {
    "choices": "choices",
    "datetime": "datetime",
    "number": "number",
    "rating": "rating",
    "taxonomy": "taxonomy",
    "textarea": "text",
}
"""Where a result that is not a region has what it says, by its type."""

_PICTURE_KEYS = (PICTURE, "img", "picture", "photo")
_OTHER_KEYS = (VIDEO, "audio")
_UPLOADED = re.compile(r"/?data/upload/(?:\d+/)?")
_SERVED = re.compile(r"/?data/local-files/?\?")
_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")


def picture_key(data: dict[str, Any]) -> str | None:
    """Which value of a task's data names its file; None where none does."""
    texts = {key: value for key, value in data.items() if _carry.is_text(value) and value}
    for key in _PICTURE_KEYS:
        if key in texts:
            return key
    pictures = [key for key in sorted(texts) if len(texts[key]) < 4096 and is_picture(_path_in(texts[key]))]
    if pictures:
        return pictures[0]
    return next((key for key in _OTHER_KEYS if key in texts), None)


def possible_paths(address: Any) -> list[str]:
    """The paths by which the file may be found, the likeliest first; the first is not yet known to be safe."""
    if not _carry.is_text(address) or not address:
        return []
    path = _path_in(address)
    name = posixpath.basename(path)
    bare = _PREFIX.sub("", name, count=1)
    likely = [bare, name] if _UPLOADED.match(address) else [path, name, bare]
    return list(dict.fromkeys(likely))


def _path_in(address: str) -> str:
    """The path in an address, with `/` between components and none in front."""
    if _SERVED.match(address):
        named = parse_qs(address.partition("?")[2]).get("d", [""])
        return named[0].lstrip("/")
    path = address
    if "://" in address or _UPLOADED.match(address):
        try:
            path = unquote(urlsplit(address).path)
        except ValueError:
            return ""
    path = path.lstrip("/")
    while path.startswith("./"):
        path = path[2:]
    return path
