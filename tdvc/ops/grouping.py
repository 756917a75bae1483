"""Which files of a state belong together, so that a split must not part them.

Files with the same bytes always do. More is said by rules:

    near-duplicates     pictures that look alike (`model.nearduplicates`)
    folder              files in one folder
    attribute.NAME      files with an instance that gives the same answer
    property.NAME       files with the same value of a property; NAME alone means it too

A file without a value belongs to nobody for it. A rule for which no file has a value is refused: it is misspelled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from tdvc.columns.arrays import numbers, words
from tdvc.columns.layout import ColumnPage
from tdvc.columns.store import ColumnStore
from tdvc.errors import Usage
from tdvc.model.grouping import Ties
from tdvc.model.media import promises_picture
from tdvc.model.nearduplicates import DEFAULT_DISTANCE, MAX_DISTANCE, close_pairs
from tdvc.names import printable
from tdvc.ops.picturehashes import picture_hashes
from tdvc.ops.progress import Progress, silent
from tdvc.query.evaluate import attribute_key
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry
from tdvc.repo.repository import Repository

NEAR_DUPLICATES = "near-duplicates"
FOLDER = "folder"

Keys = list[tuple[int, bytes]]
"""Positions of files, each with something that ties it to those that have the same."""


class Group(msgspec.Struct, frozen=True):
    """Files that belong together.

    Attributes:
        files: their positions, ascending.
        key: what stands for the group: the least of what ties it together, or of its blobs.
    """

    files: list[int]
    key: bytes


def groups_of(
    repository: Repository,
    directory: Directory,
    entries: Sequence[Entry],
    rules: Sequence[str] = (),
    *,
    distance: int = DEFAULT_DISTANCE,
    progress: Progress = silent,
) -> list[Group]:
    """Every file in one group, ordered by the first file of each. See `keys_of` and `tie_pictures` for the errors."""
    ties = Ties(len(entries))
    ties.tie_equal((position, entry.state.blob) for position, entry in enumerate(entries))
    keys: dict[int, bytes] = {}
    for rule in rules:
        if rule == NEAR_DUPLICATES:
            tie_pictures(repository, entries, ties, distance=distance, progress=progress)
            continue
        found = keys_of(repository, directory, entries, rule)
        ties.tie_equal(found)
        for position, key in found:
            keys[position] = min(key, keys.get(position, key))
    return [_group(files, keys, entries) for files in ties.groups()]


def _group(files: list[int], keys: dict[int, bytes], entries: Sequence[Entry]) -> Group:
    given = [keys[position] for position in files if position in keys]
    return Group(files, min(given or (entries[position].state.blob for position in files)))


def tie_pictures(
    repository: Repository,
    entries: Sequence[Entry],
    ties: Ties,
    *,
    distance: int = DEFAULT_DISTANCE,
    progress: Progress = silent,
) -> None:
    """Tie pictures whose hashes differ in at most `distance` bits. Raises Usage (bad-usage) for another distance."""
    if not 0 <= distance <= MAX_DISTANCE:
        raise Usage("bad-usage", f"A distance is from 0 to {MAX_DISTANCE} bits, not {distance}.", distance=distance)
    pictures = [
        position
        for position, entry in enumerate(entries)
        if promises_picture(entry.path, entry.state.media_type.decode(errors="replace"))
    ]
    known = picture_hashes(repository, (entries[position].state.blob for position in pictures), progress=progress)
    hashed = [(position, value) for position in pictures if (value := known[entries[position].state.blob]) is not None]
    values = np.array([value for _, value in hashed], np.uint64)
    for left, right in close_pairs(values, distance):
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            ties.tie(hashed[one][0], hashed[other][0])


def keys_of(repository: Repository, directory: Directory, entries: Sequence[Entry], rule: str) -> Keys:
    """What ties each file to others by a rule that goes by equal values.

    Raises:
        Usage: bad-usage, where no file has a value.
        Corruption: the annotation of a file can't be read.
    """
    kind, dot, name = rule.partition(".")
    if rule == FOLDER:
        return [(position, _key(FOLDER, entry.path.rpartition("/")[0])) for position, entry in enumerate(entries)]
    if kind == "attribute" and dot:
        found = list(_answers(repository, directory, entries, name))
    else:
        name = name if kind == "property" and dot else rule
        found = list(_properties(entries, name))
    if entries and not found:
        what = "an answer to the attribute" if kind == "attribute" and dot else "a property"
        raise Usage(
            "bad-usage",
            f"No file of {directory.title} has {what} {printable(name)!r} to group by.",
            hint=f"Group by property.NAME, attribute.NAME, {FOLDER} or {NEAR_DUPLICATES}.",
            rule=rule,
        )
    return found


def _key(*parts: Any) -> bytes:
    return json.dumps(parts, sort_keys=True).encode()


def _plain(value: Any) -> Any:
    """A value so that equal numbers are spelled alike; None for nothing said."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return None if value == "" else value


def _properties(entries: Sequence[Entry], name: str) -> Iterator[tuple[int, bytes]]:
    for position, entry in enumerate(entries):
        value = _plain(_said(entry.state.properties).get(name))
        if value is not None:
            yield position, _key("property", name, value)


def _answers(
    repository: Repository, directory: Directory, entries: Sequence[Entry], name: str
) -> Iterator[tuple[int, bytes]]:
    attribute = attribute_key(directory.schema, name)
    places = {entry.path: position for position, entry in enumerate(entries)}
    for paths, page in _pages(repository, directory):
        owners = numbers(page.instances.column("file")).tolist()
        texts = page.instances.column("attributes").to_pylist()
        said = {text: _plain(_said(text).get(attribute)) for text in set(texts)}
        for owner, text in dict.fromkeys(zip(owners, texts, strict=True)):
            if said[text] is not None and paths[owner] in places:
                yield places[paths[owner]], _key("attribute", attribute, said[text])


def _said(text: str | bytes | None) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text) if text else {}
    except (ValueError, RecursionError):
        found = {}
    return found if isinstance(found, dict) else {}


def labels_of(repository: Repository, directory: Directory, entries: Iterable[Entry]) -> list[frozenset[str]]:
    """The labels of each file's instances. Raises Corruption where some can't be read."""
    found: dict[str, frozenset[str]] = {}
    for paths, page in _pages(repository, directory):
        positions, names = words(page.instances.column("label"))
        owners = numbers(page.instances.column("file"))
        here: dict[str, set[str]] = {}
        for owner, label in set(zip(owners.tolist(), positions.tolist(), strict=True)):
            here.setdefault(paths[owner], set()).add(names[label])
        found.update((path, frozenset(labels)) for path, labels in here.items())
    return [found.get(entry.path, frozenset()) for entry in entries]


def _pages(repository: Repository, directory: Directory) -> Iterator[tuple[list[str], ColumnPage]]:
    """The columns of a state page by page, with the paths of the files."""
    for page in ColumnStore(repository).of(directory).pages():
        paths = page.files.column("path").to_pylist()
        if page.files.column("damaged").true_count:
            at = int(np.flatnonzero(numbers(page.files.column("damaged")))[0])
            directory.instances(directory.entry(paths[at]))  # raises what is wrong with it
        yield paths, page
