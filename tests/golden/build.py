"""Makes the golden repository of today's format version: the same ids on every machine and on every day.

Run once, when the format version changes or a version learns to say more, with a folder that does not exist yet:

    python -m tests.golden.build tests/golden/v2

What is there already is never made anew: that old bytes stay readable is what it is for. The folder holds what a
`.tdvc` holds, and `expected.json` what is in it.
"""

from __future__ import annotations

import datetime
import io
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from unittest.mock import patch

from tdvc.ops.add import add
from tdvc.ops.annotate import annotate, complete
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory
from tdvc.ops.following import refresh
from tdvc.ops.merging import merge
from tdvc.ops.schema import import_schema
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import copy, mirror, remove
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.ops.build import jpeg, write_tree

SCHEMA = {
    "version": 1,
    "labels": {
        "dog": {"name": "Dog", "index": 0, "colour": "#aa5500", "attributes": ["state"], "aliases": ["hound"]},
        "cat": {"name": "Cat", "index": 1, "parent": "animal", "types": {"box": "default", "polygon": "allowed"}},
        "animal": {"name": "Animal", "index": 2},
        "joints": {"name": "Joints", "index": 3, "template": "limb"},
    },
    "attributes": {"state": {"kind": "select", "options": [{"key": "asleep"}, {"key": "awake", "name": "Awake"}]}},
    "templates": {"limb": {"type": "keypoints", "points": ["hip", "knee"], "edges": [[0, 1]]}},
    "file_attributes": [],
}

GEOMETRIES: dict[str, Any] = {
    "box": [1, 2.5, 31, 42],
    "polygon": [[[0, 0, 10, 0, 10, 10], [2, 1, 4, 1, 4, 3]]],
    "polyline": [0, 0, 1.0, 2],
    "point": [5, 6],
    "ellipse": [10, 10, 4, 2, 30],
    "curve": [0, 0, 5, 9, 10, 0],
    "mask": {"counts": "112", "size": [4, 1]},
    "time_span": [0.5, 2],
    "text_span": [0, 3],
    "tag": None,
}
TAG = {"label": "dog", "type": "tag"}
_START = datetime.datetime(2026, 11, 1, 12, 30, tzinfo=datetime.UTC)


class Clock(datetime.datetime):
    """Every look at it is a second later."""

    looks = 0

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        """The next second."""
        cls.looks += 1
        return (_START + datetime.timedelta(seconds=cls.looks)).astimezone(tz)  # type: ignore[return-value]


@contextmanager
def fixed_times() -> Iterator[None]:
    """All times that are stored come from a clock that starts anew."""
    Clock.looks = 0
    with patch("tdvc.repo.commit.datetime", Clock):
        yield


def build(place: Path, source: Path) -> Repository:
    """A small repository that has one of everything.

    Args:
        place: where it is made.
        source: a folder for what is added to it.
    """
    with fixed_times():
        repository = Repository.init(place, author="Ada <ada@example.org>", durable=False)
        _fill(repository, source)
        _merge(repository, source)
        _leave_open(repository)
        _follow(repository)
    return repository


def _fill(repository: Repository, source: Path) -> None:
    """Files, instances of every type, a schema with attributes, a mirror, a copy with instances, a snapshot."""
    pictures = {f"{name}.jpg": jpeg(name * 300) for name in ("rex", "tom", "a b", "größe", "night/owl")}
    add(repository, [write_tree(source / "pictures", {**pictures, "empty.txt": b""})])
    write_tree(source, {"schema.json": json.dumps(SCHEMA).encode()})
    import_schema(repository, source / "schema.json")
    instances = [
        {"instance_id": f"{n:032x}", "label": "animal", "type": kind, "geometry": geometry}
        for n, (kind, geometry) in enumerate(GEOMETRIES.items(), 1)
    ]
    more: dict[str, Any] = {"attributes": {"state": "asleep"}, "properties": {"x": {"id": 7}}, "score": 0.50}
    dog = {"instance_id": "d" * 32, "label": "dog", "type": "box", "geometry": [0, 0, 9, 9], "frame": 3, **more}
    knee = {"instance_id": "e" * 32, "label": "joints", "type": "keypoints", "geometry": [1, 1, 2, 3, 4, 0]}
    edit(repository, *({"op": "add", "path": "rex.jpg", "instance": made} for made in instances))
    edit(repository, *({"op": "add", "path": "tom.jpg", "instance": made} for made in (dog, knee)))
    complete(repository, ["rex.jpg"])
    commit(repository, "first\n\nwith a longer word about it")
    mirror(repository, ["Main:rex.jpg", "Main:night"], "Mirrored")
    copy(repository, ["Main:tom.jpg"], "Copied", with_instances=True)
    commit(repository, "a copy", "Copied")
    create_directory(repository, "Many")
    add(repository, [write_tree(source / "many", {f"{n:04}.txt": b"the same" for n in range(700)})], "Many")
    commit(repository, "many", "Many")
    snapshot(repository, "Main", "v1", message="the first one")


