"""`import`: pictures and annotation of some tool's format into a directory.

For every picture that the source describes, the instances that came from an import are replaced by what the source says
now; instances that people or models made in tdvc stay. An instance is known again by its id, or where the format has
none, by saying the same: so importing the same source, or what tdvc itself exported, changes nothing. The result
carries the sum: what the source holds is what the directory got, plus a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tdvc.errors import NotFound, Refused, Usage
from tdvc.formats import detect_format, format_named
from tdvc.formats.base import FileRecord, Format, ReadOptions, Reconciliation
from tdvc.ids import NO_ID, FileId, ObjectId
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import HUMAN, IMPORTED, Instance, revise, same_instance
from tdvc.names import check_path, printable, stored_path_problem
from tdvc.ops.intake import Arrived, Arriving, take_bytes, take_in
from tdvc.ops.mapping import FieldMap
from tdvc.ops.progress import Progress, silent
from tdvc.repo.directory import Directory, read_instances
from tdvc.repo.entry import FileState, state_of
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.storage.folder import look
from tdvc.tables.page import Row

_BATCH = 2048
_BATCH_BYTES = 64 << 20
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
        Usage: bad-path, bad-usage.
    """
    source = Path(source)
    options = options or ImportOptions()
    if not source.exists():
        raise NotFound("source-not-found", f"{str(source)!r} does not exist.", path=str(source))
    if options.images is not None and not options.images.is_dir():
        raise NotFound("source-not-found", f"{str(options.images)!r} is not a folder.", path=str(options.images))
    if options.top is not None and options.top < 1:
        raise Usage("bad-usage", "--top must be at least 1.")
    target = repository.directory(directory)
    chosen = format_named(format) if format else detect_format(source)
    result = ImportResult(target.name, chosen.NAME)
    prefix = check_path(at.rstrip("/")) + "/" if at else ""
    title = f"import {printable(source.name)} -d {target.name} --format {chosen.NAME}"
    with repository.transaction(title) as edit:
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
    """Records in batches that are bounded in number and in the bytes they carry."""
    batch: list[FileRecord] = []
    carried = 0
    for record in records:
        batch.append(record)
        carried += len(record.content or b"")
        if len(batch) >= _BATCH or carried >= _BATCH_BYTES:
            yield batch
            batch, carried = [], 0
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
        self._matches = _Matches(edit, target)
        self._filtered: Counter[str] = Counter()

    def take(self, source: Path) -> None:
        """Read the whole source."""
        options = ReadOptions(self._options.images, self._options.mapping.columns, self._options.relative)
        records = self._sum.read(self._format, source, options)
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
        classes: dict[str, Mapping[str, Any]] = {}
        for record in self._sum.classes:
            label = self._options.mapping.label(record.key)
            if label:
                classes.setdefault(label, record.fields)
        if classes:
            self._edit.learn_classes(self._format.NAME, classes)

    def _take_batch(self, batch: Sequence[FileRecord]) -> None:
        fitting = [record for record in batch if self._fits(record)]
        present = self._target.table.get_many((self._prefix + record.path).encode() for record in fitting)
        by_path = {path: record for record in fitting if (path := self._path_of(record, present)) is not None}
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
        for path, record in by_path.items():
            row, file = present.get(path.encode()), arrived.get(path)
            if row is not None:
                self._update(record, state_of(row), file)
            elif file is not None:
                state = FileState(identities[path], file.blob, file.found.size_bytes, media_type=file.media_type)
                self._result.added_files += 1
                self._edit.put(self._target.name, path, self._annotated(path, record, state))

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
        return problem is None

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
        state = self._annotated(self._prefix + record.path, record, state)
        if state == before:
            self._result.unchanged_files += 1
        else:
            self._edit.set_state(state)

    def _annotated(self, path: str, record: FileRecord, state: FileState) -> FileState:
        """The state with the annotation that the record carries, if it carries any."""
        wanted = self._wanted(record)
        self._sum.files_out += 1
        self._sum.instances_out += len(wanted)
        self._sum.labels.update(instance.label for instance in wanted)
        if self._options.dry_run and len(self._result.preview) < _PREVIEWED:
            self._result.preview.append((path, wanted))
        if not (record.instances or record.properties or record.complete is not None):
            return state
        before = read_instances(self._edit.writer, state)
        own = record.file_id == state.file_id.hex()
        revision = revise(before, self._merged(wanted, before, partial=record.path in self._sum.partial))
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
        return self._with_properties(record, state, recognised=own or bool(before))

    def _with_properties(self, record: FileRecord, state: FileState, *, recognised: bool) -> FileState:
        """What the format says of the file. Of a file that is known again, it adds nothing that an export made up."""
        before = numbers.parse(state.properties) if state.properties else {}
        after = dict(record.properties)
        if recognised and self._format.NAME not in before:
            after.pop(self._format.NAME, None)
        after = {**before, **after}
        return state if after == before else state._replace(properties=numbers.spell(after))

    def _wanted(self, record: FileRecord) -> list[Instance]:
        """The record's instances under our names, less those that the user does not want."""
        wanted = []
        for instance in record.instances:
            mapped = self._options.mapping.apply(instance)
            if mapped is None:
                self._filtered["Instances whose label is mapped to nothing."] += 1
            elif self._options.min_score is not None and (_score(mapped) or 1.0) < self._options.min_score:
                self._filtered[f"Instances with a score below {self._options.min_score:g}."] += 1
            else:
                wanted.append(mapped)
        if self._options.top is not None and len(wanted) > self._options.top:
            self._filtered[f"Instances beyond the best {self._options.top} of a file."] += (
                len(wanted) - self._options.top
            )
            best = sorted(wanted, key=lambda instance: -(_score(instance) or 0.0))[: self._options.top]
            kept = {instance.instance_id for instance in best}
            wanted = [instance for instance in wanted if instance.instance_id in kept]
        return wanted

    def _merged(self, wanted: Sequence[Instance], before: Sequence[Instance], *, partial: bool) -> list[Instance]:
        """What the source says now, and what was made or corrected in tdvc.

        An imported instance that the source does not have any more goes, unless some of the record was unreadable:
        then it may be there and only not understood.
        """
        if not before:
            return [_imported(instance) for instance in wanted]
        says_all = {"source", "instance_id", "file_id"} <= self._format.KEEPS and not partial
        known = _Known(before, self._format)
        merged = [self._reconciled(known, instance) for instance in wanted]
        taken = {instance.instance_id for instance in merged}
        left = [instance for instance in before if instance.instance_id not in taken]
        return merged + [i for i in left if partial or (i.source != IMPORTED and not says_all)]

    def _reconciled(self, known: _Known, instance: Instance) -> Instance:
        """An instance that comes in, put together with what the file has of it."""
        again = known.again(instance)
        if again is None:
            return _imported(instance)
        former, found = again
        corrected = former.source == HUMAN and instance.source in (None, IMPORTED)
        if corrected and not self._options.overwrite and not same_instance(former, found):
            self._result.kept_instances += 1
            return former
        return found


