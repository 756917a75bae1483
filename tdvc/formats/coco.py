"""COCO: one JSON file a split, with images, categories and annotations.

Instances (boxes, polygons, both kinds of run-length encoding, crowds), keypoints and captions. Every annotation is kept
as text until it is known what it is, so numbers leave as they came and a large file costs little memory beyond its own.

    bbox [x, y, w, h]         box, where there is no better geometry; corners by exact decimal arithmetic
    segmentation, a list      polygon: each ring a part of one object; COCO has no holes
    segmentation, an object   mask, compressed or not
    keypoints                 keypoints
    caption                   tag labelled `caption`, the text as an attribute

What else an annotation says is kept in its properties under `coco` and written back. A segmentation that breaks its
rules is kept there too, with a warning, and the instance becomes its box.

Source: the COCO data format page, and `maskApi.c` of cocoapi for run lengths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _decimal
from tdvc.formats._coco_writer import place, write
from tdvc.formats._folder import is_file, picture_problem, read_bytes, shortened, unreadable_source
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.ids import DerivedIds
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, check_instance
from tdvc.names import path_problem, printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

NAME = "coco"
TITLE = "COCO"
LOSES: tuple[str, ...] = (
    "geometries other than upright boxes, polygons, masks and keypoints",
    "holes of polygons, which become masks",
    "completeness marks",
    "file ids",
)
TYPES = frozenset({"box", "polygon", "mask", "keypoints"})
KEEPS = frozenset(FIELDS) - {"complete", "file_id"}

MAX_FILE_BYTES = 4 << 30
_SNIFFED_BYTES = 1 << 16
_KINDS = re.compile(r"^(instances|person_keypoints|keypoints|captions|stuff)_(?P<split>.+)$")
_OWN = ("id", "image_id", "category_id", "instance_id", "attributes", "score", "frame", "sequence", "source", "caption")
_PLAIN_NUMBERS = re.compile(rb"[-+0-9.eE,\[\]]+").fullmatch


class _Document(msgspec.Struct):
    """A COCO file, its records as raw text."""

    images: list[msgspec.Raw] = []
    annotations: list[msgspec.Raw] = []
    categories: list[msgspec.Raw] = []


class _Image(msgspec.Struct):
    id: int | str
    file_name: str
    width: int | float | None = None
    height: int | float | None = None


class _Owner(msgspec.Struct):
    image_id: int | str


class _Category(msgspec.Struct):
    id: int | str
    name: str


_documents = msgspec.json.Decoder(_Document)
_images = msgspec.json.Decoder(_Image)
_owners = msgspec.json.Decoder(_Owner)
_categories = msgspec.json.Decoder(_Category)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_rings = msgspec.json.Decoder(list[list[float]])


def detect(source: Path) -> bool:
    """Whether it is a COCO file, or a folder with some in it or in its `annotations`."""
    if source.is_dir():
        return any(map(_sniff, _files_in(source)))
    return source.suffix.lower() == ".json" and is_file(source) and _sniff(source)


def _files_in(folder: Path) -> list[Path]:
    inner = folder / "annotations"
    places = [inner, folder] if inner.is_dir() and not inner.is_symlink() else [folder]
    return [path for place_ in places for path in sorted(place_.glob("*.json")) if is_file(path)]


def _sniff(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_SNIFFED_BYTES)
            file.seek(max(0, path.stat().st_size - _SNIFFED_BYTES))
            ends = head + file.read(_SNIFFED_BYTES)
    except OSError:
        return False
    keys = [key in ends for key in (b'"images"', b'"annotations"', b'"categories"')]
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and sum(keys) >= 2 and b'"file_name"' in ends


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the categories, then the images in the order of each file.

    Raises:
        FormatError: bad-format-file, where no file can be read.
    """
    files = [path for path in _files_in(source) if _sniff(path)] if source.is_dir() else [source]
    if not files:
        raise FormatError("bad-format-file", f"{printable(str(source))} has no COCO file.", source=str(source))
    root = options.images or (source if source.is_dir() else source.parent)
    reader = _Reader(root, report)
    by_split: dict[str, list[Path]] = {}
    for path in files:
        by_split.setdefault(_split_of(path, len(files) == 1), []).append(path)
    parts = {split: [reader.load(path) for path in paths] for split, paths in by_split.items()}
    yield from reader.labels()
    for split, loaded in parts.items():
        yield from reader.records(split, [part for part in loaded if part is not None])


