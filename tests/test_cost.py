"""What commands cost: how much is read and written follows what changes, not how much there is."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import pytest

from tdvc.ids import Kind, ObjectId, file_ids
from tdvc.model.records import make_instance
from tdvc.objects.pack import PackReader
from tdvc.objects.store import ObjectStore
from tdvc.ops.applying import apply
from tdvc.ops.committing import commit
from tdvc.ops.diffing import diff
from tdvc.ops.merging import merge
from tdvc.ops.patching import patch_lines
from tdvc.ops.restoring import reset
from tdvc.ops.status import status
from tdvc.ops.transfer import copy, mirror
from tdvc.repo.entry import FileState
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage

ROWS = 20_000
LEVELS = 2
"""Of a table of that many rows: leaves of about 256 rows, and a root."""


class CountingStorage(MemoryStorage):
    """Counts what is read and what becomes visible."""

    def __init__(self) -> None:
        super().__init__()
        self.read_bytes = self.read_calls = 0

    def read(self, name: str) -> bytes:
        return self._counted(super().read(name))

    def read_range(self, name: str, start: int, length: int) -> bytes:
        return self._counted(self.files[name][start : start + length])

    def size(self, name: str) -> int:
        return len(super().read(name))

    def _counted(self, content: bytes) -> bytes:
        self.read_calls += 1
        self.read_bytes += len(content)
        return content


class Cost(NamedTuple):
    """What something did: packs and objects written, by kind, their bytes; objects read by kind, and all bytes read."""

    packs: int
    written: dict[Kind, int]
    written_bytes: int
    read: dict[Kind, int]
    read_bytes: int


def state(directory: str, path: str) -> FileState:
    blob = ObjectId(hashlib.sha256(path.encode()).digest())
    (identity,) = file_ids(directory, [(path, blob)])
    return FileState(identity, blob, 100_000, media_type=b"image/jpeg")


def filled(rows: int = ROWS) -> CountingStorage:
    """A repository whose directory Main has that many files; their bytes are not there, for nobody needs them."""
    storage = CountingStorage()
    repository = Repository(storage, author="Ada")
    repository.start()
    with repository.transaction("rows") as edit:
        for number in range(rows):
            path = f"folder-{number % 7}/{number:06}.jpg"
            edit.put("Main", path, state("Main", path))
    return storage


@pytest.fixture(scope="module")
def master() -> CountingStorage:
    return filled()


@pytest.fixture
def storage(master: CountingStorage) -> CountingStorage:
    copied = CountingStorage()
    copied.files = dict(master.files)
    return copied


@pytest.fixture
def cost_of(
    storage: CountingStorage, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Repository], object]], Cost]:
    """Runs something in a repository that was just opened, with nothing cached, and says what it cost."""

    @contextmanager
    def reads_counted(counts: dict[Kind, int]) -> AbstractContextManager[None]:
        read = ObjectStore.read

        def counted(self: ObjectStore, kind: Kind, identity: ObjectId) -> bytes:
            counts[kind] = counts.get(kind, 0) + 1
            return read(self, kind, identity)

        with monkeypatch.context() as patch:
            patch.setattr(ObjectStore, "read", counted)
            yield

    def measure(act: Callable[[Repository], object]) -> Cost:
        before = dict(storage.files)
        storage.read_bytes = 0
        counts: dict[Kind, int] = {}
        with reads_counted(counts):
            act(Repository(storage, author="Ada"))
        read_bytes = storage.read_bytes
        new = [name for name in storage.files if name not in before and name.startswith("packs/")]
        assert all(storage.files.get(name) == content for name, content in before.items() if "heads/" not in name)
        written: dict[Kind, int] = {}
        for name in new:
            for kind, _, _ in PackReader(storage, name).entries():
                written[kind] = written.get(kind, 0) + 1
        return Cost(len(new), written, sum(len(storage.files[name]) for name in new), counts, read_bytes)

    return measure


def label_one(repository: Repository, path: str = "folder-4/010000.jpg") -> None:
    with repository.transaction("label") as edit:
        edit.annotate(
            repository["Main"][path], [make_instance({"label": "dog", "type": "tag", "instance_id": "0" * 32})]
        )


def make_mirrors(storage: CountingStorage, at: str = "") -> None:
    """Two more directories that hold every file, at the same paths or below `at`."""
    repository = Repository(storage, author="Ada")
    mirror(repository, ["Main"], f"Dogs:{at}" if at else "Dogs")
    mirror(repository, ["Main"], f"Night:night-{at}" if at else "Night")


def levels_of(storage: CountingStorage, directory: str) -> int:
    """How many pages lie above each other; chance may put a page of page ids more on top."""
    table = Repository(storage, author="Ada")[directory].table
    return table.page(table.root).level + 1


def test_an_edit_of_one_file_writes_one_page_a_level_in_one_pack(storage, cost_of) -> None:
    cost = cost_of(label_one)
    assert cost.packs == 1
    assert cost.written == {
        Kind.PAGE: LEVELS,
        Kind.INSTANCES: 1,
        Kind.SCHEMA: 1,
        Kind.VIEW: 1,
        Kind.OPERATION: 1,
    }
    assert cost.written_bytes < 100_000
    assert cost.read[Kind.PAGE] <= 8 * LEVELS
    assert cost.read_bytes < 500_000 < sum(map(len, storage.files.values())) / 3


def test_an_edit_costs_the_same_in_a_directory_ten_times_smaller(cost_of) -> None:
    large = cost_of(label_one)
    small = filled(ROWS // 10)
    before = set(small.files)
    label_one(Repository(small, author="Ada"), "folder-6/001000.jpg")
    (new,) = (name for name in small.files if name not in before and name.startswith("packs/"))
    assert sum(large.written.values()) == PackReader(small, new).count


def test_an_edit_shows_in_three_directories_for_one_page_a_level_each(storage, cost_of) -> None:
    make_mirrors(storage, at="x/")
    levels = sum(levels_of(storage, where) for where in ("Main", "Dogs", "Night"))
    cost = cost_of(label_one)
    assert cost.packs == 1
    assert cost.written[Kind.PAGE] == levels <= 3 * (LEVELS + 1)
    assert cost.written[Kind.INSTANCES] == 1
    assert cost.read[Kind.PAGE] <= 6 * levels
    repository = Repository(storage, author="Ada")
    for where in ("Main", "Dogs", "Night"):
        assert repository[where].counts.instances == 1


def test_an_edit_of_three_equal_directories_writes_no_more_than_of_one(storage, cost_of) -> None:
    make_mirrors(storage)
    cost = cost_of(label_one)
    assert cost.written[Kind.PAGE] == LEVELS
    repository = Repository(storage, author="Ada")
    assert len({repository[where].root for where in ("Main", "Dogs", "Night")}) == 1


def test_mirroring_a_whole_directory_writes_no_page(cost_of) -> None:
    cost = cost_of(lambda repository: mirror(repository, ["Main"], "Dogs"))
    assert cost.packs == 1
    assert cost.written.get(Kind.PAGE, 0) <= 2  # the two tables of an empty directory at most
    assert cost.written_bytes < 10_000


def test_a_commit_writes_three_objects_whatever_it_holds(cost_of) -> None:
    cost = cost_of(lambda repository: commit(repository, "first"))
    assert cost.packs == 1
    assert cost.written == {Kind.COMMIT: 1, Kind.VIEW: 1, Kind.OPERATION: 1}
    assert cost.written_bytes < 10_000


def test_a_second_commit_reads_what_changed_only(storage, cost_of) -> None:
    commit(Repository(storage, author="Ada"), "first")
    label_one(Repository(storage, author="Ada"))
    cost = cost_of(lambda repository: commit(repository, "second"))
    assert cost.written == {Kind.COMMIT: 1, Kind.VIEW: 1, Kind.OPERATION: 1}
    assert cost.read[Kind.PAGE] <= 8 * LEVELS


@pytest.mark.parametrize("committed", [False, True])
def test_status_reads_roots_only(storage, cost_of, committed: bool) -> None:
    make_mirrors(storage)
    if committed:
        for name in ("Main", "Dogs", "Night"):
            commit(Repository(storage, author="Ada"), "all", name)
    roots = len(set(Repository(storage, author="Ada").view.directories))
    cost = cost_of(lambda repository: status(repository))
    assert cost.packs == 0
    assert cost.read[Kind.PAGE] <= 2 * roots
    assert cost.read_bytes < 200_000


def test_status_after_an_edit_reads_what_changed_only(storage, cost_of) -> None:
    commit(Repository(storage, author="Ada"), "first")
    label_one(Repository(storage, author="Ada"))
    cost = cost_of(lambda repository: status(repository))
    assert cost.read[Kind.PAGE] <= 5 * LEVELS


def test_a_diff_of_one_change_reads_what_changed_only(storage, cost_of) -> None:
    commit(Repository(storage, author="Ada"), "first")
    label_one(Repository(storage, author="Ada"))
    cost = cost_of(lambda repository: list(diff(repository, "Main@", "Main").files()))
    assert cost.read[Kind.PAGE] <= 4 * LEVELS
    assert cost.packs == 0


def test_a_merge_of_two_branches_reads_what_changed_only(storage, cost_of) -> None:
    repository = Repository(storage, author="Ada")
    commit(repository, "first")
    label_one(repository, "folder-4/010000.jpg")
    branch = commit(repository, "their branch").commit
    reset(repository, "Main~1", "Main")
    label_one(repository, "folder-2/010005.jpg")
    commit(repository, "our branch")
    cost = cost_of(lambda repository: merge(repository, branch, "Main"))
    assert cost.read[Kind.COMMIT] <= 10
    assert cost.read[Kind.PAGE] <= 12 * LEVELS
    assert cost.written.get(Kind.PAGE, 0) <= LEVELS
    assert cost.read.get(Kind.INSTANCES, 0) == 0  # their set is taken whole


def test_merging_a_copy_again_reads_what_changed_only(storage, cost_of) -> None:
    repository = Repository(storage, author="Ada")
    commit(repository, "first")
    copy(repository, ["Main"], "Alice", with_instances=True)
    commit(repository, "a copy", "Alice")
    merge(repository, "Alice", "Main")
    with repository.transaction("label") as edit:
        file = repository["Alice"]["folder-4/010000.jpg"]
        edit.annotate(file, [make_instance({"label": "dog", "type": "tag", "instance_id": "0" * 32})])
    commit(repository, "second", "Alice")
    cost = cost_of(lambda repository: merge(repository, "Alice", "Main"))
    assert cost.read[Kind.PAGE] <= 16 * LEVELS


def test_looking_at_one_file_reads_one_page_a_level(cost_of) -> None:
    cost = cost_of(lambda repository: repository["Main"]["folder-4/010000.jpg"])
    assert cost.read[Kind.PAGE] == LEVELS


def test_opening_reads_the_head_alone(cost_of) -> None:
    cost = cost_of(lambda repository: repository.view)
    assert cost.read == {Kind.OPERATION: 1, Kind.VIEW: 1}


@pytest.mark.parametrize("edited", [1, 4, 16])
def test_what_an_instance_diff_and_a_patch_read_grows_with_the_change(storage, cost_of, edited: int) -> None:
    commit(Repository(storage, author="Ada"), "first")
    repository = Repository(storage, author="Ada")
    with repository.transaction("label") as edit:
        for number in range(0, edited * 1000, 1000):
            path = f"folder-{number % 7}/{number:06}.jpg"
            made = make_instance({"label": "dog", "type": "box", "geometry": [1, 2, 3, 4]})
            edit.annotate(repository["Main"][path], [made])
    for read in (lambda repository: list(diff(repository)), lambda repository: list(patch_lines(diff(repository)))):
        cost = cost_of(read)
        assert cost.read[Kind.PAGE] <= 2 * (LEVELS + edited)
        assert cost.read.get(Kind.INSTANCES, 0) == edited
        assert cost.packs == 0


def test_applying_a_patch_reads_and_writes_what_it_touches(storage, cost_of) -> None:
    commit(Repository(storage, author="Ada"), "first")
    label_one(Repository(storage, author="Ada"))
    repository = Repository(storage, author="Ada")
    patch = b"".join(patch_lines(diff(repository)))
    cost = cost_of(lambda repository: apply(repository, io.BytesIO(patch), reverse=True))
    assert cost.read[Kind.PAGE] <= 12 * LEVELS
    assert cost.written.get(Kind.PAGE, 0) <= LEVELS
    assert cost.read[Kind.INSTANCES] <= 2
