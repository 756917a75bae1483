"""`stats`: figures of small states worked out by hand, and of any state against counting instance by instance."""

from __future__ import annotations

import io
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tdvc.errors import Corruption, NotFound, Usage
from tdvc.ids import Kind, ObjectId
from tdvc.model.geometry import area
from tdvc.model.records import Instance, make_instance
from tdvc.model.schema import Attribute, Label, Option, Schema
from tdvc.ops.annotate import complete
from tdvc.ops.committing import commit
from tdvc.ops.stats import stats
from tdvc.ops.stats.answers import MAX_ANSWERS
from tdvc.ops.stats.counting import Samples, Tally, quantiles_of
from tdvc.ops.stats.gathering import MAX_LABELS_OF_FILE
from tdvc.ops.stats.records import LabelFigures, Quantiles, StateStats
from tdvc.repo.directory import Directory
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.ops.build import box, fails, stock


def picture(width: int, height: int) -> bytes:
    encoded = io.BytesIO()
    Image.new("L", (width, height)).save(encoded, "PNG")
    return encoded.getvalue()


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Three pictures, one of them damaged, and a text."""
    dogs = [
        box("dog", (0, 0, 10, 20), attributes={"fur": "s", "age": 3}),
        box("dog", (0, 0, 20, 20), attributes={"fur": "l", "age": 5}),
    ]
    polygon = {"label": "cat", "type": "polygon", "geometry": [[[0, 0, 10, 0, 10, 10]]]}
    stock(
        repository,
        "Main",
        {
            "a.png": (picture(100, 40), [*dogs, polygon]),
            "b.png": (picture(50, 40), [box("dog", (0, 0, 10, 10), attributes={"tags": ["x", "y"], "age": None})]),
            "c.png": b"no picture",
            "d.txt": (b"text", [{"label": "night", "type": "tag"}]),
        },
    )
    with repository.transaction("schema") as edit:
        schema = repository["Main"].schema.learned(["dog", "cat", "night", "cow", "gone"])
        labels = {
            **schema.labels,
            "dog": Label("dog", "Dog", 0),
            "gone": replace(schema.labels["gone"], deprecated=True),
        }
        fur = Attribute("fur", "select", name="Fur", options=(Option("s", "short"), Option("l", "long")))
        edit.set_schema(replace(schema, labels=labels, attributes={"fur": fur}))
    return repository


def one(repository: Repository, *revisions: str, **options: Any) -> StateStats:
    (state,) = stats(repository, revisions, **options).states
    return state


def label(state: StateStats, key: str) -> LabelFigures:
    return next(found for found in state.labels if found.key == key)


def test_counts_of_a_state(pets: Repository) -> None:
    state = one(pets)
    assert (state.revision, state.directory, state.root) == ("Main", "Main", pets["Main"].root.hex())
    assert (state.files, state.bytes, state.instances) == pets["Main"].counts[:3]
    assert (state.files, state.instances, state.files_without_instances, state.damaged) == (4, 5, 1, 0)
    assert (state.label_count, state.mean_instances) == (3, 1.25)
    assert state.types == {"box": 3, "polygon": 1, "tag": 1}
    assert [(step.least, step.most, step.files) for step in state.instances_per_file] == [
        (0, 0, 1),
        (1, 1, 2),
        (2, 2, 0),
        (3, 4, 1),
    ]
    assert state.growth is None


def test_labels_are_ordered_with_unused_ones_last(pets: Repository) -> None:
    found = [(item.key, item.name, item.files, item.instances, item.share) for item in one(pets).labels]
    assert found == [
        ("dog", "Dog", 2, 3, 0.6),
        ("cat", "cat", 1, 1, 0.2),
        ("night", "night", 1, 1, 0.2),
        ("cow", "cow", 0, 0, 0.0),
    ]
    assert label(one(pets), "dog").types == {"box": 3}


def test_sizes(pets: Repository) -> None:
    dog, cat, night = (label(one(pets), key) for key in ("dog", "cat", "night"))
    assert dog.area == Quantiles(3, 100, 100, 100, 200, 400, 400, 400)
    assert dog.relative_area == Quantiles(3, 0.05, 0.05, 0.05, 0.05, 0.1, 0.1, 0.1)
    assert dog.aspect == Quantiles(3, 0.5, 0.5, 0.5, 1, 1, 1, 1)
    assert cat.area is not None
    assert cat.area.median == 50
    assert (night.area, night.relative_area, night.aspect) == (None, None, None)


def test_attributes(pets: Repository) -> None:
    age, fur, tags = label(one(pets), "dog").attributes
    assert (age.key, age.answered, age.share, age.different, age.answers) == ("age", 2, 2 / 3, 0, [])
    assert age.numbers == Quantiles(2, 3, 3, 3, 3, 5, 5, 5)
    assert (fur.name, fur.answered, fur.different, fur.numbers) == ("Fur", 2, 2, None)
    assert [(answer.value, answer.name, answer.count, answer.share) for answer in fur.answers] == [
        ("l", "long", 1, 0.5),
        ("s", "short", 1, 0.5),
    ]
    assert [(answer.value, answer.count, answer.share) for answer in tags.answers] == [("x", 1, 1.0), ("y", 1, 1.0)]


@pytest.mark.parametrize(
    ("value", "answers", "number"),
    [
        (True, ["true"], None),
        (0, [], 0.0),
        (1.5, [], 1.5),
        ("", [""], None),
        ([], None, None),
        (["a", "a", 2, False], ["2", "a", "false"], None),
        ({"left": [1]}, ['{"left":[1]}'], None),
        ("x" * 500, ["x" * 200], None),
        (10**400, [str(10**400)[:200]], None),
    ],
)
def test_what_counts_as_an_answer(
    repository: Repository, value: Any, answers: list[str] | None, number: float | None
) -> None:
    stock(repository, "Main", {"a": (b"a", [box("dog", attributes={"q": value})])})
    found = label(one(repository), "dog").attributes
    if answers is None:
        assert found == []
        return
    assert [answer.value for answer in found[0].answers] == answers
    assert (found[0].numbers.median if found[0].numbers else None) == number


def test_answers_beyond_the_bound_are_counted(repository: Repository) -> None:
    dogs = [box("dog", attributes={"name": f"{number:05}"}) for number in range(MAX_ANSWERS + 7)]
    stock(repository, "Main", {"a": (b"a", dogs)})
    (name,) = label(one(repository), "dog").attributes
    assert (name.answered, name.different, name.others, len(name.answers)) == (MAX_ANSWERS + 7, MAX_ANSWERS, 7, 10)


def test_attributes_beyond_the_bound_are_counted(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tdvc.ops.stats.answers.MAX_QUESTIONS", 2)
    stock(repository, "Main", {"a": (b"a", [box("dog", attributes={"a": "1", "b": "1", "c": "1"})])})
    state = one(repository)
    assert (len(label(state, "dog").attributes), state.answers_left_out) == (2, 1)


def test_labels_together(pets: Repository) -> None:
    stock(pets, "Main", {"e": (b"e", [box("cat"), box("dog"), box("night"), box("dog")])})
    state = one(pets)
    assert [(pair.labels, pair.files, pair.share) for pair in state.together] == [
        (("cat", "dog"), 2, 2 / 3),
        (("cat", "night"), 1, 1 / 3),
        (("dog", "night"), 1, 1 / 4),
    ]
    assert (state.label_pairs, state.crowded) == (3, 0)
    assert [pair.labels for pair in one(pets, top=1).together] == [("cat", "dog")]


def test_a_file_with_very_many_labels_is_left_out_of_the_pairs(repository: Repository) -> None:
    crowd = [box(f"{number}") for number in range(MAX_LABELS_OF_FILE + 1)]
    stock(repository, "Main", {"a": (b"a", crowd), "b": (b"b", [box("0"), box("1")])})
    state = one(repository)
    assert (state.crowded, state.label_pairs, state.label_count) == (1, 1, MAX_LABELS_OF_FILE + 1)


@pytest.mark.parametrize(
    ("counts", "largest", "smallest", "ratio", "effective"),
    [
        ({"a": 2, "b": 2}, "a", "b", 1.0, 2.0),
        ({"a": 3}, "a", "a", 1.0, 1.0),
        ({"a": 1, "b": 3}, "b", "a", 3.0, math.exp(0.25 * math.log(4) + 0.75 * math.log(4 / 3))),
    ],
)
def test_imbalance(
    repository: Repository, counts: dict[str, int], largest: str, smallest: str, ratio: float, effective: float
) -> None:
    stock(repository, "Main", {"a": (b"a", [box(key) for key, count in counts.items() for _ in range(count)])})
    found = one(repository).imbalance
    assert (found.largest, found.smallest, found.ratio) == (largest, smallest, ratio)
    assert found.effective_labels == pytest.approx(effective)


def test_pictures(pets: Repository) -> None:
    found = one(pets).pictures
    assert (found.files, found.measured, found.unreadable, found.missing, found.unknown) == (3, 2, 1, 0, 0)
    assert [(size.width, size.height, size.files) for size in found.sizes] == [(50, 40, 1), (100, 40, 1)]
    assert found.width == Quantiles(2, 50, 50, 50, 50, 100, 100, 100)
    assert (found.height and found.height.most, found.different_sizes) == (40, 2)


def test_pictures_that_are_not_there_or_not_opened(repository: Repository) -> None:
    stock(repository, "Main", {"a.heic": b"\0\0\0\x18ftypheic"})
    with repository.transaction("lost") as edit:
        lost = ObjectId(bytes(range(32)))
        edit.put("Main", "lost.jpg", FileState(edit.fresh_ids("Main", [("lost.jpg", lost)])[0], lost, 9))
    found = one(repository).pictures
    assert (found.missing, found.unreadable, found.measured) == (1, 0, 0)
    assert found.unknown == found.files - 1
    assert (found.width, found.sizes) == (None, [])


def test_shapes_without_a_size(repository: Repository) -> None:
    flat = [box("dog", (5, 5, 5, 9)), box("dog", (5, 5, 9, 5)), {"label": "dog", "type": "point", "geometry": [1, 2]}]
    stock(repository, "Main", {"a": (b"a", flat)})
    dog = label(one(repository), "dog")
    assert (dog.instances, dog.area, dog.relative_area, dog.aspect) == (3, None, None, None)


def test_sizes_that_a_source_gave_count_where_no_picture_was_read(repository: Repository) -> None:
    with repository.transaction("said") as edit:
        blob = edit.writer.put(Kind.BLOB, b"a")
        found, count = edit.write_instances([make_instance(box("dog", (0, 0, 10, 10)))])
        identity = edit.fresh_ids("Main", [("a", blob)])[0]
        said = b'{"coco":{"height":20,"width":10}}'
        edit.put("Main", "a", FileState(identity, blob, 1, found, count, properties=said))
    relative = label(one(repository), "dog").relative_area
    assert relative is not None
    assert relative.median == 0.5


def test_media_types(repository: Repository) -> None:
    stock(repository, "Main", {"a.jpg": b"\xff\xd8\xff\xe0a", "b.jpg": b"\xff\xd8\xff\xe0b", "c": b"c"})
    assert one(repository).media_types == {"image/jpeg": 2, "": 1}


def test_completeness(pets: Repository) -> None:
    complete(pets, ["a.png", "d.txt"])
    assert (one(pets).complete, one(pets).stale, one(pets).incomplete) == (2, 0, 2)
    with pets.transaction("schema") as edit:
        schema = pets["Main"].schema
        dog = replace(schema.labels["dog"], attributes=("fur",))
        fur = replace(schema.attributes["fur"], required=True)
        edit.set_schema(replace(schema, labels={**schema.labels, "dog": dog}, attributes={"fur": fur}))
    assert (one(pets).complete, one(pets).stale, one(pets).incomplete) == (1, 1, 2)
    assert one(pets, where="path = 'a.png'").stale == 1
    assert one(pets, where="path = 'd.txt'").stale == 0


def test_a_state_without_files(repository: Repository) -> None:
    state = one(repository, growth=True)
    assert (state.files, state.instances, state.labels, state.instances_per_file) == (0, 0, [], [])
    assert (state.imbalance.ratio, state.imbalance.effective_labels, state.growth) == (None, None, None)


def test_where_counts_only_some_files(pets: Repository) -> None:
    found = stats(pets, where="count(label = 'dog') >= 1")
    state = found.states[0]
    assert (found.where, state.files, state.instances) == ("count(label = 'dog') >= 1", 2, 4)
    assert [item.key for item in state.labels if item.instances] == ["dog", "cat"]
    assert state.pictures.measured == 2
    assert label(state, "dog").relative_area == label(one(pets), "dog").relative_area
    assert one(pets, where="path = 'none'").files == 0


def test_labels_that_are_named_are_listed_alone(pets: Repository) -> None:
    state = one(pets, labels=["Dog"])
    assert [(item.key, item.share) for item in state.labels] == [("dog", 0.6)]
    assert (state.instances, state.label_count, len(state.together)) == (5, 3, 1)
    assert one(pets, labels=["night"]).together == []
    assert [item.key for item in one(pets, labels=["gone"]).labels] == ["gone"]


def test_a_label_that_the_schema_does_not_know_can_be_named(repository: Repository) -> None:
    stock(repository, "Main", {"a": (b"a", [box("dog"), box("cat")])})
    with repository.transaction("schema") as edit:
        edit.set_schema(Schema())
    assert [item.key for item in one(repository, labels=["dog"]).labels] == ["dog"]


def test_growth(pets: Repository) -> None:
    commit(pets, "first")
    stock(pets, "Main", {"e": (b"e", [box("cat")])})
    complete(pets, ["e"])
    commit(pets, "second")
    stock(pets, "Main", {"staged": b"f"})
    growth = one(pets, growth=True).growth
    assert growth is not None
    assert growth.commits == 2
    assert [(point.files, point.instances, point.complete) for point in growth.points] == [(4, 5, 0), (5, 6, 1)]
    assert [point.commit for point in growth.points][-1] == pets["Main@"].commit.hex()
    earlier = one(pets, "Main~1", growth=True).growth
    assert earlier is not None
    assert earlier.points == growth.points[:1]


def test_a_long_history_is_thinned_evenly(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tdvc.ops.stats.verb.MAX_POINTS", 4)
    for number in range(10):
        stock(repository, "Main", {f"{number}": b"%d" % number})
        commit(repository, f"{number}")
    growth = one(repository, growth=True).growth
    assert growth is not None
    assert (growth.commits, [point.files for point in growth.points]) == (10, [1, 4, 7, 10])


def test_states_side_by_side(repository: Repository) -> None:
    stock(repository, "Main", {"a": (b"a", [box("dog"), box("dog"), box("cat"), box("cat")])})
    stock(repository, "Test", {"b": (b"b", [box("dog"), box("dog"), box("dog"), box("cow")])})
    stock(repository, "Empty", {"c": b"c"})
    found = stats(repository, ["Main", "Test", "Empty"]).comparison
    assert found is not None
    assert [(item.key, item.shares, item.differences, item.spread, item.missing_in) for item in found.labels] == [
        ("dog", [0.5, 0.75, 0.0], [0.0, 0.25, -0.5], 0.75, ["Empty"]),
        ("cat", [0.5, 0.0, 0.0], [0.0, -0.5, -0.5], 0.5, ["Test", "Empty"]),
        ("cow", [0.0, 0.25, 0.0], [0.0, 0.25, 0.0], 0.25, ["Main", "Empty"]),
    ]
    assert [(item.before, item.after, item.total_variation) for item in found.distances] == [
        ("Main", "Test", 0.5),
        ("Main", "Empty", None),
        ("Test", "Empty", None),
    ]
    assert stats(repository, "Main").comparison is None


def test_distances_are_of_all_labels_whatever_is_listed(repository: Repository) -> None:
    stock(repository, "Main", {"a": (b"a", [box("dog"), box("cat")])})
    stock(repository, "Test", {"b": (b"b", [box("dog")])})
    with repository.transaction("schema") as edit:
        edit.set_schema(repository["Main"].schema.learned(["dog", "cat"]))
    found = stats(repository, ["Main", "Test"], labels=["dog"]).comparison
    assert found is not None
    assert ([item.key for item in found.labels], found.distances[0].total_variation) == (["dog"], 0.5)


# instance by instance


def naive_quantiles(values: Sequence[float]) -> Quantiles | None:
    if not values:
        return None
    ordered = sorted(values)
    inner = (
        next(v for v in ordered if 100 * sum(w <= v for w in ordered) >= p * len(ordered)) for p in (5, 25, 50, 75, 95)
    )
    return Quantiles(len(ordered), ordered[0], *inner, ordered[-1])


def size_of(found: Instance) -> float:
    return area(found.type, found.coordinates)


def naive(state: Directory) -> dict[str, Any]:
    files = [file.instances for file in state]
    instances = list(itertools.chain.from_iterable(files))
    together = Counter(
        pair for one in files for pair in itertools.combinations(sorted({found.label for found in one}), 2)
    )
    return {
        "instances": Counter(found.label for found in instances),
        "files": Counter(key for one in files for key in {found.label for found in one}),
        "types": Counter(found.type for found in instances),
        "together": together,
        "areas": {
            key: naive_quantiles([size for found in instances if found.label == key and (size := size_of(found)) > 0])
            for key in {found.label for found in instances}
        },
        "empty": sum(not one for one in files),
    }


corners = st.integers(0, 30)
drawn = st.one_of(
    st.tuples(corners, corners, corners, corners).map(
        lambda at: {
            "type": "box",
            "geometry": [min(at[0], at[2]), min(at[1], at[3]), max(at[0], at[2]), max(at[1], at[3])],
        }
    ),
    st.tuples(corners, corners).map(lambda at: {"type": "point", "geometry": list(at)}),
    st.just({"type": "tag"}),
)
instance = st.builds(
    lambda shape, label, answer: {**shape, "label": label, **({"attributes": {"q": answer}} if answer else {})},
    drawn,
    st.sampled_from("abcde"),
    st.sampled_from([None, "x", "y", 3, 4.5]),
)


@given(st.lists(st.lists(instance, max_size=6), max_size=12))
@settings(max_examples=80, deadline=None)
def test_figures_are_what_counting_one_by_one_gives(files: list[list[dict[str, Any]]]) -> None:
    repository = Repository(MemoryStorage(), author="Ada")
    repository.start()
    stock(repository, "Main", {f"{number:03}": (b"%d" % number, found) for number, found in enumerate(files)})
    expected, state = naive(repository["Main"]), one(repository, top=100)
    assert {item.key: item.instances for item in state.labels} == expected["instances"]
    assert {item.key: item.files for item in state.labels} == expected["files"]
    assert {item.key: item.area for item in state.labels} == expected["areas"]
    assert {pair.labels: pair.files for pair in state.together} == expected["together"]
    assert (state.types, state.files_without_instances) == (expected["types"], expected["empty"])
    given = list(itertools.chain.from_iterable(files))
    for item in state.labels:
        answers = [found["attributes"]["q"] for found in given if found["label"] == item.key and "attributes" in found]
        figures = item.attributes[0] if item.attributes else None
        assert (figures.answered if figures else 0) == len(answers)
        if figures is not None:
            texts = Counter(answer for answer in answers if isinstance(answer, str))
            assert {answer.value: answer.count for answer in figures.answers} == texts
            assert figures.numbers == naive_quantiles([found for found in answers if not isinstance(found, str)])


def test_many_pages_and_workers_give_the_same(repository: Repository) -> None:
    instances = [box("dog", (0, 0, 10, 10)), box("cat", (0, 0, 5, 5)), box("dog", (0, 0, 4, 4))]
    files = {f"{number:05}": (b"%d" % number, instances[: number % 4]) for number in range(3000)}
    stock(repository, "Main", files)
    first, again = one(repository), one(repository)
    assert first == again
    assert (first.instances, label(first, "dog").instances, label(first, "dog").files) == (4500, 3000, 2250)
    assert [(pair.labels, pair.files) for pair in first.together] == [(("cat", "dog"), 1500)]


# bounds


def test_samples_of_a_group_are_even_and_the_same_every_time() -> None:
    dice = np.random.default_rng(1)
    values, groups = dice.random(40_000), np.arange(40_000) % 4
    groups[groups == 3] = 2
    groups[:5] = 9

    def found() -> dict[int, Quantiles]:
        samples = Samples(max_values=10_000, of_group=2000)
        for first in range(0, len(values), 1000):
            samples.add(groups[first : first + 1000], values[first : first + 1000])
        return samples.quantiles()

    quantiles = found()
    assert quantiles == found()
    assert quantiles[9] == quantiles_of(values[:5], 5)
    for group in (0, 1, 2):
        assert quantiles[group].sampled
        assert quantiles[group].count == int((groups == group).sum())
        assert quantiles[group].median == pytest.approx(0.5, abs=0.06)
        assert quantiles[group].p5 == pytest.approx(0.05, abs=0.03)


def test_samples_of_very_many_groups_stay_within_the_bound() -> None:
    samples = Samples(max_values=1000, of_group=100)
    for first in range(20):
        samples.add(np.arange(300) % 30 + first * 30, np.ones(300))
    assert sum(len(values) for _, values, _ in samples._parts) <= 1300
    assert len(samples.quantiles()) == 600


@pytest.mark.parametrize("begin", [0, 1000, 5000])
def test_a_tally_counts_small_and_large_numbers(begin: int) -> None:
    dice = np.random.default_rng(1)
    tally, expected = Tally(), Counter[tuple[int, int]]()
    for _ in range(5):
        first, second = begin + dice.integers(0, 50, 200), begin + dice.integers(0, 50, 200)
        tally.add(first, second)
        expected.update(zip(first.tolist(), second.tolist(), strict=True))
    columns = [column.tolist() for column in tally.counted()]
    assert {(one, other): count for one, other, count in zip(*columns, strict=True)} == expected
    assert not tally.dropped


def test_a_tally_keeps_what_is_frequent() -> None:
    tally = Tally(max_counted=50)
    for first in range(2000, 3000, 50):
        tally.add(np.array([1500] * 30 + [1501] * 20 + list(range(first, first + 50))), np.zeros(100, np.int64))
    counts = dict(zip(tally.counted()[0].tolist(), tally.counted()[2].tolist(), strict=True))
    assert tally.dropped
    assert len(counts) <= 150
    assert (counts[1500], counts[1501]) == (600, 400)


# bad input


def test_a_damaged_set_costs_its_own_file(pets: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = pets["Main"].entry("a.png").state.instances
    read = type(pets.objects).read

    def damaged(self: Any, kind: Any, identity: Any) -> bytes:
        if identity == broken:
            raise Corruption("object-damaged", "It is damaged.")
        return read(self, kind, identity)

    monkeypatch.setattr(type(pets.objects), "read", damaged)
    state = one(pets)
    assert (state.files, state.damaged, state.instances, state.files_without_instances) == (4, 1, 2, 1)
    assert sum(step.files for step in state.instances_per_file) == 3


def test_what_is_refused(pets: Repository) -> None:
    with fails(NotFound, "unknown-revision"):
        stats(pets, "Nowhere")
    with fails(Usage, "bad-query"):
        stats(pets, where="lable = 1")
    with fails(NotFound, "label-not-found"):
        stats(pets, labels=["cat", "horse"])


@pytest.mark.parametrize(("text", "hint"), [("CAT", "'cat'"), ("nihgt", "'night'"), ("horse", "tdvc stats lists")])
def test_a_label_that_was_nearly_named_is_suggested(pets: Repository, text: str, hint: str) -> None:
    with fails(NotFound, "label-not-found") as caught:
        stats(pets, labels=[text])
    assert hint in caught.value.hint
