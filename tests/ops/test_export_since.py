"""What changed since a state, put to the export of that state, is the export of the later one."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdvc.errors import Corruption, FormatError, NotFound, Refused, TdvcError, Usage
from tdvc.formats import _shards
from tdvc.ops.annotate import complete
from tdvc.ops.committing import commit
from tdvc.ops.directories import create_directory
from tdvc.ops.exportapply import apply_export
from tdvc.ops.exporting import ExportResult, export
from tdvc.ops.exportmanifest import ENGINE_FORMATS, Manifest, read_manifest, read_removed
from tdvc.ops.importing import ImportOptions, import_
from tdvc.ops.schema import rename_label
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import remove
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.ops.build import box, fails, jpeg, read_tree, stock
from tests.ops.changing import CHANGES, Change, changed

OPTIONS = st.fixed_dictionaries(
    {
        "everything": st.booleans(),
        "pictures": st.sampled_from(("copy", "none")),
        "shard_bytes": st.sampled_from((None, 1, 1000)),
    }
)


def take_out(repository: Repository, revision: str, folder: Path, name: str, **options: Any) -> ExportResult:
    if name not in ("parquet", "webdataset"):
        options = {key: value for key, value in options.items() if key != "shard_bytes"}
    return export(repository, [revision], folder, format=name, **options)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", ENGINE_FORMATS)
@given(changes=st.lists(CHANGES, max_size=8), options=OPTIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_full_and_applied_are_the_same_to_the_byte(
    scratch: Path, name: str, changes: list[Change], options: dict[str, Any]
) -> None:
    made = changed(*changes)
    folder = Path(tempfile.mkdtemp(dir=scratch))
    take_out(made, "v1", folder / "v1", name, **options)
    result = take_out(made, "Main", folder / "changes", name, since="v1", **options)
    applied = apply_export(folder / "v1", folder / "changes", folder / "applied")
    assert (applied.changed_files, applied.removed_files) == (result.changed_files, result.removed_files)
    try:
        take_out(made, "Main", folder / "full", name, **options)
    except Refused:
        assert applied.files == 0
        return
    assert read_tree(folder / "applied") == read_tree(folder / "full")


def lines_of(folder: Path) -> dict[str, bytes]:
    """The line of each path in `instances.jsonl`."""
    return {json.loads(line)["path"]: line for line in (folder / "instances.jsonl").read_bytes().splitlines()}


@given(changes=st.lists(CHANGES, max_size=8), everything=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_only_what_differs_is_said(scratch: Path, changes: list[Change], everything: bool) -> None:
    made = changed(*(one for one in changes if one[0] != "rename"))
    folder = Path(tempfile.mkdtemp(dir=scratch))
    options: dict[str, Any] = {"everything": everything, "pictures": "none"}
    take_out(made, "v1", folder / "v1", "tdvc-jsonl", **options)
    take_out(made, "Main", folder / "changes", "tdvc-jsonl", since="v1", **options)
    before, said = lines_of(folder / "v1"), lines_of(folder / "changes")
    removed = [json.loads(line) for line in (folder / "changes/removed.jsonl").read_bytes().splitlines()]
    state = made["Main"]
    after = [file for file in state if everything or file.complete]
    assert [line["path"] for line in removed] == sorted(before.keys() - {file.path for file in after})
    assert {path: line for path, line in said.items() if before.get(path) == line} == {}
    untouched = {file.path for file in after} - said.keys()
    for path in untouched:
        was, file = json.loads(before[path]), state[path]
        assert (was["file_id"], was["blob"], was["complete"]) == (file.file_id, file.blob_id, file.complete)
        assert [one["instance_id"] for one in was["instances"]] == [one.instance_id for one in file.instances]
        assert was.get("properties", {}) == json.loads(file.state.properties or b"{}")


def test_a_label_that_goes_by_another_name_brings_the_files_that_have_it(tmp_path: Path) -> None:
    made = changed()
    with_dogs = {file.path for file in made["Main"] if any(i.label == "dog" for i in file.instances)}
    rename_label(made, "dog", "hound")
    result = take_out(made, "Main", tmp_path / "d", "tdvc-jsonl", since="v1", everything=True)
    assert lines_of(tmp_path / "d").keys() >= with_dogs
    assert b'"label":"hound"' in (tmp_path / "d/instances.jsonl").read_bytes()
    assert 0 < result.changed_files < len(made["Main"])


def test_a_class_that_goes_by_another_number_brings_the_files_that_have_it(tmp_path: Path) -> None:
    made = Repository(MemoryStorage(), author="Ada")
    made.start()
    for number, label in enumerate(("dog", "cat", "owl")):
        tag = {"label": label, "type": "tag", "instance_id": f"{number:032x}"}
        stock(made, "Main", {f"{label}.jpg": (jpeg(label), [tag])})
    commit(made, "three labels")
    snapshot(made, None, "v1")
    schema = made["Main"].schema
    swapped = {key: replace(schema.labels[key], index=index) for index, key in enumerate(("cat", "dog", "owl"))}
    with made.transaction("another order") as edit:
        edit.set_schema(replace(schema, labels=swapped))
    for name, count in (("webdataset", 2), ("parquet", 0)):
        place = tmp_path / name
        take_out(made, "v1", place / "v1", name, everything=True)
        assert take_out(made, "Main", place / "d", name, since="v1", everything=True).changed_files == count
        take_out(made, "Main", place / "full", name, everything=True)
        apply_export(place / "v1", place / "d", place / "out")
        assert read_tree(place / "out") == read_tree(place / "full")


def test_what_is_applied_is_cut_as_the_export_it_goes_to(tmp_path: Path) -> None:
    made = changed(("remove", "a.jpg", 0), ("add", "z", 3))
    options: dict[str, Any] = {"everything": True}
    take_out(made, "v1", tmp_path / "v1", "webdataset", shard_bytes=500, **options)
    take_out(made, "Main", tmp_path / "d", "webdataset", since="v1", **options)
    take_out(made, "Main", tmp_path / "full", "webdataset", shard_bytes=500, **options)
    apply_export(tmp_path / "v1", tmp_path / "d", tmp_path / "out")
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "full")
    assert len(list((tmp_path / "out").glob("*.tar"))) > 1


def test_changes_follow_on_changes(tmp_path: Path) -> None:
    made = changed(("remove", "a.jpg", 0), ("add", "z", 3))
    commit(made, "second")
    snapshot(made, None, "v2")
    remove(made, ["Main:a.png"])
    options: dict[str, Any] = {"everything": True}
    take_out(made, "v1", tmp_path / "v1", "parquet", **options)
    take_out(made, "v2", tmp_path / "to2", "parquet", since="v1", **options)
    take_out(made, "Main", tmp_path / "to3", "parquet", since="v2", **options)
    apply_export(tmp_path / "v1", tmp_path / "to2", tmp_path / "v2")
    apply_export(tmp_path / "v2", tmp_path / "to3", tmp_path / "v3")
    take_out(made, "Main", tmp_path / "full", "parquet", **options)
    assert read_tree(tmp_path / "v3") == read_tree(tmp_path / "full")


def test_nothing_changed_is_an_export_too(tmp_path: Path) -> None:
    made = changed()
    for name in ENGINE_FORMATS:
        place = tmp_path / name
        take_out(made, "v1", place / "v1", name, everything=True)
        result = take_out(made, "Main", place / "d", name, since="v1", everything=True)
        assert (result.files, result.changed_files, result.removed_files) == (0, 0, 0)
        apply_export(place / "v1", place / "d", place / "out")
        before, after = read_tree(place / "v1"), read_tree(place / "out")
        manifests = [json.loads(tree.pop("tdvc-export.json")) for tree in (before, after)]
        assert before == after
        assert [found["state"].pop("revision") for found in manifests] == ["v1", "Main"]
        assert manifests[0] == manifests[1]


@pytest.mark.parametrize("name", ENGINE_FORMATS)
def test_changes_of_states_with_nothing_to_export_are_refused(tmp_path: Path, name: str) -> None:
    made = changed()
    complete(made, ["*"], undo=True)
    commit(made, "not done")
    snapshot(made, None, "v2")
    stock(made, "Main", {"late.jpg": b"late"})
    for options in ({}, {"dry_run": True}):
        with fails(Refused, "nothing-to-export") as caught:
            take_out(made, "Main", tmp_path / "out", name, since="v2", **options)
        assert "--all" in caught.value.hint
    assert not (tmp_path / "out").exists()
    result = take_out(made, "Main", tmp_path / "went", name, since="v1")
    assert (result.changed_files, result.removed_files > 0) == (0, True), "what is not exported any more is a change"
    assert take_out(made, "Main", tmp_path / "all", name, since="v2", everything=True).changed_files == 1
    complete(made, ["late.jpg"])
    assert take_out(made, "Main", tmp_path / "first", name, since="v2").changed_files == 1


@pytest.mark.parametrize("name", ["parquet", "webdataset"])
def test_pictures_too_large_for_a_shard_lie_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(_shards, "MAX_PICTURE_BYTES", 100)
    made = changed(("add", "z", 3), ("remove", "a.png", 0))
    stock(made, "Main", {f"large/{number}.jpg": jpeg("large" * 40) for number in range(3)})
    commit(made, "large")
    snapshot(made, None, "v2")
    remove(made, ["Main:large/1.jpg", "Main:z"])
    options: dict[str, Any] = {"everything": True, "shard_bytes": 300}
    take_out(made, "v2", tmp_path / "v2", name, **options)
    take_out(made, "Main", tmp_path / "d", name, since="v2", **options)
    take_out(made, "Main", tmp_path / "full", name, **options)
    apply_export(tmp_path / "v2", tmp_path / "d", tmp_path / "out")
    found = read_tree(tmp_path / "out")
    assert found == read_tree(tmp_path / "full")
    assert [path for path in found if path.startswith("large")] == ["large/0.jpg", "large/2.jpg"]
    assert found["large/2.jpg"] == jpeg("large" * 40)


def test_over_many_pages_only_the_changed_ones_are_written(tmp_path: Path) -> None:
    made = Repository(MemoryStorage(), author="Ada")
    made.start()
    names = [f"{number:05}.jpg" for number in range(3000)]
    stock(made, "Main", {name: (jpeg(name), [box("dog", (0, 0, 1, 2), number)]) for number, name in enumerate(names)})
    commit(made, "many")
    snapshot(made, None, "v1")
    chosen = random.Random(7).sample(names, 30)
    remove(made, [f"Main:{name}" for name in chosen[:10]])
    stock(made, "Main", {name: jpeg(f"other {name}") for name in chosen[10:]})
    options: dict[str, Any] = {"everything": True, "pictures": "none"}
    take_out(made, "v1", tmp_path / "v1", "arrow", **options)
    result = take_out(made, "Main", tmp_path / "d", "arrow", since="v1", **options)
    assert (result.files, result.changed_files, result.removed_files) == (20, 20, 10)
    apply_export(tmp_path / "v1", tmp_path / "d", tmp_path / "out")
    take_out(made, "Main", tmp_path / "full", "arrow", **options)
    assert read_tree(tmp_path / "out") == read_tree(tmp_path / "full")


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Exports of v1 and of what changed since, as JSON Lines with pictures."""
    made = changed(("remove", "a.jpg", 0), ("add", "z", 3))
    take_out(made, "v1", tmp_path / "v1", "tdvc-jsonl", everything=True)
    take_out(made, "Main", tmp_path / "d", "tdvc-jsonl", since="v1", everything=True)
    return tmp_path


