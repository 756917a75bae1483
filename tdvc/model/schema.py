"""The schema: what labels mean. A versioned object that every commit pins.

An instance refers to a label, and by its attributes to options, through stable keys; what people see is a name beside
the key and can change without an instance being touched. A label that comes in for the first time is learned: its key
is the name it came with, its index the next free place. What a format says of its classes (ids, colours, skeletons) is
kept under the format's name, so that it leaves as it came.

Canonical JSON on disk; what has its usual value is left out, so a schema of labels alone is short:

    {"labels": {"dog": {"formats": {"coco": {"id": 18}}, "index": 0, "name": "dog"}}, "version": 1}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, TypeVar

from tdvc.model import numbers
from tdvc.model.numbers import Number

Definition = TypeVar("Definition", "Label", "Attribute", "Template")

ATTRIBUTE_KINDS = (
    "checkbox",
    "date",
    "multiple_select",
    "number",
    "radio",
    "select",
    "slider",
    "text",
    "time",
)
CHOICES = ("multiple_select", "radio", "select")
"""The kinds whose answers are among options."""
POLICIES = ("default", "allowed", "denied")


class MisplacedError(ValueError):
    """Something in a schema that can't be there.

    Attributes:
        place: where, such as `labels.dog.types`.
        problem: what is wrong, as the end of a sentence about the place.
    """

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(f"{place} {problem}" if place else problem)
        self.place = place
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Option:
    """An answer that an attribute offers.

    Attributes:
        key: what instances hold; never changes.
        name: what people see.
        attributes: keys of the attributes that are asked only under this answer.
    """

    key: str
    name: str = ""
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A question about an instance, a file or a sequence.

    Attributes:
        key: what instances hold; never changes.
        kind: one of `ATTRIBUTE_KINDS`.
        name: what people see.
        description: what is asked, for people.
        options: the answers of `select`, `radio` and `multiple_select`.
        required: an instance without an answer is incomplete.
        default: the answer where none is given, JSON.
        minimum: smallest number.
        maximum: largest number.
        step: numbers are whole multiples of it above the minimum.
        min_count: fewest answers of a `multiple_select`.
        max_count: most answers of a `multiple_select`.
        max_length: most characters of a text.
        pattern: a regular expression that the whole text fits.
        when: for `checkbox`, keys of the attributes that are asked only where it is ticked.
    """

    key: str
    kind: str
    name: str = ""
    description: str = ""
    options: tuple[Option, ...] = ()
    required: bool = False
    default: Any = None
    minimum: Number | None = None
    maximum: Number | None = None
    step: Number | None = None
    min_count: int | None = None
    max_count: int | None = None
    max_length: int | None = None
    pattern: str = ""
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """How a shape is drawn: the points of a skeleton, or the shape that an annotator starts from.

    Attributes:
        key: what labels refer to.
        type: the spatial type it is for, mostly `keypoints`.
        points: names of the points, in the order of the geometry.
        edges: pairs of positions in `points` that are joined.
        swaps: pairs of positions that change places when a picture is mirrored left to right.
        geometry: the shape to start from, in a box from 0 to 1, JSON as in an instance.
    """

    key: str
    type: str = "keypoints"
    points: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    swaps: tuple[tuple[int, int], ...] = ()
    geometry: Any = None


@dataclass(frozen=True, slots=True)
class Label:
    """A label.

    Attributes:
        key: what instances refer to; never changes.
        name: what people see.
        index: its place in class lists; given once, in the order of learning.
        aliases: other names that mean it when data comes in.
        colour: `#rrggbb`, or empty.
        parent: key of the wider label, or empty.
        description: one line for people.
        guide: Markdown that tells annotators how to use it.
        types: spatial type to one of `POLICIES`; empty where every type is allowed, else types that are not named are
            denied.
        attributes: keys of the attributes that are asked of its instances, in order.
        template: key of its template, or empty.
        deprecated: not to be given to new instances.
        formats: what formats say of it, by the format's name; JSON with numbers as `numbers.Number`.
    """

    key: str
    name: str
    index: int
    aliases: tuple[str, ...] = ()
    colour: str = ""
    parent: str = ""
    description: str = ""
    guide: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    template: str = ""
    deprecated: bool = False
    formats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def allows(self, spatial_type: str) -> bool:
        """Whether its instances may be of a spatial type."""
        return not self.types or self.types.get(spatial_type, "denied") != "denied"


