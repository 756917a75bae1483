"""From the text of a query to its conditions: one pass from left to right, with a bound on how deep things nest.

`docs/query.md` holds the grammar; each method here is one rule of it.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, replace

from tdvc.errors import Usage
from tdvc.query.lexer import Token, bad_query, tokens
from tdvc.query.moments import UNITS, seconds_of
from tdvc.query.properties import MEMBERS, NAMED, PROPERTIES, text_problem
from tdvc.query.tree import (
    And,
    Comparison,
    Condition,
    Count,
    Member,
    Moment,
    Not,
    Or,
    Order,
    Property,
    Some,
    Value,
    about_files,
    parts,
    subjects,
)

MAX_DEPTH = 40
MAX_UNITS = 1_000_000

_COMPARISONS = ("=", "==", "!=", "<", "<=", ">", ">=")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_KINDS = {"number": "a number", "text": "a text in single quotes", "truth": "true or false", "moment": "a date"}
_SOME_OF = ("any", "all", "count")


@dataclass(frozen=True, slots=True)
class Query:
    """A query that was understood.

    Attributes:
        text: as it was written.
        condition: what it asks of a file.
    """

    text: str
    condition: Condition

    def asks_for(self, *names: str) -> bool:
        """Whether it looks at one of some properties."""
        return any(subject.name in names for subject in subjects(self.condition))

    @property
    def members(self) -> frozenset[Member]:
        """The directories, snapshots and revisions that the answer depends on, beside the state that is asked."""
        return frozenset(part for part in parts(self.condition) if isinstance(part, Member))

    @property
    def labels(self) -> frozenset[str]:
        """The labels that are asked for by key, name or alias."""
        comparisons = (part for part in parts(self.condition) if isinstance(part, Comparison))
        asked = (one for one in comparisons if one.subject.name == "label" and one.operator in ("=", "==", "in"))
        return frozenset(value for one in asked for value in one.values if isinstance(value, str))

    @property
    def moves(self) -> bool:
        """Whether the answer depends on when it is asked: it says `now`."""
        comparisons = (part for part in parts(self.condition) if isinstance(part, Comparison))
        return any(isinstance(value, Moment) and value.start is None for one in comparisons for value in one.values)


def parse(text: str) -> Query:
    """Understand a query.

    Raises:
        Usage: bad-query; its fields `query` and `position` say at which character.
    """
    return Query(text, about_files(_Parser(text).whole()))


def parse_order(text: str) -> tuple[Order, ...]:
    """Understand what files are ranked by, such as `captured_at desc, path`; nothing for an empty text.

    Raises:
        Usage: bad-query; its fields `query` and `position` say at which character.
    """
    return _Parser(text).orders() if text.strip() else ()


class _Parser:
    """One query on its way; `_inside` is the function whose instances are asked, or empty."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0
        self._inside = ""

    # words

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._peek()
        self._next += 1
        return token

    def _accept(self, *keywords: str) -> Token | None:
        return self._take() if self._peek().keyword in keywords else None

    def _expect(self, keyword: str, why: str) -> Token:
        return self._accept(keyword) or self._fail(self._peek(), f"{keyword!r} should stand here, {why}.")

    def _fail(self, token: Token, problem: str, hint: str = "") -> Token:
        raise self._bad(token, problem, hint)

    def _bad(self, token: Token, problem: str, hint: str = "") -> Usage:
        return bad_query(self._text, token.at, problem, hint)

    # conditions

    def whole(self) -> Condition:
        """All of it."""
        condition = self._condition()
        if self._peek().kind != "end":
            raise self._bad(self._peek(), "Here 'and', 'or' or the end should stand.")
        return condition

    def orders(self) -> tuple[Order, ...]:
        """All of it, as what files are ranked by."""
        found = [self._order()]
        while self._accept(","):
            found.append(self._order())
        if self._peek().kind != "end":
            raise self._bad(self._peek(), "Here 'asc', 'desc', a comma or the end should stand.")
        return tuple(found)

    def _order(self) -> Order:
        at = self._peek()
        subject = self._property()
        if subject.of_instances:
            raise self._bad(at, f"Files are ranked by what they have themselves, and {at.text} is of instances.")
        direction = self._accept("asc", "desc")
        return Order(subject, descending=direction is not None and direction.keyword == "desc")

    def _condition(self) -> Condition:
        items = [self._conjunction()]
        while self._accept("or"):
            items.append(self._conjunction())
        return Or(tuple(items)) if len(items) > 1 else items[0]

    def _conjunction(self) -> Condition:
        items = [self._negation()]
        while self._accept("and"):
            items.append(self._negation())
        return And(tuple(items)) if len(items) > 1 else items[0]

    def _negation(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._bad(self._peek(), f"A query nests {MAX_DEPTH} deep at most.")
        condition = Not(self._negation()) if self._accept("not") else self._primary()
        self._depth -= 1
        return condition

    def _primary(self) -> Condition:
        token = self._peek()
        if self._accept("("):
            condition = self._condition()
            self._expect(")", f"for the '(' at character {token.at + 1}")
            return condition
        if self._accept("exists"):
            return Comparison(self._property(), "exists")
        if self._peek(1).keyword == "(" and token.kind == "word" and token.keyword not in ("in", "and", "or"):
            return self._function()
        if token.kind in ("word", "text", "number", "date") or token.keyword in ("+", "-"):
            return self._comparison()
        raise self._bad(
            token, "A condition should stand here." if token.kind != "end" or not token.at else "The query has no end."
        )

    def _function(self) -> Condition:
        name = self._take()
        if name.keyword in MEMBERS:
            return self._member(name)
        if name.keyword not in _SOME_OF:
            raise self._bad(name, f"There is no {name.text}().", _nearest(name.text, [*_SOME_OF, *MEMBERS]))
        if self._inside:
            raise self._bad(name, f"{name.keyword}() can't stand inside {self._inside}().")
        self._take()
        self._inside = name.keyword
        condition = self._condition()
        self._inside = ""
        self._expect(")", f"at the end of {name.keyword}()")
        if name.keyword == "count":
            return self._count(condition)
        return Some(condition) if name.keyword == "any" else Not(Some(Not(condition)))

    def _member(self, name: Token) -> Condition:
        self._take()
        given = self._take()
        if given.kind != "text":
            raise self._bad(given, f"{name.keyword}() takes a name in single quotes.")
        self._expect(")", f"at the end of {name.keyword}()")
        return Member(name.keyword, given.text)

    def _count(self, condition: Condition) -> Condition:
        operator = self._accept(*_COMPARISONS)
        if operator is None:
            raise self._bad(self._peek(), "count() is compared with a number, such as count(…) >= 2.")
        at = self._peek()
        number = self._value()
        if isinstance(number, bool) or not isinstance(number, float):
            raise self._bad(at, "count() is compared with a number.")
        return Count(condition, "=" if operator.text == "==" else operator.text, number)

    # comparisons

    def _comparison(self) -> Condition:
        if self._stands_for_value():
            return self._turned_comparison()
        at = self._peek()
        subject = self._property()
        if self._accept("is"):
            negated = self._accept("not") is None
            self._expect("null", "after 'is'")
            return Comparison(subject, "exists", negated=negated)
        negated = self._accept("not") is not None
        operator = self._accept("in", "like", "glob")
        if operator is not None:
            return replace(self._many(subject, operator), negated=negated)
        if negated:
            raise self._bad(self._peek(), "'in', 'like' or 'glob' should stand here, after 'not'.")
        operator = self._accept(*_COMPARISONS)
        if operator is None:
            return self._alone(subject, at)
        value = self._fitting(subject, operator)
        return _comparison_of(subject, operator.text, value)

    def _alone(self, subject: Property, at: Token) -> Condition:
        if subject.kind in ("truth", "any"):
            return Comparison(subject, "=", (True,))
        raise self._bad(self._peek(), f"{at.text} must be compared with something, such as {_example(subject)}.")

    def _turned_comparison(self) -> Condition:
        """A comparison that begins with the value."""
        start = self._next
        self._value()
        operator = self._accept(*_COMPARISONS)
        if operator is None:
            raise self._bad(self._peek(), "A value must be compared with something.")
        subject = self._property()
        end, self._next = self._next, start
        value = self._fitting(subject, operator)
        self._next = end
        return _comparison_of(subject, _TURNED.get(operator.text, operator.text), value)

    def _many(self, subject: Property, operator: Token) -> Comparison:
        """What follows `in`, `like` and `glob`."""
        keyword = operator.keyword
        if keyword != "in":
            pattern = self._take()
            if pattern.kind != "text" or subject.kind not in ("text", "any"):
                raise self._bad(pattern if pattern.kind != "text" else operator, f"{keyword} compares texts.")
            return Comparison(subject, keyword, (pattern.text,))
        self._expect("(", "after 'in'")
        values = [self._fitting(subject, operator)]
        while self._accept(","):
            values.append(self._fitting(subject, operator))
        self._expect(")", "at the end of the list")
        return Comparison(subject, "in", tuple(values))

    def _property(self) -> Property:
        name = self._take()
        if name.kind != "word":
            raise self._bad(name, "The name of a property should stand here.")
        if name.text not in PROPERTIES:
            hint = _nearest(name.text, list(PROPERTIES), f"An attribute is attribute.{name.text}. ")
            raise self._bad(name, f"There is no property {name.text!r}.", hint)
        meaning = PROPERTIES[name.text]
        path = []
        while self._peek().text == "." and name.text in NAMED and self._accept("."):
            part = self._take()
            if part.kind not in ("word", "text"):
                raise self._bad(part, "A name should stand here, in single quotes where it has other characters.")
            path.append(part.text)
        if name.text in NAMED and not path:
            raise self._bad(name, f"Say which: {name.text}.NAME.")
        return Property(name.text, meaning.kind, meaning.of_instances, tuple(path))

    # values

    def _stands_for_value(self) -> bool:
        token = self._peek()
        return token.kind != "word" or token.keyword in ("now", "true", "false")

    def _fitting(self, subject: Property, operator: Token) -> Value | Property:
        """A value that can be compared with a property."""
        at = self._peek()
        if not self._stands_for_value():
            other = self._property()
            if subject.kind != "number" or other.kind != "number" or operator.keyword == "in":
                raise self._bad(at, "Only numbers can be compared with another property.", "Texts need single quotes.")
            return other
        value = self._value()
        if subject.kind == "moment" and isinstance(value, str) and (seconds := seconds_of(value)) is not None:
            value = Moment(seconds)
        if subject.kind not in ("any", _kind(value)):
            raise self._bad(at, f"{subject.name} is compared with {_KINDS[subject.kind]}.")
        is_equal = operator.keyword == "in" or operator.text in ("=", "==", "!=")
        if is_equal and isinstance(value, str) and (problem := text_problem(subject.name, value)) is not None:
            raise self._bad(at, *problem)
        if isinstance(value, bool) and operator.text not in ("=", "==", "!=") and operator.keyword != "in":
            raise self._bad(operator, "true and false are neither more nor less than anything.")
        return value

    def _value(self) -> Value:
        sign = self._accept("+", "-")
        token = self._take()
        if token.kind == "number":
            number = float(token.text)
            if not math.isfinite(number):
                raise self._bad(token, "That number is too large.")
            return -number if sign and sign.text == "-" else number
        if sign:
            raise self._bad(token, f"A number should stand here, after {sign.text!r}.")
        if token.kind == "text":
            return token.text
        if token.keyword in ("true", "false"):
            return token.keyword == "true"
        if token.keyword == "now" or token.kind == "date":
            return self._moment(token)
        raise self._bad(token, "A value should stand here.")

    def _moment(self, token: Token) -> Moment:
        start = seconds_of(token.text) if token.kind == "date" else None
        if token.kind == "date" and start is None:
            raise self._bad(token, "There is no such date.")
        sign = self._accept("+", "-")
        if sign is None:
            return Moment(start)
        count, unit = self._take(), self._take()
        if count.kind != "number" or not count.text.isdigit() or int(count.text[:9]) > MAX_UNITS:
            raise self._bad(count, f"A whole number up to {MAX_UNITS:,} should stand here, such as now - 6 months.")
        if unit.keyword.removesuffix("s") not in UNITS:
            raise self._bad(unit, f"A unit should stand here: {', '.join(f'{name}s' for name in UNITS)}.")
        months, seconds = UNITS[unit.keyword.removesuffix("s")]
        steps = int(count.text[:9]) * (-1 if sign.text == "-" else 1)
        return Moment(start, months * steps, seconds * steps)


def _comparison_of(subject: Property, operator: str, value: Value | Property) -> Comparison:
    return Comparison(subject, "=" if operator == "!=" else operator, (value,), negated=operator == "!=")


def _kind(value: Value) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, float) else "text" if isinstance(value, str) else "moment"


def _example(subject: Property) -> str:
    return f"{subject.name} > 1" if subject.kind == "number" else f"{subject.name} = '…'"


def _nearest(name: str, known: list[str], otherwise: str = "") -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{otherwise}Known: {', '.join(known)}."
