"""Files: into a directory, out of it, and a look at them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tdvc.cli import output
from tdvc.cli.command import (
    command,
    complete_directories,
    complete_revisions,
    directory_option,
    dry_run_option,
    json_option,
    label_option,
    open_repository,
    warn_of_labels,
    where_option,
)
from tdvc.cli.progress import Watch
from tdvc.errors import Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.add import AddResult
    from tdvc.ops.listing import Listed, Shown
    from tdvc.ops.transfer import TransferResult


_PAST = {"mirror": "Mirrored", "copy": "Copied", "move": "Moved"}
_at_option = click.option("-a", "--at", default="", metavar="PREFIX", help="Put this folder before every path.")
_sources = click.argument("sources", nargs=-1, required=True, shell_complete=complete_revisions)
_destination = click.argument("destination", shell_complete=complete_directories)


@command("tdvc add photos", "tdvc add photos -d Pets --at 2026/november", "tdvc add photos --sync --dry-run")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@directory_option
@_at_option
@click.option("-s", "--sync", is_flag=True, help="Take out of the directory what the folder no longer has.")
@click.option("--reread", is_flag=True, help="Read unchanged files too; heals what is damaged in the store.")
@dry_run_option
@json_option
def add(
    sources: tuple[Path, ...],
    directory: str | None,
    at: str,
    sync: bool,
    reread: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Add raw files to a directory.

    SOURCES are files and folders; a folder's files are named relative to it. A path that is there already keeps its
    annotation and gets the new bytes. The files on disk are only read. From a folder that tdvc checked out, what was
    edited in it comes back, annotation too, into the directory it came from.
    """
    from tdvc.ops.add import add as verb

    with Watch() as progress:
        result = verb(
            open_repository(), sources, directory, at=at, sync=sync, reread=reread, dry_run=dry_run, progress=progress
        )
    return output.report(result, _add_lines(result, dry_run), as_json)


def _add_lines(result: AddResult, dry_run: bool) -> Iterator[str]:
    yield f"{printable(result.directory)}{' (dry run)' if dry_run else ''}"
    stored = f"({output.human_size(result.new_blob_bytes)} new)" if result.new_blob_bytes else ""
    facts = [
        ("added", result.added_files, stored),
        ("replaced", result.replaced_files, "" if result.added_files else stored),
        ("removed", result.removed_files, ""),
        ("moved", result.moved_files, ""),
        ("annotated", result.annotated_files, ""),
        ("marked", result.marked_files, ""),
        ("unchanged", result.unchanged_files, ""),
        ("hidden", result.hidden, "(left out)"),
    ]
    yield from _fact_lines(facts)


def _fact_lines(facts: list[tuple[str, int, str]]) -> Iterator[str]:
    """Counted files, one line each, without those that are none; `nothing` where all are."""
    rows = [(word, *output.counted(count, "file"), note) for word, count, note in facts if count]
    yield from (f"  {line}" for line in output.table(rows, counts=(1,)) or ["nothing"])


@command(
    "tdvc ls",
    "tdvc ls 'Pets:night/*.jpg' --long",
    "tdvc ls v1 --label dog",
    "tdvc ls Pets --where \"count(label = 'dog') >= 2\"",
)
@click.argument("selector", required=False, shell_complete=complete_revisions)
@label_option
@where_option
@click.option("-L", "--long", is_flag=True, help="With size, number of instances, and the mark of completeness.")
@json_option
def ls(selector: str | None, label: str | None, where: str | None, long: bool, as_json: bool) -> int:
    """List files.

    SELECTOR is REV or REV:PATTERN, the pattern being a path, folder or glob; the current directory where it is left
    out.
    """
    from tdvc.ops.listing import ls as verb
    from tdvc.repo.revision import parse_selector

    repository = open_repository()
    found = verb(repository, selector, label=label, where=where)
    if label is not None or where is not None:
        revision, _ = parse_selector(selector or repository.view.current)
        warn_of_labels(repository[revision], label, where)
    return output.report_each(found, _long_line if long else _short_line, as_json)


