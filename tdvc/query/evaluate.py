"""For which files of a page a query holds, all at once.

A column is numbers, or positions in a list of values; a comparison is made once for each value of the list and then
taken to all rows. Which values a text can mean (the labels below a label, the option that goes by a name) is settled
by the schema of the state that is asked.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tdvc.model.schema import CHOICES, Schema
from tdvc.query.moments import resolved, seconds_of
from tdvc.query.parser import Query
from tdvc.query.tree import And, Comparison, Condition, Count, Member, Moment, Not, Or, Property, Some

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]


class Values(NamedTuple):
    """A column of anything.

    Attributes:
        positions: (n,) in `values`; -1 where there is nothing.
        values: what JSON can hold; None for nothing, a list for several.
    """

    positions: Ints
    values: Sequence[Any]


Column: TypeAlias = "Floats | Values"
"""Numbers, in which NaN is nothing; or anything."""


class Page(Protocol):
    """Files and their instances, as columns.

    Attributes:
        file_count: how many files there are.
        owners: (n,) the position of each instance's file.
    """

    file_count: int
    owners: Ints

    def column(self, subject: Property) -> Column:
        """What each file or each instance has; moments as seconds."""
        ...

    def member(self, member: Member) -> Truths:
        """Which files belong to something."""
        ...


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Accepts = Callable[[Any], bool]


class Evaluator:
    """A query that is asked of page after page of one state.

    Args:
        query: what is asked.
        schema: of the state.
        now: seconds since 1970.
    """

    def __init__(self, query: Query, schema: Schema, now: float) -> None:
        self._query = query
        self._words = _Words(schema, now)
        self._accepts: dict[Comparison, Accepts] = {}

    def files(self, page: Page) -> Truths:
        """(file_count,) for which files of a page the query holds."""
        return self._holds(self._query.condition, _Scope(page, of_instances=False))

    def _holds(self, condition: Condition, scope: _Scope) -> Truths:
        if isinstance(condition, Comparison):
            return self._compare(condition, scope)
        if isinstance(condition, Member):
            return scope.spread(scope.page.member(condition))
        if isinstance(condition, Not):
            return ~self._holds(condition.item, scope)
        if isinstance(condition, And | Or):
            join = np.logical_and if isinstance(condition, And) else np.logical_or
            found: Truths = join.reduce([self._holds(item, scope) for item in condition.items])
            return found
        return self._counted(condition, scope.page)

    def _counted(self, condition: Some | Count, page: Page) -> Truths:
        fitting = self._holds(condition.item, _Scope(page, of_instances=True))
        counts = np.bincount(page.owners[fitting], minlength=page.file_count)
        if isinstance(condition, Some):
            return counts > 0
        found: Truths = _COMPARE[condition.operator](counts, condition.number)
        return found

    def _compare(self, comparison: Comparison, scope: _Scope) -> Truths:
        column = scope.column(comparison.subject)
        if isinstance(column, Values):
            return self._compare_values(comparison, column)
        present = ~np.isnan(column)
        if comparison.operator == "exists":
            return ~present if comparison.negated else present
        if comparison.operator == "in":
            holds: Truths = np.isin(column, [self._words.number(value) for value in comparison.values])
        else:
            (value,) = comparison.values
            other = scope.column(value) if isinstance(value, Property) else self._words.number(value)
            holds = _COMPARE[comparison.operator](column, other)
            present = present & ~np.isnan(other)
        return present & ~holds if comparison.negated else present & holds

    def _compare_values(self, comparison: Comparison, column: Values) -> Truths:
        if comparison not in self._accepts:
            self._accepts[comparison] = self._words.accepts(comparison)
        accepts, negated = self._accepts[comparison], comparison.negated
        if comparison.operator == "exists":
            holds = [accepts(value) != negated for value in column.values]
            return np.array([*holds, negated], bool)[column.positions]
        holds = [value is not None and accepts(value) != negated for value in column.values]
        return np.array([*holds, False], bool)[column.positions]  # position -1, nothing, is the last one


@dataclass(frozen=True, slots=True)
class _Scope:
    """Whom a condition is asked of: the files of a page, or their instances."""

    page: Page
    of_instances: bool

    def column(self, subject: Property) -> Column:
        """A property of whom is asked; of an instance, those of its file are its own."""
        column = self.page.column(subject)
        if subject.of_instances or not self.of_instances:
            return column
        if isinstance(column, Values):
            return Values(column.positions[self.page.owners], column.values)
        return column[self.page.owners]

    def spread(self, of_files: Truths) -> Truths:
        """Something that holds for files, for whom is asked."""
        return of_files[self.page.owners] if self.of_instances else of_files


class _Words:
    """What the values of a query mean under a schema, at a moment."""

    def __init__(self, schema: Schema, now: float) -> None:
        self._schema = schema
        self._now = now

    def number(self, value: Any) -> float:
        """A number or moment as a number."""
        return resolved(value, self._now) if isinstance(value, Moment) else float(value)

    def accepts(self, comparison: Comparison) -> Accepts:
        """Whether a value, or one of several, is what a comparison asks for."""
        one = self._accepts_one(comparison)
        return lambda value: any(map(one, value)) if isinstance(value, list) else one(value)

    def _accepts_one(self, comparison: Comparison) -> Accepts:
        if comparison.operator == "exists":
            return lambda value: value is not None
        if comparison.operator in ("like", "glob"):
            return self._fits(comparison)
        if comparison.subject.name == "label" and comparison.operator in ("=", "==", "in"):
            return self._labels(comparison).__contains__
        wanted = [self._comparable(comparison.subject, value) for value in comparison.values]
        compare = _COMPARE.get(comparison.operator, operator.eq)
        return lambda value: any(_compared(compare, value, one) for one in wanted)

    def _fits(self, comparison: Comparison) -> Accepts:
        """A pattern, which a label's name can fit as well as its key."""
        pattern = str(comparison.values[0])
        matches = re.compile(fnmatch.translate(pattern if comparison.operator == "glob" else _as_glob(pattern))).match
        names = self._schema.names() if comparison.subject.name == "label" else {}
        return lambda value: isinstance(value, str) and bool(matches(value) or matches(names.get(value, value)))

    def _labels(self, comparison: Comparison) -> set[Any]:
        """The keys that are meant by names of labels: with those below them, unless they are meant exactly."""
        keys = {self._schema.key_of(str(text)) or str(text) for text in comparison.values}
        if comparison.operator == "==":
            return set(keys)
        below: dict[str, list[str]] = {}
        for label in self._schema.labels.values():
            below.setdefault(label.parent, []).append(label.key)
        waiting, found = list(keys), set(keys)
        while waiting:
            new = [key for key in below.get(waiting.pop(), ()) if key not in found]
            found.update(new)
            waiting += new
        return set(found)

    def _comparable(self, subject: Property, value: Any) -> Any:
        """A value as it stands in columns: an option by its key, a moment as `_Instant`."""
        if isinstance(value, Moment):
            return _Instant(resolved(value, self._now))
        if subject.name != "attribute" or not isinstance(value, str):
            return value
        attribute = self._schema.attributes.get(attribute_key(self._schema, ".".join(subject.path)))
        if (
            attribute is None
            or attribute.kind not in CHOICES
            or any(option.key == value for option in attribute.options)
        ):
            return value
        return next((option.key for option in attribute.options if option.name == value), value)


class _Instant(float):
    """A moment, which is compared with texts that are dates."""


def attribute_key(schema: Schema, text: str) -> str:
    """The key of an attribute, given by key or name; the text itself where there is none."""
    if text in schema.attributes:
        return text
    return next((attribute.key for attribute in schema.attributes.values() if attribute.name == text), text)


def _compared(compare: Callable[[Any, Any], Any], value: Any, wanted: Any) -> bool:
    """A comparison, which is false between things of different kinds."""
    if isinstance(wanted, _Instant):
        value = seconds_of(value) if isinstance(value, str) else None
        return value is not None and bool(compare(value, float(wanted)))
    if isinstance(wanted, bool):
        return isinstance(value, int | float) and value == wanted  # 0 and 1 are how many formats say it
    if isinstance(value, bool):
        return False
    alike = isinstance(value, str) if isinstance(wanted, str) else isinstance(value, int | float)
    return alike and bool(compare(value, wanted))


def _as_glob(pattern: str) -> str:
    """A pattern of `like`, in which `%` is any text and `_` any character, as a glob."""
    spelled = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(spelled.get(character, character) for character in pattern)
