from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tdvc.errors import FormatError, NotFound, SchemaError
from tdvc.ops.annotate import annotate, complete, relabel
from tdvc.ops.committing import commit
from tdvc.ops.transfer import mirror
from tdvc.ops.undoing import undo
from tdvc.repo.repository import Repository
from tests.ops.build import box, fails, file_id, held, identity, labels, lines, stock, unchanged


@pytest.fixture
def pets(repository: Repository) -> Repository:
    stock(
        repository,
        "Main",
        {
            "rex.jpg": (
                b"rex",
                [
                    box("dog", (1, 2, 30, 40), 1, attributes={"age": 3, "name": "Rex"}, source="human"),
                    box("dog", (5, 5, 9, 9), 2),
                ],
            ),
            "tom.jpg": (b"tom", [box("cat", (0, 0, 8, 8), 3)]),
            "none.jpg": b"none",
        },
    )
    return repository


def one(repository: Repository, path: str, number: int, revision: str = "Main"):
    return next(i for i in repository[revision][path].instances if i.instance_id == identity(number))


# each operation


def test_add(pets: Repository) -> None:
    result = annotate(pets, lines({"op": "add", "path": "none.jpg", "instance": box("bird", (1, 1, 2, 2), 7)}))
    assert (result.directory, result.edits, result.files) == ("Main", 1, 1)
    assert (result.added_instances, result.changed_instances, result.removed_instances) == (1, 0, 0)
    assert one(pets, "none.jpg", 7).coordinates == [1, 1, 2, 2]
    assert "bird" in pets["Main"].schema.labels


def test_add_makes_up_an_id_where_none_is_given(pets: Repository) -> None:
    annotate(pets, lines(*[{"op": "add", "path": "none.jpg", "instance": box("bird")}] * 2))
    assert len({i.instance_id for i in pets["Main"]["none.jpg"].instances}) == 2


def test_update_merges_attributes_and_leaves_the_rest(pets: Repository) -> None:
    edit = {"op": "update", "path": "rex.jpg", "instance_id": identity(1)}
    result = annotate(pets, lines({**edit, "set": {"label": "wolf", "attributes": {"age": 4, "wild": True}}}))
    assert (result.added_instances, result.changed_instances, result.removed_instances) == (0, 1, 0)
    found = one(pets, "rex.jpg", 1)
    assert (found.label, found.source, found.coordinates) == ("wolf", "human", [1, 2, 30, 40])
    assert found.attribute_values == {"age": 4, "name": "Rex", "wild": True}
    assert one(pets, "rex.jpg", 2).label == "dog"


def test_null_takes_a_field_or_an_attribute_away(pets: Repository) -> None:
    edit = {"op": "update", "path": "rex.jpg", "instance_id": identity(1)}
    annotate(pets, lines({**edit, "set": {"source": None, "attributes": {"age": None}}}))
    assert one(pets, "rex.jpg", 1).source is None
    assert one(pets, "rex.jpg", 1).attribute_values == {"name": "Rex"}
    annotate(pets, lines({**edit, "set": {"attributes": None}}))
    assert one(pets, "rex.jpg", 1).attribute_values == {}


def test_an_update_can_change_the_spatial_type(pets: Repository) -> None:
    change = {"type": "polygon", "geometry": [[[0, 0, 4, 0, 4, 4]]]}
    annotate(pets, lines({"op": "update", "path": "tom.jpg", "instance_id": identity(3), "set": change}))
    assert (one(pets, "tom.jpg", 3).type, one(pets, "tom.jpg", 3).label) == ("polygon", "cat")


def test_remove(pets: Repository) -> None:
    result = annotate(pets, lines({"op": "remove", "path": "rex.jpg", "instance_id": identity(2)}))
    assert result.removed_instances == 1
    assert [i.instance_id for i in pets["Main"]["rex.jpg"].instances] == [identity(1)]
    assert pets["Main"].counts.instances == 2


def test_removing_the_last_instance_equals_never_having_had_one(pets: Repository) -> None:
    before = pets["Main"].root
    annotate(pets, lines({"op": "add", "path": "none.jpg", "instance": box(number=7)}))
    annotate(pets, lines({"op": "remove", "path": "none.jpg", "instance_id": identity(7)}))
    assert pets["Main"].root == before


