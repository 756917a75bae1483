"""Writes what in the documentation is a function of the code.

    python docs/generate.py     the same as `make docs`

The pages in `PAGES` are written whole, the terminal sessions of the pages in `SESSIONS` run anew (see `consoles`).
The tests do the same and compare, so a page that fell behind fails the build. Commands are rendered from click's own
objects and not from its help text, whose layout differs between its versions.
"""

from __future__ import annotations

import ast
import inspect
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from consoles import refreshed

import tdvc
from tdvc import errors
from tdvc.cli.main import COMMANDS
from tdvc.cli.main import tdvc as program
from tdvc.formats import FORMATS, format_named
from tdvc.model import rules
from tdvc.model.problems import PROBLEMS
from tdvc.model.schemajson import json_schema_text
from tdvc.ops import annotate
from tdvc.ops.findings import FINDINGS
from tdvc.ops.sample import make_sample
from tdvc.repo import config

HERE = Path(__file__).parent

EXIT_CODES = {
    0: "done",
    1: "an error; or, with `diff --exit-code`, differences; with `split --leaks`, leaks",
    2: "usage: the command line makes no sense",
    3: "finished, with problems that are listed",
    10: "no repository here or above",
    11: "another command held the repository's lock too long",
    20: "conflict: somebody else changed the same thing",
    21: "an annotation breaks a rule of its type or schema, or validation found errors",
    130: "interrupted (Ctrl-C); nothing is half done",
    141: "nobody reads the output any more",
}

CLI_HEAD = """# Commands

<!-- Written by docs/generate.py from the commands themselves; edit those and run `make docs`. -->

`tdvc COMMAND --help` shows the same. Options may stand anywhere; `--` ends them. Exit codes and errors are in
[errors.md](errors.md), and what a word means in the [glossary](glossary.md).

## How to name a state

| text | means |
|---|---|
| `Dogs` | the staged state of the directory Dogs |
| `Dogs@` | its last commit |
| `Dogs~2` | two commits before its last |
| `Dogs@{2026-11-01}` | its last commit at or before that moment (a date means its end, UTC) |
| `v1` | a snapshot |
| `3f2a9c1` | a commit, by at least 7 digits of its id |

`REV:PATH`, `REV:FOLDER` and `REV:GLOB` name files in a state. In a glob, `*` also crosses `/`.

## What the environment says

| variable | meaning |
|---|---|
| `TDVC_DIR` | where to look for the repository, as `--repository` |
| `TDVC_AUTHOR` | who commits, such as `Ada <ada@example.org>` |
| `TDVC_AUTHOR_NAME`, `TDVC_AUTHOR_EMAIL` | the same in two parts; without any of them, the name of the user |
| `TDVC_HOOK` | set by tdvc for a [hook](hooks.md), to its name; where it is set, no hooks run |
| `TDVC_NO_PROGRESS` | set: no progress is shown |
| `TDVC_DEBUG` | set: errors come with a traceback |
| `TDVC_REVISION` | set for the command that `tdvc bisect run` runs: the commit to judge |
| `TDVC_DURABILITY` | `none`: do not wait for the disk. For tests only: a power cut may then lose what was done |
| `NO_COLOR`, `FORCE_COLOR` | no colours; colours also where there is no terminal |

With `--json`, standard output holds one JSON document: an object, or an array where things are listed.
Problems are in it; an error is one JSON object on standard error. Keys are sorted and ids are hexadecimal.
"""

ERRORS_HEAD = """# Errors, exit codes and problems

<!-- Written by docs/generate.py from tdvc/errors.py and tdvc/model/problems.py; edit those and run `make docs`. -->

An **error** ends a command: one line that says what, where and what to try, and nothing is half done. In Python it is
a subclass of `tdvc.TdvcError` with `code`, `message`, `hint` and `fields`. Codes are never renamed or given another
meaning. What nobody expected is reported as `internal-error`, with a log file ready to paste and exit code 1.

A **problem** is one thing wrong with one record. It never stops a batch: the command goes on, lists it and ends with
exit code 3 where something was left out or is wrong (severity `error`), 0 where it is only worth knowing (`warning`).
"""

