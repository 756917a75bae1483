"""Answers: what instances say to the questions of a schema, and what is wrong with them.

Questions form trees: below an option, or a ticked checkbox, hang questions that are asked under that answer only. A
question that is not answered counts as answered by its default. So whether an answer is missing, orphaned or fine
depends on the answers above it, and one walk from the top finds all three.

How an answer is spelled in JSON:

| kind | answer |
|---|---|
| `checkbox` | true or false |
| `date` | text such as `2026-11-01` |
| `multiple_select` | a list of keys of options, none twice |
| `number`, `slider` | a number |
| `radio`, `select` | the key of an option |
| `text` | text |
| `time` | text such as `18:30` or `18:30:05.25` |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time
from decimal import Context, InvalidOperation
from typing import Any, NamedTuple

from tdvc.model.numbers import Number, value_of
from tdvc.model.patterns import compiled, longest_text
from tdvc.model.schema import CHOICES, Attribute, Schema

ANSWER_PROBLEMS: dict[str, str] = {
    "attribute-count": "too few or too many answers of a multiple select",
    "attribute-date": "text that is no date such as 2026-11-01",
    "attribute-kind": "an answer of another kind than the attribute's",
    "attribute-length": "a text longer than the attribute allows",
    "attribute-missing": "no answer where the attribute is required",
    "attribute-orphan": "an answer to a question that is only asked under an answer that was not given",
    "attribute-pattern": "a text that does not fit the attribute's pattern",
    "attribute-range": "a number below or above the attribute's range",
    "attribute-step": "a number between the attribute's steps",
    "attribute-time": "text that is no time such as 18:30",
    "unknown-attribute": "an attribute that is not asked of the label",
    "unknown-option": "an answer that is not among the attribute's options",
}
"""What each code of a bad answer means."""

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?", re.ASCII)
_EXACT = Context(prec=400, Emax=999_999, Emin=-999_999)
_SHOWN_OPTIONS = 8


class AnswerProblem(NamedTuple):
    """One thing wrong with the answers of one instance, file or sequence.

    Attributes:
        code: a key of `ANSWER_PROBLEMS`.
        attribute: key of the attribute.
        value: the answer, None where there is none.
        expected: what would be right, in words.
    """

    code: str
    attribute: str
    value: Any
    expected: str


def answer_problems(schema: Schema, keys: Iterable[str], values: Mapping[str, Any]) -> Iterator[AnswerProblem]:
    """What is wrong with answers.

    Args:
        schema: what is asked.
        keys: the attributes at the top, such as those of a label.
        values: attribute key to answer, JSON with numbers as `numbers.Number` or as Python's; null is no answer.
    """
    met: set[str] = set()
    keys = tuple(keys)
    waiting = list(reversed(keys))
    while waiting:
        key = waiting.pop()
        attribute = schema.attributes.get(key)
        if key in met or attribute is None:
            continue
        met.add(key)
        value = values.get(key)
        if value is None and attribute.required and attribute.default is None:
            yield AnswerProblem("attribute-missing", key, None, _expected(attribute))
        elif value is not None:
            yield from value_problems(attribute, value)
        waiting.extend(reversed(children(attribute, attribute.default if value is None else value)))
    left = [key for key, value in values.items() if value is not None and key not in met]
    if left:
        yield from _not_asked(schema, keys, values, left)


def _not_asked(
    schema: Schema, keys: Iterable[str], values: Mapping[str, Any], left: Iterable[str]
) -> Iterator[AnswerProblem]:
    parents: dict[str, list[str]] = {}
    for attribute in attribute_tree(schema, keys):
        for condition, below in branches(attribute):
            for key in below:
                parents.setdefault(key, []).append(f"{attribute.key} = {condition}")
    for key in left:
        if key in parents:
            expected = f"no answer unless {' or '.join(parents[key][:_SHOWN_OPTIONS])}"
            yield AnswerProblem("attribute-orphan", key, values[key], expected)
        else:
            yield AnswerProblem("unknown-attribute", key, values[key], "an attribute that is asked of the label")


def attribute_tree(schema: Schema, keys: Iterable[str]) -> Iterator[Attribute]:
    """The attributes of these keys and all that can be asked below them, each once, from the top."""
    waiting = list(reversed(tuple(keys)))
    met: set[str] = set()
    while waiting:
        attribute = schema.attributes.get(waiting.pop())
        if attribute is not None and attribute.key not in met:
            met.add(attribute.key)
            yield attribute
            waiting.extend(reversed([key for _, below in branches(attribute) for key in below]))


def branches(attribute: Attribute) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The answers under which something is asked, as text, and the keys of what is."""
    for option in attribute.options:
        if option.attributes:
            yield option.key, option.attributes
    if attribute.when:
        yield "true", attribute.when


def children(attribute: Attribute, value: Any) -> list[str]:
    """The keys of what is asked under an answer."""
    if attribute.kind == "checkbox":
        return list(attribute.when) if value is True else []
    if attribute.kind not in CHOICES:
        return []
    chosen = value if isinstance(value, list | tuple) else [value]
    return [key for option in attribute.options if option.key in chosen for key in option.attributes]


