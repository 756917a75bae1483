"""Files that lie in git, checked without a repository: check."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import command, epilog, json_option
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.checking import CheckResult, FileFinding

EXIT_FOUND = 1

_files = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))


@click.group(epilog=epilog("tdvc check schema labels.toml", "tdvc check annotations --schema labels.toml boxes/*.xml"))
def check() -> int:
    """Check files without a repository.

    For files that git keeps beside code: .pre-commit-hooks.yaml runs these commands before a commit of git.
    """
    return 0


@command("tdvc check schema labels.toml", group=check)
@_files
@json_option
def schema(files: tuple[Path, ...], as_json: bool) -> int:
    """Say whether files are schemas that make sense.

    Exits with 1 where one of them is not.
    """
    from tdvc.ops.checking import check_schema

    return _report(check_schema(files), False, as_json)


@command(
    "tdvc check annotations --schema labels.toml boxes/*.xml",
    "tdvc check annotations --schema labels.toml --format yolo labels/*.txt",
    name="annotations",
    group=check,
)
@_files
@click.option(
    "--schema",
    "schema_file",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The schema that they are to fit.",
)
@click.option("--format", metavar="NAME", help="The format of all of them; found out for each where it is not named.")
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
@json_option
def annotations_(files: tuple[Path, ...], schema_file: Path, format: str | None, strict: bool, as_json: bool) -> int:
    """Say whether annotation files fit a schema.

    Each FILE is checked for itself, also one of a format that is a folder of files; a folder is one source. What
    needs pictures or other files is left to tdvc validate. Coordinates of a YOLO file are told for a picture of 1,000
    x 1,000 pixels, and its classes are the indexes of the schema's labels.

    Exits with 1 where errors were found.
    """
    from tdvc.ops.checking import check_annotations

    return _report(check_annotations(schema_file, files, format=format), strict, as_json)


def _report(result: CheckResult, strict: bool, as_json: bool) -> int:
    output.report(result, _lines(result), as_json)
    return EXIT_FOUND if result.errors or (strict and result.warnings) else 0


def _lines(result: CheckResult) -> Iterator[str]:
    yield from map(_line, result.findings)
    found = result.errors + result.warnings
    if found > len(result.findings):
        yield f"… and {found - len(result.findings):,} more"


def _line(finding: FileFinding) -> str:
    place = ":".join(printable(part) for part in (finding.file, finding.record) if part)
    word = f"{output.paint('warning', 'yellow', sys.stdout)}: " if finding.severity == "warning" else ""
    return f"{place}: {word}{printable(finding.message)} [{finding.code}]"
