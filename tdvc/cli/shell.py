"""Help for the shell: completion, and `tdvc help COMMAND`."""

from __future__ import annotations

import os
import sys

import click

from tdvc.cli.command import command

SHELLS = ("bash", "zsh", "fish")


@command('eval "$(tdvc completion bash)"  # in ~/.bashrc', "tdvc completion fish > tdvc.fish")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print a script that completes tdvc's commands in a shell."""
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"This version of click does not complete in {shell}.")
    sys.stdout.write(found(root, {}, "tdvc", "_TDVC_COMPLETE").source() + os.linesep)
    return 0


@command("tdvc help add", "tdvc help directory create", name="help")
@click.argument("names", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def help_(ctx: click.Context, names: tuple[str, ...]) -> int:
    """Show the help of a command."""
    from tdvc.cli.main import unknown_command

    found = ctx.find_root()
    for name in names:
        group = found.command
        below = group.get_command(found, name) if isinstance(group, click.Group) else None
        if below is None:
            known = group.list_commands(found) if isinstance(group, click.Group) else []
            raise unknown_command(" ".join(names), known, f"{found.command_path} --help")
        found = click.Context(below, parent=found, info_name=name)
    click.echo(found.get_help())
    return 0
