"""What was recorded: commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, directory_option, hooks_of, json_option, no_verify_option, open_repository
from tdvc.cli.validate import warn_of
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.committing import CommitResult


@command("tdvc commit -m 'Boxes of the night shift'", "tdvc commit -d Pets -m 'Relabelled the puppies'")
@click.option("-m", "--message", required=True, metavar="TEXT", help="What was done, and why.")
@directory_option
@no_verify_option
@json_option
def commit(message: str, directory: str | None, no_verify: bool, as_json: bool) -> int:
    """Record the staged state of a directory.

    Where the repository asks for it (tdvc config set validate.on_commit error), what changed is validated before, and
    .tdvc/hooks/pre-commit has its say (docs/hooks.md).
    """
    from tdvc.ops.committing import commit as verb

    repository = open_repository()
    result = verb(repository, message, directory, verify=not no_verify, hooks=hooks_of(repository))
    warn_of(result.checked)
    return output.report(result, commit_lines(result, message), as_json)


def commit_lines(result: CommitResult, message: str) -> Iterator[str]:
    """What was committed, for people."""
    from tdvc.cli.difftext import totals_lines

    yield f"{printable(result.directory)} {output.short_id(result.commit)}  {output.first_line(message)}"
    yield from (f"  {line}" for line in totals_lines(result.changed))
