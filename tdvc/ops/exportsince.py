"""What an export has to say of a state, to who has the export of an earlier one.

A row of an export follows from a row of the table and from the names of its labels. Rows that differ are found by the
page, so what stayed is not read. Only where the schema gives a label another name is every file that speaks of that
label written anew, changed or not; to find these, the instance sets of the state are searched for the label's key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tdvc.errors import Corruption
from tdvc.formats.base import LabelRecord
from tdvc.ids import NO_ID, Kind, canonical_json
from tdvc.ops.outgoing import class_list
from tdvc.ops.progress import EVERY, Progress, silent
from tdvc.repo.directory import Directory
from tdvc.repo.entry import Entry, entry_of
from tdvc.tables.page import Row
from tdvc.tables.rowdiff import diff_rows

_NUMBERING = frozenset(("webdataset",))
"""Formats that write a class by its number, beside its name."""


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """What changed between two states, of the files that are exported.

    Attributes:
        written: files that are new at their path or say something else there, by path.
        removed: files as they were, at paths where none is exported any more, by path.
    """

    written: list[Entry]
    removed: list[Entry]


def changed_since(
    before: Directory,
    after: Directory,
    *,
    everything: bool,
    renamed: Iterable[str] = (),
    progress: Progress = silent,
) -> ChangedSince:
    """Compare two states by what an export says of them.

    Args:
        before: the earlier state.
        after: the later one.
        everything: files that are not declared complete are exported too.
        renamed: keys of labels that go out in other words; see `other_words`.
        progress: told how far it is.
    """
    found = ChangedSince([], [])
    changed: set[str] = set()
    for done, (key, *rows) in enumerate(diff_rows(before.table, after.table)):
        if done % EVERY == 0:
            progress("comparing", done, None)
        old, new = (entry if entry and (everything or entry.state.complete) else None for entry in map(_entry, rows))
        if new is None:
            if old is not None:
                found.removed.append(old)
        elif old is None or _said(old) != _said(new):
            found.written.append(new)
            changed.add(key.decode())
    needles = [b'"label":' + canonical_json(label) for label in renamed]
    if needles:
        found.written.extend(_speaking(after, needles, everything, changed, progress))
        found.written.sort(key=lambda entry: entry.path)
    return found


def _entry(row: Row | None) -> Entry | None:
    return entry_of(row) if row is not None else None


def _said(entry: Entry) -> tuple[object, ...]:
    """What of a row goes into an export."""
    state = entry.state
    return state.file_id, state.blob, state.instances, state.complete, state.properties


def _speaking(
    state: Directory, needles: list[bytes], everything: bool, known: set[str], progress: Progress
) -> Iterator[Entry]:
    """Files with an instance of one of some labels, apart from those that are known."""
    for done, entry in enumerate(state.entries()):
        if done % EVERY == 0:
            progress("looking for renamed labels", done, state.counts.files)
        if entry.path in known or entry.state.instances == NO_ID or not (everything or entry.state.complete):
            continue
        if _speaks(state, entry, needles):
            yield entry


def _speaks(state: Directory, entry: Entry, needles: list[bytes]) -> bool:
    try:
        text = state.objects.read(Kind.INSTANCES, entry.state.instances)
    except Corruption:
        return True  # whoever writes it will say so
    return any(needle in text for needle in needles)


def other_words(before: Mapping[str, LabelRecord], after: Mapping[str, LabelRecord], format_name: str) -> set[str]:
    """The keys of labels that an export writes differently under another schema.

    Args:
        before: key to class, as `classes_of` has them under the one schema.
        after: the same under the other.
        format_name: a class's number counts where the format writes it with each file.
    """
    numbered = format_name in _NUMBERING
    old, new = _words(before, numbered), _words(after, numbered)
    keys = {*before, *after, *(label.name for classes in (before, after) for label in classes.values())}
    return {key for key in keys if old(key) != new(key)}


def _words(classes: Mapping[str, LabelRecord], numbered: bool) -> Callable[[str], tuple[str, int | None]]:
    """What is written of a label: its name, and its number. One that the schema does not know goes by its key."""
    numbers = {label.key: number for number, label in enumerate(class_list(classes))} if numbered else {}

    def words(key: str) -> tuple[str, int | None]:
        name = classes[key].name if key in classes else key
        return name, numbers.get(name)

    return words
