"""System calls that fail, or do less than they were asked for, in this process."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

KINDS = ("open", "write", "writev", "fsync", "replace", "rename", "mkdir", "unlink", "ftruncate", "link")


class Faults:
    """Counts the calls of some kinds that change the disk and lets one, or all from one on, fail.

    Args:
        kinds: functions of `os`; `open` counts only where it may create a file.
        moment: which call, from 1 on.
        error: what it fails with; 0 for a write that writes half.
        lasting: whether all calls after it fail too, as on a full disk.
    """

    def __init__(self, kinds: tuple[str, ...], moment: int, error: int, *, lasting: bool = False) -> None:
        self._kinds = kinds
        self._error = error
        self._lasting = lasting
        self._left = moment

    @property
    def met(self) -> bool:
        """Whether there was such a call."""
        return self._left <= 0

    @contextmanager
    def injected(self) -> Iterator[None]:
        """The block meets the faults."""
        with ExitStack() as stack:
            stack.enter_context(patch.object(os, "fsync", lambda descriptor: None))
            for kind in self._kinds:
                stand_in: Callable[..., Any] = partial(self._open if kind == "open" else self._call, getattr(os, kind))
                stack.enter_context(patch.object(os, kind, stand_in))
            yield

    def _open(self, real: Callable[..., int], path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & os.O_CREAT and not str(path).endswith("/lock"):
            return int(self._call(real, path, flags, *more, **options))
        return real(path, flags, *more, **options)

    def _call(self, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        self._left -= 1
        if self._left == 0 or (self._lasting and self._left < 0):
            if self._error:
                raise OSError(self._error, os.strerror(self._error))
            return self._half(real, *arguments)
        return real(*arguments, **options)

    def _half(self, real: Callable[..., int], descriptor: int, content: Any) -> int:
        whole = bytes(content) if isinstance(content, bytes | bytearray | memoryview) else b"".join(content)
        half = whole[: max(1, len(whole) // 2)]
        return real(descriptor, half if isinstance(content, bytes | bytearray | memoryview) else [half])


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
