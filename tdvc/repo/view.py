"""Views and operations: what undo walks.

A view holds every ref of the repository at one moment. An operation is a view, the operation before it, and what was
done. Both are plain immutable objects; only the pointer to the last operation moves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tdvc.ids import Kind, ObjectId, canonical_json
from tdvc.objects.store import ReadableObjects
from tdvc.repo.commit import id_from, malformed, read_fields


@dataclass(frozen=True, slots=True)
class DirectoryRef:
    """Where a directory stands: its staged state and its last commit.

    Attributes:
        root: the table of its entries, staged edits included.
        paths: the table from file_id to path for the same state.
        commit: its last commit, None before the first.
        schema: a schema of its own; None where it follows the repository's.
        merge: the merge under way, whose conflicts may not all be resolved; None for none.
        rule: what a dynamic directory follows; None where people say what it holds.
    """

    root: ObjectId
    paths: ObjectId
    commit: ObjectId | None = None
    schema: ObjectId | None = None
    merge: ObjectId | None = None
    rule: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class View:
    """Every ref at one moment.

    Attributes:
        current: the directory that commands use when none is named.
        schema: what labels mean now.
        directories: by name.
        snapshots: snapshot ids by name.
        retired: snapshots whose creation was undone; their names stay taken.
    """

    current: str
    schema: ObjectId
    directories: Mapping[str, DirectoryRef]
    snapshots: Mapping[str, ObjectId] = field(default_factory=dict)
    retired: Mapping[str, ObjectId] = field(default_factory=dict)

    def schema_of(self, directory: str) -> ObjectId:
        """The schema that a directory goes by: its own, or the repository's."""
        return self.directories[directory].schema or self.schema

    def encode(self) -> bytes:
        """The canonical bytes."""
        return canonical_json(
            {
                "current": self.current,
                "directories": {name: _ref_fields(ref) for name, ref in self.directories.items()},
                "retired": {name: identity.hex() for name, identity in self.retired.items()},
                "schema": self.schema.hex(),
                "snapshots": {name: identity.hex() for name, identity in self.snapshots.items()},
            }
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """A view and how it came about.

    Attributes:
        view: id of the view it made.
        parent: the operation before it; None for the first.
        command: what was asked for, in one line.
        author: by whom.
        time: when, ISO 8601 in UTC.
        shows: for undo and redo, the operation whose view this one restored; None otherwise.
        undoes: for undo, the operation that was undone; None otherwise.
        earlier_undo: the undo that redo comes to after this one; None where there is none.
        follows: whether it only brought a dynamic directory up to date with what came before; undo passes over it.
    """

    view: ObjectId
    parent: ObjectId | None
    command: str
    author: str
    time: str
    shows: ObjectId | None = None
    undoes: ObjectId | None = None
    earlier_undo: ObjectId | None = None
    follows: bool = False

    def encode(self) -> bytes:
        """The canonical bytes."""
        fields: dict[str, Any] = {
            "author": self.author,
            "command": self.command,
            "time": self.time,
            "view": self.view.hex(),
        }
        for name in ("parent", "shows", "undoes", "earlier_undo"):
            identity = getattr(self, name)
            if identity is not None:
                fields[name] = identity.hex()
        if self.follows:
            fields["follows"] = True
        return canonical_json(fields)


def _ref_fields(ref: DirectoryRef) -> dict[str, str]:
    fields = {name: getattr(ref, name) for name in ("commit", "merge", "paths", "root", "rule", "schema")}
    return {name: identity.hex() for name, identity in fields.items() if identity is not None}


def _ref_from(fields: Mapping[str, str]) -> DirectoryRef:
    optional = {name: id_from(fields[name]) for name in ("commit", "schema", "merge", "rule") if name in fields}
    return DirectoryRef(id_from(fields["root"]), id_from(fields["paths"]), **optional)


def read_view(objects: ReadableObjects, identity: ObjectId) -> View:
    """A view by its id. Raises Corruption."""
    fields = read_fields(objects, Kind.VIEW, identity)
    try:
        return View(
            current=str(fields["current"]),
            schema=id_from(fields["schema"]),
            directories={name: _ref_from(ref) for name, ref in fields["directories"].items()},
            snapshots={name: id_from(text) for name, text in fields["snapshots"].items()},
            retired={name: id_from(text) for name, text in fields["retired"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise malformed(Kind.VIEW, identity) from error


def read_operation(objects: ReadableObjects, identity: ObjectId) -> Operation:
    """An operation by its id. Raises Corruption."""
    fields = read_fields(objects, Kind.OPERATION, identity)
    try:
        links = {
            name: id_from(fields[name]) for name in ("parent", "shows", "undoes", "earlier_undo") if name in fields
        }
        return Operation(
            view=id_from(fields["view"]),
            parent=links.get("parent"),
            command=str(fields["command"]),
            author=str(fields["author"]),
            time=str(fields["time"]),
            shows=links.get("shows"),
            undoes=links.get("undoes"),
            earlier_undo=links.get("earlier_undo"),
            follows=fields.get("follows", False) is True,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(Kind.OPERATION, identity) from error
