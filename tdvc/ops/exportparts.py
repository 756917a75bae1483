"""Which files an export is of: states whole or narrowed, or what changed of one since another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tdvc.errors import Usage
from tdvc.formats.base import WritableFormat
from tdvc.ops.exportmanifest import ENGINE_FORMATS
from tdvc.ops.exportsince import changed_since, other_words
from tdvc.ops.outgoing import Leaving, classes_of
from tdvc.ops.pictures import Pictures, blob_array, picture_of
from tdvc.ops.progress import Progress
from tdvc.ops.select import select
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository
from tdvc.repo.revision import parse_selector


@dataclass(frozen=True, slots=True)
class Part:
    """One state and the files of it that go out.

    Attributes:
        state: the state.
        selected: the files that were asked for; None for all.
        entries: those of them that go out.
        split: that they go into.
        skipped_files: files that were asked for and are not declared complete.
        before: the state that the export begins with; None where everything is exported.
        removed: files of that state that are not exported any more.
    """

    state: Directory
    selected: list[Entry] | None
    entries: list[Entry]
    split: str = ""
    skipped_files: int = 0
    before: Directory | None = None
    removed: list[Entry] = field(default_factory=list)


def whole_part(repository: Repository, revision: str, several: bool, everything: bool, where: str | None) -> Part:
    """What of a state goes out; with several each is a split. Raises NotFound, Usage (bad-query)."""
    state, entries = select(repository, revision, where=where)
    chosen = [entry for entry in entries if everything or entry.state.complete]
    split = state.title.rstrip("@") if several else ""
    selected = None if len(entries) == state.counts.files else entries
    return Part(state, selected, chosen, split, len(entries) - len(chosen))


def check_since(chosen: WritableFormat, revisions: Sequence[str], where: str | None) -> None:
    """Raises Usage (bad-usage) where what changed can't be said alone."""
    if chosen.NAME not in ENGINE_FORMATS:
        message = f"{chosen.TITLE} has no way to say that a file changed or is gone."
        raise Usage("bad-usage", message, hint=f"--since goes with {', '.join(ENGINE_FORMATS)}.")
    if len(revisions) != 1 or where is not None or parse_selector(revisions[0]).pattern:
        raise Usage("bad-usage", "--since goes with one whole state: without a path, a query or splits.")


def changed_part(
    repository: Repository, revision: str, since: str, format_name: str, everything: bool, progress: Progress
) -> Part:
    """What of a state is not as it was. Raises NotFound (unknown-revision)."""
    before, after = repository[since], repository[parse_selector(revision).revision]
    renamed = other_words(classes_of([before], format_name), classes_of([after], format_name), format_name)
    found = changed_since(before, after, everything=everything, renamed=renamed, progress=progress)
    skipped = after.counts.files - exportable(after, everything)
    return Part(after, None, found.written, "", skipped, before, found.removed)


def exportable(state: Directory, everything: bool) -> int:
    """How many files a full export of a state has."""
    return state.counts.files if everything else state.counts.complete


def speaks(part: Part, everything: bool) -> bool:
    """Whether there is anything to export: of what changed, files in the earlier state or the later one will do."""
    if part.before is None:
        return bool(part.entries)
    return any(exportable(state, everything) for state in (part.before, part.state))


def leaving(repository: Repository, parts: Sequence[Part], progress: Progress) -> list[Leaving]:
    """The files that go out, with their sizes, which are read where nothing is known of them yet."""
    files = [(part, entry) for part in parts for entry in part.entries]
    blobs = blob_array([entry.state.blob for _, entry in files])
    pictures = Pictures(repository)
    pictures.learn(blobs, watcher=progress)
    sizes = [picture_of(fact).size for fact in pictures.known(blobs)[0]]
    return [Leaving(part.state, entry, part.split, size) for (part, entry), size in zip(files, sizes, strict=True)]
