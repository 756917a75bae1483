"""Writing MOT Challenge: a folder a sequence, with `gt/gt.txt`, `gt/labels.txt`, `seqinfo.ini` and `img1/`.

The pictures of one folder are one sequence, and so is a film. The rows of all sequences are held as text until the last
file has passed, because the numbers of frames and tracks depend on the whole sequence. What is visible and how far
nobody said is written as visible altogether: tools that count from 0 to 1 take anything less as hidden.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tdvc.formats import _decimal
from tdvc.formats._classes import class_numbers
from tdvc.formats._folder import is_picture
from tdvc.formats._splits import split_of, without_leading
from tdvc.formats.base import FileRecord, LabelRecord, WrittenFile
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance
from tdvc.names import printable

FORMAT = "mot"
PICTURES = "img1"

FRAME_RATE = Number("30")
"""Of sequences that nobody gave one: without it some readers refuse them."""

_NUMBERED = re.compile(r"(?:^|[^0-9])([0-9]{1,9})$")
_TRACK = re.compile(r"0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class FrameNumbers:
    """The frames of pictures, from 1, and whether they are those of their order for want of numbers."""

    numbers: dict[str, int]
    by_order: bool


def frame_numbers(pictures: Sequence[str]) -> FrameNumbers:
    """Number pictures by the ends of their names, if those are different numbers from 1, else by their order."""
    stems = [posixpath.splitext(posixpath.basename(path))[0] for path in pictures]
    found = [int(match[1]) for stem in stems if (match := _NUMBERED.search(stem))]
    if len(found) == len(pictures) == len(set(found)) and 0 not in found:
        return FrameNumbers(dict(zip(pictures, found, strict=True)), False)
    return FrameNumbers({path: number for number, path in enumerate(sorted(pictures), 1)}, True)


def place(record: FileRecord) -> str:
    """In `img1` of its folder, below its split; a film in a folder of its own."""
    folder, name = _folder_of(record), posixpath.basename(record.path)
    return posixpath.join(folder, PICTURES, name) if is_picture(record.path) else posixpath.join(folder, name)


def _folder_of(record: FileRecord) -> str:
    """The folder of the sequence that a file belongs to."""
    folder = posixpath.dirname(record.path)
    if not is_picture(record.path):
        stem = posixpath.splitext(posixpath.basename(record.path))[0]
        folder = folder if posixpath.basename(folder) == stem else posixpath.join(folder, stem)
    elif posixpath.basename(folder) == PICTURES:
        folder = posixpath.dirname(folder)
    split = split_of(record)
    return posixpath.join(split, without_leading(folder + "/", split).rstrip("/"))


@dataclass(slots=True)
class _Line:
    """A row before its frame and track have numbers: `frame` is there already in a film."""

    path: str
    frame: int | None
    track: str | None
    rest: str


@dataclass(slots=True)
class _Written:
    """A sequence so far."""

    pictures: list[str] = field(default_factory=list)
    lines: list[_Line] = field(default_factory=list)
    size: tuple[int, int] | None = None
    frame_rate: str = FRAME_RATE


def write(records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report) -> Iterator[WrittenFile]:
    """Three small files a sequence."""
    classes = class_numbers(labels, first=1)
    sequences: dict[str, _Written] = {}
    for record in records:
        sequence = sequences.setdefault(_folder_of(record), _Written())
        sequence.size = sequence.size or record.size
        rate = record.properties.get(FORMAT, {}).get("frameRate")
        sequence.frame_rate = rate if isinstance(rate, Number) else sequence.frame_rate
        if is_picture(record.path):
            sequence.pictures.append(record.path)
        for instance in record.instances:
            try:
                sequence.lines.append(_line(record.path, instance, classes))
            except (ValueError, ArithmeticError) as error:
                where, message = printable(record.path), f"The {instance.type} annotation {error}."
                report(Problem("type-not-carried", where, message, instance.instance_id, dropped_instances=1))
    names = {label.key: label.name for label in labels}
    for folder, sequence in sequences.items():
        yield from _files(folder, sequence, _label_list(classes, names))


def _line(path: str, instance: Instance, classes: dict[str, int]) -> _Line:
    geometry = numbers.parse(bytes(instance.geometry))
    if instance.type != "box" or len(geometry) != 4:
        raise ValueError("is no upright box")
    if not is_picture(path) and instance.frame is None:
        raise ValueError("is in no frame of the film")
    left, top, right, bottom = geometry
    kept = numbers.parse(bytes(instance.properties)).get(FORMAT)
    confidence = kept.get("confidence") if isinstance(kept, dict) else None
    score = numbers.parse(bytes(instance.score))
    visibility = numbers.parse(bytes(instance.attributes)).get("visibility")
    columns = (
        left,
        top,
        _decimal.subtract(right, left),
        _decimal.subtract(bottom, top),
        score or (confidence if isinstance(confidence, Number) else "1"),
        str(classes.setdefault(instance.label, max(classes.values(), default=0) + 1)),
        visibility if isinstance(visibility, Number) else "1",
    )
    return _Line(path, None if is_picture(path) else instance.frame, instance.sequence, ",".join(columns))


def _label_list(classes: dict[str, int], names: dict[str, str]) -> str:
    """A name a line, the line's number being the class's; numbers that no class has are blank lines."""
    by_number = {number: names.get(key, key).replace("\n", " ") for key, number in classes.items()}
    return "".join(by_number.get(number, "") + "\n" for number in range(1, max(by_number, default=0) + 1))


def _files(folder: str, sequence: _Written, label_list: str) -> Iterator[WrittenFile]:
    frames = frame_numbers(sequence.pictures).numbers
    tracks = _track_numbers(sequence.lines)
    rows = []
    for line in sequence.lines:
        frame = frames[line.path] if line.frame is None else line.frame + 1
        rows.append((frame, -1 if line.track is None else tracks[line.track], line.rest))
    text = "".join(f"{frame},{track},{rest}\n" for frame, track, rest in rows)
    last = max([*frames.values(), *(row[0] for row in rows)], default=0)
    yield WrittenFile(posixpath.join(folder, "gt/gt.txt"), [text.encode()])
    yield WrittenFile(posixpath.join(folder, "gt/labels.txt"), [label_list.encode()])
    yield WrittenFile(posixpath.join(folder, "seqinfo.ini"), [_sequence_file(folder, sequence, last).encode()])


def _track_numbers(lines: Iterable[_Line]) -> dict[str, int]:
    """Tracks keep their number if they have one; the others get the next free ones, by name."""
    names = {line.track for line in lines if line.track is not None}
    found = {name: int(name) for name in names if _TRACK.fullmatch(name)}
    free = max(found.values(), default=0) + 1
    for number, name in enumerate(sorted(names - found.keys()), free):
        found[name] = number
    return found


def _sequence_file(folder: str, sequence: _Written, length: int) -> str:
    name = posixpath.basename(folder) or "sequence"
    lines = ["[Sequence]", f"name={name}", f"imDir={PICTURES}", f"frameRate={sequence.frame_rate}"]
    lines.append(f"seqLength={length}")
    if sequence.size is not None:
        lines += [f"imWidth={sequence.size[0]}", f"imHeight={sequence.size[1]}"]
    suffixes = {posixpath.splitext(path)[1] for path in sequence.pictures}
    if len(suffixes) == 1:
        lines.append(f"imExt={suffixes.pop()}")
    return "\n".join(lines) + "\n"