def _short_line(file: Listed) -> str:
    return printable(file.path)


def _long_line(file: Listed) -> str:
    mark = "stale" if file.stale else "complete" if file.complete else "-"
    return f"{output.human_size(file.size_bytes):>8}  {file.instances:>6,}  {mark:8}  {printable(file.path)}"


@command("tdvc show", "tdvc show v1", "tdvc show Pets:rex.jpg --json")
@click.argument("selector", required=False, shell_complete=complete_revisions)
@json_option
def show(selector: str | None, as_json: bool) -> int:
    """Show a directory, commit, snapshot or file.

    SELECTOR is REV, or REV:PATH for one file with its annotation; the current directory where it is left out.
    """
    from tdvc.ops.listing import show as verb

    shown = verb(open_repository(), selector)
    if as_json:
        from tdvc.model.records import fields_of

        return output.report(shown, (), True, instances=[fields_of(instance) for instance in shown.instances])
    return output.report(shown, _file_lines(shown) if shown.file else _state_lines(shown), False)


def _state_lines(shown: Shown) -> Iterator[str]:
    facts = [] if shown.kind == "commit" else [(shown.kind.capitalize(), printable(shown.title))]
    if shown.commit is not None:
        facts.append(("Commit", shown.commit))
        facts.append(("By", f"{printable(shown.author or '')}, {output.moment(shown.time)}"))
    if shown.kind != "directory":
        facts.append(("Directory", printable(shown.directory)))
    if shown.counts is not None:
        facts.append(("Files", f"{shown.counts.files:,} ({output.human_size(shown.counts.bytes)})"))
        facts.append(("Instances", f"{shown.counts.instances:,}"))
        stale = f" ({shown.stale:,} stale)" if shown.stale else ""
        facts.append(("Complete", f"{shown.counts.complete:,} of {shown.counts.files:,}{stale}"))
    yield from output.table(facts)
    if shown.message:
        yield ""
        yield from (f"    {printable(line)}" for line in shown.message.strip().split("\n"))
    if shown.labels:
        yield ""
        rows = [("Label", "Files", "Instances")]
        rows += [
            (printable(shown.names.get(label, label)), f"{files:,}", f"{count:,}")
            for label, (files, count) in shown.labels.items()
        ]
        yield from output.table(rows, right=(1, 2))


def _file_lines(shown: Shown) -> Iterator[str]:
    file = shown.file
    if file is None:
        return
    facts = [
        ("File", printable(shown.title)),
        ("Size", f"{file.size_bytes:,} bytes"),
        ("Type", printable(file.media_type or "unknown")),
        ("Blob", file.blob),
        ("File id", file.file_id),
        ("Complete", "stale: today's schema asks more" if file.stale else "yes" if file.complete else "no"),
        *(("In" if i == 0 else "", printable(place)) for i, place in enumerate(shown.directories)),
    ]
    if shown.origin:
        facts.append(("Copy of", shown.origin))
    if shown.properties:
        facts.append(("Properties", _value(shown.properties)))
    yield from output.table(facts)
    if shown.instances:
        yield ""
        yield from output.table(_instance_row(instance, shown.names) for instance in shown.instances)


def _instance_row(instance: Any, names: dict[str, str]) -> tuple[str, ...]:
    place = "" if instance.type == "tag" else _value(instance.geometry)
    attributes = [f"{printable(key)}={_value(value)}" for key, value in instance.attribute_values.items()]
    label = printable(names.get(instance.label, instance.label))
    return instance.instance_id[:8], label, instance.type, place, " ".join(attributes)


def _value(value: Any) -> str:
    from tdvc.cli.difftext import short_value

    return short_value(value)


