from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdvc.errors import Conflict, FormatError, NotFound
from tdvc.ids import FileId, Kind
from tdvc.model.records import make_instance
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.applying import apply
from tdvc.ops.committing import commit
from tdvc.ops.diffing import Diff, diff
from tdvc.ops.jsonlines import MAX_LINE_BYTES
from tdvc.ops.patching import patch_lines
from tdvc.ops.transfer import copy, mirror, move, remove
from tdvc.ops.undoing import undo
from tdvc.repo.entry import FileState, Origin
from tdvc.repo.repository import Repository
from tdvc.storage.base import MemoryStorage
from tests.ops.build import box, fails, file_id, identity, lines, stock, unchanged


class ModelFile(NamedTuple):
    """A file as a value: what a state says of it, by instance number."""

    path: str
    content: str
    instances: dict[int, tuple[str, str]]
    complete: bool
    properties: str
    copied: bool


Model = dict[int, ModelFile]
"""By the number of the file, which is its identity."""

INSTANCES = st.dictionaries(
    st.integers(1, 4), st.tuples(st.sampled_from(["dog", "cat"]), st.sampled_from(["1", "1.0", "2"])), max_size=3
)
PATHS = st.sampled_from(["a", "b", "c", "d/a", "d/b"])


@st.composite
def models(draw: st.DrawFn) -> Model:
    paths = draw(st.lists(PATHS, unique=True, max_size=5))
    numbers = draw(st.permutations(range(6)))
    return {
        number: ModelFile(
            path,
            draw(st.sampled_from(["x", "y"])),
            draw(INSTANCES),
            draw(st.booleans()),
            draw(st.sampled_from(["", '{"k":1}', '{"k":1.0,"l":2}'])),
            draw(st.booleans()),
        )
        for path, number in zip(paths, numbers, strict=False)
    }


def new_repository() -> Repository:
    made = Repository(MemoryStorage(), author="Ada")
    made.start()
    with made.transaction("learn") as edit:
        edit.learn_classes("test", {"dog": {}, "cat": {}})
        edit.create_directory("Other")
    return made


def put(repository: Repository, model: Model) -> None:
    """Make the staged state of Main what a model says."""
    with repository.transaction("put") as edit:
        states: dict[str, FileState | None] = {entry.path: None for entry in repository["Main"].entries()}
        for number, file in model.items():
            blob = edit.writer.put(Kind.BLOB, file.content.encode())
            made = [instance(key, *said) for key, said in file.instances.items()]
            set_id, count = edit.write_instances(made)
            schema = edit.view.schema if file.complete else bytes(32)
            origin = Origin(FileId(bytes(15) + b"\x77"), blob).encode() if file.copied else b""
            states[file.path] = FileState(
                FileId(bytes(15) + bytes([number])),
                blob,
                len(file.content),
                set_id,
                count,
                int(file.complete),
                schema,
                b"text/plain",
                file.properties.encode(),
                origin,
            )
        edit.restore("Main", states)


def instance(number: int, label: str, x: str) -> Any:
    return make_instance({"instance_id": identity(number), "label": label, "type": "point", "geometry": [float(x), 0]})


def patch_of(difference: Diff) -> io.BytesIO:
    return io.BytesIO(b"".join(patch_lines(difference)))


def expected(a: Model, b: Model) -> dict[str, Any]:
    """What a diff must say, from the models alone: path after (or before) to what happened."""
    said = {}
    gone = {file.path: file for number, file in a.items() if number not in b}
    for number, file in b.items():
        old = a.get(number)
        if old is None:
            continue
        facts = differences(old, file)
        if facts or old.path != file.path:
            said["+" + file.path] = ("moved" if old.path != file.path else "changed", old.path, facts)
    new = [file for number, file in b.items() if number not in a]
    for file in new:
        if file.path in gone:
            said["+" + file.path] = ("changed", file.path, differences(gone.pop(file.path), file))
        else:
            said["+" + file.path] = ("added", file.path, {})
    said.update({"-" + path: ("removed", path, {}) for path in gone})
    return said


def differences(old: ModelFile, new: ModelFile) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if old.content != new.content:
        facts["replaced"] = True
    if old.complete != new.complete:
        facts["completeness"] = True
    before, after = (json.loads(file.properties or "{}") for file in (old, new))
    if keys := {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}:
        facts["properties"] = keys
    values = [{key: (label, float(x)) for key, (label, x) in file.instances.items()} for file in (old, new)]
    if keys := {key for key in values[0].keys() | values[1].keys() if values[0].get(key) != values[1].get(key)}:
        facts["instances"] = keys
    return facts


