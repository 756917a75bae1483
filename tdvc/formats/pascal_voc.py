"""Pascal VOC: one XML file a picture, with boxes; and with masks, two PNG a picture.

A source is a folder with `Annotations/` and `JPEGImages/` (or `annotations/` and `images/`), a folder tree
with the XML files beside their pictures, or one XML file. The first may have `SegmentationObject/` and
`SegmentationClass/` as well: masks stand next to the boxes, and name the box of the same object (see `_voc_masks`).

Coordinates are kept raw: `xmin ymin xmax ymax` become `x0 y0 x1 y1` with every digit as written. The original data is
1-based and inclusive, most tools write 0-based edges, and no file says which it is; so nothing is shifted, here or when
writing back. Values of pixels stay as they are, and so do pixels of which nobody knows what they are (255).

`truncated`, `difficult`, `occluded`, `pose` and named attributes become attributes; whatever else a file says
is kept in the properties under `pascal-voc`. `<path>` is kept as well but never followed: it names a folder
on somebody else's machine. A picture without a usable annotation file is still a file, without instances; a source
without any picture is annotation for pictures that are elsewhere. `<tdvc>` holds what our own writer had no tag for.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError, SchemaError
from tdvc.formats import _carry, _decimal, _xml
from tdvc.formats._folder import (
    ignore,
    is_file,
    is_folder,
    is_picture,
    listing,
    picture_problem,
    report_rest,
    shortened,
)
from tdvc.formats._json import parse_strictly
from tdvc.formats._voc_layout import Layout, layout_of, report_unknown_ids, splits_of
from tdvc.formats._voc_masks import Described, Outline, read_masks
from tdvc.formats._voc_words import ATTRIBUTES, CLASSES, CORNERS, MASKS, NAME, OBJECTS, PICTURES, clean, heard, spoken
from tdvc.formats._voc_writer import place, write
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance, derived_instance_id, make_instance
from tdvc.names import path_problem, printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

TITLE = "Pascal VOC XML"
LOSES: tuple[str, ...] = (
    "geometries other than upright boxes and masks",
    "what smaller masks cover of larger ones, which other tools do not see",
    "file ids",
)
TYPES = frozenset({"box", "mask"})
KEEPS = frozenset(FIELDS) - {"file_id"}

_SNIFFED_FILES = 8


def detect(source: Path) -> bool:
    """Whether it is a VOC folder, or XML files there have the root element `annotation`."""
    if not source.is_dir():
        return source.suffix.lower() == ".xml" and source.is_file() and _xml.root_tag(source) == "annotation"
    if is_folder(source / PICTURES) and is_folder(source / "Annotations"):
        return True
    if is_folder(source / OBJECTS) and (is_folder(source / PICTURES) or is_folder(source / CLASSES)):
        return True
    return any(_xml.root_tag(source / path) == "annotation" for path in _some_annotations(source))


def _some_annotations(source: Path) -> list[str]:
    """A few XML files of the source, none deeper than three folders."""
    found: list[str] = []
    level = [""]
    for _depth in range(4):
        below: list[str] = []
        for folder in level:
            try:
                files, folders = listing(source, folder, ignore)
            except FormatError:
                continue
            found.extend(path for path in files if path.lower().endswith(".xml"))
            below.extend(folders)
            if len(found) >= _SNIFFED_FILES:
                return found[:_SNIFFED_FILES]
        level = below
    return found


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes of the segmentation, the described pictures in the order of their XML files, then the others.

    Raises:
        FormatError: bad-format-file, where the folder can't be listed.
    """
    layout = layout_of(source, options, report)
    yield from _classes(layout)
    taken: set[str] = set()
    segmented: set[str] = set()
    for annotation in layout.annotations:
        record = _read_annotation(layout, annotation, taken, segmented, report)
        if record is not None:
            taken.add(record.path)
            yield record
    for picture in layout.pictures if source.is_dir() or not taken else ():
        identity = layout.picture_id(picture)
        has_masks = identity in layout.pngs and identity not in segmented
        if picture not in taken and (layout.images is None or has_masks):
            segmented.add(identity)
            yield _undescribed(layout, picture, layout.pictures_root / picture, identity if has_masks else "")
    for identity in layout.pngs.ids:
        if identity not in segmented:
            yield _undescribed(layout, posixpath.join(layout.picture_folder or "", identity), None, identity)
    report_rest((path for path in layout.rest if path not in taken), report)
    report_unknown_ids(layout, taken, report)


def _classes(layout: Layout) -> Iterator[LabelRecord]:
    """The classes that values of the segmentation stand for, which the boxes tell where no list does."""
    if layout.pngs.classes.names is None and layout.pngs.of_classes:
        outlines: dict[str, list[Outline | None]] = {}
        for annotation in layout.annotations:
            if layout.annotation_id(annotation) in layout.pngs.objects:
                outlines[layout.annotation_id(annotation)] = _outlines_in(layout.root / annotation)
        layout.pngs.learn(outlines)
    yield from layout.pngs.records()


