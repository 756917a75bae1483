"""What a query says, as plain values: conditions on files, and on the instances of a file.

A query is always about files. What is below `Some` and `Count` is asked of each instance of a file; there a property of
the file means that of the instance's file. Every condition is true or false: a comparison with something that is not
there is false, whatever it compares, so `not` turns any condition round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, maybe counted from now, which is another one each time the query is asked.

    Attributes:
        start: seconds since 1970 in UTC; None for now.
        months: calendar months to add.
        seconds: seconds to add.
    """

    start: float | None
    months: int = 0
    seconds: float = 0.0


Value: TypeAlias = "float | str | bool | Moment"


@dataclass(frozen=True, slots=True)
class Property:
    """Something that files or instances have.

    Attributes:
        name: a key of `properties.PROPERTIES`.
        kind: `number`, `text`, `truth`, `moment`, or `any` for one that can hold anything JSON can.
        of_instances: whether instances have it, not files.
        path: for `attribute` and `property` the names behind the dots.
    """

    name: str
    kind: str
    of_instances: bool
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What files are ranked by: a property of theirs, and whether the most comes first."""

    subject: Property
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison.

    Attributes:
        subject: what is compared.
        operator: `= == < <= > >= in like glob exists`.
        values: what with; several for `in`, none for `exists`. A property only where both are numbers.
        negated: the subject is there and the comparison does not hold; for `exists`, it is not there.
    """

    subject: Property
    operator: str
    values: tuple[Value | Property, ...] = ()
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """Whether a file belongs to something: `in_directory`, `in_snapshot` or `changed_since`, of a name."""

    function: str
    name: str


@dataclass(frozen=True, slots=True)
class And:
    """All of several conditions."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of several conditions."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    item: Condition


@dataclass(frozen=True, slots=True)
class Some:
    """Whether some instance of the file fits."""

    item: Condition


@dataclass(frozen=True, slots=True)
class Count:
    """How many instances of the file fit, compared with a number by `= != < <= > >=`."""

    item: Condition
    operator: str
    number: float


Condition: TypeAlias = Comparison | Member | And | Or | Not | Some | Count


def parts(condition: Condition) -> Iterator[Condition]:
    """A condition and all those in it."""
    yield condition
    if isinstance(condition, And | Or):
        for item in condition.items:
            yield from parts(item)
    elif isinstance(condition, Not | Some | Count):
        yield from parts(condition.item)


def subjects(condition: Condition) -> Iterator[Property]:
    """All properties that a condition looks at."""
    for part in parts(condition):
        if isinstance(part, Comparison):
            yield part.subject
            yield from (value for value in part.values if isinstance(value, Property))


def about_files(condition: Condition) -> Condition:
    """A condition as a condition on files.

    Comparisons of instances that are joined by `and` or `or` are about one and the same instance, of which the file
    needs to have one. `not` is said of the file: it has none that fits.
    """
    if _is_about_one_instance(condition):
        return Some(condition)
    if isinstance(condition, And):
        return _joined(condition)
    if isinstance(condition, Or):
        return Or(tuple(about_files(item) for item in condition.items))
    return Not(about_files(condition.item)) if isinstance(condition, Not) else condition


def _joined(condition: And) -> Condition:
    """A chain of `and` whose comparisons of instances have become one condition."""
    together = tuple(item for item in condition.items if _is_about_one_instance(item))
    others = tuple(about_files(item) for item in condition.items if not _is_about_one_instance(item))
    return And((*others, Some(And(together)))) if together else And(others)


def _is_about_one_instance(condition: Condition) -> bool:
    if isinstance(condition, And | Or):
        return all(_is_about_one_instance(item) for item in condition.items)
    return isinstance(condition, Comparison) and any(subject.of_instances for subject in subjects(condition))
