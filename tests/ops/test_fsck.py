"""fsck: what is sound gives no finding, each kind of wrong gives its own, and repair brings back what can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tdvc.errors import Corruption, Usage
from tdvc.ids import NO_ID, FileId, Kind, ObjectId
from tdvc.objects.pack import PackWriter
from tdvc.objects.packcheck import intact_records
from tdvc.objects.sweep import to_trash
from tdvc.ops.annotate import relabel
from tdvc.ops.collecting import collect
from tdvc.ops.committing import commit
from tdvc.ops.findings import FINDINGS
from tdvc.ops.fsck import FsckResult, fsck
from tdvc.ops.inspection import MODES
from tdvc.ops.snapshots import snapshot
from tdvc.ops.transfer import mirror, remove
from tdvc.ops.undoing import undo
from tdvc.repo import oplog
from tdvc.repo.entry import FILES, PATHS
from tdvc.repo.repository import Repository
from tdvc.repo.view import Operation, read_operation
from tdvc.tables.edit import build
from tdvc.tables.page import Row, encode_page
from tests.ops.build import box, fails, held, jpeg, stock
from tests.ops.test_collecting import NO_GRACE, again


@pytest.fixture
def pets(repository: Repository) -> Repository:
    """Two directories that share files, commits, a snapshot, a large file, and edits that are staged."""
    files = {f"{name}.jpg": (jpeg(name * 200), [box("dog"), box("cat")]) for name in "abcdef"}
    stock(repository, "Main", files)
    stock(repository, "Main", {"large.bin": b"\0\1" * (5 << 20)})
    commit(repository, "first")
    snapshot(repository, None, "v1")
    mirror(repository, ["Main:a.jpg", "Main:b.jpg"], "Side")
    relabel(repository, "dog", "wolf")
    commit(repository, "second")
    remove(repository, ["Main:f.jpg"])
    return repository


def codes(result: FsckResult) -> set[str]:
    return {finding.code for finding in result.findings}


def rows_of(repository: Repository, directory: str) -> list[Row]:
    return list(repository[directory].table.scan())


def publish(repository: Repository, directory: str, rows: list[Row] | None = None, paths: list[Row] | None = None):
    """A view whose tables somebody wrote who does not keep the rules."""
    view = repository.view
    ref = view.directories[directory]
    with repository.objects.writer() as writer:
        if rows is not None:
            fitting = sorted({row[1]: (row[1], row[0]) for row in rows}.values())
            ref = replace(ref, root=build(writer, FILES, rows), paths=build(writer, PATHS, fitting))
        if paths is not None:
            ref = replace(ref, paths=build(writer, PATHS, paths))
        publish_ref(repository, writer, directory, ref)


def publish_ref(repository: Repository, writer, directory: str, ref) -> None:
    view = replace(repository.view, directories={**repository.view.directories, directory: ref})
    operation = Operation(
        ObjectId(writer.put(Kind.VIEW, view.encode())), repository.head(), "by hand", "Eve", "2026-01-01"
    )
    identity = oplog.write(writer, view, operation)
    writer.publish()
    oplog.move_head(repository.storage, oplog.heads(repository.storage), identity)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_found_in_a_sound_repository(pets: Repository, mode: str) -> None:
    before = dict(pets.storage.files)
    result = fsck(pets, mode=mode, repair=True)
    assert (result.findings, result.repairs, pets.storage.files) == ([], [], before)
    assert result.blobs == (6 if mode == "quick" else 7)


@pytest.mark.parametrize("mode", MODES)
def test_nothing_is_found_after_gc_undo_and_a_thousand_files(pets: Repository, mode: str) -> None:
    stock(pets, "Many", {f"{number:04}/{number}.jpg": jpeg(str(number)) for number in range(1500)})
    commit(pets, "many", "Many")
    undo(pets)
    collect(pets, keep_operations=NO_GRACE, now=True)
    assert fsck(pets, mode=mode).findings == []


def test_what_nothing_needs_is_counted_and_no_finding(pets: Repository) -> None:
    with pets.objects.writer() as writer:
        writer.put(Kind.BLOB, b"nobody's")
        writer.publish()
    result = fsck(pets)
    assert (result.findings, result.unneeded_objects) == ([], 1)
    assert result.objects >= result.needed_objects


@pytest.mark.parametrize(("mode", "sample"), [("thorough", None), ("default", 101.0), ("default", -1.0)])
def test_a_mode_that_is_none_is_refused(pets: Repository, mode: str, sample: float | None) -> None:
    with fails(Usage, "bad-usage"):
        fsck(pets, mode=mode, sample=sample)


# rules broken by hand


def swapped(rows: list[Row]) -> list[Row]:
    return [rows[1], rows[0], *rows[2:]]


def with_field(position: int, value: object) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: [(*rows[0][:position], value, *rows[0][position + 1 :]), *rows[1:]]


def with_key(key: bytes) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: sorted([(key, FileId(bytes(16)), *rows[0][2:]), *rows])


BROKEN: dict[str, tuple[Callable[[list[Row]], list[Row]], str]] = {
    "rows swapped": (swapped, "page-out-of-order"),
    "a row twice": (lambda rows: [rows[0], *rows], "page-out-of-order"),
    "a path that leads out": (with_key(b"../evil"), "path-invalid"),
    "a path that is not UTF-8": (with_key(b"\xff"), "path-invalid"),
    "a reserved path": (with_key(b"schema.json"), "path-invalid"),
    "a file that is a folder": (with_key(b"a.jpg/b"), "folder-and-file"),
    "one file at two paths": (lambda rows: [*rows, (b"z.jpg", *rows[0][1:])], "file-twice"),
    "a wrong size": (with_field(3, 5), "size-wrong"),
    "a wrong count": (with_field(5, 9), "count-wrong"),
    "a count without a set": (with_field(4, NO_ID), "row-invalid"),
    "half complete": (with_field(6, 7), "row-invalid"),
    "properties that are no JSON": (with_field(9, b"{"), "row-invalid"),
    "an origin cut short": (with_field(10, b"x" * 79), "row-invalid"),
    "a drifted mirror": (with_field(8, b"image/png"), "mirror-drifted"),
    "a missing blob": (with_field(2, ObjectId(b"x" * 32)), "object-missing"),
    "a missing set": (with_field(4, ObjectId(b"x" * 32)), "object-missing"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_rule_of_rows_is_found_and_named(pets: Repository, what: str) -> None:
    breaks, code = BROKEN[what]
    publish(pets, "Main", breaks(rows_of(pets, "Main")))
    result = fsck(again(pets))
    assert code in codes(result)
    (finding, *_) = [finding for finding in result.findings if finding.code == code]
    assert finding.severity == FINDINGS[code].severity
    assert finding.place.startswith(("Main", "Side"))
    assert finding.follows and finding.advice and finding.message.endswith(".")


def test_a_table_cut_in_other_places_is_found(pets: Repository) -> None:
    rows = [(b"%04d.jpg" % n, n.to_bytes(16, "big"), *rows_of(pets, "Main")[0][2:]) for n in range(1500)]
    with pets.objects.writer() as writer:
        ids = [writer.put(Kind.PAGE, encode_page(FILES, 0, part)) for part in (rows[:700], rows[700:])]
        above = [(rows[699][0], ids[0], 700, 0, 0, 0), (rows[-1][0], ids[1], 800, 0, 0, 0)]
        root = ObjectId(writer.put(Kind.PAGE, encode_page(FILES, 1, above)))
        publish_ref(pets, writer, "Main", replace(pets.view.directories["Main"], root=root))
    assert {"page-cut-wrong", "page-misdescribed", "paths-out-of-step"} <= codes(fsck(again(pets)))


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"nonsense\n", "not-canonical"),
        (b'{"label":"dog","instance_id":"' + b"0" * 32 + b'","type":"tag"}\n', "not-canonical"),
        (b'{"instance_id":"%b","label":"dog","type":"tag"}\n' % (b"0" * 32) * 2, "not-canonical"),
        (b'{"instance_id":"%b","label":"unheard of","type":"tag"}\n' % (b"0" * 32), "label-unknown"),
    ],
)
def test_a_broken_instance_set_is_found(pets: Repository, content: bytes, code: str) -> None:
    with pets.objects.writer() as writer:
        identity = writer.put(Kind.INSTANCES, content)
        writer.publish()
    rows = [(*row[:4], identity, 1, *row[6:]) if row[0] == b"c.jpg" else row for row in rows_of(pets, "Main")]
    publish(pets, "Main", rows)
    result = fsck(again(pets))
    assert code in codes(result)
    assert "Main:c.jpg" in {finding.place for finding in result.findings}


# repair


def test_a_table_of_paths_out_of_step_is_made_again_as_an_operation(pets: Repository) -> None:
    right = pets.view.directories["Main"].paths
    publish(pets, "Main", paths=[(row[1], b"elsewhere") for row in sorted(rows_of(pets, "Main"), key=lambda r: r[1])])
    head = pets.head()
    planned = fsck(again(pets), repair=True, dry_run=True)
    assert codes(planned) == {"paths-out-of-step"} and planned.repairs
    assert again(pets).head() == head
    assert fsck(again(pets), repair=True).findings == []
    assert again(pets).view.directories["Main"].paths == right
    undo(again(pets))


def test_a_lost_table_of_paths_is_made_again(pets: Repository) -> None:
    kept = rows_of(pets, "Main")
    page = pets.view.directories["Main"].paths
    drop(pets, Kind.PAGE, page)
    assert "object-missing" in codes(fsck(again(pets)))
    assert fsck(again(pets), repair=True).findings == []
    assert rows_of(again(pets), "Main") == kept


def drop(repository: Repository, *wanted: Kind | ObjectId) -> None:
    """Take one object out of the store, leaving everything else."""
    kind, identity = wanted
    storage = repository.storage
    for number, name in enumerate([f"packs/{name}" for name in storage.names("packs")]):
        writer = PackWriter(storage)
        for record, stored in intact_records(storage, repository.objects, name):
            if (record.kind, record.identity) != (kind, identity):
                place = record.location
                writer.add(record.kind, record.identity, stored, place.codec, place.size_bytes)
        storage.remove(name)
        writer.seal()
        writer.publish(f"{number:016x}")


def test_what_only_the_trash_has_comes_back(pets: Repository) -> None:
    before = held(pets, "Main")
    storage = pets.storage
    names = [name for name in storage.files if name.startswith(("packs/", "blobs/"))]
    to_trash(storage, names, "0" * 16)
    assert codes(fsck(again(pets))) == {"only-in-trash"}
    assert fsck(again(pets), repair=True).findings == []
    assert held(again(pets), "Main") == before
    storage.remove_all([name for name in storage.files if name.startswith("trash/")])
    assert fsck(again(pets)).findings == []


@pytest.mark.parametrize("stray", [[], ["garbage"], ["00" * 32], ["00" * 32, "garbage"]])
def test_a_lost_head_is_found_again(pets: Repository, stray: list[str]) -> None:
    head = pets.head()
    pets.storage.remove(f"heads/{head.hex()}")
    for name in stray:
        pets.storage.create(f"heads/{name}")
    assert "head-missing" in codes(fsck(again(pets), mode="quick"))
    result = fsck(again(pets), repair=True)
    assert result.findings == []
    assert again(pets).head() == head


def test_the_newest_operation_that_is_whole_becomes_the_head(pets: Repository) -> None:
    head = pets.head()
    drop(pets, Kind.VIEW, last_view(pets))
    pets.storage.remove(f"heads/{head.hex()}")
    result = fsck(again(pets), repair=True)
    assert "commit" in " ".join(result.repairs)
    assert "remove" in " ".join(result.repairs)
    assert next(oplog.history(again(pets).objects, again(pets).head()))[1].command.startswith("commit")
    assert again(pets)["Main"]["f.jpg"].read() == jpeg("f" * 200)


def test_history_stays_where_the_head_is_whole_and_what_it_shows_is_not(pets: Repository) -> None:
    head = pets.head()
    drop(pets, Kind.VIEW, last_view(pets))
    result = fsck(again(pets), repair=True)
    assert {finding.kind for finding in result.findings} <= {"view"}
    commands = [operation.command for _, operation in oplog.history(again(pets).objects, again(pets).head())]
    assert commands[0] == "fsck --repair" and commands[1].startswith("remove")
    assert head in {identity for identity, _ in oplog.history(again(pets).objects, again(pets).head())}
    assert again(pets)["Main"]["f.jpg"].read() == jpeg("f" * 200)


def last_view(repository: Repository) -> ObjectId:
    return read_operation(repository.objects, repository.head()).view


def test_a_head_that_was_set_back_is_noticed(pets: Repository) -> None:
    head = pets.head()
    before = next(operation for _, operation in oplog.history(pets.objects, head)).parent
    assert before is not None
    oplog.move_head(pets.storage, [head], before)
    result = fsck(again(pets))
    assert codes(result) == {"operation-unnamed"}
    assert result.errors == 0


def test_a_lost_blob_is_named_with_everybody_who_needs_it(pets: Repository) -> None:
    blob = pets["Main"].entry("a.jpg").state.blob
    drop(pets, Kind.BLOB, blob)
    result = fsck(again(pets), repair=True)
    (finding,) = result.findings
    assert (finding.code, finding.kind, finding.id) == ("object-missing", "blob", blob.hex())
    assert finding.used_by == ("Main:a.jpg", "Side:a.jpg")
    assert "add --reread" in finding.advice
    stock(again(pets), "Other", {"again.jpg": jpeg("a" * 200)})
    assert fsck(again(pets)).findings == []


def test_a_format_of_another_version_is_refused_without_a_write(pets: Repository) -> None:
    pets.storage.replace("format", b"tdvc 2 blake3\n")
    before = dict(pets.storage.files)
    with fails(Corruption, "repository-format"):
        fsck(again(pets), repair=True)
    assert pets.storage.files == before


def test_views_that_are_gone_are_noted_for_undo(pets: Repository) -> None:
    operations = list(oplog.history(pets.objects, pets.head()))
    drop(pets, Kind.VIEW, operations[2][1].view)
    assert codes(fsck(again(pets))) == {"object-missing"}
    assert fsck(again(pets), repair=True).findings == []


def test_a_sample_reads_that_share(pets: Repository) -> None:
    assert fsck(pets, sample=0.0).read_blobs == 0
    assert fsck(pets, sample=100.0).read_blobs == 7
