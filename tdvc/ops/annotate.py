"""`annotate`, `relabel`, `complete`: what people say about files.

An edits file is JSON Lines, one edit a line; it is applied whole or not at all:

    {"op": "add",     "path": "a.jpg", "instance": {"label": "dog", "type": "box", "geometry": [1, 2, 30, 40]}}
    {"op": "update",  "path": "a.jpg", "instance_id": "…", "set": {"label": "cat", "attributes": {"age": 3}}}
    {"op": "remove",  "path": "a.jpg", "instance_id": "…"}
    {"op": "replace", "path": "a.jpg", "instances": [ … ]}

`file_id` may stand in place of `path`. In an update, null takes a field away; attributes and properties are merged key
by key. Edits of one file follow on each other in the order of the lines.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tdvc.errors import FormatError, NotFound, SchemaError, TdvcError, Usage
from tdvc.ids import NO_ID, ObjectId
from tdvc.model import numbers
from tdvc.model.records import HUMAN, IMPORTED, RAW_FIELDS, Instance, fields_of, make_instance, revise, same_instance
from tdvc.names import printable
from tdvc.ops.jsonlines import read_lines
from tdvc.ops.locked import refuse_unknown, with_keys
from tdvc.ops.select import narrowed, with_label
from tdvc.repo.directory import Directory, read_schema
from tdvc.repo.entry import PATHS, Entry
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.tables.tree import Table

MIN_DIGITS = 8
"""Of an instance's id, so many first digits name it where they name no other of the file."""


@dataclass(slots=True)
class AnnotateResult:
    """What became of instances.

    Attributes:
        directory: the directory the edits were addressed to.
        edits: lines read.
        files: files whose instances are others now.
        added_instances: instances that are new.
        changed_instances: instances that differ from before.
        removed_instances: instances that are gone.
        learned_labels: labels that the schema did not know before.
        left_files: files that are not in the directory any more, for it is dynamic and they do not fit its rule.
        operation: None where nothing changed.
    """

    directory: str
    edits: int = 0
    files: int = 0
    added_instances: int = 0
    changed_instances: int = 0
    removed_instances: int = 0
    learned_labels: list[str] = field(default_factory=list)
    left_files: int = 0
    operation: ObjectId | None = None


@dataclass(slots=True)
class CompleteResult:
    """How many files got the mark (or lost it), and how many had it (or lacked it) already."""

    directory: str
    files: int = 0
    already: int = 0
    operation: ObjectId | None = None


def annotate(repository: Repository, edits: Path | BinaryIO, directory: str | None = None) -> AnnotateResult:
    """Apply an edits file to a directory. An edit of a mirrored file shows in every directory that holds it.

    Raises:
        FormatError: bad-edit, with the line.
        SchemaError: bad-instance, with the line; schema-locked, with the file.
        NotFound: file-not-found, instance-not-found, source-not-found.
    """
    target = repository.directory(directory)
    result = AnnotateResult(target.name)
    name = edits.name if isinstance(edits, Path) else "standard input"
    with repository.transaction(f"annotate {printable(str(name))} -d {target.name}") as edit:
        schema, synonyms = target.schema, target.schema.synonyms()
        parsed = [_Edit(number, fields) for number, fields in read_lines(edits, "bad-edit", "the edits")]
        result.edits = len(parsed)
        entries = _entries_of(repository, target, parsed)
        by_file: dict[str, list[_Edit]] = {}
        for item in parsed:
            by_file.setdefault(_entry_for(item, entries, target).path, []).append(item)
        found = {entry.path: entry for entry in entries.values()}
        for path, items in by_file.items():
            before = target.instances(found[path])
            after = {instance.instance_id: instance for instance in before}
            for item in items:
                with _at_line(item):
                    item.apply(after)
            made = list(with_keys(corrected(before, after.values()), synonyms))
            refuse_unknown(schema, path, made, before)
            write_instances(edit, found[path], before, made, result)
        result.operation = edit.publish()
    _look_after(repository, target, result)
    return result


def relabel(repository: Repository, old: str, new: str, directory: str | None = None) -> AnnotateResult:
    """Give every instance of a directory that has one label another label.

    Raises:
        NotFound: instance-not-found, where no instance has the label.
        SchemaError: bad-instance, where the new label can't be one.
    """
    target = repository.directory(directory)
    old, new = target.schema.key_of(old) or old, target.schema.key_of(new) or new
    result = AnnotateResult(target.name, edits=1)
    title = f"relabel {printable(old)} {printable(new)} -d {target.name}"
    with repository.transaction(title) as edit:
        for entry in with_label(target, target.entries(), old):
            before = target.instances(entry)
            after = [_with(instance, label=new) if instance.label == old else instance for instance in before]
            write_instances(edit, entry, before, corrected(before, after), result)
        if not result.files and old != new:
            known = ", ".join(sorted(target.schema.labels)[:12])
            raise NotFound(
                "instance-not-found",
                f"{target.name} has no instance labelled {old!r}.",
                hint=f"Known labels: {known}." if known else "",
                label=old,
            )
        result.operation = edit.publish()
    _look_after(repository, target, result)
    return result


