"""What people say about files: annotate, relabel, complete."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, directory_option, json_option, open_repository, where_option
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.annotate import AnnotateResult


@command(
    "tdvc annotate edits.jsonl -d Pets",
    "some-tool | tdvc annotate -",
    "",
    "Edits:",
    '  {"op": "add", "path": P, "instance": {"label": "dog", "type": "box", "geometry": [1, 2, 30, 40]}}',
    '  {"op": "update", "path": P, "instance_id": I, "set": {"label": "cat"}}',
    '  {"op": "remove", "path": P, "instance_id": I}',
    '  {"op": "replace", "path": P, "instances": [...]}',
)
@click.argument("edits", type=click.Path(allow_dash=True, path_type=Path))
@directory_option
@json_option
def annotate(edits: Path, directory: str | None, as_json: bool) -> int:
    """Apply a file of edits to annotations.

    EDITS is JSON Lines, one edit a line, or - for standard input. All of it is applied, or nothing. "file_id" may stand
    in place of "path"; of an instance_id the first eight digits do. tdvc show REV:PATH --json prints both.
    """
    from tdvc.ops.annotate import annotate as verb

    source = sys.stdin.buffer if str(edits) == "-" else edits
    result = verb(open_repository(), source, directory)
    return output.report(result, _summary(result), as_json)


@command("tdvc relabel dog cat", "tdvc relabel dog cat -d Pets")
@click.argument("old")
@click.argument("new")
@directory_option
@json_option
def relabel(old: str, new: str, directory: str | None, as_json: bool) -> int:
    """Give every instance of one label another one.

    Files that other directories mirror change there too.
    """
    from tdvc.ops.annotate import relabel as verb

    result = verb(open_repository(), old, new, directory)
    return output.report(result, _summary(result), as_json)


def _summary(result: AnnotateResult) -> Iterator[str]:
    facts = [
        (result.added_instances, "added"),
        (result.changed_instances, "changed"),
        (result.removed_instances, "removed"),
    ]
    parts = [f"{output.plural(count, 'instance')} {word}" for count, word in facts if count]
    name = printable(result.directory)
    yield (
        f"{name}: {', '.join(parts)} in {output.plural(result.files, 'file')}."
        if parts
        else f"{name}: nothing changed."
    )
    if result.left_files:
        yield f"{output.plural(result.left_files, 'file')} left {name}, for they do not fit its rule any more."
    if result.learned_labels:
        labels = ", ".join(map(printable, result.learned_labels))
        yield f"New {'label' if len(result.learned_labels) == 1 else 'labels'} in the schema: {labels}"


@command(
    "tdvc complete 'night/*.jpg'",
    'tdvc complete --where "instances > 0"',
    "tdvc complete --undo night/0001.jpg",
)
@click.argument("paths", nargs=-1)
@where_option
@directory_option
@click.option("-u", "--undo", is_flag=True, help="Take the mark away.")
@json_option
def complete(paths: tuple[str, ...], where: str | None, directory: str | None, undo: bool, as_json: bool) -> int:
    """Declare the annotation of files complete.

    PATHS are paths, folders or globs in the directory; with --where they may be left out. The mark tells a picture that
    has nothing on it from one that nobody has looked at yet.
    """
    from tdvc.ops.annotate import complete as verb

    result = verb(open_repository(), paths, directory, where=where, undo=undo)
    marked = "not complete" if undo else "complete"
    already = f" ({result.already:,} already)" if result.already else ""
    line = f"{printable(result.directory)}: {output.plural(result.files, 'file')} marked {marked}{already}."
    return output.report(result, [line], as_json)
