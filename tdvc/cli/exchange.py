"""Annotation in and out: import, export, formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import (
    command,
    complete_revisions,
    directory_option,
    dry_run_option,
    json_option,
    open_repository,
    size_in_bytes,
    where_option,
)
from tdvc.cli.progress import Watch
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.exportapply import ApplyExportResult
    from tdvc.ops.exporting import ExportResult
    from tdvc.ops.formats import FormatInfo
    from tdvc.ops.importing import ImportResult

_MAX_LABELS = 12


@command("tdvc import coco -d Pets", "tdvc import predictions.csv --images photos --map columns.toml --min-score 0.5")
@click.argument("source", type=click.Path(path_type=Path))
@directory_option
@click.option("-f", "--format", metavar="FORMAT", help="Which format it is; detected where it is left out.")
@click.option("--at", default="", metavar="PREFIX", help="Put this before every path.")
@click.option("--images", type=click.Path(path_type=Path), metavar="FOLDER", help="Where the pictures are.")
@click.option("--map", "map_file", type=click.Path(path_type=Path), metavar="FILE", help="What names are here (TOML).")
@click.option("--relative/--absolute", default=None, help="Coordinates are fractions of the picture, or pixels.")
@click.option("--min-score", type=float, metavar="SCORE", help="Leave out instances with a lower score.")
@click.option("--top", type=int, metavar="N", help="Keep the N best instances of a file by score.")
@click.option("--overwrite", is_flag=True, help="Take the source's word over corrections that were made here.")
@click.option("--strict", is_flag=True, help="Import nothing if anything would be left out or can't be read.")
@dry_run_option
@json_option
def import_(
    source: Path,
    directory: str | None,
    format: str | None,
    at: str,
    images: Path | None,
    map_file: Path | None,
    relative: bool | None,
    min_score: float | None,
    top: int | None,
    overwrite: bool,
    strict: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Import files together with their annotations.

    SOURCE is a folder or a file in a format that tdvc knows (tdvc formats). It ends with a reconciliation: what came
    in, what was left out and why. Importing the same again changes nothing; where the pictures are in the directory
    already, their annotation is updated. With --dry-run the first records are shown as they would land.
    """
    from tdvc.ops.importing import ImportOptions
    from tdvc.ops.importing import import_ as verb
    from tdvc.ops.mapping import FieldMap, read_map

    options = ImportOptions(
        images=images,
        relative=relative,
        mapping=read_map(map_file) if map_file else FieldMap(),
        min_score=min_score,
        top=top,
        overwrite=overwrite,
        strict=strict,
        dry_run=dry_run,
    )
    with Watch() as progress:
        result = verb(open_repository(), source, directory, format=format, at=at, options=options, progress=progress)
    return output.report(result, _import_lines(result, dry_run), as_json)


def _import_lines(result: ImportResult, dry_run: bool) -> Iterator[str]:
    yield printable(result.sentence) + (" (dry run)" if dry_run else "")
    if result.labels:
        more = len(result.labels) - _MAX_LABELS
        shown = ", ".join(printable(label) for label in result.labels[:_MAX_LABELS])
        yield f"Labels: {shown}{f', … and {more:,} more' if more > 0 else ''}"
    files = [
        f"{count:,} {word}"
        for word, count in (("added", result.added_files), ("replaced", result.replaced_files))
        if count
    ]
    if result.replaced_files:
        yield f"Files: {', '.join(files)}"
    changes = [
        f"{count:,} {word}"
        for word, count in (
            ("added", result.added_instances),
            ("changed", result.changed_instances),
            ("removed", result.removed_instances),
        )
        if count
    ]
    if changes:
        yield f"Instances: {', '.join(changes)} in {output.plural(result.annotated_files, 'file')}"
    if result.kept_instances:
        kept = output.plural(result.kept_instances, "instance")
        yield f"Kept {kept} as corrected here; --overwrite takes the source's word."
    for path, instances in result.preview:
        yield f"  {printable(path)}"
        for instance in instances[:_MAX_LABELS]:
            yield f"    {printable(instance.label)}  {instance.type}  {bytes(instance.geometry)[:60].decode()}"
    if result.operation is None and not dry_run:
        yield "Nothing changed."
    elif not (files or changes or dry_run or result.annotated_files):
        yield "No file changed; the schema now has what the source says of its classes."


