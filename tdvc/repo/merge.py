"""A merge under way: what is merged with what, and what is still to be decided.

An immutable object, named by the directory's ref while the merge lasts; canonical JSON but for the numbers of
annotations, which keep their spelling. To resolve a conflict is to name another object that no longer has it, so a
resolution is undone like anything else. What both sides had stands in the conflict itself: it can be resolved without
finding the states again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from tdvc.errors import Refused
from tdvc.ids import Kind, ObjectId
from tdvc.model import numbers
from tdvc.model.merge import FieldConflict
from tdvc.names import check_path
from tdvc.objects.store import ReadableObjects
from tdvc.repo.commit import id_from, malformed
from tdvc.repo.entry import FILES, Entry, FileState
from tdvc.tables.page import Column

MAX_CONFLICTS = 100_000
MAX_BYTES = 256 << 20

SCHEMA_FIELD = "schema:"
"""What the field of a conflict begins with that is about the schema and no file."""

_TEXTS = ("field", "file_id", "instance_id", "path")
_SIDES = ("base", "ours", "theirs")


@dataclass(frozen=True, slots=True)
class MergeConflict:
    """Two changes of one thing that can't both stand; until it is resolved, the directory has ours.

    Attributes:
        path: of the file, where the directory has it, or where theirs would be; empty for the schema.
        file_id: of that file, hexadecimal; empty for the schema.
        instance_id: of which instance; empty where it is about the file.
        field: `presence`, `bytes`, `path`, `complete`, `properties.KEY`; of an instance `label`, `geometry`,
            `attributes.KEY` and so on; `schema:` and a place in the schema.
        base: JSON before both, None where it was not there or can't be told.
        ours: JSON on our side, None where it is not there.
        theirs: JSON on their side, None where it is not there.
    """

    path: str
    file_id: str
    instance_id: str
    field: str
    base: msgspec.Raw | None = None
    ours: msgspec.Raw | None = None
    theirs: msgspec.Raw | None = None

    @classmethod
    def of_field(cls, path: str, file_id: bytes, conflict: FieldConflict) -> MergeConflict:
        """A conflict of an instance in a file."""
        return cls(path, file_id.hex(), *conflict)

    @property
    def address(self) -> str:
        """What to call it: `PATH#INSTANCE.FIELD`, `PATH#FIELD` or `schema:PLACE`."""
        if self.field.startswith(SCHEMA_FIELD):
            return self.field
        return f"{self.path}#{self.instance_id}.{self.field}" if self.instance_id else f"{self.path}#{self.field}"


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge under way in a directory.

    Attributes:
        revision: what was asked for.
        ours: the directory's last commit; None where it had none.
        theirs: the commit that is merged in.
        bases: their best common ancestors.
        conflicts: what is left to be resolved.
        schema_before: the schema that the directory went by, where the merge gave it another.
        schema_after: that other one.
        joins: whether their commit becomes a parent of the one that ends this; not where only a difference was taken
            from it, by a revert or a cherry-pick.
    """

    revision: str
    ours: ObjectId | None
    theirs: ObjectId
    bases: tuple[ObjectId, ...] = ()
    conflicts: tuple[MergeConflict, ...] = ()
    schema_before: ObjectId | None = None
    schema_after: ObjectId | None = None
    joins: bool = True

    def without(self, resolved: Iterable[MergeConflict]) -> Merge:
        """The same merge, some of its conflicts resolved."""
        gone = {(c.file_id, c.path, c.instance_id, c.field) for c in resolved}
        left = [c for c in self.conflicts if (c.file_id, c.path, c.instance_id, c.field) not in gone]
        return replace(self, conflicts=tuple(left))

    def encode(self) -> bytes:
        """The canonical bytes.

        Raises:
            Refused: too-many-conflicts.
        """
        fields: dict[str, Any] = {
            "bases": [base.hex() for base in self.bases],
            "conflicts": [_conflict_fields(conflict) for conflict in self.conflicts],
            "revision": self.revision,
            "theirs": self.theirs.hex(),
        }
        for name in ("ours", "schema_before", "schema_after"):
            if (identity := getattr(self, name)) is not None:
                fields[name] = identity.hex()
        if not self.joins:
            fields["joins"] = False
        content = numbers.spell(fields) if len(self.conflicts) <= MAX_CONFLICTS else b""
        if not content or len(content) > MAX_BYTES:
            raise Refused(
                "too-many-conflicts",
                f"The merge has {len(self.conflicts):,} conflicts, more than anybody resolves one by one.",
                hint="Where both sides labelled the same pictures on their own: tdvc merge --match iou",
                conflicts=len(self.conflicts),
            )
        return content


def _conflict_fields(conflict: MergeConflict) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(conflict, name) for name in _TEXTS}
    sides = {name: getattr(conflict, name) for name in _SIDES}
    return fields | {name: value for name, value in sides.items() if value is not None}


def read_merge(objects: ReadableObjects, identity: ObjectId) -> Merge:
    """A merge by its id. Raises Corruption."""
    try:
        fields = numbers.parse(objects.read(Kind.MERGE, identity))
        optional = {name: id_from(fields[name]) for name in ("schema_before", "schema_after") if name in fields}
        return Merge(
            revision=_text(fields["revision"]),
            ours=id_from(fields["ours"]) if "ours" in fields else None,
            theirs=id_from(fields["theirs"]),
            bases=tuple(id_from(text) for text in fields["bases"]),
            conflicts=tuple(_conflict(given) for given in _listed(fields["conflicts"])),
            joins=fields.get("joins", True) is not False,
            **optional,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(Kind.MERGE, identity) from error


def _conflict(given: Any) -> MergeConflict:
    fields: dict[str, Any] = {name: _text(given[name]) for name in _TEXTS}
    fields |= {name: msgspec.Raw(numbers.spell(given[name])) for name in _SIDES if name in given}
    return MergeConflict(**fields)


def _listed(given: Any) -> Sequence[Any]:
    if not isinstance(given, list) or len(given) > MAX_CONFLICTS:
        raise ValueError("conflicts must be a list, and not endless")
    return given


def _text(given: Any) -> str:
    if not isinstance(given, str) or isinstance(given, numbers.Number):
        raise ValueError(f"{given!r} is not text")
    given.encode()  # raises UnicodeEncodeError, a ValueError, where half a surrogate pair is in it
    return given


# files as values of conflicts


def file_value(entry: Entry) -> msgspec.Raw:
    """A file and where it is, as JSON that says all of it."""
    state = entry.state._asdict()
    shown = {name: value.hex() if isinstance(value, bytes) else value for name, value in state.items()}
    return msgspec.Raw(numbers.spell({**shown, "path": entry.path}))


def file_from(value: msgspec.Raw) -> Entry:
    """The file that `file_value` spelled. Raises ValueError, or Usage for a path that is none."""
    given = numbers.parse(bytes(value))
    if not isinstance(given, dict) or given.keys() != {*FileState._fields, "path"}:
        raise ValueError("not a file")
    columns = {column.name: column for column in FILES.columns}
    fields = {name: _column(columns[name], given[name]) for name in FileState._fields}
    return Entry(check_path(_text(given["path"])), FileState(**fields))


def _column(column: Column, given: Any) -> Any:
    if column.number:
        number = int(given)
        if not 0 <= number < 1 << 63:
            raise ValueError(f"{column.name} is out of range")
        return number
    content = bytes.fromhex(_text(given))
    if column.width not in (0, len(content)):
        raise ValueError(f"{column.name} is not {column.width} bytes")
    return content
