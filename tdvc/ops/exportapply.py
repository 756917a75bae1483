"""`export --apply`: an export brought up to date with what changed since, without a repository.

The rule is short, and any engine can follow it: of the old export keep the rows whose path is neither in the new rows
nor in `removed.jsonl`, and put the new rows to them. Done here, it gives what an export of the later state would have
been, byte for byte (with the same version of pyarrow): both are read by the format's own reader, merged by path, and
written by the format's own writer.

What is put together must fit: the old export is of the very state that the new one begins with, of the same selection,
and holds as many files and instances as it says. Pictures are hashed on the way. Memory holds a group of rows, and the
paths.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from tdvc.errors import Corruption, FormatError, Refused
from tdvc.formats import writable_format
from tdvc.formats._folder import unreadable_source
from tdvc.formats.base import FileRecord, Reconciliation
from tdvc.model.problems import Problem
from tdvc.names import printable
from tdvc.ops.cycles import no_collecting
from tdvc.ops.exporting import check_empty
from tdvc.ops.exportmanifest import FILE_NAME, Manifest, read_manifest, read_removed
from tdvc.ops.outgoing import written_files
from tdvc.ops.progress import EVERY, Progress, silent
from tdvc.storage.filling import filling
from tdvc.storage.folder import FolderWriter, checked

_path = attrgetter("path")


@dataclass(slots=True)
class ApplyExportResult:
    """What became of an export.

    Attributes:
        format: the name of the format.
        folder: where the new one is.
        revision: the state that it is of, as it was asked for.
        files: how many are in it.
        instances: how many are in it.
        changed_files: how many of the files are new or say something else.
        removed_files: how many files of the old one are not in it.
        written_bytes: bytes of pictures and annotation.
    """

    format: str
    folder: str
    revision: str
    files: int = 0
    instances: int = 0
    changed_files: int = 0
    removed_files: int = 0
    written_bytes: int = 0


def apply_export(
    base: Path, delta: Path, folder: Path, *, dry_run: bool = False, progress: Progress = silent
) -> ApplyExportResult:
    """Write what a full export of the later state would be.

    Args:
        base: an export of one whole state; it is only read.
        delta: an export since that state.
        folder: empty or missing.
        dry_run: write nothing; say whether they fit and how much would change.
        progress: told how far it is.

    Raises:
        Refused: export-does-not-fit, checkout-in-the-way.
        FormatError: bad-format-file, where an export is not what it says; library-missing.
        Corruption: object-damaged, where a picture is another than its id says.
    """
    older, newer = read_manifest(base), read_manifest(delta)
    _check_fit(older, newer)
    removed = read_removed(delta, newer)
    check_empty(folder)
    result = ApplyExportResult(
        newer.written, str(folder), newer.state.revision, newer.total, 0, newer.files, len(removed)
    )
    if dry_run:
        return result
    with no_collecting():
        _Application((base, older), (delta, newer), removed, result, progress).write(folder)
    return result


def _check_fit(older: Manifest, newer: Manifest) -> None:
    """Raises Refused (export-does-not-fit)."""
    if newer.since is None:
        raise _unfit("What is to be applied is an export of everything; tdvc export --since makes the other kind")
    if older.since is not None:
        raise _unfit("What it is to be applied to holds only what changed itself; apply that to its own base first")
    for name in ("written", "selection", "pictures"):
        had, has = getattr(older, name), getattr(newer, name)
        if had != has:
            raise _unfit(f"The one export was made with {name}={had}, the other with {name}={has}")
    if (older.state.root, older.state.schema) != (newer.since.root, newer.since.schema):
        began, at = newer.since, older.state
        raise _unfit(
            f"The changes begin with {printable(began.revision)} ({began.root[:12]}), "
            f"and the export is of {printable(at.revision)} ({at.root[:12]})"
        )


def _unfit(message: str) -> Refused:
    hint = "tdvc export REV FOLDER --format FORMAT makes a full export, which needs no other."
    return Refused("export-does-not-fit", f"{message}.", hint=hint)


class _Application:
    """Two exports on their way to become one."""

    def __init__(
        self,
        base: tuple[Path, Manifest],
        delta: tuple[Path, Manifest],
        removed: set[str],
        result: ApplyExportResult,
        progress: Progress,
    ) -> None:
        self._base, self._delta = base, delta
        self._removed = removed
        self._result = result
        self._progress = progress
        self._format = writable_format(result.format)
        self._labels = delta[1].label_records()

    def write(self, folder: Path) -> None:
        """Write everything, the manifest last; or leave the folder as it was."""
        with filling(str(folder)) as (annotation, pictures):
            records, shard_bytes = self._records(pictures), self._base[1].shard_bytes
            for written in written_files(self._format, records, self._labels, _refuse, shard_bytes):
                annotation.write(checked(written.path), self._counted(written.pieces))
            annotation.write(FILE_NAME, self._counted([self._manifest().spelled()]))

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._result.written_bytes += len(piece)
            yield piece

    def _manifest(self) -> Manifest:
        """That of a full export of the later state."""
        older, newer = self._base[1], self._delta[1]
        return Manifest(
            written=newer.written,
            state=newer.state,
            selection=newer.selection,
            pictures=newer.pictures,
            shard_bytes=older.shard_bytes,
            files=self._result.files,
            instances=self._result.instances,
            total=newer.total,
            labels=newer.labels,
        )

    def _records(self, writer: FolderWriter) -> Iterator[FileRecord]:
        """The files of the later state, their pictures put in place."""
        done = 0
        for record in self._merged():
            if done % EVERY == 0:
                self._progress("applying", done, self._delta[1].total)
            done += 1
            self._result.instances += len(record.instances)
            yield self._with_picture(record, writer)
        if done != self._delta[1].total:
            raise _unfit(f"There are {done:,} files, where the later state has {self._delta[1].total:,}")

    def _merged(self) -> Iterator[FileRecord]:
        """The rule: a row of the delta, else the row of the base where it was not removed."""
        left = set(self._removed)
        both = heapq.merge(self._read(*self._base), self._read(*self._delta), key=_path)
        for path, rows in groupby(both, key=_path):
            *_, record = rows
            if path not in self._removed:
                yield record
            left.discard(path)
        if left:
            raise _unfit(f"{printable(min(left))!r} is to be removed, and is not there")

    def _read(self, folder: Path, manifest: Manifest) -> Iterator[FileRecord]:
        """The files of one export, in path order and as many as it says."""
        total = Reconciliation()
        last = ""
        for record in total.read(self._format, folder) if manifest.files else ():
            if record.path <= last:
                raise _bad(folder, f"has {printable(record.path)!r} out of the order of paths")
            last = record.path
            total.stored(record)
            yield record
        if total.problems:
            raise _bad(folder, f"can't be read whole: {_first(total.problems)}")
        if (total.files_out, total.instances_out) != (manifest.files, manifest.instances):
            found = f"holds {total.files_out:,} files and {total.instances_out:,} instances"
            raise _bad(folder, f"{found}, where it says {manifest.files:,} and {manifest.instances:,}")

    def _with_picture(self, record: FileRecord, writer: FolderWriter) -> FileRecord:
        """The record with its picture, verified; it is put in place where the format does not hold it itself."""
        if not self._delta[1].pictures:
            return replace(record, source=None, content=None)
        content = _content(record)
        if content is None:
            raise FormatError("bad-format-file", f"The picture {printable(record.path)!r} is in neither export.")
        if record.blob is not None and hashlib.sha256(content).hexdigest() != record.blob:
            message = f"The picture {printable(record.path)!r} is another than the export says (SHA-256 {record.blob})."
            raise Corruption("object-damaged", message)
        whole = replace(record, source=None, content=content)
        if place := self._format.place(whole):
            if place == FILE_NAME:
                raise Refused("file-exists", f"A picture would be {place!r} in the export.", path=place)
            writer.write(checked(place), self._counted([content]))
        return whole


def _content(record: FileRecord) -> bytes | None:
    if record.source is None:
        return record.content
    try:
        return record.source.read_bytes()
    except OSError as error:
        raise unreadable_source(record.source, error) from error


def _refuse(problem: Problem) -> None:
    raise FormatError("bad-format-file", problem.message)


def _first(problems: list[Problem]) -> str:
    return f"{problems[0].place}: {problems[0].message.rstrip('.')}"


def _bad(folder: Path, problem: str) -> FormatError:
    return FormatError("bad-format-file", f"The export in {printable(str(folder))} {problem}.", source=str(folder))
