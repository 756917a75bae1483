"""`export`: states in some tool's format, with the sum of what went and a list of what could not.

What a format can't carry is counted before anything is written, so that it can be refused. A folder must be empty or
missing: an export never mixes with what is there, and one that fails or is interrupted leaves it so. Pictures are
written, or share their bytes with files that are there (`originals`).

An export of one whole state in a format for engines says of which (`exportmanifest`). Then what changed since
(`exportsince`) can be exported alone, and put to it (`exportapply`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tdvc.errors import Corruption, NotFound, Refused, Usage
from tdvc.formats import writable_format
from tdvc.formats.base import FileRecord, Reconciliation, WritableFormat, WrittenFile
from tdvc.model.problems import Problem
from tdvc.names import printable
from tdvc.ops.completeness import require_complete, unfinished
from tdvc.ops.cycles import no_collecting
from tdvc.ops.exportmanifest import (
    ENGINE_FORMATS,
    FILE_NAME,
    REMOVED_NAME,
    Manifest,
    exported_labels,
    exported_state,
    removed_lines,
)
from tdvc.ops.exportparts import Part, changed_part, check_since, exportable, leaving, speaks, whole_part
from tdvc.ops.originals import Original, clone_stored, link_original, original_of
from tdvc.ops.outgoing import Leaving, Outgoing, Ready, class_list, classes_of, written_files
from tdvc.ops.progress import EVERY, Progress, silent
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository
from tdvc.storage.filling import filling
from tdvc.storage.folder import FolderWriter, checked
from tdvc.workers import work_through

PICTURES = ("copy", "link", "none")


@dataclass(slots=True)
class ExportResult:
    """What an export did.

    Attributes:
        format: the name of the format.
        folder: where to.
        sentence: the sum in one line: in = out + left out.
        files: how many were exported.
        instances: how many of their instances.
        skipped_files: files that were left out because nobody declared them complete.
        stale_files: files that went out and were complete under a schema that asked less.
        losses: what the format could not carry, and of how many instances or files.
        copied_files: pictures that were written.
        linked_files: pictures that share their bytes with files that were there.
        written_bytes: bytes of pictures and annotation.
        since: the state that it begins with; empty for an export of everything.
        changed_files: of an export since a state, files that are new or say something else.
        removed_files: of an export since a state, files that it says are gone.
        problems: what was left out.
    """

    format: str
    folder: str
    sentence: str = ""
    files: int = 0
    instances: int = 0
    skipped_files: int = 0
    stale_files: int = 0
    losses: dict[str, int] = field(default_factory=dict)
    copied_files: int = 0
    linked_files: int = 0
    written_bytes: int = 0
    since: str = ""
    changed_files: int = 0
    removed_files: int = 0
    problems: list[Problem] = field(default_factory=list)


def export(
    repository: Repository,
    revisions: Sequence[str],
    folder: Path,
    *,
    format: str,  # noqa: A002 (the field's word, and the option's)
    everything: bool = False,
    pictures: str = "copy",
    originals: Path | None = None,
    strict: bool = False,
    complete_only: bool = False,
    where: str | None = None,
    since: str | None = None,
    shard_bytes: int | None = None,
    boxes: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> ExportResult:
    """Export states.

    Args:
        repository: the repository.
        revisions: selectors; with more than one, each becomes a split named like its revision.
        folder: empty or missing.
        format: the name of the format.
        everything: files that are not declared complete too.
        pictures: `copy`, `link` or `none`; what can't be linked is copied.
        originals: with `link`, a folder that has the pictures under their paths, such as a checkout; without one only
            large files are linked, which the store holds one by one, and only where the file system clones files.
        strict: write nothing if anything would be lost.
        complete_only: write nothing if a file of the states is not complete today.
        where: only files that a query means.
        since: a revision; only what changed since then, and what was removed, of one whole state in one of
            `ENGINE_FORMATS`.
        shard_bytes: about how large the files of a format with shards are to be; None for what the format says.
        boxes: shapes go out as the upright boxes around them. Not with an export for engines that names its state.
        dry_run: write nothing; count what would be lost.
        progress: told how far it is.

    Raises:
        FormatError: format-unknown.
        Refused: checkout-in-the-way; loss-refused; nothing-to-export; incomplete, with `complete_only`.
        NotFound: unknown-revision, file-not-found; source-not-found, where `originals` is no folder.
        Usage: bad-usage, bad-query.
    """
    if pictures not in PICTURES:
        raise Usage("bad-usage", f"--pictures must be one of {', '.join(PICTURES)}.")
    _check_originals(originals, pictures)
    chosen = writable_format(format)
    _check_shards(chosen, shard_bytes)
    check_empty(folder)
    result = ExportResult(chosen.NAME, str(folder))
    if since is not None:
        check_since(chosen, revisions, where)
        if boxes:
            raise Usage("bad-usage", "What changed since a state is exported with all its shapes, not as boxes.")
        parts = [changed_part(repository, revisions[0], since, chosen.NAME, everything, progress)]
    else:
        parts = [whole_part(repository, revision, len(revisions) > 1, everything, where) for revision in revisions]
    _count_parts(parts, result)
    if complete_only:
        for part in parts:
            require_complete(unfinished(part.state, part.selected))
    if not any(speaks(part, everything) for part in parts):
        raise Refused(
            "nothing-to-export",
            f"None of the {result.skipped_files} files is declared complete." if result.skipped_files else "No file.",
            hint="--all exports them anyway; tdvc complete declares them.",
        )
    wanted = _Wanted(everything, pictures, originals, shard_bytes or 0, boxes)
    run = _Export(repository, chosen, parts, wanted, result, progress)
    if strict or dry_run:
        run.count_losses()
    if strict and (result.losses or run.dropped):
        what = ", ".join(f"{name} ({count:,})" for name, count in result.losses.items())
        raise Refused("loss-refused", f"{chosen.TITLE} can't carry {what}; nothing was written.", losses=result.losses)
    if not dry_run:
        with no_collecting():
            run.write(folder)
    for part in parts:
        left = unfinished(part.state, part.entries)
        result.stale_files += left.stale
        result.problems += left.problems()
    return result


def _check_originals(originals: Path | None, pictures: str) -> None:
    if originals is None:
        return
    if pictures != "link":
        raise Usage("bad-usage", "A folder to link to goes with --pictures link alone.")
    if not originals.is_dir():
        name = str(originals)
        raise NotFound("source-not-found", f"{name!r} is not a folder.", path=name)


def _check_shards(chosen: WritableFormat, shard_bytes: int | None) -> None:
    if shard_bytes is None:
        return
    if shard_bytes < 1:
        raise Usage("bad-usage", f"A shard of {shard_bytes} bytes holds nothing.")
    if not hasattr(chosen, "write_shards"):
        raise Usage("bad-usage", f"{chosen.TITLE} is not written in shards.", hint="parquet and webdataset are.")


def check_empty(folder: Path) -> None:
    """Raises Refused (checkout-in-the-way) where a folder to write to is there and not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused("checkout-in-the-way", f"{str(folder)!r} is not an empty folder.", path=str(folder))


