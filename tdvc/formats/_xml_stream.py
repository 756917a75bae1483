"""Large XML annotation files, one child of the root at a time, safe to read from strangers.

`_xml` holds a document whole; this holds one child. A document type declaration is refused for the same reason as
there, and each child is bounded like a document there. The text of an element without others in it is kept as written,
white space included, because in some formats it is a value that people typed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from tdvc.formats._xml import MAX_DEPTH, MAX_ELEMENTS, Node

_CHUNK_BYTES = 1 << 18


def children(path: Path, root_tag: str) -> Iterator[Node]:
    """The children of the root element, in order; each is complete when it is yielded.

    Raises:
        OSError: it can't be read.
        ValueError: not XML, another root element, a child too deep or too large, or a document type; the end of
            a sentence. What was yielded before stands.
    """
    builder = _Builder(root_tag)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = _refuse_doctype
    with path.open("rb") as file:
        chunk = b"start"
        while chunk:
            chunk = file.read(_CHUNK_BYTES)
            try:
                parser.Parse(chunk, not chunk)
            except (expat.ExpatError, LookupError) as error:
                yield from builder.take()
                raise ValueError(f"is not XML: {error}") from error
            yield from builder.take()


def _refuse_doctype(*_declaration: object) -> NoReturn:
    raise ValueError("declares a document type, which is refused because it can expand without bound")


class _Builder:
    """The handlers of one parse: the open elements below the root, and the children that are complete."""

    def __init__(self, root_tag: str) -> None:
        self._root_tag = root_tag
        self._rooted = False
        self._open: list[tuple[Node, list[str]]] = []
        self._complete: list[Node] = []
        self._elements = 0

    def take(self) -> list[Node]:
        """The children completed since the last call."""
        complete, self._complete = self._complete, []
        return complete

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self._rooted:
            if tag != self._root_tag:
                raise ValueError(f"has the root element <{tag[:40]}>, not <{self._root_tag}>")
            self._rooted = True
            return
        self._elements += 1
        if len(self._open) >= MAX_DEPTH:
            raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
        if self._elements > MAX_ELEMENTS:
            raise ValueError(f"has an element with more than {MAX_ELEMENTS:,} others in it")
        node = Node(tag, attributes)
        if self._open:
            self._open[-1][0].children.append(node)
        self._open.append((node, []))

    def end(self, _tag: str) -> None:
        if not self._open:
            return
        node, pieces = self._open.pop()
        node.text = "".join(pieces)
        if node.children:
            node.text = node.text.strip()
        if not self._open:
            self._complete.append(node)
            self._elements = 0

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1][1].append(text)
