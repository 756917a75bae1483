"""Libraries that an adapter is for, imported when somebody uses it."""

from __future__ import annotations

import importlib
from typing import Any

from tdvc.errors import FormatError


def library(name: str, extra: str = "") -> Any:
    """An optional library. Raises FormatError (library-missing).

    Args:
        name: as it is imported.
        extra: of tdvc that brings it; empty where none does.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = f"'tdvc[{extra}]'" if extra else name
        raise FormatError(
            "library-missing",
            f"This needs the library {name}, which is not installed.",
            hint=f"Install it: pip install {package}.",
        ) from error
