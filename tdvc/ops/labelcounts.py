"""How many files and instances of a state have each label.

Where a page has its columns in the cache they are counted there, all at once; else the instance sets of the page are
read, and of each instance nothing but its label. Nothing is cached for it: whoever counts labels should not have to
wait for shapes to be measured. A small state is read at once, for what counts columns takes longer to load.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tdvc.ids import NO_ID, FileId, Kind
from tdvc.ops.select import path_filter
from tdvc.repo.commit import malformed
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, FileState, entry_of

_WORTH_COLUMNS = 100_000  # instances


class LabelCounts(NamedTuple):
    """By label, how many files have it and how many instances."""

    files: Counter[str]
    instances: Counter[str]


def label_counts(*states: Directory, paths: tuple[str, ...] = ()) -> LabelCounts:
    """Count the labels of states; a file that several of them hold counts once.

    Args:
        states: the states.
        paths: only these paths, folders or globs; all files where there are none.

    Raises:
        Corruption: an instance set is missing or damaged.
    """
    counts = LabelCounts(Counter(), Counter())
    if len(states) == 1 and not paths and states[0].counts.instances >= _WORTH_COLUMNS:
        _count_pages(states[0], counts)
        return counts
    fits, met = path_filter(paths), set[FileId]()
    for state in states:
        wanted = (entry for entry in state.entries() if fits(entry.path) and entry.state.file_id not in met)
        _count_entries(state, wanted, counts)
        if len(states) > 1:
            met.update(entry.state.file_id for entry in state.entries())
    return counts


def _count_pages(state: Directory, counts: LabelCounts) -> None:
    store = importlib.import_module("tdvc.columns.store").ColumnStore(state.objects)
    counting = importlib.import_module("tdvc.columns.counting")
    cached = store.cached()
    for page in state.table.leaf_ids():
        columns = store.read(page) if page.hex() in cached else None
        if columns is None:
            _count_entries(state, map(entry_of, state.table.page(page).rows()), counts)
            continue
        for label, (files, instances) in counting.of_labels(columns).items():
            counts.files[label] += files
            counts.instances[label] += instances


def _count_entries(state: Directory, entries: Iterable[Entry], counts: LabelCounts) -> None:
    for entry in entries:
        if entry.state.instance_count:
            labels = Counter(_labels(state, entry.state))
            counts.files.update(labels.keys())
            counts.instances.update(labels)


class _Labelled(msgspec.Struct, gc=False):
    """An instance of which nothing but its label is read."""

    label: str


_decoder = msgspec.json.Decoder(_Labelled)


def _labels(state: Directory, file: FileState) -> list[str]:
    if file.instances == NO_ID:
        return []
    try:
        return [item.label for item in _decoder.decode_lines(state.objects.read(Kind.INSTANCES, file.instances))]
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise malformed(Kind.INSTANCES, file.instances) from error