@command(
    "tdvc export v1 yolo --format yolo",
    "tdvc export Train Val out --format coco --all",
    "tdvc export v1 yolo --format yolo --boxes --pictures link --from photos",
    "tdvc export v2 changes --format parquet --since v1",
    "tdvc export --apply changes v1-parquet v2-parquet",
)
@click.argument("revisions", nargs=-1, required=True, shell_complete=complete_revisions, metavar="REV... FOLDER")
@click.option("-f", "--format", metavar="FORMAT", help="Which format to write; tdvc formats lists them.")
@click.option("-a", "--all", "everything", is_flag=True, help="Files that nobody declared complete too.")
@click.option(
    "--pictures", type=click.Choice(("copy", "link", "none")), default="copy", help="How the pictures go along."
)
@click.option(
    "--from",
    "originals",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Link to the pictures in this folder.",
)
@click.option(
    "--since",
    metavar="REV",
    shell_complete=complete_revisions,
    help="Only what changed since this state, and what went.",
)
@click.option(
    "--apply",
    "changes",
    type=click.Path(path_type=Path),
    metavar="CHANGES",
    help="Bring the export in the first folder up to date with what --since wrote, in the second.",
)
@click.option(
    "--shard-size", metavar="SIZE", callback=size_in_bytes, help="How large files of shards are, such as 256MB."
)
@click.option("--boxes", is_flag=True, help="Write every shape as the upright box around it.")
@click.option("--strict", is_flag=True, help="Write nothing if anything would be lost.")
@click.option("--require-complete", is_flag=True, help="Write nothing if a file is not complete today.")
@where_option
@dry_run_option
@json_option
def export(
    revisions: tuple[str, ...],
    format: str | None,
    everything: bool,
    pictures: str,
    originals: Path | None,
    since: str | None,
    changes: Path | None,
    shard_size: int | None,
    boxes: bool,
    strict: bool,
    require_complete: bool,
    where: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Export states in the format of some tool.

    FOLDER must be empty or missing. Only files that were declared complete go out, unless --all is given. Several
    revisions become splits. What the format can't carry is counted; --dry-run counts without writing.

    With --pictures link the pictures take no space of their own: those that --from FOLDER has under their paths (a
    checkout, or where they came from) are cloned where the file system can, else hard-linked, once their SHA-256 is
    found to be right. A tool that writes into a hard link changes the picture in FOLDER too. Without --from only files
    of 8 MiB and more are cloned, from the repository. What can't be linked is copied; both are counted.

    Exports of one whole state as arrow, parquet, tdvc-jsonl or webdataset say of which state they are. With --since REV
    only files are written that changed since, and removed.jsonl names those that went; --apply CHANGES OLD NEW writes
    what a full export would be, from the export OLD, and needs no repository. docs/engines.md has the rule for engines.
    """
    from tdvc.ops.exporting import export as verb

    if changes is not None:
        whole = (format, since, where, originals, everything, strict, require_complete, shard_size, boxes)
        return _apply(changes, revisions, any(whole), dry_run, as_json)
    if len(revisions) < 2 or format is None:
        raise click.UsageError("Name at least one revision, the folder to write to, and --format.")
    with Watch() as progress:
        result = verb(
            open_repository(),
            revisions[:-1],
            Path(revisions[-1]),
            format=format,
            everything=everything,
            pictures=pictures,
            originals=originals,
            strict=strict,
            complete_only=require_complete,
            where=where,
            since=since,
            shard_bytes=shard_size,
            boxes=boxes,
            dry_run=dry_run,
            progress=progress,
        )
    return output.report(result, _export_lines(result, dry_run), as_json)


def _apply(changes: Path, folders: tuple[str, ...], refused: bool, dry_run: bool, as_json: bool) -> int:
    from tdvc.ops.exportapply import apply_export

    if len(folders) != 2 or refused:
        raise click.UsageError("--apply CHANGES takes the folders OLD and NEW, and --dry-run and --json alone.")
    with Watch() as progress:
        result = apply_export(Path(folders[0]), changes, Path(folders[1]), dry_run=dry_run, progress=progress)
    return output.report(result, _applied_lines(result, dry_run), as_json)


def _applied_lines(result: ApplyExportResult, dry_run: bool) -> Iterator[str]:
    changed = output.plural(result.changed_files, "file")
    yield f"{printable(result.revision)}: {changed} new or changed, {result.removed_files:,} removed" + (
        " (dry run)" if dry_run else ""
    )
    if not dry_run:
        files, instances = output.plural(result.files, "file"), output.plural(result.instances, "instance")
        yield f"{printable(result.folder)}  {files}, {instances}, {output.human_size(result.written_bytes)}"


def _export_lines(result: ExportResult, dry_run: bool) -> Iterator[str]:
    for name, count in result.losses.items():
        yield f"{result.format} can't carry {printable(name)}: {count:,}"
    if result.skipped_files:
        yield f"SKIPPED {output.plural(result.skipped_files, 'file')} that nobody declared complete (--all takes them)"
    if result.since:
        changed = output.plural(result.changed_files, "file")
        yield f"Since {printable(result.since)}: {changed} new or changed, {result.removed_files:,} removed"
    yield printable(result.sentence) if result.sentence else "Nothing was written (dry run)."
    if not dry_run:
        yield f"{printable(result.folder)}  {output.human_size(result.written_bytes)}"
    if result.linked_files:
        yield f"{output.plural(result.linked_files, 'picture')} linked, {result.copied_files:,} copied"


@command("tdvc formats", "tdvc formats --json")
@json_option
def formats(as_json: bool) -> int:
    """List the formats and what each can carry."""
    from tdvc.ops.formats import list_formats

    found = list_formats()
    return output.report(found, _format_lines(found), as_json)


def _format_lines(found: list[FormatInfo]) -> Iterator[str]:
    for info in found:
        way = "read, written" if info.written else "read"
        yield f"{info.name:18}{info.title} ({way}): {', '.join(info.types)}"
        if info.loses:
            yield f"{'':18}loses {'; '.join(info.loses)}"