def test_replace(pets: Repository) -> None:
    made = [box("wolf", number=2), box("fox", number=8)]
    result = annotate(pets, lines({"op": "replace", "path": "rex.jpg", "instances": made}))
    assert (result.added_instances, result.changed_instances, result.removed_instances) == (1, 1, 1)
    assert labels(pets, "Main", "rex.jpg") == ["fox", "wolf"]


def test_edits_of_one_file_follow_on_each_other(pets: Repository) -> None:
    result = annotate(
        pets,
        lines(
            {"op": "add", "path": "none.jpg", "instance": box("egg", number=7)},
            {"op": "update", "path": "tom.jpg", "instance_id": identity(3), "set": {"label": "tiger"}},
            {"op": "update", "path": "none.jpg", "instance_id": identity(7), "set": {"label": "chick"}},
            {"op": "add", "path": "none.jpg", "instance": box("egg", number=8)},
            {"op": "remove", "path": "none.jpg", "instance_id": identity(8)},
        ),
    )
    assert (result.edits, result.files, result.added_instances, result.changed_instances) == (5, 2, 1, 1)
    assert labels(pets, "Main", "none.jpg") == ["chick"]


def test_by_file_id(pets: Repository) -> None:
    name = file_id(pets, "Main", "tom.jpg").hex()
    annotate(
        pets,
        lines(
            {"op": "add", "file_id": name, "instance": box("whisker", number=8)},
            {"op": "add", "path": "tom.jpg", "instance": box("tail", number=9)},
        ),
    )
    assert labels(pets, "Main", "tom.jpg") == ["cat", "tail", "whisker"]


def test_a_file_id_finds_the_file_under_the_path_it_has_in_the_directory(pets: Repository) -> None:
    mirror(pets, ["Main:tom.jpg"], "Cats:felix.jpg")
    name = file_id(pets, "Main", "tom.jpg").hex()
    annotate(pets, lines({"op": "remove", "file_id": name, "instance_id": identity(3)}), "Cats")
    assert labels(pets, "Main", "tom.jpg") == labels(pets, "Cats", "felix.jpg") == []


def test_a_file_of_another_directory_is_not_found_by_its_id(pets: Repository) -> None:
    stock(pets, "Other", {"x.jpg": b"x"})
    edit = {"op": "add", "file_id": file_id(pets, "Other", "x.jpg").hex(), "instance": box()}
    with unchanged(pets), fails(NotFound, "file-not-found"):
        annotate(pets, lines(edit), "Main")


def test_an_edits_file_on_disk_with_byte_order_mark_and_blank_lines(pets: Repository, tmp_path: Path) -> None:
    place = tmp_path / "edits.jsonl"
    line = json.dumps({"op": "remove", "path": "tom.jpg", "instance_id": identity(3)}).encode()
    place.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n  \n")
    assert annotate(pets, place).removed_instances == 1


def test_a_missing_edits_file_is_an_error(pets: Repository, tmp_path: Path) -> None:
    with unchanged(pets), fails(NotFound, "source-not-found"):
        annotate(pets, tmp_path / "missing.jsonl")


# numbers


def test_numbers_are_kept_as_they_are_spelled(pets: Repository) -> None:
    fields = '"label":"x","type":"box","geometry":[0.148063,1.50,1e3,2000],"score":0.10,"attributes":{"n":1.0}'
    annotate(pets, lines('{"op":"replace","path":"none.jpg","instances":[{' + fields + "}]}"))
    found = pets["Main"]["none.jpg"].instances[0]
    assert bytes(found.geometry) == b"[0.148063,1.50,1e3,2000]"
    assert (bytes(found.score), bytes(found.attributes)) == (b"0.10", b'{"n":1.0}')


def test_another_spelling_of_the_same_number_is_no_change(pets: Repository) -> None:
    change = '{"op":"update","path":"rex.jpg","instance_id":"ID","set":{"geometry":[1.0,2e0,30.00,4e1]}}'
    with unchanged(pets):
        result = annotate(pets, lines(change.replace("ID", identity(1))))
    assert (result.edits, result.files, result.operation) == (1, 0, None)
    assert bytes(one(pets, "rex.jpg", 1).geometry) == b"[1,2,30,40]"


