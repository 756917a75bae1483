"""What resolving conflicts does to files and instances.

The directory has our side of every conflict already, and perhaps what somebody made of it since; so to take ours is to
leave it as it is. To take another side is to edit what is there now: whatever else was done to the file stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any

import msgspec

from tdvc.errors import NotFound, Refused, Usage
from tdvc.ids import NO_ID, FileId, ObjectId
from tdvc.model import numbers
from tdvc.model.merge import ABSENT, PRESENCE, cells_of, instance_from
from tdvc.model.records import Instance, derived_instance_id, instance_from_json
from tdvc.names import check_path
from tdvc.ops.annotate import corrected
from tdvc.repo.commit import id_from
from tdvc.repo.directory import Directory, read_instances
from tdvc.repo.entry import PATHS, Entry, FileState, properties_of
from tdvc.repo.merge import MergeConflict, file_from
from tdvc.repo.transaction import Transaction
from tdvc.tables.tree import Table

OURS, THEIRS, BASE, BOTH, WITH = "ours", "theirs", "base", "both", "with"

Value = msgspec.Raw | None


class Resolution:
    """Takes one side in the conflicts of files.

    Args:
        edit: where the edits go.
        directory: the directory, as the transaction sees it.
        theirs: the commit that is merged in; ids of instances that are kept beside ours follow from it.
        take: which side.
        value: with `with`, what to have instead.
    """

    def __init__(
        self, edit: Transaction, directory: Directory, theirs: ObjectId, take: str, value: Value = None
    ) -> None:
        self._edit = edit
        self._directory = directory
        self._theirs = theirs
        self._take = take
        self._value = value
        self._paths = Table(directory.objects, PATHS, edit.view.directories[directory.name].paths)

    def resolve_file(self, identity: FileId, conflicts: Sequence[MergeConflict]) -> None:
        """Resolve conflicts of one file. Raises NotFound, Refused, Usage, SchemaError."""
        if self._take == OURS:
            return
        row = self._paths.get(identity)
        entry = self._directory.entry(row[1].decode()) if row else None
        for conflict in conflicts:
            if not conflict.instance_id and conflict.field in (PRESENCE, "path"):
                self._place(entry, conflict)
        rest = [c for c in conflicts if c.instance_id or c.field not in (PRESENCE, "path")]
        if rest and entry is None:
            raise NotFound(
                "file-not-found",
                f"{self._directory.name} does not have {conflicts[0].path!r} any more.",
                hint="To leave it so: tdvc resolve --ours",
                path=conflicts[0].path,
            )
        if rest and entry is not None:
            self._edit_file(entry, rest)

    def side(self, conflict: MergeConflict) -> Value:
        """What to have, as JSON; None where nothing is to be there."""
        if self._take == WITH:
            return self._value
        if self._take == BOTH:
            raise Usage(
                "bad-usage",
                f"There can't be both of {conflict.address}.",
                hint="--ours, --theirs, --base or --with",
                field=conflict.field,
            )
        found: Value = getattr(conflict, self._take)
        return found

    # files

    def _place(self, entry: Entry | None, conflict: MergeConflict) -> None:
        """A file that is to be there or not, or elsewhere."""
        if self._take == BOTH and entry is None and conflict.field == "path":
            theirs = file_from(conflict.theirs or msgspec.Raw(b"null"))
            self._bring(theirs, self._free_path(conflict.path))
            return
        wanted = (conflict.ours or conflict.theirs) if self._take == BOTH else self.side(conflict)
        if conflict.field == "path" and entry is not None:
            self._move(entry, self.side(conflict))
        elif wanted is None:
            if entry is not None:
                self._edit.take_out(self._directory.name, entry.path)
        elif conflict.field == "path":
            self._bring_to(conflict, conflict.path if self._take == THEIRS else _text_of(wanted))
        elif entry is None:
            self._bring_to(conflict, _text_of(wanted) if self._take == WITH else None)
        elif self._take != BOTH:
            self._become(entry, _checked(lambda: file_from(wanted)).state)

    def _bring_to(self, conflict: MergeConflict, path: str | None) -> None:
        """The file of a conflict comes in, at its own place where no other is named."""
        chosen = conflict.base if self._take == BASE else conflict.theirs or conflict.ours
        found = _checked(lambda: file_from(chosen or msgspec.Raw(b"null")))
        place = check_path(path or found.path)
        if not (conflict.field == "path" and self._take == THEIRS):  # there, to take the place is what is asked for
            self._refuse_taken(place)
        self._bring(found, place)

    def _bring(self, found: Entry, path: str) -> None:
        identity = found.state.file_id
        if identity in self._edit.living([identity]):
            self._edit.place(self._directory.name, path, identity)
        else:
            self._edit.put(self._directory.name, path, found.state)

    def _become(self, entry: Entry, state: FileState) -> None:
        """Our file as it was; it stays our file."""
        self._edit.set_state(state._replace(file_id=entry.state.file_id, origin=entry.state.origin))

    def _move(self, entry: Entry, wanted: Value) -> None:
        path = check_path(_text_of(wanted))
        if path != entry.path:
            self._refuse_taken(path)
            self._edit.take_out(self._directory.name, entry.path)
            self._edit.place(self._directory.name, path, entry.state.file_id)

    def _refuse_taken(self, path: str) -> None:
        if path in self._directory:
            raise Refused(
                "file-exists",
                f"{self._directory.name} has another file at {path!r}.",
                hint="Move it away first, or give another place: tdvc resolve … --with '\"PATH\"'",
                path=path,
            )

    def _free_path(self, path: str) -> str:
        """The first free path beside another one: `a (2).jpg`, `a (3).jpg` and so on."""
        folder, slash, name = path.rpartition("/")
        stem, dot, suffix = name.rpartition(".") if "." in name.lstrip(".") else (name, "", "")
        tried = (f"{folder}{slash}{stem} ({number}){dot}{suffix}" for number in count(2))
        return next(candidate for candidate in tried if candidate not in self._directory)

    # what is said of a file

    def _edit_file(self, entry: Entry, conflicts: Sequence[MergeConflict]) -> None:
        state = entry.state
        for conflict in conflicts:
            if not conflict.instance_id:
                state = self._with_field(state, conflict)
        before = read_instances(self._edit.writer, state)
        after = {instance.instance_id: instance for instance in before}
        by_instance: dict[str, list[MergeConflict]] = {}
        for conflict in conflicts:
            if conflict.instance_id:
                by_instance.setdefault(conflict.instance_id, []).append(conflict)
        for identity, found in by_instance.items():
            self._resolve_instance(identity, found, after)
        if by_instance:
            made: Iterable[Instance] = after.values()
            made = corrected(before, made) if self._take == WITH else made
            instances, instance_count = self._edit.write_instances(made)
            state = state._replace(instances=instances, instance_count=instance_count)
        self._edit.set_state(state)

    def _with_field(self, state: FileState, conflict: MergeConflict) -> FileState:
        value = self.side(conflict)
        parsed = numbers.parse(bytes(value)) if value is not None else ABSENT
        if conflict.field == "bytes" and isinstance(parsed, dict) and self._take != WITH:
            return self._with_bytes(state, parsed)
        if conflict.field == "complete":
            return self._with_mark(state, parsed)
        group, _, key = conflict.field.partition(".")
        if group != "properties":
            raise Usage("bad-usage", f"{conflict.address} takes --ours, --theirs or --base only.", field=conflict.field)
        properties = properties_of(state)
        properties.pop(key, None)
        if parsed is not ABSENT:
            properties[key] = parsed
        return state._replace(properties=numbers.spell(properties) if properties else b"")

    def _with_bytes(self, state: FileState, wanted: dict[str, Any]) -> FileState:
        blob = id_from(wanted["blob"])
        if "size_bytes" in wanted:
            size_bytes, media_type = int(wanted["size_bytes"]), wanted["media_type"].encode()
        else:
            size_bytes = sum(len(piece) for piece in self._directory.objects.read_blob(blob))
            media_type = state.media_type
        return state._replace(blob=blob, size_bytes=size_bytes, media_type=media_type)

    def _with_mark(self, state: FileState, wanted: Any) -> FileState:
        found = wanted if isinstance(wanted, dict) else {"complete": wanted}
        if not isinstance(found.get("complete"), bool):
            raise Usage("bad-usage", "A completeness mark is true or false.")
        if not found["complete"]:
            return state._replace(complete=0, completeness_schema=NO_ID)
        schema = id_from(found["schema"]) if "schema" in found else self._directory.schema_id
        return state._replace(complete=1, completeness_schema=schema)

    # instances

    def _resolve_instance(
        self, identity: str, conflicts: Sequence[MergeConflict], instances: dict[str, Instance]
    ) -> None:
        presence = next((conflict for conflict in conflicts if conflict.field == PRESENCE), None)
        if presence is not None:
            self._resolve_presence(identity, presence, instances)
            return
        if identity not in instances:
            raise NotFound(
                "instance-not-found",
                f"{conflicts[0].path!r} does not have instance {identity} any more.",
                hint="To leave it so: tdvc resolve --ours",
                instance_id=identity,
            )
        ours = instances[identity]
        if self._take == BOTH:
            beside = derived_instance_id("merge", identity, self._theirs.hex())
            instances[beside] = _with_cells(ours, {c.field: c.theirs for c in conflicts}, beside)
        else:
            instances[identity] = _with_cells(ours, {c.field: self.side(c) for c in conflicts}, identity)

    def _resolve_presence(self, identity: str, conflict: MergeConflict, instances: dict[str, Instance]) -> None:
        value = (conflict.ours or conflict.theirs) if self._take == BOTH else self.side(conflict)
        if value is None or bytes(value) == b"null":
            instances.pop(identity, None)
        elif self._take != BOTH or identity not in instances:
            found = instance_from_json(value)
            instances[identity] = msgspec.structs.replace(found, instance_id=identity)


def _with_cells(instance: Instance, wanted: dict[str, Value], identity: str) -> Instance:
    """An instance with some cells changed; None takes one away. Raises SchemaError (bad-instance)."""
    cells = cells_of(instance)
    for name, value in wanted.items():
        cells.pop(name, None)
        if value is not None:
            cells[name] = numbers.parse(bytes(value))
    geometry = cells.get("geometry")
    if not isinstance(geometry, dict) or geometry.keys() != {"geometry", "type"}:  # bare, as people type it
        cells["geometry"] = {"geometry": geometry, "type": instance.type}
    return instance_from(identity, cells)


def _checked(make: Callable[[], Entry]) -> Entry:
    try:
        return make()
    except (ValueError, TypeError) as error:
        raise Usage("bad-usage", "A file as a whole takes --ours, --theirs or --base only.") from error


def _text_of(value: Value) -> str:
    found = numbers.parse(bytes(value)) if value is not None else None
    if not isinstance(found, str) or isinstance(found, numbers.Number):
        raise Usage("bad-usage", "A place is given as JSON text, such as '\"night/a.jpg\"'.")
    return found
