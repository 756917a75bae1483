"""The schema as people handle it: shown, imported, exported, edited label by label.

None of these verbs touches an instance; those that do are in `ops.schemachange`. Every one that changes something is
one operation, and for each directory without staged edits one commit: see `ops.evolution`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tdvc.errors import NotFound, Refused, SchemaError, Usage
from tdvc.model.schema import Attribute, Label, MisplacedError, Schema, schema_from
from tdvc.model.schemachange import SchemaChange, compare_schemas
from tdvc.model.schematext import FILE_TYPES, MAX_BYTES, read_schema_text, schema_text
from tdvc.names import printable
from tdvc.ops.diffing import last_commit_state
from tdvc.ops.evolution import (
    Evolution,
    SchemaResult,
    find_attribute,
    find_label,
    with_definition,
)
from tdvc.repo.directory import read_schema
from tdvc.repo.repository import Repository


@dataclass(frozen=True, slots=True)
class ShownSchema:
    """A schema, and who goes by it.

    Attributes:
        title: how it was asked for; empty for the repository's.
        schema_id: in hexadecimal.
        schema: the schema.
        directories: the directories that go by it now.
    """

    title: str
    schema_id: str
    schema: Schema
    directories: list[str]


@dataclass(frozen=True, slots=True)
class SchemaDiff:
    """What differs between two schemas: the titles of the states they belong to, and the changes."""

    before: str
    after: str
    changes: list[SchemaChange] = field(default_factory=list)


def show_schema(repository: Repository, revision: str | None = None) -> ShownSchema:
    """The schema that belongs to a state; the repository's for None. Raises NotFound (unknown-revision)."""
    view = repository.view
    identity = view.schema if revision is None else repository[revision].schema_id
    followers = [name for name in sorted(view.directories) if view.schema_of(name) == identity]
    return ShownSchema(revision or "", identity.hex(), read_schema(repository.objects, identity), followers)


def export_schema(repository: Repository, revision: str | None = None, *, file_type: str = "toml") -> str:
    """The schema of a state as the text of a file, `toml` or `json`.

    Raises:
        NotFound: unknown-revision.
        Usage: bad-usage.
    """
    if file_type not in FILE_TYPES:
        raise Usage("bad-usage", f"A schema file is one of {', '.join(FILE_TYPES)}, not {file_type!r}.")
    return schema_text(show_schema(repository, revision).schema, file_type)


def import_schema(
    repository: Repository, path: Path, directory: str | None = None, *, dry_run: bool = False
) -> SchemaResult:
    """Put the schema of a file in the place of the one there is.

    Raises:
        NotFound: source-not-found, directory-not-found.
        SchemaError: bad-schema, with the line where it is known.
        Refused: label-in-use, where a label would go that instances have; schema-followed.
    """
    with Evolution(repository, f"schema import {printable(path.name)}", directory) as evolution:
        schema = schema_in(path, evolution.schema)
        for key in evolution.schema.labels.keys() - schema.labels.keys():
            if found := next(evolution.instances_of(key), None):
                raise Refused(
                    "label-in-use",
                    f"{path.name} has no label {key!r}, but {printable(found[0])} has instances of it.",
                    hint=f"To take it away: tdvc schema delete {key} --to LABEL",
                    label=key,
                )
        return evolution.change(schema, dry_run=dry_run)


def schema_in(path: Path, before: Schema | None = None) -> Schema:
    """The schema in a file; labels keep the index they have in `before`.

    Raises:
        NotFound: source-not-found.
        SchemaError: bad-schema.
    """
    return read_schema_text(_read(path), path.name, before)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise NotFound("source-not-found", f"{str(path)!r} can't be read: {error.strerror}.", path=str(path)) from error


def add_label(
    repository: Repository, key: str, directory: str | None = None, *, fields: Mapping[str, Any] | None = None
) -> SchemaResult:
    """A new label, with the next free index.

    Args:
        repository: the repository.
        key: what instances will hold, for good.
        directory: one with a schema of its own; None for the repository's.
        fields: what else is to be said of it, as in a schema file: `name`, `parent`, `types`…

    Raises:
        Refused: label-exists, schema-followed.
        SchemaError: bad-schema.
    """
    with Evolution(repository, f"schema add {printable(key)}", directory) as evolution:
        schema = evolution.schema
        known = schema.key_of(key)
        if known is not None:
            raise Refused("label-exists", f"{key!r} means the label {known!r} already.", key=known)
        return evolution.change(with_definition(schema, _label_from(key, schema, fields or {})))


def _label_from(key: str, schema: Schema, fields: Mapping[str, Any]) -> Label:
    given = {"name": key, "index": schema.next_index(), **fields}
    try:
        return schema_from({"labels": {key: given}}).labels[key]
    except MisplacedError as error:
        raise SchemaError("bad-schema", f"{error}.", place=error.place) from error