def _split_of(path: Path, alone: bool) -> str:
    found = _KINDS.match(path.stem)
    if found:  # what the writer calls a file of pictures that are in no split
        return "" if found["split"] == "all" else found["split"]
    return "" if alone else path.stem


@dataclass(slots=True)
class _Part:
    """One file of a split: its images in order, and its annotations by image."""

    path: Path
    images: list[tuple[_Image, msgspec.Raw]] = field(default_factory=list)
    annotations: dict[int | str, list[msgspec.Raw]] = field(default_factory=dict)
    names: dict[int | str, str] = field(default_factory=dict)
    labels: dict[bytes, str] = field(default_factory=dict)


class _Reader:
    """Reads the files of a source; problems name the file and the record's place in it."""

    def __init__(self, root: Path, report: Report) -> None:
        self._root = root
        self._report = report
        self._labels: dict[str, LabelRecord] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._taken: set[str] = set()
        self._there: set[str] = set()

    def labels(self) -> Iterator[LabelRecord]:
        """Every category once, in the order of the files."""
        yield from self._labels.values()

    def load(self, path: Path) -> _Part | None:
        """Read one file; None, and a problem, where that is not possible."""
        try:
            content = read_bytes(path, MAX_FILE_BYTES).removeprefix(b"\xef\xbb\xbf")
            document = _documents.decode(content)
        except OSError as error:
            raise unreadable_source(path, error) from error
        except (ValueError, RecursionError) as error:
            raise FormatError(
                "bad-format-file", f"{printable(path.name)} is not COCO: {error}.", path=path.name
            ) from error
        part = _Part(path)
        self._load_categories(part, document)
        self._load_images(part, document)
        self._load_annotations(part, document)
        return part

    def _load_categories(self, part: _Part, document: _Document) -> None:
        for raw in document.categories:
            try:
                category = _categories.decode(raw)
                fields = numbers.parse(bytes(raw))
            except ValueError as error:
                self._report(Problem("record-unreadable", f"{part.path.name}: categories", f"{error}."))
                continue
            if category.id in part.names or category.name in part.names.values():
                message = f"Category {category.name!r} is there more than once; one label stands for all."
                self._report(Problem("duplicate-class", printable(part.path.name), message, severity="warning"))
            part.names[category.id] = category.name
            part.labels[msgspec.json.encode(category.id)] = category.name
            known = self._labels.get(category.name)
            index = known.index if known else len(self._labels)
            kept = {key: value for key, value in fields.items() if key != "name"}
            self._labels[category.name] = LabelRecord(
                category.name, category.name, index, known.fields if known else kept
            )

    def _load_images(self, part: _Part, document: _Document) -> None:
        ids: set[int | str] = set()
        for position, raw in enumerate(document.images):
            place_ = f"{printable(part.path.name)}: images[{position}]"
            try:
                image = _images.decode(raw)
            except ValueError as error:
                self._report(Problem("record-unreadable", place_, f"{error}.", dropped_files=1))
                continue
            if image.id in ids:
                message = f"Image id {image.id} is used twice."
                self._report(Problem("duplicate-path", place_, message, dropped_files=1))
                continue
            ids.add(image.id)
            part.images.append((image, raw))

    def _load_annotations(self, part: _Part, document: _Document) -> None:
        known = {image.id for image, _ in part.images}
        for position, raw in enumerate(document.annotations):
            try:
                owner = _owners.decode(raw).image_id
            except ValueError as error:
                self._lose(part, position, "record-unreadable", f"{error}.")
                continue
            if owner in known:
                part.annotations.setdefault(owner, []).append(raw)
            else:
                self._lose(part, position, "record-unreadable", f"It belongs to image {owner}, which is not there.")

    def _lose(self, part: _Part, position: int, code: str, message: str) -> None:
        place_ = f"{printable(part.path.name)}: annotations[{position}]"
        self._report(Problem(code, place_, message, dropped_instances=1))

    def records(self, split: str, parts: list[_Part]) -> Iterator[FileRecord]:
        """The images of a split, the annotations of all its files together."""
        others: dict[str, list[tuple[_Part, int | str]]] = {}
        for part in parts[1:]:
            for image, _ in part.images:
                others.setdefault(image.file_name, []).append((part, image.id))
        first = {image.file_name for image, _ in parts[0].images} if parts else set()
        for number, part in enumerate(parts):
            for image, raw in part.images:
                if number and image.file_name in first:
                    continue
                first.add(image.file_name)
                owners = [
                    (part, image.id),
                    *(other for other in others.get(image.file_name, []) if other[0] is not part),
                ]
                record = self._record(split, image, raw, owners)
                if record is not None:
                    yield record

    def _record(
        self, split: str, image: _Image, raw: msgspec.Raw, owners: list[tuple[_Part, int | str]]
    ) -> FileRecord | None:
        count = sum(len(part.annotations.get(owner, ())) for part, owner in owners)
        name = image.file_name.replace("\\", "/").removeprefix("./")
        place_ = printable(name)
        if problem := path_problem(name):
            self._report(
                Problem("unsafe-path", place_, f"The name {problem}.", dropped_files=1, dropped_instances=count)
            )
            return None
        path, refusal = self._find(name, split)
        if refusal is None and path in self._taken:
            refusal = ("duplicate-path", "is named by more than one image")
        if refusal is not None:
            message = f"The picture {refusal[1]}."
            self._report(Problem(refusal[0], place_, message, dropped_files=1, dropped_instances=count))
            return None
        self._taken.add(path)
        ids = DerivedIds("instance", NAME.encode(), path.encode())
        instances = [
            instance
            for part, owner in owners
            for annotation in part.annotations.get(owner, ())
            if (instance := self._instance(part, path, ids, annotation)) is not None
        ]
        return FileRecord(
            path=path,
            source=self._root / path if path in self._there else None,
            instances=_unique(instances, place_, self._report),
            properties=_image_properties(raw, split),
            size=_size(image),
        )

    def _find(self, name: str, split: str) -> tuple[str, tuple[str, str] | None]:
        """Where the picture is below the root; its own name where it is nowhere."""
        places = [f"{split}/", f"images/{split}/"] if split else []
        for folder in ("", "images/", *places):
            if "/" not in name and name not in self._names_in(folder):
                continue
            problem = picture_problem(self._root, folder + name)
            if problem is None:
                self._there.add(folder + name)
                return folder + name, None
            if problem[0] != "picture-missing":
                return name, problem
        return name, None

    def _names_in(self, folder: str) -> frozenset[str]:
        """What is in a folder, listed once: a look at each of four places for each picture would be slow."""
        names = self._listed.get(folder)
        if names is None:
            try:
                names = frozenset(os.listdir(self._root / folder))
            except OSError:
                names = frozenset()
            self._listed[folder] = names
        return names

    def _instance(self, part: _Part, path: str, ids: DerivedIds, raw: msgspec.Raw) -> Instance | None:
        try:
            common = _common_polygon(raw, ids, part.labels)
            if common is not None:
                return common
            return _annotation(raw, ids, part.labels, lambda message: self._warn(path, message))
        except (SchemaError, ValueError) as error:
            text = error.message if isinstance(error, SchemaError) else f"{error}."
            message = f"Annotation {shortened(_id_text(raw))}: {text}"
            self._report(Problem("instance-invalid", printable(path), message, dropped_instances=1))
            return None

    def _warn(self, path: str, message: str) -> None:
        self._report(Problem("geometry-kept-aside", printable(path), message, severity="warning"))