FORMATS_HEAD = """# Formats

<!-- Written by docs/generate.py from the modules in tdvc/formats; edit those and run `make docs`. -->

`tdvc import` finds out which one a source is; `--format` says so where it can't. What is left out of an import, and
why, is listed with one of the [problem codes](errors.md#problem-codes). [Engines](engines.md) says which of them
DuckDB, Polars, `datasets`, WebDataset and Ray read, and how only what changed is exported.
"""


def cli_page() -> str:
    """The reference of all commands, by section."""
    lines = [CLI_HEAD]
    for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
        lines.append(f"## {section}\n")
        for name, entry in COMMANDS.items():
            if entry.section == section:
                found = program.get_command(click.Context(program), name)
                lines += _command(f"tdvc {name}", found) if found else ()
    lines += ["## Options of tdvc itself\n", "They stand before the command.\n", *_options(program)]
    return "\n".join(lines).rstrip() + "\n"


def _command(title: str, command: click.Command) -> Iterator[str]:
    arguments = [found for found in command.params if isinstance(found, click.Argument)]
    yield f"### {title}\n"
    yield from _help(command.help or "")
    yield f"```\n{' '.join([title, '[OPTIONS]', *map(_argument, arguments)])}\n```\n"
    yield from _options(command)
    examples = [line.strip() for line in (command.epilog or "").splitlines()[2:]]
    if examples:
        yield "```sh\n" + "\n".join(examples) + "\n```\n"
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            yield from _command(f"{title} {name}", below)


def _help(text: str) -> Iterator[str]:
    """Paragraphs; one that begins with click's mark for lines as they are becomes a block of code."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        mark, _, rest = paragraph.partition("\n")
        if mark.strip() == "\b":
            yield f"```\n{inspect.cleandoc(rest)}\n```\n"
        else:
            yield paragraph.strip() + "\n"


def _argument(argument: click.Argument) -> str:
    name = argument.metavar or (argument.name or "").upper()
    if argument.metavar is None and argument.nargs == -1:
        name += "..."
    return name if argument.required or name.startswith("[") else f"[{name}]"


def _options(command: click.Command) -> Iterator[str]:
    options = [found for found in command.params if isinstance(found, click.Option) and not found.hidden]
    if options:
        yield "| option | meaning |"
        yield "|---|---|"
        yield from (f"| {_names(option)} | {_meaning(option)} |" for option in options)
        yield ""


def _names(option: click.Option) -> str:
    value = ""
    if not option.is_flag and not option.count:
        choices = getattr(option.type, "choices", None)
        value = " " + (option.metavar or ("\\|".join(choices) if choices else (option.name or "").upper()))
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts)) + (
        f" `{value[1:]}`" if value else ""
    )


def _meaning(option: click.Option) -> str:
    default = f" Default: `{option.default}`." if option.show_default and not option.is_flag else ""
    return (option.help or "").replace("|", "\\|") + default


def errors_page() -> str:
    """Every exit code, error code and problem code."""
    lines = [ERRORS_HEAD, "## Exit codes\n", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    lines += ["", "## Error codes\n", "| code | meaning | class | exit code |", "|---|---|---|---|"]
    raised = _classes_by_code()
    for code, meaning in sorted(errors.CODES.items()):
        classes = raised.get(code, [])
        exits = ", ".join(str(number) for number in sorted({found.exit_code for found in classes}))
        lines.append(f"| `{code}` | {meaning} | {', '.join(f'`{found.__name__}`' for found in classes)} | {exits} |")
    lines += ["", "## Problem codes\n", "| code | meaning |", "|---|---|"]
    lines += [f"| `{code}` | {meaning} |" for code, meaning in sorted(PROBLEMS.items())]
    lines += ["", "## Findings of fsck\n", "| code | severity | meaning | what follows, what to do |"]
    lines.append("|---|---|---|---|")
    lines += [
        f"| `{code}` | {kind.severity} | {kind.meaning} | {kind.follows} {kind.advice} |"
        for code, kind in sorted(FINDINGS.items())
    ]
    return "\n".join(lines) + "\n"


def _classes_by_code() -> dict[str, list[type[errors.TdvcError]]]:
    """Which classes are raised with which code, read from the source text."""
    found: dict[str, set[str]] = {}
    for file in Path(tdvc.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                for code in _texts(node.args[0]):
                    found.setdefault(code, set()).add(node.func.id)
    classes = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
    return {code: [classes[name] for name in sorted(names) if name in classes] for code, names in found.items()}


def _texts(node: ast.expr) -> list[str]:
    """The texts an argument can be: one, or either of a conditional."""
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def formats_page() -> str:
    """Every annotation format, told by its module."""
    lines = [FORMATS_HEAD]
    for name, reader in sorted((name, format_named(name)) for name in FORMATS):
        lines.append(f"## {reader.TITLE}: `{name}`\n")
        lines.append(inspect.cleandoc(_doc(reader)) + "\n")
        losses = "; ".join(reader.LOSES) or "nothing"
        written = "Read and written." if hasattr(reader, "write") else "Read only, so far."
        lines.append(f"{written} What tdvc knows and the format can't carry: {losses}.\n")
    lines.append("## Edits\n")
    lines.append(inspect.cleandoc(_doc(annotate)) + "\n")
    return "\n".join(lines).rstrip() + "\n"


RULES_HEAD = """# Rules

