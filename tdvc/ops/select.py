"""Which files a selector such as `Pets:*.jpg` means.

After the colon: the exact path of a file; a folder, for all below it; or a glob, where `*` also crosses `/`, as in
git's path patterns. An exact path comes first, so that a name with a bracket in it can be reached.
"""

from __future__ import annotations

import fnmatch
import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tdvc.errors import NotFound
from tdvc.ids import NO_ID, Kind, canonical_json
from tdvc.names import printable
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository
from tdvc.repo.revision import parse_selector

if TYPE_CHECKING:
    from tdvc.query.parser import Query

_GLOB = re.compile(r"[*?\[]")


def select(
    repository: Repository, selector: str, *, label: str | None = None, where: str | Query | None = None
) -> tuple[Directory, list[Entry]]:
    """The state a selector names and the files of it that it means, ordered by path.

    Args:
        repository: the repository.
        selector: `REV[:PATH-or-glob]`.
        label: only files with at least one such instance.
        where: only files that a query means (`docs/query.md`).

    Raises:
        NotFound: unknown-revision; file-not-found where a pattern, a label or a query fits nothing.
        Usage: bad-query.
    """
    revision, pattern = parse_selector(selector)
    directory = repository[revision]
    entries = list(narrowed(repository, directory, pattern, label, where))
    if not entries and (pattern or label or where):
        wanted = f"file {pattern!r}" if pattern else "file"
        with_label_text = f" with an instance labelled {label!r}" if label else ""
        with_label_text += " that the query means" if where else ""
        raise NotFound(
            "file-not-found",
            f"{directory.title} has no {printable(wanted)}{with_label_text}.",
            hint=_known_labels(directory) if label or where else f"tdvc ls {directory.title}",
            pattern=pattern,
            label=label,
        )
    return directory, entries


def unknown_labels(directory: Directory, label: str | None, where: str | None) -> list[str]:
    """The labels that somebody asks for and the schema of a state does not know: maybe they are misspelt."""
    asked = {label} if label is not None else set()
    if where is not None:
        asked |= importlib.import_module("tdvc.query.parser").parse(where).labels
    schema = directory.schema
    return sorted(name for name in asked if schema.key_of(name) is None)


def _known_labels(directory: Directory) -> str:
    known = ", ".join(sorted(directory.schema.labels)[:12])
    return f"Known labels: {known}." if known else ""


def matching(directory: Directory, pattern: str) -> Iterator[Entry]:
    """The entries that a path, folder or glob means; all of them where it is empty."""
    if not pattern:
        yield from directory.entries()
        return
    exact = directory.entries_at([pattern])
    if exact:
        yield from exact.values()
        return
    found = _GLOB.search(pattern)
    if not found:
        yield from directory.entries(pattern.rstrip("/") + "/")
        return
    fits = re.compile(fnmatch.translate(pattern)).match
    for entry in directory.entries(pattern[: found.start()]):
        if fits(entry.path):
            yield entry


def narrowed(
    repository: Repository,
    directory: Directory,
    pattern: str,
    label: str | None,
    where: str | Query | None,
) -> Iterator[Entry]:
    """The entries that a pattern means, that have a label, and that a query means.

    Raises:
        Usage: bad-query, before the first one is asked for.
        NotFound: for a name in the query that is not there.
    """
    if where is None:
        return with_label(directory, matching(directory, pattern), label)
    querying = importlib.import_module("tdvc.ops.querying")  # numpy, which other selections do without
    found = matching(directory, pattern) if pattern else None
    return with_label(directory, querying.with_where(repository, directory, found, where), label)


def path_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is one of `patterns`, below one of them, or fits one as a glob; always, where there are none."""
    if not patterns:
        return lambda _: True
    exact = {pattern.rstrip("/") for pattern in patterns}
    folders = tuple(f"{pattern}/" for pattern in exact)
    globs = [re.compile(fnmatch.translate(pattern)).match for pattern in patterns if _GLOB.search(pattern)]
    return lambda path: path in exact or path.startswith(folders) or any(fits(path) for fits in globs)


def with_label(directory: Directory, entries: Iterable[Entry], label: str | None) -> Iterator[Entry]:
    """Those entries that have at least one instance with a label, given by key, name or alias."""
    if label is None:
        yield from entries
        return
    label = directory.schema.key_of(label) or label
    needle = b'"label":' + canonical_json(label)
    for entry in entries:
        if entry.state.instances == NO_ID or needle not in directory.objects.read(
            Kind.INSTANCES, entry.state.instances
        ):
            continue
        if any(instance.label == label for instance in directory.instances(entry)):
            yield entry
