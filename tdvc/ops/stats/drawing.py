"""Bars and lines of the page of `stats`, as SVG: sizes as attributes, colours by class, texts escaped."""

from __future__ import annotations

from collections.abc import Sequence

from tdvc.ops.stats.records import Growth
from tdvc.ops.stats.words import when
from tdvc.ops.webpage import markup

_WIDE, _HIGH = 640, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 18, 22
_THIN = 12


class Drawing(str):
    """Markup, which a page shows as it is."""

    __slots__ = ()


def bar(share: float, text: str = "") -> Drawing:
    """A bar that takes a share of its cell, below a text."""
    width = max(0.5, 100 * min(1.0, share)) if share > 0 else 0.0
    return Drawing(
        f"{markup(text)}"
        f'<svg class="bar" viewBox="0 0 100 {_THIN}" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="100" height="{_THIN}"/>'
        f'<rect class="fill" width="{width:.2f}" height="{_THIN}"/></svg>'
    )


def columns(names: Sequence[str], values: Sequence[int]) -> str:
    """Columns side by side, each with its value above and its name below."""
    step = (_WIDE - _LEFT - _RIGHT) / max(1, len(values))
    high = _HIGH - _TOP - _BOTTOM
    most = max(values, default=0) or 1
    drawn = []
    for place, (name, value) in enumerate(zip(names, values, strict=True)):
        x, height = _LEFT + place * step, high * value / most
        middle = x + step / 2
        drawn.append(
            f'<rect class="fill" x="{x + step * 0.12:.2f}" y="{_TOP + high - height:.2f}" '
            f'width="{step * 0.76:.2f}" height="{height:.2f}"/>'
            f'<text x="{middle:.2f}" y="{_TOP + high - height - 4:.2f}">{value:,}</text>'
            f'<text x="{middle:.2f}" y="{_HIGH - 6}">{markup(name)}</text>'
        )
    return _chart("".join(drawn))


def lines(growth: Growth) -> str:
    """Files and instances over time, each as high as the drawing where it has most."""
    times = [when(point.time).timestamp() for point in growth.points]
    first, span = min(times), (max(times) - min(times)) or 1.0
    xs = [_LEFT + (_WIDE - _LEFT - _RIGHT) * (time - first) / span for time in times]
    drawn = [_line(xs, [getattr(point, name) for point in growth.points], name) for name in ("files", "instances")]
    ends = ((_LEFT, "start", growth.points[0]), (_WIDE - _RIGHT, "end", growth.points[-1]))
    drawn += [
        f'<text class="{side}" x="{x}" y="{_HIGH - 6}">{markup(point.time[:10])}</text>' for x, side, point in ends
    ]
    return _chart("".join(drawn))


def _line(xs: Sequence[float], values: Sequence[int], kind: str) -> str:
    most, high = max(values) or 1, _HIGH - _TOP - _BOTTOM
    places = [(f"{x:.2f}", f"{_TOP + high * (1 - value / most):.2f}") for x, value in zip(xs, values, strict=True)]
    dots = "".join(f'<circle class="dot {kind}" cx="{x}" cy="{y}" r="2.5"/>' for x, y in places)
    return f'<polyline class="line {kind}" points="{" ".join(map(",".join, places))}"/>{dots}'


def _chart(content: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {_WIDE} {_HIGH}" role="img">{content}</svg>'
