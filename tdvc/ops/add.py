"""`add`: raw files into a directory.

A path that is new gets a new file; a path that is there keeps its file, with new bytes where they differ, so that its
instances stay. With `sync`, what is gone from the folder leaves the directory too. What the last `add` of the same
folder saw is cached, and an unchanged folder costs little more than the walk.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import xxhash

from tdvc.errors import NotFound, Refused, Usage
from tdvc.ids import ObjectId
from tdvc.model.problems import Problem
from tdvc.names import RESERVED_AT_TOP, check_path, folding_key, printable
from tdvc.ops.intake import Arrived, Arriving, covers, take_in
from tdvc.ops.progress import Progress, silent
from tdvc.ops.statcache import RECORD_FILE, StatCache
from tdvc.repo.directory import Directory
from tdvc.repo.entry import FileState, state_of
from tdvc.repo.repository import Repository
from tdvc.repo.transaction import Transaction
from tdvc.storage.folder import Found, Ignore, Skipped, look, walk
from tdvc.tables.page import Row

IGNORE_FILE = ".tdvcignore"


@dataclass(slots=True)
class AddResult:
    """What `add` did.

    Attributes:
        directory: its name.
        added_files: paths that are new.
        replaced_files: paths whose bytes changed.
        unchanged_files: paths that were there with the same bytes.
        removed_files: paths that left the directory, with `sync`.
        moved_files: paths of a checked-out folder that were renamed in it, with `sync`.
        marked_files: files whose completeness mark was edited in a checked-out folder.
        annotated_files: files whose instances were edited in a checked-out folder.
        hidden: how many hidden files and folders were left out.
        new_blob_bytes: bytes that the store did not have.
        problems: what could not be added, and what looks odd.
        operation: the operation, None where nothing changed.
    """

    directory: str
    added_files: int = 0
    replaced_files: int = 0
    unchanged_files: int = 0
    removed_files: int = 0
    moved_files: int = 0
    annotated_files: int = 0
    marked_files: int = 0
    hidden: int = 0
    new_blob_bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    operation: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """Something to add: a folder, or files in one."""

    root: str
    prefix: str
    files: list[Found]
    whole_folder: bool


def add(
    repository: Repository,
    sources: Iterable[Path],
    directory: str | None = None,
    *,
    at: str = "",
    sync: bool = False,
    reread: bool = False,
    dry_run: bool = False,
    progress: Progress = silent,
) -> AddResult:
    """Add files, and the files below folders, to a directory.

    Args:
        repository: the repository.
        sources: files and folders. A folder's files are named relative to it, a file by its name.
        directory: the current one where None; for a checked-out folder the one it was checked out from.
        at: a prefix put before every path.
        sync: take out what a source folder no longer has, below `at`; needs exactly one folder.
        reread: read every file again, whatever the cache says; this also heals what is damaged in the store.
        dry_run: only count.
        progress: told how far it is.

    A folder that tdvc checked out brings back what was edited in it, `instances.jsonl` too (see `ops.bringback`).

    Raises:
        NotFound: source-not-found, directory-not-found.
        Usage: bad-path, bad-usage.
        Refused: file-exists, where two sources have a file at the same path; folder-in-the-way.
        Conflict: edited-both-sides, changed-meanwhile.
    """
    sources = [Path(source) for source in sources]
    checked_out = len(sources) == 1 and not at and (sources[0] / RECORD_FILE).is_file()
    target = repository.directory(_home_of(repository, sources[0], directory) if checked_out else directory)
    result = AddResult(target.name)
    prefix = check_path(at.rstrip("/")) + "/" if at else ""
    if sync and (len(sources) != 1 or not sources[0].is_dir()):
        raise Usage("bad-usage", "--sync needs exactly one folder.")
    if checked_out:
        return _bring_back(repository, target, sources[0], result, sync=sync, dry_run=dry_run, progress=progress)
    gathered = [_gather(source, prefix, result) for source in sources]
    _refuse_shared_paths(gathered)
    started_ns = time.time_ns()
    caches = [_Cache(repository, source, target) for source in gathered]
    if not sync and not reread and all(cache.proves_nothing_to_do(target) for cache in caches):
        result.unchanged_files = sum(len(source.files) for source in gathered)
        return result
    with repository.transaction(_title("add", sources, target.name)) as edit:
        for source, cache in zip(gathered, caches, strict=True):
            present = rows_at(target, [source.prefix + found.path for found in source.files])
            if reread:
                cache.stats = StatCache()
            changed = _not_vouched_for(source, cache, present, result)
            arrived = []
            for file in take_in(edit.writer, changed, result.problems.append, progress):
                cache.remember(file.found, file.blob)
                arrived.append(file)
            place_files(edit, target, arrived, present, result)
            if sync:
                _remove_gone(edit, target, source, result)
        _report_case_collisions(gathered, result)
        result.new_blob_bytes = edit.writer.new_blob_bytes
        if dry_run:
            edit.discard()
            return result
        result.operation = edit.publish()
    final = repository.directory(target.name)
    for cache in caches:
        cache.save(final, started_ns)
    return result


def _home_of(repository: Repository, folder: Path, directory: str | None) -> str | None:
    """The directory that a checked-out folder came from, unless another one is named or it is gone."""
    from tdvc.ops.checkoutrecord import checkout_record  # noqa: PLC0415 (for checked-out folders only)

    record = checkout_record(folder) if directory is None else None
    return record.directory if record is not None and record.directory in repository.view.directories else directory


def _bring_back(
    repository: Repository,
    target: Directory,
    folder: Path,
    result: AddResult,
    *,
    sync: bool,
    dry_run: bool,
    progress: Progress,
) -> AddResult:
    from tdvc.ops.bringback import BringBack  # noqa: PLC0415 (21 ms for formats that most runs do not need)

    edits = BringBack(repository, target, folder)
    here = walk(str(folder), lambda skipped: _note(skipped, result), ignore_of(folder), edits.hidden_paths())
    with repository.transaction(_title("add", [folder], target.name)) as edit:
        edits.note(edit, here, list(result.problems), sync=sync, progress=progress)
        result.new_blob_bytes = edit.writer.new_blob_bytes
        if dry_run:
            edit.discard()
        else:
            result.operation = edit.publish()
    if not dry_run:
        edits.settle(repository, edit.view, result.operation)
    result.added_files, result.replaced_files = edits.added_files, edits.replaced_files
    result.unchanged_files, result.removed_files = edits.unchanged_files, edits.removed_files
    result.annotated_files, result.marked_files = edits.files, edits.marked_files
    result.moved_files = edits.moved_files
    result.problems += edits.problems
    return result


def _title(verb: str, sources: Iterable[Path], directory: str) -> str:
    return f"{verb} {' '.join(printable(source.name or str(source)) for source in sources)} -d {directory}"


def _gather(source: Path, prefix: str, result: AddResult) -> _Source:
    try:
        if source.is_dir():
            files = walk(str(source), lambda skipped: _note(skipped, result), ignore_of(source))
            if not prefix:
                files = _without_reserved(files, result)
            return _Source(str(source), prefix, files, whole_folder=True)
        found = look(str(source))
    except OSError as error:
        raise NotFound("source-not-found", f"{str(source)!r} does not exist.", path=str(source)) from error
    if found is None:
        code = "skipped-symlink" if source.is_symlink() else "skipped-special"
        _note(Skipped(source.name, code, "not a regular file"), result)
        return _Source(str(source.parent), prefix, [], whole_folder=False)
    if source.name.startswith("."):
        _note(Skipped(source.name, "skipped-other", "hidden files are not added"), result)
        return _Source(str(source.parent), prefix, [], whole_folder=False)
    check_path(prefix + source.name)
    return _Source(str(source.parent), prefix, [found._replace(path=source.name)], whole_folder=False)


def _without_reserved(files: list[Found], result: AddResult) -> list[Found]:
    """The files less those that would stand in the way of what a checkout writes."""
    reserved = [found for found in files if found.path in RESERVED_AT_TOP]
    for found in reserved:
        _note(Skipped(found.path, "bad-name", "checkout writes a file of that name itself; use --at FOLDER"), result)
    return [found for found in files if found.path not in RESERVED_AT_TOP] if reserved else files


def _refuse_shared_paths(sources: list[_Source]) -> None:
    """Two files can't come to one path; better to say so than to lose one of them."""
    taken: set[str] = set()
    for source in sources if len(sources) > 1 else ():
        paths = {found.path for found in source.files}
        if shared := sorted(taken & paths):
            raise Refused(
                "file-exists",
                f"Two of the sources have a file {shared[0]!r}.",
                hint="Add them one after the other, or each with its own --at.",
                path=source.prefix + shared[0],
            )
        taken |= paths


