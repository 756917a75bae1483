"""The rules about instances: their shapes, their labels and attributes, and where one says what another one says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from tdvc.model import numbers
from tdvc.model.attributes import AnswerProblem, answer_problems
from tdvc.model.schema import Schema
from tdvc.ops.validating_page import Hits, Ints, Page, Truths, where

_ENCLOSING = ("box", "ellipse", "polygon", "mask")
_SIDES = ("left", "top", "right", "bottom")


def shapes(page: Page) -> Iterator[Hits]:
    """Shapes that are wrong wherever they are drawn."""
    x0, y0, x1, y1 = page.box
    malformed = page.of_instances("malformed")
    area, points = page.of_instances("area"), page.of_instances("points")
    endless = np.isinf(x0) | np.isinf(x1) | np.isinf(area) | np.isinf(page.of_instances("score"))
    negative = (x1 < x0) | (y1 < y0) | (area < 0)
    few = ~malformed & ((page.is_a("polygon") & (points < 3)) | (page.is_a("polyline") & (points < 2)))
    crossing = page.of_instances("crosses_itself")  # what such an outline encloses can cancel out
    flat = page.is_a(*_ENCLOSING) & (area == 0) & ~malformed & ~few & ~crossing
    short = np.minimum(x1 - x0, y1 - y0)
    tiny = page.is_a(*_ENCLOSING) & (short < page.settings.tiny_px) & ~flat & ~negative & ~few
    width, height = page.frame_of_instance
    at_edge = page.is_a("box") & ((x1 == width) | (y1 == height)) & ~flat
    size = _size(page)
    yield Hits("malformed-geometry", where(malformed), page.geometry, lambda row: _of_type(page, row))
    yield Hits("not-finite", where(endless), lambda row: page.text("score", row), lambda _: "finite numbers")
    yield Hits("negative-size", where(negative), page.geometry, lambda _: "x0 <= x1 and y0 <= y1")
    yield Hits("zero-size", where(flat), page.geometry, lambda _: "an area above 0")
    yield Hits("too-few-points", where(few), page.geometry, lambda _: "three different points, two of a polyline")
    yield Hits("self-crossing", where(crossing), page.geometry, lambda _: "a simple outline")
    yield Hits("tiny", where(tiny), size, lambda _: f"sides of at least {page.settings.tiny_px:g} px")
    yield Hits("far-edge", where(at_edge), page.geometry, lambda row: _frame(page, row))


def _of_type(page: Page, row: int) -> str:
    return f"what a {page.text('type', row)} needs"


def _size(page: Page) -> Callable[[int], str]:
    x0, y0, x1, y1 = page.box
    return lambda row: f"{x1[row] - x0[row]:g} x {y1[row] - y0[row]:g} px"


def _frame(page: Page, row: int) -> str:
    width, height = page.frame_of_instance
    return f"a picture of {width[row]:g} x {height[row]:g} px"


def outside(page: Page) -> Iterator[Hits]:
    """Shapes that leave their picture, where its size is known."""
    width, height = page.frame_of_instance
    x0, y0, x1, y1 = page.box
    excess = np.stack((-x0, -y0, x1 - width, y1 - height))
    left = (excess > page.settings.outside_px).any(axis=0) & ~page.is_a("mask")
    inside = (np.minimum(x1, width) > np.maximum(x0, 0)) & (np.minimum(y1, height) > np.maximum(y0, 0))
    safe = left & inside & page.is_a("box")

    def tell(row: int) -> str:
        by = [f"{excess[side, row]:g} px at the {name}" for side, name in enumerate(_SIDES) if excess[side, row] > 0]
        return f"{page.geometry(row)} leaves it by {' and '.join(by)}"

    def fix(row: int) -> str:
        return "clamp it to the picture" if safe[row] and is_upright(page.text("geometry", row)) else ""

    yield Hits("outside-picture", where(left), tell, lambda row: _frame(page, row), fix)
    yield Hits("mask-size", _other_masks(page), lambda row: _mask_size(page, row), lambda row: _frame(page, row))


def is_upright(geometry: str) -> bool:
    """Whether a box is not turned, so that its corners can be moved by themselves."""
    found = msgspec.json.decode(geometry)
    return isinstance(found, list) and (len(found) == 4 or (len(found) == 5 and found[4] == 0))


class _Sized(msgspec.Struct):
    size: tuple[int, int]


_sized = msgspec.json.Decoder(_Sized)


def _other_masks(page: Page) -> Ints:
    """The masks whose size is not that of their picture."""
    width, height = page.frame_of_instance
    rows = where(page.is_a("mask") & ~page.of_instances("malformed") & ~np.isnan(width))
    sizes = [_sized.decode(page.text("geometry", row)).size for row in rows.tolist()]
    rows_and_sizes = zip(rows.tolist(), sizes, strict=True)
    return np.array([row for row, size in rows_and_sizes if size != (height[row], width[row])], np.int64)


def _mask_size(page: Page, row: int) -> str:
    height, width = _sized.decode(page.text("geometry", row)).size
    return f"{width} x {height} px"


def labels(page: Page) -> Iterator[Hits]:
    """Labels that the schema does not know, does not want any more, or does not allow for the type."""
    positions, names = page.labels
    types, type_names = page.types
    known = [page.schema.labels.get(name) for name in names]
    unknown = [at for at, label in enumerate(known) if label is None]
    deprecated = [at for at, label in enumerate(known) if label is not None and label.deprecated]
    denied = [
        at * len(type_names) + kind
        for at, label in enumerate(known)
        for kind, name in enumerate(type_names)
        if label is not None and not label.allows(name)
    ]

    def allowed(row: int) -> str:
        policies = page.schema.labels[page.text("label", row)].types
        return f"one of {', '.join(sorted(name for name, policy in policies.items() if policy != 'denied'))}"

    def label(row: int) -> str:
        return page.text("label", row)

    yield Hits("unknown-label", where(np.isin(positions, unknown)), label, lambda _: "a label of the schema")
    yield Hits("deprecated-label", where(np.isin(positions, deprecated)), label, lambda _: "a label in use")
    pairs = positions * len(type_names) + types
    yield Hits("type-not-allowed", where(np.isin(pairs, denied)), lambda row: page.text("type", row), allowed)


class Answers:
    """The rules about attributes. Each different set of answers to a label is looked at once.

    Only labels that ask for something are checked, or all where the schema is locked: in a schema that was learned,
    attributes that nobody declared are no mistake.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._found: dict[tuple[str, str], tuple[AnswerProblem, ...]] = {}
        self._asking = {key for key, label in schema.labels.items() if label.attributes or schema.locked}

    def __call__(self, page: Page) -> Iterator[Hits]:
        """Find bad answers, missing ones and those that nobody asked for."""
        positions, names = page.labels
        asking = [at for at, name in enumerate(names) if name in self._asking]
        rows = where(np.isin(positions, asking))
        if not len(rows):
            return
        texts = page.columns.instances.column("attributes").to_pylist()
        by_code: dict[str, dict[int, AnswerProblem]] = {}
        for row in rows:
            for problem in self._problems(names[positions[row]], texts[row]):
                by_code.setdefault(problem.code, {}).setdefault(int(row), problem)
        for code, found in by_code.items():
            yield Hits(code, np.array(list(found), np.int64), _value(found), _expected(found))

    def _problems(self, label: str, text: str) -> tuple[AnswerProblem, ...]:
        problems = self._found.get((label, text))
        if problems is None:
            answers = numbers.parse(text)
            problems = tuple(answer_problems(self._schema, self._schema.labels[label].attributes, answers))
            self._found[label, text] = problems
        return problems


