"""`checkout`: a state as files in a folder, verified while it is written.

The folder gets the files under their paths, and beside them

    instances.jsonl   the annotation, one file a line (format `tdvc-jsonl`)
    schema.json       the schema
    SHA256SUMS        for `sha256sum -c`
    .tdvc-checkout    what was written, for `status`, `--update` and bringing edits back

A file that tdvc did not write is never written over: what stands in the way is named before the first byte is written.
The record is written before the files as a plan, and after them as the truth, so a checkout that was interrupted is
taken up where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tdvc.errors import Corruption, NotFound, Refused, Usage
from tdvc.formats import tdvc_jsonl
from tdvc.formats.base import FileRecord
from tdvc.ids import ObjectId
from tdvc.model.problems import Problem
from tdvc.names import folding_key, path_problem, printable
from tdvc.objects.store import LARGE_BYTES
from tdvc.ops.checkoutrecord import ANNOTATION_FILES, CheckoutRecord, checkout_record, edited_annotation_files
from tdvc.ops.progress import Progress, silent
from tdvc.ops.select import narrowed
from tdvc.ops.statcache import RECORD_FILE, StatCache
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, properties_of
from tdvc.repo.repository import FOLDER, Repository
from tdvc.storage.folder import FileChanged, FolderWriter, Found, is_temporary, read_pieces
from tdvc.workers import spread, worker_count

_BATCH_FILES = 64
_FILES_WORTH_WORKERS = 1000
LINK_MODES = ("auto", "reflink", "hardlink", "copy")


@dataclass(slots=True)
class CheckoutResult:
    """What became of the folder.

    Attributes:
        revision: what was checked out.
        folder: where to.
        written_files: files that were written or linked.
        unchanged_files: files that were as they should be.
        removed_files: files of the former state that left the folder, with `update`.
        written_bytes: their bytes.
        problems: files whose stored bytes are damaged; they are not written.
    """

    revision: str
    folder: str
    written_files: int = 0
    unchanged_files: int = 0
    removed_files: int = 0
    written_bytes: int = 0
    problems: list[Problem] = field(default_factory=list)


def checkout(
    repository: Repository,
    revision: str,
    folder: Path,
    *,
    link: str = "auto",
    only: str | None = None,
    label: str | None = None,
    where: str | None = None,
    update: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> CheckoutResult:
    """Write a state into a folder.

    Args:
        repository: the repository.
        revision: which state.
        folder: empty, missing, or checked out before.
        link: how large files (of 8 MiB and more, stored one by one) come: `reflink` and `hardlink` share their bytes
            with the store, `copy` never does, `auto` tries a reflink. Small ones are always written.
        only: only files that this path, folder or glob means.
        label: only files with at least one such instance.
        where: only files that a query means.
        update: turn an earlier checkout into this one: rewrite what differs, remove what is not in it.
        dry_run: only count.
        progress: told how far it is.

    Raises:
        Refused: checkout-in-the-way.
        NotFound: unknown-revision; file-not-found, where `only`, `label` or `where` fits nothing.
        Usage: bad-usage, bad-query.
    """
    if link not in LINK_MODES:
        raise Usage("bad-usage", f"--link must be one of {', '.join(LINK_MODES)}.")
    state = repository[revision]
    entries = list(narrowed(repository, state, only or "", label, where))
    if not entries and (only or label or where):
        wanted = f"file {only!r}" if only else f"file with an instance labelled {label!r}" if label else "such file"
        raise NotFound("file-not-found", f"{state.title} has no {printable(wanted)}.", pattern=only, label=label)
    plan = _plan(state, entries, folder, update=update)
    plan.narrowed = bool(only or label or where)
    if dry_run:
        return plan.expected()
    return _Checkout(repository, state, plan, link, progress).run()


@dataclass(slots=True)
class _Plan:
    """What is to happen in the folder.

    Attributes:
        stats: the look of the files that stay as they are.
        standing: the look of every file of ours that stands there before anything happens.
        over: whether there was a checkout in the folder before, finished or not.
    """

    revision: str
    folder: Path
    entries: list[Entry]
    write: list[Entry]
    gone: list[str]
    stats: StatCache
    unchanged: int
    standing: StatCache = field(default_factory=StatCache)
    narrowed: bool = False
    over: bool = False

    def expected(self) -> CheckoutResult:
        """The result, were it carried out."""
        result = CheckoutResult(self.revision, str(self.folder))
        result.written_files = len(self.write)
        result.unchanged_files = self.unchanged
        result.removed_files = len(self.gone)
        result.written_bytes = sum(entry.state.size_bytes for entry in self.write)
        return result


def _plan(state: Directory, entries: list[Entry], folder: Path, *, update: bool) -> _Plan:
    """Find out what must be written, and refuse before anything is where something is in the way."""
    _refuse_unwritable(entries)
    if os.path.lexists(folder) and not folder.is_dir():
        raise Refused("checkout-in-the-way", f"{str(folder)!r} is not a folder.", path=str(folder))
    if (folder / FOLDER).exists():
        raise Refused("checkout-in-the-way", f"{str(folder)!r} holds a repository.", hint="Choose another folder.")
    record = checkout_record(folder) if folder.is_dir() else None
    if record is None:
        there = [place.name for place in folder.iterdir()] if folder.is_dir() else []
        if not all(map(is_temporary, there)):
            raise Refused(
                "checkout-in-the-way",
                f"{str(folder)!r} is not empty, and tdvc did not write what is there.",
                hint="Choose a new folder.",
                path=str(folder),
            )
        return _Plan(state.title, folder, entries, entries, [], StatCache(), 0, over=bool(there))
    if record.root != state.root.hex() and not update:
        raise Refused(
            "checkout-in-the-way",
            f"{str(folder)!r} holds {record.revision!r} in another state.",
            hint="--update turns it into the one you asked for.",
            path=str(folder),
        )
    return _plan_over(state, entries, folder, record, update=update)


def _plan_over(state: Directory, entries: list[Entry], folder: Path, record: CheckoutRecord, *, update: bool) -> _Plan:
    writer = FolderWriter(str(folder))
    edited = []
    write = []
    stats, standing = StatCache(), StatCache()
    try:
        for entry in entries:
            found = writer.look(entry.path)
            held = _blob_at(folder, found, record) if found is not None else None
            if found is not None and held == entry.state.blob:
                stats.remember(found, entry.state.blob)
                standing.remember(found, entry.state.blob)
                continue
            recorded = record.stats.recorded_blob(entry.path)
            cut_short = not record.finished and recorded is None and _is_cut_short(state, entry, folder, found)
            if found is not None and recorded is not None and held == recorded:
                standing.remember(found, recorded)
            elif found is not None and not cut_short:
                edited.append(entry.path)
            write.append(entry)
        wanted = {entry.path for entry in entries}.union(ANNOTATION_FILES)
        gone: list[str] = []
        for path in record.stats.paths() if update or not record.finished else ():
            if path not in wanted and (found := writer.look(path)) is not None:
                recorded = record.stats.recorded_blob(path)
                if recorded is not None and _blob_at(folder, found, record) == recorded:
                    standing.remember(found, recorded)
                    gone.append(path)
                else:
                    edited.append(path)
    finally:
        writer.close()
    annotations = edited_annotation_files(folder, record)
    edited += annotations
    if edited:
        more = f" and {len(edited) - 3} more" if len(edited) > 3 else ""
        names = ", ".join(printable(path) for path in edited[:3])
        raise Refused(
            "checkout-in-the-way",
            f"In {str(folder)!r} tdvc did not write {names}{more} as they are now; nothing was changed.",
            hint=f"tdvc add {folder} -d {record.directory} brings edits back; or check out into a new folder.",
            paths=edited,
        )
    return _Plan(state.title, folder, entries, write, gone, stats, len(entries) - len(write), standing, over=True)


def _blob_at(folder: Path, found: Found, record: CheckoutRecord) -> bytes | None:
    """The blob a file holds, by its look or else by reading it; None where it does not hold still."""
    known = record.stats.blob_of(found)
    if known is not None:
        return known
    digest = hashlib.sha256()
    try:
        for piece in read_pieces(f"{folder}/{found.path}", found):
            digest.update(piece)
    except (OSError, FileChanged):
        return None
    return digest.digest()


def _is_cut_short(state: Directory, entry: Entry, folder: Path, found: Found | None) -> bool:
    """Whether a file holds the beginning of what belongs there, as an interrupted checkout leaves it."""
    if found is None or found.size_bytes >= entry.state.size_bytes:
        return False
    content = (folder / entry.path).read_bytes()
    whole = b"".join(state.objects.read_blob(entry.state.blob))
    return whole.startswith(content)


def _refuse_unwritable(entries: list[Entry]) -> None:
    for entry in entries:
        problem = path_problem(entry.path)
        if problem is None and entry.path.partition("/")[0] in (*ANNOTATION_FILES, RECORD_FILE):
            problem = "is the name of a file that checkout writes itself"
        if problem:
            raise Refused("checkout-in-the-way", f"The path {entry.path!r} {problem}.", path=entry.path)


def _refuse_folding(folder: Path, entries: list[Entry]) -> None:
    """Where the file system takes two paths for one, say so instead of losing a file."""
    keys: dict[str, str] = {}
    for entry in entries:
        first = keys.setdefault(folding_key(entry.path), entry.path)
        if first != entry.path and _folds(folder):
            raise Refused(
                "checkout-in-the-way",
                f"This file system takes {first!r} and {entry.path!r} for one name.",
                path=entry.path,
            )


def _folds(folder: Path) -> bool:
    probe = folder / ".tdvc-Probe"
    probe.touch()
    try:
        return (folder / ".tdvc-pROBE").exists()
    finally:
        probe.unlink()


class _Checkout:
    """Carries a plan out."""

    def __init__(self, repository: Repository, state: Directory, plan: _Plan, link: str, progress: Progress) -> None:
        self._repository = repository
        self._state = state
        self._plan = plan
        self._link = link
        self._progress = progress
        self._done = 0
        self._result = CheckoutResult(plan.revision, str(plan.folder), unchanged_files=plan.unchanged)
        self._record = CheckoutRecord(
            revision=plan.revision,
            directory=state.name,
            root=state.root.hex(),
            schema=state.schema_id.hex(),
            finished=False,
            narrowed=plan.narrowed,
            stats=plan.stats,
        )
        self._writer = FolderWriter(str(plan.folder))

    def run(self) -> CheckoutResult:
        try:
            _refuse_folding(self._plan.folder, self._plan.entries)
            if self._plan.over:
                self._make_ready()
            self._writer.write(RECORD_FILE, [replace(self._record, stats=self._plan.standing).encode()])
            self._write_files()
            for path in self._plan.gone:
                self._writer.remove(path)
                self._result.removed_files += 1
            self._write_annotations()
            self._record.finished = True
            self._settle()
            self._writer.write(RECORD_FILE, [self._record.encode()])
        finally:
            self._writer.close()
        return self._result

    def _make_ready(self) -> None:
        """Sweep up after a checkout that was killed, and let the look of what stands there be relied on if this is."""
        changing = [*(entry.path for entry in self._plan.write), *self._plan.gone]
        for folder in sorted({"", *(path.rpartition("/")[0] for path in changing)}):
            self._writer.sweep(folder)
        if changing:
            self._settle()

    def _settle(self) -> None:
        """Wait until the clock has moved on from the last file's, so that every file's look can be relied on."""
        time.sleep(0.025)

    def _write_files(self) -> None:
        entries = self._plan.write
        workers = worker_count() if len(entries) >= _FILES_WORTH_WORKERS else 1
        batches = _batches_apart(entries, workers)
        for batch, outcomes in zip(batches, spread(self._write_batch, batches, workers=workers), strict=True):
            for entry, outcome in zip(batch, outcomes, strict=True):
                self._take_down(entry, outcome)
            self._done += len(batch)
            self._progress("writing", self._done, len(entries))

    def _write_batch(self, batch: Sequence[Entry], slot: int) -> list[Found | Problem]:
        """Write files; runs in a worker where there are many."""
        del slot
        return [self._write(entry) for entry in batch]

    def _write(self, entry: Entry) -> Found | Problem:
        try:
            return self._linked(entry) or self._written(entry)
        except Corruption as error:
            return Problem("stored-damaged", printable(entry.path), error.message)

    def _take_down(self, entry: Entry, outcome: Found | Problem) -> None:
        if isinstance(outcome, Problem):
            self._result.problems.append(outcome)
            return
        self._record.stats.remember(outcome, entry.state.blob)
        self._result.written_files += 1
        self._result.written_bytes += entry.state.size_bytes

    def _linked(self, entry: Entry) -> Found | None:
        small = entry.state.size_bytes < LARGE_BYTES
        if small or self._link == "copy" or self._record.stats.recorded_blob(entry.path) is not None:
            return None
        stored = self._repository.objects.single_file(entry.state.blob)
        if stored is None or self._repository.path is None:
            return None
        for _ in self._repository.objects.read_single(entry.state.blob):
            pass  # what is linked is verified too
        source = f"{self._repository.path}/{FOLDER}/{stored}"
        try:
            return self._writer.link(entry.path, source, reflink=self._link != "hardlink")
        except OSError:
            return None

    def _written(self, entry: Entry) -> Found:
        read = self._repository.objects.read_blob
        try:
            return self._writer.write(entry.path, read(entry.state.blob), new=True)
        except FileExistsError:
            return self._writer.write(entry.path, read(entry.state.blob))

    def _write_annotations(self) -> None:
        damaged = {problem.place for problem in self._result.problems}
        entries = [entry for entry in self._plan.entries if printable(entry.path) not in damaged]
        schema = json.dumps(json.loads(self._state.schema.encode()), indent=2, sort_keys=True, ensure_ascii=False)
        contents: tuple[tuple[str, Iterable[bytes]], ...] = (
            (ANNOTATION_FILES[0], tdvc_jsonl.lines(records_of(self._state, entries))),
            (ANNOTATION_FILES[1], [schema.encode() + b"\n"]),
            (ANNOTATION_FILES[2], checksum_lines(entries)),
        )
        for name, pieces in contents:
            digest = hashlib.sha256()
            found = self._writer.write(name, _gathered(pieces, digest))
            self._record.stats.remember(found, ObjectId(digest.digest()))


def _batches_apart(entries: Sequence[Entry], workers: int) -> list[Sequence[Entry]]:
    """Batches, of which every worker gets a run of its own: in one folder they would wait for each other."""
    batches = [entries[start : start + _BATCH_FILES] for start in range(0, len(entries), _BATCH_FILES)]
    share = max(1, -(-len(batches) // workers))
    runs = [batches[start : start + share] for start in range(0, len(batches), share)]
    return [batch for turn in zip_longest(*runs) for batch in turn if batch is not None]


def _gathered(pieces: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    """The same bytes in pieces of at least 1 MiB, hashed on the way."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= 1 << 20:
            digest.update(waiting)
            yield bytes(waiting)
            waiting.clear()
    digest.update(waiting)
    yield bytes(waiting)


def records_of(state: Directory, entries: Iterable[Entry]) -> Iterator[FileRecord]:
    """The annotation of files as the formats describe it."""
    for entry in entries:
        properties = properties_of(entry.state)
        yield FileRecord(
            path=entry.path,
            source=None,
            instances=state.instances(entry),
            properties=properties,
            complete=bool(entry.state.complete),
            file_id=entry.state.file_id.hex(),
            blob=entry.state.blob.hex(),
        )


def checksum_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    r"""Lines for `sha256sum -c`; a name with a newline or backslash is escaped, and the line starts with `\`.

    Source: GNU coreutils, "cksum general options".
    """
    for entry in entries:
        name = entry.path.encode()
        escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
        yield (b"\\" if escaped != name else b"") + entry.state.blob.hex().encode() + b"  " + escaped + b"\n"
