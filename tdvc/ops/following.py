"""Dynamic directories: what a rule means is found in the living data, and the directory made to hold just that.

A directory with a rule holds files of its source under the paths that they have there, as mirrors. Whenever its state
is asked for it is brought up to date first (`look`): in an operation of its own, which undo passes over, or, where
others are publishing just now, for the one who asks alone. Where only rows of the source changed since the rule was
last answered, only those are asked: their instances are read, nothing else is. A limit, another schema, another state
that the query names, or a query that says `now` ask the whole source again, over the cached columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from tdvc.errors import Conflict, Corruption, Locked, NotFound, Usage
from tdvc.ids import FileId, ObjectId
from tdvc.ops.keepingup import others_of, rule_of
from tdvc.ops.querying import Matcher
from tdvc.query.parser import parse, parse_order
from tdvc.query.ranking import First, values_at
from tdvc.query.tree import Member, Property
from tdvc.repo.commit import utc_now
from tdvc.repo.directory import Directory, counts_of
from tdvc.repo.entry import FILES
from tdvc.repo.living import files_of
from tdvc.repo.repository import Repository
from tdvc.repo.rule import Rule, Seen, circular, directory_of
from tdvc.repo.transaction import Transaction
from tdvc.repo.view import DirectoryRef, read_operation
from tdvc.tables.rowdiff import RowChange, diff_rows
from tdvc.tables.tree import Table

_TRIES = 5
_ROWS_TOGETHER = 4096
_MANY = 8  # where more than one row in so many changed, whole pages are asked, whose columns are kept

_END: tuple[bytes, FileId | None] = (b"\xff", None)  # after every path: no UTF-8 begins like this

Change = tuple[bytes, FileId | None, FileId | None]
"""A path, the file that is to be there and the one that was; None for none."""


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What became of a dynamic directory.

    Attributes:
        directory: its name.
        files: how many it holds now.
        gained: files that came in.
        lost: files that left.
        operation: None where it was up to date.
    """

    directory: str
    files: int
    gained: int = 0
    lost: int = 0
    operation: ObjectId | None = None


def checked_rule(source: str, where: str, order: str = "", limit: int | None = None) -> Rule:
    """A rule that makes sense.

    Raises:
        Usage: bad-query; bad-usage, for an order without a limit or a limit below 1.
    """
    try:
        (where + order).encode()
    except UnicodeEncodeError as error:
        raise Usage("bad-query", "The query holds a character that is no text.") from error
    parse(where)
    if limit is not None and limit < 1:
        raise Usage("bad-usage", f"A limit is at least 1, not {limit}.")
    if parse_order(order) and limit is None:
        raise Usage("bad-usage", "An order says which files come first, and makes sense with a limit only.")
    return Rule(source, where, order.strip(), limit)


def refresh(repository: Repository, name: str) -> RefreshResult:
    """Bring a dynamic directory up to date.

    Raises:
        NotFound: directory-not-found; the directory it follows, or a name in its query, may be gone.
        Refused: rule-circular.
        Conflict: changed-meanwhile, where others kept publishing.
        Corruption: a page, or instances that the query asks about, are missing or damaged.
    """
    why = f"directory refresh {name}"
    return _tried(repository, lambda: _follow(repository, name, rule_of(repository, name), why, follows=True))


def look(repository: Repository, name: str) -> DirectoryRef:
    """What a dynamic directory holds as its repository shows its source; published where that can be done at once.

    Who only reads waits for nobody. Where others are publishing, or published meanwhile, what was found is the answer
    for this moment all the same, and somebody else will write it down. A repository that stays at one moment stays.
    """
    moment = repository.moment()
    edit = repository.transaction(f"directory refresh {name}", follows=True)
    try:
        follow(repository, edit, name, rule_of(repository, name))
        operation = edit.publish(timeout_seconds=0.0)
        if operation is not None and read_operation(repository.objects, operation).parent != moment:
            repository.move_on(moment)
    except (Conflict, Locked, NotFound):
        if edit.applied is None:
            raise
    finally:
        edit.writer.discard()
    return (edit.applied or repository.view).directories[name]


def follow_other(repository: Repository, name: str, other: Callable[[Rule], Rule]) -> RefreshResult:
    """Give a dynamic directory another rule, and make it hold what that means; for the errors see `refresh`.

    Args:
        repository: the repository.
        name: the directory.
        other: makes the new rule of the one that there is.
    """

    def work() -> RefreshResult:
        rule = other(rule_of(repository, name))
        _refuse_circle(repository, name, rule)
        return _follow(repository, name, rule, f"directory rule {name} {rule.text}", follows=False)

    return _tried(repository, work)


def _tried(repository: Repository, work: Callable[[], RefreshResult]) -> RefreshResult:
    """Do something, again where others published meanwhile: what follows from the data follows from the newer data."""
    for _ in range(_TRIES - 1):
        try:
            return work()
        except (Conflict, NotFound) as error:
            if error.code not in ("changed-meanwhile", "file-not-found"):
                raise
            repository.move_on(repository.head())
    return work()


def _refuse_circle(repository: Repository, name: str, rule: Rule) -> None:
    """Raise Refused (rule-circular) where a rule would ask, by way of others, for the directory that it is of."""
    view = repository.view
    asked: set[str] = set()
    waiting = [rule]
    while waiting:
        one = waiting.pop()
        named = {one.source, *(directory_of(member.name) for member in parse(one.where).members)}
        if name in named:
            raise circular(name)
        dynamic = {other for other in named - asked if other in view.directories and view.directories[other].rule}
        asked |= dynamic
        waiting += [rule_of(repository, other) for other in dynamic]


