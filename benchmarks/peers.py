"""What each tool is told to do at each step, as data.

A tool is a table of shell-like command lines, one list for each step of `compare.STEPS` that it can do. They run in a
folder of the tool's own, where `data` is its copy of the pictures; nothing else is shared. Commands that make a step
possible but are not part of it (emptying the folder before a checkout, changing 1 % of the pictures) stand apart in
`before` and are not timed. Lines are cut into words first and filled in afterwards, so a path may hold spaces:
`{run}` is the number of the run, `{place}` the tool's folder, `{work}` the folder of the whole benchmark, `{python}`
the interpreter that runs it and `{thousand}` a pattern for about a thousand pictures.

Each tool is used as its manual says, with what slows it down for no reason to do with the task turned off (telemetry,
automatic housekeeping). To add one, add an entry to `TOOLS`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Commands = tuple[str, ...]


class Unavailable(Exception):
    """The tool cannot be run here; the message says why."""


@dataclass(frozen=True)
class Tool:
    """One tool and its command lines.

    Attributes:
        version: a command that prints the version; that it works is the proof that the tool is there.
        package: what pip installs into an environment of the tool's own, or empty.
        peer: whether it is a version-control tool to be beaten, rather than a limit of the machine.
        out: where a checkout puts the pictures, from the tool's folder.
        extras: what else a checkout writes there by design.
        setup: what makes an empty repository; not timed.
        steps: the timed commands of each step.
        before: what goes before each run of a step; not timed.
    """

    name: str
    version: str
    steps: Mapping[str, Commands]
    package: str = ""
    peer: bool = False
    out: str = "data"
    extras: tuple[str, ...] = ()
    setup: Commands = ()
    before: Mapping[str, Commands] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


def words(command: str, values: Mapping[str, str]) -> list[str]:
    """The argument list of one command line."""
    return [word.format_map(values) for word in shlex.split(command)]


def programs(tool: Tool, work: Path) -> Path:
    """The folder that goes first on the tool's PATH: its own environment's, or that of the running interpreter."""
    if tool.package:
        return work / "environments" / tool.package / "bin"
    return Path(sys.executable).parent


def path_variable(tool: Tool, work: Path) -> str:
    """The tool's PATH."""
    return os.pathsep.join((str(programs(tool, work)), os.environ.get("PATH", os.defpath)))


def installed_version(tool: Tool, work: Path) -> str:
    """The first line the tool's version command prints, or empty where it does not run."""
    search = path_variable(tool, work)
    command = words(tool.version, {"python": sys.executable})
    if tool.package and not (programs(tool, work) / command[0]).exists():
        return ""
    if not shutil.which(command[0], path=search):
        return ""
    done = subprocess.run(command, env={**os.environ, "PATH": search}, capture_output=True, text=True)
    return "" if done.returncode else (done.stdout.strip().splitlines() or ["?"])[0]


def install(tool: Tool, work: Path) -> str:
    """Make sure the tool runs, and return its version.

    Raises:
        Unavailable: it is not there and pip could not bring it.
    """
    version = installed_version(tool, work)
    if not version and tool.package:
        environment = programs(tool, work).parent
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(environment)],
            [str(environment / "bin" / "pip"), "install", "--quiet", tool.package],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise Unavailable(f"pip could not install {tool.package}: {said}")
        version = installed_version(tool, work)
    if not version:
        raise Unavailable(f"`{tool.version}` does not run")
    return version


CHANGE = ("cp -r {work}/changes/. data",)
EMPTY = ("rm -rf data",)

SCAN = """{python} -I -c '
import os
folders = ["data"]
while folders:
    with os.scandir(folders.pop()) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                entry.stat(follow_symlinks=False)
'"""


def copying(name: str, *commands: str) -> Tool:
    """The plainest way to move the same bytes, either way."""
    return Tool(
        name=name,
        version="cp --version",
        out="../copy",
        steps={"add-commit": commands, "checkout": commands},
        before={"add-commit": ("rm -rf ../copy",), "checkout": ("rm -rf ../copy",)},
    )


WALK = Tool(
    name="walk",
    version="{python} --version",
    steps={"add-again": (SCAN,), "status-folder": (SCAN,), "edit-commit": (SCAN,)},
    before={"edit-commit": CHANGE},
)

