"""What a source says of one file, put together with what the directory has of it.

Reading a record, knowing its instances again, encoding and compressing the new set is nearly all the work of an import,
and none of it changes anything: so worker processes do it, and what comes of it is a small value that the import notes
down. A set that comes out with the id that the file's set has already is not compared any further.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import NamedTuple

import msgspec

from tdvc.errors import SchemaError
from tdvc.formats.base import FileRecord, Format
from tdvc.ids import Kind, object_id
from tdvc.model import numbers
from tdvc.model.problems import Problem
from tdvc.model.records import HUMAN, Instance, encode_set, revise, same_instance
from tdvc.model.schema import Schema
from tdvc.names import printable
from tdvc.ops.locked import refuse_unknown, with_keys
from tdvc.ops.mapping import FieldMap
from tdvc.ops.recognising import KnownInstances, imported, layers_of, merged_properties
from tdvc.repo.directory import read_instances
from tdvc.repo.entry import FileState, properties_of
from tdvc.repo.transaction import EncodedSet, Transaction


class Selection(NamedTuple):
    """Which instances of a source are wanted, and under which names; see `ImportOptions`."""

    mapping: FieldMap
    min_score: float | None
    top: int | None
    overwrite: bool

    @property
    def takes_all(self) -> bool:
        """Whether every instance comes in as it is."""
        renames = self.mapping.labels or self.mapping.attributes
        return not renames and self.min_score is None and self.top is None


class Waiting(NamedTuple):
    """A record whose file is known: its path in the directory and the state that the annotation goes to."""

    record: FileRecord
    path: str
    state: FileState


class Outcome(msgspec.Struct):
    """What becomes of a file. A `Struct`, which travels between processes for a fifth of what a data class costs.

    Attributes:
        instances_in: how many the record has; None where it could not be read.
        problems: what the reader left out of the record.
        refusal: why the record can't be taken.
        instances_out: how many of its instances are wanted.
        filtered: how many are not wanted, by reason.
        labels: of those that are wanted.
        kept: how many stay as they were corrected here.
        added, changed, removed: how the file's instances differ from before.
        encoded: the new instance set; None where it stays as it is.
        properties: of the file, spelled; None where they stay as they are.
        complete: None where the mark stays as it is.
        preview: the wanted instances, where they are to be shown.
    """

    instances_in: int | None
    problems: list[Problem]
    refusal: Problem | None = None
    instances_out: int = 0
    labels: frozenset[str] = frozenset()
    filtered: dict[str, int] = {}
    kept: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    encoded: EncodedSet | None = None
    properties: bytes | None = None
    complete: bool | None = None
    preview: list[Instance] | None = None

    @property
    def lands(self) -> bool:
        """Whether the file is to be as this says."""
        return self.instances_in is not None and self.refusal is None


class Incoming:
    """Works out what becomes of files.

    Args:
        edit: read from, and never written to.
        chosen: the format.
        selection: what is wanted.
        partial: paths of records of which something was left out already.
        schema: what names and aliases of labels mean, and what is refused where it is locked.
        shows: whether outcomes are to have a preview.
    """

    def __init__(
        self,
        edit: Transaction,
        chosen: Format,
        selection: Selection,
        partial: Container[str],
        schema: Schema,
        *,
        shows: bool = False,
    ) -> None:
        self._edit = edit
        self._name = chosen.NAME
        self._keeps = chosen.KEEPS
        self._types = chosen.TYPES
        self._selection = selection
        self._partial = partial
        self._schema = schema
        self._synonyms = schema.synonyms()
        self._shows = shows

    def outcomes(self, batch: Sequence[Waiting]) -> list[Outcome]:
        """What becomes of each file."""
        return [self.outcome(waiting) for waiting in batch]

    def outcome(self, waiting: Waiting) -> Outcome:
        """What becomes of one file."""
        problems: list[Problem] = []
        record, state = waiting.record.whole(problems.append), waiting.state
        if record is None:
            return Outcome(None, problems)
        outcome = Outcome(len(record.instances), problems)
        try:
            outcome.properties = self._described(record, state)
        except ValueError as error:
            outcome.refusal = _refusal(record, f"What is said of the file is {error}.")
            return outcome
        wanted = list(with_keys(self._wanted(record, outcome), self._synonyms))
        refuse_unknown(self._schema, waiting.path, wanted)
        outcome.instances_out = len(wanted)
        outcome.labels = frozenset([instance.label for instance in wanted])
        if self._shows:
            outcome.preview = wanted
        if record.instances or record.properties or record.complete is not None or record.run:
            partial = record.path in self._partial or any(problem.dropped_instances for problem in problems)
            self._annotate(outcome, record, wanted, state, partial=partial)
            if record.complete is not None and record.complete != bool(state.complete):
                outcome.complete = record.complete
        return outcome

    def _annotate(
        self, outcome: Outcome, record: FileRecord, wanted: Sequence[Instance], state: FileState, *, partial: bool
    ) -> None:
        fresh = [imported(instance) for instance in wanted]
        if not state.instance_count:
            outcome.added = len(fresh)
            outcome.encoded = self._edit.encode_instances(fresh) if fresh else None
            return
        if self._is_stored(fresh, state):
            return
        before = read_instances(self._edit.writer, state)
        says_all = self._says_all(record, state) and not partial
        gone = frozenset() if partial else layers_of(record)
        revision = revise(before, self._merged(outcome, wanted, before, gone, says_all=says_all))
        if revision:
            outcome.added, outcome.changed, outcome.removed = revision.added, revision.changed, revision.removed
            outcome.encoded = self._edit.encode_instances(revision.instances)

    def _is_stored(self, fresh: Sequence[Instance], state: FileState) -> bool:
        """Whether the file has exactly these instances, spelled so: then nothing about them is news."""
        try:
            return object_id(Kind.INSTANCES, encode_set(fresh)) == state.instances
        except SchemaError:
            return False

    def _described(self, record: FileRecord, state: FileState) -> bytes | None:
        """The file's properties, spelled, where they change. Raises ValueError where they nest too deep."""
        if not record.properties:
            return None
        before = properties_of(state)
        recognised = record.file_id == state.file_id.hex() or bool(state.instance_count)
        after = merged_properties(record, before, self._name, recognised=recognised)
        if after == before:
            return None
        spelled = numbers.spell_parsed(after)
        numbers.check_kept_depth(spelled)
        return spelled

    def _wanted(self, record: FileRecord, outcome: Outcome) -> list[Instance]:
        """The record's instances under our names, less those that the user does not want."""
        if self._selection.takes_all:
            return record.instances
        _, min_score, top, _ = self._selection
        filtered: Counter[str] = Counter()
        wanted = []
        for instance in record.instances:
            mapped = self._selection.mapping.apply(instance)
            if mapped is None:
                filtered["Instances whose label is mapped to nothing."] += 1
            elif min_score is not None and (score := _score(mapped)) is not None and score < min_score:
                filtered[f"Instances with a score below {min_score:g}."] += 1
            else:
                wanted.append(mapped)
        if top is not None and len(wanted) > top:
            filtered[f"Instances beyond the best {top} of a file."] += len(wanted) - top
            best = sorted(wanted, key=lambda instance: -(_score(instance) or 0.0))[:top]
            kept = {instance.instance_id for instance in best}
            wanted = [instance for instance in wanted if instance.instance_id in kept]
        outcome.filtered = dict(filtered)
        return wanted

    def _says_all(self, record: FileRecord, state: FileState) -> bool:
        """Whether a record holds everything of the file: it is an export of that very file, which left nothing out."""
        return {"source", "instance_id", "file_id"} <= self._keeps and record.file_id == state.file_id.hex()

    def _merged(
        self,
        outcome: Outcome,
        wanted: Sequence[Instance],
        before: Sequence[Instance],
        gone: frozenset[str],
        *,
        says_all: bool,
    ) -> list[Instance]:
        """What the source says now, and what was made or corrected in tdvc or came from other sources.

        An instance of the layers `gone` that the source does not have any more goes, if the format could say it. Where
        some of the record was unreadable there are none: then it may be there and only not understood.
        """
        known = KnownInstances(before, self._name, self._keeps, {instance.instance_id for instance in wanted})
        merged = [self._reconciled(outcome, known, instance) for instance in wanted]
        taken = {instance.instance_id for instance in merged}
        left = [instance for instance in before if instance.instance_id not in taken]
        return merged + [i for i in left if i.type not in self._types or (i.source not in gone and not says_all)]

    def _reconciled(self, outcome: Outcome, known: KnownInstances, instance: Instance) -> Instance:
        """An instance that comes in, put together with what the file has of it."""
        again = known.again(instance)
        if again is None:
            return imported(instance)
        former, found = again
        corrected = former.source == HUMAN and instance.source != HUMAN
        if corrected and not self._selection.overwrite and not same_instance(former, found):
            outcome.kept += 1
            return former
        return found


def _refusal(record: FileRecord, message: str) -> Problem:
    count = len(record.instances)
    return Problem("record-unreadable", printable(record.path), message, dropped_files=1, dropped_instances=count)


def _score(instance: Instance) -> float | None:
    text = bytes(instance.score)
    return None if text == b"null" else float(text)
