"""Whether a schema makes sense in itself: every key it refers to is there, nothing goes round in a circle.

Reading a schema checks the type of every field; this checks what they say together. A schema is checked when somebody
brings it in or changes it, never when it is read from the store, so that what is stored stays readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from tdvc.model.attributes import branches, value_problems
from tdvc.model.geometry import SPATIAL_TYPES, shape_problem
from tdvc.model.numbers import value_of
from tdvc.model.patterns import pattern_problem
from tdvc.model.records import MAX_LABEL_BYTES
from tdvc.model.schema import ATTRIBUTE_KINDS, CHOICES, Attribute, Label, Schema, Template

MAX_INDEX = 2**31 - 1
MAX_DEFINITIONS = 100_000

_COLOUR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE | re.ASCII)
_NUMBERS = ("number", "slider")
_ONLY_FOR: dict[str, tuple[str, ...]] = {
    "max_count": ("multiple_select",),
    "max_length": ("text",),
    "maximum": _NUMBERS,
    "min_count": ("multiple_select",),
    "minimum": _NUMBERS,
    "options": CHOICES,
    "pattern": ("text",),
    "step": _NUMBERS,
    "when": ("checkbox",),
}
"""Fields of an attribute that only some kinds have."""


class SchemaProblem(NamedTuple):
    """One thing that makes no sense: where, such as `labels.dog.parent`, and what, as the end of a sentence."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


def schema_problems(schema: Schema) -> Iterator[SchemaProblem]:
    """Everything in a schema that makes no sense, ordered by section."""
    for section in ("labels", "attributes", "templates"):
        if len(getattr(schema, section)) > MAX_DEFINITIONS:
            yield SchemaProblem(section, f"are more than {MAX_DEFINITIONS:,}")
            return
    yield from _names_that_clash(schema)
    yield from _indexes_given_twice(schema)
    for label in schema.labels.values():
        yield from _placed(f"labels.{label.key}", _label(label, schema))
    yield from _circle("labels", {key: (label.parent,) for key, label in schema.labels.items()}, "parent")
    for attribute in schema.attributes.values():
        yield from _placed(f"attributes.{attribute.key}", _attribute(attribute, schema))
    below = {key: [child for _, keys in branches(a) for child in keys] for key, a in schema.attributes.items()}
    yield from _circle("attributes", below, "options")
    for template in schema.templates.values():
        yield from _placed(f"templates.{template.key}", _template(template))
    for field in ("file_attributes", "sequence_attributes"):
        for problem in _unknown(getattr(schema, field), schema.attributes, "attribute"):
            yield SchemaProblem(field, problem)


_Found = Iterator[tuple[str, str]]
"""Fields and what is wrong with them."""


def _placed(place: str, found: _Found) -> Iterator[SchemaProblem]:
    for field, problem in found:
        yield SchemaProblem(f"{place}.{field}" if field else place, problem)


def _unknown(keys: Iterable[str], known: Mapping[str, Any], what: str) -> Iterator[str]:
    for key in keys:
        if key not in known:
            yield f"names the {what} {key!r}, which is not defined"


def _key_problem(key: str) -> str | None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "has a key that is not valid Unicode"
    if not 1 <= size <= MAX_LABEL_BYTES or "\0" in key:
        return f"has a key that is not 1 to {MAX_LABEL_BYTES} bytes of text"
    return None


def _names_that_clash(schema: Schema) -> Iterator[SchemaProblem]:
    """A text that could mean two labels when data comes in."""
    meaning = {key: key for key in schema.labels}
    for label in schema.in_order():
        for field, texts in (("name", [label.name]), ("aliases", label.aliases)):
            for text in texts:
                other = meaning.setdefault(text, label.key)
                if other != label.key:
                    yield SchemaProblem(f"labels.{label.key}.{field}", f"{text!r} already means the label {other!r}")


def _indexes_given_twice(schema: Schema) -> Iterator[SchemaProblem]:
    taken: dict[int, str] = {}
    for label in schema.labels.values():
        other = taken.setdefault(label.index, label.key)
        if other != label.key:
            yield SchemaProblem(f"labels.{label.key}.index", f"{label.index} is that of the label {other!r}")


