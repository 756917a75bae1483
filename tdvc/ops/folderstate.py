"""A folder or file of annotations as a state that can be compared: read through its format, kept in memory.

It is read against the state it is compared with. A file is known again by its path, or by its name where the bytes are
the same or no picture came; an instance by its id, or where the format has none, by saying the same. What a format
can't carry is no difference when it is missing. So a folder that tdvc exported compares equal to what it was exported
from, and a folder that differs, differs in what importing it would change, and in what is missing from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from tdvc.errors import NotFound
from tdvc.formats import detect_format, format_named
from tdvc.formats.base import FileRecord, Format, Reconciliation
from tdvc.ids import NO_ID, FileId, Kind, ObjectId, file_ids
from tdvc.model import numbers
from tdvc.model.media import HEAD_BYTES, media_type
from tdvc.model.problems import Problem
from tdvc.model.records import Instance, encode_set, revise
from tdvc.model.schema import Schema
from tdvc.names import printable, stored_path_problem
from tdvc.objects.store import ObjectStore, ObjectWriter
from tdvc.ops.recognising import KnownFiles, KnownInstances, imported, merged_properties
from tdvc.repo.directory import Directory, memory_objects
from tdvc.repo.entry import FILES, Entry, FileState, properties_of
from tdvc.storage.folder import FileChanged, look, read_pieces
from tdvc.tables.edit import build


class FolderState(Directory):
    """What a folder says. Its blobs stay where they are.

    Attributes:
        format: the name of its format.
        keeps: what the format can carry, of `formats.base.FIELDS`.
        places: where on disk the file at a path is, for those that have one.
        problems: what could not be read.
    """

    def __init__(
        self, objects: ObjectStore, root: ObjectId, source: Path, chosen: Format, base: Directory | None
    ) -> None:
        title = f"{source} ({chosen.NAME})"
        schema_id = base.schema_id if base else NO_ID
        super().__init__(objects, name="", root=root, schema_id=schema_id, title=title)
        self.format = chosen.NAME
        self.keeps = chosen.KEEPS
        self.places: dict[str, Path] = {}
        self.problems: list[Problem] = []
        self._base = base

    @property
    def schema(self) -> Schema:
        """That of the state it was read against; a folder pins none."""
        return self._base.schema if self._base else Schema()


def read_folder(source: Path, base: Directory | None, read_as: str | None = None) -> FolderState:
    """Read a folder or file of annotations against the state it is compared with.

    Args:
        source: the folder or file; nothing is written there.
        base: the other side; None to take it as it is.
        read_as: the name of its format; found out where None.

    Raises:
        NotFound: source-not-found.
        FormatError: format-unknown, bad-format-file.
    """
    if not source.exists():
        raise NotFound("source-not-found", f"{str(source)!r} does not exist.", path=str(source))
    chosen = format_named(read_as) if read_as else detect_format(source)
    objects = memory_objects()
    with objects.writer() as writer:
        reading = _Reading(writer, chosen, base)
        reading.take(source)
        root = build(writer, FILES, [(path, *state) for path, state in sorted(reading.states.items())])
        writer.publish()
    state = FolderState(objects, root, source, chosen, base)
    state.places = reading.places
    state.problems = reading.sum.problems
    return state


class _Reading:
    """One folder on its way into memory."""

    def __init__(self, writer: ObjectWriter, chosen: Format, base: Directory | None) -> None:
        self._writer = writer
        self._format = chosen
        self._base = base
        self._keeps = chosen.KEEPS & base.keeps if isinstance(base, FolderState) else chosen.KEEPS
        self._known = KnownFiles(base) if base else None
        self._taken: set[FileId] = set()
        self.states: dict[bytes, FileState] = {}
        self.places: dict[str, Path] = {}
        self.sum = Reconciliation()

    def take(self, source: Path) -> None:
        for record in self.sum.read(self._format, source):
            problem = stored_path_problem(record.path)
            if problem:
                self._drop("unsafe-path", record, f"The path {problem}.")
                continue
            blob, size, media = self._bytes(record)
            former = self._former(record, blob)
            path = former.path if former else record.path
            if path.encode() in self.states:
                self._drop("ambiguous-name", record, "Another record is about the same file.")
                continue
            self.states[path.encode()] = self._state(record, path, former, (blob, size, media))
            if record.source is not None:
                self.places[path] = record.source
        self._keep_empty()
        self._copy_schemas()

    def _drop(self, code: str, record: FileRecord, message: str) -> None:
        count = len(record.instances)
        self.sum.report(Problem(code, printable(record.path), message, dropped_files=1, dropped_instances=count))

    def _keep_empty(self) -> None:
        """Files without an instance, where the format can't tell them from files that are not there."""
        if self._base is None or "empty-files" in self._keeps:
            return
        for entry in self._base.entries():
            if not entry.state.instance_count:
                self.states.setdefault(entry.path.encode(), entry.state)

    def _copy_schemas(self) -> None:
        """The schemas that files were judged against, so that the marks can be judged here too."""
        for identity in {state.completeness_schema for state in self.states.values()} - {NO_ID}:
            if self._base is not None:
                self._writer.put(Kind.SCHEMA, self._base.objects.read(Kind.SCHEMA, identity))

    def _bytes(self, record: FileRecord) -> tuple[ObjectId, int, bytes]:
        """Id, size and media type of a record's bytes; `NO_ID` where it does not say."""
        digest, size, head = hashlib.sha256(), 0, b""
        for piece in self._pieces(record):
            head = head or piece[:HEAD_BYTES]
            digest.update(piece)
            size += len(piece)
        if size:
            return ObjectId(digest.digest()), size, media_type(head, record.path).encode()
        return ObjectId(bytes.fromhex(record.blob)) if record.blob else NO_ID, 0, b""

    def _pieces(self, record: FileRecord) -> Iterable[bytes]:
        if record.content is not None:
            return [record.content]
        return _read(record.source, self.sum) if record.source is not None else []

    def _former(self, record: FileRecord, blob: ObjectId) -> Entry | None:
        """The file of the other side that a record is about."""
        if self._base is None or self._known is None:
            return None
        exact = self._base.entries_at([record.path]).get(record.path)
        if exact is not None:
            return exact
        found = list(self._base.entries_at(self._known.find(record)).values())
        if len(found) == 1 and blob in (NO_ID, found[0].state.blob):
            return found[0]
        return None

    def _state(
        self, record: FileRecord, path: str, former: Entry | None, content: tuple[ObjectId, int, bytes]
    ) -> FileState:
        blob, size, media = content
        if former is None:
            state = FileState(self._fresh_id(record, path, blob), blob, size, media_type=media)
        else:
            state = former.state
            if blob not in (NO_ID, state.blob):
                state = state._replace(blob=blob, size_bytes=size, media_type=media)
        self._taken.add(state.file_id)
        state = self._annotated(record, state, former)
        before = properties_of(state)
        again = record.file_id == state.file_id.hex() or bool(former and former.state.instance_count)
        after = merged_properties(record, before, self._format.NAME, recognised=again)
        return state if after == before else state._replace(properties=numbers.spell(after))

    def _fresh_id(self, record: FileRecord, path: str, blob: ObjectId) -> FileId:
        given = FileId(bytes.fromhex(record.file_id)) if record.file_id else None
        if given is not None and given not in self._taken:
            return given
        return file_ids("", [(path, blob)])[0]

    def _annotated(self, record: FileRecord, state: FileState, former: Entry | None) -> FileState:
        before = self._base.instances(former) if self._base and former else []
        revision = revise(before, self._merged(record, before))
        instances = revision.instances
        identity = self._writer.put(Kind.INSTANCES, encode_set(instances)) if instances else NO_ID
        state = state._replace(instances=ObjectId(identity), instance_count=len(instances))
        if record.complete is not None and record.complete != bool(state.complete):
            schema = self._base.schema_id if self._base and record.complete else NO_ID
            state = state._replace(complete=int(record.complete), completeness_schema=schema)
        return state

    def _merged(self, record: FileRecord, before: list[Instance]) -> list[Instance]:
        """What the folder says now, and what its format has no word for."""
        coming = {instance.instance_id for instance in record.instances}
        known = KnownInstances(before, self._format.NAME, self._keeps, coming)
        again = [(known.again(instance), instance) for instance in record.instances]
        merged = [found[1] if found else imported(instance) for found, instance in again]
        said = {instance.instance_id for instance in merged}
        partial = record.path in self.sum.partial
        left = (i for i in before if i.instance_id not in said)
        others = record.run  # predictions of one run say nothing of other instances
        kept = (i for i in left if partial or i.type not in self._format.TYPES or (others and i.source != others))
        return [*merged, *kept]


def _read(place: Path, total: Reconciliation) -> Iterator[bytes]:
    """The bytes of a file on disk, in pieces; none, and a problem, where it can't be read."""
    try:
        found = look(str(place))
        if found is not None:
            yield from read_pieces(str(place), found)
    except (OSError, FileChanged):
        total.report(Problem("unreadable", printable(str(place)), "It can't be read.", severity="warning"))
