"""Evaluating: the same answers as going through the instances one by one."""

from __future__ import annotations

import fnmatch
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdvc.model.schema import Attribute, Label, Option, Schema
from tdvc.query import parse
from tdvc.query.evaluate import Column, Evaluator, Values
from tdvc.query.tree import Member, Property

SCHEMA = Schema(
    labels={
        "animal": Label("animal", "Animal", 0),
        "dog": Label("dog", "Hund", 1, parent="animal", aliases=("hound",)),
        "puppy": Label("puppy", "puppy", 2, parent="dog"),
        "tree": Label("tree", "tree", 3),
        "loop": Label("loop", "loop", 4, parent="loop"),
    },
    attributes={"fur": Attribute("fur", "select", name="Fur", options=(Option("s", "short"), Option("l", "long")))},
)
MEMBERS = {0, 2}
FILES: list[dict[str, Any]] = [
    {
        "path": "a.jpg",
        "size": 10,
        "complete": True,
        "captured_at": 100.0,
        "split": ["train", "val"],
        "property": {"camera": {"name": "x"}, "taken": "1970-01-02"},
        "items": [
            {"label": "dog", "area": 500.0, "score": 0.5, "attribute": {"fur": "s", "age": 3, "old": False, "cut": 1}},
            {"label": "tree", "area": 20.0, "score": None, "attribute": {"fur": ["s", "l"], "age": "3"}},
        ],
    },
    {
        "path": "night/b.png",
        "size": 20,
        "complete": False,
        "captured_at": None,
        "split": None,
        "property": {},
        "items": [],
    },
    {
        "path": "night/c_d.jpg",
        "size": 30,
        "complete": True,
        "captured_at": None,
        "split": ["train"],
        "property": {"camera.name": "y", "n": None},
        "items": [
            {"label": "puppy", "area": 900.0, "score": 0.9, "attribute": {}},
            {"label": "puppy", "area": 5.0, "score": 0.1, "attribute": {"old": True, "cut": 0}},
        ],
    },
]


class Columns:
    """Files and their instances as columns."""

    def __init__(self, files: list[dict[str, Any]]) -> None:
        self._files = files
        self._instances = [(number, item) for number, file in enumerate(files) for item in file["items"]]
        self.file_count = len(files)
        self.owners = np.array([number for number, _ in self._instances], np.int64)

    def column(self, subject: Property) -> Column:
        holders = [item for _, item in self._instances] if subject.of_instances else self._files
        found = [value_of(holder, subject) for holder in holders]
        if subject.kind in ("number", "moment"):
            return np.array([np.nan if value is None else value for value in found], np.float64)
        return Values(np.arange(len(found)), found)

    def member(self, member: Member) -> np.ndarray:
        return np.isin(np.arange(self.file_count), list(MEMBERS))


