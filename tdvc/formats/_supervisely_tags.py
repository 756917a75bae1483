"""Tags of Supervisely as values by name, and back: those of an object, with ranges of frames where it is in a video."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

from tdvc.formats import _carry
from tdvc.formats._supervisely_meta import Meta
from tdvc.model import numbers
from tdvc.model.numbers import Number

Said: TypeAlias = tuple[int | None, dict[str, Any]]
"""A frame, and the attributes that a figure has there; no frame for an object that is on none."""

_RANGE = "frameRange"


def parts_of_tag(tag: Any) -> tuple[str, Any, dict[str, Any]]:
    """The name and value of a tag, and what else it says. Raises ValueError where it has no name."""
    if not isinstance(tag, dict) or not _carry.is_text(tag.get("name")):
        raise ValueError("it has a tag without a name")
    return tag["name"], tag.get("value"), {key: value for key, value in tag.items() if key not in ("name", "value")}


def attributes_at(tags: Sequence[Any], frame: int | None) -> dict[str, Any]:
    """The attributes of a figure on a frame by the tags of its object; without a frame, by those of no range.

    Raises:
        ValueError: a tag has no name, or a range that is not two frames; the end of a sentence.
    """
    values: dict[str, list[Any]] = {}
    for said in tags:
        name, value, extra = parts_of_tag(said)
        among = frames_of(extra)
        if among is None or (frame is not None and among[0] <= frame <= among[1]):
            values.setdefault(name, []).append(True if value is None else value)
    return {name: held if len(held) > 1 else held[0] for name, held in values.items()}


def frames_of(extra: dict[str, Any]) -> tuple[int, int] | None:
    """The first and last frame of a tag's range; None where it has none. Raises ValueError where it is not one."""
    if extra.get(_RANGE) is None:
        return None
    ends = numbers.plain(extra[_RANGE])
    if not isinstance(ends, list) or len(ends) != 2 or not all(type(end) is int and end >= 0 for end in ends):
        raise ValueError("it has a tag with a frameRange that is not two frames")
    return ends[0], ends[1]


def is_value(value: Any) -> bool:
    """Whether it can be the value of a tag."""
    return isinstance(value, (str, Number))


def tags_of(attributes: dict[str, Any], extras: Any, meta: Meta) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Attributes as tags of an object, and those that tags can't say.

    Args:
        attributes: by name.
        extras: what else was said of a tag, by name.
        meta: told of the kinds of values.
    """
    tags: list[dict[str, Any]] = []
    unsaid: dict[str, Any] = {}
    extras = extras if isinstance(extras, dict) else {}
    for name, value in attributes.items():
        values = value if isinstance(value, list) and len(value) > 1 else [value]
        if not all(item is True or is_value(item) for item in values) or not meta.can_say(name, values):
            unsaid[name] = value
            continue
        for item in values:
            extra = extras.get(name)
            tag = dict(extra) if isinstance(extra, dict) and len(values) == 1 else {}
            tags.append(tag | {"name": name} | ({} if item is True else {"value": item}))
    return tags, unsaid


def tags_of_track(said: Sequence[Said], meta: Meta) -> tuple[list[dict[str, Any]], set[str]]:
    """Attributes of the figures of an object as its tags, and the names of those that tags can't say.

    Args:
        said: of every figure, by frame.
        meta: told of the kinds of values.
    """
    tags: list[dict[str, Any]] = []
    unsaid: set[str] = set()
    for name in sorted({name for _, attributes in said for name in attributes}):
        mine = [(frame, {name: held[name]} if name in held else {}) for frame, held in said]
        made = _tags_of_one(mine, meta)
        if lead_to(made, mine):
            tags += made
        else:
            unsaid.add(name)
    return tags, unsaid


def _tags_of_one(said: Sequence[Said], meta: Meta) -> list[dict[str, Any]]:
    """Tags for one attribute: one for all figures, or one for each run of frames with one value."""
    runs = [(value, [frame for frame, _ in held]) for value, held in groupby(said, key=itemgetter(1))]
    tags: list[dict[str, Any]] = []
    for value, frames in runs:
        ranged = {} if len(runs) == 1 else {_RANGE: [Number(frames[0]), Number(frames[-1])]}
        tags += [tag | ranged for tag in tags_of(value, {}, meta)[0]]
    return tags


def lead_to(tags: Sequence[Any], said: Sequence[Said]) -> bool:
    """Whether tags of an object give every figure the attributes it has."""
    try:
        return all(attributes_at(tags, frame) == attributes for frame, attributes in said)
    except ValueError:
        return False
