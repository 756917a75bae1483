"""Keeps the terminal sessions in pages true: runs their commands and puts in what these print now.

A session is a fenced block marked `console`: lines that start with `$ ` are commands, what follows is their output.
All blocks of a page are one session, run by bash beside the folder `demo` with the sample set in it. Ids, times and
sizes differ between runs and machines; a block that differs in nothing else stays as it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

_BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
_VARYING = re.compile(r"\b[0-9a-f]{7,64}\b|\d{4}-\d\d-\d\d \d\d:\d\dZ|[\d.,]+ [kMG]?B\b")
_WHERE = ".where"


def refreshed(page: str, folder: Path) -> str:
    """The page with the output of every command as it is now.

    Args:
        page: Markdown.
        folder: an empty folder for the session, but for the sample set in `demo`.
    """
    (folder / _WHERE).write_text(str(folder))
    return _BLOCK.sub(lambda block: _session(block.group(), folder), page)


def _session(block: str, folder: Path) -> str:
    now = "".join(f"$ {line}\n{_output(line, folder)}" for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE))
    return block if _without_varying(now) == _without_varying(block) else now


def _output(line: str, folder: Path) -> str:
    where = folder / _WHERE
    environment = {
        "HOME": str(folder),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "TDVC_AUTHOR": "Ada <ada@example.org>",
        "TDVC_DURABILITY": "none",
        "TDVC_NO_PROGRESS": "1",
    }
    done = subprocess.run(  # noqa: S603 (commands of our own pages)
        ["/bin/bash", "-c", f'cd "$(cat {where})"\n{line}\npwd > {where}'],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout.decode().replace(str(folder), "~")


def _without_varying(text: str) -> str:
    return re.sub(r" +", " ", _VARYING.sub("#", text))