def change_label(
    repository: Repository, label: str, directory: str | None = None, *, why: str, **changes: Any
) -> SchemaResult:
    """Other fields for a label; `why` is what commits say."""
    with Evolution(repository, why, directory) as evolution:
        found = find_label(evolution.schema, label)
        return evolution.change(with_definition(evolution.schema, replace(found, **changes)))


def rename_label(repository: Repository, label: str, name: str, directory: str | None = None) -> SchemaResult:
    """Another display name for a label. Its key stays, so no instance changes, and old commits keep the old name.

    Raises:
        NotFound: label-not-found.
        SchemaError: bad-schema, where the name means another label.
        Refused: schema-followed.
    """
    why = f"schema rename label {printable(label)} to {printable(name)}"
    return change_label(repository, label, directory, why=why, name=name)


def rename_attribute(repository: Repository, attribute: str, name: str, directory: str | None = None) -> SchemaResult:
    """Another display name for an attribute. Raises as `rename_label`, but attribute-not-found."""
    why = f"schema rename attribute {printable(attribute)} to {printable(name)}"
    with Evolution(repository, why, directory) as evolution:
        found = find_attribute(evolution.schema, attribute)
        return evolution.change(with_definition(evolution.schema, replace(found, name=name)))


def rename_option(
    repository: Repository, attribute: str, option: str, name: str, directory: str | None = None
) -> SchemaResult:
    """Another display name for an option. Raises as `rename_attribute`."""
    why = f"schema rename option {printable(option)} of {printable(attribute)} to {printable(name)}"
    with Evolution(repository, why, directory) as evolution:
        found = find_attribute(evolution.schema, attribute)
        return evolution.change(with_definition(evolution.schema, _with_option_named(found, option, name)))


def _with_option_named(attribute: Attribute, key: str, name: str) -> Attribute:
    if all(option.key != key for option in attribute.options):
        known = ", ".join(option.key for option in attribute.options[:12])
        raise NotFound(
            "attribute-not-found",
            f"The attribute {attribute.key!r} has no option {key!r}.",
            hint=f"Known: {known}." if known else "It has no options.",
            key=key,
        )
    options = (replace(option, name=name) if option.key == key else option for option in attribute.options)
    return replace(attribute, options=tuple(options))


def deprecate_label(
    repository: Repository, label: str, directory: str | None = None, *, undo: bool = False
) -> SchemaResult:
    """A label that is not to be given to new instances any more, or that may be again. Raises as `rename_label`."""
    why = f"schema deprecate {printable(label)}{' --undo' if undo else ''}"
    return change_label(repository, label, directory, why=why, deprecated=not undo)


def set_guide(repository: Repository, label: str, guide: str, directory: str | None = None) -> SchemaResult:
    """What annotators are told about a label, in Markdown; empty for nothing. Raises as `rename_label`."""
    return change_label(repository, label, directory, why=f"schema guide of {printable(label)}", guide=guide)


def lock_schema(repository: Repository, directory: str | None = None, *, unlock: bool = False) -> SchemaResult:
    """Labels and options that the schema does not know are refused from now on, or learned again."""
    with Evolution(repository, f"schema {'unlock' if unlock else 'lock'}", directory) as evolution:
        return evolution.change(replace(evolution.schema, locked=not unlock))


def use_schema(repository: Repository, revision: str | None, directory: str, *, dry_run: bool = False) -> SchemaResult:
    """Give a directory the schema of a revision for its own; for None it follows the repository's again.

    Raises:
        NotFound: unknown-revision, directory-not-found.
    """
    what = f"schema use that of {printable(revision)}" if revision else "schema follow the repository's"
    with Evolution(repository, what, directory, takes_up=True) as evolution:
        if revision is None:
            return evolution.follow(dry_run=dry_run)
        return evolution.change(repository[revision].schema, dry_run=dry_run)


def diff_schemas(repository: Repository, before: str | None = None, after: str | None = None) -> SchemaDiff:
    """What differs between the schemas of two states.

    Without `after`: those of a directory's last commit and of what is staged, the current directory's for None. Raises
    NotFound (unknown-revision).
    """
    view = repository.view
    if after is None and (before is None or before in view.directories):
        name = before or view.current
        old, new = last_commit_state(repository, name), repository.directory(name)
    else:
        old = repository[before or view.current]
        new = repository[after] if after is not None else repository.directory(old.name)
    return SchemaDiff(old.title, new.title, compare_schemas(old.schema, new.schema))


def guides(repository: Repository, label: str | None = None, directory: str | None = None) -> dict[str, str]:
    """Name of a label to its guide, of one label or of all that have one, by index.

    Raises:
        NotFound: label-not-found, unknown-revision.
    """
    schema = show_schema(repository, directory).schema
    found = schema.in_order() if label is None else [find_label(schema, label)]
    return {item.name: item.guide for item in found if item.guide or label is not None}