def found(difference: Diff) -> dict[str, Any]:
    said = {}
    for change in difference:
        facts: dict[str, Any] = {}
        if change.replaced:
            facts["replaced"] = True
        if change.completeness:
            facts["completeness"] = True
        if change.properties:
            facts["properties"] = set(change.properties)
        if change.instances:
            facts["instances"] = {int(item.instance_id, 16) for item in change.instances}
        sign = "-" if change.kind == "removed" else "+"
        said[sign + change.path] = (change.kind, change.before_path, facts)
    return said


def without_copies(model: Model) -> Model:
    """Pairing copies is told apart elsewhere."""
    return {number: file._replace(copied=False) for number, file in model.items()}


EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(models(), models())
@EXAMPLES
def test_a_diff_says_what_two_dictionaries_say(a: Model, b: Model) -> None:
    a, b = without_copies(a), without_copies(b)
    repository = new_repository()
    put(repository, a)
    before = repository["Main"]
    put(repository, b)
    assert found(Diff(before, repository["Main"])) == expected(a, b)


@given(models(), models())
@EXAMPLES
def test_applying_a_diff_gives_the_state_it_leads_to_and_reversing_it_gives_back_the_first(a: Model, b: Model) -> None:
    repository = new_repository()
    put(repository, a)
    first = repository["Main"]
    put(repository, b)
    second = repository["Main"]
    patch = patch_of(Diff(first, second))
    put(repository, a)
    assert repository["Main"].root == first.root
    apply(repository, patch)
    assert repository["Main"].root == second.root
    patch.seek(0)
    apply(repository, patch, reverse=True)
    assert repository["Main"].root == first.root


@given(models())
@settings(max_examples=15, deadline=None)
def test_a_state_and_itself_make_an_empty_patch(a: Model) -> None:
    repository = new_repository()
    put(repository, a)
    state = repository["Main"]
    assert not Diff(state, state)
    assert patch_of(Diff(state, state)).read().count(b"\n") == 1
    assert apply(repository, patch_of(Diff(state, state))).operation is None


@given(models(), models(), models())
@settings(max_examples=40, deadline=None)
def test_a_patch_fits_or_changes_nothing(a: Model, b: Model, c: Model) -> None:
    repository = new_repository()
    put(repository, a)
    first = repository["Main"]
    put(repository, b)
    patch = patch_of(Diff(first, repository["Main"]))
    put(repository, c)
    before = repository.head()
    try:
        apply(repository, patch)
    except Conflict as error:
        assert error.code == "patch-does-not-fit"
        assert error.fields["misfits"]
        assert repository.head() == before
    else:
        patch.seek(0)
        apply(repository, patch, reverse=True)
        assert dict(repository["Main"].entries()) == model_entries(repository, c)


def model_entries(repository: Repository, model: Model) -> dict[str, FileState]:
    put(repository, model)
    return dict(repository["Main"].entries())


# by hand


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(repository, "Main", {"a.jpg": (b"a", [box("dog", (0, 0, 9, 9), 1, attributes={"age": 3})]), "b.jpg": b"b"})
    commit(repository, "first", "Main")
    return repository


def edited(repository: Repository) -> io.BytesIO:
    """A patch that moves a box, adds one, and marks a file; and the repository as it was before."""
    annotate(
        repository,
        lines(
            {"op": "update", "path": "a.jpg", "instance_id": identity(1), "set": {"geometry": [1, 0, 10, 9]}},
            {"op": "add", "path": "a.jpg", "instance": box("cat", (5, 5, 6, 6), 2)},
        ),
    )
    complete(repository, ["b.jpg"])
    patch = patch_of(diff(repository))
    for _ in range(2):
        undo(repository)
    return patch


def test_what_a_patch_did_is_counted_and_one_operation(pets: Repository) -> None:
    patch = edited(pets)
    before = pets.head()
    result = apply(pets, patch)
    assert (result.changed_files, result.added_instances, result.changed_instances, result.removed_instances) == (
        2,
        1,
        1,
        0,
    )
    assert result.operation == pets.head()
    undo(pets)
    assert pets.view == pets.view_of(before)


def test_a_dry_run_counts_and_changes_nothing(pets: Repository) -> None:
    patch = edited(pets)
    with unchanged(pets):
        result = apply(pets, patch, dry_run=True)
    assert (result.changed_files, result.operation) == (2, None)


def test_what_a_patch_does_not_touch_may_differ(pets: Repository) -> None:
    patch = edited(pets)
    annotate(pets, lines({"op": "add", "path": "a.jpg", "instance": box("owl", (1, 1, 2, 2), 3)}))
    move(pets, ["Main:b.jpg"], "Main:other.jpg")
    move(pets, ["Main:other.jpg"], "Main:b.jpg")
    stock(pets, "Main", {"c.jpg": b"c"})
    apply(pets, patch)
    assert [i.label for i in pets["Main"]["a.jpg"].instances] == ["dog", "cat", "owl"]


