"""What states hold, in figures: stats."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, complete_revisions, json_option, open_repository, where_option
from tdvc.cli.progress import Watch
from tdvc.errors import Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.stats.records import AttributeFigures, Comparison, Growth, StateStats, Stats

_LONGEST_NAME = 20
_BAR = (8, 40)
_ANSWERS = 3
_POINTS = 12


@command(
    "tdvc stats",
    "tdvc stats Train Val Test",
    "tdvc stats v1 --where \"label = 'dog'\" --json",
    "tdvc stats --growth --html stats.html --png stats.png",
)
@click.argument("revisions", nargs=-1, shell_complete=complete_revisions, metavar="[REV]...")
@where_option
@click.option("-l", "--label", "labels", multiple=True, metavar="LABEL", help="List only this label; may be repeated.")
@click.option("-g", "--growth", is_flag=True, help="Look back at the commits as well.")
@click.option(
    "-n", "--top", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="List N of each kind."
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write one page that shows it all.")
@click.option("--png", type=click.Path(path_type=Path), metavar="FILE", help="Draw it; needs the extra tdvc[plots].")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
def stats(
    revisions: tuple[str, ...],
    where: str | None,
    labels: tuple[str, ...],
    growth: bool,
    top: int,
    html: Path | None,
    png: Path | None,
    force: bool,
    as_json: bool,
) -> int:
    """Count labels, sizes, attributes and pictures.

    REV is a directory, snapshot or commit; the current directory where none is named. Several are compared: the shares
    of their labels, and how far they are apart. Every figure is defined in docs/stats.md.
    """
    from tdvc.ops.placing import check_place, same_place
    from tdvc.ops.stats import stats as verb

    places = [place for place in (html, png) if place is not None]
    if force and not places:
        raise Usage("bad-usage", "--force is for --html and --png.")
    if html is not None and png is not None and same_place(html, png):
        raise Usage("bad-usage", f"--html and --png are both to go to {str(html)!r}.", hint="Give each its own file.")
    for place in places:
        check_place(place, force=force)
    with Watch() as progress:
        found = verb(
            open_repository(), revisions, where=where, labels=labels, growth=growth, top=top, progress=progress
        )
    if html is not None or png is not None:
        written = _written(found, html, png, force)
        lines = [f"Wrote {printable(place)} ({output.human_size(size)})." for place, size in written.items()]
        return output.report(found, lines, as_json, written_bytes=written)
    return output.report(found, _lines(found, top), as_json)


def _written(found: Stats, html: Path | None, png: Path | None, force: bool) -> dict[str, int]:
    """Write the files that were asked for; their bytes by their place."""
    written = {}
    if html is not None:
        from tdvc.ops.stats.page import write_stats_page

        written[str(html)] = write_stats_page(found, html, force=force)
    if png is not None:
        from tdvc.ops.stats.plot import write_stats_plot

        written[str(png)] = write_stats_plot(found, png, force=force)
    return written


def _lines(found: Stats, top: int) -> Iterator[str]:
    if found.where:
        yield f"Only files with: {printable(found.where)}"
    if found.comparison is not None:
        yield from _comparison_lines(found.comparison, found.states, top)
        for state in found.states:
            yield from _apart(_headline(state))
            yield from _growth_lines(state.growth) if state.growth is not None else ()
        yield ""
        yield "One state alone, or --json, has its sizes, attributes and pictures too."
        return
    (state,) = found.states
    yield from _headline(state)
    parts: tuple[Callable[[StateStats, int], Iterator[str]], ...] = (
        _label_lines,
        _attribute_lines,
        _together_lines,
        _file_lines,
        _picture_lines,
    )
    for part in parts:
        yield from _apart(part(state, top))
    if state.growth is not None:
        yield from _apart(_growth_lines(state.growth))


def _apart(lines: Iterator[str]) -> Iterator[str]:
    """Lines with an empty one before them, where there are any."""
    listed = list(lines)
    yield from ["", *listed] if listed else []


def _headline(state: StateStats) -> Iterator[str]:
    from tdvc.ops.stats.words import figure

    held = (
        output.plural(state.files, "file"),
        output.plural(state.instances, "instance"),
        output.plural(state.label_count, "label"),
        output.human_size(state.bytes),
    )
    yield output.paint(f"{printable(state.revision)}: {', '.join(held)}", "bold")
    marks = f"{state.complete:,} complete, {state.stale:,} stale, {state.incomplete:,} incomplete"
    yield f"  {marks}; {output.plural(state.files_without_instances, 'file')} without instances"
    if state.damaged:
        yield f"  {output.plural(state.damaged, 'file')} whose instances can't be read"
    imbalance = state.imbalance
    if imbalance.ratio is not None and imbalance.effective_labels is not None:
        even = f"effective number of labels {figure(imbalance.effective_labels)}"
        yield f"  largest label {figure(imbalance.ratio)} times the smallest; {even}"
    if state.types:
        yield "  " + ", ".join(f"{count:,} {name}" for name, count in state.types.items())


def _label_lines(state: StateStats, top: int) -> Iterator[str]:
    from tdvc.ops.stats.words import percent, spread, spread_of_shares

    if not state.labels:
        return
    rows: list[Sequence[str]] = [("label", "instances", "share", "files", "median px²", "of picture", "aspect")]
    shown = state.labels[:top]
    for label in shown:
        counts = f"{label.instances:,}", percent(label.share), f"{label.files:,}"
        middles = spread(label.area), spread_of_shares(label.relative_area), spread(label.aspect)
        rows.append((_name(label.name), *counts, *(text.partition(" ")[0] for text in middles)))
    most = state.labels[0].instances or 1
    yield from _barred(rows, [label.instances / most for label in shown], right=range(1, 7))
    if more := len(state.labels) - len(shown):
        yield f"… and {output.plural(more, 'more label', 'more labels')}"


def _barred(rows: Sequence[Sequence[str]], shares: Sequence[float], right: Sequence[int]) -> list[str]:
    """A table with a heading, and a bar behind each row as far as the terminal is wide."""
    lines = output.table(rows, right=right)
    taken = max(map(output.width, lines)) + 2
    room = min(_BAR[1], shutil.get_terminal_size().columns - taken)
    if room < _BAR[0]:
        return lines
    drawn = [lines[0]]
    for line, share in zip(lines[1:], shares, strict=True):
        bar = output.paint(_bar(share, room), "cyan")
        drawn.append(f"{line}{' ' * (taken - output.width(line))}{bar}".rstrip())
    return drawn


def _bar(share: float, room: int) -> str:
    """A bar of so many columns at most; at least one for what is not nothing."""
    block = "█" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"
    return block * max(int(share > 0), round(share * room))


def _name(text: str) -> str:
    """A name that leaves room for figures."""
    shown = printable(text)
    if output.width(shown) <= _LONGEST_NAME:
        return shown
    while output.width(shown) > _LONGEST_NAME - 1:
        shown = shown[:-1]
    return f"{shown}…"


def _attribute_lines(state: StateStats, top: int) -> Iterator[str]:
    rows = [
        (_name(label.name), _name(attribute.name), f"{attribute.answered:,}", _answers(attribute))
        for label in state.labels
        for attribute in label.attributes
    ]
    if rows:
        yield from output.table([("label", "attribute", "answered", "answers"), *rows[:top]], right=(2,))
    if len(rows) > top:
        yield f"… and {output.plural(len(rows) - top, 'more', 'more')}"


def _answers(attribute: AttributeFigures) -> str:
    from tdvc.ops.stats.words import percent, spread

    said = [f"{_name(answer.name)} {percent(answer.share)}" for answer in attribute.answers[:_ANSWERS]]
    if attribute.numbers is not None:
        said.insert(0, spread(attribute.numbers))
    if attribute.different > _ANSWERS:
        said.append("…")
    return ", ".join(said)


def _together_lines(state: StateStats, top: int) -> Iterator[str]:
    from tdvc.ops.stats.words import names_of, percent

    names = names_of(state)
    rows = [
        (" + ".join(_name(names.get(key, key)) for key in pair.labels), f"{pair.files:,}", percent(pair.share))
        for pair in state.together[:top]
    ]
    if rows:
        shares = [pair.files / state.together[0].files for pair in state.together]
        yield from _barred([("together in a file", "files", "of either"), *rows], shares, right=(1, 2))


def _file_lines(state: StateStats, top: int) -> Iterator[str]:
    del top
    from tdvc.ops.stats.words import bin_name

    bins = state.instances_per_file
    if bins:
        rows = [(bin_name(found), f"{found.files:,}") for found in bins]
        shares = [found.files / (max(found.files for found in bins) or 1) for found in bins]
        yield from _barred([("instances of a file", "files"), *rows], shares, right=(1,))


def _picture_lines(state: StateStats, top: int) -> Iterator[str]:
    found = state.pictures
    if not found.files:
        return
    unread = {"unreadable": found.unreadable, "missing": found.missing, "of unknown size": found.unknown}
    rest = "".join(f", {count:,} {name}" for name, count in unread.items() if count)
    media = ", ".join(f"{printable(name) or 'not known'} {files:,}" for name, files in state.media_types.items())
    yield f"{output.plural(found.files, 'picture')}{rest}; media types: {media}"
    if found.sizes:
        rows = [(f"{size.width} x {size.height}", f"{size.files:,}") for size in found.sizes[:top]]
        shares = [size.files / found.sizes[0].files for size in found.sizes]
        yield from _barred([("size, px", "files"), *rows], shares, right=(1,))
    if more := found.different_sizes - len(found.sizes):
        yield f"… and {output.plural(more, 'more size', 'more sizes')}"


def _growth_lines(growth: Growth) -> Iterator[str]:
    last = len(growth.points) - 1
    kept = sorted({step * last // max(1, _POINTS - 1) for step in range(_POINTS)})
    points = [growth.points[at] for at in kept]
    rows = [
        (output.short_id(point.commit), output.moment(point.time), f"{point.files:,}", f"{point.instances:,}")
        for point in points
    ]
    most = max(point.instances for point in points) or 1
    shares = [point.instances / most for point in points]
    yield from _barred([("commit", "time", "files", "instances"), *rows], shares, right=(2, 3))
    if growth.commits > len(points):
        yield f"{len(points)} of {output.plural(growth.commits, 'commit')}"


def _comparison_lines(found: Comparison, states: Sequence[StateStats], top: int) -> Iterator[str]:
    from tdvc.ops.stats.words import figure, percent

    titles = [_name(state.revision) for state in states]
    rows: list[Sequence[str]] = [("label", *titles, "spread", "missing in")]
    for label in found.labels[:top]:
        shares = [percent(share) for share in label.shares]
        missing = ", ".join(map(_name, label.missing_in))
        rows.append((_name(label.name), *shares, f"{label.spread * 100:.1f}", missing))
    yield from output.table(rows, right=range(1, len(titles) + 2))
    if (more := len(found.labels) - top) > 0:
        yield f"… and {output.plural(more, 'more label', 'more labels')}"
    yield ""
    for distance in found.distances:
        said = "one has no instances" if distance.total_variation is None else figure(distance.total_variation)
        yield f"Total variation distance of {_name(distance.before)} and {_name(distance.after)}: {said}"
