"""Merging between other commands, in any order: mirrors agree, tables agree, nothing is left half done."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tdvc.errors import TdvcError
from tdvc.model.merge import merge_sets
from tdvc.model.records import make_instance, same_instance
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.merging import MergeOptions, abort_merge, merge
from tdvc.ops.resolving import resolve
from tdvc.ops.restoring import reset
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.undoing import redo, undo
from tdvc.repo.entry import PATHS
from tdvc.repo.merge import read_merge
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tdvc.tables.tree import Table
from tests.ops.build import box, identity, jpeg, lines, stock

NAMES = st.sampled_from(["Main", "Alice", "Night"])
FILES = st.sampled_from(["a.jpg", "b.jpg", "c.jpg"])
LABELS = st.sampled_from(["dog", "cat", "cow"])
EXPECTED = {
    "conflicts-left",
    "directory-not-found",
    "file-exists",
    "file-not-found",
    "instance-not-found",
    "bad-edit",
    "merge-under-way",
    "no-merge",
    "nothing-to-commit",
    "nothing-to-redo",
    "nothing-to-undo",
    "staged-edits",
    "unknown-revision",
    "unrelated-states",
    "bad-usage",
}
"""What a command may be refused with here."""


class MergeMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.repository = Repository(MemoryStorage(), author="Ada")
        self.repository.start()
        drawn = [box("dog", number=1), box("cat", number=2)]
        stock(self.repository, "Main", {"a.jpg": (jpeg("a"), drawn), "b.jpg": (jpeg("b"), drawn)})
        commit(self.repository, "first", "Main")
        copy(self.repository, ["Main"], "Alice", with_instances=True)
        mirror(self.repository, ["Main:a.jpg"], "Night")
        for name in ("Alice", "Night"):
            commit(self.repository, "first", name)

    def tried(self, act: Any, *arguments: Any, **options: Any) -> Any:
        """Do it, or be refused for a known reason with nothing changed."""
        head = self.repository.head()
        try:
            return act(self.repository, *arguments, **options)
        except TdvcError as error:
            assert error.code in EXPECTED, f"{error.code}: {error.message}"
            assert self.repository.head() == head
            return None

    @rule(name=NAMES, path=FILES, number=st.integers(1, 2), label=LABELS)
    def relabel(self, name: str, path: str, number: int, label: str) -> None:
        edit = {"op": "update", "path": path, "instance_id": identity(number), "set": {"label": label}}
        self.tried(annotate, lines(edit), name)

    @rule(name=NAMES, path=FILES, number=st.integers(1, 2), at=st.integers(0, 3))
    def shift(self, name: str, path: str, number: int, at: int) -> None:
        edit = {"op": "update", "path": path, "instance_id": identity(number), "set": {"geometry": [at, 0, 9, 9]}}
        self.tried(annotate, lines(edit), name)

    @rule(name=NAMES, path=FILES, number=st.integers(1, 3), gone=st.booleans())
    def come_and_go(self, name: str, path: str, number: int, gone: bool) -> None:
        come = {"op": "add", "path": path, "instance": box("dog", number=number)}
        go = {"op": "remove", "path": path, "instance_id": identity(number)}
        self.tried(annotate, lines(go if gone else come), name)

    @rule(name=NAMES, path=FILES)
    def remove(self, name: str, path: str) -> None:
        self.tried(remove, [f"{name}:{path}"])

    @rule(name=NAMES, path=FILES, new=FILES)
    def rename(self, name: str, path: str, new: str) -> None:
        self.tried(move, [f"{name}:{path}"], f"{name}:{new}")

    @rule(name=NAMES, path=FILES, to=NAMES)
    def mirror(self, name: str, path: str, to: str) -> None:
        self.tried(mirror, [f"{name}:{path}"], to)

    @rule(name=NAMES, path=FILES, to=NAMES, with_instances=st.booleans())
    def copy(self, name: str, path: str, to: str, with_instances: bool) -> None:
        self.tried(copy, [f"{name}:{path}"], to, with_instances=with_instances)

    @rule(name=NAMES)
    def commit(self, name: str) -> None:
        self.tried(commit, "work", name)

    @rule(name=NAMES, theirs=NAMES, overlap=st.sampled_from([None, None, 0.5]), now=st.booleans())
    def merge(self, name: str, theirs: str, overlap: float | None, now: bool) -> None:
        for directory in (name, theirs):
            self.tried(commit, "work", directory)
        result = self.tried(merge, theirs, name, MergeOptions(match=overlap, commit=now))
        if result is None or result.up_to_date:
            return
        pending = self.repository.view.directories[name].merge
        assert (pending is None) == (now and not result.conflicts)
        if pending is None:
            assert self.repository.directory(name).commit is not None
            assert self.tried(merge, f"{theirs}@", name).up_to_date

    @rule(name=NAMES, take=st.sampled_from(["ours", "theirs", "base", "both"]), path=FILES | st.just(""))
    def resolve(self, name: str, take: str, path: str) -> None:
        try:
            self.tried(resolve, [path] if path else [], name, take=take)
        except AssertionError as error:
            if "conflict-not-found" not in str(error):
                raise

    @rule(name=NAMES)
    def abort(self, name: str) -> None:
        if self.tried(abort_merge, name) is not None:
            last = self.repository.view.directories[name].commit
            assert self.repository.directory(name).commit == last

    @rule(name=NAMES)
    def reset(self, name: str) -> None:
        self.tried(reset, f"{name}~1", name)

    @rule()
    def undo(self) -> None:
        self.tried(undo)

    @rule()
    def redo(self) -> None:
        self.tried(redo)

    @invariant()
    def mirrors_agree(self) -> None:
        states: dict[bytes, Any] = {}
        for name in self.repository:
            for entry in self.repository[name].entries():
                assert states.setdefault(entry.state.file_id, entry.state) == entry.state

    @invariant()
    def tables_agree(self) -> None:
        view = self.repository.view
        for name, ref in view.directories.items():
            paths = {row[0]: row[1].decode() for row in Table(self.repository.objects, PATHS, ref.paths).scan()}
            assert paths == {entry.state.file_id: entry.path for entry in self.repository[name].entries()}
            if ref.merge is not None:
                read_merge(self.repository.objects, ref.merge)


MergeMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMerging = MergeMachine.TestCase


# directories merge as their sets do

instances = st.builds(
    lambda number, label, at: make_instance(box(label, (at, 0, 9, 9), number=number)),
    st.integers(1, 3),
    LABELS,
    st.integers(0, 1),
)
sets = st.lists(instances, max_size=3, unique_by=lambda instance: instance.instance_id)


@settings(max_examples=60, deadline=None)
@given(sets, sets, sets, st.booleans())
def test_files_merge_as_their_instance_sets_do(base: list, ours: list, theirs: list, as_copy: bool) -> None:
    repository = Repository(MemoryStorage(), author="Ada")
    repository.start()
    stock(repository, "Main", {"a.jpg": jpeg("a"), "b.jpg": jpeg("b")})
    _set(repository, "Main", base)
    first = commit(repository, "base", "Main").commit
    if as_copy:
        copy(repository, ["Main"], "Alice", with_instances=True)
    branch = _changed(repository, "Alice" if as_copy else "Main", theirs)
    reset(repository, first, "Main")
    _changed(repository, "Main", ours)
    found = merge(repository, branch, "Main")
    expected = merge_sets(base, ours, theirs)
    result = repository["Main"]["a.jpg"].instances
    assert len(result) == len(expected.instances)
    assert all(map(same_instance, result, expected.instances))
    assert [(c.instance_id, c.field) for c in found.conflicts] == [c[:2] for c in expected.conflicts]


def _set(repository: Repository, name: str, instances: list) -> None:
    with repository.transaction("set") as edit:
        edit.annotate(repository[name]["a.jpg"], instances)


def _changed(repository: Repository, name: str, instances: list) -> str:
    """The commit in which a.jpg has other instances, and another file came."""
    _set(repository, name, instances)
    with repository.transaction("add") as edit:
        edit.add_bytes(name, f"{len(repository[name])}{name}.txt", b"")
    return commit(repository, "work", name).commit
