"""Things that belong together, because they are tied to each other directly or by way of others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Ties:
    """Groups of things that are numbered from 0; each is alone to begin with.

    Args:
        count: how many things there are.
    """

    def __init__(self, count: int) -> None:
        self._above = list(range(count))

    def tie(self, one: int, other: int) -> None:
        """Two things belong together from now on; the lower number stands for the group."""
        low, high = sorted((self.group(one), self.group(other)))
        self._above[high] = low

    def group(self, thing: int) -> int:
        """The number that stands for a thing's group: its lowest."""
        above = self._above
        while above[thing] != thing:
            above[thing] = above[above[thing]]
            thing = above[thing]
        return thing

    def tie_equal(self, keys: Iterable[tuple[int, Hashable]]) -> None:
        """Tie things, given by number, that have an equal key; one may have several keys, or none."""
        seen: dict[Hashable, int] = {}
        for thing, key in keys:
            self.tie(seen.setdefault(key, thing), thing)

    def groups(self) -> list[list[int]]:
        """All groups, each in ascending order, ordered by their lowest."""
        found: dict[int, list[int]] = {}
        for thing in range(len(self._above)):
            found.setdefault(self.group(thing), []).append(thing)
        return list(found.values())
