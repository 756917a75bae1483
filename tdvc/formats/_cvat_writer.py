"""Writing CVAT XML 1.1: `annotations.xml` for the pictures, and a file for each video, as CVAT has a task for each.

Pictures lie in `images`, videos in `videos`, both by subset. With subsets the pictures are a project with a task for
each of them, as CVAT dumps it, because readers look for the subsets there. Image ids stay what they were while they are
unique, and so do ids of tracks that are numbers. Where a video did not come from CVAT, its instances stand for their
frames alone, and a shape that is `outside` ends a track wherever the next frame has none. XML can't spell every
character; one that it can't is written as U+FFFD, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from tdvc.formats import _cvat_labels, _cvat_shapes
from tdvc.formats._cvat_labels import IDENTITY, NO_LABEL
from tdvc.formats._videos import SIZE, is_video_record
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

NAME = "cvat"

GONE = '{"made":true}'
"""What the XML attribute `tdvc` says of a shape that only ends a track which nobody ended."""

_DEFAULT = "default"
"""The subset of pictures that are in none."""

_UNSPEAKABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_XML_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_IN_ATTRIBUTE = {'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_SPELLED = re.compile(r'([A-Za-z_][A-Za-z0-9_.-]*)="([^"]*)"')
_OF_TRACKS = ("source", "group_id", "task_id", "subset")


def place(record: FileRecord) -> str:
    """In `images` or `videos`, by subset."""
    folder = "images" if _is_image(record) else "videos"
    return f"{folder}/{record.split}/{record.path}" if record.split else f"{folder}/{record.path}"


def _is_image(record: FileRecord) -> bool:
    return not is_video_record(record)


def xml_text(text: str) -> str:
    """The text as XML can spell it."""
    return _UNSPEAKABLE.sub("\ufffd", text)


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """The annotation of the pictures is held in memory as text until all of it is there."""
    writer = _Writer(labels, report)
    videos = 0
    images: list[tuple[str, str]] = []
    for record in records:
        if _is_image(record):
            images.append((record.split, writer.image(record)))
            continue
        videos += 1
        yield WrittenFile(f"video_{videos:04d}.xml", writer.document(writer.task(record), [writer.video(record)]))
    if images or not videos:
        subsets = sorted({split or _DEFAULT for split, _ in images})
        several = subsets not in ([], [_DEFAULT])
        body = (text if split or not several else _in_default(text) for split, text in images)
        yield WrittenFile("annotations.xml", writer.document(writer.pictures(subsets if several else []), body))


def _in_default(image: str) -> str:
    """The element of a picture that is in no subset, beside others that are in one."""
    return image.replace("<image ", f'<image subset="{_DEFAULT}" ', 1)


def _as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


class _Writer:
    """Spells pictures, tracks and their shapes."""

    def __init__(self, labels: Sequence[LabelRecord], report: Report) -> None:
        self._labels = {label.key: label for label in labels}
        self._report = report
        self._image_ids: set[str] = set()
        self._next_id = 0

    def document(self, meta: tuple[str, list[Any]], body: Iterable[str]) -> Iterator[bytes]:
        """A file, piece by piece."""
        head = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        yield (head + _nested(("meta", [meta]), "  ")).encode()
        for piece in body:
            yield piece.encode()
        yield b"</annotations>\n"

    def _definitions(self) -> tuple[str, list[Any]]:
        return "labels", _cvat_labels.definitions(self._labels.values())

    def pictures(self, subsets: Sequence[str]) -> tuple[str, list[Any]]:
        """What the head of the pictures' file says: one task, or a project with one for each subset."""
        if not subsets:
            return "task", [("mode", "annotation"), self._definitions()]
        tasks = [("task", [("name", name), ("mode", "annotation"), ("subset", name)]) for name in subsets]
        return "project", [("subsets", "\n".join(subsets)), self._definitions(), ("tasks", tasks)]

    def task(self, record: FileRecord) -> tuple[str, list[Any]]:
        """What the head of a video's file says of it."""
        kept = _as_object(record.properties.get(NAME))
        texts = _as_object(kept.get("task"))
        plain = {name: text for name, text in texts.items() if isinstance(text, str) and _XML_NAME.fullmatch(name)}
        plain |= {"mode": "interpolation", "source": record.path} | ({"subset": record.split} if record.split else {})
        foreign = {key: value for key, value in record.properties.items() if key not in (NAME, SIZE, "splits")}
        if foreign:
            plain["tdvc"] = numbers.spell({"properties": foreign}).decode()
        size = [("width", str(record.size[0])), ("height", str(record.size[1]))] if record.size else []
        return "task", [*plain.items(), *([("original_size", size)] if size else []), self._definitions()]

    def image(self, record: FileRecord) -> str:
        """The element of a picture."""
        kept = _as_object(record.properties.get(NAME))
        foreign = {name: value for name, value in record.properties.items() if name not in (NAME, "splits")}
        attributes: dict[str, Any] = {"id": self._image_id(kept.get("id")), "name": record.path}
        if record.split:
            attributes["subset"] = record.split
        if record.size:
            attributes["width"], attributes["height"] = map(str, record.size)
        plain, rest = _plain(kept, {*attributes})
        if rest:
            foreign[NAME] = rest
        if foreign:
            plain["tdvc"] = numbers.spell({"properties": foreign}).decode()
        content = "".join(self._shape(record, instance, "    ") for instance in record.instances)
        return _element("image", {**attributes, **plain}, content, "  ")

    def _image_id(self, given: Any) -> str:
        wanted = given if isinstance(given, str) else ""
        if wanted in self._image_ids or not wanted.isdigit():
            while str(self._next_id) in self._image_ids:
                self._next_id += 1
            wanted = str(self._next_id)
        self._image_ids.add(wanted)
        return wanted

    def video(self, record: FileRecord) -> str:
        """The tracks of a video: the instances of one sequence, and each that is in none by itself."""
        tracks: dict[str, list[Instance]] = {}
        for instance in record.instances:
            if instance.frame is None or instance.type == "tag":
                self._lose(record, instance, "is on no frame, and CVAT has nothing else in a video")
            else:
                tracks.setdefault(instance.sequence or f"\0{instance.instance_id}", []).append(instance)
        free = (str(number) for number in range(2 * len(record.instances) + 1) if str(number) not in tracks)
        last = max((i.frame for held in tracks.values() for i in held if i.frame is not None), default=0)
        until = None if NAME in record.properties else last
        pieces = []
        for sequence, instances in tracks.items():
            by_label: dict[str, list[Instance]] = {}
            for instance in instances:
                by_label.setdefault(instance.label, []).append(instance)
            for position, held in enumerate(by_label.values()):
                own = position == 0 and sequence.isascii() and sequence.isdigit()  # readers want numbers
                pieces.append(self._track(record, sequence if own else next(free), held, until))
        return "".join(pieces)

    def _track(self, record: FileRecord, identity: str, instances: list[Instance], until: int | None) -> str:
        """A track; with `until`, of instances that stand for their frames alone, of which that is the last."""
        ordered = sorted(instances, key=lambda instance: instance.frame or 0)
        kept = _as_object(numbers.parse(bytes(ordered[0].properties)).get(NAME))
        shared, _ = _plain({name: kept[name] for name in _OF_TRACKS if name in kept}, set())
        attributes = {"id": identity, "label": self._label_of(record, ordered[0], kept), "source": "manual", **shared}
        track = attributes | {"id": xml_text(identity)}
        pieces = []
        for instance, after in zip(ordered, [*ordered[1:], None], strict=True):
            element = self._shape(record, instance, "    ", track)
            following = (instance.frame or 0) + 1
            is_gap = until is not None and following <= until and (after is None or (after.frame or 0) > following)
            pieces.append(element + (_gone(element, following) if is_gap else ""))
        return _element("track", attributes, "".join(pieces), "  ")

    def _lose(self, record: FileRecord, instance: Instance, reason: str) -> None:
        message = f"{instance.type} {reason}."
        place_ = printable(record.path)
        self._report(Problem("type-not-carried", place_, message, instance.instance_id, dropped_instances=1))

    def _label_of(self, record: FileRecord, instance: Instance, kept: Mapping[str, Any]) -> str:
        if instance.label == NO_LABEL and kept.get("label") == "":
            return ""
        label = self._labels.get(instance.label)
        name = label.name if label else instance.label
        if xml_text(name) != name:
            message = "A label has a character that XML can't spell; U+FFFD stands for it."
            place_ = printable(record.path)
            self._report(Problem("text-changed", place_, message, instance.instance_id, severity="warning"))
        return name

    def _shape(
        self, record: FileRecord, instance: Instance, indent: str, track: Mapping[str, str] | None = None
    ) -> str:
        """The element of an instance; nothing, reported, where CVAT has no word for it."""
        properties = numbers.parse(bytes(instance.properties))
        kept = _as_object(properties.pop(NAME, None))
        template = _cvat_labels.template(self._labels.get(instance.label))
        try:
            shape = _cvat_shapes.give(instance, record.size, template, kept.get("elements"))
        except ValueError as error:
            self._lose(record, instance, str(error))
            return ""
        plain, rest = _plain(kept, {*shape.attributes, *_said_elsewhere(kept, track)})
        if rest:
            properties[NAME] = rest
        ours = _ours(instance, properties, track)
        attributes = {**_marks(shape.tag, instance, in_track=track is not None), **shape.attributes, **plain}
        if track is None:
            attributes = {"label": self._label_of(record, instance, kept), **attributes}
        content = "".join(_joint(element, indent + "  ", in_track=track is not None) for element in shape.elements)
        content += self._attributes(instance, ours, indent + "  ")
        if ours:
            attributes["tdvc"] = numbers.spell(ours).decode()
        element = _element(shape.tag, attributes, content, indent)
        if track is None:
            return element
        return _others(kept.get("before"), indent) + element + _others(kept.get("then"), indent)

    def _attributes(self, instance: Instance, ours: dict[str, Any], indent: str) -> str:
        """The attributes; one that would not be read back as it is goes into `ours` as well."""
        kinds = _cvat_labels.input_types(self._labels.get(instance.label))
        values = numbers.parse(bytes(instance.attributes))
        pieces = []
        for name, value in values.items():
            text = xml_text(_cvat_labels.text_of(value))
            back = _cvat_labels.value_of(text, kinds.get(name))
            if type(back) is not type(value) or back != value:
                ours.setdefault("attributes", {})[name] = value
            pieces.append(_attribute(name, text, indent))
        if IDENTITY not in values:
            pieces.append(_attribute(IDENTITY, instance.instance_id, indent))
        return "".join(pieces)