def _outlines_in(path: Path) -> list[Outline | None]:
    """The objects of an XML file, as far as it can be read: that it can't is reported when it is its turn."""
    try:
        return [_outline_of(node) for node in _xml.read(path).named("object")]
    except (OSError, ValueError):
        return []


def _outline_of(node: _xml.Node) -> Outline | None:
    """The name and box of an `<object>`; None where it has none that can be read."""
    try:
        (box,) = node.named("bndbox")
        x0, y0, x1, y1 = (float(box.only_text(corner)) for corner in CORNERS)
        return node.only_text("name"), (x0, y0, x1, y1)
    except ValueError:
        return None


def _undescribed(layout: Layout, picture: str, source: Path | None, identity: str) -> FileRecord:
    """The record of a picture without an XML file, or one that can't be read; with masks, where it has some."""
    instances, kept, size = read_masks(layout.pngs, identity, picture, Described()) if identity else ([], {}, None)
    properties = splits_of(layout, picture) | ({NAME: kept} if kept else {})
    return FileRecord(picture, source, instances, properties, size=size)


def _read_annotation(
    layout: Layout, annotation: str, taken: set[str], segmented: set[str], report: Report
) -> FileRecord | None:
    """The record of one XML file; None, reported, where the file or its picture can't be taken."""
    objects: list[_xml.Node] = []
    try:
        root = _xml.read(layout.root / annotation)
        if root.tag != "annotation":
            raise ValueError(f"has the root element <{root.tag[:40]}>, not <annotation>")
        objects = root.named("object")
        carried = _take_carried(root)
        kept = _xml.to_json(root, without=("object",))
        path = _picture_path(layout, annotation, root, carried)
    except (OSError, ValueError) as error:
        report(_unreadable(layout, annotation, error, len(objects)))
        return None
    if problem := _refused_picture(layout, annotation, path, taken, len(objects)):
        report(problem)
        return None
    fields = _carry.for_file(carried)
    boxes = _instances(path, objects, annotation, report)
    identity = layout.annotation_id(annotation)
    segmented.add(identity)
    described = Described([_outline_of(node) for node in objects], boxes, _carry.own_of(carried, MASKS))
    masks, voids, size = read_masks(layout.pngs, identity, path, described)
    properties = _merged(_with(kept, voids), fields.pop("properties", {})) | splits_of(layout, path)
    source = layout.pictures_root / path
    found = source if is_file(source) else None
    return FileRecord(path, found, [*boxes.values(), *masks], properties, size=size, **fields)


def _with(kept: Any, voids: dict[str, Any]) -> Any:
    """What a file says, with the pixels of its segmentation that nobody knows."""
    return {**kept, **voids} if isinstance(kept, dict) else voids or kept


def _take_carried(node: _xml.Node) -> dict[str, Any]:
    """What our writer put into `<tdvc>`, taken out of the node; an element of that name that is not ours stays."""
    found = node.named(_carry.KEY)
    if len(found) != 1 or not found[0].is_plain:
        return {}
    try:
        carried = parse_strictly(found[0].text.encode())
    except ValueError:
        return {}
    if not isinstance(carried, dict):
        return {}
    node.children.remove(found[0])
    return carried


def _merged(kept: Any, properties: dict[str, Any]) -> dict[str, Any]:
    """The properties of all formats, ours being what the file says and what it could not say."""
    own = properties.get(NAME, {})
    if isinstance(kept, dict) and isinstance(own, dict):
        kept = kept | own
    return properties | ({NAME: kept} if kept else {})


def _unreadable(layout: Layout, annotation: str, error: OSError | ValueError, instances: int) -> Problem:
    code, reason = "record-unreadable", str(error)
    if isinstance(error, OSError):
        code, reason = "unreadable", f"could not be read: {error.strerror}"
    files = 0 if layout.own_pictures(annotation) else 1  # its own picture is still yielded, without instances
    return Problem(
        code,
        printable(annotation),
        f"The annotation file {reason}.",
        dropped_files=files,
        dropped_instances=instances,
    )


def _refused_picture(layout: Layout, annotation: str, path: str, taken: set[str], instances: int) -> Problem | None:
    code, message, files = "duplicate-path", f"Another annotation file has described {shortened(path)}.", 0
    if (problem := picture_problem(layout.pictures_root, path)) and not (
        problem[0] == "picture-missing" and layout.has_no_pictures and path not in taken
    ):
        code, message = problem[0], f"The picture {shortened(path)} {problem[1]}."
        files = 0 if printable(path) in layout.passed_over else 1
    elif path not in taken:
        return None
    return Problem(code, printable(annotation), message, dropped_files=files, dropped_instances=instances)


