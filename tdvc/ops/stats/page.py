"""`stats --html`: one page with every figure, its bars drawn as SVG; it needs no script and no other file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from tdvc.ops.placing import check_place, write_whole
from tdvc.ops.stats.drawing import Drawing, bar, columns, lines
from tdvc.ops.stats.records import AttributeFigures, Comparison, Growth, LabelFigures, StateStats, Stats
from tdvc.ops.stats.words import bin_name, figure, made, named, names_of, percent, spread, spread_of_shares
from tdvc.ops.webpage import colours, markup, part, policy

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title} - tdvc stats</title>
<style>{style}</style>
</head>
<body>
<main>
"""
_END = "</main>\n</body>\n</html>\n"


def write_stats_page(found: Stats, place: Path, *, force: bool = False, moment: datetime | None = None) -> int:
    """Write the page of some figures, whole or not at all; returns its bytes.

    Args:
        found: the figures.
        place: where it goes.
        force: write over a file that is there.
        moment: when it was made, as it says itself; now for None.

    Raises:
        Refused: file-exists, where something is there and `force` was not given.
        NotFound: source-not-found, where the folder it goes to is not there.
    """
    check_place(place, force=force)
    return write_whole(place, (piece.encode() for piece in _pieces(found, made(moment))))


def _pieces(found: Stats, moment: str) -> Iterator[str]:
    style = colours() + part("tdvc.ops.stats", "page.css")
    title = markup(", ".join(state.revision for state in found.states))
    yield _HEAD.format(policy=policy(style=style), style=style, title=title)
    yield f"<h1>{title}</h1>\n"
    yield f'<p class="quiet">{markup("; ".join(map(named, found.states)))}; made {moment}</p>\n'
    if found.where:
        yield f'<p class="quiet">Only files with: {markup(found.where)}</p>\n'
    if found.comparison is not None:
        yield from _comparison(found.comparison, [state.revision for state in found.states])
    for state in found.states:
        if found.comparison is not None:
            yield f"<h2>{markup(state.revision)}</h2>\n"
        yield from _state(state)
    yield _END


def _state(state: StateStats) -> Iterator[str]:
    yield _card("", _headline(state))
    if state.labels:
        yield _card("Labels", _labels(state.labels))
    for label in state.labels:
        if label.attributes:
            yield _card(f"Attributes of {label.name}", "".join(map(_attribute, label.attributes)))
    if state.together:
        yield _card("Together in a file", _together(state))
    if state.instances_per_file:
        bins = state.instances_per_file
        yield _card("Files by number of instances", columns(list(map(bin_name, bins)), [one.files for one in bins]))
    if state.files:
        yield _card("Pictures", _pictures(state))
    if state.growth is not None:
        yield _card("Growth", _growth(state.growth))


