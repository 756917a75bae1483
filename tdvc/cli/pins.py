"""States that code in git refers to: pin."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tdvc.cli import output
from tdvc.cli.command import author, command, complete_revisions, given_place, json_option, open_repository
from tdvc.errors import Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.pins import CheckedPin, Pin
    from tdvc.repo.directory import Directory
    from tdvc.repo.repository import Repository

EXIT_DIFFERS = 1


@command(
    "tdvc pin pets-1 > data.tdvc.toml",
    "tdvc pin Pets@ -o ../code/data.tdvc.toml",
    "tdvc pin --check",
    "tdvc pin --check train.tdvc.toml val.tdvc.toml",
)
@click.argument("names", nargs=-1, metavar="[REV]|[FILE]...", shell_complete=complete_revisions)
@click.option("-o", "--output", "place", type=click.Path(path_type=Path), metavar="FILE", help="Write it to FILE.")
@click.option("--check", is_flag=True, help="Say whether the repository still holds what pins in FILEs say.")
@click.option("--absolute", is_flag=True, help="Name the repository by its whole path, which others may not have.")
@click.option("--name", metavar="NAME", help="Name the repository, and leave where it is to whoever uses the pin.")
@json_option
def pin(
    names: tuple[str, ...], place: Path | None, check: bool, absolute: bool, name: str | None, as_json: bool
) -> int:
    """Write down a state for git to keep beside the code.

    REV is a snapshot, a commit, or a directory without staged edits; the current directory where none is named. The
    repository is named by its path from the file, or from the current folder where the pin is printed.

    With --check, FILEs are pins, data.tdvc.toml where none is named. Exits with 1 where the repository does not hold
    what one of them says; -C says where it is, if not where the pin says.
    """
    if check:
        if place or absolute or name:
            raise Usage("bad-usage", "--check writes nothing: leave -o, --absolute and --name out.")
        return _check(names, as_json)
    if len(names) > 1 or (absolute and name):
        raise Usage("bad-usage", "Give one REV, and --absolute or --name.", hint="tdvc pin --help")
    from tdvc.ops.pins import pin as verb
    from tdvc.ops.pins import pin_text, write_pin

    start = place.absolute().parent if place else Path()
    found = verb(open_repository(), *names, start=start, where="absolute" if absolute else name or "")
    if place is not None:
        write_pin(found, place)
        return output.report(found, [f"{printable(str(place))}: {_title(found)}"], as_json)
    if not as_json:
        sys.stdout.write(pin_text(found))
        return 0
    return output.report(found, (), as_json)


def _title(pinned: Pin) -> str:
    what = f"{printable(pinned.directory)} {output.short_id(pinned.commit)}"
    counts = pinned.counts
    held = f"{output.plural(counts.files, 'file')}, {output.plural(counts.instances, 'instance')}"
    return f"{f'{printable(pinned.snapshot)}: ' if pinned.snapshot else ''}{what} ({held})"


def _check(files: Sequence[str], as_json: bool) -> int:
    from tdvc.ops.pins import PIN_FILE, check_pin

    repository = open_repository() if given_place() else None
    results = [check_pin(Path(file), repository) for file in files or (PIN_FILE,)]
    output.report(results, _check_lines(results), as_json)
    return EXIT_DIFFERS if any(result.code for result in results) else 0


def _check_lines(results: Sequence[CheckedPin]) -> Iterator[str]:
    for result in results:
        said = f"{printable(result.message)} [{result.code}]" if result.code or not result.pin else _title(result.pin)
        yield f"{printable(result.file)}: {said}"


def open_pinned(place: Path) -> tuple[Repository, Directory, Pin]:
    """What the pin in a file stands for, in the repository of -C or TDVC_DIR if there is one, else where it says."""
    from tdvc.ops.pins import open_pin, pinned_state, read_pin

    found = read_pin(place)
    if given_place():
        repository = open_repository()
        return repository, pinned_state(repository, found), found
    return *open_pin(found, place.absolute().parent, author=author()), found
