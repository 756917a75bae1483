"""Going back: operations, undo, redo, restore, reset, revert, cherry-pick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from tdvc.cli import output
from tdvc.cli.command import (
    command,
    complete_revisions,
    directory_option,
    dry_run_option,
    hooks_of,
    json_option,
    no_verify_option,
    open_repository,
)
from tdvc.errors import Conflict
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.picking import PickResult
    from tdvc.ops.restoring import RestoreResult
    from tdvc.ops.undoing import OperationInfo, UndoResult

_SHOWN_PATHS = 10


@command("tdvc operations", "tdvc operations -n 5")
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="COUNT", help="Only the newest COUNT.")
@json_option
def operations(limit: int | None, as_json: bool) -> int:
    """List what was done, newest first.

    A star marks where the repository stands: undo goes back from there.
    """
    from tdvc.ops.undoing import operations as verb

    return output.report_each(verb(open_repository(), limit=limit), _operation_line, as_json)


def _operation_line(operation: OperationInfo) -> str:
    star = "*" if operation.shown else " "
    who = printable(operation.author)
    when = output.moment(operation.time)
    return f"{star} {output.short_id(operation.operation)}  {when}  {who}  {output.first_line(operation.command)}"


@command("tdvc undo", "tdvc undo 3", "tdvc undo 3f2a9c1d")
@click.argument("what", required=False, metavar="[COUNT|OPERATION]")
@json_option
def undo(what: str | None, as_json: bool) -> int:
    """Undo the last operations.

    One, or COUNT of them, or OPERATION and all that followed it. What they did to directories, annotations and commits
    is taken back, as new operations. Undo again to go further back; tdvc redo goes forward. Folders on disk are not
    touched.
    """
    from tdvc.ops.undoing import undo as verb

    return _stepped("Undid", verb(open_repository(), what), as_json)


@command("tdvc redo")
@json_option
def redo(as_json: bool) -> int:
    """Do again what was undone last."""
    from tdvc.ops.undoing import redo as verb

    return _stepped("Did again", verb(open_repository()), as_json)


def _stepped(verb: str, result: UndoResult, as_json: bool) -> int:
    commands = result.commands or (result.command,)
    return output.report(result, [f"{verb}: {output.first_line(command)}" for command in commands], as_json)


@command("tdvc restore v1 night/a.jpg", "tdvc restore Pets~3 -d Pets", "tdvc restore --operation 3f2a9c1d")
@click.argument("revision", required=False, shell_complete=complete_revisions)
@click.argument("paths", nargs=-1)
@click.option("--operation", metavar="OPERATION", help="Bring the whole repository to how it was after an operation.")
@directory_option
@dry_run_option
@json_option
def restore(
    revision: str | None,
    paths: tuple[str, ...],
    operation: str | None,
    directory: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Make files what they were in REVISION, as staged edits.

    All files, or those that PATHS (paths, folders, globs) mean. A mirrored file changes in every directory. With
    --operation every directory, commit and snapshot is brought back, as after a number of undos.
    """
    if operation is not None:
        if revision is not None or directory is not None or dry_run:
            raise click.UsageError("--operation restores everything and takes no revision, directory or dry run.")
        from tdvc.ops.undoing import restore_operation

        return _stepped("The repository is as after", restore_operation(open_repository(), operation), as_json)
    if revision is None:
        raise click.UsageError("Missing argument 'REVISION'.")
    from tdvc.ops.restoring import restore as verb

    result = verb(open_repository(), revision, paths, directory, dry_run=dry_run)
    return output.report(result, _restored_lines(result, dry_run), as_json)


@command("tdvc reset", "tdvc reset Pets~2 -d Pets", "tdvc reset Pets~1 --keep")
@click.argument("revision", required=False, shell_complete=complete_revisions)
@click.option("--keep", is_flag=True, help="Leave the staged state as it is; only the last commit is another one.")
@directory_option
@dry_run_option
@json_option
def reset(revision: str | None, keep: bool, directory: str | None, dry_run: bool, as_json: bool) -> int:
    """Drop staged edits, or go back to an earlier commit.

    Without REVISION what is staged becomes the last commit's state. With one, that commit becomes the directory's last.
    Commits after it are not lost: tdvc undo brings them back.
    """
    from tdvc.ops.restoring import reset as verb

    result = verb(open_repository(), revision, directory, keep=keep, dry_run=dry_run)
    return output.report(result, _restored_lines(result, dry_run), as_json)