def test_a_mirrored_file_changes_everywhere(pets: Repository) -> None:
    patch = edited(pets)
    mirror(pets, ["Main"], "Dogs")
    apply(pets, patch, "Dogs")
    assert pets["Main"].root == pets["Dogs"].root


MISFITS: dict[str, tuple[Callable[[Repository], Any], str]] = {
    "the instance says something else": (lambda r: relabel(r, "dog", "wolf"), "says something else"),
    "the instance is gone": (
        lambda r: annotate(r, lines({"op": "remove", "path": "a.jpg", "instance_id": identity(1)})),
        "has no instance",
    ),
    "the new instance is there": (
        lambda r: annotate(r, lines({"op": "add", "path": "a.jpg", "instance": box("cat", number=2)})),
        "already",
    ),
    "the file is gone": (lambda r: remove(r, ["Main:a.jpg"]), "a.jpg is not there"),
    "another file is there": (
        lambda r: (remove(r, ["Main:a.jpg"]), stock(r, "Main", {"a.jpg": b"new"})),
        "a.jpg is another file",
    ),
    "the mark was set": (lambda r: complete(r, ["b.jpg"]), "b.jpg has other complete"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_patch_that_does_not_fit_is_refused_whole(pets: Repository, case: str) -> None:
    patch = edited(pets)
    happened, expected_words = MISFITS[case]
    happened(pets)
    with unchanged(pets), fails(Conflict, "patch-does-not-fit") as caught:
        apply(pets, patch)
    assert any(expected_words in misfit for misfit in caught.value.fields["misfits"])
    assert caught.value.exit_code == 20


def test_a_file_that_comes_in_must_find_its_place_free_and_its_bytes_in_the_store(pets: Repository) -> None:
    stock(pets, "Main", {"new.jpg": b"new"})
    patch = patch_of(diff(pets))
    with unchanged(pets), fails(Conflict, "patch-does-not-fit") as caught:
        apply(pets, patch)
    assert caught.value.fields["misfits"] == [
        "new.jpg is in the directory already, as new.jpg",
        "new.jpg is taken by another file",
    ]
    remove(pets, ["Main:new.jpg"])
    stock(pets, "Main", {"new.jpg": b"other"})
    patch.seek(0)
    with fails(Conflict, "patch-does-not-fit") as caught:
        apply(pets, patch)
    assert caught.value.fields["misfits"] == ["new.jpg is taken by another file"]
    elsewhere = new_repository()
    patch.seek(0)
    with fails(Conflict, "patch-does-not-fit") as caught:
        apply(elsewhere, patch)
    assert caught.value.fields["misfits"] == ["the bytes of new.jpg are not in the store"]


def test_a_file_that_says_something_else_in_another_directory_is_not_overwritten(pets: Repository) -> None:
    mirror(pets, ["Main:a.jpg"], "Dogs")
    remove(pets, ["Main:a.jpg"])
    patch = patch_of(Diff(pets["Main"], pets["Dogs"], ["a.jpg"]))
    relabel(pets, "dog", "wolf", "Dogs")
    with unchanged(pets), fails(Conflict, "patch-does-not-fit") as caught:
        apply(pets, patch, "Main")
    assert caught.value.fields["misfits"] == ["Dogs:a.jpg is that file and says something else by now"]


def test_a_patch_of_a_file_that_goes_knows_all_its_instances(pets: Repository) -> None:
    remove(pets, ["Main:a.jpg"])
    patch = patch_of(diff(pets))
    undo(pets)
    annotate(pets, lines({"op": "add", "path": "a.jpg", "instance": box("owl", number=9)}))
    with unchanged(pets), fails(Conflict, "patch-does-not-fit"):
        apply(pets, patch)


def test_a_copy_keeps_its_origin(pets: Repository) -> None:
    copy(pets, ["Main:a.jpg"], "Main:again.jpg", with_instances=True)
    root = pets["Main"].root
    patch = patch_of(diff(pets))
    undo(pets)
    apply(pets, patch)
    assert pets["Main"].root == root


STATE = {
    "blob": "11" * 32,
    "complete": False,
    "completeness_schema": None,
    "file_id": "22" * 16,
    "media_type": "",
    "origin": None,
    "path": "x",
    "properties": None,
    "size_bytes": 1,
}
INSTANCE = {"instance_id": identity(1), "label": "dog", "type": "tag"}
HEADER = {"format": "tdvc-patch", "version": 1}


def line(**fields: Any) -> dict[str, Any]:
    return {"before": None, "after": STATE, "instances": [], **fields}


HOSTILE: dict[str, list[Any]] = {
    "empty": [],
    "no header": [line()],
    "another version": [{**HEADER, "version": 2}],
    "a version that is text": [{**HEADER, "version": "1"}],
    "an unknown field in the header": [{**HEADER, "x": 1}],
    "an unknown field in a line": [HEADER, line(x=1)],
    "an unknown field in a state": [HEADER, line(after={**STATE, "x": 1})],
    "an unknown field in an edit": [HEADER, line(instances=[{"after": INSTANCE, "x": 1}])],
    "an unknown field in an instance": [HEADER, line(instances=[{"after": {**INSTANCE, "x": 1}}])],
    "a path that leads out": [HEADER, line(after={**STATE, "path": "../x"})],
    "a path that is reserved": [HEADER, line(after={**STATE, "path": "instances.jsonl"})],
    "a path that is no text": [HEADER, line(after={**STATE, "path": 7})],
    "no path": [HEADER, line(after={k: v for k, v in STATE.items() if k != "path"})],
    "no blob": [HEADER, line(after={k: v for k, v in STATE.items() if k != "blob"})],
    "a short id": [HEADER, line(after={**STATE, "blob": "11"})],
    "an id in capitals": [HEADER, line(after={**STATE, "file_id": "AA" * 16})],
    "a negative size": [HEADER, line(after={**STATE, "size_bytes": -1})],
    "a huge size": [HEADER, line(after={**STATE, "size_bytes": 2**63})],
    "a size that is text": [HEADER, line(after={**STATE, "size_bytes": "1"})],
    "a mark that is a number": [HEADER, line(after={**STATE, "complete": 1})],
    "a media type of control characters": [HEADER, line(after={**STATE, "media_type": "a\nb"})],
    "properties that are a list": [HEADER, line(after={**STATE, "properties": []})],
    "an origin that is text": [HEADER, line(after={**STATE, "origin": "x"})],
    "neither side": [HEADER, line(after=None)],
    "two files in one line": [HEADER, line(before={**STATE, "file_id": "33" * 16})],
    "sides that speak of different fields": [HEADER, line(before={"path": "x", "file_id": "22" * 16})],
    "a file twice": [HEADER, line(), line()],
    "a path twice": [HEADER, line(), line(after={**STATE, "file_id": "33" * 16})],
    "instances that are no list": [HEADER, line(instances={})],
    "an edit of nothing": [HEADER, line(instances=[{}])],
    "an edit of two instances": [
        HEADER,
        line(before=STATE, instances=[{"before": INSTANCE, "after": {**INSTANCE, "instance_id": identity(2)}}]),
    ],
    "an instance twice": [HEADER, line(instances=[{"after": INSTANCE}, {"after": INSTANCE}])],
    "an instance without an id": [HEADER, line(instances=[{"after": {"label": "dog", "type": "tag"}}])],
    "an instance on the side where no file is": [HEADER, line(instances=[{"before": INSTANCE}])],
    "an instance of a bad shape": [HEADER, line(instances=[{"after": {**INSTANCE, "type": "box"}}])],
    "no JSON": [HEADER, "{"],
    "no object": [HEADER, "[1]"],
    "nested too deep": [HEADER, "[" * 5000 + "]" * 5000],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_patch_that_makes_no_sense_is_refused_with_its_line(repository: Repository, case: str) -> None:
    with unchanged(repository), fails(FormatError, "bad-patch") as caught:
        apply(repository, lines(*HOSTILE[case]))
    assert caught.value.fields["line"] == max(1, len(HOSTILE[case]))


def test_a_line_without_end_is_not_read_whole(repository: Repository) -> None:
    endless = io.BytesIO(b"x" * (MAX_LINE_BYTES + 2))
    with fails(FormatError, "bad-patch"):
        apply(repository, endless)
    assert endless.tell() == MAX_LINE_BYTES + 1


def test_the_size_a_patch_claims_is_checked(pets: Repository) -> None:
    blob = pets["Main"].entry("a.jpg").state.blob.hex()
    with unchanged(pets), fails(Conflict, "patch-does-not-fit") as caught:
        apply(pets, lines(HEADER, line(after={**STATE, "blob": blob, "size_bytes": 99})))
    assert caught.value.fields["misfits"] == ["the bytes of x are 1, not 99"]


def test_a_patch_from_a_file_that_is_not_there(pets: Repository, tmp_path: Any) -> None:
    with fails(NotFound, "source-not-found"):
        apply(pets, tmp_path / "none.jsonl")


def test_file_ids_are_kept(pets: Repository) -> None:
    before = file_id(pets, "Main", "a.jpg")
    apply(pets, edited(pets))
    assert file_id(pets, "Main", "a.jpg") == before
