"""Libraries that only some verbs need, imported when one of these is used; each comes with an extra of tdvc."""

from __future__ import annotations

import importlib
from typing import Any

from tdvc.errors import FormatError

_EXTRAS = {"duckdb": "sql", "matplotlib": "plots", "pandas": "pandas", "polars": "polars"}


def library(name: str) -> Any:
    """A library, or a module of one. Raises FormatError (library-missing)."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise FormatError(
            "library-missing",
            f"This needs the library {package}, which is not installed.",
            hint=f"Install it: pip install 'tdvc[{_EXTRAS[package]}]'.",
        ) from error