@dataclass(frozen=True, slots=True)
class Schema:
    """Labels and attributes by key, and what is asked of files and sequences.

    Attributes:
        labels: by key.
        attributes: by key; labels share them.
        templates: by key.
        file_attributes: keys of the attributes that are asked of every file.
        sequence_attributes: keys of the attributes that hold for a whole sequence.
        locked: labels and options that it does not know are refused, not learned.
    """

    labels: Mapping[str, Label] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    file_attributes: tuple[str, ...] = ()
    sequence_attributes: tuple[str, ...] = ()
    locked: bool = False

    def learned(self, keys: Iterable[str]) -> Schema:
        """This schema with labels for the keys it does not know, in their order; itself where it knows them all."""
        new = [key for key in dict.fromkeys(keys) if key not in self.labels]
        if not new:
            return self
        first = self.next_index()
        added = {key: Label(key, key, first + position) for position, key in enumerate(new)}
        return replace(self, labels={**self.labels, **added})

    def key_of(self, text: str) -> str | None:
        """The key of the label that a text means: its key, else its name, else an alias; None where nothing fits."""
        return text if text in self.labels else self.synonyms().get(text)

    def synonyms(self) -> dict[str, str]:
        """Every name and alias of a label that is not a key itself, with the label's key; names come first."""
        found: dict[str, str] = {}
        for label in self.in_order():
            found.setdefault(label.name, label.key)
        for label in self.in_order():
            for alias in label.aliases:
                found.setdefault(alias, label.key)
        return {text: key for text, key in found.items() if text and text not in self.labels}

    def names(self) -> dict[str, str]:
        """Key to name, of the labels that are called something else than their key."""
        return {key: label.name for key, label in self.labels.items() if label.name not in ("", key)}

    def next_index(self) -> int:
        """The index that the next new label gets."""
        return 1 + max((label.index for label in self.labels.values()), default=-1)

    def described(self, format_name: str, said: Mapping[str, Mapping[str, Any]]) -> Schema:
        """This schema with what a format says of known labels, for those of which it has said nothing yet."""
        labels = dict(self.labels)
        for key, what in said.items():
            label = labels.get(key)
            if label is not None and what and format_name not in label.formats:
                labels[key] = replace(label, formats={**label.formats, format_name: what})
        return self if labels == self.labels else replace(self, labels=labels)

    def in_order(self) -> list[Label]:
        """The labels by index."""
        return sorted(self.labels.values(), key=lambda label: label.index)

    def encode(self) -> bytes:
        """The canonical bytes."""
        return numbers.spell({"labels": {}, **plain(self), "version": 1})


