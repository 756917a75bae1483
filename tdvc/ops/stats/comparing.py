"""Several states side by side: how the shares of their labels differ. Labels are the same by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from tdvc.ops.stats.records import Comparison, Distance, LabelComparison, StateStats


def compare(states: Sequence[StateStats], shares: Sequence[Mapping[str, float]]) -> Comparison:
    """What tells the labels of states apart.

    Args:
        states: their figures; the labels that these list are compared one by one.
        shares: of each state, key of every label with instances to its share of them.
    """
    names = {label.key: label.name for state in reversed(states) for label in state.labels}
    labels = [_compared(key, name, states, shares) for key, name in names.items()]
    labels.sort(key=lambda label: (-label.spread, label.key))
    pairs = combinations(zip(states, shares, strict=True), 2)
    distances = [Distance(one.revision, other.revision, _variation(a, b)) for (one, a), (other, b) in pairs]
    return Comparison(labels, distances)


def _compared(
    key: str, name: str, states: Sequence[StateStats], shares: Sequence[Mapping[str, float]]
) -> LabelComparison:
    found = [of_state.get(key, 0.0) for of_state in shares]
    return LabelComparison(
        key=key,
        name=name,
        shares=found,
        differences=[share - found[0] for share in found],
        spread=max(found) - min(found),
        missing_in=[state.revision for state, of_state in zip(states, shares, strict=True) if key not in of_state],
    )


def _variation(one: Mapping[str, float], other: Mapping[str, float]) -> float | None:
    """Half the sum of what the shares differ by; None where a state has no instances and so no shares."""
    if not one or not other:
        return None
    keys = sorted(one.keys() | other.keys())
    return sum(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in keys) / 2
