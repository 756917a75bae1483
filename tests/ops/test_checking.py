"""Files checked without a repository: each for itself, with the rules that need nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tdvc.errors import FormatError, NotFound, SchemaError
from tdvc.ops import checking
from tdvc.ops.checking import check_annotations, check_schema
from tests.ops.build import fails

SCHEMA = """
version = 1
[labels.dog]
attributes = ["truncated"]
[labels.cat]
aliases = ["kitty"]
types = { box = "allowed" }
[labels."ox é\\""]
[attributes.truncated]
kind = "number"
maximum = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "schema.toml").write_text(SCHEMA)
    return tmp_path


def voc(*objects: tuple[str, tuple[object, ...], str]) -> str:
    corners = ("xmin", "ymin", "xmax", "ymax")
    inner = "".join(
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{corner}>{value}</{corner}>" for corner, value in zip(corners, box, strict=True))
        + f"</bndbox>{more}</object>"
        for name, box, more in objects
    )
    size = "<size><width>100</width><height>80</height><depth>3</depth></size>"
    return f"<annotation><filename>a.jpg</filename>{size}{inner}</annotation>"


def labelme(*shapes: tuple[str, str, list[list[int]]], picture: str = "../images/a.jpg") -> str:
    found = [{"label": label, "shape_type": kind, "points": points, "flags": {}} for label, kind, points in shapes]
    size = {"imageHeight": 80, "imageWidth": 100}
    return json.dumps({"version": "5", "flags": {}, "shapes": found, "imagePath": picture, "imageData": None, **size})


def coco(*boxes: tuple[str, list[int]]) -> str:
    names = sorted({name for name, _ in boxes})
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}],
            "categories": [{"id": number, "name": name} for number, name in enumerate(names, 1)],
            "annotations": [
                {"id": number, "image_id": 1, "category_id": names.index(name) + 1, "bbox": box}
                for number, (name, box) in enumerate(boxes, 1)
            ],
        }
    )


