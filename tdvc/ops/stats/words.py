"""Figures of `stats` as people read them, in a terminal, on a page and in a picture alike."""

from __future__ import annotations

from datetime import UTC, datetime

from tdvc.ops.stats.records import Bin, Quantiles, StateStats

_LONG = 1e7


def percent(share: float) -> str:
    """A share: `12.3%`; what is not nothing does not look like it."""
    return "<0.1%" if 0 < share < 0.0005 else f"{share:.1%}"


def figure(value: float) -> str:
    """A value to three digits, or all digits before the point: `0.0123`, `7,752`."""
    if abs(value) >= _LONG or abs(value) < 100:
        return f"{value:.3g}"
    return f"{value:,.0f}"


def spread(quantiles: Quantiles | None) -> str:
    """The middle, and what the middle nine tenths lie within: `7,752 (5,432 to 8,906)`."""
    if quantiles is None:
        return "-"
    if quantiles.p5 == quantiles.p95:
        return figure(quantiles.median)
    return f"{figure(quantiles.median)} ({figure(quantiles.p5)} to {figure(quantiles.p95)})"


def spread_of_shares(quantiles: Quantiles | None) -> str:
    """The same for shares: `10.1% (7.1% to 11.6%)`."""
    if quantiles is None:
        return "-"
    if quantiles.p5 == quantiles.p95:
        return percent(quantiles.median)
    return f"{percent(quantiles.median)} ({percent(quantiles.p5)} to {percent(quantiles.p95)})"


def bin_name(found: Bin) -> str:
    """`0`, `1`, `3-4`."""
    return f"{found.least:,}" if found.least == found.most else f"{found.least:,}-{found.most:,}"


def names_of(state: StateStats) -> dict[str, str]:
    """Key to name of the labels that are listed."""
    return {label.key: label.name for label in state.labels}


def named(state: StateStats) -> str:
    """Which state it is, whatever its name comes to mean: `Main, commit 0123456789ab`, or the root of a staged one."""
    return (
        f"{state.revision}, commit {state.commit[:12]}" if state.commit else f"{state.revision}, root {state.root[:12]}"
    )


def made(moment: datetime | None) -> str:
    """When figures were put on paper, now where nothing is said, to the minute: `2026-11-01 12:30Z`."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%MZ")


def when(time: str) -> datetime:
    """The time of a commit; the year 1970 for one that can't be read."""
    try:
        return datetime.fromisoformat(time).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, UTC)
