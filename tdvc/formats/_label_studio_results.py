"""From the annotations and predictions of one Label Studio task to instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tdvc.errors import SchemaError
from tdvc.formats import _carry
from tdvc.formats._folder import shortened
from tdvc.formats._label_studio_groups import (
    ANNOTATIONS,
    FORMAT,
    KEPT_AS,
    PREDICTIONS,
    Groups,
    Home,
    Homes,
    is_cancelled,
    source_of,
)
from tdvc.formats._label_studio_names import CONTENT_KEYS, DEFAULT_NAMES, PICTURE, TIMELINE, TRACK, UNNAMED_RELATION
from tdvc.formats._label_studio_tracks import (
    APART,
    KEYFRAME,
    TRACK_FIELDS,
    keyframe_id,
    place_of_keyframe,
    read_keyframe,
    read_ranges,
    track_fields,
)
from tdvc.formats._label_studio_values import (
    Drawn,
    Size,
    carried_geometry,
    echo,
    geometry_of,
    kind_of,
    size_in,
)
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance

_SAID = frozenset(
    (
        *("from_name", "id", "meta", "original_height", "original_width", "score", "to_name", "type", "value"),
        *KEPT_AS.values(),
        *("controls", "labels", _carry.KEY),
    )
)
_ZERO = Number("0")


@dataclass(slots=True)
class Results:
    """The results of one task, read into instances.

    Attributes:
        path: the path of the record, which ids are derived from.
        place: where problems are.
        size: of the picture, where a result or the picture tells.
        report: told of what is left out.
        groups: the annotations and predictions; those not understood keep their results.
        shown: the name of what is annotated, where nobody gave it another.
        instances: what was read so far.
        sequences: those that are taken.
        turned: how many regions were drawn while the picture was turned.
    """

    path: str
    place: str
    size: Size
    report: Report
    groups: Groups
    shown: str = PICTURE
    instances: list[Instance] = field(default_factory=list)
    sequences: set[str] = field(default_factory=set)
    turned: int = 0
    _made: dict[str, _Made] = field(default_factory=dict)

    def read(self) -> Results:
        """Read every group; results that no one understands stay in it."""
        for kind in (ANNOTATIONS, PREDICTIONS):
            for position, group in enumerate(self.groups[kind]):
                if is_cancelled(group):
                    continue
                results = group.pop("result", None)
                aside = _Group(self, (kind, position), group, results).read() if isinstance(results, list) else []
                if aside:
                    group["result"] = aside
        self._finish()
        if self.turned:
            message = f"{self.turned:,} regions were drawn while the picture was turned; they are kept as written."
            self.report(Problem("picture-turned", self.place, message, severity="warning"))
        return self

    def kept_groups(self) -> Groups:
        """The groups that can't be made again from the instances."""
        homes = Homes({})
        homes.settle(self.instances)
        if self.is_submitted and not homes.groups[ANNOTATIONS]:
            homes.groups[ANNOTATIONS].append({})
        if homes.groups == self.groups:
            return {}
        return {kind: groups for kind, groups in self.groups.items() if groups}

    @property
    def is_submitted(self) -> bool:
        """Whether somebody has submitted an annotation."""
        return any(not is_cancelled(group) for group in self.groups[ANNOTATIONS])

    def add(self, fields: dict[str, Any], home: Home, position: int, part: str = "") -> str:
        """Take up an instance, or a part of one that is there; its id."""
        identity = str(fields["instance_id"])
        known = self._made.get(identity)
        if known and part and part not in known.parts and known.fields["type"] == fields["type"]:
            known.fields["geometry"] = known.fields["geometry"] + fields["geometry"]
            known.parts.add(part)
            return identity
        if known:
            identity = fields["instance_id"] = derived_instance_id(FORMAT, identity, str(len(self._made)))
        self._made[identity] = _Made(fields, home, position, {part})
        return identity

    def fields_of(self, identity: str) -> dict[str, Any]:
        """The fields of an instance that was added; they may still be changed."""
        return self._made[identity].fields

    def drop(self, home: Home, position: int, error: Exception) -> None:
        """Report a result that is left out."""
        reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
        where = f"{KEPT_AS[home[0]]} {home[1]}, result {position}"
        message = f"{where[0].upper()}{where[1:]}: {reason}."
        self.report(Problem("instance-invalid", self.place, message, where, dropped_instances=1))

    def _finish(self) -> None:
        """Build the instances; those whose source does not lead to their group keep its place."""
        homes = Homes(self.groups)
        for made in sorted(self._made.values(), key=lambda made: bool(made.fields["type"] == "relation")):
            try:
                instance = make_instance(made.fields)
                if not homes.finds(instance, made.home):
                    own = made.fields["properties"].setdefault(FORMAT, {})
                    own[KEPT_AS[made.home[0]]] = Number(made.home[1])
                    instance = make_instance(made.fields)
            except SchemaError as error:
                self.drop(made.home, made.position, error)
                continue
            self.instances.append(instance)


