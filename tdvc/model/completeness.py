"""Whether a file that was declared complete is so still: a mark names the schema it was made under.

A mark goes stale where today's schema asks more of the file than that one did:

* an attribute that must be answered, of the file, of one of its labels, or below an answer of those, that needed no
  answer then; or more answers of a multiple select;
* a template with more points, for a label that the file has;
* a label whose parent is a label that the file has: what was one thing is now to be told apart.

Nothing else does: not names, colours, guides and descriptions, options, tighter ranges (that is for validation) nor
questions that may stay open. A new label without such a parent does not either. Labels are learned whenever data comes
in, so every import would undo everybody's marks; who brings in a label that must be looked for everywhere takes the
marks away (`tdvc complete --undo`).
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from enum import Enum

from tdvc.model.attributes import attribute_tree
from tdvc.model.schema import Schema

_NO_ANSWER = 0


class Mark(Enum):
    """What is known of a file's annotation."""

    COMPLETE = "complete"
    STALE = "stale"
    INCOMPLETE = "incomplete"


def asks_more(old: Schema, new: Schema, labels: Set[str] | None = None, *, sequences: bool = True) -> bool:
    """Whether `new` asks more of a file than `old` did.

    Args:
        old: the schema the mark was made under.
        new: today's schema.
        labels: the labels of the file's instances; None for any: false then means that no file is asked more.
        sequences: whether some of its instances are in a sequence.
    """
    if old == new:
        return False
    labels = new.labels.keys() | old.labels.keys() if labels is None else labels
    if _more(_needed(old, old.file_attributes), _needed(new, new.file_attributes)):
        return True
    if sequences and _more(_needed(old, old.sequence_attributes), _needed(new, new.sequence_attributes)):
        return True
    if any(_asks_more_of(old, new, label) for label in labels):
        return True
    return any(label.parent in labels for key, label in new.labels.items() if key not in old.labels)


def _asks_more_of(old: Schema, new: Schema, key: str) -> bool:
    """Whether more is asked of the instances of one label."""
    before, after = old.labels.get(key), new.labels.get(key)
    if after is None or (after == before and old.attributes == new.attributes and old.templates == new.templates):
        return False
    asked_before = _needed(old, before.attributes) if before else {}
    if _more(asked_before, _needed(new, after.attributes)):
        return True
    had = old.templates.get(before.template) if before else None
    wanted = new.templates.get(after.template)
    return wanted is not None and len(wanted.points) > (len(had.points) if had else 0)


def _needed(schema: Schema, keys: Iterable[str]) -> dict[str, int]:
    """Attribute to how many answers it needs, at these keys and below; 1 where it takes one."""
    return {
        attribute.key: max(1, attribute.min_count or 0)
        for attribute in attribute_tree(schema, keys)
        if attribute.required and attribute.default is None
    }


def _more(before: dict[str, int], after: dict[str, int]) -> bool:
    return any(count > before.get(key, _NO_ANSWER) for key, count in after.items())
