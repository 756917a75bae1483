"""Writing Datumaro JSON: `annotations/<subset>.json`, and the media by subset in the folder of their kind.

A label's id is its place in the class list. Item ids stay what they were while they are unique in their subset; the
others are the path without its suffix.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tdvc.formats import _datumaro_annotations
from tdvc.formats._datumaro_annotations import CAPTION, NAME, NO_LABEL
from tdvc.formats._datumaro_categories import categories_of
from tdvc.formats._folder import is_picture
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

FOLDERS = {
    "image": "images",
    "video_frame": "videos",
    "video": "videos",
    "point_cloud": "point_clouds",
    "media": "media",
}
"""Where the media of an item lie, by the item's key for them."""

_VIDEO_SUFFIXES = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"))
_NO_SUBSET = "default"


def frame_id(path: str, frame: int) -> str:
    """The id of the item for a frame, where it has no other."""
    return f"{posixpath.splitext(path)[0]}_frame_{frame}"


def place(record: FileRecord) -> str:
    """In the folder of its kind, by subset."""
    return f"{FOLDERS[_kind(record)]}/{_subset(record)}/{record.path}"


def _kind(record: FileRecord) -> str:
    suffix = posixpath.splitext(record.path)[1].lower()
    if is_picture(record.path):
        return "image"
    if suffix in _VIDEO_SUFFIXES or any(instance.frame is not None for instance in record.instances):
        return "video"
    return "point_cloud" if suffix == ".pcd" else "media"


def _subset(record: FileRecord) -> str:
    return record.split.replace("/", "_") or _NO_SUBSET


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One file a subset. The items of all subsets are held in memory as text."""
    listed = list(labels)
    while listed and listed[-1].key in (NO_LABEL, CAPTION) and not listed[-1].fields:
        listed.pop()  # stands for having no label; if not, it is added again where it is met
    label_ids = {label.key: position for position, label in enumerate(listed)}
    subsets: dict[str, _Subset] = {}
    for record in records:
        name = _subset(record)
        if name not in subsets:
            subsets[name] = _Subset(label_ids, report)
        subsets[name].add(record)
    head = b'{"dm_format_version":"1.0","media_type":2,"infos":{},"categories":'
    for name, subset in subsets.items():
        yield WrittenFile(f"annotations/{name}.json", _pieces(head, labels, label_ids, subset.items))


def _pieces(
    head: bytes, labels: Sequence[LabelRecord], label_ids: dict[str, int], items: list[bytes]
) -> Iterator[bytes]:
    known = {label.key: label for label in labels}
    yield (
        head
        + numbers.spell(categories_of([known.get(key, LabelRecord(key, key)) for key in label_ids]))
        + b',"items":['
    )
    for position, item in enumerate(items):
        yield b",\n" + item if position else item
    yield b"]}\n"


class _Subset:
    """One file in the making: its items, as text."""

    def __init__(self, label_ids: dict[str, int], report: Report) -> None:
        self._label_ids = label_ids
        self._report = report
        self._ids: set[str] = set()
        self.items: list[bytes] = []

    def add(self, record: FileRecord) -> None:
        """The item of a file, or those of a video's frames."""
        kept = record.properties.get(NAME)
        kept = dict(kept) if isinstance(kept, dict) else {}
        foreign = {name: value for name, value in record.properties.items() if name not in (NAME, "splits")}
        if foreign:
            kept["tdvc"] = {"properties": foreign}
        kind = _kind(record)
        if kind == "video":
            self._add_video(record, kept)
            return
        media: dict[str, Any] = {**_object(kept.get(kind)), "path": record.path}
        if kind == "image" and record.size:
            media["size"] = [record.size[1], record.size[0]]
        self._put({**kept, kind: media}, record, record.instances)

    def _add_video(self, record: FileRecord, kept: dict[str, Any]) -> None:
        frames = _object(kept.pop("frames", None))
        by_frame: dict[int | None, list[Instance]] = {numbers.whole(number): [] for number in frames}
        by_frame.pop(None, None)
        for instance in record.instances:
            by_frame.setdefault(instance.frame, []).append(instance)
        if kept or None in by_frame or not by_frame:
            video = {"step": 1, "start_frame": 0, **_object(kept.get("video")), "path": record.path}
            self._put({**kept, "video": video}, record, by_frame.pop(None, []))
        for frame in sorted(number for number in by_frame if number is not None):
            media = {"video_path": record.path, "frame_index": frame}
            item = {"id": frame_id(record.path, frame), **_object(frames.get(str(frame))), "video_frame": media}
            self._put(item, record, by_frame[frame], frame)

    def _put(
        self, item: dict[str, Any], record: FileRecord, instances: list[Instance], frame: int | None = None
    ) -> None:
        wanted, plain = item.get("id"), posixpath.splitext(record.path)[0]
        choices = (wanted, plain, record.path) if isinstance(wanted, str) and wanted else (plain, record.path)
        item["id"] = next((choice for choice in choices if choice not in self._ids), f"{record.path}#{len(self.items)}")
        self._ids.add(item["id"])
        item["annotations"] = [
            annotation
            for instance in instances
            if (annotation := self._annotation(record, instance, frame)) is not None
        ]
        self.items.append(numbers.spell(item))

    def _annotation(self, record: FileRecord, instance: Instance, frame: int | None) -> dict[str, Any] | None:
        try:
            found = _datumaro_annotations.write(instance, self._label_ids, record.size)
        except ValueError as error:
            message = f"{instance.type} {error}."
            self._report(
                Problem("type-not-carried", printable(record.path), message, instance.instance_id, dropped_instances=1)
            )
            return None
        if frame is not None:
            found["tdvc"] = {key: value for key, value in found.get("tdvc", {}).items() if key != "frame"}
            if not found["tdvc"]:
                del found["tdvc"]
        return found


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
