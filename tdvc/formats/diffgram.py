"""Diffgram: the JSON of an export, with labels, attribute groups and a packet for every file under its id.

    {"readme": {...}, "label_map": {"12": "Dog"}, "label_colour_map": {...}, "export_info": {...},
     "attribute_groups_reference": [...], "901": {"file": {...}, "image": {...}, "instance_list": [...]}, ...}

Files of images, texts and videos are read, those of a compound file one by one. A label goes by its name and keeps its
id. Types that tdvc does not have (those of maps and of three dimensions) are kept in the properties of a `tag` and go
back as they came. The addresses in an export are never opened; pictures are looked for by `original_filename`, which
several files of an export may share: then only the first can be told.

Source: diffgram `shared/export/export_generation.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _carry, _diffgram_shapes
from tdvc.formats._diffgram_attributes import groups_of, plain_id, read_attributes
from tdvc.formats._diffgram_writer import FILE_NAME, NAME, place, write
from tdvc.formats._folder import ignore, is_file, listing, shortened
from tdvc.formats._json import ends_of, parse_strictly, read_json
from tdvc.formats._lookup import clean_name, find_picture
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number, whole
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import printable

__all__ = ["FILE_NAME", "KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

TITLE = "Diffgram export"
LOSES: tuple[str, ...] = (
    "turned boxes",
    "masks",
    "holes of polygons",
    "lines of more than two points",
    "settings of attribute groups, such as prompts, defaults and options that are not used",
    "which files belong to one compound file",
)
TYPES = frozenset({*_diffgram_shapes.KINDS.values(), "relation"})
KEEPS = frozenset(FIELDS) - {"file_id"}

MAX_FILE_BYTES = 1 << 30
_ABSENT = ("id", "type", "attribute_groups", _carry.KEY)
_OF_PACKET = ("instance_list", "parent_instance_list", _carry.KEY)


@dataclass(slots=True)
class _Export:
    """What holds for all files of an export.

    Attributes:
        place: the name of the file, printable.
        root: where pictures are looked for.
        report: who hears what is wrong.
        labels: names by id, as text.
        groups: names and kinds of attribute groups by id, as text.
        taken: paths that a file has already.
    """

    place: str
    root: Path
    report: Report
    labels: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, str]] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def detect(source: Path) -> bool:
    """Whether it is an export, or a folder with one."""
    if source.is_dir():
        return any(map(_sniff, _files_in(source)))
    return source.suffix.lower() == ".json" and is_file(source) and _sniff(source)


def _files_in(folder: Path) -> list[Path]:
    try:
        return [folder / path for path in listing(folder, "", ignore)[0] if path.lower().endswith(".json")]
    except FormatError:
        return []


def _sniff(path: Path) -> bool:
    ends = ends_of(path)
    return ends.startswith(b"{") and b'"label_map"' in ends and b'"export_info"' in ends


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the labels by id, then the files in the order of each export.

    Raises:
        FormatError: bad-format-file, where an export can't be read.
    """
    paths = [path for path in _files_in(source) if _sniff(path)] if source.is_dir() else [source]
    if not paths:
        raise FormatError("bad-format-file", f"{printable(str(source))} has no export.", source=str(source))
    root = options.images or (source if source.is_dir() else source.parent)
    taken: set[str] = set()
    known: dict[str, LabelRecord] = {}
    parts = []
    for path in paths:
        document = _document(path)
        export = _Export(printable(path.name), root, report, taken=taken)
        export.groups = groups_of(document.get("attribute_groups_reference"))
        _take_labels(export, document, known)
        parts.append((export, document))
    yield from known.values()
    for export, document in parts:
        for identity, packet in document.items():
            if isinstance(_id(identity), Number):
                yield from _files(export, identity, packet)


def _document(path: Path) -> dict[str, Any]:
    document = read_json(path, MAX_FILE_BYTES, parse_strictly)
    if not isinstance(document, dict) or not isinstance(document.get("label_map"), dict):
        raise FormatError("bad-format-file", f"{printable(path.name)} has no label_map.", path=path.name)
    return document


def _take_labels(export: _Export, document: dict[str, Any], known: dict[str, LabelRecord]) -> None:
    colors = document.get("label_colour_map")
    for identity, name in sorted(
        document["label_map"].items(), key=lambda item: (plain_id(_id(item[0])) or 0, item[0])
    ):
        if not _carry.is_text(name) or not name:
            export.report(
                Problem("record-unreadable", f"{export.place}: label_map", f"Label {identity!r} has no name.")
            )
            continue
        if name in export.labels.values():
            message = f"The label {shortened(name)} is there more than once; one label stands for all."
            export.report(Problem("duplicate-class", f"{export.place}: label_map", message, severity="warning"))
        export.labels[identity] = name
        fields: dict[str, Any] = {"id": _id(identity)}
        if isinstance(colors, dict) and colors.get(identity) is not None:
            fields["colour"] = colors[identity]
        known.setdefault(name, LabelRecord(name, name, len(known), fields))


