"""`validate`: what is wrong with the annotation of states, by rules with codes (`tdvc.model.rules`).

States are gone through page by page over their columns, so memory is bounded and what is cached is not computed again.
Every hit is counted; only as many as asked for are put into words. Where only what changed since another state is
wanted, the columns of the changed files alone are made, so time follows the change; rules that need to see all files
are left out then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tdvc.columns.arrays import fixed, numbers
from tdvc.columns.store import ColumnStore
from tdvc.errors import Usage
from tdvc.ids import ObjectId
from tdvc.model.media import promises_picture
from tdvc.model.rules import RULES
from tdvc.ops.pictures import Pictures, blob_array
from tdvc.ops.progress import Progress, silent
from tdvc.ops.querying import matching_where
from tdvc.ops.validating_files import Sets, Tracks, marks, missing, pictures, shared
from tdvc.ops.validating_instances import Answers, identical, labels, outside, shapes
from tdvc.ops.validating_page import Check, Hits, Page
from tdvc.query.parser import Query, parse
from tdvc.repo.config import Config, Validation, read_config
from tdvc.repo.directory import Directory
from tdvc.repo.repository import Repository
from tdvc.tables.page import Row
from tdvc.tables.rowdiff import diff_rows

MAX_FINDINGS = 1000
_OF_PICTURES = ("picture-unreadable", "size-differs", "exif-rotated")
_OF_SIZES = ("outside-picture", "mask-size", "far-edge", "counted-from-one")
_WORST_FIRST = ("error", "warning", "hint")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        rule: a key of `RULES`.
        severity: `error`, `warning` or `hint`, as the repository has it.
        directory: of which state, as it was asked for.
        path: the file; empty where it is about all of them.
        instance_id: the instance, 32 hexadecimal digits; empty where it is about the file.
        label: the instance's label.
        value: what is there.
        expected: what should be there.
        fix: what `--fix` does about it; empty where it leaves it.
        picture: width and height of what the instance was drawn on, px; None where that is not known.
    """

    rule: str
    severity: str
    directory: str
    path: str = ""
    instance_id: str = ""
    label: str = ""
    value: str = ""
    expected: str = ""
    fix: str = ""
    picture: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Repair:
    """One change that `--fix` made, or would make; geometries as JSON, `after` empty where the instance went."""

    path: str
    instance_id: str
    label: str
    rule: str
    before: str
    after: str = ""


@dataclass(slots=True)
class ValidateResult:
    """What was found.

    Attributes:
        revisions: the states, as they were asked for.
        files: files that were checked.
        instances: instances that were checked.
        errors: findings of that severity, listed or not.
        warnings: the same.
        hints: the same.
        counts: findings by rule, for the rules that found something.
        findings: the worst first, as many as were asked for.
        repairs: what `--fix` changed.
        operation: the operation that changed it; None where nothing was.
    """

    revisions: tuple[str, ...]
    files: int = 0
    instances: int = 0
    errors: int = 0
    warnings: int = 0
    hints: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)
    operation: ObjectId | None = None


def validate(
    repository: Repository,
    revisions: Sequence[str] = (),
    *,
    rules: Sequence[str] = (),
    limit: int = MAX_FINDINGS,
    since: str | None = None,
    where: str | None = None,
    deep: bool = False,
    progress: Progress = silent,
) -> ValidateResult:
    """Validate states, by default the current directory's. With several, files in more than one of them are leaks.

    Args:
        repository: the repository.
        revisions: states.
        rules: only these; all where none is named.
        limit: how many findings are listed. All are counted.
        since: only files that differ from this state.
        where: only files that a query means.
        deep: decode pictures in full, not their headers alone.
        progress: told how far it is.

    Raises:
        NotFound: unknown-revision.
        Usage: bad-usage, for an unknown rule; bad-query.
        FormatError: bad-config.
        Corruption: a page of a state is missing or damaged.
    """
    names = tuple(revisions) or (repository.view.current,)
    states = [repository[name] for name in names]
    base = repository[since] if since is not None else None
    settings = chosen(read_config(repository.storage), rules)
    query = parse(where) if where is not None else None
    return validate_states(
        repository, states, settings, limit=limit, base=base, query=query, deep=deep, progress=progress
    )