@dataclass(slots=True)
class _Made:
    """An instance in the making: its fields, its group, the place of its first result, which parts there are."""

    fields: dict[str, Any]
    home: Home
    position: int
    parts: set[str]


@dataclass(slots=True)
class _Group:
    """One annotation or prediction being read.

    Attributes:
        task: where instances go.
        home: which of the task's groups it is.
        group: the annotation or prediction, without which the results mean less.
        results: as they came.
        regions: the instance_id of each result that has a place, by the result's id; of a track, that of the first.
        tracks: the ids of the results of keyframes, by instance_id.
    """

    task: Results
    home: Home
    group: dict[str, Any]
    results: list[Any]
    regions: dict[str, str] = field(default_factory=dict)
    tracks: dict[str, str] = field(default_factory=dict)

    def read(self) -> list[Any]:
        """Read all results; those that are kept aside."""
        aside: list[Any] = []
        late: list[tuple[int, dict[str, Any]]] = []
        for position, item in enumerate(self.results):
            type_ = item.get("type") if isinstance(item, dict) else None
            if type_ in (TRACK, TIMELINE):
                self._try(self._track if type_ == TRACK else self._timeline, position, item)
            elif isinstance(item, dict) and (type_ == "relation" or kind_of(type_) is None):
                late.append((position, item))
            else:
                self._try(self._region, position, item)
        for position, item in late:
            if item.get("type") == "relation":
                self._try(self._relation, position, item)
            elif not self._is_said(position, item):
                aside.append(item)
        if aside:
            named = ", ".join(sorted({shortened(str(item.get("type"))) for item in aside}))
            message = f"{len(aside):,} results of kinds that are not read ({named}) are kept as properties of the file."
            self.task.report(Problem("kept-as-property", self.task.place, message, severity="warning"))
        return aside

    def _try(self, reader: Any, position: int, item: Any) -> None:
        try:
            if not isinstance(item, dict):
                raise ValueError("it is not a JSON object")
            reader(position, item)
        except ValueError as error:
            self.task.drop(self.home, position, error)

    def _is_said(self, position: int, item: dict[str, Any]) -> bool:
        """Whether a result without a place became attributes or tags."""
        type_, value = item.get("type"), item.get("value")
        if not isinstance(value, dict) or not _carry.is_text(type_) or CONTENT_KEYS.get(type_) not in value:
            return False
        region = self.regions.get(str(item.get("id")))
        if region is not None:
            return self._say_of_region(region, item, type_)
        if type_ == "choices" and _texts(value["choices"]):
            self._choices(position, item, value["choices"])
            return True
        if type_ == "textarea":
            self._text(position, item, value["text"])
            return True
        return False

    def _region(self, position: int, item: dict[str, Any]) -> None:
        type_, value = item["type"], item.get("value")
        if not isinstance(value, dict):
            raise ValueError("it has no value")
        labels = _labels(value, type_) if type_.endswith("labels") else []
        drawn = Drawn(str(kind_of(type_)), {key: item_ for key, item_ in value.items() if key != type_})
        size = size_in(item) or self.task.size
        found = geometry_of(drawn, size)
        carried = _carried(item)
        true = carried_geometry(carried, found, size)
        own = self._own(item) | ({} if true else echo(drawn, found, size))
        if len(labels) > 1:
            own["labels"] = labels[1:]
        if type_ != f"{drawn.kind}labels" or not labels:
            own["type"] = type_ if type_ != f"{drawn.kind}labels" else drawn.kind
        fields = self._fields(item, own, carried, str(position))
        fields["type"], fields["geometry"] = true or found
        fields["label"] = labels[0] if labels else str(item.get("from_name") or "region")
        part = str(carried["part"]) if isinstance(carried.get("part"), Number) else ""
        identity = self.task.add(fields, self.home, position, part)
        if _is_identity(item.get("id")):
            self.regions.setdefault(str(item["id"]), identity)
        self.task.turned += item.get("image_rotation") not in (None, _ZERO)

    def _track(self, position: int, item: dict[str, Any]) -> None:
        """An instance for each keyframe; the first keeps what else the result says."""
        value = item.get("value")
        sequence = value.get("sequence") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(sequence, list) or not sequence:
            raise ValueError("it has no keyframes")
        size = size_in(item) or self.task.size
        labels, carried = _labels(value, "labels"), _carried(item)
        result = str(item["id"]) if _is_identity(item.get("id")) else f"#{position}"
        name = carried["sequence"] if "sequence" in carried else self._sequence(result)
        said: dict[str, Any] | None = track_fields(item, self._own(item), labels)
        shared = {"label": labels[0] if labels else str(item.get("from_name") or "region"), "sequence": name}
        for keyframe in sorted(sequence, key=place_of_keyframe):
            try:
                fields = self._keyframe(item, keyframe, size, result, carried)
            except ValueError as error:
                self.task.drop(self.home, position, error)
                continue
            if said is not None and result not in (name, fields["instance_id"]):
                said["id"] = result
            if said is not None and (said or APART not in carried):
                fields["properties"].setdefault(FORMAT, {})[TRACK_FIELDS] = said
            said = None
            identity = self.task.add(fields | shared, self.home, position)
            self.regions.setdefault(result, identity)
            self.tracks[identity] = result
        if size is None:
            message = f"The size of the video is not known; {len(sequence):,} keyframes keep their percentages."
            self.task.report(Problem("geometry-kept-aside", self.task.place, message, severity="warning"))

    def _sequence(self, result: str) -> str:
        """The sequence of a result: its id, made unique where several annotators have it."""
        found, number = result, 1
        while found in self.task.sequences:
            number += 1
            found = f"{result}#{number}"
        self.task.sequences.add(found)
        return found

    def _keyframe(
        self, item: dict[str, Any], value: Any, size: Size, result: str, carried: dict[str, Any]
    ) -> dict[str, Any]:
        """The fields of a keyframe, apart from label and sequence."""
        keyframe = read_keyframe(value, size, item["value"])
        frames = carried.get("keyframes")
        mine = frames.get(str(keyframe.frame + 1)) if isinstance(frames, dict) else None
        mine = mine if isinstance(mine, dict) else {}
        true = carried_geometry(mine, keyframe.found, size) if size else None
        own = keyframe.own if true is None else {KEYFRAME: keyframe.own[KEYFRAME]}
        if APART in carried:
            own[KEYFRAME].pop("enabled", None)
        own = {key: kept for key, kept in own.items() if kept or keyframe.found.type == "tag"}
        identity = keyframe_id(self.task.path, self.home, result, keyframe.frame)
        score = item.get("score") if keyframe.score is None else keyframe.score
        fields = self._fields({"score": score}, own, {"instance_id": identity} | mine, "")
        fields["type"], fields["geometry"] = true or keyframe.found
        return fields | {"frame": keyframe.frame}

    def _timeline(self, position: int, item: dict[str, Any]) -> None:
        """A tag on the first frame of the range."""
        frame, ranges = read_ranges(item.get("value"))
        labels = _labels(item["value"], TIMELINE)
        own = self._own(item) | ranges | ({"labels": labels[1:]} if len(labels) > 1 else {})
        if frame is None:
            own["type"] = TIMELINE
        fields = self._fields(item, own, _carried(item), str(position))
        fields |= {
            "type": "tag",
            "frame": frame,
            "label": labels[0] if labels else str(item.get("from_name") or "range"),
        }
        identity = self.task.add(fields, self.home, position)
        if _is_identity(item.get("id")):
            self.regions.setdefault(str(item["id"]), identity)

    def _own(self, item: dict[str, Any]) -> dict[str, Any]:
        """What else a result says."""
        own = {key: value for key, value in item.items() if key not in _SAID and value is not None}
        if own.get("image_rotation") == _ZERO:
            del own["image_rotation"]
        meta = item.get("meta")
        if isinstance(meta, dict):
            meta = {key: value for key, value in meta.items() if key != _carry.KEY}
        if meta:
            own["meta"] = meta
        default = DEFAULT_NAMES.get(str(item.get("type")))
        for key, expected in (("from_name", default), ("to_name", self.task.shown)):
            if item.get(key) not in (None, expected):
                own[key] = item[key]
        if "id" in item and not _is_instance_id(item["id"]):
            own["id"] = item["id"]
        return own

    def _fields(self, item: dict[str, Any], own: dict[str, Any], carried: dict[str, Any], salt: str) -> dict[str, Any]:
        """The fields of an instance, apart from what and where it is."""
        fields = {"source": source_of(*self._kind_and_group())} | _carry.for_instance(carried)
        identity = item.get("id")
        if _is_instance_id(identity):
            fields.setdefault("instance_id", identity)
        known = str(identity) if _is_identity(identity) else f"#{salt}"
        kind, place = self.home
        if not _is_instance_id(fields.get("instance_id")):
            fields["instance_id"] = derived_instance_id(FORMAT, self.task.path, kind, str(place), known)
        score = item.get("score")
        if isinstance(score, Number):
            fields["score"] = score
        elif "score" not in fields and isinstance(self.group.get("score"), Number) and kind == PREDICTIONS:
            fields["score"] = self.group["score"]
        fields["properties"] = fields.get("properties", {}) | ({FORMAT: own} if own else {})
        return fields

    def _kind_and_group(self) -> tuple[str, dict[str, Any]]:
        return self.home[0], self.group

    def _choices(self, position: int, item: dict[str, Any], choices: list[str]) -> None:
        """A tag for each choice."""
        entries = _carried(item).get("tags")
        entries = entries if isinstance(entries, list) and len(entries) == len(choices) else [{}] * len(choices)
        for number, (choice, entry) in enumerate(zip(choices, entries, strict=True)):
            salted = item if number == 0 else {key: value for key, value in item.items() if key != "id"}
            carried = dict(entry) if isinstance(entry, dict) else {}
            fields = self._fields(salted, self._own(item), carried, f"{item.get('id', position)} {choice}")
            self.task.add(fields | {"type": "tag", "label": choice}, self.home, position)

    def _text(self, position: int, item: dict[str, Any], text: Any) -> None:
        """A tag that is called like the control, with the text as an attribute."""
        entries = _carried(item).get("tags")
        carried = dict(entries[0]) if isinstance(entries, list) and entries and isinstance(entries[0], dict) else {}
        fields = self._fields(item, self._own(item) | {"type": "textarea"}, carried, str(position))
        attributes = fields.get("attributes")
        fields["attributes"] = (attributes if isinstance(attributes, dict) else {}) | {"text": _only(text)}
        self.task.add(fields | {"type": "tag", "label": str(item.get("from_name") or "text")}, self.home, position)

    def _say_of_region(self, region: str, item: dict[str, Any], type_: str) -> bool:
        """Make a choice or text about a region an attribute of it, by the name of the control."""
        fields, name = self.task.fields_of(region), item.get("from_name")
        attributes = fields.setdefault("attributes", {})
        if not _carry.is_text(name) or not isinstance(attributes, dict) or name in attributes:
            return False
        content = item["value"][CONTENT_KEYS[type_]]
        attributes[name] = _only(content) if type_ in ("choices", "textarea") else content
        own = fields["properties"].setdefault(FORMAT, {})
        control = {key: value for key, value in self._own(item).items() if key not in ("from_name", "id")}
        own.setdefault("controls", {})[name] = control | {"type": type_}
        return True

    def _relation(self, position: int, item: dict[str, Any]) -> None:
        ends = []
        exactly = _carried(item).get("ends")
        exactly = exactly if isinstance(exactly, list) and len(exactly) == 2 else ["", ""]
        for key, keyframe in zip(("from_id", "to_id"), exactly, strict=True):
            end = str(item.get(key))
            found = str(keyframe) if self.tracks.get(str(keyframe)) == end else self.regions.get(end, end)
            if not _is_instance_id(found):
                raise ValueError(f"it relates the region {shortened(end)}, which is not there")
            ends.append(found)
        labels = _labels(item, "labels")
        own = {key: value for key, value in self._own(item).items() if key not in ("from_id", "to_id")}
        if own.get("direction") == "right":
            del own["direction"]
        if len(labels) > 1:
            own["labels"] = labels[1:]
        fields = self._fields(item, own, _carried(item), f"relation {position} {item['from_id']} {item['to_id']}")
        label = labels[0] if labels else UNNAMED_RELATION
        self.task.add(fields | {"type": "relation", "geometry": ends, "label": label}, self.home, position)


def _carried(item: dict[str, Any]) -> dict[str, Any]:
    meta = item.get("meta")
    carried = meta.get(_carry.KEY) if isinstance(meta, dict) else None
    return carried if isinstance(carried, dict) else {}


def _labels(fields: dict[str, Any], key: str) -> list[str]:
    labels = fields.get(key)
    return [label for label in labels if _carry.is_text(label)] if isinstance(labels, list) else []


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_carry.is_text(item) and item for item in value)


def _only(content: Any) -> Any:
    """The one item of a list, else what it is."""
    return content[0] if isinstance(content, list) and len(content) == 1 else content


def _is_identity(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_instance_id(value: Any) -> bool:
    return _carry.is_text(value) and len(value) == 32 and not value.strip("0123456789abcdef")
