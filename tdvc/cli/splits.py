"""Splits and samples: parts of a directory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, complete_revisions, dry_run_option, json_option, open_repository, where_option
from tdvc.cli.progress import Watch
from tdvc.errors import Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.leaks import LeaksResult
    from tdvc.ops.sampling import SampleResult
    from tdvc.ops.splitting import SplitResult

_SHOWN = 20
EXIT_LEAKS = 1

_seed_option = click.option("-s", "--seed", default="", metavar="TEXT", help="Another seed, another choice of files.")
_group_option = click.option(
    "-g",
    "--group-by",
    multiple=True,
    metavar="RULE",
    help="Keep together what has the same property NAME or attribute.NAME, is in one folder, or near-duplicates.",
)
_distance_option = click.option(
    "--distance", type=int, default=4, metavar="BITS", help="How far near-duplicates may differ, of 64; 4."
)
_prefix_option = click.option(
    "-p", "--prefix", metavar="TEXT", help="What the directories' names begin with; DIRECTORY- where it is left out."
)


@command(
    "tdvc split Pets --into train=0.8,val=0.1,test=0.1",
    "tdvc split Pets --into train=0.8,test=0.2 --by-label --group-by patient",
    "tdvc split Pets --folds 5 --by-label",
    "tdvc split --leaks Pets-train Pets-test --group-by near-duplicates",
)
@click.argument("revisions", nargs=-1, shell_complete=complete_revisions)
@click.option("-i", "--into", metavar="NAME=SHARE,…", help="The parts; their shares sum to 1.")
@click.option("--folds", type=int, metavar="N", help="N parts of one size, fold-1 to fold-N, for cross-validation.")
@click.option("--halves", is_flag=True, help="Two halves of every label, A and B, each to test what the other trained.")
@click.option("-l", "--by-label", is_flag=True, help="Keep the share of every label.")
@_group_option
@_distance_option
@_seed_option
@_prefix_option
@where_option
@click.option("--rebalance", is_flag=True, help="Move files, as few as will do, so that every part has its share.")
@click.option("--leaks", is_flag=True, help="Find what several states share; exit code 1 where they do.")
@dry_run_option
@json_option
def split(
    revisions: tuple[str, ...],
    into: str | None,
    folds: int | None,
    halves: bool,
    by_label: bool,
    group_by: tuple[str, ...],
    distance: int,
    seed: str,
    prefix: str | None,
    where: str | None,
    rebalance: bool,
    leaks: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Split a directory into parts that stay.

    Without REVISIONS it is the current one. Each part is a directory of mirrored files. Which file goes where follows
    from its bytes, so run it again when files were added: new ones are put somewhere, old ones stay where they are, and
    those that left the directory leave its parts. Files with the same bytes are never parted.
    """
    if leaks:
        if into or folds or halves or by_label or where or rebalance or prefix or seed or dry_run:
            raise Usage("bad-usage", "--leaks changes nothing; only --group-by, --distance and --json go with it.")
        return _leaks(revisions, group_by, distance, as_json)
    if len(revisions) > 1:
        raise Usage("bad-usage", "One directory is split at a time.", hint="To compare several: --leaks")
    from tdvc.ops.splitting import SplitOptions
    from tdvc.ops.splitting import split as verb

    options = SplitOptions(
        seed=seed,
        by_label=by_label or halves,
        group_by=group_by,
        distance=distance,
        prefix=prefix,
        where=where,
        rebalance=rebalance,
        dry_run=dry_run,
    )
    with Watch() as progress:
        source = revisions[0] if revisions else None
        result = verb(open_repository(), source, _parts(into, folds, halves), options, progress=progress)
    return output.report(result, _split_lines(result, dry_run), as_json)


def _parts(into: str | None, folds: int | None, halves: bool) -> dict[str, str]:
    """The share of each part by its name."""
    if sum((into is not None, folds is not None, halves)) != 1:
        raise Usage("bad-usage", "Say one of --into, --folds and --halves.", hint="--into train=0.8,val=0.1,test=0.1")
    if halves:
        return {"A": "1/2", "B": "1/2"}
    if folds is not None:
        if not 2 <= folds <= 100:
            raise Usage("bad-usage", f"There are 2 to 100 folds, not {folds}.")
        return {f"fold-{number}": f"1/{folds}" for number in range(1, folds + 1)}
    parts: dict[str, str] = {}
    for part in (into or "").split(","):
        name, _, share = part.strip().rpartition("=")
        if not name or name in parts:
            raise Usage(
                "bad-usage", f"{part!r} is not the name of a new part and its share.", hint="train=0.8,test=0.2"
            )
        parts[name] = share
    return parts