def chosen(config: Config, rules: Sequence[str]) -> Validation:
    """The settings, with all rules off but those that are named."""
    if unknown := [code for code in rules if code not in RULES]:
        raise Usage("bad-usage", f"There is no rule {unknown[0]!r}.", hint="tdvc config list", rule=unknown[0])
    settings = config.validate
    if not rules:
        return settings
    severities = {code: settings.severity(code) for code in RULES}
    on = {code: RULES[code].severity if severities[code] == "off" else severities[code] for code in rules}
    return replace(settings, rules={code: on.get(code, "off") for code in RULES})


def validate_states(
    repository: Repository,
    states: Sequence[Directory],
    settings: Validation,
    *,
    limit: int = MAX_FINDINGS,
    base: Directory | None = None,
    query: Query | None = None,
    deep: bool = False,
    progress: Progress = silent,
) -> ValidateResult:
    """Validate states that are at hand; see `validate`."""
    run = _Run(repository, settings, ValidateResult(tuple(state.title for state in states)), limit, deep, progress)
    noted = [run.check(state, base, query) for state in states]
    if base is None and query is None:
        for position, state in enumerate(states):
            run.check_set(state, noted[position])
            for before in range(position):
                run.check_leaks(states[before], noted[before], state, noted[position])
    return run.ended()


