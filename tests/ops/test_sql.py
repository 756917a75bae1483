"""SQL over a state, and the state as tables of other engines."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from tdvc.errors import FormatError, NotFound, Refused, Usage
from tdvc.ops import sql as module
from tdvc.ops.committing import commit
from tdvc.ops.sql import sql, to_arrow, to_pandas, to_polars
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, stock

pytest.importorskip("duckdb")


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Many pages of files with a dog each, every second one with a cat; committed. Then one file more."""
    animals = [box("dog", (0, 0, 10, 20), attributes={"age": 3}), box("cat")]
    files = {f"{number:04}.jpg": (b"%d" % number, animals[: 1 + number % 2]) for number in range(1000)}
    stock(repository, "Main", files)
    with repository.transaction("labels") as edit:
        edit.set_schema(repository["Main"].schema.learned(["dog", "cat"]))
    commit(repository, "first")
    stock(repository, "Main", {"late.jpg": (b"late", [box("cat")])})
    return repository


def rows(repository: Repository, query: str, revision: str | None = None) -> list[list]:
    return list(sql(repository, query, revision).rows())


@pytest.mark.parametrize(
    ("query", "revision", "expected"),
    [
        ("select label, count(*) from instances group by 1 order by 1", None, [["cat", 501], ["dog", 1000]]),
        ("select label, count(*) from instances group by 1 order by 1", "Main@", [["cat", 500], ["dog", 1000]]),
        ("select count(*), sum(instances) from files", "Main@", [[1000, 1500]]),
        (
            "select path, label from instances join files using (file) where path = 'late.jpg'",
            None,
            [["late.jpg", "cat"]],
        ),
        ("select path from files order by file desc limit 1", None, [["late.jpg"]]),
        ("select sum(area) / 1000 from instances where label = 'dog'", None, [[200.0]]),
        (
            'select label, "index", aliases, deprecated from labels',
            None,
            [["cat", 0, [], False], ["dog", 1, [], False]],
        ),
        ("select message, len(parents) from commits", None, [["first", 0]]),
        ("select distinct (attributes->>'$.age')::int from instances where label = 'dog'", None, [[3]]),
        (
            "select complete, date '2026-01-02', null, 1.5::decimal(4, 2) from files limit 1",
            None,
            [[False, "2026-01-02", None, 1.5]],
        ),
        ("select 1 where false", None, []),
    ],
)
def test_queries(pets: Repository, query: str, revision: str | None, expected: list) -> None:
    assert rows(pets, query, revision) == expected


def test_ids_are_the_ones_that_python_shows(pets: Repository) -> None:
    file = pets["Main"]["0001.jpg"]
    query = (
        "select file_id, blob, instance_id from instances join files using (file) where path = '0001.jpg' order by 3"
    )
    assert rows(pets, query) == [[file.file_id, file.blob_id, one.instance_id] for one in file.instances]


@pytest.mark.parametrize(
    "query",
    [
        "selec 1",
        "select nothing from files",
        "select 1 / ",
        "",
        "select * from read_csv('{0}')",
        "select * from '{0}'",
        "select * from read_text('{0}')",
        "copy files to '{0}.csv'",
        "attach '{0}.db'",
        "export database '{0}'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "set lock_configuration = false",
        "reset enable_external_access",
        "select * from pets",
        "select error('no')",
        "create table mine (a int)",
        "insert into files select * from files",
        "select 1; select 2",
        "pragma version",
        "",
    ],
)
def test_a_query_reaches_nothing_but_the_tables(pets: Repository, tmp_path: Path, query: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with fails(Usage, "bad-sql"):
        sql(pets, query.format(secret))
    assert [place.name for place in tmp_path.iterdir()] == ["secret.csv"]


def test_columns_of_one_name_stay_apart(pets: Repository) -> None:
    assert sql(pets, "select 1 as a, 2 as a, 3 as a_2, 4 as a").columns == ("a", "a_2", "a_2_2", "a_3")


def test_an_unknown_revision(pets: Repository) -> None:
    with fails(NotFound, "unknown-revision"):
        sql(pets, "select 1", "none")


def test_a_directory_without_a_commit(repository: Repository) -> None:
    assert rows(repository, "select count(*) from commits") == [[0]]
    assert rows(repository, "select * from files, instances, labels") == []


def test_parquet(pets: Repository, tmp_path: Path) -> None:
    place = tmp_path / "out.parquet"
    result = sql(pets, "select label, count(*) as n from instances group by 1 order by 1")
    assert result.write_parquet(place) == place.stat().st_size
    read = importlib.import_module("pyarrow.parquet").read_table(place)
    assert read.to_pylist() == [{"label": "cat", "n": 501}, {"label": "dog", "n": 1000}]
    with fails(Refused, "checkout-in-the-way"):
        result.write_parquet(place)


def test_arrow(pets: Repository) -> None:
    tables = to_arrow(pets, "Main@")
    assert (tables.files.num_rows, tables.instances.num_rows, tables.labels.num_rows, tables.commits.num_rows) == (
        (1000, 1500, 2, 1)
    )
    paths = tables.files.column("path").to_pylist()
    assert [paths[file] for file in tables.instances.column("file").to_pylist()[:3]] == [
        "0000.jpg",
        "0001.jpg",
        "0001.jpg",
    ]
    assert json.loads(tables.instances.column("attributes")[0].as_py()) == {"age": 3}


@pytest.mark.parametrize(("library", "convert"), [("polars", to_polars), ("pandas", to_pandas)])
def test_data_frames(pets: Repository, library: str, convert) -> None:
    pytest.importorskip(library)
    frames = convert(pets)
    assert (len(frames.files), len(frames.instances), len(frames.labels), len(frames.commits)) == (1001, 1501, 2, 1)
    assert next(iter(frames.instances["label"])) == "dog"


def test_a_library_that_is_missing_is_named(pets: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", fail)
    with fails(FormatError, "library-missing") as caught:
        module.library("polars")
    assert "tdvc[polars]" in caught.value.hint
