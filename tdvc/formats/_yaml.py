"""The little YAML that data sets are described in, read without its dangers.

Mappings by indentation, lists, `[...]` and `{...}`, quoted and plain text, `|` and `>` blocks, comments. Every
scalar comes out as text: what YAML takes for a truth value, a number or nothing may well be the name of a class
(`no`, `007`, `null`), and the caller knows what it asked for. Tags, anchors, aliases, merge keys and second documents
are refused: nothing can be made to run, and nothing can grow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

from tdvc.formats._folder import shortened

MAX_DEPTH = 32

_KEY = re.compile(
    r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#&*!|>%@`"'\[\]{},](?:[^:#]|:(?=\S)|(?<=\S)\#){0,1024}?)\s{0,64}:(?=\s|$)"""
)
_TOKEN = re.compile(
    r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[\[\]{},]|:(?=[\s,\]}]|$)"""
    r"""|[^\s,\[\]{}"'\#:](?:[^,\[\]{}:\#]|:(?=[^\s,\]}])|(?<=\S)\#)*)"""
)
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "v": "\v",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    " ": " ",
    '"': '"',
    "/": "/",
    "\\": "\\",
    "N": "\x85",
    "_": "\xa0",
    "L": "\u2028",
    "P": "\u2029",
}
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[ ./-][A-Za-z0-9_]+)*")
_MEANINGFUL = frozenset(("false", "n", "no", "null", "off", "on", "true", "y", "yes"))
_PUNCTUATION = frozenset("[]{},:")
_REFUSED = {"&": "an anchor", "*": "an alias", "!": "a tag", "%": "a directive", "@": "'@'", "`": "'`'"}


def read(content: bytes) -> Any:
    """Dictionaries, lists and text; None for what is empty.

    Raises:
        ValueError: not UTF-8, not YAML, more than the subset, a key given twice; the end of a sentence.
    """
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start}") from error
    reader = _Reader(text.split("\n"))
    if reader.line < len(reader.lines) and reader.lines[reader.line].rstrip() == "---":
        reader.skip(reader.line + 1)
    value = reader.block(-1, 0)
    if reader.line < len(reader.lines):
        reader.refuse("has something that does not belong there")
    return value