@command("tdvc cat Pets:rex.jpg > rex.jpg")
@click.argument("selector", metavar="REV:PATH", shell_complete=complete_revisions)
def cat(selector: str) -> int:
    """Write a file's bytes to standard output.

    They are verified before they are written.
    """
    from tdvc.ops.listing import cat as verb

    stream = sys.stdout.buffer
    for piece in verb(open_repository(), selector):
        if sys.stdout.isatty() and b"\0" in piece:
            raise Usage("bad-usage", "That is no text for a terminal.", hint=f"tdvc cat {selector} > FILE")
        stream.write(piece)
    return 0


@command("tdvc mirror 'Pets:night/*' Night", "tdvc mirror Pets Dogs --label dog")
@_sources
@_destination
@label_option
@where_option
@json_option
def mirror(sources: tuple[str, ...], destination: str, label: str | None, where: str | None, as_json: bool) -> int:
    """Put the same files into another directory too.

    SOURCES are REV or REV:PATTERN, DESTINATION is DIRECTORY or DIRECTORY:PATH; a directory that is missing is created.
    An edit of a mirrored file, through any directory, shows in all of them. No byte is stored again.
    """
    from tdvc.ops.transfer import mirror as verb

    return _transferred(verb(open_repository(), sources, destination, label=label, where=where), as_json)


@command("tdvc copy Pets:rex.jpg Trial", "tdvc copy Pets Trial --with-instances")
@_sources
@_destination
@label_option
@where_option
@click.option("-i", "--with-instances", is_flag=True, help="Copy the annotation too.")
@json_option
def copy(
    sources: tuple[str, ...],
    destination: str,
    label: str | None,
    where: str | None,
    with_instances: bool,
    as_json: bool,
) -> int:
    """Make new files over the same bytes.

    A copy starts without annotation and is edited on its own: later edits do not cross over. SOURCES and DESTINATION
    are as in tdvc mirror.
    """
    from tdvc.ops.transfer import copy as verb

    result = verb(open_repository(), sources, destination, label=label, where=where, with_instances=with_instances)
    return _transferred(result, as_json)


@command("tdvc move Pets:rex.jpg Pets:dogs/rex.jpg", "tdvc move 'Pets:night/*' Night")
@_sources
@_destination
@label_option
@where_option
@json_option
def move(sources: tuple[str, ...], destination: str, label: str | None, where: str | None, as_json: bool) -> int:
    """Move or rename files.

    A file keeps its identity and its annotation. SOURCES and DESTINATION are as in tdvc mirror, but history does not
    change: the sources are living directories.
    """
    from tdvc.ops.transfer import move as verb

    return _transferred(verb(open_repository(), sources, destination, label=label, where=where), as_json)


def _transferred(result: TransferResult, as_json: bool) -> int:
    into = (
        f"the new directory {printable(result.destination)}"
        if result.created_directory
        else printable(result.destination)
    )
    held = f"{output.plural(result.files, 'file')} ({output.plural(result.instances, 'instance')})"
    already = f"; {result.already_there:,} already there" if result.already_there else ""
    return output.report(result, [f"{_PAST[result.verb]} {held} into {into}{already}."], as_json)


@command("tdvc remove Pets:blurred.jpg", "tdvc remove 'Pets:night/*' --dry-run")
@_sources
@label_option
@where_option
@dry_run_option
@json_option
def remove(sources: tuple[str, ...], label: str | None, where: str | None, dry_run: bool, as_json: bool) -> int:
    """Take files out of a directory.

    History, snapshots and other directories keep them, and tdvc undo brings them back.
    """
    from tdvc.ops.transfer import remove as verb

    result = verb(open_repository(), sources, label=label, where=where, dry_run=dry_run)
    lines = [printable(place) for place in result.removed] if dry_run else []
    verb_word = "Would remove" if dry_run else "Removed"
    return output.report(result, [*lines, f"{verb_word} {output.plural(len(result.removed), 'file')}."], as_json)