def _label(label: Label, schema: Schema) -> _Found:
    if problem := _key_problem(label.key):
        yield "", problem
    if not label.name:
        yield "name", "is empty"
    if not 0 <= label.index <= MAX_INDEX:
        yield "index", f"must be 0 to {MAX_INDEX}"
    if label.colour and not _COLOUR.fullmatch(label.colour):
        yield "colour", "must be written #rrggbb"
    if label.parent and label.parent not in schema.labels:
        yield "parent", f"names the label {label.parent!r}, which is not defined"
    for name in label.types:
        if name not in SPATIAL_TYPES:
            yield "types", f"names the spatial type {name!r}; known: {', '.join(SPATIAL_TYPES)}"
    if sum(policy == "default" for policy in label.types.values()) > 1:
        yield "types", "has more than one default"
    for problem in _unknown(label.attributes, schema.attributes, "attribute"):
        yield "attributes", problem
    if label.template and label.template not in schema.templates:
        yield "template", f"names the template {label.template!r}, which is not defined"


def _attribute(attribute: Attribute, schema: Schema) -> _Found:
    if problem := _key_problem(attribute.key):
        yield "", problem
    if attribute.kind not in ATTRIBUTE_KINDS:
        yield "kind", f"must be one of {', '.join(ATTRIBUTE_KINDS)}"
        return
    for field, kinds in _ONLY_FOR.items():
        if getattr(attribute, field) not in (None, "", ()) and attribute.kind not in kinds:
            yield field, f"is for {' and '.join(kinds)} only, not for {attribute.kind}"
    yield from _options(attribute, schema)
    for problem in _unknown(attribute.when, schema.attributes, "attribute"):
        yield "when", problem
    yield from _bounds(attribute)
    if attribute.pattern and (problem := pattern_problem(attribute.pattern)):
        yield "pattern", problem
    if attribute.default is not None:
        for wrong in value_problems(attribute, attribute.default):
            yield "default", f"must be {wrong.expected}"


def _options(attribute: Attribute, schema: Schema) -> _Found:
    if attribute.kind in CHOICES and not attribute.options:
        yield "options", f"are missing: a {attribute.kind} offers at least one"
    met: set[str] = set()
    for option in attribute.options:
        if problem := _key_problem(option.key):
            yield "options", problem
        if option.key in met:
            yield "options", f"have the key {option.key!r} twice"
        met.add(option.key)
        for problem in _unknown(option.attributes, schema.attributes, "attribute"):
            yield f"options.{option.key}.attributes", problem


def _bounds(attribute: Attribute) -> _Found:
    try:
        low, high, step = (
            None if number is None else value_of(number)
            for number in (attribute.minimum, attribute.maximum, attribute.step)
        )
    except ValueError as error:
        yield "minimum", f"or maximum or step can't be used: {error}"
        return
    if low is not None and high is not None and low > high:
        yield "minimum", f"{attribute.minimum} is above the maximum {attribute.maximum}"
    if step is not None and step <= 0:
        yield "step", "must be above 0"
    least, most = attribute.min_count, attribute.max_count
    for field, count in (("min_count", least), ("max_count", most), ("max_length", attribute.max_length)):
        if count is not None and count < 0:
            yield field, "must be at least 0"
    if least is not None and most is not None and least > most:
        yield "min_count", f"{least} is above max_count {most}"
    if least is not None and attribute.options and least > len(attribute.options):
        yield "min_count", f"{least} is more than the {len(attribute.options)} options"


def _template(template: Template) -> _Found:
    if problem := _key_problem(template.key):
        yield "", problem
    if template.type not in SPATIAL_TYPES:
        yield "type", f"names the spatial type {template.type!r}; known: {', '.join(SPATIAL_TYPES)}"
        return
    if len(set(template.points)) < len(template.points):
        yield "points", "have a name twice"
    for field in ("edges", "swaps"):
        pairs = getattr(template, field)
        for pair in pairs:
            if not all(0 <= at < len(template.points) for at in pair):
                yield field, f"join {list(pair)}, but the points are 0 to {len(template.points) - 1}"
            elif pair[0] == pair[1]:
                yield field, f"join {pair[0]} with itself"
    swapped = [at for pair in template.swaps for at in pair]
    if len(set(swapped)) < len(swapped):
        yield "swaps", "have a point twice"
    if template.geometry is not None and (problem := shape_problem(template.type, template.geometry)):
        yield "geometry", problem


def _circle(section: str, below: Mapping[str, Iterable[str]], field: str) -> Iterator[SchemaProblem]:
    """The first circle that following the references runs into."""
    try:
        TopologicalSorter({key: [child for child in children if child] for key, children in below.items()}).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        yield SchemaProblem(f"{section}.{circle[0]}.{field}", f"goes round in a circle: {' > '.join(circle)}")
