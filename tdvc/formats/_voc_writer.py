"""Writing Pascal VOC: `Annotations/<name>.xml`, the pictures under `JPEGImages`, masks, and the lists of the splits.

Corners are written as they are spelled. What a file or object said when it came is written back in VOC's order; what
VOC has no word for goes into an element `tdvc`, which other tools pass over. Objects that came from VOC stand where
they stood, so their ids need not be written: the reader derives them from the picture and the position.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tdvc.formats import _carry, _xml
from tdvc.formats._voc_masks_writer import Drawing, MaskWriter
from tdvc.formats._voc_words import (
    ATTRIBUTES,
    CLASS_VOID,
    CORNERS,
    IMPORTED,
    LISTS,
    MASKS,
    NAME,
    OBJECT_VOID,
    PICTURES,
    clean,
    element,
    heard,
    is_listable,
    spelled,
    spoken,
)
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id
from tdvc.names import printable

_FILE_ORDER = ("folder", "filename", "path", "source", "owner", "size", "segmented")
_OBJECT_ORDER = ("name", "pose", "truncated", "difficult", "occluded", "bndbox")
_ORDER = (*_FILE_ORDER, *_OBJECT_ORDER, "database", "annotation", "width", "height", "depth", *CORNERS)
_OF_MASKS = (OBJECT_VOID, CLASS_VOID)


def place(record: FileRecord) -> str:
    """Below `JPEGImages`, where a picture that came from there is already."""
    return f"{PICTURES}/{_inner(record)}"


def _inner(record: FileRecord) -> str:
    return record.path.removeprefix(f"{PICTURES}/")


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """One XML file a picture and its masks, then the lists. Names and splits alone are held in memory."""
    drawer = MaskWriter(labels, report)
    names = {label.key: label.name for label in labels}
    taken: set[str] = set()
    stems: set[str] = set()
    lists: dict[str, list[str]] = {}
    for record in records:
        inner = _inner(record)
        if inner in taken:
            message = "Another file of the export has the same path; VOC has one folder for all splits."
            count = len(record.instances)
            report(Problem("duplicate-path", printable(record.path), message, "", "error", 1, count))
            continue
        taken.add(inner)
        splits = _splits(record)
        for split in splits:
            lists.setdefault(split, []).append(posixpath.splitext(inner)[0])
        stem = _free_stem(inner, stems)
        boxes = _boxes(record, report)
        numbered = {box.instance_id: number for number, box in enumerate(boxes, start=1)}
        drawing = drawer.draw(record, stem, place(record), numbered)
        yield WrittenFile(f"Annotations/{stem}.xml", [_document(record, boxes, splits, names, drawing)])
        yield from drawing.files
    yield from drawer.labelmap()
    for split, listed in sorted(lists.items()):
        yield WrittenFile(f"{LISTS}/{split}.txt", [f"{name}\n".encode() for name in listed])


def _free_stem(inner: str, stems: set[str]) -> str:
    """The picture's name without suffix, or with it where another picture has that name."""
    stem = posixpath.splitext(inner)[0]
    if stem.casefold() in stems:
        stem = inner
    while stem.casefold() in stems:
        stem += "_"
    stems.add(stem.casefold())
    return stem


def _splits(record: FileRecord) -> list[str]:
    """The splits that lists can say: the one the export asks for, else those that the file came with."""
    splits = [record.split] if record.split else record.properties.get("splits")
    if not isinstance(splits, list) or not all(_carry.is_text(split) for split in splits):
        return []
    plain = all(split and clean(split) == split and "/" not in split and split[0] != "." for split in splits)
    stem = posixpath.splitext(_inner(record))[0]
    return splits if plain and splits == sorted(set(splits)) and is_listable(stem) else []


def _boxes(record: FileRecord, report: Report) -> list[Instance]:
    """The instances that become objects, in their order; of the others, those that no mask can say are reported."""
    boxes = []
    for instance in _in_order(record):
        if instance.type == "box" and len(numbers.parse(bytes(instance.geometry))) == 4:
            boxes.append(instance)
        elif instance.type != "mask":
            message = f"VOC has upright boxes and masks only, and this is a {instance.type}."
            where = printable(record.path)
            report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))
    return boxes


def _document(
    record: FileRecord, boxes: Sequence[Instance], splits: list[str], names: dict[str, str], drawing: Drawing
) -> bytes:
    root = _root(record, splits, drawing)
    for number, instance in enumerate(boxes):
        derived = derived_instance_id(NAME, place(record), str(number))
        root.children.append(_object(instance, names.get(instance.label, instance.label), derived))
    return spelled(root)


def _in_order(record: FileRecord) -> list[Instance]:
    """Instances that came from VOC as they stood there, then the others."""
    path = place(record)
    count = len(record.instances)
    positions = {derived_instance_id(NAME, path, str(position)): position for position in range(count)}
    return sorted(record.instances, key=lambda instance: positions.get(instance.instance_id, count))


