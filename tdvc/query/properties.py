"""What a query can ask about: every property, what it is and whose."""

from __future__ import annotations

import difflib
import re
from typing import NamedTuple

from tdvc.model.geometry import SPATIAL_TYPES


class Meaning(NamedTuple):
    """What a property is.

    Attributes:
        kind: see `tree.Property`.
        of_instances: whether instances have it, not files.
        says: what it is, for people.
    """

    kind: str
    of_instances: bool
    says: str


PROPERTIES: dict[str, Meaning] = {
    "path": Meaning("text", False, "where the file is in its directory"),
    "size": Meaning("number", False, "bytes of the file"),
    "media_type": Meaning("text", False, "such as `image/jpeg`"),
    "picture_width": Meaning("number", False, "of the stored pixels; what the source said where they can't be read"),
    "picture_height": Meaning("number", False, "the same"),
    "captured_at": Meaning("moment", False, "the file's property `captured_at`, a date or time; else what EXIF says"),
    "complete": Meaning("truth", False, "somebody declared the annotation complete"),
    "stale": Meaning("truth", False, "that was under a schema that asked less"),
    "instances": Meaning("number", False, "how many instances the file has"),
    "split": Meaning("text", False, "the splits that the file came with"),
    "file_id": Meaning("text", False, "32 hexadecimal digits"),
    "blob": Meaning("text", False, "SHA-256 of the file, 64 hexadecimal digits"),
    "property": Meaning("any", False, "`property.NAME`, what a source said of the file"),
    "label": Meaning("text", True, "key, name or alias; `=` and `in` take in the labels below it, `==` does not"),
    "type": Meaning("text", True, "the spatial type"),
    "area": Meaning("number", True, "px²"),
    "width": Meaning("number", True, "of the bounding box, px"),
    "height": Meaning("number", True, "the same"),
    "x0": Meaning("number", True, "left edge of the bounding box, px"),
    "y0": Meaning("number", True, "upper edge"),
    "x1": Meaning("number", True, "right edge"),
    "y1": Meaning("number", True, "lower edge"),
    "score": Meaning("number", True, "of a prediction"),
    "source": Meaning("text", True, "`human`, `import` or the name of a model run"),
    "frame": Meaning("number", True, "index of the video frame, from 0"),
    "sequence": Meaning("text", True, "ties the instances of one object over frames"),
    "instance_id": Meaning("text", True, "32 hexadecimal digits"),
    "attribute": Meaning("any", True, "`attribute.NAME`, an answer; by key or name"),
}

_DIGITS = {"file_id": 32, "blob": 64, "instance_id": 32}
_HEXADECIMAL = re.compile("[0-9a-f]+").fullmatch


def text_problem(name: str, text: str) -> tuple[str, str] | None:
    """Why a property can never be a text, and what to write instead; None where it can."""
    digits = _DIGITS.get(name)
    if digits is not None and not (len(text) == digits and _HEXADECIMAL(text)):
        return (
            f"A {name} has {digits} hexadecimal digits, in lower case.",
            f"By its first digits: {name} like '{text}%'",
        )
    if name == "type" and text not in SPATIAL_TYPES:
        near = difflib.get_close_matches(text, SPATIAL_TYPES, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(SPATIAL_TYPES)}."
        return f"There is no spatial type {text!r}.", hint
    return None


NAMED = ("attribute", "property")
"""Those that are followed by a dot and a name."""

MEMBERS = {
    "in_directory": "the file is in that directory now",
    "in_snapshot": "the file is in that snapshot",
    "changed_since": "the file is not in that revision, or its bytes, annotation, mark or properties were others there",
}
"""What takes a name, and what it asks of the file."""
