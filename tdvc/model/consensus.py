"""Two people's independent labels of one file, made comparable: the base of consensus and gold-standard review.

Instances that share no id are paired by overlap (`matching`). A pair is one object: theirs goes by our id, and where it
is belongs to what both agree on, so ours stays. What they call it and its attributes are merged like any others. Label
names that differ, and objects that one of them alone has drawn, are the disagreements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from tdvc.model.matching import match_instances
from tdvc.model.records import Instance

LABEL, OURS_ALONE, THEIRS_ALONE = "label", "ours-alone", "theirs-alone"


class Disagreement(NamedTuple):
    """One object that two people do not see in the same way.

    Attributes:
        kind: `label`, `ours-alone` or `theirs-alone`.
        ours: our instance, None where we have none.
        theirs: their instance, None where they have none.
        overlap: intersection over union of a pair.
    """

    kind: str
    ours: Instance | None
    theirs: Instance | None
    overlap: float | None = None


class Aligned(NamedTuple):
    """Their instances and what they began with, under our ids; how many were paired, and what is seen differently."""

    theirs: list[Instance]
    base: dict[str, Any]
    matched: int
    disagreements: list[Disagreement]


def align(base: Mapping[str, Any], ours: Sequence[Instance], theirs: Sequence[Instance], threshold: float) -> Aligned:
    """Give their instances our ids where the two are one object.

    Args:
        base: what theirs began with, by id; ids in it are known to both and no disagreement.
        ours: our instances.
        theirs: theirs.
        threshold: smallest overlap of a pair.
    """
    our_ids, their_ids = _ids(ours), _ids(theirs)
    left = [instance for instance in ours if instance.instance_id not in their_ids]
    right = [instance for instance in theirs if instance.instance_id not in our_ids]
    renamed: dict[str, Instance] = {}
    renamed_base = dict(base)
    disagreements = []
    for i, j, overlap in match_instances(left, right, threshold):
        mine, other = left[i], right[j]
        renamed[other.instance_id] = msgspec.structs.replace(mine, label=other.label, attributes=other.attributes)
        if other.instance_id in base:
            renamed_base[mine.instance_id] = renamed_base.pop(other.instance_id)
        if mine.label != other.label:
            disagreements.append(Disagreement(LABEL, mine, other, overlap))
    paired = {instance.instance_id for instance in renamed.values()}
    disagreements += [Disagreement(OURS_ALONE, i, None) for i in _new(left, base, paired)]
    disagreements += [Disagreement(THEIRS_ALONE, None, i) for i in _new(right, base, renamed)]
    return Aligned([renamed.get(i.instance_id, i) for i in theirs], renamed_base, len(renamed), disagreements)


def _ids(instances: Iterable[Instance]) -> set[str]:
    return {instance.instance_id for instance in instances}


def _new(instances: Iterable[Instance], base: Mapping[str, Any], paired: Any) -> list[Instance]:
    return [i for i in instances if i.instance_id not in base and i.instance_id not in paired]