def _picture_path(layout: Layout, annotation: str, root: _xml.Node, carried: dict[str, Any]) -> str:
    """Where `<filename>` says the picture is, not yet checked where that leads.

    An absent name means the annotation file's own; a name without suffix means the one picture that has it.
    """
    name = root.only_text("filename") if root.named("filename") else ""
    if name and _is_clean_of(name, carried.get("filename")):
        name = carried["filename"]
    if not name:
        own = layout.own_pictures(annotation)
        if len(own) == 1:
            return own[0]
        raise ValueError(f"has no <filename>, and {len(own) or 'no'} pictures go by its own name")
    if not name.startswith("/"):
        name = "/".join(part for part in name.split("/") if part not in ("", "."))
    if path_problem(name):
        return name
    path = posixpath.join(layout.folder_of(annotation), name)
    if not is_picture(path) and not is_file(layout.pictures_root / path) and len(layout.by_stem.get(path, [])) == 1:
        return layout.by_stem[path][0]
    return path


def _is_clean_of(text: str, carried: Any) -> bool:
    """Whether a carried text is still what the text in the file stands for: someone may have edited that since."""
    return _carry.is_text(carried) and clean(carried) == text


def _instances(path: str, objects: list[_xml.Node], annotation: str, report: Report) -> dict[int, Instance]:
    """The instances of the objects, by position."""
    instances: dict[int, Instance] = {}
    taken: set[str] = set()
    for position, node in enumerate(objects):
        derived = derived_instance_id(NAME, path, str(position))
        try:
            instances[position] = instance = _instance(node, derived, taken)
            taken.add(instance.instance_id)
        except (SchemaError, ValueError) as error:
            reason = error.fields["problem"] if isinstance(error, SchemaError) else str(error)
            message = f"Object {position}: {reason}."
            where = str(position)
            report(Problem("instance-invalid", printable(annotation), message, where, dropped_instances=1))
    return instances


def _instance(node: _xml.Node, derived: str, taken: set[str]) -> Instance:
    """The instance of one `<object>`.

    Args:
        node: the element.
        derived: its id by picture and position, so that twins stay two; it has it unless it brings a free one.
        taken: the ids of the instances before it.
    """
    boxes = node.named("bndbox")
    if len(boxes) != 1:
        raise ValueError(f"has {len(boxes) or 'no'} <bndbox> where one is needed")
    carried = _take_carried(node)
    fields = _carry.for_instance(carried)
    identity = fields.get("instance_id")
    label = node.only_text("name")
    texts = _attribute_texts(node)
    return make_instance(
        fields
        | {
            "instance_id": identity if _carry.is_text(identity) and identity not in taken else derived,
            "label": carried["label"] if _is_clean_of(label, carried.get("label")) else label,
            "type": "box",
            "geometry": [_coordinate(boxes[0], corner) for corner in CORNERS],
            "attributes": _attributes(node, texts, fields.get("attributes")),
            "properties": _merged(_unknown(node, boxes[0], texts), fields.get("properties", {})),
        }
    )


def _unknown(node: _xml.Node, box: _xml.Node, texts: dict[str, str]) -> dict[str, Any]:
    """What an `<object>` says that has no place in an instance."""
    used = {"bndbox", *(tag for tag in ATTRIBUTES if tag in texts)}
    if node.named("name")[0].is_plain:
        used.add("name")
    if _named_values(node) is not None:
        used.add("attributes")
    properties = _xml.to_json(node, without=used)
    kept = properties if isinstance(properties, dict) else {}
    beyond = _xml.to_json(box, without=CORNERS)
    return kept | ({"bndbox": beyond} if beyond and isinstance(beyond, dict) else {})


def _coordinate(box: _xml.Node, corner: str) -> Number:
    text = box.only_text(corner)
    number = _decimal.number(text)
    if number is None:
        raise ValueError(f"has a <{corner}> that is not a number: {shortened(text)}")
    return number


def _attribute_texts(node: _xml.Node) -> dict[str, str]:
    """The four flags of VOC, and the named attributes that CVAT and Datumaro add."""
    texts = _named_values(node) or {}
    for tag in ATTRIBUTES:
        found = node.named(tag)
        if len(found) == 1 and found[0].is_plain:
            texts[tag] = found[0].text
    return texts


def _attributes(node: _xml.Node, texts: dict[str, str], carried: Any) -> dict[str, Any]:
    """The attributes, numbers as numbers; a carried value counts while its text is there, or has no place to be."""
    attributes = {name: heard(text) for name, text in texts.items()}
    for name, value in carried.items() if isinstance(carried, dict) else ():
        tag = name if name in ATTRIBUTES else "attributes"
        place_taken = name not in texts and bool(node.named(tag)) and (tag == name or _named_values(node) is None)
        if place_taken or spoken(name, value) in (None, texts.get(name)):
            attributes[name] = value
    return attributes


def _named_values(node: _xml.Node) -> dict[str, str] | None:
    """`<attributes><attribute><name>..<value>..` as a dictionary; None where it is not just that."""
    groups = node.named("attributes")
    if len(groups) != 1 or groups[0].attributes or groups[0].text:
        return None
    values: dict[str, str] = {}
    for child in groups[0].children:
        parts = {part.tag: part.text for part in child.children if part.is_plain}
        clean_pair = child.tag == "attribute" and len(child.children) == 2 and set(parts) == {"name", "value"}
        if not clean_pair or child.attributes or child.text or parts["name"] in values or parts["name"] in ATTRIBUTES:
            return None
        values[parts["name"]] = parts["value"]
    return values