def _root(record: FileRecord, splits: list[str], drawing: Drawing) -> _xml.Node:
    kept = record.properties.get(NAME, {})
    if isinstance(kept, dict):
        kept = {key: value for key, value in kept.items() if key not in _OF_MASKS}
    carried = _carry.of_file(record, NAME)
    for name in ("file_id", "split"):
        carried.pop(name, None)
    if splits:
        _without(carried, "splits")
    elif record.split:
        carried.setdefault("properties", {})["splits"] = [record.split]
    if drawing.carried:
        carried[MASKS] = drawing.carried
    filename = _inner(record)
    if clean(filename) != filename:
        carried["filename"] = filename
    node = _node("annotation", kept, carried, _FILE_ORDER)
    _put(node, _xml.Node("filename", {}, [], clean(filename)))
    if record.size and not node.named("size"):
        sides = zip(("width", "height", "depth"), (*record.size, 3), strict=True)
        _put(node, _xml.Node("size", {}, [_xml.Node(name, {}, [], str(side)) for name, side in sides]))
    if drawing.files and not node.named("segmented"):
        _put(node, _xml.Node("segmented", {}, [], "1"))
    _carried_into(node, carried)
    return _arranged(node)


def _without(carried: dict[str, Any], name: str) -> None:
    properties = {key: value for key, value in carried.get("properties", {}).items() if key != name}
    carried.pop("properties", None)
    if properties:
        carried["properties"] = properties


def _object(instance: Instance, label: str, derived: str) -> _xml.Node:
    carried = _carry.of_instance(instance, NAME, without=("attributes",))
    if instance.instance_id == derived:
        del carried["instance_id"]
    if carried.get("source") == IMPORTED:
        del carried["source"]
    if clean(label) != label:
        carried["label"] = label
    kept = numbers.parse(bytes(instance.properties)).get(NAME, {})
    node = _node("object", kept, carried, _OBJECT_ORDER)
    _name_into(node, clean(label))
    corners = numbers.parse(bytes(instance.geometry))
    box = next(iter(node.named("bndbox")), _xml.Node("bndbox", {}))
    texts = zip(CORNERS, corners, strict=True)
    rest = [child for child in box.children if child.tag not in CORNERS]
    box.children = [*(_xml.Node(corner, {}, [], text) for corner, text in texts), *rest]
    _put(node, box)
    if unsaid := _attributes_into(node, numbers.parse(bytes(instance.attributes))):
        carried["attributes"] = unsaid
    _carried_into(node, carried)
    return _arranged(node)


def _node(tag: str, kept: Any, carried: dict[str, Any], own: Sequence[str]) -> _xml.Node:
    """The element of what the file said; where XML can't say it, an empty one, and the rest is carried."""
    try:
        if not kept:
            return _xml.Node(tag, {})
        if isinstance(kept, dict) and (_carry.KEY in kept or "object" in kept):
            raise ValueError("those are the writer's own")
        node = element(tag, kept)
    except ValueError:
        carried["properties"] = {**carried.get("properties", {}), NAME: kept}
        return _xml.Node(tag, {})
    if len({child.tag for child in node.children if child.tag in own}) < sum(c.tag in own for c in node.children):
        carried["properties"] = {**carried.get("properties", {}), NAME: kept}
        return _xml.Node(tag, {})
    return node


def _put(node: _xml.Node, child: _xml.Node) -> None:
    """Put a child in place of those of its tag."""
    node.children = [*(other for other in node.children if other.tag != child.tag), child]


def _name_into(node: _xml.Node, label: str) -> None:
    found = next(iter(node.named("name")), _xml.Node("name", {}))
    found.text = label
    _put(node, found)


def _attributes_into(node: _xml.Node, attributes: dict[str, Any]) -> dict[str, Any]:
    """Put attributes into an object; what is left is what a reader would not hear as it is."""
    unsaid: dict[str, Any] = {}
    group = _xml.Node("attributes", {})
    for name, value in attributes.items():
        text = spoken(name, value)
        taken = bool(node.named(name if name in ATTRIBUTES else "attributes"))
        if text is None or taken or heard(text) != value:
            unsaid[name] = value
        if text is None or taken:
            continue
        if name in ATTRIBUTES:
            node.children.append(_xml.Node(name, {}, [], text))
        else:
            pair = [_xml.Node("name", {}, [], name), _xml.Node("value", {}, [], text)]
            group.children.append(_xml.Node("attribute", {}, pair))
    if group.children:
        node.children.append(group)
    return unsaid


def _carried_into(node: _xml.Node, carried: dict[str, Any]) -> None:
    if carried:
        text = numbers.spell(carried).decode()
        for character in "\ufffe\uffff":
            text = text.replace(character, f"\\u{ord(character):x}")
        node.children.append(_xml.Node(_carry.KEY, {}, [], text))


def _arranged(node: _xml.Node) -> _xml.Node:
    """The element with its children, and theirs, as VOC orders them, the unknown ones at the end."""
    node.children.sort(key=lambda child: _ORDER.index(child.tag) if child.tag in _ORDER else len(_ORDER))
    for child in node.children:
        _arranged(child)
    return node
