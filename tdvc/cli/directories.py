"""Directories: the named, living sets of files."""

from __future__ import annotations

import click

from tdvc.cli import output
from tdvc.cli.command import command, complete_directories, dry_run_option, epilog, json_option, open_repository
from tdvc.names import printable


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
        )
        for info in found
    ]
    return output.report(found, output.table(rows, counts=(2, 4)), as_json)


@command("tdvc directory create Night", group=directory)
@click.argument("name")
@json_option
def create(name: str, as_json: bool) -> int:
    """Create an empty directory."""
    from tdvc.ops.directories import create_directory

    operation = create_directory(open_repository(), name)
    return output.report(
        {"directory": name, "operation": operation}, [f"Created the directory {printable(name)}."], as_json
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
