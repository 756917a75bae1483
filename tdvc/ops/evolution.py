"""Changing what labels mean: the schema, the instances that are touched, and the commits, in one operation.

A change is made to the repository's schema, and so for every directory that follows it, or to the schema of one
directory that has its own. Instances change in every directory that holds their file. A directory without staged edits
gets a commit that records the change and nothing else; one with staged edits gets it staged beside them, since a commit
would record those too. What the change was worked out from may not move meanwhile: see `Transaction.hold`.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Self, TypeVar

import msgspec

from tdvc.errors import NotFound, Refused, SchemaError, TdvcError
from tdvc.ids import FileId, ObjectId
from tdvc.model import numbers
from tdvc.model.records import Instance
from tdvc.model.schema import Attribute, Label, Schema
from tdvc.model.schemachange import SchemaChange, compare_schemas
from tdvc.model.schemacheck import schema_problems
from tdvc.names import printable
from tdvc.ops.annotate import AnnotateResult, corrected, write_instances
from tdvc.ops.select import with_label
from tdvc.repo.directory import Directory, read_schema
from tdvc.repo.entry import PATHS, Entry
from tdvc.repo.repository import Repository
from tdvc.tables.tree import Table

T = TypeVar("T", Label, Attribute)


@dataclass(frozen=True, slots=True)
class ToDo:
    """An instance that a change of the schema leaves for people: `Directory:path`, its id, and why."""

    place: str
    instance_id: str
    reason: str


@dataclass(slots=True)
class SchemaResult:
    """What a change of the schema did.

    Attributes:
        message: what was done, as commits say it.
        directory: the directory whose own schema changed; None for the repository's.
        schema: id of the schema as it is now, in hexadecimal.
        changes: what differs in the schema.
        commits: directory to the id of the commit it got, in hexadecimal.
        staged_directories: directories that have the change staged, because they had staged edits or go by a schema of
            their own and hold a file that changed.
        files: files whose instances changed.
        paths: the same as `Directory:path`, each once wherever it is mirrored.
        instances: instances that changed.
        to_do: instances that are left for people.
        operation: None where nothing changed.
    """

    message: str
    directory: str | None
    schema: str = ""
    changes: list[SchemaChange] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    staged_directories: list[str] = field(default_factory=list)
    files: int = 0
    paths: list[str] = field(default_factory=list)
    instances: int = 0
    to_do: list[ToDo] = field(default_factory=list)
    operation: ObjectId | None = None


class Evolution:
    """One change of a schema on its way; as a context manager it leaves nothing behind when the block raises.

    Attributes:
        schema: as it is before the change.
        directory: the directory whose own schema changes; None for the repository's.
    """

    def __init__(
        self, repository: Repository, message: str, directory: str | None = None, *, takes_up: bool = False
    ) -> None:
        """Begin.

        Args:
            repository: the repository.
            message: what is done, in one line.
            directory: a directory with a schema of its own; None for the repository's.
            takes_up: the directory may have none of its own so far.

        Raises:
            NotFound: directory-not-found.
            Refused: schema-followed; directory-follows.
        """
        self.directory = directory
        self._repository = repository
        for name, ref in repository.view.directories.items():
            if ref.rule is not None:  # looked at now: what it publishes would collide with notes that are made before
                with contextlib.suppress(TdvcError):  # a rule that fails is shown as it last was
                    repository.directory(name)
        self._edit = repository.transaction(message)
        self._view = self._edit.view
        self._takes_up = takes_up
        self.schema = self._schema_to_change()
        self._result = SchemaResult(f"schema: {message.removeprefix('schema ')}", directory)
        self._counts = AnnotateResult(directory or "")
        self._touched: set[FileId] = set()
        if directory is None:
            self._scope = [name for name, ref in sorted(self._view.directories.items()) if ref.schema is None]
        else:
            self._scope = [directory]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._edit.writer.discard()

    def _schema_to_change(self) -> Schema:
        if self.directory is None:
            return read_schema(self._repository.objects, self._view.schema)
        found = self._repository.directory(self.directory)
        if self._view.directories[self.directory].rule is not None:
            raise Refused(
                "directory-follows",
                f"{self.directory} goes by the schema of the directory that it follows.",
                hint=f"tdvc directory rule {self.directory} says which.",
                directory=self.directory,
            )
        if self._view.directories[self.directory].schema is None and not self._takes_up:
            raise Refused(
                "schema-followed",
                f"{self.directory} follows the repository's schema and has none of its own to change.",
                hint=f"Leave -d out to change it everywhere, or: tdvc schema use {self.directory} -d {self.directory}",
                directory=self.directory,
            )
        return found.schema

    def states(self) -> list[Directory]:
        """The staged states of the directories that go by the schema; equal ones once."""
        states: dict[ObjectId, Directory] = {}
        for name in self._scope:
            state = self._repository.directory(name)
            states.setdefault(state.root, state)
        return list(states.values())

    def instances_of(self, label: str) -> Iterator[tuple[str, Instance]]:
        """Every instance of a label with its place, files that are in several directories once."""
        for state, entry in self._files([label]):
            for instance in state.instances(entry):
                if instance.label == label:
                    yield f"{state.name}:{entry.path}", instance

    def _files(self, labels: Collection[str]) -> Iterator[tuple[Directory, Entry]]:
        """The files with an instance of one of the labels, each once."""
        self._edit.hold(self._scope)
        met: set[FileId] = set()
        for state, label in product(self.states(), labels):
            for entry in with_label(state, state.entries(), label):
                if entry.state.file_id not in met:
                    met.add(entry.state.file_id)
                    yield state, entry

    def rewrite(self, labels: Collection[str], change: Callable[[Instance], Instance | str]) -> None:
        """Put what `change` makes of it in the place of every instance of some labels; a text says why it stays to do.

        Once in an evolution: it starts from what the files held before.
        """
        for state, entry in self._files(labels):
            before = state.instances(entry)
            after = []
            for instance in before:
                made = change(instance) if instance.label in labels else instance
                if isinstance(made, str):
                    place = f"{state.name}:{entry.path}"
                    self._result.to_do.append(ToDo(place, instance.instance_id, made))
                    made = instance
                after.append(made)
            files = self._counts.files
            write_instances(self._edit, entry, before, corrected(before, after), self._counts)
            if self._counts.files > files:
                self._touched.add(entry.state.file_id)
                self._result.paths.append(f"{state.name}:{entry.path}")

    def left_to_do(self, items: Iterable[ToDo]) -> None:
        """List instances that people have to look at."""
        self._result.to_do.extend(items)

    def change(self, schema: Schema, *, dry_run: bool = False) -> SchemaResult:
        """The schema that is to be from now on; publishes.

        Raises:
            SchemaError: bad-schema, where the change makes it senseless.
        """
        known = set(schema_problems(self.schema))
        if problem := next((found for found in schema_problems(schema) if found not in known), None):
            raise SchemaError("bad-schema", f"That makes no sense: {problem}.", place=problem.path)
        if self._takes_up or schema.encode() != self.schema.encode():
            self._edit.set_schema(schema, self.directory)
        return self._publish(schema, dry_run=dry_run)

    def follow(self, *, dry_run: bool = False) -> SchemaResult:
        """The directory goes by the repository's schema again; publishes."""
        if self.directory is not None and self._view.directories[self.directory].schema is not None:
            self._edit.follow_schema(self.directory)
        schema = read_schema(self._repository.objects, self._view.schema)
        return self._publish(schema, dry_run=dry_run)

    def _publish(self, schema: Schema, *, dry_run: bool) -> SchemaResult:
        result = self._result
        result.changes = compare_schemas(self.schema, schema)
        result.files, result.instances = self._counts.files, self._counts.changed_instances
        committed = self._commit() if result.changes or result.files else []
        if dry_run:
            self._edit.discard()
            result.commits = dict.fromkeys(committed, "")
            return result
        result.operation = self._edit.publish()
        view = self._repository.view
        result.commits = {name: (view.directories[name].commit or b"").hex() for name in committed}
        result.schema = (view.schema if self.directory is None else view.schema_of(self.directory)).hex()
        return result

    def _commit(self) -> list[str]:
        """Note the commits; returns the directories that get one."""
        committed = []
        for name in self._scope:
            if self._has_staged_edits(name):
                self._result.staged_directories.append(name)
            elif self._view.directories[name].commit is not None:
                self._edit.commit_result(name, self._result.message)
                committed.append(name)
        self._result.staged_directories += self._holders_outside()
        return committed

    def _has_staged_edits(self, name: str) -> bool:
        ref = self._view.directories[name]
        state = self._repository.directory(name)
        return ref.merge is not None or (state.commit is None and (ref.commit is not None or len(state) > 0))

    def _holders_outside(self) -> list[str]:
        """Directories that go by another schema and hold a file that changed."""
        outside = [(name, ref) for name, ref in sorted(self._view.directories.items()) if name not in self._scope]
        objects = self._repository.objects
        return [name for name, ref in outside if Table(objects, PATHS, ref.paths).get_many(self._touched)]


