"""Writing Label Studio: `tasks.json`, a task a picture, and the labelling configuration that it needs.

The configuration, `label_config.xml`, has a control for every kind of result that was written, each with all classes in
their order; a project made of both shows everything. Pictures keep their path, below the folder of their split, and
tasks name them so; how they are served is the project's business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

from tdvc.formats import _carry
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
)
from tdvc.formats._label_studio_names import (
    CONTENT_KEYS,
    DEFAULT_NAMES,
    PICTURE,
    UNNAMED_RELATION,
    picture_key,
    possible_paths,
)
from tdvc.formats._label_studio_values import Drawn, Geometry, Size, geometry_of, kind_of, size_of_geometry, values_of
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

TASKS = "tasks.json"
CONFIG = "label_config.xml"

_TAKEN = frozenset(
    ("controls", "from_name", "id", "labels", "meta", "to_name", "type", "value", *KEPT_AS.values(), _carry.KEY)
)
_TAGS = {
    "brushlabels": "BrushLabels",
    "choices": "Choices",
    "datetime": "DateTime",
    "ellipselabels": "EllipseLabels",
    "keypointlabels": "KeyPointLabels",
    "labels": "Labels",
    "number": "Number",
    "polygonlabels": "PolygonLabels",
    "rating": "Rating",
    "rectangle": "Rectangle",
    "rectanglelabels": "RectangleLabels",
    "textarea": "TextArea",
}


def place(record: FileRecord) -> str:
    """Pictures keep their path, below the folder of their split."""
    return f"{record.split}/{record.path}" if record.split else record.path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """The tasks, one a line, then the configuration for the controls they turned out to need."""
    controls: dict[tuple[str, str], str] = {}
    names = {label.key: label.name for label in labels}
    yield WrittenFile(TASKS, _lines(records, names, controls, report))
    yield WrittenFile(CONFIG, _config(labels, controls))


def _lines(
    records: Iterable[FileRecord], names: dict[str, str], controls: dict[tuple[str, str], str], report: Report
) -> Iterator[bytes]:
    yield b"["
    for number, record in enumerate(records):
        task = _Task(record, names, controls, report)
        yield (b",\n" if number else b"\n") + numbers.spell(task.fields())
    yield b"\n]\n"


@dataclass(slots=True)
class _Task:
    """One task in the making."""

    record: FileRecord
    names: dict[str, str]
    controls: dict[tuple[str, str], str]
    report: Report
    written_ids: dict[str, str] = field(default_factory=dict)

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
        key = picture_key(data) or PICTURE
        if self.record.split or self.record.path not in possible_paths(data.get(key)):
            data[key] = place(self.record)
        return data

    def _meta(self, own: dict[str, Any], groups: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        carried = _carry.of_file(self.record, FORMAT)
        carried.pop("complete", None)
        if self.record.complete is not (True if any(map(_is_submitted, groups[ANNOTATIONS])) else None):
            carried["complete"] = self.record.complete
        meta = own.get("meta")
        meta = (meta if isinstance(meta, dict) else {}) | ({_carry.KEY: carried} if carried else {})
        return {"meta": meta} if meta else {}

    def _items(
        self, groups: dict[str, list[dict[str, Any]]], home_of: dict[str, Home]
    ) -> Iterator[tuple[Home, dict[str, Any]]]:
        """Every result with its home: regions, then choices, then the relations between them."""
        tags: dict[tuple[Home, str, str], list[Instance]] = {}
        relations = []
        for instance in self.record.instances:
            home = home_of[instance.instance_id]
            if instance.type == "relation":
                relations.append(instance)
            elif instance.type == "tag":
                tags.setdefault((home, *_choice_key(instance)), []).append(instance)
            else:
                source = source_of(home[0], groups[home[0]][home[1]])
                yield from ((home, item) for item in self._region_items(instance, source))
        for (home, *_), together in tags.items():
            yield home, self._choice_item(together, source_of(home[0], groups[home[0]][home[1]]))
        for instance in relations:
            home = home_of[instance.instance_id]
            yield home, self._relation_item(instance, source_of(home[0], groups[home[0]][home[1]]))

    def _region_items(self, instance: Instance, source: str | None) -> list[dict[str, Any]]:
        try:
            drawn, size = self._drawn(instance)
        except ValueError as error:
            place_, message = printable(self.record.path), f"{instance.type} {error}."
            self.report(Problem("type-not-carried", place_, message, instance.instance_id, dropped_instances=1))
            return []
        own = own_properties(instance)
        self.written_ids[instance.instance_id] = str(own.get("id", instance.instance_id))
        common = self._common(instance, own, size)
        controls = own.get("controls")
        carried = _carried(instance, own, source, said=controls if isinstance(controls, dict) else ())
        if len(drawn) > 1:
            carried["instance_id"] = instance.instance_id
        items = [self._region_item(common, instance, own, value, carried | extra) for value, extra in drawn]
        if len(items) > 1:
            for number, item in enumerate(items[1:], 1):
                item["id"] = f"{item['id']}-{number}"
        return items + _control_items(items[0], own, instance)

    def _drawn(self, instance: Instance) -> tuple[list[tuple[Drawn, dict[str, Any]]], Size]:
        """The values of an instance, each with what has to be carried along with it; and the size they refer to."""
        found = Geometry(instance.type, _carry.parsed(instance.geometry))
        size = size_of_geometry(found, self.record.size)
        values = values_of(found, size)
        if len(values) == 1 and found.type != "keypoints":
            former = own_properties(instance).get("value")
            again = _as_before(former, values[0], found, size)
            return [(again, _true(found, again, size))], size
        parts = [Geometry(found.type, part) for part in _parts(found)]
        return [
            (value, {"part": number} | _true(part, value, size))
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
        return common | self._named(type_, own) | {"type": type_, "value": value} | _meta_of(own, carried)

    def _named(self, type_: str, own: dict[str, Any]) -> dict[str, Any]:
        """The names of the control and of the object of a result; the configuration will have them."""
        from_name = str(own.get("from_name", DEFAULT_NAMES.get(type_, type_)))
        to_name = str(own.get("to_name", PICTURE))
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
            entries = [_carried(tags[0], own, source, said=("text",))]
            value = {"text": text if isinstance(text, list) else [text]}
        else:
            entries = [_carried(tag, own, source, score_said=len(tags) == 1) for tag in tags]
            value = {"choices": [self.names.get(tag.label, tag.label) for tag in tags]}
            for entry, tag in zip(entries[1:], tags[1:], strict=True):
                entry["instance_id"] = tag.instance_id
        carried = {"tags": entries} if any(entries) else {}
        return fields | self._named(type_, own) | _meta_of(own, carried) | {"type": type_, "value": value}

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
        carried = {"instance_id": instance.instance_id} | _carried(instance, own, source)
        return fields | _meta_of(own, carried)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _opened(group: dict[str, Any]) -> dict[str, Any]:
    """A copy of a group, to which results can be added: those that were kept aside are there."""
    aside = group.get("result")
    return group | {"result": list(aside) if isinstance(aside, list) else []}


def _is_submitted(group: dict[str, Any]) -> bool:
    return not is_cancelled(group)


def _choice_key(tag: Instance) -> tuple[str, str]:
    """Tags of one key become one result: those of one control, unless they were results of their own."""
    own = own_properties(tag)
    apart = tag.instance_id if own.get("type") == "textarea" else ""
    return str(own.get("from_name", DEFAULT_NAMES["choices"])), str(own.get("id", apart))


def _carried(
    instance: Instance, own: dict[str, Any], source: str | None, said: Collection[str] = (), score_said: bool = True
) -> dict[str, Any]:
    """What has to be carried of an instance.

    Args:
        instance: the instance.
        own: what Label Studio once said of it.
        source: what its group says its source is.
        said: attributes that are written as results.
        score_said: its score is that of the result.
    """
    carried = _carry.of_instance(instance, FORMAT, without=("source", "score") if score_said else ("source",))
    if "id" not in own:
        carried.pop("instance_id", None)  # is the id of the result
    if instance.source != source:
        carried["source"] = instance.source
    if "attributes" in carried and said:
        rest = {key: value for key, value in _carry.parsed(instance.attributes).items() if key not in said}
        del carried["attributes"]
        carried |= {"attributes": rest} if rest else {}
    return carried


def _meta_of(own: dict[str, Any], carried: dict[str, Any]) -> dict[str, Any]:
    meta = own.get("meta")
    meta = (meta if isinstance(meta, dict) else {}) | ({_carry.KEY: carried} if carried else {})
    return {"meta": meta} if meta else {}


def _true(found: Geometry, drawn: Drawn, size: Size) -> dict[str, Any]:
    """The geometry, to be carried, where the value does not lead back to it."""
    return {} if geometry_of(drawn, size) == found else {"type": found.type, "geometry": found.shape}


def _parts(found: Geometry) -> list[Any]:
    if found.type == "polygon":
        return [[part] for part in found.shape]
    return [found.shape[i : i + 3] for i in range(0, len(found.shape), 3)]


def _as_before(former: Any, drawn: Drawn, found: Geometry, size: Size) -> Drawn:
    """The value as it came, where it still says the same."""
    if not isinstance(former, dict):
        return drawn
    again = Drawn(drawn.kind, former | ({"rle": drawn.value["rle"]} if drawn.kind == "brush" else {}))
    try:
        if geometry_of(again, size) == found:
            return again
    except ValueError:
        pass
    return Drawn(drawn.kind, former | drawn.value)


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
        value = {key: item for key, item in region["value"].items() if key not in (labels, "rle")}
        value[CONTENT_KEYS[type_]] = content
        fields = {key: item for key, item in region.items() if key not in ("meta", "score")}
        items.append(fields | control | {"from_name": name, "type": type_, "value": value})
    return items


def _config(labels: Sequence[LabelRecord], controls: dict[tuple[str, str], str]) -> Iterator[bytes]:
    """The labelling configuration."""
    needed = {from_name: (type_, to_name) for (from_name, to_name), type_ in reversed(controls.items())}
    if not needed:
        needed = {DEFAULT_NAMES["rectanglelabels"]: ("rectanglelabels", PICTURE)}
    lines = ["<View>"]
    lines += [f'  <Image name={_quoted(to)} value="${PICTURE}"/>' for to in sorted({to for _, to in needed.values()})]
    for from_name, (type_, to_name) in sorted(needed.items()):
        if type_ not in _TAGS:
            continue
        head = f"  <{_TAGS[type_]} name={_quoted(from_name)} toName={_quoted(to_name)}"
        if type_ == "choices" or type_.endswith("labels"):
            tag = "Choice" if type_ == "choices" else "Label"
            lines += [
                f"{head}>",
                *(f"    <{tag}{_label_attributes(label)}/>" for label in labels),
                f"  </{_TAGS[type_]}>",
            ]
        else:
            lines.append(f"{head}/>")
    yield "\n".join([*lines, "</View>", ""]).encode()


def _label_attributes(label: LabelRecord) -> str:
    fields = {key: value for key, value in label.fields.items() if _carry.is_text(value) and key.isidentifier()}
    fields["alias" if "value" in fields else "value"] = label.name
    return "".join(f" {key}={_quoted(value)}" for key, value in sorted(fields.items()))


def _quoted(text: str) -> str:
    return quoteattr(printable(text))
