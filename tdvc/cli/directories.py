"""Directories: the named, living sets of files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import (
    command,
    complete_directories,
    dry_run_option,
    epilog,
    json_option,
    open_repository,
    warn_of_labels,
)
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.following import RefreshResult


@click.group(invoke_without_command=True, epilog=epilog("tdvc directory", "tdvc directory create Night"))
@json_option
@click.pass_context
def directory(ctx: click.Context, as_json: bool) -> int:
    """List, create, remove and rename directories.

    A directory is a set of files with a history of its own. One file can be in many of them (tdvc mirror). Without a
    command they are listed.
    """
    return _list(as_json) if ctx.invoked_subcommand is None else 0


@command("tdvc directory list --json", name="list", group=directory)
@json_option
def list_(as_json: bool) -> int:
    """List the directories; a star marks the current one."""
    return _list(as_json)


def _list(as_json: bool) -> int:
    from tdvc.ops.directories import list_directories

    found = list_directories(open_repository())
    rows = [
        (
            "*" if info.current else " ",
            printable(info.name),
            *output.counted(info.files, "file"),
            *output.counted(info.instances, "instance"),
            output.short_id(info.commit),
            "staged edits" if info.staged else "",
            f"as it last was: {printable(info.problem)}" if info.problem else printable(info.rule),
        )
        for info in found
    ]
    return output.report(found, output.table(rows, counts=(2, 4)), as_json)


def _rule_options(function: Callable[..., int]) -> Callable[..., int]:
    """What a dynamic directory follows."""
    options = (
        click.option("-w", "--where", metavar="QUERY", help="Hold the files that a query means, now and later."),
        click.option(
            "--from",
            "source",
            metavar="DIRECTORY",
            shell_complete=complete_directories,
            help="The directory whose files are asked; the current one where none is named.",
        ),
        click.option("--order", metavar="PROPERTY [desc], …", help="Which files come first, for --limit."),
        click.option("--limit", type=int, metavar="N", help="Hold the first N only."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command(
    "tdvc directory create Night",
    "tdvc directory create Recent --from Pets --where 'captured_at > now - 6 months'",
    "tdvc directory create Newest --where 'complete' --order 'captured_at desc' --limit 1000",
    group=directory,
)
@click.argument("name")
@_rule_options
@json_option
def create(
    name: str, where: str | None, source: str | None, order: str | None, limit: int | None, as_json: bool
) -> int:
    """Create an empty directory, or one that holds what a query means.

    With --where the directory is dynamic: it mirrors the files of another one that fit, and is brought up to date
    whenever its state is asked for. Its commits and snapshots stay as they are.
    """
    from tdvc.ops.directories import create_directory

    repository = open_repository()
    operation = create_directory(repository, name, where=where, source=source, order=order or "", limit=limit)
    if where is not None:
        warn_of_labels(repository.directory(name), None, where)
    counts = repository.directory(name).counts
    held = f" with {output.plural(counts.files, 'file')}, {output.plural(counts.instances, 'instance')}"
    return output.report(
        {"directory": name, "files": counts.files, "instances": counts.instances, "operation": operation},
        [f"Created the directory {printable(name)}{held if where is not None else ''}."],
        as_json,
    )


@command(
    "tdvc directory rule Recent",
    "tdvc directory rule Recent --where 'captured_at > now - 3 months'",
    "tdvc directory rule Recent --drop",
    group=directory,
)
@click.argument("name", shell_complete=complete_directories)
@_rule_options
@click.option("--drop", is_flag=True, help="Follow nothing any more; what it holds stays.")
@json_option
def rule(
    name: str,
    where: str | None,
    source: str | None,
    order: str | None,
    limit: int | None,
    drop: bool,
    as_json: bool,
) -> int:
    """Show or change what a dynamic directory follows.

    What is not given stays as it was; --order '' and --limit 0 end those.
    """
    from tdvc.errors import Usage
    from tdvc.ops.directories import change_rule, drop_rule
    from tdvc.ops.keepingup import rule_of

    repository = open_repository()
    changed = any(value is not None for value in (where, source, order, limit))
    if drop and changed:
        raise Usage("bad-usage", "--drop ends a rule, and goes with no other option.")
    if drop:
        operation = drop_rule(repository, name)
        said = f"{printable(name)} follows nothing any more."
        return output.report({"directory": name, "operation": operation}, [said], as_json)
    if changed:
        result = change_rule(repository, name, where=where, source=source, order=order, limit=limit)
        warn_of_labels(repository.directory(name), None, where)
        return _tell_refreshed(result, as_json)
    shown = rule_of(repository, name)
    fields = {name: getattr(shown, name) for name in ("source", "where", "order", "limit")}
    return output.report({"directory": name, **fields}, [printable(shown.text)], as_json)


@command("tdvc directory refresh Recent", group=directory)
@click.argument("name", shell_complete=complete_directories)
@json_option
def refresh(name: str, as_json: bool) -> int:
    """Bring a dynamic directory up to date.

    That happens by itself whenever its state is asked for; this says what came in and what left.
    """
    from tdvc.ops.following import refresh as verb

    return _tell_refreshed(verb(open_repository(), name), as_json)


def _tell_refreshed(result: RefreshResult, as_json: bool) -> int:
    moved = f"{output.plural(result.gained, 'file')} came in, {result.lost:,} left."
    said = moved if result.gained or result.lost else "Nothing changed."
    return output.report(
        result, [f"{printable(result.directory)} holds {output.plural(result.files, 'file')}. {said}"], as_json
    )


@command("tdvc directory remove Night", "tdvc directory remove --dry-run Night", group=directory)
@click.argument("name", shell_complete=complete_directories)
@dry_run_option
@json_option
def remove(name: str, dry_run: bool, as_json: bool) -> int:
    """Remove a directory.

    Snapshots of it stay, and so do its files in other directories. tdvc undo brings it back.
    """
    from tdvc.ops.directories import remove_directory

    gone = remove_directory(open_repository(), name, dry_run=dry_run)
    verb = "Would remove" if dry_run else "Removed"
    held = f"{output.plural(gone.files, 'file')}, {output.plural(gone.instances, 'instance')}"
    return output.report(gone, [f"{verb} the directory {printable(name)} ({held})."], as_json)


@command("tdvc directory rename Night Dusk", group=directory)
@click.argument("old", shell_complete=complete_directories)
@click.argument("new")
@json_option
def rename(old: str, new: str, as_json: bool) -> int:
    """Give a directory another name."""
    from tdvc.ops.directories import rename_directory

    operation = rename_directory(open_repository(), old, new)
    result = {"directory": new, "operation": operation}
    return output.report(result, [f"Renamed the directory {printable(old)} to {printable(new)}."], as_json)


@command("tdvc switch Pets")
@click.argument("name", shell_complete=complete_directories)
@json_option
def switch(name: str, as_json: bool) -> int:
    """Choose the current directory.

    It is the one that commands use when none is named.
    """
    from tdvc.ops.directories import switch as verb

    operation = verb(open_repository(), name)
    said = "The current directory is" if operation else "The current directory is already"
    return output.report({"directory": name, "operation": operation}, [f"{said} {printable(name)}."], as_json)