def _card(title: str, content: str) -> str:
    heading = f"<h3>{markup(title)}</h3>\n" if title else ""
    return f'<section class="card">{heading}{content}</section>\n'


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts and drawings."""
    lines_of_table = ["<tr>" + "".join(f"<th>{markup(cell)}</th>" for cell in heading) + "</tr>"]
    lines_of_table += ["<tr>" + "".join(map(_cell, cells)) + "</tr>" for cells in rows]
    return "<table>\n" + "\n".join(lines_of_table) + "\n</table>\n"


def _cell(cell: str) -> str:
    return f'<td class="drawn">{cell}</td>' if isinstance(cell, Drawing) else f"<td>{markup(cell)}</td>"


def _headline(state: StateStats) -> str:
    imbalance = state.imbalance
    figures = {
        "files": f"{state.files:,}",
        "instances": f"{state.instances:,}",
        "instances per file": figure(state.mean_instances),
        "files without instances": f"{state.files_without_instances:,}",
        "files that can't be read": f"{state.damaged:,}" if state.damaged else "",
        "complete": f"{state.complete:,}",
        "stale": f"{state.stale:,}",
        "incomplete": f"{state.incomplete:,}",
        "labels in use": f"{state.label_count:,}",
        "effective labels": figure(imbalance.effective_labels) if imbalance.effective_labels is not None else "",
        "largest : smallest": figure(imbalance.ratio) if imbalance.ratio is not None else "",
        **{f"type {name}": f"{count:,}" for name, count in state.types.items()},
    }
    shown = (f"<div><dt>{markup(name)}</dt><dd>{markup(text)}</dd></div>" for name, text in figures.items() if text)
    return f"<dl>{''.join(shown)}</dl>"


def _labels(labels: Sequence[LabelFigures]) -> str:
    most = max(label.instances for label in labels) or 1
    heading = ("label", "", "instances", "share", "files", "area, px²", "of the picture", "aspect")
    rows = [
        (
            label.name,
            bar(label.instances / most),
            f"{label.instances:,}",
            percent(label.share),
            f"{label.files:,}",
            spread(label.area),
            spread_of_shares(label.relative_area),
            spread(label.aspect),
        )
        for label in labels
    ]
    return _table(heading, rows)


def _together(state: StateStats) -> str:
    names, most = names_of(state), state.together[0].files
    rows = [
        (
            " + ".join(names.get(key, key) for key in pair.labels),
            bar(pair.files / most),
            f"{pair.files:,}",
            percent(pair.share),
        )
        for pair in state.together
    ]
    return _table(("labels", "", "files", "of files with either"), rows)


def _attribute(attribute: AttributeFigures) -> str:
    answered = f"answered by {attribute.answered:,} ({percent(attribute.share)})"
    text = f"<h4>{markup(attribute.name)}</h4>\n" + f'<p class="quiet">{answered}'
    if attribute.numbers is not None:
        text += f"; numbers {markup(spread(attribute.numbers))}"
    text += "</p>\n"
    rows = [
        (answer.name, bar(answer.share), f"{answer.count:,}", percent(answer.share)) for answer in attribute.answers
    ]
    return text + (_table(("answer", "", "instances", "share"), rows) if rows else "")


def _pictures(state: StateStats) -> str:
    found = state.pictures
    counts = {
        "pictures": found.files,
        "measured": found.measured,
        "unreadable": found.unreadable,
        "missing": found.missing,
        "of unknown size": found.unknown,
    }
    text = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count or name == "pictures")
    if found.measured:
        text += f"; width {spread(found.width)}, height {spread(found.height)} px"
    text = f"<p>{markup(text)}</p>\n"
    sizes = [
        (f"{size.width} x {size.height}", bar(size.files / found.measured), f"{size.files:,}") for size in found.sizes
    ]
    media = [(name or "not known", bar(files / state.files), f"{files:,}") for name, files in state.media_types.items()]
    text += _table(("size, px", "", "files"), sizes) if sizes else ""
    return text + (_table(("media type", "", "files"), media) if media else "")


def _growth(growth: Growth) -> str:
    first, last = growth.points[0], growth.points[-1]
    said = [
        f'<b class="{name}">{name}</b> {getattr(first, name):,} to {getattr(last, name):,}'
        for name in ("files", "instances")
    ]
    commits = f"{growth.commits:,} {'commit' if growth.commits == 1 else 'commits'}"
    return f"<p>{commits}: {', '.join(said)}</p>\n{lines(growth)}"


def _comparison(found: Comparison, revisions: Sequence[str]) -> Iterator[str]:
    texts = [
        f"{distance.before} and {distance.after}: "
        + ("one has no instances" if distance.total_variation is None else figure(distance.total_variation))
        for distance in found.distances
    ]
    yield _card("Total variation distance of the labels", f"<p>{markup('; '.join(texts))}</p>")
    rows = [
        (
            label.name,
            *(bar(share, percent(share)) for share in label.shares),
            f"{label.spread * 100:.1f}",
            ", ".join(label.missing_in),
        )
        for label in found.labels
    ]
    said = '<p class="quiet">The share of each state\'s instances, its bar from 0 to 100%.</p>\n'
    heading = ("label", *revisions, "spread, points", "missing in")
    yield _card("Labels side by side", said + _table(heading, rows))
