"""What every annotation format gives and takes: file records, one protocol, and the sum that must come out.

A format is a module of functions that fits `Format`; it knows nothing of a repository. Readers are iterators
and hold one record at a time. What a reader leaves out it reports as a `Problem` that counts it, so that an
import can prove `in = out + a listed rest` instead of claiming it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tdvc.model.problems import Problem, Report
from tdvc.model.records import Instance


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file as a format describes it.

    Attributes:
        path: where it goes in the directory: relative, `/` between components, fit for `names.path_problem`.
        source: where its bytes are, a regular file inside the source; None where only annotations came, or where the
            bytes are in `content`.
        instances: in the source's order.
        properties: JSON object, numbers as `numbers.Number`; `splits` lists the splits the file is in,
            `size` is that of a video's frames, `[width, height]`.
        complete: whether every instance is annotated; None where the source does not say.
        file_id: 32 hexadecimal digits where the source carries it.
        blob: 64 hexadecimal digits, the SHA-256 of the bytes, where the source carries it.
        size: (width, height) of the picture in pixels, where it is known; writers that need it can rely on it.
        split: the split a writer is to put the file into; empty for none.
        content: the bytes themselves, from a source that holds them in an archive or a table; `source` is None then. A
            writer of such a format takes them from here, or from `source`.
        run: the model run that the instances are predictions of, where the source is nothing but those; empty
            otherwise. An import then replaces the instances of that run, and no others.
        later: reads the rest of the record, of which only path and picture are there by now; see `whole`.
        prepared: what a `PreparingFormat` made of the whole record, for its writer; the instances are not here then.
    """

    path: str
    source: Path | None
    instances: list[Instance]
    properties: dict[str, Any] = field(default_factory=dict)
    complete: bool | None = None
    file_id: str | None = None
    blob: str | None = None
    size: tuple[int, int] | None = None
    split: str = ""
    content: bytes | None = field(default=None, repr=False)
    run: str = ""
    later: Callable[[FileRecord, Report], FileRecord | None] | None = field(default=None, repr=False)
    prepared: Any = field(default=None, repr=False)

    def whole(self, report: Report) -> FileRecord | None:
        """The record with everything in it; None where the rest can't be read, which is reported with the file."""
        return self if self.later is None else self.later(self, report)


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """A class that a source defines, or that a writer is to define.

    Attributes:
        key: the label's key in tdvc, which is its name when it comes in.
        name: what people see.
        index: its place in a list of classes, from 0; None where the source has no order.
        fields: what else the format says of it, by the format's own words (`id`, `supercategory`, `color`, `keypoints`,
            `skeleton`…), JSON; a writer of the same format writes it back.
    """

    key: str
    name: str
    index: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user says of a source.

    Attributes:
        images: where the pictures are, if not where the format has them; names are looked up below it.
        columns: for tables, our word for a column (`path`, `label`, `x0`, `y0`, `x1`, `y1`, `x`, `y`, `width`,
            `height`, `score`, `split`) to its name in the table.
        relative: coordinates are fractions of the picture's size; None to go by the format.
    """

    images: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    relative: bool | None = None


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file that a writer makes: its path in the exported folder, and its bytes in pieces.

    The pieces are made while they are asked for, so they are taken before the writer is asked for its next file.
    """

    path: str
    pieces: Iterable[bytes]


NO_OPTIONS = ReadOptions()

FIELDS = (
    "attributes",
    "complete",
    "empty-files",
    "file-properties",
    "file_id",
    "frame",
    "instance_id",
    "numbers",
    "properties",
    "score",
    "sequence",
    "source",
    "splits",
)
"""What a format may or may not carry beside labels and geometry. `numbers`: spelled as they came; `empty-files`: files
without an instance are told from files that are not there."""


class Format(Protocol):
    """A module that reads one annotation format.

    Attributes:
        NAME: what people call it on the command line.
        TITLE: what the format's own people call it.
        LOSES: what it can't carry, each a plural noun phrase.
        TYPES: the spatial types it can carry.
        KEEPS: those of `FIELDS` that it can carry.
    """

    NAME: str
    TITLE: str
    LOSES: tuple[str, ...]
    TYPES: frozenset[str]
    KEEPS: frozenset[str]

    def detect(self, source: Path) -> bool:
        """Whether the source looks like this format and no other. Opens little and never raises."""

    def read(
        self, source: Path, report: Report, options: ReadOptions = NO_OPTIONS
    ) -> Iterator[FileRecord | LabelRecord]:
        """Yield every file once, in an order that depends on the names alone; report what is left out.

        Classes that the source defines come as `LabelRecord`s, in the source's order, before the files.

        Raises:
            FormatError: bad-format-file, where nothing of the source can be read.
        """


class ScannableFormat(Format, Protocol):
    """A format that finds its records quickly and can read each of them later, in another process if need be."""

    def scan(
        self, source: Path, report: Report, options: ReadOptions = NO_OPTIONS
    ) -> Iterator[FileRecord | LabelRecord]:
        """What `read` yields, but the records may have a `later`."""


class WritableFormat(Format, Protocol):
    """A format that can also be written."""

    def place(self, record: FileRecord) -> str:
        """Where a picture goes in the exported folder; empty where the writer puts its bytes into its own files."""

    def write(
        self, records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report
    ) -> Iterator[WrittenFile]:
        """The files of the annotation; the pictures are put to their `place` by whoever asks.

        Args:
            records: the files, ordered by path, each with its `size`.
            labels: every class, by index; a subset of files does not renumber them.
            report: told of every instance that is not written, with `dropped_instances`.
        """