def _value(found: dict[int, AnswerProblem]) -> Callable[[int], str]:
    def tell(row: int) -> str:
        problem = found[row]
        said = "nothing" if problem.value is None else _shown(problem.value)
        return f"{problem.attribute}: {said}"

    return tell


def _shown(value: Any) -> str:
    return numbers.spell(value).decode()[:80]


def _expected(found: dict[int, AnswerProblem]) -> Callable[[int], str]:
    return lambda row: found[row].expected


def identical(page: Page) -> Iterator[Hits]:
    """Instances that say what an earlier one of their file says."""
    content, properties = page.of_instances("content"), page.columns.instances.column("properties")
    again, first = repeated(page.file, content)
    rows = where(again)

    def fix(row: int) -> str:
        return "remove it" if properties[row].as_py() == properties[int(first[row])].as_py() else ""

    def other(row: int) -> str:
        return page.instance_id(int(first[row]))

    yield Hits("identical-instances", rows, lambda row: f"the same as {other(row)}", lambda _: "one of them", fix)


def repeated(*keys: Any) -> tuple[Truths, Ints]:
    """Which rows have the keys of an earlier row, and for each row the first one with its keys."""
    count = len(keys[0])
    order = np.lexsort((np.arange(count), *keys))
    same = np.zeros(count, bool)
    for key in keys:
        values = key[order]
        same[1:] |= values[1:] != values[:-1]
    same[1:] = ~same[1:]
    same[:1] = False
    starts = np.where(same, 0, np.arange(count))
    leaders = order[np.maximum.accumulate(starts)] if count else order
    again, first = np.zeros(count, bool), np.zeros(count, np.int64)
    again[order], first[order] = same, leaders
    return again, first