def spoil(place: Path, old: bytes, new: bytes) -> None:
    content = place.read_bytes()
    assert old in content
    place.write_bytes(content.replace(old, new, 1))


SPOILT: dict[str, tuple[str, bytes, bytes, type[TdvcError], str]] = {
    "another base": ("v1/tdvc-export.json", b'"root": "', b'"root": "0', FormatError, "bad-format-file"),
    "another schema": ("v1/tdvc-export.json", b'"selection": "all"', b'"selection": "complete"', Refused, ""),
    "without pictures": ("v1/tdvc-export.json", b'"pictures": true', b'"pictures": false', Refused, ""),
    "another format": ("v1/tdvc-export.json", b'"tdvc-jsonl"', b'"arrow"', Refused, ""),
    "no such format": ("v1/tdvc-export.json", b'"tdvc-jsonl"', b'"coco"', FormatError, "bad-format-file"),
    "a later version": ("d/tdvc-export.json", b'"version": 1', b'"version": 2', FormatError, "bad-format-file"),
    "an unknown field": ("d/tdvc-export.json", b'"version"', b'"x": 1,\n"version"', FormatError, "bad-format-file"),
    "no JSON": ("d/tdvc-export.json", b"{", b"", FormatError, "bad-format-file"),
    "a negative count": ("d/tdvc-export.json", b'"removed": 1', b'"removed": -1', FormatError, "bad-format-file"),
    "a class of no fields": ("d/tdvc-export.json", b'"fields": {}', b'"fields": 3', FormatError, "bad-format-file"),
    "fewer lines": ("d/tdvc-export.json", b'"removed": 1', b'"removed": 2', FormatError, "bad-format-file"),
    "fewer files": ("v1/tdvc-export.json", b'"files": 6', b'"files": 7', FormatError, "bad-format-file"),
    "another total": ("d/tdvc-export.json", b'"total": 6', b'"total": 5', Refused, ""),
    "nobody of that name": ("d/removed.jsonl", b"a.jpg", b"nobody.jpg", Refused, ""),
    "a line of nothing": ("d/removed.jsonl", b'"path"', b'"pith"', FormatError, "bad-format-file"),
    "another picture": ("v1/a.png", b"a.png", b"b.png", Corruption, "object-damaged"),
    "a cut line": ("v1/instances.jsonl", b'{"blob"', b'"blob"', FormatError, "bad-format-file"),
    "an instance gone": ("v1/instances.jsonl", b'"instance_id"', b'"instance_ID"', FormatError, "bad-format-file"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_what_does_not_fit_is_refused(pair: Path, spoilt: str) -> None:
    place, old, new, kind, code = SPOILT[spoilt]
    spoil(pair / place, old, new)
    with fails(kind, code or "export-does-not-fit"):
        apply_export(pair / "v1", pair / "d", pair / "out")
    assert not (pair / "out/tdvc-export.json").exists()


def test_a_state_is_named_by_root_and_schema(tmp_path: Path) -> None:
    made = changed(("remove", "a.jpg", 0))
    export(made, ["Main"], tmp_path / "Main", format="arrow", everything=True)
    export(made, ["Main"], tmp_path / "d", format="arrow", everything=True, since="v1")
    with fails(Refused, "export-does-not-fit"):
        apply_export(tmp_path / "Main", tmp_path / "d", tmp_path / "out")
    with fails(Refused, "export-does-not-fit"):
        apply_export(tmp_path / "d", tmp_path / "Main", tmp_path / "out")
    export(made, ["v1"], tmp_path / "v1", format="arrow", everything=True)
    rename_label(made, "dog", "hound")
    commit(made, "only the name of a label")
    export(made, ["Main"], tmp_path / "d2", format="arrow", everything=True, since="Main~1")
    with fails(Refused, "export-does-not-fit"):
        apply_export(tmp_path / "Main", tmp_path / "d2", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(at=st.integers(0, 1000), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_a_flipped_byte_is_a_sentence(scratch: Path, at: int, byte: int) -> None:
    folder = scratch / "flipped"
    if not folder.exists():
        made = changed(("remove", "a.jpg", 0), ("rename", "dog", 1))
        take_out(made, "Main", folder, "tdvc-jsonl", since="v1", everything=True)
        (folder / "good").write_bytes((folder / "tdvc-export.json").read_bytes())
        (folder / "gone").write_bytes((folder / "removed.jsonl").read_bytes())
    for good, bad in (("good", "tdvc-export.json"), ("gone", "removed.jsonl")):
        content = bytearray((folder / good).read_bytes())
        content[at % len(content)] = byte
        (folder / bad).write_bytes(content)
        with suppress(FormatError):
            manifest = read_manifest(folder)
            assert all(isinstance(label.fields, dict) for label in manifest.label_records())
            read_removed(folder, manifest)


def test_pictures_that_are_gone_are_missed(pair: Path) -> None:
    (pair / "v1/a.png").unlink()
    with fails(FormatError, "bad-format-file"):
        apply_export(pair / "v1", pair / "d", pair / "out")


def test_lines_out_of_order_are_refused(pair: Path) -> None:
    place = pair / "v1/instances.jsonl"
    place.write_bytes(b"".join(reversed(place.read_bytes().splitlines(keepends=True))))
    with fails(FormatError, "bad-format-file") as caught:
        apply_export(pair / "v1", pair / "d", pair / "out")
    assert "out of the order" in caught.value.message


def test_what_is_to_go_must_be_there(pair: Path) -> None:
    spoil(pair / "d/removed.jsonl", b"a.jpg", b"nobody.jpg")
    spoil(pair / "d/tdvc-export.json", b'"total": 6', b'"total": 7')
    with fails(Refused, "export-does-not-fit") as caught:
        apply_export(pair / "v1", pair / "d", pair / "out")
    assert "'nobody.jpg'" in caught.value.message


def test_folders_are_what_they_should_be(pair: Path) -> None:
    with fails(FormatError, "bad-format-file"):
        apply_export(pair / "nowhere", pair / "d", pair / "out")
    with fails(Refused, "checkout-in-the-way"):
        apply_export(pair / "v1", pair / "d", pair / "v1")
    (pair / "d/removed.jsonl").unlink()
    with fails(NotFound, "source-not-found"):
        apply_export(pair / "v1", pair / "d", pair / "out")


def test_a_dry_run_writes_nothing(pair: Path) -> None:
    result = apply_export(pair / "v1", pair / "d", pair / "out", dry_run=True)
    assert (result.revision, result.changed_files, result.removed_files) == ("Main", 1, 1)
    made = changed(("remove", "a.jpg", 0))
    tried = take_out(made, "Main", pair / "out", "parquet", since="v1", everything=True, dry_run=True)
    assert (tried.since, tried.changed_files, tried.removed_files) == ("v1", 0, 1)
    assert not (pair / "out").exists()


@pytest.mark.parametrize("name", ["coco", "csv", "image-folder", "yolo"])
def test_formats_that_can_not_say_what_went_refuse(tmp_path: Path, name: str) -> None:
    with fails(Usage, "bad-usage"):
        take_out(changed(), "Main", tmp_path / "d", name, since="v1", everything=True)


def test_only_whole_states_change_into_each_other(tmp_path: Path) -> None:
    made = changed()
    options: dict[str, Any] = {"format": "parquet", "everything": True, "since": "v1"}
    create_directory(made, "Val")
    for revisions, where in ((["Main:in"], None), (["Main", "Val"], None), (["Main"], "label = 'dog'")):
        with fails(Usage, "bad-usage"):
            export(made, revisions, tmp_path / "d", where=where, **options)
    with fails(NotFound, "unknown-revision"):
        export(made, ["Main"], tmp_path / "d", **options | {"since": "v0"})
    for size in (0, -1):
        with fails(Usage, "bad-usage"):
            export(made, ["Main"], tmp_path / "d", shard_bytes=size, **options)
    with fails(Usage, "bad-usage"):
        export(made, ["Main"], tmp_path / "d", format="arrow", everything=True, shard_bytes=1000)


def test_exports_of_less_than_a_state_have_no_manifest(tmp_path: Path) -> None:
    made = changed()
    for number, selector in enumerate(("Main", "Main:in")):
        export(made, [selector], tmp_path / str(number), format="parquet", everything=True)
    assert [(tmp_path / str(n) / "tdvc-export.json").exists() for n in range(2)] == [True, False]


def test_an_export_that_left_something_out_is_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = changed()
    real = type(made.objects).read_blob

    def failing(self: Any, identity: Any, *args: Any, **options: Any) -> Any:
        if identity == made["Main"]["a.jpg"].state.blob:
            raise Corruption("object-damaged", "The blob is damaged.")
        return real(self, identity, *args, **options)

    monkeypatch.setattr(type(made.objects), "read_blob", failing)
    result = export(made, ["Main"], tmp_path / "out", format="parquet", everything=True)
    assert [problem.code for problem in result.problems if problem.dropped_files] == ["stored-damaged"]
    assert not (tmp_path / "out/tdvc-export.json").exists()


def test_names_of_what_is_written_beside_are_taken(tmp_path: Path) -> None:
    made = changed()
    stock(made, "Main", {"tdvc-export.json": b"{}"})
    with fails(Refused, "file-exists"):
        export(made, ["Main"], tmp_path / "a", format="tdvc-jsonl", everything=True)
    export(made, ["Main"], tmp_path / "b", format="parquet", everything=True)
    remove(made, ["Main:tdvc-export.json"])
    stock(made, "Main", {"removed.jsonl": b"{}"})
    export(made, ["Main"], tmp_path / "c", format="tdvc-jsonl", everything=True)
    with fails(Refused, "file-exists"):
        export(made, ["Main"], tmp_path / "d", format="tdvc-jsonl", everything=True, since="v1")


@pytest.mark.parametrize("name", ENGINE_FORMATS)
def test_importing_what_was_applied_changes_nothing(tmp_path: Path, name: str) -> None:
    made = changed(("remove", "a.jpg", 0), ("annotate", "a.png", 4))
    take_out(made, "v1", tmp_path / "v1", name, everything=True)
    take_out(made, "Main", tmp_path / "d", name, since="v1", everything=True)
    apply_export(tmp_path / "v1", tmp_path / "d", tmp_path / "out")
    result = import_(made, tmp_path / "out", options=ImportOptions(dry_run=True))
    assert (result.added_files, result.annotated_files, result.unchanged_files) == (0, 0, len(made["Main"]))


def test_every_field_of_the_manifest_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/engines.md").read_text(encoding="utf-8")
    rows = "".join(line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `"))
    assert [name for name in Manifest.__struct_fields__ if f"`{name}`" not in rows] == []
