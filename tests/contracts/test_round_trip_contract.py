"""What every written format promises: `import(export(x))` says what `x` said, in everything the format can carry.

Records are made by Hypothesis over the spatial types that the format claims (`TYPES`) and the fields it claims
(`KEEPS`); what it does not claim is left out before comparing. A format joins by having `write`; `KNOBS` says where its
names or values are narrower than tdvc's.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tdvc.formats import FORMATS, format_named, writable_format
from tdvc.formats.base import FileRecord, LabelRecord, ReadOptions, WritableFormat
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import Instance, make_instance

SIZE = (64, 48)
WRITABLE = sorted(name for name in FORMATS if hasattr(format_named(name), "write"))


@dataclass(frozen=True)
class Knobs:
    """How a format is narrower than tdvc.

    Attributes:
        tolerance: how far coordinates may be off, in pixels; 0 where numbers must be equal in value.
        whole: coordinates are whole numbers.
        one_type: a file or data set has instances of one spatial type only.
        at_most: instances a file can have.
        attributes: values an attribute can have.
        paths: paths of pictures, where folders mean something to the format.
        one_of: file names only, in one folder.
    """

    tolerance: float = 0.0
    whole: bool = False
    one_type: bool = False
    at_most: int = 4
    attributes: Any = field(
        default_factory=lambda: st.one_of(st.text("abc é<&", max_size=6), st.integers(-5, 5), st.booleans())
    )
    paths: tuple[str, ...] = ("a.png", "b/c.png", "b/d.png")
    labels: tuple[str, ...] = ("dog", "cat", "große Katze")
    splits: tuple[str, ...] = ("train", "val")


KNOBS: dict[str, Knobs] = {}
"""By format; those that are not listed are as wide as tdvc."""


def _knobs(name: str) -> Knobs:
    """From the format's sample module, where it says `KNOBS = {...}`, else the widest."""
    import importlib

    module = importlib.import_module(f"tests.contracts.samples.{name.replace('-', '_')}")
    return Knobs(**getattr(module, "KNOBS", {}))


def coordinates(knobs: Knobs, low: int, high: int) -> st.SearchStrategy[Any]:
    if knobs.whole:
        return st.integers(low, high)
    return st.one_of(
        st.integers(low, high),
        st.integers(low * 1000, high * 1000).map(lambda n: numbers.Number(f"{n // 1000}.{n % 1000:03d}")),
    )


def geometries(kind: str, knobs: Knobs) -> st.SearchStrategy[Any]:
    """Geometry of a type, inside the picture, in general position."""
    x, y = coordinates(knobs, 1, 30), coordinates(knobs, 1, 20)
    width, height = coordinates(knobs, 31, 60), coordinates(knobs, 21, 44)
    point = st.tuples(x, y)
    ring = st.tuples(x, y, width, y, width, height).map(list)
    box = st.tuples(x, y, width, height).map(list)
    return {
        "tag": st.none(),
        "box": box,
        "polygon": st.lists(ring, min_size=1, max_size=1).map(lambda rings: [rings]),
        "polyline": st.tuples(x, y, width, height).map(list),
        "point": point.map(list),
        "keypoints": st.tuples(x, y, st.just(2), width, height, st.just(1)).map(list),
        "ellipse": st.tuples(x.map(lambda v: 30), y.map(lambda v: 20), st.integers(2, 12), st.integers(2, 12)).map(
            list
        ),
        "cuboid": st.lists(st.tuples(x, y), min_size=8, max_size=8).map(lambda p: [v for pair in p for v in pair]),
        "curve": st.tuples(x, y, width, y, width, height).map(list),
        "mask": st.sampled_from(["large", "ring"]).map(_mask),
        "text_span": st.tuples(st.integers(0, 5), st.integers(6, 9)).map(list),
        "time_span": st.tuples(st.integers(0, 5), st.integers(6, 9)).map(list),
        "relation": st.just(["ab" * 16, "cd" * 16]),
    }[kind]


def _mask(shape: str) -> dict[str, Any]:
    import numpy

    from tdvc.model.masks import encode_rle

    mask = numpy.zeros((SIZE[1], SIZE[0]), bool)
    mask[5:20, 3:30] = True
    if shape == "ring":
        mask[9:12, 9:12] = False
    return encode_rle(mask)


def instances(name: str, knobs: Knobs, kind: str | None) -> st.SearchStrategy[list[Instance]]:
    format_ = writable_format(name)
    kinds = st.just(kind) if kind else st.sampled_from(sorted(format_.TYPES))
    optional: dict[str, Any] = {}
    if "attributes" in format_.KEEPS:
        optional["attributes"] = st.dictionaries(st.sampled_from(["age", "is ill"]), knobs.attributes, max_size=2)
    if "score" in format_.KEEPS:
        optional["score"] = st.sampled_from([0.5, 1, 0.125])
    one = kinds.flatmap(
        lambda chosen: st.fixed_dictionaries(
            {
                "instance_id": st.binary(min_size=16, max_size=16).map(bytes.hex),
                "label": st.sampled_from(knobs.labels),
                "type": st.just(chosen),
                "geometry": geometries(chosen, knobs),
            },
            optional=optional,
        )
    )
    return st.lists(
        one.map(make_instance), max_size=knobs.at_most, unique_by=(lambda i: i.instance_id, lambda i: content(i, knobs))
    )


