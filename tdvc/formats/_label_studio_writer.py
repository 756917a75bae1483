"""Writing Label Studio: `tasks.json`, a task a picture, and the labelling configuration that it needs.

The configuration, `label_config.xml`, has a control for every kind of result that was written, each with all classes in
their order; a project made of both shows everything. Pictures keep their path, below the folder of their split, and
tasks name them so; how they are served is the project's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tdvc.formats import _carry
from tdvc.formats._label_studio_config import config
from tdvc.formats._label_studio_groups import (
    ANNOTATIONS,
    FORMAT,
    KEPT_AS,
    PREDICTIONS,
    Home,
    Homes,
    is_cancelled,
    own_properties,
    source_of,
    to_carry,
    with_carried,
)
from tdvc.formats._label_studio_names import (
    CONTENT_KEYS,
    DEFAULT_NAMES,
    NUMBERED,
    PICTURE,
    TIMELINE,
    TRACK,
    UNNAMED_RELATION,
    VIDEO,
    picture_key,
    possible_paths,
)
from tdvc.formats._label_studio_tracks import (
    APART,
    TRACK_FIELDS,
    end_where_nothing_follows,
    is_keyframe,
    keyframe_id,
    put_scores,
    write_keyframe,
    write_ranges,
)
from tdvc.formats._label_studio_values import (
    Drawn,
    Geometry,
    Size,
    as_before,
    carried_with,
    kind_of,
    size_of_geometry,
    values_of,
)
from tdvc.formats._videos import SIZE, is_video_record
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

TASKS = "tasks.json"
CONFIG = "label_config.xml"

_TAKEN = frozenset(
    ("controls", "from_name", "id", "labels", "meta", "to_name", "type", "value", *KEPT_AS.values(), _carry.KEY)
)


def place(record: FileRecord) -> str:
    """Pictures keep their path, below the folder of their split."""
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """The tasks, one a line, then the configuration for the controls they turned out to need."""
    controls: dict[tuple[str, str], str] = {}
    names = {label.key: label.name for label in labels}
    yield WrittenFile(TASKS, _lines(records, names, controls, report))
    yield WrittenFile(CONFIG, config(labels, controls))


def _lines(
    records: Iterable[FileRecord], names: dict[str, str], controls: dict[tuple[str, str], str], report: Report
) -> Iterator[bytes]:
    taken: set[Any] = set()
    free = map(Number, count(1))
    separator = b"[\n"
    for record in records:
        fields = _Task(record, names, controls, report).fields()
        if fields.get("id") is None or fields["id"] in taken:
            _number(fields, next(number for number in free if number not in taken))
        taken.add(fields["id"])
        yield separator + numbers.spell(fields)
        separator = b",\n"
    yield (b"\n]\n" if taken else b"[]\n")


def _number(task: dict[str, Any], number: Number) -> None:
    """Give a task an id: Label Studio's converters want one, even though its server then finds its own."""
    task["id"] = number
    meta = task.setdefault("meta", {})
    meta[_carry.KEY] = meta.get(_carry.KEY, {}) | {NUMBERED: True}


