"""Running somebody's program with bounds: what it gets, how long it may take, how much of what it says is kept.

What comes in lies in an unnamed file, so a program that never reads it, or closes it, holds nobody up. What it prints
is read to the end and kept up to `MAX_OUTPUT_BYTES`, so a program that prints for ever fills neither memory nor a disk.
It is the leader of its own session: when it ends, when its time is up and when this process is interrupted, everything
it started is killed with it. The group is killed while its leader is not yet reaped, so its number can't be another's.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NamedTuple, cast

MAX_OUTPUT_BYTES = 64 << 10
_POLL_SECONDS = 0.01
_PIECE_BYTES = 64 << 10


class Ended(NamedTuple):
    """How a program ended.

    Attributes:
        code: its exit code, negative for the signal that ended it; None where its time was up.
        output: the first of what it printed, on either stream.
        cut: whether there was more.
    """

    code: int | None
    output: bytes
    cut: bool


def run(program: Path, content: bytes, *, folder: Path, environment: Mapping[str, str], timeout: float) -> Ended:
    """Run a program with `content` on its standard input until it ends or its time is up.

    Raises:
        OSError: it can't be started.
    """
    with tempfile.TemporaryFile() as given:
        given.write(content)
        given.seek(0)
        process = subprocess.Popen(  # noqa: S603 (running it is what was asked for)
            [str(program)],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    with cast(IO[bytes], process.stdout) as stream:
        output = _Output(stream.fileno())
        try:
            ended = _wait(process.pid, output, time.monotonic() + timeout)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        output.drain()
    return Ended(code if ended else None, bytes(output.kept), output.cut)


def _wait(identity: int, output: _Output, until: float) -> bool:
    """Read until the process ends; false where its time is up before. It is left to be reaped."""
    with selectors.DefaultSelector() as selector:
        selector.register(output.descriptor, selectors.EVENT_READ)
        while os.waitid(os.P_PID, identity, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            if time.monotonic() >= until:
                return False
            if selector.select(_POLL_SECONDS) and not output.read():
                selector.unregister(output.descriptor)
    return True


class _Output:
    """What a program prints, kept up to the bound."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self.kept = bytearray()
        self.cut = False

    def read(self) -> bool:
        """Take what is there; false at the end, and where nothing is there."""
        try:
            piece = os.read(self.descriptor, _PIECE_BYTES)
        except BlockingIOError:
            return False
        room = MAX_OUTPUT_BYTES - len(self.kept)
        self.kept += piece[:room]
        self.cut |= len(piece) > room
        return bool(piece)

    def drain(self) -> None:
        """Take what is left, but no more than fits: a program that got away from its group may never stop."""
        while not self.cut and self.read():
            pass
