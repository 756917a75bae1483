"""What the page is told of each file: texts, numbers and path data, nothing that a browser would run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tdvc.model.records import Instance
from tdvc.ops.diffing import Diff, FileChange
from tdvc.ops.diffpage.pictures import Picture
from tdvc.ops.drawing import draw
from tdvc.ops.instancediff import InstanceChange
from tdvc.ops.skeletons import Skeleton, skeleton_of
from tdvc.repo.directory import Directory, read_instances
from tdvc.repo.entry import FileState

VERSION = 1
MAX_VALUE = 120
MAX_INSTANCES = 2000
"""Instances of one file that the page shows; a file with more says how many are left out."""

KINDS = (
    ("file-added", "files added"),
    ("file-removed", "files removed"),
    ("file-moved", "files moved"),
    ("replaced", "other bytes"),
    ("marked", "completeness"),
    ("properties", "properties"),
    ("added", "instances added"),
    ("removed", "instances removed"),
    ("moved", "geometry"),
    ("relabelled", "relabelled"),
    ("attributes", "attributes"),
)
"""What the page can be filtered by: key and name."""


class Rows:
    """Collects what the page is told.

    Attributes:
        files: one object a file.
    """

    def __init__(self, difference: Diff) -> None:
        self._difference = difference
        self._skeletons: dict[str, Skeleton] = {}
        self.files: list[dict[str, Any]] = []

    def add(self, change: FileChange, picture: Picture | None) -> None:
        """One file."""
        changes = list(change.instances) or list(self._whole(change))
        row: dict[str, Any] = {"path": change.path, "kind": change.kind, "notes": list(_notes(change))}
        if change.before_path != change.path:
            row["from"] = change.before_path
        row["instances"] = [self._instance(item) for item in changes[:MAX_INSTANCES]]
        if len(changes) > MAX_INSTANCES:
            row["more"] = len(changes) - MAX_INSTANCES
        row["kinds"] = sorted(_kinds(change, changes))
        labels = {side.label for item in changes for side in (item.before, item.after) if side is not None}
        row["labels"] = sorted(labels)
        if picture is not None:
            row["picture"] = {"width": picture.width, "height": picture.height}
            if picture.link:
                row["picture"]["link"] = picture.link
        self.files.append(row)

    def _whole(self, change: FileChange) -> Iterator[InstanceChange]:
        """All instances of a file that came or went."""
        if change.before is None and change.after is not None:
            for instance in _held(self._difference.after, change.after):
                yield InstanceChange(instance.instance_id, None, instance)
        elif change.after is None and change.before is not None:
            for instance in _held(self._difference.before, change.before):
                yield InstanceChange(instance.instance_id, instance, None)

    def _instance(self, change: InstanceChange) -> dict[str, Any]:
        told: dict[str, Any] = {"id": change.instance_id[:8], "kind": change.kind, "says": list(_says(change))}
        for side, instance in (("before", change.before), ("after", change.after)):
            if instance is not None:
                told[side] = self._side(instance)
        if change.kind == "changed" and not change.moved:
            del told["before"]["path"], told["before"]["points"]
        return told

    def _side(self, instance: Instance) -> dict[str, Any]:
        drawing = draw(instance.type, instance.coordinates, self._skeleton(instance.label))
        side: dict[str, Any] = {
            "label": instance.label,
            "type": instance.type,
            "path": drawing.path,
            "points": drawing.points,
        }
        if drawing.open:
            side["open"] = True
        if instance.frame is not None:
            side["frame"] = instance.frame
        return side

    def _skeleton(self, label: str) -> Skeleton:
        if label not in self._skeletons:
            self._skeletons[label] = skeleton_of(self._difference.after.schema, label)
        return self._skeletons[label]

    def page_data(self) -> dict[str, Any]:
        """Everything the page is told."""
        return {
            "version": VERSION,
            "before": self._difference.before.title,
            "after": self._difference.after.title,
            "match": self._difference.match,
            "kinds": KINDS,
            "files": self.files,
        }


def _held(side: Directory, state: FileState) -> list[Instance]:
    return read_instances(side.objects, state)


def _kinds(change: FileChange, instances: list[InstanceChange]) -> Iterator[str]:
    if change.kind != "changed":
        yield f"file-{change.kind}"
    if change.replaced or change.other_file:
        yield "replaced"
    if change.completeness or change.stale:
        yield "marked"
    if change.properties:
        yield "properties"
    found = change.instances and {item.kind for item in instances} - {"changed"}
    yield from found or ()
    if any(item.moved for item in instances):
        yield "moved"
    if any(item.relabelled for item in instances):
        yield "relabelled"
    if any(item.attributes or item.fields or item.properties for item in instances):
        yield "attributes"


def _notes(change: FileChange) -> Iterator[str]:
    if change.other_file:
        yield "another file"
    elif change.replaced:
        yield "other bytes"
    if change.copy:
        yield "a copy"
    if change.completeness is not None:
        yield f"{change.completeness[0]} → {change.completeness[1]}"
    if change.stale:
        yield "completeness is stale"
    if change.mirrors:
        yield f"also in {', '.join(change.mirrors[:3])}" + (" …" if len(change.mirrors) > 3 else "")
    for key, (before, after) in change.properties.items():
        yield f"{key}: {_short(before)} → {_short(after)}"


def _says(change: InstanceChange) -> Iterator[str]:
    geometry = change.geometry
    if geometry is not None:
        if geometry.shift is not None and any(geometry.shift):
            yield f"moved {geometry.shift[0]:+.4g}, {geometry.shift[1]:+.4g} px"
        if geometry.iou is not None:
            yield f"overlap {geometry.iou:.2f}"
        if geometry.rotation:
            yield f"turned {geometry.rotation:+.4g}°"
        if geometry.vertices is not None:
            found = geometry.vertices
            counts = ((found.added, "added"), (found.removed, "removed"), (found.moved, "moved"))
            yield "vertices: " + ", ".join(f"{count:,} {word}" for count, word in counts if count)
        if geometry.keypoints:
            yield f"{len(geometry.keypoints)} keypoints"
        if geometry.spans is not None:
            yield f"start {geometry.spans[0]:+.4g}, end {geometry.spans[1]:+.4g}"
    for key, (before, after) in (change.attributes | change.told_fields | change.properties).items():
        yield f"{key}: {_short(before)} → {_short(after)}"
    if change.matched is not None:
        yield f"matched by overlap {change.matched:.2f}"


def _short(value: Any) -> str:
    text = "–" if value is None else str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
