"""Writing a Supervisely project: files under `<dataset>/img` and `<dataset>/video`, annotation under `<dataset>/ann`.

The dataset of a file is its split and the folders it lies in, the inner ones nested under `datasets`. Attributes become
tags of an object, `tag` instances tags of the picture. What Supervisely has no word for is carried in a field `tdvc` of
an object, and of a picture's `customBigData`. A polygon of several parts becomes several objects with one `instance`
key, as Supervisely does it. Then come `meta.json` and, where there are videos, `key_id_map.json`.

Supervisely has projects of pictures and projects of videos. Both at once are written into one folder, which its
libraries can open as either; the project is then called one of pictures, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tdvc.formats import _carry, _supervisely_video_writer
from tdvc.formats._supervisely_meta import NAME, Meta
from tdvc.formats._supervisely_objects import figure, tag_of_file
from tdvc.formats._supervisely_tags import tags_of
from tdvc.formats._videos import is_video_record
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import IMPORTED, Instance, derived_instance_id
from tdvc.names import printable

DATASET = "dataset"
"""Of files that lie in no folder."""

IMAGES, VIDEOS = "img", "video"
"""The folder of a dataset that holds its pictures, and that of its videos."""


def place(record: FileRecord) -> str:
    """Below the `img` or `video` of its dataset; a file that came from such a folder goes there again."""
    *folders, name = record.path.split("/")
    items = VIDEOS if is_video_record(record) else IMAGES
    if _is_of_dataset(folders):
        given, folders = folders[-1], folders[:-1:2]
        if given == items and record.split in ("", folders[0]):
            return record.path
    if record.split:
        folders = [*record.split.split("/"), *folders]
    return f"{'/datasets/'.join(folders or [DATASET])}/{items}/{name}"


def _is_of_dataset(folders: Sequence[str]) -> bool:
    """Whether folders are those of Supervisely, such as `a/img` or `a/datasets/b/video`."""
    even = len(folders) % 2 == 0
    items = bool(folders) and folders[-1] in (IMAGES, VIDEOS)
    return items and even and all(name == "datasets" for name in folders[1:-1:2])


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """A file a picture or video, then those of the project. What names are used for alone is held in memory."""
    meta = Meta({label.key: label for label in labels})
    ids = _supervisely_video_writer.Ids()
    for record in records:
        placed = place(record)
        folder, items, name = placed.rsplit("/", 2)
        meta.media.add("videos" if items == VIDEOS else "images")
        if items == VIDEOS:
            annotation = _supervisely_video_writer.annotation(record, placed, meta, ids, report)
        else:
            annotation = _annotation(record, placed, meta, report)
        yield WrittenFile(f"{folder}/ann/{name}.json", [numbers.spell(annotation)])
    if "videos" in meta.media:
        yield WrittenFile("key_id_map.json", ids.pieces())
    if len(meta.media) > 1:
        message = "Pictures and videos are in one project; Supervisely wants to import each kind by itself."
        report(Problem("mixed-media", "meta.json", message, severity="warning"))
    yield WrittenFile("meta.json", [numbers.spell(meta.document())])


def _annotation(record: FileRecord, placed: str, meta: Meta, report: Report) -> dict[str, Any]:
    kept = record.properties.get(NAME)
    fields: dict[str, Any] = dict(kept) if isinstance(kept, dict) else {}
    size = record.size or next((_size(i) for i in record.instances if i.type == "mask"), None)
    if size is not None:
        fields["size"] = {"height": size[1], "width": size[0]}
    carried = _carry.of_file(record, NAME) | ({"path": record.path} if placed != record.path else {})
    custom = fields.get("customBigData")
    fields["customBigData"] = (dict(custom) if isinstance(custom, dict) else {}) | {_carry.KEY: carried}
    fields.setdefault("description", "")
    fields["tags"], fields["objects"] = [], []
    for instance in record.instances:
        try:
            where, written = _written(instance, placed, size, meta)
        except ValueError as error:
            message = f"The {instance.type} {error}."
            where_ = printable(record.path)
            report(Problem("type-not-carried", where_, message, instance.instance_id, dropped_instances=1))
        else:
            fields[where] += written
    return fields


def _size(instance: Instance) -> tuple[int, int]:
    height, width = instance.coordinates["size"]
    return width, height


def _written(
    instance: Instance, placed: str, size: tuple[int, int] | None, meta: Meta
) -> tuple[str, list[dict[str, Any]]]:
    """The list that an instance goes into, and what. Raises ValueError where Supervisely has no word for it."""
    kept = _carry.parsed(instance.properties).get(NAME, {})
    kept = dict(kept) if isinstance(kept, dict) else {}
    carried = _carry.of_instance(instance, NAME, without=("attributes",))
    if instance.instance_id == derived_instance_id(NAME, placed, str(kept.get("id"))) and "id" in kept:
        del carried["instance_id"]
    if carried.get("source") == IMPORTED:
        del carried["source"]
    if instance.type == "tag" and "geometryType" not in kept:
        return "tags", [tag_of_file(instance, kept, carried, meta)]
    tags, unsaid = tags_of(_carry.parsed(instance.attributes), kept.pop("tags", {}), meta)
    if unsaid:
        carried["attributes"] = unsaid
    return "objects", _objects(instance, kept | {"tags": tags}, carried, size, meta)


def _objects(
    instance: Instance, kept: dict[str, Any], carried: dict[str, Any], size: tuple[int, int] | None, meta: Meta
) -> list[dict[str, Any]]:
    label = meta.labels.get(instance.label)
    common = kept | {"classTitle": meta.name_of(instance.label)}
    if label and "id" in label.fields:
        common["classId"] = label.fields["id"]
    if instance.type == "tag":  # a geometry that tdvc has no type for, as it came
        meta.shapes.setdefault(instance.label, set()).add(str(kept["geometryType"]))
        return [common | ({_carry.KEY: carried} if carried else {})]
    shape = _carry.parsed(instance.geometry)
    parts = [[part] for part in shape] if instance.type == "polygon" else [shape]
    if len(parts) > 1:
        common.setdefault("instance", instance.instance_id)
        carried.setdefault("instance_id", instance.instance_id)
    objects = []
    for number, part in enumerate(parts):
        own = carried if number == 0 else {"part_of": instance.instance_id}
        fields = figure(instance, part, own, size, meta)
        objects.append(common | fields | ({_carry.KEY: own} if own else {}))
        if number:
            objects[-1].pop("id", None)
    return objects