def _id(text: str) -> Any:
    return Number(text) if str(whole(text)) == text else text


def _files(export: _Export, identity: str, packet: Any) -> Iterator[FileRecord]:
    """The file of a packet, or those of a compound file."""
    file = packet.get("file") if isinstance(packet, dict) else None
    if not isinstance(file, dict):
        message = "The packet has no file."
        export.report(Problem("record-unreadable", f"{export.place}: {identity}", message, dropped_files=1))
        return
    children = {key: value for key, value in packet.items() if key.isdigit()}
    if file.get("type") == "compound" or children:
        for key, child in children.items():
            yield from _files(export, key, child)
        return
    record = _record(export, identity, packet, file)
    if record is not None:
        yield record


def _record(export: _Export, identity: str, packet: dict[str, Any], file: dict[str, Any]) -> FileRecord | None:
    listed = list(_listed(packet))
    where = f"{export.place}: {identity}"
    name = file.get("original_filename")
    problem = None
    if not _carry.is_text(name) or not name:
        problem = ("record-unreadable", "has no original_filename")
    found = find_picture(export.root, clean_name(str(name)))
    problem = problem or found.refusal
    if problem is None and found.path in export.taken:
        problem = ("duplicate-path", "has the name of an earlier file")
    if problem is not None:
        message = f"The file {problem[1]}."
        export.report(Problem(problem[0], where, message, dropped_files=1, dropped_instances=len(listed)))
        return None
    export.taken.add(found.path)
    carried = _carry.for_file(packet.get(_carry.KEY))
    kept: dict[str, Any] = {key: value for key, value in packet.items() if key not in _OF_PACKET}
    kept["file"] = {key: file[key] for key in file if key not in ("original_filename", "ann_is_complete")}
    if "sequence_list" in kept:
        kept["sequence_list"] = [_without(sequence, "instance_list") for sequence in _list(kept["sequence_list"])]
    split = _carry.split_in(packet.get(_carry.KEY))
    properties = {**carried.get("properties", {}), NAME: kept} | ({"splits": [split]} if split else {})
    complete = file.get("ann_is_complete")
    instances = _Instances(export, where, found.path).read(listed)
    image = packet.get("image") or packet.get("video")
    return FileRecord(
        path=found.path,
        source=found.source,
        instances=instances,
        properties=properties,
        complete=complete if isinstance(complete, bool) else None,
        size=_size(image),
    )


def _size(image: Any) -> tuple[int, int] | None:
    sides = [plain_id(image.get(side)) for side in ("width", "height")] if isinstance(image, dict) else [None]
    return (sides[0], sides[1]) if len(sides) == 2 and sides[0] and sides[1] else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _without(value: Any, name: str) -> Any:
    return {key: inner for key, inner in value.items() if key != name} if isinstance(value, dict) else value


