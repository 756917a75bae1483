"""`resolve`: decide the conflicts of a merge, some or all at once.

A conflict goes by its address, `PATH#INSTANCE.FIELD`, `PATH#FIELD` for the file itself, or `schema:PLACE`. Leaving the
end off means all that is below: `PATH#INSTANCE`, `PATH`, a folder, a glob. Each resolution is one operation; it edits
the directory and takes the conflicts off the merge, and undo brings both back.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tdvc.errors import NotFound, Usage
from tdvc.ids import FileId, ObjectId
from tdvc.model import numbers
from tdvc.model.schema import Schema, schema_from
from tdvc.names import printable
from tdvc.ops.merging import merge_in, write_merge
from tdvc.ops.resolution import BASE, BOTH, OURS, THEIRS, WITH, Resolution
from tdvc.ops.select import path_filter
from tdvc.repo import revision
from tdvc.repo.directory import Directory, read_schema
from tdvc.repo.merge import SCHEMA_FIELD, MergeConflict
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction

SIDES = (OURS, THEIRS, BASE, BOTH)


@dataclass(frozen=True, slots=True)
class ResolveResult:
    """How many conflicts were resolved, and how many are left.

    Attributes:
        directory: where.
        taken: which side: `ours`, `theirs`, `base`, `both` or `with`.
        resolved_conflicts: those that are decided now.
        left_conflicts: those that are not.
        operation: what did it.
    """

    directory: str
    taken: str
    resolved_conflicts: int
    left_conflicts: int
    operation: ObjectId | None


def resolve(
    repository: Repository,
    selectors: Sequence[str],
    directory: str | None = None,
    *,
    take: str = OURS,
    value: str | None = None,
    dry_run: bool = False,
) -> ResolveResult:
    """Take one side in conflicts of the merge that is under way in a directory.

    Args:
        repository: the repository.
        selectors: addresses, or what they begin with; paths, folders and globs. All conflicts where empty.
        directory: the current one where None.
        take: `ours`, `theirs`, `base`, or `both` to keep their version of an instance beside ours.
        value: JSON to have instead of any side.
        dry_run: change nothing.

    Raises:
        Refused: no-merge, file-exists.
        NotFound: conflict-not-found, file-not-found, instance-not-found.
        Usage: bad-usage, for a value or a side that a field can't have.
        SchemaError: bad-instance.
    """
    name = repository.directory(directory).name
    side, spelled = (take, None) if value is None else (WITH, _parsed(value))
    if side not in (*SIDES, WITH):
        raise Usage("bad-usage", f"{take!r} is none of {', '.join(SIDES)}.")
    shown = " ".join(printable(selector) for selector in selectors) or "--all"
    with repository.transaction(f"resolve {shown} --{side} -d {name}") as edit:
        begun = merge_in(repository, edit.view, name)
        chosen = _chosen(begun.conflicts, selectors)
        state = revision.resolve(repository.objects, edit.view, name)
        resolution = Resolution(edit, state, begun.theirs, side, spelled)
        for identity, conflicts in _by_file(chosen).items():
            resolution.resolve_file(identity, conflicts)
        if side != OURS:
            _resolve_schema(edit, state, [c for c in chosen if not c.path], resolution)
        left = begun.without(chosen)
        edit.set_merge(name, write_merge(edit, left))
        if dry_run:
            edit.discard()
    return ResolveResult(name, side, len(chosen), len(left.conflicts), edit.operation)


def _parsed(value: str) -> msgspec.Raw:
    try:
        return msgspec.Raw(numbers.canonical(value.encode()))
    except ValueError as error:
        raise Usage(
            "bad-usage", f"{value[:60]!r} is not JSON: {error}.", hint="Text needs quotes: '\"cat\"'"
        ) from error


# which conflicts


def _chosen(conflicts: Sequence[MergeConflict], selectors: Sequence[str]) -> list[MergeConflict]:
    if not selectors:
        return list(conflicts)
    chosen: dict[str, MergeConflict] = {}
    for selector in selectors:
        found = list(_fitting(conflicts, selector))
        if not found:
            raise NotFound(
                "conflict-not-found",
                f"No conflict goes by {printable(selector)!r}.",
                hint="tdvc conflicts lists them",
                selector=selector,
            )
        chosen.update((conflict.address, conflict) for conflict in found)
    return list(chosen.values())


def _fitting(conflicts: Sequence[MergeConflict], selector: str) -> Iterator[MergeConflict]:
    """The conflicts that a selector means. A path may hold a `#` itself, so the longest path that fits counts."""
    if selector.startswith(SCHEMA_FIELD):
        yield from (c for c in conflicts if not c.path and fnmatch.fnmatchcase(c.field, selector))
        return
    places = [len(selector), *(at for at in range(len(selector) - 1, 0, -1) if selector[at] == "#")]
    for at in places:
        fits = path_filter([selector[:at]])
        found = [c for c in conflicts if c.path and fits(c.path) and _fits_below(c, selector[at + 1 :])]
        if found:
            _refuse_ambiguous(found, selector, selector[at + 1 :])
            yield from found
            return


def _fits_below(conflict: MergeConflict, wanted: str) -> bool:
    if not wanted or (not conflict.instance_id and wanted == conflict.field):
        return True
    identity, _, field = wanted.partition(".")
    same_instance = bool(conflict.instance_id and identity) and conflict.instance_id.startswith(identity)
    return same_instance and field in ("", conflict.field)


def _refuse_ambiguous(found: Iterable[MergeConflict], selector: str, wanted: str) -> None:
    instances: dict[str, str] = {}
    for conflict in found:
        known = instances.setdefault(conflict.path, conflict.instance_id)
        if wanted and known != conflict.instance_id:
            raise Usage(
                "bad-usage",
                f"{printable(selector)!r} fits more than one instance of {conflict.path!r}.",
                hint="Give more digits.",
                selector=selector,
            )


def _by_file(conflicts: Iterable[MergeConflict]) -> dict[FileId, list[MergeConflict]]:
    found: dict[FileId, list[MergeConflict]] = {}
    for conflict in conflicts:
        if conflict.path:
            found.setdefault(FileId(bytes.fromhex(conflict.file_id)), []).append(conflict)
    return found


# the schema


def _resolve_schema(
    edit: Transaction, state: Directory, conflicts: Sequence[MergeConflict], resolution: Resolution
) -> None:
    if not conflicts:
        return
    fields = numbers.parse(read_schema(edit.writer, state.schema_id).encode())
    for conflict in conflicts:
        if (conflict.base, conflict.ours, conflict.theirs) == (None, None, None):
            continue  # what makes no sense only together is put right by editing the schema
        value = resolution.side(conflict)
        place = conflict.field.removeprefix(SCHEMA_FIELD)
        set_place(fields, place, numbers.parse(bytes(value)) if value is not None else None)
    own = edit.view.directories[state.name].schema is not None
    edit.set_schema(_schema(fields), state.name if own else None)


def _schema(fields: dict[str, Any]) -> Schema:
    try:
        return schema_from(fields)
    except ValueError as error:
        raise Usage("bad-usage", f"The schema can't be so: {error}.") from error


def set_place(fields: dict[str, Any], place: str, value: Any) -> None:
    """Put a value at a place such as `labels.dog.name` of a schema's JSON; None takes away what is there.

    Keys may hold dots themselves, so the longest key that is there counts. Options are found by their key.
    """
    at: Any = fields
    while (key := _longest_key(at, place)) is not None:
        at, place = at[key], place[len(key) + 1 :]
        if isinstance(at, list):
            _set_option(at, place, value)
            return
    if value is None:
        at.pop(place, None)
    else:
        at[place] = value


def _longest_key(at: dict[str, Any], place: str) -> str | None:
    """The key that leads on to a place; None where the place is a key itself."""
    leading = [key for key, inner in at.items() if place.startswith(f"{key}.") and isinstance(inner, dict | list)]
    return max(leading, key=len) if leading and place not in at else None


def _set_option(options: list[Any], place: str, value: Any) -> None:
    known = {option["key"]: option for option in options}
    if (key := _longest_key(known, place)) is not None:
        set_place(known[key], place[len(key) + 1 :], value)
        return
    options[:] = [option for option in options if value is not None or option["key"] != place]
    if value is not None and place in known:
        options[options.index(known[place])] = value
    elif value is not None:
        options.append(value)
