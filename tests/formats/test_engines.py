"""Engines read what we export, as `docs/engines.md` says: its examples are run here, on real exports.

The libraries are in the extra `readers`, Ray in `ray`; where one is not installed its test is skipped and says so.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdvc.cli.main import main
from tdvc.ops.committing import commit
from tdvc.ops.exporting import export
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import move, remove
from tdvc.repo.repository import Repository
from tests.formats.test_external_readers import SHAPES, SIZE, instances, needs, picture
from tests.ops.build import read_tree, stock
from tests.ops.changing import CHANGES, Change, changed

PAGE = (Path(__file__).parents[2] / "docs/engines.md").read_text(encoding="utf-8")
RAY_SECONDS = 120


def examples(heading: str, language: str) -> list[str]:
    """The blocks of code under a heading of the page; under its title where the heading is empty."""
    parts = dict(re.findall(r"^## (.*?)$(.*?)(?=^## |\Z)", f"## \n{PAGE}", re.DOTALL | re.MULTILINE))
    return re.findall(rf"^```{language}\n(.*?)^```", parts[heading], re.DOTALL | re.MULTILINE)


def run_commands(heading: str) -> None:
    for line in "".join(examples(heading, "sh")).splitlines():
        assert main(shlex.split(line)[1:]) == 0, line


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the snapshots v1 and v2, and the exports that the page begins with."""
    folder = tmp_path_factory.mktemp("engines")
    repository = Repository.init(folder, author="Ada", durable=False)
    files = {f"{n}.png": (picture(n), instances(frozenset(SHAPES), 100 * n)) for n in range(1, 5)}
    stock(repository, "Main", files | {"in/empty.png": (picture(9), [])})
    commit(repository, "first")
    snapshot(repository, None, "v1")
    stock(repository, "Main", {"5.png": (picture(5), instances(frozenset(("box",)), 900))})
    remove(repository, ["Main:1.png"])
    move(repository, ["Main:2.png"], "Main:in/2.png")
    commit(repository, "second")
    snapshot(repository, None, "v2")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TDVC_DURABILITY", "none")
        run_commands("")
        run_commands("Only what changed")
    return folder


@pytest.fixture
def here(made: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The repository that was exported, in the current folder."""
    monkeypatch.chdir(made)
    return Repository.open(made, author="Ada")


def ran(heading: str, **names: Any) -> dict[str, Any]:
    """What the examples under a heading leave behind."""
    for block in examples(heading, "python"):
        exec(compile(block, "engines.md", "exec"), names)
    return names


def counts(repository: Repository) -> dict[str, int]:
    """How many instances each file of v1 has."""
    return {file.path: len(file.instances) for file in repository["v1"]}


def test_duckdb(here: Repository) -> None:
    needs("duckdb")
    found = ran("DuckDB")
    assert found["lines"] == sorted(counts(here).items())
    by_label: dict[str, list[str]] = {}
    for file in here["v1"]:
        for instance in file.instances:
            by_label.setdefault(instance.label, []).append(file.path)
    assert found["labels"] == [(label, len(paths), len(set(paths))) for label, paths in sorted(by_label.items())]


def test_the_rule_in_duckdb_gives_the_later_export(here: Repository) -> None:
    duckdb = needs("duckdb")
    full = duckdb.sql("select * from 'v2-parquet/data/*.parquet' order by path").fetchall()
    assert ran("Only what changed", duckdb=duckdb)["later"] == full
    assert [file.path for file in here["v2"]] == [row[2] for row in full]
    assert read_tree(Path("v2-applied")) == read_tree(Path("v2-parquet"))


@given(changes=st.lists(CHANGES, max_size=8))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_rule_holds_for_any_change(changes: list[Change]) -> None:
    duckdb = needs("duckdb")
    repository = changed(*changes, ("add", "z", 1))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for revision, name, since in (("v1", "v1", None), ("Main", "v2", None), ("Main", "changes", "v1")):
            place = Path(name if since else f"{name}-parquet")
            export(repository, [revision], place, format="parquet", everything=True, since=since)
        full = duckdb.sql("select * from 'v2-parquet/data/*.parquet' order by path").fetchall()
        assert ran("Only what changed", duckdb=duckdb)["later"] == full


def test_polars(here: Repository) -> None:
    needs("polars")
    found = ran("Polars")
    wide = {
        instance.instance_id
        for file in here["v1"]
        for instance in file.instances
        if (box := instance.bounding_box) and box[2] - box[0] > 20
    }
    assert set(found["instances"]["instance_id"]) == wide
    paths = found["table"].drop_nulls("type")["path"].to_list()
    assert {path: paths.count(path) for path in counts(here)} == counts(here)
    assert dict(found["files"].select("path", "width").iter_rows()) == dict.fromkeys(counts(here), SIZE[0])


def test_datasets(here: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "1")
    library = needs("datasets")
    library.disable_progress_bars()
    monkeypatch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    found = ran("Hugging Face datasets")
    assert found["sizes"] == [SIZE] * len(counts(here))
    assert (found["first"]["path"], found["first"]["image"].size) == ("1.png", SIZE)
    assert {row["path"]: len(row["instances"]) for row in found["pictures"]} == counts(here)
    assert [row["image"] for row in found["ids"]] == [{"bytes": None, "path": path} for path in counts(here)]
    assert [row["blob"] for row in found["ids"]] == [file.blob_id for file in here["v1"]]


def test_webdataset(here: Repository) -> None:
    needs("webdataset")
    assert ran("WebDataset")["sizes"] == {path[:-4]: (SIZE, count) for path, count in counts(here).items()}


_RAY = """
import json, os, sys
import ray
import ray.data

ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
         object_store_memory=80 << 20, _temp_dir=sys.argv[1])
