"""Rest for the garbage collector, which only finds cycles: objects that nobody holds are freed without it.

A command that handles records by the million makes and drops many small objects, and hardly a cycle among them; to look
through all that it holds again and again takes a tenth of its time.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collecting() -> Iterator[None]:
    """Look for no cycles in this block."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