@dataclass(slots=True)
class _Task:
    """One task in the making.

    Attributes:
        written_ids: the ids of results, by instance_id.
        track_ids: the ids of tracks that are taken.
        later: keyframes that are not the first of their track, which a relation would come back to.
    """

    record: FileRecord
    names: dict[str, str]
    controls: dict[tuple[str, str], str]
    report: Report
    written_ids: dict[str, str] = field(default_factory=dict)
    track_ids: set[tuple[Home, str]] = field(default_factory=set)
    later: set[str] = field(default_factory=set)

    @property
    def shown(self) -> str:
        """The name of what is annotated."""
        return VIDEO if is_video_record(self.record) else PICTURE

    def fields(self) -> dict[str, Any]:
        """The task as JSON."""
        own = _carry.own_of(self.record.properties, FORMAT)
        former = {kind: _objects(own.pop(kind, None)) for kind in (ANNOTATIONS, PREDICTIONS)}
        homes = Homes(former)
        home_of = homes.settle(self.record.instances)
        groups = {kind: [_opened(group) for group in made] for kind, made in homes.groups.items()}
        if self.record.complete and not any(map(_is_submitted, groups[ANNOTATIONS])):
            groups[ANNOTATIONS].append({"result": []})
        for home, item in self._items(groups, home_of):
            groups[home[0]][home[1]]["result"].append(item)
        return own | {"data": self._data(own.pop("data", None)), **groups} | self._meta(own, groups)

    def _data(self, former: Any) -> dict[str, Any]:
        """The data of the task; the picture by the name it came with, where that still means this picture."""
        data = dict(former) if isinstance(former, dict) else {}
        key = picture_key(data) or self.shown
        if self.record.split or self.record.path not in possible_paths(data.get(key)):
            data[key] = place(self.record)
        return data

    def _meta(self, own: dict[str, Any], groups: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        carried = _carry.of_file(self.record, FORMAT)
        carried.pop("complete", None)
        if SIZE in carried.get("properties", {}) and _tell_size(groups):
            del carried["properties"][SIZE]
        if self.record.complete is not (True if any(map(_is_submitted, groups[ANNOTATIONS])) else None):
            carried["complete"] = self.record.complete
        meta = own.get("meta")
        meta = (meta if isinstance(meta, dict) else {}) | ({_carry.KEY: carried} if carried else {})
        return {"meta": meta} if meta else {}

    def _items(
        self, groups: dict[str, list[dict[str, Any]]], home_of: dict[str, Home]
    ) -> Iterator[tuple[Home, dict[str, Any]]]:
        """Every result with its home: regions, tracks, choices, then the relations between them."""
        tags: dict[tuple[Home, str, str], list[Instance]] = {}
        tracks: dict[tuple[Home, str, str], list[Instance]] = {}
        relations = []
        sources = {home: source_of(home[0], groups[home[0]][home[1]]) for home in {*home_of.values()}}
        for instance in self.record.instances:
            home = home_of[instance.instance_id]
            if instance.type == "relation":
                relations.append(instance)
            elif self.shown == VIDEO and is_keyframe(instance):
                alone = f"\0{instance.instance_id}"
                tracks.setdefault((home, instance.sequence or alone, instance.label), []).append(instance)
            elif self.shown == VIDEO and _is_of_timeline(instance):
                yield home, self._timeline_item(instance, sources[home])
            elif instance.type == "tag":
                tags.setdefault((home, *_choice_key(instance)), []).append(instance)
            else:
                yield from ((home, item) for item in self._region_items(instance, sources[home]))
        for (home, *_), together in tracks.items():
            yield from ((home, item) for item in self._track_items(together, home, sources[home]))
        for (home, *_), together in tags.items():
            yield home, self._choice_item(together, sources[home])
        for instance in relations:
            home = home_of[instance.instance_id]
            yield home, self._relation_item(instance, sources[home])

    def _region_items(self, instance: Instance, source: str | None) -> list[dict[str, Any]]:
        try:
            drawn, size = self._drawn(instance)
        except ValueError as error:
            self._lose(instance, error)
            return []
        own = own_properties(instance)
        self.written_ids[instance.instance_id] = str(own.get("id", instance.instance_id))
        common = self._common(instance, own, size)
        controls = own.get("controls")
        carried = to_carry(instance, own, source, said=controls if isinstance(controls, dict) else ())
        if len(drawn) > 1:
            carried["instance_id"] = instance.instance_id
        items = [self._region_item(common, instance, own, value, carried | extra) for value, extra in drawn]
        if len(items) > 1:
            for number, item in enumerate(items[1:], 1):
                item["id"] = f"{item['id']}-{number}"
        return items + _control_items(items[0], own, instance)

    def _lose(self, instance: Instance, error: ValueError) -> None:
        place_, message = printable(self.record.path), f"{instance.type} {error}."
        self.report(Problem("type-not-carried", place_, message, instance.instance_id, dropped_instances=1))

    def _track_items(self, together: list[Instance], home: Home, source: str | None) -> list[dict[str, Any]]:
        """The result of a track, and what more is said of it."""
        first = min(together, key=lambda instance: instance.frame or 0)
        said = next((kept for one in together if isinstance(kept := own_properties(one).get(TRACK_FIELDS), dict)), None)
        apart, said = said is None, said or {}
        identity = str(said.get("id", first.sequence or first.instance_id))
        if (home, identity) in self.track_ids:
            identity = first.instance_id
        new = identity not in {taken for _, taken in self.track_ids}
        carried: dict[str, Any] = {} if new and first.sequence == identity else {"sequence": first.sequence}
        self.track_ids.add((home, identity))
        value = dict(said["value"]) if isinstance(said.get("value"), dict) else {}
        entries, written, about = [], [], {}
        for instance in sorted(together, key=lambda instance: instance.frame or 0):
            try:
                entry, extra = write_keyframe(instance, self.record.size, value)
            except ValueError as error:
                self._lose(instance, error)
                continue
            entries.append(entry)
            written.append(instance)
            self.written_ids[instance.instance_id] = identity
            self.later.update({instance.instance_id} if len(entries) > 1 else ())
            if extra := extra | self._about_keyframe(instance, home, identity, source):
                about[str(entry["frame"])] = extra
        if not written:
            return []
        carried |= ({"keyframes": about} if about else {}) | ({APART: True} if apart else {})
        if apart:
            end_where_nothing_follows(entries)
        more = said.get("labels")
        value["labels"] = [self.names.get(first.label, first.label), *(more if isinstance(more, list) else [])]
        fields = {key: item for key, item in said.items() if key not in _TAKEN} | self._named(TRACK, said)
        fields |= {"id": identity, "type": TRACK} | with_carried(said, carried)
        if self.record.size is not None:
            fields["original_width"], fields["original_height"] = self.record.size
        put_scores(fields, entries, written)
        item = fields | {"value": value | {"sequence": entries}}
        return [item, *_control_items(item, own_properties(first), first)]

    def _about_keyframe(self, instance: Instance, home: Home, identity: str, source: str | None) -> dict[str, Any]:
        """What has to be carried of a keyframe."""
        own = own_properties(instance)
        controls = own.get("controls")
        carried = to_carry(instance, {"id": identity}, source, said=controls if isinstance(controls, dict) else ())
        del carried["frame"]
        carried.pop("sequence", None)
        if instance.instance_id == keyframe_id(self.record.path, home, identity, instance.frame or 0):
            del carried["instance_id"]
        return carried

    def _timeline_item(self, instance: Instance, source: str | None) -> dict[str, Any]:
        own = own_properties(instance)
        fields = {key: value for key, value in own.items() if key not in (*_TAKEN, "ranges")}
        carried = to_carry(instance, own, source)
        carried.pop("frame", None)
        more = own.get("labels")
        label = self.names.get(instance.label, instance.label)
        value = {"ranges": write_ranges(instance), TIMELINE: [label, *(more if isinstance(more, list) else [])]}
        fields |= {"id": own.get("id", instance.instance_id), "type": TIMELINE, "value": value}
        self.written_ids[instance.instance_id] = str(fields["id"])
        if bytes(instance.score) != b"null":
            fields["score"] = instance.score
        return fields | self._named(TIMELINE, own) | with_carried(own, carried)

    def _drawn(self, instance: Instance) -> tuple[list[tuple[Drawn, dict[str, Any]]], Size]:
        """The values of an instance, each with what has to be carried along with it; and the size they refer to."""
        found = Geometry(instance.type, _carry.parsed(instance.geometry))
        size = size_of_geometry(found, self.record.size)
        values = values_of(found, size)
        if len(values) == 1 and found.type != "keypoints":
            former = own_properties(instance).get("value")
            again = as_before(former, values[0], found, size)
            return [(again, carried_with(found, again, size))], size
        parts = [Geometry(found.type, part) for part in _parts(found)]
        return [
            (value, {"part": number} | carried_with(part, value, size))
            for number, (value, part) in enumerate(zip(values, parts, strict=True))
        ], size

    def _common(self, instance: Instance, own: dict[str, Any], size: Size) -> dict[str, Any]:
        """What all results of an instance say."""
        fields = {key: value for key, value in own.items() if key not in _TAKEN}
        fields["id"] = own.get("id", instance.instance_id)
        if size is not None and instance.type not in ("text_span", "time_span"):
            fields.setdefault("image_rotation", 0)
            fields["original_width"], fields["original_height"] = size
        if bytes(instance.score) != b"null":
            fields["score"] = instance.score
        return fields

    def _region_item(
        self, common: dict[str, Any], instance: Instance, own: dict[str, Any], drawn: Drawn, carried: dict[str, Any]
    ) -> dict[str, Any]:
        label = self.names.get(instance.label, instance.label)
        type_ = str(own.get("type", f"{drawn.kind}labels"))
        from_name = own.get("from_name")
        if kind_of(type_) != drawn.kind or (not type_.endswith("labels") and label != from_name):
            type_ = f"{drawn.kind}labels"
        value = dict(drawn.value)
        if type_.endswith("labels"):
            more = own.get("labels")
            value[type_] = [label, *(more if isinstance(more, list) else [])]
        return common | self._named(type_, own) | {"type": type_, "value": value} | with_carried(own, carried)

    def _named(self, type_: str, own: dict[str, Any]) -> dict[str, Any]:
        """The names of the control and of the object of a result; the configuration will have them."""
        from_name = str(own.get("from_name", DEFAULT_NAMES.get(type_, type_)))
        to_name = str(own.get("to_name", self.shown))
        self.controls.setdefault((from_name, to_name), type_)
        return {"from_name": from_name, "to_name": to_name}

    def _choice_item(self, tags: list[Instance], source: str | None) -> dict[str, Any]:
        """The choices of one control about the whole picture, or a text about it."""
        own = own_properties(tags[0])
        fields = {key: value for key, value in own.items() if key not in _TAKEN}
        fields["id"] = own.get("id", tags[0].instance_id)
        if len(tags) == 1 and bytes(tags[0].score) != b"null":
            fields["score"] = tags[0].score
        type_ = "textarea" if own.get("type") == "textarea" else "choices"
        if type_ == "textarea":
            text = _carry.parsed(tags[0].attributes).get("text", [])
            entries = [to_carry(tags[0], own, source, said=("text",))]
            value = {"text": text if isinstance(text, list) else [text]}
        else:
            entries = [to_carry(tag, own, source, score_said=len(tags) == 1) for tag in tags]
            value = {"choices": [self.names.get(tag.label, tag.label) for tag in tags]}
            for entry, tag in zip(entries[1:], tags[1:], strict=True):
                entry["instance_id"] = tag.instance_id
        carried = {"tags": entries} if any(entries) else {}
        return fields | self._named(type_, own) | with_carried(own, carried) | {"type": type_, "value": value}

    def _relation_item(self, instance: Instance, source: str | None) -> dict[str, Any]:
        own = own_properties(instance)
        start, end = _carry.parsed(instance.geometry)
        more = own.get("labels")
        label = self.names.get(instance.label, instance.label)
        fields = {"direction": "right"} | {key: value for key, value in own.items() if key not in _TAKEN}
        fields["type"] = "relation"
        if label != UNNAMED_RELATION or more:
            fields["labels"] = [label, *(more if isinstance(more, list) else [])]
        fields["from_id"], fields["to_id"] = (self.written_ids.get(end_, end_) for end_ in (start, end))
        if bytes(instance.score) != b"null":
            fields["score"] = instance.score
        carried = {"instance_id": instance.instance_id} | to_carry(instance, own, source)
        if {start, end} & self.later:
            carried["ends"] = [start, end]
        return fields | with_carried(own, carried)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _opened(group: dict[str, Any]) -> dict[str, Any]:
    """A copy of a group, to which results can be added: those that were kept aside are there."""
    aside = group.get("result")
    return group | {"result": list(aside) if isinstance(aside, list) else []}


def _is_submitted(group: dict[str, Any]) -> bool:
    return not is_cancelled(group)


def _tell_size(groups: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether a result tells the size of what is annotated."""
    results = (item for held in groups.values() for group in held for item in group["result"])
    return any(isinstance(item, dict) and "original_width" in item for item in results)


def _is_of_timeline(instance: Instance) -> bool:
    """Whether an instance of a video is a label of a range of frames."""
    return instance.type == "tag" and (instance.frame is not None or own_properties(instance).get("type") == TIMELINE)


def _choice_key(tag: Instance) -> tuple[str, str]:
    """Tags of one key become one result: those of one control, unless they were results of their own."""
    own = own_properties(tag)
    apart = tag.instance_id if own.get("type") == "textarea" else ""
    return str(own.get("from_name", DEFAULT_NAMES["choices"])), str(own.get("id", apart))


def _parts(found: Geometry) -> list[Any]:
    if found.type == "polygon":
        return [[part] for part in found.shape]
    return [found.shape[i : i + 3] for i in range(0, len(found.shape), 3)]


def _control_items(region: dict[str, Any], own: dict[str, Any], instance: Instance) -> list[dict[str, Any]]:
    """The results that say more of a region: a choice, a text, a number, by the controls they came from."""
    controls = own.get("controls")
    attributes = _carry.parsed(instance.attributes)
    items = []
    for name, control in (controls if isinstance(controls, dict) else {}).items():
        type_ = control.get("type") if isinstance(control, dict) else None
        if name not in attributes or not _carry.is_text(type_) or type_ not in CONTENT_KEYS:
            continue
        content = attributes[name]
        if type_ in ("choices", "textarea") and not isinstance(content, list):
            content = [content]
        labels = region["type"]
        value = {key: item for key, item in region["value"].items() if key not in (labels, "labels", "rle")}
        value[CONTENT_KEYS[type_]] = content
        fields = {key: item for key, item in region.items() if key not in ("meta", "score")}
        items.append(fields | control | {"from_name": name, "type": type_, "value": value})
    return items
