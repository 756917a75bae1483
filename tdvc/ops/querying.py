"""Which files of a state a query means, found page by page over the columns.

A whole state is asked over its cached columns, so what is cached is read and nothing is decoded again; rows of the
table are read only of pages that hold a file which fits. A few files are asked over columns that are made for them
alone, so time follows their number.

A file whose instances can't be read is in no answer about instances: asking is refused where there is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tdvc.columns.arrays import fixed, numbers, words
from tdvc.columns.layout import ColumnPage
from tdvc.columns.store import ROWS_TOGETHER, ColumnStore
from tdvc.errors import NotFound
from tdvc.ids import FileId, ObjectId
from tdvc.model.completeness import Mark
from tdvc.model.media import promises_picture
from tdvc.names import printable
from tdvc.ops.completeness import Marks
from tdvc.ops.pictures import Pictures, blob_array
from tdvc.ops.progress import Progress, silent
from tdvc.query.evaluate import Column, Evaluator, Floats, Ints, Truths, Values, attribute_key
from tdvc.query.moments import seconds_of
from tdvc.query.parser import Query, parse
from tdvc.query.tree import Member, Property, subjects
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, entry_of
from tdvc.repo.repository import Repository
from tdvc.tables.page import Row
from tdvc.tables.rowdiff import diff_rows
from tdvc.tables.tree import Table

_MAX_REMEMBERED = 100_000
_TRUTHS = (False, True)
_NUMBERS = {"size": "size_bytes", "instances": "instance_count"}
_OF_PICTURES = ("picture_width", "picture_height", "captured_at")
_SIDES = {"picture_width": ("width", "said_width"), "picture_height": ("height", "said_height")}


def matching_where(
    repository: Repository, directory: Directory, query: Query, *, progress: Progress = silent
) -> Iterator[Entry]:
    """The entries of a state that a query means, in path order; for the errors see `Matcher`."""
    matcher = Matcher(repository, directory, query, progress=progress)
    for identity, positions in matcher.pages():
        if len(positions):
            page = directory.table.page(identity)
            yield from (entry_of(page.row(position)) for position in positions.tolist())


def with_where(
    repository: Repository, directory: Directory, entries: Iterable[Entry] | None, where: str | Query
) -> Iterator[Entry]:
    """Those of some entries, in their order, that a query means; of all of the state for None.

    Raises:
        Usage: bad-query, at once. For other errors see `Matcher`.
    """
    query = parse(where) if isinstance(where, str) else where
    if entries is None:
        return matching_where(repository, directory, query)
    return _among(repository, directory, entries, query)


def _among(repository: Repository, directory: Directory, entries: Iterable[Entry], query: Query) -> Iterator[Entry]:
    asked = list(entries)
    if len(asked) > ROWS_TOGETHER:
        found = {entry.path for entry in matching_where(repository, directory, query)}
        yield from (entry for entry in asked if entry.path in found)
        return
    fits = Matcher(repository, directory, query).rows([(entry.path.encode(), *entry.state) for entry in asked])
    yield from (entry for entry, fit in zip(asked, fits.tolist(), strict=True) if fit)


class Matcher:
    """A query on a state of a directory.

    Args:
        repository: the repository.
        directory: the state.
        query: what is asked.
        now: seconds since 1970; the moment of the call for None.
        beside: properties of files that are wanted of those that fit, for `pages_with`.
        progress: told how many pages are done.

    Raises:
        NotFound: directory-not-found, unknown-revision, for a name in the query.
        Corruption: a page, or instances that the query asks about, are missing or damaged.
    """

    def __init__(
        self,
        repository: Repository,
        directory: Directory,
        query: Query,
        *,
        now: float | None = None,
        beside: Sequence[Property] = (),
        progress: Progress = silent,
    ) -> None:
        self._directory = directory
        self._beside = beside
        self._columns = ColumnStore(repository).of(directory)
        self._evaluator = Evaluator(query, directory.schema, time.time() if now is None else now)
        self._facts = _Facts(repository, directory, query, beside)
        self._progress = progress

    def pages(self) -> Iterator[tuple[ObjectId, Ints]]:
        """Every leaf page in path order, and the positions of the files in it that fit."""
        return ((identity, positions) for identity, positions, _ in self.pages_with())

    def pages_with(self) -> Iterator[tuple[ObjectId, Ints, list[Column]]]:
        """As `pages`, with what the files of the page have of each property in `beside`."""
        table = self._directory.table
        if self._facts.wants_pictures:
            self._facts.learn((row for page in table.leaves() for row in page.rows()), self._progress)
        for identity, columns in zip(table.leaf_ids(), self._columns.pages(self._progress), strict=True):
            page = self._page(columns, partial(_rows, table, identity))
            fits = self._evaluator.files(page)
            yield identity, np.flatnonzero(fits), [page.column(subject) for subject in self._beside]

    def rows(self, rows: Sequence[Row]) -> Truths:
        """Which of some rows fit."""
        if self._facts.wants_pictures:
            self._facts.learn(rows, self._progress)
        found = [np.zeros(0, bool)]
        for number, columns in enumerate(self._columns.of_rows(rows)):
            first = number * ROWS_TOGETHER
            page = self._page(columns, partial(rows.__getitem__, slice(first, first + ROWS_TOGETHER)))
            found.append(self._evaluator.files(page))
        return np.concatenate(found)

    def _page(self, columns: ColumnPage, rows: Callable[[], Sequence[Row]]) -> _Page:
        if self._facts.wants_instances and columns.files.column("damaged").true_count:
            position = int(np.flatnonzero(numbers(columns.files.column("damaged")))[0])
            self._directory.instances(entry_of(rows()[position]))  # raises what is wrong with it
        return _Page(columns, rows, self._facts)


def _rows(table: Table, identity: ObjectId) -> Sequence[Row]:
    return table.page(identity).rows()


class _Facts:
    """What a query needs to know beside the columns, each found when it is first asked for."""

    def __init__(
        self, repository: Repository, directory: Directory, query: Query, beside: Sequence[Property] = ()
    ) -> None:
        self._repository = repository
        self._directory = directory
        self.schema = directory.schema
        ranked_by_pictures = any(subject.name in _OF_PICTURES for subject in beside)
        self.wants_pictures = ranked_by_pictures or query.asks_for(*_OF_PICTURES)
        self.wants_instances = any(subject.of_instances for subject in subjects(query.condition))
        self.pictures = Pictures(repository) if self.wants_pictures else None
        self.parsed: dict[str, Any] = {}
        self._marks = Marks(directory)
        self._members = {member: self._files_of(member) for member in query.members}

    def learn(self, rows: Iterable[Row], progress: Progress) -> None:
        """Read the sizes of pictures that are not known yet."""
        if self.pictures is not None:
            found = (row[2] for row in rows if promises_picture(row[0].decode(), row[8].decode()))
            self.pictures.learn(blob_array(found), watcher=progress)

    def is_stale(self, row: Row) -> bool:
        """Whether a file's mark is stale."""
        return self._marks.of(entry_of(row)) is Mark.STALE

    def members(self, member: Member) -> frozenset[FileId]:
        """The files that belong to something."""
        return self._members[member]

    def _files_of(self, member: Member) -> frozenset[FileId]:
        if member.function == "changed_since":
            return _changed(self._repository[member.name], self._directory)
        kind = "directories" if member.function == "in_directory" else "snapshots"
        known = getattr(self._repository.view, kind)
        if member.name not in known:
            code = "directory-not-found" if kind == "directories" else "unknown-revision"
            what, names = member.function.removeprefix("in_"), ", ".join(sorted(known)[:10])
            message = f"The query asks for the {what} {printable(member.name)!r}, and there is none."
            raise NotFound(code, message, hint=f"Known: {names}." if names else "", name=member.name)
        table = self._repository[member.name].table
        return frozenset(identity for page in table.leaves() for identity in page.column(1))

    def lookup(self, subject: Property, text: str) -> Any:
        """What a JSON object, given as text, has under the path of a property; None for nothing."""
        if text not in self.parsed:
            if len(self.parsed) >= _MAX_REMEMBERED:
                self.parsed.clear()
            self.parsed[text] = _parsed(text)
        value = self.parsed[text]
        path = ".".join(subject.path)
        whole = attribute_key(self.schema, path) if subject.name == "attribute" else path
        if isinstance(value, dict) and whole in value:
            return value[whole]
        for name in subject.path:
            value = value.get(name) if isinstance(value, dict) else None
        return value