def _count_parts(parts: list[Part], result: ExportResult) -> None:
    result.skipped_files = sum(part.skipped_files for part in parts)
    for part in parts:
        if part.before is not None:
            result.since = part.before.title
            result.changed_files, result.removed_files = len(part.entries), len(part.removed)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was asked for; see `export`. Shards of 0 bytes are as large as the format says."""

    everything: bool
    pictures: str
    originals: Path | None
    shard_bytes: int
    boxes: bool


class _Export:
    """One export on its way."""

    def __init__(
        self,
        repository: Repository,
        chosen: WritableFormat,
        parts: list[Part],
        wanted: _Wanted,
        result: ExportResult,
        progress: Progress,
    ) -> None:
        self._repository = repository
        self._format = chosen
        self._parts = parts
        self._wanted = wanted
        self._result = result
        self._progress = progress
        self._sum = Reconciliation()
        self._places = self._reserved()
        self._losses: Counter[str] = Counter()
        self._counted_losses = False
        classes = classes_of([part.state for part in parts], chosen.NAME)
        self._labels = class_list(classes)
        self._outgoing = Outgoing(
            chosen,
            self._labels,
            {key: label.name for key, label in classes.items() if label.name != key},
            boxes=wanted.boxes,
        )
        self._files = leaving(repository, parts, progress)
        self.dropped = 0

    def count_losses(self) -> None:
        """What the format can't carry, by what it is, before anything is written."""
        for _, ready in work_through(self._outgoing.losses, self._files):
            self._losses.update(ready.losses)
        self._note_losses()

    def _note_losses(self) -> None:
        self._counted_losses = True
        self.dropped = sum(count for name, count in self._losses.items() if name.endswith("instances"))
        self._result.losses = dict(sorted(self._losses.items()))

    def write(self, folder: Path) -> None:
        """Write everything, or leave the folder as it was."""
        with filling(str(folder)) as (annotation, pictures):
            records, shard_bytes = self._records(pictures), self._wanted.shard_bytes
            for written in written_files(self._format, records, self._labels, self._sum.report, shard_bytes):
                self._write(written, annotation)
            self._close_sum()
            self._write_manifest(annotation)

    def _close_sum(self) -> None:
        files_left, instances_left = self._sum.left_out
        self._sum.files_out = self._sum.files_in - files_left
        self._sum.instances_out = self._sum.instances_in - instances_left
        self._result.files, self._result.instances = self._sum.files_out, self._sum.instances_out
        self._result.problems = self._sum.problems
        self._result.sentence = self._sum.sentence("exported")

    def _described(self) -> Part | None:
        """The part that a manifest describes; None where it is not one whole state for an engine."""
        part = self._parts[0]
        whole = len(self._parts) == 1 and part.selected is None and not self._wanted.boxes
        return part if whole and self._format.NAME in ENGINE_FORMATS else None

    def _reserved(self) -> set[str]:
        """Paths that no picture can have."""
        part = self._described()
        if part is None:
            return set()
        return {FILE_NAME, REMOVED_NAME} if part.before is not None else {FILE_NAME}

    def _write_manifest(self, writer: FolderWriter) -> None:
        """Say what was exported, where nothing was left out."""
        part = self._described()
        if part is None or self._sum.left_out != (0, 0):
            return
        if part.before is not None:
            writer.write(REMOVED_NAME, self._counted(removed_lines(part.removed)))
        manifest = Manifest(
            written=self._format.NAME,
            state=exported_state(part.state),
            since=exported_state(part.before) if part.before is not None else None,
            selection="all" if self._wanted.everything else "complete",
            pictures=self._wanted.pictures != "none",
            shard_bytes=self._wanted.shard_bytes,
            files=self._result.files,
            instances=self._result.instances,
            removed=len(part.removed),
            total=exportable(part.state, self._wanted.everything),
            labels=exported_labels(self._labels),
        )
        writer.write(FILE_NAME, self._counted([manifest.spelled()]))

    def _write(self, written: WrittenFile, writer: FolderWriter) -> None:
        """Write a file of the annotation: straight to its name where it comes in one piece and nothing is there."""
        path = checked(written.path)
        is_small = isinstance(written.pieces, list) and len(written.pieces) == 1
        writer.write(path, self._counted(written.pieces), new=is_small and path not in self._places)
        self._places.add(path)

    def _counted(self, pieces: Any) -> Iterator[bytes]:
        for piece in pieces:
            self._result.written_bytes += len(piece)
            yield piece

    def _records(self, writer: FolderWriter) -> Iterator[FileRecord]:
        for done, (file, ready) in enumerate(self._in_turn()):
            if done % EVERY == 0:
                self._progress("exporting", done, len(self._files))
            self._sum.files_in += 1
            self._sum.instances_in += file.entry.state.instance_count
            try:
                yield self._record(file, ready, writer)
            except Corruption as error:
                count = file.entry.state.instance_count
                place = printable(file.entry.path)
                self._sum.report(Problem("stored-damaged", place, error.message, "", "error", 1, count))

    def _in_turn(self) -> Iterator[tuple[Leaving, Ready | None]]:
        """The files, with what was made ready of them where the format can do that."""
        if not self._outgoing.prepares:
            if not self._counted_losses:
                self.count_losses()
            yield from ((file, None) for file in self._files)
            return
        for file, ready in work_through(self._outgoing.ready, self._files):
            if not self._counted_losses:
                self._losses.update(ready.losses)
            yield file, ready
        self._note_losses()

    def _record(self, file: Leaving, ready: Ready | None, writer: FolderWriter) -> FileRecord:
        if ready is not None and ready.damage:
            raise Corruption("object-damaged", ready.damage)
        original = original_of(self._wanted.originals, file.entry) if self._wanted.originals else None
        content = self._content(file, original)
        if ready is not None and ready.prepared is not None:
            record = self._outgoing.waiting(file, ready)
            self._sum.labels |= ready.labels
        else:
            record = self._outgoing.record(file, content)
            self._sum.labels.update(instance.label for instance in record.instances)
        if content is not None and self._format.place(record):
            self._put_picture(record, content, file.entry, original, writer)
        return record

    def _content(self, file: Leaving, original: Original | None) -> bytes | None:
        """The bytes of a file that go along; None where none do. Raises Corruption, also where it has no size."""
        if original is not None:
            return original.content
        if self._wanted.pictures == "none" and file.size is not None:
            return None
        content = b"".join(file.state.objects.read_blob(file.entry.state.blob))
        return None if self._wanted.pictures == "none" else content

    def _put_picture(
        self, record: FileRecord, content: bytes, entry: Entry, original: Original | None, writer: FolderWriter
    ) -> None:
        place = checked(self._format.place(record))
        if place in self._places:
            raise Refused("file-exists", f"Two of the files would be {place!r} in the export.", path=place)
        self._places.add(place)
        if self._wanted.pictures == "link" and self._is_linked(entry, original, writer, place):
            self._result.linked_files += 1
            return
        writer.write(place, [content], new=True)
        self._result.copied_files += 1
        self._result.written_bytes += len(content)

    def _is_linked(self, entry: Entry, original: Original | None, writer: FolderWriter, place: str) -> bool:
        blob = entry.state.blob
        if original is not None:
            return link_original(self._repository, original, blob, writer, place)
        return clone_stored(self._repository, blob, writer, place)