<!-- Written by docs/generate.py from tdvc/model/rules.py and tdvc/repo/config.py; edit those and run `make docs`. -->

What `tdvc validate` finds.
"""

CONFIG_HEAD = """## Settings

`tdvc config set KEY VALUE` changes one; `tdvc config list --all` shows them all. They are in `.tdvc/config.toml`, which
belongs to this repository alone.
"""


def rules_page() -> str:
    """Every rule of validation, and the settings that change them."""
    lines = [RULES_HEAD, _doc(rules).partition("\n\n")[2]]
    lines += ["| rule | usually | what it finds | `--fix` |", "|---|---|---|---|"]
    for code, rule in rules.RULES.items():
        lines.append(
            f"| `{code}` | {rule.severity} | {rule.says} | {'repairs it where that is safe' if rule.fixable else ''} |"
        )
    lines += ["", CONFIG_HEAD, _doc(config).rpartition("\n\n")[2]]
    lines += ["| setting | usually | what it is |", "|---|---|---|"]
    usual = config.values_of(config.Config())
    for key, meaning in config.MEANINGS.items():
        if not key.startswith("validate.rules."):
            value = usual[key]
            lines.append(f"| `{key}` | {value if isinstance(value, str) else f'{value:g}'} | {meaning} |")
    levels = ", ".join(f"`{name}`" for name in rules.SEVERITIES)
    lines.append(f"| `validate.rules.CODE` | as above | how bad what a rule finds is: {levels} |")
    return "\n".join(lines) + "\n"


def _doc(module: object) -> str:
    return module.__doc__ or ""


SESSIONS = ("../README.md", "schema.md", "tutorial.md", "tutorial-team.md")
"""Pages with terminal sessions."""

PAGES = {
    "cli.md": cli_page,
    "errors.md": errors_page,
    "formats.md": formats_page,
    "rules.md": rules_page,
    "schema.schema.json": json_schema_text,
}
"""File name to the function that makes its text."""


def refresh_sessions(file: Path) -> str:
    """The text of a page with the terminal sessions in it as they run now."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        make_sample(folder / "demo")
        return refreshed(file.read_text(encoding="utf-8"), folder)


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
    for name in SESSIONS:
        (HERE / name).write_text(refresh_sessions(HERE / name), encoding="utf-8")
