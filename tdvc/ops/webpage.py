"""What the pages that verbs write have in common: one file each, which loads nothing and runs nothing but its own.

The colours, light and dark, are in `webpage.css`. What comes from outside reaches a page as text alone (`markup`, or
JSON by `escaped`), and a content security policy allows the page's own script and style by their hashes: should markup
slip through all the same, it finds nothing that would run it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from typing import Any

from tdvc.names import printable


def part(package: str, name: str) -> str:
    """A text that lies beside the code."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")


def colours() -> str:
    """The style that all pages begin with."""
    return part("tdvc.ops", "webpage.css")


def policy(*, style: str, script: str = "", images: str = "") -> str:
    """What a page may load: its own style and script, by their hashes, and pictures from the sources that are named."""
    allowed = {
        "script-src": f"'{_hash(script)}'" if script else "",
        "style-src": f"'{_hash(style)}'",
        "img-src": images,
    }
    named = [f"{what} {sources}" for what, sources in allowed.items() if sources]
    return "; ".join(["default-src 'none'", *named, "base-uri 'none'", "form-action 'none'"])


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def markup(text: object) -> str:
    """Text as markup that shows it, within an element or a quoted attribute; what would not print is escaped."""
    return html.escape(printable(str(text)))


def escaped(value: Any) -> str:
    """JSON that can stand inside a script element, whatever texts are in it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