GOOD = {
    "voc.xml": voc(("cat", (1, 1, 50, 50), ""), ("kitty", (2, 2, 50, 50), "<truncated>0</truncated>")),
    "nothing.xml": voc(),
    "labelme.json": labelme(("cat", "rectangle", [[1, 1], [5, 5]]), ("dog", "polygon", [[1, 1], [5, 5], [1, 5]])),
    "yolo.txt": "0 0.5 0.5 0.2 0.2\n1 0.25 0.5 0.5 0.5\n2 0.5 0.5 1 1\n",
    "empty.txt": "",
    "coco.json": coco(("cat", [1, 1, 5, 5]), ("kitty", [2, 2, 98, 5])),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_has_nothing_found(folder: Path, name: str) -> None:
    (folder / name).write_text(GOOD[name])
    result = check_annotations(folder / "schema.toml", [folder / name])
    assert (result.findings, result.files) == ([], 1)


BAD = {
    "label.xml": (voc(("cat", (1, 1, 50, 50), ""), ("dgo", (1, 1, 50, 50), "")), [("#1", "unknown-label")]),
    "attribute.xml": (voc(("dog", (1, 1, 9, 9), "<truncated>2</truncated>")), [("#0", "attribute-range")]),
    "outside.xml": (voc(("dog", (1, 1, 101, 50), "")), [("#0", "outside-picture")]),
    "twins.xml": (voc(("dog", (1, 1, 9, 9), ""), ("dog", (1, 1, 9, 9), "")), [(None, "identical-instances")]),
    "object.xml": (
        voc(("dog", (1, 1, "x", 9), ""), ("dog", (5, 5, 5, 9), "")),
        [("#1", "zero-size"), ("#0", "instance-invalid")],
    ),
    "torn.xml": ("<annotation><object>", [("", "record-unreadable")]),
    "type.json": (labelme(("cat", "polygon", [[1, 1], [5, 5], [1, 5]])), [("#0", "type-not-allowed")]),
    "class.txt": ("0 0.5 0.5 0.2 0.2\n\n9 0.5 0.5 0.2 0.2\n", [("3", "instance-invalid")]),
    "row.txt": ("0 0.5 0.5 0.2\n", [("1", "instance-invalid")]),
    "fraction.txt": ("0 0.9 0.5 0.4 0.2\n", [("#0", "outside-picture")]),
    "coco.json": (coco(("dog", [1, 1, 5, 5]), ("dgo", [1, 1, 0, 5])), [("a.jpg#1", "unknown-label")] * 1),
    "unknown.toml": ("a = 1\n", [("", "format-unknown")]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_says_where_and_what(folder: Path, name: str) -> None:
    content, expected = BAD[name]
    (folder / name).write_text(content)
    result = check_annotations(folder / "schema.toml", [folder / name])
    found = [(finding.record, finding.code) for finding in result.findings]
    for record, code in expected:
        assert code in [one for _, one in found]
        assert record is None or (record, code) in found
    assert result.errors == len(result.findings)
    assert {finding.file for finding in result.findings} == {str(folder / name)}
    assert not any("annotation." in finding.message for finding in result.findings)


def test_each_file_is_checked_for_itself(folder: Path) -> None:
    boxes = folder / "Annotations"
    boxes.mkdir()
    (folder / "JPEGImages").mkdir()
    for number, label in enumerate(("dog", "dgo", "cat")):
        (boxes / f"{number}.xml").write_text(voc((label, (1, 1, 9, 9), "")))
    (boxes / "3.xml").write_text("no XML")
    result = check_annotations(folder / "schema.toml", sorted(boxes.iterdir()), format="pascal-voc")
    assert [(Path(finding.file).name, finding.code) for finding in result.findings] == [
        ("1.xml", "unknown-label"),
        ("3.xml", "record-unreadable"),
    ]
    assert (result.files, result.instances) == (4, 3)


def test_a_folder_is_one_source(folder: Path) -> None:
    boxes = folder / "boxes"
    boxes.mkdir()
    for number, label in enumerate(("dog", "dgo")):
        content = voc((label, (1, 1, 9, 9), "")).replace("a.jpg", f"{number}.jpg")
        (boxes / f"{number}.xml").write_text(content)
    result = check_annotations(folder / "schema.toml", [boxes])
    assert [(finding.record, finding.code) for finding in result.findings] == [("1.jpg#0", "unknown-label")]


def test_the_list_of_classes_is_no_annotation(folder: Path) -> None:
    (folder / "classes.txt").write_text("dog\ncat\n")
    assert check_annotations(folder / "schema.toml", [folder / "classes.txt"]).files == 0


def test_what_is_not_there_is_found_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "a.xml").write_text(GOOD["voc.xml"])
    result = check_annotations(folder / "schema.toml", [folder / "gone.xml", folder / "a.xml"])
    assert [finding.code for finding in result.findings] == ["source-not-found"]
    assert result.instances == 2


def test_warnings_are_no_errors(folder: Path) -> None:
    (folder / "a.xml").write_text(voc(("dog", (1, 1, 9, 9), "<pose>Left</pose>")))
    result = check_annotations(folder / "schema.toml", [folder / "a.xml"])
    assert (result.errors, result.warnings) == (0, 1)
    assert result.findings[0].code == "unknown-attribute"


def test_everything_is_counted_and_the_first_are_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MAX_FINDINGS", 3)
    (folder / "a.xml").write_text(voc(*[("dgo", (1, 1, 9 + number, 9), "") for number in range(5)]))
    result = check_annotations(folder / "schema.toml", [folder / "a.xml"])
    assert (result.errors, [finding.record for finding in result.findings]) == (5, ["#0", "#1", "#2"])


def test_a_schema_that_is_none_ends_it(folder: Path) -> None:
    (folder / "bad.toml").write_text("labels = 1\n")
    with fails(SchemaError, "bad-schema"):
        check_annotations(folder / "bad.toml", [])
    with fails(NotFound, "source-not-found"):
        check_annotations(folder / "gone.toml", [])
    with fails(FormatError, "format-unknown"):
        check_annotations(folder / "schema.toml", [], format="voc")


def test_schemas_are_checked(folder: Path) -> None:
    (folder / "torn.toml").write_text("version = 1\nlabels = [\n")
    (folder / "parent.toml").write_text('[labels.dog]\nparent = "wolf"\nattributes = ["age"]\n')
    files = [folder / name for name in ("schema.toml", "torn.toml", "parent.toml", "gone.toml")]
    result = check_schema(files)
    found = [(Path(finding.file).name, finding.record, finding.code) for finding in result.findings]
    assert found[0][0] == "torn.toml"
    assert found[1:] == [
        ("parent.toml", "2", "bad-schema"),
        ("parent.toml", "", "bad-schema"),
        ("gone.toml", "", "source-not-found"),
    ]
    assert (result.files, result.errors) == (4, 4)
