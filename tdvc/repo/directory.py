"""Reading one state of a directory: staged, committed or frozen in a snapshot, it is all the same from here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tdvc.errors import NotFound
from tdvc.ids import NO_ID, FileId, Kind, ObjectId
from tdvc.model.records import Instance, decode_set
from tdvc.model.schema import Schema, decode_schema
from tdvc.objects.store import ObjectStore, ReadableObjects
from tdvc.repo.commit import malformed
from tdvc.repo.entry import FILES, Entry, FileState, entry_of
from tdvc.storage.base import MemoryStorage
from tdvc.tables.edit import empty
from tdvc.tables.tree import Table, page_totals


class Counts(NamedTuple):
    """What a directory holds, read from the root of its table."""

    files: int
    bytes: int
    instances: int
    complete: int


@dataclass(frozen=True, slots=True)
class File:
    """A file as a directory shows it."""

    path: str
    state: FileState
    directory: Directory

    @property
    def file_id(self) -> str:
        """Its lasting identity, 32 hexadecimal digits."""
        return self.state.file_id.hex()

    @property
    def blob_id(self) -> str:
        """SHA-256 of its bytes, 64 hexadecimal digits."""
        return self.state.blob.hex()

    @property
    def complete(self) -> bool:
        """Whether somebody declared its annotation complete."""
        return bool(self.state.complete)

    @property
    def instances(self) -> list[Instance]:
        """Its instances, ordered by id. Raises Corruption."""
        return read_instances(self.directory.objects, self.state)

    def read(self) -> bytes:
        """Its bytes, verified. Raises Corruption."""
        return b"".join(self.directory.objects.read_blob(self.state.blob))


class Directory:
    """One state of a directory.

    Iterating gives its files ordered by path; `directory[path]` gives one.

    Attributes:
        name: the directory's name.
        title: how it was asked for, such as `Dogs~2`, for people.
        root: id of the table; equal states have equal roots.
        schema_id: the schema that belongs to it.
        commit: the commit this is the state of; None for a staged state that differs from the last commit or has none.
        objects: where its blobs and instance sets are read from.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        name: str,
        root: ObjectId,
        schema_id: ObjectId,
        title: str = "",
        commit: ObjectId | None = None,
    ) -> None:
        self.objects = objects
        self.name = name
        self.title = title or name
        self.root = root
        self.schema_id = schema_id
        self.commit = commit
        self.table = Table(objects, FILES, root)

    def __repr__(self) -> str:
        return f"<Directory {self.title} {self.root.hex()[:12]}>"

    @property
    def counts(self) -> Counts:
        """Files, bytes, instances and complete files, without reading the files' rows."""
        return counts_of(self.table)

    @property
    def schema(self) -> Schema:
        """The schema that belongs to this state."""
        return read_schema(self.objects, self.schema_id)

    def __len__(self) -> int:
        return self.counts.files

    def __iter__(self) -> Iterator[File]:
        for entry in self.entries():
            yield File(entry.path, entry.state, self)

    def __getitem__(self, path: str) -> File:
        entry = self.entry(path)
        return File(entry.path, entry.state, self)

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.table.get(path.encode(errors="surrogatepass")) is not None

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """The entries whose path starts with `prefix`, in path order."""
        for row in self.table.scan(prefix=prefix.encode(errors="surrogatepass")):
            yield entry_of(row)

    def entry(self, path: str) -> Entry:
        """One entry. Raises NotFound (file-not-found)."""
        row = self.table.get(path.encode(errors="surrogatepass"))
        if row is None:
            raise NotFound("file-not-found", f"{self.title} has no file {path!r}.", path=path, directory=self.name)
        return entry_of(row)

    def entries_at(self, paths: Iterable[str]) -> dict[str, Entry]:
        """The entries at those of `paths` that are there."""
        rows = self.table.get_many(path.encode(errors="surrogatepass") for path in paths)
        return {key.decode(): entry_of(row) for key, row in rows.items()}

    def find_file(self, identity: FileId) -> Entry | None:
        """The entry with that file_id, by reading through the directory; None where it is not there."""
        for page in self.table.leaves():
            if identity in page.column(1):
                return entry_of(page.row(page.column(1).index(identity)))
        return None

    def instances(self, entry: Entry) -> list[Instance]:
        """The instances of an entry, ordered by id. Raises Corruption."""
        return read_instances(self.objects, entry.state)


def memory_objects() -> ObjectStore:
    """An empty store in memory, for states that no repository holds."""
    return ObjectStore(MemoryStorage())


def nothing(name: str, schema_id: ObjectId) -> Directory:
    """The state of a directory before its first commit: no file."""
    objects = memory_objects()
    with objects.writer() as writer:
        root = empty(writer, FILES)
        writer.publish()
    return Directory(objects, name=name, root=root, schema_id=schema_id, title=f"{name}@ (no commit)")


def counts_of(table: Table) -> Counts:
    """The counts of a table of entries."""
    totals = page_totals(FILES, table.page(table.root))
    return Counts(totals.rows, *totals.sums)


def read_instances(objects: ReadableObjects, state: FileState) -> list[Instance]:
    """The instances of a file state, ordered by id. Raises Corruption."""
    return read_set(objects, state.instances)


def read_set(objects: ReadableObjects, identity: ObjectId) -> list[Instance]:
    """The instances of a set, ordered by id; none for `NO_ID`. Raises Corruption."""
    if identity == NO_ID:
        return []
    try:
        return decode_set(objects.read(Kind.INSTANCES, identity))
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise malformed(Kind.INSTANCES, identity) from error


def read_schema(objects: ReadableObjects, identity: ObjectId) -> Schema:
    """A schema by its id. Raises Corruption."""
    try:
        return decode_schema(objects.read(Kind.SCHEMA, identity))
    except ValueError as error:
        raise malformed(Kind.SCHEMA, identity) from error
