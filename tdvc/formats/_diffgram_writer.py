"""Writing Diffgram's export: `diffgram.json`, and the pictures under `images/`.

Files and labels keep the ids they had where they came from Diffgram and are still unique. What Diffgram has no word
for, such as scores and the ids of instances, is carried in a field `tdvc`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tdvc.formats import _carry, _diffgram_shapes
from tdvc.formats._diffgram_attributes import Groups, plain_id
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

NAME = "diffgram"
FILE_NAME = "diffgram.json"


def place(record: FileRecord) -> str:
    """Below `images`, by split."""
    return f"images/{_inner(record)}"


def _inner(record: FileRecord) -> str:
    path = record.path.removeprefix("images/")
    return f"{record.split}/{path.removeprefix(f'{record.split}/')}" if record.split else path


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One file, written as the records pass."""
    yield WrittenFile(FILE_NAME, _Writer(labels, report).pieces(records))


class _Ids:
    """Ids that are wanted where they are free, and numbers that follow on."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._next = 1

    def give(self, wanted: Any) -> Number:
        number = plain_id(wanted)
        if number is None or number in self._taken:
            while self._next in self._taken:
                self._next += 1
            number = self._next
        self._taken.add(number)
        return Number(number)


class _Writer:
    """One export on its way."""

    def __init__(self, labels: Sequence[LabelRecord], report: Report) -> None:
        self._labels = labels
        self._report = report
        self._files = _Ids()
        self._groups = Groups()
        ids = _Ids()
        given = [label for label in labels if plain_id(label.fields.get("id")) is not None]
        others = [label for label in labels if plain_id(label.fields.get("id")) is None]
        self._label_ids = {label.key: ids.give(label.fields.get("id")) for label in given + others}

    def pieces(self, records: Iterable[FileRecord]) -> Iterator[bytes]:
        """The file, record by record."""
        yield b'{"readme":{},"label_map":' + numbers.spell(
            {str(self._label_ids[label.key]): label.name for label in self._labels}
        )
        colors = {
            str(self._label_ids[label.key]): label.fields["colour"]
            for label in self._labels
            if "colour" in label.fields
        }
        yield b',\n"label_colour_map":' + numbers.spell(colors)
        count = 0
        for record in records:
            packet = self._packet(record)
            identity = packet["file"]["id"]
            yield b',\n"%s":' % identity.encode() + numbers.spell(packet)
            count += 1
        yield b',\n"attribute_groups_reference":' + numbers.spell(self._groups.reference())
        info = {"export_format_version": "1.0", "kind": "Annotations", "masks": False, "file_list_length": count}
        yield b',\n"export_info":' + numbers.spell(info) + b"}\n"

    def _packet(self, record: FileRecord) -> dict[str, Any]:
        kept = record.properties.get(NAME)
        packet: dict[str, Any] = dict(kept) if isinstance(kept, dict) else {}
        file = dict(packet.get("file") or {}) if isinstance(packet.get("file"), dict) else {}
        file |= {"id": self._files.give(file.get("id")), "original_filename": _inner(record)}
        file |= {"ann_is_complete": record.complete, "type": file.get("type", "image")}
        packet["file"] = file
        if record.size and file["type"] == "image":
            image = packet.get("image")
            packet["image"] = (dict(image) if isinstance(image, dict) else {}) | dict(
                zip(("width", "height"), record.size, strict=True)
            )
        carried = _carry.of_file(record, NAME)
        for name in ("complete", "file_id"):
            carried.pop(name, None)
        if carried:
            packet[_carry.KEY] = carried
        written = self._instances(record)
        if file["type"] == "video":
            packet |= _sequences(written, packet.pop("sequence_list", None))
        else:
            packet["instance_list"] = [fields for _, fields in written]
        return packet

    def _instances(self, record: FileRecord) -> list[tuple[Instance, dict[str, Any]]]:
        ids = _Ids()
        ends = {end for one in record.instances if one.type == "relation" for end in _carry.parsed(one.geometry)}
        identities: dict[str, Number] = {}
        for instance in record.instances:
            own = _own(instance)
            if "id" in own or instance.instance_id in ends:
                identities[instance.instance_id] = ids.give(own.get("id"))
        written = []
        for instance in record.instances:
            try:
                written.append((instance, self._instance(instance, identities)))
            except ValueError as error:
                where, message = printable(record.path), f"The {instance.type} {error}."
                self._report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))
        return written

    def _instance(self, instance: Instance, identities: dict[str, Number]) -> dict[str, Any]:
        kept = _own(instance)
        carried = _carry.of_instance(instance, NAME, without=("attributes",))
        if carried.get("source") == "import":
            del carried["source"]
        values, unsaid = self._groups.write(_carry.parsed(instance.attributes), kept.pop("attributes", None))
        if unsaid:
            carried["attributes"] = unsaid
        leads = _relation if instance.type == "relation" else _figure
        fields = leads(instance, kept, identities, carried)
        fields["attribute_groups"] = values
        if instance.instance_id in identities:
            fields["id"] = identities[instance.instance_id]
        fields.setdefault("label_file_id", self._label_ids.get(instance.label))
        if instance.frame is not None:
            fields["frame_number"] = Number(instance.frame)
        own_id = self._label_ids.get(instance.label)
        if fields["label_file_id"] != own_id or (own_id is None and instance.label != fields["type"]):
            carried["label"] = instance.label
        return fields | ({_carry.KEY: carried} if carried else {})


def _own(instance: Instance) -> dict[str, Any]:
    kept = _carry.parsed(instance.properties).get(NAME)
    return dict(kept) if isinstance(kept, dict) else {}


def _figure(instance: Instance, kept: dict[str, Any], _: dict[str, Number], carried: dict[str, Any]) -> dict[str, Any]:
    """The fields of a geometry: as they came while they still lead to it."""
    geometry = _carry.parsed(instance.geometry)
    if instance.type == "tag":
        return kept | {"type": kept.get("type", "tag")}
    kind, fields = _diffgram_shapes.drawn(instance.type, geometry)
    came = {name: kept.pop(name) for name in _diffgram_shapes.FIELDS[kind] if name in kept}
    if came and _leads_to(kind, fields | came, geometry):
        fields |= came
    if not _leads_to(kind, fields, geometry):
        carried["geometry"] = geometry
    if instance.type == "polygon" and instance.bounding_box:
        fields |= _diffgram_shapes.bounds(instance.bounding_box)
    return kept | fields | {"type": kind}


def _leads_to(kind: str, fields: dict[str, Any], geometry: Any) -> bool:
    try:
        return bool(_diffgram_shapes.geometry_of(kind, fields)[1] == geometry)
    except ValueError:
        return False


def _relation(
    instance: Instance, kept: dict[str, Any], identities: dict[str, Number], carried: dict[str, Any]
) -> dict[str, Any]:
    ends = _carry.parsed(instance.geometry)
    fields = {"type": "relation"}
    if all(end in identities for end in ends):
        fields |= {"from_instance_id": identities[ends[0]], "to_instance_id": identities[ends[1]]}
    else:
        carried["geometry"] = ends
    return kept | fields


def _sequences(written: list[tuple[Instance, dict[str, Any]]], former: Any) -> dict[str, Any]:
    """The instances of a video: by sequence, and those of none."""
    known = {str(sequence.get("id")): sequence for sequence in former if isinstance(sequence, dict)} if former else {}
    sequences: dict[str, dict[str, Any]] = {}
    parents = []
    ids = _Ids()
    for instance, fields in written:
        if instance.sequence is None:
            parents.append(fields)
            continue
        sequence = sequences.get(instance.sequence)
        if sequence is None:
            came = known.get(instance.sequence, {"label_file_id": fields["label_file_id"]})
            wanted = Number(instance.sequence) if instance.sequence.isdecimal() else None
            sequence = came | {"id": ids.give(wanted), "instance_list": []}
            sequences[instance.sequence] = sequence
        carried = fields.get(_carry.KEY, {})
        if carried.get("sequence") == str(sequence["id"]):
            del carried["sequence"]
        sequence["instance_list"].append(fields)
    return {"parent_instance_list": parents, "sequence_list": list(sequences.values())}
