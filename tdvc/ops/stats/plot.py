"""`stats --png`: the figures as one picture, drawn by matplotlib.

The figure is made by itself and drawn by Agg: neither a display nor the settings of a program that draws as well are
touched. Labels are shown as they are: a dollar sign begins no formula.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tdvc.names import printable
from tdvc.ops.libraries import library
from tdvc.ops.placing import check_place, write_whole
from tdvc.ops.stats.records import LabelFigures, StateStats, Stats
from tdvc.ops.stats.words import bin_name, figure, made, named, when

MAX_BARS = 30
"""So many labels are drawn, those with most instances."""

_LONGEST = 32
_WIDE, _HIGH = 6.0, 3.2  # inches, of one drawing
_BAR = 0.22
_DOTS = 120
_LINE, _LINE_LETTERS = 0.16, 150


def write_stats_plot(found: Stats, place: Path, *, force: bool = False, moment: datetime | None = None) -> int:
    """Write the picture, whole or not at all; returns its bytes.

    Args:
        found: the figures.
        place: where it goes.
        force: write over a file that is there.
        moment: when it was made, as it says itself; now for None.

    Raises:
        Refused: file-exists, where something is there and `force` was not given.
        NotFound: source-not-found, where the folder it goes to is not there.
        FormatError: library-missing.
    """
    check_place(place, force=force)
    return write_whole(place, [_encoded(draw(found, made(moment)))])


def draw(found: Stats, moment: str) -> Any:
    """The picture as a figure of matplotlib, which says what it is of and that it was made at `moment`."""
    figures, agg = library("matplotlib.figure"), library("matplotlib.backends.backend_agg")
    bars = min(MAX_BARS, max(len(state.labels) for state in found.states))
    height = max(_HIGH, bars * _BAR * (1 + len(found.states)) / 2 + 1)
    about = _about(found, moment)
    drawn = figures.Figure(figsize=(_WIDE * 2, 2 * height + len(about) * _LINE), layout="constrained")
    agg.FigureCanvasAgg(drawn)
    drawn.suptitle("\n".join(about), fontsize=9)
    axes = drawn.subplots(2, 2)
    _labels(axes[0][0], found.states)
    _histogram(axes[0][1], found.states)
    _sizes(axes[1][0], found.states)
    _growth(axes[1][1], found.states)
    for text in drawn.findobj(library("matplotlib.text").Text):
        text.set_parse_math(False)
    return drawn


def _about(found: Stats, moment: str) -> list[str]:
    """What it is a picture of, in lines."""
    whole = printable("; ".join(map(named, found.states))) + f"; made {moment}"
    query = [f"Only files with: {printable(found.where)}"] if found.where else []
    return [line for text in (whole, *query) for line in textwrap.wrap(text, _LINE_LETTERS, max_lines=4)]


def _encoded(drawn: Any) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font does not have
        drawn.savefig(content, format="png", dpi=_DOTS)
    return content.getvalue()


def _labels(axes: Any, states: Sequence[StateStats]) -> None:
    """Shares of the labels: of one state, or bars of several beside each other."""
    names = _names([state.labels for state in states])
    thick = 0.8 / len(states)
    for number, state in enumerate(states):
        shares = {label.key: label.share * 100 for label in state.labels}
        places = _beside(number, len(states), len(names))
        axes.barh(places, [shares.get(key, 0.0) for key in names], thick, label=_text(state.revision))
    axes.set_yticks(range(len(names)), list(map(_text, names.values())))
    axes.invert_yaxis()
    axes.set_xlabel("% of the instances")
    axes.set_title("Labels")
    _legend(axes, states)


def _names(labels_of_states: Sequence[Sequence[LabelFigures]]) -> dict[str, str]:
    """Key to name of the labels that have a row, those of the first state first."""
    names: dict[str, str] = {}
    for labels in labels_of_states:
        names.update({label.key: label.name for label in labels[:MAX_BARS] if label.key not in names})
    return dict(list(names.items())[:MAX_BARS])


def _beside(number: int, states: int, rows: int) -> list[float]:
    """Where a state's drawing is in each row, beside those of the others."""
    return [row + (number - (states - 1) / 2) * 0.8 / states for row in range(rows)]


def _histogram(axes: Any, states: Sequence[StateStats]) -> None:
    longest = max((state.instances_per_file for state in states), key=len)
    thick = 0.8 / len(states)
    for number, state in enumerate(states):
        places = [place + number * thick for place in range(len(state.instances_per_file))]
        axes.bar(places, [found.files for found in state.instances_per_file], thick, label=_text(state.revision))
    axes.set_xticks(
        [place + 0.4 - thick / 2 for place in range(len(longest))], list(map(bin_name, longest)), rotation=45
    )
    axes.set_ylabel("files")
    axes.set_title("Instances of a file")
    _legend(axes, states)


def _sizes(axes: Any, states: Sequence[StateStats]) -> None:
    """The areas of the labels: the middle nine tenths, the middle half, the middle."""
    drawn = [[label for label in state.labels if label.area is not None] for state in states]
    names = _names(drawn)
    for number, (state, labels) in enumerate(zip(states, drawn, strict=True)):
        places = dict(zip(names, _beside(number, len(states), len(names)), strict=True))
        colour, shown = f"C{number % 10}", [(places[one.key], one.area) for one in labels if one.key in places]
        for place, area in shown:
            if area is not None:
                axes.plot([area.p5, area.p95], [place, place], color=colour, linewidth=1)
                axes.plot([area.median], [place], "o", color=colour, mec="black", markersize=4, zorder=3)
        rows = [place for place, _ in shown]
        begins, ends = ([getattr(area, name) for _, area in shown] for name in ("p25", "p75"))
        axes.hlines(rows, begins, ends, color=colour, linewidth=5 / len(states) + 1, label=_text(state.revision))
    if names:
        ticks = library("matplotlib.ticker")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticks.LogLocator(subs=(1, 2, 5), numticks=12))
        axes.xaxis.set_major_formatter(ticks.FuncFormatter(lambda value, _: figure(value)))
        axes.xaxis.set_minor_formatter(ticks.NullFormatter())
    axes.set_yticks(range(len(names)), list(map(_text, names.values())))
    axes.invert_yaxis()
    axes.set_xlabel("area, px²")
    axes.set_title("Sizes")
    _legend(axes, states)


def _growth(axes: Any, states: Sequence[StateStats]) -> None:
    grown = [(state, state.growth) for state in states if state.growth is not None]
    axes.set_title("Growth" if grown else "Pictures by size, px")
    for state, growth in grown:
        times = [when(point.time) for point in growth.points]
        axes.plot(times, [point.instances for point in growth.points], ".-", label=_text(state.revision))
    if grown:
        axes.set_ylabel("instances")
        axes.tick_params(axis="x", rotation=45)
        _legend(axes, states)
        return
    for state in states:
        sizes = state.pictures.sizes
        dots = [20 + 300 * size.files / state.pictures.measured for size in sizes]
        axes.scatter(
            [size.width for size in sizes],
            [size.height for size in sizes],
            dots,
            alpha=0.5,
            label=_text(state.revision),
        )
    axes.set_xlabel("width")
    axes.set_ylabel("height")
    _legend(axes, states)


def _legend(axes: Any, states: Sequence[StateStats]) -> None:
    if len(states) > 1:
        axes.legend()


def _text(text: str) -> str:
    """Text for a picture: what does not print is escaped, what is long is cut."""
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
