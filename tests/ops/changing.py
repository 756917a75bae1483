"""Repositories that are frozen as `v1` and then changed in every way that an export shows."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from tdvc.ids import Kind
from tdvc.model.records import make_instance
from tdvc.ops.annotate import complete
from tdvc.ops.committing import commit
from tdvc.ops.schema import rename_label
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import move, remove
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.ops.build import jpeg, stock

Change = tuple[str, str, int]
"""What, at which path or of which label, and a number that says the rest."""

LABELS = ("dog", "cat", "große Katze")
PATHS = ("a.jpg", "a.png", "a.b.jpg", "a-2.jpg", "in/a.jpg", "in/b.txt", "in.jpg", "é.jpg", "z.json", "z", "x.parquet")
SHAPES: tuple[tuple[str, Any], ...] = (
    ("tag", None),
    ("box", [1, 2, 10.5, 20.25]),
    ("polygon", [[[1, 1, 30, 1, 30, 20, 1, 20]]]),
    ("mask", {"counts": "52203", "size": [4, 4]}),
)


def instances_of(path: str, seed: int) -> list[dict[str, Any]]:
    """Instances that follow from a number, up to three."""
    source = random.Random(f"{path} {seed}")
    found = []
    for number in range(source.randrange(4)):
        kind, shape = source.choice(SHAPES)
        fields = {"instance_id": f"{source.getrandbits(128):032x}", "label": source.choice(LABELS), "type": kind}
        fields |= {} if shape is None else {"geometry": shape}
        extra = [{"attributes": {"age": 3}}, {"score": 0.5}, {"properties": {"x": {"label": "dog"}}}, {}]
        found.append(fields | source.choice(extra) | {"source": f"run {number}"})
    return found


CHANGES = st.one_of(
    st.tuples(st.sampled_from(("add", "move", "bytes", "annotate")), st.sampled_from(PATHS), st.integers(0, 9)),
    st.tuples(st.sampled_from(("remove", "mark", "properties")), st.sampled_from(PATHS), st.integers(0, 9)),
    st.tuples(st.just("rename"), st.sampled_from(LABELS), st.integers(0, 2)),
)


def change(repository: Repository, what: str, at: str, number: int) -> None:
    """One edit; one that does not fit changes nothing."""
    state = repository["Main"]
    known = sorted(path for path in PATHS if path in state)
    if what == "rename" and at in state.schema.labels:
        rename_label(repository, at, f"{at} {number}")
    elif what == "add" and at not in state:
        stock(repository, "Main", {at: (jpeg(f"{at} {number}" * 20), instances_of(at, number))})
    elif what == "move" and at in state and known[number % len(known)] == at:
        move(repository, [f"Main:{at}"], f"Main:moved/{number}-{at.replace('/', '-')}")
    elif what == "remove" and at in state:
        remove(repository, [f"Main:{at}"])
    elif what == "mark" and at in state:
        complete(repository, [at], undo=number % 2 == 1)
    elif what in ("annotate", "bytes", "properties") and at in state:
        rewrite(repository, what, at, number)


def rewrite(repository: Repository, what: str, at: str, number: int) -> None:
    file = repository["Main"][at]
    with repository.transaction(what) as edit:
        if what == "annotate":
            edit.annotate(file, [make_instance(fields) for fields in instances_of(at, number)])
        elif what == "properties":
            edit.set_state(file.state._replace(properties=b'{"weather":%d.50}' % number))
        else:
            content = jpeg("another" * number)
            blob = edit.writer.put(Kind.BLOB, content)
            edit.set_state(file.state._replace(blob=blob, size_bytes=len(content)))


def changed(*changes: Change) -> Repository:
    """A repository with a few files in Main, some complete, frozen as `v1`, and then changed."""
    made = Repository(MemoryStorage(), author="Ada")
    made.start()
    stock(made, "Main", {path: (jpeg(path), instances_of(path, 0)) for path in PATHS[:6]})
    complete(made, ["a*"])
    commit(made, "first")
    snapshot(made, None, "v1")
    for one in changes:
        change(made, *one)
    return made
