"""What an annotation file of Supervisely says of one video, as instances.

    objects   what is followed: a key, a class and tags; it has no place itself
    frames    figures by frame, each of an object by its key
    tags      of the whole video, or of a range of its frames

A figure is an instance with its `frame`, and the key of its object is its `sequence`. Tags of an object are attributes
of its figures, a tag with a `frameRange` of those on these frames. An object that is on no frame is a `tag` with its
sequence. A tag of a range of frames is on the first of them, and the range stays in its properties; both ends belong to
it. What else an object says is kept with its first figure.

Source: supervisely `video_annotation/`; frames count from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tdvc.errors import SchemaError
from tdvc.formats import _carry
from tdvc.formats._folder import shortened
from tdvc.formats._supervisely_instances import (
    Context,
    dictionary,
    geometry_in,
    label_of,
    made,
    tag,
    with_part,
)
from tdvc.formats._supervisely_meta import NAME, Meta
from tdvc.formats._supervisely_tags import Said, attributes_at, frames_of, parts_of_tag, tags_of_track
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import Instance, derived_instance_id, make_instance

_OF_OBJECT = ("classTitle", "key", "tags", _carry.KEY)
_OF_FIGURE = ("geometry", "geometryType", "objectId", "objectKey", _carry.KEY)


@dataclass(slots=True)
class _Object:
    """One that is followed.

    Attributes:
        kept: what it says apart from its class; given to its first figure.
        carried: what our writer carried with it.
        first: the frame and instance_id of its first figure, if it has one; several on a frame have no other order.
        said: the attributes that its tags gave its figures.
    """

    label: str
    sequence: str | None
    tags: list[Any]
    kept: dict[str, Any]
    carried: dict[str, Any]
    first: tuple[int, str] | None = None
    said: list[Said] = field(default_factory=list)


def instances(context: Context, fields: dict[str, Any], ids: dict[str, dict[str, Any]]) -> list[Instance]:
    """The instances of an annotation file, those that can't be taken reported.

    Args:
        context: where it is.
        fields: its JSON, with lists of `objects` and `frames` and perhaps one of `tags`.
        ids: what `key_id_map.json` says: ids by key, by what has them.
    """
    reader = _Reader(context, ids)
    reader.read_objects(fields["objects"])
    for frame in fields["frames"]:
        reader.read_frame(frame)
    reader.finish(fields.get("tags", []))
    return list(reader.found.values())


def count(fields: dict[str, Any]) -> int:
    """How many instances an annotation file has."""
    figures = [frame.get("figures") for frame in fields["frames"] if isinstance(frame, dict)]
    return sum(len(held) for held in figures if isinstance(held, list)) + len(fields.get("tags", []))


class _Reader:
    """Reads one annotation file; what is found is by instance_id."""

    def __init__(self, context: Context, ids: dict[str, dict[str, Any]]) -> None:
        self.found: dict[str, Instance] = {}
        self._context = context
        self._ids = ids
        self._objects: dict[str, _Object] = {}
        self._keys: dict[str, str] = {}

    def read_objects(self, values: list[Any]) -> None:
        """Take note of what is followed; one that can't be read is reported with its figures."""
        for position, value in enumerate(values):
            try:
                self._object(position, value)
            except ValueError as error:
                message = f"Object {position}: {error}."
                self._context.report(Problem("instance-invalid", self._context.place, message, str(position)))

    def _object(self, position: int, value: Any) -> None:
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
        label = label_of(self._context.classes, value)
        tags = value.get("tags", [])
        if not isinstance(tags, list):
            raise ValueError("it has tags that are not a list")
        attributes_at(tags, None)
        key = str(value.get("key") or value.get("id") or position)
        if key in self._objects:
            raise ValueError(f"it has the key {shortened(key)}, which an earlier one has too")
        kept = {name: inner for name, inner in value.items() if name not in _OF_OBJECT}
        self._with_id(kept, "objects", key)
        if kept.get("classId") == self._context.classes.ids.get(label):
            kept.pop("classId", None)
        carried = dictionary(value.get(_carry.KEY))
        sequence = carried.get("sequence", key)
        if "id" in kept:
            self._keys[str(kept["id"])] = key
        self._objects[key] = _Object(label, sequence if _carry.is_text(sequence) else None, tags, kept, carried)

    def _with_id(self, kept: dict[str, Any], kind: str, key: str) -> None:
        """Add the id that the map of the project has for a key, where the annotation itself has none."""
        identity = self._ids.get(kind, {}).get(key)
        if identity is not None:
            kept.setdefault("id", identity)

    def read_frame(self, frame: Any) -> None:
        """Read the figures of a frame."""
        index = numbers.plain(frame.get("index")) if isinstance(frame, dict) else None
        figures = frame.get("figures", []) if isinstance(frame, dict) else []
        figures = figures if isinstance(figures, list) else [figures]
        for position, value in enumerate(figures):
            try:
                if type(index) is not int or index < 0:
                    raise ValueError("its frame has no index that is a whole number")
                self._keep(self._figure(index, position, value))
            except (SchemaError, ValueError) as error:
                self._context.drop(f"Figure {shortened(str(index))}/{position}", error)

    def _keep(self, instance: Instance) -> None:
        self.found[instance.instance_id] = instance

    def _figure(self, frame: int, position: int, value: Any) -> Instance:
        """The instance of a figure, or the one it is a further part of with that part."""
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
        owner = self._owner(value)
        kind, drawn = value.get("geometryType"), value.get("geometry")
        if not _carry.is_text(kind) or not isinstance(drawn, dict):
            raise ValueError("it has no geometryType and geometry")
        carried = dictionary(value.get(_carry.KEY))
        kept = {name: inner for name, inner in value.items() if name not in _OF_FIGURE}
        found = geometry_in(self._context, kind, owner.label, drawn, carried)
        if found is None:
            kept |= {"geometryType": kind, "geometry": drawn}
        type_, geometry = found or ("tag", None)
        former = self.found.get(str(carried.get("part_of")))
        if former is not None and (former.type, former.label, former.frame) == ("polygon", owner.label, frame):
            return with_part(former, geometry)
        attributes = attributes_at(owner.tags, frame)
        owner.said.append((frame, attributes))
        fields = _carry.for_instance(carried)
        fields |= {"label": owner.label, "type": type_, "geometry": geometry, "frame": frame}
        fields["attributes"] = attributes | dictionary(fields.get("attributes"))
        return self._made(fields, kept, owner, f"{frame}/{position}")

    def _owner(self, figure: dict[str, Any]) -> _Object:
        key = figure.get("objectKey")
        found = self._objects.get(str(key) if key is not None else self._keys.get(str(figure.get("objectId")), ""))
        if found is None:
            raise ValueError("its object is not there or can't be read")
        return found

    def _made(self, fields: dict[str, Any], kept: dict[str, Any], owner: _Object, place: str) -> Instance:
        """The instance of a figure or of an object that has none, by its key where that can be an id."""
        key = kept.pop("key", None)
        if is_key(key):
            fields["instance_id"] = key
            self._with_id(kept, "figures", key)
        elif key is not None:
            kept["key"] = key
        known = derived_instance_id(NAME, self._context.path, str(key or place))
        by_place = derived_instance_id(NAME, self._context.path, "figure", place)
        instance = made(fields | {"sequence": owner.sequence}, kept, (known, by_place), self.found)
        here = (instance.frame or 0, instance.instance_id)
        owner.first = here if owner.first is None else min(owner.first, here)
        return instance

    def finish(self, tags: list[Any]) -> None:
        """Take up the objects that are on no frame, what all objects say, and the tags of the video."""
        for key, owner in self._objects.items():
            try:
                if owner.first is None:
                    self._keep(self._on_no_frame(key, owner))
                elif said := _said_by(owner):
                    self._keep(_with_object(self.found[owner.first[1]], said))
            except (SchemaError, ValueError) as error:
                self._context.drop(f"Object {shortened(key)}", error)
        for position, value in enumerate(tags):
            try:
                self._keep(self._tag(position, value))
            except (SchemaError, ValueError) as error:
                self._context.drop(f"Tag {position}", error)

    def _on_no_frame(self, key: str, owner: _Object) -> Instance:
        attributes = attributes_at(owner.tags, None)
        owner.said.append((None, attributes))
        fields = _carry.for_instance(owner.carried)
        attributes |= dictionary(fields.get("attributes"))
        fields |= {"label": owner.label, "type": "tag", "attributes": attributes}
        return self._made(fields, {"object": _said_by(owner)}, owner, f"object/{key}")

    def _tag(self, position: int, value: Any) -> Instance:
        among = frames_of(parts_of_tag(value)[2])
        said = dict(value)
        carried = dictionary(said.get(_carry.KEY))
        if is_key(said.get("key")):
            key = said.pop("key")
            carried = {"instance_id": key} | carried
            self._with_id(said, "tags", key)
        if among is not None and among[0] == among[1]:
            del said["frameRange"]
        said[_carry.KEY] = carried | ({"frame": among[0]} if among is not None else {})
        return tag(self._context, position, said, self.found)


def _said_by(owner: _Object) -> dict[str, Any]:
    """What an object says besides its class; its tags where those of its figures' attributes would be others."""
    again, _ = tags_of_track(sorted(owner.said, key=lambda one: one[0] or 0), Meta({}))
    return owner.kept | ({} if again == owner.tags else {"tags": owner.tags})


def _with_object(instance: Instance, said: dict[str, Any]) -> Instance:
    """A figure that keeps what its object says."""
    properties = _carry.parsed(instance.properties)
    properties[NAME] = dictionary(properties.get(NAME)) | {"object": said}
    fields = {name: getattr(instance, name) for name in instance.__struct_fields__}
    return make_instance(fields | {"properties": properties})


def is_key(value: Any) -> bool:
    """Whether it is a key as Supervisely makes them, which can be an instance_id."""
    return _carry.is_text(value) and len(value) == 32 and not value.strip("0123456789abcdef")
