"""The schema as a file: every field survives both spellings, and what is wrong is named with its line."""

from __future__ import annotations

import json
import string
import tomllib
from dataclasses import fields
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdvc.errors import SchemaError
from tdvc.model import numbers
from tdvc.model.schema import Attribute, Label, Option, Schema, Template, schema_from
from tdvc.model.schemacheck import schema_problems
from tdvc.model.schemajson import json_schema
from tdvc.model.schematext import JSON_SCHEMA_FILE, MAX_BYTES, read_schema_text, schema_text
from tests.model.schemas import FULL, TRAFFIC

TYPES = ["toml", "json"]


@pytest.mark.parametrize("file_type", TYPES)
@pytest.mark.parametrize("given", [{}, TRAFFIC, FULL])
def test_a_file_gives_the_same_bytes_again(given: dict[str, Any], file_type: str) -> None:
    schema = schema_from(given)
    text = schema_text(schema, file_type)
    assert read_schema_text(text.encode(), "s").encode() == schema.encode()
    assert schema_text(read_schema_text(text.encode(), "s"), file_type) == text


def test_the_full_schema_has_every_field_and_makes_sense() -> None:
    assert list(schema_problems(schema_from(FULL))) == []
    for kind, section in ((Label, "labels"), (Attribute, "attributes"), (Template, "templates")):
        used = {name for definition in FULL[section].values() for name in definition}
        assert used == {f.name for f in fields(kind)} - {"key"}
    assert FULL.keys() == {f.name for f in fields(Schema)}
    assert {name for option in FULL["attributes"]["mood"]["options"] for name in option} == {
        f.name for f in fields(Option)
    }


def test_the_layout_is_readable_and_its_first_line_names_the_json_schema() -> None:
    assert schema_text(schema_from(TRAFFIC)).split("\n") == [
        f"#:schema ./{JSON_SCHEMA_FILE}",
        "# What labels mean. Keys are lasting, names can change. tdvc schema import FILE makes it the schema.",
        "",
        "version = 1",
        "",
        "[labels.light]",
        'name = "Traffic light"',
        "index = 0",
        'types = { box = "default", polygon = "allowed" }',
        'attributes = ["state"]',
        "",
        "[labels.car]",
        'name = "car"',
        "index = 1",
        'attributes = ["parked"]',
        "",
        "[attributes.parked]",
        'kind = "checkbox"',
        'when = ["since"]',
        "",
        "[attributes.since]",
        'kind = "time"',
        "",
        "[attributes.state]",
        'kind = "select"',
        "options = [",
        '  { key = "red", name = "Red" },',
        '  { key = "green", name = "Green" },',
        "]",
        "",
    ]
    assert json.loads(schema_text(schema_from(TRAFFIC), "json"))["$schema"] == f"./{JSON_SCHEMA_FILE}"


def test_numbers_keep_their_spelling() -> None:
    text = schema_text(schema_from(FULL))
    for spelled in ("minimum = 0.10", "default = 1e0", '"score":1.50'):
        assert spelled in text


def test_names_and_indexes_may_be_left_out() -> None:
    before = schema_from({"labels": {"dog": {"name": "Hound", "index": 3}}})
    found = read_schema_text(b"[labels.cat]\n[labels.dog]\n[labels.cow]\nindex = 9\n[labels.emu]\n", "s", before)
    assert [(label.key, label.name, label.index) for label in found.in_order()] == [
        ("dog", "dog", 3),
        ("cow", "cow", 9),
        ("cat", "cat", 10),
        ("emu", "emu", 11),
    ]


def test_dates_and_times_of_toml_are_text() -> None:
    found = read_schema_text(
        b'[attributes.d]\nkind = "date"\ndefault = 2026-11-01\n[attributes.t]\nkind = "time"\ndefault = 18:30:00\n', "s"
    )
    assert (found.attributes["d"].default, found.attributes["t"].default) == ("2026-11-01", "18:30:00")


GOOD = schema_text(schema_from(TRAFFIC))


