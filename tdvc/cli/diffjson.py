"""A diff as JSON, version 1: what `docs/diff.md` describes, field by field.

It is written while the diff is read, one file a line. Fields may be added; none changes its meaning or goes without
another version.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tdvc.cli import output

if TYPE_CHECKING:
    from tdvc.model.problems import Problem
    from tdvc.model.records import Instance
    from tdvc.model.schema import Schema
    from tdvc.ops.diffing import Diff, DiffTotals, FileChange
    from tdvc.ops.instancediff import InstanceChange
    from tdvc.ops.labelstats import LabelStat, LabelStats
    from tdvc.repo.entry import FileState

VERSION = 1


def write_json(
    difference: Diff, totals: DiffTotals, labels: LabelStats | None = None, *, with_files: bool = True
) -> None:
    """Print the diff as one JSON object; with `labels` also what became of the instances of each label."""
    write = sys.stdout.write
    write(f'{{"after": {output.one_line(difference.after.title)},\n')
    write(f'"before": {output.one_line(difference.before.title)}')
    found = _files(difference, totals, labels)
    if with_files:
        write(',\n"files": ')
        output.write_array(found)
    else:
        for _ in found:  # counted on the way
            pass
    rest: dict[str, Any] = {
        "match": difference.match,
        "problems": problems_of(difference),
        "schema": difference.schema,
        "totals": totals,
        "version": VERSION,
    }
    if labels is not None:
        rest["labels"] = [label_fields(stat) for stat in labels.finish()]
    for name in sorted(rest):
        write(f',\n"{name}": {output.one_line(rest[name])}')
    write("}\n")


def problems_of(difference: Diff) -> list[Problem]:
    """What could not be read of sides that are folders."""
    return [problem for side in (difference.before, difference.after) for problem in getattr(side, "problems", ())]


def _files(difference: Diff, totals: DiffTotals, labels: LabelStats | None) -> Iterator[dict[str, Any]]:
    schema = None
    for change in difference:
        totals.count(change)
        if labels is not None:
            labels.count(change)
        if schema is None and change.instances:
            schema = difference.after.schema
        yield file_fields(change, schema)


def file_fields(change: FileChange, schema: Schema | None = None) -> dict[str, Any]:
    """What became of a file."""
    return {
        "kind": change.kind,
        "path": change.path,
        "before_path": change.before_path,
        "before": _state(change.before),
        "after": _state(change.after),
        "replaced": change.replaced,
        "other_file": change.other_file,
        "copy": change.copy,
        "completeness": _pair(change.completeness) if change.completeness else None,
        "stale": change.stale,
        "properties": {key: _pair(values) for key, values in change.properties.items()},
        "instances": [json_instance(instance, schema) for instance in change.instances],
        "mirrors": change.mirrors,
    }


def _pair(values: tuple[Any, Any]) -> dict[str, Any]:
    return {"before": values[0], "after": values[1]}


def _state(state: FileState | None) -> dict[str, Any] | None:
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


def json_instance(change: InstanceChange, schema: Schema | None = None) -> dict[str, Any]:
    """What became of an instance; a schema names its keypoints."""
    return {
        "instance_id": change.instance_id,
        "kind": change.kind,
        "before": _fields(change.before),
        "after": _fields(change.after),
        "moved": change.moved,
        "relabelled": change.relabelled,
        "geometry": _geometry(change, schema),
        "attributes": {key: _pair(values) for key, values in change.attributes.items()},
        "properties": {key: _pair(values) for key, values in change.properties.items()},
        "fields": {key: _pair(values) for key, values in change.fields.items()},
        "matched": change.matched,
    }


def _geometry(change: InstanceChange, schema: Schema | None) -> dict[str, Any] | None:
    from tdvc.ops.skeletons import Skeleton, skeleton_of

    found = change.geometry
    if found is None or change.after is None:
        return None
    named = skeleton_of(schema, change.after.label) if schema else Skeleton()
    return {
        "shift": found.shift,
        "iou": found.iou,
        "resize": found.resize,
        "rotation": found.rotation,
        "vertices": found.vertices,
        "keypoints": [
            {
                "name": named.name(point.position),
                "position": point.position,
                "shift": point.shift,
                "visibility": _pair(point.visibility),
            }
            for point in found.keypoints
        ],
        "spans": found.spans,
    }


def label_fields(stat: LabelStat) -> dict[str, Any]:
    """What became of the instances of a label, with their churn."""
    return {name: getattr(stat, name) for name in (*stat.__dataclass_fields__, "churn")}


def _fields(instance: Instance | None) -> dict[str, Any] | None:
    if instance is None:
        return None
    from tdvc.model.records import fields_of

    return fields_of(instance)