def _id_text(raw: msgspec.Raw) -> str:
    try:
        return bytes(_fields.decode(raw).get("id", b"?")).decode()
    except ValueError:
        return "?"


def _size(image: _Image) -> tuple[int, int] | None:
    if not image.width or not image.height or image.width < 1 or image.height < 1:
        return None
    return int(image.width), int(image.height)


def _image_properties(raw: msgspec.Raw, split: str) -> dict[str, Any]:
    fields = numbers.parse(bytes(raw))
    own = fields.pop("properties", None)
    fields.pop("file_name", None)
    properties: dict[str, Any] = dict(own) if isinstance(own, dict) else {}
    properties["coco"] = fields
    if split:
        properties["splits"] = [split]
    return properties


def _unique(instances: list[Instance], place_: str, report: Report) -> list[Instance]:
    kept: dict[str, Instance] = {}
    for instance in instances:
        if instance.instance_id in kept:
            message = "Two annotations of the picture have one id."
            report(Problem("duplicate-instance", place_, message, instance=instance.instance_id, dropped_instances=1))
        else:
            kept[instance.instance_id] = instance
    return list(kept.values())


class _Common(msgspec.Struct, forbid_unknown_fields=True):
    """An annotation with a polygon and nothing but the usual fields, as nearly all of them are."""

    id: msgspec.Raw
    image_id: msgspec.Raw
    category_id: msgspec.Raw
    segmentation: msgspec.Raw
    area: msgspec.Raw
    bbox: msgspec.Raw
    iscrowd: msgspec.Raw