TDVC = Tool(
    name="tdvc",
    version="tdvc --version",
    out="../out",
    extras=(".tdvc-checkout", "SHA256SUMS", "instances.jsonl", "schema.json"),
    setup=("tdvc init",),
    steps={
        "add-commit": ("tdvc add data -d Main", "tdvc commit -m first"),
        "add-again": ("tdvc add data -d Main",),
        "checkout": ("tdvc checkout Main@ ../out",),
        "status-folder": ("tdvc status ../out",),
        "status-repository": ("tdvc status",),
        "edit-commit": ("tdvc add data -d Main", "tdvc commit -m second"),
        "diff": ("tdvc diff Main~1 Main@ --stat",),
        "mirror-all": ("tdvc mirror Main Whole{run}",),
        "annotate": ("tdvc annotate {work}/edits{run}.jsonl -d Main",),
        "mirror-1000": ("tdvc mirror Main:{thousand} Some{run}",),
    },
    before={"checkout": ("rm -rf ../out",), "edit-commit": CHANGE},
)


def git(name: str, configuration: Mapping[str, str]) -> Tool:
    """Git under one configuration."""
    settings = {"gc.auto": "0", "advice.detachedHead": "false", **configuration}
    return Tool(
        name=name,
        version="git --version",
        peer=True,
        setup=("git init -q -b main .", *(f"git config {key} {value}" for key, value in settings.items())),
        steps={
            "add-commit": ("git add -A", "git commit -q -m first"),
            "add-again": ("git add -A",),
            "checkout": ("git checkout -q -f HEAD",),
            "status-folder": ("git status --porcelain",),
            "edit-commit": ("git add -A", "git commit -q -m second"),
            "diff": ("git diff --name-status HEAD~1 HEAD",),
        },
        before={"checkout": EMPTY, "edit-commit": CHANGE},
    )


TUNED = {
    "core.compression": "0",
    "core.looseCompression": "0",
    "pack.compression": "0",
    "core.untrackedCache": "true",
    "index.version": "4",
    "index.skipHash": "true",
    "checkout.workers": "0",
}
"""Git for files that do not compress: no deflate, and the caches and threads it leaves off by default."""

DVC = Tool(
    name="dvc",
    version="dvc --version",
    package="dvc",
    peer=True,
    environment={"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": "{place}/site-cache"},
    setup=("git init -q -b main .", "dvc init -q", "dvc config core.check_update false"),
    steps={
        "add-commit": ("dvc add -q data", "git add -A", "git commit -q -m first"),
        "add-again": ("dvc add -q data",),
        "checkout": ("dvc checkout -q -f",),
        "status-folder": ("dvc status",),
        "edit-commit": ("dvc add -q data", "git add -A", "git commit -q -m second"),
        "diff": ("dvc diff HEAD~1 HEAD",),
    },
    before={"checkout": EMPTY, "edit-commit": CHANGE},
)


def oxen(call: str) -> str:
    """The command line for one call on an Oxen repository; its Python package brings no command of its own."""
    return f"python -c 'from oxen import Repo; Repo(\".\").{call}'"


OXEN = Tool(
    name="oxen",
    version="python -c 'import oxen; print(oxen.__version__)'",
    package="oxenai",
    peer=True,
    environment={"OXEN_DISABLE_VERSION_CHECK": "1"},
    setup=(
        'python -c \'from oxen.user import config_user; config_user("bench", "bench@example.org")\'',
        oxen("init()"),
    ),
    steps={
        "add-commit": (oxen('add("data")'), oxen('commit("first")')),
        "add-again": (oxen('add("data")'),),
        "checkout": (oxen('restore("data")'),),
        "status-folder": (oxen("status()"),),
        "edit-commit": (oxen('add("data")'), oxen('commit("second")')),
    },
    before={"checkout": EMPTY, "edit-commit": CHANGE},
)

TOOLS = (
    copying("cp", "cp -r data ../copy"),
    copying("cp+sync", "cp -r data ../copy", "sync -f ../copy"),
    WALK,
    TDVC,
    git("git", {}),
    git("git-tuned", TUNED),
    git("git-packed", {**TUNED, "core.bigFileThreshold": "1k"}),
    DVC,
    OXEN,
)
"""In the order of the printed tables; the first three are what the machine can do at best."""