def _said_elsewhere(kept: Mapping[str, Any], track: Mapping[str, str] | None) -> set[str]:
    """What a shape's own element need not repeat."""
    if track is None:
        return {"label", "elements", "tdvc"}
    shared = {name for name in _OF_TRACKS if name in kept and str(kept[name]) == track.get(name)}
    return {"label", "elements", "tdvc", "then", "before"} | shared


def _ours(instance: Instance, properties: dict[str, Any], track: Mapping[str, str] | None) -> dict[str, Any]:
    """What CVAT has no word for."""
    ours: dict[str, Any] = {"properties": properties} if properties else {}
    if bytes(instance.score) != b"null":
        ours["score"] = numbers.parse(bytes(instance.score))
    if instance.source is not None:
        ours["source"] = instance.source
    if track is None and instance.frame is not None:
        ours["frame"] = instance.frame
    if instance.sequence != (track["id"] if track else None):
        ours["sequence"] = instance.sequence
    return ours


def _plain(kept: Mapping[str, Any], used: set[str]) -> tuple[dict[str, str], dict[str, Any]]:
    """What can be XML attributes, and the rest."""
    plain: dict[str, str] = {}
    rest: dict[str, Any] = {}
    for name, value in kept.items():
        if name not in used and isinstance(value, str) and _XML_NAME.fullmatch(name):
            plain[name] = str(value)
        elif name not in used:
            rest[name] = value
    return plain, rest


