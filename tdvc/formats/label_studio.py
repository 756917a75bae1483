"""Label Studio: JSON files of tasks, each with annotations and predictions.

A source is a file as Label Studio exports it (the full JSON, not "JSON-MIN"), or a folder with such files, the pictures
and the labelling configuration. A task is a file; what its results say of a place becomes an instance
(`_label_studio_values` says how), a choice about the whole picture a `tag`, a choice or text about a region an
attribute of it. All annotations and predictions of a task are kept side by side, told apart by the `source` of their
instances: `annotator:` and who it was, or the model's version, with its score. An annotation that was skipped is kept
as a property of the file, and so are results that are not understood.

What else a task, an annotation or a result says is kept in the properties under `label-studio` and written back,
percentages with every digit where the pixels do not lead back to them. What Label Studio has no word for travels in
`meta`, which it keeps.

Of videos the keyframes of tracks are boxes on their frames, labels of ranges of frames `tag` instances
(`_label_studio_tracks`). Label Studio does not say how large a video is; where nothing else says it, keyframes keep
their percentages.

Tasks name pictures by address; nothing is ever fetched (see `_label_studio_names`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tdvc.errors import FormatError
from tdvc.formats import _carry, _xml
from tdvc.formats._folder import (
    ignore,
    is_file,
    listing,
    picture_problem,
    report_rest,
    shortened,
    walk,
)
from tdvc.formats._json import ends_of, parse_strictly, read_json
from tdvc.formats._label_studio_groups import ANNOTATIONS, FORMAT, PREDICTIONS, Groups
from tdvc.formats._label_studio_names import NUMBERED, PICTURE, TIMELINE, TRACK, VIDEO, picture_key, possible_paths
from tdvc.formats._label_studio_results import Results
from tdvc.formats._label_studio_values import first_size
from tdvc.formats._label_studio_writer import CONFIG, place, write
from tdvc.formats._pictures import size_of
from tdvc.formats._videos import is_video, size_property
from tdvc.formats.base import FIELDS, NO_OPTIONS, FileRecord, LabelRecord, ReadOptions
from tdvc.model.problems import Problem, Report
from tdvc.names import path_problem, printable

__all__ = ["KEEPS", "LOSES", "NAME", "TITLE", "TYPES", "detect", "place", "read", "write"]

NAME = FORMAT
TITLE = "Label Studio JSON"
LOSES: tuple[str, ...] = ("cuboids", "curves")
TYPES = frozenset(
    {
        *("tag", "box", "polygon", "polyline", "point", "keypoints"),
        *("ellipse", "mask", "text_span", "time_span", "relation"),
    }
)
KEEPS = frozenset(FIELDS)

MAX_FILE_BYTES = 1 << 30
_FOLDERS = ("", "images/")
_GROUP_KEYS = (("annotations", ANNOTATIONS), ("completions", ANNOTATIONS), ("predictions", PREDICTIONS))
_tasks = msgspec.json.Decoder(list[msgspec.Raw])


def detect(source: Path) -> bool:
    """Whether it is a file of tasks, or a folder with one directly in it."""
    if not source.is_dir():
        return source.suffix.lower() == ".json" and is_file(source) and _is_tasks(source)
    try:
        files, _ = listing(source, "", ignore)
    except FormatError:
        return False
    return any(path.lower().endswith(".json") and _is_tasks(source / path) for path in files)


def _is_tasks(path: Path) -> bool:
    """Whether the beginning or end of a file has the keys of a task."""
    ends = ends_of(path)
    if not ends.startswith((b"[", b"{")):
        return False
    packed = ends.translate(None, b" \t\r\n")
    return b'"data":{' in packed and any(b'"%s":[' % key.encode() in packed for key, _ in _GROUP_KEYS)


@dataclass(slots=True)
class _Layout:
    """Where things are, all paths relative to `root`.

    Attributes:
        root: the folder of the files of tasks.
        pictures_root: the folder that no name may lead out of.
        tasks: the files of tasks.
        configs: the labelling configurations.
        rest: other files that were passed on the way.
        passed_over: places of pictures that are reported and counted already.
    """

    root: Path
    pictures_root: Path
    tasks: list[str] = field(default_factory=list)
    configs: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)


def read(source: Path, report: Report, options: ReadOptions = NO_OPTIONS) -> Iterator[FileRecord | LabelRecord]:
    """Yield the classes of the configuration, then the tasks in the order of each file.

    Raises:
        FormatError: bad-format-file, where the source can't be listed or has no tasks, or is a file that can't be read.
    """
    layout = _layout(source, report, options.images)
    if not layout.tasks:
        name = printable(str(source))
        raise FormatError("bad-format-file", f"{name} has no file of tasks directly in it.", source=name)
    yield from _labels(layout, report)
    reader = _Reader(layout, report)
    for path in layout.tasks:
        try:
            content = _content(layout.root / path)
        except FormatError as error:
            if not source.is_dir():
                raise
            report(Problem("record-unreadable", printable(path), error.message))
            continue
        for number, raw in enumerate(content):
            record = reader.record(f"{printable(path)}: task {number}", raw)
            if record is not None:
                yield record
    report_rest((path for path in layout.rest if path not in reader.located), report)


def _layout(source: Path, report: Report, images: Path | None) -> _Layout:
    if not source.is_dir():
        folder = source.absolute().parent
        return _Layout(folder, images or folder, [source.name], [CONFIG] if is_file(folder / CONFIG) else [])
    layout = _Layout(source, images or source)

    def report_and_note(problem: Problem) -> None:
        if problem.dropped_files:
            layout.passed_over.add(problem.place)
        report(problem)

    for path in walk(source, report_and_note):
        at_top = "/" not in path
        if at_top and path.lower().endswith(".json") and _is_tasks(source / path):
            layout.tasks.append(path)
        elif at_top and path.lower().endswith(".xml") and _xml.root_tag(source / path) == "View":
            layout.configs.append(path)
        else:
            layout.rest.append(path)
    return layout


def _content(path: Path) -> list[msgspec.Raw]:
    """The tasks of a file, each as text; a file may be one task."""
    return read_json(path, MAX_FILE_BYTES, _tasks_in)


def _tasks_in(content: bytes) -> list[msgspec.Raw]:
    return [msgspec.Raw(content)] if content.lstrip().startswith(b"{") else _tasks.decode(content)


def _labels(layout: _Layout, report: Report) -> Iterator[LabelRecord]:
    """Every class of the configurations once, in their order."""
    known: set[str] = set()
    for path in layout.configs:
        try:
            root = _xml.read(layout.root / path)
        except (OSError, ValueError) as error:
            report(Problem("record-unreadable", printable(path), f"The configuration {error}."))
            continue
        for node in _class_nodes(root):
            name = node.attributes.get("alias") or node.attributes.get("value") or ""
            if name and name not in known:
                own = "alias" if node.attributes.get("alias") else "value"
                fields = {key: value for key, value in sorted(node.attributes.items()) if key != own}
                yield LabelRecord(name, name, len(known), fields)
                known.add(name)


def _class_nodes(node: _xml.Node) -> Iterator[_xml.Node]:
    for child in node.children:
        if child.tag in ("Label", "Choice"):
            yield child
        yield from _class_nodes(child)


class _Reader:
    """Reads tasks one by one.

    Attributes:
        located: the pictures that tasks named, by where they lie.
    """

    def __init__(self, layout: _Layout, report: Report) -> None:
        self.located: set[str] = set()
        self._given: set[str] = set()
        self._addresses: set[str] = set()
        self._layout = layout
        self._report = report

    def record(self, place_: str, raw: msgspec.Raw) -> FileRecord | None:
        """The record of one task; None, reported, where it or its picture can't be taken."""
        groups: Groups = {ANNOTATIONS: [], PREDICTIONS: []}
        try:
            fields = parse_strictly(bytes(raw))
            groups = _groups(fields)
            located = self._locate(fields)
        except ValueError as error:
            self._refuse("record-unreadable", place_, f"The task {error}.", groups)
            return None
        problem = picture_problem(self._layout.pictures_root, located)
        if problem and problem[0] != "picture-missing":
            files = 0 if printable(located) in self._layout.passed_over else 1
            self._refuse(problem[0], place_, f"The picture {shortened(located)} {problem[1]}.", groups, files)
            return None
        if located in self.located or located in self._given:
            self._refuse("duplicate-path", place_, f"An earlier task describes {shortened(located)}.", groups)
            return None
        self.located.add(located)
        return self._assembled(place_, located, fields, groups, present=problem is None)

    def _refuse(self, code: str, place_: str, message: str, groups: Groups, files: int = 1) -> None:
        results = (group.get("result") for held in groups.values() for group in held)
        count = sum(_count(item) for found in results if isinstance(found, list) for item in found)
        self._report(Problem(code, place_, message, dropped_files=files, dropped_instances=count))

    def _locate(self, fields: dict[str, Any]) -> str:
        """Where the picture of a task is, or its likeliest path; not yet checked where that leads."""
        key = picture_key(fields["data"])
        if key is None:
            raise ValueError("names no file")
        address = fields["data"][key]
        if address in self._addresses:
            raise ValueError(f"names {shortened(address)}, which an earlier one names too")
        self._addresses.add(address)
        paths = possible_paths(address)
        if path_problem(paths[0]):
            return paths[0]
        paths = [path for path in paths if path not in self.located] or paths
        for path in paths:
            for folder in _FOLDERS:
                problem = picture_problem(self._layout.pictures_root, folder + path)
                if problem is None or problem[0] != "picture-missing":
                    return folder + path
        return paths[0]

    def _assembled(
        self, place_: str, located: str, fields: dict[str, Any], groups: Groups, present: bool
    ) -> FileRecord:
        source = self._layout.pictures_root / located if present else None
        size = first_size(groups) or (size_of(source) if source else None)
        meta = fields.get("meta")
        carried = meta.get(_carry.KEY) if isinstance(meta, dict) else None
        path, splits = self._split_off(located, _carry.split_in(carried))
        self._given.add(path)
        shown = VIDEO if is_video(located) or _has_tracks(groups) else PICTURE
        results = Results(path, place_, size, self._report, groups, shown).read()
        known = {"complete": True if results.is_submitted else None} | _carry.for_file(carried)
        if isinstance(carried, dict) and "complete" in carried:
            known["complete"] = carried["complete"] if isinstance(carried["complete"], bool) else None
        kept = _kept(fields, path, bool(splits)) | results.kept_groups()
        more = splits | (size_property(size) if shown == VIDEO else {})
        return FileRecord(
            path=path,
            source=source,
            instances=results.instances,
            properties=known.pop("properties", {}) | ({NAME: kept} if kept else {}) | more,
            size=size,
            **known,
        )

    def _split_off(self, located: str, split: str) -> tuple[str, dict[str, Any]]:
        """The path without the folder of its split, where our writer put it into one; and the splits."""
        path = located.removeprefix(f"{split}/")
        if not split or path == located or not path:
            return located, {}
        return (located if path in self._given else path), {"splits": [split]}


