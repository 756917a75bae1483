"""Looking after a repository: gc, fsck."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, dry_run_option, json_option, open_repository
from tdvc.cli.progress import Watch
from tdvc.names import printable

if TYPE_CHECKING:
    from datetime import timedelta

    from tdvc.ops.collecting import CollectResult
    from tdvc.ops.findings import Finding
    from tdvc.ops.fsck import FsckResult

MAX_USERS = 10
"""Files that are named below a finding; --json names all."""

_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def duration(ctx: click.Context, parameter: click.Parameter, value: str) -> timedelta:
    """`30d`, `12h` or `90m` as a span of time."""
    from datetime import timedelta

    del ctx
    digits, unit = value[:-1], value[-1:]
    if not digits.isdecimal() or len(digits) > 6 or unit not in _UNITS:
        raise click.BadParameter(f"{value!r} is not a time such as 30d, 12h or 90m.", param=parameter)
    return timedelta(**{_UNITS[unit]: int(digits)})


@command("tdvc gc --dry-run", "tdvc gc --keep-operations 7d", "tdvc gc --restore")
@click.option(
    "--keep-operations",
    default="30d",
    show_default=True,
    metavar="TIME",
    callback=duration,
    help="How far back undo must be able to go: 30d, 12h, 90m.",
)
@click.option("--now", is_flag=True, help="Empty the trash at once; run nothing else beside it.")
@click.option("--restore", is_flag=True, help="Put everything in the trash back where it was.")
@dry_run_option
@json_option
def gc(keep_operations: timedelta, now: bool, restore: bool, dry_run: bool, as_json: bool) -> int:
    """Remove what nothing needs any more, and pack the rest together.

    Needed is what the directories, commits and snapshots hold, and what undo can come back to. The rest goes to a trash
    in the repository, and from there, with a later gc, after seven days. Other commands can go on meanwhile.
    """
    from tdvc.ops.collecting import collect, restore_trash

    if restore:
        if now or dry_run:
            raise click.UsageError("--restore goes with no other option.")
        names = restore_trash(open_repository())
        return output.report({"restored": names}, [f"Put {output.plural(len(names), 'file')} back."], as_json)
    with Watch() as progress:
        result = collect(
            open_repository(), keep_operations=keep_operations, now=now, dry_run=dry_run, progress=progress
        )
    return output.report(result, _collect_lines(result, dry_run), as_json)


def _collect_lines(result: CollectResult, dry_run: bool) -> Iterator[str]:
    size = output.human_size
    yield from output.table(
        [
            ("Needed", *output.counted(result.needed_objects, "object"), ""),
            ("To the trash", *output.counted(result.removed_objects, "object"), size(result.removed_bytes)),
            ("Out of the trash", *output.counted(result.emptied_files, "file"), size(result.emptied_bytes)),
            ("Out of the cache", *output.counted(result.cache_files, "file"), size(result.cache_bytes)),
            ("Rewritten", *output.counted(result.rewritten_packs, "pack"), f"of {result.packs_before:,}"),
        ],
        counts=(1,),
    )
    yield f"Undo can go back {output.plural(result.kept_operations, 'operation')}."
    for name in result.unreadable_packs:
        yield f"Left alone, for it is damaged: {printable(name)}; tdvc fsck says more."
    if result.trash_files:
        yield f"The trash holds {size(result.trash_bytes)}; tdvc gc --restore brings it back."
    if dry_run:
        yield "Nothing was changed (dry run)."
    elif result.operation is None and not result.cache_files:
        yield "Nothing to do."


def percentage(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """`5%` or `0.5` as a number of percent."""
    del ctx
    if value is None:
        return None
    digits = value.removesuffix("%")
    if not digits.replace(".", "", 1).isdecimal() or not 0 <= float(digits) <= 100:
        raise click.BadParameter(f"{value!r} is not a share such as 5%.", param=parameter)
    return float(digits)


@command("tdvc fsck", "tdvc fsck --quick", "tdvc fsck --sample 5%", "tdvc fsck --repair --dry-run")
@click.option("--quick", is_flag=True, help="Only the head, the staged states, and that every blob is listed.")
@click.option("--full", is_flag=True, help="Read and hash every byte.")
@click.option("--sample", metavar="P%", callback=percentage, help="Read and hash this share of the blobs.")
@click.option("--repair", is_flag=True, help="Mend what can be mended; damaged files go to .tdvc/quarantine.")
@dry_run_option
@json_option
def fsck(quick: bool, full: bool, sample: float | None, repair: bool, dry_run: bool, as_json: bool) -> int:
    """Find out whether the repository is whole and sound.

    All history is examined, and that every blob is there; --full reads the blobs too. Everything that is wrong is
    listed, with what follows from it and what to do. The exit code is 3 where any of it is an error, and 0 where
    there are warnings alone.
    """
    from tdvc.ops.fsck import fsck as verb

    if quick + full + (sample is not None) > 1:
        raise click.UsageError("--quick, --full and --sample exclude each other.")
    if dry_run and not repair:
        raise click.UsageError("--dry-run goes with --repair.")
    mode = "quick" if quick else "full" if full else "default"
    with Watch() as progress:
        repository = open_repository(any_format=True)
        result = verb(repository, mode=mode, sample=sample, repair=repair, dry_run=dry_run, progress=progress)
    output.report(result, _fsck_lines(result, dry_run), as_json)
    return output.EXIT_PROBLEMS if result.errors else 0


def _fsck_lines(result: FsckResult, dry_run: bool) -> Iterator[str]:
    if result.repairs:
        yield "A repair would do this (dry run):" if dry_run else "Repaired:"
        yield from (f"  {printable(repair)}" for repair in result.repairs)
    for finding in result.findings:
        yield from _finding_lines(finding)
    yield from output.table(
        [
            ("Packs", f"{result.packs:,}", ""),
            ("Objects", f"{result.objects:,}", f"{result.needed_objects:,} needed"),
            ("Blobs", f"{result.blobs:,}", f"{result.read_blobs:,} read ({output.human_size(result.read_bytes)})"),
        ],
        right=(1,),
    )
    if not result.findings:
        yield "Nothing is wrong."
    else:
        warnings = len(result.findings) - result.errors
        yield f"Found {output.plural(result.errors, 'error')} and {output.plural(warnings, 'warning')}."


def _finding_lines(finding: Finding) -> Iterator[str]:
    word = output.paint(finding.severity, "red" if finding.severity == "error" else "yellow")
    place = f"{finding.place}: " if finding.place else ""
    yield f"{word}: {place}{printable(finding.message)} [{finding.code}]"
    yield f"  {finding.follows} {finding.advice}"
    for user in finding.used_by[:MAX_USERS]:
        yield f"  needed by {printable(user)}"
    if len(finding.used_by) > MAX_USERS:
        yield f"  and by {len(finding.used_by) - MAX_USERS:,} more (--json lists all)"
