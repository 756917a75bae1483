"""Patches: apply."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, directory_option, dry_run_option, json_option, open_repository
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.applying import ApplyResult


@command("tdvc apply boxes.jsonl -d Pets", "tdvc apply boxes.jsonl -d Pets --reverse --dry-run")
@click.argument("patch", type=click.Path(allow_dash=True, path_type=Path), metavar="FILE")
@directory_option
@click.option("-R", "--reverse", is_flag=True, help="Take back what the patch does.")
@dry_run_option
@json_option
def apply(patch: Path, directory: str | None, reverse: bool, dry_run: bool, as_json: bool) -> int:
    """Do to a directory what a patch says.

    FILE is what tdvc diff --format patch printed, or - for standard input. Each file and instance that it touches must
    be what it was when the patch was made; otherwise nothing is changed, and what does not fit is named. The bytes of
    files are not in a patch: they must be in the store.
    """
    from tdvc.ops.applying import apply as verb

    source = sys.stdin.buffer if str(patch) == "-" else patch
    result = verb(open_repository(), source, directory, reverse=reverse, dry_run=dry_run)
    return output.report(result, _lines(result), as_json)


def _lines(result: ApplyResult) -> Iterator[str]:
    facts = [
        (result.added_files, "file", "added"),
        (result.removed_files, "file", "removed"),
        (result.moved_files, "file", "moved"),
        (result.changed_files, "file", "changed"),
        (result.added_instances, "instance", "added"),
        (result.changed_instances, "instance", "changed"),
        (result.removed_instances, "instance", "removed"),
    ]
    said = [f"{output.plural(count, noun)} {word}" for count, noun, word in facts if count]
    yield f"{printable(result.directory)}: {', '.join(said)}." if said else "The patch is empty; nothing changed."