def value_problems(attribute: Attribute, value: Any) -> Iterator[AnswerProblem]:
    """What is wrong with one answer that is there."""
    for code, expected in _CHECKS.get(attribute.kind, _no_kind)(attribute, value):
        yield AnswerProblem(code, attribute.key, value, expected)


_Found = Iterator[tuple[str, str]]


def _no_kind(attribute: Attribute, value: Any) -> _Found:
    del value
    yield "attribute-kind", f"an attribute of a known kind, not {attribute.kind!r}"


def _expected(attribute: Attribute) -> str:
    """What kind of answer an attribute wants, in words."""
    if attribute.kind == "multiple_select":
        return f"a list of {_options(attribute)}"
    if attribute.kind in CHOICES:
        return f"one of {_options(attribute)}"
    return _WANTED.get(attribute.kind, "an answer")


_WANTED = {
    "checkbox": "true or false",
    "date": "a date such as 2026-11-01",
    "number": "a number",
    "slider": "a number",
    "text": "text",
    "time": "a time such as 18:30",
}


def _options(attribute: Attribute) -> str:
    keys = [option.key for option in attribute.options]
    return ", ".join(keys[:_SHOWN_OPTIONS]) + (", …" if len(keys) > _SHOWN_OPTIONS else "")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _checkbox(attribute: Attribute, value: Any) -> _Found:
    if not isinstance(value, bool):
        yield "attribute-kind", _expected(attribute)


def _choice(attribute: Attribute, value: Any) -> _Found:
    if not _is_text(value):
        yield "attribute-kind", _expected(attribute)
    elif all(option.key != value for option in attribute.options):
        yield "unknown-option", _expected(attribute)


def _choices(attribute: Attribute, value: Any) -> _Found:
    if not isinstance(value, list | tuple) or not all(map(_is_text, value)):
        yield "attribute-kind", _expected(attribute)
        return
    known = {option.key for option in attribute.options}
    if not known.issuperset(value):
        yield "unknown-option", _expected(attribute)
    least, most = attribute.min_count, attribute.max_count
    if len(set(value)) < len(value):
        yield "attribute-count", "each answer once"
    elif (least is not None and len(value) < least) or (most is not None and len(value) > most):
        yield "attribute-count", _range(least, most, "answers")


def _text(attribute: Attribute, value: Any) -> _Found:
    if not _is_text(value):
        yield "attribute-kind", _expected(attribute)
        return
    if attribute.max_length is not None and len(value) > attribute.max_length:
        yield "attribute-length", f"at most {attribute.max_length:,} characters"
    if attribute.pattern:
        yield from _unmatched(attribute.pattern, value)


def _unmatched(pattern: str, value: str) -> _Found:
    try:
        longest, fits = longest_text(pattern), compiled(pattern)
    except ValueError as error:
        yield "attribute-pattern", f"a pattern that can be used; this one {error}"
        return
    if len(value) > longest:
        yield "attribute-pattern", f"at most {longest:,} characters, to be matched with {pattern}"
    elif not fits.fullmatch(value):
        yield "attribute-pattern", f"text that fits {pattern}"


def _number(attribute: Attribute, value: Any) -> _Found:
    text = str(value)
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | Number):
            raise ValueError(text)
        exact = value_of(text)
    except ValueError:
        yield "attribute-kind", _expected(attribute)
        return
    low = None if attribute.minimum is None else value_of(attribute.minimum)
    high = None if attribute.maximum is None else value_of(attribute.maximum)
    if (low is not None and exact < low) or (high is not None and exact > high):
        yield "attribute-range", _range(attribute.minimum, attribute.maximum)
    elif attribute.step is not None and not _on_step(exact, low, value_of(attribute.step)):
        start = f" from {attribute.minimum}" if low else ""
        yield "attribute-step", f"a whole multiple of {attribute.step}{start}"


def _on_step(exact: Any, low: Any, step: Any) -> bool:
    """Whether a number is on a step, in decimal and so exactly; false where it has hundreds of digits."""
    try:
        return not _EXACT.remainder(_EXACT.subtract(exact, low or 0), step)
    except InvalidOperation:
        return False


def _range(low: Any, high: Any, what: str = "") -> str:
    noun = f" {what}" if what else ""
    if low is None or high is None:
        return f"at most {high}{noun}" if low is None else f"at least {low}{noun}"
    return f"{low} to {high}{noun}"


def _date(attribute: Attribute, value: Any) -> _Found:
    if not _is_text(value):
        yield "attribute-kind", _expected(attribute)
    elif not (_DATE.fullmatch(value) and _parses(date.fromisoformat, value)):
        yield "attribute-date", _expected(attribute)


def _time(attribute: Attribute, value: Any) -> _Found:
    if not _is_text(value):
        yield "attribute-kind", _expected(attribute)
    elif not (_TIME.fullmatch(value) and _parses(time.fromisoformat, value)):
        yield "attribute-time", _expected(attribute)


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_CHECKS: dict[str, Callable[[Attribute, Any], _Found]] = {
    "checkbox": _checkbox,
    "date": _date,
    "multiple_select": _choices,
    "number": _number,
    "radio": _choice,
    "select": _choice,
    "slider": _number,
    "text": _text,
    "time": _time,
}
