"""Which names and paths may enter or leave a repository: one validator for all of them.

A stored path must be writable on any platform's checkout without leaving the folder or landing in a place that a tool
treats as its own. The rules are those that git and jj arrived at after their advisories (see `docs/format.md`).
"""

from __future__ import annotations

import re
import unicodedata

from tdvc.errors import Usage, printable

__all__ = ["check_name", "check_path", "folding_key", "path_problem", "printable", "stored_path_problem"]

MAX_PATH_BYTES = 4096
MAX_COMPONENT_BYTES = 255
MAX_NAME_BYTES = 200

RESERVED_AT_TOP = frozenset(("instances.jsonl", "schema.json", "SHA256SUMS"))
"""What a checkout writes beside the files, so that no file can be called so at the top of a directory."""

_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_SHORT_NAME = re.compile(r"^(tdvc|git)~\d+$", re.IGNORECASE)
_DRIVE = re.compile(r"^[A-Za-z]:")
_PLAIN_PATH = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_ .-]{0,60}(?:/(?!$)|$))+").fullmatch
_HEX_ID = re.compile(r"^[0-9a-f]{7,64}$")
_NAME_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\]\\@{}/#]")
_WINDOWS_DEVICE = re.compile(r"^(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?$", re.IGNORECASE)


def path_problem(path: str) -> str | None:
    """Why `path` can't be stored, as the end of a sentence; None where it can."""
    if len(path) < 1024 and _PLAIN_PATH(path):
        return None
    if not path:
        return "is empty"
    if "\0" in path:
        return "holds a NUL byte"
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if len(encoded) > MAX_PATH_BYTES:
        return f"is longer than {MAX_PATH_BYTES} bytes"
    if "\\" in path:
        return "holds a backslash, which is a separator on other systems"
    if path.startswith("/") or _DRIVE.match(path):
        return "is absolute"
    for component in path.split("/"):
        problem = _component_problem(component)
        if problem:
            return problem
    return None


def _component_problem(component: str) -> str | None:
    if component == "":
        return "has an empty component"
    if component in (".", ".."):
        return f"has a component {component!r}"
    if len(component) > 63 and len(component.encode()) > MAX_COMPONENT_BYTES:
        return f"has a component longer than {MAX_COMPONENT_BYTES} bytes"
    if component[0] == "." or "~" in component or not component.isascii():
        plain = _IGNORED_BY_HFS.sub("", component).split(":")[0].rstrip(". ").casefold()
        if plain in (".tdvc", ".git") or _SHORT_NAME.match(plain):
            return f"has a reserved component {component!r}"
        if plain in ("", "..") and component.strip(". ") == "":
            return f"has a component {component!r}"
    return None


def stored_path_problem(path: str) -> str | None:
    """As `path_problem`, of a path in a directory: it must also leave room for what a checkout writes."""
    if path in RESERVED_AT_TOP:
        return "is the name of a file that checkout writes itself; put it into a folder"
    return path_problem(path)


def check_path(path: str) -> str:
    """`path` itself, or `Usage` (bad-path) where it can't be stored."""
    problem = stored_path_problem(path)
    if problem:
        raise Usage("bad-path", f"The path {path!r} {problem}.", path=path)
    return path


def check_name(name: str, what: str) -> str:
    """`name` itself where it may name a directory or snapshot, else `Usage` (bad-name).

    The forbidden characters are those that mean something in a revision (`~ @ : # { }`), in a glob or in a shell.
    """
    problem = None
    if not name:
        problem = "is empty"
    elif name.startswith(("-", ".")):
        problem = f"starts with {name[0]!r}"
    elif name.endswith((".", ".lock")):
        problem = "ends with '.' or '.lock'"
    elif ".." in name:
        problem = "holds '..'"
    elif found := _NAME_FORBIDDEN.search(name):
        problem = f"holds {found.group()!r}"
    elif not name.isprintable():
        problem = "holds a character that does not print"
    elif len(name.encode()) > MAX_NAME_BYTES:
        problem = f"is longer than {MAX_NAME_BYTES} bytes"
    elif _HEX_ID.match(name):
        problem = "looks like a commit id"
    elif name == "HEAD" or _WINDOWS_DEVICE.match(name):
        problem = "is reserved"
    if problem:
        raise Usage("bad-name", f"The {what} name {name!r} {problem}.", name=name)
    return name


def folding_key(path: str) -> str:
    """Equal for two paths that some file system would take for one: case, composed accents, ligatures."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFC", path)).casefold()
