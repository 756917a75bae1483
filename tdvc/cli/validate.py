"""What is wrong with annotation: validate."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from tdvc.cli import output
from tdvc.cli.command import command, complete_revisions, dry_run_option, json_option, open_repository, where_option
from tdvc.cli.progress import Watch
from tdvc.errors import SchemaError, Usage
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.validating import Finding, Repair, ValidateResult

_REPORTED = 1000  # findings that a report for another tool has at least
_HINTS = 5  # of one rule, where nobody says how much is listed
_COLOURS = {"error": "red", "warning": "yellow", "hint": "cyan"}
_MILDEST_FIRST = ("hint", "warning", "error")


@command(
    "tdvc validate",
    "tdvc validate Train Val",
    "tdvc validate --rule zero-size --rule outside-picture --fix --dry-run",
    "tdvc validate --since Main@ --junit > report.xml",
)
@click.argument("revisions", nargs=-1, shell_complete=complete_revisions, metavar="[REV]...")
@json_option
@click.option("--sarif", "form", flag_value="sarif", help="Print SARIF 2.1.0, for code review.")
@click.option("--junit", "form", flag_value="junit", help="Print JUnit XML, for build servers.")
@click.option("--fix", is_flag=True, help="Repair what has one right answer, and show each change.")
@dry_run_option
@click.option(
    "--max", "limit", type=click.IntRange(min=0), default=100, show_default=True, metavar="N", help="List N findings."
)
@click.option("--rule", "rules", multiple=True, metavar="CODE", help="Only this rule; may be given several times.")
@click.option("--since", metavar="REV", help="Only files that differ from REV.", shell_complete=complete_revisions)
@where_option
@click.option("--deep", is_flag=True, help="Decode every picture in full.")
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
def validate(
    revisions: tuple[str, ...],
    as_json: bool,
    form: str | None,
    fix: bool,
    dry_run: bool,
    limit: int,
    rules: tuple[str, ...],
    since: str | None,
    where: str | None,
    deep: bool,
    strict: bool,
) -> int:
    """Find what is wrong with annotation.

    REV is a directory, snapshot or commit; the current directory where none is named. With several, a file that is in
    two of them is a leak. Rules, their severities and what is repaired are in docs/rules.md; tdvc config changes them.

    Errors are listed last, next to the sum. Of one rule's hints no more than five are listed, unless --max or --rule is
    given; --json, --sarif and --junit have them like all others.

    Exits with 21 where errors were found; warnings and hints do not fail. With --fix, what counts is what is left.
    """
    from tdvc.ops.validating import validate as verb
    from tdvc.ops.validating_fix import fix as fix_verb

    if fix and (since or where or deep or len(revisions) > 1):
        raise Usage("bad-usage", "--fix takes one directory, without --since, --where and --deep.")
    if dry_run and not fix:
        raise Usage("bad-usage", "--dry-run goes with --fix.")
    repository = open_repository()
    limit = max(limit, _REPORTED) if form else limit
    source = click.get_current_context().get_parameter_source("limit")
    folded = not rules and source is ParameterSource.DEFAULT
    with Watch() as progress:
        if fix:
            name = revisions[0] if revisions else None
            result = fix_verb(repository, name, rules=rules, limit=limit, dry_run=dry_run, progress=progress)
        else:
            narrowed = {"since": since, "where": where}
            result = verb(repository, revisions, rules=rules, limit=limit, **narrowed, deep=deep, progress=progress)
    if form:
        _print_report(result, form, strict)
    else:
        said = ["Nothing to repair."] if fix and not result.repairs else []
        repairs = (_repair_line(repair, dry_run) for repair in result.repairs)
        output.report(result, chain(repairs, _lines(result, folded=folded), said, [summary(result)]), as_json)
    return SchemaError.exit_code if result.errors or (strict and result.warnings) else 0


def _print_report(result: ValidateResult, form: str, strict: bool) -> None:
    from tdvc.cli.reports import junit, sarif

    if form == "sarif":
        output.report(sarif(result), (), True)
    else:
        output.write_lines(junit(result, strict=strict))


def _lines(result: ValidateResult, *, folded: bool) -> Iterator[str]:
    """The findings, the worst last, and how many of each rule there are."""
    from tdvc.model.rules import RULES

    listed = _by_rule(result, RULES)
    more = sum(result.counts.values()) - len(result.findings)
    for rule, findings in listed.items():
        shown = findings[:_HINTS] if folded and findings[0].severity == "hint" else findings
        yield from map(_finding_line, shown)
        if len(shown) < len(findings):
            unlisted = result.counts[rule] - len(shown)
            more -= result.counts[rule] - len(findings)
            yield f"… and {output.plural(unlisted, 'more hint', 'more hints')} of {rule} (--rule {rule} lists them)"
    if more:
        yield f"… and {more:,} more (--max lists more)"
    if result.counts:
        yield from (["", "Found:"] if listed else ["Found:"])
        rules = [*listed, *(code for code in result.counts if code not in listed)]
        rows = [(f"{result.counts[code]:,}", code, RULES[code].says) for code in rules]
        yield from (f"  {line}" for line in output.table(rows, right=(0,)))


def _by_rule(result: ValidateResult, order: Iterable[str]) -> dict[str, list[Finding]]:
    """The findings that are listed by rule, the worst rules last, else in the order of the rules."""
    found: dict[str, list[Finding]] = {code: [] for code in order}
    for finding in result.findings:
        found[finding.rule].append(finding)
    kept = [findings for findings in found.values() if findings]
    kept.sort(key=lambda findings: _MILDEST_FIRST.index(findings[0].severity))
    return {findings[0].rule: findings for findings in kept}


def summary(result: ValidateResult) -> str:
    """How much was checked and found, in one line."""
    checked = f"{output.plural(result.files, 'file')}, {output.plural(result.instances, 'instance')}"
    found = [
        output.plural(count, noun)
        for count, noun in ((result.errors, "error"), (result.warnings, "warning"), (result.hints, "hint"))
    ]
    return f"{printable(', '.join(result.revisions))}: {checked} checked: {', '.join(found)}."


def warn_of(checked: ValidateResult | None) -> None:
    """Say on standard error what a gate found that it let through; hints are not worth it."""
    if checked is not None and (checked.errors or checked.warnings):
        click.echo(f"{output.paint('warning', 'yellow', sys.stderr)}: {summary(checked)}", err=True)
        click.echo(f"{output.paint('hint', 'cyan', sys.stderr)}: tdvc validate lists them", err=True)


def _finding_line(finding: Finding) -> str:
    word = output.paint(finding.severity, _COLOURS[finding.severity])
    place = printable(finding.path or finding.directory)
    about = f" {printable(finding.label)}" if finding.label else ""
    about += f" ({finding.instance_id[: output.ID_DIGITS]})" if finding.instance_id else ""
    expected = f"; expected {printable(finding.expected)}" if finding.expected else ""
    fix = f" ({finding.fix}: --fix)" if finding.fix else ""
    return f"{word}: {place}{about}: {printable(finding.value)}{expected}{fix} [{finding.rule}]"


def _repair_line(repair: Repair, dry_run: bool) -> str:
    place = f"{printable(repair.path)} {printable(repair.label)} ({repair.instance_id[: output.ID_DIGITS]})"
    done = f"{repair.before} -> {repair.after}" if repair.after else f"removed {repair.before}"
    return f"{'would fix' if dry_run else 'fixed'}: {place}: {done} [{repair.rule}]"
