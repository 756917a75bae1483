"""How a verb tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called now and then with what is being done, how many are done, and of how many (None where that is not known)."""

EVERY = 500
"""Files between two calls."""


def silent(what: str, done: int, total: int | None) -> None:
    """Nobody listens."""
    del what, done, total
