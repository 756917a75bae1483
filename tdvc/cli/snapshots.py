"""States that are pinned, checked and written out: snapshot, snapshots, verify, checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import (
    command,
    complete_directories,
    complete_revisions,
    dry_run_option,
    hooks_of,
    json_option,
    label_option,
    no_verify_option,
    open_repository,
    pin_option,
    where_option,
)
from tdvc.cli.progress import Watch
from tdvc.cli.validate import warn_of
from tdvc.errors import Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.checkout import CheckoutResult
    from tdvc.ops.snapshots import SnapshotResult
    from tdvc.repo.repository import Repository


@command("tdvc snapshot Pets pets-2026-11", "tdvc snapshot Pets pets-2026-11 -m 'For the first training'")
@click.argument("directory", shell_complete=complete_directories)
@click.argument("name")
@click.option("-m", "--message", default="", metavar="TEXT", help="What it is for.")
@click.option("--require-complete", is_flag=True, help="Refuse where a file is not complete today.")
@no_verify_option
@json_option
def snapshot(directory: str, name: str, message: str, require_complete: bool, no_verify: bool, as_json: bool) -> int:
    """Freeze a directory under a name that never moves.

    It holds the directory's last commit; what is staged is left out. The name can't be given again, so whoever trained
    on it can always find the same files and annotations.
    """
    from tdvc.ops.snapshots import snapshot as verb

    repository = open_repository()
    result = verb(
        repository,
        directory,
        name,
        message=message,
        complete_only=require_complete,
        verify=not no_verify,
        hooks=hooks_of(repository),
    )
    warn_of(result.checked)
    return output.report(result, _snapshot_lines(result), as_json)


def _snapshot_lines(result: SnapshotResult) -> Iterator[str]:
    held = f"{output.plural(result.counts.files, 'file')}, {output.plural(result.counts.instances, 'instance')}"
    source = f"{printable(result.directory)} {output.short_id(result.commit)}"
    yield f"Snapshot {printable(result.name)}: {source} ({held})"
    if result.staged_edits_left_out:
        yield "What is staged is not in it: a snapshot holds the last commit."


@command("tdvc snapshots", "tdvc snapshots --json")
@json_option
def snapshots(as_json: bool) -> int:
    """List the snapshots."""
    from tdvc.ops.snapshots import snapshots as verb

    found = verb(open_repository())
    rows = [
        (
            printable(info.name),
            printable(info.directory),
            output.short_id(info.commit),
            output.moment(info.time),
            *output.counted(info.counts.files, "file"),
            *output.counted(info.counts.instances, "instance"),
            output.first_line(info.message),
        )
        for info in found
    ]
    return output.report(found, output.table(rows, counts=(4, 6)), as_json)


@command("tdvc verify pets-2026-11", "tdvc verify Pets")
@click.argument("revision", shell_complete=complete_revisions)
@json_option
def verify(revision: str, as_json: bool) -> int:
    """Check every byte of a state.

    Everything that a directory, snapshot or commit names is read and hashed again.
    """
    from tdvc.ops.snapshots import verify as verb

    with Watch() as progress:
        result = verb(open_repository(), revision, progress=progress)
    damaged = f", {len(result.problems):,} damaged" if result.problems else ", all as they should be"
    read = f"{output.plural(result.files, 'file')} ({output.human_size(result.size_bytes)})"
    instances = output.plural(result.instances, "instance")
    return output.report(result, [f"{printable(result.revision)}: {read}, {instances} read{damaged}."], as_json)


@command(
    "tdvc checkout Pets ~/work/pets",
    "tdvc checkout v2 ~/work/pets --update",
    "tdvc checkout v2 out --label dog",
    "tdvc checkout --pin data.tdvc.toml out",
)
@click.argument("revision", shell_complete=complete_revisions, required=False)
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@pin_option
@click.option("-u", "--update", is_flag=True, help="Turn an earlier checkout in FOLDER into this one.")
@click.option("-o", "--only", metavar="PATTERN", help="Only this path, folder or glob.")
@label_option
@where_option
@click.option(
    "-L",
    "--link",
    type=click.Choice(("auto", "reflink", "hardlink", "copy")),
    default="auto",
    show_default=True,
    help="Whether large files share their bytes with the repository.",
)
@dry_run_option
@json_option
def checkout(
    revision: str | None,
    folder: Path | None,
    pin: Path | None,
    update: bool,
    only: str | None,
    label: str | None,
    where: str | None,
    link: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Write the files of a state into a folder.

    Beside the files it gets instances.jsonl (the annotation), schema.json and SHA256SUMS. A file that tdvc did not
    write is never overwritten. With --update, files that are not in the new state are removed from the folder.

    With --pin there is no REVISION: the pin says which state, and where its repository is.
    """
    from tdvc.ops.checkout import checkout as verb

    repository, revision, folder = _wanted(revision, folder, pin)
    with Watch() as progress:
        result = verb(
            repository,
            revision,
            folder,
            link=link,
            only=only,
            label=label,
            where=where,
            update=update,
            dry_run=dry_run,
            progress=progress,
        )
    return output.report(result, _checkout_lines(result, dry_run), as_json)


def _wanted(revision: str | None, folder: Path | None, pin: Path | None) -> tuple[Repository, str, Path]:
    """Where from, which state, where to; with a pin the one argument is the folder."""
    if revision is None or (folder is None) != (pin is not None):
        wanted = "FOLDER and --pin FILE" if pin else "REVISION and FOLDER"
        raise Usage("bad-usage", f"Give {wanted}.", hint="tdvc checkout --help")
    if pin is None or folder is not None:
        return open_repository(), revision, folder or Path()
    from tdvc.cli.pins import open_pinned

    repository, state, _ = open_pinned(pin)
    return repository, state.title, Path(revision)


def _checkout_lines(result: CheckoutResult, dry_run: bool) -> Iterator[str]:
    yield f"{printable(result.revision)} -> {printable(result.folder)}{' (dry run)' if dry_run else ''}"
    facts = [
        ("written", result.written_files, f"({output.human_size(result.written_bytes)})"),
        ("unchanged", result.unchanged_files, ""),
        ("removed", result.removed_files, ""),
    ]
    rows = [(word, *output.counted(count, "file"), note) for word, count, note in facts if count]
    yield from (f"  {line}" for line in output.table(rows, counts=(1,)))
