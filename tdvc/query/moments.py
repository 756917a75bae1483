"""Moments: dates and times as seconds since 1970, and the span from one to another in calendar months."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from tdvc.query.tree import Moment

UNITS: dict[str, tuple[int, float]] = {
    "second": (0, 1.0),
    "minute": (0, 60.0),
    "hour": (0, 3600.0),
    "day": (0, 86400.0),
    "week": (0, 7 * 86400.0),
    "month": (1, 0.0),
    "year": (12, 0.0),
}
"""Months and seconds of each unit."""


def seconds_of(text: str) -> float | None:
    """The seconds of an ISO 8601 date or time, UTC where it names no zone; None for another text."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def resolved(moment: Moment, now: float) -> float:
    """The seconds that a moment means. Before year 1 and after 9999 it is minus or plus infinity."""
    start = now if moment.start is None else moment.start
    return _months_later(start, moment.months) + moment.seconds


def _months_later(seconds: float, months: int) -> float:
    """The same day of another month, or its last where it is shorter."""
    if not months:
        return seconds
    moment = datetime.fromtimestamp(seconds, UTC)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return float("inf") if months > 0 else float("-inf")
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day).timestamp()
