"""Small XML annotation files as a tree of nodes, safe to read from strangers.

A document type declaration is refused before anything is expanded, because entities are the one way a small
XML file becomes a large one or reads another file. Depth, number of elements and size are bounded, so a bad
file costs a message and no memory.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from xml.parsers import expat

from tdvc.formats._folder import read_bytes

MAX_FILE_BYTES = 64 << 20
MAX_DEPTH = 64
MAX_ELEMENTS = 1_000_000
MAX_KEPT_DEPTH = 24
_SNIFFED_BYTES = 64 << 10


@dataclass(slots=True)
class Node:
    """One element. `text` is all its own text with the white space around it removed."""

    tag: str
    attributes: dict[str, str]
    children: list[Node] = field(default_factory=list)
    text: str = ""

    def named(self, tag: str) -> list[Node]:
        """The direct children of that tag."""
        return [child for child in self.children if child.tag == tag]

    def only_text(self, tag: str) -> str:
        """The text of the one child of that tag.

        Raises:
            ValueError: there is none or more than one.
        """
        found = self.named(tag)
        if len(found) != 1:
            raise ValueError(f"has {len(found) or 'no'} <{tag}> where one is needed")
        return found[0].text

    @property
    def is_plain(self) -> bool:
        """Whether text is all it holds."""
        return not self.children and not self.attributes


def read(path: Path) -> Node:
    """The root element of a file.

    Raises:
        OSError: it can't be read.
        ValueError: it is too large, not XML, too deep or declares a document type; the end of a sentence.
    """
    return parse(read_bytes(path, MAX_FILE_BYTES))


def parse(content: bytes) -> Node:
    """The root element of a document; errors as `read`."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError) as error:
        raise ValueError(f"is not XML: {error}") from error
    return builder.root


def root_tag(path: Path) -> str | None:
    """The tag of the root element as far as the beginning of the file tells; None where it is not XML."""
    tags: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _attributes: tags.append(tag)
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        with path.open("rb") as file:
            parser.Parse(file.read(_SNIFFED_BYTES), False)
    except (expat.ExpatError, OSError, ValueError, LookupError):
        pass  # what comes after the root's own tag does not matter here
    return tags[0] if tags else None


def _refuse_doctype(*_declaration: object) -> NoReturn:
    raise ValueError("declares a document type, which is refused because it can expand without bound")


class _Builder:
    """The handlers of one parse: the open elements, and the text of each so far."""

    def __init__(self) -> None:
        self.root = Node("", {})
        self._open: list[tuple[Node, list[str]]] = []
        self._elements = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._open) >= MAX_DEPTH:
            raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
        if self._elements > MAX_ELEMENTS:
            raise ValueError(f"has more than {MAX_ELEMENTS:,} elements")
        node = Node(tag, attributes)
        if self._open:
            self._open[-1][0].children.append(node)
        else:
            self.root = node
        self._open.append((node, []))

    def end(self, _tag: str) -> None:
        node, pieces = self._open.pop()
        node.text = "".join(pieces).strip()

    def characters(self, text: str) -> None:
        self._open[-1][1].append(text)


def to_json(node: Node, without: Collection[str] = (), depth: int = MAX_KEPT_DEPTH) -> Any:
    """What an element holds, as text and dictionaries of text, so that it can be written back.

    A plain element is its text. Another is a dictionary: `@name` for each attribute, `#text` for its text,
    and for each tag its child, or a list where the tag is repeated.

    Args:
        node: the element.
        without: tags of direct children to leave out.
        depth: how many levels it may have.

    Raises:
        ValueError: it nests deeper.
    """
    if depth == 0:
        raise ValueError(f"holds unknown elements nested deeper than {MAX_KEPT_DEPTH} levels")
    if node.is_plain:
        return node.text
    kept: dict[str, Any] = {f"@{name}": value for name, value in node.attributes.items()}
    if node.text:
        kept["#text"] = node.text
    grouped: dict[str, list[Any]] = {}
    for child in node.children:
        if child.tag not in without:
            grouped.setdefault(child.tag, []).append(to_json(child, depth=depth - 1))
    return kept | {tag: held[0] if len(held) == 1 else held for tag, held in grouped.items()}