def value_of(holder: dict[str, Any], subject: Property) -> Any:
    if not subject.path:
        return len(holder["items"]) if subject.name == "instances" else holder.get(subject.name)
    value = holder[subject.name]
    if ".".join(subject.path) in value:
        return value[".".join(subject.path)]
    for name in subject.path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def paths(query: str, now: float = 0.0) -> str:
    """The first letters of the names of the files that fit."""
    fits = Evaluator(parse(query), SCHEMA, now).files(Columns(FILES))
    return "".join(file["path"].removeprefix("night/")[0] for file, fit in zip(FILES, fits, strict=True) if fit)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("path = 'a.jpg'", "a"),
        ("path != 'a.jpg'", "bc"),
        ("path like 'night/%'", "bc"),
        ("path like '%/c_d%'", "c"),
        ("path like '*'", ""),
        ("path like '%[%'", ""),
        ("path not like '%.jpg'", "b"),
        ("path glob '*.jpg'", "ac"),
        ("path > 'b'", "bc"),
        ("size > 10 and size <= 20", "b"),
        ("size in (10, 30)", "ac"),
        ("size not in (10, 30)", "b"),
        ("complete", "ac"),
        ("complete = false", "b"),
        ("instances = 0", "b"),
        ("captured_at > 1970-01-01", "a"),
        ("not captured_at > 1970-01-01", "bc"),
        ("captured_at > now - 1 minute", "a"),
        ("captured_at != 1970-01-02", "a"),
        ("captured_at is null", "bc"),
        ("exists captured_at", "a"),
        ("split = 'val'", "a"),
        ("split != 'val'", "c"),
        ("split is null", "b"),
        ("property.camera.name = 'x'", "a"),
        ("property.camera.name in ('x', 'y')", "ac"),
        ("property.taken = 1970-01-02", "a"),
        ("property.taken >= now", "a"),
        ("property.n is null", "abc"),
        ("exists property.camera", "a"),
        ("label = 'animal'", "ac"),
        ("label == 'animal'", ""),
        ("label = 'Hund'", "ac"),
        ("label == 'hound'", "a"),
        ("label = 'dog' and label = 'puppy'", "c"),
        ("label != 'animal'", "a"),
        ("label in ('tree', 'puppy')", "ac"),
        ("label like 'H%'", "a"),
        ("label = 'loop'", ""),
        ("label = 'unicorn'", ""),
        ("not label = 'tree'", "bc"),
        ("any(not label = 'tree')", "ac"),
        ("all(label = 'puppy')", "bc"),
        ("all(label = 'puppy') and any(area > 1)", "c"),
        ("count(label = 'puppy') = 2", "c"),
        ("count(label = 'puppy' and area > 400) >= 1", "c"),
        ("count(area > 1) != 2", "b"),
        ("label = 'tree' and area > 400", ""),
        ("any(label = 'tree') and any(area > 400)", "a"),
        ("score < 0.2", "c"),
        ("score is null", "a"),
        ("score != 0.5", "c"),
        ("area > size", "ac"),
        ("area < size", "c"),
        ("any(area < size and complete)", "c"),
        ("attribute.fur = 'short'", "a"),
        ("attribute.fur = 'long'", "a"),
        ("attribute.age = 3", "a"),
        ("count(attribute.age = 3) = 1", "a"),
        ("count(attribute.age = '3') = 1", "a"),
        ("attribute.age > '2'", "a"),
        ("attribute.old", "c"),
        ("attribute.old = false", "a"),
        ("attribute.old = 0", ""),
        ("any(attribute.cut)", "a"),
        ("any(attribute.cut = false)", "c"),
        ("any(attribute.age)", ""),
        ("attribute.age in (1, 3)", "a"),
        ("exists attribute.old", "ac"),
        ("attribute.old is null", "ac"),
        ("in_directory('X')", "ac"),
        ("any(area < 10 and in_directory('X'))", "c"),
        ("not in_directory('X') or size = 10", "ab"),
    ],
)
def test_what_fits(query: str, expected: str) -> None:
    assert paths(query) == expected


def test_no_files_and_no_instances() -> None:
    empty = Columns([])
    for query in ("label = 'dog'", "count(area > 1) = 0", "complete", "in_directory('X')"):
        assert Evaluator(parse(query), SCHEMA, 0.0).files(empty).tolist() == []


# random queries against going through everything one by one

