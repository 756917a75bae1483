"""A diff as text: one line a file, and below it one line an instance.

    changed  rex.jpg
               ~ dog -> cat  box  moved (+3, -2), overlap 0.87; age: 3 -> 4  [3f2a9c1d]
               + dog  point  [2a00c4f1]
    moved    old/bo.jpg -> bo.jpg
    added    new.jpg  (2 instances)

Everything is written while the diff is read; what is counted on the way makes the summary at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tdvc.cli import output
from tdvc.cli.output import paint
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.model.schema import Schema
    from tdvc.ops.diffing import Diff, DiffTotals, FileChange
    from tdvc.ops.geometrydiff import GeometryChange, Keypoint
    from tdvc.ops.instancediff import InstanceChange
    from tdvc.ops.labelstats import LabelStat, LabelStats
    from tdvc.ops.schemadiff import DefinitionChange

_COLOURS = {"added": "green", "removed": "red", "moved": "cyan", "changed": "yellow"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
LabelNames = tuple[Mapping[str, str], Mapping[str, str]]
"""Keys of labels to their names, before and after."""

_NO_NAMES: LabelNames = ({}, {})
_VISIBILITY = ("not labelled", "hidden", "visible")
_INSTANCE_DIGITS = 8
_INDENT = " " * 11
_MAX_VALUE = 60
_MAX_NAMED = 3


def totals_lines(totals: DiffTotals) -> list[str]:
    """What differs in all, one line a fact, largest things first; none where nothing does."""
    rows = [(word, *output.counted(count, noun, nouns)) for word, count, noun, nouns in _facts(totals)]
    return output.table(rows, counts=(1,))


def _facts(totals: DiffTotals) -> list[tuple[str, int, str, str]]:
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
    found = [(word, count, noun, noun + "s") for word, count, noun in facts if count]
    if totals.property_changes:
        found.append(("changed", totals.property_changes, "file property", "file properties"))
    return found


def head_lines(difference: Diff) -> list[str]:
    """What is compared, and by what its parts are paired where that is not their ids."""
    lines = [f"{printable(difference.before.title)} -> {printable(difference.after.title)}"]
    if any(hasattr(side, "format") for side in (difference.before, difference.after)):
        lines.append("Files are paired by path; what the format can't carry is not compared.")
    if difference.match is not None:
        lines.append(f"Instances that share no id are matched by an overlap of at least {difference.match:g}.")
    return lines


def text_lines(difference: Diff, totals: DiffTotals, labels: LabelStats | None = None) -> Iterator[str]:
    """The whole diff as lines; with `labels` without the instances, counted by file and by label."""
    yield from head_lines(difference)
    schema = difference.after.schema if difference.schema else None
    names = difference.before.schema.names(), difference.after.schema.names()
    empty = True
    for change in difference:
        empty = False
        totals.count(change)
        yield file_line(change)
        if labels is not None:
            labels.count(change)
            yield from _counted(change)
        else:
            yield from (_INDENT + line for line in _property_lines(change))
            yield from (_INDENT + instance_line(instance, schema, names) for instance in change.instances)
    yield ""
    if difference.schema_differs or not empty:
        yield from schema_lines(difference.schema)
    if labels is not None:
        yield from label_lines(labels.finish())
    summary = totals_lines(totals)
    if empty and not difference.schema_differs:
        yield "No differences."
    yield from summary


def summary_lines(difference: Diff, totals: DiffTotals) -> Iterator[str]:
    """What differs in all, on one line, and one more for the schema."""
    yield from head_lines(difference)
    for change in difference:
        totals.count(change)
    facts = [f"{output.plural(count, noun, nouns)} {word}" for word, count, noun, nouns in _facts(totals)]
    if facts:
        yield ", ".join(facts) + "."
    if difference.schema_differs:
        yield f"{output.plural(len(difference.schema), 'definition')} of the schema changed."
    elif not facts:
        yield "No differences."


def schema_lines(changes: Sequence[DefinitionChange]) -> Iterator[str]:
    """What differs between the schemas, one line a definition, and an empty line; learned labels are one line."""
    from tdvc.ops.schemadiff import only_learned

    learned = changes if only_learned(changes) else []
    if learned:
        yield f"schema   learned {_some([printable(change.key) for change in learned])}"
    for change in () if learned else changes:
        fields = f"  other {', '.join(name.replace('_', ' ') for name in change.fields)}" if change.fields else ""
        sign = paint(_SIGNS[change.kind], _COLOURS[change.kind])
        yield f"schema   {sign} {change.what} {printable(change.key).replace('_', ' ')}{fields}"
    if changes:
        yield ""


def label_lines(stats: Sequence[LabelStat]) -> list[str]:
    """A table of what became of the instances of each label, and an empty line; nothing where there is none."""
    if not stats:
        return []
    head = ("label", "before", "added", "removed", "changed", "to others", "from others", "churn")
    rows = [
        (
            printable(stat.label),
            f"{stat.before:,}",
            *(
                f"{sign}{count:,}" if count else "-"
                for sign, count in (
                    ("+", stat.added),
                    ("-", stat.removed),
                    ("~", stat.changed),
                    ("", stat.relabelled_to),
                    ("", stat.relabelled_from),
                )
            ),
            "new" if stat.churn is None else f"{stat.churn:.1%}",
        )
        for stat in stats
    ]
    return [*output.table([head, *rows], right=range(1, len(head))), ""]


def file_line(change: FileChange) -> str:
    """What became of a file, on one line."""
    path = printable(change.path)
    if change.before_path != change.path:
        path = f"{printable(change.before_path)} -> {path}"
    notes = ", ".join(_notes(change))
    return f"{paint(f'{change.kind:7}', _COLOURS[change.kind])}  {path}{f'  ({notes})' if notes else ''}"


def _notes(change: FileChange) -> Iterator[str]:
    """What is said of a file beside its path."""
    alone = change.after if change.before is None else change.before if change.after is None else None
    if alone is not None and alone.instance_count:
        yield output.plural(alone.instance_count, "instance")
    if change.mirrors and alone is not None:
        word = "still" if change.after is None else "mirrored"
        yield f"{word} in {_some([printable(place) for place in change.mirrors])}"
    if change.copy:
        yield "a copy"
    if change.other_file:
        yield "another file"
    elif change.replaced:
        yield "other bytes"
    if change.completeness is not None:
        words = {
            "complete": "complete",
            "stale": "complete under an older schema",
            "incomplete": "no longer complete",
        }
        yield words[change.completeness[1]]
    if change.stale:
        yield "its mark is stale"
    if change.properties:
        yield "other properties"


def _some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _MAX_NAMED:,} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more


def _property_lines(change: FileChange) -> Iterator[str]:
    for key, (before, after) in change.properties.items():
        yield f"= {printable(key)}: {short_value(before)} -> {short_value(after)}"


def _counted(change: FileChange) -> list[str]:
    """With --stat: how many instances of a file were added, removed and changed."""
    counts = {kind: sum(instance.kind == kind for instance in change.instances) for kind in _SIGNS}
    parts = [f"{_SIGNS[kind]}{count:,}" for kind, count in counts.items() if count]
    return [f"{_INDENT}instances {' '.join(parts)}"] if parts else []


def instance_line(change: InstanceChange, schema: Schema | None = None, names: LabelNames = _NO_NAMES) -> str:
    """What became of an instance, on one line; a schema names its keypoints, `names` its labels before and after."""
    sign = paint(_SIGNS[change.kind], _COLOURS[change.kind])
    parts = [sign, _label(change, names), "  " + _kind(change)]
    details = "; ".join(_details(change, schema))
    if details:
        parts.append("  " + details)
    return f"{parts[0]} {''.join(parts[1:])}  [{change.instance_id[:_INSTANCE_DIGITS]}]"


def _label(change: InstanceChange, names: LabelNames) -> str:
    sides = [(side.label, known) for side, known in zip((change.before, change.after), names, strict=True) if side]
    if len({key for key, _ in sides}) == 1:
        sides = sides[-1:]  # another name for the same label is a change of the schema, not of the instance
    return " -> ".join(printable(known.get(key, key)) for key, known in sides)


def _kind(change: InstanceChange) -> str:
    return " -> ".join(dict.fromkeys(side.type for side in (change.before, change.after) if side is not None))


def _details(change: InstanceChange, schema: Schema | None) -> Iterator[str]:
    if change.geometry is not None:
        yield ", ".join(_movement(change.geometry, change, schema))
    for key, (before, after) in (change.attributes | change.told_fields).items():
        yield f"{printable(key)}: {short_value(before)} -> {short_value(after)}"
    if change.properties:
        yield f"other {_some([printable(key) for key in change.properties])}"
    if change.matched is not None:
        yield f"matched by overlap {change.matched:.2f}"


def _movement(geometry: GeometryChange, change: InstanceChange, schema: Schema | None) -> Iterator[str]:
    if geometry.shift is None or geometry.iou is None:
        yield "other geometry"
    else:
        moved = any(geometry.shift)
        yield f"moved ({geometry.shift[0]:+.4g}, {geometry.shift[1]:+.4g})" if moved else "reshaped"
        yield f"overlap {geometry.iou:.2f}"
    if geometry.rotation:
        yield f"turned {geometry.rotation:+.4g}°"
    if geometry.vertices is not None:
        found = geometry.vertices
        counts = (("+", found.added), ("-", found.removed), ("~", found.moved))
        yield f"vertices {' '.join(f'{sign}{count:,}' for sign, count in counts if count)}"
    if geometry.keypoints:
        yield _some([_keypoint(point, change, schema) for point in geometry.keypoints])
    if geometry.spans is not None:
        yield f"start {geometry.spans[0]:+.4g}, end {geometry.spans[1]:+.4g}"


def _keypoint(point: Keypoint, change: InstanceChange, schema: Schema | None) -> str:
    from tdvc.ops.skeletons import Skeleton, skeleton_of

    named = skeleton_of(schema, change.after.label) if schema and change.after else Skeleton()
    words = [printable(named.name(point.position))]
    if point.shift is not None and any(point.shift):
        words.append(f"({point.shift[0]:+.4g}, {point.shift[1]:+.4g})")
    if point.visibility[0] != point.visibility[1]:
        words.append(f"{_VISIBILITY[point.visibility[0]]} -> {_VISIBILITY[point.visibility[1]]}")
    return " ".join(words)


def short_value(value: Any) -> str:
    """A value on one line, cut where it is long; a dash for none."""
    if value is None:
        return "-"
    text = printable(value) if isinstance(value, str) else output.one_line(value)
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"
