"""A run through the commands, step by step, as the crash, kill and fault tests use it; and how a result is judged.

Every step works on `place / "repo"`, and the checkouts on `place / "out"`. The bounds of the store are lowered so that
few small files make it use all it has: large blobs, joining of packs, a trash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from unittest.mock import patch

from tdvc.errors import Corruption, NoRepository, TdvcError
from tdvc.ids import Kind
from tdvc.model.records import make_instance
from tdvc.objects.pack import PackReader
from tdvc.objects.store import TRASH
from tdvc.objects.sweep import entries_of
from tdvc.ops.add import add
from tdvc.ops.annotate import annotate
from tdvc.ops.checkout import checkout
from tdvc.ops.collecting import collect
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory
from tdvc.ops.following import refresh
from tdvc.ops.importing import import_
from tdvc.ops.merging import merge
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import mirror, remove
from tdvc.ops.undoing import undo
from tdvc.repo import oplog
from tdvc.repo.commit import read_commit
from tdvc.repo.reach import Reach
from tdvc.repo.repository import Repository
from tdvc.repo.view import View
from tests.ops.build import box, jpeg, lines, write_tree

Command = Callable[[Path], object]
LARGE_BYTES = 2048
MANY_PACKS = 5


@contextmanager
def small_bounds() -> Iterator[None]:
    """Lower bounds, so that small workloads meet every branch of the store."""
    with ExitStack() as stack:
        for module in ("objects.store", "ops.intake", "ops.checkout"):
            stack.enter_context(patch(f"tdvc.{module}.LARGE_BYTES", LARGE_BYTES))
        stack.enter_context(patch("tdvc.repo.tidying.MANY_PACKS", MANY_PACKS))
        stack.enter_context(patch("tdvc.ops.collecting.YOUNG", timedelta(days=-1)))
        yield


def opened(place: Path) -> Repository:
    """The repository as another process would open it."""
    return Repository.open(place / "repo", author="Ada")


def sources(folder: Path) -> Path:
    """What the workload adds and imports: small files, a large one, and an annotated set."""
    write_tree(folder / "photos", {f"{n}.jpg": jpeg(f"photo {n}") for n in range(3)} | {"large.bin": b"L" * 5000})
    write_tree(folder / "more", {"late.jpg": jpeg("late"), "large.bin": b"M" * 5000})
    write_tree(folder / "side", {"side.jpg": jpeg("side")})
    images = write_tree(folder / "set", {f"img{n}.jpg": jpeg(f"set {n}") for n in range(3)})
    records = [{"path": f"img{n}.jpg", "instances": [box("dog", number=n + 1)]} for n in range(3)]
    (images / "instances.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def label(place: Path) -> object:
    """An instance more, through one directory of a mirrored file."""
    return annotate(opened(place), lines({"op": "add", "path": "0.jpg", "instance": box("cat", number=9)}), "Dogs")


def relabel(place: Path) -> None:
    """An edit in the other directory of another file, which a merge has to bring together."""
    repository = opened(place)
    with repository.transaction("relabel") as edit:
        edit.annotate(repository["Main"]["1.jpg"], [make_instance(box("cow", number=8))])


def collect_all(place: Path, *, now: bool) -> object:
    """A garbage collection that keeps no old operation."""
    return collect(opened(place), keep_operations=timedelta(days=-1), now=now)


def commands(folder: Path) -> dict[str, Command]:
    """The steps in order, by name; `folder` is one of `sources`."""
    return {
        "init": lambda place: Repository.init(place / "repo", author="Ada"),
        "add": lambda place: add(opened(place), [folder / "photos"]),
        "import": lambda place: import_(opened(place), folder / "set", at="set"),
        "commit": lambda place: commit(opened(place), "first"),
        "mirror": lambda place: mirror(opened(place), ["Main"], "Dogs"),
        "commit mirror": lambda place: commit(opened(place), "mirrored", "Dogs"),
        "annotate": label,
        "add aside": lambda place: add(opened(place), [folder / "side"], "Dogs"),
        "commit both": lambda place: commit(opened(place), "labelled", "Dogs"),
        "snapshot": lambda place: snapshot(opened(place), "Dogs", "v1"),
        "checkout": lambda place: checkout(opened(place), "v1", place / "out"),
        "edit": relabel,
        "commit edit": lambda place: commit(opened(place), "relabelled", "Main"),
        "merge": lambda place: merge(opened(place), "Dogs@", "Main"),
        "undo": lambda place: undo(opened(place)),
        "follow": lambda place: create_directory(opened(place), "Cows", where="label = 'cow'", source="Main"),
        "remove": lambda place: remove(opened(place), ["Main:set", "Main:large.bin"]),
        "refresh": lambda place: refresh(opened(place), "Cows"),
        "gc": partial(collect_all, now=False),
        "replace": lambda place: add(opened(place), [folder / "more"]),
        "gc now": partial(collect_all, now=True),
        "update": lambda place: checkout(opened(place), "Main", place / "out", update=True),
    }


# what is shown, and whether it is whole


def view_of(place: Path) -> View | None:
    """What the repository shows; None where there is none yet, or its creation was cut short and says so."""
    try:
        return opened(place).view
    except NoRepository:
        return None
    except Corruption as error:
        if error.code != "repository-format" or "tdvc init" not in error.hint:
            raise
        return None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a view shows but for ids that hold the time of day."""

    current: str
    schema: bytes
    roots: tuple[tuple[str, bytes, bytes], ...]
    commits: tuple[tuple[str, bytes], ...]
    snapshots: tuple[str, ...]


