"""A repository made of dictionaries: what tdvc must do, said as plainly as possible.

A file is its id; what it holds is in `files`, so a mirrored file has one state by construction. The whole state is a
value, and undo is a list of such values with a finger on one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

FileKey = tuple[str, str, bytes, int]
"""Where a file first appeared (directory, path, content), and a counter for a second one with the same beginnings."""


class Refusal(Exception):
    """The reference refuses; the argument is the error code that tdvc must give."""


class FileContent(NamedTuple):
    content: bytes
    instances: tuple[tuple[str, str], ...] = ()
    """(instance id, label), ordered."""
    origin: FileKey | None = None


Table = dict[str, tuple[FileKey, FileContent]]
"""Path to the file and what it holds: what a commit freezes."""


@dataclass(frozen=True)
class State:
    """Everything that undo brings back."""

    current: str = "Main"
    directories: dict[str, dict[str, FileKey]] = field(default_factory=lambda: {"Main": {}})
    files: dict[FileKey, FileContent] = field(default_factory=dict)
    last_commits: dict[str, Table] = field(default_factory=dict)
    snapshots: dict[str, Table] = field(default_factory=dict)

    def living(self) -> set[FileKey]:
        return {key for table in self.directories.values() for key in table.values()}

    def table(self, name: str) -> Table:
        return {path: (key, self.files[key]) for path, key in self.directories[name].items()}


class Reference:
    """The repository. A command that changes nothing leaves no trace."""

    def __init__(self) -> None:
        self.history = [State()]
        self.at = 0
        self.given_names: set[str] = set()

    @property
    def state(self) -> State:
        return self.history[self.at]

    def _publish(self, **changes: object) -> None:
        state = replace(self.state, **changes)
        living = state.living()
        state = replace(state, files={key: held for key, held in state.files.items() if key in living})
        if state != self.state:
            self.history[self.at + 1 :] = [state]
            self.at += 1

    def _edited(self, *names: str) -> dict[str, dict[str, FileKey]]:
        for name in names:
            self._require(name)
        return {name: dict(table) for name, table in self.state.directories.items()}

    def _require(self, name: str) -> None:
        if name not in self.state.directories:
            raise Refusal("directory-not-found")

    def _new_name(self, name: str) -> None:
        if name in self.state.directories:
            raise Refusal("directory-exists")
        if name in self.given_names:
            raise Refusal("snapshot-exists")

    def _fresh(self, directory: str, path: str, content: bytes) -> FileKey:
        counter = 0
        while (directory, path, content, counter) in self.state.living():
            counter += 1
        return directory, path, content, counter

    # files

    def put(self, name: str, path: str, content: bytes) -> None:
        directories = self._edited(name)
        key = self._fresh(name, path, content)
        directories[name][path] = key
        self._publish(directories=directories, files={**self.state.files, key: FileContent(content)})

    def replace(self, name: str, path: str, content: bytes) -> None:
        key = self._key(name, path)
        files = {**self.state.files, key: self.state.files[key]._replace(content=content)}
        self._publish(files=files)

    def annotate(self, name: str, path: str, instances: tuple[tuple[str, str], ...]) -> None:
        key = self._key(name, path)
        files = {**self.state.files, key: self.state.files[key]._replace(instances=tuple(sorted(instances)))}
        self._publish(files=files)

    def _key(self, name: str, path: str) -> FileKey:
        self._require(name)
        if path not in self.state.directories[name]:
            raise Refusal("file-not-found")
        return self.state.directories[name][path]

    # transfer

    def _source(self, source: str, path: str) -> Table:
        if source in self.state.directories:
            table = self.state.table(source)
        elif source in self.state.snapshots:
            table = self.state.snapshots[source]
        else:
            raise Refusal("unknown-revision")
        if path and path not in table:
            raise Refusal("file-not-found")
        return {path: table[path]} if path else table

    def _destination(self, name: str) -> dict[str, dict[str, FileKey]]:
        if name not in self.state.directories:
            self._new_name(name)
        return {**{n: dict(table) for n, table in self.state.directories.items()}} | (
            {} if name in self.state.directories else {name: {}}
        )

    def mirror(self, source: str, path: str, destination: str, new_path: str) -> None:
        directories = self._destination(destination)
        before = dict(directories[destination])
        files = dict(self.state.files)
        for old_path, (key, held) in sorted(self._source(source, path).items()):
            place = new_path or old_path
            if key in directories[destination].values():
                continue
            if place in before:
                raise Refusal("file-exists")
            directories[destination][place] = key
            files.setdefault(key, held)
        self._publish(directories=directories, files=files)

    def copy(self, source: str, path: str, destination: str, new_path: str, *, with_instances: bool) -> None:
        directories = self._destination(destination)
        files = dict(self.state.files)
        for old_path, (key, held) in sorted(self._source(source, path).items()):
            place = new_path or old_path
            there = directories[destination].get(place)
            if there is not None:
                if files[there].origin == key and files[there].content == held.content:
                    continue
                raise Refusal("file-exists")
            fresh = self._fresh(destination, place, held.content)
            directories[destination][place] = fresh
            files[fresh] = FileContent(held.content, held.instances if with_instances else (), key)
        self._publish(directories=directories, files=files)

    def move(self, source: str, path: str, destination: str, new_path: str) -> None:
        directories = self._destination(destination)
        before = dict(directories[destination])
        for old_path, (key, _) in sorted(self._source(source, path).items()):
            if source not in self.state.directories:
                raise Refusal("bad-usage")
            place = new_path or old_path
            if source == destination and place == old_path:
                continue
            if source == destination or key not in directories[destination].values():
                if place in before:
                    raise Refusal("file-exists")
                directories[destination][place] = key
            del directories[source][old_path]
        self._publish(directories=directories)

    def remove(self, source: str, path: str) -> None:
        found = self._source(source, path)
        if source not in self.state.directories:
            raise Refusal("bad-usage")
        directories = self._edited(source)
        for old_path in found:
            del directories[source][old_path]
        self._publish(directories=directories)

    # history

    def commit(self, name: str) -> None:
        self._require(name)
        table = self.state.table(name)
        if self.state.last_commits.get(name) == table:
            raise Refusal("nothing-to-commit")
        self._publish(last_commits={**self.state.last_commits, name: table})

    def snapshot(self, name: str, title: str) -> None:
        self._require(name)
        if name not in self.state.last_commits:
            raise Refusal("unknown-revision")
        if title in self.given_names:
            raise Refusal("snapshot-exists")
        if title in self.state.directories:
            raise Refusal("directory-exists")
        self.given_names.add(title)
        self._publish(snapshots={**self.state.snapshots, title: self.state.last_commits[name]})

    def undo(self) -> None:
        if self.at == 0:
            raise Refusal("nothing-to-undo")
        self.at -= 1

    def redo(self) -> None:
        if self.at + 1 == len(self.history):
            raise Refusal("nothing-to-redo")
        self.at += 1

    # directories

    def create_directory(self, name: str) -> None:
        self._new_name(name)
        self._publish(directories={**self.state.directories, name: {}})

    def remove_directory(self, name: str) -> None:
        directories = self._edited(name)
        del directories[name]
        current = self.state.current
        if current == name:
            if not directories:
                raise Refusal("last-directory")
            current = min(directories)
        commits = {n: table for n, table in self.state.last_commits.items() if n != name}
        self._publish(directories=directories, current=current, last_commits=commits)

    def rename_directory(self, old: str, new: str) -> None:
        directories = self._edited(old)
        self._new_name(new)
        directories[new] = directories.pop(old)
        commits = {new if name == old else name: table for name, table in self.state.last_commits.items()}
        current = new if self.state.current == old else self.state.current
        self._publish(directories=directories, current=current, last_commits=commits)