def _imported(instance: Instance) -> Instance:
    return instance if instance.source else msgspec.structs.replace(instance, source=IMPORTED)


def _score(instance: Instance) -> float | None:
    text = bytes(instance.score)
    return None if text == b"null" else float(text)


class _Known:
    """Instances that a file has, to be known again in what comes in from a format."""

    def __init__(self, before: Sequence[Instance], chosen: Format) -> None:
        self._left = {instance.instance_id: instance for instance in before}
        self._by_content: dict[tuple[Any, ...], list[Instance]] | None = None
        self._name = chosen.NAME
        self._keeps_properties = "properties" in chosen.KEEPS
        self._silent = [name for name in ("attributes", "frame", "score", "sequence") if name not in chosen.KEEPS]

    def again(self, instance: Instance) -> tuple[Instance, Instance] | None:
        """The instance as the file has it, and with what is new about it; None where the file does not have it.

        What the format can't carry is no news when it is missing: it stays as it was.
        """
        former = self._left.get(instance.instance_id) or self._twin(instance)
        if former is None:
            return None
        self._left.pop(former.instance_id, None)
        changes: dict[str, Any] = {name: getattr(former, name) for name in self._silent}
        changes["instance_id"] = former.instance_id
        if instance.source in (None, IMPORTED):
            changes["source"] = former.source
        if bytes(instance.properties) != bytes(former.properties):
            changes["properties"] = self._properties(former, instance)
        return former, msgspec.structs.replace(instance, **changes)

    def _properties(self, former: Instance, instance: Instance) -> msgspec.Raw:
        """What the format says now; it adds nothing of its own to an instance it said nothing of before."""
        before, now = numbers.parse(bytes(former.properties)), numbers.parse(bytes(instance.properties))
        if self._name not in before:
            now.pop(self._name, None)
        after = now if self._keeps_properties and now else {**before, **now}
        return msgspec.Raw(numbers.spell(after)) if after else former.properties

    def _twin(self, instance: Instance) -> Instance | None:
        """An instance that says the same under another id."""
        if self._by_content is None:
            self._by_content = {}
            for known in self._left.values():
                self._by_content.setdefault(self._content(known), []).append(known)
        twins = self._by_content.get(self._content(instance), [])
        return next((twin for twin in twins if twin.instance_id in self._left), None)

    def _content(self, instance: Instance) -> tuple[Any, ...]:
        """What an instance says in the words of the format, however its numbers are spelled."""
        said: list[Any] = [instance.label, instance.type, str(_as_floats(instance.coordinates))]
        if "attributes" not in self._silent:
            said.append(repr(sorted((key, str(value)) for key, value in instance.attribute_values.items())))
        if "frame" not in self._silent:
            said.append(instance.frame)
        return tuple(said)


def _as_floats(value: Any) -> Any:
    if isinstance(value, list):
        return [_as_floats(item) for item in value]
    return round(float(value), 6) if isinstance(value, int | float) else value


class _Matches:
    """Finds the file of a directory that a record without a picture is about."""

    def __init__(self, edit: Transaction, target: Directory) -> None:
        self._edit = edit
        self._target = target
        self._by_name: dict[str, list[str]] | None = None
        self._by_stem: dict[str, list[str]] = {}
        self._by_id: dict[FileId, str] = {}

    def find(self, record: FileRecord) -> list[str]:
        """The paths it may be: by file_id, else by name."""
        known = self.named(record.path)
        if record.file_id is not None and (path := self._by_id.get(FileId(bytes.fromhex(record.file_id)))):
            return [path]
        return known

    def named(self, path: str) -> list[str]:
        """The paths whose last component is that of `path`; where there is none, with any extension."""
        if self._by_name is None:
            self._by_name = {}
            for entry in self._target.entries():
                name = entry.path.rpartition("/")[2]
                self._by_name.setdefault(name, []).append(entry.path)
                self._by_stem.setdefault(name.rpartition(".")[0], []).append(entry.path)
                self._by_id[entry.state.file_id] = entry.path
        name = path.rpartition("/")[2]
        return self._by_name.get(name) or self._by_stem.get(name, [])
