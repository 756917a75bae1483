"""--where and sql on the command line: the wiring."""

from __future__ import annotations

import pytest

DOG = "label = 'dog' and area > 400"


def test_where(labelled):
    assert labelled("ls", "--where", DOG).out == "1.txt\n"
    assert labelled("ls", "Pets:2*", "-w", "label = 'dog'", "--json").json[0]["path"] == "2.txt"
    assert labelled("mirror", "Pets", "Dogs", "--where", DOG, "--json").json["files"] == 1
    assert labelled("copy", "Pets", "Trial", "--where", DOG, "--json").json["files"] == 1
    assert labelled("validate", "--where", DOG, "--json").json["files"] == 1
    assert labelled("checkout", "Pets", "out", "--where", DOG, "--json").json["written_files"] == 1
    ran = labelled("export", "Pets", "coco", "--format", "coco", "--all", "--where", DOG, "--dry-run", "--json")
    assert ran.json["skipped_files"] == 0
    assert labelled("move", "Pets", "Pets:dogs/", "--where", DOG, "--json").json["files"] == 1
    assert labelled("remove", "Pets", "--where", DOG, "--json").json["removed"] == ["Pets:dogs/1.txt"]
    assert "remove Pets --where label = 'dog' and area > 400" in labelled("operations").out


def test_an_error_points_at_its_place(pets):
    ran = pets("ls", "--where", "size > 1 and lable = 'dog'")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [
        "error: At character 14 of the query: There is no property 'lable'.",
        "hint: Did you mean 'label'?",
        "  size > 1 and lable = 'dog'",
        "               ^",
    ]
    long = pets("ls", "--where", "size > 1 and " * 100 + "nothing")
    assert [len(line) <= 122 for line in long.err.splitlines()[-2:]] == [True, True]
    assert long.err.splitlines()[-1].index("^") == long.err.splitlines()[-2].index("nothing")


def test_sql(labelled):
    pytest.importorskip("duckdb")
    query = "select label, count(*) as n, null as x, [1, 2] as l from instances group by 1 order by 1"
    assert labelled("sql", query).out.splitlines() == [
        "label  n  x  l",
        "dog    2  -  [1, 2]",
        "nose   1  -  [1, 2]",
    ]
    assert labelled("sql", query, "Pets", "--json").json[0] == {"label": "dog", "n": 2, "x": None, "l": [1, 2]}
    assert labelled("sql", query, "--csv").out.splitlines()[1] == 'dog,2,,"[1, 2]"'
    assert labelled("sql", query, "Pets@", "--json").json == []
    assert labelled("sql", query, "--parquet", "x.parquet").out.startswith("Wrote 2 rows to x.parquet (")
    assert labelled("sql", query, "--parquet", "x.parquet").code == 1
    assert labelled("sql", query, "--csv", "--json").code == 2
    assert labelled("sql", "selec").code == 2