@pytest.mark.parametrize(
    ("old", "new", "line", "place"),
    [
        ("version = 1", "version = 2", 4, "version"),
        ("version = 1", "verzion = 1", None, ""),
        ("version = 1", "version = 1\nlocked = 3", 5, "locked"),
        ('name = "car"', "name = car", 13, ""),
        ('name = "car"', "name = 1", 13, "labels.car.name"),
        ('name = "car"', 'naam = "car"', 12, "labels.car"),
        ('polygon = "allowed"', 'polygone = "allowed"', 9, "labels.light.types"),
        ('attributes = ["parked"]', 'attributes = ["parkt"]', 15, "labels.car.attributes"),
        ('kind = "time"', 'kind = "tyme"', 22, "attributes.since.kind"),
        ('key = "green"', 'key = "red"', 26, "attributes.state.options"),
        ('when = ["since"]', 'when = ["parked"]', 17, "attributes.parked.options"),
        ('kind = "time"', 'kind = "time"\nminimum = inf', None, ""),
    ],
)
def test_an_error_names_the_file_the_line_and_the_place(old: str, new: str, line: int | None, place: str) -> None:
    assert old in GOOD
    with pytest.raises(SchemaError) as caught:
        read_schema_text(GOOD.replace(old, new).encode(), "animals.toml")
    assert caught.value.code == "bad-schema"
    assert (caught.value.fields["line"], caught.value.fields["place"]) == (line, place)
    assert caught.value.message.startswith(f"animals.toml, line {line}: " if line else "animals.toml: ")
    assert place in caught.value.message


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"{",
        b'{"labels": {"a": {"index": 1e400}}}',
        b'{"labels": {"\\ud800": {}}}',
        b"a = [" * 3000,
        b"[" * 3000,
        b"{" + b'"a":[' * 3000,
        b" " * (MAX_BYTES + 1),
        b"x = 1" + b"0" * 5000,
        b'[attributes.a]\nkind = "number"\nminimum = 1e99999999999999999999\n',
        b"[labels]\na.b.c = 1",
        b"[[labels]]",
    ],
    ids=lambda content: repr(content[:30]),
)
def test_hostile_files_are_refused(content: bytes) -> None:
    with pytest.raises(SchemaError) as caught:
        read_schema_text(content, "s")
    assert caught.value.code == "bad-schema"
    assert len(caught.value.message) < 1000


texts = st.text(string.printable + "äß€🐕\x00\x1f\x7f\u2028", max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(st.tuples(texts, texts, st.dictionaries(texts, st.dictionaries(texts, json_values))), max_size=3),
    st.sampled_from(TYPES),
)
def test_any_text_survives(labels: list[tuple[str, str, Any]], file_type: str) -> None:
    schema = Schema(
        labels={
            f"{key}{index}": Label(f"{key}{index}", f"n{index}{guide}", index, guide=guide, formats=formats)
            for index, (key, guide, formats) in enumerate(labels)
            if "\0" not in key
        }
    )
    text = schema_text(schema, file_type)
    assert read_schema_text(text.encode(), "s").encode() == schema.encode()


# the JSON Schema


def document(text: str, file_type: str) -> Any:
    return tomllib.loads(text) if file_type == "toml" else json.loads(text)


@pytest.mark.parametrize("file_type", TYPES)
@pytest.mark.parametrize("given", [{}, TRAFFIC, FULL])
def test_what_we_write_fits_the_json_schema(given: dict[str, Any], file_type: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    found = document(schema_text(schema_from(given), file_type), file_type)
    jsonschema.validate(found, json_schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {"dog": {"size": 1}}},
        {"labels": {"dog": {"types": {"bax": "allowed"}}}},
        {"labels": {"dog": {"types": {"box": "maybe"}}}},
        {"labels": {"dog": {"colour": "red"}}},
        {"attributes": {"age": {}}},
        {"attributes": {"age": {"kind": "numbers"}}},
        {"attributes": {"age": {"kind": "select", "options": [{"name": "x"}]}}},
        {"templates": {"person": {"edges": [[0]]}}},
        {"version": 2},
        {"locked": "yes"},
        {"colours": {}},
    ],
)
def test_the_json_schema_refuses_what_the_reader_refuses(given: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, json_schema(), cls=jsonschema.Draft202012Validator)
    with pytest.raises(SchemaError):
        read_schema_text(numbers.spell(given), "s")


def test_every_field_is_in_the_json_schema_with_a_description() -> None:
    published = json_schema()
    for kind in (Label, Attribute, Template, Option):
        properties = published["$defs"][kind.__name__.lower()]["properties"]
        assert properties.keys() == {f.name for f in fields(kind)} - ({"key"} if kind is not Option else set())
        assert all(field["description"] for field in properties.values())
    assert published["properties"].keys() - {"$schema", "version"} == {f.name for f in fields(Schema)}