def _marks(tag: str, instance: Instance, *, in_track: bool) -> dict[str, str]:
    """The XML attributes that CVAT expects of a shape, at their default."""
    marks = {"frame": str(instance.frame), "keyframe": "1"} if in_track else {"source": "manual"}
    if tag == "tag":
        return marks
    if tag != "skeleton":
        marks |= {"outside": "0"} if in_track else {}
        marks["occluded"] = "0"
    return {**marks, "z_order": "0"}


def _gone(element: str, frame: int) -> str:
    """The shape that says that an object has left; without it CVAT shows the object until its next one."""
    head, _, _ = element.partition(">")
    tag = head.strip().partition(" ")[0].removeprefix("<")
    if tag in ("", "skeleton"):  # a skeleton leaves point by point
        return ""
    attributes = dict(_SPELLED.findall(head)) | {"frame": str(frame), "outside": "1", "tdvc": _quoted(GONE)}
    spelled = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f"    <{tag}{spelled}>\n    </{tag}>\n"


def _joint(element: Mapping[str, Any], indent: str, *, in_track: bool) -> str:
    """The element of a skeleton."""
    attributes, _ = _plain(element, {"attributes", "tdvc"})
    if in_track:
        attributes = {"keyframe": "1", **attributes}
    return _element("points", attributes, _texts(element.get("attributes"), indent + "  "), indent)


def _others(shapes: Any, indent: str) -> str:
    """The shapes of a track that are no instances, as they were."""
    pieces = []
    for shape in shapes if isinstance(shapes, list) else []:
        tag = shape.get("shape") if isinstance(shape, dict) else None
        if tag in _cvat_shapes.TAGS:
            attributes, _ = _plain(shape, {"shape", "attributes"})
            pieces.append(_element(tag, attributes, _texts(shape.get("attributes"), indent + "  "), indent))
    return "".join(pieces)


def _texts(attributes: Any, indent: str) -> str:
    held = _as_object(attributes).items()
    return "".join(_attribute(name, text, indent) for name, text in held if isinstance(text, str))


def _attribute(name: str, text: str, indent: str) -> str:
    return f'{indent}<attribute name="{_quoted(name)}">{_escaped(text)}</attribute>\n'


def _quoted(text: str) -> str:
    return escape(xml_text(text), _IN_ATTRIBUTE)


def _escaped(text: str) -> str:
    return escape(xml_text(text), {"\r": "&#13;"})


def _element(tag: str, attributes: Mapping[str, Any], content: str, indent: str) -> str:
    spelled = "".join(f' {name}="{_quoted(str(value))}"' for name, value in attributes.items())
    return f"{indent}<{tag}{spelled}>\n{content}{indent}</{tag}>\n"


def _nested(pair: tuple[str, Any], indent: str) -> str:
    """An element of text or of more elements."""
    tag, content = pair
    if not _XML_NAME.fullmatch(tag):
        return ""
    if isinstance(content, str):
        return f"{indent}<{tag}>{_escaped(content)}</{tag}>\n"
    inner = "".join(_nested(child, indent + "  ") for child in content)
    return f"{indent}<{tag}>\n{inner}{indent}</{tag}>\n"
