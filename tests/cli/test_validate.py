"""validate and config on the command line: the wiring, and the reports for other tools."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from tdvc.cli.reports import junit, sarif
from tdvc.model.rules import RULES
from tdvc.ops.validating import Finding, ValidateResult

FLAT, OUTSIDE = "f0" * 16, "a0" * 16


@pytest.fixture
def wrong(tdvc, tmp_path):
    """A picture with a box of no size, one that leaves it and one that ends at its far edge; committed."""
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (100, 80)).save(tmp_path / "photos" / "a b.png")
    edits = [
        {"instance_id": FLAT, "label": "dog", "type": "box", "geometry": [5, 5, 5, 9]},
        {"instance_id": OUTSIDE, "label": "dog", "type": "box", "geometry": [-2, 5, 50, 60]},
        {"instance_id": "e0" * 16, "label": "cat", "type": "box", "geometry": [20, 20, 100, 60]},
    ]
    lines = [json.dumps({"op": "add", "path": "a b.png", "instance": instance}) for instance in edits]
    (tmp_path / "edits.jsonl").write_text("\n".join(lines))
    for arguments in (["init", "-d", "Pets"], ["add", "photos"], ["annotate", "edits.jsonl"]):
        assert tdvc(*arguments).code == 0
    return tdvc


def test_validate(wrong):
    ran = wrong("validate")
    assert (ran.code, ran.err) == (21, "")
    assert ran.out.splitlines() == [
        "hint: a b.png cat (e0e0e0e0e0e0): [20,20,100,60]; expected a picture of 100 x 80 px [far-edge]",
        "error: a b.png dog (f0f0f0f0f0f0): [5,5,5,9]; expected an area above 0 [zero-size]",
        "error: a b.png dog (a0a0a0a0a0a0): [-2,5,50,60] leaves it by 2 px at the left; "
        "expected a picture of 100 x 80 px (clamp it to the picture: --fix) [outside-picture]",
        "",
        "Found:",
        f"  1  far-edge         {RULES['far-edge'].says}",
        f"  1  zero-size        {RULES['zero-size'].says}",
        f"  1  outside-picture  {RULES['outside-picture'].says}",
        "Pets: 1 file, 3 instances checked: 2 errors, 0 warnings, 1 hint.",
    ]


def test_validate_in_short(wrong):
    ran = wrong("validate", "--max", "1", "--rule", "zero-size", "--rule", "far-edge")
    assert ran.out.splitlines()[1] == "… and 1 more (--max lists more)"
    assert wrong("validate", "--rule", "far-edge").code == 0


@pytest.fixture
def many_hints(wrong, tmp_path):
    """As `wrong`, with nine boxes at the far edge and not one."""
    instances = [{"label": "cat", "type": "box", "geometry": [20, 21 + row, 100, 60]} for row in range(8)]
    lines = [json.dumps({"op": "add", "path": "a b.png", "instance": instance}) for instance in instances]
    (tmp_path / "more.jsonl").write_text("\n".join(lines))
    assert wrong("annotate", "more.jsonl").code == 0
    return wrong


def test_hints_of_one_rule_leave_room_for_errors(many_hints):
    lines = many_hints("validate").out.splitlines()
    assert [line.partition(":")[0] for line in lines[:5]] == ["hint"] * 5
    assert lines[5] == "… and 4 more hints of far-edge (--rule far-edge lists them)"
    assert [line.partition(":")[0] for line in lines[6:9]] == ["error", "error", ""]
    assert len(lines) == 14
    assert lines[-1].endswith("2 errors, 0 warnings, 9 hints.")


@pytest.mark.parametrize(
    ("arguments", "listed", "more"),
    [
        (["--rule", "far-edge"], 9, None),
        (["--max", "100"], 11, None),
        (["--max", "4"], 4, "… and 7 more (--max lists more)"),
        (["--max", "0"], 0, "… and 11 more (--max lists more)"),
    ],
)
def test_whoever_says_how_much_is_listed_gets_it(many_hints, arguments, listed, more):
    lines = many_hints("validate", *arguments).out.splitlines()
    assert sum(line.startswith(("hint: ", "error: ")) for line in lines) == listed
    assert [line for line in lines if line.startswith("…")] == ([more] if more else [])


def test_warnings_are_not_folded(many_hints):
    many_hints("config", "set", "validate.rules.far-edge", "warning")
    assert many_hints("validate").out.count("warning: a b.png") == 9


def test_reports_have_every_hint(many_hints):
    assert len(many_hints("validate", "--json").json["findings"]) == 11
    assert len(many_hints("validate", "--sarif").json["runs"][0]["results"]) == 11
    assert many_hints("validate", "--junit").out.count("20,2") == 9


def test_warnings_fail_where_that_is_asked_for(wrong):
    wrong("config", "set", "validate.rules.far-edge", "warning")
    assert wrong("validate", "--rule", "far-edge").code == 0
    assert wrong("validate", "--rule", "far-edge", "--strict").code == 21


def test_validate_as_json(wrong):
    answer = wrong("validate", "--json").json
    assert (answer["errors"], answer["counts"]["zero-size"], answer["files"]) == (2, 1, 1)
    assert answer["findings"][0] == {
        "directory": "Pets",
        "expected": "an area above 0",
        "fix": "",
        "instance_id": FLAT,
        "label": "dog",
        "path": "a b.png",
        "picture": [100.0, 80.0],
        "rule": "zero-size",
        "severity": "error",
        "value": "[5,5,5,9]",
    }


def test_fix(wrong):
    planned = wrong("validate", "--fix", "--dry-run")
    line = "a b.png dog (a0a0a0a0a0a0): [-2,5,50,60] -> [0,5,50,60] [outside-picture]"
    assert planned.out.splitlines()[0] == f"would fix: {line}"
    ran = wrong("validate", "--fix")
    assert ran.out.splitlines()[0] == f"fixed: {line}"
    assert (ran.code, ran.out.splitlines()[-1]) == (
        21,
        "Pets: 1 file, 3 instances checked: 1 error, 0 warnings, 1 hint.",
    )
    assert wrong("validate", "--rule", "outside-picture").code == 0
    for arguments in (["--fix"], ["--fix", "--dry-run"]):
        again = wrong("validate", *arguments)
        assert again.out.splitlines()[-2] == "Nothing to repair."
    assert "repair" not in wrong("validate").out


@pytest.mark.parametrize(
    "arguments",
    [["--fix", "--since", "Pets"], ["--fix", "Pets", "Pets"], ["--dry-run"], ["--rule", "zero"], ["--fix", "--deep"]],
)
def test_options_that_make_no_sense(wrong, arguments):
    assert wrong("validate", *arguments).code == 2


def test_commit_is_stopped_with_21_and_goes_ahead_without_verifying(wrong):
    assert wrong("config", "set", "validate.on_commit", "error").out == "validate.on_commit = error\n"
    ran = wrong("commit", "-m", "First")
    assert (ran.code, ran.out) == (21, "")
    assert ran.err.splitlines() == [
        "error: Validation found 2 errors in Pets, such as zero-size in a b.png; there was no commit.",
        "hint: tdvc validate Pets lists them; --no-verify goes ahead all the same.",
    ]
    assert wrong("commit", "-m", "First", "--no-verify").code == 0
    wrong("config", "set", "validate.on_snapshot", "error")
    assert wrong("snapshot", "Pets", "v1").code == 21
    assert wrong("snapshot", "Pets", "v1", "--no-verify").code == 0


def test_a_gate_that_only_warns_says_so(wrong):
    wrong("config", "set", "validate.on_commit", "warn")
    ran = wrong("commit", "-m", "First")
    assert ran.code == 0
    assert ran.err == (
        "warning: Pets: 1 file, 3 instances checked: 2 errors, 0 warnings, 1 hint.\nhint: tdvc validate lists them\n"
    )


def test_an_error_of_the_gate_is_json_as_well(wrong):
    wrong("config", "set", "validate.on_commit", "error")
    failure = json.loads(wrong("commit", "-m", "First", "--json").err)["error"]
    assert (failure["code"], failure["fields"]["counts"]["zero-size"]) == ("validation-failed", 1)
    assert failure["fields"]["findings"][0]["instance_id"] == FLAT


def test_config(tdvc):
    tdvc("init")
    assert tdvc("config", "list").out == tdvc("config").out == "Every setting is as usual; --all lists them.\n"
    assert tdvc("config", "set", "validate.tiny_px", "4").code == 0
    assert tdvc("config", "get", "validate.tiny_px").out == "4\n"
    assert tdvc("config", "list").out == ("validate.tiny_px  4  a shape with a shorter side is tiny, in pixels\n")
    assert len(tdvc("config", "list", "--all", "--json").json) > len(RULES)
    assert tdvc("config", "get", "nothing").code == 2
    assert tdvc("config", "set", "validate.on_commit", "stop").code == 1


# reports for other tools

FINDINGS = [
    Finding("zero-size", "error", "Pets", "dög & cat/<1>.png", FLAT, "dog", "[5,5,5,5]", "an area above 0"),
    Finding("size-differs", "warning", "Pets", "b.png", value="1 x 2 px", expected='3 x 4 px, "said"'),
    Finding("imbalance", "hint", "Pets", label="c\x01at", value="1 of 900"),
]


def result() -> ValidateResult:
    counts = {finding.rule: 1 for finding in FINDINGS}
    return ValidateResult(("Pets",), 2, 900, 1, 1, 1, counts, FINDINGS)


def test_sarif_has_what_the_standard_requires():
    """Source: SARIF 2.1.0, sections 3.13 (log), 3.14 (run), 3.18 to 3.19 (tool), 3.27 (result), 3.49 (rule)."""
    log = sarif(result())
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "tdvc"
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    assert all(rule["shortDescription"]["text"] for rule in driver["rules"])
    levels = {"none", "note", "warning", "error"}
    assert {rule["defaultConfiguration"]["level"] for rule in driver["rules"]} <= levels
    assert [one["level"] for one in run["results"]] == ["error", "warning", "note"]
    for one in run["results"]:
        assert one["message"]["text"]
        assert ids[one["ruleIndex"]] == one["ruleId"]
        for location in one.get("locations", []):
            assert location["physicalLocation"]["region"]["startLine"] >= 1
            assert location["physicalLocation"]["artifactLocation"]["uri"].isascii()
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "d%C3%B6g%20%26%20cat/%3C1%3E.png"
    assert "locations" not in run["results"][2]
    json.dumps(log)


@pytest.mark.parametrize(("strict", "failed"), [(False, {"zero-size"}), (True, {"zero-size", "size-differs"})])
def test_junit_has_a_test_for_every_rule(strict, failed):
    root = ET.parse(io.StringIO("\n".join(junit(result(), strict=strict)))).getroot()
    (suite,) = root
    assert (root.tag, suite.tag, suite.get("name")) == ("testsuites", "testsuite", "Pets")
    cases = {case.get("name"): case for case in suite}
    assert cases.keys() == RULES.keys()
    assert (int(suite.get("tests")), int(suite.get("failures"))) == (len(RULES), len(failed))
    assert {name for name, case in cases.items() if case.find("failure") is not None} == failed
    assert "dög & cat/<1>.png" in cases["zero-size"].find("failure").text
    assert "imbalance" in cases
    assert cases["imbalance"].find("system-out") is not None


def test_reports_are_printed(wrong):
    ran = wrong("validate", "--sarif", "--max", "0")
    assert (ran.code, len(ran.json["runs"][0]["results"])) == (21, 3)
    ran = wrong("validate", "--junit")
    assert ran.code == 21
    assert ET.fromstring(ran.out)[0].get("failures") == "2"