def _look_after(repository: Repository, before: Directory, result: AnnotateResult) -> None:
    """Note what followed from an edit: labels that were learned, and files that left a dynamic directory."""
    if result.operation is None:
        return
    result.learned_labels = _learned_since(repository, before)
    if repository.view.directories[before.name].rule is not None:
        with contextlib.suppress(TdvcError):  # the edit is published, whatever becomes of what follows from it
            result.left_files = max(before.counts.files - repository.directory(before.name).counts.files, 0)


def _learned_since(repository: Repository, before: Directory) -> list[str]:
    """Labels that the schema of a directory has, and had not in an earlier state."""
    now = repository.view.schema_of(before.name)
    if now == before.schema_id:
        return []
    known = before.schema.labels
    return [key for key in read_schema(repository.objects, now).labels if key not in known]


def complete(
    repository: Repository,
    patterns: Sequence[str],
    directory: str | None = None,
    *,
    where: str | None = None,
    undo: bool = False,
) -> CompleteResult:
    """Declare the annotation of files complete under today's schema, or take that back.

    Args:
        repository: the repository.
        patterns: paths, folders or globs in the directory; with `where` there need not be any.
        directory: the current one where None.
        where: only files that a query means.
        undo: take the mark away.

    Raises:
        NotFound: file-not-found.
        Usage: bad-query; bad-usage, where neither patterns nor a query are given.
    """
    if not patterns and where is None:
        raise Usage("bad-usage", "Name files, or give a query.")
    target = repository.directory(directory)
    result = CompleteResult(target.name)
    shown = [*(printable(pattern) for pattern in patterns), *(["--where", printable(where)] if where else [])]
    with repository.transaction(f"complete {' '.join(shown)} -d {target.name}{' --undo' if undo else ''}") as edit:
        schema = NO_ID if undo else edit.schema_id(target.name)
        for pattern in patterns or [""]:
            entries = list(narrowed(repository, target, pattern, None, where))
            if not entries:
                wanted = f"file {pattern!r}" if pattern else "file"
                fitting = " that the query means" if where else ""
                raise NotFound("file-not-found", f"{target.name} has no {wanted}{fitting}.", path=pattern)
            for entry in entries:
                state = entry.state._replace(complete=0 if undo else 1, completeness_schema=schema)
                if state == entry.state:
                    result.already += 1
                else:
                    edit.set_state(state)
                    result.files += 1
        result.operation = edit.publish()
    return result


def write_instances(
    edit: Transaction, entry: Entry, before: Sequence[Instance], after: Iterable[Instance], result: Any
) -> None:
    """Note a file's new instances and count what they change; spelling of numbers alone changes nothing."""
    revision = revise(before, after)
    if revision:
        result.files += 1
        result.added_instances += revision.added
        result.changed_instances += revision.changed
        result.removed_instances += revision.removed
        identity, count = edit.write_instances(revision.instances)
        edit.set_state(entry.state._replace(instances=identity, instance_count=count))


def corrected(before: Sequence[Instance], after: Iterable[Instance]) -> list[Instance]:
    """`after`, where an imported instance that somebody changed is theirs now: its source is `human`."""
    known = {instance.instance_id: instance for instance in before}
    result = []
    for instance in after:
        former = known.get(instance.instance_id)
        touched = former is not None and former.source == instance.source == IMPORTED
        if touched and former is not None and not same_instance(former, instance):
            instance = msgspec.structs.replace(instance, source=HUMAN)
        result.append(instance)
    return result


class _Edit:
    """One line of an edits file."""

    def __init__(self, line: int, fields: dict[str, Any]) -> None:
        self.line = line
        self.fields = fields
        self.op = fields.get("op")
        self.path = self._text("path")
        self.file_id = self._text("file_id")
        allowed = _OPERATIONS.get(self.op if isinstance(self.op, str) else "")
        if allowed is None:
            raise self.bad(f"'op' must be one of {', '.join(sorted(_OPERATIONS))}")
        unknown = sorted(set(fields) - {"op", "path", "file_id", *allowed[0]})
        missing = sorted(set(allowed[0]) - set(fields))
        if unknown or missing:
            raise self.bad(f"{f'unknown field {unknown[0]!r}' if unknown else f'the field {missing[0]!r} is missing'}")
        if (self.path is None) == (self.file_id is None):
            raise self.bad("exactly one of 'path' and 'file_id' must be given")
        self._act = allowed[1]

    def _text(self, name: str) -> str | None:
        value = self.fields.get(name)
        if value is not None and (not isinstance(value, str) or isinstance(value, numbers.Number)):
            raise self.bad(f"{name!r} must be text")
        return value

    def bad(self, problem: str) -> FormatError:
        return FormatError("bad-edit", f"Line {self.line} of the edits: {problem}.", line=self.line)

    def apply(self, instances: dict[str, Instance]) -> None:
        self._act(self, instances)