class ShardedFormat(WritableFormat, Protocol):
    """A format that is written as several files of about one size."""

    def write_shards(
        self, records: Iterable[FileRecord], labels: Sequence[LabelRecord], report: Report, shard_bytes: int
    ) -> Iterator[WrittenFile]:
        """As `write`; a shard is full when the files in it reach so many bytes."""


class PreparingFormat(WritableFormat, Protocol):
    """A format of which most can be written file by file, in another process if need be."""

    def preparing(self, labels: Sequence[LabelRecord]) -> Callable[[Sequence[FileRecord]], list[Any]]:
        """A function that does with some records what can be done without knowing all the others.

        What it returns for each travels between processes, and to `write` as `FileRecord.prepared`; it is None where
        `write` is to do it all. The writer takes the record as a whole (`FileRecord.whole`) where what was prepared
        does not fit.
        """


@dataclass(slots=True)
class Reconciliation:
    """What went in, what came out, and the listed rest: `in = out + left out` must hold at the end.

    The two sides are counted apart, `in` while reading and `out` by whoever stores the records, so that a
    record that gets lost between them shows as `unexplained`.

    Attributes:
        partial: paths of files of which the reader left out an instance: what is not there may only be unreadable.
    """

    files_in: int = 0
    files_out: int = 0
    instances_in: int = 0
    instances_out: int = 0
    labels: set[str] = field(default_factory=set)
    classes: list[LabelRecord] = field(default_factory=list)
    partial: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    _instances_lost: int = 0

    def read(
        self,
        format: Format,  # noqa: A002 (the field's word)
        source: Path,
        options: ReadOptions = NO_OPTIONS,
    ) -> Iterator[FileRecord]:
        """The records of a source, counted as they pass, with the reader's problems collected."""
        for record in self.scan(format, source, options):
            problems: list[Problem] = []
            whole = record.whole(problems.append)
            self.came_in(record.path, None if whole is None else len(whole.instances), problems)
            if whole is not None:
                yield whole

    def scan(
        self,
        format: Format,  # noqa: A002 (the field's word)
        source: Path,
        options: ReadOptions = NO_OPTIONS,
    ) -> Iterator[FileRecord]:
        """The records of a source, which may wait to be read: whoever makes one whole says so with `came_in`."""
        lost = 0
        scan = getattr(format, "scan", format.read)
        for record in scan(source, self._lost_in_reader, options):
            if isinstance(record, LabelRecord):
                self.classes.append(record)
                continue
            if self._instances_lost > lost:
                self.partial.add(record.path)
            yield record
            lost = self._instances_lost

    def came_in(self, path: str, instances: int | None, problems: Iterable[Problem] = ()) -> None:
        """Count what a record turned out to hold, None for one that could not be read, and what was left out of it."""
        if instances is not None:
            self.files_in += 1
            self.instances_in += instances
        for problem in problems:
            self._lost_in_reader(problem)
            if problem.dropped_instances:
                self.partial.add(path)

    def _lost_in_reader(self, problem: Problem) -> None:
        self.files_in += problem.dropped_files
        self.instances_in += problem.dropped_instances
        self._instances_lost += problem.dropped_instances
        self.problems.append(problem)

    def report(self, problem: Problem) -> None:
        """Collect a problem met after reading: what it drops has been counted as in already."""
        self.problems.append(problem)

    def stored(self, record: FileRecord) -> None:
        """Count a record that came out whole."""
        self.files_out += 1
        self.instances_out += len(record.instances)
        self.labels.update(instance.label for instance in record.instances)

    @property
    def left_out(self) -> tuple[int, int]:
        """How many files and instances the problems account for."""
        return (
            sum(problem.dropped_files for problem in self.problems),
            sum(problem.dropped_instances for problem in self.problems),
        )

    @property
    def unexplained(self) -> tuple[int, int]:
        """How many files and instances neither came out nor are listed; `(0, 0)` unless tdvc has a bug."""
        files, instances = self.left_out
        return self.files_in - self.files_out - files, self.instances_in - self.instances_out - instances

    def sentence(self, verb: str = "imported") -> str:
        """One line: `364 of 364 files and 4,888 of 4,888 instances imported, 3 labels; nothing left out`."""
        counts = (
            f"{self.files_out:,} of {_count(self.files_in, 'file')} and "
            f"{self.instances_out:,} of {_count(self.instances_in, 'instance')} {verb}, "
            f"{_count(len(self.labels), 'label')}"
        )
        parts = [counts, _rest(self.left_out, "left out") or "nothing left out"]
        unread = sum(p.severity == "error" and not (p.dropped_files or p.dropped_instances) for p in self.problems)
        if unread:
            parts.append(f"{_count(unread, 'record')} could not be read")
        if unexplained := _rest(self.unexplained, "unaccounted for"):
            parts.append(unexplained)
        return "; ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _rest(counts: tuple[int, int], outcome: str) -> str:
    nouns = zip(counts, ("file", "instance"), strict=True)
    named = [_count(number, noun) for number, noun in nouns if number]
    return f"{' and '.join(named)} {outcome}" if named else ""
