"""What the text in a Pascal VOC file stands for, and which text stands for a value.

XML holds text, less than any text, and says nothing of numbers or truth. Reader and writer meet here: `spoken` gives
the text that other tools expect, `heard` the value that a reader makes of it, and where the two differ the writer
carries the value along (see `_carry`). `element` is the inverse of `_xml.to_json`, or says that there is none.
"""

from __future__ import annotations

import re
from typing import Any

from tdvc.formats import _xml
from tdvc.formats._carry import is_text
from tdvc.model.numbers import Number

NAME = "pascal-voc"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
ATTRIBUTES = ("difficult", "occluded", "pose", "truncated")
"""Attributes that VOC has a tag for."""

PICTURES = "JPEGImages"
LISTS = "ImageSets/Main"
SEGMENTATION_LISTS = "ImageSets/Segmentation"
OBJECTS, CLASSES = "SegmentationObject", "SegmentationClass"

OBJECT_VOID, CLASS_VOID = "#void", "#class-void"
"""Where the properties of a file keep the pixels that nobody knows; no tag or attribute is called so."""

IMPORTED = "import"
"""What an import calls the source of an instance that has none; it need not be said."""

MASKS, DRAWN = "masks", "drawn"
"""Under which our writer puts what a PNG can't say of masks, and the mark of the pixels that it drew."""

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
_MAX_NUMBER_LENGTH = 400
_CLASS_LIST_LINE = re.compile(r"\S+\s+(-1|0|1)")
_TAG = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_IN_QUOTES = {**_REFERENCES, **str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})}


def mask_key(number: int, value: int = 0) -> str:
    """What a mask is called: by the number of its object, or by the value of its class where that is 0."""
    return f"object {number}" if number else f"class {value}"


def is_number(text: str) -> bool:
    """Whether a text is a number as JSON spells it, and not one made to hurt."""
    return len(text) <= _MAX_NUMBER_LENGTH and _JSON_NUMBER.fullmatch(text) is not None


def is_class_list(lines: list[str]) -> bool:
    """Whether a split list is that of one class: -1, 0 or 1 behind every name."""
    return bool(lines) and all(_CLASS_LIST_LINE.fullmatch(line) for line in lines)


def is_listable(name: str) -> bool:
    """Whether a line of a split list can say this name and nothing else."""
    return name.splitlines() == [name.strip()] and not _CLASS_LIST_LINE.fullmatch(name)


def heard(text: str) -> Any:
    """The value that the text of an attribute stands for: numbers are numbers."""
    return Number(text) if is_number(text) else text


def clean(text: str) -> str:
    """`text` as it comes back from XML: characters that it can't hold replaced, no white space around it."""
    return _NOT_XML.sub("\ufffd", text).strip()


def spoken(name: str, value: Any) -> str | None:
    """The text for an attribute's value; None where XML has none for it, or for its name."""
    if clean(name) != name or not name:
        return None
    if isinstance(value, bool):
        return str(int(value)) if name in ATTRIBUTES else str(value).lower()
    return clean(value) if isinstance(value, str) else None


def element(tag: str, value: Any) -> _xml.Node:
    """The element of which `_xml.to_json` gives `value`.

    Raises:
        ValueError: there is none.
    """
    if not _TAG.fullmatch(tag):
        raise ValueError(f"{tag[:40]!r} is no tag")
    if is_text(value):
        return _xml.Node(tag, {}, [], _exactly(value))
    if not isinstance(value, dict):
        raise ValueError("only text and objects can be elements")
    node = _xml.Node(tag, {})
    for key, inner in value.items():
        if key == "#text":
            node.text = _exactly(inner)
        elif key.startswith("@"):
            node.attributes[key[1:]] = _attribute(key[1:], inner)
        else:
            node.children += [element(key, item) for item in _items(inner)]
    if node.is_plain or ("#text" in value and not node.text):
        raise ValueError("an element of text alone is that text")
    return node


def _items(inner: Any) -> list[Any]:
    if not isinstance(inner, list):
        return [inner]
    if len(inner) < 2:
        raise ValueError("only repeated elements are a list")
    return inner


def _exactly(text: Any) -> str:
    if not is_text(text) or clean(text) != text:
        raise ValueError("not text that XML gives back")
    return str(text)


def _attribute(name: str, text: Any) -> str:
    if not is_text(text) or not _TAG.fullmatch(name) or _NOT_XML.search(text):
        raise ValueError("not an attribute that XML gives back")
    return str(text)


def spelled(root: _xml.Node) -> bytes:
    """The document, an element a line, indented by tabs as LabelImg and the original data are."""
    return "".join(f"{line}\n" for line in _lines(root, "")).encode()


def _lines(node: _xml.Node, indent: str) -> list[str]:
    attributes = "".join(f' {name}="{text.translate(_IN_QUOTES)}"' for name, text in node.attributes.items())
    start, text = f"{indent}<{node.tag}{attributes}>", node.text.translate(_REFERENCES)
    if not node.children:
        return [f"{start}{text}</{node.tag}>"]
    inner = [line for child in node.children for line in _lines(child, indent + "\t")]
    return [start + text, *inner, f"{indent}</{node.tag}>"]
