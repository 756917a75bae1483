"""`import`: pictures and annotation of some tool's format into a directory.

For every picture that the source describes, the instances that came from an import are replaced by what the source says
now; instances that people made in tdvc stay, and so do those of other model runs than the source is about: predictions
never overwrite ground truth. An instance is known again by its id, or where the format has none, by saying the same: so
importing the same source, or what tdvc itself exported, changes nothing. The result carries the sum: what the source
holds is what the directory got, plus a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import FormatError, NotFound, Refused, Usage
from tdvc.formats import detect_format, format_named
from tdvc.formats.base import FileRecord, Format, ReadOptions, Reconciliation
from tdvc.ids import NO_ID, ObjectId
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import Instance
from tdvc.names import check_path, printable, stored_path_problem
from tdvc.ops.cycles import no_collecting
from tdvc.ops.incoming import Incoming, Outcome, Selection, Waiting
from tdvc.ops.intake import Arrived, Arriving, take_bytes, take_in
from tdvc.ops.mapping import FieldMap
from tdvc.ops.progress import Progress, silent
from tdvc.ops.recognising import KnownFiles
from tdvc.repo.directory import Directory
from tdvc.repo.entry import FileState, state_of
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.storage.folder import look
from tdvc.tables.page import Row
from tdvc.workers import work_through

_BATCH = 16384
_BATCH_BYTES = 64 << 20
_BATCH_INSTANCES = 100_000
_PREVIEWED = 5


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What the user says of an import.

    Attributes:
        images: where the pictures are, if not where the format has them.
        relative: coordinates are fractions of the picture's size; None to go by the format.
        mapping: what labels, attributes and columns are called here.
        min_score: leave out instances with a lower score; those without one stay.
        top: keep the best so many instances of a file by score.
        overwrite: take the source's word for imported instances that were corrected here since.
        strict: import nothing if anything would be left out or could not be read.
        dry_run: import nothing; show the first records as they would land.
    """

    images: Path | None = None
    relative: bool | None = None
    mapping: FieldMap = field(default_factory=FieldMap)
    min_score: float | None = None
    top: int | None = None
    overwrite: bool = False
    strict: bool = False
    dry_run: bool = False


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
        kept_instances: instances that were corrected here since they were imported, and stay as they are.
        labels: every label that came in.
        new_blob_bytes: bytes that the store did not have.
        preview: the first records as they would land, with `dry_run`.
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
    kept_instances: int = 0
    labels: list[str] = field(default_factory=list)
    new_blob_bytes: int = 0
    preview: list[tuple[str, list[Instance]]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    operation: ObjectId | None = None


def import_(
    repository: Repository,
    source: Path,
    directory: str | None = None,
    *,
    format: str | None = None,  # noqa: A002 (the field's word, and the option's)
    at: str = "",
    options: ImportOptions | None = None,
    progress: Progress = silent,
) -> ImportResult:
    """Import a source into a directory.

    Args:
        repository: the repository.
        source: a folder or file of the format; nothing is ever written there.
        directory: the current one where None.
        format: the name of the format; found out where None.
        at: a prefix put before every path.
        options: what else the user says.
        progress: told how far it is.

    Raises:
        NotFound: source-not-found, directory-not-found.
        FormatError: format-unknown, bad-format-file.
        Refused: loss-refused, with `strict`.
        SchemaError: schema-locked, with the file and the label.
        Usage: bad-path, bad-usage.
    """
    source = Path(source)
    options = options or ImportOptions()
    if not source.exists():
        raise NotFound("source-not-found", f"{str(source)!r} does not exist.", path=str(source))
    if not (source.is_dir() or source.is_file()):
        message = f"{printable(str(source))!r} is a pipe, socket or device, which is never opened."
        raise FormatError("bad-format-file", message, source=str(source))
    if options.images is not None and not options.images.is_dir():
        raise NotFound("source-not-found", f"{str(options.images)!r} is not a folder.", path=str(options.images))
    if options.top is not None and options.top < 1:
        raise Usage("bad-usage", "--top must be at least 1.")
    target = repository.directory(directory)
    chosen = format_named(format) if format else detect_format(source)
    result = ImportResult(target.name, chosen.NAME)
    prefix = check_path(at.rstrip("/")) + "/" if at else ""
    title = f"import {printable(source.name)} -d {target.name} --format {chosen.NAME}"
    with no_collecting(), repository.transaction(title) as edit:
        _Import(edit, target, chosen, prefix, options, result, progress).take(source)
        result.new_blob_bytes = edit.writer.new_blob_bytes
        if options.strict:
            _refuse_losses(result)
        if options.dry_run:
            edit.discard()
        else:
            result.operation = edit.publish()
    return result


def _refuse_losses(result: ImportResult) -> None:
    losses = [p for p in result.problems if p.severity == "error" or p.dropped_files or p.dropped_instances]
    if losses:
        first = losses[0]
        raise Refused(
            "loss-refused",
            f"{result.sentence}; nothing was imported. First: {first.place}: {first.message}",
            problems=len(losses),
        )


def _batches(records: Iterator[FileRecord]) -> Iterator[list[FileRecord]]:
    """Records in batches that are bounded in number and in the bytes and instances they carry."""
    batch: list[FileRecord] = []
    carried = instances = 0
    for record in records:
        batch.append(record)
        carried += len(record.content or b"")
        instances += len(record.instances)
        if len(batch) >= _BATCH or carried >= _BATCH_BYTES or instances >= _BATCH_INSTANCES:
            yield batch
            batch, carried, instances = [], 0, 0
    if batch:
        yield batch


class _Import:
    """One import on its way, a batch of records at a time."""

    def __init__(
        self,
        edit: Transaction,
        target: Directory,
        chosen: Format,
        prefix: str,
        options: ImportOptions,
        result: ImportResult,
        progress: Progress,
    ) -> None:
        self._edit = edit
        self._target = target
        self._format = chosen
        self._prefix = prefix
        self._options = options
        self._result = result
        self._progress = progress
        self._sum = Reconciliation()
        selection = Selection(options.mapping, options.min_score, options.top, options.overwrite)
        schema = target.schema
        self._synonyms = schema.synonyms()
        self._incoming = Incoming(edit, chosen, selection, self._sum.partial, schema, shows=options.dry_run)
        self._matches = KnownFiles(target)
        self._filtered: Counter[str] = Counter()

    def take(self, source: Path) -> None:
        """Read the whole source."""
        options = ReadOptions(self._options.images, self._options.mapping.columns, self._options.relative)
        records = self._sum.scan(self._format, source, options)
        seen = 0
        for batch in _batches(records):
            self._progress("importing", seen, None)
            seen += len(batch)
            self._take_batch(batch)
        self._learn_classes()
        for reason, count in sorted(self._filtered.items()):
            self._sum.report(Problem("filtered", "", reason, severity="warning", dropped_instances=count))
        self._result.problems = self._sum.problems
        self._result.labels = sorted(self._sum.labels)
        self._result.sentence = self._sum.sentence()

    def _learn_classes(self) -> None:
        """What the source says of its classes, those that no instance has too; nothing where no file of it landed."""
        if not self._sum.files_out:
            return
        classes: dict[str, Mapping[str, Any]] = {}
        for record in self._sum.classes:
            label = self._options.mapping.label(record.key)
            if label:
                classes.setdefault(self._synonyms.get(label, label), record.fields)
        if classes:
            self._edit.learn_classes(self._format.NAME, classes)

    def _take_batch(self, batch: Sequence[FileRecord]) -> None:
        fitting = [record for record in batch if self._fits(record)]
        present = self._target.table.get_many((self._prefix + record.path).encode() for record in fitting)
        by_path = self._by_path(fitting, present)
        moved = [path.encode() for path in by_path if path.encode() not in present]
        present.update(self._target.table.get_many(moved))
        places = list(self._places(by_path, present))
        met: list[Problem] = []
        arrived = {file.path: file for file in take_in(self._edit.writer, places, met.append, silent)}
        for path, record in by_path.items():
            if record.content is not None:
                arrived[path] = take_bytes(self._edit.writer, path, record.content, met.append)
        lost = {problem.place: problem for problem in met}
        for path, record in by_path.items():
            self._report(lost.get(printable(path)), record, path in arrived)
        self._find_elsewhere(arrived, present)
        new = [(path, arrived[path].blob) for path in by_path if path in arrived and path.encode() not in present]
        identities = dict(zip((path for path, _ in new), self._edit.fresh_ids(self._target.name, new), strict=True))
        waiting = []
        for path, record in by_path.items():
            row, file = present.get(path.encode()), arrived.get(path)
            if row is not None and (record.source is None or file is not None):
                waiting.append(Waiting(record, path, _with_bytes(state_of(row), file)))
            elif row is None and file is not None:
                state = FileState(identities[path], file.blob, file.found.size_bytes, media_type=file.media_type)
                waiting.append(Waiting(record, path, state))
        workers = 1 if self._options.dry_run else None
        for known, outcome in work_through(self._incoming.outcomes, waiting, workers=workers):
            self._count(known, outcome)
            if outcome.lands:
                self._note(known, outcome, present.get(known.path.encode()))

    def _by_path(self, records: Sequence[FileRecord], present: Mapping[bytes, Row]) -> dict[str, FileRecord]:
        """The records by where they belong in the directory."""
        by_path: dict[str, FileRecord] = {}
        for record in records:
            path = self._path_of(record, present)
            if path in by_path:
                self._drop("ambiguous-name", record, "Another record is about the same file.")
            elif path is not None:
                by_path[path] = record
        return by_path

    def _find_elsewhere(self, arrived: Mapping[str, Arrived], present: dict[bytes, Row]) -> None:
        """A picture that the directory has under the same name and with the same bytes elsewhere is that file."""
        for path, file in arrived.items():
            if path.encode() in present or not self._target.counts.files:
                continue
            paths = self._matches.named(path)
            if len(paths) == 1:
                row = self._target.table.get(paths[0].encode())
                if row is not None and row[2] == file.blob:
                    present[path.encode()] = row

    def _fits(self, record: FileRecord) -> bool:
        problem = stored_path_problem(self._prefix + record.path)
        if problem:
            self._drop("unsafe-path", record, f"The path {problem}.")
            return False
        try:
            numbers.check_depth(record.properties, numbers.MAX_KEPT_DEPTH)
        except ValueError as error:
            self._drop("record-unreadable", record, f"What is said of the file is {error}.")
            return False
        return True

    def _path_of(self, record: FileRecord, present: Mapping[bytes, Row]) -> str | None:
        """Where a record belongs in the directory; None, and a problem, where that can't be said."""
        path = self._prefix + record.path
        has_picture = record.source is not None or record.content is not None
        if has_picture or path.encode() in present or not self._target.counts.files:
            return path
        found = self._matches.find(record)
        if len(found) > 1:
            candidates = ", ".join(printable(path) for path in found[:5])
            self._drop("ambiguous-name", record, f"The directory has that name more than once: {candidates}.")
            return None
        return found[0] if found else path

    def _places(self, by_path: dict[str, FileRecord], present: dict[bytes, Row]) -> Iterator[Arriving]:
        for path, record in by_path.items():
            try:
                found = look(str(record.source)) if record.source is not None else None
            except OSError:
                found = None
            if found is not None:
                yield Arriving(path, str(record.source), found)
            elif record.run and not record.instances and path.encode() not in present:
                self._sum.came_in(record.path, 0)  # a run that finds nothing in a picture we do not have
                self._sum.files_out += 1
                self._result.unchanged_files += 1
            elif record.content is None and path.encode() not in present:
                self._drop("picture-missing", record, "Neither the source nor the directory has the picture.")

    def _report(self, problem: Problem | None, record: FileRecord, arrived: bool) -> None:
        if problem is None:
            return
        if arrived:
            self._sum.report(problem)
        else:
            self._drop(problem.code, record, problem.message)

    def _drop(self, code: str, record: FileRecord, message: str) -> None:
        problems: list[Problem] = []
        whole = record.whole(problems.append)
        count = None if whole is None else len(whole.instances)
        self._sum.came_in(record.path, count, problems)
        if count is not None:
            place = printable(record.path)
            self._sum.report(Problem(code, place, message, dropped_files=1, dropped_instances=count))

    def _count(self, file: Waiting, outcome: Outcome) -> None:
        """Take an outcome into the sum and the result."""
        self._sum.came_in(file.record.path, outcome.instances_in, outcome.problems)
        if outcome.refusal is not None:
            self._sum.report(outcome.refusal)
        self._sum.files_out += outcome.lands
        self._sum.instances_out += outcome.instances_out
        self._sum.labels |= outcome.labels
        if outcome.filtered:
            self._filtered.update(outcome.filtered)
        result = self._result
        result.kept_instances += outcome.kept
        result.annotated_files += bool(outcome.added or outcome.changed or outcome.removed)
        result.added_instances += outcome.added
        result.changed_instances += outcome.changed
        result.removed_instances += outcome.removed
        if outcome.preview is not None and len(result.preview) < _PREVIEWED:
            result.preview.append((self._prefix + file.record.path, outcome.preview))

    def _note(self, file: Waiting, outcome: Outcome, row: Row | None) -> None:
        """Note the file's new state."""
        state = self._annotated(file.state, outcome)
        if row is None:
            self._result.added_files += 1
            self._edit.put(self._target.name, file.path, state)
            return
        before = state_of(row)
        self._result.replaced_files += state.blob != before.blob
        if state == before:
            self._result.unchanged_files += 1
        else:
            self._edit.set_state(state)

    def _annotated(self, state: FileState, outcome: Outcome) -> FileState:
        if outcome.encoded is not None:
            identity, count = self._edit.write_encoded(outcome.encoded)
            state = state._replace(instances=identity, instance_count=count)
        if outcome.complete is not None:
            schema = self._edit.schema_id(self._target.name) if outcome.complete else NO_ID
            state = state._replace(complete=int(outcome.complete), completeness_schema=schema)
        if outcome.properties is not None:
            state = state._replace(properties=outcome.properties)
        return state


def _with_bytes(state: FileState, file: Arrived | None) -> FileState:
    """A file's state with the bytes that came, if any did."""
    if file is None or file.blob == state.blob:
        return state
    return state._replace(blob=file.blob, size_bytes=file.found.size_bytes, media_type=file.media_type)