_picks = [
    click.argument("commit", shell_complete=complete_revisions),
    click.option("-m", "--message", metavar="TEXT", help="What the new commit says."),
    click.option("--no-commit", is_flag=True, help="Leave the result staged."),
    no_verify_option,
    directory_option,
    dry_run_option,
    json_option,
]


def _picking(function: Callable[..., int]) -> Callable[..., int]:
    """The arguments that revert and cherry-pick share."""
    for option in reversed(_picks):
        function = option(function)
    return function


@command("tdvc revert 3f2a9c1d", "tdvc revert Pets@ --no-commit")
@_picking
def revert(commit: str, **options: Any) -> int:
    """Take back what one commit did.

    What was done since stays. Where it was done to the same thing, the directory keeps what it has, the conflicts are
    listed (exit code 20), and tdvc resolve and tdvc commit end it, as with a merge.
    """
    from tdvc.ops.picking import revert as verb

    return _pick(verb, commit, **options)


@command("tdvc cherry-pick Alice@ -d Main", name="cherry-pick")
@_picking
def cherry_pick(commit: str, **options: Any) -> int:
    """Do to a directory what one commit did to its own.

    The commit may be of a copy: its files are found by what they were copied from. Conflicts are as with a merge.
    """
    from tdvc.ops.picking import cherry_pick as verb

    return _pick(verb, commit, **options)


def _pick(
    verb: Callable[..., PickResult],
    commit: str,
    *,
    message: str | None,
    no_commit: bool,
    no_verify: bool,
    directory: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    from tdvc.cli.validate import warn_of
    from tdvc.ops.picking import PickOptions

    repository = open_repository()
    options = PickOptions(message, not no_commit, not no_verify, dry_run, hooks_of(repository))
    result = verb(repository, commit, directory, options)
    warn_of(result.checked)
    output.report(result, _pick_lines(result, dry_run), as_json)
    return Conflict.exit_code if result.conflicts else 0


def _pick_lines(result: PickResult, dry_run: bool) -> Iterator[str]:
    from tdvc.cli.merging import conflict_summary

    name = printable(result.directory)
    what = f"{output.short_id(result.picked)}  {output.first_line(result.message)}"
    yield f"{result.verb} {what} -> {name}{' (dry run)' if dry_run else ''}"
    words = ("added", "removed", "moved", "changed")
    rows = [(word, *output.counted(getattr(result, f"{word}_files"), "file")) for word in words]
    yield from (f"  {line}" for line in output.table((row for row in rows if row[1] != "0"), counts=(1,)))
    if result.conflicts:
        yield from conflict_summary(result)
    elif result.commit:
        yield f"Committed as {output.short_id(result.commit)}."
    elif result.operation:
        yield f"Staged: tdvc commit -d {name}"
    elif not dry_run:
        yield "Nothing changed."


def _restored_lines(result: RestoreResult, dry_run: bool) -> Iterator[str]:
    for word, paths in (("restored", result.restored), ("removed", result.removed)):
        yield from (f"{word:8}  {printable(path)}" for path in paths[:_SHOWN_PATHS])
        if (more := len(paths) - _SHOWN_PATHS) > 0:
            yield f"… and {output.plural(more, 'more file', 'more files')} {word}"
    name = printable(result.directory)
    if result.commit is not None:
        yield f"{name}: the last commit is {output.short_id(result.commit)}" + (" (dry run)" if dry_run else "")
    elif result.restored or result.removed:
        yield f"{name} is staged as in {printable(result.revision)}" + (" (dry run)" if dry_run else "")
    if result.operation is None and not dry_run:
        yield "Nothing changed."
