"""Joining what two people did: merge, conflicts, resolve."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from tdvc.cli import output
from tdvc.cli.command import (
    command,
    complete_revisions,
    directory_option,
    dry_run_option,
    hooks_of,
    json_option,
    no_verify_option,
    open_repository,
)
from tdvc.cli.validate import warn_of
from tdvc.errors import Conflict, Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.mergeplan import FileDisagreement
    from tdvc.ops.merging import AbortResult, MergeResult
    from tdvc.ops.picking import PickResult
    from tdvc.ops.resolving import ResolveResult
    from tdvc.repo.merge import MergeConflict

_SHOWN = 20
_INSTANCE_DIGITS = 8


@command(
    "tdvc merge Alice",
    "tdvc merge v2 -d Pets -m 'Joined the night shift'",
    "tdvc merge Bob --match iou:0.6",
    "tdvc merge --abort",
)
@click.argument("revision", required=False, shell_complete=complete_revisions)
@directory_option
@click.option("-m", "--message", metavar="TEXT", help="What the merge commit says; else that it is one.")
@click.option("--no-commit", is_flag=True, help="Leave the result staged; the next commit ends the merge.")
@click.option("--match", metavar="iou[:MIN]", help="Pair instances that share no id by their overlap.")
@click.option("--abort", is_flag=True, help="Give up the merge that is under way.")
@click.option("--continue", "go_on", is_flag=True, help="Commit the merge that is under way; as tdvc commit.")
@no_verify_option
@dry_run_option
@json_option
def merge(
    revision: str | None,
    directory: str | None,
    message: str | None,
    no_commit: bool,
    match: str | None,
    abort: bool,
    go_on: bool,
    no_verify: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Join what was done elsewhere into a directory.

    REVISION is a directory, commit or snapshot; what changed there since the two last had something in common is
    brought into the directory, and committed. Where both sides changed one thing differently the directory keeps its
    own, the conflicts are listed (exit code 20), and the merge ends with tdvc resolve and tdvc commit.

    With --match, two people's independent labels of one picture are joined: what overlaps is one object, and what they
    see differently is listed.
    """
    if [revision is not None, abort, go_on].count(True) != 1:
        raise Usage("bad-usage", "Give one of REVISION, --abort and --continue.", hint="tdvc merge --help")
    if abort:
        return _abort(directory, as_json)
    if go_on or revision is None:
        return _continue(directory, message, as_json, verify=not no_verify)
    from tdvc.cli.diff import overlap_of
    from tdvc.ops.merging import MergeOptions
    from tdvc.ops.merging import merge as verb

    repository = open_repository()
    hooks = hooks_of(repository)
    options = MergeOptions(message, not no_commit, overlap_of(match), not no_verify, dry_run, hooks)
    result = verb(repository, revision, directory, options)
    warn_of(result.checked)
    output.report(result, _merge_lines(result, options), as_json)
    return Conflict.exit_code if result.conflicts else 0


def _abort(directory: str | None, as_json: bool) -> int:
    from tdvc.ops.merging import abort_merge

    result: AbortResult = abort_merge(open_repository(), directory)
    name, restored = printable(result.directory), output.plural(result.restored_files, "file")
    line = f"The merge of {printable(result.revision)} is given up; {name} is as it was ({restored} brought back)."
    return output.report(result, [line], as_json)


def _continue(directory: str | None, message: str | None, as_json: bool, *, verify: bool) -> int:
    from tdvc.cli.history import commit_lines
    from tdvc.ops.committing import commit as verb
    from tdvc.ops.merging import merge_message

    repository = open_repository()
    said = message or merge_message(repository, directory)
    result = verb(repository, said, directory, verify=verify, hooks=hooks_of(repository))
    warn_of(result.checked)
    return output.report(result, commit_lines(result, said), as_json)


def _merge_lines(result: MergeResult, options: Any) -> Iterator[str]:
    name, revision = printable(result.directory), printable(result.revision)
    if result.up_to_date:
        yield f"{name} has everything that {revision} has: nothing to do."
        return
    yield f"{revision} -> {name}{' (dry run)' if options.dry_run else ''}"
    facts = [
        ("added", result.added_files, "file"),
        ("removed", result.removed_files, "file"),
        ("moved", result.moved_files, "file"),
        ("changed", result.changed_files, "file"),
        ("matched", result.matched_instances, "instance"),
        ("disagreed", len(result.disagreements), "object"),
    ]
    rows = [(word, *output.counted(count, noun)) for word, count, noun in facts if count]
    yield from (f"  {line}" for line in output.table(rows, counts=(1,)))
    yield from _some([_disagreement_line(found) for found in result.disagreements], "--json lists all")
    if result.conflicts:
        yield from conflict_summary(result)
    elif result.commit:
        yield f"Committed as {output.short_id(result.commit)}."
    elif not options.dry_run:
        yield f"Staged: tdvc commit -d {name} ends the merge."