_commons = msgspec.json.Decoder(_Common)


def _common_polygon(raw: msgspec.Raw, ids: DerivedIds, names: dict[bytes, str]) -> Instance | None:
    """What `_annotation` makes of a usual annotation, in a third of the time; None for every other one."""
    try:
        found = _commons.decode(raw)
    except msgspec.ValidationError:
        return None
    identity, text = bytes(found.id), bytes(found.segmentation)
    label = names.get(bytes(found.category_id))
    shape = _polygon(text) if text.startswith(b"[[") else None
    said = b"%b,%b,%b,%b" % (found.area, found.bbox, identity, found.iscrowd)
    if shape is None or label is None or not _PLAIN_NUMBERS(said):
        return None
    properties = b'{"coco":{"area":%b,"bbox":%b,"id":%b,"iscrowd":%b}}'
    return Instance(
        geometry=msgspec.Raw(shape[1]),
        instance_id=ids.make(identity).hex(),
        label=label,
        properties=msgspec.Raw(properties % (found.area, found.bbox, identity, found.iscrowd)),
        type="polygon",
    )


def _annotation(raw: msgspec.Raw, ids: DerivedIds, names: dict[bytes, str], warn: Any) -> Instance:
    """An annotation as an instance. Raises SchemaError, ValueError."""
    kept: dict[str, bytes] = {}
    own: dict[str, bytes] = {}
    for key, value in _fields.decode(raw).items():
        text = bytes(value)
        if text != b"null":
            (own if key in _OWN else kept)[key] = text
    kind, geometry = _geometry(kept, warn)
    values: dict[str, Any] = {}
    if "caption" in own:
        kind, geometry = "tag", None
        values["attributes"] = msgspec.Raw(b'{"caption":' + _canonical(own["caption"]) + b"}")
    if geometry is not None:
        values["geometry"] = msgspec.Raw(geometry)
    for name in ("attributes", "score"):
        if own.get(name, b"{}") != b"{}":
            values[name] = msgspec.Raw(_canonical(own[name]))
    for name, type_ in (("sequence", str), ("source", str), ("frame", int)):
        if name in own:
            values[name] = msgspec.json.decode(own[name], type=type_)
    if "id" in own:
        kept["id"] = own["id"]
    if kept:
        values["properties"] = msgspec.Raw(_spelled(kept))
    instance = Instance(instance_id=_identity(own, kept, ids), label=_label(own, names), type=kind, **values)
    return instance if kind == "polygon" else check_instance(instance)