class _Run:
    """One validation on its way."""

    def __init__(
        self,
        repository: Repository,
        settings: Validation,
        result: ValidateResult,
        limit: int,
        deep: bool,
        progress: Progress,
    ) -> None:
        self._repository = repository
        self._settings = settings
        self._result = result
        self._limit = limit
        self._deep = deep
        self._progress = progress
        self._pictures = Pictures(repository)
        self._listed: dict[str, list[Finding]] = {code: [] for code in RULES}

    def _wants(self, *rules: str) -> bool:
        return any(self._settings.severity(rule) != "off" for rule in rules)

    def check(self, state: Directory, base: Directory | None, query: Query | None) -> Sets:
        """Check the files of a state that differ from `base` and that a query means; returns notes on all of it."""
        checks = self._checks(state)
        notes = Sets()
        some = self._some(state, base, query)
        for page in self._pages(state, some):
            self._result.files += page.columns.files.num_rows
            self._result.instances += page.columns.instances.num_rows
            for check in checks:
                for hits in check(page):
                    self._take(state, page, hits)
            if some is None:
                notes.note(page)
        return notes

    def _checks(self, state: Directory) -> list[Check]:
        checks: list[Check] = [shapes, outside, labels, identical, Answers(state.schema), Tracks(), marks]
        if self._wants(*_OF_PICTURES):
            checks.append(pictures)
        if self._wants("picture-missing"):
            checks.append(missing(state.objects))
        return checks

    def _some(self, state: Directory, base: Directory | None, query: Query | None) -> list[Row] | None:
        """The rows that are wanted where not all are: those that differ from `base`, and that a query means."""
        changed: list[Row] | None = None
        if base is not None:
            changed = [after for _, _, after in diff_rows(base.table, state.table) if after is not None]
        if query is None:
            return changed
        fitting = matching_where(self._repository, state, query, progress=self._progress)
        rows = [(entry.path.encode(), *entry.state) for entry in fitting]
        if changed is None:
            return rows
        keys = {row[0] for row in changed}
        return [row for row in rows if row[0] in keys]

    def _pages(self, state: Directory, some: list[Row] | None) -> Iterator[Page]:
        columns = ColumnStore(self._repository).of(state)
        if self._wants(*_OF_PICTURES, *_OF_SIZES):
            rows = _rows(state) if some is None else some
            blobs = blob_array(row[2] for row in rows if promises_picture(row[0].decode(), row[8].decode()))
            self._pictures.learn(blobs, deep=self._deep, watcher=self._progress)
        schema = state.schema
        for found in columns.pages(self._progress) if some is None else columns.of_rows(some):
            facts, known = self._pictures.known(fixed(found.files.column("blob")))
            known &= numbers(found.files.column("picture"))  # other files may have the same bytes
            yield Page(found, schema, self._settings, facts, known)

    def _take(self, state: Directory, page: Page, hits: Hits) -> None:
        """Count what a rule found, and put some of it into words."""
        room = self._count(hits.rule, len(hits.rows))
        severity = self._severity(hits.rule)
        for row in hits.rows[:room].tolist():
            file = row if hits.of_files else int(page.file[row])
            finding = Finding(hits.rule, severity, state.title, page.path(file))
            finding = replace(finding, value=hits.value(row), expected=hits.expected(row), fix=hits.fix(row))
            if not hits.of_files:
                label, picture = page.text("label", row), page.frame(file)
                finding = replace(finding, instance_id=page.instance_id(row), label=label, picture=picture)
            self._list(finding)

    def _count(self, rule: str, found: int) -> int:
        """Count findings of a rule; returns how many of them can still be listed."""
        severity = self._severity(rule)
        if severity == "off" or not found:
            return 0
        self._result.counts[rule] = self._result.counts.get(rule, 0) + found
        return max(0, self._limit - len(self._listed[rule]))

    def _severity(self, rule: str) -> str:
        return self._settings.severity(rule)

    def _list(self, finding: Finding) -> None:
        self._listed[finding.rule].append(finding)

    # what only shows over all files

    def check_set(self, state: Directory, notes: Sets) -> None:
        """Check a state as a whole."""
        self._pairs(state, notes, "labels-disagree", notes.disagreeing(), "other labels than {}", "the same labels")
        self._pairs(state, notes, "split-leak", notes.leaking(), "in another split as {}", "one split")
        total = sum(notes.label_counts.values())
        least = total * self._settings.imbalance_percent / 100
        rare = sorted((count, label) for label, count in notes.label_counts.items() if count < least)
        for count, label in rare[: self._count("imbalance", len(rare))]:
            value, expected = f"{count:,} of {total:,} instances", f"at least {self._settings.imbalance_percent:g} %"
            severity = self._severity("imbalance")
            self._list(Finding("imbalance", severity, state.title, label=label, value=value, expected=expected))
        if notes.counted_from_one and self._count("counted-from-one", 1):
            begin, end = notes.edges
            value = f"{begin:,} boxes begin at 1, none before; {end:,} end at the far edge"
            severity = self._severity("counted-from-one")
            self._list(Finding("counted-from-one", severity, state.title, value=value, expected="pixel edges, from 0"))

    def _pairs(
        self, state: Directory, notes: Sets, rule: str, pairs: Iterable[tuple[int, int]], value: str, expected: str
    ) -> None:
        found = list(pairs) if self._wants(rule) else []
        for file, other in found[: self._count(rule, len(found))]:
            said = value.format(notes.path(other)) if file != other else "in two splits"
            severity = self._severity(rule)
            self._list(Finding(rule, severity, state.title, notes.path(file), value=said, expected=expected))

    def check_leaks(self, before: Directory, old: Sets, state: Directory, notes: Sets) -> None:
        """Check that two directories have no file and no bytes in common."""
        if before.name == state.name or not self._wants("split-leak"):
            return
        found = np.union1d(shared(old, notes, "file_id"), shared(old, notes, "blob"))
        severity, value = self._severity("split-leak"), f"in {before.title} as well"
        for file in found[: self._count("split-leak", len(found))].tolist():
            path = notes.path(file)
            self._list(Finding("split-leak", severity, state.title, path, value=value, expected="one of them"))

    def ended(self) -> ValidateResult:
        """The result, with the worst first; of every rule there is at least one finding, if they all have room."""
        result = self._result
        for rule, count in result.counts.items():
            name = f"{self._severity(rule)}s"
            setattr(result, name, getattr(result, name) + count)
        result.counts = {code: result.counts[code] for code in RULES if code in result.counts}
        firsts = [found[0] for found in self._listed.values() if found]
        others = [finding for found in self._listed.values() for finding in found[1:]]
        firsts.sort(key=_badness)
        others.sort(key=_badness)
        result.findings = sorted([*firsts, *others][: self._limit], key=_badness)
        return result


def _badness(finding: Finding) -> int:
    return _WORST_FIRST.index(finding.severity)


def _rows(state: Directory) -> Iterator[Row]:
    return (row for page in state.table.leaves() for row in page.rows())
