"""The wiring of `tdvc schema`: what it prints, what it exits with."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_commands import steady

TRAFFIC = """
[labels.dog]
attributes = ["coat"]

[labels.nose]

[attributes.coat]
kind = "select"
options = ["plain", { key = "spotted", name = "With spots" }]
"""


@pytest.fixture
def dogs(labelled, tmp_path):
    assert labelled("commit", "-m", "Boxes").code == 0
    (tmp_path / "schema.toml").write_text(TRAFFIC)
    return labelled


def test_show(dogs):
    dogs("schema", "import", "schema.toml")
    dogs("schema", "rename", "dog", "Hound")
    ran = dogs("schema")
    assert (ran.code, ran.err) == (0, "")
    assert steady(ran.out) == (
        "Schema ID, used by Pets\n\nLabels\n  0  dog   Hound    asks coat\n  1  nose\n\n"
        "Attributes\n  coat    select  plain, spotted (With spots)\n"
    )
    assert dogs("schema", "show", "Pets~2").out.endswith("0  dog\n  1  nose\n")
    shown = dogs("schema", "show", "--json").json
    assert shown["directories"] == ["Pets"]
    assert shown["schema"]["labels"]["dog"] == {"attributes": ["coat"], "index": 0, "name": "Hound"}


def test_import_export(dogs, tmp_path):
    ran = dogs("schema", "import", "schema.toml", "--dry-run")
    assert steady(ran.out) == (
        "schema: import schema.toml (dry run)\n  label dog: attributes +coat\n  attribute coat added\n"
        "  commit in Pets\n"
    )
    ran = dogs("schema", "import", "schema.toml", "--json")
    assert [change["path"] for change in ran.json["changes"]] == ["labels.dog.attributes", "attributes.coat"]
    exported = dogs("schema", "export").out
    assert exported.startswith("#:schema ./schema.schema.json\n")
    assert dogs("schema", "export", "out.json").code == 0
    assert json.loads((tmp_path / "out.json").read_text())["labels"]["dog"]["attributes"] == ["coat"]
    assert dogs("schema", "export", "-r", "Pets~1", "--type", "toml").out != exported
    assert json.loads(dogs("schema", "export", "--json-schema").out)["title"] == "Schema of a tdvc repository"
    (tmp_path / "bad.toml").write_text("[labels.dog]\ntypes = 3\n")
    ran = dogs("schema", "import", "bad.toml")
    assert (ran.code, ran.out) == (21, "")
    assert ran.err.startswith("error: bad.toml, line 2: labels.dog.types must give each spatial type")


def test_edit(dogs, tmp_path, monkeypatch):
    script = tmp_path / "editor.sh"
    script.write_text('#!/bin/sh\nsed -i "s/name = \\"dog\\"/name = \\"$NEW\\"/" "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(script))
    monkeypatch.setenv("NEW", "Hound")
    ran = dogs("schema", "edit")
    assert ran.code == 0, ran
    assert "label dog: renamed dog -> Hound" in ran.out
    script.write_text('#!/bin/sh\necho "[labels" >> "$1"\n')
    ran = dogs("schema", "edit")
    assert (ran.code, ran.out) == (21, "")
    kept = ran.err.rpartition("tdvc schema import ")[2].strip()
    with open(kept) as file:
        assert "Hound" in file.read()
    script.write_text("#!/bin/sh\n")
    assert dogs("schema", "edit").out == "Nothing changed.\n"


def test_labels(dogs):
    ran = dogs("schema", "add", "puppy", "--name", "Puppy", "--parent", "dog", "--type", "box=default", "--type", "tag")
    assert steady(ran.out) == "schema: add puppy\n  label puppy added\n  commit in Pets ID\n"
    label = dogs("schema", "show", "--json").json["schema"]["labels"]["puppy"]
    assert label == {"index": 2, "name": "Puppy", "parent": "dog", "types": {"box": "default", "tag": "allowed"}}
    assert "puppy: deprecated" in dogs("schema", "deprecate", "puppy").out
    assert "no longer deprecated" in dogs("schema", "deprecate", "puppy", "--undo").out
    assert dogs("schema", "delete", "dog").code == 1
    ran = dogs("schema", "delete", "dog", "--to", "puppy", "--dry-run")
    assert "  2 instances in 2 files\n  commit in Pets\n" in ran.out
    ran = dogs("schema", "merge", "dog", "nose", "puppy")
    assert "  3 instances in 2 files\n" in ran.out
    assert "Puppy" in dogs("show", "Pets:1.txt").out
    assert dogs("ls", "--label", "dog").out == "1.txt\n2.txt\n"


def test_attributes_and_types(dogs):
    dogs("schema", "import", "schema.toml")
    assert (
        "option spotted: renamed With spots -> Dots"
        in dogs("schema", "rename", "--option", "coat", "spotted", "Dots").out
    )
    assert "attribute coat: renamed - -> Coat" in dogs("schema", "rename", "--attribute", "coat", "Coat").out
    assert "label nose: attributes +coat" in dogs("schema", "move-attribute", "coat", "dog", "nose").out
    assert "1 instance in 1 file" in dogs("schema", "change-type", "dog", "box", "polygon").out
    ran = dogs("schema", "split", "dog", "--where", "coat=plain", "Plain")
    assert "To do: 2 instances\n  Pets:1.txt  b0b0b0b0  no condition of the split fits its answers\n" in ran.out
    assert "label Dots added" in dogs("schema", "split", "dog", "--by", "coat").out
    assert dogs("schema", "split", "dog", "--by", "coat", "--into", "plain=even").code == 0
    assert dogs("schema", "split", "dog").code == 2


def test_lock_and_use(dogs):
    assert "the schema: locked" in dogs("schema", "lock").out
    ran = dogs("relabel", "dog", "wolf")
    assert (ran.code, ran.out) == (21, "")
    assert "the schema: no longer locked" in dogs("schema", "unlock").out
    dogs("copy", "Pets", "Trial", "--with-instances")
    assert "staged in Trial" in dogs("schema", "use", "Pets~1", "-d", "Trial").out
    assert "the schema: no longer locked" in dogs("schema", "use", "--follow", "-d", "Trial").out
    assert dogs("schema", "use", "-d", "Trial").code == 2


def test_looking_back(dogs):
    dogs("schema", "rename", "dog", "Hound")
    assert dogs("schema", "diff").out == "Pets@ -> Pets\nNo differences.\n"
    assert dogs("schema", "diff", "Pets~1", "Pets@").out == "Pets~1 -> Pets@\n  label dog: renamed dog -> Hound\n"
    assert steady(dogs("schema", "log", "-n", "1").out) == (
        "ID  MOMENT  ann  schema: rename label dog to Hound\n  label dog: renamed dog -> Hound\n"
    )
    assert [entry["message"] for entry in dogs("schema", "log", "--json").json][-1] == "Boxes"
    assert "schema rename label dog to Hound" in dogs("schema", "log", "--operations").out
    ran = dogs("schema", "stats")
    assert ran.out.startswith(
        "Labels         2\nAttributes     0\nOptions        0\nComplexity     2\nUnused labels  none\n"
    )
    assert dogs("schema", "stats", "--json").json["by_label"][0]["instances"] == 2


def test_guides(dogs, tmp_path):
    (tmp_path / "dog.md").write_text("Draw *tight* boxes.\n")
    assert "guide written" in dogs("schema", "guide", "dog", "dog.md").out
    assert dogs("schema", "guide", "dog").out == "Draw *tight* boxes.\n\n"
    assert dogs("schema", "guide").out == "# dog\n\nDraw *tight* boxes.\n\n"
    assert dogs("schema", "guide", "--json").json == {"dog": "Draw *tight* boxes.\n"}


def test_completeness_is_told_and_can_be_required(dogs, tmp_path):
    dogs("complete", "1.txt")
    dogs("commit", "-m", "Marks")
    (tmp_path / "schema.toml").write_text(TRAFFIC.replace('kind = "select"', 'kind = "select"\nrequired = true'))
    dogs("schema", "import", "schema.toml")
    assert "Complete   1 of 3 (1 stale)" in dogs("status").out
    assert "1 of 3 (1 stale)" in dogs("show").out
    assert "stale" in dogs("ls", "--long").out.splitlines()[0]
    assert "stale" in dogs("show", "Pets:1.txt").out
    ran = dogs("snapshot", "Pets", "v1", "--require-complete")
    assert (ran.code, ran.out) == (1, "")
    assert "2 files are not declared complete and 1 file is complete under a schema that asked less: 1.txt" in ran.err
    ran = dogs("snapshot", "Pets", "v1")
    assert (ran.code, ran.err.startswith("warning: ")) == (0, True)
    assert dogs("export", "Pets", "out", "-f", "csv", "--require-complete").code == 1
    assert "1 file is complete under a schema" in dogs("export", "Pets", "out", "-f", "csv").err