def conflict_summary(result: MergeResult | PickResult) -> Iterator[str]:
    """How many conflicts are left, and the first of them."""
    name, count = printable(result.directory), output.plural(len(result.conflicts), "conflict")
    yield f"{count}; {name} keeps its own side until they are resolved (tdvc resolve, then tdvc commit):"
    yield from _some(list(_conflict_lines(result.conflicts)), f"tdvc conflicts -d {name}")


def _some(lines: Sequence[str], rest: str) -> Iterator[str]:
    yield from (f"  {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"  … and {len(lines) - _SHOWN:,} more ({rest})"


def _disagreement_line(found: FileDisagreement) -> str:
    ours, theirs = (str(side["label"]) if side else "" for side in (found.ours, found.theirs))
    if found.kind == "label":
        return f"{printable(found.path)}: {printable(ours)} or {printable(theirs)}, overlap {found.overlap:.2f}"
    who = "ours" if found.ours else "theirs"
    return f"{printable(found.path)}: {printable(ours or theirs)} in {who} alone"


@command("tdvc conflicts", "tdvc conflicts -d Pets --json")
@directory_option
@json_option
def conflicts(directory: str | None, as_json: bool) -> int:
    """List what a merge left to be decided.

    Each conflict goes by its address, which tdvc resolve takes, and shows what was there before, what the directory
    has, and what the other side has.
    """
    from tdvc.ops.merging import conflicts as verb

    result = verb(open_repository(), directory)
    count = output.plural(len(result.conflicts), "conflict")
    heading = f"{printable(result.revision)} -> {printable(result.directory)}: {count}"
    return output.report(result, [heading, *_conflict_lines(result.conflicts)], as_json)


def _conflict_lines(found: Iterable[MergeConflict]) -> list[str]:
    rows = [(_address(conflict), *(_side(conflict, name) for name in ("base", "ours", "theirs"))) for conflict in found]
    return output.table(rows)


def _address(conflict: MergeConflict) -> str:
    shown = conflict.address
    if conflict.instance_id:
        shown = f"{conflict.path}#{conflict.instance_id[:_INSTANCE_DIGITS]}.{conflict.field}"
    return printable(shown)


def _side(conflict: MergeConflict, name: str) -> str:
    from tdvc.cli.difftext import short_value

    side = getattr(conflict, name)
    if side is None:
        return f"{name}: -"
    value = json.loads(bytes(side))
    if conflict.field in ("presence", "path") and isinstance(value, dict):
        value = f"{value['label']} {value['type']}" if conflict.instance_id else "the file"
    elif conflict.field == "geometry":
        value = value["geometry"]
    elif conflict.field == "bytes":
        value = output.short_id(value["blob"])
    elif conflict.field == "complete":
        value = value["complete"]
    return f"{name}: {short_value(value)}"


@command(
    "tdvc resolve night/0001.jpg --theirs",
    "tdvc resolve 'night/*#3f2a9c1d.label' --with '\"cat\"'",
    "tdvc resolve --all --ours",
)
@click.argument("addresses", nargs=-1, metavar="[PATH[#INSTANCE[.FIELD]]]...")
@directory_option
@click.option("--ours", is_flag=True, help="Keep what the directory has.")
@click.option("--theirs", is_flag=True, help="Take the other side.")
@click.option("--base", is_flag=True, help="Go back to what both began with.")
@click.option("--both", is_flag=True, help="Keep both versions of an instance.")
@click.option("--with", "value", metavar="JSON", help="Have this instead.")
@click.option("--all", "everything", is_flag=True, help="All conflicts that are left.")
@dry_run_option
@json_option
def resolve(
    addresses: tuple[str, ...],
    directory: str | None,
    ours: bool,
    theirs: bool,
    base: bool,
    both: bool,
    value: str | None,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Decide conflicts of a merge.

    Conflicts are named as tdvc conflicts prints them; a path, folder or glob means all below it, and an instance goes
    by the first digits of its id. --both keeps theirs beside ours under a new id. When none is left, tdvc commit ends
    the merge.
    """
    sides = {"ours": ours, "theirs": theirs, "base": base, "both": both, "with": value is not None}
    take = [side for side, wanted in sides.items() if wanted]
    if len(take) != 1:
        raise Usage("bad-usage", "Give one of --ours, --theirs, --base, --both and --with.")
    if everything == bool(addresses):
        raise Usage("bad-usage", "Name conflicts, or give --all.", hint="tdvc conflicts")
    from tdvc.ops.resolving import resolve as verb

    result = verb(open_repository(), addresses, directory, take=take[0], value=value, dry_run=dry_run)
    return output.report(result, [_resolved_line(result)], as_json)


def _resolved_line(result: ResolveResult) -> str:
    done, name = output.plural(result.resolved_conflicts, "conflict"), printable(result.directory)
    if result.left_conflicts:
        return f"{name}: {done} resolved, {result.left_conflicts:,} left."
    return f"{name}: {done} resolved, none left; tdvc commit -d {name} ends the merge."