def _listed(packet: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The instances of a packet, each with the sequence it is in."""
    for name in ("instance_list", "parent_instance_list"):
        for fields in _list(packet.get(name)):
            yield fields, {}
    for sequence in _list(packet.get("sequence_list")):
        for fields in _list(sequence.get("instance_list")) if isinstance(sequence, dict) else ():
            yield fields, sequence


class _Instances:
    """Reads the instances of one file."""

    def __init__(self, export: _Export, where: str, path: str) -> None:
        self._export = export
        self._where = where
        self._path = path
        self._found: dict[str, Instance] = {}
        self._by_id: dict[Any, str] = {}

    def read(self, listed: list[tuple[Any, dict[str, Any]]]) -> list[Instance]:
        """All of them; relations last, because they need to know the others."""
        ordered = sorted(enumerate(listed), key=lambda item: _kind(item[1][0]) == "relation")
        for position, (fields, sequence) in ordered:
            try:
                instance = self._instance(position, fields, sequence)
            except (SchemaError, ValueError) as error:
                reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
                message = f"Instance {position}: {reason}."
                self._report(Problem("instance-invalid", self._where, message, str(position), dropped_instances=1))
                continue
            self._found[instance.instance_id] = instance
            if isinstance(fields.get("id"), Number):
                self._by_id.setdefault(fields["id"], instance.instance_id)
        return list(self._found.values())

    def _report(self, problem: Problem) -> None:
        self._export.report(problem)

    def _instance(self, position: int, fields: Any, sequence: dict[str, Any]) -> Instance:
        kind = _kind(fields)
        if not kind:
            raise ValueError("it has no type")
        if fields.get("change_type") == "deleted" or fields.get("soft_delete") is True:
            raise ValueError("it was deleted in Diffgram")
        raw = fields.get(_carry.KEY)
        carried = raw if isinstance(raw, dict) else {}
        values = _carry.for_instance(carried)
        kept = {key: value for key, value in fields.items() if key not in _ABSENT and value is not None}
        values["label"] = self._label(kind, fields, sequence, carried)
        values["type"], values["geometry"] = self._geometry(kind, fields, carried, kept)
        attributes, groups = read_attributes(fields.get("attribute_groups"), self._export.groups)
        unsaid = values.get("attributes")
        values["attributes"] = attributes | (unsaid if isinstance(unsaid, dict) else {})
        if groups:
            kept["attributes"] = groups
        if "id" in fields:
            kept["id"] = fields["id"]
        if kept.get("label_file_id") in (_id_of(self._export, values["label"]), sequence.get("label_file_id")):
            kept.pop("label_file_id", None)
        values |= self._time(kept, sequence)
        own = values.get("properties")
        values["properties"] = (own if isinstance(own, dict) else {}) | ({NAME: kept} if kept else {})
        values["instance_id"] = self._identity(values.get("instance_id"), fields, position)
        return make_instance(values)

    def _identity(self, own: Any, fields: dict[str, Any], position: int) -> str:
        derived = [derived_instance_id(NAME, self._path, "position", str(position))]
        if isinstance(fields.get("id"), Number):
            derived.insert(0, derived_instance_id(NAME, self._path, str(fields["id"])))
        return next(str(one) for one in (own, *derived) if _carry.is_text(one) and one not in self._found)

    def _label(self, kind: str, fields: dict[str, Any], sequence: dict[str, Any], carried: dict[str, Any]) -> str:
        identity = fields.get("label_file_id") or sequence.get("label_file_id")
        if _carry.is_text(carried.get("label")):
            return str(carried["label"])
        if identity is None:
            return kind
        return self._export.labels.get(str(identity), f"label {identity}")

    def _time(self, kept: dict[str, Any], sequence: dict[str, Any]) -> dict[str, Any]:
        """The frame and sequence of an instance of a video."""
        values: dict[str, Any] = {}
        frame = plain_id(kept.get("frame_number"))
        if frame is not None:
            values["frame"] = frame
            del kept["frame_number"]
        if sequence:
            number = sequence.get("id", sequence.get("number"))
            values["sequence"] = str(number)
        return values

    def _geometry(
        self, kind: str, fields: dict[str, Any], carried: dict[str, Any], kept: dict[str, Any]
    ) -> tuple[str, Any]:
        """The spatial type and geometry; what the geometry says again is taken out of `kept`."""
        try:
            if kind == "relation":
                return "relation", self._ends(fields, carried, kept)
            type_, geometry = _diffgram_shapes.geometry_of(kind, fields)
        except _diffgram_shapes.UnknownGeometry as error:
            message = f"An instance {error}."
            self._report(Problem("geometry-kept-aside", self._where, message, severity="warning"))
            kept["type"] = kind
            return "tag", None
        if kind == "global":
            kept["type"] = kind
        if "geometry" in carried and _is_drawn_as(type_, carried["geometry"], fields):
            geometry = carried["geometry"]
        _forget(kind, type_, geometry, fields, kept)
        return type_, geometry

    def _ends(self, fields: dict[str, Any], carried: dict[str, Any], kept: dict[str, Any]) -> Any:
        names = ("from_instance_id", "to_instance_id")
        ends = [self._by_id.get(fields.get(name)) for name in names]
        if None not in ends:
            for name in names:
                kept.pop(name)
            return ends
        if "geometry" in carried and all(fields.get(name) is None for name in names):
            return carried["geometry"]
        raise _diffgram_shapes.UnknownGeometry("is a relation to an instance that the export does not have")


def _kind(fields: Any) -> str:
    kind = fields.get("type") if isinstance(fields, dict) else None
    return str(kind) if _carry.is_text(kind) else ""


def _id_of(export: _Export, label: str) -> Any:
    """The id that the writer will give a label: that of its first entry."""
    return next((_id(identity) for identity, name in export.labels.items() if name == label), None)


def _is_drawn_as(type_: str, geometry: Any, fields: dict[str, Any]) -> bool:
    """Whether a carried geometry is still what the drawn one was made from."""
    try:
        kind, drawn = _diffgram_shapes.drawn(type_, geometry)
        return bool(_diffgram_shapes.geometry_of(kind, drawn) == _diffgram_shapes.geometry_of(kind, fields))
    except (ValueError, TypeError, KeyError, IndexError):
        return False


def _forget(kind: str, type_: str, geometry: Any, fields: dict[str, Any], kept: dict[str, Any]) -> None:
    """Take out of `kept` what the writer makes again: the fields of the geometry where they would be the same."""
    _, drawn = _diffgram_shapes.drawn(type_, geometry) if type_ != "tag" else (kind, {})
    for name in _diffgram_shapes.FIELDS[kind]:
        if fields.get(name) == drawn.get(name):
            kept.pop(name, None)
    for name in _diffgram_shapes.BOUNDS:
        kept.pop(name, None)
