"""A diff as text and as JSON: one line a file, and below it one line an instance.

    changed  rex.jpg
               ~ dog -> cat  box  moved (+3, -2), overlap 0.87; age: 3 -> 4  [3f2a9c1d]
               + dog  point  [2a00c4f1]
    moved    old/bo.jpg -> bo.jpg
    added    new.jpg  (2 instances)

Everything is written while the diff is read; what is counted on the way makes the summary at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tdvc.cli import output
from tdvc.cli.output import paint
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.model.records import Instance
    from tdvc.ops.diffing import Diff, DiffTotals, FileChange, InstanceChange
    from tdvc.repo.entry import FileState

_COLOURS = {"added": "green", "removed": "red", "moved": "cyan", "changed": "yellow"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_INSTANCE_DIGITS = 8
_INDENT = " " * 11
_MAX_VALUE = 60


def totals_lines(totals: DiffTotals) -> list[str]:
    """What differs in all, one line a fact, largest things first; none where nothing does."""
    facts = [
        ("added", totals.added_files, "file"),
        ("removed", totals.removed_files, "file"),
        ("moved", totals.moved_files, "file"),
        ("replaced", totals.replaced_files, "file"),
        ("annotated", totals.annotated_files, "file"),
        ("marked", totals.completeness_changes, "file"),
        ("added", totals.added_instances, "instance"),
        ("removed", totals.removed_instances, "instance"),
        ("moved", totals.moved_instances, "instance"),
        ("relabelled", totals.relabelled_instances, "instance"),
        ("changed", totals.attribute_changes, "attribute"),
    ]
    return output.table(((word, *output.counted(count, noun)) for word, count, noun in facts if count), counts=(1,))


def text_lines(difference: Diff, *, stat: bool, totals: DiffTotals) -> Iterator[str]:
    """The whole diff as lines, with `stat` without the instances; counts into `totals`."""
    yield f"{printable(difference.before.title)} -> {printable(difference.after.title)}"
    for change in difference:
        totals.count(change)
        yield _file_line(change)
        if stat:
            yield from _counted(change)
        else:
            yield from (_INDENT + instance_line(instance) for instance in change.instances)
    summary = totals_lines(totals)
    yield ""
    yield from summary or ["No differences."]


def _file_line(change: FileChange) -> str:
    path = printable(change.path)
    if change.before_path != change.path:
        path = f"{printable(change.before_path)} -> {path}"
    notes = _notes(change)
    return f"{paint(f'{change.kind:7}', _COLOURS[change.kind])}  {path}{f'  ({notes})' if notes else ''}"


def _notes(change: FileChange) -> str:
    """What is said of a file beside its path."""
    alone = change.after if change.before is None else change.before if change.after is None else None
    notes = []
    if alone is not None and alone.instance_count:
        notes.append(output.plural(alone.instance_count, "instance"))
    if change.other_file:
        notes.append("another file")
    elif change.replaced:
        notes.append("other bytes")
    if change.completeness and change.after is not None:
        notes.append("complete" if change.after.complete else "no longer complete")
    if change.properties:
        notes.append("other properties")
    return ", ".join(notes)


def _counted(change: FileChange) -> list[str]:
    """With --stat: how many instances of a file were added, removed and changed."""
    counts = {kind: sum(instance.kind == kind for instance in change.instances) for kind in _SIGNS}
    parts = [f"{_SIGNS[kind]}{count:,}" for kind, count in counts.items() if count]
    return [f"{_INDENT}instances {' '.join(parts)}"] if parts else []


def instance_line(change: InstanceChange) -> str:
    """What became of an instance, on one line."""
    sign = paint(_SIGNS[change.kind], _COLOURS[change.kind])
    parts = [sign, _label(change), "  " + _kind(change)]
    details = "; ".join(_details(change))
    if details:
        parts.append("  " + details)
    return f"{parts[0]} {''.join(parts[1:])}  [{change.instance_id[:_INSTANCE_DIGITS]}]"


def _label(change: InstanceChange) -> str:
    labels = [printable(side.label) for side in (change.before, change.after) if side is not None]
    return " -> ".join(dict.fromkeys(labels))


def _kind(change: InstanceChange) -> str:
    return " -> ".join(dict.fromkeys(side.type for side in (change.before, change.after) if side is not None))


def _details(change: InstanceChange) -> Iterator[str]:
    if change.moved:
        yield _movement(change)
    for key, (before, after) in change.attributes.items():
        yield f"{printable(key)}: {short_value(before)} -> {short_value(after)}"
    for name in change.other_fields:
        yield f"other {name}"


def _movement(change: InstanceChange) -> str:
    shift, overlap = change.shift, change.iou
    if shift is None or overlap is None:
        return "other geometry"
    moved = f"moved ({shift[0]:+.4g}, {shift[1]:+.4g})" if any(shift) else "reshaped"
    return f"{moved}, overlap {overlap:.2f}"


def short_value(value: Any) -> str:
    """A value on one line, cut where it is long; a dash for none."""
    if value is None:
        return "-"
    text = printable(value) if isinstance(value, str) else output.one_line(value)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def write_json(difference: Diff, totals: DiffTotals) -> None:
    """Print the diff as one JSON object: after, before, files, totals."""
    sys.stdout.write(f'{{"after": {output.one_line(difference.after.title)},\n')
    sys.stdout.write(f'"before": {output.one_line(difference.before.title)},\n"files": ')
    output.write_array(_json_files(difference, totals))
    sys.stdout.write(f',\n"totals": {output.one_line(totals)}}}\n')


def _json_files(difference: Iterable[FileChange], totals: DiffTotals) -> Iterator[dict[str, Any]]:
    for change in difference:
        totals.count(change)
        yield {
            "kind": change.kind,
            "path": change.path,
            "before_path": change.before_path,
            "before": _json_state(change.before),
            "after": _json_state(change.after),
            "replaced": change.replaced,
            "other_file": change.other_file,
            "completeness": change.completeness,
            "properties": change.properties,
            "instances": [json_instance(instance) for instance in change.instances],
        }


def _json_state(state: FileState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "file_id": state.file_id,
        "blob": state.blob,
        "size_bytes": state.size_bytes,
        "instances": state.instance_count,
        "complete": bool(state.complete),
        "media_type": state.media_type.decode(errors="replace"),
    }


def json_instance(change: InstanceChange) -> dict[str, Any]:
    """What became of an instance, for JSON."""
    return {
        "instance_id": change.instance_id,
        "kind": change.kind,
        "before": _json_fields(change.before),
        "after": _json_fields(change.after),
        "moved": change.moved,
        "relabelled": change.relabelled,
        "shift": change.shift,
        "iou": change.iou,
        "attributes": {key: {"before": old, "after": new} for key, (old, new) in change.attributes.items()},
        "other_fields": change.other_fields,
    }


def _json_fields(instance: Instance | None) -> dict[str, Any] | None:
    if instance is None:
        return None
    from tdvc.model.records import fields_of

    return fields_of(instance)
