"""`formats`: which annotation formats there are, and what each can carry."""

from __future__ import annotations

from dataclasses import dataclass

from tdvc.formats import FORMATS, format_named


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """A format.

    Attributes:
        name: what `--format` takes.
        title: what its own people call it.
        written: whether it can be written too.
        types: spatial types it can carry.
        keeps: what else it can carry (see `formats.base.FIELDS`).
        loses: what it can't carry, in words.
    """

    name: str
    title: str
    written: bool
    types: tuple[str, ...]
    keeps: tuple[str, ...]
    loses: tuple[str, ...]


def list_formats() -> list[FormatInfo]:
    """Every format, ordered by name."""
    return [_describe(name) for name in sorted(FORMATS)]


def _describe(name: str) -> FormatInfo:
    found = format_named(name)
    return FormatInfo(
        name=found.NAME,
        title=found.TITLE,
        written=hasattr(found, "write"),
        types=tuple(sorted(found.TYPES)),
        keeps=tuple(sorted(found.KEEPS)),
        loses=found.LOSES,
    )
