"""The annotation file of one video of a Supervisely project, the mirror of `_supervisely_video`.

Instances of one sequence and one class are the figures of one object. Attributes that all of them have are tags of the
object, the others tags with the range of frames that has them; where the tags that an object came with still say the
same, they go back as they came. Keys are the ids of instances. What Supervisely has no word for is carried in a field
`tdvc`, which its libraries pass over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from tdvc.formats import _carry
from tdvc.formats._supervisely_instances import dictionary
from tdvc.formats._supervisely_meta import NAME, Meta
from tdvc.formats._supervisely_objects import figure, tag_of_file
from tdvc.formats._supervisely_tags import Said, lead_to, parts_of_tag, tags_of_track
from tdvc.formats._supervisely_video import is_key
from tdvc.formats._videos import SIZE
from tdvc.formats.base import FileRecord
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import IMPORTED, Instance, derived_instance_id
from tdvc.names import printable

_KINDS = ("figures", "objects", "tags", "videos")


class Ids:
    """What `key_id_map.json` is to say: the ids that Supervisely has given to keys, each once."""

    def __init__(self) -> None:
        self._pairs: dict[str, list[bytes]] = {kind: [] for kind in _KINDS}
        self._taken: set[tuple[str, int]] = set()

    def add(self, kind: str, key: Any, identity: Any) -> None:
        """Note the id of a key, where it is one and no other key has it."""
        number = numbers.plain(identity)
        if is_key(key) and type(number) is int and (kind, number) not in self._taken:
            self._taken.add((kind, number))
            self._pairs[kind].append(b'"%s":%d' % (key.encode(), number))

    def pieces(self) -> Iterator[bytes]:
        """The content of the file."""
        separator = b"{"
        for kind, pairs in self._pairs.items():
            yield separator + b'"%s":{' % kind.encode() + b",".join(pairs) + b"}"
            separator = b","
        yield b"}"


def annotation(record: FileRecord, placed: str, meta: Meta, ids: Ids, report: Report) -> dict[str, Any]:
    """The content of the annotation file.

    Args:
        record: the video.
        placed: where it goes in the project.
        meta: told of classes and tags.
        ids: told of ids.
        report: told of instances that have no place in it.
    """
    writer = _Video(record, placed, meta, ids, report)
    fields = _carry.own_of(record.properties, NAME)
    size = record.size or next((_size(i) for i in record.instances if i.type == "mask"), None)
    if size is not None:
        fields["size"] = {"height": size[1], "width": size[0]}
    if not is_key(fields.get("key")):
        fields["key"] = derived_instance_id(NAME, placed)
    ids.add("videos", fields["key"], fields.get("videoId"))
    fields |= {"description": fields.get("description", "")} | writer.lists()
    said = numbers.plain(fields.get("framesCount"))
    if type(said) is not int or said <= writer.last_frame:
        fields["framesCount"] = writer.last_frame + 1
    carried = _carry.of_file(record, NAME) | ({"path": record.path} if placed != record.path else {})
    properties = {name: value for name, value in carried.pop("properties", {}).items() if name != SIZE}
    carried |= {"properties": properties} if properties else {}
    return fields | ({_carry.KEY: carried} if carried else {})


def _size(mask: Instance) -> tuple[int, int]:
    height, width = mask.coordinates["size"]
    return width, height


class _Video:
    """Writes the lists of one annotation file."""

    def __init__(self, record: FileRecord, placed: str, meta: Meta, ids: Ids, report: Report) -> None:
        self.last_frame = -1
        self._record = record
        self._placed = placed
        self._meta = meta
        self._ids = ids
        self._report = report
        self._objects: list[dict[str, Any]] = []
        self._figures: dict[int, list[dict[str, Any]]] = {}
        self._tags: list[dict[str, Any]] = []
        self._keys: set[str] = set()

    def lists(self) -> dict[str, Any]:
        """Its objects, frames and tags."""
        tracks: dict[tuple[str, str], list[Instance]] = {}
        for instance in self._record.instances:
            own = _own(instance)
            alone = f"\0{instance.instance_id}"
            if instance.type == "tag" and "geometryType" not in own and "object" not in own:
                self._try(instance, self._tag, instance)
            elif instance.frame is not None:
                tracks.setdefault((instance.sequence or alone, instance.label), []).append(instance)
            elif instance.type == "tag" and "object" in own:
                tracks[alone, instance.label] = [instance]
            else:
                self._lose(instance, "is on no frame, and figures of a video are on one")
        for (name, label), held in tracks.items():
            self._track(name, label, sorted(held, key=lambda instance: instance.frame or 0))
        frames = [{"index": index, "figures": figures} for index, figures in sorted(self._figures.items())]
        return {"objects": self._objects, "frames": frames, "tags": self._tags}

    def _try(self, instance: Instance, write: Callable[..., None], *arguments: Any) -> None:
        try:
            write(*arguments)
        except ValueError as error:
            self._lose(instance, str(error))

    def _lose(self, instance: Instance, reason: str) -> None:
        place_, message = printable(self._record.path), f"The {instance.type} {reason}."
        self._report(Problem("type-not-carried", place_, message, instance.instance_id, dropped_instances=1))

    def _tag(self, instance: Instance) -> None:
        kept, carried = _own(instance), _carried(instance, without=("attributes", "frame", "instance_id"))
        kept["key"] = instance.instance_id
        if instance.frame is None:
            kept.pop("frameRange", None)
        else:
            among = numbers.plain(kept.get("frameRange"))
            if not isinstance(among, list) or among[:1] != [instance.frame]:
                kept["frameRange"] = [instance.frame, instance.frame]
            self.last_frame = max(self.last_frame, instance.frame)
        self._tags.append(tag_of_file(instance, kept, carried, self._meta))
        self._ids.add("tags", kept["key"], kept.get("id"))

    def _track(self, name: str, label: str, held: list[Instance]) -> None:
        """An object and its figures; an object that is on no frame has none."""
        said = next((said for one in held if (said := dictionary(_own(one).get("object")))), {})
        sequence = held[0].sequence
        figures = [(instance.frame, _carry.parsed(instance.attributes)) for instance in held]
        tags, unsaid = self._tags_of(said.get("tags"), figures)
        usable = is_key(sequence) and sequence not in self._keys
        key = str(sequence) if usable else derived_instance_id(NAME, self._placed, "object", name, label)
        self._keys.add(key)
        carried = {} if key == sequence else {"sequence": sequence}
        if held[0].frame is None:
            carried |= _carried(held[0], without=("attributes", "sequence")) | _rest(held[0], unsaid)
        fields = dict(said) | {"key": key, "classTitle": self._meta.name_of(label), "tags": tags}
        record = self._meta.labels.get(label)
        if record is not None and "id" in record.fields:
            fields.setdefault("classId", record.fields["id"])
        self._meta.shapes.setdefault(label, set())
        self._ids.add("objects", key, said.get("id"))
        self._objects.append(fields | ({_carry.KEY: carried} if carried else {}))
        for instance in held:
            if instance.frame is not None:
                self._try(instance, self._figure, instance, instance.frame, key, unsaid)

    def _tags_of(self, kept: Any, said: Sequence[Said]) -> tuple[list[Any], set[str]]:
        """The tags of an object, and the names of attributes that they can't say."""
        if isinstance(kept, list) and lead_to(kept, said) and self._can_say(kept):
            return kept, set()
        return tags_of_track(said, self._meta)

    def _can_say(self, tags: Sequence[Any]) -> bool:
        """Whether the tags can have the values they have, by what tags of their names had before."""
        said = [parts_of_tag(tag)[:2] for tag in tags]
        return all(self._meta.can_say(name, [True if value is None else value]) for name, value in said)

    def _figure(self, instance: Instance, frame: int, object_key: str, unsaid: set[str]) -> None:
        """Add the figure of an instance, or those of the parts of a polygon."""
        kept = _own(instance)
        kept.pop("object", None)
        carried = _carried(instance, without=("attributes", "frame", "instance_id", "sequence")) | _rest(
            instance, unsaid
        )
        common = kept | {"objectKey": object_key, "key": instance.instance_id}
        shape = _carry.parsed(instance.geometry)
        figures = []
        for number, part in enumerate([[part] for part in shape] if instance.type == "polygon" else [shape]):
            own = carried if number == 0 else {"part_of": instance.instance_id}
            fields = common | self._drawn(instance, part, kept, own) | ({_carry.KEY: own} if own else {})
            if number:
                fields.pop("id", None)
                fields["key"] = derived_instance_id(NAME, instance.instance_id, "part", str(number))
            figures.append(fields)
        self.last_frame = max(self.last_frame, frame)
        self._ids.add("figures", instance.instance_id, kept.get("id"))
        self._figures.setdefault(frame, []).extend(figures)

    def _drawn(self, instance: Instance, part: Any, kept: dict[str, Any], carried: dict[str, Any]) -> dict[str, Any]:
        if instance.type == "tag":  # a geometry that tdvc has no type for, as it came
            self._meta.shapes.setdefault(instance.label, set()).add(str(kept["geometryType"]))
            return {}
        fields = figure(instance, part, carried, self._record.size, self._meta)
        return {"geometryType": fields.pop("geometryType"), "geometry": fields}


def _own(instance: Instance) -> dict[str, Any]:
    return _carry.own_of(_carry.parsed(instance.properties), NAME)


def _carried(instance: Instance, without: Collection[str]) -> dict[str, Any]:
    carried = _carry.of_instance(instance, NAME, without=without)
    if carried.get("source") == IMPORTED:
        del carried["source"]
    return carried


def _rest(instance: Instance, unsaid: Collection[str]) -> dict[str, Any]:
    """The attributes that no tag says, to be carried."""
    rest = {name: value for name, value in _carry.parsed(instance.attributes).items() if name in unsaid}
    return {"attributes": rest} if rest else {}
