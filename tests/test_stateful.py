"""The real repository against the one made of dictionaries, under commands in any order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tdvc.errors import TdvcError
from tdvc.ids import FileId, Kind
from tdvc.ops.annotate import annotate
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory, remove_directory, rename_directory
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.undoing import redo, undo
from tdvc.repo.directory import Directory
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.reference import FileContent, FileKey, Reference, Refusal

NAMES = st.sampled_from(["Main", "Dogs", "Cats"])
SNAPSHOTS = st.sampled_from(["v1", "v2", "Cats"])
SOURCES = st.sampled_from(["Main", "Main", "Dogs", "Dogs", "Cats", "v1", "v2"])
PATHS = st.sampled_from(["a", "b", "in/c"])
PATH_OR_ALL = st.sampled_from(["", "", "a", "b", "in/c"])
CONTENTS = st.sampled_from([b"one", b"two", b""])
INSTANCES = st.lists(
    st.tuples(st.sampled_from(["0" * 32, "1" * 32]), st.sampled_from(["dog", "cat"])),
    max_size=2,
    unique_by=lambda instance: instance[0],
).map(tuple)


class RepositoryMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.real = Repository(MemoryStorage(), author="Ada")
        self.real.start()
        self.reference = Reference()
        self.commits: dict[str, tuple[dict, bytes]] = {}

    def both(self, really: Callable[[], Any], in_reference: Callable[[], None]) -> None:
        """Do the same to both: the same refusal, or success; and an operation exactly where something changed."""
        before, head = self.reference.state, self.real.head()
        code = None
        try:
            in_reference()
        except Refusal as refusal:
            code = refusal.args[0]
        try:
            really()
        except TdvcError as error:
            assert error.code == code, f"{error.code}, not {code}: {error.message}"
        else:
            assert code is None, f"not refused with {code}"
        assert (self.real.head() != head) == (self.reference.state is not before)

    # files

    @rule(name=NAMES, path=PATHS, content=CONTENTS)
    def put(self, name: str, path: str, content: bytes) -> None:
        def really() -> None:
            with self.real.transaction("put") as edit:
                blob = edit.writer.put(Kind.BLOB, content)
                (identity,) = edit.fresh_ids(name, [(path, blob)])
                edit.put(name, path, FileState(identity, blob, len(content)))

        self.both(really, lambda: self.reference.put(name, path, content))

    @rule(name=NAMES, path=PATHS, content=CONTENTS)
    def replace(self, name: str, path: str, content: bytes) -> None:
        def really() -> None:
            with self.real.transaction("replace") as edit:
                state = self.real.directory(name).entry(path).state
                blob = edit.writer.put(Kind.BLOB, content)
                edit.set_state(state._replace(blob=blob, size_bytes=len(content)))

        self.both(really, lambda: self.reference.replace(name, path, content))

    @rule(name=NAMES, path=PATHS, instances=INSTANCES)
    def annotate(self, name: str, path: str, instances: tuple[tuple[str, str], ...]) -> None:
        made = [{"instance_id": identity, "label": label, "type": "tag"} for identity, label in instances]
        line = json.dumps({"op": "replace", "path": path, "instances": made}).encode()
        self.both(
            lambda: annotate(self.real, io.BytesIO(line), name), lambda: self.reference.annotate(name, path, instances)
        )

    # transfer

    @rule(source=SOURCES, path=PATH_OR_ALL, destination=NAMES, new_path=PATH_OR_ALL)
    def mirror(self, source: str, path: str, destination: str, new_path: str) -> None:
        given = _selectors(source, path, destination, new_path)
        self.both(lambda: mirror(self.real, *given[:2]), lambda: self.reference.mirror(source, path, *given[2]))

    @rule(source=SOURCES, path=PATH_OR_ALL, destination=NAMES, new_path=PATH_OR_ALL, whole=st.booleans())
    def copy(self, source: str, path: str, destination: str, new_path: str, whole: bool) -> None:
        given = _selectors(source, path, destination, new_path)
        self.both(
            lambda: copy(self.real, *given[:2], with_instances=whole),
            lambda: self.reference.copy(source, path, *given[2], with_instances=whole),
        )

    @rule(source=SOURCES, path=PATH_OR_ALL, destination=NAMES, new_path=PATH_OR_ALL)
    def move(self, source: str, path: str, destination: str, new_path: str) -> None:
        given = _selectors(source, path, destination, new_path)
        self.both(lambda: move(self.real, *given[:2]), lambda: self.reference.move(source, path, *given[2]))

    @rule(source=SOURCES, path=PATH_OR_ALL)
    def remove(self, source: str, path: str) -> None:
        self.both(
            lambda: remove(self.real, [f"{source}:{path}" if path else source]),
            lambda: self.reference.remove(source, path),
        )

    # history

    @rule(name=NAMES)
    def commit(self, name: str) -> None:
        def really() -> None:
            identity = commit(self.real, "why", name).commit
            assert identity not in self.commits
            self.commits[identity] = (self.reference.state.last_commits[name], self.real[name].root)

        self.both(really, lambda: self.reference.commit(name))

    @rule(name=NAMES, title=SNAPSHOTS)
    def snapshot(self, name: str, title: str) -> None:
        self.both(lambda: snapshot(self.real, name, title), lambda: self.reference.snapshot(name, title))

    @rule()
    def undo(self) -> None:
        self.both(lambda: undo(self.real), self.reference.undo)

    @rule()
    def redo(self) -> None:
        self.both(lambda: redo(self.real), self.reference.redo)

    # directories

    @rule(name=st.sampled_from(["Dogs", "Cats", "v1"]))
    def create_directory(self, name: str) -> None:
        self.both(lambda: create_directory(self.real, name), lambda: self.reference.create_directory(name))

    @rule(name=NAMES)
    def remove_directory(self, name: str) -> None:
        self.both(lambda: remove_directory(self.real, name), lambda: self.reference.remove_directory(name))

    @rule(old=NAMES, new=NAMES)
    def rename_directory(self, old: str, new: str) -> None:
        self.both(lambda: rename_directory(self.real, old, new), lambda: self.reference.rename_directory(old, new))

    # what always holds

    @invariant()
    def every_directory_and_snapshot_holds_the_same(self) -> None:
        view, state = self.real.view, self.reference.state
        assert view.current == state.current
        assert set(view.directories) == set(state.directories)
        assert set(view.snapshots) == set(state.snapshots)
        assert set(view.snapshots) | set(view.retired) == self.reference.given_names
        ids: dict[FileId, FileKey] = {}
        for name in view.directories:
            found, wanted = _contents(self.real[name]), state.table(name)
            assert {path: held for path, (_, held) in found.items()} == {p: _plain(h) for p, (_, h) in wanted.items()}
            for path, (identity, _) in found.items():
                assert ids.setdefault(identity, wanted[path][0]) == wanted[path][0]
        assert len(set(ids.values())) == len(ids)
        for name, table in state.snapshots.items():
            found = _contents(self.real[name])
            assert {path: held for path, (_, held) in found.items()} == {p: _plain(h) for p, (_, h) in table.items()}

    @invariant()
    def mirrored_files_are_equal_in_every_directory(self) -> None:
        states: dict[FileId, FileState] = {}
        for name in self.real.view.directories:
            entries = list(self.real[name].entries())
            assert len({entry.state.file_id for entry in entries}) == len(entries)
            for entry in entries:
                assert states.setdefault(entry.state.file_id, entry.state) == entry.state

    def teardown(self) -> None:
        for identity, (table, root) in self.commits.items():
            found = self.real[identity]
            assert found.root == root
            assert {p: h for p, (_, h) in _contents(found).items()} == {p: _plain(h) for p, (_, h) in table.items()}
        self._replay()

    def _replay(self) -> None:
        """A second repository that only ever sees the final rows has the same tables."""
        second = Repository(MemoryStorage(), author="Grace")
        second.start("first")
        known: set[FileId] = set()
        with second.transaction("replay") as edit:
            for name in sorted(self.real.view.directories, reverse=True):
                edit.create_directory(name)
                for entry in self.real[name].entries():
                    if entry.state.file_id in known:
                        edit.place(name, entry.path, entry.state.file_id)
                    else:
                        edit.put(name, entry.path, entry.state)
                    known.add(entry.state.file_id)
        for name, ref in self.real.view.directories.items():
            again = second.view.directories[name]
            assert (again.root, again.paths) == (ref.root, ref.paths)


def _selectors(source: str, path: str, destination: str, new_path: str) -> tuple[list[str], str, tuple[str, str]]:
    """The verb's sources and destination, and the reference's destination; only a single file can be given a path."""
    new_path = new_path if path else ""
    sources = [f"{source}:{path}" if path else source]
    return sources, f"{destination}:{new_path}" if new_path else destination, (destination, new_path)


def _contents(directory: Directory) -> dict[str, tuple[FileId, tuple[bytes, list[tuple[str, str]]]]]:
    return {
        file.path: (file.state.file_id, (file.read(), [(i.instance_id, i.label) for i in file.instances]))
        for file in directory
    }


def _plain(held: FileContent) -> tuple[bytes, list[tuple[str, str]]]:
    return held.content, list(held.instances)


RepositoryMachine.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestRepository = RepositoryMachine.TestCase
