"""Creating and opening repositories; copies of them; and roots that depend on nothing but what is in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tdvc.errors import Corruption, NoRepository, NotFound, Refused, StorageFailure, Usage
from tdvc.model.records import make_instance
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.conftest import files_below


def init(path: Path) -> Repository:
    return Repository.init(path, author="Ada", durable=False)


def reopened(path: Path) -> Repository:
    return Repository.open(path, author="Grace", durable=False)


def fill(repository: Repository) -> None:
    with repository.transaction("fill") as edit:
        for number in range(20):
            edit.add_bytes("Main", f"{number:02}.jpg", b"%d" % number)
    with repository.transaction("commit") as edit:
        edit.commit("Main", "first")


# creating


def test_a_new_repository_has_one_empty_directory(tmp_path: Path) -> None:
    repository = Repository.init(tmp_path / "new" / "deep", author="Ada", directory="Pets", durable=False)
    assert list(repository) == ["Pets"]
    assert repository.view.current == "Pets"
    assert repository["Pets"].counts == (0, 0, 0, 0)
    assert (tmp_path / "new/deep/.tdvc/format").read_bytes() == b"tdvc 1 sha256\n"
    assert repository.path == tmp_path / "new" / "deep"


def test_a_repository_is_created_once(tmp_path: Path) -> None:
    init(tmp_path)
    before = files_below(tmp_path)
    with pytest.raises(Refused) as caught:
        init(tmp_path)
    assert caught.value.code == "repository-exists"
    assert files_below(tmp_path) == before


def test_two_that_create_it_at_once_do_not_take_it_from_each_other(tmp_path: Path) -> None:
    first = init(tmp_path)
    fill(first)
    late = Repository(first.storage, author="Grace", path=tmp_path)
    with pytest.raises(Refused) as caught:
        late.start()
    assert caught.value.code == "repository-exists"
    assert len(reopened(tmp_path)["Main"]) == 20


def test_what_is_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").mkdir()
    (tmp_path / "link/.tdvc").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").mkdir()
    (tmp_path / "file/.tdvc").write_bytes(b"mine")
    for name in ("link", "file"):
        with pytest.raises(Refused):
            init(tmp_path / name)
    with pytest.raises(StorageFailure):
        init(tmp_path / "file/.tdvc/below")
    assert os.listdir(tmp_path / "elsewhere") == []
    assert (tmp_path / "file/.tdvc").read_bytes() == b"mine"


def test_a_bad_directory_name_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(Usage):
        Repository.init(tmp_path, author="Ada", directory="a/b", durable=False)
    with pytest.raises(NoRepository):
        reopened(tmp_path)


# opening


def test_a_repository_is_found_from_any_folder_below(tmp_path: Path) -> None:
    fill(init(tmp_path))
    (tmp_path / "a/b").mkdir(parents=True)
    for place in (tmp_path, tmp_path / "a", tmp_path / "a/b", tmp_path / "a/not/there"):
        assert len(reopened(place)["Main"]) == 20


def test_the_nearest_repository_is_opened(tmp_path: Path) -> None:
    init(tmp_path)
    inner = Repository.init(tmp_path / "inner", author="Ada", directory="Inner", durable=False)
    assert list(reopened(tmp_path / "inner")) == list(inner) == ["Inner"]


def test_where_there_is_none_it_is_said(tmp_path: Path) -> None:
    (tmp_path / ".tdvc").mkdir()
    with pytest.raises(NoRepository) as caught:
        reopened(tmp_path)
    assert caught.value.exit_code == 10


@pytest.mark.parametrize(
    "found", [b"tdvc 2 sha256\n", b"tdvc 1 blake3\n", b"", b"tdvc 1 sha256", b"tdvc 1 sha256\n\n", b"\xff\0" * 100]
)
def test_an_unknown_format_is_refused_without_a_write(tmp_path: Path, found: bytes) -> None:
    fill(init(tmp_path))
    (tmp_path / ".tdvc/format").chmod(0o644)
    (tmp_path / ".tdvc/format").write_bytes(found)
    before = files_below(tmp_path)
    with pytest.raises(Corruption) as caught:
        reopened(tmp_path)
    with pytest.raises(Refused):
        init(tmp_path)
    assert caught.value.code == "repository-format"
    assert files_below(tmp_path) == before


def test_a_half_created_repository_is_refused_and_can_be_created_again(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / ".tdvc/format").unlink()
    with pytest.raises(Corruption) as caught:
        reopened(tmp_path)
    assert caught.value.code == "repository-format"
    assert "tdvc init" in caught.value.hint
    fill(init(tmp_path))
    assert len(reopened(tmp_path)["Main"]) == 20
    assert len(os.listdir(tmp_path / ".tdvc/heads")) == 1


def test_reading_writes_nothing(tmp_path: Path) -> None:
    fill(init(tmp_path))
    before = files_below(tmp_path)
    repository = reopened(tmp_path)
    assert [file.read() for file in repository["Main"]] == [b"%d" % number for number in range(20)]
    assert repository["Main~0"].counts.files == 20
    assert files_below(tmp_path) == before


# reading


def test_a_directory_gives_its_files_by_path_and_in_order(repository: Repository) -> None:
    fill(repository)
    state = repository["Main"]
    assert [file.path for file in state] == [f"{number:02}.jpg" for number in range(20)]
    assert state["07.jpg"].read() == b"7"
    assert state["07.jpg"].blob_id == state.entry("07.jpg").state.blob.hex()
    assert "07.jpg" in state
    assert "7.jpg" not in state
    assert 7 not in state
    assert [entry.path for entry in state.entries("1")] == [f"{number}.jpg" for number in range(10, 20)]
    assert state.counts == (20, 30, 0, 0)
    found = state.find_file(state["07.jpg"].state.file_id)
    assert found is not None
    assert found.path == "07.jpg"
    with pytest.raises(NotFound) as caught:
        state["none.jpg"]
    assert caught.value.code == "file-not-found"


def test_a_directory_that_is_not_there_is_said_with_those_that_are(repository: Repository) -> None:
    with pytest.raises(NotFound) as caught:
        repository.directory("Dogs")
    assert caught.value.code == "directory-not-found"
    assert "Main" in caught.value.hint
    assert repository.directory(None).name == "Main"


def test_counts_follow_what_is_in_it(repository: Repository) -> None:
    fill(repository)
    dogs = [make_instance({"label": "dog", "type": "tag"}) for _ in range(3)]
    with repository.transaction("label") as edit:
        for path in ("01.jpg", "02.jpg"):
            edit.annotate(repository["Main"][path], dogs)
    assert repository["Main"].counts == (20, 30, 6, 0)
    assert repository["Main@"].counts == (20, 30, 0, 0)
    assert len(repository["Main"]["01.jpg"].instances) == 3


# several processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_processes_that_write_and_read_at_once_lose_nothing(tmp_path: Path) -> None:
    init(tmp_path)
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for turn in range(6):
                    with reopened(tmp_path).transaction(f"{number} {turn}") as edit:
                        edit.add_bytes("Main", f"{number}/{turn}.jpg", b"%d %d" % (number, turn))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    reader, seen, ended = reopened(tmp_path), [0], dict.fromkeys(children, -1)
    while -1 in ended.values():
        seen.append(len(reader["Main"]))
        for child in children:
            if ended[child] == -1:
                gone, status = os.waitpid(child, os.WNOHANG)
                ended[child] = status if gone else -1
    assert set(ended.values()) == {0}
    assert seen == sorted(seen)
    expected = {f"{number}/{turn}.jpg": b"%d %d" % (number, turn) for number in range(3) for turn in range(6)}
    assert {file.path: file.read() for file in reopened(tmp_path)["Main"]} == expected


# copies and other machines


def test_a_repository_can_be_moved_and_copied(tmp_path: Path) -> None:
    fill(init(tmp_path / "here"))
    root = reopened(tmp_path / "here")["Main"].root
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    (tmp_path / "here").rename(tmp_path / "moved")
    for name in ("copy", "moved"):
        repository = reopened(tmp_path / name)
        assert repository["Main"].root == root
        with repository.transaction(f"only in {name}") as edit:
            edit.add_bytes("Main", f"{name}.jpg", name.encode())
        assert repository["Main"][f"{name}.jpg"].read() == name.encode()
    assert "moved.jpg" not in reopened(tmp_path / "copy")["Main"]


def test_no_file_of_a_repository_names_where_it_is(tmp_path: Path) -> None:
    place = tmp_path / "a-very-particular-name"
    fill(init(place))
    assert not [name for name, content in files_below(place).items() if b"a-very-particular-name" in content]


BUILD = """
import random, sys
from tdvc.model.records import make_instance
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
repository = Repository(MemoryStorage(), author=sys.argv[1])
repository.start()
numbers = list(range(700))
random.Random(int(sys.argv[2])).shuffle(numbers)
with repository.transaction("add") as edit:
    for number in numbers:
        edit.add_bytes("Main", f"b\\u00fcro/{number}-\\u0130I.jpg", str(number).encode(), "image/jpeg")
