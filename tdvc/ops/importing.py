"""`import`: pictures and annotation of some tool's format into a directory.

For every picture that the source describes, the instances that came from an import are replaced by what the source says
now; instances that people or models made in tdvc stay. Ids are derived from the source records, so importing the same
source again changes nothing. The result carries the sum: what the source holds is what the directory got, plus a list.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from tdvc.errors import NotFound
from tdvc.formats import detect_format, format_named, tdvc_jsonl
from tdvc.formats.base import FileRecord, Format, Reconciliation
from tdvc.ids import NO_ID, ObjectId
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import Instance, revise
from tdvc.names import check_path, path_problem, printable
from tdvc.ops.intake import Arrived, Arriving, take_in
from tdvc.ops.progress import Progress, silent
from tdvc.repo.directory import Directory, read_instances
from tdvc.repo.entry import FileState, state_of
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.storage.folder import look
from tdvc.tables.page import Row

_BATCH = 512
IMPORTED = "import"


@dataclass(slots=True)
class ImportResult:
    """What an import did.

    Attributes:
        directory: where to.
        format: the name of the format.
        sentence: the sum in one line: in = out + left out.
        added_files: paths that are new.
        replaced_files: paths whose bytes changed.
        unchanged_files: files of the source after which nothing is different.
        annotated_files: files whose instances are others now.
        added_instances: instances that are new.
        changed_instances: instances that differ from before.
        removed_instances: imported instances that the source does not have any more.
        labels: every label that came in.
        new_blob_bytes: bytes that the store did not have.
        problems: what was left out, and what looks odd.
        operation: None where nothing changed.
    """

    directory: str
    format: str
    sentence: str = ""
    added_files: int = 0
    replaced_files: int = 0
    unchanged_files: int = 0
    annotated_files: int = 0
    added_instances: int = 0
    changed_instances: int = 0
    removed_instances: int = 0
    labels: list[str] = field(default_factory=list)
    new_blob_bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    operation: ObjectId | None = None


def import_(
    repository: Repository,
    source: Path,
    directory: str | None = None,
    *,
    format: str | None = None,  # noqa: A002 (the field's word, and the option's)
    at: str = "",
    progress: Progress = silent,
) -> ImportResult:
    """Import a source into a directory.

    Args:
        repository: the repository.
        source: a folder or file of the format; nothing is ever written there.
        directory: the current one where None.
        format: the name of the format; found out where None.
        at: a prefix put before every path.
        progress: told how far it is.

    Raises:
        NotFound: source-not-found, directory-not-found.
        FormatError: format-unknown, bad-format-file.
        Usage: bad-path.
    """
    source = Path(source)
    if not source.exists():
        raise NotFound("source-not-found", f"{str(source)!r} does not exist.", path=str(source))
    target = repository.directory(directory)
    chosen = format_named(format) if format else detect_format(source)
    result = ImportResult(target.name, chosen.NAME)
    prefix = check_path(at.rstrip("/")) + "/" if at else ""
    title = f"import {printable(source.name)} -d {target.name} --format {chosen.NAME}"
    with repository.transaction(title) as edit:
        run = _Import(edit, target, chosen, prefix, result, progress)
        run.take(source)
        result.operation = edit.publish()
        result.new_blob_bytes = edit.writer.new_blob_bytes
    return result


class _Import:
    """One import on its way, a batch of records at a time."""

    def __init__(
        self,
        edit: Transaction,
        target: Directory,
        chosen: Format,
        prefix: str,
        result: ImportResult,
        progress: Progress,
    ) -> None:
        self._edit = edit
        self._target = target
        self._format = chosen
        self._prefix = prefix
        self._result = result
        self._progress = progress
        self._sum = Reconciliation()
        self._seen = 0

    def take(self, source: Path) -> None:
        """Read the whole source."""
        records = self._sum.read(self._format, source)
        while batch := list(islice(records, _BATCH)):
            self._progress("importing", self._seen, None)
            self._seen += len(batch)
            self._take_batch(batch)
        self._result.problems = self._sum.problems
        self._result.labels = sorted(self._sum.labels)
        self._result.sentence = self._sum.sentence()

    def _take_batch(self, batch: Sequence[FileRecord]) -> None:
        by_path = {self._prefix + record.path: record for record in batch if self._fits(record)}
        present = self._target.table.get_many(path.encode() for path in by_path)
        places = list(self._places(by_path, present))
        met: list[Problem] = []
        arrived = {file.path: file for file in take_in(self._edit.writer, places, met.append, silent)}
        lost = {problem.place: problem for problem in met}
        for path, record in by_path.items():
            self._report(lost.get(printable(path)), record, path in arrived)
        new = [(path, arrived[path].blob) for path in by_path if path in arrived and path.encode() not in present]
        identities = dict(zip((path for path, _ in new), self._edit.fresh_ids(self._target.name, new), strict=True))
        for path, record in by_path.items():
            row = present.get(path.encode())
            file = arrived.get(path)
            if row is not None:
                self._update(record, state_of(row), file)
            elif file is not None:
                state = FileState(identities[path], file.blob, file.found.size_bytes, media_type=file.media_type)
                self._result.added_files += 1
                self._edit.put(self._target.name, path, self._annotated(record, state))
                self._sum.stored(record)

    def _fits(self, record: FileRecord) -> bool:
        problem = path_problem(self._prefix + record.path)
        if problem:
            self._drop("unsafe-path", record, f"The path {problem}.")
        return problem is None

    def _places(self, by_path: dict[str, FileRecord], present: dict[bytes, Row]) -> Iterator[Arriving]:
        for path, record in by_path.items():
            try:
                found = look(str(record.source)) if record.source is not None else None
            except OSError:
                found = None
            if found is not None:
                yield Arriving(path, str(record.source), found)
            elif path.encode() not in present:
                self._drop("picture-missing", record, "Neither the source nor the directory has the picture.")

    def _report(self, problem: Problem | None, record: FileRecord, arrived: bool) -> None:
        if problem is None:
            return
        if not arrived:
            self._drop(problem.code, record, problem.message)
        else:
            self._sum.report(problem)

    def _drop(self, code: str, record: FileRecord, message: str) -> None:
        count = len(record.instances)
        self._sum.report(
            Problem(code, printable(record.path), message, dropped_files=1, dropped_instances=count),
        )

    def _update(self, record: FileRecord, before: FileState, file: Arrived | None) -> None:
        if record.source is not None and file is None:
            return  # reported as lost by now
        state = before
        if file is not None and file.blob != before.blob:
            size = file.found.size_bytes
            state = state._replace(blob=file.blob, size_bytes=size, media_type=file.media_type)
            self._result.replaced_files += 1
        state = self._annotated(record, state)
        if state == before:
            self._result.unchanged_files += 1
        else:
            self._edit.set_state(state)
        self._sum.stored(record)

    def _annotated(self, record: FileRecord, state: FileState) -> FileState:
        """The state with the annotation that the record carries, if it carries any."""
        if not (record.instances or record.properties or record.complete is not None):
            return state
        before = read_instances(self._edit.writer, state)
        revision = revise(before, self._merged(record, before))
        if revision:
            self._result.annotated_files += 1
            self._result.added_instances += revision.added
            self._result.changed_instances += revision.changed
            self._result.removed_instances += revision.removed
            identity, count = self._edit.write_instances(revision.instances)
            state = state._replace(instances=identity, instance_count=count)
        if record.complete is not None and record.complete != bool(state.complete):
            schema = self._edit.schema_id() if record.complete else NO_ID
            state = state._replace(complete=int(record.complete), completeness_schema=schema)
        properties = numbers.spell(record.properties) if record.properties else state.properties
        if state.properties and numbers.same_value(properties, state.properties):
            return state
        return state._replace(properties=properties)

    def _merged(self, record: FileRecord, before: Sequence[Instance]) -> list[Instance]:
        """What the source says now, and what was made in tdvc."""
        if self._format.NAME == tdvc_jsonl.NAME:
            return record.instances
        imported = [
            instance if instance.source else msgspec.structs.replace(instance, source=IMPORTED)
            for instance in record.instances
        ]
        taken = {instance.instance_id for instance in imported}
        made_here = [i for i in before if i.source != IMPORTED and i.instance_id not in taken]
        return imported + made_here
