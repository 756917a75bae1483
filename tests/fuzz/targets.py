"""Every place where bytes from outside are read. A target ends, and raises nothing but `TdvcError`."""

from __future__ import annotations

import importlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from tdvc.errors import TdvcError
from tdvc.formats import FORMATS
from tdvc.ids import Kind, ObjectId
from tdvc.model.problems import PROBLEMS
from tdvc.model.schemacheck import schema_problems
from tdvc.model.schematext import read_schema_text
from tdvc.objects.packcheck import examine
from tdvc.objects.store import ObjectStore
from tdvc.ops.annotate import annotate
from tdvc.ops.applying import apply
from tdvc.ops.checkoutrecord import checkout_record
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.importing import ImportOptions, import_
from tdvc.ops.mapping import read_map
from tdvc.ops.patching import patch_lines
from tdvc.ops.pictures import look_at
from tdvc.ops.pins import read_pin
from tdvc.ops.select import select
from tdvc.query.parser import parse
from tdvc.repo.commit import read_commit, read_snapshot
from tdvc.repo.config import read_config
from tdvc.repo.directory import read_schema, read_set
from tdvc.repo.entry import FILES, entry_of, origin_of, properties_of
from tdvc.repo.merge import read_merge
from tdvc.repo.repository import Repository
from tdvc.repo.rule import Rule, Seen, read_rule
from tdvc.repo.view import read_operation, read_view
from tdvc.storage.base import MemoryStorage
from tdvc.tables.tree import Table
from tests.bad_input import png
from tests.contracts import samples
from tests.fuzz.mutation import KINDS, Change, mutated
from tests.golden.build import SCHEMA
from tests.ops.build import box, stock


class Target(NamedTuple):
    """What takes bytes, and valid bytes to begin with."""

    take: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]


def _filled() -> Repository:
    """A repository in memory with one of most things; every call gives a new one."""
    made = Repository(MemoryStorage(), author="Ada")
    made.storage.files.update(_filled_files())  # type: ignore[attr-defined]
    return Repository(made.storage, author="Ada")


@cache
def _filled_files() -> dict[str, bytes]:
    storage = MemoryStorage()
    made = Repository(storage, author="Ada")
    made.start()
    instance = {"score": 0.5, "attributes": {"a": [1, "b"]}, "properties": {"k": {}}}
    stock(made, "Main", {"a.jpg": (b"\xff\xd8\xffa", [box("dog", number=1, **instance)]), "d/b.txt": b"b"})
    commit(made, "first")
    stock(made, "Main", {"é.jpg": (b"\xff\xd8\xffe", [box("cat", number=2)])})
    return storage.files


# objects, whose bytes hash right


def _object(kind: Kind, read: Callable[[ObjectStore, ObjectId], object]) -> Callable[[bytes], object]:
    def take(content: bytes) -> object:
        objects = ObjectStore(MemoryStorage())
        with objects.writer() as writer:
            identity = writer.put(kind, content)
            writer.publish()
        return read(objects, identity)

    return take


def _stored(kind: Kind) -> Sequence[bytes]:
    repository = _filled()
    view = repository.view
    main = view.directories["Main"]
    assert main.commit is not None
    identities = {
        Kind.PAGE: [main.root, main.paths],
        Kind.COMMIT: [main.commit],
        Kind.OPERATION: [repository.head()],
        Kind.SCHEMA: [view.schema],
        Kind.INSTANCES: [repository["Main"].entry("a.jpg").state.instances],
    }
    return [repository.objects.read(kind, identity) for identity in identities[kind]]


def _read_page(objects: ObjectStore, identity: ObjectId) -> None:
    table = Table(objects, FILES, identity)
    table.totals()
    for row in table.scan():
        entry = entry_of(row)
        properties_of(entry.state)
        origin_of(entry.state)
    table.get_many([b"a.jpg", b"", b"\xff"])


def _read_schema(objects: ObjectStore, identity: ObjectId) -> None:
    schema = read_schema(objects, identity)
    list(schema_problems(schema))
    schema.in_order()
    schema.encode()