def test_an_instance_that_is_not_touched_keeps_its_spelling(pets: Repository) -> None:
    annotate(pets, lines(_replaced("[0.10,0.20,1.0,1.0]")))
    annotate(pets, lines({"op": "add", "path": "none.jpg", "instance": box(number=8)}))
    assert bytes(one(pets, "none.jpg", 7).geometry) == b"[0.10,0.20,1.0,1.0]"


def _replaced(geometry: str) -> str:
    instance = f'{{"instance_id":"{identity(7)}","label":"x","type":"box","geometry":{geometry}}}'
    return f'{{"op":"replace","path":"none.jpg","instances":[{instance}]}}'


# what is refused, whole and with the line

GOOD = {"op": "remove", "path": "tom.jpg", "instance_id": identity(3)}


@pytest.mark.parametrize(
    ("line", "kind", "code"),
    [
        ("not json", FormatError, "bad-edit"),
        ("[1]", FormatError, "bad-edit"),
        ("\udcff", FormatError, "bad-edit"),
        ({"path": "rex.jpg"}, FormatError, "bad-edit"),
        ({"op": "explode", "path": "rex.jpg"}, FormatError, "bad-edit"),
        ({"op": 1, "path": "rex.jpg"}, FormatError, "bad-edit"),
        ({"op": "add", "path": "rex.jpg"}, FormatError, "bad-edit"),
        ({"op": "add", "instance": box()}, FormatError, "bad-edit"),
        ({"op": "add", "path": 7, "instance": box()}, FormatError, "bad-edit"),
        ({"op": "add", "path": "rex.jpg", "file_id": "0" * 32, "instance": box()}, FormatError, "bad-edit"),
        ({"op": "add", "path": "rex.jpg", "instance": box(), "why": 1}, FormatError, "bad-edit"),
        ({"op": "add", "path": "rex.jpg", "instance": [1]}, FormatError, "bad-edit"),
        ({"op": "add", "path": "rex.jpg", "instance": box(number=1)}, FormatError, "bad-edit"),
        ({"op": "replace", "path": "rex.jpg", "instances": {}}, FormatError, "bad-edit"),
        ({"op": "replace", "path": "rex.jpg", "instances": [box(number=1), box(number=1)]}, FormatError, "bad-edit"),
        ({"op": "update", "path": "rex.jpg", "instance_id": identity(1), "set": 3}, FormatError, "bad-edit"),
        (
            {"op": "update", "path": "rex.jpg", "instance_id": identity(1), "set": {"instance_id": identity(9)}},
            FormatError,
            "bad-edit",
        ),
        ({"op": "add", "path": "rex.jpg", "instance": {"label": "x"}}, SchemaError, "bad-instance"),
        ({"op": "add", "path": "rex.jpg", "instance": box(at=(1, 2, 3))}, SchemaError, "bad-instance"),
        ({"op": "add", "path": "rex.jpg", "instance": box("")}, SchemaError, "bad-instance"),
        ({"op": "add", "path": "rex.jpg", "instance": box(colour="red")}, SchemaError, "bad-instance"),
        (
            {"op": "update", "path": "rex.jpg", "instance_id": identity(1), "set": {"label": None}},
            SchemaError,
            "bad-instance",
        ),
        ({"op": "add", "path": "missing.jpg", "instance": box()}, NotFound, "file-not-found"),
        ({"op": "add", "path": "../rex.jpg", "instance": box()}, NotFound, "file-not-found"),
        ({"op": "add", "file_id": "f" * 32, "instance": box()}, NotFound, "file-not-found"),
        ({"op": "add", "file_id": "rex.jpg", "instance": box()}, NotFound, "file-not-found"),
        ({"op": "remove", "path": "rex.jpg", "instance_id": identity(9)}, NotFound, "instance-not-found"),
        ({"op": "remove", "path": "rex.jpg", "instance_id": 1}, NotFound, "instance-not-found"),
        ({"op": "update", "path": "tom.jpg", "instance_id": identity(3), "set": {}}, NotFound, "instance-not-found"),
    ],
    ids=str,
)
def test_a_bad_line_is_named_and_nothing_is_applied(pets: Repository, line, kind, code: str) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    content = json.dumps(GOOD).encode() + b"\n\n" + text.encode(errors="surrogateescape") + b"\n"
    with unchanged(pets), fails(kind, code) as caught:
        annotate(pets, io.BytesIO(content))
    assert caught.value.fields["line"] == 3
    assert "Line 3 " in caught.value.message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_are_refused(pets: Repository, number: str) -> None:
    with unchanged(pets), fails(FormatError, "bad-edit"):
        annotate(pets, lines(_replaced(f"[0,0,1,{number}]")))