def _identity(own: dict[str, bytes], kept: dict[str, bytes], ids: DerivedIds) -> str:
    if "instance_id" in own:
        text = own["instance_id"].strip(b'"').decode(errors="replace")
        if len(text) == 32 and not text.strip("0123456789abcdef"):
            return text
    return ids.make(own.get("id") or repr(sorted((own | kept).items())).encode()).hex()


def _label(own: dict[str, bytes], names: dict[bytes, str]) -> str:
    if "caption" in own:
        return "caption"
    identity = own.get("category_id", b"none")
    return names.get(identity) or f"category {identity.decode(errors='replace')}"


def _spelled(kept: dict[str, bytes]) -> bytes:
    inner = b",".join([msgspec.json.encode(key) + b":" + _canonical(kept[key]) for key in sorted(kept)])
    return b'{"coco":{' + inner + b"}}"


def _canonical(text: bytes) -> bytes:
    return text if _PLAIN_NUMBERS(text) else numbers.canonical(text)


def _geometry(kept: dict[str, bytes], warn: Any) -> tuple[str, bytes | None]:
    """The spatial type and geometry; what became the geometry is taken out of `kept`."""
    points = kept.get("keypoints", b"[]")
    if points != b"[]":
        del kept["keypoints"]
        return "keypoints", numbers.canonical(points)
    segmentation = kept.get("segmentation", b"[]")
    if segmentation in (b"[]", b"[[]]"):
        kept.pop("segmentation", None)
    else:
        found = _polygon(segmentation) if segmentation.startswith(b"[") else _mask(segmentation)
        if found is not None:
            del kept["segmentation"]
            return found
        warn("A segmentation that breaks its rules is kept as a property; the instance becomes its box.")
    if "bbox" not in kept:
        return "tag", None
    return "box", _corners(kept.pop("bbox"))


def _polygon(text: bytes) -> tuple[str, bytes] | None:
    compact = text.translate(None, b" \t\r\n")
    try:
        rings = _rings.decode(compact)
    except ValueError:
        return None
    for ring in rings:
        if len(ring) < 6 or len(ring) % 2 or not -1e9 < min(ring) <= max(ring) < 1e9:
            return None
    return "polygon", b"[[" + compact[1:-1].replace(b"],[", b"]],[[") + b"]]"


def _mask(text: bytes) -> tuple[str, bytes] | None:
    from tdvc.model import masks  # noqa: PLC0415 (numpy, for the few annotations that are masks)

    try:
        fields = numbers.parse(text)
        height, width = (int(numbers.plain(side)) for side in fields["size"])
        if isinstance(fields["counts"], list):
            runs = [int(numbers.plain(run)) for run in fields["counts"]]
            fields = masks.from_runs(runs, height, width)
        else:
            masks.runs({"counts": str(fields["counts"]), "size": [height, width]})
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, SchemaError):
        return None
    return "mask", numbers.spell({"counts": fields["counts"], "size": [height, width]})


def _corners(text: bytes) -> bytes:
    try:
        x, y, width, height = numbers.parse(text)
        far_x, far_y = _decimal.add(x, width), _decimal.add(y, height)
    except (ValueError, TypeError) as error:
        raise ValueError(f"bbox {text[:60].decode(errors='replace')} is not four numbers") from error
    return numbers.spell([x, y, far_x, far_y])