NUMBERS = st.sampled_from([0, 1, 2, 2.5])
WORDS = st.sampled_from(["a", "ab", "b", "tree", "dog", "puppy"])
_ITEMS = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["dog", "puppy", "tree"]),
        "area": NUMBERS,
        "score": NUMBERS | st.none(),
        "attribute": st.dictionaries(st.sampled_from(["x", "y"]), NUMBERS | WORDS | st.booleans(), max_size=2),
    }
)
_FILE = st.fixed_dictionaries(
    {"path": WORDS, "size": NUMBERS, "complete": st.booleans(), "items": st.lists(_ITEMS, max_size=3)}
)
_COMPARING = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
_OF_ITEM = st.one_of(
    st.tuples(st.sampled_from(["area", "score", "attribute.x", "attribute.y"]), _COMPARING, NUMBERS),
    st.tuples(st.sampled_from(["attribute.x", "attribute.y"]), _COMPARING, WORDS),
    st.tuples(st.just("label"), st.sampled_from(["=", "!="]), WORDS),
    st.tuples(st.sampled_from(["score", "attribute.x"]), st.just("exists"), st.none()),
)
_OF_FILE = st.one_of(
    st.tuples(st.just("size"), _COMPARING, NUMBERS),
    st.tuples(st.just("path"), _COMPARING, WORDS),
    st.tuples(st.just("path"), st.just("glob"), st.sampled_from(["*", "a*", "?"])),
    st.tuples(st.just("complete"), st.just("="), st.booleans()),
)


def _joined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
    )


_FOR_ITEMS = st.recursive(_OF_ITEM | _OF_FILE, _joined, max_leaves=4)
_FOR_FILES = st.recursive(
    st.one_of(
        _OF_FILE,
        st.tuples(st.sampled_from(["any", "all"]), _FOR_ITEMS),
        st.tuples(st.just("count"), _FOR_ITEMS, _COMPARING, st.integers(0, 3)),
    ),
    _joined,
    max_leaves=4,
)
_PYTHON = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def spelled(query: tuple[Any, ...]) -> str:
    match query:
        case ("not", inner):
            return f"not ({spelled(inner)})"
        case ("and" | "or" as word, items):
            return f" {word} ".join(f"({spelled(item)})" for item in items)
        case ("any" | "all" as word, inner):
            return f"{word}({spelled(inner)})"
        case ("count", inner, operator, number):
            return f"count({spelled(inner)}) {operator} {number}"
        case (name, "exists", _):
            return f"exists {name}"
        case (name, operator, value):
            text = f"'{value}'" if isinstance(value, str) else str(value).lower()
            return f"{name} {operator} {text}"
    raise AssertionError(query)


def holds(query: tuple[Any, ...], file: dict[str, Any], item: dict[str, Any] | None = None) -> bool:
    match query:
        case ("not", inner):
            return not holds(inner, file, item)
        case ("and", items):
            return all(holds(each, file, item) for each in items)
        case ("or", items):
            return any(holds(each, file, item) for each in items)
        case ("any", inner):
            return any(holds(inner, file, each) for each in file["items"])
        case ("all", inner):
            return all(holds(inner, file, each) for each in file["items"])
        case ("count", inner, operator, number):
            return bool(_PYTHON[operator](sum(holds(inner, file, each) for each in file["items"]), number))
        case (name, operator, wanted):
            return compares(name, operator, wanted, file, item)
    raise AssertionError(query)


def compares(name: str, operator: str, wanted: Any, file: dict[str, Any], item: dict[str, Any] | None) -> bool:
    whole, _, part = name.partition(".")
    holder = file if whole in file else item or {}
    value = holder["attribute"].get(part) if part else holder[whole]
    if value is None:
        return False
    if operator == "exists":
        return True
    if operator == "glob":
        return fnmatch.fnmatchcase(value, wanted)
    if name == "label":
        below = {"dog": ("dog", "puppy")}.get(wanted, (wanted,))
        return (value in below) == (operator == "=")
    alike = type(value) is type(wanted) or {type(value), type(wanted)} == {int, float}
    return bool(_PYTHON[operator](value, wanted)) if alike else operator == "!="


@settings(max_examples=300, deadline=None)
@given(_FOR_FILES, st.lists(_FILE, max_size=4))
def test_random_queries_find_what_going_through_everything_finds(query: Any, files: list[dict[str, Any]]) -> None:
    found = Evaluator(parse(spelled(query)), SCHEMA, 0.0).files(Columns(files))
    assert found.tolist() == [holds(query, file) for file in files]