def _changed(before: Directory, after: Directory) -> frozenset[FileId]:
    """The files of a state that an earlier one does not have, or has in another state. A new path is no change."""
    old: dict[FileId, Row] = {}
    new: dict[FileId, Row] = {}
    for _, was, now in diff_rows(before.table, after.table):
        if was is not None:
            old[was[1]] = was[1:]
        if now is not None:
            new[now[1]] = now[1:]
    return frozenset(identity for identity, state in new.items() if old.get(identity) != state)


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text) if text else {}
    except (ValueError, RecursionError):
        return {}


class _Page:
    """One page of columns as a query sees it."""

    def __init__(self, columns: ColumnPage, rows: Callable[[], Sequence[Row]], facts: _Facts) -> None:
        self._columns = columns
        self._rows = rows
        self._facts = facts
        self._found: dict[Property, Column] = {}
        self.file_count: int = columns.files.num_rows
        self.owners: Ints = numbers(columns.instances.column("file"))

    def member(self, member: Member) -> Truths:
        """Which files belong to something."""
        members = self._facts.members(member)
        return np.array([identity in members for identity in self._of_files("file_id").to_pylist()], bool)

    def column(self, subject: Property) -> Column:
        """What each file or instance has."""
        if subject not in self._found:
            self._found[subject] = self._of_instance(subject) if subject.of_instances else self._of_file(subject)
        return self._found[subject]

    def _of_files(self, name: str) -> Any:
        return self._columns.files.column(name)

    def _of_instances(self, name: str) -> Any:
        return self._columns.instances.column(name)

    def _of_instance(self, subject: Property) -> Column:
        name = subject.name
        if name in ("label", "type", "source", "sequence"):
            return Values(*words(self._of_instances(name)))
        if name == "attribute":
            return self._looked_up(subject, self._of_instances("attributes").to_pylist())
        if name == "instance_id":
            return _hexadecimal(self._of_instances(name))
        if name in ("width", "height"):
            axis = "x" if name == "width" else "y"
            return _numbers(self._of_instances(f"{axis}1")) - _numbers(self._of_instances(f"{axis}0"))
        return _numbers(self._of_instances(name))

    def _of_file(self, subject: Property) -> Column:
        name = subject.name
        if name in ("path", "media_type"):
            return _each(self._of_files(name).to_pylist())
        if name == "split":
            return _each([splits or None for splits in self._of_files("splits").to_pylist()])
        if name in ("file_id", "blob"):
            return _hexadecimal(self._of_files(name))
        if name == "complete":
            return Values((numbers(self._of_files("complete")) > 0).astype(np.int64), _TRUTHS)
        if name == "stale":
            return Values(np.array([self._facts.is_stale(row) for row in self._rows()], np.int64), _TRUTHS)
        if name in _SIDES:
            return self._sides(*_SIDES[name])
        if name in _NUMBERS:
            return _numbers(self._of_files(_NUMBERS[name]))
        found = self._looked_up(subject, self._of_files("properties").to_pylist())
        return found if name == "property" else self._captured(_moments(found))

    def _sides(self, side: str, said: str) -> Floats:
        """A side of the pictures: the real one where it is known, else what was said of it, else NaN."""
        real = self._of_pictures(side)
        return np.where(real > 0, real, _numbers(self._of_files(said)))

    def _captured(self, said: Floats) -> Floats:
        """When pictures were taken: what a source said, else what EXIF says, else NaN."""
        found = self._of_pictures("captured")
        return np.where(np.isnan(said) & (found != 0), found, said)

    def _of_pictures(self, fact: str) -> Floats:
        """One of the facts of pictures; 0 where it is not known."""
        if self._facts.pictures is None:
            return np.zeros(self.file_count)
        facts, known = self._facts.pictures.known(fixed(self._of_files("blob")))
        return np.where(known & numbers(self._of_files("picture")), facts[fact].astype(np.float64), 0.0)

    def _looked_up(self, subject: Property, texts: list[str]) -> Values:
        """What each of many JSON objects has; equal ones are looked into once."""
        if subject.name == "captured_at":
            subject = Property("property", "any", of_instances=False, path=("captured_at",))
        places: dict[str, int] = {}
        positions = np.array([places.setdefault(text, len(places)) for text in texts], np.int64)
        return Values(positions, [self._facts.lookup(subject, text) for text in places])


def _numbers(column: Any) -> NDArray[np.float64]:
    return numbers(column).astype(np.float64, copy=False)


def _each(values: list[Any]) -> Values:
    """A column in which every row has a value of its own."""
    return Values(np.arange(len(values)), values)


def _hexadecimal(column: Any) -> Values:
    return _each([value.hex() for value in column.to_pylist()])


def _moments(column: Values) -> Floats:
    """A column of texts as seconds, NaN for what is no date."""
    found = [seconds_of(value) if isinstance(value, str) else None for value in column.values]
    seconds = np.array([np.nan if one is None else one for one in found] + [np.nan], np.float64)
    return seconds[column.positions]