def _note(skipped: Skipped, result: AddResult) -> None:
    if skipped.code == "skipped-hidden":
        result.hidden += 1
        return
    message = f"Left out: {skipped.reason}."
    result.problems.append(Problem(skipped.code, printable(skipped.path), message, dropped_files=1))


def ignore_of(folder: Path) -> Ignore | None:
    """The patterns of `.tdvcignore` in `folder`, in gitignore's syntax; None where there are none."""
    try:
        lines = (folder / IGNORE_FILE).read_text().splitlines()
    except (OSError, ValueError):
        return None
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 (16 ms that most runs do not need)

    spec = GitIgnoreSpec.from_lines(lines)
    return lambda path: spec.match_file(path)


class _Cache:
    """The stat cache of one source folder."""

    def __init__(self, repository: Repository, source: _Source, target: Directory) -> None:
        self._repository = repository
        self._source = source
        key = xxhash.xxh3_64_hexdigest(os.path.realpath(source.root).encode(errors="surrogateescape"))
        self._name = f"cache/stat/{key}"
        self._place = f"{target.name}:{source.prefix}"
        self.stats = StatCache()
        self._dirty = False
        if source.whole_folder:
            with contextlib.suppress(FileNotFoundError):
                self.stats = StatCache.decode(repository.storage.read(self._name))

    def proves_nothing_to_do(self, target: Directory) -> bool:
        """Whether the directory is as the last add left it, and so is every file of the folder."""
        fact = self.stats.fact
        if fact.get("place") != self._place or fact.get("root") != target.root.hex():
            return False
        return self.stats.knows_all(self._source.files)

    def remember(self, found: Found, blob: ObjectId) -> None:
        """A file was read."""
        self._dirty = True
        self.stats.remember(found, blob)

    def save(self, target: Directory, started_ns: int) -> None:
        """Write the cache, if there is anything new in it."""
        fact = {"place": self._place, "root": target.root.hex()}
        if self._source.whole_folder and (self._dirty or self.stats.fact != fact):
            self.stats.fact = fact
            self._repository.storage.replace_cache(self._name, self.stats.encode(started_ns))


