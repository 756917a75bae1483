"""Which files of a state are complete, and which were so under a schema that asked less.

The rule is in `tdvc.model.completeness`. Most states were marked under a schema or a few, and most changes of a schema
ask nothing more of anybody: so each old schema is compared once, and instances are read only of files that it concerns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from tdvc.errors import Refused
from tdvc.ids import NO_ID, ObjectId
from tdvc.model.completeness import Mark, asks_more
from tdvc.model.problems import Problem
from tdvc.model.schema import Schema
from tdvc.names import printable
from tdvc.repo.directory import Directory, read_schema
from tdvc.repo.entry import Entry, FileState, entry_of

_SCHEMA_COLUMN = 1 + FileState._fields.index("completeness_schema")
_SHOWN_PATHS = 5


class Marks:
    """The completeness marks of one state, judged by the schema that belongs to it."""

    def __init__(self, state: Directory) -> None:
        self._state = state
        self._now: Schema | None = None
        self._schemas: dict[ObjectId, Schema] = {}
        self._asked_less: dict[ObjectId, bool] = {NO_ID: False, state.schema_id: False}

    def of(self, entry: Entry) -> Mark:
        """What a file's mark is worth today."""
        if not entry.state.complete:
            return Mark.INCOMPLETE
        return Mark.STALE if self._is_stale(entry) else Mark.COMPLETE

    def stale(self) -> Iterator[Entry]:
        """The files whose mark is stale, in path order."""
        if not self._state.counts.complete:
            return
        for page in self._state.table.leaves():
            if any(map(self._could_be_stale, set(page.column(_SCHEMA_COLUMN)))):
                for entry in map(entry_of, page.rows()):
                    if self.of(entry) is Mark.STALE:
                        yield entry

    def count_stale(self) -> int:
        """How many files have a stale mark."""
        return sum(1 for _ in self.stale())

    def _could_be_stale(self, schema_id: ObjectId) -> bool:
        """Whether today's schema asks more than an older one of any file at all."""
        if schema_id not in self._asked_less:
            self._asked_less[schema_id] = asks_more(self._schema(schema_id), self._today())
        return self._asked_less[schema_id]

    def _today(self) -> Schema:
        if self._now is None:
            self._now = self._state.schema
        return self._now

    def _schema(self, schema_id: ObjectId) -> Schema:
        if schema_id not in self._schemas:
            self._schemas[schema_id] = read_schema(self._state.objects, schema_id)
        return self._schemas[schema_id]

    def _is_stale(self, entry: Entry) -> bool:
        schema_id = entry.state.completeness_schema
        if not self._could_be_stale(schema_id):
            return False
        instances = self._state.instances(entry)
        return asks_more(
            self._schema(schema_id),
            self._today(),
            {instance.label for instance in instances},
            sequences=any(instance.sequence is not None for instance in instances),
        )


@dataclass(slots=True)
class Unfinished:
    """Files that are not complete today, counted by why, with the first few paths."""

    incomplete: int = 0
    stale: int = 0
    first: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.incomplete or self.stale)

    def sentence(self) -> str:
        """Such as `3 files are not declared complete and 2 are stale: a.jpg, b.jpg, …`."""
        parts = []
        if self.incomplete:
            parts.append(f"{_files(self.incomplete)} not declared complete")
        if self.stale:
            parts.append(f"{_files(self.stale)} complete under a schema that asked less")
        more = ", …" if self.incomplete + self.stale > len(self.first) else ""
        return f"{' and '.join(parts)}: {', '.join(map(printable, self.first))}{more}"

    def problems(self) -> list[Problem]:
        """A warning, where there is something to warn of."""
        return [Problem("incomplete", "", f"{self.sentence()}.", severity="warning")] if self else []


def _files(count: int) -> str:
    return f"{count:,} {'file is' if count == 1 else 'files are'}"


def unfinished(state: Directory, entries: Iterable[Entry] | None = None) -> Unfinished:
    """What of a state, or of some of its files, is not complete today."""
    marks = Marks(state)
    if entries is None:
        counts = state.counts
        if counts.complete == counts.files and not any(marks.stale()):
            return Unfinished()
        entries = state.entries()
    found = Unfinished()
    unmarked = _counted(entries, marks, found)
    found.first = tuple(islice(unmarked, _SHOWN_PATHS))
    for _ in unmarked:
        pass
    return found


def _counted(entries: Iterable[Entry], marks: Marks, found: Unfinished) -> Iterator[str]:
    for entry in entries:
        mark = marks.of(entry)
        found.incomplete += mark is Mark.INCOMPLETE
        found.stale += mark is Mark.STALE
        if mark is not Mark.COMPLETE:
            yield entry.path


def require_complete(found: Unfinished) -> None:
    """Raises Refused (incomplete) where something is not complete today."""
    if found:
        raise Refused(
            "incomplete",
            f"{found.sentence()}.",
            hint="tdvc complete PATH declares them; tdvc ls --long shows which they are.",
            incomplete=found.incomplete,
            stale=found.stale,
            paths=list(found.first),
        )
