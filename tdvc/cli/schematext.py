"""Schemas and their changes as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tdvc.cli import output
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.model.schema import Attribute, Label, Schema
    from tdvc.model.schemachange import SchemaChange
    from tdvc.ops.evolution import SchemaResult
    from tdvc.ops.schema import ShownSchema
    from tdvc.ops.schemahistory import SchemaLogEntry, SchemaStats

_SHOWN = 20


def json_changes(changes: Iterable[SchemaChange]) -> list[dict[str, Any]]:
    """Changes for JSON, numbers as they are spelled."""
    from msgspec import Raw

    from tdvc.model.numbers import spell

    return [
        {
            "path": change.path,
            "kind": change.kind,
            "words": change.words,
            "before": Raw(spell(change.before)),
            "after": Raw(spell(change.after)),
        }
        for change in changes
    ]


def change_lines(changes: Iterable[SchemaChange]) -> list[str]:
    """One line a change."""
    return [f"  {printable(change.words)}" for change in changes]


def result_lines(result: SchemaResult, dry_run: bool) -> Iterator[str]:
    """What a change of the schema did."""
    if result.operation is None and not dry_run:
        yield "Nothing changed."
        return
    yield printable(result.message) + (" (dry run)" if dry_run else "")
    yield from _first(change_lines(result.changes))
    if result.files:
        yield f"  {output.plural(result.instances, 'instance')} in {output.plural(result.files, 'file')}"
    for name, commit in result.commits.items():
        yield f"  commit in {printable(name)} {output.short_id(commit) if commit else ''}".rstrip()
    for name in result.staged_directories:
        yield f"  staged in {printable(name)}"
    if result.to_do:
        yield f"To do: {output.plural(len(result.to_do), 'instance')}"
        lines = [
            f"  {printable(item.place)}  {item.instance_id[:8]}  {printable(item.reason)}" for item in result.to_do
        ]
        yield from _first(lines)


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"  … and {len(lines) - _SHOWN:,} more (--json lists all)"


def schema_lines(shown: ShownSchema) -> Iterator[str]:
    """A schema at a glance."""
    schema = shown.schema
    who = f" of {printable(shown.title)}" if shown.title else ""
    used = f", used by {', '.join(map(printable, shown.directories))}" if shown.directories else ""
    yield f"Schema{who} {output.short_id(shown.schema_id)}{used}{'; locked' if schema.locked else ''}"
    sections = [
        ("Labels", [_label_row(label) for label in schema.in_order()]),
        ("Attributes", [_attribute_row(schema.attributes[key]) for key in sorted(schema.attributes)]),
        ("Templates", _template_rows(schema)),
    ]
    for heading, rows in sections:
        if rows:
            yield ""
            yield heading
            yield from (f"  {line}" for line in output.table(rows))
    for heading, keys in (("Of files", schema.file_attributes), ("Of sequences", schema.sequence_attributes)):
        if keys:
            yield f"{heading}: {', '.join(map(printable, keys))}"


def _label_row(label: Label) -> tuple[str, ...]:
    types = [name if policy == "allowed" else f"{name} ({policy})" for name, policy in label.types.items()]
    notes = []
    if label.parent:
        notes.append(f"below {label.parent}")
    if label.attributes:
        notes.append(f"asks {', '.join(label.attributes)}")
    if label.aliases:
        notes.append(f"also {', '.join(label.aliases)}")
    if label.deprecated:
        notes.append("deprecated")
    name = "" if label.name == label.key else printable(label.name)
    return str(label.index), printable(label.key), name, ", ".join(types), printable("; ".join(notes))


def _attribute_row(attribute: Attribute) -> tuple[str, ...]:
    said = [
        option.key if option.name in ("", option.key) else f"{option.key} ({option.name})"
        for option in attribute.options
    ]
    if attribute.minimum is not None or attribute.maximum is not None:
        said.append(f"{_end(attribute.minimum)} to {_end(attribute.maximum)}")
    if attribute.pattern:
        said.append(f"fits {attribute.pattern}")
    if attribute.required:
        said.append("required")
    name = "" if attribute.name in ("", attribute.key) else printable(attribute.name)
    return printable(attribute.key), name, attribute.kind, printable(", ".join(said))


def _end(number: str | None) -> str:
    return "-" if number is None else str(number)


def _template_rows(schema: Schema) -> list[tuple[str, ...]]:
    found = [schema.templates[key] for key in sorted(schema.templates)]
    return [(printable(item.key), item.type, output.plural(len(item.points), "point")) for item in found]


def log_lines(entries: Iterable[SchemaLogEntry]) -> Iterator[str]:
    """Who changed the schema: a line an entry, and below it one a change."""
    for entry in entries:
        who, when = printable(entry.author), output.moment(entry.time)
        yield f"{output.short_id(entry.identity)}  {when}  {who}  {output.first_line(entry.message)}"
        yield from _first(change_lines(entry.changes))


def stats_lines(stats: SchemaStats) -> Iterator[str]:
    """What a schema amounts to."""
    facts = [
        ("Labels", f"{stats.labels:,}"),
        ("Attributes", f"{stats.attributes:,}"),
        ("Options", f"{stats.options:,}"),
        ("Complexity", f"{stats.complexity:,}"),
        ("Unused labels", ", ".join(map(printable, stats.unused[:_SHOWN])) or "none"),
    ]
    yield from output.table(facts)
    if stats.by_label:
        yield ""
        rows = [("Label", "Attributes", "Options", "Choices", "Files", "Instances")]
        rows += [
            (
                printable(load.key),
                f"{load.attributes:,}",
                f"{load.options:,}",
                f"{load.decisions:,}",
                f"{load.files:,}",
                f"{load.instances:,}",
            )
            for load in stats.by_label
        ]
        yield from output.table(rows, right=(1, 2, 3, 4, 5))