def plain(value: Any) -> Any:
    """A part of a schema as JSON-like values: keys of mappings name their entries, usual values are left out."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Option):
        wanted = {"key": value.key, "name": value.name, "attributes": list(value.attributes)}
        return {name: item for name, item in wanted.items() if item}
    if isinstance(value, Schema | Label | Attribute | Template):
        found = {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name != "key"}
        return {f.name: found[f.name] for f in fields(value) if f.name in found and not _is_usual(f, value)}
    return value


def _is_usual(which: Any, owner: Any) -> bool:
    value = getattr(owner, which.name)
    if which.default is not MISSING:
        return bool(value == which.default)
    return which.default_factory is not MISSING and not value


def decode_schema(content: bytes) -> Schema:
    """A schema from its bytes. Raises ValueError."""
    found = numbers.parse(content)
    if not isinstance(found, dict):
        raise ValueError("not a schema")
    if b"\\ud" in content.lower():
        numbers.spell(found)  # raises where half a surrogate pair is in it, which is no character
    return schema_from(found)


def schema_from(given: Mapping[str, Any]) -> Schema:
    """A schema from JSON-like values. Raises MisplacedError."""
    allowed = {f.name for f in fields(Schema)} | {"version"}
    if unknown := sorted(set(given) - allowed):
        raise MisplacedError("", f"unknown field {unknown[0]!r}")
    if _integer(given.get("version", 1), "version") != 1:
        raise MisplacedError("version", f"{given['version']} of the schema's format is not known")
    return Schema(
        labels=_entries(Label, given.get("labels", {}), "labels"),
        attributes=_entries(Attribute, given.get("attributes", {}), "attributes"),
        templates=_entries(Template, given.get("templates", {}), "templates"),
        file_attributes=_texts(given.get("file_attributes", []), "file_attributes"),
        sequence_attributes=_texts(given.get("sequence_attributes", []), "sequence_attributes"),
        locked=_truth(given.get("locked", False), "locked"),
    )


def _entries(kind: type[Definition], given: Any, place: str) -> dict[str, Definition]:
    if not isinstance(given, Mapping):
        raise MisplacedError(place, "must be an object")
    return {_text(key, place): _entry(kind, key, item, f"{place}.{key}") for key, item in given.items()}


def _entry(kind: type[Definition], key: str, given: Any, place: str) -> Definition:
    if not isinstance(given, Mapping):
        raise MisplacedError(place, "must be an object")
    known = {f.name: f for f in fields(kind) if f.name != "key"}
    if unknown := sorted(set(given) - known.keys()):
        raise MisplacedError(place, f"has an unknown field {unknown[0]!r}")
    needed = [name for name, f in known.items() if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in needed if name not in given]:
        raise MisplacedError(place, f"lacks the field {missing[0]!r}")
    return kind(key=key, **{name: _value(name, item, f"{place}.{name}") for name, item in given.items()})


def _value(name: str, given: Any, place: str) -> Any:
    if name in ("index", "min_count", "max_count", "max_length"):
        return _integer(given, place)
    if name in ("required", "deprecated"):
        return _truth(given, place)
    if name in ("minimum", "maximum", "step"):
        if isinstance(given, bool) or not isinstance(given, Number | int | float):
            raise MisplacedError(place, "must be a number")
        return Number(numbers.spell(given).decode())
    if name in ("aliases", "attributes", "points", "when"):
        return _texts(given, place)
    if name in ("edges", "swaps"):
        return tuple(_pair(pair, place) for pair in _list(given, place))
    if name == "options":
        return tuple(_option(item, f"{place}[{position}]") for position, item in enumerate(_list(given, place)))
    if name == "types":
        return _policies(given, place)
    if name == "formats":
        if not isinstance(given, Mapping) or not all(isinstance(said, Mapping) for said in given.values()):
            raise MisplacedError(place, "must be an object of objects")
        return _as_read(given)
    return _as_read(given) if name in ("default", "geometry") else _text(given, place)


def _as_read(value: Any) -> Any:
    """JSON with every number as `Number`, as it is when it comes from the store."""
    if isinstance(value, Mapping):
        return {key: _as_read(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_read(item) for item in value]
    plain_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Number(numbers.spell(value).decode()) if plain_number else value


def _option(given: Any, place: str) -> Option:
    if isinstance(given, str):
        return Option(_text(given, place))
    if not isinstance(given, Mapping) or "key" not in given or set(given) - {"key", "name", "attributes"}:
        raise MisplacedError(place, "must be a key, or an object with key, name and attributes")
    return Option(
        _text(given["key"], place), _text(given.get("name", ""), place), _texts(given.get("attributes", []), place)
    )


def _policies(given: Any, place: str) -> dict[str, str]:
    if not isinstance(given, Mapping) or any(policy not in POLICIES for policy in given.values()):
        raise MisplacedError(place, f"must give each spatial type one of {', '.join(POLICIES)}")
    return {_text(name, place): str(policy) for name, policy in given.items()}


def _list(given: Any, place: str) -> Sequence[Any]:
    if not isinstance(given, list | tuple):
        raise MisplacedError(place, "must be a list")
    return given


def _texts(given: Any, place: str) -> tuple[str, ...]:
    return tuple(_text(item, place) for item in _list(given, place))


def _text(given: Any, place: str) -> str:
    if not isinstance(given, str) or isinstance(given, Number):
        raise MisplacedError(place, "must be text")
    return given


def _truth(given: Any, place: str) -> bool:
    if not isinstance(given, bool):
        raise MisplacedError(place, "must be true or false")
    return given


def _integer(given: Any, place: str) -> int:
    try:
        value = int(given)
    except (TypeError, ValueError) as error:
        raise MisplacedError(place, "must be a whole number") from error
    if isinstance(given, bool) or (value != given and str(value) != str(given)):
        raise MisplacedError(place, "must be a whole number")
    return value


def _pair(given: Any, place: str) -> tuple[int, int]:
    pair = [_integer(item, place) for item in _list(given, place)]
    if len(pair) != 2:
        raise MisplacedError(place, "must be pairs of positions")
    return pair[0], pair[1]
