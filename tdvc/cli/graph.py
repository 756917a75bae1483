"""Lines of descent drawn beside a list of commits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def graph(commits: Iterable[tuple[str, Sequence[str]]]) -> Iterator[tuple[str, list[str]]]:
    """For each commit and its parents, newest first: what stands before its line, and the lines below it."""
    columns: list[str] = []
    for identity, parents in commits:
        if identity not in columns:
            columns.append(identity)
        at = columns.index(identity)
        width = len(columns)
        drawn = " ".join("*" if column == at else "|" for column in range(width))
        columns[at : at + 1] = new = [parent for parent in parents if parent not in columns]
        yield drawn, _below(at, width, len(new), joins=len(new) < len(parents))


def _below(at: int, width: int, new: int, *, joins: bool) -> list[str]:
    """The lines between a commit and the next one: where a line forks, joins another, or ends."""
    if new > 1:
        return [" ".join(["|"] * at + ["|\\"] + ["\\"] * (width - at - 2 + new - 1))]
    right = width - at - 1
    if new or not (joins or right):
        return []
    if joins and at:
        return [" ".join(["|"] * (at - (not right)) + ["|/"] + ["/"] * (right - 1))]
    return [" ".join([*(["|/"] if joins else ["|"] * at), *["/"] * (right - joins)])]