def _split_lines(result: SplitResult, dry_run: bool) -> Iterator[str]:
    groups = "" if result.groups == result.files else f" in {output.plural(result.groups, 'group')}"
    yield f"{printable(result.source)}: {output.plural(result.files, 'file')}{groups}{' (dry run)' if dry_run else ''}"
    rows = [
        (
            f"  {printable(part.directory)}",
            *output.counted(part.files, "file"),
            f"{part.files / result.files:.1%}" if result.files else "-",
            f"of {part.share}",
            _came_and_went(part.added, part.removed),
        )
        for part in result.parts
    ]
    yield from output.table(rows, right=(3,), counts=(1,))
    if result.moved:
        yield f"{output.plural(result.moved, 'file')} moved from one part to another."
    if result.off_shares:
        yield "Files stay where they are, so the shares are not those asked for; --rebalance moves as few as will do."
    labels = sorted({label for part in result.parts for label in part.labels})
    if labels:
        yield ""
        yield from output.table(
            [
                ("Label", *(printable(part.directory) for part in result.parts)),
                *((printable(label), *(f"{part.labels.get(label, 0):,}" for part in result.parts)) for label in labels),
            ],
            right=range(1, len(result.parts) + 1),
        )
    if result.torn_groups:
        yield ""
        torn = output.plural(result.torn_groups, "group")
        yield f"{torn} with files in several parts; --rebalance puts each into one."
        for paths in result.torn[:_SHOWN]:
            yield f"  {_some(paths)}"


def _came_and_went(added: int, removed: int) -> str:
    said = [f"+{added:,}"] * bool(added) + [f"-{removed:,}"] * bool(removed)
    return " ".join(said) or "unchanged"


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - 6:,} more" if len(paths) > 6 else ""
    return ", ".join(map(printable, paths[:6])) + more


def _leaks(revisions: tuple[str, ...], group_by: tuple[str, ...], distance: int, as_json: bool) -> int:
    from tdvc.ops.leaks import leaks as verb

    with Watch() as progress:
        result = verb(open_repository(), revisions, group_by=group_by, distance=distance, progress=progress)
    output.report(result, _leak_lines(result), as_json)
    return EXIT_LEAKS if result.leaks else 0


def _leak_lines(result: LeaksResult) -> Iterator[str]:
    for leak in result.leaks[:_SHOWN]:
        yield f"{printable(leak.kind)}: {_some(leak.files)}"
    if len(result.leaks) > _SHOWN:
        yield f"… and {len(result.leaks) - _SHOWN:,} more (--json lists all)"
    yield f"{output.plural(len(result.leaks), 'leak') if result.leaks else 'No leak'} in {result.files:,} files."


@command(
    "tdvc sample Pets --shares 0.1,0.3,0.8",
    "tdvc sample Pets --per-label 50 --into Balanced",
    "tdvc sample Pets --cap 500 --into Capped --dry-run",
)
@click.argument("selector", required=False, shell_complete=complete_revisions)
@click.option("--shares", metavar="SHARE,…", help="Nested samples: each is in the next larger one.")
@click.option("--per-label", type=int, metavar="N", help="At least N files of every label.")
@click.option("--cap", type=int, metavar="N", help="At most N files of every label.")
@click.option("-i", "--into", metavar="NAME", help="The directory for --per-label and --cap.")
@_group_option
@_distance_option
@_seed_option
@_prefix_option
@where_option
@dry_run_option
@json_option
def sample(
    selector: str | None,
    shares: str | None,
    per_label: int | None,
    cap: int | None,
    into: str | None,
    group_by: tuple[str, ...],
    distance: int,
    seed: str,
    prefix: str | None,
    where: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Take samples of a directory.

    Without SELECTOR it is the current one. Each sample is a directory of mirrored files: named after its share, or
    NAME. Which files are taken follows from their bytes, so run it again when files were added.
    """
    from tdvc.ops.sampling import SampleOptions
    from tdvc.ops.sampling import sample as verb

    options = SampleOptions(
        shares=[text.strip() for text in shares.split(",")] if shares else (),
        per_label=per_label,
        cap=cap,
        into=into,
        prefix=prefix,
        seed=seed,
        group_by=group_by,
        distance=distance,
        where=where,
        dry_run=dry_run,
    )
    with Watch() as progress:
        result = verb(open_repository(), selector, options, progress=progress)
    return output.report(result, _sample_lines(result, dry_run), as_json)


def _sample_lines(result: SampleResult, dry_run: bool) -> Iterator[str]:
    yield f"{printable(result.source)}: {output.plural(result.files, 'file')}{' (dry run)' if dry_run else ''}"
    rows = [
        (
            f"  {printable(found.directory)}",
            *output.counted(found.files, "file"),
            _came_and_went(found.added, found.removed),
        )
        for found in result.samples
    ]
    yield from output.table(rows, counts=(1,))
    for found in result.samples:
        labels = [(f"  {printable(label)}", *output.counted(count, "file")) for label, count in found.labels.items()]
        yield from output.table(labels, counts=(1,)) if labels else ()
    for label, count in result.short.items():
        yield f"{printable(label)} has {output.plural(count, 'file')} only."
