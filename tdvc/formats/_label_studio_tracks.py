"""What Label Studio says of videos: tracks of keyframes, and labels of ranges of frames.

    videorectangle   value.sequence: keyframes with frame, x, y, width, height, rotation, enabled, time
    timelinelabels   value.ranges: start and end, both frames of the range

A keyframe is an instance: a box with its `frame`, in the `sequence` of its result. Nothing between two of them is made
up. A keyframe that is not `enabled` is the last on which the object is seen; it is an instance like any other and keeps
the mark. Where instances came from a tool in which each stands for its frame alone, every keyframe that has none on the
next frame is written so, because Label Studio would show the object in between.

Frames count from 1 in Label Studio and from 0 here. Positions are percent, and videos say their size nowhere but in
`original_width` and `original_height`, which Label Studio itself leaves out: without them a keyframe is a `tag` that
keeps its position as it came. A label of a range is a `tag` on the first frame, the range in its properties.

Source: Label Studio's `web/libs/editor/src/regions/VideoRegion.js`, `VideoRectangleRegion.js`, `TimelineRegion.js`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from tdvc.formats import _carry
from tdvc.formats._label_studio_groups import FORMAT, Home, own_properties
from tdvc.formats._label_studio_values import (
    Drawn,
    Geometry,
    Size,
    as_before,
    carried_with,
    echo,
    geometry_of,
    values_of,
)
from tdvc.model import numbers
from tdvc.model.numbers import Number
from tdvc.model.records import Instance, derived_instance_id

FRAME_RATE = 24
"""What Label Studio takes for the frames of a second, where nobody says otherwise."""

KEYFRAME, TRACK_FIELDS = "keyframe", "track"
"""The properties of an instance that keep what else a keyframe and its result say; the latter of the first keyframe."""

APART = "apart"
"""Says of a track, among what we carry, that its instances stand for their frames alone."""

_PLACE = ("height", "rotation", "width", "x", "y")


class Keyframe(NamedTuple):
    """A keyframe that was read.

    Attributes:
        frame: from 0.
        found: the box; a tag where the size of the video is not known.
        own: what to keep of it.
        score: its own, where it has one.
    """

    frame: int
    found: Geometry
    own: dict[str, Any]
    score: Any


def _time(frame: int, of_track: Any) -> Number:
    """The time of a frame, from 1, in seconds: what Label Studio makes of it when it is saved there."""
    frames, duration = (numbers.plain(of_track.get(key)) for key in ("framesCount", "duration"))
    known = all(type(value) in (int, float) and 0 < value < 1e12 for value in (frames, duration))
    seconds = frame * duration / frames if known else frame / FRAME_RATE
    return Number(f"{seconds:.6f}".rstrip("0").rstrip("."))


def place_of_keyframe(value: Any) -> int:
    """What to order keyframes by as they came: the frame, where they have one."""
    number = numbers.plain(value.get("frame")) if isinstance(value, dict) else None
    return number if type(number) is int else 0


def read_keyframe(value: Any, size: Size, of_track: dict[str, Any]) -> Keyframe:
    """A keyframe of a track.

    Args:
        value: as it came.
        size: of the video, where it is known.
        of_track: the value of the result that it is in.

    Raises:
        ValueError: it lacks a part; the end of a sentence.
    """
    number = place_of_keyframe(value)
    if number < 1:
        raise ValueError("it has a keyframe without a frame, which count from 1")
    drawn = Drawn("rectangle", {key: value[key] for key in _PLACE if key in value})
    rest = {key: item for key, item in value.items() if key not in (*_PLACE, "frame")}
    if rest.get("enabled") is True:
        del rest["enabled"]
    if rest.get("time") == _time(number, of_track):
        del rest["time"]
    score = rest.pop("score") if isinstance(rest.get("score"), Number) else None
    own: dict[str, Any] = {KEYFRAME: rest}
    if size is None:
        found, own["value"] = Geometry("tag", None), drawn.value
    else:
        found = geometry_of(drawn, size)
        own |= echo(drawn, found, size)
    return Keyframe(number - 1, found, own, score)


def track_fields(item: dict[str, Any], own: dict[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """What to keep of the result of a track.

    Args:
        item: the result.
        own: what it says apart from its value.
        labels: its labels, of which the instances have the first.
    """
    value = {key: kept for key, kept in item["value"].items() if key not in ("labels", "sequence")}
    said = {key: kept for key, kept in own.items() if key != "id"} | ({"value": value} if value else {})
    if len(labels) > 1:
        said["labels"] = list(labels[1:])
    keyframes = item["value"]["sequence"]
    if isinstance(item.get("score"), Number) and any(isinstance(one, dict) and "score" in one for one in keyframes):
        said["score"] = item["score"]
    return said


def keyframe_id(path: str, home: Home, result: str, frame: int) -> str:
    """The instance_id of a keyframe, unless our writer carried another."""
    return derived_instance_id(FORMAT, path, home[0], str(home[1]), result, str(frame))


def is_keyframe(instance: Instance) -> bool:
    """Whether an instance of a video can be a keyframe: a box on a frame, or what is kept of one."""
    if instance.frame is None:
        return False
    return instance.type == "box" or (instance.type == "tag" and KEYFRAME in own_properties(instance))


def write_keyframe(instance: Instance, size: Size, of_track: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A keyframe, and what has to be carried of its geometry.

    Args:
        instance: the keyframe.
        size: of the video, where it is known.
        of_track: the value of the result that it goes into.

    Raises:
        ValueError: it can't be drawn, the end of a sentence.
    """
    own = own_properties(instance)
    carried: dict[str, Any] = {}
    if instance.type == "tag":
        place = own.get("value")
    else:
        found = Geometry("box", _carry.parsed(instance.geometry))
        drawn = as_before(own.get("value"), values_of(found, size)[0], found, size)
        place, carried = drawn.value, carried_with(found, drawn, size)
    kept = own.get(KEYFRAME)
    frame = (instance.frame or 0) + 1
    entry = {"enabled": True, "rotation": 0, "time": _time(frame, of_track)}
    entry |= (kept if isinstance(kept, dict) else {}) | (place if isinstance(place, dict) else {}) | {"frame": frame}
    return entry, carried


