"""What changed: commit, diff."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, complete_revisions, directory_option, json_option, open_repository
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.committing import CommitResult

_PATHS = "tdvc.paths"


@command("tdvc commit -m 'Boxes of the night shift'", "tdvc commit -d Pets -m 'Relabelled the puppies'")
@click.option("-m", "--message", required=True, metavar="TEXT", help="What was done, and why.")
@directory_option
@json_option
def commit(message: str, directory: str | None, as_json: bool) -> int:
    """Record the staged state of a directory."""
    from tdvc.ops.committing import commit as verb

    result = verb(open_repository(), message, directory)
    return output.report(result, _commit_lines(result, message), as_json)


def _commit_lines(result: CommitResult, message: str) -> Iterator[str]:
    from tdvc.cli.difftext import totals_lines

    yield f"{printable(result.directory)} {output.short_id(result.commit)}  {output.first_line(message)}"
    yield from (f"  {line}" for line in totals_lines(result.changed))


class _WithPaths(click.Command):
    """A command for which `--` begins the paths; click itself would forget where it stood."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- PATH...]"]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            split = args.index("--")
            ctx.meta[_PATHS] = tuple(args[split + 1 :])
            args = args[:split]
        return super().parse_args(ctx, args)


@command("tdvc diff", "tdvc diff Pets~1 Pets@ --stat", "tdvc diff v1..v2 -- 'night/*'", cls=_WithPaths)
@click.argument("before", required=False, shell_complete=complete_revisions)
@click.argument("after", required=False, shell_complete=complete_revisions)
@click.option("-s", "--stat", is_flag=True, help="Count instances instead of listing them.")
@click.option("-N", "--name-only", is_flag=True, help="Print the paths that differ, and nothing else.")
@click.option("-e", "--exit-code", is_flag=True, help="Exit with 1 where something differs, else with 0.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; implies --exit-code.")
@json_option
@click.pass_context
def diff(
    ctx: click.Context,
    before: str | None,
    after: str | None,
    stat: bool,
    name_only: bool,
    exit_code: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Show what differs between two states.

    Without a revision, or with the name of a directory: its last commit and what is staged. With one other revision:
    that one and what is staged in its directory. With two, also as A..B: the one and the other. Paths, folders or
    globs after -- narrow it.
    """
    from tdvc.cli import difftext
    from tdvc.ops.diffing import DiffTotals
    from tdvc.ops.diffing import diff as verb

    if before and after is None and ".." in before:
        before, _, after = before.partition("..")
    difference = verb(open_repository(), before or None, after or None, paths=ctx.meta.get(_PATHS, ()))
    differs = bool(difference) if quiet or exit_code else False
    if quiet:
        return int(differs)
    if as_json:
        difftext.write_json(difference, DiffTotals())
    elif name_only:
        output.write_lines(printable(change.path) for change in difference.files())
    else:
        output.write_lines(difftext.text_lines(difference, stat=stat, totals=DiffTotals()))
    return int(differs)
