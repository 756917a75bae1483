"""What differs between two states: diff."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tdvc.cli import output
from tdvc.cli.command import command, complete_revisions, json_option, open_repository, pin_option
from tdvc.errors import Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.diffing import Diff
    from tdvc.ops.diffpage import PageResult
    from tdvc.repo.repository import Repository

_PATHS = "tdvc.paths"
_DEFAULT_OVERLAP = 0.5
_ONE_OF = ("--summary", "--name-only", "--quiet", "--html", "--format patch")


class _WithPaths(click.Command):
    """A command for which `--` begins the paths; click itself would forget where it stood."""

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- PATH...]"]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            split = args.index("--")
            ctx.meta[_PATHS] = tuple(args[split + 1 :])
            args = args[:split]
        return super().parse_args(ctx, args)


@command(
    "tdvc diff",
    "tdvc diff Pets~1 Pets@ --stat",
    "tdvc diff v1..v2 -- 'night/*'",
    "tdvc diff v1 ./export",
    "tdvc diff Ada Bob --match iou:0.7",
    "tdvc diff v1 v2 --html changes.html",
    "tdvc diff --format patch > boxes.jsonl",
    "tdvc diff --pin data.tdvc.toml",
    cls=_WithPaths,
)
@click.argument("before", required=False, shell_complete=complete_revisions)
@click.argument("after", required=False, shell_complete=complete_revisions)
@pin_option
@click.option("-s", "--stat", is_flag=True, help="Count instances by file and by label instead of listing them.")
@click.option("-S", "--summary", is_flag=True, help="Print how much differs in all, and nothing else.")
@click.option("-N", "--name-only", is_flag=True, help="Print the paths that differ, and nothing else.")
@click.option("-m", "--match", metavar="iou[:MIN]", help="Pair instances that share no id by their overlap.")
@click.option("--read-as", metavar="FORMAT", help="Read folders as this format; found out where it is not named.")
@click.option("-f", "--format", type=click.Choice(("text", "patch")), default="text", help="What to print.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one page that shows it all.")
@click.option("--pictures", type=click.Choice(("embed", "link", "none")), default="embed", help="Pictures of the page.")
@click.option("--thumbnails", type=click.IntRange(32, 4096), metavar="PX", help="Longer side of embedded pictures.")
@click.option("--images", type=click.Path(path_type=Path), metavar="FOLDER", help="Where linked pictures are.")
@click.option("--force", is_flag=True, help="Write the page over a file that is there.")
@click.option("-e", "--exit-code", is_flag=True, help="Exit with 1 where something differs, else with 0.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; implies --exit-code.")
@json_option
@click.pass_context
def diff(
    ctx: click.Context,
    /,
    before: str | None,
    after: str | None,
    pin: Path | None,
    match: str | None,
    read_as: str | None,
    quiet: bool,
    exit_code: bool,
    **options: Any,
) -> int:
    """Show what differs between two states.

    Without a revision, or with the name of a directory: its last commit and what is staged. With one other revision:
    that one and what is staged in its directory. With two, also as A..B: the one and the other. In place of a revision,
    the path of a folder or file of annotations in any known format. Paths, folders or globs after -- narrow it.
    With --pin: the pinned state, and what is staged in its directory or one other revision.

    --format patch prints what tdvc apply takes. --html writes a page that needs nothing else: pictures with before and
    after drawn over them.
    """
    from tdvc.ops.diffing import diff as verb

    _refuse_together(quiet, options)
    if before and after is None and ".." in before and not before.startswith(("../", "./", "/")):
        before, _, after = before.partition("..")
    paths = ctx.meta.get(_PATHS, ())
    overlap = overlap_of(match)
    repository, before, after = _sides(before or None, after or None, pin)
    difference = verb(repository, before, after, paths=paths, match=overlap, read_as=read_as or None)
    differs = bool(difference) if quiet or exit_code else False
    code = 0 if quiet else _show(difference, **options)
    return int(differs) or code


def _sides(before: str | None, after: str | None, pin: Path | None) -> tuple[Repository, str | None, str | None]:
    """Where, and what is compared; with a pin the one revision there may be comes after it."""
    if pin is None:
        return open_repository(), before, after
    if after is not None:
        raise Usage("bad-usage", "With --pin, give one revision at most.", hint="tdvc diff --help")
    from tdvc.cli.pins import open_pinned

    repository, state, found = open_pinned(pin)
    return repository, state.title, before or found.directory


def _refuse_together(quiet: bool, options: dict[str, Any]) -> None:
    given = (options["summary"], options["name_only"], quiet, options["html"], options["format"] == "patch")
    named = [name for name, wanted in zip(_ONE_OF, given, strict=True) if wanted]
    if len(named) > 1:
        raise Usage("bad-usage", f"{named[0]} and {named[1]} do not go together.")
    if options["format"] == "patch" and (options["as_json"] or options["stat"]):
        raise Usage("bad-usage", "A patch is JSON Lines already; leave --json and --stat out.")
    if options["html"] is None and (options["images"] or options["force"] or options["thumbnails"]):
        raise Usage("bad-usage", "--images, --thumbnails and --force are for --html.")


def overlap_of(text: str | None) -> float | None:
    """The overlap that `--match` asks for. Raises Usage."""
    if text is None:
        return None
    name, _, given = text.partition(":")
    try:
        value = float(given) if given else _DEFAULT_OVERLAP
    except ValueError:
        value = 0.0
    if name != "iou" or not 0 < value <= 1:
        raise Usage("bad-usage", f"--match takes iou or iou:MIN with MIN above 0 and at most 1, not {text!r}.")
    return value


def _show(difference: Diff, *, format: str, html: Path | None, **options: Any) -> int:
    if html is not None:
        return _write_page(difference, html, **options)
    if format == "patch":
        from tdvc.ops.patching import patch_lines

        for line in patch_lines(difference):
            sys.stdout.buffer.write(line)
        return 0
    return _print(difference, options["stat"], options["summary"], options["name_only"], options["as_json"])


def _print(difference: Diff, stat: bool, summary: bool, name_only: bool, as_json: bool) -> int:
    from tdvc.cli import diffjson, difftext
    from tdvc.ops.diffing import DiffTotals
    from tdvc.ops.labelstats import LabelStats

    labels = LabelStats(difference) if stat else None
    if as_json:
        diffjson.write_json(difference, DiffTotals(), labels, with_files=not summary)
    elif name_only:
        output.write_lines(printable(change.path) for change in difference)
    elif summary:
        output.write_lines(difftext.summary_lines(difference, DiffTotals()))
    else:
        output.write_lines(difftext.text_lines(difference, DiffTotals(), labels))
    return output.report_problems(diffjson.problems_of(difference), as_json)


def _write_page(
    difference: Diff,
    place: Path,
    *,
    pictures: str,
    thumbnails: int | None,
    images: Path | None,
    force: bool,
    as_json: bool,
    **_: Any,
) -> int:
    from tdvc.cli.progress import Watch
    from tdvc.ops.diffpage import PageOptions, write_page

    if (pictures == "link") != (images is not None):
        raise Usage("bad-usage", "--pictures link and --images FOLDER go together.")
    options = PageOptions(pictures, thumbnails or PageOptions().thumbnail_pixels, images, force)
    with Watch() as progress:
        result = write_page(difference, place, options, progress=progress)
    return output.report(result, [_page_line(result)], as_json)


def _page_line(result: PageResult) -> str:
    size = output.human_size(result.written_bytes)
    line = f"{printable(str(result.place))}: {output.plural(result.files, 'file')}, {size}."
    if result.without_picture:
        line += f" {output.plural(result.without_picture, 'file')} without a picture."
    return line
