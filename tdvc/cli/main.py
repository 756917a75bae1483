"""Where `tdvc` starts: which commands there are, and what becomes of errors.

Starting fast is a feature, so this module imports click and nothing heavier: the commands are a table of names, and
the module of a command is imported when it is run. The text in the table is what `tdvc --help` lists; a test holds
it to the commands' own help.

Everything expected ends in one line `error: …`, maybe one `hint: …`, and an exit code:

    0 done    1 error, or differences with --exit-code    2 usage    3 finished with problems    10 no repository
    11 locked    20 conflict    21 schema    130 interrupted    141 nobody reads the output any more

With `--json` an error is `{"error": {"code": …, "fields": {…}, "hint": …, "message": …}}` on standard error, and
standard output gets nothing; only a list that had begun, because it is written while it is read, breaks off.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import click

from tdvc.errors import StorageFailure, TdvcError, Usage

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Entry(NamedTuple):
    """A command before it is imported.

    Attributes:
        module: where it is, below `tdvc.cli`.
        function: what it is called there.
        help: what the list of commands says about it.
        section: under which heading.
    """

    module: str
    function: str
    help: str
    section: str


COMMANDS: dict[str, Entry] = {
    "init": Entry("repository", "init", "Create a repository.", "Begin"),
    "add": Entry("files", "add", "Add raw files to a directory.", "Begin"),
    "import": Entry("exchange", "import_", "Import files together with their annotations.", "Begin"),
    "demo": Entry("demo", "demo", "Draw a sample set and show the main commands at work on it.", "Begin"),
    "status": Entry("repository", "status", "Show what is staged, or what changed in a checked-out folder.", "Look"),
    "ls": Entry("files", "ls", "List files.", "Look"),
    "show": Entry("files", "show", "Show a directory, commit, snapshot or file.", "Look"),
    "cat": Entry("files", "cat", "Write a file's bytes to standard output.", "Look"),
    "stats": Entry("stats", "stats", "Count labels, sizes, attributes and pictures.", "Look"),
    "sql": Entry("sql", "sql", "Ask a state in SQL.", "Look"),
    "diff": Entry("diff", "diff", "Show what differs between two states.", "Look"),
    "log": Entry("log", "log", "List the commits of a directory, newest first.", "Look"),
    "blame": Entry("log", "blame", "Show who said what about each instance of a file.", "Look"),
    "history": Entry("log", "history", "Show every version of one instance.", "Look"),
    "churn": Entry("log", "churn", "Count how often labels and files change from commit to commit.", "Look"),
    "bisect": Entry("log", "bisect", "Find the first commit for which a command fails.", "Look"),
    "validate": Entry("validate", "validate", "Find what is wrong with annotation.", "Look"),
    "check": Entry("checking", "check", "Check files without a repository.", "Look"),
    "annotate": Entry("annotations", "annotate", "Apply a file of edits to annotations.", "Change"),
    "apply": Entry("applying", "apply", "Do to a directory what a patch says.", "Change"),
    "relabel": Entry("annotations", "relabel", "Give every instance of one label another one.", "Change"),
    "complete": Entry("annotations", "complete", "Declare the annotation of files complete.", "Change"),
    "mirror": Entry("files", "mirror", "Put the same files into another directory too.", "Change"),
    "copy": Entry("files", "copy", "Make new files over the same bytes.", "Change"),
    "move": Entry("files", "move", "Move or rename files.", "Change"),
    "remove": Entry("files", "remove", "Take files out of a directory.", "Change"),
    "merge": Entry("merging", "merge", "Join what was done elsewhere into a directory.", "Merge"),
    "conflicts": Entry("merging", "conflicts", "List what a merge left to be decided.", "Merge"),
    "resolve": Entry("merging", "resolve", "Decide conflicts of a merge.", "Merge"),
    "commit": Entry("history", "commit", "Record the staged state of a directory.", "Record"),
    "snapshot": Entry("snapshots", "snapshot", "Freeze a directory under a name that never moves.", "Record"),
    "snapshots": Entry("snapshots", "snapshots", "List the snapshots.", "Record"),
    "pin": Entry("pins", "pin", "Write down a state for git to keep beside the code.", "Record"),
    "checkout": Entry("snapshots", "checkout", "Write the files of a state into a folder.", "Record"),
    "verify": Entry("snapshots", "verify", "Check every byte of a state.", "Record"),
    "export": Entry("exchange", "export", "Export states in the format of some tool.", "Record"),
    "formats": Entry("exchange", "formats", "List the formats and what each can carry.", "Shell"),
    "schema": Entry("schema", "schema", "Show and change what labels mean.", "Schema"),
    "directory": Entry("directories", "directory", "List, create, remove and rename directories.", "Directories"),
    "split": Entry("splits", "split", "Split a directory into parts that stay.", "Directories"),
    "sample": Entry("splits", "sample", "Take samples of a directory.", "Directories"),
    "switch": Entry("directories", "switch", "Choose the current directory.", "Directories"),
    "operations": Entry("undoing", "operations", "List what was done, newest first.", "Undo"),
    "undo": Entry("undoing", "undo", "Undo the last operations.", "Undo"),
    "redo": Entry("undoing", "redo", "Do again what was undone last.", "Undo"),
    "restore": Entry("undoing", "restore", "Make files what they were in REVISION, as staged edits.", "Undo"),
    "revert": Entry("undoing", "revert", "Take back what one commit did.", "Undo"),
    "cherry-pick": Entry("undoing", "cherry_pick", "Do to a directory what one commit did to its own.", "Undo"),
    "reset": Entry("undoing", "reset", "Drop staged edits, or go back to an earlier commit.", "Undo"),
    "gc": Entry("maintenance", "gc", "Remove what nothing needs any more, and pack the rest together.", "Repository"),
    "fsck": Entry("maintenance", "fsck", "Find out whether the repository is whole and sound.", "Repository"),
    "config": Entry("config", "config", "Read and change the repository's settings.", "Repository"),
    "completion": Entry("shell", "completion", "Print a script that completes tdvc's commands in a shell.", "Shell"),
    "help": Entry("shell", "help_", "Show the help of a command.", "Shell"),
}
"""All commands, in the order in which the help lists them."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command, imported now; None for an unknown name."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        found: click.Command = getattr(import_module(f"tdvc.cli.{entry.module}"), entry.function)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown name is answered with the nearest known one."""
        if args[0] in COMMANDS or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise unknown_command(args[0], COMMANDS, "tdvc --help")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section, without importing them."""
        del ctx
        width = max(map(len, COMMANDS))
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name.ljust(width), entry.help) for name, entry in COMMANDS.items() if entry.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