def _merge_seed() -> Sequence[bytes]:
    conflict = {
        "path": "a",
        "file_id": "0" * 32,
        "instance_id": "1" * 32,
        "field": "label",
        "ours": "x",
        "theirs": 1.50,
    }
    merge = {"bases": ["0" * 64], "conflicts": [conflict], "ours": "1" * 64, "revision": "x", "theirs": "2" * 64}
    return [json.dumps(merge).encode()]


def _rule_seed() -> Sequence[bytes]:
    seen = Seen(ObjectId(b"1" * 32), ObjectId(b"2" * 32), {"Test": ObjectId(b"3" * 32)}, "2026-11-01T12:30:00.000000Z")
    return [Rule("Main", "label = 'dog'", "size desc", 9, seen).encode()]


def _snapshot_seed() -> Sequence[bytes]:
    return [json.dumps({"author": "a", "commit": "0" * 64, "message": "", "name": "v1", "time": "2026"}).encode()]


# files


def _take_pack(content: bytes) -> None:
    storage = MemoryStorage()
    name = f"packs/{'0' * 16}-x.pack"
    storage.files[name] = content
    store = ObjectStore(storage)
    examine(storage, store, name, None)
    for stored in list(_filled_files()):
        if stored.startswith("packs/"):
            _try_reading(store)


def _try_reading(store: ObjectStore) -> None:
    for kind in Kind:
        for identity in store.ids_with_prefix(kind, "00"):
            store.read(kind, identity)
    store.contains(Kind.BLOB, ObjectId(bytes(32)))


def _packs() -> Sequence[bytes]:
    return [content for name, content in _filled_files().items() if name.startswith("packs/")]


def _take_config(content: bytes) -> None:
    storage = MemoryStorage()
    storage.files["config.toml"] = content
    read_config(storage)