def with_label_of(instance: Instance, label: str) -> Instance:
    """The instance under another label."""
    return msgspec.structs.replace(instance, label=label)


def answers_of(instance: Instance) -> dict[str, Any]:
    """The instance's attributes, numbers as they are spelled."""
    raw = bytes(instance.attributes)
    return {} if raw == b"{}" else dict(numbers.parse(raw))


def find_label(schema: Schema, text: str) -> Label:
    """The label that a key, name or alias means. Raises NotFound (label-not-found)."""
    key = schema.key_of(text)
    if key is None:
        raise _not_found("label", text, schema.labels)
    return schema.labels[key]


def find_attribute(schema: Schema, text: str) -> Attribute:
    """The attribute of a key. Raises NotFound (attribute-not-found)."""
    if text not in schema.attributes:
        raise _not_found("attribute", text, schema.attributes)
    return schema.attributes[text]


def _not_found(what: str, text: str, known: Mapping[str, Any]) -> NotFound:
    near = nearest(text, known)
    listed = ", ".join(printable(key) for key in sorted(known)[:12])
    hint = f"Did you mean {near!r}?" if near else f"Known: {listed}." if known else "The schema has none yet."
    return NotFound(
        "label-not-found" if what == "label" else "attribute-not-found",
        f"The schema has no {what} {text!r}.",
        hint=hint,
        key=text,
    )


def nearest(text: str, known: Iterable[str]) -> str | None:
    """The name that was probably meant: one that differs in case alone, else one spelled alike; None for none."""
    by_case = {name.casefold(): name for name in sorted(known, reverse=True)}
    near = difflib.get_close_matches(text.casefold(), by_case, n=1)
    return by_case[near[0]] if near else None


def with_definition(schema: Schema, definition: T) -> Schema:
    """The schema with a label or attribute put in, in place of one with the same key."""
    section = "labels" if isinstance(definition, Label) else "attributes"
    changed: Any = {section: {**getattr(schema, section), definition.key: definition}}
    return replace(schema, **changed)


def without_label(schema: Schema, key: str) -> Schema:
    """The schema without a label; labels that were below it come below its parent."""
    gone = schema.labels[key]
    labels = {
        other.key: replace(other, parent=gone.parent) if other.parent == key else other
        for other in schema.labels.values()
        if other.key != key
    }
    return replace(schema, labels=labels)