def unknown_command(name: str, known: Sequence[str] | dict[str, Any], otherwise: str) -> Usage:
    """The error for a command that does not exist; its hint is the nearest known one, or `otherwise`."""
    import difflib

    near = difflib.get_close_matches(name, list(known))
    near.sort(key=lambda other: sorted(other) != sorted(name))  # two letters that changed places come first
    hint = f"Did you mean {near[0]!r}?" if near else otherwise
    return Usage("bad-usage", f"There is no command {name!r}.", hint=hint, name=name)


def _print_version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    del parameter
    if wanted and not ctx.resilient_parsing:
        from tdvc import __version__

        click.echo(f"tdvc {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
    invoke_without_command=True,
    epilog="\b\nExample:\n  tdvc init && tdvc add photos && tdvc commit -m 'First photos'",
)
@click.option(
    "-C",
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    envvar="TDVC_DIR",
    metavar="PATH",
    help="Use the repository in PATH or above it, not the one of the current folder (or set TDVC_DIR).",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
@click.pass_context
def tdvc(ctx: click.Context, repository: Path | None) -> int:
    """Git for training data: versions files and the labels people attach to them, apart."""
    del repository  # read by `command.open_repository`
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        return Usage.exit_code
    return 0


def run() -> NoReturn:
    """The entry point of the script: `main` over the command line, and exit."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    gc.set_threshold(200_000, 20, 100)  # a command makes many small objects and no cycles worth looking for
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        _drop_output()
    os._exit(code)  # everything is written: taking the interpreter down would only free objects one by one


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code and reports every error."""
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
        return code
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_BROKEN_PIPE
    except Exception as error:
        return _report(error, arguments)


def _drop_output() -> None:
    """Let what is buffered go nowhere: it could not be written, and would raise again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _invoke(arguments: list[str]) -> int:
    """What click's own `main` does, less its handling of errors."""
    if os.environ.get("_TDVC_COMPLETE"):
        tdvc.main(arguments, prog_name="tdvc")
    try:
        with tdvc.make_context("tdvc", arguments) as ctx:
            return int(tdvc.invoke(ctx) or 0)
    except click.exceptions.Exit as ended:
        return ended.exit_code


def _report(error: Exception, arguments: Sequence[str]) -> int:
    """Say on standard error what went wrong; returns the exit code."""
    from tdvc.cli import output

    if os.environ.get("TDVC_DEBUG"):
        import traceback

        traceback.print_exc()
    known = _expected(error)
    if known is None:
        code, message, hint, fields = "internal-error", _log(error, arguments), "", {}
    else:
        code, message, hint, fields = known.code, known.message, known.hint, known.fields
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--json" in options:
        failure = {"code": code, "message": message, "hint": hint, "fields": fields}
        click.echo(output.document({"error": failure}), err=True, nl=False)
    else:
        for line in output.failure_lines(message, hint, internal=known is None) + output.pointer_lines(fields):
            click.echo(line, err=True)
    return known.exit_code if known else TdvcError.exit_code


def _expected(error: Exception) -> TdvcError | None:
    """An error that has a sentence of its own, as a `TdvcError`; None for one that nobody expected."""
    if isinstance(error, TdvcError):
        return error
    if isinstance(error, click.UsageError):
        hint = f"{error.ctx.command_path} --help" if error.ctx else "tdvc --help"
        message = error.format_message()
        return Usage("bad-usage", message if message.endswith((".", "?")) else f"{message}.", hint=hint)
    if isinstance(error, OSError) and error.errno:
        code = "disk-full" if error.errno in DISK_FULL else "disk-failure"
        place = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
        reason = error.strerror or os.strerror(error.errno)
        return StorageFailure(code, f"{place}: {reason}." if place else f"{reason}.", path=place)
    return None


def _log(error: Exception, arguments: Sequence[str]) -> str:
    """Write what a maintainer needs into a file, ready to paste; returns the sentence for the user."""
    import platform
    import shlex
    import tempfile
    import traceback

    text = [
        f"command: tdvc {shlex.join(arguments)}",
        f"python: {platform.python_version()} on {platform.platform()}",
        "",
        "".join(traceback.format_exception(error)),
    ]
    summary = f"{type(error).__name__}: {error}"
    try:
        handle, name = tempfile.mkstemp(prefix="tdvc-", suffix=".log")
        with open(handle, "w", errors="backslashreplace") as file:
            file.write("\n".join(text))
    except OSError:
        return f"{summary} (no log could be written; TDVC_DEBUG=1 shows more)"
    return f"{summary} (please report it with the log in {name})"
