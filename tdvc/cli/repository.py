"""The repository as a whole: init, status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import author, command, directory_option, json_option, open_repository, start_of_search
from tdvc.cli.difftext import totals_lines
from tdvc.cli.progress import Watch
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.status import FolderStatus, StatusResult


@command("tdvc init", "tdvc init data --directory Pets")
@click.argument("path", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option(
    "-d", "--directory", metavar="NAME", default="Main", show_default=True, help="What the first directory is called."
)
@json_option
def init(path: Path | None, directory: str, as_json: bool) -> int:
    """Create a repository.

    It is made in PATH, or in the current folder, as the hidden folder .tdvc. It starts with one empty directory.
    """
    from tdvc.ops.opening import init as verb

    place = path or start_of_search()
    verb(place, author=author(), directory=directory)
    lines = [
        f"Created a repository with the directory {printable(directory)} in {printable(str(place.absolute()))}.",
        "Next: tdvc add FOLDER, or tdvc import FOLDER for files with annotations.",
    ]
    return output.report({"directory": directory, "path": place.absolute()}, lines, as_json)


@command("tdvc status", "tdvc status -d Pets", "tdvc status ~/work/pets")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@directory_option
@json_option
def status(folder: Path | None, directory: str | None, as_json: bool) -> int:
    """Show what is staged, or what changed in a checked-out folder.

    Without FOLDER: what a directory holds, and what its next commit would record. With FOLDER: which files of a
    checkout were added, changed or deleted since, and whether the state it shows is still the last one.
    """
    from tdvc.ops.status import folder_status
    from tdvc.ops.status import status as verb

    if folder is None:
        found = verb(open_repository(), directory)
        return output.report(found, _status_lines(found), as_json)
    if directory is not None:
        raise click.UsageError("FOLDER and --directory do not go together: a folder knows what it shows.")
    with Watch() as progress:
        seen = folder_status(open_repository(), folder, progress=progress)
    return output.report(seen, _folder_lines(seen), as_json, clean=seen.clean)


def _status_lines(found: StatusResult) -> Iterator[str]:
    info = found.directory
    name = printable(info.name) + (" (current)" if info.current else "")
    commit = output.short_id(info.commit) if info.commit else "none yet"
    if found.commit_time is not None:
        commit += f"  {output.moment(found.commit_time)}  {output.first_line(found.commit_message or '')}"
    facts = [
        ("Directory", name),
        ("Commit", commit),
        ("Files", f"{info.files:,} ({output.human_size(info.size_bytes)})"),
        ("Instances", f"{info.instances:,}"),
        ("Complete", f"{info.complete:,} of {info.files:,}{f' ({found.stale:,} stale)' if found.stale else ''}"),
    ]
    yield from output.table(facts)
    yield ""
    if info.staged:
        yield "Staged:"
        yield from (f"  {line}" for line in totals_lines(found.staged))
    if found.merging is not None:
        yield from _merge_lines(found)
    elif info.staged:
        yield f"Next: tdvc commit{_option(found)} -m MESSAGE"
    else:
        yield "Nothing is staged."
        if found.schema_differs:
            yield "The schema is another than that of the last commit: tdvc schema diff"
    if found.others:
        yield ""
        yield "Other directories:"
        rows = [
            (
                printable(other.name),
                *output.counted(other.files, "file"),
                "staged edits" if other.staged else "",
                "as it last was: tdvc directory list" if other.problem else "",
            )
            for other in found.others
        ]
        yield from (f"  {line}" for line in output.table(rows, counts=(1,)))


def _option(found: StatusResult) -> str:
    return "" if found.directory.current else f" -d {printable(found.directory.name)}"


def _merge_lines(found: StatusResult) -> Iterator[str]:
    yield f"{printable(found.merging or '')} is being merged in; {output.plural(found.conflicts, 'conflict')} left."
    steps = "tdvc conflicts, tdvc resolve" if found.conflicts else f"tdvc commit{_option(found)} -m MESSAGE"
    yield f"Next: {steps}; or give it up: tdvc merge --abort{_option(found)}"


def _folder_lines(seen: FolderStatus) -> Iterator[str]:
    behind = ", which means another state by now" if seen.behind else ""
    yield f"Checked out: {printable(seen.revision)}{behind}"
    for word, paths in (("added", seen.added), ("changed", seen.changed), ("missing", seen.missing)):
        yield from (f"{word:8} {printable(path)}" for path in paths)
    if seen.annotations_changed:
        yield "changed  instances.jsonl (the annotation)"
    if seen.clean:
        yield "Clean: the folder holds what was checked out."