def shape_of(place: Path) -> Shape | None:
    """The shape of what the repository shows."""
    view = view_of(place)
    if view is None:
        return None
    objects = opened(place).objects
    commits = [(name, read_commit(objects, ref.commit)) for name, ref in view.directories.items() if ref.commit]
    return Shape(
        view.current,
        view.schema,
        tuple(sorted((name, ref.root, ref.paths) for name, ref in view.directories.items())),
        tuple(sorted((name, found.root) for name, found in commits)),
        tuple(sorted(view.snapshots)),
    )


def check_whole(repository: Repository) -> None:
    """Everything that the head leads to is there and right, mirrored files are in step, and no visible file is bad."""
    objects = repository.objects
    view = repository.view
    reach = Reach(objects)
    _read_all(objects, reach, view)
    for identity, operation in oplog.history(objects, repository.head()):
        try:
            _read_all(objects, reach, oplog.view_before(repository.storage, objects, operation))
        except TdvcError as error:
            assert error.code == "nothing-to-undo", f"operation {identity.hex()}: {error.message}"
            break
    _check_in_step(repository, view)
    for name in repository.storage.names("packs"):
        pack = PackReader(repository.storage, f"packs/{name}")
        assert len(entries_of(pack)) == pack.count
        for kind, identity, location in pack.entries():
            content = objects.decoded(location, objects.stored_bytes(location))
            assert content is not None, f"{name} holds a broken object"
            assert _hashes_to(kind, content, identity), f"{name} holds a broken object"


def _hashes_to(kind: Kind, content: bytes, identity: bytes) -> bool:
    from tdvc.ids import object_id

    return object_id(kind, content) == identity


def _read_all(objects, reach: Reach, view: View) -> None:
    for kind, identities in reach.of_view(view):
        for identity in identities:
            if identity and any(identity):
                objects.read(kind, identity)


def _check_in_step(repository: Repository, view: View) -> None:
    states: dict[bytes, object] = {}
    for name in view.directories:
        for file in repository[name]:
            state = file.state
            assert states.setdefault(state.file_id, state) == state, f"{file.path} differs between directories"


def check_goes_on(place: Path) -> None:
    """A new command works, and nothing is left over of those that were cut short."""
    try:
        repository = opened(place)
    except TdvcError:
        repository = Repository.init(place / "repo", author="Grace")
    with repository.transaction("go on") as edit:
        edit.add_bytes(repository.view.current, "gone-on.jpg", b"here")
    fresh = opened(place)
    assert fresh[fresh.view.current]["gone-on.jpg"].read() == b"here"
    left = fresh.storage.names("tmp")
    assert left == [], f"left over: {left}"
    assert len(fresh.storage.names("heads")) == 1
    assert not any(name.startswith("tmp") for name in fresh.storage.names(TRASH))
