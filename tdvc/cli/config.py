"""What a repository is told to do: config."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, epilog, json_option, open_repository

if TYPE_CHECKING:
    from tdvc.ops.configuring import Setting


@click.group(invoke_without_command=True, epilog=epilog("tdvc config", "tdvc config set validate.on_commit error"))
@json_option
@click.pass_context
def config(ctx: click.Context, as_json: bool) -> int:
    """Read and change the repository's settings.

    They are in .tdvc/config.toml, belong to this repository alone and are no part of any commit. Without a command
    those that differ from the usual are listed.
    """
    return _list(False, as_json) if ctx.invoked_subcommand is None else 0


@command("tdvc config list", "tdvc config list --all", name="list", group=config)
@click.option("-a", "--all", "everything", is_flag=True, help="Also what is as usual.")
@json_option
def list_(everything: bool, as_json: bool) -> int:
    """List the settings that differ from the usual."""
    return _list(everything, as_json)


def _list(everything: bool, as_json: bool) -> int:
    from tdvc.ops.configuring import config_values

    found = [one for one in config_values(open_repository()) if everything or one.value != one.usual]
    lines = output.table([(one.key, _spelled(one), one.meaning) for one in found])
    return output.report(found, lines or ["Every setting is as usual; --all lists them."], as_json)


@command("tdvc config get validate.on_commit", group=config)
@click.argument("key")
@json_option
def get(key: str, as_json: bool) -> int:
    """Print a setting."""
    from tdvc.ops.configuring import config_value

    found = config_value(open_repository(), key)
    return output.report(found, [_spelled(found)], as_json)


@command(
    "tdvc config set validate.on_commit error", "tdvc config set validate.rules.tiny off", name="set", group=config
)
@click.argument("key")
@click.argument("value")
@json_option
def set_(key: str, value: str, as_json: bool) -> int:
    """Change a setting.

    The usual value takes it out of the file, which is written anew: comments in it go.
    """
    from tdvc.ops.configuring import set_config

    found = set_config(open_repository(), key, value)
    return output.report(found, [f"{found.key} = {_spelled(found)}"], as_json)


def _spelled(setting: Setting) -> str:
    return setting.value if isinstance(setting.value, str) else f"{setting.value:g}"
