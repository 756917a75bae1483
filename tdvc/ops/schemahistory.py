"""`schema log` and `schema stats`: who changed the schema when, and what it amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise

from tdvc.ids import ObjectId
from tdvc.model.attributes import attribute_tree
from tdvc.model.schema import Schema
from tdvc.model.schemachange import SchemaChange, compare_schemas
from tdvc.ops.listing import count_labels
from tdvc.repo import oplog
from tdvc.repo.commit import first_parents
from tdvc.repo.directory import read_schema
from tdvc.repo.repository import Repository

DEFAULT_LIMIT = 50


@dataclass(frozen=True, slots=True)
class SchemaLogEntry:
    """A commit or operation that changed the schema; ids in hexadecimal.

    Attributes:
        identity: of the commit or operation.
        schema: the schema since then.
        author: by whom.
        time: when.
        message: of the commit, or what was asked for.
        changes: what differs from the schema before.
    """

    identity: str
    schema: str
    author: str
    time: str
    message: str
    changes: list[SchemaChange]


@dataclass(slots=True)
class LabelLoad:
    """What one label asks: `decisions` is the sum of the options of its attributes, 1 for one without options."""

    key: str
    name: str
    attributes: int
    options: int
    decisions: int
    files: int = 0
    instances: int = 0
    deprecated: bool = False


@dataclass(slots=True)
class SchemaStats:
    """What a schema amounts to.

    Attributes:
        labels: how many there are.
        attributes: how many there are.
        options: of all attributes together.
        complexity: how many answers an annotator chooses from, over all labels: labels x attributes x options where
            all labels ask alike.
        unused: keys of the labels that no instance has.
        by_label: each label, by index.
        directories: the directories whose instances were counted.
    """

    labels: int
    attributes: int
    options: int
    complexity: int
    unused: list[str] = field(default_factory=list)
    by_label: list[LabelLoad] = field(default_factory=list)
    directories: list[str] = field(default_factory=list)


def schema_log(
    repository: Repository, revision: str | None = None, *, operations: bool = False, limit: int | None = DEFAULT_LIMIT
) -> Iterator[SchemaLogEntry]:
    """Who changed the schema of a directory, newest first.

    Args:
        repository: the repository.
        revision: a directory, or a state of one to begin at; the current directory where None.
        operations: go by operations, which also have what is not committed, and not by commits.
        limit: how many entries at most.

    Raises:
        NotFound: unknown-revision.
    """
    view = repository.view
    name = revision or view.current
    state = repository[name]
    if operations:
        steps = _of_operations(repository, state.name)
    else:
        start = view.directories[name].commit if name in view.directories else state.commit
        steps = _of_commits(repository, start)
    return islice(_entries(repository, steps), limit)


@dataclass(frozen=True, slots=True)
class _Step:
    """A moment in a history and the schema since then; None before there was one."""

    identity: ObjectId
    schema: ObjectId | None
    author: str
    time: str
    message: str


def _of_commits(repository: Repository, start: ObjectId | None) -> Iterator[_Step]:
    for identity, commit in first_parents(repository.objects, start):
        yield _Step(identity, commit.schema, commit.author, commit.time, commit.message)


def _of_operations(repository: Repository, name: str) -> Iterator[_Step]:
    for identity, operation in oplog.history(repository.objects, repository.head()):
        view = repository.view_of(identity)
        schema = view.schema_of(name) if name in view.directories else None
        yield _Step(identity, schema, operation.author, operation.time, operation.command)


def _entries(repository: Repository, steps: Iterable[_Step]) -> Iterator[SchemaLogEntry]:
    ended: list[_Step | None] = [None]

    def all_steps() -> Iterator[_Step | None]:
        yield from steps
        yield from ended

    for now, before in pairwise(all_steps()):
        if now is None or now.schema is None or (before is not None and now.schema == before.schema):
            continue
        new = read_schema(repository.objects, now.schema)
        old = read_schema(repository.objects, before.schema) if before is not None and before.schema else Schema()
        changes = compare_schemas(old, new)
        if changes:
            yield SchemaLogEntry(now.identity.hex(), now.schema.hex(), now.author, now.time, now.message, changes)


def schema_stats(repository: Repository, revision: str | None = None) -> SchemaStats:
    """What a schema amounts to, and what is used of it.

    Args:
        repository: the repository.
        revision: the state whose schema and instances are looked at; None for the repository's schema and every
            directory that follows it.

    Raises:
        NotFound: unknown-revision.
    """
    view = repository.view
    if revision is None:
        names = [name for name, ref in sorted(view.directories.items()) if ref.schema is None]
        schema, states = read_schema(repository.objects, view.schema), [repository[name] for name in names]
    else:
        states = [repository[revision]]
        schema = states[0].schema
    usage = count_labels(*{state.root: state for state in states}.values())
    loads = [_load(schema, label.key) for label in schema.in_order()]
    for load in loads:
        load.files, load.instances = usage.get(load.key, (0, 0))
    return SchemaStats(
        labels=len(schema.labels),
        attributes=len(schema.attributes),
        options=sum(len(attribute.options) for attribute in schema.attributes.values()),
        complexity=sum(load.decisions for load in loads),
        unused=[load.key for load in loads if not load.instances],
        by_label=loads,
        directories=[state.title for state in states],
    )


def _load(schema: Schema, key: str) -> LabelLoad:
    label = schema.labels[key]
    asked = list(attribute_tree(schema, label.attributes))
    options = [len(attribute.options) for attribute in asked]
    decisions = sum(max(1, count) for count in options) or 1
    return LabelLoad(key, label.name, len(asked), sum(options), decisions, deprecated=label.deprecated)