# relabel


def test_relabel_changes_every_such_instance_and_no_other(pets: Repository) -> None:
    result = relabel(pets, "dog", "hound")
    assert (result.files, result.changed_instances) == (1, 2)
    assert labels(pets, "Main", "rex.jpg") == ["hound", "hound"]
    assert labels(pets, "Main", "tom.jpg") == ["cat"]
    assert one(pets, "rex.jpg", 1).attribute_values == {"age": 3, "name": "Rex"}


def test_relabel_into_a_label_that_is_there_joins_them(pets: Repository) -> None:
    relabel(pets, "dog", "cat")
    assert labels(pets, "Main", "rex.jpg") == ["cat", "cat"]


def test_relabel_reaches_mirrored_files_and_only_the_named_directory(pets: Repository) -> None:
    mirror(pets, ["Main:rex.jpg"], "Dogs")
    stock(pets, "Other", {"x.jpg": (b"x", [box("dog")])})
    relabel(pets, "dog", "hound", "Dogs")
    assert labels(pets, "Main", "rex.jpg") == ["hound", "hound"]
    assert labels(pets, "Other", "x.jpg") == ["dog"]


def test_relabel_keeps_old_commits_and_can_be_undone(pets: Repository) -> None:
    commit(pets, "first")
    before = held(pets, "Main")
    relabel(pets, "dog", "hound")
    assert held(pets, "Main@") == before
    undo(pets)
    assert held(pets, "Main") == before


def test_relabel_of_an_unknown_label_names_those_that_are_known(pets: Repository) -> None:
    with unchanged(pets), fails(NotFound, "instance-not-found") as caught:
        relabel(pets, "horse", "pony")
    assert "cat, dog" in caught.value.hint


@pytest.mark.parametrize("new", ["", "x" * 1025, "a\0b"])
def test_relabel_into_what_is_no_label_is_refused(pets: Repository, new: str) -> None:
    with unchanged(pets), fails(SchemaError, "bad-instance"):
        relabel(pets, "dog", new)


# complete


def test_complete_marks_files_and_counts_those_that_were(pets: Repository) -> None:
    assert complete(pets, ["none.jpg"]).files == 1
    result = complete(pets, ["*.jpg"])
    assert (result.files, result.already) == (2, 1)
    assert pets["Main"].counts.complete == 3
    with unchanged(pets):
        assert complete(pets, ["rex.jpg"]).already == 1


def test_complete_and_empty_differs_from_not_done_yet(pets: Repository) -> None:
    before = pets["Main"].root
    complete(pets, ["none.jpg"])
    assert pets["Main"].root != before
    assert pets["Main"]["none.jpg"].complete and not pets["Main"]["none.jpg"].instances


def test_the_mark_can_be_taken_back(pets: Repository) -> None:
    before = pets["Main"].root
    complete(pets, ["rex.jpg", "tom.jpg"])
    result = complete(pets, ["rex.jpg", "tom.jpg", "none.jpg"], undo=True)
    assert (result.files, result.already) == (2, 1)
    assert pets["Main"].root == before


def test_the_mark_names_the_schema_it_was_judged_against(pets: Repository) -> None:
    old_schema = pets.view.schema
    complete(pets, ["rex.jpg", "tom.jpg"])
    annotate(pets, lines({"op": "add", "path": "none.jpg", "instance": box("bird")}))
    assert pets.view.schema != old_schema
    complete(pets, ["rex.jpg"])
    marks = {file.path: file.state.completeness_schema for file in pets["Main"] if file.complete}
    assert marks == {"rex.jpg": pets.view.schema, "tom.jpg": old_schema}


def test_the_mark_is_shared_by_mirrors(pets: Repository) -> None:
    mirror(pets, ["Main:rex.jpg"], "Dogs")
    complete(pets, ["rex.jpg"], "Dogs")
    assert pets["Main"]["rex.jpg"].complete


def test_complete_of_what_is_not_there_changes_nothing(pets: Repository) -> None:
    with unchanged(pets), fails(NotFound, "file-not-found"):
        complete(pets, ["rex.jpg", "missing.jpg"])