ray.data.DataContext.get_current().enable_progress_bars = False
try:
    exec(sys.argv[2])
    members = [{"key": sample["__key__"], "bytes": len(sample["png"])} for sample in samples]
    print(json.dumps({"rows": rows, "samples": members}))
finally:
    ray.shutdown()
"""


def test_ray(here: Repository) -> None:
    """In a process of its own, whose whole group ends with the test, however Ray ends."""
    pytest.importorskip("ray", reason="ray is not installed; it is in the extra 'ray'")
    (block,) = examples("Ray Data", "python")
    environment = os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as scratch:  # a short path, for sockets
        command = [sys.executable, "-c", _RAY, scratch, block]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        try:
            out, err = process.communicate(timeout=RAY_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, err[-2000:]
    found = json.loads(out.splitlines()[-1])
    sizes = {file.path: file.state.size_bytes for file in here["v1"]}
    assert {row["path"]: (row["bytes"], row["n"]) for row in found["rows"]} == {
        path: (size, counts(here)[path]) for path, size in sizes.items()
    }
    assert {one["key"]: one["bytes"] for one in found["samples"]} == {path[:-4]: size for path, size in sizes.items()}


def test_row_groups_are_bounded_in_files_and_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import parquet as tables

    from tdvc.formats import parquet

    monkeypatch.setattr(parquet, "_GROUP_ROWS", 4)
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 1000)
    repository = Repository.init(tmp_path / "r", author="Ada", durable=False)
    sizes = [10] * 9 + [600] * 4 + [5000] * 2
    stock(repository, "Main", {f"{n:02}.bin": bytes([n]) * size for n, size in enumerate(sizes)})
    export(repository, ["Main"], tmp_path / "out", format="parquet", everything=True)
    metadata = tables.read_metadata(tmp_path / "out/data/data-00000.parquet")
    rows = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    assert rows == [4, 4, 3, 2, 1, 1]


def test_shards_are_as_large_as_asked_for(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path / "r", author="Ada", durable=False)
    stock(repository, "Main", {f"{n:02}.bin": bytes([n]) * 1000 for n in range(10)})
    for name, places in (("parquet", "out/data/*.parquet"), ("webdataset", "out/*.tar")):
        folder = tmp_path / name
        export(repository, ["Main"], folder / "out", format=name, everything=True, shard_bytes=3000)
        stems = [place.stem for place in sorted(folder.glob(places))]
        assert stems == [f"data-{number:05}" for number in range(4)]
        export(repository, ["Main"], folder / "again", format=name, everything=True, shard_bytes=3000)
        assert read_tree(folder / "out") == read_tree(folder / "again")