def _count(item: Any) -> int:
    """How many instances a result is: one for each keyframe of a track, else one."""
    value = item.get("value") if isinstance(item, dict) and item.get("type") == TRACK else None
    sequence = value.get("sequence") if isinstance(value, dict) else None
    return max(1, len(sequence)) if isinstance(sequence, list) else 1


def _has_tracks(groups: Groups) -> bool:
    """Whether there is a result that only videos have."""
    results = (group.get("result") for held in groups.values() for group in held)
    items = (item for found in results if isinstance(found, list) for item in found if isinstance(item, dict))
    return any(item.get("type") in (TRACK, TIMELINE) for item in items)


def _groups(fields: Any) -> Groups:
    """The annotations and predictions of a task."""
    if not isinstance(fields, dict) or not isinstance(fields.get("data"), dict):
        raise ValueError("has no 'data'")
    groups: Groups = {ANNOTATIONS: [], PREDICTIONS: []}
    for key, kind in _GROUP_KEYS:
        held = [] if fields.get(key) is None else fields[key]
        if not isinstance(held, list) or not all(isinstance(group, dict) for group in held):
            raise ValueError(f"has {key!r} that are not a list of objects")
        groups[kind] += held
    return groups


def _kept(fields: dict[str, Any], path: str, in_split: bool) -> dict[str, Any]:
    """What else a task says; its data where there is more in it than the path."""
    kept = {key: value for key, value in fields.items() if key not in ("annotations", "completions", "predictions")}
    meta = kept.pop("meta", None)
    if isinstance(meta, dict):
        if isinstance(meta.get(_carry.KEY), dict) and NUMBERED in meta[_carry.KEY]:
            kept.pop("id", None)
        meta = {key: value for key, value in meta.items() if key != _carry.KEY}
    if meta:
        kept["meta"] = meta
    data, key = kept["data"], VIDEO if is_video(path) else PICTURE
    if data == {key: path} or (in_split and set(data) == {key}):
        del kept["data"]
    return kept