def quoted(text: str) -> str:
    """`text` as a YAML scalar that every reader takes for text, plain where it can be."""
    if _PLAIN.fullmatch(text) and text.lower() not in _MEANINGFUL:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    code = ord(character)
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class _Reader:
    """A place in the lines, and what is read from there on. `line` is never that of a blank or a comment."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.column = 0
        self.waiting = ""
        self.skip(0)

    def skip(self, line: int) -> None:
        """Go to the next line that says something."""
        while line < len(self.lines) and not _COMMENT.sub("", self.lines[line]).strip():
            line += 1
        self.line = line

    def refuse(self, problem: str) -> NoReturn:
        raise ValueError(f"{problem}, line {self.line + 1}")

    def indent(self) -> int:
        """Of this line; -1 at the end."""
        if self.line >= len(self.lines):
            return -1
        text = self.lines[self.line]
        if text.lstrip(" ").startswith("\t"):
            self.refuse("is indented by a tab")
        return len(text) - len(text.lstrip(" "))

    def block(self, parent: int, depth: int) -> Any:
        """What is indented deeper than `parent`: a mapping, a list or a scalar."""
        if depth > MAX_DEPTH:
            self.refuse(f"nests deeper than {MAX_DEPTH} levels")
        indent = self.indent()
        if indent <= parent:
            return None
        start = self.lines[self.line][indent:]
        if _is_item(start):
            return self.items(indent, depth)
        if _KEY.match(start):
            return self.mapping(indent, depth)
        return self.value(start, parent, depth)

    def items(self, indent: int, depth: int) -> list[Any]:
        """The list whose dashes stand at `indent`."""
        found: list[Any] = []
        while self.indent() == indent and _is_item(self.lines[self.line][indent:]):
            rest = self.lines[self.line][indent + 1 :].strip()
            if _is_item(rest) or _KEY.match(rest):
                self.refuse("has a list or a mapping on the line of a list's dash, which tdvc does not read")
            found.append(self.value(rest, indent, depth))
        return found

    def mapping(self, indent: int, depth: int) -> dict[str, Any]:
        """The mapping whose keys stand at `indent`."""
        found: dict[str, Any] = {}
        while self.indent() == indent:
            text = self.lines[self.line]
            match = _KEY.match(text, indent)
            if match is None:
                self.refuse("has no 'key: value'")
            key = self.scalar(match[1])
            if key in found or key == "<<":
                self.refuse(f"gives the key {shortened(key)} twice" if key in found else "merges keys")
            rest = text[match.end() :].strip()
            if _COMMENT.sub("", rest):
                found[key] = self.value(rest, indent, depth)
                continue
            self.skip(self.line + 1)
            same = self.indent() == indent and _is_item(self.lines[self.line][indent:])
            found[key] = self.items(indent, depth + 1) if same else self.block(indent, depth + 1)
        if self.indent() > indent:
            self.refuse("is indented deeper than the lines before it")
        return found

    def value(self, rest: str, indent: int, depth: int) -> Any:
        """The value that begins with `rest` on this line and belongs to something at `indent`; goes past it."""
        if rest[:1] in ("|", ">"):
            return self.text_block(indent)
        if rest[:1] in ("[", "{"):
            return self.flow(rest, depth)
        if match := _QUOTED.match(rest):
            if _COMMENT.sub("", rest[match.end() :]).strip():
                self.refuse("goes on after a quoted text")
            text = self.scalar(match[0])
            self.skip(self.line + 1)
            return text
        words = [self.scalar(_COMMENT.sub("", rest).strip())]
        self.skip(self.line + 1)
        while words[0] and self.indent() > indent:
            if _KEY.match(self.lines[self.line].strip()):
                self.refuse("is indented deeper than the lines before it")
            words.append(_COMMENT.sub("", self.lines[self.line]).strip())
            self.skip(self.line + 1)
        return " ".join(words) or None

    def scalar(self, token: str) -> str:
        """The text of a quoted or plain scalar."""
        if token[:1] == "'":
            if len(token) < 2 or token[-1] != "'":
                self.refuse("has a quote that is not closed on its line")
            return token[1:-1].replace("''", "'")
        if token[:1] == '"':
            if len(token) < 2 or token[-1] != '"':
                self.refuse("has a quote that is not closed on its line")
            return _ESCAPE.sub(self._unescaped, token[1:-1])
        if token[:1] in _REFUSED:
            self.refuse(f"has {_REFUSED[token[:1]]}, which tdvc does not read")
        return token

    def _unescaped(self, match: re.Match[str]) -> str:
        code = match[1]
        if len(code) > 1:
            number = int(code[1:], 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                self.refuse(f"has the escape {shortened(match[0])}")
            return chr(number)
        if code not in _ESCAPES:
            self.refuse(f"has the escape {shortened(match[0])}")
        return _ESCAPES[code]

    def text_block(self, indent: int) -> str:
        """The lines of a `|` or `>` block; both keep their line breaks, which is all tdvc needs of them."""
        end = self.line + 1
        lines: list[str] = []
        while end < len(self.lines):
            text = self.lines[end]
            if text.strip() and len(text) - len(text.lstrip(" ")) <= indent:
                break
            lines.append(text.strip())
            end += 1
        self.skip(end)
        return "\n".join(lines).strip("\n")

    def flow(self, rest: str, depth: int) -> Any:
        """The `[...]` or `{...}` that `rest` of this line begins; it may go on for many lines."""
        self.column = len(self.lines[self.line].rstrip()) - len(rest)
        value = self.flow_value(self.word(), depth)
        if _COMMENT.sub("", self.lines[self.line][self.column :]).strip():
            self.refuse("goes on after a closing bracket")
        self.skip(self.line + 1)
        return value

    def word(self) -> str:
        """The next bracket, comma, colon or scalar."""
        if self.waiting:
            word, self.waiting = self.waiting, ""
            return word
        while self.line < len(self.lines):
            if match := _TOKEN.match(self.lines[self.line], self.column):
                self.column = match.end()
                return match[1].rstrip()
            if _COMMENT.sub("", self.lines[self.line][self.column :]).strip():
                self.refuse("has something that does not belong between brackets")
            self.line, self.column = self.line + 1, 0
        return self.refuse("ends before its brackets are closed")

    def flow_value(self, first: str, depth: int) -> Any:
        """The value between brackets that begins with `first`."""
        if depth > MAX_DEPTH:
            self.refuse(f"nests deeper than {MAX_DEPTH} levels")
        if first == "[":
            return [self.flow_value(part, depth + 1) for part in self.parts("]")]
        if first == "{":
            return self.flow_mapping(depth)
        if first in _PUNCTUATION:
            self.refuse(f"has {first!r} where a value is needed")
        text = self.scalar(first)
        while first[0] not in "\"'":
            following = self.word()
            if following in _PUNCTUATION or following[0] in "\"'":
                self.waiting = following
                break
            text += " " + following
        return text

    def flow_mapping(self, depth: int) -> dict[str, Any]:
        """The mapping whose opening bracket was read."""
        found: dict[str, Any] = {}
        for first in self.parts("}"):
            key = self.flow_value(first, depth + 1)
            if not isinstance(key, str) or key in found:
                self.refuse("gives a key twice, or one that is no text")
            if not self.waiting and self.lines[self.line].startswith(":", self.column):
                self.column += 1  # "key":value, as JSON has it
            elif self.word() != ":":
                self.refuse("has a key without a value")
            found[key] = self.flow_value(self.word(), depth + 1)
        return found

    def parts(self, closing: str) -> Iterator[str]:
        """The first word of every part up to the closing bracket; the rest of the part is read in between."""
        word = self.word()
        while word != closing:
            yield word
            word = self.word()
            if word == ",":
                word = self.word()
            elif word != closing:
                self.refuse("lacks a comma or a closing bracket")


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")