def rows_at(target: Directory, paths: list[str]) -> dict[bytes, Row]:
    """The rows of a directory at those of `paths` that are there."""
    return target.table.get_many(path.encode() for path in paths) if target.counts.files else {}


def _not_vouched_for(source: _Source, cache: _Cache, present: dict[bytes, Row], result: AddResult) -> list[Arriving]:
    """The files that must be read: all but those whose cached blob is what the directory holds."""
    unknown = []
    for found in source.files:
        path = source.prefix + found.path
        row = present.get(path.encode())
        if row is not None and cache.stats.blob_of(found) == row[2]:
            result.unchanged_files += 1
        else:
            unknown.append(Arriving(path, f"{source.root}/{found.path}", found))
    return unknown


def place_files(
    edit: Transaction, target: Directory, arrived: list[Arrived], present: dict[bytes, Row], result: AddResult
) -> None:
    """Note what the directory gains and which of its files get new bytes."""
    new = []
    for file in arrived:
        row = present.get(file.path.encode())
        if row is None:
            new.append(file)
        elif row[2] == file.blob:
            result.unchanged_files += 1
        else:
            size = file.found.size_bytes
            edit.set_state(state_of(row)._replace(blob=file.blob, size_bytes=size, media_type=file.media_type))
            result.replaced_files += 1
    identities = edit.fresh_ids(target.name, [(file.path, file.blob) for file in new])
    for file, identity in zip(new, identities, strict=True):
        state = FileState(identity, file.blob, file.found.size_bytes, media_type=file.media_type)
        edit.put(target.name, file.path, state)
    result.added_files += len(new)


def _remove_gone(edit: Transaction, target: Directory, source: _Source, result: AddResult) -> None:
    here = {source.prefix + found.path for found in source.files}
    unread = [problem.place for problem in result.problems if problem.dropped_files]
    for entry in target.entries(source.prefix):
        if entry.path not in here and not covers(unread, entry.path.removeprefix(source.prefix)):
            edit.take_out(target.name, entry.path)
            result.removed_files += 1


def _report_case_collisions(sources: list[_Source], result: AddResult) -> None:
    for source in sources:
        paths = [found.path for found in source.files]
        if len({folding_key(path) for path in paths}) == len(paths):
            continue
        seen: dict[str, str] = {}
        for path in paths:
            first = seen.setdefault(folding_key(path), path)
            if first != path:
                message = f"Some file systems take it for {first!r}; a checkout there will be refused."
                result.problems.append(Problem("case-collision", printable(path), message, severity="warning"))
