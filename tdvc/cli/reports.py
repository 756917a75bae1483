"""What validation found, in the formats that other tools read: SARIF for code review, JUnit XML for build servers.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; the XML that Ant's JUnit task writes
and build servers read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from tdvc import __version__
from tdvc.model.rules import RULES
from tdvc.names import printable

if TYPE_CHECKING:
    from tdvc.ops.validating import Finding, ValidateResult

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"error": "error", "warning": "warning", "hint": "note", "off": "none"}


def sentence(finding: Finding) -> str:
    """A finding in one sentence, without where it is."""
    said = f": {finding.value}" if finding.value else ""
    expected = f"; expected {finding.expected}" if finding.expected else ""
    return printable(f"{RULES[finding.rule].says}{said}{expected}")


def sarif(result: ValidateResult) -> dict[str, Any]:
    """The findings as a SARIF log."""
    codes = list(result.counts)
    return {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "tdvc", "version": __version__, "rules": [_rule(code) for code in codes]}},
                "results": [_result(finding, codes.index(finding.rule)) for finding in result.findings],
                "properties": {"counts": result.counts, "files": result.files, "instances": result.instances},
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    rule = RULES[code]
    return {
        "id": code,
        "shortDescription": {"text": rule.says},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, position: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": position,
        "level": _LEVELS[finding.severity],
        "message": {"text": sentence(finding)},
        "properties": {"directory": finding.directory, "label": finding.label},
    }
    location: dict[str, Any] = {}
    if finding.path:
        location["physicalLocation"] = {"artifactLocation": {"uri": quote(finding.path)}, "region": {"startLine": 1}}
    if finding.instance_id:
        location["logicalLocations"] = [{"name": finding.instance_id, "kind": "object"}]
        found["partialFingerprints"] = {"instance/v1": f"{finding.rule}:{finding.instance_id}"}
    return found | ({"locations": [location]} if location else {})


def junit(result: ValidateResult, *, strict: bool = False) -> Iterator[str]:
    """The findings as lines of JUnit XML: one suite a state, one test a rule, so that tests keep their names."""
    failing = {"error", "warning"} if strict else {"error"}
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<testsuites>"
    for name in dict.fromkeys(result.revisions):
        found = [finding for finding in result.findings if finding.directory == name]
        failed = {finding.rule for finding in found if finding.severity in failing}
        title = quoteattr(printable(name))
        yield f'  <testsuite name={title} tests="{len(RULES)}" failures="{len(failed)}" errors="0" skipped="0">'
        for code in RULES:
            listed = [finding for finding in found if finding.rule == code]
            yield from _case(code, title, listed, code in failed)
        yield "  </testsuite>"
    yield "</testsuites>"


def _case(code: str, suite: str, findings: list[Finding], failed: bool) -> Iterator[str]:
    yield f"    <testcase classname={suite} name={quoteattr(code)}{'>' if findings else '/>'}"
    if findings:
        tag = "failure" if failed else "system-out"
        about = f" type={quoteattr(findings[0].severity)} message={quoteattr(RULES[code].says)}" if failed else ""
        lines = (f"{printable(finding.path)} {finding.instance_id}: {sentence(finding)}" for finding in findings)
        yield f"      <{tag}{about}>{escape(chr(10).join(lines))}</{tag}>"
        yield "    </testcase>"