def _add(edit: _Edit, instances: dict[str, Instance]) -> None:
    instance = _instance(edit, edit.fields["instance"])
    if instance.instance_id in instances:
        raise edit.bad(f"the file has an instance {instance.instance_id} already")
    instances[instance.instance_id] = instance


def _replace(edit: _Edit, instances: dict[str, Instance]) -> None:
    if not isinstance(edit.fields["instances"], list):
        raise edit.bad("'instances' must be a list")
    made = [_instance(edit, fields) for fields in edit.fields["instances"]]
    instances.clear()
    for instance in made:
        if instance.instance_id in instances:
            raise edit.bad(f"the id {instance.instance_id} is used twice")
        instances[instance.instance_id] = instance


def _update(edit: _Edit, instances: dict[str, Instance]) -> None:
    before = _existing(edit, instances)
    changes = edit.fields["set"]
    if not isinstance(changes, dict) or "instance_id" in changes:
        raise edit.bad("'set' must be an object without 'instance_id'")
    changes = dict(changes)
    for name in ("attributes", "properties"):
        if isinstance(changes.get(name), dict):
            merged = {**numbers.parse(bytes(getattr(before, name))), **changes[name]}
            changes[name] = {key: value for key, value in merged.items() if value is not None}
    instances[before.instance_id] = _with(before, **changes)


def _remove(edit: _Edit, instances: dict[str, Instance]) -> None:
    del instances[_existing(edit, instances).instance_id]


_OPERATIONS: dict[str, tuple[tuple[str, ...], Callable[[_Edit, dict[str, Instance]], None]]] = {
    "add": (("instance",), _add),
    "replace": (("instances",), _replace),
    "update": (("instance_id", "set"), _update),
    "remove": (("instance_id",), _remove),
}


def _instance(edit: _Edit, fields: Any) -> Instance:
    if not isinstance(fields, dict):
        raise edit.bad("an instance must be an object")
    return make_instance(fields)


def _existing(edit: _Edit, instances: dict[str, Instance]) -> Instance:
    identity = edit.fields["instance_id"]
    found = []
    if isinstance(identity, str) and len(identity) >= MIN_DIGITS:
        found = [identity] if identity in instances else [known for known in instances if known.startswith(identity)]
    if len(found) != 1:
        raise NotFound(
            "instance-not-found",
            f"{edit.path or edit.file_id!r} has {'more than one' if found else 'no'} instance {identity!r}.",
            instance_id=str(identity),
        )
    return instances[found[0]]


def _with(instance: Instance, **changes: Any) -> Instance:
    """The instance with some fields changed, canonical and checked; None takes a field away."""
    fields = fields_of(instance)
    for name in RAW_FIELDS:
        if name in fields:
            fields[name] = numbers.parse(bytes(fields[name]))
    return make_instance({**fields, **changes})


class _at_line:  # noqa: N801 (a context manager used as a verb)
    """Names the line in errors that come from deeper down."""

    def __init__(self, edit: _Edit) -> None:
        self._edit = edit

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, tb: Any) -> None:
        if isinstance(error, SchemaError | NotFound) and "line" not in error.fields:
            message = f"Line {self._edit.line} of the edits: {error.message}"
            raise type(error)(error.code, message, hint=error.hint, line=self._edit.line, **error.fields) from error


def _entries_of(repository: Repository, target: Directory, edits: list[_Edit]) -> dict[str, Entry]:
    """The entries that edits name, by path and by file_id."""
    entries = target.entries_at(edit.path for edit in edits if edit.path is not None)
    wanted = {edit.file_id for edit in edits if edit.file_id is not None}
    if wanted:
        ref = repository.view.directories[target.name]
        keys = [bytes.fromhex(text) for text in wanted if len(text) == 32 and not text.strip("0123456789abcdef")]
        rows = Table(repository.objects, PATHS, ref.paths).get_many(keys)
        found = target.entries_at(row[1].decode() for row in rows.values())
        entries.update({entry.state.file_id.hex(): entry for entry in found.values()})
    return entries


def _entry_for(edit: _Edit, entries: dict[str, Entry], target: Directory) -> Entry:
    name = edit.path if edit.path is not None else edit.file_id
    entry = entries.get(name or "")
    if entry is None or (edit.path is not None and entry.path != edit.path):
        raise NotFound(
            "file-not-found",
            f"Line {edit.line} of the edits: {target.name} has no file {name!r}.",
            line=edit.line,
            path=name,
        )
    return entry