def _in_a_file(take: Callable[[Path], object], name: str = "file") -> Callable[[bytes], object]:
    def with_file(content: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(content)
            take(Path(folder) / name)

    return with_file


def _take_revision(content: bytes) -> None:
    text = content.decode(errors="surrogateescape")
    repository = _filled()
    for ask in (lambda: repository[text], lambda: select(repository, text), lambda: select(repository, f"Main:{text}")):
        try:
            ask()
        except TdvcError as error:
            assert error.message.isprintable(), error.message


def _patch_seed() -> Sequence[bytes]:
    repository = _filled()
    return [b"".join(patch_lines(diff(repository, "Main@", "Main")))]


EDITS = b"""{"op":"add","path":"a.jpg","instance":{"label":"dog","type":"box","geometry":[1,2,30,40]}}
{"op":"update","path":"a.jpg","instance_id":"00000000000000000000000000000001","set":{"attributes":{"age":3}}}
{"op":"replace","path":"d/b.txt","instances":[{"label":"x","type":"polygon","geometry":[[[0,0,1,0,1,1]]],"score":0.5}]}
{"op":"remove","path":"\xc3\xa9.jpg","instance_id":"00000000000000000000000000000002"}
"""
CONFIG = (
    b'[validate]\ntiny_px = 2\non_commit = "warn"\n[validate.rules]\n"empty-file" = "off"\n[hooks]\ntimeout = 3.5\n'
)
PIN = b'format = "tdvc-pin 1"\nrepository = "data"\ncommit = "%s"\n' % (b"0" * 64)
QUERIES = (
    b"label = 'dog' and (area > 100 or not complete)",
    b"any(label in ('a', 'b') and attributes.age >= 3) and path ~ 'x.*'",
    b"changed since 2026-11-01",
)
REVISIONS = (b"Main", b"Main@", b"Main~1", b"Main@{2026-11-01}", b"abcdef0", b"Main:*.jpg", b"Main:d/[ab]", b"Main@~99")

TARGETS: dict[str, Target] = {
    "page": Target(_object(Kind.PAGE, _read_page), lambda: _stored(Kind.PAGE)[:1]),
    "commit": Target(_object(Kind.COMMIT, read_commit), lambda: _stored(Kind.COMMIT)),
    "snapshot": Target(_object(Kind.SNAPSHOT, read_snapshot), _snapshot_seed),
    "operation": Target(_object(Kind.OPERATION, read_operation), lambda: _stored(Kind.OPERATION)),
    "view": Target(_object(Kind.VIEW, read_view), lambda: [_filled().view.encode()]),
    "merge": Target(_object(Kind.MERGE, read_merge), _merge_seed),
    "rule": Target(_object(Kind.RULE, read_rule), _rule_seed),
    "schema": Target(_object(Kind.SCHEMA, _read_schema), lambda: [*_stored(Kind.SCHEMA), json.dumps(SCHEMA).encode()]),
    "instances": Target(_object(Kind.INSTANCES, read_set), lambda: _stored(Kind.INSTANCES)),
    "pack": Target(_take_pack, _packs),
    "edits": Target(lambda content: annotate(_filled(), io.BytesIO(content)), lambda: [EDITS]),
    "patch": Target(lambda content: apply(_filled(), io.BytesIO(content)), _patch_seed),
    "config": Target(_take_config, lambda: [CONFIG]),
    "schema file": Target(
        lambda c: read_schema_text(c, "file"), lambda: [json.dumps(SCHEMA).encode(), b"[labels.a]\n"]
    ),
    "map": Target(_in_a_file(read_map), lambda: [b'[labels]\ndog = "cat"\n[attributes]\na = "b"\n']),
    "pin": Target(_in_a_file(read_pin), lambda: [PIN]),
    "record of a checkout": Target(
        _in_a_file(lambda p: checkout_record(p.parent), ".tdvc-checkout"), lambda: [b"{}\n"]
    ),
    "revision": Target(_take_revision, lambda: REVISIONS),
    "query": Target(lambda content: parse(content.decode(errors="replace")), lambda: QUERIES),
    "picture": Target(lambda content: look_at(content, deep=True), lambda: [png(), *_pictures()]),
}
"""By name. The readers of formats come from `take_format`."""


@cache
def _pictures() -> tuple[bytes, ...]:
    image = importlib.import_module("PIL.Image")
    found = []
    for kind in ("JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
        content = io.BytesIO()
        image.new("RGB", (9, 7), "red").save(content, kind)
        found.append(content.getvalue())
    return tuple(found)


# formats


@cache
def sample(name: str) -> Path:
    """A source of a format; made once, and never changed."""
    root = Path(tempfile.mkdtemp(prefix="tdvc-fuzz-"))
    samples.make(name, root / "source")
    return root / "source"


def annotation_files(name: str) -> list[str]:
    """The files of the sample that are worth changing."""
    root = sample(name)
    files = sorted(str(place.relative_to(root)) for place in root.rglob("*") if place.is_file())
    return [path for path in files if len((root / path).read_bytes()) > 10] or files


def take_format(name: str, path: str, changes: Sequence[Change]) -> None:
    """Import the sample of a format with one file changed."""
    with tempfile.TemporaryDirectory(prefix="tdvc-fuzz-") as folder:
        source = Path(folder) / "source"
        shutil.copytree(sample(name), source)
        (source / path).write_bytes(mutated((source / path).read_bytes(), changes))
        repository = Repository(MemoryStorage(), author="Ada")
        repository.start()
        result: Any = import_(repository, source, format=name, options=ImportOptions())
    assert "unaccounted" not in result.sentence
    for problem in result.problems:
        assert problem.code in PROBLEMS
        assert problem.place.isprintable()


def run(target: str, content: bytes) -> None:
    """Give bytes to a target, or the changes that bytes stand for to the reader of a format."""
    try:
        if target in FORMATS:
            path, changes = _changes_from(target, content)
            take_format(target, path, changes)
        else:
            TARGETS[target].take(content)
    except TdvcError as error:
        assert error.message.isprintable(), error.message


def _changes_from(name: str, content: bytes) -> tuple[str, list[Change]]:

    kinds, files = list(KINDS), annotation_files(name)
    pieces = [content[start : start + 9].ljust(9, b"\0") for start in range(1, max(len(content), 2), 9)][:4]
    numbers = ((p[0], int.from_bytes(p[1:5], "little"), int.from_bytes(p[5:], "little")) for p in pieces)
    return files[(content[:1] or b"\0")[0] % len(files)], [Change(kinds[k % len(kinds)], a, v) for k, a, v in numbers]