def _merge(repository: Repository, source: Path) -> None:
    """A branch, a commit on both sides, and the commit that joins them."""
    mirror(repository, ["Main"], "Branch")
    commit(repository, "a branch", "Branch")
    remove(repository, ["Main:a b.jpg"])
    commit(repository, "without one")
    add(repository, [write_tree(source / "new", {"new.jpg": jpeg("new")})], "Branch")
    commit(repository, "another one", "Branch")
    merge(repository, "Branch")


def _leave_open(repository: Repository) -> None:
    """A snapshot that was undone, a merge with a conflict, and edits that are staged."""
    snapshot(repository, "Copied", "given-up")
    undo(repository)
    copy(repository, ["Main:rex.jpg", "Main:tom.jpg"], "Alice", with_instances=True)
    commit(repository, "hers", "Alice")
    for name, label in (("Main", "cat"), ("Alice", "dog")):
        (instance,) = [i for i in repository[name]["rex.jpg"].instances if i.type == "box"]
        changed = {"instance_id": instance.instance_id, "set": {"label": label}}
        edit(repository, {"op": "update", "path": "rex.jpg", **changed}, directory=name)
        commit(repository, f"a {label}", name)
    merge(repository, "Alice", "Main")
    edit(repository, {"op": "add", "path": "empty.txt", "instance": {"instance_id": "f" * 32, **TAG}})


def _follow(repository: Repository) -> None:
    """A dynamic directory, an edit that brings a file in, and the operation that followed it."""
    create_directory(repository, "Dogs", where="label = 'dog' and not in_directory('Many')", source="Main")
    edit(repository, {"op": "add", "path": "new.jpg", "instance": {"instance_id": "a" * 32, **TAG}})
    refresh(repository, "Dogs")


def edit(repository: Repository, *edits: dict[str, Any], directory: str = "Main") -> None:
    """Apply edits; one of the numbers ends in a zero, which stays."""
    text = "".join(json.dumps(change).replace(" 2.5,", " 2.50,") + "\n" for change in edits)
    annotate(repository, io.BytesIO(text.encode()), directory)


def described(repository: Repository) -> dict[str, Any]:
    """All that is in a repository, in ids and words."""
    view = repository.view
    names = [*view.directories, *view.snapshots, *(f"{name}@" for name, ref in view.directories.items() if ref.commit)]
    return {
        "head": repository.head().hex(),
        "view": json.loads(view.encode()),
        "states": {name: _state(repository, name) for name in sorted(names)},
    }


def _state(repository: Repository, name: str) -> dict[str, Any]:
    state = repository[name]
    files = {
        file.path: [file.file_id, file.blob_id, file.state.instances.hex(), file.state.origin.hex(), file.complete]
        for file in state
    }
    shown = dict(list(files.items())[:20])
    return {"root": state.root.hex(), "schema": state.schema_id.hex(), "counts": list(state.counts), "files": shown}


def main(place: Path) -> None:
    """Make the folder."""
    with TemporaryDirectory() as made:
        repository = build(Path(made) / "repository", Path(made) / "source")
        place.mkdir()
        for name in ("format", "heads", "packs"):
            source = Path(made) / "repository/.tdvc" / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, place / name)
        text = json.dumps(described(repository), indent=1, sort_keys=True, ensure_ascii=False)
        (place / "expected.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
