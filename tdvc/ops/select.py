"""Which files a selector such as `Pets:*.jpg` means.

After the colon: the exact path of a file; a folder, for all below it; or a glob, where `*` also crosses `/`, as in
git's path patterns. An exact path comes first, so that a name with a bracket in it can be reached.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from tdvc.errors import NotFound
from tdvc.ids import NO_ID, Kind, canonical_json
from tdvc.names import printable
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository
from tdvc.repo.revision import parse_selector

_GLOB = re.compile(r"[*?\[]")


def select(repository: Repository, selector: str, *, label: str | None = None) -> tuple[Directory, list[Entry]]:
    """The state a selector names and the files of it that it means, ordered by path.

    Raises:
        NotFound: unknown-revision; file-not-found where a pattern or a label fits nothing.
    """
    revision, pattern = parse_selector(selector)
    directory = repository[revision]
    entries = list(with_label(directory, matching(directory, pattern), label))
    if not entries and (pattern or label):
        wanted = f"file {pattern!r}" if pattern else "file"
        with_label_text = f" with an instance labelled {label!r}" if label else ""
        raise NotFound(
            "file-not-found",
            f"{directory.title} has no {printable(wanted)}{with_label_text}.",
            hint=_known_labels(directory) if label else f"tdvc ls {directory.title}",
            pattern=pattern,
            label=label,
        )
    return directory, entries


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


def path_filter(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path is one of `patterns`, below one of them, or fits one as a glob; always, where there are none."""
    if not patterns:
        return lambda _: True
    exact = {pattern.rstrip("/") for pattern in patterns}
    folders = tuple(f"{pattern}/" for pattern in exact)
    globs = [re.compile(fnmatch.translate(pattern)).match for pattern in patterns if _GLOB.search(pattern)]
    return lambda path: path in exact or path.startswith(folders) or any(fits(path) for fits in globs)


def with_label(directory: Directory, entries: Iterable[Entry], label: str | None) -> Iterator[Entry]:
    """Those entries that have at least one instance with a label."""
    if label is None:
        yield from entries
        return
    needle = b'"label":' + canonical_json(label)
    for entry in entries:
        if entry.state.instances == NO_ID or needle not in directory.objects.read(
            Kind.INSTANCES, entry.state.instances
        ):
            continue
        if any(instance.label == label for instance in directory.instances(entry)):
            yield entry
