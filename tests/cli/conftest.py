"""A command line in a folder of its own: `tdvc("add", "photos")` runs a command and says how it ended."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from tdvc.cli.main import main

PHOTOS = {"1.txt": "one", "2.txt": "two", "night/3.txt": "three"}
BOX, POINT, TAG = ("b0" * 16, "c0" * 16, "d0" * 16)


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def tdvc(tmp_path, monkeypatch, capsys):
    """Runs commands in an empty folder, as the author `ann`, with nothing in the environment that changes output."""
    monkeypatch.chdir(tmp_path)
    for name in ("TDVC_DIR", "TDVC_DEBUG", "FORCE_COLOR", "TDVC_AUTHOR_NAME", "TDVC_AUTHOR_EMAIL", "_TDVC_COMPLETE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TDVC_AUTHOR", "ann")
    monkeypatch.setenv("TDVC_DURABILITY", "none")
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(arguments)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def pets(tdvc, tmp_path):
    """A repository whose directory Pets holds three files, committed."""
    for name, text in PHOTOS.items():
        place = tmp_path / "photos" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for arguments in (["init", "-d", "Pets"], ["add", "photos"], ["commit", "-m", "First photos"]):
        ran = tdvc(*arguments)
        assert ran.code == 0, ran
    return tdvc


@pytest.fixture
def labelled(pets, tmp_path):
    """The same, with a box and a point on 1.txt and a tag on 2.txt that are staged."""
    instances = [
        ("1.txt", {"instance_id": BOX, "label": "dog", "type": "box", "geometry": [1, 2, 31, 42]}),
        ("1.txt", {"instance_id": POINT, "label": "nose", "type": "point", "geometry": [5, 6]}),
        ("2.txt", {"instance_id": TAG, "label": "dog", "type": "tag"}),
    ]
    lines = [json.dumps({"op": "add", "path": path, "instance": instance}) for path, instance in instances]
    (tmp_path / "edits.jsonl").write_text("\n".join(lines))
    assert pets("annotate", "edits.jsonl").code == 0
    return pets
