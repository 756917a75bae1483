"""Attributes of instances, counted by label: who answered, what, and how numbers are spread.

Most instances say what others say too, so each different text of a page is read once. Somebody may have put anything
into attributes; what is kept of them has a bound, and what goes beyond it is counted as left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from tdvc.columns.arrays import words
from tdvc.model.schema import Schema
from tdvc.ops.stats.counting import Ints, Samples
from tdvc.ops.stats.records import Answer, AttributeFigures, Quantiles

MAX_QUESTIONS = 10_000
"""So many pairs of a label and an attribute are looked at."""

MAX_ANSWERS = 1000
"""So many different answers of one attribute of a label are told apart, those that came first."""

MAX_ANSWER = 200
"""Longer answers are cut to so many characters."""

_NUMERIC = frozenset((int, float))
_HUGE = 1e308
_TRUTHS = ("false", "true")
_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class _Question:
    """One attribute of one label; `group` is that of its numbers."""

    group: int
    answered: int = 0
    others: int = 0
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, value: Any, instances: int) -> None:
        """So many instances gave an answer that is no number, or several in a list."""
        for text in _spelled(value):
            answer = text[:MAX_ANSWER]
            if answer in self.counts or len(self.counts) < MAX_ANSWERS:
                self.counts[answer] = self.counts.get(answer, 0) + instances
            else:
                self.others += instances


class Answers:
    """What instances answered, noted page by page.

    Attributes:
        left_out: answers beyond the bounds.
    """

    def __init__(self) -> None:
        self._questions: dict[tuple[int, str], _Question] = {}
        self._numbers = Samples()
        self.left_out = 0

    def note(self, labels: Ints, attributes: Any) -> None:
        """Take notes of some instances: their labels, as places, and the column of their attributes."""
        positions, texts = words(attributes.dictionary_encode())
        if texts in ([], ["{}"]):
            return
        combined, counts = np.unique(labels * len(texts) + positions, return_counts=True)
        answers = list(map(_answers, texts))
        numbers: list[tuple[int, float, int]] = []
        for code, count in zip(combined.tolist(), counts.tolist(), strict=True):
            label, text = divmod(code, len(texts))
            for key, value in answers[text]:
                question = self._question(label, key)
                if question is None:
                    self.left_out += count
                    continue
                question.answered += count
                if type(value) in _NUMERIC and -_HUGE < value < _HUGE:
                    numbers.append((question.group, value, count))
                else:
                    question.take(value, count)
        self._take_numbers(numbers)

    def _take_numbers(self, numbers: list[tuple[int, float, int]]) -> None:
        """Numbers with the group of each, and how many instances gave it."""
        if numbers:
            groups, values, counts = zip(*numbers, strict=True)
            self._numbers.add(np.repeat(np.array(groups), counts), np.repeat(np.array(values, np.float64), counts))

    def _question(self, label: int, key: str) -> _Question | None:
        question = self._questions.get((label, key))
        if question is None and len(self._questions) < MAX_QUESTIONS:
            question = self._questions[label, key] = _Question(len(self._questions))
        return question

    def figures(self, schema: Schema, instances: Ints, top: int) -> dict[int, list[AttributeFigures]]:
        """What was answered by each label, by the key of the attribute.

        Args:
            schema: has the names.
            instances: of each label.
            top: how many answers are listed.
        """
        numbers = self._numbers.quantiles()
        found: dict[int, list[AttributeFigures]] = {}
        for (label, key), question in sorted(self._questions.items()):
            figures = _figures(schema, key, question, int(instances[label]), numbers.get(question.group), top)
            found.setdefault(label, []).append(figures)
        return found


def _answers(text: str) -> list[tuple[str, Any]]:
    """The attributes in a JSON object, without those that have no answer."""
    try:
        found = _decode(text)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return []
    if not isinstance(found, dict):
        return []
    return [(key, value) for key, value in found.items() if value is not None and value != []]


def _spelled(value: Any) -> list[str]:
    """An answer as text: of a list, each different item."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return list(dict.fromkeys(text for item in value for text in _spelled(item)))
    return [_TRUTHS[value] if isinstance(value, bool) else msgspec.json.encode(value).decode()]


def _figures(
    schema: Schema, key: str, question: _Question, instances: int, numbers: Quantiles | None, top: int
) -> AttributeFigures:
    attribute = schema.attributes.get(key)
    options = {option.key: option.name for option in attribute.options} if attribute else {}
    ordered = sorted(question.counts.items(), key=lambda item: (-item[1], item[0]))
    return AttributeFigures(
        key=key,
        name=(attribute.name if attribute else "") or key,
        answered=question.answered,
        share=question.answered / instances,
        different=len(ordered),
        others=question.others,
        answers=[
            Answer(value, options.get(value) or value, count, count / question.answered)
            for value, count in ordered[:top]
        ],
        numbers=numbers,
    )
