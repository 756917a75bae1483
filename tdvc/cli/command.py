"""How a command is declared, and how it finds its repository: what all of them share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tdvc.ops.hooks import Hooks
    from tdvc.repo.directory import Directory
    from tdvc.repo.repository import Repository


def command(
    *examples: str, name: str | None = None, group: click.Group | None = None, cls: type[click.Command] = click.Command
) -> Callable[[Callable[..., int]], click.Command]:
    """Declare a command whose help ends with examples; it returns its exit code. Below `group` where one is given."""
    declare: Callable[..., Callable[[Callable[..., int]], click.Command]] = (group or click).command
    return declare(name, cls=cls, epilog=epilog(*examples))


def epilog(*examples: str) -> str:
    """Examples as the end of a help text, lines as they are."""
    heading = "Example:" if len(examples) == 1 else "Examples:"
    return "\n".join(["\b", heading, *(f"  {example}" for example in examples)])


def author() -> str:
    """Who is at work: TDVC_AUTHOR, else TDVC_AUTHOR_NAME and TDVC_AUTHOR_EMAIL, else the name of the user."""
    environment = os.environ
    if environment.get("TDVC_AUTHOR"):
        return environment["TDVC_AUTHOR"]
    name, email = environment.get("TDVC_AUTHOR_NAME", ""), environment.get("TDVC_AUTHOR_EMAIL", "")
    if name or email:
        return f"{name} <{email}>".strip() if email else name
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):
        return "unknown"


def given_place() -> Path | None:
    """What -C or TDVC_DIR says of where the repository is; None where neither does."""
    context = click.get_current_context(silent=True)
    given = context.find_root().params.get("repository") if context else None
    return Path(given) if given else None


def start_of_search() -> Path:
    """Where the search for the repository begins: -C or TDVC_DIR, else the current folder."""
    return given_place() or Path()


def open_repository(*, any_format: bool = False) -> Repository:
    """The repository of this command, also one with a damaged format file. Raises NoRepository, Corruption."""
    from tdvc.ops.opening import open_repository as open_kept_up

    durable = os.environ.get("TDVC_DURABILITY") != "none"
    repository = open_kept_up(start_of_search(), author=author(), durable=durable, any_format=any_format)
    return repository.at_one_moment()


def warn_of_labels(directory: Directory, label: str | None, where: str | None) -> None:
    """Say on standard error where a label is asked for that the schema does not know."""
    from tdvc.names import printable
    from tdvc.ops.select import unknown_labels

    if label is None and where is None:
        return
    import difflib

    known = sorted(directory.schema.labels)
    for name in unknown_labels(directory, label, where):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known[:10])}" if known else ""
        message = f"warning: the schema of {directory.name} has no label {name!r}{hint}"
        click.echo(printable(message), err=True)


def hooks_of(repository: Repository) -> Hooks | None:
    """The hooks of a repository, whose output goes to standard error; None where there are none, and within a hook."""
    if repository.path is None or not (repository.path / ".tdvc" / "hooks").exists():
        return None
    from tdvc.ops.hooks import HOOK_VARIABLE, Hooks

    if HOOK_VARIABLE in os.environ:
        return None
    return Hooks(repository, environment=os.environ, say=lambda line: click.echo(line, err=True))


def size_in_bytes(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """What an option such as `1000`, `256MB` or `64MiB` means; a callback of click."""
    if value is None:
        return None
    found = _SIZE.fullmatch(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no size; 256MB is one.", context, parameter)
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " kmgt".index(found[2].lower() or " "))


_SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?) ?([kmgt]?)(i?)b?", re.IGNORECASE)


def _names(kinds: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        del parameter
        from tdvc.errors import TdvcError
        from tdvc.repo.repository import Repository

        try:
            place = Path(ctx.find_root().params.get("repository") or ".")
            view = Repository.open(place, author=author()).view
        except (TdvcError, OSError):
            return []
        found = {name for kind in kinds for name in getattr(view, kind)}
        return sorted(name for name in found if name.startswith(incomplete))

    return complete


complete_directories = _names(("directories",))
"""Completes names of directories in a shell."""

complete_revisions = _names(("directories", "snapshots"))
"""Completes names of directories and snapshots in a shell."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

directory_option = click.option(
    "-d",
    "--directory",
    metavar="NAME",
    shell_complete=complete_directories,
    help="The directory; the current one where none is named.",
)

dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Change nothing; say what would be done.")

no_verify_option = click.option("--no-verify", is_flag=True, help="Skip validation and pre- hooks.")

pin_option = click.option(
    "--pin", type=click.Path(path_type=Path), metavar="FILE", help="The state that the pin in FILE stands for."
)

label_option = click.option("-l", "--label", metavar="LABEL", help="Only files with an instance of this label.")

where_option = click.option(
    "-w", "--where", metavar="QUERY", help="Only files that a query means, such as \"label = 'dog' and area > 400\"."
)
