"""The sample set is a function of its seed, and the tour over it runs to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import tdvc
from tdvc.formats import pascal_voc
from tdvc.model.problems import Problem
from tdvc.ops.sample import HEIGHT, WIDTH, make_sample


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def run_demo(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TDVC_DURABILITY": "none", "TDVC_AUTHOR": "Ada", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "tdvc", "demo", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_same_seed_same_bytes_and_another_seed_other_ones(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        make_sample(tmp_path / name, pictures=4, seed=seed)
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    other = contents(tmp_path / "c")
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if name.endswith(".jpg"))


def test_pictures_are_jpeg_files_and_boxes_lie_in_them(tmp_path: Path) -> None:
    sample = make_sample(tmp_path / "sample", pictures=12, seed=3)
    problems: list[Problem] = []
    records = list(pascal_voc.read(sample.source, problems.append))
    assert not problems
    assert len(records) == sample.pictures == 12
    assert sum(sample.boxes.values()) == sum(len(record.instances) for record in records)
    assert set(sample.boxes) == {"cat", "dog", "tree"}
    for record in records:
        assert record.source is not None
        with Image.open(record.source) as picture:
            picture.load()
            assert (picture.format, picture.size) == ("JPEG", (WIDTH, HEIGHT))
        for instance in record.instances:
            x0, y0, x1, y1 = instance.coordinates
            assert 0 <= x0 < x1 <= WIDTH
            assert 0 <= y0 < y1 <= HEIGHT


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_edits_fit_the_imported_pictures(tmp_path: Path, seed: int) -> None:
    sample = make_sample(tmp_path / "sample", pictures=6, seed=seed)
    repository = tdvc.init(tmp_path / "repository", author="Ada")
    tdvc.import_(repository, sample.source)
    dogs = sample.boxes["dog"]
    assert tdvc.annotate(repository, sample.outlines).added_instances == dogs == sample.polygons
    assert tdvc.annotate(repository, sample.corrections).changed_instances == 3
    labels = tdvc.show(repository).labels
    assert labels["dog"] == (dogs - 1, 2 * (dogs - 1))


def test_sample_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(tdvc.Refused) as refused:
        make_sample(tmp_path)
    assert refused.value.code == "file-exists"
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def test_sample_refuses_too_few_pictures(tmp_path: Path) -> None:
    with pytest.raises(tdvc.Usage):
        make_sample(tmp_path / "sample", pictures=2)
    assert not (tmp_path / "sample").exists()


def test_demo_runs_to_its_end_and_shows_every_command(tmp_path: Path) -> None:
    done = run_demo("--pictures", "6", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    verbs = [line.split()[2] for line in done.stdout.splitlines() if line.startswith("$ tdvc ")]
    order = ["init", "import", "status", "commit", "mirror", "snapshot", "annotate", "diff", "undo", "log", "checkout"]
    assert [verb for verb in dict.fromkeys(verbs) if verb in order] == order
    assert "moved (" in done.stdout
    assert "dog -> cat" in done.stdout
    repository = tdvc.open(tmp_path / "demo")
    assert tdvc.verify(repository, "dogs-1").problems == []
    assert (tmp_path / "demo" / "training" / "SHA256SUMS").is_file()


def test_demo_refuses_a_folder_that_holds_something(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("mine")
    done = run_demo(folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 'demo' is there already")
    assert done.stdout == ""
    assert contents(tmp_path) == {"demo/mine.txt": b"mine"}


def test_demo_ignores_a_repository_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tdvc.init(tmp_path / "other", author="Ada")
    before = other.head()
    monkeypatch.setenv("TDVC_DIR", str(tmp_path / "other"))
    assert run_demo("--pictures", "3", folder=tmp_path).returncode == 0
    assert tdvc.open(tmp_path / "other").head() == before
