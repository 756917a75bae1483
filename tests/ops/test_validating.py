"""Every rule finds what it is for, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tdvc.errors import FormatError, NotFound, Usage
from tdvc.ids import NO_ID, FileId, Kind, ObjectId
from tdvc.model.attributes import ANSWER_PROBLEMS
from tdvc.model.masks import encode_rle
from tdvc.model.records import make_instance
from tdvc.model.rules import RULES, SEVERITIES
from tdvc.model.schema import Attribute, Label, Option, Schema
from tdvc.ops.configuring import set_config
from tdvc.ops.importing import import_
from tdvc.ops.validating import Finding, ValidateResult, validate
from tdvc.repo.config import NAME
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tests.ops.bloodcells import write_picture, write_set
from tests.ops.build import box, fails, identity
from tests.ops.test_pictures import encoded

PICTURE = encoded("PNG", (100, 80))
QUIET = ("unlabelled", "far-edge", "imbalance")


def put(
    repository: Repository,
    path: str = "a.png",
    instances: Iterable[Mapping[str, Any]] = (),
    *,
    content: bytes = PICTURE,
    raw: bytes = b"",
    directory: str = "Main",
    **state: Any,
) -> FileState:
    """A file, as a picture of 100 x 80 px; `raw` writes an instance set as it is."""
    with repository.transaction("put") as edit:
        if not edit.knows_directory(directory):
            edit.create_directory(directory)
        blob = edit.writer.put(Kind.BLOB, content)
        found, count = edit.write_instances([make_instance(fields) for fields in instances])
        if raw:
            found, count = edit.writer.put(Kind.INSTANCES, raw), raw.count(b"\n")
            edit.learn_classes("test", {"dog": {}})
        file_id = edit.fresh_ids(directory, [(path, blob)])[0]
        made = FileState(file_id, blob, len(content), found, count, media_type=b"image/png")._replace(**state)
        edit.put(directory, path, made)
    return made


def found(repository: Repository, *revisions: str, **options: Any) -> dict[str, int]:
    """Counts by rule, without what every small example has."""
    counts = validate(repository, revisions, **options).counts
    return {code: count for code, count in counts.items() if code not in QUIET}


def only(result: ValidateResult, rule: str) -> Finding:
    findings = [finding for finding in result.findings if finding.rule == rule]
    assert len(findings) == result.counts[rule] == 1
    return findings[0]


def polygon(*points: float) -> dict[str, Any]:
    return {"label": "dog", "type": "polygon", "geometry": [[list(points)]]}


def shape(name: str, geometry: Any) -> dict[str, Any]:
    return {"label": "dog", "type": name, "geometry": geometry}


GOOD = [
    box(at=(0, 0, 100, 80)),
    box(at=(20, 20, 40, 60, 45)),
    box(at=(-0.005, 0, 100.009, 80)),
    polygon(0, 0, 100, 0, 100, 80, 0, 80),
    shape("polyline", [1, 1, 2, 2]),
    shape("point", [100, 80]),
    shape("keypoints", [1, 1, 0, 2, 2, 2]),
    shape("keypoints", [0, 0, 0]),
    shape("ellipse", [50, 40, 50, 40]),
    shape("cuboid", [1, 1, 9, 1, 9, 9, 1, 9, 2, 2, 8, 2, 8, 8, 2, 8]),
    shape("curve", [1, 1, 5, 5, 9, 1]),
    shape("mask", encode_rle(np.ones((80, 100)))),
    shape("text_span", [1, 5]),
    shape("time_span", [0.5, 2]),
    {"label": "dog", "type": "tag"},
    box(score=0.5),
]


@pytest.mark.parametrize("instance", GOOD, ids=lambda one: one["type"])
def test_what_is_right_is_let_pass(repository: Repository, instance: Mapping[str, Any]) -> None:
    put(repository, instances=[instance])
    assert found(repository) == {}


BAD: list[tuple[str, Mapping[str, Any]]] = [
    ("zero-size", box(at=(5, 5, 5, 5))),
    ("zero-size", box(at=(5, 5, 5, 9))),
    ("zero-size", box(at=(5, 5, 9, 5, 45))),
    ("zero-size", polygon(1, 1, 5, 5, 9, 9)),
    ("zero-size", shape("ellipse", [50, 40, 0, 40])),
    ("zero-size", shape("mask", encode_rle(np.zeros((80, 100))))),
    ("too-few-points", polygon(1, 1, 1, 1, 1, 1)),
    ("too-few-points", polygon(1, 1, 9, 9, 1, 1)),
    ("too-few-points", shape("polyline", [1, 1, 1, 1])),
    ("self-crossing", polygon(0, 0, 40, 40, 40, 0, 0, 40, -0, 20)),
    ("outside-picture", box(at=(-1, 0, 50, 50))),
    ("outside-picture", box(at=(0, -0.02, 50, 50))),
    ("outside-picture", box(at=(0, 0, 100.5, 50))),
    ("outside-picture", box(at=(0, 0, 50, 81))),
    ("outside-picture", box(at=(0, 0, 100, 80, 45))),
    ("outside-picture", polygon(0, 0, 101, 0, 101, 80, 0, 80)),
    ("outside-picture", shape("point", [100.02, 80])),
    ("outside-picture", shape("ellipse", [50, 40, 51, 10])),
    ("mask-size", shape("mask", {"counts": "011", "size": [2, 1]})),
    ("tiny", box(at=(5, 5, 6, 60))),
    ("tiny", polygon(5, 5, 6, 5, 6, 60)),
    ("far-edge", box(at=(5, 5, 100, 60))),
    ("far-edge", box(at=(5, 5, 60, 80))),
]


@pytest.mark.parametrize(("rule", "instance"), BAD, ids=[f"{rule} {at}" for at, (rule, _) in enumerate(BAD)])
def test_a_bad_shape_is_found_by_its_rule(repository: Repository, rule: str, instance: Mapping[str, Any]) -> None:
    put(repository, instances=[{**instance, "instance_id": identity(7)}, box(at=(1, 1, 9, 9))])
    result = validate(repository, rules=[rule])
    finding = only(result, rule)
    assert (finding.path, finding.instance_id, finding.label) == ("a.png", identity(7), "dog")
    assert (finding.severity, finding.directory) == (RULES[rule].severity, "Main")
    assert finding.value
    assert finding.expected
    others = {code for code in found(repository) if RULES[code].severity == "error"} - {rule}
    assert others <= {"mask-size"}


def line(geometry: str, name: str = "box", number: int = 1, more: str = "") -> bytes:
    fields = f'"geometry":{geometry},"instance_id":"{identity(number)}","label":"dog"{more},"type":"{name}"'
    return f"{{{fields}}}\n".encode()


@pytest.mark.parametrize(
    ("rule", "raw"),
    [
        ("negative-size", line("[9,9,1,1]")),
        ("negative-size", line("[1,9,9,1]")),
        ("negative-size", line("[50,50,-5,5]", "ellipse")),
        ("malformed-geometry", line("[1,2,3]")),
        ("malformed-geometry", line("[[[1,2,3,4]]]", "polygon")),
        ("malformed-geometry", line("null", "sphere")),
        ("malformed-geometry", line("[1e999,2,3,4]")),
        ("not-finite", line("[1,2,30,40]", more=',"score":1e999')),
        ("annotation-damaged", b'{"no":"instance"}\n'),
        ("annotation-damaged", b"not JSON\n"),
    ],
)
def test_what_came_past_the_gate_is_found_all_the_same(repository: Repository, rule: str, raw: bytes) -> None:
    put(repository, raw=raw)
    put(repository, "b.png", [box()], content=encoded("PNG", (90, 80)))
    assert set(found(repository)) - {"tiny"} == {rule}


def test_thresholds_and_severities_are_the_repositorys(repository: Repository) -> None:
    put(repository, instances=[box(at=(5, 5, 8, 60)), box(at=(-2, 1, 8, 60))])
    assert found(repository) == {"outside-picture": 1}
    set_config(repository, "validate.tiny_px", "4")
    set_config(repository, "validate.outside_px", "3")
    assert found(repository) == {"tiny": 1}
    set_config(repository, "validate.rules.tiny", "error")
    result = validate(repository)
    assert (result.errors, only(result, "tiny").severity) == (1, "error")
    set_config(repository, "validate.rules.tiny", "off")
    assert found(repository) == {}
    assert found(repository, rules=["tiny"]) == {"tiny": 1}


def test_what_begins_before_the_picture_is_outside_whatever_its_size(repository: Repository) -> None:
    text = {"content": b"text", "media_type": b"text/plain"}
    put(repository, "a.txt", [box(at=(-5, 0, 5000, 5000)), box(at=(0, 0, 5000, 5000))], **text)
    assert found(repository) == {"outside-picture": 1}


SAID = b'{"coco":{"height":%d,"width":%d}}'


def test_pictures(repository: Repository) -> None:
    put(repository, "a.png", content=b"text", media_type=b"application/octet-stream")
    put(repository, "b.png", content=PICTURE[:30])
    put(repository, "c.png", properties=SAID % (80, 101))
    put(repository, "d.png", properties=SAID % (80, 100), content=encoded("PNG", (100, 80), compress_level=1))
    put(repository, "e.jpg", content=encoded("JPEG", (100, 80), orientation=3))
    put(repository, "f.jpg", [box(at=(0, 0, 79, 99))], content=encoded("JPEG", (100, 80), orientation=6),
        properties=SAID % (100, 80))  # fmt: skip
    put(repository, "g.txt", content=b"text", media_type=b"text/plain")
    result = validate(repository)
    places = {(finding.rule, finding.path) for finding in result.findings if finding.rule not in QUIET}
    assert places == {
        ("picture-unreadable", "a.png"),
        ("picture-unreadable", "b.png"),
        ("size-differs", "c.png"),
        ("exif-rotated", "e.jpg"),
        ("exif-rotated", "f.jpg"),
    }


def test_a_picture_cut_short_is_found_by_decoding_it(repository: Repository) -> None:
    put(repository, content=encoded("PNG", (200, 200))[:-30])
    assert found(repository) == {}
    assert found(repository, deep=True) == {"picture-unreadable": 1}


def test_missing_bytes(repository: Repository) -> None:
    put(repository)
    with repository.transaction("lose") as edit:
        state = repository["Main"]["a.png"].state
        edit.put("Main", "gone.png", state._replace(file_id=FileId(bytes(16)), blob=ObjectId(bytes(31) + b"\1")))
    assert only(validate(repository), "picture-missing").path == "gone.png"


def test_files_without_instances(repository: Repository) -> None:
    put(repository, "a.png", complete=1)
    put(repository, "b.png", content=encoded("PNG", (9, 9)))
    put(repository, "c.png", [box()], content=encoded("PNG", (99, 9)))
    result = validate(repository, rules=["complete-but-empty", "unlabelled"])
    assert {(finding.rule, finding.path) for finding in result.findings} == {
        ("complete-but-empty", "a.png"),
        ("unlabelled", "b.png"),
    }


def test_identical_instances(repository: Repository) -> None:
    same = box(at=(1, 1, 9, 9), attributes={"a": 1})
    twins = [{**same, "instance_id": identity(number)} for number in (1, 2, 3)]
    others = [box("cat", (1, 1, 9, 9)), box(at=(1, 1, 9, 9)), {**same, "frame": 1}, {**same, "source": "model"}]
    put(repository, "a.png", [*twins, *others])
    put(repository, "b.png", [same], content=encoded("PNG", (99, 9)))
    result = validate(repository, rules=["identical-instances"])
    assert [finding.instance_id for finding in result.findings] == [identity(2), identity(3)]
    assert all(identity(1) in finding.value and finding.fix for finding in result.findings)


def test_identical_instances_with_other_properties_are_not_for_a_machine_to_remove(repository: Repository) -> None:
    put(repository, instances=[{**box(number=at), "properties": {"coco": {"id": at}}} for at in (1, 2)])
    assert only(validate(repository), "identical-instances").fix == ""


def track(label: str, sequence: str = "7", frame: int | None = None, at: int = 0) -> dict[str, Any]:
    fields = {"sequence": sequence} | ({} if frame is None else {"frame": frame})
    return box(label, (at, 1, at + 9, 9), **fields)


def test_sequences_in_a_film(repository: Repository) -> None:
    film = {"content": b"film", "media_type": b"video/mp4"}
    put(repository, "a.mp4", [track("dog", frame=1), track("dog", frame=1, at=5), track("cat", frame=2)], **film)
    put(repository, "b.mp4", [track("cow", frame=1), track("cow", frame=2)], content=b"b", media_type=b"video/mp4")
    assert found(repository) == {"twice-in-frame": 1, "label-changes": 1}


def test_sequences_over_pictures(repository: Repository) -> None:
    for number, label in enumerate(["dog", "dog", "cat"]):
        put(repository, f"one/{number}.png", [track(label)], content=encoded("PNG", (90 + number, 80)))
        put(repository, f"two/{number}.png", [track("cow")], content=encoded("PNG", (80 + number, 80)))
    put(repository, "one/3.png", [track("dog"), track("dog", at=5), track("dog", "8")])
    result = validate(repository, rules=["twice-in-frame", "label-changes"])
    assert {(finding.rule, finding.path) for finding in result.findings} == {
        ("label-changes", "one/2.png"),
        ("twice-in-frame", "one/3.png"),
    }


def test_one_blob_with_different_labels(repository: Repository) -> None:
    put(repository, "a.png", [box("dog"), box("cat", (1, 1, 50, 50))])
    put(repository, "b.png", [box("cat"), box("dog", (1, 1, 50, 50))])
    put(repository, "c.png")
    put(repository, "d.png", [box("dog")])
    finding = only(validate(repository), "labels-disagree")
    assert (finding.path, "a.png" in finding.value) == ("d.png", True)


SPLITS = b'{"splits":[%s]}'


@pytest.mark.parametrize(
    ("one", "other", "leaks"),
    [
        (b'"train"', b'"val"', {"b.png"}),
        (b'"training"', b'"Test"', {"b.png"}),
        (b'"train"', b'"train"', set()),
        (b'"train","trainval"', b'"train"', set()),
        (b'"fold1"', b'"fold2"', set()),
        (b'"train"', b"", set()),
        (b'"train","val"', b"", {"a.png"}),
    ],
)
def test_splits_that_share_bytes(repository: Repository, one: bytes, other: bytes, leaks: set) -> None:
    put(repository, "a.png", properties=SPLITS % one)
    put(repository, "b.png", properties=SPLITS % other)
    put(repository, "c.png", properties=SPLITS % b'"val"', content=encoded("PNG", (9, 9)))
    result = validate(repository, rules=["split-leak"])
    assert {finding.path for finding in result.findings} == leaks


def test_directories_that_share_a_file_or_bytes(repository: Repository) -> None:
    first = put(repository, "a.png", directory="Train")
    put(repository, "b.png", directory="Train", content=encoded("PNG", (9, 9)))
    put(repository, "same bytes.png", directory="Val")
    put(repository, "own.png", directory="Val", content=encoded("PNG", (8, 8)))
    with repository.transaction("mirror") as edit:
        edit.place("Val", "mirror.png", repository["Train"]["b.png"].state.file_id)
    result = validate(repository, ["Train", "Val"], rules=["split-leak"])
    assert {(finding.directory, finding.path) for finding in result.findings} == {
        ("Val", "mirror.png"),
        ("Val", "same bytes.png"),
    }
    assert first.instances == NO_ID
    assert found(repository, "Train", "Train") == {}


def test_rare_labels_are_a_hint(repository: Repository) -> None:
    put(repository, instances=[box("dog", (at, 1, at + 9.5, 9)) for at in range(90)] + [box("cat")])
    assert validate(repository).counts.get("imbalance") is None
    set_config(repository, "validate.imbalance_percent", "5")
    assert only(validate(repository), "imbalance").label == "cat"


def schema(**labels: Label) -> Schema:
    return Schema(labels=labels, attributes={"age": AGE, "colour": COLOUR, "fur": FUR})


AGE = Attribute("age", "number", minimum=None, required=True)
COLOUR = Attribute("colour", "select", options=(Option("black", attributes=("fur",)), Option("white")))
FUR = Attribute("fur", "checkbox")


def test_labels_and_types_are_the_schemas(repository: Repository) -> None:
    put(
        repository,
        instances=[box("dog"), box("cat", (1, 1, 9, 9)), box("old", (2, 2, 9, 9)), box("lost", (3, 3, 9, 9))],
    )
    with repository.transaction("schema") as edit:
        labels = {
            "dog": Label("dog", "dog", 0, types={"box": "default"}),
            "cat": Label("cat", "cat", 1, types={"polygon": "default", "mask": "allowed", "box": "denied"}),
            "old": Label("old", "old", 2, deprecated=True),
        }
        edit.set_schema(schema(**labels))
    result = validate(repository)
    assert {(f.rule, f.label) for f in result.findings if f.rule not in QUIET} == {
        ("unknown-label", "lost"),
        ("deprecated-label", "old"),
        ("type-not-allowed", "cat"),
    }
    assert only(result, "type-not-allowed").expected == "one of mask, polygon"


@pytest.mark.parametrize(
    ("answers", "rules"),
    [
        ({"age": 3}, set()),
        ({}, {"attribute-missing"}),
        ({"age": "old"}, {"attribute-kind"}),
        ({"age": 3, "colour": "blue"}, {"unknown-option"}),
        ({"age": 3, "size": 4}, {"unknown-attribute"}),
        ({"age": 3, "colour": "white", "fur": True}, {"attribute-orphan"}),
        ({"age": 3, "colour": "black", "fur": True}, set()),
        ({"colour": "blue", "fur": 1}, {"attribute-missing", "unknown-option", "attribute-orphan"}),
    ],
)
def test_attributes_are_the_schemas(repository: Repository, answers: dict, rules: set) -> None:
    put(repository, instances=[box(attributes=answers)])
    with repository.transaction("schema") as edit:
        edit.set_schema(schema(dog=Label("dog", "dog", 0, attributes=("age", "colour"))))
    assert set(found(repository)) == rules


def test_attributes_that_nobody_declared_are_no_mistake(repository: Repository) -> None:
    put(repository, instances=[box(attributes={"pose": "left"})])
    assert found(repository) == {}


def test_every_code_of_an_answer_is_a_rule() -> None:
    assert ANSWER_PROBLEMS.keys() <= RULES.keys()


def test_rules_are_well_formed() -> None:
    for code, rule in RULES.items():
        assert (rule.code, rule.severity in SEVERITIES[1:]) == (code, True)
        assert rule.says
        assert not rule.says.endswith(".")


def test_all_are_counted_and_some_are_listed(repository: Repository) -> None:
    put(
        repository,
        instances=[box(at=(at, 5, at, 9)) for at in range(50)] + [box(at=(5, at, 6, at + 20)) for at in range(40)],
    )
    result = validate(repository, limit=7)
    assert (result.errors, result.counts["zero-size"], result.counts["tiny"]) == (50, 50, 40)
    assert [finding.rule for finding in result.findings] == ["zero-size"] * 6 + ["tiny"]
    assert validate(repository, limit=0).findings == []


def test_only_what_changed_is_looked_at(repository: Repository) -> None:
    put(repository, "a.png", [box(at=(5, 5, 5, 5))])
    with repository.transaction("commit") as edit:
        edit.commit("Main", "first")
    put(repository, "b.png", [box(at=(6, 6, 6, 6))], content=encoded("PNG", (99, 80)))
    result = validate(repository, since="Main@")
    assert (result.files, result.instances, [finding.path for finding in result.findings]) == (1, 1, ["b.png"])
    assert validate(repository).counts["zero-size"] == 2


def test_what_makes_no_sense_is_refused(repository: Repository) -> None:
    with fails(Usage, "bad-usage"):
        validate(repository, rules=["zero"])
    with fails(NotFound, "unknown-revision"):
        validate(repository, ["Nowhere"])
    repository.storage.replace(NAME, b"[validate]\nx = 1\n")
    with fails(FormatError, "bad-config"):
        validate(repository)


def test_an_empty_directory_has_nothing_wrong(repository: Repository) -> None:
    result = validate(repository)
    assert (result.files, result.counts, result.revisions) == (0, {}, ("Main",))


def test_blood_cells(repository: Repository, tmp_path: Path) -> None:
    """As published: corners counted from 1, with the last pixel, and cells of a single pixel."""
    folder = write_set(tmp_path / "cells", 3)
    cells = [("RBC", (1, 1, 90, 90)), ("RBC", (560, 390, 640, 480)), ("WBC", (504, 337, 504, 337))]
    write_picture(folder, 0, cells + [("RBC", (10 * at, 100, 10 * at + 80, 180)) for at in range(1, 8)])
    write_picture(folder, 1, [("RBC", (1, 329, 60, 480))])
    write_picture(folder, 2, [("RBC", (181, 329, 181, 329))])
    for number in range(3):
        stream = io.BytesIO()
        Image.new("RGB", (640, 480), (80 * number, 0, 0)).save(stream, "JPEG")
        (folder / f"JPEGImages/BloodImage_{number:05}.jpg").write_bytes(stream.getvalue())
    import_(repository, folder)
    result = validate(repository)
    assert result.errors == result.counts["zero-size"] == 2
    assert (result.counts["far-edge"], result.counts["counted-from-one"]) == (2, 1)
    assert result.counts.keys() == {"zero-size", "far-edge", "counted-from-one"}