def end_where_nothing_follows(entries: Sequence[dict[str, Any]]) -> None:
    """Let an object go after every keyframe that has none on the next frame: Label Studio would make up the rest."""
    for entry, after in zip(entries, [*entries[1:], {}], strict=True):
        entry["enabled"] = after.get("frame") == entry["frame"] + 1


def put_scores(fields: dict[str, Any], entries: Sequence[dict[str, Any]], together: Sequence[Instance]) -> None:
    """Write the scores of keyframes: once for the result where they agree, else with each of them.

    Args:
        fields: the result, which gets a `score`; where it has one, it had that beside those of its keyframes.
        entries: its keyframes.
        together: their instances.
    """
    scores = [_carry.parsed(instance.score) for instance in together]
    apart = "score" in fields or any(score != scores[0] for score in scores)
    if not apart and scores[0] is not None:
        fields["score"] = scores[0]
    for entry, score in zip(entries, scores, strict=True):
        if apart and score is not None:
            entry["score"] = score


def read_ranges(value: Any) -> tuple[int | None, dict[str, Any]]:
    """The first frame of a range, from 0, and what to keep of the ranges.

    Raises:
        ValueError: there are none, the end of a sentence.
    """
    ranges = value.get("ranges") if isinstance(value, dict) else None
    if not isinstance(ranges, list) or not ranges or not all(isinstance(one, dict) for one in ranges):
        raise ValueError("it has no ranges of frames")
    start = numbers.plain(ranges[0].get("start"))
    if type(start) is not int or start < 1:
        return None, {"ranges": ranges}
    return start - 1, {} if ranges == _ranges_at(start) else {"ranges": ranges}


def write_ranges(instance: Instance) -> list[Any]:
    """The ranges of a tag: those it came with, while they begin at its frame, else that frame alone."""
    ranges = own_properties(instance).get("ranges")
    try:
        if isinstance(ranges, list) and read_ranges({"ranges": ranges})[0] == instance.frame:
            return ranges
    except ValueError:
        pass
    return _ranges_at((instance.frame or 0) + 1)


def _ranges_at(frame: int) -> list[Any]:
    return [{"start": Number(frame), "end": Number(frame)}]