def _follow(repository: Repository, name: str, rule: Rule, why: str, *, follows: bool) -> RefreshResult:
    others_of(repository, rule)
    with repository.transaction(why, follows=follows) as edit:
        gained, lost = follow(repository, edit, name, rule)
    table = files_of(repository.objects, repository.view.directories[name])
    return RefreshResult(name, counts_of(table).files, gained, lost, edit.operation)


def follow(repository: Repository, edit: Transaction, name: str, rule: Rule) -> tuple[int, int]:
    """Note what a directory is to hold by a rule; returns how many files come in and how many leave.

    Args:
        repository: the repository.
        edit: where it is noted.
        name: the directory, which may be one that this transaction creates.
        rule: what it follows; one that was answered before is only asked for what changed.
    """
    answer = _Answer(repository, rule)
    ref = edit.view.directories.get(name)
    held = files_of(repository.objects, ref) if ref is not None else None
    gained = lost = 0
    for path, identity, before in _changes(held, answer):
        if identity is None:
            edit.take_out(name, path.decode())
        else:
            edit.place(name, path.decode(), identity)
        gained += identity is not None
        lost += before is not None
    edit.set_rule(name, answer.answered)
    edit.follow_schema_of(name, rule.source)
    return gained, lost


def _changes(held: Table | None, answer: _Answer) -> Iterator[Change]:
    """What has to change for a directory to hold what is the answer."""
    if held is None:
        yield from ((path, identity, None) for path, identity in answer.members())
        return
    changed = answer.changed()
    if changed is None:
        yield from _differing(held, answer.members())
        return
    while batch := list(islice(changed, _ROWS_TOGETHER)):
        rows = held.get_many(path for path, _ in batch)
        for path, identity in batch:
            before = rows[path][1] if path in rows else None
            if before != identity:
                yield path, identity, before


def _differing(held: Table, members: Iterator[tuple[bytes, FileId]]) -> Iterator[Change]:
    """Where a table and members, both in path order, differ."""
    before = ((row[0], row[1]) for row in held.scan())
    old, new = next(before, _END), next(members, _END)
    while (path := min(old[0], new[0])) != _END[0]:
        was = old[1] if old[0] == path else None
        becomes = new[1] if new[0] == path else None
        if was != becomes:
            yield path, becomes, was
        old = next(before, _END) if old[0] == path else old
        new = next(members, _END) if new[0] == path else new


def _state(repository: Repository, member: Member) -> Directory:
    return repository.directory(member.name) if member.function == "in_directory" else repository[member.name]


class _Answer:
    """The answer to a rule as the repository is now.

    Attributes:
        answered: the rule, with what this answers for.
    """

    def __init__(self, repository: Repository, rule: Rule) -> None:
        self._repository = repository
        self._rule = rule
        self._query = parse(rule.where)
        self._source = repository.directory(rule.source)
        self._now = time.time()
        seen = Seen(
            root=self._source.root,
            schema=self._source.schema_id,
            others={one.name: _state(repository, one).root for one in self._query.members},
            time=utc_now() if self._query.moves else None,
        )
        self.answered = Rule(rule.source, rule.where, rule.order, rule.limit, seen)

    def members(self) -> Iterator[tuple[bytes, FileId]]:
        """Path and file of every member, in path order."""
        if self._rule.limit is not None:
            yield from self._first(self._rule.limit)
            return
        for identity, positions in self._matcher().pages():
            if len(positions):
                page = self._source.table.page(identity)
                keys, identities = page.keys, page.column(1)
                yield from ((keys[position], identities[position]) for position in positions.tolist())

    def _first(self, limit: int) -> Iterator[tuple[bytes, FileId]]:
        orders = parse_order(self._rule.order)
        first: First[tuple[bytes, FileId]] = First(orders, limit)
        for identity, positions, columns in self._matcher(tuple(one.subject for one in orders)).pages_with():
            if not len(positions):
                continue
            page = self._source.table.page(identity)
            keys, identities = page.keys, page.column(1)
            found = [values_at(column, positions) for column in columns]
            for number, position in enumerate(positions.tolist()):
                first.put((keys[position], identities[position]), [values[number] for values in found])
        yield from sorted(first.items())

    def changed(self) -> Iterator[tuple[bytes, FileId | None]] | None:
        """The members at every path of the source that changed since the rule was answered; None for all."""
        seen, now = self._rule.seen, self.answered.seen
        if seen is None or now is None or self._rule.limit is not None or self._query.moves:
            return None
        if (seen.schema, dict(seen.others)) != (now.schema, dict(now.others)):
            return None
        before, after = Table(self._repository.objects, FILES, seen.root), self._source.table
        few = max(counts_of(after).files // _MANY, _ROWS_TOGETHER)
        try:
            count = sum(1 for _ in islice(diff_rows(before, after), few + 1))
        except Corruption:
            return (
                None  # nothing needs the table that was seen, so it may be gone; where `after` is damaged, we shall see
            )
        return self._asked(diff_rows(before, after)) if count <= few else None

    def _asked(self, changes: Iterator[RowChange]) -> Iterator[tuple[bytes, FileId | None]]:
        matcher = self._matcher()
        while batch := list(islice(changes, _ROWS_TOGETHER)):
            there = [row for _, _, row in batch if row is not None]
            fits = matcher.rows(there).tolist()
            members = {row[0]: row[1] for row, fit in zip(there, fits, strict=True) if fit}
            yield from ((path, members.get(path)) for path, _, _ in batch)

    def _matcher(self, beside: tuple[Property, ...] = ()) -> Matcher:
        return Matcher(self._repository, self._source, self._query, now=self._now, beside=beside)
