"""One part does every write: what else in tdvc calls something that changes a disk says here why it may."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tdvc
from tests.crash.recorder import STOOD_IN_FOR

ROOT = Path(tdvc.__file__).parent

ALLOWED = {
    "ops.checking": "a trial conversion, in a temporary folder",
    "ops.checkout": "a probe in the checked-out folder, which tells whether two spellings are one name",
    "ops.sample": "the pictures of the demo, in a folder of the user's",
    "cli.main": "the null device, and the report of a failure of our own, in the temporary folder",
    "cli.schema": "the file that the user edits",
    "workers": "pipes to other processes",
}
"""None of these writes below `.tdvc`."""

METHODS = {"write_bytes", "write_text", "touch", "mkdir", "unlink", "rmdir", "rename", "symlink_to", "hardlink_to"}
HARMLESS = {"get_terminal_size", "which", "disk_usage"}
FUNCTIONS = {*STOOD_IN_FOR, "makedirs", "renames", "removedirs", "truncate", "symlink", "mkfifo", "chmod"} - {"close"}


def writes(source: str) -> Iterator[tuple[int, str]]:
    """The calls in a module that may change a disk, with their lines."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "os":
            if called.attr in FUNCTIONS:
                yield node.lineno, f"os.{called.attr}"
        elif isinstance(called, ast.Attribute):
            if isinstance(called.value, ast.Name) and called.value.id == "shutil" and called.attr not in HARMLESS:
                yield node.lineno, f"shutil.{called.attr}"
            elif called.attr in METHODS or (called.attr == "open" and _mode(node, 0) is not None):
                yield node.lineno, called.attr
        elif isinstance(called, ast.Name) and called.id == "open" and _mode(node, 1) is not None:
            yield node.lineno, "open"


def _mode(call: ast.Call, place: int) -> str | None:
    """The mode of a call of `open`, where it is one that writes."""
    given = [argument for argument in call.args[place : place + 1] if isinstance(argument, ast.Constant)]
    given += [word.value for word in call.keywords if word.arg == "mode" and isinstance(word.value, ast.Constant)]
    modes = [constant.value for constant in given if isinstance(constant.value, str)]
    return next((mode for mode in modes if set(mode) & set("wax+") and len(mode) < 4), None)


def test_nothing_but_the_storage_writes_to_disk() -> None:
    found = {}
    for path in ROOT.rglob("*.py"):
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        if not module.startswith("storage.") and (calls := list(writes(path.read_text(encoding="utf-8")))):
            found[module] = calls
    assert {module: calls for module, calls in found.items() if module not in ALLOWED} == {}
    assert set(ALLOWED) <= set(found), "a reason that nobody needs any more"


@pytest.mark.parametrize(
    "source",
    [
        "os.replace(a, b)", "os.open(a, b)", "Path(a).write_bytes(b)", "open(a, 'w')", "a.open('ab')",
        "open(a, mode='x')", "shutil.rmtree(a)", "a.unlink()",
    ],
)  # fmt: skip
def test_a_write_is_recognised(source: str) -> None:
    assert list(writes(source))


@pytest.mark.parametrize("source", ["open(a)", "a.open('rb')", "text.replace(a, b)", "os.stat(a)", "Image.open(a)"])
def test_what_only_reads_is_let_through(source: str) -> None:
    assert not list(writes(source))