with repository.transaction("annotate") as edit:
    for label in {"dog", "cat", "\\u00c4pfel", "bird"}:
        number = sum(label.encode()) % 700
        fields = {"label": label, "type": "box", "geometry": [1, 2.5, 3, 4], "instance_id": f"{number:032x}"}
        fields["attributes"] = {name: 1 for name in {"one", "two", "three", "four"}}
        edit.annotate(repository["Main"][f"b\\u00fcro/{number}-\\u0130I.jpg"], [make_instance(fields)])
state = repository["Main"]
print(state.root.hex(), state.schema_id.hex(), *state.counts)
"""

SURROUNDINGS = [
    {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "0"},
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"},
    {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "12345", "PYTHONUTF8": "0"},
]


def test_a_root_depends_on_nothing_but_what_is_in_it() -> None:
    results = []
    for number, surroundings in enumerate(SURROUNDINGS):
        environment = {**os.environ, **surroundings, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", BUILD, f"author {number}", str(number)]
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        results.append(done.stdout)
    assert results[0].split()[2:] == [b"700", b"1990", b"4", b"0"]
    assert len(set(results)) == 1


def test_a_repository_in_memory_is_like_one_on_disk(disk_repository: Repository, repository: Repository) -> None:
    for each in (disk_repository, repository):
        fill(each)
    assert disk_repository["Main"].root == repository["Main"].root
    assert isinstance(repository.storage, MemoryStorage)
    with pytest.raises(Refused):
        repository.start()
