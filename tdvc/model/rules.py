"""What `validate` looks for: every rule, how bad it is where nobody says otherwise, and whether it can be repaired.

An **error** is wrong whatever the data is for. A **warning** is mostly wrong. A **hint** is worth knowing. Which
of them there are, and which stop a commit, is for the repository to say.

A picture covers `0 <= x <= width`: coordinates are pixel edges, so a box that ends at the width is inside and touches
the far edge. Formats that count pixels from 1 and include the last one (Pascal VOC as published) give the same far
edge, but begin one pixel later: their numbers are kept as they came, so a box of one pixel has no size here.
"""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("off", "hint", "warning", "error")


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong.

    Attributes:
        code: what it is called; never renamed.
        severity: one of `SEVERITIES`, where the repository does not say.
        says: what it finds, as the end of a sentence.
        fixable: whether `--fix` repairs some of what it finds.
        about: `instance`, `file` or `set`; rules about sets need all of it and are left out where only what
            changed is validated.
    """

    code: str
    severity: str
    says: str
    fixable: bool = False
    about: str = "instance"


def _rules(*rules: Rule) -> dict[str, Rule]:
    return {rule.code: rule for rule in rules}


RULES: dict[str, Rule] = _rules(
    # schema
    Rule("unknown-label", "error", "a label that the schema does not have"),
    Rule("deprecated-label", "warning", "a label that should not be used any more"),
    Rule("type-not-allowed", "error", "a spatial type that the label does not allow"),
    Rule("unknown-attribute", "warning", "an attribute that is not asked of the label"),
    Rule("unknown-option", "error", "an answer that the attribute does not offer"),
    Rule("attribute-kind", "error", "an answer of another kind than the attribute's"),
    Rule("attribute-range", "error", "a number beyond the attribute's range"),
    Rule("attribute-step", "error", "a number between the attribute's steps"),
    Rule("attribute-count", "error", "too few or too many answers"),
    Rule("attribute-length", "error", "a text that is too long"),
    Rule("attribute-pattern", "error", "a text that does not fit the attribute's pattern"),
    Rule("attribute-date", "error", "a date that is none"),
    Rule("attribute-time", "error", "a time that is none"),
    Rule("attribute-missing", "error", "no answer to an attribute that needs one"),
    Rule("attribute-orphan", "error", "an answer to an attribute that is asked only under another answer"),
    # geometry
    Rule("malformed-geometry", "error", "a geometry that does not have the shape of its type"),
    Rule("not-finite", "error", "a number that is infinite or none"),
    Rule("negative-size", "error", "a shape that ends before it begins"),
    Rule("zero-size", "error", "a shape without width, height or area"),
    Rule("too-few-points", "error", "an outline with too few different points"),
    Rule("self-crossing", "warning", "an outline that crosses itself"),
    Rule("outside-picture", "error", "a shape that leaves the picture; its far edges are inside", fixable=True),
    Rule("mask-size", "error", "a mask of another size than the picture"),
    Rule("tiny", "hint", "a shape with a side shorter than validate.tiny_px"),
    Rule("far-edge", "hint", "a box that ends exactly where the picture does: right for pixel edges and if pixels are "
         "counted from 1, one pixel too far if they are counted from 0"),
    # pictures and stored bytes
    Rule("annotation-damaged", "error", "instances that are missing from the store or damaged", about="file"),
    Rule("picture-missing", "error", "a picture whose bytes are missing from the store", about="file"),
    Rule("picture-unreadable", "error", "a file that should be a picture and can't be read as one", about="file"),
    Rule("size-differs", "warning", "a picture of another size than its annotation says", about="file"),
    Rule("exif-rotated", "warning", "a picture that asks to be shown turned: tools disagree on its coordinates",
         about="file"),
    # duplicates
    Rule("identical-instances", "error", "an instance that says the same as another one of its file", fixable=True),
    Rule("labels-disagree", "warning", "the same bytes at two paths, with different labels", about="set"),
    # sequences
    Rule("twice-in-frame", "error", "two instances of one sequence in the same frame"),
    Rule("label-changes", "warning", "another label than earlier in the sequence"),
    # sets
    Rule("split-leak", "error", "the same file or bytes in two splits or directories", about="set"),
    Rule("imbalance", "hint", "a label with less than validate.imbalance_percent of the instances", about="set"),
    Rule("complete-but-empty", "hint", "a file that is declared complete and has no instance", about="file"),
    Rule("unlabelled", "hint", "a file without instances that nobody declared complete", about="file"),
    Rule("counted-from-one", "hint", "boxes that begin at 1 and never at 0, but end at the picture's far edge: pixels "
         "seem to be counted from 1, so everything lies one pixel too far right and down", about="set"),
)  # fmt: skip
"""Every rule by its code. Append only: codes are never renamed or given another meaning."""
