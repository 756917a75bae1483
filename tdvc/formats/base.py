"""What every annotation format gives and takes: file records, one protocol, and the sum that must come out.

A format is a module of functions that fits `Format`; it knows nothing of a repository. Readers are iterators
and hold one record at a time. What a reader leaves out it reports as a `Problem` that counts it, so that an
import can prove `in = out + a listed rest` instead of claiming it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
        source: where its bytes are, a regular file inside the source; None where only annotations came.
        instances: in the source's order.
        properties: JSON object, numbers as `numbers.Number`; `splits` lists the splits the file is in.
        complete: whether every instance is annotated; None where the source does not say.
        file_id: 32 hexadecimal digits where the source carries it.
        blob: 64 hexadecimal digits, the SHA-256 of the bytes, where the source carries it.
    """

    path: str
    source: Path | None
    instances: list[Instance]
    properties: dict[str, Any] = field(default_factory=dict)
    complete: bool | None = None
    file_id: str | None = None
    blob: str | None = None


class Format(Protocol):
    """A module that reads one annotation format.

    Attributes:
        NAME: what people call it on the command line.
        TITLE: what the format's own people call it.
        LOSES: what it can't carry, each a plural noun phrase.
    """

    NAME: str
    TITLE: str
    LOSES: tuple[str, ...]

    def detect(self, source: Path) -> bool:
        """Whether the source looks like this format and no other. Opens little and never raises."""

    def read(self, source: Path, report: Report) -> Iterator[FileRecord]:
        """Yield every file once, in an order that depends on the names alone; report what is left out.

        Raises:
            FormatError: bad-format-file, where nothing of the source can be read.
        """


class WritableFormat(Format, Protocol):
    """A format that can also be written."""

    def write(self, records: Iterable[FileRecord]) -> Iterator[bytes]:
        """The bytes of the annotation file, in pieces; the pictures are copied by whoever asks."""


@dataclass(slots=True)
class Reconciliation:
    """What went in, what came out, and the listed rest: `in = out + left out` must hold at the end.

    The two sides are counted apart, `in` while reading and `out` by whoever stores the records, so that a
    record that gets lost between them shows as `unexplained`.
    """

    files_in: int = 0
    files_out: int = 0
    instances_in: int = 0
    instances_out: int = 0
    labels: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def read(self, format: Format, source: Path) -> Iterator[FileRecord]:  # noqa: A002 (the field's word)
        """The records of a source, counted as they pass, with the reader's problems collected."""
        for record in format.read(source, self._lost_in_reader):
            self.files_in += 1
            self.instances_in += len(record.instances)
            yield record

    def _lost_in_reader(self, problem: Problem) -> None:
        self.files_in += problem.dropped_files
        self.instances_in += problem.dropped_instances
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
        if unexplained := _rest(self.unexplained, "unaccounted for"):
            parts.append(unexplained)
        return "; ".join(parts)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _rest(counts: tuple[int, int], outcome: str) -> str:
    nouns = zip(counts, ("file", "instance"), strict=True)
    named = [_count(number, noun) for number, noun in nouns if number]
    return f"{' and '.join(named)} {outcome}" if named else ""
