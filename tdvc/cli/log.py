"""Looking back: log, blame, history, churn, bisect."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from tdvc.cli import output
from tdvc.cli.command import command, complete_revisions, epilog, json_option, open_repository
from tdvc.cli.progress import Watch
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.bisect import BisectResult
    from tdvc.ops.blame import Authorship, BlamedInstance, InstanceVersion
    from tdvc.ops.churn import ChurnResult
    from tdvc.ops.history import LogEntry
    from tdvc.repo.directory import Directory

_SKIPPED = 125
_STANDARD_ERROR = 2
_LINES = 10


@command(
    "tdvc log", "tdvc log Pets~3 -n 10", "tdvc log Pets:night/a.jpg --stat", "tdvc log --author ada --since 2026-11-01"
)
@click.argument("revision", required=False, shell_complete=complete_revisions)
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="COUNT", help="Only the newest COUNT.")
@click.option("-l", "--label", metavar="LABEL", help="Only commits that changed an instance of this label.")
@click.option("--author", metavar="TEXT", help="Only commits by authors whose name holds TEXT.")
@click.option("--since", metavar="DATE", help="Only commits at or after this date or time.")
@click.option("--until", metavar="DATE", help="Only commits at or before this date or time.")
@click.option("--first-parent", is_flag=True, help="Leave out the commits that were merged in.")
@click.option("--graph", is_flag=True, help="Draw the lines of descent.")
@click.option("-s", "--stat", is_flag=True, help="Count what each commit changed.")
@json_option
def log(revision: str | None, graph: bool, as_json: bool, **options: Any) -> int:
    """List the commits of a directory, newest first.

    REVISION is a directory, a snapshot or a commit to start from, the current directory where it is left out; with
    :PATH only the commits that changed that file, folder or glob. A..B lists what B has and A has not. tdvc show COMMIT
    prints the whole message.
    """
    from tdvc.ops.history import LogOptions
    from tdvc.ops.history import log as verb

    entries = verb(open_repository(), revision, LogOptions(**options))
    if as_json:
        return output.report_each(entries, _log_line, True)
    output.write_lines(_drawn(entries) if graph else (line for entry in entries for line in _log_lines(entry)))
    return 0


def _log_lines(entry: LogEntry) -> Iterator[str]:
    yield _log_line(entry)
    if entry.changed is not None:
        from tdvc.cli.difftext import totals_lines

        yield from (f"    {line}" for line in totals_lines(entry.changed))


def _log_line(entry: LogEntry) -> str:
    held = f"({output.plural(entry.counts.files, 'file')}, {output.plural(entry.counts.instances, 'instance')})"
    who, when = printable(entry.author), output.moment(entry.time)
    return f"{output.short_id(entry.commit)}  {when}  {who}  {output.first_line(entry.message)}  {held}"


def _drawn(entries: Iterator[LogEntry]) -> Iterator[str]:
    from tdvc.cli.graph import graph as draw

    listed = list(entries)
    for entry, (before, below) in zip(listed, draw((entry.commit, entry.parents) for entry in listed), strict=True):
        first, *more = _log_lines(entry)
        yield f"{before} {first}"
        yield from (f"{before.replace('*', '|')} {line}" for line in more)
        yield from below


@command("tdvc blame Pets:a.jpg", "tdvc blame v1:night/a.jpg --json")
@click.argument("file", metavar="REV:PATH")
@json_option
def blame(file: str, as_json: bool) -> int:
    """Show who said what about each instance of a file.

    For every instance: the commit that added it, and for its label, its geometry and each attribute the commit that
    last changed it. Work that came in by a merge is blamed on whoever did it.
    """
    from tdvc.ops.blame import blame as verb

    found = verb(open_repository(), file)
    return output.report(found, (line for instance in found for line in _blame_lines(instance)), as_json)


def _blame_lines(found: BlamedInstance) -> Iterator[str]:
    instance = found.instance
    source = f", {printable(instance.source)}" if instance.source else ""
    yield f"{instance.instance_id[:8]}  {printable(instance.label)}  {instance.type}{source}"
    parts: dict[Authorship, list[str]] = {found.added: ["added"]}
    for part, where in found.parts.items():
        parts.setdefault(where, []).append(printable(part))
    yield from (f"    {line}" for line in output.table((", ".join(said), *_who(by)) for by, said in parts.items()))


def _who(where: Authorship) -> tuple[str, str, str, str]:
    if where.commit is None:
        return "staged", "", "", ""
    when, why = output.moment(where.time), output.first_line(where.message or "")
    return output.short_id(where.commit), when, printable(where.author or ""), why


@command("tdvc history 'Pets:a.jpg#3f2a9c1d'", "tdvc history 'a.jpg#3f2a9c1d' --json")
@click.argument("instance", metavar="[REV:]PATH#INSTANCE")
@json_option
def history(instance: str, as_json: bool) -> int:
    """Show every version of one instance.

    Newest first: when it changed, by whom, why, and how. INSTANCE is the id that tdvc show prints, or its first digits.
    """
    from tdvc.ops.blame import history as verb

    versions = verb(open_repository(), instance)
    if as_json:
        return output.report_each(_json_versions(versions), str, True)
    output.write_lines(line for version in versions for line in _version_lines(version))
    return 0


def _json_versions(versions: Iterator[InstanceVersion]) -> Iterator[dict[str, Any]]:
    from tdvc.cli.diffjson import json_instance

    for version in versions:
        yield {"where": version.where, "path": version.path, "change": json_instance(version.change)}


def _version_lines(version: InstanceVersion) -> Iterator[str]:
    from tdvc.cli.difftext import instance_line

    who = "  ".join(part for part in _who(version.where) if part)
    yield f"{who}  {printable(version.path)}"
    yield f"    {instance_line(version.change)}"


@command("tdvc churn", "tdvc churn Pets~10..Pets@ -n 20")
@click.argument("span", required=False, metavar="[REV..REV]")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=_LINES, metavar="COUNT", help="List so many files.")
@json_option
def churn(span: str | None, limit: int, as_json: bool) -> int:
    """Count how often labels and files change from commit to commit.

    The pictures on top are those about which people keep changing their minds.
    """
    from tdvc.ops.churn import churn as verb

    with Watch() as progress:
        result = verb(open_repository(), span, limit=limit, progress=progress)
    return output.report(result, _churn_lines(result), as_json)


def _churn_lines(result: ChurnResult) -> Iterator[str]:
    yield f"{printable(result.directory)}: {output.plural(result.commits, 'commit')} compared with the one before"
    if not result.labels:
        yield "No instance changed in a file that was there before."
        return
    heading = ("label", "added", "removed", "moved", "relabelled", "attributes")
    rows = [(printable(item.label), *(f"{getattr(item, name):,}" for name in heading[1:])) for item in result.labels]
    yield from output.table([heading, *rows], right=range(1, len(heading)))
    yield ""
    files = [(printable(item.path), f"{item.commits:,}", f"{item.changes:,}") for item in result.files]
    yield from output.table([("file", "commits", "changes"), *files], right=(1, 2))
    if more := result.files_changed - len(result.files):
        yield f"… and {output.plural(more, 'more file', 'more files')}"


@click.group(epilog=epilog("tdvc bisect run v1..Pets@ -- python score.py"))
def bisect() -> int:
    """Find the first commit for which a command fails."""
    return 0


@command("tdvc bisect run v1..Pets@ -- python score.py", group=bisect, name="run")
@click.argument("span", metavar="[GOOD]..[BAD]")
@click.argument("command_line", nargs=-1, required=True, metavar="COMMAND...", type=click.UNPROCESSED)
@json_option
def run(span: str, command_line: tuple[str, ...], as_json: bool) -> int:
    """Halve the commits between a good and a bad one until the first bad one is found.

    COMMAND is run for one commit after the other, which it finds in TDVC_REVISION; it can check it out, export it or
    load it. It exits with 0 where the commit is good, with 125 where that can't be told, and else with 1 to 127.
    Without GOOD the first commit of the directory counts as good, without BAD the last as bad.
    """
    from tdvc.ops.bisect import bisect as verb

    def judge(state: Directory, left: int) -> str:
        return _verdict(state, left, command_line)

    result = verb(open_repository(), span, judge)
    return output.report(result, _bisect_lines(result), as_json)


def _verdict(state: Directory, left: int, command_line: tuple[str, ...]) -> str:
    from tdvc.errors import Usage
    from tdvc.ops.bisect import BAD, GOOD, SKIP

    revision = state.commit.hex() if state.commit else ""
    sys.stderr.write(f"{output.short_id(revision)}: one of {left:,}\n")
    sys.stdout.flush()
    environment = {**os.environ, "TDVC_REVISION": revision}
    try:
        code = subprocess.run(command_line, env=environment, stdout=_STANDARD_ERROR, check=False).returncode  # noqa: S603
    except OSError as error:
        reason = error.strerror or str(error)
        raise Usage("bad-usage", f"The command {command_line[0]!r} can't be run: {reason}.") from error
    if code < 0 or code > 127:
        raise Usage("bad-usage", f"The command ended with {code}; nothing is concluded from that.")
    return GOOD if code == 0 else SKIP if code == _SKIPPED else BAD


def _bisect_lines(result: BisectResult) -> Iterator[str]:
    if result.first_bad is not None:
        when, who = output.moment(result.time), printable(result.author)
        yield f"The first bad commit is {output.short_id(result.first_bad)}  {when}  {who}"
        yield f"    {output.first_line(result.message)}"
        return
    yield "Commits that could not be judged leave the first bad one among these:"
    yield from (f"    {output.short_id(commit)}" for commit in result.suspects)
