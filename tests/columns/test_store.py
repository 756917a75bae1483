"""The cache of columns: what is in it, and that nothing is lost when it is lost."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tdvc.columns.layout import FOLDER
from tdvc.columns.store import ColumnStore
from tdvc.ids import Kind
from tdvc.ops.annotate import annotate
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.ops.build import box, fails, lines, stock


def fill(repository: Repository, count: int = 30) -> None:
    instances = [
        box("dog", (1, 2, 31.5, 42), score=0.5, attributes={"age": 3}, source="human", sequence="s", frame=4),
        {"label": "lawn", "type": "polygon", "geometry": [[[0, 0, 4, 4, 4, 0, 0, 4]]]},
        {"label": "night", "type": "tag"},
    ]
    stock(
        repository, "Main", {f"{number:04}.jpg": (b"%d" % number, instances[: number % 4]) for number in range(count)}
    )


def tables(repository: Repository, revision: str = "Main") -> tuple[list[dict], list[dict]]:
    found = ColumnStore(repository).of(repository[revision]).tables()
    return found.files.to_pylist(), found.instances.to_pylist()


def test_the_tables_say_what_the_directory_says(repository: Repository) -> None:
    fill(repository, 1500)
    files, instances = tables(repository)
    directory = repository["Main"]
    assert len({page.hex() for page in directory.table.leaf_ids()}) > 2
    assert [row["path"] for row in files] == [file.path for file in directory]
    for row, file in zip(files, directory, strict=True):
        for name in FileState._fields:
            stored = getattr(file.state, name)
            assert row[name] == (stored.decode() if name in ("media_type", "properties") else stored)
    expected = [(file.path, one) for file in directory for one in file.instances]
    assert len(instances) == len(expected)
    for row, (path, one) in zip(instances, expected, strict=True):
        assert (files[row["file"]]["path"], row["instance_id"].hex()) == (path, one.instance_id)
        assert (row["label"], row["type"], row["sequence"], row["frame"], row["source"]) == (
            (one.label, one.type, one.sequence, one.frame, one.source)
        )
        assert (row["attributes"], row["geometry"]) == (bytes(one.attributes).decode(), bytes(one.geometry).decode())
        drawn = None if row["x0"] is None else (row["x0"], row["y0"], row["x1"], row["y1"])
        assert drawn == one.bounding_box
        assert row["score"] == (0.5 if one.label == "dog" else None)
        assert row["crosses_itself"] == (one.type == "polygon")


def test_equal_instances_have_equal_content_and_others_have_not(repository: Repository) -> None:
    same = box("dog", (1, 2, 3, 4))
    others = [
        box("cat", (1, 2, 3, 4)),
        box("dog", (1, 2, 3, 5)),
        {**same, "frame": 1},
        {**same, "attributes": {"a": 1}},
    ]
    stock(repository, "Main", {"a.jpg": (b"a", [same, {**same, "properties": {"id": 7}}, *others])})
    content = [row["content"] for row in tables(repository)[1]]
    assert len(set(content)) == 5


@pytest.mark.parametrize(
    ("properties", "said", "splits"),
    [
        (
            b'{"pascal-voc":{"size":{"depth":"3","height":"480","width":"640"}},"splits":["train"]}',
            (640, 480),
            ["train"],
        ),
        (b'{"coco":{"height":480,"width":640}}', (640, 480), []),
        (b'{"labelme":{"imageHeight":480,"imageWidth":640}}', (640, 480), []),
        (b'{"size":[640,480]}', (640, 480), []),
        (b'{"coco":{"height":"many","width":640}}', (None, None), []),
        (b'{"coco":{"height":0,"width":640},"splits":[1,"val"]}', (None, None), ["val"]),
        (b"[1]", (None, None), []),
        (b"not JSON", (None, None), []),
        (b"", (None, None), []),
    ],
)
def test_the_size_that_a_source_gave(repository: Repository, properties: bytes, said: tuple, splits: list) -> None:
    with repository.transaction("stock") as edit:
        blob = edit.writer.put(Kind.BLOB, b"a")
        edit.put(
            "Main", "a.jpg", FileState(edit.fresh_ids("Main", [("a.jpg", blob)])[0], blob, 1, properties=properties)
        )
    row = tables(repository)[0][0]
    assert (row["said_width"], row["said_height"], row["splits"]) == (*said, splits)


def test_an_empty_directory_has_empty_tables(repository: Repository) -> None:
    assert tables(repository) == ([], [])


def cached(repository: Repository) -> dict[str, bytes]:
    return {name: repository.storage.read(f"{FOLDER}/{name}") for name in repository.storage.names(FOLDER)}


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_columns_are_kept_by_page_and_shared(place: str, repository: Repository, disk_repository: Repository) -> None:
    chosen = repository if place == "memory" else disk_repository
    fill(chosen, 1500)
    before = tables(chosen)
    names = set(cached(chosen))
    assert names == {page.hex() for page in chosen["Main"].table.leaf_ids()}
    annotate(chosen, lines({"op": "add", "path": "0000.jpg", "instance": box("new")}))
    assert len(tables(chosen)[1]) == len(before[1]) + 1
    assert len(set(cached(chosen)) - names) == 1


DAMAGES = {
    "gone": None,
    "empty": lambda content: b"",
    "cut short": lambda content: content[:-7],
    "head alone": lambda content: content[:64],
    "first byte": lambda content: b"x" + content[1:],
    "a bit in the lengths": lambda content: content[:9] + bytes([content[9] ^ 1]) + content[10:],
    "a bit in the middle": lambda content: content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1])
    + content[len(content) // 2 + 1 :],
    "the last bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "of nothing": lambda content: bytes(len(content)),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_made_again(repository: Repository, damage: str) -> None:
    fill(repository)
    before, whole = tables(repository), cached(repository)
    assert isinstance(repository.storage, MemoryStorage)
    for name, content in whole.items():
        spoil = DAMAGES[damage]
        if spoil is None:
            repository.storage.remove(f"{FOLDER}/{name}")
        else:
            repository.storage.files[f"{FOLDER}/{name}"] = spoil(content)
    assert tables(repository) == before
    assert cached(repository) == whole


def test_columns_are_made_in_memory_where_nothing_can_be_written(repository: Repository) -> None:
    class ReadOnly(MemoryStorage):
        def replace_cache(self, name: str, content: bytes) -> None:
            del name, content

    fill(repository)
    expected = tables(repository)
    assert isinstance(repository.storage, MemoryStorage)
    read_only = ReadOnly()
    read_only.files = {name: content for name, content in repository.storage.files.items() if "cache" not in name}
    again = Repository(read_only, author="Ada")
    assert tables(again) == expected == tables(again)
    assert again.storage.names(FOLDER) == []


def test_processes_make_the_same_columns(disk_repository: Repository) -> None:
    fill(disk_repository, 3000)
    columns = ColumnStore(disk_repository).of(disk_repository["Main"])
    several = [page.instances.to_pylist() for page in columns.pages(workers=2)]
    kept = cached(disk_repository)
    for name in kept:
        disk_repository.storage.remove(f"{FOLDER}/{name}")
    assert len(kept) > 8
    assert [page.instances.to_pylist() for page in columns.pages(workers=1)] == several
    assert cached(disk_repository) == kept


def test_a_damaged_set_costs_its_own_file_and_is_not_kept(repository: Repository) -> None:
    fill(repository, 6)
    with repository.transaction("damage") as edit:
        state = repository["Main"]["0003.jpg"].state
        gone = repository["Main"]["0002.jpg"].state
        broken = edit.writer.put(Kind.INSTANCES, b'{"label":"no type"}\n')
        edit.set_state(state._replace(instances=broken))
        edit.set_state(gone._replace(instances=bytes(31) + b"\1"))
    files, instances = tables(repository)
    assert [row["path"] for row in files if row["damaged"]] == ["0002.jpg", "0003.jpg"]
    assert {files[row["file"]]["path"] for row in instances} == {"0001.jpg", "0005.jpg"}
    assert cached(repository) == {}


def test_columns_of_some_rows_are_not_kept(repository: Repository) -> None:
    fill(repository, 600)
    rows = list(repository["Main"].table.scan())[:300]
    pages = list(ColumnStore(repository).of(repository["Main"]).of_rows(rows))
    assert [page.files.num_rows for page in pages] == [256, 44]
    assert cached(repository) == {}


def test_a_missing_page_is_an_error(repository: Repository) -> None:
    from tdvc.errors import Corruption
    from tdvc.repo.directory import Directory

    found = repository["Main"]
    missing = Directory(repository.objects, name="Main", root=bytes(31) + b"\1", schema_id=found.schema_id)  # type: ignore[arg-type]
    with fails(Corruption, "object-missing"):
        list(ColumnStore(repository).of(missing).pages())


def test_pandas_is_not_imported_for_columns(disk_repository: Repository) -> None:
    fill(disk_repository)
    script = (
        "import sys; from pathlib import Path; from tdvc.ops.validating import validate;"
        "from tdvc.repo.repository import Repository;"
        "validate(Repository.open(Path(sys.argv[1]), author='Ada'));"
        "print([name for name in ('pandas', 'pyarrow.compute') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script, str(disk_repository.path)], capture_output=True, text=True)
    assert ran.stdout == "[]\n", ran.stderr