def data_sets(name: str) -> st.SearchStrategy[list[FileRecord]]:
    format_, knobs = writable_format(name), _knobs(name)
    kind = st.sampled_from(sorted(format_.TYPES)) if knobs.one_type else st.none()
    split = st.sampled_from(knobs.splits) if "splits" in format_.KEEPS else st.just("")

    def build(chosen: str | None) -> st.SearchStrategy[list[FileRecord]]:
        return st.tuples(*(st.tuples(instances(name, knobs, chosen), split) for _ in knobs.paths)).map(
            lambda made: [
                FileRecord(path, None, found, size=SIZE, split=where)
                for path, (found, where) in zip(knobs.paths, made, strict=True)
            ]
        )

    return kind.flatmap(build)


def content(instance: Instance, knobs: Knobs) -> str:
    """What an instance says, apart from its identity, in a form that can be compared and sorted."""
    shape = instance.coordinates
    if knobs.tolerance and not isinstance(shape, dict):
        shape = _rounded(shape, knobs.tolerance)
    return repr((instance.label, instance.type, shape if not isinstance(shape, list) else _floats(shape)))


def _floats(value: Any) -> Any:
    return (
        [_floats(item) for item in value]
        if isinstance(value, list)
        else (float(value) if isinstance(value, (int, float)) else value)
    )


def _rounded(value: Any, tolerance: float) -> Any:
    if isinstance(value, list):
        return [_rounded(item, tolerance) for item in value]
    return round(value / tolerance) if isinstance(value, (int, float)) else value


def classes(records: Sequence[FileRecord], knobs: Knobs) -> list[LabelRecord]:
    return [LabelRecord(label, label, index) for index, label in enumerate(knobs.labels)]


def export(format_: WritableFormat, records: Sequence[FileRecord], knobs: Knobs, folder: Path) -> list[Problem]:
    """Write a data set and its pictures as `tdvc export` does."""
    problems: list[Problem] = []
    picture = io.BytesIO()
    Image.new("RGB", SIZE, (90, 120, 60)).save(picture, "PNG")
    for record in records:
        place = folder / format_.place(record)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture.getvalue())
    for written in format_.write(records, classes(records, knobs), problems.append):
        place = folder / written.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"".join(written.pieces))
    return problems


def read_back(format_: WritableFormat, folder: Path) -> tuple[list[FileRecord], list[LabelRecord], list[Problem]]:
    problems: list[Problem] = []
    found = list(format_.read(folder, problems.append, ReadOptions()))
    files = [record for record in found if isinstance(record, FileRecord)]
    labels = [record for record in found if isinstance(record, LabelRecord)]
    return files, labels, [problem for problem in problems if problem.severity == "error"]


@pytest.fixture(params=WRITABLE)
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_reads_back_the_same(name: str, data: st.DataObject) -> None:
    format_, knobs = writable_format(name), _knobs(name)
    records = data.draw(data_sets(name))
    with tempfile.TemporaryDirectory() as folder:
        lost = export(format_, records, knobs, Path(folder))
        files, _, problems = read_back(format_, Path(folder))
    assert [problem for problem in lost if problem.dropped_instances] == []
    assert problems == []
    back = {Path(file.path).name: file for file in files}
    for record in records:
        name_of = Path(record.path).name
        if not record.instances and "empty-files" not in format_.KEEPS and name_of not in back:
            continue
        file = back[name_of]
        assert sorted(content(i, knobs) for i in file.instances) == sorted(content(i, knobs) for i in record.instances)
        _compare_kept(format_, record, file, knobs)


def _compare_kept(format_: WritableFormat, record: FileRecord, file: FileRecord, knobs: Knobs) -> None:
    before = {content(instance, knobs): instance for instance in record.instances}
    for after in file.instances:
        instance = before[content(after, knobs)]
        if "attributes" in format_.KEEPS:
            assert numbers.same_value(bytes(after.attributes), bytes(instance.attributes))
        if "score" in format_.KEEPS and bytes(instance.score) != b"null":
            assert numbers.same_value(bytes(after.score), bytes(instance.score))
        if "instance_id" in format_.KEEPS:
            assert after.instance_id == instance.instance_id
        if "numbers" in format_.KEEPS:
            assert numbers.same_value(bytes(after.geometry), bytes(instance.geometry))
    if "splits" in format_.KEEPS:
        assert [numbers.plain(split) for split in file.properties.get("splits", [])] == [record.split]


def test_writing_what_was_read_gives_the_same_again(name: str, tmp_path: Path) -> None:
    """The second export of an import equals the first: nothing drifts from hop to hop."""
    format_, knobs = writable_format(name), _knobs(name)
    kind = sorted(format_.TYPES)[0]
    found = make_instance(
        {"instance_id": "ab" * 16, "label": knobs.labels[0], "type": kind, "geometry": _example(kind, knobs)}
    )
    split = knobs.splits[0] if "splits" in format_.KEEPS else ""
    records = [FileRecord(knobs.paths[0], None, [found], size=SIZE, split=split)]
    export(format_, records, knobs, tmp_path / "one")
    once, _, _ = read_back(format_, tmp_path / "one")
    again = [
        replace(file, size=SIZE, split=split, path=record.path, source=None)
        for file, record in zip(once, records, strict=True)
    ]
    export(format_, again, knobs, tmp_path / "two")
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def _example(kind: str, knobs: Knobs) -> Any:
    from hypothesis import find

    return find(geometries(kind, knobs), lambda _: True)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
